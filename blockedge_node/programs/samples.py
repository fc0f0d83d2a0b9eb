"""Real data for every guest to work on, as `blockedge program sample` writes it.

Photographs and handwritten digits are those that scikit-learn ships (extra `demo`); nothing is downloaded. A
signal is the photographs' scan lines; measurements are their pixels' brightness, by place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from blockedge_node.errors import ConfigError
from blockedge_node.programs import classify, frames, guest

TILE: Final = 160


def real(name: str) -> bytes:
    """An input for the guest of that name. Raises ConfigError for an unknown one, for one that takes no input, and
    where scikit-learn or Pillow is missing."""
    guest(name)
    if name not in _MAKERS:
        raise ConfigError(f"{name} needs no input: submit it without --input")
    try:
        return _MAKERS[name]()
    except ImportError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'blockedge-node[demo]'") from None


def _photographs() -> list[Any]:
    from pathlib import Path

    import sklearn.datasets
    from PIL import Image

    folder = Path(sklearn.datasets.__file__).parent / "images"
    return [Image.open(folder / name).convert("RGB") for name in ("china.jpg", "flower.jpg")]


def _pictures() -> bytes:
    """Sixteen tiles, eight of each photograph."""
    tiles = []
    for photo in _photographs():
        for left in range(0, photo.width - TILE + 1, TILE):
            for top in range(0, photo.height - TILE + 1, TILE):
                tile = photo.crop((left, top, left + TILE, top + TILE))
                tiles.append(frames.encode(TILE, TILE, tile.tobytes()))
    return b"".join(tiles)


def _digits() -> bytes:
    """The 360 digits that classify was not trained with."""
    import sklearn.datasets

    found = sklearn.datasets.load_digits()
    return b"".join(
        classify.encode(bytes(int(pixel) for pixel in image.ravel()), 16) for image in found.images[::5]
    )


def _measurements() -> bytes:
    """How bright every fourth pixel of a photograph is, as if sensors were spread over the scene."""
    grey = _photographs()[0].convert("L")
    pixels = grey.tobytes()
    lines = ["sensor,value"]
    for y in range(0, grey.height, 4):
        for x in range(0, grey.width, 4):
            lines.append(f"r{y // 48}c{x // 64},{pixels[y * grey.width + x] / 2.55:.2f}")
    return ("\n".join(lines) + "\n").encode()


def _signal() -> bytes:
    """A photograph's scan lines as 16-bit samples."""
    pixels = _photographs()[1].convert("L").tobytes()
    return b"".join(((value - 128) * 200).to_bytes(2, "little", signed=True) for value in pixels)


def _challenge() -> bytes:
    return hashlib.sha256(b"a challenge that nobody chose").digest()


_MAKERS: Final[dict[str, Callable[[], bytes]]] = {
    "frames": _pictures,
    "classify": _digits,
    "csvstats": _measurements,
    "spectrum": _signal,
    "powsearch": _challenge,
}
