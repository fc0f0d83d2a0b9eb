"""A bad network and a chain that changes its mind: all units end, and honest nodes lose nothing they did not buy."""

from __future__ import annotations

import pytest

from blockedge_node.core.jobs import JobState
from blockedge_node.core.unit import Phase
from tests.sim.evm import Weather
from tests.sim.jobs import pow_job, wasm_job
from tests.sim.network import Faults
from tests.sim.played import Played
from tests.sim.world import Scenario

LOSSY = Faults(loss=0.3, duplicate=0.3, delay=(0.01, 2.0))
HOSTILE = Faults(tamper=0.1, duplicate=0.2, delay=(0.01, 0.2))
RESTLESS = Weather(reorg=0.6, lost_in_reorg=0.7, slow=0.1, left_out=0.1)


def two_jobs(seed: int, **troubles: object) -> Played:
    scenario = Scenario(seed=seed, **troubles)  # type: ignore[arg-type]
    return scenario.asks("alice", wasm_job(shards=3)).asks("bob", pow_job(shards=2), at=1).play()


def ended_well(played: Played) -> None:
    assert all(phase.terminal for phase in played.phases())
    assert played.job("alice").state in (JobState.SETTLED, JobState.FAILED)
    played.honest_lost_nothing()


@pytest.mark.parametrize("seed", range(10))
def test_all_units_end_if_a_third_of_all_messages_is_lost(seed: int) -> None:
    played = two_jobs(seed, faults=LOSSY)
    assert played.net.counts["lost"] > 10
    ended_well(played)


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_is_noticed_at_the_door(seed: int) -> None:
    played = two_jobs(seed, faults=HOSTILE)
    assert played.net.counts["tampered"]
    ended_well(played)
    for name, asked in (("alice", wasm_job(shards=3)), ("bob", pow_job(shards=2))):
        if played.job(name).state is JobState.SETTLED:
            assert played.output(name) == b"".join(asked.right)


@pytest.mark.parametrize("seed", range(5))
def test_strangers_alone_bring_every_unit_to_an_end(seed: int) -> None:
    """Invariant 9: all nodes die in the middle of it, and somebody calls timeout, settle and closeReports."""
    played = two_jobs(seed, all_die_at=4.5 + 2 * seed)
    assert played.rescued
    assert all(phase.terminal for phase in played.phases())
    assert all(standing.account.locked == 0 for standing in played.final.values())


def restless(seed: int) -> Played:
    """A job every four seconds, so that each reorg takes something back."""
    scenario = Scenario(seed=seed, weather=RESTLESS).asks("alice", wasm_job(shards=2))
    for at, name in ((4, "bob"), (8, "carol"), (12, "dave"), (16, "erin")):
        scenario.asks(name, pow_job(f"search of {name}", shards=2), at=at)
    return scenario.play()


@pytest.mark.parametrize("seed", range(10))
def test_reorgs_are_looked_at_again(seed: int) -> None:
    """Depth 1 to 3: views follow the contract's slots at every block, and commitments stay what they were."""
    played = restless(seed)
    ended_well(played)
    assert Phase.UNRESOLVED not in played.phases()


def test_reorgs_hit_what_matters() -> None:
    assert sum(restless(seed).chain.orphans for seed in range(4)) > 4
