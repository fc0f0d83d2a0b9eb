"""Processes that outlive the command that started them, and are ended by the command that stops them.

A pid alone may name somebody else's process after a reboot or a wrap-around, so a process is remembered with the
kernel's start time and is only signalled while both still fit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blockedge_node.errors import ConfigError

STOP_SECONDS = 10.0  # SIGTERM first; a daemon that has not stopped by then is killed


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    started: int  # clock ticks since boot, field 22 of /proc/PID/stat

    @property
    def alive(self) -> bool:
        return _start_ticks(self.pid) == self.started

    def signal(self, number: int) -> None:
        if self.alive:
            with suppress(ProcessLookupError):  # it ended between the look and the signal
                os.kill(self.pid, number)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after STOP_SECONDS; returns when it is gone."""
        self.signal(signal.SIGTERM)
        if not wait_for(lambda: not self.alive, STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.signal(signal.SIGKILL)
        wait_for(lambda: not self.alive, STOP_SECONDS)


def start(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Process:
    """Start `command` in a session of its own, its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as out:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=None if env is None else {**os.environ, **env},
            )
    except FileNotFoundError:
        raise ConfigError(f"{command[0]} is not there: run `make setup`") from None
    ticks = _start_ticks(child.pid)
    return Process(child.pid, ticks if ticks is not None else -1)


def wait_for(condition: Callable[[], bool], seconds: float, *, every: float = 0.02) -> bool:
    """Whether `condition` became true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def _start_ticks(pid: int) -> int | None:
    """None if there is no such process, or only its unreaped remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name before may hold blanks
    if fields[0] == "Z":
        _reap(pid)
        return None
    return int(fields[19])


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # somebody else's child: init will see to it
        os.waitpid(pid, os.WNOHANG)
