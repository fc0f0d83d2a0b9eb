"""The command as a process of its own, against the API over a real socket (tests/adapters/api/memory.py)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from blockedge_node.api.server import serve
from blockedge_node.logs import configure
from tests.adapters.api.memory import MemoryBackend

CSVSTATS = Path(__file__).resolve().parents[2] / "blockedge_node" / "programs" / "csvstats.wasm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str
    raw: bytes

    @property
    def data(self) -> Any:
        """The answer of a --json command, whose envelope is checked."""
        document = json.loads(self.out)
        assert set(document) == {"v", "data"}
        assert document["v"] == 1
        return document["data"]

    @property
    def error(self) -> dict[str, Any]:
        """The error of a --json command."""
        document = json.loads(self.err.splitlines()[-1])
        assert document["v"] == 1
        assert document["exit"] == self.code
        assert not self.out
        error: dict[str, Any] = document["error"]
        return error


Cli = Callable[..., Awaitable[Run]]


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """The daemon's way of logging, where nobody reads it."""
    configure(stream=io.StringIO())
    yield
    structlog.reset_defaults()


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="be") as directory:  # short: a socket's path has 107 bytes
        yield Path(directory)


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """A clean one: nothing of the machine's own nodes, directories of this test, the test's daemon."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BLOCKEDGE_", "XDG_"))}
    clean |= {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
    }
    return clean | {"BLOCKEDGE_API": str(home / "api.sock"), "COLUMNS": "200"}


@pytest.fixture
def cli(environment: dict[str, str]) -> Cli:
    """Run `blockedge …`; no command may ever show a traceback."""

    async def run(*arguments: str | Path, env: dict[str, str] | None = None, without: str = "") -> Run:
        command = [sys.executable, "-m", "blockedge_node.cli.app", *map(str, arguments)]
        variables = {name: value for name, value in (environment | (env or {})).items() if name != without}
        done = await trio.run_process(
            command,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=variables,
            stdin=subprocess.DEVNULL,
        )
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert "Traceback" not in out + err, err
        return Run(code=done.returncode, out=out, err=err, raw=done.stdout)

    return run


@pytest.fixture
async def node(home: Path, nursery: trio.Nursery) -> MemoryBackend:
    """A running API whose node solves every job at once, unless told otherwise."""
    backend = MemoryBackend()

    async def start(task_status: trio.TaskStatus[list[str]]) -> None:
        await serve(backend, path=home / "api.sock", max_upload=1_000_000, task_status=task_status)

    await nursery.start(start)
    return backend
