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
    Adam,
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
    RMSprop,
    Sequential,
    Tanh,
    TrainingDiverged,
    WarmUp,
    load_digits,
)
from scratchnn.engines.lanes.engine import Lanes
from scratchnn.optim import Schedule
from scratchnn.saving import records
from scratchnn.saving.safe_pickle import dumps, loads
from scratchnn.training import checkpoint
from tests.adversarial import ordeals

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
    usual: dict[str, Any] = {"epochs": EPOCHS, "batch_size": 32, "validation_data": HELD_OUT, "callbacks": callbacks}
    return model.fit(X, Y, **{**usual, **made, **more})


KINDS: dict[str, dict[str, Callable[[], Any]]] = {
    "plain": {},
    "momentum and a cosine": {"momentum": lambda: 0.9, "schedule": lambda: CosineSchedule(EPOCHS)},
    "nesterov and decay": {"momentum": lambda: 0.9, "nesterov": lambda: True, "weight_decay": lambda: 1e-3},
    "adam": {"optimizer": lambda: "adam"},
    "adamw, warmed up": {"optimizer": lambda: "adamw", "schedule": lambda: WarmUp(2, ReduceOnPlateau(patience=0))},
    "rmsprop, one cycle": {"optimizer": lambda: RMSprop(0.001, momentum=0.9), "schedule": lambda: "onecycle"},
    "adagrad": {"optimizer": lambda: "adagrad"},
    "clipped, on a plateau": {"clip_norm": lambda: 0.5, "schedule": lambda: ReduceOnPlateau(patience=0)},
    "stopped early": {"callbacks": lambda: [EarlyStopping(patience=1)], "lr": lambda: 2.0},
    "decay alone": {"momentum": lambda: 0.0, "weight_decay": lambda: 0.05},
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
        ({"model": {"dropout": 0.3}}, "layer 2 was Dropout(rate=0.2), is now Dropout(rate=0.3)"),
        (
            {"model": {"hidden_size": [20, 13]}},
            "layer 3 was Linear(inputs=20, outputs=12, init='he'), is now Linear(inputs=20, outputs=13, init='he')",
        ),
        ({"model": {"hidden_size": []}}, "layer 0 was Linear(inputs=64, outputs=20, init='xavier'), is now Linear("),
        ({"model": {"hidden_size": [20, 12, 10]}}, "layer 7 was none, is now ReLU()"),
        ({"fit": {"lr": 0.2}}, "lr was 0.1, is now 0.2"),
        ({"fit": {"momentum": 0.5}}, "momentum was 0.9, is now 0.5"),
        ({"fit": {"optimizer": "adam"}}, "optimizer was SGD, is now Adam"),
        ({"fit": {"batch_size": 32}}, "batch_size was 16, is now 32"),
        ({"fit": {"batch_size": None}}, "batch_size was 16, is now none"),
        ({"fit": {"clip_norm": 1.0}}, "clip_norm was none, is now 1.0"),
        ({"fit": {"shuffle": False}}, "shuffle was True, is now False"),
        ({"fit": {"schedule": CosineSchedule(9)}}, "schedule's epochs was 1, is now 9"),
        ({"fit": {"schedule": None}}, "schedule was CosineSchedule, is now none"),
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
    state = records.load_record(tmp_path / "run", "scratchnn checkpoint", (checkpoint.VERSION,))["state"]
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
    record = records.load_record(tmp_path / "run", "scratchnn checkpoint", (checkpoint.VERSION,))
    records.save_record(tmp_path / "run", "scratchnn checkpoint", 1, record)
    with pytest.raises(ModelFileError, match="run: format version 1, this program reads version "):
        fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run", resume=True)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run")
    record = records.load_record(tmp_path / "run", "scratchnn checkpoint", (checkpoint.VERSION,))
    del record["state"]["weights"][-1]
    records.save_record(tmp_path / "run", "scratchnn checkpoint", checkpoint.VERSION, record)
    with pytest.raises(ModelFileError, match=r"the parts of this checkpoint do not fit: weights of .*, expected "):
        fit(settings("lanes"), StopsNowAndThen(), {}, checkpoint=tmp_path / "run", resume=True)


