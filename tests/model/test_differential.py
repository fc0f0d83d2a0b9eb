"""Random, adversarial schedules on the contracts' bytecode and on the model: after every step they must agree.

    BLOCKEDGE_MODEL_SEEDS=500:600 pytest tests/model/test_differential.py -s     explores other schedules

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

from tests.model.coverage import WITH_COURT, WITHOUT_COURT, lacking
from tests.model.play import play, story

STEPS = 2_500  # a schedule's, before everything is brought to an end
EXPLORED = os.environ.get("BLOCKEDGE_MODEL_SEEDS")


def run(seed: int, court: bool) -> tuple[Counter[str], str]:
    """In a process of its own. The counts, and the story of a difference."""
    played = play(seed, STEPS, court=court)
    return played.coverage, story(played) if played.differs else ""


def played(seeds: range, court: bool) -> Counter[str]:
    """All schedules, on as many cores as there are. Fails with the first difference."""
    if EXPLORED:
        seeds = range(*map(int, EXPLORED.split(":")))
    coverage: Counter[str] = Counter()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for counts, difference in pool.map(partial(run, court=court), seeds):
            assert not difference, difference
            coverage += counts
    print("\n".join(f"{count:8} {what}" for what, count in sorted(coverage.items())))
    return coverage


@pytest.mark.timeout(1800)
def test_contracts_without_a_court_do_as_the_model_says() -> None:
    coverage = played(range(12), court=False)
    assert EXPLORED or lacking(coverage, WITHOUT_COURT) == []


@pytest.mark.timeout(1800)
def test_contracts_with_a_court_do_as_the_model_says() -> None:
    coverage = played(range(100, 134), court=True)
    assert EXPLORED or lacking(coverage, WITH_COURT) == []
