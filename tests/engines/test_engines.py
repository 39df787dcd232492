"""The two engines side by side: whatever is built from layers, losses and optimizers comes out the same on both.

``linalg`` is the reference; ``lanes`` may differ by the precision that its docstring states. Then what a user sees of a
choice of engine: models that learn on both, files that both read, and one error when training runs away.
"""

from __future__ import annotations

import math
import pydoc
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any

import pytest

import scratchnn
from scratchnn import (
    ELU,
    GELU,
    Adagrad,
    Adam,
    AdamW,
    BatchNorm,
    BCELoss,
    BCEWithLogitsLoss,
    Callback,
    CrossEntropyLoss,
    Dropout,
    EarlyStopping,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Model,
    MSELoss,
    NLLLoss,
    ReLU,
    Residual,
    RMSprop,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    linalg,
    load_digits,
)
from scratchnn.engines.arrays import ArrayEngine
from scratchnn.engines.base import Engine
from scratchnn.engines.lanes.engine import Lanes
from scratchnn.engines.lists import LISTS
from scratchnn.errors import DataError, TrainingDiverged
from scratchnn.layers import Layer, Parameter, uniform_matrix
from scratchnn.losses import LOSSES, Loss
from scratchnn.optim import OPTIMIZERS, SGD, Optimizer, clip_gradient_norm
from tests.plain import PLAIN

Rows = list[list[float]]

WIDTHS = [None, 40, 48, 56, 64]
PRECISION = 2.0**-14  # documented in ``lanes``


def largest_of(rows: Rows) -> float:
    return max(abs(v) for row in rows for v in row)


def assert_agree(found: Rows, wanted: Rows, within: float = 4.0 * PRECISION) -> None:
    """The same shape, and no entry further off than this share of the largest one."""
    assert [len(row) for row in found] == [len(row) for row in wanted]
    worst = max(abs(a - b) for p, q in zip(found, wanted) for a, b in zip(p, q))
    assert worst <= within * largest_of(wanted), f"off by {worst:.3g}, largest {largest_of(wanted):.3g}"


# --- layers -----------------------------------------------------------------------------------------------------------

LAYERS: dict[str, Callable[[], Layer]] = {
    "Linear": lambda: Linear(6, 4, rng=Random(1)),
    "Linear to one": lambda: Linear(6, 1, rng=Random(1)),
    "Linear to many": lambda: Linear(6, 50, rng=Random(1)),
    "ReLU": ReLU,
    "LeakyReLU": lambda: LeakyReLU(0.1),
    "Tanh": Tanh,
    "Sigmoid": Sigmoid,
    "GELU": GELU,
    "SiLU": SiLU,
    "ELU": lambda: ELU(0.5),
    "Softplus": Softplus,
    "Softmax": Softmax,
    "LogSoftmax": LogSoftmax,
    "LayerNorm": lambda: LayerNorm(6),
    "BatchNorm": lambda: BatchNorm(6),
    "BatchNorm of images": lambda: BatchNorm(2),
    "Residual": lambda: Residual([Linear(6, 4, rng=Random(2)), Tanh(), Linear(4, 6, rng=Random(3))]),
    "Dropout": lambda: Dropout(0.4, rng=Random(2)),
    "Dropout after ReLU": lambda: Sequential([ReLU(), Dropout(0.4, rng=Random(2))]),
    "ReLU after ReLU": lambda: Sequential([ReLU(), ReLU()]),
    "a network": lambda: Sequential(
        [Linear(6, 9, rng=Random(1)), ReLU(), Linear(9, 8, rng=Random(2)), Tanh(), Linear(8, 3, rng=Random(3))]
    ),
    "a deep network": lambda: Sequential(
        [part for i in range(6) for part in (Linear(6, 6, rng=Random(i)), ReLU())] + [Linear(6, 2, rng=Random(9))]
    ),
}


