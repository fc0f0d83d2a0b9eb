"""What is asked of the contracts, in the imperative: one action a call, as contracts/src/interfaces name them (§3.4).

Each runs until it is mined at CONF depth, or no longer due, and then ends as CallMined. The contract skips or refuses
a second call of the same kind, so all are safe to repeat. They are part of actions.py: import them from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.court import Case, SeatProof
from blockedge_node.core.events import SignedAward
from blockedge_node.core.ids import NO_SECRET, ZERO_HASH, Address, Hash, Secret, Signature, UnitId
from blockedge_node.core.task import Ack, Bid, Request, Result
from blockedge_node.core.unit import Unit

# ── BlockEdge ────────────────────────────────────────────────────────────────────────────────────────────


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """announce(…): opens the auctions of all shards. `unit`: the first shard's, in whose story the gas is told."""

    unit: UnitId
    request: Request
    draw_commits: tuple[Hash, ...]  # one a shard; () where nothing is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class PostBid:
    """postBid(…), by its worker"""

    unit: UnitId
    request: Request
    bid: Bid


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAuction:
    """closeAuction(…): the best bid becomes the unit; without one, or too late, all comes back"""

    unit: UnitId
    request: Request
    shard: int
    draw_commits: tuple[Hash, ...]


# ── the Court ────────────────────────────────────────────────────────────────────────────────────────────


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
    | Announce
    | PostBid
    | CloseAuction
    | CommitVote
    | RevealVote
    | Appeal
    | CloseRound
)
