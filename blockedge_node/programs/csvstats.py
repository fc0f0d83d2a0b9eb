"""The requester's side of `csvstats`: lines cut into shards, and its output read back (formats:
csvstats.c)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from blockedge_node.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One sensor's line of the output."""

    sensor: str
    count: int
    sum: Decimal
    min: Decimal
    max: Decimal


def split(data: bytes, shards: int) -> list[bytes]:
    """`data` in `shards` parts of about equal size, cut behind newlines. Raises ConfigError for too few
    lines."""
    edges = [0]
    for i in range(1, shards):
        newline = data.find(b"\n", max(edges[-1], len(data) * i // shards))
        edges.append(newline + 1 if newline >= 0 else len(data))
    edges.append(len(data))
    parts = [data[a:b] for a, b in pairwise(edges)]
    if shards < 1 or not all(parts):
        lines = len(data.splitlines())
        raise ConfigError(f"{lines} lines cannot be cut into {shards} shards of at least one")
    return parts


def read(output: bytes) -> Iterator[Summary]:
    """The summaries in an output. Raises ConfigError if it is not one."""
    for line in output.decode(errors="replace").splitlines():
        try:
            sensor, count, *figures = line.split(",")
            total, least, most = map(Decimal, figures)
            yield Summary(sensor=sensor, count=int(count), sum=total, min=least, max=most)
        except (ValueError, ArithmeticError) as error:
            raise ConfigError(f"not a line of csvstats: {line[:80]!r}") from error
