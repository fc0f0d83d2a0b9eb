"""A worker that hands its unit to a tower and goes offline: engines and performers on a virtual clock."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
import trio

from blockedge_node.core.actions import AnswerWatch, HandWatch, Reveal
from blockedge_node.core.events import WatchAnswered, WatchKept
from blockedge_node.core.ids import Secret
from blockedge_node.core.unit import Phase
from blockedge_node.core.watch import Kept, Watch
from blockedge_node.errors import PeerError, Rejected, Transient
from tests.core.builders import BOB, CAROL, DOMAIN, RESULT
from tests.engine.memory import MemoryWorld
from tests.engine.test_lives import coalition, phases, submit, until_over
from tests.engine.test_performer import UNIT, perform

WATCH = Watch(
    tower=CAROL,
    unit=UNIT,
    exit=RESULT.exit,
    output_root=RESULT.output_root,
    fuel_used=RESULT.fuel_used,
    memory_hash=RESULT.memory_hash,
    salt=Secret(b"1" * 32),
    guard_secret=Secret(b"2" * 32),
)
TOWER: dict[str, Any] = {"policy": {"worker": False, "verifier": False, "clients": frozenset({BOB})}}
CLIENT: dict[str, Any] = {"policy": {"towers": (CAROL,)}}


async def test_a_watch_is_handed_over_until_it_is_kept(autojump_clock: object) -> None:
    bad = [Transient("away"), Rejected("not.client"), PeerError("not the tower's"), None]
    event, ports, tries = await perform(HandWatch(unit=UNIT, watch=WATCH, output=b"o"), hand_watch=bad)
    assert event == WatchKept(unit=UNIT, watch=WATCH.digest(DOMAIN))
    assert tries.failed == 3
    assert {(watch, output) for watch, output, _ in ports.named("hand_watch")} == {(WATCH, b"o")}
    assert all(len(sig) == 64 for _, _, sig in ports.named("hand_watch"))


async def test_a_towers_word_is_signed_on_sending() -> None:
    kept = Kept(watch=WATCH.digest(DOMAIN))
    event, ports, _ = await perform(AnswerWatch(kept=kept))
    assert event == WatchAnswered(watch=kept.watch)
    ((answered, sig),) = ports.named("answer_watch")
    assert answered == kept
    assert len(sig) == 64


async def handed_over(world: MemoryWorld) -> None:
    """Until Bob has his tower's word, which is long before the next block."""
    with trio.fail_after(60):
        while "watch.kept" not in world.nodes[BOB].journal.codes():  # noqa: ASYNC110 - no event tells of it
            await trio.sleep(0.05)


async def paid(world: MemoryWorld) -> None:
    with trio.fail_after(120):
        while phases(world) != [Phase.PAID]:
            await world.block.wait()


def revealed_by(world: MemoryWorld) -> set[bytes]:
    return {node.me for node in world.nodes.values() if any(isinstance(a, Reveal) for a in node.performed)}


async def test_a_tower_ends_the_unit_of_a_client_that_went_offline(autojump_clock: object) -> None:
    async with coalition(bob=CLIENT, carol=TOWER) as world:
        await submit(world)
        await handed_over(world)
        world.vanish(BOB)
        await paid(world)
        assert CAROL in revealed_by(world)
        with trio.fail_after(10):
            while "watch.over" not in world.nodes[CAROL].journal.codes():
                await world.block.wait()
        codes = world.nodes[CAROL].journal.codes()
        assert [codes.count(c) for c in ("watch.begun", "tx.Reveal", "watch.over")] == [1, 1, 1]


async def test_a_tower_leaves_a_client_that_is_awake_alone(autojump_clock: object) -> None:
    async with coalition(bob=CLIENT, carol=TOWER) as world:
        await submit(world, shards=2)
        await until_over(world)
        assert phases(world) == [Phase.PAID] * 2
        assert revealed_by(world) == {BOB}
        assert world.nodes[CAROL].journal.codes().count("watch.over") == 2


@pytest.mark.parametrize("after_writing", [False, True], ids=["before", "after"])
async def test_a_tower_killed_at_every_commit_gives_its_word_for_what_it_has(
    *, after_writing: bool, autojump_clock: object
) -> None:
    for n in count(1):
        async with coalition(bob=CLIENT, carol=TOWER) as world:
            tower = world.nodes[CAROL]
            tower.journal.fails_at, tower.journal.after_writing = n, after_writing
            await submit(world)
            await handed_over(world)
            assert any(key.startswith("tower:") for key in tower.journal.rows), f"crash at commit {n}"
            world.vanish(BOB)
            await paid(world)
            if tower.lives == 1:
                break
    assert n > 2
