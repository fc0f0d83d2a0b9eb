"""How a table becomes JSON, and where its values come from: see README.md for the format."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from blockedge_node.core import selection
from blockedge_node.core.hashing import Domain, keccak256
from blockedge_node.core.ids import Hash, Secret
from blockedge_node.core.structs import size_in_bits, solidity_types
from blockedge_node.core.task import Bid, Request
from blockedge_node.core.unit import Terms
from blockedge_node.wire.params import load_params

CONFIG = Path(__file__).resolve().parents[2] / "config"
DOMAIN = Domain(31337, bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3"))
PARAMS = load_params((CONFIG / "params.dev.json").read_bytes())
NOW = 1_790_000_000

Json = dict[str, Any]
EXACT = 1 << 53  # a JSON reader may round beyond


# ── columns: a table is an object of equally long arrays, which forge reads with vm.parseJson…Array ────────


def table(rows: list[dict[str, Any]]) -> Json:
    names = list(rows[0])
    assert all(list(row) == names for row in rows)
    return {name: column([row[name] for row in rows]) for name in names}


def column(values: list[Any]) -> list[Any]:
    """A column of integers is all numbers, or all decimal strings if one of them is not exact in a double."""
    plain = [json_value(value) for value in values]
    wide = any(type(value) is int and value >= EXACT for value in plain)
    return [str(value) if wide else value for value in plain]


def json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value if isinstance(value, bool | str) else int(value)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def row_of(item: Any) -> dict[str, Any]:
    """A struct's fields under the contract's names."""
    return {camel(f.name): getattr(item, f.name) for f in fields(item)}


# ── values that are the same at every run ──────────────────────────────────────────────────────


class Source:
    def __init__(self, name: str) -> None:
        self._state = keccak256(name.encode())

    def word(self) -> Hash:
        self._state = keccak256(self._state)
        return self._state

    def below(self, bound: int) -> int:
        return int.from_bytes(self.word() + self.word(), "big") % bound

    def address(self) -> bytes:
        return self.word()[:20]

    def secret(self) -> Secret:
        return Secret(self.word())


def a_request(source: Source, **changes: Any) -> Request:
    price = 1 + source.below(10**19)
    request = Request(
        requester=source.address(),
        nonce=source.below(1 << 64),
        ue=source.address(),
        kind=1 + source.below(2),
        mode=0,
        shards=1 + source.below(1024),
        program=source.word(),
        input_root=source.word(),
        fuel=source.below(PARAMS.fuel_cap),
        max_price=price,
        min_deposit=source.below(20 * price),
        max_delay=1 + source.below(604_800),
        rep_min=source.below(300_000),
        rep_max=1_000_000 - source.below(300_000),
        w_price=(w_price := source.below(10_001)),
        w_delay=(w_delay := source.below(10_001 - w_price)),
        w_rep=10_000 - w_price - w_delay,
        expiry=NOW + source.below(100_000),
    )
    return replace(request, **changes)


def a_bid(source: Source, request: Request, **changes: Any) -> Bid:
    price = 1 + source.below(request.max_price)
    bid = Bid(
        task=request.task(DOMAIN),
        shard=source.below(request.shards),
        worker=source.address(),
        price=price,
        deposit=selection.least_deposit(request, price) + source.below(1000),
        delay=1 + source.below(request.max_delay),
        rep=source.below(1_000_001),
        expiry=NOW + source.below(100_000),
    )
    return replace(bid, **changes)


def extreme(cls: type[Any], value: int) -> Any:
    """A struct whose every field is 0, or the largest of its type."""

    def fill(solidity: str) -> int | bytes:
        bits = size_in_bits(solidity)
        if solidity.startswith("uint"):
            return ((1 << bits) - 1) * value
        return bytes([0xFF * value]) * (bits // 8)

    values = map(fill, solidity_types(cls.TYPE))
    return cls(**{f.name: v for f, v in zip(fields(cls), values, strict=True)})


def a_terms(source: Source) -> Terms:
    return Terms(
        task=source.word(),
        shard=source.below(1 << 16),
        kind=1 + source.below(2),
        mode=source.below(4),
        spot_bps=source.below(10_001),
        requester=source.address(),
        worker=source.address(),
        price=source.below(1 << 96),
        deposit=source.below(1 << 96),
        check_fee=source.below(1 << 96),
        delay=source.below(1 << 32),
        vwin=source.below(3600),
        draw_commit=source.word(),
    )
