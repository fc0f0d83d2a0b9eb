"""Auctions on the chain, over several nodes and the contracts' own bytecode (docs/protocol.md §5 ONCHAIN)."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from blockedge_node.chain.events import Announced, BidPosted
from blockedge_node.core.jobs import JobState
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import Phase
from tests.sim.evm import Weather
from tests.sim.jobs import Asked, pow_job, wasm_job
from tests.sim.node import address_called
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


def test_the_best_bid_wins_although_its_requester_hides_it() -> None:
    """alice neither hears nor answers any bid, and would rather have another's: the contract has them all."""
    scenario = Scenario(seed=43).sets("dave", price_floor=10**12)
    asked = announced()
    played = scenario.asks(
        "alice", replace(asked, job=replace(asked.job, workers=(address_called("bob"),)))
    ).play()
    (unit,) = played.units
    assert unit.terms.worker == address_called("dave")
    posted = [record for _, record in records(played, BidPosted)]
    assert unit.terms.price == min(bid.price for bid in posted)
    works(played, asked)


def test_without_a_bid_the_lock_comes_back_and_the_job_says_why() -> None:
    """Nobody works: the auction lapses, alice's money is free again, and the job fails as one without bids."""
    scenario = Scenario(seed=44, nodes=3)
    for name in ("bob", "carol"):
        scenario.sets(name, worker=False)
    played = scenario.asks("alice", announced()).play()
    assert played.job("alice").state is JobState.FAILED
    assert played.job("alice").failures == ("no_bids",)
    assert played.codes("alice").count("auction.announced") == 3, "each attempt is announced"
    assert "bid.none.paused" in played.codes("bob")
    assert played.gained("alice") == 0
    assert played.final["alice"].account.locked == 0


def test_a_winner_that_vanishes_is_closed_timed_out_and_replaced() -> None:
    """dave leads, and is gone before his auction is over: alice closes it, ends his unit, and asks again."""
    scenario = Scenario(seed=45).sets("dave", price_floor=10**12).leaves("dave", "auction.mine", down=90)
    scenario.nodes = 4
    asked = announced()
    played = scenario.asks("alice", asked).play()
    first, second = played.units_of("alice")
    if first.terms.worker != address_called("dave"):
        first, second = second, first
    assert (first.phase, second.phase) == (Phase.REFUSED, Phase.PAID)
    assert played.output("alice") == asked.right[0]
    assert "tx.closeAuction" in played.codes("alice")
    assert played.final["dave"].account.locked == 0


def test_a_requester_that_vanishes_after_its_announcement_still_pays() -> None:
    """alice goes as soon as her auction is open: bids, closing and the result do not need her."""
    scenario = Scenario(seed=46).leaves("alice", "auction.announced", down=40)
    asked = announced()
    played = scenario.asks("alice", asked).play()
    assert played.phases() == [Phase.PAID]
    works(played, asked)


def test_locked_deposits_count_against_what_a_worker_risks() -> None:
    """bob may have one deposit at stake: of two announced jobs he bids for one, and says why not for the other."""
    deposit = 20 * (10**13 + 10**14 * 20_000 * 1_000 // 10**9)
    scenario = Scenario(seed=47, nodes=3).sets("carol", worker=False)
    scenario.sets("bob", max_exposure=deposit * 3 // 2).sets("alice", attempts=1)
    scenario.asks("alice", announced("one")).asks("alice", announced("two"), at=1.0)
    played = scenario.play()
    assert "bid.none.capacity" in played.codes("bob")
    assert len(played.phases()) == 1


def test_auctions_outlive_reorgs_lost_messages_and_crashes() -> None:
    """Announcements and bids are taken back and come again; whatever happens, all ends and no honest node loses."""
    for seed in range(6):
        weather = Weather(reorg=0.15, slow=0.1, left_out=0.05)
        scenario = Scenario(seed=seed, nodes=4, weather=weather, crash_rate=0.1, crash_down=1.0)
        scenario.trouble_until = 60
        dice = Random(f"auctions {seed}")
        for at in (0.0, 3.0):
            scenario.asks(dice.choice(("alice", "bob")), announced(f"chaos {at}"), at=at)
        played = scenario.play()
        assert all(phase.terminal for phase in played.phases())
        assert all(auction.lapsed for auction in played.chain.opened())
        assert all(node.account.locked == 0 for node in played.final.values())
