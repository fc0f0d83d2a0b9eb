"""The engine's promises: write, then act; what runs is what is due; a crash is a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from blockedge_node.core import bidder as bidders
from blockedge_node.core.actions import (
    Action,
    AwaitBids,
    FetchInput,
    PublishBids,
    PublishRequest,
    SendAck,
    Solve,
)
from blockedge_node.core.events import AckSent, AwardHeard, Event, InputFetched, JobCancelled, JobSubmitted
from blockedge_node.core.ids import Address
from blockedge_node.core.node import Node
from blockedge_node.engine import Engine, load
from blockedge_node.performer import Tries
from tests.core.builders import (
    ALICE,
    BOB,
    DEV,
    DOMAIN,
    START,
    award_heard,
    head,
    job,
    request,
    request_heard,
    solved,
    world,
)
from tests.engine.memory import MemoryJournal


@dataclass
class Recorder:
    """A performer that only remembers: every action hangs until it is cancelled, or the test ends it."""

    started: list[Action] = field(default_factory=list)
    cancelled: list[Action] = field(default_factory=list)
    endings: dict[type, trio.Event] = field(default_factory=dict)
    events: dict[type, Event | None] = field(default_factory=dict)
    rows_at_start: list[frozenset[str]] = field(default_factory=list)
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        self.started.append(action)
        self.rows_at_start.append(frozenset(self.journal.rows))
        try:
            await self.endings.setdefault(type(action), trio.Event()).wait()
        except trio.Cancelled:
            self.cancelled.append(action)
            raise
        return self.events.get(type(action))

    def end(self, kind: type, event: Event | None = None) -> None:
        self.events[kind] = event
        self.endings.setdefault(kind, trio.Event()).set()

    def kinds(self) -> list[str]:
        return [type(action).__name__ for action in self.started]


def an_engine(recorder: Recorder, me: Address, node: Node | None = None) -> Engine:
    return Engine(
        node=node or load(recorder.journal),
        journal=recorder.journal,
        performer=recorder,
        policy=world(me).policy,
        domain=DOMAIN,
        params=DEV,
        me=me,
    )


@asynccontextmanager
async def running(me: Address = BOB) -> AsyncIterator[tuple[Engine, Recorder]]:
    recorder = Recorder()
    engine = an_engine(recorder, me)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        yield engine, recorder
        nursery.cancel_scope.cancel()


async def tell(engine: Engine, *events: Event) -> None:
    """These events in one burst, and everything that follows from them."""
    for event in events:
        await engine.tell(event)
    await wait_all_tasks_blocked()


async def tell_at_once(engine: Engine, recorder: Recorder, *events: Event) -> None:
    """These events in one burst: they pile up behind a transaction that the disk takes its time for."""
    recorder.journal.gate = trio.Event()
    other = request_heard(replace(request(), nonce=77))
    await tell(engine, other)
    await tell(engine, *events)
    recorder.journal.gate.set()
    await wait_all_tasks_blocked()


async def live(engine: Engine, *bursts: Event) -> None:
    """Run the engine and bring it these events, one burst each."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        for event in bursts:
            await tell(engine, event)


HEARD = request_heard(request())


async def bidding(engine: Engine) -> AwardHeard:
    """Bob bids; the award for it."""
    await tell(engine, head(START), HEARD)
    (bidder,) = engine.node.machines.values()
    return award_heard(HEARD.request, bidder.bids[0].bid)  # type: ignore[union-attr]


async def test_no_event_is_handled_before_the_first_head() -> None:
    async with running() as (engine, recorder):
        await tell(engine, HEARD)
        assert engine.world is None
        assert recorder.journal.commits == 0
        await tell(engine, head(START))
        assert recorder.kinds() == ["PublishBids"]


async def test_run_is_started_by_the_first_head() -> None:
    engine = an_engine(Recorder(), BOB)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.tell, head(START))
        await nursery.start(engine.run)
        assert engine.world is not None
        nursery.cancel_scope.cancel()


async def test_nothing_is_done_before_its_facts_are_on_disk() -> None:
    async with running() as (engine, recorder):
        await tell(engine, head(START))
        recorder.journal.gate = trio.Event()
        await tell(engine, HEARD)
        assert recorder.started == []
        assert engine.node.machines == {}, "what is not written is not shown either"
        recorder.journal.gate.set()
        await wait_all_tasks_blocked()
        assert recorder.kinds() == ["PublishBids"]
        assert all(rows for rows in recorder.rows_at_start)


async def test_submit_returns_when_the_job_is_on_disk() -> None:
    async with running(ALICE) as (engine, recorder):
        await tell(engine, head(START))
        await engine.submit(JobSubmitted(job=job()))
        assert sorted(key.split(":")[0] for key in recorder.journal.rows) == ["job", "requester"]


async def test_a_burst_shares_one_transaction() -> None:
    async with running() as (engine, recorder):
        await tell(engine, head(START))
        await tell_at_once(engine, recorder, *(request_heard(request(nonce=n)) for n in range(5)))
        assert (recorder.journal.commits, len(recorder.journal.rows)) == (2, 6)


