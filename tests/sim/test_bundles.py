"""Micro-tasks on the real contracts: one unit for many, no job lost or run twice, and one lie costs all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blockedge_node.core import items
from blockedge_node.core.actions import Action, Solve
from blockedge_node.core.events import Event
from blockedge_node.core.items import Answer
from blockedge_node.core.job import WasmJob
from blockedge_node.core.jobs import JobState
from blockedge_node.core.merkle import root
from blockedge_node.core.unit import Phase
from blockedge_node.devnet.lies import Liar, Lie
from tests.sim import cheats
from tests.sim.jobs import Asked, wasm_job
from tests.sim.machine import CrashPoint, compute_items
from tests.sim.played import Played
from tests.sim.test_checks import asking
from tests.sim.world import Scenario

LABELS = ("spring", "summer", "autumn")
FUEL = 10**7


def micro(label: str) -> Asked:
    asked = wasm_job(label)
    return replace(asked, job=replace(asked.job, bundle=True))


def handing_in(scenario: Scenario, at: float = 0.0) -> Scenario:
    for label in LABELS:
        scenario = scenario.asks("alice", micro(label), at=at)
    return scenario


def answers(played: Played) -> dict[str, Answer]:
    """By label: what each micro-task of alice's bundles got in the end."""
    found: dict[str, Answer] = {}
    for run in played.nodes["alice"].jobs.values():
        (output,) = run.outputs
        assert output is not None, run.failures
        data = played.nodes["alice"].disk.blobs[output.result.output_root]
        told = items.split_answers(data, len(run.job.items))
        assert told is not None
        for item, answer in zip(run.job.items, told, strict=True):
            assert item.label not in found, "run twice"
            found[item.label] = answer
    return found


def right() -> dict[str, Answer]:
    """What each would be given alone: the stand-in program sees shard 0 of 1, in a bundle or not."""
    return {label: Answer(exit=0, output=micro(label).right[0]) for label in LABELS}


def test_many_micro_tasks_share_a_unit_and_each_has_its_answer() -> None:
    played = handing_in(Scenario(seed=31)).play()
    assert played.phases() == [Phase.PAID]
    assert played.job("alice").state is JobState.SETTLED
    assert answers(played) == right()
    codes = [note.code for note in played.nodes["alice"].notes if note.subject == micro("summer").job.id]
    assert codes == ["job.began", "job.bundled", "job.done", "job.settled"]
    played.honest_lost_nothing()


@pytest.mark.parametrize("written", [False, True])
def test_a_requester_killed_at_any_commit_loses_no_micro_task(written: bool) -> None:
    dry = handing_in(Scenario(seed=32, nodes=2)).play()
    for commit in range(1, dry.nodes["alice"].disk.commits + 1):
        point = CrashPoint(commit, written, 0.0)
        played = handing_in(Scenario(seed=32, nodes=2)).crashes("alice", point).play()
        assert played.nodes["alice"].lives == 2, f"{point} was never reached"
        assert set(played.phases()) == {Phase.PAID}
        assert answers(played) == right(), point
        played.honest_lost_nothing()


class OneItem(Liar):
    """Computes a bundle honestly, but for one answer that it makes up."""

    def lie(self, action: Action) -> Lie | None:
        return self.answer if isinstance(action, Solve) else None

    async def answer(self, action: Solve, tries: Any) -> Event:
        await self.node.content.fetch_task(action.request, action.shard)
        job = self.node.content.job(action.request, action.shard)
        assert isinstance(job, WasmJob)
        honest = compute_items(job)
        told = list(items.split_answers(honest.output, len(LABELS)) or ())
        told[1] = Answer(exit=0, output=b"made up")
        output = items.join_answers(told)
        return self.solved(action, replace(honest.result, output_root=root(output)), output)


def test_one_lie_in_a_bundle_costs_its_whole_deposit() -> None:
    scenario = asking(seed=2).cheats("bob", cheats.part(OneItem)(kind=2)).sets("bob", appeal=False)
    scenario = handing_in(replace(scenario, submissions=[]), at=12)
    played = scenario.play()
    (unit,) = played.units
    assert unit.phase is Phase.SLASHED
    assert played.gained("bob") == -unit.terms.deposit
    assert played.gained("alice") > 0
    failed = [n.subject for n in played.nodes["alice"].notes if n.code == "job.failed"]
    assert {micro(label).job.id for label in LABELS} <= set(failed), "each of them hears of it"
