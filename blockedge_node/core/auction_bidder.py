"""A bidder in auctions on the chain: my part in one announced task, from its request to its winners.

    RequestHeard ─▶ FetchInput ─▶ announced: auction_bids ─▶ PostBid ─▶ leads ─▶ fixed ─▶ a Worker (worker.py)
                                       └─▶ "bid.none.<code>"   └─▶ outbid, late ─▶ "bid.lost", "bid.late"

A posted bid is an Ack (docs/protocol.md §5): none is posted before the shard's program and input are here. They are
asked for as soon as the request is heard by gossip, or seen on the chain if it never was; price, delay and deposit
are decided when the announcement is seen, by the policy that gossip bids follow.

| a bid of mine is | known by                                    | counts as                       |
|------------------|---------------------------------------------|---------------------------------|
| to be posted     | its auction takes bids, and it would lead   | exposure: it will be locked     |
| leading          | the auction's best bid is mine              | staked: the contract holds it   |
| outbid           | a better one leads                          | nothing: the deposit came back  |
| won, lost, late  | the auction is fixed: how, `end` says       | nothing: won, it is the Worker's|

Who has won is for the chain to say: the node begins the Worker from the auction's view, not from these facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from blockedge_node.core.actions import Action, FetchInput, Note, PostBid
from blockedge_node.core.auction import AuctionView, bid_of, outranks
from blockedge_node.core.bidder import bids_made
from blockedge_node.core.events import Event, HeadSeen, InputFetched, InputRefused, RequestHeard
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import Digest, TaskId, UnitId
from blockedge_node.core.policy import NoBid, auction_bids, bids_for
from blockedge_node.core.selection import score
from blockedge_node.core.task import Bid, Request, unit_id
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.world import World

PATIENCE = 60  # seconds for which a request that was only heard is waited for on the chain


@dataclass(frozen=True, slots=True, kw_only=True)
class AuctionBid:
    """`end`: won, lost (to a better one), late (it never got in) or refused (not runnable here after all)."""

    bid: Bid
    unit: UnitId
    outbid: bool = False
    end: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuctionBidder:
    task: TaskId
    request: Request
    seen_at: int
    wanted: tuple[int, ...]  # shards whose inputs are fetched: those that I would bid for
    inputs: frozenset[int] = frozenset()  # those whose program and input are here
    refusal: str = ""  # why this node cannot run it after all
    announced: bool = False  # seen on the chain: `bids` are decided
    bids: tuple[AuctionBid, ...] = ()
    newest: int = volatile(0)
    auctions: tuple[AuctionView, ...] = volatile(())

    def units(self) -> tuple[UnitId, ...]:
        return tuple(unit_id(self.task, shard) for shard in self.wanted)

    def auction(self, shard: int) -> AuctionView | None:
        return next((view for view in self.auctions if view.shard == shard), None)


def prepare(event: RequestHeard, world: World) -> AuctionBidder | None:
    """For a request that will be announced: what it takes is fetched while its announcement waits for a block.

    None where policy would not bid; the reason is told if it is announced.
    """
    made = (
        NoBid(code="program")
        if event.objection
        else bids_for(event.request, event.task, event.standing, world)
    )
    if isinstance(made, NoBid):
        return None
    return _begin(event.task, event.request, tuple(bid.shard for bid in made), world)


def begin(
    auctions: Sequence[AuctionView], newest: int, world: World
) -> tuple[AuctionBidder, tuple[Note, ...]]:
    """For the open auctions of one task, at least one."""
    first = auctions[0]
    fresh = _begin(first.task, first.request, (), world)
    return _decide(replace(fresh, auctions=tuple(auctions), newest=newest), world)


def _begin(task: TaskId, request: Request, wanted: tuple[int, ...], world: World) -> AuctionBidder:
    return AuctionBidder(task=task, request=request, seen_at=world.now, wanted=wanted)


def step(state: AuctionBidder, event: Event, world: World) -> tuple[AuctionBidder, tuple[Note, ...]]:
    """Total: what is not this task's changes nothing."""
    match event:
        case InputFetched(unit=unit, award=award) if award == Digest(unit):
            shard = next((s for s in state.wanted if unit_id(state.task, s) == unit), None)
            return (state if shard is None else replace(state, inputs=state.inputs | {shard})), ()
        case InputRefused(unit=unit, award=award) if award == Digest(unit) and unit in state.units():
            return _refuse(state, event)
        case HeadSeen():
            state = replace(state, newest=event.newest, auctions=event.auctions)
            notes: tuple[Note, ...] = ()
            if not state.announced and _takes_bids(state):
                state, notes = _decide(state, world)
            state, more = _look(state, event, world)
            return state, (*notes, *more)
        case _:
            return state, ()


def due(state: AuctionBidder, world: World) -> tuple[Action, ...]:
    return (*_fetches(state, world), *_posts(state, world))


def finished(state: AuctionBidder, world: World) -> bool:
    """Not while bids count: a fresh bidder would tell the same story again."""
    if not state.announced:
        return bool(state.refusal) or world.now > min(state.seen_at + PATIENCE, state.request.expiry)
    return all(mine.end for mine in state.bids) and not _takes_bids(state)


def exposure(state: AuctionBidder, world: World) -> tuple[int, int]:
    """Wei that bids still to be posted will lock, and how many bids, decided or only planned, are live."""
    if not state.announced:
        return 0, len(state.wanted)
    live = [mine for mine in state.bids if not mine.end]
    return sum(mine.bid.deposit for mine in live if _would_lead(state, mine)), len(live)


