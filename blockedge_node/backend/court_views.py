"""Tickets and disputes as people see them: the models of the API, built from views without I/O."""

from __future__ import annotations

from typing import Literal, get_args

from blockedge_node.api import court_models as models
from blockedge_node.core import rounds
from blockedge_node.core.court import NO_INPUT, Case, RoundView, Seat, Ticket, VoteView
from blockedge_node.core.deadlines import defend_by, jury_shown_by, opens
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Hash
from blockedge_node.core.jury import appeal_cost, outcome_of
from blockedge_node.core.params import Params
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.world import World

Stage = Literal["showing", "defending", "voting", "revealing", "appealing", "closing", "ended"]
Standing = Literal["paid", "slashed", "unresolved"]
VoteState = Literal["empty", "awaited", "hidden", "shown", "silent", "kept"]
STANDINGS: dict[Phase, Standing] = {Phase[name.upper()]: name for name in get_args(Standing)}


# ── tickets ──────────────────────────────────────────────────────────────────────────────────────────────


def ticket_model(ticket: Ticket, me: Address, params: Params, now: int) -> models.Ticket:
    drawn_from = ticket.staked_at + params.ticket_age
    state: Literal["young", "live", "left", "withdrawn"] = "live" if now >= drawn_from else "young"
    if ticket.left_at:
        state = "left" if ticket.stake else "withdrawn"
    return models.Ticket(
        id=ticket.id,
        owner=ticket.owner,
        mine=ticket.owner == me,
        state=state,
        stake=ticket.stake,
        earned=max(0, ticket.stake - params.seat),
        staked_at=ticket.staked_at,
        drawn_from=drawn_from,
        left_at=ticket.left_at,
        withdraw_from=opens(ticket.left_at + params.unbond) if ticket.left_at else 0,
    )


# ── disputes ─────────────────────────────────────────────────────────────────────────────────────────────


def is_dispute(view: UnitView) -> bool:
    """Whether the unit is before a jury, or was, or was lost for want of a defence."""
    return view.phase is Phase.DISPUTED or view.challenge_by != 0


def dispute_model(view: UnitView, world: World) -> models.Dispute:
    stage, stage_by = stage_of(view, world)
    terms, case = view.terms, view.case
    accuser = _accuser(view)
    return models.Dispute(
        unit=view.unit,
        task=terms.task,
        phase=view.phase.name.lower(),
        stage=stage,
        stage_by=stage_by,
        requester=terms.requester,
        worker=terms.worker,
        accuser=accuser,
        roles=_roles(view, accuser, world),
        since=view.since,
        price=terms.price,
        deposit=terms.deposit,
        fee=terms.check_fee,
        accused=view.data[0],
        reports=len(view.reports),
        rounds=tuple(_round(view, case.case, r, world) for r in case.rounds) if case else (),
        appeal_cost=appeal_cost(len(case.rounds), case.case.fee) if case and stage == "appealing" else 0,
        final_hash=view.final_hash,
        slashed=view.slashed,
    )


def stage_of(view: UnitView, world: World) -> tuple[Stage, int]:
    """What is happening, and the last time for it (0: until somebody does it)."""
    params, now = world.params, world.now
    if view.phase is not Phase.DISPUTED:
        return "ended", 0
    newest = rounds.latest(view)
    if newest is None or view.case is None:
        if view.jury_secret is None and now <= jury_shown_by(view, params):
            return "showing", jury_shown_by(view, params)
        return "defending", defend_by(view, params)
    case = view.case.case
    clock: tuple[tuple[Stage, int], ...] = (
        ("voting", rounds.commit_by(case, newest, params)),
        ("revealing", rounds.reveal_by(case, newest, params)),
        ("appealing", rounds.appeal_by(case, newest, params)),
    )
    return next(((stage, by) for stage, by in clock if now <= by), ("closing", 0))


def _accuser(view: UnitView) -> Address | None:
    """Whose report the dispute is about; before the case opens, the lowest that contradicts."""
    if view.case is not None:
        who = view.case.case.accuser
        return None if who == ZERO_ADDRESS else who
    against = (r for r in view.reports if r.result_hash not in (None, view.result_hash))
    first = min(against, key=lambda r: r.index, default=None)
    return first.author if first else None


def _roles(view: UnitView, accuser: Address | None, world: World) -> tuple[str, ...]:
    me = world.me
    sits = any(rounds.my_seats(view, number, world) for number in range(_rounds_of(view)))
    found = {
        "requester": view.terms.requester == me,
        "worker": view.terms.worker == me,
        "accuser": accuser == me,
        "checker": view.check is not None and view.check.author == me,
        "reporter": any(r.author == me and r.index for r in view.reports),
        "juror": sits,
    }
    return tuple(role for role, mine in found.items() if mine)


def _rounds_of(view: UnitView) -> int:
    return len(view.case.rounds) if view.case else 0


def _round(view: UnitView, case: Case, of: RoundView, world: World) -> models.Round:
    seats = (_seat(view, case, of, number, world) for number in range(ROUNDS[of.round]))
    return models.Round(
        round=of.round,
        since=of.since,
        funder=None if of.funder == ZERO_ADDRESS else of.funder,
        commit_by=rounds.commit_by(case, of, world.params),
        reveal_by=rounds.reveal_by(case, of, world.params),
        appeal_by=rounds.appeal_by(case, of, world.params),
        standing=STANDINGS[outcome_of(of.votes, of.round, case.accused).phase],
        seats=tuple(seats),
    )


def _seat(view: UnitView, case: Case, of: RoundView, number: int, world: World) -> models.Seat:
    sits, vote = rounds.seat(view, of.round, number, world), rounds.vote_at(of, number)
    shown = vote.result_hash if vote else None
    return models.Seat(
        seat=number,
        ticket=sits.ticket.id if sits else None,
        owner=sits.ticket.owner if sits else None,
        mine=sits is not None and sits.ticket.owner == world.me,
        vote=_vote(case, of, sits, vote, world),
        result_hash=shown,
        says=_says(case, shown),
    )


def _vote(case: Case, of: RoundView, sits: Seat | None, vote: VoteView | None, world: World) -> VoteState:
    if sits is None:
        return "empty"
    if vote is None:
        return "awaited" if world.now <= rounds.commit_by(case, of, world.params) else "silent"
    if vote.result_hash is None:
        return "hidden" if world.now <= rounds.reveal_by(case, of, world.params) else "kept"
    return "shown"


def _says(case: Case, shown: Hash | None) -> Literal["", "right", "wrong", "no-input"]:
    if shown is None:
        return ""
    return "right" if shown == case.accused else "no-input" if shown == NO_INPUT else "wrong"
