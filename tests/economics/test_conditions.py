"""The incentive conditions of docs/protocol.md §7.3, over both shipped parameter files, and Fig. 6's thresholds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from blockedge_node.core.params import Params
from blockedge_node.core.selection import DEPOSIT_TIMES
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.experiments.economics.conditions import (
    caught,
    checks_beat_guesses,
    cost_of_cheating,
    jurors_recompute,
    threshold,
    threshold_paid_at_award,
    tolerable_error,
    unpaid,
)
from blockedge_node.experiments.economics.disputes import TRUTH, contest, fought
from blockedge_node.experiments.economics.juries import convicted, wrong
from blockedge_node.experiments.economics.payoffs import (
    ACCUSED,
    BURNED,
    Claim,
    Ending,
    Round,
    Seats,
    Stakes,
    Story,
    moves,
)
from blockedge_node.experiments.economics.setting import Coalition, Member, Setting
from blockedge_node.wire.params import load_params

CONFIG = Path(__file__).parents[2] / "config"
TENTHS = [Fraction(n, 10) for n in range(1, 4)]
PARTIES = frozenset({Member.REQUESTER, Member.DETECTOR, Member.JURORS})


@pytest.fixture(params=["dev", "prod"])
def params(request: pytest.FixtureRequest) -> Params:
    return load_params((CONFIG / f"params.{request.param}.json").read_text())


def stakes_of(params: Params, *, price: Fraction = Fraction(1), times: int = DEPOSIT_TIMES) -> Stakes:
    """φ as large as the deposit allows; `price` in φ, the deposit `times` φ."""
    fee = min(params.seat // 10, 10 * params.seat // times)
    return Stakes(
        price=int(price * fee), deposit=times * fee, fee=fee, fee_bps=params.fee_bps, seat=params.seat
    )


# ── 1: cheating loses ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("share", [Fraction(0), *TENTHS])
@pytest.mark.parametrize("price", [Fraction(1, 2), Fraction(1), Fraction(20)])
def test_cheating_loses(params: Params, share: Fraction, price: Fraction) -> None:
    stakes = stakes_of(params, price=price, times=int(DEPOSIT_TIMES * max(price, 1)))
    rate = Fraction(params.spot_bps_min, 10_000)
    q = caught(rate, share, absent=Fraction(1, 10))
    assert cost_of_cheating(q, Fraction(stakes.price), Fraction(stakes.deposit)) > Fraction(stakes.fee, 2)


def test_cheating_loses_by_the_documented_figures(params: Params) -> None:
    rate, absent = Fraction(params.spot_bps_min, 10_000), Fraction(1, 10)
    assert float(caught(rate, Fraction(1, 5), absent)) == pytest.approx(0.079, abs=5e-4)
    losses = [
        cost_of_cheating(caught(rate, share, absent), Fraction(1), Fraction(20))
        for share in (Fraction(1, 5), Fraction(3, 10))
    ]
    assert [float(loss) for loss in losses] == pytest.approx([1.34, 1.07], abs=5e-3)


# ── 2, 3: checkers and jurors run the program ────────────────────────────────────────────────────────────


def test_checking_beats_guessing(params: Params) -> None:
    fee = Fraction(stakes_of(params).fee)
    assert checks_beat_guesses(fee, fee / 2, guess=Fraction(95, 100))
    assert not checks_beat_guesses(fee, fee / 2, guess=Fraction(96, 100))


def test_jurors_recompute_unless_a_guess_is_nearly_sure(params: Params) -> None:
    fee = Fraction(stakes_of(params).fee)
    assert jurors_recompute(fee, fee / 2, guess=Fraction(95, 100))
    assert not jurors_recompute(fee, fee / 2, guess=Fraction(96, 100))


def test_jurors_join_a_jury_that_is_right_in_the_end(params: Params) -> None:
    fee = Fraction(stakes_of(params).fee)
    assert float(tolerable_error(fee, fee / 2)) == pytest.approx(0.0455, abs=1e-4)
    assert all(wrong(2, share) < tolerable_error(fee, fee / 2) for share in TENTHS)


@pytest.mark.parametrize(
    ("tenths", "percents"),
    [(1, (0.86, 0.030, 0.0000)), (2, (5.8, 1.2, 0.06)), (3, (16.3, 7.8, 2.1)), (4, (31.7, 24.7, 16.4))],
)
def test_juries_err_as_documented(tenths: int, percents: tuple[float, ...]) -> None:
    found = [float(100 * wrong(number, Fraction(tenths, 10))) for number in range(3)]
    assert found == pytest.approx(percents, abs=0.05)


def test_offline_jurors_convict_nobody() -> None:
    assert wrong(2, Fraction(3, 10), absent=Fraction(1, 2)) == wrong(
        2, Fraction(3, 10)
    )  # > K/2 of all seats, not of those that vote
    assert convicted(2, Fraction(3, 10), absent=Fraction(1, 2)) < convicted(2, Fraction(3, 10))


# ── 4, 5: false and self-made accusations ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("times", [20, 100])
@pytest.mark.parametrize("share", TENTHS)
def test_false_accusation_loses_if_the_worker_appeals(params: Params, times: int, share: Fraction) -> None:
    assert _accused_falsely(params, times, share, appeals=True) < 0


def test_false_accusation_pays_against_a_worker_that_never_appeals(params: Params) -> None:
    """Why a worker's daemon, or its watchtower, appeals by itself."""
    assert _accused_falsely(params, 100, Fraction(3, 10), appeals=False) > 0


