"""Honest stories: jobs of both kinds cross five nodes and are paid; one seed is one story."""

from __future__ import annotations

from blockedge_node.core.jobs import JobState
from blockedge_node.core.unit import Phase
from tests.sim.jobs import pow_job, wasm_job
from tests.sim.world import Played, Scenario


def play(seed: int) -> Played:
    scenario = Scenario(seed=seed)
    return scenario.asks("alice", wasm_job(shards=6)).asks("bob", pow_job(shards=2), at=0.5).play()


def test_both_kinds_are_paid_and_merged_right() -> None:
    played = play(seed=1)
    assert played.phases("alice") == [Phase.PAID] * 6
    assert played.phases("bob") == [Phase.PAID] * 2
    assert played.job("alice").state is JobState.SETTLED
    assert played.output("alice") == b"".join(wasm_job(shards=6).right)
    assert played.output("bob") == b"".join(pow_job(shards=2).right)
    workers = {view.terms.worker for view in played.units_of("alice")}
    assert len(workers) >= 3, "the shards of a task are spread"
    played.honest_lost_nothing()


def test_the_same_seed_tells_the_same_story() -> None:
    assert play(seed=2).trace == play(seed=2).trace
    assert play(seed=3).digest != play(seed=2).digest
