"""A run of a scenario: while it goes on, who waits for what; afterwards, what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import TYPE_CHECKING

import trio

from blockedge_node.chain.book import closed
from blockedge_node.core.actions import (
    ChainAction,
    CloseAuction,
    CloseReports,
    CloseRound,
    Settle,
    TimeOut,
)
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.bundles import Collector
from blockedge_node.core.checker import Checker
from blockedge_node.core.ids import Address
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.juror import Juror
from blockedge_node.core.jury import case_outcome
from blockedge_node.core.reputation import protocol_fee
from blockedge_node.core.requester import Requester
from blockedge_node.core.unit import Phase, Standing, UnitView
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.worker import REPORTS_A_CALL, Worker
from tests.sim.audit import Audit
from tests.sim.evm import PARAMS, SimChain, tx_of
from tests.sim.network import Net
from tests.sim.node import SimNode

if TYPE_CHECKING:
    from tests.sim.world import Scenario, Submission


STRANGER = Address(b"\x57" * 20)


@dataclass(eq=False)
class Played:
    """A run, and what came of it."""

    scenario: Scenario
    chain: SimChain
    net: Net
    chance: Random
    nodes: dict[str, SimNode] = field(default_factory=dict)
    audit: Audit = field(init=False)
    trace: list[str] = field(default_factory=list)
    before: dict[str, Standing] = field(default_factory=dict)
    final: dict[str, Standing] = field(default_factory=dict)
    seconds: float = 0.0  # virtual
    submitted: int = 0  # jobs handed in
    dead: bool = False  # all nodes, for good
    rescued: int = 0  # calls of a stranger, for units that nobody minded any more

    # ── while it runs ────────────────────────────────────────────────────────────────────────────────────

    async def submit(self, submission: Submission) -> None:
        await trio.sleep(submission.at)
        node = self.nodes[submission.name]
        await node.submit(submission.asked.on(node.disk.blobs))
        self.submitted += 1

    async def crash_at_random(self) -> None:
        scenario = self.scenario
        while trio.current_time() < scenario.trouble_until:
            await trio.sleep(self.chance.expovariate(scenario.crash_rate))
            victim = self.chance.choice([n for n in self.nodes.values() if n.name not in scenario.spared])
            victim.crash(self.chance.uniform(0, scenario.crash_down))

    async def end_of_days(self, at: float) -> None:
        """All nodes die and stay dead."""
        await trio.sleep(at)
        self.dead = True
        for node in self.nodes.values():
            node.crash(down=inf)

    async def until_over(self) -> None:
        """Returns once all jobs and units have ended, and no machine waits for anything but a bid's expiry."""
        while waiting := self._waiting():
            if trio.current_time() > self.scenario.limit:
                raise AssertionError(f"after {self.scenario.limit:g} s: " + "; ".join(waiting))
            self.chain.calm = trio.current_time() > self.scenario.trouble_until
            if self._abandoned():
                self._rescue()
            await self.chain.next_block(self.chain.head.hash)
        self.seconds = trio.current_time()

    def _abandoned(self) -> bool:
        return not self._busy() and bool(self._open())

    def _rescue(self) -> None:
        """Invariant 9: a stranger ends what nobody minds any more.

        Only a reorg deeper than CONF brings it to that: it takes back an end that everybody has seen.
        """
        exits: list[ChainAction | None] = [exit_of(view) for view in self.chain.book.all_views()]
        exits += [
            CloseAuction(unit=a.unit, request=a.request, shard=a.shard, draw_commits=a.draw_commits)
            for a in self.chain.opened()
            if not a.lapsed
        ]
        for call in filter(None, exits):
            if not self.chain.forecast(tx := tx_of(STRANGER, call)):
                self.chain.accept(tx)
                self.rescued += 1

    def _waiting(self) -> list[str]:
        return self._open() + self._busy()

    def _open(self) -> list[str]:
        views = self.chain.book.all_views()
        auctions = [a for a in self.chain.opened() if not a.lapsed]
        return [
            *(f"unit {v.unit.hex()[:8]} is {v.phase.name}" for v in views if not closed(v)),
            *(f"auction {a.unit.hex()[:8]} has {a.count} bids" for a in auctions),
        ]

    def _busy(self) -> list[str]:
        """What nodes still mind; nothing once they are dead."""
        if self.dead:
            return []
        clients = len(self.scenario.submissions) - self.submitted
        wait = [f"{clients} clients wait to hand in their job"] if clients else []
        down = [f"{node.name} is down" for node in self.nodes.values() if node.engine is None]
        machines = [
            f"{node.name} has a {type(machine).__name__}"
            for node in self.nodes.values()
            for machine in node.machines(
                JobRun, Collector, Requester, AuctionBidder, Worker, Verifier, Checker, Juror
            )
        ]
        return [*wait, *down, *machines]

    def signed(self, name: str, call: ChainAction) -> None:
        self.audit.signed(self.nodes[name].address, call)

    def record(self, who: str, what: str) -> None:
        self.trace.append(f"{trio.current_time():.6f} {who} {what}")

    def mined(self) -> None:
        block = self.chain.blocks[-1]
        for tx in block.txs:
            self.record(
                "chain", f"{block.head.number} {tx.key.split(':')[0]} {tx.sender.hex()[:8]} {tx.done}"
            )
        self.audit.block()

    def after(self) -> None:
        self.final = {name: self.chain.standing(node.address) for name, node in self.nodes.items()}

    # ── what came of it ──────────────────────────────────────────────────────────────────────────────────

    @property
    def digest(self) -> str:
        """Equal for equal runs."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    @property
    def units(self) -> tuple[UnitView, ...]:
        return self.chain.book.all_views()

    def phases(self, requester: str | None = None) -> list[Phase]:
        """How units ended, of all or of one requester, in the order of their awards."""
        return [view.phase for view in self.units_of(requester)]

    def units_of(self, requester: str | None = None, worker: str | None = None) -> list[UnitView]:
        asked = self.nodes[requester].address if requester else None
        works = self.nodes[worker].address if worker else None
        return [
            view
            for view in self.units
            if asked in (None, view.terms.requester) and works in (None, view.terms.worker)
        ]

    def job(self, name: str, at: int = 0) -> JobRun:
        """A node's job, in the order of submission."""
        return list(self.nodes[name].jobs.values())[at]

    def output(self, name: str, at: int = 0) -> bytes:
        """The job's outputs from its requester's store, in shard order, joined as `concat` does."""
        blobs, outputs = self.nodes[name].disk.blobs, self.job(name, at).outputs
        assert all(outputs), f"{self.job(name, at).failures}"
        return b"".join(blobs[output.result.output_root] for output in outputs if output)

    def gained(self, name: str) -> int:
        """Wei that a node's balance in the contract has grown by."""
        before, after = self.before[name].account, self.final[name].account
        return after.free + after.locked - before.free - before.locked

    def codes(self, name: str) -> list[str]:
        return [note.code for note in self.nodes[name].notes]

    def honest_lost_nothing(self) -> None:
        """No honest node was found at fault, slashed or fined; none is out of pocket but for what it bought."""
        assert not self.rescued or self.chain.reorgs, "the nodes left something to strangers"
        for name, node in self.nodes.items():
            if not node.honest:
                continue
            assert self.final[name].reputation.n == 0, f"{name} was found at fault"
            for view in self.units_of(worker=name):
                assert not view.slashed, f"{name} lost {view.slashed} wei in a unit"
            bought = (v for v in self.units_of(name) if v.phase in (Phase.PAID, Phase.UNRESOLVED))
            spent = sum(
                v.terms.price + protocol_fee(v.terms.price, PARAMS) + v.terms.check_fee for v in bought
            )
            assert self.gained(name) >= -spent, f"{name} lost {-self.gained(name) - spent} wei for nothing"


def exit_of(view: UnitView) -> TimeOut | Settle | CloseRound | CloseReports | None:
    """What anybody may call to move a unit towards its end, in or out of time."""
    held = tuple(report.index for report in view.reports if not report.closed)
    match view.phase:
        case Phase.ASSIGNED | Phase.COMMITTED:
            return TimeOut(unit=view.unit, target=view.on_chain)
        case Phase.REVEALED:
            return Settle(unit=view.unit, target=view.on_chain)
        case Phase.DISPUTED if view.case is None:
            return TimeOut(unit=view.unit, target=view.on_chain)
        case Phase.DISPUTED:
            right = case_outcome(view.case.case, view.case.rounds).right
            return CloseRound(unit=view.unit, target=view.on_chain, case=view.case.case, final_hash=right)
        case phase if phase.terminal and held:
            return CloseReports(unit=view.unit, target=view.on_chain, indexes=held[:REPORTS_A_CALL])
        case _:
            return None
