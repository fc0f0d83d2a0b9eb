"""The incentive conditions of docs/protocol.md §7.3 and the thresholds of Fig. 6, as exact functions.

Amounts are in any one unit; chances are Fractions. `share` is f, `rate` ρ, `absent` the chance that an honest juror
stays away, `guess` g, the chance of a right hash without running the program.
"""

from __future__ import annotations

from fractions import Fraction

from blockedge_node.core.jury import ALPHA
from blockedge_node.core.sortition import ROUNDS
from blockedge_node.experiments.economics.juries import ONE, convicted

LAST = len(ROUNDS) - 1
PREMIUM = Fraction(11, 10)
KEPT = Fraction(1, 5)  # of a deposit: what a second identity of its worker may get back as detector


def caught(rate: Fraction, share: Fraction, absent: Fraction = Fraction(0)) -> Fraction:
    """q: a lie is drawn to an honest checker, and the last round convicts."""
    return rate * (ONE - share) * convicted(LAST, share, absent)


def cost_of_cheating(q: Fraction, price: Fraction, deposit: Fraction) -> Fraction:
    """What a lie loses in expectation; condition 1: more than c, which it saves."""
    return q * (price + (ONE - KEPT) * deposit)


def checks_beat_guesses(fee: Fraction, cost: Fraction, guess: Fraction, gas: Fraction = Fraction(0)) -> bool:
    """Condition 2, for a drawn checker."""
    return fee - cost - gas > guess * fee - (ONE - guess) * ALPHA * fee


def jurors_recompute(fee: Fraction, cost: Fraction, guess: Fraction) -> bool:
    """Condition 3: a guess saves c and risks φ + α."""
    return (ONE - guess) * (fee + ALPHA * fee) > cost


def tolerable_error(fee: Fraction, cost: Fraction) -> Fraction:
    """Condition 3: jurors join while the last round is wrong less often than this."""
    return cost / (fee + ALPHA * fee)


def unpaid(appeals: int, *, convicted: bool) -> Fraction:
    """Condition 6: what the pots leave unpaid of all dues, in φ, if every round before the last erred by the barest
    majority, and all seats of the last were right. X pays it after an acquittal, D after a conviction.
    """
    *erred, last = ROUNDS[: appeals + 1]
    fees = sum((seats - 1) // 2 for seats in erred) + last
    dues = PREMIUM * sum((*erred[1:], last)) + (ROUNDS[0] if convicted else 0)
    return dues - (sum(erred) + last - fees)


def threshold(price: Fraction, deposit: Fraction, q: Fraction = ONE, lost: Fraction = ONE) -> Fraction:
    """AP*: the share of wrong results at which a worker's balance stays level (Fig. 6)."""
    return price / (q * (price + lost * deposit))


def threshold_paid_at_award(
    price: Fraction, deposit: Fraction, q: Fraction = ONE, lost: Fraction = ONE
) -> Fraction:
    """The paper's: the price is paid for wrong results too."""
    return price / (q * lost * deposit)