# --- whatever a file says ----------------------------------------------------------------------------------


class Remembers(Callback):
    """A callback of one's own."""

    def __init__(self) -> None:
        self.batches = 0

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.batches += 1
        model.stop_training = self.batches == 8 and not self.resumed

    resumed = False

    def state(self) -> dict[str, Any]:
        return {"batches": self.batches}

    def restore(self, state: dict[str, Any]) -> None:
        self.resumed = True
        self.batches = state["batches"]


def watched(model: Model, path: Path, **more: Any) -> Any:
    """A run of 5 batches an epoch, which stops after 8 batches in all and then goes on to 15."""
    callbacks = [Remembers(), EarlyStopping(patience=2)]
    return model.fit(
        X,
        Y,
        epochs=EPOCHS,
        batch_size=32,
        momentum=0.9,
        schedule=ReduceOnPlateau(patience=0),
        validation_data=HELD_OUT,
        callbacks=callbacks,
        checkpoint=path,
        **more,
    )


def in_run(**change: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: state["run"].update(change)


def in_history(**change: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: state["run"]["history"].update(change)


def in_stopping(**change: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: state["callbacks"][1].update(change)


def in_weights(**change: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: state["weights"][0].update(change)


UNTRUE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a part missing": (lambda s: s.pop("lr"), "the state of a run has parts missing, or unknown ones"),
    "a part too many": (lambda s: s.update(stop_training=True), "the state of a run has parts missing, or unknown"),
    "an epoch long before the first": (in_run(epoch=-(10**15)), "the run stands in epoch -1000000000000000 of 3"),
    "an epoch beyond the last": (in_run(epoch=4), "the run stands in epoch 4 of 3"),
    "an epoch that is true": (in_run(epoch=True), "epoch and batch and .* are to be whole numbers"),
    "no epoch": (in_run(epoch=None), "epoch and batch and .* are to be whole numbers"),
    "an attribute of the run": (in_run(samples=1), "the run has other parts"),
    "a batch beyond the last": (in_run(batch=5), "the run stands after batch 5 of 5"),
    "a batch before the first": (in_run(batch=0), "the run stands after batch 0 of 5"),
    "rows that were not there": (in_run(samples_done=97), "97 rows were learned from, expected 96"),
    "more rows right than there were": (in_run(correct=97), "97 rows were right, of 96"),
    "fewer than none": (in_run(correct=-1), "-1 rows were right, of 96"),
    "another learning rate": (lambda s: (s.update(lr=0.5), s["run"].update(lr=0.5)), "a learning rate of 0.5, where"),
    "a learning rate of two minds": (in_run(lr=0.5), r"a learning rate of 0\.1$"),
    "a learning rate that is no number": (lambda s: s.update(lr=float("nan")), "a learning rate of nan"),
    "a learning rate that is text": (in_run(lr="0.1"), "the run's learning rate is to be a number"),
    "losses of no batch": (in_run(loss_shares=[]), "losses of the batches are to be one row"),
    "losses of fewer batches": (
        lambda s: s["run"].update(loss_shares=[records.pack_matrix([[1.0]])]),
        "1 losses of 3 batches",
    ),
    "no history": (in_run(history=None), "the history has other lists"),
    "an unknown list": (in_history(x=[]), "the history has other lists"),
    "an epoch too many": (in_history(loss=[1.0, 1.0]), "loss of 1 epochs was expected"),
    "a loss that is none": (in_history(loss=[float("nan")]), "loss is to be finite numbers"),
    "a loss that is text": (in_history(loss=["1"]), "loss is to be finite numbers"),
    "an accuracy above 1": (in_history(accuracy=[1.5]), "accuracy is to be from 0 to 1"),
    "no validation": (in_history(validation_loss=[]), "validation_loss of 1 epochs was expected"),
    "an order of other rows": (lambda s: s.update(order=bytes(640)), "the order of 160 rows has some twice, or others"),
    "an order of fewer rows": (lambda s: s.update(order=s["order"][4:]), "the order of 160 rows cannot be"),
    "an order that is text": (lambda s: s.update(order="0"), "the order of 160 rows cannot be '0'"),
    "no order": (lambda s: s.update(order=b""), "the run stands after batch 3 of 5"),
    "fewer weights": (lambda s: s["weights"].pop(), "weights of 5, expected 6"),
    "weights that are none": (lambda s: s.update(weights={}), "weights is to be a list, got {}"),
    "weights of another shape": (in_weights(shape=[20, 64]), r"weights\[0\] is 20x64, the layers need 64x20"),
    "weights that are not finite": (in_weights(doubles=b"\xff" * 8 * 64 * 20), "numbers that are not finite"),
    "weights without a form": (in_weights(form=None), "a matrix is to have a form, a shape and doubles"),
    "a form that is none": (in_weights(form={"unit": "1"}), ""),
    "momentum of one matrix": (
        lambda s: s["momentum"].pop(),
        "momentum of SGD: 5 matrices, expected 6",
    ),
    "no momentum": (lambda s: s.update(momentum=[]), "momentum of SGD: 0 matrices, expected 6"),
    "steps that were not counted": (lambda s: s.update(steps=8), "steps of SGD: 8, expected 0"),
    "a schedule that waited": (lambda s: s["schedule"].update(waited=7), "the schedule stands elsewhere"),
    "a schedule with another best": (lambda s: s["schedule"].update(best=-1.0), "the schedule stands elsewhere"),
    "a schedule with nearly its base": (
        lambda s: s["schedule"].update(base=s["schedule"]["base"] * (1.0 + 1e-12)),
        "the schedule stands elsewhere",
    ),
    "a schedule with another base": (lambda s: s["schedule"].update(base=9.0), "the schedule stands elsewhere"),
    "a schedule with a method": (lambda s: s["schedule"].update(after_epoch=1), "the schedule stands elsewhere"),
    "no schedule": (lambda s: s.update(schedule=[]), r"the schedule is to be a dict, got \[\]"),
    "a generator too few": (lambda s: s["generators"].pop(), "generators of 2, expected 3"),
    "a generator of another kind": (lambda s: s["generators"][0].__setitem__(0, 2), "generator 0 is of another kind"),
    "a generator with too few words": (lambda s: s["generators"][1][1].pop(), "generator 1 has too few numbers"),
    "a generator far out": (
        lambda s: s["generators"][1][1].__setitem__(-1, 10**9),
        "generator 1 has numbers that it cannot have",
    ),
    "a generator of zeros": (
        lambda s: s["generators"][0].__setitem__(1, [0] * 625),
        "generator 0 has numbers that it cannot have",
    ),
    "a generator with a word of 33 bits": (
        lambda s: s["generators"][2][1].__setitem__(5, 1 << 32),
        "generator 2 has numbers that it cannot have",
    ),
    "a generator that put text by": (lambda s: s["generators"][2].__setitem__(2, "x"), "generator 2 cannot be 'x'"),
    "a callback too many": (lambda s: s["callbacks"].append({}), "callbacks of 3, expected 2"),
    "a callback that is none": (lambda s: s["callbacks"].__setitem__(0, 5), "the state of Remembers is to be a dict"),
    "a callback of one's own that knows nothing": (lambda s: s["callbacks"][0].clear(), "'batches'"),
    "a best that never was": (in_stopping(best=1e-9), "EarlyStopping has 1e-09 as best, which is not the validation_l"),
    "a best epoch to come": (in_stopping(best_epoch=2), "which is not the validation_loss of epoch 2"),
    "no best, but its epoch": (in_stopping(best=None), "EarlyStopping has a best epoch, 1, without its validation"),
    "a best epoch that is text": (in_stopping(best_epoch="1"), "the best epoch of EarlyStopping cannot be '1'"),
    "stopped at once": (in_stopping(stopped=True), "EarlyStopping stopped at the best epoch"),
    "stopped, perhaps": (in_stopping(stopped=1), "EarlyStopping stopped: 1 is neither True nor False"),
    "no best weights": (in_stopping(best_weights=None, flat=None), "the best weights are missing"),
    "half of the best weights": (in_stopping(flat=None), "the best weights are there in part"),
    "fewer best weights": (lambda s: s["callbacks"][1]["best_weights"].pop(), "6 best weights were expected"),
    "best weights of another shape": (
        lambda s: s["callbacks"][1]["best_weights"][0].update(shape=[20, 64]),
        "best weights of other shapes",
    ),
    "best weights laid out otherwise": (in_stopping(flat=[True] * 6), "best weights that are other rows than the mo"),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Any]]:
    """(the record of a run that was stopped, the weights of one that was not)."""
    path = tmp_path_factory.mktemp("stopped") / "run"
    watched(settings("lanes"), path)
    record = records.load_record(path, checkpoint.FORMAT, (checkpoint.VERSION,))
    model = settings("lanes")
    watched(model, path, resume=True)
    return record, model.weights


@pytest.mark.parametrize(("change", "reason"), UNTRUE.values(), ids=UNTRUE)
def test_what_cannot_be_true_of_this_run_is_refused_and_changes_nothing(
    change: Callable[[dict[str, Any]], Any], reason: str, stopped: tuple[dict[str, Any], list[Any]], tmp_path: Path
) -> None:
    """Also if its digest is right: whoever writes a file can see to that."""
    path, record = tmp_path / "run", loads(dumps(stopped[0]))
    change(record["state"])
    record["sha256"] = checkpoint._digest(record["settings"], record["state"])
    records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, record)
    model = settings("lanes")
    before = model.weights, model.order_rng.getstate()
    with pytest.raises(ModelFileError, match=rf"run: the parts of this checkpoint do not fit: .*{reason}") as caught:
        watched(model, path, resume=True)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)
    assert (model.weights, model.order_rng.getstate()) == before
    assert not model.stop_training


