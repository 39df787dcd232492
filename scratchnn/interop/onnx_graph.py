"""An ONNX file taken apart: its nodes, constants, inputs and outputs, each checked as it is read.

Nothing in a file is believed. Constants are as many numbers as there are bytes for, nodes read only what was made
before them (so a graph has no circles), and what the layers are given of the constants together is bounded by the
length of the file, however often one of them is named.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import require, shown
from ..errors import ModelFileError
from . import protobuf as wire
from .onnx_format import (
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .protobuf import Message

MOST_DIMENSIONS = 8
OPERATORS = ("", "ai.onnx")  # two names of the set that ONNX itself defines
OPERATORS_VERSIONS = (7, 26)  # whose meaning is known here
LEARNING_OPERATORS = "ai.onnx.ml"
SHARED = 4096  # numbers that may be used beyond as many as the file has bytes

_CODES = {TensorType.FLOAT: "f", TensorType.DOUBLE: "d", TensorType.INT64: "q", TensorType.INT32: "i"}
_FLOATS = (TensorType.FLOAT, TensorType.DOUBLE)
_NAMES = {
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    9: "bool",
    10: "float16",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
}


class Tensor:
    """A constant: ``dims`` and its numbers, or its texts."""

    def __init__(self, message: Message) -> None:
        self.name = message.text(TensorField.NAME)
        if message.whole_number(TensorField.LOCATION) or message.has(TensorField.EXTERNAL):
            raise ModelFileError(
                f"the numbers of {shown(self.name)} are in another file, which is not read: write the model as one "
                "file (torch.onnx.export has external_data=False, onnx.save_model save_as_external_data=False)"
            )
        self.dims = message.whole_numbers(TensorField.DIMS)
        fine = len(self.dims) <= MOST_DIMENSIONS and all(0 <= size < 1 << 40 for size in self.dims)
        require(fine, f"the dimensions of {shown(self.name)} are no sizes, or more than {MOST_DIMENSIONS}")
        self.type = message.whole_number(TensorField.TYPE)
        self.texts: list[str] = []
        self.numbers: array[Any] = array("d")
        if self.type == TensorType.STRING:
            self.texts = message.texts(TensorField.STRINGS)
            count = len(self.texts)
        else:
            self.numbers = self._numbers(message)
            count = len(self.numbers)
        if count != math.prod(self.dims):
            sizes = " x ".join(map(str, self.dims)) or "a single number"
            raise ModelFileError(f"truncated: {shown(self.name)} is {sizes} in size, and has {count} numbers")

    def _numbers(self, message: Message) -> array[Any]:
        code = _CODES.get(self.type)
        if code is None:
            kind = _NAMES.get(self.type, f"type {self.type}")
            raise ModelFileError(f"{shown(self.name)} is of {kind}: expected float32, float64, int32, int64 or texts")
        if message.has(TensorField.RAW):
            return wire.numbers_of(message.data(TensorField.RAW)[-1], code)
        if code in "fd":
            return message.numbers(TensorField.FLOATS if code == "f" else TensorField.DOUBLES, code)
        return array(code, message.whole_numbers(TensorField.INT64S if code == "q" else TensorField.INT32S))

    @property
    def floats(self) -> bool:
        """Whether it holds numbers with a fraction."""
        return self.type in _FLOATS

    @property
    def trimmed(self) -> list[int]:
        """Its dimensions without the leading ones of size 1, which broadcasting adds anyway."""
        first = next((place for place, size in enumerate(self.dims) if size != 1), len(self.dims))
        return self.dims[first:]


class Node:
    """One operator: the names of what it reads and makes, and its attributes."""

    def __init__(self, message: Message) -> None:
        self.inputs = message.texts(NodeField.INPUTS)
        self.outputs = message.texts(NodeField.OUTPUTS)
        self.name = message.text(NodeField.NAME)
        self.note = message.text(NodeField.DOC_STRING)
        self.domain = message.text(NodeField.DOMAIN)
        self.operator = message.text(NodeField.OPERATOR)
        if self.domain not in OPERATORS:
            self.operator = f"{self.domain}.{self.operator}"
        self.attributes = dict(_attribute(each) for each in message.messages(NodeField.ATTRIBUTES))

    def __str__(self) -> str:
        name = self.name or (self.outputs[0] if self.outputs else "")
        return f"{_quiet(self.operator)} ({shown(name)})"

    def attribute(self, name: str, otherwise: Any, *types: type) -> Any:
        """An attribute of one of these types (that of ``otherwise``, if none is given); it if it is not there."""
        value = self.attributes.get(name, otherwise)
        if value is not otherwise and type(value) not in (types or (type(otherwise),)):
            raise self.refused(f"with {name} {shown(value)}")
        return value

    def expect(self, **attributes: Any) -> None:
        """Refuse the node unless each of these attributes has the value given, or is not there."""
        for name, expected in attributes.items():
            value = self.attributes.get(name, expected)
            if value != expected:
                raise self.refused(f"with {name} {shown(value)}, where only {shown(expected)} is known")

    def refused(self, why: str = "") -> ModelFileError:
        """The error for a node that no layer of scratchnn stands for."""
        return ModelFileError(f"the operator {self}{f' {why}' if why else ''} has no counterpart in scratchnn")


def _quiet(text: str) -> str:
    """An operator's name as it is if it looks like one."""
    return text if len(text) <= 60 and text.replace(".", "").replace("_", "").isalnum() else shown(text)


