"""powsearch against hashlib."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import pytest

from blockedge_node import programs
from blockedge_node.core.job import Ending, exit_word
from blockedge_node.errors import ConfigError
from blockedge_node.programs import powsearch

CHALLENGE = hashlib.sha256(b"a challenge").digest()


def reference(bits: int, begin: int, end: int) -> bytes:
    for nonce in range(begin, end):
        digest = hashlib.sha256(CHALLENGE + nonce.to_bytes(8, "big")).digest()
        if int.from_bytes(digest, "big") >> (256 - bits) == 0:
            return b"%d %s\n" % (nonce, digest[:16].hex().encode())
    return b"none\n"


@pytest.mark.parametrize(("bits", "count"), [(0, 1), (1, 10), (7, 1000), (8, 1000), (12, 20_000), (30, 500)])
def test_it_finds_what_the_reference_finds(run: Any, bits: int, count: int) -> None:
    outcome = run("powsearch", CHALLENGE, {"bits": str(bits), "range": str(count)})
    assert outcome.output == reference(bits, 0, count)
    found = powsearch.read(outcome.output)
    if found is not None:
        assert powsearch.digest_of(CHALLENGE, found.nonce).startswith(found.digest)
        assert len(outcome.output) <= 64


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_the_smallest_nonce_of_all_shards_wins(run: Any, split: Any, shards: int) -> None:
    params = {"bits": "12", "range": "40000"}
    whole = run("powsearch", CHALLENGE, params).output
    assert whole == reference(12, 0, 40_000) != b"none\n"
    assert split("powsearch", CHALLENGE, shards, {"bits": "200", "range": "9001"}) == b"none\n"
    guest = programs.guest("powsearch")
    outputs = [run("powsearch", CHALLENGE, params, shard=i, shards=shards).output for i in range(shards)]
    assert guest.manifest([CHALLENGE] * shards, params).merged(outputs) == whole
    edges = [40_000 * i // shards for i in range(shards + 1)]
    assert outputs == [reference(12, a, b) for a, b in pairwise(edges)]


@pytest.mark.parametrize(
    ("argv", "stdin", "why"),
    [
        (["8", "0", "1"], CHALLENGE, "usage"),
        (["256", "0", "1", "10"], CHALLENGE, "BITS"),
        (["x", "0", "1", "10"], CHALLENGE, "BITS"),
        (["8", "1", "1", "10"], CHALLENGE, "SHARD must"),
        (["8", "0", "0", "10"], CHALLENGE, "SHARDS"),
        (["8", "0", "1", "0"], CHALLENGE, "RANGE"),
        (["8", "0", "1", "1" + "0" * 30], CHALLENGE, "RANGE"),
        (["8", "0", "1", "10"], CHALLENGE[1:], "32 bytes"),
        (["8", "0", "1", "10"], CHALLENGE + b"x", "32 bytes"),
    ],
)
def test_it_refuses_bad_input(run: Any, argv: list[str], stdin: bytes, why: str) -> None:
    outcome = run("powsearch", stdin, argv=argv)
    assert outcome.result.exit == exit_word(Ending.FAILED, 2)
    assert why in outcome.stderr.decode()


def test_wrong_parameters_are_refused_before_anything_runs() -> None:
    guest = programs.guest("powsearch")
    for params in ({"bits": "256"}, {"bits": "-1"}, {"range": "0"}, {"range": "1e6"}, {"bits": "²"}):
        with pytest.raises(ConfigError, match="takes a whole number"):
            guest.chosen(params)
    with pytest.raises(ConfigError, match=r"no parameter 'bit': it takes bits=20, range=4000000"):
        guest.chosen({"bit": "1"})
    with pytest.raises(ConfigError, match="32 bytes"):
        guest.split(CHALLENGE + b"x", 1)
    with pytest.raises(ConfigError, match="not an output"):
        powsearch.read(b"hello")
