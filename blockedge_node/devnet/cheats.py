"""Dishonest nodes: the honest daemon with a performer that lies.

    python -m blockedge_node.devnet.cheats MODE [--kind K] [--requester 0x…] run --data-dir DIR

Each cheat overrides single methods of the performer and is limited, if asked, to one kind of work or to one
requester's tasks, so that honest and dishonest stories can run side by side on the same node.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import trio

from blockedge_node.core import merkle
from blockedge_node.core.actions import (
    Action,
    AwardCommit,
    Check,
    CommitResult,
    DeliverResult,
    RegisterAward,
    Reveal,
    Solve,
)
from blockedge_node.core.events import Checked, Event, WorkSolved
from blockedge_node.core.ids import UnitId
from blockedge_node.core.task import Kind, Request, Result
from blockedge_node.daemon import main as run_daemon
from blockedge_node.performer import Performer, Tries


class Cheat(Performer):
    """Honest but for the chosen tasks. `kind` 0 and `requester` b"": all of them."""

    def __init__(self, *, kind: int = 0, requester: bytes = b"", **ports: Any) -> None:
        super().__init__(**ports)
        self._kind, self._requester = kind, requester
        self._units: set[UnitId] = set()  # those chosen, for actions that do not carry their Request

    def is_victim(self, request: Request) -> bool:
        return self._kind in (0, request.kind) and self._requester in (b"", request.requester)

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        request = getattr(action, "request", None)
        unit = getattr(action, "unit", None)
        if isinstance(request, Request) and unit is not None and self.is_victim(request):
            self._units.add(unit)
        if unit in self._units and (lie := self.lie(action)):
            answer: Event | None = await lie(action, tries)
            return answer
        return await super().__call__(action, tries)

    def lie(self, action: Action) -> Any:
        """What to do instead of `action`, or None to stay honest."""
        return None

    async def do_nothing(self, action: Action, tries: Tries) -> Event | None:
        """Stay busy with it for ever: the engine ends it when it is no longer due."""
        await trio.sleep_forever()
        raise AssertionError


class Fabricate(Cheat):
    """Answers without working: a made-up nonce, or output that nobody computed."""

    def lie(self, action: Action) -> Any:
        return self.fabricate if isinstance(action, Solve) else None

    async def fabricate(self, action: Solve, tries: Tries) -> Event:
        pow_search = action.request.kind == Kind.POW
        output = (
            (action.shard + 1).to_bytes(8, "big")
            if pow_search
            else b"nobody computed this " + action.unit[:4]
        )
        root = merkle.root(output)
        self.content.put(output)
        fuel, memory = (0, bytes(32)) if pow_search else (action.request.fuel // 2, self.chance.secret())
        return WorkSolved(
            unit=action.unit,
            award=action.award,
            result=Result(exit=0, output_root=root, fuel_used=fuel, memory_hash=memory),  # type: ignore[arg-type]
            output=output,
            salt=self.chance.secret(),
            guard_secret=self.chance.secret(),
        )


class Refuse(Cheat):
    """Acknowledges, then neither works nor delivers."""

    def lie(self, action: Action) -> Any:
        idle = (Solve, DeliverResult, RegisterAward, AwardCommit, CommitResult)
        return self.do_nothing if isinstance(action, idle) else None


class Withhold(Cheat):
    """Commits and never reveals."""

    def lie(self, action: Action) -> Any:
        return self.do_nothing if isinstance(action, Reveal) else None


class FalseReport(Cheat):
    """Reports every result that it checks as wrong."""

    def lie(self, action: Action) -> Any:
        return self.accuse if isinstance(action, Check) else None

    async def accuse(self, action: Check, tries: Tries) -> Event:
        made_up = Result(exit=0, output_root=merkle.root(b"an accusation"), fuel_used=1)
        return Checked(
            unit=action.unit,
            wrong=True,
            result=None if action.request.kind == Kind.POW else made_up,
            evidence=b"",
            salt=self.chance.secret(),
            role=action.role,
        )


MODES: Final[Mapping[str, type[Cheat]]] = {
    "fabricate": Fabricate,
    "refuse": Refuse,
    "withhold": Withhold,
    "false-report": FalseReport,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="cheats", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("mode", choices=sorted(MODES))
    parser.add_argument("--kind", type=int, default=0, choices=(0, 1, 2))
    parser.add_argument("--requester", default="", help="0x…: only this node's tasks")
    options, rest = parser.parse_known_args(sys.argv[1:])
    requester = bytes.fromhex(options.requester.removeprefix("0x"))
    run_daemon(rest, partial(MODES[options.mode], kind=options.kind, requester=requester), prog="cheats")


if __name__ == "__main__":
    main()
