"""A worker that goes offline once it has committed, and what its tower does for it (docs/protocol.md §4).

Bob alone works, and is away from the moment his tower has his unit; Carol is the tower. Erin accuses Bob falsely; of
the jurors Dave votes for her lie, and the others are knocked out in the first round, so that it stands against Bob.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from blockedge_node.core.court import NO_INPUT
from blockedge_node.core.ids import Address
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase, UnitView
from tests.sim import cheats
from tests.sim.jobs import wasm_job
from tests.sim.node import address_called
from tests.sim.played import Played
from tests.sim.world import CAST, Scenario

JURORS = ("dave", "frank", "grace", "heidi")
BUDGET = 10**18
SECOND_ROUND = 80.0  # virtual seconds: the first is opened about 64, appealed about 87


@dataclass(frozen=True)
class Ended:
    played: Played
    unit: UnitView

    def codes(self, name: str) -> list[str]:
        return self.played.codes(name)


def away(seed: int, **changes: Any) -> Scenario:
    """Bob's unit for Alice, with a jury that could be called. `tower`: who watches; "": nobody."""
    tower = changes.pop("tower", "carol")
    scenario = Scenario(seed=seed, nodes=8, **changes)
    for name in CAST:
        scenario.sets(name, min_ticket_owners=3, worker=name == "bob")
    for name in JURORS:
        scenario.stakes(name, 4)
    if tower:
        scenario.sets("bob", towers=(address_called(tower),))
        scenario.sets(tower, clients=frozenset({address_called("bob")}), appeal_budget=BUDGET)
    scenario.leaves("bob", "watch.kept" if tower else "tx.awardCommit", down=150)
    scenario.cheats("alice", cheats.LateSecret).sets("alice", attempts=1)
    return scenario.asks("alice", wasm_job(), at=12)


def accused(scenario: Scenario) -> Scenario:
    """Erin lies, and so does a quarter of the jury; the rest of it comes to vote in the second round only."""
    scenario.cheats("erin", cheats.false_report(kind=2))
    scenario.sets("erin", verify_bps_court=10_000, appeal=False)
    scenario.cheats("dave", cheats.false_juror(kind=2))
    for name in ("frank", "grace", "heidi"):
        scenario.cheats(name, cheats.out_of_order(until=SECOND_ROUND))
    return scenario


def ended(scenario: Scenario) -> Ended:
    played = scenario.play()
    (unit,) = played.units
    assert unit.terms.worker == address_called("bob")
    assert played.nodes["bob"].lives == 2
    return Ended(played, unit)


def test_without_a_tower_a_worker_that_is_away_loses_its_deposit() -> None:
    story = ended(away(seed=1, tower=""))
    assert story.unit.phase is Phase.SLASHED
    assert story.played.gained("bob") == -story.unit.terms.deposit


def test_a_tower_reveals_and_settles() -> None:
    story = ended(away(seed=1))
    assert story.unit.phase is Phase.PAID
    assert story.played.gained("bob") == story.unit.terms.price
    assert story.codes("carol").count("tx.reveal") == 1
    assert "tx.reveal" not in story.codes("bob")
    assert story.played.final["bob"].reputation.score > story.played.before["bob"].reputation.score
    assert story.played.output("alice") == b"".join(wasm_job().right), "the output was in the watch"


