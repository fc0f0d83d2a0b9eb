"""Machines, views and notes as people see them: the models of the API, built without I/O.

A machine knows facts; when things happened and what they cost is in the journal's notes and spending. Both are
gathered by backend/ and put together here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from blockedge_node.api import models
from blockedge_node.core.auction import is_onchain
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.deadlines import opens, settle_after, timeout_after
from blockedge_node.core.events import CallMined
from blockedge_node.core.ids import UnitId
from blockedge_node.core.job import describe
from blockedge_node.core.jobs import JobRun, JobState
from blockedge_node.core.params import Params
from blockedge_node.core.requester import Requester
from blockedge_node.core.selection import BPS, rank_key, score
from blockedge_node.core.shard import Shard
from blockedge_node.core.task import Bid, Kind, Mode, Request
from blockedge_node.core.unit import CHECK_MISSED, SECRET_SHOWN, Phase, UnitView
from blockedge_node.core.worker import Worker
from blockedge_node.store.journal import StoredNote

STUCK_AFTER = 60  # seconds past a deadline in which the daemon should have moved a unit itself
CheckState = Literal["", "not-drawn", "drawn", "missed", "committed", "agrees", "differs"]
KINDS = {Kind.POW: "pow", Kind.WASM: "wasm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the journal holds about some subjects."""

    notes: Sequence[StoredNote] = ()
    spending: Sequence[CallMined] = ()

    def about(self, subject: bytes) -> list[StoredNote]:
        return [stored for stored in self.notes if stored.note.subject == subject]

    def first(self, subject: bytes, code: str) -> StoredNote | None:
        return next((s for s in self.notes if s.note.subject == subject and s.note.code == code), None)

    def spent(self, unit: UnitId) -> tuple[int, int]:
        """Gas, and its price in wei, of our transactions about a unit."""
        mine = [call for call in self.spending if call.unit == unit]
        return sum(call.gas for call in mine), sum(call.fee for call in mine)


def mode_name(mode: int) -> models.Mode:
    return "onchain" if mode & Mode.ONCHAIN else "gossip"


def note_model(stored: StoredNote) -> models.Note:
    return models.Note(
        code=stored.note.code,
        subject=stored.note.subject,
        at=stored.at / 1000,
        fields=dict(stored.note.fields),
    )


def money_moved(record: Record, unit: UnitId, view: UnitView | None) -> tuple[int, int]:
    """Wei paid and slashed, from the view or, once that is gone, from the note of its end."""
    if view and view.phase.terminal:
        return view.paid, view.slashed
    for stored in reversed(record.about(unit)):
        fields = dict(stored.note.fields)
        if stored.note.code.startswith("unit.") and "paid" in fields:
            return int(fields["paid"]), int(fields["slashed"])
    return 0, 0


def next_step(view: UnitView | None, params: Params) -> str:
    """What happens next on the chain, and from when."""
    if view is None or view.phase.terminal:
        return ""
    last = timeout_after(view, params)
    match view.phase:
        case Phase.ASSIGNED:
            return f"commit by {last}, else refused"
        case Phase.COMMITTED:
            return f"reveal by {last}, else slashed"
        case Phase.REVEALED:
            return f"settle from {opens(settle_after(view, params))}"
        case _:
            return ""


def check_state(view: UnitView | None) -> CheckState:
    """What is known of a unit's spot check."""
    if view is None or not view.terms.spot_bps:
        return ""
    if view.check is not None:
        found = view.check.result_hash
        return "committed" if found is None else "agrees" if found == view.result_hash else "differs"
    if view.drawn:
        return "missed" if view.flags & CHECK_MISSED else "drawn"
    return "not-drawn" if view.flags & SECRET_SHOWN else ""


def why_stuck(view: UnitView | None, params: Params, now: int) -> str:
    if view is None or view.phase.terminal:
        return ""
    last = timeout_after(view, params) or settle_after(view, params)
    late = now - last
    return f"{view.phase.name.lower()} {late} s past its deadline" if late > STUCK_AFTER else ""


