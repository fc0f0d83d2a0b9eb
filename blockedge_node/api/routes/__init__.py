"""One router a noun; all take the node as `Node`."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from blockedge_node.api.backend import Backend


async def _node(request: Request) -> Backend:  # async: FastAPI runs plain functions in a thread
    return cast(Backend, request.app.state.backend)


Node = Annotated[Backend, Depends(_node)]
