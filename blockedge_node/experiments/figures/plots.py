"""Plots: what is drawn is a function of axes, how it looks and where it goes is decided here.

matplotlib is the extra `experiments`, so it is imported when a plot is drawn and never before. No pyplot: there is
no display, no state, and the same figures give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blockedge_node.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[["Axes"], None]

PANEL: Final = (5.2, 3.9)  # inches
DPI: Final = 110  # a panel of 570 x 430 pixels, about 40 kB
STYLE: Final[Any] = {  # matplotlib names every key in its type
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
    "legend.frameon": False,
    "svg.hashsalt": "blockedge",
}
COLOURS: Final = ("#1b6ca8", "#c8553d", "#3c8d53", "#7a5195", "#8c6d1f")  # apart for colour-blind eyes too


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One picture, `name`.png: its panels side by side, each drawn by a function."""

    name: str
    panels: tuple[Draw, ...]


def draw(plot: Plot, out: Path) -> Path:
    """Write a plot. Raises ConfigError if matplotlib is not installed."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            f"{plot.name}.png is not drawn, as matplotlib is missing: install the extra `experiments` "
            f"(pip install 'blockedge-node[experiments]'); the figures themselves are in {out}/*.csv"
        ) from None
    path = out / f"{plot.name}.png"
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL[0] * len(plot.panels), PANEL[1]), dpi=DPI, layout="constrained")
        for number, panel in enumerate(plot.panels, 1):
            panel(figure.add_subplot(1, len(plot.panels), number))
        figure.savefig(path, metadata={"Software": None})
    return path
