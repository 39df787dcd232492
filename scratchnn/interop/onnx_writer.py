"""Writes a fitted model as an ONNX file, with the standard library alone.

The graph begins with raw rows and ends with answers: scaling, network, probabilities and labels are all nodes of it, so
whoever runs it needs to know nothing else. It needs operator set 13 and format version 7 (onnxruntime 1.7, of March
2021, and all later ones); what came to ONNX after that (Gelu, LayerNormalization) is spelled in older operators.
"""

from __future__ import annotations

import json
from struct import pack
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import __version__
from ..engines.sliding_window import Window
from ..errors import ArgumentError
from ..layers import BatchNorm
from . import protobuf as wire
from .description import Description, Step, describe
from .onnx_format import (
    PRODUCER,
    AttributeField,
    AttributeType,
    EntryField,
    GraphField,
    ModelField,
    NodeField,
    OpsetField,
    TensorField,
    TensorType,
    ValueField,
)
from .onnx_forms import AVERAGE_POOL, CONVOLUTION, DOUBLE, FLOAT, WRITTEN, Apply, Setting, X

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..layers.base import Shape
    from ..model import Model

FORMAT_VERSION = 7
OPERATORS_VERSION = 13
INPUT, LABEL, PROBABILITIES, VALUES = "input", "label", "probabilities", "values"
SAMPLES = "samples"  # the name of the dimension that may be of any size

_TYPES = {FLOAT: (TensorType.FLOAT, "f"), DOUBLE: (TensorType.DOUBLE, "d")}


def onnx_bytes(model: Model, dtype: str) -> bytes:
    """The file of a fitted model."""
    description = describe(model)
    graph = _Graph(dtype)
    try:
        outputs = _write(graph, description, _batch_norms(model))
    except OverflowError:
        raise ArgumentError(f"the model has numbers too large for {dtype}: export it with dtype={DOUBLE!r}") from None
    except UnicodeEncodeError as error:
        raise ArgumentError(f"a class's name is no Unicode text, and ONNX has no other: {error}") from None
    reads = TensorType.INT64 if _reads_indices(description) else graph.type
    inputs = [_value(INPUT, reads, (SAMPLES, description.width))]
    content = b"".join(
        [
            *[wire.data(GraphField.NODES, node) for node in graph.nodes],
            wire.text(GraphField.NAME, PRODUCER),
            *[wire.data(GraphField.INITIALIZERS, tensor) for tensor in graph.tensors],
            *[wire.data(GraphField.INPUTS, value) for value in inputs],
            *[wire.data(GraphField.OUTPUTS, value) for value in outputs],
        ]
    )
    entries = [_entry(key, value) for key, value in _metadata(model, description).items()]
    return b"".join(
        [
            wire.whole_number(ModelField.IR_VERSION, FORMAT_VERSION),
            wire.text(ModelField.PRODUCER_NAME, PRODUCER),
            wire.text(ModelField.PRODUCER_VERSION, __version__),
            wire.text(ModelField.DOC_STRING, _in_words(description, dtype)),
            wire.data(ModelField.GRAPH, content),
            wire.data(ModelField.OPSETS, wire.whole_number(OpsetField.VERSION, OPERATORS_VERSION)),
            *[wire.data(ModelField.METADATA, entry) for entry in entries],
        ]
    )


# --- what is beside the graph ------------------------------------------------------------------------------


def _entry(key: str, value: str) -> bytes:
    return wire.text(EntryField.KEY, key) + wire.text(EntryField.VALUE, value)


def _metadata(model: Model, description: Description) -> dict[str, str]:
    """What a graph cannot say; values but for plain texts are JSON."""
    target_scaling = model.target_scaling
    return {
        "made_by": f"scratchnn {__version__}",
        "task": description.task,
        "loss": json.dumps([_name_of_loss(model), model.loss.config()]),
        "input_shape": json.dumps(description.input_shape),
        "classes": json.dumps(description.classes),
        "feature_names": json.dumps(description.feature_names),
        "label_name": json.dumps(description.label_name),
        "label_position": json.dumps(model.label_position),
        "target_scaling": "none" if target_scaling is None else target_scaling.kind,
        "digest": description.digest,
    }


def _name_of_loss(model: Model) -> str:
    from ..losses import LOSSES

    return next((name for name, kind in LOSSES.items() if type(model.loss) is kind), "mse")  # one's own: of values


