"""EIP-1559 transactions, signed here: RLP of type 2 and one signature, nothing else is ever sent.

Signing is deterministic (RFC 6979), so the same fields always give the same bytes and the same hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Digest, Hash
from blockedge_node.wire.eip712 import sign

TYPE_2 = b"\x02"
Rlp = bytes | int | Sequence["Rlp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a transaction does, whatever nonce and fee it goes under. `to` None: deploys `data`."""

    to: Address | None
    data: bytes = b""
    value: int = 0  # wei
    gas: int = 21_000


@dataclass(frozen=True, slots=True)
class Fee:
    """Wei per gas: `cap` in all, of which `tip` at most for whoever makes the block."""

    cap: int
    tip: int


def sign_transaction(key: bytes, chain_id: int, nonce: int, payload: Payload, fee: Fee) -> tuple[bytes, Hash]:
    """The raw transaction and its hash."""
    fields: list[Rlp] = [
        chain_id,
        nonce,
        fee.tip,
        fee.cap,
        payload.gas,
        payload.to or b"",
        payload.value,
        payload.data,
        [],
    ]
    digest = Digest(keccak256(TYPE_2 + rlp(fields)))
    compact = sign(key, digest)  # EIP-2098: r ‖ parity << 255 | s
    packed = int.from_bytes(compact[32:], "big")
    parity, s = packed >> 255, packed & ((1 << 255) - 1)
    raw = TYPE_2 + rlp([*fields, parity, int.from_bytes(compact[:32], "big"), s])
    return raw, keccak256(raw)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a raw transaction of ours says."""

    chain_id: int
    nonce: int
    payload: Payload
    fee: Fee


def read_transaction(raw: bytes) -> Signed:
    """The inverse of sign_transaction, for those that come back from disk. Raises ValueError."""
    if raw[:1] != TYPE_2:
        raise ValueError("not a type 2 transaction")
    fields, rest = _read_rlp(raw[1:])
    if rest or not isinstance(fields, list) or len(fields) != 12:
        raise ValueError("not a signed type 2 transaction")
    chain_id, nonce, tip, cap, gas, to, value, data, *_ = fields
    number = [int.from_bytes(field, "big") for field in (chain_id, nonce, tip, cap, gas, value)]
    payload = Payload(to=Address(to) if to else None, data=data, value=number[5], gas=number[4])
    return Signed(number[0], number[1], payload, Fee(cap=number[3], tip=number[2]))


def created_by(sender: Address, nonce: int) -> Address:
    """Where the contract will stand that `sender`'s transaction `nonce` deploys (CREATE)."""
    return Address(keccak256(rlp([sender, nonce]))[12:])


def rlp(item: Rlp) -> bytes:
    """Recursive length prefix, the EVM's own serialisation (yellow paper, appendix B)."""
    if isinstance(item, int):
        return rlp(item.to_bytes((item.bit_length() + 7) // 8, "big"))
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(0x80, len(item)) + item
    body = b"".join(map(rlp, item))
    return _prefix(0xC0, len(body)) + body


def _prefix(offset: int, length: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size


def _read_rlp(raw: bytes) -> tuple[Any, bytes]:
    """The first item and what follows it. Raises ValueError if the lengths do not fit."""
    first = raw[0] if raw else 0
    if first < 0x80:
        return raw[:1], raw[1:]
    is_list = first >= 0xC0
    length = first - (0xC0 if is_list else 0x80)
    start = 1
    if length > 55:
        start += length - 55
        length = int.from_bytes(raw[1:start], "big")
    body, rest = raw[start : start + length], raw[start + length :]
    if len(body) != length:
        raise ValueError("truncated")
    if not is_list:
        return body, rest
    items = []
    while body:
        item, body = _read_rlp(body)
        items.append(item)
    return items, rest
