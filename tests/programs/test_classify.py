"""classify on real handwritten digits: the module against the same integers in numpy, and how often it is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.datasets

from blockedge_node import programs
from blockedge_node.core.job import Ending, exit_word
from blockedge_node.errors import ConfigError
from blockedge_node.programs import classify
from blockedge_node.programs.train_classify import Network, digits, logits

BAD_INPUT = exit_word(Ending.FAILED, 2)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.decode(programs.guest("classify").files()["weights"])


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    """The pictures held out in training, as they come."""
    images = sklearn.datasets.load_digits().images[::5]
    return [classify.encode(image.astype(np.uint8).tobytes(), 16) for image in images]


def test_the_held_out_digits_are_recognised_bit_for_bit(
    run: Any, network: Network, pictures: list[bytes]
) -> None:
    _, _, inputs, labels = digits()
    outcome = run("classify", b"".join(pictures))
    assert outcome.result.exit == 0
    expected = logits(network, inputs)
    assert np.frombuffer(outcome.output, "<i4").reshape(-1, 10).tolist() == expected.tolist()
    answers = [answer.digit for answer in classify.read(outcome.output)]
    right = sum(answer == label for answer, label in zip(answers, labels, strict=True))
    assert right / len(labels) >= 0.98, f"{right} of {len(labels)} are right"


def test_other_grey_scales_are_brought_to_the_same_range(run: Any, network: Network) -> None:
    grey = np.random.default_rng(3).integers(0, 256, (5, 8, 8))
    data = b"".join(classify.encode(picture.astype(np.uint8).tobytes()) for picture in grey)
    expected = logits(network, (grey * 127 + 127) // 255)
    assert np.frombuffer(run("classify", data).output, "<i4").reshape(-1, 10).tolist() == expected.tolist()
    over = classify.encode(bytes([9] * 64), 5)  # more than the maxval it names
    assert run("classify", over).output == run("classify", classify.encode(bytes([5] * 64), 5)).output


@pytest.mark.parametrize("shards", [1, 3, 8])
def test_split_equals_whole(run: Any, split: Any, pictures: list[bytes], shards: int) -> None:
    data = b"".join(pictures[:40])
    assert split("classify", data, shards) == run("classify", data).output


def test_the_weights_file_reads_back(network: Network) -> None:
    raw = programs.guest("classify").files()["weights"]
    assert network.encode() == raw
    assert all(int(np.abs(weights).max()) == 127 for weights in network.weights)
    for broken in (raw + b"\0", b"BEC2" + raw[4:]):
        with pytest.raises(ValueError, match="weights file"):
            Network.decode(broken)


def test_the_weights_are_part_of_what_the_program_is() -> None:
    guest = programs.guest("classify")
    manifest = guest.manifest([b""])
    assert list(manifest.files) == ["weights"]
    assert len(manifest.roots()) == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"P6\n8 8\n255\n" + bytes(64), "not a binary PGM"),
        (b"P5\n8 9\n255\n" + bytes(72), "8x8 pixels"),
        (b"P5\n8 8\n0\n" + bytes(64), "maxval"),
        (b"P5\n8 8\n256\n" + bytes(64), "maxval"),
        (b"P5\n8 8\n255\n" + bytes(63), "cut off"),
        (b"P5\n8 x\n", "bad PGM header"),
    ],
)
def test_it_refuses_bad_input(run: Any, data: bytes, why: str) -> None:
    outcome = run("classify", data)
    assert outcome.result.exit == BAD_INPUT
    assert why in outcome.stderr.decode()


def test_it_refuses_wrong_weights(run: Any) -> None:
    weights = programs.guest("classify").files()["weights"]
    wide = weights[:4] + b"\xff" + weights[5:]
    for broken in (b"", weights[:-1], weights + b"\0", b"X" + weights[1:], wide):
        assert run("classify", files={"weights": broken}).result.exit == BAD_INPUT


def test_pictures_are_cut_evenly_or_not_at_all(pictures: list[bytes]) -> None:
    data = b"".join(pictures[:7])
    assert [len(part) // len(pictures[0]) for part in classify.split(data, 3)] == [2, 2, 3]
    for shards in (0, 8):
        with pytest.raises(ConfigError, match="7 pictures cannot be cut"):
            classify.split(data, shards)
    for broken, why in (
        (data[:-1], "cut off"),
        (b"\x89PNG", "not a binary PGM"),
        (data + b"x", "not a binary"),
    ):
        with pytest.raises(ConfigError, match=why):
            classify.split(broken, 1)
    with pytest.raises(ConfigError, match="63 bytes"):
        classify.encode(bytes(63))
    with pytest.raises(ConfigError, match="cut off"):
        list(classify.read(bytes(41)))
