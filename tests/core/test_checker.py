"""A unit whose spot check fell to a ticket of mine: found while it is hidden, shown whatever it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core import checker as checkers
from blockedge_node.core.actions import Appeal, Check, CloseRound, CommitCheck, RevealReport, Settle
from blockedge_node.core.commitment import Role
from blockedge_node.core.court import Case, CaseView, RoundView, Ticket, VoteView
from blockedge_node.core.events import Checked, CheckFailed, Event
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash, Secret
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.node import MACHINES
from blockedge_node.core.task import Result
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.wire import records
from tests.core.builders import ALICE, BOB, CAROL, DAVE, START, ended
from tests.core.checked import COURT, DRAWN, RIGHT, TICKETS, UNDRAWN, WRONG, before_court, checking
from tests.core.court import FEE
from tests.core.story import Story, play
from tests.core.test_total import events


def found(result: Result | None = RIGHT, salt: bytes = b"7" * 32) -> Checked:
    return Checked(
        unit=DRAWN.unit, wrong=False, result=result, evidence=b"", salt=Secret(salt), role=Role.CHECKER
    )


def drawn(**policy: Any) -> Story:
    return play(checking(), CAROL, **policy).before(COURT, TICKETS).sees(DRAWN.marked)


def committed(result: Result = RIGHT) -> tuple[Story, UnitView]:
    story = drawn().then_wants(Check).gets(found(result)).then_wants(CommitCheck)
    view = DRAWN.checked(story.wanted(CommitCheck).hash)
    return story.sees(view).then_rests(), view


def test_checker_finds_the_result_while_it_is_hidden_and_shows_it_when_all_do() -> None:
    story, view = committed()
    view = DRAWN.shown(view)  # challengeBy is START + 32, reportBy + 37
    story.sees(view).at(32).then_rests().at(33).then_wants(RevealReport)
    report = story.wanted(RevealReport)
    assert (report.index, report.author, report.result_hash) == (0, CAROL, RIGHT.hash())
    view = replace(view, reports=(replace(view.reports[0], result_hash=RIGHT.hash()),))
    story.sees(view).then_rests().at(42).then_rests().at(43).then_wants(Settle)
    story.sees(ended(view, Phase.PAID, START + 44)).then_rests().then_is_over().then_tells("check.paid")


def test_checker_runs_blind() -> None:
    check = drawn().wanted(Check)
    assert (check.result, check.output, check.role) == (None, b"", Role.CHECKER)


def test_a_check_is_the_same_after_a_restart_a_reorg_and_a_second_run() -> None:
    story = drawn().gets(found())
    before = story.wanted(CommitCheck)
    story.restarts().then_wants(before).gets(found(WRONG, b"8" * 32)).then_wants(before)
    story.sees().then_rests().then_lives().sees(DRAWN.marked).then_wants(before)


def test_a_failed_run_is_no_check() -> None:
    failed = CheckFailed(unit=DRAWN.unit, reason="out of memory", role=Role.CHECKER)
    story = drawn().gets(failed).then_rests().then_lives()
    story.sees(DRAWN.shown(DRAWN.marked)).then_rests().then_is_over()


def test_what_others_look_for_is_none_of_its_business() -> None:
    drawn().gets(replace(found(), role=Role.JUROR)).then_wants(Check)


def test_nothing_is_committed_after_checkBy() -> None:
    drawn().gets(found()).at(13).then_wants(CommitCheck).at(14).then_rests()


def before_jury(view: UnitView, votes: int) -> UnitView:
    """A dispute in which `votes` of five jurors acquit Bob, from START + 60."""
    case = Case(
        unit=view.unit,
        seed=keccak256(b"seed"),
        accused=RIGHT.hash(),
        worker=BOB,
        requester=ALICE,
        accuser=CAROL,
        snapshot=view.challenge_by,
        tickets=len(TICKETS),
        vwin=view.terms.vwin,
        fee=FEE,
    )
    cast = tuple(
        VoteView(seat=i, ticket=i, hash=Hash(bytes(32)), result_hash=RIGHT.hash()) for i in range(votes)
    )
    round = RoundView(round=0, since=START + 60, funder=CAROL, votes=cast)
    return replace(view, defended=Secret(b"w" * 32), case=CaseView(case=case, rounds=(round,)))


def test_a_right_accuser_appeals_what_a_jury_says_against_it() -> None:
    story, view = committed(WRONG)
    shown = replace(view.reports[0], result_hash=WRONG.hash())
    view = DRAWN.disputed(replace(DRAWN.shown(view), reports=(shown,)))
    story.sees(view).then_rests()
    view = before_jury(view, votes=5)
    story.sees(view).at(77).then_rests().at(78).then_wants(Appeal).at(88).then_rests()
    (appealed,) = story.at(80).due
    assert isinstance(appealed, Appeal)
    assert (appealed.round, appealed.value) == (1, appeal_cost(1, FEE))
    story.at(87 + COURT.grace).then_rests().at(88 + COURT.grace).then_wants(CloseRound)


def test_who_agreed_with_the_worker_has_nothing_to_appeal() -> None:
    story, view = committed()
    shown = replace(view.reports[0], result_hash=RIGHT.hash())
    view = before_jury(DRAWN.disputed(replace(DRAWN.shown(view), reports=(shown,))), votes=0)
    story.sees(view).at(80).then_rests()


def test_whose_duty_a_check_is() -> None:
    def wants(me: Address, view: UnitView = DRAWN.marked, at: int = 0, **policy: Any) -> bool:
        return checkers.wants(view, before_court(me, START + at, **policy))

    assert wants(CAROL)
    assert wants(CAROL, at=13)
    assert not wants(CAROL, at=14)
    assert not wants(CAROL, juror=False)
    assert not wants(CAROL, DRAWN.committed), "it is not marked"
    assert not wants(CAROL, UNDRAWN.committed)
    assert not wants(CAROL, DRAWN.checked(Hash(bytes(32)), DAVE)), "somebody has checked it"
    assert not wants(CAROL, DRAWN.shown(DRAWN.marked))
    for party in (ALICE, BOB, DAVE):
        assert not wants(party), "a party's ticket is passed over; Dave has none"


def test_the_seat_is_that_of_the_commitments_time() -> None:
    here = before_court(CAROL)
    seat = checkers.drawn_seat(DRAWN.marked, here)
    late = tuple(replace(ticket, left_at=START + 1) for ticket in TICKETS)
    young = Ticket(id=10, owner=CAROL, staked_at=START - COURT.ticket_age + 1)
    assert checkers.drawn_seat(DRAWN.marked, replace(here, tickets=(*late, young))) is not None
    assert seat is not None
    after = checkers.drawn_seat(DRAWN.marked, replace(here, tickets=(*late, young)))
    assert after is not None
    assert (after.ticket.id, after.proof) == (seat.ticket.id, seat.proof), "who leaves later still sits"
    gone = tuple(replace(ticket, left_at=START - 1) for ticket in TICKETS)
    assert checkers.drawn_seat(DRAWN.marked, replace(here, tickets=gone)) is None


@settings(max_examples=60)
@given(st.lists(events, max_size=20))
def test_whatever_happens_the_first_answer_stands(after: list[Event]) -> None:
    here = before_court(CAROL)
    state, _ = checkers.step(checking(), found(), here)
    shown = checkers.my_check(state, here)
    for event in after:
        again, _ = checkers.step(state, event, here)
        assert checkers.step(state, event, here)[0] == again
        assert checkers.my_check(again, here) == shown
        assert records.load(MACHINES, records.dump(again)) == again
        checkers.due(again, here)
        state = again
