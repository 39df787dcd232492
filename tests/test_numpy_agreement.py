"""A whole training run against the same network written by hand in NumPy: every batch's loss, and the last weights.

The two start from the same weights and see the same rows in the same order, so they must agree to 1e-9 all the way.
The reference below is the textbook's: nothing of scratchnn is used in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest

from scratchnn import (
    SGD,
    Adam,
    Callback,
    CosineSchedule,
    Linear,
    LogSoftmax,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    StepSchedule,
    Tanh,
)
from tests.plain import PLAIN

np = pytest.importorskip("numpy")

LossFunction = Callable[[Any, Any, Any], Any]  # (outputs, targets, weights) -> (loss, gradient)
Rule = Callable[[Any, Any, float], None]  # changes (parameters, from gradients, with a learning rate) in place

TOLERANCE = 1e-9
ROWS, FEATURES, EPOCHS, BATCH = 42, 5, 4, 16  # the last batch of an epoch has 10 rows


def gaussian_rows(seed: int = 1) -> list[list[float]]:
    rng = Random(seed)
    return [[rng.gauss(0.0, 1.0) for _ in range(FEATURES)] for _ in range(ROWS)]


X = gaussian_rows()
CLASSES = [int(row[0] + row[1] > 0.3) + int(row[2] * row[3] > 0.0) for row in X]
BINARY = [int(row[0] > row[1]) for row in X]
VALUES = [row[0] * row[1] - row[2] for row in X]
PAIRS = [[row[0] * row[1], row[2] + 0.5] for row in X]
SAMPLE_WEIGHTS = [0.25 + (i % 4) for i in range(ROWS)]


# --- the reference: losses ---------------------------------------------------------------------------------


def cross_entropy(outputs: Any, targets: Any, weights: Any) -> tuple[float, Any]:
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    one_hot = np.eye(outputs.shape[1])[targets]
    count = len(outputs)
    loss = -(weights * np.log((probabilities * one_hot).sum(axis=1))).sum() / count
    return loss, weights[:, None] * (probabilities - one_hot) / count


def squared_error(outputs: Any, targets: Any, weights: Any) -> tuple[float, Any]:
    targets = targets.reshape(len(outputs), -1)
    difference = outputs - targets
    return (weights[:, None] * difference**2).sum() / difference.size, (
        2 * weights[:, None] * difference / difference.size
    )


def binary_cross_entropy(outputs: Any, targets: Any, weights: Any) -> tuple[float, Any]:
    targets = targets.reshape(-1, 1)
    sigmoid = 1 / (1 + np.exp(-outputs))
    losses = -(targets * np.log(sigmoid) + (1 - targets) * np.log(1 - sigmoid))
    return (weights[:, None] * losses).sum() / len(outputs), weights[:, None] * (sigmoid - targets) / len(outputs)


# --- the reference: activations as (function, derivative in terms of the output) ---------------------------

ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "relu": (lambda z: np.maximum(z, 0.0), lambda a: (a > 0.0).astype(float)),
    "leaky_relu": (lambda z: np.where(z > 0.0, z, 0.01 * z), lambda a: np.where(a > 0.0, 1.0, 0.01)),
    "tanh": (np.tanh, lambda a: 1.0 - a**2),
    "sigmoid": (lambda z: 1.0 / (1.0 + np.exp(-z)), lambda a: a * (1.0 - a)),
}


# --- the reference: update rules ---------------------------------------------------------------------------


def sgd(momentum: float = 0.0, nesterov: bool = False, decay: float = 0.0) -> Rule:
    velocities: list[Any] = []

    def step(parameters: list[Any], gradients: list[Any], lr: float) -> None:
        for number, (parameter, gradient) in enumerate(zip(parameters, gradients)):
            gradient = gradient + decay * parameter
            if len(velocities) <= number:
                velocities.append(gradient.copy())
            else:
                velocities[number] = momentum * velocities[number] + gradient
            parameter -= lr * (gradient + momentum * velocities[number] if nesterov else velocities[number])

    return step


def adam(decay: float = 0.0) -> Rule:
    means: dict[int, Any] = {}
    squares: dict[int, Any] = {}
    steps = [0]

    def step(parameters: list[Any], gradients: list[Any], lr: float) -> None:
        steps[0] += 1
        for number, (parameter, gradient) in enumerate(zip(parameters, gradients)):
            gradient = gradient + decay * parameter
            means[number] = 0.9 * means.get(number, 0.0) + 0.1 * gradient
            squares[number] = 0.999 * squares.get(number, 0.0) + 0.001 * gradient**2
            mean, square = means[number] / (1 - 0.9 ** steps[0]), squares[number] / (1 - 0.999 ** steps[0])
            parameter -= lr * mean / (np.sqrt(square) + 1e-8)

    return step


# --- the reference: forward, backward, and going through the batches ---------------------------------------


def loss_and_gradients(
    parameters: list[Any], activation: str, loss: LossFunction, x: Any, y: Any, w: Any
) -> tuple[float, list[Any]]:
    function, derivative = ACTIVATIONS[activation]
    layers = list(zip(parameters[0::2], parameters[1::2]))
    inputs = [x]
    for weight, bias in layers[:-1]:
        inputs.append(function(inputs[-1] @ weight + bias))
    outputs = inputs[-1] @ layers[-1][0] + layers[-1][1]
    value, gradient = loss(outputs, y, w)
    gradients: list[Any] = []
    for number in reversed(range(len(layers))):
        gradients = [inputs[number].T @ gradient, gradient.sum(axis=0), *gradients]
        if number:
            gradient = gradient @ layers[number][0].T * derivative(inputs[number])
    return value, gradients


def clip(gradients: list[Any], maximum: float) -> list[Any]:
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * (maximum / norm) if norm > maximum else g for g in gradients]


def train_reference(
    weights: list[Any],
    x: Any,
    y: Any,
    *,
    loss: LossFunction = cross_entropy,
    rule: Callable[[], Rule] = sgd,
    activation: str = "relu",
    lr: Callable[[int], float] = lambda epoch: 0.1,
    batch_size: int = BATCH,
    sample_weight: Any = None,
    clip_norm: float | None = None,
) -> tuple[list[float], list[Any]]:
    """(the loss of every batch, the weights at the end)."""
    x, y = np.array(x, dtype=float), np.array(y)
    parameters = [np.array(w) for w in weights]
    w = np.ones(len(x)) if sample_weight is None else np.array(sample_weight) * len(x) / np.sum(sample_weight)
    # Steps are shorter the more weights differ, but for batches of all rows.
    share = 1.0 / (1.0 + ((w**2).mean() - 1.0) * (len(x) - batch_size) / (len(x) - 1))
    losses, step = [], rule()
    for epoch in range(EPOCHS):
        for first in range(0, len(x), batch_size):
            part = slice(first, first + batch_size)
            value, gradients = loss_and_gradients(parameters, activation, loss, x[part], y[part], w[part])
            losses.append(float(value))
            gradients = [share * g for g in gradients]
            if clip_norm is not None:
                gradients = clip(gradients, clip_norm)
            step(parameters, gradients, lr(epoch))
    return losses, parameters


# --- the comparison ----------------------------------------------------------------------------------------


class BatchLosses(Callback):
    """Takes the mean loss of every batch out of the running mean of its epoch."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_batch_end(self, model: Any, run: Any) -> None:
        total = run.loss * run.samples_done
        before = self.before if run.batch > 1 else (0.0, 0)
        self.losses.append((total - before[0]) / (run.samples_done - before[1]))
        self.before = (total, run.samples_done)


