"""Auctions on the chain, over several nodes and the contracts' own bytecode (docs/protocol.md §5 ONCHAIN)."""

from __future__ import annotations

from typing import Any

from blockedge_node.chain.events import Announced, BidPosted
from blockedge_node.core.jobs import JobState
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import Phase
from tests.sim.jobs import Asked, pow_job, wasm_job
from tests.sim.played import Played
from tests.sim.test_jury import JURORS
from tests.sim.world import CAST, Scenario


def announced(label: str = "search", **changes: Any) -> Asked:
    return pow_job(label, mode=Mode.ONCHAIN, **changes)


def works(played: Played, asked: Asked, requester: str = "alice") -> None:
    assert played.job(requester).state is JobState.SETTLED
    assert played.output(requester) == b"".join(asked.right)
    played.honest_lost_nothing()
    assert all(auction.lapsed for auction in played.chain.opened())


def records(played: Played, kind: type) -> list[tuple[int, Any]]:
    """(block, record) of one class, as they stand on the chain."""
    return [(b.head.number, r) for b in played.chain.blocks for r in b.records if isinstance(r, kind)]


def test_a_job_is_announced_bid_for_closed_and_paid() -> None:
    asked = announced(shards=2)
    played = Scenario(seed=41).asks("alice", asked).play()
    assert played.phases("alice") == [Phase.PAID] * 2
    works(played, asked)
    ((block, _),) = records(played, Announced)
    assert {posted for posted, _ in records(played, BidPosted)} == {block + 1}, (
        "bids land in the very next block"
    )
    assert {"auction.announced", "auction.won"} <= set(played.codes("alice"))
    assert "award.made" not in played.codes("alice")


def test_units_of_a_program_are_drawn_and_checked_like_any_other() -> None:
    scenario = Scenario(seed=42, nodes=8)
    for name in CAST:
        scenario.sets(name, min_ticket_owners=3)
    for name in JURORS:
        scenario.stakes(name, 4)
    asked = wasm_job(shards=2, mode=Mode.ONCHAIN, spot_bps=10_000)
    played = scenario.asks("alice", asked, at=12).play()
    assert played.phases("alice") == [Phase.PAID] * 2
    assert all(unit.check is not None for unit in played.units)
    works(played, asked)
