"""A requester: one task of mine, from its Request to the end of its last unit.

    PublishRequest ─▶ AwaitBids ─▶ SendAward ─▶ AckHeard ─▶ ResultHeard ─▶ FetchOutput ─▶ SendReceipt
                          ▲            │ no Ack, and registerBy is over: the next best offer
                          └────────────┘

| facts                                    | due                                             | until          |
|------------------------------------------|-------------------------------------------------|----------------|
| not published                            | PublishRequest                                  | expiry − GRACE |
| published                                | what each shard wants: the table is in shard.py | its end        |

Awards are made here, for all shards together: they share the task's bidders and my balance. They are made in
`step` and not in `due`, because their time is a fact. Where the contract chooses (`mode=ONCHAIN`), announcing.py
stands in for bids and awards: what comes of its auctions is a unit like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from blockedge_node.core import announcing, turns
from blockedge_node.core import shard as shards
from blockedge_node.core.actions import (
    Action,
    Note,
    PublishRequest,
)
from blockedge_node.core.auction import is_onchain
from blockedge_node.core.events import (
    BidHeard,
    BidWindowClosed,
    Event,
    HeadSeen,
    JobCancelled,
    RequestPublished,
    SignedAward,
)
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, TaskId, UnitId
from blockedge_node.core.policy import (
    Offer,
    award_until,
    best_offer,
    free_for,
    has_spread,
    why_not_offered,
)
from blockedge_node.core.selection import rank_key, score
from blockedge_node.core.shard import UNSIGNED, Placed, Shard, ShardOutcome
from blockedge_node.core.task import Award, Request, unit_id
from blockedge_node.core.terms import cost
from blockedge_node.core.unit import Phase
from blockedge_node.core.world import World

KEEP_OFFERS = 8  # a shard: enough to lose seven workers in a row, few enough to journal at every bid
ANY_PRICE = 1 << 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    job: Hash
    task: TaskId
    request: Request
    shards: tuple[Shard, ...]  # those wanted of the request's
    avoid: tuple[Address, ...] = ()  # workers that this job was let down by
    only: tuple[Address, ...] = ()  # the workers that its client chose; empty: anybody
    published: bool = False
    announced: int = 0  # the block in which its auctions were opened
    cancelled: bool = False
    short_of: int = 0  # wei for which an award waits: noted once
    awake_at: int = volatile(0)  # chain time at which this process first looked at it

    def units(self) -> tuple[UnitId, ...]:
        return tuple(shard.unit for shard in self.shards)


def begin(
    job: Hash,
    request: Request,
    task: TaskId,
    wanted: tuple[int, ...],
    avoid: tuple[Address, ...] = (),
    only: tuple[Address, ...] = (),
) -> Requester:
    begun = tuple(Shard(index=i, unit=unit_id(task, i)) for i in wanted)
    return Requester(job=job, task=task, request=request, shards=begun, avoid=avoid, only=only)


def step(state: Requester, event: Event, world: World) -> tuple[Requester, tuple[Note, ...]]:
    """Total: what is not this task's changes nothing."""
    notes: list[Note] = []
    promised = exposure(state, world)  # which world.exposure counts already
    if not state.awake_at:
        state = replace(state, awake_at=world.now)
    match event:
        case RequestPublished(task=state.task) if not state.published:
            state = replace(state, published=True)
            notes.append(note(state.task, "request.published", shards=len(state.shards)))
        case BidHeard() if event.bid.task == state.task:
            state = _hear_bid(state, event, world, notes)
        case BidWindowClosed(task=state.task) if is_onchain(state.request):
            state = _each(state, lambda shard: shards.close_window(shard, event))
        case BidWindowClosed(task=state.task):
            heard = _enough_workers(state, world)
            state = _each(
                state,
                lambda shard: shards.look_at_bids(
                    shard, event, _best(state, shard) if heard else None, world
                ),
            )
        case JobCancelled(job=state.job):
            state = replace(state, cancelled=True)
        case HeadSeen():
            views = {view.unit: view for view in event.views}
            state = _each(state, lambda shard: shards.look(shard, views.get(shard.unit), world, notes))
            if is_onchain(state.request):
                state = _look_at_auctions(state, event, world, notes)
        case _:
            state = _each(state, lambda shard: shards.hear(shard, event, state.task, notes))
    closed = _closed(state, world)
    if is_onchain(state.request):
        state = _each(state, lambda shard: announcing.lapse(shard, closed, world, notes))
        return _note_short(state, promised, world, notes), tuple(notes)
    state = _each(state, lambda shard: shards.lapse(shard, closed, world, notes))
    return _place(state, promised, world, notes), tuple(notes)


def due(state: Requester, world: World) -> tuple[Action, ...]:
    closed = _closed(state, world)
    checked = state.request.spot_bps != 0
    if is_onchain(state.request):
        short = bool(state.short_of)
        opened = announcing.due(state.request, state.task, state.shards, closed, short, world)
        later = (shards.due_later(shard, world) for shard in state.shards)
        return (*opened, *(action for actions in later for action in actions))
    lacking = [shard for shard in state.shards if shards.lacks_bids(shard)]
    copy = _copy(state, world)
    again = not copy or any(_best(state, shard, at=world.now) is None for shard in lacking)
    publish = (PublishRequest(request=state.request, copy=copy),)
    asking = publish if (not state.published or lacking) and again and not closed else ()
    if not state.published:
        return asking
    dues = (
        action for shard in state.shards for action in shards.due(shard, state.task, closed, checked, world)
    )
    return (*asking, *dues)


