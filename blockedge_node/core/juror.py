"""A juror: the seats of one unit's jury that are mine, in every round (docs/protocol.md §6.2, §6.5).

    my ticket sits ─▶ Check ─▶ Checked(result) ──────────▶ CommitVote ─▶ RevealVote ─▶ CloseRound
                        ├────▶ Checked(no input in time) ─▶ a vote NO_INPUT, the same way
                        └────▶ CheckFailed: our own fault, and no vote at all

| time in the newest round | facts                      | due                                      | until    |
|--------------------------|----------------------------|------------------------------------------|----------|
| … commitBy               | no answer for this round   | Check                                    | commitBy |
| … commitBy               | an answer                  | CommitVote, of each seat that shows none | commitBy |
| commitBy … revealBy      | my vote is shown, hidden   | RevealVote                               | revealBy |
| appealBy + 3·GRACE …     |                            | CloseRound, if nobody else does          | –        |

A program's result is the same in every round; that nobody serves its input may change, so NO_INPUT answers one round
alone. Which way a round is answered is on disk before the first of its votes leaves, and stays: a vote is sent again
after a crash as it was. One secret a unit is drawn with the first check; the salt of a seat's vote follows from it,
so there never is a second salt for one vote, and a salt that is shown gives no other away.

A run that fails here says nothing about the input. Not to vote costs φ, a false NO_INPUT ten times as much.

The case's end pays every juror, and one call is enough for all: the lowest seat makes it first, then the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core.actions import Action, Check, CommitVote, Note, RevealVote
from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.court import NO_INPUT, Case, RoundView
from blockedge_node.core.dispute import close_round
from blockedge_node.core.events import CallMined, Checked, CheckFailed, Event, HeadSeen
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import Hash, Secret, TaskId, UnitId
from blockedge_node.core.policy import run_time
from blockedge_node.core.rounds import commit_by, latest, my_seats, reveal_by, vote_at
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import UnitView
from blockedge_node.core.world import World

LANDING_BLOCKS = 6  # a vote is sent, left out of a block once, and lands; a view is CONF blocks old (§3.3)
TURN_BLOCKS = 2  # in which one seat may close the case before the next one tries
LEAST_PATIENCE = 1.0  # seconds: what lies in our own store is found in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Juror:
    task: TaskId
    unit: UnitId
    secret: Secret | None = None  # drawn with the first check: all salts follow
    found: Hash | None = None  # what the program gives
    without: tuple[int, ...] = ()  # rounds answered NO_INPUT
    failed: tuple[int, ...] = ()  # rounds in which our executor failed
    end: str = ""
    patience: tuple[int, float] = volatile((-1, 0.0))  # round, seconds in which its input is looked for
    view: UnitView | None = volatile(None)

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)


def wants(view: UnitView, world: World) -> bool:
    """Whether a seat of this unit's newest round is mine, and there is time to answer for it."""
    round = latest(view)
    if round is None or view.case is None or not world.policy.juror:
        return False
    in_time = world.now <= commit_by(view.case.case, round, world.params)
    return in_time and bool(my_seats(view, round.round, world))


def begin(view: UnitView, world: World) -> tuple[Juror, tuple[Note, ...]]:
    round = latest(view)
    seats = my_seats(view, round.round, world) if round else ()
    story = note(view.unit, "jury.seated", round=round.round if round else 0, seats=len(seats))
    return _with_patience(Juror(task=view.terms.task, unit=view.unit, view=view), world), (story,)


def answer(state: Juror, round: int) -> Hash | None:
    """What all my seats of this round vote: always the same once there is one."""
    return NO_INPUT if round in state.without else state.found


def salt(state: Juror, round: int, seat: int) -> Secret | None:
    """The one salt of a seat's vote; None before the first check."""
    return None if state.secret is None else Secret(hash_words(state.secret, round, seat))


def my_vote(state: Juror, round: int, seat: int, world: World) -> Hash | None:
    """What I publish for a seat: always the same, None while there is no answer."""
    voted, salted = answer(state, round), salt(state, round, seat)
    if voted is None or salted is None:
        return None
    return commitment(world.domain, state.unit, Role.JUROR, world.me, voted, salted, round=round, seat=seat)


def step(state: Juror, event: Event, world: World) -> tuple[Juror, tuple[Note, ...]]:
    """Total: what is not this jury's changes nothing; the first secret and the first answer stand."""
    match event:
        case HeadSeen():
            return _look(state, event, world)
        case Checked(unit=state.unit, role=Role.JUROR) if state.found is None:
            return _checked(state, event)
        case CheckFailed(unit=state.unit, role=Role.JUROR, reason=reason):
            round = latest(state.view) if state.view else None
            if round is None or round.round in state.failed or answer(state, round.round):
                return state, ()
            story = note(state.unit, "vote.none", round=round.round, reason=reason)
            return replace(state, failed=(*state.failed, round.round)), (story,)
        case CallMined(unit=state.unit):
            story = note(state.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas)
            return state, (story,)
        case _:
            return state, ()