def _accused_falsely(params: Params, times: int, share: Fraction, *, appeals: bool) -> Fraction:
    """What requester, detector and jurors gain, in φ, over paying an honest worker."""
    stakes = stakes_of(params, times=times)
    setting = Setting(stakes=stakes, cost=stakes.fee // 2, share=share, appeals=appeals)
    coalition = Coalition(PARTIES)
    utility = fought(contest(coalition, setting, lied=False, reports=(Claim("accomplice", "forged"),)))
    honest = -(stakes.price + stakes.protocol_fee)
    return Fraction(coalition.worth(utility) - honest) / stakes.fee


def test_accusing_oneself_loses_a_third(params: Params) -> None:
    """Worker, requester and detector in one hand: 0.3·(D − fees) burn, and the jurors' fees are gone."""
    stakes = stakes_of(params)
    jury = Round((Seats("jurors", TRUTH, 5),))
    story = Story(stakes=stakes, ending=Ending.RULED, reports=(Claim("detector", TRUTH),), rounds=(jury,))
    moved = moves(story)
    lost = -sum(moved[who] for who in ("worker", "requester", "detector"))
    assert lost == 5 * stakes.fee + (stakes.deposit - 5 * stakes.fee) * 3 // 10
    assert Fraction(lost) / stakes.price == Fraction(95, 10)


# ── 6, 7 ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("appeals", "convicted", "lacking", "times"),
    [(1, False, "9.1", 182), (2, False, "28.4", 568), (1, True, "14.1", 20), (2, True, "33.4", 34)],
)
def test_right_appellant_is_whole_from_a_deposit_on(
    params: Params, appeals: int, convicted: bool, lacking: str, times: int
) -> None:
    """What the pots lack, X or D holds; below, the appellant is short of it."""
    assert unpaid(appeals, convicted=convicted) == Fraction(lacking)
    truth, lie = (TRUTH, ACCUSED) if convicted else (ACCUSED, "forged")
    rounds = [
        Round(
            (Seats("liars", lie, size // 2 + 1), Seats("jurors", truth, size // 2)), "appellant" if n else ""
        )
        for n, size in enumerate(ROUNDS[:appeals])
    ]
    rounds.append(Round((Seats("jurors", truth, ROUNDS[appeals]),), "appellant"))
    for deposit in {times, max(times - 1, DEPOSIT_TIMES)}:
        stakes = stakes_of(params, times=deposit)
        accuser = Claim("detector", TRUTH if convicted else "forged")
        story = Story(stakes=stakes, ending=Ending.RULED, reports=(accuser,), rounds=tuple(rounds))
        premium = sum(ROUNDS[1 : appeals + 1]) * stakes.fee // 10
        whole = moves(story)["appellant"] >= premium - 3  # every due and X are floored
        assert whole is (deposit == times)


def test_lying_and_withholding_cost_the_same_and_refusing_less(params: Params) -> None:
    stakes = stakes_of(params)
    story = Story(stakes=stakes, ending=Ending.WITHHELD)
    jury = Round((Seats("jurors", TRUTH, 5),))
    convicted_ = replace(story, ending=Ending.RULED, reports=(Claim("detector", TRUTH),), rounds=(jury,))
    defaulted = replace(story, ending=Ending.DEFAULT, reports=(Claim("detector", TRUTH),))
    withheld, wrong_, silent = (moves(s)["worker"] for s in (story, convicted_, defaulted))
    assert withheld == wrong_ == silent == -stakes.deposit
    refused = [
        moves(replace(story, ending=Ending.REFUSED, trusted=trusted))["worker"] for trusted in (False, True)
    ]
    assert refused == [-stakes.deposit // 10, -stakes.deposit // 20]
    unacknowledged = moves(replace(story, ending=Ending.UNACKNOWLEDGED))
    assert unacknowledged["worker"] == -min(stakes.deposit // 100, stakes.price)
    assert "requester" not in unacknowledged, "a fake award earns nothing"
    assert unacknowledged[BURNED] > 0


# ── Fig. 6 ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("deposit", "here", "paper"), [(1000, 0.00990, 0.01), (2000, 0.00498, 0.005), (3000, 0.00332, 0.00333)]
)
def test_abnormality_thresholds(deposit: int, here: float, paper: float) -> None:
    assert float(threshold(Fraction(10), Fraction(deposit))) == pytest.approx(here, abs=5e-6)
    assert float(threshold_paid_at_award(Fraction(10), Fraction(deposit))) == pytest.approx(paper, abs=5e-6)
    assert float(threshold(Fraction(10), Fraction(1000), q=Fraction(8, 100))) == pytest.approx(
        0.124, abs=5e-4
    )


def test_a_balance_stays_level_at_the_threshold() -> None:
    """One conviction among N = 101 tasks of 10 at a deposit of 1000."""
    wei = 10**18
    stakes = Stakes(price=10 * wei, deposit=1000 * wei, fee=wei, fee_bps=0, seat=100 * wei)
    paid = moves(Story(stakes=stakes, ending=Ending.SETTLED))["worker"]
    slashed = moves(Story(stakes=stakes, ending=Ending.DEFAULT, reports=(Claim("detector", TRUTH),)))[
        "worker"
    ]
    assert 100 * paid + slashed == 0
    assert threshold(Fraction(10), Fraction(1000)) == Fraction(1, 101)
