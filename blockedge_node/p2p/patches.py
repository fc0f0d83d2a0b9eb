"""Guards around libp2p 0.8.1: without them one peer, or one unlucky moment, ends a node.

Each patch names the fault it covers; tests/adapters/p2p/test_traps.py holds one regression test for each.
They reach into private names, so they are written against exactly one version and `apply` refuses any other.
What needs no patch is handled where it belongs: services start before the host listens (host.py), the publish
counter starts at the clock (host.py), we dial again ourselves (peers.py), publishing is paced (topics.py).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final

import structlog
import trio
from google.protobuf.message import DecodeError
from libp2p.host.basic_host import BasicHost
from libp2p.io.exceptions import IOException
from libp2p.network.connection.exceptions import RawConnError
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.exceptions import SwarmException
from libp2p.network.stream.exceptions import StreamError
from libp2p.pubsub.pubsub import Pubsub
from libp2p.stream_muxer.exceptions import MuxedConnError, MuxedStreamError
from libp2p.stream_muxer.yamux import yamux
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream
from libp2p.tools.anyio_service.trio_manager import TrioManager

from blockedge_node.errors import ConfigError

log = structlog.get_logger(__name__)

LIBP2P: Final = "0.8.1"
WRITE_TIMEOUT: Final = 10.0  # seconds a frame may take to reach the kernel before the connection is given up
WINDOW_STEP: Final = 64 * 1024  # bytes read before the sender's window is raised; a quarter of yamux's window

WINDOW_MAX: Final = 1024 * 1024  # bytes a stream's window may grow to; libp2p's 16 MiB are for other machines
BUFFER_MAX: Final = 16 * 1024 * 1024  # bytes that a connection may hold unread, all streams together
STREAMS_MAX: Final = 128  # streams a connection may have opened to us at a time

# What a broken connection looks like: nobody's fault. Anything else out of a handler is a hostile or buggy peer.
BROKEN: Final = (
    StreamError,
    MuxedStreamError,
    MuxedConnError,
    RawConnError,
    IOException,
    SwarmException,
    OSError,
)

# What only the bytes of a peer can cause. Other exceptions may be our own bug, for which nobody is banned.
MALFORMED: Final = (DecodeError, ValueError)

_applied = False


def apply() -> None:
    """Patch libp2p, once a process. Raises ConfigError if another version is installed."""
    global _applied  # the patched classes are process-wide, so is this
    if _applied:
        return
    installed = version("libp2p")
    if installed != LIBP2P:
        raise ConfigError(
            f"libp2p {installed} is installed, but the guards are written for {LIBP2P}: run `make setup`"
        )
    # libp2p logs every reset stream as an error; what matters is logged here and in host.py.
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    YamuxStream._auto_tune_and_send_window_update = _raise_window_in_steps(  # type: ignore[method-assign]
        YamuxStream._auto_tune_and_send_window_update
    )
    yamux.MAX_WINDOW_SIZE = WINDOW_MAX
    Yamux._read_data_body = _bound_buffers(Yamux._read_data_body)  # type: ignore[method-assign]
    SwarmConn._handle_muxed_stream = _bound_streams(SwarmConn._handle_muxed_stream)  # type: ignore[method-assign]
    Yamux._write_frame = _write_whole_frames  # type: ignore[method-assign]
    BasicHost._swarm_stream_handler = _guard_streams(BasicHost._swarm_stream_handler)  # type: ignore[method-assign]
    BasicHost._identify_task_entry = _guard_identify(BasicHost._identify_task_entry)  # type: ignore[method-assign]
    Pubsub.push_msg = _guard_message(Pubsub.push_msg)  # type: ignore[method-assign]
    TrioManager.run_task = _guard_tasks(TrioManager.run_task)  # type: ignore[method-assign]
    _applied = True


def _raise_window_in_steps(send: Callable[..., Awaitable[None]]) -> Any:
    """Stock yamux answers every read() with an encrypted WINDOW_UPDATE frame, and pubsub reads its length
    prefix byte by byte: at 50 messages a second five nodes lost up to 46 % of them. One update per 64 KiB."""

    async def update(self: Any, *, bytes_read: int = 0) -> None:
        self._unreported = getattr(self, "_unreported", 0) + bytes_read
        if self._unreported >= WINDOW_STEP:
            read, self._unreported = self._unreported, 0
            await send(self, bytes_read=read)

    return update


async def _write_whole_frames(self: Any, data: bytes) -> None:
    """A cancelled write (a deadline of ours, an action no longer due) may stop after the frame was encrypted, or
    half sent: the two ends then disagree on the cipher's nonce and every stream of the connection is lost. Wait
    for the turn as before, but once it has come, write to the end; a peer that takes none of it is cut off."""
    async with self._write_lock:
        with trio.move_on_after(WRITE_TIMEOUT, shield=True) as scope:
            await self.secured_conn.write(data)
    if scope.cancelled_caught:
        await self._cleanup_on_error()
        raise MuxedConnError("the peer does not take what we send")
    await trio.lowlevel.checkpoint()


def _bound_buffers(read: Callable[..., Awaitable[bytes]]) -> Any:
    """Stock yamux logs that a peer exceeds its window and keeps the data: one stream that nobody reads can take
    all memory. TooSlowError is the one exception for which its loop closes the connection in order."""

    async def guarded(self: Any, length: int) -> bytes:
        if length + sum(map(len, self.stream_buffers.values())) > BUFFER_MAX:
            log.warning("peer sent more than its windows allow", peer=str(self.peer_id))
            raise trio.TooSlowError
        return await read(self, length)

    return guarded


def _bound_streams(handle: Callable[..., Awaitable[None]]) -> Any:
    """Inbound streams of all peers queue for one semaphore, and a silent one holds its place for 10 s: one peer
    could shut out all others. So many a connection, the rest reset before they queue."""

    async def guarded(self: Any, muxed_stream: Any) -> None:
        self._inbound = getattr(self, "_inbound", 0) + 1
        try:
            if self._inbound > STREAMS_MAX:
                await muxed_stream.reset()
            else:
                await handle(self, muxed_stream)
        finally:
            self._inbound -= 1

    return guarded


def _guard_streams(handle: Callable[..., Awaitable[None]]) -> Any:
    """An exception in any stream handler (pubsub, identify, ping, ours) is an exception in a task of the Swarm:
    all connections drop and the listener stays behind as a zombie. The 4-byte pubsub frame 04 ff ff ff ff is
    enough. Reset that stream instead, and tell the host's owner whose it was."""

    async def guarded(self: Any, stream: Any) -> None:
        try:
            await handle(self, stream)
        except BROKEN as error:
            log.debug("stream broke", error=repr(error))
        except Exception as error:
            peer = stream.muxed_conn.peer_id
            log.warning("stream handler failed", peer=str(peer), error=repr(error))
            _tell(self, peer, error)
        else:
            return
        with suppress(Exception):
            await stream.reset()

    return guarded


