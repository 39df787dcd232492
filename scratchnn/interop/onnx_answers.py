"""What the outputs of an ONNX file stand for, and the model that answers likewise.

A file says so by its last nodes (a Softmax, a table of class names), and one that scratchnn wrote also beside the
graph. The graph is what counts: what is written beside it only tells what it cannot, such as the loss to learn on with.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import MOST_NUMBERS, require, shown
from ..errors import ModelFileError
from ..layers.base import Sequential
from ..losses import LOSSES, loss_from_plain
from ..preprocessing.scaling import Scaling
from ..saving import model_format
from .description import OUTPUTS
from .making import fitted_model
from .onnx_format import PRODUCER, TensorType
from .onnx_graph import LEARNING_OPERATORS, Graph, Node, Port
from .onnx_reader import Affine, Builder, Steps, require_rows
from .plain_json import NotJSON, parse_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..losses import Loss
    from ..model import Model

TABLES = ("Gather", f"{LEARNING_OPERATORS}.ArrayFeatureExtractor")  # of class names
ZIPMAP = f"{LEARNING_OPERATORS}.ZipMap"  # a dict a row, of class names and probabilities
BINARIZER = f"{LEARNING_OPERATORS}.Binarizer"
SKL2ONNX = "skl2onnx"  # as its files name it
LOGITS = "logits"  # in the place of a loss: nothing makes probabilities of the outputs
FORGETFUL = ("Identity", "Cast", "Reshape", "Squeeze", "Flatten")  # leave an answer what it is


class Told(NamedTuple):
    """What somebody says of a file: its user, or scratchnn beside the graph; None for what was not said."""

    task: str | None
    classes: list[Any] | None


class Label(NamedTuple):
    """How the answer is found: by the largest number ("largest") or by what is at least a half ("flag") of a value."""

    kind: str
    of: str
    classes: list[Any]


class _Outputs(NamedTuple):
    """The value of the output with numbers, how labels are found if there are any, and the classes' names if known."""

    numbers: str
    label: Label | None
    names: list[Any]


class Head(NamedTuple):
    """What the network's last value is; the loss after which a network ends so; and whether outputs are classes."""

    outputs: str
    loss: str
    classes: bool


def model_of(content: bytes, told: Told, *, engine: Any, max_work: int | None) -> Model:
    """The model that an ONNX file describes; ``ValueError`` and the like for what cannot be one."""
    graph = Graph(content)
    notes = _Notes(graph)
    require(len(graph.inputs) == 1, f"it has {len(graph.inputs)} inputs, expected one")
    outputs = _outputs(graph)
    task, head = _head(graph, outputs, told.task or notes.task, notes)
    builder = _builder(graph, graph.inputs[0], notes)
    builder.run(Steps(graph).between(graph.inputs[0].name, head.outputs), builder.layers)
    require(bool(builder.layers), "it has no layers")
    task, loss = _settled(task, head, builder)
    _check_work(builder, len(content), max_work)
    return fitted_model(
        builder.layers,
        task=task,
        loss=_loss(task, loss, notes),
        input_shape=builder.input_shape,
        classes=_classes(graph, builder, task, outputs, told, notes),
        scaling=builder.features.scaling(math.prod(builder.input_shape)),
        target_scaling=_target_scaling(graph, builder, task, notes),
        feature_names=notes.feature_names,
        label_name=notes.label_name,
        label_position=notes.label_position,
        engine=engine,
    )


def _settled(task: str | None, head: Head, builder: Builder) -> tuple[str, str]:
    """(the task, the loss) now that it is known how many outputs there are."""
    if task == "regression":
        return task, head.loss
    if len(builder.sizes) > 1:
        sizes = " x ".join(map(str, builder.sizes))
        raise ModelFileError(f"its network ends with {sizes} numbers a sample, expected one for each class, in a row")
    one, logits = builder.width == 1, head.loss == LOGITS
    require(
        task is not None or not (one and logits),
        "it does not say what its one output is: load it with task='regression' for a number to be predicted, or with "
        "task='classification' for one from which a sigmoid makes the probability of the second class",
    )
    if task is None:
        task = "multilabel" if head.loss == "bce_with_logits" and not head.classes and not one else "classification"
    if not logits:
        return task, head.loss
    return task, "bce_with_logits" if one or task == "multilabel" else "cross_entropy"


def _loss(task: str, found: str, notes: _Notes) -> Any:
    """What to learn on with."""
    if notes.loss is None:
        return found
    fits = task == "regression" or OUTPUTS.get(type(notes.loss)) == OUTPUTS[LOSSES[found]]
    require(fits, f"it is said to have learned with {notes.loss_name}, and ends as after {found}")
    return notes.loss


def _classes(graph: Graph, builder: Builder, task: str, outputs: _Outputs, told: Told, notes: _Notes) -> Sequence[Any]:
    """The classes' names, in the order of the outputs; none of them where they are the numbers from 0 on."""
    names = outputs.names
    if task == "multilabel":
        numbered = names in ([], [*range(builder.width)])
        require(numbered, f"it names its labels {shown(names)}, which are only numbered here")
    if task != "classification":
        return ()
    graph.take(builder.width)
    return told.classes or notes.typed(names) or notes.classes or ()


