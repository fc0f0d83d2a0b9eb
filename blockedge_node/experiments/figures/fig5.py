"""Fig. 5: how much sooner a task is done by k stakeholders than by one (docs/protocol.md §13).

    T₁    a single edge node: the scan alone in the daemon's executor, without network or negotiation
    T_k   from handing in the job until the last shard's Receipt: one shard at the local node, k − 1 at winners

One fixed range of nonces is scanned to its end (no digest is below 0), cut into k equal shards. All executors are
held to the same share of a core, T₁'s too, so that eight computers fit on two cores (shares.py). The local node's
shard runs in an executor of ours beside its daemon's: a daemon does not work for itself yet. Nobody recomputes.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from math import lcm
from random import Random
from typing import TYPE_CHECKING, Any, Final

import trio

from blockedge_node.cli.client import Client
from blockedge_node.core.job import PowJob
from blockedge_node.devnet.cluster import Devnet
from blockedge_node.errors import BlockEdgeError
from blockedge_node.executor.pool import Pool
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search
from blockedge_node.experiments.figures.numbers import least_squares
from blockedge_node.experiments.figures.plots import COLOURS, Plot
from blockedge_node.experiments.figures.record import Condition, Record, Table, at_least
from blockedge_node.experiments.figures.shares import Shares, family, shares
from blockedge_node.experiments.load import devnet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED: Final = "fig5"
NODES: Final = 8
SHARE: Final = 0.2  # of a core, for each executor
EVEN: Final = lcm(*range(1, NODES + 1))  # a range of a multiple of this many nonces is cut evenly by every k
FULL: Final = 60.0  # seconds of T₁, at least
SHORT: Final = 8.0  # the same with --quick
SPARE: Final = 1.05  # T₁ is planned so much longer than it must be
RUNS: Final = 30
EFFICIENCY: Final = 0.90  # S_8/8
WALL: Final = 900.0  # seconds for any scan
PATIENCE: Final = 120.0  # seconds beyond the local scan in which all others must be done
LOOK_EVERY: Final = 0.25
POLICY: Final[Mapping[str, object]] = {
    "verify_bps": 0,  # no detectors sample meanwhile
    "spread": 64,  # one shard a winner, for which all must be heard
    "close_early": False,
    "bid_window": 0.8,  # eight daemons on two cores look at 49 bids each
    "delay_floor": 55,  # covers half of T₁ on any share; above 60 s an award would wait for a block
    "max_units": 64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One run with k stakeholders; seconds since the job was handed in. None for a single node."""

    run: int
    k: int
    seconds: float  # T_k
    acked: float | None = None  # the last Ack
    scanned: float | None = None  # a winner's scan, the median of all
    revealed: float | None = None  # the last reveal on the chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """T_k ≈ t₀ + W/k + b·k: what a job costs once, the work, what each further shard costs; in seconds."""

    once: float
    work: float
    each: float

    def at(self, k: float) -> float:
        return self.once + self.work / k + self.each * k


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────


def measure(*, quick: bool, runs: int | None = None, how: str = "auto") -> Record:
    """All k of one run in a drawn order, run after run, so that a machine that tires does so for all k alike."""
    ks = (1, 2, 4, 8) if quick else tuple(range(1, NODES + 1))
    count = runs or (1 if quick else RUNS)
    with devnet(NODES, POLICY) as net, shares(SHARE, how=how) as held:
        print(f"shares   {SHARE:g} of a core each: {held.how}")
        timings = list(trio.run(_all, net, held, ks, count, SHORT if quick else FULL))
    return record(timings, quick=quick, how=held.how)


async def _all(net: Devnet, held: Shares, ks: Sequence[int], count: int, target: float) -> list[Timing]:
    timings: list[Timing] = []
    async with Pool(slots=1) as pool:
        with ExitStack() as stack:
            clients = {node.address: stack.enter_context(Client(str(node.socket))) for node in net.nodes}
            await _hold(net, held, pool)
            nonces = await _nonces(pool, target * SPARE)
            print(f"range    {nonces} nonces, {target:g} s of one share or more")
            for run in range(count):
                order = list(ks)
                Random(f"{SEED} {run}").shuffle(order)
                for k in order:
                    await _hold(net, held, pool)
                    scene = _Scene(clients, next(iter(clients)), nonces, run, k)
                    timings.append(await scene.play(pool))
                told = ", ".join(f"T{t.k} {t.seconds:.2f}" for t in sorted(timings[-len(ks) :], key=_k))
                print(f"run {run + 1:>4} {told}", flush=True)
    return timings


async def _hold(net: Devnet, held: Shares, pool: Pool) -> None:
    """Every executor, new processes too. A daemon's only children are its executor's."""
    for node in net.nodes:
        held.hold(node.name, family(node.process.pid))
    mine = (await pool.zygote()).process.pid
    held.hold("local", {mine} | family(mine))


