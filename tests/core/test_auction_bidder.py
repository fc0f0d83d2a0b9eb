"""A bidder in auctions on the chain: what it posts, when it stays silent, and the reason it gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.core import auction_bidder as bidders
from blockedge_node.core import node as core
from blockedge_node.core.actions import CloseAuction, CommitResult, FetchInput, PostBid, Solve, TimeOut
from blockedge_node.core.auction import AuctionView, bid_of, outranks
from blockedge_node.core.auction_bidder import AuctionBidder
from blockedge_node.core.events import Event, InputFetched, InputRefused
from blockedge_node.core.ids import Digest
from blockedge_node.core.selection import rank_key
from blockedge_node.core.world import World
from tests.core.auctions import PRICE, Party, announced, auction, closed, posted, seen
from tests.core.builders import BOB, CAROL, DEV, START, request_heard, solved, world
from tests.core.builders import award_heard as any_award
from tests.core.builders import bid as any_bid

ASKED = announced()
OPEN = auction(ASKED)
HERE = InputFetched(unit=OPEN.unit, award=Digest(OPEN.unit))


class Bob(Party):
    """Bob's node, event by event."""

    def __init__(self, **policy: Any) -> None:
        super().__init__(BOB, **policy)

    @property
    def world(self) -> World:
        return core.loaded(self.node, self.here)


# ── a bid, and none ──────────────────────────────────────────────────────────────────────────────────────


def test_the_input_comes_first_then_one_bid() -> None:
    bob = Bob().sees(START, seen(START, OPEN))
    assert bob.wants(PostBid) == []
    (fetch,) = bob.wants(FetchInput)
    assert fetch.unit == OPEN.unit
    (post,) = bob.sees(START, HERE).wants(PostBid)
    assert (post.bid.worker, post.bid.expiry) == (BOB, ASKED.expiry)
    assert bob.codes() == ["bid.made"]


def test_what_gossip_tells_is_fetched_before_the_announcement() -> None:
    bob = Bob().sees(START - 1, request_heard(ASKED))
    assert [action.unit for action in bob.wants(FetchInput)] == [OPEN.unit]
    assert bob.sees(START, HERE, seen(START, OPEN)).wants(PostBid)


def test_a_request_that_is_never_announced_is_forgotten() -> None:
    bob = Bob().sees(START, request_heard(ASKED)).sees(START + 61, seen(START + 61), seen(START + 61))
    assert bob.node.machines == {}


@pytest.mark.parametrize(
    ("code", "view", "policy"),
    [
        ("paused", OPEN, {"worker": False}),
        ("kind", OPEN, {"kinds": frozenset({2})}),
        ("price", OPEN, {"price_floor": ASKED.max_price}),
        ("capacity", OPEN, {"max_exposure": 1}),
        ("capacity", OPEN, {"max_units": 0}),
        ("delay", OPEN, {"delay_floor": 61}),
        ("expiry", auction(announced(expiry=START + 4)), {}),
        ("program", replace(OPEN, objection="too large"), {}),
        ("outranked", auction(ASKED, posted(CAROL, price=1)), {}),
    ],
)
def test_an_auction_that_is_not_bid_in_has_a_reason(
    code: str, view: AuctionView, policy: dict[str, Any]
) -> None:
    bob = Bob(**policy).sees(START, seen(START, view), seen(START, view))
    assert bob.codes() == [f"bid.none.{code}"], "said once"
    assert bob.wants(PostBid) == []


def test_what_cannot_be_run_here_is_not_bid_for() -> None:
    bob = Bob().sees(START, seen(START, OPEN))
    bob.sees(
        START, InputRefused(unit=OPEN.unit, award=Digest(OPEN.unit), reason="not a module", code="program")
    )
    assert bob.codes() == ["bid.made", "bid.none.program"]
    assert bob.wants(PostBid) == bob.wants(FetchInput) == []


def test_no_bid_is_posted_that_could_land_too_late() -> None:
    """CONF blocks behind, what counts is the newest: its next block must still take bids."""
    assert Bob().sees(START, seen(START, OPEN, ahead=1), HERE).wants(PostBid) == []


@given(
    st.lists(st.tuples(st.integers(1, 10 * PRICE), st.integers(1, 60), st.integers(0, 10**6)), max_size=4),
    st.integers(1, 5 * PRICE),
)
def test_it_bids_exactly_if_the_contract_would_take_it(
    others: list[tuple[int, int, int]], floor: int
) -> None:
    """Never against a better bid; always against none or a worse one (selection's order is the contract's)."""
    bids = [posted(CAROL, price=price, delay=delay, rep=rep) for price, delay, rep in others]
    best = max(bids, key=lambda b: rank_key(ASKED, bid_of(OPEN, b)), default=None)
    view = auction(ASKED, *([best] if best else []))
    bob = Bob(price_floor=floor, price_per_gfuel=0).sees(START, seen(START, view), HERE)
    mine = any_bid(ASKED, price=floor, deposit=20 * floor, rep=140_000, expiry=ASKED.expiry)
    assert bool(bob.wants(PostBid)) is outranks(view, mine)


# ── what it has at stake ─────────────────────────────────────────────────────────────────────────────────


