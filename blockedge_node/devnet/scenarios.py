"""The cheats that `devnet verdicts` plays, and how each must end.

Ten nodes: n1 and n2 hand in work; n3 to n9 work, check and judge, with two tickets each; n10 has no ticket and looks
at the results that a scenario shows it. A scenario's tasks are told from all others by their maxDelay, so that all
scenarios run side by side and every node is honest in those that do not name it.

What must be true in the end is said about the unit's phase and about who is richer and poorer through it. The wei
themselves follow from the rules (experiments/economics/payoffs.py) and are held against the contracts' balances for
all scenarios together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from blockedge_node.core.unit import Phase
from blockedge_node.devnet.trials import Trial

WORKERS: Final = range(3, 10)  # and checkers, and jurors
INSPECTOR: Final = 10
EVERY_CHECK: Final = 10_000  # bps
RARE_CHECKS: Final = 1_000

Claim = tuple[str, Callable[[Trial], bool]]  # what must be true, in words and as a question


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`plays`: what nodes do in its tasks, by number; CHECKERS stands for whoever may be drawn."""

    name: str
    does: str  # the cheat, in a few words
    worker: int
    phase: Phase
    claims: tuple[Claim, ...]
    plays: Mapping[int, str] = field(default_factory=dict)
    requester: int = 1
    rival: int = 0  # another worker whose bid counts
    program: str = "csvstats"
    spot_bps: int = EVERY_CHECK

    @property
    def workers(self) -> tuple[int, ...]:
        return (self.worker, self.rival) if self.rival else (self.worker,)


def checkers(worker: int, mode: str) -> dict[int, str]:
    """Whoever may be drawn to check `worker` plays `mode`."""
    return {node: mode for node in WORKERS if node != worker}


# ── what can be true of a trial ──────────────────────────────────────────────────────────────────────────


def loses_all(node: int) -> Claim:
    return f"n{node} loses its whole deposit", lambda t: t.moved(node) == -t.deposit


def poorer(node: int, why: str) -> Claim:
    return f"n{node} is poorer{why and ': ' + why}", lambda t: t.moved(node) < 0


def earns_price(node: int) -> Claim:
    return f"n{node} earns its price", lambda t: t.moved(node) == t.price


def richer_than_price(node: int) -> Claim:
    return f"n{node} ends richer than by its price", lambda t: t.moved(node) > t.price


def unpunished(node: int) -> Claim:
    return f"n{node} loses nothing", lambda t: t.moved(node) >= 0


def checker_is_paid() -> Claim:
    return "the checker has its 20 %, as the requester has its half", lambda t: _a_fifth(t, t.checker)


def _a_fifth(trial: Trial, node: int | None) -> bool:
    """Of the deposit less what the jury cost; half of that is the requester's. Both are floored."""
    return abs(5 * trial.moved(node) - 2 * trial.moved(trial.requester)) <= 5


def checker_loses_alpha() -> Claim:
    # Its tickets may sit in nobody's jury here: whoever checked is a party.
    return "the checker loses 10 fees of its ticket", lambda t: t.moved(t.checker) == -10 * t.check_fee


def checker_accused() -> Claim:
    return (
        "the checker loses 10 fees and X of its ticket",
        lambda t: t.moved(t.checker) == -10 * t.check_fee - t.story.stakes.accusation,
    )


def half_burned() -> Claim:
    return "half of the deposit burns", lambda t: t.moved_to("burned") >= t.deposit // 2


REFUNDED: Final[Claim] = ("the requester pays nothing", lambda t: t.moved(t.requester) >= 0)
BY_JURY: Final[Claim] = ("a jury has judged", lambda t: t.rounds > 0)
NO_JURY: Final[Claim] = ("no jury was needed", lambda t: t.rounds == 0)
FEE_BURNS: Final[Claim] = (
    "the requester loses the check's fee",
    lambda t: -t.moved(t.requester) == t.price + t.price // 100 + t.check_fee,
)


