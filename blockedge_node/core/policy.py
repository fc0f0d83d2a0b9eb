"""The operator's choices as pure functions: what to bid, what to accept, which bid to award, what to check.

    spot_check_of(job …)   → (spotBps, checkFee)               a requester asks
    bids_for(request …)    → tuple[Bid, …] | NoBid(code)        a worker hears a Request
    auction_bids(…)        → the same                           … or sees one announced on the chain
    why_refused(award …)   → reason | None                     a worker is awarded a bid of its own
    best_offer(shard …)    → Offer | None                      a requester's bid window is over
    samples(unit …)        → bool                              a verifier sees a revealed result

Everything here may differ from node to node; what must not differ (eligibility, score, deadlines) is in
selection.py and deadlines.py. Codes are stable: they stand behind "bid.none." in a task's story, and in the
refusal that the requester reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from math import ceil

from blockedge_node.core.auction import least_life
from blockedge_node.core.court import owners
from blockedge_node.core.deadlines import register_by
from blockedge_node.core.events import Job, SignedAward
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import ZERO_HASH, Address, Digest, Signature, TaskId, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.selection import (
    BPS,
    COURT_SEATS,
    Reason,
    flaw,
    has_jury,
    is_court,
    least_deposit,
    most_check_fee,
    rank_key,
    why_ineligible,
)
from blockedge_node.core.task import Bid, Request
from blockedge_node.core.terms import LONG_TASK, cost
from blockedge_node.core.unit import Standing
from blockedge_node.core.world import World

GFUEL = 10**9
REP_SLACK = 10_000  # ppm by which R may move between a bidder's reading and mine (docs/protocol.md §2.1)
STALE_BLOCKS = 5  # no new promise on a head older than this many blocks
AWARD_BLOCKS = 2  # notBefore may be this many blocks off our head (§2.1) …
AWARD_SLACK = 2  # … plus this many seconds on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBid:
    """Why a request is not bid for; `code` follows "bid.none.", `detail` is for people."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A bid as its requester holds it. `covered`: what the bidder's free balance was good for, in wei."""

    bid: Bid
    digest: Digest
    sig: Signature
    covered: int


def is_stale(world: World) -> bool:
    return world.head_age > STALE_BLOCKS * world.policy.block_time


def free_for(world: World, until: int) -> int:
    """Wei that a new promise until the time `until` may still take from my balance."""
    return world.standing.account.covered(until) - world.exposure


def has_room(bid: Bid, world: World) -> bool:
    """Whether one more bid of mine may be live: one that was made before, and is only now said."""
    stake = min(free_for(world, bid.expiry), world.policy.max_exposure - world.exposure - world.staked)
    return bid.deposit <= stake and world.units < world.policy.max_units


def jurors_short(kind: int, world: World) -> int:
    """How many more ticket owners this kind needs before I open or take a unit of it; 0 without a jury (§6.2)."""
    if not has_jury(kind, world.params):
        return 0
    return max(
        0, world.policy.min_ticket_owners - len(owners(world.tickets, world.now, world.params.ticket_age))
    )


def spot_check_of(job: Job, world: World) -> tuple[int, int]:
    """(spotBps, checkFee) of a request: the rate that I want or must, and φ in wei, a multiple of what one
    recomputation costs, as far as a ticket can answer for it. (0, 0) without a jury.
    """
    if not has_jury(job.kind, world.params):
        return 0, 0
    wanted = world.policy.spot_bps if job.spot_bps is None else job.spot_bps
    rate = min(max(wanted, world.params.spot_bps_min), BPS)
    fee = job.check_fee
    if fee is None:
        fee = planned_price(job.fuel, world) * world.policy.check_fee_bps // BPS
    return rate, min(max(fee, 1), most_check_fee(world.params))


# ── the worker's bid ─────────────────────────────────────────────────────────────────────────────────────


def price_of(request: Request, world: World) -> int:
    """My price of one unit in wei."""
    return planned_price(request.fuel, world)