def _builder(graph: Graph, port: Port, notes: _Notes) -> Builder:
    batch, *sizes = port.sizes or [None]
    known = [size for size in sizes if size is not None]
    fine = len(known) == len(sizes) and 1 <= len(sizes) <= 3 and all(0 < size <= MOST_NUMBERS for size in known)
    require(fine, f"its input {shown(port.name)} is of {shown(port.sizes)}, expected samples x sizes that are known")
    shape = tuple(known)
    if notes.input_shape and len(known) == 1 and math.prod(notes.input_shape) == known[0]:
        shape = notes.input_shape
    return Builder(graph, known, batch, shape)


def _check_work(builder: Builder, length: int, max_work: int | None) -> None:
    """As ``Model.load`` does: a row may take so many multiply-adds for each byte of weights."""
    network = Sequential(builder.layers)
    numbers = sum(rows * columns for rows, columns in network.parameter_shapes())
    given: Any = [{"doubles": range(min(8 * numbers, 8 * length))}]  # as long as the weights in a model's own file
    description = {"input_shape": builder.input_shape, "weights": given}
    network.output_shape(builder.input_shape)
    model_format.check_sizes(network, builder.input_shape)
    model_format.check_work(network, description, max_work)


def _target_scaling(graph: Graph, builder: Builder, task: str, notes: _Notes) -> Scaling:
    found = Affine(graph)
    for step in builder.trailing:
        if task != "regression":
            raise step.node.refused("of a constant, behind the last layer of a classifier,")
        found.then_of_outputs(step.node, builder.each(step.node, step.settings["by"]))
    scaling = found.scaling(builder.width, of_targets=True)
    pixels = {*scaling.means} == {0.0} and {*scaling.deviations} == set(Scaling("pixels").units(1))
    return Scaling("pixels") if pixels and notes.target_scaling == "pixels" else scaling


# --- beside the graph --------------------------------------------------------------------------------------


class _Notes:
    """What scratchnn wrote beside a graph of its own; nothing of it for the graphs of others."""

    def __init__(self, graph: Graph) -> None:
        data = graph.metadata if graph.producer == PRODUCER else {}
        self.task = data.get("task")
        require(self.task in (None, *model_format.TASKS), f"its task is {shown(self.task)}, which there is not")
        self.target_scaling = data.get("target_scaling", "none")
        self.loss_name, self.loss = _known_loss(_json(data, "loss", list) or [])
        shape = _json(data, "input_shape", list) or []
        fine = all(type(size) is int and 0 < size <= MOST_NUMBERS for size in shape) and len(shape) <= 3
        self.input_shape: tuple[int, ...] = tuple(shape) if fine else ()
        self.classes: list[Any] = _json(data, "classes", list) or []
        self.feature_names: list[str] = _json(data, "feature_names", list) or []
        self.label_name: str | None = _json(data, "label_name", str)
        self.label_position: int | None = _json(data, "label_position", int)

    def typed(self, classes: list[Any]) -> list[Any]:
        """The classes that a graph has, as bools where they were: a graph has these as numbers."""
        return self.classes if self.classes == classes else classes


def _known_loss(told: list[Any]) -> tuple[str, Loss | None]:
    """(its name, the loss) of what is told as a pair of name and arguments; of a loss that there is not, nothing."""
    if len(told) != 2 or not isinstance(told[0], str) or told[0] not in LOSSES or not isinstance(told[1], dict):
        return "", None
    return told[0], loss_from_plain(told[0], told[1])


def _json(data: dict[str, str], key: str, kind: type) -> Any:
    try:
        value = parse_plain(data.get(key, "null"))
    except NotJSON as error:
        raise ModelFileError(f"its {key}: {error}") from None
    return value if type(value) is kind else None


# --- the last nodes ----------------------------------------------------------------------------------------


def _outputs(graph: Graph) -> _Outputs:
    """What a graph gives."""
    numbers: list[str] = []
    labels: list[str] = []
    names: list[Any] = []
    for port in graph.outputs:
        node = graph.node(graph.source(port.name))
        if node is not None and node.operator == ZIPMAP and node.inputs:
            numbers.append(node.inputs[0])
            names = [*(node.attributes.get("classlabels_strings") or node.attributes.get("classlabels_int64s") or [])]
        elif port.type in (TensorType.FLOAT, TensorType.DOUBLE):
            numbers.append(port.name)
        else:
            labels.append(port.name)
    if len(numbers) != 1 or len(labels) > 1:
        those = ", ".join(shown(port.name) for port in graph.outputs[:4])
        raise ModelFileError(
            f"its outputs are {those or 'none'}; expected numbers (float32 or float64), and labels beside them or not"
        )
    label = _label(graph, labels[0]) if labels else None
    if label is not None and label.classes:
        require(names in ([], label.classes), "its labels and its probabilities have other classes")
        names = label.classes
    return _Outputs(graph.source(numbers[0]), label, names)


