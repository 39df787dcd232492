"""Every public name called wrongly: each argument in turn replaced by things that nobody meant.

``USES`` holds for every name one or more right calls, as keyword arguments. ``every_name`` replaces one argument at a
time by each of ``odd_values()``. The call may work (much of what is odd is allowed), or raise an exception that the
package raises on purpose, by a ``raise`` of its own with a message: never an exception that happens to it.
"""

from __future__ import annotations

import array
import ast
import contextlib
import decimal
import fractions
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import scratchnn
from scratchnn import Model

ROWS = [[0.0, 1.0], [1.0, 0.5], [0.25, 0.75], [1.0, 1.0]]
LABELS = [0, 1, 0, 1]
PACKAGE = f"{os.sep}scratchnn{os.sep}"
CALLED = {"build", "progress"}  # functions of the user's own, whose failures are their own
ENDLESS = {"epochs"}  # numbers as large as one likes are right there, and take as long as that takes


class Opaque:
    """An object that can do nothing."""


class Lying:
    """Says that it has a length, and has nothing else."""

    def __len__(self) -> int:
        return 4


class Failing:
    """A sequence whose elements cannot be had."""

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("on purpose")


def odd_values() -> list[Any]:
    """Values made anew each time: generators are good for one use."""
    nan, infinity = float("nan"), float("inf")
    values: list[Any] = [
        *(None, True, False, 0, 1, -1, 2, 3, 10**30, -(10**30), 10**400),
        *(0.0, -0.0, 0.5, 1.0, -1.5, 1e308, -1e308, 5e-324, nan, infinity, -infinity, 1j),
        *("", "a", "cross_entropy", "0.5", "\0", "\ud800", "x" * 100_000),
        *(b"", b"\0\1", bytearray(b"ab"), memoryview(b"ab")),
        *([], [[]], [[], []], [[[]]], [None], [[None]], ["a"], [["a"]], [[0.0], [1.0, 2.0]], [1, "a", None], [0] * 4),
        *([[nan, 1.0]] * 2, [[infinity, 1.0]] * 4, [[1e308, 1e308]] * 4, [[10**400, 1]] * 4, [[0.0, 1.0]] * 5),
        *([[0.0]] * 4, [["a", "b"]] * 4, [[0.0, None]] * 4, [b"\0\1"] * 4, [b"\0", [1.0, 2.0]] * 2, ["ab"] * 4),
        *([{}] * 4, [[[0.0, 1.0]]] * 4, [Opaque()] * 4, [[Opaque()] * 2] * 4, [True] * 4, [1e400] * 4, [nan] * 4),
        *((), (1, 2), {}, {"a": 1}, {0: 1.0, 1: nan}, set(), {1}, frozenset(), range(0), range(4)),
        *(array.array("d"), array.array("d", [0.0, 1.0]), [array.array("B", [1, 2])] * 4),
        *(decimal.Decimal("0.1"), decimal.Decimal("NaN"), fractions.Fraction(1, 3), [fractions.Fraction(1, 2)] * 4),
        *(Opaque(), Opaque, Lying(), len, print, sys, random.Random(0), Ellipsis, NotImplemented, ValueError("x")),
    ]
    return [*values, (i for i in range(4)), zip(ROWS, LABELS), _deep_list()]


def _deep_list() -> list[Any]:
    deep: list[Any] = []
    for _ in range(2000):
        deep = [deep]
    return deep


@cache
def odd_names() -> list[str]:
    """What to call the odd values in a message."""
    return [*(ascii(value)[:40] for value in odd_values()[:-1]), "lists in 2000 lists"]


def fitted() -> Model:
    model = Model(2, 3, 2, engine="linalg", scaling="none")
    model.fit(ROWS, LABELS, epochs=1)
    return model


def _set(name: str) -> Callable[..., Any]:
    def change(value: Any) -> Any:
        model = fitted()
        setattr(model, name, value)
        return model.predict(ROWS)

    return change


