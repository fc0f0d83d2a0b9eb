"""Chain actions → calldata of BlockEdge and its Court. Pure: the sender and the simulator encode with the same lines.

The happy path and `timeout` take arrays, so several actions of one function may go into one transaction
(docs/protocol.md §3.4); all else are single calls. `target_of` says whose function it is, `value_of` what ether
goes along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from blockedge_node.chain.abi_codec import Values, contract
from blockedge_node.chain.events import Source
from blockedge_node.core.actions import (
    Announce,
    Appeal,
    AwardCommit,
    ChainAction,
    CloseAuction,
    CloseReports,
    CloseRound,
    CommitCheck,
    CommitReport,
    CommitResult,
    CommitVote,
    CourtAction,
    Defend,
    Demand,
    Draw,
    FineChecker,
    PostBid,
    RegisterAward,
    Registration,
    Reveal,
    RevealReport,
    RevealVote,
    Settle,
    ShowJury,
    Supply,
    TimeOut,
)
from blockedge_node.core.court import SeatProof
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
    Draw: "draw",
    CommitCheck: "commitCheck",
    FineChecker: "fineChecker",
    ShowJury: "showJury",
    Defend: "defend",
    Demand: "demand",
    Supply: "supply",
    Announce: "announce",
    PostBid: "postBid",
    CloseAuction: "closeAuction",
    CommitVote: "commitVote",
    RevealVote: "revealVote",
    Appeal: "appeal",
    CloseRound: "closeRound",
}
BATCHED = frozenset({"award", "awardCommit", "commit", "reveal", "settle", "timeout"})
UNSIGNED: Values = (bytes(32), bytes(32))  # a Sig where its signer is the sender

# Beyond what simulation used: the judge call needs 330 000 gas left, of which it spends little (§3.4).
EXTRA_GAS = {"revealReport": 360_000}


def function_of(call: ChainAction) -> str:
    """The contract function that an action calls."""
    return FUNCTIONS[type(call)]


def target_of(call: ChainAction) -> Source:
    """The contract whose function it is."""
    return "Court" if isinstance(call, CourtAction) else "BlockEdge"


def value_of(call: ChainAction) -> int:
    """The wei that the call must carry."""
    return call.value if isinstance(call, Appeal) else 0


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
    return contract(target_of(calls[0])).call(function, *_ENCODERS[function](calls))


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
    openings = [(c.result.values(), c.salt, c.guard, c.secret, c.guard_r, c.output) for c in calls]
    return [_unit(c.target) for c in calls], openings


def _settle(calls: Sequence[Settle]) -> Values:
    return [_unit(c.target) for c in calls], [(c.secret, c.guard_r) for c in calls]


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


# ── the spot check and the dispute ───────────────────────────────────────────────────────────────────────


def _draw(calls: Sequence[Draw]) -> Values:
    (call,) = calls
    return _unit(call.target), call.secret, call.guard_r


def _commit_check(calls: Sequence[CommitCheck]) -> Values:
    (call,) = calls
    return _unit(call.target), _seat(call.proof), call.hash


def _fine_checker(calls: Sequence[FineChecker]) -> Values:
    (call,) = calls
    return _unit(call.target), call.draw_seed, call.committed_at, _seat(call.proof)


def _show_jury(calls: Sequence[ShowJury]) -> Values:
    (call,) = calls
    return _unit(call.target), call.secret, call.guard_secret


def _defend(calls: Sequence[Defend]) -> Values:
    (call,) = calls
    return _unit(call.target), call.guard_secret, call.tickets


def _demand(calls: Sequence[Demand]) -> Values:
    (call,) = calls
    return _unit(call.target), call.revealed.values(), call.chunk


def _supply(calls: Sequence[Supply]) -> Values:
    (call,) = calls
    return _unit(call.target), call.revealed.values(), call.chunk, call.count, call.data, list(call.path)


# ── auctions ─────────────────────────────────────────────────────────────────────────────────────────────


def _announce(calls: Sequence[Announce]) -> Values:
    (call,) = calls
    return call.request.values(), list(call.draw_commits)


def _post_bid(calls: Sequence[PostBid]) -> Values:
    (call,) = calls
    return call.request.values(), call.bid.values()


def _close_auction(calls: Sequence[CloseAuction]) -> Values:
    (call,) = calls
    return call.request.values(), call.shard, list(call.draw_commits)


# ── the Court ────────────────────────────────────────────────────────────────────────────────────────────


def _commit_vote(calls: Sequence[CommitVote]) -> Values:
    (call,) = calls
    return call.case.values(), call.round, call.seat, call.attempt, call.hash


def _reveal_vote(calls: Sequence[RevealVote]) -> Values:
    (call,) = calls
    return call.case.values(), call.round, call.seat, call.result_hash, call.salt


def _appeal(calls: Sequence[Appeal]) -> Values:
    (call,) = calls
    return (call.case.values(),)


def _close_round(calls: Sequence[CloseRound]) -> Values:
    (call,) = calls
    return _unit(call.target), call.case.values(), call.final_hash


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
    "draw": _draw,
    "commitCheck": _commit_check,
    "fineChecker": _fine_checker,
    "showJury": _show_jury,
    "defend": _defend,
    "demand": _demand,
    "supply": _supply,
    "announce": _announce,
    "postBid": _post_bid,
    "closeAuction": _close_auction,
    "commitVote": _commit_vote,
    "revealVote": _reveal_vote,
    "appeal": _appeal,
    "closeRound": _close_round,
}


def _unit(target: Unit) -> Values:
    return target.terms.values(), list(target.data)


def _seat(proof: SeatProof) -> Values:
    return proof.attempt, proof.tickets


def _sig(signature: bytes) -> Values:
    return (signature[:32], signature[32:]) if signature else UNSIGNED


def _blank(struct: type[Struct]) -> Values:
    empty = {"address": ZERO_ADDRESS, "bytes32": ZERO_HASH}
    return tuple(empty.get(solidity, 0) for solidity in solidity_types(struct.TYPE))
