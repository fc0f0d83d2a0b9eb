"""Everything that comes in, in the past tense.

Three sources: clients (a job), peers (gossip and streams, checked at the door: decoded, signed, unexpired,
within limits), and our own adapters (the chain at a new head, an action that ended). Time and chance arrive
inside events: `now` is the head's, salts are drawn by whoever performs the action.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blockedge_node.core.auction import AuctionView
from blockedge_node.core.commitment import Role
from blockedge_node.core.court import Ticket
from blockedge_node.core.ids import NO_SECRET, Address, Digest, Hash, Root, Secret, Signature, TaskId, UnitId
from blockedge_node.core.task import Ack, Award, Bid, Receipt, Request, Result
from blockedge_node.core.unit import Head, Standing, UnitView
from blockedge_node.core.watch import Watch

# ── clients ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A job that is one item of another one's input (core/bundles.py)."""

    job: Hash
    input: Root
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a client hands in. It becomes one task, and another for shards that failed (policy.attempts)."""

    id: Hash  # 32 random bytes, drawn by the API
    nonce: int  # of its first request; attempt k uses nonce + k
    kind: int
    mode: int
    program: Root
    inputs: tuple[Root, ...]  # kind 2: one blob a shard; kind 1: the one data blob
    shards: int
    fuel: int
    max_price: int
    min_deposit: int
    max_delay: int
    rep_min: int = 0
    rep_max: int = 1_000_000
    w_price: int = 5_000
    w_delay: int = 2_500
    w_rep: int = 2_500
    lifetime: int = 300  # seconds until the request expires
    merge: str = "concat"
    label: str = ""
    workers: tuple[Address, ...] = ()  # only their bids are heard; empty: everybody's
    spot_bps: int | None = None  # rate of spot checks, at least the deployment's; None: the node's policy
    check_fee: int | None = None  # φ, wei; None: the node's policy
    bundle: bool = False  # a micro-task: wait a moment for others, and share a unit with them
    items: tuple[Item, ...] = ()  # of a bundle: the jobs that it is made of, in the order of its input


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitted:
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled:
    """No new request or award for this job; units already awarded run on."""

    job: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOrdered:
    """The operator wants a revealed result recomputed, and reported if it is wrong, whatever the policy samples."""

    view: UnitView


# ── the chain ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSeen:
    """A new confirmed head: my standing, and the view of every unit that is not yet closed.

    A unit that a reorg removed is simply absent. A *closed* unit (terminal, no bond held) stays in the views
    long enough for every node that is awake to see its end, and is shown again after a restart.
    """

    head: Head
    standing: Standing
    views: tuple[UnitView, ...]
    tickets: tuple[Ticket, ...] = ()  # of the Court, all ever staked, by id
    newest: int = 0  # number of the newest block, confirmed or not …
    auctions: tuple[AuctionView, ...] = ()  # … and what is auctioned at it: bids must land in the next ones


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMined:
    """A transaction of ours is in a confirmed block; its effect is seen in the views."""

    unit: UnitId
    call: str  # the contract function, e.g. "awardCommit"
    tx: Hash
    block: int
    gas: int  # this unit's share of the transaction's gas
    fee: int  # wei, this unit's share


# ── peers ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeard:
    request: Request
    task: TaskId
    sig: Signature
    standing: Standing  # the requester's
    objection: str = ""  # why this node would not run the program, where that is known already


@dataclass(frozen=True, slots=True, kw_only=True)
class BidHeard:
    bid: Bid
    digest: Digest
    sig: Signature
    standing: Standing  # the bidder's


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAward:
    """All that a registration needs but the Ack; what travels on the award stream."""

    request: Request
    request_sig: Signature
    bid: Bid
    bid_sig: Signature
    award: Award
    award_sig: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardHeard:
    """A requester awards us a unit; its stream waits for SendAck or RefuseAward."""

    signed: SignedAward
    digest: Digest  # of the Award
    standing: Standing  # the requester's


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultHeard:
    """A worker delivers: its stream waits for SendReceipt. The output is fetched by its root."""

    unit: UnitId
    worker: Address
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretHeard:
    """A draw secret by gossip: it opens the unit's drawCommit, checked again where it is used (§6.2)."""

    unit: UnitId
    secret: Secret
    guard_r: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchHeard:
    """A client of this tower hands in a unit's opening; its stream waits for AnswerWatch."""

    client: Address  # whose signature it has
    watch: Watch
    output: bytes  # matches the watch's root, or empty: not inline
    digest: Digest  # of the Watch


