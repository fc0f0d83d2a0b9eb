"""A finer: a unit whose drawn checker committed nothing, until somebody has had its ticket fined (protocol §6.3).

| view                     | what holds                     | due         | from … until          |
|--------------------------|--------------------------------|-------------|-----------------------|
| REVEALED, or ended so    | drawn, no check, nobody fined  | FineChecker | my turn … PATIENCE    |
| DISPUTED, or ended by it | its data names nobody any more | nothing     |                       |

The fine is burned: it is nobody's gain, and what keeps checkers awake. The unit's requester, who lost φ by it, takes
the first turn; every other verifier one of its own, drawn from its address and the unit, so that one transaction is
enough. A unit that is fined is over for all.
"""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.actions import Action, FineChecker, Note
from blockedge_node.core.checker import drawn_seat
from blockedge_node.core.events import CallMined, Event, HeadSeen
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import TaskId, UnitId
from blockedge_node.core.unit import CHECK_MISSED, RULED, Phase, UnitView
from blockedge_node.core.world import World

TURNS = 8  # of GRACE each, among which verifiers spread
PATIENCE = 600  # seconds after my turn in which it is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Finer:
    task: TaskId
    unit: UnitId
    turn: int  # chain time after which it is mine
    view: UnitView | None = volatile(None)

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)


def is_finable(view: UnitView) -> bool:
    """Whether `fineChecker` takes effect, as far as the unit goes."""
    named = view.phase >= Phase.REVEALED and view.phase is not Phase.DISPUTED and not view.flags & RULED
    missed = bool(view.flags & CHECK_MISSED) and view.draw is not None
    return named and missed and not view.check_fined


def wants(view: UnitView, world: World) -> bool:
    """Whether I see to it: as the unit's requester, or as a verifier whose own ticket it is not."""
    if not is_finable(view) or not (world.policy.verifier or view.terms.requester == world.me):
        return False
    seat = drawn_seat(view, world)
    return seat is not None and seat.ticket.owner != world.me


def begin(view: UnitView, world: World) -> tuple[Finer, tuple[Note, ...]]:
    """After `wants`."""
    turns = 0
    if view.terms.requester != world.me:
        turns = 1 + int.from_bytes(hash_words(world.me, view.unit), "big") % TURNS
    begun = Finer(
        task=view.terms.task, unit=view.unit, turn=world.now + turns * world.params.grace, view=view
    )
    return begun, ()


def step(state: Finer, event: Event, world: World) -> tuple[Finer, tuple[Note, ...]]:
    """Total: what is not this unit's changes nothing."""
    match event:
        case HeadSeen(views=views):
            view = next((v for v in views if v.unit == state.unit), None)
            return Finer(task=state.task, unit=state.unit, turn=state.turn, view=view), ()
        case CallMined(unit=state.unit, call="fineChecker"):
            return state, (note(state.unit, "check.fined", tx=event.tx, block=event.block, gas=event.gas),)
        case _:
            return state, ()


def due(state: Finer, world: World) -> tuple[Action, ...]:
    view = state.view
    if view is None or view.draw is None or not is_finable(view) or world.now < state.turn:
        return ()
    seat = drawn_seat(view, world)
    if seat is None:
        return ()
    return (
        FineChecker(
            unit=view.unit,
            target=view.on_chain,
            draw_seed=view.draw.seed,
            committed_at=view.committed_at,
            proof=seat.proof,
        ),
    )


def finished(state: Finer, world: World) -> bool:
    return state.view is None or not is_finable(state.view) or world.now > state.turn + PATIENCE
