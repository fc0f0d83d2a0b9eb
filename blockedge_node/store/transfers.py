"""Blobs on their way in: from a client, whose address nobody knows yet, or from peers, checked chunk by
chunk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from io import BufferedWriter
from pathlib import Path
from types import TracebackType

from blockedge_node.core import merkle
from blockedge_node.core.ids import Hash, Root
from blockedge_node.errors import PeerError
from blockedge_node.store.files import flush, scratch, write_whole

Adopt = Callable[[Path, Root, Sequence[Hash]], None]  # gives a complete file its place in the store


class Upload:
    """A blob in the making: `write` any number of times, then `finish`. A context manager; unfinished, it is
    gone.
    """

    def __init__(self, directory: Path, adopt: Adopt) -> None:
        self._stack = contextlib.ExitStack()
        self._directory = directory
        self._adopt = adopt
        self._leaves: list[Hash] = []
        self._tail = b""

    def __enter__(self) -> Upload:
        self._path, self._file = self._stack.enter_context(scratch(self._directory, "put-"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, data: bytes) -> None:
        self._file.write(data)
        data = self._tail + data
        whole = len(data) - len(data) % merkle.CHUNK
        self._leaves += [merkle.leaf(data[i : i + merkle.CHUNK]) for i in range(0, whole, merkle.CHUNK)]
        self._tail = data[whole:]

    def finish(self) -> Root:
        """The address of all that was written, which is on disk on return."""
        if self._tail or not self._leaves:
            self._leaves.append(merkle.leaf(self._tail))
        root = merkle.root_of_leaves(self._leaves)
        flush(self._file)
        self._adopt(self._path, root, self._leaves)
        return root


class Partial:
    """A download in progress, as p2p/blobs.py declares it: chunks come in order, each checked by its hash.

    The leaf hashes lie beside the chunks, so that a download goes on where the last process left it; what
    lies there is then checked again, since a crash may have torn it. The size that a peer claimed is not
    kept: only the last chunk's hash tells it for sure, and a false claim must not spoil what others send.
    """

    def __init__(self, path: Path, root: Root, leaves: tuple[Hash, ...], adopt: Adopt) -> None:
        self.path, self.root, self.leaves = path, root, leaves
        self.next = 0  # the first chunk that is missing
        self._adopt = adopt
        self._file: BufferedWriter | None = None

    @classmethod
    def begin(cls, path: Path, root: Root, leaves: Sequence[Hash], adopt: Adopt) -> Partial:
        """A new one; `leaves` were checked against the root."""
        write_whole(_leaves_of(path), b"".join(leaves))
        path.write_bytes(b"")
        path.chmod(0o600)
        return cls(path, root, tuple(leaves), adopt)

    @classmethod
    def resume(cls, path: Path, root: Root, adopt: Adopt) -> Partial | None:
        """The one that an earlier process began, with its intact chunks; None if there is none."""
        try:
            joined = _leaves_of(path).read_bytes()
            leaves = tuple(Hash(joined[i : i + 32]) for i in range(0, len(joined), 32))
            if not leaves or merkle.root_of_leaves(leaves) != root:
                return None
            partial, length = cls(path, root, leaves, adopt), 0
            with path.open("r+b") as file:
                while (chunk := file.read(merkle.CHUNK)) and merkle.verify(chunk, partial.next, leaves):
                    partial.next += 1
                    length += len(chunk)
                file.truncate(length)
        except FileNotFoundError:
            return None
        return partial

    @property
    def complete(self) -> bool:
        return self.next == len(self.leaves)

    def add(self, chunk: bytes) -> None:
        """Append chunk `next`. Raises PeerError if it is not that chunk."""
        if self.complete or not merkle.verify(chunk, self.next, self.leaves):
            raise PeerError(f"chunk {self.next} of blob {self.root.hex()} is false")
        if self._file is None:
            self._file = self.path.open("ab")
        self._file.write(chunk)
        self.next += 1

    def close(self) -> None:
        """End this attempt; what came is kept for the next one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def finish(self) -> None:
        """Make the complete download a blob, on disk on return. Raises ValueError if chunks are missing."""
        if not self.complete:
            raise ValueError(f"blob {self.root.hex()} lacks chunks from {self.next} on")
        self.close()
        with self.path.open("ab") as file:
            flush(file)
        self._adopt(self.path, self.root, self.leaves)
        _leaves_of(self.path).unlink(missing_ok=True)


def _leaves_of(path: Path) -> Path:
    return path.with_suffix(".leaves")
