"""A requester whose winner the contract finds: secrets, announcement, and what it closes itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockedge_node.core import node as core
from blockedge_node.core.actions import Announce, AwaitBids, CloseAuction, PublishRequest, SendAward
from blockedge_node.core.events import (
    BidWindowClosed,
    JobCancelled,
    JobSubmitted,
    RequestPublished,
    ResultHeard,
)
from blockedge_node.core.jobs import JobRun
from blockedge_node.core.node import Requester
from blockedge_node.core.task import Mode
from blockedge_node.core.unit import Phase
from tests.core.auctions import Party, auction, closed, posted, seen
from tests.core.builders import ALICE, BOB, CAROL, RESULT, START, bid, bid_heard, ended, job

JOB = job(2, mode=Mode.ONCHAIN)


class Alice(Party):
    """Her node with a job of two shards, event by event."""

    def __init__(self, **policy: Any) -> None:
        super().__init__(ALICE, **policy)
        self.sees(START, JobSubmitted(job=JOB))

    def announces(self) -> Alice:
        windows = (BidWindowClosed(task=self.asked.task, shard=i, round=0) for i in (0, 1))
        return self.sees(START, RequestPublished(task=self.asked.task, at=0.0), *windows)

    @property
    def asked(self) -> Requester:
        return [m for m in self.node.machines.values() if isinstance(m, Requester)][-1]

    @property
    def run(self) -> JobRun:
        (run,) = (m for m in self.node.machines.values() if isinstance(m, JobRun))
        return run

    def auctions(self, *bids: Any, **changes: Any) -> tuple[Any, Any]:
        request = self.asked.request
        return auction(request, *bids, **changes), auction(request, *bids, shard=1, **changes)


def test_secrets_are_on_disk_before_anything_is_announced() -> None:
    alice = Alice()
    assert [action.seconds for action in alice.wants(AwaitBids)] == [0.0, 0.0]
    assert alice.wants(Announce) == alice.wants(PublishRequest) == []
    alice.announces()
    (action,) = alice.wants(Announce)
    assert action.draw_commits == ()  # a judged kind: nothing is drawn
    assert alice.wants(PublishRequest), "bidders may fetch meanwhile"
    assert core.loaded(alice.node, alice.here).exposure > 0


def test_bids_by_gossip_move_nothing() -> None:
    alice = Alice().announces()
    alice.sees(START, bid_heard(bid(alice.asked.request, BOB)))
    assert alice.wants(SendAward) == []


def test_what_is_announced_is_not_announced_again_unless_a_reorg_takes_it() -> None:
    alice = Alice().announces()
    opened = alice.auctions()
    alice.sees(START, seen(START, *opened))
    assert alice.wants(Announce) == []
    assert core.loaded(alice.node, alice.here).exposure == 0, "the contract holds it"
    alice.sees(START + 1, seen(START + 1))
    assert len(alice.wants(Announce)) == 1


def test_without_money_it_waits_and_says_so_once() -> None:
    alice = Alice().announces()
    alice.sees(START + 1, seen(START + 1), seen(START + 1), free=1)
    assert alice.wants(Announce) == []
    assert alice.codes().count("award.none.balance") == 1
    assert alice.sees(START + 2, seen(START + 2)).wants(Announce)


def test_what_nobody_bid_for_is_closed_at_once_and_asked_for_again() -> None:
    alice = Alice().announces()
    task, opened = alice.asked.task, alice.auctions()
    alice.sees(START + 1, seen(START + 1, *opened))
    assert [action.shard for action in alice.wants(CloseAuction)] == [0, 1]
    alice.sees(START + 3, seen(START + 3, *alice.auctions(lapsed=True)))
    assert alice.codes().count("shard.failed.no_bids") == 2
    assert alice.asked.task != task
    assert alice.asked.request.mode & Mode.ONCHAIN


def test_what_is_left_of_an_announced_task_is_asked_for_by_gossip() -> None:
    """An announcement opens every shard, and a shard that is here already must not be bought twice."""
    alice = Alice().announces()
    first, second = alice.auctions(posted(BOB))
    unit = closed(first, START + 2, Phase.COMMITTED)
    lapsed = replace(second, bids=(), count=0, lapsed=True)
    alice.sees(START + 3, seen(START + 3, lapsed, units=(unit,)))
    alice.sees(
        START + 3, ResultHeard(unit=unit.unit, worker=BOB, result=replace(RESULT, output_root=bytes(32)))
    )  # type: ignore[arg-type]
    assert (alice.asked.request.mode & Mode.ONCHAIN, [s.index for s in alice.asked.shards]) == (0, [1])


def test_a_winner_has_some_blocks_to_close_before_its_requester_does() -> None:
    alice = Alice().announces()
    won = alice.auctions(posted(CAROL, price=7), posted(BOB, price=5))
    alice.sees(START + 1, seen(START + 1, *won))
    assert alice.codes().count("auction.won") == 2
    assert alice.asked.shards[0].worker == BOB
    assert alice.wants(CloseAuction) == []
    assert len(alice.sees(START + 4, seen(START + 4, *won)).wants(CloseAuction)) == 2
    assert alice.codes().count("auction.won") == 2, "told once"


def test_a_cancelled_job_pays_for_what_was_announced_and_for_nothing_else() -> None:
    alice = Alice().announces()
    opened = alice.auctions(posted(BOB))
    alice.sees(START, seen(START, *opened), JobCancelled(job=JOB.id))
    assert [shard.end for shard in alice.asked.shards] == ["", ""]
    early = Alice().announces().sees(START, JobCancelled(job=JOB.id))
    assert early.wants(Announce) == []
    assert [shard.end for shard in early.asked.shards] == ["cancelled", "cancelled"]


def test_a_lapsed_shard_with_a_bid_and_a_refused_unit_both_fail_their_shard() -> None:
    alice = Alice().announces()
    first, second = alice.auctions(posted(BOB))
    refused = ended(closed(first, START + 2), Phase.REFUSED, START + 30)
    alice.sees(START + 30, seen(START + 30, replace(second, lapsed=True), units=(refused,)))
    codes = alice.codes()
    assert "shard.failed.auction_lapsed" in codes
    assert "unit.refused" in codes
    assert BOB in alice.run.avoid
