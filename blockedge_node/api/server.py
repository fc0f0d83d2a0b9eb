"""Serve the API: always on the unix socket, on loopback TCP only if asked, and then only with the token.

The socket is made with mode 0600, so the kernel says who may connect. TCP is reachable by every program and
web page on the machine: each request needs `Authorization: Bearer <content of the token file>`, but for
/health, which tells nothing.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import structlog
import trio
from hypercorn import events as hypercorn_events
from hypercorn.config import Config
from hypercorn.trio import run as hypercorn_run
from hypercorn.trio import serve as hypercorn_serve
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ASGIFramework
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from trio import TaskStatus

from blockedge_node.api.app import create_app
from blockedge_node.api.backend import Backend
from blockedge_node.api.problems import problem
from blockedge_node.errors import ConfigError

STALL = 10.0  # seconds in which a client must take a piece of its answer

log = structlog.get_logger(__name__)

BACKLOG = 100
GRACE = 1.0  # seconds that answers under way get when the daemon stops


class BearerGuard:
    """Lets a request through only with the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/health/"):
            given = Headers(scope=scope).get("authorization", "").encode()
            if not hmac.compare_digest(given, self._expected):
                text = (
                    "send `Authorization: Bearer` and the node's token; the setting api.token_file names it"
                )
                refusal = problem(401, "unauthorized", text, headers={"www-authenticate": "Bearer"})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def read_or_make_token(path: Path) -> str:
    """The API's token, made at the first start. Raises ConfigError if others may read the file."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"others may read the API's token: run `chmod 600 {path}`") from None
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        token = secrets.token_urlsafe(32)
        file.write(token + "\n")
    return token


def _listen(bind: str) -> socket.socket:
    """A listening socket for "host:port" or "unix:PATH". Raises ConfigError.

    We bind rather than Hypercorn: the kernel's refusal is then one error of ours and not a group of groups.
    """
    path = bind.removeprefix("unix:")
    try:
        if path != bind:
            _remove(Path(path))  # of a daemon that was killed; a living one holds the journal's lock
            listener = socket.socket(socket.AF_UNIX)
            before = os.umask(0o177)
            try:
                listener.bind(path)
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
            return listener
        host, _, port = bind.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(f"the API cannot listen on {bind}: {error.strerror or error}") from None


class Patient(TCPServer):
    """Hypercorn's connection, but with an end to its patience: as it comes it waits for ever for a client that does
    not read, shielded from cancellation, so that the daemon could not even stop."""

    async def protocol_send(self, event: hypercorn_events.Event) -> None:
        if not isinstance(event, hypercorn_events.RawData):
            await super().protocol_send(event)
            return
        async with self.send_lock:
            try:
                with trio.fail_after(STALL, shield=True):
                    await self.stream.send_all(event.data)
            except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
                await trio.aclose_forcefully(self.stream)
                await self.protocol.handle(hypercorn_events.Closed())


hypercorn_run.TCPServer = Patient  # type: ignore[attr-defined]  # there is no other way to hand it in


def _hypercorn(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG
    config.graceful_timeout = GRACE
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")  # through our own handler, in our own format
    return config


async def serve(
    backend: Backend,
    *,
    path: Path,
    tcp: str = "",
    token_file: Path | None = None,
    max_upload: int = 256 * 2**20,
    task_status: TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; `task_status.started` gets the addresses, TCP's with its real port.

    Args: `path` is where the unix socket is made, a stale one being replaced; `tcp` is "host:port" or "".
    Raises ConfigError if an address cannot be had, or if the token file is readable by others.
    """
    app: ASGIApp = create_app(backend, max_upload=max_upload)
    served = {f"unix:{path}": app}
    if tcp:
        if token_file is None:
            raise ConfigError("the API on TCP needs a token file: set api.token_file")
        served[tcp] = BearerGuard(app, read_or_make_token(token_file))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:  # closes what Hypercorn has not taken over
        listeners = [(stack.enter_context(_listen(bind)), guarded) for bind, guarded in served.items()]
        try:
            async with trio.open_nursery() as nursery:
                addresses: list[str] = []
                for listener, guarded in listeners:
                    framework = cast(ASGIFramework, guarded)
                    addresses += await nursery.start(hypercorn_serve, framework, _hypercorn(listener))
                log.info("api listening", addresses=addresses)
                task_status.started(addresses)
        finally:
            _remove(path)


def _remove(path: Path) -> None:
    """One system call, so it may run in an async function."""
    path.unlink(missing_ok=True)
