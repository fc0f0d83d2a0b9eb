"""The deployment's constants, read from the contract and never from a node's configuration (§7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from blockedge_node.core.ids import ZERO_ADDRESS, Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Times in seconds, money in wei, REF_FUEL in fuel per second."""

    fee_bps: int
    spot_bps_min: int
    seat: int
    grace: int
    secret: int
    reveal: int
    challenge: int
    report: int
    max_award: int
    ref_fuel: int
    vwin_base: int
    vwin_max: int
    ticket_age: int
    unbond: int
    defend: int
    jcommit: int
    jreveal: int
    appeal: int
    da_window: int
    fee_unit: int
    bid_blocks: int
    court: Address = ZERO_ADDRESS

    def vwin(self, fuel: int) -> int:
        """VWIN_BASE + ⌈3 · fuel / REF_FUEL⌉ seconds: time for a slow node to recompute (§3.3)."""
        return self.vwin_base + -(-3 * fuel // self.ref_fuel)

    @property
    def fuel_cap(self) -> int:
        return (self.vwin_max - self.vwin_base) * self.ref_fuel // 3
