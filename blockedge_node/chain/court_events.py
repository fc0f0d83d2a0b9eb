"""Logs of the Court → records: tickets that come, go and are charged, cases with their votes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from blockedge_node.core.court import Case
from blockedge_node.core.ids import Address, Hash, UnitId
from blockedge_node.core.unit import Phase

# ── tickets ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TicketStaked:
    """A new ticket, with the next id and a stake of SEAT."""

    ticket: int
    owner: Address


@dataclass(frozen=True, slots=True)
class TicketLeft:
    """It may not be drawn from now on; its duties go on."""

    ticket: int


@dataclass(frozen=True, slots=True)
class TicketWithdrawn:
    ticket: int
    amount: int  # wei, all that was left of the stake


@dataclass(frozen=True, slots=True)
class TicketCollected:
    """Earnings above SEAT were paid out."""

    ticket: int
    amount: int


@dataclass(frozen=True, slots=True)
class TicketCharged:
    ticket: int
    amount: int


@dataclass(frozen=True, slots=True)
class TicketPaid:
    ticket: int
    amount: int


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CaseOpened:
    """Round 0 has begun."""

    unit: UnitId
    case: Case


@dataclass(frozen=True, slots=True)
class Voted:
    unit: UnitId
    round: int
    seat: int
    ticket: int
    commitment: Hash


@dataclass(frozen=True, slots=True)
class VoteRevealed:
    unit: UnitId
    round: int
    seat: int
    result_hash: Hash


@dataclass(frozen=True, slots=True)
class Appealed:
    """`round` is the one that begins with it."""

    unit: UnitId
    round: int
    funder: Address


@dataclass(frozen=True, slots=True)
class CaseClosed:
    unit: UnitId
    outcome: Phase
    final_hash: Hash


TicketRecord = TicketStaked | TicketLeft | TicketWithdrawn | TicketCollected | TicketCharged | TicketPaid
CaseRecord = CaseOpened | Voted | VoteRevealed | Appealed | CaseClosed
CourtRecord = TicketRecord | CaseRecord


def _case(values: tuple[Any, ...]) -> Case:
    names = [field.name for field in fields(Case)]
    return Case(**dict(zip(names, values, strict=True)))


COURT_MAKERS: Mapping[str, Callable[..., CourtRecord]] = {
    "TicketStaked": TicketStaked,
    "TicketLeft": TicketLeft,
    "TicketWithdrawn": TicketWithdrawn,
    "TicketCollected": TicketCollected,
    "TicketCharged": TicketCharged,
    "TicketPaid": TicketPaid,
    "CaseOpened": lambda unit, case: CaseOpened(unit, _case(case)),
    "Voted": Voted,
    "VoteRevealed": VoteRevealed,
    "Appealed": Appealed,
    "CaseClosed": lambda unit, outcome, final_hash: CaseClosed(unit, Phase(outcome), final_hash),
}
