"""What is done where nothing is said: the same by both doors, good on tables of every kind, and given up at a word."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import (
    SGD,
    Adam,
    Callback,
    CosineSchedule,
    EarlyStopping,
    Linear,
    Model,
    StepSchedule,
    Tanh,
    TrainingDiverged,
    defaults,
    load_csv,
    load_digits,
    train,
)
from tests.plain import PLAIN

ENGINES = ["lanes", "linalg"]
RNG = Random(1)
X = [[RNG.gauss(i % 3 - 1, 0.5), RNG.gauss(i % 2, 1.0)] for i in range(60)]
Y = [i % 3 for i in range(60)]
NUMBERS = [1000.0 * a - b for a, b in X]


class Watch(Callback):
    """Notes rate and size of every batch, and the largest norm of a gradient."""

    def on_train_begin(self, model: Any, run: Any) -> None:
        self.rates: list[float] = []
        self.batches: list[int] = []
        self.norms: list[float] = []
        self.gradients: list[list[list[float]]] = []

    def on_batch_end(self, model: Any, run: Any) -> None:
        before = sum(self.batches) % run.samples
        self.rates.append(run.lr)
        self.batches.append(run.samples_done - before)
        gradients = [model.ops.to_rows(p.gradient) for p in model.network.parameters()]
        self.gradients.append([[v for row in rows for v in row] for rows in gradients])
        self.norms.append(math.sqrt(sum(v * v for values in self.gradients[-1] for v in values)))


def watched(model: Model, x: Any = X, y: Any = Y, **how: Any) -> Watch:
    watch = Watch()
    model.fit(x, y, callbacks=[watch], **how)
    return watch


def flat(weights: list[Any]) -> list[list[float]]:
    """Each matrix as one list of numbers."""
    return [[v for row in matrix for v in (row if isinstance(row, list) else [row])] for matrix in weights]


def classifier(**more: Any) -> Model:
    return Model(2, 6, 3, **{"seed": 1, **more})


def regression(**more: Any) -> Model:
    return Model(2, 6, 1, task="regression", seed=1, **more)


# --- one set for both doors --------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_command_and_the_library_make_the_same_model(task: str, tmp_path: Path) -> None:
    label = [["ash", "birch", "cedar"][k] for k in Y] if task == "classification" else NUMBERS
    rows, saved = tmp_path / "rows.csv", tmp_path / "model.pkl"
    rows.write_text("a,b,y\n" + "".join(f"{a!r},{b!r},{c}\n" for (a, b), c in zip(X, label)))
    asked = ["--regression"] if task == "regression" else []
    assert train.main([str(rows), "--test", str(rows), "--label", "y", "--quiet", "--save", str(saved), *asked]) == 0
    data = load_csv(rows, "y", regression=task == "regression")
    model = Model(2, output_size=3 if task == "classification" else 1, task=task)
    model.fit(data.X, data.y)
    assert Model.load(saved).weights == model.weights


def test_the_command_says_nothing_of_its_own_to_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not asked for reaches ``Model`` and ``fit`` as their own defaults, or not at all."""
    told: list[dict[str, Any]] = []

    def keep(self: Model, X: Any, y: Any, **how: Any) -> Any:
        told.append(how)
        raise KeyboardInterrupt

    usual = {name: p.default for name, p in inspect.signature(Model.fit).parameters.items()}
    monkeypatch.setattr(Model, "fit", keep)
    train.main(["--save", str(tmp_path / "model.pkl"), "--quiet"])
    schedule = told[0].pop("schedule")
    assert schedule in (defaults.AUTO, defaults.SCHEDULE)
    of_this_door = {"callbacks", "columns"}
    assert {name: value for name, value in told[0].items() if name not in of_this_door} == {
        name: usual[name] for name in told[0] if name not in of_this_door
    }


def test_the_library_reads_the_same_numbers() -> None:
    fit, build = inspect.signature(Model.fit).parameters, inspect.signature(Model.__init__).parameters
    assert build["hidden_size"].default == defaults.HIDDEN_SIZE
    assert fit["epochs"].default == defaults.EPOCHS
    assert [fit[name].default for name in ("lr", "momentum")] == [None, None]
    assert [fit[name].default for name in ("batch_size", "schedule", "clip_norm")] == [defaults.AUTO] * 3


# --- what they are -----------------------------------------------------------------------------------------


@given(rows=st.integers(1, 2000))
def test_a_batch_is_a_tenth_of_a_small_table_within_bounds(rows: int) -> None:
    size = defaults.batch_size(rows)
    assert defaults.SMALLEST_BATCH <= size <= defaults.BATCH_SIZE
    assert size in (defaults.SMALLEST_BATCH, defaults.BATCH_SIZE) or size == rows // 10


@pytest.mark.parametrize(("rows", "sizes"), [(5, {5}), (60, {8, 4}), (130, {13}), (320, {32}), (400, {32, 16})])
def test_fit_takes_such_batches(rows: int, sizes: set[int]) -> None:
    x, y = [X[i % 60] for i in range(rows)], [Y[i % 60] for i in range(rows)]
    assert set(watched(classifier(), x, y, epochs=1).batches) == sizes


