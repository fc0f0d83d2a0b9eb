"""Fig. 4b: the time of a GOSSIP negotiation, from publishing the Request to the verified Ack, by the wall clock.

Five daemons take turns as requester and the other four bid, one negotiation at a time: they share one machine's
cores, which a coalition's nodes do not. What follows an Ack (the run, its result, calls to the chain) goes on while
the next one begins, as in life. Every variant has a devnet of its own:

    1 s blocks      dev's windows           6.4 s blocks                  prod's windows, the paper's block time
                                            6.4 s blocks, closing early   the same with the daemon's default policy

The first two hold the bid window open to its end (`close_early = false`), as the paper's comparison wants it.
Negotiation needs no block, so they must not differ; the bid window of 0.3 s is most of what is measured.

A devnet serves one sitting, then a new one begins, for two reasons. Nodes take 60 messages of a signer at once and
one a second (p2p/settings.py): who bids twice a second for longer is not heard, and its requester asks again after
five seconds. And with prod's windows a unit stays open for eleven minutes, and each costs a daemon a little of every
event.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from blockedge_node.cli.client import Client
from blockedge_node.errors import BlockEdgeError
from blockedge_node.experiments.figures.numbers import percentile
from blockedge_node.experiments.figures.plots import COLOURS
from blockedge_node.experiments.figures.record import Condition, Table, at_least, at_most
from blockedge_node.experiments.load import devnet, hand_in_search, runnable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED: Final = "fig4b"
NODES: Final = 5
RUNS: Final = 2000
SHORT: Final = 40  # with --quick
SITTING: Final = 60  # negotiations of one devnet, in each of which a node says one message
WINDOW: Final = 0.3  # seconds in which bids are collected
PAPER: Final = 6.40  # seconds: what the paper measured, one block of its chain
SLOWER: Final = 50.0  # ms beyond the window that the median may take …
SLOWEST: Final = 250.0  # … and the 99th percentile
APART: Final = 0.10  # by which the medians of two block times may differ
TIMES_FASTER: Final = 10.0  # than the paper
EARLY: Final = "closing early"  # what the names of such variants end with
EARLY_MEDIAN: Final = 150.0  # ms, then …
EARLY_TIMES_FASTER: Final = 40.0
LOOK_EVERY: Final = 0.1  # seconds, from when most negotiations are over: a look costs the requester some ms
PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run it. `policy` adds to every node's [policy]; `early`: the window may close before its end."""

    name: str
    block_time: float
    profile: str
    early: bool = False

    @property
    def policy(self) -> dict[str, object]:
        return {**POLICY, "close_early": self.early}


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """One negotiation: milliseconds, the requester's number, and how many others of the machine wanted a core."""

    sitting: int
    ms: float
    requester: int
    runnable: int


POLICY: Final[Mapping[str, object]] = {
    "bid_window": WINDOW,
    "close_early": False,  # the whole window, as the paper has it
    "verify_bps": 0,  # nobody recomputes: that is Fig. 6's subject
    "max_units": 100_000,  # bids live for minutes and two are made a second
}
VARIANTS: Final = (
    Variant(name="1 s blocks", block_time=1.0, profile="dev"),
    Variant(name="6.4 s blocks", block_time=6.4, profile="prod"),
    Variant(name=f"6.4 s blocks, {EARLY}", block_time=6.4, profile="prod", early=True),
)

Found = Mapping[str, Sequence[Negotiated]]  # by the variant's name


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────


def measure(runs: int, variants: Sequence[Variant] = VARIANTS) -> dict[str, list[Negotiated]]:
    """`runs` negotiations of each variant, which take turns by sittings: a busy hour is everybody's."""
    found: dict[str, list[Negotiated]] = {variant.name: [] for variant in variants}
    for sitting, first in enumerate(range(0, runs, SITTING)):
        for variant in variants:
            found[variant.name] += _sit(variant, sitting, min(SITTING, runs - first))
            print(f"gossip   {variant.name}: {len(found[variant.name])} of {runs}", flush=True)
    return found


def _sit(variant: Variant, sitting: int, runs: int) -> Iterator[Negotiated]:
    chance = Random(f"{SEED} {variant.name} {sitting}")
    with (
        devnet(NODES, variant.policy, block_time=variant.block_time, profile=variant.profile) as net,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(Client(str(node.socket))) for node in net.nodes]
        for run in range(runs):
            requester = run % NODES
            ms = _negotiate(clients[requester], chance, LOOK_EVERY if variant.early else WINDOW)
            yield Negotiated(sitting=sitting, ms=ms, requester=requester + 1, runnable=runnable())


