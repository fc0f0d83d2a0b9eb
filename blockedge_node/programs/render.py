"""The requester's side of `render`: what a picture will cost, and the output as a picture file (format:
render.c)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from blockedge_node.errors import ConfigError
from blockedge_node.programs.params import decimal, whole

LARGEST: Final = 32768
MOST: Final = 16 << 20  # bytes of a band: the manifest's stdoutMax, and what nodes take on by default
PROBES: Final = 24  # points tried across each side of a band, to guess what it costs …
PATIENCE: Final = 1000  # … and steps after which such a point is taken for one that never escapes
PARAMS: Final = {
    "width": "800",
    "height": "600",
    "iterations": "1000",
    "x": "-0.75",
    "y": "0",
    "span": "3.5",
    "set": "mandelbrot",
}
ARGV: Final = ("render", "{shard}", "{shards}", *(f"{{param:{name}}}" for name in PARAMS))


def split(data: bytes, shards: int, params: Mapping[str, str]) -> list[bytes]:
    """No input: which rows a shard draws follows from its number. Raises ConfigError for any, and for bands larger
    than a node takes on."""
    if data:
        raise ConfigError("render takes no --input: say --param width=800 and the like")
    band = 2 * int(params["width"]) * -(-int(params["height"]) // shards)
    if band > MOST:
        raise ConfigError(
            f"a shard of this picture has {band} bytes, of which {MOST} are allowed: raise --shards"
        )
    return [b""] * shards


def check(params: Mapping[str, str]) -> None:
    """Raises ConfigError for parameters that the program would refuse."""
    whole(params, "width", 1, LARGEST)
    whole(params, "height", 1, LARGEST)
    whole(params, "iterations", 1, 65535)
    for name in ("x", "y", "span"):
        decimal(params[name], name)
    constant(params["set"])


def constant(text: str) -> complex | None:
    """The Julia set's constant, or None for the Mandelbrot set. Raises ConfigError."""
    if text == "mandelbrot":
        return None
    re, comma, im = text.partition(",")
    if not comma:
        raise ConfigError(f"--param set is mandelbrot, or two numbers as -0.8,0.156; not {text!r}")
    found = complex(decimal(re, "set"), decimal(im, "set"))
    if found.real * found.real + found.imag * found.imag > 4.0:
        raise ConfigError(f"--param set takes a number of at most 2 from 0: the set of {text} is empty dust")
    return found


def steps(params: Mapping[str, str], x: float, y: float, patience: int = 65535) -> int:
    """The program's figure for the pixel at column x and row y, computed here: to the bit, as f64 is f64. What
    has not escaped after `patience` steps counts as never escaping."""
    width, height, limit = (int(params[name]) for name in ("width", "height", "iterations"))
    step = float(params["span"]) / width
    re = float(params["x"]) + (2 * x + 1 - width) * 0.5 * step
    im = float(params["y"]) - (2 * y + 1 - height) * 0.5 * step
    julia = constant(params["set"])
    z_re, z_im, c_re, c_im = (re, im, julia.real, julia.imag) if julia is not None else (0.0, 0.0, re, im)
    for count in range(min(limit, patience)):
        re2, im2 = z_re * z_re, z_im * z_im
        if re2 + im2 > 4.0:
            return count
        z_im = 2.0 * z_re * z_im + c_im
        z_re = re2 - im2 + c_re
    return limit


def work(params: Mapping[str, str], shards: int) -> tuple[int, int]:
    """(pixels, estimated steps) of the dearest band, of some of them, by a grid of points in each.

    On top comes one more point that never escapes, then a quarter; no more than if no pixel did.
    """
    width, height, limit = (int(params[name]) for name in ("width", "height", "iterations"))
    dearest = (0, 0)
    tried = sorted({round(i * (shards - 1) / 15) for i in range(16)})
    probes = max(6, PROBES * 2 // len(tried))
    for shard in tried:
        low, high = height * shard // shards, height * (shard + 1) // shards
        pixels = width * (high - low)
        if not pixels:
            continue
        counts = [
            steps(
                params,
                (i + 0.5) * width / PROBES - 0.5,
                low + (j + 0.5) * (high - low) / probes - 0.5,
                PATIENCE,
            )
            for i in range(PROBES)
            for j in range(probes)
        ]
        mean = sum(counts) / len(counts) + limit / len(counts)
        dearest = max(dearest, (pixels, min(pixels * limit, round(1.25 * pixels * mean))), key=lambda w: w[1])
    return dearest


def pgm(output: bytes, params: Mapping[str, str]) -> bytes:
    """The merged output as a 16-bit PGM picture: dark escapes soon, white never. Raises ConfigError."""
    width, height = _sides(output, params)
    return b"P5\n%d %d\n%d\n" % (width, height, int(params["iterations"])) + output


def png(output: bytes, params: Mapping[str, str]) -> bytes:
    """The merged output as an 8-bit grey PNG picture, on a logarithmic scale; what never escapes is black."""
    width, height = _sides(output, params)
    limit = int(params["iterations"])
    grey = [min(255, count.bit_length() * 255 // limit.bit_length()) for count in range(limit)] + [0]
    counts = struct.unpack(f">{width * height}H", output)
    rows = (
        bytes(1) + bytes(grey[count] for count in counts[y * width : (y + 1) * width]) for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


def _sides(output: bytes, params: Mapping[str, str]) -> tuple[int, int]:
    width, height = int(params["width"]), int(params["height"])
    if len(output) != 2 * width * height:
        raise ConfigError(f"{len(output)} bytes are no output of render for {width} x {height} pixels")
    return width, height
