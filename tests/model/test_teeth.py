"""The differential test would see it: one rule of the model is bent at a time, and a schedule must find out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model import endings, reporting
from tests.model.play import play, shortest
from tests.model.world import World

SEED = 3


@pytest.mark.parametrize(
    ("where", "name", "bent"),
    [
        (World, "result_by", lambda world, unit: unit.since + unit.terms.delay + world.params.grace),
        (World, "reveal_by", lambda world, unit: unit.since + world.params.reveal + 1),
        (World, "fee", lambda world, terms: -(-terms.price // 100)),
        (reporting, "charge", lambda unit: unit.terms.deposit // 21),
        (endings, "after_refused", lambda record, *_: record),
    ],
)
def test_a_bent_rule_is_noticed(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, bent: Any) -> None:
    monkeypatch.setattr(where, name, bent)
    assert play(SEED, 1_500, court=False).differs


def test_a_difference_is_told_by_a_short_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "after_slashed", lambda record, *_: record)
    played = play(SEED, 1_500, court=False)
    steps = shortest(played)
    assert len(steps) <= 20 < len(played.steps)
