"""Content addressing: every bit of a blob is in its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import merkle
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Hash, Root

blobs = st.one_of(
    st.binary(max_size=3 * merkle.CHUNK),
    st.integers(0, 9 * merkle.CHUNK + 1).map(lambda n: bytes(i * 31 % 251 for i in range(n))),
)
large_blobs = st.builds(
    lambda size, pattern: (pattern * size)[:size],
    st.integers(2 * merkle.CHUNK + 1, 6 * merkle.CHUNK),
    st.binary(min_size=1, max_size=9),
)


def test_empty_blob_is_one_empty_chunk() -> None:
    assert merkle.root(b"") == keccak256(b"\x00")
    assert merkle.chunk_count(0) == 1


def test_small_blob_is_one_hash_for_the_contract() -> None:
    assert merkle.root(b"x" * 1024) == keccak256(b"\x00" + b"x" * 1024)


def test_odd_node_moves_up_unchanged() -> None:
    a, b, c = (merkle.leaf(bytes([i]) * 1024) for i in range(3))
    data = b"".join(bytes([i]) * 1024 for i in range(3))
    assert merkle.root(data) == merkle.node(merkle.node(a, b), c)


def test_node_is_no_chunk() -> None:
    """Without prefixes the 64 bytes of two hashes would be a chunk with the root of both."""
    two = bytes(2 * merkle.CHUNK)
    left, right = merkle.leaves(two)
    assert merkle.root(left + right) != merkle.root(two)


def test_a_tree_needs_a_leaf() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle.root_of_leaves([])


@given(blobs)
def test_every_chunk_of_a_blob_verifies(data: bytes) -> None:
    row = merkle.leaves(data)
    assert merkle.fits(row, merkle.root(data), len(data))
    assert b"".join(merkle.chunks(data)) == data
    for index, chunk in enumerate(merkle.chunks(data)):
        assert merkle.verify(chunk, index, row)
        assert len(chunk) == merkle.chunk_length(len(data), index)


@given(blobs.filter(bool), st.data())
def test_a_flipped_bit_changes_the_root_and_fails_its_chunk(data: bytes, draw: st.DataObject) -> None:
    bit = draw.draw(st.integers(0, 8 * len(data) - 1))
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    row, index = merkle.leaves(data), bit // 8 // merkle.CHUNK
    assert merkle.root(bytes(flipped)) != merkle.root(data)
    for i, chunk in enumerate(merkle.chunks(bytes(flipped))):
        assert merkle.verify(chunk, i, row) == (i != index)


@given(large_blobs, st.data())
def test_tampered_leaves_do_not_fit(data: bytes, draw: st.DataObject) -> None:
    row, root = list(merkle.leaves(data)), merkle.root(data)
    i = draw.draw(st.integers(0, len(row) - 1))
    for bad in (row[:i] + row[i + 1 :], [*row, row[i]], [*row[:i], Hash(bytes(32)), *row[i + 1 :]]):
        assert not merkle.fits(bad, root, len(data))
    assert not merkle.fits(row, root, len(data) + merkle.CHUNK)
    assert not merkle.fits(row, Root(bytes(32)), len(data))


def test_chunks_are_full_but_the_last() -> None:
    short, full = b"a" * 10, b"b" * merkle.CHUNK
    row = [merkle.leaf(short), merkle.leaf(full)]
    assert not merkle.verify(short, 0, row)
    assert merkle.verify(full, 1, row)
    assert not merkle.verify(full, 2, row)
    assert not merkle.verify(full, -1, row)


@given(blobs, st.data())
def test_a_path_proves_its_chunk_and_no_other_place(data: bytes, draw: st.DataObject) -> None:
    row, chunks = merkle.leaves(data), list(merkle.chunks(data))
    index = draw.draw(st.integers(0, len(row) - 1))
    path = merkle.path(row, index)
    assert merkle.root_of_path(chunks[index], index, len(row), path) == merkle.root(data)
    assert merkle.root_of_path(chunks[index], index, len(row), (*path, Hash(bytes(32)))) is None
    assert merkle.root_of_path(chunks[index], len(row), len(row), path) is None
    assert merkle.root_of_path(chunks[index] + b"!", index, len(row), path) != merkle.root(data)
    if path:
        assert merkle.root_of_path(chunks[index], index, len(row), path[1:]) != merkle.root(data)
