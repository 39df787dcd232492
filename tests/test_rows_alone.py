"""What a model says of a row never depends on the rows beside it: not on one bit of it.

A property over all layers, on both engines: rows are predicted one by one, in random company, in another order and in
chunks of other sizes, with a row of enormous or of tiny numbers, or of zeros, among them. Validation and ``evaluate``
go the same way, and are held to it by their sums. Relies on hypothesis.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import (
    AvgPool2D,
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from scratchnn.engine import ENGINES

engines = st.sampled_from(ENGINES)
COUNT = 12


def random_rows(rng: Random, width: int) -> list[Any]:
    """Rows of every kind: pixels, whole numbers, numbers of any size, zeros, one enormous cell, numbers far apart."""
    kind = rng.choice(["bytes", "ints", "floats", "floats", "mixed"])
    rows: list[Any] = []
    for _ in range(COUNT):
        if kind == "bytes":
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


def dense_layers(rng: Random, inputs: int) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(rng.randrange(4)):
        outputs = rng.choice([1, 3, 8, 30])
        activation = rng.choice([ReLU, ReLU, Tanh, Sigmoid, LeakyReLU, Softmax, Doubled, lambda: Dropout(0.5)])
        layers += [Linear(inputs, outputs), activation()]
        inputs = outputs
    return [*layers, Linear(inputs, 3), *rng.choice([[], [LogSoftmax()], [Sequential([ReLU(), Linear(3, 3)])]])]


def image_layers(rng: Random, channels: int, side: int) -> list[Layer]:
    filters, stride = rng.choice([1, 3, 8]), rng.choice([1, 2])
    layers: list[Layer] = [Conv2D(channels, filters, rng.choice([1, 2, 3]), stride=stride, padding=rng.choice([0, 1]))]
    layers += rng.sample([ReLU(), MaxPool2D(2), AvgPool2D(2, 1), Tanh(), Conv2D(filters, filters, 2)], k=2)
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
    rows = random_rows(rng, width)
    alone = [all_that_is_said(model, [row])[0] for row in rows]
    assert all_that_is_said(model, rows) == alone
    order = rng.choices(range(COUNT), k=rng.choice([2, 5, 30]))
    assert all_that_is_said(model, [rows[i] for i in order]) == [alone[i] for i in order]
    for i in order[:3]:
        loss, accuracy = model.evaluate([rows[i]], [0])
        again, share = model.evaluate([rows[i], rows[i]], [0, 0])
        assert (again, share) == (loss, accuracy)


@given(engines, st.integers(0, 2**32))
def test_a_row_gets_the_same_answer_alone_and_in_any_company(engine: str, seed: int) -> None:
    check_rows_alone(Random(seed), False, engine)


@given(engines, st.integers(0, 2**32))
def test_an_image_gets_the_same_answer_alone_and_in_any_company(engine: str, seed: int) -> None:
    check_rows_alone(Random(seed), True, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("images", [False, True])
def test_chunks_of_any_size_give_the_same_answers(engine: str, images: bool) -> None:
    rng = Random(4)
    model, width = random_model(rng, images, engine)
    model.fit([[rng.gauss(0.0, 1.0) for _ in range(width)] for _ in range(9)], [0, 1, 2] * 3, epochs=1)
    rows = [row for _ in range(3) for row in random_rows(rng, width)]
    said = all_that_is_said(model, rows)
    for size in (1, 2, 7, 1000):
        model.rows_at_once = size
        assert all_that_is_said(model, rows) == said


@pytest.mark.parametrize("cell", [-999999.0, 1e4, 1e7, 1e40, 1e-40])
def test_one_wild_cell_costs_one_row(cell: float) -> None:
    rng = Random(1)
    X = [[rng.gauss(i % 3 - 1, 0.5), rng.gauss(i % 2, 1.0)] for i in range(300)]
    y = [i % 3 for i in range(300)]
    model = Model(2, 20, 3, seed=1)
    model.fit(X, y, epochs=10)
    right = round(300 * model.score(X, y))
    assert right > 240
    assert round(301 * model.score([*X, [0.0, cell]], [*y, 0])) in (right, right + 1)


@pytest.mark.parametrize("cell", [1e4, 1e7, 1e9])
def test_a_wild_row_does_not_pin_the_validation_figures(cell: float) -> None:
    # With one wild row among them, the other rows' share of the accuracy is what it is without.
    rng = Random(2)
    X = [[rng.gauss(i % 2, 0.5), rng.gauss(0.0, 1.0)] for i in range(200)]
    y = [i % 2 for i in range(200)]
    clean, wild = (X[:50], y[:50]), ([*X[:50], [cell, -cell]], [*y[:50], 0])
    counts = []
    for held_out in (clean, wild):
        model = Model(2, 8, 2, seed=3)
        history = model.fit(X[50:], y[50:], epochs=4, validation_data=held_out)
        counts.append([round(v * len(held_out[1])) for v in history.validation_accuracy])
    assert all(b - a in (0, 1) for a, b in zip(*counts))
