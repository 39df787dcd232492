"""Models on arrays: whatever a model can do, it does on NumPy, PyTorch and any other library, and gives what ``linalg``
gives, step by step.

float64 is held to 1e-9 of the reference after whole runs, a single row to 1e-12 of itself in company, float32 to what
seven digits allow.
"""

from __future__ import annotations

import copy
import math
import pickle
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    Adam,
    ArgumentError,
    AvgPool2D,
    Callback,
    Conv2D,
    Dropout,
    Flatten,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Model,
    ReLU,
    Sigmoid,
    Tanh,
    grid_search,
)
from scratchnn.engines.arrays import ROWS_OF_ONES, ArrayEngine
from scratchnn.errors import TrainingDiverged
from tests.engines.test_vocabulary import require_copies
from tests.plain import PLAIN
from tests.products import product


def _numpy(dtype: str = "float64") -> ArrayEngine:
    if not hasattr(pytest.importorskip("numpy"), "__array_namespace_info__"):
        pytest.importorskip("array_api_compat")
    return ArrayEngine("numpy", dtype=dtype)


def _torch(dtype: str = "float64") -> ArrayEngine:
    pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")
    return ArrayEngine("torch", dtype=dtype)


def _strict() -> ArrayEngine:
    pytest.importorskip("array_api_strict")
    return ArrayEngine(import_module("array_api_strict"))


EXACT: dict[str, Callable[[], ArrayEngine]] = {"numpy": _numpy, "torch": _torch, "array_api_strict": _strict}
SHORT: dict[str, Callable[[], ArrayEngine]] = {
    "numpy float32": lambda: _numpy("float32"),
    "torch float32": lambda: _torch("float32"),
}
on_exact = pytest.mark.parametrize("make", EXACT.values(), ids=EXACT.keys())
on_short = pytest.mark.parametrize("make", SHORT.values(), ids=SHORT.keys())
on_all = pytest.mark.parametrize("make", [*EXACT.values(), *SHORT.values()], ids=[*EXACT, *SHORT])


# --- what is learned --------------------------------------------------------------------------------------------------

RNG = Random(11)
TABLE = [[RNG.gauss(0.0, 1.0) for _ in range(5)] for _ in range(40)]
PIXELS = [bytes(RNG.randrange(256) if RNG.random() < 0.6 else 0 for _ in range(36)) for _ in range(40)]
CLASSES = ["low" if row[0] + row[1] * row[2] < 0.0 else "high" for row in TABLE]
DIGITS = [sum(row) % 3 for row in PIXELS]
VALUES = [3.0 * row[0] - 100.0 * row[1] + 7.0 for row in TABLE]
PAIRS = [[row[0], 1000.0 * row[1]] for row in TABLE]
FLAGS = [[int(row[0] > 0.0), int(row[1] > row[2])] for row in TABLE]


def images(engine: Any) -> Model:
    layers = [
        Conv2D(1, 3, 3, padding=1),
        ReLU(),
        MaxPool2D(2),
        Conv2D(3, 2, 2, stride=1),
        Tanh(),
        AvgPool2D(2),
        Flatten(),
    ]
    return Model.from_layers([*layers, Linear(2, 3)], input_shape=(1, 6, 6), engine=engine)


