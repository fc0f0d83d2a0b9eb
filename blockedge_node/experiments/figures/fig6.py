"""Fig. 6: the balance of a worker that is wrong with some probability AP (docs/protocol.md §7.3, §13).

    exact    on the contracts, to the wei: one wrong result among N tasks, N around the break-even
    curve    AP = 0 … 0.02: on the contracts, or (--quick) by `net` below, cross-checked on some tasks
    crossing where the line through the points says that the worker gains nothing

The paper pays the price to whoever wins the bidding, wrong or not; we pay only for what stands. So its worker
breaks even at I/D, ours at I/(I + D): 0.01 against 0.0099 for a deposit of 1000 ether.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import TYPE_CHECKING, Final

from blockedge_node.devnet.cluster import ETHER
from blockedge_node.experiments.figures.plots import COLOURS, Plot
from blockedge_node.experiments.figures.record import Condition, Record, Table
from blockedge_node.experiments.figures.trade import Market, market

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED: Final = "fig6"
PRICE: Final = 10  # ether, I
DEPOSITS: Final = (1000, 2000, 3000)  # ether, D
STEPS: Final = range(21)  # AP in thousandths: 0 … 0.02
TASKS: Final = 1000  # a point
CHECKED: Final = 50  # tasks on which --quick holds the model against the contracts
PAPER: Final = {1000: 0.01, 2000: 0.005, 3000: 10 / 3000}  # break-even; the paper prints the first
SIGMAS: Final = 3.0
CHANCE: Final = 45.3  # χ² of 20 points stays below in 99.9 % of all samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of the curve: a worker's net change in wei over `tasks`, of which `wrong` were."""

    deposit: int  # ether
    ap: float
    tasks: int
    wrong: int
    net: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """net = tasks·I − slope·AP, through the exact point at AP = 0; wei, by weighted least squares."""

    slope: float
    slope_se: float
    crossing: float
    crossing_se: float
    chi2: float


def net(tasks: int, wrong: int, price: int, deposit: int, *, pay_at_award: bool = False) -> int:
    """What a worker gains by `tasks`, `wrong` of which are found wrong, in the unit of its arguments."""
    return price * (tasks if pay_at_award else tasks - wrong) - deposit * wrong


def break_even(deposit: int) -> float:
    """AP* = I/(I + D) for q = σ = 1."""
    return PRICE / (PRICE + deposit)


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────


