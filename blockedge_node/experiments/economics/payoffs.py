"""What one unit of a court kind moves, in wei, for everybody (docs/protocol.md §6.4, §6.5, §7.1).

A `Story` tells how a unit went: who claimed what, which seats voted for what, who paid for which round. `moves`
answers with everybody's net change. Nothing is created or lost: all changes and BURNED add up to 0. The contracts
move the same wei for the same stories (tests/economics/test_contracts.py), floors included.

Left out: the ends of a stake. Every ticket is taken to hold what it is fined (§6.3 sees to it for the first fine).
Gas is no figure here either.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from typing import TypeAlias

from blockedge_node.core.jury import ALPHA
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase

Who: TypeAlias = str
Result: TypeAlias = str  # a label; equal labels stand for equal hashes
Moves: TypeAlias = dict[Who, int]

BURNED: Who = "burned"
_POT: Who = "pot"
ACCUSED: Result = "the worker's"
NO_INPUT: Result = "no input"


class Vote(Enum):
    """What a seat did that showed no hash."""

    ABSENT = auto()  # never voted
    HIDDEN = auto()  # voted, and never showed it


class Ending(Enum):
    UNACKNOWLEDGED = auto()  # REFUSED, no Ack
    REFUSED = auto()  # after an Ack
    WITHHELD = auto()  # committed, never revealed
    OVERDUE = auto()  # REFUSED: a demanded chunk of the output never came
    SETTLED = auto()  # PAID, nobody contradicted
    DEFAULT = auto()  # contradicted, not defended
    RULED = auto()  # by a jury


@dataclass(frozen=True, slots=True, kw_only=True)
class Stakes:
    """What a unit is about, in wei. `fee`: φ, of a check and of a juror's seat."""

    price: int
    deposit: int
    fee: int
    fee_bps: int
    seat: int

    @property
    def protocol_fee(self) -> int:
        return self.price * self.fee_bps // 10_000

    @property
    def accusation(self) -> int:
        """X: what a false accusation costs at least."""
        return max(self.deposit // 20, self.fee)

    @property
    def first_round(self) -> int:
        return ROUNDS[0] * self.fee

    @property
    def bond(self) -> int:
        """B of a reporter."""
        return self.accusation + self.first_round

    @property
    def alpha(self) -> int:
        return ALPHA * self.fee


@dataclass(frozen=True, slots=True)
class Claim:
    """A drawn checker's check, or a report. `result` None: committed and never shown."""

    author: Who
    result: Result | None


@dataclass(frozen=True, slots=True)
class Seats:
    """`count` seats of one owner that did the same; the groups of a round stand in the order of their lowest seat."""

    owner: Who
    vote: Result | Vote
    count: int = 1


@dataclass(frozen=True, slots=True)
class Round:
    """A round of a jury; seats that no group has stayed empty. `funder`: who appealed (of round 0: nobody)."""

    seats: tuple[Seats, ...]
    funder: Who = ""
    _hash: int = field(init=False, compare=False, repr=False)  # rounds are looked up by the million

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.seats, self.funder)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules whose effect the tables compare; docs/economics.md says which attack each is about."""

    fines_repay: bool = False  # fines of jurors repay those who funded rounds; False: they burn
    silence_accuses: bool = True  # a silent checker loses X too if the jury acquits, as an accuser does
    contradicted_stays: bool = True  # no unanswered demand ends a unit that a report or check contradicts


SHIPPED = Rules()  # the contracts'
BEFORE = Rules(fines_repay=True, silence_accuses=False, contradicted_stays=False)  # three amendments


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How one unit went. Names are free; `worker` and `requester` are the parties'."""

    stakes: Stakes
    ending: Ending
    worker: Who = "worker"
    requester: Who = "requester"
    trusted: bool = False  # the worker's R ≥ 0.8
    shown: bool = True  # the draw secret, in time
    missed: Who | None = None  # owner of the drawn ticket, if it committed no check
    check: Claim | None = None
    reports: tuple[Claim, ...] = ()
    rounds: tuple[Round, ...] = ()
    rules: Rules = field(default=SHIPPED)


@cache
def outcome_of(round: Round, number: int) -> tuple[Phase, Result | None]:
    """How a round of ROUNDS[number] seats ends, and which hash it holds right (None: nobody voted)."""
    counts: Counter[Result] = Counter()
    for group in round.seats:
        if isinstance(group.vote, str) and group.count:
            counts[group.vote] += group.count
    plurality = max(counts, key=counts.__getitem__, default=None)
    against = max((n for result, n in counts.items() if result not in (ACCUSED, NO_INPUT)), default=0)
    if 2 * against > ROUNDS[number]:
        return Phase.SLASHED, plurality
    acquitting = max(counts[ACCUSED], counts[NO_INPUT])
    if acquitting > against and 3 * acquitting >= ROUNDS[number]:
        return Phase.PAID, NO_INPUT if counts[ACCUSED] < counts[NO_INPUT] else ACCUSED
    return Phase.UNRESOLVED, plurality


