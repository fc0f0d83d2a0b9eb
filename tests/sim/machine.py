"""What a simulated node stands on: its disk, its content, and an executor that takes virtual time.

The disk is what survives a crash: the real journal (store.Journal on a file of its own, written on the caller's
thread, since a clock that jumps whenever all tasks wait does not see a thread work), the blobs, and the signed
transactions. `Disk.commit` is where a scenario crashes its node: a moment before or after the k-th commit.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import trio

from blockedge_node.content import ContentStore, Fetcher
from blockedge_node.core import items, merkle
from blockedge_node.core.actions import Note
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Root
from blockedge_node.core.items import Answer, Told
from blockedge_node.core.job import MAX_STDIN, Outcome, PowJob, WasmJob
from blockedge_node.core.node import MACHINES
from blockedge_node.core.task import Result
from blockedge_node.errors import Transient
from blockedge_node.executor import pow
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search
from blockedge_node.store.database import Database
from blockedge_node.store.journal import MIGRATIONS, Journal
from tests.sim.evm import Tx

WASM_MAGIC = b"\0asm"

# ── disk ─────────────────────────────────────────────────────────────────────────────────────────────────


class _InlineDatabase(Database):
    async def write(self, change: Callable[[sqlite3.Connection], Any]) -> Any:
        result = self.write_now(change)
        await trio.lowlevel.checkpoint()
        return result


class _InlineJournal(Journal):
    """store.Journal without its thread."""

    def __init__(self, path: Path) -> None:
        self._registry = MACHINES
        self._clock = trio.current_time
        self._db = _InlineDatabase(path, MIGRATIONS)


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """The node dies at its `commit`-th commit (from 1), with the transaction on disk or not, for some seconds."""

    commit: int
    written: bool
    down: float = 0.0


@dataclass(slots=True, eq=False)
class Disk:
    """ports.Journal, and all else that outlives a crash."""

    path: Path
    crashes: tuple[CrashPoint, ...] = ()
    die: Callable[[float], None] = lambda down: None  # kills the node that this disk is in
    commits: int = 0
    blobs: dict[Root, bytes] = field(default_factory=dict)
    signed: list[Tx] = field(default_factory=list)
    journal: Journal | None = None

    def mount(self) -> None:
        self.journal = _InlineJournal(self.path)

    def unmount(self) -> None:
        if self.journal is not None:
            self.journal.close()
        self.journal = None

    def load(self) -> Mapping[str, object]:
        assert self.journal is not None
        return self.journal.load()

    async def commit(self, machines: Mapping[str, object | None], notes: Sequence[Note]) -> None:
        assert self.journal is not None
        self.commits += 1
        here = next((crash for crash in self.crashes if crash.commit == self.commits), None)
        if here and not here.written:
            await self._crash(here)
        await self.journal.commit(machines, notes)
        if here:
            await self._crash(here)

    async def _crash(self, here: CrashPoint) -> None:
        self.die(here.down)
        await trio.sleep_forever()  # until the node's scope is cancelled: nothing returns from here


# ── content ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Blobs:
    """content.BlobStore in memory."""

    held: dict[Root, bytes]

    def get(self, root: Root) -> bytes | None:
        return self.held.get(root)

    def has(self, root: Root) -> bool:
        return root in self.held

    def size(self, root: Root) -> int | None:
        held = self.held.get(root)
        return None if held is None else len(held)

    def put(self, data: bytes) -> Root:
        root = merkle.root(data)
        self.held[root] = data
        return root


class SimContent(ContentStore):
    """The real one, without the thread that looks at the disk."""

    def __init__(self, held: dict[Root, bytes], fetcher: Fetcher, engines: Collection[str]) -> None:
        super().__init__(_Blobs(held), fetcher, engines, check)

    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int = MAX_STDIN) -> None:
        if not self.blobs.has(root):
            await self._fetcher.fetch(root, holders, max_size=max_size)


# ── executor ─────────────────────────────────────────────────────────────────────────────────────────────


def compute_items(job: WasmJob) -> Outcome:
    """The same for a mapped one: an answer for each item, joined as the engine does (executor/mapping.py)."""
    given = items.split(job.stdin) or ()
    runs = [compute(replace(job, stdin=item, mapped=False)) for item in given]
    output = items.join_answers(Answer(exit=run.result.exit, output=run.output) for run in runs)
    result = Result(
        exit=0,
        output_root=merkle.root(output),
        fuel_used=sum(run.result.fuel_used for run in runs),
        memory_hash=Hash(hashlib.sha256(b"".join(run.result.memory_hash for run in runs)).digest()),
    )
    return Outcome(result=result, output=output)


def compute(job: WasmJob) -> Outcome:
    """Stands in for a program of kind 2: a pure function of all that a real run depends on.

    Real children cannot run under a virtual clock (tests/adapters/executor runs them); to the rest of the node
    this is the same: equal jobs have equal results, fuel and memory hash included.
    """
    seed = keccak256(job.wasm + "\0".join(job.argv).encode() + bytes([job.shard % 256]) + job.stdin)
    output = job.stdin.upper() + seed.hex().encode()
    result = Result(
        exit=0,
        output_root=merkle.root(output),
        fuel_used=min(job.fuel, 1000 * (1 + len(job.stdin))),
        memory_hash=keccak256(seed),
    )
    return Outcome(result=result, output=output)


async def check(job: WasmJob, *, functions: int | None = None) -> str | None:
    """What the stand-in takes for a module: anything that begins like one."""
    return None if job.wasm.startswith(WASM_MAGIC) else "it is not WebAssembly"


class SimExecutor:
    """ports.Executor: real proof-of-work search, the stand-in for programs, `slots` runs at a time.

    A run takes a tenth to the whole of what its declared fuel takes at `speed` (fuel per second): an honest
    operator's settings are true.
    """

    def __init__(self, slots: int, speed: int, chance: Random) -> None:
        self._slots = trio.CapacityLimiter(slots)
        self._speed, self._chance = speed, chance

    async def run(self, job: WasmJob | PowJob, *, wall: float, told: Told | None = None) -> Outcome:
        await self._work(job, wall)
        if isinstance(job, WasmJob):
            return compute_items(job) if job.mapped else compute(job)
        output = pow.solve(job.data, job.shard)
        result = Result(exit=0, output_root=merkle.root(output), fuel_used=0, memory_hash=ZERO_HASH)
        return Outcome(result=result, output=output)

    async def refute(self, job: PowJob, output: bytes, *, wall: float) -> bytes | None:
        await self._work(job, wall)
        return pow.refute(job.data, job.shard, output)

    async def _work(self, job: WasmJob | PowJob, wall: float) -> None:
        fuel = job.fuel if isinstance(job, WasmJob) else FUEL_PER_NONCE * Search.decode(job.data).range_size
        async with self._slots:
            seconds = fuel / self._speed * self._chance.uniform(0.1, 1.0)
            await trio.sleep(min(seconds, wall))
            if seconds > wall:
                raise Transient(f"the executor gave no result (timeout): {wall:g} s are over")
