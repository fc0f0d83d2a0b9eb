"""A drawn checker: one unit whose spot check fell to a ticket of mine (docs/protocol.md §4, §6.2, §6.3).

    Drawn: my ticket ─▶ Check ─▶ Checked ─▶ CommitCheck ─▶ (the worker reveals) ─▶ RevealReport of index 0

| view      | facts                        | due                                   | from … until           |
|-----------|------------------------------|---------------------------------------|------------------------|
| COMMITTED | not checked                  | Check: the worker's result is hidden  | … checkBy              |
| COMMITTED | checked, no check is shown   | CommitCheck                           | … checkBy              |
| REVEALED  | my check is shown, hidden    | RevealReport, whether equal or not    | challengeBy … reportBy |
| REVEALED  | my check is shown            | Settle, if the others do not          | its windows + GRACE …  |
| DISPUTED  | I contradicted, a round erred | Appeal                               | revealBy … appealBy    |
| DISPUTED  | the case's rounds are over   | CloseRound, if the others do not      | appealBy + GRACE …     |

Equal earns φ, different is an accusation that my ticket stands for, and silence after the commitment funds a jury out
of it: so what was found is always shown. The one salt is drawn with the check and kept. A run that fails here ends
in no check and a small fine: a guess would cost ten times as much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core.actions import Action, Check, CommitCheck, Note, RevealReport, Settle
from blockedge_node.core.commitment import Role, commitment
from blockedge_node.core.court import Seat, SeatProof, seat_of
from blockedge_node.core.deadlines import challenge_by, check_by, report_by, settles
from blockedge_node.core.dispute import AGAINST_ACCUSER, appeal, close_round
from blockedge_node.core.events import CallMined, Checked, CheckFailed, Event, HeadSeen
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import Hash, Secret, TaskId, UnitId
from blockedge_node.core.unit import Phase, ReportView, UnitView
from blockedge_node.core.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    task: TaskId
    unit: UnitId
    ticket: int
    proof: SeatProof  # of the draw's one seat
    checked: bool = False
    found: Hash | None = None  # my resultHash …
    salt: Secret | None = None  # … and what hides it
    end: str = ""
    view: UnitView | None = volatile(None)

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)


def drawn_seat(view: UnitView, world: World) -> Seat | None:
    """Whose ticket the draw found: as COURT.drawnTicket, at the time of the commitment, neither party's."""
    if view.draw is None:
        return None
    parties = (view.terms.worker, view.terms.requester)
    age = world.params.ticket_age
    return seat_of(world.tickets, view.draw.seed, 0, view.committed_at, age, parties)


def wants(view: UnitView, world: World) -> bool:
    """Whether the unit's check is my duty, and can still be met."""
    if view.phase is not Phase.COMMITTED or view.draw is None or not world.policy.juror:
        return False
    if view.check is not None or world.now > check_by(view, world.params):
        return False
    seat = drawn_seat(view, world)
    return seat is not None and seat.ticket.owner == world.me


def begin(view: UnitView, world: World) -> tuple[Checker, tuple[Note, ...]]:
    """After `wants`."""
    seat = drawn_seat(view, world)
    assert seat is not None, "a checker begins with its seat"
    story = note(view.unit, "check.drawn", ticket=seat.ticket.id, worker=view.terms.worker)
    begun = Checker(task=view.terms.task, unit=view.unit, ticket=seat.ticket.id, proof=seat.proof, view=view)
    return begun, (story,)


def my_check(state: Checker, world: World) -> Hash | None:
    """What I publish: always the same, None before there is a result."""
    if state.found is None or state.salt is None:
        return None
    return commitment(world.domain, state.unit, Role.CHECKER, world.me, state.found, state.salt)


