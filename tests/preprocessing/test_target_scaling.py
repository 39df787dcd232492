"""Regression targets are standardised inside a model: what comes in and what goes out is in the targets' own unit."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import (
    BestWeights,
    Callback,
    Conv2D,
    DataError,
    Dropout,
    Flatten,
    Linear,
    MaxPool2D,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    gradcheck,
    grid_search,
)

both = pytest.mark.parametrize("engine", ["lanes", "linalg"])

rng = Random(3)
PLANE_X = [[rng.gauss(0.0, 1.0), rng.uniform(-1.0, 1.0)] for _ in range(120)]
PLANE_Y = [3.0 * a - 2.0 * b + 0.3 * rng.gauss(0.0, 1.0) for a, b in PLANE_X]


def fitted(y: Any, X: Any = PLANE_X, engine: str = "lanes", **settings: Any) -> Model:
    outputs = len(y[0]) if isinstance(y[0], list) else 1
    model = Model(len(X[0]), 8, outputs, task="regression", engine=engine, seed=1)
    model.fit(X, y, **{"epochs": 10, **settings})
    return model


# --- learning in any unit --------------------------------------------------------------------------------------


@both
def test_a_line_of_whole_numbers_is_learned_at_the_defaults(engine: str) -> None:
    X, y = [[x] for x in range(100)], [3 * x + 1 for x in range(100)]
    model = Model(1, 20, 1, task="regression", engine=engine)
    history = model.fit(X, y)
    assert all(map(math.isfinite, history.loss))
    assert model.score(X, y) > 0.99


@both
@pytest.mark.parametrize("factor", [2.0**-40, 2.0**-10, 2.0**20, 2.0**60])
def test_the_unit_of_the_targets_changes_nothing_else(engine: str, factor: float) -> None:
    """Powers of two are exact, so that every weight is the same to the last bit."""
    model, other = fitted(PLANE_Y, engine=engine), fitted([factor * v for v in PLANE_Y], engine=engine)
    assert other.weights == model.weights
    assert other.predict(PLANE_X) == [factor * v for v in model.predict(PLANE_X)]
    assert other.score(PLANE_X, [factor * v for v in PLANE_Y]) == model.score(PLANE_X, PLANE_Y)


@both
@pytest.mark.parametrize("mean", [1e6, -1e9])
def test_a_mean_far_above_the_spread_costs_nothing(engine: str, mean: float) -> None:
    near, far = fitted(PLANE_Y, engine=engine), fitted([mean + v for v in PLANE_Y], engine=engine)
    score = far.score(PLANE_X, [mean + v for v in PLANE_Y])
    assert score == pytest.approx(near.score(PLANE_X, PLANE_Y), abs=1e-3)
    assert score > 0.9


def test_both_engines_learn_far_targets_alike() -> None:
    far = [1e6 + v for v in PLANE_Y]
    scores = [fitted(far, engine=engine).score(PLANE_X, far) for engine in ("lanes", "linalg")]
    assert scores[0] == pytest.approx(scores[1], rel=0.01)


@both
def test_each_output_is_standardised_by_itself(engine: str) -> None:
    pairs = [[1e-5 * v, 1e7 - 1e4 * v] for v in PLANE_Y]
    model = fitted(pairs, engine=engine, epochs=20)
    for column in range(2):
        truth = [pair[column] for pair in pairs]
        mean = math.fsum(truth) / len(truth)
        residual = math.fsum((t - p[column]) ** 2 for t, p in zip(truth, model.predict(PLANE_X)))
        assert 1.0 - residual / math.fsum((t - mean) ** 2 for t in truth) > 0.95


@both
def test_constant_targets_are_learned(engine: str) -> None:
    model = fitted([1e6] * len(PLANE_X), engine=engine)
    assert model.predict(PLANE_X) == pytest.approx([1e6] * len(PLANE_X), abs=1.0)
    assert model.target_scaling is not None
    assert model.target_scaling.deviations == [1.0]


# --- what is learned, and when ---------------------------------------------------------------------------------


def test_mean_and_deviation_are_those_of_the_first_fit() -> None:
    model = fitted([5.0, 7.0, 9.0], PLANE_X[:3])
    before = model.target_scaling.to_dict()  # type: ignore[union-attr]
    assert before["means"] == [7.0]
    assert before["deviations"] == [pytest.approx(math.sqrt(8.0 / 3.0))]
    model.fit(PLANE_X, [100.0 * v for v in PLANE_Y], epochs=1, lr=1e-6)
    assert model.target_scaling.to_dict() == before  # type: ignore[union-attr]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 4)), min_size=1, max_size=12))
def test_whole_sample_weights_count_rows_as_often(pairs: list[tuple[float, int]]) -> None:
    if not any(count for _, count in pairs):
        pairs = [(value, 1) for value, _ in pairs]
    X, y = [[float(i)] for i in range(len(pairs))], [value for value, _ in pairs]
    repeated = [i for i, (_, count) in enumerate(pairs) for _ in range(count)]
    weighted = Model(1, [], 1, task="regression", engine="linalg")
    weighted.fit(X, y, sample_weight=[count for _, count in pairs], epochs=1, lr=1e-9)
    plain = Model(1, [], 1, task="regression", engine="linalg")
    plain.fit([X[i] for i in repeated], [y[i] for i in repeated], epochs=1, lr=1e-9)
    ours, theirs = weighted.target_scaling, plain.target_scaling
    assert ours is not None
    assert theirs is not None
    assert ours.means == pytest.approx(theirs.means, rel=1e-9, abs=1e-9)
    if theirs.deviations[0] > 1e-6 and theirs.deviations != [1.0]:
        assert ours.deviations == pytest.approx(theirs.deviations, rel=1e-6)


def test_a_refused_fit_leaves_the_targets_unlearned() -> None:
    model = Model(2, 4, 1, task="regression")
    with pytest.raises(DataError):
        model.fit(PLANE_X, PLANE_Y, validation_data=(PLANE_X, ["x"] * len(PLANE_X)))
    assert model.target_scaling is None


def test_targets_too_large_to_be_standardised_are_named() -> None:
    with pytest.raises(DataError, match=r"^y: column 0 has numbers too large to be standardised"):
        fitted([1e200, -1e200] * 60)


# --- losses and scores are in the targets' own unit --------------------------------------------------------------


def mean_squared_error(model: Model, X: Any, y: Any, weights: Any = None) -> float:
    predictions = [p if isinstance(p, list) else [p] for p in model.predict(X)]
    targets = [t if isinstance(t, list) else [t] for t in y]
    squares = [sum((a - b) ** 2 for a, b in zip(p, t)) / len(t) for p, t in zip(predictions, targets)]
    weights = weights or [1.0] * len(squares)
    return math.fsum(w * s for w, s in zip(weights, squares)) / math.fsum(weights)


@both
@pytest.mark.parametrize("pairs", [False, True])
def test_every_loss_is_the_mean_squared_error_of_predictions(engine: str, pairs: bool) -> None:
    y: Any = [[1000.0 + 50.0 * v, 0.01 * v] if pairs else 1000.0 + 50.0 * v for v in PLANE_Y]

    class Watching(Callback):
        """The loss of one full batch is of the weights before the step that it leads to."""

        def __init__(self) -> None:
            self.expected: list[float] = []

        def on_epoch_end(self, model: Any, run: Any) -> None:
            self.expected.append(mean_squared_error(model, PLANE_X, y))

    watching = Watching()
    model = Model(2, 8, 2 if pairs else 1, task="regression", engine=engine)
    history = model.fit(PLANE_X, y, epochs=5, batch_size=None, validation_data=(PLANE_X, y), callbacks=[watching])
    tolerance = 1e-9 if engine == "linalg" else 1e-3
    assert history.validation_loss == pytest.approx(watching.expected, rel=tolerance)
    assert history.loss[1:] == pytest.approx(watching.expected[:-1], rel=tolerance)
    assert model.evaluate(PLANE_X, y)[0] == pytest.approx(watching.expected[-1], rel=tolerance)


def test_the_best_weights_have_the_lowest_validation_loss(tmp_path: Path) -> None:
    y = [40.0 * v for v in PLANE_Y]
    model = Model(2, 8, 1, task="regression", engine="linalg")
    path = tmp_path / "best.pkl"
    history = model.fit(PLANE_X, y, epochs=8, lr=0.5, validation_data=(PLANE_X, y), callbacks=[BestWeights(path)])
    model = Model.load(path, engine="linalg")
    assert model.evaluate(PLANE_X, y)[0] == pytest.approx(min(history.validation_loss), rel=1e-9)


def test_standardised_training_is_that_of_standardised_targets() -> None:
    """The same steps as a model that is given standardised targets and leaves them alone."""
    mean = math.fsum(PLANE_Y) / len(PLANE_Y)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in PLANE_Y) / len(PLANE_Y))
    by_hand = Model(2, 8, 1, task="regression", engine="linalg", target_scaling="none", seed=1)
    by_hand.fit(PLANE_X, [(v - mean) / deviation for v in PLANE_Y], epochs=10, clip_norm=1.0)
    model = fitted(PLANE_Y, engine="linalg")
    for ours, theirs in zip(model.weights, by_hand.weights):
        for a, b in zip(ours, theirs):
            assert a == pytest.approx(b, rel=1e-9, abs=1e-12)


def test_a_search_compares_losses_in_the_targets_unit() -> None:
    y = [100.0 * v for v in PLANE_Y]
    grid = {"lr": [0.05]}
    model = {"task": "regression", "hidden_size": 4}
    result = grid_search(PLANE_X, y, grid, model=model, fit={"epochs": 20}, folds=2, measure="loss")
    assert 100.0 < result.best.mean < 10_000.0


def test_gradients_agree_with_slopes() -> None:
    model = Model(2, 4, 2, task="regression", activation="tanh", engine="linalg")
    assert gradcheck.check_model(model, PLANE_X[:6], [[1e6 + v, v] for v in PLANE_Y[:6]]).ok


# --- when targets are left alone -----------------------------------------------------------------------------------


def kind_of(model: Model, y: Any, X: Any = PLANE_X) -> str:
    model.fit(X, y, epochs=1, lr=1e-3)
    assert model.target_scaling is not None
    return model.target_scaling.kind


PAIRS = [[v, -v] for v in PLANE_Y]
SHARES = [[0.25, 0.75]] * len(PLANE_X)


@pytest.mark.parametrize(
    ("layers", "y", "kind"),
    [
        ([Linear(2, 2)], PAIRS, "standard"),
        ([Linear(2, 3), Tanh(), Linear(3, 2), Dropout(0.1)], PAIRS, "standard"),
        ([Sequential([Linear(2, 3), ReLU()]), Sequential([Linear(3, 2)])], PAIRS, "standard"),
        ([Linear(2, 2), Sigmoid()], SHARES, "none"),
        ([Linear(2, 2), Tanh()], SHARES, "none"),
        ([Linear(2, 2), Softmax()], SHARES, "none"),
        ([Linear(2, 2), ReLU()], SHARES, "none"),
        ([Sequential([Linear(2, 2), Sigmoid()]), Dropout(0.1)], SHARES, "none"),
    ],
    ids=["linear", "dropout", "nested", "sigmoid", "tanh", "softmax", "relu", "nested sigmoid"],
)
def test_only_outputs_that_can_be_any_number_stand_for_standardised_targets(layers: Any, y: Any, kind: str) -> None:
    assert kind_of(Model.from_layers(layers, loss="mse"), y) == kind


def test_a_convolution_gives_any_number_too() -> None:
    layers = [Conv2D(1, 1, 2), MaxPool2D(1), Flatten()]
    X = [[rng.random() for _ in range(4)] for _ in range(10)]
    assert kind_of(Model.from_layers(layers, loss="mse", input_shape=(1, 2, 2)), PLANE_Y[:10], X) == "standard"


@pytest.mark.parametrize("loss", ["bce", "bce_with_logits"])
def test_targets_of_a_binary_cross_entropy_stay_between_0_and_1(loss: str) -> None:
    layers = [Linear(2, 2), Sigmoid()] if loss == "bce" else [Linear(2, 2)]
    model = Model.from_layers(layers, loss=loss, task="regression")
    assert kind_of(model, SHARES) == "none"


def test_a_classifier_has_no_targets_to_standardise() -> None:
    assert kind_of(Model(2, 4, 2), [int(v > 0) for v in PLANE_Y]) == "none"


def autoencoder(**settings: Any) -> Model:
    return Model.from_layers([Linear(3, 2), Linear(2, 3)], loss="mse", **settings)


def test_an_autoencoder_is_to_give_back_its_inputs_as_the_network_sees_them() -> None:
    small = [[rng.random(), 0.1 * rng.random(), 0.0] for _ in range(40)]
    assert kind_of(autoencoder(scaling="none"), small, small) == "none"
    assert kind_of(autoencoder(scaling="none"), [list(row) for row in small], small) == "none"  # no matter if copied
    large = [[1000.0 * v for v in row] for row in small]
    model = autoencoder()
    assert kind_of(model, large, large) == "standard"
    assert model.target_scaling is not None
    assert model.scaling is not None
    assert model.target_scaling.to_dict() == model.scaling.to_dict()


def test_an_autoencoder_of_pixels_gives_back_pixels() -> None:
    X = [bytes(rng.randrange(256) for _ in range(16)) for _ in range(60)]
    model = Model.from_layers([Linear(16, 16)], loss="mse")
    model.fit(X, X, epochs=100, optimizer="adam", lr=0.02, batch_size=8)
    assert model.target_scaling is not None
    assert model.target_scaling.kind == "pixels"
    assert model.score(X, X) > 0.9
    assert max(map(max, model.predict(X))) > 128.0


def test_targets_can_be_left_alone_on_request() -> None:
    model = Model(2, 4, 1, task="regression", target_scaling="none")
    assert kind_of(model, PLANE_Y) == "none"
    mean = math.fsum(PLANE_Y) / len(PLANE_Y)
    assert Model.from_layers([Linear(2, 1)], loss="mse", target_scaling="none").schema.target_scaling_kind == "none"
    assert mean != 0.0


def test_standardising_can_be_asked_for() -> None:
    squashed = Model.from_layers([Linear(2, 2), Tanh()], loss="mse", target_scaling="standard")
    assert kind_of(squashed, PAIRS) == "standard"
    small = [[rng.random(), rng.random(), 0.0] for _ in range(40)]
    assert kind_of(autoencoder(scaling="none", target_scaling="standard"), small, small) == "standard"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Model(2, 4, 1, task="regression", target_scaling="pixels"),
            r"^unknown target_scaling 'pixels': known are auto, standard, none$",
        ),
        (lambda: Model(2, 4, 1, task="regression", target_scaling=None), r"^unknown target_scaling None: known are"),
        (
            lambda: Model(2, 4, 2, target_scaling="standard"),
            r"^target_scaling 'standard' is for regression with MSELoss, not for CrossEntropyLoss\(\)$",
        ),
        (
            lambda: Model.from_layers([Linear(2, 2)], loss="bce_with_logits", target_scaling="standard"),
            r"^target_scaling 'standard' is for regression with MSELoss, not for BCEWithLogitsLoss\(\)$",
        ),
    ],
)
def test_a_target_scaling_that_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# --- files -----------------------------------------------------------------------------------------------------------


@both
def test_what_was_learned_of_the_targets_is_saved(engine: str, tmp_path: Path) -> None:
    model = fitted([[1e6 + v, 1e-6 * v] for v in PLANE_Y], engine=engine)
    model.save(tmp_path / "model.pkl")
    again = Model.load(tmp_path / "model.pkl", engine=engine)
    assert again.schema.target_scaling_kind == "auto"
    assert again.predict(PLANE_X) == model.predict(PLANE_X)
    assert again.target_scaling.to_dict() == model.target_scaling.to_dict()  # type: ignore[union-attr]


def test_a_run_with_other_target_scaling_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    Model(2, 4, 1, task="regression").fit(PLANE_X, PLANE_Y, epochs=1, checkpoint=path)
    other = Model(2, 4, 1, task="regression", target_scaling="none")
    with pytest.raises(ValueError, match="target scaling was auto, is now none"):
        other.fit(PLANE_X, PLANE_Y, epochs=1, checkpoint=path, resume=True)
