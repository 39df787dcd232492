"""LayerNorm and BatchNorm: against formulas in NumPy on every engine, and what becomes of running means.

Those are parameters that no optimizer sees: they are saved, copied, moved, put back and resumed like any other.
"""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from scratchnn import (
    SGD,
    Adam,
    BatchNorm,
    BestWeights,
    Callback,
    Conv2D,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    Model,
    ModelFileError,
    Residual,
    Sequential,
    Tanh,
    TrainingDiverged,
    gradcheck,
)
from scratchnn.engines.finding import find_engine
from scratchnn.saving import records
from tests.rows import random_rows

WITHIN = {"linalg": 1e-9, "numpy": 1e-9, "lanes": 4.0 * 2.0**-14}  # of the largest number; that of lanes is documented
RNG = Random(8)
X = [[RNG.gauss(2.0, 3.0) for _ in range(4)] for _ in range(26)]
Y = [int(row[0] > 2.0) + int(row[1] > 2.0) for row in X]


def made(engine: str = "linalg", **more: Any) -> Model:
    layers = [BatchNorm(4), Linear(4, 5), BatchNorm(5, 0.3), Tanh(), LayerNorm(5), Linear(5, 3)]
    return Model.from_layers(layers, **{"engine": engine, "scaling": "none", "seed": 2, **more})


def running(model: Model) -> list[Any]:
    return [model.ops.to_rows(p.value) for p in model.network.parameters() if not p.trainable]


def rows_of(layer: Layer, name: str) -> Any:
    return layer.ops.to_rows(getattr(layer, name).value)


# --- formulas ------------------------------------------------------------------------------------------------------


def normalised_in_numpy(np: ModuleType, x: Any, axes: Any, epsilon: float) -> Any:
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)


def with_weights(layer: Any, engine: str) -> Any:
    layer.weight.value, layer.bias.value = [random_rows(1, layer.features, seed=s) for s in (1, 2)]
    layer.parameters()
    for name in ("running_mean", "running_variance"):
        if hasattr(layer, name):
            getattr(layer, name).value = [[0.5 + 0.25 * k for k in range(layer.features)]]
    layer.use(find_engine(engine))
    return layer


def assert_near(np: ModuleType, found: Any, wanted: Any, engine: str) -> None:
    wanted = np.asarray(wanted)
    assert np.abs(np.asarray(found) - wanted).max() <= WITHIN[engine] * np.abs(wanted).max()


@pytest.mark.parametrize(("kind", "images"), [(LayerNorm, False), (BatchNorm, False), (BatchNorm, True)])
def test_forward_and_gradients_against_numpy(np: ModuleType, engine: str, kind: Any, images: bool) -> None:
    epsilon, count = 0.01, 7
    layer = with_weights(kind(3, epsilon=epsilon), engine)
    shape = (count, 3, 5 if images else 1)
    axes = (1,) if kind is LayerNorm else (0, 2)
    rows, gradient = [random_rows(count, math.prod(shape[1:]), seed=s, spread=2.0) for s in (3, 4)]
    ops, x, g = layer.ops, np.array(rows).reshape(shape), np.array(gradient).reshape(shape)
    weight, bias = [np.array(rows_of(layer, name)).reshape(1, 3, 1) for name in ("weight", "bias")]
    normal = normalised_in_numpy(np, x, axes, epsilon)
    output, back = layer.forward(ops.from_rows(rows)), layer.backward(ops.from_rows(gradient))
    assert_near(np, ops.to_rows(output), (normal * weight + bias).reshape(count, -1), engine)
    assert_near(np, ops.to_rows(layer.weight.gradient)[0], (g * normal).sum(axis=(0, 2)), engine)
    assert_near(np, ops.to_rows(layer.bias.gradient)[0], g.sum(axis=(0, 2)), engine)
    h = g * weight
    inside = h - h.mean(axis=axes, keepdims=True) - normal * (h * normal).mean(axis=axes, keepdims=True)
    wanted = inside / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)
    assert_near(np, ops.to_rows(back), wanted.reshape(count, -1), engine)