def test_the_rate_falls_as_a_cosine_over_the_epochs_asked_for() -> None:
    watch = watched(classifier(), epochs=4, batch_size=None)
    assert watch.rates == pytest.approx([0.05 * (1.0 + math.cos(math.pi * k / 4)) for k in range(4)])
    assert watched(classifier(), epochs=1).rates == [0.1] * 8  # a single epoch keeps its rate
    assert watched(classifier(), epochs=2, batch_size=None, optimizer="adam").rates == pytest.approx([0.001, 0.0005])


@pytest.mark.parametrize("engine", ENGINES)
def test_every_fit_begins_anew(engine: str, tmp_path: Path) -> None:
    """The rate is back at its first one and no momentum is left: a model that was saved in between learns the same."""
    model, path = classifier(engine=engine), tmp_path / "model.pkl"
    rates = watched(model, epochs=3).rates
    model.save(path)
    assert watched(model, epochs=3, shuffle=False).rates == rates
    loaded = Model.load(path, engine=engine)
    loaded.fit(X, Y, epochs=3, shuffle=False)
    assert loaded.history.loss == pytest.approx(model.history.loss, rel=1e-3)


def test_a_run_that_is_stopped_early_followed_the_schedule_of_all_epochs() -> None:
    watch, stopper = Watch(), EarlyStopping("loss", patience=1, min_delta=10.0)
    classifier().fit(X, Y, epochs=40, batch_size=None, callbacks=[watch, stopper])
    cosine = CosineSchedule(40)
    cosine.base = 0.1
    assert len(watch.rates) < 40
    assert watch.rates == [cosine.rate(epoch) for epoch in range(len(watch.rates))]


def test_a_run_that_is_made_longer_follows_the_schedule_of_the_longer_one(tmp_path: Path) -> None:
    """The rate rises again, to where a run that had been asked for so long at once has it by then."""
    how: dict[str, Any] = {"batch_size": None, "checkpoint": tmp_path / "run"}
    long = watched(classifier(), epochs=10, batch_size=None).rates
    assert watched(classifier(), epochs=5, **how).rates == watched(classifier(), epochs=5, batch_size=None).rates
    assert watched(classifier(), epochs=10, resume=True, **how).rates == long[5:]


def test_momentum_is_that_of_sgd_by_name_alone() -> None:
    def weights(**how: Any) -> Any:
        model = classifier()
        model.fit(X, Y, epochs=2, **how)
        return model.weights

    assert weights() == weights(momentum=0.9) == weights(optimizer=SGD(0.1, momentum=0.9))
    assert weights(momentum=0) == weights(optimizer=SGD(0.1)) != weights()
    assert weights(nesterov=True) == weights(momentum=0.9, nesterov=True) != weights()
    assert weights(optimizer="adam") == weights(optimizer=Adam(0.001)) == weights(optimizer="adam", momentum=0)


@pytest.mark.parametrize(
    ("model", "bounded"),
    [
        (regression(), True),
        (regression(target_scaling="none"), False),
        (classifier(), False),
        (Model(2, [4, 4, 4], 3), False),
        (Model(2, [4, 4, 4, 4], 3), True),
        (Model.from_layers([Linear(2, 4), Tanh(), Linear(4, 2)], loss="bce_with_logits"), False),
    ],
)
def test_gradients_are_bounded_where_they_can_be_large(model: Model, bounded: bool) -> None:
    y: Any = Y if model.task == "classification" else NUMBERS if model.output_size == 1 else [[0.0, 1.0]] * 60
    model.weights = [[[20.0 * v for v in row] if isinstance(row, list) else row for row in m] for m in model.weights]
    assert (max(watched(model, y=y, epochs=1, lr=1e-6).norms) <= 1.001) is bounded


# --- a word is enough --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_explicit_arguments_win(engine: str) -> None:
    """Plain gradient descent is what it says: every step goes along the gradient, as far as the rate says."""
    model = regression(engine=engine, scaling="none", target_scaling="none")
    before, steps = model.weights, Watch()
    y = [5.0 * v for v, _ in X]
    model.fit(X, y, epochs=3, lr=0.01, batch_size=20, callbacks=[steps], **PLAIN)
    assert steps.rates == [0.01] * 9
    assert steps.batches == [20] * 9
    assert max(steps.norms) > 2.0
    walked = [[0.01 * sum(entry) for entry in zip(*matrix)] for matrix in zip(*steps.gradients)]
    for start, way, end in zip(flat(before), walked, flat(model.weights)):
        assert end == pytest.approx([a - b for a, b in zip(start, way)], abs=1e-3)


def test_a_schedule_of_ones_own_is_followed() -> None:
    watch = watched(classifier(), epochs=3, batch_size=None, schedule=StepSchedule(1, 0.5))
    assert watch.rates == [0.1, 0.05, 0.025]
    for none in (None, "none"):
        assert watched(classifier(), epochs=3, batch_size=None, schedule=none).rates == [0.1] * 3
    assert watched(classifier(), epochs=2, batch_size=None, schedule="auto").rates == pytest.approx([0.1, 0.05])


