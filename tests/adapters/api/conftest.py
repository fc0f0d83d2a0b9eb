"""A real Hypercorn on trio over a real unix socket, with a client that speaks HTTP through it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
import trio

from blockedge_node.api.server import serve
from blockedge_node.logs import configure
from tests.adapters.api.memory import MemoryBackend

MAX_UPLOAD = 1_000_000


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """The daemon's way of logging: structlog's own draws every local variable of a bug, which takes seconds."""
    configure(stream=io.StringIO())
    yield
    structlog.reset_defaults()


@pytest.fixture
def node() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="be") as home:  # short: a socket's path has 107 bytes
        yield Path(home) / "api.sock"


@pytest.fixture
async def api(node: MemoryBackend, socket: Path, nursery: trio.Nursery) -> AsyncIterator[httpx.AsyncClient]:
    async def start(task_status: trio.TaskStatus[list[str]]) -> None:
        await serve(node, path=socket, max_upload=MAX_UPLOAD, task_status=task_status)

    await nursery.start(start)
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://node", timeout=20) as client:
        yield client
