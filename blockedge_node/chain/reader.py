"""The contracts' views as questions for one block: balances, reputations, slots, constants; tickets and cases.

Every question is asked at a block by its hash, so that figures read together belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from blockedge_node.chain.abi_codec import Values, contract
from blockedge_node.chain.blocks import call
from blockedge_node.chain.book import CaseSlot, Slot
from blockedge_node.chain.events import Source
from blockedge_node.chain.rpc import Ask, hex_of, quantity
from blockedge_node.core.court import Ticket
from blockedge_node.core.ids import Address, Hash, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.unit import Account, Reputation

T = TypeVar("T")
SLOTS_PER_CALL = 256  # keeps a phaseOf well under the gas that nodes allow to a call


class _Views:
    """Questions to the contract `source` at one address."""

    source: Source

    def __init__(self, address: Address) -> None:
        self.address = address

    def ether(self, who: Address | None = None, at: Hash | None = None) -> Ask[int]:
        """Native balance in wei; the contract's own if nobody is named."""
        block = "latest" if at is None else {"blockHash": hex_of(at)}
        return Ask("eth_getBalance", (hex_of(who or self.address), block), quantity)

    def _view(self, at: Hash | None, make: Callable[[Values], T], function: str, *args: Any) -> Ask[T]:
        abi = contract(self.source)
        question = call(self.address, abi.call(function, *args), at=at)
        return Ask(
            question.method, question.params, lambda raw: make(abi.returned(function, question.read(raw)))
        )


class Reader(_Views):
    """Questions to one BlockEdge contract. `at` None: the newest block."""

    source: Source = "BlockEdge"

    def account(self, who: Address, at: Hash | None = None) -> Ask[Account]:
        return self._view(at, lambda values: Account(**_named(Account, values[0])), "accountOf", who)

    def reputation(self, who: Address, at: Hash | None = None) -> Ask[Reputation]:
        return self._view(at, lambda values: Reputation(**_named(Reputation, values)), "repOf", who)

    def slots(self, units: Sequence[UnitId], at: Hash | None = None) -> list[Ask[list[Slot]]]:
        """The units' slots, in order, as several questions of at most SLOTS_PER_CALL."""
        parts = [units[i : i + SLOTS_PER_CALL] for i in range(0, len(units), SLOTS_PER_CALL)]
        return [self._view(at, _slots_of(len(part)), "phaseOf", list(part)) for part in parts]

    def params(self, at: Hash | None = None) -> Ask[Params]:
        return self._view(at, lambda values: Params(**_named(Params, values[0])), "params")

    def burned(self, at: Hash | None = None) -> Ask[int]:
        return self._view(at, lambda values: int(values[0]), "burned")


class CourtReader(_Views):
    """Questions to one Court. `at` None: the newest block."""

    source: Source = "Court"

    def block_edge(self, at: Hash | None = None) -> Ask[Address]:
        """Whose court it is."""
        return self._view(at, lambda values: Address(values[0]), "blockEdge")

    def tickets(self, at: Hash | None = None) -> Ask[int]:
        """How many were ever staked."""
        return self._view(at, lambda values: int(values[0]), "tickets")

    def ticket(self, ticket: int, at: Hash | None = None) -> Ask[Ticket]:
        def make(values: Values) -> Ticket:
            owner, staked_at, left_at, stake = values[0]
            return Ticket(id=ticket, owner=owner, staked_at=staked_at, left_at=left_at, stake=stake)

        return self._view(at, make, "ticketOf", ticket)

    def pot(self, unit: UnitId, round: int, at: Hash | None = None) -> Ask[int]:
        """Wei that a round of a case was funded with; 0 for a first round that the accuser's bond paid for."""
        return self._view(at, lambda values: int(values[0][1]), "fundingOf", unit, round)

    def case(self, unit: UnitId, at: Hash | None = None) -> Ask[CaseSlot]:
        return self._view(at, lambda values: CaseSlot(*values[0][:4]), "caseOf", unit)


def _named(cls: Any, values: Values) -> dict[str, Any]:
    """The contract's structs have our dataclasses' members in our order."""
    names = [field.name for field in fields(cls)]
    if len(names) != len(values):
        raise ValueError(f"{cls.__name__} has {len(names)} members, got {len(values)}")
    return dict(zip(names, values, strict=True))


def _slots_of(count: int) -> Callable[[Values], list[Slot]]:
    def make(values: Values) -> list[Slot]:
        (states,) = values
        if len(states) != count:
            raise ValueError(f"{len(states)} slots for {count} units")
        return [Slot(phase, since, digest) for phase, _docket, since, digest in states]

    return make
