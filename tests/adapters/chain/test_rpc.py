"""Endpoints that are slow, gone, on another chain, or lie: a clear error at start, Transient later, never a crash."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockedge_node.chain import rpc as rpc_module
from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.blocks import Block, block_at, receipt_of
from blockedge_node.chain.deploy import Deployment
from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused, octets, quantity
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address
from blockedge_node.errors import ChainError, ConfigError, Transient

from .conftest import Anvil
from .proxy import proxy_before

pytestmark = pytest.mark.anvil
Connect = Callable[..., Rpc]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Rpc(…), closed at the end of the test."""
    made: list[Rpc] = []

    def make(*urls: str, **settings: Any) -> Rpc:
        made.append(Rpc(urls, **settings))
        return made[-1]

    yield make
    for rpc in made:
        await rpc.aclose()


async def test_a_wrong_chain_is_refused_at_start(anvil: Anvil, connect: Connect) -> None:
    with pytest.raises(ChainError, match="is on chain 31337, not 1: set the RPC URL"):
        await connect(anvil.url, chain_id=1).verify()


async def test_a_wrong_contract_is_refused_at_start(
    anvil: Anvil, deployed: Deployment, connect: Connect
) -> None:
    nobody = Address(keccak256(b"nobody")[:20])
    with pytest.raises(ChainError, match="has no contract at 0x"):
        await connect(anvil.url, code_hashes={nobody: None}).verify()
    with pytest.raises(ChainError, match="has other code at 0x"):
        await connect(anvil.url, code_hashes={deployed.contracts["judge"]: deployed.code_hash}).verify()


async def test_an_absent_endpoint_is_transient(connect: Connect) -> None:
    with pytest.raises(Transient, match="cannot be reached"):
        await connect("http://127.0.0.1:9").verify()


def test_a_url_must_be_http() -> None:
    with pytest.raises(ConfigError, match="must begin with http"):
        Rpc(["ws://127.0.0.1:8545"])
    with pytest.raises(ConfigError, match="no RPC URL is set"):
        Rpc([])


async def test_the_next_endpoint_answers_when_the_first_one_fails(anvil: Anvil, connect: Connect) -> None:
    rpc = connect("http://127.0.0.1:9", anvil.url, chain_id=31_337)
    await rpc.verify()
    block = await rpc.ask(block_at("latest"))
    assert isinstance(block, Block)
    assert rpc.endpoints[0].problem == "cannot be reached (ConnectError)"
    assert rpc.endpoints[1].problem == ""


async def test_an_endpoint_that_changed_chains_is_left(anvil: Anvil, connect: Connect) -> None:
    async with proxy_before(anvil.url) as proxy:
        rpc = connect(proxy.url, anvil.url, chain_id=31_337)
        await rpc.verify()
        await proxy.vanish()
        await rpc.ask(block_at("latest"))

        def other_chain(question: dict[str, Any], reply: dict[str, Any]) -> None:
            if question["method"] == "eth_chainId":
                reply["result"] = "0x5"

        proxy.edit(other_chain)
        await proxy.return_()
        rpc.endpoints[0].rests_until = 0
        await rpc.ask(block_at("latest"))
        assert "is on chain 5" in rpc.endpoints[0].problem


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((502, b"Bad Gateway"), "answered HTTP 502"),
        (b"<html>", "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b"{}", "did not answer each question once"),
        (b'{"jsonrpc":"2.0","id":99999,"result":"0x1"}', "did not answer each question once"),
        (b"x" * 70_000, "answered more than 65536 bytes"),
    ],
)
async def test_rubbish_is_transient(anvil: Anvil, answer: Any, said: str, connect: Connect) -> None:
    async with proxy_before(anvil.url) as proxy:

        async def rubbish(_body: bytes) -> Any:
            return answer

        proxy.answer = rubbish
        with pytest.raises(Transient, match=said):
            await connect(proxy.url, max_bytes=65_536).verify()


async def test_silence_ends_with_the_timeout(anvil: Anvil, connect: Connect) -> None:
    async with proxy_before(anvil.url) as proxy:

        async def never(_body: bytes) -> bytes:
            await trio.sleep_forever()
            raise AssertionError

        proxy.answer = never
        with pytest.raises(Transient, match=r"did not answer within 0\.1 s"):
            await connect(proxy.url, timeout=0.1).verify()


async def test_a_refusal_keeps_its_code_and_data(
    anvil: Anvil, deployed: Deployment, connect: Connect
) -> None:
    call = {
        "to": "0x" + deployed.block_edge.hex(),
        "data": "0x" + contract("BlockEdge").call("withdraw").hex(),
    }
    with pytest.raises(RpcRefused) as refused:
        await connect(anvil.url).ask(Ask("eth_estimateGas", (call, "latest"), quantity))
    assert refused.value.data == contract("BlockEdge").errors[refused.value.data].selector


async def test_a_batch_answers_in_order_and_refuses_singly(anvil: Anvil, connect: Connect) -> None:
    asks = [Ask("eth_chainId", (), quantity), Ask("eth_nonsense", (), octets), block_at(0)]
    chain_id, refused, block = await connect(anvil.url).ask_all(asks)
    assert chain_id == 31_337
    assert isinstance(refused, RpcRefused)
    assert block.number == 0


async def test_long_batches_are_cut(anvil: Anvil, connect: Connect) -> None:
    async with proxy_before(anvil.url) as proxy:
        rpc = connect(proxy.url)
        assert await rpc.ask_all([Ask("eth_chainId", (), quantity)] * 250) == [31_337] * 250


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("0x1"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=json_values, which=st.sampled_from(["block", "receipt", "quantity", "error"]))
def test_no_answer_raises_anything_else(value: Any, which: str) -> None:
    asks: dict[str, Ask[Any]] = {
        "block": block_at("latest"),
        "receipt": receipt_of(keccak256(b"")),
        "quantity": Ask("eth_chainId", (), quantity),
        "error": Ask("eth_chainId", (), quantity),
    }
    reply = {"error": value} if which == "error" else {"result": value}
    reply = json.loads(json.dumps(reply))
    with contextlib.suppress(rpc_module._Fault):
        rpc_module._read(asks[which], reply)
