"""Activations: functions of each number, and softmax, which is one of each row."""

from __future__ import annotations

import math

from .. import linalg
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
        slope = self.slope
        self.derivative = self.ops.map(lambda v: 1.0 if v > 0.0 else slope, x)
        return self.ops.map(lambda v: v if v > 0.0 else slope * v, x)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.hadamard(gradient, self.derivative)

    def config(self) -> dict[str, Any]:
        return {"slope": self.slope}


class Tanh(Layer):
    """The hyperbolic tangent; its derivative is 1 - tanh²."""

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = self.ops.map(math.tanh, x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.hadamard(gradient, self.ops.map(lambda y: 1.0 - y * y, self.y))


class Sigmoid(Layer):
    """The logistic function 1 / (1 + e⁻ˣ); its derivative is y·(1 - y) for the output y."""

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = self.ops.map(linalg.sigmoid, x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.hadamard(gradient, self.ops.map(lambda y: y * (1.0 - y), self.y))


class Softmax(Layer):
    """Softmax: each row becomes positive numbers that add up to 1, eˣ / Σ eˣ.

    backward is the true Jacobian-vector product y·(g - Σ g·y), right under any loss.
    """

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = [linalg.softmax(row) for row in self.ops.to_rows(x)]
        return self.ops.from_rows(y)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        rows = []
        for y, g in zip(self.y, self.ops.to_rows(gradient)):
            along = linalg.total([v * p for v, p in zip(g, y)])  # rounded once: the same on every Python
            rows.append([p * (v - along) for p, v in zip(y, g)])
        return self.ops.from_rows(rows)


class LogSoftmax(Layer):
    """The logarithm of softmax, row by row, without underflow; backward is g - softmax(x)·Σ g."""

    def forward(self, x: Matrix) -> Matrix:
        pairs = [linalg.softmax_and_log(row) for row in self.ops.to_rows(x)]
        self.probabilities = [softmax for softmax, _ in pairs]
        return self.ops.from_rows([log_softmax for _, log_softmax in pairs])

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        rows = []
        for probabilities, g in zip(self.probabilities, self.ops.to_rows(gradient)):
            total = math.fsum(g)
            rows.append([v - p * total for p, v in zip(probabilities, g)])
        return self.ops.from_rows(rows)
