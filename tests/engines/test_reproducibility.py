"""Same seed, same data: the same weights to the last bit, on every Python that is found, whatever the hash seed.

A small program trains a dozen tiny models and prints digests of their weights and of their saved files. It also prints
digests of what the functions on floats between the layers give: lanes round to fewer bits than a double has, so a
difference in the last bit would show in weights only once in a long while, but it would.

Pythons are looked for on the PATH and among those of pyenv; more may be named in the environment variable
SCRATCHNN_PYTHONS, with the separator of PATH between them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import hashlib, json, os, sys, tempfile
from array import array
from random import Random

from scratchnn import *
from scratchnn import linalg, losses, optim
from scratchnn.layers.convolution import Conv2D, Flatten, MaxPool2D
from scratchnn.layers import Parameter
from scratchnn.engines.lanes.engine import Lanes
from scratchnn.optim import clip_gradient_norm
from scratchnn.preprocessing import Scaling
from scratchnn.preprocessing.weighting import sample_weights


def flat(values):
    for value in values:
        if isinstance(value, list):
            yield from flat(value)
        else:
            yield value


def digest(values):
    doubles = array("d", flat(values))
    if sys.byteorder == "big":
        doubles.byteswap()
    return hashlib.sha256(doubles.tobytes()).hexdigest()


digits, _ = load_digits()
X, y = digits.X[:24], digits.y[:24]
NAMES = ["nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ONE_HOT = one_hot(y, list(range(10)))
rng = Random(0)
FEATURES = [[rng.gauss(5.0, 3.0), rng.gauss(-1.0, 0.01), 1e4 * rng.random()] for _ in X]
VALUES = [10.0 * a - 100.0 * b + c / 10.0 for a, b, c in FEATURES]
SIGNS = [int(v > 600.0) for v in VALUES]
WEIGHTS = [0.1 * i + 0.3 for i in range(len(X))]


def network(**settings):
    return Model(64, 6, 10, **settings)


def stack(*layers, **settings):
    return Model.from_layers([Linear(64, 6), Tanh(), Linear(6, 10), *layers], **settings)


RUNS = {
    "relu": lambda: (network(), X, y, {}),
    "tanh": lambda: (network(activation="tanh"), X, y, {}),
    "sigmoid": lambda: (network(activation="sigmoid"), X, y, {}),
    "leaky_relu": lambda: (network(activation="leaky_relu"), X, y, {}),
    "dropout": lambda: (network(dropout=0.3), X, y, {}),
    "softmax": lambda: (stack(Softmax(), loss="mse", task="regression"), X, ONE_HOT, {}),
    "log_softmax": lambda: (stack(LogSoftmax(), loss="nll"), X, y, {}),
    "momentum": lambda: (network(), X, y, {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
    "adam": lambda: (network(), X, y, {"optimizer": "adam", "weight_decay": 1e-3}),
    "adamw": lambda: (network(), X, y, {"optimizer": "adamw", "schedule": "onecycle"}),
    "rmsprop": lambda: (network(), X, y, {"optimizer": "rmsprop", "momentum": 0.5, "schedule": "warmup"}),
    "adagrad": lambda: (network(), X, y, {"optimizer": "adagrad"}),
    "label smoothing": lambda: (stack(loss=CrossEntropyLoss(0.1)), X, y, {}),
    "huber": lambda: (stack(loss="huber"), X, ONE_HOT, {}),
    "clip_norm": lambda: (network(), X, y, {"clip_norm": 0.1}),
    "standardised": lambda: (network(scaling="standard"), X, y, {}),
    "schedule": lambda: (network(), X, y, {"schedule": CosineSchedule(3), "batch_size": None}),
    "weighted": lambda: (network(), X, y, {"class_weight": "balanced", "sample_weight": WEIGHTS}),
    "class names": lambda: (network(), X, [NAMES[k] for k in y], {}),
    "two classes": lambda: (Model(3, 6, 1), FEATURES, SIGNS, {}),
    "two classes on lanes": lambda: (Model(3, 6, 1, engine=Lanes(48)), FEATURES, SIGNS, {}),
    "regression": lambda: (Model(3, 6, 1, task="regression"), FEATURES, VALUES, {"lr": 1e-5}),
    "narrow lanes": lambda: (network(engine=Lanes(40)), X, y, {}),
    "wide lanes": lambda: (network(engine=Lanes(64)), X, y, {}),
    "images": lambda: (
        Model.from_layers(
            [Conv2D(1, 3, 3), ReLU(), MaxPool2D(2), Flatten(), Linear(27, 10)], input_shape=(1, 8, 8)
        ),
        X,
        y,
        {},
    ),
    "silu": lambda: (network(activation="silu"), X, y, {}),
    "elu": lambda: (network(activation="elu"), X, y, {}),
    "softplus": lambda: (network(activation="softplus"), X, y, {}),
    "layer norm": lambda: (stack(LayerNorm(10)), X, y, {}),
    "batch norm": lambda: (stack(BatchNorm(10)), X, y, {}),
    "embedding": lambda: (Model.from_layers([Embedding(256, 2), Linear(128, 10)]), X, y, {}),
    "residual": lambda: (stack(Residual([Linear(10, 10), Tanh()])), X, y, {}),
}


def run(make):
    model, rows, targets, how = make()
    history = model.fit(rows, targets, epochs=2, **{"batch_size": 8, **how})
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.pkl")
        model.save(path)
        with open(path, "rb") as file:
            saved = hashlib.sha256(file.read()).hexdigest()
    return {"weights": digest(model.weights), "file": saved, "losses": digest(history.loss)}


ROWS = [[rng.gauss(0.0, 3.0) for _ in range(10)] for _ in range(300)]
TURNED = ROWS[::-1]
POSITIVE = [[abs(v) for v in row] for row in ROWS]


def backward(layer):
    return [layer.forward(ROWS), layer.backward(TURNED)]


def clipped(rows):
    parameter = Parameter("weight", None)
    parameter.gradient = rows
    return [clip_gradient_norm([parameter], 1.0), parameter.gradient]


def scaling(rows):
    found = Scaling.fit(rows, "standard")
    return [found.means, found.deviations, found.transform(rows)]


def rule_of(name):
    parameter, rule = Parameter("weight", ROWS[:10]), optim.OPTIMIZERS[name]()
    for i in range(25):
        parameter.gradient = ROWS[10 * i : 10 * i + 10]
        rule.step([parameter])
    return parameter.value


def loss(kind):
    outputs = [linalg.softmax(row) for row in ROWS] if kind == "bce" else ROWS
    targets = [linalg.softmax(row) for row in TURNED]
    one = losses.LOSSES[kind]()
    return [one.forward(outputs, targets, [row[0] for row in POSITIVE]), one.backward()]


FUNCTIONS = {
    "tanh": lambda: backward(Tanh()),
    "sigmoid": lambda: backward(Sigmoid()),
    "softmax": lambda: backward(Softmax()),
    "log_softmax": lambda: backward(LogSoftmax()),
    "leaky_relu": lambda: backward(LeakyReLU()),
    "dropout": lambda: backward(Dropout(0.3)),
    "clip_norm": lambda: [clipped(ROWS[i : i + 3]) for i in range(100)],
    "sample weights": lambda: [sample_weights([0] * 10, [], row) for row in POSITIVE],
    "class weights": lambda: [sample_weights([0, 1, 1] * 3 + [2], [0, 1, 2], row, "balanced") for row in POSITIVE],
    "standardising": lambda: [scaling(ROWS[i : i + 20]) for i in range(100)],
    **{name: lambda name=name: rule_of(name) for name in ("adam", "adamw", "adagrad", "rmsprop")},
    **{kind: lambda kind=kind: loss(kind) for kind in losses.LOSSES},
}

print(json.dumps({
    "runs": {name: run(make) for name, make in RUNS.items()},
    "functions": {name: digest(compute()) for name, compute in FUNCTIONS.items()},
}))
"""

