"""``Model`` as its users meet it: fit, predict, score, summary, save and load, and what it says to mistakes."""

from __future__ import annotations

import copy
import inspect
import math
import os
import pickle
import random
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

import scratchnn
from scratchnn import (
    SGD,
    BCEWithLogitsLoss,
    Callback,
    DataError,
    Dropout,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Model,
    ModelFileError,
    NotFittedError,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    load_csv,
)
from scratchnn.preprocessing import Scaling

SNIPPET = """
model = Model(input_size=784, hidden_size=100, output_size=10)
model.fit(X_train, y_train, eval=10, epochs=100, lr=0.1, show_training_info=True)
model.save('model.pkl')
loaded_model = Model.load('model.pkl')
predictions = loaded_model.predict(X_test)
print("Accuracy:", loaded_model.get_accuracy(predictions, y_test))      # percent, 0-100
"""


def clouds(
    samples: int = 60, centres: tuple[tuple[float, float], ...] = ((0, 0), (8, 0), (0, 8))
) -> tuple[list[list[float]], list[int]]:
    """Points around well separated centres, and which centre each belongs to."""
    rng = Random(5)
    y = [i % len(centres) for i in range(samples)]
    return [[rng.gauss(c, 1.0) for c in centres[k]] for k in y], y


X, Y = clouds()
NAMES = [("ash", "birch", "cedar")[k] for k in Y]
LINE_X = [[i / 10, (i * 7 % 10) / 10] for i in range(20)]
LINE_Y = [2.0 * a - b + 3.0 for a, b in LINE_X]


def fitted(y: Any = Y, **settings: Any) -> Model:
    model = Model(2, 8, 3, **settings)
    model.fit(X, y, epochs=20)
    return model


# --- the snippet of the README -----------------------------------------------------------------------------


