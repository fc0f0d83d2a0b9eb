"""The Court: tickets, and the disputes that are before it. Each change returns once its transaction is confirmed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path

from blockedge_node.api.backend import NotFound
from blockedge_node.api.court_models import Dispute, Ordered, Stake, Tickets
from blockedge_node.api.models import Transaction
from blockedge_node.api.problems import Ambiguous, BadRequest
from blockedge_node.api.routes import Node
from blockedge_node.api.routes.money import on_chain
from blockedge_node.api.scalars import hex_text

router = APIRouter(prefix="/api/v1", tags=["court"])

TicketId = Annotated[int, Path(ge=0, lt=2**32)]
_DIGITS = re.compile(r"[0-9a-f]{2,64}")


@router.get("/tickets")
async def tickets(node: Node, everybody: bool = False) -> Tickets:
    """Own tickets, or all, and how many could be drawn."""
    return await node.tickets(everybody=everybody)


@router.post("/tickets/stake")
async def stake(node: Node, body: Stake) -> Sequence[Transaction]:
    """Stake tickets: each takes a seat's price from the account itself."""
    with on_chain("take the stake"):
        return await node.stake(body.count)


@router.post("/tickets/{ticket}/unstake")
async def unstake(node: Node, ticket: TicketId) -> Transaction:
    """No later draw takes it; what it was drawn for is still its duty."""
    with on_chain("let the ticket go"):
        return await node.unstake(ticket)


@router.post("/tickets/{ticket}/withdraw")
async def withdraw(node: Node, ticket: TicketId) -> Transaction:
    """Take what is left of the stake, once the contract's UNBOND has passed."""
    with on_chain("pay out the ticket"):
        return await node.withdraw_ticket(ticket)


@router.post("/tickets/{ticket}/collect")
async def collect(node: Node, ticket: TicketId) -> Transaction:
    """Take what the ticket has earned."""
    with on_chain("pay out the earnings"):
        return await node.collect(ticket)


@router.get("/disputes")
async def disputes(node: Node) -> Sequence[Dispute]:
    """Units before a jury, and those that lately were, newest first."""
    return await node.disputes()


@router.get("/disputes/{unit}")
async def dispute(node: Node, unit: str) -> Dispute:
    return await _find(node, unit)


@router.post("/disputes/{unit}/report", status_code=202)
async def report(node: Node, unit: str) -> Ordered:
    """Recompute a revealed result, anybody's, and report it, with a bond, if it is wrong: this begins a dispute."""
    return await node.order_check(_digits(unit))


@router.post("/disputes/{unit}/appeal")
async def appeal(node: Node, unit: str) -> Transaction:
    """Fund the next round, whoever is right: a funder whose appeal was right is repaid with a tenth on top."""
    found = await _find(node, unit)
    with on_chain("take the appeal"):
        return await node.appeal(found.unit)


async def _find(node: Node, text: str) -> Dispute:
    """The one dispute whose unit begins with these digits; anybody's, not only of units that we have a part in."""
    digits = _digits(text)
    found = [row for row in await node.disputes() if row.unit.hex().startswith(digits)]
    if not found:
        raise NotFound(f"no dispute about a unit {text!r} is known here; GET /api/v1/disputes lists them")
    if len(found) > 1:
        raise Ambiguous(text, [f"unit {hex_text(row.unit)}" for row in found])
    return found[0]


def _digits(text: str) -> str:
    digits = text.lower().removeprefix("0x")
    if not _DIGITS.fullmatch(digits):
        raise BadRequest(f"{text!r} is not an id: write 2 to 64 hex digits, with or without 0x")
    return digits
