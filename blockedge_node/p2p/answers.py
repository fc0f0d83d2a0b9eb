"""Answers to a bundle's items, from worker to requester, as they come (docs/protocol.md §3.5, Bundles).

Best effort, and binding nobody: a stream that breaks is not opened again, since the whole output follows anyway.
Who speaks is known by the connection: only a peer of the unit's worker is heard, with MAX_ITEMS answers at most.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable
from typing import Final

from libp2p.abc import INetStream
from libp2p.peer.id import ID

from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.items import MAX_ITEMS, Answer
from blockedge_node.errors import PeerError, Transient
from blockedge_node.p2p import frames
from blockedge_node.p2p.directory import Directory
from blockedge_node.p2p.host import Link
from blockedge_node.p2p.peers import Peers
from blockedge_node.p2p.serving import Server
from blockedge_node.p2p.settings import Settings
from blockedge_node.wire import answers as wire

ANSWERS: Final = "/blockedge/1/answers"
PATIENCE: Final = 300.0  # seconds between two answers

Heard = Callable[[UnitId, Address, int, Answer], None]


def to_nobody(_unit: UnitId, _worker: Address, _place: int, _answer: Answer) -> None:
    """For nodes whose clients do not want to know."""


class Answers:
    """Both ends of the protocol. `heard` takes (unit, worker, place, answer), checked for nothing but the peer."""

    def __init__(
        self,
        *,
        domain: Domain,
        me: Address,
        settings: Settings,
        peers: Peers,
        directory: Directory,
        link: Callable[[], Link],
        heard: Heard,
    ) -> None:
        self._domain, self._me, self._settings, self._peers = domain, me, settings, peers
        self._directory, self._link, self._heard = directory, link, heard

    def prepare(self, link: Link, server: Server) -> None:
        server.serve(link, ANSWERS, self._serve, self._settings.waiting_per_peer)

    async def _serve(self, stream: INetStream, peer: ID) -> None:
        raw = await frames.read_frame(stream, self._settings.step_timeout)
        head = wire.open_head(raw, self._domain)
        if peer not in self._directory.peers_of(head.worker):
            raise Transient("answers by somebody who is not known as that worker")
        for _ in range(MAX_ITEMS):
            told = wire.open_answer(await frames.read_frame(stream, PATIENCE))
            if told is None:
                return
            self._heard(head.unit, head.worker, *told)
        raise PeerError("more answers than a bundle has items")

    async def tell(
        self, unit: UnitId, requester: Address, answers: AsyncIterable[tuple[int, Answer]]
    ) -> None:
        """Tell the requester what `answers` yields, until that ends. Raises Transient if it cannot be reached."""
        known = self._directory.peers_of(requester)
        if not known:
            raise Transient(f"no peer of 0x{requester.hex()} is known")
        step = self._settings.step_timeout
        head = wire.build_head(self._domain, unit, self._me, int(time.time() * 1000))
        await self._peers.reach(known[0])
        async with frames.asked(self._link().host, known[0], ANSWERS, head, step) as stream:
            async for place, answer in answers:
                if len(answer.output) <= wire.LARGEST:
                    await frames.write_frame(stream, wire.build_answer(place, answer), step)
            await frames.write_frame(stream, wire.build_end(), step)