# ── actions that ended ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPublished:
    task: TaskId
    at: float = field(compare=False)  # seconds of a monotonic clock, for measuring only


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleClosed:
    """The time in which a bundle takes further jobs is over."""

    bundle: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePacked:
    """The mapped program and the list of inputs are in the blob store; `nonce` is of the bundle's first request."""

    bundle: Hash
    program: Root
    input: Root
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSpoilt:
    """What was handed in for a bundle cannot be put together any more."""

    bundle: Hash
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BidWindowClosed:
    """The window is over, or it is time to look whether it need last longer (core/turns.py)."""

    task: TaskId
    shard: int
    round: int  # 0 for the first choice, then one more for each award that failed
    look: int = 0  # as in AwaitBids
    draw_secret: Secret = NO_SECRET  # for the one Award of this round, if its kind is spot-checked …
    guard_secret: Secret = NO_SECRET  # … and s_R: both fresh random bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCame:
    """Time to bid, or to be silent (core/turns.py)."""

    task: TaskId
    copy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AckHeard:
    award: Digest
    ack: Ack
    sig: Signature
    at: float = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardFailed:
    """No Ack: the worker refused, or did not answer in policy.ack_timeout."""

    award: Digest
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFetched:
    """Program, files and the shard's input are in the blob store, checked against their roots."""

    unit: UnitId
    award: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRefused:
    """The manifest or program is not one this node may run, or the input does not match: no Ack."""

    unit: UnitId
    award: Digest
    reason: str  # for people here
    code: str = "input"  # for the requester


@dataclass(frozen=True, slots=True, kw_only=True)
class AckSent:
    """The Ack went out on a waiting stream; the next AwardHeard asks for it again."""

    award: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalSent:
    """The refusal went out on every stream that waited; the next AwardHeard asks for it again."""

    award: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSolved:
    """Our own run ended; salt and guard secret are fresh random bytes, one pair an Award (§2.2)."""

    unit: UnitId
    award: Digest
    result: Result
    output: bytes  # inline if ≤ 1 KiB, else empty: it is in the blob store under result.output_root
    salt: Secret
    guard_secret: Secret
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFailed:
    """An infrastructure fault, tried again once: no result, never a verdict."""

    unit: UnitId
    award: Digest
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptHeard:
    unit: UnitId
    receipt: Receipt
    sig: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFetched:
    """A delivered output is in the blob store and matches its root."""

    unit: UnitId
    root: Root


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSent:
    """The Receipt went out on every stream that waited; the next ResultHeard asks for it again."""

    unit: UnitId


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchKept:
    """A tower of ours has a unit's opening on its disk."""

    unit: UnitId
    watch: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchAnswered:
    """Our word went out on every stream that waited; the next WatchHeard asks for it again."""

    watch: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Our recomputation of another's result. `wrong` False: it agrees, or there was nothing to compare with."""

    unit: UnitId
    wrong: bool
    result: Result | None  # what we got (court kinds); None: nobody served the input within `patience`
    evidence: bytes  # judged kinds: what convinces the judge; may be empty even if wrong
    salt: Secret  # for a report, check or votes, drawn now and never again
    role: Role = Role.REPORTER  # as whom we looked


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailed:
    unit: UnitId
    reason: str
    role: Role = Role.REPORTER


Event = (
    JobSubmitted
    | JobCancelled
    | CheckOrdered
    | HeadSeen
    | CallMined
    | RequestHeard
    | BidHeard
    | AwardHeard
    | ResultHeard
    | SecretHeard
    | BundleClosed
    | BundlePacked
    | BundleSpoilt
    | RequestPublished
    | BidWindowClosed
    | TurnCame
    | AckHeard
    | AwardFailed
    | InputFetched
    | InputRefused
    | AckSent
    | RefusalSent
    | WorkSolved
    | WorkFailed
    | ReceiptHeard
    | OutputFetched
    | ReceiptSent
    | WatchHeard
    | WatchKept
    | WatchAnswered
    | Checked
    | CheckFailed
)
