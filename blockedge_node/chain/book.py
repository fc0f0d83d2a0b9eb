"""Records → unit views: every call after `award` is built from what the event log folds to (fold.py). Pure.

Each unit keeps the versions of its view within the last HORIZON blocks, so that a reorg is undone by dropping
what lies above the common ancestor. A *closed* unit (terminal, no bond held) is shown for SHOWN more blocks,
or as long as somebody keeps it, and forgotten after HORIZON: memory is bounded by what is open and what is
recent.

`slot_of` says what the contract's slot of a view must be (docs/protocol.md §3.2), `case_slot_of` the Court's. The
slots are the truth: where the two differ, the log was read wrongly and is read again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from blockedge_node.chain.events import Awarded, Record, Requested
from blockedge_node.chain.fold import Folded, fold, words
from blockedge_node.core.court import CaseView
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import TaskId, UnitId
from blockedge_node.core.task import Request
from blockedge_node.core.unit import Phase, UnitView

HORIZON = 256  # blocks that a reorg may take back (docs/protocol.md §4)
SHOWN = 16  # blocks for which a closed unit is still shown: every node that is awake sees the end


class Slot(NamedTuple):
    """units[unit] of the contract: phase, time of entering it, low 208 bits of the digest."""

    phase: int
    since: int
    digest: int


class CaseSlot(NamedTuple):
    """A case of the Court: state, round, its beginning, low 200 bits of the Case's hash."""

    state: int
    round: int
    round_at: int
    digest: int


NO_SLOT = Slot(0, 0, 0)
CASE_OPEN, CASE_CLOSED = 1, 2  # states of a case; 0: there is none


def slot_of(view: UnitView) -> Slot:
    """The slot that the contract must have if the view is right."""
    digest = int.from_bytes(hash_words(view.terms.terms_hash(), *view.data), "big") & ((1 << 208) - 1)
    return Slot(view.phase, view.since, digest)


def case_slot_of(case: CaseView) -> CaseSlot:
    """The slot that the Court must have if the view is right."""
    newest = case.rounds[-1]
    digest = int.from_bytes(hash_words(*case.case.values()), "big") & ((1 << 200) - 1)
    return CaseSlot(CASE_CLOSED if case.closed else CASE_OPEN, newest.round, newest.since, digest)


def closed(view: UnitView) -> bool:
    """Terminal, with no report's bond held: nothing can happen to it any more. A check (index 0) holds none."""
    return view.phase.terminal and all(report.closed or report.index == 0 for report in view.reports)


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
            case _ if isinstance(record, Folded):
                entry = self._units.get(record.unit)
                if entry is not None:
                    _push(entry, block, fold(entry.view, record, time))
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

    def open_cases(self) -> list[UnitId]:
        """Units before the Court: their cases have slots of their own."""
        return [u for u, e in self._units.items() if e.view.case is not None and not e.view.case.closed]

    def changed(self, unit: UnitId) -> int:
        """The block that last changed the unit; -1 for one that was never awarded."""
        return self._units[unit].changed if unit in self._units else -1

    def slot(self, unit: UnitId) -> Slot:
        """What the contract must show for any unit; NO_SLOT for one that was never awarded."""
        entry = self._units.get(unit)
        return entry.slot if entry else NO_SLOT

    def case_slot(self, unit: UnitId) -> CaseSlot | None:
        """What the Court must show for a unit; None if it never had a case."""
        entry = self._units.get(unit)
        return case_slot_of(entry.view.case) if entry and entry.view.case else None

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
            data=words(record.start_at),
            start_at=record.start_at,
        )
        self._units[record.unit] = _Entry(block, [(block, view)], slot_of(view))


def _push(entry: _Entry, block: int, view: UnitView) -> None:
    if entry.changed == block:
        entry.versions[-1] = (block, view)
    else:
        entry.versions.append((block, view))
    entry.slot = slot_of(view)
