"""Blobs and programs: what a job refers to is stored first, so that large inputs stream.

POST /api/v1/blobs      raw bytes in, content address out
POST /api/v1/programs   a built-in's name, or an uploaded module and its limits → the manifest's address
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter, Request

from blockedge_node.api.models import BuiltIn, Program, ProgramSpec, Stored
from blockedge_node.api.problems import TooLarge
from blockedge_node.api.routes import Node

router = APIRouter(prefix="/api/v1", tags=["content"])


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"a blob may have {limit} bytes at most; cut the input into more shards")


async def _counted(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks, ending with TooLarge once it passes its limit, whatever Content-Length promised."""
    total = 0
    async with aclosing(request.stream()) as body:
        async for chunk in body:
            total += len(chunk)
            if total > limit:
                raise too_large(limit)
            yield chunk


@router.post(
    "/blobs",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        }
    },
)
async def put_blob(node: Node, request: Request) -> Stored:
    """Store the request's body; the same bytes always get the same root."""
    limit: int = request.app.state.max_upload
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large(limit)
    async with aclosing(_counted(request, limit)) as chunks:
        return await node.put_blob(chunks)


@router.get("/programs")
async def programs(node: Node) -> Sequence[BuiltIn]:
    """The programs this node ships, usable by name."""
    return node.programs()


@router.post("/programs", status_code=201)
async def put_program(node: Node, spec: ProgramSpec) -> Program:
    return await node.put_program(spec)
