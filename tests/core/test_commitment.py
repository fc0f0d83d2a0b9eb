"""Invariant 6: a commitment opens for one author in one place only."""

from __future__ import annotations

from typing import Any

import pytest

from blockedge_node.core.commitment import Role, commitment, draw_commit, evidence_hash, guard, slot_digest
from blockedge_node.core.hashing import Domain, abi_words, keccak256
from blockedge_node.core.ids import Hash, Secret

MINE: dict[str, Any] = {
    "domain": Domain(1, b"\x01" * 20),
    "unit": b"\x02" * 32,
    "role": Role.WORKER,
    "author": b"\x03" * 20,
    "result_hash": b"\x04" * 32,
    "salt": b"\x05" * 32,
    "guard": b"\x06" * 32,
    "round": 0,
    "seat": 0,
}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("domain", Domain(2, b"\x01" * 20)),
        ("domain", Domain(1, b"\xff" * 20)),
        ("unit", b"\xff" * 32),
        ("role", Role.REPORTER),
        ("author", b"\xff" * 20),
        ("result_hash", b"\xff" * 32),
        ("salt", b"\xff" * 32),
        ("guard", b"\xff" * 32),
        ("round", 1),
        ("seat", 1),
    ],
)
def test_i06_commitment_never_opens_elsewhere(name: str, other: Any) -> None:
    assert commitment(**MINE) != commitment(**MINE | {name: other})


def test_secrets_commit_to_each_other() -> None:
    secret, guard_r = Secret(b"\x01" * 32), guard(Secret(b"\x02" * 32))
    assert draw_commit(secret, guard_r) == keccak256(secret + guard_r)
    assert guard_r == keccak256(b"\x02" * 32)
    assert evidence_hash(b"") == keccak256(b"")


def test_slot_keeps_the_low_208_bits() -> None:
    data = [Hash(bytes([i]) * 32) for i in range(4)]
    terms_hash = Hash(b"\x09" * 32)
    assert slot_digest(terms_hash, data) == keccak256(abi_words(terms_hash, *data))[6:]
