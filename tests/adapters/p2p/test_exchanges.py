"""Award → Ack and result → Receipt on a stream (docs/protocol.md §2.3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from libp2p.custom_types import TProtocol

from blockedge_node.core.events import AwardHeard, ResultHeard
from blockedge_node.core.ids import Root, UnitId
from blockedge_node.core.task import Ack, Receipt, Result
from blockedge_node.errors import Rejected, Transient
from blockedge_node.p2p import frames
from blockedge_node.p2p.serving import Waiting
from blockedge_node.p2p.streams import AWARD, PEERS
from blockedge_node.wire import codec, streams
from tests.adapters.p2p.support import (
    DOMAIN,
    NOW,
    PATIENCE,
    QUICK,
    RICH,
    Node,
    an_award,
    network,
    publish,
    stranger,
    until,
)

RESULT = Result(exit=0x20000, output_root=Root(b"\x05" * 32), fuel_used=7)
UNIT = UnitId(b"\x06" * 32)


async def acknowledge(worker: Node) -> tuple[Ack, bytes]:
    """Ack the first award that `worker` heard."""
    event = (await until(lambda: worker.of(AwardHeard), "an award"))[-1]
    ack = Ack(award=event.digest, start_at=NOW)
    sig = worker.signer.sign(ack)
    await worker.p2p.answer_award(event.digest, ack, sig)
    return ack, sig


async def test_an_award_is_acknowledged(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker))
        signed, digest = an_award(requester, worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(acknowledge, worker)
            ack, sig = await requester.p2p.send_award(signed)
        assert (ack, sig) == await acknowledge(worker)
        (event,) = worker.of(AwardHeard)
        assert event == AwardHeard(signed=signed, digest=digest, standing=RICH)


async def test_a_refusal_is_a_named_reason(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker))
        signed, digest = an_award(requester, worker)

        async def refuse() -> None:
            await until(lambda: worker.of(AwardHeard))
            await worker.p2p.refuse_award(digest, "price.risk")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse)
            with pytest.raises(Rejected, match=r"price\.risk"):
                await requester.p2p.send_award(signed)


async def test_several_streams_may_wait_for_one_award(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker))
        signed, _ = an_award(requester, worker)
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await requester.p2p.send_award(signed))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
            await until(lambda: len(worker.of(AwardHeard)) == 3)
            await acknowledge(worker)
        assert len(answers) == 3
        assert len(set(answers)) == 1


async def test_an_award_asked_again_is_told_again(tmp_path: Path) -> None:
    """The requester gives up, or loses its connection; the worker hears of it a second time."""
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker))
        signed, _ = an_award(requester, worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(requester.p2p.send_award, signed)
            await until(lambda: worker.of(AwardHeard))
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(requester.p2p.send_award, signed)
            await until(lambda: len(worker.of(AwardHeard)) == 2)
            await acknowledge(worker)


async def test_no_answer_and_no_peer_are_transient(tmp_path: Path) -> None:
    hasty = replace(QUICK, answer_timeout=0.2)
    async with network(tmp_path, "requester", "worker", settings=hasty) as (requester, worker):
        await until(lambda: requester.knows(worker))
        with pytest.raises(Transient, match="cannot be reached"):
            await requester.p2p.send_award(an_award(requester, worker)[0])
        requester.p2p.ban(str(worker.id), 60)
        with pytest.raises(Transient, match="banned"):
            await requester.p2p.send_award(an_award(requester, worker)[0])
        with pytest.raises(Transient, match="no peer of it is known"):
            await requester.p2p.deliver(UNIT, requester.signer.address, RESULT)


async def test_a_peer_that_does_not_speak_the_protocol_says_so_at_once(tmp_path: Path) -> None:
    async with network(tmp_path, "a", "b") as (a, b):
        host = a.p2p._living().host
        with pytest.raises(Transient, match="does not speak"):
            async with frames.asked(host, b.id, "/blockedge/1/nothing", b"?", PATIENCE):
                raise AssertionError("nobody answers here")


async def test_the_input_of_an_award_is_fetched_before_the_core_asks(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker) and worker.knows(requester))
        root = requester.blobs.put(b"what the search is about")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(requester.p2p.send_award, an_award(requester, worker, input_root=root)[0])
            await until(lambda: worker.blobs.has(root), "the input")
            await acknowledge(worker)


async def test_an_award_of_unknown_standing_is_not_told(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker))
        worker.standings[requester.signer.address] = None
        with pytest.raises(Transient):
            await requester.p2p.send_award(an_award(requester, worker)[0])
        assert not worker.of(AwardHeard)


async def test_an_award_for_somebody_else_is_refused(tmp_path: Path) -> None:
    """Whoever repeats a worker's gossip is tried too, and must not be able to stand in for it."""
    async with network(tmp_path, "requester", "worker", "parrot") as (requester, worker, parrot):
        await until(lambda: requester.knows(worker))
        signed, _ = an_award(requester, worker)
        requester.p2p.directory._cards.clear()
        requester.p2p.directory._origins.clear()
        requester.p2p.directory.heard(worker.signer.address, parrot.id)
        with pytest.raises(Rejected, match=r"not\.mine"):
            await requester.p2p.send_award(signed)
        requester.p2p.directory.heard(worker.signer.address, worker.id)
        requester.p2p.directory.heard(worker.signer.address, parrot.id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(acknowledge, worker)
            ack, _ = await requester.p2p.send_award(signed)
        assert ack.start_at == NOW
        assert not parrot.of(AwardHeard)


async def test_an_ack_signed_by_somebody_else_is_a_fault(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker))
        signed, digest = an_award(requester, worker)

        async def forge() -> None:
            await until(lambda: worker.of(AwardHeard))
            ack = Ack(award=digest, start_at=NOW)
            await worker.p2p.answer_award(digest, ack, requester.signer.sign(ack))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(forge)
            with pytest.raises(Transient, match="not the worker's"):
                await requester.p2p.send_award(signed)
        assert requester.p2p.peers.tally(worker.id).invalid == 1


