"""Layers against those of PyTorch of the same name: what they give, every gradient, and whole runs, to 1e-9.

On the readable engine and on arrays of NumPy; PyTorch is only asked for its results.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from scratchnn import (
    ELU,
    GELU,
    SGD,
    BatchNorm,
    Conv2D,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    MaxPool2D,
    Model,
    Residual,
    Sequential,
    SiLU,
    Softplus,
    Tanh,
)
from scratchnn.engines.finding import find_engine
from scratchnn.layers import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax
from tests.rows import Rows, random_rows

np = pytest.importorskip("numpy")
torch: Any = pytest.importorskip("torch", reason="PyTorch, which these layers are compared with, is not installed")

TOLERANCE = {"rtol": 1e-9, "atol": 1e-10}
ENGINES = ["linalg", "numpy"]


def test_names_and_defaults_are_those_of_pytorch() -> None:
    assert ELU().alpha == torch.nn.ELU().alpha
    assert LayerNorm(3).epsilon == torch.nn.LayerNorm(3).eps
    theirs = torch.nn.BatchNorm1d(3)
    ours = BatchNorm(3)
    assert (ours.momentum, ours.epsilon) == (theirs.momentum, theirs.eps)
    for name, kind in (("GELU", GELU), ("SiLU", SiLU), ("ELU", ELU), ("Softplus", Softplus)):
        assert kind.__name__ == getattr(torch.nn, name).__name__


class Added(torch.nn.Sequential):  # type: ignore[misc]
    """A residual block as one writes it there."""

    def forward(self, x: Any) -> Any:
        return x + super().forward(x)


def counterpart(layer: Layer, shape: tuple[int, ...]) -> Any:
    """PyTorch's layer for one of ours that takes samples of this shape."""
    nn = torch.nn
    if isinstance(layer, Sequential):
        inner = []
        for part in layer:
            inner.append(counterpart(part, shape))
            shape = part.output_shape(shape)
        return (Added if isinstance(layer, Residual) else nn.Sequential)(*inner)
    if isinstance(layer, Linear):
        return nn.Linear(layer.inputs, layer.outputs)
    if isinstance(layer, Conv2D):
        return nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel, layer.stride, layer.padding)
    if isinstance(layer, MaxPool2D):
        return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
    if isinstance(layer, LayerNorm):
        return nn.LayerNorm(shape, layer.epsilon)
    if isinstance(layer, BatchNorm):
        kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return kind(layer.features, layer.epsilon, layer.momentum)
    if isinstance(layer, Embedding):
        return nn.Sequential(nn.Embedding(layer.count, layer.features), nn.Flatten())
    more: dict[type, dict[str, Any]] = {ELU: {"alpha": getattr(layer, "alpha", 1.0)}, Softplus: {"threshold": 1e3}}
    if isinstance(layer, (Softmax, LogSoftmax)):
        more[type(layer)] = {"dim": 1}
    if isinstance(layer, LeakyReLU):
        more[LeakyReLU] = {"negative_slope": layer.slope}
    return getattr(nn, type(layer).__name__)(**more.get(type(layer), {}))


def leaves(layer: Layer) -> list[Layer]:
    return [part for part in layer.walk() if not isinstance(part, Sequential) and part.parameters()]


def to_theirs(layer: Layer, values: Any) -> list[Any]:
    """One parameter's numbers or gradient for each of ours, in the shapes that PyTorch keeps them in."""
    shaped = []
    for parameter, value in zip(layer.parameters(), values):
        array = torch.tensor(value, dtype=torch.float64)
        if isinstance(layer, (Linear, Conv2D)) and parameter.name == "weight":
            array = array.T
        shaped.append(array if isinstance(layer, Embedding) or array.shape[0] != 1 else array[0])
    return shaped


def numbers_of(layer: Layer) -> list[Rows]:
    return [layer.ops.to_rows(parameter.value) for parameter in layer.parameters()]


def their_values(module: Any) -> list[Any]:
    """All parameters of a PyTorch network in our order: running means behind each layer's own."""
    found = []
    for part in module.modules():
        found += list(part.parameters(recurse=False))
        found += [buffer for buffer in part.buffers(recurse=False) if buffer.dim()]  # not how many batches there were
    return found