def _negotiate(api: Client, chance: Random, least: float) -> float:
    """Milliseconds, most likely more than `least` seconds: earlier looks would only cost the requester time.

    A new input each time: fetching it is part of what a worker does before its Ack.
    """
    job = hand_in_search(api, chance.randbytes(32))
    deadline = time.monotonic() + PATIENCE
    wait = least + LOOK_EVERY
    while time.monotonic() < deadline:
        time.sleep(wait)
        seen = api.get(f"/api/v1/jobs/{job}")
        units = [unit for task in seen["tasks"] for unit in task["units"]]
        if units and units[0]["negotiation"] is not None:
            return 1e3 * float(units[0]["negotiation"])
        wait = LOOK_EVERY
    raise BlockEdgeError(f"job {job} was not acknowledged within {PATIENCE:g} s")


# ── what it says ─────────────────────────────────────────────────────────────────────────────────────────


def summary(found: Found) -> dict[str, dict[str, Any]]:
    return {name: _summary([run.ms for run in runs], runs) for name, runs in found.items()}


def _summary(times: Sequence[float], runs: Sequence[Negotiated]) -> dict[str, Any]:
    """`early` and `late`: the first and the last quarter of every sitting."""
    sittings = [[run.ms for run in runs if run.sitting == n] for n in sorted({run.sitting for run in runs})]
    early = [ms for sitting in sittings for ms in sitting[: max(1, len(sitting) // 4)]]
    late = [ms for sitting in sittings for ms in sitting[-max(1, len(sitting) // 4) :]]
    return {
        "runs": len(times),
        "median_ms": round(statistics.median(times), 1),
        "mean_ms": round(statistics.fmean(times), 1),
        "p90_ms": round(percentile(times, 0.90), 1),
        "p99_ms": round(percentile(times, 0.99), 1),
        "max_ms": round(max(times), 1),
        "median_ms_early": round(statistics.median(early), 1),
        "median_ms_late": round(statistics.median(late), 1),
        "times_faster_than_the_paper": round(PAPER * 1e3 / statistics.median(times), 1),
        "runnable": statistics.median(run.runnable for run in runs),
    }


def conditions(found: Found, *, quick: bool) -> Iterator[Condition]:
    """Few runs say nothing of a 99th percentile, and a busy machine is slower: --quick grants half a second."""
    told = summary(found)
    slack, half = (500.0, 0.5) if quick else (SLOWER, 1.0)
    for name, figures in told.items():
        early = name.endswith(EARLY)
        bound = (EARLY_MEDIAN if early else 1e3 * WINDOW) + (slack if quick or not early else 0.0)
        faster = half * (EARLY_TIMES_FASTER if early and not quick else TIMES_FASTER)
        yield at_most(f"gossip, {name}: median", figures["median_ms"], bound, " ms")
        if not quick and not early:
            yield at_most(
                f"gossip, {name}: 99th percentile", figures["p99_ms"], 1e3 * WINDOW + SLOWEST, " ms"
            )
        yield at_least(
            f"gossip, {name}: times faster than the paper's {PAPER:.2f} s",
            figures["times_faster_than_the_paper"],
            faster,
        )
    medians = [figures["median_ms"] for name, figures in told.items() if not name.endswith(EARLY)]
    if len(medians) > 1 and not quick:
        apart = max(medians) / min(medians) - 1
        yield at_most("gossip: medians of different block times apart", 100 * apart, 100 * APART, " %")


def table(found: Found) -> Table:
    rows = [
        (name, number, run.sitting, f"{run.ms:.1f}", run.requester, run.runnable)
        for name, runs in found.items()
        for number, run in enumerate(runs)
    ]
    return Table(
        name="fig4b",
        columns=("variant", "run", "sitting", "milliseconds", "requester", "runnable"),
        rows=rows,
    )


def draw(axes: Axes, found: Found) -> None:
    """Which share of all negotiations is over after so many milliseconds."""
    for colour, (name, runs) in zip(COLOURS, found.items(), strict=False):
        times = sorted(run.ms for run in runs)
        shares = [(number + 1) / len(times) for number in range(len(times))]
        label = f"{name}: median {statistics.median(times):.0f} ms"
        axes.step(times, shares, where="post", color=colour, linewidth=1.2, label=label)
    axes.axvline(1e3 * WINDOW, color="#444444", linewidth=0.8, linestyle=":", label="bid window")
    axes.set_title(f"GOSSIP: request to verified Ack; the paper's mean is {1e3 * PAPER:.0f} ms")
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("share of negotiations")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right")
