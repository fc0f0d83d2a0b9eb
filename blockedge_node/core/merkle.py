"""Content addressing: a blob is named by the Merkle root over its 1 KiB chunks (docs/protocol.md §2.3).

leaf = keccak256(0x00‖chunk), node = keccak256(0x01‖left‖right), an odd node moves up unchanged, the empty
blob is one empty chunk. The prefixes keep a node from being passed off as a chunk. The root of ≤ 1 KiB is one
hash, which the contract can afford; for more, whoever serves a blob shows all leaf hashes first and every
chunk is checked on arrival.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Hash, Root

CHUNK = 1024  # bytes; the last chunk may be shorter


def chunk_count(size: int) -> int:
    """How many chunks a blob of `size` bytes has; never 0."""
    return max(1, -(-size // CHUNK))


def chunk_length(size: int, index: int) -> int:
    """Length in bytes of chunk `index` of a blob of `size` bytes."""
    return min(CHUNK, size - CHUNK * index)


def chunks(data: bytes) -> Iterator[bytes]:
    for i in range(chunk_count(len(data))):
        yield data[CHUNK * i : CHUNK * (i + 1)]


def leaf(chunk: bytes) -> Hash:
    return keccak256(b"\x00" + chunk)


def node(left: Hash, right: Hash) -> Hash:
    return keccak256(b"\x01" + left + right)


def leaves(data: bytes) -> tuple[Hash, ...]:
    """The leaf hashes of a blob, in order."""
    return tuple(map(leaf, chunks(data)))


def root_of_leaves(row: Sequence[Hash]) -> Root:
    """The root over a blob's leaf hashes; one leaf is its own root. Raises ValueError for an empty row."""
    if not row:
        raise ValueError("a Merkle tree has at least one leaf")
    level = list(row)
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return Root(level[0])


def path(row: Sequence[Hash], index: int) -> tuple[Hash, ...]:
    """What proves leaf `index` of the tree over `row`: its sibling on every level that has one, lowest first."""
    found: list[Hash] = []
    level = list(row)
    while len(level) > 1:
        if index ^ 1 < len(level):
            found.append(level[index ^ 1])
        odd = level[-1:] if len(level) % 2 else []
        level = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
        index //= 2
    return tuple(found)


def root_of_path(chunk: bytes, index: int, count: int, path: Sequence[Hash]) -> Root | None:
    """The root of a tree of `count` leaves that has `chunk` at `index`, by its `path`; None if that cannot be.

    As `supply` of contracts/src reads it (§10): a level's odd last node has no sibling and moves up unchanged.
    """
    found, left = leaf(chunk), list(path)
    if not 0 <= index < count:
        return None
    while count > 1:
        if index ^ 1 < count:
            if not left:
                return None
            sibling = left.pop(0)
            found = node(sibling, found) if index % 2 else node(found, sibling)
        index, count = index // 2, (count + 1) // 2
    return None if left else Root(found)


def root(data: bytes) -> Root:
    """The content address of `data`."""
    return root_of_leaves(leaves(data))


def fits(row: Sequence[Hash], address: Root, size: int) -> bool:
    """Whether `row` are the leaf hashes of a blob of `size` bytes named `address`; asked before any chunk."""
    return size >= 0 and len(row) == chunk_count(size) and root_of_leaves(row) == address


def verify(chunk: bytes, index: int, row: Sequence[Hash]) -> bool:
    """Whether `chunk` is chunk `index` of the blob with these leaf hashes; all but the last are full."""
    if not 0 <= index < len(row) or len(chunk) > CHUNK or (len(chunk) < CHUNK and index < len(row) - 1):
        return False
    return leaf(chunk) == row[index]
