"""Files that are whole or absent, whenever the power fails: write, fsync, rename, fsync of the directory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from blockedge_node.errors import Transient


@contextlib.contextmanager
def scratch(directory: Path, prefix: str) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new private file that vanishes with the block unless it was renamed. Raises Transient if the disk is
    full.
    """
    fd, name = tempfile.mkstemp(dir=directory, prefix=prefix)
    try:
        with os.fdopen(fd, "wb") as file:
            yield Path(name), file
    except OSError as error:
        raise Transient(f"{directory} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_whole(path: Path, data: bytes) -> None:
    with scratch(path.parent, ".new-") as (new, file):
        file.write(data)
        flush(file)
        new.replace(path)


def flush(file: IO[bytes]) -> None:
    """All that was written is on disk on return."""
    file.flush()
    os.fsync(file.fileno())


def flush_directory(path: Path) -> None:
    """Names given and taken in `path` are on disk on return."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
