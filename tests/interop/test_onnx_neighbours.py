"""ONNX files of others: what PyTorch's two exporters and skl2onnx write of the networks that scratchnn has."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from random import Random
from typing import Any

import pytest

from scratchnn import (
    BatchNorm,
    BCEWithLogitsLoss,
    Conv2D,
    CrossEntropyLoss,
    Linear,
    Model,
    ModelFileError,
    MSELoss,
    NLLLoss,
)
from scratchnn.interop.onnx import export_model, load_model

from .networks import NETWORKS, network
from .onnx_files import package, run


@contextmanager
def in_silence() -> Iterator[None]:
    """What exporters say and warn of is their own concern."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


# --- PyTorch -------------------------------------------------------------------------------------------------


def residual(*layers: Any) -> Any:
    torch = package("torch")

    class Added(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(*layers)

        def forward(self, x: Any) -> Any:
            return x + self.layers(x)

    return Added()


def viewed() -> Any:
    torch = package("torch")

    class Viewed(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def forward(self, x: Any) -> Any:
            return x.view(x.size(0), -1)

    return Viewed()


def torch_network(name: str) -> Any:
    nn = package("torch").nn
    return {
        "dense": lambda: nn.Sequential(
            nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 3)
        ),
        "activations": lambda: nn.Sequential(
            nn.Linear(4, 6), nn.GELU(), nn.SiLU(), nn.ELU(0.7), nn.Softplus(), nn.LeakyReLU(0.2), nn.Sigmoid()
        ),
        "softmax": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3), nn.Softmax(1)),
        "log-softmax": lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 3), nn.LogSoftmax(-1)),
        "sigmoid": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1), nn.Sigmoid()),
        "residual": lambda: nn.Sequential(
            nn.Linear(4, 6),
            residual(nn.LayerNorm(6), nn.Linear(6, 6), residual(nn.GELU(), nn.Linear(6, 6))),
            nn.Linear(6, 3),
        ),
        "embedding": lambda: nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(12, 3)),
        "convolution": lambda: nn.Sequential(
            nn.Conv2d(2, 3, (3, 2), padding=(1, 0), stride=(1, 2)),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.MaxPool2d(2, 2, 1),
            residual(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.Tanh()),
            nn.BatchNorm2d(3),
            nn.AvgPool2d((2, 1), padding=(1, 0)),
            nn.Flatten(),
            nn.Linear(18, 4),
        ),
        "all of an image": lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), viewed(), nn.Linear(4, 3)
        ),
    }[name]()


SHAPES = {"embedding": (4,), "convolution": (2, 6, 7), "all of an image": (2, 6, 7)}
LOSSES = {
    "softmax": CrossEntropyLoss,
    "log-softmax": NLLLoss,
    "sigmoid": BCEWithLogitsLoss,
    "activations": BCEWithLogitsLoss,
}
TORCH = (
    "dense",
    "activations",
    "softmax",
    "log-softmax",
    "sigmoid",
    "residual",
    "embedding",
    "convolution",
    "all of an image",
)


@cache
def learned(name: str) -> tuple[Any, Any, Any]:
    """(a PyTorch network, rows for it as a tensor, what it says)."""
    torch = package("torch")
    torch.manual_seed(1)
    net, shape = torch_network(name), (8, *SHAPES.get(name, (4,)))
    rows = torch.randint(0, 9, shape) if name == "embedding" else torch.randn(shape)
    if name != "embedding":
        net.train()
        for _ in range(3):
            net(rows * 2 + 1)  # for the running means
    net.eval()
    return net, rows, net(rows).detach().numpy()


def torch_file(name: str, **settings: Any) -> bytes:
    package("onnx")
    torch = package("torch")
    net, rows, _ = learned(name)
    with in_silence():
        if settings.get("dynamo"):
            package("onnxscript")
            program = torch.onnx.export(net, (rows,), verbose=False, **settings)
            return bytes(program.model_proto.SerializeToString())
        stream = io.BytesIO()
        torch.onnx.export(net, (rows,), stream, input_names=["x"], **settings)
        return stream.getvalue()


