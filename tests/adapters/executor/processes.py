"""Processes as /proc shows them. They end between being listed and being looked at: then they are not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio


def children(of: int | None = None) -> set[int]:
    """Process ids of the living or unreaped children of a process."""
    found = set()
    with suppress(FileNotFoundError, ProcessLookupError):  # it ended before or while its threads are listed
        for thread in Path(f"/proc/{of or os.getpid()}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found |= set(map(int, (thread / "children").read_text().split()))
    return found


def family(of: int | None = None) -> set[int]:
    """Children and theirs."""
    found: set[int] = set()
    for pid in children(of):
        found |= {pid} | family(pid)
    return found


def command_of(pid: int) -> bytes:
    """A process's command line; empty once it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def forks(of: int | None = None) -> set[int]:
    """The zygote's children: what is a child's child and has the same command line."""
    lines = {pid: command_of(pid) for pid in family(of)}
    return {
        child
        for pid, line in lines.items()
        if line and b"bwrap" not in line
        for child in children(pid)
        if command_of(child) == line
    }


def computing(of: int | None = None) -> set[int]:
    return {pid for pid in forks(of) if cpu_ticks(pid) > 30}


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 (/proc sends no events)
            await trio.sleep(0.01)


def state(pid: int) -> str:
    """R running, S asleep, Z dead and not reaped, X gone …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def cpu_ticks(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    return 0
