"""A bidder: my bids for one task, from the Request that I heard to the Awards that it may bring.

    RequestHeard ──▶ bids_for ──▶ AwaitTurn ──▶ PublishBids ──▶ AwardHeard ──▶ a Worker for that Award (worker.py)
                        │             │                             └──▶ RefuseAward, with a reason for its requester
                        │             └──▶ "bid.silent": a better bid was heard (turns.py)
                        └──▶ "bid.none.<code>": no bidder at all

| a bid of mine is | known by                                   | counts as exposure |
|------------------|--------------------------------------------|--------------------|
| live             | not expired, its unit not on the chain     | yes                |
| silent           | at its turn a better bid was known         | no: nobody has it  |
| won              | an Award for it was accepted               | no: the Worker's   |
| lost             | a view shows its unit with another worker  | no                 |
| expired          | now > bid.expiry                           | no                 |

Each shard's bid is silenced for itself, by bids that its requester would consider: signed, covered by escrow,
eligible, and with the reputation that the chain shows. A lie that anybody can tell silences nobody.

A request that is heard again still lacks bids: what room there is by then goes to its other shards, what was said
is said again, and what was silent has another turn, at which it takes more better bids to silence it. The machine is
over when no bid is live and none can be added. Nothing is signed here: a bid's bytes follow from its fields, and
the same bid is published again after a restart. A bid is good for one Award, ever: two would be two salts that may
meet in one slot, and a requester that equivocates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blockedge_node.core import turns
from blockedge_node.core.actions import Action, AwaitTurn, Note, PublishBids, RefuseAward
from blockedge_node.core.events import (
    AwardHeard,
    BidHeard,
    Event,
    HeadSeen,
    RefusalSent,
    RequestHeard,
    TurnCame,
)
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import Address, Digest, TaskId, UnitId
from blockedge_node.core.policy import (
    NoBid,
    bids_for,
    has_room,
    registers_first,
    why_not_offered,
    why_refused,
)
from blockedge_node.core.selection import outranks
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
    said: bool = True  # published, or about to be
    silent: bool = False  # at its turn better bids were known
    better: tuple[Address, ...] = volatile(())  # who has made one, until mine is said

    def is_live(self, now: int) -> bool:
        return not self.won and not self.lost and not self.silent and now <= self.bid.expiry

    def waits(self, now: int) -> bool:
        """Whether it may still be said."""
        return not self.said and not self.lost and now <= self.bid.expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class Bidder:
    task: TaskId
    request: Request
    heard_at: int
    bids: tuple[MyBid, ...]
    refusing: tuple[tuple[Digest, str], ...] = volatile(())  # streams that wait for a refusal
    asked_at: int = volatile(0)  # when its request was last heard, if again
    copies: int = volatile(0)  # how often it was heard again
    wait: float = volatile(0.0)  # seconds from hearing it to my turn
    turns: int = volatile(0)  # that I have had: one for each time it was heard

    def units(self) -> tuple[UnitId, ...]:
        return tuple(mine.unit for mine in self.bids)


def begin(event: RequestHeard, world: World) -> tuple[Bidder | None, tuple[Note, ...]]:
    """The bidder for a Request, or the reason why there is none."""
    made: tuple[Bid, ...] | NoBid = NoBid(code="program", detail=event.objection)
    if not event.objection:
        made = bids_for(event.request, event.task, event.standing, world)
    if isinstance(made, NoBid):
        return None, (note(event.task, f"bid.none.{made.code}", detail=made.detail),)
    wait = turns.schedule(world).turn(event.request, made[0])
    mine, story = _mine(made, said=not wait, world=world)
    begun = Bidder(task=event.task, request=event.request, heard_at=world.now, bids=mine, wait=wait)
    return begun, (story,)


def _mine(made: tuple[Bid, ...], *, said: bool, world: World) -> tuple[tuple[MyBid, ...], Note]:
    """New bids as the machine keeps them, and their line of the story."""
    mine = (
        MyBid(bid=bid, digest=bid.digest(world.domain), unit=unit_id(bid.task, bid.shard), said=said)
        for bid in made
    )
    return tuple(mine), bids_made(made)


def bids_made(made: Sequence[Bid]) -> Note:
    """The line of the story about new bids for one task, by gossip or on the chain: they differ in little."""
    first = made[0]
    return note(
        first.task,
        "bid.made",
        bids=len(made),
        shard=first.shard,
        price=first.price,
        deposit=first.deposit,
        delay=first.delay,
        rep=first.rep,
    )


def step(state: Bidder, event: Event, world: World) -> tuple[Bidder, tuple[Note, ...]]:
    """Total: what is not this task's changes nothing. Awards come through `answer`."""
    match event:
        case RequestHeard(task=state.task):  # somebody still looks for bids, and may have missed mine
            return _bid_again(replace(state, asked_at=world.now, copies=state.copies + 1), event, world)
        case BidHeard() if event.bid.task == state.task:
            return _hear_rival(state, event, world), ()
        case TurnCame(task=state.task) if event.copy == state.copies and state.turns <= state.copies:
            return _take_turn(replace(state, turns=state.copies + 1), world)
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
    mine, story = _mine(made, said=not state.wait, world=world)
    return replace(state, bids=(*state.bids, *mine)), (story,)


