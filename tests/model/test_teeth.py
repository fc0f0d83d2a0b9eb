"""The differential test would see it: one rule of the model is bent at a time, and a schedule must find out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.model import auctioning, checking, court, disputing, endings, living, reporting, tickets
from tests.model.play import play, shortest
from tests.model.world import World

Bent = Callable[..., Any]
TRIES = 12  # schedules

WITHOUT_COURT: list[tuple[Any, str, Any]] = [
    (World, "result_by", lambda world, unit: unit.since + unit.terms.delay + world.params.grace),
    (World, "reveal_by", lambda world, unit: world.check_by(unit) + world.params.reveal + 1),
    (World, "challenge_by", lambda world, unit: unit.since + unit.terms.vwin + world.params.challenge - 1),
    (World, "fee", lambda world, terms: -(-terms.price // 100)),
    (reporting, "charge", lambda unit: unit.terms.deposit // 21),
    (endings, "after_refused", lambda record, *_: record),
    (auctioning, "rank_key", lambda request, bid: (auctioning.score_of(request, bid).total, -bid.price)),
    (auctioning, "score", lambda *_: 140_000),
    (auctioning, "offer", lambda world, request: request.max_price + request.check_fee),
]
WITH_COURT: list[tuple[Any, str, Any]] = [
    (World, "check_by", lambda world, unit: unit.since + world.params.secret),
    (court, "ALPHA", 9),
    (court, "close_by", lambda world, dispute: court.reveal_by(world, dispute)),
    (court, "commit_by", lambda world, dispute: dispute.rounds[-1].since + world.params.jcommit),
    (court, "tally", lambda opened, round, accused: (court.Phase.UNRESOLVED, court.ZERO_HASH)),
    (tickets, "old_enough", lambda world, snapshot: len(world.tickets)),
    (living, "CHECK_MISSED", 0),
    (disputing, "FIRST_ROUND", 4),
    (checking, "CHECK_MISSED", 8),
]


@pytest.mark.parametrize(("where", "name", "bent"), WITHOUT_COURT)
def test_a_bent_rule_is_noticed(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, bent: Any) -> None:
    monkeypatch.setattr(where, name, bent)
    assert any(play(seed, 1_000, court=False).differs for seed in range(TRIES))


@pytest.mark.parametrize(("where", "name", "bent"), WITH_COURT)
def test_a_bent_rule_of_courts_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, bent: Any
) -> None:
    monkeypatch.setattr(where, name, bent)
    assert any(play(seed, 1_000, court=True).differs for seed in range(TRIES))


def test_a_difference_is_told_by_a_short_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "after_slashed", lambda record, *_: record)
    played = next(filter(lambda played: played.differs, (play(s, 1_000, court=False) for s in range(TRIES))))
    assert len(shortest(played)) <= 20 < len(played.steps)
