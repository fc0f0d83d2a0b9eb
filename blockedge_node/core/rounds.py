"""A jury's rounds as jurors and parties look at them: who sits, until when, what stands so far (§6.2, §6.5).

    since ── commitBy ── revealBy ── appealBy        commitBy = since + JCOMMIT + vwin, then JREVEAL, then APPEAL
      votes    votes       appeal      closeRound    the last round has no appeal: appealBy is its revealBy

Everybody works out the same seats from what the chain shows; contracts/src/Court.sol does so again for every vote.
"""

from __future__ import annotations

from blockedge_node.core.court import Case, CaseView, RoundView, Seat, VoteView, seat_of
from blockedge_node.core.ids import ZERO_ADDRESS, Address
from blockedge_node.core.jury import Outcome, case_outcome
from blockedge_node.core.params import Params
from blockedge_node.core.sortition import ROUNDS, round_seed
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.world import World

LAST_ROUND = len(ROUNDS) - 1


# ── who sits ─────────────────────────────────────────────────────────────────────────────────────────────


def parties(view: UnitView) -> frozenset[Address]:
    """Nobody of these sits in the unit's jury: its worker, its requester, who reported it or checked it."""
    return frozenset({view.terms.worker, view.terms.requester, *(r.author for r in view.reports)})


def seat(view: UnitView, round: int, number: int, world: World) -> Seat | None:
    """Who sits at `number` in `round` of the unit's open case; None if the seat is empty."""
    if view.case is None:
        return None
    case = view.case.case
    seed, age = round_seed(case.seed, round), world.params.ticket_age
    return seat_of(world.tickets, seed, number, case.snapshot, age, parties(view))


def my_seats(view: UnitView, round: int, world: World) -> tuple[tuple[int, Seat], ...]:
    """(number, seat) of every seat in `round` whose ticket is mine."""
    if not any(ticket.owner == world.me for ticket in world.tickets):
        return ()
    seats = ((number, seat(view, round, number, world)) for number in range(ROUNDS[round]))
    return tuple((number, found) for number, found in seats if found and found.ticket.owner == world.me)


def bonded(view: UnitView) -> bool:
    """Whether the accuser's bond paid for round 0, and not a ticket: the Court then writes no funding down."""
    check = view.check
    by_check = check is not None and check.result_hash not in (None, view.result_hash)
    return view.case is not None and view.case.case.accuser != ZERO_ADDRESS and not by_check


# ── the clock of a round ─────────────────────────────────────────────────────────────────────────────────


def latest(view: UnitView) -> RoundView | None:
    """The round that is under way; None if the unit has no open case."""
    case = view.case
    if view.phase is not Phase.DISPUTED or case is None or case.closed or not case.rounds:
        return None
    return case.rounds[-1]


def commit_by(case: Case, round: RoundView, params: Params) -> int:
    """Last time for `commitVote`."""
    return round.since + params.jcommit + case.vwin


def reveal_by(case: Case, round: RoundView, params: Params) -> int:
    """Last time for `revealVote`, which needs a later time than commitBy."""
    return commit_by(case, round, params) + params.jreveal


def appeal_by(case: Case, round: RoundView, params: Params) -> int:
    """Last time for `appeal`, which needs a later time than revealBy; then `closeRound`."""
    spare = params.appeal if round.round < LAST_ROUND else 0
    return reveal_by(case, round, params) + spare


# ── what stands ──────────────────────────────────────────────────────────────────────────────────────────


def vote_at(round: RoundView, number: int) -> VoteView | None:
    """What the chain shows of a seat's vote."""
    return next((vote for vote in round.votes if vote.seat == number), None)


def standing(case: CaseView) -> Outcome:
    """How the case would end if its newest round were its last."""
    return case_outcome(case.case, case.rounds)
