"""The journal on real files: before or after, never between; one owner; what was told is still there."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from blockedge_node.core.actions import Note
from blockedge_node.core.events import CallMined
from blockedge_node.core.ids import Hash, UnitId
from blockedge_node.errors import ConfigError
from blockedge_node.store.database import copy
from blockedge_node.store.journal import DAY_MS, Journal

DAY = DAY_MS / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    step: int
    salt: bytes = b""


REGISTRY = {"Machine": Machine}
JOB, UNIT = Hash(b"\xab\xcd" + bytes(30)), UnitId(b"\xab\xce" + bytes(30))


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "journal.db"


Open = Callable[[], Journal]


@pytest.fixture
def reopen(path: Path, clock: Clock) -> Iterator[Open]:
    """Opens the journal; the one opened before is closed, as if the process had ended."""
    opened: list[Journal] = []

    def open_again() -> Journal:
        close()
        opened.append(Journal(path, REGISTRY, clock=clock))
        return opened[-1]

    def close() -> None:
        while opened:
            opened.pop().close()

    yield open_again
    close()


def note(subject: bytes, code: str, **fields: str | int) -> Note:
    return Note(subject=Hash(subject), code=code, fields=tuple(fields.items()))


async def test_commit_is_there_after_a_restart(reopen: Open) -> None:
    await reopen().commit({"a": Machine(step=1, salt=b"s"), "b": Machine(step=2)}, [])
    journal = reopen()
    assert journal.load() == {"a": Machine(step=1, salt=b"s"), "b": Machine(step=2)}
    await journal.commit({"a": Machine(step=3)}, [note(JOB, "job.begun")])
    assert reopen().load() == {"a": Machine(step=3), "b": Machine(step=2)}


async def test_retired_machine_is_archived_and_may_live_again(reopen: Open, clock: Clock) -> None:
    journal = reopen()
    await journal.commit({"job/a": Machine(step=1), "job/b": Machine(step=2), "unit/c": Machine(step=3)})
    await journal.commit({"job/a": None})
    clock.now += 1
    await journal.commit({"job/b": None, "unit/c": None, "never": None})
    assert journal.load() == {}
    assert [a.key for a in await journal.archived("job/")] == ["job/b", "job/a"]
    assert (await journal.archived("unit/"))[0].machine == Machine(step=3)
    assert await journal.machine("job/a") == Machine(step=1)
    assert await journal.machine("never") is None
    await journal.commit({"job/a": Machine(step=9)})
    assert reopen().load() == {"job/a": Machine(step=9)}


async def test_story_is_told_in_order_with_its_times(reopen: Open, clock: Clock) -> None:
    journal = reopen()
    await journal.commit({}, [note(JOB, "job.begun", shards=2), note(UNIT, "bid.made", price=str(10**20))])
    clock.now += 1.5
    await journal.commit({}, [note(JOB, "job.done")])
    story = await journal.notes([JOB])
    assert [(n.note.code, n.note.fields) for n in story] == [
        ("job.begun", (("shards", 2),)),
        ("job.done", ()),
    ]
    assert story[1].at - story[0].at == 1_500
    assert [n.note.code for n in await journal.notes([JOB, UNIT], limit=2)] == ["bid.made", "job.done"]
    assert [n.note for n in await journal.notes_by_code("bid.")] == [
        note(UNIT, "bid.made", price=str(10**20))
    ]
    assert [n.note.code for n in await journal.notes_after(story[0].id)] == ["bid.made", "job.done"]
    assert await journal.notes([]) == []


async def test_subjects_are_found_by_any_prefix(reopen: Open) -> None:
    journal = reopen()
    await journal.commit({}, [note(JOB, "x"), note(JOB, "y"), note(UNIT, "x"), note(bytes(32), "x")])
    assert await journal.subjects("abc") == [JOB, UNIT]
    assert await journal.subjects("abcd") == [JOB]
    assert await journal.subjects(JOB.hex()) == [JOB]
    assert await journal.subjects("abcd1") == []
    assert len(await journal.subjects("")) == 3
    with pytest.raises(ValueError, match="hex"):
        await journal.subjects("xyz")


async def test_outbox_keeps_replacements_in_order(reopen: Open) -> None:
    journal = reopen()
    await journal.outbox_put(8, "settle:u", "settle", b"raw8", b"\x08" * 32, "sent")
    await journal.outbox_put(7, "reveal:u", "reveal", b"raw7", b"\x07" * 32, "sent")
    await journal.outbox_put(7, "reveal:u", "reveal", b"bumped", b"\x01" * 32, "sent")
    await journal.outbox_put(7, "reveal:u", "reveal", b"raw7", b"\x07" * 32, "mined")
    journal = reopen()
    assert journal.outbox_rows() == [
        (7, "reveal:u", "reveal", b"raw7", b"\x07" * 32, "mined"),
        (7, "reveal:u", "reveal", b"bumped", b"\x01" * 32, "sent"),
        (8, "settle:u", "settle", b"raw8", b"\x08" * 32, "sent"),
    ]
    await journal.outbox_drop(7)
    assert [row.nonce for row in journal.outbox_rows()] == [8]


async def test_cost_of_a_call_counts_once(reopen: Open, clock: Clock) -> None:
    journal = reopen()
    mined = CallMined(unit=UNIT, call="settle", tx=Hash(b"\x05" * 32), block=9, gas=59_000, fee=10**21)
    other = CallMined(unit=UnitId(bytes(32)), call="settle", tx=mined.tx, block=9, gas=1, fee=2)
    for call in (mined, mined, other):
        await journal.spend(call)
    assert await journal.spending(UNIT) == [mined]
    assert len(await journal.spending()) == 2
    assert await journal.spending(since_ms=int(clock.now * 1000) + 1) == []


async def test_meta_remembers_the_deployment(reopen: Open) -> None:
    journal = reopen()
    assert journal.meta("deployment") is None
    await journal.set_meta("deployment", "31337/0x01")
    await journal.set_meta("deployment", "31337/0x02")
    assert reopen().meta("deployment") == "31337/0x02"


async def test_prune_forgets_what_is_over_and_old(reopen: Open, clock: Clock) -> None:
    journal = reopen()
    await journal.commit({"old": Machine(step=1), "live": Machine(step=2)}, [note(JOB, "job.begun")])
    await journal.commit({"old": None})
    clock.now += 2 * DAY
    await journal.commit({"new": Machine(step=3)}, [note(JOB, "job.done")])
    await journal.commit({"new": None})
    assert await journal.prune(days=1) == 2
    assert journal.load() == {"live": Machine(step=2)}
    assert [a.key for a in await journal.archived()] == ["new"]
    assert [n.note.code for n in await journal.notes([JOB])] == ["job.done"]


async def test_failed_commit_changes_nothing(reopen: Open) -> None:
    journal = reopen()
    await journal.commit({"a": Machine(step=1)})
    with pytest.raises(ValueError, match="not a int"):
        await journal.commit({"a": Machine(step=2), "b": Machine(step="3")}, [note(JOB, "x")])  # type: ignore[arg-type]
    assert reopen().load() == {"a": Machine(step=1)}


async def test_journal_has_one_owner(path: Path, reopen: Open) -> None:
    reopen()
    with pytest.raises(ConfigError, match=rf"process {os.getpid()}\); stop that one"):
        Journal(path, REGISTRY)
    second = await trio.run_process([sys.executable, "-c", SECOND, str(path)], capture_stdout=True)
    assert b"is in use by another BlockEdge node" in second.stdout


SECOND = """
import sys
from pathlib import Path
from blockedge_node.errors import ConfigError
from blockedge_node.store.journal import Journal
try:
    Journal(Path(sys.argv[1]), {})
