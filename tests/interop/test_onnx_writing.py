"""Models as ONNX files, against the real onnx and onnxruntime: the same labels and probabilities."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scratchnn import (
    ArgumentError,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Flatten,
    Layer,
    Linear,
    MaxPool2D,
    Model,
    NotFittedError,
    ReLU,
    __version__,
    load_digits,
)
from scratchnn.interop.making import fitted_model
from scratchnn.interop.onnx import export_model, save_model
from scratchnn.layers.weights import digest
from scratchnn.preprocessing import Scaling

from .networks import NETWORKS, network
from .onnx_files import difference, package, run

# Measured: at most 2.0e-7 and 4e-16.
MOST = {"float32": 3e-7, "float64": 2e-10}


def checked(content: bytes) -> Any:
    onnx = package("onnx")
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.mark.parametrize("dtype", MOST)
@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_gives_the_same_answers(name: str, dtype: str) -> None:
    model, rows = network(name)
    content = export_model(model, dtype=dtype)
    checked(content)
    worst, labels, wanted = difference(content, model, rows)
    assert worst <= MOST[dtype]
    assert labels == wanted


# With logits of 20 a float32 is 1e-6 from the next. Measured here 3.4e-7 (3.3e-7 to 7.1e-7 for six such networks),
# where NumPy with the same weights as float32 is 4.2e-7 to 4.9e-7 away; the convolution 1.2e-7.
MOST_FOR_DIGITS = {"float32": 1e-6, "float64": 2e-10}


@cache
def digits(images: bool) -> tuple[Model, Any]:
    train, test = load_digits()
    if images:
        layers = [Conv2D(1, 6, 3, padding=1), BatchNorm(6), MaxPool2D(2), ReLU(), Conv2D(6, 8, 3, stride=2, padding=1)]
        layers += [ReLU(), AvgPool2D(2, padding=1), Flatten(), Linear(32, 10)]
        model = Model.from_layers(layers, input_shape=(1, 8, 8), engine="linalg")
        model.fit(train.X[:200], train.y[:200], epochs=2)
        return model, [list(row) for row in test.X]
    learned = Model(64, 30, 10)
    learned.fit(train.X, train.y, epochs=3)
    model = Model(64, 30, 10, engine="linalg")  # which has not the rounding of lanes
    model.weights, model.schema = learned.weights, learned.schema
    return model, [list(row) for row in test.X]


@pytest.mark.parametrize("dtype", MOST_FOR_DIGITS)
@pytest.mark.parametrize("images", [False, True], ids=["dense", "convolution"])
def test_all_test_digits_are_read_alike(images: bool, dtype: str) -> None:
    model, rows = digits(images)
    worst, labels, wanted = difference(export_model(model, dtype=dtype), model, rows)
    assert worst <= MOST_FOR_DIGITS[dtype]
    assert labels == wanted


def two_outputs(classes: Any = (), **settings: Any) -> Model:
    layer = Linear(2, 2)
    layer.weight.value, layer.bias.value = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0]]
    usual: dict[str, Any] = {"task": "classification", "loss": "cross_entropy", "engine": "linalg"}
    return fitted_model([layer], input_shape=2, classes=classes, **{**usual, **settings})


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (["b", "a"], "tensor(string)"),
        ([7, -3], "tensor(int64)"),
        ([False, True], "tensor(int64)"),
        ([True, 5], "tensor(int64)"),
    ],
)
def test_classes_are_texts_or_whole_numbers_and_of_equal_outputs_the_first(classes: list[Any], kind: str) -> None:
    content = export_model(two_outputs(classes))
    found = run(content, [[1.0, 1.0], [1.0, 2.0]])
    assert found["label"].tolist() == classes
    session = package("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [output.type for output in session.get_outputs()] == [kind, "tensor(float)"]
    assert json.loads(checked(content).metadata_props[4].value) == classes


def test_one_output_names_the_second_class_from_a_half_on() -> None:
    layer = Linear(1, 1)
    layer.weight.value, layer.bias.value = [[1.0]], [[0.0]]
    model = fitted_model(
        [layer], task="classification", loss="bce_with_logits", input_shape=1, classes=["no", "yes"], engine="linalg"
    )
    rows = [[0.0], [-1e-3], [1e-3], [-60.0], [60.0]]
    for dtype in MOST:
        found = run(export_model(model, dtype=dtype), rows)
        assert found["label"].tolist() == ["yes", "no", "yes", "no", "yes"] == model.predict(rows)
        assert found["probabilities"][4][0] == pytest.approx(math.exp(-60.0), rel=1e-3)  # and not 1 - 1


def test_any_number_of_rows_may_be_asked_at_once() -> None:
    model, rows = network("convolution")
    for dtype in MOST:
        content = export_model(model, dtype=dtype)
        assert [run(content, rows[:count])["probabilities"].shape for count in (1, 2, 30)] == [(1, 4), (2, 4), (30, 4)]


def test_the_file_says_what_made_it_and_what_it_is() -> None:
    model, _ = network("relu")
    proto = checked(export_model(model))
    about = {entry.key: entry.value for entry in proto.metadata_props}
    assert (proto.producer_name, proto.producer_version, proto.ir_version) == ("scratchnn", __version__, 7)
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", 13)]
    assert (about["made_by"], about["digest"]) == (f"scratchnn {__version__}", digest(model.network))
    assert json.loads(about["classes"]) == model.classes
    assert json.loads(about["feature_names"]) == model.feature_names
    assert "Linear" in proto.doc_string
    assert digest(model.network) in proto.doc_string
    (port,) = proto.graph.input
    sizes = port.type.tensor_type.shape.dim
    assert (port.name, sizes[0].dim_param, sizes[1].dim_value) == ("input", "samples", 5)


def test_the_same_model_gives_the_same_bytes_and_a_file_holds_them(tmp_path: Path) -> None:
    model, _ = network("normalised")
    content = export_model(model, dtype="float64")
    assert export_model(model, dtype="float64") == content
    save_model(model, tmp_path / "model.onnx", dtype="float64")
    assert (tmp_path / "model.onnx").read_bytes() == content


class Mine(Layer):
    def forward(self, x: Any) -> Any:
        return x

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return gradient


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(NotFittedError):
        export_model(Model(2, 3, 2))
    with pytest.raises(ArgumentError, match="unknown dtype 'float16'"):
        export_model(two_outputs(), dtype="float16")
    with pytest.raises(ArgumentError, match="too large for float32: export it with dtype='float64'"):
        export_model(two_outputs(scaling=Scaling("standard", [1e39, 0.0], [1.0, 1.0])))
    with pytest.raises(ArgumentError, match="deviation is too small for float32"):
        export_model(two_outputs(scaling=Scaling("standard", [0.0, 0.0], [1.0, 1e-46])))
    with pytest.raises(ArgumentError, match="no Unicode text"):
        export_model(two_outputs(["\ud800", "b"]))
    model = Model.from_layers([Linear(2, 2), Mine()], engine="linalg")
    model.fit([[1, 2], [2, 1]], [0, 1], epochs=1)
    with pytest.raises(ArgumentError, match=r"Mine\(\)"):
        export_model(model)
