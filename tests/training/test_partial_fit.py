"""Rows that come in parts: one epoch at a time, classes told beforehand, momentum that goes on from part to part."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from scratchnn import SGD, Adam, ArgumentError, Callback, DataError, EarlyStopping, Model, TrainingDiverged

RNG = Random(1)
X = [[RNG.gauss(i % 3 - 1, 0.5), RNG.gauss(i % 2, 1.0)] for i in range(60)]
Y = ["abc"[i % 3] for i in range(60)]
ENGINES = ["lanes", "linalg"]
PLAIN: dict[str, Any] = {"clip_norm": None, "batch_size": 8, "shuffle": False}
PARTS = [slice(i, i + 8) for i in range(0, 60, 8)]

OPTIMIZERS: dict[str, Callable[[], dict[str, Any]]] = {
    "sgd": lambda: {"momentum": 0.0, "lr": 0.1},
    "momentum": lambda: {"momentum": 0.9, "lr": 0.05},
    "nesterov": lambda: {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "lr": 0.05},
    "adam": lambda: {"optimizer": "adam", "lr": 0.01},
    "an SGD": lambda: {"optimizer": SGD(0.05, momentum=0.9)},
    "an Adam": lambda: {"optimizer": Adam(0.5), "lr": 0.01},
}


def classifier(engine: str = "linalg", **more: Any) -> Model:
    return Model(2, 8, 3, **{"scaling": "none", "engine": engine, "seed": 2, **more})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_parts_of_the_rows_are_as_good_as_all_of_them(optimizer: Callable[[], dict[str, Any]], engine: str) -> None:
    """One batch after the other, each a part of its own: the very steps of one epoch."""
    whole, parts = classifier(engine), classifier(engine)
    whole.fit(X, Y, epochs=1, schedule=None, **{**PLAIN, **optimizer()})
    settings = {**PLAIN, **optimizer()}
    for part in PARTS:
        history = parts.partial_fit(X[part], Y[part], classes=["a", "b", "c"], **settings)
        assert len(history) == 1
    tolerance = 1e-12 if engine == "linalg" else 2e-3  # lanes: as wide as suits the rows of a part
    for one, other in zip(parts.weights, whole.weights):
        for row, expected in zip(*((m if isinstance(m[0], list) else [m]) for m in (one, other))):
            assert row == pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_momentum_goes_on_while_the_settings_stay_the_same() -> None:
    def trained(*settings: dict[str, Any], then: Callable[[Model], Any] = lambda model: None) -> Any:
        model = classifier()
        for part, more in zip(PARTS, settings):
            model.partial_fit(X[part], Y[part], ["a", "b", "c"], **{**PLAIN, "momentum": 0.9, **more})
            then(model)
        return model.weights

    same, other = {"lr": 0.1}, {"lr": 0.2}
    assert trained(same, same) != trained(same, same, then=lambda model: setattr(model, "_part", None))
    assert trained(same, other) == trained(same, other, then=lambda model: setattr(model, "_part", None))
    fitted = trained(same, same, then=lambda model: model.fit(X, Y, epochs=1))
    both = trained(same, same, then=lambda model: (model.fit(X, Y, epochs=1), setattr(model, "_part", None)))
    assert fitted == both  # a fit in between is a run of its own


def test_an_optimizer_brings_nothing_from_parts_to_a_fit() -> None:
    used = SGD(0.05, momentum=0.9)
    classifier().partial_fit(X, Y, optimizer=used)
    first, second = classifier(), classifier()
    first.fit(X, Y, epochs=1, optimizer=used)
    second.fit(X, Y, epochs=1, optimizer=SGD(0.05, momentum=0.9))
    assert first.weights == second.weights
    fresh, again = classifier(seed=3), classifier(seed=3)
    fresh.partial_fit(X, Y, optimizer=used)  # of another model
    again.partial_fit(X, Y, optimizer=SGD(0.05, momentum=0.9))
    assert fresh.weights == again.weights


def test_layers_frozen_between_parts_leave_no_momentum_of_theirs() -> None:
    model = classifier()
    model.partial_fit(X, Y, momentum=0.9, **PLAIN)
    model.network[0].trainable = False
    kept = model.weights[0]
    model.partial_fit(X, Y, momentum=0.9, **PLAIN)
    assert model.weights[0] == kept


# --- classes -----------------------------------------------------------------------------------------------


def test_classes_that_come_later_are_told_beforehand() -> None:
    model = classifier()
    only = [i for i, label in enumerate(Y) if label == "b"]
    model.partial_fit([X[i] for i in only], [Y[i] for i in only], classes=["c", "a", "b", "a"])
    assert model.classes == ["a", "b", "c"]
    model.partial_fit(X, Y)
    model.partial_fit(X, Y, classes=("a", "b", "c"))
    assert set(model.predict(X)) <= {"a", "b", "c"}


def test_classes_of_the_first_rows_do_if_they_are_all() -> None:
    model = classifier()
    model.partial_fit(X, Y)
    assert model.classes == ["a", "b", "c"]
    with pytest.raises(DataError, match="label 0 is 'd', which is not a class of the training data"):
        model.partial_fit(X, ["d"] * 60)


def refused(model: Model, error: Any, message: str, *arguments: Any, **settings: Any) -> None:
    before = model.classes, model.scaling, model.weights, model._part
    with pytest.raises(error, match=message):
        model.partial_fit(*arguments, **settings)
    assert (model.classes, model.scaling, model.weights, model._part) == before


@pytest.mark.parametrize(
    ("message", "arguments", "settings"),
    [
        ("y has a single class, 'b'", (X[:1], ["b"]), {}),
        ("classes has 2 classes, but the model has outputs for 3", (X, Y, ["a", "b"]), {}),
        ("classes must be a sequence of labels", (X, Y, 5), {}),
        ("label 2 is 'c', which is not a class", (X, Y, ["a", "b", "x"]), {}),
        ("epochs: partial_fit trains one epoch on a part", (X, Y), {"epochs": 1}),
        ("checkpoint and resume: partial_fit trains", (X, Y), {"checkpoint": "x", "resume": True}),
        ("schedule: partial_fit trains", (X, Y), {"schedule": None}),
        ("lr must be a number above 0", (X, Y), {"lr": -1}),
        ("momentum: only for the optimizers 'sgd' and 'rmsprop'", (X, Y), {"optimizer": "adam", "momentum": 0.9}),
        ("EarlyStopping watches validation_loss", (X, Y, ["a", "b", "c"]), {"callbacks": [EarlyStopping()]}),
    ],
)
def test_a_part_that_is_refused_leaves_no_trace(message: str, arguments: Any, settings: dict[str, Any]) -> None:
    model = classifier()
    refused(model, ValueError, message, *arguments, **settings)
    twin = classifier()
    for one in (model, twin):
        one.partial_fit(X, Y, momentum=0.9)
        one.partial_fit(X, Y, momentum=0.9)
    if "class" not in message:
        refused(model, ValueError, message, *arguments, **settings)
    assert model._part is not None
    for one in (model, twin):
        one.partial_fit(X, Y, momentum=0.9)
    assert model.weights == twin.weights


@pytest.mark.parametrize("settings", [{"lr": -1}, {"momentum": 2}, {"callbacks": [EarlyStopping()]}])
def test_classes_that_came_with_a_refused_setting_are_not_the_model_s(settings: dict[str, Any]) -> None:
    model = Model(2, engine="linalg")
    with pytest.raises(ArgumentError):
        model.partial_fit(X, Y, ["a", "b", "c", "d"], **settings)
    model.partial_fit(X, Y)
    assert (model.classes, model.output_size) == (["a", "b", "c"], 3)


def test_classes_that_are_told_are_all_there_are() -> None:
    model = Model(2, 8, 10, engine="linalg")
    refused(model, DataError, "classes has 2 classes, but the model has outputs for 10", X, [0, 1] * 30, [0, 1])
    model.partial_fit(X, [0, 1] * 30, range(10))
    assert model.classes == [*range(10)]


def test_classes_stay_what_they_are() -> None:
    model = classifier()
    model.partial_fit(X, Y)
    refused(model, ValueError, "classes are a list of 3|classes are \\['a', 'b', 'c'\\] since", X, Y, ["a", "b", "x"])
    regression = Model(2, 4, 1, task="regression")
    refused(regression, ValueError, "classes are for a classifier, this model does regression", X, [0.5] * 60, [0, 1])


def test_a_part_with_which_training_diverges_keeps_the_classes() -> None:
    model = classifier()
    with pytest.raises(TrainingDiverged):
        model.partial_fit(X, Y, lr=1e200, batch_size=None, clip_norm=None)
    assert model.classes == ["a", "b", "c"]
    model.predict(X)


# --- and the rest ------------------------------------------------------------------------------------------


def test_regression_comes_in_parts_too() -> None:
    model = Model(2, 16, 1, task="regression", seed=1)
    y = [3.0 * a - b for a, b in X]
    for _ in range(60):
        for part in (slice(0, 30), slice(30, 60)):
            model.partial_fit(X[part], y[part], optimizer="adam", lr=0.01, batch_size=10)
    assert model.score(X, y) > 0.97


def test_settings_of_fit_are_those_of_partial_fit() -> None:
    class Counts(Callback):
        batches = 0

        def on_batch_end(self, model: Any, run: Any) -> None:
            self.batches += 1

    counts, model = Counts(), classifier()
    history = model.partial_fit(
        *(X, Y),
        batch_size=20,
        callbacks=[counts],
        validation_data=(X, Y),
        class_weight="balanced",
        sample_weight=[1.0] * 60,
    )
    assert counts.batches == 3
    assert len(history.validation_loss) == 1
    assert model.history is history


def test_copies_go_on_by_themselves() -> None:
    model = classifier()
    model.partial_fit(X, Y, momentum=0.9)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for one in (model, *twins):
        one.partial_fit(X, Y, momentum=0.9)
        assert one.weights == model.weights
    assert all(twin._part.optimizer is not model._part.optimizer for twin in twins)  # type: ignore[index]


@pytest.mark.parametrize("make", [lambda: SGD(0.05, momentum=0.9), Adam])
def test_an_optimizer_that_has_served_another_model_brings_nothing_of_it(make: Any) -> None:
    def trained(between: Callable[[Any], Any]) -> Any:
        model, optimizer = classifier(), make()
        model.partial_fit(X, Y, optimizer=optimizer)
        between(optimizer)
        model.partial_fit(X, Y, optimizer=optimizer)
        return model.weights

    elsewhere = trained(lambda optimizer: Model(2, 5, 3).fit(X, Y, epochs=1, optimizer=optimizer))
    assert elsewhere == trained(lambda optimizer: setattr(optimizer, "part", None))
    assert elsewhere != trained(lambda optimizer: None)
