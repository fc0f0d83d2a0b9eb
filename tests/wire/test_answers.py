"""Answers on their way: one spelling each, and what is none is a fault of its peer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import UnitId
from blockedge_node.core.items import MAX_ITEMS, Answer
from blockedge_node.errors import PeerError
from blockedge_node.wire import answers, codec
from tests.core.builders import BOB, DOMAIN

UNIT = UnitId(keccak256(b"unit"))


def test_a_head_names_unit_and_worker() -> None:
    raw = answers.build_head(DOMAIN, UNIT, BOB, 7)
    assert answers.open_head(raw, DOMAIN) == answers.AnswersHead(unit=UNIT, worker=BOB)


@given(st.integers(0, MAX_ITEMS - 1), st.integers(0, (1 << 32) - 1), st.binary(max_size=100))
def test_an_answer_survives_the_wire(place: int, exit: int, output: bytes) -> None:
    answer = Answer(exit=exit, output=output)
    assert answers.open_answer(answers.build_answer(place, answer)) == (place, answer)


def test_the_largest_answer_fits_into_a_message() -> None:
    raw = answers.build_answer(MAX_ITEMS - 1, Answer(exit=(1 << 32) - 1, output=bytes(answers.LARGEST)))
    assert codec.frame(raw)


def test_the_end_is_no_answer() -> None:
    assert answers.open_answer(answers.build_end()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"place": -1},
        {"place": MAX_ITEMS},
        {"place": True},
        {"exit": 1 << 32},
        {"output": "text"},
        {"x": 1},
    ],
)
def test_whatever_else_is_refused(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"v": 1, "place": 0, "exit": 0, "output": b""}
    with pytest.raises(PeerError):
        answers.open_answer(codec.encode(fields | changes))
