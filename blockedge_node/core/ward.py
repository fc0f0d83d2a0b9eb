"""A ward: one committed unit of mine, and which towers hold its opening (docs/protocol.md §4).

    my commitment is on the chain ─▶ HandWatch, to each tower ─▶ WatchKept
    the draw secret is heard      ─▶ HandWatch, with it        ─▶ WatchKept

Nothing leaves before the commitment is on the chain: what a tower learns then, it learns after everybody is bound.
What is handed over is what the worker has on disk, copied here so that neither machine waits for the other; it is
handed over until it is kept, and a tower that is away costs nothing but that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blockedge_node.core.actions import Action, HandWatch, Note
from blockedge_node.core.commitment import draw_commit
from blockedge_node.core.events import Event, HeadSeen, SecretHeard, WatchKept
from blockedge_node.core.facts import note, volatile
from blockedge_node.core.ids import ZERO_HASH, Address, Digest, Hash, Secret, TaskId, UnitId
from blockedge_node.core.proving import DrawSecret, Solved
from blockedge_node.core.unit import Phase, UnitView
from blockedge_node.core.watch import Watch
from blockedge_node.core.worker import Worker, my_commitment
from blockedge_node.core.world import World

OPEN = (Phase.COMMITTED, Phase.REVEALED, Phase.DISPUTED)  # phases in which a tower may have to act


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    task: TaskId
    unit: UnitId
    award: Digest
    solved: Solved
    commitment: Hash
    heard: DrawSecret = DrawSecret()  # the requester's, once it was heard
    kept: frozenset[Digest] = frozenset()  # watches that their towers have on disk
    view: UnitView | None = volatile(None)

    def units(self) -> tuple[UnitId, ...]:
        return (self.unit,)


def wants(worker: Worker, world: World) -> bool:
    """Whether this unit is to be handed over: its commitment is on the chain, and it is mine."""
    view = worker.view
    if not _towers(world) or view is None or worker.solved is None or view.phase not in OPEN:
        return False
    return worker.is_mine and view.commitment == my_commitment(worker, world.domain)


def begin(worker: Worker, world: World) -> Ward:
    """For a worker whose unit is wanted."""
    solved, shown = worker.solved, my_commitment(worker, world.domain)
    assert solved is not None
    assert shown is not None, "what is on the chain was solved"
    return Ward(
        task=worker.task,
        unit=worker.unit,
        award=worker.award,
        solved=solved,
        commitment=shown,
        heard=worker.heard,
        view=worker.view,
    )


def step(state: Ward, event: Event, world: World) -> tuple[Ward, tuple[Note, ...]]:
    """Total: what is not this unit's changes nothing."""
    match event:
        case HeadSeen():
            view = next((v for v in event.views if v.unit == state.unit), None)
            return replace(state, view=view), ()
        case SecretHeard(unit=state.unit):
            return _learn(state, event.secret, event.guard_r), ()
        case WatchKept(unit=state.unit, watch=watch) if watch not in state.kept:
            story = note(state.unit, "watch.kept", watches=len(state.kept) + 1)
            return replace(state, kept=state.kept | {watch}), (story,)
        case _:
            return state, ()


def due(state: Ward, world: World) -> tuple[Action, ...]:
    view = state.view
    if view is None or view.phase not in OPEN or view.commitment != state.commitment:
        return ()
    watches = (watch_for(state, tower) for tower in _towers(world))
    return tuple(
        HandWatch(unit=state.unit, watch=watch, output=state.solved.output)
        for watch in watches
        if watch.digest(world.domain) not in state.kept
    )


def finished(state: Ward, world: World) -> bool:
    """A unit that a reorg took away begins again when it comes back: towers mind no repetition."""
    return state.view is None or state.view.phase not in OPEN


def watch_for(state: Ward, tower: Address) -> Watch:
    result = state.solved.result
    return Watch(
        tower=tower,
        unit=state.unit,
        exit=result.exit,
        output_root=result.output_root,
        fuel_used=result.fuel_used,
        memory_hash=result.memory_hash,
        salt=state.solved.salt,
        guard_secret=state.solved.guard_secret,
        secret=state.heard.secret,
        guard_r=state.heard.guard_r,
    )


def _towers(world: World) -> tuple[Address, ...]:
    return tuple(tower for tower in world.policy.towers if tower != world.me)


def _learn(state: Ward, secret: Secret, guard_r: Hash) -> Ward:
    """The draw secret, if it opens what the requester committed itself to."""
    committed = state.view.terms.draw_commit if state.view else ZERO_HASH
    if committed == ZERO_HASH or draw_commit(secret, guard_r) != committed:
        return state
    return replace(state, heard=DrawSecret(secret=secret, guard_r=guard_r))
