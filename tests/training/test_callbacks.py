"""Looking on while a model trains: the history, the order of events, stopping early, keeping the best weights."""

from __future__ import annotations

import math
import os
from collections.abc import Callable as Function
from pathlib import Path
from typing import Any

import pytest

from scratchnn import BestWeights, Callback, EarlyStopping, History, Model
from scratchnn.training.callbacks import Run

X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
Y = [0, 1, 1, 0]


def classifier(**settings: Any) -> Model:
    return Model(2, 4, 2, scaling="none", **settings)


class Diary(Callback):
    """Writes down what it is told and where the run stands."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_train_begin(self, model: Any, run: Run) -> None:
        self.events.append(f"begin {run.epochs}x{run.batches}")

    def on_batch_end(self, model: Any, run: Run) -> None:
        self.events.append(f"batch {run.epoch}.{run.batch} {run.samples_done}/{run.samples}")

    def on_epoch_end(self, model: Any, run: Run) -> None:
        self.events.append(f"epoch {run.epoch}, {len(run.history)} in the history")

    def on_train_end(self, model: Any, run: Run) -> None:
        self.events.append("end")


class StopAt(Callback):
    """Asks to stop after one certain batch."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.place = (epoch, batch)

    def on_batch_end(self, model: Any, run: Run) -> None:
        model.stop_training = (run.epoch, run.batch) == self.place


