"""Invariant 14 and the sentences of docs/protocol.md §8: what raises R, and what never does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import reputation
from blockedge_node.core.params import Params
from blockedge_node.core.reputation import (
    GWEI,
    POINT,
    WEEK,
    Record,
    after_paid,
    after_refused,
    after_slashed,
    decayed,
    score,
)

PARAMS = Params(
    fee_bps=100,
    spot_bps_min=1000,
    seat=10**18,
    grace=60,
    secret=120,
    reveal=300,
    challenge=600,
    report=300,
    max_award=900,
    ref_fuel=10**8,
    vwin_base=60,
    vwin_max=3600,
    ticket_age=86_400,
    unbond=86_400,
    defend=1800,
    jcommit=600,
    jreveal=300,
    appeal=3600,
    da_window=600,
    fee_unit=10**15,
    bid_blocks=1,
)
NOW = 2_960 * WEEK
PRICE, DEPOSIT = 10**17, 2 * 10**18  # its fee is 1e15 = FEE_UNIT: a full point

uint32 = st.integers(0, reputation.U32)
money = st.tuples(st.integers(1, 1 << 90), st.integers(0, (1 << 96) - 1))


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record that the contract can hold."""
    m, t = draw(st.integers(0, reputation.U24)), draw(st.integers(0, reputation.U64))
    return Record(
        good=draw(uint32),
        bad=draw(uint32),
        week=NOW // WEEK - draw(st.integers(0, 60)),
        n=draw(st.integers(0, m)),
        m=m,
        t=t,
        s=draw(st.integers(0, t)),
    )


def test_newcomer_has_140_000() -> None:
    assert score(Record(), NOW, PARAMS) == 140_000


def test_fifteen_paid_points_make_four_fifths_of_rv() -> None:
    record = Record()
    for _ in range(15):
        record = after_paid(record, NOW, PRICE, DEPOSIT, PARAMS, shown=True)
    assert record.good == 15 * POINT
    assert (record.n, record.m, record.s, record.t) == (0, 15, 30 * GWEI, 30 * GWEI)
    assert score(record, NOW, PARAMS) == (7_000 * 800_000 + 3_000 * (10**6 * 30 // 31)) // 10_000


def test_points_follow_the_burned_fee() -> None:
    assert reputation.points(10**15, PARAMS) == POINT
    assert reputation.points(10**15 - 1, PARAMS) == POINT - 1
    assert reputation.points(10**18, PARAMS) == POINT
    assert reputation.points(0, PARAMS) == 0


def test_deposit_counts_up_to_twenty_prices() -> None:
    dust = after_paid(Record(), NOW, 1, 10**24, PARAMS, shown=True)
    assert (dust.s, dust.t) == (0, 1)  # 20 wei, floored and rounded up


def test_unshown_secret_earns_no_points() -> None:
    paid = after_paid(Record(), NOW, PRICE, DEPOSIT, PARAMS, shown=False)
    assert (paid.good, paid.m, paid.s, paid.t) == (0, 1, 2 * GWEI, 2 * GWEI)


def test_conviction_counts_a_point_and_refusal_a_quarter() -> None:
    slashed = after_slashed(Record(), NOW, PRICE, DEPOSIT)
    refused = after_refused(Record(), NOW, PRICE, DEPOSIT)
    assert (slashed.bad, refused.bad) == (POINT, POINT // 4)
    assert (slashed.n, slashed.m, slashed.s, slashed.t) == (1, 1, 0, 2 * GWEI)
    assert (refused.n, refused.m, refused.s, refused.t) == (1, 1, 0, 2 * GWEI)


def test_points_lose_an_eighth_a_week_and_at_most_32_times() -> None:
    record = Record(good=8_000, bad=800, week=NOW // WEEK)
    assert decayed(record, NOW + WEEK - 1) == record
    assert decayed(record, NOW + WEEK) == replace(record, good=7_000, bad=700, week=record.week + 1)
    assert decayed(record, NOW + 32 * WEEK).good == decayed(record, NOW + 1_000 * WEEK).good


@given(records(), money, st.integers(0, 40))
def test_i14_bounds_hold_after_any_end(record: Record, at_stake: tuple[int, int], weeks: int) -> None:
    now = NOW + weeks * WEEK
    for after in (
        after_paid(record, now, *at_stake, PARAMS, shown=True),
        after_paid(record, now, *at_stake, PARAMS, shown=False),
        after_slashed(record, now, *at_stake),
        after_refused(record, now, *at_stake),
    ):
        assert 0 <= score(after, now, PARAMS) <= 1_000_000
        assert after.n <= after.m <= reputation.U24
        assert after.s <= after.t <= reputation.U64
        assert max(after.good, after.bad) <= reputation.U32


@given(records(), money)
def test_no_fault_ever_raises_r(record: Record, at_stake: tuple[int, int]) -> None:
    before = score(record, NOW, PARAMS)
    refused = score(after_refused(record, NOW, *at_stake), NOW, PARAMS)
    slashed = score(after_slashed(record, NOW, *at_stake), NOW, PARAMS)
    assert slashed <= refused <= before


@given(records(), st.integers(0, 31))
def test_decay_does_not_depend_on_when_it_is_written_down(record: Record, weeks: int) -> None:
    first = replace(record, week=NOW // WEEK)
    at_once = decayed(first, NOW + weeks * WEEK)
    by_steps = first
    for week in range(weeks + 1):
        by_steps = decayed(by_steps, NOW + week * WEEK)
    assert by_steps == at_once


@pytest.mark.parametrize("shown", [True, False])
def test_full_counters_stay_full(shown: bool) -> None:
    full = Record(
        good=reputation.U32,
        bad=reputation.U32,
        week=NOW // WEEK,
        n=reputation.U24,
        m=reputation.U24,
        t=reputation.U64,
        s=reputation.U64,
    )
    assert after_paid(full, NOW, PRICE, DEPOSIT, PARAMS, shown=shown) == full
    assert after_slashed(full, NOW, PRICE, DEPOSIT) == full


def test_reputation_is_what_the_contract_returns() -> None:
    record = after_slashed(Record(), NOW, PRICE, DEPOSIT)
    shown = reputation.reputation(record, NOW, PARAMS)
    assert (shown.n, shown.m, shown.s, shown.t) == (1, 1, 0, 2 * GWEI)
    assert shown.score == score(record, NOW, PARAMS) < 140_000
