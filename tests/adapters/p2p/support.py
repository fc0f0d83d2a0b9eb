"""Nodes for the p2p tests: the real P2P over real libp2p on loopback, with everything beside it in memory.

`Node` is one node in this process; `Process` is one in its own, for what only a kill -9 can show. Waiting is always
for something that can be seen (`until`), never for a while.
"""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio
from libp2p import new_host
from libp2p.abc import IHost
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_x25519_key_pair
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from multiaddr import Multiaddr

from blockedge_node.core.events import Event, SignedAward
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import Address, Digest, Hash, Root, UnitId
from blockedge_node.core.items import Answer
from blockedge_node.core.task import Award, Bid, Request
from blockedge_node.core.unit import Account, Standing
from blockedge_node.p2p import P2P, Settings
from blockedge_node.p2p.addresses import parse_peer
from blockedge_node.p2p.limits import Rate
from blockedge_node.store.blobs import Blobs
from blockedge_node.wire.eip712 import LocalSigner

LOOPBACK = Multiaddr("/ip4/127.0.0.1/tcp/0")
DOMAIN = Domain(31337, Address(b"\xbe" * 20))
NOW = 1_800_000_000  # the tests' chain time
PATIENCE = 40.0  # seconds until a test that waits in vain says so
RICH = Standing(account=Account(free=10**20))
QUICK = Settings(
    redial_base=0.1,
    redial_cap=0.5,
    card_gap=0.2,
    exchange_every=1.0,
    answer_timeout=10.0,
    publish_wait=10.0,
    per_signer=Rate(burst=200, refill=1),
)


async def until(seen: Callable[[], object], what: str = "", patience: float = PATIENCE) -> Any:
    """Wait for something true; its value."""
    with trio.move_on_after(patience):
        while not (value := seen()):  # noqa: ASYNC110 - what is waited for has no event to set
            await trio.sleep(0.01)
        return value
    raise AssertionError(f"waited {patience:g} s in vain for {what or seen}")


@dataclass
class Node:
    """One node: its P2P, its keys, and what it heard."""

    p2p: P2P
    signer: LocalSigner
    blobs: Blobs
    standings: dict[Address, Standing | None] = field(default_factory=dict)
    heard: list[Event] = field(default_factory=list)
    answers: list[tuple[UnitId, Address, int, Answer]] = field(default_factory=list)
    asked: list[Address] = field(default_factory=list)  # whose standing was read
    draws: dict[UnitId, Hash] = field(default_factory=dict)  # drawCommits of the units it sees COMMITTED
    saw: trio.Event = field(default_factory=trio.Event)  # another unit

    @property
    def address(self) -> str:
        return self.p2p.addresses()[0]

    @property
    def id(self) -> Any:
        return self.p2p.peer_id

    def sees(self, unit: UnitId, commit: Hash) -> None:
        """A head shows it a COMMITTED unit."""
        self.draws[unit] = commit
        self.saw.set()
        self.saw = trio.Event()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]

    def knows(self, *others: Node) -> bool:
        return all(self.p2p.directory.peers_of(o.signer.address)[:1] == [o.id] for o in others)

    def meshed(self, *others: Node) -> bool:
        """Their gossip reaches us and ours them."""
        link = self.p2p._link
        return link is not None and all(
            {o.id for o in others} <= link.router.mesh.get(topic, set())
            for topic in self.p2p.gossip.topics.values()
        )


def seed_of(name: str) -> bytes:
    return keccak256(name.encode())