@pytest.fixture(scope="module")
def with_adam(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record of a finished run with Adam."""
    path = tmp_path_factory.mktemp("with_adam") / "run"
    fit(settings("lanes"), StopsNowAndThen(), KINDS["adam"], checkpoint=path)
    return records.load_record(path, checkpoint.FORMAT, (checkpoint.VERSION,))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.update(steps=5), "steps of Adam: 5, expected 15"),
        (lambda s: s["momentum"].pop(), "momentum of Adam: 11 matrices, expected 12"),
        (lambda s: s["momentum"].reverse(), r"momentum\[0\] of Adam is 1x10, the layers need 64x20"),
        (lambda s: s.update(momentum=s["weights"]), "momentum of Adam: 6 matrices, expected 12"),
        (lambda s: s["momentum"][6].update(records.pack_matrix([[-1.0] * 20] * 64)), "means of squares below 0"),
        (lambda s: s["momentum"][0].update(doubles=b"\xff" * 8 * 64 * 20), "numbers that are not finite"),
    ],
)
def test_what_adam_cannot_remember_is_refused(
    change: Callable[[Any], Any], reason: str, with_adam: dict[str, Any], tmp_path: Path
) -> None:
    path, record = tmp_path / "run", loads(dumps(with_adam))
    change(record["state"])
    record["sha256"] = checkpoint._digest(record["settings"], record["state"])
    records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, record)
    with pytest.raises(ModelFileError, match=reason):
        fit(settings("lanes"), StopsNowAndThen(), KINDS["adam"], checkpoint=path, resume=True)


def test_a_memory_of_gradients_that_is_infinite_is_divergence(tmp_path: Path) -> None:
    """Their squares overflow long before they do, and weights stay where they are."""

    class Steep(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            if run.batch == 3:
                optimizer.squares[0][0][0] = float("inf")

    optimizer = Adam()
    with pytest.raises(TrainingDiverged, match=r"epoch 1, batch 5: in what the optimizer remembers, .* not finite"):
        usual: dict[str, Any] = {"epochs": 2, "batch_size": 32, "checkpoint": tmp_path / "run"}
        settings("linalg").fit(X, Y, optimizer=optimizer, callbacks=[Steep()], **usual)


def test_parts_of_two_checkpoints_are_not_one(stopped: tuple[dict[str, Any], list[Any]], tmp_path: Path) -> None:
    """Each by itself could be true: only that they were written together tells."""
    path = tmp_path / "run"
    records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, stopped[0])
    model = settings("lanes")
    watched(model, path, resume=True)
    assert model.weights == stopped[1]
    record = loads(dumps(stopped[0]))
    record["state"]["weights"], record["state"]["momentum"] = record["state"]["momentum"], record["state"]["weights"]
    records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, record)
    with pytest.raises(ModelFileError, match="the parts of this checkpoint do not fit: they were not written together"):
        watched(settings("lanes"), path, resume=True)


@pytest.mark.parametrize(
    ("settings_of", "named"),
    [
        (lambda s: s.update({"x" * 1000: 1}), "xxx"),
        (lambda s: s.update({"a\nb\x1b[2J": 1}), r"a\\nb\\x1b\[2J was 1, is now none"),
        (lambda s: s.update(network="a" * 100_000 + "("), "layer 0 was none, is now Linear"),
        (lambda s: s.update(network=[[["Linear(" * 1000]]]), "layer"),
        (lambda s: s.update(loss="x\ny" * 1000), r"loss was x\\ny"),
        (lambda s: s.update(optimizer=["SGD", {"y" * 1000: "z" * 1000}]), "lr was none, is now 0.1"),
        (lambda s: s.update(optimizer=["SGD", {}]), "lr was none, is now 0.1"),
        (lambda s: s.update(seed=10**600), "seed was 1000"),
        (lambda s: s.clear(), "was none"),
    ],
)
def test_settings_of_a_stranger_are_named_in_a_line(
    settings_of: Callable[[dict[str, Any]], Any],
    named: str,
    stopped: tuple[dict[str, Any], list[Any]],
    tmp_path: Path,
) -> None:
    path, record = tmp_path / "run", loads(dumps(stopped[0]))
    settings_of(record["settings"])
    records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, record)
    with pytest.raises(ValueError, match=f"run: cannot resume what another run wrote: .*(?:{named})") as caught:
        watched(settings("lanes"), path, resume=True)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "record", [None, [], {}, {"settings": {}, "state": {}}, {"settings": 1, "state": 2, "sha256": 3}]
)
def test_a_record_that_is_no_checkpoint(record: Any, tmp_path: Path) -> None:
    records.save_record(tmp_path / "run", checkpoint.FORMAT, checkpoint.VERSION, record)
    with pytest.raises(ModelFileError, match="run: the parts of this checkpoint do not fit: it has parts missing"):
        watched(settings("lanes"), tmp_path / "run", resume=True)


class Mean(Schedule):
    """A schedule of one's own."""

    def rate(self, epoch: int) -> float:
        return self.base / epoch


def test_a_schedule_of_ones_own_is_resumed_and_keeps_its_methods(tmp_path: Path) -> None:
    path = tmp_path / "run"

    def go(resume: bool, stop: bool = False) -> Any:
        model = settings("lanes")
        model.fit(
            X, Y, epochs=3, schedule=Mean(), callbacks=[Once(7 if stop else None)], checkpoint=path, resume=resume
        )
        return model.weights

    class Once(Callback):
        def __init__(self, after: int | None) -> None:
            self.after, self.batches = after, 0

        def on_batch_end(self, model: Any, run: Any) -> None:
            self.batches += 1
            model.stop_training = self.batches == self.after

    whole = go(False)
    go(False, stop=True)
    record = records.load_record(path, checkpoint.FORMAT, (checkpoint.VERSION,))
    assert go(True) == whole
    whole_schedule = record["state"]["schedule"]
    for schedule, message in (
        ({**whole_schedule, "rate": 1.0}, "'rate' of a schedule is no state of it"),
        ({**whole_schedule, "base": "0.1"}, "base of the schedule cannot be '0.1'"),
        ({}, "base of the schedule is missing"),
    ):
        record["state"]["schedule"] = schedule
        record["sha256"] = checkpoint._digest(record["settings"], record["state"])
        records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, record)
        with pytest.raises(ModelFileError, match=message):
            go(True)