except ConfigError as error:
    print(error)
"""


async def test_secrets_in_the_journal_are_for_its_owner(path: Path, reopen: Open) -> None:
    await reopen().commit({"a": Machine(step=1)})
    for file in (path, *path.parent.glob("journal.db*")):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0


async def test_row_of_an_unknown_type_says_what_to_do(path: Path, reopen: Open) -> None:
    await reopen().commit({"a": Machine(step=1)})
    backup = path.with_name("older.db")
    copy(path, backup)
    older = Journal(backup, {})
    try:
        with pytest.raises(ConfigError, match=r"cannot read 'a'.*restore a backup"):
            older.load()
    finally:
        older.close()


def test_newer_journal_is_refused_and_stays_as_it_is(path: Path) -> None:
    Journal(path, REGISTRY).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match=r"version 99.*newer BlockEdge"):
        Journal(path, REGISTRY)
    with pytest.raises(ConfigError, match="version 99"):  # not: in use by another process
        Journal(path, REGISTRY)


def test_damaged_journal_says_so(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but long enough to be looked at" * 40)
    with pytest.raises(ConfigError, match=r"not a usable journal.*backup"):
        Journal(path, REGISTRY)


async def test_backup_is_whole_and_overwrites_nothing(path: Path, reopen: Open, tmp_path: Path) -> None:
    await reopen().commit({"a": Machine(step=1)}, [note(JOB, "x")])
    copy(path, tmp_path / "backup.db")  # its owner is running
    with pytest.raises(ConfigError, match="never overwrites"):
        copy(path, tmp_path / "backup.db")
    with pytest.raises(ConfigError, match="no journal"):
        copy(tmp_path / "missing.db", tmp_path / "other.db")
    restored = Journal(tmp_path / "backup.db", REGISTRY)
    try:
        assert restored.load() == {"a": Machine(step=1)}
    finally:
        restored.close()


# ── kill -9 ──────────────────────────────────────────────────────────────────────────────────────────────

WRITER = """
import sys
from pathlib import Path
import trio
from blockedge_node.core.actions import Note
from tests_journal_machine import Machine
from blockedge_node.store.journal import Journal

