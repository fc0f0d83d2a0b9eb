"""The acts of the demo: each prints what happened, with figures. One that did not end as it must raises.

What a client sees comes from the nodes' API; what money moved, from the chain's events (ledger.py, trials.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blockedge_node import programs
from blockedge_node.cli.output import Output, ether, percent
from blockedge_node.core.task import Kind
from blockedge_node.core.unit import Phase
from blockedge_node.devnet import ledger, photos, trials
from blockedge_node.devnet.stage import CHALLENGES, RANGE, SHARDS, TARGET, Stage, demand
from blockedge_node.executor.local import local_run
from blockedge_node.executor.pow import Search, solve
from blockedge_node.programs.samples import real


def photographs(stage: Stage, job: Mapping[str, Any], tiles: Sequence[bytes]) -> dict[str, Any]:
    _heading("(a) Photographs: eight tiles, processed by strangers, equal to a local run")
    output = b"".join(stage.api[0].download(f"/api/v1/jobs/{job['id']}/result"))
    guest = programs.guest("frames")
    shards = guest.split(b"".join(tiles), SHARDS)
    local = local_run(guest.manifest(shards), guest.wasm(), shards).output
    demand(output == local, "the network's photo result differs from the local run")
    picture = stage.out / "photos.png"
    width, height = photos.contact_sheet(output, picture)
    units = [unit for task in job["tasks"] for unit in task["units"]]
    workers = sorted({stage.name(unit["worker"]) for unit in units})
    demand(all(unit["phase"] == "paid" for unit in units), "a photo unit was not paid")
    demand(len(workers) >= 3, f"only {', '.join(workers)} won photo units")
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


def fabricated(stage: Stage, job: Mapping[str, Any], units: Mapping[Any, ledger.UnitStory]) -> dict[str, Any]:
    _heading("(b) A made-up result: reported in two stages, proven, slashed")
    story = _ended(units, job, Phase.SLASHED)
    split, terms = ledger.shares(story), story.terms
    taken = story.settled.slashed if story.settled else 0
    demand(stage.name(terms.worker) == "n4", "somebody else than n4 was slashed")
    demand(taken == terms.deposit, "not the whole deposit was taken")
    demand(len(story.reports) >= 2 and story.shown >= 2, "fewer than two detectors committed and revealed")
    authors = [stage.name(story.reports[index].author) for index in sorted(story.reports)]
    print(f"n4 won with {ether(terms.price)}, answered without searching, and put {ether(taken)} at stake.")
    print(f"Detectors {' and '.join(authors)} committed to evidence and then revealed it, in this order.")
    print(f"n4 loses {ether(taken)}, all of its deposit:")
    print(f"    50 %  {ether(split.requester)} to {stage.name(terms.requester)}, whose work it was")
    print(f"    20 %  {ether(split.detector)} to {stage.name(story.detector)}, the first right report")
    print(f"    30 %  {ether(split.burned)} burned, so that accusing oneself never pays")
    demand(split.requester == taken // 2, "the requester's half is not 50 %")
    demand(split.detector == taken * 2 // 10, "the detector's share is not 20 %")
    nonce = b"".join(stage.api[0].download(f"/api/v1/jobs/{job['id']}/result"))
    search = Search(challenge=CHALLENGES[0], target=TARGET, range_size=RANGE)
    demand(nonce == solve(search.encode(), 0), "the repeated search found another nonce than a local one")
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


def refused(stage: Stage, job: Mapping[str, Any], units: Mapping[Any, ledger.UnitStory]) -> dict[str, Any]:
    _heading("(c) A refusal after the Ack: fined")
    story = _ended(units, job, Phase.REFUSED)
    split, taken = ledger.shares(story), story.settled.slashed if story.settled else 0
    deposit = story.terms.deposit
    demand(stage.name(story.terms.worker) == "n5", "somebody else than n5 refused")
    demand(story.acknowledged, "the refusal is on record without the Ack")
    demand(taken in (deposit // 10, deposit // 20), "the fine is not 10 % (5 % for a good name)")
    print("n5 acknowledged and did nothing. n2 put the Award and the Ack on the chain; at the deadline n5")
    print(
        f"lost {ether(taken)} of its {ether(deposit)}: {ether(split.requester)} to n2, {ether(split.burned)} burned."
    )
    return {"deposit": str(deposit), "fine": str(taken), "requester": str(split.requester)}


def judged(stage: Stage, job: Mapping[str, Any], record: trials.Record) -> dict[str, Any]:
    _heading("(d) A made-up table: drawn for a check, judged by a jury, slashed")
    ids = {bytes.fromhex(unit["id"][2:]) for task in job["tasks"] for unit in task["units"]}
    found = [t for key, t in record.trials(stage.names).items() if key in ids]
    guilty = [trial for trial in found if trial.view.phase is Phase.SLASHED]
    demand(len(guilty) == 1, f"{len(guilty)} units of the table were slashed instead of one")
    (trial,) = guilty
    view, checker = trial.view, trial.checker
    demand(trial.worker == 4 and view.case is not None and checker is not None, "n4 was not tried")
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
    demand(trial.moved(4) == -trial.deposit, "n4 did not lose its deposit")
    demand(trial.moved(trial.requester) >= 0, "the requester paid for a lie")
    guest = programs.guest("csvstats")
    (table,) = guest.split(real("csvstats"), 1, {})
    local = local_run(guest.manifest([table]), guest.wasm(), [table]).output
    output = b"".join(stage.api[1].download(f"/api/v1/jobs/{job['id']}/result"))
    demand(output == local, "the repeated table differs from a local run")
    print("The table was asked for again, and is what a local run gives.")
    return {
        "deposit": str(trial.deposit),
        "checker": f"n{checker}",
        "rounds": trial.rounds,
        "wei": {who: str(wei) for who, wei in trial.moves.items()},
    }


def reputation(
    stage: Stage, job: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    _heading("(e) Reputation, and who won the same request the second time")
    after = stage.reputations()
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
    demand(stage.name(winners[0]) == "n4", "the first request was not won by n4")
    demand(winners[1] != winners[0], "n4 won again")
    scores = {stage.name(bid["worker"]): bid["score"] for bid in second}
    best = scores[stage.name(winners[1])]
    demand(scores.get("n4", 0) < best, "n4 lost for another reason than its score")
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


def audit(
    stage: Stage,
    before: trials.Record,
    after: trials.Record,
    units: Mapping[Any, ledger.UnitStory],
) -> dict[str, Any]:
    _heading("(f) The books: balances and tickets")
    searches = {key: unit for key, unit in units.items() if unit.terms.kind == Kind.POW}
    expected = trials.expected_changes(after.trials(stage.names).values())
    for who, wei in ledger.expected_changes(searches, after.world.params).items():
        expected[stage.names[who]] = expected.get(stage.names[who], 0) + wei
    rows = []
    for number, node in enumerate(stage.devnet.nodes, 1):
        change = after.wealth[number] - before.wealth[number]
        demand(change == expected.get(number, 0), f"{node.name}'s wealth does not follow from the events")
        rows.append((node.name, f"{before.wealth[number]}", f"{after.wealth[number]}", f"{change:+d}"))
    print(Output().table(("node", "wei before", "wei after", "change, as the events say"), rows))
    demand(after.sum == after.held, "the buckets do not add up to what the contracts hold")
    print(
        f"audit at block {after.world.head.number}: nodes {after.sum - after.burned} + burned {after.burned} = "
        f"{after.sum} wei = what both contracts hold, {after.held} wei"
    )
    stuck = [job for api in stage.api for job in api.get("/api/v1/jobs", stuck=True)]
    demand(not stuck, "a job is stuck")
    return {"sum": str(after.sum), "balance": str(after.held), "burned": str(after.burned)}


# ── small things ───────────────────────────────────────────────────────────────────────────────────────────


def _ratio(reputation: Mapping[str, Any]) -> str:
    staked = reputation["t"]
    return "0/0" if not staked else f"{reputation['s'] / staked:.2f}"


def _ended(units: Mapping[Any, ledger.UnitStory], job: Mapping[str, Any], phase: Phase) -> ledger.UnitStory:
    ids = {bytes.fromhex(unit["id"][2:]) for task in job["tasks"] for unit in task["units"]}
    found = [u for key, u in units.items() if key in ids and u.settled and u.settled.phase is phase]
    demand(len(found) == 1, f"job {job['label']!r} has {len(found)} {phase.name} units instead of one")
    return found[0]


def _heading(text: str) -> None:
    print(f"\n{text}\n{'─' * len(text)}")
