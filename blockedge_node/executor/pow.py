"""Proof-of-work search, kind 1: the one kind whose results a contract can judge (docs/protocol.md §6.1).

The input is `abi.encode(bytes32 challenge, uint256 target, uint64 rangeSize)`. A nonce is a uint64, 8 bytes
big-endian; shard i searches [i·rangeSize, (i+1)·rangeSize). The output is the smallest nonce there with
uint(sha256(challenge‖nonce)) < target, or nothing. Requests declare 1000 fuel for a nonce; none is counted
here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from blockedge_node.errors import PeerError

FUEL_PER_NONCE: Final = 1000
NONCES: Final = 1 << 64

_TAILS: Final = tuple(bytes((last,)) for last in range(256))


class PowError(PeerError):
    """The search's data or shard makes no sense; workers refuse it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search as requesters publish it: 32-byte challenge, digests below `target` win, nonces per shard."""

    challenge: bytes
    target: int
    range_size: int

    def __post_init__(self) -> None:
        if len(self.challenge) != 32:
            raise PowError(f"a challenge has 32 bytes, not {len(self.challenge)}")
        if not 0 <= self.target < 1 << 256:
            raise PowError("a target is a 256-bit unsigned number")
        if not 0 < self.range_size < NONCES:
            raise PowError("a shard searches at least one nonce, and fewer than 2^64")

    def encode(self) -> bytes:
        """The ABI blob, 96 bytes."""
        return self.challenge + self.target.to_bytes(32, "big") + self.range_size.to_bytes(32, "big")

    @classmethod
    def decode(cls, data: bytes) -> Search:
        """The search in an ABI blob. Raises PowError for what the contract's decoder refuses too."""
        if len(data) != 96:
            raise PowError(f"a search takes 96 bytes, not {len(data)}")
        challenge, target, size = data[:32], data[32:64], data[64:]
        return cls(
            challenge=challenge,
            target=int.from_bytes(target, "big"),
            range_size=int.from_bytes(size, "big"),
        )

    def span(self, shard: int) -> range:
        """The nonces of a shard. Raises PowError if they do not fit into 64 bits."""
        start = shard * self.range_size
        if shard < 0 or start + self.range_size > NONCES:
            raise PowError(f"the nonces of shard {shard} do not fit into 64 bits")
        return range(start, start + self.range_size)

    def wins(self, nonce: int) -> bool:
        digest = hashlib.sha256(self.challenge + nonce.to_bytes(8, "big")).digest()
        return int.from_bytes(digest, "big") < self.target

    def smallest(self, nonces: range) -> int | None:
        """The smallest winning nonce in a contiguous range, or None."""
        sha256, target = hashlib.sha256, self.target.to_bytes(32, "big")  # bytes compare as the numbers do
        at, stop = nonces.start, nonces.stop
        while at < stop:
            # 256 nonces share all but their last byte, so the hash up to there is made once and copied
            copy = sha256(self.challenge + at.to_bytes(8, "big")[:7]).copy
            first = at & 0xFF
            for tail in _TAILS[first : first + stop - at]:
                hasher = copy()
                hasher.update(tail)
                if hasher.digest() < target:
                    return at - first + tail[0]
            at += 256 - first
        return None


def solve(data: bytes, shard: int) -> bytes:
    """The right output of a shard: 8 bytes, or none. Raises PowError for data that workers refuse."""
    search = Search.decode(data)
    nonce = search.smallest(search.span(shard))
    return b"" if nonce is None else nonce.to_bytes(8, "big")


def refute(data: bytes, shard: int, output: bytes) -> bytes | None:
    """Evidence against an output, as the judge takes it: b"" if it is wrong by itself (neither empty nor 8
    bytes, out of range, not winning), a smaller winning nonce, or None if the output is right. Raises
    PowError."""
    search = Search.decode(data)
    span = search.span(shard)
    if output:
        nonce = int.from_bytes(output, "big")
        if len(output) != 8 or nonce not in span or not search.wins(nonce):
            return b""
        span = range(span.start, nonce)
    smaller = search.smallest(span)
    return None if smaller is None else smaller.to_bytes(8, "big")