MODELS: dict[str, tuple[Callable[[Any], Model], Any, Any]] = {
    "classifier": (lambda engine: Model(5, 7, 2, engine=engine), TABLE, CLASSES),
    "one output": (lambda engine: Model(5, [6, 4], 1, activation="tanh", engine=engine), TABLE, CLASSES),
    "pixels": (lambda engine: Model(36, 8, 3, activation="leaky_relu", engine=engine), PIXELS, DIGITS),
    "regression": (lambda engine: Model(5, 6, 1, task="regression", engine=engine), TABLE, VALUES),
    "several values": (
        lambda engine: Model(5, 6, 2, task="regression", activation="sigmoid", engine=engine),
        TABLE,
        PAIRS,
    ),
    "multilabel": (lambda engine: Model(5, 6, 2, task="multilabel", engine=engine), TABLE, FLAGS),
    "dropout": (lambda engine: Model(5, 9, 2, dropout=0.3, engine=engine), TABLE, CLASSES),
    "log-softmax": (
        lambda engine: Model.from_layers(
            [Linear(5, 4), Dropout(0.2), Linear(4, 2), LogSoftmax()], loss="nll", engine=engine
        ),
        TABLE,
        CLASSES,
    ),
    "binary cross-entropy": (
        lambda engine: Model.from_layers([Linear(5, 1), Sigmoid()], loss="bce", engine=engine),
        TABLE,
        CLASSES,
    ),
    "images": (images, PIXELS, DIGITS),
}
every_model = pytest.mark.parametrize(("build", "X", "y"), MODELS.values(), ids=MODELS.keys())

HOW: dict[str, dict[str, Any]] = {
    "the usual": {},
    "plain": dict(PLAIN),
    "nesterov": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    "adam": {"optimizer": "adam", "weight_decay": 0.01},
    "clipped": {"clip_norm": 0.05},
    "weighted": {"sample_weight": [1.0 + i % 3 for i in range(40)]},
    "balanced": {"class_weight": "balanced"},
    "plateau": {"schedule": "plateau", "validation_split": 0.2},
    "full batch": {"batch_size": None, "lr": 0.5},
}


def flat(rows: list[Any]) -> list[float]:
    """The numbers of a list of rows, or of numbers."""
    return [v for row in rows for v in (row if type(row) is list else [row])]


