"""Blobs by content address: one file each, whole or not there (docs/protocol.md §2.3, §10).

    blobs/ab/abcd…          the bytes
    blobs/ab/abcd….leaves   its leaf hashes, if it has more than one chunk: serving it costs no hashing
    blobs/ab/abcd….pin      it stays however old it is
    partial/abcd…           chunks of a download, in order; abcd….leaves: its leaf hashes

A file gets its name only when it is complete and on disk (write, fsync, rename, fsync of the directory), so a
crash leaves at most something in partial/. When the quota is reached, blobs that nobody pinned go, the
longest unused first.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from blockedge_node.core import merkle
from blockedge_node.core.ids import Hash, Root
from blockedge_node.errors import Transient
from blockedge_node.store.files import flush_directory, write_whole
from blockedge_node.store.transfers import Partial, Upload

DEFAULT_QUOTA = 8 * 1024**3  # bytes


class Blobs:
    """A store under one directory; safe to use from several threads. `quota` in bytes, `clock` in unix
    seconds.

    Reading or storing a blob counts as using it. Raises Transient where the quota or the disk is full.
    """

    def __init__(
        self, directory: Path, *, quota: int = DEFAULT_QUOTA, clock: Callable[[], float] = time.time
    ) -> None:
        self._blobs = directory / "blobs"
        self._partial = directory / "partial"
        self._quota = quota
        self._clock = clock
        self._lock = threading.RLock()
        self._begun: dict[Root, Partial] = {}
        for path in (directory, self._blobs, self._partial):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._used = sum(path.stat().st_size for path in self._blobs.glob("*/*"))

    @property
    def used(self) -> int:
        """Bytes of all blobs and their leaf hashes."""
        return self._used

    # ── whole blobs ──────────────────────────────────────────────────────────────────────────────────────

    def put(self, data: bytes) -> Root:
        """Stores `data`; on return it is on disk under its address. Raises Transient if there is no room."""
        with self.upload() as upload:
            upload.write(data)
            return upload.finish()

    def upload(self) -> Upload:
        """A blob that arrives piece by piece, of any length, without being held in memory."""
        return Upload(self._partial, self._adopt)

    def get(self, root: Root) -> bytes | None:
        """The blob, or None if it is not here."""
        self._use(root)
        try:
            return self._path(root).read_bytes()
        except FileNotFoundError:
            return None

    def has(self, root: Root) -> bool:
        return self._path(root).exists()

    def path(self, root: Root) -> Path | None:
        """Where the blob lies, to be read only; None if it is not here."""
        return self._path(root) if self._use(root) else None

    def size(self, root: Root) -> int | None:
        """Bytes, or None if it is not here."""
        try:
            return self._path(root).stat().st_size
        except FileNotFoundError:
            return None

    # ── serving ──────────────────────────────────────────────────────────────────────────────────────────

    def leaves(self, root: Root) -> Sequence[Hash] | None:
        """All leaf hashes of a blob, or None if it is not here."""
        size = self.size(root)
        if size is None or size <= merkle.CHUNK:
            return None if size is None else (Hash(root),)
        try:
            joined = self._leaves_path(root).read_bytes()
        except FileNotFoundError:  # pruned between the two looks
            return None
        return tuple(Hash(joined[i : i + 32]) for i in range(0, len(joined), 32))

    def chunks(self, root: Root, first: int, count: int) -> bytes:
        """Chunks [first, first + count), joined; fewer where the blob ends, none if it is not here."""
        try:
            with self._path(root).open("rb") as file:
                file.seek(first * merkle.CHUNK)
                return file.read(count * merkle.CHUNK)
        except FileNotFoundError:
            return b""

    # ── downloads ────────────────────────────────────────────────────────────────────────────────────────

    def partial(self, root: Root, size: int, leaves: Sequence[Hash]) -> Partial:
        """A download whose leaf hashes were checked against the root, resumed where an earlier one ended, in
        this process or another. Raises Transient if there is no room.
        """
        path = self._partial / root.hex()
        found = self._begun.get(root) or Partial.resume(path, root, self._adopt)
        if found is None:
            self._reserve(size, keep=root)
            found = Partial.begin(path, root, leaves, self._adopt)
        self._begun[root] = found
        return found

    # ── keeping and forgetting ───────────────────────────────────────────────────────────────────────────

    def pin(self, root: Root) -> None:
        """Keeps the blob (also one that comes later) until it is unpinned; survives a restart."""
        path = self._pin_path(root)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)

    def unpin(self, root: Root) -> None:
        self._pin_path(root).unlink(missing_ok=True)

    def prune(self, older_than: float, keep: Collection[Root] = ()) -> int:
        """Removes blobs and downloads unused for `older_than` seconds, but for those pinned or in `keep`.

        How many bytes of blobs.
        """
        before = self._clock() - older_than
        with self._lock:
            freed = self._remove(path for path, used in self._evictable(keep) if used < before)
            for path in list(self._partial.iterdir()):
                chunks = path.with_suffix("")
                if (chunks if chunks.exists() else path).stat().st_mtime < before:
                    path.unlink()
            self._begun = {root: p for root, p in self._begun.items() if p.path.exists()}
        return freed

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────

    def _path(self, root: Root) -> Path:
        name = root.hex()
        return self._blobs / name[:2] / name

    def _leaves_path(self, root: Root) -> Path:
        return self._path(root).with_suffix(".leaves")

    def _pin_path(self, root: Root) -> Path:
        return self._path(root).with_suffix(".pin")

    def _use(self, root: Root) -> bool:
        """Marks a blob as used now; False if it is not here."""
        try:
            os.utime(self._path(root), (self._clock(), self._clock()))
        except FileNotFoundError:
            return False
        return True

    def _adopt(self, file: Path, root: Root, leaves: Sequence[Hash]) -> None:
        """Gives a complete file its name. Its leaf hashes go first: a blob is never without them."""
        target = self._path(root)
        with self._lock:
            self._begun.pop(root, None)
            if self._use(root):
                file.unlink()
                return
            target.parent.mkdir(mode=0o700, exist_ok=True)
            size = file.stat().st_size
            if len(leaves) > 1:
                size += 32 * len(leaves)
            self._reserve(size, keep=root)
            if len(leaves) > 1:
                write_whole(self._leaves_path(root), b"".join(leaves))
            file.replace(target)
            flush_directory(target.parent)
            self._used += size
            self._use(root)

    def _reserve(self, size: int, keep: Root) -> None:
        """Makes room for `size` bytes by dropping what nobody pinned, the longest unused first."""
        with self._lock:
            if self._used + size <= self._quota:
                return
            for path, _ in sorted(self._evictable((keep,)), key=lambda entry: entry[1]):
                self._remove([path])
                if self._used + size <= self._quota:
                    return
            raise Transient(
                f"the blob store is full: {self._used} of {self._quota} bytes are pinned, {size} more are needed; "
                "wait for tasks to end, or raise its quota"
            )

    def _evictable(self, keep: Collection[Root]) -> Iterator[tuple[Path, float]]:
        kept = {root.hex() for root in keep}
        for path in list(self._blobs.glob("*/*")):
            if not path.suffix and path.name not in kept and not path.with_suffix(".pin").exists():
                yield path, path.stat().st_mtime

    def _remove(self, paths: Iterator[Path] | list[Path]) -> int:
        freed = 0
        for path in paths:
            for file in (path, path.with_suffix(".leaves")):  # the blob first: it is never without its leaves
                with contextlib.suppress(FileNotFoundError):
                    freed += file.stat().st_size
                    file.unlink()
        self._used -= freed
        return freed
