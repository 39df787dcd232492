"""A small convolutional network learns lines and crosses anywhere in a picture, and then MNIST.

What it shows: a filter of 3 x 3 weights slides over the whole picture, so a line learned in one corner is known in
all of them, and nine weights do what a Linear layer needs thousands for. Beside a perceptron with more weights, the
network with filters is the better one on patterns at places it has not seen; its filters are drawn as pictures.

    python examples/cnn_patterns.py                  lines and crosses only
    python examples/cnn_patterns.py --mnist DIR      then MNIST, at 98.5 % and more
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from random import Random

from _common import load_images, read_arguments, run, save

from scratchnn import CosineSchedule, Linear, Model, ReLU, plots
from scratchnn.layers.convolution import Conv2D, Flatten, MaxPool2D

SIZE = 12  # pixels along a side of a pattern
FILTERS = 8
STROKES = {  # steps (right, down) from the middle
    "horizontal": [(-2, 0), (-1, 0), (0, 0), (1, 0), (2, 0)],
    "vertical": [(0, -2), (0, -1), (0, 0), (0, 1), (0, 2)],
    "falling": [(-2, -2), (-1, -1), (0, 0), (1, 1), (2, 2)],
    "rising": [(-2, 2), (-1, 1), (0, 0), (1, -1), (2, -2)],
}
PATTERNS = {
    **STROKES,
    "plus": STROKES["horizontal"] + STROKES["vertical"],
    "times": STROKES["falling"] + STROKES["rising"],
}


def patterns(count: int, seed: int) -> tuple[list[bytes], list[str]]:
    """Images of SIZE x SIZE with one pattern somewhere, of any brightness, over noise."""
    rng = Random(seed)
    X, y = [], []
    for number in range(count):
        name = list(PATTERNS)[number % len(PATTERNS)]
        image = [rng.randrange(90) for _ in range(SIZE * SIZE)]
        column, row, ink = rng.randrange(2, SIZE - 2), rng.randrange(2, SIZE - 2), rng.randrange(140, 256)
        for right, down in PATTERNS[name]:
            image[(row + down) * SIZE + column + right] = ink
        X.append(bytes(image))
        y.append(name)
    return X, y


def for_patterns() -> Model:
    """Filters, the largest answer of each 2 x 2 places, and a small perceptron on top."""
    layers = [Conv2D(1, FILTERS, 3), MaxPool2D(2), ReLU(), Flatten(), Linear(FILTERS * 5 * 5, 16), ReLU()]
    return Model.from_layers([*layers, Linear(16, len(PATTERNS))], input_shape=(1, SIZE, SIZE))


def for_mnist() -> Model:
    """The same with a second layer of filters, which look at what the first have found."""
    filters = [Conv2D(1, 8, 3), MaxPool2D(2), ReLU(), Conv2D(8, 16, 3), MaxPool2D(2), ReLU(), Flatten()]
    return Model.from_layers([*filters, Linear(16 * 5 * 5, 64), ReLU(), Linear(64, 10)], input_shape=(1, 28, 28))


def learn_patterns(quick: bool) -> tuple[dict[str, float], Model]:
    X, y = patterns(180 if quick else 600, seed=0)
    X_new, y_new = patterns(120 if quick else 600, seed=1)
    result = {}
    models = {
        "perceptron": Model(SIZE * SIZE, 64, len(PATTERNS), init="he"),
        "convolutional": for_patterns(),
    }
    for name, model in models.items():
        model.fit(X, y, epochs=10 if quick else 30, lr=0.05, momentum=0.9, schedule=None, batch_size=32)
        result[name] = model.score(X_new, y_new)
        print(f"patterns, {name}: {model.parameter_count} weights, {result[name]:.1%} of new images")
    return result, model


def learn_mnist(options: argparse.Namespace) -> float:
    train, test = load_images(options)
    epochs = 1 if options.quick else 4
    model = for_mnist()
    print(model.summary())
    history = model.fit(
        train.X, train.y, epochs=epochs, lr=0.05, momentum=0.9, batch_size=64, schedule=CosineSchedule(epochs),
        validation_data=(test.X, test.y), show_training_info=True,
    )  # fmt: skip
    print(f"MNIST: {history.validation_accuracy[-1]:.2%} of the test images, {sum(history.seconds):.0f} seconds")
    return history.validation_accuracy[-1]


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments, mnist=True)
    result, model = learn_patterns(options.quick)
    X, y = patterns(48, seed=2)
    X_new, y_new = patterns(120 if options.quick else 600, seed=1)
    rows = {name: [row for row, label in zip(X, y) if label == name] for name in PATTERNS}
    save(plots.images(rows, title="Patterns to tell apart"), options, "cnn_patterns.svg")
    save(plots.weights(model.weights[0], title="What the filters look for"), options, "cnn_filters.svg")
    confused = plots.confusion_matrix(y_new, model.predict(X_new), title="What new patterns were taken for")
    save(confused, options, "cnn_confusion.svg")
    if options.mnist:
        result["MNIST"] = learn_mnist(options)
    return result


if __name__ == "__main__":
    run(main)
