"""Rows alone and in company: random networks are asked about rows one by one, together, and in another order.

What a model says of a row must be the same to the last bit. ``python -m tests.soak rows_in_company`` does so for
thousands of networks. Relies on nothing but scratchnn.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from random import Random
from typing import Any

from scratchnn import (
    ELU,
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Model,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)

COUNT = 12


def rows_of_every_kind(rng: Random, width: int) -> list[Any]:
    """Rows of every kind: pixels, whole numbers, numbers of any size, zeros, one enormous cell, numbers far apart."""
    kind = rng.choice(["bytes", "ints", "floats", "floats", "mixed", "both"])
    rows: list[Any] = []
    for _ in range(COUNT):
        if kind == "bytes" or (kind == "both" and rng.random() < 0.5):
            rows.append(bytes(rng.choice([0, 0, rng.randrange(256)]) for _ in range(width)))
            continue
        size = 10.0 ** rng.choice([0, 0, 0, 1, -6, 6])
        row = [rng.choice([0.0, 1.0, 1.0]) * rng.gauss(0.0, 1.0) * size for _ in range(width)]
        if kind == "ints":
            row = [float(round(v)) for v in row]
        if kind == "mixed" and rng.random() < 0.3:
            row = rng.choice([[0.0] * width, [v * 10.0 ** rng.uniform(-9, 9) for v in row]])
            row[rng.randrange(width)] = rng.choice([-999999.0, 1e9, 1e40, -1e-40])
        rows.append(row)
    return rows


class Doubled(Layer):
    """A layer of one's own, written with sums of batches."""

    def forward(self, x: Any) -> Any:
        return self.ops.add_scaled(self.ops.add(x, self.ops.scale(x, -0.3)), self.ops.map(abs, x), 0.7)

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return gradient


ACTIVATIONS = [Tanh, Sigmoid, LeakyReLU, Softmax, GELU, SiLU, ELU, Softplus, Doubled]


def residual(features: int) -> Layer:
    return Residual([Linear(features, 4), Tanh(), Linear(4, features)])


def dense_layers(rng: Random, inputs: int) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(rng.randrange(4)):
        outputs = rng.choice([1, 3, 8, 30])
        activation = rng.choice([*[ReLU] * 4, *ACTIVATIONS, lambda: Dropout(0.5)])
        layers += [Linear(inputs, outputs), activation()]
        if rng.random() < 0.4:
            layers.append(rng.choice([LayerNorm, BatchNorm, residual])(outputs))
        inputs = outputs
    return [*layers, Linear(inputs, 3), *rng.choice([[], [LogSoftmax()], [Sequential([ReLU(), Linear(3, 3)])]])]


def image_layers(rng: Random, channels: int, side: int) -> list[Layer]:
    filters, stride = rng.choice([1, 3, 8]), rng.choice([1, 2])
    layers: list[Layer] = [Conv2D(channels, filters, rng.choice([1, 2, 3]), stride=stride, padding=rng.choice([0, 1]))]
    beside = Residual([Conv2D(filters, filters, 3, padding=1)])
    between = [ReLU(), MaxPool2D(2), AvgPool2D(2, 1), Tanh(), Conv2D(filters, filters, 2), BatchNorm(filters), beside]
    layers += rng.sample(between, k=2)
    network = Sequential([*layers, Flatten()])
    (width,) = network.output_shape((channels, side, side))
    return [network, *dense_layers(rng, width)]


def random_model(rng: Random, images: bool, engine: Any) -> tuple[Model, int]:
    while True:
        shape = (rng.choice([1, 2]), 7, 7) if images else (rng.choice([1, 2, 9, 40]),)
        try:
            layers = image_layers(rng, shape[0], 7) if images else dense_layers(rng, shape[0])
        except ValueError:  # a window that does not fit
            continue
        scaling = rng.choice(["none", "standard"])
        model = Model.from_layers(layers, input_shape=shape, seed=rng.randrange(9), engine=engine, scaling=scaling)
        return model, math.prod(shape)


def all_that_is_said(model: Model, rows: list[Any]) -> list[tuple[Any, ...]]:
    return list(zip(model.predict(rows), map(tuple, model.predict_proba(rows))))


def check_rows_alone(rng: Random, images: bool, engine: str) -> None:
    model, width = random_model(rng, images, engine)
    training = [[rng.gauss(0.0, 1.0) for _ in range(width)] for _ in range(9)]
    model.fit(training, [0, 1, 2] * 3, epochs=1, lr=1e-3)
    rows = rows_of_every_kind(rng, width)
    alone = [all_that_is_said(model, [row])[0] for row in rows]
    assert all_that_is_said(model, rows) == alone
    order = rng.choices(range(COUNT), k=rng.choice([2, 5, 30]))
    assert all_that_is_said(model, [rows[i] for i in order]) == [alone[i] for i in order]
    for i in order[:3]:
        loss, accuracy = model.evaluate([rows[i]], [0])
        again, share = model.evaluate([rows[i], rows[i]], [0, 0])
        assert (again, share) == (loss, accuracy)


def rows_in_company(folder: Path, count: int = 3_000, seed: int = 0) -> str:
    """Random networks of all layers on both engines, each asked about rows of every kind."""
    rng = Random(seed)
    for number in range(count):
        engine, images, network = rng.choice(["lanes", "linalg"]), rng.random() < 0.4, rng.randrange(1 << 32)
        try:
            check_rows_alone(Random(network), images, engine)
        except Exception as error:
            error.args = (f"network {number}: {network}, {engine}, {'images' if images else 'rows'}: {error}",)
            raise
    return f"{count} networks, {COUNT} rows each: every answer the same to the last bit, alone and in company"


if __name__ == "__main__":
    sys.stdout.write(globals()[sys.argv[1]](Path(sys.argv[2]), **json.loads(sys.argv[3])) + "\n")
