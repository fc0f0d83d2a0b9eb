"""My seats in a jury: what they vote, when, and that no vote ever has a second salt or answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockedge_node.core import juror as jurors
from blockedge_node.core.actions import Action, Check, CloseRound, CommitVote, RevealVote
from blockedge_node.core.commitment import Role
from blockedge_node.core.court import NO_INPUT, VoteView
from blockedge_node.core.events import Checked, CheckFailed, Event
from blockedge_node.core.ids import Address, Hash, Secret
from blockedge_node.core.juror import Juror
from blockedge_node.core.node import MACHINES, Node, juror_key
from blockedge_node.core.rounds import my_seats
from blockedge_node.core.rules import Rulebook
from blockedge_node.core.task import Result
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.wire import records
from tests.core.builders import ALICE, BOB, CAROL, DAVE, START, ended, head, world
from tests.core.court import DISPUTED, RIGHT, TICKETS, WRONG, in_round, rounds
from tests.core.story import Story, play

OPEN = in_round()
HERE = replace(world(CAROL), tickets=TICKETS)
SEATS = [number for number, _ in my_seats(OPEN, 0, HERE)]


def found(result: Result | None = RIGHT, salt: bytes = b"3") -> Checked:
    return Checked(
        unit=OPEN.unit,
        wrong=False,
        result=result,
        evidence=b"",
        salt=Secret(salt * 32),
        role=Role.JUROR,
    )


FAILED = CheckFailed(unit=OPEN.unit, reason="out of order", role=Role.JUROR)


def sitting(view: UnitView = OPEN) -> Story:
    machine, _ = jurors.begin(view, HERE)
    return play(machine, CAROL).staked(*TICKETS).sees(view)


def votes_of(story: Story) -> dict[int, CommitVote]:
    return {action.seat: action for action in story.due if isinstance(action, CommitVote)}


def shown(
    view: UnitView, votes: dict[int, CommitVote], *open_seats: int, answer: Hash | None = None
) -> UnitView:
    """The view with these votes committed in its newest round, those of `open_seats` revealed."""
    *before, newest = rounds(view)
    fresh = (
        VoteView(seat=seat, ticket=seat, hash=vote.hash, result_hash=answer if seat in open_seats else None)
        for seat, vote in votes.items()
    )
    kept = tuple(vote for vote in newest.votes if vote.seat not in votes)
    assert view.case is not None
    newest = replace(newest, votes=(*kept, *fresh))
    return replace(view, case=replace(view.case, rounds=(*before, newest)))


def test_the_props_seat_carol_several_times_and_not_always() -> None:
    assert 2 <= len(SEATS) < 5


def test_a_juror_votes_what_it_finds_and_shows_it_in_time() -> None:
    story = sitting().then_wants(Check).gets(found())
    votes = votes_of(story)
    assert sorted(votes) == SEATS
    view = shown(OPEN, votes)
    story.at(5).sees(view).then_rests().at(12).then_rests().at(13)
    story.then_wants(*[RevealVote] * len(SEATS))
    assert {a.result_hash for a in story.due if isinstance(a, RevealVote)} == {RIGHT.hash()}
    story.sees(shown(view, votes, *SEATS, answer=RIGHT.hash())).then_rests()
    turn = 27 + 15 + 2 * SEATS[0]
    story.at(27).then_rests().at(turn).then_rests().at(turn + 1).then_wants(CloseRound)
    assert story.wanted(CloseRound).final_hash == RIGHT.hash()
    story.sees(ended(view, Phase.PAID, START + turn + 2)).then_rests().then_is_over().then_tells("jury.over")


def test_a_juror_says_what_it_found_whoever_that_convicts() -> None:
    story = sitting().gets(found(WRONG))
    votes = votes_of(story)
    story.at(13).sees(shown(OPEN, votes))
    assert {a.result_hash for a in story.due if isinstance(a, RevealVote)} == {WRONG.hash()}


def test_without_the_input_a_vote_is_no_input() -> None:
    story = sitting().gets(found(None)).then_tells("vote.no_input")
    votes = votes_of(story)
    assert sorted(votes) == SEATS
    story.at(13).sees(shown(OPEN, votes))
    assert {a.result_hash for a in story.due if isinstance(a, RevealVote)} == {NO_INPUT}


def test_the_input_is_looked_for_until_the_run_and_the_votes_would_be_late() -> None:
    """commitBy is in 12 s: less 6 blocks to land, less 2 s that the program takes here."""
    story = sitting()
    assert story.wanted(Check).patience == pytest.approx(4.0)
    assert story.at(2).wanted(Check).patience == pytest.approx(4.0), (
        "the same action, or it would start again"
    )
    assert story.restarts().wanted(Check).patience == pytest.approx(2.0)
    assert story.at(11).restarts().wanted(Check).patience == pytest.approx(1.0), (
        "what is in the store is found"
    )


def test_an_executor_that_fails_is_no_reason_to_deny_the_input() -> None:
    story = sitting().gets(FAILED).then_rests().then_tells("vote.none").then_lives()
    story.at(30).sees(in_round(1, START + 20, before=rounds(OPEN))).then_wants(Check)


def test_votes_are_the_same_after_a_restart_and_a_second_check() -> None:
    story = sitting().gets(found())
    before = votes_of(story)
    story.restarts().gets(found(salt=b"4")).gets(found(WRONG, salt=b"5")).gets(found(None, salt=b"6"))
    assert votes_of(story) == before


def test_votes_are_the_same_after_a_reorg() -> None:
    story = sitting().gets(found())
    before = votes_of(story)
    story.sees().then_rests().then_lives().sees(OPEN)
    assert votes_of(story) == before


def test_a_vote_that_is_shown_is_not_sent_again() -> None:
    story = sitting().gets(found())
    votes = votes_of(story)
    first = {SEATS[0]: votes[SEATS[0]]}
    story.sees(shown(OPEN, first))
    assert sorted(votes_of(story)) == SEATS[1:]


def test_only_my_own_votes_are_mine_to_show() -> None:
    story = sitting().gets(found())
    theirs = next(seat for seat in range(5) if seat not in SEATS)
    view = shown(OPEN, {**votes_of(story), theirs: replace(votes_of(story)[SEATS[0]], seat=theirs)})
    story.at(13).sees(view)
    assert sorted(a.seat for a in story.due if isinstance(a, RevealVote)) == SEATS


def test_no_two_votes_share_a_salt_and_none_tells_of_another() -> None:
    story = sitting().gets(found())
    story.at(13).sees(shown(OPEN, votes_of(sitting().gets(found()))))
    salts = [action.salt for action in story.due if isinstance(action, RevealVote)]
    assert len(set(salts)) == len(SEATS)
    assert found().salt not in salts


def test_an_appeal_is_voted_on_without_a_second_run() -> None:
    story = sitting().gets(found()).at(20)
    later = in_round(1, START + 18, before=rounds(OPEN))
    story.sees(later)
    votes = votes_of(story)
    assert sorted(votes) == [number for number, _ in my_seats(later, 1, HERE)]
    assert all(vote.round == 1 for vote in votes.values())


def test_after_no_input_the_next_round_looks_again() -> None:
    story = sitting().gets(found(None))
    silent = votes_of(story)
    story.at(20).sees(in_round(1, START + 18, before=rounds(OPEN))).then_wants(Check)
    story.gets(found(salt=b"7"))
    assert votes_of(story)
    story.sees(OPEN)
    story.now = START + 1
    assert votes_of(story) == silent, "what a round was answered, it stays answered"


def test_nothing_is_committed_or_shown_out_of_its_window() -> None:
    sitting().gets(found()).at(13).then_rests()
    sitting().at(12).then_wants(Check).at(13).then_rests()
    story = sitting().gets(found())
    view = shown(OPEN, votes_of(story))
    story.at(17).sees(view).then_wants(*[RevealVote] * len(SEATS)).at(18).then_rests()


@pytest.mark.parametrize(
    ("view", "me", "at", "policy"),
    [
        (OPEN, DAVE, 0, {}),  # the accuser
        (OPEN, BOB, 0, {}),  # the worker
        (OPEN, ALICE, 0, {}),  # the requester
        (OPEN, CAROL, 13, {}),  # too late to commit
        (OPEN, CAROL, 0, {"juror": False}),
        (DISPUTED, CAROL, 0, {}),  # no case yet
        (ended(OPEN, Phase.PAID, START), CAROL, 0, {}),
    ],
)
def test_nobody_sits_who_may_not(view: UnitView, me: Address, at: int, policy: dict[str, Any]) -> None:
    everybody = tuple(replace(t, owner=(me, CAROL)[t.id % 2]) for t in TICKETS)
    assert not jurors.wants(view, replace(world(me, START + at, **policy), tickets=everybody))
    assert jurors.wants(OPEN, HERE)


def test_without_a_ticket_nobody_sits() -> None:
    assert not jurors.wants(OPEN, world(CAROL))


# ── anything at all ──────────────────────────────────────────────────────────────────────────────────────

CHECKS = st.one_of(
    st.builds(found, st.sampled_from((RIGHT, WRONG, None)), st.sampled_from((b"1", b"2", b"3"))),
    st.just(FAILED),
)
MOVES = st.one_of(
    CHECKS,
    st.tuples(st.just("time"), st.integers(0, 9)),
    st.tuples(st.just("lands"), st.integers(0, 30)),  # the n-th due call takes effect
    st.sampled_from((("appeal", 0), ("reorg", 0), ("restart", 0), ("gone", 0))),
)


@settings(max_examples=200)
@given(st.lists(MOVES, max_size=40))
def test_one_answer_and_one_salt_a_vote_whatever_happens(moves: list[Any]) -> None:
    """Every due call obeys every rule, and no seat is ever offered two votes."""
    now, view, history = START, OPEN, [OPEN]
    rulebook, offered = Rulebook(), dict[tuple[int, int], Hash]()
    machine, _ = jurors.begin(view, HERE)
    for move in (("time", 0), *moves):
        here = replace(world(CAROL, now), tickets=TICKETS)
        seen: Event = head(now, view)
        match move:
            case ("time", seconds):
                now += seconds
            case ("lands", pick):
                due = [a for a in jurors.due(machine, here) if isinstance(a, CommitVote | RevealVote)]
                if due:
                    history.append(view)
                    view = after(view, due[pick % len(due)])
            case ("appeal", _) if rounds(view)[-1].round < 2:
                history.append(view)
                view = in_round(rounds(view)[-1].round + 1, now, before=rounds(view))
            case ("reorg", _):
                view = history.pop() if len(history) > 1 else view
            case ("restart", _):
                machine = records.load(MACHINES, records.dump(machine))
            case ("gone", _):
                machine, _ = jurors.step(machine, head(now), here)
            case Checked() | CheckFailed():
                seen = move
            case _:
                pass
        here = replace(world(CAROL, now), tickets=TICKETS)
        for event in (head(now, view), seen):
            machine, _ = jurors.step(machine, event, here)
        for action in jurors.due(machine, here):
            obeys(rulebook, machine, action, here.now)
            if isinstance(action, CommitVote):
                known = offered.setdefault((action.round, action.seat), action.hash)
                assert known == action.hash


def obeys(rulebook: Rulebook, machine: Juror, action: Action, now: int) -> None:
    node = Node(machines={juror_key(machine.unit): machine})
    broken = rulebook.check(action, node, replace(world(CAROL, now), tickets=TICKETS))
    assert not broken, f"{[rule.name for rule in broken]}: {action}"


def after(view: UnitView, call: CommitVote | RevealVote) -> UnitView:
    """The view once the chain has taken the call."""
    *before, newest = rounds(view)
    if isinstance(call, CommitVote):
        votes = (*newest.votes, VoteView(seat=call.seat, ticket=0, hash=call.hash))
    else:
        votes = tuple(
            replace(v, result_hash=call.result_hash) if v.seat == call.seat else v for v in newest.votes
        )
    assert view.case is not None
    return replace(view, case=replace(view.case, rounds=(*before, replace(newest, votes=votes))))
