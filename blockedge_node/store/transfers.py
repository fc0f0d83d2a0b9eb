"""Blobs on their way in: from a client, whose address nobody knows yet, or from peers, checked chunk by
chunk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from blockedge_node.core import merkle
from blockedge_node.core.ids import Hash, Root
from blockedge_node.errors import PeerError, Transient
from blockedge_node.store.files import flush, scratch

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
    """A download in progress: `next` is the first chunk that is missing; `add` takes them in order.

    Every chunk is checked on arrival. A broken transfer keeps what it has; a finished one becomes a blob.
    """

    def __init__(self, path: Path, root: Root, size: int, leaves: tuple[Hash, ...], adopt: Adopt) -> None:
        self.root, self.size, self.leaves = root, size, leaves
        self._path = path
        self._adopt = adopt
        self._file = os.fdopen(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "a+b"
        )
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Transient(f"blob {root.hex()} is being fetched already") from error
        self.next = self._checked()

    def _checked(self) -> int:
        """How many chunks of an earlier attempt are intact; whatever follows them is cut off."""
        self._file.seek(0)
        good = 0
        while good < len(self.leaves):
            chunk = self._file.read(self.length(good))
            if not merkle.verify(chunk, good, self.leaves):
                break
            good += 1
        self._file.truncate(min(good * merkle.CHUNK, self.size))
        return good

    @property
    def complete(self) -> bool:
        return self.next == len(self.leaves)

    def length(self, index: int) -> int:
        """How many bytes chunk `index` has."""
        return merkle.chunk_length(self.size, index)

    def add(self, chunk: bytes) -> None:
        """Takes chunk `next`. Raises PeerError if it is not that chunk; what came before stays."""
        if self.complete or not merkle.verify(chunk, self.next, self.leaves):
            raise PeerError(f"chunk {self.next} of blob {self.root.hex()} does not match its hash")
        self._file.write(chunk)
        self.next += 1

    def finish(self) -> None:
        """Makes the complete download a blob, on disk on return. Raises ValueError if chunks are missing."""
        if not self.complete:
            raise ValueError(f"blob {self.root.hex()} lacks chunks from {self.next} on")
        flush(self._file)
        self._adopt(self._path, self.root, self.leaves)
        self._file.close()

    def close(self) -> None:
        """Ends an attempt; the chunks that arrived stay for the next one."""
        self._file.close()
