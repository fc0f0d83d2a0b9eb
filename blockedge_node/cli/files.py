"""Files that the user names, as they are read and as the built-in programs want them.

Each refusal is one sentence and ends the command with exit code 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from blockedge_node.core.job import MAX_SHARDS, MAX_STDIN
from blockedge_node.errors import ConfigError

PICTURES = frozenset(".jpg .jpeg .png .webp .bmp .tif .tiff".split())


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Files as given, directories as the files in them by name. Raises ConfigError if one is not there."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith(".")
            )
            if not inside:
                raise ConfigError(f"the directory {path} holds no files")
            files += inside
        else:
            files.append(path)
    return files


def read(path: Path, limit: int = MAX_STDIN * MAX_SHARDS, what: str = "an input") -> bytes:
    """A file's bytes. Raises ConfigError if it cannot be read or is over the limit."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a directory, {what} is a file")
        found = path.stat().st_size
        if found > limit:
            raise ConfigError(f"{path} has {found} bytes; {what} may have {limit} at most")
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None


def _frame(path: Path) -> bytes:
    """A picture for frames: PPM as it is; other formats through Pillow, if it is installed."""
    from blockedge_node.programs.frames import encode

    if path.suffix.lower() not in PICTURES:
        return read(path)
    picture = _picture(path, "PPM").convert("RGB")
    return encode(picture.width, picture.height, picture.tobytes())


def _digit(path: Path) -> bytes:
    """A picture for classify: PGM as it is; other formats in grey, shrunk to 8x8, through Pillow."""
    from blockedge_node.programs.classify import SIDE, encode

    if path.suffix.lower() not in PICTURES:
        return read(path)
    picture = _picture(path, "PGM").convert("L")
    return encode(
        picture.reduce((max(1, picture.width // SIDE), max(1, picture.height // SIDE)))
        .resize((SIDE, SIDE))
        .tobytes()
    )


def _picture(path: Path, wanted: str) -> Any:
    """A picture, opened with Pillow."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ConfigError(
            f"{path} is not a {wanted} picture: install Pillow (pip install pillow) or convert it first"
        ) from None
    read(path)  # for its sentences about missing and unreadable files
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (UnidentifiedImageError, OSError) as error:
        raise ConfigError(f"{path} is not a picture that can be read: {error}") from None


def _signal(path: Path) -> bytes:
    """A signal for spectrum: the samples of a .wav file's first channel, anything else as it is."""
    data = read(path)
    if path.suffix.lower() != ".wav":
        return data
    import io
    import wave

    try:
        with wave.open(io.BytesIO(data)) as sound:
            channels, width = sound.getnchannels(), sound.getsampwidth()
            frames = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError) as error:
        raise ConfigError(f"{path} is not a WAV file that can be read: {error}") from None
    if width != 2:
        raise ConfigError(f"{path} has samples of {8 * width} bits: convert it to 16 bits first")
    return memoryview(frames).cast("h")[::channels].tobytes()


# How a file becomes the input of a guest; of the others, as it is.
CONVERTERS: Mapping[str, Callable[[Path], bytes]] = {
    "frames": _frame,
    "classify": _digit,
    "spectrum": _signal,
}