def measure(*, quick: bool, deposits: Sequence[int] = DEPOSITS) -> Record:
    """Both parts. `quick` takes the curve from the model, and holds CHECKED tasks of it against the contracts."""
    with market(SEED) as chain:
        exact = {deposit: _exact(chain, deposit) for deposit in deposits}
        print(
            f"exact    one wrong result among {', '.join(str(1 + d // PRICE) for d in deposits)} tasks: settled"
        )
        checked = _cross_check(chain, deposits[0])
        points = [point for deposit in deposits for point in _curve(None if quick else chain, deposit)]
    lines = {deposit: fit([p for p in points if p.deposit == deposit]) for deposit in deposits}
    return Record(
        name="fig6",
        tables=(_exact_table(exact), _curve_table(points, "model" if quick else "contracts")),
        plots=(Plot(name="fig6", panels=(lambda axes: _draw(axes, points, lines),)),),
        conditions=(*_exact_conditions(exact), checked, *_curve_conditions(lines)),
        figures={
            "curve_by": "model" if quick else "contracts",
            "crossings": {str(deposit): line.crossing for deposit, line in lines.items()},
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """Net changes in wei by the number of tasks, and what became of the one lost deposit."""

    changes: dict[int, int]
    to_requester: int
    to_detector: int
    to_nobody: int


def _exact(chain: Market, deposit: int) -> Exact:
    """One wrong result, somewhere among the first N − 1 tasks; the worker is looked at after N − 1, N and N + 1."""
    even = 1 + deposit // PRICE
    lazy = Random(f"{SEED} exact {deposit}").randrange(even - 1)
    before = chain.shares()
    wrong = [number == lazy for number in range(even + 1)]
    changes = chain.trade(
        wrong, price=PRICE * ETHER, deposit=deposit * ETHER, looks=(even - 1, even, even + 1)
    )
    fee = PRICE * ETHER // 100
    requester, detector, burned = (b - a for a, b in zip(before, chain.shares(), strict=True))
    return Exact(
        changes=changes,
        to_requester=requester + even * (PRICE * ETHER + fee),  # it paid for all others
        to_detector=detector,
        to_nobody=burned - even * fee,
    )


def _cross_check(chain: Market, deposit: int) -> Condition:
    """The model and the contracts on the same tasks, one in ten of them wrong, looked at five times."""
    chance = Random(f"{SEED} check {deposit}")
    wrong = [chance.random() < 0.1 for _ in range(CHECKED)]
    looks = range(CHECKED // 5, CHECKED + 1, CHECKED // 5)
    found = chain.trade(wrong, price=PRICE * ETHER, deposit=deposit * ETHER, looks=looks)
    expected = {n: net(n, sum(wrong[:n]), PRICE * ETHER, deposit * ETHER) for n in looks}
    return Condition(
        says=f"model = contracts on {CHECKED} tasks, {sum(wrong)} of them wrong",
        found="equal to the wei" if found == expected else f"{found} instead of {expected}",
        holds=found == expected,
    )


def _curve(chain: Market | None, deposit: int) -> Iterator[Point]:
    for step in STEPS:
        chance = Random(f"{SEED} {deposit} {step}")
        wrong = [chance.random() < step / 1000 for _ in range(TASKS)]
        gained = net(TASKS, sum(wrong), PRICE * ETHER, deposit * ETHER)
        if chain is not None:
            gained = chain.trade(wrong, price=PRICE * ETHER, deposit=deposit * ETHER)[TASKS]
            print(f"curve    D = {deposit}, AP = {step / 1000:.3f}: {sum(wrong)} of {TASKS} wrong")
        yield Point(deposit=deposit, ap=step / 1000, tasks=TASKS, wrong=sum(wrong), net=gained)


# ── what it says ─────────────────────────────────────────────────────────────────────────────────────────


def fit(points: Sequence[Point]) -> Line:
    """The line of one deposit. A point's se is √(N·AP(1−AP))·(I + D), so points near AP = 0 weigh more."""
    stake = (PRICE + points[0].deposit) * ETHER
    start = points[0].tasks * PRICE * ETHER  # exact: at AP = 0 nothing is left to chance
    drawn = [(p.ap, start - p.net, stake * sqrt(p.tasks * p.ap * (1 - p.ap))) for p in points if p.ap > 0]
    weight = sum(ap**2 / se**2 for ap, _, se in drawn)
    slope = sum(ap * lost / se**2 for ap, lost, se in drawn) / weight
    slope_se = 1 / sqrt(weight)
    return Line(
        slope=slope,
        slope_se=slope_se,
        crossing=start / slope,
        crossing_se=start / slope * slope_se / slope,
        chi2=sum(((lost - slope * ap) / se) ** 2 for ap, lost, se in drawn),
    )


def _exact_conditions(exact: dict[int, Exact]) -> Iterator[Condition]:
    for deposit, found in exact.items():
        even = 1 + deposit // PRICE
        for tasks, wei in ((even - 1, -PRICE * ETHER), (even, 0), (even + 1, PRICE * ETHER)):
            yield Condition(
                says=f"D = {deposit}: one wrong of N = {tasks} changes the worker's wealth by {wei // ETHER} ether",
                found=f"{found.changes[tasks]} wei",
                holds=found.changes[tasks] == wei,
            )
        paid = net(even - 1, 1, PRICE, deposit, pay_at_award=True)
        yield Condition(
            says=f"D = {deposit}: paid at award (the paper's way), N = {even - 1} changes it by 0",
            found=f"{paid} ether, by the model",
            holds=paid == 0,
        )
        split = (found.to_requester, found.to_detector, found.to_nobody)
        ether = tuple(wei / ETHER for wei in split)
        yield Condition(
            says=f"D = {deposit}: the lost deposit goes 50 % to the requester, 20 % to the detector, 30 % to nobody",
            found=f"{ether[0]:g} + {ether[1]:g} + {ether[2]:g} ether",
            holds=split == tuple(deposit * ETHER * share // 100 for share in (50, 20, 30)),
        )


def _curve_conditions(lines: dict[int, Line]) -> Iterator[Condition]:
    for deposit, line in lines.items():
        expected = break_even(deposit)
        away = abs(line.crossing - expected) / line.crossing_se
        yield Condition(
            says=f"D = {deposit}: balance is 0 at AP = {expected:.5f}, within {SIGMAS:g} standard errors",
            found=f"{line.crossing:.5f} ± {line.crossing_se:.5f}, {away:.1f} s.e. away",
            holds=away <= SIGMAS,
        )
        yield Condition(
            says=f"D = {deposit}: the points lie on a line but for chance, χ² <= {CHANCE} of 20",
            found=f"{line.chi2:.1f}",
            holds=line.chi2 <= CHANCE,
        )
    slopes = [line.slope for line in lines.values()]
    yield Condition(
        says="a larger deposit makes the balance fall more steeply",
        found=" < ".join(f"{slope / ETHER / TASKS:.0f}" for slope in slopes) + " ether a task and unit of AP",
        holds=slopes == sorted(slopes) and len(set(slopes)) == len(slopes),
    )


# ── tables and plot ──────────────────────────────────────────────────────────────────────────────────────


def _exact_table(exact: dict[int, Exact]) -> Table:
    rows = [
        (deposit, tasks, wei, net(tasks, 1, PRICE * ETHER, deposit * ETHER, pay_at_award=True))
        for deposit, found in exact.items()
        for tasks, wei in found.changes.items()
    ]
    return Table(
        name="fig6-exact",
        columns=("deposit_ether", "tasks_one_wrong", "net_wei_contracts", "net_wei_if_paid_at_award"),
        rows=rows,
    )


def _curve_table(points: Sequence[Point], source: str) -> Table:
    return Table(
        name="fig6-curve",
        columns=("deposit_ether", "ap", "tasks", "wrong", "net_ether", "by"),
        rows=[(p.deposit, p.ap, p.tasks, p.wrong, p.net // ETHER, source) for p in points],
    )


def _draw(axes: Axes, points: Sequence[Point], lines: dict[int, Line]) -> None:
    ends = [0.0, STEPS[-1] / 1000]
    axes.axhline(0, color="#444444", linewidth=0.8)
    for colour, deposit in zip(COLOURS, lines, strict=False):
        mine = [p for p in points if p.deposit == deposit]
        axes.plot([p.ap for p in mine], [p.net / ETHER for p in mine], "o", markersize=3, color=colour)
        expected = [TASKS * (PRICE - (PRICE + deposit) * ap) for ap in ends]
        axes.plot(ends, expected, color=colour, linewidth=1, label=f"D = {deposit} ether")
        paper = [TASKS * (PRICE - deposit * ap) for ap in ends]
        axes.plot(ends, paper, color=colour, linewidth=0.8, linestyle=":")
        axes.plot([break_even(deposit)], [0], "|", markersize=12, color=colour)
    axes.plot([], [], color="#444444", linewidth=0.8, linestyle=":", label="price paid at award (the paper)")
    axes.set_title(f"{TASKS} tasks at {PRICE} ether each, every result checked")
    axes.set_xticks([step / 1000 for step in STEPS if step % 5 == 0])
    axes.set_xlabel("abnormality probability AP")
    axes.set_ylabel("balance (ether)")
    axes.legend(loc="lower left")
