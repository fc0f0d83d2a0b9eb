"""A machine that has less memory than a manifest allows gives no result, and never another one.

The program does what an attacker would: it grows to its limit and tells by its exit code whether it could. On a
machine with enough memory it ends with 1; one that let the kernel's refusal through would end with 0, commit to
that, and lose its deposit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from blockedge_node.core.job import GIB, MIB, Ending, WasmJob, exit_word
from blockedge_node.executor import children, hostmemory, probe, runtime
from blockedge_node.executor.pool import ExecutorFault, Pool
from tests.adapters.executor.processes import family, until

GROW_OR_ELSE = """
(local $at i32)
(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then (call $proc_exit (i32.const 0))))
(loop $touch
  (i32.store (local.get $at) (i32.const 1))
  (local.set $at (i32.add (local.get $at) (i32.const 4096)))
  (br_if $touch (i32.lt_u (local.get $at) (i32.const {bytes}))))
(call $proc_exit (i32.const 1))
"""


def greedy(make: Any, memory: int) -> WasmJob:
    """Grows to `memory` bytes and touches every page of them."""
    body = GROW_OR_ELSE.format(pages=(memory >> 16) - 1, bytes=memory - 4096)
    job: WasmJob = make(body, imports="proc_exit", memory_limit=memory, fuel=10**10)
    return job


async def test_where_there_is_memory_the_program_gets_it(pool: Pool, make: Any) -> None:
    outcome = await pool.run(greedy(make, 256 * MIB), wall=60)
    assert outcome.result.exit == exit_word(Ending.FAILED, 1)


# -- machines that withhold it


@contextmanager
def limited(flag: str, kib: int) -> Iterator[Callable[[int], None]]:
    """`ulimit` around the executor, as a service manager or a login shell sets it."""
    command = children.COMMAND
    children.COMMAND = ("/bin/sh", "-c", f'ulimit {flag} {kib} && exec "$0" "$@"', *command)  # type: ignore[misc]
    try:
        yield lambda _: None
    finally:
        children.COMMAND = command  # type: ignore[misc]


@contextmanager
def grouped(root: Path, limit: str, swap: tuple[str, str]) -> Iterator[Callable[[int], None]]:
    """A control group of 120 MiB, which is entered process by process. Raises OSError where none can be made."""
    group = root / f"blockedge-test-{os.getpid()}"
    group.mkdir()
    try:
        tell(group / limit, str(120 * MIB))
        tell(group / swap[0], swap[1])  # with it the program would only be slow
        yield lambda pid: tell(group / "cgroup.procs", str(pid))
    finally:
        while group.exists():
            try:
                group.rmdir()
            except OSError:  # the last of its processes, killed with their zygote, are still dying
                time.sleep(0.01)


def tell(file: Path, value: str) -> None:
    with file.open("r+") as there:  # never made: it would be an ordinary file in an ordinary directory
        there.write(value)


SHORTAGES: dict[str, Callable[[], AbstractContextManager[Callable[[int], None]]]] = {
    "private-memory": lambda: limited("-d", 700 << 10),
    "address-space": lambda: limited("-v", 3 << 20),  # less than the guards take
}
for controller in (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", ("memory.swappiness", "0")),
    (Path("/sys/fs/cgroup"), "memory.max", ("memory.swap.max", "0")),
):
    with suppress(OSError), grouped(*controller):
        SHORTAGES["control-group"] = partial(grouped, *controller)


@pytest.mark.parametrize("shortage", SHORTAGES)
async def test_memory_that_the_machine_withholds_is_no_result(make: Any, shortage: str) -> None:
    others = family()  # this process may have children of other tests, such as multiprocessing's
    with SHORTAGES[shortage]() as enter:
        async with Pool(memory=4 * GIB) as pool:
            pool.admission._free = lambda: None  # it lets the program in; then the machine has less
            await pool.zygote()
            for pid in family() - others:
                enter(pid)
            with pytest.raises(ExecutorFault) as fault:
                await pool.run(greedy(make, GIB), wall=60)
            assert fault.value.reason == ("died" if shortage == "control-group" else "memory")
            assert (
                "SIGKILL" if shortage == "control-group" else "did not give a program"
            ) in fault.value.detail
            if shortage != "address-space":  # there not even a small program finds room
                assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT
        await until(lambda: family() <= others)


@pytest.mark.parametrize("page", range(4))
def test_memory_withheld_at_any_growth_spoils_the_run(
    monkeypatch: pytest.MonkeyPatch, execute: Any, make: Any, page: int
) -> None:
    """Even if the program never looks at what memory.grow told it, or traps for its own reasons."""
    grow, given = hostmemory._Memory.grow, iter(range(10))

    def refuse_once(memory: Any, size: int) -> None:
        if next(given) == page:
            raise OSError("Cannot allocate memory")
        grow(memory, size)

    monkeypatch.setattr(hostmemory._Memory, "grow", refuse_once)
    job = make("(drop (memory.grow (i32.const 1)))" * 3 + "unreachable", memory_limit=MIB)
    with pytest.raises(runtime.Fault, match="Cannot allocate memory") as fault:
        execute(job)
    assert fault.value.reason == "memory"
    monkeypatch.undo()
    assert execute(probe.JOB).result == probe.RESULT


def test_a_programs_own_limit_is_no_refusal_of_the_machine(execute: Any, make: Any) -> None:
    outcome = execute(make("(drop (memory.grow (i32.const 1000)))", memory_limit=MIB))
    assert outcome.result.exit == 0
