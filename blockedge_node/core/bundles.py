"""A collector: micro-tasks of one kind on their way into one unit (docs/protocol.md §3.5, Bundles).

    JobSubmitted (bundle) ─▶ Collector ─▶ window over, or full ─▶ PackBundle ─▶ BundlePacked ─▶ a JobRun (jobs.py)
    JobSubmitted (bundle) ─▶     ▲

| state      | facts               | due                        | leaves it                                     |
|------------|---------------------|----------------------------|-----------------------------------------------|
| collecting | items               | CollectItems for a window  | BundleClosed, or there is no room for another |
| closed     | items, closed       | PackBundle                 | BundlePacked: a job begins in the same step   |
| over       | all were cancelled, or it was spoilt | nothing   | the next head retires it                      |

Every job that was accepted is a fact of exactly one collector, and then of exactly one job: the step that ends the
one begins the other, so a crash at any point loses none and runs none twice. Jobs meet in one bundle if they agree
in all but id, input and label. What a bundle asks for is what its jobs ask for together: their fuel, their prices
and their deposits; each item's share of the fuel is then at least what its own job granted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from blockedge_node.core.actions import Action, CollectItems, Note, PackBundle
from blockedge_node.core.events import (
    BundleClosed,
    BundlePacked,
    BundleSpoilt,
    Event,
    Item,
    Job,
    JobCancelled,
)
from blockedge_node.core.facts import note
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Hash, UnitId
from blockedge_node.core.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    job: Job  # what its jobs have in common, under the bundle's id
    items: tuple[Item, ...]
    closed: bool = False
    cancelled: tuple[Item, ...] = ()
    failed: str = ""  # why it came to nothing

    def units(self) -> tuple[UnitId, ...]:
        return ()


def begin(job: Job, world: World) -> tuple[Collector, tuple[Note, ...]]:
    """A collector for this job and those that come after it."""
    bundle = keccak256(b"blockedge bundle\0" + job.id)
    state = Collector(job=replace(_common(job), id=bundle), items=())
    return add(state, job, world)


def takes(state: Collector, job: Job, world: World) -> bool:
    """Whether the job may still come along."""
    alike = replace(_common(job), id=state.job.id) == state.job
    return alike and not state.closed and len(state.items) < room(job, world)


def add(state: Collector, job: Job, world: World) -> tuple[Collector, tuple[Note, ...]]:
    item = Item(job=job.id, input=job.inputs[0], label=job.label)
    items = (*state.items, item)
    story = note(job.id, "job.began", kind=job.kind, shards=1, label=job.label, bundle=state.job.id)
    return replace(state, items=items, closed=len(items) >= room(job, world)), (story,)


def room(job: Job, world: World) -> int:
    """How many such jobs fit into one unit: what the policy says, as far as the deployment's fuel reaches."""
    return max(1, min(world.policy.bundle_items, world.params.fuel_cap // job.fuel))


def step(state: Collector, event: Event) -> tuple[Collector, tuple[Note, ...]]:
    """Total: what is not this bundle's changes nothing."""
    match event:
        case BundleClosed(bundle=state.job.id):
            return replace(state, closed=True), ()
        case JobCancelled(job=job) if not state.closed and any(item.job == job for item in state.items):
            rest = tuple(item for item in state.items if item.job != job)
            cancelled = note(job, "job.failed", reason="cancelled", missing=1, shards=1)
            gone = tuple(item for item in state.items if item.job == job)
            return replace(state, items=rest, cancelled=state.cancelled + gone), (
                note(job, "job.cancelled"),
                cancelled,
            )
        case BundleSpoilt(bundle=state.job.id, reason=reason):
            notes = tuple(
                note(item.job, "job.failed", reason="bundle_spoilt", detail=reason, missing=1, shards=1)
                for item in state.items
            )
            return replace(state, failed=reason), notes
        case _:
            return state, ()


def due(state: Collector, world: World) -> tuple[Action, ...]:
    if finished(state):
        return ()
    if not state.closed:
        return (CollectItems(bundle=state.job.id, seconds=world.policy.bundle_window),)
    inputs = tuple(item.input for item in state.items)
    return (
        PackBundle(
            bundle=state.job.id, program=state.job.program, inputs=inputs, fuel=state.job.fuel * len(inputs)
        ),
    )


def finished(state: Collector) -> bool:
    return not state.items or bool(state.failed)


def packed(state: Collector, event: BundlePacked) -> tuple[Job, tuple[Note, ...]]:
    """The job that asks for all of them at once, and where each is in it."""
    count, plain = len(state.items), state.job
    job = replace(
        plain,
        nonce=event.nonce,
        program=event.program,
        inputs=(event.input,),
        fuel=plain.fuel * count,
        max_price=plain.max_price * count,
        min_deposit=plain.min_deposit * count,
        check_fee=None if plain.check_fee is None else plain.check_fee * count,
        bundle=False,
        label=f"bundle of {count}",
        items=state.items,
    )
    notes = (
        note(item.job, "job.bundled", bundle=plain.id, place=place, of=count)
        for place, item in enumerate(state.items)
    )
    return job, tuple(notes)


def place_of(items: Iterable[Item], job: bytes) -> int | None:
    """Where a job is among the items, or None."""
    return next((place for place, item in enumerate(items) if item.job == job), None)


def _common(job: Job) -> Job:
    return replace(job, id=Hash(ZERO_HASH), nonce=0, inputs=(), label="")
