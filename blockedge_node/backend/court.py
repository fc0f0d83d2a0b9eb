"""Tickets and disputes: what the Court holds for this node, and what its operator may do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from blockedge_node.api import court_models, models
from blockedge_node.api.backend import NotFound
from blockedge_node.api.problems import Ambiguous
from blockedge_node.backend.court_views import dispute_model, is_dispute, ticket_model
from blockedge_node.backend.parts import SHOWN, Parts, transaction_model
from blockedge_node.chain.blocks import Receipt
from blockedge_node.core.actions import Appeal
from blockedge_node.core.court import Ticket, owners
from blockedge_node.core.deadlines import challenge_by
from blockedge_node.core.events import CheckOrdered
from blockedge_node.core.ids import UnitId
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.unit import UnitView
from blockedge_node.core.verifier import may_report
from blockedge_node.errors import BlockEdgeError, ChainError


class CourtPart(Parts):
    # ── tickets ──────────────────────────────────────────────────────────────────────────────────────────

    async def tickets(self, *, everybody: bool) -> court_models.Tickets:
        world = self.ready()
        me, params, now = self.chain.address, world.params, self.clock()
        rows = [ticket for ticket in world.tickets if everybody or ticket.owner == me]
        drawn = [t for t in world.tickets if t.staked_at + params.ticket_age <= now and t.live_at(now)]
        return court_models.Tickets(
            seat=params.seat,
            ticket_age=params.ticket_age,
            unbond=params.unbond,
            staked=len(world.tickets),
            live=len(drawn),
            owners=len(owners(world.tickets, now, params.ticket_age)),
            owners_needed=world.policy.min_ticket_owners,
            tickets=tuple(ticket_model(ticket, me, params, now) for ticket in rows),
        )

    async def stake(self, count: int) -> Sequence[models.Transaction]:
        return [transaction_model("stake", receipt) for receipt in await _all(self.chain.stake, count)]

    async def unstake(self, ticket: int) -> models.Transaction:
        mine = self._my_ticket(ticket)
        if mine.left_at:
            raise ChainError(f"ticket {ticket} has left already")
        return transaction_model("unstake", await self.chain.unstake(ticket))

    async def withdraw_ticket(self, ticket: int) -> models.Transaction:
        mine = self._my_ticket(ticket)
        if not mine.left_at:
            raise ChainError(f"ticket {ticket} is in: unstake it first, and wait {self.params().unbond} s")
        left = mine.left_at + self.params().unbond - self.clock()
        if left >= 0:
            raise ChainError(f"ticket {ticket} answers for its duties for {left + 1} s more: ask again then")
        if not mine.stake:
            raise ChainError(f"ticket {ticket} has been withdrawn already")
        return transaction_model("withdrawTicket", await self.chain.withdraw_ticket(ticket))

    async def collect(self, ticket: int) -> models.Transaction:
        mine = self._my_ticket(ticket)
        if mine.stake <= self.params().seat:
            raise ChainError(f"ticket {ticket} has earned nothing yet: it holds {mine.stake} wei")
        return transaction_model("collect", await self.chain.collect(ticket))

    def _my_ticket(self, ticket: int) -> Ticket:
        """Raises NotFound if there is none of this id, ChainError if it is somebody else's."""
        known = self.ready().tickets
        if not 0 <= ticket < len(known):
            raise NotFound(f"there is no ticket {ticket}")
        if known[ticket].owner != self.chain.address:
            raise ChainError(f"ticket {ticket} belongs to 0x{known[ticket].owner.hex()}")
        return known[ticket]

    # ── disputes ─────────────────────────────────────────────────────────────────────────────────────────

    async def disputes(self) -> Sequence[court_models.Dispute]:
        world = self.ready()
        rows = [dispute_model(view, world) for view in self._views() if is_dispute(view)]
        return sorted(rows, key=lambda row: row.since, reverse=True)[:SHOWN]

    async def dispute(self, unit: bytes) -> court_models.Dispute:
        return dispute_model(self._disputed(unit), self.ready())

    async def order_check(self, prefix: str) -> court_models.Ordered:
        world = self.ready()
        found = [view for view in self._views() if view.unit.hex().startswith(prefix)]
        if not found:
            raise NotFound(f"no unit is known here whose id begins with {prefix!r}")
        if len(found) > 1:
            raise Ambiguous(prefix, [f"unit 0x{view.unit.hex()}" for view in found])
        (view,) = found
        if not may_report(view, world):
            raise ChainError(
                f"no report of ours on this unit could count: it is {view.phase.name.lower()}, and reports are "
                "for others' revealed results, until their challenge window ends"
            )
        await self.engine.submit(CheckOrdered(view=view))
        return court_models.Ordered(unit=view.unit, by=challenge_by(view, world.params))

    async def appeal(self, unit: bytes) -> models.Transaction:
        view = self._disputed(unit)
        shown = dispute_model(view, self.ready())
        if view.case is None or shown.stage != "appealing":
            raise ChainError(f"the dispute is {shown.stage}: it can be appealed once all votes are shown")
        round, case = len(view.case.rounds), view.case.case
        call = Appeal(unit=view.unit, case=case, round=round, value=appeal_cost(round, case.fee))
        return transaction_model("appeal", await self.chain.appeal(call))

    def _disputed(self, unit: bytes) -> UnitView:
        view = self.chain.watcher.book.get(UnitId(unit))
        if view is None or not is_dispute(view):
            raise NotFound(f"no dispute about a unit 0x{unit.hex()} is known here")
        return view

    def _views(self) -> Sequence[UnitView]:
        return self.chain.watcher.book.all_views()


async def _all(call: Callable[[], Awaitable[Receipt]], count: int) -> list[Receipt]:
    """The same call `count` times at once. Raises the first error, once the others have ended."""
    receipts: list[Receipt] = []
    errors: list[BlockEdgeError] = []

    async def run() -> None:
        try:
            receipts.append(await call())
        except BlockEdgeError as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(run)
    if errors:
        raise errors[0]
    return receipts
