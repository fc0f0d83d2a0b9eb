"""announce, postBid and closeAuction: how a unit finds its worker on the chain (§5, ONCHAIN).

announce ── block b ──▶ postBid in blocks b+1 … b+BID_BLOCKS ──▶ closeAuction ─▶ a unit, acknowledged now
                                                                      └────────▶ nothing: no bid, or too late
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash
from blockedge_node.core.reputation import protocol_fee, score
from blockedge_node.core.selection import rank_key
from blockedge_node.core.selection import score as score_of
from blockedge_node.core.task import Bid, Mode, Request, unit_id
from tests.model.objections import require
from tests.model.registering import flaws_of_request, register, rules_of_bid, terms_of
from tests.model.world import Lot, World

CHECKED_SHARDS = 64  # of an announced Request that is spot-checked, at most


def offer(world: World, request: Request) -> int:
    """What the requester locks for a shard until its price is known."""
    return request.max_price + protocol_fee(request.max_price, world.params) + request.check_fee


def announce(world: World, sender: Address, request: Request, draw_commits: Sequence[Hash]) -> None:
    task = request.task(world.domain)
    needed = request.shards if request.spot_bps else 0
    escrow = request.shards * offer(world, request)
    require(
        (sender != request.requester, "BadSignature"),
        *((True, flaw) for flaw in flaws_of_request(world, request, Mode.ONCHAIN)),
        (request.shards == 0 or needed > CHECKED_SHARDS, "BadTerms(shards)"),
        (world.params.vwin(request.fuel) > world.params.vwin_max, "BadTerms(fuel)"),
        (len(draw_commits) != needed, "BadLength"),
        (ZERO_HASH in draw_commits, "BadTerms(drawCommit)"),
        (world.now > request.expiry, "TooLate"),
        (task in world.announced, "BadPhase"),
        (world.books.free(request.requester) < escrow, "Insolvent"),
    )
    world.books.lock(request.requester, escrow)
    closes_at = world.block + world.params.bid_blocks
    world.announced[task] = closes_at, tuple(draw_commits)
    for shard in range(request.shards):
        world.lots[unit_id(task, shard)] = Lot(request=request, task=task, shard=shard, closes_at=closes_at)
    world.emit("Announced", task=task, requester=request.requester, closesAt=closes_at)


def post_bid(world: World, sender: Address, request: Request, bid: Bid) -> None:
    task = request.task(world.domain)
    if task not in world.announced:
        require((True, "BadPhase"), (sender != bid.worker, "BadSignature"))
    closes_at, _ = world.announced[task]
    lot = world.lots.get(unit_id(task, bid.shard))
    reputation = score(world.reps[bid.worker], world.now, world.params)
    counted = replace(bid, rep=reputation)  # whatever the bid says
    leader = lot.best if lot else None
    back = leader.deposit if leader and leader.worker == bid.worker else 0
    require(
        (sender != bid.worker, "BadSignature"),
        (world.block <= closes_at - world.params.bid_blocks, "TooEarly"),
        (world.block > closes_at or world.now > request.expiry, "TooLate"),
        (bid.shard >= request.shards, "BadTerms(shard)"),
        (bid.expiry < request.expiry, "Ineligible(expiry)"),
        *rules_of_bid(world, request, task, bid.shard, counted),
        (leader is not None and rank_key(request, counted) <= rank_key(request, leader), "Unranked"),
        (world.books.free(bid.worker) + back < bid.deposit, "Insolvent"),
    )
    assert lot is not None, "an announced shard"
    if leader is not None:
        unlock(world, leader.worker, leader.deposit)
        world.emit("Outbid", unit=lot.unit, worker=leader.worker, deposit=leader.deposit)
    world.books.lock(bid.worker, bid.deposit)
    lot.best = counted
    world.emit(
        "BidPosted",
        unit=lot.unit,
        worker=bid.worker,
        price=bid.price,
        deposit=bid.deposit,
        delay=bid.delay,
        rep=reputation,
        score=score_of(request, counted).total,
    )


def close_auction(
    world: World, sender: Address, request: Request, shard: int, draw_commits: Sequence[Hash]
) -> None:
    task = request.task(world.domain)
    require((task not in world.announced, "BadPhase"))
    closes_at, announced = world.announced[task]
    unit = unit_id(task, shard)
    lot = world.lots.get(unit)
    require(
        (world.block <= closes_at, "TooEarly"),
        (tuple(draw_commits) != announced, "BadOpening(drawCommits)"),
        (lot is None, "BadTerms(shard)"),
        (unit in world.units or (lot is not None and lot.lapsed), "BadPhase"),
    )
    assert lot is not None, "an announced shard"
    best, lot.best = lot.best, None
    unlock(world, request.requester, offer(world, request))
    if best is not None:
        unlock(world, best.worker, best.deposit)
    if best is None or world.now > request.expiry:
        lot.lapsed = True
        worker, deposit = (best.worker, best.deposit) if best else (ZERO_ADDRESS, 0)
        world.emit("Lapsed", unit=unit, worker=worker, deposit=deposit)
        return
    world.emit("Requested", task=task)
    draw_commit = announced[best.shard] if announced else ZERO_HASH
    register(world, terms_of(world, request, best, draw_commit), world.now)


def unlock(world: World, who: Address, amount: int) -> None:
    world.books.split([(who, amount)], [(who, amount)])