def _in_words(description: Description, dtype: str) -> str:
    reads = "whole numbers that name things" if _reads_indices(description) else f"raw features, {dtype}"
    ends = {
        "classification": f"{LABEL!r}, the class of each row, and {PROBABILITIES!r}, one a class",
        "multilabel": f"{LABEL!r}, a row of 0 and 1, and {PROBABILITIES!r}, one a label",
        "regression": f"{VALUES!r}, in the unit of the targets",
    }[description.task]
    return (
        f"A network for {description.task}, made by scratchnn {__version__}. {INPUT!r}: rows of {description.width} "
        f"numbers ({reads}); scaling is part of the graph. Outputs: {ends}. SHA-256 of the weights: "
        f"{description.digest}.\n\n{description.summary}\n"
    )


def _reads_indices(description: Description) -> bool:
    return bool(description.steps) and description.steps[0].kind == "embedding"


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto: the name and the type of an input or an output."""
    sizes = [
        wire.text(ValueField.SYMBOL, size) if isinstance(size, str) else wire.whole_number(ValueField.SIZE, size)
        for size in shape
    ]
    dimensions = b"".join(wire.data(ValueField.DIMENSIONS, size) for size in sizes)
    tensor = wire.whole_number(ValueField.ELEMENT, kind) + wire.data(ValueField.SHAPE, dimensions)
    return wire.text(ValueField.NAME, name) + wire.data(ValueField.TYPE, wire.data(ValueField.TENSOR, tensor))


# --- nodes and constants -----------------------------------------------------------------------------------


class _Graph:
    """Nodes and constants as they come, and names for all they make."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.type, self._code = _TYPES[dtype]
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []
        self._known: dict[float, str] = {}  # numbers by themselves, each once
        self._counts: dict[str, int] = {}

    def node(self, operator: str, *inputs: str, output: str = "", note: str = "", **attributes: Any) -> str:
        """The name of what an operator makes of these inputs."""
        name = self._named(operator)
        output = output or f"{name}_output"
        self.nodes.append(
            b"".join(
                [
                    *[wire.text(NodeField.INPUTS, each) for each in inputs],
                    wire.text(NodeField.OUTPUTS, output),
                    wire.text(NodeField.NAME, name),
                    wire.text(NodeField.OPERATOR, operator),
                    *[wire.data(NodeField.ATTRIBUTES, _attribute(*item)) for item in attributes.items()],
                    wire.text(NodeField.DOC_STRING, note) if note else b"",
                ]
            )
        )
        return output

    def numbers(self, name: str, values: Sequence[float], *dims: int) -> str:
        """The name of a constant with these numbers; ``OverflowError`` for those that are too large for its type."""
        return self._constant(name, self.type, pack(f"<{len(values)}{self._code}", *values), dims)

    def number(self, value: float) -> str:
        """The name of a constant that is one number."""
        if value not in self._known:
            self._known[value] = self.numbers("number", [value])
        return self._known[value]

    def whole_numbers(self, name: str, values: Sequence[int], *dims: int) -> str:
        """The name of a constant with these whole numbers."""
        return self._constant(name, TensorType.INT64, pack(f"<{len(values)}q", *values), dims)

    def texts(self, name: str, values: Sequence[str]) -> str:
        """The name of a constant with these texts."""
        name = self._named(name)
        strings = b"".join(wire.text(TensorField.STRINGS, value) for value in values)
        self.tensors.append(_tensor(name, TensorType.STRING, (len(values),)) + strings)
        return name

    def form(self, form: Any, x: str, settings: dict[str, Any], note: str = "") -> str:
        """The name of what a form makes of ``x``. ``settings`` are names of constants, or values of attributes."""
        return self._form(form, x, settings, note, {})

    def _form(self, form: Any, x: str, settings: dict[str, Any], note: str, made: dict[Apply, str]) -> str:
        if form == X:
            return x
        if isinstance(form, Setting):
            return str(settings[form.name])
        if not isinstance(form, Apply):
            return self.number(form)
        if form not in made:
            inputs = [self._form(each, x, settings, note, made) for each in form.inputs]
            attributes = {
                name: settings[value.name] if isinstance(value, Setting) else value for name, value in form.attributes
            }
            made[form] = self.node(form.operator, *inputs, note=note if form.operator == "Gather" else "", **attributes)
        return made[form]

    def _constant(self, name: str, kind: int, raw: bytes, dims: tuple[int, ...]) -> str:
        name = self._named(name)
        self.tensors.append(_tensor(name, kind, dims) + wire.data(TensorField.RAW, raw))
        return name

    def _named(self, name: str) -> str:
        """This name, with a number of its own behind it."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return f"{name}_{count}"


def _tensor(name: str, kind: int, dims: tuple[int, ...]) -> bytes:
    """A TensorProto but for its numbers."""
    sizes = wire.packed(TensorField.DIMS, dims) if dims else b""
    return sizes + wire.whole_number(TensorField.TYPE, kind) + wire.text(TensorField.NAME, name)


def _attribute(name: str, value: Any) -> bytes:
    """An AttributeProto: a number, a whole number, or several of these."""
    if isinstance(value, float):
        kind, content = AttributeType.FLOAT, wire.single(AttributeField.FLOAT, value)
    elif isinstance(value, int):
        kind, content = AttributeType.INT, wire.whole_number(AttributeField.INT, value)
    else:
        kind, content = AttributeType.INTS, wire.packed(AttributeField.INTS, value)
    return wire.text(AttributeField.NAME, name) + content + wire.whole_number(AttributeField.TYPE, kind)


# --- from rows to answers ----------------------------------------------------------------------------------


class _Value(NamedTuple):
    """A value on its way: samples x numbers, or as an ``image`` samples x channels x height x width."""

    name: str
    shape: Shape  # of a sample, as the layers see it
    image: bool = False


def _write(graph: _Graph, description: Description, batch_norms: Iterator[BatchNorm]) -> list[bytes]:
    """Write all nodes; the outputs' names and types."""
    name = _scaled(graph, description)
    value = _network(graph, description.steps, _Value(name, description.input_shape), batch_norms)
    row = _row(graph, value).name
    if description.task == "regression":
        return _values(graph, description, row)
    return (
        _multilabel(graph, description, row) if description.task == "multilabel" else _classes(graph, description, row)
    )


