"""One value, one spelling; and whatever arrives, nothing but PeerError comes out."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockedge_node.errors import PeerError
from blockedge_node.wire import codec

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 256), (1 << 256) - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_encoded_comes_back(value: Any) -> None:
    raw = codec.encode(value)
    assert codec.decode(raw) == value
    assert codec.encode(codec.decode(raw)) == raw


@settings(max_examples=500)
@given(st.binary(max_size=200))
@example(b"\x9b" + b"\xff" * 8)  # an array of 2^64 − 1 items
@example(b"\xbb" + b"\xff" * 8)
@example(b"\x5b" + b"\xff" * 8)
@example(b"\xc2\x5b" + b"\xff" * 8)
@example(b"\x81" * 190)
@example(b"\xd8\x23\x61\x28")  # a regular expression
def test_arbitrary_bytes_raise_only_peer_errors(raw: bytes) -> None:
    try:
        value = codec.decode(raw)
    except PeerError:
        return
    assert codec.encode(value) == raw, "what is accepted has one spelling"


@given(values, st.data())
def test_damaged_messages_raise_only_peer_errors(value: Any, data: st.DataObject) -> None:
    raw = bytearray(codec.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    test_arbitrary_bytes_raise_only_peer_errors.hypothesis.inner_test(bytes(raw))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "cut off"),
        ("18", "cut off"),
        ("1817", "shortest"),
        ("1900ff", "shortest"),
        ("1a0000ffff", "shortest"),
        ("1b00000000ffffffff", "shortest"),
        ("5f4101ff", "indefinite"),
        ("9fff", "indefinite"),
        ("bfff", "indefinite"),
        ("1c", "indefinite"),
        ("f93c00", "floats"),
        ("fb3ff8000000000000", "floats"),
        ("f7", "floats"),
        ("f820", "floats"),
        ("ff", "floats"),
        ("c001", "tags"),
        ("c2", "tags"),
        ("c24101", "big integer"),
        ("c249000000000000000001", "big integer"),
        ("c25821" + "01" * 33, "big integer"),
        ("a2616201616101", "unsorted"),
        ("a2616101616102", "repeated"),
        ("a10101", "not a text"),
        ("62c328", "UTF-8"),
        ("4201", "cut off"),
        ("8201", "cut off"),
        ("a16161", "cut off"),
        ("0000", "follow"),
        ("81" * 18 + "00", "deeply"),
    ],
)
def test_refusals_say_why(raw: str, why: str) -> None:
    with pytest.raises(PeerError, match=why):
        codec.decode(bytes.fromhex(raw))


def test_encoding_is_that_of_any_canonical_cbor() -> None:
    value = {"b": [1, -1, b"x", "y", None, True], "a": 2**64, "aa": {}}
    assert codec.encode(value) == cbor2.dumps(value, canonical=True)
    assert cbor2.loads(codec.encode(value)) == value


def test_message_ends_at_its_limit() -> None:
    raw = codec.encode(bytes(100))
    assert codec.decode(raw, limit=len(raw)) == bytes(100)
    with pytest.raises(PeerError, match="longer than"):
        codec.decode(raw, limit=len(raw) - 1)


@given(st.binary(min_size=1, max_size=300))
def test_frame_says_its_length(payload: bytes) -> None:
    framed = codec.frame(payload)
    assert codec.frame_length(framed[:4]) == len(payload)
    assert framed[4:] == payload


@pytest.mark.parametrize("header", [b"", b"\x00\x00\x00", bytes(4), b"\x00\x00\x40\x01", b"\xff" * 4])
def test_bad_frame_header_is_the_senders_fault(header: bytes) -> None:
    with pytest.raises(PeerError):
        codec.frame_length(header)


@pytest.mark.parametrize("payload", [b"", bytes(codec.EXCHANGE_LIMIT + 1)])
def test_our_own_frames_are_within_limits(payload: bytes) -> None:
    with pytest.raises(ValueError, match="a frame holds"):
        codec.frame(payload)
