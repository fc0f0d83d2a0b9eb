"""Logs of BlockEdge → records: the contract's events (docs/protocol.md §3.4) as frozen dataclasses. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from blockedge_node.chain.abi_codec import contract
from blockedge_node.core.ids import Address, Hash, TaskId, UnitId
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Request, Result
from blockedge_node.core.unit import Phase, Terms

S = TypeVar("S", bound=Struct)


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
class Committed:
    unit: UnitId
    commitment: Hash


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
class Settled:
    unit: UnitId
    phase: Phase
    paid: int  # wei
    slashed: int  # wei


@dataclass(frozen=True, slots=True)
class Skipped:
    unit: UnitId
    reason: bytes  # selector of the error that a single call would have reverted with


AccountRecord = Funded | ExitRequested | Withdrawn
UnitRecord = Awarded | Committed | Revealed | Reported | ReportRevealed | ReportClosed | Settled | Skipped
Record = AccountRecord | Burned | Requested | UnitRecord


def decode_log(topics: Sequence[bytes], data: bytes) -> Record | None:
    """One log of the BlockEdge contract; None for an event that nobody here reads.

    Raises ValueError if it has one of our topics and does not decode: a lying endpoint, or another contract.
    """
    found = contract("BlockEdge").log(topics, data)
    if found is None:
        return None
    name, values = found
    make = _MAKERS.get(name)
    return None if make is None else make(*values)


def _struct(cls: type[S], values: tuple[Any, ...]) -> S:
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    return cls(**dict(zip(names, values, strict=True)))


_MAKERS: dict[str, Callable[..., Record]] = {
    "Funded": Funded,
    "ExitRequested": ExitRequested,
    "Withdrawn": Withdrawn,
    "Burned": Burned,
    "Requested": lambda task, request: Requested(task, _struct(Request, request)),
    "Awarded": lambda unit, requester, worker, terms, start_at: Awarded(
        unit, requester, worker, _struct(Terms, terms), start_at
    ),
    "Committed": Committed,
    "Revealed": lambda unit, result_hash, guard, flags, result, output: Revealed(
        unit, result_hash, guard, flags, _struct(Result, result), output
    ),
    "Reported": Reported,
    "ReportRevealed": ReportRevealed,
    "ReportClosed": ReportClosed,
    "Settled": lambda unit, phase, paid, slashed: Settled(unit, Phase(phase), paid, slashed),
    "Skipped": Skipped,
}
