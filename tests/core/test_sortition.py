"""Draws that nobody steers (docs/protocol.md §6.2, invariant 10)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import sortition
from blockedge_node.core.hashing import abi_words, keccak256
from blockedge_node.core.ids import Hash, Secret

words = st.binary(min_size=32, max_size=32)


def word(i: int) -> Secret:
    return Secret(keccak256(bytes([i % 256, i // 256])))


def test_spot_check_rate_is_what_was_asked_for() -> None:
    seeds = [sortition.draw_seed(word(i), Hash(word(i + 1))) for i in range(2_000)]
    hits = sum(sortition.drawn(seed, 1_000) for seed in seeds)
    assert 140 < hits < 260  # 200 expected, se 13.4
    assert not any(sortition.drawn(seed, 0) for seed in seeds)
    assert all(sortition.drawn(seed, 10_000) for seed in seeds)


@given(st.lists(words, max_size=9))
def test_order_of_reveals_does_not_matter(salts: list[Secret]) -> None:
    mix = sortition.salts_mix(salts)
    assert sortition.salts_mix(reversed(salts)) == mix


def test_seed_is_words_under_keccak() -> None:
    mix = sortition.salts_mix([word(1)])
    assert mix == keccak256(word(1))[:16] + bytes(16)
    assert sortition.jury_seed(word(2), None, mix) == keccak256(abi_words(word(2), bytes(32), mix))
    seed = sortition.jury_seed(word(2), word(3), mix)
    assert sortition.round_seed(seed, 0) == seed
    assert sortition.round_seed(seed, 2) == keccak256(abi_words(seed, 2))


@given(words, st.integers(0, 22), st.integers(1, 5_000))
def test_seat_is_a_ticket_of_the_snapshot(seed: Hash, seat: int, n_snap: int) -> None:
    ticket = sortition.seat_ticket(seed, seat, n_snap, lambda _: True)
    assert ticket == sortition.ticket_index(seed, seat, 0, n_snap)
    assert ticket is not None
    assert 0 <= ticket < n_snap


def test_party_is_passed_over_and_a_seat_may_stay_empty() -> None:
    seed = Hash(word(4))
    tries = [sortition.ticket_index(seed, 0, attempt, 100) for attempt in range(sortition.TRIES)]
    assert sortition.seat_ticket(seed, 0, 100, lambda index: index != tries[0]) == next(
        index for index in tries if index != tries[0]
    )
    assert sortition.seat_ticket(seed, 0, 100, lambda index: index not in tries) is None
    assert sortition.seat_ticket(seed, 0, 0, lambda _: True) is None