SCENARIOS: Final = (
    Scenario(
        name="honest",
        does="nothing: a worker, its drawn checker",
        worker=3,
        phase=Phase.PAID,
        claims=(
            earns_price(3),
            ("the checker has its fee", lambda t: t.moved(t.checker) == t.check_fee),
            NO_JURY,
        ),
    ),
    Scenario(
        name="fabricated",
        does="n4 makes its result up",
        worker=4,
        plays={4: "fabricate"},
        phase=Phase.SLASHED,
        claims=(loses_all(4), checker_is_paid(), REFUNDED, BY_JURY),
    ),
    Scenario(
        name="lazy",
        does="n5 reads half of its input",
        worker=5,
        plays={5: "lazy"},
        phase=Phase.SLASHED,
        claims=(loses_all(5), checker_is_paid(), REFUNDED, BY_JURY),
    ),
    Scenario(
        name="guessed-constant",
        does="n6 gives the right output, and guesses the fuel",
        worker=6,
        plays={6: "guess"},
        phase=Phase.SLASHED,
        claims=(loses_all(6), checker_is_paid(), REFUNDED, BY_JURY),
    ),
    Scenario(
        name="withheld-reveal",
        does="n7 commits and never reveals",
        worker=7,
        plays={7: "withhold"},
        phase=Phase.SLASHED,
        claims=(loses_all(7), half_burned(), REFUNDED, NO_JURY),
    ),
    Scenario(
        name="refusal-before-ack",
        does="n8 bids, wins and never answers",
        worker=8,
        rival=3,
        plays={8: "refuse-early"},
        phase=Phase.PAID,
        claims=(unpunished(8), earns_price(3)),
    ),
    Scenario(
        name="refusal-after-ack",
        does="n9 acknowledges and does nothing",
        worker=9,
        plays={9: "refuse"},
        phase=Phase.REFUSED,
        claims=(("n9 loses 10 %", lambda t: t.moved(9) == -(t.deposit // 10)), REFUNDED, NO_JURY),
    ),
    Scenario(
        name="copied-commitment",
        does="the checker commits to the worker's hash",
        worker=3,
        plays=checkers(3, "copy-check"),
        phase=Phase.PAID,
        claims=(richer_than_price(3), checker_accused(), BY_JURY),
    ),
    Scenario(
        name="copied-report",
        does="n2 reports with the hash of n10's right report",
        worker=4,
        plays={4: "fabricate", INSPECTOR: "honest", 2: "copy-report"},
        phase=Phase.SLASHED,
        claims=(loses_all(4), ("n2 loses its bond", lambda t: t.moved(2) == -t.bond), BY_JURY),
    ),
    Scenario(
        name="false-accusation",
        does="n10 reports an honest n5",
        worker=5,
        plays={INSPECTOR: "false-report"},
        phase=Phase.PAID,
        claims=(
            richer_than_price(5),
            ("n10 loses its bond", lambda t: t.moved(INSPECTOR) <= -t.bond),
            BY_JURY,
        ),
    ),
    Scenario(
        name="silent-checker",
        does="the checker commits and never shows what it found",
        worker=6,
        plays=checkers(6, "silent-checker"),
        phase=Phase.PAID,
        claims=(richer_than_price(6), checker_accused(), BY_JURY),
    ),
    Scenario(
        name="colluding-checker",
        does="n7 makes its result up, its checker agrees, n10 looks",
        worker=7,
        plays={**checkers(7, "collude"), 7: "fabricate", INSPECTOR: "honest"},
        phase=Phase.SLASHED,
        claims=(
            loses_all(7),
            checker_loses_alpha(),
            ("n10 has its 20 %", lambda t: _a_fifth(t, INSPECTOR)),
            BY_JURY,
        ),
    ),
    Scenario(
        name="self-accusation",
        does="n2, n8 and n10 are one: n8 lies, n10 reports it",
        requester=2,
        worker=8,
        plays={8: "fabricate", INSPECTOR: "honest"},
        spot_bps=RARE_CHECKS,
        phase=Phase.SLASHED,
        claims=(
            (
                "the three together lose 30 % of the deposit or more",
                lambda t: sum(map(t.moved, (2, 8, INSPECTOR))) <= -(t.deposit * 3 // 10),
            ),
            BY_JURY,
        ),
    ),
    Scenario(
        name="lying-jurors",
        does="n10 accuses an honest n3, and n9, with a fifth of the tickets that may sit, votes for it",
        worker=3,
        plays={INSPECTOR: "false-report", 9: "lying-juror"},
        phase=Phase.PAID,
        claims=(richer_than_price(3), poorer(INSPECTOR, "it accused"), BY_JURY),
    ),
    Scenario(
        name="absent-jurors",
        does="n10 accuses an honest n4, and n7 and n8 never vote",
        worker=4,
        plays={INSPECTOR: "false-report", 7: "absent-juror", 8: "absent-juror"},
        phase=Phase.PAID,
        claims=(richer_than_price(4), poorer(INSPECTOR, "it accused"), BY_JURY),
    ),
    Scenario(
        name="withheld-input",
        does="n1 and n5 starve the checker of the input",
        worker=5,
        plays={1: "withhold-input", 5: "withhold-input"},
        phase=Phase.PAID,
        claims=(
            FEE_BURNS,
            ("the checker is fined a fee", lambda t: t.moved(t.missed) == -t.missed_fine),
            NO_JURY,
        ),
    ),
    Scenario(
        name="withheld-output",
        does="n6 shows a root and gives the output to nobody",
        worker=6,
        plays={6: "withhold-output"},
        program="frames",
        phase=Phase.REFUSED,
        claims=(("n6 loses 10 %", lambda t: t.moved(6) == -(t.deposit // 10)), REFUNDED, NO_JURY),
    ),
    Scenario(
        name="equivocation",
        does="n2 awards one shard to n7 and to n8",
        requester=2,
        worker=7,
        rival=8,
        plays={2: "equivocate"},
        phase=Phase.PAID,
        claims=(
            (
                "one of the two earns its price, the other loses nothing",
                lambda t: t.moved(t.worker) == t.price and min(t.moved(7), t.moved(8)) >= 0,
            ),
            ("n2 pays once", lambda t: -t.moved(2) <= t.price + t.price // 100 + t.check_fee),
        ),
    ),
    Scenario(
        name="hidden-draw-secret",
        does="n2 never shows the draw secret",
        requester=2,
        worker=9,
        plays={2: "hide-secret"},
        phase=Phase.PAID,
        claims=(
            earns_price(9),
            FEE_BURNS,
            ("n9 earns no reputation", lambda t: not t.secret_shown),
            NO_JURY,
        ),
    ),
)
