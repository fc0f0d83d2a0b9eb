"""A requester: one task of mine, from its Request to the end of its last unit.

    PublishRequest ─▶ AwaitBids ─▶ SendAward ─▶ AckHeard ─▶ ResultHeard ─▶ FetchOutput ─▶ SendReceipt
                          ▲            │ no Ack, and registerBy is over: the next best offer
                          └────────────┘

Each shard by itself; what is due, by its facts and its unit's view (docs/protocol.md §3.3, §4):

| view      | facts                             | due                              | from … until            |
|-----------|-----------------------------------|----------------------------------|-------------------------|
| –         | not published                     | PublishRequest                   | … expiry − GRACE        |
| –         | published, no award               | AwaitBids, then an award or none | … expiry − GRACE        |
| NONE      | awarded, neither Ack nor failure  | SendAward                        | … registerBy            |
| NONE      | Ack                               | RegisterAward, with the Ack      | start+delay … registerBy|
| NONE      | awarded                           | nothing: the award is dead       | registerBy …            |
| ASSIGNED  |                                   | TimeOut                          | resultBy …              |
| COMMITTED |                                   | TimeOut                          | revealBy …              |
| REVEALED  |                                   | Settle, if the worker does not   | its windows + GRACE …   |
| any       | a result is known, not its output | FetchOutput                      | … PATIENCE after its end|
| any       | output here, a stream waits       | SendReceipt                      |                         |

A shard never has two awards whose [notBefore, registerBy] overlap, whatever the first worker says: that would
be equivocation, and both could be registered. The result that counts is the one at stake: what the worker
delivered, once its unit is COMMITTED; what it revealed, once that is known and should the two differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Action,
    AwaitBids,
    FetchOutput,
    Note,
    PublishRequest,
    RegisterAward,
    Registration,
    SendAward,
    SendReceipt,
    Settle,
    TimeOut,
)
from blockedge_node.core.deadlines import settle_after, timeout_after
from blockedge_node.core.events import (
    AckHeard,
    AwardFailed,
    BidHeard,
    BidWindowClosed,
    CallMined,
    Event,
    HeadSeen,
    JobCancelled,
    OutputFetched,
    ReceiptSent,
    RequestPublished,
    ResultHeard,
    SignedAward,
)
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import ZERO_HASH, Address, Digest, Hash, Root, Signature, TaskId, UnitId
from blockedge_node.core.policy import Offer, award_until, best_offer, free_for, why_not_offered
from blockedge_node.core.selection import rank_key, score
from blockedge_node.core.task import Ack, Award, Bid, Receipt, Request, Result, unit_id
from blockedge_node.core.terms import cost
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.world import World

KEEP_OFFERS = 8  # a shard: enough to lose seven workers in a row, few enough to journal at every bid
PATIENCE = 300  # seconds after a unit's end in which its output is still asked for
UNSIGNED = Signature(b"")  # filled in on sending: our signatures are deterministic
ANY_PRICE = 1 << 96
PLAIN = re.compile(r"[a-z_]{1,32}")  # a worker's reason for refusing, as it may enter our story


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An award under way. `failed` says why its worker gave no Ack; it may register all the same."""

    signed: SignedAward
    digest: Digest
    ack: Ack | None = None
    ack_sig: Signature = UNSIGNED
    failed: str = ""

    @property
    def bid(self) -> Bid:
        return self.signed.bid

    @property
    def register_by(self) -> int:
        return self.signed.award.register_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    index: int
    unit: UnitId
    offers: tuple[Offer, ...] = ()  # best first
    round: int = 0  # awards that died
    chosen: bool = False  # the bid window is over: whoever is best now gets the award
    placed: Placed | None = None
    spent: tuple[Address, ...] = ()  # workers whose award died
    delivered: Result | None = None
    result: Result | None = None  # the one that counts, see above
    stored: Root | None = None  # the output that is in the blob store
    phase: Phase = Phase.NONE  # a terminal one that was seen
    ended_at: int = 0
    end: str = ""  # why there will be no output of this shard
    waits: bool = volatile(False)  # a result stream waits for its Receipt
    view: UnitView | None = volatile(None)

    @property
    def now_in(self) -> Phase:
        return self.view.phase if self.view else self.phase

    @property
    def has_output(self) -> bool:
        """An error exit has root 0: there is nothing to fetch."""
        root = self.result and self.result.output_root
        return root is not None and root in (self.stored, ZERO_HASH)

    @property
    def worker(self) -> Address | None:
        if self.view:
            return self.view.terms.worker
        return self.placed.bid.worker if self.placed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    job: Hash
    task: TaskId
    request: Request
    shards: tuple[Shard, ...]  # those wanted of the request's
    avoid: tuple[Address, ...] = ()  # workers that this job was let down by
    published: bool = False
    cancelled: bool = False
    short_of: int = 0  # wei for which an award waits: noted once

    def units(self) -> tuple[UnitId, ...]:
        return tuple(shard.unit for shard in self.shards)