def there_and_back(layer: Layer, ops: Any, x: Any, seed: int) -> list[Rows]:
    """[output, dLoss/dInput, dLoss/dParameter ...] as rows of floats."""
    layer.use(ops)
    layer.train()
    output = layer.forward(x)
    rows, columns = ops.shape(output)
    back = layer.backward(ops.from_rows(uniform_matrix(rows, columns, 1.0, Random(seed))))
    return [ops.to_rows(m) for m in (output, back, *(p.gradient for p in layer.trainable_parameters()))]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_layers_agree_forward_backward_and_in_their_gradients(make: Callable[[], Layer], width: int | None) -> None:
    rows = uniform_matrix(8, 6, 3.0, Random(4))
    ops = Lanes(width)
    wanted = there_and_back(make(), LISTS, rows, seed=5)
    for x in (ops.from_rows(rows), ops.prepare(rows)):
        found = there_and_back(make(), ops, x, seed=5)
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted):
            assert_agree(a, b)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_layers_agree_on_a_single_row_and_when_predicting(make: Callable[[], Layer]) -> None:
    rows = uniform_matrix(1, 6, 1.0, Random(6))
    results = []
    for ops in (Lanes(), LISTS):
        layer = make()
        layer.use(ops)
        layer.eval()
        results.append(ops.to_rows(layer.forward(ops.from_rows(rows))))
    assert_agree(results[0], results[1])


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1e3, 1e6])
def test_a_linear_layer_agrees_for_numbers_of_any_size(size: float) -> None:
    rows, ops = uniform_matrix(8, 6, size, Random(4)), Lanes()
    found = there_and_back(Linear(6, 4, init=size, rng=Random(1)), ops, ops.from_rows(rows), seed=5)
    wanted = there_and_back(Linear(6, 4, init=size, rng=Random(1)), LISTS, rows, seed=5)
    for a, b in zip(found, wanted):
        assert_agree(a, b)


class Doubled(Layer):
    """A layer as a user might write it: the operations of ``ops`` on what came, whatever kind of matrix that is."""

    def forward(self, x: Any) -> Any:
        return self.ops.add(self.ops.scale(x, 3.0), self.ops.scale(x, -1.0))

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return self.ops.scale(gradient, 2.0)


def test_a_layer_of_ones_own_can_stand_first() -> None:
    X, y = [[0.0, 1.0], [1.0, 0.0], [0.5, 0.25], [1.0, 1.0]], [1.0, 2.0, 1.25, 3.0]
    losses = []
    for engine in ("lanes", "linalg"):
        model = Model.from_layers([Doubled(), Linear(2, 1)], loss="mse", engine=engine, scaling="none")
        losses.append(model.fit(X, y, epochs=20, lr=0.1, batch_size=2).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


# --- losses -----------------------------------------------------------------------------------------------------------

CLASSES = [0, 2, 1, 1, 0, 2]
PROBABILITIES = [[0.0, 1.0, 0.3], [1.0, 0.0, 0.0], [0.5, 0.5, 1.0], [0.2, 0.1, 0.9], [1.0, 1.0, 0.0], [0.0, 0.0, 0.7]]
ONE_HOT = [[1.0 if k == c else 0.0 for k in range(3)] for c in CLASSES]
LAST: dict[str, tuple[Loss, list[Layer], Sequence[Any]]] = {
    "mse": (MSELoss(), [], uniform_matrix(6, 3, 1.0, Random(3))),
    "mse in the thousands": (MSELoss(), [], uniform_matrix(6, 3, 5000.0, Random(3))),
    "bce": (BCELoss(), [Sigmoid()], PROBABILITIES),
    "bce_with_logits": (BCEWithLogitsLoss(), [], PROBABILITIES),
    "cross_entropy": (CrossEntropyLoss(), [], CLASSES),
    "cross_entropy of rows": (CrossEntropyLoss(), [], ONE_HOT),
    "nll": (NLLLoss(), [LogSoftmax()], CLASSES),
    "label smoothing": (CrossEntropyLoss(label_smoothing=0.1), [], CLASSES),
    "kl_div": (KLDivLoss(), [LogSoftmax()], [linalg.softmax(row) for row in uniform_matrix(6, 3, 1.0, Random(4))]),
    "l1": (L1Loss(), [], uniform_matrix(6, 3, 1.0, Random(3))),
    "huber": (HuberLoss(delta=0.5), [], uniform_matrix(6, 3, 1.0, Random(3))),
    "mse of a softmax": (MSELoss(), [Softmax()], ONE_HOT),
}


def test_every_loss_is_here() -> None:
    assert {type(loss) for loss, _, _ in LAST.values()} == set(LOSSES.values())


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0, 0.0, 1.5, 1.0]], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("loss", "last", "targets"), LAST.values(), ids=LAST.keys())
def test_losses_agree_and_so_do_the_gradients_they_send_back(
    loss: Loss, last: list[Layer], targets: Sequence[Any], weights: list[float] | None
) -> None:
    rows, values, gradients = uniform_matrix(6, 5, 1.0, Random(8)), [], []
    for ops in (Lanes(), LISTS):
        network = Sequential([Linear(5, 7, rng=Random(1)), ReLU(), Linear(7, 3, rng=Random(2)), *last])
        network.use(ops)
        outputs = ops.to_rows(network.forward(ops.prepare(rows) if ops is not LISTS else rows))
        values.append(loss.forward(outputs, targets, weights))
        network.backward(ops.from_rows(loss.backward()), input_gradient=False)
        gradients.append([ops.to_rows(gradient) for gradient in network.gradients()])
    assert values[0] == pytest.approx(values[1], rel=4.0 * PRECISION)
    for a, b in zip(*gradients):
        assert_agree(a, b, 16.0 * PRECISION)


