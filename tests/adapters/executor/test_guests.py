"""The guests against Python references on real pictures and generated measurements; whole runs against shards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

from blockedge_node import programs
from blockedge_node.core.job import Ending, Outcome, exit_word
from blockedge_node.core.merkle import root
from blockedge_node.errors import ConfigError
from blockedge_node.executor.local import check, local_run, run_local
from blockedge_node.programs import build, csvstats, frames
from blockedge_node.wire.manifest import Manifest

PHOTOS = Path(sklearn.datasets.__file__).parent / "images"
BAD_INPUT = exit_word(Ending.FAILED, 2)


def ppm(image: Image.Image) -> bytes:
    rgb = image.convert("RGB")
    return frames.encode(*rgb.size, rgb.tobytes())


@pytest.fixture(scope="module")
def tiles() -> list[bytes]:
    """Twelve tiles of two photographs, of several odd sizes."""
    cut = []
    for name in ("china.jpg", "flower.jpg"):
        photo = Image.open(PHOTOS / name)
        for i in range(6):
            x, y = 97 * i, 23 * i
            cut.append(ppm(photo.crop((x, y, x + 131 - i, y + 96 + 3 * i))))
    return cut


@pytest.fixture
def run(execute: Any) -> Any:
    """run(name, stdin, *arguments) → Outcome, in this process."""

    def run(name: str, stdin: bytes, *arguments: str) -> Outcome:
        wasm, fields = programs.load(name)
        manifest = Manifest(wasm=root(wasm), **fields | {"argv": (name, *arguments)})
        outcome: Outcome = execute(manifest.job(wasm=wasm, stdin=stdin, shard=0, shards=1))
        return outcome

    return run


# -- the modules


def test_the_modules_are_those_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    build.compare(build.digests(), "checked in")
    assert "match" in capsys.readouterr().out


def test_a_source_changed_without_a_rebuild_is_noticed() -> None:
    with pytest.raises(SystemExit, match=r"frames\.c differ"):
        build.compare(build.digests() | {"frames.c": "0" * 64}, "checked in")


def test_unknown_names_list_the_known_ones() -> None:
    assert programs.names() == ("frames", "classify", "csvstats", "spectrum", "render", "powsearch")
    with pytest.raises(ConfigError, match="frames, classify, csvstats"):
        programs.load("frame")


# -- frames


def reference_features(rgb: NDArray[np.uint8]) -> list[int]:
    """Features as frames.c describes them, with numpy in place of loops."""
    height, width, _ = rgb.shape
    luma = (rgb.astype(np.int64) @ np.array([77, 150, 29])) >> 8
    padded = np.pad(luma, 1, mode="edge")
    gx = padded[1:-1, 2:] - padded[1:-1, :-2]
    gy = padded[2:, 1:-1] - padded[:-2, 1:-1]
    squares = (gx * gx + gy * gy) << 8
    size = np.floor(np.sqrt(squares.astype(np.float64))).astype(np.int64)  # exact: below 2^53
    size -= (size * size > squares).astype(np.int64)
    degrees = np.degrees(np.arctan2(gy, gx)) % 180
    bins = np.minimum((degrees / 20).astype(np.int64), 8)
    bins[gy == 0] = 0
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    cells = rows[:, None] * 8 + columns[None, :]
    sums = np.zeros((64, 9), np.int64)
    np.add.at(sums, (cells, bins), size)
    counts = np.bincount(cells.ravel(), minlength=64)
    return [int(total * 16 // counts[cell]) for cell in range(64) for total in sums[cell]]


def reference_thumbnail(rgb: NDArray[np.uint8]) -> bytes:
    height, width = (side // 4 for side in rgb.shape[:2])
    blocks = rgb[: height * 4, : width * 4].reshape(height, 4, width, 4, 3).astype(np.int64)
    return bytes(((blocks.sum(axis=(1, 3)) + 8) // 16).astype(np.uint8).tobytes())


def pixels(picture: bytes) -> NDArray[np.uint8]:
    _, sizes, _, body = picture.split(b"\n", 3)
    width, height = map(int, sizes.split())
    return np.frombuffer(body, np.uint8).reshape(height, width, 3)


def test_frames_gives_what_the_reference_gives(run: Any, tiles: Sequence[bytes]) -> None:
    outcome = run("frames", b"".join(tiles))
    assert outcome.result.exit == 0
    got = list(frames.read(outcome.output))
    assert len(got) == len(tiles)
    for frame, tile in zip(got, tiles, strict=True):
        rgb = pixels(tile)
        assert (frame.height, frame.width) == (rgb.shape[0] // 4, rgb.shape[1] // 4)
        assert frame.rgb == reference_thumbnail(rgb)
        assert list(frame.features) == reference_features(rgb)
        assert sum(frame.features) > 0


def test_frames_reads_any_header_that_pnm_allows(run: Any, tiles: Sequence[bytes]) -> None:
    plain = tiles[0]
    _, sizes, _, body = plain.split(b"\n", 3)
    width, height = sizes.split()
    odd = b"P6 # camera 7\n#\n" + width + b"\t\r\n" + height + b" # grey\n 255\n" + body
    assert run("frames", odd + plain).output == run("frames", plain).output * 2
    assert list(frames.pictures(odd + plain)) == [odd, plain]


def test_frames_split_equals_whole(tiles: Sequence[bytes]) -> None:
    data = b"".join(tiles)
    guest = programs.guest("frames")
    whole = local_run(guest.manifest([data]), guest.wasm(), [data])
    parts = guest.split(data, 5)
    assert b"".join(parts) == data
    split = local_run(guest.manifest(parts), guest.wasm(), parts)
    assert len(split.outcomes) == 5
    assert split.output == whole.output
    assert whole.output is not None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"P5\n4 4\n255\n" + bytes(16), "not a binary PPM"),
        (b"\x89PNG\r\n\x1a\n", "not a binary PPM"),
        (b"P6\n4 4\n65535\n" + bytes(96), "maxval"),
        (b"P6\n4 4\n255\n" + bytes(47), "cut off"),
        (b"P6\n4 3\n255\n" + bytes(36), "4 to 16384 pixels"),
        (b"P6\n99999 4\n255\n" + bytes(36), "4 to 16384 pixels"),
        (b"P6\n-4 4\n255\n", "bad PPM header"),
        (b"P6\n9999999999 4\n255\n", "bad PPM header"),
        (b"P6\n4", "bad PPM header"),
    ],
)
def test_frames_refuses_bad_input(run: Any, data: bytes, why: str) -> None:
    outcome = run("frames", data)
    assert outcome.result.exit == BAD_INPUT
    assert why in outcome.stderr.decode()


def test_frames_says_when_the_memory_is_too_small(run: Any) -> None:
    outcome = run("frames", b"P6\n16384 16384\n255\n")
    assert outcome.result.exit == exit_word(Ending.FAILED, 3)
    assert b"memory limit" in outcome.stderr


def test_pictures_are_cut_evenly_or_not_at_all(tiles: Sequence[bytes]) -> None:
    data = b"".join(tiles)
    assert [len(list(frames.pictures(part))) for part in frames.split(data, 5)] == [2, 2, 3, 2, 3]
    for shards in (0, 13):
        with pytest.raises(ConfigError, match="12 pictures"):
            frames.split(data, shards)
    with pytest.raises(ConfigError, match="cut off"):
        frames.split(data[:-1], 2)
    with pytest.raises(ConfigError, match="convert pictures to PPM"):
        frames.split((PHOTOS / "china.jpg").read_bytes(), 2)


# -- csvstats


@pytest.fixture(scope="module")
def measurements() -> bytes:
    chance = random.Random(7)
    lines = ["sensor,value"]
    for _ in range(30_000):
        value = Decimal(chance.randrange(-(10**9), 10**9)) / 10 ** chance.randrange(7)
        lines.append(f"{chance.choice('αxyz')}{chance.randrange(150)},{value:f}")
    return ("\n".join(lines) + "\n").encode()


def reference_stats(data: bytes) -> bytes:
    values: dict[str, list[Decimal]] = {}
    for line in data.decode().splitlines():
        if line and line != "sensor,value":
            sensor, value = line.split(",")
            values.setdefault(sensor, []).append(Decimal(value))
    return "".join(
        f"{sensor},{len(found)},{sum(found):.6f},{min(found):.6f},{max(found):.6f}\n"
        for sensor, found in sorted(values.items(), key=lambda item: item[0].encode())
    ).encode()


def test_csvstats_gives_what_the_reference_gives(run: Any, measurements: bytes) -> None:
    outcome = run("csvstats", measurements)
    assert outcome.result.exit == 0
    assert outcome.output == reference_stats(measurements)
    assert sum(summary.count for summary in csvstats.read(outcome.output)) == 30_000


async def test_csvstats_split_and_merged_equals_whole(measurements: bytes) -> None:
    guest = programs.guest("csvstats")
    parts = guest.split(measurements, 7)
    assert b"".join(parts) == measurements
    assert all(part.endswith(b"\n") for part in parts)
    split = await run_local(guest.manifest(parts), guest.wasm(), parts)
    assert split.output == reference_stats(measurements)
    assert split.merging is not None


def test_csvstats_takes_what_files_in_the_wild_hold(run: Any) -> None:
    assert run("csvstats", b"sensor,value\r\na b,1\r\n\r\na b,-0.000001\nz,-0").output == (
        b"a b,2,0.999999,-0.000001,1.000000\nz,1,0.000000,0.000000,0.000000\n"
    )
    assert run("csvstats", b"").output == b""


@pytest.mark.parametrize("length", [255, 256])
def test_csvstats_reads_lines_that_lie_across_two_reads(run: Any, length: int) -> None:
    """Stdin is read in pieces of 2^18 bytes: lines of every length meet that edge at every place."""
    line = (b"s" * 60 + b",1.5").ljust(64, b"0") + b"\n"
    for shift in range(0, 66, 13):
        data = b"\n" * shift + line * (2 * 2**18 // len(line))
        count = data.count(b"s,")
        assert f",{count},".encode() in run("csvstats", data).output
    assert run("csvstats", b"\n" * (2**18 - 3) + b"x" * length + b"\n").result.exit == BAD_INPUT


def test_csvstats_sums_never_overflow(run: Any) -> None:
    most = b"a,999999999999.999999\n"
    outcome = run("csvstats", most * 20_000)
    assert outcome.output == b"a,20000,19999999999999999.980000,999999999999.999999,999999999999.999999\n"
    listed = b"".join(len(outcome.output).to_bytes(4, "big") + outcome.output for _ in range(9))
    assert run("csvstats", listed, "merge").output.startswith(b"a,180000,179999999999999999.820000,")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,1\nb\n", "line 2: expected sensor,value"),
        (b",1\n", "line 1: expected sensor,value"),
        (b"a,\n", "line 1: a value is not"),
        (b"a,1e9\n", "line 1: more behind the value"),
        (b"a,1.\n", "line 1: a value is not"),
        (b"a,.5\n", "line 1: a value is not"),
        (b"a,1,2\n", "line 1: more behind"),
        (b"a,1.1234567\n", "line 1: a value has more than 6 decimals"),
        (b"a,1234567890123\n", "line 1: a value has too many digits"),
        (b"a,nan\n", "line 1: a value is not"),
        (b"a\x00b,1\n", "line 1: a control character"),
        (b"x" * 65 + b",1\n", "line 1: a sensor's name is longer"),
        (b"x" * 300, "line 1: the line is longer"),
    ],
)
def test_csvstats_refuses_bad_input(run: Any, data: bytes, why: str) -> None:
    outcome = run("csvstats", data)
    assert outcome.result.exit == BAD_INPUT
    assert why in outcome.stderr.decode()


@pytest.mark.parametrize(
    "listed", [b"\0\0", b"\0\0\0\x08a,1,2,3\n", b"\0\0\0\x04a,1\n", b"\0\0\0\x0ca,x,1,1,1\n\n\n"]
)
def test_csvstats_refuses_to_merge_what_is_no_output(run: Any, listed: bytes) -> None:
    assert run("csvstats", listed, "merge").result.exit == BAD_INPUT


def test_lines_are_never_cut() -> None:
    data = b"aaaaaaaaaaaaaaaaaaaaaaaa,1\nb,2\nc,3\n"
    assert csvstats.split(data, 3) == [b"aaaaaaaaaaaaaaaaaaaaaaaa,1\n", b"b,2\n", b"c,3\n"]
    assert csvstats.split(b"a,1\nb,2", 2) == [b"a,1\n", b"b,2"]
    for shards in (0, 4):
        with pytest.raises(ConfigError, match="3 lines"):
            csvstats.split(data, shards)
    with pytest.raises(ConfigError, match="not a line of csvstats"):
        list(csvstats.read(b"hello\n"))


# -- whole tasks


async def test_a_local_run_reports_the_shard_that_failed() -> None:
    guest = programs.guest("csvstats")
    parts = [b"a,1\n", b"junk\n"]
    outcome = await run_local(guest.manifest(parts), guest.wasm(), parts)
    assert outcome.output is None
    assert [shard.result.exit for shard in outcome.outcomes] == [0, BAD_INPUT]


def test_fuel_estimates_are_near_and_enough(run: Any, tiles: Sequence[bytes], measurements: bytes) -> None:
    for name, data in (("frames", b"".join(tiles)), ("csvstats", measurements)):
        used = run(name, data).result.fuel_used
        assert used < programs.guest(name).fuel(len(data)) < 6 * used


def test_a_program_is_checked_before_it_is_offered() -> None:
    guest = programs.guest("frames")
    manifest = guest.manifest([b""])
    assert check(manifest, guest.wasm()) is None
    assert "not a WebAssembly module" in str(check(manifest, b"\x7fELF"))
    assert "manifest allows 65536" in str(check(replace(manifest, memory=1 << 16), guest.wasm()))
