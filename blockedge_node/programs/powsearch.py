"""The requester's side of `powsearch`: the same challenge for every shard, and its output read back
(format: powsearch.c)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from blockedge_node.errors import ConfigError
from blockedge_node.programs.params import whole
from blockedge_node.wire.manifest import NOTHING

CHALLENGE: Final = 32
SHOWN: Final = 16
PARAMS: Final = {"bits": "20", "range": "4000000"}  # on average every 2^20th nonce is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A nonce, and the first 16 bytes of sha256(challenge ‖ nonce)."""

    nonce: int
    digest: bytes


def digest_of(challenge: bytes, nonce: int) -> bytes:
    return hashlib.sha256(challenge + nonce.to_bytes(8, "big")).digest()


def split(challenge: bytes, shards: int) -> list[bytes]:
    """The challenge for every shard; which nonces a shard tries follows from its number. Raises ConfigError."""
    if len(challenge) != CHALLENGE:
        raise ConfigError(f"a challenge has {CHALLENGE} bytes, not {len(challenge)}")
    return [challenge] * shards


def check(params: Mapping[str, str]) -> None:
    """Raises ConfigError for parameters that the program would refuse."""
    whole(params, "bits", 0, 255)
    whole(params, "range", 1, 10**17)


def nonces(params: Mapping[str, str], shards: int) -> int:
    """How many nonces a shard tries at most."""
    return -(-int(params["range"]) // shards)


def read(output: bytes) -> Found | None:
    """What was found, if anything. Raises ConfigError if that is no output."""
    if output == NOTHING:
        return None
    try:
        nonce, digest = output.decode("ascii").split()
        return Found(nonce=int(nonce), digest=bytes.fromhex(digest))
    except ValueError as error:
        raise ConfigError(f"not an output of powsearch: {output[:80]!r}") from error
