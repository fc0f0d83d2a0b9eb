"""Every error as an RFC 9457 problem document with a stable `code`.

    NotFound 404 · Ambiguous 409 · TooLarge 413 · ConfigError 400 · PeerError 422 · Rejected 409
    ChainError 409 · Transient, Unreachable 503 · TooSlow 504 · a bug 500

The text of our own errors says what, why and what to do, so it goes to the client as it is; the text of a bug
stays in the log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
import trio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from blockedge_node.api.backend import NotFound
from blockedge_node.api.models import Problem
from blockedge_node.errors import (
    BlockEdgeError,
    ChainError,
    ConfigError,
    PeerError,
    Rejected,
    Transient,
    Unreachable,
)

log = structlog.get_logger(__name__)


class Ambiguous(BlockEdgeError):
    """A prefix that several ids begin with."""

    def __init__(self, text: str, candidates: Sequence[str]) -> None:
        super().__init__(
            f"{text!r} is the beginning of {len(candidates)} ids; write more digits of the one you mean"
        )
        self.candidates = tuple(candidates)


class TooLarge(BlockEdgeError):
    """A body over its limit."""


class BadRequest(BlockEdgeError):
    """The request itself makes no sense."""


# The first match wins: subclasses stand before their bases.
STATUS: tuple[tuple[type[BlockEdgeError], int, str], ...] = (
    (NotFound, 404, "not-found"),
    (Ambiguous, 409, "ambiguous-id"),
    (TooLarge, 413, "too-large"),
    (BadRequest, 400, "bad-request"),
    (ConfigError, 400, "invalid"),
    (PeerError, 422, "bad-data"),
    (ChainError, 409, "chain"),
    (Transient, 503, "transient"),
    (Unreachable, 503, "unreachable"),
)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    candidates: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem document as a response."""
    document = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        candidates=tuple(candidates),
    )
    body = document.model_dump_json(exclude_defaults=True)
    return Response(body, status, headers, media_type="application/problem+json")


def of_error(error: BlockEdgeError) -> Response:
    if isinstance(error, Rejected):
        # Ours are codes with a sentence behind them, a contract's are its errors' names and say most themselves.
        is_code = error.reason == error.reason.lower()
        code = re.sub(r"[^a-z0-9]+", "-", error.reason.lower()).strip("-") if is_code else "reverted"
        return problem(409, code or "rejected", (is_code and error.detail) or str(error))
    for kind, status, code in STATUS:
        if isinstance(error, kind):
            candidates = error.candidates if isinstance(error, Ambiguous) else ()
            headers = {"retry-after": "1"} if status == 503 else None
            return problem(status, code, str(error), candidates=candidates, headers=headers)
    return problem(500, "error", str(error))


def install(app: FastAPI) -> None:
    """Make every way to fail on `app` end in a problem document."""

    @app.exception_handler(BlockEdgeError)
    async def _ours(_request: Request, error: BlockEdgeError) -> Response:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        # The first part of the place is "body", "path" or "query": the client knows where it wrote it.
        place = ".".join(str(part) for part in first["loc"][1:])
        message = str(first["msg"]).removeprefix("Value error, ")
        return problem(422, "invalid", f"{place}: {message}" if place else message)

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:
        return problem(
            error.status_code, f"http-{error.status_code}", str(error.detail), headers=error.headers
        )

    @app.exception_handler(trio.TooSlowError)
    async def _slow(_request: Request, _error: trio.TooSlowError) -> Response:
        return problem(
            504, "timeout", "the node did not finish in time; ask again or look at `blockedge status`"
        )

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> Response:
        log.error("api request failed", path=request.url.path, exc_info=error)
        return problem(500, "bug", "the node hit a bug while answering; its log says more: `blockedge logs`")
