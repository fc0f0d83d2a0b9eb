"""JSON-RPC over HTTP on trio: one question or a batch, from several endpoints, believing none of them.

An endpoint may be slow, gone, behind, on another chain, or hostile. So every answer is bounded in time and
size and read by a strict reader before anybody sees it; an endpoint whose answer does not hold is put to rest
and the next one is asked. What no endpoint could answer raises Transient, which callers try again; what an
endpoint understood and refused (a revert, a nonce too low) raises RpcRefused with its code, message and data.

Before its first use, and again after each fault, an endpoint must show the right chain id and, at each
contract's address, the right code hash: `verify()` makes that a ChainError at start.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar, cast

import httpx
import structlog
import trio

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import Address, Hash
from blockedge_node.errors import ChainError, ConfigError, Transient

log = structlog.get_logger("chain.rpc")
T = TypeVar("T")

BATCH_LIMIT = 100  # questions in one HTTP body; providers refuse more
REST = 15.0  # seconds before an endpoint that failed is preferred again
LONG_REST = 60.0  # the same for one that is on the wrong chain


class RpcRefused(Transient):
    """The endpoint understood the question and said no. Transient, unless a caller reads more out of it."""

    def __init__(self, code: int, message: str, data: bytes = b"") -> None:
        super().__init__(f"the RPC refused: {message} ({code})")
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One question. `read` turns the JSON result into a value and raises ValueError if it is not one."""

    method: str
    params: tuple[Any, ...]
    read: Callable[[Any], T]


@dataclass(slots=True)
class Endpoint:
    url: str
    admitted: bool = False
    rests_until: float = 0.0
    problem: str = ""  # why it was not used, in words; empty while it works

    @property
    def name(self) -> str:
        """Host and port: a path or user name may hold an API key."""
        url = httpx.URL(self.url)
        return f"{url.host}:{url.port}" if url.port else url.host


class _Fault(Exception):
    """An answer that cannot be used; its text says why."""


