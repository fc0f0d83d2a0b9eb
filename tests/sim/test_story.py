"""Honest stories: jobs of both kinds cross five nodes and are paid; one seed is one story."""

from __future__ import annotations

from blockedge_node.core.jobs import JobState
from blockedge_node.core.unit import Phase
from tests.sim.jobs import pow_job, wasm_job
from tests.sim.machine import CrashPoint
from tests.sim.played import Played
from tests.sim.world import Scenario


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


def test_a_long_task_is_registered_before_it_is_worked_on() -> None:
    """Its delay is above a minute, so nobody works on an Award that the chain does not know (§2.1)."""
    scenario = Scenario(seed=4, nodes=2).sets("bob", delay_floor=61)
    asked = pow_job(max_delay=100, lifetime=200)
    played = scenario.asks("alice", asked).play()
    codes = played.codes("bob")
    assert played.phases() == [Phase.PAID]
    assert codes.index("tx.award") < codes.index("work.solved") < codes.index("tx.commit")
    assert played.output("alice") == asked.right[0]
    played.honest_lost_nothing()


def test_an_award_to_a_node_that_is_gone_goes_to_the_next() -> None:
    """dave bids lowest and vanishes before he hears of his award: it dies, and costs him nothing."""
    scenario = Scenario(seed=5).sets("dave", price_floor=10**12)
    scenario.crashes("dave", CrashPoint(commit=2, written=False, down=40))
    played = scenario.asks("alice", pow_job(), at=0).play()
    assert "award.dead" in played.codes("alice")
    assert played.phases() == [Phase.PAID]
    assert played.gained("dave") == 0
    played.honest_lost_nothing()


def test_a_job_outlives_its_requester() -> None:
    """alice is away while her unit is worked on and paid, and finds the output on the chain."""
    scenario = Scenario(seed=6).asks("alice", pow_job())
    dry = scenario.play()
    acknowledged = next(i for i, code in enumerate(dry.codes("alice")) if code == "award.acknowledged")
    point = CrashPoint(commit=acknowledged + 1, written=True, down=40)
    played = Scenario(seed=6).crashes("alice", point).asks("alice", pow_job()).play()
    assert played.nodes["alice"].lives == 2
    assert played.phases() == [Phase.PAID]
    assert played.output("alice") == pow_job().right[0]
    played.honest_lost_nothing()
