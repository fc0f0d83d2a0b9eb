"""What a run costs beside the program itself: `blockedge bench executor`."""

from __future__ import annotations

import statistics
import time
from typing import Final

import trio

from blockedge_node.core.job import ENGINE, PowJob
from blockedge_node.executor import probe
from blockedge_node.executor.pool import Pool
from blockedge_node.executor.pow import Search

RUNS: Final = 20
PAUSE: Final = 0.5  # s between warm runs, in which the pool starts the next spare
NONCES: Final = 200_000


async def measure_async(runs: int = RUNS) -> dict[str, float | int | str]:
    """The figures of `measure`, inside of an event loop."""
    warm, cold, inside = [], [], []
    async with Pool(slots=1) as pool:
        await pool.run(probe.JOB, wall=60)  # the first run also reads Python's files into the page cache
        for _ in range(runs):
            await trio.sleep(PAUSE)
            seconds, cpu = await _timed(pool)
            warm.append(seconds)
            inside.append(cpu)
    unserved = Pool(slots=1)
    for _ in range(runs):
        cold.append((await _timed(unserved))[0])
    search = Search(challenge=bytes(32), target=0, range_size=NONCES)
    outcome = await unserved.run(PowJob(data=search.encode(), shard=0), wall=120)
    return {
        "engine": ENGINE,
        "runs": runs,
        "warm_ms_median": round(statistics.median(warm) * 1e3, 2),
        "warm_ms_max": round(max(warm) * 1e3, 2),
        "cold_ms_median": round(statistics.median(cold) * 1e3, 2),
        "child_cpu_ms_median": round(statistics.median(inside) * 1e3, 2),
        "pow_nonces_per_second": round(NONCES / outcome.cpu_seconds),
    }


def measure(runs: int = RUNS) -> dict[str, float | int | str]:
    """Milliseconds from handing a trivial job (165 bytes of WASM, compiled each time) to the pool until its
    outcome: with a spare child waiting (`warm`), without (`cold`), and the child's own CPU time for it; and the
    speed of proof-of-work search. Pauses half a second before each warm run."""

    async def main() -> dict[str, float | int | str]:
        return await measure_async(runs)

    return trio.run(main)


async def _timed(pool: Pool) -> tuple[float, float]:
    started = time.perf_counter()
    outcome = await pool.run(probe.JOB, wall=60)
    seconds = time.perf_counter() - started
    if outcome.result != probe.RESULT:
        raise RuntimeError("this machine does not compute what others do: see Pool.self_test")
    return seconds, outcome.cpu_seconds