def staked(state: AuctionBidder, world: World) -> int:
    """Wei that the contract holds for leading bids."""
    return sum(mine.bid.deposit for mine in state.bids if not mine.end and _leads(state, mine))


# ── what to bid ──────────────────────────────────────────────────────────────────────────────────────────


def _decide(state: AuctionBidder, world: World) -> tuple[AuctionBidder, tuple[Note, ...]]:
    """Once, when the announcement is seen: a bid for each shard that I would work on and could win."""
    _, planned = exposure(state, world)
    made = auction_bids(state.request, state.task, replace(world, units=world.units - planned))
    objection = next((view.objection for view in state.auctions if view.objection), "")
    if objection:
        made = NoBid(code="program", detail=objection)
    if isinstance(made, NoBid):
        return replace(state, announced=True, wanted=()), (
            note(state.task, f"bid.none.{made.code}", detail=made.detail),
        )
    notes: list[Note] = []
    bids: list[AuctionBid] = []
    for bid in made:
        view, unit = state.auction(bid.shard), unit_id(state.task, bid.shard)
        if view is None or not view.takes_bids(state.newest):
            continue
        if not outranks(view, bid):
            notes.append(_beaten(state.task, "bid.none.outranked", view, bid))
            continue
        bids.append(AuctionBid(bid=bid, unit=unit))
    if bids:
        notes.append(bids_made([mine.bid for mine in bids]))
    wanted = tuple(mine.bid.shard for mine in bids)
    return replace(state, announced=True, bids=tuple(bids), wanted=wanted), tuple(notes)


def _fetches(state: AuctionBidder, world: World) -> tuple[Action, ...]:
    if state.refusal or world.policy.paused or (state.announced and not _takes_bids(state)):
        return ()
    return tuple(
        FetchInput(unit=unit, award=Digest(unit), request=state.request, shard=shard)
        for shard, unit in zip(state.wanted, state.units(), strict=True)
        if shard not in state.inputs
    )


def _posts(state: AuctionBidder, world: World) -> tuple[Action, ...]:
    if world.policy.paused:
        return ()
    return tuple(
        PostBid(unit=mine.unit, request=state.request, bid=mine.bid)
        for mine in state.bids
        if not mine.end and mine.bid.shard in state.inputs and _would_lead(state, mine)
    )


def _takes_bids(state: AuctionBidder) -> bool:
    return any(view.takes_bids(state.newest) for view in state.auctions)


def _leads(state: AuctionBidder, mine: AuctionBid) -> bool:
    view = state.auction(mine.bid.shard)
    return view is not None and view.leads(mine.bid.worker)


def _would_lead(state: AuctionBidder, mine: AuctionBid) -> bool:
    """Whether it still can be posted, and is worth it."""
    view = state.auction(mine.bid.shard)
    takes = view is not None and view.takes_bids(state.newest) and not view.leads(mine.bid.worker)
    return view is not None and takes and outranks(view, mine.bid)


# ── what came of it ──────────────────────────────────────────────────────────────────────────────────────


def _refuse(state: AuctionBidder, event: InputRefused) -> tuple[AuctionBidder, tuple[Note, ...]]:
    """What would be asked of me is not for this node: no bid, instead of an Ack that I could not keep."""
    if state.refusal:
        return state, ()
    bids = tuple(replace(mine, end=mine.end or "refused") for mine in state.bids)
    story = note(state.task, f"bid.none.{event.code}", detail=event.reason)
    return replace(state, refusal=event.code, bids=bids), (story,)


def _look(state: AuctionBidder, event: HeadSeen, world: World) -> tuple[AuctionBidder, tuple[Note, ...]]:
    notes: list[Note] = []
    units = {view.unit: view for view in event.views if view.phase is not Phase.NONE}
    bids = tuple(mine if mine.end else _judge(state, mine, units, world, notes) for mine in state.bids)
    return replace(state, bids=bids), tuple(notes)


def _judge(
    state: AuctionBidder, mine: AuctionBid, units: Mapping[UnitId, UnitView], world: World, notes: list[Note]
) -> AuctionBid:
    view, unit = state.auction(mine.bid.shard), units.get(mine.unit)
    if unit is not None:  # it was closed before I saw it fixed
        terms = unit.terms
        if terms.worker == mine.bid.worker:
            return replace(mine, end="won")
        notes.append(note(mine.unit, "bid.lost", winner=terms.worker, price=terms.price, delay=terms.delay))
        return replace(mine, end="lost")
    if view is None:  # a reorg took it, and may bring it back until the request is over
        return replace(mine, end="late") if world.now > state.request.expiry else mine
    over = view.lapsed or view.is_fixed(world.head.number)
    if view.leads(mine.bid.worker):
        return replace(mine, outbid=False, end="won" if over else "")
    if outranks(view, mine.bid):
        if not over:
            return mine
        why = "block" if mine.bid.shard in state.inputs else "input"
        notes.append(note(mine.unit, f"bid.late.{why}", closes_at=view.closes_at))
        return replace(mine, end="late")
    if over:
        notes.append(_beaten(mine.unit, "bid.lost", view, mine.bid))
    elif not mine.outbid:
        notes.append(_beaten(mine.unit, "bid.outbid", view, mine.bid))
    return replace(mine, outbid=True, end="lost" if over else "")


def _beaten(subject: TaskId | UnitId, code: str, view: AuctionView, bid: Bid) -> Note:
    """Why a bid does not win: by whom, and both scores."""
    assert view.best is not None, "somebody beats it"
    best = bid_of(view, view.best)
    return note(
        subject,
        code,
        winner=best.worker,
        price=best.price,
        delay=best.delay,
        score=score(view.request, best).total,
        mine=score(view.request, bid).total,
    )
