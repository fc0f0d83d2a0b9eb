"""Which bids count, and that everybody agrees which one wins (docs/protocol.md §5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import selection
from blockedge_node.core.ids import Address, Root, TaskId
from blockedge_node.core.selection import Reason, flaw, why_ineligible
from blockedge_node.core.task import Bid, Mode, Request
from tests.core.builders import DEV

SEAT = 10**16
REQUEST = Request(
    requester=Address(b"\x01" * 20),
    nonce=1,
    kind=1,
    shards=2,
    input_root=Root(b"\x02" * 32),
    fuel=10**9,
    max_price=10**15,
    min_deposit=3 * 10**15,
    max_delay=60,
    rep_min=100_000,
    rep_max=900_000,
    w_price=5_000,
    w_delay=2_500,
    w_rep=2_500,
    expiry=1_000,
)
BID = Bid(
    task=TaskId(b"\x03" * 32),
    shard=0,
    worker=Address(b"\x04" * 20),
    price=2 * 10**14,
    deposit=4 * 10**15,
    delay=30,
    rep=140_000,
    expiry=500,
)
COURT = replace(REQUEST, kind=2)


def test_honest_bid_is_eligible() -> None:
    assert why_ineligible(REQUEST, BID, DEV, at=500) is None
    assert why_ineligible(COURT, BID, DEV, at=500) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shard": 2}, Reason.WRONG_SHARD),
        ({"worker": REQUEST.requester}, Reason.OWN_REQUEST),
        ({"price": 0}, Reason.NO_PRICE),
        ({"price": 10**15 + 1, "deposit": 10**17}, Reason.PRICE),
        ({"delay": 0}, Reason.NO_DELAY),
        ({"delay": 61}, Reason.DELAY),
        ({"deposit": 4 * 10**15 - 1}, Reason.DEPOSIT),  # 20·I
        ({"price": 10**14, "deposit": 3 * 10**15 - 1}, Reason.DEPOSIT),  # minDeposit
        ({"rep": 99_999}, Reason.REPUTATION_LOW),
        ({"rep": 900_001}, Reason.REPUTATION_HIGH),
        ({"expiry": 499}, Reason.EXPIRED),
    ],
)
def test_broken_rule_has_its_name(changes: dict[str, Any], reason: Reason) -> None:
    assert why_ineligible(REQUEST, replace(BID, **changes), DEV, at=500) is reason


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 10**15, "deposit": 2 * 10**16},
        {"delay": 60},
        {"price": 1, "deposit": 3 * 10**15},
        {"rep": 100_000},
        {"rep": 900_000},
        {"shard": 1},
    ],
)
def test_limits_themselves_are_allowed(changes: dict[str, Any]) -> None:
    assert why_ineligible(REQUEST, replace(BID, **changes), DEV, at=500) is None


def test_court_kind_caps_the_deposit_at_what_a_ticket_answers_for() -> None:
    high = replace(BID, deposit=10 * SEAT + 1)
    assert why_ineligible(COURT, high, DEV, at=0) is Reason.DEPOSIT_TOO_HIGH
    assert why_ineligible(REQUEST, high, DEV, at=0) is None
    assert why_ineligible(COURT, replace(BID, deposit=10 * SEAT), DEV, at=0) is None


def test_check_fee_raises_the_least_deposit() -> None:
    assert selection.least_deposit(replace(COURT, check_fee=10**15), BID.price) == 2 * 10**16


def test_reputation_above_one_is_a_lie() -> None:
    open_to_all = replace(REQUEST, rep_max=(1 << 32) - 1)
    assert why_ineligible(open_to_all, replace(BID, rep=1_000_001), DEV, at=0) is Reason.REPUTATION_HIGH


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 0},
        {"kind": 3},
        {"mode": 4},
        {"mode": int(Mode.NO_DEMAND)},
        {"shards": 0},
        {"max_price": 0},
        {"max_delay": 0},
        {"max_delay": 604_801},
        {"w_rep": 2_501},
        {"rep_min": 900_001},
        {"rep_max": 1_000_001},
        {"fuel": DEV.fuel_cap + 1},
        {"check_fee": 1},
        {"spot_bps": 1},
        {"kind": 2, "check_fee": SEAT // 10 + 1},
        {"kind": 2, "spot_bps": 10_001},
    ],
)
def test_flawed_request_is_named(changes: dict[str, Any]) -> None:
    assert flaw(replace(REQUEST, **changes), DEV)


def test_sound_request_has_no_flaw() -> None:
    assert flaw(REQUEST, DEV) is None
    assert flaw(replace(COURT, mode=int(Mode.NO_DEMAND)), DEV) is None


def test_court_sets_the_least_spot_check() -> None:
    court = replace(DEV, court=Address(b"\x07" * 20))
    checked = replace(COURT, spot_bps=1_000, check_fee=SEAT // 10)
    assert flaw(checked, court) is None
    for wrong in ({"spot_bps": 999}, {"spot_bps": 10_001}, {"check_fee": 0}, {"check_fee": SEAT // 10 + 1}):
        assert flaw(replace(checked, **wrong), court), wrong
    assert flaw(checked, DEV), "a spot check without a court"


def test_score_is_the_formula_of_the_protocol() -> None:
    score = selection.score(REQUEST, BID)
    assert (score.price, score.delay, score.reputation) == (5_000 * 800_000, 2_500 * 500_000, 2_500 * 140_000)
    assert score.total == 400_000 + 125_000 + 35_000


def test_tie_goes_to_the_lower_price_then_to_the_higher_hash() -> None:
    request = replace(REQUEST, max_price=10**6, max_delay=10_000, w_price=5_000, w_delay=5_000, w_rep=0)
    cheap = replace(BID, price=500_000, delay=5_000)
    fast = replace(BID, price=510_000, delay=4_900)
    assert selection.score(request, cheap) != selection.score(request, fast)
    assert selection.score(request, cheap).total == selection.score(request, fast).total
    assert selection.ranked(request, [fast, cheap]) == [cheap, fast]
    other = replace(cheap, worker=Address(b"\x05" * 20))
    first, second = sorted((cheap, other), key=selection.tie_break, reverse=True)
    assert selection.ranked(request, [second, first]) == [first, second]


uint96 = st.integers(1, (1 << 96) - 1)


@st.composite
def markets(draw: st.DrawFn) -> tuple[Request, list[Bid]]:
    """A request and eligible-looking bids by distinct workers."""
    w_price = draw(st.integers(0, 10_000))
    w_delay = draw(st.integers(0, 10_000 - w_price))
    request = replace(
        REQUEST,
        max_price=draw(uint96),
        max_delay=draw(st.integers(1, 604_800)),
        w_price=w_price,
        w_delay=w_delay,
        w_rep=10_000 - w_price - w_delay,
    )
    workers = draw(st.lists(st.binary(min_size=20, max_size=20), min_size=2, max_size=6, unique=True))
    bids = [
        replace(
            BID,
            worker=Address(worker),
            price=draw(st.integers(1, request.max_price)),
            delay=draw(st.integers(1, request.max_delay)),
            rep=draw(st.integers(0, 1_000_000)),
        )
        for worker in workers
    ]
    return request, bids


@given(markets(), st.randoms(use_true_random=False))
def test_ranking_does_not_depend_on_the_order_of_arrival(
    market: tuple[Request, list[Bid]], random: Any
) -> None:
    request, bids = market
    best_first = selection.ranked(request, bids)
    scores = [selection.score(request, bid).total for bid in best_first]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1_000_000 for score in scores)
    random.shuffle(bids)
    assert selection.ranked(request, bids) == best_first
    assert best_first[0] == max(bids, key=lambda bid: selection.rank_key(request, bid))


@given(markets(), st.integers(1, 10**6))
def test_a_better_bid_never_ranks_worse(market: tuple[Request, list[Bid]], step: int) -> None:
    request, (bid, *_) = market
    for better in (
        replace(bid, price=max(1, bid.price - step)),
        replace(bid, delay=max(1, bid.delay - step)),
        replace(bid, rep=min(1_000_000, bid.rep + step)),
    ):
        assert selection.rank_key(request, better) >= selection.rank_key(request, bid)


def test_tie_break_names_task_shard_and_worker() -> None:
    others = {"task": TaskId(b"\x08" * 32), "shard": 1, "worker": Address(b"\x08" * 20)}
    ties = {selection.tie_break(replace(BID, **{name: value})) for name, value in others.items()}
    assert len(ties | {selection.tie_break(BID)}) == 4
