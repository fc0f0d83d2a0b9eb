"""Whose money it is: every wei is free, locked or burned, and moves only through these few functions.

fund ─▶ free ──lock──▶ locked ──split──▶ free of others, or burned
         └─▶ withdraw                     (what a split does not give to anybody burns)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from blockedge_node.core.ids import Address

Share = tuple[Address, int]  # who, how many wei


@dataclass(slots=True)
class Account:
    free: int = 0
    locked: int = 0
    exit_at: int = 0  # 0: not exiting
    exit_amount: int = 0


class Books:
    """The accounts of BlockEdge. `ether` is what the contract holds: always the sum of all three (invariant 1)."""

    def __init__(self) -> None:
        self.accounts: defaultdict[Address, Account] = defaultdict(Account)
        self.burned = 0
        self.ether = 0
        self.touched: set[Address] = set()  # since a reader emptied it

    def free(self, who: Address) -> int:
        return self.accounts[who].free

    def pay_in(self, who: Address, amount: int) -> None:
        self.touched.add(who)
        self.accounts[who].free += amount
        self.ether += amount

    def pay_out(self, who: Address, amount: int) -> None:
        self.touched.add(who)
        self.accounts[who].free -= amount
        self.ether -= amount

    def lock(self, who: Address, amount: int) -> None:
        self.touched.add(who)
        self.accounts[who].free -= amount
        self.accounts[who].locked += amount

    def split(self, locks: Iterable[Share], gets: Iterable[Share], *, came: int = 0, left: int = 0) -> int:
        """Ends `locks`, credits `gets`, and burns the rest. `came`: wei that came into the contract to be split
        with them, `left`: wei that leave it. Returns what burned.
        """
        rest = came - left
        for who, amount in locks:
            self.touched.add(who)
            self.accounts[who].locked -= amount
            assert self.accounts[who].locked >= 0, "more unlocked than was locked"
            rest += amount
        for who, amount in gets:
            assert amount >= 0, "a negative share"
            self.touched.add(who)
            self.accounts[who].free += amount
            rest -= amount
        assert rest >= 0, "more shared out than was taken"
        self.burned += rest
        self.ether += came - left
        return rest

    def sum(self) -> int:
        return self.burned + sum(account.free + account.locked for account in self.accounts.values())
