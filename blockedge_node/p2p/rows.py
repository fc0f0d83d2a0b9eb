"""The peers as people see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import trio
from libp2p.peer.id import ID

from blockedge_node.p2p.peers import Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRow:
    """One line of `blockedge peers list`."""

    peer: str
    addresses: tuple[str, ...]
    owners: tuple[str, ...]  # 0x addresses whose KeyCard names it
    connected: bool
    inbound: bool
    since: float | None  # unix seconds
    latency: float | None  # seconds of a round trip
    received: int
    invalid: int
    faults: float  # points; a ban at settings.ban_at
    banned_for: float | None  # seconds left
    configured: bool


def rows(peers: Peers, owners: Callable[[ID], Iterable[bytes]]) -> list[PeerRow]:
    """Connected, configured and banned peers; `owners` gives the addresses whose KeyCard names a peer."""
    connected = set(peers.connected())
    configured = {p for p, k in peers.known.items() if k.configured}
    return [
        _row(peers, peer, peer in connected, owners(peer))
        for peer in sorted(connected | configured | set(peers.bans), key=str)
    ]


def _row(peers: Peers, peer: ID, connected: bool, owners: Iterable[bytes]) -> PeerRow:
    known, tally, now = peers.known.get(peer), peers.tally(peer), trio.current_time()
    link: Any = peers.connection(peer) if connected else None
    rtt = link.muxed_conn.rtt() if link is not None else 0
    return PeerRow(
        peer=str(peer),
        addresses=tuple(
            map(str, known.addresses if known else link.get_transport_addresses() if link else ())
        ),
        owners=tuple("0x" + o.hex() for o in owners),
        connected=connected,
        inbound=link is not None and link.direction.name == "INBOUND",
        since=tally.since if connected and tally.since else None,
        latency=rtt or None,
        received=tally.received,
        invalid=tally.invalid,
        faults=max(0.0, tally.points - (now - tally.at) * peers.settings.fault_decay),
        banned_for=max(0.0, peers.bans[peer][0] - now) if peers.is_banned(peer) else None,
        configured=known is not None and known.configured,
    )