# --- optimizers -------------------------------------------------------------------------------------------------------

RULES: dict[str, Callable[[], Optimizer]] = {
    "SGD": lambda: SGD(0.1),
    "a small step": lambda: SGD(1e-5),
    "momentum": lambda: SGD(0.05, momentum=0.9),
    "Nesterov": lambda: SGD(0.05, momentum=0.9, nesterov=True),
    "weight decay": lambda: SGD(0.1, weight_decay=0.05),
    "momentum and weight decay": lambda: SGD(0.05, momentum=0.9, weight_decay=0.05),
    "Adam": lambda: Adam(0.01),
    "Adam with weight decay": lambda: Adam(0.01, weight_decay=0.05),
    "AdamW": lambda: AdamW(0.01, weight_decay=0.05),
    "RMSprop": lambda: RMSprop(0.01, weight_decay=0.05),
    "RMSprop with momentum": lambda: RMSprop(0.001, momentum=0.9),
    "Adagrad": lambda: Adagrad(0.1),
}


def test_every_optimizer_is_here() -> None:
    assert {type(make()) for make in RULES.values()} == set(OPTIMIZERS.values())


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("make", RULES.values(), ids=RULES.keys())
def test_optimizers_agree(make: Callable[[], Optimizer], size: float, clip_norm: float | None) -> None:
    start = [uniform_matrix(4, 3, size, Random(1)), [[0.0, 0.0, 0.0]]]
    ends = []
    for ops in (Lanes(), LISTS):
        optimizer, parameters = make(), [Parameter(name, ops.from_rows(rows)) for name, rows in zip("wb", start)]
        optimizer.ops = ops
        for step in range(30):
            for number, parameter in enumerate(parameters):
                rows, columns = ops.shape(parameter.value)
                gradient = uniform_matrix(rows, columns, size, Random(100 * number + step))
                parameter.gradient = ops.from_rows(gradient)
            if clip_norm:
                clip_gradient_norm(parameters, clip_norm, ops)
            optimizer.step(parameters)
        ends.append([ops.to_rows(parameter.value) for parameter in parameters])
    for a, b in zip(*ends):
        assert_agree(a, b, 8.0 * PRECISION)


# --- training on the shipped digits -----------------------------------------------------------------------------------

RUNS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "relu": ({}, {}),
    "leaky_relu": ({"activation": "leaky_relu"}, {}),
    "tanh": ({"activation": "tanh"}, {}),
    "sigmoid": ({"activation": "sigmoid"}, {"lr": 0.5}),
    "two hidden layers": ({"hidden_size": [12, 8]}, {}),
    "no hidden layer": ({"hidden_size": []}, {}),
    "standardised": ({"scaling": "standard"}, {"lr": 0.05}),
    "dropout": ({"dropout": 0.3}, {}),
    "momentum": ({}, {"momentum": 0.9, "lr": 0.02}),
    "nesterov": ({}, {"momentum": 0.9, "nesterov": True, "lr": 0.02}),
    "weight decay": ({}, {"weight_decay": 0.01}),
    "adam": ({}, {"optimizer": "adam"}),
    "adamw": ({}, {"optimizer": "adamw"}),
    "rmsprop": ({}, {"optimizer": "rmsprop", "lr": 0.001}),
    "adagrad": ({}, {"optimizer": "adagrad", "lr": 0.01}),
    "a cycle": ({}, {"schedule": "onecycle"}),
    "clip": ({}, {"clip_norm": 0.5}),
    "class weights": ({}, {"class_weight": "balanced"}),
    "full batch": ({}, {"batch_size": None, "lr": 0.5}),
    "two by two": ({}, {"batch_size": 2, "lr": 0.02}),
}


