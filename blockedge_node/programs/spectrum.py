"""The requester's side of `spectrum`: a signal cut between windows, and its output read back (format:
spectrum.c)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from blockedge_node.errors import ConfigError
from blockedge_node.programs.params import whole

LARGEST: Final = 65536
PARAMS: Final = {"window": "1024", "bands": "16"}


def check(params: Mapping[str, str]) -> None:
    """Raises ConfigError for parameters that the program would refuse."""
    window = whole(params, "window", 16, LARGEST)
    if window & (window - 1):
        raise ConfigError(f"--param window is a power of two from 16 to {LARGEST}, not {window}")
    whole(params, "bands", 1, window // 2)


def split(data: bytes, shards: int, window: int) -> list[bytes]:
    """`data` (16-bit samples) in `shards` groups of whole windows, as even as can be; samples behind the last
    whole window are left out. Raises ConfigError if there are too few."""
    windows = len(data) // (2 * window)
    if not 1 <= shards <= windows:
        raise ConfigError(
            f"{windows} windows of {window} samples cannot be cut into {shards} shards of at least one"
        )
    edges = [windows * i // shards * 2 * window for i in range(shards + 1)]
    return [data[a:b] for a, b in pairwise(edges)]


def read(output: bytes, bands: int) -> Iterator[tuple[float, ...]]:
    """For each window its bands' parts of the mean square, lowest first. Raises ConfigError."""
    if len(output) % (8 * bands):
        raise ConfigError(f"the output is not whole windows of {bands} bands")
    yield from struct.iter_unpack(f"<{bands}d", output)
