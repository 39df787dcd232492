"""Normalisation: numbers brought to mean 0 and variance 1 on their way through a network, then scaled and shifted.

``LayerNorm`` looks at one row at a time. ``BatchNorm`` looks at one feature of all rows of a batch while training, and
at what it has seen of it while predicting: the answer for a row never depends on the rows beside it.
"""

from __future__ import annotations

from ..checks import MOST_NUMBERS, require_number, require_size
from ..errors import ArgumentError
from .base import NUMBER_BY_NUMBER, Parameter, Shape, shape_text, width
from .linear import ParameterLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random
    from typing import Any

    from .base import Matrix, Rows

PASSES = 4  # how often each number goes through Python by itself


class NormalisationLayer(ParameterLayer):
    """What both share: how many features there are, and a weight and a bias for each."""

    bias: Parameter

    def __init__(self, features: int, epsilon: float) -> None:
        name = type(self).__name__
        self.features = require_size(f"features of {name}", features, most=MOST_NUMBERS)
        self.epsilon = require_number(f"epsilon of {name}", epsilon, 0.0, above=True)

    def _starting_values(self, rng: Random) -> Iterable[Rows]:
        return [[1.0] * self.features], [[0.0] * self.features]

    def work(self, input_shape: Shape) -> int:
        return PASSES * NUMBER_BY_NUMBER * width(input_shape)

    def config(self) -> dict[str, Any]:
        return {"features": self.features, "epsilon": self.epsilon}


