"""What coalitions gain: the verdict for those without jurors, and the three attacks of docs/economics.md, before and
after their amendments. `blockedge bench gains` does all of it, in minutes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from blockedge_node.experiments.economics.disputes import TRUTH, contest, fought
from blockedge_node.experiments.economics.gains import coalitions, settings
from blockedge_node.experiments.economics.payoffs import (
    BEFORE,
    SHIPPED,
    Claim,
    Rules,
    Stakes,
)
from blockedge_node.experiments.economics.report import Gains, measure
from blockedge_node.experiments.economics.rerolls import rerolled
from blockedge_node.experiments.economics.setting import (
    CHECKER,
    OWN_CHECKER,
    Coalition,
    Member,
    Setting,
)
from blockedge_node.experiments.economics.shams import best_sham
from blockedge_node.wire.params import load_params

CONFIG = Path(__file__).parents[2] / "config"
SHARE = Fraction(3, 10)
FEE = 10**12
TRIO = Coalition(frozenset({Member.WORKER, Member.REQUESTER, Member.JURORS}))


def setting(times: int, rules: Rules) -> Setting:
    stakes = Stakes(price=FEE, deposit=times * FEE, fee=FEE, fee_bps=100, seat=10**18)
    return Setting(stakes=stakes, cost=FEE // 2, share=SHARE, rules=rules)


@pytest.fixture(scope="module", params=["dev", "prod"])
def without_jurors(request: pytest.FixtureRequest) -> Gains:
    params = load_params((CONFIG / f"params.{request.param}.json").read_text())
    among = [coalition for coalition in coalitions() if Member.JURORS not in coalition]
    return measure(params, share=SHARE, among=among, processes=1)


def test_no_coalition_without_jurors_gains_by_harm(without_jurors: Gains) -> None:
    assert len(without_jurors.rows) == 14
    assert without_jurors.violations == ()
    assert without_jurors.verdict.startswith("holds")


def test_a_lone_liar_loses(without_jurors: Gains) -> None:
    row = next(r for r in without_jurors.rows if r.coalition.members == {Member.WORKER})
    assert row.gain < 0
    assert row.saved == 0, "and nothing harmless beats work"


def test_table_is_text_csv_and_data(without_jurors: Gains) -> None:
    assert without_jurors.text().endswith(without_jurors.verdict)
    assert len(without_jurors.csv().splitlines()) == 15
    assert without_jurors.data()["holds"] is True


def test_settings_span_what_award_accepts() -> None:
    params = load_params((CONFIG / "params.prod.json").read_text())
    found = {(s.stakes.deposit // s.stakes.fee, s.stakes.deposit) for s in settings(params, share=SHARE)}
    assert min(times for times, _ in found) == 20
    assert max(deposit for _, deposit in found) == 10 * params.seat


# ── a dispute for show ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("starving", [False, True])
@pytest.mark.parametrize("lied", [False, True])
@pytest.mark.parametrize("times", [20, 1000])
def test_dispute_for_show_paid_at_any_deposit_until_fines_burned(
    times: int, lied: bool, starving: bool
) -> None:
    before = best_sham(TRIO, setting(times, BEFORE), lied=lied, starving=starving)
    assert TRIO.worth(before.utility) > 25 * FEE
    assert before.utility["jurors"] < -100 * FEE
    shipped = best_sham(TRIO, setting(times, SHIPPED), lied=lied, starving=starving)
    assert TRIO.worth(shipped.utility) <= 0


def test_dispute_for_show_needs_tickets() -> None:
    pair = Coalition(frozenset({Member.WORKER, Member.REQUESTER}))
    play = best_sham(pair, setting(20, SHIPPED), lied=True, starving=True)
    assert pair.worth(play.utility) < 0


# ── a silent checker ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("rules", "pays"), [(BEFORE, True), (SHIPPED, False)])
def test_silent_checker_accused_cheaply_until_it_staked_as_much(rules: Rules, pays: bool) -> None:
    pair = Coalition(frozenset({Member.REQUESTER, Member.JURORS}))
    world = setting(3000, rules)
    utility = fought(contest(pair, world, lied=False, check=Claim(OWN_CHECKER, None)))
    honest = -(world.stakes.price + world.stakes.protocol_fee)  # its φ stays in the coalition
    assert (pair.worth(utility) > honest) is pays


# ── bait ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("rules", "pays"), [(BEFORE, True), (SHIPPED, False)])
def test_bait_paid_until_a_contradicted_unit_stayed(rules: Rules, pays: bool) -> None:
    rules = replace(rules, fines_repay=False)
    bait = contest(TRIO, setting(20, rules), lied=True, check=Claim(CHECKER, TRUTH))
    play = rerolled(bait, victim=CHECKER)
    assert (TRIO.worth(play.utility) > 0) is pays, "no unit at all brings 0"