async def _nonces(pool: Pool, seconds: float) -> int:
    """How many nonces take one share so long: tried for about a tenth of it."""
    tried, took = EVEN * 100, 0.0
    while took < seconds / 10:
        tried *= 2
        took = await _scan(pool, tried, 0)
    return max(1, round(tried * seconds / took / EVEN)) * EVEN


async def _scan(pool: Pool, nonces: int, shard: int, challenge: bytes = bytes(32)) -> float:
    """Seconds of one shard's scan in the executor."""
    search = Search(challenge=challenge, target=0, range_size=nonces)
    began = time.monotonic()
    await pool.run(PowJob(data=search.encode(), shard=shard), wall=WALL)
    return time.monotonic() - began


class _Scene:
    """One job of k shards: the last is the local node's, the others are asked for."""

    def __init__(self, clients: Mapping[str, Client], home: str, nonces: int, run: int, k: int) -> None:
        self._clients, self._api = clients, clients[home]
        self._size, self._run, self._k = nonces // k, run, k
        self._challenge = secrets.token_bytes(32)  # a task is asked for once, whatever the seed

    async def play(self, pool: Pool) -> Timing:
        if self._k == 1:
            return Timing(run=self._run, k=1, seconds=await _scan(pool, self._size, 0, self._challenge))
        began = time.time()  # the daemons' notes have this clock
        jobs: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_scan, pool, self._size, self._k - 1, self._challenge)
            jobs.append(await trio.to_thread.run_sync(self._hand_in))
        mine = time.time()
        units = await self._revealed(jobs[0])
        notes = [await trio.to_thread.run_sync(self._notes_of, unit) for unit in units]
        scans = [_field(worker, "work.solved", "milliseconds") / 1e3 for _, worker in notes]
        return Timing(
            run=self._run,
            k=self._k,
            seconds=max(mine, *(_at(worker, "result.receipted") for _, worker in notes)) - began,
            acked=max(_at(asked, "award.acknowledged") for asked, _ in notes) - began,
            scanned=statistics.median(scans),
            revealed=max(_at(worker, "tx.reveal") for _, worker in notes) - began,
        )

    def _hand_in(self) -> str:
        search = Search(challenge=self._challenge, target=0, range_size=self._size)
        job = self._api.post(
            "/api/v1/jobs",
            {
                "kind": "pow",
                "inputs": [self._api.upload(search.encode())],
                "shards": self._k - 1,
                "fuel": self._size * FUEL_PER_NONCE,
                "max_price": str(10**16),
                "max_delay": 120,
                "merge": "first",
            },
        )
        return str(job["id"])

    async def _revealed(self, job: str) -> list[Mapping[str, Any]]:
        """The job's units, once the last is revealed: looked for only when our own scan is over."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            await trio.sleep(LOOK_EVERY)
            seen = await trio.to_thread.run_sync(self._api.get, f"/api/v1/jobs/{job}")
            units = [unit for task in seen["tasks"] for unit in task["units"]]
            if len(seen["tasks"]) != 1 or seen["state"] == "failed":
                raise BlockEdgeError(f"a shard of job {job} was not done at first: {seen['detail']}")
            if all(unit["phase"] in ("revealed", "paid") for unit in units):
                return units
        raise BlockEdgeError(f"job {job} was not done {PATIENCE:g} s after the local shard")

    def _notes_of(self, unit: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
        """The requester's notes about a unit, and its worker's. The worker's last comes with its next head."""
        path = f"/api/v1/tasks/{unit['id']}/explain"
        deadline = time.monotonic() + PATIENCE
        while True:
            theirs = self._clients[unit["worker"]].get(path)["notes"]
            if any(note["code"] == "tx.reveal" for note in theirs) or time.monotonic() > deadline:
                return self._api.get(path)["notes"], theirs
            time.sleep(LOOK_EVERY)


def _at(notes: Sequence[Mapping[str, Any]], code: str) -> float:
    return float(next(note["at"] for note in notes if note["code"] == code))


def _field(notes: Sequence[Mapping[str, Any]], code: str, name: str) -> float:
    return float(next(note["fields"][name] for note in notes if note["code"] == code))


def _k(timing: Timing) -> int:
    return timing.k


# ── what it says ─────────────────────────────────────────────────────────────────────────────────────────


def record(timings: Sequence[Timing], *, quick: bool, how: str) -> Record:
    """Medians over runs, speed-ups, the model, and what must hold of them."""
    median = medians(timings)
    model = fit(median)
    return Record(
        name="fig5",
        tables=(_run_table(timings), _table(timings, median, model)),
        plots=(
            Plot(
                name="fig5",
                panels=(lambda axes: _draw_times(axes, timings, median, model), _speedups(median)),
            ),
        ),
        conditions=tuple(conditions(median, quick=quick)),
        figures={
            "shares": how,
            "runs": max(timing.run for timing in timings) + 1,
            "seconds": median,
            "efficiency": {k: median[1] / t / k for k, t in median.items()},
            "model": {"t0": model.once, "W": model.work, "b": model.each},
        },
    )


