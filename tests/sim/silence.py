"""Nodes that fall silent at one point, or keep what they should give away: for `Scenario.cheats`."""

from __future__ import annotations

from functools import partial
from typing import Any

import trio

from blockedge_node.core.actions import Action, DeliverResult, Solve, Supply
from blockedge_node.core.events import Event, WorkSolved
from blockedge_node.performer import Performer, Tries
from tests.sim import cheats


class Mute(Performer):
    """Honest, but for the kinds of action that it never performs."""

    def __init__(self, *, kinds: tuple[type, ...], **ports: Any) -> None:
        super().__init__(**ports)
        self._kinds = kinds

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        if isinstance(action, self._kinds):
            await trio.sleep_forever()
        return await super().__call__(action, tries)


class Hoard(Performer):
    """A worker that gives its output to nobody, and shows a chunk of it only if it `answers` a demand."""

    def __init__(self, *, answers: bool, **ports: Any) -> None:
        super().__init__(**ports)
        self._answers = answers
        self._kept: dict[bytes, bytes] = {}

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        blobs = self.content.blobs.held  # type: ignore[attr-defined]
        match action:
            case DeliverResult():
                await trio.sleep_forever()
            case Supply() if not self._answers:
                await trio.sleep_forever()
            case Supply():
                blobs[action.revealed.output_root] = self._kept[action.revealed.output_root]
                return await super().__call__(action, tries)
            case Solve():
                solved = await super().__call__(action, tries)
                assert isinstance(solved, WorkSolved)
                root = solved.result.output_root
                self._kept[root] = blobs.pop(root)
                return solved
        return await super().__call__(action, tries)


def mute(*kinds: type) -> cheats.MakePerformer:
    return partial(Mute, kinds=kinds)
