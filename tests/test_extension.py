"""Runs that go on for longer than was asked for at first, and what a checkpoint can hold of schedules and callbacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scratchnn import (
    SGD,
    Adam,
    Callback,
    CosineSchedule,
    EarlyStopping,
    Model,
    OneCycleSchedule,
    ReduceOnPlateau,
    RMSprop,
    StepSchedule,
    WarmUp,
    load_digits,
    train,
)
from scratchnn.optim import Schedule
from tests.products import product

TRAIN, TEST = load_digits()
X, Y = TRAIN.X[:30], TRAIN.y[:30]  # six batches
HELD_OUT = TEST.X[:10], TEST.y[:10]


class StopAt(Callback):
    """Ends a run after one certain batch, as if it had been killed there."""

    def __init__(self, epoch: int = 0, batch: int = 0) -> None:
        self.place = epoch, batch

    def on_batch_end(self, model: Any, run: Any) -> None:
        model.stop_training = (run.epoch, run.batch) == self.place


class Rates(Callback):
    """The learning rate of every epoch that it has seen."""

    def __init__(self) -> None:
        self.rates: dict[int, float] = {}

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.rates[run.epoch] = run.lr


def run(path: Path | None, engine: str = "lanes", stop: Any = (), **settings: Any) -> tuple[Model, Any, Any]:
    """(model, history, rates) of a run in a process of its own, so to speak."""
    model, rates = Model(64, 12, 10, engine=engine, dropout=0.2, seed=5), Rates()
    usual: dict[str, Any] = {"lr": 0.05, "batch_size": 5, "schedule": None, "validation_data": HELD_OUT}
    checkpoint = {} if path is None else {"checkpoint": path, "checkpoint_every": 4}
    callbacks = [StopAt(*stop), rates, *settings.pop("callbacks", [])]
    history = model.fit(X, Y, callbacks=callbacks, **{**usual, **checkpoint, **settings})
    return model, history, rates.rates


KINDS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": lambda: {"momentum": 0.0},
    "momentum": lambda: {"momentum": 0.9, "weight_decay": 1e-3},
    "adam": lambda: {"optimizer": "adam", "lr": 0.01},
    "steps": lambda: {"schedule": StepSchedule(2, 0.5)},
    "plateau": lambda: {"schedule": "plateau"},
    "a short cosine": lambda: {"schedule": CosineSchedule(3, 0.01)},
    "adamw": lambda: {"optimizer": "adamw", "lr": 0.01},
    "rmsprop": lambda: {"optimizer": "rmsprop", "lr": 0.001},
    "rmsprop with momentum": lambda: {"optimizer": RMSprop(0.001, momentum=0.9)},
    "adagrad": lambda: {"optimizer": "adagrad", "lr": 0.05},
    "a warm-up": lambda: {"schedule": WarmUp(3, CosineSchedule(9, 0.01))},
    "a warm-up before a plateau": lambda: {"schedule": WarmUp(1, ReduceOnPlateau(patience=0))},
    "a short cycle": lambda: {"schedule": OneCycleSchedule(4)},
}


OF_NO_ENGINE = {
    "plain",
    "steps",
    "plateau",
    "a short cosine",
    "a warm-up",
    "a warm-up before a plateau",
    "a short cycle",
}


# What an optimizer remembers is on its engine; schedules compute with rates alone.
@product(
    lambda kind, engine: engine == "lanes" or kind not in OF_NO_ENGINE,
    kind=KINDS,
    engine={"lanes": "lanes", "linalg": "linalg"},
)
def test_a_finished_run_goes_on_to_the_same_bytes(kind: Any, engine: str, tmp_path: Path) -> None:
    whole, history, _ = run(None, engine, epochs=5, **kind())
    _, first, _ = run(tmp_path / "run", engine, epochs=2, **kind())
    _, second, _ = run(tmp_path / "run", engine, epochs=3, resume=True, **kind())
    model, third, _ = run(tmp_path / "run", engine, epochs=5, resume=True, **kind())
    assert model.weights == whole.weights
    for name in ("loss", "accuracy", "validation_loss"):
        assert third[name] == history[name]
        assert (first[name], second[name]) == (history[name][:2], history[name][:3])


def test_a_run_that_was_stopped_goes_on_for_longer(tmp_path: Path) -> None:
    whole, *_ = run(None, epochs=4, momentum=0.9)
    run(tmp_path / "run", epochs=2, momentum=0.9, stop=(2, 3))
    model, history, _ = run(tmp_path / "run", epochs=4, momentum=0.9, resume=True)
    assert model.weights == whole.weights
    assert len(history) == 4


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("cosine", "cosine"),
        (CosineSchedule, "cosine"),
        (CosineSchedule(3), CosineSchedule(6)),
        (CosineSchedule(3, 0.01), CosineSchedule(6, 0.01)),
        ("cosine", CosineSchedule(6)),
        (CosineSchedule(3), "cosine"),
        ("step", "step"),
        ("warmup", "warmup"),
        ("onecycle", "onecycle"),
        ("onecycle", OneCycleSchedule(6)),
        (OneCycleSchedule(3, 0.5), OneCycleSchedule(6, 0.5)),
        (StepSchedule(1), StepSchedule),
    ],
)
@pytest.mark.parametrize("stop", [(), (3, 2)])
def test_a_schedule_that_suits_the_epochs_is_stretched(before: Any, now: Any, stop: Any, tmp_path: Path) -> None:
    """As if it had been the longer one from the beginning."""
    _, _, expected = run(None, epochs=6, schedule=now)
    run(tmp_path / "run", epochs=3, schedule=before, stop=stop)
    model, history, rates = run(tmp_path / "run", epochs=6, schedule=now, resume=True)
    assert len(history) == 6
    assert rates == {epoch: expected[epoch] for epoch in rates}
    assert set(rates) == set(range(3 if stop else 4, 7))
    again, *_ = run(tmp_path / "run", epochs=6, schedule=now, resume=True)  # and what it wrote can be read
    assert again.weights == model.weights


def test_one_schedule_object_can_be_used_for_both(tmp_path: Path) -> None:
    schedule = ReduceOnPlateau(patience=0)
    whole, *_ = run(None, epochs=4, schedule=ReduceOnPlateau(patience=0))
    run(tmp_path / "run", epochs=2, schedule=schedule)
    assert run(tmp_path / "run", epochs=4, schedule=schedule, resume=True)[0].weights == whole.weights


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (None, "cosine", "schedule was none, is now CosineSchedule"),
        ("cosine", None, "schedule was CosineSchedule, is now none"),
        ("cosine", "step", "schedule was CosineSchedule, is now StepSchedule"),
        ("cosine", CosineSchedule(6, 0.01), r"schedule's minimum was 0\.0, is now 0\.01"),
        (CosineSchedule(9), CosineSchedule(8), "schedule's epochs was 9, is now 8"),
        (CosineSchedule(3), CosineSchedule(7), "schedule's epochs was 3, is now 7"),
        (StepSchedule(2), StepSchedule(3), "schedule's step_size was 2, is now 3"),
        ("onecycle", OneCycleSchedule(6, 0.5), r"schedule's pct_start was 0\.3, is now 0\.5"),
        (WarmUp(2), WarmUp(1), "schedule's epochs was 2, is now 1"),
        (WarmUp(1), WarmUp(1, StepSchedule(2)), "schedule's then was none, is now StepSchedule"),
        (WarmUp(1, StepSchedule(3)), WarmUp(1, StepSchedule(2)), "schedule's then's step_size was 3, is now 2"),
    ],
)
def test_another_schedule_is_refused(before: Any, now: Any, message: str, tmp_path: Path) -> None:
    run(tmp_path / "run", epochs=3, schedule=before)
    with pytest.raises(ValueError, match=f"cannot resume what another run wrote: {message}"):
        run(tmp_path / "run", epochs=6, schedule=now, resume=True)


def test_fewer_epochs_than_it_has_behind_it_are_refused(tmp_path: Path) -> None:
    whole, *_ = run(None, epochs=3)
    run(tmp_path / "run", epochs=6, stop=(3, 4))
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(ValueError, match="run: cannot resume for 2 epochs in all what stands in epoch 3: ask for more"):
        run(tmp_path / "run", epochs=2, resume=True)
    assert (tmp_path / "run").read_bytes() == before
    assert run(tmp_path / "run", epochs=3, resume=True)[0].weights == whole.weights


def test_who_stopped_early_stays_stopped(tmp_path: Path) -> None:
    def early() -> list[Any]:
        return [EarlyStopping("loss", patience=1, min_delta=10.0)]

    _, history, _ = run(tmp_path / "run", epochs=6, callbacks=early())
    assert len(history) == 2
    _, again, rates = run(tmp_path / "run", epochs=12, callbacks=early(), resume=True)
    assert (len(again), rates) == (2, {})


def test_the_command_goes_on_for_longer(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    usual = ["--json", "--hidden", "8", "--checkpoint", "run.ckpt", "--schedule", "cosine"]

    def command(*options: str) -> Any:
        assert train.main([*usual, *options]) == 0
        return json.loads(capsys.readouterr().out)

    first = command("--epochs", "2")
    second = command("--epochs", "4", "--resume")
    assert second["epochs"] == 4
    assert second["history"]["loss"][:2] == first["history"]["loss"]
    assert train.main([*usual, "--epochs", "3", "--resume"]) == 2
    assert "cannot resume for 3 epochs in all what stands in epoch 4" in capsys.readouterr().err


# --- schedules and callbacks of one's own ------------------------------------------------------------------


class Halving(Schedule):
    """Halves the rate after every second epoch, and counts for itself."""

    def __init__(self, factor: float = 0.5) -> None:
        self.factor = factor
        self.epochs_seen = 0
        self.drops = 0

    def after_epoch(self, optimizer: Any, epoch: int, loss: float) -> None:
        self.epochs_seen += 1
        if self.epochs_seen % 2 == 0:
            self.drops += 1
            optimizer.lr = self.base * self.factor**self.drops

    def start(self, optimizer: Any) -> None:
        super().start(optimizer)
        self.epochs_seen = self.drops = 0


@pytest.mark.parametrize("stop", [(), (2, 3), (3, 1)])
def test_counters_of_a_schedule_of_ones_own_are_no_settings(stop: Any, tmp_path: Path) -> None:
    whole, _, expected = run(None, epochs=6, schedule=Halving())
    used = Halving()
    run(tmp_path / "run", epochs=3, schedule=used, stop=stop)
    assert used.epochs_seen > 0
    for schedule in (used, Halving()):  # the one that has counted, or another
        model, _, rates = run(tmp_path / "run", epochs=6, schedule=schedule, resume=True)
        assert model.weights == whole.weights
        assert rates == {epoch: expected[epoch] for epoch in rates}
        assert (schedule.epochs_seen, schedule.drops) == (6, 3)
    with pytest.raises(ValueError, match=r"schedule's factor was 0\.5, is now 0\.25"):
        run(tmp_path / "run", epochs=6, schedule=Halving(0.25), resume=True)


class Counting(SGD):
    """Counts its steps under a name of its own."""

    def __init__(self, lr: float) -> None:
        super().__init__(lr)
        self.taken = 0

    def step(self, parameters: Any) -> None:
        self.taken += 1
        super().step(parameters)


def test_counters_of_an_optimizer_of_ones_own_are_no_settings_either(tmp_path: Path) -> None:
    used = Counting(0.05)
    whole, *_ = run(None, epochs=3, optimizer=Counting(0.05), lr=None)
    run(tmp_path / "run", epochs=3, optimizer=used, lr=None, stop=(2, 1))
    assert run(tmp_path / "run", epochs=3, optimizer=used, lr=None, resume=True)[0].weights == whole.weights


class Secret(Schedule):
    def __init__(self) -> None:
        self.function = len

    def rate(self, epoch: int) -> float:
        return 0.1


class Told(Schedule):
    def __init__(self, function: Any) -> None:
        self.function = function

    def rate(self, epoch: int) -> float:
        return float(self.function(epoch))


class Remembers(Callback):
    def __init__(self, memory: Any) -> None:
        self.memory = memory

    def state(self) -> Any:
        return self.memory


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": Secret()}, r"Secret\(\) cannot be kept in a file: .*function"),
        ({"schedule": Told(lambda epoch: 0.1)}, "the settings of this run cannot be kept in a file: .*function"),
        ({"callbacks": [Remembers({"a": object()})]}, r"what state\(\) of Remembers returns cannot be kept in a file"),
        ({"callbacks": [Remembers({5: 1})]}, r"what state\(\) of Remembers returns cannot be kept in a file"),
        ({"optimizer": Adam(0.1), "schedule": Secret()}, r"Secret\(\) cannot be kept in a file"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_the_first_batch(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    batches: list[Any] = []

    class Counts(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            batches.append(run.batch)

    for resume in (False, True):
        with pytest.raises(ValueError, match=message):
            run(
                tmp_path / "run",
                epochs=1,
                **{"lr": None, **settings, "callbacks": [Counts(), *settings.get("callbacks", [])]},
                resume=resume,
            )
    assert batches == []
    assert not (tmp_path / "run").exists()
    run(None, epochs=1, **{"lr": None, **settings})  # without a checkpoint nobody asks