@pytest.mark.parametrize("positions", [1, 6])
def test_running_means_follow_and_are_what_predicts(np: ModuleType, engine: str, positions: int) -> None:
    layer = BatchNorm(2, momentum=0.25)
    layer.use(find_engine(engine))
    mean, variance = np.zeros(2), np.ones(2)
    for batch in range(4):
        rows = random_rows(3 + batch, 2 * positions, seed=batch, spread=3.0)
        layer.forward(layer.ops.from_rows(rows))
        x = np.array(rows).reshape(-1, 2, positions)
        mean = 0.75 * mean + 0.25 * x.mean(axis=(0, 2))
        variance = 0.75 * variance + 0.25 * x.transpose(0, 2, 1).reshape(-1, 2).var(axis=0, ddof=1)
    assert_near(np, rows_of(layer, "running_mean")[0], mean, engine)
    assert_near(np, rows_of(layer, "running_variance")[0], variance, engine)
    layer.eval()
    rows = random_rows(5, 2 * positions, seed=9)
    before = running_of(layer)
    wanted = (np.array(rows).reshape(-1, 2, positions) - mean[:, None]) / np.sqrt(variance[:, None] + 1e-5)
    assert_near(np, layer.ops.to_rows(layer.forward(layer.ops.from_rows(rows))), wanted.reshape(5, -1), engine)
    assert running_of(layer) == before


def running_of(layer: Layer) -> Any:
    return [rows_of(layer, name) for name in ("running_mean", "running_variance")]


def test_a_batch_with_one_number_a_feature_gives_the_bias_and_teaches_nothing_else(engine: str) -> None:
    layer = with_weights(BatchNorm(3), engine)
    before, row = running_of(layer), random_rows(1, 3, seed=1)
    said = layer.ops.to_rows(layer.forward(layer.ops.from_rows(row)))
    assert said == [pytest.approx(v) for v in layer.ops.to_rows(layer.parameters()[1].value)]
    assert running_of(layer) == before
    back = layer.ops.to_rows(layer.backward(layer.ops.from_rows(random_rows(1, 3, seed=2))))
    assert back == [pytest.approx([0.0] * 3, abs=1e-3 if engine == "lanes" else 1e-9)]
    model = made(engine)
    model.fit(X[:9], Y[:9], epochs=2, batch_size=4)  # the last row of each epoch is left over
    assert all(math.isfinite(v) for rows in running(model) for row in rows for v in row)


def test_what_never_changes_becomes_the_bias() -> None:
    for layer in (LayerNorm(3), BatchNorm(3)):
        assert layer.forward([[5.0, 5.0, 5.0]] * 4) == [[0.0, 0.0, 0.0]] * 4
        assert layer.backward(random_rows(4, 3)) is not None


@pytest.mark.parametrize(("channels", "positions"), [(1, 4), (2, 3), (3, 1)])
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_gradients_of_images_are_those_of_the_numerical_slopes(samples: int, channels: int, positions: int) -> None:
    layer = with_weights(BatchNorm(channels), "linalg")
    report = gradcheck.check_layer(layer, random_rows(samples, channels * positions, seed=7))
    assert report.ok, report
    assert report.entries == samples * channels * positions + 2 * channels


def test_gradients_hold_while_predicting_and_where_the_layer_is_frozen() -> None:
    for layer in (with_weights(LayerNorm(4), "linalg"), with_weights(BatchNorm(4), "linalg")):
        layer.eval()
        assert gradcheck.check_layer(layer, random_rows(3, 4)).ok
        layer.train()
        layer.trainable = False
        assert gradcheck.check_layer(layer, random_rows(3, 4)).ok
        assert layer.gradients() == [None] * len(layer.parameters())


@pytest.mark.parametrize("engine", ["linalg", "lanes"])
def test_a_gradient_check_leaves_running_means_as_they_were(engine: str) -> None:
    model = made(engine)
    model.network.train()
    before = running(model)
    assert gradcheck.check_model(model, X[:5], Y[:5]).ok
    assert running(model) == before


# --- running means among the parameters ------------------------------------------------------------------------------


def test_no_optimizer_sees_running_means() -> None:
    layer = BatchNorm(4)
    names = ["weight", "bias", "running_mean", "running_variance"]
    assert [p.name for p in layer.parameters()] == names
    assert [p.name for p in layer.trainable_parameters()] == names[:2]
    assert [p.name for p in layer.changing_parameters()] == names
    layer.trainable = False
    assert layer.changing_parameters() == layer.trainable_parameters() == []
    for optimizer in (SGD(0.1, momentum=0.9, weight_decay=0.1), Adam(weight_decay=0.1)):
        model = made()
        model.fit(X, Y, epochs=1, optimizer=optimizer)
        shapes = [model.ops.shape(p.value) for p in model.network.trainable_parameters()]
        remembered = [optimizer.ops.shape(matrix) for matrix in optimizer.matrices()]
        assert remembered in (shapes, shapes * 2)


