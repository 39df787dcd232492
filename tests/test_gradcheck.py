"""The gradient check itself: it catches every kind of wrong backward, names the entry, and changes nothing."""

from __future__ import annotations

import copy
import math
from random import Random
from typing import Any

import pytest

from scratchnn import linalg
from scratchnn.gradcheck import GradientReport, check_layer, check_loss, check_model, check_network, slope
from scratchnn.layers import Dropout, Layer, Linear, ReLU, Sequential, Softmax, Tanh
from scratchnn.losses import CrossEntropyLoss, Loss, MSELoss
from scratchnn.model import Model
from tests.rows import Rows, random_rows


class WrongInOnePlace(Linear):
    """A correct Linear, except that one entry of one gradient is off by ``error`` (relative)."""

    def __init__(self, which: str, i: int, j: int, error: float) -> None:
        super().__init__(4, 3, rng=Random(1))
        self.which, self.i, self.j, self.error = which, i, j, error

    def backward(self, gradient: Rows, input_gradient: bool = True) -> Rows:
        result = super().backward(gradient, input_gradient)
        matrix = {"input": result, "weight": self.weight.gradient, "bias": self.bias.gradient}[self.which]
        matrix[self.i][self.j] *= 1.0 + self.error
        return result  # type: ignore[no-any-return]


@pytest.mark.parametrize("error", [1e-5, 1e-3, -2.0])
@pytest.mark.parametrize(
    ("which", "i", "j", "entry"),
    [
        ("input", 1, 2, "input[1][2]"),
        ("weight", 3, 0, "parameter 0 (weight)[3][0]"),
        ("bias", 0, 1, "parameter 1 (bias)[0][1]"),
    ],
)
def test_one_wrong_entry_is_found_and_named(which: str, i: int, j: int, entry: str, error: float) -> None:
    report = check_layer(WrongInOnePlace(which, i, j, error), random_rows(2, 4))
    assert not report.ok
    assert report.where == entry
    assert report.worst == pytest.approx(abs(error) / max(1.0, abs(1.0 + error)), rel=1e-3)
    assert report.analytic / report.numeric == pytest.approx(1.0 + error, rel=1e-6)
    assert "DISAGREE" in str(report)
    assert entry in str(report)


def test_a_wrong_layer_inside_a_chain_is_found() -> None:
    chain = Sequential([Linear(3, 4, rng=Random(0)), Tanh(), WrongInOnePlace("bias", 0, 2, 1e-4)])
    report = check_layer(chain, random_rows(3, 3))
    assert not report.ok
    assert report.where == "parameter 3 (bias)[0][2]"


def test_the_classic_softmax_mistake_is_found() -> None:
    """y·(1 - y) is only the diagonal of softmax's Jacobian: it looks right and is not."""

    class DiagonalSoftmax(Softmax):
        def backward(self, gradient: Rows, input_gradient: bool = True) -> Rows:
            return [[g * y * (1.0 - y) for g, y in zip(gs, ys)] for gs, ys in zip(gradient, self.y)]

    x = random_rows(2, 3)
    assert check_layer(Softmax(), x).ok
    assert not check_layer(DiagonalSoftmax(), x).ok


def test_a_loss_that_forgets_to_divide_by_the_batch_is_found() -> None:
    class Undivided(MSELoss):
        def backward(self) -> Rows:
            return linalg.scale(super().backward(), 4.0)

    outputs, targets = random_rows(4, 2), random_rows(4, 2, seed=1)
    assert check_loss(MSELoss(), outputs, targets).ok
    report = check_loss(Undivided(), outputs, targets)
    assert not report.ok
    assert report.worst == pytest.approx(0.75, rel=1e-6)
    assert not check_network(Sequential([Linear(2, 2, rng=Random(0))]), Undivided(), outputs, targets).ok


def test_a_gradient_that_is_not_a_number_is_found() -> None:
    class Broken(Tanh):
        def backward(self, gradient: Rows, input_gradient: bool = True) -> Rows:
            return [[math.nan for _ in row] for row in gradient]

    report = check_layer(Broken(), random_rows(1, 2))
    assert not report.ok
    assert report.worst == math.inf
    assert report.where.startswith("input[0]")


def test_kinks_are_stepped_around() -> None:
    # Entries 1e-3 to 1e-5 away from the kink: the ordinary step of 1e-3 would cross it.
    report = check_layer(ReLU(), [[1e-4, -1e-4, 3e-5, -3e-5, 5e-4, -9e-4, 1e-5]])
    assert report.ok, str(report)


