"""Arguments by names that people know from elsewhere: each does what its plain form does, to the last bit."""

from __future__ import annotations

import io
import math
from collections import Counter
from random import Random
from typing import Any

import pytest

import scratchnn
from scratchnn import (
    ELU,
    GELU,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    BCEWithLogitsLoss,
    Callback,
    CosineSchedule,
    CrossEntropyLoss,
    DataError,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    LeakyReLU,
    Linear,
    Model,
    MSELoss,
    OneCycleSchedule,
    ReduceOnPlateau,
    ReLU,
    RMSprop,
    Sigmoid,
    SiLU,
    Softplus,
    StepSchedule,
    Tanh,
    WarmUp,
    elementary,
    linalg,
)
from scratchnn.inference import Inference

_rng = Random(3)
X = [[_rng.gauss(k % 3, 0.5), _rng.gauss(k % 2, 1.0)] for k in range(40)]
Y = [k % 3 for k in range(40)]


def fitted(model: dict[str, Any] | None = None, **settings: Any) -> Any:
    made = Model(2, 4, 3, seed=1, **(model or {}))
    made.fit(X, Y, epochs=4, **settings)
    return made.weights


# --- activations and losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        *((name, ReLU) for name in ("relu", "ReLU", "RELU", ReLU, linalg.relu)),
        *((name, LeakyReLU) for name in ("leaky_relu", "LeakyReLU", "leaky-relu", LeakyReLU)),
        *(
            (name, kind)
            for kind in (GELU, SiLU, ELU, Softplus)
            for name in (kind, kind.__name__, kind.__name__.lower())
        ),
        *((name, Tanh) for name in ("tanh", "Tanh", Tanh, math.tanh, elementary.tanh)),
        *((name, Sigmoid) for name in ("sigmoid", Sigmoid, linalg.sigmoid, elementary.sigmoid)),
    ],
)
def test_an_activation_by_its_name_its_class_or_its_function(given: Any, kind: type) -> None:
    model = Model(2, [4, 4], 3, activation=given)
    assert [type(layer) for layer in model.network] == [Linear, kind, Linear, kind, Linear]
    assert model.network.layers[1] is not model.network.layers[3]


def test_an_activation_with_an_argument_of_its_own() -> None:
    pattern = LeakyReLU(0.25)
    for _ in range(2):  # the pattern does not become a part of the model
        model = Model(2, [4, 4], 3, activation=pattern)
    assert [layer.slope for layer in model.network.layers[1:4:2]] == [0.25, 0.25]  # type: ignore[attr-defined]
    assert fitted({"activation": LeakyReLU(0.01)}) == fitted({"activation": "leaky_relu"})


def relu(x: float) -> float:  # the same name, another function
    return min(x, 0.0)


@pytest.mark.parametrize("given", [relu, lambda x: x, Linear, scratchnn.Softmax, abs])
def test_an_activation_that_is_not_known_is_told_where_it_belongs(given: Any) -> None:
    with pytest.raises(ValueError, match=r"^unknown activation .*: known are relu, .* layer .* Model\.from_layers$"):
        Model(2, 4, 3, activation=given)


@pytest.mark.parametrize("given", ["cross_entropy", "CrossEntropy", "cross-entropy", CrossEntropyLoss])
def test_a_loss_by_its_name_or_its_class(given: Any) -> None:
    assert type(Model.from_layers([Linear(2, 3)], loss=given).loss) is CrossEntropyLoss
    assert type(Model.from_layers([Linear(2, 3)], loss=MSELoss).loss) is MSELoss
    assert Model.from_layers([Linear(2, 1)], loss=BCEWithLogitsLoss).task == "classification"


def test_a_loss_class_of_ones_own() -> None:
    class Half(MSELoss):
        pass

    assert type(Model.from_layers([Linear(2, 1)], loss=Half).loss) is Half


# --- optimizers and schedules -------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["adam", "Adam", "ADAM", Adam])
def test_adam_by_its_name_or_its_class(given: Any) -> None:
    assert fitted(optimizer=given, lr=0.01) == fitted(optimizer=Adam(0.01))


