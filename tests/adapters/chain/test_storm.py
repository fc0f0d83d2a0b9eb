"""Many units at once through a chain that reorganises, loses transactions and stalls, and a node that is killed.

A small driver does what the engine does: at each head it makes what is being sent equal to what is due. Whatever the
weather, every unit ends PAID, once, and no nonce is stuck.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from blockedge_node.chain.deploy import Deployment
from blockedge_node.core.actions import ChainAction
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import UnitId
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.store.journal import Journal

from .conftest import ETHER, PARAMS, REQUESTER, WORKER, Anvil
from .scene import Node, Story, mined, running

pytestmark = pytest.mark.anvil

UNITS = 4
STEPS = 15  # blocks, more or less, that a node lives
BAD_LIVES = 4


@dataclass
class Driver:
    """A worker of several stories, as the engine would drive it."""

    node: Node
    stories: list[Story]
    running: dict[tuple[UnitId, str], trio.CancelScope] = field(default_factory=dict)
    ended: set[tuple[UnitId, str]] = field(default_factory=set)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                seen = self.node.heads[-1]
                views = {view.unit: view for view in seen.views}
                due = {}
                for story in self.stories:
                    due |= self._due(story, views.get(story.unit), seen.head.time)
                for key in set(self.running) - set(due):
                    self.running.pop(key).cancel()
                self.ended &= set(due)  # an action that is due anew is started anew
                for key in set(due) - set(self.running) - self.ended:
                    self.running[key] = trio.CancelScope()
                    nursery.start_soon(self._send, key, due[key])
                await self.node.changed.wait()

    def _due(
        self, story: Story, view: UnitView | None, now: int
    ) -> dict[tuple[UnitId, str], Callable[[], ChainAction]]:
        match view:
            case None:
                return {(story.unit, "award"): story.award_commit}
            case UnitView(phase=Phase.COMMITTED):
                return {(story.unit, "reveal"): lambda: story.reveal(view)}
            case UnitView(phase=Phase.REVEALED) if now > view.since + view.terms.vwin + PARAMS.challenge:
                return {(story.unit, "settle"): lambda: story.settle(view)}
        return {}

    async def _send(self, key: tuple[UnitId, str], make: Callable[[], ChainAction]) -> None:
        scope = self.running[key]
        with scope:
            await self.node.chain.send(make())
            self.ended.add(key)
        if self.running.get(key) is scope:
            del self.running[key]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_unit_is_paid_in_any_weather(
    anvil: Anvil, deployed: Deployment, tmp_path: Path, seed: int
) -> None:
    weather = random.Random(seed)
    async with running(anvil, deployed, REQUESTER) as requester:
        await mined(anvil, requester.chain.fund(500 * ETHER))
    async with running(anvil, deployed, WORKER) as worker:
        await mined(anvil, worker.chain.fund(500 * ETHER))
        now = worker.heads[-1].head.time
    anvil.mine(8)  # no reorg below reaches the funding
    domain = Domain(deployed.chain_id, deployed.block_edge)
    stories = [
        Story(domain=domain, requester=REQUESTER, worker=WORKER, now=now, nonce=n) for n in range(UNITS)
    ]

    def paid(node: Node) -> bool:
        views = {view.unit: view for view in node.heads[-1].views}
        return all(s.unit in views and views[s.unit].phase is Phase.PAID for s in stories)

    def bad_weather() -> None:
        match weather.randrange(6):
            case 0:
                anvil.rpc("anvil_reorg", weather.randint(1, 4), [])
            case 1:
                anvil.rpc("anvil_dropAllTransactions")
            case 2:
                anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(weather.randint(1, 20) * 10**9))
                anvil.mine()
            case _:
                anvil.mine()

    keep = frozenset(story.unit for story in stories)
    done = False
    life = 0
    with trio.fail_after(120):
        while not done:
            outbox = Journal(tmp_path / "journal", {})
            async with (
                running(anvil, deployed, WORKER, outbox=outbox, keep=lambda: keep) as worker,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(Driver(worker, stories).run)
                for step in range(STEPS):
                    if life < BAD_LIVES:
                        bad_weather()
                    else:
                        anvil.mine()
                    with trio.move_on_after(weather.random() * 0.1):
                        await trio.sleep_forever()
                    if step % 5 == 4:
                        anvil.mine(warp=6)
                done = life >= BAD_LIVES and paid(worker)
                nursery.cancel_scope.cancel()  # killed wherever it is
            outbox.close()
            life += 1
    async with running(anvil, deployed, WORKER) as witness:
        account = await witness.chain.account(WORKER.address)
        assert (account.free, account.locked) == ((500 + UNITS) * ETHER, 0)
        assert (await witness.chain.reputation(WORKER.address)).m == UNITS
        audit = await witness.chain.audit()
        assert audit.free + audit.locked + audit.burned == audit.held
        await mined(anvil, witness.chain.fund(ETHER))  # the key's nonces are in order
