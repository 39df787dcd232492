"""What a description says of a model is all that its answers depend on: computed from it alone, they are the same."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scratchnn import ArgumentError, Layer, Linear, LogSoftmax, Model, NotFittedError, linalg
from scratchnn.engines.sliding_window import Window
from scratchnn.interop.description import Description, Step, describe, every_step

from .networks import NETWORKS, network

ACTIVATIONS: dict[str, Any] = {
    "relu": lambda v: max(v, 0.0),
    "leaky_relu": lambda v, slope: v if v > 0 else slope * v,
    "tanh": math.tanh,
    "sigmoid": linalg.sigmoid,
    "gelu": lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))),
    "silu": lambda v: v * linalg.sigmoid(v),
    "elu": lambda v, alpha: v if v > 0 else alpha * (math.exp(v) - 1),
    "softplus": lambda v: math.log1p(math.exp(-abs(v))) + max(v, 0.0),
}


def affine(row: list[float], weight: list[list[float]], bias: list[float]) -> list[float]:
    return [b + math.fsum(v * w for v, w in zip(row, column)) for b, column in zip(bias, zip(*weight))]


def seen(step: Step, row: list[float], border: float) -> list[list[list[float]]]:
    """For each channel what the window sees at each position; ``border`` is the padding."""
    sizes = {name: step.settings[name] for name in ("kernel", "stride", "padding")}
    channels, height, width = step.inputs
    size, (rows, columns) = height * width, sizes["kernel"]
    tops = [y * sizes["stride"][0] - sizes["padding"][0] for y in range(step.outputs[1])]
    lefts = [x * sizes["stride"][1] - sizes["padding"][1] for x in range(step.outputs[2])]

    def at(channel: int, y: int, x: int) -> float:
        return row[channel * size + y * width + x] if 0 <= y < height and 0 <= x < width else border

    assert len(tops) * len(lefts) == math.prod(Window(*step.inputs, **sizes).output)
    return [
        [[at(c, top + i, left + j) for i in range(rows) for j in range(columns)] for top in tops for left in lefts]
        for c in range(channels)
    ]


def done(step: Step, row: list[float]) -> list[float]:
    kind, known = step.kind, step.settings
    if kind in ACTIVATIONS:
        return [ACTIVATIONS[kind](v, **known) for v in row]
    if kind == "linear":
        return affine(row, known["weight"], known["bias"])
    if kind == "convolution":
        patches = [[v for part in parts for v in part] for parts in zip(*seen(step, row, 0.0))]
        images = [affine(patch, known["weight"], known["bias"]) for patch in patches]
        return [v for image in zip(*images) for v in image]
    if kind == "max_pool":
        return [max(patch) for channel in seen(step, row, -math.inf) for patch in channel]
    if kind == "average_pool":
        return [sum(patch) / len(patch) for channel in seen(step, row, 0.0) for patch in channel]
    if kind == "softmax":
        return linalg.softmax(row)
    if kind == "log_softmax":
        return linalg.log_softmax(row)
    if kind == "layer_norm":
        mean = math.fsum(row) / len(row)
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in row) / len(row) + known["epsilon"])
        return [(v - mean) / deviation * w + b for v, w, b in zip(row, known["weight"], known["bias"])]
    if kind == "batch_norm":
        each = len(row) // len(known["mean"])
        parts = [[v for v in known[name] for _ in range(each)] for name in ("mean", "factor", "bias")]
        return [(v - m) * f + b for v, m, f, b in zip(row, *parts)]
    if kind == "embedding":
        return [v for index in row for v in known["weight"][int(index)]]
    assert kind == "residual"
    return [a + b for a, b in zip(row, through(known["steps"], row))]


def through(steps: list[Step], row: list[float]) -> list[float]:
    for step in steps:
        assert len(row) == math.prod(step.inputs)
        row = done(step, row)
        assert len(row) == math.prod(step.outputs)
    return row


def outputs(known: Description, row: list[float]) -> list[float]:
    """Probabilities of classes or labels, or values."""
    if known.shift is not None and known.divisor is not None:
        row = [(v - m) / d for v, m, d in zip(row, known.shift, known.divisor)]
    row = through(known.steps, [v * known.factor for v in row])
    if known.target_scale is not None and known.target_shift is not None:
        row = [v * scale + shift for v, scale, shift in zip(row, known.target_scale, known.target_shift)]
    if known.output == "softmax":
        return linalg.softmax(row)
    turned = {"exp": math.exp, "sigmoid": linalg.sigmoid}.get(known.output, float)
    row = [turned(v) for v in row]
    return [1.0 - row[0], row[0]] if known.task == "classification" and known.output_size == 1 else row


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_depend_on_nothing_else(name: str) -> None:
    model, X = network(name)
    known = describe(model)
    if model.task == "regression":
        expected = [row if isinstance(row, list) else [row] for row in model.predict(X)]
    else:
        expected = model.predict_proba(X)
        if known.output != "identity":  # a softmax, a sigmoid, an exponential: what tells classes apart is there
            assert len({tuple(row) for row in expected}) > 1
    for row, right in zip(X, expected):
        assert outputs(known, row) == pytest.approx(right, rel=1e-11, abs=1e-12)


def test_every_layer_and_loss_is_described_by_one_of_these_networks() -> None:
    from scratchnn.layers import ARGUMENTS

    layers = {type(layer).__name__ for name in NETWORKS for layer in network(name)[0].network.walk()}
    assert layers == set(ARGUMENTS)
    assert {describe(network(name)[0]).output for name in NETWORKS} == {
        "softmax",
        "exp",
        "identity",
        "sigmoid",
        "values",
    }


def test_steps_inside_others_come_before_them() -> None:
    known = describe(network("residual")[0])
    kinds = [step.kind for step in every_step(known.steps)]
    assert kinds == ["linear", "linear", "tanh", "layer_norm", "linear", "residual", "residual", "linear"]
    assert "layer_norm" in known.kinds


def test_a_classifier_that_learned_distributions_says_logarithms_of_probabilities() -> None:
    layers = [Linear(2, 2), LogSoftmax()]
    model = Model.from_layers(layers, loss="kl_div", task="classification", engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)
    assert outputs(describe(model), [0.5, 2.0]) == pytest.approx(model.predict_proba([[0.5, 2.0]])[0])


def test_what_cannot_be_described_is_refused() -> None:
    with pytest.raises(NotFittedError, match="not been fitted"):
        describe(Model(2, 3, 2))

    class Mine(Layer):
        def forward(self, x: Any) -> Any:
            return x

        def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
            return gradient

    model = Model.from_layers([Mine(), Linear(2, 2)], engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)
    with pytest.raises(ArgumentError, match=r"Mine\(\)"):
        describe(model)