@pytest.fixture(scope="module")
def digits() -> tuple[list[Any], list[Any]]:
    train, _ = load_digits()
    return train.X[:60], train.y[:60]


@pytest.mark.parametrize(("settings", "how"), RUNS.values(), ids=RUNS.keys())
def test_the_loss_of_every_epoch_agrees(
    digits: tuple[list[Any], list[Any]], settings: dict[str, Any], how: dict[str, Any]
) -> None:
    losses = []
    for engine in ("lanes", "linalg"):
        model = Model(64, engine=engine, **{"hidden_size": 10, **settings})
        losses.append(model.fit(*digits, epochs=3, **{"batch_size": 16, **how}).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[1][-1] < losses[1][0]


@pytest.mark.parametrize("width", [40, 48, 56, 64])
def test_every_width_of_lanes_can_be_forced(digits: tuple[list[Any], list[Any]], width: int) -> None:
    losses = {}
    for engine in (Lanes(width), "linalg"):
        model = Model(64, 10, engine=engine, scaling="standard")
        seen: list[int] = []
        watch = Watch(lambda model, run, seen=seen: seen.append(getattr(model.ops, "width", 0)))
        losses[model.engine] = model.fit(*digits, epochs=3, lr=0.05, callbacks=[watch]).loss
        assert set(seen) == {width if model.engine == "lanes" else 0}
    assert losses["lanes"] == pytest.approx(losses["linalg"], rel=1e-2)


class Watch(Callback):  # type: ignore[misc]
    """Calls a function after every batch."""

    def __init__(self, look: Callable[..., Any]) -> None:
        self.look = look

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.look(model, run)


# --- models that learn, on both ---------------------------------------------------------------------------------------

both = pytest.mark.parametrize("engine", ["lanes", "linalg"])

XOR_X, XOR_Y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
PLANE_X = [[i / 10, (i * 7 % 10) / 10] for i in range(20)]


def plane(slope: float, other: float, height: float) -> list[float]:
    return [slope * a + other * b + height for a, b in PLANE_X]


@both
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_xor_is_solved(engine: str, activation: str, outputs: int) -> None:
    model = Model(2, 8, outputs, activation=activation, engine=engine)
    model.fit(XOR_X, XOR_Y, epochs=150, lr=0.5, batch_size=None)
    assert model.predict(XOR_X) == XOR_Y
    assert [max(p) > 0.8 for p in model.predict_proba(XOR_X)] == [True] * 4


@both
@pytest.mark.parametrize("how", [{"lr": 0.1}, {"lr": 0.02, "momentum": 0.9}, {"optimizer": "adam", "lr": 300.0}])
def test_a_regression_with_targets_in_the_thousands(engine: str, how: dict[str, Any]) -> None:
    y = plane(1500.0, -4000.0, 7000.0)
    model = Model(2, [], 1, task="regression", engine=engine, target_scaling="none")
    model.fit(PLANE_X, y, epochs=100, batch_size=5, **how)
    assert model.score(PLANE_X, y) > 0.999
    assert model.predict([[0.5, 0.5]]) == pytest.approx([5750.0], rel=0.01)


@both
@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, -1.0, 1e3, 1e6])
def test_features_of_any_size_are_learned_from(engine: str, size: float) -> None:
    rows = [[size * a, size * (b - 0.5)] for a, b in PLANE_X]
    y = plane(2.0, -1.0, 3.0)
    model = Model(2, [], 1, task="regression", engine=engine, scaling="standard")
    model.fit(rows, y, epochs=100, lr=0.1, batch_size=5)
    assert model.score(rows, y) > 0.999


