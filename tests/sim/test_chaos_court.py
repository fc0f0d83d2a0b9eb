"""Chaos before a court: random liars, silent checkers, bought jurors, crashes and losses; audited at every block.

    BLOCKEDGE_SIM_SEEDS=1000:1200 pytest tests/sim/test_chaos_court.py      # a longer night

Whatever happens, every unit ends, no wei goes missing, and nobody ever has two salts for one result, check, report or
vote. Who of the parties is right is decided by juries that may lack their jurors here: that is test_jury.py's.
"""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from blockedge_node.core.actions import Defend, Draw, PublishSecret, Reveal, RevealReport, ShowJury
from tests.sim import cheats
from tests.sim.evm import Weather
from tests.sim.jobs import wasm_job
from tests.sim.network import Faults
from tests.sim.silence import Hoard, mute
from tests.sim.test_chaos import seeds
from tests.sim.world import CAST, Scenario

LIES = (
    cheats.fabricate(kind=2),
    cheats.false_report(kind=2),
    cheats.half_report(kind=2),
    cheats.withhold(kind=2),
    cheats.false_juror(kind=2),
    cheats.false_checker(kind=2),
    partial(Hoard, answers=False),
    partial(Hoard, answers=True),
    mute(RevealReport),
    mute(PublishSecret, Draw),
    mute(ShowJury),
    mute(Defend),
    mute(Reveal),
)


def chaos(seed: int) -> Scenario:
    """Anything the seed thinks of; four of seven are honest, and everybody owns tickets."""
    dice = Random(f"court {seed}")
    scenario = Scenario(
        seed=seed,
        nodes=7,
        faults=Faults(loss=dice.choice([0, 0, 0.1]), duplicate=dice.choice([0, 0.2])),
        weather=Weather(reorg=dice.choice([0, 0, 0.05]), left_out=dice.choice([0, 0.1])),
        crash_rate=dice.choice([0, 0.05, 0.1]),
        crash_down=2,
    )
    names = CAST[:7]
    for name in names:
        scenario.stakes(name, dice.randint(1, 3))
        scenario.sets(
            name,
            min_ticket_owners=3,
            worker=dice.random() < 0.6,
            spot_bps=dice.choice([1_000, 5_000, 10_000]),
            verify_own_bps=dice.choice([0, 10_000]),
            verify_bps_court=dice.choice([0, 0, 10_000]),
        )
    for name in dice.sample(names, k=dice.randint(0, 3)):
        scenario.cheats(name, dice.choice(LIES))
    for i in range(dice.randint(1, 3)):
        size = {"times": dice.choice([3, 300]), "shards": dice.randint(1, 2)}
        scenario.asks(dice.choice(names), wasm_job(f"job {i} of {seed}", **size), at=dice.uniform(12, 25))
    return scenario


@pytest.mark.parametrize("seed", seeds())
def test_all_units_end_and_no_wei_goes_missing(seed: int) -> None:
    played = chaos(seed).play()
    assert all(phase.terminal for phase in played.phases())
    assert not played.rescued or played.chain.reorgs, "the nodes left something to strangers"
