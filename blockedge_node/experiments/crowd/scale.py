"""How auctions grow with the network: 10, 100 and 1,000 nodes, and what must hold (docs/protocol.md §5).

Every row is a mesh, a population and a few dozen requests, all drawn from the row's own seed: a row alone gives the
same figures as among the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import mean
from typing import TYPE_CHECKING, Final

from blockedge_node.experiments.crowd import market
from blockedge_node.experiments.crowd.auction import Auction, Sale, hold
from blockedge_node.experiments.crowd.market import Setting
from blockedge_node.experiments.crowd.mesh import mesh
from blockedge_node.experiments.figures.numbers import percentile
from blockedge_node.experiments.figures.plots import COLOURS, Plot
from blockedge_node.experiments.figures.record import Condition, Record, Table, at_most

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED: Final = "scale"
NODES: Final = (10, 100, 1000)
MOST_BIDS: Final = 12.0  # a request and shard, in the mean
MOST_LOST: Final = 0.01  # of the shards whose best bid is not taken
ENOUGH: Final = 10  # shards sold, for a row to have a condition of its own
OVERPAID: Final = 0.001  # of the best bid's price, in the mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting, measured. `heard`: messages that reach a node a request, copies by several neighbours included."""

    name: str
    setting: Setting
    heard: float
    sales: tuple[Sale, ...]

    @property
    def bids(self) -> float:
        return mean(sale.bids for sale in self.sales)

    @property
    def lost(self) -> float:
        return mean(sale.missed > 0 for sale in self.sales)

    @property
    def overpaid(self) -> float:
        return mean(sale.overpaid for sale in self.sales)


