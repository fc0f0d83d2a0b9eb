"""render against numpy, whose f64 is the program's f64."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blockedge_node import programs
from blockedge_node.core.job import Ending, exit_word
from blockedge_node.errors import ConfigError
from blockedge_node.programs import render

VIEWS = {
    "whole": {"width": "90", "height": "61", "iterations": "120"},
    "deep": {
        "width": "64",
        "height": "48",
        "iterations": "500",
        "x": "-0.743643",
        "y": "0.131825",
        "span": ".003",
    },
    "julia": {
        "width": "77",
        "height": "50",
        "iterations": "203",
        "x": "0",
        "span": "3.2",
        "set": "-0.8,0.156",
    },
    "shallow": {"width": "40", "height": "30", "iterations": "7"},
    "dot": {"width": "1", "height": "1", "iterations": "1"},
}


def reference(given: dict[str, str]) -> NDArray[np.int64]:
    """Escape counts [row][column], all pixels at once, in the program's order of operations."""
    params = programs.guest("render").chosen(given)
    width, height, limit = (int(params[name]) for name in ("width", "height", "iterations"))
    step = float(params["span"]) / width
    re = float(params["x"]) + (2 * np.arange(width) + 1 - width)[None, :] * 0.5 * step
    im = float(params["y"]) - (2 * np.arange(height) + 1 - height)[:, None] * 0.5 * step
    re, im = np.broadcast_arrays(re, im)
    julia = render.constant(params["set"])
    z_re, z_im = (re.copy(), im.copy()) if julia else (np.zeros_like(re), np.zeros_like(im))
    c_re, c_im = (np.float64(julia.real), np.float64(julia.imag)) if julia else (re, im)
    counts = np.zeros(re.shape, np.int64)
    with np.errstate(all="ignore"):  # what is outside grows until it is no number any more
        for _ in range(limit):
            counts += z_re * z_re + z_im * z_im <= 4.0
            z_re, z_im = z_re * z_re - z_im * z_im + c_re, 2.0 * z_re * z_im + c_im
    return counts


@pytest.mark.parametrize("view", VIEWS)
def test_it_draws_what_the_reference_draws(run: Any, view: str) -> None:
    outcome = run("render", b"", VIEWS[view])
    assert outcome.result.exit == 0
    counts = reference(VIEWS[view])
    assert np.frombuffer(outcome.output, ">u2").reshape(counts.shape).tolist() == counts.tolist()
    if view != "dot":
        assert len(np.unique(counts)) > 4


@pytest.mark.parametrize("view", ["whole", "julia"])
@pytest.mark.parametrize("shards", [1, 4, 13])
def test_split_equals_whole(run: Any, split: Any, view: str, shards: int) -> None:
    assert split("render", b"", shards, VIEWS[view]) == run("render", b"", VIEWS[view]).output


def test_more_shards_than_rows_leave_some_empty(run: Any) -> None:
    params = VIEWS["dot"] | {"height": "2"}
    outputs = [run("render", b"", params, shard=shard, shards=5).output for shard in range(5)]
    assert b"".join(outputs) == run("render", b"", params).output
    assert outputs.count(b"") == 3
    assert programs.guest("render").fuel(0, shards=5, params=params) > 0


def test_one_pixel_computed_here_is_one_computed_there() -> None:
    counts = reference(VIEWS["deep"])
    params = programs.guest("render").chosen(VIEWS["deep"])
    for x, y in ((0, 0), (31, 20), (63, 47), (50, 3)):
        assert render.steps(params, x, y) == counts[y, x]
    assert render.steps(params, 0, 0, patience=0) == 500


def test_pictures_open_in_other_programs(run: Any) -> None:
    params = programs.guest("render").chosen(VIEWS["whole"])
    output = run("render", b"", VIEWS["whole"]).output
    counts = reference(VIEWS["whole"])
    with Image.open(io.BytesIO(render.png(output, params))) as picture:
        grey = np.asarray(picture)
    assert grey.shape == counts.shape
    assert ((grey == 0) == ((counts == 120) | (counts == 0))).all()
    assert render.pgm(output, params) == b"P5\n90 61\n120\n" + output
    with pytest.raises(ConfigError, match="no output of render for 90 x 61"):
        render.png(output[:-1], params)


@pytest.mark.parametrize(
    ("place", "text", "why"),
    [
        (0, "3", "SHARD must"),
        (2, "0", "WIDTH"),
        (3, "40000", "HEIGHT"),
        (4, "65536", "ITERATIONS"),
        (5, "1e3", "numbers like"),
        (6, "", "numbers like"),
        (6, "-", "numbers like"),
        (7, "1.2.3", "numbers like"),
        (7, "1234567890.123456", "numbers like"),
        (8, "julia", "SET must"),
        (8, "1,", "numbers like"),
        (8, "1.9,1.9", "at most 2 from 0"),
    ],
)
def test_it_refuses_bad_arguments(run: Any, place: int, text: str, why: str) -> None:
    argv = ["0", "3", "8", "6", "50", "-0.75", "0", "3", "-0.8,0.156"]
    assert run("render", argv=argv).result.exit == 0
    argv[place] = text
    outcome = run("render", argv=argv)
    assert outcome.result.exit == exit_word(Ending.FAILED, 2)
    assert why in outcome.stderr.decode()


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"width": "0"}, "whole number from 1 to 32768"),
        ({"iterations": "70000"}, "whole number from 1 to 65535"),
        ({"x": "1e3"}, "number like -0.75"),
        ({"span": "-"}, "number like -0.75"),
        ({"y": "0.1234567890123456"}, "at most 15 digits"),
        ({"set": "julia"}, "mandelbrot, or two numbers"),
        ({"set": "1.9,1.9"}, "at most 2 from 0"),
        ({"zoom": "2"}, "no parameter 'zoom'"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(params: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        programs.guest("render").chosen(params)
    with pytest.raises(ConfigError, match="takes no --input"):
        programs.guest("render").split(b"x", 1)
