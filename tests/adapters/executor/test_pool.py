"""Children: one a run, ready before they are needed, gone when they should be, and never a result they spoiled."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from blockedge_node.core.job import ENGINE, MIB, Ending, PowJob, TrapCode, ending_of, exit_word
from blockedge_node.core.merkle import root
from blockedge_node.errors import Rejected, Transient
from blockedge_node.executor import children as children_module
from blockedge_node.executor import pool as pool_module
from blockedge_node.executor import probe
from blockedge_node.executor.bench import measure_async
from blockedge_node.executor.cache import Cache
from blockedge_node.executor.children import COMMAND, Zygote
from blockedge_node.executor.frames import BadFrame, Order, decode_reply
from blockedge_node.executor.pool import ExecutorFault, Pool
from blockedge_node.executor.pow import PowError, Search
from blockedge_node.executor.sandbox import Choice, Layers
from tests.adapters.executor.processes import children, computing, cpu_ticks, family, forks, state, until

FOREVER = "(loop (br 0))"


@pytest.fixture(autouse=True)
def no_child_is_left() -> Any:
    before = children()
    yield
    assert children() <= before


async def test_a_run_in_a_child_gives_what_a_run_in_this_process_gives(pool: Pool, execute: Any) -> None:
    outcome = await pool.run(probe.JOB, wall=60)
    assert outcome.result == probe.RESULT == execute(probe.JOB).result
    assert outcome.output == b"ok\n"
    assert 0 < outcome.cpu_seconds < 60
    await pool.self_test()


async def test_traps_and_invalid_modules_are_outcomes(pool: Pool, make: Any) -> None:
    trap = await pool.run(make("unreachable"), wall=60)
    assert ending_of(trap.result.exit) == (Ending.TRAPPED, TrapCode.UNREACHABLE)
    invalid = await pool.run(make(wasm=b"junk"), wall=60)
    assert invalid.result.exit == exit_word(Ending.INVALID)


async def test_a_check_compiles_and_runs_nothing(pool: Pool, make: Any) -> None:
    assert await pool.check(make(FOREVER, fuel=1 << 62)) is None
    assert "not a WebAssembly module" in str(await pool.check(make(wasm=b"junk")))
    assert "65536 bytes" in str(await pool.check(make(argv=("x" * 70_000,))))


async def test_another_engine_is_refused_not_guessed(pool: Pool) -> None:
    with pytest.raises(Rejected, match="NO_ENGINE"):
        await pool.run(replace(probe.JOB, engine=ENGINE.replace("be-det-1", "be-det-0")), wall=60)


async def test_large_inputs_and_outputs_pass(pool: Pool, make: Any) -> None:
    data = os.urandom(9 << 20)
    loop = (
        "(loop (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1000000))"
        "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))"
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
        "(br_if 0 (i32.load (i32.const 4))))"
    )
    job = make(loop, imports="fd_read fd_write", memory="20", stdin=data, stdout_max=16 << 20)
    outcome = await pool.run(job, wall=60)
    assert outcome.output == data
    assert outcome.result.output_root == root(data)


async def test_at_most_slots_run_at_once(make: Any) -> None:
    pool = Pool(slots=2)
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(_never_mind, pool, make(FOREVER, fuel=1 << 62))
        await until(lambda: len(forks()) == 2)
        for _ in range(20):
            await trio.sleep(0.01)
            assert len(forks()) <= 2
        nursery.cancel_scope.cancel()


async def _never_mind(pool: Pool, job: Any) -> None:
    await pool.run(job, wall=600)


async def test_at_the_deadline_the_child_is_killed_and_there_is_no_outcome(make: Any) -> None:
    pool = Pool(slots=1)
    with pytest.raises(ExecutorFault, match=r"not done after 0\.5 s") as fault:
        await pool.run(make(FOREVER, fuel=1 << 62), wall=0.5)
    assert fault.value.reason == "timeout"
    assert isinstance(fault.value, Transient)
    assert children() == set()


async def test_cancelling_a_run_kills_its_child(make: Any) -> None:
    pool = Pool(slots=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_never_mind, pool, make(FOREVER, fuel=1 << 62))
        await until(lambda: bool(computing()))  # it is computing
        nursery.cancel_scope.cancel()
    assert children() == set()
    assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT


async def test_a_child_killed_in_the_middle_gives_no_outcome_and_the_next_run_works(make: Any) -> None:
    pool = Pool(slots=1)

    async def kill() -> None:
        await until(lambda: bool(computing()))
        for pid in computing():
            os.kill(pid, signal.SIGKILL)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill)
        with pytest.raises(ExecutorFault, match="killed by SIGKILL") as fault:
            await pool.run(make(FOREVER, fuel=1 << 62), wall=600)
    assert fault.value.reason == "died"
    assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT


async def test_recursion_without_end_is_a_result_not_a_fault(pool: Pool, make: Any) -> None:
    outcome = await pool.run(make("(call $deep)", extra="(func $deep (call $deep))", fuel=10**10), wall=60)
    assert ending_of(outcome.result.exit) == (Ending.TRAPPED, TrapCode.STACK_TOO_DEEP)


async def test_the_limit_on_cpu_time_holds_without_the_pool() -> None:
    """Whoever stops the pool's clock, say by suspending the node, does not get a free computer."""
    search = Search(challenge=bytes(32), target=0, range_size=(1 << 64) - 1)
    zygote = await Zygote.start(Layers())
    child = await zygote.fork()
    try:
        with trio.fail_after(120), pytest.raises(ExecutorFault, match=r"SIGXCPU|SIGKILL"):
            await child.ask(Order(do="run", job=PowJob(data=search.encode(), shard=0), wall=0.01))
    finally:
        await child.end()
        await zygote.end()


