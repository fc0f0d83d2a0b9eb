"""Who is connected, whom to dial again, who is banned.

libp2p does none of this well: after one failed dial it shuns a peer for 60 s, deletes a bootstrap address for good
after three, and its scores neither stop a message nor a connection. So: one keeper task for every peer worth
keeping, which dials with backoff while that peer is away; and fault points, which decay and end in a ban. Both
outlive the libp2p host, which is only lent to us (`Link`) for one life at a time.

How nodes find each other: a node knows its bootstrap peers' addresses only. It asks each peer it connects to for
the signed peer records of *its* peers (streams.py, /blockedge/1/peers) and keeps dialling those while it has fewer
than `target_peers`. A record is signed by the peer it is about, so nobody can point us elsewhere in its name.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
import trio
from libp2p.abc import INetConn, INetwork
from libp2p.peer.envelope import consume_envelope
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from libp2p.peer.peerstore import _peer_record_signer_matches
from multiaddr import Multiaddr

from blockedge_node.errors import PeerError, Transient
from blockedge_node.p2p.addresses import parse_peer
from blockedge_node.p2p.host import Link, Notifee
from blockedge_node.p2p.settings import Settings

log = structlog.get_logger(__name__)

KNOWN_MAX: Final = 128  # learned peers we remember
ADDRESSES_MAX: Final = 4  # of one peer: a record is no list of strangers to knock at
NOWHERE: Final = (
    "/ip4/0.",
    "/ip6/::/",
)  # where a careless peer listens: dialled from here it would be ourselves
RECORD_MAX: Final = 2048  # bytes of a signed record
RECORDS_PER_ANSWER: Final = 32
BACK_AFTER: Final = 1.5  # seconds the peer with the higher id waits, so that two that meet do not both dial
STEADY: Final = 5.0  # seconds a connection must stand before its peer is dialled without delay again
UNBAN_EVERY: Final = 1.0  # seconds


@dataclass(slots=True)
class Known:
    """A peer worth dialling. Learned peers may be forgotten, configured ones never."""

    peer: ID
    addresses: list[Multiaddr]
    configured: bool = False
    failures: int = 0


@dataclass(slots=True)
class Tally:
    """What we noticed about a peer, connected or not."""

    received: int = 0  # gossip messages it handed us
    invalid: int = 0
    points: float = 0.0
    at: float = 0.0
    since: float = 0.0  # unix seconds; 0 if not connected


@dataclass(slots=True)
class Peers:
    """The connected, the known and the banned. `on_connect` is called for each new connection of a welcome peer."""

    settings: Settings
    me: ID
    bootstrap: tuple[str, ...] = ()
    on_connect: Callable[[ID], None] = lambda _: None
    known: dict[ID, Known] = field(default_factory=dict)
    tallies: dict[ID, Tally] = field(default_factory=dict)
    bans: dict[ID, tuple[float, str]] = field(default_factory=dict)  # until (monotonic), reason
    _link: Link | None = None
    _nursery: trio.Nursery | None = None
    _kept: set[ID] = field(default_factory=set)
    _parted: trio.Event = field(default_factory=trio.Event)  # set, and made anew, when a connection is lost

    def __post_init__(self) -> None:
        for address in self.bootstrap:
            self.add(address)

    # ── one life of the host ─────────────────────────────────────────────────────────────────────────────

    async def run(self, link: Link) -> None:
        """Keep connections until cancelled."""
        self._link = link
        try:
            async with trio.open_nursery() as self._nursery:
                for entry in list(self.known.values()):
                    self._keep(entry)
                for peer in self.bans:
                    link.pubsub.blacklisted_peers.add(peer)
                while True:
                    await trio.sleep(UNBAN_EVERY)
                    self._lift_bans()
                    self._learn_from_connections()
        finally:
            self._link = self._nursery = None
            self._kept.clear()
            for tally in self.tallies.values():
                tally.since = 0.0

    def _keep(self, entry: Known) -> None:
        if self._nursery is not None and entry.peer not in self._kept and entry.peer != self.me:
            self._kept.add(entry.peer)
            self._nursery.start_soon(self._keep_connected, entry)

    async def _keep_connected(self, entry: Known) -> None:
        base, delay, last = self.settings.redial_base, self.settings.redial_base, False
        up: float | None = None  # since when the connection stands
        try:
            if not entry.configured and self.me.to_bytes() > entry.peer.to_bytes():
                await trio.sleep(BACK_AFTER)
            while not last:
                if self.is_connected(entry.peer):
                    up = up or trio.current_time()
                    if trio.current_time() - up >= STEADY:  # not: accepted and dropped at once, as by a ban
                        delay, entry.failures = base, 0
                    with trio.move_on_after(STEADY):
                        await self._parted.wait()
                        await trio.sleep(base * random.uniform(0.2, 1.2))  # or both ends dial at once
                    continue
                up = None
                if self.is_banned(entry.peer) or not (entry.configured or self._wants_more()):
                    await trio.sleep(base)
                    continue
                if not await self._dial(entry):
                    entry.failures += 1
                    last = not entry.configured and entry.failures >= self.settings.forget_after
                await trio.sleep(delay * random.uniform(0.8, 1.2))
                delay = min(self.settings.redial_cap, delay * 2)
        finally:
            self._kept.discard(entry.peer)
        self.known.pop(entry.peer, None)
        log.debug("peer forgotten", peer=str(entry.peer))

    async def _dial(self, entry: Known) -> bool:
        assert self._link is not None
        host, swarm = self._link.host, self._link.swarm
        # libp2p tries one TCP address a dial, always the first: give it one, a different one each time.
        address = entry.addresses[entry.failures % len(entry.addresses)]
        try:
            swarm.unblock_peer(entry.peer)  # lifts the 60 s of shunning after a failed dial
            with suppress(Exception):
                host.get_peerstore().clear_addrs(entry.peer)
            with trio.fail_after(self.settings.dial_timeout):
                await host.connect(PeerInfo(entry.peer, [address]))
        except Exception as error:  # libp2p raises a dozen types here, none of them our bug
            log.debug("dial failed", peer=str(entry.peer), address=str(address), error=repr(error))
            return False
        return self.is_connected(entry.peer)

    async def reach(self, peer: ID) -> None:
        """Be connected to `peer`. Raises Transient if it is not, is banned, and cannot be dialled now."""
        if self.is_banned(peer):
            raise Transient("the peer is banned")
        if self.is_connected(peer):
            return
        entry = self.known.get(peer)
        if self._link is None or entry is None or not await self._dial(entry):
            raise Transient("the peer is not connected")

    # ── knowing ──────────────────────────────────────────────────────────────────────────────────────────

    def add(self, address: str) -> ID:
        """Know `…/p2p/<id>` from now on, as configured. Raises ConfigError."""
        info = parse_peer(address)
        entry = self.known.setdefault(info.peer_id, Known(info.peer_id, []))
        entry.configured = True
        entry.addresses += [a for a in info.addrs if a not in entry.addresses]
        self._keep(entry)
        return info.peer_id

    def learn(self, record: bytes) -> ID | None:
        """Know the peer of a signed record, its newest addresses first; None for our own or if there is no room.

        Raises PeerError if the record is not signed by the peer it is about.
        """
        if len(record) > RECORD_MAX:
            raise PeerError(f"a peer record of {len(record)} bytes; the limit is {RECORD_MAX}")
        try:
            envelope, parsed = consume_envelope(record, "libp2p-peer-record")
            genuine = _peer_record_signer_matches(envelope)
            peer, addresses = parsed.peer_id, [_bare(a, parsed.peer_id) for a in parsed.addrs[:ADDRESSES_MAX]]
        except Exception as error:  # protobuf, multiaddr and cryptography each have their own
            raise PeerError(f"not a peer record: {error!r}") from None
        if not genuine:
            raise PeerError("a peer record that its peer has not signed")
        addresses = [a for a in addresses if not str(a).startswith(NOWHERE)]
        if peer == self.me or not addresses:
            return None
        entry = self.known.get(peer)
        if entry is None:
            if len(self.known) >= KNOWN_MAX:
                return None
            entry = self.known[peer] = Known(peer, [])
        kept = [a for a in entry.addresses if a not in addresses] if entry.configured else []
        entry.addresses = (addresses + kept)[: 2 * ADDRESSES_MAX]
        self._keep(entry)
        return peer

    def records(self, asker: ID) -> list[bytes]:
        """Signed records of peers we are connected to, for `asker`; a random few if there are many."""
        if self._link is None:
            return []
        store, found = self._link.host.get_peerstore(), []
        for peer in self.connected():
            if peer != asker and (envelope := store.get_peer_record(peer)) is not None:
                found.append(envelope.marshal_envelope())
        random.shuffle(found)
        return [r for r in found if len(r) <= RECORD_MAX][:RECORDS_PER_ANSWER]

    def _learn_from_connections(self) -> None:
        """Peers that dialled us are worth dialling too, after our own restart or theirs."""
        assert self._link is not None
        store = self._link.host.get_peerstore()
        for peer in self.connected():
            if peer not in self.known and (envelope := store.get_peer_record(peer)) is not None:
                with suppress(PeerError):
                    self.learn(envelope.marshal_envelope())

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────

    def is_connected(self, peer: ID) -> bool:
        return self._link is not None and self._link.connected(peer)

    def connection(self, peer: ID) -> Any:
        """libp2p's connection to `peer`, None if there is none."""
        open_ones = self._link.swarm.get_connections(peer) if self._link is not None else []
        return open_ones[0] if open_ones else None

    def connected(self) -> list[ID]:
        if self._link is None:
            return []
        return [p for p in list(self._link.swarm.connections) if self._link.connected(p)]

    def _wants_more(self) -> bool:
        return len(self.connected()) < self.settings.target_peers

    async def connected_peer(self, peer: ID) -> None:
        if self.is_banned(peer):
            await self.disconnect(peer)
            return
        tally = self.tally(peer)
        tally.since = tally.since or time.time()
        self.on_connect(peer)

    def parted(self, peer: ID) -> None:
        """A connection to `peer` is gone, maybe not the only one."""
        if not self.is_connected(peer):
            self.tally(peer).since = 0.0
        self._parted.set()
        self._parted = trio.Event()

    async def disconnect(self, peer: ID) -> None:
        if self._link is not None:
            with suppress(Exception):
                await self._link.host.disconnect(peer)

    # ── bad peers ────────────────────────────────────────────────────────────────────────────────────────

    def tally(self, peer: ID) -> Tally:
        tally = self.tallies.get(peer)
        if tally is None:
            if len(self.tallies) > 8 * KNOWN_MAX:
                self._forget_tallies()
            tally = self.tallies[peer] = Tally(at=trio.current_time())
        return tally

    def fault(self, peer: ID, points: float, reason: str) -> None:
        """Count against `peer`; a ban once its points, which decay, reach settings.ban_at."""
        if peer == self.me:
            return
        tally, now = self.tally(peer), trio.current_time()
        tally.points = max(0.0, tally.points - (now - tally.at) * self.settings.fault_decay) + points
        tally.at = now
        tally.invalid += 1
        log.debug("peer at fault", peer=str(peer), reason=reason, points=round(tally.points))
        if tally.points >= self.settings.ban_at and not self.is_banned(peer):
            self.ban(peer, self.settings.ban_seconds, reason)

    def ban(self, peer: ID, seconds: float, reason: str) -> None:
        """No messages, streams or connections of `peer` for `seconds`."""
        self.bans[peer] = (trio.current_time() + seconds, reason)
        log.warning("peer banned", peer=str(peer), seconds=seconds, reason=reason)
        if self._link is not None and self._nursery is not None:
            # Not add_to_blacklist(): it drops the peer's stream in a way that leaves it in the mesh for ever.
            self._link.pubsub.blacklisted_peers.add(peer)
            self._nursery.start_soon(self.disconnect, peer)

    def unban(self, peer: ID) -> None:
        self.bans.pop(peer, None)
        if peer in self.tallies:
            self.tallies[peer].points = 0.0
        if self._link is not None:
            self._link.pubsub.blacklisted_peers.discard(peer)

    def is_banned(self, peer: ID) -> bool:
        """Until the ban is lifted, here and in pubsub at the same moment, up to UNBAN_EVERY late."""
        return peer in self.bans

    def _lift_bans(self) -> None:
        now = trio.current_time()
        for peer in [p for p, (until, _) in self.bans.items() if until <= now]:
            self.unban(peer)

    def _forget_tallies(self) -> None:
        now = trio.current_time()
        for peer in sorted(self.tallies, key=lambda p: self.tallies[p].at)[: 4 * KNOWN_MAX]:
            if now - self.tallies[peer].at > 60 and not self.is_connected(peer):
                del self.tallies[peer]


class PeersNotifee(Notifee):
    """libp2p's events, passed to Peers."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        await self._peers.connected_peer(conn.muxed_conn.peer_id)

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        self._peers.parted(conn.muxed_conn.peer_id)


def _bare(address: Multiaddr, peer: ID) -> Multiaddr:
    """Without a trailing /p2p/<id>, which must be the peer's own."""
    text = str(address)
    return Multiaddr(text.removesuffix(f"/p2p/{peer}"))
