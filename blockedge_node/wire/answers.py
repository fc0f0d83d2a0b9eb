"""Messages of the answers stream: a worker tells the answers to a bundle's items as it gets them (§2.3, §3.5).

    head    an envelope `answers`: unit ‖ worker, unsigned: the connection says who speaks
    answer  {v, place, exit, output}, in the order of the items
    end     {v}

They bind nobody: what counts is the output whose root the worker commits to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from blockedge_node.core.hashing import Domain, abi_words
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.items import MAX_ITEMS, Answer
from blockedge_node.errors import PeerError
from blockedge_node.wire import codec
from blockedge_node.wire.messages import VERSION, open_envelope, same, seal

LARGEST: Final = (
    codec.EXCHANGE_LIMIT - 64
)  # bytes of an output that is told at once; larger ones come with the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersHead:
    unit: UnitId
    worker: Address


def build_head(domain: Domain, unit: UnitId, worker: Address, at: int) -> bytes:
    return seal(domain, "answers", abi_words(unit, worker), b"", at)


def open_head(raw: bytes, domain: Domain) -> AnswersHead:
    """Raises PeerError."""
    envelope = open_envelope(raw, domain, codec.EXCHANGE_LIMIT)
    body = envelope.body
    if envelope.t != "answers" or len(body) != 64 or any(body[32:44]) or envelope.sig:
        raise PeerError("not the head of a stream of answers")
    return AnswersHead(unit=UnitId(body[:32]), worker=Address(body[44:]))


def build_answer(place: int, answer: Answer) -> bytes:
    return codec.encode({"v": VERSION, "place": place, "exit": answer.exit, "output": answer.output})


def build_end() -> bytes:
    return codec.encode({"v": VERSION})


def open_answer(raw: bytes) -> tuple[int, Answer] | None:
    """(place, answer), or None for the end. Raises PeerError."""
    value = codec.decode(raw, codec.EXCHANGE_LIMIT)
    if not isinstance(value, dict) or not same(value.get("v"), VERSION):
        raise PeerError("not an answer")
    if value.keys() == {"v"}:
        return None
    if value.keys() != {"v", "place", "exit", "output"}:
        raise PeerError("not an answer")
    place, exit, output = value["place"], value["exit"], value["output"]
    if type(place) is not int or type(exit) is not int or not isinstance(output, bytes):
        raise PeerError("not an answer")
    if not (0 <= place < MAX_ITEMS and 0 <= exit < 1 << 32):
        raise PeerError("an answer to an item that no bundle has")
    return place, Answer(exit=exit, output=output)
