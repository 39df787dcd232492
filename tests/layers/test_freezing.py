"""Frozen layers: they keep their weights, nothing is computed or remembered for them, and the others learn as ever."""

from __future__ import annotations

import copy
import math
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    SGD,
    Adam,
    AvgPool2D,
    Callback,
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2D,
    Model,
    ReLU,
    Sequential,
    Tanh,
    gradcheck,
    linalg,
)
from scratchnn.engines.lanes.engine import Lanes
from scratchnn.layers import Parameter

RNG = Random(3)
X = [[RNG.gauss(0.0, 1.0) for _ in range(16)] for _ in range(40)]
Y = [int(sum(row) > 0.0) + int(row[0] > 0.5) for row in X]
ENGINES = ["lanes", "linalg"]


def dense(engine: str = "linalg") -> Model:
    layers = [Linear(16, 8), ReLU(), Linear(8, 6), Tanh(), Linear(6, 3)]
    return Model.from_layers(layers, engine=engine, scaling="none", seed=2)


def images(engine: str = "linalg") -> Model:
    layers = [Conv2D(1, 3, 2), ReLU(), MaxPool2D(2, 1), Conv2D(3, 2, 2), AvgPool2D(1), Flatten(), Linear(2, 3)]
    return Model.from_layers(layers, input_shape=(1, 4, 4), engine=engine, scaling="none", seed=2)


def nested(engine: str = "linalg") -> Model:
    layers = [Sequential([Linear(16, 8), Sequential([Tanh(), Linear(8, 6)])]), ReLU(), Linear(6, 3)]
    return Model.from_layers(layers, engine=engine, scaling="none", seed=2)


MAKERS: dict[str, Callable[..., Model]] = {"dense": dense, "images": images, "nested": nested}


def weighty(model: Model) -> list[Layer]:
    return [layer for layer in model.network.walk() if layer.parameters() and not isinstance(layer, Sequential)]


class Mine(Layer):
    """A scale for every feature, with a bias of two rows, that knows nothing of freezing."""

    def __init__(self, features: int) -> None:
        self.scales = Parameter("scales", [[1.0] * features])

    def forward(self, x: Any) -> Any:
        self.x = self.ops.to_rows(x)
        return self.ops.from_rows([[v * s for v, s in zip(row, *self._scales())] for row in self.x])

    def _scales(self) -> Any:
        return self.ops.to_rows(self.scales.value)

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        rows = self.ops.to_rows(gradient)
        products = [[v * g for v, g in zip(*pair)] for pair in zip(self.x, rows)]
        self.scales.gradient = self.ops.from_rows([[sum(column) for column in zip(*products)]])
        return self.ops.from_rows([[g * s for g, s in zip(row, *self._scales())] for row in rows])

    def parameters(self) -> list[Parameter]:
        return [self.scales]


