"""deploy.py and the web3 provider against a real chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account as EthAccount
from hypothesis import given
from hypothesis import strategies as st

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.deploy import Deployment, deploy
from blockedge_node.chain.provider import web3_over
from blockedge_node.chain.reader import CourtReader, Reader
from blockedge_node.chain.rpc import Rpc
from blockedge_node.chain.transactions import Fee, Payload, Signed, read_transaction, sign_transaction
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_ADDRESS
from blockedge_node.core.unit import Account, Reputation
from blockedge_node.errors import ChainError

from .conftest import DEPLOYER, PARAMS, WORKER, Anvil
from .scene import running

pytestmark = pytest.mark.anvil


async def test_a_deployment_has_the_constants_it_was_given(rpc: Rpc, deployed: Deployment) -> None:
    reader = Reader(deployed.block_edge)
    assert deployed.court is not None
    assert await rpc.ask(reader.params()) == replace(PARAMS, court=deployed.court)
    court = CourtReader(deployed.court)
    assert await rpc.ask(court.block_edge()) == deployed.block_edge
    assert await rpc.ask(court.tickets()) == 0
    assert await rpc.ask(reader.account(WORKER.address)) == Account()
    assert await rpc.ask(reader.reputation(WORKER.address)) == Reputation(score=140_000)
    assert await rpc.ask(reader.burned()) == 0


async def test_a_deployment_without_a_court_is_as_good_as_ever(anvil: Anvil, rpc: Rpc) -> None:
    anvil.rpc("evm_setAutomine", True)
    bare = await deploy(rpc, DEPLOYER.private, PARAMS, court=False)
    anvil.rpc("evm_setAutomine", False)
    assert bare.court is None
    assert (await rpc.ask(Reader(bare.block_edge).params())).court == ZERO_ADDRESS


@pytest.mark.parametrize("lie", ["none", "another"])
async def test_a_coalition_file_must_name_the_right_court(
    anvil: Anvil, deployed: Deployment, lie: str
) -> None:
    court = None if lie == "none" else deployed.contracts["judge"]
    with pytest.raises(ChainError, match="names the court 0x"):
        async with running(anvil, deployed, WORKER, court=court):
            pass


async def test_the_code_of_every_contract_is_compared(anvil: Anvil, deployed: Deployment) -> None:
    others = {at: keccak256(b"another code") for at in deployed.others}
    for name in ("judge", "reports", "disputes", "auctions", "court"):
        at = deployed.contracts[name]
        with pytest.raises(ChainError, match=f"has other code at 0x{at.hex()}"):
            async with running(anvil, deployed, WORKER, others={**deployed.others, at: others[at]}):
                pass


async def test_web3_reads_through_our_transport(rpc: Rpc, deployed: Deployment) -> None:
    w3 = web3_over(rpc)
    assert await w3.is_connected()
    assert await w3.eth.chain_id == deployed.chain_id
    code = await w3.eth.get_code(w3.to_checksum_address(deployed.block_edge))
    assert keccak256(bytes(code)) == deployed.code_hash


def test_the_selectors_are_those_of_the_abi() -> None:
    abi = contract("BlockEdge")
    assert abi.functions["withdraw"].selector == keccak256(b"withdraw()")[:4]
    assert abi.functions["phaseOf"].selector == keccak256(b"phaseOf(bytes32[])")[:4]


@given(
    nonce=st.integers(0, 2**40),
    value=st.integers(0, 2**90),
    gas=st.integers(21_000, 30_000_000),
    cap=st.integers(0, 2**50),
    data=st.binary(max_size=300),
    to=st.binary(min_size=20, max_size=20) | st.none(),
)
def test_our_transactions_are_those_of_eth_account(
    nonce: int, value: int, gas: int, cap: int, data: bytes, to: bytes | None
) -> None:
    payload = Payload(to=to, data=data, value=value, gas=gas)  # type: ignore[arg-type]
    raw, tx = sign_transaction(WORKER.private, 31_337, nonce, payload, Fee(cap, cap // 3))
    fields = {"type": 2, "chainId": 31_337, "nonce": nonce, "value": value, "gas": gas, "data": data}
    fields |= {"maxFeePerGas": cap, "maxPriorityFeePerGas": cap // 3, "to": to if to else b""}
    signed = EthAccount.sign_transaction(fields, WORKER.private)
    assert raw == bytes(signed.raw_transaction)
    assert tx == bytes(signed.hash)
    assert read_transaction(raw) == Signed(31_337, nonce, payload, Fee(cap, cap // 3))


@given(raw=st.binary(max_size=200).map(lambda tail: b"\x02" + tail))
def test_damaged_bytes_are_no_transaction(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"truncated|not a signed"):
        read_transaction(raw)
