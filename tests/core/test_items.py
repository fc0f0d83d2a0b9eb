"""Lists of items: one encoding, and nothing else passes for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import items
from blockedge_node.core.items import MAX_ITEMS, Answer

lists = st.lists(st.binary(max_size=40), max_size=20).map(tuple)
answers = st.lists(
    st.builds(Answer, exit=st.integers(0, (1 << 32) - 1), output=st.binary(max_size=40)), max_size=20
).map(tuple)


@given(lists)
def test_a_list_is_read_as_it_was_written(given_items: tuple[bytes, ...]) -> None:
    assert items.split(items.join(given_items)) == given_items


@given(answers)
def test_answers_are_read_as_they_were_written(given_answers: tuple[Answer, ...]) -> None:
    data = items.join_answers(given_answers)
    assert items.split_answers(data, len(given_answers)) == given_answers
    assert len(data) == sum(items.ANSWER + len(answer.output) for answer in given_answers)
    assert items.split_answers(data, len(given_answers) + 1) is None


@given(st.binary(max_size=60))
def test_whatever_passes_for_a_list_is_the_one_encoding_of_it(data: bytes) -> None:
    found = items.split(data)
    assert found is None or items.join(found) == data


@given(lists, st.integers(1, 3))
def test_a_list_that_is_cut_off_is_none(given_items: tuple[bytes, ...], cut: int) -> None:
    data = items.join((*given_items, b"abc"))
    assert items.split(data[:-cut]) is None


def test_a_list_has_so_many_items_at_most() -> None:
    assert items.split(items.join([b""] * MAX_ITEMS)) is not None
    assert items.split(items.join([b""] * (MAX_ITEMS + 1))) is None


def test_an_answer_without_an_exit_is_none() -> None:
    assert items.split_answers(items.join([b"abc"]), 1) is None
