"""EIP-712 structs as frozen dataclasses: one type string, from which words, hash and digest follow.

A subclass states its exact Solidity type string in TYPE and lists its fields in the same order (snake case).
`words()` is abi.encode of the struct, which is also its body on the wire; `parse` is the strict inverse.
Structs here are static but for KeyCard, which brings its own encoding (docs/protocol.md §2.1).
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Self

from blockedge_node.core.hashing import Domain, abi_words, keccak256
from blockedge_node.core.ids import Digest, Hash


@cache
def solidity_types(type_string: str) -> tuple[str, ...]:
    """The member types of a type string, in order: `Ack(bytes32 award,uint40 startAt)` → bytes32, uint40."""
    members = type_string[type_string.index("(") + 1 : -1]
    return tuple(member.split(" ")[0] for member in members.split(","))


@cache
def typehash(type_string: str) -> Hash:
    return keccak256(type_string.encode())


def size_in_bits(solidity: str) -> int:
    return {"address": 160, "bytes32": 256}.get(solidity) or int(solidity.removeprefix("uint"))


class Struct:
    """A signable struct: see the module docstring."""

    __slots__ = ()
    TYPE: ClassVar[str]

    def values(self) -> tuple[int | bytes, ...]:
        return tuple(getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]

    def words(self) -> bytes:
        """abi.encode(struct): 32 bytes a field."""
        return abi_words(*self.values())

    def hash(self) -> Hash:
        """hashStruct of EIP-712."""
        return keccak256(typehash(self.TYPE) + self.words())

    def digest(self, domain: Domain) -> Digest:
        """The 32 bytes that are signed; also the struct's identity."""
        return domain.digest(self.hash())

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """The struct in `body`. Raises ValueError if the length or a field's range is not exact."""
        types = solidity_types(cls.TYPE)
        if len(body) != 32 * len(types):
            raise ValueError(f"{cls.__name__} takes {32 * len(types)} bytes, got {len(body)}")
        values: list[Any] = []
        for i, solidity in enumerate(types):
            raw = body[32 * i : 32 * i + 32]
            if int.from_bytes(raw, "big") >> size_in_bits(solidity):
                raise ValueError(f"{cls.__name__}: field {i} does not fit {solidity}")
            is_number = solidity.startswith("uint")
            values.append(
                int.from_bytes(raw, "big") if is_number else raw[12:] if solidity == "address" else raw
            )
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        return cls(**dict(zip(names, values, strict=True)))
