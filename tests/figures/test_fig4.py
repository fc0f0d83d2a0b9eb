"""Fig. 4: auctions read from the chain's events, percentiles and conditions; by tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from blockedge_node.core.ids import Address, TaskId
from blockedge_node.core.task import unit_id
from blockedge_node.experiments.figures import fig4a, fig4b
from blockedge_node.experiments.figures.fig4a import Auctioned, Run, read_auctions
from blockedge_node.experiments.figures.fig4b import Negotiated
from blockedge_node.experiments.figures.record import Condition

NAMES = {Address(bytes([n]) * 20): f"n{n}" for n in range(1, 6)}
AT = {name: address for address, name in NAMES.items()}
TASK = TaskId(bytes([7]) * 32)
UNIT = unit_id(TASK, 0)
TIMES = {10: 100, 11: 106, 12: 113}


def announced(requester: str = "n1") -> fig4a.Entry:
    return 10, "Announced", {"task": TASK, "requester": AT[requester], "closesAt": 11}


def bid(worker: str) -> fig4a.Entry:
    return 11, "BidPosted", {"unit": UNIT, "worker": AT[worker]}


def awarded() -> fig4a.Entry:
    return 12, "Awarded", {"unit": UNIT}


def read(*entries: fig4a.Entry) -> Auctioned:
    (auction,) = read_auctions(iter(entries), TIMES, NAMES)
    return auction


def test_an_auction_is_read_from_its_events() -> None:
    auction = read(announced(), bid("n3"), bid("n5"), awarded())
    assert auction == Auctioned(
        requester="n1", block=10, closes=11, seconds=6, bids=2, leader="n5", best="n5", closed=12
    )
    assert auction.decided


def test_who_bids_the_least_must_have_won() -> None:
    assert not read(announced(), bid("n3"), awarded()).decided
    assert read(announced("n5"), bid("n4"), awarded()).decided  # nobody bids on its own request


def test_without_a_bid_nobody_has_won() -> None:
    auction = read(announced())
    assert (auction.leader, auction.closed, auction.decided) == ("", None, False)


def test_units_that_no_auction_made_are_left_out() -> None:
    other: Any = {"unit": bytes(32)}
    assert read(announced(), (12, "Awarded", other)).closed is None


def run_of(seconds: Sequence[int], interval: float, lost: int = 0, *, fixed: bool = True) -> Run:
    won = [replace(read(announced(), bid("n5")), seconds=s) for s in seconds]
    return Run(name="x", interval=interval, auctions=(*won, *[read(announced())] * lost), fixed=fixed)


@pytest.mark.parametrize(
    ("run", "holds"),
    [
        (run_of([6, 7, 6, 7], 6.4), [True, True]),
        (run_of([6] * 98, 6.0, lost=2), [False, True]),  # 98 % in time
        (run_of([7] * 4, 6.4), [True, False]),  # 9 % above the block interval
        (run_of([], 6.4, lost=1), [False, False]),
        (run_of([2] * 4, 6.4, fixed=False), []),  # reported, not asserted
    ],
)
def test_conditions_of_auctions(run: Run, holds: list[bool]) -> None:
    assert [condition.holds for condition in fig4a.conditions([run])] == holds


# ── gossip ───────────────────────────────────────────────────────────────────────────────────────────────


def gossip(**times: Sequence[float]) -> dict[str, list[Negotiated]]:
    return {
        name: [Negotiated(sitting=i // 50, ms=ms, requester=1, runnable=1) for i, ms in enumerate(row)]
        for name, row in times.items()
    }


def failing(found: dict[str, list[Negotiated]]) -> list[Condition]:
    return [condition for condition in fig4b.conditions(found, quick=False) if not condition.holds]


def test_a_good_night_holds() -> None:
    found = gossip(fast=[340.0] * 99 + [600.0], slow=[345.0] * 100)
    assert failing({**found, "slow, closing early": gossip(x=[140.0] * 100)["x"]}) == []


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (gossip(fast=[351.0] * 100, slow=[349.0] * 100), "fast: median"),
        (gossip(fast=[340.0] * 98 + [600.0] * 2, slow=[340.0] * 100), "99th percentile"),
        (gossip(fast=[310.0] * 100, slow=[345.0] * 100), "block times apart"),
    ],
)
def test_each_condition_of_gossip_notices_its_fault(found: dict[str, list[Negotiated]], says: str) -> None:
    (condition,) = failing(found)
    assert says in condition.says


def test_closing_early_must_be_forty_times_as_fast_as_the_paper() -> None:
    early = {"slow, closing early": gossip(x=[161.0] * 100)["x"]}
    assert [condition.says.split(":")[1][:7] for condition in failing(early)] == [" median", " times "]


def test_the_summary_compares_with_the_paper_and_shows_a_drift_within_sittings() -> None:
    figures = fig4b.summary(gossip(x=[320.0, 640.0] * 50))["x"]
    assert figures["median_ms"] == 480.0
    assert figures["times_faster_than_the_paper"] == 13.3
    slower = fig4b.summary(gossip(x=([320.0] * 25 + [640.0] * 25) * 2))["x"]
    assert (slower["median_ms_early"], slower["median_ms_late"]) == (320.0, 640.0)
