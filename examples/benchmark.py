"""Times scratchnn beside NumPy, scikit-learn, PyTorch and the textbook's loops, all at the same work in the same run.

    python examples/benchmark.py                        the small digits that come along, in seconds
    python examples/benchmark.py mnist/                 a folder with MNIST's four files; a few minutes
    python examples/benchmark.py mnist/ --full          and all of MNIST: five epochs, then a run that reaches 98 %
    python examples/benchmark.py mnist.csv --only training,load --markdown

The work: inputs-100-classes, ReLU, softmax cross-entropy, SGD with learning rate 0.1 and batches of 32. Machines are
noisy, so those compared take turns (A B A B ...), the fastest turn of each counts, and what to take home is ratios.
Everything has one thread, and its time is what this process had of the processor, so that other programs count less;
only a cold start and a spike go by the clock on the wall. Needs scratchnn alone; peers that are not installed are named
as such and left out.
"""

from __future__ import annotations

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # so that a fresh clone needs no installation
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read by NumPy's and others' libraries when they are loaded, so it is set first

import argparse  # noqa: E402
import importlib  # noqa: E402
import math  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from operator import attrgetter  # noqa: E402
from typing import Any  # noqa: E402

from _benchmark_report import MISSING, Report, micro, percent, ratio, ratio_to  # noqa: E402

from scratchnn import (  # noqa: E402
    ArgumentError,
    Callback,
    CosineSchedule,
    DataError,
    Dataset,
    Model,
    load_csv,
    load_digits,
    load_idx,
)
from scratchnn.engines.lanes.engine import Lanes  # noqa: E402
from scratchnn.engines.lists import LISTS  # noqa: E402
from scratchnn.layers.convolution import Conv2D  # noqa: E402

Floats = list[list[float]]

HIDDEN, LR, BATCH = 100, 0.1, 32
PLAIN = {"momentum": 0.0, "schedule": None}  # the steps that the other programs take, whatever is recommended
START = {"init": "he", "seed": 0}
FLOAT_COLUMNS = 21
FEWEST = 50  # images; with fewer, a class may be missing


class Sizes:
    """How much of everything is measured."""

    def __init__(self, images: int, quick: bool) -> None:
        self.images = images
        self.rounds = 1 if quick else 5  # turns of those who are compared
        self.short_rounds = 1 if quick else 7  # of what takes milliseconds
        # What runs on lists of floats gets fewer images: its cost an image does not depend on their number.
        self.linalg = min(images, 64 if quick else 320)
        self.textbook = min(images, 4 if quick else 64)
        self.variants = min(images, 64 if quick else 2000)
        self.variants_linalg = min(images, 32 if quick else 320)
        self.agreement = min(images, 64 if quick else 2000)
        self.load = min(images, 100 if quick else 10000)
        self.load_floats = 100 if quick else 20000
        self.latency = 10 if quick else 200  # rows
        self.growth = min(images, 64 if quick else 2000)
        self.hidden = (4, 8) if quick else (16, 100, 300, 1000)
        self.all = 100 if quick else None  # "all images" of the sections memory and full
        self.full_epochs = 1 if quick else 5


# --- data ------------------------------------------------------------------------------------------------------------


class Data:
    """Training and test rows: ``bytes``, one a pixel; labels as class numbers from 0 on."""

    def __init__(self, train: Dataset, test: Dataset, name: str) -> None:
        self.name = name
        self.classes = train.classes
        self.X, self.y = self._checked(train)
        self.X_test, self.y_test = self._checked(test)
        self.inputs = len(self.X[0])
        if len(self.X) < FEWEST:
            raise DataError(f"{name}: at least {FEWEST} training images are needed, got {len(self.X)}")

    def _checked(self, dataset: Dataset) -> tuple[list[bytes], list[int]]:
        if not len(dataset) or not self.classes or not all(type(row) is bytes for row in dataset.X):
            raise DataError(f"{self.name}: the benchmark needs rows of pixels, 0 to 255, with class labels")
        numbers = {label: number for number, label in enumerate(self.classes)}
        return list(dataset.X), [numbers[label] for label in dataset.y]

    def is_mnist(self) -> bool:
        """Whether this is all of MNIST, as far as sizes tell."""
        return (len(self.X), len(self.X_test), self.inputs) == (60000, 10000, 784)


def find_data(place: str | None) -> Data:
    """The digits that come along, a folder with MNIST's files, or a CSV of which a seventh is kept for the test."""
    if place is None:
        return Data(*load_digits(), "the digits that come with scratchnn")
    if not os.path.isdir(place):
        return Data(*load_csv(place).split(1 / 7), os.path.basename(place))
    names = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
    paths = [os.path.join(place, name) for name in names]
    train, test = [load_idx(path if os.path.exists(path) else path + ".gz") for path in paths]
    return Data(train, test, "MNIST" if len(train) == 60000 else os.path.basename(os.path.abspath(place)))


# --- measuring -------------------------------------------------------------------------------------------------------


