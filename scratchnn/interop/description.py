"""What a fitted model computes for a row, as plain numbers: what every writer of another format reads.

A ``Description`` has the way from a raw row to an answer in three parts: what is done to the features, the steps of the
network one after another, and what its last numbers stand for. Layers that change nothing while predicting (dropout,
the flattening of images) are gone, a ``Sequential`` inside another has become its own steps, and each step has its
parameters as lists of floats. A format that can say these thirty-odd lines of arithmetic can say any model.

The steps, and the ``settings`` of each (weights as the layers have them, see ``layers/``):

| kind | settings |
| --- | --- |
| linear | weight (inputs x outputs), bias |
| convolution | weight (channels * kernel height * kernel width x filters), bias, kernel, stride, padding (pairs) |
| max_pool, average_pool | kernel, stride, padding (pairs; a maximum never is the padding, a mean counts it as zeros) |
| relu, tanh, sigmoid, gelu, silu, softplus, softmax, log_softmax | |
| leaky_relu | slope |
| elu | alpha |
| layer_norm | weight, bias, epsilon |
| batch_norm | mean, factor, bias: (x - mean) * factor + bias; each counts for all the pixels of its channel |
| embedding | weight (count x features) |
| residual | steps: what they make of the row is added to it |
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..checks import shown
from ..errors import ArgumentError
from ..layers import (
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
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..layers.weights import digest
from ..losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, KLDivLoss, NLLLoss
from ..turns import asking

if TYPE_CHECKING:
    from ..layers.base import Shape
    from ..model import Model
    from ..preprocessing.scaling import Scaling

# Activations without settings, by their layers.
PLAIN = {
    ReLU: "relu",
    Tanh: "tanh",
    Sigmoid: "sigmoid",
    GELU: "gelu",
    SiLU: "silu",
    Softplus: "softplus",
    Softmax: "softmax",
    LogSoftmax: "log_softmax",
}

# What a network's outputs are turned into to become probabilities, by the loss that it learned with.
OUTPUTS = {
    CrossEntropyLoss: "softmax",
    NLLLoss: "exp",
    KLDivLoss: "exp",
    BCELoss: "identity",
    BCEWithLogitsLoss: "sigmoid",
}


@dataclass(frozen=True)
class Step:
    """One thing that is done to a row of numbers; ``inputs`` and ``outputs`` are the shapes before and after it."""

    kind: str
    inputs: Shape
    outputs: Shape
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """All that answers depend on.

    Features become ``(x - shift) / divisor * factor``: ``shift`` and ``divisor`` are one number a column, or both None,
    where there is nothing of the kind; ``factor`` is 1/255 for pixels and 1 otherwise. ``output`` says what
    turns the last numbers into probabilities: "softmax", "exp" or "identity" (one number a class), "sigmoid" or
    "identity" (of a label each; a single one is the probability of the second of two classes), or "values" for
    regression, where ``target_scale * output + target_shift`` is the answer (None: the output itself).
    """

    task: str  # "classification", "multilabel" or "regression"
    input_shape: Shape
    output_size: int
    shift: list[float] | None
    divisor: list[float] | None
    factor: float
    steps: list[Step]
    output: str
    target_shift: list[float] | None
    target_scale: list[float] | None
    classes: list[Any]
    feature_names: list[str]
    label_name: str | None
    digest: str  # of the weights, as ``python -m scratchnn.info`` tells it
    summary: str  # the table of the layers

    @property
    def width(self) -> int:
        """Features a row."""
        return math.prod(self.input_shape)

    @property
    def kinds(self) -> set[str]:
        """The kinds of steps that there are, with those inside others."""
        return {step.kind for step in every_step(self.steps)}


def every_step(steps: list[Step]) -> Iterator[Step]:
    """All steps in the order in which they are done, those inside others before these."""
    for step in steps:
        yield from every_step(step.settings.get("steps", []))
        yield step


@asking
def describe(model: Model) -> Description:
    """The description of a fitted model.

    Raises ``NotFittedError`` for one that was not fitted, ``ModelBusyError`` for one that is learning in another
    thread, and ``ArgumentError`` for layers or losses of one's own, which no other format knows.
    """
    schema = model.schema
    scaling = schema.require_learned()
    shift, divisor, factor = _features(scaling)
    target_shift, target_scale = _targets(schema.target_scaling, model.output_size)
    return Description(
        task=model.task,
        input_shape=model.input_shape,
        output_size=model.output_size,
        shift=shift,
        divisor=divisor,
        factor=factor,
        steps=_steps(model.network, model.input_shape),
        output="values" if model.task == "regression" else _output(model.loss),
        target_shift=target_shift,
        target_scale=target_scale,
        classes=model.classes,
        feature_names=model.feature_names,
        label_name=model.label_name,
        digest=digest(model.network),
        summary=model.summary(),
    )


def _features(scaling: Scaling) -> tuple[list[float] | None, list[float] | None, float]:
    if scaling.kind == "standard":
        return list(scaling.means), list(scaling.deviations), 1.0
    return None, None, scaling.raw([])[1]


def _targets(scaling: Scaling | None, width: int) -> tuple[list[float] | None, list[float] | None]:
    if scaling is None or scaling.kind == "none":
        return None, None
    return (list(scaling.means) or [0.0] * width), scaling.units(width)


def _output(loss: Any) -> str:
    try:
        return OUTPUTS[type(loss)]
    except KeyError:
        raise ArgumentError(f"no other format knows the loss {shown(loss)}: it has to be one of scratchnn's") from None


def _steps(network: Sequential, shape: Shape) -> list[Step]:
    steps: list[Step] = []
    for layer in network:
        output = layer.output_shape(shape)
        if type(layer) is Sequential:
            steps += _steps(layer, shape)
        elif type(layer) not in (Dropout, Flatten):
            kind, settings = _kind_and_settings(layer, shape)
            steps.append(Step(kind, tuple(shape), tuple(output), settings))
        shape = output
    return steps


def _kind_and_settings(layer: Any, shape: Shape) -> tuple[str, dict[str, Any]]:
    kind = type(layer)
    if kind in PLAIN:
        return PLAIN[kind], {}
    if kind is LeakyReLU:
        return "leaky_relu", layer.config()
    if kind is ELU:
        return "elu", layer.config()
    if type(layer) is Residual:
        return "residual", {"steps": _steps(layer, shape)}
    matrices = {parameter.name: layer.ops.to_rows(parameter.value) for parameter in layer.parameters()}
    rows = {name: [[float(v) for v in row] for row in matrix] for name, matrix in matrices.items()}
    if kind is Linear:
        return "linear", {"weight": rows["weight"], "bias": rows["bias"][0]}
    if type(layer) in (Conv2D, MaxPool2D, AvgPool2D):
        window = {"kernel": layer.kernel, "stride": layer.stride, "padding": layer.padding}
        if kind is Conv2D:
            return "convolution", {"weight": rows["weight"], "bias": rows["bias"][0], **window}
        return "max_pool" if kind is MaxPool2D else "average_pool", window
    if type(layer) is LayerNorm:
        return "layer_norm", {"weight": rows["weight"][0], "bias": rows["bias"][0], "epsilon": layer.epsilon}
    if type(layer) is BatchNorm:
        weight, bias, mean, variance = (row[0] for row in rows.values())
        factor = [w / math.sqrt(max(v, 0.0) + layer.epsilon) for w, v in zip(weight, variance)]
        return "batch_norm", {"mean": mean, "factor": factor, "bias": bias}
    if kind is Embedding:
        return "embedding", {"weight": rows["weight"]}
    raise ArgumentError(f"no other format knows the layer {shown(layer)}: it has to be one of scratchnn's")
