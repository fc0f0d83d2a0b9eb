"""Spot checks on the real contracts: the drawn and the undrawn, and whoever falls silent (§6.2–6.4, §10).

Bob alone works for Alice; Carol, Dave, Frank, Grace and Heidi own the tickets. Money is checked to the wei where
no jury sits, and by the audit of every block where one does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from blockedge_node.core.actions import (
    Action,
    Defend,
    Draw,
    PublishSecret,
    Reveal,
    RevealReport,
    Settle,
    ShowJury,
)
from blockedge_node.core.ids import ZERO_ADDRESS
from blockedge_node.core.jury import ALPHA
from blockedge_node.core.unit import CHECK_MISSED, SECRET_SHOWN, Phase, UnitView
from blockedge_node.devnet import lies
from tests.sim import cheats
from tests.sim.jobs import wasm_job
from tests.sim.node import address_called
from tests.sim.played import Played
from tests.sim.silence import Hoard, mute
from tests.sim.test_jury import JURORS, stakes
from tests.sim.world import CAST, Scenario

MOST_FINE = 20  # of SEAT: a missed check costs min(φ, SEAT/20)


def asking(seed: int, *, spot_bps: int = 10_000, **job: Any) -> Scenario:
    scenario = Scenario(seed=seed, nodes=8)
    for name in CAST:
        scenario.sets(name, min_ticket_owners=3, worker=name == "bob")
    for name in JURORS:
        scenario.stakes(name, 4)
    scenario.sets("alice", attempts=1, spot_bps=spot_bps)
    return scenario.asks("alice", wasm_job(**job), at=12)


def one(scenario: Scenario) -> tuple[Played, UnitView]:
    played = scenario.play()
    (unit,) = played.units
    assert unit.terms.worker == address_called("bob")
    return played, unit


def checker_of(played: Played, unit: UnitView) -> str:
    assert unit.check is not None
    return next(name for name, node in played.nodes.items() if node.address == unit.check.author)


def fee_of(unit: UnitView) -> int:
    return unit.terms.price // 100


# ── drawn or not ─────────────────────────────────────────────────────────────────────────────────────────


def test_undrawn_units_cost_their_price_and_fee() -> None:
    played = asking(seed=3, spot_bps=1_000, shards=4).play()
    assert played.phases() == [Phase.PAID] * 4
    undrawn = [unit for unit in played.units if unit.draw is None]
    assert len(undrawn) >= 2
    assert all(unit.flags & SECRET_SHOWN for unit in played.units)
    drawn = [unit for unit in played.units if unit.draw]
    paid = sum(unit.terms.price + fee_of(unit) for unit in played.units)
    assert played.gained("alice") == -paid - sum(unit.terms.check_fee for unit in drawn)
    assert played.gained("bob") == sum(unit.terms.price for unit in played.units)
    played.honest_lost_nothing()


def test_a_checker_that_agrees_earns_its_fee() -> None:
    played, unit = one(asking(seed=1))
    phi = unit.terms.check_fee
    assert unit.phase is Phase.PAID
    assert unit.check is not None
    assert unit.check.result_hash == unit.result_hash
    checker = checker_of(played, unit)
    assert checker in JURORS
    assert played.gained(checker) == phi
    assert played.gained("alice") == -unit.terms.price - fee_of(unit) - phi
    assert "check.paid" in played.codes(checker)
    assert all(stakes(played, name) == 0 for name in JURORS)


def test_a_wrong_worker_is_caught_by_its_drawn_checker() -> None:
    played, unit = one(asking(seed=2).cheats("bob", cheats.fabricate(kind=2)).sets("bob", appeal=False))
    assert unit.phase is Phase.SLASHED
    assert unit.check is not None
    assert unit.final_hash == unit.check.result_hash
    assert played.gained("bob") == -unit.terms.deposit
    checker = checker_of(played, unit)
    assert played.gained(checker) + stakes(played, checker) > unit.terms.deposit // 10
    assert played.gained("alice") > 0
    assert played.final["bob"].reputation.n == 1


def test_a_checker_that_lies_pays_the_jury_and_half_of_x_to_the_worker() -> None:
    scenario = asking(seed=1)
    for name in JURORS:
        scenario.cheats(name, cheats.false_checker(kind=2)).sets(name, appeal=False)
    played, unit = one(scenario)
    assert unit.phase is Phase.PAID
    assert unit.final_hash == unit.result_hash
    x = max(unit.terms.deposit // 20, unit.terms.check_fee)
    assert played.gained("bob") == unit.terms.price + x // 2
    assert stakes(played, checker_of(played, unit)) < 0
    assert played.final["bob"].reputation.n == 0


# ── silence ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_silent_checker_pays_for_a_jury_that_acquits() -> None:
    scenario = asking(seed=1)
    for name in JURORS:
        scenario.cheats(name, mute(RevealReport))
    played, unit = one(scenario)
    assert unit.phase is Phase.PAID
    assert unit.case is not None
    assert unit.case.case.accuser == ZERO_ADDRESS
    x = max(unit.terms.deposit // 20, unit.terms.check_fee)
    assert stakes(played, checker_of(played, unit)) <= -ALPHA * unit.terms.check_fee - x
    assert played.gained("bob") == unit.terms.price + x // 2, "falsely accused, by silence"


def test_a_missed_check_is_fined() -> None:
    scenario = asking(seed=1)
    for name in JURORS:
        scenario.sets(name, juror=False)
    played, unit = one(scenario)
    phi = unit.terms.check_fee
    assert unit.phase is Phase.PAID
    assert unit.flags & CHECK_MISSED
    assert unit.check_fined
    fine = min(phi, played.chain.params.seat // MOST_FINE)
    assert sum(stakes(played, name) for name in JURORS) == -fine
    assert played.chain.burned == fee_of(unit) + phi + fine, "starving a checker costs the requester as much"


def test_a_drawn_worker_that_never_reveals_is_slashed_and_its_checker_paid() -> None:
    played, unit = one(asking(seed=1).cheats("bob", mute(Reveal)))
    deposit, phi = unit.terms.deposit, unit.terms.check_fee
    assert unit.phase is Phase.SLASHED
    assert played.gained("bob") == -deposit
    assert played.gained(checker_of(played, unit)) == phi
    assert played.gained("alice") == deposit // 2 - phi


def test_a_hidden_secret_burns_the_check_fee_and_earns_nobody_a_name() -> None:
    dear = 8 * 10**14  # wei: of less, the points of one unit are too few to be seen
    hidden = asking(seed=1).sets("bob", price_floor=dear).cheats("alice", mute(PublishSecret, Draw, Settle))
    played, unit = one(hidden)
    assert unit.phase is Phase.PAID
    assert not unit.flags & SECRET_SHOWN
    assert played.gained("bob") == unit.terms.price
    assert played.chain.burned == fee_of(unit) + unit.terms.check_fee
    told, _ = one(asking(seed=1).sets("bob", price_floor=dear))
    assert played.final["bob"].reputation.score < told.final["bob"].reputation.score


def test_a_requester_that_only_does_not_mark_is_marked_by_the_worker() -> None:
    _, unit = one(asking(seed=1).cheats("alice", mute(Draw)))
    assert unit.phase is Phase.PAID
    assert unit.draw is not None
    assert unit.check is not None


def test_a_withheld_jury_secret_counts_as_none() -> None:
    scenario = asking(seed=2).cheats("bob", cheats.fabricate(kind=2)).sets("bob", appeal=False)
    _, unit = one(scenario.cheats("alice", mute(ShowJury)))
    assert unit.phase is Phase.SLASHED
    assert unit.jury_secret is None
    assert unit.defended is not None


class Undefended(lies.Fabricate):
    """Makes its result up, and does not come to its trial."""

    def lie(self, action: Action) -> lies.Lie | None:
        return self.do_nothing if isinstance(action, Defend) else super().lie(action)


def test_who_does_not_defend_is_convicted_by_default() -> None:
    played, unit = one(asking(seed=2).cheats("bob", cheats.part(Undefended)()))
    assert unit.phase is Phase.SLASHED
    assert unit.case is None
    assert played.gained("bob") == -unit.terms.deposit
    assert played.gained(checker_of(played, unit)) == unit.terms.deposit * 20 // 100


def test_absent_jurors_convict_nobody() -> None:
    scenario = (
        asking(seed=1, spot_bps=1_000).cheats("bob", cheats.fabricate(kind=2)).sets("bob", appeal=False)
    )
    scenario.sets("erin", verify_bps_court=10_000)
    for name in JURORS:
        scenario.sets(name, juror=False)
    played, unit = one(scenario)
    assert unit.phase is Phase.UNRESOLVED
    assert played.gained("bob") == 0
    assert played.gained("alice") == 0
    assert played.final["bob"].reputation.m == 0


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_withheld_output_is_demanded_and_its_worker_fined() -> None:
    played, unit = one(asking(seed=4, spot_bps=1_000, times=300).cheats("bob", partial(Hoard, answers=False)))
    assert unit.phase is Phase.REFUSED
    assert len(unit.demands) == 1
    fine = unit.terms.deposit // 10
    assert played.gained("bob") == -fine
    assert played.gained("alice") == fine // 2


def test_a_demand_that_is_answered_pays_for_the_answer() -> None:
    played, unit = one(asking(seed=4, spot_bps=1_000, times=300).cheats("bob", partial(Hoard, answers=True)))
    assert unit.phase is Phase.PAID
    assert unit.demands
    assert all(demand.supplied for demand in unit.demands)
    assert played.output("alice") == wasm_job(times=300).right[0], "once it is served, it arrives"
