"""Several threads and one model: predictions are right whoever else predicts, and nobody sees a model in between."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    ELU,
    GELU,
    AvgPool2D,
    BatchNorm,
    Callback,
    Conv2D,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Model,
    ModelBusyError,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from scratchnn import turns as turns_module
from scratchnn.layers import Layer
from scratchnn.turns import Turns
from tests.engines.test_reproducibility import ROOT, sorted_pythons

RNG = Random(1)
X = [[RNG.gauss(0.0, 1.0) for _ in range(16)] for _ in range(60)]
Y = [i % 3 for i in range(60)]
ENGINES = ["lanes", "linalg"]

STACKS: dict[str, Callable[[], list[Layer]]] = {
    "relu": lambda: [Linear(16, 6), ReLU(), Linear(6, 3)],
    "leaky": lambda: [Linear(16, 6), LeakyReLU(), Linear(6, 3)],
    "tanh": lambda: [Linear(16, 6), Tanh(), Linear(6, 3)],
    "sigmoid": lambda: [Linear(16, 6), Sequential([Sigmoid(), Dropout(0.5)]), Linear(6, 3)],
    "softmax": lambda: [Linear(16, 6), Softmax(), Linear(6, 3)],
    "gelu": lambda: [Linear(16, 6), GELU(), Linear(6, 3)],
    "silu": lambda: [Linear(16, 6), SiLU(), Linear(6, 3)],
    "elu": lambda: [Linear(16, 6), ELU(), Linear(6, 3)],
    "softplus": lambda: [Linear(16, 6), Softplus(), Linear(6, 3)],
    "layer norm": lambda: [Linear(16, 6), LayerNorm(6), Linear(6, 3)],
    "batch norm": lambda: [Linear(16, 6), BatchNorm(6), Linear(6, 3)],
    "residual": lambda: [Linear(16, 6), Residual([Linear(6, 6), Tanh()]), Linear(6, 3)],
    "log softmax": lambda: [Linear(16, 6), LogSoftmax(), Linear(6, 3)],
    "images": lambda: [
        *(Conv2D(1, 3, 2), Tanh(), MaxPool2D(2, 1), Conv2D(3, 2, 2), AvgPool2D(1), Flatten(), Linear(2, 3)),
    ],
}


def model_of(stack: str, engine: str) -> Model:
    shape = (1, 4, 4) if stack == "images" else None
    model = Model.from_layers(STACKS[stack](), input_shape=shape, engine=engine, seed=3)
    model.fit(X, Y, epochs=1)
    return model


# --- predictions -------------------------------------------------------------------------------------------


PROGRAM = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from scratchnn import Model

engine, paths, threads = sys.argv[1], sys.argv[2:], 8
rows = [[(i * 37 % 23 - 11) / 7.0 + k * (i % 5 - 2) / 9.0 for k in range(16)] for i in range(64)]
usual = sys.getswitchinterval()


def ask(model, start, first):
    start.wait()
    return [(i, model.predict_proba([rows[i]])[0]) for i in range(first, len(rows), threads)]


for path in paths:
    sys.setswitchinterval(usual)
    model = Model.load(path, engine=engine)
    alone = [model.predict_proba([row])[0] for row in rows]
    sys.setswitchinterval(1e-6)  # threads take turns as often as Python can manage
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            model = Model.load(path, engine=engine)  # nothing has been worked out for its weights yet
            start = threading.Barrier(threads)
            for answers in pool.map(ask, [model] * threads, [start] * threads, range(threads)):
                assert all(answer == alone[i] for i, answer in answers), (path, sys.version)
"""


@pytest.fixture(scope="module", params=ENGINES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """An engine's name, and a file with a model of each stack that was trained on it."""
    folder = tmp_path_factory.mktemp("models")
    paths = [folder / f"{stack}.pkl" for stack in STACKS]
    for stack, path in zip(STACKS, paths):
        model_of(stack, request.param).save(path)
    return request.param, paths


# Before 3.10 threads take turns between any two instructions; the versions in between are as the one that runs this.
@pytest.mark.parametrize("which", ["this one", "the oldest", pytest.param("all others", marks=pytest.mark.slow)])
def test_every_thread_gets_what_it_would_get_alone_on_every_python(which: str, saved: tuple[str, list[Path]]) -> None:
    engine, paths = saved
    this, *others = sorted_pythons().values()
    chosen = {"this one": [this], "the oldest": others[:1], "all others": others[1:]}[which]
    if not chosen:
        pytest.skip("no other Python was found")
    for python in chosen:
        settings = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(python), "-c", PROGRAM, engine, *map(str, paths)]
        ran = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("kind", [*(Tanh, Sigmoid, Softmax, LogSoftmax, ReLU, LeakyReLU), *(GELU, SiLU, ELU, Softplus)])