def _label(graph: Graph, name: str) -> Label:
    """How labels are found."""
    classes: list[Any] = []
    shown_name = shown(name)
    while True:
        node = graph.node(graph.source(name))
        if node is None or not node.inputs:
            raise ModelFileError(f"the labels {shown_name} do not come from the network")
        name = node.inputs[0]
        if node.operator in TABLES and len(node.inputs) == 2 and not classes:
            table = graph.constant(name)
            if table is None or table.floats:
                raise node.refused("of classes that are no texts or whole numbers")
            classes, name = table.texts or [*map(int, table.numbers)], node.inputs[1]
        elif node.operator == "ArgMax":
            node.expect(select_last_index=0)
            if node.attribute("axis", 0) not in (1, -1):
                raise node.refused("along another axis than 1")
            return Label("largest", graph.source(name), classes)
        elif _asks_for_half(graph, node):
            return Label("flag", graph.source(name), classes)
        elif node.operator not in FORGETFUL:
            raise node.refused("for labels")


def _asks_for_half(graph: Graph, node: Node) -> bool:
    if node.operator == BINARIZER:
        return bool(node.attribute("threshold", 0.0) == 0.5)
    return node.operator in ("Greater", "GreaterOrEqual") and [graph.number(each) for each in node.inputs[1:]] == [0.5]


def _head(graph: Graph, outputs: _Outputs, task: str | None, notes: _Notes) -> tuple[str | None, Head]:
    """(the task, if it is known; where the network ends and what its outputs are)."""
    main, label = outputs.numbers, outputs.label
    if task == "regression":
        require(label is None, "it has labels: it is no regression")
        return task, _of_values(graph, main)
    head = _of_probabilities(graph, main, notes.loss_name)
    if label is None:
        # skl2onnx gives all classifiers labels.
        values = task is None and head.loss == LOGITS and graph.producer == SKL2ONNX
        return ("regression", _of_values(graph, main)) if values else (task, head)
    # Both write probabilities beside labels; what others put there may be logits.
    known = graph.producer not in (PRODUCER, SKL2ONNX) or head.loss != LOGITS
    require(known, f"its probabilities, {shown(main)}, come neither from a softmax nor from a sigmoid")
    second = _second(graph, main)
    sources = {second} if label.kind == "flag" else {main} if second != main else {main, head.outputs}
    require(label.of in sources, f"its labels come from {shown(label.of)}, and not from its probabilities")
    several = label.kind == "flag" and not label.classes and not head.classes
    require(label.kind == "largest" or several or head.loss in ("bce", "bce_with_logits"), "its labels do not fit")
    found = "multilabel" if several else "classification"
    require(task in (None, found), f"it does {found}, not {task}")
    return found, head


def _of_values(graph: Graph, main: str) -> Head:
    """Where a regression ends. skl2onnx puts all values below each other, also where a row has several: not here."""
    node = graph.node(main)
    reshapes = node is not None and node.operator == "Reshape" and len(node.inputs) == 2
    if node is not None and reshapes and graph.producer == SKL2ONNX and graph.sizes(node.inputs[1]) == [-1, 1]:
        main = graph.source(node.inputs[0])
    return Head(main, "mse", False)


def _second(graph: Graph, main: str) -> str:
    """Of two probabilities side by side, the second."""
    node = graph.node(main)
    return graph.source(node.inputs[1]) if node and node.operator == "Concat" and len(node.inputs) == 2 else main


def _of_probabilities(graph: Graph, main: str, loss: str) -> Head:
    """Where a network ends whose probabilities are ``main``. ``loss`` is what it is known to have learned with."""
    second = _second(graph, main)
    node = graph.node(second)
    if second != main:
        _check_first(graph, graph.node(main), second)
    if node is None or not node.inputs or loss == "bce":
        return Head(second, "bce", second != main)
    if node.operator == "Sigmoid":
        return Head(graph.source(node.inputs[0]), "bce_with_logits", second != main)
    if second != main:
        return Head(second, "bce", True)
    if node.operator == "Softmax":
        require_rows(node, graph.version, 1)
        return Head(graph.source(node.inputs[0]), "cross_entropy", True)
    if node.operator == "Exp":
        return Head(graph.source(node.inputs[0]), "nll", True)
    return Head(main, "nll" if node.operator == "LogSoftmax" else LOGITS, True)


def _check_first(graph: Graph, node: Node | None, second: str) -> None:
    """Refuse two probabilities side by side unless the first is what the second leaves over."""
    assert node is not None
    first, maker = graph.node(graph.source(node.inputs[0])), graph.node(second)
    fine = False
    if first is not None and first.operator == "Sub" and len(first.inputs) == 2:
        fine = graph.number(first.inputs[0]) == 1.0 and graph.source(first.inputs[1]) == second
    elif first is not None and first.operator == "Sigmoid" and maker is not None and maker.operator == "Sigmoid":
        minus = graph.node(graph.source(first.inputs[0]))
        fine = minus is not None and minus.operator == "Neg" and minus.inputs[:1] == maker.inputs[:1]
    if not fine or node.attribute("axis", None, int) not in (1, -1):
        raise node.refused("of these")
