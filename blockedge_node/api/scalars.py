"""Scalars of the API: bytes and integers inside, 0x-hex and decimal strings outside.

Wei are decimal *strings*, as a JSON number beyond 2^53 is read wrongly by every browser.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema


def _bytes(size: int | None, value: object) -> bytes:
    if isinstance(value, bytes):
        raw = value
    elif isinstance(value, str) and value.startswith("0x"):
        try:
            raw = bytes.fromhex(value[2:])
        except ValueError:
            raise ValueError("not 0x-hex") from None
    else:
        raise ValueError("write 0x and hex digits")
    if size is not None and len(raw) != size:
        raise ValueError(f"takes {size} bytes, got {len(raw)}")
    return raw


def _wei(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**96:
        raise ValueError('write wei as a decimal string below 2^96, e.g. "1000000000000000"')
    return value


def hex_text(raw: bytes) -> str:
    return "0x" + raw.hex()


_AS_HEX = PlainSerializer(hex_text, return_type=str)
_AS_TEXT = PlainSerializer(str, return_type=str)

Address = Annotated[
    bytes,
    BeforeValidator(partial(_bytes, 20)),
    _AS_HEX,
    WithJsonSchema({"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}),
]
Bytes32 = Annotated[
    bytes,
    BeforeValidator(partial(_bytes, 32)),
    _AS_HEX,
    WithJsonSchema({"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}),
]
Wei = Annotated[
    int, BeforeValidator(_wei), _AS_TEXT, WithJsonSchema({"type": "string", "pattern": "^[0-9]+$"})
]
# Sums and differences of balances: may be negative or past uint96.
WeiSum = Annotated[int, _AS_TEXT, WithJsonSchema({"type": "string", "pattern": "^-?[0-9]+$"})]
Ppm = Annotated[int, Field(ge=0, le=1_000_000)]
Bps = Annotated[int, Field(ge=0, le=10_000)]