def due(state: Juror, world: World) -> tuple[Action, ...]:
    view = state.view
    round = latest(view) if view else None
    if view is None or round is None or view.case is None:
        return ()
    case, params, now = view.case.case, world.params, world.now
    if now <= commit_by(case, round, params):
        return _commits(state, view, case, round, world)
    if now <= reveal_by(case, round, params):
        return _reveals(state, view, case, round, world)
    return close_round(view, world, spare=3 * params.grace + _turn(view, round, world))


def finished(state: Juror, world: World) -> bool:
    """Not before its unit has ended: a later round may seat me again.

    If a reorg takes the unit away, one that has a secret stays: should the case return, so do its salts.
    """
    if state.view is None:
        return state.secret is None
    return state.view.phase.terminal


# ── what is due ──────────────────────────────────────────────────────────────────────────────────────────


def _commits(state: Juror, view: UnitView, case: Case, round: RoundView, world: World) -> tuple[Action, ...]:
    seats = my_seats(view, round.round, world)
    left = tuple((number, seat) for number, seat in seats if vote_at(round, number) is None)
    if not left:
        return ()
    if answer(state, round.round) is None:
        return () if round.round in state.failed else (_check(state, view),)
    votes = ((number, seat, my_vote(state, round.round, number, world)) for number, seat in left)
    return tuple(
        CommitVote(
            unit=state.unit,
            case=case,
            round=round.round,
            seat=number,
            attempt=seat.proof.attempt,
            hash=hashed,
        )
        for number, seat, hashed in votes
        if hashed
    )


def _check(state: Juror, view: UnitView) -> Check:
    return Check(
        unit=state.unit,
        request=view.request,
        shard=view.terms.shard,
        result=view.result,
        output=view.output,
        wall=float(view.terms.vwin),
        role=Role.JUROR,
        patience=state.patience[1],
        holders=(view.terms.worker, *(report.author for report in view.reports)),
    )


def _reveals(state: Juror, view: UnitView, case: Case, round: RoundView, world: World) -> tuple[Action, ...]:
    voted = answer(state, round.round)
    if voted is None:
        return ()
    reveals: list[Action] = []
    for vote in round.votes:
        salted = salt(state, round.round, vote.seat)
        mine = my_vote(state, round.round, vote.seat, world)
        if salted and vote.hash == mine and vote.result_hash is None:
            reveals.append(
                RevealVote(
                    unit=state.unit,
                    case=case,
                    round=round.round,
                    seat=vote.seat,
                    result_hash=voted,
                    salt=salted,
                )
            )
    return tuple(reveals)


def _turn(view: UnitView, round: RoundView, world: World) -> int:
    """Seconds that lower seats have before me; without a seat in the newest round all of them."""
    before = min((number for number, _ in my_seats(view, round.round, world)), default=ROUNDS[round.round])
    return before * TURN_BLOCKS * world.policy.block_time


# ── what was found, what the chain shows ─────────────────────────────────────────────────────────────────


def _checked(state: Juror, event: Checked) -> tuple[Juror, tuple[Note, ...]]:
    secret = state.secret or event.salt
    if event.result is not None:
        right = state.view is not None and event.result == state.view.result
        story = note(state.unit, "vote.decided", agrees=int(right), result_hash=event.result.hash())
        return replace(state, secret=secret, found=event.result.hash()), (story,)
    round = latest(state.view) if state.view else None
    if round is None or round.round in state.without:
        return state, ()
    story = note(state.unit, "vote.no_input", round=round.round)
    return replace(state, secret=secret, without=(*state.without, round.round)), (story,)


def _look(state: Juror, event: HeadSeen, world: World) -> tuple[Juror, tuple[Note, ...]]:
    view = next((v for v in event.views if v.unit == state.unit), None)
    state = _with_patience(replace(state, view=view), world)
    if view is None or not view.phase.terminal or state.end:
        return state, ()
    ended = note(state.unit, "jury.over", phase=view.phase.name.lower())
    return replace(state, end="jury.over"), (ended,)


def _with_patience(state: Juror, world: World) -> Juror:
    """How long a round's input is looked for, fixed when the round is first seen: its run and its votes still
    have to be in time."""
    view = state.view
    round = latest(view) if view else None
    if view is None or view.case is None or round is None or state.patience[0] == round.round:
        return state
    landing = LANDING_BLOCKS * world.policy.block_time
    spare = commit_by(view.case.case, round, world.params) - landing - world.now
    seconds = max(LEAST_PATIENCE, spare - run_time(view.request, world))
    return replace(state, patience=(round.round, seconds))
