"""Turns between tasks, and memory that is promised once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from blockedge_node.core.job import MIB, PowJob
from blockedge_node.executor import admission
from blockedge_node.executor.admission import Admission, line_of, need
from blockedge_node.executor.pool import ExecutorFault, Pool


class Runs:
    """Orders that run until told to end; `order` is in which order they were admitted."""

    def __init__(self, queue: Admission, nursery: trio.Nursery) -> None:
        self.queue, self.nursery = queue, nursery
        self.order: list[str] = []
        self.ends: dict[str, trio.Event] = {}
        self.refused: dict[str, str] = {}

    async def ask(self, name: str, line: str, need: int = 1) -> None:
        self.ends[name] = trio.Event()
        self.nursery.start_soon(self._run, name, line, need)
        await wait_all_tasks_blocked()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await wait_all_tasks_blocked()

    async def _run(self, name: str, line: str, need: int) -> None:
        try:
            async with self.queue.admitted(line, need):
                self.order.append(name)
                await self.ends[name].wait()
        except ExecutorFault as fault:
            self.refused[name] = fault.reason


@pytest.fixture
async def nursery() -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()


async def test_tasks_take_turns(nursery: trio.Nursery) -> None:
    runs = Runs(Admission(slots=1, budget=None, free=lambda: None), nursery)
    for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"):
        await runs.ask(name, line=name[0])
    for at in range(6):
        await runs.end(runs.order[at])
    assert runs.order == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_memory_is_promised_once_and_large_runs_are_not_starved(nursery: trio.Nursery) -> None:
    queue = Admission(slots=4, budget=100, free=lambda: None)
    runs = Runs(queue, nursery)
    await runs.ask("half", "a", 60)
    await runs.ask("large", "b", 90)
    await runs.ask("small", "c", 10)
    assert runs.order == ["half"]  # the small one would fit, but it is the large one's turn
    await runs.end("half")
    assert set(runs.order) == {"half", "large", "small"}  # two at once: their order is the loop's
    assert (queue.running, queue.promised) == (2, 100)
    await runs.end("large")
    await runs.end("small")
    assert (queue.running, queue.promised) == (0, 0)


async def test_what_never_fits_is_refused_at_once(nursery: trio.Nursery) -> None:
    runs = Runs(Admission(slots=1, budget=100, free=lambda: None), nursery)
    await runs.ask("huge", "a", 101)
    assert runs.refused == {"huge": "memory"}


async def test_too_little_free_memory_waits_for_others_and_is_a_fault_without_them(
    nursery: trio.Nursery,
) -> None:
    free = [1000]
    runs = Runs(Admission(slots=2, budget=1000, free=lambda: free[0]), nursery)
    await runs.ask("first", "a", 100)
    free[0] = 50
    await runs.ask("second", "b", 100)
    assert (runs.order, runs.refused) == (["first"], {})
    free[0] = 1000
    await runs.end("first")
    assert runs.order == ["first", "second"]
    await runs.end("second")
    free[0] = 50
    await runs.ask("third", "c", 100)
    assert runs.refused == {"third": "memory"}


async def test_one_that_is_cancelled_leaves_the_line(nursery: trio.Nursery) -> None:
    queue = Admission(slots=1, budget=None, free=lambda: None)
    runs = Runs(queue, nursery)
    await runs.ask("first", "a")
    with trio.move_on_after(0):
        async with queue.admitted("b", 1):
            raise AssertionError("there was no slot")
    await runs.ask("second", "a")
    await runs.end("first")
    assert runs.order == ["first", "second"]
    await runs.end("second")
    assert queue.running == 0


async def test_a_program_larger_than_the_node_gives_is_refused_before_a_bid(make: Any) -> None:
    pool = Pool(memory=128 * MIB)
    assert "executor.memory" in str(await pool.check(make(memory_limit=256 * MIB)))
    with pytest.raises(ExecutorFault, match=r"executor\.memory"):
        await pool.run(make(memory_limit=256 * MIB), wall=60)


def test_what_a_run_needs(make: Any) -> None:
    job = make(memory_limit=16 * MIB, stdin=bytes(MIB), stdout_max=MIB)
    assert 82 * MIB <= need(job, do="run") < 83 * MIB
    assert need(job, do="compile") < 65 * MIB
    assert need(PowJob(data=b"", shard=0), do="run") == admission.BASE
    assert line_of(make()) == line_of(make(shard=3, shards=4)) != line_of(make("unreachable"))


def test_the_machines_memory_is_known() -> None:
    total, free = admission.total(), admission.available()
    assert total is not None
    assert free is not None
    assert 0 < free <= total or admission.limits()


def test_a_control_group_with_less_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "CGROUPS", tmp_path)
    monkeypatch.setattr(admission, "GROUP", tmp_path / "own")
    (tmp_path / "own").write_text("0::/system.slice/node.service\n")
    inner = tmp_path / "system.slice" / "node.service"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    assert admission.limits() == []
    (inner.parent / "memory.max").write_text("67108864\n")  # of all services together
    assert admission.total() == 64 * MIB


def test_so_does_one_of_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "CGROUPS", tmp_path)
    monkeypatch.setattr(admission, "GROUP", tmp_path / "own")
    (tmp_path / "own").write_text("5:devices:/a\n4:memory:/docker/17\n0::/\n")
    inner = tmp_path / "memory" / "docker" / "17"
    inner.mkdir(parents=True)
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert admission.limits() == []
    (inner / "memory.limit_in_bytes").write_text("67108864\n")
    assert admission.total() == 64 * MIB
