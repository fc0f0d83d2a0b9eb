"""`make demo`: the main job and both kinds of trouble, on real daemons, in about a minute.

Four jobs run side by side on five nodes:
    a  n1 has photographs processed by the others                       kind 2, honest
    b  n1 has a proof of work searched; its cheapest bidder, n4, makes the answer up      kind 1
    c  n2 has another searched; its quickest bidder, n5, acknowledges and does nothing    kind 1
    d  n2 has a table summed up by n4, which makes that up too; a drawn checker finds out, a jury judges    kind 2
n2 and n3 recompute what others reveal of kind 1. A shard that is slashed or refused is asked for again: the same
request, now won by somebody else, since reputation is part of the score.

acts.py tells what became of them. The last word is the chain's: every account's change is computed from its events
(ledger.py, trials.py) and held against its balances, to the wei. Any mismatch ends the demo with an error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blockedge_node import programs
from blockedge_node.cli.client import Client
from blockedge_node.devnet import acts, cluster, ledger, photos
from blockedge_node.devnet.commands import await_ready
from blockedge_node.devnet.stage import CHALLENGES, RANGE, SHARDS, TARGET, Stage
from blockedge_node.errors import BlockEdgeError
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search
from blockedge_node.programs.samples import real

NODES: Final = 5
PATIENCE: Final = 110.0  # seconds for all jobs to be settled; a jury takes about 50

# Nine processes on one machine: a bid may come late, and the best one has a part in the story.
WHOLE_WINDOW: Final[Mapping[str, object]] = {"bid_window": 0.6, "close_early": False}
# What makes each story happen by the ordinary rules: n4 is the cheapest, n5 the quickest, n2 and n3 verify.
POLICIES: Final[Mapping[int, Mapping[str, object]]] = {
    1: {"price_floor": "30000 gwei", "delay_floor": 12, "verify_bps": 0, **WHOLE_WINDOW},
    2: {"price_floor": "26000 gwei", "delay_floor": 12, **WHOLE_WINDOW},
    3: {"price_floor": "25000 gwei", "delay_floor": 12},
    4: {"price_floor": "20000 gwei", "delay_floor": 12, "verify_bps": 0},
    5: {"price_floor": "27000 gwei", "delay_floor": 10, "verify_bps": 0},
}
MAX_PRICE: Final = 60_000 * 10**9
BY_PRICE: Final = {"price": 5_000, "delay": 0, "rep": 5_000}
BY_DELAY: Final = {"price": 0, "delay": 5_000, "rep": 5_000}


def tell(directory: Path, *, keep: bool, out: Path) -> dict[str, Any]:
    """Run the whole story. Raises BlockEdgeError if anything ends differently than it must."""
    began = time.monotonic()
    devnet = cluster.create(directory, NODES, block_time=1.0, policies=POLICIES)
    try:
        requesters = [devnet.node(1).address, devnet.node(2).address]
        modes = {
            4: [f"fabricate,kind=1,requester={requesters[0]}", f"fabricate,kind=2,requester={requesters[1]}"],
            5: [f"refuse,kind=1,requester={requesters[1]}"],
        }
        for i in range(1, NODES + 1):
            devnet = devnet.start_node(i, plays=modes.get(i, ()))
        await_ready(devnet)
        stage = Stage(
            devnet=devnet,
            api=tuple(Client(str(node.socket)) for node in devnet.nodes),
            out=out,
            began=began,
        )
        figures = _play(stage)
    except BaseException:
        devnet.stop()
        raise
    if keep:
        print(f"\nThe network goes on: export BLOCKEDGE_API={devnet.node(1).socket}; end it with devnet down")
    else:
        devnet.stop()
        print(
            f"\nAll {NODES} daemons and the chain are stopped. The whole demo took {time.monotonic() - began:.0f} s."
        )
    return figures


def _play(stage: Stage) -> dict[str, Any]:
    stage.say(f"five nodes are ready and know each other; contract {stage.devnet.contract}")
    stage.say("n4 will make up answers, n5 will refuse n2's searches after acknowledging them")
    before, reputations = stage.books(), stage.reputations()

    tiles = photos.tiles()
    jobs = {
        "a": (stage.api[0], _submit_photos(stage, tiles)),
        "b": (stage.api[0], _submit_search(stage.api[0], CHALLENGES[0], "made up", BY_PRICE)),
        "c": (stage.api[1], _submit_search(stage.api[1], CHALLENGES[1], "refused", BY_DELAY)),
        "d": (stage.api[1], _submit_table(stage)),
    }
    stage.say(f"jobs handed in: a {SHARDS} photo tiles (n1), b a search (n1), c a search, d a table (n2)")
    ended = _await_settled(stage, jobs)
    after, snapshot = stage.books(), stage.snapshot()
    units = ledger.units_of(snapshot.records)

    figures = {
        "photos": acts.photographs(stage, ended["a"], tiles),
        "fabricated": acts.fabricated(stage, ended["b"], units),
        "refused": acts.refused(stage, ended["c"], units),
        "judged": acts.judged(stage, ended["d"], after),
        "reputation": acts.reputation(stage, ended["b"], reputations),
        "audit": acts.audit(stage, before, after, units),
    }
    return {**figures, "seconds": round(time.monotonic() - stage.began, 1)}


# ── handing in, and waiting ──────────────────────────────────────────────────────────────────────────────


def _submit_photos(stage: Stage, tiles: Sequence[bytes]) -> str:
    api = stage.api[0]
    shards = programs.guest("frames").split(b"".join(tiles), SHARDS)
    fuel = programs.guest("frames").fuel(max(map(len, shards)))
    program = api.post("/api/v1/programs", {"name": "frames", "fuel": fuel})
    job = api.post(
        "/api/v1/jobs",
        {
            "program": program["program"],
            "inputs": [api.upload(shard) for shard in shards],
            "shards": SHARDS,
            "fuel": fuel,
            "max_price": str(MAX_PRICE),
            "max_delay": 60,
            "no_demand": True,
            "merge": "concat",
            "label": "photos",
        },
    )
    return str(job["id"])


def _submit_search(api: Client, challenge: bytes, label: str, weights: Mapping[str, int]) -> str:
    search = Search(challenge=challenge, target=TARGET, range_size=RANGE)
    job = api.post(
        "/api/v1/jobs",
        {
            "kind": "pow",
            "inputs": [api.upload(search.encode())],
            "shards": 1,
            "fuel": RANGE * FUEL_PER_NONCE,
            "max_price": str(2 * MAX_PRICE),
            "max_delay": 60,
            "weights": weights,
            "merge": "first",
            "label": label,
        },
    )
    return str(job["id"])


def _submit_table(stage: Stage) -> str:
    """Every unit of it is checked, and its first worker is n4: nobody else is asked until it has failed."""
    api = stage.api[1]
    guest = programs.guest("csvstats")
    (table,) = guest.split(real("csvstats"), 1, {})
    fuel = guest.fuel(len(table))
    program = api.post("/api/v1/programs", {"name": "csvstats", "fuel": fuel})
    job = api.post(
        "/api/v1/jobs",
        {
            "program": program["program"],
            "inputs": [api.upload(table)],
            "shards": 1,
            "fuel": fuel,
            "max_price": str(2 * MAX_PRICE),
            "max_delay": 60,
            "weights": {"price": 10_000, "delay": 0, "rep": 0},
            "spot_bps": 10_000,
            "lifetime": 600,
            "label": "table",
        },
    )
    return str(job["id"])


def _await_settled(stage: Stage, jobs: Mapping[str, tuple[Client, str]]) -> dict[str, dict[str, Any]]:
    """All jobs with tasks and units, told as they come along."""
    told: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE
    while True:
        seen = {key: api.get(f"/api/v1/jobs/{job}") for key, (api, job) in jobs.items()}
        for key, job in seen.items():
            line = _progress(stage, job)
            if told.get(key) != line:
                told[key] = line
                stage.say(f"job {key}: {line}")
        if all(_is_over(key, job) for key, job in seen.items()):
            return seen
        lost = [key for key, job in seen.items() if job["state"] in ("failed", "cancelled")]
        if lost or time.monotonic() > deadline:
            why = f"job {lost[0]} failed: {seen[lost[0]]['detail']}" if lost else "the jobs take too long"
            raise BlockEdgeError(f"the demo went wrong: {why}")
        time.sleep(0.2)


def _is_over(key: str, job: Mapping[str, Any]) -> bool:
    """The table's story has been told once its second worker has delivered: what is still locked loses nothing."""
    phases = {unit["phase"] for task in job["tasks"] for unit in task["units"]}
    return job["state"] == "settled" or (key == "d" and job["state"] == "done" and "slashed" in phases)


def _progress(stage: Stage, job: Mapping[str, Any]) -> str:
    counts: dict[str, int] = {}
    for task in job["tasks"]:
        for unit in task["units"]:
            counts[unit["phase"]] = counts.get(unit["phase"], 0) + 1
    return f"{job['state']}, units " + ", ".join(f"{n} {phase}" for phase, n in sorted(counts.items()))