# --- what learns and what does not -------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("optimizer", [lambda: SGD(0.1, momentum=0.9, weight_decay=0.01), lambda: Adam(0.01)])
def test_frozen_layers_keep_every_bit_and_the_others_learn(
    make: Callable[..., Model], engine: str, optimizer: Callable[[], Any]
) -> None:
    for frozen in range(3):
        model = make(engine)
        layers = weighty(model)
        layers[frozen].trainable = False
        before = [[model.ops.to_rows(p.value) for p in layer.parameters()] for layer in layers]
        model.fit(X, Y, epochs=1, batch_size=8, optimizer=optimizer(), clip_norm=5.0)
        after = [[model.ops.to_rows(p.value) for p in layer.parameters()] for layer in layers]
        assert [b == a for b, a in zip(before, after)] == [i == frozen for i in range(3)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_frozen_beginning_is_as_good_as_features_computed_beforehand(engine: str) -> None:
    """The other layers learn the very same as a network of their own that is given what the frozen ones make."""
    whole = dense(engine)
    whole.network[0].trainable = False
    head, *tail = (layer.copy() for layer in whole.network)
    after = Model.from_layers(tail[1:], engine=engine, scaling="none", seed=2)
    features = ReLU()(head(X))
    for model, rows in ((whole, X), (after, features)):
        model.fit(rows, Y, epochs=3, batch_size=8, shuffle=False, momentum=0.9)
    tolerance = 1e-12 if engine == "linalg" else 2e-3  # lanes: the width is chosen by the inputs
    for one, other in zip(whole.weights[2:], after.weights):
        for row, expected in zip(one, other):
            assert row == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("frozen", [[0], [1], [2], [0, 1], [0, 2], [1, 2]])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_gradients_that_are_left_are_right(make: Callable[..., Model], frozen: list[int]) -> None:
    model = make()
    for number in frozen:
        weighty(model)[number].trainable = False
    report = gradcheck.check_model(model, X[:3], Y[:3])
    assert report.ok, report
    learning = sum(math.prod(linalg.shape(p.value)) for p in model.network.trainable_parameters())
    assert report.entries == learning + 3 * 16  # and the inputs'


def test_freezing_a_sequential_freezes_all_inside_it_and_thaws_it_again() -> None:
    model = nested()
    part = model.network[0]
    assert part.trainable
    part.trainable = False
    assert [layer.trainable for layer in weighty(model)] == [False, False, True]
    assert len(model.network.trainable_parameters()) == 2
    assert not part.trainable
    assert model.network.trainable
    weighty(model)[1].trainable = True
    assert part.trainable
    model.network.trainable = False
    assert model.network.trainable_parameters() == []
    model.network.trainable = True
    assert model.network.trainable_parameters() == model.network.parameters()


def test_layers_can_be_frozen_before_there_is_a_model() -> None:
    part = Sequential([Linear(16, 8, rng=Random(1)), ReLU()])
    part.trainable = False
    kept = part[0].ops.to_rows(part[0].parameters()[0].value)
    model = Model.from_layers([part, Linear(8, 3)], scaling="none")
    model.fit(X, Y, epochs=1)
    assert model.weights[0] == kept


@pytest.mark.parametrize("engine", ENGINES)
def test_a_layer_of_ones_own_can_be_frozen_though_it_knows_nothing_of_it(engine: str) -> None:
    for trainable in (True, False):
        model = Model.from_layers([Linear(16, 4), Mine(4), Linear(4, 3)], engine=engine, scaling="none")
        model.network[1].trainable = trainable
        model.fit(X, Y, epochs=1)
        assert (model.weights[2] == [[1.0] * 4]) is not trainable


def test_dropout_in_a_frozen_part_goes_on_dropping() -> None:
    part = Sequential([Linear(16, 8), Dropout(0.5)])
    model = Model.from_layers([part, Linear(8, 3)], scaling="none")
    part.trainable = False
    state = part[1].rng.getstate()  # type: ignore[attr-defined]
    model.fit(X, Y, epochs=1)
    assert part[1].rng.getstate() != state  # type: ignore[attr-defined]


# --- what is not computed ----------------------------------------------------------------------------------


class Counting(Lanes):
    """Counts the products on the way back, by the shape of their result."""

    def __init__(self) -> None:
        super().__init__(48)
        self.counts: Counter[Any] = Counter()

    def tuned_for(self, prepared: Any, batch_size: int) -> Any:
        return self


for _operation in ("matmul_tn", "matmul_nt", "sum_rows", "convolve_weights", "convolve_inputs", "sum_channels"):

    def _counted(self: Any, *arguments: Any, _name: str = _operation) -> Any:
        result = getattr(Lanes, _name)(self, *arguments)
        self.counts[_name, self.shape(result)[1]] += 1
        return result

    setattr(Counting, _operation, _counted)


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        ([], {("matmul_tn", 8), ("matmul_tn", 6), ("matmul_tn", 3), ("matmul_nt", 8), ("matmul_nt", 6)}),
        ([0], {("matmul_tn", 6), ("matmul_tn", 3), ("matmul_nt", 6)}),
        ([0, 1], {("matmul_tn", 3)}),
        ([1], {("matmul_tn", 8), ("matmul_tn", 3), ("matmul_nt", 8), ("matmul_nt", 6)}),
        ([2], {("matmul_tn", 8), ("matmul_tn", 6), ("matmul_nt", 8), ("matmul_nt", 6)}),
        ([1, 2], {("matmul_tn", 8), ("matmul_nt", 8), ("matmul_nt", 6)}),
    ],
)
@pytest.mark.parametrize("make", [dense, nested])
def test_no_gradient_is_computed_that_nobody_needs(make: Any, frozen: list[int], expected: set[Any]) -> None:
    engine = Counting()
    model = make(engine)
    for number in frozen:
        weighty(model)[number].trainable = False
    model.fit(X, Y, epochs=1, batch_size=None)
    assert {place for place in engine.counts if place[0] != "sum_rows"} == expected
    assert set(engine.counts.values()) == {1}
    assert sum(place[0] == "sum_rows" for place in engine.counts) == 3 - len(frozen)


def test_no_gradient_of_images_is_computed_that_nobody_needs() -> None:
    engine = Counting()
    model = images(engine)  # type: ignore[arg-type]
    weighty(model)[0].trainable = False
    model.fit(X, Y, epochs=1, batch_size=None)
    assert {name for name, _ in engine.counts} == {
        "convolve_weights",
        "sum_channels",
        "matmul_tn",
        "sum_rows",
        "matmul_nt",
    }
    weighty(model)[0].trainable, weighty(model)[1].trainable = True, False
    engine.counts.clear()
    model.fit(X, Y, epochs=1, batch_size=None)
    assert engine.counts["convolve_inputs", 3 * 2 * 2] == 1
    assert sum(name == "convolve_weights" for name, _ in engine.counts) == 1


