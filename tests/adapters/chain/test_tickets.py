"""The fold of ticket records, without a chain: ids in order, stakes that move, reorgs undone, and the comparison."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

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
from blockedge_node.chain.tickets import TicketBook
from blockedge_node.core.court import Ticket
from blockedge_node.core.ids import Address

SEAT = 1_000
OWNERS = [Address(bytes([i]) * 20) for i in range(3)]


def book(*records: TicketRecord, first_block: int = 1) -> TicketBook:
    """One record a block, whose time is ten times its number."""
    found = TicketBook(SEAT)
    for i, record in enumerate(records):
        found.apply(record, first_block + i, 10 * (first_block + i))
    return found


def test_a_stake_moves_with_every_record() -> None:
    found = book(
        TicketStaked(0, OWNERS[0]),
        TicketPaid(0, 50),
        TicketCollected(0, 50),
        TicketCharged(0, 600),
        TicketLeft(0),
        TicketWithdrawn(0, 400),
    )
    assert found.tickets == (Ticket(id=0, owner=OWNERS[0], staked_at=10, left_at=50, stake=0),)
    found.drop_above(4)
    assert found.tickets == (Ticket(id=0, owner=OWNERS[0], staked_at=10, left_at=0, stake=400),)
    found.drop_above(0)
    assert found.tickets == ()


def test_records_that_an_honest_log_cannot_hold_change_nothing() -> None:
    found = book(TicketLeft(3), TicketStaked(1, OWNERS[0]), TicketStaked(0, OWNERS[1]), TicketPaid(7, 1))
    assert [t.owner for t in found.tickets] == [OWNERS[1]]
    assert not found.prove(2, {}), "and the comparison tells"


def test_the_same_tuple_until_a_ticket_changes() -> None:
    found = book(TicketStaked(0, OWNERS[0]))
    assert found.tickets is found.tickets
    before = found.tickets
    found.apply(TicketPaid(0, 1), 9, 90)
    assert found.tickets != before


def test_what_has_changed_is_compared_once() -> None:
    found = book(TicketStaked(0, OWNERS[0]), TicketStaked(1, OWNERS[1]))
    assert found.unproven == (0, 1)
    said = dict(enumerate(found.tickets))
    assert not found.prove(2, {**said, 1: replace(said[1], stake=1)})
    assert found.unproven == (1,)
    assert found.prove(2, said)
    assert found.unproven == ()
    found.apply(TicketCharged(0, 5), 3, 30)
    assert found.unproven == (0,)
    found.drop_above(2)
    assert found.unproven == (0,), "undone is changed too"
    assert not found.prove(3, said), "one that was kept back from us"


def test_what_is_final_is_not_folded_twice() -> None:
    found = book(TicketStaked(0, OWNERS[0]), TicketCharged(0, 5))
    found.retire(HORIZON + 2)
    found.drop_above(0)  # a unit's logs are read again from far back
    assert found.tickets[0].stake == SEAT - 5
    found.apply(TicketCharged(0, 5), 2, 20)
    assert found.tickets[0].stake == SEAT - 5


kinds = st.sampled_from(["stake", "leave", "charge", "pay"])


@given(
    steps=st.lists(st.tuples(kinds, st.integers(0, 5), st.integers(0, 2)), max_size=40),
    cut=st.integers(0, 90),
)
def test_dropping_blocks_is_the_same_as_never_having_seen_them(
    steps: list[tuple[str, int, int]], cut: int
) -> None:
    log: list[tuple[int, TicketRecord]] = []
    block, count = 1, 0
    for kind, ticket, gap in steps:
        block += gap
        match kind:
            case "stake":
                log.append((block, TicketStaked(count, OWNERS[ticket % 3])))
                count += 1
            case "leave":
                log.append((block, TicketLeft(ticket)))
            case "charge":
                log.append((block, TicketCharged(ticket, 7)))
            case _:
                log.append((block, TicketPaid(ticket, 3)))
    whole, part = TicketBook(SEAT), TicketBook(SEAT)
    for at, record in log:
        whole.apply(record, at, at * 10)
        if at <= cut:
            part.apply(record, at, at * 10)
    whole.drop_above(cut)
    assert whole.tickets == part.tickets
    for at, record in log:
        if at > cut:
            whole.apply(record, at, at * 10)
            part.apply(record, at, at * 10)
    assert whole.tickets == part.tickets
