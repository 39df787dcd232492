"""ONNX files as models: what was written comes back to the last bit, and nothing is believed of what a file says."""

from __future__ import annotations

import time
import tracemalloc
from functools import cache
from pathlib import Path
from random import Random
from struct import pack
from typing import Any

import pytest

from scratchnn import ArgumentError, Embedding, Linear, Model, ModelFileError, MSELoss, ReLU
from scratchnn.interop import protobuf as wire
from scratchnn.interop.making import fitted_model
from scratchnn.interop.onnx import export_model, load_model, save_model
from scratchnn.interop.onnx_format import (
    AttributeField,
    AttributeType,
    GraphField,
    ModelField,
    NodeField,
    OpsetField,
    TensorField,
    TensorType,
    ValueField,
)
from scratchnn.layers.weights import digest
from scratchnn.preprocessing import Scaling

from .networks import NETWORKS, network


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_written_in_float64_comes_back_to_the_last_bit(name: str) -> None:
    model, rows = network(name)
    again = load_model(export_model(model, dtype="float64"), engine="linalg")
    assert digest(again.network) == digest(model.network)
    assert again.predict(rows) == model.predict(rows)
    if model.task != "regression":
        assert again.predict_proba(rows) == model.predict_proba(rows)
    assert (again.task, repr(again.loss)) == (model.task, repr(model.loss))
    plain, before = again.schema.to_plain(), model.schema.to_plain()
    for asked in ("scaling_kind", "target_scaling_kind"):  # what was asked for is what it came to
        del plain[asked], before[asked]
    assert plain == before


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_written_in_float32_comes_back_as_far_as_that_goes(name: str) -> None:
    model, rows = network(name)
    again = load_model(export_model(model), engine="linalg")
    if model.task == "regression":
        wanted, found = ([row if isinstance(row, list) else [row] for row in m.predict(rows)] for m in (model, again))
        largest = max(abs(v) for row in wanted for v in row)
        assert all(abs(a - b) <= 3e-7 * largest for p, q in zip(wanted, found) for a, b in zip(p, q))
        return
    assert again.predict(rows) == model.predict(rows)
    pairs = zip(again.predict_proba(rows), model.predict_proba(rows))
    assert all(abs(a - b) <= 3e-7 for p, q in pairs for a, b in zip(p, q))
    assert again.classes == model.classes


def named(**settings: Any) -> Model:
    layer = Linear(2, 2)
    layer.weight.value, layer.bias.value = [[1.0, 0.5], [0.25, 1.0]], [[0.0, 0.5]]
    usual: dict[str, Any] = {"task": "classification", "loss": "cross_entropy", "engine": "linalg"}
    return fitted_model([layer], input_shape=2, **{**usual, **settings})


@pytest.mark.parametrize("classes", [[False, True], [True, 5], ["1", "0"], [-(1 << 63), (1 << 63) - 1], ["", "\x00é𝄞"]])
def test_names_and_classes_come_back_as_they_were(classes: list[Any], tmp_path: Path) -> None:
    model = named(
        classes=classes,
        feature_names=["a\n", "\ud800"],
        label_name="which",
        label_position=2,
        scaling=Scaling("standard", [1e300, 0.1], [1e-300, 3.0]),
    )
    save_model(model, tmp_path / "model.onnx", dtype="float64")
    again = load_model(tmp_path / "model.onnx", engine="linalg")
    assert (again.classes, [*map(type, again.classes)]) == (classes, [*map(type, classes)])
    assert (again.feature_names, again.label_name, again.label_position) == (["a\n", "\ud800"], "which", 2)
    assert again.scaling.to_dict() == model.scaling.to_dict()
    again.save(tmp_path / "model.pkl")
    assert Model.load(tmp_path / "model.pkl").classes == classes


