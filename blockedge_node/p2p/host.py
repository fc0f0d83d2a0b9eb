"""One life of a libp2p host and its pubsub.

`run_host` builds both from the node's seed, listens, hands out a Link, and ends with HostDied as soon as libp2p's
swarm, router or pubsub ends, whatever the cause; network.py then starts the next life with the same key. A Link is
good for one life only: keep nothing of it.

The order is the point. Pubsub registers its stream handler in its constructor, so a peer that connects before its
service runs kills the swarm: services first, the listening socket last, and no bootstrap inside libp2p. On the way
out libp2p leaves its listener behind (a trio system task) if it is cancelled: we close it, shielded.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

import structlog
import trio
from libp2p import new_host
from libp2p.abc import IHost, INetConn, INetStream, INetwork, INotifee
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.rcmgr import new_resource_manager
from libp2p.rcmgr.manager import ResourceLimits
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from blockedge_node.errors import ConfigError
from blockedge_node.p2p.addresses import dialable
from blockedge_node.p2p.patches import STREAMS_MAX
from blockedge_node.p2p.settings import Settings

log = structlog.get_logger(__name__)

SWEEP_EVERY: Final = 30.0  # seconds between two prunings of what libp2p never forgets
MARGIN: Final = 16  # connections beyond max_peers that libp2p may count while dials and closes overlap


class HostDied(Exception):
    """libp2p ended by itself; a new life with the same key may begin."""


OnFault = Callable[[ID, str], None]


class Notifee(INotifee):
    """libp2p's connection events; subclasses take what they need."""

    async def connected(self, network: INetwork, conn: INetConn) -> None: ...

    async def disconnected(self, network: INetwork, conn: INetConn) -> None: ...

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None: ...

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None: ...


class Sockets(Notifee):
    """Every connection there was. libp2p forgets one that is closing when it is cancelled, but not its socket."""

    def __init__(self) -> None:
        self.open: WeakSet[Any] = WeakSet()

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        self.open.add(conn.muxed_conn)


@dataclass(frozen=True, slots=True)
class Link:
    """What the other modules may use of a living host."""

    host: IHost
    pubsub: Pubsub
    router: GossipSub

    @property
    def me(self) -> ID:
        return self.host.get_id()

    @property
    def swarm(self) -> Any:
        return self.host.get_network()

    def tell_faults(self, on_fault: OnFault) -> None:
        """Have patches.py report peers whose packets made a handler fail."""
        self.host.on_fault = on_fault  # type: ignore[attr-defined]

    def ask_first(self, may_pass: Callable[[ID], bool]) -> None:
        """Have patches.py ask, for each gossip packet, whether its neighbour may hand us another."""
        self.host.may_pass = may_pass  # type: ignore[attr-defined]

    def addresses(self) -> list[Multiaddr]:
        """What peers may dial, each ending in /p2p/<our id>."""
        return list(self.host.get_addrs())

    def connected(self, peer: ID) -> bool:
        return any(not c.is_closed for c in self.swarm.get_connections(peer))


