"""`blockedge bench gains`: the table of gains, as text, CSV or plain data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from math import isinf
from os import cpu_count
from typing import Any

from blockedge_node.cli.output import Output
from blockedge_node.core.params import Params
from blockedge_node.experiments.economics.gains import (
    Row,
    coalitions,
    in_fees,
    settings,
    worst,
)
from blockedge_node.experiments.economics.payoffs import SHIPPED, Rules
from blockedge_node.experiments.economics.setting import Coalition, Setting

HEADER = ("coalition", "gain", "beyond harmless", "D/φ", "I/φ", "saved", "best that harms", "who loses")
SENTENCE = "no coalition that harms an outsider gains"


@dataclass(frozen=True, slots=True)
class Gains:
    """All rows, worst first. Figures in units of φ, the check fee."""

    rows: tuple[Row, ...]

    @property
    def violations(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.violated)

    @property
    def verdict(self) -> str:
        if not self.violations:
            return f"holds: {SENTENCE}"
        names = ", ".join(str(row.coalition) for row in self.violations)
        return f"VIOLATED: {SENTENCE}, but for: {names}"

    def cells(self) -> list[Sequence[object]]:
        return [_cells(row) for row in self.rows]

    def text(self) -> str:
        return f"{Output().table(HEADER, self.cells())}\n\nin units of φ; {self.verdict}"

    def csv(self) -> str:
        sheet = io.StringIO()
        writer = csv.writer(sheet, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(self.cells())
        return sheet.getvalue()

    def data(self) -> dict[str, Any]:
        rows = [dict(zip(HEADER, _cells(row), strict=True)) | {"violated": row.violated} for row in self.rows]
        return {"rows": rows, "holds": not self.violations, "verdict": self.verdict}


def measure(
    params: Params,
    *,
    share: Fraction,
    appeals: bool = True,
    rules: Rules = SHIPPED,
    among: Iterable[Coalition] | None = None,
    processes: int | None = None,
) -> Gains:
    """The worst setting of every coalition; minutes, on all cores."""
    choice = list(settings(params, share=share, appeals=appeals, rules=rules))
    jobs = [(coalition, choice) for coalition in among or coalitions()]
    if processes == 1:
        rows = [_worst(job) for job in jobs]
    else:
        with ProcessPoolExecutor(processes or cpu_count()) as pool:
            rows = list(pool.map(_worst, jobs))
    return Gains(tuple(sorted(rows, key=lambda row: (-row.excess, -row.gain))))


def _worst(job: tuple[Coalition, list[Setting]]) -> Row:
    return worst(*job)


def _cells(row: Row) -> Sequence[object]:
    stakes = row.setting.stakes
    harmful = row.harmful
    loses = [
        f"{who} {in_fees(-lost, row.setting):.3f}" if lost is not None else who
        for who, lost in (harmful.harmed if harmful else ())
    ]
    return (
        str(row.coalition),
        _figure(row.gain),
        _figure(row.excess),
        stakes.deposit // stakes.fee,
        f"{stakes.price / stakes.fee:g}",
        _figure(row.saved),
        harmful.does if harmful else "nothing it does harms anybody",
        ", ".join(loses),
    )


def _figure(amount: float) -> str:
    return "–" if isinf(amount) else f"{amount:+.3f}"
