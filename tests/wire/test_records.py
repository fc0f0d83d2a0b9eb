"""Dataclasses to rows and back: equal after the trip, and nothing else is let in."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.chain.book import UnitBook
from blockedge_node.chain.events import Demanded, Supplied
from blockedge_node.core.actions import Appeal, ChainAction, CloseRound, CommitCheck, Note, Reveal
from blockedge_node.core.commitment import Role
from blockedge_node.core.court import SeatProof, Ticket
from blockedge_node.core.events import (
    BidWindowClosed,
    Checked,
    Event,
    HeadSeen,
    Job,
    SecretHeard,
    WorkSolved,
)
from blockedge_node.core.facts import volatile
from blockedge_node.core.ids import Address, Hash, Secret, UnitId
from blockedge_node.core.task import Bid, Result
from blockedge_node.core.unit import Head, Phase, Standing, UnitView
from blockedge_node.wire import codec, records
from tests.adapters.chain.test_book import terms, trial


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """One field of every sort that a record may have."""

    number: int
    flag: bool
    text: str
    raw: bytes
    ratio: float
    address: Address
    maybe: Hash | None
    scalar: str | int
    colour: Colour
    level: Level | None
    shape: Square | Circle
    shapes: tuple[Square | Circle, ...]
    pair: tuple[int, str]
    items: list[int]
    names: frozenset[str]
    by_key: Mapping[bytes, Square]
    nested: Mapping[int, Mapping[str, tuple[int, ...]]]
    inner: Everything | None = None
    note: str = "default"
    view: object = volatile(None)


shapes = st.builds(Square, side=st.integers(-(1 << 255), 1 << 255)) | st.builds(
    Circle, radius=st.floats(allow_nan=False)
)
big = st.integers(-(1 << 200), 1 << 200)


def everything(inner: st.SearchStrategy[Everything | None]) -> st.SearchStrategy[Everything]:
    return st.builds(
        Everything,
        number=big,
        flag=st.booleans(),
        text=st.text(max_size=10),
        raw=st.binary(max_size=10),
        ratio=st.floats(allow_nan=False),
        address=st.binary(min_size=20, max_size=20),
        maybe=st.none() | st.binary(min_size=32, max_size=32),
        scalar=st.text(max_size=5) | big,
        colour=st.sampled_from(Colour),
        level=st.none() | st.sampled_from(Level),
        shape=shapes,
        shapes=st.lists(shapes, max_size=3).map(tuple),
        pair=st.tuples(big, st.text(max_size=5)),
        items=st.lists(big, max_size=3),
        names=st.frozensets(st.text(max_size=5), max_size=4),
        by_key=st.dictionaries(st.binary(max_size=4), st.builds(Square, side=big), max_size=3),
        nested=st.dictionaries(
            big,
            st.dictionaries(st.text(max_size=3), st.lists(big, max_size=2).map(tuple), max_size=2),
            max_size=2,
        ),
        inner=inner,
        note=st.text(max_size=5),
    )


REGISTRY = {cls.__name__: cls for cls in (Everything, Square, Circle)}


@given(everything(st.none() | everything(st.none())))
def test_record_comes_back_equal(value: Everything) -> None:
    row = records.dump(value)
    back = records.load(REGISTRY, row)
    assert back == value
    assert type(back.level) is type(value.level)
    assert records.dump(back) == row, "one value, one row"


@given(st.binary(max_size=100))
def test_arbitrary_rows_raise_only_value_errors(row: bytes) -> None:
    with contextlib.suppress(ValueError):
        records.load(REGISTRY, row)


@given(everything(st.none()), st.data())
def test_damaged_rows_raise_only_value_errors(value: Everything, data: st.DataObject) -> None:
    row = bytearray(records.dump(value))
    row[data.draw(st.integers(0, len(row) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        records.load(REGISTRY, bytes(row))


def row_of(body: Any, name: str = "Square", version: int = 1) -> bytes:
    return codec.encode([version, name, body])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (row_of({"side": 1}, version=2), "version 2"),
        (row_of({"side": 1}, name="Triangle"), "unknown type 'Triangle'"),
        (row_of({"side": 1, "colour": 2}), "no field colour"),
        (row_of({}), "lacks its field side"),
        (row_of({"side": True}), "not a int"),
        (row_of({"side": "1"}), "not a int"),
        (row_of([1]), "not a dict"),
        (row_of({"radius": b"\x00"}, name="Circle"), "not a bytes of 8"),
        (codec.encode([1, "Square"]), "not a record"),
        (b"\xff", "canonical"),
    ],
)
def test_unfit_row_says_why(row: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        records.load(REGISTRY, row)


def test_added_field_with_a_default_reads_old_rows() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Grown:
        side: int
        sides: tuple[int, ...] = field(default_factory=tuple)

    assert records.load({"Square": Grown}, records.dump(Square(side=3))) == Grown(side=3)


def test_volatile_field_stays_out_of_the_journal() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Machine:
        fact: int
        view: object = volatile(None)

    row = records.dump(Machine(fact=1, view=object()))
    assert b"view" not in row
    assert records.load({"Machine": Machine}, row) == Machine(fact=1, view=None)


@pytest.mark.parametrize("hint", [object, Any, int | Level, tuple[int, ...] | list[int], Square | list[int]])
def test_hint_without_a_strict_form_is_refused_when_it_is_met(hint: Any) -> None:
    with pytest.raises(TypeError):
        records.codec_for(hint)


def test_value_outside_of_its_hint_is_never_written() -> None:
    with pytest.raises(ValueError, match="not a int"):
        records.dump(Square(side="1"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is not of"):
        records.dump_as(Square | Circle, 3)


def test_repeated_items_are_refused() -> None:
    with pytest.raises(ValueError, match="twice in a set"):
        records.load_as(frozenset[int], codec.encode([1, 1]))
    with pytest.raises(ValueError, match="twice in a mapping"):
        records.load_as(Mapping[int, int], codec.encode([[1, 1], [1, 2]]))


def test_the_cores_own_types_are_records() -> None:
    """Whatever a machine may hold: every event, chain action and view has a record form."""
    unit = UnitId(b"\x01" * 32)
    result = Result(exit=0, output_root=b"\x02" * 32)
    solved = WorkSolved(
        unit=unit,
        award=b"\x03" * 32,
        result=result,
        output=b"out",
        salt=Secret(b"\x04" * 32),
        guard_secret=Secret(b"\x05" * 32),
        seconds=1.5,
    )
    assert records.load_as(Event, records.dump_as(Event, solved)) == solved
    note = Note(subject=unit, code="a.b", fields=(("x", 1), ("y", "z")))
    assert records.load({"Note": Note}, records.dump(note)) == note
    for hint in (Event, ChainAction, UnitView, Job, Bid, Reveal, Phase | None):
        records.codec_for(hint)


def test_a_tried_unit_and_its_tickets_are_records() -> None:
    """The longest story a view can tell: checked, demanded, disputed, voted on twice, ruled."""
    book, unit = UnitBook(), terms(0).unit
    told = trial(0)
    for i, record in enumerate([*told[:6], Demanded(unit, 1, 9), Supplied(unit, 1, b"chunk"), *told[6:]]):
        book.apply(record, i, 100 + i)
    view = book.get(unit)
    assert view is not None
    assert view.case is not None
    assert records.load_as(UnitView, records.dump_as(UnitView, view)) == view
    ticket = Ticket(id=3, owner=Address(b"\x07" * 20), staked_at=1, left_at=2, stake=10**16)
    events: list[Event] = [
        HeadSeen(
            head=Head(number=1, hash=Hash(bytes(32)), time=1),
            standing=Standing(),
            views=(view,),
            tickets=(ticket,),
        ),
        SecretHeard(unit=unit, secret=Secret(b"\x01" * 32), guard_r=Hash(b"\x02" * 32)),
        BidWindowClosed(
            task=terms(0).task,
            shard=0,
            round=1,
            draw_secret=Secret(b"\x03" * 32),
            guard_secret=Secret(b"\x04" * 32),
        ),
        Checked(
            unit=unit, wrong=False, result=None, evidence=b"", salt=Secret(b"\x05" * 32), role=Role.JUROR
        ),
    ]
    for event in events:
        assert records.load_as(Event, records.dump_as(Event, event)) == event
    case = view.case.case
    calls: list[ChainAction] = [
        Appeal(unit=unit, case=case, round=1, value=11),
        CloseRound(unit=unit, target=view.on_chain, case=case, final_hash=Hash(b"\x06" * 32)),
        CommitCheck(
            unit=unit,
            target=view.on_chain,
            proof=SeatProof(attempt=1, tickets=2),
            hash=Hash(b"\x07" * 32),
        ),
    ]
    for call in calls:
        assert records.load_as(ChainAction, records.dump_as(ChainAction, call)) == call


def test_rows_of_a_time_without_courts_still_load() -> None:
    """Fields were only added: a journal written before them is read as it was."""
    row = records.dump_as(
        Checked,
        Checked(unit=UnitId(bytes(32)), wrong=True, result=None, evidence=b"", salt=Secret(bytes(32))),
    )
    old = {name: value for name, value in codec.decode(row).items() if name != "role"}
    assert records.load_as(Checked, codec.encode(old)).role is Role.REPORTER


def test_enum_values_are_checked() -> None:
    assert issubclass(Colour, Enum)
    with pytest.raises(ValueError, match="green"):
        records.load_as(Colour, codec.encode("green"))
    with pytest.raises(ValueError, match="Level"):
        records.load_as(Level, codec.encode(b"\x01"))