def train_scratchnn(model: Model, x: Any, y: Any, **settings: Any) -> list[float]:
    watcher = BatchLosses()
    usual = {**PLAIN, "epochs": EPOCHS, "batch_size": BATCH, "shuffle": False, "callbacks": [watcher]}
    model.fit(x, y, **{**usual, **settings})
    return watcher.losses


def assert_agree(model: Model, losses: list[float], reference: tuple[list[float], list[Any]]) -> None:
    expected_losses, expected_weights = reference
    assert len(losses) == len(expected_losses)
    assert losses == pytest.approx(expected_losses, rel=TOLERANCE, abs=TOLERANCE)
    assert len(model.weights) == len(expected_weights)
    for ours, theirs in zip(model.weights, expected_weights):
        np.testing.assert_allclose(np.array(ours), theirs, rtol=TOLERANCE, atol=TOLERANCE)


CLASSIFIER = {"output_size": 3}
REGRESSION = {"output_size": 1, "task": "regression", "target_scaling": "none"}
TWO_CLASSES = {"output_size": 1}
WEIGHTED = {"sample_weight": SAMPLE_WEIGHTS}
BY_CLASS = {"sample_weight": [(1.0, 3.0, 0.5)[k] for k in CLASSES]}
BALANCED = {"sample_weight": [ROWS / (3 * CLASSES.count(k)) for k in CLASSES]}


