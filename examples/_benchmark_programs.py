"""Those who train in the benchmark: scratchnn, the textbook's loops, scikit-learn, PyTorch (NumPy has its own file).

Each trains one more epoch when its method ``epoch`` is called, and returns the seconds that took.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from _benchmark_data import BATCH, HIDDEN, LR, PLAIN, START, Rows
from _benchmark_measuring import now, timed

from scratchnn import ArgumentError, Callback, Conv2D, Flatten, Linear, MaxPool2D, Model, ReLU, load_idx

Floats = list[list[float]]


class EpochClock(Callback):
    """Seconds of each epoch."""

    def on_train_begin(self, model: Any, run: Any) -> None:
        self.begin = self.last = now()
        self.seconds: list[float] = []

    def on_epoch_end(self, model: Any, run: Any) -> None:
        self.last, before = now(), self.last
        self.seconds.append(self.last - before)


def find(engine: str) -> Any:
    """What ``Model`` is told: "numpy float32" is an engine made for that, all others go by their names.

    Libraries have one thread. ``ImportError`` if one is missing.
    """
    library, _, dtype = engine.partition(" ")
    if library not in ("numpy", "torch"):
        return engine  # as people say it, so that the model settles the rest by its size
    if library == "torch":
        importlib.import_module(library).set_num_threads(1)
    try:
        return importlib.import_module("scratchnn.engines.arrays").ArrayEngine(library, dtype=dtype or "float64")
    except ArgumentError as error:
        raise ImportError(str(error)) from None


class Scratchnn:
    """The library, on one of its engines."""

    def __init__(
        self,
        data: Rows,
        engine: str,
        images: int,
        hidden: int | Sequence[int] = HIDDEN,
        activation: str = "relu",
        batch: int | None = BATCH,
        dropout: float = 0.0,
        model: Callable[..., Model] | None = None,
        **settings: Any,
    ) -> None:
        self.data, self.images = data, images
        self.settings = {"lr": LR, "batch_size": batch, **PLAIN, **settings}
        self.preparation = math.inf  # seconds that fit takes to check the rows and to bring them into the engine's form
        size = data.inputs, hidden, len(data.classes)
        usual = partial(Model, *size, activation=activation, dropout=dropout, **START)
        self.model = (model or usual)(engine=find(engine), scaling=data.scaling)

    def epoch(self) -> float:
        start, clock, X, y = now(), EpochClock(), self.data.X[: self.images], self.data.y[: self.images]
        self.history = self.model.fit(X, y, epochs=1, callbacks=[clock], **self.settings)
        self.preparation = min(self.preparation, clock.begin - start)
        return clock.seconds[0]

    def accuracy(self, rows: Rows) -> float:
        return self.model.score(rows.X, rows.y)


def convolutional(side: int, classes: int) -> Callable[..., Model]:
    """A model of one layer of filters, pooling and a linear layer; it needs to be told an engine and a scaling."""
    half = (side - 2) // 2

    def model(**settings: Any) -> Model:
        layers = [Conv2D(1, 8, 3), MaxPool2D(2), ReLU(), Flatten(), Linear(8 * half * half, classes)]
        return Model.from_layers(layers, input_shape=(1, side, side), **settings)

    return model


class Textbook:
    """Multiplies matrices in three nested loops over lists of floats, and does everything else in the same spirit."""

    def __init__(self, data: Rows, images: int) -> None:
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


class ScikitLearn:
    """MLPClassifier; each call of partial_fit is one epoch."""

    def __init__(self, data: Rows, images: int) -> None:
        kind = importlib.import_module("sklearn.neural_network").MLPClassifier
        self.images, (self.x, self.y) = images, data.arrays(images)
        self.classes = list(range(len(data.classes)))
        sgd = {"solver": "sgd", "learning_rate_init": LR, "momentum": 0, "alpha": 0}
        self.model = kind((HIDDEN,), batch_size=min(BATCH, images), random_state=0, **sgd)

    def epoch(self) -> float:
        return timed(lambda: self.model.partial_fit(self.x, self.y, classes=self.classes))()

    def accuracy(self, rows: Rows) -> float:
        return float(self.model.score(*rows.arrays(len(rows.X))))


class PyTorch:
    """The usual loop around nn.Sequential and an optimizer of torch.optim; settings have the names of scratchnn's."""

    def __init__(
        self,
        data: Rows,
        images: int,
        activation: str = "relu",
        batch: int = BATCH,
        dropout: float = 0.0,
        optimizer: str = "sgd",
        lr: float = LR,
        clip_norm: float | None = None,
        dtype: str = "float64",
    ) -> None:
        self.torch = torch = importlib.import_module("torch")
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.images, self.batch, self.clip_norm, self.dtype = images, batch, clip_norm, getattr(torch, dtype)
        self.x, self.y = self.tensors(data, images)
        nn = torch.nn
        middle = [nn.Tanh() if activation == "tanh" else nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        layers = nn.Linear(data.inputs, HIDDEN), *middle, nn.Linear(HIDDEN, len(data.classes))
        self.net = nn.Sequential(*layers).to(self.dtype)
        rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
        self.rule, self.loss = rule(self.net.parameters(), lr=lr), nn.CrossEntropyLoss()

    def tensors(self, data: Rows, count: int) -> tuple[Any, Any]:
        """Images and class numbers."""
        rows = data.X[:count]
        flat = self.torch.frombuffer(bytearray(b"".join(rows)), dtype=self.torch.uint8)
        return flat.reshape(len(rows), -1).to(self.dtype) / 255, self.torch.tensor(data.y[:count])

    def epoch(self) -> float:
        start, order = now(), self.torch.randperm(self.images)
        for first in range(0, self.images, self.batch):
            i = order[first : first + self.batch]
            self.step(self.x[i], self.y[i])
        return now() - start

    def step(self, x: Any, y: Any) -> None:
        self.rule.zero_grad()
        self.loss(self.net(x), y).backward()
        if self.clip_norm:
            self.torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip_norm)
        self.rule.step()

    def accuracy(self, rows: Rows) -> float:
        x, y = self.tensors(rows, len(rows.X))
        return float((self.net(x).argmax(1) == y).double().mean())


def train_scratchnn(images: str, labels: str, epochs: str) -> None:
    """The program whose memory is measured: reads IDX files, trains, prints the fastest epoch's µs an image."""
    X, y = load_idx(images, labels)
    model = Model(len(X[0]), HIDDEN, max(y) + 1, engine="lanes", scaling="pixels", **START)
    history = model.fit(X, y, epochs=int(epochs), lr=LR, batch_size=BATCH, **PLAIN)
    print(min(history.seconds) / len(X) * 1e6)  # by the clock on the wall, as a spike does it
