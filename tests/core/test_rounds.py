"""The rounds of a jury: who sits, when what is in time, and what stands (docs/protocol.md §6.2, §6.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core.court import RoundView, Ticket
from blockedge_node.core.rounds import (
    LAST_ROUND,
    appeal_by,
    commit_by,
    latest,
    my_seats,
    parties,
    reveal_by,
    seat,
    standing,
    vote_at,
)
from blockedge_node.core.sortition import ROUNDS, TRIES, round_seed, ticket_index
from blockedge_node.core.unit import Phase, ReportView
from tests.core.builders import ALICE, BOB, CAROL, DAVE, DEV, START, ended, who, world
from tests.core.court import CASE, DISPUTED, ERIN, RIGHT, TICKETS, WRONG, in_round, unanimous

HERE = replace(world(CAROL), tickets=TICKETS)


@pytest.mark.parametrize(("round", "appeal"), [(0, 27), (1, 27), (2, 17)])
def test_windows_follow_one_another_and_the_last_round_has_no_appeal(round: int, appeal: int) -> None:
    """JCOMMIT 5 + vwin 7, JREVEAL 5, APPEAL 10."""
    opened = RoundView(round=round, since=START, funder=DAVE)
    assert commit_by(CASE, opened, DEV) == START + 12
    assert reveal_by(CASE, opened, DEV) == START + 17
    assert appeal_by(CASE, opened, DEV) == START + appeal


def test_only_an_open_case_has_a_round_under_way() -> None:
    opened = in_round(1)
    round = latest(opened)
    assert round is not None
    assert round.round == 1
    assert latest(DISPUTED) is None
    assert latest(ended(opened, Phase.PAID, START)) is None
    assert opened.case is not None
    assert latest(replace(opened, case=replace(opened.case, closed=True))) is None
    assert latest(replace(opened, case=replace(opened.case, rounds=()))) is None


def test_nobody_with_a_stake_sits() -> None:
    """The worker, the requester, every reporter, and who had the check."""
    checked = ReportView(index=0, author=ERIN, hash=DISPUTED.reports[0].hash)
    view = replace(in_round(), reports=(checked, *DISPUTED.reports))
    assert parties(view) == {ALICE, BOB, DAVE, ERIN}
    owned = tuple(replace(t, owner=(ALICE, BOB, DAVE, ERIN)[t.id % 4]) for t in TICKETS)
    here = replace(HERE, tickets=owned)
    assert all(seat(view, 0, number, here) is None for number in range(ROUNDS[0]))


owners = st.lists(st.sampled_from((ALICE, BOB, CAROL, DAVE, ERIN, who("frank"))), min_size=1, max_size=12)
times = st.integers(-60, 10)


@given(
    owners,
    st.lists(st.tuples(times, st.one_of(st.none(), times)), min_size=12, max_size=12),
    st.integers(0, 2),
)
def test_a_seat_is_the_first_of_eight_tickets_that_may_sit(
    names: list[bytes], spans: list[tuple[int, int | None]], round: int
) -> None:
    """Written down a second time, as the protocol has it; tickets come in the order of their staking."""
    born = sorted(START + at for at, _ in spans[: len(names)])
    tickets = tuple(
        Ticket(id=i, owner=owner, staked_at=at, left_at=0 if left is None else START + left)  # type: ignore[arg-type]
        for i, (owner, at, (_, left)) in enumerate(zip(names, born, spans, strict=False))
    )
    view, here = in_round(round), replace(HERE, tickets=tickets)
    old = [t for t in tickets if t.staked_at + DEV.ticket_age <= CASE.snapshot]
    for number in range(ROUNDS[round]):
        expected = None
        for attempt in range(TRIES if old else 0):
            ticket = tickets[ticket_index(round_seed(CASE.seed, round), number, attempt, len(old))]
            live = ticket.left_at == 0 or ticket.left_at >= CASE.snapshot
            if live and ticket.owner not in (ALICE, BOB, DAVE):
                expected = (attempt, ticket)
                break
        found = seat(view, round, number, here)
        assert (found and (found.proof.attempt, found.ticket)) == expected
    mine = {number for number, _ in my_seats(view, round, here)}
    assert mine == {
        n for n in range(ROUNDS[round]) if (s := seat(view, round, n, here)) and s.ticket.owner == CAROL
    }


def test_what_stands_is_the_newest_rounds() -> None:
    guilty, innocent = unanimous(WRONG), unanimous(RIGHT, 1)
    assert guilty.case is not None
    assert innocent.case is not None
    assert standing(guilty.case).phase is Phase.SLASHED
    both = replace(innocent.case, rounds=(*guilty.case.rounds, *innocent.case.rounds))
    assert (standing(both).phase, standing(both).right) == (Phase.PAID, RIGHT.hash())
    assert both.rounds[-1].round < LAST_ROUND
    assert vote_at(both.rounds[-1], 3) == both.rounds[-1].votes[3]
    assert vote_at(both.rounds[-1], 11) is None
