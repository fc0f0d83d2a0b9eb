"""A job goes through as many tasks as it takes, pays for no shard twice, and ends."""

from __future__ import annotations

from dataclasses import replace

from blockedge_node.core import jobs
from blockedge_node.core.events import JobCancelled
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.jobs import JobRun, JobState, TaskSeen
from blockedge_node.core.merkle import root
from blockedge_node.core.shard import ShardOutcome
from blockedge_node.core.task import Kind, unit_id
from tests.core.builders import ALICE, BOB, DOMAIN, RESULT, START, job, world


def tell(run: JobRun, attempt: int, **shards: str) -> JobRun:
    """What the attempt's requester says of each shard: "s0" … → "here", "ended", "pending", or why it failed."""
    task = run.attempts[attempt].task
    outcomes = []
    for name, word in shards.items():
        index = int(name.removeprefix("s"))
        here = word in ("here", "ended")
        outcomes.append(
            ShardOutcome(
                index=index,
                unit=unit_id(task, index),
                worker=BOB,
                result=RESULT if here else None,
                failed="" if here or word == "pending" else word,
                over=word not in ("here", "pending"),
            )
        )
    run, _ = jobs.step(run, TaskSeen(task=task, shards=tuple(outcomes)), world(ALICE, START + 10))
    return run


def begun(shards: int = 2, kind: int = Kind.WASM) -> JobRun:
    run, notes = jobs.begin(job(shards, kind), world(ALICE))
    assert [note.code for note in notes] == ["job.began"]
    return run


def test_a_job_is_done_when_every_output_is_here_and_settled_when_every_unit_ended() -> None:
    run = tell(begun(), 0, s0="here", s1="pending")
    assert run.state is JobState.RUNNING
    run = tell(run, 0, s0="here", s1="here")
    assert (run.state, run.done_at) == (JobState.DONE, START + 10)
    assert not jobs.finished(run)
    run = tell(run, 0, s0="ended", s1="ended")
    assert run.state is JobState.SETTLED
    assert jobs.finished(run)


def test_the_request_says_what_the_job_does() -> None:
    run = begun(3)
    (attempt,) = run.attempts
    asked = attempt.request
    assert attempt.shards == (0, 1, 2)
    assert attempt.task == asked.task(DOMAIN)
    assert asked.input_root == root(b"".join(run.job.inputs))
    assert asked.expiry == START + 2 * (6 + 60 + 5), "two awards in a row fit"
    assert begun(2, Kind.POW).attempts[0].request.input_root == job().inputs[0]


def test_only_missing_shards_are_attempted_again_under_another_nonce() -> None:
    run = tell(begun(3), 0, s0="here", s1="refused", s2="pending")
    assert len(run.attempts) == 1, "not while a shard is under way"
    run = tell(run, 0, s0="here", s1="refused", s2="no_bids")
    first, second = run.attempts
    assert second.shards == (1, 2)
    assert (second.request.nonce, second.request.shards) == (first.request.nonce + 1, 3)
    run = tell(run, 0, s0="ended", s1="refused", s2="no_bids")
    assert len(run.attempts) == 2, "an old task's word does not start a third"
    run = tell(run, 1, s1="here", s2="here")
    assert run.state is JobState.DONE


def test_a_job_fails_when_its_attempts_are_spent() -> None:
    run = begun(1)
    for attempt in range(3):
        assert run.state is JobState.RUNNING
        run = tell(run, attempt, s0="no_bids")
    assert (run.state, len(run.attempts)) == (JobState.FAILED, 3)
    assert jobs.finished(run)


def test_an_output_is_taken_back_with_its_unit() -> None:
    run = tell(begun(1), 0, s0="here")
    assert run.state is JobState.DONE
    run = tell(run, 0, s0="slashed")
    assert (run.state, run.outputs, len(run.attempts)) == (JobState.RUNNING, (None,), 2)
    run = tell(run, 1, s0="ended")
    assert run.state is JobState.SETTLED
    assert run.outputs[0] is not None
    assert run.outputs[0].unit == unit_id(run.attempts[1].task, 0)


def test_a_cancelled_job_makes_no_new_attempt() -> None:
    run, _ = jobs.step(begun(1), JobCancelled(job=job().id), world(ALICE))
    assert run.state is JobState.RUNNING, "what is awarded runs on"
    run = tell(run, 0, s0="cancelled")
    assert (run.state, len(run.attempts)) == (JobState.FAILED, 1)


def test_another_jobs_events_change_nothing() -> None:
    run = begun(1)
    assert jobs.step(run, JobCancelled(job=keccak256(b"another")), world(ALICE)) == (run, ())
    stranger = replace(TaskSeen(task=run.attempts[0].task, shards=()), task=keccak256(b"task"))  # type: ignore[arg-type]
    assert jobs.step(run, stranger, world(ALICE)) == (run, ())