@pytest.mark.parametrize(("optimizer", "each"), [(SGD(0.1, momentum=0.5), 1), (Adam(), 2)])
def test_an_optimizer_remembers_nothing_of_frozen_layers(optimizer: Any, each: int) -> None:
    model = dense()
    model.network[0].trainable = model.network[2].trainable = False
    model.fit(X, Y, epochs=1, optimizer=optimizer)
    remembered = [optimizer.ops.shape(matrix) for matrix in optimizer.matrices()]
    assert remembered == [(6, 3), (1, 3)] * each


def test_a_frozen_layer_has_no_gradient_left_over() -> None:
    model = dense()
    model.fit(X, Y, epochs=1)
    model.network[0].trainable = False
    model.fit(X, Y, epochs=1)
    gradients = model.network.gradients()
    assert [gradient is None for gradient in gradients] == [True, True, False, False, False, False]


def test_clipping_looks_at_what_learns() -> None:
    """A large gradient of a layer that stays as it is makes nobody else's steps smaller."""
    layer = Mine(16)
    model = Model.from_layers([layer, Linear(16, 3)], engine="linalg", scaling="none", seed=1)
    plain = Model.from_layers([Linear(16, 3)], engine="linalg", scaling="none", seed=1)
    layer.trainable = False
    for one in (model, plain):
        one.fit(X, Y, epochs=1, batch_size=None, clip_norm=0.05)
    assert model.weights[1:] == plain.weights


# --- refused -----------------------------------------------------------------------------------------------


def test_a_network_in_which_nothing_learns_is_not_fitted() -> None:
    model = dense()
    model.network.trainable = False
    with pytest.raises(ValueError, match="every layer with weights is frozen: set trainable = True"):
        model.fit(X, Y)
    assert model.scaling is None


@pytest.mark.parametrize("wrong", [0, None, "False", 1.0, []])
def test_trainable_is_true_or_false(wrong: Any) -> None:
    for layer in (Linear(2, 2), Sequential([Linear(2, 2)])):
        with pytest.raises(ValueError, match="trainable must be True or False, got"):
            layer.trainable = wrong
        assert layer.trainable


@pytest.mark.parametrize("frozen_first", [True, False])
def test_layers_are_not_frozen_or_thawed_in_the_middle_of_a_run(frozen_first: bool) -> None:
    class Changes(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            model.network[0].trainable = frozen_first

    model = dense()
    model.network[0].trainable = not frozen_first
    with pytest.raises(ValueError, match="layers were frozen or thawed while the network learned: do it between"):
        model.fit(X, Y, epochs=2, callbacks=[Changes()])


# --- kept and shown ----------------------------------------------------------------------------------------


def test_the_summary_says_what_is_frozen() -> None:
    model = nested()
    model.network[0].trainable = False
    assert model.summary() == "\n".join(
        [
            "layer                output shape  parameters",
            "---------------------------------------------",
            "input                16",
            "Sequential           6",
            "  Linear (frozen)    8                    136",
            "  Sequential         6",
            "    Tanh             8                      0",
            "    Linear (frozen)  6                     54",
            "ReLU                 6                      0",
            "Linear               3                     21",
            "---------------------------------------------",
            "total                                     211",
            "trainable                                  21",
        ]
    )
    assert model.parameter_count == 211


def test_copies_and_pickles_are_frozen_as_well() -> None:
    model = dense()
    model.network[0].trainable = False
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert [layer.trainable for layer in twin.network] == [False, True, True, True, True]
    assert not model.network[0].copy().trainable
    assert nested().network.copy().trainable


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_with_frozen_layers_is_resumed_to_the_same_bytes(engine: str, tmp_path: Path) -> None:
    class Stops(Callback):
        def __init__(self, place: Any) -> None:
            self.place = place

        def on_batch_end(self, model: Any, run: Any) -> None:
            model.stop_training = (run.epoch, run.batch) == self.place

    def run(stop: Any = None, frozen: bool = True, **more: Any) -> Model:
        model = dense(engine)
        model.network[2].trainable = not frozen
        settings = {"epochs": 3, "batch_size": 8, "momentum": 0.9, "checkpoint": tmp_path / "run"}
        model.fit(X, Y, callbacks=[Stops(stop)], **{**settings, **more})
        return model

    whole = run(checkpoint=None)
    run((2, 3))
    assert run(resume=True).weights == whole.weights
    run((2, 3))
    with pytest.raises(ValueError, match="frozen layers was 3, is now none"):
        run(frozen=False, resume=True)
