"""A whole network from one seed: nodes, chain, faults, jobs; played under virtual time until all has ended.

    played = Scenario(seed=7).cheats("dave", Fabricate).asks("alice", at=2, pow_job(shards=2)).play()
    assert played.phases("alice") == [Phase.PAID, Phase.SLASHED]

The same scenario with the same seed gives the same trace, event by event: trio's scheduling, all delays and all
secrets come from the seed. A scenario that hangs ends at its `limit` with what every node still waits for.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Self

import trio
from trio.testing import MockClock

from blockedge_node.chain.book import closed
from blockedge_node.core.events import Job
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.reputation import protocol_fee
from blockedge_node.core.requester import Requester
from blockedge_node.core.unit import Phase, Standing, UnitView
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.worker import Worker
from blockedge_node.performer import Performer
from tests.sim.audit import Audit
from tests.sim.evm import PARAMS, SimChain, Weather
from tests.sim.jobs import Asked
from tests.sim.machine import CrashPoint, Disk
from tests.sim.network import Faults, Net
from tests.sim.node import POLICY, SimNode

CAST = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
BALANCE = 10 * 10**18  # wei in the contract, each
FAST_DISK = Path("/dev/shm")  # where fsync costs nothing; any other directory works too
FIRST_BLOCK = 1.5  # seconds by which every node has seen a head


@dataclass(frozen=True, slots=True)
class Story:
    """What a scenario does to one node."""

    policy: dict[str, Any] = field(default_factory=dict)
    make_performer: Callable[..., Performer] = Performer
    crashes: tuple[CrashPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    name: str
    at: float
    asked: Asked


@dataclass(eq=False)
class Scenario:
    """See the module docstring. Methods say what happens, and return the scenario."""

    seed: int
    nodes: int = 5
    limit: float = 600.0  # virtual seconds
    faults: Faults = Faults()
    weather: Weather = Weather()
    crash_rate: float = 0.0  # crashes a second, of some node, for up to `crash_down` seconds
    crash_down: float = 3.0
    trouble_until: float = 120.0  # random crashes and reorgs end then, so that all can end
    stories: dict[str, Story] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)

    def asks(self, name: str, asked: Asked, *, at: float = 0.0) -> Self:
        self.submissions.append(Submission(name, at, asked))
        return self

    def cheats(self, name: str, make_performer: Callable[..., Performer]) -> Self:
        return self._tell(name, make_performer=make_performer)

    def crashes(self, name: str, *points: CrashPoint) -> Self:
        return self._tell(name, crashes=points)

    def sets(self, name: str, **policy: Any) -> Self:
        return self._tell(name, policy={**self._story(name).policy, **policy})

    def _story(self, name: str) -> Story:
        return self.stories.get(name, Story())

    def _tell(self, name: str, **changes: Any) -> Self:
        self.stories[name] = replace(self._story(name), **changes)
        return self

    def play(self) -> Played:
        """Run to the end. Raises what an invariant, a rule or a node's bug raises, alone."""
        with _seeded(self.seed), tempfile.TemporaryDirectory(dir=_disks()) as directory:
            try:
                return trio.run(
                    self._play, Path(directory), clock=MockClock(autojump_threshold=0), strict_exception_groups=True
                )
            except BaseExceptionGroup as group:
                raise _first(group) from group

    async def _play(self, directory: Path) -> Played:
        async with trio.open_nursery() as nursery:
            played = _set_up(self, directory, nursery)
            nursery.start_soon(played.chain.run)
            for node in played.nodes.values():
                nursery.start_soon(node.run)
            if self.crash_rate:
                nursery.start_soon(played.crash_at_random)
            await trio.sleep(FIRST_BLOCK)
            async with trio.open_nursery() as clients:
                for submission in self.submissions:
                    clients.start_soon(played.submit, submission)
            await played.until_over()
            nursery.cancel_scope.cancel()
        played.after()
        return played


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

    # ── while it runs ────────────────────────────────────────────────────────────────────────────────────

    async def submit(self, submission: Submission) -> None:
        await trio.sleep(submission.at)
        node = self.nodes[submission.name]
        await node.submit(submission.asked.on(node.disk.blobs))

    async def crash_at_random(self) -> None:
        scenario = self.scenario
        while trio.current_time() < scenario.trouble_until:
            await trio.sleep(self.chance.expovariate(scenario.crash_rate))
            victim = self.chance.choice(list(self.nodes.values()))
            victim.crash(self.chance.uniform(0, scenario.crash_down))

    async def until_over(self) -> None:
        """Returns once all jobs and units have ended, and no machine waits for anything but a bid's expiry."""
        while waiting := self._waiting():
            if trio.current_time() > self.scenario.limit:
                raise AssertionError(f"after {self.scenario.limit:g} s: " + "; ".join(waiting))
            self.chain.calm = trio.current_time() > self.scenario.trouble_until
            await self.chain.next_block(self.chain.head.hash)
        self.seconds = trio.current_time()

    def _waiting(self) -> list[str]:
        views = self.chain.book.all_views()
        units = [f"unit {v.unit.hex()[:8]} is {v.phase.name}" for v in views if not closed(v)]
        live = [f"{node.name} is down" for node in self.nodes.values() if node.engine is None]
        for node in self.nodes.values():
            for machine in node.machines(JobRun, Requester, Worker, Verifier):
                live.append(f"{node.name} has a {type(machine).__name__}")
        return units + live

    def record(self, who: str, what: str) -> None:
        self.trace.append(f"{trio.current_time():.6f} {who} {what}")

    def mined(self) -> None:
        block = self.chain.blocks[-1]
        for tx in block.txs:
            self.record("chain", f"{block.head.number} {tx.key.split(':')[0]} {tx.sender.hex()[:8]} {tx.done}")
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
        for name, node in self.nodes.items():
            if not node.honest:
                continue
            assert self.final[name].reputation.n == 0, f"{name} was found at fault"
            for view in self.units_of(worker=name):
                assert not view.slashed, f"{name} lost {view.slashed} wei in a unit"
            bought = (v for v in self.units_of(name) if v.phase in (Phase.PAID, Phase.UNRESOLVED))
            spent = sum(v.terms.price + protocol_fee(v.terms.price, PARAMS) for v in bought)
            assert self.gained(name) >= -spent, f"{name} lost {-self.gained(name) - spent} wei for nothing"