def _copy(state: Requester, world: World) -> int:
    """Said again after turns.REPEAT, then twice, four times … that long, and once after every restart: who was away,
    had no room, or was silent, may bid now."""
    return turns.copies_by(world.now - (state.awake_at or world.now))


def finished(state: Requester, world: World) -> bool:
    return all(shards.is_over(shard) and not shards.owes_receipt(shard) for shard in state.shards)


def exposure(state: Requester, world: World) -> int:
    """Wei that my awards, or the announcement, may still lock: those neither dead nor on the chain."""
    if is_onchain(state.request):
        return announcing.exposure(state.request, state.shards, world)
    return sum(
        cost(state.request, shard.placed.bid.price, world.params)
        for shard in state.shards
        if shard.placed and shard.now_in is Phase.NONE and world.now <= shard.placed.register_by
    )


# ── what a job needs to know ─────────────────────────────────────────────────────────────────────────────


def outcomes(state: Requester) -> tuple[ShardOutcome, ...]:
    return tuple(map(shards.outcome, state.shards))


# ── bids and awards ──────────────────────────────────────────────────────────────────────────────────────


def _closed(state: Requester, world: World) -> str:
    """Why no award can be made any more; empty while one could still be registered and worked on."""
    if state.cancelled:
        return "cancelled"
    if world.now + world.params.grace <= state.request.expiry:
        return ""
    if is_onchain(state.request):
        return "not_announced"
    return "no_bids" if state.published else "not_published"


def _hear_bid(state: Requester, event: BidHeard, world: World, notes: list[Note]) -> Requester:
    bid = event.bid
    shard = next((s for s in state.shards if s.index == bid.shard), None)
    if shard is None or shard.end or any(offer.bid.worker == bid.worker for offer in shard.offers):
        return state  # a worker's first bid for a shard stands
    reason = why_not_offered(state.request, bid, event.standing, world)
    if state.only and bid.worker not in state.only:
        reason = "not_chosen"
    if reason:
        notes.append(note(shard.unit, f"bid.ignored.{reason}", worker=bid.worker))
        return state
    covered = event.standing.account.covered(bid.expiry)
    offer = Offer(bid=bid, digest=event.digest, sig=event.sig, covered=covered)
    ranked = sorted((*shard.offers, offer), key=lambda o: rank_key(state.request, o.bid), reverse=True)
    return _with(state, replace(shard, offers=tuple(ranked[:KEEP_OFFERS])))


def _best(state: Requester, shard: Shard, at: int = 0) -> int | None:
    """The score of the best offer that may have this shard at the time `at`, None without one."""
    left = (
        o.bid for o in shard.offers if o.bid.worker not in (*shard.spent, *state.avoid) and o.bid.expiry >= at
    )
    return next((score(state.request, bid).total for bid in left), None)


def _enough_workers(state: Requester, world: World) -> bool:
    """Whether the task can be spread already: else its first bidder would get all of it, however good the next."""
    offers = (offer for shard in state.shards for offer in shard.offers)
    return has_spread(state.request, {offer.bid.worker for offer in offers}, world)


def _place(state: Requester, promised: int, world: World, notes: list[Note]) -> Requester:
    """Award every shard that may have one now. `promised`: wei of my awards before this step."""
    if not state.published or _closed(state, world):
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
            drawn_by = shard.secrets[-1].commit if shard.secrets else ZERO_HASH
            placed = _award(state.request, best, drawn_by, world)
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


def _award(request: Request, offer: Offer, draw_commit: Hash, world: World) -> Placed:
    award = Award(
        task=offer.bid.task,
        shard=offer.bid.shard,
        bid=offer.digest,
        draw_commit=draw_commit,
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


# ── auctions on the chain ────────────────────────────────────────────────────────────────────────────────


def _look_at_auctions(state: Requester, event: HeadSeen, world: World, notes: list[Note]) -> Requester:
    views = {view.unit: view for view in event.auctions}
    state = _each(state, lambda shard: announcing.look(shard, views.get(shard.unit), world, notes))
    first = next(iter(views.values()), None)
    if first is None or first.announced == state.announced:
        return state
    notes.append(
        note(
            state.task,
            "auction.announced",
            block=first.announced,
            closes_at=first.closes_at,
            shards=len(views),
        )
    )
    return replace(state, announced=first.announced)


def _note_short(state: Requester, promised: int, world: World, notes: list[Note]) -> Requester:
    """Whether my balance covers the announcement; told once, and looked at again at every step."""
    needed = exposure(state, world)
    free = free_for(world, state.request.expiry) + promised
    short = needed if needed > free else 0
    if short and not state.short_of:
        notes.append(note(state.task, "award.none.balance", needed=needed, free=max(free, 0)))
    return replace(state, short_of=short)


def _each(state: Requester, change: Callable[[Shard], Shard]) -> Requester:
    return replace(state, shards=tuple(map(change, state.shards)))


def _with(state: Requester, changed: Shard) -> Requester:
    return replace(state, shards=tuple(changed if s.index == changed.index else s for s in state.shards))
