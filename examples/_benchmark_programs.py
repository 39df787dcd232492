"""Those who train in the benchmark: scratchnn, the textbook's loops, scikit-learn, PyTorch (NumPy has its own file).

Each trains one more epoch when its method ``epoch`` is called, and returns the seconds that took.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Sequence
from typing import Any

from _benchmark_data import BATCH, HIDDEN, LR, PLAIN, START, Data
from _benchmark_measuring import now, timed
from _benchmark_numpy import pixels

from scratchnn import Callback, Model, load_idx

Floats = list[list[float]]


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


def train_scratchnn(images: str, labels: str, epochs: str) -> None:
    """The program whose memory is measured: reads IDX files, trains, prints the fastest epoch's µs an image."""
    X, y = load_idx(images, labels)
    model = Model(len(X[0]), HIDDEN, max(y) + 1, engine="lanes", scaling="pixels", **START)
    history = model.fit(X, y, epochs=int(epochs), lr=LR, batch_size=BATCH, **PLAIN)
    print(min(history.seconds) / len(X) * 1e6)  # by the clock on the wall, as a spike does it
