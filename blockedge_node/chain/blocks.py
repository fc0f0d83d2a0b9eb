"""Blocks, logs and receipts as an endpoint tells them, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blockedge_node.chain.rpc import Ask, hex_of, octets, quantity
from blockedge_node.core.ids import Address, Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    number: int
    hash: Hash
    parent: Hash
    time: int  # seconds
    base_fee: int  # wei per gas; 0 before EIP-1559
    gas_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    address: Address
    topics: tuple[Hash, ...]
    data: bytes
    block: int
    block_hash: Hash
    index: int  # in its block


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    tx: Hash
    ok: bool  # False: reverted
    block: int
    block_hash: Hash
    gas_used: int
    gas_price: int  # wei per gas paid
    created: Address | None  # a deployment's contract
    logs: tuple[Log, ...]


def block_at(at: int | str) -> Ask[Block]:
    """`at`: a number, or "latest". Raises RpcRefused or a fault if the endpoint does not have it."""
    return Ask("eth_getBlockByNumber", (hex_of(at) if isinstance(at, int) else at, False), _block)


def block_if_any(number: int) -> Ask[Block | None]:
    return Ask("eth_getBlockByNumber", (hex_of(number), False), lambda v: None if v is None else _block(v))


def logs_of(block: Hash, *addresses: Address) -> Ask[tuple[Log, ...]]:
    """All their logs of one block by hash: exact, whatever reorg happens meanwhile."""
    return Ask("eth_getLogs", ({"blockHash": hex_of(block), "address": [*map(hex_of, addresses)]},), _logs)


def logs_between(first: int, last: int, *addresses: Address) -> Ask[tuple[Log, ...]]:
    span = {"fromBlock": hex_of(first), "toBlock": hex_of(last), "address": [*map(hex_of, addresses)]}
    return Ask("eth_getLogs", (span,), _logs)


def receipt_of(tx: Hash) -> Ask[Receipt | None]:
    """None while the transaction is in no block."""
    return Ask("eth_getTransactionReceipt", (hex_of(tx),), lambda v: None if v is None else _receipt(v))


def call(to: Address, data: bytes, *, sender: Address | None = None, at: Hash | None = None) -> Ask[bytes]:
    """eth_call at one block by hash, so that an answer belongs to the head it was asked for."""
    tx = {"to": hex_of(to), "data": hex_of(data)}
    if sender is not None:
        tx["from"] = hex_of(sender)
    return Ask("eth_call", (tx, "latest" if at is None else {"blockHash": hex_of(at)}), octets)


def _block(value: Mapping[str, Any]) -> Block:
    return Block(
        number=quantity(value["number"]),
        hash=Hash(octets(value["hash"], 32)),
        parent=Hash(octets(value["parentHash"], 32)),
        time=quantity(value["timestamp"]),
        base_fee=quantity(value.get("baseFeePerGas") or 0),
        gas_limit=quantity(value["gasLimit"]),
    )


def _log(value: Mapping[str, Any]) -> Log:
    return Log(
        address=Address(octets(value["address"], 20)),
        topics=tuple(Hash(octets(topic, 32)) for topic in value["topics"]),
        data=octets(value["data"]),
        block=quantity(value["blockNumber"]),
        block_hash=Hash(octets(value["blockHash"], 32)),
        index=quantity(value["logIndex"]),
    )


def _logs(value: list[Mapping[str, Any]]) -> tuple[Log, ...]:
    if not isinstance(value, list):
        raise ValueError("logs are not a list")
    return tuple(sorted(map(_log, value), key=lambda log: (log.block, log.index)))


def _receipt(value: Mapping[str, Any]) -> Receipt:
    created = value.get("contractAddress")
    return Receipt(
        tx=Hash(octets(value["transactionHash"], 32)),
        ok=quantity(value["status"]) == 1,
        block=quantity(value["blockNumber"]),
        block_hash=Hash(octets(value["blockHash"], 32)),
        gas_used=quantity(value["gasUsed"]),
        gas_price=quantity(value["effectiveGasPrice"]),
        created=Address(octets(created, 20)) if created else None,
        logs=_logs(value["logs"]),
    )
