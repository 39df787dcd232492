"""Residual: what its layers give is added to what they were given, on the way there and back."""

from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    GELU,
    Conv2D,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    Model,
    ModelFileError,
    Residual,
    Sequential,
    Tanh,
    gradcheck,
)
from scratchnn.saving import records
from tests.rows import Rows, random_rows

ENGINES = ["linalg", "lanes", "numpy"]
X = random_rows(30, 4, seed=1)
Y = [int(row[0] * row[1] > 0.0) for row in X]


def made(engine: str = "linalg") -> Model:
    inner = Residual([Linear(4, 3), Dropout(0.2), Linear(3, 4)])
    layers = [Residual([LayerNorm(4), Linear(4, 8), GELU(), Linear(8, 4), inner]), Residual([]), Linear(4, 2)]
    return Model.from_layers(layers, engine=engine, scaling="none", seed=1)


def test_the_output_is_the_input_and_what_the_layers_make_of_it() -> None:
    inside = Linear(3, 3, rng=Random(1))
    x = random_rows(4, 3)
    assert Residual([inside])(x) == [[a + b for a, b in zip(p, q)] for p, q in zip(x, inside(x))]
    assert Residual([])(x) == [[2.0 * v for v in row] for row in x]
    assert repr(Residual([Tanh()])) == "Residual([Tanh()])"


def test_nobody_computes_an_input_gradient_that_nobody_reads() -> None:
    layer = Residual([Linear(3, 3, rng=Random(1)), Tanh()])
    layer.forward(random_rows(4, 3))
    full = layer.backward(random_rows(4, 3, seed=2))
    gradients = layer.gradients()
    assert full is not None
    assert layer.backward(random_rows(4, 3, seed=2), input_gradient=False) is None
    assert layer.gradients() == gradients


@pytest.mark.parametrize("frozen", [[], [0], [2], [0, 1, 2]])
def test_gradients_of_a_model_with_parts_that_are_frozen(frozen: list[int]) -> None:
    model = made()
    for position in frozen:
        model.network[position].trainable = False
    if len(frozen) < 3:
        assert gradcheck.check_model(model, X[:4], Y[:4]).ok
    assert model.network[0].trainable is (0 not in frozen)


def test_learned_saved_copied_and_read_again(engine: str, tmp_path: Path) -> None:
    model = made(engine)
    model.network[0][1].trainable = False  # type: ignore[index]
    model.fit(X, Y, epochs=25, batch_size=6)
    assert model.score(X, Y) > 0.8
    model.save(tmp_path / "model.pkl")
    for again in (Model.load(tmp_path / "model.pkl", engine=engine), copy.deepcopy(model)):
        assert repr(again.network) == repr(model.network)
        assert again.predict_proba(X) == model.predict_proba(X)
        assert [layer.trainable for layer in again.network.walk()] == [
            layer.trainable for layer in model.network.walk()
        ]
    again = Model.from_layers([model.network[0].copy(), Linear(4, 2)], engine=engine, scaling="none")
    assert again.weights[:4] == model.weights[:4]


def test_engines_agree() -> None:
    pytest.importorskip("numpy")
    losses = [made(engine).fit(X, Y, epochs=3).loss for engine in ENGINES]
    assert losses[2] == pytest.approx(losses[0], rel=1e-9)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_the_summary_shows_what_is_inside() -> None:
    lines = [line.rstrip() for line in made().summary().splitlines()]
    assert lines[3].split() == ["Residual", "4"]
    assert lines[4].startswith("  LayerNorm")
    assert [line for line in lines if line.startswith("    Dropout")]
    assert lines[-1].split() == ["total", str(made().parameter_count)]


def test_shapes_that_do_not_fit_are_both_told() -> None:
    message = "Residual adds what its layers give to what they are given: 3 does not fit 4"
    with pytest.raises(ValueError, match=f"layer 0: {message}"):
        Model.from_layers([Residual([Linear(4, 3)]), Linear(3, 2)])
    with pytest.raises(ValueError, match="32 does not fit 2 x 4 x 4"):
        Sequential([Residual([Flatten()])]).output_shape((2, 4, 4))
    with pytest.raises(ValueError, match="2 x 3 x 3 does not fit 2 x 4 x 4"):
        Residual([Conv2D(2, 2, 2)]).output_shape((2, 4, 4))
    with pytest.raises(ValueError, match=r"layer 0: Linear.* expects 4 inputs, got 3"):
        Residual([Linear(4, 3)]).output_shape((3,))


def test_it_takes_layers() -> None:
    for wrong in (None, 3, "relu", [Tanh(), "relu"], [Tanh]):
        with pytest.raises(ValueError, match="Residual takes"):
            Residual(wrong)  # type: ignore[arg-type]


def test_the_addition_is_work_too() -> None:
    """Residuals in residuals are written in a few bytes, and each goes over all numbers once more."""
    layer: Layer = Residual([])
    for _ in range(9):
        layer = Residual([layer])
    assert layer.work((1000,)) >= 10 * 1000


class Halved(Layer):
    """A layer of one's own, to stand inside."""

    def forward(self, x: Any) -> Any:
        return self.ops.scale(x, 0.5)

    def backward(self, gradient: Any) -> Any:
        return self.ops.scale(gradient, 0.5)


def test_layers_of_ones_own_can_stand_inside_and_files_cannot_say_anything(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    model = Model.from_layers([Residual([Halved()]), Linear(4, 2)])
    model.fit(X, Y, epochs=1)
    model.save(path)
    assert Model.load(path, layers=[Halved]).predict_proba(X) == model.predict_proba(X)
    with pytest.raises(ModelFileError, match="unknown layer 'Halved'"):
        Model.load(path)
    whole: Any = records.load(path)
    deep: Rows | Any = []
    for _ in range(5000):
        deep = [{"kind": "Residual", "layers": []} for _ in range(1)] + deep
    for layers in (
        [{"kind": "Residual", "layers": [{"kind": "Linear", "inputs": 4, "outputs": 3, "init": "he"}]}],
        [{"kind": "Residual", "layers": 3}],
        [{"kind": "Residual", "layers": [3]}],
        [{"kind": "Residual"}],
        [{"kind": "Residual", "layers": [], "more": 1}],
        [{"kind": "Residual", "layers": deep}],
    ):
        records.save(path, {**whole, "layers": [*layers, whole["layers"][1]]})
        with pytest.raises(ModelFileError):
            Model.load(path)