def slow(epoch: int) -> float:
    return 0.01


def halved_after_two(epoch: int) -> float:
    return 0.1 if epoch < 2 else 0.05


def half_a_cosine(epoch: int) -> float:
    return float(0.05 * (1.0 + np.cos(np.pi * epoch / EPOCHS)))


# name: (network, targets, settings of fit, settings of the reference). What is not said is SGD with lr 0.1.
CASES: dict[str, tuple[dict[str, Any], Any, dict[str, Any], dict[str, Any]]] = {
    "relu": (CLASSIFIER, CLASSES, {}, {}),
    "leaky relu": ({**CLASSIFIER, "activation": "leaky_relu"}, CLASSES, {}, {"activation": "leaky_relu"}),
    "tanh": ({**CLASSIFIER, "activation": "tanh"}, CLASSES, {}, {"activation": "tanh"}),
    "sigmoid": ({**CLASSIFIER, "activation": "sigmoid"}, CLASSES, {}, {"activation": "sigmoid"}),
    "no hidden layer": ({**CLASSIFIER, "hidden_size": []}, CLASSES, {}, {}),
    "three hidden layers": ({**CLASSIFIER, "hidden_size": [7, 6, 5]}, CLASSES, {}, {}),
    "momentum": (CLASSIFIER, CLASSES, {"momentum": 0.9}, {"rule": partial(sgd, 0.9)}),
    "nesterov": (
        CLASSIFIER,
        CLASSES,
        {"momentum": 0.9, "nesterov": True},
        {"rule": partial(sgd, 0.9, nesterov=True)},
    ),
    "weight decay": (CLASSIFIER, CLASSES, {"weight_decay": 0.05}, {"rule": partial(sgd, decay=0.05)}),
    "an SGD object": (
        CLASSIFIER,
        CLASSES,
        {"optimizer": SGD(0.1, momentum=0.8, weight_decay=0.01, nesterov=True)},
        {"rule": partial(sgd, 0.8, nesterov=True, decay=0.01)},
    ),
    "adam": (CLASSIFIER, CLASSES, {"optimizer": "adam", "lr": 0.01}, {"rule": adam, "lr": slow}),
    "adam with weight decay": (
        CLASSIFIER,
        CLASSES,
        {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.1},
        {"rule": partial(adam, 0.1), "lr": slow},
    ),
    "an Adam object": (CLASSIFIER, CLASSES, {"optimizer": Adam(0.01)}, {"rule": adam, "lr": slow}),
    "sample weights": (CLASSIFIER, CLASSES, WEIGHTED, WEIGHTED),
    "class weights": (CLASSIFIER, CLASSES, {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}}, BY_CLASS),
    "balanced class weights": (CLASSIFIER, CLASSES, {"class_weight": "balanced"}, BALANCED),
    "clipped gradient norm": (CLASSIFIER, CLASSES, {"clip_norm": 0.3}, {"clip_norm": 0.3}),
    "full batch": (CLASSIFIER, CLASSES, {"batch_size": None}, {"batch_size": ROWS}),
    "one row a batch": (CLASSIFIER, CLASSES, {"batch_size": 1}, {"batch_size": 1}),
    "step schedule": (CLASSIFIER, CLASSES, {"schedule": StepSchedule(2, 0.5)}, {"lr": halved_after_two}),
    "cosine schedule": (CLASSIFIER, CLASSES, {"schedule": CosineSchedule(EPOCHS)}, {"lr": half_a_cosine}),
    "regression": (REGRESSION, VALUES, {"lr": 0.01}, {"loss": squared_error, "lr": slow}),
    "weighted regression of two values": (
        {**REGRESSION, "output_size": 2},
        PAIRS,
        {"lr": 0.01, **WEIGHTED},
        {"loss": squared_error, "lr": slow, **WEIGHTED},
    ),
    "two classes with one output": (TWO_CLASSES, BINARY, {}, {"loss": binary_cross_entropy}),
    "two classes with one output, weighted": (
        TWO_CLASSES,
        BINARY,
        WEIGHTED,
        {"loss": binary_cross_entropy, **WEIGHTED},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_batch_agrees_with_numpy(name: str) -> None:
    network, y, settings, reference = CASES[name]
    model = Model(FEATURES, **{"hidden_size": 8, "scaling": "none", "engine": "linalg", **network})
    expected = train_reference(model.weights, X, y, **reference)
    assert_agree(model, train_scratchnn(model, X, y, **settings), expected)


def test_standardised_features_agree_with_numpy() -> None:
    rows = [[7.0 * v + 100.0 * j for j, v in enumerate(row)] for row in X]
    model = Model(FEATURES, 8, 3, scaling="standard", engine="linalg")
    x = np.array(rows)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = train_reference(model.weights, scaled, CLASSES)
    assert_agree(model, train_scratchnn(model, rows, CLASSES), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_standardised_targets_agree_with_numpy(weighted: bool) -> None:
    """The network learns standardised targets; the losses are told in the targets' own unit."""
    y = np.array([[1e3 * v, 1e5 - 7.0 * w] for v, w in PAIRS])
    model = Model(FEATURES, 8, 2, task="regression", scaling="none", engine="linalg")
    how: dict[str, Any] = WEIGHTED if weighted else {}
    shares = np.array(SAMPLE_WEIGHTS) if weighted else np.ones(ROWS)
    mean = np.average(y, axis=0, weights=shares)
    deviation = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=shares))
    reference = {"loss": squared_error, "lr": slow, **how}
    _, weights = train_reference(model.weights, X, ((y - mean) / deviation).tolist(), **reference)
    train_scratchnn(model, X, y, lr=0.01, **how)
    for ours, theirs in zip(model.weights, weights):
        np.testing.assert_allclose(np.array(ours), theirs, rtol=TOLERANCE, atol=TOLERANCE)


