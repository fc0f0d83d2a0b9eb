"""Everything that goes out, in the imperative.

An action is a value: `due` returns all that should be happening now, the engine starts what is new and cancels
what is no longer due. So every action must be safe to repeat: the contract skips a second call, a message has
a fixed identity, solving gives the same answer. An action that has ended is not started again while it stays due.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.commitment import Role
from blockedge_node.core.court import Case, SeatProof
from blockedge_node.core.events import SignedAward
from blockedge_node.core.ids import (
    NO_SECRET,
    ZERO_HASH,
    Address,
    Digest,
    Hash,
    Root,
    Secret,
    Signature,
    TaskId,
    UnitId,
)
from blockedge_node.core.task import Ack, Bid, Receipt, Request, Result
from blockedge_node.core.unit import Unit
from blockedge_node.core.watch import Kept, Watch

# ── network ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """→ RequestPublished. `copy` counts how often it is said: whoever was away hears a later one."""

    request: Request
    copy: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitBids:
    """→ BidWindowClosed after `seconds`"""

    task: TaskId
    shard: int
    round: int
    seconds: float
    secrets: bool = False  # whether an Award of it takes a drawCommit


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


# ── chain: each runs until it is mined at CONF depth, or no longer due ────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An AwardItem of the contract; a signature is empty where its signer is the sender."""

    signed: SignedAward
    ack: Ack | None = None
    ack_sig: Signature = Signature(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAward:
    """award(…) → CallMined"""

    unit: UnitId
    registration: Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardCommit:
    unit: UnitId
    registration: Registration
    commitment: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """commit(…) for a unit that is already ASSIGNED"""

    unit: UnitId
    target: Unit
    commitment: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    unit: UnitId
    target: Unit
    result: Result
    salt: Secret
    guard: Hash
    output: bytes
    secret: Secret = NO_SECRET  # the draw's, if it is known and shows the unit undrawn
    guard_r: Hash = ZERO_HASH


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    unit: UnitId
    target: Unit
    secret: Secret = NO_SECRET  # the draw's, where it was not shown before
    guard_r: Hash = ZERO_HASH


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOut:
    unit: UnitId
    target: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReport:
    unit: UnitId
    target: Unit
    hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealReport:
    """`evidence`, `request`, `revealed`, `output`, `data`: the Proof of a judged kind; court kinds need none.

    Core leaves `data` empty: the performer fills in the blob of request.input_root (≤ 1 KiB) on sending.
    """

    unit: UnitId
    target: Unit
    index: int
    author: Address
    result_hash: Hash
    salt: Secret
    request: Request
    revealed: Result
    output: bytes
    evidence: bytes
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReports:
    unit: UnitId
    target: Unit
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """draw(…): marks a COMMITTED unit for its spot check"""

    unit: UnitId
    target: Unit
    secret: Secret
    guard_r: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitCheck:
    """commitCheck(…), by the owner of the drawn ticket"""

    unit: UnitId
    target: Unit
    proof: SeatProof
    hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class FineChecker:
    """fineChecker(…): the drawn ticket's owner committed no check. `draw_seed`, `committed_at` open data[3]."""

    unit: UnitId
    target: Unit
    draw_seed: Hash
    committed_at: int
    proof: SeatProof


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowJury:
    """showJury(…) with s_R, the preimage of guardR"""

    unit: UnitId
    target: Unit
    secret: Secret
    guard_secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Defend:
    """defend(…) with s_W; `tickets` is nSnap at challengeBy"""

    unit: UnitId
    target: Unit
    guard_secret: Secret
    tickets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """demand(…): the worker shall show chunk `chunk` of an output that it withholds (§10)"""

    unit: UnitId
    target: Unit
    revealed: Result
    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """supply(…). Core leaves count, data and path empty: the performer fills them in from the blob store."""

    unit: UnitId
    target: Unit
    revealed: Result
    chunk: int
    count: int = 0  # of the output's chunks
    data: bytes = b""  # chunk min(chunk, count − 1)
    path: tuple[Hash, ...] = ()  # from its leaf to the output's root


# ── chain, the Court's contract ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitVote:
    """commitVote(…), by the owner of the seated ticket"""

    unit: UnitId
    case: Case
    round: int
    seat: int
    attempt: int
    hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealVote:
    unit: UnitId
    case: Case
    round: int
    seat: int
    result_hash: Hash  # or NO_INPUT
    salt: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """appeal(…) with `value` wei: opens round `round`"""

    unit: UnitId
    case: Case
    round: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRound:
    """closeRound(…): the case ends, and with it the unit. `final_hash`: jury.case_outcome's"""

    unit: UnitId
    target: Unit
    case: Case
    final_hash: Hash = ZERO_HASH


CourtAction = CommitVote | RevealVote | Appeal | CloseRound
ChainAction = (
    RegisterAward
    | AwardCommit
    | CommitResult
    | Reveal
    | Settle
    | TimeOut
    | CommitReport
    | RevealReport
    | CloseReports
    | Draw
    | CommitCheck
    | FineChecker
    | ShowJury
    | Defend
    | Demand
    | Supply
    | CommitVote
    | RevealVote
    | Appeal
    | CloseRound
)
NetworkAction = (
    PublishRequest
    | AwaitBids
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
Action = NetworkAction | WorkAction | ChainAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of a task's or unit's story, journalled with the facts: what `task explain` shows.

    `code` is stable and machine-readable ("bid.lost", "bid.none.price", "unit.paid"); `fields` are its figures.
    """

    subject: Hash | TaskId | UnitId  # job, task or unit
    code: str
    fields: tuple[tuple[str, str | int], ...] = ()
