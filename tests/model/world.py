"""What the contracts know, in plain Python: accounts, reputations, units with their reports and demands, tickets,
cases with their rounds and votes. And the clock.

Nothing here decides anything: the rules are in the modules named after calls (README.md has the list).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from blockedge_node.core.court import Case
from blockedge_node.core.hashing import Domain, hash_words
from blockedge_node.core.ids import ZERO_ADDRESS, ZERO_HASH, Address, Hash, TaskId, UnitId
from blockedge_node.core.params import Params
from blockedge_node.core.reputation import Record, protocol_fee
from blockedge_node.core.task import Bid, Kind, Request, unit_id
from blockedge_node.core.unit import Phase, Terms
from tests.model import calls
from tests.model.books import Books, Share

DRAWN, SHOWN, CHECK_MISSED, RULED = 1, 2, 4, 8  # flags of a unit's third word


class Stage(StrEnum):
    """Of a report."""

    COMMITTED = "committed"
    REVEALED = "revealed"
    CLOSED = "closed"  # its bond has left


@dataclass(slots=True)
class Report:
    author: Address
    hash: Hash  # the commitment; once revealed, the resultHash (judged kinds: of the evidence)
    stage: Stage = Stage.COMMITTED
    verdict: int = 0
    kept: Hash | None = None  # of a check that agrees: its salt's hash, where others keep their result's
    bond: int = 0  # wei, locked
    ended: str = ""  # by which row of §6.4's table


@dataclass(slots=True)
class Demand:
    chunk: int
    by: int  # last time to supply it
    supplied: bool = False
    gone: bool = False  # its bond went back with the end of the unit

    @property
    def open(self) -> bool:
        return not (self.supplied or self.gone)


@dataclass(slots=True)
class Unit:
    """A unit from its award on. What a phase learns stays known in all later ones."""

    terms: Terms
    phase: Phase
    since: int  # when it entered the phase
    start_at: int  # ASSIGNED: when its worker promised to start; 0: no Ack
    active: Phase = Phase.ASSIGNED  # the last phase that was no end: its words stay on record
    commitment: Hash = ZERO_HASH  # COMMITTED
    committed_at: int = 0
    draw_seed: Hash | None = None  # marked drawn
    ticket: int | None = None  # the checker's, once it has committed
    result_hash: Hash = ZERO_HASH  # REVEALED
    guard: Hash = ZERO_HASH
    flags: int = 0
    challenge_by: int = 0  # DISPUTED
    jury_secret: Hash = ZERO_HASH
    defended: bool = False
    final_hash: Hash = ZERO_HASH  # ruled
    reports: dict[int, Report] = field(default_factory=dict)  # 0: the checker's, 1 …: in order of arrival
    revealed: int = 0  # how many reports
    reporters: set[Address] = field(default_factory=set)  # who may not judge it
    best: int | None = None  # the lowest index that convicts (judged kinds) or contradicts (court kinds)
    salts: int = 0  # XOR of the first half of keccak256(salt) of revealed reports
    demands: list[Demand] = field(default_factory=list)
    fined: bool = False  # a check missed has been fined
    ended: str = ""  # by which row of endings.py
    id: UnitId = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.terms.unit  # a hash: worked out once

    @property
    def court(self) -> bool:
        """A court kind: jurors recompute it. Else judged by a contract."""
        return self.terms.kind != Kind.POW

    @property
    def checked(self) -> Report | None:
        """The drawn checker's report."""
        return self.reports.get(0)

    @property
    def bonded(self) -> int:
        """How many reports came from reporters."""
        return sum(index > 0 for index in self.reports)

    @property
    def drawn(self) -> bool:
        return self.draw_seed is not None

    def words(self) -> tuple[Hash, ...]:
        """The four words of its phase (§3.2)."""
        match self.active:
            case Phase.ASSIGNED:
                return _words(self.start_at)
            case Phase.COMMITTED:
                return _words(self.commitment, self.draw_seed or 0)
            case Phase.REVEALED:
                return _words(self.result_hash, self.guard, self.flags, self._hint())
            case _:
                last = self.final_hash if self.flags & RULED else self.jury_secret
                return _words(self.result_hash, self.guard, self.flags | self.challenge_by << 8, last)

    def _hint(self) -> Hash:
        """What a REVEALED unit has to remember: of a check that nobody made, whom it had drawn; while the secret is
        hidden, what it would be drawn from.
        """
        if self.flags & CHECK_MISSED and self.draw_seed is not None:
            return hash_words(self.draw_seed, self.committed_at)
        return ZERO_HASH if self.flags else self.commitment

    def shown_as(self) -> calls.Unit:
        """How a caller who knows it names it."""
        return calls.Unit(terms=self.terms, data=self.words())