@dataclass(slots=True)
class Rpc:
    """See the module docstring. `code_hashes`: keccak256 of the code that must stand at each address; None:
    any."""

    urls: Sequence[str]
    chain_id: int | None = None
    code_hashes: Mapping[Address, Hash | None] = field(default_factory=dict)
    timeout: float = 10.0
    max_bytes: int = 32 * 1024 * 1024
    endpoints: list[Endpoint] = field(init=False)
    _client: httpx.AsyncClient = field(init=False)
    _ids: count[int] = field(init=False)

    def __post_init__(self) -> None:
        if not self.urls:
            raise ConfigError("no RPC URL is set: give at least one under [chain] rpc")
        for url in self.urls:
            if not url.startswith(("http://", "https://")):
                raise ConfigError(f"RPC URL {url!r} must begin with http:// or https://")
        self.endpoints = [Endpoint(url) for url in self.urls]
        self._ids = count(1)
        self._client = httpx.AsyncClient(
            timeout=self.timeout,
            limits=httpx.Limits(max_connections=8, keepalive_expiry=60),
            # identity: a compressed answer could unpack to any size
            headers={"content-type": "application/json", "accept-encoding": "identity"},
        )

    async def aclose(self) -> None:
        with trio.move_on_after(2) as bounded:
            bounded.shield = True
            await self._client.aclose()

    async def verify(self) -> None:
        """Raises ChainError if no endpoint is on the right chain, Transient if none can be asked."""
        wrong: list[str] = []
        away: list[str] = []
        for endpoint in self.endpoints:
            try:
                await self._admit(endpoint)
            except ChainError as error:
                wrong.append(str(error))
            except _Fault as error:
                away.append(f"{endpoint.name} {error}")
        if wrong and len(wrong) + len(away) == len(self.endpoints):
            raise ChainError("; ".join(wrong))
        if len(away) == len(self.endpoints):
            raise Transient("no RPC endpoint answers: " + "; ".join(away))

    async def ask(self, ask: Ask[T]) -> T:
        """Raises RpcRefused, Transient."""
        (answer,) = await self.ask_all([ask])
        if isinstance(answer, RpcRefused):
            raise answer
        result: T = answer
        return result

    async def ask_all(self, asks: Sequence[Ask[Any]]) -> list[Any]:
        """One answer a question, in order, from one endpoint; RpcRefused in place of a refused one."""
        problems: list[str] = []
        for endpoint in sorted(self.endpoints, key=lambda e: e.rests_until > trio.current_time()):
            try:
                if not endpoint.admitted:
                    await self._admit(endpoint)
                answers: list[Any] = []
                for first in range(0, len(asks), BATCH_LIMIT):
                    answers += await self._post(endpoint, asks[first : first + BATCH_LIMIT])
            except _Fault as error:
                self._rest(endpoint, str(error), REST)
                problems.append(f"{endpoint.name} {error}")
            except ChainError as error:
                problems.append(str(error))
            else:
                endpoint.problem = ""
                return answers
        raise Transient("no RPC endpoint answers: " + "; ".join(problems))

    def distrust(self, problem: str) -> None:
        """The endpoint in use said something that does not hold together: prefer another one for a while."""
        for endpoint in self.endpoints:
            if endpoint.rests_until <= trio.current_time():
                self._rest(endpoint, problem, REST)
                return

    # ── one endpoint ─────────────────────────────────────────────────────────────────────────────────────

    async def _admit(self, endpoint: Endpoint) -> None:
        asks: list[Ask[Any]] = [Ask("eth_chainId", (), quantity)]
        asks += [Ask("eth_getCode", ("0x" + a.hex(), "latest"), octets) for a in self.code_hashes]
        answers = await self._post(endpoint, asks)
        refused = next((a for a in answers if isinstance(a, RpcRefused)), None)
        if refused is not None:
            raise _Fault(str(refused))
        chain_id, *codes = answers
        fault = ""
        if self.chain_id is not None and chain_id != self.chain_id:
            fault = f"is on chain {chain_id}, not {self.chain_id}: set the RPC URL of the coalition's chain"
        for (address, expected), code in zip(self.code_hashes.items(), codes, strict=True):
            if not code:
                fault = (
                    fault or f"has no contract at 0x{address.hex()}: wrong address, or a chain that was reset"
                )
            elif expected is not None and keccak256(code) != expected:
                fault = fault or f"has other code at 0x{address.hex()} than the coalition file says"
        if fault:
            self._rest(endpoint, fault, LONG_REST)
            raise ChainError(f"RPC {endpoint.name} {fault}")
        endpoint.admitted = True
        endpoint.problem = ""
        endpoint.rests_until = 0.0

    def _rest(self, endpoint: Endpoint, problem: str, seconds: float) -> None:
        if not endpoint.problem:
            log.warning("rpc endpoint failed", endpoint=endpoint.name, problem=problem)
        endpoint.problem = problem
        endpoint.admitted = False  # it may come back as another chain
        endpoint.rests_until = trio.current_time() + seconds

    async def _post(self, endpoint: Endpoint, asks: Sequence[Ask[Any]]) -> list[Any]:
        ids = [next(self._ids) for _ in asks]
        calls = [
            {"jsonrpc": "2.0", "id": i, "method": ask.method, "params": ask.params}
            for i, ask in zip(ids, asks, strict=True)
        ]
        body = json.dumps(calls[0] if len(calls) == 1 else calls).encode()
        try:
            with trio.fail_after(self.timeout):
                raw = await self._exchange(endpoint.url, body)
        except trio.TooSlowError as error:
            raise _Fault(f"did not answer within {self.timeout:g} s") from error
        except httpx.HTTPError as error:
            raise _Fault(f"cannot be reached ({type(error).__name__})") from error
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise _Fault("answered something that is not JSON") from error
        replies = answer if isinstance(answer, list) else [answer]
        by_id = {r["id"]: r for r in replies if isinstance(r, dict) and isinstance(r.get("id"), int)}
        if len(replies) != len(ids) or by_id.keys() != set(ids):
            raise _Fault("did not answer each question once" + _excerpt(answer))
        return [_read(ask, by_id[i]) for i, ask in zip(ids, asks, strict=True)]

    async def _exchange(self, url: str, body: bytes) -> bytes:
        async with self._client.stream("POST", url, content=body) as response:
            if response.status_code != 200:
                raise _Fault(f"answered HTTP {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _Fault("compressed its answer although asked not to")
            raw = bytearray()
            async with aclosing(cast(AsyncGenerator[bytes], response.aiter_raw())) as parts:
                async for part in parts:
                    raw += part
                    if len(raw) > self.max_bytes:
                        raise _Fault(f"answered more than {self.max_bytes} bytes")
            return bytes(raw)


def _read(ask: Ask[Any], reply: Mapping[str, Any]) -> Any:
    error = reply.get("error")
    if isinstance(error, dict):
        code, message, data = error.get("code"), error.get("message"), error.get("data")
        if isinstance(data, dict):  # some nodes nest it
            data = data.get("data")
        try:
            raw = octets(data)
        except ValueError:
            raw = b""
        return RpcRefused(code if isinstance(code, int) else 0, str(message)[:300], raw)
    if "result" not in reply:
        raise _Fault("answered neither result nor error")
    try:
        return ask.read(reply["result"])
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as wrong:
        raise _Fault(f"answered {ask.method} with garbage: {str(wrong)[:120]}") from wrong


def _excerpt(answer: Any) -> str:
    """A whole batch refused comes as one error object."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return f": {str(error.get('message'))[:120]}" if isinstance(error, dict) else ""


# ── readers ──────────────────────────────────────────────────────────────────────────────────────────────


def quantity(value: Any) -> int:
    """0x-hex number, at most 256 bits. Some nodes write small ones as JSON numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 66:
        raise ValueError(f"not a quantity: {str(value)[:40]}")
    return int(value, 16)


def octets(value: Any, size: int | None = None) -> bytes:
    """0x-hex bytes, of exactly `size` if given."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"not 0x-hex: {str(value)[:40]}")
    raw = bytes.fromhex(value[2:])
    if size is not None and len(raw) != size:
        raise ValueError(f"{len(raw)} bytes instead of {size}")
    return raw


def hex_of(value: bytes | int) -> str:
    """The 0x form that JSON-RPC takes."""
    return hex(value) if isinstance(value, int) else "0x" + value.hex()
