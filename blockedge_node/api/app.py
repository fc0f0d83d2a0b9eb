"""The FastAPI application over a Backend: routers, problem documents, a limit on JSON bodies.

All handlers are async functions: FastAPI runs plain ones in threads, and everything here belongs to trio.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

import blockedge_node
from blockedge_node.api import problems
from blockedge_node.api.backend import Backend
from blockedge_node.api.routes import content, court, events, jobs, money, node, peers

MAX_JSON = 2**20  # 1024 inputs take 70 KiB
BLOBS = "/api/v1/blobs"


class LimitJson:
    """Refuses bodies of unknown or too large size before FastAPI reads them into memory. Blobs stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" and scope["path"] != BLOBS else None
        await (refusal or self._app)(scope, receive, send)

    @staticmethod
    def _refusal(scope: Scope) -> Response | None:
        request = Request(scope)
        if "transfer-encoding" in request.headers:
            return problems.problem(411, "length-required", "send this body with a Content-Length")
        if int(request.headers.get("content-length", 0)) > MAX_JSON:
            return problems.problem(413, "too-large", f"a JSON body may have {MAX_JSON} bytes at most")
        return None


def create_app(backend: Backend, *, max_upload: int) -> FastAPI:
    """The API of one node; `max_upload` is in bytes a blob."""
    app = FastAPI(
        title="BlockEdge node",
        version=getattr(blockedge_node, "__version__", "1"),
        docs_url=None,
        redoc_url=None,
    )
    app.state.backend = backend
    app.state.max_upload = max_upload
    app.state.used_keys = jobs.UsedKeys()
    problems.install(app)
    for part in (node, peers, content, jobs, events, money, court):
        app.include_router(part.router)
    app.add_middleware(LimitJson)
    return app
