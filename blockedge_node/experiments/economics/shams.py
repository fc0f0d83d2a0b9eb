"""Disputes in which worker, requester and accuser are one.

They know every secret that seats the jury before they commit the first, so they pick the seats: *by seed*. And they
alone hold the input: each outside juror votes for the truth or, served nothing, NO_INPUT, as they choose: *by
starving*. What they lose to each other is no loss, so all that counts is what burns and what outside jurors pay
or get.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase
from blockedge_node.experiments.economics.disputes import FORGED, TRUTH
from blockedge_node.experiments.economics.juries import OTHERS, OWN, binomial
from blockedge_node.experiments.economics.payoffs import (
    ACCUSED,
    NO_INPUT,
    Claim,
    Ending,
    Result,
    Round,
    Seats,
    Story,
    Vote,
    outcome_of,
)
from blockedge_node.experiments.economics.setting import (
    BACKER,
    REQUESTER,
    WORKER,
    Coalition,
    Member,
    Play,
    Setting,
    utility_of,
)

SEEDS = 2**32  # seeds that a coalition tries at most: minutes on one machine


@dataclass(frozen=True, slots=True)
class _Option:
    """One way to hold a round: what the coalition's seats earn, what outside jurors lose to the pot, both in φ."""

    round: Round
    phase: Phase
    own: int  # seats
    earned: int
    taken: int


def best_sham(coalition: Coalition, setting: Setting, *, lied: bool, starving: bool) -> Play:
    """The sham dispute that brings most. The requester itself reports."""
    story = Story(
        stakes=setting.stakes,
        ending=Ending.RULED,
        trusted=setting.trusted,
        reports=(Claim(REQUESTER, TRUTH if lied else FORGED),),
        rules=setting.rules,
    )
    computed = () if lied else (WORKER,)
    found = [
        utility_of(replace(story, rounds=rounds), setting, computed=computed)
        for rounds in _courses(coalition, setting, TRUTH if lied else ACCUSED, starving)
    ]
    utility = max(found, key=coalition.worth)
    how = "starve jurors" if starving else "pick the jury"
    return Play(f"accuse for show, {how}", utility)


def _courses(
    coalition: Coalition, setting: Setting, truth: Result, starving: bool
) -> Iterator[tuple[Round, ...]]:
    share = setting.share if Member.JURORS in coalition else Fraction(0)
    for last in range(len(ROUNDS)):
        for final in (ACCUSED, NO_INPUT, TRUTH, FORGED):
            options = [list(_options(number, final, truth, share, starving)) for number in range(last + 1)]
            for end in (Phase.PAID, Phase.SLASHED, Phase.UNRESOLVED):
                ends = [o for o in options[last] if (o.phase, outcome_of(o.round, last)[1]) == (end, final)]
                # An appeal gains its premium only where the outcome then changes.
                before = [_pareto([o for o in held if o.phase is not end]) for held in options[:last]]
                for course in product(*before, _pareto(ends)):
                    if _found(course, share):
                        yield tuple(option.round for option in course)


def _options(number: int, final: Result, truth: Result, share: Fraction, starving: bool) -> Iterator[_Option]:
    size = ROUNDS[number]
    for voting in range(size + 1 if share else 1):
        for silent in range(min(1, size - voting) + 1 if share else 1):
            others = size - voting - silent
            for served in range(others + 1) if starving else (others,):
                groups = (
                    Seats(OWN, final, voting),
                    Seats(OTHERS, truth, served),
                    Seats(OTHERS, NO_INPUT, others - served),
                    Seats(OWN, Vote.ABSENT, silent),
                )
                round = Round(tuple(g for g in groups if g.count), BACKER if number else "")
                right = (served if truth == final else 0) + (others - served if final == NO_INPUT else 0)
                yield _Option(
                    round,
                    outcome_of(round, number)[0],
                    own=voting + silent,
                    earned=voting - silent,
                    taken=10 * (others - right) - right,
                )


def _pareto(options: list[_Option]) -> list[_Option]:
    """Those that no other beats in both figures."""
    kept: list[_Option] = []
    for option in sorted(options, key=lambda o: (-o.earned, -o.taken, o.own)):
        if not kept or option.taken > kept[-1].taken:
            kept.append(option)
    return kept


def _found(course: tuple[_Option, ...], share: Fraction) -> bool:
    """Whether some of SEEDS seeds gives the coalition so many seats."""
    chance = Fraction(1)
    for number, option in enumerate(course):
        chance *= sum(binomial(ROUNDS[number], share)[option.own :])
    return chance * SEEDS >= 1
