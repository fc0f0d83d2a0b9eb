"""Lists of items: what a mapped program is given and what it answers (docs/protocol.md §3.5, Bundles).

    list     = for each item: u32 big-endian length ‖ item
    answers  = such a list, whose items are: u32 big-endian exit ‖ output

A program is mapped by its manifest (`map: 1`): the engine runs it once for each item of the shard's input. A list
that breaks the rules here is the requester's fault and a deterministic result of its own, `BAD_LIST`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

MAX_ITEMS: Final = 1024  # of one list: what a run costs beside its fuel stays bounded
ANSWER: Final = 8  # bytes that an answer has beside its output: length and exit
WORD: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the run over one item ended, `exit` as in core/job.py; no output where it trapped."""

    exit: int
    output: bytes


Told = Callable[[int, Answer], None]  # (place in the list, answer), in order, as soon as each is known


def to_nobody(_place: int, _answer: Answer) -> None:
    """For runs whose answers are wanted together."""


def join(items: Iterable[bytes]) -> bytes:
    return b"".join(len(item).to_bytes(WORD, "big") + item for item in items)


def split(data: bytes) -> tuple[bytes, ...] | None:
    """The items of a list; None if its lengths do not add up, or there are more than MAX_ITEMS."""
    items: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + WORD
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data) or len(items) == MAX_ITEMS:
            return None
        items.append(data[start:at])
    return tuple(items)


def join_answers(answers: Iterable[Answer]) -> bytes:
    return join(answer.exit.to_bytes(WORD, "big") + answer.output for answer in answers)


def split_answers(data: bytes, count: int) -> tuple[Answer, ...] | None:
    """The answers to `count` items; None if this is nothing that an engine gives for them."""
    parts = split(data)
    if parts is None or len(parts) != count or any(len(part) < WORD for part in parts):
        return None
    return tuple(Answer(exit=int.from_bytes(part[:WORD], "big"), output=part[WORD:]) for part in parts)