def give_weights(layer: Layer, module: Any) -> None:
    values = [v for part in leaves(layer) for v in to_theirs(part, numbers_of(part))]
    theirs = their_values(module)
    assert len(values) == len(theirs)
    with torch.no_grad():
        for value, parameter in zip(values, theirs):
            parameter.copy_(value.reshape(parameter.shape))


def assert_same_weights(layer: Layer, module: Any) -> None:
    values = [v for part in leaves(layer) for v in to_theirs(part, numbers_of(part))]
    for value, parameter in zip(values, their_values(module)):
        assert np.allclose(value.reshape(-1), parameter.detach().numpy().reshape(-1), **TOLERANCE)


CASES: dict[str, tuple[Callable[[], Layer], tuple[int, ...]]] = {
    "GELU": (GELU, (5,)),
    "SiLU": (SiLU, (5,)),
    "ELU": (ELU, (5,)),
    "ELU, flat": (lambda: ELU(0.3), (5,)),
    "Softplus": (Softplus, (5,)),
    "ReLU": (ReLU, (5,)),
    "LeakyReLU": (lambda: LeakyReLU(0.2), (5,)),
    "Tanh": (Tanh, (5,)),
    "Sigmoid": (Sigmoid, (5,)),
    "Softmax": (Softmax, (5,)),
    "LogSoftmax": (LogSoftmax, (5,)),
    "Linear": (lambda: Linear(5, 3), (5,)),
    "LayerNorm": (lambda: LayerNorm(5), (5,)),
    "LayerNorm, large epsilon": (lambda: LayerNorm(5, 0.5), (5,)),
    "LayerNorm of images": (lambda: LayerNorm(24), (2, 3, 4)),
    "BatchNorm": (lambda: BatchNorm(5), (5,)),
    "BatchNorm, another momentum": (lambda: BatchNorm(5, 0.7, 0.01), (5,)),
    "BatchNorm of images": (lambda: BatchNorm(2), (2, 3, 4)),
    "BatchNorm of one channel": (lambda: BatchNorm(1), (1, 3, 4)),
    "Residual": (lambda: Residual([Linear(5, 3), GELU(), Linear(3, 5)]), (5,)),
    "Residual of images": (
        lambda: Residual([Conv2D(2, 3, 3, padding=1), BatchNorm(3), SiLU(), Conv2D(3, 2, 3, padding=1)]),
        (2, 3, 4),
    ),
    "Residual in Residual": (lambda: Residual([LayerNorm(5), Residual([Linear(5, 5), ELU()]), Tanh()]), (5,)),
}


def prepared(make: Callable[[], Layer], shape: tuple[int, ...], engine: str) -> tuple[Layer, Any]:
    """One of our layers with random weights on an engine, and PyTorch's with the same."""
    layer = make()
    layer.build(shape)
    for number, parameter in enumerate(layer.trainable_parameters()):
        parameter.value = random_rows(*layer.ops.shape(parameter.value), seed=number)
    module = counterpart(layer, shape).double()
    give_weights(layer, module)
    layer.use(find_engine(engine))
    return layer, module


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "predicting"])
@pytest.mark.parametrize("name", CASES)
def test_layers_give_what_pytorch_s_do_with_all_gradients(name: str, training: bool, engine: str) -> None:
    make, shape = CASES[name]
    layer, module = prepared(make, shape, engine)
    ops, width = layer.ops, int(np.prod(shape))
    for batch in range(3):  # of BatchNorm also the means of before count
        (layer.train if training else layer.eval)()
        module.train(training)
        rows = random_rows(6, width, seed=batch, spread=3.0)
        output = layer.forward(ops.from_rows(rows))
        x = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        theirs = module(x.reshape(6, *shape)).reshape(6, -1)
        assert np.allclose(ops.to_rows(output), theirs.detach().numpy(), **TOLERANCE)
        gradient = random_rows(6, theirs.shape[1], seed=10 + batch)
        module.zero_grad()
        theirs.backward(torch.tensor(gradient, dtype=torch.float64))
        assert np.allclose(ops.to_rows(layer.backward(ops.from_rows(gradient))), x.grad.numpy(), **TOLERANCE)
        wanted = [p.grad for part in module.modules() for p in part.parameters(recurse=False)]
        found = [
            value
            for part in leaves(layer)
            for value in to_theirs(part, [ops.to_rows(p.gradient) for p in part.trainable_parameters()])
        ]
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted):
            assert np.allclose(one.reshape(-1), other.numpy().reshape(-1), **TOLERANCE)
        assert_same_weights(layer, module)  # the running means, too