def _attribute(message: Message) -> tuple[str, Any]:
    name, kind = message.text(AttributeField.NAME), message.whole_number(AttributeField.TYPE)
    value: Any = None  # what no operator here needs: it is refused where it is asked for
    if kind == AttributeType.FLOAT:
        value = message.number(AttributeField.FLOAT) or 0.0
    elif kind == AttributeType.INT:
        value = message.whole_number(AttributeField.INT)
    elif kind == AttributeType.STRING:
        value = message.text(AttributeField.STRING)
    elif kind == AttributeType.TENSOR:
        tensor = message.message(AttributeField.TENSOR)
        value = None if tensor is None else Tensor(tensor)
    elif kind == AttributeType.FLOATS:
        value = list(message.numbers(AttributeField.FLOATS, "f"))
    elif kind == AttributeType.INTS:
        value = message.whole_numbers(AttributeField.INTS)
    elif kind == AttributeType.STRINGS:
        value = message.texts(AttributeField.STRINGS)
    return name, value


class Port(NamedTuple):
    """An input or an output: its type, 0 for what is no tensor, and its sizes, None for one that is not said."""

    name: str
    type: int
    sizes: list[int | None]


def _port(message: Message) -> Port:
    name, kind, sizes = message.text(ValueField.NAME), 0, []
    about = message.message(ValueField.TYPE)
    tensor = about.message(ValueField.TENSOR) if about else None
    if tensor:
        kind = tensor.whole_number(ValueField.ELEMENT)
        shape = tensor.message(ValueField.SHAPE)
        for dimension in shape.messages(ValueField.DIMENSIONS) if shape else []:
            said = dimension.has(ValueField.SIZE)
            sizes.append(dimension.whole_number(ValueField.SIZE) if said else None)
    return Port(name, kind, sizes)


