"""`make demo`: the main job and both kinds of trouble, on real daemons, in about a minute.

Four jobs run side by side on five nodes:
    a  n1 has photographs processed by the others                       kind 2, honest
    b  n1 has a proof of work searched; its cheapest bidder, n4, makes the answer up      kind 1
    c  n2 has another searched; its quickest bidder, n5, acknowledges and does nothing    kind 1
    d  n2 has a table summed up by n4, which makes that up too; a drawn checker finds out, a jury judges    kind 2
n2 and n3 recompute what others reveal of kind 1. A shard that is slashed or refused is asked for again: the same
request, now won by somebody else, since reputation is part of the score.

The last word is the chain's: every account's change is computed from the contracts' events (ledger.py, trials.py) and
held against their balances, to the wei. Any mismatch ends the demo with an error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blockedge_node import programs
from blockedge_node.cli.client import Client
from blockedge_node.cli.output import Output, ether, percent
from blockedge_node.core.ids import Address
from blockedge_node.core.task import Kind
from blockedge_node.core.unit import Phase
from blockedge_node.devnet import cluster, ledger, photos, trials
from blockedge_node.devnet.cluster import Devnet
from blockedge_node.devnet.commands import await_ready
from blockedge_node.errors import BlockEdgeError
from blockedge_node.executor.local import local_run
from blockedge_node.executor.pow import FUEL_PER_NONCE, Search, solve
from blockedge_node.programs.samples import real

NODES: Final = 5
SHARDS: Final = 8
PATIENCE: Final = 110.0  # seconds for all jobs to be settled; a jury takes about 50
RANGE: Final = 200_000  # nonces a search covers: 0.1 s of work, so that the windows stay short
CHALLENGES: Final = (b"blockedge demo: made up".ljust(32, b"."), b"blockedge demo: refused".ljust(32, b"."))
TARGET: Final = 1 << 240  # 16 leading zero bits: found after about 65 000 nonces

# What makes each story happen by the ordinary rules: n4 is the cheapest, n5 the quickest, n2 and n3 verify.
POLICIES: Final[Mapping[int, Mapping[str, object]]] = {
    1: {"price_floor": "30000 gwei", "delay_floor": 12, "verify_bps": 0, "bid_window": 0.6},
    2: {"price_floor": "26000 gwei", "delay_floor": 12, "bid_window": 0.6},
    3: {"price_floor": "25000 gwei", "delay_floor": 12},
    4: {"price_floor": "20000 gwei", "delay_floor": 12, "verify_bps": 0},
    5: {"price_floor": "27000 gwei", "delay_floor": 10, "verify_bps": 0},
}
MAX_PRICE: Final = 60_000 * 10**9
BY_PRICE: Final = {"price": 5_000, "delay": 0, "rep": 5_000}
BY_DELAY: Final = {"price": 0, "delay": 5_000, "rep": 5_000}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the acts share: the network, a client for each node, names for addresses."""

    devnet: Devnet
    api: tuple[Client, ...]
    out: Path
    began: float

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    def name(self, address: str | bytes | None) -> str:
        wanted = "0x" + address.hex() if isinstance(address, bytes) else address
        return next((node.name for node in self.devnet.nodes if node.address == wanted), "–")

    def client(self, address: str) -> Client:
        return next(c for c, node in zip(self.api, self.devnet.nodes, strict=True) if node.address == address)

    @property
    def accounts(self) -> list[Address]:
        return [Address(bytes.fromhex(node.address[2:])) for node in self.devnet.nodes]

    @property
    def names(self) -> dict[Address, int]:
        return trials.owner_numbers(self.accounts)

    def books(self) -> trials.Record:
        contract, court = (
            Address(bytes.fromhex(text[2:])) for text in (self.devnet.contract, self.devnet.court)
        )
        return trials.read(self.devnet.rpc, contract, court, self.names)

    def snapshot(self) -> ledger.Snapshot:
        contract = Address(bytes.fromhex(self.devnet.contract[2:]))
        return ledger.read(self.devnet.rpc, contract, self.accounts)


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
        print(f"\nAll {NODES} daemons and the chain are stopped. The whole demo took {_since(began)}.")
    return figures


