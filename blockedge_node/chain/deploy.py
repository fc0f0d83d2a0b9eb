"""Deploys PowJudge and BlockEdge, for devnets, tests and whoever founds a coalition.

What it returns goes into the coalition's file: each member checks the code hash at start (docs/protocol.md
§1).
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from importlib.resources import files
from typing import Any

import trio

from blockedge_node.chain.blocks import Receipt, receipt_of
from blockedge_node.chain.provider import web3_over
from blockedge_node.chain.reader import Reader
from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused, hex_of, octets
from blockedge_node.chain.transactions import Fee, Payload, sign_transaction
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash
from blockedge_node.core.params import Params
from blockedge_node.errors import ChainError
from blockedge_node.wire.eip712 import address_of

RECEIPT_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One BlockEdge on one chain."""

    chain_id: int
    block_edge: Address
    pow_judge: Address
    block: int  # where BlockEdge's log begins
    code_hash: Hash  # keccak256 of BlockEdge's code


async def deploy(rpc: Rpc, key: bytes, params: Params) -> Deployment:
    """Deploys from `key`'s account and reads the constants back. Raises ChainError, Transient."""
    judge = await _create(rpc, key, "PowJudge")
    created = await _create(rpc, key, "BlockEdge", astuple(params), judge.created)
    assert judge.created is not None
    assert created.created is not None
    code: Ask[bytes] = Ask("eth_getCode", (hex_of(created.created), "latest"), octets)
    read = await rpc.ask(Reader(created.created).params())
    if read != params:
        raise ChainError(f"the deployed constants differ from those given: {read} instead of {params}")
    return Deployment(
        chain_id=await web3_over(rpc).eth.chain_id,
        block_edge=created.created,
        pow_judge=judge.created,
        block=created.block,
        code_hash=keccak256(await rpc.ask(code)),
    )


async def _create(rpc: Rpc, key: bytes, name: str, *args: Any) -> Receipt:
    artifact = json.loads(files("blockedge_node.chain").joinpath("abi", f"{name}.json").read_text())
    w3 = web3_over(rpc)
    sender = address_of(key)
    contract = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    creation = contract.constructor(*args)
    block = await w3.eth.get_block("latest")
    tip = await w3.eth.max_priority_fee
    fee = Fee(cap=2 * int(block.get("baseFeePerGas", 0)) + tip, tip=tip)
    try:
        gas = await creation.estimate_gas({"from": w3.to_checksum_address(sender)})
        nonce = await w3.eth.get_transaction_count(w3.to_checksum_address(sender))
        payload = Payload(to=None, data=octets(creation.data_in_transaction), gas=gas + gas // 10)
        raw, tx = sign_transaction(key, await w3.eth.chain_id, nonce, payload, fee)
        await rpc.ask(Ask("eth_sendRawTransaction", (hex_of(raw),), octets))
    except RpcRefused as error:
        raise ChainError(f"{name} was not deployed: {error}") from error
    with trio.move_on_after(RECEIPT_SECONDS):
        while True:
            receipt = await rpc.ask(receipt_of(tx))
            if receipt is not None:
                if not receipt.ok:
                    raise ChainError(f"the deployment of {name} reverted")
                return receipt
            await trio.sleep(0.05)
    raise ChainError(f"{name} is not deployed after {RECEIPT_SECONDS:g} s: no block holds 0x{tx.hex()}")
