"""Makes a model of an ONNX file: what scratchnn writes, and what PyTorch and skl2onnx write for the same networks.

It goes from the end of the graph to its beginning, taking off one step after another: an operator, or several that
together spell one (see ``onnx_forms``). What it then has, in order, becomes layers, with the shape of a sample known at
each. Whatever has no counterpart is refused by the operator's name and the node's; nothing is guessed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import require, shown
from ..engines.sliding_window import Window
from ..errors import ModelFileError
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
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..preprocessing.scaling import PIXEL_FACTOR, Scaling
from .onnx_forms import CLOSE, COMMUTATIVE, FORMS, Apply, Setting, X
from .onnx_graph import LEARNING_OPERATORS, Graph, Node, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..layers.base import Layer, Shape

COMPARISONS = 200  # of a node with what forms have there: of ours, that with the most needs 30 a node
MOST_NESTED = 12  # residual connections inside others; a model's file holds no more

# Operators by themselves, whose first input is what they are done to, and the layers without settings among them.
PLAIN: dict[str, type[Layer]] = {
    "Relu": ReLU,
    "Tanh": Tanh,
    "Sigmoid": Sigmoid,
    "Softplus": Softplus,
    "silu": SiLU,
    "gelu": GELU,
    "softplus": Softplus,
}
SCALER = f"{LEARNING_OPERATORS}.Scaler"
AFFINE = ("Add", "Sub", "Mul", "Div")


class Step(NamedTuple):
    """An operator, or the kind of a form, with the node that it ends in and what was found in the form."""

    kind: str
    node: Node
    settings: dict[str, Any]


# --- backwards: which steps there are ----------------------------------------------------------------------


class Steps:
    """Takes the steps of a graph apart, from behind."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._comparisons = COMPARISONS * (len(graph.makers) + COMPARISONS)

    def between(self, begin: str, end: str, depth: int = 0) -> list[Step]:
        """The steps that make the value ``end`` of the value ``begin``, in order."""
        graph, found = self.graph, []
        begin, name = graph.source(begin), graph.source(end)
        while name != begin:
            node = graph.node(name)
            if node is None or graph.place(name) <= graph.place(begin):
                raise ModelFileError(
                    f"{shown(end)} does not come from {shown(begin)} alone, in one line: scratchnn's networks are one "
                    "layer after another, and what is added to its own input"
                )
            require(node.outputs[0] == name, f"{node} is read for its output {shown(name)}, which is not its first")
            step, name = self._last(node, name, depth)
            name = graph.source(name)
            found.append(step)
        return found[::-1]

    def _last(self, node: Node, name: str, depth: int) -> tuple[Step, str]:
        """(the step that makes a value, what it makes it of)."""
        for kind, form in FORMS.get(node.operator, []):
            settings = self._match(form, name, {})
            if settings is not None:
                return Step(kind, node, settings), settings[X]
        if node.operator in AFFINE and len(node.inputs) == 2:
            return self._of_two(node, depth)
        if node.operator == "Gather" and len(node.inputs) == 2:
            return Step(node.operator, node, {}), self._indices(node.inputs[1])
        if not node.inputs or not (node.operator in _MAKERS or node.operator in PLAIN or node.operator == SCALER):
            raise node.refused()
        return Step(node.operator, node, {}), node.inputs[0]

    def _indices(self, name: str) -> str:
        """What whole numbers were made from."""
        node = self.graph.node(self.graph.source(name))
        return node.inputs[0] if node is not None and node.operator == "Cast" and node.inputs else name

    def _of_two(self, node: Node, depth: int) -> tuple[Step, str]:
        """A sum with, or a product by, what is constant; or what is added to its own input."""
        graph = self.graph
        first, second = map(graph.source, node.inputs)
        constants = [graph.constant(name) for name in node.inputs]
        if constants[1] is not None:
            return Step("affine", node, {"by": constants[1]}), first
        if constants[0] is not None and node.operator in COMMUTATIVE:
            return Step("affine", node, {"by": constants[0]}), second
        if node.operator != "Add" or constants[0] is not None or first == second:
            raise node.refused("of these inputs")
        if depth >= MOST_NESTED:
            raise node.refused(f"more than {MOST_NESTED} deep inside others")
        begin, end = sorted((first, second), key=graph.place)
        return Step("residual", node, {"steps": self.between(begin, end, depth + 1)}), begin

    def _match(self, form: Any, name: str, found: dict[str, Any]) -> dict[str, Any] | None:
        """What ``X`` and the settings of a form are, if the value of this name is made as it says; or None."""
        graph = self.graph
        name = graph.source(name)
        self._comparisons -= 1
        require(self._comparisons > 0, "its operators can be read in more ways than can be tried")
        if isinstance(form, Setting):
            constant = graph.constant(name)
            fine = constant is not None and found.get(form.name, constant) is constant
            return {**found, form.name: constant} if fine else None
        if not isinstance(form, Apply):
            if form != X:
                number = graph.number(name)
                return found if number is not None and math.isclose(number, form, rel_tol=CLOSE) else None
            fine = found.get(X, name) == name and graph.constant(name) is None
            return {**found, X: name} if fine else None
        node = graph.node(name)
        if node is None or node.operator != form.operator:
            return None
        inputs, fine = _attributes_match(graph, node, form)
        if not fine or len(inputs) != len(form.inputs):
            return None
        if form.operator == "Gather":
            found = {**found, "note": node.note}
        # What is quickly seen not to fit comes first.
        parts = sorted(range(len(inputs)), key=lambda place: isinstance(form.inputs[place], Apply))
        for order in (inputs, inputs[::-1]) if form.operator in COMMUTATIVE else (inputs,):
            matched: dict[str, Any] | None = found
            for each, part in [(order[place], form.inputs[place]) for place in parts]:
                matched = None if matched is None else self._match(part, each, matched)
            if matched is not None:
                return matched
        return None