def moves(story: Story) -> Moves:
    """Everybody's net change, BURNED included; zero entries are left out."""
    books = _Books(story)
    match story.ending:
        case Ending.UNACKNOWLEDGED | Ending.REFUSED | Ending.OVERDUE:
            books.refused()
        case Ending.WITHHELD:
            books.withheld()
        case Ending.SETTLED:
            books.paid()
            books.close(Phase.PAID, None, ruled=False)
        case Ending.DEFAULT:
            accuser = books.accuser
            books.slashed(accuser.author if accuser else None, spent=0)
            books.close(Phase.SLASHED, None, ruled=False)
        case Ending.RULED:
            books.ruled()
    if story.missed is not None and story.ending in (Ending.SETTLED, Ending.OVERDUE):
        books.pay(story.missed, BURNED, min(story.stakes.fee, story.stakes.seat // 20))
    assert sum(books.net.values()) == 0, "money appeared or vanished"
    return {who: amount for who, amount in books.net.items() if amount}


class _Books:
    def __init__(self, story: Story) -> None:
        self.story, self.stakes = story, story.stakes
        self.worker, self.requester = story.worker, story.requester
        self.net: Moves = {}
        claims = (story.check, *story.reports)
        found = [i for i, c in enumerate(claims) if c is not None and c.result not in (None, ACCUSED)]
        self.best = found[0] if found else None  # 0: the check's
        self.accuser = claims[self.best] if self.best is not None else None

    def pay(self, giver: Who, taker: Who, amount: int) -> None:
        if amount:
            self.net[giver] = self.net.get(giver, 0) - amount
            self.net[taker] = self.net.get(taker, 0) + amount

    # ── endings ──────────────────────────────────────────────────────────────────────────────────────────

    def refused(self) -> None:
        deposit = self.stakes.deposit
        if self.story.ending is Ending.UNACKNOWLEDGED:
            self.pay(self.worker, BURNED, min(deposit // 100, self.stakes.price))
            return
        fine = deposit // (20 if self.story.trusted else 10)
        self.pay(self.worker, self.requester, fine // 2)
        self.pay(self.worker, BURNED, fine - fine // 2)

    def withheld(self) -> None:
        deposit, check = self.stakes.deposit, self.story.check
        self.pay(self.worker, self.requester, deposit // 2)
        self.pay(self.worker, BURNED, deposit - deposit // 2)
        if check is not None:
            self.pay(self.requester, check.author, self.stakes.fee)

    def paid(self) -> None:
        story, stakes = self.story, self.stakes
        self.pay(self.requester, self.worker, stakes.price)
        self.pay(self.requester, BURNED, stakes.protocol_fee)
        if story.check is not None and story.check.result == ACCUSED:
            self.pay(self.requester, story.check.author, stakes.fee)
        elif not story.shown or story.missed is not None:
            self.pay(self.requester, BURNED, stakes.fee)

    def slashed(self, detector: Who | None, *, spent: int) -> None:
        """Of what `spent` on dues leaves: half to the requester, a fifth to the detector, the rest burns."""
        rest = self.stakes.deposit - spent
        share = rest * 20 // 100 if detector is not None else 0
        self.pay(self.worker, self.requester, rest // 2)
        if detector is not None:
            self.pay(self.worker, detector, share)
        self.pay(self.worker, BURNED, rest - rest // 2 - share)

    def ruled(self) -> None:
        story, stakes = self.story, self.stakes
        outcomes = [outcome_of(round, number)[0] for number, round in enumerate(story.rounds)]
        outcome, final = outcome_of(story.rounds[-1], len(story.rounds) - 1)
        pots = self._fund()
        pool = self._jurors(final, sum(pots))

        dues = [pots[0] if self.accuser is not None and outcome is not Phase.PAID else 0]
        dues += [pot * 11 // 10 if outcomes[r] is not outcome else 0 for r, pot in enumerate(pots[1:])]
        right = self.accuser is not None and self.accuser.result == final
        reserve, loser = 0, self.worker
        if outcome is Phase.SLASHED:
            reserve = stakes.deposit
            if not right:
                dues[0] = 0
        elif outcome is Phase.PAID and final != NO_INPUT and self.best and self.accuser is not None:
            reserve, loser = stakes.accusation, self.accuser.author
        spent = self._dues(dues, pool, reserve, loser)

        if self.best and self.accuser is not None:  # a reporter's X; the check's comes in `close`
            self._accusation(outcome, final, right, spent)
        if outcome is Phase.SLASHED:
            claims = (story.check, *story.reports)
            first = next((c for c in claims if c is not None and c.result == final), None)
            self.slashed(first.author if first else None, spent=spent)
        elif outcome is Phase.PAID:
            self.paid()
        self.close(outcome, final, ruled=True)

    # ── a case ───────────────────────────────────────────────────────────────────────────────────────────

    def _fund(self) -> list[int]:
        fee, check = self.stakes.fee, self.story.check
        pots = [ROUNDS[number] * fee for number in range(len(self.story.rounds))]
        if self.accuser is None:  # a silent checker pays for the jury
            assert check is not None
            pots[0] = self.stakes.alpha
            self.pay(check.author, _POT, pots[0])
        else:
            self.pay(self.accuser.author, _POT, pots[0])
        for round, pot in zip(self.story.rounds[1:], pots[1:], strict=True):
            self.pay(round.funder, _POT, pot)
        return pots

    def _jurors(self, final: Result | None, pool: int) -> int:
        """Fines, then fees as far as they are covered; what is left for dues."""
        rules, fee = self.story.rules, self.stakes.fee
        winners: list[Seats] = []
        for group in (group for round in self.story.rounds for group in round.seats):
            if isinstance(group.vote, str) and group.vote == final:
                winners.append(group)
                continue
            fine = group.count * (fee if group.vote is Vote.ABSENT else self.stakes.alpha)
            if rules.fines_repay:
                self.pay(group.owner, _POT, fine)
                pool += fine
            else:
                self.pay(group.owner, BURNED, fine)
        for group in winners:
            paid = min(group.count * fee, pool)
            pool -= paid
            self.pay(_POT, group.owner, paid)
        return pool

    def _dues(self, dues: list[int], pool: int, reserve: int, loser: Who) -> int:
        """Out of the pool, then out of the loser's reserve, as far as these reach; the pool's rest burns."""
        spent = 0
        funders = [self.accuser.author if self.accuser else "", *(r.funder for r in self.story.rounds[1:])]
        for funder, owed in zip(funders, dues, strict=True):
            due = min(owed, pool + reserve - spent)
            from_pool = min(due, pool)
            pool -= from_pool
            spent += due - from_pool
            self.pay(_POT, funder, from_pool)
            self.pay(loser, funder, due - from_pool)
        self.pay(_POT, BURNED, pool)
        return spent

    def _accusation(self, outcome: Phase, final: Result | None, right: bool, spent: int) -> None:
        assert self.accuser is not None
        author, bond = self.accuser.author, self.stakes.accusation
        if outcome is Phase.PAID and final != NO_INPUT:
            to_worker = (bond - spent) // 2
            self.pay(author, self.worker, to_worker)
            self.pay(author, BURNED, bond - spent - to_worker)
        elif outcome is Phase.SLASHED and not right:
            self.pay(author, BURNED, bond)

    # ── bonds ────────────────────────────────────────────────────────────────────────────────────────────

    def close(self, outcome: Phase, final: Result | None, *, ruled: bool) -> None:
        """Every claim that the jury has not closed."""
        for index, report in enumerate(self.story.reports, 1):
            if not (ruled and index == self.best):
                self._close_report(report, outcome, final, ruled)
        if self.story.check is not None:
            self._close_check(self.story.check, outcome, final, ruled)

    def _close_report(self, report: Claim, outcome: Phase, final: Result | None, ruled: bool) -> None:
        bond, accusation = self.stakes.bond, self.stakes.accusation
        if report.result is None:
            self.pay(report.author, BURNED, bond)
        elif outcome is Phase.UNRESOLVED:
            return
        elif report.result == ACCUSED:
            self.pay(report.author, BURNED, bond - bond * 90 // 100)
        elif outcome is Phase.PAID and final != NO_INPUT:
            self.pay(report.author, self.worker, accusation // 2)
            self.pay(report.author, BURNED, accusation - accusation // 2)
        elif outcome is Phase.SLASHED and ruled and report.result != final:
            self.pay(report.author, BURNED, accusation)

    def _close_check(self, check: Claim, outcome: Phase, final: Result | None, ruled: bool) -> None:
        alpha, accusation = self.stakes.alpha, self.stakes.accusation
        acquitted = outcome is Phase.PAID and final != NO_INPUT
        if check.result is None:
            if not (ruled and self.accuser is None):  # else its silence has paid for the jury
                self.pay(check.author, BURNED, alpha)
            elif acquitted and self.story.rules.silence_accuses:
                self.pay(check.author, self.worker, accusation // 2)
                self.pay(check.author, BURNED, accusation - accusation // 2)
        elif check.result == ACCUSED:
            if outcome is Phase.SLASHED and ruled:
                self.pay(check.author, BURNED, alpha)
        elif acquitted:
            self.pay(check.author, self.worker, accusation // 2)
            self.pay(check.author, BURNED, accusation - accusation // 2)
