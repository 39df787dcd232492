"""A program that CPython and Pyodide run alike: what it prints must not depend on which of them does.

    portable.py train             digests of the weights, losses and files of networks, trained for a moment
    portable.py save FOLDER       saves models there, and prints what they predict
    portable.py load FOLDER       loads them, and prints what they predict
    portable.py begin FOLDER      trains half a run and leaves its checkpoint there
    portable.py resume FOLDER     takes it up, and prints the digest that the whole run ends with
    portable.py whole             the digest of that run, made in one go
    portable.py search            grid search and random search
    portable.py commands FOLDER   train, predict, info as commands
    portable.py export FOLDER     writes a model in other projects' formats, and prints digests of the files
    portable.py limits FOLDER     what there is not everywhere: other processes, threads, a server, a network
    portable.py speed             seconds: to import, to read the digits, an epoch of two networks

Everything is printed as one object of JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from array import array

IMPORTING = time.perf_counter()
from scratchnn import *  # noqa: E402, F403
from scratchnn import Linear, Model, grid_search, load_digits, random_search, search  # noqa: E402

IMPORTING = time.perf_counter() - IMPORTING

TRAIN, TEST = load_digits()
X, Y = TRAIN.X[:200], TRAIN.y[:200]
POINTS = [[k % 7 - 3.0, 0.001 * (k % 11), 1000.0 * (k % 5)] for k in range(60)]
VALUES = [2.0 * a - 300.0 * b + 0.01 * c for a, b, c in POINTS]
XOR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


def _filters():
    layers = [Conv2D(1, 4, 3, padding=1), BatchNorm(4), ReLU(), MaxPool2D(2), Flatten(), Linear(64, 10)]  # noqa: F405
    return Model.from_layers(layers, input_shape=(1, 8, 8))


# Each trains within a second: (model, rows, labels, how).
NETWORKS = {
    "dense, on lanes": lambda: (Model(64, 30, 10), X, Y, {}),
    "convolution, on lanes": lambda: (_filters(), X, Y, {}),
    "Adam and dropout": lambda: (Model(64, [20, 12], 10, dropout=0.2), X, Y, {"optimizer": "adam"}),
    "regression": lambda: (Model(3, 80, 1, task="regression"), POINTS, VALUES, {}),
    "tiny": lambda: (Model(3, 2, 1, task="regression"), POINTS, VALUES, {}),
    "regression, tanh": lambda: (Model(3, 80, 1, task="regression", activation="tanh"), POINTS, VALUES, {}),
    "tiny, tanh": lambda: (Model(2, 4, 2, activation="tanh"), XOR, [0, 1, 1, 0], {"lr": 0.3}),
    "linalg": lambda: (Model(64, 8, 10, engine="linalg"), X[:60], Y[:60], {}),
    "wide lanes, AdamW, weights of classes": lambda: (
        Model(64, 10, 10, engine=_wide()),
        X,
        [f"digit {label}" for label in Y],
        {"optimizer": "adamw", "class_weight": "balanced", "schedule": "onecycle", "clip_norm": 0.5},
    ),
    "embedding": lambda: (
        Model.from_layers([Embedding(12, 4), LayerNorm(8), Linear(8, 8), SiLU(), Linear(8, 2)]),  # noqa: F405
        [[a, b] for a in range(12) for b in range(12)],
        [int(a // 3 == b // 3) for a in range(12) for b in range(12)],
        {},
    ),
}

# What a tanh or an exp gives stays a float in these, also on lanes, which hold a layer's single output as floats; and
# the last bit of a tanh or an exp is the C library's own.
FLOATS = ("regression, tanh", "tiny, tanh", "linalg")


def _wide():
    from scratchnn.engines.lanes.engine import Lanes

    return Lanes(64)


def _flat(values):
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _digest(values):
    return hashlib.sha256(array("d", _flat(values)).tobytes()).hexdigest()  # both machines are little-endian


def _fitted(name):
    model, rows, labels, how = NETWORKS[name]()
    history = model.fit(rows, labels, epochs=3, **{"batch_size": 16, **how})
    return model, rows, history


def train():
    found = {}
    for name in NETWORKS:
        model, _, history = _fitted(name)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.pkl")
            model.save(path)
            with open(path, "rb") as file:
                saved = hashlib.sha256(file.read()).hexdigest()
        found[name] = {"weights": _digest(model.weights), "losses": _digest(history.loss), "file": saved}
        if name in FLOATS:
            found[name]["numbers"] = [*_flat(model.weights), *history.loss]
    return found


def _outputs(model, rows):
    return model.predict(rows) if model.task == "regression" else model.predict_proba(rows)


def save(folder):
    found = {}
    for number, name in enumerate(NETWORKS):
        model, rows, _ = _fitted(name)
        path = os.path.join(folder, f"{number}.pkl")
        model.save(path)
        model.save(path)  # over what is there
        found[name] = [_outputs(model, rows), [str(label) for label in model.predict(rows)]]
    return {"found": found, "files": sorted(os.listdir(folder))}


def load(folder):
    found = {}
    for number, name in enumerate(NETWORKS):
        model = Model.load(os.path.join(folder, f"{number}.pkl"), engine=NETWORKS[name]()[0].engine)
        rows = NETWORKS[name]()[1]
        found[name] = [_outputs(model, rows), [str(label) for label in model.predict(rows)]]
    return {"found": found, "files": sorted(os.listdir(folder))}


class _Enough(Callback):  # noqa: F405
    """Ends a run in the middle of its second epoch, as somebody does who presses Ctrl-C; but a resumed one."""

    def __init__(self, ends):
        self.ends = ends

    def on_batch_end(self, model, run):
        if self.ends and (run.epoch, run.batch) == (2, 5):
            raise KeyboardInterrupt


def _run(**more):
    model = Model(64, 20, 10, dropout=0.1)
    model.fit(X, Y, epochs=4, batch_size=16, optimizer="adam", **more)
    return [_digest(model.weights), _digest(model.history.loss)]


def whole():
    return _run()


def begin(folder):
    path = os.path.join(folder, "run.ckpt")
    try:
        _run(checkpoint=path, checkpoint_every=3, callbacks=[_Enough(True)])
    except KeyboardInterrupt as stopped:
        return {"stopped": str(stopped), "files": sorted(os.listdir(folder))}
    return {}


def resume(folder):
    return _run(
        checkpoint=os.path.join(folder, "run.ckpt"), checkpoint_every=3, callbacks=[_Enough(False)], resume=True
    )


def searched():
    rates = {"lr": search.log_uniform(0.01, 1.0)}
    fit = {"epochs": 1}
    results = [
        grid_search(X[:90], Y[:90], {"hidden_size": [5, 8], "lr": [0.1, 0.3]}, fit=fit, folds=3),
        random_search(X[:90], Y[:90], rates, tries=3, model={"hidden_size": 6}, fit=fit, folds=2),
    ]
    return [[_digest(result.model.weights), repr(result.best)] for result in results]


def commands(folder):
    from scratchnn.info import main as info
    from scratchnn.predict import main as predict
    from scratchnn.train import main as train

    path = os.path.join(folder, "trained.pkl")
    rows = os.path.join(folder, "rows.csv")
    with open(rows, "w") as file:
        file.writelines(",".join(map(str, [label, *row])) + "\n" for row, label in zip(TEST.X[:50], TEST.y))
    report = os.path.join(folder, "report.html")
    said = [
        _said(train, "--epochs", "2", "--quiet", "--show", "--report", report, "--save", path),
        _said(predict, path, rows, "--score", "--metrics"),
        _said(info, path, "--json"),
    ]
    return [[code, text.replace(folder, "FOLDER")] for code, text in said]


def _said(main, *arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(list(arguments))
    return code, out.getvalue()


def export(folder):
    from scratchnn.export import main as export

    path = os.path.join(folder, "model.pkl")
    _fitted("dense, on lanes")[0].save(path)
    found = {}
    for ending in ("py", "js", "c", "onnx", "safetensors", "json"):
        to = os.path.join(folder, f"model.{ending}")
        code, said = _said(export, path, "--to", to)
        assert code == 0, said
        with open(to, "rb") as file:
            found[ending] = hashlib.sha256(file.read()).hexdigest()
    return found


def limits(folder):
    from concurrent.futures import ThreadPoolExecutor

    from scratchnn.datasets import main as datasets
    from scratchnn.play import main as play
    from scratchnn.train import main as train

    found = {
        "alone": Model(64, 20, 10).fit(X, Y, epochs=1, workers=1).loss == Model(64, 20, 10).fit(X, Y, epochs=1).loss
    }
    attempts = {
        "workers": lambda: Model(64, 50, 10).fit(X, Y, epochs=1, workers=2),
        "executor": lambda: Model(64, 50, 10).fit(X, Y, epochs=1, workers=2, executor=ThreadPoolExecutor(2)),
        "search": lambda: grid_search(X, Y, {"hidden_size": [5]}, executor=ThreadPoolExecutor(2), fit={"epochs": 1}),
        "folder": lambda: Model.load(os.path.join(folder, "missing.pkl")),
        "place": lambda: _fitted("tiny")[0].save(os.path.join(folder, "missing", "model.pkl")),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    save = os.path.join(folder, "model.pkl")
    found["train"] = _said(train, "--epochs", "1", "--workers", "2", "--quiet", "--save", save)
    found["play"] = _said(play, "--no-browser")
    found["datasets"] = _said(datasets, "mnist", "--to", os.path.join(folder, "mnist"))
    return found


def speed():
    found = {"import": IMPORTING}
    begun = time.perf_counter()
    load_digits()
    found["digits"] = time.perf_counter() - begun
    for name, model in (("dense", Model(64, 100, 10)), ("filters", _filters())):
        seconds = model.fit(TRAIN.X, TRAIN.y, epochs=3).seconds
        found[name] = min(seconds)
    return found


_, what, *where = sys.argv
DOINGS = {"search": searched}
sys.stdout.write(json.dumps(DOINGS.get(what, globals().get(what))(*where)) + "\n")
