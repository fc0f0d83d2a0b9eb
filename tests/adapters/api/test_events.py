"""Server-sent events from a real journal, over the real server: nothing is missed, no reader holds up the node."""

from __future__ import annotations

import json
import socket as sockets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from blockedge_node.api import server
from blockedge_node.api.models import ItemEvent
from blockedge_node.backend import bell as bells
from blockedge_node.backend import events as feed
from blockedge_node.core.facts import note
from blockedge_node.core.hashing import keccak256
from blockedge_node.errors import Rejected
from blockedge_node.store.journal import Journal
from tests.adapters.api.memory import MemoryBackend

JOB, OTHER = keccak256(b"job"), keccak256(b"other")


@pytest.fixture
async def journal(node: MemoryBackend, tmp_path: Path) -> AsyncIterator[Journal]:
    node.journal = Journal(tmp_path / "journal.db", {})
    yield node.journal
    node.journal.close()


async def happens(node: MemoryBackend, *codes: str, subject: Any = JOB, **fields: Any) -> None:
    assert node.journal is not None
    await node.journal.commit({}, [note(subject, code, **fields) for code in codes])
    node.bell.ring()


async def readers(node: MemoryBackend, count: int) -> None:
    while node.bell.readers != count:  # noqa: ASYNC110
        await trio.sleep(0.02)


@asynccontextmanager
async def listening(
    api: httpx.AsyncClient, last: str | None = None, **params: Any
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    headers = {} if last is None else {"last-event-id": last}
    async with api.stream("GET", "/api/v1/events", params=params, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async with aclosing(told_by(answer)) as told:
            yield told


async def told_by(answer: httpx.Response) -> AsyncGenerator[dict[str, Any]]:
    seen = ""
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            seen = line.removeprefix("id: ")
        elif line.startswith("data: "):
            event: dict[str, Any] = json.loads(line.removeprefix("data: "))
            assert str(event["id"]) == seen
            yield event


async def test_what_happens_to_jobs_is_told_as_it_happens(
    api: httpx.AsyncClient, node: MemoryBackend, journal: Journal
) -> None:
    await happens(node, "job.began")  # before anybody listens
    with trio.fail_after(20):
        async with listening(api) as told:
            await trio.testing.wait_all_tasks_blocked(0.05)
            await happens(node, "job.done", "bid.made", seconds=3)
            event = await anext(told)
            assert (event["job"], event["state"], event["fields"]) == (
                "0x" + JOB.hex(),
                "done",
                {"seconds": 3},
            )
            await happens(node, "job.failed", subject=OTHER, reason="cancelled")
            assert (await anext(told))["state"] == "cancelled"


async def test_a_client_that_was_cut_off_resumes_where_it_was(
    api: httpx.AsyncClient, node: MemoryBackend, journal: Journal
) -> None:
    await happens(node, "job.began", "job.done", "job.settled")
    with trio.fail_after(20):
        async with listening(api, since=0) as told:
            first = await anext(told)
        async with listening(api, last=str(first["id"])) as told:
            assert [(await anext(told))["state"] for _ in range(2)] == ["done", "settled"]


async def test_one_job_may_be_followed_alone(
    api: httpx.AsyncClient, node: MemoryBackend, journal: Journal
) -> None:
    found = feed.follow(journal, node.bell, 0, JOB)
    assert not await anext(found)
    await happens(node, "job.began", subject=OTHER)
    await happens(node, "job.began")
    (event,) = await anext(found)
    assert event.job == JOB
    await found.aclose()
    answer = await api.get("/api/v1/events", params={"job": "12345678"})
    assert answer.status_code == 404


@pytest.mark.parametrize("last", ["-1", "x", "9" * 20, "1.5"])
async def test_an_id_that_is_none_is_refused(api: httpx.AsyncClient, last: str) -> None:
    answer = await api.get("/api/v1/events", headers={"last-event-id": last})
    assert answer.status_code in (400, 422)


async def test_readers_are_limited_and_let_go(
    api: httpx.AsyncClient, node: MemoryBackend, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "READERS", 1)
    first = feed.follow(journal, node.bell, None, None)
    await anext(first)
    with pytest.raises(Rejected):
        await anext(feed.follow(journal, node.bell, None, None))
    await first.aclose()
    assert node.bell.readers == 0


async def test_silence_is_told_too(
    node: MemoryBackend, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT", 0.01)
    found = feed.follow(journal, node.bell, None, None)
    assert [await anext(found) for _ in range(3)] == [(), (), ()]
    await found.aclose()


async def test_a_reader_that_does_not_read_is_cut_off_and_misses_nothing(
    api: httpx.AsyncClient,
    node: MemoryBackend,
    journal: Journal,
    socket: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "STALL", 0.2)
    for _ in range(20):
        await happens(node, *["job.done"] * 200, words="x" * 2_000)  # 8 MB: no socket holds that
    with trio.fail_after(60), sockets.socket(sockets.AF_UNIX) as slow:
        slow.connect(str(socket))
        slow.sendall(b"GET /api/v1/events?since=0 HTTP/1.1\r\nhost: node\r\n\r\n")
        await readers(node, 1)
        await readers(node, 0)  # it is given up
        assert (await api.get("/api/v1/node")).status_code == 200
        async with listening(api, since=0) as told:
            assert [(await anext(told))["id"] for _ in range(3)] == [1, 2, 3]


async def test_answers_that_bind_nobody_are_told_to_whoever_listens(
    api: httpx.AsyncClient, node: MemoryBackend, journal: Journal
) -> None:
    answer = ItemEvent(job=JOB, bundle=OTHER, place=3, exit=0, exit_text="ok", output="b25l")
    node.bell.say(answer)  # nobody listens: it is gone
    found = feed.follow(journal, node.bell, None, JOB)
    assert not await anext(found)
    node.bell.say(answer.model_copy(update={"job": OTHER}))
    for place in range(bells.PASSING + 2):
        node.bell.say(answer.model_copy(update={"place": place}))
    places = [event.place for event in await anext(found) if isinstance(event, ItemEvent)]
    assert places == list(range(2, bells.PASSING + 2)), "a reader that is late misses the oldest"
    await found.aclose()


async def test_an_answer_has_no_id_to_resume_from(
    api: httpx.AsyncClient, node: MemoryBackend, journal: Journal
) -> None:
    with trio.fail_after(20):
        async with api.stream("GET", "/api/v1/events") as answer:
            await readers(node, 1)
            node.bell.say(ItemEvent(job=JOB, bundle=OTHER, place=3, exit=0, exit_text="ok", output="b25l"))
            async with aclosing(answer.aiter_lines()) as lines:
                told = [line async for line in _until(lines, "data: ")]
    assert told[-2] == "event: item"
    assert json.loads(told[-1].removeprefix("data: "))["provisional"] is True
    assert not any(line.startswith("id:") for line in told)


async def _until(lines: AsyncIterator[str], start: str) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith(start):
            return