INNER: dict[str, Callable[[], Any]] = {"mean": Mean, "cosine": lambda: CosineSchedule(3)}


def warmed_up(path: Path, inner: str, epochs: int) -> Any:
    """The weights of a run whose rate is warmed up for an epoch and then handed over to ``inner``."""
    model = settings("lanes")
    schedule = WarmUp(1, INNER[inner]())
    model.fit(X, Y, epochs=epochs, batch_size=32, schedule=schedule, checkpoint=path, resume=True)
    return model.weights


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The record of such a run after two epochs, by the name of the inner schedule."""
    folder = tmp_path_factory.mktemp("warm")
    for inner in INNER:
        warmed_up(folder / inner, inner, 2)
    return {inner: records.load_record(folder / inner, checkpoint.FORMAT, (checkpoint.VERSION,)) for inner in INNER}


@pytest.mark.parametrize("inner", INNER)
def test_a_warm_up_is_resumed_with_the_schedule_it_hands_over_to(
    inner: str, warm: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    records.save_record(tmp_path / "run", checkpoint.FORMAT, checkpoint.VERSION, warm[inner])
    assert warmed_up(tmp_path / "run", inner, 4) == warmed_up(tmp_path / "at once", inner, 4)


@pytest.mark.parametrize(
    ("inner", "change", "message"),
    [
        ("mean", lambda s: s["then"].update(rate=1.0), "'rate' of a schedule is no state of it"),
        ("mean", lambda s: s["then"].update(base=[]), r"base of the schedule cannot be \[\]"),
        ("mean", lambda s: s.update(then=None), "then of the schedule cannot be None"),
        ("mean", lambda s: s.update(rate=1.0), "'rate' of a schedule is no state of it"),
        ("cosine", lambda s: s["then"].update(epochs=4), "the schedule stands elsewhere"),
        ("cosine", lambda s: s.update(then=None), "the schedule stands elsewhere"),
        ("cosine", lambda s: s["then"].update(more=1), "the schedule stands elsewhere"),
    ],
)
def test_a_warm_up_that_cannot_be_is_refused(
    inner: str, change: Callable[[Any], Any], message: str, warm: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    path, record = tmp_path / "run", loads(dumps(warm[inner]))
    change(record["state"]["schedule"])
    record["sha256"] = checkpoint._digest(record["settings"], record["state"])
    records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, record)
    with pytest.raises(ModelFileError, match=message):
        warmed_up(path, inner, 4)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="need a checkpoint"):
        settings("lanes").fit(X, Y, resume=True)
    with pytest.raises(ValueError, match="checkpoint_every must be a whole number of at least 1, got 0"):
        settings("lanes").fit(X, Y, checkpoint="run", checkpoint_every=0)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        settings("lanes").fit(X, Y, checkpoint="no/such/folder/run")


def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    assert "1 kills" in ordeals.killed_and_resumed(tmp_path, kills=1)


MOVES = [("lanes", "linalg"), ("linalg", "lanes"), (Lanes(64), "lanes"), ("linalg", "numpy"), ("numpy", "lanes")]


KEEPING: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.9},
    "adam": {"optimizer": "adam", "momentum": None, "lr": 0.01},
}


def long_run(engine: Any, kept: str, **more: Any) -> tuple[Model, Any]:
    """A model, and what became of its run of four epochs."""
    model = Model(64, 12, seed=3, engine=engine)
    return model, model.fit(X, Y, **{"epochs": 4, "batch_size": 16, "lr": 0.05, **KEEPING[kept], **more})


@pytest.fixture(scope="module")
def wanted() -> dict[str, Any]:
    """The losses of runs that stay where they are."""
    return {kept: long_run("linalg", kept)[1].loss for kept in KEEPING}


@pytest.mark.parametrize("kept", KEEPING)
@pytest.mark.parametrize(("first", "then"), MOVES)
def test_a_run_goes_on_on_another_engine(
    first: Any, then: Any, kept: str, wanted: dict[str, Any], tmp_path: Path
) -> None:
    """What the optimizer remembers goes along: without it, the losses would be others from the first batch on."""
    if "numpy" in (first, then):
        pytest.importorskip("numpy")

    class Stops(Callback):
        def on_epoch_end(self, model: Any, run: Any) -> None:
            model.stop_training = run.epoch == 2

    long_run(first, kept, callbacks=[Stops()], checkpoint=tmp_path / "run")
    ended, history = long_run(then, kept, callbacks=[Stops()], checkpoint=tmp_path / "run", resume=True)
    assert history.loss == pytest.approx(wanted[kept], rel=2e-3)
    assert ended.engine == (then if isinstance(then, str) else "lanes")
