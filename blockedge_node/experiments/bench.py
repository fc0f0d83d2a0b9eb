"""The verbs of `blockedge bench`: each prints its figures beside their budgets and returns them as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from blockedge_node.cli.output import Output
from blockedge_node.experiments import gas as gas_bench
from blockedge_node.experiments import load

RSS_MB, CPU_PERCENT, READY_SECONDS = 150, 1.0, 4.0
NEGOTIATION_MS = 150  # beyond the bid window
EARLY_MS = 150  # in all, where the requester closes early
RUN_MS, EXECUTOR_MB = 10, 60


def gas() -> dict[str, Any]:
    """Gas of a settled unit, alone and in batches."""
    rows = gas_bench.measure()
    table = [
        (r.units, r.award_commit, r.reveal, r.settle, r.total, f"<= {gas_bench.BUDGETS[r.units]}")
        for r in rows
    ]
    print(Output().table(("units per tx", "awardCommit", "reveal", "settle", "gas a unit", "budget"), table))
    return {"rows": [{**asdict(row), "total": row.total} for row in rows]}


def negotiate() -> dict[str, Any]:
    """From publishing a request to the verified Ack, with the whole bid window and with early closing."""
    whole, early = load.negotiate(close_early=False), load.negotiate(close_early=True)
    budgets = (whole["bid_window_ms"] + NEGOTIATION_MS, EARLY_MS)
    for name, found, budget in zip(("whole window", "closed early"), (whole, early), budgets, strict=True):
        print(
            f"{name}  median {found['median_ms']} ms, p90 {found['p90_ms']} ms, max {found['max_ms']} ms "
            f"of {found['runs']}; budget: median <= {budget} ms (bid window {found['bid_window_ms']} ms)\n"
            f"              {found['runnable']:g} processes ran or waited meanwhile, on {found['cores']} cores"
        )
    return {**whole, "budget_ms": budgets[0], "early": {**early, "budget_ms": budgets[1]}}


def idle() -> dict[str, Any]:
    """A daemon that has nothing to do."""
    ready = load.start_up()
    found = load.idle()
    print(f"ready    {ready:.1f} s after its start, alone; budget <= {READY_SECONDS:g} s")
    print(f"memory   {found['rss_mb_median']} MB, at most {found['rss_mb_max']} MB; budget <= {RSS_MB} MB")
    print(
        f"cpu      {found['cpu_percent_median']} % of a core, at most {found['cpu_percent_max']} %, over "
        f"{found['seconds']} s with four peers and 1 s blocks; budget <= {CPU_PERCENT:g} %"
    )
    return {"ready_seconds": round(ready, 2), **found}


def executor() -> dict[str, Any]:
    """What a run costs beside the program itself."""
    from blockedge_node.executor.bench import measure

    found = measure()
    print(
        f"overhead {found['warm_ms_median']} ms a run, {found['warm_ms_best']} at best; budget <= {RUN_MS} ms"
    )
    print(f"         {found['cold_ms_median']} ms with the executor to start first")
    print(f"walls    {found['layers']}; at best {found['bare_ms_best']} ms with the limits alone, and")
    added = ", ".join(
        f"{name} {found[name + '_ms']:+}" for name in ("bubblewrap", "uid", "landlock", "seccomp")
    )
    print(f"         {added} ms")
    print(
        f"memory   {found['idle_mb']} MB while it waits, {found['at_work_mb']} MB with one child at work; "
        f"budget <= {EXECUTOR_MB} MB waiting"
    )
    print(f"search   {found['pow_nonces_per_second']} nonces a second")
    return dict(found)
