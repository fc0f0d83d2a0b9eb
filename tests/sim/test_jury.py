"""Juries of real ticket owners on the real Court: the guilty, the innocent, and what jurors go through (§6.5).

Bob alone works for Alice; Erin reports what she finds wrong, or lies; Dave, Frank, Grace and Heidi own the tickets.
"""

from __future__ import annotations

from typing import Any

import pytest

from blockedge_node.core.court import NO_INPUT
from blockedge_node.core.unit import Phase, UnitView
from tests.sim import cheats
from tests.sim.jobs import wasm_job
from tests.sim.node import address_called
from tests.sim.played import Played
from tests.sim.world import CAST, Scenario

JURORS = ("carol", "dave", "frank", "grace", "heidi")


def trial(seed: int, **changes: Any) -> Scenario:
    """A unit of Bob's, which Erin recomputes; the jurors own four tickets each."""
    scenario = Scenario(seed=seed, nodes=8, **changes)
    for name in CAST:
        scenario.sets(name, min_ticket_owners=3, worker=name == "bob")
    for name in JURORS:
        scenario.stakes(name, 4)
    scenario.sets("alice", attempts=1).sets("erin", verify_bps_court=10_000)
    return scenario.asks("alice", wasm_job(), at=12)


def ruled(scenario: Scenario) -> tuple[Played, UnitView]:
    played = scenario.play()
    (unit,) = played.units
    assert unit.terms.worker == address_called("bob")
    assert unit.case is not None, "it came to a jury"
    return played, unit


def guilty(seed: int, **changes: Any) -> Scenario:
    return trial(seed, **changes).cheats("bob", cheats.fabricate(kind=2))


def innocent(seed: int, **changes: Any) -> Scenario:
    return trial(seed, **changes).cheats("erin", cheats.false_report(kind=2)).sets("erin", appeal=False)


def stakes(played: Played, name: str) -> int:
    """What a node's tickets have won or lost, in wei."""
    mine = (t for t in played.chain.tickets.tickets if t.owner == address_called(name))
    return sum(ticket.stake - played.chain.params.seat for ticket in mine)


def test_a_jury_convicts_who_made_the_result_up() -> None:
    played, unit = ruled(guilty(seed=1).sets("bob", appeal=False))
    deposit = unit.terms.deposit
    assert unit.phase is Phase.SLASHED
    assert unit.slashed == deposit
    assert played.gained("bob") == -deposit
    assert played.gained("erin") > 0, "the detector's 20 %, and its bond back"
    seated = [name for name in JURORS if "jury.seated" in played.codes(name)]
    assert seated
    assert all(stakes(played, name) > 0 for name in seated), "each right vote earns φ"
    assert played.final["bob"].reputation.n == 1


def test_a_jury_acquits_who_was_right() -> None:
    played, unit = ruled(innocent(seed=1))
    assert unit.phase is Phase.PAID
    assert unit.final_hash == unit.result_hash
    assert played.gained("bob") >= unit.terms.price
    assert played.gained("erin") < 0
    assert all(stakes(played, name) >= 0 for name in JURORS)
    assert played.final["bob"].reputation.n == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lies", [guilty, innocent])
def test_with_a_fifth_of_the_tickets_lying_both_end_right(lies: Any, seed: int) -> None:
    """f = 0.2; whoever was right appeals by itself where a round errs."""
    played, unit = ruled(lies(seed).cheats("dave", cheats.false_juror(kind=2)))
    assert unit.phase is (Phase.SLASHED if lies is guilty else Phase.PAID)
    honest = [name for name in JURORS if name != "dave" and "tx.revealVote" in played.codes(name)]
    assert all(stakes(played, name) > 0 for name in honest)
    assert stakes(played, "dave") <= 0


@pytest.mark.parametrize("seed", range(3))
def test_jurors_that_crash_vote_once_and_as_they_had_decided(seed: int) -> None:
    """Invariant 18 is checked at every call that anybody signs, in all of their lives."""
    scenario = innocent(seed)
    scenario.crash_rate, scenario.crash_down, scenario.trouble_until = 0.5, 2.0, 75.0
    played = scenario.play()
    (unit,) = played.units
    assert unit.phase.terminal
    assert len(played.audit.votes) >= (3 if unit.case else 0)


def test_where_nobody_serves_the_input_the_worker_is_paid_without_points() -> None:
    """Alice and Bob, who alone have it, are away when the jury sits; Carol defends in Bob's place."""
    scenario = innocent(seed=1)
    scenario.sets("carol", clients=frozenset({address_called("bob")}))
    scenario.sets("bob", towers=(address_called("carol"),)).leaves("bob", "watch.kept", down=150)
    scenario.leaves("alice", "job.done", down=150)
    played, unit = ruled(scenario)
    assert unit.phase is Phase.PAID
    assert unit.final_hash == NO_INPUT
    assert played.gained("bob") == unit.terms.price
    assert played.final["bob"].reputation.score <= played.before["bob"].reputation.score + 200_000
    assert "vote.no_input" in [code for name in JURORS for code in played.codes(name)]
