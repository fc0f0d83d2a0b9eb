"""Gossip: three topics, what a message must pass before it is believed or forwarded, and how we publish.

A message is checked once, in libp2p's validator, cheapest test first; what passes goes into a bounded inbox, from
which one task emits core events. Three ends are possible:

    ACCEPT   forwarded by libp2p, emitted here
    IGNORE   dropped, nobody's fault: too late, too many, not enough in escrow, balance not known in time
    REJECT   malformed or falsely signed. Honest nodes never forward such a thing, so both the neighbour that
             handed it over and the origin that signed the packet are at fault (peers.py), and banned if they go on

A repeated message (same id, another origin) is paid for by whoever repeats it, never by its signer: otherwise a
stranger could use up a requester's allowance with the requester's own words.

A draw secret has no signer: it opens the drawCommit of a COMMITTED unit, of which there is one message a unit. A
node that sees a block later than others waits a little for the unit before it drops the secret, as nobody says it
twice to the same neighbour; how many may wait is bounded, and each origin pays for its own.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Final

import structlog
import trio
from libp2p.peer.id import ID

from blockedge_node.core.commitment import draw_commit
from blockedge_node.core.events import BidHeard, Event, RequestHeard, SecretHeard
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address, Hash, UnitId
from blockedge_node.core.unit import Standing
from blockedge_node.errors import PeerError, Rejected, Transient
from blockedge_node.p2p.directory import Directory
from blockedge_node.p2p.host import Link
from blockedge_node.p2p.limits import Bucket, Buckets
from blockedge_node.p2p.peers import Peers
from blockedge_node.p2p.settings import Settings
from blockedge_node.wire import messages
from blockedge_node.wire.codec import GOSSIP_LIMIT
from blockedge_node.wire.messages import (
    BidsMessage,
    GossipMessage,
    KeyCardMessage,
    ReportMessage,
    RequestMessage,
    SecretMessage,
)

log = structlog.get_logger(__name__)

INVALID_POINTS: Final = 20.0
FLOOD_POINTS: Final = (
    0.5  # a packet beyond settings.per_neighbour; nodes that keep to per_node never come near
)
INBOX: Final = 1024  # checked messages that wait for the engine
REMEMBER: Final = 16384  # message ids
REPEAT_AFTER: Final = 3.0  # seconds before the same message may pass again, for those that missed it
SECRETS_WAITING: Final = 32  # for their units; libp2p judges 64 messages at a time

type_of_topic: Final = {RequestMessage: "requests", BidsMessage: "bids"}  # everything else: notices

Emit = Callable[[Event], Awaitable[None]]
StandingOf = Callable[[Address], Awaitable[Standing | None]]
DrawCommitOf = Callable[[UnitId, bool], Awaitable[Hash | None]]  # (unit, wait for it)


async def nothing_drawn(_unit: UnitId, _wait: bool) -> Hash | None:
    """Where there is no court, no unit has a drawCommit."""
    return None


class Verdict(Enum):
    ACCEPT = "accept"
    IGNORE = "ignore"
    REJECT = "reject"


class Ignored(Exception):
    """Why a message is dropped without blame; a word that is counted."""


class Gossip:
    """The three topics of one deployment. Outlives the host; `run` serves one life of it."""

    def __init__(
        self,
        *,
        domain: Domain,
        settings: Settings,
        peers: Peers,
        directory: Directory,
        standing: StandingOf,
        emit: Emit,
        now: Callable[[], int],
        draw_commit: DrawCommitOf = nothing_drawn,
    ) -> None:
        self._domain, self._settings, self._peers, self._directory = domain, settings, peers, directory
        self._standing, self.emit, self._now = standing, emit, now
        self._draw_commit = draw_commit
        self._secrets_waiting = 0
        prefix = f"/blockedge/1/{domain.chain_id}/0x{domain.contract.hex()}"
        self.topics = {name: f"{prefix}/{name}" for name in ("requests", "bids", "notices")}
        self.counts: Counter[str] = Counter()  # by topic: verdicts, and the reasons for IGNORE
        self._signers = Buckets(settings.per_signer, trio.current_time)
        self._origins = Buckets(settings.per_signer, trio.current_time)
        self._newcomers = Buckets(settings.newcomers, trio.current_time)
        self._neighbours = Buckets(settings.per_neighbour, trio.current_time)
        self._node = Bucket(settings.per_node, trio.current_time())
        self._known_signers: OrderedDict[Address, None] = OrderedDict()
        self._seen: OrderedDict[Hash, float] = OrderedDict()
        self._judging: set[bytes] = set()  # packets that wait for a balance; copies come by every neighbour
        self._inbox_in, self._inbox = trio.open_memory_channel[tuple[GossipMessage, Standing | None]](INBOX)
        self._link: Link | None = None
        self._turn = trio.Lock()
        self._queued = 0

    # ── one life of the host ─────────────────────────────────────────────────────────────────────────────

    def prepare(self, link: Link) -> None:
        """Validators first, so that nothing is forwarded unchecked."""
        link.ask_first(self._may_pass)
        for name, topic in self.topics.items():

            async def validate(forwarder: ID, packet: Any, name: str = name) -> bool:
                return await self._validate(name, forwarder, packet)

            link.pubsub.set_topic_validator(topic, validate, is_async_validator=True)

    async def run(self, link: Link, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            for topic in self.topics.values():
                nursery.start_soon(_drain, await link.pubsub.subscribe(topic))
            self._link = link
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._link = None

    async def deliver(self) -> None:
        """Turn checked messages into core events, until cancelled. One such task for all lives."""
        async for message, standing in self._inbox:
            match message:
                case SecretMessage():
                    await self.emit(
                        SecretHeard(unit=message.unit, secret=message.secret, guard_r=message.guard_r)
                    )
                case RequestMessage() if standing is not None:
                    await self.emit(
                        RequestHeard(
                            request=message.request, task=message.task, sig=message.sig, standing=standing
                        )
                    )
                case BidsMessage() if standing is not None:
                    for bid, digest, sig in zip(message.bids, message.digests, message.sigs, strict=True):
                        await self.emit(BidHeard(bid=bid, digest=digest, sig=sig, standing=standing))
                case _:
                    pass  # key cards are in the directory; reports have no event yet

    # ── checking ─────────────────────────────────────────────────────────────────────────────────────────

    def _may_pass(self, neighbour: ID) -> bool:
        if neighbour == self._peers.me or self._neighbours.take(neighbour):
            return True
        self.counts["flooded"] += 1
        self._peers.fault(neighbour, FLOOD_POINTS, "too many packets")
        return False

    async def _validate(self, name: str, forwarder: ID, packet: Any) -> bool:
        """libp2p's async validator: never raises."""
        if forwarder == self._peers.me:
            return True  # our own, on its way out
        origin, packet_id = ID(packet.from_id), packet.from_id + packet.seqno
        if packet_id in self._judging:
            return False
        self._judging.add(packet_id)
        tally = self._peers.tally(forwarder)
        tally.received += 1
        try:
            await self._judge(name, origin, packet.data)
        except Ignored as reason:
            self.counts[f"{name} {reason}"] += 1
            verdict = Verdict.IGNORE
        except PeerError as error:
            verdict = Verdict.REJECT
            for peer in {forwarder, origin}:
                self._peers.fault(peer, INVALID_POINTS, f"invalid {name}: {error}")
        except Exception as error:  # libp2p swallows it without a trace
            log.error("gossip could not be checked", topic=name, error=repr(error))
            verdict = Verdict.IGNORE
        else:
            verdict = Verdict.ACCEPT
        finally:
            self._judging.discard(packet_id)
        self.counts[f"{name} {verdict.value}"] += 1
        return verdict is Verdict.ACCEPT

    async def _judge(self, name: str, origin: ID, raw: bytes) -> None:
        """Raises PeerError or Ignored; returns once the message is in the inbox."""
        if len(raw) > GOSSIP_LIMIT:
            raise PeerError(f"{len(raw)} bytes; the limit is {GOSSIP_LIMIT}")
        message = messages.open_gossip(raw, self._domain)
        if type_of_topic.get(type(message), "notices") != name:
            raise PeerError(f"a {type(message).__name__} does not belong on this topic")
        if not self._now():
            raise Ignored("before the first head")
        if isinstance(message, SecretMessage):
            await self._judge_secret(message, origin)
            return
        signer, stake, expiry = self._terms(message)
        if expiry <= self._now():
            raise Ignored("expired")
        self._charge(message.id, signer, origin)
        try:
            standing = await self._standing(signer)
        except Transient:
            standing = None
        if standing is None:
            raise Ignored("standing unknown")
        self._remember(signer)
        if standing.account.covered(expiry) < stake:
            raise Ignored("not covered")
        if not self._node.take(trio.current_time()):
            raise Ignored("node rate")
        self._directory.heard(signer, origin)
        if isinstance(message, KeyCardMessage):
            self._directory.learn(message.card)
            return
        self._hand_in(message, standing)

    async def _judge_secret(self, message: SecretMessage, origin: ID) -> None:
        """Does it open what the unit's Award committed to? Raises Ignored: a secret that came late is no fault."""
        self._charge_repeated(message.id, origin)
        committed = await self._draw_commit(message.unit, False) or await self._wait_for(message.unit, origin)
        if committed is None or draw_commit(message.secret, message.guard_r) != committed:
            raise Ignored("opens nothing")
        if not self._node.take(trio.current_time()):
            raise Ignored("node rate")
        self._hand_in(message, None)

    async def _wait_for(self, unit: UnitId, origin: ID) -> Hash | None:
        """The drawCommit of a unit that is not COMMITTED yet as we see it. Raises Ignored if too many wait."""
        if self._secrets_waiting >= SECRETS_WAITING or not self._origins.take(origin):
            raise Ignored("too early")
        self._secrets_waiting += 1
        self.counts["notices early"] += 1
        try:
            return await self._draw_commit(unit, True)
        finally:
            self._secrets_waiting -= 1

    def _hand_in(self, message: GossipMessage, standing: Standing | None) -> None:
        try:
            self._inbox_in.send_nowait((message, standing))
        except trio.WouldBlock:
            self.counts["inbox full"] += 1  # the engine is behind: still worth forwarding

    def _terms(self, message: GossipMessage) -> tuple[Address, int, int]:
        """Who signed, what must be covered (wei), until when (chain time)."""
        match message:
            case RequestMessage(request=r):
                fee = r.max_price * self._settings.fee_bps // 10_000
                return r.requester, (r.max_price + fee + r.check_fee) * r.shards, r.expiry
            case BidsMessage(worker=worker, bids=bids):
                if min(b.expiry for b in bids) <= self._now():
                    raise Ignored("expired")
                return worker, sum(b.deposit for b in bids), max(b.expiry for b in bids)
            case KeyCardMessage(card=card):
                return card.owner, 0, card.expiry
            case ReportMessage(report=report):
                return report.author, 1, report.expiry  # anything at all in escrow
            case _:
                raise Ignored("no use for it")  # commits, receipts: no role here acts on them

    def _charge(self, message_id: Hash, signer: Address, origin: ID) -> None:
        """A new message is its signer's expense, a repeated one its repeater's."""
        if self._charge_repeated(message_id, origin):
            return
        if not self._signers.take(signer):
            raise Ignored("signer rate")
        if signer not in self._known_signers and not self._newcomers.take(origin):
            raise Ignored("newcomers")

    def _charge_repeated(self, message_id: Hash, origin: ID) -> bool:
        """Whether the message was seen before; then `origin` pays for it."""
        now = trio.current_time()
        last = self._seen.pop(message_id, None)
        self._seen[message_id] = now if last is None or now - last >= REPEAT_AFTER else last
        if len(self._seen) > REMEMBER:
            self._seen.popitem(last=False)
        if last is not None:
            if now - last < REPEAT_AFTER:
                raise Ignored("repeated")
            if not self._origins.take(origin):
                raise Ignored("origin rate")
        return last is not None

    def _remember(self, signer: Address) -> None:
        self._known_signers[signer] = None
        self._known_signers.move_to_end(signer)
        if len(self._known_signers) > REMEMBER:
            self._known_signers.popitem(last=False)

    # ── publishing ───────────────────────────────────────────────────────────────────────────────────────

    async def publish(self, name: str, raw: bytes) -> None:
        """Hand an envelope to the topic, at our turn.

        Raises Rejected if it is too large (libp2p would drop it without a word), Transient if nobody listens
        within settings.publish_wait or too many messages wait.
        """
        if len(raw) > GOSSIP_LIMIT:
            raise Rejected("too large", f"a gossip message of {len(raw)} bytes; the limit is {GOSSIP_LIMIT}")
        if self._queued >= self._settings.publish_queue:
            raise Transient(f"{self._queued} messages wait to be published")
        self._queued += 1
        try:
            await self._listeners(name)
            async with self._turn:
                link = await self._listeners(name)
                await link.pubsub.publish(self.topics[name], raw)
                await trio.sleep(self._settings.publish_gap)
        finally:
            self._queued -= 1
        self.counts[f"{name} published"] += 1

    async def _listeners(self, name: str) -> Link:
        """A living host with at least one peer in the topic's mesh; libp2p has no event for the first one.

        Raises Transient after settings.publish_wait.
        """
        with trio.move_on_after(self._settings.publish_wait):
            while True:
                link = self._link
                if link is not None and link.router.mesh.get(self.topics[name]):
                    return link
                await trio.sleep(0.02)
        raise Transient(f"no peer listens on {name}")

    async def announce(self, card: Callable[[], bytes], newcomer: Callable[[], trio.Event]) -> None:
        """Publish our KeyCard at start, every settings.card_every, and soon after a peer connects."""
        while True:
            if not self._now():  # a card's expiry is in chain time, which begins with the first head
                await trio.sleep(0.1)
                continue
            came = newcomer()
            with suppress(Transient):
                await self.publish("notices", card())
            with trio.move_on_after(self._settings.card_every):
                await came.wait()
            await trio.sleep(self._settings.card_gap)


async def _drain(subscription: Any) -> None:
    """Messages were taken in the validator; libp2p holds 32 for a subscriber and warns about the next."""
    while True:
        await subscription.get()