def test_a_right_report_reads_as_one_line() -> None:
    report = check_layer(Linear(2, 2, rng=Random(0)), random_rows(3, 2))
    assert report.ok
    assert report.entries == 3 * 2 + 2 * 2 + 2
    text = str(report)
    assert text.startswith("12 gradients agree: worst relative error ")
    assert "\n" not in text
    assert report.where in text


def test_the_tolerance_is_the_callers() -> None:
    layer, x = WrongInOnePlace("weight", 0, 0, 1e-4), random_rows(2, 4)
    assert not check_layer(layer, x, tolerance=1e-6).ok
    assert check_layer(layer, x, tolerance=1e-3).ok


def test_a_report_that_compared_nothing_is_no_proof() -> None:
    report = GradientReport(1e-6)
    assert (report.ok, report.entries, report.worst) == (False, 0, 0.0)


def test_tiny_gradients_are_compared_absolutely() -> None:
    report = GradientReport(1e-6)
    report.compare("a", 1e-15, -1e-15)
    assert report.ok
    report.compare("b", 1e-9, 1.1e-9)
    assert not report.ok
    assert report.where == "b"


def test_nothing_is_changed_by_a_check() -> None:
    network = Sequential([Linear(3, 4, rng=Random(0)), Dropout(0.5, rng=Random(1)), Linear(4, 2, rng=Random(2))])
    x, targets = random_rows(3, 3), [0, 1, 1]
    before_x, before = copy.deepcopy(x), copy.deepcopy([p.value for p in network.parameters()])
    dropout = network[1]
    assert isinstance(dropout, Dropout)
    state = dropout.rng.getstate()
    check_network(network, CrossEntropyLoss(), x, targets)
    check_layer(network, x)
    assert x == before_x
    assert [p.value for p in network.parameters()] == before
    assert dropout.rng.getstate() == state


def test_dropout_is_checked_with_its_mask_frozen_and_its_mask_really_drops() -> None:
    layer, x = Dropout(0.5, rng=Random(3)), random_rows(4, 5)
    report = check_layer(layer, x)
    assert report.ok, str(report)
    mask = linalg.flatten(layer.mask)
    assert 0.0 in mask
    assert 2.0 in mask


def test_whole_numbers_are_inputs_too() -> None:
    assert check_layer(Tanh(), [[1, 2], [0, -1]]).ok


def test_the_numerical_slope_is_good_to_ten_digits() -> None:
    row = [0.7]
    assert slope(lambda: math.sin(row[0]), row, 0) == pytest.approx(math.cos(0.7), rel=1e-10)
    assert row == [0.7]
    row = [300.0]
    assert slope(lambda: row[0] ** 3, row, 0) == pytest.approx(3 * 300.0**2, rel=1e-10)


def test_a_layer_of_your_own_is_checked_like_any_other() -> None:
    class Cube(Layer):
        def forward(self, x: Rows) -> Rows:
            self.x = x
            return linalg.map(lambda v: v**3, x)

        def backward(self, gradient: Rows, input_gradient: bool = True) -> Rows:
            return linalg.hadamard(gradient, linalg.map(lambda v: 3 * v * v, self.x))

    class Cubic(Loss):
        def forward(self, outputs: Rows, targets: object, weights: object = None) -> float:
            self.outputs = outputs
            return sum(v**3 for row in outputs for v in row)

        def backward(self) -> Rows:
            return [[3 * v * v for v in row] for row in self.outputs]

    x = random_rows(2, 3)
    assert check_layer(Cube(), x).ok
    assert check_loss(Cubic(), x, [0, 0]).ok
    assert check_network(Sequential([Linear(3, 2, rng=Random(0)), Cube()]), Cubic(), x, [0, 0]).ok


def test_models_and_layers_that_compute_in_lanes_are_checked_on_floats() -> None:
    model = Model(2, 3, 2)
    assert model.engine == "lanes"
    before = model.weights
    report = check_model(model, [[1, 2], [2, 3], [3, 1]], [0, 1, 0])
    assert report.ok, report
    assert check_layer(model.network[0], [[1.0, 2.0]]).ok
    assert (model.engine, model.weights) == ("lanes", before)
    assert repr(report).startswith("<GradientReport: ")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: check_layer(ReLU, [[1.0]]), "a layer is needed, such as"),
        (lambda: check_layer(Linear(2, 3), [1, 2]), "x: row 0 must be a sequence of numbers, got int 1; a single row"),
        (lambda: check_layer(Linear(2, 3), [["a", 2]]), "x: row 0, column 0 must be a number, got str 'a'"),
    ],
)
def test_bad_arguments_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
