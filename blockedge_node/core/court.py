"""What the chain says of checks, juries and forced outputs: tickets, draws, cases, votes, demands (§6.2–6.5, §10).

    Ticket ──▶ drawn as a checker, by draw.seed          ──▶ report 0 of the unit
          └──▶ seated as a juror, by case.seed and round ──▶ a vote, hidden first

A seat is a number that everybody can work out: the first of TRIES tickets that is live at the snapshot and no
party's (invariant 11). `seat` here is contracts/src/Court.sol's rule, word for word.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash, Secret, UnitId
from blockedge_node.core.sortition import TRIES, ticket_index
from blockedge_node.core.structs import Struct

NO_INPUT = keccak256(b"BlockEdge.NO_INPUT")  # a juror's vote where nobody served the input (§6.5)


# ── tickets and seats ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A staked right to be drawn. Ids count from 0 in the order of staking; `stake` in wei."""

    id: int
    owner: Address
    staked_at: int
    left_at: int = 0  # 0: still in
    stake: int = 0

    def live_at(self, snapshot: int) -> bool:
        """Leaving later changes no seat and frees no duty."""
        return self.left_at == 0 or self.left_at >= snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatProof:
    """Where a seat's ticket was found, as the contract checks it: at which try, among how many tickets."""

    attempt: int
    tickets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    ticket: Ticket
    proof: SeatProof


def snapshot_size(tickets: Sequence[Ticket], snapshot: int, ticket_age: int) -> int:
    """nSnap: tickets staked at least `ticket_age` seconds before `snapshot`. `tickets`: all, by id."""
    return sum(1 for ticket in tickets if ticket.staked_at + ticket_age <= snapshot)


def seat_of(
    tickets: Sequence[Ticket],
    seed: Hash,
    seat: int,
    snapshot: int,
    ticket_age: int,
    parties: Collection[Address],
) -> Seat | None:
    """Who sits, or None: the seat is empty. `tickets`: all ever staked, in the order of their ids."""
    size = snapshot_size(tickets, snapshot, ticket_age)
    if size == 0:
        return None
    for attempt in range(TRIES):
        ticket = tickets[ticket_index(seed, seat, attempt, size)]
        if ticket.live_at(snapshot) and ticket.owner not in parties:
            return Seat(ticket=ticket, proof=SeatProof(attempt=attempt, tickets=size))
    return None


def owners(tickets: Sequence[Ticket], snapshot: int, ticket_age: int) -> frozenset[Address]:
    """Whose tickets may be drawn at `snapshot`."""
    old = tickets[: snapshot_size(tickets, snapshot, ticket_age)]  # ids count in the order of staking
    return frozenset(ticket.owner for ticket in old if ticket.live_at(snapshot))


# ── a spot check ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawView:
    """`Drawn`: the requester's secret, what stands for its second one, and the seed that follows."""

    secret: Secret
    guard_r: Hash
    seed: Hash


# ── a jury's case ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Struct):
    """What every call to the Court carries, as `CaseOpened` showed it. `seed` is seed₀, `fee` is φ."""

    TYPE: ClassVar[str] = (
        "Case(bytes32 unit,bytes32 seed,bytes32 accused,address worker,address requester,address accuser,"
        "uint40 snapshot,uint32 tickets,uint32 vwin,uint96 fee)"
    )
    unit: UnitId
    seed: Hash
    accused: Hash  # the worker's resultHash
    worker: Address
    requester: Address
    accuser: Address  # zero: a silent checker's case
    snapshot: int
    tickets: int  # nSnap
    vwin: int
    fee: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteView:
    seat: int
    ticket: int
    hash: Hash  # the commitment
    result_hash: Hash | None = None  # None until revealed; NO_INPUT is a vote too


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    round: int  # 0, 1, 2
    since: int
    funder: Address  # who appealed; the accuser for round 0
    votes: tuple[VoteView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    case: Case
    rounds: tuple[RoundView, ...] = ()
    closed: bool = False


# ── an output that was withheld ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandView:
    chunk: int
    by: int  # last time for `supply`
    supplied: bool = False
