"""Blobs by content address: checked on arrival, resumed where they broke off (docs/protocol.md §2.3)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from libp2p.abc import IHost
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamError

from blockedge_node.core import merkle
from blockedge_node.core.ids import Hash, Root
from blockedge_node.errors import PeerError, Transient
from blockedge_node.p2p.blobs import BLOB
from blockedge_node.p2p.limits import Rate
from blockedge_node.wire import codec, streams
from blockedge_node.wire.streams import BlobAsk, BlobHead
from tests.adapters.p2p.support import QUICK, Node, network, process, stranger, until

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 64 * 1024, 64 * 1024 + 1, 5 * MIB + 7])
async def test_a_blob_arrives_whole(tmp_path: Path, size: int) -> None:
    async with network(tmp_path, "holder", "asker") as (holder, asker):
        data = os.urandom(size)
        root = holder.blobs.put(data)
        await until(lambda: asker.knows(holder))
        await asker.p2p.fetch(root, [holder.signer.address])
        assert asker.blobs.get(root) == data


async def test_any_connected_peer_is_asked_when_the_holders_do_not_have_it(tmp_path: Path) -> None:
    async with network(tmp_path, "a", "b", "c") as (a, b, c):
        root = c.blobs.put(b"here")
        await until(lambda: a.knows(b, c))
        await a.p2p.fetch(root, [b.signer.address])
        assert a.blobs.get(root) == b"here"


async def test_a_blob_that_nobody_has_is_transient(tmp_path: Path) -> None:
    async with network(tmp_path, "a", "b") as (a, b):
        await until(lambda: a.knows(b))
        with pytest.raises(Transient, match="nobody serves"):
            await a.p2p.fetch(Root(b"\x01" * 32), [b.signer.address])
        assert a.p2p.peers.tally(b.id).invalid == 0


async def test_a_transfer_goes_on_where_a_killed_server_left_it(tmp_path: Path) -> None:
    """5 MB, from a process that is killed midway, then the rest from another one."""
    data = os.urandom(5 * MIB)
    async with network(tmp_path, "asker") as (asker,):
        options = {"bootstrap": [asker.address]}
        async with process("first", tmp_path, rate=2 * MIB, **options) as first:
            root = Root(bytes.fromhex(await first.tell(f"put {_file(tmp_path, data)}")))
            peer = asker.p2p.peers
            await until(peer.connected, "a connection")
            partial = tmp_path / "asker" / "partial" / root.hex()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_kill_when, first, partial, MIB)
                with pytest.raises(Transient):
                    await _fetch(asker, root)
        have = partial.stat().st_size
        assert MIB <= have < len(data)
        async with process("second", tmp_path, **options) as second:
            await second.tell(f"put {_file(tmp_path, data)}")
            await until(peer.connected, "a connection")
            await _fetch(asker, root)
            assert asker.blobs.get(root) == data
            served = int(await second.tell("served 0"))
            assert served <= len(data) - have + 64 * 1024, "what was there did not travel again"


def _file(directory: Path, data: bytes) -> Path:
    path = directory / "data"
    path.write_bytes(data)
    return path


async def _kill_when(server: Any, partial: Path, size: int) -> None:
    await until(lambda: partial.exists() and partial.stat().st_size >= size, "a part of the blob")
    server.kill()


async def _fetch(node: Node, root: Root) -> None:
    with trio.fail_after(30):
        await node.p2p.fetch(root, [])


async def test_concurrent_fetches_of_one_blob_are_one_transfer(tmp_path: Path) -> None:
    async with network(tmp_path, "holder", "asker") as (holder, asker):
        root = holder.blobs.put(os.urandom(MIB))
        asked: list[Root] = []
        chunks = holder.blobs.chunks

        def counted(root: Root, first: int, count: int) -> bytes:
            asked.append(root)
            return chunks(root, first, count)

        holder.blobs.chunks = counted  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(_fetch, asker, root)
        assert len(asked) == MIB // (64 * 1024)


async def test_a_fetch_that_is_cancelled_leaves_its_followers_to_go_on(tmp_path: Path) -> None:
    slow = replace(QUICK, blob_rate=Rate(burst=64 * 1024, refill=256 * 1024))
    async with network(tmp_path, "holder", "asker", settings=slow) as (holder, asker):
        root = holder.blobs.put(os.urandom(400 * 1024))
        async with trio.open_nursery() as nursery, trio.open_nursery() as leader:
            leader.start_soon(_fetch, asker, root)
            await until(lambda: asker.p2p._contents._fetching)
            nursery.start_soon(_fetch, asker, root)
            leader.cancel_scope.cancel()
        assert asker.blobs.has(root)


# ── liars ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_false_chunk_is_noticed_and_the_rest_comes_from_elsewhere(tmp_path: Path) -> None:
    data = os.urandom(MIB)
    async with network(tmp_path, "asker", "liar", "honest") as (asker, liar, honest):
        root = liar.blobs.put(data)
        chunks = liar.blobs.chunks

        def corrupt(root: Root, first: int, count: int) -> bytes:
            good = chunks(root, first, count)
            return good if first < 512 else good[:-1] + bytes([good[-1] ^ 1])

        liar.blobs.chunks = corrupt  # type: ignore[method-assign]
        await until(lambda: asker.knows(liar, honest))
        with pytest.raises(Transient):
            await asker.p2p.fetch(root, [liar.signer.address])
        assert asker.p2p.peers.tally(liar.id).invalid
        assert (tmp_path / "asker" / "partial" / root.hex()).stat().st_size >= 512 * 1024
        honest.blobs.put(data)
        await asker.p2p.fetch(root, [honest.signer.address])
        assert asker.blobs.get(root) == data


async def test_a_false_leaf_list_is_noticed_before_any_chunk(tmp_path: Path) -> None:
    async with network(tmp_path, "asker") as (asker,), stranger(asker) as host:
        root = merkle.root(b"what is wanted")
        wrong = b"something else"

        async def lie(stream: Any) -> None:
            await stream.read(100)
            head = streams.build_blob_head(BlobHead(size=len(wrong), leaves=(Hash(merkle.leaf(wrong)),)))
            await stream.write(codec.frame(head) + wrong)

        host.set_stream_handler(TProtocol(BLOB), lie)
        with pytest.raises(Transient):
            await asker.p2p.fetch(root, [])
        assert asker.p2p.peers.tally(host.get_id()).invalid == 1
        assert not asker.blobs.has(root)
        assert not list((tmp_path / "asker" / "partial").iterdir())


async def test_a_blob_larger_than_we_take_is_its_authors_fault(tmp_path: Path) -> None:
    small = replace(QUICK, blob_limit=100 * 1024)
    async with network(tmp_path, "asker", settings=small) as (asker,), stranger(asker) as host:
        data = os.urandom(200 * 1024)
        head = streams.build_blob_head(BlobHead(size=len(data), leaves=merkle.leaves(data)))

        async def serve(stream: Any) -> None:
            await stream.read(100)
            await stream.write(codec.frame(head, codec.LEAVES_LIMIT))

        host.set_stream_handler(TProtocol(BLOB), serve)
        with pytest.raises(PeerError, match="204800 bytes; at most 102400"):
            await asker.p2p.fetch(merkle.root(data), [])
        with pytest.raises(PeerError, match="204800 bytes; at most 1000"):
            await asker.p2p.fetch(merkle.root(data), [], max_size=1000)
        assert asker.p2p.peers.tally(host.get_id()).invalid == 0


async def test_a_server_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    hasty = replace(QUICK, step_timeout=0.3)
    async with network(tmp_path, "asker", settings=hasty) as (asker,), stranger(asker) as host:

        async def silence(stream: Any) -> None:
            await trio.sleep_forever()

        host.set_stream_handler(TProtocol(BLOB), silence)
        with pytest.raises(Transient, match="nobody serves"):
            await asker.p2p.fetch(Root(b"\x01" * 32), [])


# ── serving ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_peer_gets_so_many_streams_at_a_time(tmp_path: Path) -> None:
    small = replace(QUICK, streams_per_peer=2, blob_rate=Rate(burst=1024, refill=64 * 1024))
    async with network(tmp_path, "holder", settings=small) as (holder,), stranger(holder) as host:
        root = holder.blobs.put(os.urandom(256 * 1024))
        ask = codec.frame(streams.build_blob_ask(BlobAsk(root=root, first=0, count=256)))
        assert [await _served(host, holder, ask) for _ in range(4)] == [True, True, False, False]


async def _served(host: IHost, holder: Node, ask: bytes) -> bool:
    """Whether the holder begins to answer; the stream stays open."""
    stream = await host.new_stream(holder.id, [TProtocol(BLOB)])
    try:
        await stream.write(ask)
        return bool(await stream.read(4))
    except StreamError:
        return False


async def test_one_peer_gets_so_many_bytes_a_second(tmp_path: Path) -> None:
    slow = replace(QUICK, blob_rate=Rate(burst=64 * 1024, refill=256 * 1024))
    async with network(tmp_path, "holder", "asker", settings=slow) as (holder, asker):
        root = holder.blobs.put(os.urandom(320 * 1024))
        began = trio.current_time()
        await asker.p2p.fetch(root, [])
        assert trio.current_time() - began >= 0.9, "256 KiB beyond the burst take a second"


@pytest.mark.parametrize(
    "question", [b"garbage", codec.encode({"v": 1, "root": b"", "first": 0, "count": 1})]
)
async def test_a_question_that_is_none_costs_the_asker(tmp_path: Path, question: bytes) -> None:
    async with network(tmp_path, "holder") as (holder,), stranger(holder) as host:
        stream = await host.new_stream(holder.id, [TProtocol(BLOB)])
        await stream.write(codec.frame(question))
        await until(lambda: holder.p2p.peers.tally(host.get_id()).invalid == 1)
