"""What a model says of a row never depends on the rows beside it: not on one bit of it.

A property over all layers, on both engines: rows are predicted one by one, in random company, in another order and in
chunks of other sizes, with a row of enormous or of tiny numbers, or of zeros, among them. Validation and ``evaluate``
go the same way, and are held to it by their sums. Relies on hypothesis.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import Model
from tests.adversarial.company import (
    all_that_is_said,
    check_rows_alone,
    random_model,
    rows_in_company,
    rows_of_every_kind,
)

ENGINES = ["lanes", "linalg"]  # a library of arrays adds up in an order of its own, and promises less
engines = st.sampled_from(ENGINES)


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
    rows = [row for _ in range(3) for row in rows_of_every_kind(rng, width)]
    said = all_that_is_said(model, rows)
    for size in (1, 2, 7, 1000):
        model.inference.rows_at_once = size
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


def test_the_long_test_finds_what_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert rows_in_company(tmp_path, count=5).startswith("5 networks")
    predict, answers = Model.predict, iter(range(10**6))
    monkeypatch.setattr(Model, "predict", lambda model, X: [(next(answers), v) for v in predict(model, X)])
    with pytest.raises(AssertionError, match="network 0: "):
        rows_in_company(tmp_path, count=5)
