"""The verbs of `blockedge bench` that make a figure each: measure, write down, print what holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockedge_node.errors import ConfigError
from blockedge_node.experiments.figures.record import publish

if TYPE_CHECKING:
    from blockedge_node.experiments.figures.fig4 import Part


def fig4(*, part: Part, quick: bool, runs: int | None, out: Path) -> dict[str, Any]:
    """Negotiation time."""
    from blockedge_node.experiments.figures.fig4 import measure

    return publish(measure(part, quick=quick, runs=runs), out)


def fig5(*, quick: bool, runs: int | None, how: str, out: Path) -> dict[str, Any]:
    """Efficiency against the number of stakeholders."""
    from blockedge_node.experiments.figures.fig5 import measure

    return publish(measure(quick=quick, runs=runs, how=how), out)


def fig6(*, quick: bool, out: Path) -> dict[str, Any]:
    """Balance against abnormality probability."""
    from blockedge_node.experiments.figures.fig6 import measure

    return publish(measure(quick=quick), out)


def scale(*, nodes: str, quick: bool, out: Path) -> dict[str, Any]:
    """Auctions by the size of their network. Raises ConfigError for sizes that are none."""
    from blockedge_node.experiments.crowd.scale import measure

    try:
        sizes = sorted({int(size) for size in nodes.split(",")})
    except ValueError:
        sizes = []
    if not sizes or sizes[0] < 3 or sizes[-1] > 5_000:
        raise ConfigError(f'--nodes {nodes}: sizes are numbers from 3 to 5000, separated by commas: "10,100"')
    return publish(measure(sizes, quick=quick), out)