def _fit(**arguments: Any) -> Any:
    return Model(2, 3, 2, engine="linalg", scaling="none").fit(**{"epochs": 1, **arguments})


def _regression(X: Any, y: Any) -> Any:
    model = Model(2, 3, 1, engine="linalg", task="regression")
    model.fit(X, y, epochs=1)
    return model.predict(X), model.score(X, y)


def _save_with_columns(**columns: Any) -> Any:
    model = Model(2, 3, 2, engine="linalg", scaling="none")
    model.fit(ROWS, LABELS, epochs=1, columns=SimpleNamespace(**columns))
    model.save("saved.pkl")
    return Model.load("saved.pkl")


def _step(name: str, **settings: Any) -> Any:
    return _fit(X=ROWS, y=LABELS, optimizer=getattr(scratchnn, name)(**settings))


def _schedule(name: str, **settings: Any) -> Any:
    return _fit(X=ROWS, y=LABELS, schedule=getattr(scratchnn, name)(**settings))


def _layer(name: str, *, x: Any = None, gradient: Any = None, **settings: Any) -> Any:
    layer = getattr(scratchnn, name)(**settings)
    model = Model.from_layers([layer, scratchnn.Linear(2, 2)], input_shape=2, engine="linalg", scaling="none")
    return model.fit(ROWS, LABELS, epochs=1)


def _embedding(**settings: Any) -> Any:
    model = Model.from_layers([scratchnn.Embedding(**settings), scratchnn.Linear(2, 2)], input_shape=2, engine="linalg")
    return model.fit([list(map(round, row)) for row in ROWS], LABELS, epochs=1)


def _image_layer(name: str, **settings: Any) -> Any:
    layers = [getattr(scratchnn, name)(**settings), scratchnn.Linear(2, 2)]
    model = Model.from_layers(layers, input_shape=(1, 1, 2), engine="linalg", scaling="none")
    return model.fit(ROWS, LABELS, epochs=1)


def _loss(name: str, *, outputs: Any, targets: Any, weights: Any = None, **settings: Any) -> Any:
    loss = getattr(scratchnn, name)(**settings)
    loss.forward(outputs, targets, weights)
    return loss.backward()


