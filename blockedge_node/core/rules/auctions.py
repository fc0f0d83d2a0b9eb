"""What goes on the chain before there is a unit: announcements, bids, and the end of an auction (§5 ONCHAIN)."""

from __future__ import annotations

from blockedge_node.core.actions import Announce, CloseAuction, PostBid
from blockedge_node.core.auction import is_onchain
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.node import auction_key, requester_key
from blockedge_node.core.requester import Requester
from blockedge_node.core.rules.book import Case, Rule, registrar
from blockedge_node.core.selection import why_ineligible
from blockedge_node.core.unit import Phase

RULES: list[Rule] = []
rule = registrar(RULES)


@rule("a draw secret that is not on disk is lost with a crash, and with it every check of its unit (inv. 18)")
def announce_what_is_on_disk(case: Case) -> bool:
    match case.action:
        case Announce(request=request, draw_commits=commits):
            found = case.machine(requester_key(request.task(case.world.domain)))
            if not isinstance(found, Requester) or found.request != request or not is_onchain(request):
                return True
            held = tuple(shard.secrets[-1].commit for shard in found.shards if shard.secrets)
            return (
                commits != held
                or len(held) not in (0, request.shards)
                or bool(held) != bool(request.spot_bps)
            )
        case _:
            return False


@rule("the contract takes a task once, for ever: a unit or an auction of it means that it is announced")
def announce_once(case: Case) -> bool:
    match case.action:
        case Announce(request=request):
            found = case.machine(requester_key(request.task(case.world.domain)))
            shards = found.shards if isinstance(found, Requester) else ()
            return any(shard.auction or shard.now_in is not Phase.NONE for shard in shards)
        case _:
            return False


@rule("a posted bid is an Ack: without the input it could not be kept, and it costs a tenth of the deposit")
def bid_only_with_input_and_on_disk(case: Case) -> bool:
    match case.action:
        case PostBid(request=request, bid=bid):
            found = case.machine(auction_key(bid.task))
            if not isinstance(found, AuctionBidder) or found.request != request:
                return True
            known = any(mine.bid == bid and not mine.end for mine in found.bids)
            return not known or bid.shard not in found.inputs or bid.worker != case.world.me
        case _:
            return False


@rule("a bid that the contract would not take costs its gas all the same")
def bid_is_eligible(case: Case) -> bool:
    match case.action:
        case PostBid(request=request, bid=bid):
            short_lived = bid.expiry < request.expiry
            return (
                short_lived or why_ineligible(request, bid, case.world.params, at=case.world.now) is not None
            )
        case _:
            return False


@rule("before its last block has come, closing would take a better bid's chance: the contract refuses it")
def close_only_what_is_fixed(case: Case) -> bool:
    match case.action:
        case CloseAuction(unit=unit):
            shard, worker = case.shard(unit), next((m for m in case.workers() if m.unit == unit), None)
            views = [m.auction for m in (shard, worker) if m is not None and m.auction is not None]
            return not any(view.is_fixed(case.world.head.number) and not view.lapsed for view in views)
        case _:
            return False