RUNS = [
    *["relu", "tanh", "sigmoid", "leaky_relu", "dropout", "softmax", "log_softmax", "momentum", "adam", "adamw"],
    *["rmsprop", "adagrad", "label smoothing", "huber", "clip_norm", "standardised", "schedule", "weighted"],
    *["class names", "two classes", "two classes on lanes", "regression", "narrow lanes", "wide lanes", "images"],
    *["silu", "elu", "softplus", "layer norm", "batch norm", "embedding", "residual"],
]
FUNCTIONS = [
    *["tanh", "sigmoid", "softmax", "log_softmax", "leaky_relu", "dropout", "clip_norm", "sample weights"],
    *["class weights", "standardising", "adam", "adamw", "adagrad", "rmsprop", "mse", "l1", "huber", "bce"],
    *["bce_with_logits", "cross_entropy", "nll", "kl_div"],
]


def candidates() -> Iterator[Path]:
    """Files that may be a Python."""
    for name in os.environ.get("SCRATCHNN_PYTHONS", "").split(os.pathsep):
        if name:
            yield Path(name)
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    if pyenv.is_dir():
        folders += [version / "bin" for version in sorted(pyenv.iterdir())]
    for folder in folders:
        for name in ("python3", "python", *[f"python3.{minor}" for minor in range(9, 20)], "pypy3"):
            yield folder / name


