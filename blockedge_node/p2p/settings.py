"""What an operator may choose about the network; every default has its reason here."""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.ids import Address
from blockedge_node.p2p.limits import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in seconds, sizes in bytes."""

    # Connections. Limits leave a margin: libp2p counts dials in progress, and with a limit of 2 keeps 1 peer.
    max_peers: int = 48
    target_peers: int = 16  # dial peers heard of from others while fewer are connected
    announce: tuple[str, ...] = ()  # multiaddrs to advertise in place of the listening ones (NAT, 0.0.0.0)
    redial_base: float = 1.0
    redial_cap: float = 30.0
    dial_timeout: float = 10.0
    forget_after: int = 8  # failed dials in a row before a learned peer (never a bootstrap peer) is forgotten
    exchange_every: float = 60.0  # asking a peer for the peers it knows, once the first questions are asked

    # Gossip. 16 KiB a message (§2.3); 100 messages a second in all are planned for, so we accept 80.
    per_signer: Rate = Rate(burst=60, refill=1)
    per_node: Rate = Rate(burst=160, refill=80)
    per_neighbour: Rate = Rate(burst=600, refill=200)  # packets, before anything in them is looked at
    newcomers: Rate = Rate(burst=60, refill=4)  # signers never heard before, a gossip origin
    publish_gap: float = 0.005  # libp2p's queues hold 32 messages a peer and drop the rest without a word
    publish_queue: int = 256
    publish_wait: float = 10.0  # for somebody to listen on the topic, then Transient
    fee_bps: int = 100  # the deployment's protocol fee, part of what a request puts at stake
    card_every: float = 180.0  # publishing our own KeyCard
    card_gap: float = 2.0  # at least, between two of them when new peers connect
    card_lifetime: int = 3600

    # Bad peers.
    ban_at: float = 90.0  # fault points: an invalid message is 20, false content 50, so five or two in a row
    fault_decay: float = 1.0  # points forgiven a second
    ban_seconds: float = 600.0

    # Streams. Every read and write has the step's deadline; an award waits for its answer longer.
    step_timeout: float = 10.0
    answer_timeout: float = 20.0
    waiting_streams: int = 256  # held open for an answer, in all
    waiting_per_peer: int = 32
    streams_per_peer: int = 8  # blobs and peer lists served at a time
    exchanges: Rate = Rate(burst=64, refill=16)  # awards and results heard, a peer
    blob_limit: int = 64 * 1024 * 1024  # bytes of the largest blob we fetch or serve
    blob_rate: Rate = Rate(burst=16 * 1024 * 1024, refill=16 * 1024 * 1024)  # bytes served, a peer
    blob_floor: int = 32 * 1024  # bytes a second, on average, below which a transfer is given up

    # Nodes whose deadlines this one keeps (core/watchtower.py); watches of others are refused.
    clients: frozenset[Address] = frozenset()
