"""The training loop: batches, order, optimizers and schedules, the weights of samples and classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import (
    SGD,
    Adam,
    AdamW,
    Callback,
    CosineSchedule,
    CrossEntropyLoss,
    Linear,
    Model,
    ReduceOnPlateau,
    StepSchedule,
)
from scratchnn.layers import Layer
from scratchnn.optim import RMSprop, make_optimizer
from scratchnn.preprocessing.weighting import sample_weights

X = [[float(i), float(i * i % 7)] for i in range(10)]
Y = [i % 2 for i in range(10)]


def classifier(**settings: Any) -> Model:
    return Model(2, 4, 2, **{"scaling": "none", **settings})


class Spy(Layer):
    """Passes everything on and notes the first number of every row it saw while training."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []

    def forward(self, x: Any) -> Any:
        if self.training:
            self.batches.append([row[0] for row in self.ops.to_rows(x)])
        return x

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return gradient


def spied_batches(epochs: int = 1, **settings: Any) -> list[list[float]]:
    spy = Spy()
    model = Model.from_layers([spy, Linear(2, 2)], scaling="none")
    model.fit(X, Y, epochs=epochs, **settings)
    return spy.batches


# --- batches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(4, [4, 4, 2]), (5, [5, 5]), (1, [1] * 10), (10, [10]), (32, [10]), (None, [10])],
)
def test_batches_have_the_size_asked_for_and_the_last_one_the_rest(batch_size: Any, sizes: list[int]) -> None:
    assert [len(batch) for batch in spied_batches(batch_size=batch_size)] == sizes


def test_every_row_is_seen_once_an_epoch_in_an_order_that_changes() -> None:
    batches = spied_batches(epochs=3, batch_size=4)
    rows = [first for batch in batches for first in batch]
    epochs = [rows[:10], rows[10:20], rows[20:]]
    for order in epochs:
        assert sorted(order) == [row[0] for row in X]
    assert len(set(map(tuple, epochs))) == 3


def test_without_shuffling_rows_come_as_they_are() -> None:
    assert spied_batches(epochs=2, batch_size=5, shuffle=False) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]] * 2


def test_the_rows_handed_in_stay_as_they_were() -> None:
    rows, labels = [list(row) for row in X], list(Y)
    for scaling in ("none", "standard"):
        classifier(scaling=scaling).fit(rows, labels, epochs=2)
    assert rows == X
    assert labels == Y


def test_full_batch_does_not_depend_on_the_order() -> None:
    first, second = classifier(), classifier()
    first.fit(X, Y, epochs=3, lr=0.01, batch_size=None, shuffle=False)
    second.fit(X, Y, epochs=3, lr=0.01, batch_size=None, shuffle=True)
    for a, b in zip(first.weights, second.weights):
        assert a == [pytest.approx(v, rel=1e-9, abs=1e-12) for v in b]


def test_a_layer_of_ones_own_needs_forward_and_backward_alone() -> None:
    model = Model.from_layers([Linear(2, 3), Spy(), Linear(3, 2)])
    model.fit(X, Y, epochs=2)
    assert len(model.predict(X)) == 10


# --- optimizers --------------------------------------------------------------------------------------------


def test_optimizers_by_name() -> None:
    sgd, rate = make_optimizer("sgd", None, {"momentum": 0.5, "nesterov": True}, 0.25)
    assert isinstance(sgd, SGD)
    assert rate == 0.1
    assert (sgd.lr, sgd.momentum, sgd.nesterov, sgd.weight_decay) == (0.1, 0.5, True, 0.25)
    adam, rate = make_optimizer("adam", None, {"momentum": 0.0, "nesterov": False}, 0.25)
    assert isinstance(adam, Adam)
    assert rate == 0.001
    assert (adam.lr, adam.weight_decay) == (0.001, 0.25)
    assert make_optimizer("adam", 0.5, {}, 0.0)[1] == 0.5
    rmsprop, rate = make_optimizer("rmsprop", None, {"momentum": 0.5, "nesterov": False}, None)
    assert isinstance(rmsprop, RMSprop)
    assert (rate, rmsprop.momentum, rmsprop.weight_decay) == (0.01, 0.5, 0.0)


def test_a_weight_decay_that_is_not_given_is_the_optimizers_own() -> None:
    for decay, expected in ((None, 0.01), (0.0, 0.0), (0.25, 0.25)):
        adamw, rate = make_optimizer("adamw", None, {"momentum": None, "nesterov": False}, decay)
        assert isinstance(adamw, AdamW)
        assert (rate, adamw.weight_decay) == (0.001, expected)
    assert make_optimizer("sgd", None, {}, None)[0].weight_decay == 0.0
    first, second = classifier(), classifier()
    first.fit(X, Y, epochs=2, optimizer="adamw")
    second.fit(X, Y, epochs=2, optimizer=AdamW())
    assert first.weights == second.weights