def _hear_rival(state: Bidder, event: BidHeard, world: World) -> Bidder:
    """Who is better than me, shard by shard; of bids that its requester would consider as well."""
    bid = event.bid
    at = next((i for i, mine in enumerate(state.bids) if mine.bid.shard == bid.shard), None)
    if at is None or not (mine := state.bids[at]).waits(world.now) or bid.worker in (world.me, *mine.better):
        return state
    if len(mine.better) >= turns.silencing(state.copies + 1):
        return state  # as many as could matter before the request is heard again
    if not outranks(state.request, bid, mine.bid) or why_not_offered(
        state.request, bid, event.standing, world
    ):
        return state
    known = replace(mine, better=(*mine.better, bid.worker))
    return replace(state, bids=(*state.bids[:at], known, *state.bids[at + 1 :]))


def _take_turn(state: Bidder, world: World) -> tuple[Bidder, tuple[Note, ...]]:
    """Say what nobody has bettered. Copies that come sooner than a requester's break no silence."""
    asked = min(state.copies, turns.copies_by(world.now - state.heard_at))
    enough = turns.silencing(asked)
    bids: list[MyBid] = []
    notes: list[Note] = []
    for mine in state.bids:
        if mine.waits(world.now):
            full = mine.silent and not has_room(mine.bid, world)  # its deposit was promised elsewhere
            if full or len(mine.better) >= enough:
                if not mine.silent:
                    notes.append(note(mine.unit, "bid.silent", better=len(mine.better), by=mine.better[0]))
                mine = replace(mine, silent=True)
            else:
                mine = replace(mine, said=True, silent=False)
                world = replace(world, exposure=world.exposure + mine.bid.deposit, units=world.units + 1)
        bids.append(mine)
    return replace(state, bids=tuple(bids)), tuple(notes)


def answer(
    state: Bidder, event: AwardHeard, outstanding: int, world: World
) -> tuple[Bidder, Worker | None, tuple[Note, ...]]:
    """A Worker for this Award if it is good, else its refusal. `outstanding` as in policy.why_refused."""
    award = event.signed.award
    mine = next((m for m in state.bids if m.digest == award.bid and m.bid == event.signed.bid), None)
    if (
        mine is None
        or not mine.said
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
    """While somebody may be choosing, all bids that were said, and the turn of others; refusals that streams want."""
    refusals = tuple(RefuseAward(award=award, reason=reason) for award, reason in state.refusing)
    if world.now > max(state.heard_at, state.asked_at) + PUBLISH_FOR or world.policy.paused:
        return refusals
    said = tuple(mine.bid for mine in state.bids if mine.said)
    publish = (PublishBids(bids=said, copy=state.copies),) if said else ()
    turn: tuple[Action, ...] = ()
    if state.turns <= state.copies and any(mine.waits(world.now) for mine in state.bids):
        turn = (AwaitTurn(task=state.task, copy=state.copies, seconds=state.wait),)
    return (*publish, *turn, *refusals)


def finished(state: Bidder, world: World) -> bool:
    """Not while its request may ask again for shards that I have not bid for: a fresh bidder would know nothing
    of the bids that were lost, and make the same ones for ever, or of those that silenced mine."""
    unsaid = any(mine.waits(world.now) for mine in state.bids)
    waits = (unsaid or len(state.bids) < state.request.shards) and world.now <= state.request.expiry
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
