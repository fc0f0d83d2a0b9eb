"""A job: what a client handed in, through as many tasks as it takes.

    JobSubmitted ─▶ attempt 0 ─▶ every shard has an output ─▶ "job.done" ─▶ every unit has ended ─▶ "job.settled"
                        │ some shards failed
                        ▼
                    attempt 1, 2 … for what is missing, up to policy.attempts ─▶ "job.failed"

| state   | means                                                    | leaves it                            |
|---------|----------------------------------------------------------|--------------------------------------|
| running | outputs are missing, an attempt is under way             | all here → done; attempts spent      |
| done    | every output is here, its units COMMITTED or further     | a unit is lost → running; all ended  |
| settled | every output is here and its unit has ended              | –                                    |
| failed  | attempts are spent, jurors are few, or it was cancelled  | –                                    |

An attempt is the *same* Request under another nonce, of which only the missing shards are awarded: a unit comes
into being by its award, so nothing is paid twice. It is not a smaller Request, because a program sees its shard's
number and count, and a proof-of-work shard is a range of one search: renumbered, they would be other work.
A unit that is slashed after the job was done takes its output back: that shard is attempted again. Who lets a job
down (slashed, refused, contradicted, output withheld) gets no further award of it, however cheap the bid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

from blockedge_node.core import merkle
from blockedge_node.core.actions import Note
from blockedge_node.core.events import Event, Job, JobCancelled
from blockedge_node.core.facts import note
from blockedge_node.core.ids import Address, TaskId, UnitId
from blockedge_node.core.policy import jurors_short, spot_check_of
from blockedge_node.core.shard import ShardOutcome
from blockedge_node.core.task import Kind, Mode, Request, Result
from blockedge_node.core.world import World

LET_DOWN = frozenset({"slashed", "refused", "unresolved", "output_withheld"})
FEW_OWNERS = "too_few_ticket_owners"  # a jury of few is no jury: the kind is not opened (§6.2)
SPARE = 2  # times what one award takes, which a request lives at least


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    SETTLED = "settled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    request: Request
    task: TaskId
    shards: tuple[int, ...]  # those that are awarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A shard's output: in the blob store under result.output_root (none if that is 0)."""

    unit: UnitId
    worker: Address | None
    result: Result
    ended: bool  # its unit was paid: nothing can take it back


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    job: Job
    began_at: int
    attempts: tuple[Attempt, ...]
    outputs: tuple[Output | None, ...]  # by shard
    failures: tuple[str, ...]  # by shard: why the last attempt failed, "" if it has not
    avoid: tuple[Address, ...] = ()  # workers that let this job down
    state: JobState = JobState.RUNNING
    cancelled: bool = False
    done_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSeen:
    """How a task of this job stands; from its requester, after every change. Never leaves the core."""

    task: TaskId
    shards: tuple[ShardOutcome, ...]


def begin(job: Job, world: World) -> tuple[JobRun, tuple[Note, ...]]:
    run = JobRun(
        job=job,
        began_at=world.now,
        attempts=(_attempt(job, 0, range(job.shards), world),),
        outputs=(None,) * job.shards,
        failures=("",) * job.shards,
    )
    story = note(job.id, "job.began", kind=job.kind, shards=job.shards, label=job.label)
    if jurors_short(job.kind, world):
        run, failed = _fail(run, FEW_OWNERS, range(job.shards), world)
        return run, (story, *_retold(job, (failed,)))
    return run, (story,)


def step(state: JobRun, event: Event | TaskSeen, world: World) -> tuple[JobRun, tuple[Note, ...]]:
    """Total: what is not this job's changes nothing."""
    match event:
        case TaskSeen() if any(attempt.task == event.task for attempt in state.attempts):
            state, notes = _advance(_take(state, event), world)
            return state, _retold(state.job, notes)
        case JobCancelled(job=state.job.id) if state.state is JobState.RUNNING and not state.cancelled:
            state, notes = _advance(replace(state, cancelled=True), world)
            return state, (note(state.job.id, "job.cancelled"), *_retold(state.job, notes))
        case _:
            return state, ()


def finished(state: JobRun) -> bool:
    return state.state in (JobState.SETTLED, JobState.FAILED)


