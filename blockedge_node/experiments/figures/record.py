"""What an experiment leaves behind: tables as CSV, plots as PNG, and what must hold, each with what was found.

    Record ─▶ publish ─▶ OUT/fig6-curve.csv, OUT/fig6.png, the conditions on the terminal

The CSV files come first, so that a machine without matplotlib, or a condition that fails, still leaves the figures.
"""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockedge_node.cli.output import Output
from blockedge_node.errors import BlockEdgeError
from blockedge_node.experiments.figures.plots import Plot, draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One CSV file, `name`.csv. Units stand in the columns' names: `net_wei`, `seconds`."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a figure must show, with its bound, and what was found."""

    says: str
    found: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run of an experiment. `figures` are its results as plain data, for --json and for comparisons."""

    name: str
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    conditions: tuple[Condition, ...]
    figures: dict[str, Any]

    @property
    def failed(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if not condition.holds)


def at_most(says: str, found: float, bound: float, unit: str = "", digits: int = 1) -> Condition:
    """`found` ≤ `bound`; both are printed with `digits` decimals."""
    return Condition(
        says=f"{says} <= {bound:.{digits}f}{unit}", found=f"{found:.{digits}f}{unit}", holds=found <= bound
    )


def at_least(says: str, found: float, bound: float, unit: str = "", digits: int = 1) -> Condition:
    return Condition(
        says=f"{says} >= {bound:.{digits}f}{unit}", found=f"{found:.{digits}f}{unit}", holds=found >= bound
    )


def publish(record: Record, out: Path) -> dict[str, Any]:
    """Write tables and plots to the directory `out`, print the conditions, return all as plain data.

    Raises ConfigError without matplotlib, and BlockEdgeError if a condition does not hold; the CSV files and the
    conditions are there in both cases.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = [_write(table, out) for table in record.tables]
    rows = [("yes" if c.holds else "NO", c.says, c.found) for c in record.conditions]
    print(Output().table(("holds", "condition", "found"), rows))
    print(f"figures  {', '.join(str(file) for file in files)}")
    for plot in record.plots:
        files.append(draw(plot, out))
        print(f"plot     {files[-1]}")
    if record.failed:
        raise BlockEdgeError(
            f"{record.name}: {len(record.failed)} of {len(record.conditions)} conditions do not hold: "
            + "; ".join(f"{c.says}, found {c.found}" for c in record.failed)
        )
    return {
        "name": record.name,
        "machine": machine(),
        **record.figures,
        "conditions": [{"says": c.says, "found": c.found, "holds": c.holds} for c in record.conditions],
        "files": [str(file) for file in files],
    }


def machine() -> str:
    """Where a figure was measured, as it stands beside it."""
    system = f"{platform.machine()}, {platform.system()} {platform.release()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}"


def _write(table: Table, out: Path) -> Path:
    path = out / f"{table.name}.csv"
    with path.open("w", newline="", encoding="utf-8") as sheet:
        writer = csv.writer(sheet, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
    return path
