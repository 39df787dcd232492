"""Checkpoint and resume: a run that was stopped any number of times ends with the same bytes as one that was not."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from scratchnn import (
    ArgumentError,
    BestWeights,
    Callback,
    Conv2D,
    CosineSchedule,
    EarlyStopping,
    Flatten,
    Linear,
    MaxPool2D,
    Model,
    ModelFileError,
    ReduceOnPlateau,
    ReLU,
    Sequential,
    Tanh,
    TrainingDiverged,
    checkpoint,
    load_digits,
    storage,
)
from tests import ordeals

TRAIN, TEST = load_digits()
X, Y = TRAIN.X[:160], TRAIN.y[:160]
HELD_OUT = (TEST.X[:40], TEST.y[:40])
EPOCHS = 3


class StopsNowAndThen(Callback):
    def __init__(self, chance: float = 0.0) -> None:
        self.chance = chance
        self.rng = random.Random(1)

    def on_batch_end(self, model: Any, run: Any) -> None:
        if self.rng.random() < self.chance:
            model.stop_training = True


def settings(engine: str, seed: int = 5) -> Model:
    return Model(64, [20, 12], 10, engine=engine, dropout=0.2, seed=seed)


def fit(model: Model, stopper: Callback, kind: dict[str, Callable[[], Any]], **more: Any) -> Any:
    made = {name: make() for name, make in kind.items()}
    callbacks = [stopper, *made.pop("callbacks", [])]
    return model.fit(X, Y, epochs=EPOCHS, validation_data=HELD_OUT, callbacks=callbacks, **made, **more)


KINDS: dict[str, dict[str, Callable[[], Any]]] = {
    "plain": {},
    "momentum and a cosine": {"momentum": lambda: 0.9, "schedule": lambda: CosineSchedule(EPOCHS)},
    "nesterov and decay": {"momentum": lambda: 0.9, "nesterov": lambda: True, "weight_decay": lambda: 1e-3},
    "adam": {"optimizer": lambda: "adam"},
    "clipped, on a plateau": {"clip_norm": lambda: 0.5, "schedule": lambda: ReduceOnPlateau(patience=0)},
    "stopped early": {"callbacks": lambda: [EarlyStopping(patience=1)], "lr": lambda: 2.0},
    "full batch": {"batch_size": lambda: None},
}


@pytest.mark.parametrize("engine", ["lanes", pytest.param("linalg", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stopped_many_times_ends_with_the_same_bytes(engine: str, kind: str, tmp_path: Path) -> None:
    whole = settings(engine)
    history = fit(whole, StopsNowAndThen(), KINDS[kind])
    whole.save(tmp_path / "whole.pkl")
    stopper = StopsNowAndThen(0.15)
    for _ in range(100):
        model = settings(engine)
        resumed = fit(model, stopper, KINDS[kind], checkpoint=tmp_path / "run", checkpoint_every=2, resume=True)
        if len(resumed) == len(history):
            break
    model.save(tmp_path / "resumed.pkl")
    assert (tmp_path / "resumed.pkl").read_bytes() == (tmp_path / "whole.pkl").read_bytes()
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        assert getattr(resumed, name) == getattr(history, name)


def test_checkpoints_change_nothing(tmp_path: Path) -> None:
    plain, watched = settings("lanes"), settings("lanes")
    fit(plain, StopsNowAndThen(), KINDS["momentum and a cosine"])
    fit(watched, StopsNowAndThen(), KINDS["momentum and a cosine"], checkpoint=tmp_path / "run", checkpoint_every=1)
    assert plain.weights == watched.weights


def images(engine: str) -> Model:
    layers = [Conv2D(1, 4, 3), MaxPool2D(2), ReLU(), Conv2D(4, 6, 2), Tanh(), Flatten(), Linear(24, 10)]
    return Model.from_layers(layers, input_shape=(1, 8, 8), engine=engine, seed=5)


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_a_network_for_images_goes_on_as_if_nothing_had_happened(engine: str, tmp_path: Path) -> None:
    def go(stopper: Callback, **more: Any) -> tuple[Any, int]:
        model = images(engine)
        history = model.fit(X[:80], Y[:80], epochs=2, batch_size=8, momentum=0.9, callbacks=[stopper], **more)
        return model.weights, len(history)

    whole, _ = go(StopsNowAndThen())
    watched, _ = go(StopsNowAndThen(), checkpoint=tmp_path / "watched", checkpoint_every=1)
    stopper, epochs = StopsNowAndThen(0.2), 0
    while epochs < 2:
        resumed, epochs = go(stopper, checkpoint=tmp_path / "run", checkpoint_every=3, resume=True)
    assert watched == whole
    assert resumed == whole


def test_a_finished_run_resumes_to_its_end(tmp_path: Path) -> None:
    first, again = settings("lanes"), settings("lanes")
    fit(first, StopsNowAndThen(), {}, checkpoint=tmp_path / "run")
    history = fit(again, StopsNowAndThen(), {}, checkpoint=tmp_path / "run", resume=True)
    assert again.weights == first.weights
    assert len(history) == EPOCHS


def test_without_resume_a_run_starts_anew(tmp_path: Path) -> None:
    fit(settings("lanes", seed=1), StopsNowAndThen(), {}, checkpoint=tmp_path / "run")
    model, plain = settings("lanes"), settings("lanes")
    fit(model, StopsNowAndThen(), {}, checkpoint=tmp_path / "run")
    fit(plain, StopsNowAndThen(), {})
    assert model.weights == plain.weights


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        (
            [Linear(2, 3), Sequential([Linear(3, 2), ReLU()])],
            [Linear(2, 3), Sequential([Linear(3, 2), Tanh()])],
            "layer 2 was ReLU(), is now Tanh()",
        ),
        (
            [Sequential([Linear(2, 2)]), ReLU()],
            [Sequential([Linear(2, 2), ReLU()])],
            "the same layers stand in other Sequentials",
        ),
    ],
)
def test_networks_within_networks_are_compared_layer_by_layer(
    before: list[Any], now: list[Any], named: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.ckpt"
    rows, targets = [[0.0, 1.0], [1.0, 0.0]] * 2, [0, 1] * 2
    Model.from_layers(before).fit(rows, targets, epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match=re.escape(named)):
        Model.from_layers(now).fit(rows, targets, epochs=1, checkpoint=path, resume=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model": {"seed": 6}}, "seed was 5, is now 6"),
        ({"model": {"seed": 6}, "data": (X[1:] + X[:1], Y)}, "seed was 5, is now 6"),  # it may part the rows, too
        ({"model": {"engine": "linalg"}}, "engine was lanes 40, is now linalg"),
        ({"model": {"dropout": 0.3}}, "layer 2 was Dropout(rate=0.2), is now Dropout(rate=0.3)"),
        (
            {"model": {"hidden_size": [20, 13]}},
            "layer 3 was Linear(inputs=20, outputs=12, init='he'), is now Linear(inputs=20, outputs=13, init='he')",
        ),
        ({"model": {"hidden_size": []}}, "layer 0 was Linear(inputs=64, outputs=20, init='he'), is now Linear("),
        ({"model": {"hidden_size": [20, 12, 10]}}, "layer 7 was none, is now ReLU()"),
        ({"fit": {"epochs": 5}}, "epochs was 1, is now 5"),
        ({"fit": {"lr": 0.2}}, "lr was 0.1, is now 0.2"),
        ({"fit": {"momentum": 0.5}}, "momentum was 0.0, is now 0.5"),
        ({"fit": {"optimizer": "adam"}}, "optimizer was SGD, is now Adam"),
        ({"fit": {"batch_size": 16}}, "batch_size was 32, is now 16"),
        ({"fit": {"batch_size": None}}, "batch_size was 32, is now none"),
        ({"fit": {"clip_norm": 1.0}}, "clip_norm was none, is now 1.0"),
        ({"fit": {"shuffle": False}}, "shuffle was True, is now False"),
        ({"fit": {"schedule": CosineSchedule(9)}}, "schedule was none, is now CosineSchedule"),
        ({"fit": {"callbacks": [EarlyStopping("loss")]}}, "callbacks was none, is now EarlyStopping"),
        ({"fit": {"validation_data": HELD_OUT}}, "other validation rows or labels"),
        ({"fit": {"sample_weight": [1.0] * 159 + [2.0]}}, "other training rows, labels or weights"),
        ({"data": (X[1:] + X[:1], Y)}, "other training rows, labels or weights"),
        ({"data": (X, [*Y[:-1], (Y[-1] + 1) % 10])}, "other training rows, labels or weights"),
    ],
    ids=lambda value: value if isinstance(value, str) else "now",
)
def test_another_run_is_refused_and_the_difference_named(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    def run(model: dict[str, Any], fit: dict[str, Any], data: tuple[Any, Any], resume: bool) -> None:
        network = Model(64, **{"hidden_size": [20, 12], "dropout": 0.2, "seed": 5, **model})
        network.fit(*data, **{"epochs": 1, "checkpoint": tmp_path / "run", "resume": resume, **fit})

    run({}, {}, (X, Y), False)
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(ValueError, match=re.escape(f"run: cannot resume what another run wrote: {named}")) as caught:
        run(change.get("model", {}), change.get("fit", {}), change.get("data", (X, Y)), True)
    assert len(str(caught.value)) < len(str(tmp_path)) + 250
    assert (tmp_path / "run").read_bytes() == before


def test_another_setting_of_the_schedule_is_called_that(tmp_path: Path) -> None:
    for steps, message in ((9, ""), (8, "schedule's epochs was 9, is now 8")):
        with pytest.raises(ValueError, match=message) if message else nullcontext():
            settings("lanes").fit(
                X, Y, epochs=1, schedule=CosineSchedule(steps), checkpoint=tmp_path / "run", resume=True
            )


def test_two_runs_cannot_write_one_checkpoint(tmp_path: Path) -> None:
    class SecondRun(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            with pytest.raises(BlockingIOError):
                settings("lanes").fit(X, Y, epochs=1, checkpoint=tmp_path / "run")
            model.stop_training = True

    settings("lanes").fit(X, Y, epochs=1, checkpoint=tmp_path / "run", callbacks=[SecondRun()])
    settings("lanes").fit(X, Y, epochs=1, checkpoint=tmp_path / "run")  # free again


def test_best_weights_and_checkpoint_cannot_share_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path, best = tmp_path / "run", BestWeights(tmp_path / "folder" / ".." / "run", "loss")
    with pytest.raises(ArgumentError, match="run: the checkpoint and the model's weights need a file each"):
        settings("lanes").fit(X, Y, epochs=1, checkpoint=path, callbacks=[best])
    assert not path.exists()


def test_divergence_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    class Poison(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            if run.epoch == 2 and run.batch == 3:
                parameter = model.network.parameters()[0]
                parameter.value = [[float("nan")] * len(row) for row in parameter.value]

    model = settings("linalg")
    with pytest.raises(TrainingDiverged, match="epoch 2, batch 4") as raised:
        model.fit(X, Y, epochs=3, checkpoint=tmp_path / "run", checkpoint_every=2, callbacks=[Poison()])
    assert (raised.value.epoch, raised.value.batch) == (2, 4)
    state = storage.load_record(tmp_path / "run", "scratchnn checkpoint", (checkpoint.VERSION,))["state"]
    assert (state["run"]["epoch"], state["run"]["batch"]) == (2, 2)


def test_a_broken_checkpoint_is_one_clear_error(tmp_path: Path) -> None:
    fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run")
    whole = (tmp_path / "run").read_bytes()
    for data in (b"", whole[:100], whole[:-1], whole.replace(b"epoch", b"epock", 1)):
        (tmp_path / "run").write_bytes(data)
        with pytest.raises(ModelFileError, match=r"^.*run: "):
            fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run", resume=True)
    model = settings("lanes")
    model.fit(X, Y, epochs=1)
    model.save(tmp_path / "run")
    with pytest.raises(ModelFileError, match="not a scratchnn checkpoint"):
        fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run", resume=True)


def test_a_checkpoint_of_an_older_format_is_one_clear_error(tmp_path: Path) -> None:
    fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run")
    record = storage.load_record(tmp_path / "run", "scratchnn checkpoint", (checkpoint.VERSION,))
    storage.save_record(tmp_path / "run", "scratchnn checkpoint", 1, record)
    with pytest.raises(ModelFileError, match="run: format version 1, this program reads version "):
        fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run", resume=True)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run")
    record = storage.load_record(tmp_path / "run", "scratchnn checkpoint", (checkpoint.VERSION,))
    del record["state"]["weights"][-1]
    storage.save_record(tmp_path / "run", "scratchnn checkpoint", checkpoint.VERSION, record)
    with pytest.raises(ModelFileError, match=r"the parts of this checkpoint do not fit: weights of .*, expected "):
        fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run", resume=True)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="need a checkpoint"):
        settings("lanes").fit(X, Y, resume=True)
    with pytest.raises(ValueError, match="checkpoint_every must be a whole number of at least 1, got 0"):
        settings("lanes").fit(X, Y, checkpoint="run", checkpoint_every=0)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        settings("lanes").fit(X, Y, checkpoint="no/such/folder/run")


def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    assert "1 kills" in ordeals.killed_and_resumed(tmp_path, kills=1)