def begin(
    job: Hash, request: Request, task: TaskId, wanted: tuple[int, ...], avoid: tuple[Address, ...] = ()
) -> Requester:
    shards = tuple(Shard(index=i, unit=unit_id(task, i)) for i in wanted)
    return Requester(job=job, task=task, request=request, shards=shards, avoid=avoid)


def step(state: Requester, event: Event, world: World) -> tuple[Requester, tuple[Note, ...]]:
    """Total: what is not this task's changes nothing. Awards are made here, since their time is a fact."""
    notes: list[Note] = []
    promised = exposure(state, world)  # which world.exposure counts already
    match event:
        case RequestPublished(task=state.task) if not state.published:
            state = replace(state, published=True)
            notes.append(note(state.task, "request.published", shards=len(state.shards)))
        case BidHeard() if event.bid.task == state.task:
            state = _hear_bid(state, event, world, notes)
        case JobCancelled(job=state.job):
            state = replace(state, cancelled=True)
        case HeadSeen():
            views = {view.unit: view for view in event.views}
            state = _each(state, lambda shard: _look(shard, views.get(shard.unit), world, notes))
        case _:
            state = _each(state, lambda shard: _hear(shard, event, state.task, notes))
    state = _each(state, lambda shard: _lapse(state, shard, world, notes))
    return _place(state, promised, world, notes), tuple(notes)


def due(state: Requester, world: World) -> tuple[Action, ...]:
    if not state.published:
        idle = state.cancelled or not _is_open(state, world)
        return () if idle else (PublishRequest(request=state.request),)
    return tuple(action for shard in state.shards for action in _due(state, shard, world))


def finished(state: Requester, world: World) -> bool:
    return all(_over(shard) and not shard.waits for shard in state.shards)


def exposure(state: Requester, world: World) -> int:
    """Wei that my awards may still lock: those neither dead nor on the chain."""
    return sum(
        cost(state.request, shard.placed.bid.price, world.params)
        for shard in state.shards
        if shard.placed and shard.now_in is Phase.NONE and world.now <= shard.placed.register_by
    )


# ── what a job needs to know ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOutcome:
    """`result` is set when its output is here and at stake or paid; `failed` when it never will be."""

    index: int
    unit: UnitId
    worker: Address | None
    result: Result | None
    failed: str
    over: bool  # the unit has ended, nothing will change any more


def outcomes(state: Requester) -> tuple[ShardOutcome, ...]:
    return tuple(_outcome(shard) for shard in state.shards)


def _outcome(shard: Shard) -> ShardOutcome:
    at_stake = shard.now_in in (Phase.COMMITTED, Phase.REVEALED, Phase.PAID) and not shard.end
    return ShardOutcome(
        index=shard.index,
        unit=shard.unit,
        worker=shard.worker,
        result=shard.result if shard.has_output and at_stake else None,
        failed=shard.end,
        over=_over(shard),
    )


def _over(shard: Shard) -> bool:
    """Nothing more will come of this shard, and nothing is left to do on the chain."""
    never_awarded = bool(shard.end) and shard.now_in is Phase.NONE
    return never_awarded or (shard.now_in.terminal and (shard.has_output or bool(shard.end)))


# ── bids and awards ──────────────────────────────────────────────────────────────────────────────────────


def _is_open(state: Requester, world: World) -> bool:
    """Whether an award made now could still be registered and worked on."""
    return world.now + world.params.grace <= state.request.expiry


def _hear_bid(state: Requester, event: BidHeard, world: World, notes: list[Note]) -> Requester:
    bid = event.bid
    shard = next((s for s in state.shards if s.index == bid.shard), None)
    if shard is None or shard.end or any(offer.bid.worker == bid.worker for offer in shard.offers):
        return state  # a worker's first bid for a shard stands
    reason = why_not_offered(state.request, bid, event.standing, world)
    if reason:
        notes.append(note(shard.unit, f"bid.ignored.{reason}", worker=bid.worker))
        return state
    covered = event.standing.account.covered(bid.expiry)
    offer = Offer(bid=bid, digest=event.digest, sig=event.sig, covered=covered)
    ranked = sorted((*shard.offers, offer), key=lambda o: rank_key(state.request, o.bid), reverse=True)
    return _with(state, replace(shard, offers=tuple(ranked[:KEEP_OFFERS])))


