"""Balances and reputations of strangers, read at the door for every signer of a message (docs/protocol.md
§2.3).

A cache, 30 s old at most, with a budget of 20 new signers per second: beyond it a stranger is not looked up,
so that a flood of signatures costs the flooder more than us. Several askers for one address share one look.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import trio

from blockedge_node.core.ids import Address
from blockedge_node.core.unit import Standing

AGE_MAX = 30.0  # seconds
NEW_PER_SECOND = 20.0
ENTRIES_MAX = 10_000


class Standings:
    """`read` asks the chain; it raises Transient."""

    def __init__(self, read: Callable[[Address], Awaitable[Standing]]) -> None:
        self._read = read
        self._known: OrderedDict[Address, tuple[float, Standing]] = OrderedDict()
        self._reading: dict[Address, trio.Event] = {}
        self._budget = NEW_PER_SECOND
        self._refilled = trio.current_time()

    async def get(self, who: Address) -> Standing | None:
        """At most 30 s old; None if the budget is spent. Raises Transient if the chain cannot be read."""
        while who in self._reading:
            await self._reading[who].wait()
        now = trio.current_time()
        known = self._known.get(who)
        if known is not None and now - known[0] < AGE_MAX:
            return known[1]
        if not self._spend(now, new=known is None):
            return None
        self._reading[who] = trio.Event()
        try:
            standing = await self._read(who)
        finally:
            self._reading.pop(who).set()
        self._known[who] = (trio.current_time(), standing)
        self._known.move_to_end(who)
        if len(self._known) > ENTRIES_MAX:
            self._known.popitem(last=False)
        return standing

    def moved(self, who: Address) -> None:
        """The chain's log says that this balance changed: the next look asks again."""
        known = self._known.get(who)
        if known is not None:
            self._known[who] = (-AGE_MAX, known[1])

    def _spend(self, now: float, *, new: bool) -> bool:
        if not new:
            return True  # known signers are bounded by the cache's age
        self._budget = min(NEW_PER_SECOND, self._budget + (now - self._refilled) * NEW_PER_SECOND)
        self._refilled = now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True