def _attributes_match(graph: Graph, node: Node, form: Apply) -> tuple[list[str], bool]:
    """(the inputs of a node that are no settings, whether those are as in the form)."""
    inputs, wanted, has = node.inputs, dict(form.attributes), dict(node.attributes)
    if node.operator == "ReduceMean":  # whose axes became an input
        has.setdefault("keepdims", 1)
        wanted.setdefault("keepdims", 1)
        if len(inputs) == 2:
            axes = graph.constant(inputs[1])
            has["axes"] = None if axes is None or axes.floats else [*axes.numbers]
            inputs = inputs[:1]
        has.pop("noop_with_empty_axes", None)
    elif node.operator in ("Swish", "Pad"):
        usual: dict[str, Any] = {"alpha": 1.0} if node.operator == "Swish" else {"mode": "constant"}
        if any(value != usual.get(name) for name, value in has.items()):
            return inputs, False
        has = {}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in has.items()}
    return inputs, plain == wanted


# --- forwards: layers --------------------------------------------------------------------------------------


class Builder:
    """Makes layers of steps. ``shape`` is that of a sample as the layers see it, ``sizes`` as the graph does."""

    def __init__(self, graph: Graph, sizes: Sequence[int], batch: int | None, shape: Shape) -> None:
        self.graph = graph
        self.batch = batch  # how many samples the graph is for, if it says so
        self.sizes = [*sizes]
        self.shape = self.input_shape = tuple(shape)
        self.layers: list[Layer] = []
        self.features = Affine(graph)
        self.trailing: list[Step] = []  # sums and products behind the last layer
        self._open: Layer | None = None  # a layer whose bias may still come

    @property
    def width(self) -> int:
        """Numbers a sample."""
        return math.prod(self.shape)

    def run(self, steps: Sequence[Step], layers: list[Layer]) -> None:
        """Add the layers that steps stand for to ``layers``."""
        before, self.layers = self.layers, layers
        outermost = before is layers
        for step in steps:
            opened, self._open = self._open, None
            if step.kind == "affine":
                self._affine(step, opened, outermost)
                continue
            if step.kind == SCALER and outermost and not layers:
                self._scaler(step.node)
                continue
            self._require_no_trailing()
            if step.kind == "residual":
                inside: list[Layer] = []
                self.run(step.settings["steps"], inside)
                self._require_no_trailing()
                self._open = None
                layers.append(Residual(inside))
            elif step.kind in PLAIN:
                layers.append(PLAIN[step.kind]())
            else:
                _MAKERS[step.kind](self, step)
        self.layers = before

    def _require_no_trailing(self) -> None:
        if self.trailing:
            raise self.trailing[0].node.refused("of a constant, in the middle of the network,")

    def _add(self, layer: Layer, sizes: Sequence[int] | None = None) -> None:
        """Add a layer, whose outputs the graph has in these sizes; of one that changes no shape, in those of before."""
        self.shape = layer.output_shape(self.shape)
        self.layers.append(layer)
        if sizes is not None:
            self.sizes = [*sizes]

    # --- sums and products ------------------------------------------------------------------------------------

    def _affine(self, step: Step, opened: Layer | None, outermost: bool) -> None:
        by: Tensor = step.settings["by"]
        if len(by.dims) > 1 + len(self.sizes):
            raise step.node.refused(f"of a constant of {' x '.join(map(str, by.dims))}")
        if step.node.operator == "Add" and isinstance(opened, (Linear, Conv2D)) and by.floats:
            outputs = self.shape[0]
            expected = [outputs, 1, 1] if isinstance(opened, Conv2D) else [outputs]
            if len(by.numbers) == outputs and by.trimmed == _trimmed(expected):
                opened.bias.value = [self.numbers(by)]
                return
        if outermost and not self.layers:
            self.features.then(step.node, self.each(step.node, by))
        else:
            self.trailing.append(step)

    def _scaler(self, node: Node) -> None:
        for name, operator in (("offset", "Sub"), ("scale", "Mul")):
            numbers = node.attribute(name, [], list)
            if numbers:
                fine = len(numbers) in (1, self.width) and all(isinstance(number, float) for number in numbers)
                require(fine, f"{node} has {len(numbers)} numbers {name} for {self.width} features")
                self.features.then(node, numbers if len(numbers) > 1 else numbers[0], operator)

    def each(self, node: Node, by: Tensor) -> float | list[float]:
        """A constant as one number for each of a sample, or as a single one."""
        if not by.floats:
            raise node.refused("of whole numbers")
        if len(by.numbers) == 1:
            return float(by.numbers[0])
        sizes = by.trimmed
        here = self.sizes[len(self.sizes) - len(sizes) :] if len(sizes) <= len(self.sizes) else []
        if not here or any(size not in (1, whole) for size, whole in zip(sizes, here)):
            raise node.refused(f"of a constant of {' x '.join(map(str, by.dims))}")
        self.graph.take(self.width)
        places = [0]
        for size, whole in zip([1] * (len(self.sizes) - len(sizes)) + sizes, self.sizes):
            places = [place * size + (k if size > 1 else 0) for place in places for k in range(whole)]
        return [float(by.numbers[place]) for place in places]

    # --- constants --------------------------------------------------------------------------------------------

    def tensor(self, node: Node, place: int, what: str, *dims: int | None) -> Tensor:
        """The constant that a node reads at this place, of these dimensions (None: any size)."""
        return self.shaped(
            node, self.graph.constant(node.inputs[place] if place < len(node.inputs) else ""), what, *dims
        )

    def shaped(self, node: Node, constant: Tensor | None, what: str, *dims: int | None) -> Tensor:
        """A constant, if it is one of numbers with a fraction, and of these dimensions but for leading ones of 1."""
        if constant is None:
            raise node.refused(f"with a {what} that is no constant")
        came = constant.dims
        while len(came) > len(dims) and came[0] == 1:
            came = came[1:]
        fine = len(came) == len(dims) and all(size in (None, there) for size, there in zip(dims, came))
        if not fine or not constant.floats or 0 in came:
            expected = " x ".join("any" if size is None else str(size) for size in dims)
            sizes = " x ".join(map(str, constant.dims)) or "1"
            raise ModelFileError(f"{node} has a {what} of {sizes} numbers, expected {expected} with fractions")
        return constant

    def numbers(self, constant: Tensor) -> list[float]:
        """Its numbers as floats."""
        self.graph.take(len(constant.numbers))
        return [*map(float, constant.numbers)]

    def rows(self, constant: Tensor, columns: int) -> list[list[float]]:
        """Its numbers as rows of floats."""
        numbers = self.numbers(constant)
        return [numbers[first : first + columns] for first in range(0, len(numbers), columns)]

    def number(self, node: Node, given: Any) -> float:
        """A setting that is one number, as an attribute or as a constant."""
        if isinstance(given, Tensor):
            if len(given.numbers) != 1:
                raise node.refused("with several numbers for one")
            return float(given.numbers[0])
        return float(given)

    # --- layers with settings ---------------------------------------------------------------------------------

    def _row(self, node: Node) -> int:
        """The numbers of a sample, which have to be in a row."""
        if len(self.sizes) != 1:
            raise node.refused(f"on samples of {' x '.join(map(str, self.sizes))}, which are no rows,")
        return self.sizes[0]

    def _flatten_images(self) -> None:
        if len(self.shape) > 1:
            self._add(Flatten())

    def gemm(self, step: Step) -> None:
        node, inputs = step.node, self._row(step.node)
        node.expect(alpha=1.0, beta=1.0, transA=0)
        turned = node.attribute("transB", 0) != 0
        weight = self.tensor(node, 1, "weight", *((None, inputs) if turned else (inputs, None)))
        rows = self.rows(weight, weight.dims[-1])
        if turned:
            rows = [*map(list, zip(*rows))]
        outputs = len(rows[0])
        has_bias = len(node.inputs) > 2 and node.inputs[2]
        self._linear(rows, self.numbers(self.tensor(node, 2, "bias", outputs)) if has_bias else [0.0] * outputs)

    def matmul(self, step: Step) -> None:
        weight = self.tensor(step.node, 1, "weight", self._row(step.node), None)
        rows = self.rows(weight, weight.dims[-1])
        self._linear(rows, [0.0] * len(rows[0]))
        self._open = self.layers[-1]

    def _linear(self, rows: list[list[float]], bias: list[float]) -> None:
        self._flatten_images()
        layer = Linear(len(rows), len(bias))
        layer.weight.value, layer.bias.value = rows, [bias]
        self._add(layer, [len(bias)])

    def gather(self, step: Step) -> None:
        node, count = step.node, self._row(step.node)
        node.expect(axis=0)
        if self.layers or self.features.used:
            raise node.refused("behind other layers")
        rows = self.rows(self.tensor(node, 0, "table", None, None), self.tensor(node, 0, "table", None, None).dims[-1])
        self._flatten_images()
        layer = Embedding(len(rows), len(rows[0]))
        layer.weight.value = rows
        self._add(layer, [count, len(rows[0])])

    # --- images -----------------------------------------------------------------------------------------------

    def _image(self, node: Node) -> tuple[int, int, int]:
        if len(self.sizes) != 3 or len(self.shape) != 3:
            raise node.refused(f"on samples of {' x '.join(map(str, self.sizes))}, which are no images,")
        channels, height, width = self.shape
        return channels, height, width

    def _window(self, node: Node, kernel: list[int] | None = None) -> tuple[list[int], list[int], list[int]]:
        """(kernel, stride, padding) of a node, in pairs."""
        node.expect(dilations=[1, 1], ceil_mode=0, auto_pad="NOTSET")
        kernel = node.attribute("kernel_shape", kernel, list)
        stride, pads = node.attribute("strides", [1, 1]), node.attribute("pads", [0, 0, 0, 0])
        if kernel is None or [len(kernel), len(stride), len(pads)] != [2, 2, 4]:
            raise node.refused("on images of other than two dimensions")
        if pads[:2] != pads[2:]:
            raise node.refused("with another padding on one side than on the other")
        return kernel, stride, pads[:2]

    def conv(self, step: Step) -> None:
        node, (channels, _, _) = step.node, self._image(step.node)
        node.expect(group=1)
        weight = self.tensor(node, 1, "weight", None, channels, None, None)
        filters, _, height, width = weight.dims[-4:]
        kernel, stride, padding = self._window(node, [height, width])
        if kernel != [height, width]:
            raise node.refused(f"with kernel_shape {shown(kernel)} and a weight for {height} x {width}")
        rows = [*map(list, zip(*self.rows(weight, channels * height * width)))]
        has_bias = len(node.inputs) > 2 and node.inputs[2]
        bias = self.numbers(self.tensor(node, 2, "bias", filters)) if has_bias else [0.0] * filters
        self._convolution(rows, bias, kernel, stride, padding)
        if not has_bias:
            self._open = self.layers[-1]

    def _convolution(self, rows: list[list[float]], bias: list[float], *window: list[int]) -> None:
        layer = Conv2D(self.shape[0], len(bias), *window)
        layer.weight.value, layer.bias.value = rows, [bias]
        self._add(layer, layer.output_shape(self.shape))

    def pool(self, step: Step) -> None:
        node = step.node
        _, *image = self._image(node)
        kernel, stride, padding = image, image, [0, 0]
        if not node.operator.startswith("Global"):
            kernel, stride, padding = self._window(node)
        if node.operator == "AveragePool" and padding != [0, 0] and node.attribute("count_include_pad", 0) != 1:
            raise node.refused("whose padding does not count")
        layer = (MaxPool2D if node.operator.endswith("MaxPool") else AvgPool2D)(kernel, stride, padding)
        self._add(layer, layer.output_shape(self.shape))

    def mean(self, step: Step) -> None:
        """A mean over all of an image, which is a pooling."""
        node, (_, *image) = step.node, self._image(step.node)
        axes = node.attribute("axes", None, list)
        given = self.graph.constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if given is not None and not given.floats:
            axes = [*given.numbers]
        if axes is None or sorted(axis + 4 if axis < 0 else axis for axis in axes) != [2, 3]:
            raise node.refused("along other axes than those of images")
        layer = AvgPool2D(image, image)
        self._add(layer, layer.output_shape(self.shape))
        if not node.attribute("keepdims", 1):
            self.sizes = self.sizes[:1]

    def windowed(self, step: Step) -> None:
        """A convolution or a mean by a table of what its window sees, if that is a window's own table."""
        node, settings, width = step.node, step.settings, self._row(step.node)
        kernel, stride, padding = _noted(node, settings["note"])
        if len(self.shape) != 3 or width != self.width:
            raise node.refused("on samples that are no images")
        window = Window(*self.shape, kernel, stride, padding)
        seen = [window.channels * window.taps] if "weight" in settings else [window.channels, window.taps]
        table, pads = settings["table"], settings.get("pads")
        padded = padding != [0, 0]
        fine = table.dims == [window.positions, *seen] and [*(pads.numbers if pads else ())] == [0, 0, 0, 1] * padded
        if not fine or [*table.numbers] != [number for patch in window.patches for number in patch]:
            raise node.refused("of a table that is no window's")
        if "weight" in settings:
            weight = self.shaped(node, settings["weight"], "weight", *seen, None)
            rows = self.rows(weight, weight.dims[-1])
            bias = self.numbers(self.shaped(node, settings["bias"], "bias", len(rows[0])))
            self._convolution(rows, bias, kernel, stride, padding)
        else:
            layer = AvgPool2D(kernel, stride, padding)
            self._add(layer, layer.output_shape(self.shape))
        if self._new_sizes(node, [*map(int, settings["row"].numbers)]) != [self.width]:
            raise node.refused("of these sizes")
        self.sizes = [self.width]

    # --- the others -------------------------------------------------------------------------------------------

    def batch_norm(self, step: Step) -> None:
        node = step.node
        features = self.sizes[0]
        dims: list[int | None] = [features]
        if node.operator == "BatchNormalization":
            node.expect(training_mode=0, spatial=1)
            names = "weight", "bias", "mean", "variance"
            tensors = [self.tensor(node, place, name, features) for place, name in enumerate(names, 1)]
            epsilon, momentum = node.attribute("epsilon", 1e-5), node.attribute("momentum", 0.9)
        else:
            dims += [1] * (len(self.sizes) - 1)
            names = "weight", "bias", "mean", "variance"
            tensors = [self.shaped(node, step.settings[name], name, *dims) for name in names]
            epsilon, momentum = self.number(node, step.settings["epsilon"]), 0.9
        if len(self.sizes) not in (1, 3):
            raise node.refused(f"on samples of {' x '.join(map(str, self.sizes))}")
        if len(self.sizes) == 1:
            self._flatten_images()
        layer = BatchNorm(features, min(max(1.0 - momentum, 0.0), 0.999999), epsilon)
        parameters = layer.weight, layer.bias, layer.running_mean, layer.running_variance
        for parameter, tensor in zip(parameters, tensors):
            parameter.value = [self.numbers(tensor)]
        self._add(layer)

    def layer_norm(self, step: Step) -> None:
        node = step.node
        if node.operator == "LayerNormalization":
            whole = len(self.sizes)
            if node.attribute("axis", -1) not in (1, -whole):
                raise node.refused("of a part of a sample")
            weight = self.tensor(node, 1, "weight", *self.sizes)
            has_bias = len(node.inputs) > 2 and node.inputs[2]
            bias = self.numbers(self.tensor(node, 2, "bias", *self.sizes)) if has_bias else [0.0] * self.width
            epsilon = node.attribute("epsilon", 1e-5)
        else:
            size = self._row(node)
            weight = self.shaped(node, step.settings["weight"], "weight", size)
            bias = self.numbers(self.shaped(node, step.settings["bias"], "bias", size))
            epsilon = self.number(node, step.settings["epsilon"])
        layer = LayerNorm(self.width, epsilon)
        layer.weight.value, layer.bias.value = [self.numbers(weight)], [bias]
        self._add(layer)

    def leaky_relu(self, step: Step) -> None:
        slope = step.settings.get("slope", step.node.attribute("alpha", 0.01))
        self._add(LeakyReLU(self.number(step.node, slope)))

    def elu(self, step: Step) -> None:
        alpha = step.settings.get("alpha", step.node.attribute("alpha", 1.0))
        self._add(ELU(self.number(step.node, alpha)))

    def gelu(self, step: Step) -> None:
        step.node.expect(approximate="none")
        self._add(GELU())

    def softmax(self, step: Step) -> None:
        node = step.node
        require_rows(node, self.graph.version, len(self.sizes))
        self._add(Softmax() if node.operator == "Softmax" else LogSoftmax())

    def dropout(self, step: Step) -> None:
        node = step.node
        rate = node.attribute("ratio", 0.5)
        if len(node.inputs) > 1 and node.inputs[1]:
            given = self.graph.number(node.inputs[1])
            rate = 0.5 if given is None else given
        self._add(Dropout(rate))

    def flatten(self, step: Step) -> None:
        if step.node.attribute("axis", 1) not in (1, -len(self.sizes)):
            raise step.node.refused("along another axis than 1")
        self.sizes = [math.prod(self.sizes)]

    def reshape(self, step: Step) -> None:
        node = step.node
        wanted = self.graph.sizes(node.inputs[1]) if len(node.inputs) > 1 else node.attribute("shape", None, list)
        if wanted is None:
            raise node.refused("to sizes that are no constants")
        sizes = self._new_sizes(node, wanted)
        if len(sizes) == 3 and tuple(sizes) != self.shape:
            # What comes as rows may be images; later on nothing becomes one.
            if self.layers or len(self.shape) > 1:
                raise node.refused(f"to {' x '.join(map(str, sizes))}")
            self.shape = self.input_shape = tuple(sizes)
        self.sizes = sizes

    def _new_sizes(self, node: Node, wanted: list[int]) -> list[int]:
        """The sizes of a sample after a Reshape, which leaves samples what they are."""
        total = math.prod(self.sizes)
        first, *rest = wanted or [1]
        sizes = [self.sizes[place] if not size and place < len(self.sizes) else size for place, size in enumerate(rest)]
        if sizes.count(-1) == 1 and first != -1:
            known = -math.prod(sizes)
            sizes = [total // known if size == -1 and known > 0 else size for size in sizes]
        fine = first in (0, -1, self.batch) and 1 <= len(sizes) <= 3 and min(sizes) > 0 and math.prod(sizes) == total
        if not fine:
            came = " x ".join(map(str, self.sizes))
            raise node.refused(f"to {shown(wanted)}, of samples of {came},")
        return sizes


def require_rows(node: Node, version: int, dimensions: int) -> None:
    """Refuse a softmax that is not one of all the numbers of a sample, which has so many dimensions.

    Before operator set 13 it was one of an axis and all behind it, and that axis the first of a sample unless something
    else was said; since then it is one along a single axis, the last.
    """
    old = version < 13
    if node.attribute("axis", 1 if old else -1) not in (1, -dimensions) or (dimensions > 1 and not old):
        raise node.refused("of a part of a sample")


def _noted(node: Node, note: str) -> tuple[list[int], list[int], list[int]]:
    """(kernel, stride, padding) as the writer notes them beside the table."""
    words = note[:99].split()
    numbers = [int(word) for word in words if word.isascii() and word.isdecimal() and len(word) < 9]
    if len(numbers) != 6 or words != "kernel {} {} stride {} {} padding {} {}".format(*numbers).split():
        raise node.refused("of numbers that a table names")
    return numbers[:2], numbers[2:4], numbers[4:]


def _trimmed(sizes: Sequence[int]) -> list[int]:
    """Without leading ones."""
    first = next((place for place, size in enumerate(sizes) if size != 1), len(sizes))
    return [*sizes[first:]]


_MAKERS: dict[str, Any] = {
    "Gemm": Builder.gemm,
    "MatMul": Builder.matmul,
    "Gather": Builder.gather,
    "Conv": Builder.conv,
    "MaxPool": Builder.pool,
    "AveragePool": Builder.pool,
    "GlobalMaxPool": Builder.pool,
    "GlobalAveragePool": Builder.pool,
    "ReduceMean": Builder.mean,
    "windowed_convolution": Builder.windowed,
    "windowed_average": Builder.windowed,
    "BatchNormalization": Builder.batch_norm,
    "batch_norm": Builder.batch_norm,
    "LayerNormalization": Builder.layer_norm,
    "layer_norm": Builder.layer_norm,
    "LeakyRelu": Builder.leaky_relu,
    "leaky_relu": Builder.leaky_relu,
    "Elu": Builder.elu,
    "elu": Builder.elu,
    "Gelu": Builder.gelu,
    "Softmax": Builder.softmax,
    "LogSoftmax": Builder.softmax,
    "Dropout": Builder.dropout,
    "Flatten": Builder.flatten,
    "Reshape": Builder.reshape,
}


# --- what is done to features and targets ------------------------------------------------------------------

Numbers = Any  # one float for all columns, or a list of one for each


def _each(function: Any, first: Numbers, second: Numbers) -> Numbers:
    if isinstance(first, float) and isinstance(second, float):
        return function(first, second)
    many = first if isinstance(first, list) else second
    one, other = ([v] * len(many) if isinstance(v, float) else v for v in (first, second))
    return [*map(function, one, other)]


class Affine:
    """Sums and products of constants, one after another, as one shift and one factor a column."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.means: Numbers = 0.0
        self.deviations: Numbers = 1.0
        self.used = False

    def then(self, node: Node, by: Numbers, operator: str = "") -> None:
        """What becomes of (x - mean) / deviation: of features."""
        operator, self.used = operator or node.operator, True
        _require_above_0(node, operator, by)
        if operator in ("Sub", "Add"):
            shift = _each(lambda a, b: a * b, by, self.deviations)
            self.means = _each(lambda a, b: a + b if operator == "Sub" else a - b, self.means, shift)
        else:
            self.deviations = _each(lambda a, b: a * b if operator == "Div" else a / b, self.deviations, by)
        self._take()

    def then_of_outputs(self, node: Node, by: Numbers) -> None:
        """What becomes of x * deviation + mean: of what stands for targets."""
        self.used = True
        _require_above_0(node, node.operator, by)
        if node.operator in ("Sub", "Add"):
            self.means = _each(lambda a, b: a - b if node.operator == "Sub" else a + b, self.means, by)
        else:
            self.means, self.deviations = (
                _each(lambda a, b: a / b if node.operator == "Div" else a * b, numbers, by)
                for numbers in (self.means, self.deviations)
            )
        self._take()

    def _take(self) -> None:
        """Count the columns, which one number more or less has gone through."""
        self.graph.take(max(len(v) if isinstance(v, list) else 0 for v in (self.means, self.deviations)))

    def scaling(self, width: int, of_targets: bool = False) -> Scaling:
        """As what a model knows."""
        if not self.used:
            return Scaling("none")
        one = isinstance(self.deviations, float) and self.means == 0.0
        if one and not of_targets and math.isclose(self.deviations, 1.0 / PIXEL_FACTOR, rel_tol=CLOSE):
            return Scaling("pixels")
        self.graph.take(2 * width)
        means, deviations = ([v] * width if isinstance(v, float) else v for v in (self.means, self.deviations))
        return Scaling("standard", means, deviations)


def _require_above_0(node: Node, operator: str, by: Numbers) -> None:
    if operator in ("Mul", "Div") and not min(by if isinstance(by, list) else [by]) > 0.0:
        raise node.refused("of numbers that are not above 0")
