"""One regression test for each way in which libp2p 0.8.1 loses a node, or its messages, without a word."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.exceptions import SwarmDialAllFailedError
from libp2p.network.stream.exceptions import StreamError
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.utils import encode_varint_prefixed

from blockedge_node.core.events import RequestHeard
from blockedge_node.errors import ConfigError, Rejected
from blockedge_node.p2p import addresses, patches
from blockedge_node.p2p import host as p2p_host
from blockedge_node.p2p.limits import Rate
from blockedge_node.p2p.streams import AWARD
from tests.adapters.p2p.support import (
    QUICK,
    Node,
    a_request,
    make_node,
    network,
    process,
    publish,
    running,
    seed_of,
    stranger,
    until,
)

MESHSUB = TProtocol("/meshsub/1.1.0")
SHA256_ID = b"\x12\x20" + b"\x07" * 32


def rpc(**fields: Any) -> bytes:
    return encode_varint_prefixed(rpc_pb2.RPC(**fields).SerializeToString())


def message(topic: str, **fields: Any) -> bytes:
    defaults = {"from_id": SHA256_ID, "seqno": b"\x00" * 8, "data": b"x", "topicIDs": [topic]}
    return rpc(publish=[rpc_pb2.Message(**{**defaults, **fields})])


HOSTILE: dict[str, Callable[[str], bytes]] = {
    "a frame that is no protobuf": lambda _: b"\x04\xff\xff\xff\xff",
    "a length without end": lambda _: b"\xff" * 16,
    "a length of 2 GiB": lambda _: b"\xff\xff\xff\xff\x07",
    "an origin that is a hash, with a garbage key": lambda t: message(
        t, key=b"\xff" * 40, signature=b"s" * 64
    ),
    "an origin that is nothing": lambda t: message(t, from_id=b"", key=b"", signature=b""),
    "an origin that is garbage": lambda t: message(
        t, from_id=b"\xff" * 500, key=b"\x08\x01\x12\x20" + b"\x01" * 32
    ),
    "no topic": lambda t: message(t, topicIDs=[]),
    "a thousand topics": lambda t: message(t, topicIDs=[t] * 1000),
    "a garbage signed record": lambda _: rpc(senderRecord=b"\xff" * 100),
    "many subscriptions": lambda _: rpc(
        subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=f"t{i}") for i in range(1000)]
    ),
    "garbage control": lambda t: rpc(
        control=rpc_pb2.ControlMessage(
            ihave=[rpc_pb2.ControlIHave(topicID=t, messageIDs=[b"zz", b"\xff" * 9])],
            iwant=[rpc_pb2.ControlIWant(messageIDs=[b"0", b"\xff"])],
            graft=[rpc_pb2.ControlGraft(topicID="nowhere")],
            prune=[rpc_pb2.ControlPrune(topicID="nowhere", backoff=2**63)],
        )
    ),
}


async def still_talks(node: Node, friend: Node) -> None:
    """`node` is alive, in its first life, and hears what `friend` publishes."""
    request = await publish(friend)
    await until(lambda: any(e.request == request for e in node.of(RequestHeard)), "a friend's request")
    assert node.p2p.lives == 1


async def test_hostile_gossip_packets_do_not_stop_a_node(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "friend") as (hub, friend):
        for name, packet in HOSTILE.items():
            async with stranger(hub) as host:
                stream = await host.new_stream(hub.id, [MESHSUB])
                await stream.write(packet(hub.p2p.gossip.topics["requests"]))
                await still_talks(hub, friend)
            logging.getLogger(__name__).info("survived %s", name)
        assert hub.p2p.peers.tally(friend.id).invalid == 0


async def test_the_senders_of_unreadable_packets_are_banned(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "friend") as (hub, friend), stranger(hub) as host:
        for _ in range(5):
            stream = await host.new_stream(hub.id, [MESHSUB])
            await stream.write(HOSTILE["a frame that is no protobuf"](""))
        await until(lambda: hub.p2p.peers.is_banned(host.get_id()), "a ban")
        await until(lambda: not hub.p2p.peers.is_connected(host.get_id()), "the ban to disconnect")
        await still_talks(hub, friend)


async def test_garbage_below_the_streams_costs_the_sender_its_connection_only(tmp_path: Path) -> None:
    frames = [
        b"\xff" * 12,
        b"\x00\x00" + b"\xff" * 10,
        b"\x00\x01\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff",
        b"x",
    ]
    async with network(tmp_path, "hub", "friend") as (hub, friend):
        for frame in frames:
            async with stranger(hub) as host:
                (connection,) = host.get_network().get_connections(hub.id)
                await connection.muxed_conn.secured_conn.write(frame)
                await still_talks(hub, friend)


async def test_a_peer_that_ignores_the_window_does_not_fill_our_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "BUFFER_MAX", 2 * 1024 * 1024)
    async with network(tmp_path, "hub", "friend") as (hub, friend), stranger(hub) as host:
        stream = await host.new_stream(hub.id, [TProtocol(AWARD)])
        connection = stream.muxed_conn
        piece = struct.pack(">BBHLL", 0, 0, 0, stream.muxed_stream.stream_id, 65_000) + bytes(65_000)
        assert hub.p2p._link is not None
        (ours,) = hub.p2p._link.swarm.get_connections(host.get_id())
        most = 0
        for _ in range(2 * patches.BUFFER_MAX // 65_000):
            with suppress(Exception):  # cut off at last
                await connection._write_frame(piece)
            most = max(most, sum(map(len, ours.muxed_conn.stream_buffers.values())))
        assert most <= patches.BUFFER_MAX
        await until(lambda: not hub.p2p.peers.is_connected(host.get_id()), "the end of the connection")
        await still_talks(hub, friend)


async def test_a_peer_that_opens_streams_without_end_does_not_shut_out_others(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "friend") as (hub, friend), stranger(hub) as host:
        (connection,) = host.get_network().get_connections(hub.id)
        assert hub.p2p._link is not None
        (ours,) = hub.p2p._link.swarm.get_connections(host.get_id())
        streams = [await connection.muxed_conn.open_stream() for _ in range(patches.STREAMS_MAX + 50)]
        await until(lambda: sum(s.reset_received for s in streams) >= 50, "the last ones to be refused")
        assert ours._inbound <= patches.STREAMS_MAX
        await still_talks(hub, friend)


async def test_a_neighbour_that_floods_is_dropped_unread_and_banned(tmp_path: Path) -> None:
    small = replace(QUICK, per_neighbour=Rate(burst=20, refill=1))
    async with network(tmp_path, "hub", "friend", settings=small) as (hub, friend), stranger(hub) as host:
        stream = await host.new_stream(hub.id, [MESHSUB])
        packet = message(hub.p2p.gossip.topics["requests"], from_id=host.get_id().to_bytes())
        with suppress(StreamError):
            for _ in range(300):
                await stream.write(packet)
        await until(lambda: hub.p2p.peers.is_banned(host.get_id()), "a ban")
        assert hub.p2p.counts()["flooded"] >= 100
        await still_talks(hub, friend)


async def test_a_full_node_keeps_the_peers_it_has(tmp_path: Path) -> None:
    """libp2p counts dials and closing connections too: with its limit at 2 it keeps one peer."""
    small = replace(QUICK, max_peers=2)
    async with network(tmp_path, "hub", "a", "b", settings=small) as (hub, a, b):
        for node in (a, b):
            await still_talks(hub, node)


async def test_a_peer_that_connects_while_the_node_starts_does_not_kill_it(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    target = make_node("target", tmp_path, listen=f"/ip4/127.0.0.1/tcp/{port}")
    bootstrap = f"/ip4/127.0.0.1/tcp/{port}/p2p/{target.id}"
    eager = [make_node(f"eager {i}", tmp_path, bootstrap=(bootstrap,)) for i in range(3)]
    async with running(*eager), running(target):
        await until(lambda: target.meshed(*eager), "everybody in the mesh")
        assert target.p2p.lives == 1


async def test_a_handler_that_raises_ends_its_stream_and_nothing_else(tmp_path: Path) -> None:
    async def boom(stream: Any) -> None:
        raise RuntimeError("boom")

    async with network(tmp_path, "hub", "friend") as (hub, friend), stranger(hub) as host:
        assert hub.p2p._link is not None
        hub.p2p._link.host.set_stream_handler(TProtocol("/boom"), boom)
        for _ in range(2):
            stream = await host.new_stream(hub.id, [TProtocol("/boom")])
            with trio.fail_after(5), pytest.raises(StreamError):
                await stream.read(1)
        await still_talks(hub, friend)


async def test_validators_that_raise_drop_the_message_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path, "hub", "friend") as (hub, friend):
        tried = trio.Event()

        async def broken(name: str, *_: Any) -> None:
            if name == "requests":
                tried.set()
            raise RuntimeError("a bug in the async validator")

        with monkeypatch.context() as patch:
            patch.setattr(hub.p2p.gossip, "_judge", broken)
            await publish(friend)
            await tried.wait()

        tried = trio.Event()

        def broken_too(*_: Any) -> bool:
            tried.set()
            raise RuntimeError("a bug in a synchronous validator")

        link = hub.p2p._link
        assert link is not None
        topic = hub.p2p.gossip.topics["requests"]
        link.pubsub.set_topic_validator(topic, broken_too, is_async_validator=False)
        await publish(friend)
        await tried.wait()
        hub.p2p.gossip.prepare(link)
        await still_talks(hub, friend)
        assert len(hub.of(RequestHeard)) == 1
        assert not hub.p2p.peers.tally(friend.id).invalid


async def test_a_restarted_node_is_heard_again(tmp_path: Path) -> None:
    """libp2p counts messages from int(time()): faster than one a second, and a restart repeats old ids."""
    async with network(tmp_path, "hub") as (hub,):
        options = {"bootstrap": [hub.address]}
        async with process("busy", tmp_path, **options) as busy:
            assert await busy.tell("publish 40") == "done"
            await until(lambda: len(hub.of(RequestHeard)) == 40, "all of the first life")
            busy.kill()
        async with process("busy", tmp_path, nonces=1000, **options) as busy:
            assert await busy.tell("publish 20") == "done"
            await until(lambda: len(hub.of(RequestHeard)) == 60, "all of the second life")


async def test_all_leaves_come_back_to_a_killed_hub(tmp_path: Path) -> None:
    async with process("hub", tmp_path) as hub:
        address = hub.address
        leaves = [make_node(f"leaf {i}", tmp_path, bootstrap=(address,)) for i in range(3)]
        async with running(*leaves):
            hub_id = leaves[0].p2p.peers.add(address)
            await until(lambda: all(n.p2p.peers.is_connected(hub_id) for n in leaves), "all connected")
            hub.kill()
            await until(lambda: not any(n.p2p.peers.is_connected(hub_id) for n in leaves), "all cut off")
            async with process("hub", tmp_path, listen=address.rpartition("/p2p/")[0]) as again:
                assert again.address == address
                await until(lambda: all(n.p2p.peers.is_connected(hub_id) for n in leaves), "all back")
                await publish(leaves[0])
                assert await again.tell("heard 1") == "done"


async def test_peers_without_encryption_are_refused(tmp_path: Path) -> None:
    keys = create_new_key_pair()
    async with network(tmp_path, "hub") as (hub,):
        with pytest.raises(BaseExceptionGroup) as caught:
            async with stranger(hub, keys=keys, sec_opt={PLAINTEXT_PROTOCOL_ID: InsecureTransport(keys)}):
                pass
        assert caught.group_contains(SwarmDialAllFailedError)
        assert not hub.p2p.peers.connected()


async def test_too_large_a_message_is_refused_to_its_author(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "friend") as (hub, friend):
        with pytest.raises(Rejected, match="16385 bytes"):
            await hub.p2p.gossip.publish("requests", bytes(16 * 1024 + 1))
        await still_talks(friend, hub)


async def test_a_burst_arrives_complete_and_is_forwarded(tmp_path: Path) -> None:
    """Stock, 500 publishes without a pause deliver 32, and forwarding is capped at 10 a second."""
    async with network(tmp_path, "hub", "a", "b") as (hub, a, b):
        requests = [a_request(a) for _ in range(100)]
        async with trio.open_nursery() as nursery:
            for request in requests:
                nursery.start_soon(a.p2p.publish_request, request, a.signer.sign(request))
        for node in (hub, b):
            await until(lambda node=node: len(node.of(RequestHeard)) == 100, "all 100")
            assert {e.request for e in node.of(RequestHeard)} == set(requests)


async def test_a_ban_stops_messages_and_connections_until_it_ends(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "bad", "friend") as (hub, bad, friend):
        hub.p2p.ban(str(bad.id), 2.0)
        await until(lambda: not hub.p2p.peers.is_connected(bad.id), "the connection to end")
        request = await publish(bad)  # by way of friend, who has not banned it
        await until(lambda: friend.of(RequestHeard))
        await still_talks(hub, friend)
        assert all(e.request != request for e in hub.of(RequestHeard))
        (row,) = [r for r in hub.p2p.rows() if r.peer == str(bad.id)]
        assert row.banned_for is not None
        await until(lambda: not hub.p2p.peers.is_banned(bad.id) and hub.meshed(bad), "the end of the ban")
        await still_talks(hub, bad)


@pytest.mark.parametrize("part", ["swarm", "pubsub", "router"])
async def test_when_libp2p_dies_the_network_is_rebuilt_with_the_same_key_and_port(
    tmp_path: Path, part: str
) -> None:
    async with network(tmp_path, "hub", "friend") as (hub, friend):
        address, link = hub.address, hub.p2p._link
        assert link is not None
        getattr(link, part).get_manager().cancel()
        await until(lambda: hub.p2p.lives == 2 and hub.p2p.addresses(), "a second life")
        assert hub.address == address
        await until(lambda: hub.meshed(friend) and friend.meshed(hub), "the mesh")
        await publish(friend)
        await publish(hub)
        await until(lambda: hub.of(RequestHeard) and friend.of(RequestHeard))


async def test_a_port_in_use_is_a_wrong_setting(tmp_path: Path) -> None:
    """libp2p would share it, silently, with SO_REUSEPORT."""
    async with network(tmp_path, "hub") as (hub,):
        second = make_node("second", tmp_path, listen=hub.address.rpartition("/p2p/")[0])
        with pytest.raises(BaseExceptionGroup) as caught:
            async with running(second):
                pass
        assert caught.group_contains(ConfigError, match="cannot listen on")


async def test_an_address_that_is_not_ours_is_a_wrong_setting(tmp_path: Path) -> None:
    node = make_node("lost", tmp_path, listen="/ip4/192.0.2.1/tcp/0")
    with pytest.raises(BaseExceptionGroup) as caught:
        async with running(node):
            pass
    assert caught.group_contains(ConfigError, match="cannot listen on")


async def test_cancelled_writes_do_not_break_the_connection(tmp_path: Path) -> None:
    """A frame that was encrypted but not sent leaves the two ends with different nonces."""
    async with network(tmp_path, "hub", "friend") as (hub, friend), stranger(hub) as host:

        async def echo(stream: Any) -> None:
            while True:
                await stream.write(await stream.read(1))

        assert hub.p2p._link is not None
        hub.p2p._link.host.set_stream_handler(TProtocol("/echo"), echo)
        (connection,) = host.get_network().get_connections(hub.id)
        for steps in range(40):
            stream = await host.new_stream(hub.id, [TProtocol("/echo")])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.write, b"x" * 1000)
                for _ in range(steps % 10):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            await stream.reset()
        stream = await host.new_stream(hub.id, [TProtocol("/echo")])
        await stream.write(b"!")
        with trio.fail_after(5):
            assert await stream.read(1) == b"!"
        assert host.get_network().get_connections(hub.id) == [connection]
        await still_talks(hub, friend)


async def test_what_libp2p_never_forgets_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p2p_host, "SWEEP_EVERY", 0.1)
    async with network(tmp_path, "hub", "friend") as (hub, friend):
        await still_talks(hub, friend)
        link = hub.p2p._link
        assert link is not None
        await until(lambda: not link.router.equivocation_detection, "the sweep")
        await still_talks(hub, friend)


def test_another_version_of_libp2p_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_applied", False)
    monkeypatch.setattr(patches, "version", lambda _: "0.9.0")
    with pytest.raises(ConfigError, match=r"libp2p 0\.9\.0 is installed"):
        patches.apply()


@pytest.mark.parametrize(
    "address", ["", "10.0.0.7:4001", "/ip4/10.0.0.7/tcp/4001", "/ip4/10.0.0.7/tcp/4001/p2p/x"]
)
def test_a_bootstrap_address_that_is_none_is_a_wrong_setting(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="is no peer address like"):
        make_node("n", tmp_path, bootstrap=(address,))


def test_the_peer_id_follows_from_the_seed() -> None:
    assert addresses.peer_id_of(seed_of("a")) == addresses.peer_id_of(seed_of("a"))
    assert addresses.peer_id_of(seed_of("a")) != addresses.peer_id_of(seed_of("b"))