async def test_a_result_is_receipted(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: worker.knows(requester))
        receipt = Receipt(unit=UNIT, result_hash=RESULT.hash())

        async def confirm() -> None:
            (event,) = await until(lambda: requester.of(ResultHeard))
            assert event == ResultHeard(unit=UNIT, worker=worker.signer.address, result=RESULT)
            await requester.p2p.answer_result(receipt, requester.signer.sign(receipt))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(confirm)
            answer = await worker.p2p.deliver(UNIT, requester.signer.address, RESULT)
        assert answer == (receipt, requester.signer.sign(receipt))


async def test_the_peer_of_a_requester_without_a_card_is_where_its_gossip_came_from(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await publish(requester)
        await until(lambda: worker.heard)
        worker.p2p.directory._cards.clear()
        assert worker.p2p.directory.peers_of(requester.signer.address) == [requester.id]


async def test_malformed_awards_cost_their_sender(tmp_path: Path) -> None:
    async with network(tmp_path, "node") as (node,), stranger(node) as host:
        good, _ = an_award(node, node)
        for raw in (
            b"\x00\x00\x00\x00",
            b"\xff\xff\xff\xff",
            codec.frame(b"garbage"),
            codec.frame(streams.build_award(DOMAIN, replace(good, award_sig=good.bid_sig), 0)[:-1]),
        ):
            stream = await host.new_stream(node.id, [TProtocol(AWARD)])
            await stream.write(raw)
        await until(lambda: node.p2p.peers.tally(host.get_id()).invalid == 4)
        assert not node.heard


async def test_silent_streams_end_and_one_peer_cannot_hold_them_all(tmp_path: Path) -> None:
    small = replace(QUICK, step_timeout=0.5, waiting_per_peer=3)
    async with network(tmp_path, "node", settings=small) as (node,), stranger(node) as host:
        opened = [await host.new_stream(node.id, [TProtocol(AWARD)]) for _ in range(5)]

        async def ends(stream: Any) -> None:
            with pytest.raises(Exception, match=r"^"):
                await stream.read(1)

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for stream in opened:
                    nursery.start_soon(ends, stream)
        assert node.p2p.peers.tally(host.get_id()).invalid == 0
        assert await host.new_stream(node.id, [TProtocol(AWARD)])


async def test_waiting_streams_are_bounded_in_all(autojump_clock: trio.testing.MockClock) -> None:
    waiting = Waiting(2)

    async def heard() -> None:
        pass

    async with trio.open_nursery() as nursery:
        for key in (b"a", b"b"):
            nursery.start_soon(waiting.hold, ("award", key), heard, 10)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Transient, match="too many"):
            await waiting.hold(("award", b"c"), heard, 10)
        assert waiting.answer(("award", b"a"), b"yes") == 1
        assert waiting.answer(("award", b"a"), b"again") == 0
    assert await waiting.hold(("award", b"c"), heard, 1) is None


# ── peers ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nodes_that_know_one_peer_find_the_others(tmp_path: Path) -> None:
    async with network(tmp_path, "hub", "a", "b", "c", "d") as nodes:
        for node in nodes:
            assert len(node.p2p.peers.connected()) == 4
        assert all(row.connected for row in nodes[1].p2p.rows())


async def test_forged_peer_records_are_refused(tmp_path: Path) -> None:
    async with network(tmp_path, "node", "victim") as (node, victim), stranger(node) as host:
        assert victim.p2p._link is not None
        await until(lambda: victim.id in node.p2p.peers.known)
        (record,) = node.p2p.peers.records(host.get_id())

        async def lie(stream: Any) -> None:
            await stream.read(100)
            altered = record.replace(b"\x7f\x00\x00\x01", b"\x0a\x00\x00\x01")
            assert altered != record
            answer = codec.encode({"v": 1, "records": [altered]})
            await stream.write(codec.frame(answer, 10_000))

        host.set_stream_handler(TProtocol(PEERS), lie)
        before = node.p2p.peers.known[victim.id].addresses
        await until(lambda: node.p2p.peers.tally(host.get_id()).invalid, "the lie to be noticed")
        assert node.p2p.peers.known[victim.id].addresses == before
