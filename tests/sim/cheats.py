"""Dishonest nodes: the devnet's own parts (devnet/lies.py), and some that only pay off where nobody looks closely.

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
from blockedge_node.core.events import CheckFailed, Event
from blockedge_node.core.task import Kind, Result
from blockedge_node.devnet import lies
from blockedge_node.devnet.cheats import Cheat, Play
from blockedge_node.devnet.lies import Liar, Lie
from blockedge_node.performer import Performer, Tries

MakePerformer = Callable[..., Performer]


class Part(Cheat):
    """A node that plays one part with one kind of work; 0: with all."""

    def __init__(self, *, liar: type[Liar], kind: int = 0, **ports: Any) -> None:
        super().__init__(plays=(), **ports)
        self._parts = [(Play(mode=liar.__name__, kind=kind), liar(self))]


def part(liar: type[Liar]) -> Callable[..., MakePerformer]:
    return partial(partial, Part, liar=liar)


class Idle(Liar):
    """Searches nothing and says that there is nothing: only a winning nonce proves it wrong."""

    def lie(self, action: Action) -> Lie | None:
        idle = isinstance(action, Solve) and action.request.kind == Kind.POW
        return self.find_nothing if idle else None

    async def find_nothing(self, action: Solve, tries: Any) -> Event:
        return self.solved(action, Result(exit=0, output_root=merkle.root(b"")), b"")


class HalfReport(lies.FalseReport):
    """Bonds a report against whatever it checks and never reveals it."""

    def lie(self, action: Action) -> Lie | None:
        return self.do_nothing if isinstance(action, RevealReport) else super().lie(action)


class FalseChecker(Liar):
    """As a drawn checker, finds what nobody computed."""

    def lie(self, action: Action) -> Lie | None:
        return self.accuse if isinstance(action, Check) and action.role is Role.CHECKER else None

    async def accuse(self, action: Check, tries: Any) -> Event:
        return self.checked(action, lies.ACCUSATION)


fabricate = part(lies.Fabricate)
refuse = part(lies.Refuse)
withhold = part(lies.Withhold)
false_report = part(lies.FalseReport)
false_juror = part(lies.LyingJuror)
lazy = part(Idle)
half_report = part(HalfReport)
false_checker = part(FalseChecker)


class OutOfOrder(Performer):
    """A juror whose executor fails until the virtual second `until`."""

    def __init__(self, *, until: float, **ports: Any) -> None:
        super().__init__(**ports)
        self._until = until

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        asked = isinstance(action, Check) and action.role is Role.JUROR
        if isinstance(action, Check) and asked and trio.current_time() < self._until:
            return CheckFailed(unit=action.unit, reason="out of order", role=action.role)
        return await super().__call__(action, tries)


class LateSecret(Performer):
    """A requester whose draw secret is some seconds on its way."""

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        if isinstance(action, PublishSecret):
            await trio.sleep(2)
        return await super().__call__(action, tries)


def out_of_order(*, until: float) -> MakePerformer:
    return partial(OutOfOrder, until=until)


ALL: tuple[Callable[..., MakePerformer], ...] = (
    fabricate,
    refuse,
    withhold,
    false_report,
    lazy,
    half_report,
)
