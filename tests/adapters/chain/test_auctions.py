"""Auctions from records: confirmed ones, what newer blocks add, and what reorgs take back."""

from __future__ import annotations

from blockedge_node.chain.auctions import AuctionBook
from blockedge_node.chain.book import HORIZON, SHOWN
from blockedge_node.chain.events import Announced, Awarded, BidPosted, Lapsed
from blockedge_node.core.auction import KEPT, AuctionView, terms_won
from blockedge_node.core.ids import ZERO_ADDRESS
from blockedge_node.core.job import MAX_SHARDS
from tests.core.auctions import announced, auction
from tests.core.builders import ALICE, BOB, CAROL, DEV, DOMAIN, START

ASKED = announced(shards=2)
TASK = ASKED.task(DOMAIN)
UNIT, OTHER = auction(ASKED).unit, auction(ASKED, shard=1).unit
OPENED = Announced(TASK, ALICE, ASKED, 6, ())


def bid(price: int, by: bytes = BOB) -> BidPosted:
    return BidPosted(UNIT, by, price, 20 * price, 10, 140_000, 500_000)  # type: ignore[arg-type]


def shown(book: AuctionBook, head: int = 6, **options: object) -> dict[bytes, AuctionView]:
    return {view.unit: view for view in book.views(head, **options)}  # type: ignore[arg-type]


def test_an_announcement_opens_every_shard_and_the_last_bid_is_the_best() -> None:
    book = AuctionBook()
    book.apply(OPENED, 5, START)
    assert set(shown(book)) == {UNIT, OTHER}
    book.apply(bid(9), 6, START + 1)
    book.apply(bid(8, CAROL), 6, START + 1)
    best = shown(book)[UNIT].best
    assert best is not None
    assert (best.worker, best.price, shown(book)[UNIT].count) == (CAROL, 8, 2)
    assert shown(book)[OTHER].best is None


def test_only_so_many_bids_are_kept_and_all_are_counted() -> None:
    book = AuctionBook()
    book.apply(OPENED, 5, START)
    for price in range(100, 80, -1):
        book.apply(bid(price), 6, START)
    assert (len(shown(book)[UNIT].bids), shown(book)[UNIT].count) == (KEPT, 20)


def test_newer_blocks_add_announcements_and_bids_but_end_nothing() -> None:
    """An auction is shown until its unit can be: there is never neither."""
    book = AuctionBook()
    book.apply(OPENED, 5, START)
    terms = terms_won(auction(ASKED, shard=0, bids=()), DEV)
    assert terms is None
    ahead = [(bid(9), 6, START + 1), (Lapsed(OTHER, ZERO_ADDRESS, 0), 7, START + 2)]
    seen = shown(book, 5, ahead=ahead)
    assert seen[UNIT].count == 1
    assert not seen[OTHER].lapsed
    assert shown(book, 5)[UNIT].count == 0, "the book itself keeps to what is confirmed"


def test_a_unit_takes_its_auction_s_place_and_a_reorg_gives_it_back() -> None:
    book = AuctionBook()
    book.apply(OPENED, 5, START)
    book.apply(bid(9), 6, START + 1)
    terms = terms_won(shown(book)[UNIT], DEV)
    assert terms is not None
    book.apply(Awarded(UNIT, ALICE, BOB, terms, START + 2), 7, START + 2)
    assert set(shown(book, 7)) == {OTHER}
    book.drop_above(6)
    assert shown(book)[UNIT].count == 1
    book.drop_above(5)
    assert shown(book)[UNIT].count == 0
    book.drop_above(4)
    assert shown(book) == {}


def test_a_lapsed_auction_is_shown_for_a_while_or_as_long_as_it_is_minded() -> None:
    book = AuctionBook()
    book.apply(OPENED, 5, START)
    book.apply(Lapsed(UNIT, ZERO_ADDRESS, 0), 7, START + 2)
    assert shown(book, 7)[UNIT].lapsed
    late = 7 + SHOWN
    assert UNIT not in shown(book, late)
    assert UNIT in shown(book, late, keep={UNIT})
    book.retire(7 + HORIZON, {UNIT})
    assert book.get(UNIT) is not None
    book.retire(7 + HORIZON)
    assert book.get(UNIT) is None


def test_an_auction_that_nobody_closes_is_minded_by_its_parties_alone() -> None:
    book = AuctionBook()
    book.apply(OPENED, 5, START)
    assert set(shown(book, 5 + SHOWN)) == {UNIT, OTHER}
    assert set(shown(book, 6 + SHOWN, keep={OTHER})) == {OTHER}
    book.retire(6 + HORIZON, {OTHER})
    assert (book.get(UNIT), book.get(OTHER) is None) == (None, False)
    book.apply(Lapsed(OTHER, ZERO_ADDRESS, 0), 7 + HORIZON, START)
    assert shown(book, 7 + HORIZON)[OTHER].lapsed


def test_an_announcement_of_more_shards_than_anybody_works_on_opens_nothing() -> None:
    book = AuctionBook()
    for shards in (MAX_SHARDS + 1, 65_535):
        vast = announced(shards=shards)
        book.apply(Announced(vast.task(DOMAIN), ALICE, vast, 6, ()), 5, START)
    assert shown(book) == {}