async def test_one_zygote_serves_many_runs_and_leaves_no_zombies() -> None:
    async with Pool(slots=2) as pool:
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT
        before = children()
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(partial(pool.run, probe.JOB, wall=60))
        assert children() == before
        await until(lambda: not forks())
    assert family() == set()


async def test_no_descriptor_of_the_node_is_lost() -> None:
    async with Pool(slots=1) as pool:
        await pool.run(probe.JOB, wall=60)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            await pool.run(probe.JOB, wall=60)
        assert len(os.listdir("/proc/self/fd")) == before


async def test_a_zygote_killed_in_the_middle_of_a_run_is_a_fault_and_is_replaced(make: Any) -> None:
    async with Pool(slots=1) as pool:

        async def kill() -> None:
            await until(lambda: bool(computing()))
            for pid in children():
                os.kill(pid, signal.SIGKILL)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            with pytest.raises(ExecutorFault) as fault:
                await pool.run(make(FOREVER, fuel=1 << 62), wall=600)
        assert fault.value.reason == "died"
        await until(lambda: not computing())
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT


async def test_a_zygote_that_died_idle_is_replaced() -> None:
    async with Pool(slots=1) as pool:
        await pool.run(probe.JOB, wall=60)
        (zygote,) = children()
        os.kill(zygote, signal.SIGKILL)
        await until(lambda: state(zygote) in "ZX")
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT


async def test_a_child_killed_while_it_compiles_gives_no_outcome(make: Any) -> None:
    body = "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 7)) (local.get 0)))" * 4000
    functions = "".join(f"(func (local i64) {body})" for _ in range(120))
    async with Pool(slots=1) as pool:

        async def kill() -> None:
            await until(lambda: any(cpu_ticks(pid) > 5 for pid in forks()))
            for pid in forks():
                os.kill(pid, signal.SIGKILL)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            with pytest.raises(ExecutorFault, match="SIGKILL"):
                await pool.check(make(extra=functions))
        assert (await pool.run(probe.JOB, wall=60)).result == probe.RESULT


