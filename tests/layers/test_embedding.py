"""Embedding: whole numbers become rows of a table that learns, on every engine; other numbers are refused by place."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    BatchNorm,
    Callback,
    DataError,
    Dropout,
    Embedding,
    Linear,
    LogSoftmax,
    Model,
    ModelFileError,
    Residual,
    Sequential,
    Tanh,
    gradcheck,
    grid_search,
)
from scratchnn.engines.finding import find_engine
from scratchnn.engines.lanes.engine import Lanes
from scratchnn.saving import records

RNG = Random(6)
WORDS = [[RNG.randrange(8) for _ in range(3)] for _ in range(48)]
Y = [int(row[0] % 2 == row[1] % 2) for row in WORDS]


def made(engine: str = "linalg", **more: Any) -> Model:
    layers = [Embedding(8, 4), Linear(12, 16), Tanh(), Linear(16, 2)]
    return Model.from_layers(layers, **{"engine": engine, "seed": 1, **more})


def test_rows_of_the_table_one_after_the_other(engine: str) -> None:
    layer = Embedding(3, 2)
    table = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    layer.weight.value = table
    layer.use(find_engine(engine))
    ops = layer.ops
    assert ops.to_rows(layer.forward(ops.from_rows([[2.0, 0.0], [1.0, 1.0]]))) == [
        [5.0, 6.0, 1.0, 2.0],
        [3.0, 4.0, 3.0, 4.0],
    ]
    gradient = [[1.0, 0.0, 0.5, 0.5], [2.0, 1.0, 4.0, 1.0]]
    assert layer.backward(ops.from_rows(gradient)) is None
    assert ops.to_rows(layer.weight.gradient) == [[0.5, 0.5], [6.0, 2.0], [1.0, 0.0]]
    layer.trainable = False
    layer.backward(ops.from_rows(gradient))
    assert layer.weight.gradient is None


def test_the_table_has_mean_0_and_variance_1() -> None:
    (weight,) = Embedding(300, 100, rng=Random(0)).parameters()
    numbers = [v for row in weight.value for v in row]
    # 30 000 uniform draws: the mean is within 5 standard errors of 1/√n, the variance of 0.9/√n
    assert sum(numbers) / 30_000 == pytest.approx(0.0, abs=5 / math.sqrt(30_000))
    assert sum(v * v for v in numbers) / 30_000 == pytest.approx(1.0, abs=5 * 0.9 / math.sqrt(30_000))


def test_gradients_are_those_of_the_numerical_slopes() -> None:
    report = gradcheck.check_layer(Embedding(5, 3, rng=Random(1)), [[0, 4, 2], [2, 2, 1]])
    assert report.ok, report
    assert report.entries == 15
    report = gradcheck.check_model(made(), WORDS[:6], Y[:6])
    assert report.ok, report
    assert report.entries == made().parameter_count


def test_it_learns_what_no_straight_line_can_tell(engine: str) -> None:
    model = made(engine)
    model.fit(WORDS, Y, epochs=30, batch_size=8)
    assert model.score(WORDS, Y) == 1.0
    assert model.predict([bytes(row) for row in WORDS]) == model.predict(WORDS)
    mixed = [bytes(row) if i % 2 else row for i, row in enumerate(WORDS)]
    assert model.predict(mixed) == model.predict(WORDS)


def test_engines_agree() -> None:
    pytest.importorskip("numpy")
    losses = [made(engine).fit(WORDS, Y, epochs=5).loss for engine in ["linalg", "lanes", "numpy"]]
    assert losses[2] == pytest.approx(losses[0], rel=1e-9)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize("learning", [False, True])
def test_lanes_look_whole_numbers_up_that_no_small_int_holds(learning: bool) -> None:
    """While learning, rows of data are rounded to a few bits where they are multiplied; a name of a row never is."""
    ops = Lanes()
    rows = [[3.0, 300_001.0], [299_999.0, 7.0]]
    prepared = ops.prepare(rows)
    if learning:
        ops = ops.tuned_for(prepared, 2)
    table = ops.from_rows([[float(i)] for i in range(300_002)])
    assert ops.to_rows(ops.look_up(ops.take_rows(prepared, [0, 1]), table)) == rows


def test_the_shape_of_a_sample_is_read_off_the_first_linear() -> None:
    assert made().input_shape == (3,)
    assert made().network.output_shape((3,)) == (2,)
    assert Model.from_layers([Embedding(4, 2), LogSoftmax()], input_shape=1, loss="nll").output_size == 2


def test_whole_numbers_are_not_scaled() -> None:
    model = made()
    rows = [[100 + (i * k) % 120 for k in range(20)] for i in range(9)]
    model = Model.from_layers([Embedding(256, 2), Linear(40, 3)])  # they would pass for pixels
    model.fit(rows, [i % 3 for i in range(9)], epochs=1)
    assert model.scaling is not None and model.scaling.kind == "none"
    for scaling in ("standard", "pixels"):
        with pytest.raises(ValueError, match=rf"scaling '{scaling}' would change the whole numbers that Embedding\("):
            made(scaling=scaling)
    assert made(scaling="none").schema == made().schema


@pytest.mark.parametrize(
    ("wrong", "shown"), [(8, "8"), (-1, "-1"), (2.5, "2.5"), (1e300, r"1e\+300"), (-0.25, "-0.25")]
)
def test_a_number_that_names_no_row_is_told_with_its_place(engine: str, wrong: Any, shown: str) -> None:
    model = made(engine)
    model.fit(WORDS, Y, epochs=1)
    weights = model.weights
    rows = [list(row) for row in WORDS]
    rows[40][1] = wrong
    message = rf"row 40, column 1 must be a whole number from 0 to 7 for Embedding\(count=8, features=4\), got {shown}"
    for act in (model.predict, model.predict_proba, lambda X: model.score(X, Y), lambda X: model.evaluate(X, Y)):
        with pytest.raises(DataError, match=f"X: {message}"):
            act(rows)
    for fitted in (model, made(engine)):
        with pytest.raises(DataError, match=f"X: {message}"):
            fitted.fit(rows, Y, epochs=1)
    with pytest.raises(DataError, match=f"X of validation_data: {message}"):
        model.fit(WORDS, Y, epochs=1, validation_data=(rows, Y))
    with pytest.raises(DataError, match=f"rows: {message}"):
        model.network(rows)
    assert model.weights == weights


def test_it_stands_first() -> None:
    for layers in (
        [Linear(3, 3), Embedding(4, 2), Linear(6, 2)],
        [Dropout(0.5), Embedding(4, 2), Linear(6, 2)],
        [Sequential([Embedding(4, 2), Embedding(4, 1)]), Linear(6, 2)],
    ):
        with pytest.raises(ValueError, match=r"Embedding\(.*\) must be the first layer"):
            Model.from_layers(layers, input_shape=3)
    with pytest.raises(ValueError, match=r"Embedding\(.*\) cannot stand in Residual"):
        Residual([Embedding(4, 1)])
    for first in ([Embedding(8, 2)], [Sequential([]), Sequential([Embedding(8, 2)])]):
        model = Model.from_layers([*first, BatchNorm(6), Linear(6, 2)], input_shape=3)
        model.fit(WORDS, Y, epochs=1)
        with pytest.raises(DataError, match="row 0, column 2"):
            model.predict([[0, 1, 8]])


def test_saved_copied_frozen_and_searched(engine: str, tmp_path: Path) -> None:
    model = made(engine)
    model.network[0].trainable = False
    before = model.weights[0]
    model.fit(WORDS, Y, epochs=1)
    assert model.weights[0] == before
    model.network[0].trainable = True
    model.fit(WORDS, Y, epochs=1)
    assert model.weights[0] != before
    model.save(tmp_path / "model.pkl")
    for again in (Model.load(tmp_path / "model.pkl", engine=engine), copy.deepcopy(model)):
        assert again.predict_proba(WORDS) == model.predict_proba(WORDS)
        assert again.weights == model.weights
    table = model.network[0].copy()
    other = Model.from_layers([table, Linear(12, 2)], engine=engine)
    assert other.weights[0] == model.weights[0]
    found = grid_search(WORDS, Y, {"lr": [0.1, 0.2]}, fit={"epochs": 1}, folds=2, build=lambda: made(engine))
    assert [row.error for row in found.rows] == ["", ""]


def test_a_run_is_resumed_to_the_same_bytes(engine: str, tmp_path: Path) -> None:
    class Stops(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            model.stop_training = (run.epoch, run.batch) == (2, 3)

    whole, path = made(engine), tmp_path / "run"
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "momentum": 0.9}
    whole.fit(WORDS, Y, **settings)
    made(engine).fit(WORDS, Y, checkpoint=path, callbacks=[Stops()], **settings)
    resumed = made(engine)

    class Never(Stops):
        def on_batch_end(self, model: Any, run: Any) -> None:
            pass

    Never.__name__ = "Stops"
    resumed.fit(WORDS, Y, checkpoint=path, resume=True, callbacks=[Never()], **settings)
    assert resumed.weights == whole.weights


@pytest.mark.parametrize("size", [0, -3, 2.5, "4", True, None, 1 << 60])
def test_sizes(size: Any) -> None:
    with pytest.raises(ValueError, match="count of Embedding m"):
        Embedding(size, 3)
    with pytest.raises(ValueError, match="features of Embedding m"):
        Embedding(3, size)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    model = made()
    model.fit(WORDS, Y, epochs=1)
    model.save(path)
    whole = records.load(path)
    first, *others = whole["layers"]
    scaled = {"scaling_kind": "standard", "scaling": {"kind": "standard", "means": [0.0] * 3, "deviations": [1.0] * 3}}
    for change in (
        {"layers": [{**first, "count": 9}, *others]},
        {"layers": [{**first, "count": 1 << 30, "features": 1 << 30}, *others]},
        {"layers": [{**first, "count": 8.0}, *others]},
        {"layers": [{"kind": "Embedding", "count": 8}, *others]},
        {"layers": [*others[:1], first]},
        scaled,
        {**scaled, "scaling_kind": "auto"},
    ):
        records.save(path, {**whole, **change})
        with pytest.raises(ModelFileError):
            Model.load(path)
