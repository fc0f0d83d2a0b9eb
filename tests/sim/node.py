"""One simulated node: the real core, engine, performer and wire over simulated ports, life after life.

    run ─▶ live: disk ─▶ engine ─▶ heads ─▶ port (network) …  ─crash─▶ down for a while ─▶ live again

What an adapter would start, `live` starts in the daemon's order. Every action is checked against core/rules.py
at the moment at which the engine starts it; the rulebook remembers across lives what the node has sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import trio

from blockedge_node.core.actions import Action, ChainAction, Note
from blockedge_node.core.events import HeadSeen, Job, JobSubmitted
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash, Secret, UnitId, short
from blockedge_node.core.job import ENGINE
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.node import Machine
from blockedge_node.core.rules import Rulebook
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.world import Policy
from blockedge_node.engine import Engine, load
from blockedge_node.performer import Performer
from blockedge_node.wire.eip712 import LocalSigner, address_of
from tests.sim.evm import SimChain
from tests.sim.machine import Disk, SimContent, SimExecutor
from tests.sim.network import Net
from tests.sim.port import Port
from tests.sim.wallet import Wallet

POLICY = Policy(
    engines=frozenset({ENGINE}),
    block_time=1,
    delay_floor=10,
    bid_ttl=60,
    gossip_hop=0.05,  # network.Faults.delay at its worst
    speed=5 * 10**7,  # slow: the jobs here declare little fuel, and shall take some seconds
)
PATIENCE = 2.0  # seconds for which a draw secret waits for its unit (chain/watcher.py)
Trace = Callable[[str, str], None]  # (who, what)


def key_of(name: str) -> bytes:
    return keccak256(b"key of " + name.encode())


def address_called(name: str) -> Address:
    return address_of(key_of(name))


@dataclass(frozen=True, slots=True)
class Leave:
    """The node goes offline for `down` seconds once its story has had `times` notes of this code."""

    code: str
    down: float
    times: int = 1


@dataclass(slots=True, eq=False)
class SimChance:
    """ports.Chance from the node's own seed: a life never repeats what one before it has drawn."""

    random: Random

    def secret(self) -> Secret:
        return Secret(self.random.randbytes(32))

    def monotonic(self) -> float:
        return trio.current_time()


class RuledEngine(Engine):
    """Raises AssertionError if the core wants what core/rules.py forbids."""

    rulebook: Rulebook

    def _start(self, due: Mapping[Action, None]) -> None:
        world = self.world
        assert world is not None
        for action in due:
            if action not in self._running:
                broken = self.rulebook.check(action, self.node, world)
                assert not broken, f"{[rule.name for rule in broken]} broken at {world.now}: {action}"
        super()._start(due)


