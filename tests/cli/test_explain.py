"""A story reads as sentences: every note that the core writes has one, with its figures in words."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockedge_node.cli.explain import SENTENCES, sentence

CORE = Path(__file__).resolve().parents[2] / "blockedge_node" / "core"


def codes() -> Iterator[tuple[str, frozenset[str]]]:
    """The code (up to its first variable part) and the fields of every `note(…)` that names them in place."""
    for path in sorted(CORE.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not (
                isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "note"
            ):
                continue
            code = call.args[1]
            if isinstance(code, ast.JoinedStr):
                code = code.values[0]
            fields = frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
            if isinstance(code, ast.Constant) and len(fields) == len(call.keywords):
                yield str(code.value).rstrip("."), fields


def test_the_core_writes_notes() -> None:
    assert len(list(codes())) > 20


@pytest.mark.parametrize(("code", "fields"), sorted(set(codes()), key=str))
def test_every_note_of_the_core_has_a_sentence(code: str, fields: frozenset[str]) -> None:
    while code not in SENTENCES:
        assert "." in code, "no sentence begins like this code"
        code = code.rpartition(".")[0]
    wanted = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name}
    assert wanted <= fields | {"reason"}


@pytest.mark.parametrize(
    ("code", "fields", "text"),
    [
        ("bid.none.price", {"detail": "mine is 5 wei"}, "no bid (price): mine is 5 wei"),
        (
            "bid.ignored.deposit.uncovered",
            {"worker": "0x" + "22" * 20},
            "bid of 0x22222222 ignored: deposit.uncovered",
        ),
        ("jury.seated", {"round": 0, "seats": 2}, "my tickets have 2 seats in round 1 of the jury"),
        ("unit.paid", {"paid": 10**15, "slashed": 0}, "PAID: 0.001 ether"),
        (
            "tx.awardCommit",
            {"tx": "0x" + "01" * 32, "block": 7, "gas": 9},
            "awardCommit confirmed in block 7, 9 gas",
        ),
        ("something.new", {"price": 10**15, "n": 3}, "something.new price=0.001 ether n=3"),
        ("unit.paid", {}, "unit.paid"),
    ],
)
def test_sentences(code: str, fields: dict[str, str | int], text: str) -> None:
    assert sentence(code, fields) == text
