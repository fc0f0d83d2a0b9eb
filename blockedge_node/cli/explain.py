"""`blockedge task explain`: a job's story, from the notes that its node kept.

Who bid what and how it scored, part by part; why a bid lost or was not made; what was negotiated, run, sent to
the chain and paid. A code that this version does not know is printed with its figures rather than hidden.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from operator import itemgetter
from typing import Annotated, Any

import typer

from blockedge_node.cli.context import Session, session
from blockedge_node.cli.dispute import told
from blockedge_node.cli.output import clock, ether, percent, seconds, short

MONEY = frozenset("price deposit paid slashed needed free gas_wei fee burned bond".split())
RATIOS = frozenset({"rep", "score", "mine"})

# Code, or its beginning up to a dot → sentence. {reason} is what follows the beginning.
SENTENCES: Mapping[str, str] = {
    "job.began": "job handed in: {shards} shards",
    "job.bundled": "item {place} of {of} in the bundle {bundle}",
    "job.cancelled": "job cancelled: no new awards",
    "job.done": "every output is here, after {seconds} s",
    "job.settled": "the chain has closed every unit, after {seconds} s",
    "job.output_lost": "{shards} outputs were lost with their units: asked for again",
    "job.failed": "job failed: {missing} of {shards} shards missing ({reason})",
    "job.retried": "attempt {attempt}: {shards} shards asked for again, as task {task}",
    "request.published": "request published for {shards} shards",
    "bid.made": "bid made on {bids} shards: {price}, deposit {deposit}, within {delay} s",
    "bid.none": "no bid ({reason}): {detail}",
    "bid.silent": "bid kept back: a better bid was heard, of {by}",
    "bid.none.outranked": "no bid: {winner} promised {price}, {delay} s, score {score}; mine would be {mine}",
    "bid.lost": "lost to {winner}: it promised {price}, {delay} s",
    "bid.ignored": "bid of {worker} ignored: {reason}",
    "bid.outbid": "outbid by {winner}: it promised {price}, {delay} s, score {score}; mine was {mine}",
    "bid.late": "the bid got into no block up to {closes_at}, when its auction closed ({reason})",
    "auction.announced": "announced in block {block}, bids count up to block {closes_at}",
    "auction.won": "won by {worker}: {price}, deposit {deposit}, {delay} s, score {score} of {bids} bids",
    "auction.mine": "won at {price}, deposit {deposit}: the contract holds what {requester} pays",
    "award.made": "awarded to {worker}: {price}, deposit {deposit}, {delay} s, score {score} of {bids} bids",
    "award.none.balance": "no award: {needed} are needed, {free} are free; fund the wallet",
    "award.acknowledged": "{worker} acknowledged",
    "award.accepted": "award of {requester} accepted at {price}",
    "award.refused": "award refused: {reason}",
    "award.dead": "award of {worker} came to nothing ({reason}): the next best bid is asked",
    "shard.failed": "no output of this shard: {reason}",
    "input.fetched": "program and input are here, checked",
    "input.refused": "input refused: {reason}",
    "work.solved": "solved in {milliseconds} ms with {fuel} fuel",
    "work.failed": "the run failed here: {reason}",
    "work.output_too_large": "the output is too large to be shown on the chain",
    "result.delivered": "result delivered ({result_hash})",
    "result.receipted": "the requester has the result",
    "result.differs": "{worker} revealed another result than it had delivered",
    "check.agrees": "recomputed: the result is right",
    "check.wrong": "recomputed: the result is WRONG",
    "check.failed": "could not be recomputed: {reason}",
    "check.drawn": "my ticket {ticket} was drawn to check {worker}",
    "check.found": "recomputed for the check: {result_hash}",
    "check.paid": "the check agreed, and its fee is paid: the unit is {phase}",
    "check.fined": "the checker that missed its check is fined, in block {block}",
    "check.ended": "the check is over: the unit is {phase}",
    "secret.heard": "the requester's draw secret is here",
    "jury.seated": "my tickets have {seats} seats in round {round} of the jury",
    "jury.over": "the jury is over: the unit is {phase}",
    "vote.decided": "recomputed for the jury: my votes are for {result_hash}",
    "vote.no_input": "nobody served the input in round {round}: my votes say so",
    "vote.none": "no vote in round {round}: {reason}",
    "watch.kept": "a tower has the opening on its disk",
    "watch.begun": "watching this unit for {client}",
    "watch.checked": "recomputed for a client: agrees ({agrees})",
    "watch.unchecked": "could not be recomputed, so no appeal is paid for: {reason}",
    "watch.over": "no longer watched: the unit is {phase}",
    "report.none.balance": "no report: {needed} are needed as bond",
    "report.right": "report {index} was right: the unit is {phase}",
    "report.ended": "report {index} ended: the unit is {phase}",
    "unit.paid": "PAID: {paid}",
    "unit.slashed": "SLASHED: {slashed} of the deposit taken",
    "unit.refused": "REFUSED: {slashed} of the deposit taken",
    "unit.unresolved": "UNRESOLVED: price burned, deposit back",
    "tx": "{reason} confirmed in block {block}, {gas} gas",
}


def explain(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(help="A job, task or unit: its id, or the first digits of it.")],
) -> None:
    """Why it went as it went: every bid with its score, every refusal, every step."""
    run = session(ctx)
    found = run.client.get(f"/api/v1/find/{job}")
    noun = "jobs" if found["kind"] == "job" else "tasks"
    story = run.client.get(f"/api/v1/{noun}/{found['id']}/explain")
    run.out.answer(story, "\n\n".join([story_text(run, story), *told(run, story["tasks"])]))


def story_text(run: Session, story: Mapping[str, Any]) -> str:
    """The whole story: bids by shard, then units with their figures, then what happened, in order."""
    shards = {unit["id"]: unit["shard"] for task in story["tasks"] for unit in task["units"]}
    parts = [f"{story['kind']} {story['id']}"]
    if story["job"]:
        parts[0] += f"  {story['job']['state']}" + (
            f", {story['job']['label']}" if story["job"]["label"] else ""
        )
    if story["bids"]:
        parts.append(_bids(run, story["bids"]))
    units = [unit for task in story["tasks"] for unit in sorted(task["units"], key=itemgetter("shard"))]
    if units:
        parts.append(_units(run, units))
    if story["notes"]:
        parts.append("\n".join(_line(note, shards) for note in story["notes"]))
    if len(parts) == 1:
        parts.append("nothing is noted about it yet")
    return "\n\n".join(parts)


def _bids(run: Session, bids: list[dict[str, Any]]) -> str:
    rows = [
        (
            bid["shard"],
            short(bid["worker"]),
            ether(bid["price"]),
            f"{bid['delay']} s",
            percent(bid["rep"]),
            bid["score"],
            bid["score_price"],
            bid["score_delay"],
            bid["score_rep"],
            bid["outcome"] + (f": {bid['reason']}" if bid["reason"] else ""),
        )
        for bid in bids
    ]
    header = (
        "shard",
        "bidder",
        "price",
        "delay",
        "rep",
        "score",
        "price part",
        "delay part",
        "rep part",
        "outcome",
    )
    return run.out.table(header, rows)


def _units(run: Session, units: list[dict[str, Any]]) -> str:
    rows = [
        (
            unit["shard"],
            unit["phase"],
            short(unit["worker"]),
            ether(unit["price"]),
            seconds(unit["negotiation"]),
            unit["gas"] or "–",
            ether(unit["fee"]),
            unit["exit_text"],
        )
        for unit in units
    ]
    return run.out.table(
        ("shard", "phase", "worker", "price", "negotiated", "gas", "gas cost", "ended"), rows
    )


def _line(note: Mapping[str, Any], shards: Mapping[str, int]) -> str:
    shard = shards.get(note["subject"])
    where = f"shard {shard}: " if shard is not None else ""
    return f"{clock(note['at']):8}  {where}{sentence(note['code'], note['fields'])}"


def sentence(code: str, fields: Mapping[str, Any]) -> str:
    """A note in words; a code without a sentence is shown as it is, with its figures."""
    shown = {name: _shown(name, value) for name, value in fields.items()}
    beginning, reason = code, ""
    while beginning not in SENTENCES and "." in beginning:
        beginning, _, last = beginning.rpartition(".")
        reason = f"{last}.{reason}" if reason else last
    template = SENTENCES.get(beginning)
    figures = {"reason": reason.replace("_", " "), **shown}
    names = {name for _, name, _, _ in string.Formatter().parse(template or "") if name}
    if template is None or not names <= figures.keys():
        return " ".join([code, *(f"{name}={text}" for name, text in shown.items())])
    return template.format(**figures).rstrip(": ")


def _shown(name: str, value: Any) -> str:
    if name in MONEY and str(value).removeprefix("-").isdecimal():
        return ether(value)
    if name in RATIOS and isinstance(value, int):
        return percent(value)
    if name == "round" and isinstance(value, int):
        return str(value + 1)  # people count rounds from 1, as `dispute show` does
    if isinstance(value, str) and value.startswith("0x") and len(value) > 12:
        return short(value)
    return str(value)
