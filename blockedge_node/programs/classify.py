"""The requester's side of `classify`: pictures cut into shards, and its output read back (layout: classify.c)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from blockedge_node.errors import ConfigError

HERE: Final = Path(__file__).parent
WEIGHTS: Final = "classify.weights"
MAGIC: Final = b"BEC1"
SIDE: Final = 8
CLASSES: Final = 10
TOP: Final = 127  # the largest input and activation

_HEADER = re.compile(rb"P5[ \t\r\n]+8[ \t\r\n]+8[ \t\r\n]+(\d{1,3})[ \t\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What `classify` says about one picture: a score for each digit; the largest one is the answer."""

    logits: tuple[int, ...]

    @property
    def digit(self) -> int:
        return self.logits.index(max(self.logits))


def encode(pixels: bytes, most: int = 255) -> bytes:
    """An 8x8 binary PGM picture (P5) of grey values from 0 (dark) to `most`, rows from the top."""
    if len(pixels) != SIDE * SIDE:
        raise ConfigError(f"{len(pixels)} bytes are no grey picture of {SIDE} x {SIDE}")
    return b"P5\n8 8\n%d\n" % most + pixels


def pictures(data: bytes) -> Iterator[bytes]:
    """The PGM pictures in `data`, each as its own bytes. Raises ConfigError for anything else in between."""
    at = 0
    while at < len(data):
        header = _HEADER.match(data, at)
        if header is None:
            raise ConfigError(
                f"byte {at}: not a binary PGM picture (P5) of 8x8 pixels; convert pictures first"
            )
        end = header.end() + SIDE * SIDE
        if end > len(data):
            raise ConfigError(f"byte {at}: the picture is cut off")
        yield data[at:end]
        at = end


def split(data: bytes, shards: int) -> list[bytes]:
    """`data` in `shards` groups of whole pictures, as even as can be. Raises ConfigError."""
    every = list(pictures(data))
    if not 1 <= shards <= len(every):
        raise ConfigError(f"{len(every)} pictures cannot be cut into {shards} shards of at least one")
    edges = [len(every) * i // shards for i in range(shards + 1)]
    return [b"".join(every[a:b]) for a, b in pairwise(edges)]


def read(output: bytes) -> Iterator[Answer]:
    """The answers in an output, of one shard or merged. Raises ConfigError if it is not one."""
    if len(output) % (4 * CLASSES):
        raise ConfigError("the output is cut off inside of a picture's logits")
    for logits in struct.iter_unpack(f"<{CLASSES}i", output):
        yield Answer(logits=logits)