def measure(nodes: Sequence[int] = NODES, *, quick: bool = False) -> Record:
    """All rows, the largest network last. `quick`: a quarter of the requests."""
    rows = []
    for name, setting, requests in plan(sorted(nodes)):
        rows.append(run(name, setting, max(4, requests // 4) if quick else requests))
        print(_line(rows[-1]), flush=True)
    turning = [row for row in rows if row.setting.turns]
    return Record(
        name="scale",
        tables=(_table(rows),),
        plots=(
            Plot(name="scale", panels=(lambda axes: _draw(axes, rows), lambda axes: _draw_times(axes, rows))),
        ),
        conditions=conditions(turning),
        figures={row.name: dict(zip(COLUMNS, _figures(row), strict=True)) for row in rows},
    )


def plan(nodes: Sequence[int]) -> list[tuple[str, Setting, int]]:
    """(name, setting, requests): the populations at every size, and what goes wrong at the middle one."""
    rows: list[tuple[str, Setting, int]] = []
    for count in nodes:
        plain = Setting(nodes=count)
        often = max(12, min(120, 24_000 // count))
        rows += [
            (f"mixed {count}", plain, often),
            (f"close {count}", replace(plain, population="close"), often // 2),
            (f"alike {count}", replace(plain, population="alike"), often // 2),
        ]
        if count <= 100:  # n² messages
            rows.append(
                (f"mixed {count}, all bid", replace(plain, turns=False, close_early=False), often // 4)
            )
    middle = Setting(nodes=nodes[len(nodes) // 2])
    often = max(8, min(60, 3_000 // middle.nodes))
    return [
        (f"mixed {middle.nodes}, 5 % lost", replace(middle, loss=0.05), often),
        (f"mixed {middle.nodes}, 20 ms a hop", replace(middle, hop=0.02), often),
        (f"mixed {middle.nodes}, 8 shards", replace(middle, shards=8), often),
        (f"mixed {middle.nodes}, whole window", replace(middle, close_early=False), often),
        *rows,
    ]


def run(name: str, setting: Setting, requests: int) -> Row:
    """`requests` of them, one after the other, each by some node of the same network."""
    chance = Random(f"{SEED} {name}")
    net = mesh(setting.nodes, setting.hop, chance)
    worlds = market.worlds(setting, market.params(), chance)
    auctions: list[Auction] = []
    for nonce in range(requests):
        seller = chance.randrange(setting.nodes)
        asked = market.request(setting, worlds[seller].me, nonce, chance)
        auctions.append(hold(net, worlds, asked, seller, chance, setting.loss))
    return Row(
        name=name,
        setting=setting,
        heard=mean(auction.messages for auction in auctions) * net.copies,
        sales=tuple(sale for auction in auctions for sale in auction.sales),
    )


def conditions(rows: Sequence[Row]) -> tuple[Condition, ...]:
    """What the rows with turns must show."""
    sales = [sale for row in rows for sale in row.sales]
    lost = mean(sale.missed > 0 for sale in sales)
    sizes = sorted({row.setting.nodes for row in rows})
    by_size = {
        size: [sale.bids for row in rows if row.setting.nodes == size for sale in row.sales] for size in sizes
    }
    return (
        *(at_most(f"{size} nodes: bids a request", mean(bids), MOST_BIDS) for size, bids in by_size.items()),
        *(at_most(f"{r.name}: bids a request", r.bids, MOST_BIDS) for r in rows if len(r.sales) >= ENOUGH),
        at_most("share of shards whose best bid was lost", lost, MOST_LOST, digits=3),
        at_most("price above the best possible", mean(sale.overpaid for sale in sales), OVERPAID, digits=4),
        Condition(
            says="a spare bid for nine shards in ten, if not every one",
            found=f"{mean(sale.spares > 0 for sale in sales):.3f}",
            holds=mean(sale.spares > 0 for sale in sales) >= 0.9,
        ),
    )


# ── tables and plots ─────────────────────────────────────────────────────────────────────────────────────

COLUMNS: Final = (
    "nodes",
    "shards_sold",
    "able_to_bid",
    "bids",
    "bids_most",
    "spares",
    "messages_heard_a_node",
    "award_s_median",
    "award_s_most",
    "lost_share",
    "missed_ppm",
    "price_above_best",
)


def _figures(row: Row) -> tuple[float, ...]:
    seconds = [sale.seconds for sale in row.sales]
    return (
        row.setting.nodes,
        len(row.sales),
        round(mean(sale.able for sale in row.sales), 1),
        round(row.bids, 2),
        max(sale.bids for sale in row.sales),
        round(mean(sale.spares for sale in row.sales), 2),
        round(row.heard, 1),
        round(percentile(seconds, 0.5), 4),
        round(max(seconds), 4),
        round(row.lost, 4),
        round(mean(sale.missed for sale in row.sales), 1),
        round(row.overpaid, 5),
    )


def _table(rows: Sequence[Row]) -> Table:
    return Table(name="scale", columns=("row", *COLUMNS), rows=[(row.name, *_figures(row)) for row in rows])


def _line(row: Row) -> str:
    seconds = percentile([sale.seconds for sale in row.sales], 0.5)
    return (
        f"{row.name:24} {len(row.sales):4} sold  {row.bids:5.1f} bids  {row.heard:7.1f} messages a node  "
        f"{seconds * 1e3:4.0f} ms  best lost {row.lost:.1%}"
    )


def _sizes(rows: Sequence[Row], population: str) -> list[Row]:
    """The plain rows of a population, by size."""
    return [row for row in rows if row.name == f"{population} {row.setting.nodes}"]


def _draw(axes: Axes, rows: Sequence[Row]) -> None:
    for population, colour in zip(("mixed", "close", "alike"), COLOURS, strict=False):
        plain = _sizes(rows, population)
        sizes = [row.setting.nodes for row in plain]
        axes.plot(sizes, [row.bids for row in plain], "o-", color=colour, label=population)
    able = _sizes(rows, "mixed")
    axes.plot(
        [row.setting.nodes for row in able],
        [mean(sale.able for sale in row.sales) for row in able],
        "--",
        color="grey",
        label="if all bid",
    )
    axes.axhline(MOST_BIDS, color="black", linewidth=0.8, linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel="bids a request", title="Bids")
    axes.legend()


def _draw_times(axes: Axes, rows: Sequence[Row]) -> None:
    for population, colour in zip(("mixed", "close", "alike"), COLOURS, strict=False):
        plain = _sizes(rows, population)
        sizes = [row.setting.nodes for row in plain]
        times = [percentile([sale.seconds for sale in row.sales], 0.5) for row in plain]
        axes.plot(sizes, times, "o-", color=colour, label=population)
    axes.set(
        xscale="log", xlabel="nodes", ylabel="seconds from request to award, median", title="Time to award"
    )
    axes.set_ylim(bottom=0)
    axes.legend()