def medians(timings: Sequence[Timing]) -> dict[int, float]:
    """T_k in seconds, by k."""
    return {
        k: statistics.median(t.seconds for t in timings if t.k == k) for k in sorted({t.k for t in timings})
    }


def fit(median: Mapping[int, float]) -> Model:
    """By least squares over k > 1, as a single node neither negotiates nor collects; over all k if those are few."""
    shared = {k: t for k, t in median.items() if k > 1}
    points = shared if len(shared) > 3 else median
    once, work, each = least_squares(
        [[1.0] * len(points), [1 / k for k in points], [float(k) for k in points]], list(points.values())
    )
    return Model(once=once, work=work, each=each)


def conditions(median: Mapping[int, float], *, quick: bool) -> Iterator[Condition]:
    speedup = {k: median[1] / t for k, t in median.items()}
    shared = [k for k in speedup if k > 1]
    efficiency = [speedup[k] / k for k in speedup]
    text = ", ".join(f"{speedup[k]:.2f}" for k in shared)
    yield Condition(
        says="S_k > 1: more than one stakeholder is faster than one",
        found=text,
        holds=all(speedup[k] > 1 for k in shared),
    )
    yield Condition(
        says="S_k < k: allocation and collection cost something",
        found=text,
        holds=all(speedup[k] < k for k in shared),
    )
    if quick:
        return
    yield at_least("T₁", median[1], FULL, " s")
    yield at_least("efficiency S_8/8", efficiency[-1], EFFICIENCY, digits=3)
    yield Condition(
        says="S_k/k falls with k",
        found=", ".join(f"{value:.3f}" for value in efficiency),
        holds=all(a > b for a, b in pairwise(efficiency)),
    )


# ── tables and plots ─────────────────────────────────────────────────────────────────────────────────────


def _run_table(timings: Sequence[Timing]) -> Table:
    def text(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    rows = [
        (t.run, t.k, f"{t.seconds:.3f}", text(t.acked), text(t.scanned), text(t.revealed))
        for t in sorted(timings, key=lambda t: (t.run, t.k))
    ]
    columns = ("run", "k", "seconds", "last_ack_seconds", "median_scan_seconds", "last_reveal_seconds")
    return Table(name="fig5-runs", columns=columns, rows=rows)


def _table(timings: Sequence[Timing], median: Mapping[int, float], model: Model) -> Table:
    rows = []
    for k, t in median.items():
        reveals = [timing.revealed for timing in timings if timing.k == k and timing.revealed is not None]
        last = f"{statistics.median(reveals):.3f}" if reveals else ""
        speedup = median[1] / t
        rows.append((k, f"{t:.3f}", f"{speedup:.3f}", f"{speedup / k:.4f}", f"{model.at(k):.3f}", last))
    columns = ("k", "seconds", "speedup", "efficiency", "model_seconds", "last_reveal_seconds")
    return Table(name="fig5", columns=columns, rows=rows)


def _draw_times(axes: Axes, timings: Sequence[Timing], median: Mapping[int, float], model: Model) -> None:
    axes.plot(
        [t.k for t in timings], [t.seconds for t in timings], "o", markersize=2, color=COLOURS[0], alpha=0.4
    )
    axes.plot(list(median), list(median.values()), "o", color=COLOURS[0], label="T_k, median")
    ks = [1 + n / 20 for n in range(20 * (max(median) - 1) + 1)]
    formula = f"{model.once:.2f} + {model.work:.1f}/k + {model.each:.3f}·k"
    axes.plot(ks, [model.at(k) for k in ks], color=COLOURS[1], linewidth=1, label=f"model {formula}")
    reveals = {k: [t.revealed for t in timings if t.k == k and t.revealed is not None] for k in median}
    seen = {k: statistics.median(found) for k, found in reveals.items() if found}
    axes.plot(
        list(seen), list(seen.values()), "^", markersize=4, color=COLOURS[2], label="last reveal on the chain"
    )
    axes.set_title("time from job to last verified shard")
    axes.set_xlabel("stakeholders k")
    axes.set_ylabel("seconds")
    axes.set_ylim(bottom=0)
    axes.legend()


def _speedups(median: Mapping[int, float]) -> Any:
    def panel(axes: Axes) -> None:
        ks = list(median)
        speedup = [median[1] / median[k] for k in ks]
        axes.plot(ks, ks, color="#444444", linewidth=0.8, linestyle=":", label="k times as fast")
        axes.plot(ks, speedup, "o-", markersize=4, linewidth=1, color=COLOURS[0], label="speed-up S_k")
        for k, s in zip(ks, speedup, strict=True):
            axes.annotate(f"{s / k:.2f}", (k, s), textcoords="offset points", xytext=(4, -11), fontsize=7)
        axes.set_title("speed-up, with efficiency S_k/k at each point")
        axes.set_xlabel("stakeholders k")
        axes.legend()

    return panel
