"""The node itself: status, pause, settings, logs; health checks and metrics for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import trio
from fastapi import APIRouter, Query
from fastapi.responses import Response

from blockedge_node.api import metrics
from blockedge_node.api.models import LogLine, NodeStatus, Setting
from blockedge_node.api.problems import problem
from blockedge_node.api.routes import Node

router = APIRouter()

# How often a waiting reader looks for new log lines. Only costs something while somebody waits.
LOG_POLL = 0.2


@router.get("/api/v1/node", tags=["node"])
async def status(node: Node) -> NodeStatus:
    return await node.status()


@router.post("/api/v1/node/pause", tags=["node"])
async def pause(node: Node) -> NodeStatus:
    """No new bids; what is awarded runs on."""
    await node.pause()
    return await node.status()


@router.post("/api/v1/node/resume", tags=["node"])
async def resume(node: Node) -> NodeStatus:
    await node.resume()
    return await node.status()


@router.get("/api/v1/settings", tags=["node"])
async def settings(node: Node) -> Sequence[Setting]:
    """Every setting in force, and where it came from."""
    return node.settings()


@router.get("/api/v1/logs", tags=["node"])
async def logs(
    node: Node,
    since: Annotated[int, Query(ge=0)] = 0,
    wait: Annotated[float, Query(ge=0, le=30)] = 0,
) -> Sequence[LogLine]:
    """Log lines after number `since`. If there are none yet, waits up to `wait` seconds for one."""
    lines = node.logs(since)
    with trio.move_on_after(wait):
        while not lines and wait:
            await trio.sleep(LOG_POLL)
            lines = node.logs(since)
    return lines


@router.get("/health/livez", tags=["health"])
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/readyz", tags=["health"])
async def readyz(node: Node) -> Response:
    """200 once the node can take and do work, else 503 naming what is missing."""
    now = await node.status()
    if now.ready:
        return Response('{"status":"ok"}', media_type="application/json")
    missing = "; ".join(f"{part.name}: {part.detail or 'not ready'}" for part in now.services if not part.ok)
    return problem(503, "not-ready", missing or "the node is still starting", headers={"retry-after": "1"})


@router.get("/metrics", tags=["health"])
async def prometheus(node: Node) -> Response:
    return Response(metrics.render(await node.status()), media_type=metrics.CONTENT_TYPE)
