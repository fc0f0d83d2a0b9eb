"""award and awardCommit: how an agreement becomes a unit (§2.1 "What registration checks", §5)."""

from __future__ import annotations

from collections.abc import Sequence

from blockedge_node.core.hashing import Domain
from blockedge_node.core.ids import ZERO_HASH, Address, Hash
from blockedge_node.core.selection import COURT_SEATS, MAX_DELAY, least_deposit, rank_key
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Bid, Kind, Mode, Request
from blockedge_node.core.unit import Phase, Terms
from blockedge_node.errors import PeerError
from blockedge_node.wire.eip712 import recover
from tests.model.calls import UNSIGNED, AwardItem
from tests.model.objections import Refused, Rule, broken, require
from tests.model.world import Unit, World

PPM = 1_000_000


def award(world: World, sender: Address, requests: Sequence[Request], items: Sequence[AwardItem]) -> None:
    _refuse_flaws(world, sender, requests, items)
    for item in items:
        terms, start_at = _agreed(world, sender, requests[item.request], item)
        if reasons := _obstacles(world, terms, item):
            world.emit("Skipped", unit=terms.unit, reason=reasons)
        else:
            register(world, terms, start_at)


def award_commit(
    world: World,
    sender: Address,
    requests: Sequence[Request],
    items: Sequence[AwardItem],
    commitments: Sequence[Hash],
) -> None:
    require((len(commitments) != len(items), "BadLength"))
    _refuse_flaws(world, sender, requests, items, by_worker=True)
    for item, commitment in zip(items, commitments, strict=True):
        terms, start_at = _agreed(world, sender, requests[item.request], item)
        there = world.units.get(terms.unit)
        if there is not None and there.phase == Phase.ASSIGNED:
            starts = (0, item.award.not_before, item.ack.start_at)
            same = there.terms == terms and there.start_at in starts
            reasons = broken((not same, "BadUnit"), (world.now > world.result_by(there), "TooLate"))
        else:
            reasons = _obstacles(world, terms, item)
        if reasons:
            world.emit("Skipped", unit=terms.unit, reason=reasons)
            continue
        if there is None:
            there = register(world, terms, start_at)
        commit_to(world, there, commitment)


def commit_to(world: World, unit: Unit, commitment: Hash) -> None:
    unit.commitment = commitment
    unit.phase = unit.active = Phase.COMMITTED
    unit.since = unit.committed_at = world.now
    world.emit("Committed", unit=unit.id, commitment=commitment)


def signed(sender: Address, signer: Address, struct: Struct, sig: bytes, domain: Domain) -> bool:
    """Nobody signs what it sends itself."""
    if signer == sender:
        return True
    try:
        return recover(struct.digest(domain), sig) == signer
    except PeerError:
        return False


# ── what the calldata shows ──────────────────────────────────────────────────────────────────────────────


def _refuse_flaws(
    world: World,
    sender: Address,
    requests: Sequence[Request],
    items: Sequence[AwardItem],
    *,
    by_worker: bool = False,
) -> None:
    reasons = set[str]()
    for request in requests:
        reasons |= flaws_of_request(world, request)
    for item in items:
        reasons |= (
            _flaws_of_award(world, sender, requests[item.request], item)
            if item.request < len(requests)
            else {"Panic"}  # an index out of bounds
        )
        if by_worker and (not item.bids or item.bids[0].worker != sender):
            reasons.add("BadSignature")
    if reasons:
        raise Refused(reasons)
    for request in requests:
        world.emit("Requested", task=request.task(world.domain))


