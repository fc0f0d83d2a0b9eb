"""Balances: fund, exit, withdraw, flushBurn (§1)."""

from __future__ import annotations

from blockedge_node.core.ids import Address
from tests.model.objections import require
from tests.model.world import World

MOST = (1 << 96) - 1  # wei that the contract's words can hold
BURN_ADDRESS = Address(bytes(18) + b"\xde\xad")


def fund(world: World, sender: Address, value: int) -> None:
    require((world.books.ether + value > MOST, "BadTerms(value)"))
    world.books.pay_in(sender, value)
    world.emit("Funded", account=sender, amount=value)


def exit(world: World, sender: Address, amount: int) -> None:
    account = world.books.accounts[sender]
    account.exit_at = world.now + world.params.unbond if amount else 0
    account.exit_amount = amount
    world.emit("ExitRequested", account=sender, amount=amount, exitAt=account.exit_at)


def withdraw(world: World, sender: Address) -> None:
    account = world.books.accounts[sender]
    require((account.exit_at == 0, "NotExiting"))
    require((world.now < account.exit_at, "TooEarly"))
    amount = min(account.free, account.exit_amount)
    account.exit_at = account.exit_amount = 0
    world.books.pay_out(sender, amount)
    world.paid_out.append((sender, amount))
    world.emit("Withdrawn", account=sender, amount=amount)


def flush_burn(world: World, sender: Address) -> None:
    amount, world.books.burned = world.books.burned, 0
    world.books.ether -= amount
    world.paid_out.append((BURN_ADDRESS, amount))
    world.emit("Burned", amount=amount)