@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9])
def test_features_of_any_size_without_scaling(size: float) -> None:
    rows, y = [[size * a, -size * b] for a, b in PLANE_X], plane(3.0, 1.0, -2.0)
    losses = []
    for engine in ("lanes", "linalg"):
        # Weights as large as the inputs are small, so that their product is of the size of the targets.
        layers = [Linear(2, 1, init=1.0 / size)]
        model = Model.from_layers(layers, loss="mse", scaling="none", target_scaling="none", engine=engine)
        losses.append(model.fit(rows, y, epochs=20, lr=0.3 / max(size, 1.0) ** 2, batch_size=5).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[1][-1] < losses[1][0]


@both
def test_weights_that_begin_at_zero(engine: str) -> None:
    model = Model(2, [], 1, task="regression", init=0.0, engine=engine, scaling="none")
    y = plane(2.0, -1.0, 0.3)
    model.fit(PLANE_X, y, epochs=100, batch_size=5)
    assert model.score(PLANE_X, y) > 0.99


@both
def test_a_column_of_zeros_and_a_row_of_zeros(engine: str) -> None:
    rows = [[0.0, a, b] for a, b in PLANE_X] + [[0.0, 0.0, 0.0]]
    y = [*plane(1.0, 1.0, 0.0), 0.0]
    model = Model(3, [], 1, task="regression", engine=engine, scaling="none")
    model.fit(rows, y, epochs=100, batch_size=7)
    assert model.score(rows, y) > 0.99


@both
def test_early_stopping_puts_the_best_weights_back(engine: str) -> None:
    rows = uniform_matrix(40, 3, 1.0, Random(1))
    labels = [int(row[0] + row[1] > 0.0) for row in rows]
    wrong = [1 - k for k in labels[30:]]  # so that learning makes the validation loss worse
    model = Model(3, 6, 2, engine=engine)
    history = model.fit(
        rows[:30],
        labels[:30],
        epochs=50,
        lr=0.5,
        validation_data=(rows[30:], wrong),
        callbacks=[EarlyStopping(patience=3)],
    )
    assert len(history.loss) < 20
    loss, _ = model.evaluate(rows[30:], wrong)
    assert loss == pytest.approx(min(history.validation_loss), rel=1e-3)


@both
def test_class_weights_move_the_border(engine: str) -> None:
    rng = Random(3)
    labels = [int(i % 10 == 0) for i in range(200)]
    rows = [[rng.gauss(1.5 * k, 1.0)] for k in labels]
    found = []
    for class_weight in (None, "balanced"):
        model = Model(1, [], 2, engine=engine)
        model.fit(rows, labels, epochs=20, class_weight=class_weight)
        found.append(sum(p == 1 == k for p, k in zip(model.predict(rows), labels)))
    assert found[1] > found[0]


# --- when training runs away ------------------------------------------------------------------------------------------


def numbers(model: Model) -> list[float]:
    return [v for part in model.weights for row in part for v in (row if isinstance(row, list) else [row])]


@pytest.mark.parametrize("engine", ["lanes", "linalg", *WIDTHS[1:]])
@pytest.mark.parametrize("hidden_size", [[], [8], [8, 8]])
def test_divergence_says_where_and_what_to_do_and_leaves_finite_weights(engine: Any, hidden_size: list[int]) -> None:
    ops = Lanes(engine) if isinstance(engine, int) else engine
    model = Model(2, hidden_size, 1, task="regression", engine=ops, seed=2, target_scaling="none")
    losses: list[float] = []
    watch = Watch(lambda model, run: losses.append(run.loss))
    with pytest.raises(TrainingDiverged) as caught:
        model.fit(
            PLANE_X, plane(1500.0, -4000.0, 7000.0), epochs=500, lr=20.0, batch_size=5, callbacks=[watch], **PLAIN
        )
    error = caught.value
    assert isinstance(error, OverflowError)
    seen_after_the_step = "after the step, " in str(error)  # of the epoch's last batch, which callbacks knew already
    assert (error.epoch - 1) * 4 + error.batch == len(losses) + (not seen_after_the_step)
    assert str(error).startswith(f"training diverged in epoch {error.epoch}, batch {error.batch}: ")
    assert "try a lower learning rate than 20, clip_norm, or features and targets scaled" in str(error)
    if model.engine == "lanes":
        assert 'engine="linalg"' in str(error)
        places = [f"layer {i}, Linear" for i, layer in enumerate(model.network) if isinstance(layer, Linear)]
        assert any(place in str(error) for place in [*places, "parameter 0, weight", "parameter 1, bias"])
        assert "numbers up to " in str(error)
    assert all(map(math.isfinite, numbers(model)))
    assert all(map(math.isfinite, model.predict(PLANE_X)))  # and it can still be used, if only to look at it


@both
def test_divergence_in_the_very_first_batch_leaves_the_first_weights(engine: str) -> None:
    layers = [Linear(1, 1), Linear(1, 1)]
    model = Model.from_layers(layers, loss="mse", scaling="none", target_scaling="none", engine=engine)
    before = model.weights
    with pytest.raises(TrainingDiverged, match="epoch 1, batch 1: "):
        model.fit([[1.0], [2.0]], [1e160, -1e160], epochs=1)
    assert model.weights == before


def test_a_run_can_go_on_with_the_other_engine_after_it_ran_away(tmp_path: Path) -> None:
    y = plane(1500.0, -4000.0, 7000.0)
    model = Model(2, 8, 1, task="regression", seed=2)
    with pytest.raises(TrainingDiverged):
        model.fit(PLANE_X, y, epochs=10, lr=20.0, **PLAIN)
    model.save(tmp_path / "model.pkl")
    again = Model.load(tmp_path / "model.pkl", engine="linalg")
    assert numbers(again) == numbers(model)


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_lanes_are_the_default_and_engines_are_chosen_by_name_or_given() -> None:
    assert Model(2, 3, 2).engine == "lanes"
    assert Model(2, 3, 2, engine="linalg").engine == "linalg"
    assert Model.from_layers([Linear(2, 2)], engine="linalg").engine == "linalg"
    given = Lanes(64)
    assert Model(2, 3, 2, engine=given).ops is given
    assert Model(2, 3, 2, engine=linalg).engine == "linalg"
    for wrong in ("nunpy", None, 64):
        with pytest.raises(ValueError, match=r"unknown engine .*known are lanes, linalg, numpy, torch"):
            Model(2, 3, 2, engine=wrong)


def test_both_engines_begin_with_the_same_weights() -> None:
    assert Model(5, 4, 3, engine="lanes").weights == Model(5, 4, 3, engine="linalg").weights


OPERATIONS = [name for name, what in vars(Engine).items() if isinstance(what, FunctionType) and name[0] != "_"]
OF_ITS_OWN = [name for name in OPERATIONS if "NotImplementedError" in vars(Engine)[name].__code__.co_names]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_vocabulary_says_what_it_means(operation: str) -> None:
    assert vars(Engine)[operation].__doc__


@pytest.mark.parametrize("operation", OF_ITS_OWN)
@pytest.mark.parametrize("engine", [type(LISTS), Lanes, ArrayEngine], ids=["lists", "lanes", "arrays"])
def test_every_engine_offers_the_whole_vocabulary(engine: type[Engine], operation: str) -> None:
    assert callable(getattr(engine, operation))
    owner = next(kind for kind in engine.__mro__ if operation in vars(kind))
    assert owner is not Engine, f"{engine.__name__} leaves out {operation}"


def test_an_engine_of_ones_own_is_one_that_derives_from_engine() -> None:
    class Mine(type(LISTS)):  # type: ignore[misc]
        name = "mine"

    assert Model(2, 3, 2, engine=Mine()).engine == "mine"
    with pytest.raises(ValueError, match="unknown engine"):
        Model(2, 3, 2, engine=object())


# --- files that both read ---------------------------------------------------------------------------------------------

SAVED: dict[str, Callable[[Any], tuple[Model, Any, Any]]] = {
    "classifier": lambda engine: (Model(2, 6, 2, engine=engine), XOR_X * 5, XOR_Y * 5),
    "regression": lambda engine: (
        Model(2, 6, 1, task="regression", engine=engine),
        PLANE_X,
        plane(15.0, -40.0, 70.0),
    ),
    "softmax and nll": lambda engine: (
        Model.from_layers([Linear(2, 5), Tanh(), Dropout(0.2), Linear(5, 2), LogSoftmax()], loss="nll", engine=engine),
        XOR_X * 5,
        XOR_Y * 5,
    ),
}


@pytest.mark.parametrize("trained", ["lanes", "linalg"])
@pytest.mark.parametrize("read", ["lanes", "linalg"])
@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED.keys())
def test_what_one_engine_saved_the_other_can_use(make: Any, trained: str, read: str, tmp_path: Path) -> None:
    model, rows, y = make(trained)
    model.fit(rows, y, epochs=10, lr=0.01)
    path = tmp_path / "model.pkl"
    model.save(path)
    loaded = Model.load(path, engine=read)
    assert loaded.engine == read
    assert loaded.weights == model.weights
    found, wanted = (
        model_.predict_proba(rows) if model_.classes else model_.predict(rows) for model_ in (loaded, model)
    )
    assert found == wanted if trained == read else found == [pytest.approx(v, rel=1e-3, abs=1e-3) for v in wanted]
    again = tmp_path / "again.pkl"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()  # a file does not tell which engine made it
    history = loaded.fit(rows, y, epochs=2, lr=0.01)
    assert all(map(math.isfinite, history.loss))


