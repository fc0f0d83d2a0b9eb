"""Records → unit views: the fold of the event log that every call after `award` is built from. Pure.

Each unit keeps the versions of its view within the last HORIZON blocks, so that a reorg is undone by dropping
what lies above the common ancestor. A *closed* unit (terminal, no bond held) is shown for SHOWN more blocks,
or as long as somebody keeps it, and forgotten after HORIZON: memory is bounded by what is open and what is
recent.

`slot_of` says what the contract's slot of a view must be (docs/protocol.md §3.2). The slot is the truth:
where the two differ, the log was read wrongly and is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

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
)
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import ZERO_HASH, Hash, TaskId, UnitId
from blockedge_node.core.task import Request
from blockedge_node.core.unit import Phase, ReportView, UnitView

HORIZON = 256  # blocks that a reorg may take back (docs/protocol.md §4)
SHOWN = 16  # blocks for which a closed unit is still shown: every node that is awake sees the end
Words = tuple[Hash, Hash, Hash, Hash]


class Slot(NamedTuple):
    """units[unit] of the contract: phase, time of entering it, low 208 bits of the digest."""

    phase: int
    since: int
    digest: int


NO_SLOT = Slot(0, 0, 0)


def slot_of(view: UnitView) -> Slot:
    """The slot that the contract must have if the view is right."""
    digest = int.from_bytes(hash_words(view.terms.terms_hash(), *view.data), "big") & ((1 << 208) - 1)
    return Slot(view.phase, view.since, digest)


def closed(view: UnitView) -> bool:
    """Terminal, with no report's bond held: nothing can happen to it any more."""
    return view.phase.terminal and all(report.closed for report in view.reports)


@dataclass(slots=True)
class _Entry:
    awarded: int  # block
    versions: list[tuple[int, UnitView]]  # (block, view as of that block), ascending
    slot: Slot  # of the newest

    @property
    def view(self) -> UnitView:
        return self.versions[-1][1]

    @property
    def changed(self) -> int:
        return self.versions[-1][0]


