"""What each lie costs, to the wei, and that it costs nobody else anything (docs/protocol.md §7.1).

Dave lies and asks the lowest price, so he wins; alice asks and does not try again.
"""

from __future__ import annotations

import pytest

from blockedge_node.core.unit import Phase, UnitView
from tests.sim import cheats
from tests.sim.jobs import Asked, pow_job, wasm_job
from tests.sim.played import Played
from tests.sim.world import Scenario

CHEAP = 10**12  # wei of dave's price floor


def play(lie: cheats.MakePerformer, asked: Asked, **alice: object) -> tuple[Played, UnitView]:
    """One unit of alice's that dave wins, and lies about."""
    scenario = Scenario(seed=11).cheats("dave", lie).sets("dave", price_floor=CHEAP)
    played = scenario.sets("alice", attempts=1, **alice).asks("alice", asked).play()
    (unit,) = played.units
    assert unit.terms.worker == played.nodes["dave"].address
    assert unit.terms.deposit == 20 * unit.terms.price
    played.honest_lost_nothing()
    return played, unit


@pytest.mark.parametrize("lie", [cheats.fabricate, cheats.lazy])
def test_a_fabricated_result_is_slashed_50_20_30(lie: type) -> None:
    played, unit = play(lie(kind=1), pow_job())
    deposit = unit.terms.deposit
    assert unit.phase is Phase.SLASHED
    assert unit.slashed == deposit
    assert len(unit.reports) >= 2, "detectors work side by side"
    assert all(report.result_hash and report.verdict == 2 for report in unit.reports)
    names = {node.address: name for name, node in played.nodes.items()}
    first, *others = (names[report.author] for report in unit.reports)
    reward, half = deposit * 20 // 100, deposit // 2
    alice_reports = reward if first == "alice" else 0
    assert played.gained("dave") == -deposit
    assert played.gained("alice") == half + alice_reports
    if first != "alice":
        assert played.gained(first) == reward
    assert all(played.gained(name) == 0 for name in others if name != "alice")
    assert played.chain.burned == deposit - half - reward
    assert played.final["dave"].reputation.n == 1


def test_refusing_after_an_ack_costs_a_tenth_of_the_deposit() -> None:
    played, unit = play(cheats.refuse(), pow_job())
    fine = unit.terms.deposit // 10
    assert unit.phase is Phase.REFUSED
    assert played.gained("dave") == -fine
    assert played.gained("alice") == fine // 2
    assert played.chain.burned == fine - fine // 2
    assert played.final["dave"].reputation.n == 1


def test_withholding_costs_as_much_as_a_conviction() -> None:
    played, unit = play(cheats.withhold(), wasm_job())
    deposit = unit.terms.deposit
    assert unit.phase is Phase.SLASHED
    assert played.gained("dave") == -deposit
    assert played.gained("alice") == deposit // 2
    assert played.chain.burned == deposit - deposit // 2


@pytest.mark.parametrize(("lie", "to_the_worker"), [(cheats.false_report, True), (cheats.half_report, False)])
def test_a_false_report_costs_its_bond(lie: type, to_the_worker: bool) -> None:
    """Revealed, half of it is the accused worker's; never revealed, it burns whole (§6.4)."""
    scenario = Scenario(seed=12).cheats("erin", lie()).sets("erin", worker=False)
    played = scenario.asks("alice", pow_job()).play()
    (unit,) = played.units
    bond = unit.terms.deposit // 20
    fee = unit.terms.price // 100
    worker = next(name for name, node in played.nodes.items() if node.address == unit.terms.worker)
    share = bond // 2 if to_the_worker else 0
    assert unit.phase is Phase.PAID
    assert played.gained("erin") == -bond
    assert played.gained(worker) == unit.terms.price + share
    assert played.gained("alice") == -unit.terms.price - fee
    assert played.chain.burned == fee + bond - share
    played.honest_lost_nothing()


def test_a_kind_2_unit_that_its_requester_contradicts_is_unresolved() -> None:
    """Before there is a Court (§6.4): deposit and bond back, price and fee burned, no word on anybody's name."""
    played, unit = play(cheats.fabricate(kind=2), wasm_job(), verify_own_bps=10_000)
    fee = unit.terms.price // 100
    assert unit.phase is Phase.UNRESOLVED
    assert played.gained("dave") == 0
    assert played.gained("alice") == -unit.terms.price - fee
    assert played.chain.burned == unit.terms.price + fee
    assert all(standing.reputation.m == 0 for standing in played.final.values())


def test_a_cheat_loses_the_next_request_to_another_node() -> None:
    """The slashed shard is tried again: dave's score has fallen, and somebody else does the work."""
    scenario = Scenario(seed=13).cheats("dave", cheats.fabricate()).sets("dave", price_floor=5 * 10**12)
    asked = pow_job(w_price=1000, w_delay=1000, w_rep=8000)
    played = scenario.asks("alice", asked).play()
    assert played.phases() == [Phase.SLASHED, Phase.PAID]
    assert played.units[0].terms.worker == played.nodes["dave"].address
    assert played.output("alice") == asked.right[0]
    played.honest_lost_nothing()
