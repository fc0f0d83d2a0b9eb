"""Chain actions → calldata of BlockEdge. Pure: the sender and the simulator encode with the same lines.

The happy path and `timeout` take arrays, so several actions of one function may go into one transaction
(docs/protocol.md §3.4); reports are single calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from blockedge_node.chain.abi_codec import Values, contract
from blockedge_node.core.actions import (
    AwardCommit,
    ChainAction,
    CloseReports,
    CommitReport,
    CommitResult,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    Settle,
    TimeOut,
)
from blockedge_node.core.hashing import keccak256
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Digest
from blockedge_node.core.structs import Struct, solidity_types
from blockedge_node.core.task import Ack, Kind, Request, Result
from blockedge_node.core.unit import Unit

FUNCTIONS: dict[type[ChainAction], str] = {
    RegisterAward: "award",
    AwardCommit: "awardCommit",
    CommitResult: "commit",
    Reveal: "reveal",
    Settle: "settle",
    TimeOut: "timeout",
    CommitReport: "commitReport",
    RevealReport: "revealReport",
    CloseReports: "closeReports",
}
BATCHED = frozenset({"award", "awardCommit", "commit", "reveal", "settle", "timeout"})
UNSIGNED: Values = (bytes(32), bytes(32))  # a Sig where its signer is the sender
NO_SECRET: Values = (bytes(32), bytes(32))  # secret, guardR: no spot check before there is a court

# Beyond what simulation used: the judge call needs 330 000 gas left, of which it spends little (§3.4).
EXTRA_GAS = {"revealReport": 360_000}


def function_of(call: ChainAction) -> str:
    """The contract function that an action calls."""
    return FUNCTIONS[type(call)]


def key_of(call: ChainAction) -> str:
    """The identity of a call: equal calls, before and after a restart, have equal keys."""
    return f"{function_of(call)}:{call.unit.hex()}:{keccak256(encode([call]))[:8].hex()}"


def encode(calls: Sequence[ChainAction]) -> bytes:
    """The calldata of one transaction that makes all `calls`: of one function; one only if not BATCHED."""
    function = function_of(calls[0])
    if any(function_of(call) != function for call in calls):
        raise ValueError("a transaction calls one function")
    if len(calls) > 1 and function not in BATCHED:
        raise ValueError(f"{function} takes one item")
    return contract("BlockEdge").call(function, *_ENCODERS[function](calls))


# ── arguments, one function each ─────────────────────────────────────────────────────────────────────────


def _award(calls: Sequence[RegisterAward | AwardCommit]) -> Values:
    requests: dict[Request, int] = {}
    items = []
    for call in calls:
        index = requests.setdefault(call.registration.signed.request, len(requests))
        items.append(_award_item(index, call.registration))
    return [r.values() for r in requests], items


def _award_commit(calls: Sequence[AwardCommit]) -> Values:
    return (*_award(calls), [call.commitment for call in calls])


def _award_item(request: int, registration: Registration) -> Values:
    signed = registration.signed
    ack = registration.ack or Ack(award=Digest(ZERO_HASH), start_at=0)
    return (
        request,
        [signed.bid.values()],
        [_sig(signed.bid_sig)],
        signed.award.values(),
        _sig(signed.award_sig),
        ack.values(),
        _sig(registration.ack_sig),
    )


def _commit(calls: Sequence[CommitResult]) -> Values:
    return [_unit(c.target) for c in calls], [c.commitment for c in calls], [UNSIGNED for _ in calls]


def _reveal(calls: Sequence[Reveal]) -> Values:
    openings = [(c.result.values(), c.salt, c.guard, *NO_SECRET, c.output) for c in calls]
    return [_unit(c.target) for c in calls], openings


def _settle(calls: Sequence[Settle]) -> Values:
    return [_unit(c.target) for c in calls], [NO_SECRET for _ in calls]


def _timeout(calls: Sequence[TimeOut]) -> Values:
    return ([_unit(c.target) for c in calls],)


def _commit_report(calls: Sequence[CommitReport]) -> Values:
    (call,) = calls
    return _unit(call.target), call.hash


def _reveal_report(calls: Sequence[RevealReport]) -> Values:
    (call,) = calls
    opening = (call.author, call.result_hash, call.salt)
    if call.target.terms.kind == Kind.POW:
        proof: Values = (
            call.request.values(),
            call.data,
            call.revealed.values(),
            call.output,
            call.evidence,
        )
    else:  # a court kind's report is compared by hash alone
        proof = (_blank(Request), b"", _blank(Result), b"", b"")
    return _unit(call.target), call.index, opening, proof


def _close_reports(calls: Sequence[CloseReports]) -> Values:
    (call,) = calls
    return _unit(call.target), list(call.indexes)


_ENCODERS: dict[str, Callable[[Sequence[Any]], Values]] = {
    "award": _award,
    "awardCommit": _award_commit,
    "commit": _commit,
    "reveal": _reveal,
    "settle": _settle,
    "timeout": _timeout,
    "commitReport": _commit_report,
    "revealReport": _reveal_report,
    "closeReports": _close_reports,
}


def _unit(target: Unit) -> Values:
    return target.terms.values(), list(target.data)


def _sig(signature: bytes) -> Values:
    return (signature[:32], signature[32:]) if signature else UNSIGNED


def _blank(struct: type[Struct]) -> Values:
    empty = {"address": ZERO_ADDRESS, "bytes32": ZERO_HASH}
    return tuple(empty.get(solidity, 0) for solidity in solidity_types(struct.TYPE))
