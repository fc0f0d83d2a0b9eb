"""What is bid for, at which price and delay, and which awards get an Ack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from blockedge_node.core import bidder as bidders
from blockedge_node.core.actions import PublishBids, RefuseAward
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.events import AwardHeard, RefusalSent
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Digest, Hash
from blockedge_node.core.selection import why_ineligible
from blockedge_node.core.task import Bid, Kind, Request
from blockedge_node.core.unit import Account, Reputation, Standing
from blockedge_node.core.world import World
from tests.core.builders import (
    BOB,
    CAROL,
    DEV,
    ETHER,
    RICH,
    START,
    assigned,
    award_heard,
    request,
    request_heard,
    world,
)
from tests.core.checked import COURT, before_court
from tests.core.story import play


def bids(asked: Request, here: World, standing: Standing = RICH) -> tuple[Bid, ...]:
    bidder, _ = bidders.begin(request_heard(asked, standing), here)
    return tuple(mine.bid for mine in bidder.bids) if bidder else ()


def bidding(asked: Request) -> Bidder:
    bidder, _ = bidders.begin(request_heard(asked), world(BOB))
    assert bidder is not None
    return bidder


def test_every_bid_is_one_that_the_contract_accepts() -> None:
    asked = request(shards=8)
    made = bids(asked, world(BOB))
    assert len(made) == 8
    for bid in made:
        assert why_ineligible(asked, bid, DEV, at=START) is None
        assert bid.expiry >= START + bid.delay + DEV.grace


def test_bids_begin_at_a_shard_that_differs_from_worker_to_worker() -> None:
    asked = request(shards=64)
    first = {bids(asked, world(me))[0].shard for me in (BOB, CAROL)}
    assert len(first) == 2


def test_each_next_bid_promises_the_delay_that_its_own_queue_adds() -> None:
    asked = request(shards=4, fuel=5 * 10**9)  # 10 s a run, and half of it as margin
    assert [bid.delay for bid in bids(asked, world(BOB))] == [15, 30, 45, 60]
    assert [bid.delay for bid in bids(asked, world(BOB, slots=2))] == [15, 15, 30, 30]
    assert len(bids(replace(asked, max_delay=40), world(BOB))) == 2


def test_bids_stop_where_the_deposits_do() -> None:
    asked = request(shards=8)
    deposit = bids(asked, world(BOB))[0].deposit
    here = world(BOB)
    poor = replace(here, standing=Standing(account=Account(free=3 * deposit + 1)))
    assert len(bids(asked, poor)) == 3
    assert len(bids(asked, replace(here, exposure=100 * ETHER - 2 * deposit))) == 2
    assert len(bids(asked, world(BOB, max_exposure=deposit))) == 1
    assert len(bids(asked, replace(here, units=10))) == 6


def test_an_exiting_balance_covers_no_bid_beyond_its_maturity() -> None:
    leaving = Standing(account=Account(free=ETHER, exit_at=START + 100, exit_amount=ETHER))
    here = replace(world(BOB), standing=leaving)
    assert bids(request(), here) == ()
    assert len(bids(request(expiry=START + 90), here)) == 1


def is_code(code: str, asked: Request, here: World, standing: Standing = RICH) -> bool:
    bidder, notes = bidders.begin(request_heard(asked, standing), here)
    return bidder is None and [note.code for note in notes] == [f"bid.none.{code}"]


@pytest.mark.parametrize(
    ("code", "changes", "policy"),
    [
        ("paused", {}, {"paused": True}),
        ("paused", {}, {"worker": False}),
        ("gas", {}, {"gas_short": True}),
        ("executor", {}, {"unfit": True}),
        ("kind", {}, {"kinds": frozenset({2})}),
        ("request", {"w_price": 1}, {}),
        ("request", {"fuel": DEV.fuel_cap + 1}, {}),
        ("request", {"kind": Kind.WASM, "spot_bps": 1000}, {}),
        ("mode", {"acl": Hash(keccak256(b"list"))}, {}),
        ("price", {"max_price": 10**13}, {}),
        ("deposit", {"kind": Kind.WASM, "min_deposit": 10 * DEV.seat + 1}, {}),
        ("reputation", {"rep_min": 200_000}, {}),
        ("reputation", {"rep_max": 100_000}, {}),
        ("delay", {"max_delay": 9}, {}),
        ("delay", {"expiry": START + 12}, {}),
        ("capacity", {"min_deposit": 101 * ETHER}, {}),
        ("capacity", {}, {"max_units": 0}),
    ],
)
def test_a_request_that_is_not_bid_for_has_a_reason(
    code: str, changes: dict[str, Any], policy: dict[str, Any]
) -> None:
    assert is_code(code, request(**changes), world(BOB, **policy))


def test_a_court_kind_is_bid_for_before_enough_jurors_and_with_its_check_fee_at_stake() -> None:
    asked = request(kind=Kind.WASM, spot_bps=1_000, check_fee=10**13)
    here = before_court(BOB, min_ticket_owners=3, engines=frozenset({"any"}))
    bidder, _ = bidders.begin(request_heard(asked), here)
    assert bidder is not None
    assert bidder.bids[0].bid.deposit == 20 * max(bidder.bids[0].bid.price, asked.check_fee)
    dear = replace(asked, check_fee=COURT.seat // 10)
    bidder, _ = bidders.begin(request_heard(dear), here)
    assert bidder is not None
    assert bidder.bids[0].bid.deposit == 2 * COURT.seat
    few = before_court(BOB, min_ticket_owners=4)
    assert is_code("ticket_owners", asked, few)


def test_an_award_commits_to_secrets_iff_its_kind_is_checked() -> None:
    for asked, here, right in (
        (request(), world(BOB), ZERO_HASH),
        (
            request(kind=Kind.WASM, spot_bps=1_000, check_fee=10**13),
            before_court(BOB, min_ticket_owners=3),
            Hash(b"d" * 32),
        ),
    ):
        for given in (ZERO_HASH, Hash(b"d" * 32)):
            bidder, _ = bidders.begin(request_heard(asked), here)
            assert bidder is not None
            heard = award_heard(asked, bidder.bids[0].bid, draw_commit=given)
            _, worker, _ = bidders.answer(bidder, heard, 0, here)
            assert (worker is not None) == (given == right)


def test_no_bid_on_an_old_head_or_for_a_requester_that_cannot_pay() -> None:
    assert is_code("stale_head", request(), replace(world(BOB), head_age=5.1))
    assert is_code("requester_balance", request(), world(BOB), Standing())


def test_a_program_that_would_be_refused_is_not_bid_for() -> None:
    heard = replace(request_heard(request()), objection="its program needs 512 MiB")
    bidder, (story,) = bidders.begin(heard, world(BOB))
    assert bidder is None
    assert (story.code, dict(story.fields)) == ("bid.none.program", {"detail": "its program needs 512 MiB"})


def test_bids_are_published_while_somebody_may_choose() -> None:
    story = play(bidding(request(shards=3)), BOB)
    story.then_wants(PublishBids).at(30).then_wants(PublishBids).at(31).then_rests().then_lives()
    story.restarts().then_lives().at(300).then_is_over()


def test_a_lost_bid_is_told_and_no_longer_live() -> None:
    asked = request()
    bidder = bidding(asked)
    view = assigned(award_heard(asked, replace(bidder.bids[0].bid, worker=CAROL)), START + 1)
    story = play(bidder, BOB).sees(view).then_tells("bid.lost").then_is_over()
    assert bidders.exposure(story.machine, story.world) == (0, 0)


def refusal(change: Callable[[AwardHeard], AwardHeard] = lambda heard: heard, at: int = START) -> str:
    """Why Bob refuses an award of his bid, changed so; empty if he accepts it."""
    asked = request()
    bidder = bidding(asked)
    heard = change(award_heard(asked, bidder.bids[0].bid))
    bidder, worker, _ = bidders.answer(bidder, heard, 0, world(BOB, at))
    refused = [a.reason for a in bidders.due(bidder, world(BOB, at)) if isinstance(a, RefuseAward)]
    assert bool(worker) != bool(refused)
    return refused[0] if refused else ""


def with_award(heard: AwardHeard, **changes: Any) -> AwardHeard:
    award = replace(heard.signed.award, **changes)
    return replace(heard, signed=replace(heard.signed, award=award))


def test_an_award_of_my_own_bid_is_accepted() -> None:
    assert refusal() == ""


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("no_such_bid", {"bid": Digest(keccak256(b"another"))}),
        ("no_such_bid", {"shard": 1}),
        ("not_before", {"not_before": START + 5}),
        ("not_before", {"not_before": START - 5}),
        ("register_by", {"register_by": START}),
        ("register_by", {"register_by": START + DEV.max_award + 1}),
        ("draw_commit", {"draw_commit": Hash(keccak256(b"secret"))}),
    ],
)
def test_an_award_that_could_not_be_registered_is_refused(reason: str, changes: dict[str, Any]) -> None:
    assert refusal(lambda heard: with_award(heard, **changes)) == reason


def test_an_award_by_a_requester_that_cannot_pay_is_refused() -> None:
    assert refusal(lambda heard: replace(heard, standing=Standing())) == "requester_balance"


def test_an_award_of_somebody_elses_bid_is_refused() -> None:
    def other(heard: AwardHeard) -> AwardHeard:
        return replace(heard, signed=replace(heard.signed, bid=replace(heard.signed.bid, price=1)))

    assert refusal(other) == "no_such_bid"


def test_a_bid_is_good_for_one_award_only() -> None:
    asked = request()
    bidder = bidding(asked)
    first = award_heard(asked, bidder.bids[0].bid)
    bidder, worker, _ = bidders.answer(bidder, first, 0, world(BOB))
    assert worker is not None
    second = with_award(first, not_before=START + 1)
    bidder, worker, _ = bidders.answer(bidder, replace(second, digest=Digest(b"2" * 32)), 0, world(BOB))
    assert worker is None
    assert bidder.refusing == ((Digest(b"2" * 32), "taken"),)


def test_a_refusal_is_sent_once_for_each_time_it_is_asked() -> None:
    asked = request()
    heard = replace(award_heard(asked, bidding(asked).bids[0].bid), standing=Standing())
    bidder, _, _ = bidders.answer(bidding(asked), heard, 0, world(BOB))
    story = play(bidder, BOB).then_wants(PublishBids, RefuseAward)
    story.gets(RefusalSent(award=heard.digest)).then_wants(PublishBids)


def test_a_price_grows_with_fuel_and_a_deposit_with_the_price() -> None:
    (small,) = bids(request(fuel=0), world(BOB))
    (large,) = bids(request(fuel=2 * 10**9), world(BOB))
    assert (small.price, large.price) == (10**13, 10**13 + 2 * 10**14)
    assert (small.deposit, large.deposit) == (20 * small.price, 20 * large.price)
    assert small.rep == Reputation().score


def test_bids_are_said_again_when_their_request_is() -> None:
    """Whoever asks again has not got them: the same bids, so that no deposit is promised twice."""
    asked = request()
    story = play(bidding(asked), BOB)
    first = story.wanted(PublishBids)
    story.at(60).then_rests()
    again = story.gets(request_heard(asked)).wanted(PublishBids)
    assert again.bids == first.bids
    assert again != first, "else the engine would take it for done"


def test_a_request_heard_again_gets_bids_for_further_shards_where_there_is_room_now() -> None:
    """A small node bids for two shards, loses one, and bids for a third when somebody still asks."""
    asked = request(shards=4)
    small = replace(world(BOB), policy=replace(world(BOB).policy, max_units=2))
    bidder, _ = bidders.begin(request_heard(asked), small)
    assert bidder is not None
    assert len(bidder.bids) == 2

    full = replace(small, units=2)
    assert bidders.step(bidder, request_heard(asked), full)[0].bids == bidder.bids

    bidder, _ = bidders.step(bidder, request_heard(asked), replace(small, units=1))
    assert len({mine.bid.shard for mine in bidder.bids}) == 3
    lost = replace(bidder, bids=tuple(replace(mine, lost=True) for mine in bidder.bids))
    assert not bidders.finished(lost, small), "it remembers what it need not bid for again"
    assert bidders.finished(lost, world(BOB, asked.expiry + 1))
    asks_too_much = replace(request_heard(asked), objection="its program needs 512 MiB")
    assert bidders.step(bidder, asks_too_much, small)[0].bids == bidder.bids