def test_the_summary_counts_all_and_says_how_many_are_trained() -> None:
    model = Model.from_layers([Linear(4, 3), BatchNorm(3), Linear(3, 2)])
    lines = [line.split() for line in model.summary().splitlines()]
    assert lines[-2:] == [["total", "35"], ["trainable", "29"]]
    assert ["BatchNorm", "3", "12"] in lines
    assert model.parameter_count == 35


def test_a_frozen_batch_norm_keeps_its_means_and_predicts_with_them(engine: str) -> None:
    model = made(engine)
    model.fit(X, Y, epochs=1)
    model.network[0].trainable = False
    before = running(model)
    model.fit(X, Y, epochs=1)
    after = running(model)
    assert before[:2] == after[:2]
    assert all(one != other for one, other in zip(before[2:], after[2:]))


def test_what_is_said_of_a_row_does_not_depend_on_the_others(engine: str) -> None:
    model = made(engine)
    model.fit(X, Y, epochs=2)
    before = running(model)
    together = model.predict_proba(X)
    for row, said in zip(X, together):
        if engine == "numpy":  # whose products may be rounded otherwise for other sizes
            assert model.predict_proba([row])[0] == pytest.approx(said, rel=1e-12)
        else:
            assert model.predict_proba([row])[0] == said
    assert running(model) == before


def test_saved_copied_pickled_and_moved_with_their_means(engine: str, tmp_path: Path) -> None:
    model = made(engine)
    model.fit(X, Y, epochs=2)
    model.save(tmp_path / "model.pkl")
    same = [Model.load(tmp_path / "model.pkl", engine=engine), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for one in same:
        assert running(one) == running(model)
        assert one.predict_proba(X) == model.predict_proba(X)
        one.fit(X, Y, epochs=1)
        assert [p.trainable for p in one.network.parameters()] == [p.trainable for p in model.network.parameters()]
    layer = model.network[0].copy()
    assert [rows_of(layer, name) for name in ("running_mean", "running_variance")] == running(model)[:2]
    assert layer.x is None
    other = Model.from_layers([layer, Linear(4, 2)], engine=engine, scaling="none")
    assert running(other) == running(model)[:2]
    moved = Model.load(tmp_path / "model.pkl", engine="lanes" if engine == "linalg" else "linalg")
    assert running(moved) == running(model)
    for ours, theirs in zip(model.predict_proba(X), moved.predict_proba(X)):
        assert ours == pytest.approx(theirs, abs=1e-3)


def test_weights_can_be_set_with_their_means() -> None:
    model, other = made(), made(seed=5)
    model.fit(X, Y, epochs=1)
    other.fit(X, Y, epochs=1)
    other.weights = model.weights
    assert other.predict_proba(X) == model.predict_proba(X)


def test_a_variance_below_nothing_is_taken_for_none(engine: str) -> None:
    model = made(engine)
    model.fit(X, Y, epochs=1)
    weights = model.weights
    weights[3] = [[-4.0] * 4]
    model.weights = weights
    assert all(math.isfinite(v) for row in model.predict_proba(X) for v in row)


class Stops(Callback):
    def __init__(self, place: Any) -> None:
        self.place = place

    def on_batch_end(self, model: Any, run: Any) -> None:
        model.stop_training = (run.epoch, run.batch) == self.place


@pytest.mark.parametrize("frozen", [False, True])
def test_a_run_is_resumed_to_the_same_bytes(engine: str, frozen: bool, tmp_path: Path) -> None:
    def run(stop: Any = None, **more: Any) -> Model:
        model = made(engine)
        model.network[0].trainable = not frozen
        settings = {"epochs": 3, "batch_size": 8, "checkpoint": tmp_path / "run", "checkpoint_every": 1}
        model.fit(X, Y, callbacks=[Stops(stop)], **{**settings, **more})
        return model

    whole = run(checkpoint=None, checkpoint_every=None)
    for place in ((1, 2), (2, 3), (2, 4)):
        run(place)
        assert run(resume=True).weights == whole.weights


def test_a_look_at_the_model_in_the_middle_of_a_run_does_not_change_it(engine: str) -> None:
    class Looks(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            before = running(model)
            model.predict(X)
            model.evaluate(X, Y)
            assert running(model) == before

    plain, looked = made(engine), made(engine)
    plain.fit(X, Y, epochs=2)
    looked.fit(X, Y, epochs=2, callbacks=[Looks()], validation_data=(X, Y))
    assert looked.weights == plain.weights


def test_the_best_weights_come_with_their_means(tmp_path: Path) -> None:
    model = made()
    best = BestWeights(tmp_path / "best.pkl")
    history = model.fit(X, Y, epochs=8, lr=0.5, validation_data=(X[:9], Y[:9]), callbacks=[best])
    loss, _ = Model.load(tmp_path / "best.pkl", engine="linalg").evaluate(X[:9], Y[:9])
    assert loss == pytest.approx(min(history.validation_loss), rel=1e-12)


@pytest.mark.parametrize("engine", ["linalg", "lanes"])
def test_after_a_run_that_ran_away_the_means_are_of_use_again(engine: str) -> None:
    model = Model.from_layers([BatchNorm(4), Linear(4, 1)], loss="mse", scaling="none", engine=engine)
    wild = [*X[:-1], [1e90, 1e200 if engine == "linalg" else 1e95, 1.0, 1.0]]
    with pytest.raises(TrainingDiverged):
        model.fit(wild, [row[0] for row in X], epochs=3, lr=1e30, batch_size=5, schedule=None, clip_norm=None)
    assert all(math.isfinite(v) for rows in running(model) for row in rows for v in row)


def test_deep_networks_of_images_learn_with_it(engine: str) -> None:
    rng = Random(1)
    images = [[rng.gauss(i % 2 and k % 3 == 0, 0.5) for k in range(36)] for i in range(60)]
    labels = [i % 2 for i in range(60)]
    block = Residual([Conv2D(2, 2, 3, padding=1), BatchNorm(2), Tanh()])
    layers = [Conv2D(1, 2, 3, padding=1), BatchNorm(2), Tanh(), block, Flatten(), LayerNorm(72), Linear(72, 2)]
    model = Model.from_layers(layers, input_shape=(1, 6, 6), scaling="none", engine=engine, seed=1)
    model.fit(images, labels, epochs=5, batch_size=10)
    assert model.score(images, labels) > 0.9


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LayerNorm, BatchNorm])
def test_arguments(kind: Any) -> None:
    for features in (0, -1, 2.5, "4", None, True, 1 << 60):
        with pytest.raises(ValueError, match=f"features of {kind.__name__} m"):
            kind(features)
    for epsilon in (0.0, -1e-5, math.inf, math.nan, "small", None):
        with pytest.raises(ValueError, match=f"epsilon of {kind.__name__} must be a number above 0 and finite, got"):
            kind(4, epsilon=epsilon)