def check_torch(name: str, content: bytes) -> None:
    np = package("numpy")
    _, rows, wanted = learned(name)
    flat = rows.reshape(len(rows), -1).tolist()
    values = load_model(content, task="regression", engine="linalg")
    assert isinstance(values.loss, MSELoss)
    found = np.array(values.predict(flat)).reshape(wanted.shape)
    assert abs(found - wanted).max() < 1e-6  # measured: 2e-7
    model = load_model(content, engine="linalg")
    assert type(model.loss) is LOSSES.get(name, CrossEntropyLoss)
    probabilities = np.array(model.predict_proba(flat))
    if name in ("softmax", "activations"):
        assert abs(probabilities - wanted).max() < 1e-6
    elif name == "sigmoid":
        assert abs(probabilities[:, 1:] - wanted).max() < 1e-6
    else:
        assert model.classes == [*range(wanted.shape[1])]
        assert model.predict(flat) == wanted.argmax(1).tolist()
        exponentials = np.exp(wanted - wanted.max(1, keepdims=True))
        assert abs(probabilities - exponentials / exponentials.sum(1, keepdims=True)).max() < 1e-6


@pytest.mark.parametrize("version", [None, 11, 17])
@pytest.mark.parametrize("name", TORCH)
def test_torch_s_first_exporter(name: str, version: int | None) -> None:
    settings: dict[str, Any] = {} if version is None else {"opset_version": version, "dynamic_axes": {"x": {0: "n"}}}
    check_torch(name, torch_file(name, dynamo=False, **settings))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dynamic"), [*((name, True) for name in TORCH), ("convolution", False)])
def test_torch_s_second_exporter(name: str, dynamic: bool) -> None:
    torch = package("torch")
    settings = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if dynamic else {}
    check_torch(name, torch_file(name, dynamo=True, **settings))


def test_layers_of_torch_become_layers() -> None:
    model = load_model(torch_file("convolution", dynamo=False, training=package("torch").onnx.TrainingMode.PRESERVE))
    kinds = [type(layer) for layer in model.network]
    assert kinds[0] is Conv2D
    assert kinds[-1] is Linear
    assert BatchNorm in kinds or kinds.count(Conv2D) == 1
    assert model.input_shape == (2, 6, 7)


@pytest.mark.parametrize("layer", ["Hardswish()", "ReLU6()", "GELU(approximate='tanh')", "GroupNorm(1, 3)", "Mish()"])
def test_other_layers_of_torch_are_refused_by_name(layer: str) -> None:
    torch = package("torch")
    package("onnx")
    net = torch.nn.Sequential(torch.nn.Linear(3, 3), eval(f"nn.{layer}", {"nn": torch.nn}), torch.nn.Linear(3, 2))
    stream = io.BytesIO()
    with in_silence():
        torch.onnx.export(net.eval(), (torch.randn(2, 3),), stream, dynamo=False)
    with pytest.raises(ModelFileError, match=r"has no counterpart in scratchnn|does not come from"):
        load_model(stream.getvalue())


# --- scikit-learn, by skl2onnx -------------------------------------------------------------------------------