def test_an_optimizer_object_is_used_as_it_is_but_for_a_given_lr() -> None:
    given = Adam(0.25, beta1=0.5)
    assert make_optimizer(given, None, {"momentum": 0.0}, 0.0) == (given, 0.25)
    assert make_optimizer(given, 0.5, {}, 0.0) == (given, 0.5)
    assert given.lr == 0.25  # until a run begins with the other one


@pytest.mark.parametrize("setting", [{"momentum": 0.9}, {"weight_decay": 0.1}])
def test_an_optimizer_object_has_its_settings_already(setting: dict[str, float]) -> None:
    (name,) = setting
    with pytest.raises(ValueError, match=f"^{name} must be given to the SGD object itself$"):
        classifier().fit(X, Y, optimizer=SGD(0.1), **setting)


def test_momentum_is_for_sgd_alone() -> None:
    with pytest.raises(ValueError, match=r"^momentum: only for the optimizers 'sgd' and 'rmsprop', not for 'adam'$"):
        classifier().fit(X, Y, optimizer="adam", momentum=0.9)
    with pytest.raises(ValueError, match=r"^nesterov: only for the optimizer 'sgd', not for 'rmsprop'$"):
        classifier().fit(X, Y, optimizer="rmsprop", momentum=0.9, nesterov=True)
    with pytest.raises(ValueError, match="nesterov needs a momentum above 0"):
        classifier().fit(X, Y, nesterov=True, momentum=0)


@pytest.mark.parametrize("optimizer", ["lion", ["sgd"], None, Linear])
def test_an_unknown_optimizer_lists_the_known_ones(optimizer: Any) -> None:
    with pytest.raises(
        ValueError,
        match=r"^unknown optimizer .*: known are sgd, adagrad, rmsprop, adam, adamw, or an Optimizer object$",
    ):
        classifier().fit(X, Y, optimizer=optimizer)


@pytest.mark.parametrize("make", [lambda: SGD(0.05, momentum=0.9), lambda: Adam(0.05)])
def test_an_optimizer_object_brings_no_momentum_from_an_earlier_fit(make: Any) -> None:
    used = make()
    classifier(seed=1).fit(X, Y, epochs=2, optimizer=used)
    first, second = classifier(), classifier()
    first.fit(X, Y, epochs=2, optimizer=used)
    second.fit(X, Y, epochs=2, optimizer=make())
    assert first.weights == second.weights


class Rates(Callback):
    """Notes the learning rate of every epoch's first batch, and what callbacks are told after the epoch."""

    def __init__(self) -> None:
        self.during: list[float] = []
        self.after: list[float] = []

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.during.append(run.lr)

    def on_epoch_end(self, model: Any, run: Any) -> None:
        self.after.append(run.lr)


def test_a_schedule_sets_the_rate_between_epochs() -> None:
    rates = Rates()
    classifier().fit(X, Y, epochs=4, lr=0.8, batch_size=None, schedule=StepSchedule(2, 0.5), callbacks=[rates])
    assert rates.during == [0.8, 0.8, 0.4, 0.4]
    assert rates.after == [0.8, 0.4, 0.4, 0.2]


def test_a_schedule_starts_again_with_every_fit() -> None:
    schedule = CosineSchedule(2)
    for _ in range(2):
        rates = Rates()
        classifier().fit(X, Y, epochs=2, lr=0.5, batch_size=None, schedule=schedule, callbacks=[rates])
        assert rates.during == [0.5, pytest.approx(0.25)]


def test_a_plateau_is_judged_by_the_validation_loss_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, model = Rates(), classifier()
    monkeypatch.setattr(model, "measured", lambda data: (1.0, 0.5))
    schedule = ReduceOnPlateau(factor=0.5, patience=0)
    usual: dict[str, Any] = {"epochs": 3, "lr": 0.01, "batch_size": None}
    model.fit(X, Y, **usual, schedule=schedule, validation_data=(X, Y), callbacks=[rates])
    assert rates.during == [0.01, 0.01, 0.005]


def test_a_schedule_must_be_one() -> None:
    for wrong in ("linear", Linear, 0.5):
        with pytest.raises(ValueError, match=r"^unknown schedule .*, or a Schedule such as StepSchedule\(30\)$"):
            classifier().fit(X, Y, schedule=wrong)


