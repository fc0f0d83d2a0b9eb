"""Parameters of guests (`--param NAME=VALUE`), checked before anything is paid for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from blockedge_node.errors import ConfigError

_DECIMAL: Final = re.compile(r"-?(?=\.?\d)\d*\.?\d*")
DIGITS: Final = 15  # of a decimal number: exact in 53 bits, so that C and Python round it alike


def whole(params: Mapping[str, str], name: str, low: int, high: int) -> int:
    """A whole number within its limits. Raises ConfigError."""
    text = params[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and low <= int(text) <= high):
        raise ConfigError(f"--param {name} takes a whole number from {low} to {high}, not {text!r}")
    return int(text)


def decimal(text: str, name: str) -> float:
    """A decimal number of at most 15 digits, without exponent. Raises ConfigError."""
    if not _DECIMAL.fullmatch(text) or sum(map(str.isdecimal, text)) > DIGITS:
        raise ConfigError(
            f"--param {name} takes a number like -0.75 of at most {DIGITS} digits, not {text!r}"
        )
    return float(text)


def merged(defaults: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The defaults, overridden. Raises ConfigError for a name that the program does not have."""
    unknown = sorted(given.keys() - defaults.keys())
    if unknown:
        known = ", ".join(f"{name}={value}" for name, value in defaults.items())
        known = f"it takes {known}" if known else "it takes none"
        raise ConfigError(f"the program has no parameter {unknown[0]!r}: {known}")
    return dict(defaults) | dict(given)
