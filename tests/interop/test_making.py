"""Fitted models made of weights: they predict what those say, and are saved, loaded and trained on as any other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from scratchnn import BatchNorm, Conv2D, Dropout, Flatten, Linear, Model, MSELoss, ReLU, Residual, Sequential, Sigmoid
from scratchnn.errors import ArgumentError, DataError
from scratchnn.interop.making import fitted_model
from scratchnn.layers.base import Layer
from scratchnn.layers.weights import set_weights, weights_of
from scratchnn.preprocessing import Scaling

ENGINES = ["linalg", "lanes", "numpy"]


def linear(weight: list[list[float]], bias: list[float]) -> Linear:
    layer = Linear(len(weight), len(bias))
    layer.weight.value, layer.bias.value = weight, [bias]
    return layer


def two_layers() -> list[Layer]:
    return [linear([[1.0, -1.0], [0.5, 2.0]], [0.25, 0.0]), ReLU(), linear([[1.0, 0.0], [0.0, 3.0]], [0.0, -1.0])]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_classifier_predicts_by_its_weights_scaling_and_classes(engine: str, tmp_path: Path) -> None:
    if engine == "numpy":
        pytest.importorskip("numpy")
    model = fitted_model(
        two_layers(),
        task="classification",
        loss="cross_entropy",
        input_shape=2,
        classes=["yes", "no"],
        scaling=Scaling("standard", [1.0, 2.0], [2.0, 4.0]),
        feature_names=["height", "width"],
        label_name="answer",
        label_position=-1,
        engine=engine,
        seed=7,
    )
    # (3, 10) is (1, 2) when scaled: hidden (2.25, 3), outputs (2.25, 8); (3, -2) is (1, -1): (0.75, 0), (0.75, -1).
    p = model.predict_proba([[3.0, 10.0], [3.0, -2.0]])
    assert p[0][0] == pytest.approx(1.0 / (1.0 + math.exp(8.0 - 2.25)), rel=1e-4)
    assert p[1][1] == pytest.approx(1.0 / (1.0 + math.exp(1.75)), rel=1e-4)
    assert model.predict([[3.0, 10.0], [3.0, -2.0]]) == ["no", "yes"]
    assert (model.classes, model.feature_names, model.label_name) == (["yes", "no"], ["height", "width"], "answer")
    assert model.label_position == -1
    assert (model.seed, model.schema.scaling_kind, model.schema.target_scaling_kind) == (7, "standard", "none")
    model.save(tmp_path / "model.pkl")
    again = Model.load(tmp_path / "model.pkl", engine=engine)
    assert again.predict_proba([[3.0, 10.0]]) == p[:1]
    assert again.schema.to_plain() == model.schema.to_plain()
    before = model.weights
    model.fit([[3.0, 10.0], [3.0, -2.0]], ["yes", "no"], epochs=1)  # the other way round than it is now
    assert model.weights != before
    assert model.scaling.means == [1.0, 2.0]


def test_weights_are_kept_to_the_last_bit_and_not_drawn_again() -> None:
    layers = two_layers()
    weights = weights_of(Sequential(layers))
    model = fitted_model(layers, task="regression", loss="mse", input_shape=2, engine="linalg")
    assert model.weights == weights
    assert model.predict([[1.0, 2.0]]) == [[2.25, 8.0]]


def test_layers_of_every_kind_keep_what_they_have() -> None:
    inner = Residual([Conv2D(2, 2, 3, padding=1), BatchNorm(2)])
    layers = [Conv2D(1, 2, 3, padding=1), ReLU(), inner, Dropout(0.5), Flatten(), Linear(32, 1), Sigmoid()]
    network = Sequential(layers)
    network.build((1, 4, 4))
    values = [
        [[0.01 * (i + j + k) for j in range(columns)] for i in range(rows)]
        for k, (rows, columns) in enumerate(network.parameter_shapes())
    ]
    values = [v[0] if p.name == "bias" else v for v, p in zip(values, network.parameters())]
    set_weights(network, values)
    model = fitted_model(layers, task="classification", loss="bce", input_shape=(1, 4, 4), engine="linalg")
    assert model.weights == values
    assert model.classes == [0, 1]
    assert model.network.training is False


def test_targets_have_their_unit() -> None:
    of_targets = Scaling("standard", [100.0, 0.0], [10.0, 1.0])
    model = fitted_model(
        two_layers(), task="regression", loss=MSELoss(), input_shape=(2,), target_scaling=of_targets, engine="linalg"
    )
    assert model.predict([[1.0, 2.0]]) == [[122.5, 8.0]]


@pytest.mark.parametrize(("classes", "kept"), [([2.0, 1.0], [2, 1]), ([True, False], [True, False]), ((), [0, 1])])
def test_classes_are_those_of_a_file_in_the_order_that_was_given(classes: Any, kept: list[Any]) -> None:
    model = fitted_model(two_layers(), task="classification", loss="cross_entropy", input_shape=2, classes=classes)
    assert model.classes == kept
    assert [*map(type, model.classes)] == [*map(type, kept)]


def test_numpy_s_numbers_become_python_s() -> None:
    np = pytest.importorskip("numpy")
    layer = Linear(2, 2)
    layer.weight.value, layer.bias.value = np.eye(2), np.ones((1, 2))
    model = fitted_model(
        [layer],
        task="classification",
        loss="cross_entropy",
        input_shape=2,
        classes=np.array(["a", "b"]),
        scaling=Scaling("standard", np.zeros(2).tolist(), [np.float64(1), np.float64(2)]),
        feature_names=np.array(["f", "g"]),
        engine="linalg",
    )
    assert {*map(type, model.weights[0][0])} == {float}
    assert {*map(type, model.classes), *map(type, model.feature_names)} == {str}
    assert {*map(type, model.scaling.deviations)} == {float}


def made(layers: list[Layer] | None = None, **changes: Any) -> Model:
    usual: dict[str, Any] = {"task": "classification", "loss": "cross_entropy", "input_shape": 2}
    return fitted_model(two_layers() if layers is None else layers, **{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["a", "b", "c"]}, "2 classes expected, got 3"),
        ({"classes": [0.5, 1.0]}, "classes"),
        ({"classes": ["a", 1]}, "all texts or all whole numbers"),
        ({"classes": ["a", "a"]}, "the same class twice"),
        ({"classes": ["a", "b"], "task": "regression", "loss": "mse"}, "classes are for a classifier"),
        ({"scaling": Scaling("standard", [1.0], [1.0])}, "scaling of 1 columns, expected 2"),
        ({"scaling": Scaling("standard", [1.0, 2.0], [1.0, 0.0])}, "deviations above 0"),
        ({"target_scaling": Scaling("standard", [1.0, 2.0], [1.0, 1.0])}, "target_scaling"),
        ({"feature_names": ["a"]}, "1 feature_names for 2 features"),
        ({"feature_names": [1, 2]}, "feature_names must be a list of texts"),
        ({"input_shape": 3}, "expects 2 inputs, got 3"),
        ({"loss": "hinge"}, "unknown loss"),
        ({"task": "ranking"}, "unknown task"),
        ({"layers": [linear([[1.0], [2.0]], [0.0, 1.0])]}, r"^weights\[0\] is 2x1, the layers need 2x2"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        made(**changes)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_refused(odd: float) -> None:
    with pytest.raises(DataError, match=r"weights\[0\]: row 1, column 0 must be a finite number"):
        made([linear([[1.0, 2.0], [odd, 1.0]], [0.0, 0.0])])


@pytest.mark.parametrize("engine", ENGINES)
def test_layers_that_came_to_no_model_are_as_free_as_before(engine: str) -> None:
    if engine == "numpy":
        pytest.importorskip("numpy")
    layers = two_layers()
    expected = weights_of(Sequential(two_layers()))
    for wrong in ({"classes": ["a"]}, {"feature_names": ["a"]}, {"feature_names": 3}, {"classes": [0.5, 1.0]}):
        with pytest.raises(ArgumentError):
            made(layers, engine=engine, **wrong)
    assert made(layers, engine="linalg").weights == expected


def test_layers_of_another_model_are_refused_and_their_copies_taken() -> None:
    other = made()
    with pytest.raises(ArgumentError, match="belong to a model"):
        made(list(other.network))
    again = made([layer.copy() for layer in other.network])
    assert again.weights == other.weights
