"""What running daemons cost: start-up, memory, CPU, and how long a negotiation takes."""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from blockedge_node.cli.client import Client
from blockedge_node.devnet import cluster
from blockedge_node.devnet.cluster import Devnet
from blockedge_node.devnet.commands import PRICES, await_ready
from blockedge_node.errors import BlockEdgeError
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search

NODES: Final = 5
IDLE_SECONDS: Final = 30.0
NEGOTIATIONS: Final = 40
BID_WINDOW: Final = 0.3
NONCES: Final = 1_000
LOOK_EVERY: Final = 0.5  # seconds: each look costs the node that is measured a few milliseconds of its core


@contextmanager
def devnet(
    count: int,
    policy: Mapping[str, object] | None = None,
    *,
    together: bool = True,
    block_time: float = 1,
    profile: str = "dev",
) -> Iterator[Devnet]:
    """A devnet for one measurement; with `together` false its nodes are left for the caller to start."""
    with tempfile.TemporaryDirectory(prefix="blockedge-bench-") as directory:
        policies = {i: {**PRICES[i], **(policy or {})} for i in range(1, count + 1)}
        made = cluster.create(
            Path(directory) / "net", count, block_time=block_time, policies=policies, profile=profile
        )
        try:
            for i in range(1, count + 1) if together else ():
                made = made.start_node(i)
            if together:
                await_ready(made)
            yield made
        finally:
            Devnet.load(made.directory).stop()


def start_up() -> float:
    """Seconds from starting one daemon, alone, until it is ready."""
    with devnet(1, together=False) as made:
        began = time.monotonic()
        made = made.start_node(1)
        await_ready(made)
        return time.monotonic() - began


def idle() -> dict[str, Any]:
    """Memory (MB) and CPU (% of a core) of daemons with four peers, 1 s blocks and nothing to do."""
    with devnet(NODES) as made:
        time.sleep(5)  # first key cards and peer lists are over
        pids = [node.process.pid for node in made.nodes]
        before = [_cpu_seconds(pid) for pid in pids]
        began = time.monotonic()
        time.sleep(IDLE_SECONDS)
        elapsed = time.monotonic() - began
        cpu = [100 * (_cpu_seconds(pid) - b) / elapsed for pid, b in zip(pids, before, strict=True)]
        return {
            "nodes": NODES,
            "seconds": round(elapsed, 1),
            "rss_mb_median": round(statistics.median(_rss(pid) for pid in pids) / 1e6, 1),
            "rss_mb_max": round(max(_rss(pid) for pid in pids) / 1e6, 1),
            "cpu_percent_median": round(statistics.median(cpu), 2),
            "cpu_percent_max": round(max(cpu), 2),
        }


def negotiate(runs: int = NEGOTIATIONS, *, close_early: bool) -> dict[str, Any]:
    """Milliseconds from publishing a Request to the verified Ack, one job at a time. `close_early`: the requester
    takes the best bid as soon as no better one can be on its way, else at the end of its window.

    The daemons share one machine's cores, which a coalition's do not: so a job is over before the next begins, and
    nobody recomputes its result. `runnable` is how many processes of the
    machine ran or waited for a core meanwhile: with more of them than cores the figure measures the others.
    """
    with (
        devnet(
            NODES, {"bid_window": BID_WINDOW, "close_early": close_early, "max_units": 1_000, "verify_bps": 0}
        ) as made,
        Client(str(made.node(1).socket)) as api,
    ):
        times, loads = [], []
        for _ in range(runs):
            times.append(_negotiation(api))
            loads.append(runnable())
    ordered = sorted(times)
    return {
        "runs": runs,
        "runnable": statistics.median(loads),
        "cores": os.cpu_count(),
        "bid_window_ms": round(BID_WINDOW * 1e3),
        "median_ms": round(statistics.median(ordered) * 1e3),
        "p90_ms": round(ordered[int(0.9 * len(ordered))] * 1e3),
        "max_ms": round(ordered[-1] * 1e3),
    }


def hand_in_search(api: Client, challenge: bytes) -> str:
    """A job to negotiate about: one shard of NONCES, over at once. Its id."""
    search = Search(challenge=challenge, target=0, range_size=NONCES)
    job = api.post(
        "/api/v1/jobs",
        {
            "kind": "pow",
            "inputs": [api.upload(search.encode())],
            "shards": 1,
            "fuel": NONCES * FUEL_PER_NONCE,
            "max_price": str(10**14),
            "max_delay": 60,
            "merge": "first",
        },
    )
    return str(job["id"])


def _negotiation(api: Client) -> float:
    job = hand_in_search(api, secrets.token_bytes(32))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        seen = api.get(f"/api/v1/jobs/{job}")
        units = [unit for task in seen["tasks"] for unit in task["units"]]
        if seen["state"] != "running" and units and units[0]["negotiation"] is not None:
            return float(units[0]["negotiation"])
    raise BlockEdgeError("a job did not end within 60 s")


def runnable() -> int:
    """Processes of the whole machine that run or wait for a core, this one left out."""
    running = next(line for line in Path("/proc/stat").read_text().splitlines() if "procs_running" in line)
    return int(running.split()[1]) - 1


def _rss(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cpu_seconds(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
