"""Deploys a coalition's contracts, for devnets, tests and whoever founds one.

    PowJudge ─▶ Court ─▶ Reports, Disputes, Auctions ─▶ BlockEdge

Court and BlockEdge name each other, and neither can be changed later: so the Court is told the address that
BlockEdge will have, which follows from the deployer's account and nonce, and BlockEdge refuses to be created
anywhere else. The three between them hold code that runs on BlockEdge's storage; it refuses any with other constants.
What `deploy` returns goes into the coalition's file: each member checks all code hashes at start (docs/protocol.md
§1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from importlib.resources import files
from typing import Any

import trio

from blockedge_node.chain.blocks import Receipt, receipt_of
from blockedge_node.chain.provider import web3_over
from blockedge_node.chain.reader import CourtReader, Reader
from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused, hex_of, octets, quantity
from blockedge_node.chain.transactions import Fee, Payload, created_by, sign_transaction
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, Address, Hash
from blockedge_node.core.params import Params
from blockedge_node.errors import ChainError
from blockedge_node.wire.eip712 import address_of

RECEIPT_SECONDS = 120.0
AFTER_COURT = 4  # BlockEdge is the fourth contract created after the Court


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One BlockEdge on one chain. Contracts by the names of the coalition's file; `contract` is BlockEdge."""

    chain_id: int
    block: int  # where the logs begin
    contracts: Mapping[str, Address]  # contract, judge, reports, disputes, auctions, court if any
    codes: Mapping[str, Hash]  # keccak256 of the code of each
    params: Params

    @property
    def block_edge(self) -> Address:
        return self.contracts["contract"]

    @property
    def court(self) -> Address | None:
        return self.contracts.get("court")

    @property
    def code_hash(self) -> Hash:
        return self.codes["contract"]

    @property
    def others(self) -> dict[Address, Hash]:
        """The code hashes of all contracts but BlockEdge."""
        return {self.contracts[name]: code for name, code in self.codes.items() if name != "contract"}


async def deploy(rpc: Rpc, key: bytes, params: Params, *, court: bool = True) -> Deployment:
    """Deploys from `key`'s account, with a Court or without, and reads the constants back.

    `params.court` is filled in. Nobody else may use the account meanwhile. Raises ChainError, Transient.
    """
    params = replace(params, court=ZERO_ADDRESS)
    judge = await _create(rpc, key, "PowJudge")
    made = {"judge": judge}
    if court:
        sender = address_of(key)
        nonce = await rpc.ask(Ask("eth_getTransactionCount", (hex_of(sender), "latest"), quantity))
        block_edge = created_by(sender, nonce + AFTER_COURT)
        made["court"] = await _create(rpc, key, "Court", astuple(params), block_edge)
        params = replace(params, court=made["court"].created or ZERO_ADDRESS)
    made["reports"] = await _create(rpc, key, "Reports", astuple(params), judge.created)
    made["disputes"] = await _create(rpc, key, "Disputes", astuple(params))
    made["auctions"] = await _create(rpc, key, "Auctions", astuple(params))
    parts = [made[name].created for name in ("judge", "reports", "disputes", "auctions")]
    made["contract"] = await _create(rpc, key, "BlockEdge", astuple(params), *parts)
    contracts = {name: receipt.created for name, receipt in made.items() if receipt.created is not None}
    await _check(rpc, contracts["contract"], params)
    return Deployment(
        chain_id=await web3_over(rpc).eth.chain_id,
        block=made["court" if court else "contract"].block,
        contracts=contracts,
        codes={name: await _code_hash(rpc, address) for name, address in contracts.items()},
        params=params,
    )


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