@cache
def uses() -> dict[str, list[tuple[Callable[..., Any], dict[str, Any]]]]:
    """For each public name its right calls: (function, keyword arguments)."""
    s = scratchnn
    settings = {
        "input_size": 2,
        "hidden_size": 3,
        "output_size": 2,
        "activation": "relu",
        "dropout": 0.0,
        "init": "auto",
        "task": "classification",
        "scaling": "auto",
        "engine": "linalg",
        "seed": 0,
    }
    training = {
        "X": ROWS,
        "y": LABELS,
        "epochs": 1,
        "lr": 0.1,
        "batch_size": 2,
        "optimizer": "sgd",
        "momentum": 0.5,
        "nesterov": True,
        "weight_decay": 0.0,
        "schedule": None,
        "clip_norm": 1.0,
        "validation_data": (ROWS, LABELS),
        "sample_weight": [1.0] * 4,
        "class_weight": {0: 1.0, 1: 2.0},
        "callbacks": (),
        "eval": 1,
        "shuffle": True,
        "checkpoint": "run.checkpoint",
        "checkpoint_every": 1,
        "resume": False,
    }
    layers = [s.Linear(2, 3), s.ReLU(), s.Linear(3, 2)]
    stack = {"layers": layers, "loss": "cross_entropy", "input_shape": 2, "task": None, "scaling": "auto", "seed": 0}
    path = "table.csv"
    table = {
        "path": path,
        "label": "c",
        "header": True,
        "delimiter": ",",
        "regression": False,
        "classes": [0, 1],
        "feature_names": ["a", "b"],
        "width": 2,
        "label_required": True,
        "like": None,
        "max_bytes": 1000,
        "max_line_bytes": 1000,
    }
    report: dict[str, Any] = {"path": "report.html", "title": "a", "shape": (1, 2), "command": "b"}
    search = {
        "X": ROWS,
        "y": LABELS,
        "model": {"engine": "linalg"},
        "fit": {"epochs": 1},
        "build": None,
        "folds": 2,
        "seed": 0,
        "measure": "score",
        "executor": None,
        "progress": None,
    }
    classes = {"outputs": [[0.2, 0.4]], "targets": [1], "weights": None}
    elementwise = {"outputs": [[0.2, 0.4]], "targets": [[0.0, 1.0]], "weights": [1.0]}
    return {
        "Model": [
            (s.Model, settings),
            (s.Model.from_layers, stack),
            (_fit, training),
            (_fit, {"X": ROWS, "y": LABELS, "sample_weight": [1.0] * 4, "validation_split": 0.5, "verbose": 0}),
            (_regression, {"X": ROWS, "y": [0.5, 1.5, 2.5, 3.5]}),
            (fitted().predict, {"X": ROWS}),
            (fitted().predict_proba, {"X": ROWS}),
            (fitted().score, {"X": ROWS, "y": LABELS}),
            (fitted().evaluate, {"X": ROWS, "y": LABELS}),
            (Model.get_accuracy, {"predictions": LABELS, "y": LABELS}),
            (_set("weights"), {"value": fitted().weights}),
            (_save_with_columns, {"feature_names": ["a", "b"], "label_name": "c", "label_position": 2}),
            (fitted().save, {"path": "saved.pkl"}),
            (fitted().report, {**report, "X": ROWS, "y": LABELS}),
            (Model.load, {"path": "good.pkl", "engine": "linalg"}),
        ],
        **{name: [] for name in ("Layer", "Loss")},  # their methods are for classes of one's own
        "Linear": [(_layer, {"name": "Linear", "inputs": 2, "outputs": 2, "init": "he"})],
        "Dropout": [(_layer, {"name": "Dropout", "rate": 0.5})],
        "LeakyReLU": [(_layer, {"name": "LeakyReLU", "slope": 0.1})],
        **{name: [(_layer, {"name": name})] for name in ("ReLU", "Tanh", "Sigmoid", "Softmax", "LogSoftmax")},
        **{name: [(_layer, {"name": name})] for name in ("GELU", "SiLU", "Softplus")},
        "ELU": [(_layer, {"name": "ELU", "alpha": 1.0})],
        "LayerNorm": [(_layer, {"name": "LayerNorm", "features": 2, "epsilon": 1e-5})],
        "BatchNorm": [(_layer, {"name": "BatchNorm", "features": 2, "momentum": 0.1, "epsilon": 1e-5})],
        "Embedding": [(_embedding, {"count": 2, "features": 1})],
        "Conv2D": [
            (
                _image_layer,
                {
                    "name": "Conv2D",
                    "in_channels": 1,
                    "out_channels": 1,
                    "kernel": 1,
                    "stride": 1,
                    "padding": 0,
                    "init": "he",
                    "input_shape": (1, 1, 2),
                },
            )
        ],
        **{
            name: [(_image_layer, {"name": name, "kernel": 1, "stride": 1, "padding": 0, "input_shape": (1, 1, 2)})]
            for name in ("MaxPool2D", "AvgPool2D")
        },
        "Flatten": [(_image_layer, {"name": "Flatten"})],
        "Sequential": [(s.Sequential, {"layers": layers})],
        "Residual": [(s.Residual, {"layers": layers})],
        **{name: [(_loss, {"name": name, **elementwise})] for name in ("MSELoss", "L1Loss", "KLDivLoss")},
        **{name: [(_loss, {"name": name, **elementwise})] for name in ("BCELoss", "BCEWithLogitsLoss")},
        "HuberLoss": [(_loss, {"name": "HuberLoss", **elementwise, "delta": 1.0})],
        "CrossEntropyLoss": [(_loss, {"name": "CrossEntropyLoss", **classes, "label_smoothing": 0.1})],
        "NLLLoss": [(_loss, {"name": "NLLLoss", **classes})],
        "SGD": [(_step, {"name": "SGD", "lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1})],
        "Adam": [(_step, {"name": "Adam", "lr": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8})],
        "AdamW": [(_step, {"name": "AdamW", "lr": 0.1, "beta1": 0.9, "epsilon": 1e-8, "weight_decay": 0.1})],
        "RMSprop": [
            (
                _step,
                {"name": "RMSprop", "lr": 0.1, "alpha": 0.9, "epsilon": 1e-8, "momentum": 0.5, "weight_decay": 0.1},
            )
        ],
        "Adagrad": [(_step, {"name": "Adagrad", "lr": 0.1, "epsilon": 1e-10, "weight_decay": 0.1})],
        "WarmUp": [(_schedule, {"name": "WarmUp", "epochs": 2, "then": s.CosineSchedule(2)})],
        "OneCycleSchedule": [
            (
                _schedule,
                {
                    "name": "OneCycleSchedule",
                    "epochs": 2,
                    "pct_start": 0.3,
                    "div_factor": 25.0,
                    "final_div_factor": 1e4,
                },
            )
        ],
        "StepSchedule": [(_schedule, {"name": "StepSchedule", "step_size": 1, "gamma": 0.5})],
        "CosineSchedule": [(_schedule, {"name": "CosineSchedule", "epochs": 2, "minimum": 0.0})],
        "ReduceOnPlateau": [
            (_schedule, {"name": "ReduceOnPlateau", "factor": 0.5, "patience": 1, "threshold": 0.1, "minimum": 0.0})
        ],
        "Callback": [(_fit, {"X": ROWS, "y": LABELS, "callbacks": [s.Callback()]})],
        "History": [(s.History, {})],
        "EarlyStopping": [
            (
                lambda **k: _fit(X=ROWS, y=LABELS, callbacks=[s.EarlyStopping(**k)]),
                {"monitor": "loss", "patience": 1, "min_delta": 0.0, "restore_best": True},
            )
        ],
        "BestWeights": [
            (
                lambda **k: _fit(X=ROWS, y=LABELS, callbacks=[s.BestWeights(**k)]),
                {"path": "best.pkl", "monitor": "loss"},
            )
        ],
        "Dataset": [
            (lambda **k: (repr(s.Dataset(**k)), s.Dataset(**k).split()), {"X": ROWS, "y": LABELS}),
            (lambda **k: s.Dataset(**k)._repr_html_(), {"X": ROWS, "y": LABELS}),
            (s.Dataset(ROWS, LABELS).split, {"test_fraction": 0.5, "seed": 0, "stratify": True}),
        ],
        "load_csv": [(s.load_csv, table), (s.load_csv, {"path": path})],
        "load_idx": [(s.load_idx, {"images_path": "images", "labels_path": "labels", "max_bytes": 1000})],
        "load_digits": [],
        "train_test_split": [
            (s.train_test_split, {"X": ROWS, "y": LABELS, "test_fraction": 0.5, "seed": 0, "stratify": True})
        ],
        "grid_search": [(s.grid_search, {**search, "grid": {"hidden_size": [2], "lr": [0.1]}})],
        "random_search": [(s.random_search, {**search, "space": {"hidden_size": [2], "lr": [0.1]}, "tries": 1})],
        "SearchResult": [],
        "trustworthiness": [(s.trustworthiness, {"rows": ROWS, "embedding": ROWS, "neighbours": 1})],
        "one_hot": [(s.one_hot, {"labels": LABELS, "classes": [0, 1]})],
        **{name: [] for name in ("ArgumentError", "DataError", "NotFittedError", "TrainingDiverged")},
        **{name: [] for name in ("ModelBusyError", "ModelFileError", "WorkerError")},
    }


def prepare(folder: Path) -> None:
    """The files that the right calls read, in the working folder."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    os.chdir(folder)
    Path("table.csv").write_text("a,b,c\n1,2,0\n3,4,1\n")
    Path("images").write_bytes(b"\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\2abcd")
    Path("labels").write_bytes(b"\0\0\x08\x01\0\0\0\2\0\1")
    fitted().save("good.pkl")


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """A second, and a gigabyte: whatever takes more has believed a number it should not have."""

    def stop(signum: int, frame: Any) -> None:
        raise TooLong("more than a second")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


class TooLong(Exception):
    """A call did not come back."""


@cache
def _raises(path: str) -> set[int]:
    """The numbers of all lines of a source file that are part of a ``raise``."""
    nodes = ast.walk(ast.parse(Path(path).read_text(encoding="utf-8")))
    raises = [node for node in nodes if isinstance(node, ast.Raise)]
    return {line for node in raises for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def complaint(call: Callable[[], Any]) -> str:
    """What is wrong with how a call ended: nothing, or the exception that was not raised on purpose."""
    try:
        with _limits():
            call()
    except MemoryError:
        return ""  # as much as was asked for is not there
    except (NotImplementedError, OSError) as error:
        return "" if str(error) else repr(error)
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        if _on_purpose(error, frames):
            return ""
        place = next((frame for frame in reversed(frames) if PACKAGE in frame.filename), None)
        where = f"{os.path.basename(place.filename)}:{place.lineno}: {place.line}" if place else "nowhere"
        return f"{type(error).__name__}: {str(error)[:100]} ({where})"
    return ""


def _on_purpose(error: Exception, frames: list[traceback.FrameSummary]) -> bool:
    """Whether an exception says in one line what is wrong, in the words of this package or of Python's own calls."""
    message = str(error)
    if isinstance(error, TypeError):
        # Wrong names or numbers of arguments, and what is no path: Python's own words are clear.
        return not frames or message.startswith("expected str, bytes or os.PathLike object")
    raised = bool(frames) and PACKAGE in frames[-1].filename and frames[-1].lineno in _raises(frames[-1].filename)
    return raised and bool(message) and "\n" not in message and not isinstance(error, (LookupError, AttributeError))


def misuses(arguments: dict[str, Any], every: int) -> Iterator[tuple[str, str, Any]]:
    """(argument, what it is replaced by in words, by what); each ``every``-th of all."""
    pairs = [(argument, number) for argument in arguments for number in range(len(odd_names()))]
    for argument, number in pairs[every - 1 :: every]:
        shown, value = odd_names()[number], odd_values()[number]
        endless = argument in ENDLESS and shown.isdigit()
        if argument != "name" and not endless and not (argument in CALLED and callable(value)):
            yield argument, shown, value


def complaints(name: str, every: int = 1) -> tuple[int, list[str]]:
    """(calls, what went wrong) for the misuses of a public name, or each ``every``-th; ``prepare`` comes first."""
    calls = 0
    wrong: dict[tuple[str, str], str] = {}  # one line for each place where an exception came from
    for function, arguments in uses()[name]:
        function(**arguments)  # right as it is
        for argument, shown, value in misuses(arguments, every):
            calls += 1
            what = complaint(lambda f=function, a=arguments, k=argument, v=value: f(**{**a, k: v}))
            if what:
                called = f"{name}: {getattr(function, '__name__', '')}({argument}="
                wrong.setdefault((called, what.split("(")[-1]), f"{called}{shown}): {what}")
    return calls, list(wrong.values())


def every_name(folder: Path, every: int = 1) -> str:
    """The misuses of all public names."""
    prepare(folder)
    names = [name for name in scratchnn.__all__ if not name.startswith("__")]
    missing = [name for name in names if name not in uses()]
    assert not missing, f"no right call is known for {missing}"
    results = [complaints(name, every) for name in names]
    wrong = [line for _, lines in results for line in lines]
    assert not wrong, "\n".join(wrong)
    calls = sum(count for count, _ in results)
    return f"{calls} calls of {len(names)} names: each worked or said on purpose what was wrong"


if __name__ == "__main__":
    sys.stdout.write(every_name(Path(sys.argv[2]), **json.loads(sys.argv[3])) + "\n")