def _scaled(graph: _Graph, description: Description) -> str:
    """The name of the rows that the network reads."""
    name = INPUT
    if description.shift is not None:
        name = graph.node("Sub", name, graph.numbers("feature_mean", description.shift, description.width))
    if description.divisor is not None:
        name = graph.node("Div", name, _divisor(graph, description.divisor))
    if description.factor != 1.0:  # divided, since 255 is the same in every type of numbers, and 1/255 is not
        name = graph.node("Div", name, graph.number(1.0 / description.factor))
    return name


def _divisor(graph: _Graph, deviations: list[float]) -> str:
    if graph.dtype == FLOAT and min(deviations) < 1.2e-38:
        raise ArgumentError(f"a feature's deviation is too small for {FLOAT}: export it with dtype={DOUBLE!r}")
    return graph.numbers("feature_deviation", deviations, len(deviations))


def _values(graph: _Graph, description: Description, row: str) -> list[bytes]:
    size = description.output_size
    if description.target_scale is not None and description.target_shift is not None:
        row = graph.node("Mul", row, graph.numbers("target_deviation", description.target_scale, size))
        row = graph.node("Add", row, graph.numbers("target_mean", description.target_shift, size))
    graph.node("Identity", row, output=VALUES)
    return [_value(VALUES, graph.type, (SAMPLES, size))]


def _probability(graph: _Graph, description: Description, row: str, output: str = "") -> str:
    """Outputs as probabilities."""
    if description.output == "softmax":
        return graph.node("Softmax", row, output=output, axis=-1)
    return graph.node({"exp": "Exp", "sigmoid": "Sigmoid"}.get(description.output, "Identity"), row, output=output)


def _more_probable_than_not(graph: _Graph, probability: str, output: str = "") -> str:
    flag = graph.node("GreaterOrEqual", probability, graph.number(0.5))
    return graph.node("Cast", flag, output=output, to=TensorType.INT64)


def _multilabel(graph: _Graph, description: Description, row: str) -> list[bytes]:
    _probability(graph, description, row, PROBABILITIES)
    _more_probable_than_not(graph, PROBABILITIES, LABEL)
    shape = (SAMPLES, description.output_size)
    return [_value(LABEL, TensorType.INT64, shape), _value(PROBABILITIES, graph.type, shape)]


