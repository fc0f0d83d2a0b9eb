"""Chances of a jury, exact: seats fall to a coalition with its share of the tickets (docs/protocol.md §6.2, §6.5)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import product
from math import comb

from blockedge_node.core.sortition import ROUNDS
from blockedge_node.core.unit import Phase
from blockedge_node.experiments.economics.payoffs import (
    ACCUSED,
    Result,
    Round,
    Seats,
    Vote,
    Who,
    outcome_of,
)

OWN: Who = "own jurors"
OTHERS: Who = "jurors"
ONE = Fraction(1)
SeatCounts = tuple[int, ...]  # the coalition's seats in rounds 0, 1, 2


@cache
def binomial(trials: int, chance: Fraction) -> tuple[Fraction, ...]:
    """P(k successes), k = 0 … trials."""
    return tuple(comb(trials, k) * chance**k * (ONE - chance) ** (trials - k) for k in range(trials + 1))


def seatings(share: Fraction) -> Iterator[tuple[SeatCounts, Fraction]]:
    """How many seats of each round fall to tickets that are `share` of all; only what can happen."""
    rounds = [[(k, p) for k, p in enumerate(binomial(seats, share)) if p] for seats in ROUNDS]
    for (a, p), (b, q), (c, r) in product(*rounds):
        yield (a, b, c), p * q * r


@cache
def round_of(
    number: int, own: int, vote: Result | Vote, truth: Result, *, present: int | None = None, funder: Who = ""
) -> Round:
    """A round in which `own` seats did one thing, and of the others `present` (all) showed the truth."""
    others = ROUNDS[number] - own
    present = others if present is None else present
    groups = (
        Seats(OWN, vote, own),
        Seats(OTHERS, truth, present),
        Seats(OTHERS, Vote.ABSENT, others - present),
    )
    return Round(tuple(group for group in groups if group.count), funder)


@cache
def outcomes(
    number: int, share: Fraction, absent: Fraction, vote: Result | Vote, truth: Result
) -> dict[Phase, Fraction]:
    """How a round ends if the coalition's seats all do one thing and each other one is absent with `absent`."""
    found: dict[Phase, Fraction] = {}
    for own, p in enumerate(binomial(ROUNDS[number], share)):
        for present, q in enumerate(binomial(ROUNDS[number] - own, ONE - absent)):
            phase, _ = outcome_of(round_of(number, own, vote, truth, present=present), number)
            found[phase] = found.get(phase, Fraction(0)) + p * q
    return found


def convicted(number: int, share: Fraction, absent: Fraction = Fraction(0)) -> Fraction:
    """P(a round convicts a liar whom the coalition's seats vote to acquit)."""
    return outcomes(number, share, absent, ACCUSED, "the truth").get(Phase.SLASHED, Fraction(0))


def wrong(number: int, share: Fraction, absent: Fraction = Fraction(0)) -> Fraction:
    """P(a round convicts an innocent whom the coalition's seats vote to convict): the table of §6.5."""
    return outcomes(number, share, absent, "forged", ACCUSED).get(Phase.SLASHED, Fraction(0))
