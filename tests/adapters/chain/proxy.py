"""An HTTP proxy before anvil that a test can make slow, absent, wrong or hostile."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import trio

Answer = bytes | tuple[int, bytes]


class Proxy:
    """Serves `url`. `answer` turns a request body into a response body, or (status, body); by default anvil's."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._client = httpx.AsyncClient(timeout=10, headers={"content-type": "application/json"})
        self._nursery: trio.Nursery | None = None
        self._scope: trio.CancelScope | None = None
        self.port = 0
        self.answer: Callable[[bytes], Awaitable[Answer]] = self.forward
        self.asked: list[str] = []  # methods

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def forward(self, body: bytes) -> bytes:
        return (await self._client.post(self._upstream, content=body)).content

    def edit(self, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
        """From now on `change(question, reply)` may alter each reply of anvil."""

        async def answer(body: bytes) -> bytes:
            asked, replies = json.loads(body), json.loads(await self.forward(body))
            if isinstance(asked, dict):
                change(asked, replies)
            else:
                by_id = {reply["id"]: reply for reply in replies}
                for question in asked:
                    change(question, by_id[question["id"]])
            return json.dumps(replies).encode()

        self.answer = answer

    async def vanish(self) -> None:
        """Close the port and every connection, until `return_`."""
        assert self._scope is not None
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def return_(self) -> None:
        """Listen again, on the same port."""
        assert self._nursery is not None
        await self._nursery.start(self._serve)

    async def _serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        with trio.CancelScope() as self._scope:
            task_status.started()
            await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):  # the client hung up
            while await self._exchange(stream):
                pass
        await trio.aclose_forcefully(stream)

    async def _exchange(self, stream: trio.SocketStream) -> bool:
        raw = b""
        while b"\r\n\r\n" not in raw:
            part = await stream.receive_some()
            if not part:
                return False
            raw += part
        head, _, body = raw.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length is not None
        while len(body) < int(length[1]):
            body += await stream.receive_some()
        asked = json.loads(body)
        self.asked += [q["method"] for q in (asked if isinstance(asked, list) else [asked])]
        answer = await self.answer(body)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        await stream.send_all(
            b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n" % (status, len(content)) + content
        )
        return True


@asynccontextmanager
async def proxy_before(upstream: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(upstream)
    async with trio.open_nursery() as nursery, proxy._client:
        proxy._nursery = nursery
        await proxy.return_()
        yield proxy
        nursery.cancel_scope.cancel()
