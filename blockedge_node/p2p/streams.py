"""One exchange a stream: award → Ack, result → Receipt, watch → Kept, a question for peers → signed peer records.

An award, result or watch is not answered here: the server checks it, tells the core, and holds the stream until the
core answers (`answer`) or `answer_timeout` is over; several streams may wait for one answer, as a requester that
lost its connection asks again. An award's input is fetched while the core still writes the award down (`ahead`). The
client tries the peers of an address in turn (directory.py). A refusal counts only if nobody of them gives what was
asked for: whoever repeated the worker's gossip cannot refuse in its name.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import Final, TypeVar

import structlog
import trio
from libp2p.abc import INetStream
from libp2p.peer.id import ID

from blockedge_node.core.events import AwardHeard, Event, ResultHeard, SignedAward, WatchHeard
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address, Digest, Signature, UnitId
from blockedge_node.core.task import Ack, Receipt, Request, Result
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import PeerError, Rejected, Transient
from blockedge_node.p2p import frames
from blockedge_node.p2p.directory import Directory
from blockedge_node.p2p.host import Link
from blockedge_node.p2p.limits import Buckets
from blockedge_node.p2p.peers import RECORD_MAX, RECORDS_PER_ANSWER, Peers
from blockedge_node.p2p.serving import INVALID_POINTS, Server, Waiting
from blockedge_node.p2p.settings import Settings
from blockedge_node.p2p.topics import Emit, StandingOf
from blockedge_node.wire import codec, messages, streams
from blockedge_node.wire.messages import VERSION, same

log = structlog.get_logger(__name__)

AWARD: Final = "/blockedge/1/award"
RESULT: Final = "/blockedge/1/result"
WATCH: Final = "/blockedge/1/watch"
PEERS: Final = "/blockedge/1/peers"
PEERS_LIMIT: Final = RECORDS_PER_ANSWER * (RECORD_MAX + 8) + 64  # bytes of an answer
ASK_AT: Final = (
    0.2,
    1.0,
    3.0,
    10.0,
)  # seconds after connecting: the other side meets its peers at the same time

Answered = TypeVar("Answered")


class Exchanges:
    """The award, result, watch and peers protocols, both ends."""

    def __init__(
        self,
        *,
        domain: Domain,
        me: Address,
        settings: Settings,
        peers: Peers,
        directory: Directory,
        standing: StandingOf,
        emit: Emit,
        link: Callable[[], Link],
        ahead: Callable[[Request], None],
    ) -> None:
        self._domain, self._me, self._settings, self._peers = domain, me, settings, peers
        self._directory, self._standing, self._emit, self._link = directory, standing, emit, link
        self._ahead = ahead  # told of each request whose award we hold: its input will be wanted
        self._waiting = Waiting(settings.waiting_streams)
        self._rates = Buckets(settings.exchanges, trio.current_time)
        self._asking: set[ID] = set()

    def prepare(self, link: Link, server: Server) -> None:
        server.serve(link, AWARD, self._serve_award, self._settings.waiting_per_peer)
        server.serve(link, RESULT, self._serve_result, self._settings.waiting_per_peer)
        server.serve(link, WATCH, self._serve_watch, self._settings.waiting_per_peer)
        server.serve(link, PEERS, self._serve_peers, self._settings.streams_per_peer)

    # ── award ────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve_award(self, stream: INetStream, peer: ID) -> None:
        raw = await self._hear(stream, peer)
        message = streams.open_award(raw, self._domain)
        requester = message.signed.request.requester
        if message.signed.bid.worker != self._me:
            await self._write(stream, self._refusal("not.mine"))
            return
        standing = await self._standing(requester)
        if standing is None:
            raise Transient("the requester's standing is not known in time")
        self._directory.heard(requester, peer)
        self._ahead(message.signed.request)
        event = AwardHeard(signed=message.signed, digest=message.digest, standing=standing)
        await self._hold(stream, ("award", message.digest), event)

    async def send_award(self, signed: SignedAward) -> tuple[Ack, Signature]:
        """The worker's Ack. Raises Rejected(reason) if it refuses, Transient if it cannot be reached."""
        raw = streams.build_award(self._domain, signed, _now_ms())
        worker = signed.bid.worker

        def opened(answer: bytes) -> tuple[Ack, Signature]:
            return streams.open_ack(answer, self._domain, signed.award, worker)

        return await self._ask_each(worker, AWARD, raw, opened)

    def answer_award(self, award: Digest, ack: Ack, sig: Signature) -> None:
        self._waiting.answer(("award", award), streams.build_ack(self._domain, ack, sig, _now_ms()))

    def refuse_award(self, award: Digest, reason: str) -> None:
        self._waiting.answer(("award", award), self._refusal(reason))

    # ── result ───────────────────────────────────────────────────────────────────────────────────────────

    async def _serve_result(self, stream: INetStream, peer: ID) -> None:
        raw = await self._hear(stream, peer)
        message = streams.open_result(raw, self._domain)
        event = ResultHeard(unit=message.unit, worker=message.worker, result=message.result)
        await self._hold(stream, ("result", message.unit + message.result.hash()), event)

    async def deliver(self, unit: UnitId, requester: Address, result: Result) -> tuple[Receipt, Signature]:
        """The requester's Receipt for our result. Raises Rejected or Transient."""
        raw = streams.build_result(self._domain, unit, self._me, result, _now_ms())

        def opened(answer: bytes) -> tuple[Receipt, Signature]:
            receipt, signer, sig = streams.open_receipt(answer, self._domain, unit, result)
            if signer != requester:
                raise PeerError("the receipt is not signed by the requester")
            return receipt, sig

        return await self._ask_each(requester, RESULT, raw, opened)

    def answer_result(self, receipt: Receipt, sig: Signature) -> None:
        raw = messages.build_receipt(self._domain, receipt, sig, _now_ms())
        self._waiting.answer(("result", receipt.unit + receipt.result_hash), raw)

    # ── watch ────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve_watch(self, stream: INetStream, peer: ID) -> None:
        raw = await self._hear(stream, peer)
        message = streams.open_watch(raw, self._domain)
        reason = "not.mine" if message.watch.tower != self._me else "not.client"
        if reason == "not.mine" or message.client not in self._settings.clients:
            await self._write(stream, self._refusal(reason))
            return
        event = WatchHeard(
            client=message.client, watch=message.watch, output=message.output, digest=message.digest
        )
        await self._hold(stream, ("watch", message.digest), event)

    async def hand_watch(self, watch: Watch, output: bytes, sig: Signature) -> None:
        """Returns once the tower has it on its disk. Raises Rejected or Transient."""
        raw = streams.build_watch(self._domain, watch, output, sig, _now_ms())

        def opened(answer: bytes) -> Kept:
            return streams.open_kept(answer, self._domain, watch)

        await self._ask_each(watch.tower, WATCH, raw, opened)

    def answer_watch(self, kept: Kept, sig: Signature) -> None:
        raw = streams.build_kept(self._domain, kept, sig, _now_ms())
        self._waiting.answer(("watch", kept.watch), raw)

    # ── peers ────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve_peers(self, stream: INetStream, peer: ID) -> None:
        ask = codec.decode(await self._hear(stream, peer), codec.EXCHANGE_LIMIT)
        if not isinstance(ask, dict) or ask.keys() != {"v"} or not same(ask["v"], VERSION):
            raise PeerError("not a question for peers")
        answer = codec.encode({"v": VERSION, "records": self._peers.records(peer)})
        await frames.write_frame(stream, answer, self._settings.step_timeout, PEERS_LIMIT)

    async def ask_for_peers(self, peer: ID) -> int:
        """How many peers we know of through `peer`'s answer. Raises Transient, PeerError."""
        timeout = self._settings.step_timeout
        question = codec.encode({"v": VERSION})
        async with frames.asked(self._link().host, peer, PEERS, question, timeout) as stream:
            answer = codec.decode(await frames.read_frame(stream, timeout, PEERS_LIMIT), PEERS_LIMIT)
        records = (
            answer.get("records") if isinstance(answer, dict) and same(answer.get("v"), VERSION) else None
        )
        if not isinstance(records, list) or len(records) > RECORDS_PER_ANSWER:
            raise PeerError("not a list of peers")
        if not all(isinstance(record, bytes) for record in records):
            raise PeerError("not a list of peers")
        return sum(self._peers.learn(record) is not None for record in records)

    async def keep_asking(self, peer: ID) -> None:
        """Ask a newly connected peer for its peers, several times at first, until it is gone."""
        if peer in self._asking:
            return
        self._asking.add(peer)
        try:
            await self._keep_asking(peer)
        finally:
            self._asking.discard(peer)

    async def _keep_asking(self, peer: ID) -> None:
        for pause in chain(ASK_AT, repeat(self._settings.exchange_every)):
            await trio.sleep(pause * random.uniform(0.8, 1.2))
            if not self._peers.is_connected(peer):
                return
            try:
                await self.ask_for_peers(peer)
            except Transient as error:
                log.debug("peer did not name its peers", peer=str(peer), error=str(error))
            except PeerError as error:
                self._peers.fault(peer, INVALID_POINTS, f"{PEERS}: {error}")

    # ── small parts ──────────────────────────────────────────────────────────────────────────────────────

    async def _hear(self, stream: INetStream, peer: ID) -> bytes:
        if not self._rates.take(peer):
            raise Transient("too many exchanges")
        return await frames.read_frame(stream, self._settings.step_timeout)

    async def _hold(self, stream: INetStream, key: tuple[str, bytes], event: Event) -> None:
        async def heard() -> None:
            await self._emit(event)

        answer = await self._waiting.hold(key, heard, self._settings.answer_timeout)
        if answer is None:
            raise Transient("no answer in time")
        await self._write(stream, answer)

    async def _ask_each(
        self, who: Address, protocol: str, raw: bytes, opened: Callable[[bytes], Answered]
    ) -> Answered:
        """`opened` of the first good answer among the peers of `who`."""
        refusal: Rejected | None = None
        problems = []
        for peer in self._directory.peers_of(who):
            try:
                return opened(await self._ask(peer, protocol, raw))
            except Rejected as error:
                refusal = refusal or error
            except PeerError as error:
                self._peers.fault(peer, INVALID_POINTS, f"{protocol}: {error}")
                problems.append(str(error))
            except Transient as error:
                problems.append(str(error))
        if refusal is not None:
            raise refusal
        raise Transient(f"0x{who.hex()} cannot be reached: {'; '.join(problems) or 'no peer of it is known'}")

    async def _ask(self, peer: ID, protocol: str, raw: bytes) -> bytes:
        link, step = self._link(), self._settings.step_timeout
        await self._peers.reach(peer)
        async with frames.asked(link.host, peer, protocol, raw, step) as stream:
            return await frames.read_frame(stream, self._settings.answer_timeout + step)

    async def _write(self, stream: INetStream, raw: bytes) -> None:
        await frames.write_frame(stream, raw, self._settings.step_timeout)

    def _refusal(self, reason: str) -> bytes:
        return streams.build_refusal(self._domain, reason, _now_ms())


def _now_ms() -> int:
    return int(time.time() * 1000)
