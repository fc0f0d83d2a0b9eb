"""Do all buckets together equal what the contracts hold? Summed from their events, asked at one block each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from blockedge_node.chain.blocks import block_at
from blockedge_node.chain.reader import CourtReader, Reader
from blockedge_node.chain.rpc import Rpc, RpcRefused
from blockedge_node.chain.watcher import Watcher
from blockedge_node.core.jury import appeal_cost
from blockedge_node.core.rounds import bonded
from blockedge_node.core.unit import Account

PART = 500  # accounts read in one go


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Invariant 1 (docs/protocol.md §11), in wei: free + locked + burned ≤ held at the newest block, and
    stakes + pots ≤ held by the Court at the last confirmed one.
    """

    block: int
    accounts: int
    free: int
    locked: int
    burned: int
    held: int
    stakes: int = 0
    pots: int = 0
    court_held: int = 0

    @property
    def sound(self) -> bool:
        books = self.free + self.locked + self.burned <= self.held
        return books and self.stakes + self.pots <= self.court_held


async def audit(rpc: Rpc, reader: Reader, court: CourtReader | None, watcher: Watcher) -> Audit:
    """Raises Transient."""
    head = await rpc.ask(block_at("latest"))
    burned, held = answers(await rpc.ask_all([reader.burned(head.hash), reader.ether(at=head.hash)]))
    everybody = sorted(watcher.logs.addresses)
    accounts: list[Account] = []
    for i in range(0, len(everybody), PART):
        asks = [reader.account(who, head.hash) for who in everybody[i : i + PART]]
        accounts += answers(await rpc.ask_all(asks))
    return Audit(
        block=head.number,
        accounts=len(accounts),
        free=sum(account.free for account in accounts),
        locked=sum(account.locked for account in accounts),
        burned=burned,
        held=held,
        **await _court_books(rpc, court, watcher),
    )


async def _court_books(rpc: Rpc, court: CourtReader | None, watcher: Watcher) -> dict[str, int]:
    """Stakes and pots as the log says, and what the Court holds at that block."""
    seen = watcher.seen
    if court is None or seen is None:
        return {}
    at = seen.head.hash
    cases = [(view, view.case) for view in seen.views if view.case is not None and not view.case.closed]
    asks = [court.pot(view.unit, 0, at) for view, _ in cases if not bonded(view)]
    held, *pots = answers(await rpc.ask_all([court.ether(at=at), *asks]))
    fees = (
        appeal_cost(r.round, case.case.fee)
        for view, case in cases
        for r in case.rounds
        if r.round or bonded(view)
    )
    stakes = sum(ticket.stake for ticket in seen.tickets)
    return {"stakes": stakes, "pots": sum(pots) + sum(fees), "court_held": held}


def answers(found: Iterable[Any]) -> list[Any]:
    """Raises the first refusal among them."""
    listed = list(found)
    for answer in listed:
        if isinstance(answer, RpcRefused):
            raise answer
    return listed