def requested_unit(machine: Requester, shard: Shard, record: Record, params: Params, now: int) -> models.Unit:
    """A shard of my own task."""
    view, placed = shard.view, shard.placed
    bid = placed.bid if placed else None
    terms = view.terms if view else None
    gas, fee = record.spent(shard.unit)
    paid, slashed = money_moved(record, shard.unit, view)
    phase = shard.now_in.name.lower()
    if shard.now_in is Phase.NONE:
        found = placed or shard.winner
        phase = (
            "failed" if shard.end else "awarded" if found else "announced" if shard.auction else "requested"
        )
    onchain = is_onchain(machine.request)
    published = record.first(machine.task, "auction.announced" if onchain else "request.published")
    acked = record.first(shard.unit, "auction.won" if onchain else "award.acknowledged")
    negotiation = (acked.at - published.at) / 1000 if acked and published else None
    chosen = terms or bid
    return models.Unit(
        id=shard.unit,
        task=machine.task,
        shard=shard.index,
        phase=phase,
        role="requester",
        worker=shard.worker,
        price=chosen.price if chosen else None,
        deposit=chosen.deposit if chosen else None,
        delay=chosen.delay if chosen else None,
        negotiation=negotiation,
        since=view.since if view else None,
        next=shard.end or next_step(view, params),
        gas=gas,
        fee=fee,
        paid=paid,
        slashed=slashed,
        check=check_state(view),
        checker=view.check.author if view and view.check else None,
        reports=len(view.reports) if view else 0,
        stuck=why_stuck(view, params, now),
        exit=shard.result.exit if shard.result else None,
        exit_text=describe(shard.result.exit) if shard.result else "",
        output_root=shard.result.output_root if shard.result else None,
    )


def worked_unit(machine: Worker, record: Record, params: Params, now: int) -> models.Unit:
    """A unit that I was awarded."""
    view, terms = machine.view, machine.terms
    result = machine.solved.result if machine.solved else None
    gas, fee = record.spent(machine.unit)
    paid, slashed = money_moved(record, machine.unit, view)
    phase = machine.phase.name.lower()
    if machine.phase is Phase.NONE:
        phase = machine.end.removeprefix("unit.") or ("refused" if machine.refusal else "awarded")
    return models.Unit(
        id=machine.unit,
        task=machine.task,
        shard=terms.shard,
        phase=phase,
        role="worker",
        worker=terms.worker,
        price=terms.price,
        deposit=terms.deposit,
        delay=terms.delay,
        since=view.since if view else None,
        next=machine.refusal or next_step(view, params),
        gas=gas,
        fee=fee,
        paid=paid,
        slashed=slashed,
        check=check_state(view),
        checker=view.check.author if view and view.check else None,
        reports=len(view.reports) if view else 0,
        stuck=why_stuck(view, params, now),
        exit=result.exit if result else None,
        exit_text=describe(result.exit) if result else "",
        output_root=result.output_root if result else None,
    )


def scored_bids(machine: Requester) -> list[models.ScoredBid]:
    """Every bid that was considered, by shard and best first, with what became of it."""
    return [_scored(machine, shard, offer.bid) for shard in machine.shards for offer in shard.offers]


def _scored(machine: Requester, shard: Shard, bid: Bid) -> models.ScoredBid:
    parts = score(machine.request, bid)
    winner = shard.placed.bid if shard.placed else None
    outcome: Literal["won", "lost", "dead", "open"] = "lost" if winner else "open"
    if winner == bid:
        outcome = "won"
    elif bid.worker in shard.spent:
        outcome = "dead"
    return models.ScoredBid(
        unit=shard.unit,
        shard=shard.index,
        worker=bid.worker,
        price=bid.price,
        deposit=bid.deposit,
        delay=bid.delay,
        rep=bid.rep,
        score=parts.total,
        score_price=parts.price // BPS,
        score_delay=parts.delay // BPS,
        score_rep=parts.reputation // BPS,
        outcome=outcome,
        reason=_why_lost(machine, shard, bid) if outcome == "lost" else "",
    )


