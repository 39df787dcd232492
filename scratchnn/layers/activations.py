"""Activations: functions of each number, and softmax, which is one of each row."""

from __future__ import annotations

import math

from ..checks import require_number
from .base import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base import Matrix

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)  # of the standard normal distribution at 0


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


class GELU(Layer):
    """Gaussian error linear unit, the exact one: x·Φ(x), where Φ(x) = (1 + erf(x/√2)) / 2 is the standard normal
    distribution. Its derivative is Φ(x) + x·φ(x), with the density φ(x) = e^(-x²/2) / √(2π).

    Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", section 2.
    """

    def forward(self, x: Matrix) -> Matrix:
        self.x, erf = x, self.ops.erf
        return self.ops.map(lambda v: 0.5 * v * (1.0 + erf(_ROOT_HALF * v)), x)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        erf, exp = self.ops.erf, self.ops.exp
        return self.ops.map(
            lambda g, v: g * (0.5 * (1.0 + erf(_ROOT_HALF * v)) + v * (_DENSITY * exp(-0.5 * v * v))), gradient, self.x
        )


class SiLU(Layer):
    """Sigmoid linear unit, also called swish: x·σ(x), where σ is the logistic function. Its derivative is
    σ(x)·(1 + x·(1 - σ(x))).

    Elfwing et al. 2018, "Sigmoid-Weighted Linear Units for Neural Network Function Approximation in Reinforcement
    Learning", section 2.
    """

    def forward(self, x: Matrix) -> Matrix:
        self.x, sigmoid = x, self.ops.sigmoid
        return self.ops.map(lambda v: v * sigmoid(v), x)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        sigmoid = self.ops.sigmoid

        def derivative(g: Any, v: Any) -> Any:
            s = sigmoid(v)
            return g * (s * (1.0 + v * (1.0 - s)))

        return self.ops.map(derivative, gradient, self.x)


class ELU(Layer):
    """Exponential linear unit: x where x is positive, alpha·(eˣ - 1) elsewhere. Its derivative there is alpha·eˣ.

    Clevert et al. 2016, "Fast and Accurate Deep Network Learning by Exponential Linear Units", equation 15.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = require_number("alpha of ELU", alpha, 0.0)

    def forward(self, x: Matrix) -> Matrix:
        self.x, alpha, exp, where = x, self.alpha, self.ops.exp, self.ops.where
        return self.ops.map(lambda v: where(v > 0.0, v, alpha * (exp(v) - 1.0)), x)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        alpha, exp, where = self.alpha, self.ops.exp, self.ops.where
        return self.ops.map(lambda g, v: where(v > 0.0, g, g * (alpha * exp(v))), gradient, self.x)

    def config(self) -> dict[str, Any]:
        return {"alpha": self.alpha}


class Softplus(Layer):
    """A smooth rectifier: log(1 + eˣ); its derivative is the logistic function (Dugas et al. 2001, equation 4)."""

    def forward(self, x: Matrix) -> Matrix:
        self.x = x
        return self.ops.map(self.ops.softplus, x)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        sigmoid = self.ops.sigmoid
        return self.ops.map(lambda g, v: g * sigmoid(v), gradient, self.x)


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