def test_a_deposit_is_exposure_until_it_is_locked_and_then_counts_as_staked() -> None:
    bob = Bob().sees(START, seen(START, OPEN), HERE)
    (post,) = bob.wants(PostBid)
    deposit = post.bid.deposit
    assert (bob.world.exposure, bob.world.staked, bob.world.units) == (deposit, 0, 1)
    mine = posted(BOB, price=post.bid.price)
    bob.sees(START + 1, seen(START + 1, auction(ASKED, mine)))
    assert (bob.world.exposure, bob.world.staked) == (0, deposit), (
        "won: the Worker's, until its unit is there"
    )
    bob.sees(START + 2, seen(START + 2, units=(closed(auction(ASKED, mine), START + 2),)))
    assert (bob.world.exposure, bob.world.staked) == (0, 0)


def test_who_is_outbid_is_told_by_whom_and_has_nothing_at_stake() -> None:
    long = replace(OPEN, closes_at=9)
    bob = Bob().sees(START, seen(START, long), HERE)
    better = replace(long, bids=(posted(CAROL, price=1),), count=1)
    bob.sees(START + 1, seen(START + 1, better), seen(START + 1, better))
    assert bob.codes() == ["bid.made", "bid.outbid"]
    assert (bob.world.exposure, bob.world.staked, bob.wants(PostBid)) == (0, 0, [])
    bob.sees(START + 9, seen(START + 9, better))
    assert bob.codes()[-1] == "bid.lost"


@pytest.mark.parametrize(("events", "code"), [((HERE,), "bid.late.block"), ((), "bid.late.input")])
def test_a_bid_that_got_into_no_block_says_why(events: tuple[Event, ...], code: str) -> None:
    bob = Bob().sees(START, seen(START, OPEN), *events).sees(START + 1, seen(START + 1, OPEN))
    assert bob.codes()[-1] == code
    bob.sees(START + 2, seen(START + 2, OPEN))
    assert bob.node.machines == {}


# ── a winner ─────────────────────────────────────────────────────────────────────────────────────────────

WON = auction(ASKED, posted(BOB))


def test_a_winner_closes_works_and_commits() -> None:
    bob = Bob().sees(START + 1, seen(START + 1, WON))
    assert "auction.mine" in bob.codes()
    assert bob.wants(CloseAuction) == [], "what the chain remembers better than I do, I have no input for"
    (fetch,) = bob.wants(FetchInput)
    bob.sees(START + 1, InputFetched(unit=OPEN.unit, award=fetch.award))
    assert len(bob.wants(CloseAuction)) == 1
    (solve,) = bob.wants(Solve)
    done = replace(solved(any_award(ASKED, any_bid(ASKED))), unit=solve.unit, award=solve.award)
    bob.sees(START + 2, done)
    assert bob.wants(CommitResult) == []
    unit = closed(WON, START + 2)
    bob.sees(START + 2, seen(START + 2, units=(unit,)))
    (commit,) = bob.wants(CommitResult)
    assert commit.target == unit.on_chain
    assert bob.wants(CloseAuction) == []


def test_other_terms_take_another_salt() -> None:
    bob = Bob().sees(START + 1, seen(START + 1, WON))
    bob.sees(START + 2, seen(START + 2, auction(ASKED, posted(BOB, price=PRICE - 1))))
    workers = [machine for machine in bob.node.machines.values() if isinstance(machine, core.Worker)]
    assert len({worker.award for worker in workers}) == 2


def test_a_winner_that_cannot_work_takes_its_deposit_back_itself() -> None:
    bob = Bob().sees(START + 1, seen(START + 1, WON))
    (fetch,) = bob.wants(FetchInput)
    bob.sees(START + 1, InputRefused(unit=OPEN.unit, award=fetch.award, reason="no", code="input"))
    assert bob.wants(CloseAuction) == [], "it would start a clock that I cannot meet"
    late = ASKED.expiry + 1
    assert bob.sees(late, seen(late, WON)).wants(CloseAuction), "then it lapses"


def test_a_unit_of_mine_that_nobody_ends_is_ended() -> None:
    unit = closed(WON, START + 2)
    last = START + 2 + unit.terms.delay + DEV.grace
    bob = Bob().sees(last + DEV.grace, seen(last + DEV.grace, units=(unit,)))
    assert bob.wants(TimeOut) == []
    bob.sees(last + DEV.grace + 1, seen(last + DEV.grace + 1, units=(unit,)))
    assert [action.target for action in bob.wants(TimeOut)] == [unit.on_chain]


def test_a_lapsed_or_closed_auction_leaves_no_machine() -> None:
    bob = Bob().sees(START, seen(START, OPEN), HERE).sees(START + 1, seen(START + 1, WON))
    late = ASKED.expiry + 1
    bob.sees(late, seen(late, replace(WON, lapsed=True)), seen(late, replace(WON, lapsed=True)))
    assert bob.node.machines == {}


def test_nothing_that_is_not_its_task_s_moves_it() -> None:
    state, _ = bidders.begin((OPEN,), 1, world(BOB))
    assert isinstance(state, AuctionBidder)
    other = auction(announced(nonce=9))
    assert bidders.step(state, InputFetched(unit=other.unit, award=Digest(other.unit)), world(BOB)) == (
        state,
        (),
    )
