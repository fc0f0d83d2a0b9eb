"""ports.Chain of one simulated node, as chain/sender.py does it: a forecast on each head, then sign and send.

What is signed is on disk before it is broadcast: it survives the node's crashes, is broadcast again at every
head while no block holds it, and an equal call after a restart finds it by its key. A call that was mined without
effect waits for a better head, like one that is not signed yet. A transaction holds one call: batching is
tested with the real sender.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import trio

from blockedge_node.chain.calls import function_of
from blockedge_node.chain.standings import Standings
from blockedge_node.core.actions import ChainAction
from blockedge_node.core.events import CallMined
from blockedge_node.core.ids import Address
from blockedge_node.core.unit import Standing
from tests.sim.evm import SimChain, Tx, tx_of

GATHER = 0.05  # seconds before a new call is sent, as the real sender waits for others to join
GAS_PRICE = 10**9  # wei


class Wallet:
    """One life of it; `signed` is the disk that outlives it, `told` hears of each call that is signed."""

    def __init__(
        self,
        chain: SimChain,
        me: Address,
        signed: list[Tx],
        chance: Random,
        lost: float,
        told: Callable[[ChainAction], None],
    ) -> None:
        self._chain, self._me, self._signed, self._told = chain, me, signed, told
        self._chance, self._lost = chance, lost
        self._standings = Standings(self._read)
        self._seen = chain.head.number

    async def send(self, call: ChainAction) -> CallMined:
        fresh = tx_of(self._me, call)
        await trio.sleep(GATHER)
        while True:
            head = self._chain.head
            tx = self._find(fresh.key)
            if tx is None and not self._chain.forecast(fresh):
                tx = replace(fresh)
                self._signed.append(tx)
                self._told(call)
                self._broadcast(tx)
            if tx is not None and tx.block is not None:
                if tx.done:
                    return _mined(call, tx)
                self._signed.remove(tx)
                continue
            await self._chain.next_block(head.hash)

    def look_after(self) -> None:
        """Every head: what no block holds goes out again; balances that moved are asked for again."""
        for who in self._chain.moved(since=self._seen):
            self._standings.moved(who)
        self._seen = self._chain.head.number
        for tx in self._signed:
            if tx.block is None:
                self._broadcast(tx)

    async def standing(self, who: Address) -> Standing | None:
        """At most 30 s old for others, as the real adapter caches it."""
        return self._chain.standing(who) if who == self._me else await self._standings.get(who)

    async def _read(self, who: Address) -> Standing:
        return self._chain.standing(who)

    def _find(self, key: str) -> Tx | None:
        return next((tx for tx in self._signed if tx.key == key), None)

    def _broadcast(self, tx: Tx) -> None:
        if self._chance.random() >= self._lost:
            self._chain.accept(tx)


def _mined(call: ChainAction, tx: Tx) -> CallMined:
    assert tx.block is not None
    return CallMined(
        unit=call.unit, call=function_of(call), tx=tx.hash, block=tx.block, gas=tx.gas, fee=tx.gas * GAS_PRICE
    )
