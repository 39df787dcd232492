"""Activations: functions of each number, and softmax, which is one of each row."""

from __future__ import annotations

from ..checks import require_number
from .base import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base import Matrix


class ReLU(Layer):
    """Rectified linear unit: max(x, 0). Its derivative is 1 where x is positive and 0 elsewhere (0 at 0 itself)."""

    def forward(self, x: Matrix) -> Matrix:
        output, self.mask = self.ops.relu(x)
        return output

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.gate(gradient, self.mask)


class LeakyReLU(Layer):
    """Leaky rectified linear unit: x where x is positive, slope·x elsewhere (Maas et al. 2013)."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = require_number("slope of LeakyReLU", slope, 0.0, 1.0)

    def forward(self, x: Matrix) -> Matrix:
        self.x, slope, where = x, self.slope, self.ops.where
        return self.ops.map(lambda v: where(v > 0.0, v, slope * v), x)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        slope, where = self.slope, self.ops.where
        return self.ops.map(lambda g, v: where(v > 0.0, g, slope * g), gradient, self.x)

    def config(self) -> dict[str, Any]:
        return {"slope": self.slope}


class Tanh(Layer):
    """The hyperbolic tangent; its derivative is 1 - tanh²."""

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = self.ops.map(self.ops.tanh, x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.map(lambda g, y: g * (1.0 - y * y), gradient, self.y)


class Sigmoid(Layer):
    """The logistic function 1 / (1 + e⁻ˣ); its derivative is y·(1 - y) for the output y."""

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = self.ops.map(self.ops.sigmoid, x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.map(lambda g, y: g * (y * (1.0 - y)), gradient, self.y)


class Softmax(Layer):
    """Softmax: each row becomes positive numbers that add up to 1, eˣ / Σ eˣ.

    backward is the true Jacobian-vector product y·(g - Σ g·y), right under any loss.
    """

    def forward(self, x: Matrix) -> Matrix:
        self.y, _ = y, _ = self.ops.softmax_and_log(x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.softmax_inputs(gradient, self.y)


class LogSoftmax(Layer):
    """The logarithm of softmax, row by row, without underflow; backward is g - softmax(x)·Σ g."""

    def forward(self, x: Matrix) -> Matrix:
        self.probabilities, y = self.ops.softmax_and_log(x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.log_softmax_inputs(gradient, self.probabilities)