@pytest.mark.parametrize("width", WIDTHS)
def test_weights_are_numbers_that_a_double_holds_exactly(
    width: int | None, digits: tuple[list[Any], list[Any]]
) -> None:
    model = Model(64, 6, 10, engine=Lanes(width))
    lanes: list[tuple[list[int], float]] = []

    def look(model: Any, run: Any) -> None:
        parameter = model.network.parameters()[0]
        rows = model.ops.rows_of(parameter.value)
        lanes[:] = [(model.ops.layout(6).unpack(rows.data, rows.bound), rows.scale)]

    model.fit(*digits, epochs=1, callbacks=[Watch(look)])
    ((ints, scale),) = lanes
    assert math.frexp(scale)[0] == 0.5  # a power of two: times an int of at most 53 bits, nothing is rounded
    assert max(map(abs, ints)) < 2**53
    assert [v for row in model.weights[0] for v in row] == [v * scale for v in ints]
    assert [int(v / scale) for row in model.weights[0] for v in row] == ints


def test_predicting_what_the_engine_cannot_hold_is_refused() -> None:
    model = Model(1, [], 2, scaling="none")
    model.fit([[0.0], [1.0]], [0, 1], epochs=1)
    with pytest.raises(DataError, match=r"^X: numbers up to 1e\+120 appeared"):
        model.predict([[1e120]])