def _play(stage: Stage) -> dict[str, Any]:
    stage.say(f"five nodes are ready and know each other; contract {stage.devnet.contract}")
    stage.say("n4 will make up answers, n5 will refuse n2's searches after acknowledging them")
    before, reputations = stage.books(), _reputations(stage)

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
        "photos": _act_photos(stage, ended["a"], tiles),
        "fabricated": _act_fabricated(stage, ended["b"], units),
        "refused": _act_refused(stage, ended["c"], units),
        "judged": _act_judged(stage, ended["d"], after),
        "reputation": _act_reputation(stage, ended["b"], reputations),
        "audit": _act_audit(stage, before, after, units),
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


# ── the acts ─────────────────────────────────────────────────────────────────────────────────────────────


def _act_photos(stage: Stage, job: Mapping[str, Any], tiles: Sequence[bytes]) -> dict[str, Any]:
    _heading("(a) Photographs: eight tiles, processed by strangers, equal to a local run")
    output = b"".join(stage.api[0].download(f"/api/v1/jobs/{job['id']}/result"))
    guest = programs.guest("frames")
    shards = guest.split(b"".join(tiles), SHARDS)
    local = local_run(guest.manifest(shards), guest.wasm(), shards).output
    _demand(output == local, "the network's photo result differs from the local run")
    picture = stage.out / "photos.png"
    width, height = photos.contact_sheet(output, picture)
    units = [unit for task in job["tasks"] for unit in task["units"]]
    workers = sorted({stage.name(unit["worker"]) for unit in units})
    _demand(all(unit["phase"] == "paid" for unit in units), "a photo unit was not paid")
    _demand(len(workers) >= 3, f"only {', '.join(workers)} won photo units")
    rows = []
    for unit in units:
        gas = _gas(stage, unit)
        rows.append(
            (
                unit["shard"],
                stage.name(unit["worker"]),
                ether(unit["price"]),
                f"{unit['negotiation'] * 1000:.0f} ms",
                gas,
                unit["phase"].upper(),
            )
        )
    print(Output().table(("shard", "worker", "price", "request to Ack", "gas", "end"), rows))
    print(f"{len(output)} bytes from {', '.join(workers)} equal the local run byte for byte.")
    print(f"The thumbnails, put together again, are in {picture} ({width} x {height}).")
    times = sorted(unit["negotiation"] for unit in units)
    return {"workers": workers, "bytes": len(output), "negotiation": times, "gas": [row[4] for row in rows]}


def _gas(stage: Stage, unit: Mapping[str, Any]) -> int:
    """Of all this unit's transactions, its worker's and its requester's."""
    worker = stage.client(unit["worker"]).get(f"/api/v1/tasks/{unit['task']}")
    mine = next(found for found in worker["units"] if found["id"] == unit["id"])
    return int(unit["gas"]) + int(mine["gas"])


