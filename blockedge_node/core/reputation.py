"""Reputation: the paper's two ratios, and one score R out of both (docs/protocol.md §8).

    n of m     settled units that ended in conviction or an acknowledged refusal
    s of t     gwei of deposits that came back in full
    good, bad  points (1/1000), losing an eighth a week

    Rv = 1e6·(good + P)/(good + 5·bad + 5·P)    Rd = 1e6·s/(t + SEAT)    R = (7000·Rv + 3000·Rd)/1e4

All counters of a unit move together when it ends. Every formula is integer and floored (t alone is rounded
up, so s ≤ t), and saturates where its slot in contracts/src is full. Deposits count up to 20·I: a big own
deposit on a dust price must not buy R.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core.params import Params
from blockedge_node.core.selection import DEPOSIT_TIMES
from blockedge_node.core.unit import Reputation

WEEK = 604_800  # seconds
MAX_STEPS = 32  # weeks of decay applied at once: (7/8)^32 leaves 1.4 %
POINT = 1_000  # P, in the slot's 1/1000 points
GWEI = 10**9
PPM = 1_000_000

U16, U24, U32, U64 = (1 << 16) - 1, (1 << 24) - 1, (1 << 32) - 1, (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`reps[a]`, one slot: points in 1/1000 as of `week`, units counted, deposits in gwei."""

    good: int = 0  # u32
    bad: int = 0  # u32
    week: int = 0  # u16, time / 604 800
    n: int = 0  # u24
    m: int = 0  # u24
    t: int = 0  # u64, rounded up
    s: int = 0  # u64, rounded down


def decayed(record: Record, now: int) -> Record:
    """The record as of the time `now`: points lose a floored eighth for each week that has begun since."""
    week = now // WEEK & U16
    good, bad = record.good, record.bad
    for _ in range(min(max(week - record.week, 0), MAX_STEPS)):
        good -= good // 8
        bad -= bad // 8
    return replace(record, good=good, bad=bad, week=week)


def score(record: Record, now: int, params: Params) -> int:
    """R in ppm, 0 … 1e6; a newcomer has 140 000."""
    aged = decayed(record, now)
    by_verdicts = PPM * (aged.good + POINT) // (aged.good + 5 * aged.bad + 5 * POINT)
    by_deposits = PPM * aged.s // (aged.t + params.seat // GWEI)
    return (7_000 * by_verdicts + 3_000 * by_deposits) // 10_000


def reputation(record: Record, now: int, params: Params) -> Reputation:
    """What `repOf` returns: the paper's counters and R."""
    return Reputation(n=record.n, m=record.m, s=record.s, t=record.t, score=score(record, now, params))


def protocol_fee(price: int, params: Params) -> int:
    """The requester's fee in wei: locked at award, burned when the unit is PAID."""
    return price * params.fee_bps // 10_000


def counted_deposit(price: int, deposit: int) -> int:
    """The part of a deposit, in wei, that counts for s and t."""
    return min(deposit, DEPOSIT_TIMES * price)


def points(fee: int, params: Params) -> int:
    """What a paid unit adds to `good`: P for FEE_UNIT wei of burned fee, in proportion below."""
    return min(POINT, POINT * fee // params.fee_unit)


def after_paid(record: Record, now: int, price: int, deposit: int, params: Params, *, shown: bool) -> Record:
    """PAID. Without the draw secret (`shown` False) nobody gains points: hiding it earns nothing."""
    aged = _staked(decayed(record, now), price, deposit)
    back = counted_deposit(price, deposit) // GWEI
    gain = points(protocol_fee(price, params), params) if shown else 0
    return replace(aged, good=min(aged.good + gain, U32), s=min(aged.s + back, U64))


def after_slashed(record: Record, now: int, price: int, deposit: int) -> Record:
    """SLASHED, by evidence, jury, default or for a withheld reveal: one point of blame."""
    return _at_fault(_staked(decayed(record, now), price, deposit), POINT)


def after_refused(record: Record, now: int, price: int, deposit: int) -> Record:
    """REFUSED after an Ack: a quarter point. Without one this is not called: a fake award ruins no rival.

    s does not grow by the part that came back, or refusing would raise a newcomer's R.
    """
    return _at_fault(_staked(decayed(record, now), price, deposit), POINT // 4)


def _staked(record: Record, price: int, deposit: int) -> Record:
    gwei = -(-counted_deposit(price, deposit) // GWEI)
    return replace(record, m=min(record.m + 1, U24), t=min(record.t + gwei, U64))


def _at_fault(record: Record, blame: int) -> Record:
    return replace(record, n=min(record.n + 1, U24), bad=min(record.bad + blame, U32))