def _why_lost(machine: Requester, shard: Shard, bid: Bid) -> str:
    """A better bid won; or this one was better, and its bidder had its fair part of the task already."""
    assert shard.placed is not None
    won = rank_key(machine.request, shard.placed.bid)
    return "score" if rank_key(machine.request, bid) < won else "spread"


def task_model(
    task: bytes, request: Request, *, role: str, job: bytes | None = None, units: Iterable[models.Unit] = ()
) -> models.Task:
    return models.Task(
        id=task,
        job=job,
        requester=request.requester,
        role=role,
        kind=KINDS.get(Kind(request.kind), str(request.kind)),
        shards=request.shards,
        fuel=request.fuel,
        max_price=request.max_price,
        min_deposit=request.min_deposit,
        max_delay=request.max_delay,
        expiry=request.expiry,
        mode=mode_name(request.mode),
        units=tuple(units),
    )


def job_state(run: JobRun) -> Literal["running", "done", "settled", "failed", "cancelled"]:
    match run.state:
        case JobState.FAILED:
            return "cancelled" if run.cancelled else "failed"
        case JobState.RUNNING:
            return "running"
        case JobState.DONE:
            return "done"
        case JobState.SETTLED:
            return "settled"


def job_model(run: JobRun, tasks: Sequence[models.Task], record: Record, now: int) -> models.Job:
    """`tasks` with their units, of every attempt; they may be left out of what is shown by the caller."""
    began = record.first(run.job.id, "job.began")
    units = [unit for task in tasks for unit in task.units]
    missing = [failure for output, failure in zip(run.outputs, run.failures, strict=True) if output is None]
    done = len(run.outputs) - len(missing)
    state = job_state(run)
    overdue = state == "running" and now > run.attempts[-1].request.expiry + STUCK_AFTER
    stuck = next((unit.stuck for unit in units if unit.stuck), "")
    return models.Job(
        id=run.job.id,
        label=run.job.label,
        kind=KINDS.get(Kind(run.job.kind), str(run.job.kind)),
        mode=mode_name(run.job.mode),
        state=state,
        created=began.at / 1000 if began else float(run.began_at),
        shards=run.job.shards,
        shards_done=done,
        shards_settled=sum(1 for output in run.outputs if output and output.ended),
        detail=next((words for words in missing if words), "") if state in ("failed", "running") else "",
        result_ready=not missing,
        spent=sum(unit.paid for unit in units),
        fees=sum(unit.fee for unit in units),
        items=len(run.job.items),
        stuck=stuck or ("its request expired and nothing replaced it" if overdue else ""),
        tasks=tuple(tasks),
    )


def bids_of(machine: Bidder, record: Record, me: bytes, now: int) -> list[models.Bid]:
    """My bids for one task."""
    rows = []
    for mine in machine.bids:
        ended = "won" if mine.won else "lost" if mine.lost else "silent" if mine.silent else "expired"
        rows.append((mine.bid, "live" if mine.is_live(now) else ended))
    return _bid_rows(rows, record, me)


def posted_bids(machine: AuctionBidder, record: Record, me: bytes) -> list[models.Bid]:
    """My bids in one task's auctions."""
    rows = [(mine.bid, mine.end or ("outbid" if mine.outbid else "live")) for mine in machine.bids]
    return _bid_rows(rows, record, me)


def _bid_rows(bids: Sequence[tuple[Bid, str]], record: Record, me: bytes) -> list[models.Bid]:
    """Bids of one task, each with its state."""
    made = record.first(bids[0][0].task, "bid.made") if bids else None
    return [
        models.Bid(
            task=bid.task,
            shard=bid.shard,
            worker=me,
            price=bid.price,
            deposit=bid.deposit,
            delay=bid.delay,
            rep=bid.rep,
            state=state,
            at=made.at / 1000 if made else None,
        )
        for bid, state in bids
    ]
