"""What a model on the engine ``lanes`` computes with if its network is tiny: lists of floats.

To put a handful of numbers into one int, and to take them out again, costs more than to multiply them one by one. So a
network with few weights is faster with the operations of ``lists``, and loses nothing to rounding. Its sums of products
are rounded once, so that results are the same to the last bit on every Python, as those of lanes are: Python's own sum
of floats became more exact with 3.12.
"""

from __future__ import annotations

from .. import linalg
from ..linalg import exact_dot
from .lists import Lists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..linalg import Matrix

# Up to here faster than lanes in batches of 32 (in smaller ones up to three times as many): measured from 4-3-2 to
# 20-32-2, with rows from 1 to 32 at a time.
MOST_WEIGHTS = 160


class ShortRows(Lists):
    """The engine. Images are for others: it has the operations of layers that go number by number or row by row."""

    name = "lanes"

    def affine(self, x: Matrix, weight: Matrix, bias: Matrix) -> Matrix:  # type: ignore[override]
        return linalg.affine(x, weight, bias, exact_dot)

    def matmul(self, a: Matrix, b: Matrix) -> Matrix:  # type: ignore[override]
        return linalg.matmul(a, b, exact_dot)

    def matmul_nt(self, a: Matrix, b: Matrix) -> Matrix:  # type: ignore[override]
        return linalg.matmul_nt(a, b, exact_dot)

    def matmul_tn(self, a: Matrix, b: Matrix) -> Matrix:  # type: ignore[override]
        return linalg.matmul_tn(a, b, exact_dot)

    def __reduce__(self) -> str:
        return "SHORT_ROWS"

    def __repr__(self) -> str:
        return self.name


SHORT_ROWS = ShortRows()