def _set_up(scenario: Scenario, directory: Path, nursery: trio.Nursery) -> Played:
    seed = scenario.seed
    chain = SimChain(Random(f"chain {seed}"), scenario.weather)
    net = Net(scenario.faults, Random(f"network {seed}"), chain.domain, nursery)
    played = Played(scenario, chain, net, Random(f"world {seed}"))
    for name in CAST[: scenario.nodes]:
        story = scenario._story(name)
        node = SimNode(
            name=name,
            disk=Disk(directory / name / "journal.db", story.crashes),
            chain=chain,
            net=net,
            random=Random(f"{name} {seed}"),
            trace=played.record,
            told=lambda call, name=name: played.audit.signed(played.nodes[name].address, call),
            policy=replace(POLICY, **story.policy),
            make_performer=story.make_performer,
        )
        played.nodes[name] = node
        chain.fund(node.address, BALANCE)
        played.before[name] = chain.standing(node.address)
    names = {node.address: name for name, node in played.nodes.items()}
    played.audit = Audit(chain, names, BALANCE * len(names))
    chain.mined = played.mined
    return played


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """trio's scheduler shuffles on purpose: here it does so by the seed."""
    run: Any = trio._core._run  # there is no public way; trio's Hypothesis support does the same
    held = run._ALLOW_DETERMINISTIC_SCHEDULING
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r.seed(seed)
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = held
        run._r.seed()


def _disks() -> Path | None:
    return FAST_DISK if FAST_DISK.is_dir() else None


def _first(error: BaseException) -> BaseException:
    """What really happened, under the nurseries."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
