"""Proof-of-work search against the definition, and what refutes an output."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.errors import PeerError
from blockedge_node.executor.pow import PowError, Search, refute, solve

CHALLENGE = hashlib.sha256(b"blockedge").digest()
EASY = 1 << 248  # one nonce in 256 wins


def search(target: int = EASY, size: int = 2000) -> Search:
    return Search(challenge=CHALLENGE, target=target, range_size=size)


def by_definition(wanted: Search, shard: int) -> bytes:
    for nonce in range(shard * wanted.range_size, (shard + 1) * wanted.range_size):
        raw = nonce.to_bytes(8, "big")
        if int.from_bytes(hashlib.sha256(wanted.challenge + raw).digest(), "big") < wanted.target:
            return raw
    return b""


@given(st.integers(0, 255).map(lambda bits: 1 << bits), st.integers(1, 600), st.integers(0, 1 << 40))
def test_the_smallest_winning_nonce_is_found(target: int, size: int, shard: int) -> None:
    wanted = search(target, size)
    assert solve(wanted.encode(), shard) == by_definition(wanted, shard)


def test_a_search_without_a_winner_gives_nothing() -> None:
    assert solve(search(target=0).encode(), 3) == b""


def test_the_last_nonces_there_are() -> None:
    wanted = search(target=(1 << 256) - 1, size=1 << 32)
    assert solve(wanted.encode(), (1 << 32) - 1) == ((1 << 64) - (1 << 32)).to_bytes(8, "big")
    with pytest.raises(PowError, match="64 bits"):
        solve(wanted.encode(), 1 << 32)


def test_the_blob_is_what_solidity_decodes() -> None:
    blob = search().encode()
    assert blob == CHALLENGE + EASY.to_bytes(32, "big") + (2000).to_bytes(32, "big")
    assert Search.decode(blob) == search()


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        search().encode()[:-1],
        search().encode() + b"\0",
        CHALLENGE + bytes(64),  # no nonces
        CHALLENGE + bytes(32) + (1 << 64).to_bytes(32, "big"),  # more than a uint64
    ],
)
def test_data_that_makes_no_sense_is_refused(blob: bytes) -> None:
    with pytest.raises(PowError):
        solve(blob, 0)
    assert issubclass(PowError, PeerError)


def test_what_refutes_an_output() -> None:
    blob, right = search().encode(), solve(search().encode(), 1)
    span = search().span(1)
    winners = [n for n in span if search().wins(n)]
    later = winners[1].to_bytes(8, "big")
    loser = next(n for n in span if not search().wins(n)).to_bytes(8, "big")
    outside = next(n for n in range(span.stop, span.stop + 9000) if search().wins(n)).to_bytes(8, "big")
    assert refute(blob, 1, right) is None
    assert refute(blob, 1, later) == right
    assert refute(blob, 1, b"") == right
    for wrong in (loser, outside, right[1:], right + b"\0"):
        assert refute(blob, 1, wrong) == b""


def test_nothing_is_right_where_nothing_wins() -> None:
    blob = search(target=0).encode()
    assert refute(blob, 0, b"") is None
    assert refute(blob, 0, bytes(8)) == b""
