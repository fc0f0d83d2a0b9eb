"""What a transaction may cost: EIP-1559 fees, and by how much a stuck one is raised (docs/protocol.md §4)."""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.chain.transactions import Fee


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """`gas_max`: the most wei per gas that the operator pays, whatever the chain or an endpoint asks."""

    gas_max: int = 500 * 10**9
    tip_min: int = 10**6

    def first(self, base_fee: int, tip: int) -> Fee | None:
        """Good for six full blocks in a row (2 × base fee). None if the base fee is above gas_max."""
        if base_fee > self.gas_max:
            return None
        tip = max(tip, self.tip_min)
        cap = min(self.gas_max, 2 * base_fee + tip)
        return Fee(cap=cap, tip=min(tip, cap))

    def raised(self, old: Fee, base_fee: int, tip: int) -> Fee | None:
        """12.5 % more than `old`, which every node takes as a replacement, and at least what a first one
        would offer now. None if that is above gas_max.
        """
        cap = old.cap * 9 // 8 + 1
        if cap > self.gas_max:
            return None
        cap = min(self.gas_max, max(cap, 2 * base_fee + tip))
        return Fee(cap=cap, tip=min(cap, max(old.tip * 9 // 8 + 1, tip)))
