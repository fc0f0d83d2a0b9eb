"""Mapped programs: each item as if it were alone, limits for the whole, and answers told as they come."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockedge_node.core import items
from blockedge_node.core.items import MAX_ITEMS, Answer
from blockedge_node.core.job import Ending, Outcome, TrapCode, WasmJob, exit_word
from blockedge_node.core.merkle import root
from blockedge_node.executor.mapping import BAD_LIST, ITEM_COST, PAGE_COST
from blockedge_node.executor.pool import Pool
from tests.golden.cases import MOODY

PAGES = 1  # of the program's memory, unless it grows
NO_FUEL = exit_word(Ending.TRAPPED, TrapCode.OUT_OF_FUEL)
UNREACHABLE = exit_word(Ending.TRAPPED, TrapCode.UNREACHABLE)

moods = st.lists(
    st.sampled_from([b"", b"plain", b"trap", b"x", b"grow", b"loop", b"o" * 300, b"p" * 77]), max_size=7
)


@pytest.fixture(scope="module")
def moody(make: Any) -> WasmJob:
    wasm: WasmJob = make(wasm=bytes(wasmtime.wat2wasm(MOODY)), fuel=8_000_000, mapped=True)
    return wasm


def over(job: WasmJob, *given_items: bytes, **changes: Any) -> WasmJob:
    return replace(job, stdin=items.join(given_items), **changes)


def answers(outcome: Outcome, count: int) -> Sequence[Answer]:
    assert outcome.result.exit == 0
    assert outcome.result.output_root == root(outcome.output)
    found = items.split_answers(outcome.output, count)
    assert found is not None
    return found


def test_each_item_has_its_own_answer_and_fresh_memory(execute: Any, moody: WasmJob) -> None:
    job = over(moody, b"a", b"grow", b"x", b"b")
    found = answers(execute(job), 4)
    assert [answer.output for answer in found] == [b"a", b"grow", b"x", b"b"]
    assert [answer.exit for answer in found] == [0, 0, exit_word(Ending.FAILED, 3), 0]
    twice = execute(over(moody, b"a", b"a"))
    alone = execute(replace(moody, stdin=b"a", mapped=False)).result.memory_hash
    assert twice.result.memory_hash == hashlib.sha256(alone * 2).digest()


def test_an_item_that_traps_spoils_no_other(execute: Any, moody: WasmJob) -> None:
    found = answers(execute(over(moody, b"a", b"trap", b"loop", b"b")), 4)
    assert [answer.exit for answer in found] == [0, UNREACHABLE, NO_FUEL, 0]
    assert [answer.output for answer in found] == [b"a", b"", b"", b"b"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_items=moods, fuel=st.integers(0, 8_000_000), room=st.integers(0, 900))
def test_a_mapped_run_is_the_runs_over_its_items_with_shares_of_what_is_left(
    execute: Any, moody: WasmJob, given_items: list[bytes], fuel: int, room: int
) -> None:
    job = over(moody, *given_items, fuel=max(1, fuel), stdout_max=room)
    outcome = execute(job)
    assert outcome == replace(execute(job), cpu_seconds=outcome.cpu_seconds), "a second run is equal"
    left, room_left = job.fuel, room - items.ANSWER * len(given_items)
    if room_left < 0:
        assert (outcome.result.exit, outcome.output) == (BAD_LIST, b"")
        return
    wanted, used, memories = [], 0, hashlib.sha256()
    for place, item in enumerate(given_items):
        togo = len(given_items) - place
        share = left // togo
        alone = None
        if share > ITEM_COST:
            alone = execute(
                replace(job, stdin=item, fuel=share - ITEM_COST, stdout_max=room_left // togo, mapped=False)
            )
        pages = PAGES + 7 * item.startswith(b"g")
        burnt = 0 if alone is None else alone.result.fuel_used + ITEM_COST + PAGE_COST * pages
        if alone is None or burnt > share or alone.result.exit >> 16 == Ending.TRAPPED:
            trap = alone.result.exit if alone and alone.result.exit >> 16 == Ending.TRAPPED else NO_FUEL
            wanted.append(Answer(exit=trap, output=b""))
            memories.update(bytes(32))
            left -= share
        else:
            wanted.append(Answer(exit=alone.result.exit, output=alone.output))
            memories.update(alone.result.memory_hash)
            used, left, room_left = used + burnt, left - burnt, room_left - len(alone.output)
    assert answers(outcome, len(given_items)) == tuple(wanted)
    assert outcome.result.fuel_used == used <= job.fuel
    assert outcome.result.memory_hash == memories.digest()
    assert len(outcome.output) <= room


@pytest.mark.parametrize(
    "stdin",
    [b"\0", b"\0\0\0\5abc", items.join([b"a"]) + b"\0\0\0\1", items.join([b""] * (MAX_ITEMS + 1))],
    ids=["cut in a length", "cut in an item", "a length without an item", "too many"],
)
def test_a_bad_list_is_a_result_of_its_own(execute: Any, moody: WasmJob, stdin: bytes) -> None:
    outcome = execute(replace(moody, stdin=stdin))
    assert (outcome.result.exit, outcome.output, outcome.result.fuel_used) == (BAD_LIST, b"", 0)
    assert outcome.result.memory_hash == hashlib.sha256(b"").digest()
    assert outcome.result.output_root == root(b"")


def test_a_list_longer_than_what_may_be_printed_is_bad(execute: Any, moody: WasmJob) -> None:
    assert execute(over(moody, b"", b"", stdout_max=2 * items.ANSWER)).result.exit == 0
    assert execute(over(moody, b"", b"", stdout_max=2 * items.ANSWER - 1)).result.exit == BAD_LIST


def test_what_people_read_names_the_item(execute: Any, moody: WasmJob) -> None:
    stderr = execute(over(moody, b"a", b"trap")).stderr.decode()
    assert "item 1:" in stderr
    assert "UNREACHABLE" in stderr


async def test_a_child_tells_each_answer_before_the_outcome(pool: Pool, moody: WasmJob) -> None:
    given_items = [b"%d" % i for i in range(64)]
    told: list[tuple[int, Answer]] = []
    job = over(moody, *given_items, fuel=64_000_000)
    outcome = await pool.run(job, wall=60, told=lambda place, answer: told.append((place, answer)))
    assert tuple(answer for _, answer in told) == answers(outcome, 64)
    assert [place for place, _ in told] == list(range(64))
    assert (await pool.run(job, wall=60)).result == outcome.result, "telling changes nothing"


async def test_answers_come_while_later_items_still_run(pool: Pool, moody: WasmJob) -> None:
    came = trio.Event()
    job = over(moody, b"first", b"loop", fuel=1 << 60)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: pool.run(job, wall=600, told=lambda place, answer: came.set()))
            await came.wait()
            nursery.cancel_scope.cancel()


def test_a_mapped_module_that_is_none_ends_as_invalid(execute: Any, moody: WasmJob) -> None:
    assert execute(replace(moody, wasm=b"junk", stdin=b"")).result.exit == exit_word(Ending.INVALID)
