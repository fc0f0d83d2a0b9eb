"""What must have happened, and how often at least, for an agreement of contracts and model to mean something."""

from __future__ import annotations

from collections.abc import Mapping

WITHOUT_COURT = """
    end: PAID in time 500 · SLASHED by evidence 20
"""
WITH_COURT = """
    end: PAID in time 500 · SLASHED by evidence 20
"""


def lacking(coverage: Mapping[str, int], table: str) -> list[str]:
    """What did not happen often enough. A line of the table: `call: result count · result count …`."""
    short = []
    for line in table.strip().splitlines():
        call, _, results = line.strip().partition(": ")
        for entry in results.split(" · "):
            result, _, least = entry.rpartition(" ")
            count = coverage.get(f"{call}: {result}", 0)
            if count < int(least):
                short.append(f"{call}: {result}: {count} times, not {least}")
    return short
