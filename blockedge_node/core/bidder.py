"""A bidder: my bids for one task, from the Request that I heard to the Awards that it may bring.

    RequestHeard ──▶ bids_for ──▶ PublishBids ──▶ AwardHeard ──▶ a Worker for that Award (worker.py)
                        │                             └──▶ RefuseAward, with a reason the requester can read
                        └──▶ "bid.none.<code>": no bidder at all

| a bid of mine is | known by                                   | counts as exposure |
|------------------|--------------------------------------------|--------------------|
| live             | not expired, its unit not on the chain     | yes                |
| won              | an Award for it was accepted               | no: the Worker's   |
| lost             | a view shows its unit with another worker  | no                 |
| expired          | now > bid.expiry                           | no                 |

A request that is heard again still lacks bids: what room there is by then goes to its other shards. The machine
is over when no bid is live and none can be added. Nothing is signed here: a bid's bytes follow from its fields,
and the same bid is published again after a restart. A bid is good for one Award, ever: two would be two salts
that may meet in one slot, and a requester that equivocates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core.actions import Action, Note, PublishBids, RefuseAward
from blockedge_node.core.events import AwardHeard, Event, HeadSeen, RefusalSent, RequestHeard
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import Digest, TaskId, UnitId
from blockedge_node.core.policy import NoBid, bids_for, registers_first, why_refused
from blockedge_node.core.task import Bid, Request, unit_id
from blockedge_node.core.terms import terms_of
from blockedge_node.core.unit import Phase
from blockedge_node.core.worker import Worker
from blockedge_node.core.world import World

PUBLISH_FOR = 30  # seconds after hearing a request in which its bids are worth publishing, again if need be


@dataclass(frozen=True, slots=True, kw_only=True)
class MyBid:
    bid: Bid
    digest: Digest
    unit: UnitId
    won: bool = False
    lost: bool = False

    def is_live(self, now: int) -> bool:
        return not self.won and not self.lost and now <= self.bid.expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class Bidder:
    task: TaskId
    request: Request
    heard_at: int
    bids: tuple[MyBid, ...]
    refusing: tuple[tuple[Digest, str], ...] = volatile(())  # streams that wait for a refusal
    asked_at: int = volatile(0)  # when its request was last heard, if again
    copies: int = volatile(0)  # how often it was heard again

    def units(self) -> tuple[UnitId, ...]:
        return tuple(mine.unit for mine in self.bids)


def begin(event: RequestHeard, world: World) -> tuple[Bidder | None, tuple[Note, ...]]:
    """The bidder for a Request, or the reason why there is none."""
    made: tuple[Bid, ...] | NoBid = NoBid(code="program", detail=event.objection)
    if not event.objection:
        made = bids_for(event.request, event.task, event.standing, world)
    if isinstance(made, NoBid):
        return None, (note(event.task, f"bid.none.{made.code}", detail=made.detail),)
    mine, story = _mine(made, world)
    return Bidder(task=event.task, request=event.request, heard_at=world.now, bids=mine), (story,)


def _mine(made: tuple[Bid, ...], world: World) -> tuple[tuple[MyBid, ...], Note]:
    """New bids as the machine keeps them, and their line of the story."""
    first = made[0]
    story = note(
        first.task,
        "bid.made",
        bids=len(made),
        shard=first.shard,
        price=first.price,
        deposit=first.deposit,
        delay=first.delay,
        rep=first.rep,
    )
    mine = (
        MyBid(bid=bid, digest=bid.digest(world.domain), unit=unit_id(bid.task, bid.shard)) for bid in made
    )
    return tuple(mine), story


def step(state: Bidder, event: Event, world: World) -> tuple[Bidder, tuple[Note, ...]]:
    """Total: what is not this task's changes nothing. Awards come through `answer`."""
    match event:
        case RequestHeard(task=state.task):  # somebody still looks for bids, and may have missed mine
            return _bid_again(replace(state, asked_at=world.now, copies=state.copies + 1), event, world)
        case RefusalSent(award=award):
            waiting = tuple(pair for pair in state.refusing if pair[0] != award)
            if waiting != state.refusing:
                state = replace(state, refusing=waiting)
            return state, ()
        case HeadSeen():
            return _look(state, event, world)
        case _:
            return state, ()


