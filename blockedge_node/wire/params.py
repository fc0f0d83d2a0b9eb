"""A deployment's constants as they are written down: config/params.*.json, or the contract's own answer.

Keys are the contract's member names (`feeBps`, `maxAward`); the node's own spelling (`fee_bps`) and capitals
(`FEE_BPS`) are read as well. Integers may be JSON numbers or decimal strings, as JSON readers round beyond 2^53.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from blockedge_node.core.ids import Address
from blockedge_node.core.params import Params
from blockedge_node.errors import ConfigError


def load_params(source: str | bytes | Mapping[str, Any]) -> Params:
    """Params from JSON text, or from names and values. Raises ConfigError for a missing, unknown or bad value."""
    values = _flat(_parsed(source) if isinstance(source, str | bytes) else source)
    names = {f.name.replace("_", ""): f.name for f in fields(Params)}
    if unknown := values.keys() - names.keys():
        raise ConfigError(f"the parameters have no {', '.join(sorted(unknown))}")
    if missing := names.keys() - values.keys() - {"court"}:
        raise ConfigError(f"the parameters lack {', '.join(sorted(names[name] for name in missing))}")
    known = {
        names[name]: _address(value) if name == "court" else _number(names[name], value)
        for name, value in values.items()
    }
    return Params(**known)  # type: ignore[arg-type]


def dump_params(params: Params) -> dict[str, int | str]:
    """The inverse, under the contract's names; what exceeds 32 bits as decimal strings, addresses as 0x-hex."""
    return {_camel(f.name): _plain(getattr(params, f.name)) for f in fields(params)}


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the parameters are not JSON: {error}") from error


def _flat(values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise ConfigError("the parameters are not a JSON object")
    return {str(name).replace("_", "").lower(): value for name, value in values.items()}


def _number(name: str, value: Any) -> int:
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if type(number) is not int or not 0 <= number < 1 << 96:
        raise ConfigError(f"{name} = {value!r} is not an integer of at most 96 bits")
    return number


def _address(value: Any) -> Address:
    try:
        raw = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
    except (ValueError, TypeError):
        raw = b""
    if len(raw) != 20:
        raise ConfigError(f"court = {value!r} is not an address")
    return Address(raw)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: int | bytes) -> int | str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value if value < 1 << 32 else str(value)
