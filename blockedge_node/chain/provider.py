"""web3 on trio: AsyncWeb3 over the same transport that the daemon uses.

web3's own HTTP provider needs asyncio. This one hands each request to rpc.Rpc, and so inherits its bounds,
failover and checks of the endpoint. The daemon's loops ask Rpc directly: they need a dozen questions, read
strictly, and web3 costs 14 MB and raises whatever its formatters stumble over. Scripts, deploy.py and tests
use web3.

    w3 = web3_over(rpc)
    contract = w3.eth.contract(abi=…, bytecode=…)

Two parts of web3 still want asyncio and do not work here: `wait_for_transaction_receipt`, and
`batch_requests`.
"""

from __future__ import annotations

import json
from typing import Any, cast

from web3 import AsyncWeb3
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused, hex_of


class TrioHTTPProvider(AsyncJSONBaseProvider):
    """See the module docstring. The caller owns and closes `rpc`."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__()
        self._rpc = rpc

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Raises Transient if no endpoint answers; a refusal is a response, as web3 wants it."""
        return (await self.make_batch_request([(method, params)]))[0]

    async def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        plain = [json.loads(self.encode_rpc_request(method, params)) for method, params in requests]
        asks = [Ask(r["method"], tuple(r["params"]), lambda value: value) for r in plain]
        answers = await self._rpc.ask_all(asks)
        return [_response(request["id"], answer) for request, answer in zip(plain, answers, strict=True)]

    async def is_connected(self, show_traceback: bool = False) -> bool:
        return "result" in await self.make_request(RPCEndpoint("web3_clientVersion"), [])


def web3_over(rpc: Rpc) -> AsyncWeb3[Any]:
    """An AsyncWeb3 whose calls run under trio."""
    return AsyncWeb3(TrioHTTPProvider(rpc))


def _response(number: int, answer: Any) -> RPCResponse:
    response: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
    if isinstance(answer, RpcRefused):
        response["error"] = {"code": answer.code, "message": answer.message, "data": hex_of(answer.data)}
    else:
        response["result"] = answer
    return cast(RPCResponse, response)
