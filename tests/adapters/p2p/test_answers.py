"""Answers to a bundle's items on a stream: in order, as they come, and only from the worker's own peer."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from blockedge_node.core.ids import Address, UnitId
from blockedge_node.core.items import Answer
from blockedge_node.errors import Transient
from blockedge_node.p2p import frames
from blockedge_node.p2p.answers import ANSWERS
from blockedge_node.wire import answers as wire
from tests.adapters.p2p.support import DOMAIN, NOW, PATIENCE, network, until

UNIT = UnitId(b"\x06" * 32)
FIRST, LARGE, LAST = (Answer(exit=0, output=data) for data in (b"one", bytes(20_000), b"three"))


async def test_answers_arrive_while_the_worker_still_computes(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker") as (requester, worker):
        await until(lambda: requester.knows(worker) and worker.knows(requester))
        send, answers = trio.open_memory_channel[tuple[int, Answer]](9)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.p2p.tell_answers, UNIT, requester.signer.address, answers)
            await send.send((0, FIRST))
            await until(lambda: len(requester.answers) == 1, "the first answer")
            await send.send((1, LARGE))  # comes with the whole output
            await send.send((2, LAST))
            send.close()
        await until(lambda: len(requester.answers) == 2, "the last answer")
        me = worker.signer.address
        assert requester.answers == [(UNIT, me, 0, FIRST), (UNIT, me, 2, LAST)]


async def test_nobody_answers_in_a_workers_name(tmp_path: Path) -> None:
    async with network(tmp_path, "requester", "worker", "mallory") as (requester, worker, mallory):
        await until(lambda: requester.knows(worker, mallory) and mallory.knows(requester))
        head = wire.build_head(DOMAIN, UNIT, worker.signer.address, NOW * 1000)
        link = mallory.p2p._link
        assert link is not None

        async def pretend() -> None:
            async with frames.asked(link.host, requester.id, ANSWERS, head, PATIENCE) as stream:
                await frames.write_frame(stream, wire.build_answer(0, FIRST), PATIENCE)
                await frames.read_frame(stream, PATIENCE)

        with pytest.raises(Transient):
            await pretend()
        assert requester.answers == []


async def test_a_requester_that_is_not_known_is_not_told(tmp_path: Path) -> None:
    async with network(tmp_path, "worker") as (worker,):
        send, answers = trio.open_memory_channel[tuple[int, Answer]](0)
        with pytest.raises(Transient, match="no peer"):
            await worker.p2p.tell_answers(UNIT, Address(b"\x09" * 20), answers)
        send.close()
