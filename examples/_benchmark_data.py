"""What the benchmark is measured on: rows of pixels, how many of them, and the files that hold them."""

from __future__ import annotations

import importlib
import os
import random
from collections.abc import Sequence
from typing import Any

from scratchnn import DataError, Dataset, load_csv, load_digits, load_idx

HIDDEN, LR, BATCH = 100, 0.1, 32
PLAIN = {"momentum": 0.0, "schedule": None}  # the steps that the other programs take, whatever is recommended
START = {"init": "he", "seed": 0}
FLOAT_COLUMNS = 21
FEWEST = 50  # images; with fewer, a class may be missing


class Sizes:
    """How much of everything is measured."""

    def __init__(self, images: int, quick: bool, all_sections: bool) -> None:
        self.images = images
        self.slow_imports = not (quick and all_sections)  # PyTorch, and processes that start with scikit-learn
        self.rounds = 1 if quick else 5  # turns of those who are compared
        self.short_rounds = 1 if quick else 7  # of what takes milliseconds
        self.arrays = min(images, 64 if quick else 4000)
        self.many_rounds = 1 if quick else 15  # where a few per cent matter
        # What runs on lists of floats gets fewer images: its cost an image does not depend on their number.
        self.linalg = min(images, 64 if quick else 320)
        self.textbook = min(images, 4 if quick else 64)
        self.variants = min(images, 64 if quick else 2000)
        self.variants_linalg = min(images, 32 if quick else 320)
        self.agreement = min(images, 64 if quick else 2000)
        self.load = min(images, 100 if quick else 10000)
        self.load_floats = 100 if quick else 20000
        self.latency = 10 if quick else 200  # rows
        self.predict = min(images, 64 if quick else 10000)
        self.tiny = 20 if quick else 400  # rows
        self.growth = min(images, 64 if quick else 2000)
        self.batches = (32,) if quick else (32, 512)
        self.hidden = (4, 8) if quick else (16, 100, 300, 1000)
        self.shared = (20,) if quick else (100, 400)  # sizes of hidden layers that several processes train
        self.all = 100 if quick else None  # "all images" of the sections memory and full
        self.full_epochs = 1 if quick else 5


class Rows:
    """Rows to learn from, and class numbers from 0 on."""

    def __init__(self, X: list[Any], y: list[int], classes: Sequence[Any], scaling: str = "none") -> None:
        self.X, self.y, self.classes, self.scaling = X, y, classes, scaling
        self.inputs = len(X[0])

    def arrays(self, count: int) -> tuple[Any, Any]:
        """The first ones in NumPy: float64, pixels between 0 and 1; class numbers."""
        np = importlib.import_module("numpy")
        rows = self.X[:count]
        if self.scaling == "pixels":
            return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1) / 255.0, np.array(self.y[:count])
        return np.array(rows), np.array(self.y[:count])


class Data(Rows):
    """Training rows and test rows: ``bytes``, one a pixel."""

    def __init__(self, train: Dataset, test: Dataset, name: str) -> None:
        self.name, self.classes = name, train.classes
        super().__init__(*self._checked(train), train.classes, "pixels")
        self.test = Rows(*self._checked(test), train.classes, "pixels")
        if len(self.X) < FEWEST:
            raise DataError(f"{name}: at least {FEWEST} training images are needed, got {len(self.X)}")

    def _checked(self, dataset: Dataset) -> tuple[list[bytes], list[int]]:
        if not len(dataset) or not self.classes or not all(type(row) is bytes for row in dataset.X):
            raise DataError(f"{self.name}: the benchmark needs rows of pixels, 0 to 255, with class labels")
        numbers = {label: number for number, label in enumerate(self.classes)}
        return list(dataset.X), [numbers[label] for label in dataset.y]

    def is_mnist(self) -> bool:
        """Whether this is all of MNIST, as far as sizes tell."""
        return (len(self.X), len(self.test.X), self.inputs) == (60000, 10000, 784)


def random_floats(count: int, features: int, classes: int) -> Rows:
    """Rows of which no number is zero, of one class where the numbers of one part are the largest on average."""
    rng = random.Random(0)
    X = [[rng.gauss(0.0, 1.0) for _ in range(features)] for _ in range(count)]
    y = [max(range(classes), key=lambda k, row=row: sum(row[k::classes])) for row in X]
    return Rows(X, y, range(classes))


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
