"""Dishonest nodes: the honest daemon with a performer that lies.

    python -m blockedge_node.devnet.cheats --play MODE[,kind=K][,requester=0x…][,max_delay=S] … run --data-dir DIR

A play is limited, if asked, to one kind of work, one requester or one value of maxDelay: signed fields that every
role sees, so that one node can play many parts at once, and be honest in all other tasks. The first play that fits a
task counts. What the parts do is in lies.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from blockedge_node.chain.watcher import Watcher
from blockedge_node.content import ContentStore
from blockedge_node.core.actions import Action
from blockedge_node.core.events import Event
from blockedge_node.core.ids import Hash, Root, UnitId
from blockedge_node.core.task import Request, unit_id
from blockedge_node.daemon import AccountedChain
from blockedge_node.daemon import main as run_daemon
from blockedge_node.devnet.lies import LIARS, Liar
from blockedge_node.errors import ConfigError
from blockedge_node.p2p.network import P2P
from blockedge_node.p2p.topics import Gossip
from blockedge_node.performer import Performer, Tries
from blockedge_node.store.blobs import Blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One part and its tasks; 0 and b"" mean all."""

    mode: str
    kind: int = 0
    requester: bytes = b""
    max_delay: int = 0

    def fits(self, request: Request) -> bool:
        return (
            self.kind in (0, request.kind)
            and self.requester in (b"", request.requester)
            and self.max_delay in (0, request.max_delay)
        )

    def __str__(self) -> str:
        limits = {
            "kind": str(self.kind) if self.kind else "",
            "requester": "0x" + self.requester.hex() if self.requester else "",
            "max_delay": str(self.max_delay) if self.max_delay else "",
        }
        return ",".join([self.mode, *(f"{key}={value}" for key, value in limits.items() if value)])


def parse(text: str) -> Play:
    """Raises ConfigError."""
    mode, *limits = text.split(",")
    if mode not in LIARS:
        raise ConfigError(f"there is no cheat {mode!r}; known are {', '.join(sorted(LIARS))}")
    try:
        fields = dict(limit.split("=", 1) for limit in limits)
        return Play(
            mode=mode,
            kind=int(fields.pop("kind", "0")),
            requester=bytes.fromhex(fields.pop("requester", "").removeprefix("0x")),
            max_delay=int(fields.pop("max_delay", "0")),
            **fields,
        )
    except (TypeError, ValueError):
        raise ConfigError(
            f"{text!r} is no play: write MODE,kind=K,requester=0x…,max_delay=S, any of the three left out"
        ) from None


class Cheat(Performer):
    """Honest but for the tasks that its plays name."""

    def __init__(self, *, plays: Sequence[Play], **ports: Any) -> None:
        super().__init__(**ports)
        self._parts: list[tuple[Play, Liar]] = [(play, LIARS[play.mode](self)) for play in plays]
        self._units: dict[UnitId, Liar] = {}  # those chosen, for actions that do not carry their Request
        self._hidden: set[Root] = set()

    async def __call__(self, action: Action, tries: Tries) -> Event | None:
        liar = self._liar(action)
        lie = liar.lie(action) if liar else None
        return await lie(action, tries) if lie else await self.honest(action, tries)

    async def honest(self, action: Action, tries: Tries) -> Event | None:
        return await super().__call__(action, tries)

    def hide(self, *roots: Root) -> None:
        """Serve these blobs to nobody from now on."""
        if not self._hidden:
            blobs = cast(Blobs, cast(ContentStore, self.content).blobs)
            serve = blobs.leaves

            def leaves(root: Root) -> Sequence[Hash] | None:
                return None if root in self._hidden else serve(root)

            blobs.leaves = leaves  # type: ignore[method-assign]
        self._hidden.update(roots)

    @property
    def gossip(self) -> Gossip:
        return cast(P2P, self.network).gossip

    @property
    def watcher(self) -> Watcher:
        """The chain as this node sees it."""
        return cast(AccountedChain, self.chain).chain.watcher

    def _liar(self, action: Action) -> Liar | None:
        unit: UnitId | None = getattr(action, "unit", None)
        request = _request_of(action)
        if request is not None:
            liar = next((part for play, part in self._parts if play.fits(request)), None)
            if liar is not None:
                task = request.task(self.domain)
                shards = (unit_id(task, shard) for shard in range(request.shards))
                self._units.update(dict.fromkeys([unit] if unit else shards, liar))
            return liar
        return self._units.get(unit) if unit else None


def _request_of(action: Action) -> Request | None:
    for carrier in (action, getattr(action, "signed", None), getattr(action, "registration", None)):
        found = getattr(carrier, "request", None) or getattr(
            getattr(carrier, "signed", None), "request", None
        )
        if isinstance(found, Request):
            return found
    return None


def main() -> None:
    parser = argparse.ArgumentParser(prog="cheats", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--play", action="append", default=[], metavar="MODE[,…]")
    options, rest = parser.parse_known_args(sys.argv[1:])
    try:
        plays = [parse(text) for text in options.play]
    except ConfigError as error:
        raise SystemExit(f"cheats: {error}") from None
    run_daemon(rest, partial(Cheat, plays=plays), prog="cheats")


if __name__ == "__main__":
    main()