def test_what_a_layer_returns_is_not_what_another_thread_made(kind: type[Layer]) -> None:
    """Another thread computes with the layer after this one has, and before this one has its answer: on Python 3.9 this
    happens between any two instructions, here always."""
    layer = kind()
    expected = layer([[1.0, -2.0, 0.5]])
    frames: list[Any] = []

    def look(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_name != "forward" or frame.f_locals.get("self") is not layer:
            return None

        def line(frame: Any, event: str, argument: Any) -> Any:
            if event == "line":
                sys.settrace(None)
                frames.append(threading.Thread(target=layer, args=([[9.0, 9.0, 9.0]],)))
                frames[-1].start()
                frames[-1].join()
                sys.settrace(look)
            return line

        return line

    before = sys.gettrace()
    sys.settrace(look)
    try:
        found = layer.forward([[1.0, -2.0, 0.5]])
    finally:
        sys.settrace(before)
    assert frames
    assert found == expected


def test_a_prediction_does_not_put_another_thread_s_network_back_into_training() -> None:
    model = model_of("sigmoid", "linalg")
    expected = model.predict_proba(X)
    model.network.train()  # somebody has looked at dropout
    inside, go_on = threading.Event(), threading.Event()

    class Waits(Tanh):
        def forward(self, x: Any) -> Any:
            if threading.current_thread() is slow:
                inside.set()
                assert go_on.wait(30)
            return x

    model.network.layers.insert(1, Waits())
    found: list[Any] = []
    slow = threading.Thread(target=lambda: found.append(model.predict_proba(X)))
    slow.start()
    assert inside.wait(30)
    assert model.predict_proba(X) == expected
    go_on.set()
    slow.join(30)
    assert found == [expected]


# --- one who changes ---------------------------------------------------------------------------------------


class Pauses(Callback):
    """Holds a run up after its first batch, until it may go on."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.reached.set()
        assert self.go_on.wait(30)


USES: dict[str, Callable[[Model, Path], Any]] = {
    "predict": lambda model, path: model.predict(X),
    "predict_proba": lambda model, path: model.predict_proba(X),
    "predict_with_proba": lambda model, path: model.predict_with_proba(X),
    "score": lambda model, path: model.score(X, Y),
    "evaluate": lambda model, path: model.evaluate(X, Y),
    "save": lambda model, path: model.save(path / "model.pkl"),
    "fit": lambda model, path: model.fit(X, Y),
    "weights": lambda model, path: setattr(model, "weights", model.weights),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_while_a_model_learns_other_threads_are_refused(use: Callable[[Model, Path], Any], tmp_path: Path) -> None:
    model, twin = model_of("sigmoid", "lanes"), model_of("sigmoid", "lanes")
    pauses = Pauses()
    learner = threading.Thread(target=model.fit, args=(X, Y), kwargs={"epochs": 2, "callbacks": [pauses]})
    learner.start()
    assert pauses.reached.wait(30)
    with pytest.raises(ModelBusyError, match="this model is learning in another thread: "):
        use(model, tmp_path)
    assert not list(tmp_path.iterdir())
    pauses.go_on.set()
    learner.join(30)
    twin.fit(X, Y, epochs=2)
    assert model.weights == twin.weights  # the refused call changed nothing
    use(model, tmp_path)


def test_callbacks_may_use_the_model_as_ever(tmp_path: Path) -> None:
    class Uses(Callback):
        def on_epoch_end(self, model: Any, run: Any) -> None:
            for name, use in USES.items():
                if name != "fit":
                    use(model, tmp_path)

    plain, used = model_of("sigmoid", "lanes"), model_of("sigmoid", "lanes")
    plain.fit(X, Y, epochs=3)
    used.fit(X, Y, epochs=3, callbacks=[Uses()])
    assert used.evaluate(X, Y)[0] == pytest.approx(plain.evaluate(X, Y)[0], rel=1e-2)


def test_a_callback_may_fit_the_model_in_the_midst_of_its_run() -> None:
    class Fits(Callback):
        def on_epoch_end(self, model: Any, run: Any) -> None:
            if run.epoch == 1:
                model.fit(X[:5], Y[:5], epochs=1)

    in_lanes, readable = model_of("sigmoid", "lanes"), model_of("sigmoid", "linalg")
    losses = [model.fit(X, Y, epochs=3, callbacks=[Fits()]).loss for model in (in_lanes, readable)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    own = in_lanes.engine, in_lanes.ops
    in_lanes.fit(X, Y, epochs=1)
    assert (in_lanes.engine, in_lanes.ops) == own


def test_fit_waits_for_those_who_ask() -> None:
    model = model_of("relu", "linalg")
    expected = model.predict_proba(X)
    inside, go_on = threading.Event(), threading.Event()

    class Slow(list):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            inside.set()
            assert go_on.wait(30)
            return super().__iter__()

    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(model.predict_proba(Slow([tuple(row) for row in X]))))
    reader.start()
    assert inside.wait(30)
    learner = threading.Thread(target=model.fit, args=(X, Y), kwargs={"epochs": 1, "lr": 0.5})
    learner.start()
    while not model.turns.begun():  # it has said that it wants to
        assert learner.is_alive()
    assert model.weights == model_of("relu", "linalg").weights
    go_on.set()
    for thread in (reader, learner):
        thread.join(30)
    assert found == [expected]
    assert model.predict_proba(X) != expected


def test_a_failure_gives_the_turn_back() -> None:
    model = model_of("relu", "linalg")
    for _ in range(2):
        with pytest.raises(ValueError, match="epochs"):
            model.fit(X, Y, epochs=0)
        with pytest.raises(ValueError, match="X"):
            model.predict("rows")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(model.predict, X).result(30) == model.predict(X)
        pool.submit(model.fit, X, Y, epochs=1).result(30)
    model.fit(X, Y, epochs=1)


# --- copies ------------------------------------------------------------------------------------------------


def test_copies_begin_with_nobody() -> None:
    model = model_of("tanh", "lanes")
    copies: list[Model] = []

    class Copies(Callback):
        def on_epoch_end(self, model: Any, run: Any) -> None:
            copies.extend([copy.deepcopy(model), pickle.loads(pickle.dumps(model))])

    model.fit(X, Y, epochs=1, callbacks=[Copies()])
    with ThreadPoolExecutor(1) as pool:
        for twin in copies:
            assert twin.turns is not model.turns
            assert len(pool.submit(twin.predict, X).result(30)) == len(X)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_threads_that_a_child_process_does_not_have_are_not_waited_for() -> None:
    turns = Turns()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(turns.ask, "theirs").result(30)
        turns._process = -1  # as if it came from a parent process
        turns.change("ours")  # does not wait
    assert turns.mine()


def test_a_turn_that_was_not_ended_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C can come at any moment, also on the way out of a turn."""
    monkeypatch.setattr(turns_module, "PATIENCE", 0.01)
    turns = Turns()
    thread = threading.Thread(target=turns.ask, args=("lost",))
    thread.start()
    thread.join(30)
    turns.ask("lost as well, but in this thread")
    turns.change("ours")
    turns.end("ours")
    turns.end("ours")
    assert not turns.begun()


def test_ctrl_c_while_fit_waits_leaves_everything_as_it_was() -> None:
    model = model_of("relu", "linalg")
    turns = model.turns
    with ThreadPoolExecutor(1) as pool:
        pool.submit(turns.ask, "somebody").result(30)
        before = model.weights

        class Interrupts:
            def acquire(self, timeout: float = 0) -> bool:
                if timeout:
                    raise KeyboardInterrupt
                return True

            def release(self) -> None:
                pass

        lock, turns_module.allocate_lock = turns_module.allocate_lock, Interrupts  # type: ignore[assignment, attr-defined]
        try:
            with pytest.raises(KeyboardInterrupt):
                model.fit(X, Y)
        finally:
            turns_module.allocate_lock = lock  # type: ignore[attr-defined]
        assert not turns.begun()
        assert model.weights == before
        assert len(pool.submit(model.predict, X).result(30)) == len(X)