class Graph:
    """A whole file. ``nodes`` are in the order in which they are computed, ``constants`` by name."""

    def __init__(self, content: bytes) -> None:
        model = wire.Message(memoryview(content), wire.Allowance())
        graph = model.message(ModelField.GRAPH)
        if graph is None:
            raise ModelFileError("there is no graph in it")
        self.producer = model.text(ModelField.PRODUCER_NAME)
        self.version = _operators_version(model)
        self.metadata = {
            entry.text(EntryField.KEY): entry.text(EntryField.VALUE) for entry in model.messages(ModelField.METADATA)
        }
        if graph.has(GraphField.SPARSE):
            raise ModelFileError("it has sparse constants, which are not read")
        self.constants: dict[str, Tensor] = {}
        for tensor in map(Tensor, graph.messages(GraphField.INITIALIZERS)):
            require(tensor.name not in self.constants, f"it has two constants by the name {shown(tensor.name)}")
            self.constants[tensor.name] = tensor
        # Old files have the constants among their inputs, too.
        ports = map(_port, graph.messages(GraphField.INPUTS))
        self.inputs = [port for port in ports if port.name not in self.constants]
        self.outputs = [*map(_port, graph.messages(GraphField.OUTPUTS))]
        self.makers: dict[str, tuple[int, Node]] = {}  # by what they make: the place of a node, and the node
        self._sources: dict[str, str] = {}  # of values that are mere copies, what they are copies of
        self._take_nodes([Node(node) for node in graph.messages(GraphField.NODES)])
        self._left = len(content) + SHARED

    def _take_nodes(self, nodes: Sequence[Node]) -> None:
        known = {"", *self.constants, *(port.name for port in self.inputs)}  # "": an input that is left out
        for place, node in enumerate(nodes):
            unknown = next((name for name in node.inputs if name not in known), None)
            require(unknown is None, f"{node} reads {shown(unknown)}, which nothing before it makes")
            made = [name for name in node.outputs if name]
            twice = next((name for name in made if name in known), None)
            require(twice is None, f"{node} makes {shown(twice)}, which is there already")
            known.update(made)
            constant = _constant(node)
            if constant is not None and made:
                self.constants[made[0]] = constant
            self.makers.update((name, (place, node)) for name in made)
            if _copies(node) and made:
                self._sources[made[0]] = self.source(node.inputs[0])

    def take(self, count: int) -> None:
        """``ModelFileError`` if so many numbers more would be too many for a file of this length."""
        self._left -= count
        if self._left < 0:
            raise ModelFileError("its constants are used over and over: it stands for far more numbers than it has")

    # --- values ----------------------------------------------------------------------------------------------

    def source(self, name: str) -> str:
        """The value that this one is a mere copy of, be it as another type of numbers."""
        return self._sources.get(name, name)

    def place(self, name: str) -> int:
        """Which node makes a value, -1 if none does."""
        return self.makers[name][0] if name in self.makers else -1

    def node(self, name: str) -> Node | None:
        """The node that makes a value, or None."""
        return self.makers[name][1] if name in self.makers else None

    def constant(self, name: str) -> Tensor | None:
        """The constant of this name, or None."""
        return self.constants.get(self.source(name)) if name else None

    def number(self, name: str) -> float | None:
        """The constant of this name if it is a single number, or None."""
        tensor = self.constant(name)
        return float(tensor.numbers[0]) if tensor is not None and len(tensor.numbers) == 1 else None

    def sizes(self, name: str) -> list[int] | None:
        """The sizes that a Reshape is given, with 0 for the number of samples, however it was found out; or None."""
        tensor = self.constant(name)
        if tensor is not None:
            return [*map(int, tensor.numbers)] if not tensor.floats and len(tensor.numbers) <= MOST_DIMENSIONS else None
        node = self.node(self.source(name))
        if node is None or not node.inputs:
            return None
        if node.operator == "Concat" and len(node.inputs) <= MOST_DIMENSIONS:
            # Each is computed from nodes before it, and looked at once: no deeper than the file has nodes in a row.
            parts = [self._few_sizes(each) for each in node.inputs]
            return None if None in parts else [size for part in parts if part is not None for size in part]
        return self._few_sizes(name)

    def _few_sizes(self, name: str) -> list[int] | None:
        """The same for constants and for the first size of a value: Unsqueeze(Gather(Shape(x), 0)) and the like."""
        tensor = self.constant(name)
        if tensor is not None:
            return self.sizes(name)
        node = self.node(self.source(name))
        if node is not None and node.operator == "Unsqueeze":
            node = self.node(self.source(node.inputs[0]))
        if node is not None and node.operator in ("Gather", "Slice") and self._first(node):
            node = self.node(self.source(node.inputs[0]))
            return [0] if node is not None and node.operator == "Shape" and not node.attributes else None
        if node is not None and node.operator == "Shape":
            return [0] if node.attributes == {"start": 0, "end": 1} else None
        return None

    def _first(self, node: Node) -> bool:
        """Whether a node picks out the first of some numbers."""
        wanted = [0.0] if node.operator == "Gather" else [0.0, 1.0]
        return [self.number(name) for name in node.inputs[1 : 1 + len(wanted)]] == wanted


def _operators_version(model: Message) -> int:
    """The version of ONNX's operators that a file needs."""
    versions = [
        (each.text(OpsetField.DOMAIN), each.whole_number(OpsetField.VERSION))
        for each in model.messages(ModelField.OPSETS)
    ]
    own = [version for domain, version in versions if domain in OPERATORS]
    if not own:
        raise ModelFileError("it does not say which version of ONNX's operators it needs")
    first, last = OPERATORS_VERSIONS
    require(first <= own[0] <= last, f"it needs version {own[0]} of ONNX's operators, known are {first} to {last}")
    return own[0]


def _copies(node: Node) -> bool:
    to_floats = node.operator == "Cast" and node.attributes.get("to") in _FLOATS
    return len(node.inputs) == 1 and (node.operator == "Identity" or to_floats)


def _constant(node: Node) -> Tensor | None:
    """The value of a node that is a constant."""
    if node.operator != "Constant":
        return None
    value = node.attributes.get("value")
    if isinstance(value, Tensor):
        return value
    tensor = Tensor.__new__(Tensor)
    tensor.name, tensor.texts = node.name, []
    for name, kind, code in (
        ("value_float", TensorType.FLOAT, "f"),
        ("value_floats", TensorType.FLOAT, "f"),
        ("value_int", TensorType.INT64, "q"),
        ("value_ints", TensorType.INT64, "q"),
    ):
        if name in node.attributes:
            value = node.attributes[name]
            numbers = value if isinstance(value, list) else [value]
            if all(isinstance(number, (int, float)) for number in numbers):
                tensor.type, tensor.numbers = kind, array(code, numbers)
                tensor.dims = [len(numbers)] if isinstance(value, list) else []
                return tensor
    raise node.refused("of this kind")