class Steps(Callback):  # type: ignore[misc]
    """The loss so far and all weights, after every batch."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.weights: list[Any] = []

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.losses.append(run.loss)
        self.weights.append([v for part in model.weights for v in flat(part)])


def steps_of(build: Callable[[Any], Model], engine: Any, X: Any, y: Any, **how: Any) -> tuple[Steps, Model]:
    steps, model = Steps(), build(engine)
    model.fit(X, y, callbacks=[steps], **{"epochs": 2, "batch_size": 16, **how})
    return steps, model


def assert_same_steps(build: Any, engine: Any, X: Any, y: Any, within: float, **how: Any) -> None:
    (found, model), (wanted, reference) = (steps_of(build, e, X, y, **how) for e in (engine, "linalg"))
    assert found.losses == pytest.approx(wanted.losses, rel=within, abs=within)
    for a, b in zip(found.weights, wanted.weights):
        assert a == pytest.approx(b, rel=within, abs=within)
    assert model.history.accuracy == reference.history.accuracy
    assert model.history.validation_loss == pytest.approx(reference.history.validation_loss, rel=within)
    assert model.score(X, y) == pytest.approx(reference.score(X, y), rel=within)
    assert model.evaluate(X, y)[0] == pytest.approx(reference.evaluate(X, y)[0], rel=within)


@on_exact
@every_model
def test_every_step_is_that_of_the_reference(make: Any, build: Any, X: Any, y: Any) -> None:
    assert_same_steps(build, make(), X, y, 1e-9)


@on_exact
@pytest.mark.parametrize("how", HOW.values(), ids=HOW.keys())
def test_every_step_is_that_of_the_reference_however_it_learns(make: Any, how: dict[str, Any]) -> None:
    assert_same_steps(*[MODELS["classifier"][0], make()], TABLE, CLASSES, 1e-9, **how)


@on_short
@every_model
def test_short_numbers_follow_the_reference(make: Any, build: Any, X: Any, y: Any) -> None:
    (found, model), (wanted, _) = (steps_of(build, e, X, y) for e in (make(), "linalg"))
    assert found.losses == pytest.approx(wanted.losses, rel=1e-3)
    assert found.weights[-1] == pytest.approx(wanted.weights[-1], rel=1e-2, abs=1e-3)
    assert all(math.isfinite(v) for v in found.weights[-1])
    assert len(model.predict(X)) == len(X)


# --- what a model can do ----------------------------------------------------------------------------------------------


def answers(model: Model, X: Any) -> Any:
    return model.predict_proba(X) if model.task != "regression" else model.predict(X)


@on_all
@every_model
def test_a_saved_model_answers_as_before(make: Any, build: Any, X: Any, y: Any, tmp_path: Path) -> None:
    model = build(make())
    model.fit(X, y, epochs=1)
    model.save(tmp_path / "model.pkl")
    loaded = Model.load(tmp_path / "model.pkl", engine=make())
    assert loaded.weights == model.weights
    assert loaded.engine == model.engine
    assert answers(loaded, X) == answers(model, X)
    assert loaded.predict(X) == model.predict(X)


@on_all
@pytest.mark.parametrize("name", ["classifier", "images"])
@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
def test_a_copied_model_learns_on_as_the_first(make: Any, name: str, again: Any) -> None:
    build, X, y = MODELS[name]
    model = build(make())
    if model.engine == "array_api_strict":
        require_copies()
    model.fit(X, y, epochs=1)
    other = again(model)
    assert answers(other, X) == answers(model, X)
    model.fit(X, y, epochs=1)
    assert answers(other, X) != answers(model, X)
    other.fit(X, y, epochs=1)
    assert answers(other, X) == answers(model, X)


@on_all
def test_parts_are_learned_from_one_after_the_other(make: Any) -> None:
    models = [Model(5, 6, 2, engine=engine) for engine in (make(), "linalg")]
    for model in models:
        for first in range(0, 40, 10):
            model.partial_fit(TABLE[first : first + 10], CLASSES[first : first + 10], classes=["high", "low"])
    found, wanted = (model.predict_proba(TABLE) for model in models)
    within = 1e-9 if models[0].ops.dtype == "float64" else 1e-3
    assert found == [pytest.approx(row, abs=within) for row in wanted]


@on_exact
def test_labels_tell_how_many_outputs_there_are(make: Any) -> None:
    model = Model(36, 4, engine=make())
    model.fit(PIXELS, DIGITS, epochs=1)
    assert model.output_size == 3
    assert isinstance(model.ops, ArrayEngine)


@on_exact
def test_arrays_of_numpy_are_learned_from(make: Any, np: Any) -> None:
    models = [Model(5, 4, 2, engine=make()) for _ in range(2)]
    models[0].fit(np.array(TABLE), np.array(CLASSES), epochs=1)
    models[1].fit(TABLE, CLASSES, epochs=1)
    assert models[0].weights == models[1].weights
    assert list(models[0].predict(np.array(TABLE))) == models[1].predict(TABLE)


def test_a_search_may_choose_among_engines() -> None:
    _torch()
    grid = {"engine": ["numpy", "torch", "linalg", ArrayEngine("numpy")], "hidden_size": [3]}
    result = grid_search(TABLE, CLASSES, grid, folds=2, fit={"epochs": 2})
    assert len({round(row.mean, 9) for row in result.rows}) == 1
    assert len(result.rows) == 4
    assert all(row.mean > 0.5 for row in result.rows)


# --- moving -----------------------------------------------------------------------------------------------------------


@product(
    lambda make, other, name: make == "numpy" or name == "regression" or (other == "lanes" and name == "images"),
    make=EXACT,
    other={other: other for other in ("linalg", "lanes", "numpy", "float32")},
    name={name: name for name in ("classifier", "images", "regression")},
)
def test_a_model_moves_from_engine_to_engine(make: Any, other: Any, name: str, tmp_path: Path) -> None:
    build, X, y = MODELS[name]
    other = _numpy("float32") if other == "float32" else other
    for here, there in ((make(), other), (other, make())):
        model = build(here)
        model.fit(X, y, epochs=1)
        model.save(tmp_path / "model.pkl")
        moved = Model.load(tmp_path / "model.pkl", engine=there)
        assert moved.engine != model.engine or here != there
        for a, b in zip(moved.weights, model.weights):
            assert flat(a) == pytest.approx(flat(b), rel=1e-6)
        near = 2e-3 * max(abs(v) for v in model.predict(X)) if name == "regression" else 1e-3
        found, wanted = answers(moved, X), answers(model, X)
        assert found == (
            pytest.approx(wanted, abs=near) if name == "regression" else [pytest.approx(w, abs=near) for w in wanted]
        )
        moved.fit(X, y, epochs=1)


class Stop(Callback):  # type: ignore[misc]
    """Breaks a run off, as a crash would."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.left -= 1
        if not self.left:
            raise RuntimeError("stopped")


