"""Random, adversarial schedules on the contracts' bytecode and on the model: after every step they must agree.

    BLOCKEDGE_MODEL_SEEDS=500:600 pytest tests/model/test_differential.py     explores other schedules

A difference comes with the shortest schedule that shows it. Seeds are fixed, so CI judges the change and not its
luck; the coverage is asserted, so that the schedules cannot quietly stop trying what they are for.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from tests.model.play import play, story

STEPS = 2_500  # a schedule's
SEEDS = range(*map(int, os.environ.get("BLOCKEDGE_MODEL_SEEDS", "0:12").split(":")))
EXPLORING = "BLOCKEDGE_MODEL_SEEDS" in os.environ

# What must have happened, and how often at least, for the agreement to mean something.
WITHOUT_COURT = """
    end: PAID in time 500 · end: SLASHED by evidence 20 · end: SLASHED withheld 50 · end: REFUSED after an Ack 50
    end: REFUSED without an Ack 10 · end: REFUSED trusted 1 · end: UNRESOLVED without a court 20
"""


def run(seed: int, court: bool) -> tuple[Counter[str], str]:
    """In a process of its own. The counts, and the story of a difference."""
    played = play(seed, STEPS, court=court)
    return played.coverage, story(played) if played.differs else ""


def played(court: bool) -> Counter[str]:
    """All schedules, on as many cores as there are. Fails with the first difference."""
    coverage: Counter[str] = Counter()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for counts, difference in pool.map(partial(run, court=court), SEEDS):
            assert not difference, difference
            coverage += counts
    print("\n".join(f"{count:8} {what}" for what, count in sorted(coverage.items())))
    return coverage


def lacking(coverage: Counter[str], table: str) -> list[str]:
    """Of `what count · what count …`, what did not happen that often."""
    wanted = [entry.strip() for line in table.strip().splitlines() for entry in line.split("·")]
    pairs = [entry.rsplit(" ", 1) for entry in wanted]
    return [
        f"{what}: {coverage[what]} times, not {least}" for what, least in pairs if coverage[what] < int(least)
    ]


@pytest.mark.timeout(900)
def test_contracts_without_a_court_do_as_the_model_says() -> None:
    coverage = played(court=False)
    assert EXPLORING or not lacking(coverage, WITHOUT_COURT)
