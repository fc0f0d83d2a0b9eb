"""The fold of events into views, without a chain: reorgs undone, words per phase, bounded memory."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.chain.book import (
    CASE_CLOSED,
    CASE_OPEN,
    HORIZON,
    NO_SLOT,
    SHOWN,
    UnitBook,
    case_slot_of,
    closed,
)
from blockedge_node.chain.court_events import Appealed, CaseClosed, CaseOpened, Voted, VoteRevealed
from blockedge_node.chain.events import (
    Awarded,
    CheckCommitted,
    Committed,
    Defended,
    Demanded,
    Disputed,
    Drawn,
    JuryShown,
    Record,
    ReportClosed,
    Reported,
    ReportRevealed,
    Requested,
    Revealed,
    Ruled,
    Settled,
    Skipped,
    Supplied,
)
from blockedge_node.core.court import Case
from blockedge_node.core.hashing import hash_words, keccak256
from blockedge_node.core.ids import ZERO_HASH, Address, Root, Secret, TaskId
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


SECRET, S_R, S_W = (Secret(keccak256(name)) for name in (b"secret", b"s_R", b"s_W"))


def trial(shard: int, flags: int = 3) -> list[Record]:
    """All records of a unit that is checked, disputed, tried in two rounds and convicted, in order."""
    unit = terms(shard).unit
    case = Case(
        unit=unit,
        seed=keccak256(b"seed"),
        accused=RESULT.hash(),
        worker=WHO[1],
        requester=WHO[0],
        accuser=WHO[2],
        snapshot=77,
        tickets=4,
        vwin=5,
        fee=1,
    )
    right = keccak256(b"right")
    return [
        *life(shard)[:3],
        Drawn(unit, SECRET, keccak256(S_R)),
        CheckCommitted(unit, 6, WHO[2], keccak256(b"check")),
        Revealed(unit, RESULT.hash(), keccak256(S_W), flags, RESULT, b"out"),
        ReportRevealed(unit, 0, right, 0, b""),
        Disputed(unit, 77, flags),
        JuryShown(unit, S_R),
        Defended(unit, S_W),
        CaseOpened(unit, case),
        Voted(unit, 0, 2, 3, keccak256(b"vote")),
        VoteRevealed(unit, 0, 2, right),
        Appealed(unit, 1, WHO[1]),
        Voted(unit, 1, 2, 3, keccak256(b"vote 2")),
        CaseClosed(unit, Phase.SLASHED, right),
        Ruled(unit, right),
        Settled(unit, Phase.SLASHED, 0, 20),
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


def test_data_words_of_a_trial() -> None:
    book, unit = UnitBook(), terms(0).unit
    seen = []
    for i, record in enumerate(trial(0)):
        book.apply(record, i, 100 + i)
        view = book.get(unit)
        if view is not None and (not seen or seen[-1][2] != view.data):
            seen.append((view.phase, view.since, view.data))
    number = lambda n: n.to_bytes(32, "big")  # noqa: E731
    z, right = ZERO_HASH, keccak256(b"right")
    commitment, seed = keccak256(b"c"), hash_words(SECRET, keccak256(b"c"))
    result, guard = RESULT.hash(), keccak256(S_W)
    assert seen[1:] == [
        (Phase.COMMITTED, 102, (commitment, z, z, z)),
        (Phase.COMMITTED, 102, (commitment, seed, z, z)),
        (Phase.REVEALED, 105, (result, guard, number(3), z)),
        (Phase.DISPUTED, 107, (result, guard, number(3 | 77 << 8), z)),
        (Phase.DISPUTED, 107, (result, guard, number(3 | 77 << 8), S_R)),
        (Phase.DISPUTED, 107, (result, guard, number(3 | 8 | 77 << 8), right)),
    ]
    view = book.get(unit)
    assert view is not None
    assert (view.phase, view.since, view.final_hash) == (Phase.SLASHED, 117, right)
    assert (view.committed_at, view.checker_ticket, view.challenge_by) == (102, 6, 77)
    assert (view.jury_secret, view.defended) == (S_R, S_W)
    assert closed(view), "a check holds no bond"
    assert view.case is not None
    assert [(r.round, r.since, r.funder) for r in view.case.rounds] == [(0, 110, WHO[2]), (1, 113, WHO[1])]
    assert [v.result_hash for r in view.case.rounds for v in r.votes] == [right, None]
    slot = case_slot_of(view.case)
    assert (slot.state, slot.round, slot.round_at) == (CASE_CLOSED, 1, 113)
    assert case_slot_of(replace(view.case, closed=False)) == slot._replace(state=CASE_OPEN)


def test_the_fourth_word_of_a_reveal_holds_what_is_still_to_be_shown() -> None:
    commitment = keccak256(b"c")
    missed = hash_words(hash_words(SECRET, commitment), 1_002)  # the draw's seed, the time of the commitment
    for flags, word in ((0, commitment), (3, ZERO_HASH), (7, missed)):
        book = UnitBook()
        fill(book, trial(0, flags)[:6], first_block=0)
        view = book.get(terms(0).unit)
        assert view is not None
        assert view.data[3] == word


def test_demands_are_supplied_one_by_one() -> None:
    book, unit = UnitBook(), terms(0).unit
    fill(book, [*life(0)[:4], Demanded(unit, 1, 50), Demanded(unit, 1, 60), Supplied(unit, 1, b"chunk")])
    view = book.get(unit)
    assert view is not None
    assert [(d.by, d.supplied) for d in view.demands] == [(50, True), (60, False)]


def test_records_that_no_honest_log_holds_change_nothing() -> None:
    """A lying endpoint may send any of them at any time; the slots will tell."""
    for last in range(2, len(trial(0))):
        for record in trial(0)[3:]:
            book = UnitBook()
            fill(book, [*trial(0)[:last], record, record])
            assert book.get(terms(0).unit) is not None


@given(
    order=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    gaps=st.lists(st.integers(0, 3), min_size=40, max_size=40),
    cut=st.integers(0, 130),
)
def test_dropping_blocks_is_the_same_as_never_having_seen_them(
    order: list[int], gaps: list[int], cut: int
) -> None:
    queues = {shard: trial(shard) if shard % 2 else life(shard) for shard in range(4)}
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
