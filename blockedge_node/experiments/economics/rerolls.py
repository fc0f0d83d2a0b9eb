"""Bait: worker and requester lie on purpose, let honest nodes accuse, and pick the jury with reports of their own.

Whoever reveals last knows all salts, s_W and s_R: of m own reports it may leave any out, each choice seats another
jury. If none suits, a demand left unanswered still ends the unit as REFUSED, with all bonds back.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate
from math import comb

from blockedge_node.experiments.economics.disputes import Contest, Dispute
from blockedge_node.experiments.economics.payoffs import Who
from blockedge_node.experiments.economics.setting import BACKER, Play, Setting

MOST_REPORTS = 10


def rerolled(contest: Contest, *, victim: Who) -> Play:
    """The best number of own reports. Only the coalition's expectation is known; floats, to about 1e-9."""
    dispute, setting = Dispute(contest), contest.setting
    values = sorted((float(v.value), float(p)) for _, p, v in dispute.seated(leaving=False))
    leaving = max(float(valued.value) for valued in dispute.exits())
    count, value = max(
        ((m, _expected(values, leaving, m, setting)) for m in range(MOST_REPORTS + 1)), key=lambda x: x[1]
    )
    does = f"bait, {count} own reports to pick the jury"
    return Play(does, {BACKER: Fraction(value)}, harms=(victim,))


def _expected(values: list[tuple[float, float]], leaving: float, reports: int, setting: Setting) -> float:
    """E[max(leaving, best of 2^m juries, each less what its choice of reports costs)].

    An own report that agrees with the worker loses a tenth of its bond if shown, all of it if not.
    """
    bond = setting.stakes.bond
    classes = [
        (comb(reports, hidden), hidden * bond + (reports - hidden) * bond / 10)
        for hidden in range(reports + 1)
    ]
    points = sorted({leaving, *(v - cost for v, _ in values for _, cost in classes if v - cost > leaving)})
    sums = [0.0, *accumulate(p for _, p in values)]
    amounts = [v for v, _ in values]

    def at_most(x: float) -> float:
        chance = 1.0
        for count, cost in classes:
            chance *= min(1.0, sums[bisect_right(amounts, x + cost)]) ** count
        return chance

    expected, below = 0.0, 0.0
    for x in points:
        upto = at_most(x)
        expected += x * (upto - below)
        below = upto
    return expected