def test_the_command_takes_a_word_as_well(tmp_path: Path) -> None:
    rows, saved = tmp_path / "rows.csv", tmp_path / "model.pkl"
    rows.write_text("a,b,y\n" + "".join(f"{a!r},{b!r},{c}\n" for (a, b), c in zip(X, NUMBERS)))
    plain = ["--momentum", "0", "--schedule", "none", "--clip-norm", "none", "--batch-size", "full", "--lr", "0.01"]
    usual = [str(rows), "--test", str(rows), "--label", "y", "--regression", "--quiet", "--save", str(saved)]
    assert train.main([*usual, *plain]) == 0
    data = load_csv(rows, "y", regression=True)
    model = Model(2, output_size=1, task="regression")
    model.fit(data.X, data.y, lr=0.01, batch_size=None, **PLAIN)
    assert Model.load(saved).weights == model.weights


# --- how good they are -------------------------------------------------------------------------------------


def sine() -> tuple[Any, Any]:
    places = [[i / 50.0 - 3.0] for i in range(300)]
    return places, [math.sin(2.0 * x) for (x,) in places]


def line() -> tuple[Any, Any]:
    return [[float(i)] for i in range(100)], [3.0 * i + 1.0 for i in range(100)]


def dollars(unit: float = 1.0) -> tuple[Any, Any]:
    rng = Random(3)
    rows = [[rng.lognormvariate(1.2, 0.45), rng.lognormvariate(7.0, 0.8), rng.uniform(32.0, 42.0)] for _ in range(400)]
    return rows, [unit * 40_000.0 * (a + math.log(b) / 5.0 + math.sin(c)) for a, b, c in rows]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("table", "least"), [(sine, 0.6), (line, 0.99), (dollars, 0.9)])
def test_regression_learns_with_nothing_said(engine: str, table: Any, least: float) -> None:
    x, y = table()
    model = Model(len(x[0]), output_size=1, task="regression", engine=engine)
    model.fit(x, y)
    assert model.score(x, y) > least


def test_the_unit_of_the_target_does_not_matter() -> None:
    scores = []
    for unit in (1e-5, 1.0, 1e3):
        x, y = dollars(unit)
        model = Model(3, output_size=1, task="regression")
        model.fit(x, y)
        scores.append(model.score(x, y))
    assert scores == pytest.approx([scores[1]] * 3, abs=1e-3)


@pytest.mark.parametrize(
    ("activation", "depth"),
    [
        ("relu", 8),
        ("tanh", 1),
        *[pytest.param("relu", depth, marks=pytest.mark.slow) for depth in (1, 3, 5)],
        *[pytest.param("tanh", depth, marks=pytest.mark.slow) for depth in (3, 5, 8)],
    ],
)
def test_deep_networks_learn_with_nothing_said(activation: str, depth: int) -> None:
    training, test = load_digits()
    model = Model(64, [32] * depth, 10, activation=activation, seed=1)
    model.fit(training.X, training.y, epochs=5)
    assert model.score(test.X, test.y) > 0.9


@pytest.mark.slow
def test_the_first_layer_is_not_drawn_too_large_for_few_inputs() -> None:
    """He's rule on the first layer was behind on a table of 20 columns."""
    sklearn = pytest.importorskip("sklearn.datasets")
    shape = {"n_features": 20, "n_informative": 8, "n_redundant": 4, "n_classes": 4, "class_sep": 1.2}
    x, y = (part.tolist() for part in sklearn.make_classification(1000, random_state=1, **shape))
    scores: dict[str, float] = dict.fromkeys(("auto", "he"), 0.0)
    for init in scores:
        for seed in range(3):
            model = Model(20, output_size=4, init=init, seed=seed)
            model.fit(x[:800], y[:800], epochs=5)
            scores[init] += model.score(x[800:], y[800:]) / 3.0
    assert scores["auto"] > scores["he"]
    assert scores["auto"] > 0.75


def test_few_rows_are_enough_steps() -> None:
    """Ten epochs of a single batch of 32 were ten steps."""
    x, y = line()
    few, many = x[::4], y[::4]
    small, large = (Model(1, output_size=1, task="regression") for _ in range(2))
    small.fit(few, many)
    large.fit(few, many, batch_size=32)
    assert small.score(few, many) > 0.95 > large.score(few, many)


@pytest.mark.parametrize(("epochs", "least"), [(3, 0.95), pytest.param(20, 0.96, marks=pytest.mark.slow)])
def test_the_originals_snippet_is_as_good_as_it_was(epochs: int, least: float) -> None:
    training, test = load_digits()
    model = Model(input_size=64, hidden_size=100, output_size=10)
    model.fit(training.X, training.y, epochs=epochs, lr=0.1)
    plain = Model(input_size=64, hidden_size=100, output_size=10, init="he")
    plain.fit(training.X, training.y, epochs=epochs, lr=0.1, batch_size=32, **PLAIN)
    assert model.score(test.X, test.y) >= max(least, plain.score(test.X, test.y))


def test_a_rate_far_too_high_is_still_an_error() -> None:
    with pytest.raises(TrainingDiverged):
        classifier().fit(X, Y, lr=1e60)
