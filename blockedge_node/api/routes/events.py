"""Server-sent events: what happens to jobs, as it happens (HTML Living Standard, §9.2).

    id: 412
    event: job
    data: {"id": 412, "job": "0x…", "state": "done", "code": "job.done", "at": …, "fields": {…}}

    event: item
    data: {"job": "0x…", "place": 3, "exit": 0, "output": "…", "provisional": true, …}

A client that was cut off sends the id it saw last as Last-Event-ID and misses nothing. One that does not read is cut
off by the server; the node never waits for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Final

import trio
from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from blockedge_node.api.ids import resolve_job
from blockedge_node.api.models import Event, ItemEvent
from blockedge_node.api.problems import BadRequest
from blockedge_node.api.routes import Node

router = APIRouter(prefix="/api/v1", tags=["jobs"])

LAST: Final = 2**63 - 1  # SQLite's largest id
HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


class EventStream(Response):
    """An endless answer, made of what `events` yields; ends with its client."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[Sequence[Event | ItemEvent]]) -> None:
        super().__init__()
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell() -> None:
            async with aclosing(self._events) as events:
                async for some in events:
                    body = b"".join(map(_written, some)) or b": nothing new\n\n"
                    await send({"type": "http.response.body", "body": body, "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b": listening\n\n", "more_body": True})
        async with trio.open_nursery() as client:
            client.start_soon(tell)
            while (await receive())["type"] != "http.disconnect":
                pass
            client.cancel_scope.cancel()


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}, 409: {"description": "too many readers"}},
)
async def events(
    node: Node,
    since: Annotated[int | None, Query(ge=0, le=LAST)] = None,
    job: str | None = None,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """Events of all jobs, or of one `job`, after the event `since` (or Last-Event-ID, which goes before it);
    without either, from now on."""
    if last_event_id is not None:
        if not (last_event_id.isascii() and last_event_id.isdecimal() and int(last_event_id) <= LAST):
            raise BadRequest(f"Last-Event-ID {last_event_id!r} is no event of this node: leave it out")
        since = int(last_event_id)
    one = None if job is None else await resolve_job(node, job)
    found = node.events(since, one)
    await anext(found)  # an answer that begins cannot be refused any more
    return EventStream(found)


def _written(event: Event | ItemEvent) -> bytes:
    if isinstance(event, ItemEvent):
        return f"event: item\ndata: {event.model_dump_json()}\n\n".encode()
    return f"id: {event.id}\nevent: job\ndata: {event.model_dump_json()}\n\n".encode()
