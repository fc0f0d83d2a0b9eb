"""One SQLite file with one owner: opening, locking, migrating, and a thread that alone writes.

WAL with synchronous=FULL: a commit that has returned survives a power cut, and one that has not is not there
at all. The writer is one connection used by one thread at a time; readers have a connection of their own, so
a long query never delays a commit. A lock on a file beside it gives the database one owner: two daemons on
one journal would sign for two different stories.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import trio

from blockedge_node.errors import ConfigError

T = TypeVar("T")

Row = tuple[Any, ...]


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process, however that comes."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise ConfigError(
                f"{path.parent} is in use by another BlockEdge node (process {owner}); "
                "stop that one, or give this one a data directory of its own"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)


class Database:
    """See the module docstring. `scripts`: SQL files of this package; the database's version counts those
    applied.
    """

    def __init__(self, path: Path, scripts: Sequence[str]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._lock = Lock(path.with_name(path.name + ".lock"))
        try:
            self._writer = _connect(path)
            _migrate(self._writer, path, scripts)
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            self._lock.release()
            raise ConfigError(f"{path} is not a usable journal: {error}; restore it from a backup") from error
        except ConfigError:
            self._lock.release()
            raise
        self._writing = trio.CapacityLimiter(1)
        self._reading = trio.CapacityLimiter(1)

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `change` in one transaction; on return it is on disk. Not cancelled half-way.

        Raises ConfigError if the disk does not take it.
        """
        return await trio.to_thread.run_sync(self.write_now, change, limiter=self._writing)

    def write_now(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """`write` on the caller's thread: for start-up and tools, while nobody else writes."""
        try:
            with self._writer:  # commits, or rolls back on any error
                self._writer.execute("BEGIN IMMEDIATE")
                return change(self._writer)
        except sqlite3.OperationalError as error:
            raise ConfigError(
                f"{self.path} cannot be written: {error}; free space or fix the disk"
            ) from error

    async def read(self, sql: str, *values: Any) -> list[Row]:
        return await trio.to_thread.run_sync(lambda: self.read_now(sql, *values), limiter=self._reading)

    def read_now(self, sql: str, *values: Any) -> list[Row]:
        """All rows of a query, on the caller's thread."""
        with closing(self._reader.execute(sql, values)) as cursor:
            return cursor.fetchall()

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
        self._lock.release()


def copy(source: Path, target: Path) -> None:
    """A consistent copy of a database, its owner running or not. Raises ConfigError if `target` exists."""
    if target.exists():
        raise ConfigError(f"{target} exists already; a backup never overwrites a file")
    if not source.exists():
        raise ConfigError(f"there is no journal at {source}")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def _connect(path: Path) -> sqlite3.Connection:
    new = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    if new:
        path.chmod(0o600)  # salts and secrets lie in here
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, scripts: Sequence[str]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise ConfigError(
            f"{path} has version {version}, this node knows {len(scripts)}: it was written by a newer BlockEdge; "
            "install that one, or restore the backup from before the upgrade"
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        sql = resources.files(__package__).joinpath(script).read_text("utf-8")
        connection.executescript(f"BEGIN; {sql} PRAGMA user_version = {number}; COMMIT;")