# --- numbers that make no sense ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs must be a whole number of at least 1, got -1"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 2.5}, r"epochs must be a whole number of at least 1, got 2\.5"),
        ({"epochs": "10"}, "epochs must be a whole number of at least 1, got '10'"),
        ({"epochs": True}, "epochs must be a whole number of at least 1, got True"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"batch_size": -32}, "batch_size must be a whole number of at least 1, got -32"),
        ({"eval": 0}, "eval must be a whole number of at least 1, got 0"),
        ({"lr": 0}, "lr must be a number above 0 and finite, got 0"),
        ({"lr": -0.1}, r"lr must be a number above 0 and finite, got -0\.1"),
        ({"lr": math.nan}, "lr must be a number above 0 and finite, got nan"),
        ({"lr": math.inf}, "lr must be a number above 0 and finite, got inf"),
        ({"lr": "0.1"}, r"lr must be a number above 0 and finite, got '0\.1'"),
        ({"lr": -1, "optimizer": "adam"}, "lr must be a number above 0 and finite, got -1"),
        ({"lr": -1, "optimizer": SGD(0.1)}, "lr must be a number above 0 and finite, got -1"),
        ({"momentum": 1.0}, r"momentum must be a number at least 0 and below 1, got 1\.0"),
        ({"momentum": -0.5}, r"momentum must be a number at least 0 and below 1, got -0\.5"),
        ({"weight_decay": -1}, "weight_decay must be a number at least 0 and finite, got -1"),
        ({"clip_norm": 0}, "clip_norm must be a number above 0 and finite, got 0"),
    ],
)
def test_settings_are_checked_before_the_first_batch(settings: dict[str, Any], message: str) -> None:
    model = classifier()
    before = model.weights
    with pytest.raises(ValueError, match=f"^{message}$"):
        model.fit(X, Y, **settings)
    assert model.weights == before


# --- weights of samples and classes ------------------------------------------------------------------------

LABELS = ["a", "b", "b", "b"]
CLASSES = ["a", "b"]


def test_no_weights_are_no_list() -> None:
    assert sample_weights(LABELS, CLASSES) is None


@given(st.lists(st.floats(0.0, 1e6), min_size=4, max_size=4).filter(lambda weights: sum(weights) > 1e-6))
def test_sample_weights_keep_their_ratios_and_are_1_on_average(given_weights: list[float]) -> None:
    weights = sample_weights(LABELS, CLASSES, given_weights)
    assert weights is not None
    assert sum(weights) == pytest.approx(4.0)
    scale = sum(given_weights) / 4.0
    assert [w * scale for w in weights] == pytest.approx(given_weights)


def test_balanced_classes_weigh_the_same_altogether() -> None:
    assert sample_weights(LABELS, CLASSES, None, "balanced") == pytest.approx([2.0, 2 / 3, 2 / 3, 2 / 3])


def test_balanced_leaves_out_classes_that_do_not_occur() -> None:
    assert sample_weights([0, 2, 2], [0, 1, 2], None, "balanced") == pytest.approx([1.5, 0.75, 0.75])


def test_class_weights_are_1_unless_given() -> None:
    assert sample_weights(LABELS, CLASSES, None, {"a": 3.0}) == pytest.approx([2.0, 2 / 3, 2 / 3, 2 / 3])