def test_losses_with_settings_and_what_targets_were_come_back() -> None:
    model = named(task="regression", loss=MSELoss(), target_scaling=Scaling("standard", [1.0, -3.0], [0.1, 1e6]))
    again = load_model(export_model(model, dtype="float64"))
    assert again.target_scaling.to_dict() == model.target_scaling.to_dict()
    from scratchnn import CrossEntropyLoss, HuberLoss

    for loss, task in ((HuberLoss(0.3), "regression"), (CrossEntropyLoss(label_smoothing=0.1), "classification")):
        assert repr(load_model(export_model(named(task=task, loss=loss))).loss) == repr(loss)


@pytest.mark.parametrize("loss", ["cross_entropy", "nll", "kl_div"])
def test_every_loss_of_a_classifier_comes_back(loss: str) -> None:
    model = named(loss=loss)
    again = load_model(export_model(model, dtype="float64"), engine="linalg")
    assert (type(again.loss), again.predict_proba([[0.5, -0.5]])) == (
        type(model.loss),
        model.predict_proba([[0.5, -0.5]]),
    )


def test_a_model_that_was_read_learns_on() -> None:
    model = load_model(export_model(network("convolution")[0], dtype="float64"))
    before = digest(model.network)
    _, rows = network("convolution")
    model.fit(rows, [0, 1, 2] * 10, epochs=1)
    assert digest(model.network) != before