def _place(state: Requester, promised: int, world: World, notes: list[Note]) -> Requester:
    """Award every shard that may have one now. `promised`: wei of my awards before this step."""
    if not state.published or state.cancelled or not _is_open(state, world):
        return state
    for shard in state.shards:
        ready = shard.chosen and not shard.placed and not shard.end and shard.now_in is Phase.NONE
        if not ready:
            continue
        budget = free_for(world, state.request.expiry) - (exposure(state, world) - promised)
        offers = [o for o in shard.offers if o.bid.worker not in (*shard.spent, *state.avoid)]
        taken = _taken(state)
        best = best_offer(state.request, offers, taken, budget, world)
        if best:
            placed = _award(state.request, best, world)
            parts = score(state.request, best.bid)
            story = note(
                shard.unit,
                "award.made",
                worker=best.bid.worker,
                price=best.bid.price,
                deposit=best.bid.deposit,
                delay=best.bid.delay,
                rep=best.bid.rep,
                score=parts.total,
                bids=len(shard.offers),
                round=shard.round,
            )
            notes.append(story)
            state = _with(state, replace(shard, placed=placed))
        elif dear := best_offer(state.request, offers, taken, ANY_PRICE, world):
            if not state.short_of:
                needed = cost(state.request, dear.bid.price, world.params)
                notes.append(note(state.task, "award.none.balance", needed=needed, free=max(budget, 0)))
                state = replace(state, short_of=needed)
        elif shard.round:
            notes.append(note(shard.unit, "shard.failed.no_more_bids", tried=len(shard.spent)))
            state = _with(state, replace(shard, end="no_more_bids"))
    return state


def _award(request: Request, offer: Offer, world: World) -> Placed:
    award = Award(
        task=offer.bid.task,
        shard=offer.bid.shard,
        bid=offer.digest,
        not_before=world.now,
        register_by=award_until(request, offer.bid, world.now, world.params),
    )
    signed = SignedAward(
        request=request,
        request_sig=UNSIGNED,
        bid=offer.bid,
        bid_sig=offer.sig,
        award=award,
        award_sig=UNSIGNED,
    )
    return Placed(signed=signed, digest=award.digest(world.domain))


def _taken(state: Requester) -> Mapping[Address, tuple[int, int]]:
    """For each worker: how many units of this task it has, and the deposits not yet locked for them."""
    units: Counter[Address] = Counter()
    wei: Counter[Address] = Counter()
    for shard in state.shards:
        if shard.placed:
            units[shard.placed.bid.worker] += 1
            wei[shard.placed.bid.worker] += shard.placed.bid.deposit
    return {worker: (units[worker], wei[worker]) for worker in units}


def _lapse(state: Requester, shard: Shard, world: World, notes: list[Note]) -> Shard:
    """What only time tells: an award that died, a shard that nobody will work on."""
    if shard.now_in is not Phase.NONE or shard.end:
        return shard
    if shard.placed:
        if world.now <= shard.placed.register_by:
            return shard
        worker = shard.placed.bid.worker
        reason = shard.placed.failed or ("not_registered" if shard.placed.ack else "no_answer")
        notes.append(note(shard.unit, "award.dead", worker=worker, reason=reason))
        shard = replace(
            shard,
            placed=None,
            spent=(*shard.spent, worker),
            round=shard.round + 1,
            delivered=None,
            result=None,
            stored=None,
        )
    if state.cancelled or not _is_open(state, world):
        end = "cancelled" if state.cancelled else "no_bids" if state.published else "not_published"
        notes.append(note(shard.unit, f"shard.failed.{end}", bids=len(shard.offers)))
        shard = replace(shard, end=end)
    return shard


# ── one shard's events ───────────────────────────────────────────────────────────────────────────────────


def _hear(shard: Shard, event: Event, task: TaskId, notes: list[Note]) -> Shard:
    placed = shard.placed
    match event:
        case BidWindowClosed(shard=shard.index, round=shard.round) if event.task == task:
            return replace(shard, chosen=True)
        case AckHeard() if placed and event.award == placed.digest and not placed.ack:
            ack, award = event.ack, placed.signed.award
            if ack.award != placed.digest or not award.not_before <= ack.start_at <= award.register_by:
                return replace(shard, placed=replace(placed, failed="bad_ack"))
            notes.append(note(shard.unit, "award.acknowledged", worker=placed.bid.worker))
            return replace(shard, placed=replace(placed, ack=ack, ack_sig=event.sig, failed=""))
        case AwardFailed() if placed and event.award == placed.digest and not placed.ack:
            if placed.failed:
                return shard
            reason = event.reason if PLAIN.fullmatch(event.reason) else "unnamed"
            notes.append(
                note(shard.unit, f"award.refused.{reason}", worker=placed.bid.worker, by="requester")
            )
            return replace(shard, placed=replace(placed, failed=reason))
        case ResultHeard(unit=shard.unit) if event.worker == shard.worker and not shard.end:
            if shard.delivered is None:
                notes.append(note(shard.unit, "result.delivered", result_hash=event.result.hash()))
                shard = replace(shard, delivered=event.result, result=shard.result or event.result)
            return replace(shard, waits=event.result == shard.delivered)
        case OutputFetched(unit=shard.unit) if shard.result and event.root == shard.result.output_root:
            return replace(shard, stored=event.root)
        case ReceiptSent(unit=shard.unit):
            return replace(shard, waits=False)
        case CallMined(unit=shard.unit):
            notes.append(note(shard.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas))
            return shard
        case _:
            return shard


