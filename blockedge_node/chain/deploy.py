"""Deploys PowJudge, Court and BlockEdge, for devnets, tests and whoever founds a coalition.

Court and BlockEdge name each other, and neither can be changed later: so the Court is told the address that
BlockEdge will have, which follows from the deployer's account and nonce, and BlockEdge refuses to be created
anywhere else. What `deploy` returns goes into the coalition's file: each member checks the code hashes at start
(docs/protocol.md §1).
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, replace
from importlib.resources import files
from typing import Any

import trio

from blockedge_node.chain.blocks import Receipt, receipt_of
from blockedge_node.chain.provider import web3_over
from blockedge_node.chain.reader import CourtReader, Reader
from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused, hex_of, octets, quantity
from blockedge_node.chain.transactions import Fee, Payload, rlp, sign_transaction
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Hash
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
    court: Address | None
    block: int  # where the logs begin
    code_hash: Hash  # keccak256 of BlockEdge's code
    judge_code_hash: Hash
    court_code_hash: Hash | None

    @property
    def others(self) -> dict[Address, Hash | None]:
        """The code hashes of all contracts but BlockEdge."""
        found: dict[Address, Hash | None] = {self.pow_judge: self.judge_code_hash}
        return found if self.court is None else {**found, self.court: self.court_code_hash}


async def deploy(rpc: Rpc, key: bytes, params: Params, *, court: bool = False) -> Deployment:
    """Deploys from `key`'s account, with a Court or without, and reads the constants back.

    `params.court` is filled in. Nobody else may use the account meanwhile. Raises ChainError, Transient.
    """
    judge = await _create(rpc, key, "PowJudge")
    first, params = judge, replace(params, court=ZERO_ADDRESS)
    if court:
        sender = address_of(key)
        nonce = await rpc.ask(Ask("eth_getTransactionCount", (hex_of(sender), "latest"), quantity))
        first = await _create(rpc, key, "Court", astuple(params), created_by(sender, nonce + 1))
        params = replace(params, court=_address(first))
    created = await _create(rpc, key, "BlockEdge", astuple(params), _address(judge))
    await _check(rpc, _address(created), params)
    return Deployment(
        chain_id=await web3_over(rpc).eth.chain_id,
        block_edge=_address(created),
        pow_judge=_address(judge),
        court=_address(first) if court else None,
        block=first.block,
        code_hash=await _code_hash(rpc, _address(created)),
        judge_code_hash=await _code_hash(rpc, _address(judge)),
        court_code_hash=await _code_hash(rpc, _address(first)) if court else None,
    )


def created_by(sender: Address, nonce: int) -> Address:
    """Where the contract will stand that `sender`'s transaction `nonce` deploys (CREATE)."""
    return Address(keccak256(rlp([sender, nonce]))[12:])


async def _check(rpc: Rpc, block_edge: Address, params: Params) -> None:
    """Raises ChainError unless the contracts say of themselves what they were given."""
    read = await rpc.ask(Reader(block_edge).params())
    if read != params:
        raise ChainError(f"the deployed constants differ from those given: {read} instead of {params}")
    if params.court != ZERO_ADDRESS:
        theirs = await rpc.ask(CourtReader(params.court).block_edge())
        if theirs != block_edge:
            raise ChainError(f"the Court belongs to 0x{theirs.hex()}, not to 0x{block_edge.hex()}")


async def _code_hash(rpc: Rpc, address: Address) -> Hash:
    return keccak256(await rpc.ask(Ask("eth_getCode", (hex_of(address), "latest"), octets)))


def _address(created: Receipt) -> Address:
    assert created.created is not None, "a mined deployment has an address"
    return created.created


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