RESUMED = {"sgd": {}, "adam": {"optimizer": "adam"}, "plateau": {"schedule": "plateau"}}
RESUMED_QUICK = {("dropout", "adam"), ("regression", "plateau"), ("images", "sgd")}


@product(
    lambda make, name, how: (name, how) in RESUMED_QUICK and (make in EXACT or how == "adam"),
    make={**EXACT, **SHORT},
    name={name: name for name in ("dropout", "images", "regression")},
    how=RESUMED,
)
def test_a_resumed_run_ends_as_one_that_never_stopped(make: Any, name: str, how: Any, tmp_path: Path) -> None:
    build, X, y = MODELS[name]
    how = {**how, "epochs": 3, "batch_size": 16}
    whole = build(make())
    whole.fit(X, y, checkpoint=tmp_path / "whole", checkpoint_every=1, callbacks=[Stop(1000)], **how)
    stopped = build(make())
    with pytest.raises(RuntimeError, match="stopped"):
        stopped.fit(X, y, checkpoint=tmp_path / "run", checkpoint_every=1, callbacks=[Stop(5)], **how)
    resumed = build(make())
    resumed.fit(X, y, checkpoint=tmp_path / "run", checkpoint_every=1, resume=True, callbacks=[Stop(1000)], **how)
    assert resumed.weights == whole.weights
    assert resumed.history.loss == whole.history.loss


@on_all
@pytest.mark.parametrize("other", ["linalg", "lanes", "numpy", "numpy float32"])
def test_a_run_is_resumed_on_another_engine(make: Any, other: str, tmp_path: Path) -> None:
    engine = make()
    there: Any = _numpy(other.partition(" ")[2] or "float64") if "numpy" in other else other
    if getattr(there, "dtype", None) == engine.dtype and there.name == engine.name:
        pytest.skip("it is the same one")
    build, X, y = MODELS["classifier"]
    how: dict[str, Any] = {"epochs": 3, "batch_size": 16}
    whole = build("linalg").fit(X, y, **how)
    with pytest.raises(RuntimeError, match="stopped"):
        build(engine).fit(X, y, checkpoint=tmp_path / "run", checkpoint_every=1, callbacks=[Stop(5)], **how)
    how["callbacks"] = [Stop(1000)]
    resumed = build(there).fit(X, y, checkpoint=tmp_path / "run", resume=True, **how)
    assert resumed.loss == pytest.approx(whole.loss, rel=1e-3)


# --- rows alone and in company ----------------------------------------------------------------------------------------


@on_all
@every_model
def test_a_row_gets_the_same_answer_alone_and_in_company(make: Any, build: Any, X: Any, y: Any) -> None:
    """Libraries multiply matrices of other sizes in another order: to 1e-12 of the largest number, in float64."""
    engine = make()
    model = build(engine)
    model.fit(X, y, epochs=1)
    many = [X[i % 40] for i in range(300)]
    together = answers(model, many)
    within = 1e-12 if engine.dtype == "float64" else 1e-5
    near = within * max(map(abs, flat(together)))
    for i in (0, 7, 39):
        (alone,) = answers(model, [X[i]])
        for place in (i, i + 40, i + 240):
            if place < len(together):
                assert alone == pytest.approx(together[place], rel=0.0, abs=near)