def _bid_again(state: Bidder, event: RequestHeard, world: World) -> tuple[Bidder, tuple[Note, ...]]:
    """Bids for further shards, if bids that were lost since, or units that ended, have made room."""
    so_far = [mine.bid.shard for mine in state.bids]
    made = bids_for(state.request, state.task, event.standing, world, made=so_far)
    if event.objection or isinstance(made, NoBid) or not made:
        return state, ()
    mine, story = _mine(made, world)
    return replace(state, bids=(*state.bids, *mine)), (story,)


def answer(
    state: Bidder, event: AwardHeard, outstanding: int, world: World
) -> tuple[Bidder, Worker | None, tuple[Note, ...]]:
    """A Worker for this Award if it is good, else its refusal. `outstanding` as in policy.why_refused."""
    award = event.signed.award
    mine = next((m for m in state.bids if m.digest == award.bid and m.bid == event.signed.bid), None)
    if (
        mine is None
        or event.signed.request != state.request
        or (award.task, award.shard) != (state.task, mine.bid.shard)
    ):
        return refuse(state, event, "no_such_bid")
    if not mine.is_live(world.now):
        return refuse(state, event, "taken" if mine.won or mine.lost else "bid_expired")
    reason = why_refused(event.signed, event.standing, outstanding, world)
    if reason:
        return refuse(state, event, reason)
    terms = terms_of(state.request, mine.bid, award, world.params)
    worker = Worker(
        task=state.task,
        unit=mine.unit,
        award=event.digest,
        signed=event.signed,
        terms=terms,
        registers_first=registers_first(event.signed, event.standing, outstanding, world),
        asked=True,
    )
    story = note(
        mine.unit,
        "award.accepted",
        requester=state.request.requester,
        price=mine.bid.price,
        register_by=award.register_by,
        registers_first=int(worker.registers_first),
    )
    bids = tuple(replace(m, won=True) if m is mine else m for m in state.bids)
    return replace(state, bids=bids), worker, (story,)


def refuse(state: Bidder, event: AwardHeard, reason: str) -> tuple[Bidder, None, tuple[Note, ...]]:
    story = note(
        unit_id(event.signed.award.task, event.signed.award.shard), f"award.refused.{reason}", by="worker"
    )
    waiting = {**dict(state.refusing), event.digest: reason}
    return replace(state, refusing=tuple(waiting.items())), None, (story,)


def due(state: Bidder, world: World) -> tuple[Action, ...]:
    """All bids as they were made, while somebody may be choosing; and refusals that streams wait for."""
    refusals = tuple(RefuseAward(award=award, reason=reason) for award, reason in state.refusing)
    if world.now > max(state.heard_at, state.asked_at) + PUBLISH_FOR or world.policy.paused:
        return refusals
    return (PublishBids(bids=tuple(mine.bid for mine in state.bids), copy=state.copies), *refusals)


def finished(state: Bidder, world: World) -> bool:
    """Not while its request may ask again for shards that I have not bid for: a fresh bidder would know nothing
    of the bids that were lost, and make the same ones for ever."""
    waits = len(state.bids) < state.request.shards and world.now <= state.request.expiry
    return not waits and not state.refusing and not any(mine.is_live(world.now) for mine in state.bids)


def exposure(state: Bidder, world: World) -> tuple[int, int]:
    """Wei that my live bids here may still lock, and how many they are."""
    live = [mine.bid.deposit for mine in state.bids if mine.is_live(world.now)]
    return sum(live), len(live)


def _look(state: Bidder, event: HeadSeen, world: World) -> tuple[Bidder, tuple[Note, ...]]:
    taken = {view.unit: view for view in event.views if view.phase is not Phase.NONE}
    notes: list[Note] = []
    bids: list[MyBid] = []
    for mine in state.bids:
        view = taken.get(mine.unit)
        if view and not mine.lost and view.terms.worker != world.me:
            notes.append(
                note(
                    mine.unit,
                    "bid.lost",
                    winner=view.terms.worker,
                    price=view.terms.price,
                    delay=view.terms.delay,
                )
            )
            mine = replace(mine, lost=True)
        bids.append(mine)
    return (replace(state, bids=tuple(bids)), tuple(notes)) if notes else (state, ())