def _build(seed: bytes, listen: Sequence[Multiaddr], topics: Sequence[str], settings: Settings) -> Link:
    keys = create_new_key_pair(seed)
    limit = settings.max_peers + MARGIN
    host = new_host(
        key_pair=keys,
        listen_addrs=list(listen),
        # Noise only: the default host also accepts plaintext. Yamux only: mplex has no flow control.
        sec_opt={NOISE_ID: NoiseTransport(keys, noise_privkey=create_new_x25519_key_pair().private_key)},
        muxer_opt={TProtocol(YAMUX_ID): Yamux},
        resource_manager=new_resource_manager(
            limits=ResourceLimits(
                max_connections=limit, max_streams=2 * limit * STREAMS_MAX, max_memory_mb=256
            ),
            # These judge by the whole machine's memory or by past refusals and would shut healthy peers out.
            enable_memory_limits=False,
            enable_circuit_breaker=False,
            enable_graceful_degradation=False,
            enable_memory_pooling=False,
            enable_metrics=False,
        ),
        connection_config=ConnectionConfig(
            max_connections=limit,
            high_watermark=limit,
            low_watermark=0,
            min_connections=0,
            grace_period=5,
            dial_timeout=settings.dial_timeout,
        ),
        addrs_factory=lambda listening: [Multiaddr(a) for a in settings.announce] or dialable(listening),
        disable_identify_address_discovery=True,  # a peer's word must not change what we advertise
    )
    router = GossipSub(
        [PROTOCOL_ID_V11],  # later versions send IDONTWANT for every message and lose up to 46 % at 50/s
        degree=6,
        degree_low=4,
        degree_high=12,
        heartbeat_interval=1,  # the default is 120 s
        heartbeat_initial_delay=0.1,
        spam_protection_enabled=False,  # it caps forwarding at 10/s a neighbour, silently; topics.py limits rates
        adaptive_gossip_enabled=False,
        eclipse_protection_enabled=False,  # it wants three IP addresses in every mesh; a site may have one
    )
    pubsub = Pubsub(
        host,
        router,
        strict_signing=True,
        max_concurrent_validator_count=64,  # ours wait for the chain, most of the time
        validation_timeout=settings.step_timeout,
        allowed_topics=frozenset(topics),
        max_subscriptions_per_rpc=16,
        max_subscriptions_per_peer=8,
    )
    swarm: Any = host.get_network()
    swarm.auto_connector.maybe_connect = _dial_nobody
    # Message ids are (origin, counter). The counter starts at int(time()), so a node that was faster than one
    # message a second repeats ids after a restart and is mute until it has caught up.
    pubsub.counter = time.time_ns()
    return Link(host, pubsub, router)


async def _dial_nobody() -> None:
    """In place of libp2p's AutoConnector, which dials whatever address it ever heard, bans and all."""


@asynccontextmanager
async def run_host(
    seed: bytes,
    listen: Sequence[Multiaddr],
    topics: Sequence[str],
    settings: Settings,
    *,
    prepare: Callable[[Link], None],
) -> AsyncIterator[Link]:
    """A listening host for as long as the body runs.

    Args: `prepare` registers stream handlers, validators and notifees before the first peer can connect.
    Raises: ConfigError if an address cannot be listened on; HostDied when libp2p ends first.
    """
    link = _build(seed, listen, topics, settings)
    prepare(link)
    swarm, sockets = link.swarm, Sockets()
    swarm.register_notifee(sockets)
    try:
        async with (
            background_trio_service(link.router) as router,
            background_trio_service(link.pubsub) as pubsub,
        ):
            await link.pubsub.wait_until_ready()
            async with link.host.run(listen_addrs=listen), trio.open_nursery() as nursery:
                if len(swarm.listeners) < len(set(map(str, listen))):
                    raise ConfigError(f"cannot listen on {', '.join(map(str, listen))}: is the address ours?")
                for name, manager in (("router", router), ("pubsub", pubsub), ("swarm", swarm.get_manager())):
                    nursery.start_soon(_until_it_ends, name, manager)
                nursery.start_soon(_sweep, link)
                try:
                    yield link
                finally:
                    await _close(link, sockets)
                    nursery.cancel_scope.cancel()
    finally:
        await _close(link, sockets)


async def _until_it_ends(name: str, manager: Any) -> None:
    await manager.wait_finished()
    raise HostDied(f"libp2p's {name} ended")


async def _sweep(link: Link) -> None:
    """Forget what libp2p keeps for ever: one entry a message for equivocation, addresses past their time."""
    store = link.host.get_peerstore()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.start_cleanup_task, 60)
        while True:
            await trio.sleep(SWEEP_EVERY)
            link.router.equivocation_detection.clear()
            link.router.message_rate_limits.clear()
            link.router.recent_message_deliveries.clear()


async def _close(link: Link, sockets: Sockets) -> None:
    """Listeners, then connections, all at once: libp2p takes 0.1 s a connection, one after the other."""
    swarm = link.swarm

    async def quietly(close: Callable[[], Any]) -> None:
        with suppress(Exception):
            await close()

    with trio.move_on_after(3, shield=True):
        async with trio.open_nursery() as nursery:
            for listener in list(swarm.listeners.values()):
                nursery.start_soon(quietly, listener.close)
            for connection in swarm.get_connections():
                nursery.start_soon(quietly, connection.close)
        async with trio.open_nursery() as nursery:
            for muxed in list(sockets.open):
                nursery.start_soon(quietly, muxed.secured_conn.close)
