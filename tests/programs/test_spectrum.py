"""spectrum against numpy's FFT: on scan lines of a photograph, which are as real as a vibration, and on tones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

from blockedge_node import programs
from blockedge_node.core.job import Ending, exit_word
from blockedge_node.errors import ConfigError
from blockedge_node.programs import spectrum

PHOTO = Path(sklearn.datasets.__file__).parent / "images" / "flower.jpg"


@pytest.fixture(scope="module")
def scan() -> bytes:
    """Luma of a photograph, row by row, as one signal of 273 280 samples."""
    luma = np.asarray(Image.open(PHOTO).convert("L")).astype(np.int16)
    return ((luma - 128) * 200).astype("<i2").tobytes()


def reference(data: bytes, window: int, bands: int) -> NDArray[np.float64]:
    samples = np.frombuffer(data, "<i2").reshape(-1, window).astype(np.float64)
    weights = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power = np.abs(np.fft.rfft(samples * weights)) ** 2 * 2 / (window * (weights**2).sum())
    power[:, -1] /= 2
    edges = [window // 2 * band // bands + 1 for band in range(bands + 1)]
    return np.stack([power[:, a:b].sum(axis=1) for a, b in pairwise(edges)], axis=1)


@pytest.mark.parametrize(("window", "bands"), [(1024, 16), (16, 8), (256, 5), (4096, 1), (65536, 3)])
def test_bands_are_those_of_numpy(run: Any, scan: bytes, window: int, bands: int) -> None:
    data = scan[: max(1, 16_384 // window) * 2 * window]
    outcome = run("spectrum", data, {"window": str(window), "bands": str(bands)})
    assert outcome.result.exit == 0
    found = np.array(list(spectrum.read(outcome.output, bands)))
    expected = reference(data, window, bands)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * expected.max())
    assert np.isfinite(found).all()


def test_a_tone_is_in_its_band_with_its_mean_square(run: Any) -> None:
    time = np.arange(2048)
    tone = (10_000 * np.sin(2 * np.pi * time * 100 / 1024)).astype("<i2").tobytes()
    for bands in spectrum.read(run("spectrum", tone).output, 16):
        assert bands.index(max(bands)) == 3  # bin 100 lies in 97 … 128
        assert max(bands) == pytest.approx(10_000**2 / 2, rel=1e-3)
        assert sum(bands) == pytest.approx(10_000**2 / 2, rel=1e-3)


def test_a_constant_is_all_mean(run: Any) -> None:
    (bands,) = spectrum.read(run("spectrum", b"\x39\x30" * 1024).output, 16)
    assert bands[0] == pytest.approx(12_345**2 * 2 / 6, rel=1e-9)  # what the window smears into bin 1
    assert max(bands[1:]) < 1e-9


@pytest.mark.parametrize("shards", [1, 3, 10])
def test_split_equals_whole(run: Any, split: Any, scan: bytes, shards: int) -> None:
    data = scan[: 24 * 2048]
    assert split("spectrum", data, shards) == run("spectrum", data).output


def test_signals_are_cut_between_windows(scan: bytes) -> None:
    guest = programs.guest("spectrum")
    params = {"window": "256"}
    parts = guest.split(scan[: 512 * 7 + 9], 3, params)
    assert [len(part) // 512 for part in parts] == [2, 2, 3]
    assert b"".join(parts) == scan[: 512 * 7]  # samples behind the last window are left out
    with pytest.raises(ConfigError, match="3 windows of 1024 samples cannot be cut into 4"):
        guest.split(scan[: 3 * 2048], 4)
    with pytest.raises(ConfigError, match="not whole windows"):
        list(spectrum.read(bytes(100), 16))


@pytest.mark.parametrize(
    ("argv", "size", "why"),
    [
        (["1024"], 2048, "usage"),
        (["1000", "16"], 2000, "power of two"),
        (["8", "2"], 16, "power of two"),
        (["131072", "2"], 16, "power of two"),
        (["1024", "0"], 2048, "BANDS"),
        (["1024", "513"], 2048, "BANDS"),
        (["1024", "16"], 2047, "cut off"),
        (["1024", "16"], 2050, "cut off"),
    ],
)
def test_it_refuses_bad_input(run: Any, argv: list[str], size: int, why: str) -> None:
    outcome = run("spectrum", bytes(size), argv=argv)
    assert outcome.result.exit == exit_word(Ending.FAILED, 2)
    assert why in outcome.stderr.decode()


def test_wrong_parameters_are_refused_before_anything_runs() -> None:
    for params, why in (
        ({"window": "1000"}, "power of two"),
        ({"window": "8"}, "from 16"),
        ({"bands": "513"}, "from 1 to 512"),
    ):
        with pytest.raises(ConfigError, match=why):
            programs.guest("spectrum").chosen(params)
