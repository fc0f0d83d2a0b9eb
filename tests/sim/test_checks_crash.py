"""Spot checks and their trials while nodes are killed at the worst of moments: one salt a check, the same end."""

from __future__ import annotations

import pytest

from blockedge_node.core.unit import Phase
from tests.sim import cheats
from tests.sim.machine import CrashPoint
from tests.sim.test_checks import asking, checker_of, one
from tests.sim.test_jury import JURORS
from tests.sim.world import Scenario


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lies", [False, True])
def test_checks_survive_the_crashes_of_everybody(lies: bool, seed: int) -> None:
    """Invariant 18 is checked at every call that anybody signs: one salt a check, whatever happens."""
    scenario = asking(seed=seed)
    if lies:
        scenario.cheats("bob", cheats.fabricate(kind=2))
    scenario.crash_rate, scenario.crash_down, scenario.trouble_until = 0.4, 1.5, 60.0
    played = scenario.play()
    assert all(unit.phase.terminal for unit in played.units)


def survives(name: str) -> None:
    """Raises AssertionError if a crash of `name` at some commit of its changes what comes of a checked unit."""
    for commit in range(1, asking(seed=1).play().nodes[name].disk.commits + 1):
        point = CrashPoint(commit=commit, written=commit % 2 == 0)
        played, again = one(asking(seed=1).crashes(name, point))
        assert played.nodes[name].lives == 2, f"{point} was never reached"
        assert again.phase is Phase.PAID, point
        assert played.gained("bob") == again.terms.price
        assert again.check is not None, point
        assert again.check.result_hash == again.result_hash, point
        played.honest_lost_nothing()


@pytest.mark.parametrize("victim", ["alice", "bob", "checker"])
def test_a_node_killed_at_any_commit_is_paid_and_checked_all_the_same(victim: str) -> None:
    survives(checker_of(*one(asking(seed=1))) if victim == "checker" else victim)


def guilty(seed: int = 2) -> Scenario:
    return asking(seed=seed).cheats("bob", cheats.fabricate(kind=2)).sets("bob", appeal=False)


@pytest.mark.parametrize("victim", ["alice", "checker", "juror"])
def test_a_node_killed_during_a_trial_convicts_all_the_same(victim: str) -> None:
    """Every other commit of who accuses, of a juror, and of the requester, whose s_R the seats hang on."""
    quiet, unit = one(guilty())
    checker = checker_of(quiet, unit)
    juror = next(name for name in JURORS if "tx.revealVote" in quiet.codes(name))
    name = {"alice": "alice", "checker": checker, "juror": juror}[victim]
    for commit in range(2, quiet.nodes[name].disk.commits + 1, 2):
        point = CrashPoint(commit=commit, written=commit % 4 == 0)
        played, again = one(guilty().crashes(name, point))
        assert played.nodes[name].lives == 2, f"{point} was never reached"
        assert again.phase is Phase.SLASHED, point
        assert played.gained("bob") == -again.terms.deposit
