"""What an experiment leaves behind, and the little statistics behind its conditions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from blockedge_node.errors import BlockEdgeError, ConfigError
from blockedge_node.experiments.figures.numbers import bins, least_squares, percentile
from blockedge_node.experiments.figures.plots import Plot
from blockedge_node.experiments.figures.record import Condition, Record, Table, at_least, at_most, publish


def record(*conditions: Condition) -> Record:
    return Record(
        name="fig0",
        tables=(Table(name="fig0-points", columns=("k", "seconds"), rows=[(1, 2.5), (2, 1.25)]),),
        plots=(Plot(name="fig0", panels=(lambda axes: axes.plot([1, 2], [2.5, 1.25]),)),),
        conditions=conditions,
        figures={"k": 2},
    )


def test_tables_become_csv_and_plots_png(tmp_path: Path) -> None:
    data = publish(record(at_most("median", 342.0, 350.0, " ms")), tmp_path)
    assert (tmp_path / "fig0-points.csv").read_text() == "k,seconds\n1,2.5\n2,1.25\n"
    assert (tmp_path / "fig0.png").read_bytes().startswith(b"\x89PNG")
    assert data["k"] == 2
    assert data["conditions"] == [{"says": "median <= 350.0 ms", "found": "342.0 ms", "holds": True}]


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    publish(record(), first)
    publish(record(), second)
    assert (first / "fig0.png").read_bytes() == (second / "fig0.png").read_bytes()


def test_a_condition_that_does_not_hold_is_an_error_and_the_figures_are_kept(tmp_path: Path) -> None:
    failing = record(at_least("efficiency", 0.85, 0.9, digits=2), at_most("p99", 1.0, 2.0))
    with pytest.raises(
        BlockEdgeError, match=r"1 of 2 conditions do not hold: efficiency >= 0\.90, found 0\.85"
    ):
        publish(failing, tmp_path)
    assert (tmp_path / "fig0-points.csv").exists()
    assert (tmp_path / "fig0.png").exists()


def test_without_matplotlib_the_csv_is_written_and_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match="blockedge-node\\[experiments\\]"):
        publish(record(), tmp_path)
    assert (tmp_path / "fig0-points.csv").exists()


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.25, 1), (0.5, 2), (0.51, 3), (0.99, 4), (1, 4)])
def test_percentile_by_nearest_rank(share: float, value: float) -> None:
    assert percentile([4, 2, 1, 3], share) == value


def test_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="of 0 values"):
        percentile([], 0.5)


def test_least_squares_finds_the_coefficients_of_an_exact_model() -> None:
    ks = range(1, 9)
    times = [0.35 + 60 / k + 0.02 * k for k in ks]
    found = least_squares([[1.0] * 8, [1 / k for k in ks], list(ks)], times)
    assert found == pytest.approx([0.35, 60.0, 0.02])


def test_least_squares_refuses_columns_that_say_the_same() -> None:
    with pytest.raises(ValueError, match="depend on one another"):
        least_squares([[1, 1, 1], [2, 2, 2]], [1, 2, 3])


def test_bins_count_empty_intervals_too() -> None:
    assert bins([0.5, 0.75, 2.25], 1.0) == {0.0: 2, 1.0: 0, 2.0: 1}
    assert bins([], 1.0) == {}