def planned_price(fuel: int, world: World) -> int:
    """What a run of `fuel` is worth here in wei: a floor, and so much for each 1e9 fuel."""
    return max(1, world.policy.price_floor + fuel * world.policy.price_per_gfuel // GFUEL)


def run_time(request: Request, world: World) -> float:
    """Planned seconds of one run in a free slot; declared fuel is an upper bound, so this is one too."""
    return request.fuel / world.policy.speed


def delay_of(request: Request, place: int, world: World) -> int:
    """The delay to promise for the `place`-th unit of one bid (from 0), in seconds.

    What is queued already, the places before it, its own run, and a margin for what no plan knows.
    """
    run = run_time(request, world)
    planned = world.queue + (place // world.policy.slots + 1) * run
    return max(world.policy.delay_floor, ceil(planned * (BPS + world.policy.delay_margin_bps) / BPS))


def bids_for(
    request: Request, task: TaskId, requester: Standing | None, world: World, made: Collection[int] = ()
) -> tuple[Bid, ...] | NoBid:
    """One bid a shard but those in `made`, as far as my deposits, slots and the request's maxDelay reach.

    They start at shard keccak256(task, me) mod shards: workers who cannot bid on all spread by themselves.
    `requester`: None where the contract holds what it pays already.
    """
    refusal = _why_not(request, requester, world)
    if refusal:
        return refusal
    price = price_of(request, world)
    deposit = least_deposit(request, price)
    stake = min(free_for(world, request.expiry), world.policy.max_exposure - world.exposure - world.staked)
    first = int.from_bytes(hash_words(task, world.me), "big") % request.shards
    order = ((first + step) % request.shards for step in range(request.shards))
    wanted = [shard for shard in order if shard not in made]
    room = min(stake // deposit, world.policy.max_units - world.units)
    if room <= 0:
        return NoBid(code="capacity", detail=f"a deposit of {deposit} wei, {max(stake, 0)} wei free to stake")
    bids = []
    for place, shard in enumerate(wanted[:room]):
        delay = delay_of(request, place, world)
        expiry = min(request.expiry, _needed_until(delay, world) + world.policy.bid_ttl)
        if delay > request.max_delay or expiry < _needed_until(delay, world):
            break  # later places only take longer
        bids.append(
            Bid(
                task=task,
                shard=shard,
                worker=world.me,
                price=price,
                deposit=deposit,
                delay=delay,
                rep=world.standing.reputation.score,
                expiry=expiry,
            )
        )
    if not bids and wanted:
        late = delay_of(request, 0, world)
        return NoBid(code="delay", detail=f"needs {late} s, maxDelay is {request.max_delay} s")
    return tuple(bids)


def auction_bids(request: Request, task: TaskId, world: World) -> tuple[Bid, ...] | NoBid:
    """`bids_for` an announced request: by the same figures, but good until the request's own end (§5), and only if
    that leaves the winner the blocks that it needs to see its auction and close it."""
    least = least_life(world.params, world.policy.block_time)
    if world.now + least > request.expiry:
        return NoBid(code="expiry", detail=f"it must live {least} s more, has {request.expiry - world.now} s")
    made = bids_for(request, task, None, world)
    return made if isinstance(made, NoBid) else tuple(replace(bid, expiry=request.expiry) for bid in made)


def _needed_until(delay: int, world: World) -> int:
    """A bid must outlive the window, the promised delay and GRACE (§2.1)."""
    return world.now + ceil(world.policy.bid_window) + delay + world.params.grace


def _why_not(request: Request, requester: Standing | None, world: World) -> NoBid | None:
    policy, params = world.policy, world.params
    price = price_of(request, world)
    deposit = least_deposit(request, price)
    mine = world.standing.reputation.score
    words = flaw(request, params)
    rules = (
        (policy.paused or not policy.worker, "paused", "this node makes no new bids"),
        (policy.unfit, "executor", "this machine's executor failed its self-test"),
        (policy.gas_short, "gas", "the account has too little ether for its transactions"),
        (is_stale(world), "stale_head", f"the newest block is {world.head_age:.0f} s old"),
        (words is not None, "request", words or ""),
        (request.kind not in policy.kinds, "kind", f"kind {request.kind} is switched off here"),
        (jurors_short(request.kind, world) > 0, "ticket_owners", "too few hold tickets for an honest jury"),
        (request.acl != ZERO_HASH, "mode", "private tasks are not supported"),
        (price > request.max_price, "price", f"mine is {price} wei, maxPrice {request.max_price}"),
        (
            is_court(request.kind) and deposit > COURT_SEATS * params.seat,
            "deposit",
            f"{deposit} wei is above 10·SEAT",
        ),
        (
            not request.rep_min <= mine <= request.rep_max,
            "reputation",
            f"mine is {mine} ppm, asked for {request.rep_min} … {request.rep_max}",
        ),
        (
            requester is not None
            and requester.account.covered(request.expiry) < cost(request, price, params),
            "requester_balance",
            "its escrow does not cover one unit",
        ),
    )
    return next((NoBid(code=code, detail=detail) for no, code, detail in rules if no), None)


# ── the worker's answer to an award ──────────────────────────────────────────────────────────────────────


def why_refused(signed: SignedAward, requester: Standing, outstanding: int, world: World) -> str | None:
    """Why an award of a live bid of mine gets no Ack; None if it gets one.

    `outstanding`: wei that this requester owes me for awards not yet on the chain.
    """
    request, bid, award, params = signed.request, signed.bid, signed.award, world.params
    latest = min(award.not_before + params.max_award, request.expiry, bid.expiry)
    off = abs(award.not_before - world.now)
    rules = (
        (is_stale(world), "stale_head"),
        ((award.draw_commit == ZERO_HASH) != (request.spot_bps == 0), "draw_commit"),
        (off > AWARD_BLOCKS * world.policy.block_time + AWARD_SLACK, "not_before"),
        (not award.not_before < award.register_by <= latest, "register_by"),
        (world.now >= award.register_by, "register_by"),
        (world.standing.account.covered(award.register_by) < bid.deposit, "deposit"),
        (
            requester.account.covered(award.register_by) < outstanding + cost(request, bid.price, params),
            "requester_balance",
        ),
        (
            world.now + world.queue + run_time(request, world) > award.not_before + bid.delay + params.grace,
            "busy",
        ),
    )
    return next((reason for no, reason in rules if no), None)


def registers_first(signed: SignedAward, requester: Standing, outstanding: int, world: World) -> bool:
    """Whether the Award goes on the chain before the work begins (§2.1).

    So for long tasks, for Awards that end before the promised delay does, and where one unit's cost is more
    than I risk on a requester's word: over risk_cap, or its balance below twice what it owes me.
    """
    request, bid, award = signed.request, signed.bid, signed.award
    owed = outstanding + cost(request, bid.price, world.params)
    return (
        bid.delay > LONG_TASK
        or award.register_by < award.not_before + bid.delay
        or bid.price > world.policy.risk_cap
        or requester.account.covered(award.register_by) < 2 * owed
    )


# ── the requester's choice ───────────────────────────────────────────────────────────────────────────────


def award_until(request: Request, bid: Bid, now: int, params: Params) -> int:
    """registerBy of an Award made now: a short task's QoE deadline, all there is for a long one (§2.1)."""
    if bid.delay <= LONG_TASK:
        return register_by(now, bid.delay, params)
    return min(now + params.max_award, request.expiry, bid.expiry)


def why_not_offered(request: Request, bid: Bid, bidder: Standing, world: World) -> str | None:
    """Why a bid that was heard is not considered; None if it is."""
    reason: Reason | None = why_ineligible(request, bid, world.params, at=world.now)
    if reason:
        return reason.value
    if abs(bid.rep - bidder.reputation.score) > REP_SLACK:
        return "reputation.stale"
    if bidder.account.covered(bid.expiry) < bid.deposit:
        return "deposit.uncovered"
    return None


def fair_share(request: Request, world: World) -> int:
    """Most units of one task that a worker gets while others have offers."""
    return ceil(request.shards / world.policy.spread)


def has_spread(request: Request, workers: Collection[Address], world: World) -> bool:
    """Whether these workers are enough for none of them to get more than its fair share of the task."""
    return len(workers) * fair_share(request, world) >= request.shards


def best_offer(
    request: Request,
    offers: Iterable[Offer],
    taken: Mapping[Address, tuple[int, int]],
    budget: int,
    world: World,
) -> Offer | None:
    """The highest score among offers that can still be awarded, or None.

    `taken`: how many units of this task each worker has, and the wei of deposits they need. `budget`: wei
    that I may still promise. A worker gets at most `fair_share` units while another has an offer: one
    node's failure must not be the whole task's.
    """
    fair = fair_share(request, world)
    usable = [offer for offer in offers if _usable(request, offer, taken, budget, world)]
    spread = [offer for offer in usable if taken.get(offer.bid.worker, (0, 0))[0] < fair]
    return max(spread or usable, key=lambda offer: rank_key(request, offer.bid), default=None)


def _usable(
    request: Request, offer: Offer, taken: Mapping[Address, tuple[int, int]], budget: int, world: World
) -> bool:
    bid, params = offer.bid, world.params
    until = award_until(request, bid, world.now, params)
    return (
        why_ineligible(request, bid, params, at=world.now) is None
        and until <= min(request.expiry, bid.expiry)
        and until >= world.now + params.grace
        and offer.covered - taken.get(bid.worker, (0, 0))[1] >= bid.deposit
        and cost(request, bid.price, params) <= budget
    )


# ── the verifier's sample ────────────────────────────────────────────────────────────────────────────────


def samples(unit: UnitId, rate_bps: int, me: Address) -> bool:
    """Whether I recompute this unit: chance drawn from my address and the unit, the same after a restart."""
    return int.from_bytes(hash_words(me, unit), "big") % BPS < rate_bps
