"""What all stream servers share: limits per peer, faults for bad bytes, and streams that wait for an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID

from blockedge_node.errors import PeerError, Transient
from blockedge_node.p2p import frames
from blockedge_node.p2p.host import Link
from blockedge_node.p2p.peers import Peers

log = structlog.get_logger(__name__)

INVALID_POINTS: Final = 20.0

Served = Callable[[INetStream, ID], Awaitable[None]]


class Server:
    """Registers handlers; turns their failures into faults, resets and silence."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._open: Counter[tuple[str, ID]] = Counter()

    def serve(self, link: Link, protocol: str, handle: Served, at_once: int) -> None:
        """`handle(stream, peer)` for each stream of `protocol`; at most `at_once` of a peer at a time."""

        async def run(stream: INetStream) -> None:
            peer = stream.muxed_conn.peer_id
            key, well = (protocol, peer), False
            if self._peers.is_banned(peer) or self._open[key] >= at_once:
                await frames.end_stream(stream, reset=True)
                return
            self._open[key] += 1
            try:
                await handle(stream, peer)
                well = True
            except PeerError as error:
                self._peers.fault(peer, INVALID_POINTS, f"{protocol}: {error}")
            except Transient as error:
                log.debug("stream not served", protocol=protocol, peer=str(peer), error=str(error))
            finally:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]
                await frames.end_stream(stream, reset=not well)

        link.host.set_stream_handler(TProtocol(protocol), run)


@dataclass(slots=True)
class Pending:
    """One answer that is waited for."""

    event: trio.Event = field(default_factory=trio.Event)
    waiting: int = 0
    raw: bytes | None = None


class Waiting:
    """Streams held open for an answer, by what they wait for."""

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._pending: dict[tuple[str, bytes], Pending] = {}

    async def hold(
        self, key: tuple[str, bytes], heard: Callable[[], Awaitable[None]], timeout: float
    ) -> bytes | None:
        """Run `heard` with the stream already waiting; the answer to `key`, None after `timeout` seconds.

        Raises Transient if too many streams wait.
        """
        if self._count >= self._most:
            raise Transient("too many streams wait for an answer")
        pending = self._pending.setdefault(key, Pending())
        pending.waiting += 1
        self._count += 1
        try:
            with trio.move_on_after(timeout):
                await heard()
                await pending.event.wait()
            return pending.raw
        finally:
            self._count -= 1
            pending.waiting -= 1
            if not pending.waiting and self._pending.get(key) is pending:
                del self._pending[key]

    def answer(self, key: tuple[str, bytes], raw: bytes) -> int:
        """Wake every stream that waits for `key`; how many those are."""
        pending = self._pending.pop(key, None)
        if pending is None:
            return 0
        pending.raw = raw
        pending.event.set()
        return pending.waiting
