"""A fit that is refused leaves no trace: the model is to the last bit what it was, whatever the reason was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    SGD,
    Adam,
    BestWeights,
    Callback,
    CosineSchedule,
    Dropout,
    EarlyStopping,
    Layer,
    Linear,
    Model,
    ReLU,
    Sequential,
)
from scratchnn.saving import records
from scratchnn.saving.atomic import Lock
from scratchnn.training import checkpoint
from scratchnn.training.snapshot import Snapshot

RNG = Random(1)
X = [[RNG.gauss(i % 3 - 1, 0.5), RNG.gauss(i % 2, 1.0)] for i in range(30)]
Y = [i % 3 for i in range(30)]
OTHER_X = [[v * 1e6 for v in row] for row in X]  # for which lanes would have to be wider
ENGINES = ["lanes", "linalg"]


class Refuses(Callback):
    """Looks at the model as any callback may, and then refuses the run."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_train_begin(self, model: Any, run: Any) -> None:
        model.predict(X)
        run.seen = model.classes, model.history, model.network.train()
        raise self.error


class Fails(Callback):
    """Raises an error when it is told of that event."""

    def __init__(self, event: str) -> None:
        setattr(self, event, self._fail)
        self.event = event

    def _fail(self, model: Any, run: Any) -> None:
        raise RuntimeError(f"{self.event} on purpose")


class Unwilling(Callback):
    """Takes part, but not in a run that goes on."""

    def restore(self, state: Any) -> None:
        raise ValueError("no memory is taken up")


def garbage(folder: Path, model: Model) -> dict[str, Any]:
    path = folder / "garbage.ckpt"
    path.write_bytes(b"garbage")
    return {"checkpoint": path, "resume": True}


def other_settings(folder: Path, model: Model) -> dict[str, Any]:
    path = folder / "run.ckpt"
    Model(2, 5, 3, dropout=0.3, seed=2).fit(X, Y, epochs=1, checkpoint=path)
    return {"checkpoint": path, "resume": True}


def _twin(model: Model) -> Model:
    """The same again, to write a checkpoint that fits."""
    import copy

    return copy.deepcopy(model)


def broken_state(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path, Model], dict[str, Any]]:
    """A checkpoint of just this run, whose settings agree and whose state is damaged."""

    def make(folder: Path, model: Model) -> dict[str, Any]:
        path = folder / "run.ckpt"
        settings: dict[str, Any] = {
            "epochs": 3,
            "lr": 1e-9,
            "momentum": 0.9,
            "checkpoint": path,
            "callbacks": [Callback()],
        }
        _twin(model).fit(OTHER_X, Y, **settings)
        record = records.load_record(path, checkpoint.FORMAT, (checkpoint.VERSION,))
        change(record["state"])
        records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, record)
        return {**settings, "resume": True}

    return make


def memory_not_wanted(folder: Path, model: Model) -> dict[str, Any]:
    """The state is restored to its end, and only then a callback does not take part."""
    settings = {"epochs": 3, "lr": 1e-9, "checkpoint": folder / "run.ckpt", "callbacks": [Unwilling()]}
    _twin(model).fit(OTHER_X, Y, **settings)
    return {**settings, "resume": True}


def held_by_another(folder: Path, model: Model) -> dict[str, Any]:
    lock = Lock(folder / "run.ckpt")
    lock.__enter__()  # until it is collected with the arguments
    return {"checkpoint": folder / "run.ckpt", "callbacks": [Callback(), lock_holder(lock)]}


def lock_holder(lock: Any) -> Callback:
    callback = Callback()
    callback.lock = lock  # type: ignore[attr-defined]
    return callback