def test_a_tower_defends_and_appeals_against_a_false_accusation() -> None:
    story = ended(accused(away(seed=1)))
    unit, played = story.unit, story.played
    assert unit.phase is Phase.PAID
    assert unit.case is not None
    assert unit.final_hash == unit.result_hash
    assert [r.round for r in unit.case.rounds] == [0, 1]
    assert unit.case.rounds[1].funder == address_called("carol")
    for call in ("tx.reveal", "tx.defend", "tx.appeal"):
        assert call in story.codes("carol")
        assert call not in story.codes("bob")
    assert "watch.checked" in story.codes("carol"), "it recomputed before it paid"
    assert played.gained("bob") >= unit.terms.price
    phi, x = unit.terms.check_fee, max(unit.terms.deposit // 20, unit.terms.check_fee)
    right = sum(v.result_hash == unit.final_hash for r in unit.case.rounds for v in r.votes)
    left = (sum(ROUNDS[:2]) - right) * phi  # of the pots
    assert played.gained("carol") == min(appeal_cost(1, phi) * 11 // 10, left + x), (
        "as far as pots and X reach"
    )
    assert played.gained("erin") < 0
    assert played.final["bob"].reputation.n == 0


def test_a_tower_pays_for_no_lie_of_its_clients() -> None:
    """Bob makes his result up: Erin reports him rightly, the jury convicts, and Carol keeps her money."""
    scenario = away(seed=1).cheats("bob", cheats.fabricate(kind=2)).sets("erin", verify_bps_court=10_000)
    story = ended(scenario)
    assert story.unit.phase is Phase.SLASHED
    assert story.unit.final_hash not in (None, NO_INPUT, story.unit.result_hash)
    assert "tx.defend" in story.codes("carol"), "to defend costs nothing but gas"
    assert "watch.checked" in story.codes("carol")
    assert "tx.appeal" not in story.codes("carol")
    assert story.played.gained("carol") == 0


def test_a_tower_that_crashes_again_and_again_still_meets_every_deadline() -> None:
    """As long as one of its lives sees a block in each window."""
    for seed in range(3):
        scenario = away(seed=seed)
        scenario.crash_rate, scenario.crash_down, scenario.trouble_until = 0.3, 1.0, 60.0
        story = ended_anyhow(scenario)
        assert story.unit.phase is Phase.PAID
        assert story.played.gained("bob") == story.unit.terms.price


def ended_anyhow(scenario: Scenario) -> Ended:
    played = scenario.play()
    (unit,) = played.units
    return Ended(played, unit)


@pytest.mark.parametrize("seed", range(4))
def test_workers_that_come_and_go_lose_nothing_that_their_tower_holds(seed: int) -> None:
    """Four workers, each of them away for up to a minute again and again; Carol watches over all of them."""
    scenario = Scenario(seed=seed, nodes=7, crash_rate=0.1, crash_down=60, spared=("carol", "alice"))
    workers = ("bob", "dave", "erin", "frank")
    clients = frozenset(map(address_called, workers))
    for name in CAST[:7]:
        scenario.sets(name, min_ticket_owners=3, worker=name in workers).stakes(name, 2)
    for name in workers:
        scenario.sets(name, towers=(address_called("carol"),))
    scenario.sets("carol", clients=clients, appeal_budget=BUDGET)
    for i in range(4):
        scenario.asks("alice", wasm_job(f"job {i}", shards=2), at=12 + 7 * i)
    played = scenario.play()
    assert sum(node.lives for node in played.nodes.values()) > len(played.nodes), "somebody was away"
    held = {
        note.subject for name in workers for note in played.nodes[name].notes if note.code == "watch.kept"
    }
    assert len(held) >= 3
    for unit in played.units:
        assert unit.phase.terminal
        if unit.unit in held:
            assert unit.phase is Phase.PAID, unit.unit.hex()


def test_two_towers_do_no_harm() -> None:
    scenario = away(seed=2)
    scenario.sets("bob", towers=(address_called("carol"), address_called("grace")))
    scenario.sets("grace", clients=frozenset({address_called("bob")}))
    scenario.leaves("bob", "watch.kept", down=150, times=2)
    story = ended(scenario)
    assert story.unit.phase is Phase.PAID
    assert {name for name in ("carol", "grace") if "watch.begun" in story.codes(name)} == {"carol", "grace"}


def test_who_is_no_client_gets_no_watch() -> None:
    scenario = away(seed=1).sets("carol", clients=frozenset[Address]())
    scenario.leaves("bob", "tx.awardCommit", down=150)
    story = ended(scenario)
    assert story.unit.phase is Phase.SLASHED
    assert "watch.begun" not in story.codes("carol")
