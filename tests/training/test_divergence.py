"""Training that runs away is noticed, also after the very last step; nothing bad is kept or saved, and errors are those
that the package documents."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnn import (
    SGD,
    AvgPool2D,
    BestWeights,
    Callback,
    Conv2D,
    DataError,
    Dropout,
    Flatten,
    Layer,
    Linear,
    LogSoftmax,
    Model,
    ReLU,
    Sigmoid,
    Softmax,
    TrainingDiverged,
    train,
)
from scratchnn.errors import ArgumentError
from scratchnn.preprocessing.weighting import sample_weights
from scratchnn.saving import records
from scratchnn.training import checkpoint

RNG = Random(1)
X = [[RNG.gauss(i % 3 - 1, 0.5), RNG.gauss(i % 2, 1.0)] for i in range(30)]
Y = [i % 3 for i in range(30)]
NUMBERS = [a + 2 * b for a, b in X]
ENGINES = ["lanes", "linalg"]


def classifier(engine: str = "lanes", **more: Any) -> Model:
    return Model(2, 20, 3, **{"seed": 1, "engine": engine, **more})


def flat(weights: list[Any]) -> list[float]:
    return [v for matrix in weights for row in matrix for v in (row if isinstance(row, list) else [row])]


# --- the last step -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("lr", "epochs"), [(1e60, 1), (1e200, 1), (1e9, 3), (1e9, 1), (1e300, 2)])
def test_the_last_step_is_looked_at_as_well(engine: str, lr: float, epochs: int) -> None:
    model = classifier(engine)
    before = model.weights
    with pytest.raises(TrainingDiverged, match=r"^training diverged in epoch \d, batch 1: .*try a lower learning rate"):
        model.fit(X, Y, epochs=epochs, lr=lr, batch_size=None)
    assert model.weights == before
    assert all(math.isfinite(v) for row in model.predict_proba(X) for v in row)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_good_model_is_not_replaced_by_a_bad_one(engine: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{a!r},{b!r},c{k}\n" for (a, b), k in zip(X * 3, Y * 3))
    (tmp_path / "rows.csv").write_text(rows)
    usual = ["rows.csv", "--quiet", "--engine", engine, "--epochs", "1"]
    assert train.main(usual) == 0
    good = (tmp_path / "model.pkl").read_bytes()
    for batch_size in ("full", "32"):
        assert train.main([*usual, "--lr", "1e60", "--batch-size", batch_size]) == 2
    assert (tmp_path / "model.pkl").read_bytes() == good


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_was_stopped_is_looked_at_as_well(engine: str, tmp_path: Path) -> None:
    class Stops(Callback):
        def __init__(self, event: str) -> None:
            setattr(self, event, lambda model, run: setattr(model, "stop_training", True))

    for event in ("on_batch_end", "on_epoch_end"):
        model = classifier(engine)
        with pytest.raises(TrainingDiverged, match=r"epoch 1, batch 1: .*"):
            model.fit(
                X, Y, epochs=5, lr=1e60, batch_size=15 if event == "on_batch_end" else None, callbacks=[Stops(event)]
            )
        assert all(math.isfinite(v) for row in model.predict_proba(X) for v in row)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_bad_is_saved_on_the_way(engine: str, tmp_path: Path) -> None:
    """The first epoch is fine, the last step of the second runs away."""

    class Leaps(Callback):
        def on_epoch_end(self, model: Any, run: Any) -> None:
            optimizer.lr = 1e60

    optimizer = SGD(0.1)
    best, run = tmp_path / "best.pkl", tmp_path / "run.ckpt"
    with pytest.raises(TrainingDiverged, match="epoch 2, batch 1: after the step, "):
        classifier(engine).fit(
            *(X, Y),
            epochs=5,
            batch_size=None,
            optimizer=optimizer,
            callbacks=[Leaps(), BestWeights(best, "loss")],
            checkpoint=run,
        )
    assert max(map(abs, flat(Model.load(best, engine=engine).weights))) < 10
    state = records.load_record(run, "scratchnn checkpoint", (checkpoint.VERSION,))["state"]
    assert state["run"]["epoch"] == 1


def test_the_weights_that_are_kept_fit_all_rows() -> None:
    """A finite loss of one batch can be luck: its rows may have left the network dead."""
    model = classifier()
    with pytest.raises(TrainingDiverged):
        model.fit(X, Y, epochs=3, lr=1e9, batch_size=8)
    assert model.evaluate(X, Y)[0] < 1e3
    again = classifier()
    again.fit(X, Y, epochs=2, lr=0.05)
    loss, _ = again.evaluate(X, Y)
    with pytest.raises(TrainingDiverged):
        again.fit(X, Y, epochs=3, lr=1e9, batch_size=8)
    assert again.evaluate(X, Y)[0] == loss


def test_rows_that_do_not_count_are_no_divergence() -> None:
    """A row of weight 0 may be as far out as it likes."""
    numbers = [*NUMBERS[:-1], 1e12]
    model = Model(2, 8, 1, task="regression", engine="linalg", scaling="none", seed=1)
    model.fit(X, numbers, epochs=2, lr=0.01, batch_size=None, sample_weight=[1.0] * 29 + [0.0])
    wild = [*X[:-1], [1e9, -1e9]]
    model = classifier("linalg", scaling="none", activation="tanh")
    model.fit(wild, Y, epochs=2, lr=0.01, batch_size=None)


def test_looking_at_the_last_step_changes_nothing() -> None:
    """With a callback every epoch is looked at, without one only the last: the weights are the same."""
    plain, watched = (classifier(dropout=0.3) for _ in range(2))
    plain.fit(X, Y, epochs=4, batch_size=8, momentum=0.9)
    watched.fit(X, Y, epochs=4, batch_size=8, momentum=0.9, callbacks=[Callback()])
    assert watched.weights == plain.weights


def test_all_rows_of_the_last_batch_are_looked_at_once_more() -> None:
    seen: list[int] = []

    class Watches(Layer):
        def forward(self, x: Any) -> Any:
            if not self.training:
                seen.append(len(self.ops.to_rows(x)))
            return x

        def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
            return gradient

    model = Model.from_layers([Watches(), Linear(2, 3)], input_shape=(2,), seed=1)
    model.fit(X * 4, Y * 4, epochs=2, batch_size=None)
    assert seen == [len(X) * 4]  # once, at the end, and all of them


# --- numbers beyond all use --------------------------------------------------------------------------------


def stack(*layers: Layer, **settings: Any) -> Callable[..., Model]:
    return lambda **more: Model.from_layers([layer.copy() for layer in layers], seed=1, **settings, **more)


NETWORKS: dict[str, Callable[..., Model]] = {
    **{
        activation: lambda activation=activation, **more: Model(2, 6, 3, seed=1, activation=activation, **more)
        for activation in ("relu", "leaky_relu", "tanh", "sigmoid")
    },
    "dropout": stack(Linear(2, 6), ReLU(), Dropout(0.5), Linear(6, 3)),
    "softmax": stack(Linear(2, 6), Softmax(), Linear(6, 3)),
    "nll": stack(Linear(2, 6), ReLU(), Linear(6, 3), LogSoftmax(), loss="nll"),
    "bce": stack(Linear(2, 6), ReLU(), Linear(6, 1), Sigmoid(), loss="bce"),
    "logits": stack(Linear(2, 6), ReLU(), Linear(6, 1), loss="bce_with_logits"),
    "regression": stack(Linear(2, 6), ReLU(), Linear(6, 1), loss="mse"),
    "images": stack(
        Conv2D(1, 2, 1), ReLU(), Conv2D(2, 2, 1), AvgPool2D(1), Flatten(), Linear(4, 3), input_shape=(1, 1, 2)
    ),
}
FITS: list[dict[str, Any]] = [
    *({}, {"lr": 1e9}, {"lr": 1e60}, {"lr": 1e200}, {"lr": 1e308}, {"lr": 1e60, "momentum": 0.9}),
    *({"optimizer": "adam", "lr": 1e60}, {"optimizer": "adam", "lr": 1e308}, {"lr": 1e60, "clip_norm": 1e-3}),
    *({"lr": 1.0, "clip_norm": 1e308}, {"weight_decay": 1e308}, {"weight_decay": 1e9}),
    *({"sample_weight": [1e308] * 30}, {"sample_weight": [1e308] * 2 + [0.0] * 28}, {"sample_weight": [5e-324] * 30}),
]
ROWS: list[list[list[float]]] = [
    *(X, [[1e308, -1e308], [-1e308, 1e308]] * 15, [*X[:-1], [1e308, 0.0]]),
    *([[v * factor for v in row] for row in X] for factor in (1e200, 1e90, 1e-300, 5e-324)),
]
TARGETS = [*([v * factor for v in NUMBERS] for factor in (1.0, 1e155, 1e200, 1e-200)), [1e308, -1e308] * 15]


@settings(max_examples=settings().max_examples // 2)  # of each network on each engine
@given(data=st.data())
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETWORKS)
def test_whatever_runs_away_is_a_documented_error_and_the_model_can_be_used(
    name: str, engine: str, data: st.DataObject
) -> None:
    rows, settings = data.draw(st.sampled_from(ROWS)), data.draw(st.sampled_from(FITS))
    epochs, batch_size = data.draw(st.sampled_from([(1, None), (3, 8)]))
    model = NETWORKS[name](engine=engine, scaling=data.draw(st.sampled_from(["none", "auto"])))
    y: Any = data.draw(st.sampled_from(TARGETS)) if name == "regression" else [k % model.output_size for k in Y]
    if name in ("bce", "logits"):
        y = [k % 2 for k in Y]
    if name != "regression" and data.draw(st.booleans()):
        settings = {**settings, "class_weight": {0: 1e308, 1: 1e308}}
    validation = data.draw(st.sampled_from([None, (rows, y)]))
    try:
        history = model.fit(rows, y, epochs=epochs, batch_size=batch_size, validation_data=validation, **settings)
    except (DataError, TrainingDiverged, ArgumentError):
        assert all(map(math.isfinite, flat(model.weights)))
        if model.scaling is None:
            return
        if max(map(abs, flat([rows]))) > 1.0:  # weights that fit tiny rows may be too large for any others
            rows = X
    else:
        assert all(map(math.isfinite, history.loss))
        assert math.isfinite(model.evaluate(rows, y)[0])
    found = model.predict(rows) if name == "regression" else flat([model.predict_proba(rows)])
    assert all(map(math.isfinite, found))


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_an_engine_cannot_hold_are_bad_data(engine: str) -> None:
    rows = [*X[:-1], [1e308, 0.0]]
    model = classifier(engine, scaling="none")
    with pytest.raises((DataError, TrainingDiverged)):
        model.fit(rows, Y, epochs=1, batch_size=None)
    if engine == "lanes":
        model.fit(X, Y, epochs=1)
        for ask in (
            model.predict,
            model.predict_proba,
            lambda rows: model.evaluate(rows, Y),
            lambda rows: model.score(rows, Y),
        ):
            with pytest.raises(DataError, match=r"^X: numbers up to 1e\+308 appeared, "):
                ask(rows)
        with pytest.raises(DataError, match=r"^X of validation_data: numbers up to 1e\+308 appeared, "):
            model.fit(X, Y, epochs=1, validation_data=(rows, Y))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rows_too_large_to_be_weighed_are_bad_data(sign: float) -> None:
    """A weighted sum of them overflows in one direction, or in both."""
    rows = [[1.7e308, 1.0], [sign * 1.7e308, 0.0], *X[2:]]
    for engine in ENGINES:
        with pytest.raises(DataError, match="too large to be standardised"):
            classifier(engine).fit(rows, Y, sample_weight=[3.0, 3.0, *[1.0] * 28])


def test_rows_with_which_numbers_run_away_in_the_network_are_bad_data() -> None:
    model = classifier(scaling="none")
    model.fit(X, Y, epochs=1)
    model.weights = [[[1e60] * 20] * 2, *model.weights[1:]]
    with pytest.raises(DataError, match=r"^X cannot be computed with: layer 0, Linear: numbers up to "):
        model.predict([[1e50, 1e50]])


# --- weights of samples beyond all use ---------------------------------------------------------------------


def test_weights_of_samples_may_be_as_large_as_floats_go() -> None:
    labels, classes = ["a", "b", "b", "b"], ["a", "b"]
    assert sample_weights(labels, classes, [1e308] * 4) == [1.0] * 4
    assert sample_weights(labels, classes, [1e308, 1e308, 0.0, 0.0]) == [2.0, 2.0, 0.0, 0.0]
    assert sample_weights(labels, classes, None, {"a": 1.7e308, "b": 1.7e308}) == [1.0] * 4
    assert sample_weights(labels, classes, [1e308] * 4, {"a": 1e308, "b": 0.0}) == [4.0, 0.0, 0.0, 0.0]
    assert sample_weights(labels, classes, [1e300, 1.0, 1.0, 1.0], {"a": 1e300}) == pytest.approx([4.0, 0.0, 0.0, 0.0])