Way = Callable[[Path, Model], "dict[str, Any]"]
WAYS: dict[str, Way] = {
    **{
        f"{name} = {value!r}": lambda folder, model, name=name, value=value: {name: value}  # type: ignore[misc]
        for name, value in [
            *(("epochs", 0), ("epochs", "x"), ("batch_size", 0), ("lr", -1.0), ("lr", float("nan"))),
            *(("momentum", 1.0), ("weight_decay", -1), ("clip_norm", 0), ("eval", 0)),
            *(("optimizer", "lion"), ("schedule", "linear"), ("validation_split", 0.0), ("validation_split", 2)),
            *(("verbose", -1), ("callbacks", [5]), ("callbacks", [EarlyStopping]), ("checkpoint_every", 3)),
            *(("resume", True), ("checkpoint", "no/such/folder/run"), ("class_weight", "even")),
            *(("class_weight", {"x": 1.0}), ("class_weight", {0: 0.0, 1: 0.0, 2: 0.0}), ("sample_weight", [1.0])),
            *(("sample_weight", [-1.0] * 30), ("sample_weight", [0.0] * 30), ("sample_weight", "x")),
            *(("validation_data", 5), ("validation_data", (X, Y, X)), ("validation_data", ([[1.0]], [0]))),
            *(("validation_data", (X, Y[1:])), ("validation_data", (X, [9] * 30)), ("validation_data", (["a"], [0]))),
            *(("validation_data", ([[float("inf"), 0.0]], [0])), ("X", []), ("X", [[1.0, 2.0], [3.0]] * 15)),
            *(("X", [[1.0, float("nan")]] * 30), ("X", [[1.0] * 3] * 30), ("X", "rows"), ("X", None)),
            *(("y", Y[1:]), ("y", [None] * 30), ("y", ["a", 1, 2] * 10), ("y", [0.5] * 30), ("y", [0] * 30)),
            *(("y", [0, 1, 2, 3, 4, 5] * 5), ("y", ["a", "b", "c", "d"] * 7 + ["a", "b"])),
        ]
    },
    "validation data and a split": lambda folder, model: {"validation_data": (X, Y), "validation_split": 0.5},
    "nesterov without momentum": lambda folder, model: {"nesterov": True, "momentum": 0.0},
    "an optimizer's settings twice": lambda folder, model: {"optimizer": SGD(0.1), "momentum": 0.9},
    "an optimizer with a rate that is none": lambda folder, model: {"optimizer": Adam(0.1), "lr": -1.0},
    "early stopping without validation": lambda folder, model: {"callbacks": [Callback(), EarlyStopping()]},
    "a folder that is not there": lambda folder, model: {"callbacks": [BestWeights(folder / "no" / "x.pkl", "loss")]},
    "a callback that refuses": lambda folder, model: {"callbacks": [Callback(), Refuses(RuntimeError("no"))]},
    "Ctrl-C before the first batch": lambda folder, model: {"callbacks": [Refuses(KeyboardInterrupt())]},
    "one file for two": lambda folder, model: {
        "checkpoint": folder / "a",
        "callbacks": [BestWeights(folder / "a", "loss")],
    },
    "a checkpoint that is none": garbage,
    "another run's checkpoint": other_settings,
    "a checkpoint that another run holds": held_by_another,
    "a callback without a memory": memory_not_wanted,
    "a weight too few": broken_state(lambda state: state["weights"].pop()),
    "no generators": broken_state(lambda state: state.update(generators=[[3, [1] * 625, None], [3, [], None]])),
    "no callbacks": broken_state(lambda state: state.pop("callbacks")),
    "momentum that is none": broken_state(lambda state: state.update(momentum=[{}])),
}


def numbers(matrix: Any, ops: Any) -> Any:
    return None if matrix is None else [[v.hex() for v in row] for row in ops.to_rows(matrix)]


def seen(model: Model) -> dict[str, Any]:
    """All that can be seen of a model, from outside and from inside."""
    layers = list(model.network.walk())
    parameters = model.network.parameters()
    hidden = {"network", "_history", "order_rng", "_weight_rng"}
    return {
        **{name: repr(value) for name, value in vars(model).items() if name not in hidden},
        "history": (id(model.history), model.history.to_dict()),
        "weights": [numbers(p.value, model.ops) for p in parameters],
        "forms": [model.ops.form_of(p.value) for p in parameters],
        "gradients": [numbers(p.gradient, model.ops) for p in parameters],
        "engine": (id(model.ops), [id(layer.ops) for layer in layers]),
        "attributes": [sorted(vars(layer)) for layer in layers],
        "training": [layer.training for layer in layers],
        "trainable": [layer.trainable for layer in layers],
        "generators": [rng.getstate() for rng in (model.order_rng, model._weight_rng, *_dropouts(layers))],
    }


def _dropouts(layers: list[Layer]) -> list[Random]:
    return [layer.rng for layer in layers if isinstance(layer, Dropout)]


def unfitted(engine: str) -> Model:
    return Model.from_layers([Linear(2, 5), Sequential([ReLU(), Dropout(0.3)]), Linear(5, 3)], engine=engine, seed=4)


def fitted(engine: str) -> Model:
    model = unfitted(engine)
    model.fit(X, Y, epochs=2, momentum=0.5)
    model.network[1].train()  # as somebody may leave it who looks at dropout
    return model


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", [unfitted, fitted])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_refused_fit_leaves_no_trace(way: Way, make: Callable[[str], Model], engine: str, tmp_path: Path) -> None:
    model = make(engine)
    arguments = way(tmp_path, model)
    if arguments.get("y") == [0] * 30 and make is fitted:
        arguments["y"] = [9] * 30  # where the classes are known, one of them alone would do
    before = seen(model)
    files = {path: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith(".lock")}
    rows, labels = arguments.pop("X", OTHER_X), arguments.pop("y", Y)
    with pytest.raises((ValueError, RuntimeError, OSError, KeyboardInterrupt)):
        model.fit(rows, labels, **{"epochs": 2, "verbose": 0, **arguments})
    assert seen(model) == before
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith(".lock")} == files
    twin = make(engine)
    for one in (model, twin):  # and nothing that cannot be seen
        one.fit(X, Y, epochs=2, batch_size=8, lr=0.05)
    assert model.weights == twin.weights


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_an_engine_cannot_hold_leave_no_trace(engine: str) -> None:
    for huge in (1e308, 1e120):
        model = Model(2, 5, 3, scaling="none", engine=engine)
        before = seen(model)
        if engine == "lanes":
            with pytest.raises(ValueError, match="numbers up to"):
                model.fit([[huge, 0.0], *X[1:]], Y)
            with pytest.raises(ValueError, match="numbers up to"):
                model.fit(X, Y, validation_data=([[huge, 0.0]], [0]))
        assert seen(model) == before


