"""The best a coalition makes of a dispute.

All seats of all rounds are known once the case is open, so a coalition with jurors is *informed*: before the first
vote it knows how many seats it has in every round, votes by that, and appeals only what it will win. Honest
jurors show the truth; honest losers of a round appeal, if the setting says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase
from blockedge_node.experiments.economics.juries import OWN, SeatCounts, round_of, seatings
from blockedge_node.experiments.economics.payoffs import (
    ACCUSED,
    Claim,
    Ending,
    Result,
    Round,
    Story,
    Who,
    outcome_of,
)
from blockedge_node.experiments.economics.setting import (
    BACKER,
    REQUESTER,
    WORKER,
    Amount,
    Coalition,
    Setting,
    Utility,
    utility_of,
)

TRUTH: Result = "the truth"  # where the worker's result is another
FORGED: Result = "forged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A contradicted unit, its claims, and the purses that are one coalition's."""

    purses: frozenset[Who]
    setting: Setting
    lied: bool  # the worker
    check: Claim | None = None
    reports: tuple[Claim, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        return ((self.check,) if self.check else ()) + self.reports


def contest(
    coalition: Coalition,
    setting: Setting,
    *,
    lied: bool,
    check: Claim | None = None,
    reports: tuple[Claim, ...] = (),
) -> Contest:
    """Purses of members that have no part in it are left out, so that equal contests are solved once."""
    parties = {WORKER, REQUESTER, BACKER, OWN, *(claim.author for claim in (check, *reports) if claim)}
    return Contest(
        purses=coalition.purses & parties,
        setting=replace(setting, watched=False),
        lied=lied,
        check=check,
        reports=reports,
    )


@dataclass(frozen=True, slots=True)
class Valued:
    value: Amount
    utility: Utility


class _Held(NamedTuple):
    """A round as the coalition holds it: its seats, who funded it, its vote; None: for what wins in the end."""

    own: int
    funder: Who
    vote: Result | None


@cache
def fought(contest: Contest) -> Utility:
    """What a contest is worth to everybody in expectation, every jury played at its best."""
    return Dispute(contest).expected()


class Dispute:
    """A contest on its way through the jury's rounds."""

    def __init__(self, contest: Contest) -> None:
        self.contest = contest
        self.purses = contest.purses
        self.truth = TRUTH if contest.lied else ACCUSED
        self.target = ACCUSED if contest.lied else FORGED
        self.story = Story(
            stakes=contest.setting.stakes,
            ending=Ending.RULED,
            trusted=contest.setting.trusted,
            check=contest.check,
            reports=contest.reports,
            rules=contest.setting.rules,
        )
        self._known: dict[tuple[_Held, ...], Valued] = {}
        honest = [claim.author for claim in contest.claims if claim.author not in self.purses]
        self._accuser = honest[0] if honest and contest.lied else None

    def expected(self) -> Utility:
        """Over all seatings, each played at its best."""
        total: Utility = {}
        scale = self._share().denominator ** sum(ROUNDS)  # every chance is a whole number of these
        for _, chance, valued in self.seated():
            weight = int(chance * scale)
            for who, amount in valued.utility.items():
                total[who] = total.get(who, 0) + weight * amount
        return {who: Fraction(amount) / scale for who, amount in total.items()}

    def seated(self, *, leaving: bool = True) -> Iterator[tuple[SeatCounts, Fraction, Valued]]:
        """Each seating, its chance, and the best of it; `leaving`: by an exit too."""
        exits = tuple(self.exits()) if leaving else ()
        for own, chance in seatings(self._share()):
            best = self.best(own, ())
            yield own, chance, max((best, *exits), key=lambda valued: valued.value)

    def _share(self) -> Fraction:
        return self.contest.setting.share if OWN in self.purses else Fraction(0)

    def exits(self) -> Iterator[Valued]:
        """Ways out that are open until the jury is known: a worker may stay silent; and with the requester's
        help, a demand left unanswered ends the unit as REFUSED."""
        if WORKER not in self.purses:
            return
        yield self._valued(replace(self.story, ending=Ending.DEFAULT))
        if REQUESTER in self.purses and not self.story.rules.contradicted_stays:
            yield self._valued(replace(self.story, ending=Ending.OVERDUE))

    def best(self, own: SeatCounts, held: tuple[_Held, ...], funder: Who = "") -> Valued:
        """The case from its next round on, `funder` having paid for it."""
        number = len(held)
        found: list[Valued] = []
        phases: dict[Phase, list[Result]] = {}
        for vote in (self.target, self.truth) if own[number] else (self.truth,):
            phase, _ = outcome_of(self._round(number, own[number], vote, funder), number)
            phases.setdefault(phase, []).append(vote)
        for phase, votes in phases.items():
            appellant = self._appellant(phase, number)
            if appellant is None:
                found += (self._ruled((*held, _Held(own[number], funder, vote))) for vote in votes)
            if number + 1 < len(ROUNDS):
                # Votes that do not change how this round ends may as well go to the hash that wins in the end.
                vote_later = _Held(own[number], funder, votes[0] if len(phases) > 1 else None)
                found.append(self.best(own, (*held, vote_later), appellant or BACKER))
        return max(found, key=lambda valued: valued.value)

    def _appellant(self, phase: Phase, number: int) -> Who | None:
        """The honest party that lost this round, if it can and will appeal."""
        if not self.contest.setting.appeals or number + 1 == len(ROUNDS):
            return None
        if WORKER not in self.purses:
            return WORKER if phase is not Phase.PAID else None
        return self._accuser if phase is not Phase.SLASHED else None

    def _round(self, number: int, own: int, vote: Result, funder: Who) -> Round:
        return round_of(number, own, vote, self.truth, funder=funder)

    def _ruled(self, held: tuple[_Held, ...]) -> Valued:
        if held not in self._known:
            last, vote = len(held) - 1, held[-1].vote
            assert vote is not None
            _, final = outcome_of(self._round(last, held[-1].own, vote, held[-1].funder), last)
            later = final if final in (self.target, self.truth) else self.truth
            assert later is not None
            rounds = tuple(
                self._round(number, h.own, h.vote or later, h.funder) for number, h in enumerate(held)
            )
            self._known[held] = self._valued(replace(self.story, rounds=rounds))
        return self._known[held]

    def _valued(self, story: Story) -> Valued:
        utility = utility_of(story, self.contest.setting)
        return Valued(sum(utility.get(who, 0) for who in self.purses), utility)
