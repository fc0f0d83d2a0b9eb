"""The fold of events into views, without a chain: reorgs undone, words per phase, bounded memory."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.chain.book import HORIZON, NO_SLOT, SHOWN, UnitBook, closed
from blockedge_node.chain.events import (
    Awarded,
    Committed,
    Record,
    ReportClosed,
    Reported,
    ReportRevealed,
    Requested,
    Revealed,
    Settled,
    Skipped,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Root, TaskId
from blockedge_node.core.task import Request, Result
from blockedge_node.core.unit import Phase, Terms

WHO = [Address(bytes([i]) * 20) for i in range(3)]
RESULT = Result(exit=0, output_root=Root(keccak256(b"out")))
REQUEST = Request(
    requester=WHO[0],
    nonce=0,
    kind=1,
    shards=8,
    input_root=Root(ZERO_HASH),
    fuel=1,
    max_price=1,
    min_deposit=1,
    max_delay=1,
    w_price=10_000,
    w_delay=0,
    w_rep=0,
    expiry=1,
)


def terms(shard: int) -> Terms:
    return Terms(
        task=TaskId(keccak256(b"task")),
        shard=shard,
        kind=1,
        mode=0,
        spot_bps=0,
        requester=WHO[0],
        worker=WHO[1],
        price=1,
        deposit=20,
        check_fee=0,
        delay=9,
        vwin=5,
    )


def life(shard: int) -> list[Record]:
    """All records of a unit that is reported and slashed, in order."""
    unit = terms(shard).unit
    return [
        Requested(terms(shard).task, REQUEST),
        Awarded(unit, WHO[0], WHO[1], terms(shard), 7),
        Committed(unit, keccak256(b"c")),
        Revealed(unit, RESULT.hash(), keccak256(b"g"), 2, RESULT, b"out"),
        Reported(unit, 1, WHO[2], keccak256(b"r")),
        ReportRevealed(unit, 1, keccak256(b"e"), 2, b"e"),
        Settled(unit, Phase.SLASHED, 0, 20),
        ReportClosed(unit, 1, 1),
    ]


def fill(book: UnitBook, records: list[Record], first_block: int = 1) -> None:
    for i, record in enumerate(records):
        book.apply(record, first_block + i, 1_000 + first_block + i)


def test_data_words_follow_the_phase() -> None:
    book, records = UnitBook(), life(0)
    unit = terms(0).unit
    seen = []
    for i, record in enumerate(records):
        book.apply(record, i, 100 + i)
        view = book.get(unit)
        seen.append(view and (view.phase, view.since, view.data))
    number = lambda n: n.to_bytes(32, "big")  # noqa: E731
    z = ZERO_HASH
    revealed = (RESULT.hash(), keccak256(b"g"), number(2), z)
    assert seen == [
        None,
        (Phase.ASSIGNED, 101, (number(7), z, z, z)),
        (Phase.COMMITTED, 102, (keccak256(b"c"), z, z, z)),
        (Phase.REVEALED, 103, revealed),
        (Phase.REVEALED, 103, revealed),
        (Phase.REVEALED, 103, revealed),
        (Phase.SLASHED, 106, revealed),  # a terminal unit's digest stays as it was
        (Phase.SLASHED, 106, revealed),
    ]
    view = book.get(unit)
    assert view is not None
    assert view.slashed == 20
    assert closed(view)
    assert not closed(replace(view, reports=(replace(view.reports[0], closed=False),)))


@given(
    order=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    gaps=st.lists(st.integers(0, 3), min_size=40, max_size=40),
    cut=st.integers(0, 130),
)
def test_dropping_blocks_is_the_same_as_never_having_seen_them(
    order: list[int], gaps: list[int], cut: int
) -> None:
    queues = {shard: life(shard) for shard in range(4)}
    log: list[tuple[int, Record]] = []
    block = 1
    for shard, gap in zip(order, gaps, strict=False):
        block += gap
        if queues[shard]:
            log.append((block, queues[shard].pop(0)))
    whole, part = UnitBook(), UnitBook()
    for at, record in log:
        whole.apply(record, at, at * 10)
        if at <= cut:
            part.apply(record, at, at * 10)
    whole.drop_above(cut)
    assert whole.views(block) == part.views(block)
    assert [whole.slot(u) for u in whole.open_units()] == [part.slot(u) for u in part.open_units()]
    for at, record in log:  # and it goes on from there as if nothing had been
        if at > cut:
            whole.apply(record, at, at * 10)
            part.apply(record, at, at * 10)
    assert whole.views(block) == part.views(block)


def test_closed_units_are_shown_for_a_while_and_then_forgotten() -> None:
    book = UnitBook()
    fill(book, life(0))
    end = len(life(0))
    unit = terms(0).unit
    assert [v.unit for v in book.views(end + SHOWN - 1)] == [unit]
    assert book.views(end + SHOWN) == ()
    assert [v.unit for v in book.views(end + SHOWN, keep={unit})] == [unit]
    book.retire(end + HORIZON - 1)
    assert len(book) == 1
    book.retire(end + HORIZON, keep={unit})
    assert len(book) == 1
    book.retire(end + HORIZON)
    assert len(book) == 0


def test_an_open_unit_is_never_forgotten_but_its_old_versions_are() -> None:
    book = UnitBook()
    fill(book, life(0)[:-1])  # one bond is still held
    book.retire(100_000)
    assert [v.phase for v in book.views(100_000)] == [Phase.SLASHED]
    book.drop_above(3)  # far beyond the horizon: what it was before is gone
    assert book.get(terms(0).unit) is None


def test_reading_again_from_the_middle_tears_no_unit() -> None:
    book, early, late = UnitBook(), life(0), life(1)
    fill(book, early[:2])  # awarded in block 2 …
    book.apply(early[2], 500, 500)  # … and committed long after
    book.retire(900)  # its version of block 2 is gone
    fill(book, late[:2], first_block=699)
    assert book.first_block(terms(1).unit) == 700
    cut = book.whole_cut(699)
    assert cut == 699  # the early unit's version of block 500 is kept
    assert (
        book.whole_cut(450) == 1
    )  # but below 500 it would be lost, with its award in block 2 not read again
    book.drop_above(cut)
    assert book.get(terms(0).unit) is not None
    assert book.get(terms(1).unit) is None


def test_records_of_unknown_units_change_nothing() -> None:
    book = UnitBook()
    fill(book, life(0)[2:])  # the scan began after the award
    book.apply(Skipped(terms(0).unit, b"1234"), 9, 9)
    assert len(book) == 0
    assert book.slot(terms(0).unit) == NO_SLOT


def test_a_unit_awarded_again_after_a_reorg_starts_afresh() -> None:
    book = UnitBook()
    fill(book, life(0)[:4])
    book.drop_above(0)
    fill(book, life(0)[:2], first_block=50)
    view = book.get(terms(0).unit)
    assert view is not None
    assert (view.phase, view.since, view.commitment) == (Phase.ASSIGNED, 1_051, None)
