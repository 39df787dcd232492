"""What someone who knows NumPy would write by hand: the peer that everything in the benchmark is measured by."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from _benchmark_data import BATCH, HIDDEN, LR, Data
from _benchmark_measuring import now

Floats = list[list[float]]


class NumpyByHand:
    """What someone who knows NumPy would write, in float64."""

    def __init__(self, data: Data, images: int, hidden: int = HIDDEN, batch: int | None = BATCH) -> None:
        self.np = importlib.import_module("numpy")
        self.x, self.y = pixels(data.X[:images]), self.np.array(data.y[:images])
        self.test = data.X_test, data.y_test
        self.start(hidden, batch, len(data.classes))

    @classmethod
    def on_arrays(cls, x: Any, y: Any, classes: int) -> NumpyByHand:
        self = cls.__new__(cls)
        self.np, self.x, self.y = importlib.import_module("numpy"), x, y
        self.start(HIDDEN, BATCH, classes)
        return self

    def start(self, hidden: int, batch: int | None, classes: int) -> None:
        np, (self.images, inputs) = self.np, self.x.shape
        self.batch = batch or self.images
        self.rng = np.random.default_rng(0)
        self.w1 = self.rng.uniform(-1, 1, (inputs, hidden)) * np.sqrt(6 / inputs)
        self.w2 = self.rng.uniform(-1, 1, (hidden, classes)) * np.sqrt(6 / hidden)
        self.b1, self.b2 = np.zeros(hidden), np.zeros(classes)

    def epoch(self) -> float:
        start, order = now(), self.rng.permutation(self.images)
        for first in range(0, self.images, self.batch):
            i = order[first : first + self.batch]
            self.step(self.x[i], self.y[i])
        return now() - start

    def step(self, x: Any, y: Any) -> None:
        np = self.np
        z = x @ self.w1 + self.b1
        a = np.maximum(z, 0)
        o = a @ self.w2 + self.b2
        p = np.exp(o - o.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        p /= len(y)
        dz = (p @ self.w2.T) * (z > 0)
        self.w2 -= LR * (a.T @ p)
        self.b2 -= LR * p.sum(0)
        self.w1 -= LR * (x.T @ dz)
        self.b1 -= LR * dz.sum(0)

    def accuracy(self) -> float:
        a = self.np.maximum(pixels(self.test[0]) @ self.w1 + self.b1, 0)
        return float(((a @ self.w2 + self.b2).argmax(1) == self.test[1]).mean())


class NumpyLoop:
    """A convolution as one writes it first in NumPy: a loop over the output's pixels, and over the filters in it."""

    def __init__(self, rows: Sequence[bytes], side: int, weight: Floats, gradient: Floats) -> None:
        np = importlib.import_module("numpy")
        self.np = np
        self.images = np.array([list(row) for row in rows]).reshape(-1, side, side) / 255.0
        self.weight = np.array(weight).T.reshape(-1, 3, 3)
        self.gradient = np.array(gradient).reshape(len(rows), len(self.weight), side - 2, side - 2)

    def forward(self) -> Any:
        result = self.np.empty_like(self.gradient)
        for image, output in zip(self.images, result):
            for y in range(output.shape[1]):
                for x in range(output.shape[2]):
                    for f, kernel in enumerate(self.weight):
                        output[f, y, x] = (image[y : y + 3, x : x + 3] * kernel).sum()
        return result

    def weights(self) -> Any:
        result = self.np.zeros_like(self.weight)
        for image, gradient in zip(self.images, self.gradient):
            for y in range(gradient.shape[1]):
                for x in range(gradient.shape[2]):
                    for f in range(len(result)):
                        result[f] += gradient[f, y, x] * image[y : y + 3, x : x + 3]
        return result


def pixels(rows: Sequence[bytes]) -> Any:
    """The rows as a NumPy array of float64 between 0 and 1."""
    np = importlib.import_module("numpy")
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1) / 255.0


def train_numpy(images: str, labels: str, epochs: str) -> None:
    """The same, as a NumPy program."""
    import numpy as np

    y = np.fromfile(labels, np.uint8, offset=8).astype(int)
    x = np.fromfile(images, np.uint8, offset=16).reshape(len(y), -1) / 255.0
    program = NumpyByHand.on_arrays(x, y, int(y.max()) + 1)
    for _ in range(int(epochs)):
        program.epoch()