def leb(number: int) -> bytes:
    """Unsigned LEB128."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + leb(rest) if rest else bytes([low])


def bomb(functions: int) -> bytes:
    """A command of so many functions of 254 KiB: 100 variables that live through 20,000 branches, which is what
    compilers like least (15 µs a byte, and 4 s a function, on a core of 2026)."""
    branches = (  # if ($0) $i = $i + $j
        b"\x20\x00\xa7\x04\x40\x20%b\x20%b\x7c\x21%b\x0b" % (leb(i % 100), leb(i * 7 % 100), leb(i % 100))
        for i in range(20_000)
    )
    sum_up = bytes.fromhex("4100 2000") + b"".join(b"\x20" + leb(i) + b"\x85" for i in range(1, 100))
    body = bytes.fromhex("01647e") + b"".join(branches) + sum_up + bytes.fromhex("370300 0b")
    bodies = [b"\x00\x0b", *[body] * functions]
    sections = {
        1: bytes.fromhex("01600000"),
        3: leb(len(bodies)) + bytes(len(bodies)),
        5: bytes.fromhex("010001"),
        7: bytes.fromhex("0206") + b"memory" + bytes.fromhex("020006") + b"_start" + bytes.fromhex("0000"),
        10: leb(len(bodies)) + b"".join(leb(len(item)) + item for item in bodies),
    }
    return b"\0asm\x01\0\0\0" + b"".join(
        bytes([kind]) + leb(len(data)) + data for kind, data in sections.items()
    )


async def test_a_program_that_the_compiler_cannot_manage_is_refused(make: Any, tmp_path: Path) -> None:
    """20 functions take more than a minute; here the compiler has two seconds."""
    large, small = make(wasm=bomb(20)), make(wasm=bomb(0))
    async with Pool(compile_cpu=0.5, cache=Cache(tmp_path)) as pool:
        assert "more than this node gives" in str(await pool.check(large))
        assert await pool.check(small) is None
        with pytest.raises(
            ExecutorFault, match="SIGXCPU"
        ) as fault:  # an executor asked all the same: no result
            await pool.run(large, wall=240)
        assert fault.value.reason == "cpu"
        assert (await pool.run(small, wall=60)).result.exit == 0


@pytest.mark.parametrize("seccomp", ["auto", "off"])
async def test_a_program_whose_compiling_takes_too_much_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, make: Any, seccomp: Choice
) -> None:
    """The compiler aborts when it is given no more, and behind seccomp it dies of the attempt to abort."""
    monkeypatch.setattr(pool_module, "COMPILE_MEMORY", 450 * MIB)  # 256 of them are its stack
    async with Pool(layers=Layers(seccomp=seccomp)) as pool:
        assert "more than this node gives" in str(await pool.check(make(wasm=bomb(2))))
        assert await pool.check(make(wasm=bomb(0))) is None


async def test_an_error_inside_of_the_pools_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with Pool(slots=1):
            raise KeyError("mine")


async def test_a_machine_that_cannot_start_children_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_module, "COMMAND", ("/nonexistent/python",))
    with pytest.raises(ExecutorFault) as fault:
        await Pool(slots=1).run(probe.JOB, wall=60)
    assert fault.value.reason == "spawn"


# A zygote whose forks do as the script says: what a program would do that broke out of the engine.
_LIAR = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from blockedge_node.executor import runner, zygote\n"
    "import os\n"
    "def serve(engine, layers):\n    {}\n"
    "runner.serve = serve; zygote.main()"
)


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("raise SystemExit('the library is broken')", "died", "code 1"),
        ("os.write(1, bytes([0, 0, 0, 3]) + b'abc'); os.read(0, 1)", "frame", "nonsense"),
        ("os.write(1, bytes([255, 0, 0, 0])); os.read(0, 1 << 20); os.read(0, 1)", "died", "SIGKILL|code 1"),
        ("os.write(1, bytes([0, 0, 1, 0])); os._exit(0)", "died", "code 0"),
        ("import ctypes; ctypes.string_at(0)", "died", "SIGSEGV"),
        ("os.abort()", "aborted", "SIGABRT"),
        ("os.kill(os.getppid(), 9); os.read(0, 1 << 20); os.read(0, 1)", "died", "forks children ended"),
    ],
)
async def test_a_child_that_lies_or_breaks_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, script: str, reason: str, words: str
) -> None:
    command = (sys.executable, "-I", "-c", _LIAR.format(script), COMMAND[-1])
    monkeypatch.setattr(children_module, "COMMAND", command)
    with pytest.raises(ExecutorFault, match=words) as fault:
        await Pool(slots=1).run(probe.JOB, wall=60)
    assert fault.value.reason == reason


async def test_a_zygote_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    command = (sys.executable, "-I", "-c", "raise SystemExit('the library is broken')")
    monkeypatch.setattr(children_module, "COMMAND", command)
    with pytest.raises(ExecutorFault, match="the library is broken") as fault:
        await Pool(slots=1).run(probe.JOB, wall=60)
    assert fault.value.reason == "spawn"


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00", b"\x80", b"\x82\x65value\x01", b"\x83\x66failed\x01\x02", b"\x9f\xff", b"\x81" * 50],
)
def test_replies_are_read_like_a_strangers(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        decode_reply(payload)


async def test_proof_of_work_runs_in_a_child_too(pool: Pool) -> None:
    search = Search(challenge=bytes(32), target=1 << 246, range_size=20_000)
    job = PowJob(data=search.encode(), shard=1)
    outcome = await pool.run(job, wall=60)
    assert (outcome.result.exit, outcome.result.fuel_used) == (0, 0)
    assert outcome.result.memory_hash == bytes(32)
    assert outcome.result.output_root == root(outcome.output)
    assert search.wins(int.from_bytes(outcome.output, "big"))
    assert await pool.refute(job, outcome.output, wall=60) is None
    assert await pool.refute(job, b"", wall=60) == outcome.output
    assert await pool.refute(job, b"12345678", wall=60) == b""


async def test_a_search_that_makes_no_sense_is_refused_before_a_child_sees_it() -> None:
    with pytest.raises(PowError):
        await Pool(slots=1).run(PowJob(data=b"junk", shard=0), wall=60)


async def test_children_end_with_the_node() -> None:
    """A node that is killed outright leaves nobody computing."""
    script = (
        "import sys, trio; sys.path.insert(0, sys.argv[1])\n"
        "from blockedge_node.executor.pool import Pool\n"
        "from blockedge_node.executor.pow import Search\n"
        "from blockedge_node.core.job import PowJob\n"
        "search = Search(challenge=bytes(32), target=0, range_size=(1 << 64) - 1)\n"
        "async def main():\n"
        "    async with Pool(slots=1) as pool:\n"
        "        await pool.run(PowJob(data=search.encode(), shard=0), wall=600)\n"
        "trio.run(main)\n"
    )
    node = await trio.lowlevel.open_process([sys.executable, "-c", script, COMMAND[-1]])
    await until(lambda: bool(computing(node.pid)))
    orphans = family(node.pid)
    node.kill()
    await node.wait()
    await until(lambda: all(state(pid) in "XZ" for pid in orphans))


async def test_the_child_sees_nothing_of_the_nodes_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKEDGE_PASSWORD", "hunter2")
    async with Pool(slots=1) as pool:
        await pool.zygote()
        assert family()
        for pid in family():
            assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()
            assert os.readlink(f"/proc/{pid}/cwd") == "/"


async def test_the_benchmark_measures() -> None:
    figures = await measure_async(runs=2)
    assert float(figures["warm_ms_median"]) > 0
    assert float(figures["cold_ms_median"]) > 0
    assert int(figures["pow_nonces_per_second"]) > 0