class Script:
    """Makes the validation losses of a run what a test wants, and remembers the weights after each epoch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: Model, losses: list[float]) -> None:
        self.weights: list[Any] = []
        remaining = iter(losses)

        def evaluate(data: Any) -> tuple[float, float]:
            self.weights.append(model.weights)
            return next(remaining), 0.5

        monkeypatch.setattr(model, "measured", evaluate)


def fit_scripted(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], callback: Callback
) -> tuple[Model, History, list[Any]]:
    model = classifier()
    script = Script(monkeypatch, model, losses)
    history = model.fit(X, Y, epochs=len(losses), validation_data=(X, Y), callbacks=[callback])
    return model, history, script.weights


# --- events ------------------------------------------------------------------------------------------------


def test_events_come_in_order() -> None:
    diary = Diary()
    classifier().fit(X, Y, epochs=2, batch_size=3, callbacks=[diary])
    assert diary.events == [
        "begin 2x2",
        "batch 1.1 3/4",
        "batch 1.2 4/4",
        "epoch 1, 1 in the history",
        "batch 2.1 3/4",
        "batch 2.2 4/4",
        "epoch 2, 2 in the history",
        "end",
    ]


def test_callbacks_are_told_in_the_order_given() -> None:
    told: list[str] = []

    class Named(Callback):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_batch_end(self, model: Any, run: Run) -> None:
            told.append(self.name)

    classifier().fit(X, Y, epochs=1, callbacks=[Named("first"), Named("second")])
    assert told == ["first", "second"]


def test_stopping_within_an_epoch_leaves_no_partial_epoch_in_the_history() -> None:
    diary = Diary()
    model = classifier()
    history = model.fit(X, Y, epochs=5, batch_size=1, validation_data=(X, Y), callbacks=[diary, StopAt(2, 3)])
    assert diary.events[-3:] == ["batch 2.2 2/4", "batch 2.3 3/4", "end"]
    for values in history.to_dict().values():
        assert len(values) == 1
    assert len(model.predict(X)) == 4


def test_stopping_in_the_first_epoch_leaves_an_empty_history_and_a_model_that_works() -> None:
    model = classifier()
    history = model.fit(X, Y, epochs=5, batch_size=1, callbacks=[StopAt(1, 1)])
    assert len(history) == 0
    assert repr(history) == "History(0 epochs)"
    assert repr(model.fit(X, Y, epochs=1)).startswith("History(1 epoch, last loss ")
    assert len(model.predict(X)) == 4


def test_stopping_after_the_last_batch_of_an_epoch_keeps_that_epoch() -> None:
    diary = Diary()
    history = classifier().fit(X, Y, epochs=5, batch_size=2, callbacks=[diary, StopAt(2, 2)])
    assert len(history) == 2
    assert diary.events[-2:] == ["epoch 2, 2 in the history", "end"]


def test_a_stopped_model_can_be_fitted_again() -> None:
    model = classifier()
    model.fit(X, Y, epochs=3, callbacks=[StopAt(1, 1)])
    assert len(model.fit(X, Y, epochs=3)) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_the_end_is_told_when_training_breaks_off(error: type[BaseException]) -> None:
    class Breaks(Callback):
        def on_batch_end(self, model: Any, run: Run) -> None:
            raise error

    diary = Diary()
    with pytest.raises(error):
        classifier().fit(X, Y, callbacks=[diary, Breaks()])
    assert diary.events[-1] == "end"


def test_any_object_with_the_four_methods_will_do() -> None:
    class Counter:
        def __init__(self) -> None:
            self.calls = 0

        def on_train_begin(self, model: Any, run: Any) -> None:
            self.calls += 1

        on_batch_end = on_epoch_end = on_train_end = on_train_begin

    counter = Counter()
    classifier().fit(X, Y, epochs=2, callbacks=[counter])
    assert counter.calls == 1 + 2 * 2 + 1


def test_a_single_callback_needs_no_list() -> None:
    diary = Diary()
    classifier().fit(X, Y, epochs=1, callbacks=diary)  # type: ignore[arg-type]
    assert diary.events[-1] == "end"


@pytest.mark.parametrize("wrong", [print, Diary, "progress", None])
def test_what_does_not_listen_is_refused_before_training(wrong: Any) -> None:
    with pytest.raises(ValueError, match="callbacks must be Callback objects, with methods on_train_begin"):
        classifier().fit(X, Y, callbacks=[wrong])


# --- what callbacks read -----------------------------------------------------------------------------------


def test_a_run_knows_its_means_so_far() -> None:
    run = Run(1, 10, 2, 0.1, classifies=True, validates=False)
    run.start_epoch(1)
    assert math.isnan(run.loss)
    assert run.accuracy is None
    run.count(2.0, 8, 6)
    assert (run.loss, run.accuracy) == (2.0, 0.75)
    run.count(7.0, 2, 1)
    assert (run.loss, run.accuracy) == (3.0, 0.7)
    run.start_epoch(2)
    assert (run.epoch, run.batch, run.samples_done) == (2, 0, 0)


def test_regression_has_no_accuracy() -> None:
    seen: list[Any] = []

    class Look(Callback):
        def on_batch_end(self, model: Any, run: Run) -> None:
            seen.append(run.accuracy)

    model = Model(2, 3, 1, task="regression")
    history = model.fit(X, [0.0, 1.0, 2.0, 3.0], epochs=2, validation_data=(X, [0, 1, 2, 3]), callbacks=[Look()])
    assert seen == [None, None]
    assert history.accuracy == history.validation_accuracy == []
    assert len(history.validation_loss) == 2


def test_a_history_is_plain_lists() -> None:
    history = classifier().fit(X, Y, epochs=3, validation_data=(X, Y))
    assert list(history.to_dict()) == ["loss", "accuracy", "validation_loss", "validation_accuracy", "seconds"]
    for values in history.to_dict().values():
        assert len(values) == len(history) == 3
        assert all(type(value) is float for value in values)
    assert repr(history) == f"History(3 epochs, last loss {history.loss[-1]:.4f})"


def test_predicting_in_the_middle_of_an_epoch_does_not_switch_dropout_off() -> None:
    class Watch(Callback):
        def on_batch_end(self, model: Any, run: Run) -> None:
            model.predict(X)

    def weights(callbacks: list[Callback]) -> Any:
        model = classifier(dropout=0.5)
        model.fit(X, Y, epochs=3, batch_size=1, callbacks=callbacks)
        return model.weights

    assert weights([Watch()]) == weights([])


# --- early stopping ----------------------------------------------------------------------------------------


def test_early_stopping_waits_for_patience_epochs_without_improvement(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = EarlyStopping(patience=2)
    model, history, weights = fit_scripted(monkeypatch, [5.0, 4.0, 4.5, 3.0, 3.5, 3.1, 1.0], stopping)
    assert history.validation_loss == [5.0, 4.0, 4.5, 3.0, 3.5, 3.1]
    assert (stopping.best, stopping.best_epoch) == (3.0, 4)
    assert model.weights == weights[3]


def test_the_best_weights_come_back_even_when_the_epochs_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model, history, weights = fit_scripted(monkeypatch, [2.0, 1.0, 3.0], EarlyStopping(patience=10))
    assert len(history) == 3
    assert model.weights == weights[1] != weights[2]


def test_the_last_weights_stay_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = EarlyStopping(patience=1, restore_best=False)
    model, history, weights = fit_scripted(monkeypatch, [1.0, 2.0, 3.0], stopping)
    assert len(history) == 2
    assert model.weights == weights[1]


def test_improvements_up_to_min_delta_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    _, history, _ = fit_scripted(monkeypatch, [1.0, 0.75, 0.5, 0.25], EarlyStopping(patience=2, min_delta=0.5))
    assert len(history) == 3
    _, history, _ = fit_scripted(monkeypatch, [1.0, 0.75, 0.5, 0.25], EarlyStopping(patience=2, min_delta=0.125))
    assert len(history) == 4


def test_not_a_number_is_never_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    model, history, weights = fit_scripted(monkeypatch, [math.nan, 2.0, math.nan, math.nan], EarlyStopping(patience=2))
    assert len(history) == 4
    assert model.weights == weights[1]
    _, history, _ = fit_scripted(monkeypatch, [math.nan] * 5, EarlyStopping(patience=3))
    assert len(history) == 3


def test_accuracy_is_better_when_it_is_larger() -> None:
    run = Run(5, 1, 1, 0.1, classifies=True, validates=False)
    stopping = EarlyStopping("accuracy", patience=2)
    stopping.on_train_begin(None, run)
    verdicts = []
    for epoch, accuracy in enumerate([0.5, 0.7, 0.6, 0.8], start=1):
        run.start_epoch(epoch)
        run.history.accuracy.append(accuracy)
        verdicts.append(stopping.improved(run))
    assert verdicts == [True, True, False, True]


def test_a_stopper_starts_afresh_with_every_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = EarlyStopping(patience=2)
    fit_scripted(monkeypatch, [1.0, 2.0, 3.0], stopping)
    _, history, _ = fit_scripted(monkeypatch, [9.0, 8.0, 7.0], stopping)
    assert history.validation_loss == [9.0, 8.0, 7.0]


# --- best weights in a file --------------------------------------------------------------------------------


def test_best_weights_saves_each_time_it_gets_better(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "best.pkl"
    _, _, weights = fit_scripted(monkeypatch, [3.0, 2.0, 2.5, 2.0], BestWeights(path))
    assert Model.load(path).weights == weights[1] != weights[3]


def test_best_weights_finds_an_unwritable_place_before_training(tmp_path: Path) -> None:
    model = classifier()
    before = model.weights
    with pytest.raises(OSError, match="there is no folder"):
        model.fit(X, Y, callbacks=[BestWeights(tmp_path / "nowhere" / "best.pkl", "loss")])
    assert model.weights == before
    assert os.listdir(tmp_path) == []


# --- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [EarlyStopping, lambda monitor: BestWeights("best.pkl", monitor)])
def test_an_unknown_monitor_lists_the_known_ones(make: Function[[str], Callback]) -> None:
    with pytest.raises(
        ValueError,
        match=r"^unknown monitor 'val_loss': known are loss, accuracy, validation_loss, validation_accuracy",
    ):
        make("val_loss")


@pytest.mark.parametrize("patience", [0, -1, 1.5, "3", True])
def test_patience_is_a_positive_whole_number(patience: Any) -> None:
    with pytest.raises(ValueError, match="patience must be a whole number of at least 1, got"):
        EarlyStopping(patience=patience)


@pytest.mark.parametrize("min_delta", [-0.1, math.nan, "little"])
def test_min_delta_is_a_number_of_at_least_0(min_delta: Any) -> None:
    with pytest.raises(ValueError, match="min_delta must be a number at least 0"):
        EarlyStopping(min_delta=min_delta)


@pytest.mark.parametrize("monitor", ["validation_loss", "validation_accuracy"])
def test_watching_validation_without_validation_data_is_found_before_training(monitor: str) -> None:
    model = classifier()
    before = model.weights
    with pytest.raises(ValueError, match=f"EarlyStopping watches {monitor}, which needs validation data"):
        model.fit(X, Y, callbacks=[EarlyStopping(monitor)])
    assert model.weights == before


def test_watching_the_accuracy_of_a_regression_is_found_before_training() -> None:
    model = Model(2, 3, 1, task="regression")
    with pytest.raises(ValueError, match="EarlyStopping watches accuracy, which needs a classification model"):
        model.fit(X, [0, 1, 2, 3], callbacks=[EarlyStopping("accuracy")])


# --- the history by familiar names -------------------------------------------------------------------------


def test_a_history_gives_its_lists_by_name() -> None:
    history = History()
    history.validation_loss.append(0.5)
    history.loss.append(0.25)
    assert history["loss"] is history.history["loss"] is history.loss
    assert history["validation_loss"] is history["val_loss"] is history.validation_loss
    assert history["val_accuracy"] is history.validation_accuracy
    assert "val_loss" in history and "lr" not in history
    with pytest.raises(KeyError, match="no 'lr' in a history: there are loss, accuracy, validation_loss"):
        history["lr"]
    with pytest.raises(TypeError):
        list(history)  # type: ignore[call-overload]


def test_the_model_keeps_the_history_of_its_last_fit() -> None:
    model = Model(2, 3, 2)
    assert len(model.history) == 0
    X, y = [[0.0, 1.0], [1.0, 0.0]] * 4, [0, 1] * 4
    first = model.fit(X, y, epochs=2)
    assert model.history is first
    with pytest.raises(ValueError, match="validation data"):
        model.fit(X, y, callbacks=[EarlyStopping()])
    assert model.history is first
    with pytest.raises(RuntimeError, match="stop"):
        model.fit(X, y, epochs=5, callbacks=[_Fails(3)])
    assert len(model.history) == 3


class _Fails(Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, model: Any, run: Any) -> None:
        if run.epoch == self.epoch:
            raise RuntimeError("stop")


@pytest.mark.parametrize(
    ("losses", "best"), [([], None), ([0.5], 1), ([0.5, 0.2, 0.2], 2), ([math.nan, 0.5], 2), ([math.nan, math.nan], 1)]
)
def test_the_best_epoch_has_the_lowest_validation_loss(losses: list[float], best: int | None) -> None:
    history = History()
    history.validation_loss += losses
    assert history.best_epoch == best


@pytest.mark.parametrize("validates", [False, True])
def test_a_history_becomes_a_table(validates: bool) -> None:
    pd = pytest.importorskip("pandas")
    for model, y in ((classifier(), Y), (Model(2, 3, 1, task="regression"), [0.5, 1.5, 2.5, 3.5])):
        history = model.fit(X, y, epochs=3, validation_data=(X, y) if validates else None)
        table = pd.DataFrame(history.to_dict())
        assert table.shape == (3, 2 + validates + (model.task == "classification") * (1 + validates))
        assert table["loss"].tolist() == history.loss