def _act_fabricated(
    stage: Stage, job: Mapping[str, Any], units: Mapping[Any, ledger.UnitStory]
) -> dict[str, Any]:
    _heading("(b) A made-up result: reported in two stages, proven, slashed")
    story = _ended(units, job, Phase.SLASHED)
    split, terms = ledger.shares(story), story.terms
    taken = story.settled.slashed if story.settled else 0
    _demand(stage.name(terms.worker) == "n4", "somebody else than n4 was slashed")
    _demand(taken == terms.deposit, "not the whole deposit was taken")
    _demand(len(story.reports) >= 2 and story.shown >= 2, "fewer than two detectors committed and revealed")
    authors = [stage.name(story.reports[index].author) for index in sorted(story.reports)]
    print(f"n4 won with {ether(terms.price)}, answered without searching, and put {ether(taken)} at stake.")
    print(f"Detectors {' and '.join(authors)} committed to evidence and then revealed it, in this order.")
    print(f"n4 loses {ether(taken)}, all of its deposit:")
    print(f"    50 %  {ether(split.requester)} to {stage.name(terms.requester)}, whose work it was")
    print(f"    20 %  {ether(split.detector)} to {stage.name(story.detector)}, the first right report")
    print(f"    30 %  {ether(split.burned)} burned, so that accusing oneself never pays")
    _demand(split.requester == taken // 2, "the requester's half is not 50 %")
    _demand(split.detector == taken * 2 // 10, "the detector's share is not 20 %")
    nonce = b"".join(stage.api[0].download(f"/api/v1/jobs/{job['id']}/result"))
    search = Search(challenge=CHALLENGES[0], target=TARGET, range_size=RANGE)
    _demand(nonce == solve(search.encode(), 0), "the repeated search found another nonce than a local one")
    print(
        f"The search was asked for again and answered: nonce {int.from_bytes(nonce, 'big')}, as found here."
    )
    return {
        "deposit": str(taken),
        "requester": str(split.requester),
        "detector": str(split.detector),
        "burned": str(split.burned),
        "detectors": authors,
    }


def _act_refused(
    stage: Stage, job: Mapping[str, Any], units: Mapping[Any, ledger.UnitStory]
) -> dict[str, Any]:
    _heading("(c) A refusal after the Ack: fined")
    story = _ended(units, job, Phase.REFUSED)
    split, taken = ledger.shares(story), story.settled.slashed if story.settled else 0
    deposit = story.terms.deposit
    _demand(stage.name(story.terms.worker) == "n5", "somebody else than n5 refused")
    _demand(story.acknowledged, "the refusal is on record without the Ack")
    _demand(taken in (deposit // 10, deposit // 20), "the fine is not 10 % (5 % for a good name)")
    print("n5 acknowledged and did nothing. n2 put the Award and the Ack on the chain; at the deadline n5")
    print(
        f"lost {ether(taken)} of its {ether(deposit)}: {ether(split.requester)} to n2, {ether(split.burned)} burned."
    )
    return {"deposit": str(deposit), "fine": str(taken), "requester": str(split.requester)}


def _act_judged(stage: Stage, job: Mapping[str, Any], record: trials.Record) -> dict[str, Any]:
    _heading("(d) A made-up table: drawn for a check, judged by a jury, slashed")
    ids = {bytes.fromhex(unit["id"][2:]) for task in job["tasks"] for unit in task["units"]}
    found = [t for key, t in record.trials(stage.names).items() if key in ids]
    guilty = [trial for trial in found if trial.view.phase is Phase.SLASHED]
    _demand(len(guilty) == 1, f"{len(guilty)} units of the table were slashed instead of one")
    (trial,) = guilty
    view, checker = trial.view, trial.checker
    _demand(trial.worker == 4 and view.case is not None and checker is not None, "n4 was not tried")
    assert view.case is not None
    seats = [vote for shown in view.case.rounds for vote in shown.votes]
    right = sum(vote.result_hash == view.final_hash for vote in seats)
    print(f"n4 won with {ether(trial.price)} and {ether(trial.deposit)} at stake, and committed to a result.")
    print(
        f"Only then did n2 show its draw secret: the unit was drawn, and of all tickets one of n{checker}'s."
    )
    print(f"n{checker} computed the table while n4's result was still hidden, and its own differed.")
    print(
        f"A jury drawn from secrets of both sides voted: {right} of {len(seats)} votes gave the checker's result."
    )
    print(f"n4 loses {ether(-trial.moved(4))}; what the others gained by it:")
    rows = [(who, ether(wei)) for who, wei in sorted(trial.moves.items()) if wei > 0]
    print(Output().table(("whom", "gained"), rows))
    _demand(trial.moved(4) == -trial.deposit, "n4 did not lose its deposit")
    _demand(trial.moved(trial.requester) >= 0, "the requester paid for a lie")
    guest = programs.guest("csvstats")
    (table,) = guest.split(real("csvstats"), 1, {})
    local = local_run(guest.manifest([table]), guest.wasm(), [table]).output
    output = b"".join(stage.api[1].download(f"/api/v1/jobs/{job['id']}/result"))
    _demand(output == local, "the repeated table differs from a local run")
    print("The table was asked for again, and is what a local run gives.")
    return {
        "deposit": str(trial.deposit),
        "checker": f"n{checker}",
        "rounds": trial.rounds,
        "wei": {who: str(wei) for who, wei in trial.moves.items()},
    }


def _act_reputation(
    stage: Stage, job: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    _heading("(e) Reputation, and who won the same request the second time")
    after = _reputations(stage)
    rows = [
        (
            name,
            f"{old['n']}/{old['m']} -> {new['n']}/{new['m']}",
            f"{_ratio(old)} -> {_ratio(new)}",
            f"{percent(old['score'])} -> {percent(new['score'])}",
        )
        for name, old in before.items()
        for new in (after[name],)
    ]
    print(Output().table(("node", "faults n/m", "deposits returned s/t", "R"), rows))
    story = stage.api[0].get(f"/api/v1/jobs/{job['id']}/explain")
    first, second = (
        [bid for bid in story["bids"] if bid["unit"] == task["units"][0]["id"]] for task in job["tasks"][:2]
    )
    for bids, title in ((first, "first request"), (second, "the same request, after the slashing")):
        print(f"\n{title}: score = price part + delay part + reputation part")
        print(Output().table(("bidder", "price", "R", "score", "parts", ""), [_bid(stage, b) for b in bids]))
    winners = [next(b["worker"] for b in bids if b["outcome"] == "won") for bids in (first, second)]
    _demand(stage.name(winners[0]) == "n4", "the first request was not won by n4")
    _demand(winners[1] != winners[0], "n4 won again")
    scores = {stage.name(bid["worker"]): bid["score"] for bid in second}
    best = scores[stage.name(winners[1])]
    _demand(scores.get("n4", 0) < best, "n4 lost for another reason than its score")
    return {"before": before, "after": after, "winners": [stage.name(w) for w in winners]}


def _bid(stage: Stage, bid: Mapping[str, Any]) -> tuple[object, ...]:
    parts = f"{bid['score_price']} + {bid['score_delay']} + {bid['score_rep']}"
    outcome = "won" if bid["outcome"] == "won" else ""
    return (
        stage.name(bid["worker"]),
        ether(bid["price"]),
        percent(bid["rep"]),
        bid["score"],
        parts,
        outcome,
    )


def _act_audit(
    stage: Stage,
    before: trials.Record,
    after: trials.Record,
    units: Mapping[Any, ledger.UnitStory],
) -> dict[str, Any]:
    _heading("(f) The books: balances and tickets")
    searches = {key: unit for key, unit in units.items() if unit.terms.kind == Kind.POW}
    expected = trials.expected_changes(after.trials(stage.names).values(), after.paid_in)
    for who, wei in ledger.expected_changes(searches, after.params).items():
        expected[stage.names[who]] = expected.get(stage.names[who], 0) + wei
    rows = []
    for number, node in enumerate(stage.devnet.nodes, 1):
        change = after.wealth[number] - before.wealth[number]
        _demand(change == expected.get(number, 0), f"{node.name}'s wealth does not follow from the events")
        rows.append((node.name, f"{before.wealth[number]}", f"{after.wealth[number]}", f"{change:+d}"))
    print(Output().table(("node", "wei before", "wei after", "change, as the events say"), rows))
    _demand(after.sum == after.held, "the buckets do not add up to what the contracts hold")
    print(
        f"audit at block {after.block}: nodes {after.sum - after.burned} + burned {after.burned} = {after.sum} "
        f"wei = what both contracts hold, {after.held} wei"
    )
    stuck = [job for api in stage.api for job in api.get("/api/v1/jobs", stuck=True)]
    _demand(not stuck, "a job is stuck")
    return {"sum": str(after.sum), "balance": str(after.held), "burned": str(after.burned)}


# ── small things ─────────────────────────────────────────────────────────────────────────────────────────


def _reputations(stage: Stage) -> dict[str, dict[str, Any]]:
    return {node.name: stage.api[0].get(f"/api/v1/reputation/{node.address}") for node in stage.devnet.nodes}


def _ratio(reputation: Mapping[str, Any]) -> str:
    staked = reputation["t"]
    return "0/0" if not staked else f"{reputation['s'] / staked:.2f}"


def _ended(units: Mapping[Any, ledger.UnitStory], job: Mapping[str, Any], phase: Phase) -> ledger.UnitStory:
    ids = {bytes.fromhex(unit["id"][2:]) for task in job["tasks"] for unit in task["units"]}
    found = [u for key, u in units.items() if key in ids and u.settled and u.settled.phase is phase]
    _demand(len(found) == 1, f"job {job['label']!r} has {len(found)} {phase.name} units instead of one")
    return found[0]


def _heading(text: str) -> None:
    print(f"\n{text}\n{'─' * len(text)}")


def _demand(condition: bool, complaint: str) -> None:
    if not condition:
        raise BlockEdgeError(f"the demo went wrong: {complaint}")


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"
