"""P2P: the node's network behind the ports Network and Content, alive as long as the daemon.

`run` lends one libp2p host after another to the parts that outlive it (peers, gossip, exchanges, contents). When
libp2p ends, whatever the cause, the next life begins with the same key and port after a short pause: the daemon,
its bans, its directory and its waiting engine stay. Only a wrong setting (ConfigError) ends `run`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Final, Protocol

import structlog
import trio
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from blockedge_node.core import merkle
from blockedge_node.core.events import SignedAward
from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import Address, Digest, Hash, Root, Secret, Signature, UnitId
from blockedge_node.core.items import Answer
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Ack, Bid, KeyCard, Kind, Receipt, Request, Result
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import ConfigError, Transient, first_of
from blockedge_node.p2p import patches
from blockedge_node.p2p.addresses import check_port_is_free, parse_listen, peer_id_of
from blockedge_node.p2p.answers import Answers, Heard, to_nobody
from blockedge_node.p2p.blobs import Blobs, Contents
from blockedge_node.p2p.directory import Directory
from blockedge_node.p2p.host import HostDied, Link, run_host
from blockedge_node.p2p.peers import Peers, PeersNotifee
from blockedge_node.p2p.rows import PeerRow, rows
from blockedge_node.p2p.serving import Server
from blockedge_node.p2p.settings import Settings
from blockedge_node.p2p.streams import Exchanges
from blockedge_node.p2p.topics import DrawCommitOf, Emit, Gossip, StandingOf, nothing_drawn
from blockedge_node.wire import messages

log = structlog.get_logger(__name__)

FAULT_POINTS: Final = 20.0  # a packet that libp2p's handlers choke on
REBUILD_BASE: Final = 0.2  # seconds before the next life
REBUILD_CAP: Final = 30.0
HEALTHY: Final = 60.0  # seconds after which a life counts as one, and the pause starts small again


class Signer(Protocol):
    """ports.Signer: signs as this node."""

    @property
    def address(self) -> Address: ...

    def sign(self, struct: Struct) -> Signature: ...


class P2P:
    """ports.Network, and the fetching half of ports.Content.

    Args:
        seed: 32 bytes; the Ed25519 key of the node's peer id.
        listen: addresses like /ip4/0.0.0.0/tcp/4001; port 0 takes any, and keeps it for later lives.
        bootstrap: peers always dialled, like /ip4/10.0.0.7/tcp/4001/p2p/12D3….
        standing: balances of a signer, cached at most 30 s, None if not known in time (ports.Chain.standing).
        blobs: the content store.
        emit: takes a core event; may wait, which slows the network down but loses nothing.
        now: the chain's clock, unix seconds.
        answered: takes answers to items of bundles, as workers tell them; must not wait.
        draw_commit: what a COMMITTED unit's draw secret must open, or None; with True it may wait for the unit.
    """

    def __init__(
        self,
        *,
        seed: bytes,
        listen: Sequence[str],
        bootstrap: Sequence[str],
        domain: Domain,
        signer: Signer,
        standing: StandingOf,
        blobs: Blobs,
        emit: Emit,
        now: Callable[[], int],
        draw_commit: DrawCommitOf = nothing_drawn,
        answered: Heard = to_nobody,
        settings: Settings | None = None,
    ) -> None:
        patches.apply()
        self.settings = settings or Settings()
        self.peer_id = peer_id_of(seed)
        self._seed, self._domain, self._signer, self._now = seed, domain, signer, now
        self._listen = [parse_listen(address) for address in listen]
        self._link: Link | None = None
        self._newcomer = trio.Event()
        self._nursery: trio.Nursery | None = None
        self.lives = 0  # how often a host was built
        self.peers = Peers(self.settings, self.peer_id, tuple(bootstrap), self._on_connect)
        self.directory = Directory(now)
        self.gossip = Gossip(
            domain=domain,
            settings=self.settings,
            peers=self.peers,
            directory=self.directory,
            standing=standing,
            emit=emit,
            now=now,
            draw_commit=draw_commit,
        )
        self._exchanges = Exchanges(
            domain=domain,
            me=signer.address,
            settings=self.settings,
            peers=self.peers,
            directory=self.directory,
            standing=standing,
            emit=emit,
            link=self._living,
            ahead=self._fetch_ahead,
        )
        self._answers = Answers(
            domain=domain,
            me=signer.address,
            settings=self.settings,
            peers=self.peers,
            directory=self.directory,
            link=self._living,
            heard=answered,
        )
        self._contents = Contents(
            blobs=blobs,
            settings=self.settings,
            peers=self.peers,
            directory=self.directory,
            link=self._living,
        )

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled; started once the first host listens. Raises ConfigError."""
        for address in self._listen:
            check_port_is_free(address)
        pause, started = REBUILD_BASE, False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.gossip.deliver)
            nursery.start_soon(self.gossip.announce, self._card, lambda: self._newcomer)
            while True:
                began = trio.current_time()
                try:
                    async with trio.open_nursery() as life:
                        await life.start(self._live)
                        if not started:
                            task_status.started()
                            started = True
                except* (ConfigError, OSError) as group:
                    if not started:
                        raise first_of(group) from None
                    log.error("network could not be rebuilt", error=repr(first_of(group)))
                except* HostDied as group:
                    log.error("network ended", error=str(first_of(group)), life=self.lives)
                except* Exception as group:
                    log.error("network failed", life=self.lives, exc_info=group)
                if trio.current_time() - began > HEALTHY:
                    pause = REBUILD_BASE
                await trio.sleep(pause)
                pause = min(REBUILD_CAP, 2 * pause)

    async def _live(self, *, task_status: trio.TaskStatus[None]) -> None:
        """One life of the host."""
        topics = list(self.gossip.topics.values())
        async with run_host(self._seed, self._listen, topics, self.settings, prepare=self._prepare) as link:
            self.lives += 1
            # Peers know our port by now: the next life must have the same.
            self._listen = [Multiaddr(str(a)) for a in link.host.get_transport_addrs()]
            try:
                async with trio.open_nursery() as self._nursery:
                    await self._nursery.start(self.gossip.run, link)
                    self._link = link
                    self._nursery.start_soon(self.peers.run, link)
                    log.info("network up", peer=str(self.peer_id), addresses=self.addresses())
                    task_status.started()
            finally:
                self._link = self._nursery = None

    def _prepare(self, link: Link) -> None:
        server = Server(self.peers)
        self.gossip.prepare(link)
        self._exchanges.prepare(link, server)
        self._answers.prepare(link, server)
        self._contents.prepare(link, server)
        link.swarm.register_notifee(PeersNotifee(self.peers))
        link.tell_faults(self._on_fault)

    def _living(self) -> Link:
        if self._link is None:
            raise Transient("the network is being rebuilt")
        return self._link

    def _on_connect(self, peer: ID) -> None:
        self._newcomer.set()
        self._newcomer = trio.Event()
        if self._nursery is not None:
            self._nursery.start_soon(self._exchanges.keep_asking, peer)

    def _fetch_ahead(self, request: Request) -> None:
        """What `inputRoot` names: the search's data, of one chunk, or the list of the shards' roots."""
        size = merkle.CHUNK if request.kind == Kind.POW else 32 * request.shards
        if self._nursery is not None:
            self._nursery.start_soon(self._contents.fetch_ahead, request.input_root, request.requester, size)

    def _on_fault(self, peer: ID, reason: str) -> None:
        self.peers.fault(peer, FAULT_POINTS, reason)

    def _card(self) -> bytes:
        card = KeyCard(
            owner=self._signer.address,
            peer_id=self.peer_id.to_bytes(),
            seq=int(time.time() * 1000),
            expiry=self._now() + self.settings.card_lifetime,
        )
        return messages.build_keycard(self._domain, card, self._signer.sign(card), _now_ms())

    # ── ports.Network ────────────────────────────────────────────────────────────────────────────────────

    async def publish_request(self, request: Request, sig: Signature) -> None:
        """Raises Transient while nobody listens."""
        await self.gossip.publish("requests", messages.build_request(self._domain, request, sig, _now_ms()))

    async def publish_bids(self, bids: Sequence[Bid], sigs: Sequence[Signature]) -> None:
        """As many messages as it takes. Raises Transient while nobody listens."""
        for at in range(0, len(bids), messages.MAX_BIDS):
            some = slice(at, at + messages.MAX_BIDS)
            raw = messages.build_bids(self._domain, bids[some], sigs[some], _now_ms())
            await self.gossip.publish("bids", raw)

    async def publish_secret(self, unit: UnitId, secret: Secret, guard_r: Hash) -> None:
        """Raises Transient while nobody listens."""
        raw = messages.build_secret(self._domain, unit, secret, guard_r, _now_ms())
        await self.gossip.publish("notices", raw)

    async def send_award(self, signed: SignedAward) -> tuple[Ack, Signature]:
        return await self._exchanges.send_award(signed)

    async def answer_award(self, award: Digest, ack: Ack, sig: Signature) -> None:
        self._exchanges.answer_award(award, ack, sig)

    async def refuse_award(self, award: Digest, reason: str) -> None:
        self._exchanges.refuse_award(award, reason)

    async def deliver(self, unit: UnitId, requester: Address, result: Result) -> tuple[Receipt, Signature]:
        return await self._exchanges.deliver(unit, requester, result)

    async def answer_result(self, receipt: Receipt, sig: Signature) -> None:
        self._exchanges.answer_result(receipt, sig)

    async def hand_watch(self, watch: Watch, output: bytes, sig: Signature) -> None:
        await self._exchanges.hand_watch(watch, output, sig)

    async def answer_watch(self, kept: Kept, sig: Signature) -> None:
        self._exchanges.answer_watch(kept, sig)

    async def tell_answers(
        self, unit: UnitId, requester: Address, answers: AsyncIterable[tuple[int, Answer]]
    ) -> None:
        await self._answers.tell(unit, requester, answers)

    # ── ports.Content ────────────────────────────────────────────────────────────────────────────────────

    async def fetch(self, root: Root, holders: Sequence[Address], *, max_size: int | None = None) -> None:
        """Have `root` in the store, whole. Raises Transient while nobody serves it, PeerError if too large."""
        await self._contents.fetch(root, holders, max_size)

    # ── for people ───────────────────────────────────────────────────────────────────────────────────────

    def addresses(self) -> list[str]:
        """What others may dial, with the peer id; empty while the host is being rebuilt."""
        return [str(a) for a in self._link.addresses()] if self._link is not None else []

    def crowd(self) -> int:
        """Nodes that have shown a KeyCard which is still good, and this one."""
        return 1 + self.directory.count(but=self._signer.address)

    def rows(self) -> list[PeerRow]:
        return rows(self.peers, self.directory.owners_of)

    def counts(self) -> dict[str, int]:
        """Gossip so far, by topic: `requests accept`, `bids reject`, `notices published`, `bids not covered` …"""
        return dict(self.gossip.counts)

    def add_peer(self, address: str) -> str:
        """Keep a connection to …/p2p/<id>; its peer id. Raises ConfigError."""
        return str(self.peers.add(address))

    def ban(self, peer: str, seconds: float) -> None:
        self.peers.ban(ID.from_string(peer), seconds, "by the operator")

    def unban(self, peer: str) -> None:
        self.peers.unban(ID.from_string(peer))


def _now_ms() -> int:
    return int(time.time() * 1000)
