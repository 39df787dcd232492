"""Models in safetensors files: PyTorch takes their weights and gives the same outputs, and they come back whole."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scratchnn import (
    ELU,
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    CrossEntropyLoss,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Model,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from scratchnn.errors import ArgumentError, DataError, ModelFileError
from scratchnn.info import weights_digest
from scratchnn.interop.layer_list import read_description
from scratchnn.interop.safetensors import KEY, Tensor, load_file, load_model, save_file, save_model
from scratchnn.layers.base import Layer
from scratchnn.preprocessing import Scaling
from scratchnn.saving.model_format import described
from tests.interop.networks import NETWORKS, network
from tests.interop.safetensors_mutations import mutated_text
from tests.rows import random_rows

# Differences of outputs in float64, over the largest output, for each layer that numbers go through: sums in another
# order are rounded otherwise. (The weights themselves are compared to the last bit.) Of LayerNorm both programs are
# 6e-16 away from the exact value, on either side.
WITHIN = 3e-16
WITHIN_LAYER_NORM = 1e-15


def images_of_rows() -> tuple[Model, list[Any]]:
    """What ``networks`` does not have: LayerNorm of an image, BatchNorm of one channel, layers one in another."""
    inner = Sequential([LayerNorm(24), Sequential([ReLU(), Conv2D(2, 1, 2)]), BatchNorm(1)])
    layers = [Conv2D(1, 2, (2, 1)), inner, Flatten(), Residual([Linear(6, 6), Dropout(0.5), Tanh()]), Linear(6, 3)]
    model = Model.from_layers(layers, input_shape=(1, 4, 4), engine="linalg", scaling="standard")
    X = random_rows(20, 16, spread=2.0)
    model.fit(X, [k % 3 for k in range(20)], epochs=2)
    return model, X


ALL: dict[str, Callable[[], tuple[Model, list[Any]]]] = {
    **{name: (lambda name=name: network(name)) for name in NETWORKS},  # type: ignore[misc]
    "layers of images": images_of_rows,
}
every_network = pytest.mark.parametrize("name", ALL)


def same(a: Model, b: Model) -> bool:
    """Whether two models are the same in all that a file holds."""
    return describing(a) == describing(b)


def describing(model: Model) -> Any:
    return described(model.network, model.loss, model.schema, model.seed)


# --- there and back without PyTorch --------------------------------------------------------------------------------


@every_network
def test_a_model_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    model, X = ALL[name]()
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    again = load_model(path, engine="linalg")
    assert same(model, again)
    assert again.predict(X) == model.predict(X)
    first = path.read_bytes()
    save_model(again, path)
    assert path.read_bytes() == first


def test_all_that_a_model_knows_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = Model.from_layers([Linear(2, 4), LayerNorm(4), Linear(4, 2)], engine="lanes", seed=(1 << 128) - 1)
    save_model(model, path)  # before it has learned anything
    again = load_model(path, engine="lanes")
    assert same(model, again)
    assert (
        again.fit([[1.0, 2.0], [2.0, 1.0]] * 5, [True, False] * 5, epochs=2).loss
        == model.fit([[1.0, 2.0], [2.0, 1.0]] * 5, [True, False] * 5, epochs=2).loss
    )
    model.network[1].trainable = False
    model.schema = model.schema._replace(feature_names=("a", "é\ud800\n"), label_name='"', label_position=-1)
    save_model(model, path)
    again = load_model(path, engine="lanes")
    assert same(model, again)
    assert again.classes == [False, True]
    assert [layer.trainable for layer in again.network] == [True, False, True]


def test_half_the_room_for_rounded_weights(tmp_path: Path) -> None:
    model, X = network("one hundred inputs")
    paths = tmp_path / "64.safetensors", tmp_path / "32.safetensors"
    save_model(model, paths[0])
    save_model(model, paths[1], dtype="F32")
    small, large = (sum(len(t.data) for t in load_file(path).tensors.values()) for path in reversed(paths))
    assert 2 * small == large
    again = load_model(paths[1], engine="linalg")
    for before, after in zip(model.predict_proba(X), again.predict_proba(X)):
        assert after == pytest.approx(before, abs=1e-5)
    for path in paths:  # which model it is of
        assert load_file(path).metadata["sha256_of_weights"] == weights_digest(model)
    save_model(again, paths[0], dtype="F32")
    rounded, once = ({name: bytes(t.data) for name, t in load_file(path).tensors.items()} for path in paths)
    assert rounded == once
    before = paths[0].read_bytes()
    with pytest.raises(ArgumentError, match="unknown dtype of weights 'F16': known are F64, F32"):
        save_model(model, paths[0], dtype="F16")
    model = Model.from_layers([Linear(1, 1)], loss="mse", engine="linalg")
    model.weights = [[[1e39]], [0.0]]
    with pytest.raises(ArgumentError, match=r"0\.weight: these numbers cannot be written as F32"):
        save_model(model, paths[0], dtype="F32")
    assert paths[0].read_bytes() == before  # what was refused has changed nothing


class Mine(Layer):
    def forward(self, x: Any) -> Any:
        return x

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return gradient


def test_a_layer_of_one_s_own_is_named(tmp_path: Path) -> None:
    model = Model.from_layers([Linear(2, 3), Residual([Mine()]), Linear(3, 2)], engine="linalg")
    with pytest.raises(ArgumentError, match=r"Mine\(\) is a layer of your own: PyTorch has none like it"):
        save_model(model, tmp_path / "model.safetensors")


# --- PyTorch -------------------------------------------------------------------------------------------------------


def pytorch() -> tuple[Any, Any]:
    """(torch, safetensors.torch), or the test is skipped."""
    torch = pytest.importorskip("torch", reason="PyTorch, which this is compared with, is not installed")
    return torch, pytest.importorskip("safetensors.torch", reason="safetensors is not installed")


def twin(layer: Layer, shape: tuple[int, ...]) -> Any:
    """PyTorch's module for one of our layers that takes samples of this shape, with its modules in the same places."""
    nn = pytorch()[0].nn

    class Added(nn.Sequential):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x + super().forward(x)

    class Rows(nn.Embedding):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return super().forward(x).flatten(1)

    if isinstance(layer, Sequential):
        inner = []
        for part in layer:
            inner.append(twin(part, shape))
            shape = part.output_shape(shape)
        return (Added if isinstance(layer, Residual) else nn.Sequential)(*inner)
    a: Any = layer
    made: dict[str, Callable[[], Any]] = {
        "Linear": lambda: nn.Linear(a.inputs, a.outputs),
        "Conv2D": lambda: nn.Conv2d(a.in_channels, a.out_channels, a.kernel, a.stride, a.padding),
        "MaxPool2D": lambda: nn.MaxPool2d(a.kernel, a.stride, a.padding),
        "AvgPool2D": lambda: nn.AvgPool2d(a.kernel, a.stride, a.padding),
        "LayerNorm": lambda: nn.LayerNorm(shape, a.epsilon),
        "BatchNorm": lambda: (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(a.features, a.epsilon, a.momentum),
        "Embedding": lambda: Rows(a.count, a.features),
        "Dropout": lambda: nn.Dropout(a.rate),
        "LeakyReLU": lambda: nn.LeakyReLU(a.slope),
        "ELU": lambda: nn.ELU(a.alpha),
        "Softplus": lambda: nn.Softplus(threshold=1e3),
        "Softmax": lambda: nn.Softmax(1),
        "LogSoftmax": lambda: nn.LogSoftmax(1),
    }
    kind = type(layer).__name__
    return made[kind]() if kind in made else getattr(nn, kind)()


def outputs_of(module: Any, model: Model, X: list[Any]) -> list[list[float]]:
    """What a twin gives for raw rows that the model has scaled."""
    torch = pytorch()[0]
    rows = model.schema.require_learned().transform(X)
    named = model.network.reads_indices
    x = torch.tensor(rows, dtype=torch.int64 if named else torch.float64).reshape(-1, *model.input_shape)
    with torch.no_grad():
        return module.eval()(x).flatten(1).tolist()  # type: ignore[no-any-return]


def difference(ours: list[list[float]], theirs: list[list[float]]) -> float:
    """The largest of all differences, over the largest of all numbers."""
    largest = max(abs(v) for row in theirs for v in row)
    return max(abs(a - b) for one, other in zip(ours, theirs) for a, b in zip(one, other)) / largest


def allowed(model: Model) -> float:
    """How far outputs may be apart."""
    return sum(WITHIN_LAYER_NORM if isinstance(layer, LayerNorm) else WITHIN for layer in model.network.in_line())


def differing(model: Model, X: list[Any], path: Path) -> float:
    """How far the outputs of a model's twin are from the model's."""
    _, package = pytorch()
    save_model(model, path)
    module = twin(model.network, model.input_shape).double()
    module.load_state_dict(package.load_file(path))  # strictly: every name is there, and no other
    return difference(model.network(model.schema.require_learned().transform(X)), outputs_of(module, model, X))


LAYERS: dict[str, tuple[Callable[[], Layer], tuple[int, ...]]] = {
    **{kind.__name__: (kind, (5,)) for kind in (ReLU, LeakyReLU, Tanh, Sigmoid, GELU, SiLU, ELU, Softplus)},
    **{kind.__name__: (kind, (5,)) for kind in (Softmax, LogSoftmax, Dropout, Flatten)},
    "Linear": (lambda: Linear(5, 3), (5,)),
    "Conv2D": (lambda: Conv2D(2, 3, (3, 2), stride=(1, 2), padding=(1, 0)), (2, 5, 6)),
    "MaxPool2D": (lambda: MaxPool2D((2, 3), 2, 1), (2, 5, 6)),
    "AvgPool2D": (lambda: AvgPool2D((3, 2), (2, 1), 1), (2, 5, 6)),
    "BatchNorm": (lambda: BatchNorm(5, 0.3, 1e-3), (5,)),
    "BatchNorm of images": (lambda: BatchNorm(2), (2, 3, 4)),
    "LayerNorm": (lambda: LayerNorm(5, 0.1), (5,)),
    "LayerNorm of images": (lambda: LayerNorm(24), (2, 3, 4)),
    "Embedding": (lambda: Embedding(9, 3), (4,)),
    "Residual": (lambda: Residual([Linear(5, 5)]), (5,)),
    "Sequential": (lambda: Sequential([Sequential([Linear(5, 4)])]), (5,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_gives_what_pytorch_s_gives_with_its_weights(name: str, tmp_path: Path) -> None:
    make, shape = LAYERS[name]
    for seed in range(5):
        model = Model.from_layers([make()], loss="mse", input_shape=shape, scaling="none", engine="linalg", seed=seed)
        X: list[Any] = random_rows(10, math.prod(shape), seed, spread=2.0)
        if model.network.reads_indices:
            X = [[int(abs(v) * 3) % 9 for v in row] for row in X]
        model.fit(X, [[0.5] * model.output_size] * 10, epochs=1)  # so that no weight is as it was
        assert differing(model, X, tmp_path / "model.safetensors") <= allowed(model)


@every_network
def test_pytorch_takes_the_weights_of_a_network_and_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    model, X = ALL[name]()
    assert differing(model, X, tmp_path / "model.safetensors") <= allowed(model)


@every_network
def test_what_pytorch_saves_is_the_same_network_here(name: str, tmp_path: Path) -> None:
    torch, package = pytorch()
    model, X = ALL[name]()
    torch.manual_seed(1)
    module = twin(model.network, model.input_shape).double()
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    path, back = tmp_path / "torch.safetensors", tmp_path / "back.safetensors"
    package.save_file(module.state_dict(), path)
    again = load_model(
        path,
        [layer.copy() for layer in model.network],
        loss=model.loss,
        task=model.task,
        input_shape=model.input_shape,
        classes=model.classes,
        scaling=model.scaling,
        target_scaling=model.target_scaling if model.task == "regression" else None,
        engine="linalg",
    )
    ours = again.network(model.schema.require_learned().transform(X))
    assert difference(ours, outputs_of(module, model, X)) <= allowed(model)
    assert (again.classes, again.task) == (model.classes, model.task)
    save_model(again, back)
    state = package.load_file(back)
    for key, value in module.state_dict().items():
        assert torch.equal(state.pop(key), value), key
    assert not state


def test_the_usual_modules_one_after_the_other_are_a_twin(tmp_path: Path) -> None:
    """What people write, in float32 as it is by default, with nothing of ours about it."""
    torch, package = pytorch()
    nn, path = torch.nn, tmp_path / "model.safetensors"
    layers = [Embedding(9, 3), Flatten(), Linear(12, 5), LayerNorm(5), Tanh(), Linear(5, 2)]
    model = Model.from_layers(layers, input_shape=4, engine="linalg")
    X = [[k * j % 9 for j in range(4)] for k in range(12)]
    model.fit(X, [k % 2 for k in range(12)], epochs=2)
    module = nn.Sequential(
        nn.Embedding(9, 3), nn.Flatten(), nn.Linear(12, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 2)
    )
    save_model(model, path)
    module.load_state_dict(package.load_file(path))
    with torch.no_grad():
        for ours, their in zip(model.predict_proba(X), torch.softmax(module(torch.tensor(X)), 1).tolist()):
            assert ours == pytest.approx(their, abs=1e-6)
    package.save_file(module.state_dict(), path)
    again = load_model(path, [layer.copy() for layer in layers], input_shape=4, engine="linalg")
    assert again.predict(X) == model.predict(X)


def test_a_twin_that_learned_on_gives_its_weights_back(tmp_path: Path) -> None:
    """As one works: train here, go on in PyTorch in its usual float32, and use the result here."""
    torch, package = pytorch()
    model, X = network("normalised")
    path = tmp_path / "model.safetensors"
    save_model(model, path, dtype="F32")
    module = twin(model.network, model.input_shape)
    module.load_state_dict(package.load_file(path))
    module.train()
    x = torch.tensor(model.schema.require_learned().transform(X))
    rule = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(module(x), torch.tensor([k % 3 for k in range(len(X))]))
        rule.zero_grad()
        loss.backward()
        rule.step()
    package.save_file(module.state_dict(), path)
    again = load_model(path, [layer.copy() for layer in model.network], classes=["a", "b", "c"], scaling=model.scaling)
    with torch.no_grad():
        expected = torch.softmax(module.eval()(x), 1).tolist()
    for one, other in zip(again.predict_proba(X), expected):
        assert one == pytest.approx(other, abs=1e-5)


# --- files of others -----------------------------------------------------------------------------------------------


def small() -> dict[str, Tensor]:
    """The weights of Linear(2, 3), ReLU, Linear(3, 2)."""
    kinds = [((3, 2), "F32"), ((3,), "F64"), ((2, 3), "F16"), ((2,), "F32")]
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    return {n: Tensor.of([k / 8 - 0.25 for k in range(math.prod(s))], s, d) for n, (s, d) in zip(names, kinds)}


def small_layers() -> list[Layer]:
    return [Linear(2, 3), ReLU(), Linear(3, 2)]


def written(tmp_path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    path = tmp_path / "theirs.safetensors"
    save_file(tensors, path, metadata)
    return path


def test_weights_of_any_float_dtype_are_found_by_their_names(tmp_path: Path) -> None:
    tensors = small()
    tensors["0.bias"] = Tensor("BF16", [3], bytes.fromhex("803f00bf0040"))
    model = load_model(written(tmp_path, tensors, {"format": "pt"}), small_layers(), engine="linalg")
    expected = [[-0.25, 0.0, 0.25], [-0.125, 0.125, 0.375]]
    assert model.weights[0] == expected  # of which PyTorch's is the transposed
    assert model.weights[1] == [1.0, -0.5, 2.0]
    assert model.weights[3] == [-0.25, -0.125]
    assert (model.task, model.classes, model.scaling.kind) == ("classification", [0, 1], "none")
    assert model.predict([[1.0, 2.0]]) == [1]


def test_modules_with_names_of_their_own_are_told_one_by_one(tmp_path: Path) -> None:
    there = {"0.weight": "fc1.weight", "0.bias": "fc1.bias", "2.weight": "head.out.weight", "2.bias": "head.out.bias"}
    path = written(tmp_path, {there[name]: tensor for name, tensor in small().items()})
    model = load_model(path, small_layers(), names=["fc1", "head.out"], loss="mse", engine="linalg")
    assert model.weights == load_model(written(tmp_path, small()), small_layers(), engine="linalg").weights
    assert model.task == "regression"
    with pytest.raises(ArgumentError, match="names must be a list of texts"):
        load_model(path, small_layers(), names="ab")
    with pytest.raises(ArgumentError, match="names must be those of 2 layers with weights, got 1"):
        load_model(path, small_layers(), names=["fc1"])


def test_layers_without_a_bias_are_read_where_that_is_said(tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in small().items() if "bias" not in name}
    path = written(tmp_path, tensors)
    with pytest.raises(ModelFileError, match=r"'0\.bias', '2\.bias' missing"):
        load_model(path, small_layers())
    model = load_model(path, small_layers(), missing_bias_is_zero=True, engine="linalg")
    assert (model.weights[1], model.weights[3]) == ([0.0] * 3, [0.0] * 2)
    layers = [Linear(2, 3), LayerNorm(3), Linear(3, 2)]
    with pytest.raises(ModelFileError, match=r"'1\.weight', '1\.bias' missing"):
        load_model(path, layers, missing_bias_is_zero=True)


def test_a_layer_norm_of_images_may_be_flat_and_counters_may_be_missing(tmp_path: Path) -> None:
    def layers() -> list[Layer]:
        return [LayerNorm(12), BatchNorm(3), Flatten(), Linear(12, 2)]

    four = {f"1.{name}": Tensor.of([0.5, 1.0, 2.0], [3]) for name in ("weight", "bias", "running_mean", "running_var")}
    last = {"3.weight": Tensor.of([0.25] * 24, [2, 12]), "3.bias": Tensor.of([0.0, 1.0], [2])}
    counted = {"1.num_batches_tracked": Tensor.of([17], [], "I64")}
    models = []
    for shape, more in (([12], {}), ([3, 2, 2], counted)):
        norm = {f"0.{name}": Tensor.of(range(12), shape) for name in ("weight", "bias")}
        path = written(tmp_path, {**norm, **four, **last, **more})
        models.append(load_model(path, layers(), input_shape=(3, 2, 2), engine="linalg"))
    assert models[0].weights == models[1].weights
    assert models[0].weights[0] == [[*map(float, range(12))]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"2.weight": None}, r"not those of the layers: '2\.weight' missing$"),
        ({"4.weight": ([1], "F64"), "4.bias": ([1], "F64")}, r"'4\.bias', '4\.weight' there, which no layer has"),
        ({"0.bias": None, "0.biass": ([3], "F64")}, r"'0\.bias' missing; '0\.biass' there"),
        ({"0.num_batches_tracked": ([], "I64")}, "'0.num_batches_tracked' there, which no layer has"),
        ({"0.weight": ([2, 3], "F64")}, r"'0\.weight' has the shape 2 x 3, Linear\(inputs=2, .*\) needs 3 x 2"),
        ({"0.weight": ([6], "F64")}, r"'0\.weight' has the shape 6, Linear"),
        ({"0.bias": ([], "F64")}, r"'0\.bias' has the shape \(\), Linear"),
        ({"0.bias": ([3], "I64")}, r"'0\.bias' is of dtype I64; weights are to be F64, F32, F16, BF16"),
    ],
)
def test_tensors_that_are_not_those_of_the_layers_are_named(change: Any, message: str, tmp_path: Path) -> None:
    tensors = small()
    for name, made in change.items():
        tensors.pop(name, None)
        if made is not None:
            tensors[name] = Tensor.of([1] * math.prod(made[0]), *made)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_model(written(tmp_path, tensors), small_layers())
    assert "theirs.safetensors" in str(caught.value)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_named(odd: float, tmp_path: Path) -> None:
    tensors = {**small(), "2.bias": Tensor.of([1.0, odd], [2], "F32")}
    with pytest.raises(ModelFileError, match=r"theirs\.safetensors: '2\.bias' has numbers that are not finite"):
        load_model(written(tmp_path, tensors), small_layers())


def test_arguments_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, small())
    with pytest.raises(ModelFileError, match="weights without a description of the layers"):
        load_model(path)
    with pytest.raises(ArgumentError, match=r"2 classes expected, got 3"):
        load_model(path, small_layers(), classes=["a", "b", "c"])
    with pytest.raises(ArgumentError, match="layers must be a list of layers"):
        load_model(path, 3)  # type: ignore[arg-type]
    other = Model.from_layers(small_layers())
    weights = other.weights
    with pytest.raises(ArgumentError, match="belong to a model"):
        load_model(path, [*other.network])
    assert other.weights == weights
    with pytest.raises(ArgumentError, match="input_shape is needed"):
        load_model(path, [ReLU()])
    with pytest.raises(ArgumentError, match="no counterpart of Weighted"):
        load_model(path, [Weighted(2, 3), Linear(3, 2)])
    model, _ = network("relu")
    save_model(model, path)
    with pytest.raises(ArgumentError, match="loss and classes: this file says itself"):
        load_model(path, loss="mse", classes=["a"])
    with pytest.raises(ArgumentError, match="engine"):
        load_model(path, engine="abacus")


class Weighted(Linear):
    pass


# --- what a file of ours may say -----------------------------------------------------------------------------------


def told(change: Callable[[dict[str, Any]], Any], tmp_path: Path) -> Path:
    """A saved model whose description was changed."""
    path = tmp_path / "changed.safetensors"
    save_model(network("relu")[0], path)
    tensors, metadata = load_file(path)
    description = json.loads(metadata[KEY])
    text = change(description)
    metadata[KEY] = text if isinstance(text, str) else json.dumps(description)
    save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: "", "no JSON"),
        (lambda d: "[1]", "not described as a model of scratchnn"),
        (lambda d: "[" * 100_000, "nested more than 127 deep"),
        (lambda d: json.dumps({**d, "seed": 10**39}), "seed is to be from 0"),
        (lambda d: json.dumps(d).replace('"seed": 0', '"seed": ' + "9" * 1_000_000), "1000000 digits"),
        (lambda d: json.dumps(d).replace('"seed": 0', '"seed": 0, "seed": 1'), "the same name twice"),
        (lambda d: json.dumps(d).replace('"seed": 0', '"seed": 1e999'), "too large"),
        (lambda d: json.dumps(d).replace('"seed": 0', '"seed": NaN'), "NaN is no number"),
        (lambda d: d.update(format="other"), "not described as a model of scratchnn"),
        (lambda d: d.update(version=True), "version of the description is missing"),
        (lambda d: d.update(version=3), "version of the description is missing"),
        (lambda d: d.update(version=99), "from a newer scratchnn: version 99"),
        (lambda d: d.update(weights=[]), "unknown part, 'weights'"),
        (lambda d: d.update(more=1), "unknown part, 'more'"),
        (lambda d: d.__delitem__("loss"), "the part 'loss' is missing"),
        (lambda d: d.update(layers=d["layers"][:1]), "6 outputs|there, which no layer has"),
        (
            lambda d: [d["layers"][k].update(size) for k, size in ((0, {"outputs": 7}), (2, {"inputs": 7}))],
            r"'0\.weight' has the shape 6 x 5, Linear",
        ),
        (lambda d: d["layers"][0].update(outputs=1 << 24), "expects|has the shape"),
        (lambda d: d["layers"][0].update(kind="os.system"), "unknown layer"),
        (lambda d: d.update(input_shape=[1 << 40]), "input_shape"),
        (lambda d: d.update(classes=["a", "b"]), "3 classes expected"),
        (lambda d: d["scaling"].update(means=[0] * 5), "means and deviations"),
        (lambda d: d.update(frozen=[100]), "frozen"),
    ],
)
def test_a_description_is_checked_like_that_of_any_model_file(change: Any, message: str, tmp_path: Path) -> None:
    path = told(change, tmp_path)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 420


