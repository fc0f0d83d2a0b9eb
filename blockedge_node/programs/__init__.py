"""The guests: programs that users can run by name, as C source and as the modules built from it (`build.py`).

A guest is more than its module: how its input is cut into shards, how the outputs become one again, and how
much fuel an input takes. For every guest here, running the shards and merging gives byte for byte what one
whole run gives; tests compare both with a Python reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from blockedge_node.core.job import MIB
from blockedge_node.core.merkle import root
from blockedge_node.errors import ConfigError
from blockedge_node.programs import csvstats, frames
from blockedge_node.wire.manifest import Manifest

HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One program: `split` cuts an input into n shards (ConfigError if that cannot be); fuel is an upper
    estimate for ordinary input, `fuel_base + fuel_per_byte * bytes of the largest shard`."""

    name: str
    summary: str
    split: Callable[[bytes, int], Sequence[bytes]]
    merge: str
    fuel_base: int
    fuel_per_byte: int
    memory: int = 64 * MIB
    stdout_max: int = 16 * MIB

    def wasm(self) -> bytes:
        return (HERE / f"{self.name}.wasm").read_bytes()

    def fuel(self, largest_shard: int) -> int:
        return self.fuel_base + self.fuel_per_byte * largest_shard

    def manifest(self, shards: Sequence[bytes]) -> Manifest:
        """The manifest for these inputs: limits near what they need, since every window of a task grows
        with them. The module stays what it is, so its address does too."""
        fields = load(self.name).fields
        largest = max(map(len, shards), default=0)
        return Manifest(wasm=root(self.wasm()), **fields | {"fuel": self.fuel(largest)})


class Loaded(NamedTuple):
    wasm: bytes
    fields: dict[str, Any]  # of the Manifest, without its `wasm` address; fuel is enough for 16 MiB a shard


# Fuel was measured: frames 31M + 55 a byte; csvstats 0.1M + 110 a byte, up to 3 times that with very short
# lines.
GUESTS: Final = {
    guest.name: guest
    for guest in (
        Guest(
            name="frames",
            summary="a thumbnail and gradient features of every picture (PPM in, thumbnails and features out)",
            split=frames.split,
            merge="concat",
            fuel_base=40_000_000,
            fuel_per_byte=70,
            memory=256 * MIB,
            stdout_max=64 * MIB,
        ),
        Guest(
            name="csvstats",
            summary="count, sum, least and most per sensor (lines `sensor,value` in, sorted summary out)",
            split=csvstats.split,
            merge="program",
            fuel_base=10_000_000,
            fuel_per_byte=400,
        ),
    )
}


def names() -> tuple[str, ...]:
    return tuple(GUESTS)


def guest(name: str) -> Guest:
    """The guest of that name. Raises ConfigError, listing the known ones."""
    if name not in GUESTS:
        raise ConfigError(
            f"there is no program {name!r}; known are {', '.join(GUESTS)}, or give a .wasm file"
        )
    return GUESTS[name]


def load(name: str) -> Loaded:
    """A guest's module and the default fields of its manifest. Raises ConfigError for an unknown name."""
    found = guest(name)
    return Loaded(
        wasm=found.wasm(),
        fields={
            "argv": (found.name,),
            "fuel": found.fuel(16 * MIB),
            "memory": found.memory,
            "stdout_max": found.stdout_max,
            "merge": found.merge,
        },
    )
