"""The requester's side of `frames`: pictures cut into shards, and its output read back (layout: frames.c)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from blockedge_node.errors import ConfigError

CELLS: Final = 8
BINS: Final = 9
FEATURES: Final = CELLS * CELLS * BINS

_SPACE = rb"(?:[ \t\r\n]|#[^\n]*\n)+"
_HEADER = re.compile(rb"P6" + _SPACE + rb"(\d{1,5})" + _SPACE + rb"(\d{1,5})" + _SPACE + rb"255[ \t\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What `frames` says about one picture: the thumbnail as RGB bytes, and 8·8·9 features in 1/256 grey
    levels (cell rows from the top, cells from the left, orientations)."""

    width: int
    height: int
    rgb: bytes
    features: tuple[int, ...]

    @property
    def ppm(self) -> bytes:
        """The thumbnail as a picture file that most viewers open."""
        return encode(self.width, self.height, self.rgb)


def encode(width: int, height: int, rgb: bytes) -> bytes:
    """A binary PPM picture (P6) of RGB bytes, rows from the top."""
    if len(rgb) != width * height * 3:
        raise ConfigError(f"{len(rgb)} bytes are no RGB picture of {width} x {height}")
    return b"P6\n%d %d\n255\n" % (width, height) + rgb


def pictures(data: bytes) -> Iterator[bytes]:
    """The PPM pictures in `data`, each as its own bytes. Raises ConfigError for anything else in between."""
    at = 0
    while at < len(data):
        end = at + _extent(data, at)[0]
        yield data[at:end]
        at = end


def split(data: bytes, shards: int) -> list[bytes]:
    """`data` in `shards` groups of whole pictures, as even as can be. Raises ConfigError."""
    every = list(pictures(data))
    if not 1 <= shards <= len(every):
        raise ConfigError(f"{len(every)} pictures cannot be cut into {shards} shards of at least one")
    edges = [len(every) * i // shards for i in range(shards + 1)]
    return [b"".join(every[a:b]) for a, b in pairwise(edges)]


def read(output: bytes) -> Iterator[Frame]:
    """The frames in an output, of one shard or merged. Raises ConfigError if it is not one."""
    at = 0
    while at < len(output):
        size, width, height = _extent(output, at)
        tail = output[at + size : at + size + 4 * FEATURES]
        if len(tail) != 4 * FEATURES:
            raise ConfigError("the output is cut off inside of a picture's features")
        rgb = output[at + size - width * height * 3 : at + size]
        yield Frame(width=width, height=height, rgb=rgb, features=struct.unpack(f">{FEATURES}I", tail))
        at += size + len(tail)


def _extent(data: bytes, at: int) -> tuple[int, int, int]:
    """(bytes, width, height) of the picture that begins at `at`."""
    header = _HEADER.match(data, at)
    if header is None:
        raise ConfigError(
            f"byte {at}: not a binary PPM picture (P6, maxval 255); convert pictures to PPM first"
        )
    width, height = int(header[1]), int(header[2])
    size = header.end() - at + width * height * 3
    if at + size > len(data):
        raise ConfigError(f"byte {at}: the picture of {width} x {height} is cut off")
    return size, width, height
