"""Layers with weights of their own for each pair of neurons, how these are drawn, and dropout."""

from __future__ import annotations

import math
from random import Random

from ..checks import MOST_NUMBERS, finite_number, require_known, require_number, require_size, shown
from ..errors import ArgumentError
from .base import MOST_WEIGHTS, NUMBER_BY_NUMBER, Layer, Parameter, Shape, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .base import Matrix, Rows


def _he(inputs: int, outputs: int) -> float:
    return math.sqrt(6.0 / inputs)


def _xavier(inputs: int, outputs: int) -> float:
    return math.sqrt(6.0 / (inputs + outputs))


# The bound b of the uniform distribution on [-b, b] that starting weights are drawn from.
# he: He et al. 2015, "Delving Deep into Rectifiers", section 2.2 (variance 2/inputs; for ReLU).
# xavier: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward networks", equation 16.
INITIALISATIONS: dict[str, Callable[[int, int], float]] = {"he": _he, "xavier": _xavier}


def uniform_matrix(rows: int, columns: int, bound: float, rng: Random) -> list[list[float]]:
    """A rows x columns list of numbers drawn uniformly from [-bound, bound)."""
    return [[bound * (2.0 * rng.random() - 1.0) for _ in range(columns)] for _ in range(rows)]


def initial_bound(init: str | float, inputs: int, outputs: int) -> float:
    """The bound that ``init`` (the name of a rule, or the bound itself) stands for; ``ValueError`` otherwise."""
    if isinstance(init, str):
        require_known("initialisation", init, INITIALISATIONS, ", or a number")
        return INITIALISATIONS[init](inputs, outputs)
    number = finite_number(init)
    if not number >= 0.0:
        raise ArgumentError(f"init is the name of a rule or a number of at least 0, got {shown(init)}")
    return number


class ParameterLayer(Layer):
    """Base class of layers with parameters, which are made as soon as somebody asks for them, and not before: what a
    file says of their sizes costs nothing."""

    weight: Parameter

    def _declare(self, shapes: Mapping[str, tuple[int, int]], rng: Random | None, running: Iterable[str] = ()) -> None:
        """Parameters of these names and shapes, in this order; no optimizer sees those that are ``running``. ``rng``
        draws them at once and for good."""
        for name, (rows, columns) in shapes.items():
            if rows * columns > MOST_WEIGHTS:  # no machine has room for more
                kind = type(self).__name__
                raise ArgumentError(f"{kind} of {rows} x {columns} weights: at most {MOST_WEIGHTS} are possible")
            setattr(self, name, Parameter(name, None, name not in running))
        self._shapes = dict(shapes)
        self.x: Matrix = None
        self.keeps_weights = rng is not None
        if rng is not None:
            self._draw(rng)

    def _starting_values(self, rng: Random) -> Iterable[Rows]:
        """The rows of each parameter before there was any training."""
        raise NotImplementedError

    def _draw(self, rng: Random | None) -> None:
        if rng is None:  # saved ones will take their place: until then one number stands for all
            values: Iterable[Rows] = [[[0.0]]] * len(self._shapes)
        else:
            values = self._starting_values(rng)
        for name, rows in zip(self._shapes, values):
            getattr(self, name).value = self.ops.from_rows(rows)

    def initialise(self, rng: Random | None) -> None:
        if not self.keeps_weights:
            self._draw(rng)

    def parameters(self) -> list[Parameter]:
        if self.weight.value is None:
            self._draw(Random(0))
        return [getattr(self, name) for name in self._shapes]

    def changing_parameters(self) -> list[Parameter]:
        return self.parameters() if self.trainable else []  # no other layer is inside, and every batch asks

    def parameter_shapes(self) -> list[tuple[int, int]]:
        return list(self._shapes.values())


class WeightedLayer(ParameterLayer):
    """Base class of layers with a weight and a bias, of which the weight is drawn by a rule."""

    bias: Parameter

    def _make_parameters(
        self, inputs: int, outputs: int, init: str | float, rng: Random | None, fan_out: int | None = None
    ) -> None:
        """``weight`` is inputs x outputs, ``bias`` 1 x outputs. ``fan_out``: how many outputs an input is part of."""
        self._bound = initial_bound(init, inputs, fan_out or outputs)
        self.init = init if isinstance(init, str) else self._bound
        self._declare({"weight": (inputs, outputs), "bias": (1, outputs)}, rng)

    def _starting_values(self, rng: Random) -> Iterable[Rows]:
        inputs, outputs = self._shapes["weight"]
        return uniform_matrix(inputs, outputs, self._bound, rng), [[0.0] * outputs]


class Linear(WeightedLayer):
    """A fully connected layer: every output is a weighted sum of all inputs plus a bias: y = x·weight + bias.

    ``weight`` is inputs x outputs, ``bias`` 1 x outputs. ``init`` is "he" (the default, for ReLU), "xavier" (for tanh
    and sigmoid) or a number b: weights uniform in ±b. Biases start at 0. ``rng`` draws the weights at once and for
    good; without it they come from a fixed seed until a ``Model`` draws its own.
    """

    def __init__(self, inputs: int, outputs: int, *, init: str | float = "he", rng: Random | None = None) -> None:
        self.inputs = require_size("inputs of Linear", inputs, most=MOST_NUMBERS)
        self.outputs = require_size("outputs of Linear", outputs, most=MOST_NUMBERS)
        self._make_parameters(self.inputs, self.outputs, init, rng)

    def forward(self, x: Matrix) -> Matrix:
        weight, bias = self.parameters()
        self.x = x
        return self.ops.affine(x, weight.value, bias.value)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        learns, ops = self.trainable, self.ops
        self.weight.gradient = ops.matmul_tn(self.x, gradient) if learns else None
        self.bias.gradient = ops.sum_rows(gradient) if learns else None
        return ops.matmul_nt(gradient, self.weight.value) if input_gradient else None

    def output_shape(self, input_shape: Shape) -> Shape:
        if width(input_shape) != self.inputs:
            raise ArgumentError(
                f"Linear({self.inputs}, {self.outputs}) expects {self.inputs} inputs, got {width(input_shape)}"
            )
        return (self.outputs,)

    def work(self, input_shape: Shape) -> int:
        return self.outputs * (self.inputs + NUMBER_BY_NUMBER)

    def config(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "outputs": self.outputs, "init": self.init}


class Dropout(Layer):
    """Dropout: while training, each number is zeroed with probability ``rate`` and the others grow by 1 / (1 - rate).

    So the expected sum stays the same, and predicting needs no change (Srivastava et al. 2014, "inverted" form).
    ``rng`` draws the mask; without it a fixed seed does until a ``Model`` hands in a generator.
    """

    def __init__(self, rate: float = 0.5, *, rng: Random | None = None) -> None:
        self.rate = require_number("rate of Dropout", rate, 0.0, 1.0)
        self.rng = rng or Random(0)
        self.keeps_weights = rng is not None
        self.mask: Matrix = None

    def draw_from(self, rng: Random) -> None:
        if not self.keeps_weights:
            self.rng = rng

    def forward(self, x: Matrix) -> Matrix:
        self.mask = None
        if not self.training or not self.rate:
            return x
        self.mask = mask = self.ops.random_mask(self.ops.shape(x), self.rate, self.rng)
        return self.ops.hadamard(x, mask)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return gradient if self.mask is None else self.ops.hadamard(gradient, self.mask)

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate}