def request_of(job: Job, attempt: int, world: World) -> Request:
    """The Request of an attempt. It lives for two awards in a row at least: window, delay and GRACE each."""
    params, policy = world.params, world.policy
    once = ceil(policy.bid_window + policy.ack_timeout) + min(job.max_delay, params.max_award) + params.grace
    listed = b"".join(job.inputs)
    spot_bps, check_fee = spot_check_of(job, world)
    return Request(
        requester=world.me,
        nonce=job.nonce + attempt,
        kind=job.kind,
        mode=job.mode,
        shards=job.shards,
        spot_bps=spot_bps,
        program=job.program,
        input_root=job.inputs[0] if job.kind == Kind.POW else merkle.root(listed),
        fuel=job.fuel,
        max_price=job.max_price,
        min_deposit=job.min_deposit,
        check_fee=check_fee,
        max_delay=job.max_delay,
        rep_min=job.rep_min,
        rep_max=job.rep_max,
        w_price=job.w_price,
        w_delay=job.w_delay,
        w_rep=job.w_rep,
        expiry=world.now + max(job.lifetime, SPARE * once),
    )


def _attempt(job: Job, number: int, shards: Sequence[int], world: World) -> Attempt:
    request = request_of(job, number, world)
    if (
        len(shards) < job.shards
    ):  # an announcement opens every shard: what is missing of some is found by gossip
        request = replace(request, mode=request.mode & ~Mode.ONCHAIN)
    return Attempt(request=request, task=request.task(world.domain), shards=tuple(shards))


def _retold(job: Job, notes: Sequence[Note]) -> tuple[Note, ...]:
    """What happens to a bundle happens to each of the jobs that it is made of."""
    return tuple(replace(n, subject=who) for n in notes for who in (job.id, *(i.job for i in job.items)))


def _fail(state: JobRun, reason: str, missing: Sequence[int], world: World) -> tuple[JobRun, Note]:
    """The end of a job that cannot have its outputs. Of jurors, the note says how many are missing."""
    short = jurors_short(state.job.kind, world) if reason == FEW_OWNERS else 0
    needed = {"ticket_owners_short": short} if short else {}
    story = note(
        state.job.id, "job.failed", reason=reason, missing=len(missing), shards=state.job.shards, **needed
    )
    failures = tuple(
        (failure or reason) if i in missing else failure for i, failure in enumerate(state.failures)
    )
    return replace(state, state=JobState.FAILED, failures=failures), story


def _take(state: JobRun, seen: TaskSeen) -> JobRun:
    """Write down what this task has brought, and take back what it has lost."""
    outputs, failures = list(state.outputs), list(state.failures)
    avoid = dict.fromkeys(state.avoid)
    for shard in seen.shards:
        held = outputs[shard.index]
        if shard.result and (held is None or held.unit == shard.unit):
            outputs[shard.index] = Output(
                unit=shard.unit, worker=shard.worker, result=shard.result, ended=shard.over
            )
            failures[shard.index] = ""
        elif shard.failed:
            if shard.worker and shard.failed in LET_DOWN:
                avoid[shard.worker] = None
            lost = held is not None and held.unit == shard.unit
            if lost:
                outputs[shard.index] = None
            if lost or seen.task == state.attempts[-1].task:
                failures[shard.index] = shard.failed
    return replace(state, outputs=tuple(outputs), failures=tuple(failures), avoid=tuple(avoid))


def _advance(state: JobRun, world: World) -> tuple[JobRun, tuple[Note, ...]]:
    job = state.job
    missing = [i for i, output in enumerate(state.outputs) if output is None]
    if not missing:
        notes: tuple[Note, ...] = ()
        if state.state is JobState.RUNNING:
            state = replace(state, state=JobState.DONE, done_at=world.now)
            notes = (note(job.id, "job.done", seconds=world.now - state.began_at),)
        if state.state is JobState.DONE and all(output and output.ended for output in state.outputs):
            state = replace(state, state=JobState.SETTLED)
            notes = (*notes, note(job.id, "job.settled", seconds=world.now - state.began_at))
        return state, notes
    if state.state in (JobState.SETTLED, JobState.FAILED):
        return state, ()
    notes = ()
    if state.state is JobState.DONE:
        state = replace(state, state=JobState.RUNNING, done_at=0)
        notes = (note(job.id, "job.output_lost", shards=len(missing)),)
    if not all(state.failures[i] for i in missing):
        return state, notes  # some of them are still under way
    short = jurors_short(job.kind, world)
    if state.cancelled or short or len(state.attempts) >= world.policy.attempts:
        reason = "cancelled" if state.cancelled else FEW_OWNERS if short else state.failures[missing[0]]
        state, story = _fail(state, reason, missing, world)
        return state, (*notes, story)
    attempt = _attempt(job, len(state.attempts), missing, world)
    cleared = tuple("" if i in missing else failure for i, failure in enumerate(state.failures))
    story = note(job.id, "job.retried", task=attempt.task, shards=len(missing), attempt=len(state.attempts))
    return replace(state, attempts=(*state.attempts, attempt), failures=cleared), (*notes, story)