def test_both_kinds_of_weights_multiply() -> None:
    assert sample_weights(LABELS, CLASSES, [1, 1, 0, 0], {"a": 3.0}) == pytest.approx([3.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("weights", "class_weight", "message"),
    [
        ([1, 1, 1], None, "X and sample_weight must be of the same length, got 4 and 3"),
        ([1, 1, 1, -1], None, r"sample_weight\[3\] must be a number at least 0 and finite, got -1"),
        ([1, 1, 1, math.nan], None, "sample_weight: row 3, column 0 must be a finite number, got nan"),
        ([1, 1, 1, None], None, "sample_weight: row 3, column 0 must be a number, got NoneType None"),
        ([0, 0, 0, 0], None, "the sample weights add up to 0: nothing would be learned"),
        (2.0, None, r"sample_weight must be a sequence of numbers, got float 2\.0"),
        (None, "even", "class_weight is 'balanced' or a dict of class: weight, got 'even'"),
        (None, [1, 2], r"class_weight is 'balanced' or a dict of class: weight, got \[1, 2\]"),
        (None, {"c": 1}, "class_weight names 'c', which is not a class: 'a', 'b'"),
        (None, {"a": -1}, r"class_weight\['a'\] must be a number at least 0 and finite, got -1"),
        (None, {"a": "much"}, r"class_weight\['a'\] must be a number at least 0 and finite, got 'much'"),
        (None, {"a": 0, "b": 0}, "the sample weights add up to 0: nothing would be learned"),
    ],
)
def test_bad_weights_are_named(weights: Any, class_weight: Mapping[Any, Any] | str | None, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        sample_weights(LABELS, CLASSES, weights, class_weight)


def test_class_weights_need_classes() -> None:
    with pytest.raises(ValueError, match="class_weight needs classes: numbers, and rows of several labels, have none"):
        Model(2, 3, 1, task="regression").fit(X, Y, class_weight="balanced")


def test_a_weight_of_k_is_as_good_as_a_sample_k_times() -> None:
    weights = [1 + i % 3 for i in range(10)]
    repeated = [i for i, k in enumerate(weights) for _ in range(k)]
    weighted, longer = classifier(engine="linalg"), classifier(engine="linalg")
    weighted.fit(X, Y, epochs=5, lr=0.02, batch_size=None, sample_weight=weights)
    longer.fit([X[i] for i in repeated], [Y[i] for i in repeated], epochs=5, lr=0.02, batch_size=None)
    for a, b in zip(weighted.weights, longer.weights):
        assert a == [pytest.approx(v, rel=1e-9, abs=1e-12) for v in b]


def test_a_weight_of_0_is_as_good_as_no_sample() -> None:
    weighted, shorter = classifier(engine="linalg"), classifier(engine="linalg")
    weighted.fit(X, Y, epochs=5, lr=0.02, batch_size=None, sample_weight=[1] * 8 + [0, 0])
    shorter.fit(X[:8], Y[:8], epochs=5, lr=0.02, batch_size=None)
    for a, b in zip(weighted.weights, shorter.weights):
        assert a == [pytest.approx(v, rel=1e-9, abs=1e-12) for v in b]


def test_equal_weights_are_as_good_as_none() -> None:
    weighted, plain = classifier(), classifier()
    weighted.fit(X, Y, epochs=3, lr=0.02, sample_weight=(7.0 for _ in X), class_weight={0: 2.0, 1: 2.0})
    plain.fit(X, Y, epochs=3, lr=0.02)
    for a, b in zip(weighted.weights, plain.weights):
        assert a == [pytest.approx(v, rel=1e-9, abs=1e-12) for v in b]


def frauds() -> tuple[list[list[float]], list[int]]:
    """One row in fifty is of class 1, and lies apart in two of thirty columns."""
    rng = Random(11)
    labels = [int(i % 50 == 0) for i in range(2000)]
    return [[rng.gauss(2.0 * k if j < 2 else 0.0, 1.0) for j in range(30)] for k in labels], labels


@pytest.mark.parametrize("how", [{"lr": 0.1}, {"optimizer": "adam", "schedule": None}])
def test_weights_are_no_larger_learning_rate(how: dict[str, Any]) -> None:
    rows, labels = frauds()
    model = Model(30, 50, 2, seed=1)
    history = model.fit(rows, labels, epochs=4, class_weight="balanced", **how)
    assert max(history.loss) < 1.0
    assert model.score(rows, labels) > 0.85
    found = [k == 1 for k, label in zip(model.predict(rows), labels) if label]
    assert sum(found) > 0.9 * len(found)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 6])
def test_steps_are_shorter_the_more_weights_differ(batch_size: int) -> None:
    """The first step of plain SGD goes along the weighted gradient, and is the whole of it in a full batch."""
    rows, labels = X[:6], Y[:6]
    given = [3.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    mean = sum(given) / 6
    square = sum((w / mean) ** 2 for w in given) / 6
    share = 1 / (1 + (square - 1) * (6 - batch_size) / 5)
    assert share == 1.0 if batch_size == 6 else share < 1.0

    class Once(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            model.stop_training = True

    how: dict[str, Any] = {"epochs": 1, "shuffle": False, "lr": 0.3, "callbacks": [Once()]}
    weighted, by_hand = (Model(2, [], 2, scaling="none", engine="linalg") for _ in range(2))
    weighted.fit(rows, labels, batch_size=batch_size, sample_weight=given, **how)
    part = rows[:batch_size]
    outputs = by_hand.network.forward(part)
    loss = CrossEntropyLoss()
    loss.forward(outputs, labels[:batch_size], [w / mean for w in given[:batch_size]])
    by_hand.network.backward(loss.backward())
    for parameter, value in zip(by_hand.network.parameters(), (weighted.network[0].weight, weighted.network[0].bias)):
        for row, gradients, after in zip(parameter.value, parameter.gradient, value.value):
            assert after == pytest.approx([v - 0.3 * share * g for v, g in zip(row, gradients)], rel=1e-12, abs=1e-15)


def test_equal_weights_change_nothing() -> None:
    runs = []
    for equal in (None, [1.0] * 4, [7.0] * 4):
        model = Model(2, 3, 2)
        model.fit([[0.0, 1.0], [1.0, 0.0], [0.5, -1.0], [-1.0, 0.5]], [0, 1, 0, 1], epochs=3, sample_weight=equal)
        runs.append(model.weights)
    assert runs[0] == runs[1] == runs[2]