async def main():
    journal = Journal(Path(sys.argv[1]), {"Machine": Machine})
    step = max([m.step for m in journal.load().values()], default=0)
    while True:
        step += 1
        machines = {key: Machine(step=step, salt=bytes(3000)) for key in "abc"}
        await journal.commit(machines, [Note(subject=bytes(32), code=str(step))])
        print(step, flush=True)

trio.run(main)
"""

MACHINE = """
from dataclasses import dataclass
@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    step: int
    salt: bytes = b""
"""


def test_i18_killed_writer_leaves_all_or_nothing(path: Path, tmp_path: Path, repository: Path) -> None:
    """Three machines and a note go together; what was acknowledged is there, at most one more is."""
    (tmp_path / "tests_journal_machine.py").write_text(MACHINE)
    env = os.environ | {"PYTHONPATH": f"{repository}{os.pathsep}{tmp_path}"}
    chance, reached = random.Random(7), 0
    for _ in range(4):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as writer:
            assert writer.stdout is not None
            until = reached + chance.randrange(3, 25)
            told = reached
            while told < until:
                told = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            told = max([told, *map(int, writer.stdout.read().split())])
        journal = Journal(path, REGISTRY)  # the lock died with its owner
        try:
            machines = journal.load()
            notes = trio.run(journal.notes, [bytes(32)], 10_000)
        finally:
            journal.close()
        steps = {machine.step for machine in machines.values() if isinstance(machine, Machine)}
        assert set(machines) == set("abc")
        assert len(steps) == 1, "machines of one commit stand at one step"
        (reached,) = steps
        assert told <= reached <= told + 1
        assert [n.note.code for n in notes] == [str(step) for step in range(1, reached + 1)]
