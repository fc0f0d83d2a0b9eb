"""The guests: programs that users can run by name, as C source and as the modules built from it (`build.py`).

A guest is more than its module: its parameters, the files it reads, how its input is cut into shards, how the
outputs become one again, and how much fuel it takes. For every guest here, running the shards and merging gives
byte for byte what one whole run gives; tests compare both with a Python reference.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from blockedge_node.core.job import MIB
from blockedge_node.core.merkle import root
from blockedge_node.errors import ConfigError
from blockedge_node.programs import classify, csvstats, frames, powsearch, render, spectrum
from blockedge_node.programs.params import merged
from blockedge_node.wire.manifest import Manifest

HERE: Final = Path(__file__).parent

Params = Mapping[str, str]


def _nothing_to_check(params: Params) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One program.

    `cut` makes an input n shards (ConfigError if that cannot be); `cost` is an upper estimate of a shard's fuel
    for ordinary input, from parameters, bytes of the largest shard and number of shards. `params` are what may
    be set, with defaults; they fill `argv`. `blank` makes the input of a guest that needs none. `sample` is a
    small input, already cut, the same on every machine, to be run with the parameters `small`.
    """

    name: str
    summary: str
    merge: str
    cut: Callable[[bytes, int, Params], Sequence[bytes]]
    cost: Callable[[Params, int, int], int]
    sample: Callable[[], tuple[bytes, ...]]
    argv: tuple[str, ...] = ()
    params: Params = field(default_factory=dict)
    small: Params = field(default_factory=dict)
    check: Callable[[Params], None] = _nothing_to_check
    blank: Callable[[], bytes] | None = None
    data_files: Params = field(default_factory=dict)  # path in the program's tree → file beside this one
    memory: int = 64 * MIB
    stdout_max: int = 16 * MIB

    def wasm(self) -> bytes:
        return (HERE / f"{self.name}.wasm").read_bytes()

    def files(self) -> dict[str, bytes]:
        """What the program reads, by path; part of what it is, as the module."""
        return {path: (HERE / name).read_bytes() for path, name in self.data_files.items()}

    def chosen(self, given: Params | None = None) -> dict[str, str]:
        """All parameters. Raises ConfigError for unknown names and for values that the program would refuse."""
        params = merged(self.params, given or {})
        self.check(params)
        return params

    def split(self, data: bytes, shards: int, params: Params | None = None) -> list[bytes]:
        """One input a shard. Raises ConfigError if the input cannot be cut so."""
        return list(self.cut(data, shards, self.chosen(params)))

    def fuel(self, largest_shard: int, *, shards: int = 1, params: Params | None = None) -> int:
        """Enough for the dearest shard, with a margin; the largest one's input in bytes."""
        return self.cost(self.chosen(params), largest_shard, shards)

    def manifest(self, shards: Sequence[bytes], params: Params | None = None) -> Manifest:
        """The manifest for these inputs: limits near what they need, since every window of a task grows
        with them. The module stays what it is, so its address does too."""
        loaded = load(self.name)
        fuel = self.fuel(max(map(len, shards), default=0), shards=max(1, len(shards)), params=params)
        manifest = Manifest(wasm=root(loaded.wasm), **loaded.fields | {"fuel": fuel})
        return manifest.bind(self.chosen(params))


class Loaded(NamedTuple):
    """`fields` are the Manifest's, without its `wasm` address; argv still holds its parameters."""

    wasm: bytes
    fields: dict[str, Any]


def _plain(cut: Callable[[bytes, int], Sequence[bytes]]) -> Callable[[bytes, int, Params], Sequence[bytes]]:
    """A cut that no parameter changes."""
    return lambda data, shards, params: cut(data, shards)


def _by_size(base: int, per_byte: int) -> Callable[[Params, int, int], int]:
    return lambda params, largest, shards: base + per_byte * largest


def _noise(name: str, size: int) -> bytes:
    return hashlib.shake_256(name.encode()).digest(size)


def _sample_pictures() -> tuple[bytes, ...]:
    return tuple(frames.encode(w, h, _noise(f"{w}x{h}", w * h * 3)) for w, h in ((40, 32), (25, 61)))


def _sample_lines() -> tuple[bytes, ...]:
    values = _noise("lines", 4000)
    lines = [
        b"s%d,%d.%02d\n" % (a % 37, a * b - 9000, b % 100)
        for a, b in zip(values[::2], values[1::2], strict=True)
    ]
    return b"".join(lines[:1200]), b"".join(lines[1200:])


