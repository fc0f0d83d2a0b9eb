"""What goes over HTTP about the Court: tickets, and disputes with their juries. Conventions as in models.py."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blockedge_node.api.models import Model
from blockedge_node.api.scalars import Address, Bytes32, Wei, WeiSum


class Stake(Model):
    """How many tickets to stake at once."""

    count: int = Field(default=1, ge=1, le=100)


class Ticket(Model):
    """A staked right to be drawn as checker or juror."""

    id: int
    owner: Address
    mine: bool
    state: Literal["young", "live", "left", "withdrawn"]  # young: not old enough to be drawn
    stake: Wei
    earned: Wei  # above the seat's price: what `collect` pays out
    staked_at: int
    drawn_from: int  # the first snapshot that may draw it
    left_at: int = 0
    withdraw_from: int = 0  # once it has left


class Tickets(Model):
    """Mine, or everybody's if asked for, by id; the figures are of all tickets in any case."""

    seat: Wei  # what a ticket costs
    ticket_age: int  # seconds until it may be drawn
    unbond: int  # seconds from leaving to withdrawing
    staked: int  # tickets ever staked
    live: int  # those that a draw made now could fall on …
    owners: int  # … and whose they are
    owners_needed: int  # for a job of a court kind, as this node's operator wants it
    tickets: tuple[Ticket, ...] = ()


class Seat(Model):
    """One juror's place in a round."""

    seat: int
    ticket: int | None = None  # None: nobody sits
    owner: Address | None = None
    mine: bool = False
    # awaited and hidden may still change; silent and kept are what became of them
    vote: Literal["empty", "awaited", "hidden", "shown", "silent", "kept"]
    result_hash: Bytes32 | None = None
    says: Literal["", "right", "wrong", "no-input"] = ""  # of the worker's result


class Round(Model):
    round: int
    since: int
    funder: Address | None = None  # None: the pot came from a silent checker's ticket
    commit_by: int
    reveal_by: int
    appeal_by: int  # the last round has no appeal: then as reveal_by
    standing: Literal[
        "paid", "slashed", "unresolved"
    ]  # how the case would end by it, as far as votes are shown
    seats: tuple[Seat, ...] = ()


class Ordered(Model):
    """A check of a revealed result that the operator ordered; /api/v1/reports shows what it comes to."""

    unit: Bytes32
    by: int  # last time for a report


class Dispute(Model):
    """A unit that went, or is going, to a jury."""

    unit: Bytes32
    task: Bytes32
    phase: str  # disputed, or the end that it came to
    stage: Literal["showing", "defending", "voting", "revealing", "appealing", "closing", "ended"]
    stage_by: int = 0  # last time for what the stage is named after; 0: none
    requester: Address
    worker: Address
    accuser: Address | None = None  # None: the drawn checker kept silent
    roles: tuple[str, ...] = ()  # ours: requester, worker, accuser, checker, reporter, juror
    since: int
    price: Wei
    deposit: Wei
    fee: Wei  # of one seat
    accused: Bytes32  # the worker's resultHash
    reports: int = 0
    rounds: tuple[Round, ...] = ()
    appeal_cost: Wei = 0  # what opening the next round takes now; 0: it cannot be opened now
    final_hash: Bytes32 | None = None
    slashed: WeiSum = 0
