"""A whole network from one seed: nodes, chain, faults, jobs; played under virtual time until all has ended.

    played = Scenario(seed=7).cheats("dave", Fabricate).asks("alice", at=2, pow_job(shards=2)).play()
    assert played.phases("alice") == [Phase.PAID, Phase.SLASHED]

The same scenario with the same seed gives the same trace, event by event: trio's scheduling, all delays and all
secrets come from the seed. A scenario that hangs ends at its `limit` with what every node still waits for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

import trio
from trio.testing import MockClock

from blockedge_node.performer import Performer
from tests.sim.audit import Audit
from tests.sim.evm import SimChain, Weather
from tests.sim.jobs import Asked
from tests.sim.machine import CrashPoint, Disk
from tests.sim.network import Faults, Net
from tests.sim.node import POLICY, Leave, SimNode
from tests.sim.played import Played

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
    balance: int = BALANCE
    tickets: int = 0
    leaves: Leave | None = None


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
    limit: float = 1000.0  # virtual seconds; a job that nobody bids for takes three times 200
    faults: Faults = Faults()
    weather: Weather = Weather()
    crash_rate: float = 0.0  # crashes a second, of some node, for up to `crash_down` seconds
    crash_down: float = 3.0
    spared: tuple[str, ...] = ()  # who never crashes at random
    all_die_at: float | None = None
    court: bool = False
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

    def gives(self, name: str, balance: int) -> Self:
        """What `name` has in the contract to begin with, in wei."""
        return self._tell(name, balance=balance)

    def stakes(self, name: str, tickets: int) -> Self:
        """How many of the Court's tickets `name` owns from the beginning; there is a Court then."""
        self.court = True
        return self._tell(name, tickets=tickets)

    def leaves(self, name: str, code: str, *, down: float, times: int = 1) -> Self:
        """`name` goes offline once its story has had `times` notes `code`, and is back `down` seconds later."""
        return self._tell(name, leaves=Leave(code, down, times))

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
                    self._play,
                    Path(directory),
                    clock=MockClock(autojump_threshold=0),
                    strict_exception_groups=True,
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
            if self.all_die_at is not None:
                nursery.start_soon(played.end_of_days, self.all_die_at)
            await trio.sleep(FIRST_BLOCK)
            for submission in self.submissions:
                nursery.start_soon(played.submit, submission)
            await played.until_over()
            nursery.cancel_scope.cancel()
        played.after()
        return played


def _set_up(scenario: Scenario, directory: Path, nursery: trio.Nursery) -> Played:
    seed = scenario.seed
    chain = SimChain(Random(f"chain {seed}"), scenario.weather, court=scenario.court)
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
            told=partial(played.signed, name),
            policy=replace(POLICY, **story.policy),
            make_performer=story.make_performer,
            leaves=story.leaves,
        )
        played.nodes[name] = node
        chain.fund(node.address, story.balance)
        chain.stake(node.address, story.tickets)
        played.before[name] = chain.standing(node.address)
    names = {node.address: name for name, node in played.nodes.items()}
    played.audit = Audit(chain, names, chain.held)
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