class LayerNorm(NormalisationLayer):
    """Each row by itself: y = (x - mean) / √(variance + epsilon) · weight + bias, with the mean and the variance (that
    of the row, not an estimate) of its ``features`` numbers. ``weight`` and ``bias`` are 1 x features.

    Ba et al. 2016, "Layer Normalization", section 3. With c = x - mean, f = 1 / √(variance + epsilon) and h = weight ·
    gradient, the gradient of x is f · (h - mean(h) - c · f² · mean(h · c)).
    """

    def __init__(self, features: int, epsilon: float = 1e-5) -> None:
        super().__init__(features, epsilon)
        self._declare({"weight": (1, self.features), "bias": (1, self.features)}, None)

    def _mean(self, m: Matrix) -> Matrix:
        return self.ops.scale(self.ops.sum_columns(m), 1.0 / self.features)

    def forward(self, x: Matrix) -> Matrix:
        ops, epsilon, sqrt = self.ops, self.epsilon, self.ops.sqrt
        weight, bias = self.parameters()
        self.x = centred = ops.map(lambda v, mean: v - mean, x, self._mean(x))
        variance = self._mean(ops.hadamard(centred, centred))
        self._factor = factor = ops.map(lambda v: 1.0 / sqrt(v + epsilon), variance)  # rows x 1
        return ops.map(lambda c, f, w, b: c * f * w + b, centred, factor, weight.value, bias.value)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        ops, centred, factor, learns = self.ops, self.x, self._factor, self.trainable
        if learns:
            self.weight.gradient = ops.sum_rows(ops.map(lambda g, c, f: g * c * f, gradient, centred, factor))
        else:
            self.weight.gradient = None
        self.bias.gradient = ops.sum_rows(gradient) if learns else None
        if not input_gradient:
            return None
        weighted = ops.map(lambda g, w: g * w, gradient, self.weight.value)
        along = ops.map(lambda a, f: a * f * f, self._mean(ops.hadamard(weighted, centred)), factor)
        return ops.map(
            lambda h, c, mean, a, f: f * (h - mean - c * a), weighted, centred, self._mean(weighted), along, factor
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        if width(input_shape) != self.features:
            raise ArgumentError(f"{self!r} expects {self.features} features, got {width(input_shape)}")
        return input_shape


class BatchNorm(NormalisationLayer):
    """Each feature over the rows of a batch: y = (x - mean) / √(variance + epsilon) · weight + bias.

    Of images, (channels, height, width), the features are the channels: a channel has one mean and one variance over
    all its pixels in all images of the batch, and one weight and bias. ``features`` says how many there are of either.

    While training, mean and variance are those of the batch, and ``running_mean`` and ``running_variance`` follow them:
    running ← (1 - momentum) · running + momentum · batch's, where the variance that is kept is the estimate for all
    data, the batch's times n / (n - 1) for n numbers a feature. While predicting, and where the layer is frozen, the
    running ones count instead, so that a row's answer does not depend on the rows beside it. A single number a feature
    (the row that is left over at the end of an epoch) has no variance: such a batch gives the bias, and the running
    ones stay as they are.

    All four are 1 x features and among ``parameters()``; no optimizer changes the running ones. Ioffe & Szegedy 2015,
    "Batch Normalization", algorithms 1 and 2. With m for the mean over the batch, c = x - mean, f = 1 / √(variance +
    epsilon) and the gradient g, that of x is weight · f · (g - m(g) - c · f² · m(g · c)).
    """

    running_mean: Parameter
    running_variance: Parameter

    def __init__(self, features: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__(features, epsilon)
        self.momentum = require_number("momentum of BatchNorm", momentum, 0.0, 1.0)
        names = "weight", "bias", "running_mean", "running_variance"
        self._declare(dict.fromkeys(names, (1, self.features)), None, running=names[2:])

    def _starting_values(self, rng: Random) -> Iterable[Rows]:
        ones, zeros = super()._starting_values(rng)
        return ones, zeros, zeros, ones

    def _each(self, m: Matrix, columns: int) -> Matrix:
        """One number a feature as one for each of so many columns."""
        positions = columns // self.features
        return m if positions == 1 else self.ops.repeat_columns(m, positions)

    def _means(self, m: Matrix, count: int) -> Matrix:
        """The mean of each feature over all rows, 1 x features."""
        return self.ops.scale(self.ops.sum_channels(m, self.features), 1.0 / count)

    def forward(self, x: Matrix) -> Matrix:
        ops = self.ops
        weight, bias, _, _ = self.parameters()
        rows, columns = ops.shape(x)
        if columns % self.features:
            raise ArgumentError(f"{self!r} needs rows of {self.features} features of one size, got {columns} numbers")
        count = rows * columns // self.features
        by_batch = self.training and self.trainable
        centred, variance = self._of_batch(x, count) if by_batch else self._of_before(x)
        factor = self._factor_of(variance)
        self.x, self._factor, self._count = centred, factor, count if by_batch else 0
        slope = self._each(ops.hadamard(factor, weight.value), columns)
        return ops.map(lambda c, s, b: c * s + b, centred, slope, self._each(bias.value, columns))

    def _of_batch(self, x: Matrix, count: int) -> tuple[Matrix, Matrix]:
        """(x - mean, variance) of a batch of so many numbers a feature; what predicts later follows them."""
        ops = self.ops
        mean = self._means(x, count)
        centred = ops.map(lambda v, m: v - m, x, self._each(mean, ops.shape(x)[1]))
        variance = self._means(ops.hadamard(centred, centred), count)
        if count > 1:  # a single number says nothing of a variance
            self._follow(mean, variance, count / (count - 1.0))
        return centred, variance

    def _follow(self, mean: Matrix, variance: Matrix, estimate: float) -> None:
        kept, share, follow = 1.0 - self.momentum, self.momentum, self.ops.map
        self.running_mean.value = follow(lambda r, v: kept * r + share * v, self.running_mean.value, mean)
        share *= estimate
        self.running_variance.value = follow(lambda r, v: kept * r + share * v, self.running_variance.value, variance)

    def _of_before(self, x: Matrix) -> tuple[Matrix, Matrix]:
        """(x - mean, variance) by what was seen while training."""
        mean = self._each(self.running_mean.value, self.ops.shape(x)[1])
        return self.ops.map(lambda v, m: v - m, x, mean), self.running_variance.value

    def _factor_of(self, variance: Matrix) -> Matrix:
        epsilon, sqrt, maximum = self.epsilon, self.ops.sqrt, self.ops.maximum
        # One that somebody has set, or that stands in a file, may be below 0.
        return self.ops.map(lambda v: 1.0 / sqrt(maximum(v, 0.0) + epsilon), variance)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        ops, centred, factor = self.ops, self.x, self._factor
        columns, sums, along = ops.shape(gradient)[1], None, None
        if self.trainable or self._count:
            sums = ops.sum_channels(gradient, self.features)
            along = ops.hadamard(factor, ops.sum_channels(ops.hadamard(gradient, centred), self.features))
        self.weight.gradient, self.bias.gradient = (along, sums) if self.trainable else (None, None)
        if not input_gradient:
            return None
        slope = ops.hadamard(factor, self.weight.value)
        if not self._count:
            return ops.map(lambda g, s: g * s, gradient, self._each(slope, columns))
        share = 1.0 / self._count
        level = ops.map(lambda s, total: share * s * total, slope, sums)
        tilt = ops.map(lambda s, a, f: share * s * a * f, slope, along, factor)
        each = [self._each(m, columns) for m in (slope, level, tilt)]
        return ops.map(lambda g, c, s, level, tilt: g * s - level - c * tilt, gradient, centred, *each)

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[0] != self.features:
            raise ArgumentError(
                f"{self!r} expects {self.features} features, or images of so many channels, got "
                f"{shape_text(input_shape)}"
            )
        return input_shape

    def config(self) -> dict[str, Any]:
        return {"features": self.features, "momentum": self.momentum, "epsilon": self.epsilon}