@pytest.mark.parametrize("engine", ENGINES)
def test_an_embedding_gives_what_pytorch_s_does_with_its_gradient(engine: str) -> None:
    layer, module = prepared(lambda: Embedding(7, 3), (4,), engine)
    rng = Random(3)
    rows = [[rng.randrange(7) for _ in range(4)] for _ in range(5)]
    ops = layer.ops
    theirs = module(torch.tensor(rows))
    assert np.allclose(ops.to_rows(layer.forward(ops.from_rows(rows))), theirs.detach().numpy(), **TOLERANCE)
    gradient = random_rows(5, 12, seed=4)
    theirs.backward(torch.tensor(gradient, dtype=torch.float64))
    assert layer.backward(ops.from_rows(gradient)) is None
    assert np.allclose(ops.to_rows(layer.parameters()[0].gradient), module[0].weight.grad.numpy(), **TOLERANCE)


NETWORKS: dict[str, tuple[Callable[[], list[Layer]], tuple[int, ...]]] = {
    "GELU": (lambda: [Linear(6, 5), GELU(), Linear(5, 3)], (6,)),
    "SiLU": (lambda: [Linear(6, 5), SiLU(), Linear(5, 3)], (6,)),
    "ELU": (lambda: [Linear(6, 5), ELU(0.6), Linear(5, 3)], (6,)),
    "Softplus": (lambda: [Linear(6, 5), Softplus(), Linear(5, 3)], (6,)),
    "LayerNorm": (lambda: [Linear(6, 5), LayerNorm(5), Tanh(), Linear(5, 3)], (6,)),
    "BatchNorm": (lambda: [BatchNorm(6), Linear(6, 5), BatchNorm(5), Tanh(), Linear(5, 3)], (6,)),
    "BatchNorm of images": (
        lambda: [Conv2D(1, 2, 2), BatchNorm(2), SiLU(), MaxPool2D(2, 1), Flatten(), Linear(8, 3)],
        (1, 4, 4),
    ),
    "Residual": (lambda: [Residual([Linear(6, 4), GELU(), Linear(4, 6)]), LayerNorm(6), Linear(6, 3)], (6,)),
    "Embedding": (lambda: [Embedding(9, 2), Residual([Linear(12, 12), Tanh()]), Linear(12, 3)], (6,)),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_learn_as_pytorch_s_do_step_by_step(name: str, engine: str) -> None:
    make, shape = NETWORKS[name]
    width = int(np.prod(shape))
    model = Model.from_layers(make(), input_shape=shape, scaling="none", engine=engine, seed=1)
    module = counterpart(model.network, shape).double()
    give_weights(model.network, module)
    module.train()
    named = name == "Embedding"
    rng = Random(5)
    rows = [[rng.randrange(9) if named else rng.gauss(0.3, 1.0) for _ in range(width)] for _ in range(20)]
    labels = [k % 3 for k in range(20)]
    rule = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for first in list(range(0, 20, 5)) * 3:
        x = torch.tensor(rows[first : first + 5], dtype=torch.int64 if named else torch.float64)
        loss = torch.nn.functional.cross_entropy(
            module(x.reshape(-1, *shape)).reshape(-1, 3), torch.tensor(labels[first : first + 5])
        )
        rule.zero_grad()
        loss.backward()
        rule.step()
        losses.append(loss.item())
    settings = {"batch_size": 5, "shuffle": False, "schedule": None, "clip_norm": None}
    history = model.fit(rows, labels, epochs=3, optimizer=SGD(0.1, momentum=0.9), **settings)
    assert history.loss == pytest.approx([sum(losses[i : i + 4]) / 4 for i in (0, 4, 8)], rel=1e-9)
    assert_same_weights(model.network, module)
    module.eval()
    x = torch.tensor(rows, dtype=torch.int64 if named else torch.float64)
    wanted = torch.softmax(module(x.reshape(-1, *shape)).reshape(-1, 3), dim=1).detach().numpy()
    assert np.allclose(model.predict_proba(rows), wanted, **TOLERANCE)