# --- running away -----------------------------------------------------------------------------------------------------


@on_all
def test_numbers_are_finite_also_where_their_sum_is_not(make: Any) -> None:
    ops = make()
    large = 3e38 if ops.dtype == "float32" else 1.7e308
    for rows in ([[large] * 4], [[large] * 3, [-large] * 3]):
        assert ops.all_finite(ops.from_rows(rows))
        for odd in (math.inf, -math.inf, math.nan):
            assert not ops.all_finite(ops.from_rows([*rows, [odd] * len(rows[0])]))


@on_all
def test_sums_are_those_of_all_numbers_whatever_sizes_came_before(make: Any) -> None:
    ops = make()
    for size in (*range(1, 2 * ROWS_OF_ONES), 3, 1):
        m = ops.from_rows([[1.0] * 2] * size)
        assert ops.to_rows(ops.sum_rows(m)) == [[size, size]]
        assert ops.to_rows(ops.sum_columns(ops.from_rows([[1.0] * size] * 2))) == [[size], [size]]


@on_all
@pytest.mark.parametrize("hidden_size", [[], [8]])
def test_training_that_runs_away_is_told_without_a_warning(make: Any, hidden_size: list[int]) -> None:
    model = Model(5, hidden_size, 1, task="regression", engine=make(), seed=2, target_scaling="none")
    with pytest.raises(TrainingDiverged, match=r"^training diverged in epoch \d+, batch \d+: .*lower learning rate"):
        model.fit(TABLE, VALUES, epochs=200, lr=20.0, batch_size=8, **PLAIN)
    assert all(map(math.isfinite, model.predict(TABLE)))
    assert all(math.isfinite(v) for row in model.weights[0] for v in row)


@on_all
def test_a_loss_that_overflows_in_the_first_batch_leaves_the_first_weights(make: Any) -> None:
    layers = [Linear(1, 1), Linear(1, 1)]
    model = Model.from_layers(layers, loss="mse", scaling="none", target_scaling="none", engine=make())
    before = model.weights
    with pytest.raises(TrainingDiverged, match="epoch 1, batch 1: "):
        model.fit([[1.0], [2.0]], [1e160, -1e160], epochs=1)
    assert model.weights == before


@on_all
def test_a_sure_and_wrong_probability_costs_much_and_not_infinitely_much(make: Any) -> None:
    build = MODELS["binary cross-entropy"][0]
    model = build(make())
    for sure in (1e3, -1e3):
        model.weights = [[[sure]] * 5, [0.0]]
        model.fit([[1.0] * 5, [2.0] * 5], [0, 1], epochs=1, batch_size=2, lr=1e-6)
        assert math.isfinite(model.history.loss[0])


# --- choosing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_an_engine_whose_library_is_not_installed_says_what_to_install(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(ArgumentError, match=rf"the engine '{engine}' needs {engine}, .*pip install {engine}"):
        Model(2, 3, 2, engine=engine)


def test_torch_needs_another_package_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(
        ArgumentError, match=r"the engine 'torch' needs array-api-compat, .*pip install array-api-compat"
    ):
        Model(2, 3, 2, engine="torch")


@on_all
def test_an_engine_says_what_it_is(make: Any) -> None:
    engine = make()
    assert Model(2, 3, 2, engine=engine).engine == engine.name
    assert engine.name in repr(engine)
    assert engine.dtype in repr(engine)


@on_exact
def test_an_optimizer_object_can_go_from_one_engine_to_another(make: Any) -> None:
    optimizer = Adam(0.01)
    for engine in (make(), "lanes", make(), "linalg"):
        Model(5, 3, 2, engine=engine).fit(TABLE, CLASSES, epochs=1, optimizer=optimizer)
