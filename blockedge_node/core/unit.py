"""What the chain says: heads, accounts, reputations, units (docs/protocol.md §1, §3.2, §8); court.py has the rest.

A *view* is what the contract and its events say at one block. Role machines never copy a phase into their
own state: they look at the view again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from blockedge_node.core.court import CaseView, DemandView, DrawView
from blockedge_node.core.hashing import hash_words
from blockedge_node.core.ids import ZERO_HASH, Address, Hash, Secret, TaskId, UnitId
from blockedge_node.core.structs import Struct
from blockedge_node.core.task import Request, Result, unit_id

MARKED_DRAWN = 1  # bits of `flags`: `draw` marked the unit in time
SECRET_SHOWN = 2  # marked drawn, or its secret shows it undrawn; always so where nothing is drawn
CHECK_MISSED = 4  # drawn, and nobody committed a check
RULED = 8  # a jury's outcome ended it


class Phase(IntEnum):
    NONE = 0
    ASSIGNED = 1
    COMMITTED = 2
    REVEALED = 3
    DISPUTED = 4
    PAID = 5
    SLASHED = 6
    REFUSED = 7
    UNRESOLVED = 8

    @property
    def terminal(self) -> bool:
        return self >= Phase.PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    number: int
    hash: Hash
    time: int  # block.timestamp, or later: + wall seconds since it arrived, floored ("now", §3.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Balances in wei; an exiting amount covers no promise beyond its maturity."""

    free: int = 0
    locked: int = 0
    exit_at: int = 0
    exit_amount: int = 0

    def covered(self, until: int) -> int:
        """The free balance that is good for a promise until the time `until` (§1)."""
        return self.free - (min(self.exit_amount, self.free) if 0 < self.exit_at <= until else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation:
    n: int = 0  # convictions and acknowledged refusals
    m: int = 0  # settled units
    s: int = 0  # gwei of deposits returned in full
    t: int = 0  # gwei of deposits staked
    score: int = 140_000  # R in ppm; a newcomer's


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One address as the chain shows it: read at the door for every signer of a message."""

    account: Account = Account()
    reputation: Reputation = Reputation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(Struct):
    TYPE: ClassVar[str] = (
        "Terms(bytes32 task,uint16 shard,uint8 kind,uint8 mode,uint16 spotBps,address requester,address worker,"
        "uint96 price,uint96 deposit,uint96 checkFee,uint32 delay,uint32 vwin,bytes32 drawCommit)"
    )
    task: TaskId
    shard: int
    kind: int
    mode: int
    spot_bps: int
    requester: Address
    worker: Address
    price: int
    deposit: int
    check_fee: int
    delay: int
    vwin: int
    draw_commit: Hash = ZERO_HASH

    @property
    def unit(self) -> UnitId:
        return unit_id(self.task, self.shard)

    def terms_hash(self) -> Hash:
        """keccak256(abi.encode(Terms)): a plain hash, no typehash (§3.2)."""
        return hash_words(*self.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What every call after `award` carries: the terms and the phase's four data words (§3.2)."""

    terms: Terms
    data: tuple[Hash, Hash, Hash, Hash]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    index: int  # from 1; 0 is a drawn checker's, whose bond is its ticket
    author: Address
    hash: Hash
    result_hash: Hash | None = None  # None until revealed
    verdict: int = 0  # judged kinds: 0 unknown, 1 right, 2 wrong
    closed: bool = False  # its bond has left


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitView:
    """One unit at one block, rebuilt from events and its slot."""

    unit: UnitId
    phase: Phase
    since: int
    request: Request  # from `Requested`
    terms: Terms
    data: tuple[Hash, Hash, Hash, Hash]
    start_at: int = 0
    commitment: Hash | None = None
    result_hash: Hash | None = None
    guard: Hash | None = None
    flags: int = 0
    result: Result | None = None
    output: bytes = b""
    reports: tuple[ReportView, ...] = ()
    paid: int = 0  # wei, from `Settled`
    slashed: int = 0
    committed_at: int = 0  # the time of entering COMMITTED: a draw's snapshot
    draw: DrawView | None = None  # marked drawn, and by which secret
    checker_ticket: int | None = None  # the drawn ticket, once its owner has committed a check
    check_fined: bool = False  # or been fined for none
    challenge_by: int = 0  # the jury's snapshot, from `Disputed`
    jury_secret: Secret | None = None  # s_R, once shown
    defended: Secret | None = None  # s_W, once the worker has defended
    case: CaseView | None = None  # the jury's, once opened
    demands: tuple[DemandView, ...] = ()  # chunks of its output that were asked for
    final_hash: Hash | None = None  # a jury's last word, from `Ruled`

    @property
    def on_chain(self) -> Unit:
        return Unit(terms=self.terms, data=self.data)

    @property
    def drawn(self) -> bool:
        """Whether `draw` marked it for a spot check."""
        return self.draw is not None or bool(self.flags & MARKED_DRAWN)

    @property
    def check(self) -> ReportView | None:
        """The drawn checker's report, at index 0."""
        return next((report for report in self.reports if report.index == 0), None)