class Stop(Callback):
    """Ends training after a few epochs: all hundred of the snippet's would take a while."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, model: Any, run: Any) -> None:
        model.stop_training = run.epoch == self.epochs


def run_snippet(
    epochs: int, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[float, str]:
    """The accuracy it prints, and its progress."""
    fit: Any = inspect.unwrap(Model.fit)
    monkeypatch.setattr(fit, "__kwdefaults__", {**fit.__kwdefaults__, "callbacks": [Stop(epochs)]})
    exec(SNIPPET, {"Model": Model, **names})
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    assert line.startswith("Accuracy: ")
    return float(line.split()[1]), captured.err


def test_the_snippet_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [[255 if i % 3 == k else 0 for i in range(784)] for k in range(3)]
    names = {"X_train": rows, "y_train": [0, 4, 9], "X_test": rows, "y_test": [0, 4, 8]}
    accuracy, progress = run_snippet(10, names, monkeypatch, capsys)
    assert accuracy == pytest.approx(200 / 3)
    assert len(progress.splitlines()) == 1
    assert "10/100" in progress
    assert os.listdir(tmp_path) == ["model.pkl"]


@pytest.mark.shared
def test_the_snippet_runs_on_mini_mnist(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    X_train, y_train = load_csv(shared / "mini-mnist" / "train.csv")
    X_test, y_test = load_csv(shared / "mini-mnist" / "test.csv")
    names = {"X_train": X_train[:100], "y_train": y_train[:100], "X_test": X_test[:50], "y_test": y_test[:50]}
    accuracy, _ = run_snippet(2, names, monkeypatch, capsys)
    assert accuracy >= 20.0  # of ten digits, after seven steps


# --- classification ----------------------------------------------------------------------------------------


def test_a_classifier_learns() -> None:
    model = fitted()
    assert model.score(X, Y) == 1.0
    assert model.predict(X) == Y
    assert model.predict([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]]) == [0, 1, 2]


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "elu", "softplus"])
def test_every_activation_learns(activation: str) -> None:
    model = Model(2, [8, 8], 3, activation=activation)
    model.fit(X, Y, epochs=15, lr=0.3)
    assert model.score(X, Y) == 1.0


@pytest.mark.parametrize(
    ("hidden_size", "linear_layers"), [(5, 2), ([], 1), ([5], 2), ([5, 4, 3], 4), ((6, 5), 3), (range(3, 5), 3)]
)
def test_hidden_size_is_a_number_or_a_list(hidden_size: Any, linear_layers: int) -> None:
    model = Model(2, hidden_size, 3)
    assert sum(isinstance(layer, Linear) for layer in model.network) == linear_layers
    history = model.fit(X, Y, epochs=2)
    assert history.loss[1] < history.loss[0]


def test_labels_come_back_as_they_were_given() -> None:
    model = fitted(NAMES)
    assert model.classes == ["ash", "birch", "cedar"]
    assert model.predict(X) == NAMES
    odd = fitted([(-7, 100, 3)[k] for k in Y])
    assert odd.classes == [-7, 3, 100]
    assert odd.predict([[8.0, 0.0]]) == [100]


def test_whole_floats_are_classes_too() -> None:
    model = fitted([float(k) for k in Y])
    assert model.predict(X) == Y
    assert model.score(X, [float(k) for k in Y]) == 1.0


def test_numbers_from_0_on_may_leave_out_classes() -> None:
    model = Model(2, 8, 10)
    model.fit(X, [(1, 4, 7)[k] for k in Y], epochs=20)
    assert model.classes == list(range(10))
    assert model.predict([[0.0, 8.0]]) == [7]


def test_probabilities_are_in_the_order_of_the_classes_and_add_up_to_1() -> None:
    model = fitted(NAMES)
    probabilities = model.predict_proba(X)
    assert len(probabilities) == len(X)
    for row, name in zip(probabilities, NAMES):
        assert len(row) == 3
        assert all(0.0 <= p <= 1.0 for p in row)
        assert math.fsum(row) == pytest.approx(1.0, abs=1e-12)
        assert model.classes[row.index(max(row))] == name


@pytest.mark.parametrize("labels", [(0, 1), ("no", "yes"), (False, True)])
def test_one_output_tells_two_classes_apart(labels: tuple[Any, Any]) -> None:
    model = Model(2, 6, 1)
    wanted = [labels[k > 0] for k in Y]
    model.fit(X, wanted, epochs=60)
    assert model.predict(X) == wanted
    assert model.classes == list(labels)
    for row in model.predict_proba(X):
        assert len(row) == 2
        assert math.fsum(row) == pytest.approx(1.0)
    loss, accuracy = model.evaluate(X, wanted)
    assert accuracy == model.score(X, wanted) == 1.0
    assert loss < 0.1


def test_score_evaluate_and_get_accuracy_agree() -> None:
    model = fitted()
    wrong = [0] * len(Y)
    assert model.score(X, wrong) == pytest.approx(1 / 3)
    assert model.get_accuracy(model.predict(X), wrong) == pytest.approx(100 / 3)
    loss, accuracy = model.evaluate(X, wrong)
    assert accuracy == model.score(X, wrong)
    by_hand = [-math.log(row[0]) for row in model.predict_proba(X)]
    assert loss == pytest.approx(math.fsum(by_hand) / len(by_hand))


def test_accuracy_is_a_percentage() -> None:
    assert Model.get_accuracy([1, 2, 3, 4], [1, 2, 3, 5]) == 75.0
    assert Model.get_accuracy(("a", "b"), ["b", "b"]) == 50.0
    for predictions, labels in (([], []), ([1], [1, 2])):
        with pytest.raises(DataError, match=f"got {len(predictions)} and {len(labels)}$"):
            Model.get_accuracy(predictions, labels)


def test_predictions_do_not_depend_on_how_many_rows_come_at_once() -> None:
    model = fitted(engine="linalg")  # with lanes, rows that come together share their units: equal but for rounding
    many = [X[i % len(X)] for i in range(600)]
    assert model.predict_proba(many) == [model.predict_proba([row])[0] for row in many]


# --- regression --------------------------------------------------------------------------------------------


def test_a_regression_learns() -> None:
    model = Model(2, 8, 1, task="regression")
    model.fit(LINE_X, LINE_Y, epochs=200, lr=0.05)
    assert model.predict(LINE_X) == pytest.approx(LINE_Y, abs=0.3)
    assert model.score(LINE_X, LINE_Y) > 0.98
    loss, accuracy = model.evaluate(LINE_X, LINE_Y)
    assert accuracy is None
    assert loss == pytest.approx(sum((a - b) ** 2 for a, b in zip(model.predict(LINE_X), LINE_Y)) / len(LINE_Y))
    assert model.classes == []


def test_the_score_of_a_regression_is_r_squared() -> None:
    model = Model(2, 8, 1, task="regression")
    model.fit(LINE_X, LINE_Y, epochs=3)
    mean = sum(LINE_Y) / len(LINE_Y)
    residual = sum((a - b) ** 2 for a, b in zip(model.predict(LINE_X), LINE_Y))
    assert model.score(LINE_X, LINE_Y) == pytest.approx(1 - residual / sum((t - mean) ** 2 for t in LINE_Y))


@pytest.mark.parametrize("scale", [5e-324, 1e-200, 1e200, 1e307])
def test_a_score_knows_no_unit(scale: float) -> None:
    model = Model(2, 8, 1, task="regression")
    model.fit(LINE_X, [0.0, 1.0] * (len(LINE_X) // 2), epochs=1)
    assert model.score(LINE_X, [v * scale for v in LINE_Y]) <= 1.0
    model.schema = model.schema._replace(target_scaling=Scaling("standard", [0.0], [scale]))
    assert model.score(LINE_X, model.predict(LINE_X)) == 1.0


@pytest.mark.parametrize("constant", [False, True])
def test_the_score_of_several_values_is_scikit_learn_s(constant: bool) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    pairs = [[a, 5.0 if constant else 1000.0 - a * a] for a in LINE_Y]
    model = Model(2, 8, 2, task="regression")
    model.fit(LINE_X, pairs, epochs=3)
    assert model.score(LINE_X, pairs) == pytest.approx(metrics.r2_score(pairs, model.predict(LINE_X)))
    assert model.score(LINE_X, model.predict(LINE_X)) == 1.0


def test_a_regression_may_have_several_values() -> None:
    pairs = [[a, 10.0 - a] for a in LINE_Y]
    model = Model(2, 8, 2, task="regression")
    model.fit(LINE_X, pairs, epochs=200, lr=0.05)
    predictions = model.predict(LINE_X)
    assert [len(row) for row in predictions] == [2] * len(LINE_X)
    assert model.score(LINE_X, pairs) > 0.9


def test_a_regression_has_no_probabilities() -> None:
    model = Model(2, 8, 1, task="regression")
    model.fit(LINE_X, LINE_Y, epochs=1)
    with pytest.raises(ValueError, match="predict_proba needs a classifier, this model does regression"):
        model.predict_proba(LINE_X)


# --- how many outputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
@pytest.mark.parametrize(
    ("task", "y", "outputs"),
    [
        ("classification", Y, 3),
        ("classification", NAMES, 3),
        ("classification", [int(k > 0) for k in Y], 2),
        ("classification", [[float(k == c) for c in range(4)] for k in Y], 4),
        ("regression", [float(k) for k in Y], 1),
        ("regression", [[float(k), 1.0] for k in Y], 2),
        ("multilabel", [[int(k == 0), int(k > 0)] for k in Y], 2),
    ],
)
def test_outputs_are_read_off_the_labels(task: str, y: Any, outputs: int, engine: str) -> None:
    told = Model(2, [5, 4], outputs, task=task, engine=engine, dropout=0.2, seed=3)
    model = Model(2, [5, 4], task=task, engine=engine, dropout=0.2, seed=3)
    for one, labels in ((told, y), (model, iter(y))):
        one.fit(X, labels, epochs=2, lr=0.01)
    assert model.output_size == outputs
    assert model.weights == told.weights
    assert model.predict(X) == told.predict(X)
    assert model.engine == engine


def test_until_the_first_fit_there_are_ten_outputs() -> None:
    model = Model(2, 5)
    assert model.output_size == len(model.weights[-1]) == 10
    assert Model(2, 5, task="regression").output_size == 1
    with pytest.raises(DataError):
        model.fit(X, NAMES[1:])
    assert model.output_size == 10
    model.fit(X, NAMES, epochs=1)
    assert model.output_size == 3
    with pytest.raises(DataError, match="label 0 is 'oak', which is not a class"):
        model.fit(X, ["oak"] * len(X), epochs=1)


def test_weights_that_were_set_settle_the_outputs() -> None:
    model = Model(2, 5)
    model.weights = model.weights
    model.fit(X, Y, epochs=1)
    assert model.output_size == 10


def test_frozen_layers_stay_frozen_when_outputs_are_settled() -> None:
    model = Model(2, 5)
    model.network[0].trainable = False
    before = model.weights[:2]
    model.fit(X, Y, epochs=1)
    assert (model.output_size, model.weights[:2]) == (3, before)


def test_parts_are_told_the_classes_that_outputs_are_for() -> None:
    model = Model(2, 5)
    before = model.weights
    for classes, rows in ((["ash"], X[:2]), (sorted(set(NAMES)), [[1.0]] * 2), (["ash", 5], X[:2])):
        with pytest.raises(ValueError, match=r"single class|1 features|all strings or all numbers"):
            model.partial_fit(rows, NAMES[:2], classes=classes)
        assert (model.output_size, model.weights, model.classes) == (10, before, [])
    model.partial_fit(X[:2], NAMES[:2], classes=sorted(set(NAMES)))
    model.partial_fit(X, NAMES)
    assert (model.output_size, model.classes) == (3, sorted(set(NAMES)))


# --- several labels a row -----------------------------------------------------------------------------------

FLAGS = [[int(k == 0), int(k > 0), int(a + b > 4)] for (a, b), k in zip(X, Y)]


def multilabel(kind: str) -> Model:
    if kind == "perceptron":
        return Model(2, 8, 3, task="multilabel")
    layers = [Linear(2, 8), ReLU(), Linear(8, 3)]
    if kind == "logits":
        return Model.from_layers(layers, loss="bce_with_logits")
    return Model.from_layers([*layers, Sigmoid()], loss="bce", task="multilabel")


@pytest.mark.parametrize("kind", ["perceptron", "logits", "probabilities"])
def test_several_labels_a_row_are_rows_of_0_and_1(kind: str, np: Any, tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    model = multilabel(kind)
    assert model.task == "multilabel"
    history = model.fit(X, np.array(FLAGS), epochs=15, lr=0.3, validation_data=(X, FLAGS))
    predictions, probabilities = model.predict(X), model.predict_proba(X)
    assert {v for row in predictions for v in row} == {0, 1}
    assert predictions == [[int(p >= 0.5) for p in row] for row in probabilities]
    assert all(0.0 <= p <= 1.0 for row in probabilities for p in row)
    assert model.score(X, FLAGS) == metrics.accuracy_score(FLAGS, predictions) == history.validation_accuracy[-1] > 0.8
    assert model.get_accuracy(predictions, FLAGS) == pytest.approx(100.0 * model.score(X, FLAGS))
    loss, accuracy = model.evaluate(X, FLAGS)
    assert accuracy == model.score(X, FLAGS)
    assert loss == pytest.approx(metrics.log_loss(np.ravel(FLAGS), np.ravel(probabilities)), rel=1e-6)
    model.save(tmp_path / "model.pkl")
    again = Model.load(tmp_path / "model.pkl")
    assert (again.task, again.predict(X), again.classes) == ("multilabel", predictions, [])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0, 1, 2]] * 60, r"y: row 0, column 2 must be 0 or 1 for multi-label, got 2\.0; .* set task=.regression."),
        ([[0, 1, 0.5]] * 60, r"y: row 0, column 2 must be 0 or 1 for multi-label, got 0\.5"),
        ([[0, 1]] * 60, "y: row 0 has 2 numbers, expected 3"),
        (Y, "y: row 0 has 1 number, expected 3"),
    ],
)
def test_other_rows_are_not_several_labels(y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        multilabel("logits").fit(X, y)


def test_several_labels_need_several_outputs_and_a_binary_loss() -> None:
    for make in (
        lambda: Model(2, 3, 1, task="multilabel"),
        lambda: Model.from_layers([Linear(2, 3)], task="multilabel"),
        lambda: Model.from_layers([Linear(2, 3)], loss="mse", task="multilabel"),
        lambda: Model.from_layers([Linear(2, 1)], loss="bce_with_logits", task="multilabel"),
    ):
        with pytest.raises(ValueError, match="multilabel needs several outputs and BCEWithLogitsLoss or BCELoss, not "):
            make()


# --- any stack of layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        ([Linear(2, 8), ReLU(), Linear(8, 3)], "cross_entropy"),
        ([Linear(2, 8), Tanh(), Linear(8, 3), LogSoftmax()], "nll"),
        ([Sequential([Linear(2, 8), LeakyReLU(0.1)]), Sequential([Sequential([Linear(8, 3)])])], "cross_entropy"),
        ([Dropout(0.1), Linear(2, 12), ReLU(), Dropout(0.1), Linear(12, 3)], "cross_entropy"),
    ],
)
def test_any_stack_can_be_a_classifier(layers: Any, loss: str) -> None:
    model = Model.from_layers(layers, loss=loss)
    model.fit(X, NAMES, epochs=40)
    assert model.task == "classification"
    assert model.score(X, NAMES) >= 0.95


@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        ([Linear(2, 6), ReLU(), Linear(6, 1)], BCEWithLogitsLoss()),
        ([Linear(2, 6), Tanh(), Linear(6, 1), Sigmoid()], "bce"),
    ],
)
def test_a_single_output_with_binary_cross_entropy_is_a_classifier(layers: Any, loss: Any) -> None:
    model = Model.from_layers(layers, loss=loss)
    wanted = ["no" if k else "yes" for k in Y]
    model.fit(X, wanted, epochs=40)
    assert model.predict(X) == wanted


def test_any_stack_can_be_a_regression() -> None:
    model = Model.from_layers([Linear(2, 8), Tanh(), Linear(8, 1)], loss="mse")
    assert model.task == "regression"
    model.fit(LINE_X, LINE_Y, epochs=100, lr=0.05)
    assert model.score(LINE_X, LINE_Y) > 0.9


def test_the_input_shape_is_read_off_the_first_linear_layer_or_given() -> None:
    assert Model.from_layers([Dropout(0.5), Sequential([Linear(7, 2)])]).input_size == 7
    assert Model.from_layers([Linear(12, 2)], input_shape=(3, 2, 2)).input_shape == (3, 2, 2)
    assert Model.from_layers([ReLU(), LogSoftmax()], loss="nll", input_shape=4).output_size == 4


@pytest.mark.parametrize(
    ("layers", "settings", "message"),
    [
        ([], {}, "a model needs at least one layer"),
        ([ReLU()], {}, "input_shape is needed: there is no Linear layer to read it off"),
        ([Linear(2, 3), Linear(4, 2)], {}, r"layer 1: Linear\(4, 2\) expects 4 inputs, got 3"),
        ([Linear(2, 3)], {"input_shape": 5}, r"layer 0: Linear\(2, 3\) expects 2 inputs, got 5"),
        ([Linear(2, 3)], {"input_shape": (2, -1)}, "input_shape must be a whole number of at least 1, got -1"),
        ([Linear(2, 3), "relu"], {}, "Sequential takes layers, got 'relu' at position 1"),
        (
            [Linear(2, 3)],
            {"loss": "hinge"},
            "unknown loss 'hinge': known are mse, l1, huber, bce, bce_with_logits, cross_entropy, nll, kl_div",
        ),
        (
            [Linear(2, 3)],
            {"loss": Linear},
            r"loss must be a Loss or the name of one \(mse, .*\), got <class",
        ),
        (
            [Linear(2, 3)],
            {"task": "clustering"},
            "unknown task 'clustering': known are classification, regression, multilabel",
        ),
        (
            [Linear(2, 3)],
            {"loss": "mse", "task": "classification"},
            r"MSELoss\(\) with 3 outputs does not tell classes apart: use CrossEntropyLoss",
        ),
        (
            [Linear(2, 1)],
            {},
            r"CrossEntropyLoss\(\) with one output does not tell classes apart: use BCEWithLogitsLoss",
        ),
    ],
)
def test_stacks_that_cannot_work_are_refused(layers: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Model.from_layers(layers, **settings)


def test_a_layer_cannot_stand_in_two_places() -> None:
    shared = ReLU()
    for stack in (
        [Linear(2, 3), shared, Linear(3, 3), shared, Linear(3, 2)],
        [Sequential([shared]), shared, Linear(2, 2)],
    ):
        with pytest.raises(ValueError, match="the same layer object stands in the network twice"):
            Model.from_layers(stack)


def test_weights_are_drawn_from_the_seed_but_for_layers_with_a_generator_of_their_own() -> None:
    def weights(seed: int) -> list[Any]:
        return Model.from_layers([Linear(2, 3), Linear(3, 2, rng=Random(1))], seed=seed).weights

    assert weights(1) == weights(1)
    assert weights(1)[0] != weights(2)[0]
    assert weights(1)[2] == weights(2)[2]


# --- what it is --------------------------------------------------------------------------------------------


def test_the_summary_is_a_table() -> None:
    model = Model.from_layers([Linear(64, 32), ReLU(), Sequential([Linear(32, 32), Dropout(0.2)]), Linear(32, 10)])
    assert model.summary() == "\n".join(
        [
            "layer       output shape  parameters",
            "------------------------------------",
            "input       64",
            "Linear      32                 2,080",
            "ReLU        32                     0",
            "Sequential  32",
            "  Linear    32                 1,056",
            "  Dropout   32                     0",
            "Linear      10                   330",
            "------------------------------------",
            "total                          3,466",
        ]
    )
    assert model.parameter_count == 3466


def test_repr_tells_the_architecture() -> None:
    text = repr(Model(4, 3, 2))
    assert text.startswith("Model(Sequential([Linear(inputs=4, outputs=3, init='xavier'), ReLU(), Linear(")
    assert "CrossEntropyLoss()" in text


def test_weights_are_lists_and_can_be_put_back() -> None:
    model = Model(2, 3, 2)
    weights = model.weights
    assert [len(weights), len(weights[0]), len(weights[0][0]), len(weights[1])] == [4, 2, 3, 3]
    assert weights[1] == [0.0, 0.0, 0.0]
    changed = [[[1, 2, 3], [4, 5, 6]], [7, 8, 9], [[1.5, 2.5]] * 3, (0.5, 0.25)]
    model.weights = changed
    assert model.weights == [[[1, 2, 3], [4, 5, 6]], [7, 8, 9], [[1.5, 2.5]] * 3, [0.5, 0.25]]
    model.weights = weights
    assert model.weights == weights


def test_weights_are_a_copy() -> None:
    model = Model(2, 3, 2)
    model.weights[0][0][0] = 99.0
    assert model.weights[0][0][0] != 99.0
    mine = model.weights
    model.weights = mine
    mine[0][0][0] = 99.0
    assert model.weights[0][0][0] != 99.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w[:3], "weights needs 4 matrices and vectors, got 3"),
        (lambda w: [w[2], *w[1:]], r"weights\[0\] must be 2x3, got 3x2"),
        (lambda w: [w[0], [0.0], *w[2:]], r"weights\[1\] must be 1x3, got 1x1"),
        (
            lambda w: [w[0], [0.0, 0.0, math.nan], *w[2:]],
            r"weights\[1\]: row 0, column 2 must be a finite number, got nan",
        ),
        (lambda w: [w[0], 5.0, *w[2:]], r"weights\[1\]: row 0 must be a sequence of numbers, got float 5\.0; .*"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(change: Callable[[Any], Any], message: str) -> None:
    model = Model(2, 3, 2)
    before = model.weights
    with pytest.raises(ValueError, match=f"^{message}$"):
        model.weights = change(before)
    assert model.weights == before


def test_he_after_rectifiers_that_do_not_widen_and_xavier_elsewhere() -> None:
    def rules(*sizes: int, **more: Any) -> list[str]:
        layers = Model(sizes[0], list(sizes[1:-1]), sizes[-1], **more).network
        return [layer.config()["init"] for layer in layers if isinstance(layer, Linear)]

    for activation, after in (
        ("relu", "he"),
        ("leaky_relu", "he"),
        ("tanh", "xavier"),
        ("sigmoid", "xavier"),
        ("gelu", "he"),
    ):
        assert rules(9, 6, 6, 4, 8, 2, activation=activation) == ["xavier", after, after, "xavier", after]
        assert rules(9, 2, activation=activation) == ["xavier"]
    assert rules(2, 3, 2, activation="tanh", init="he") == ["he", "he"]
    largest = max(abs(v) for row in Model(50, 40, 2, init=0.01).weights[0] for v in row)
    assert 0.009 < largest <= 0.01


def test_dropout_stands_after_each_hidden_layer() -> None:
    kinds = [type(layer).__name__ for layer in Model(2, [4, 3], 2, dropout=0.5).network]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]


# --- what rows may be --------------------------------------------------------------------------------------

PIXELS = [[(7 * i + 31 * j) % 256 for j in range(20)] for i in range(12)]
PIXEL_LABELS = [i % 2 for i in range(12)]


def trained_on_pixels(rows: Any, labels: Any = PIXEL_LABELS) -> Model:
    model = Model(20, 5, 2)
    model.fit(rows, labels, epochs=3)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: tuple(map(tuple, rows)),
        lambda rows: list(map(bytes, rows)),
        lambda rows: list(map(bytearray, rows)),
        lambda rows: [memoryview(bytes(row)) for row in rows],
        lambda rows: [array("B", row) for row in rows],
        lambda rows: [array("i", row) for row in rows],
        lambda rows: [array("d", row) for row in rows],
        lambda rows: (row for row in rows),
        lambda rows: map(iter, rows),
        lambda rows: [[float(v) for v in row] for row in rows],
    ],
    ids=["tuples", "bytes", "bytearrays", "memoryviews", "array B", "array i", "array d", "generator", "map", "floats"],
)
def test_rows_of_every_kind_give_the_same_model(make: Callable[[Any], Any]) -> None:
    reference, model = trained_on_pixels(PIXELS), trained_on_pixels(make(PIXELS))
    assert model.weights == reference.weights
    assert model.predict_proba(make(PIXELS)) == reference.predict_proba(PIXELS)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_numpy_arrays_give_the_same_model(np: Any, dtype: str) -> None:
    rows, labels = np.array(PIXELS, dtype=dtype), np.array(PIXEL_LABELS)
    reference, model = trained_on_pixels(PIXELS), trained_on_pixels(rows, labels)
    assert model.weights == reference.weights
    assert model.predict(rows) == reference.predict(PIXELS)
    assert all(type(label) is int for label in model.predict(rows))
    assert model.score(rows, labels) == reference.score(PIXELS, PIXEL_LABELS)


@pytest.mark.parametrize("make", [tuple, iter, lambda y: (k for k in y), bytes, lambda y: array("i", y)])
def test_labels_of_every_kind_give_the_same_model(make: Callable[[Any], Any]) -> None:
    weights = trained_on_pixels(PIXELS).weights
    assert trained_on_pixels(PIXELS, make(PIXEL_LABELS)).weights == weights


def test_regression_targets_may_come_one_by_one() -> None:
    model = Model(2, 3, 1, task="regression")
    assert len(model.fit(iter(LINE_X), iter(LINE_Y), epochs=2)) == 2


# --- scaling -----------------------------------------------------------------------------------------------


def test_raw_rows_are_given_to_predict() -> None:
    large = [[1e6 + 1000.0 * a, 5.0 * b] for a, b in X]
    model = Model(2, 8, 3)
    model.fit(large, Y, epochs=20)
    assert model.predict(large) == Y
    assert model.predict([large[1]]) == [Y[1]]


def test_features_are_standardised_by_the_training_rows_alone() -> None:
    far_away = [[a + 1000.0, b] for a, b in X]
    with_it, without = Model(2, 8, 3), Model(2, 8, 3)
    with_it.fit(X, Y, epochs=2, validation_data=(far_away, Y))
    without.fit(X, Y, epochs=2)
    assert with_it.weights == without.weights
    assert with_it.predict_proba(far_away) == without.predict_proba(far_away)


def test_the_scaling_of_the_first_fit_holds_for_the_second() -> None:
    model = fitted()
    before = model.predict_proba(X)
    model.fit([[a + 1000.0, b] for a, b in X], Y, epochs=1, lr=1e-12)
    assert model.predict_proba(X) == [pytest.approx(row, rel=1e-6) for row in before]


def test_a_check_of_gradients_teaches_nothing() -> None:
    model = Model(2, 3, 3)
    inputs, targets = model.training_batch(X[:5], NAMES[:5])
    assert (len(inputs), len(targets)) == (5, 5)
    assert model.classes == []
    with pytest.raises(NotFittedError):
        model.predict(X)


# --- the same seed, the same result ------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_result_to_the_last_bit() -> None:
    first, second = (fitted(NAMES, seed=3, dropout=0.2) for _ in range(2))
    assert first.weights == second.weights
    assert first.predict_proba(X) == second.predict_proba(X)


def test_another_seed_gives_another_result() -> None:
    assert Model(2, 8, 3, seed=1).weights != Model(2, 8, 3, seed=2).weights
    assert Model(2, 8, 3, seed=None).weights != Model(2, 8, 3, seed=None).weights


def test_the_global_generator_is_neither_read_nor_changed() -> None:
    random.seed(1)
    state = random.getstate()
    first = fitted(dropout=0.2)
    assert random.getstate() == state
    random.seed(2)
    assert fitted(dropout=0.2).weights == first.weights


def test_the_result_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from scratchnn import Model\n"
        "m = Model(2, 4, 3, dropout=0.2)\n"
        "m.fit([[0, 1], [1, 0], [1, 1]] * 4, ['ash', 'birch', 'cedar'] * 4, epochs=3, class_weight='balanced')\n"
        "print(m.classes, m.weights)"
    )
    folder = str(Path(scratchnn.__file__).parent.parent)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": folder},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# --- fitting again, validation, dropout --------------------------------------------------------------------


def test_a_second_fit_goes_on() -> None:
    model = Model(2, 8, 3)
    first = model.fit(X, Y, epochs=3)
    second = model.fit(X, Y, epochs=3)
    assert len(second) == 3
    assert second.loss[0] < first.loss[-1]


def test_a_second_fit_keeps_the_classes_of_the_first() -> None:
    model = fitted(NAMES)
    model.fit(X[:2], ["cedar", "ash"], epochs=1)
    assert model.classes == ["ash", "birch", "cedar"]
    with pytest.raises(DataError, match=r"y: label 1 is 'oak', which is not a class of the training data \('ash',"):
        model.fit(X[:2], ["ash", "oak"])


def test_validation_data_are_measured_after_every_epoch() -> None:
    model = Model(2, 8, 3, dropout=0.3)
    history = model.fit(X, Y, epochs=4, validation_data=(X[:10], Y[:10]))
    assert [len(values) for values in history.to_dict().values()] == [4] * 5
    assert (history.validation_loss[-1], history.validation_accuracy[-1]) == model.evaluate(X[:10], Y[:10])
    assert model.fit(X, Y, epochs=1).validation_loss == []


def test_validation_data_do_not_change_training() -> None:
    first, second = Model(2, 8, 3, dropout=0.3), Model(2, 8, 3, dropout=0.3)
    first.fit(X, Y, epochs=3, validation_data=(X[:10], Y[:10]))
    second.fit(X, Y, epochs=3)
    assert first.weights == second.weights


def test_dropout_is_off_when_predicting() -> None:
    model = fitted(dropout=0.5)
    assert model.predict_proba(X) == model.predict_proba(X)
    assert not model.network.training


def test_class_weights_move_the_border() -> None:
    rng = Random(4)
    rows = [[rng.gauss(float(k), 1.0)] for k in (0, 1) for _ in range(50)]
    labels = ["rare"] * 50 + ["common"] * 50

    def count_rare(weight: float) -> int:
        model = Model(1, [], 2)
        model.fit(rows, labels, epochs=20, class_weight={"rare": weight})
        return model.predict(rows).count("rare")

    assert count_rare(0.1) < count_rare(1.0) < count_rare(10.0)


def test_show_training_info_writes_a_line_every_eval_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    Model(2, 3, 3).fit(X, Y, epochs=7, eval=3, show_training_info=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split("/")[0].split()[-1] for line in captured.err.splitlines()] == ["3", "6", "7"]
    Model(2, 3, 3).fit(X, Y, epochs=7)
    assert capsys.readouterr() == ("", "")


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "rows", "y"),
    [
        (Model(2, [8, 4], 3, activation="tanh", dropout=0.1), X, NAMES),
        (Model(2, [], 3, activation="leaky_relu", scaling="none"), X, Y),
        (Model(2, 5, 1), X, [k > 0 for k in Y]),
        (Model(2, 5, 1, task="regression"), LINE_X, LINE_Y),
        (Model(2, 5, 2, task="regression"), LINE_X, [[t, -t] for t in LINE_Y]),
        (Model(20, 5, 2, activation="sigmoid", init=0.5), PIXELS, PIXEL_LABELS),
        (
            Model.from_layers(
                [Sequential([Linear(2, 6), LeakyReLU(0.2)]), Dropout(0.1), Linear(6, 3), LogSoftmax()], loss="nll"
            ),
            X,
            NAMES,
        ),
        (
            Model.from_layers([Linear(2, 4), Sigmoid(), Softmax(), Linear(4, 1), Sigmoid()], loss="bce"),
            X,
            [k > 1 for k in Y],
        ),
    ],
    ids=["mlp", "no hidden layer", "one output", "regression", "two values", "pixels", "nested stack", "every squash"],
)
def test_a_loaded_model_predicts_the_same_to_the_last_bit(model: Model, rows: Any, y: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    model.fit(rows, y, epochs=2)
    model.save(path)
    loaded = Model.load(path)
    assert loaded.predict(rows) == model.predict(rows)
    assert loaded.evaluate(rows, y) == model.evaluate(rows, y)
    if model.task == "classification":
        assert loaded.predict_proba(rows) == model.predict_proba(rows)
    assert loaded.weights == model.weights
    assert (loaded.classes, loaded.task, loaded.input_shape) == (model.classes, model.task, model.input_shape)
    assert list(map(type, loaded.classes)) == list(map(type, model.classes))
    assert loaded.summary() == model.summary()
    assert repr(loaded) == repr(model)


def test_names_are_saved_with_the_model(np: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    columns = SimpleNamespace(feature_names=["length", "width"], label_name="tree", label_position=-1)
    model = Model(2, 8, 3)
    model.fit(X, Y, epochs=1, columns=columns)
    model.save(path)
    loaded = Model.load(path)
    assert (loaded.feature_names, loaded.label_name, loaded.label_position) == (["length", "width"], "tree", -1)
    model.fit(X, Y, epochs=1, columns=["other", "names"])  # those of the first data hold for good
    assert model.feature_names == ["length", "width"]
    model = Model(2, 8, 3)
    model.fit(X, Y, epochs=1, columns=np.array(["length", "width"]))
    model.save(path)
    assert Model.load(path).feature_names == ["length", "width"]


def test_a_model_that_has_not_been_fitted_can_be_saved(tmp_path: Path) -> None:
    model = Model(2, 8, 3, scaling="none", seed=7)
    model.save(tmp_path / "model.pkl")
    loaded = Model.load(tmp_path / "model.pkl")
    assert loaded.weights == model.weights
    with pytest.raises(NotFittedError):
        loaded.predict(X)
    model.fit(X, Y, epochs=1, lr=0.01, shuffle=False)
    loaded.fit(X, Y, epochs=1, lr=0.01, shuffle=False)
    assert loaded.weights == model.weights


def test_a_loaded_model_can_be_fitted_on(tmp_path: Path) -> None:
    model = fitted(NAMES)
    model.save(tmp_path / "model.pkl")
    loaded = Model.load(tmp_path / "model.pkl")
    fresh = Model(2, 8, 3).fit(X, NAMES, epochs=1)
    assert loaded.fit(X, NAMES, epochs=1).loss[0] < fresh.loss[0] / 2
    assert loaded.predict(X) == NAMES


def test_loading_names_the_file_and_the_engines(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nothing\.pkl: no such file"):
        Model.load(tmp_path / "nothing.pkl")
    with pytest.raises(ValueError, match="unknown engine 'abacus': known are lanes, linalg, numpy, torch"):
        Model.load(tmp_path / "nothing.pkl", engine="abacus")


# --- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_size": 0}, "input_size must be a whole number of at least 1, got 0"),
        ({"input_size": 2.5}, r"input_size must be a whole number of at least 1, got 2\.5"),
        ({"input_size": "784"}, "input_size must be a whole number of at least 1, got '784'"),
        ({"hidden_size": 0}, "hidden_size must be a whole number of at least 1, got 0"),
        ({"hidden_size": [10, -1]}, "hidden_size must be a whole number of at least 1, got -1"),
        ({"hidden_size": "100"}, "hidden_size must be a whole number or a list of them, got '100'"),
        ({"hidden_size": None}, "hidden_size must be a whole number or a list of them, got None"),
        ({"hidden_size": True}, "hidden_size must be a whole number of at least 1, got True"),
        ({"output_size": -3}, "output_size must be a whole number of at least 1, got -3"),
        (
            {"activation": "swish"},
            "unknown activation 'swish': known are relu, leaky_relu, tanh, sigmoid, gelu, silu, elu, softplus",
        ),
        (
            {"activation": ["relu"]},
            r"unknown activation \['relu'\]: known are relu, leaky_relu, tanh, sigmoid, gelu, silu, elu, softplus",
        ),
        ({"activation": Linear}, "unknown activation <class 'scratchnn.layers.linear.Linear'>: known are relu, .*"),
        ({"task": "both"}, "unknown task 'both': known are classification, regression, multilabel"),
        (
            {"engine": "abacus"},
            "unknown engine 'abacus': known are lanes, linalg, numpy, torch, or an Engine such as ArrayEngine.'cupy'.",
        ),
        ({"scaling": "minmax"}, "unknown scaling 'minmax': known are auto, pixels, standard, none"),
        ({"init": "zeros"}, "unknown initialisation 'zeros': known are he, xavier, or a number"),
        ({"dropout": 1.0}, r"rate of Dropout must be a number at least 0 and below 1, got 1\.0"),
        ({"dropout": "half"}, "rate of Dropout must be a number at least 0 and below 1, got 'half'"),
        (
            {"seed": "lucky"},
            "seed must be a whole number of at least 0, got 'lucky'",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Model(**{"input_size": 2, "hidden_size": 3, "output_size": 2, **settings})


@pytest.mark.parametrize(
    ("rows", "y", "message"),
    [
        (X, Y[:-1], "X and y must be of the same length, got 60 rows and 59 labels"),
        ([], [], "X is empty: at least one row is needed"),
        (5, Y, "X must be a sequence of rows, got int 5"),
        ([1.0, 2.0], [0, 1], r"X: row 0 must be a sequence of numbers, got float 1\.0; .*\[row\]"),
        ([[1, 2], [3]], [0, 1], "X: row 1 has 1 features, expected 2"),
        ([[1, 2, 3], [4, 5, 6]], [0, 1], "X: row 0 has 3 features, expected 2"),
        ([[1, 2], [3, "four"]], [0, 1], "X: row 1, column 1 must be a number, got str 'four'"),
        ([[1, 2], [3, math.nan]], [0, 1], "X: row 1, column 1 must be a finite number, got nan"),
        ([[1, 2], [-math.inf, 3]], [0, 1], "X: row 1, column 0 must be a finite number, got -inf"),
        ([[1, 2], [3, 4]], [0, None], "y: label 1 must be a number or a string, got NoneType None"),
        ([[1, 2], [3, 4]], 1, "y must be a sequence of labels, got int 1"),
        ([[1, 2], [3, 4]], ["a", 1], "labels must be all strings or all numbers: label 0 is 'a', label 1 is 1"),
        ([[1, 2], [3, 4]], [0.5, 1], r"a class label must be a whole number or a string, got 0\.5; .* use regression"),
        ([[1, 2], [3, 4]], [1, 1], "y has a single class, 1: at least two are needed to learn from"),
        ([[1, 2], [3, 4]], ["x", "x"], "y has a single class, 'x': at least two are needed to learn from"),
        (
            [[1, 2], [3, 4]],
            ["a", "b"],
            "y has 2 classes, but the model has outputs for 3: set output_size=2",
        ),
        (
            [[1, 2], [3, 4], [5, 6], [7, 8]],
            [0, 1, 2, 3],
            "y has 4 classes, but the model has outputs for 3: set output_size=4",
        ),
        ([[1, 2], [3, 4]], [0, 3], "y has 2 classes, but the model has outputs for 3: set output_size=2"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(rows: Any, y: Any, message: str) -> None:
    model = Model(2, 4, 3)
    before = model.weights
    with pytest.raises(DataError, match=f"^{message}$"):
        model.fit(rows, y)
    assert model.weights == before
    assert isinstance(DataError(""), ValueError)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (
            (X, [9] * len(X)),
            r"y of validation_data: label 0 is 9, which is not a class of the training data \(0, 1, 2\)",
        ),
        ((X, Y[:5]), "X and y of validation_data must be of the same length, got 60 rows and 5 labels"),
        (([[1.0]], [0]), "X of validation_data: row 0 has 1 features, expected 2"),
        (([], []), "X of validation_data is empty: at least one row is needed"),
        (X, r"validation_data must be a pair \(X, y\), got list"),
        (0.2, r"validation_data must be a pair \(X, y\), got float"),
    ],
)
def test_validation_data_are_checked_before_training(pair: Any, message: str) -> None:
    model = Model(2, 4, 3)
    before = model.weights
    with pytest.raises(DataError, match=f"^{message}$"):
        model.fit(X, Y, validation_data=pair)
    assert model.weights == before


@pytest.mark.parametrize(
    "mistake", [{"validation_data": (X, [9] * len(X))}, {"sample_weight": [1.0]}, {"class_weight": {"oak": 1.0}}]
)
def test_a_fit_that_was_refused_teaches_nothing(mistake: dict[str, Any]) -> None:
    model = Model(2, 4, 3)
    with pytest.raises(ValueError, match=r"validation_data|sample_weight|class_weight"):
        model.fit([[a + 1000.0, b] for a, b in X], NAMES, **mistake)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, Y, epochs=1)
    assert model.classes == [0, 1, 2]


def test_predicting_before_fitting() -> None:
    model = Model(2, 4, 3)
    for use in (model.predict, model.predict_proba):
        with pytest.raises(NotFittedError, match=r"^this model has not been fitted yet: call fit\(X, y\) first$"):
            use(X)
    for measure in (model.score, model.evaluate):
        with pytest.raises(NotFittedError):
            measure(X, Y)
    assert issubclass(NotFittedError, ValueError)


def test_the_wrong_width_in_predict_says_expected_and_got() -> None:
    model = fitted()
    for use in (model.predict, model.predict_proba):
        with pytest.raises(DataError, match=r"^X: row 1 has 3 features, expected 2$"):
            use([[1.0, 2.0], [1.0, 2.0, 3.0]])
    with pytest.raises(DataError, match=r"^X is empty"):
        model.predict([])


def test_a_label_unknown_in_training_cannot_be_scored() -> None:
    model = fitted(NAMES)
    for measure in (model.score, model.evaluate):
        with pytest.raises(DataError, match=r"^y: label 1 is 'oak', which is not a class of the training data"):
            measure(X[:2], ["ash", "oak"])


def test_one_output_tells_no_more_than_two_classes_apart() -> None:
    with pytest.raises(DataError, match=r"^y has 3 classes, but the model has outputs for 2: set output_size=3$"):
        Model(2, 4, 1).fit(X, Y)


def test_regression_targets_are_checked() -> None:
    model = Model(2, 4, 1, task="regression")
    with pytest.raises(DataError, match=r"^y: row 0, column 0 must be a number, got str 'ash'$"):
        model.fit(X, NAMES)
    with pytest.raises(DataError, match=r"^X and y must be of the same length, got 60 and 59$"):
        model.fit(X, Y[:-1])
    with pytest.raises(DataError, match=r"^y: row 0 has 2 numbers, expected 1, one for each output$"):
        model.fit(X, X)


def test_a_softmax_before_a_loss_that_does_it_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="ends in Softmax, but CrossEntropyLoss does the softmax itself"):
        Model.from_layers([Linear(2, 3), Softmax()])
    with pytest.raises(ValueError, match="ends in Softmax, but NLLLoss needs LogSoftmax"):
        Model.from_layers([Linear(2, 3), Sequential([Softmax()])], loss="nll")
    assert Model.from_layers([Linear(2, 3), Softmax()], loss="mse", task="regression").output_size == 3


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_models_can_be_copied_and_sent_to_other_processes(engine: str) -> None:
    model = Model(2, 3, 2, engine=engine)
    optimizer = SGD(0.1, momentum=0.9)
    model.fit(X[:6], [0, 1] * 3, epochs=1, optimizer=optimizer)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.predict_proba(X) == model.predict_proba(X)
        assert (twin.engine, twin.weights) == (engine, model.weights)
        twin.fit(X[:6], [0, 1] * 3, epochs=1, optimizer=copy.deepcopy(optimizer))
        assert twin.weights != model.weights


@pytest.mark.parametrize("engine", ["linalg", "lanes"])
@pytest.mark.parametrize("rows", [[[0.5, -2.0], [3.0, 1.0]], [b"\1\2", b"\0\7"]], ids=["floats", "bytes"])
def test_a_model_that_has_been_asked_can_be_copied(engine: str, rows: list[Any]) -> None:
    """A layer keeps the batch that it has seen last, in whatever form its engine reads it."""
    model = Model(2, 3, 2, engine=engine, scaling="none")
    model.fit(rows, [0, 1], epochs=1)
    asked = model.predict_proba(rows)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.predict_proba(rows) == asked