# --- what help() shows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [n for n in scratchnn.__all__ if getattr(getattr(scratchnn, n), "ops", None) is LISTS],
)
def test_help_of_a_class_says_in_a_line_what_computes(name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(getattr(scratchnn, name)))
    assert "ops = linalg\n" in text
    assert str(linalg.__doc__).splitlines()[0] not in text
    assert "module" not in text.split("ops = ", 1)[1]


def test_what_has_no_engine_of_its_own_computes_with_linalg() -> None:
    assert Linear(2, 3).ops is SGD().ops is LISTS
    layer = Linear(2, 3)
    layer.use(Lanes())
    assert isinstance(layer.ops, Lanes)


@pytest.mark.parametrize("calls", range(6))
def test_a_network_that_is_broken_off_on_its_way_to_another_engine_stays_where_it_was(calls: int) -> None:
    class Breaking(Lanes):
        left = calls

        def from_rows(self, rows: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().from_rows(rows)

    network = Sequential([Linear(2, 3, rng=Random(1)), ReLU(), Sequential([Linear(3, 2, rng=Random(2))])])
    before, engine = LISTS.to_rows(network.forward([[1.0, 2.0]])), Breaking()
    try:
        network.use(engine)
    except KeyboardInterrupt:
        assert {layer.ops for layer in network.walk()} == {LISTS}
        assert LISTS.to_rows(network.forward([[1.0, 2.0]])) == before
    else:
        assert {layer.ops for layer in network.walk()} == {engine}
        assert calls >= 4
