"""Tickets: staked rights to be drawn (§6.2), and who sits in a seat.

A seat is a number that everybody can work out: the first of eight tickets, named by a seed, that was in at the
snapshot time and is no party's. Leaving later, and the time of the call, change nothing (invariants 10, 11).
"""

from __future__ import annotations

from collections.abc import Collection

from blockedge_node.core.court import SeatProof
from blockedge_node.core.ids import Address, Hash
from blockedge_node.core.sortition import TRIES, ticket_index
from tests.model.objections import Refused, broken, require
from tests.model.world import Ticket, World

Seat = tuple[int, int, Address]  # attempt, ticket, owner


def stake(world: World, sender: Address, value: int) -> None:
    require((value != world.params.seat, "BadValue"))
    world.tickets.append(Ticket(owner=sender, staked_at=world.now, stake=value))
    world.court_ether += value
    world.emit("TicketStaked", ticket=len(world.tickets) - 1, owner=sender)


def unstake(world: World, sender: Address, id: int) -> None:
    ticket = _owned(world, sender, id)
    require((ticket.left_at != 0, "TicketGone"))
    _leave(world, id)


def withdraw_ticket(world: World, sender: Address, id: int) -> None:
    ticket = _owned(world, sender, id)
    require((ticket.left_at == 0, "TicketIn"))
    require((world.now <= ticket.left_at + world.params.unbond, "TooEarly"))
    amount, ticket.stake = ticket.stake, 0
    _pay_out(world, sender, amount)
    world.emit("TicketWithdrawn", ticket=id, amount=amount)


def collect(world: World, sender: Address, id: int) -> None:
    """What jurors' fees have added."""
    ticket = _owned(world, sender, id)
    earned = ticket.stake - world.params.seat
    require((earned <= 0, "BadValue"))
    ticket.stake -= earned
    _pay_out(world, sender, earned)
    world.emit("TicketCollected", ticket=id, amount=earned)


def by_anybody(world: World, sender: Address, *_: object) -> None:
    """open and take are BlockEdge's."""
    raise Refused({"NotBlockEdge"})


# ── seats ────────────────────────────────────────────────────────────────────────────────────────────────


def old_enough(world: World, snapshot: int) -> int:
    """nSnap. Tickets are numbered in the order of staking, so these are the first so many."""
    return sum(ticket.staked_at + world.params.ticket_age <= snapshot for ticket in world.tickets)


def sitting(world: World, seed: Hash, seat: int, snapshot: int, parties: Collection[Address]) -> Seat | None:
    """Who sits there; None: the seat stays empty."""
    size = old_enough(world, snapshot)
    for attempt in range(TRIES if size else 0):
        id = ticket_index(seed, seat, attempt, size)
        ticket = world.tickets[id]
        was_in = ticket.left_at == 0 or ticket.left_at >= snapshot
        if was_in and ticket.owner not in parties:
            return attempt, id, ticket.owner
    return None


def why_not_drawn(world: World, proof: SeatProof, snapshot: int, seat: Seat | None) -> frozenset[str]:
    """Objections to a caller's account of a draw."""
    return broken(
        (proof.tickets != old_enough(world, snapshot), "BadSnapshot"),
        (seat is None or seat[0] != proof.attempt, "NotSeat"),
    )


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────


def charge(world: World, id: int, amount: int) -> int:
    """Takes `amount` from a stake, or what there is. A ticket that has less than half a seat left leaves at once."""
    ticket = world.tickets[id]
    taken = min(amount, ticket.stake)
    if taken:
        ticket.stake -= taken
        world.emit("TicketCharged", ticket=id, amount=taken)
        if ticket.stake < world.params.seat // 2 and ticket.left_at == 0:
            _leave(world, id)
    return taken


def take(world: World, id: int, amount: int) -> int:
    """The same, and it leaves the Court for BlockEdge."""
    taken = charge(world, id, amount)
    world.court_ether -= taken
    return taken


def pay(world: World, id: int, amount: int) -> None:
    if amount:
        world.tickets[id].stake += amount
        world.emit("TicketPaid", ticket=id, amount=amount)


def _owned(world: World, sender: Address, id: int) -> Ticket:
    require((id >= len(world.tickets) or world.tickets[id].owner != sender, "NotOwner"))
    return world.tickets[id]


def _leave(world: World, id: int) -> None:
    world.tickets[id].left_at = world.now
    world.emit("TicketLeft", ticket=id)


def _pay_out(world: World, who: Address, amount: int) -> None:
    world.court_ether -= amount
    world.paid_out.append((who, amount))
