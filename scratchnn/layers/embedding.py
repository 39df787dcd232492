"""Embedding: whole numbers that name things (words, shops, weekdays) become rows of numbers that are learned."""

from __future__ import annotations

import math
from random import Random

from ..checks import MOST_NUMBERS, require_size, shown
from ..errors import DataError
from .base import Shape, width
from .linear import ParameterLayer, uniform_matrix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .base import Matrix, Rows

BOUND = math.sqrt(3.0)  # uniform within it, numbers have variance 1


class Embedding(ParameterLayer):
    """A table of ``count`` rows of ``features`` numbers: each whole number of a sample becomes the row that it names.

    A sample of k whole numbers from 0 to count - 1 becomes k·features numbers, one row after the other. It is the first
    layer of a network: its inputs are taken as they are (a ``Model`` does not scale them) and have no gradient.
    ``weight`` is count x features, drawn uniformly with mean 0 and variance 1; each row's gradient is the sum over the
    places that name it. ``rng`` as in ``Linear``.

    Bengio et al. 2003, "A Neural Probabilistic Language Model", section 2 (there the matrix C).
    """

    reads_indices = True

    def __init__(self, count: int, features: int, *, rng: Random | None = None) -> None:
        self.count = require_size("count of Embedding", count, most=MOST_NUMBERS)
        self.features = require_size("features of Embedding", features, most=MOST_NUMBERS)
        self._declare({"weight": (self.count, self.features)}, rng)

    def _starting_values(self, rng: Random) -> Iterable[Rows]:
        return (uniform_matrix(self.count, self.features, BOUND, rng),)

    def forward(self, x: Matrix) -> Matrix:
        (weight,) = self.parameters()
        self.x = x
        return self.ops.look_up(x, weight.value)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        """The gradient of the table; None for the inputs, which have none."""
        learns = self.trainable
        self.weight.gradient = self.ops.look_up_weights(self.x, gradient, self.count) if learns else None
        return None

    def check_rows(self, rows: Sequence[Sequence[float]], name: str) -> None:
        for number, row in enumerate(rows):
            for column, v in enumerate(row):
                if not (0 <= v < self.count and v % 1 == 0):
                    raise DataError(
                        f"{name}: row {number}, column {column} must be a whole number from 0 to {self.count - 1} for "
                        f"{self!r}, got {shown(v)}"
                    )

    def output_shape(self, input_shape: Shape) -> Shape:
        return (width(input_shape) * self.features,)

    def config(self) -> dict[str, Any]:
        return {"count": self.count, "features": self.features}