@pytest.mark.parametrize("count", [pytest.param(40, id="some"), pytest.param(500, id="many", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["regression of three", "convolution", "residual"])
def test_a_changed_description_gives_a_model_or_one_line(name: str, count: int, tmp_path: Path) -> None:
    model, X = network(name)
    path = tmp_path / "changed.safetensors"
    save_model(model, path)
    tensors, metadata = load_file(path)
    loaded = 0
    for seed in range(count):
        save_file(tensors, path, {**metadata, KEY: mutated_text(metadata[KEY], seed)})
        line = ""
        try:
            again = load_model(path, engine="linalg")
            if again.schema.scaling is not None:
                again.predict(X)
            loaded += 1
        except (ModelFileError, DataError, ArgumentError) as error:
            line = str(error)
        assert "\n" not in line and len(line) < 420
    assert loaded < count


def test_work_is_bounded_as_in_any_model_file(tmp_path: Path) -> None:
    layers: list[Any] = [{"kind": "AvgPool2D", "kernel": 99, "stride": 1, "padding": 49} for _ in range(20)]
    path = told(lambda d: d.update(layers=[*layers, *d["layers"]], input_shape=[1, 1000, 1000], scaling=None), tmp_path)
    with pytest.raises(ModelFileError):
        load_model(path)

    pools = [MaxPool2D(99, 1, 49) for _ in range(40)]
    model = Model.from_layers([*pools, Flatten()], loss="mse", input_shape=(1, 300, 300))
    save_model(model, path)
    with pytest.raises(ModelFileError, match=r"a row would take about [\d,]+ multiply-adds"):
        load_model(path)
    load_model(path, max_work=1 << 60)
    plain = {"layers": [{"kind": "MaxPool2D", "kernel": 99, "stride": 1, "padding": 49}] * 40 + [{"kind": "Flatten"}]}
    described = described_in(tmp_path, {**plain, "input_shape": [1, 300, 300], "loss": "mse"})
    with pytest.raises(ModelFileError, match=r"changed\.safetensors: a row would take about [\d,]+ multiply-adds"):
        load_model(path, described)
    load_model(path, described, max_work=1 << 60)
    with pytest.raises(ArgumentError, match="max_work must be a whole number of at least 1"):
        load_model(path, described, max_work=0)


# --- descriptions of layers in JSON --------------------------------------------------------------------------------


def described_in(tmp_path: Path, plain: Any) -> Path:
    path = tmp_path / "layers.json"
    path.write_text(plain if isinstance(plain, str) else json.dumps(plain), encoding="utf-8")
    return path


PLAIN = [{"kind": "Linear", "inputs": 2, "outputs": 3}, {"kind": "ReLU"}, {"kind": "Linear", "inputs": 3, "outputs": 2}]


def test_a_list_of_layers_is_enough(tmp_path: Path) -> None:
    path = written(tmp_path, small())
    model = load_model(path, described_in(tmp_path, PLAIN), engine="linalg")
    assert same(model, load_model(path, small_layers(), engine="linalg"))


def test_whatever_load_model_takes_can_stand_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, {name.replace("0.", "one.").replace("2.", "two."): t for name, t in small().items()})
    plain = {
        "layers": PLAIN,
        "names": ["one", "two"],
        "input_shape": [2],
        "loss": "cross_entropy",
        "loss_arguments": {"label_smoothing": 0.1},
        "task": "classification",
        "classes": ["no", "yes"],
        "scaling": {"kind": "standard", "means": [1, 2], "deviations": [1, 0.5]},
        "feature_names": ["a", "b"],
        "label_name": "answer",
        "missing_bias_is_zero": True,
    }
    model = load_model(path, described_in(tmp_path, plain), engine="linalg")
    assert same(
        model,
        load_model(
            path,
            small_layers(),
            names=["one", "two"],
            loss=CrossEntropyLoss(0.1),
            classes=["no", "yes"],
            scaling=Scaling("standard", [1.0, 2.0], [1.0, 0.5]),
            feature_names=["a", "b"],
            label_name="answer",
            engine="linalg",
        ),
    )
    other = load_model(path, str(described_in(tmp_path, plain)), classes=["left", "right"], engine="linalg")
    assert other.classes == ["left", "right"]  # what is said beside the file counts
    del plain["loss_arguments"], plain["classes"], plain["task"]
    plain.update(loss="mse", target_scaling={"kind": "standard", "means": [0, 1], "deviations": [1, 2]}, label_name="v")
    model = load_model(path, described_in(tmp_path, plain), engine="linalg")
    assert (model.task, model.target_scaling.deviations) == ("regression", [1.0, 2.0])


def test_every_layer_can_be_described_with_what_it_needs_alone(tmp_path: Path) -> None:
    needed: list[Any] = [
        {"kind": "Conv2D", "in_channels": 1, "out_channels": 2, "kernel": [3, 2]},
        {"kind": "BatchNorm", "features": 2},
        {"kind": "LeakyReLU"},
        {"kind": "MaxPool2D", "kernel": 2},
        {"kind": "AvgPool2D", "kernel": 2, "stride": 1},
        {"kind": "Residual", "layers": [{"kind": "ELU"}, {"kind": "Dropout"}]},
        {"kind": "Flatten"},
        {
            "kind": "Sequential",
            "layers": [{"kind": "LayerNorm", "features": 8}, {"kind": "Linear", "inputs": 8, "outputs": 2}],
        },
    ]
    layers = read_description(described_in(tmp_path, needed))["layers"]
    model = Model.from_layers(layers, input_shape=(1, 8, 7), engine="linalg")
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    again = load_model(path, described_in(tmp_path, {"layers": needed, "input_shape": [1, 8, 7]}), engine="linalg")
    assert again.weights == model.weights


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ("", "no JSON"),
        ("3", "expected a list of layers"),
        ([], "there are no layers"),
        ({"layer": PLAIN}, "unknown part 'layer'.*did you mean 'layers'"),
        ([3], "a layer is to be an object"),
        ([{"kind": "linear"}], "unknown layer 'linear'.*did you mean 'Linear'"),
        ([{"kind": ["Linear"]}], "unknown layer"),
        ([{"kind": "Linear", "inputs": 2}], "outputs of Linear is missing"),
        ([{"kind": "Linear", "inputs": 2, "outputs": 2, "bias": False}], "unknown argument of Linear 'bias'"),
        ([{"kind": "Linear", "inputs": 2.0, "outputs": 2}], "inputs of Linear cannot be 2.0"),
        ([{"kind": "Linear", "inputs": -2, "outputs": 2}], "inputs of Linear must be a whole number of at least 1"),
        ([{"kind": "MaxPool2D", "kernel": [1, 2, 3]}], "kernel of MaxPool2D cannot be"),
        ([{"kind": "Residual", "layers": 3}], "layers of Residual cannot be 3"),
        ([{"kind": "ReLU"}] * 5000, "more than 4096 layers"),
        ({"layers": PLAIN, "scaling": {"kind": "standard", "mean": [1]}}, "unknown part of scaling 'mean'"),
        ({"layers": PLAIN, "scaling": {"kind": "standard", "means": ["1"]}}, "means of scaling are to be numbers"),
        ({"layers": PLAIN, "scaling": {"kind": "standard", "means": [1]}}, "as many means as deviations"),
        ({"layers": PLAIN, "loss": "hinge", "loss_arguments": {}}, "unknown loss 'hinge'"),
        ({"layers": PLAIN, "loss": "huber", "loss_arguments": {"gamma": 1.0}}, "gamma"),
        ({"layers": PLAIN, "loss": "huber", "loss_arguments": {"delta": "1"}}, "delta"),
        ({"layers": PLAIN, "input_shape": 10**41}, "a whole number of 42 digits"),
        ({"layers": PLAIN, "feature_names": [1]}, "feature_names are to be texts"),
        ({"layers": PLAIN, "classes": "ab"}, "classes is to be of type list"),
    ],
)
@pytest.mark.usefixtures("own_folder")  # a long path would leave less room for the rest of the line
def test_a_wrong_description_is_refused_in_one_line(plain: Any, message: str) -> None:
    path = described_in(Path(), plain)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_model(written(Path(), small()), path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_description_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, small())
    with pytest.raises(ModelFileError, match=r"none\.json: no such file"):
        load_model(path, tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b"\xff")
    with pytest.raises(ModelFileError, match="no UTF-8"):
        load_model(path, tmp_path / "latin.json")
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model(path, tmp_path)
