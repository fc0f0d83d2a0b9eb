"""Fig. 4: how long a negotiation takes, on the chain as the paper does it (a) and by gossip (b)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from blockedge_node.experiments.figures import fig4a, fig4b
from blockedge_node.experiments.figures.plots import Plot
from blockedge_node.experiments.figures.record import Record

Part = Literal["a", "b", "both"]


def measure(part: Part, *, quick: bool, runs: int | None = None) -> Record:
    """`runs` negotiations a variant; each variant has a chain and five daemons of its own."""
    parts = [make(quick, runs) for name, make in (("a", _onchain), ("b", _gossip)) if part in (name, "both")]
    if len(parts) == 1:
        return parts[0]
    a, b = parts
    return replace(
        a,
        name="fig4",
        tables=(*a.tables, *b.tables),
        plots=(Plot(name="fig4", panels=(*a.plots[0].panels, *b.plots[0].panels)),),
        conditions=(*a.conditions, *b.conditions),
        figures={"onchain": a.figures, "gossip": b.figures},
    )


def _onchain(quick: bool, runs: int | None) -> Record:
    if quick:
        found = [fig4a.measure(runs or fig4a.SHORT, fig4a.QUICK_BLOCK_TIME)]
    else:
        found = [fig4a.measure(runs or fig4a.RUNS, fig4a.BLOCK_TIME, fixed=fixed) for fixed in (True, False)]
    return Record(
        name="fig4a",
        tables=(fig4a.table(found),),
        plots=(Plot(name="fig4a", panels=(lambda axes: fig4a.draw(axes, found),)),),
        conditions=tuple(fig4a.conditions(found)),
        figures={run.name: fig4a.summary(run) for run in found},
    )


def _gossip(quick: bool, runs: int | None) -> Record:
    found = fig4b.measure(runs or (fig4b.SHORT if quick else fig4b.RUNS))
    return Record(
        name="fig4b",
        tables=(fig4b.table(found),),
        plots=(Plot(name="fig4b", panels=(lambda axes: fig4b.draw(axes, found),)),),
        conditions=tuple(fig4b.conditions(found, quick=quick)),
        figures=dict(fig4b.summary(found)),
    )
