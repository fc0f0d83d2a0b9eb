"""Everything that goes out, in the imperative.

An action is a value: `due` returns all that should be happening now, the engine starts what is new and cancels
what is no longer due. So every action must be safe to repeat: the contract skips a second call, a message has
a fixed identity, solving gives the same answer. An action that has ended is not started again while it stays due.
What goes on the chain is written down in calls.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.calls import (
    Announce,
    Appeal,
    AwardCommit,
    ChainAction,
    CloseAuction,
    CloseReports,
    CloseRound,
    CommitCheck,
    CommitReport,
    CommitResult,
    CommitVote,
    CourtAction,
    Defend,
    Demand,
    Draw,
    FineChecker,
    PostBid,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    RevealVote,
    Settle,
    ShowJury,
    Supply,
    TimeOut,
)
from blockedge_node.core.commitment import Role
from blockedge_node.core.events import SignedAward
from blockedge_node.core.ids import (
    Address,
    Digest,
    Hash,
    Root,
    Secret,
    TaskId,
    UnitId,
)
from blockedge_node.core.task import Ack, Bid, Receipt, Request, Result
from blockedge_node.core.watch import Kept, Watch

# ── bundles ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectItems:
    """→ BundleClosed after `seconds`"""

    bundle: Hash
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PackBundle:
    """→ BundlePacked or BundleSpoilt. `program` is the one of all jobs, `fuel` what they grant together."""

    bundle: Hash
    program: Root
    inputs: tuple[Root, ...]
    fuel: int


# ── network ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """→ RequestPublished. `copy` counts how often it is said: whoever was away hears a later one."""

    request: Request
    copy: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitBids:
    """→ BidWindowClosed after `seconds`. `look` counts how often the requester has looked at what came in between."""

    task: TaskId
    shard: int
    round: int
    seconds: float
    look: int = 0
    secrets: bool = False  # whether an Award of it takes a drawCommit


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitTurn:
    """→ TurnCame after `seconds`. `copy` as in PublishBids: each time has a turn of its own."""

    task: TaskId
    copy: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishBids:
    """Ends in silence: whoever wants a bid awards it. `copy` counts how often its request was heard."""

    bids: tuple[Bid, ...]
    copy: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAward:
    """→ AckHeard, or AwardFailed after `timeout` seconds or a refusal. award_sig is made on sending."""

    signed: SignedAward
    digest: Digest
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchInput:
    """→ InputFetched or InputRefused; from the requester or anybody who has it."""

    unit: UnitId
    award: Digest
    request: Request
    shard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAck:
    """→ AckSent"""

    award: Digest
    ack: Ack
    requester: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseAward:
    """→ RefusalSent"""

    award: Digest
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverResult:
    """→ ReceiptHeard; tried until it is no longer due."""

    unit: UnitId
    requester: Address
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOutput:
    """→ OutputFetched; `shown` is the output itself if the chain has it, else it comes from the worker."""

    unit: UnitId
    root: Root
    worker: Address
    shown: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReceipt:
    """→ ReceiptSent"""

    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSecret:
    """Ends in silence; everybody hears SecretHeard. `copy` counts how often it is said."""

    unit: UnitId
    secret: Secret
    guard_r: Hash
    copy: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HandWatch:
    """→ WatchKept; tried until it is no longer due."""

    unit: UnitId
    watch: Watch
    output: bytes  # inline, or empty


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerWatch:
    """→ WatchAnswered"""

    kept: Kept


# ── executor ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Solve:
    """→ WorkSolved or WorkFailed; `wall` seconds at most."""

    unit: UnitId
    award: Digest
    request: Request
    shard: int
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Recompute another's result → Checked or CheckFailed"""

    unit: UnitId
    request: Request
    shard: int
    result: Result | None  # None: it is still hidden, there is nothing to compare with
    output: bytes
    wall: float
    role: Role = Role.REPORTER
    patience: float | None = None  # seconds in which the input is looked for; then Checked with no result
    holders: tuple[Address, ...] = ()  # who has the input besides the requester


NetworkAction = (
    PublishRequest
    | AwaitBids
    | AwaitTurn
    | PublishBids
    | SendAward
    | FetchInput
    | SendAck
    | RefuseAward
    | DeliverResult
    | FetchOutput
    | SendReceipt
    | PublishSecret
    | HandWatch
    | AnswerWatch
)
WorkAction = Solve | Check
BundleAction = CollectItems | PackBundle
Action = NetworkAction | WorkAction | BundleAction | ChainAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of a task's or unit's story, journalled with the facts: what `task explain` shows.

    `code` is stable and machine-readable ("bid.lost", "bid.none.price", "unit.paid"); `fields` are its figures.
    """

    subject: Hash | TaskId | UnitId  # job, task or unit
    code: str
    fields: tuple[tuple[str, str | int], ...] = ()


__all__ = [
    "Action",
    "Announce",
    "AnswerWatch",
    "Appeal",
    "AwaitBids",
    "AwaitTurn",
    "AwardCommit",
    "BundleAction",
    "ChainAction",
    "Check",
    "CloseAuction",
    "CloseReports",
    "CloseRound",
    "CollectItems",
    "CommitCheck",
    "CommitReport",
    "CommitResult",
    "CommitVote",
    "CourtAction",
    "Defend",
    "DeliverResult",
    "Demand",
    "Draw",
    "FetchInput",
    "FetchOutput",
    "FineChecker",
    "HandWatch",
    "NetworkAction",
    "Note",
    "PackBundle",
    "PostBid",
    "PublishBids",
    "PublishRequest",
    "PublishSecret",
    "RefuseAward",
    "RegisterAward",
    "Registration",
    "Reveal",
    "RevealReport",
    "RevealVote",
    "SendAck",
    "SendAward",
    "SendReceipt",
    "Settle",
    "ShowJury",
    "Solve",
    "Supply",
    "TimeOut",
    "WorkAction",
]
