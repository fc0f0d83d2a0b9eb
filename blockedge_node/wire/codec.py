"""Deterministic CBOR (RFC 8949 §4.2) of a few plain types, and the frames that carry it on a stream.

Encoding is cbor2's canonical form. Decoding is our own and far stricter than any general decoder, since
everything that arrives was written by somebody else: each value has exactly one accepted spelling, so two
nodes never hold different bytes for one message, and nothing here can be made to run code, allocate ahead or
recurse without bound.

    Value = None | bool | int (within ±2^256) | bytes | str | list[Value] | dict[str, Value]

No floats, no tags but big integers, no indefinite lengths, no unsorted or repeated keys, no trailing bytes.
"""

from __future__ import annotations

from typing import Any

import cbor2

from blockedge_node.errors import PeerError

Value = Any  # see the module docstring; mypy has no recursive alias that callers could narrow with ease

MAX_DEPTH = 16  # containers inside of containers; our messages have 2
BIG_INTEGER = 32  # bytes: the widest integer that the protocol knows

GOSSIP_LIMIT = 16 * 1024  # bytes of one gossip message (§2.3)
EXCHANGE_LIMIT = 16 * 1024  # one message of an award or result stream
LEAVES_LIMIT = 8 * 1024 * 1024 + 1024  # a blob's head: 32 bytes of leaf hash for each KiB of at most 256 MiB


def encode(value: Value) -> bytes:
    """`value` in its only accepted spelling."""
    return cbor2.dumps(value, canonical=True)


def decode(raw: bytes, limit: int = GOSSIP_LIMIT, depth: int = MAX_DEPTH) -> Value:
    """The value that `raw` spells. Raises PeerError for all but the canonical form within the limits."""
    if len(raw) > limit:
        raise PeerError(f"a message of {len(raw)} bytes is longer than {limit}")
    value, end = _item(raw, 0, depth)
    if end != len(raw):
        raise PeerError("bytes follow the message")
    return value


def frame(payload: bytes, limit: int = EXCHANGE_LIMIT) -> bytes:
    """One message of a stream: its length as u32 big-endian, then the payload."""
    if not 0 < len(payload) <= limit:
        raise ValueError(f"a frame holds 1 … {limit} bytes, not {len(payload)}")
    return len(payload).to_bytes(4, "big") + payload


def frame_length(header: bytes, limit: int = EXCHANGE_LIMIT) -> int:
    """How many bytes follow a frame's 4-byte header. Raises PeerError for none, or more than `limit`."""
    length = int.from_bytes(header, "big")
    if len(header) != 4 or not 0 < length <= limit:
        raise PeerError(f"a frame of {length} bytes; 1 … {limit} are allowed")
    return length


# ── the decoder: one function a major type, each returning (value, where it ended) ─────────────────────────


def _item(raw: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth < 0:
        raise PeerError("nested too deeply")
    if at >= len(raw):
        raise PeerError("the message is cut off")
    major, info = raw[at] >> 5, raw[at] & 31
    if major == 7:
        return _simple(info), at + 1
    argument, at = _argument(raw, at + 1, info)
    match major:
        case 0:
            return argument, at
        case 1:
            return -1 - argument, at
        case 2:
            return _bytes(raw, at, argument)
        case 3:
            return _text(raw, at, argument)
        case 4:
            return _list(raw, at, argument, depth)
        case 5:
            return _map(raw, at, argument, depth)
        case _:
            return _big_integer(raw, at, argument)


def _argument(raw: bytes, at: int, info: int) -> tuple[int, int]:
    """A head's number, in the shortest of its five spellings."""
    if info < 24:
        return info, at
    if info > 27:
        raise PeerError("indefinite lengths are not accepted")
    width = 1 << (info - 24)
    number, end = int.from_bytes(raw[at : at + width], "big"), at + width
    if end > len(raw):
        raise PeerError("the message is cut off")
    if number < (24 if width == 1 else 1 << (4 * width)):
        raise PeerError("a number is not in its shortest form")
    return number, end


def _simple(info: int) -> bool | None:
    match info:
        case 20:
            return False
        case 21:
            return True
        case 22:
            return None
        case _:
            raise PeerError("floats and other simple values are not accepted")


def _bytes(raw: bytes, at: int, length: int) -> tuple[bytes, int]:
    end = at + length
    if end > len(raw):
        raise PeerError("the message is cut off")
    return raw[at:end], end


def _text(raw: bytes, at: int, length: int) -> tuple[str, int]:
    data, end = _bytes(raw, at, length)
    try:
        return data.decode("utf-8"), end
    except UnicodeDecodeError as error:
        raise PeerError("a text is not UTF-8") from error


def _list(raw: bytes, at: int, length: int, depth: int) -> tuple[list[Value], int]:
    if length > len(raw) - at:  # an item takes at least a byte
        raise PeerError("the message is cut off")
    items = []
    for _ in range(length):
        value, at = _item(raw, at, depth - 1)
        items.append(value)
    return items, at


def _map(raw: bytes, at: int, length: int, depth: int) -> tuple[dict[str, Value], int]:
    if 2 * length > len(raw) - at:
        raise PeerError("the message is cut off")
    items: dict[str, Value] = {}
    last = b""
    for _ in range(length):
        start = at
        key, at = _item(raw, at, depth - 1)
        if not isinstance(key, str):
            raise PeerError("a key is not a text")
        if raw[start:at] <= last:
            raise PeerError("keys are unsorted or repeated")
        last = raw[start:at]
        items[key], at = _item(raw, at, depth - 1)
    return items, at


def _big_integer(raw: bytes, at: int, tag: int) -> tuple[int, int]:
    """Tags 2 and 3: what does not fit 8 bytes, without leading zeros."""
    if tag not in (2, 3) or at >= len(raw) or raw[at] >> 5 != 2:
        raise PeerError("tags are not accepted")
    length, at = _argument(raw, at + 1, raw[at] & 31)
    data, end = _bytes(raw, at, length)
    if not 8 < length <= BIG_INTEGER or data[0] == 0:
        raise PeerError("a big integer is not in its shortest form")
    number = int.from_bytes(data, "big")
    return (number if tag == 2 else -1 - number), end
