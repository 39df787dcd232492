"""Tiny networks of the engine lanes: floats, rounded once, and otherwise the same models."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import Conv2D, Embedding, Flatten, Linear, Model, ReLU, TrainingDiverged
from scratchnn.engines import short_rows
from scratchnn.engines.lanes.engine import Lanes
from scratchnn.engines.lists import LISTS
from scratchnn.engines.short_rows import SHORT_ROWS, ShortRows
from tests.conftest import MOST_WEIGHTS

X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
Y = [0, 1, 1, 0]


@pytest.fixture(autouse=True)
def as_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit that users have."""
    monkeypatch.setattr(short_rows, "MOST_WEIGHTS", MOST_WEIGHTS)


def engine_of(model: Model) -> Any:
    return model.inference.engine


def test_few_weights_are_for_floats_and_more_of_them_for_lanes() -> None:
    assert engine_of(Model(2, 8, 2)) is SHORT_ROWS
    assert engine_of(Model(4, 3, 2, engine="lanes")) is SHORT_ROWS
    assert engine_of(Model(3, [], 40)) is SHORT_ROWS  # 120 weights and 40 biases
    assert type(engine_of(Model(3, [], 41))) is Lanes
    assert type(engine_of(Model.from_layers([Embedding(100, 2), Linear(2, 2)], input_shape=1))) is Lanes


def test_images_and_engines_that_are_asked_for_stay_what_they_are() -> None:
    image = Model.from_layers([Conv2D(1, 1, 2), ReLU(), Flatten(), Linear(4, 2)], input_shape=(1, 3, 3))
    assert type(engine_of(image)) is Lanes
    assert type(engine_of(Model(2, 8, 2, engine=Lanes()))) is Lanes
    assert engine_of(Model(2, 8, 2, engine="linalg")) is LISTS


def test_a_model_says_that_its_engine_is_lanes() -> None:
    model = Model(2, 8, 2)
    assert model.engine == "lanes" and "engine='lanes'" in repr(model) and repr(SHORT_ROWS) == "lanes"


def test_a_tiny_network_learns_is_saved_and_goes_on(tmp_path: Path) -> None:
    model = Model(2, 8, 2, seed=1)
    model.fit(X, Y, epochs=200, lr=0.3, batch_size=4)
    assert model.score(X, Y) == 1.0
    model.save(tmp_path / "xor.pkl")
    loaded = Model.load(tmp_path / "xor.pkl")
    assert engine_of(loaded) is SHORT_ROWS
    assert loaded.predict_proba(X) == model.predict_proba(X)
    once = loaded.fit(X, Y, epochs=3).loss
    assert copy.deepcopy(loaded).predict(X) == Y and math.isfinite(once[-1])
    other = Model.load(tmp_path / "xor.pkl", engine=Lanes())
    for row, expected in zip(other.predict_proba(X), model.predict_proba(X)):
        assert row == pytest.approx(expected, abs=1e-4)


def test_a_run_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    for epochs in (2, 6):
        part = Model(2, 8, 2, seed=2)
        part.fit(X, Y, epochs=epochs, checkpoint=tmp_path / "part.ckpt", resume=epochs > 2, schedule=None)
    straight = Model(2, 8, 2, seed=2)
    straight.fit(X, Y, epochs=6, schedule=None)
    assert part.weights == straight.weights


def test_the_engine_is_one_and_the_same_after_copies() -> None:
    assert copy.deepcopy(SHORT_ROWS) is SHORT_ROWS and pickle.loads(pickle.dumps(SHORT_ROWS)) is SHORT_ROWS


@given(st.integers(0, 2**32))
def test_products_are_rounded_once(seed: int) -> None:
    rng = Random(seed)
    rows, inner, columns = (rng.randrange(1, 6) for _ in range(3))

    def drawn(r: int, c: int) -> list[list[float]]:
        return [[rng.gauss(0.0, 1.0) * 10.0 ** rng.randrange(-8, 9) for _ in range(c)] for _ in range(r)]

    def exactly(m: list[list[float]], n: list[list[float]]) -> list[list[float]]:
        """Sums of products that are rounded, each sum then rounded once."""
        return [[float(sum(Fraction(p * q) for p, q in zip(row, column))) for column in zip(*n)] for row in m]

    a, b, bias = drawn(rows, inner), drawn(inner, columns), drawn(1, columns)
    ops = ShortRows()
    product = exactly(a, b)
    assert ops.matmul(a, b) == product
    assert ops.matmul_nt(a, [list(column) for column in zip(*b)]) == product
    assert ops.matmul_tn([list(column) for column in zip(*a)], b) == product
    assert ops.affine(a, b, bias) == [[v + w for v, w in zip(row, bias[0])] for row in product]


@pytest.mark.parametrize("row", [[math.inf, -math.inf], [1e200, 1e200], [1e308, 1e308]])
def test_numbers_that_run_away_come_out_again(row: list[float]) -> None:
    (result,) = SHORT_ROWS.matmul([row], [[1e200], [-1e200]])[0]
    assert not math.isfinite(result)


def test_a_tiny_network_that_diverges_says_so() -> None:
    X = [[float(i % 7), float(i % 5), float(i % 3)] for i in range(40)]
    model = Model(3, [6, 6], task="regression")
    with pytest.raises(TrainingDiverged):
        model.fit(X, [sum(row) for row in X], epochs=5, lr=1e200, batch_size=8)


def test_workers_are_told_that_they_do_not_pay() -> None:
    alone, shared = Model(2, 8, 2, seed=3), Model(2, 8, 2, seed=3)
    alone.fit(X, Y, epochs=2)
    with pytest.warns(RuntimeWarning, match="do not pay"):
        shared.fit(X, Y, epochs=2, workers=2)
    assert shared.weights == alone.weights
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Model(2, 8, 2).fit(X, Y, epochs=1, workers=1)