now = time.process_time  # seconds of the processor


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    """The same function, returning the seconds it took."""

    def timed_function() -> float:
        start = now()
        function()
        return now() - start

    return timed_function


def take_turns(rounds: int, runs: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The least that each run gave in ``rounds`` rounds, in each of which every one has its turn."""
    best = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            best[name] = min(best[name], run())
    return best


def if_installed(make: Callable[[], Any]) -> Any:
    """What ``make`` makes, or None if it needs a library that is not there."""
    try:
        return make()
    except ImportError:
        return None


# Starts a program and prints the seconds until it ended, its exit status and its largest memory in the system's unit.
# It is a process of its own because a process begins with the peak memory of the one that started it, and this one is
# far larger than what is measured.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.executable, [sys.executable, "-c", *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, status, usage.ru_maxrss)
"""


def run_fresh(program: str, *arguments: str) -> tuple[list[str], float, float]:
    """(printed lines, seconds from start to end, peak memory in MiB) of a program in a Python process of its own."""
    if not hasattr(os, "wait4"):
        raise OSError("the peak memory of a process cannot be asked for on this system")
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, program, *arguments]
    folders = [ROOT, os.path.dirname(os.path.abspath(__file__)), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    *printed, last = result.stdout.splitlines()
    seconds, status, peak = last.split()
    if int(status):
        raise RuntimeError(f"a program that was to be measured failed:\n{program}")
    return printed, float(seconds), float(peak) / (2**20 if sys.platform == "darwin" else 2**10)


# --- those who train -------------------------------------------------------------------------------------------------
# Each trains one more epoch when its method ``epoch`` is called, and returns the seconds that took.


class EpochClock(Callback):
    """Seconds of each epoch."""

    def on_train_begin(self, model: Any, run: Any) -> None:
        self.begin = self.last = now()
        self.seconds: list[float] = []

    def on_epoch_end(self, model: Any, run: Any) -> None:
        self.last, before = now(), self.last
        self.seconds.append(self.last - before)


class Scratchnn:
    """The library, on one of its engines."""

    def __init__(
        self,
        data: Data,
        engine: str,
        images: int,
        hidden: int | Sequence[int] = HIDDEN,
        activation: str = "relu",
        batch: int | None = BATCH,
        dropout: float = 0.0,
        **settings: Any,
    ) -> None:
        self.data, self.images = data, images
        self.settings = {"lr": LR, "batch_size": batch, **PLAIN, **settings}
        self.preparation = math.inf  # seconds that fit takes to check the rows and to bring them into the engine's form
        size = data.inputs, hidden, len(data.classes)
        look = {"activation": activation, "dropout": dropout, "scaling": "pixels"}
        self.model = Model(*size, **look, engine=engine, **START)

    def epoch(self) -> float:
        start, clock, X, y = now(), EpochClock(), self.data.X[: self.images], self.data.y[: self.images]
        self.history = self.model.fit(X, y, epochs=1, callbacks=[clock], **self.settings)
        self.preparation = min(self.preparation, clock.begin - start)
        return clock.seconds[0]

    def accuracy(self) -> float:
        return self.model.score(self.data.X_test, self.data.y_test)


class Textbook:
    """Multiplies matrices in three nested loops over lists of floats, and does everything else in the same spirit."""

    def __init__(self, data: Data, images: int) -> None:
        self.images, self.labels, classes = images, data.y[:images], len(data.classes)
        self.x = [[pixel / 255 for pixel in row] for row in data.X[:images]]
        rng = random.Random(0)
        sizes = ((data.inputs, HIDDEN), (HIDDEN, classes))
        bounds = [math.sqrt(6 / inputs) for inputs, _ in sizes]
        self.w1, self.w2 = [
            [[rng.uniform(-bound, bound) for _ in range(outputs)] for _ in range(inputs)]
            for (inputs, outputs), bound in zip(sizes, bounds)
        ]
        self.b1, self.b2 = [0.0] * HIDDEN, [0.0] * classes

    @staticmethod
    def product(a: Floats, b: Floats) -> Floats:
        c = [[0.0] * len(b[0]) for _ in a]
        for i in range(len(a)):
            for j in range(len(b[0])):
                for k in range(len(b)):
                    c[i][j] += a[i][k] * b[k][j]
        return c

    @staticmethod
    def transposed(a: Floats) -> Floats:
        return [list(column) for column in zip(*a)]

    @staticmethod
    def softmax(row: list[float]) -> list[float]:
        powers = [math.exp(v - max(row)) for v in row]
        return [v / sum(powers) for v in powers]

    def epoch(self) -> float:
        start = now()
        for first in range(0, self.images, BATCH):
            self.step(self.x[first : first + BATCH], self.labels[first : first + BATCH])
        return now() - start

    def step(self, x: Floats, labels: list[int]) -> None:
        z = [[v + b for v, b in zip(row, self.b1)] for row in self.product(x, self.w1)]
        a = [[max(v, 0.0) for v in row] for row in z]
        o = [[v + b for v, b in zip(row, self.b2)] for row in self.product(a, self.w2)]
        p = [self.softmax(row) for row in o]
        for row, label in zip(p, labels):
            row[label] -= 1.0
        p = [[v / len(x) for v in row] for row in p]
        back = self.product(p, self.transposed(self.w2))
        dz = [[g if v > 0.0 else 0.0 for g, v in zip(*rows)] for rows in zip(back, z)]
        self.move(self.w2, self.b2, self.product(self.transposed(a), p), p)
        self.move(self.w1, self.b1, self.product(self.transposed(x), dz), dz)

    @staticmethod
    def move(weight: Floats, bias: list[float], gradient: Floats, errors: Floats) -> None:
        for i in range(len(weight)):
            for j in range(len(bias)):
                weight[i][j] -= LR * gradient[i][j]
        for j in range(len(bias)):
            for row in errors:
                bias[j] -= LR * row[j]


class NumpyByHand:
    """What someone who knows NumPy would write, in float64."""

    def __init__(self, data: Data, images: int, hidden: int = HIDDEN, batch: int | None = BATCH) -> None:
        self.np = importlib.import_module("numpy")
        self.x, self.y = pixels(data.X[:images]), self.np.array(data.y[:images])
        self.test = data.X_test, data.y_test
        self.start(hidden, batch, len(data.classes))

    @classmethod
    def on_arrays(cls, x: Any, y: Any, classes: int) -> NumpyByHand:
        self = cls.__new__(cls)
        self.np, self.x, self.y = importlib.import_module("numpy"), x, y
        self.start(HIDDEN, BATCH, classes)
        return self

    def start(self, hidden: int, batch: int | None, classes: int) -> None:
        np, (self.images, inputs) = self.np, self.x.shape
        self.batch = batch or self.images
        self.rng = np.random.default_rng(0)
        self.w1 = self.rng.uniform(-1, 1, (inputs, hidden)) * np.sqrt(6 / inputs)
        self.w2 = self.rng.uniform(-1, 1, (hidden, classes)) * np.sqrt(6 / hidden)
        self.b1, self.b2 = np.zeros(hidden), np.zeros(classes)

    def epoch(self) -> float:
        start, order = now(), self.rng.permutation(self.images)
        for first in range(0, self.images, self.batch):
            i = order[first : first + self.batch]
            self.step(self.x[i], self.y[i])
        return now() - start

    def step(self, x: Any, y: Any) -> None:
        np = self.np
        z = x @ self.w1 + self.b1
        a = np.maximum(z, 0)
        o = a @ self.w2 + self.b2
        p = np.exp(o - o.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        p /= len(y)
        dz = (p @ self.w2.T) * (z > 0)
        self.w2 -= LR * (a.T @ p)
        self.b2 -= LR * p.sum(0)
        self.w1 -= LR * (x.T @ dz)
        self.b1 -= LR * dz.sum(0)

    def accuracy(self) -> float:
        a = self.np.maximum(pixels(self.test[0]) @ self.w1 + self.b1, 0)
        return float(((a @ self.w2 + self.b2).argmax(1) == self.test[1]).mean())


class ScikitLearn:
    """MLPClassifier; each call of partial_fit is one epoch."""

    def __init__(self, data: Data, images: int) -> None:
        kind = importlib.import_module("sklearn.neural_network").MLPClassifier
        self.images, self.x, self.y = images, pixels(data.X[:images]), data.y[:images]
        self.test = data.X_test, data.y_test
        self.classes = list(range(len(data.classes)))
        sgd = {"solver": "sgd", "learning_rate_init": LR, "momentum": 0, "alpha": 0}
        self.model = kind((HIDDEN,), batch_size=min(BATCH, images), random_state=0, **sgd)

    def epoch(self) -> float:
        return timed(lambda: self.model.partial_fit(self.x, self.y, classes=self.classes))()

    def accuracy(self) -> float:
        return float(self.model.score(pixels(self.test[0]), self.test[1]))


class PyTorch:
    """The usual loop, in float32."""

    def __init__(self, data: Data, images: int) -> None:
        self.torch = torch = importlib.import_module("torch")
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.images, self.x, self.y = images, self.tensor(data.X[:images]), torch.tensor(data.y[:images])
        self.test = data.X_test, data.y_test
        nn = torch.nn
        self.net = nn.Sequential(nn.Linear(data.inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, len(data.classes)))
        self.sgd, self.loss = torch.optim.SGD(self.net.parameters(), lr=LR), nn.CrossEntropyLoss()

    def tensor(self, rows: Sequence[bytes]) -> Any:
        flat = self.torch.frombuffer(bytearray(b"".join(rows)), dtype=self.torch.uint8)
        return flat.reshape(len(rows), -1).to(self.torch.float32) / 255

    def epoch(self) -> float:
        start, order = now(), self.torch.randperm(self.images)
        for first in range(0, self.images, BATCH):
            i = order[first : first + BATCH]
            self.sgd.zero_grad()
            self.loss(self.net(self.x[i]), self.y[i]).backward()
            self.sgd.step()
        return now() - start

    def accuracy(self) -> float:
        guesses = self.net(self.tensor(self.test[0])).argmax(1)
        return float((guesses == self.torch.tensor(self.test[1])).float().mean())


class NumpyLoop:
    """A convolution as one writes it first in NumPy: a loop over the output's pixels, and over the filters in it."""

    def __init__(self, rows: Sequence[bytes], side: int, weight: Floats, gradient: Floats) -> None:
        np = importlib.import_module("numpy")
        self.np = np
        self.images = np.array([list(row) for row in rows]).reshape(-1, side, side) / 255.0
        self.weight = np.array(weight).T.reshape(-1, 3, 3)
        self.gradient = np.array(gradient).reshape(len(rows), len(self.weight), side - 2, side - 2)

    def forward(self) -> Any:
        result = self.np.empty_like(self.gradient)
        for image, output in zip(self.images, result):
            for y in range(output.shape[1]):
                for x in range(output.shape[2]):
                    for f, kernel in enumerate(self.weight):
                        output[f, y, x] = (image[y : y + 3, x : x + 3] * kernel).sum()
        return result

    def weights(self) -> Any:
        result = self.np.zeros_like(self.weight)
        for image, gradient in zip(self.images, self.gradient):
            for y in range(gradient.shape[1]):
                for x in range(gradient.shape[2]):
                    for f in range(len(result)):
                        result[f] += gradient[f, y, x] * image[y : y + 3, x : x + 3]
        return result


def pixels(rows: Sequence[bytes]) -> Any:
    """The rows as a NumPy array of float64 between 0 and 1."""
    np = importlib.import_module("numpy")
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1) / 255.0


# --- sections --------------------------------------------------------------------------------------------------------


def training(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Microseconds an image of one epoch, for everyone."""
    images = sizes.images
    report.heading(f"Training {data.inputs}-{HIDDEN}-{len(data.classes)}, {images} images, batches of {BATCH}")
    numpy, ours, textbook = "NumPy by hand, one thread", "scratchnn, lanes", "textbook triple loop"
    contenders = {
        ours: Scratchnn(data, "lanes", images),
        "scratchnn, linalg": Scratchnn(data, "linalg", sizes.linalg),
        textbook: Textbook(data, sizes.textbook),
        numpy: if_installed(lambda: NumpyByHand(data, images)),
        "scikit-learn's MLPClassifier": if_installed(lambda: ScikitLearn(data, images)),
        "PyTorch, one thread": if_installed(lambda: PyTorch(data, images)),
    }
    present = {name: contender for name, contender in contenders.items() if contender}
    seconds = take_turns(sizes.rounds, {name: contender.epoch for name, contender in present.items()})
    each = {name: seconds[name] / contender.images for name, contender in present.items()}
    rows = []
    for name, contender in contenders.items():
        few = contender and contender.images < images
        label = f"{name} ({contender.images} images only)" if few else name
        accuracy = contender.accuracy() if contender and not few else None
        cost = each.get(name)
        rows.append([label, micro(cost), ratio(cost, each.get(numpy)), percent(accuracy)])
    report.table(["", "µs an image", "over NumPy", "test accuracy"], rows)
    report.note(f"Epochs: {sizes.rounds}, the fastest counts; the accuracy is the one after all of them.")
    preparation = micro(present[ours].preparation / images)
    report.note(f"Before its first epoch, scratchnn (lanes) spends {preparation} µs an image on preparing its inputs.")
    report.in_short("numpy", ratio_to("NumPy", each[ours], each.get(numpy)))
    report.in_short("textbook", f"{each[textbook] / each[ours]:.0f}")


def spike(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """A script with one hard-coded network and scratchnn, in turn, each in a process of its own."""
    if not options.spike:
        return
    report.heading(f"The general engine beside {os.path.basename(options.spike)}, {sizes.images} images, 2 epochs each")

    def spike_run(lane_bits: int) -> float:
        arguments = map(str, (HIDDEN, sizes.images, 2, lane_bits, BATCH))
        command = [sys.executable, options.spike, *arguments]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return min(map(float, re.findall(r"([\d.]+) us an image to train", printed)))

    with tempfile.TemporaryDirectory() as folder:
        paths = write_idx(folder, data, sizes.images)

        def our_run() -> float:
            program = "from benchmark import train_scratchnn; train_scratchnn(*__import__('sys').argv[1:])"
            printed, _, _ = run_fresh(program, *paths, "2")
            return float(printed[-1])

        runs: dict[str, Callable[[], float]] = {"scratchnn, lanes": our_run}
        for bits in (40, 48):
            runs[f"spike, lanes of {bits} bits"] = lambda bits=bits: spike_run(bits)
        best = take_turns(sizes.rounds, runs)
    report.note("The spike reads images of its own choosing; the comparison holds if they are the same as here.\n")
    ours, *others = best.values()
    rows = [[name, f"{micros:,.1f}", ratio(micros, min(others))] for name, micros in best.items()]
    report.table(["", "µs an image", "over the faster spike"], rows)
    report.in_short("spike", ratio(ours, min(others)))


def variants(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Networks for which lanes have no form of their own all the way through, against linalg."""
    title = f"Other networks, lanes ({sizes.variants} images) and linalg ({sizes.variants_linalg} images only)"
    report.heading(title)
    settings = {
        "deep": ("two hidden layers (128, 64), ReLU", (128, 64), "relu"),
        "tanh": (f"hidden {HIDDEN}, Tanh", (HIDDEN,), "tanh"),
    }
    rows = []
    for bar, (label, hidden, activation) in settings.items():
        pair = {
            "lanes": Scratchnn(data, "lanes", sizes.variants, hidden, activation),
            "linalg": Scratchnn(data, "linalg", sizes.variants_linalg, hidden, activation),
        }
        seconds = take_turns(sizes.rounds, {name: one.epoch for name, one in pair.items()})
        lanes, lists = (seconds[name] / one.images for name, one in pair.items())
        rows.append([label, micro(lanes), micro(lists), f"{lists / lanes:.1f}"])
        report.in_short(bar, f"{lists / lanes:.1f}")
    report.table(["", "lanes, µs an image", "linalg, µs an image", "times as fast"], rows)


PATHS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SGD, hidden 1000": {"hidden": (1000,)},
    "two hidden layers (128, 64), Tanh": {"hidden": (128, 64), "activation": "tanh"},
    "Tanh": {"activation": "tanh"},
    "sigmoid": {"activation": "sigmoid"},
    "leaky ReLU": {"activation": "leaky_relu"},
    "dropout 0.2": {"dropout": 0.2},
    "weight decay": {"weight_decay": 1e-4},
    "momentum": {"momentum": 0.9},
    "Adam": {"optimizer": "adam", "lr": 0.001, "momentum": None},
    "AdamW": {"optimizer": "adamw", "lr": 0.001, "momentum": None},
    "RMSprop": {"optimizer": "rmsprop", "lr": 0.001, "momentum": None},
    "clip_norm 1": {"clip_norm": 1.0},
}


def paths(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """All that a network can learn with, on lanes and on the engine that hands the same work to NumPy."""
    images = sizes.variants
    report.heading(f"Ways to train {data.inputs}-{HIDDEN}-{len(data.classes)}, {images} images, batches of {BATCH}")
    if if_installed(lambda: importlib.import_module("numpy")) is None:
        report.note("NumPy is not installed")
        return
    rows = []
    for label, settings in PATHS.items():
        pair = {engine: Scratchnn(data, engine, images, **settings) for engine in ("lanes", "numpy")}
        seconds = take_turns(sizes.rounds, {engine: one.epoch for engine, one in pair.items()})
        lanes, arrays = (seconds[engine] / images for engine in pair)
        rows.append([label, micro(lanes), micro(arrays), ratio(lanes, arrays)])
    report.table(["", "lanes, µs an image", "engine numpy, µs an image", "lanes over numpy"], rows)


def convolution(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """The two halves of training the first layer of a convolutional network, Conv2D(1, 8, 3)."""
    side = math.isqrt(data.inputs)
    report.heading(f"Conv2D(1, 8, 3) on images of {side} x {side}: forward, and the gradient of its weight")
    if side * side != data.inputs or side < 3:
        report.note(f"rows of {data.inputs} pixels are no square images")
        return
    runs: dict[str, tuple[int, Callable[[], Any], Callable[[], Any]]] = {}
    for engine, count in ((Lanes(), min(sizes.images, BATCH)), (LISTS, 2)):
        rows = data.X[:count]
        prepared = engine.prepare(rows, 1 / 255)
        ops = engine.tuned_for(prepared, BATCH)
        layer = Conv2D(1, 8, 3, rng=random.Random(0), input_shape=(1, side, side))
        layer.use(ops)
        x = ops.take_rows(prepared, range(count))
        gradient = layer.forward(x)  # any numbers will do, as long as they are not zero
        runs[str(ops.name)] = count, partial(layer.forward, x), partial(layer.backward, gradient, False)
    weight, outputs = layer.weight.value, [list(row) for row in gradient]
    loop = if_installed(lambda: NumpyLoop(data.X[:2], side, weight, outputs))
    if loop:
        runs["NumPy, a loop over output pixels"] = 2, loop.forward, loop.weights
    best = take_turns(
        sizes.short_rounds,
        {f"{name} {k}": timed(run) for name, (_, *both) in runs.items() for k, run in enumerate(both)},
    )
    cost = {name: [best[f"{name} {k}"] / count for k in (0, 1)] for name, (count, *_) in runs.items()}
    slow = cost.get("NumPy, a loop over output pixels")
    table = [[name, *map(micro, parts), ratio(sum(slow), sum(parts)) if slow else "-"] for name, parts in cost.items()]
    report.table(["", "forward, µs an image", "weight gradient, µs", "NumPy's loop over it"], table)
    if not slow:
        report.note(f"NumPy is {MISSING}")
    report.in_short("convolution", ratio(sum(slow), sum(cost["lanes"])) if slow else f"NumPy is {MISSING}")


def agreement(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """The losses of both engines, which start from the same weights and see the same batches."""
    report.heading(f"Loss of both engines, the same seed, {sizes.agreement} images")
    lanes, lists = (Scratchnn(data, engine, sizes.agreement) for engine in ("lanes", "linalg"))
    rows, largest = [], 0.0
    X, y = data.X[: sizes.agreement], data.y[: sizes.agreement]
    for epoch in range(1, 4):
        losses = []
        for one in (lanes, lists):
            one.epoch()
            losses.append((one.history.loss[0], one.model.evaluate(X, y)[0]))
        for when, a, b in zip(("in", "after"), *losses):
            apart = abs(a / b - 1)
            largest = max(largest, apart)
            rows.append([f"{when} epoch {epoch}", f"{a:.6f}", f"{b:.6f}", f"{100 * apart:.4f} %"])
    report.table(["", "lanes", "linalg", "apart"], rows)
    report.in_short("agreement", f"{100 * largest:.3f} %")


def loading(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Reading the same CSV files: a header line, then a label and its pixels a line, or floats and a label."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.csv")
        report.heading(f"Loading {sizes.load} rows of {data.inputs} pixels as CSV")
        write_csv(path, data, sizes.load)
        compare_readers("load", path, sizes.load, sizes, report)
        report.heading(f"Loading {sizes.load_floats} rows of {FLOAT_COLUMNS} floats as CSV")
        write_csv_of_floats(path, sizes.load_floats)
        compare_readers("load floats", path, sizes.load_floats, sizes, report)


def compare_readers(name: str, path: str, count: int, sizes: Sizes, report: Report) -> None:
    """The table of those who can read a CSV file with a label column."""

    def use(name: str, method: str, **settings: Any) -> Callable[[], float]:
        read = attrgetter(method)(importlib.import_module(name))
        return timed(lambda: read(path, **settings))

    readers = {
        "scratchnn's load_csv": timed(lambda: load_csv(path, "label")),
        "pandas.read_csv": if_installed(lambda: use("pandas", "read_csv")),
        "numpy.loadtxt": if_installed(lambda: use("numpy", "loadtxt", delimiter=",", skiprows=1)),
    }
    best = take_turns(sizes.rounds, {name: reader for name, reader in readers.items() if reader})
    pandas, ours = best.get("pandas.read_csv"), best["scratchnn's load_csv"]
    rows = []
    for reader in readers:
        seconds = best.get(reader)
        rows.append([reader, micro(seconds and seconds / count), ratio(seconds, pandas)])
    report.table(["", "µs a row", "over pandas"], rows)
    report.in_short(name, ratio_to("pandas", ours, pandas))


def latency(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """What one prediction costs when rows come one at a time."""
    report.heading("Predicting one row at a time")
    model, peer = trained_pair(data, sizes)
    X = data.X_test[: sizes.latency]

    def predict_all(predict: Callable[[Any], Any], rows: Sequence[Any]) -> Callable[[], float]:
        singles = [row if hasattr(row, "dtype") else [row] for row in rows]
        return timed(lambda: [predict(single) for single in singles])

    ours, theirs = "scratchnn, a row as loaders give it", "scikit-learn's MLPClassifier, an array of float64"
    runs = {ours: predict_all(model.predict, X), "scratchnn, a list of ints": predict_all(model.predict, map(list, X))}
    if peer:
        runs[theirs] = predict_all(peer.predict, [pixels([row]) for row in X])
    best = take_turns(sizes.short_rounds, runs)
    rows = [[name, micro(seconds / len(X)), ratio(seconds, best.get(theirs))] for name, seconds in best.items()]
    report.table(["", "µs a row", "over scikit-learn"], rows + ([] if peer else [[theirs, MISSING, "-"]]))
    report.in_short("latency", ratio_to("scikit-learn", best[ours], best.get(theirs)))


COLD_SCRATCHNN = """
import sys
from scratchnn import Model
with open(sys.argv[2], "rb") as file:
    row = file.read()
print(Model.load(sys.argv[1]).predict([row])[0])
"""

COLD_SCIKIT_LEARN = """
import sys
import joblib
with open(sys.argv[2], "rb") as file:
    row = file.read()
print(joblib.load(sys.argv[1]).predict([[pixel / 255 for pixel in row]])[0])
"""


def cold_start(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """From nothing to one prediction: start a process, load a saved model, predict a row."""
    report.heading("Cold start: a new process loads a saved model and predicts one row")
    model, peer = trained_pair(data, sizes)
    ours, theirs, peaks = "scratchnn", "scikit-learn with joblib", {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: os.path.join(folder, name) for name in ("ours", "theirs", "row")}
        with open(paths["row"], "wb") as file:
            file.write(data.X_test[0])
        model.save(paths["ours"])
        programs = {ours: (COLD_SCRATCHNN, paths["ours"])}
        if peer:
            importlib.import_module("joblib").dump(peer, paths["theirs"])
            programs[theirs] = COLD_SCIKIT_LEARN, paths["theirs"]

        def run(name: str) -> float:
            _, seconds, peaks[name] = run_fresh(*programs[name], paths["row"])
            return seconds

        best = take_turns(sizes.short_rounds, {name: lambda name=name: run(name) for name in programs})
    rows = [[name, f"{1000 * s:.1f}", ratio(s, best.get(theirs)), f"{peaks[name]:.1f}"] for name, s in best.items()]
    report.table(["", "ms", "over scikit-learn", "peak MiB"], rows + ([] if peer else [[theirs, MISSING, "-", "-"]]))
    report.in_short("cold", f"1/{best[theirs] / best[ours]:.1f}" if peer else f"scikit-learn is {MISSING}")
    report.in_short("cold memory", f"{peaks[ours]:.1f} MiB")


def memory(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Peak memory of a process that reads all images and trains on them for an epoch."""
    count = len(data.X[: sizes.all])
    report.heading(f"Peak memory of one epoch on {count} images, from the start of the process")
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_idx(folder, data, count)
        for name, function, library in (
            ("scratchnn, lanes", "train_scratchnn", "scratchnn"),
            ("NumPy by hand, float64", "train_numpy", "numpy"),
        ):
            if if_installed(lambda library=library: importlib.import_module(library)):
                program = f"import sys; from benchmark import {function}; {function}(*sys.argv[1:])"
                peaks[name] = run_fresh(program, *paths, "1")[2]
            else:
                peaks[name] = None
    ours, numpy = peaks.values()
    rows = [[name, MISSING if peak is None else f"{peak:.0f}", ratio(peak, numpy)] for name, peak in peaks.items()]
    report.table(["", "MiB", "over NumPy"], rows)
    report.in_short("memory", ratio_to("NumPy", ours, numpy))


def train_scratchnn(images: str, labels: str, epochs: str) -> None:
    """The program whose memory is measured: reads IDX files, trains, prints the fastest epoch's µs an image."""
    X, y = load_idx(images, labels)
    model = Model(len(X[0]), HIDDEN, max(y) + 1, engine="lanes", scaling="pixels", **START)
    history = model.fit(X, y, epochs=int(epochs), lr=LR, batch_size=BATCH, **PLAIN)
    print(min(history.seconds) / len(X) * 1e6)  # by the clock on the wall, as a spike does it


def train_numpy(images: str, labels: str, epochs: str) -> None:
    """The same, as a NumPy program."""
    import numpy as np

    y = np.fromfile(labels, np.uint8, offset=8).astype(int)
    x = np.fromfile(images, np.uint8, offset=16).reshape(len(y), -1) / 255.0
    program = NumpyByHand.on_arrays(x, y, int(y.max()) + 1)
    for _ in range(int(epochs)):
        program.epoch()


def growth(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """How the cost of an image changes with the hidden layer, the batch and the number of images."""
    report.heading(f"Cost of an image; where not said, {sizes.growth} images, hidden {HIDDEN}, batches of {BATCH}")
    usual = {"images": sizes.growth, "hidden": HIDDEN, "batch": BATCH}
    cases: list[tuple[str, dict[str, Any]]] = [(f"hidden {size}", {"hidden": size}) for size in sizes.hidden]
    cases += [(f"batches of {size}", {"batch": size}) for size in (8, 32, 128) if size < sizes.growth]
    cases.append(("all images in one batch", {"batch": None}))
    counts = sorted({max(sizes.images // part, FEWEST) for part in (100, 10, 1)})
    cases += [(f"{count} images", {"images": count}) for count in counts]
    rows = []
    for label, different in cases:
        case = {**usual, **different}
        ours = Scratchnn(data, "lanes", case["images"], case["hidden"], batch=case["batch"])
        numpy = if_installed(lambda case=case: NumpyByHand(data, **case))
        runs = {"ours": ours.epoch, **({"numpy": numpy.epoch} if numpy else {})}
        best = {name: seconds / case["images"] for name, seconds in take_turns(sizes.rounds, runs).items()}
        theirs = best.get("numpy")
        rows.append([label, micro(best["ours"]), micro(theirs), ratio(best["ours"], theirs)])
    report.table(["", "lanes, µs an image", "NumPy, µs an image", "over NumPy"], rows)


# What reaches 98 % on MNIST well within five minutes of one core.
BEST = {"hidden": 200, "epochs": 6, "lr": 0.1, "batch_size": 64, "momentum": 0.9}


def full(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Test accuracy after training on all images: the usual network, and one that is made to be accurate."""
    X, y = data.X[: sizes.all], data.y[: sizes.all]
    report.heading(f"Training on all {len(X)} images with lanes")
    rows = []
    usual = {"hidden": HIDDEN, "epochs": sizes.full_epochs, "lr": LR, "batch_size": BATCH, **PLAIN}
    for bar, settings in (("five", usual), ("best", {**BEST, "schedule": CosineSchedule(BEST["epochs"])})):
        fit = dict(settings)
        model = Model(data.inputs, fit.pop("hidden"), len(data.classes), engine="lanes", scaling="pixels", **START)
        seconds = timed(lambda model=model, fit=fit: model.fit(X, y, **fit))()
        accuracy = percent(model.score(data.X_test, data.y_test))
        said = ", ".join(f"{name} {value}" for name, value in settings.items() if name != "schedule" and value)
        rows.append([said + (", cosine schedule" if settings["schedule"] else ""), f"{seconds:.1f}", accuracy])
        if data.is_mnist() and sizes.all is None:
            report.in_short(bar, accuracy if bar == "five" else f"{accuracy} after {seconds:.0f} s")
    report.table(["", "seconds of one core", "test accuracy"], rows)


def trained_pair(data: Data, sizes: Sizes) -> tuple[Model, Any]:
    """(scratchnn's model, scikit-learn's or None), each after an epoch."""
    ours, theirs = Scratchnn(data, "lanes", sizes.growth), if_installed(lambda: ScikitLearn(data, sizes.growth))
    for one in (ours, theirs):
        if one:
            one.epoch()
    return ours.model, theirs and theirs.model


def write_csv(path: str, data: Data, count: int) -> None:
    text = [str(value) for value in range(256)]
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write(",".join(["label", *(f"pixel{k}" for k in range(data.inputs))]) + "\n")
        for row, label in zip(data.X[:count], data.y):
            file.write(",".join([text[label], *map(text.__getitem__, row)]) + "\n")


def write_csv_of_floats(path: str, count: int) -> None:
    """Numbers of 4 to 17 digits, as programs write them, and one of three labels behind them."""
    rng = random.Random(0)
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write(",".join([*(f"x{k}" for k in range(FLOAT_COLUMNS)), "label"]) + "\n")
        for k in range(count):
            numbers = [f"{rng.gauss(0.0, 100.0):.{rng.randint(4, 17)}g}" for _ in range(FLOAT_COLUMNS)]
            file.write(",".join([*numbers, str(k % 3)]) + "\n")


def write_idx(folder: str, data: Data, count: int) -> tuple[str, str]:
    """Write images and labels as plain IDX files; returns both paths."""
    images, labels = (os.path.join(folder, name) for name in ("images", "labels"))
    rows = data.X[:count]
    sizes = (len(rows), 1, data.inputs)
    with open(images, "wb") as file:
        file.write(b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in sizes) + b"".join(rows))
    with open(labels, "wb") as file:
        file.write(b"\0\0\x08\x01" + len(rows).to_bytes(4, "big") + bytes(data.y[:count]))
    return images, labels


# --- the command -----------------------------------------------------------------------------------------------------


SECTIONS: dict[str, Callable[[Data, Sizes, Report, argparse.Namespace], None]] = {
    "training": training,
    "spike": spike,
    "variants": variants,
    "paths": paths,
    "convolution": convolution,
    "agreement": agreement,
    "load": loading,
    "latency": latency,
    "cold": cold_start,
    "memory": memory,
    "growth": growth,
    "full": full,
}


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time scratchnn beside others at the same work.")
    parser.add_argument("data", nargs="?", metavar="DATA", help="folder with MNIST's files, or a CSV (default: digits)")
    parser.add_argument("--images", type=int, default=10000, metavar="N", help="images to train on (10000)")
    parser.add_argument("--quick", action="store_true", help="everything tiny: does it run at all?")
    parser.add_argument("--only", metavar="SECTION,...", help=f"some of: {', '.join(SECTIONS)}")
    parser.add_argument("--full", action="store_true", help="also train on all images, for minutes")
    parser.add_argument("--markdown", action="store_true", help="print tables in markdown")
    spike_help = "a script to time in turn with ours, called with: hidden images epochs lane_bits batch"
    parser.add_argument("--spike", metavar="FILE", default=os.environ.get("SCRATCHNN_SPIKE"), help=spike_help)
    options = parser.parse_args(arguments)
    default = [name for name in SECTIONS if name != "full" or options.full]
    options.sections = options.only.split(",") if options.only else default
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"unknown section {unknown[0]!r}: there are {', '.join(SECTIONS)}")
    if options.images < FEWEST:
        parser.error(f"--images must be at least {FEWEST}, got {options.images}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = read_arguments(arguments)
    try:
        data = find_data(options.data)
    except (OSError, ArgumentError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sizes = Sizes(min(options.images, len(data.X), 100 if options.quick else len(data.X)), options.quick)
    report = Report(options.markdown)
    for name in options.sections:
        SECTIONS[name](data, sizes, report, options)
    measured_on = f"{data.name} ({len(data.X)} training images, {data.inputs} pixels)"
    report.summary(measured_on, images=sizes.images, load=sizes.load, load_floats=sizes.load_floats)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
