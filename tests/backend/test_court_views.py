"""Tickets and disputes as the API shows them: stages by the clock, seats by their votes, roles by who asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockedge_node.backend.court_views import dispute_model, is_dispute, stage_of, ticket_model
from blockedge_node.core.court import NO_INPUT, CaseView, RoundView, Seat, Ticket, VoteView
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Hash, Secret
from blockedge_node.core.rounds import seat
from blockedge_node.core.unit import Head, Phase, ReportView, UnitView
from blockedge_node.core.world import Policy, World
from tests.adapters.chain.conftest import PARAMS
from tests.adapters.chain.test_book import REQUEST, RESULT, WHO, terms, trial

REQUESTER, WORKER, CHECKER = WHO
JURORS = [Address(bytes([0x40 + i]) * 20) for i in range(4)]
TICKETS = tuple(Ticket(id=i, owner=JURORS[i % 4], staked_at=1, stake=PARAMS.seat) for i in range(12))
(CASE,) = (record.case for record in trial(0) if hasattr(record, "case"))
BEGAN = 1_000


def at(now: int, me: Address = REQUESTER) -> World:
    return World(
        me=me,
        domain=Domain(1, Address(bytes(20))),
        params=PARAMS,
        policy=Policy(),
        head=Head(number=1, hash=Hash(bytes(32)), time=now),
        tickets=TICKETS,
    )


def disputed(*votes: VoteView, opened: bool = True) -> UnitView:
    case = replace(CASE, tickets=len(TICKETS), snapshot=500)
    first = RoundView(round=0, since=BEGAN, funder=CHECKER, votes=votes)
    return UnitView(
        unit=terms(0).unit,
        phase=Phase.DISPUTED,
        since=BEGAN,
        request=REQUEST,
        terms=terms(0),
        data=(RESULT.hash(), Hash(bytes(32)), Hash(bytes(32)), Hash(bytes(32))),
        result_hash=RESULT.hash(),
        reports=(ReportView(index=0, author=CHECKER, hash=Hash(bytes(32)), result_hash=keccak256(b"right")),),
        challenge_by=500,
        case=CaseView(case=case, rounds=(first,)) if opened else None,
    )


COMMIT_BY = BEGAN + PARAMS.jcommit + CASE.vwin
REVEAL_BY = COMMIT_BY + PARAMS.jreveal
APPEAL_BY = REVEAL_BY + PARAMS.appeal


@pytest.mark.parametrize(
    ("now", "stage", "by"),
    [
        (COMMIT_BY, "voting", COMMIT_BY),
        (COMMIT_BY + 1, "revealing", REVEAL_BY),
        (REVEAL_BY + 1, "appealing", APPEAL_BY),
        (APPEAL_BY + 1, "closing", 0),
    ],
)
def test_a_case_is_in_the_stage_that_its_clock_says(now: int, stage: str, by: int) -> None:
    assert stage_of(disputed(), at(now)) == (stage, by)
    assert dispute_model(disputed(), at(now)).appeal_cost == (11 * CASE.fee if stage == "appealing" else 0)


def test_before_the_case_both_sides_show_their_secrets() -> None:
    view = disputed(opened=False)
    half, whole = BEGAN + PARAMS.defend // 2, BEGAN + PARAMS.defend
    assert stage_of(view, at(half)) == ("showing", half)
    assert stage_of(view, at(half + 1)) == ("defending", whole)
    assert stage_of(replace(view, jury_secret=Secret(bytes(32))), at(BEGAN)) == ("defending", whole)
    assert stage_of(replace(view, phase=Phase.SLASHED), at(whole)) == ("ended", 0)
    assert is_dispute(replace(view, phase=Phase.SLASHED)), "a lost one stays a dispute"
    assert not is_dispute(replace(view, phase=Phase.PAID, challenge_by=0))
    assert dispute_model(view, at(half)).accuser == CHECKER, "who contradicts, before there is a case"


def test_seats_tell_who_sits_and_what_became_of_each_vote() -> None:
    view = disputed()
    sitting = {n: s for n in range(5) if (s := seat(view, 0, n, at(BEGAN)))}
    shown = (RESULT.hash(), keccak256(b"right"), NO_INPUT)
    voted = [
        VoteView(seat=n, ticket=s.ticket.id, hash=Hash(bytes(32)), result_hash=said)
        for (n, s), said in zip(sitting.items(), (*shown, None), strict=False)
    ]
    rows = dispute_model(disputed(*voted), at(REVEAL_BY + 1)).rounds[0].seats
    told = [(rows[v.seat].vote, rows[v.seat].says) for v in voted]
    assert told == [("shown", "right"), ("shown", "wrong"), ("shown", "no-input"), ("kept", "")][: len(voted)]
    assert {row.vote for row in rows if row.seat not in sitting} <= {"empty"}
    early = dispute_model(disputed(*voted[3:]), at(COMMIT_BY)).rounds[0].seats
    assert {row.vote for row in early} <= {"awaited", "hidden", "empty"}
    late = dispute_model(disputed(), at(COMMIT_BY + 1)).rounds[0].seats
    assert {row.vote for row in late} <= {"silent", "empty"}


def _some_juror(sitting: dict[int, Seat]) -> Address:
    return next(iter(sitting.values())).ticket.owner


def test_roles_are_those_of_whoever_asks() -> None:
    view = disputed()
    sitting = {n: s for n in range(5) if (s := seat(view, 0, n, at(BEGAN)))}
    assert dispute_model(view, at(BEGAN, REQUESTER)).roles == ("requester",)
    assert dispute_model(view, at(BEGAN, WORKER)).roles == ("worker",)
    assert dispute_model(view, at(BEGAN, CHECKER)).roles == ("accuser", "checker")
    juror = _some_juror(sitting)
    mine = dispute_model(view, at(BEGAN, juror))
    assert mine.roles == ("juror",)
    assert {row.owner for row in mine.rounds[0].seats if row.mine} == {juror}


def test_a_silent_checkers_case_has_no_accuser() -> None:
    view = disputed()
    assert view.case is not None
    silent = replace(view, case=replace(view.case, case=replace(view.case.case, accuser=ZERO_ADDRESS)))
    assert dispute_model(silent, at(BEGAN)).accuser is None


@pytest.mark.parametrize(
    ("ticket", "now", "state"),
    [
        (TICKETS[0], 1, "young"),
        (TICKETS[0], 1 + PARAMS.ticket_age, "live"),
        (replace(TICKETS[0], left_at=70), 80, "left"),
        (replace(TICKETS[0], left_at=70, stake=0), 80, "withdrawn"),
    ],
)
def test_a_ticket_says_what_it_is_good_for(ticket: Ticket, now: int, state: str) -> None:
    row = ticket_model(replace(ticket, stake=ticket.stake and ticket.stake + 5), JURORS[0], PARAMS, now)
    assert (row.state, row.mine) == (state, True)
    assert row.earned == (5 if ticket.stake else 0)
    assert row.withdraw_from == (70 + PARAMS.unbond + 1 if ticket.left_at else 0)
