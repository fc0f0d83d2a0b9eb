"""One simulated node's side of the network: the real bytes, and the real checks at the door.

    Port.publish_… ─▶ wire.messages.build_… ─▶ network.py ─▶ Port.hear ─▶ RequestHeard, BidHeard
    Port.send_award ─▶ wire.streams.build_award ─▶ network.py ─▶ Port.serve_award ─▶ AwardHeard, held for its answer

What is decoded, which signatures are recovered and what must be unexpired and covered is as in p2p/topics.py and
p2p/streams.py. Duplicates reach the core, which must not mind them.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Sequence
from typing import TypeVar

import trio

from blockedge_node.core import merkle
from blockedge_node.core.commitment import draw_commit
from blockedge_node.core.events import (
    AwardHeard,
    BidHeard,
    Event,
    RequestHeard,
    ResultHeard,
    SecretHeard,
    SignedAward,
    WatchHeard,
)
from blockedge_node.core.ids import Address, Digest, Hash, Root, Secret, Signature, UnitId
from blockedge_node.core.items import Answer
from blockedge_node.core.task import Ack, Bid, Receipt, Request, Result
from blockedge_node.core.unit import Standing
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import PeerError, Transient
from blockedge_node.p2p.serving import Waiting
from blockedge_node.wire import messages, streams
from blockedge_node.wire.messages import BidsMessage, RequestMessage, SecretMessage
from tests.sim.evm import PARAMS
from tests.sim.network import Connection, Net

ANSWER = 20.0  # seconds for which an award or result waits for its answer (p2p/settings.py)
STREAMS = 256  # held open at a time

T = TypeVar("T")


class Port:
    """ports.Network and content.Fetcher of one life of one node."""

    def __init__(
        self,
        net: Net,
        me: Address,
        nursery: trio.Nursery,
        *,
        blobs: dict[Root, bytes],
        tell: Callable[[Event], Awaitable[None]],
        standing: Callable[[Address], Awaitable[Standing | None]],
        now: Callable[[], int],
        draw_commit: Callable[[UnitId, bool], Awaitable[Hash | None]],
        clients: Collection[Address] = (),
    ) -> None:
        self.me, self.nursery, self._clients = me, nursery, clients
        self._net, self._blobs, self._tell, self._standing, self._now = net, blobs, tell, standing, now
        self._draw_commit = draw_commit
        self._waiting = Waiting(STREAMS)
        self._connections: set[trio.CancelScope] = set()

    def connection(self) -> Connection:
        return Connection(self._connections)

    def close(self) -> None:
        """The node is gone: whoever talks to it notices."""
        for scope in self._connections:
            scope.cancel()

    # ── gossip ───────────────────────────────────────────────────────────────────────────────────────────

    async def publish_request(self, request: Request, sig: Signature) -> None:
        raw = messages.build_request(self._net.domain, request, sig, self._ms())
        self._net.gossip(self, "requests", raw)

    async def publish_bids(self, bids: Sequence[Bid], sigs: Sequence[Signature]) -> None:
        for at in range(0, len(bids), messages.MAX_BIDS):
            some = slice(at, at + messages.MAX_BIDS)
            raw = messages.build_bids(self._net.domain, bids[some], sigs[some], self._ms())
            self._net.gossip(self, "bids", raw)

    async def publish_secret(self, unit: UnitId, secret: Secret, guard_r: Hash) -> None:
        raw = messages.build_secret(self._net.domain, unit, secret, guard_r, self._ms())
        self._net.gossip(self, "notices", raw)

    async def hear(self, topic: str, raw: bytes) -> None:
        """A gossip message, checked as p2p/topics.py does: decoded, signed, unexpired, covered."""
        try:
            message = messages.open_gossip(raw, self._net.domain)
        except PeerError:
            self._net.counts["rejected"] += 1
            return
        match message:
            case RequestMessage(request=request) if topic == "requests":
                fee = request.max_price * PARAMS.fee_bps // 10_000
                stake = (request.max_price + fee + request.check_fee) * request.shards
                standing = await self._covered(request.requester, stake, request.expiry, request.expiry)
                if standing:
                    await self._tell(
                        RequestHeard(request=request, task=message.task, sig=message.sig, standing=standing)
                    )
            case BidsMessage(bids=bids) if topic == "bids":
                stake = sum(bid.deposit for bid in bids)
                last = max(bid.expiry for bid in bids)
                first = min(bid.expiry for bid in bids)
                standing = await self._covered(message.worker, stake, last, first)
                for bid, digest, sig in zip(bids, message.digests, message.sigs, strict=True):
                    if standing:
                        await self._tell(BidHeard(bid=bid, digest=digest, sig=sig, standing=standing))
            case SecretMessage(unit=unit, secret=secret, guard_r=guard_r) if topic == "notices":
                if await self._draw_commit(unit, True) == draw_commit(secret, guard_r):
                    await self._tell(SecretHeard(unit=unit, secret=secret, guard_r=guard_r))
                else:
                    self._net.counts["opens nothing"] += 1
            case _:
                self._net.counts["rejected"] += 1

    async def _covered(self, who: Address, stake: int, until: int, expiry: int) -> Standing | None:
        if expiry <= self._now():
            self._net.counts["expired"] += 1
            return None
        standing = await self._standing(who)
        if standing is None or standing.account.covered(until) < stake:
            self._net.counts["uncovered"] += 1
            return None
        return standing

    # ── award and result streams ─────────────────────────────────────────────────────────────────────────

    async def send_award(self, signed: SignedAward) -> tuple[Ack, Signature]:
        domain, worker = self._net.domain, signed.bid.worker
        raw = streams.build_award(domain, signed, self._ms())
        answer = await self._net.ask(worker, Port.serve_award, raw)
        return _opened(lambda: streams.open_ack(answer, domain, signed.award, worker))

    async def serve_award(self, raw: bytes) -> bytes:
        message = streams.open_award(raw, self._net.domain)
        requester = message.signed.request.requester
        if message.signed.bid.worker != self.me:
            return streams.build_refusal(self._net.domain, "not.mine", self._ms())
        standing = await self._standing(requester)
        if standing is None:
            raise Transient("the requester's standing is not known in time")
        event = AwardHeard(signed=message.signed, digest=message.digest, standing=standing)
        return await self._held(("award", message.digest), event)

    async def answer_award(self, award: Digest, ack: Ack, sig: Signature) -> None:
        self._waiting.answer(("award", award), streams.build_ack(self._net.domain, ack, sig, self._ms()))

    async def refuse_award(self, award: Digest, reason: str) -> None:
        self._waiting.answer(("award", award), streams.build_refusal(self._net.domain, reason, self._ms()))

    async def deliver(self, unit: UnitId, requester: Address, result: Result) -> tuple[Receipt, Signature]:
        domain = self._net.domain
        raw = streams.build_result(domain, unit, self.me, result, self._ms())
        answer = await self._net.ask(requester, Port.serve_result, raw)
        receipt, signer, sig = _opened(lambda: streams.open_receipt(answer, domain, unit, result))
        if signer != requester:
            raise PeerError("the receipt is not signed by the requester")
        return receipt, sig

    async def serve_result(self, raw: bytes) -> bytes:
        heard = streams.open_result(raw, self._net.domain)
        event = ResultHeard(unit=heard.unit, worker=heard.worker, result=heard.result)
        return await self._held(("result", heard.unit + heard.result.hash()), event)

    async def answer_result(self, receipt: Receipt, sig: Signature) -> None:
        raw = messages.build_receipt(self._net.domain, receipt, sig, self._ms())
        self._waiting.answer(("result", receipt.unit + receipt.result_hash), raw)

    async def hand_watch(self, watch: Watch, output: bytes, sig: Signature) -> None:
        domain = self._net.domain
        raw = streams.build_watch(domain, watch, output, sig, self._ms())
        answer = await self._net.ask(watch.tower, Port.serve_watch, raw)
        _opened(lambda: streams.open_kept(answer, domain, watch))

    async def tell_answers(
        self, unit: UnitId, requester: Address, answers: AsyncIterable[tuple[int, Answer]]
    ) -> None:
        """Lost on the way: they bind nobody, and nobody may need them."""
        raise Transient("nobody listens")

    async def serve_watch(self, raw: bytes) -> bytes:
        heard = streams.open_watch(raw, self._net.domain)
        if heard.watch.tower != self.me or heard.client not in self._clients:
            return streams.build_refusal(self._net.domain, "not.client", self._ms())
        event = WatchHeard(client=heard.client, watch=heard.watch, output=heard.output, digest=heard.digest)
        return await self._held(("watch", heard.digest), event)

    async def answer_watch(self, kept: Kept, sig: Signature) -> None:
        raw = streams.build_kept(self._net.domain, kept, sig, self._ms())
        self._waiting.answer(("watch", kept.watch), raw)

    async def _held(self, key: tuple[str, bytes], event: Event) -> bytes:
        async def heard() -> None:
            await self._tell(event)

        answer = await self._waiting.hold(key, heard, ANSWER)
        if answer is None:
            raise Transient("no answer in time")
        return answer

    # ── blobs ────────────────────────────────────────────────────────────────────────────────────────────

    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int) -> None:
        """From the holders first, then from anybody."""
        others = [who for who in self._net.ports if who != self.me and who not in holders]
        problem = Transient("no peer holds the blob")
        for who in (*holders, *others):
            try:
                self._blobs[root] = await self._fetch_from(who, root, max_size)
                return
            except Transient as error:
                problem = error
        raise problem

    async def _fetch_from(self, who: Address, root: Root, max_size: int) -> bytes:
        ask = streams.BlobAsk(root=root, first=0, count=0)
        answer = await self._net.ask(who, Port.serve_head, streams.build_blob_ask(ask))
        head = _opened(lambda: streams.open_blob_head(answer, root))
        if head is None:
            raise Transient("the peer does not hold the blob")
        if head.size > max_size:
            raise PeerError(f"a blob of {head.size} bytes; the limit is {max_size}")
        ask = streams.BlobAsk(root=root, first=0, count=len(head.leaves))
        data = await self._net.ask(who, Port.serve_chunks, streams.build_blob_ask(ask))
        chunks = enumerate(merkle.chunks(data))
        if len(data) != head.size or not all(merkle.verify(chunk, i, head.leaves) for i, chunk in chunks):
            raise Transient("a chunk does not match its root")
        return data

    async def serve_head(self, raw: bytes) -> bytes:
        data = self._blobs.get(streams.open_blob_ask(raw).root)
        head = None if data is None else streams.BlobHead(size=len(data), leaves=merkle.leaves(data))
        return streams.build_blob_head(head)

    async def serve_chunks(self, raw: bytes) -> bytes:
        return self._blobs.get(streams.open_blob_ask(raw).root, b"")

    def _ms(self) -> int:
        return self._now() * 1000


def _opened(read: Callable[[], T]) -> T:
    """A bad answer may have been spoilt on its way: the caller asks again. Rejected passes."""
    try:
        return read()
    except PeerError as error:
        raise Transient(f"a bad answer: {error}") from error