def test_what_was_handed_over_is_as_it_was_too() -> None:
    optimizer, schedule = SGD(0.25, momentum=0.5), CosineSchedule(4)
    model = Model(2, 5, 3)
    model.fit(X, Y, epochs=1, optimizer=optimizer, schedule=schedule)
    velocities, base = optimizer.velocities, schedule.base
    with pytest.raises(ValueError, match="needs validation data"):
        model.fit(X, Y, lr=0.5, optimizer=optimizer, schedule=schedule, callbacks=[EarlyStopping()])
    assert (optimizer.lr, optimizer.velocities, schedule.base) == (0.25, velocities, base)


def test_callbacks_that_heard_of_the_beginning_hear_of_the_end() -> None:
    class Diary(Callback):
        def __init__(self) -> None:
            self.events: list[str] = []

        def on_train_begin(self, model: Any, run: Any) -> None:
            self.events.append("begin")

        def on_train_end(self, model: Any, run: Any) -> None:
            self.events.append("end")

    first, last = Diary(), Diary()
    with pytest.raises(RuntimeError, match="on purpose"):
        unfitted("lanes").fit(X, Y, callbacks=[first, Fails("on_train_begin"), last])
    assert (first.events, last.events) == (["begin", "end"], [])


@pytest.mark.parametrize("refuses", [EarlyStopping(), Fails("check")])
def test_a_callback_that_says_so_beforehand_refuses_before_anybody_hears_of_the_run(refuses: Any) -> None:
    watching = EarlyStopping("loss")
    model = unfitted("lanes")
    model.fit(X, Y, epochs=2, callbacks=[watching])
    before = dict(vars(watching))
    with pytest.raises((ValueError, RuntimeError), match=r"needs validation data|on purpose"):
        model.fit(X, Y, callbacks=[watching, refuses])
    assert vars(watching) == before


def test_what_ended_a_run_is_not_hidden_by_what_a_callback_makes_of_its_end() -> None:
    model = unfitted("lanes")
    with pytest.raises(RuntimeError, match="on_batch_end on purpose"):
        model.fit(X, Y, callbacks=[Fails("on_batch_end"), Fails("on_train_end")])
    with pytest.raises(RuntimeError, match="on_train_end on purpose"):
        model.fit(X, Y, callbacks=[Fails("on_train_end")])


def test_a_run_that_is_stopped_as_it_begins_learns_nothing() -> None:
    class Stops(Callback):
        def on_train_begin(self, model: Any, run: Any) -> None:
            model.stop_training = True

    model = unfitted("lanes")
    before = model.weights
    assert len(model.fit(X, Y, callbacks=[Stops()])) == 0
    assert model.weights == before


def test_a_part_that_is_refused_leaves_the_optimizer_as_it_was() -> None:
    optimizer, model = SGD(0.25, momentum=0.5), Model(2, 5, 3)
    model.partial_fit(X, Y, optimizer=optimizer)
    velocities = optimizer.velocities
    with pytest.raises(ValueError, match="3"):
        Model(2, 5, 3).partial_fit(X, Y[:3], optimizer=optimizer, lr=0.5)
    assert (optimizer.lr, optimizer.velocities) == (0.25, velocities)


def test_a_run_that_has_begun_is_not_undone() -> None:
    model = unfitted("lanes")
    before = model.weights
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(X, Y, callbacks=[Fails("on_batch_end")])
    assert model.weights != before
    assert model.classes == [0, 1, 2]
    assert not model.network[1].training
    model.predict(X)


def test_what_was_before_is_not_held_in_memory_while_a_run_goes_on(monkeypatch: Any) -> None:
    snapshots: list[Snapshot] = []
    monkeypatch.setattr(Snapshot, "__enter__", lambda self: snapshots.append(self) or self)

    class Looks(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            assert not any(vars(snapshots[0]).values())

    unfitted("lanes").fit(X, Y, epochs=1, callbacks=[Looks()])
    assert len(snapshots) == 1


def test_targets_that_a_loss_cannot_be_taken_of_are_refused_before_anything_is_learned() -> None:
    model = Model.from_layers([Linear(2, 2)], loss="kl_div")
    with pytest.raises(ValueError, match="from 0 to 1"):
        model.fit([[1.0, 2.0], [3.0, 4.0]], [[0.5, 0.5], [2.0, -1.0]], epochs=1)
    assert model.scaling is None