FAILED_AS = {
    Phase.SLASHED: "slashed",
    Phase.REFUSED: "refused",
    Phase.UNRESOLVED: "unresolved",
}


def _look(shard: Shard, view: UnitView | None, world: World, notes: list[Note]) -> Shard:
    """Take the chain's word: for the result that is at stake, and for how the unit ended."""
    shard = replace(shard, view=view)
    if view is None:
        return shard
    if view.result and shard.result != view.result:
        if shard.delivered and shard.delivered != view.result:
            notes.append(note(shard.unit, "result.differs", worker=view.terms.worker))
        shard = replace(shard, result=view.result)
    if view.phase.terminal and view.phase is not shard.phase:
        code = f"unit.{view.phase.name.lower()}"
        notes.append(note(shard.unit, code, paid=view.paid, slashed=view.slashed, worker=view.terms.worker))
        shard = replace(shard, phase=view.phase, ended_at=world.now, end=FAILED_AS.get(view.phase, shard.end))
    withheld = shard.phase is Phase.PAID and not shard.has_output and world.now > shard.ended_at + PATIENCE
    if withheld and not shard.end:
        notes.append(note(shard.unit, "shard.failed.output_withheld", worker=view.terms.worker))
        shard = replace(shard, end="output_withheld")
    return shard


# ── what is due for a shard ──────────────────────────────────────────────────────────────────────────────


def _due(state: Requester, shard: Shard, world: World) -> tuple[Action, ...]:
    actions = (*_talk(state, shard, world), *_calls(shard, world))
    if not shard.result or not shard.worker or shard.end:
        return actions
    if not shard.has_output:
        root = shard.result.output_root
        on_chain = shard.view.output if shard.view else b""
        shown = on_chain if merkle.root(on_chain) == root else None
        return (*actions, FetchOutput(unit=shard.unit, root=root, worker=shard.worker, shown=shown))
    if shard.waits and shard.delivered == shard.result:
        receipt = Receipt(unit=shard.unit, result_hash=shard.result.hash())
        return (*actions, SendReceipt(receipt=receipt))
    return actions


def _talk(state: Requester, shard: Shard, world: World) -> tuple[Action, ...]:
    """Asking for bids, and telling the winner."""
    if shard.now_in is not Phase.NONE or shard.end:
        return ()
    placed = shard.placed
    if placed is None:
        if shard.chosen or state.cancelled:
            return ()
        seconds = world.policy.bid_window
        return (AwaitBids(task=state.task, shard=shard.index, round=shard.round, seconds=seconds),)
    if placed.ack or placed.failed or world.now > placed.register_by:
        return ()
    return (SendAward(signed=placed.signed, digest=placed.digest, timeout=world.policy.ack_timeout),)


def _calls(shard: Shard, world: World) -> tuple[Action, ...]:
    view, placed, now = shard.view, shard.placed, world.now
    if view is None or view.phase is Phase.NONE:
        promised = placed and placed.ack and placed.ack.start_at + placed.bid.delay
        if placed and placed.ack and promised and promised < now <= placed.register_by:
            registration = Registration(signed=placed.signed, ack=placed.ack, ack_sig=placed.ack_sig)
            return (RegisterAward(unit=shard.unit, registration=registration),)
        return ()
    last = timeout_after(view, world.params)
    if last is not None and now > last:
        return (TimeOut(unit=shard.unit, target=view.on_chain),)
    if view.phase is Phase.REVEALED and now > settle_after(view, world.params) + world.params.grace:
        return (Settle(unit=shard.unit, target=view.on_chain),)
    return ()


def _each(state: Requester, change: Callable[[Shard], Shard]) -> Requester:
    return replace(state, shards=tuple(map(change, state.shards)))


def _with(state: Requester, changed: Shard) -> Requester:
    shards = tuple(changed if shard.index == changed.index else shard for shard in state.shards)
    return replace(state, shards=shards)
