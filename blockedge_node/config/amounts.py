"""What people write for money, addresses and hashes, read into integers and bytes."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

UNITS = {"wei": 1, "gwei": 10**9, "ether": 10**18}


def parse_wei(value: object) -> int:
    """An amount in wei from `12`, "12", "5 gwei" or "0.001 ether". Raises ValueError.

    Floats are refused: 0.1 ether is not a binary fraction, and a bare 0.1 does not name its unit.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        amount = Decimal(value)
    elif isinstance(value, str) and len(parts := value.split()) in (1, 2):
        unit = parts[1].lower() if len(parts) == 2 else "wei"
        if unit not in UNITS:
            raise ValueError(f"unknown unit {parts[1]!r}: write wei, gwei or ether")
        try:
            amount = Decimal(parts[0].replace("_", "")) * UNITS[unit]
        except InvalidOperation:
            raise ValueError(f'{value!r} is not an amount: write 1000, "5 gwei" or "0.001 ether"') from None
    else:
        raise ValueError(f'{value!r} is not an amount: write 1000, "5 gwei" or "0.001 ether"')
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise ValueError(f"{value!r} is not a whole number of wei: did you mean ether or gwei?")
    if not 0 <= amount < 2**96:
        raise ValueError(f"{value!r} is out of range: amounts are from 0 to 2^96 - 1 wei")
    return int(amount)


def parse_hex(value: object, size: int) -> bytes:
    """`size` bytes from 0x-hex. Raises ValueError."""
    if isinstance(value, bytes) and len(value) == size:
        return value
    text = value.removeprefix("0x") if isinstance(value, str) else ""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise ValueError(f"{value!r} is not 0x and {2 * size} hex digits")
    return raw
