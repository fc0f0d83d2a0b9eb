"""The cache at the door: fresh enough, shared, and with a budget for strangers. On trio's own clock."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from blockedge_node.chain.standings import AGE_MAX, ENTRIES_MAX, Standings
from blockedge_node.core.ids import Address
from blockedge_node.core.unit import Account, Standing
from blockedge_node.errors import Transient


class Ledger:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[Address] = []
        self.away = False

    async def read(self, who: Address) -> Standing:
        self.asked.append(who)
        await trio.sleep(0.01)
        if self.away:
            raise Transient("no endpoint")
        return Standing(account=Account(free=len(self.asked)))


def who(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


async def test_an_answer_is_kept_for_30_seconds(autojump_clock: MockClock) -> None:
    ledger = Ledger()
    standings = Standings(ledger.read)
    first = await standings.get(who(1))
    await trio.sleep(AGE_MAX - 1)
    assert await standings.get(who(1)) == first
    await trio.sleep(2)
    assert await standings.get(who(1)) != first
    standings.moved(who(1))
    standings.moved(who(2))
    await standings.get(who(1))
    assert len(ledger.asked) == 3


async def test_strangers_beyond_20_a_second_are_not_looked_up(autojump_clock: MockClock) -> None:
    ledger = Ledger()
    standings = Standings(ledger.read)
    found: list[Standing | None] = []

    async def ask(number: int) -> None:
        found.append(await standings.get(who(number)))

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(ask, number)
    assert sum(standing is not None for standing in found) == 20
    assert len(ledger.asked) == 20
    await trio.sleep(1)
    assert await standings.get(who(1_000)) is not None
    known = ledger.asked[0]
    await trio.sleep(AGE_MAX + 1)
    assert await standings.get(known) is not None  # who is known is looked up again in any case


async def test_many_askers_share_one_look(autojump_clock: MockClock) -> None:
    ledger = Ledger()
    standings = Standings(ledger.read)
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(standings.get, who(1))
    assert len(ledger.asked) == 1


async def test_a_failed_look_is_not_kept(autojump_clock: MockClock) -> None:
    ledger = Ledger()
    standings = Standings(ledger.read)
    ledger.away = True
    with pytest.raises(Transient):
        await standings.get(who(1))
    ledger.away = False
    assert await standings.get(who(1)) is not None


async def test_the_cache_has_an_end(autojump_clock: MockClock) -> None:
    standings = Standings(Ledger().read)
    for number in range(ENTRIES_MAX + 5):
        standings._budget = 1
        await standings.get(who(number))
    assert len(standings._known) == ENTRIES_MAX
