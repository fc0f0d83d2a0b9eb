"""Watch → Kept between two real hosts: kept before it is acknowledged, and only for a tower's own clients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio
from libp2p.custom_types import TProtocol

from blockedge_node.core import merkle
from blockedge_node.core.events import WatchHeard
from blockedge_node.core.ids import Hash, Secret, UnitId
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import Rejected, Transient
from blockedge_node.p2p.streams import WATCH
from blockedge_node.wire import codec, streams
from tests.adapters.p2p.support import DOMAIN, QUICK, Node, make_node, network, running, stranger, until

OUTPUT = b"what a worker found"


def a_watch(tower: Node) -> Watch:
    return Watch(
        tower=tower.signer.address,
        unit=UnitId(b"\x06" * 32),
        exit=0x20000,
        output_root=merkle.root(OUTPUT),
        fuel_used=7,
        memory_hash=Hash(b"\x05" * 32),
        salt=Secret(b"\x06" * 32),
        guard_secret=Secret(b"\x07" * 32),
    )


async def keep(tower: Node, count: int = 1) -> None:
    """Answer the newest of `count` watches that `tower` heard."""
    event = (await until(lambda: len(tower.of(WatchHeard)) >= count and tower.of(WatchHeard), "a watch"))[-1]
    kept = Kept(watch=event.digest)
    await tower.p2p.answer_watch(kept, tower.signer.sign(kept))


def pair(directory: Path) -> tuple[Node, Node]:
    """A worker, and a tower that has it for a client; not yet connected."""
    worker = make_node("worker", directory)
    clients = frozenset({worker.signer.address})
    return worker, make_node("tower", directory, settings=replace(QUICK, clients=clients))


async def meet(a: Node, b: Node) -> None:
    a.p2p.add_peer(b.address)
    await until(lambda: a.knows(b) and b.knows(a), "each other's card")


async def test_a_watch_is_kept(tmp_path: Path) -> None:
    worker, tower = pair(tmp_path)
    async with running(worker, tower):
        await meet(worker, tower)
        watch = a_watch(tower)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep, tower)
            await worker.p2p.hand_watch(watch, OUTPUT, worker.signer.sign(watch))
        (event,) = tower.of(WatchHeard)
        assert event == WatchHeard(
            client=worker.signer.address, watch=watch, output=OUTPUT, digest=watch.digest(DOMAIN)
        )


async def test_nothing_is_acknowledged_before_the_tower_says_so(tmp_path: Path) -> None:
    worker, tower = pair(tmp_path)
    async with running(worker, tower):
        await meet(worker, tower)
        watch, done = a_watch(tower), trio.Event()

        async def hand() -> None:
            await worker.p2p.hand_watch(watch, b"", worker.signer.sign(watch))
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hand)
            await until(lambda: tower.of(WatchHeard), "the watch")
            assert not done.is_set()
            await keep(tower)
            await done.wait()


async def test_a_lost_connection_is_asked_again(tmp_path: Path) -> None:
    worker, tower = pair(tmp_path)
    async with running(worker, tower):
        await meet(worker, tower)
        watch = a_watch(tower)
        sig = worker.signer.sign(watch)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.p2p.hand_watch, watch, OUTPUT, sig)
            await until(lambda: tower.of(WatchHeard), "the watch")
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep, tower, 2)
            await worker.p2p.hand_watch(watch, OUTPUT, sig)


async def test_a_stranger_is_no_client(tmp_path: Path) -> None:
    async with network(tmp_path, "worker", "tower") as (worker, tower):
        await until(lambda: worker.knows(tower))
        watch = a_watch(tower)
        with pytest.raises(Rejected, match=r"not\.client"):
            await worker.p2p.hand_watch(watch, OUTPUT, worker.signer.sign(watch))
        assert not tower.of(WatchHeard)


async def test_a_watch_for_another_tower_is_not_taken(tmp_path: Path) -> None:
    """Nor does the word of a node that was not asked count."""
    worker, tower = pair(tmp_path)
    parrot = make_node(
        "parrot", tmp_path, settings=replace(QUICK, clients=frozenset({worker.signer.address}))
    )
    async with running(worker, tower, parrot):
        await meet(worker, parrot)
        worker.p2p.directory.heard(tower.signer.address, parrot.id)
        watch = a_watch(tower)
        with pytest.raises(Rejected, match=r"not\.mine"):
            await worker.p2p.hand_watch(watch, OUTPUT, worker.signer.sign(watch))
        assert not parrot.of(WatchHeard)


async def test_a_forged_word_is_a_fault(tmp_path: Path) -> None:
    worker, tower = pair(tmp_path)
    async with running(worker, tower):
        await meet(worker, tower)
        watch = a_watch(tower)

        async def forge() -> None:
            await until(lambda: tower.of(WatchHeard))
            kept = Kept(watch=watch.digest(DOMAIN))
            await tower.p2p.answer_watch(kept, worker.signer.sign(kept))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(forge)
            with pytest.raises(Transient, match="not the tower's"):
                await worker.p2p.hand_watch(watch, OUTPUT, worker.signer.sign(watch))
        assert worker.p2p.peers.tally(tower.id).invalid == 1


async def test_garbage_and_too_much_cost_their_sender(tmp_path: Path) -> None:
    worker, tower = pair(tmp_path)
    async with running(tower), stranger(tower) as host:
        watch = a_watch(tower)
        whole = streams.build_watch(DOMAIN, watch, OUTPUT, worker.signer.sign(watch), 0)
        false = streams.build_watch(DOMAIN, watch, b"not " + OUTPUT, worker.signer.sign(watch), 0)
        for raw in (
            b"\xff\xff\xff\xff",
            codec.frame(b"garbage"),
            codec.frame(whole[:-1]),
            codec.frame(false),
        ):
            stream = await host.new_stream(tower.id, [TProtocol(WATCH)])
            await stream.write(raw)
        await until(lambda: tower.p2p.peers.tally(host.get_id()).invalid == 4)
        assert not tower.heard