def test_pixels_agree_with_numpy() -> None:
    rng = Random(2)
    rows = [bytes(rng.randrange(256) for _ in range(20)) for _ in range(ROWS)]
    model = Model(20, 8, 3, engine="linalg")
    scaled = np.array([list(row) for row in rows]) / 255
    expected = train_reference(model.weights, scaled, CLASSES)
    assert_agree(model, train_scratchnn(model, rows, CLASSES), expected)


def test_a_stack_of_layers_agrees_with_numpy() -> None:
    inner = Sequential([Linear(8, 6), ReLU()])
    stack = [Linear(FEATURES, 8), ReLU(), inner, Linear(6, 3), LogSoftmax()]
    model = Model.from_layers(stack, loss="nll", scaling="none", engine="linalg")
    expected = train_reference(model.weights, X, CLASSES)
    assert_agree(model, train_scratchnn(model, X, CLASSES), expected)


def test_sigmoid_and_bce_loss_agree_with_numpy() -> None:
    stack = [Linear(FEATURES, 8), Tanh(), Linear(8, 1), Sigmoid()]
    model = Model.from_layers(stack, loss="bce", scaling="none", engine="linalg")
    expected = train_reference(model.weights, X, BINARY, loss=binary_cross_entropy, activation="tanh")
    assert_agree(model, train_scratchnn(model, X, BINARY), expected)


def test_the_history_holds_the_mean_loss_of_each_epoch() -> None:
    model = Model(FEATURES, 8, 3, scaling="none", engine="linalg")
    losses, _ = train_reference(model.weights, X, CLASSES)
    history = model.fit(X, CLASSES, epochs=EPOCHS, batch_size=BATCH, shuffle=False, **PLAIN)
    sizes = [16, 16, 10]
    epochs = [losses[3 * e : 3 * e + 3] for e in range(EPOCHS)]
    means = [sum(size * loss for size, loss in zip(sizes, epoch)) / ROWS for epoch in epochs]
    assert history.loss == pytest.approx(means, rel=TOLERANCE)
