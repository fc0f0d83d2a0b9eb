"""The little statistics that the figures need; all in plain Python, so that nothing is needed to check them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 … 1) of all values do not exceed (nearest rank)."""
    if not values or not 0 <= share <= 1:
        raise ValueError(f"no percentile {share} of {len(values)} values")
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def least_squares(columns: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """The coefficients c that minimise Σ (values − Σ c·columns)²: the normal equations, solved by elimination.

    Raises ValueError for columns that depend on one another.
    """
    size = len(columns)
    rows = [
        [sum(a * b for a, b in zip(columns[i], columns[j], strict=True)) for j in range(size)]
        + [sum(a * b for a, b in zip(columns[i], values, strict=True))]
        for i in range(size)
    ]
    for i in range(size):
        pivot = max(range(i, size), key=lambda row: abs(rows[row][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        if abs(rows[i][i]) < 1e-12:
            raise ValueError("the columns depend on one another: more or other points are needed")
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for other in range(size):
            if other != i:
                rows[other] = [a - rows[other][i] * b for a, b in zip(rows[other], rows[i], strict=True)]
    return [row[-1] for row in rows]


def bins(values: Sequence[float], width: float) -> dict[float, int]:
    """How many values fall into each interval of `width`, by its lower edge; empty ones in between included."""
    if not values:
        return {}
    numbers = [int(value // width) for value in values]
    return {n * width: numbers.count(n) for n in range(min(numbers), max(numbers) + 1)}
