"""The programs written by hand that the benchmark times scratchnn beside do the same work: step by step, to 1e-9.

A peer that does less would flatter itself, one that does more would flatter scratchnn.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn.engines.base import drawn_words

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
np = pytest.importorskip("numpy")
IMAGES, SEED = 48, 7  # the second batch of an epoch is half a one
WAYS = (
    *("SGD", "two hidden layers (128, 64), Tanh", "Tanh", "sigmoid", "leaky ReLU", "dropout 0.2", "weight decay"),
    *("momentum", "Adam", "AdamW", "RMSprop", "clip_norm 1"),
)


@pytest.fixture(scope="module", autouse=True)
def _path() -> Iterator[None]:
    """The benchmark imports its parts from its own folder, as it does when it is run."""
    before = list(sys.path)
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path[:] = before


def digits() -> Any:
    return import_module("_benchmark_data").find_data(None)


def settings_of(way: str) -> dict[str, Any]:
    settings: dict[str, Any] = import_module("_benchmark_ways").PATHS[way]
    return settings


def reference(data: Any, **settings: Any) -> Any:
    """scratchnn on lists, which takes rows in their order and draws the masks of dropout from a seed of its own."""
    one = import_module("_benchmark_programs").Scratchnn(data, "linalg", IMAGES, shuffle=False, **settings)
    for layer in one.model.network.layers:
        if hasattr(layer, "rate"):
            layer.rng, layer.keeps_weights = Random(SEED), True
    return one


class SameMasks:
    """The part of a NumPy generator that dropout asks for, from the words that engines draw."""

    def __init__(self) -> None:
        self.rng = Random(SEED)

    def random(self, shape: tuple[int, int]) -> Any:
        words, _ = drawn_words(shape[0] * shape[1], 0.0, self.rng)
        return (np.frombuffer(words, "<i4").reshape(shape) + 2.0**31) / 2.0**32


def in_batches(program: Any) -> None:
    """An epoch whose rows come in their order."""
    for first in range(0, IMAGES, program.batch):
        program.step(program.x[first : first + program.batch], program.y[first : first + program.batch])


def assert_the_same(model: Any, parameters: list[Any], tolerance: float = 1e-9) -> None:
    assert len(model.weights) >= len(parameters)
    for ours, theirs in zip(model.weights, parameters):
        np.testing.assert_allclose(np.array(ours), theirs, rtol=tolerance, atol=tolerance)


def test_every_way_to_train_is_compared_here() -> None:
    assert {*WAYS, "SGD, hidden 1000"} == {*import_module("_benchmark_ways").PATHS}


@pytest.mark.parametrize("way", WAYS)
def test_numpy_by_hand_takes_the_steps_of_scratchnn(way: str) -> None:
    data, settings = digits(), settings_of(way)
    ours = reference(data, **settings)
    by_hand = import_module("_benchmark_numpy").NumpyByHand.on(data, IMAGES, **settings)
    for mine, theirs in zip(ours.model.weights, by_hand.parameters):
        theirs[...] = mine
    by_hand.rng = SameMasks()
    ours.epoch()
    in_batches(by_hand)
    assert_the_same(ours.model, by_hand.parameters)
    guesses = [ours.model.classes[k] for k in by_hand.predict(data.arrays(IMAGES)[0])]
    assert guesses == ours.model.predict(data.X[:IMAGES])


def test_numpy_by_hand_learns_rows_of_floats() -> None:
    data = import_module("_benchmark_data").random_floats(IMAGES, 64, 10)
    ours, by_hand = reference(data), import_module("_benchmark_numpy").NumpyByHand.on(data, IMAGES)
    for mine, theirs in zip(ours.model.weights, by_hand.parameters):
        theirs[...] = mine
    ours.epoch()
    in_batches(by_hand)
    assert_the_same(ours.model, by_hand.parameters)


def by_filters(weight: Any, places: int) -> Any:
    """The rows of the linear layer in the order of NumPy's program: by places first, and by filters where they are."""
    return np.array(weight).reshape(8, places, -1).transpose(1, 0, 2).reshape(8 * places, -1)


@pytest.mark.parametrize("side", [8, 7])  # pooling leaves a row and a column over where the side is odd
def test_convolution_by_hand_takes_the_steps_of_scratchnn(side: int) -> None:
    data, numpy = digits(), import_module("_benchmark_numpy")
    if side == 7:
        rows = [b"".join(row[8 * k : 8 * k + 7] for k in range(7)) for row in data.X]
        data = import_module("_benchmark_data").Rows(rows, data.y, data.classes, "pixels")
    ours = reference(data, model=import_module("_benchmark_programs").convolutional(side, 10))
    by_hand, places = numpy.NumpyConvolution.on(data, IMAGES, side), ((side - 2) // 2) ** 2
    kernel, bias, weight, last = ours.model.weights
    for theirs, mine in zip(by_hand.parameters, (kernel, bias, by_filters(weight, places), last)):
        theirs[...] = mine
    ours.epoch()
    in_batches(by_hand)
    kernel, bias, weight, last = by_hand.parameters
    assert_the_same(ours.model, [kernel, bias])
    np.testing.assert_allclose(by_filters(ours.model.weights[2], places), weight, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.model.weights[3], last, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("way", ["SGD", "Adam", "Tanh", "clip_norm 1"])
def test_pytorch_by_hand_takes_the_steps_of_scratchnn(way: str) -> None:
    torch = pytest.importorskip("torch")
    data, settings = digits(), settings_of(way)
    ours = reference(data, **settings)
    by_hand = import_module("_benchmark_programs").PyTorch(data, IMAGES, **settings)
    parameters = list(by_hand.net.parameters())
    with torch.no_grad():
        for mine, theirs in zip(ours.model.weights, parameters):
            theirs.copy_(torch.tensor(np.array(mine).T))
    ours.epoch()
    in_batches(by_hand)
    tolerance = 1e-6 if "clip_norm" in settings else 1e-9  # PyTorch adds 1e-6 to the norm that it divides by
    assert_the_same(ours.model, [parameter.detach().numpy().T for parameter in parameters], tolerance)


def test_pytorch_by_hand_drops_numbers() -> None:
    pytest.importorskip("torch")
    by_hand = import_module("_benchmark_programs").PyTorch(digits(), IMAGES, **settings_of("dropout 0.2"))
    assert "Dropout(p=0.2" in repr(by_hand.net)
    assert by_hand.net.training