@dataclass(eq=False)
class SimNode:
    """See the module docstring. `head_lag`: seconds, at most, from a block to the node's seeing it."""

    name: str
    disk: Disk
    chain: SimChain
    net: Net
    random: Random
    trace: Trace
    told: Callable[[ChainAction], None]  # each call that is signed: the audit
    policy: Policy = POLICY
    make_performer: Callable[..., Performer] = Performer
    head_lag: float = 0.2
    leaves: Leave | None = None
    engine: RuledEngine | None = None  # None while down
    lives: int = 0
    notes: list[Note] = field(default_factory=list)  # of all lives
    jobs: dict[bytes, JobRun] = field(default_factory=dict)  # as they were last seen on disk
    _rulebook: Rulebook = field(default_factory=Rulebook)
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _port: Port | None = None
    _views: Mapping[UnitId, UnitView] = field(default_factory=dict)  # of the last head that it was told of
    _looked: trio.Event = field(default_factory=trio.Event)  # there was another
    _down: float = 0.0

    def __post_init__(self) -> None:
        self.key = key_of(self.name)
        self.address = address_of(self.key)
        self.honest = self.make_performer is Performer
        self.disk.die = self.crash

    # ── life and death ───────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        while True:
            self.lives += 1
            self.trace(self.name, f"begins life {self.lives}")
            with trio.CancelScope() as self._scope:
                try:
                    async with trio.open_nursery() as life:
                        await self._live(life)
                finally:
                    self._leave()
                    self.disk.unmount()
            await trio.sleep(self._down)

    def crash(self, down: float) -> None:
        """kill -9: nothing more leaves this node, its disk stays as it is."""
        if self.engine is not None:
            self.trace(self.name, f"crashes at commit {self.disk.commits}")
            self._down = down
            self._leave()
            self._scope.cancel()

    def _leave(self) -> None:
        self.engine, self._views = None, {}
        self.net.ports.pop(self.address, None)
        if self._port is not None:
            self._port.close()
        self._port = None

    async def _live(self, life: trio.Nursery) -> None:
        self.disk.mount()
        chance, signer = SimChance(self.random), LocalSigner(self.key, self.chain.domain)
        wallet = Wallet(
            self.chain, self.address, self.disk.signed, self.random, self.net.faults.loss, self.told
        )
        port = Port(
            self.net,
            self.address,
            life,
            blobs=self.disk.blobs,
            tell=lambda event: engine.tell(event),
            standing=wallet.standing,
            now=self.chain.now,
            draw_commit=self._draw_commit,
            clients=self.policy.clients,
        )
        performer = self.make_performer(
            signer=signer,
            chance=chance,
            chain=wallet,
            network=port,
            content=SimContent(self.disk.blobs, port, self.policy.engines),
            executor=SimExecutor(self.policy.slots, self.policy.speed, self.random),
            domain=self.chain.domain,
        )
        engine = RuledEngine(
            node=load(self.disk),
            journal=self.disk,
            performer=performer,
            policy=self.policy,
            domain=self.chain.domain,
            params=self.chain.params,
            me=self.address,
            heard=self._hear,
        )
        engine.rulebook = self._rulebook
        self.engine = engine
        self._note_jobs()
        life.start_soon(self._watch, engine, wallet)
        await life.start(engine.run)
        self._port = self.net.ports[self.address] = port

    async def _watch(self, engine: Engine, wallet: Wallet) -> None:
        """Heads as the real watcher emits them: the newest, some after a moment, some not at all."""
        seen = b""
        while True:
            head = await self.chain.next_block(seen)  # type: ignore[arg-type]
            await trio.sleep(self.random.uniform(0, self.head_lag))
            head = self.chain.head
            seen = head.hash
            wallet.look_after()
            views = self.chain.views(engine.kept())
            standing = self.chain.standing(self.address)
            seen_now = HeadSeen(
                head=head,
                standing=standing,
                views=views,
                tickets=self.chain.tickets.tickets,
                newest=head.number,
                auctions=self.chain.opened(engine.kept()),
            )
            await engine.tell(seen_now)
            self._views = {view.unit: view for view in views}
            self._looked.set()
            self._looked = trio.Event()

    async def _draw_commit(self, unit: UnitId, wait: bool) -> Hash | None:
        """As chain/adapter.py: of a COMMITTED unit that this node was told of, or will be in a moment."""
        with trio.move_on_after(PATIENCE if wait else 0):
            while True:
                view = self._views.get(unit)
                if view is not None and view.phase >= Phase.COMMITTED:
                    return view.terms.draw_commit if view.phase is Phase.COMMITTED else None
                await self._looked.wait()
        return None

    # ── for the scenario ─────────────────────────────────────────────────────────────────────────────────

    async def submit(self, job: Job) -> None:
        """Hand in a job as a client does: again, if the node dies before it has answered."""
        while True:
            if self.engine is not None and self.engine.world is not None:
                with trio.move_on_after(5):
                    await self.engine.submit(JobSubmitted(job=job))
                    return
            await trio.sleep(0.1)

    def machines(self, *kinds: type) -> list[Machine]:
        """Those on its disk at this moment; none while it is down."""
        known = self.engine.node.machines.values() if self.engine else ()
        return [machine for machine in known if isinstance(machine, kinds)]

    def _hear(self, notes: Sequence[Note]) -> None:
        for note in notes:
            self.notes.append(note)
            self.trace(self.name, f"{short(note.subject)} {note.code} {_fields(note)}")
        self._note_jobs()
        left = self.leaves
        if left and sum(note.code == left.code for note in self.notes) >= left.times:
            self.leaves = None
            self.crash(left.down)

    def _note_jobs(self) -> None:
        for machine in self.machines(JobRun):
            assert isinstance(machine, JobRun)
            self.jobs[machine.job.id] = machine


def _fields(note: Note) -> str:
    plain: list[tuple[str, Any]] = [pair for pair in note.fields if pair[0] not in ("detail", "reason")]
    return " ".join(f"{name}={value}" for name, value in plain)
