"""What a command prints: `{"v": 1, "data": …}` with --json, else short aligned text.

stdout holds the answer and nothing else; progress, notes and errors go to stderr. The JSON of a command is the
API's, whose fields are only ever added.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """`colour` also needs a terminal; `quiet` drops notes, not answers."""

    as_json: bool = False
    quiet: bool = False
    colour: bool = True

    def answer(self, data: Any, text: str) -> None:
        """The command's result, in the form that was asked for."""
        if self.as_json:
            self.line({"v": VERSION, "data": data})
        elif text:
            sys.stdout.write(text.rstrip("\n") + "\n")

    def line(self, document: Any) -> None:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Something worth knowing while waiting: plain, on stderr."""
        if not self.quiet and not self.as_json:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def error(self, code: str, text: str, exit: int) -> None:
        if self.as_json:
            document = {"v": VERSION, "error": {"code": code, "message": text}, "exit": exit}
            sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
        else:
            sys.stderr.write(f"{self.bold('error:', sys.stderr.isatty())} {text}\n")

    def bold(self, text: str, on_terminal: bool | None = None) -> str:
        terminal = sys.stdout.isatty() if on_terminal is None else on_terminal
        plain = not (self.colour and terminal) or "NO_COLOR" in os.environ
        return text if plain else f"\033[1m{text}\033[0m"

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
        """Columns as wide as their longest cell; numbers to the right."""
        cells = [[str(cell) for cell in row] for row in rows]
        if not cells:
            return ""
        widths = [max(len(row[i]) for row in (list(header), *cells)) for i in range(len(header))]
        is_number = [all(_numeric(row[i]) for row in cells) for i in range(len(header))]

        def render(row: Sequence[str]) -> str:
            padded = (
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(row, widths, is_number, strict=True)
            )
            return "  ".join(padded).rstrip()

        return "\n".join([self.bold(render([h.upper() for h in header])), *map(render, cells)])


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Label and text, one pair a line."""
    listed = [(label, text) for label, text in rows if text]
    width = max((len(label) for label, _ in listed), default=0)
    return "\n".join(f"{label.ljust(width)}  {text}" for label, text in listed)


def ether(wei: str | int | None) -> str:
    """Wei for people: ether where that is short, else gwei or wei; never rounded."""
    if wei is None:
        return "–"
    amount = int(wei)
    if abs(amount) >= 10**13 or amount == 0:
        return f"{_plain(Decimal(amount) / 10**18)} ether"
    if abs(amount) >= 10**7:
        return f"{_plain(Decimal(amount) / 10**9)} gwei"
    return f"{amount} wei"


def short(value: str | None) -> str:
    """The first 8 digits of an id or address: enough to type back."""
    return "–" if not value else value[:10]


def percent(ppm: int | None) -> str:
    return "–" if ppm is None else f"{ppm / 10_000:.1f} %"


def seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def clock(at: float | None) -> str:
    return "" if at is None else time.strftime("%H:%M:%S", time.localtime(at))


def size(count: int | None) -> str:
    if count is None:
        return "–"
    for unit, scale in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _numeric(text: str) -> bool:
    return text in ("–", "") or text.replace(".", "", 1).removeprefix("-").isdecimal()
