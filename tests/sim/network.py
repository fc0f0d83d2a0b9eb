"""The simulator's wires: who is up, and what happens to a message on its way.

    Port.publish_… ─▶ Net.gossip ─▶ (lost? twice? tampered? late?) ─▶ Port.hear of everybody else
    Port.send_award ─▶ Net.ask ─▶ (lost? tampered? late?) ─▶ Port.serve_award of one node ─▶ back the same way

libp2p itself is not simulated: a gossip message reaches everybody who is up at once, or is lost for one of them
alone; a lost stream message is a broken connection, and the caller gets Transient after a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import trio

from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address
from blockedge_node.errors import PeerError, Transient

if TYPE_CHECKING:
    from tests.sim.port import Port

BROKEN = 1.0  # seconds until a broken connection is noticed


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong between nodes: chances a message, seconds on its way."""

    loss: float = 0.0
    duplicate: float = 0.0
    tamper: float = 0.0
    delay: tuple[float, float] = (0.005, 0.05)


class Net:
    """Who is up, and what happens to a message on its way."""

    def __init__(self, faults: Faults, chance: Random, domain: Domain, nursery: trio.Nursery) -> None:
        self.faults, self.chance, self.domain = faults, chance, domain
        self.ports: dict[Address, Port] = {}
        self.counts: Counter[str] = Counter()
        self._nursery = nursery

    def gossip(self, by: Port, topic: str, raw: bytes) -> None:
        """To everybody who is up. Raises Transient if nobody is."""
        others = [port.me for port in self.ports.values() if port is not by]
        if not others:
            raise Transient("no peer listens")
        for other in others:
            copies = 1 + (self.chance.random() < self.faults.duplicate)
            for _ in range(copies):
                self._nursery.start_soon(self._carry, other, topic, raw)

    async def _carry(self, to: Address, topic: str, raw: bytes) -> None:
        if self._lost():
            return
        raw = self._tampered(raw)
        await trio.sleep(self._delay())
        port = self.ports.get(to)
        if port is not None:
            port.nursery.start_soon(port.hear, topic, raw)

    async def ask(self, to: Address, serve: Callable[[Port, bytes], Awaitable[bytes]], raw: bytes) -> bytes:
        """One exchange on a stream of its own. Raises Transient if it breaks at any point."""
        await self._leg()
        port = self.ports.get(to)
        if port is None:
            raise Transient("the peer is down")
        with port.connection() as scope:
            try:
                answer = await serve(port, self._tampered(raw))
            except PeerError as error:
                raise Transient(f"the peer closed the stream: {error}") from None
            await self._leg()
            return self._tampered(answer)
        assert scope.cancelled_caught
        raise Transient("the peer went down")

    async def _leg(self) -> None:
        await trio.sleep(self._delay())
        if self._lost():
            await trio.sleep(BROKEN)
            raise Transient("the connection broke")

    def _lost(self) -> bool:
        lost = self.chance.random() < self.faults.loss
        self.counts["lost" if lost else "carried"] += 1
        return lost

    def _delay(self) -> float:
        return self.chance.uniform(*self.faults.delay)

    def _tampered(self, raw: bytes) -> bytes:
        if not raw or self.chance.random() >= self.faults.tamper:
            return raw
        self.counts["tampered"] += 1
        at = self.chance.randrange(len(raw))
        return raw[:at] + bytes([raw[at] ^ 1 << self.chance.randrange(8)]) + raw[at + 1 :]


class Connection:
    """A stream as the server counts it: `close` ends it for the client."""

    def __init__(self, among: set[trio.CancelScope]) -> None:
        self._among, self._scope = among, trio.CancelScope()

    def __enter__(self) -> trio.CancelScope:
        self._among.add(self._scope)
        return self._scope.__enter__()

    def __exit__(self, *exc: object) -> bool:
        self._among.discard(self._scope)
        return self._scope.__exit__(*exc)  # type: ignore[arg-type]
