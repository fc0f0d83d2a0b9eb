"""What is offered where the user said nothing: fuel, price and time of a unit."""

from __future__ import annotations

from typing import Final

GFUEL: Final = 10**9
# --max-price: thrice what a node asks by the defaults of node.toml, so that dearer ones may bid too.
PRICE_FLOOR, PRICE_PER_GFUEL, HEADROOM = 10**13, 10**14, 3
# --delay: a queue of a few such units on a node of the default speed.
SLOWEST, QUEUE, LEAST_DELAY = 500_000_000, 4, 60
FUEL_MARGIN: Final = 1.5  # over dry runs: shards of one size may differ, by sorting or growing tables


def default_price(fuel: int) -> int:
    """The most that is paid for a unit of so much fuel, in wei."""
    return HEADROOM * (PRICE_FLOOR + fuel * PRICE_PER_GFUEL // GFUEL)


def default_delay(fuel: int) -> int:
    """The most seconds that a unit of so much fuel may take."""
    return LEAST_DELAY + QUEUE * fuel // SLOWEST


def with_margin(fuel_used: int) -> int:
    """The fuel to allow for units of which one burnt so much."""
    return int(fuel_used * FUEL_MARGIN) + 10**6