def version_of(python: Path) -> str | None:
    """Such as "cpython 3.12"; None for what is no Python that the package runs on."""
    program = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
    try:
        told = subprocess.run([str(python), "-S", "-c", program], capture_output=True, text=True, timeout=60)
        name, major, minor = told.stdout.split()
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return f"{name} {major}.{minor}" if (int(major), int(minor)) >= (3, 9) else None


@cache
def find_pythons() -> dict[str, Path]:
    """One of each version, the one that runs the tests first."""
    found = {f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}": Path(sys.executable)}
    seen = {Path(sys.executable).resolve()}
    for candidate in candidates():
        if candidate.is_file() and candidate.resolve() not in seen:
            seen.add(candidate.resolve())
            version = version_of(candidate)
            if version is not None:
                found.setdefault(version, candidate)
    return found


def start(python: Path, hash_seed: str) -> subprocess.Popen[str]:
    settings = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [str(python), "-c", PROGRAM],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> Any:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(output)


def sorted_pythons() -> dict[str, Path]:
    """The one that runs the tests, then the others, the oldest of each kind first."""
    (this, python), *others = find_pythons().items()

    def kind_and_minor(version: str) -> tuple[str, int]:
        kind, _, minor = version.rpartition(".")
        return kind, int(minor)

    return {this: python, **dict(sorted(others, key=lambda item: kind_and_minor(item[0])))}


# In between the oldest and the newest nothing has changed that is not in one of them, as far as is known.
@pytest.fixture(scope="module", params=["oldest and newest", pytest.param("all", marks=pytest.mark.slow)])
def by_python(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the program prints on each Python; skips where there is only one."""
    this, *others = sorted_pythons().items()
    if not others:
        pytest.skip(f"only one Python was found, {this[0]}: nothing to compare it with")
    pythons = dict([this, *(others if request.param == "all" else [others[0], others[-1]])])
    processes = {version: start(python, "0") for version, python in pythons.items()}
    return {version: result(process) for version, process in processes.items()}


@pytest.fixture(scope="module")
def by_hash_seed() -> dict[str, Any]:
    processes = {seed: start(Path(sys.executable), seed) for seed in ("0", "1", "random")}
    return {seed: result(process) for seed, process in processes.items()}


def assert_same(found: dict[str, Any], kind: str, name: str) -> None:
    results = {version: told[kind][name] for version, told in found.items()}
    first = next(iter(results.values()))
    different = [version for version, told in results.items() if told != first]
    assert not different, f"{name}: {', '.join(different)} differ from {next(iter(results))}"


@pytest.mark.parametrize("name", RUNS)
def test_every_python_trains_the_same_weights_and_writes_the_same_file(by_python: dict[str, Any], name: str) -> None:
    assert_same(by_python, "runs", name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_computed_with_floats_is_the_same_to_the_last_bit(by_python: dict[str, Any], name: str) -> None:
    assert_same(by_python, "functions", name)


def test_the_hash_seed_changes_nothing(by_hash_seed: dict[str, Any]) -> None:
    for name in RUNS:
        assert_same(by_hash_seed, "runs", name)
    assert by_hash_seed["0"]["functions"] == by_hash_seed["random"]["functions"]


def test_all_runs_are_compared_and_each_trains_weights_of_its_own(by_hash_seed: dict[str, Any]) -> None:
    runs = by_hash_seed["0"]["runs"]
    assert list(runs) == RUNS
    assert list(by_hash_seed["0"]["functions"]) == FUNCTIONS
    assert len({told["weights"] for told in runs.values()}) >= len(RUNS) - 2  # names change no weights