def _classes(graph: _Graph, description: Description, row: str) -> list[bytes]:
    """Of several outputs the largest names the class, of equal ones the first; a single one is about the second."""
    if description.output_size > 1:
        _probability(graph, description, row, PROBABILITIES)
        index = graph.node("ArgMax", row, axis=1, keepdims=0)
    else:
        second = _probability(graph, description, row)
        if description.output == "sigmoid":  # that of -x keeps the digits that 1 - sigmoid(x) would lose
            first = graph.node("Sigmoid", graph.node("Neg", row))
        else:
            first = graph.node("Sub", graph.number(1.0), second)
        graph.node("Concat", first, second, output=PROBABILITIES, axis=1)
        flag = _more_probable_than_not(graph, second)
        index = graph.node("Reshape", flag, graph.whole_numbers("one_a_sample", [-1], 1))
    classes = description.classes
    if all(isinstance(label, str) for label in classes):
        kind, known = TensorType.STRING, graph.texts("classes", classes)
    else:
        kind, known = TensorType.INT64, graph.whole_numbers("classes", [*map(int, classes)], len(classes))
    graph.node("Gather", known, index, output=LABEL, axis=0)
    return [_value(LABEL, kind, (SAMPLES,)), _value(PROBABILITIES, graph.type, (SAMPLES, len(classes)))]


# --- steps -------------------------------------------------------------------------------------------------


def _network(graph: _Graph, steps: list[Step], value: _Value, batch_norms: Iterator[BatchNorm]) -> _Value:
    for step in steps:
        if step.kind == "residual":
            inside = _network(graph, step.settings["steps"], value, batch_norms)
            inside = (_image if value.image else _row)(graph, inside)
            value = value._replace(name=graph.node("Add", value.name, inside.name))
        elif step.kind == "batch_norm":
            value = _batch_norm(graph, step, value, next(batch_norms))
        elif step.kind in _OWN:
            value = _OWN[step.kind](graph, step, value)
        elif step.kind in WRITTEN:
            value = value._replace(name=graph.form(WRITTEN[step.kind][graph.dtype], value.name, _settings(graph, step)))
        else:
            raise ArgumentError(f"a step {step.kind!r} cannot be written as ONNX")
    return value


def _settings(graph: _Graph, step: Step) -> dict[str, Any]:
    """Numbers by themselves: of attributes as they are, and otherwise constants."""
    if graph.dtype == FLOAT:
        return step.settings
    return {name: graph.number(value) for name, value in step.settings.items()}


def _row(graph: _Graph, value: _Value) -> _Value:
    """As samples x numbers."""
    return value._replace(name=graph.node("Flatten", value.name, axis=1), image=False) if value.image else value


def _image(graph: _Graph, value: _Value) -> _Value:
    """As samples x channels x height x width."""
    if value.image:
        return value
    shape = graph.whole_numbers("image_shape", [0, *value.shape], 4)  # 0: as many samples as there are
    return value._replace(name=graph.node("Reshape", value.name, shape), image=True)


def _flat(rows: list[list[float]]) -> list[float]:
    return [number for row in rows for number in row]


def _linear(graph: _Graph, step: Step, value: _Value) -> _Value:
    weight, bias = step.settings["weight"], step.settings["bias"]
    row = _row(graph, value).name
    weights = graph.numbers("linear_weight", _flat(weight), len(weight), len(bias))
    biases = graph.numbers("linear_bias", bias, len(bias))
    if graph.dtype == DOUBLE:  # onnxruntime 1.7 makes one operator of Gemm and Relu, which it has not for doubles
        return _Value(graph.node("Add", graph.node("MatMul", row, weights), biases), step.outputs)
    return _Value(graph.node("Gemm", row, weights, biases), step.outputs)


def _embedding(graph: _Graph, step: Step, value: _Value) -> _Value:
    weight = step.settings["weight"]
    table = graph.numbers("embedding_weight", _flat(weight), len(weight), len(weight[0]))
    name = graph.node("Flatten", graph.node("Gather", table, value.name, axis=0), axis=1)
    return _Value(name, step.outputs)


def _on_rows(graph: _Graph, step: Step, value: _Value) -> _Value:
    """A softmax or its logarithm, of all the numbers of a sample."""
    value = _row(graph, value)
    return value._replace(name=graph.form(WRITTEN[step.kind][graph.dtype], value.name, {}))


def _layer_norm(graph: _Graph, step: Step, value: _Value) -> _Value:
    value = _row(graph, value)
    settings = {
        "weight": graph.numbers("layer_norm_weight", step.settings["weight"], len(step.settings["weight"])),
        "bias": graph.numbers("layer_norm_bias", step.settings["bias"], len(step.settings["bias"])),
        "epsilon": graph.number(step.settings["epsilon"]),
    }
    return value._replace(name=graph.form(WRITTEN[step.kind][graph.dtype], value.name, settings))


