"""Fig. 4: how long a negotiation takes, on the chain as the paper does it (a) and by gossip (b)."""

from __future__ import annotations

from blockedge_node.experiments.figures import fig4b
from blockedge_node.experiments.figures.plots import Plot
from blockedge_node.experiments.figures.record import Record


def gossip(*, quick: bool, runs: int | None = None) -> Record:
    found = fig4b.measure(runs or (fig4b.SHORT if quick else fig4b.RUNS))
    return Record(
        name="fig4b",
        tables=(fig4b.table(found),),
        plots=(Plot(name="fig4b", panels=(lambda axes: fig4b.draw(axes, found),)),),
        conditions=tuple(fig4b.conditions(found, quick=quick)),
        figures={"variants": fig4b.summary(found)},
    )
