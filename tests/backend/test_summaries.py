"""What a person is told of a unit's spot check, from nothing known to how it ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blockedge_node.core.hashing import keccak256
from blockedge_node.core.unit import CHECK_MISSED, MARKED_DRAWN, SECRET_SHOWN, ReportView, UnitView
from blockedge_node.summaries import check_state
from tests.adapters.chain.test_book import RESULT, WHO
from tests.backend.test_court_views import disputed

VIEW = disputed()
UNCHECKED = replace(VIEW, terms=replace(VIEW.terms, spot_bps=1_000), reports=())
CHECK = ReportView(index=0, author=WHO[2], hash=keccak256(b"check"))


@pytest.mark.parametrize(
    ("view", "state"),
    [
        (None, ""),
        (replace(UNCHECKED, terms=replace(VIEW.terms, spot_bps=0), flags=SECRET_SHOWN), ""),
        (UNCHECKED, ""),
        (replace(UNCHECKED, flags=SECRET_SHOWN), "not-drawn"),
        (replace(UNCHECKED, flags=MARKED_DRAWN), "drawn"),
        (replace(UNCHECKED, flags=MARKED_DRAWN | SECRET_SHOWN | CHECK_MISSED), "missed"),
        (replace(UNCHECKED, reports=(CHECK,)), "committed"),
        (replace(UNCHECKED, reports=(replace(CHECK, result_hash=RESULT.hash()),)), "agrees"),
        (replace(UNCHECKED, reports=(replace(CHECK, result_hash=keccak256(b"other")),)), "differs"),
        (replace(UNCHECKED, reports=(replace(CHECK, index=1, result_hash=RESULT.hash()),)), ""),
    ],
)
def test_a_check_is_told_as_far_as_it_is_known(view: UnitView | None, state: str) -> None:
    assert check_state(view) == state
