"""The journal: facts on disk before anything is done about them (docs/protocol.md §4, invariant 18).

    commit(machines, notes)   one transaction: the changed machines and the lines of their story
    load()                    all living machines, as the last transaction that returned left them
    outbox_…                  signed transactions, kept before they are broadcast (chain/outbox.py)

A machine that is retired stays as an archived row for some days, so that a finished job can still be shown.
It holds salts and draw secrets: the file is for its owner alone.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from blockedge_node.core.actions import Note
from blockedge_node.core.events import CallMined
from blockedge_node.core.ids import Hash, UnitId
from blockedge_node.errors import ConfigError
from blockedge_node.store.database import Database, Row
from blockedge_node.wire import records

MIGRATIONS = ("schema.sql",)  # in order; the database's version is how many of them it has seen
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNote:
    """A note with its place in the story; `at` in unix ms of this node's clock."""

    id: int
    at: int
    note: Note


class OutboxRow(NamedTuple):
    """A row as chain/outbox.py declares it."""

    nonce: int
    key: str
    call: str
    raw: bytes
    hash: bytes
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A retired machine as it was last; times in unix ms."""

    key: str
    machine: Any
    retired_at: int


class Journal:
    """ports.Journal and chain.outbox.Outbox on one SQLite file.

    `registry` names every class that a machine may be of. `clock` gives unix seconds, for notes alone.
    Raises ConfigError if another process owns the journal, or it is damaged or too new.
    """

    def __init__(
        self, path: Path, registry: Mapping[str, type], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._db = Database(path, MIGRATIONS)

    def close(self) -> None:
        self._db.close()

    # ── machines ─────────────────────────────────────────────────────────────────────────────────────────

    def load(self) -> Mapping[str, object]:
        """All living machines by key. Raises ConfigError if a row is not one this version can read."""
        rows = self._db.read_now("SELECT key, row FROM machines WHERE retired_at IS NULL ORDER BY key")
        return {key: self._machine(key, row) for key, row in rows}

    async def commit(self, machines: Mapping[str, object | None], notes: Sequence[Note] = ()) -> None:
        """One durable transaction; None retires a machine. On return it is on disk, or it has raised."""
        now = self._now()
        kept = [(key, machine) for key, machine in machines.items() if machine is not None]
        retired = [(now, key) for key, machine in machines.items() if machine is None]

        def change(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT INTO machines (key, row, changed_at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
                "SET row = excluded.row, changed_at = excluded.changed_at, retired_at = NULL",
                [(key, records.dump(machine), now) for key, machine in kept],
            )
            db.executemany("UPDATE machines SET retired_at = ? WHERE key = ?", retired)
            db.executemany(
                "INSERT INTO notes (at, subject, code, fields) VALUES (?, ?, ?, ?)",
                [(now, n.subject, n.code, json.dumps(dict(n.fields))) for n in notes],
            )

        if machines or notes:
            await self._db.write(change)

    async def archived(self, prefix: str = "", limit: int = 100) -> Sequence[Archived]:
        """Retired machines whose key begins with `prefix`, the newest first."""
        rows = await self._db.read(
            "SELECT key, row, retired_at FROM machines WHERE retired_at IS NOT NULL AND substr(key, 1, ?) = ? "
            "ORDER BY retired_at DESC, key LIMIT ?",
            len(prefix),
            prefix,
            limit,
        )
        return [Archived(key=key, machine=self._machine(key, row), retired_at=at) for key, row, at in rows]

    async def machine(self, key: str) -> Any | None:
        """A machine by its exact key, living or archived."""
        rows = await self._db.read("SELECT row FROM machines WHERE key = ?", key)
        return self._machine(key, rows[0][0]) if rows else None

    def _machine(self, key: str, row: bytes) -> Any:
        try:
            return records.load(self._registry, row)
        except ValueError as error:
            raise ConfigError(
                f"{self._db.path}: cannot read {key!r}: {error}; "
                "run the BlockEdge version that wrote it until its tasks are over, or restore a backup"
            ) from error

    # ── notes ────────────────────────────────────────────────────────────────────────────────────────────

    async def notes(self, subjects: Collection[bytes], limit: int = 1000) -> Sequence[StoredNote]:
        """The newest `limit` notes about any of `subjects` (32 bytes each), oldest first."""
        marks = ", ".join("?" * len(subjects))
        rows = await self._db.read(
            f"SELECT id, at, subject, code, fields FROM notes WHERE subject IN ({marks}) "
            "ORDER BY id DESC LIMIT ?",
            *subjects,
            limit,
        )
        return _stored(reversed(rows))

    async def notes_by_code(self, prefix: str, limit: int = 100) -> Sequence[StoredNote]:
        """The newest notes whose code begins with `prefix`, e.g. "bid.", newest first."""
        rows = await self._db.read(
            "SELECT id, at, subject, code, fields FROM notes WHERE substr(code, 1, ?) = ? "
            "ORDER BY id DESC LIMIT ?",
            len(prefix),
            prefix,
            limit,
        )
        return _stored(rows)

    async def notes_after(self, id: int, limit: int = 1000, *, code: str = "") -> Sequence[StoredNote]:
        """Notes with a higher id whose code begins with `code`, oldest first: what a reader that has seen `id` has
        missed."""
        rows = await self._db.read(
            "SELECT id, at, subject, code, fields FROM notes WHERE id > ? AND substr(code, 1, ?) = ? "
            "ORDER BY id LIMIT ?",
            id,
            len(code),
            code,
            limit,
        )
        return _stored(rows)

    async def newest_note(self) -> int:
        """The id of the last note; 0 if there is none."""
        rows = await self._db.read("SELECT coalesce(max(id), 0) FROM notes")
        return int(rows[0][0])

    async def subjects(self, prefix: str, limit: int = 20) -> Sequence[bytes]:
        """Subjects of notes whose hex form begins with `prefix` (hex digits, no 0x), in byte order.

        Raises ValueError if it is not hex.
        """
        low = bytes.fromhex(prefix.ljust(64, "0")[:64])
        high = bytes.fromhex(prefix.ljust(64, "f")[:64])
        rows = await self._db.read(
            "SELECT DISTINCT subject FROM notes WHERE subject BETWEEN ? AND ? ORDER BY subject LIMIT ?",
            low,
            high,
            limit,
        )
        return [subject for (subject,) in rows]

    # ── transactions ─────────────────────────────────────────────────────────────────────────────────────

    def outbox_rows(self) -> Sequence[OutboxRow]:
        """All rows, by nonce, then in the order in which they were put."""
        rows = self._db.read_now("SELECT nonce, key, call, raw, hash, state FROM outbox ORDER BY nonce, id")
        return [OutboxRow(*row) for row in rows]

    async def outbox_put(self, nonce: int, key: str, call: str, raw: bytes, hash: bytes, state: str) -> None:
        """Inserts the row, or changes its state; durable on return."""
        await self._db.write(
            lambda db: db.execute(
                "INSERT INTO outbox (nonce, key, call, raw, hash, state) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (nonce, hash) DO UPDATE SET state = excluded.state",
                (nonce, key, call, raw, hash, state),
            )
        )

    async def outbox_drop(self, nonce: int) -> None:
        """Forgets a nonce that the chain has consumed for good."""
        await self._db.write(lambda db: db.execute("DELETE FROM outbox WHERE nonce = ?", (nonce,)))

    async def spend(self, mined: CallMined) -> None:
        """Keeps what a mined call cost; the same call twice counts once."""
        row = (mined.tx, mined.unit, mined.call, self._now(), mined.block, mined.gas, str(mined.fee))
        await self._db.write(
            lambda db: db.execute(
                "INSERT OR IGNORE INTO spending (tx, unit, call, at, block, gas, fee) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        )

    async def spending(self, unit: UnitId | None = None, since_ms: int = 0) -> Sequence[CallMined]:
        """What calls cost, oldest first: of one unit, or of all."""
        where = "at >= ? AND unit = ?" if unit else "at >= ?"
        rows = await self._db.read(
            f"SELECT unit, call, tx, block, gas, fee FROM spending WHERE {where} ORDER BY at, block",
            since_ms,
            *([unit] if unit else []),
        )
        return [
            CallMined(unit=UnitId(u), call=call, tx=Hash(tx), block=block, gas=gas, fee=int(fee))
            for u, call, tx, block, gas, fee in rows
        ]

    # ── the node itself ──────────────────────────────────────────────────────────────────────────────────

    def meta(self, key: str) -> str | None:
        rows = self._db.read_now("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else None

    async def set_meta(self, key: str, value: str) -> None:
        await self._db.write(
            lambda db: db.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )
        )

    async def prune(self, days: int) -> int:
        """Forgets machines retired, and notes and costs written, more than `days` ago. How many rows."""
        before = self._now() - days * DAY_MS

        def change(db: sqlite3.Connection) -> int:
            return sum(
                db.execute(f"DELETE FROM {table} WHERE {column} < ?", (before,)).rowcount
                for table, column in (("machines", "retired_at"), ("notes", "at"), ("spending", "at"))
            )

        return await self._db.write(change)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _stored(rows: Iterable[Row]) -> list[StoredNote]:
    return [
        StoredNote(
            id=id,
            at=at,
            note=Note(subject=Hash(subject), code=code, fields=tuple(json.loads(fields).items())),
        )
        for id, at, subject, code, fields in rows
    ]
