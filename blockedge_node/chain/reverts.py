"""Why a contract said no, in its own names: revert data and skip reasons → text with arguments. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blockedge_node.chain.abi_codec import Signature, contract
from blockedge_node.chain.events import Source
from blockedge_node.core.unit import Phase
from blockedge_node.errors import Rejected

ERROR_STRING = bytes.fromhex("08c379a0")  # Error(string), Solidity's require with text
_PHASES = [phase.name for phase in Phase]
_CASE_STATES = ("NONE", "OPEN", "CLOSED")
PANIC = bytes.fromhex("4e487b71")  # Panic(uint256): a bug in the contract


def explain(data: bytes, source: Source = "BlockEdge") -> Rejected:
    """A revert's data as a Rejected: `reason` is the error's name, `detail` its arguments by name. The call was
    to `source`, which may have passed on what the other one said.
    """
    other: Source = "Court" if source == "BlockEdge" else "BlockEdge"
    found = contract(source).error(data) or contract(other).error(data)
    if found is not None:
        signature, values = found
        return Rejected(signature.name, _arguments(signature, values, source))
    if data[:4] == ERROR_STRING:
        return Rejected("Reverted", data[68:].rstrip(b"\0").decode("utf-8", "replace"))
    if data[:4] == PANIC:
        return Rejected("Panic", hex(int.from_bytes(data[4:36], "big")))
    return Rejected("Reverted", f"0x{data[:36].hex()}" if data else "without a reason")


def skip_reason(selector: bytes) -> str:
    """The name of the error that an item of a batch was skipped for."""
    found = contract("BlockEdge").errors.get(selector)
    return found.name if found else f"0x{selector.hex()}"


def _arguments(signature: Signature, values: tuple[Any, ...], source: Source) -> str:
    states = _CASE_STATES if source == "Court" else _PHASES
    return ", ".join(
        f"{member.name} {_shown(member.type, value, states if signature.name == 'BadPhase' else ())}"
        for member, value in zip(signature.inputs, values, strict=True)
    )


def _shown(kind: str, value: Any, names: Sequence[str]) -> str:
    if kind == "bytes32":  # a name in ASCII, e.g. BadTerms("registerBy")
        return str(value.rstrip(b"\0").decode("ascii", "replace"))
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, int) and value < len(names):
        return names[value]
    return str(value)
