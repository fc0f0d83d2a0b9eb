"""The crash test: a node is killed at every commit of its journal, a moment before or after it is on disk.

A crash is a restart (engine.py): whatever the moment, every unit ends, no honest node is found at fault or loses
a deposit, and no award or report ever has a second salt, the last two audited in every run (audit.py). Each role
is killed where it matters: in a unit that is paid, and in one that is slashed.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from blockedge_node.core.jobs import JobState
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import Phase
from tests.sim import cheats
from tests.sim.jobs import pow_job, wasm_job
from tests.sim.machine import CrashPoint
from tests.sim.played import Played
from tests.sim.world import Scenario

Play = Callable[[int], Scenario]
AT_ONCE, SOON = 0.0, 3.0  # seconds until the restart; dev windows forgive about 5


def honest(seed: int) -> Scenario:
    """alice asks, bob works, carol checks one unit and works on nothing."""
    scenario = Scenario(seed=seed, nodes=3).sets("carol", worker=False)
    return scenario.asks("alice", pow_job())


def with_program(seed: int) -> Scenario:
    """Kind 2, two shards, both bob's: several facts share a commit."""
    return Scenario(seed=seed, nodes=2).asks("alice", wasm_job(shards=2))


def with_a_cheat(seed: int) -> Scenario:
    """bob fabricates; carol and alice find out and report; the job is not tried again."""
    scenario = Scenario(seed=seed, nodes=3).cheats("bob", cheats.fabricate())
    return scenario.sets("carol", worker=False).sets("alice", attempts=1).asks("alice", pow_job())


def long_task(seed: int) -> Scenario:
    """bob registers the Award first, then works."""
    scenario = Scenario(seed=seed, nodes=2).sets("bob", delay_floor=61)
    return scenario.asks("alice", pow_job(max_delay=100, lifetime=200))


def announced(seed: int) -> Scenario:
    """The contract finds the winner: alice announces, bob bids and closes, carol checks."""
    scenario = Scenario(seed=seed, nodes=3).sets("carol", worker=False)
    return scenario.asks("alice", pow_job(mode=Mode.ONCHAIN))


def check(played: Played) -> None:
    assert all(phase.terminal for phase in played.phases())
    played.honest_lost_nothing()


@pytest.mark.parametrize("down", [AT_ONCE, SOON])
@pytest.mark.parametrize(
    ("scenario", "victim", "ends"),
    [
        (honest, "alice", Phase.PAID),
        (honest, "bob", Phase.PAID),
        (honest, "carol", Phase.PAID),
        (with_program, "alice", Phase.PAID),
        (with_program, "bob", Phase.PAID),
        (long_task, "bob", Phase.PAID),
        (announced, "alice", Phase.PAID),
        (announced, "bob", Phase.PAID),
        (with_a_cheat, "alice", Phase.SLASHED),
        (with_a_cheat, "carol", Phase.SLASHED),
    ],
)
def test_a_node_killed_at_any_commit_loses_nothing(
    scenario: Play, victim: str, ends: Phase, down: float
) -> None:
    dry: Played = scenario(21).play()
    check(dry)
    assert set(dry.phases()) == {ends}
    points = [
        CrashPoint(commit, written, down)
        for commit in range(1, dry.nodes[victim].disk.commits + 1)
        for written in (False, True)
    ]
    for point in points:
        played = scenario(21).crashes(victim, point).play()
        assert played.nodes[victim].lives == 2, f"{point} was never reached"
        check(played)
        assert set(played.phases()) <= {ends}, f"{point}: {played.phases()}"
        if ends is Phase.PAID:
            assert played.job("alice").state is JobState.SETTLED, f"{point}: {played.job('alice').failures}"
    print(f"{scenario.__name__}: {victim} killed at {len(points)} points, back after {down:g} s")


@pytest.mark.parametrize("seed", range(8))
def test_everybody_crashes_twice(seed: int) -> None:
    """Pairs of crashes in one run, of all three nodes: the second may hit what the first has left behind."""
    dice = Random(f"twice {seed}")
    scenario = dice.choice([honest, with_a_cheat])(seed)
    dry = scenario.play()
    for name, node in dry.nodes.items():
        commits = dice.sample(range(1, node.disk.commits + 3), k=2)
        scenario.crashes(name, *(CrashPoint(c, dice.random() < 0.5, dice.uniform(0, 1)) for c in commits))
    played = scenario.play()
    assert sum(node.lives for node in played.nodes.values()) > len(played.nodes)
    check(played)
