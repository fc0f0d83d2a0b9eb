"""Who may conspire, over what, and what it is worth to everybody besides the money (docs/protocol.md §7.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import TypeAlias

from blockedge_node.experiments.economics.juries import OTHERS, OWN
from blockedge_node.experiments.economics.payoffs import (
    BURNED,
    SHIPPED,
    Round,
    Rules,
    Stakes,
    Story,
    Who,
    moves,
)

WORKER: Who = "worker"
REQUESTER: Who = "requester"
CHECKER: Who = "checker"  # the drawn ticket's owner, if no member
OWN_CHECKER: Who = "own checker"  # the same, if a member
DETECTOR: Who = "detector"  # an honest node that recomputes what nobody drew
ACCOMPLICE: Who = "accomplice"  # the detector that is a member
BACKER: Who = "backer"  # a member's purse that pays for appeals
NOBODY: Who = "nobody"

Amount: TypeAlias = int | Fraction
Utility: TypeAlias = dict[
    Who, Amount
]  # wei: money, less cost of computing, plus what a right result is worth


class Member(Enum):
    WORKER = "worker"
    REQUESTER = "requester"
    CHECKER = "checker"
    DETECTOR = "detector"
    JURORS = "jurors"


PURSES = {
    Member.WORKER: (WORKER,),
    Member.REQUESTER: (REQUESTER,),
    Member.CHECKER: (OWN_CHECKER,),
    Member.DETECTOR: (ACCOMPLICE,),
    Member.JURORS: (OWN, OWN_CHECKER),  # one set of tickets for both duties
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One unit and the world around the coalition. `cost`: c, wei of one computation."""

    stakes: Stakes
    cost: int
    share: Fraction = Fraction(3, 10)  # f, of all tickets
    rate: Fraction = Fraction(1, 10)  # ρ
    watched: bool = False  # an honest detector recomputes this unit
    appeals: bool = True  # honest losers of a round appeal
    trusted: bool = True  # the worker's R ≥ 0.8: refusing costs it half
    rules: Rules = field(default=SHIPPED)

    @property
    def worth(self) -> int:
        """What a right result is worth to an honest requester: twice what it pays at most."""
        return 2 * (self.stakes.price + self.stakes.protocol_fee + self.stakes.fee)


@dataclass(frozen=True, slots=True)
class Coalition:
    members: frozenset[Member]

    def __contains__(self, member: Member) -> bool:
        return member in self.members

    @property
    def purses(self) -> frozenset[Who]:
        return frozenset(who for member in self.members for who in PURSES[member]) | {BACKER}

    @property
    def draws(self) -> bool:
        """Whether the checker drawn may be a member."""
        return Member.CHECKER in self or Member.JURORS in self

    def worth(self, utility: Utility) -> Amount:
        return sum(utility.get(who, 0) for who in self.purses)

    def __str__(self) -> str:
        return " + ".join(member.value for member in Member if member in self)


@dataclass(frozen=True, slots=True)
class Play:
    """What the members did, and what it is worth to everybody. `harms`: outsiders that lose for certain, where
    only the coalition's part of `utility` is known."""

    does: str  # "": what was begun, without more
    utility: Utility
    harms: tuple[Who, ...] = ()


def utility_of(story: Story, setting: Setting, *, computed: Iterable[Who] = (), worth: int = 0) -> Utility:
    """`computed`: everybody who ran the program, once per run; outside jurors that voted are counted here.
    `worth`: of the result to the requester."""
    found: Utility = {**moves(story)}
    found.pop(BURNED, None)
    ran = setting.cost * sum(_shown(round) for round in story.rounds)
    if ran:
        found[OTHERS] = found.get(OTHERS, 0) - ran
    return with_costs(found, setting, computed=computed, worth=worth)


def with_costs(utility: Utility, setting: Setting, *, computed: Iterable[Who], worth: int = 0) -> Utility:
    found = dict(utility)
    for who in computed:
        found[who] = found.get(who, 0) - setting.cost
    if worth:
        found[REQUESTER] = found.get(REQUESTER, 0) + worth
    return found


def _shown(round: Round) -> int:
    return sum(g.count for g in round.seats if g.owner == OTHERS and isinstance(g.vote, str))
