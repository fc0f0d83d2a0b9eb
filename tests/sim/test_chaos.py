"""Many nodes, many jobs, random lies, crashes, losses and reorgs, audited at every block; one seed each.

    BLOCKEDGE_SIM_SEEDS=1000:1200 pytest tests/sim/test_chaos.py -k seeds      # a longer night

What the seeds find stays below as a test with a name.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest

from tests.sim import cheats
from tests.sim.evm import Weather
from tests.sim.jobs import pow_job, wasm_job
from tests.sim.network import Faults
from tests.sim.played import Played
from tests.sim.world import BALANCE, CAST, Scenario

CI_SEEDS = "0:12"
TIGHT = 4 * 10**15  # wei: the deposits of a few units, and no more


def chaos(seed: int) -> Scenario:
    """Anything the seed thinks of; at least three nodes are honest."""
    dice = Random(f"chaos {seed}")
    scenario = Scenario(
        seed=seed,
        nodes=dice.randint(4, 7),
        faults=Faults(
            loss=dice.choice([0, 0, 0.05, 0.2]),
            duplicate=dice.choice([0, 0.2]),
            tamper=dice.choice([0, 0, 0.02]),
            delay=(0.005, dice.choice([0.05, 0.5, 1.5])),
        ),
        weather=Weather(
            reorg=dice.choice([0, 0, 0.05]), slow=dice.choice([0, 0.1]), left_out=dice.choice([0, 0.1])
        ),
        crash_rate=dice.choice([0, 0.05, 0.1]),
        crash_down=2,
    )
    names = list(CAST[: scenario.nodes])
    for name in dice.sample(names[1:], k=dice.randint(0, scenario.nodes - 3)):
        lie = dice.choice(cheats.ALL)
        scenario.cheats(name, lie(kind=dice.choice([0, 1, 2])))
    for i in range(dice.randint(1, 4)):
        make, label = dice.choice([pow_job, wasm_job]), f"job {i} of {seed}"
        at = dice.uniform(0, 20)
        scenario.asks(
            dice.choice(names), make(label, shards=dice.randint(1, 5), max_delay=dice.choice([60, 90])), at=at
        )
    for name in names:
        scenario.sets(
            name,
            slots=dice.randint(1, 2),
            verify_own_bps=dice.choice([0, 10_000]),
            delay_floor=dice.choice([10, 10, 10, 20, 61]),
            price_floor=dice.choice([10**13, 10**13, 2 * 10**13]),
        )
        scenario.gives(name, dice.choice([BALANCE, BALANCE, TIGHT]))
    return scenario


def check(played: Played) -> None:
    assert all(phase.terminal for phase in played.phases())
    played.honest_lost_nothing()


def seeds() -> range:
    first, _, last = os.environ.get("BLOCKEDGE_SIM_SEEDS", CI_SEEDS).partition(":")
    return range(int(first), int(last))


@pytest.mark.parametrize("seed", seeds())
def test_seeds_end_well(seed: int) -> None:
    check(chaos(seed).play())


@pytest.mark.parametrize("seed", range(3000, 3004))
def test_however_bad_it_gets_all_units_end(seed: int) -> None:
    """A crash every 2.5 s for up to 8 s, on a bad network and a restless chain: honest nodes may lose, no wei may."""
    played = replace(
        chaos(seed),
        faults=Faults(loss=0.3, duplicate=0.3, tamper=0.05, delay=(0.005, 2.0)),
        weather=Weather(reorg=0.3, slow=0.2, left_out=0.3),
        crash_rate=0.4,
        crash_down=8,
    ).play()
    assert all(phase.terminal for phase in played.phases())
    assert sum(node.lives for node in played.nodes.values()) > 20