def test_the_user_s_word_on_classes() -> None:
    content = export_model(named())
    assert load_model(content, classes=["no", "yes"]).classes == ["no", "yes"]
    with pytest.raises(ModelFileError, match="2 classes expected, got 3"):
        load_model(content, classes=["a", "b", "c"])
    with pytest.raises(ModelFileError, match="it does classification, not multilabel"):
        load_model(content, task="multilabel")
    with pytest.raises(ModelFileError, match="it has labels: it is no regression"):
        load_model(content, task="regression")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "ranking"}, "unknown task 'ranking'"),
        ({"classes": "ab"}, "classes must be a list"),
        ({"classes": []}, "classes must be a list"),
        ({"engine": "abacus"}, "unknown engine"),
        ({"max_work": 0}, "max_work must be"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        load_model(export_model(named()), **arguments)
    with pytest.raises(ArgumentError, match="by its path or as bytes, got 7"):
        load_model(7)  # type: ignore[arg-type]


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        load_model(tmp_path / "none.onnx")
    with pytest.raises(ModelFileError, match="a directory"):
        load_model(tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model("a\0b")
    network("relu")[0].save(tmp_path / "model.pkl")
    for content in (b"", b"\x00", b"hello", (tmp_path / "model.pkl").read_bytes(), b"\x08\x07"):
        with pytest.raises(ModelFileError, match="not an ONNX model that can be read"):
            load_model(content)


# --- files made by hand --------------------------------------------------------------------------------------


def tensor(name: str, values: list[float], *dims: int, kind: int = TensorType.FLOAT) -> bytes:
    field, code = {TensorType.FLOAT: (TensorField.FLOATS, "f"), TensorType.INT64: (TensorField.INT64S, "q")}[kind]
    if kind == TensorType.INT64:
        numbers = wire.packed(field, [*map(int, values)])
    else:
        numbers = wire.data(field, pack(f"<{len(values)}{code}", *values))
    head = wire.packed(TensorField.DIMS, dims) + wire.whole_number(TensorField.TYPE, kind)
    return head + wire.text(TensorField.NAME, name) + numbers


def attribute(name: str, value: Any) -> bytes:
    if isinstance(value, float):
        content, kind = wire.single(AttributeField.FLOAT, value), AttributeType.FLOAT
    elif isinstance(value, int):
        content, kind = wire.whole_number(AttributeField.INT, value), AttributeType.INT
    elif isinstance(value, str):
        content, kind = wire.text(AttributeField.STRING, value), AttributeType.STRING
    else:
        content, kind = wire.packed(AttributeField.INTS, value), AttributeType.INTS
    return wire.text(AttributeField.NAME, name) + content + wire.whole_number(AttributeField.TYPE, kind)


def node(operator: str, inputs: str, output: str, **attributes: Any) -> bytes:
    return b"".join(
        [
            *[wire.text(NodeField.INPUTS, name) for name in inputs.split()],
            *[wire.text(NodeField.OUTPUTS, name) for name in output.split()],
            wire.text(NodeField.NAME, f"the {operator}"),
            wire.text(NodeField.OPERATOR, operator),
            *[wire.data(NodeField.ATTRIBUTES, attribute(*item)) for item in attributes.items()],
        ]
    )


def port(name: str, *sizes: int, kind: int = TensorType.FLOAT) -> bytes:
    shape = b"".join(
        wire.data(ValueField.DIMENSIONS, wire.whole_number(ValueField.SIZE, size) if size else b"") for size in sizes
    )
    about = wire.whole_number(ValueField.ELEMENT, kind) + wire.data(ValueField.SHAPE, shape)
    return wire.text(ValueField.NAME, name) + wire.data(ValueField.TYPE, wire.data(ValueField.TENSOR, about))


def file(
    nodes: list[bytes],
    tensors: list[bytes] | None = None,
    inputs: tuple[int, ...] = (0, 2),
    outputs: tuple[int, ...] = (0, 2),
    version: int = 13,
    beside: tuple[bytes, ...] = (),
) -> bytes:
    graph = b"".join(
        [
            *[wire.data(GraphField.NODES, each) for each in nodes],
            *[wire.data(GraphField.INITIALIZERS, each) for each in tensors or []],
            wire.data(GraphField.INPUTS, port("x", *inputs)),
            wire.data(GraphField.OUTPUTS, port("y", *outputs)),
            *[wire.data(GraphField.OUTPUTS, each) for each in beside],
        ]
    )
    opset = wire.whole_number(OpsetField.VERSION, version)
    return wire.whole_number(1, 7) + wire.data(ModelField.GRAPH, graph) + wire.data(ModelField.OPSETS, opset)


SQUARE = tensor("w", [1.0, 2.0, 3.0, 4.0], 2, 2)
TWO = tensor("b", [5.0, 6.0], 2)
FILTER = tensor("f", [1.0] * 9, 1, 1, 3, 3)


def test_a_file_made_by_hand_is_read() -> None:
    content = file([node("MatMul", "x w", "h"), node("Add", "b h", "i"), node("Relu", "i", "y")], [SQUARE, TWO])
    model = load_model(content, task="regression", engine="linalg")
    assert [*map(type, model.network)] == [Linear, ReLU]
    assert model.predict([[1.0, 1.0], [-9.0, 0.0]]) == [[9.0, 12.0], [0.0, 0.0]]
    classifier = load_model(content, classes=["a", "b"], engine="linalg")
    assert classifier.predict([[1.0, 1.0]]) == ["b"]


REFUSED: dict[str, tuple[bytes, str]] = {
    "unknown operator": (
        file([node("MatMul", "x w", "h"), node("HardSwish", "h", "y")], [SQUARE]),
        r"the operator HardSwish \('the HardSwish'\) has no counterpart in scratchnn",
    ),
    "approximate gelu": (
        file([node("Gelu", "x", "y", approximate="tanh")], version=20),
        r"Gelu \('the Gelu'\) with approximate 'tanh', where only 'none' is known",
    ),
    "a circle": (file([node("Relu", "y", "h"), node("Relu", "h", "y")]), "reads 'y', which nothing before it makes"),
    "made twice": (file([node("Relu", "x", "y"), node("Tanh", "x", "y")]), "makes 'y', which is there already"),
    "constants by the same name": (file([node("MatMul", "x w", "y")], [SQUARE, SQUARE]), "two constants .* 'w'"),
    "a softmax of nothing": (file([node("Softmax", "", "y")]), r"the operator Softmax \('the Softmax'\) has no"),
    "axes that there are not": (
        file([node("ReduceMean", "x", "h", axes=[6, 7]), node("Flatten", "h", "y")], [], (0, 2, 4, 4)),
        "along other axes than those of images",
    ),
    "a constant of more dimensions": (
        file([node("Mul", "x b", "h"), node("Relu", "h", "y")], [tensor("b", [1.0, 2.0], 1, 1, 2)]),
        "of a constant of 1 x 1 x 2",
    ),
    "two ways": (
        file([node("Relu", "x", "g"), node("Tanh", "x", "h"), node("Add", "g h", "y")]),
        "'h' does not come from 'g' alone",
    ),
    "added to itself": (file([node("Add", "x x", "y")]), r"Add \('the Add'\) of these inputs"),
    "product of two": (file([node("Relu", "x", "g"), node("Mul", "x g", "y")]), r"Mul \('the Mul'\) of these inputs"),
    "no layer": (file([node("Identity", "x", "y")]), "it has no layers"),
    "another input": (file([node("Relu", "b", "y")], [TWO]), "'y' does not come from 'x' alone"),
    "weight of other rows": (
        file([node("MatMul", "x w", "y")], [tensor("w", [1.0] * 6, 3, 2)]),
        r"MatMul \('the MatMul'\) has a weight of 3 x 2 numbers, expected 2 x any",
    ),
    "weight that is computed": (file([node("MatMul", "x x", "y")]), "with a weight that is no constant"),
    "alpha": (file([node("Gemm", "x w", "y", alpha=2.0)], [SQUARE]), "with alpha 2.0, where only 1.0 is known"),
    "a part of a sample": (
        file([node("Softmax", "x", "h", axis=2), node("Relu", "h", "y")], inputs=(0, 1, 2, 2), outputs=(0, 1, 2, 2)),
        "Softmax .* of a part of a sample",
    ),
    "over samples": (file([node("Softmax", "x", "y", axis=0)]), "of a part of a sample"),
    "one-sided padding": (
        file([node("Conv", "x f", "y", pads=[1, 0, 0, 0])], [FILTER], (0, 1, 4, 4), (0, 1, 3, 2)),
        "another padding on one side",
    ),
    "groups": (
        file([node("Conv", "x f", "y", group=2)], [FILTER], (0, 1, 4, 4), (0, 1, 2, 2)),
        "with group 2, where only 1 is known",
    ),
    "dilations": (
        file([node("Conv", "x f", "y", dilations=[2, 2])], [FILTER], (0, 1, 5, 5), (0, 1, 1, 1)),
        "with dilations",
    ),
    "same padding": (
        file([node("Conv", "x f", "y", auto_pad="SAME_UPPER")], [FILTER], (0, 1, 4, 4), (0, 1, 4, 4)),
        "with auto_pad 'SAME_UPPER'",
    ),
    "padding that does not count": (
        file([node("AveragePool", "x", "y", kernel_shape=[2, 2], pads=[1, 1, 1, 1])], None, (0, 1, 4, 4), (0, 1, 5, 5)),
        "whose padding does not count",
    ),
    "rounded up": (
        file([node("MaxPool", "x", "y", kernel_shape=[2, 2], ceil_mode=1)], None, (0, 1, 4, 4), (0, 1, 3, 3)),
        "with ceil_mode 1",
    ),
    "rows as images": (
        file([node("Conv", "x f", "y")], [FILTER], (0, 16), (0, 4)),
        "on samples of 16, which are no images",
    ),
    "samples become numbers": (
        file([node("Reshape", "x s", "h"), node("Relu", "h", "y")], [tensor("s", [1, -1], 2, kind=TensorType.INT64)]),
        "Reshape .* of samples of 2",
    ),
    "a constant in the middle": (
        file([node("Relu", "x", "g"), node("Mul", "g b", "h"), node("Tanh", "h", "y")], [TWO]),
        "Mul .* of a constant, in the middle of the network",
    ),
    "not finite": (
        file([node("MatMul", "x w", "y")], [tensor("w", [1.0, float("nan"), 1.0, 1.0], 2, 2)]),
        "finite",
    ),
    "one output": (
        file([node("MatMul", "x w", "y")], [tensor("w", [1.0, 2.0], 2, 1)], outputs=(0, 1)),
        "load it with task='regression'",
    ),
    "unknown sizes": (file([node("Relu", "x", "y")], inputs=(0, 0)), "expected samples x sizes that are known"),
    "new operators": (file([node("Relu", "x", "y")], version=999), "it needs version 999"),
    "too few numbers": (
        file([node("MatMul", "x w", "y")], [tensor("w", [1.0], 1 << 20, 1 << 20)]),
        "truncated: 'w' is 1048576 x 1048576 in size, and has 1 numbers",
    ),
    "another file": (
        file([node("MatMul", "x w", "y")], [SQUARE + wire.whole_number(TensorField.LOCATION, 1)]),
        "are in another file, which is not read",
    ),
    "half precision": (
        file(
            [node("MatMul", "x w", "y")], [wire.whole_number(TensorField.TYPE, 10) + wire.text(TensorField.NAME, "w")]
        ),
        "'w' is of float16",
    ),
    "what a terminal would obey": (file([node("Evil\x1b[2J\n", "x", "y")]), r"the operator 'Evil\\x1b\[2J\\n'"),
}


ONE = tensor("one", [1.0])
TO_ONE = tensor("w", [1.0, 2.0], 2, 1)
LABEL = port("label", 0, kind=TensorType.INT64)
LARGEST = [node("Softmax", "x", "y"), node("ArgMax", "x", "k", axis=1, keepdims=0)]
NAMES = tensor("names", [7, 5], 2, kind=TensorType.INT64)

LAYER_NORM = [
    node("ReduceMean", "x", "m", axes=[-1]),
    node("Sub", "x m", "c"),
    node("Mul", "c c", "s"),
    node("ReduceMean", "s", "v", axes=[0]),
    node("Add", "v one", "e"),
    node("Sqrt", "e", "r"),
    node("Div", "c r", "n"),
    node("Mul", "n b", "o"),
    node("Add", "o b", "y"),
]
REFUSED |= {
    "an operator of another set": (
        file([node("Relu", "x", "y") + wire.text(NodeField.DOMAIN, "somebody.s")]),
        "the operator somebody.s.Relu",
    ),
    "divided by 0": (
        file([node("Div", "x b", "h"), node("Relu", "h", "y")], [tensor("b", [0.0, 1.0], 2)]),
        r"Div \('the Div'\) of numbers that are not above 0",
    ),
    "a variance over samples": (file(LAYER_NORM, [ONE, TWO]), r"Div \('the Div'\) of these inputs"),
}

# What stands behind a network: answers that are none of its.
REFUSED |= {
    "two outputs of numbers": (file([node("Relu", "x", "y")], beside=(port("x", 0, 2),)), "its outputs are 'y', 'x'"),
    "two outputs of labels": (
        file([*LARGEST, node("Gather", "names k", "label")], [NAMES], beside=(LABEL, port("k", 0, kind=7))),
        "its outputs are 'y', 'label', 'k'",
    ),
    "labels from nowhere": (
        file([node("Softmax", "x", "y")], [NAMES], beside=(port("names", 2, kind=TensorType.INT64),)),
        "the labels 'names' do not come from the network",
    ),
    "labels with fractions": (
        file([*LARGEST, node("Gather", "b k", "label")], [TWO], beside=(LABEL,)),
        r"Gather \('the Gather'\) of classes that are no texts",
    ),
    "labels of other numbers": (
        file(
            [node("Relu", "x", "h"), node("Softmax", "h", "y"), node("ArgMax", "x", "label", axis=1)], beside=(LABEL,)
        ),
        "its labels come from 'x', and not from its probabilities",
    ),
    "a sum behind a classifier": (
        file([node("Relu", "x", "h"), node("Add", "h b", "i"), node("Softmax", "i", "y")], [TWO]),
        "Add .* of a constant, behind the last layer of a classifier",
    ),
    "two probabilities that are not of one": (
        file(
            [
                node("MatMul", "x w", "z"),
                node("Sigmoid", "z", "p"),
                node("Tanh", "z", "q"),
                node("Concat", "q p", "y", axis=1),
            ],
            [TO_ONE],
        ),
        r"Concat \('the Concat'\) of these",
    ),
    "two probabilities, the first of two": (
        file(
            [
                node("MatMul", "x w", "z"),
                node("Sigmoid", "z", "p"),
                node("Sub", "two p", "q"),
                node("Concat", "q p", "y", axis=1),
            ],
            [TO_ONE, tensor("two", [2.0])],
        ),
        r"Concat \('the Concat'\) of these",
    ),
    "two probabilities below each other": (
        file(
            [
                node("MatMul", "x w", "z"),
                node("Sigmoid", "z", "p"),
                node("Sub", "one p", "q"),
                node("Concat", "q p", "y", axis=0),
            ],
            [TO_ONE, ONE],
        ),
        r"Concat \('the Concat'\) of these",
    ),
}


def test_a_layer_norm_made_by_hand_is_read() -> None:
    nodes = [*LAYER_NORM[:3], node("ReduceMean", "s", "v", axes=[-1]), *LAYER_NORM[4:]]
    assert "LayerNorm(features=2" in repr(load_model(file(nodes, [ONE, TWO]), engine="linalg"))


def test_a_table_of_what_windows_see_stands_behind_the_padding_that_it_was_made_for() -> None:
    content = export_model(network("convolution")[0], dtype="float64")
    pads = pack("<4q", 0, 0, 0, 1)
    assert pads in content
    with pytest.raises(ModelFileError, match="of a table that is no window's"):
        load_model(content.replace(pads, pack("<4q", 0, 1, 0, 0)))


def test_answers_made_by_hand_are_read() -> None:
    content = file([*LARGEST, node("Gather", "names k", "label")], [NAMES], beside=(LABEL,))
    with pytest.raises(ModelFileError, match="it has no layers"):
        load_model(content)
    relu = [node("Tanh", "x", "h"), node("Softmax", "h", "y"), node("ArgMax", "h", "k", axis=1, keepdims=0)]
    model = load_model(file([*relu, node("Gather", "names k", "label")], [NAMES], beside=(LABEL,)), engine="linalg")
    assert (model.task, model.classes, model.predict([[1.0, 0.0], [0.0, 1.0]])) == ("classification", [7, 5], [7, 5])
    both = [node("Sigmoid", "z", "p"), node("Sub", "one p", "q"), node("Concat", "q p", "y", axis=1)]
    model = load_model(file([node("MatMul", "x w", "z"), *both], [TO_ONE, ONE]), engine="linalg")
    assert (model.classes, model.output_size) == ([0, 1], 1)
    assert model.predict_proba([[0.0, 0.0]]) == [[0.5, 0.5]]


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_counterpart_is_refused_by_its_name(name: str) -> None:
    content, message = REFUSED[name]
    with pytest.raises(ModelFileError, match=message) as error:
        load_model(content, engine="linalg")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


# --- files that were made to hurt ----------------------------------------------------------------------------


def cost(content: bytes, message: str | None) -> tuple[float, int]:
    """(seconds, bytes) that a file costs, which is refused with this message or loads (None)."""
    tracemalloc.start()
    try:
        start = time.process_time()
        if message is None:
            load_model(content, engine="linalg", task="regression")
        else:
            with pytest.raises(ModelFileError, match=message):
                load_model(content, engine="linalg", task="regression")
        return time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_large_numbers_in_small_files_cost_nothing() -> None:
    load_model(export_model(named()))  # everything that has to be imported is
    big = 1 << 24
    attacks = {
        "a wide input": (
            file([node("Mul", "x c", "h"), node("Relu", "h", "y")], [tensor("c", [2.0])], (0, big)),
            "over",
        ),
        "large images": (
            file(
                [node("Conv", "x f", "h"), node("Conv", "h f", "y")], [FILTER], (0, 1, 4000, 4000), (0, 1, 3996, 3996)
            ),
            "a larger max_work",
        ),
        "a long name": (file([node("R" * 100_000, "x", "y")]), "has no counterpart"),
    }
    for content, message in attacks.values():
        seconds, size = cost(content, message)
        assert seconds < 1.0
        assert size < 3_000_000


def test_classes_are_not_counted_out_for_a_number_in_a_file() -> None:
    content = file([node("Relu", "x", "y")], inputs=(0, 1 << 24), outputs=(0, 1 << 24))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match="stands for far more numbers than it has"):
            load_model(content, engine="linalg", max_work=1 << 40)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_one_constant_cannot_be_used_a_thousand_times() -> None:
    weight = tensor("w", [0.5] * 10_000, 100, 100)
    nodes = [node("MatMul", f"h{k} w", f"h{k + 1}") for k in range(1000)]
    content = file([node("Relu", "x", "h0"), *nodes, node("Relu", "h1000", "y")], [weight], (0, 100), (0, 100))
    _, size = cost(content, "stands for far more numbers than it has")
    assert size < 200 * len(content)


@pytest.mark.parametrize("behind", [False, True])
def test_all_columns_are_not_gone_through_for_every_number(behind: bool) -> None:
    products = [node("Mul", f"h{k} two", f"h{k + 1}") for k in range(1, 1000)]
    nodes = [node("Mul", "r b" if behind else "x b", "h0"), node("Sub", "h0 b", "h1"), *products]
    nodes = (
        [node("Relu", "x", "r"), *nodes, node("Identity", "h1000", "y")]
        if behind
        else [*nodes, node("Relu", "h1000", "y")]
    )
    columns = [tensor("b", [0.5] * 10_000, 10_000), tensor("two", [1.0])]
    content = file(nodes, columns, (0, 10_000), (0, 10_000))
    seconds, _ = cost(content, "stands for far more numbers than it has")
    assert seconds < 5.0


def test_many_nodes_take_time_in_proportion() -> None:
    def chain(count: int) -> bytes:
        nodes = [node("Identity", f"h{k}", f"h{k + 1}") for k in range(count)]
        return file([node("Relu", "x", "h0"), *nodes, node("Tanh", f"h{count}", "y")])

    assert cost(chain(4_000), None)[0] < 10.0
    sums = [node("Add", f"h{k} h{k - 1}" if k else "x h", f"h{k + 1}") for k in range(1, 3000)]
    content = file([node("Relu", "x", "h0"), node("Tanh", "h0", "h1"), *sums, node("Relu", "h3000", "y")])
    assert cost(content, "does not come from|deep inside others")[0] < 5.0


def test_residuals_inside_residuals_are_no_stack_overflow() -> None:
    count = 2000
    nodes = [node("Tanh", f"a{k}", f"a{k + 1}") for k in range(count)]
    nodes += [node("Add", f"{f'b{k - 1}' if k else f'a{count}'} a{count - 1 - k}", f"b{k}") for k in range(count)]
    content = file([node("Relu", "x", "a0"), *nodes, node("Relu", f"b{count - 1}", "y")])
    cost(content, "more than 12 deep inside others")


def test_what_nearly_fits_in_many_ways_takes_no_time() -> None:
    nodes = [node("Relu", "x", "m0"), node("Div", "m0 m0", "d")]
    for k in range(200):  # as the polynomial in a GELU of doubles has it, in every order
        nodes += [node("Add", f"m{k} m{k}", f"a{k}"), node("Mul", f"a{k} a{k}", f"m{k + 1}")]
    nodes += [node("Mul", "m200 m200", "z"), node("Sub", "m200 z", "s"), node("Exp", "s", "e")]
    nodes += [
        node("Div", "e m200", "q"),
        node("Mul", "q b", "h"),
        node("Mul", "m200 h", "t"),
        node("Sub", "m200 t", "y"),
    ]
    seconds, _ = cost(file(nodes, [tensor("b", [0.5], 1)]), "Sub|more ways")
    assert seconds < 2.0


@cache
def originals() -> list[bytes]:
    return [export_model(network(name)[0], dtype=dtype) for name in NETWORKS for dtype in ("float32", "float64")]


def mutated(rng: Random) -> bytes:
    content = bytearray(rng.choice(originals()))
    kind, place = rng.random(), rng.randrange(len(content))
    end = min(len(content), place + rng.randrange(60))
    if kind < 0.15:
        del content[place:]
    elif kind < 0.7:
        for _ in range(rng.choice((1, 1, 2, 5))):
            content[rng.randrange(len(content))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    elif kind < 0.8:
        del content[place:end]
    elif kind < 0.9:
        content[rng.randrange(len(content)) : 0] = content[place:end]
    else:
        content[place : place + 1] = rng.randbytes(rng.randrange(12))
    return bytes(content)


def load_or_refuse(seeds: range) -> int:
    """How many mutated files load: all others are refused as they should be, or this raises what they raised."""
    loaded = 0
    for seed in seeds:
        message = ""
        try:
            load_model(mutated(Random(seed)), engine="linalg")
            loaded += 1
        except ModelFileError as error:
            message = str(error)
        assert message.isprintable()
        assert len(message) < 300
    return loaded


def test_mutated_files_load_or_are_refused() -> None:
    assert load_or_refuse(range(300)) > 20


@pytest.mark.slow
def test_many_mutated_files_load_or_are_refused() -> None:
    assert load_or_refuse(range(300, 5000)) > 400


def test_every_truncation_is_refused() -> None:
    content = export_model(network("embedding")[0])
    end_of_graph = len(content) - 700  # behind it stands what is told beside it, which may be missing
    for size in range(0, end_of_graph, 7):
        with pytest.raises(ModelFileError):
            load_model(content[:size], engine="linalg")


def test_the_graph_counts_and_not_what_is_told_beside_it() -> None:
    model = named(classes=["yes", "no"])
    content = export_model(model)
    for old, new in ((b'["yes", "no"]', b'["no", "yes"]'), (b'"cross_entropy"', b'"no such loss"')):
        assert content.count(old) == 1
        again = load_model(content.replace(old, new.ljust(len(old))), engine="linalg")
        assert again.predict([[3.0, 0.0], [0.0, 3.0]]) == model.predict([[3.0, 0.0], [0.0, 3.0]])
    for operator, message in (("Sigmoid", "learned with cross_entropy"), ("Flatten", "neither from a softmax")):
        other = content.replace(wire.text(NodeField.OPERATOR, "Softmax"), wire.text(NodeField.OPERATOR, operator))
        with pytest.raises(ModelFileError, match=message):
            load_model(other)
    contradiction = content.replace(b'["cross_entropy", {}]', b'["nll", {}]'.ljust(len(b'["cross_entropy", {}]')))
    with pytest.raises(ModelFileError, match="learned with nll"):
        load_model(contradiction)
    for text, message in ((b"[" * 13, "its classes: no JSON"), (b'{"a":1,"a":2}', "the same name twice")):
        with pytest.raises(ModelFileError, match=message):
            load_model(content.replace(b'["yes", "no"]', text))


def test_an_embedding_comes_first_or_not_at_all() -> None:
    layer = Embedding(3, 2)
    layer.weight.value = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    model = fitted_model([layer, Linear(4, 2)], task="regression", loss="mse", input_shape=2, engine="linalg")
    again = load_model(export_model(model, dtype="float64"), engine="linalg")
    assert again.predict([[2, 0]]) == model.predict([[2, 0]])
    table = tensor("t", [1.0] * 6, 3, 2)
    late = file([node("Relu", "x", "h"), node("Gather", "t h", "g", axis=0), node("Flatten", "g", "y")], [table])
    with pytest.raises(ModelFileError, match=r"Gather .* behind other layers"):
        load_model(late, task="regression")
