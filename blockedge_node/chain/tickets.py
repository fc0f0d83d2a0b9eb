"""Ticket records → all tickets of a Court: what every draw looks at. Pure.

Ids are given in the order of staking and never again, so the tickets are a list, and a ticket that has left stays
in it: draws of an earlier snapshot still count it. Every change of the last HORIZON blocks is undone by a reorg;
what is older is final, and records of it are not folded a second time.

The contract is the truth: `unproven` names the tickets that have changed since `prove` was last told what it says
of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from blockedge_node.chain.book import HORIZON
from blockedge_node.chain.court_events import (
    TicketCharged,
    TicketCollected,
    TicketLeft,
    TicketPaid,
    TicketRecord,
    TicketStaked,
    TicketWithdrawn,
)
from blockedge_node.core.court import Ticket
from blockedge_node.core.ids import Address


class TicketBook:
    """See the module docstring. Feed it records in log order; `seat`: what a ticket is staked with, in wei."""

    def __init__(self, seat: int = 0) -> None:
        self.seat = seat  # a constant of the deployment, known once that is read
        self._tickets: list[Ticket] = []
        self._undo: deque[tuple[int, int, Ticket | None]] = deque()  # (block, id, what it was)
        self._final = -1  # nothing up to this block is undone
        self._shown: tuple[Ticket, ...] | None = ()
        self._unproven: set[int] = set()

    def __len__(self) -> int:
        return len(self._tickets)

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All of them, by id; the same tuple until one changes."""
        if self._shown is None:
            self._shown = tuple(self._tickets)
        return self._shown

    @property
    def unproven(self) -> tuple[int, ...]:
        """Ids of tickets that nobody has compared with the contract as they are now."""
        return tuple(sorted(self._unproven))

    def owner(self, ticket: int) -> Address | None:
        return self._tickets[ticket].owner if ticket < len(self._tickets) else None

    def apply(self, record: TicketRecord, block: int, time: int) -> None:
        """Fold one record of the block `block` with timestamp `time`.

        A record of a ticket whose staking is not known changes nothing: the comparison will tell.
        """
        if block <= self._final:
            return
        if isinstance(record, TicketStaked):
            if record.ticket == len(self._tickets):
                self._undo.append((block, record.ticket, None))
                self._tickets.append(
                    Ticket(id=record.ticket, owner=record.owner, staked_at=time, left_at=0, stake=self.seat)
                )
                self._touch(record.ticket)
        elif record.ticket < len(self._tickets):
            old = self._tickets[record.ticket]
            self._undo.append((block, record.ticket, old))
            self._tickets[record.ticket] = _fold(old, record, time)
            self._touch(record.ticket)

    def drop_above(self, block: int) -> None:
        """Undo everything that blocks after `block` did."""
        while self._undo and self._undo[-1][0] > block:
            _, ticket, old = self._undo.pop()
            if old is None:
                self._tickets.pop()
            else:
                self._tickets[ticket] = old
            self._touch(ticket)

    def retire(self, head: int) -> None:
        """What no reorg can bring back is final."""
        self._final = max(self._final, head - HORIZON)
        while self._undo and self._undo[0][0] <= self._final:
            self._undo.popleft()

    def prove(self, count: int, said: Mapping[int, Ticket]) -> bool:
        """Whether the contract has as many tickets, and says the same of those in `said`."""
        if count != len(self._tickets):
            return False
        self._unproven -= {i for i, ticket in said.items() if ticket == self._tickets[i]}
        return all(ticket == self._tickets[i] for i, ticket in said.items())

    def _touch(self, ticket: int) -> None:
        self._shown = None
        if ticket < len(self._tickets):
            self._unproven.add(ticket)
        else:
            self._unproven.discard(ticket)


def _fold(ticket: Ticket, record: TicketRecord, time: int) -> Ticket:
    match record:
        case TicketLeft():
            return replace(ticket, left_at=time)
        case TicketCharged() | TicketCollected():
            return replace(ticket, stake=ticket.stake - record.amount)
        case TicketPaid():
            return replace(ticket, stake=ticket.stake + record.amount)
        case TicketWithdrawn():
            return replace(ticket, stake=0)
        case _:
            return ticket