def _batch_norms(model: Model) -> Iterator[BatchNorm]:
    """The layers themselves, in order: a description has what weight and variance come to, and they learn on."""
    return (layer for layer in model.network.in_line() if type(layer) is BatchNorm)


def _batch_norm(graph: _Graph, step: Step, value: _Value, layer: BatchNorm) -> _Value:
    value = (_image if len(step.inputs) == 3 else _row)(graph, value)
    weight, bias, mean, variance = ([*map(float, *layer.ops.to_rows(p.value))] for p in layer.parameters())
    # Doubles broadcast them over an image, the operator for floats takes one a channel.
    dims = (layer.features, 1, 1) if value.image and graph.dtype == DOUBLE else (layer.features,)
    settings = {
        "weight": graph.numbers("batch_norm_weight", weight, *dims),
        "bias": graph.numbers("batch_norm_bias", bias, *dims),
        "mean": graph.numbers("batch_norm_mean", mean, *dims),
        "variance": graph.numbers("batch_norm_variance", [max(v, 0.0) for v in variance], *dims),
        "epsilon": layer.epsilon if graph.dtype == FLOAT else graph.number(layer.epsilon),
        "momentum": 1.0 - layer.momentum,  # ONNX counts what is kept
    }
    return value._replace(name=graph.form(WRITTEN["batch_norm"][graph.dtype], value.name, settings))


def _sizes(step: Step) -> dict[str, Any]:
    """The attributes of a window."""
    padding = step.settings["padding"]
    return {"kernel_shape": step.settings["kernel"], "strides": step.settings["stride"], "pads": (*padding, *padding)}


def _convolution(graph: _Graph, step: Step, value: _Value) -> _Value:
    weight, bias = step.settings["weight"], step.settings["bias"]
    if graph.dtype == DOUBLE:
        settings = {
            "weight": graph.numbers("convolution_weight", _flat(weight), len(weight), len(bias)),
            "bias": graph.numbers("convolution_bias", bias, len(bias)),
        }
        return _windowed(graph, step, value, CONVOLUTION, settings)
    value = _image(graph, value)
    filters = [number for column in zip(*weight) for number in column]
    name = graph.node(
        "Conv",
        value.name,
        graph.numbers("convolution_weight", filters, len(bias), step.inputs[0], *step.settings["kernel"]),
        graph.numbers("convolution_bias", bias, len(bias)),
        **_sizes(step),
    )
    return _Value(name, step.outputs, image=True)


def _max_pool(graph: _Graph, step: Step, value: _Value) -> _Value:
    name = graph.node("MaxPool", _image(graph, value).name, **_sizes(step))
    return _Value(name, step.outputs, image=True)


def _average_pool(graph: _Graph, step: Step, value: _Value) -> _Value:
    if graph.dtype == DOUBLE:
        return _windowed(graph, step, value, AVERAGE_POOL, {}, by_channel=True)
    name = graph.node("AveragePool", _image(graph, value).name, count_include_pad=1, **_sizes(step))
    return _Value(name, step.outputs, image=True)


def _windowed(
    graph: _Graph,
    step: Step,
    value: _Value,
    forms: dict[bool, Apply],
    settings: dict[str, Any],
    by_channel: bool = False,
) -> _Value:
    """By a table of what a window sees at each of its positions: for doubles, which runtimes cannot convolve."""
    kernel, stride, padding = (step.settings[name] for name in ("kernel", "stride", "padding"))
    channels, height, width = step.inputs
    window = Window(channels, height, width, kernel, stride, padding)
    padded = padding != (0, 0)
    seen = (window.channels, window.taps) if by_channel else (window.channels * window.taps,)
    table = [number for patch in window.patches for number in patch]
    settings["table"] = graph.whole_numbers("window_table", table, window.positions, *seen)
    settings["row"] = graph.whole_numbers("row_shape", [0, step.outputs[0] * window.positions], 2)
    if padded:
        settings["pads"] = graph.whole_numbers("one_zero_behind", [0, 0, 0, 1], 4)
    note = "kernel {} {} stride {} {} padding {} {}".format(*kernel, *stride, *padding)
    return _Value(graph.form(forms[padded], _row(graph, value).name, settings, note), step.outputs)


_OWN: dict[str, Any] = {
    "linear": _linear,
    "embedding": _embedding,
    "softmax": _on_rows,
    "log_softmax": _on_rows,
    "layer_norm": _layer_norm,
    "convolution": _convolution,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
}
