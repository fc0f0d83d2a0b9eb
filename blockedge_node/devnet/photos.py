"""The demo's photographs: two real pictures that scikit-learn ships, cut into tiles, and their contact sheet."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blockedge_node.errors import ConfigError
from blockedge_node.programs import frames

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTOS: Final = ("china.jpg", "flower.jpg")
COLUMNS: Final = 4  # tiles across a photograph
ROWS: Final = 1


def tiles() -> list[bytes]:
    """Every photograph in COLUMNS x ROWS tiles, each a PPM picture. Raises ConfigError without the pictures."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ConfigError("the demo needs the package pillow: run `make setup`") from None
    found = find_spec("sklearn")  # found, not imported: only its pictures are wanted
    if found is None or found.origin is None:
        raise ConfigError("the demo needs the pictures of the package scikit-learn: run `make setup`")
    folder = Path(found.origin).parent / "datasets" / "images"
    pictures = [Image.open(folder / name) for name in PHOTOS]
    return [tile for picture in pictures for tile in _cut(picture.convert("RGB"))]


def _cut(picture: Image) -> list[bytes]:
    width, height = picture.width // COLUMNS, picture.height // ROWS
    cut = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            left, top = column * width, row * height
            tile = picture.crop((left, top, left + width, top + height))
            cut.append(frames.encode(width, height, tile.tobytes()))
    return cut


def contact_sheet(output: bytes, path: Path) -> tuple[int, int]:
    """Put the thumbnails of a merged output together again, one photograph below the other; its size."""
    from PIL import Image

    thumbnails = list(frames.read(output))
    width, height = thumbnails[0].width, thumbnails[0].height
    per_photo = COLUMNS * ROWS
    photos = len(thumbnails) // per_photo
    sheet = Image.new("RGB", (width * COLUMNS, height * ROWS * photos))
    for number, frame in enumerate(thumbnails):
        photo, place = divmod(number, per_photo)
        row, column = divmod(place, COLUMNS)
        picture = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        sheet.paste(picture, (column * width, (photo * ROWS + row) * height))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return sheet.size
