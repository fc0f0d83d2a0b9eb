"""What a run costs beside the program itself, behind which walls: `blockedge bench executor`."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trio

from blockedge_node.core.job import ENGINE, PowJob
from blockedge_node.executor import probe
from blockedge_node.executor.cache import Cache
from blockedge_node.executor.pool import Pool
from blockedge_node.executor.pow import Search
from blockedge_node.executor.sandbox import NAMES, Choice, Layers

RUNS: Final = 40
NONCES: Final = 200_000

_BARE: Final[dict[str, Choice]] = dict.fromkeys(NAMES, "off")
Figures = dict[str, float | int | str]


async def measure_async(runs: int = RUNS) -> Figures:
    """The figures of `measure`, inside of an event loop."""
    figures: Figures = {"engine": ENGINE, "runs": runs}
    with TemporaryDirectory(prefix="blockedge-") as place:
        cache = Cache(Path(place))
        async with Pool(cache=cache) as pool:
            warm, inside = await _warm(pool, runs)
            figures["layers"] = " ".join((*(pool.walls.layers if pool.walls else ()), "limits"))
            figures["warm_ms_median"] = round(statistics.median(warm), 2)
            figures["warm_ms_best"] = round(min(warm), 2)
            figures["warm_ms_max"] = round(max(warm), 2)
            figures["child_cpu_ms_median"] = round(statistics.median(inside), 2)
            await trio.sleep(0.5)  # the last child has been reaped by then
            figures["idle_mb"] = round(await _memory(pool), 1)
            figures["at_work_mb"] = round(await _memory_at_work(pool), 1)
        bare = await _with(Layers(**_BARE), cache, runs)
        figures["bare_ms_best"] = round(bare, 2)
        for name in NAMES:
            choices: dict[str, Choice] = {**_BARE, name: "auto"}
            figures[f"{name}_ms"] = round(await _with(Layers(**choices), cache, runs) - bare, 2)
        cold = [(await _timed(Pool(cache=cache)))[0] for _ in range(max(1, runs // 8))]
        figures["cold_ms_median"] = round(statistics.median(cold), 1)
    search = Search(challenge=bytes(32), target=0, range_size=NONCES)
    outcome = await Pool().run(PowJob(data=search.encode(), shard=0), wall=120)
    figures["pow_nonces_per_second"] = round(NONCES / outcome.cpu_seconds)
    return figures


def measure(runs: int = RUNS) -> Figures:
    """Milliseconds from handing a trivial job (165 bytes of WASM, compiled before) to the pool until its
    outcome: behind all walls that this machine has (`warm`), behind none but the limits (`bare`), what each wall
    adds to the best run, and with a zygote to start first (`cold`); the executor's memory, waiting and at work;
    and the speed of proof-of-work search."""

    async def main() -> Figures:
        return await measure_async(runs)

    return trio.run(main)


async def _with(layers: Layers, cache: Cache, runs: int) -> float:
    """The best run's milliseconds: what other programs on the machine take is not in it."""
    async with Pool(cache=cache, layers=layers) as pool:
        return min((await _warm(pool, runs))[0])


async def _warm(pool: Pool, runs: int) -> tuple[list[float], list[float]]:
    await _timed(pool)  # starts the zygote, compiles
    found = [await _timed(pool) for _ in range(runs)]
    return [seconds for seconds, _ in found], [cpu for _, cpu in found]


async def _timed(pool: Pool) -> tuple[float, float]:
    started = time.perf_counter()
    outcome = await pool.run(probe.JOB, wall=60)
    elapsed = time.perf_counter() - started
    if outcome.result != probe.RESULT:
        raise RuntimeError("this machine does not compute what others do: see Pool.self_test")
    return elapsed * 1e3, outcome.cpu_seconds * 1e3


async def _memory(pool: Pool) -> float:
    """Megabytes that the executor holds now, bubblewrap's processes and running children included."""
    zygote = await pool.zygote()
    return sum(map(_resident, _family(zygote.process.pid))) / 1e6


async def _memory_at_work(pool: Pool) -> float:
    """The same at its highest while one child searches; a program's own memory comes on top."""
    highest = 0.0

    async def look() -> None:
        nonlocal highest
        while True:
            highest = max(highest, await _memory(pool))
            await trio.sleep(0.01)

    search = Search(challenge=bytes(32), target=0, range_size=NONCES)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await pool.run(PowJob(data=search.encode(), shard=0), wall=120)
        await pool.run(probe.JOB, wall=120)
        nursery.cancel_scope.cancel()
    return highest


def _family(pid: int) -> list[int]:
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(member for child in below for member in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))