def _tell(host: Any, peer: Any, error: Exception) -> None:
    """Report a peer whose bytes cannot be read to the host's owner (Link.tell_faults)."""
    on_fault = getattr(host, "on_fault", None)
    if on_fault is not None and isinstance(error, MALFORMED):
        on_fault(peer, repr(error))


def _guard_identify(identify: Callable[..., Awaitable[None]]) -> Any:
    """Identify runs as a trio system task, where an exception is a TrioInternalError: the end of the process."""

    async def guarded(self: Any, peer_id: Any, reason: str) -> None:
        try:
            await identify(self, peer_id, reason)
        except Exception as error:
            log.debug("identify failed", peer=str(peer_id), error=repr(error))

    return guarded


def _guard_message(push: Callable[..., Awaitable[None]]) -> Any:
    """A message whose from_id is a hash and whose key is garbage raises from the signature check, as does a
    synchronous validator's bug; either kills Pubsub. Drop the message, keep the service.

    Nor does libp2p limit how many packets a neighbour hands us, each a task with a signature to check: the host's
    owner decides before that (Link.ask_first)."""

    async def guarded(self: Any, msg_forwarder: Any, msg: Any) -> None:
        if (may_pass := getattr(self.host, "may_pass", None)) is not None and not may_pass(msg_forwarder):
            return
        try:
            await push(self, msg_forwarder, msg)
        except Exception as error:
            log.warning("gossip message dropped", peer=str(msg_forwarder), error=repr(error))
            _tell(self.host, msg_forwarder, error)

    return guarded


def _guard_tasks(run_task: Callable[..., None]) -> Any:
    """Every other task of a service (a connection's read loop, opening a pubsub stream to a new peer, the
    auto-connector) takes the service along when it fails. Only the service's own run() and its daemons may;
    a connection whose loop failed is closed."""

    def run(
        self: Any, async_fn: Any, *args: Any, daemon: bool = False, name: str | None = None, **kw: Any
    ) -> None:
        if daemon or kw.get("_internal"):
            run_task(self, async_fn, *args, daemon=daemon, name=name, **kw)
            return

        async def guarded(*inner: Any) -> None:
            try:
                await async_fn(*inner)
            except BROKEN as error:
                log.debug("connection broke", task=str(name or async_fn), error=repr(error))
            except Exception as error:
                log.warning("network task failed", task=str(name or async_fn), error=repr(error))
            else:
                return
            owner = getattr(async_fn, "__self__", None)
            if isinstance(owner, Yamux | SwarmConn):
                with trio.move_on_after(2), suppress(Exception):
                    await owner.close()

        run_task(
            self, guarded, *args, daemon=daemon, name=name or getattr(async_fn, "__name__", "task"), **kw
        )

    return run
