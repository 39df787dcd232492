"""Fitted models with every layer, loss and scaling that there is: what each format has to carry.

Each was trained for a moment on a few rows, on ``linalg``, so that no parameter is still as it was drawn, and rows to
ask about come with it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from scratchnn import (
    ELU,
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Model,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)

Rows = list[list[Any]]
Network = tuple[Model, Rows]


def _rows(count: int, width: int, seed: int = 1) -> Rows:
    rng = Random(seed)
    return [[rng.gauss(column % 3, 1.0 + column) for column in range(width)] for _ in range(count)]


def _pixels(count: int, width: int, seed: int = 1) -> Rows:
    rng = Random(seed)
    return [[rng.choice((0, 0, rng.randrange(256))) for _ in range(width)] for _ in range(count - 1)] + [[255] * width]


def _labels(count: int, classes: list[Any]) -> list[Any]:
    return [classes[(number + number // 11) % len(classes)] for number in range(count)]


def _fitted(model: Model, X: Rows, y: Any, **settings: Any) -> Network:
    model.fit(X, y, epochs=3, batch_size=8, **settings)
    return model, X


def dense(*activations: Any, classes: list[Any] | None = None, width: int = 5) -> Network:
    classes = classes or ["a", "b", "c"]
    layers: list[Any] = []
    size = width
    for number, activation in enumerate(activations):
        layers += [Linear(size, 6 + number), activation]
        size = 6 + number
    model = Model.from_layers([*layers, Linear(size, len(classes))], engine="linalg")
    X = _rows(30, width)
    return _fitted(model, X, _labels(30, classes))


def binary() -> Network:
    model = Model(4, 5, 1, engine="linalg")
    return _fitted(model, _rows(30, 4), _labels(30, ["no", "yes"]))


def binary_with_sigmoid() -> Network:
    model = Model.from_layers([Linear(4, 5), Tanh(), Linear(5, 1), Sigmoid()], loss="bce", engine="linalg")
    return _fitted(model, _rows(30, 4), _labels(30, [0, 1]))


def negative_log_likelihood() -> Network:
    model = Model.from_layers([Linear(4, 5), ReLU(), Linear(5, 3), LogSoftmax()], loss="nll", engine="linalg")
    return _fitted(model, _rows(30, 4), _labels(30, [3, 5, 7]))


def multilabel() -> Network:
    model = Model(4, 5, 3, task="multilabel", engine="linalg")
    return _fitted(model, _rows(30, 4), [[k % 2, k // 2 % 2, k % 3 // 2] for k in range(30)])


def regression(outputs: int = 1, lr: float | None = None, **settings: Any) -> Network:
    model = Model(4, 5, outputs, task="regression", engine="linalg", **settings)
    X = _rows(30, 4)
    y: Any = [[1000.0 + row[0] * 50 * (k + 1) - row[3] for k in range(outputs)] for row in X]
    return _fitted(model, X, [row[0] for row in y] if outputs == 1 else y, lr=lr)


def softmax_inside() -> Network:
    model = Model.from_layers(
        [Linear(4, 5), Softmax(), Linear(5, 3), Sequential([Tanh(), Linear(3, 3)])], engine="linalg"
    )
    return _fitted(model, _rows(30, 4), _labels(30, ["a", "b", "c"]))


def normalised() -> Network:
    layers = [Linear(4, 6), BatchNorm(6), ReLU(), Linear(6, 6), LayerNorm(6), GELU(), Dropout(0.3), Linear(6, 3)]
    return _fitted(Model.from_layers(layers, engine="linalg"), _rows(30, 4), _labels(30, ["a", "b", "c"]))


def residual() -> Network:
    block = Residual([Linear(6, 6), Tanh(), Residual([LayerNorm(6), Linear(6, 6)])])
    return _fitted(
        Model.from_layers([Linear(4, 6), block, Linear(6, 3)], engine="linalg"), _rows(30, 4), _labels(30, [1, 2, 3])
    )


def embedding() -> Network:
    model = Model.from_layers([Embedding(9, 3), Linear(12, 6), ReLU(), Linear(6, 3)], input_shape=4, engine="linalg")
    rng = Random(1)
    return _fitted(model, [[rng.randrange(9) for _ in range(4)] for _ in range(30)], _labels(30, ["a", "b", "c"]))


def convolution() -> Network:
    layers = [
        Conv2D(2, 3, (3, 2), stride=(1, 2), padding=(1, 0)),
        BatchNorm(3),
        ReLU(),
        MaxPool2D(2, 2, 1),
        Residual([Conv2D(3, 3, 3, padding=1), Tanh()]),
        AvgPool2D((2, 1), padding=(1, 0)),
        Flatten(),
        Linear(18, 4),
    ]
    model = Model.from_layers(layers, input_shape=(2, 6, 7), engine="linalg")
    return _fitted(model, _pixels(30, 84), _labels(30, [0, 1, 2, 3]))


def convolution_to_the_end() -> Network:
    """Images out of images: an autoencoder with filters, whose targets are scaled as its rows are."""
    layers = [Conv2D(1, 2, 3, padding=1), LeakyReLU(0.1), MaxPool2D(2, 1, 1), Conv2D(2, 1, 2)]
    model = Model.from_layers(layers, loss="mse", input_shape=(1, 5, 5), engine="linalg")
    X = _pixels(20, 25)
    return _fitted(model, X, X)


NETWORKS: dict[str, Callable[[], Network]] = {
    "relu": lambda: dense(ReLU()),
    "two hidden layers": lambda: dense(Tanh(), Sigmoid()),
    "no hidden layer": dense,
    "leaky relu": lambda: dense(LeakyReLU(0.2)),
    "gelu and silu": lambda: dense(GELU(), SiLU()),
    "elu and softplus": lambda: dense(ELU(0.7), Softplus()),
    "unusual class names": lambda: dense(
        ReLU(), classes=["", 'a"\\\n</script>*/', "%s{}${x}", "é𝄞\u2028\x00", "?" * 300]
    ),
    "one hundred inputs": lambda: dense(ReLU(), width=100),
    "binary": binary,
    "binary, sigmoid": binary_with_sigmoid,
    "negative log-likelihood": negative_log_likelihood,
    "multilabel": multilabel,
    "regression": regression,
    "regression of three": lambda: regression(3),
    "regression, nothing scaled": lambda: regression(lr=1e-6, scaling="none", target_scaling="none"),
    "softmax inside": softmax_inside,
    "normalised": normalised,
    "residual": residual,
    "embedding": embedding,
    "convolution": convolution,
    "convolution to the end": convolution_to_the_end,
}


@cache
def network(name: str) -> Network:
    """(a fitted model, rows to ask it about); nobody may train it further."""
    return NETWORKS[name]()