ANSWERS: dict[str, Callable[[Any], Any]] = {
    "texts": lambda k: [("a", "b", "c")[v] for v in k],
    "whole numbers": lambda k: [(7, -1, 3)[v] for v in k],
    "two texts": lambda k: [("no", "yes")[v % 2] for v in k],
    "true or false": lambda k: [bool(v % 2) for v in k],
    "several labels": lambda k: [[v % 2, v // 2, int(v == 1)] for v in k],
}


def learned_by_sklearn(network: Any, y: Any, scaled: bool) -> tuple[Any, Any]:
    np = package("numpy")
    pipeline, preprocessing = package("sklearn.pipeline"), package("sklearn.preprocessing")
    X = np.random.default_rng(1).normal(size=(60, 4)) * [1, 2, 30, 4] + [0, 5, 1, 0]
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), network) if scaled else network
    with in_silence():
        model.fit(X, np.array(y(X) if callable(y) else y))
    return model, X


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("zipmap", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("answers", ANSWERS)
def test_classifiers_of_sklearn(answers: str, activation: str, zipmap: bool, dtype: str) -> None:
    np, networks, skl2onnx = package("numpy"), package("sklearn.neural_network"), package("skl2onnx")
    network = networks.MLPClassifier(hidden_layer_sizes=(5, 6), activation=activation, max_iter=20, random_state=1)
    y = ANSWERS[answers](np.random.default_rng(2).integers(0, 3, 60).tolist())
    model, X = learned_by_sklearn(network, y, scaled=activation != "tanh")
    with in_silence():
        options = {id(network): {"zipmap": zipmap}}
        content = skl2onnx.to_onnx(model, X[:1].astype(dtype), options=options).SerializeToString()
    again = load_model(content, engine="linalg")
    rows = X.astype(dtype)
    assert again.predict(rows.tolist()) == model.predict(rows).tolist()
    worst = abs(np.array(again.predict_proba(rows.tolist())) - model.predict_proba(rows)).max()
    assert worst < (1e-6 if dtype == "float32" else 1e-12)
    assert again.classes == ([] if answers == "several labels" else model.classes_.tolist())
    assert again.scaling.kind == ("none" if activation == "tanh" else "standard")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_regressions_of_sklearn(outputs: int, dtype: str) -> None:
    np, networks, skl2onnx = package("numpy"), package("sklearn.neural_network"), package("skl2onnx")
    network = networks.MLPRegressor(hidden_layer_sizes=(5, 6), max_iter=20, random_state=1)
    model, X = learned_by_sklearn(network, lambda X: X[:, 0] if outputs == 1 else X[:, :2], scaled=True)
    with in_silence():
        content = skl2onnx.to_onnx(model, X[:1].astype(dtype)).SerializeToString()
    again = load_model(content, engine="linalg")
    assert again.task == "regression"
    rows = X.astype(dtype)
    assert abs(np.array(again.predict(rows.tolist())) - model.predict(rows)).max() < (
        2e-6 if dtype == "float32" else 1e-12
    )


# --- what is read is what onnxruntime reads ------------------------------------------------------------------


def changed(rng: Random, content: bytes) -> bytes:
    """A file with another attribute, input, operator or order of inputs somewhere."""
    proto = package("onnx").load_from_string(content)
    node = rng.choice(proto.graph.node)
    kind = rng.random()
    attributes = [each for each in node.attribute if each.type in (1, 2, 7)]
    if kind < 0.4 and attributes:
        attribute = rng.choice(attributes)
        if attribute.type == 1:
            attribute.f = rng.choice((0.0, 1.0, 0.5, 2.0, attribute.f * 2))
        elif attribute.type == 2:
            attribute.i = rng.choice((0, 1, -1, 2, 3))
        else:
            attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice((0, 1, 2, 3, -1))
    elif kind < 0.6 and node.input:
        made = [name for each in proto.graph.node for name in each.output]
        names = [*made, *(each.name for each in proto.graph.initializer), "input"]
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind < 0.8:
        operators = (
            "Relu Tanh Sigmoid Add Mul Sub Div Identity Exp Neg Softmax LogSoftmax Abs Greater ArgMax Max MaxPool"
        )
        node.op_type = rng.choice(operators.split())
    elif node.attribute and kind < 0.9:
        del node.attribute[rng.randrange(len(node.attribute))]
    else:
        inputs = [*node.input]
        rng.shuffle(inputs)
        node.input[:] = inputs
    return bytes(proto.SerializeToString())


def answers_of(model: Model, rows: Any) -> tuple[Any, Any]:
    """(values or probabilities, labels) as flat lists."""
    np = package("numpy")
    if model.task == "regression":
        return np.array(model.predict(rows)).reshape(-1), []
    labels, probabilities = model.predict_with_proba(rows)
    return np.array(probabilities).reshape(-1), np.array(labels, dtype=object).reshape(-1).tolist()


@pytest.mark.slow
def test_a_changed_file_that_loads_is_read_as_onnxruntime_reads_it() -> None:
    np, onnxruntime = package("numpy"), package("onnxruntime")
    onnxruntime.set_default_logger_severity(4)
    originals = [
        (name, export_model(network(name)[0], dtype=kind)) for name in NETWORKS for kind in ("float32", "float64")
    ]
    compared = 0
    for seed in range(1500):
        rng = Random(seed)
        name, content = rng.choice(originals)
        content = changed(rng, content)
        rows = network(name)[1][:9]
        try:
            model = load_model(content, engine="linalg")
        except ModelFileError:
            continue
        try:
            found = run(content, rows)
        except Exception:  # of many kinds, for files that are no valid ones
            continue
        numbers, labels = answers_of(model, rows)
        theirs = found["values" if model.task == "regression" else "probabilities"].reshape(-1)
        if not np.isfinite(theirs).all() or max(abs(theirs)) > 1e30:
            continue
        compared += 1
        assert np.allclose(numbers, theirs, rtol=1e-3, atol=1e-4), (seed, name)
        if labels and min(abs(np.diff(np.sort(numbers)))) > 1e-6:
            assert found["label"].reshape(-1).tolist() == labels, (seed, name)
    assert compared > 250