class UnitBook:
    """See the module docstring. Feed it records in log order."""

    def __init__(self) -> None:
        self._units: dict[UnitId, _Entry] = {}
        self._requests: dict[TaskId, tuple[int, Request]] = {}

    def __len__(self) -> int:
        return len(self._units)

    def get(self, unit: UnitId) -> UnitView | None:
        entry = self._units.get(unit)
        return entry.view if entry else None

    def apply(self, record: Record, block: int, time: int) -> None:
        """Fold one record of the block `block` with timestamp `time`.

        A record of a unit whose award is not known (before the scan began) changes nothing.
        """
        match record:
            case Requested():
                self._requests.setdefault(record.task, (block, record.request))
            case Awarded():
                self._award(record, block, time)
            case Committed() | Revealed() | Settled() | Reported() | ReportRevealed() | ReportClosed():
                entry = self._units.get(record.unit)
                if entry is not None:
                    _push(entry, block, _fold(entry.view, record, time))
            case _:
                pass

    def drop_above(self, block: int) -> None:
        """Undo everything that blocks after `block` did."""
        for unit, entry in list(self._units.items()):
            if entry.changed <= block:
                continue
            while entry.versions and entry.versions[-1][0] > block:
                entry.versions.pop()
            if entry.versions:
                entry.slot = slot_of(entry.view)
            else:
                del self._units[unit]
        self._requests = {t: r for t, r in self._requests.items() if r[0] <= block}

    def whole_cut(self, block: int) -> int:
        """The highest block ≤ `block` above which everything can be dropped and read again: no unit that is
        forgotten by that has logs below. (Within HORIZON of the head `block` itself is one.)
        """
        while True:
            torn = [e.awarded for e in self._units.values() if e.awarded <= block < e.versions[0][0]]
            if not torn:
                return block
            block = min(torn) - 1

    def retire(self, head: int, keep: Collection[UnitId] = ()) -> None:
        """Forget what no reorg can bring back: closed units (but those in `keep`) and older versions."""
        safe = head - HORIZON
        for unit, entry in list(self._units.items()):
            if entry.changed <= safe and closed(entry.view) and unit not in keep:
                del self._units[unit]
                continue
            versions = entry.versions
            while len(versions) > 1 and versions[1][0] <= safe:
                versions.pop(0)
        self._requests = {t: r for t, r in self._requests.items() if r[0] > safe}

    def views(self, head: int, keep: Collection[UnitId] = ()) -> tuple[UnitView, ...]:
        """Units that are open, closed within the last SHOWN blocks, or in `keep`; oldest award first."""
        return tuple(
            entry.view
            for unit, entry in self._units.items()
            if entry.changed > head - SHOWN or not closed(entry.view) or unit in keep
        )

    def all_views(self) -> tuple[UnitView, ...]:
        """Every unit still in the book, closed ones too; oldest award first."""
        return tuple(entry.view for entry in self._units.values())

    def open_units(self) -> list[UnitId]:
        """Units that can still change."""
        return [unit for unit, entry in self._units.items() if not closed(entry.view)]

    def slot(self, unit: UnitId) -> Slot:
        """What the contract must show for any unit; NO_SLOT for one that was never awarded."""
        entry = self._units.get(unit)
        return entry.slot if entry else NO_SLOT

    def first_block(self, unit: UnitId) -> int:
        """The block of the unit's award: from there its logs can be read again."""
        return self._units[unit].awarded

    def _award(self, record: Awarded, block: int, time: int) -> None:
        found = self._requests.get(record.terms.task)
        if found is None:
            return  # the contract records the Request first, in the same call: a lying endpoint left it out
        view = UnitView(
            unit=record.unit,
            phase=Phase.ASSIGNED,
            since=time,
            request=found[1],
            terms=record.terms,
            data=_words(record.start_at.to_bytes(32, "big")),
            start_at=record.start_at,
        )
        self._units[record.unit] = _Entry(block, [(block, view)], slot_of(view))


def _push(entry: _Entry, block: int, view: UnitView) -> None:
    if entry.changed == block:
        entry.versions[-1] = (block, view)
    else:
        entry.versions.append((block, view))
    entry.slot = slot_of(view)


def _fold(
    view: UnitView,
    record: Committed | Revealed | Settled | Reported | ReportRevealed | ReportClosed,
    time: int,
) -> UnitView:
    match record:
        case Committed():
            return replace(
                view,
                phase=Phase.COMMITTED,
                since=time,
                data=_words(record.commitment),
                commitment=record.commitment,
            )
        case Revealed():
            flags = Hash(record.flags.to_bytes(32, "big"))
            return replace(
                view,
                phase=Phase.REVEALED,
                since=time,
                data=_words(record.result_hash, record.guard, flags),
                result_hash=record.result_hash,
                guard=record.guard,
                flags=record.flags,
                result=record.result,
                output=record.output,
            )
        case Settled():  # the slot's digest stays as it was
            return replace(view, phase=record.phase, since=time, paid=record.paid, slashed=record.slashed)
        case Reported():
            report = ReportView(index=record.index, author=record.author, hash=record.hash)
            return replace(view, reports=(*view.reports, report))
        case ReportRevealed():
            return _with_report(
                view,
                record.index,
                lambda r: replace(r, result_hash=record.result_hash, verdict=record.verdict),
            )
        case ReportClosed():
            return _with_report(view, record.index, lambda r: replace(r, closed=True))


def _with_report(view: UnitView, index: int, change: Callable[[ReportView], ReportView]) -> UnitView:
    return replace(view, reports=tuple(change(r) if r.index == index else r for r in view.reports))


def _words(*words: bytes) -> Words:
    a, b, c, d = (*words, ZERO_HASH, ZERO_HASH, ZERO_HASH)[:4]
    return Hash(a), Hash(b), Hash(c), Hash(d)
