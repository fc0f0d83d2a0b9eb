"""Who runs next: slots, memory, and a queue in which no task can starve another.

Waiting runs stand in one line per task; the lines take turns, so a task with a thousand shards delays another's
one shard by one run. A run is admitted when a slot is free and the memory that it may need fits beside what the
running ones may need. The turn waits for memory: letting smaller runs pass would starve large ones.
"""

from __future__ import annotations

import resource
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from blockedge_node.core.job import MIB, Job, PowJob
from blockedge_node.executor.faults import ExecutorFault

BASE: Final = 64 * MIB  # of a child beside the program: its own pages and its stack
SHARE: Final = 0.5  # of the machine's memory, unless the operator says otherwise
_COMPILE: Final = 36  # bytes of memory a byte of WASM, at worst (measured: 890 MB for 26 MB)
_COMPILE_MOST: Final = 2 << 30

MEMINFO: Final = Path("/proc/meminfo")
GROUP: Final = Path("/proc/self/cgroup")
CGROUPS: Final = Path("/sys/fs/cgroup")
UNLIMITED: Final = 1 << 60  # bytes; version 1 says nearly 2^63 where there is no limit


def need(job: Job, *, do: str) -> int:
    """Bytes that a child may come to hold for this order."""
    if isinstance(job, PowJob):
        return BASE
    compiling = min(_COMPILE * len(job.wasm), _COMPILE_MOST)
    if do == "compile":
        return BASE + compiling
    held = len(job.wasm) + len(job.stdin) + sum(map(len, job.files.values())) + job.stdout_max
    return BASE + max(compiling, job.memory + held)


def line_of(job: Job) -> Hashable:
    """Shards of one task stand in one line."""
    return job.data if isinstance(job, PowJob) else (job.task, hash(job.wasm))


def available() -> int | None:
    """Bytes that the kernel could give out now, or None where it does not say."""
    return _meminfo("MemAvailable")


def total() -> int | None:
    """Bytes of this machine, or of our control group or one process of ours if that has less."""
    found = [size for size in (_meminfo("MemTotal"), *limits(), *_rlimits()) if size is not None]
    return min(found, default=None)


def _meminfo(name: str) -> int | None:
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = [line.split()[1] for line in lines if line.startswith(name + ":")]
    return int(sizes[0]) << 10 if sizes else None


def _rlimits() -> list[int]:
    """`ulimit -d`: children inherit it, and a program that runs into it gives no result."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    return [] if hard == resource.RLIM_INFINITY else [hard]


def limits() -> list[int]:
    """Memory limits, in bytes, of our control groups and of those around them; version 2 or 1."""
    try:
        lines = GROUP.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, own = line.split(":", 2)
        if not controllers:
            root, name = CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = root / own.lstrip("/")
        while group.is_relative_to(root):
            with suppress(OSError, ValueError):  # the root of version 2 has none; "max" is no limit
                found.append(int((group / name).read_text(encoding="ascii")))
            group = group.parent
    return [limit for limit in found if limit < UNLIMITED]


@dataclass(eq=False, slots=True)
class _Waiter:
    need: int
    admitted: trio.Event = field(default_factory=trio.Event)
    refused: str = ""


class Admission:
    """`async with admission.admitted(line, need): …`; at most `slots` and `budget` bytes at a time."""

    def __init__(self, *, slots: int, budget: int | None, free: Callable[[], int | None] = available) -> None:
        self.slots = slots
        self.budget = budget
        self._free = free
        self.running = 0
        self.promised = 0  # bytes
        self._lines: OrderedDict[Hashable, deque[_Waiter]] = OrderedDict()

    def too_large(self, need: int) -> str | None:
        """Why this could never be admitted, or None."""
        if self.budget is None or need <= self.budget:
            return None
        return (
            f"it may need {need // MIB} MiB of memory; this node gives its programs {self.budget // MIB} MiB "
            "(executor.memory)"
        )

    @asynccontextmanager
    async def admitted(self, line: Hashable, need: int) -> AsyncIterator[None]:
        """Wait for a turn. Raises ExecutorFault("memory") if it cannot come: too large, or nothing is running
        and the machine still has too little."""
        if why := self.too_large(need):
            raise ExecutorFault("memory", why)
        waiter = _Waiter(need)
        self._lines.setdefault(line, deque()).append(waiter)
        self._next()
        try:
            await waiter.admitted.wait()
        except trio.Cancelled:
            if waiter.admitted.is_set():
                self._leave(waiter)
            else:
                self._forget(line, waiter)
                self._next()
            raise
        if waiter.refused:
            raise ExecutorFault("memory", waiter.refused)
        try:
            yield
        finally:
            self._leave(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        if not waiter.refused:
            self.running -= 1
            self.promised -= waiter.need
            self._next()

    def _forget(self, line: Hashable, waiter: _Waiter) -> None:
        self._lines[line].remove(waiter)
        if not self._lines[line]:
            del self._lines[line]

    def _next(self) -> None:
        while self._lines and self.running < self.slots:
            line, waiting = next(iter(self._lines.items()))
            waiter = waiting[0]
            if self.budget is not None and self.promised + waiter.need > self.budget:
                return
            free = self._free()
            if free is not None and free < waiter.need:
                if self.running:
                    return  # until one of them ends
                waiter.refused = (
                    f"it may need {waiter.need // MIB} MiB of memory and {free // MIB} MiB are free now"
                )
            waiting.popleft()
            self._lines.pop(line)
            if waiting:
                self._lines[line] = waiting  # to the end: the other tasks' turn
            if not waiter.refused:
                self.running += 1
                self.promised += waiter.need
            waiter.admitted.set()
