"""Trains the network of `classify` and writes `classify.weights`.

    python -m blockedge_node.programs.train_classify           train, report, write the file
    python -m blockedge_node.programs.train_classify --test    only report on the file that is there

Plain numpy, on the 1797 handwritten digits that scikit-learn ships (extra `demo`); every fifth one is held out
and never seen in training. The seed is fixed, but another processor's floating-point sums may train slightly
other weights: the file in the repository is the program, this script is how it came about.

Training is in f32 with Adam, on pictures shifted sideways by up to one pixel. Then the weights become 8 bits
(`quantize`): a shift carries a layer's sums over to the next one's inputs. The arithmetic of classify.c is done
here again in numpy (`logits`), to measure what those bits cost.
"""

from __future__ import annotations

import argparse
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sklearn.datasets
from numpy.typing import NDArray

from blockedge_node.programs.classify import CLASSES, HERE, MAGIC, SIDE, TOP, WEIGHTS

C1: Final = 16
C2: Final = 32
EPOCHS: Final = 24
BATCH: Final = 64
RATE: Final = 2e-3
SEED: Final = 8

Float = NDArray[np.float32]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The weights file, read: biases and weights of three layers, and the shifts behind the first two."""

    biases: tuple[Int, Int, Int]
    weights: tuple[Int, Int, Int]  # [out][in][3][3], [out][in][3][3], [out][in]
    shifts: tuple[int, int]

    def encode(self) -> bytes:
        """The file's bytes (layout: classify.c)."""
        layers = zip(self.biases, self.weights, strict=True)
        return struct.pack("<4s4B", MAGIC, len(self.biases[0]), len(self.biases[1]), *self.shifts) + b"".join(
            bias.astype("<i4").tobytes() + weight.astype(np.int8).tobytes() for bias, weight in layers
        )

    @classmethod
    def decode(cls, data: bytes) -> Network:
        """The network in a weights file. Raises ValueError for anything else."""
        magic, c1, c2, *shifts = struct.unpack_from("<4s4B", data)
        if magic != MAGIC:
            raise ValueError("not a weights file of classify")
        at, biases, weights = 8, [], []
        for shape in ((c1, 1, 3, 3), (c2, c1, 3, 3), (CLASSES, c2 * (SIDE // 2) ** 2)):
            biases.append(np.frombuffer(data, "<i4", shape[0], at).astype(np.int64))
            at += 4 * shape[0]
            weights.append(
                np.frombuffer(data, np.int8, int(np.prod(shape)), at).reshape(shape).astype(np.int64)
            )
            at += weights[-1].size
        if at != len(data):
            raise ValueError("the weights file is too long")
        return cls(biases=tuple(biases), weights=tuple(weights), shifts=tuple(shifts))  # type: ignore[arg-type]


def digits() -> tuple[Int, Int, Int, Int]:
    """(training pictures, labels, held-out pictures, labels); a picture is 8·8 inputs from 0 to 127."""
    found = sklearn.datasets.load_digits()
    pictures = (found.images.astype(np.int64) * TOP + 8) // 16
    labels = found.target.astype(np.int64)
    held_out = np.arange(len(labels)) % 5 == 0
    return pictures[~held_out], labels[~held_out], pictures[held_out], labels[held_out]


def patches(planes: NDArray[Any]) -> NDArray[Any]:
    """[n][channel][8][8] → [n·8·8][channel·9]: what each 3x3 kernel sees, zeros outside."""
    n, channels = planes.shape[:2]
    padded = np.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    seen: NDArray[Any] = views.transpose(0, 2, 3, 1, 4, 5).reshape(n * SIDE * SIDE, channels * 9)
    return seen


def unpatch(gradient: Float, n: int, channels: int) -> Float:
    """The sum of what every patch says about each pixel: the transpose of `patches`."""
    parts = gradient.reshape(n, SIDE, SIDE, channels, 3, 3).transpose(0, 3, 1, 2, 4, 5)
    padded = np.zeros((n, channels, SIDE + 2, SIDE + 2), np.float32)
    for row in range(3):
        for column in range(3):
            padded[:, :, row : row + SIDE, column : column + SIDE] += parts[..., row, column]
    return padded[:, :, 1:-1, 1:-1]


def convolved(seen: NDArray[Any], weights: NDArray[Any], biases: NDArray[Any]) -> NDArray[Any]:
    """Patches through one layer's kernels: [n][out][8][8]."""
    sums: NDArray[Any] = seen @ weights.reshape(len(weights), -1).T + biases
    return sums.reshape(-1, SIDE, SIDE, len(weights)).transpose(0, 3, 1, 2)


def blocks(planes: NDArray[Any]) -> NDArray[Any]:
    """[n][channel][8][8] → [n][channel][4][4][the 4 pixels of each 2x2 block]."""
    n, channels = planes.shape[:2]
    half = SIDE // 2
    return (
        planes.reshape(n, channels, half, 2, half, 2)
        .transpose(0, 1, 2, 4, 3, 5)
        .reshape(n, channels, half, half, 4)
    )


def logits(network: Network, pictures: Int) -> Int:
    """[n][8][8] inputs → [n][10], in the arithmetic of classify.c."""
    planes = pictures[:, None]
    for layer, shift in enumerate(network.shifts):
        sums = convolved(patches(planes), network.weights[layer], network.biases[layer])
        rounded = (np.maximum(sums, 0) + (1 << shift >> 1)) >> shift
        planes = np.minimum(rounded, TOP)
    flat = blocks(planes).max(axis=-1).reshape(len(pictures), -1)
    found: Int = flat @ network.weights[2].T + network.biases[2]
    return found


def shifted(pictures: Int, by: Int) -> Int:
    """Each picture moved sideways by its number of pixels, -1 to 1; what comes in is dark."""
    padded = np.pad(pictures, ((0, 0), (0, 0), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, SIDE, axis=2)  # [n][row][0 … 2][column]
    return views[np.arange(len(pictures)), :, 1 - by]


def train(pictures: Int, labels: Int) -> list[Float]:
    """[w1, b1, w2, b2, w3, b3] in f32, for inputs from 0 to 1."""
    chance = np.random.default_rng(SEED)
    shapes = ((C1, 1, 3, 3), (C2, C1, 3, 3), (CLASSES, C2 * (SIDE // 2) ** 2))
    values: list[Float] = []
    for shape in shapes:
        inputs = int(np.prod(shape[1:]))
        values.append(chance.normal(0, np.sqrt(2 / inputs), shape).astype(np.float32))
        values.append(np.zeros(shape[0], np.float32))
    mean = [np.zeros_like(value) for value in values]
    square = [np.zeros_like(value) for value in values]
    step = 0
    for epoch in range(EPOCHS):
        order = chance.permutation(len(pictures))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            moved = shifted(pictures[chosen], chance.integers(-1, 2, len(chosen)))
            gradients = gradients_of(values, (moved / TOP).astype(np.float32), labels[chosen])
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
            for value, gradient, m, v in zip(values, gradients, mean, square, strict=True):
                m += 0.1 * (gradient - m)
                v += 0.001 * (gradient * gradient - v)
                value -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return values


def gradients_of(values: list[Float], pictures: Float, labels: Int) -> list[Float]:
    """The cross entropy's gradient by every value, averaged over a batch."""
    w1, b1, w2, b2, w3, b3 = values
    n = len(pictures)
    seen1 = patches(pictures[:, None])
    planes1 = np.maximum(convolved(seen1, w1, b1), 0)
    seen2 = patches(planes1)
    planes2 = np.maximum(convolved(seen2, w2, b2), 0)
    grouped = blocks(planes2)
    winner = grouped.argmax(axis=-1)[..., None]
    flat = np.take_along_axis(grouped, winner, -1).reshape(n, -1)
    out = flat @ w3.T + b3
    odds = np.exp(out - out.max(axis=1, keepdims=True))
    d_out = odds / odds.sum(axis=1, keepdims=True)
    d_out[np.arange(n), labels] -= 1
    d_out /= n
    d_grouped = np.zeros_like(grouped)
    np.put_along_axis(d_grouped, winner, (d_out @ w3).reshape(winner.shape), -1)
    half = SIDE // 2
    d2 = d_grouped.reshape(n, C2, half, half, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(planes2.shape)
    d2 = np.where(planes2 > 0, d2, 0).transpose(0, 2, 3, 1).reshape(-1, C2)
    d1 = unpatch(d2 @ w2.reshape(C2, -1), n, C1)
    d1 = np.where(planes1 > 0, d1, 0).transpose(0, 2, 3, 1).reshape(-1, C1)
    return [
        (d1.T @ seen1).reshape(w1.shape), d1.sum(axis=0),
        (d2.T @ seen2).reshape(w2.shape), d2.sum(axis=0),
        d_out.T @ flat, d_out.sum(axis=0),
    ]  # fmt: skip


def quantize(values: list[Float], pictures: Int) -> Network:
    """8-bit weights, layer by layer: the largest one becomes ±127, and the shift is the smallest that keeps
    (nearly) all activations of these pictures below 128."""
    weights, biases, shifts = [], [], []
    scale = float(TOP)  # what 1.0 in the layer's input became
    planes: NDArray[Any] = pictures[:, None]
    for layer in range(3):
        weight, bias = values[2 * layer], values[2 * layer + 1]
        step = TOP / float(np.abs(weight).max())
        scale *= step
        weights.append(np.rint(weight * step).astype(np.int64))
        biases.append(np.rint(bias * scale).astype(np.int64))
        if layer < 2:
            sums = np.maximum(convolved(patches(planes), weights[layer], biases[layer]), 0)
            shift = max(0, int(np.ceil(np.log2(np.percentile(sums, 99.99) / TOP))))
            planes = np.minimum((sums + (1 << shift >> 1)) >> shift, TOP)
            scale /= 1 << shift
            shifts.append(shift)
    return Network(biases=tuple(biases), weights=tuple(weights), shifts=tuple(shifts))  # type: ignore[arg-type]


def accuracy(network: Network, pictures: Int, labels: Int) -> float:
    return float((logits(network, pictures).argmax(axis=1) == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the network of classify.")
    parser.add_argument("--test", action="store_true", help="only report on the weights that are there")
    options = parser.parse_args()
    seen, seen_labels, held_out, labels = digits()
    path = HERE / WEIGHTS
    if not options.test:
        path.write_bytes(quantize(train(seen, seen_labels), seen).encode())
    network = Network.decode(path.read_bytes())
    print(f"{path.name}: {path.stat().st_size} bytes, shifts {network.shifts}")
    print(f"accuracy on {len(seen)} pictures trained with: {accuracy(network, seen, seen_labels):.4f}")
    print(f"accuracy on {len(held_out)} pictures held out: {accuracy(network, held_out, labels):.4f}")


if __name__ == "__main__":
    main()
