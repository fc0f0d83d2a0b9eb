"""A story about one machine, told in the order in which it happens.

    play(worker, BOB).sees(assigned(…)).then_wants(Solve).gets(solved).then_wants(CommitResult, DeliverResult)

`sees` is a head with views, `gets` any other event, `at` moves the clock, `restarts` is a crash: the machine goes
through the journal's own encoding, so everything volatile is gone. Every event is given twice, and the second
time must change no fact: whatever repeats itself, gossip or a restarted action, is harmless.
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any, Self

from blockedge_node.core import bidder, checker, finer, juror, requester, verifier, ward, watchtower, worker
from blockedge_node.core.actions import Action, Note
from blockedge_node.core.bidder import Bidder
from blockedge_node.core.checker import Checker
from blockedge_node.core.court import Ticket
from blockedge_node.core.events import Event
from blockedge_node.core.finer import Finer
from blockedge_node.core.ids import Address
from blockedge_node.core.juror import Juror
from blockedge_node.core.node import MACHINES
from blockedge_node.core.params import Params
from blockedge_node.core.requester import Requester
from blockedge_node.core.unit import UnitView
from blockedge_node.core.verifier import Verifier
from blockedge_node.core.ward import Ward
from blockedge_node.core.watchtower import Tower
from blockedge_node.core.worker import Worker
from blockedge_node.core.world import World
from blockedge_node.wire import records
from tests.core.builders import DEV, START, head, world

MODULES: dict[type, ModuleType] = {
    Requester: requester,
    Bidder: bidder,
    Worker: worker,
    Verifier: verifier,
    Checker: checker,
    Finer: finer,
    Juror: juror,
    Ward: ward,
    Tower: watchtower,
}


class Story:
    def __init__(self, machine: Any, me: Address, **policy: Any) -> None:
        self.machine = machine
        self.me = me
        self.now = START
        self.policy = policy
        self.views: tuple[UnitView, ...] = ()
        self.notes: list[Note] = []
        self.module = MODULES[type(machine)]
        self.tickets: tuple[Ticket, ...] = ()
        self.params: Params = DEV

    @property
    def world(self) -> World:
        plain = world(self.me, self.now, **self.policy)
        return replace(plain, tickets=self.tickets, params=self.params)

    @property
    def due(self) -> tuple[Action, ...]:
        return self.module.due(self.machine, self.world)  # type: ignore[no-any-return]

    def staked(self, *tickets: Ticket) -> Self:
        """From now on the Court has these tickets."""
        self.tickets = tickets
        return self

    def before(self, court: Params, tickets: tuple[Ticket, ...]) -> Self:
        """From now on there is a court, with these tickets."""
        self.params, self.tickets = court, tickets
        return self

    def at(self, seconds: int) -> Self:
        """A head `seconds` after the start that shows what the last one did."""
        self.now = START + seconds
        return self.gets(head(self.now, *self.views))

    def sees(self, *views: UnitView) -> Self:
        """A head with these views, and no others."""
        self.views = views
        return self.gets(head(self.now, *views))

    def gets(self, event: Event) -> Self:
        self.machine, notes = self.module.step(self.machine, event, self.world)
        again, _ = self.module.step(self.machine, event, self.world)
        assert again == self.machine, "an event that repeats itself must change nothing"
        self.notes.extend(notes)
        return self

    def restarts(self) -> Self:
        before = self.machine
        self.machine = records.load(MACHINES, records.dump(before))
        assert self.machine == before, "a fact got lost on the way through the journal"
        return self.gets(head(self.now, *self.views))

    def then_wants(self, *expected: Action | type) -> Self:
        """Exactly these are due, in any order: an action, or a class if its fields don't matter here."""
        left = list(self.due)
        for item in expected:
            found = next(
                (a for a in left if a == item or (isinstance(item, type) and isinstance(a, item))), None
            )
            assert found is not None, f"{item} is not due; due: {self.due}"
            left.remove(found)
        assert not left, f"not expected, but due: {left}"
        return self

    def then_rests(self) -> Self:
        return self.then_wants()

    def then_tells(self, code: str) -> Self:
        """The story has had a note with this code, once."""
        codes = [note.code for note in self.notes]
        assert codes.count(code) == 1, f"{code} among {codes}"
        return self

    def then_is_over(self) -> Self:
        assert self.module.finished(self.machine, self.world), f"not over: {self.machine}"
        return self

    def then_lives(self) -> Self:
        assert not self.module.finished(self.machine, self.world), f"over: {self.machine}"
        return self

    def wanted(self, kind: type) -> Any:
        """The one due action of this class."""
        (found,) = (action for action in self.due if isinstance(action, kind))
        return found


def play(machine: Any, me: Address, **policy: Any) -> Story:
    return Story(machine, me, **policy)