@pytest.mark.parametrize("momentum", [-0.1, 1.0, math.nan, "much", None])
def test_momentum_of_batch_norm(momentum: Any) -> None:
    with pytest.raises(ValueError, match="momentum of BatchNorm must be a number at least 0 and below 1, got"):
        BatchNorm(4, momentum)


def test_features_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"layer 1: LayerNorm\(features=4, epsilon=1e-05\) expects 4 features, got 5"):
        Model.from_layers([Linear(3, 5), LayerNorm(4)], loss="mse")
    with pytest.raises(ValueError, match=r"BatchNorm\(.*\) expects 4 features, or images of so many channels, got 5"):
        Model.from_layers([Linear(3, 5), BatchNorm(4)], loss="mse")
    with pytest.raises(ValueError, match=r"expects 36 features, or images of so many channels, got 1 x 6 x 6"):
        Sequential([BatchNorm(36)]).output_shape((1, 6, 6))
    for layer in (LayerNorm(4), BatchNorm(4)):
        with pytest.raises(ValueError, match=r"4|needs"):
            layer([[1.0, 2.0, 3.0]])


def test_a_file_with_sizes_of_its_own_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    made().save(path)
    whole = records.load(path)
    for number, change in (
        (0, {"features": 1 << 30}),
        (0, {"features": "4"}),
        (0, {"momentum": 2.0}),
        (0, {"epsilon": 0.0}),
        (4, {"epsilon": math.nan}),
        (4, {"features": 6}),
        (4, {"momentum": 0.1}),
    ):
        layers = [dict(layer) for layer in whole["layers"]]
        layers[number].update(change)
        records.save(path, {**whole, "layers": layers})
        with pytest.raises(ModelFileError):
            Model.load(path)
