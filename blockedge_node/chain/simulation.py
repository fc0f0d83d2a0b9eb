"""What a call would do on the newest block, asked before any ether is spent on it.

`eth_simulateV1` runs all waiting calls at once, one after the other, and shows their logs: only so does one
see that an item would be skipped rather than revert (docs/protocol.md §3.4). Endpoints without it are asked
eth_estimateGas, which sees reverts; a skip is then found in the receipt.

The clock is the head's plus one second, and the block the one after it: what the next block has at the earliest. So
a call whose window opens by time passes only on a head that has reached the opening (§3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blockedge_node.chain.abi_codec import contract
from blockedge_node.chain.blocks import Block
from blockedge_node.chain.events import ReportClosed, Skipped, Source, decode_log
from blockedge_node.chain.reverts import explain, skip_reason
from blockedge_node.chain.rpc import Ask, Rpc, RpcRefused, hex_of, octets, quantity
from blockedge_node.chain.transactions import Payload
from blockedge_node.core.ids import Address, UnitId
from blockedge_node.errors import Rejected

UNKNOWN_METHOD = {-32601, -32600, -32602, -32004}  # how endpoints say that they lack eth_simulateV1
_BY_BLOCK = {contract("BlockEdge").functions[name].selector for name in ("postBid", "closeAuction")}
Logs = Sequence[tuple[Sequence[bytes], bytes]]  # (topics, data)
Calls = Sequence[tuple[Payload, UnitId | None]]


@dataclass(frozen=True, slots=True)
class Forecast:
    """`gas` used if the call is good; `refused`: why it is not, in the contract's names; `unknown`: why none
    could be made, which says nothing about the call.
    """

    gas: int = 0
    refused: Rejected | None = None
    unknown: str = ""


class Simulator:
    """Asks for forecasts, in the way that the endpoint understands."""

    def __init__(self, rpc: Rpc, sender: Address, court: Address | None = None) -> None:
        self._rpc = rpc
        self._sender = sender
        self._court = court
        self._shows_logs = True  # until an endpoint says that it does not know eth_simulateV1

    @property
    def sees_skips(self) -> bool:
        return self._shows_logs

    async def forecast(self, head: Block, calls: Calls) -> list[Forecast]:
        """One forecast a call, in order, each on the state that those before it leave. Raises Transient."""
        if self._shows_logs:
            try:
                return await self._rpc.ask(self._simulate(head, calls))
            except RpcRefused as error:
                if error.code not in UNKNOWN_METHOD:
                    return await self._one_by_one(head, calls)
                self._shows_logs = False
        asks = [
            Ask("eth_estimateGas", (self._transaction(payload), _state_for(payload)), quantity)
            for payload, _ in calls
        ]
        answers = await self._rpc.ask_all(asks)
        sources = [self._source(payload) for payload, _ in calls]
        return [
            _refusal(a, source) if isinstance(a, RpcRefused) else Forecast(gas=a)
            for a, source in zip(answers, sources, strict=True)
        ]

    async def _one_by_one(self, head: Block, calls: Calls) -> list[Forecast]:
        """The endpoint refused the lot: find out which, so that one call cannot hold up the others."""
        answers = await self._rpc.ask_all([self._simulate(head, [call]) for call in calls])
        return [Forecast(unknown=str(a)) if isinstance(a, RpcRefused) else a[0] for a in answers]

    def _simulate(self, head: Block, calls: Calls) -> Ask[list[Forecast]]:
        block = {
            "blockOverrides": {"number": hex(head.number + 1), "time": hex(head.time + 1)},
            "calls": [self._transaction(payload) for payload, _ in calls],
        }

        def read(value: Any) -> list[Forecast]:
            outcomes = value[0]["calls"]
            if len(outcomes) != len(calls):
                raise ValueError(f"{len(outcomes)} outcomes for {len(calls)} calls")
            return [
                _forecast(outcome, unit, self._source(payload))
                for outcome, (payload, unit) in zip(outcomes, calls, strict=True)
            ]

        return Ask("eth_simulateV1", ({"blockStateCalls": [block]}, {"blockHash": hex_of(head.hash)}), read)

    def _source(self, payload: Payload) -> Source:
        return "Court" if self._court is not None and payload.to == self._court else "BlockEdge"

    def _transaction(self, payload: Payload) -> dict[str, str]:
        fields = {"from": hex_of(self._sender), "data": hex_of(payload.data), "value": hex(payload.value)}
        if payload.to is not None:
            fields["to"] = hex_of(payload.to)
        return fields


def _state_for(payload: Payload) -> str:
    """Where a window is a number of blocks, an estimate on the head's own number comes a block too early."""
    return "pending" if payload.data[:4] in _BY_BLOCK else "latest"


def skipped_units(logs: Logs) -> dict[UnitId, str]:
    """Units that a transaction skipped, with the reason. closeReports skips single reports: one that closed
    any has done its work.
    """
    records = [decode_log(topics, data) for topics, data in logs]
    closed = {record.unit for record in records if isinstance(record, ReportClosed)}
    return {
        record.unit: skip_reason(record.reason)
        for record in records
        if isinstance(record, Skipped) and record.unit not in closed
    }


def _forecast(outcome: Mapping[str, Any], unit: UnitId | None, source: Source) -> Forecast:
    if quantity(outcome["status"]) != 1:
        return Forecast(refused=explain(octets(outcome["returnData"]), source))
    logs = [([octets(topic, 32) for topic in e["topics"]], octets(e["data"])) for e in outcome["logs"]]
    reason = skipped_units(logs).get(unit) if unit is not None else None
    if reason is not None:
        return Forecast(refused=Rejected(reason))
    return Forecast(gas=quantity(outcome["gasUsed"]))


def _refusal(error: RpcRefused, source: Source) -> Forecast:
    """An estimate that reverted carries the contract's data; without it, only the code 3 or the text tell."""
    if error.data or error.code == 3 or "revert" in error.message.lower():
        return Forecast(refused=explain(error.data, source))
    return Forecast(unknown=str(error))