def make_node(
    name: str,
    directory: Path,
    *,
    listen: str = "/ip4/127.0.0.1/tcp/0",
    bootstrap: tuple[str, ...] = (),
    settings: Settings = QUICK,
) -> Node:
    signer = LocalSigner(seed_of("payment key of " + name), DOMAIN)
    blobs = Blobs(directory / name)

    async def standing(who: Address) -> Standing | None:
        node.asked.append(who)
        return node.standings.get(who, RICH)

    async def emit(event: Event) -> None:
        node.heard.append(event)

    async def draw_commit(unit: UnitId, wait: bool) -> Hash | None:
        with trio.move_on_after(PATIENCE if wait else 0):
            while unit not in node.draws:
                await node.saw.wait()
        return node.draws.get(unit)

    p2p = P2P(
        seed=seed_of(name),
        listen=[listen],
        bootstrap=bootstrap,
        domain=DOMAIN,
        signer=signer,
        standing=standing,
        blobs=blobs,
        emit=emit,
        now=lambda: NOW,
        draw_commit=draw_commit,
        answered=lambda *told: node.answers.append(told),
        settings=settings,
    )
    node = Node(p2p, signer, blobs)
    return node


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """All of them listening; stopped at the end."""
    async with trio.open_nursery() as nursery:
        for node in nodes:
            await nursery.start(node.p2p.run)
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def network(
    directory: Path, *names: str, settings: Settings = QUICK, full: bool = True
) -> AsyncIterator[list[Node]]:
    """Nodes that all know the first one only; full: every one is in the mesh of every other."""
    hub = make_node(names[0], directory, settings=settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(hub.p2p.run)
        nodes = [hub]
        for name in names[1:]:
            node = make_node(name, directory, bootstrap=(hub.address,), settings=settings)
            await nursery.start(node.p2p.run)
            nodes.append(node)
        for node in nodes:
            others = [n for n in nodes if n is not node] if full else [hub] if node is not hub else nodes[1:]
            await until(lambda node=node, others=others: node.meshed(*others), "a mesh")
        yield nodes
        nursery.cancel_scope.cancel()


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────

_nonces = itertools.count(1)


def a_request(node: Node, **changes: Any) -> Request:
    request = Request(
        requester=node.signer.address,
        nonce=next(_nonces),
        kind=1,
        shards=2,
        input_root=Root(b"\x01" * 32),
        fuel=1_000_000,
        max_price=10**15,
        min_deposit=10**16,
        max_delay=10,
        w_price=5_000,
        w_delay=2_500,
        w_rep=2_500,
        expiry=NOW + 300,
    )
    return replace(request, **changes)


def a_bid(node: Node, request: Request, shard: int = 0, **changes: Any) -> Bid:
    bid = Bid(
        task=request.task(DOMAIN),
        shard=shard,
        worker=node.signer.address,
        price=10**14,
        deposit=10**16,
        delay=5,
        rep=140_000,
        expiry=NOW + 200,
    )
    return replace(bid, **changes)


def an_award(requester: Node, worker: Node, **changes: Any) -> tuple[SignedAward, Digest]:
    request = a_request(requester, **changes)
    bid = a_bid(worker, request)
    award = Award(
        task=request.task(DOMAIN),
        shard=0,
        bid=bid.digest(DOMAIN),
        not_before=NOW,
        register_by=NOW + 60,
    )
    signed = SignedAward(
        request=request,
        request_sig=requester.signer.sign(request),
        bid=bid,
        bid_sig=worker.signer.sign(bid),
        award=award,
        award_sig=requester.signer.sign(award),
    )
    return signed, award.digest(DOMAIN)


async def publish(node: Node, **changes: Any) -> Request:
    request = a_request(node, **changes)
    await node.p2p.publish_request(request, node.signer.sign(request))
    return request


# ── a peer that follows no rule of ours ──────────────────────────────────────────────────────────────────


@asynccontextmanager
async def stranger(node: Node, **options: Any) -> AsyncIterator[IHost]:
    """A bare libp2p host with a fresh key, connected to `node`, that says only what the test makes it say."""
    keys = options.pop("keys", None) or create_new_key_pair()
    noise = NoiseTransport(keys, noise_privkey=create_new_x25519_key_pair().private_key)
    options = {"sec_opt": {NOISE_ID: noise}, **options}
    host = new_host(key_pair=keys, listen_addrs=[LOOPBACK], **options)
    async with host.run(listen_addrs=[LOOPBACK]):
        try:
            await host.connect(parse_peer(node.address))
            yield host
        finally:
            with trio.move_on_after(3, shield=True):
                await host.close()


# ── nodes in their own process ───────────────────────────────────────────────────────────────────────────


@dataclass
class Process:
    """`python -m tests.adapters.p2p.child`: one node that can be killed."""

    popen: subprocess.Popen[bytes]
    address: str

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    async def tell(self, command: str) -> str:
        """Give it one line, read one line back."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(command.encode() + b"\n")
        self.popen.stdin.flush()
        return await _line(self.popen)


async def _line(popen: subprocess.Popen[bytes]) -> str:
    assert popen.stdout is not None
    with trio.fail_after(PATIENCE):
        line = await trio.to_thread.run_sync(popen.stdout.readline, abandon_on_cancel=True)
    if not line:
        raise AssertionError("the child process ended")
    return line.decode().strip()


@asynccontextmanager
async def process(name: str, directory: Path, **options: Any) -> AsyncIterator[Process]:
    start = subprocess.Popen  # blocks for a few ms; its pipes are read in a thread
    popen = start(
        [
            sys.executable,
            "-m",
            "tests.adapters.p2p.child",
            json.dumps({"name": name, "directory": str(directory), **options}),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[3],
    )
    try:
        yield Process(popen, await _line(popen))
    finally:
        popen.kill()
        popen.communicate()