@dataclass(slots=True)
class Lot:
    """One shard of an announced Request."""

    request: Request
    task: TaskId
    shard: int
    closes_at: int  # the last block of bids
    best: Bid | None = None  # with the rep that the contract read; none any more once it is a unit
    lapsed: bool = False  # closed, and no unit

    @property
    def unit(self) -> UnitId:
        return unit_id(self.task, self.shard)


@dataclass(slots=True)
class Ticket:
    owner: Address
    staked_at: int
    stake: int
    left_at: int = 0  # 0: in


@dataclass(slots=True)
class Vote:
    ticket: int
    commitment: Hash
    result_hash: Hash | None = None  # revealed


@dataclass(slots=True)
class Round:
    since: int
    funder: Address  # of the first: the accuser; nobody, if a silent checker's ticket pays
    pot: int  # wei
    votes: dict[int, Vote] = field(default_factory=dict)  # by seat


@dataclass(slots=True)
class Dispute:
    """A case before the Court."""

    case: Case
    rounds: list[Round]
    bonded: bool  # the accuser's bond paid for round 0, which is then not written down
    open: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """What a contract logs. `known`: the arguments that the model foretells."""

    name: str
    known: dict[str, Any] = field(default_factory=dict)


class World:
    """Everything, at one time."""

    def __init__(self, params: Params, domain: Domain, now: int) -> None:
        self.params = params
        self.domain = domain
        self.now = now
        self.block = 0
        self.books = Books()
        self.reps: defaultdict[Address, Record] = defaultdict(Record)
        self.units: dict[UnitId, Unit] = {}
        self.announced: dict[TaskId, tuple[int, tuple[Hash, ...]]] = {}  # last block of bids, drawCommits
        self.lots: dict[UnitId, Lot] = {}
        self.tickets: list[Ticket] = []
        self.disputes: dict[UnitId, Dispute] = {}
        self.court_ether = 0  # stakes and pots
        self.starved = False  # the call being made brings too little gas for a judge
        self.events: list[Event] = []  # of the call being made
        self.paid_out: list[Share] = []  # ether that has left for somebody's own purse

    @property
    def has_court(self) -> bool:
        return self.params.court != ZERO_ADDRESS

    def enter(self, time: int) -> None:
        """The next block, not before this time."""
        self.now = max(self.now, time)
        self.block += 1

    def emit(self, event: str, /, **known: Any) -> None:
        self.events.append(Event(event, known))

    def fee(self, terms: Terms) -> int:
        """The protocol's fee of a unit."""
        return protocol_fee(terms.price, self.params)

    def escrow(self, terms: Terms) -> int:
        """What the requester of a unit has locked for it."""
        return terms.price + self.fee(terms) + terms.check_fee

    def locks(self, terms: Terms) -> list[Share]:
        """What both parties of a unit have locked for it."""
        return [(terms.requester, self.escrow(terms)), (terms.worker, terms.deposit)]

    # ── deadlines (§3.3): in time iff now ≤ deadline ─────────────────────────────────────────────────────

    def result_by(self, unit: Unit) -> int:
        promised = (unit.start_at or unit.since) + unit.terms.delay
        return max(promised, unit.since) + self.params.grace

    def secret_by(self, unit: Unit) -> int:
        return unit.since + self.params.secret

    def check_by(self, unit: Unit) -> int:
        return unit.since + (self.params.secret + unit.terms.vwin if unit.terms.spot_bps else 0)

    def reveal_by(self, unit: Unit) -> int:
        return self.check_by(unit) + self.params.reveal

    def challenge_by(self, unit: Unit) -> int:
        """Of a REVEALED unit."""
        return unit.since + unit.terms.vwin + self.params.challenge

    def report_by(self, unit: Unit) -> int:
        return self.challenge_by(unit) + self.params.report

    def jury_shown_by(self, unit: Unit) -> int:
        return unit.since + self.params.defend // 2

    def defend_by(self, unit: Unit) -> int:
        return unit.since + self.params.defend

    # ── reputation (§8; the formulas are core/reputation.py's) ───────────────────────────────────────────

    def record(self, who: Address, after: Record) -> None:
        self.reps[who] = replace(after)


def find(world: World, target: calls.Unit) -> tuple[Unit | None, UnitId]:
    """The unit that a caller means, whatever it says about it."""
    key = unit_id(target.terms.task, target.terms.shard)
    return world.units.get(key), key


def _words(*values: int | bytes) -> tuple[Hash, ...]:
    full = [Hash(v.to_bytes(32, "big") if isinstance(v, int) else v) for v in values]
    return (*full, *[ZERO_HASH] * (4 - len(full)))
