"""Fees: enough to be mined, an eighth more to replace, never above the operator's limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.chain.fees import FeePolicy

GWEI = 10**9
prices = st.integers(0, 1_000 * GWEI)


@given(base=prices, tip=prices, limit=prices)
def test_a_first_fee_is_at_least_the_base_fee_and_at_most_the_limit(base: int, tip: int, limit: int) -> None:
    fee = FeePolicy(gas_max=limit).first(base, tip)
    if fee is None:
        assert base > limit
    else:
        assert base <= fee.cap <= limit
        assert 0 <= fee.tip <= fee.cap


@given(base=prices, tip=prices, later=prices, limit=prices)
def test_a_raised_fee_replaces_or_is_none(base: int, tip: int, later: int, limit: int) -> None:
    policy = FeePolicy(gas_max=limit)
    old = policy.first(base, tip)
    if old is None:
        return
    fee = policy.raised(old, later, tip)
    if fee is None:
        assert old.cap * 9 // 8 + 1 > limit
        return
    assert old.cap * 9 / 8 < fee.cap <= limit
    assert old.tip * 9 // 8 <= fee.tip <= fee.cap