async def test_a_head_that_changes_no_fact_costs_no_transaction() -> None:
    async with running() as (engine, recorder):
        await bidding(engine)
        commits = recorder.journal.commits
        await tell(engine, head(START + 1))
        await tell(engine, head(START + 2))
        assert recorder.journal.commits == commits


async def test_an_action_that_ended_is_not_started_again_while_it_stays_due() -> None:
    async with running() as (engine, recorder):
        await tell(engine, head(START), HEARD)
        recorder.end(PublishBids)
        await tell(engine, head(START + 1))
        await tell(engine, head(START + 2))
        assert recorder.kinds() == ["PublishBids"]
        assert engine.running == ()


async def test_an_action_that_is_no_longer_due_is_cancelled() -> None:
    async with running() as (engine, recorder):
        award = await bidding(engine)
        await tell(engine, award)
        assert recorder.kinds() == ["PublishBids", "FetchInput"]
        await tell(engine, head(START + 16))
        assert FetchInput in map(type, recorder.cancelled)


async def test_an_ending_is_forgotten_even_if_it_was_undue_for_one_event_of_a_burst() -> None:
    async with running() as (engine, recorder):
        award = await bidding(engine)
        done = solved(award)
        await tell(engine, award, InputFetched(unit=done.unit, award=done.award))
        recorder.end(SendAck)  # it went out, but the news is still on its way
        await wait_all_tasks_blocked()
        await tell(engine, head(START + 1))
        assert recorder.kinds().count("SendAck") == 1
        await tell_at_once(engine, recorder, AckSent(award=done.award), award)
        assert recorder.kinds().count("SendAck") == 2
        assert recorder.kinds().count("Solve") == 1


async def test_an_exception_that_nobody_handles_ends_the_engine() -> None:
    async def broken(action: Action, tries: Tries) -> Event | None:
        raise ZeroDivisionError

    engine = an_engine(Recorder(), BOB)
    engine._perform = broken
    with pytest.raises(BaseExceptionGroup) as caught:
        await live(engine, head(START), HEARD)
    assert caught.group_contains(ZeroDivisionError)


async def test_what_runs_is_visible_with_its_age_and_last_error() -> None:
    async with running() as (engine, _):
        await tell(engine, head(START), HEARD)
        (shown,) = engine.running
        assert isinstance(shown.action, PublishBids)
        shown.tries.fail(OSError("no route"))
        assert (shown.tries.failed, shown.tries.error) == (1, "no route")
        assert shown.since <= trio.current_time()


async def test_a_paused_node_stops_bidding_from_the_next_event_on() -> None:
    async with running() as (engine, recorder):
        await tell(engine, head(START))
        engine.set_policy(replace(engine.policy, paused=True))
        await tell(engine, HEARD)
        assert engine.node.machines == {}
        assert [note.code for note in recorder.journal.notes] == ["bid.none.paused"]


async def test_cancelling_a_job_stops_its_request() -> None:
    async with running(ALICE) as (engine, recorder):
        await tell(engine, head(START), JobSubmitted(job=job()))
        assert recorder.kinds() == ["PublishRequest"]
        await tell(engine, JobCancelled(job=job().id))
        assert [type(action) for action in recorder.cancelled] == [PublishRequest]


@pytest.mark.parametrize("after_writing", [False, True])
@pytest.mark.parametrize("fails_at", [1, 2, 3])
async def test_a_crash_at_a_commit_leaves_the_facts_before_or_after_it(
    fails_at: int, *, after_writing: bool
) -> None:
    recorder = Recorder()
    recorder.journal.fails_at, recorder.journal.after_writing = fails_at, after_writing
    engine = an_engine(recorder, BOB)
    bidder, _ = bidders.begin(HEARD, world(BOB))
    assert bidder is not None
    award = award_heard(HEARD.request, bidder.bids[0].bid)
    done = solved(award)
    with pytest.raises(BaseExceptionGroup):
        await live(engine, head(START), HEARD, award, InputFetched(unit=done.unit, award=done.award))
    assert recorder.journal.commits == fails_at
    written = [{}, {"bidder"}, {"bidder", "worker"}, {"bidder", "worker"}]
    kinds = {key.split(":")[0] for key in recorder.journal.rows}
    assert kinds == set(written[fails_at if after_writing else fails_at - 1])

    again = Recorder(journal=replace(recorder.journal, fails_at=None))
    async with trio.open_nursery() as nursery:
        engine = an_engine(again, BOB)
        nursery.start_soon(engine.run)
        await tell(engine, head(START), HEARD, award)
        expected = SendAck if fails_at == 3 and after_writing else FetchInput
        assert any(isinstance(action, expected) for action in again.started)
        assert not any(isinstance(action, AwaitBids) for action in again.started)
        assert any(isinstance(action, Solve) for action in again.started) == (expected is SendAck)
        nursery.cancel_scope.cancel()
