"""Engines and performers through whole jobs on a virtual clock, killed at every commit of the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
import trio

from blockedge_node.core.actions import AwardCommit, CommitResult
from blockedge_node.core.events import JobSubmitted
from blockedge_node.core.unit import Phase
from blockedge_node.errors import Transient
from tests.core.builders import ALICE, BOB, CAROL, job
from tests.engine.memory import MemoryWorld

NAMES = {"alice": ALICE, "bob": BOB, "carol": CAROL}


@asynccontextmanager
async def coalition(**changes: dict[str, Any]) -> AsyncIterator[MemoryWorld]:
    """Alice, Bob and Carol, running; `changes` are a MemoryNode's by name."""
    async with trio.open_nursery() as nursery:
        world = MemoryWorld(nursery)
        for name, me in NAMES.items():
            world.add(me, **changes.get(name, {}))
        for node in world.nodes.values():
            nursery.start_soon(node.run_through_crashes)
        nursery.start_soon(world.make_blocks)
        yield world
        nursery.cancel_scope.cancel()


async def submit(world: MemoryWorld, **changes: Any) -> None:
    """Alice's client hands in a job, and again after a crash, as a client would that got no answer."""
    alice = world.nodes[ALICE]
    while not alice.journal.rows and "job.began" not in alice.journal.codes():
        await alice.hear(JobSubmitted(job=job(**changes)))
        await trio.sleep(0.1)


async def until_over(world: MemoryWorld, limit: float = 900) -> None:
    """Until no node has a machine left: everything has ended, and every journal is empty."""
    with trio.fail_after(limit):
        await world.block.wait()
        await world.block.wait()
        while any(node.journal.rows for node in world.nodes.values()):
            await world.block.wait()


def phases(world: MemoryWorld) -> list[Phase]:
    return sorted(view.phase for view in world.contract.units.values())


async def test_an_honest_job(autojump_clock: object) -> None:
    async with coalition() as world:
        await submit(world, shards=3)
        await until_over(world)
        assert phases(world) == [Phase.PAID] * 3
        story = world.nodes[ALICE].journal.codes()
        assert story.count("award.acknowledged") == 3
        assert story.index("job.done") < story.index("unit.paid") < story.index("job.settled")
        assert sum(node.journal.codes().count("tx.Settle") for node in world.nodes.values()) == 3


async def test_a_liar_is_slashed_and_the_job_is_done_by_another(autojump_clock: object) -> None:
    liar = {"solves": lambda output: bytes(8), "policy": {"price_floor": 1}}
    async with coalition(bob=liar) as world:
        await submit(world)
        await until_over(world)
        assert phases(world) == [Phase.PAID, Phase.SLASHED]
        assert world.nodes[CAROL].journal.codes().count("report.right") == 1


async def test_a_fault_of_the_executor_is_tried_again_once(autojump_clock: object) -> None:
    def failing(times: int) -> Callable[[bytes], bytes]:
        left = [times]

        def solve(output: bytes) -> bytes:
            left[0] -= 1
            if left[0] >= 0:
                raise Transient("killed")
            return output

        return solve

    async with coalition(bob={"solves": failing(1)}, carol={"policy": {"worker": False}}) as world:
        await submit(world)
        await until_over(world)
        assert phases(world) == [Phase.PAID]

    bob = {"solves": failing(2), "policy": {"price_floor": 1}}
    async with coalition(bob=bob) as world:
        await submit(world)
        await until_over(world)
        assert phases(world) == [Phase.PAID, Phase.REFUSED]
        assert "work.failed" in world.nodes[BOB].journal.codes()


def commitments(world: MemoryWorld) -> dict[bytes, set[bytes]]:
    """Every commitment that a node ever tried to publish, by the unit and the award it was for."""
    published: dict[bytes, set[bytes]] = {}
    for node in world.nodes.values():
        for action in node.performed:
            if isinstance(action, AwardCommit | CommitResult):
                published.setdefault(node.me + action.unit, set()).add(action.commitment)
    return published


@pytest.mark.parametrize("after_writing", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("victim", ["alice", "bob"])
async def test_killed_at_every_commit_everything_ends_right(
    victim: str, *, after_writing: bool, autojump_clock: object
) -> None:
    """Power off at the first commit, at the second … until a run is over before; each restart is at once."""
    for n in count(1):
        async with coalition(carol={"policy": {"worker": False}}) as world:
            journal = world.nodes[NAMES[victim]].journal
            journal.fails_at, journal.after_writing = n, after_writing
            await submit(world)
            await until_over(world)
            assert phases(world) == [Phase.PAID], f"crash at commit {n}"
            assert all(len(salted) == 1 for salted in commitments(world).values()), f"two salts at {n}"
            if world.nodes[NAMES[victim]].lives == 1:
                break
    assert n > 8