@pytest.mark.parametrize("given", ["sgd", "SGD", SGD])
def test_sgd_by_its_name_or_its_class(given: Any) -> None:
    assert fitted(optimizer=given, lr=0.1, momentum=0.5) == fitted(optimizer=SGD(0.1, momentum=0.5))


class Rates(Callback):
    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_epoch_end(self, model: Any, run: Any) -> None:
        self.seen.append(run.lr)


def rates(schedule: Any, epochs: int = 7) -> list[float]:
    noted = Rates()
    Model(2, 4, 3).fit(X, Y, epochs=epochs, lr=0.1, schedule=schedule, callbacks=[noted])
    return noted.seen


@pytest.mark.parametrize("given", ["cosine", "Cosine", CosineSchedule])
def test_a_cosine_over_all_epochs_by_its_name(given: Any) -> None:
    assert rates(given) == rates(CosineSchedule(7))
    assert rates(given)[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("given", ["warmup", "WarmUp", "warm-up", WarmUp])
def test_a_warm_up_for_a_tenth_of_the_epochs_by_its_name(given: Any) -> None:
    assert rates(given) == rates(WarmUp(1, CosineSchedule(6)))
    assert rates(given, 11) == rates(WarmUp(2, CosineSchedule(9)), 11)
    assert rates(given, 1) == rates("cosine", 1)


@pytest.mark.parametrize("given", ["onecycle", "OneCycle", "one_cycle", OneCycleSchedule])
def test_one_cycle_over_all_epochs_by_its_name(given: Any) -> None:
    assert rates(given) == rates(OneCycleSchedule(7))


@pytest.mark.parametrize(
    ("name", "kind"), [("adagrad", Adagrad), ("rmsprop", RMSprop), ("RMSProp", RMSprop), ("AdamW", AdamW)]
)
def test_the_other_optimizers_by_their_names(name: str, kind: Any) -> None:
    assert fitted(optimizer=name) == fitted(optimizer=kind) == fitted(optimizer=kind())


@pytest.mark.parametrize(
    ("given", "kind"),
    [("l1", L1Loss), ("L1", L1Loss), ("huber", HuberLoss), (HuberLoss, HuberLoss), ("KLDiv", KLDivLoss)],
)
def test_the_other_losses_by_their_names(given: Any, kind: Any) -> None:
    model = Model.from_layers([Linear(2, 3)], loss=given)
    assert type(model.loss) is kind
    assert model.task == "regression"


@pytest.mark.parametrize("given", ["step", StepSchedule])
def test_steps_after_each_third_by_their_name(given: Any) -> None:
    assert rates(given) == rates(StepSchedule(3))


@pytest.mark.parametrize("given", ["plateau", ReduceOnPlateau])
def test_a_plateau_by_its_name(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "measured", lambda self, data: (1.0, 0.5))
    noted = Rates()
    Model(2, 4, 3).fit(X, Y, epochs=6, lr=0.1, schedule=given, validation_data=(X, Y), callbacks=[noted])
    assert noted.seen == [0.1] * 4 + [pytest.approx(0.01)] * 2


def test_no_schedule_by_its_name() -> None:
    assert rates("none") == rates(None) == [0.1] * 7


@pytest.mark.parametrize("given", ["linear", 0.5, Rates, lambda epoch: 0.1, object])
def test_an_unknown_schedule_lists_the_known_ones(given: Any) -> None:
    known = "known are cosine, step, plateau, warmup, onecycle, or a Schedule such"
    with pytest.raises(ValueError, match=f"^unknown schedule .*: {known}"):
        rates(given)


# --- validation_split ---------------------------------------------------------------------------------------------


class Parts(Callback):
    """Learns from the run how many rows there were."""

    def on_train_begin(self, model: Any, run: Any) -> None:
        self.samples = run.samples


def test_a_part_of_the_rows_is_set_aside_to_validate_with() -> None:
    parts = Parts()
    history = Model(2, 4, 3).fit(X, Y, epochs=3, validation_split=0.25, callbacks=[parts])
    assert parts.samples == 30
    assert len(history["val_loss"]) == len(history["val_accuracy"]) == 3


def test_the_split_has_every_class_in_proportion_and_comes_from_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    labelled = Inference.labelled

    def watched(self: Inference, schema: Any, X: Any, y: Any, name: str) -> Any:
        seen.append((X, y))
        return labelled(self, schema, X, y, name)

    monkeypatch.setattr(Inference, "labelled", watched)
    y = [k % 2 for k in range(40)]
    for seed in (1, 1, 2):
        Model(2, 4, 2, seed=seed).fit(X, y, epochs=1, validation_split=0.25)
    assert [Counter(labels) for _, labels in seen] == [{0: 5, 1: 5}] * 3
    assert seen[0] == seen[1] != seen[2]
    pairs = list(zip(X, y))
    assert all(pair in pairs for pair in zip(*seen[0]))


def test_rows_that_are_set_aside_are_not_learned_from() -> None:
    """A held-out row that would be infinitely far away changes neither scaling nor weights."""
    split = Model(2, 4, 3, seed=1)
    split.fit(X, Y, epochs=3, validation_split=0.25, sample_weight=[1.0 + k for k in range(40)])
    index = [i for i, _ in enumerate(X)]
    learned, held_out, _, _ = scratchnn.train_test_split(index, list(map(str, Y)), test_fraction=0.25, seed=1)
    by_hand = Model(2, 4, 3, seed=1)
    history = by_hand.fit(
        [X[i] for i in learned],
        [Y[i] for i in learned],
        epochs=3,
        validation_data=([X[i] for i in held_out], [Y[i] for i in held_out]),
        sample_weight=[1.0 + i for i in learned],
    )
    assert split.weights == by_hand.weights
    assert split.history["val_loss"] == history["val_loss"]


def test_a_split_of_numbers_to_be_predicted() -> None:
    model = Model(2, 4, 2, task="regression")
    history = model.fit(X, [[a, a + b] for a, b in X], epochs=2, validation_split=0.5)
    assert len(history["val_loss"]) == 2 and not history["val_accuracy"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"validation_split": 0.2, "validation_data": (X, Y)}, ValueError, "only one of them can be given"),
        ({"validation_split": 0}, ValueError, "validation_split must be above 0"),
        ({"validation_split": 1}, ValueError, "validation_split must be a number at least 0 and below 1, got 1"),
        ({"validation_split": "half"}, ValueError, "validation_split must be a number"),
        ({"validation_split": True}, ValueError, "validation_split must be a number"),
        ({"validation_split": 0.2, "sample_weight": [1.0]}, DataError, "X and sample_weight must be of the same"),
        ({"validation_split": 0.2, "y": Y[:-1]}, DataError, "X and y must be of the same length"),
        (
            {"validation_split": 0.2, "y": [str(k) for k in range(40)]},
            DataError,
            "^validation_split: none of 40 rows can be held out",
        ),
    ],
)
def test_a_split_that_makes_no_sense_is_refused_and_leaves_the_model_as_it_was(
    settings: dict[str, Any], error: type, message: str
) -> None:
    model = Model(2, 4, 3)
    before = model.weights
    with pytest.raises(error, match=message):
        model.fit(**{"X": X, "y": Y, "epochs": 1, **settings})
    assert model.weights == before and model.scaling is None and not model.classes


# --- verbose ------------------------------------------------------------------------------------------------------


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("verbose", "lines", "live"), [(0, 0, 0), (False, 0, 0), (1, 4, 1), (True, 4, 1), (2, 4, 0)])
def test_verbose_shows_progress(verbose: Any, lines: int, live: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    fitted(verbose=verbose)
    assert screen.getvalue().count("\n") == lines
    assert ("\r" in screen.getvalue()) == live


@pytest.mark.parametrize("verbose", [-1, "yes", 0.5, None])
def test_verbose_is_a_whole_number(verbose: Any) -> None:
    with pytest.raises(ValueError, match="verbose must be a whole number of at least 0"):
        fitted(verbose=verbose)
