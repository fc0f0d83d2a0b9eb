"""Equal computers on one machine: each executor held to the same share of a core (docs/protocol.md §13, Fig. 5).

    Quota   a cgroup a holder with a CPU quota: version 2 (cpu.max) or 1 (cpu.cfs_quota_us); needs root or delegation
    Turns   without one: every holder's processes are stopped and continued, each in its turn of a common period

Both hold whole families of processes; what these fork later is held as well. Eight shares of a fifth of a core leave
two cores 0.4 for daemons and chain, and so every stakeholder computes as fast as if it had a machine of its own.
"""

from __future__ import annotations

import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from blockedge_node.errors import ConfigError

PERIOD: Final = 0.02  # seconds of a quota: short against every run, long against the kernel's ticks
TURN: Final = 0.02  # seconds that a holder runs at a time; 1/share turns make a period
MOUNTS: Final = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/unified"))


def children(pid: int) -> set[int]:
    found: set[int] = set()
    with suppress(OSError):  # it ended before or while its threads were listed
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found |= set(map(int, (thread / "children").read_text().split()))
    return found


def family(pid: int) -> set[int]:
    """The children of a process, theirs, and so on."""
    found: set[int] = set()
    for child in children(pid):
        found |= {child} | family(child)
    return found


class Shares(ABC):
    """Holds processes to `share` of a core for each holder's name."""

    how: str  # in a few words, for the record

    @abstractmethod
    def hold(self, holder: str, pids: Iterable[int]) -> None:
        """From now on these processes share what `holder` may use; again for those that came later."""

    @abstractmethod
    def release(self) -> None:
        """Nobody is held any more."""


class Quota(Shares):
    """One cgroup a holder below `parent`. Raises OSError where this user may not make them."""

    def __init__(self, parent: Path, share: float) -> None:
        self._period = round(PERIOD * 1e6)
        self._quota = round(share * self._period)
        self._home = parent / f"blockedge-{os.getpid()}"
        self._groups: dict[str, Path] = {}
        self._is_v2 = (parent / "cgroup.controllers").exists()
        self._home.mkdir()
        try:
            if self._is_v2:
                for group in (parent, self._home):
                    (group / "cgroup.subtree_control").write_text("+cpu")
            self._group("trial")
        except OSError:
            self.release()
            raise
        self.how = f"cgroup v{2 if self._is_v2 else 1} quota, {self._quota} of each {self._period} µs"

    def _group(self, holder: str) -> Path:
        if holder not in self._groups:
            group = self._home / holder
            group.mkdir()
            self._groups[holder] = group
            if self._is_v2:
                (group / "cpu.max").write_text(f"{self._quota} {self._period}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(self._period))
                (group / "cpu.cfs_quota_us").write_text(str(self._quota))
        return self._groups[holder]

    def hold(self, holder: str, pids: Iterable[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):  # it ended meanwhile
                (self._group(holder) / "cgroup.procs").write_text(str(pid))

    def release(self) -> None:
        for group in self._groups.values():
            for pid in (group / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    (self._home.parent / "cgroup.procs").write_text(pid)
            with suppress(OSError):  # the unreaped remains of a process keep it for a moment
                group.rmdir()
        self._groups.clear()
        with suppress(OSError):
            self._home.rmdir()


class Turns(Shares):
    """Stop and continue: holder number i runs in turn i mod 1/share of each period, so two cores are never short."""

    def __init__(self, share: float) -> None:
        self._slots = max(1, round(1 / share))
        self._held: dict[str, set[int]] = {}
        self._stopped: set[int] = set()
        self._ended = threading.Event()
        self.how = f"SIGSTOP and SIGCONT, {TURN * 1e3:.0f} of each {TURN * self._slots * 1e3:.0f} ms"
        self._thread = threading.Thread(target=self._rotate, daemon=True)
        self._thread.start()

    def hold(self, holder: str, pids: Iterable[int]) -> None:
        self._held = {**self._held, holder: self._held.get(holder, set()) | set(pids)}

    def release(self) -> None:
        self._ended.set()
        self._thread.join()
        for pid in self._stopped:
            self._tell(pid, signal.SIGCONT)

    def _rotate(self) -> None:
        turn = 0
        while not self._ended.wait(TURN):
            turn = (turn + 1) % self._slots
            for place, pids in enumerate(self._held.values()):
                number = signal.SIGCONT if place % self._slots == turn else signal.SIGSTOP
                for pid in pids.union(*map(family, pids)):
                    self._tell(pid, number)

    def _tell(self, pid: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            if number == signal.SIGSTOP:
                self._stopped.add(pid)


@contextmanager
def shares(share: float, *, how: str = "auto") -> Iterator[Shares]:
    """Quotas where this machine allows them, else turns. `how`: auto, quota or turns. Raises ConfigError."""
    made = _quota(share) if how in ("auto", "quota") else None
    if made is None and how == "quota":
        raise ConfigError(
            f"no CPU quota: none of {', '.join(map(str, MOUNTS))} is a cpu cgroup in which this user may make "
            "groups; run as root, or use --shares turns"
        )
    held = made or Turns(share)
    try:
        yield held
    finally:
        held.release()


def _quota(share: float) -> Quota | None:
    for mount in MOUNTS:
        if (mount / "cgroup.procs").exists():
            with suppress(OSError):
                return Quota(mount, share)
    return None
