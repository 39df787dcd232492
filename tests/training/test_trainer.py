"""The training loop by itself: a network, a loss, an optimizer and samples, and nothing of models, files or labels."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from scratchnn import SGD, ArgumentError, CrossEntropyLoss, Linear, Model, ReLU, Sequential
from scratchnn.engines.lists import LISTS
from scratchnn.optim import StepSchedule
from scratchnn.training.callbacks import Callback, RateSchedule, Run, Validation
from scratchnn.training.trainer import Trainer, TrainingData

ROWS = [[float(i % 3), float(i % 5) / 5.0] for i in range(10)]
TARGETS = [int(i % 3 == 0) for i in range(10)]


def make(callbacks: Any = (), **settings: Any) -> Trainer:
    network = Sequential([Linear(2, 4), ReLU(), Linear(4, 2)])
    network.initialise(Random("weights 0"))
    network.use(LISTS)
    data = TrainingData(LISTS.prepare(ROWS, 1.0), TARGETS)
    settings = {"epochs": 2, "batch_size": 4, "rng": Random("order 0"), **settings}
    return Trainer(network, CrossEntropyLoss(), SGD(0.1), data, LISTS, callbacks=callbacks, **settings)


def weights(trainer: Trainer) -> list[Any]:
    return [LISTS.to_rows(parameter.value) for parameter in trainer.network.parameters()]


class Watching(Callback):
    def __init__(self, stop_after: int = 0) -> None:
        self.heard: list[str] = []
        self.left = stop_after

    def on_train_begin(self, model: Any, run: Run) -> None:
        self.heard.append("begin")

    def on_batch_end(self, model: Any, run: Run) -> None:
        self.heard.append(f"{run.epoch}.{run.batch}")
        self.left -= 1
        model.stop_training = self.left == 0

    def before_epoch_end(self, model: Any, run: Run) -> None:
        self.heard.append(f"measure {len(run.history)}")

    def on_epoch_end(self, model: Any, run: Run) -> None:
        self.heard.append(f"epoch {len(run.history)}")

    def on_train_end(self, model: Any, run: Run) -> None:
        self.heard.append("end")


def test_it_trains_as_a_model_does() -> None:
    trainer = make()
    history = trainer.train()
    model = Model(2, 4, 2, engine="linalg", scaling="none", init="he")
    model.weights = [rows[0] if len(rows) == 1 else rows for rows in weights(make())]
    expected = model.fit(ROWS, TARGETS, epochs=2, batch_size=4, lr=0.1, momentum=0.0, schedule=None, clip_norm=None)
    assert history.loss == expected.loss
    assert [rows[0] if len(rows) == 1 else rows for rows in weights(trainer)] == model.weights


def test_it_can_be_taken_in_steps() -> None:
    whole, trainer = make(), make()
    whole.train()
    seen = [(run.epoch, run.batch, run.samples_done) for run in trainer.steps()]
    assert seen == [(1, 1, 4), (1, 2, 8), (1, 3, 10), (2, 1, 4), (2, 2, 8), (2, 3, 10)]
    assert weights(trainer) == weights(whole)


def test_who_takes_no_more_steps_ends_the_run() -> None:
    watching = Watching()
    trainer = make([watching])
    steps = trainer.steps()
    next(steps)
    steps.close()
    assert watching.heard == ["begin", "1.1", "end"]


def test_callbacks_hear_of_everything_in_order() -> None:
    watching = Watching()
    make([watching], epochs=1).train()
    assert watching.heard == ["begin", "1.1", "1.2", "1.3", "measure 0", "epoch 1", "end"]


@pytest.mark.parametrize(("after", "epochs"), [(1, 0), (3, 1), (5, 1)])
def test_a_callback_stops_it_by_what_it_is_told_with(after: int, epochs: int) -> None:
    watching = Watching(after)
    trainer = make([watching])
    assert len(trainer.train()) == epochs
    assert watching.heard[-1] == "end"
    assert trainer.stop_training


def test_one_that_refuses_is_heard_and_the_others_hear_of_the_end() -> None:
    class Refusing(Callback):
        def on_train_begin(self, model: Any, run: Run) -> None:
            raise ValueError("not like this")

    watching, never = Watching(), Watching()
    trainer = make([watching, Refusing(), never])
    with pytest.raises(ValueError, match="not like this"):
        trainer.train()
    assert watching.heard == ["begin", "end"]
    assert never.heard == []


def test_validation_and_schedules_are_callbacks() -> None:
    losses = iter([0.5, 0.25])
    trainer = make()
    schedule = RateSchedule(StepSchedule(1, 0.5), trainer.optimizer)
    trainer.callbacks += [Validation(lambda: (next(losses), 1.0)), schedule]
    rates = [run.lr for run in trainer.steps()]
    assert trainer.run.history.validation_loss == [0.5, 0.25]
    assert trainer.run.history.validation_accuracy == [1.0, 1.0]
    assert rates == [0.1] * 3 + [0.05] * 3
    assert trainer.optimizer.lr == 0.1


def test_correct_rows_are_counted_by_whoever_knows_how() -> None:
    trainer = make(count_correct=lambda outputs, targets: len(targets))
    assert trainer.train().accuracy == [1.0, 1.0]
    assert make().train().accuracy == []


def test_rows_are_counted_in_a_matrix_of_the_engine() -> None:
    trainer = make(count_correct=lambda outputs, targets: len(trainer.ops.argmax_rows(outputs)) - len(targets))
    assert trainer.train().accuracy == [0.0, 0.0]


def test_a_run_is_taken_up_once() -> None:
    for use in (lambda trainer: trainer.train(), lambda trainer: next(trainer.steps())):
        watching = Watching()
        trainer = make([watching])
        use(trainer)
        with pytest.raises(ArgumentError, match="has been taken up already"):
            trainer.train()
        with pytest.raises(ArgumentError, match="has begun already"):
            trainer.begin()
        assert watching.heard.count("begin") == watching.heard.count("end") == 1


def test_every_callback_hears_of_the_end_also_after_one_that_fails() -> None:
    class Failing(Callback):
        def __init__(self, what: str) -> None:
            self.what = what

        def on_train_end(self, model: Any, run: Run) -> None:
            raise ValueError(self.what)

    first, last = Watching(), Watching()
    with pytest.raises(ValueError, match="no end"):
        make([first, Failing("no end"), Failing("another"), last]).train()
    assert first.heard[-1] == last.heard[-1] == "end"


@pytest.mark.parametrize("engine", ["linalg", "lanes"])
def test_a_fit_in_a_callback_leaves_the_run_around_it_as_it_was(engine: str) -> None:
    class Nesting(Callback):
        def __init__(self) -> None:
            self.training: list[bool] = []

        def on_batch_end(self, model: Any, run: Run) -> None:
            if (run.epoch, run.batch) == (1, 1):
                model.stop_training = False
                model.fit(ROWS, TARGETS, epochs=1)
            self.training += [layer.training for layer in model.network.walk()]

    class Stopping(Callback):
        def on_batch_end(self, model: Any, run: Run) -> None:
            model.stop_training = True

    nesting, model = Nesting(), Model(2, 4, 2, engine=engine, dropout=0.5)
    history = model.fit(ROWS, TARGETS, epochs=2, batch_size=4, callbacks=[nesting])
    assert all(nesting.training)
    assert model.history is history
    stopped = Model(2, 4, 2, engine=engine).fit(ROWS, TARGETS, epochs=2, batch_size=4, callbacks=[Stopping(), Again()])
    assert len(stopped) == 0


class Again(Callback):
    """Fits the model once more in the middle of a run."""

    def __init__(self) -> None:
        self.done = False

    def on_batch_end(self, model: Any, run: Run) -> None:
        if not self.done:
            self.done = True
            model.fit(ROWS, TARGETS, epochs=1, batch_size=10)