def step(state: Checker, event: Event, world: World) -> tuple[Checker, tuple[Note, ...]]:
    """Total: what is not this check's changes nothing; the first result and its salt stand."""
    match event:
        case HeadSeen():
            return _look(state, event)
        case Checked(unit=state.unit, role=Role.CHECKER) if not state.checked:
            if event.result is None:
                return replace(state, checked=True), (note(state.unit, "check.failed", reason="no_result"),)
            found = event.result.hash()
            story = note(state.unit, "check.found", result_hash=found)
            return replace(state, checked=True, found=found, salt=event.salt), (story,)
        case CheckFailed(unit=state.unit, role=Role.CHECKER, reason=reason) if not state.checked:
            return replace(state, checked=True), (note(state.unit, "check.failed", reason=reason),)
        case CallMined(unit=state.unit):
            story = note(state.unit, f"tx.{event.call}", tx=event.tx, block=event.block, gas=event.gas)
            return state, (story,)
        case _:
            return state, ()


def due(state: Checker, world: World) -> tuple[Action, ...]:
    view = state.view
    if view is None:
        return ()
    match view.phase:
        case Phase.COMMITTED if view.draw and view.check is None:
            return _commit(state, view, world)
        case Phase.REVEALED if mine := shown(state, world):
            return (*_reveal(state, view, mine, world), *_settle(view, world))
        case Phase.DISPUTED if mine := shown(state, world):
            accused = mine.result_hash not in (None, view.result_hash)
            against_me = appeal(view, AGAINST_ACCUSER, world) if accused else ()
            return (*against_me, *close_round(view, world, spare=world.params.grace))
        case _:
            return ()


def finished(state: Checker, world: World) -> bool:
    """Not before its unit has ended, or went on without a check of mine.

    If a reorg takes the unit away, one that has a salt stays: should the unit return, so does the one salt.
    """
    view = state.view
    if view is None:
        return state.salt is None
    return view.phase.terminal or (view.phase > Phase.COMMITTED and shown(state, world) is None)


def shown(state: Checker, world: World) -> ReportView | None:
    """My check as the chain shows it."""
    hashed, check = my_check(state, world), state.view.check if state.view else None
    if check is None or hashed is None or (check.author, check.hash) != (world.me, hashed):
        return None
    return check


# ── what is due ──────────────────────────────────────────────────────────────────────────────────────────


def _commit(state: Checker, view: UnitView, world: World) -> tuple[Action, ...]:
    if world.now > check_by(view, world.params):
        return ()
    hashed = my_check(state, world)
    if hashed:
        return (CommitCheck(unit=state.unit, target=view.on_chain, proof=state.proof, hash=hashed),)
    if state.checked:
        return ()
    return (
        Check(
            unit=view.unit,
            request=view.request,
            shard=view.terms.shard,
            result=None,
            output=b"",
            wall=float(view.terms.vwin),
            role=Role.CHECKER,
        ),
    )


def _reveal(state: Checker, view: UnitView, mine: ReportView, world: World) -> tuple[Action, ...]:
    in_time = challenge_by(view, world.params) < world.now <= report_by(view, world.params)
    if mine.result_hash is not None or not in_time:
        return ()
    if state.found is None or state.salt is None or view.result is None:
        return ()
    return (
        RevealReport(
            unit=state.unit,
            target=view.on_chain,
            index=0,
            author=world.me,
            result_hash=state.found,
            salt=state.salt,
            request=view.request,
            revealed=view.result,
            output=view.output,
            evidence=b"",
        ),
    )


def _settle(view: UnitView, world: World) -> tuple[Action, ...]:
    if not settles(view, world.params, world.now - world.params.grace):
        return ()
    return (Settle(unit=view.unit, target=view.on_chain),)


# ── what the chain shows ─────────────────────────────────────────────────────────────────────────────────


def _look(state: Checker, event: HeadSeen) -> tuple[Checker, tuple[Note, ...]]:
    view = next((v for v in event.views if v.unit == state.unit), None)
    state = replace(state, view=view)
    if view is None or state.end or not view.phase.terminal:
        return state, ()
    agreed = view.result_hash == state.found
    code = "check.paid" if agreed and view.phase is Phase.PAID else "check.ended"
    story = note(state.unit, code, ticket=state.ticket, phase=view.phase.name.lower(), agreed=int(agreed))
    return replace(state, end=code), (story,)
