"""About ten bids however many nodes there are: who speaks when, who stays silent, and when enough was heard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import bidder as bidders
from blockedge_node.core import node as core
from blockedge_node.core import requester as requesters
from blockedge_node.core import turns
from blockedge_node.core.actions import AwaitBids, AwaitTurn, PublishBids, PublishRequest, SendAward
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.events import BidHeard, BidWindowClosed, RequestPublished, TurnCame
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.selection import score
from blockedge_node.core.task import Request
from blockedge_node.core.unit import Account, Standing
from blockedge_node.core.world import World
from tests.core.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    DOMAIN,
    START,
    award_heard,
    bid,
    bid_heard,
    request,
    request_heard,
    who,
    world,
)
from tests.core.story import Story, play

CROWD = 1_000
ASKED = request()
CHEAP = ASKED.max_price // 1_000  # below what anybody here asks


def among(me: bytes, crowd: int = CROWD, at: int = START, **policy: Any) -> World:
    return replace(world(me, at, **policy), crowd=crowd)  # type: ignore[arg-type]


def bidding(asked: Request = ASKED, crowd: int = CROWD) -> Bidder:
    bidder, _ = bidders.begin(request_heard(asked), among(BOB, crowd))
    assert bidder is not None
    return bidder


def came(asked: Request = ASKED, copy: int = 0) -> TurnCame:
    return TurnCame(task=asked.task(DOMAIN), copy=copy)


def better(asked: Request = ASKED, by: bytes = CAROL, **changes: Any) -> BidHeard:
    made = bid(asked, by, price=CHEAP, deposit=20 * CHEAP, **changes)  # type: ignore[arg-type]
    return bid_heard(made)


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 100_000), st.floats(0.05, 60), st.floats(0.001, 0.2), st.integers(0, 10**6))
def test_every_turn_leaves_the_bid_time_to_arrive(crowd: int, window: float, hop: float, price: int) -> None:
    here = among(BOB, crowd, bid_window=window, gossip_hop=hop)
    plan = turns.schedule(here)
    made = bid(ASKED, price=max(1, ASKED.max_price * price // 10**6))
    turn = plan.turn(ASKED, made)
    assert 0 <= turn <= max(0.0, window - turns.RETURN * plan.reach)
    assert turn + turns.RETURN * plan.reach <= plan.heard_all(score(ASKED, made).total) + 1e-9


def test_a_better_score_speaks_sooner_and_few_nodes_all_at_once() -> None:
    plan = turns.schedule(among(BOB))
    scores = range(0, 1_000_001, 50_000)
    latest = [plan.heard_all(points) for points in scores]
    assert latest == sorted(latest, reverse=True)
    assert latest[0] > latest[-1]
    for crowd in (0, 1, 5, turns.CALM):
        assert turns.schedule(among(BOB, crowd)).turn(ASKED, bid(ASKED)) == 0


def test_equal_bids_have_turns_of_their_own() -> None:
    plan = turns.schedule(among(BOB))
    waits = sorted(plan.turn(ASKED, bid(ASKED, who(f"node {i}"))) for i in range(CROWD))
    assert waits[10] < waits[0] + plan.spread / 2, "some speak early …"
    assert sum(wait < waits[0] + plan.reach for wait in waits) < 20, "… and not all at once"


# ── a bidder ─────────────────────────────────────────────────────────────────────────────────────────────


def test_in_a_crowd_a_bid_waits_for_its_turn() -> None:
    story = play(bidding(), BOB).then_wants(AwaitTurn)
    assert story.wanted(AwaitTurn).seconds == turns.schedule(among(BOB)).turn(
        ASKED, story.machine.bids[0].bid
    )
    story.gets(came()).then_wants(PublishBids).restarts().then_wants(PublishBids)


def test_a_few_bid_at_once() -> None:
    play(bidding(crowd=5), BOB).then_wants(PublishBids)


def test_who_has_heard_a_better_bid_is_silent_and_says_why() -> None:
    story = play(bidding(), BOB).gets(better()).gets(came()).then_rests().then_tells("bid.silent")
    assert bidders.exposure(story.machine, story.world) == (0, 0), "a bid that nobody has binds nobody"
    story.then_lives().at(136).then_lives().at(137).then_is_over()


def test_a_worse_bid_silences_nobody() -> None:
    worse = bid_heard(bid(ASKED, CAROL, price=ASKED.max_price, deposit=20 * ASKED.max_price))
    play(bidding(), BOB).gets(worse).gets(came()).then_wants(PublishBids)


@pytest.mark.parametrize(
    "lie",
    [
        replace(better(), standing=Standing()),  # nothing in escrow
        better(rep=900_000),  # a reputation that the chain does not show
        replace(
            better(), standing=Standing(account=Account(free=10**20, exit_at=START + 1, exit_amount=10**20))
        ),
        bid_heard(bid(ASKED, CAROL, price=CHEAP, deposit=CHEAP)),  # too small a deposit
        better(expiry=START - 1),
        better(by=ALICE),  # the requester's own
        bid_heard(bid(request(nonce=7), CAROL, price=CHEAP, deposit=20 * CHEAP)),  # for another task
    ],
)
def test_a_lie_silences_nobody(lie: BidHeard) -> None:
    play(bidding(), BOB).gets(lie).gets(came()).then_wants(PublishBids)


def test_each_shard_is_silenced_for_itself() -> None:
    asked = request(shards=3)
    story = play(bidding(asked), BOB).gets(better(asked, shard=1)).gets(came(asked)).then_wants(PublishBids)
    assert {made.shard for made in story.wanted(PublishBids).bids} == {0, 2}
    story.then_tells("bid.silent")


def test_who_asks_again_hears_those_that_were_silent() -> None:
    """Its eight best may be none that it can take; then it takes more than eight to silence the next."""
    story = play(bidding(), BOB).gets(better()).gets(came()).then_rests()
    story.at(5).gets(request_heard(ASKED))
    copy = story.wanted(AwaitTurn).copy
    story.gets(came(copy=copy)).then_wants(PublishBids)
    assert bidders.exposure(story.machine, story.world)[1] == 1


def test_eight_better_bids_silence_the_second_time() -> None:
    story = play(bidding(), BOB)
    for i in range(8):
        story.gets(better(by=who(f"rival {i}")))
    story.gets(came()).at(5).gets(request_heard(ASKED))
    story.gets(came(copy=story.wanted(AwaitTurn).copy)).then_rests()


def test_a_request_that_somebody_repeats_early_breaks_no_silence() -> None:
    story = play(bidding(), BOB).gets(better()).gets(came()).at(4).gets(request_heard(ASKED))
    story.gets(came(copy=story.wanted(AwaitTurn).copy)).then_rests()


def test_a_silent_bid_is_not_said_later_where_its_deposit_is_promised_elsewhere() -> None:
    silent = play(bidding(), BOB).gets(better()).gets(came()).at(5).gets(request_heard(ASKED)).machine
    full = replace(among(BOB, at=START + 5), units=world(BOB).policy.max_units)
    after, _ = bidders.step(silent, came(copy=silent.copies), full)
    assert [mine.said for mine in after.bids] == [False]


def test_an_award_of_a_bid_that_was_not_said_is_refused() -> None:
    """Only its fields could have been guessed: nobody has its signature."""
    bidder, _ = bidders.step(bidding(), better(), among(BOB))
    bidder, _ = bidders.step(bidder, came(), among(BOB))
    bidder, worker, notes = bidders.answer(bidder, award_heard(ASKED, bidder.bids[0].bid), 0, among(BOB))
    assert worker is None
    assert notes[0].code == "award.refused.no_such_bid"


def test_a_node_brings_turns_and_rivals_to_its_bidder() -> None:
    here = among(BOB)
    node = core.step(core.Node(), request_heard(ASKED), here).node
    assert [type(action) for action in core.due(node, here)] == [AwaitTurn]
    node = core.step(node, better(), here).node
    stepped = core.step(node, came(), here)
    assert core.due(stepped.node, here) == ()
    assert [note.code for note in stepped.notes] == ["bid.silent"]


# ── its requester ────────────────────────────────────────────────────────────────────────────────────────

TASK = ASKED.task(DOMAIN)


def asking(**policy: Any) -> Story:
    machine = requesters.begin(keccak256(b"job"), ASKED, TASK, (0,))
    return play(machine, ALICE, **{"close_early": True, **policy}).gets(RequestPublished(task=TASK, at=0.0))


def looked(story: Story) -> Story:
    wait = story.wanted(AwaitBids)
    return story.gets(BidWindowClosed(task=TASK, shard=0, round=0, look=wait.look))


def bid_of(price: int, by: bytes = BOB) -> BidHeard:
    return bid_heard(bid(ASKED, by, price=price, deposit=20 * price))  # type: ignore[arg-type]


def test_among_few_the_window_closes_as_soon_as_all_can_have_answered() -> None:
    story = asking()
    assert story.wanted(AwaitBids).seconds == pytest.approx(3 * 0.015)
    looked(story.gets(bid_of(CHEAP))).then_wants(SendAward)


def test_without_a_bid_the_window_lasts_to_its_end() -> None:
    story, waited = asking(), 0.0
    while not story.machine.shards[0].chosen:
        waited += story.wanted(AwaitBids).seconds
        looked(story)
    assert waited == pytest.approx(1.0, abs=0.01)
    story.gets(bid_of(CHEAP))
    assert story.machine.shards[0].placed is not None, "a late bid is taken at once"


def test_the_whole_window_is_waited_where_the_policy_says_so() -> None:
    story = asking(close_early=False).gets(bid_of(CHEAP))
    assert story.wanted(AwaitBids).seconds == 1.0
    assert looked(story).machine.shards[0].placed is not None


def test_bids_that_come_meanwhile_do_not_move_the_look() -> None:
    story = asking()
    before = story.wanted(AwaitBids)
    assert story.gets(bid_of(CHEAP)).gets(bid_of(CHEAP // 2, DAVE)).wanted(AwaitBids) == before


def test_in_a_crowd_a_better_best_bid_ends_the_window_sooner() -> None:
    def whole(price: int) -> float:
        here = among(ALICE, close_early=True)
        best = score(ASKED, bid_of(price).bid).total
        first = turns.until_next_look(0.0, None, here)
        return first + turns.until_next_look(first, best, here)

    assert whole(CHEAP) < whole(ASKED.max_price) <= 1.0 + 1e-9


@given(st.integers(0, 5_000), st.integers(0, 10**6), st.booleans())
def test_looks_end_within_the_window(crowd: int, points: int, bids: bool) -> None:
    here, waited, looks = among(ALICE, crowd, close_early=True), 0.0, 0
    while left := turns.until_next_look(waited, points if bids else None, here):
        waited, looks = waited + left, looks + 1
    assert waited <= here.policy.bid_window
    assert looks < 100
    if bids:
        best = min(turns.schedule(here).heard_all(points + here.policy.close_gain), here.policy.bid_window)
        assert waited == pytest.approx(max(best, min(turns.schedule(here).heard_all(10**6), 1.0)), abs=0.002)


def test_bids_that_cannot_win_do_not_end_the_window() -> None:
    machine = requesters.begin(keccak256(b"job"), ASKED, TASK, (0,), avoid=(BOB,))
    story = play(machine, ALICE, close_early=True).gets(RequestPublished(task=TASK, at=0.0))
    looked(story.gets(bid_of(CHEAP)))
    assert not story.machine.shards[0].chosen


def test_a_task_of_several_shards_waits_for_as_many_workers_as_it_is_spread_over() -> None:
    asked = request(shards=2)
    task = asked.task(DOMAIN)
    machine = requesters.begin(keccak256(b"job"), asked, task, (0, 1))
    story = play(machine, ALICE, close_early=True, spread=2).gets(RequestPublished(task=task, at=0.0))

    def looks() -> list[bool]:
        for wait in [action for action in story.due if isinstance(action, AwaitBids)]:
            story.gets(BidWindowClosed(task=task, shard=wait.shard, round=0, look=wait.look))
        return [shard.chosen for shard in story.machine.shards]

    for shard in (0, 1):
        story.gets(bid_heard(bid(asked, BOB, shard=shard, price=CHEAP, deposit=20 * CHEAP)))
    assert looks() == [False, False], "one worker would get both"
    story.gets(bid_heard(bid(asked, CAROL, shard=1, price=2 * CHEAP, deposit=40 * CHEAP)))
    assert looks() == [True, True]
    assert [shard.placed.bid.worker for shard in story.machine.shards] == [BOB, CAROL]


def test_a_request_with_a_bid_that_may_win_is_not_said_again() -> None:
    asking(close_early=False).gets(bid_of(CHEAP)).at(5).then_wants(AwaitBids)
    asking(close_early=False).at(5).then_wants(PublishRequest, AwaitBids)
