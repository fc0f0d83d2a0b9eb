"""A requester's part in the auctions of a task: announce, wait, close what nobody closes (docs/protocol.md §5).

    PublishRequest ──▶ bidders fetch the inputs
    AwaitBids (no time at all: the draw secrets) ──▶ Announce ──▶ fixed ──▶ the winner closes ──▶ as after an Award
                                                                    └─▶ nobody bid: CloseAuction ─▶ "no_bids"

| a shard's auction  | facts                    | due                                     | from … until         |
|--------------------|--------------------------|-----------------------------------------|----------------------|
| –                  | not every shard's secret | AwaitBids                               | … expiry − GRACE     |
| –                  | all secrets on disk      | PublishRequest; Announce, if covered    | … expiry − least life|
| takes bids         |                          | nothing: the contract chooses           | … closesAt           |
| fixed, no bid      |                          | CloseAuction: my lock comes back        |                      |
| fixed, a bid       |                          | CloseAuction, if the winner does not    | closesAt + PATIENCE …|
| lapsed             |                          | nothing: the job asks again             |                      |
| none: it is a unit |                          | what shard.py says                      |                      |

An announcement cannot be taken back: a job that is cancelled afterwards still gets, and pays, what was bid for.
Which secrets belong to a task is settled before it is announced; a reorg that takes the announcement back brings
the same one again, and the contract takes a task once, for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from blockedge_node.core import shard as shards
from blockedge_node.core.actions import Action, Announce, AwaitBids, CloseAuction, Note, PublishRequest
from blockedge_node.core.auction import AuctionView, bid_of, escrow, least_life
from blockedge_node.core.facts import note
from blockedge_node.core.ids import Hash, TaskId
from blockedge_node.core.selection import score
from blockedge_node.core.shard import Shard
from blockedge_node.core.task import Request
from blockedge_node.core.unit import Phase
from blockedge_node.core.world import World

PATIENCE = 3  # blocks that a winner has for closing: it sees the end, sends, misses one


def look(shard: Shard, auction: AuctionView | None, world: World, notes: list[Note]) -> Shard:
    """Take the chain's word: who has won, once that is fixed. The story tells it once, unless a reorg changes it."""
    fixed = auction is not None and auction.is_fixed(world.head.number)
    best = auction.best if auction and fixed and not auction.lapsed else None
    shard = replace(shard, auction=auction)
    if best is None or best.worker == shard.winner:
        return shard
    assert auction is not None, "it has a best bid"
    bid = bid_of(auction, best)
    story = note(
        shard.unit,
        "auction.won",
        worker=best.worker,
        price=best.price,
        deposit=best.deposit,
        delay=best.delay,
        rep=best.rep,
        score=score(auction.request, bid).total,
        bids=auction.count,
    )
    notes.append(story)
    return replace(shard, winner=best.worker)


def lapse(shard: Shard, closed: str, world: World, notes: list[Note]) -> Shard:
    """The end of a shard that will have no unit. `closed` as in shards.lapse: an announcement is beyond recall."""
    if shard.end or shard.now_in is not Phase.NONE:
        return shards.lapse(shard, "", world, notes)
    auction = shard.auction
    if auction is None and closed:
        end = closed
    elif auction is not None and auction.lapsed:
        end = "auction_lapsed" if auction.bids else "no_bids"
    else:
        return shard
    notes.append(note(shard.unit, f"shard.failed.{end}", bids=auction.count if auction else 0))
    return replace(shard, end=end)


def is_pending(asked: Iterable[Shard]) -> bool:
    """Whether these shards still wait for their announcement, as far as the chain shows."""
    return all(shard.auction is None and shard.now_in is Phase.NONE and not shard.end for shard in asked)


def commits(request: Request, asked: Sequence[Shard]) -> tuple[Hash, ...] | None:
    """What `announce` commits the draws to: one a shard, () where nothing is drawn; None while any is missing."""
    if not all(shard.chosen for shard in asked):
        return None
    return tuple(shard.secrets[-1].commit for shard in asked) if request.spot_bps else ()


def due(
    request: Request, task: TaskId, asked: Sequence[Shard], closed: str, short: bool, world: World
) -> list[Action]:
    """What the whole task wants. `short`: my balance does not cover the announcement."""
    actions: list[Action] = []
    if is_pending(asked) and not closed:
        secret = request.spot_bps != 0
        actions += [
            AwaitBids(task=task, shard=shard.index, round=0, seconds=0.0, secrets=secret)
            for shard in asked
            if not shard.chosen
        ]
        committed = commits(request, asked)
        if committed is not None:
            actions.append(PublishRequest(request=request))
            if not short and world.now + least_life(world.params, world.policy.block_time) <= request.expiry:
                actions.append(Announce(unit=asked[0].unit, request=request, draw_commits=committed))
    actions += [
        _close(shard, shard.auction) for shard in asked if shard.auction and _closes(shard.auction, world)
    ]
    return actions


def exposure(request: Request, asked: Sequence[Shard], world: World) -> int:
    """Wei that an announcement will lock: 0 once it has, or nothing can be announced any more."""
    return escrow(request, world.params) if is_pending(asked) and world.now <= request.expiry else 0


def _closes(auction: AuctionView, world: World) -> bool:
    """Whether it is for me to close it: without a bid at once, else if the winner does not, or no longer can."""
    head = world.head.number
    if auction.lapsed or not auction.is_fixed(head):
        return False
    return auction.best is None or head >= auction.closes_at + PATIENCE or world.now > auction.request.expiry


def _close(shard: Shard, auction: AuctionView) -> CloseAuction:
    return CloseAuction(
        unit=shard.unit, request=auction.request, shard=shard.index, draw_commits=auction.draw_commits
    )
