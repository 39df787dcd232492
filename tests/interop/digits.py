"""Models that have learned digits, and digits to ask them about: those that come along, and all of MNIST's test."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from scratchnn import Conv2D, Flatten, Linear, MaxPool2D, Model, ReLU, Tanh, load_digits, load_idx


@cache
def digits(kind: str) -> tuple[Model, Model, list[bytes]]:
    """(a model, the same one computing in doubles, all test digits); the kind is "dense" or "convolution".

    The engine that learns rounds more than an export does: of the convolution's probabilities 2e-5.
    """
    training, test = load_digits()
    if kind == "dense":
        model = Model(64, 100, 10, seed=1)
    else:
        layers = [Conv2D(1, 6, 3, padding=1), ReLU(), MaxPool2D(2), Conv2D(6, 8, 3), Tanh(), Flatten(), Linear(32, 10)]
        model = Model.from_layers(layers, input_shape=(1, 8, 8), seed=1)
    few = slice(600)  # rows are enough to tell digits apart, if not well
    model.fit(training.X[few], training.y[few], epochs=3, batch_size=16)
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.pkl")
        return model, Model.load(Path(folder) / "model.pkl", engine="linalg"), list(test.X)


@cache
def mnist(shared: Path) -> tuple[Model, list[bytes]]:
    """(a model of 79 510 numbers, every fifth of the 10 000 test digits)."""
    folder = shared / "mnist"
    X, y = load_idx(folder / "train-images-idx3-ubyte.gz")
    rows, _ = load_idx(folder / "t10k-images-idx3-ubyte.gz")
    model = Model(784, 100, 10, seed=1)
    model.fit(X[:4000], y[:4000], epochs=1)
    return model, list(rows)[::5]