def _sample_digits() -> tuple[bytes, ...]:
    pixels = _noise("digits", 20 * 64)
    pictures = [classify.encode(pixels[at : at + 64]) for at in range(0, len(pixels), 64)]
    return b"".join(pictures[:12]), b"".join(pictures[12:])


def _sample_signal() -> tuple[bytes, ...]:
    data = _noise("signal", 6 * 2 * 256)
    return data[:2048], data[2048:]


# Fuel was measured, each estimate has a fifth or more on top: frames 31M + 55 a byte; csvstats 0.1M + 110 a byte,
# up to 3 times that with very short lines; classify 3.01M a picture of 75 bytes; powsearch 8267 a nonce.


def _spectrum_cost(params: Params, largest: int, shards: int) -> int:
    """Measured: 110k + 390 a sample of one window for tables; then 106 + 39·log2(window) a sample, 270 a band."""
    window, bands = int(params["window"]), int(params["bands"])
    each = window * (150 + 48 * (window.bit_length() - 1)) + 350 * bands
    return 200_000 + 500 * window + largest // (2 * window) * each


def _render_cost(params: Params, largest: int, shards: int) -> int:
    """Measured: 33 a step and 70 a pixel."""
    pixels, steps = render.work(params, shards)
    return 1_000_000 + 40 * steps + 100 * pixels


GUESTS: Final = {
    guest.name: guest
    for guest in (
        Guest(
            name="frames",
            summary="a thumbnail and gradient features of every picture (PPM in, thumbnails and features out)",
            cut=_plain(frames.split),
            merge="concat",
            cost=_by_size(40_000_000, 70),
            sample=_sample_pictures,
            memory=256 * MIB,
        ),
        Guest(
            name="classify",
            summary="which digit is on every 8x8 picture, by a small int8 network (PGM in, 10 logits each out)",
            cut=_plain(classify.split),
            merge="concat",
            cost=_by_size(1_000_000, 49_000),
            data_files={"weights": classify.WEIGHTS},
            sample=_sample_digits,
        ),
        Guest(
            name="csvstats",
            summary="count, sum, least and most per sensor (lines `sensor,value` in, sorted summary out)",
            cut=_plain(csvstats.split),
            merge="program",
            cost=_by_size(10_000_000, 400),
            sample=_sample_lines,
        ),
        Guest(
            name="spectrum",
            summary="energy per frequency band and window of a signal (16-bit samples in, f64 out)",
            cut=lambda data, shards, params: spectrum.split(data, shards, int(params["window"])),
            merge="concat",
            argv=("spectrum", "{param:window}", "{param:bands}"),
            params=spectrum.PARAMS,
            check=spectrum.check,
            cost=_spectrum_cost,
            sample=_sample_signal,
            small={"window": "256", "bands": "8"},
        ),
        Guest(
            name="render",
            summary="a picture of the Mandelbrot set or of a Julia set (no input, 2 bytes a pixel out)",
            cut=render.split,
            merge="concat",
            argv=render.ARGV,
            params=render.PARAMS,
            check=render.check,
            cost=_render_cost,
            blank=bytes,
            sample=lambda: (b"", b"", b""),
            small={"width": "64", "height": "40", "iterations": "200"},
        ),
        Guest(
            name="powsearch",
            summary="a nonce whose SHA-256 begins with zero bits (32 bytes in, nonce and digest out)",
            cut=_plain(powsearch.split),
            merge="first",
            argv=("powsearch", "{param:bits}", "{shard}", "{shards}", "{param:range}"),
            params=powsearch.PARAMS,
            check=powsearch.check,
            cost=lambda params, largest, shards: 1_000_000 + 10_000 * powsearch.nonces(params, shards),
            blank=lambda: secrets.token_bytes(powsearch.CHALLENGE),
            sample=lambda: (_noise("challenge", powsearch.CHALLENGE),) * 2,
            small={"bits": "9", "range": "2000"},
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
    """A guest's module and the default fields of its manifest; fuel is for the caller to say. Raises ConfigError
    for an unknown name."""
    found = guest(name)
    return Loaded(
        wasm=found.wasm(),
        fields={
            "argv": found.argv or (found.name,),
            "files": {path: root(data) for path, data in found.files().items()},
            "memory": found.memory,
            "stdout_max": found.stdout_max,
            "merge": found.merge,
        },
    )
