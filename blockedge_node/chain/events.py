"""Logs of BlockEdge and its Court → records: their events (docs/protocol.md §3.4) as frozen dataclasses. Pure.

Those of BlockEdge stand here, the Court's in court_events.py. Whoever reads a log knows which contract wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.court_events import COURT_MAKERS, CourtRecord
from blockedge_node.core.ids import Address, Hash, Secret, TaskId, UnitId
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Request, Result
from blockedge_node.core.unit import Phase, Terms

S = TypeVar("S", bound=Struct)
Source = Literal["BlockEdge", "Court"]  # the contract that wrote a log


@dataclass(frozen=True, slots=True)
class Funded:
    account: Address
    amount: int  # wei


@dataclass(frozen=True, slots=True)
class ExitRequested:
    account: Address
    amount: int
    exit_at: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    account: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Burned:
    amount: int


@dataclass(frozen=True, slots=True)
class Requested:
    task: TaskId
    request: Request


@dataclass(frozen=True, slots=True)
class Awarded:
    unit: UnitId
    requester: Address
    worker: Address
    terms: Terms
    start_at: int  # 0: the worker has not acknowledged


@dataclass(frozen=True, slots=True)
class Announced:
    """Auctions of all shards are open, for bids in blocks up to `closes_at`."""

    task: TaskId
    requester: Address
    request: Request
    closes_at: int  # block
    draw_commits: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class BidPosted:
    """The new best bid of a shard."""

    unit: UnitId
    worker: Address
    price: int  # wei
    deposit: int  # wei
    delay: int
    rep: int  # R as the contract read it
    score: int


@dataclass(frozen=True, slots=True)
class Outbid:
    """The one whose deposit came back; BidPosted of the better one follows."""

    unit: UnitId
    worker: Address
    deposit: int  # wei


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An auction was closed without a unit: all that it had locked is back."""

    unit: UnitId
    worker: Address  # of the best bid; zero without one
    deposit: int  # wei


@dataclass(frozen=True, slots=True)
class Committed:
    unit: UnitId
    commitment: Hash


@dataclass(frozen=True, slots=True)
class Drawn:
    """The unit is spot-checked: this secret shows it."""

    unit: UnitId
    secret: Secret
    guard_r: Hash


@dataclass(frozen=True, slots=True)
class CheckCommitted:
    """The drawn ticket's owner has committed its check: report 0."""

    unit: UnitId
    ticket: int
    author: Address
    hash: Hash


@dataclass(frozen=True, slots=True)
class CheckMissed:
    """A drawn ticket was fined, for its owner committed no check."""

    unit: UnitId
    ticket: int
    fine: int  # wei


@dataclass(frozen=True, slots=True)
class Revealed:
    unit: UnitId
    result_hash: Hash
    guard: Hash
    flags: int
    result: Result
    output: bytes


@dataclass(frozen=True, slots=True)
class Reported:
    unit: UnitId
    index: int
    author: Address
    hash: Hash


@dataclass(frozen=True, slots=True)
class ReportRevealed:
    unit: UnitId
    index: int
    result_hash: Hash
    verdict: int
    evidence: bytes


@dataclass(frozen=True, slots=True)
class ReportClosed:
    unit: UnitId
    index: int
    returned: int  # wei


@dataclass(frozen=True, slots=True)
class Demanded:
    """The requester wants a chunk of the output shown on the chain, by `by`."""

    unit: UnitId
    chunk: int
    by: int


@dataclass(frozen=True, slots=True)
class Supplied:
    unit: UnitId
    chunk: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Disputed:
    """The unit goes to a jury, whose snapshot is taken at `challenge_by`."""

    unit: UnitId
    challenge_by: int
    flags: int


@dataclass(frozen=True, slots=True)
class JuryShown:
    unit: UnitId
    s_r: Secret


@dataclass(frozen=True, slots=True)
class Defended:
    unit: UnitId
    s_w: Secret


@dataclass(frozen=True, slots=True)
class Ruled:
    """The Court's word; `Settled` follows in the same transaction."""

    unit: UnitId
    final_hash: Hash


@dataclass(frozen=True, slots=True)
class Settled:
    unit: UnitId
    phase: Phase
    paid: int  # wei
    slashed: int  # wei


@dataclass(frozen=True, slots=True)
class Skipped:
    unit: UnitId
    reason: bytes  # selector of the error that a single call would have reverted with


AuctionRecord = Announced | BidPosted | Outbid | Lapsed
AccountRecord = Funded | ExitRequested | Withdrawn
UnitRecord = (
    Awarded
    | Committed
    | Drawn
    | CheckCommitted
    | CheckMissed
    | Revealed
    | Reported
    | ReportRevealed
    | ReportClosed
    | Demanded
    | Supplied
    | Disputed
    | JuryShown
    | Defended
    | Ruled
    | Settled
    | Skipped
)
Record = AccountRecord | Burned | Requested | AuctionRecord | UnitRecord | CourtRecord


def decode_log(topics: Sequence[bytes], data: bytes, source: Source = "BlockEdge") -> Record | None:
    """One log of the contract `source`; None for an event that nobody here reads.

    Raises ValueError if it has one of our topics and does not decode: a lying endpoint, or another contract.
    """
    found = contract(source).log(topics, data)
    if found is None:
        return None
    name, values = found
    make = _MAKERS[source].get(name)
    return None if make is None else make(*values)


def _struct(cls: type[S], values: tuple[Any, ...]) -> S:
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    return cls(**dict(zip(names, values, strict=True)))


_BLOCK_EDGE_MAKERS: dict[str, Callable[..., Record]] = {
    "Funded": Funded,
    "ExitRequested": ExitRequested,
    "Withdrawn": Withdrawn,
    "Burned": Burned,
    "Requested": lambda task, request: Requested(task, _struct(Request, request)),
    "Announced": lambda task, requester, request, closes_at, commits: Announced(
        task, requester, _struct(Request, request), closes_at, tuple(map(Hash, commits))
    ),
    "BidPosted": BidPosted,
    "Outbid": Outbid,
    "Lapsed": Lapsed,
    "Awarded": lambda unit, requester, worker, terms, start_at: Awarded(
        unit, requester, worker, _struct(Terms, terms), start_at
    ),
    "Committed": Committed,
    "Drawn": Drawn,
    "CheckCommitted": CheckCommitted,
    "CheckMissed": CheckMissed,
    "Revealed": lambda unit, result_hash, guard, flags, result, output: Revealed(
        unit, result_hash, guard, flags, _struct(Result, result), output
    ),
    "Reported": Reported,
    "ReportRevealed": ReportRevealed,
    "ReportClosed": ReportClosed,
    "Demanded": Demanded,
    "Supplied": Supplied,
    "Disputed": Disputed,
    "JuryShown": JuryShown,
    "Defended": Defended,
    "Ruled": Ruled,
    "Settled": lambda unit, phase, paid, slashed: Settled(unit, Phase(phase), paid, slashed),
    "Skipped": Skipped,
}
_MAKERS: dict[Source, Mapping[str, Callable[..., Record]]] = {
    "BlockEdge": _BLOCK_EDGE_MAKERS,
    "Court": COURT_MAKERS,
}
