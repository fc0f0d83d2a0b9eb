"""Which bids count, and which one wins (docs/protocol.md §5): integers, floored, as in contracts/src.

    score = (wPrice · ⌊1e6·(maxPrice − p)/maxPrice⌋ + wDelay · ⌊1e6·(maxDelay − d)/maxDelay⌋ + wRep · R) / 1e4

Best first: higher score, then lower price, then higher keccak256(abi.encode(task, shard, worker)), so that no
two nodes ever disagree. `R` is the bid's own signed `rep`: the contract checks the very same figure at
registration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import ZERO_ADDRESS, Hash
from blockedge_node.core.params import Params
from blockedge_node.core.task import Bid, Kind, Mode, Request

PPM = 1_000_000
BPS = 10_000
DEPOSIT_TIMES = 20  # D ≥ 20·I and 20·φ: below, cheating pays at 10 % checks (§7.3)
COURT_SEATS = (
    10  # court kinds: D ≤ 10·SEAT and φ ≤ SEAT/10, so that a checker's ticket can answer for it (§6.3)
)
MAX_DELAY = 604_800  # a week
# Shards of an ONCHAIN request whose units are drawn (contracts/src/Types.sol: AUCTION_SHARDS).
MAX_AUCTIONS = 64


class Reason(StrEnum):
    """Why a bid does not count. The values are stable: notes, logs and the CLI show them."""

    WRONG_SHARD = "shard"
    OWN_REQUEST = "own"
    NO_PRICE = "price.zero"
    PRICE = "price"
    NO_DELAY = "delay.zero"
    DELAY = "delay"
    DEPOSIT = "deposit"
    DEPOSIT_TOO_HIGH = "deposit.high"
    REPUTATION_LOW = "reputation.low"
    REPUTATION_HIGH = "reputation.high"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score and its three parts, each in ppm and already weighted but for the last division by 1e4."""

    price: int
    delay: int
    reputation: int

    @property
    def total(self) -> int:
        """0 … 1e6, higher is better."""
        return (self.price + self.delay + self.reputation) // BPS


def is_court(kind: int) -> bool:
    """Kinds without a judge contract: recomputed by the requester and, from stage 2 on, by jurors."""
    return kind != Kind.POW


def has_jury(kind: int, params: Params) -> bool:
    """Whether units of this kind are spot-checked and, if disputed, ruled by a Court's jury."""
    return is_court(kind) and params.court != ZERO_ADDRESS


def most_check_fee(params: Params) -> int:
    """SEAT/10 in wei: a ticket answers for α = 10φ."""
    return params.seat // COURT_SEATS


def least_deposit(request: Request, price: int) -> int:
    """The least wei a bid of `price` must put at stake."""
    return max(request.min_deposit, DEPOSIT_TIMES * price, DEPOSIT_TIMES * request.check_fee)


def flaw(request: Request, params: Params) -> str | None:
    """What is wrong with a request in itself, in words; None if bids for it can be registered (§2.1 a)."""
    court = is_court(request.kind)
    jury = has_jury(request.kind, params)
    faults = (
        (request.kind not in (Kind.POW, Kind.WASM), "unknown kind"),
        (request.mode > Mode.ONCHAIN | Mode.NO_DEMAND, "unknown mode bits"),
        (request.kind == Kind.POW and request.mode & Mode.NO_DEMAND != 0, "kind 1 always shows its output"),
        (request.shards == 0, "no shards"),
        (
            request.mode & Mode.ONCHAIN != 0 and request.spot_bps != 0 and request.shards > MAX_AUCTIONS,
            f"an announcement takes at most {MAX_AUCTIONS} draw secrets: fewer shards, or no --onchain",
        ),
        (request.max_price == 0, "maxPrice is 0"),
        (not 0 < request.max_delay <= MAX_DELAY, f"maxDelay is not within 1 … {MAX_DELAY} s"),
        (request.w_price + request.w_delay + request.w_rep != BPS, "the weights do not add up to 10000"),
        (not request.rep_min <= request.rep_max <= PPM, "repMin ≤ repMax ≤ 1000000 does not hold"),
        (request.fuel > params.fuel_cap, "more fuel than this deployment can verify in time"),
        (not court and request.check_fee != 0, "judged kinds have no check fee"),
        (not court and request.spot_bps != 0, "judged kinds have no spot check"),
        (
            court and not jury and (request.check_fee, request.spot_bps) != (0, 0),
            "spot checks need a Court, which this deployment lacks",
        ),
        (
            jury and not 0 < request.check_fee <= most_check_fee(params),
            f"checkFee is not within 1 … {most_check_fee(params)} wei",
        ),
        (
            jury and not params.spot_bps_min <= request.spot_bps <= BPS,
            f"spotBps is not within {params.spot_bps_min} … {BPS}",
        ),
    )
    return next((words for wrong, words in faults if wrong), None)


def why_ineligible(request: Request, bid: Bid, params: Params, *, at: int) -> Reason | None:
    """The first rule that `bid` breaks, or None if it counts for an Award whose notBefore is `at`."""
    rules = (
        (bid.shard >= request.shards, Reason.WRONG_SHARD),
        (bid.worker == request.requester, Reason.OWN_REQUEST),
        (bid.price == 0, Reason.NO_PRICE),
        (bid.price > request.max_price, Reason.PRICE),
        (bid.delay == 0, Reason.NO_DELAY),
        (bid.delay > request.max_delay, Reason.DELAY),
        (bid.deposit < least_deposit(request, bid.price), Reason.DEPOSIT),
        (is_court(request.kind) and bid.deposit > COURT_SEATS * params.seat, Reason.DEPOSIT_TOO_HIGH),
        (bid.rep < request.rep_min, Reason.REPUTATION_LOW),
        (bid.rep > min(request.rep_max, PPM), Reason.REPUTATION_HIGH),
        (bid.expiry < at, Reason.EXPIRED),
    )
    return next((reason for broken, reason in rules if broken), None)


def score(request: Request, bid: Bid) -> Score:
    """How good an eligible bid is for this request, part by part."""
    return Score(
        price=request.w_price * (PPM * (request.max_price - bid.price) // request.max_price),
        delay=request.w_delay * (PPM * (request.max_delay - bid.delay) // request.max_delay),
        reputation=request.w_rep * bid.rep,
    )


def tie_break(bid: Bid) -> Hash:
    """The last word between equal scores and prices: nothing a worker can choose but its own address."""
    return hash_words(bid.task, bid.shard, bid.worker)


def rank_key(request: Request, bid: Bid) -> tuple[int, int, bytes]:
    """Sorts bids worst first: use max(…), or sorted(…, reverse=True)."""
    return score(request, bid).total, -bid.price, tie_break(bid)


def outranks(request: Request, bid: Bid, other: Bid) -> bool:
    """Whether `bid` is better: as rank_key has it, which is asked only where the scores are equal."""
    one, two = score(request, bid).total, score(request, other).total
    return one > two if one != two else rank_key(request, bid) > rank_key(request, other)


def ranked(request: Request, bids: Iterable[Bid]) -> list[Bid]:
    """Eligible bids of one shard, best first, in the order the contract asks for."""
    return sorted(bids, key=lambda bid: rank_key(request, bid), reverse=True)