def flaws_of_request(world: World, request: Request, way: int = 0) -> frozenset[str]:
    """`way`: Mode.ONCHAIN for those that are announced, whose entry is another than award's."""
    params = world.params
    judged = request.kind == Kind.POW
    spots = fees = range(1)
    if world.has_court and not judged:  # somebody recomputes a share of all court units, for φ
        spots = range(params.spot_bps_min, 10_001)
        fees = range(1, params.seat // 10 + 1)
    return broken(
        (request.kind not in (Kind.POW, Kind.WASM), "BadTerms(kind)"),
        (request.mode & ~(0 if judged else int(Mode.NO_DEMAND)) != way, "BadMode"),
        (request.max_price == 0, "BadTerms(maxPrice)"),
        (not 0 < request.max_delay <= MAX_DELAY, "BadTerms(maxDelay)"),
        (request.w_price + request.w_delay + request.w_rep != 10_000, "BadTerms(weights)"),
        (request.spot_bps not in spots, "BadTerms(spotBps)"),
        (request.check_fee not in fees, "BadTerms(checkFee)"),
        (request.acl != ZERO_HASH, "BadTerms(acl)"),
    )


def _flaws_of_award(world: World, sender: Address, request: Request, item: AwardItem) -> frozenset[str]:
    if not item.bids:
        return broken((True, "BadTerms(bids)"), *_flaws_of_terms(world, request, item))
    if len(item.bid_sigs) != len(item.bids):
        return broken((True, "BadLength"), *_flaws_of_terms(world, request, item))
    award, winner = item.award, item.bids[0]
    latest = min(award.not_before + world.params.max_award, request.expiry, winner.expiry)
    return broken(
        *_flaws_of_terms(world, request, item),
        (award.bid != winner.digest(world.domain), "BadTerms(bid)"),
        (not award.not_before < award.register_by <= latest, "BadTerms(registerBy)"),
        (world.params.vwin(request.fuel) > world.params.vwin_max, "BadTerms(fuel)"),
        *rules_of_bid(world, request, award.task, award.shard, winner),
        *_rules_of_losers(world, sender, request, item),
        *_rules_of_parties(world, sender, request, item),
    )


def _flaws_of_terms(world: World, request: Request, item: AwardItem) -> list[Rule]:
    return [
        (item.award.task != request.task(world.domain), "BadTerms(task)"),
        (item.award.shard >= request.shards, "BadTerms(shard)"),
        ((item.award.draw_commit != ZERO_HASH) != (request.spot_bps != 0), "BadTerms(drawCommit)"),
    ]


def rules_of_bid(world: World, request: Request, task: Hash, shard: int, bid: Bid) -> list[Rule]:
    """Eligibility (§5), under the bid's rep: what the bidder signed, or what the contract has read."""
    least = least_deposit(request, bid.price)
    most = bid.deposit if request.kind == Kind.POW else COURT_SEATS * world.params.seat
    return [
        (bid.task != task, "Ineligible(task)"),
        (bid.shard != shard, "Ineligible(shard)"),
        (bid.worker == request.requester, "Ineligible(worker)"),
        (not 0 < bid.price <= request.max_price, "Ineligible(price)"),
        (not 0 < bid.delay <= request.max_delay, "Ineligible(delay)"),
        (not least <= bid.deposit <= most, "Ineligible(deposit)"),
        (not request.rep_min <= bid.rep <= min(request.rep_max, PPM), "Ineligible(rep)"),
    ]


def _rules_of_losers(world: World, sender: Address, request: Request, item: AwardItem) -> list[Rule]:
    rules: list[Rule] = []
    if request.max_price == 0 or request.max_delay == 0:
        return rules  # nothing can be scored
    for better, bid, sig in zip(item.bids, item.bids[1:], item.bid_sigs[1:], strict=False):
        rules += rules_of_bid(world, request, item.award.task, item.award.shard, bid)
        rules += [
            (bid.expiry < item.award.not_before, "Ineligible(expiry)"),
            (rank_key(request, better) <= rank_key(request, bid), "Unranked"),
            (not signed(sender, bid.worker, bid, sig, world.domain), "BadSignature"),
        ]
    return rules


def _rules_of_parties(world: World, sender: Address, request: Request, item: AwardItem) -> list[Rule]:
    """The Award covers Request and Bid, an Ack covers the Award. Others than the parties need the Ack: an
    accomplice could else turn an acknowledged unit into an unacknowledged one, with its smaller fine.
    """
    domain, worker = world.domain, item.bids[0].worker
    rules = [(not signed(sender, request.requester, item.award, item.award_sig, domain), "BadSignature")]
    if sender == worker:
        return rules
    if sender == request.requester and item.ack_sig == UNSIGNED:
        return [*rules, (not signed(sender, worker, item.bids[0], item.bid_sigs[0], domain), "BadSignature")]
    times = range(item.award.not_before, item.award.register_by + 1)
    return [
        *rules,
        (item.ack.award != item.award.digest(domain), "BadTerms(ack)"),
        (item.ack.start_at not in times, "BadTerms(startAt)"),
        (not signed(sender, worker, item.ack, item.ack_sig, domain), "BadSignature"),
    ]


# ── what state and time say ──────────────────────────────────────────────────────────────────────────────


def terms_of(world: World, request: Request, bid: Bid, draw_commit: Hash) -> Terms:
    """The terms of a unit that this bid has won, by an Award or in an auction."""
    return Terms(
        task=bid.task,
        shard=bid.shard,
        kind=request.kind,
        mode=request.mode,
        spot_bps=request.spot_bps,
        requester=request.requester,
        worker=bid.worker,
        price=bid.price,
        deposit=bid.deposit,
        check_fee=request.check_fee,
        delay=bid.delay,
        vwin=world.params.vwin(request.fuel),
        draw_commit=draw_commit,
    )


def _agreed(world: World, sender: Address, request: Request, item: AwardItem) -> tuple[Terms, int]:
    """The terms of the unit, and when its worker starts: 0 without its Ack."""
    award, bid = item.award, item.bids[0]
    terms = terms_of(world, request, bid, award.draw_commit)
    if sender == bid.worker:
        return terms, award.not_before  # it acknowledges by sending
    without_ack = sender == request.requester and item.ack_sig == UNSIGNED
    return terms, 0 if without_ack else item.ack.start_at


def _obstacles(world: World, terms: Terms, item: AwardItem) -> frozenset[str]:
    free = world.books.free
    return broken(
        (terms.unit in world.units, "BadPhase"),
        (world.now < item.award.not_before, "TooEarly"),
        (world.now > item.award.register_by, "TooLate"),
        (free(terms.requester) < world.escrow(terms), "Insolvent"),
        (free(terms.worker) < terms.deposit, "Insolvent"),
    )


def register(world: World, terms: Terms, start_at: int) -> Unit:
    for who, amount in world.locks(terms):
        world.books.lock(who, amount)
    unit = Unit(terms=terms, phase=Phase.ASSIGNED, since=world.now, start_at=start_at)
    world.units[terms.unit] = unit
    world.emit("Awarded", unit=terms.unit, terms=terms.values(), startAt=start_at)
    return unit
