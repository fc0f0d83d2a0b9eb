"""Dishonest nodes: the devnet's own cheats, and some that only pay off where nobody looks closely.

For `Scenario.cheats`: fabricate(kind=1) makes the performer of a node that does so with kind 1 alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from blockedge_node.core import merkle
from blockedge_node.core.actions import Action, Check, PublishSecret, RevealReport, Solve
from blockedge_node.core.commitment import Role
from blockedge_node.core.events import CheckFailed, Event, WorkSolved
from blockedge_node.core.task import Kind, Result
from blockedge_node.devnet.cheats import Cheat, Fabricate, FalseReport, Refuse, Withhold
from blockedge_node.performer import Performer, Tries

MakePerformer = Callable[..., Performer]


class Lazy(Cheat):
    """Searches nothing and says that there is nothing: only a winning nonce proves it wrong."""

    def lie(self, action: Action) -> Any:
        idle = isinstance(action, Solve) and action.request.kind == Kind.POW
        return self.find_nothing if idle else None

    async def find_nothing(self, action: Solve, tries: Tries) -> Event:
        return WorkSolved(
            unit=action.unit,
            award=action.award,
            result=Result(exit=0, output_root=merkle.root(b"")),
            output=b"",
            salt=self.chance.secret(),
            guard_secret=self.chance.secret(),
        )


class HalfReport(FalseReport):
    """Bonds a report against whatever it checks and never reveals it."""

    def lie(self, action: Action) -> Any:
        return self.do_nothing if isinstance(action, RevealReport) else super().lie(action)


def fabricate(**victims: Any) -> MakePerformer:
    return partial(Fabricate, **victims)


def refuse(**victims: Any) -> MakePerformer:
    return partial(Refuse, **victims)


def withhold(**victims: Any) -> MakePerformer:
    return partial(Withhold, **victims)


def false_report(**victims: Any) -> MakePerformer:
    return partial(FalseReport, **victims)


def lazy(**victims: Any) -> MakePerformer:
    return partial(Lazy, **victims)


class OutOfOrder(Cheat):
    """A juror whose executor fails until the virtual second `until`."""

    def __init__(self, *, until: float, **ports: Any) -> None:
        super().__init__(**ports)
        self._until = until

    def lie(self, action: Action) -> Any:
        asked = isinstance(action, Check) and action.role is Role.JUROR
        return self.fail if asked and trio.current_time() < self._until else None

    async def fail(self, action: Check, tries: Tries) -> Event:
        return CheckFailed(unit=action.unit, reason="out of order", role=action.role)


class LateSecret(Performer):
    """A requester whose draw secret is some seconds on its way."""

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        if isinstance(action, PublishSecret):
            await trio.sleep(2)
        return await super().__call__(action, tries)


def out_of_order(*, until: float) -> MakePerformer:
    return partial(OutOfOrder, until=until)


def false_juror(**victims: Any) -> MakePerformer:
    return partial(FalseJuror, **victims)


def half_report(**victims: Any) -> MakePerformer:
    return partial(HalfReport, **victims)


ALL: tuple[Callable[..., MakePerformer], ...] = (
    fabricate,
    refuse,
    withhold,
    false_report,
    lazy,
    half_report,
)


class FalseJuror(FalseReport):
    """Votes for a made-up result, the one that a false report of ours names, wherever it sits."""

    def lie(self, action: Action) -> Any:
        return self.accuse if isinstance(action, Check) and action.role is Role.JUROR else None
