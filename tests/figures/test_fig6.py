"""Fig. 6: the arithmetic by tables, the break-even on the contracts' real bytecode."""

from __future__ import annotations

from random import Random

import pytest

from blockedge_node.experiments.figures.fig6 import (
    DEPOSITS,
    ETHER,
    PRICE,
    TASKS,
    Line,
    Point,
    break_even,
    fit,
    measure,
    net,
)


@pytest.mark.parametrize("deposit", DEPOSITS)
def test_one_wrong_result_breaks_even_one_task_later_than_where_it_is_paid(deposit: int) -> None:
    even = 1 + deposit // PRICE
    assert [net(even + step, 1, PRICE, deposit) for step in (-1, 0, 1)] == [-PRICE, 0, PRICE]
    assert net(even - 1, 1, PRICE, deposit, pay_at_award=True) == 0


@pytest.mark.parametrize(("deposit", "ap"), [(1000, 0.0099), (2000, 0.0050), (3000, 0.0033)])
def test_break_even_probability(deposit: int, ap: float) -> None:
    assert round(break_even(deposit), 4) == ap


def line_of(deposit: int, ap_really: float = 1.0) -> Line:
    """The fit to points of a worker that is wrong `ap_really` times as often as it says."""
    points = []
    for step in range(21):
        chance = Random(f"{deposit} {step}")
        wrong = sum(chance.random() < ap_really * step / 1000 for _ in range(TASKS))
        points.append(
            Point(
                deposit=deposit,
                ap=step / 1000,
                tasks=TASKS,
                wrong=wrong,
                net=net(TASKS, wrong, PRICE * ETHER, deposit * ETHER),
            )
        )
    return fit(points)


@pytest.mark.parametrize("deposit", DEPOSITS)
def test_the_fit_finds_the_crossing_and_how_sure_it_is(deposit: int) -> None:
    line = line_of(deposit)
    assert abs(line.crossing - break_even(deposit)) < 3 * line.crossing_se
    assert 0.02 < line.crossing_se / line.crossing < 0.1


def test_the_fit_notices_a_worker_that_is_wrong_twice_as_often() -> None:
    line = line_of(1000, ap_really=2.0)
    assert abs(line.crossing - break_even(1000)) > 3 * line.crossing_se


def test_an_exact_line_leaves_no_residue() -> None:
    points = [
        Point(deposit=1000, ap=n / 1000, tasks=TASKS, wrong=n, net=net(TASKS, n, PRICE * ETHER, 1000 * ETHER))
        for n in range(21)
    ]
    line = fit(points)
    assert line.crossing == pytest.approx(PRICE / 1010)
    assert line.chi2 == pytest.approx(0, abs=1e-9)


@pytest.mark.anvil
def test_the_quick_figure_holds_on_the_contracts() -> None:
    record = measure(quick=True, deposits=DEPOSITS[:1])
    assert [condition for condition in record.conditions if not condition.holds] == []
    exact, curve = record.tables
    assert [row[:3] for row in exact.rows] == [
        (1000, 100, -10 * ETHER),
        (1000, 101, 0),
        (1000, 102, 10 * ETHER),
    ]
    assert len(curve.rows) == 21
