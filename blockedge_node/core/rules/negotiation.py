"""What is promised before the chain knows of it: requests, bids, awards, Acks, and the work itself."""

from __future__ import annotations

from blockedge_node.core.actions import (
    PublishBids,
    PublishRequest,
    RefuseAward,
    SendAck,
    SendAward,
    Solve,
)
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.node import bidder_key, requester_key
from blockedge_node.core.requester import Requester
from blockedge_node.core.rules.book import Case, Rule, registrar
from blockedge_node.core.selection import why_ineligible
from blockedge_node.core.task import unit_id
from blockedge_node.core.unit import Phase

RULES: list[Rule] = []
rule = registrar(RULES)


# ── asking and bidding ───────────────────────────────────────────────────────────────────────────────────


@rule("a request names its payer: nobody spends another's escrow, and a retry must find its facts again")
def request_is_mine_and_on_disk(case: Case) -> bool:
    match case.action:
        case PublishRequest(request=request):
            found = case.machine(requester_key(request.task(case.world.domain)))
            known = isinstance(found, Requester) and found.request == request
            return not known or request.requester != case.world.me
        case _:
            return False


@rule("a bid is a promise with a deposit: it must be on disk, in my name, and one the contract would accept")
def bids_are_mine_and_eligible(case: Case) -> bool:
    match case.action:
        case PublishBids(bids=bids):
            found = case.machine(bidder_key(bids[0].task))
            if not isinstance(found, Bidder):
                return True
            known = {mine.bid for mine in found.bids if mine.said}
            request, params, at = found.request, case.world.params, found.heard_at
            return any(
                bid not in known or bid.worker != case.world.me or why_ineligible(request, bid, params, at=at)
                for bid in bids
            )
        case _:
            return False


# ── awards and acknowledgements ──────────────────────────────────────────────────────────────────────────


@rule("an award that is not on disk could be followed by another for the same shard")
def award_is_on_disk(case: Case) -> bool:
    match case.action:
        case SendAward(signed=signed, digest=digest):
            shard = case.shard(unit_id(signed.award.task, signed.award.shard))
            return not (
                shard and shard.placed and (shard.placed.digest, shard.placed.signed) == (digest, signed)
            )
        case _:
            return False


@rule("two awards of one shard with overlapping [notBefore, registerBy] are proof of equivocation (§2.1)")
def awards_of_a_shard_never_overlap(case: Case) -> bool:
    match case.action:
        case SendAward(signed=signed):
            new = signed.award
            others = case.sent.awards.get(unit_id(new.task, new.shard), {}).values()
            return any(
                old != new and old.not_before <= new.register_by and new.not_before <= old.register_by
                for old in others
            )
        case _:
            return False


@rule("an award outside these times reverts at registration, so its worker would work for nothing (§2.1)")
def award_times_are_registrable(case: Case) -> bool:
    match case.action:
        case SendAward(signed=signed):
            award, request, bid = signed.award, signed.request, signed.bid
            last = min(award.not_before + case.world.params.max_award, request.expiry, bid.expiry)
            return not award.not_before < award.register_by <= last or case.world.now > award.register_by
        case _:
            return False


@rule("an Ack promises a result: only who holds the input can keep it, and only while it counts (§2.1)")
def ack_only_with_input_and_in_time(case: Case) -> bool:
    match case.action:
        case SendAck(award=digest, ack=ack):
            mine = case.worker(digest)
            if mine is None or not mine.signed or not mine.input or mine.refusal or ack.award != digest:
                return True
            award = mine.signed.award
            late = case.world.now > award.register_by
            return late or not award.not_before <= ack.start_at <= award.register_by
        case _:
            return False


@rule("a refusal after a commitment would talk a requester out of work that it must pay for")
def refuse_only_what_is_not_done(case: Case) -> bool:
    match case.action:
        case RefuseAward(award=digest):
            mine = case.worker(digest)
            return mine is not None and (mine.solved is not None or not mine.refusal)
        case _:
            return False


@rule("work on a dead award, or without input, earns nothing")
def solve_only_what_can_be_committed(case: Case) -> bool:
    match case.action:
        case Solve(award=digest):
            mine = case.worker(digest)
            if mine is None or not mine.input or mine.solved is not None:
                return True
            if mine.phase is Phase.NONE:
                return mine.registers_first or case.world.now > mine.register_by
            return mine.phase is not Phase.ASSIGNED or not mine.is_mine
        case _:
            return False
