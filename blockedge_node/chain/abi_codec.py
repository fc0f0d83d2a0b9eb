"""The contracts' ABI, read from abi/*.json: names to bytes and bytes to names.

Bytes are `bytes` and addresses 20 of them, in both directions; structs are tuples of their members in order.
Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode as _decode
from eth_abi.abi import encode as _encode
from eth_abi.exceptions import DecodingError

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Hash

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter or struct member: `type` is Solidity's, a struct's is written out as (uint8,bytes32,…)."""

    name: str
    type: str
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """A function, event or error."""

    name: str
    inputs: tuple[Member, ...]
    outputs: tuple[Member, ...] = ()

    @property
    def hash(self) -> Hash:
        return keccak256(f"{self.name}({','.join(m.type for m in self.inputs)})".encode())

    @property
    def selector(self) -> bytes:
        return self.hash[:4]


@dataclass(frozen=True, slots=True)
class Abi:
    functions: Mapping[str, Signature]
    events: Mapping[bytes, Signature]  # by topic 0
    errors: Mapping[bytes, Signature]  # by selector
    constructor: Signature
    bytecode: bytes  # deployment code, without arguments

    def call(self, function: str, *args: Any) -> bytes:
        """The calldata of a call."""
        signature = self.functions[function]
        return signature.selector + encode([m.type for m in signature.inputs], args)

    def returned(self, function: str, data: bytes) -> Values:
        """What a call returned. Raises ValueError if the bytes are not that."""
        return decode([m.type for m in self.functions[function].outputs], data)

    def creation(self, *args: Any) -> bytes:
        """The data of a deployment."""
        return self.bytecode + encode([m.type for m in self.constructor.inputs], args)

    def log(self, topics: Sequence[bytes], data: bytes) -> tuple[str, Values] | None:
        """An event's name and its values in declared order; None if it is not one of ours.

        Raises ValueError if it claims to be ours and does not decode.
        """
        event = self.events.get(topics[0]) if topics else None
        if event is None:
            return None
        indexed = [m for m in event.inputs if m.indexed]
        if len(topics) != 1 + len(indexed):
            raise ValueError(f"{event.name} with {len(topics)} topics")
        plain = iter(decode([m.type for m in event.inputs if not m.indexed], data))
        hot = iter([decode([m.type], topic)[0] for m, topic in zip(indexed, topics[1:], strict=True)])
        return event.name, tuple(next(hot) if m.indexed else next(plain) for m in event.inputs)

    def error(self, data: bytes) -> tuple[Signature, Values] | None:
        """A custom error and its arguments; None if the bytes are none of ours."""
        signature = self.errors.get(data[:4])
        if signature is None:
            return None
        try:
            return signature, decode([m.type for m in signature.inputs], data[4:])
        except ValueError:
            return None


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    return _encode(list(types), list(values))


def decode(types: Sequence[str], data: bytes) -> Values:
    """Raises ValueError if the bytes are not of these types."""
    try:
        values = _decode(list(types), data)
    except (DecodingError, OverflowError) as error:
        raise ValueError(f"not ({','.join(types)}): {error}") from None
    return tuple(_plain(value) for value in values)


def _plain(value: Any) -> Any:
    """eth-abi writes addresses as 0x-hex; no other ABI type of ours is text."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return bytes.fromhex(value[2:]) if isinstance(value, str) else value


@cache
def contract(name: str) -> Abi:
    """`BlockEdge` or `PowJudge`, from abi/<name>.json: {"abi": […], "bytecode": "0x…"}."""
    artifact = json.loads(files("blockedge_node.chain").joinpath("abi", f"{name}.json").read_text())
    return parse(artifact["abi"], artifact["bytecode"])


def parse(entries: Sequence[Mapping[str, Any]], bytecode: str = "0x") -> Abi:
    by_kind: dict[str, list[Signature]] = {"function": [], "event": [], "error": [], "constructor": []}
    for entry in entries:
        if entry["type"] in by_kind:
            by_kind[entry["type"]].append(_signature(entry))
    return Abi(
        functions={s.name: s for s in by_kind["function"]},
        events={s.hash: s for s in by_kind["event"]},
        errors={s.selector: s for s in by_kind["error"]},
        constructor=next(iter(by_kind["constructor"]), Signature("", ())),
        bytecode=bytes.fromhex(bytecode.removeprefix("0x")),
    )


def _signature(entry: Mapping[str, Any]) -> Signature:
    return Signature(
        name=entry.get("name", ""),
        inputs=tuple(map(_member, entry.get("inputs", ()))),
        outputs=tuple(map(_member, entry.get("outputs", ()))),
    )


def _member(entry: Mapping[str, Any]) -> Member:
    return Member(entry["name"], _type(entry), bool(entry.get("indexed", False)))


def _type(entry: Mapping[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(_type, entry['components']))}){kind.removeprefix('tuple')}"
