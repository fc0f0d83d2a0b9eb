"""Processes are remembered so that only they are ever signalled."""

from __future__ import annotations

import sys
from pathlib import Path

from blockedge_node.devnet.processes import Process, start, wait_for

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def test_a_process_is_started_seen_and_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(SLEEPER, log=log)
    try:
        assert process.alive
        assert wait_for(lambda: log.read_text() == "up\n", 20)
    finally:
        process.stop()
    assert not process.alive
    process.stop()  # a second time does nothing


def test_a_pid_that_now_belongs_to_another_is_left_alone(tmp_path: Path) -> None:
    process = start(SLEEPER, log=tmp_path / "log")
    try:
        other = Process(process.pid, process.started - 1)
        assert not other.alive
        other.kill()
        assert process.alive
    finally:
        process.kill()
    assert not process.alive
