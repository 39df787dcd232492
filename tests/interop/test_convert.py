"""``python -m scratchnn.convert``: another project's file becomes a model, or nothing changes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Model, convert
from scratchnn.interop import onnx, safetensors
from tests.commands import Runner, refused
from tests.interop.networks import network

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def command(call: Runner) -> Runner:
    return partial(call, convert.main)


def same(model: Model, other: Model, X: list[list[Any]]) -> bool:
    """Whether both answer the same to the last bit, on lists."""
    return model.predict(X) == other.predict(X) and model.classes == other.classes


# --- scratchnn's own files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "layers"), [("relu", 3), ("convolution", 9), ("regression of three", 3)])
def test_what_was_exported_comes_back(name: str, layers: int, command: Runner) -> None:
    model, X = network(name)
    safetensors.save_model(model, "net.safetensors")
    onnx.save_model(model, "net.onnx", dtype="float64")
    for file in ("net.safetensors", "net.onnx"):
        code, out, err = command(file, "--to", "model.pkl")
        assert (code, err) == (0, "")
        sizes = f"{model.input_size} features, {layers} layers, {model.output_size} outputs"
        assert out.startswith(f"model.pkl: a model for {model.task}: {sizes}, {model.parameter_count:,} parameters\n")
        assert "python -m scratchnn.predict model.pkl rows.csv" in out
        assert same(Model.load("model.pkl", engine="linalg"), model, X)


# --- PyTorch's weights -------------------------------------------------------------------------------------------


def weights_alone(layers: str = "layers.json") -> tuple[Model, list[list[Any]]]:
    """net.safetensors without a word of ours, and what its layers are in a file of JSON."""
    model, X = network("regression, nothing scaled")
    safetensors.save_model(model, "whole.safetensors")
    tensors, _ = safetensors.load_file("whole.safetensors")
    safetensors.save_file(tensors, "net.safetensors")
    plain = [
        {"kind": "Linear", "inputs": 4, "outputs": 5},
        {"kind": "ReLU"},
        {"kind": "Linear", "inputs": 5, "outputs": 1},
    ]
    Path(layers).write_text(json.dumps({"layers": plain, "loss": "mse"}), encoding="ascii")
    return model, X


def test_weights_alone_need_a_description_of_the_layers(command: Runner) -> None:
    model, X = weights_alone()
    said = refused(command("net.safetensors", "--to", "model.pkl"))
    assert "without a description of the layers" in said and "--layers" in said
    code, _, err = command("net.safetensors", "--to", "model.pkl", "--layers", "layers.json")
    assert (code, err) == (0, "")
    assert same(Model.load("model.pkl", engine="linalg"), model, X)


def test_the_description_of_the_layers_is_not_written_over(command: Runner) -> None:
    weights_alone()
    before = Path("layers.json").read_bytes()
    said = refused(command("net.safetensors", "--to", "layers.json", "--layers", "layers.json"))
    assert "this would overwrite what is read" in said
    assert Path("layers.json").read_bytes() == before


def test_classes_may_be_named(command: Runner) -> None:
    weights_alone()
    plain = [
        {"kind": "Linear", "inputs": 4, "outputs": 5},
        {"kind": "ReLU"},
        {"kind": "Linear", "inputs": 5, "outputs": 1},
    ]
    Path("layers.json").write_text(json.dumps({"layers": plain, "loss": "bce_with_logits"}), encoding="ascii")
    arguments = ["net.safetensors", "--to", "model.pkl", "--layers", "layers.json", "--classes"]
    for given, classes in [(["no", "yes"], ["no", "yes"]), (["-3", "5"], [-3, 5]), (["1_0", "2"], ["1_0", "2"])]:
        code, _, err = command(*arguments, *given)
        assert (code, err) == (0, "")
        assert Model.load("model.pkl").classes == classes
    assert "classes" in refused(command(*arguments, "one"))


# --- scikit-learn's files ----------------------------------------------------------------------------------------


@pytest.fixture
def perceptron() -> tuple[Any, Any]:
    """A fitted one of scikit-learn's, which stands in net.joblib."""
    neural = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    X = [[float(k % 5), float(k % 3)] for k in range(40)]
    fitted = neural.MLPClassifier((4,), max_iter=1000, tol=1e-2, random_state=0).fit(
        X, ["ab"[k % 5 > k % 3] for k in range(40)]
    )
    joblib.dump(fitted, "net.joblib")
    return fitted, X


def test_a_pickle_is_read_only_for_who_trusts_it(command: Runner, perceptron: tuple[Any, Any]) -> None:
    fitted, X = perceptron
    said = refused(command("net.joblib", "--to", "model.pkl"))
    assert "can run any code" in said and "--trust" in said
    assert not Path("model.pkl").exists()
    code, _, err = command("net.joblib", "--to", "model.pkl", "--trust")
    assert (code, err) == (0, "")
    model = Model.load("model.pkl", engine="linalg")
    assert model.predict(X) == fitted.predict(X).tolist()
    assert "an estimator of scikit-learn says that itself" in refused(
        command("net.joblib", "--to", "model.pkl", "--trust", "--task", "regression")
    )


def test_other_estimators_are_refused(command: Runner) -> None:
    tree = pytest.importorskip("sklearn.tree", reason="scikit-learn is not installed")
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    joblib.dump(tree.DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]), "net.joblib")
    assert "DecisionTreeClassifier" in refused(command("net.joblib", "--to", "model.pkl", "--trust"))


def test_no_pickle_at_all(command: Runner) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    Path("net.joblib").write_bytes(b"no pickle")
    assert "net.joblib: cannot be read as a joblib or pickle file: " in refused(
        command("net.joblib", "--to", "model.pkl", "--trust")
    )
    network("relu")[0].save("mine.pkl")
    assert "this is a model of scratchnn already" in refused(command("mine.pkl", "--to", "model.pkl", "--trust"))


# --- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.onnx"], "the following arguments are required: --to"),
        (["missing.onnx", "--to", "model.pkl"], "missing.onnx"),
        (["missing.safetensors", "--to", "model.pkl"], "missing.safetensors"),
        (["missing.joblib", "--to", "model.pkl", "--trust"], "missing.joblib: no such file"),
        (["net.pt", "--to", "model.pkl"], "net.pt: PyTorch's own files can run any code"),
        (["net.onnx", "--to", "model.py"], "--to model.py: what is written is a model, such as model.pkl"),
        (
            ["net.h5", "--to", "model.pkl"],
            "the ending '.h5' says no kind of file that is known: .onnx, .safetensors, .joblib",
        ),
        (["net", "--to", "model.pkl"], "a name without an ending says no kind of file"),
        (["net.onnx", "--to", "model.pkl", "--layers", "x.json"], "--layers is for .safetensors"),
        (["net.onnx", "--to", "none/model.pkl"], "none"),
        (["net.onnx", "--to", "net.onnx"], "this would overwrite what is read"),
        (["net.onnx", "--to", "model.pkl"], "net.onnx"),
        (["net.safetensors", "--to", "model.pkl"], "net.safetensors"),
        (["net.onnx", "--to", "model.pkl", "--task", "guessing"], "--task"),
    ],
)
def test_mistakes_are_said_in_a_line(arguments: list[str], message: str, command: Runner) -> None:
    for file in ("net.onnx", "net.safetensors"):
        Path(file).write_bytes(b"nothing of the kind")
    assert message in refused(command(*arguments))
    assert not Path("model.pkl").exists()
    assert Path("net.onnx").read_bytes() == b"nothing of the kind"
