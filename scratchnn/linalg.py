"""Matrices as lists of lists: a matrix is a list of rows, a row is a list of floats.

Pure functions, and the stable exp, log and softmax. Operations on matrices check the shapes they are given and return
a new matrix; ``rows_times_columns`` checks nothing. Nothing here knows what a layer is, though some say which gradient
they are used for. The engine ``lists`` computes with these functions. Of those that engines have by the same name, only
``dot`` and the softmax family take vectors here, where engines take matrices.

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    [[11.0]]
"""

from __future__ import annotations

import math
import sys
from builtins import map as map_each
from operator import mul

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    Dot = Callable[[Any, Any], float]  # a dot product: engines differ in how they add up; ``product`` below is one

Vector = list[float]
Matrix = list[list[float]]
Shape = tuple[int, int]

LARGEST = sys.float_info.max
SMALLEST = 5e-324  # the smallest positive double: the floor of ``log``
LARGEST_EXPONENT = math.log(LARGEST)  # exp overflows above it


def _dot_in_python(a: Iterable[float], b: Iterable[float]) -> float:
    return sum(map_each(mul, a, b), 0.0)


# Python 3.12 brought a dot product written in C: three times as fast, and rounded once. So results
# may differ in their last bits between 3.11 and 3.12.
inner_product: Dot = getattr(math, "sumprod", _dot_in_python)


# --- shapes ------------------------------------------------------------------------------------------------


def shape(m: Sequence[Sequence[float]]) -> Shape:
    """(rows, columns) of ``m``; ``ValueError`` if its rows differ in length. An empty list is 0 x 0:
    a batch without rows has lost its columns, and fits no weight."""
    if not m:
        return (0, 0)
    columns = len(m[0])
    if set(map_each(len, m)) != {columns}:
        number, length = next((i, len(row)) for i, row in enumerate(m) if len(row) != columns)
        raise ValueError(f"a matrix needs rows of one length: row 0 has {columns} numbers, row {number} has {length}")
    return (len(m), columns)


def _say(s: Shape) -> str:
    return f"{s[0]}x{s[1]}"


def _same_shape(operation: str, a: Matrix, b: Matrix) -> None:
    first, second = shape(a), shape(b)
    if first != second:
        raise ValueError(f"{operation} needs two matrices of the same shape, got {_say(first)} and {_say(second)}")


# --- products ----------------------------------------------------------------------------------------------


def transpose(m: Matrix) -> Matrix:
    """mᵀ: the rows of ``m`` (r x c) become the columns of the result (c x r)."""
    shape(m)
    return [list(column) for column in zip(*m)]


def exact_dot(a: Iterable[float], b: Iterable[float], *more: float) -> float:
    """The sum of the products of two vectors, and of the numbers ``more``: each product is rounded, and then their sum,
    once, so that it is the same on every Python. Infinite or NaN where that sum is, as ``total`` has it."""
    return total([*map_each(mul, a, b), *more])


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """The sum of the products of two vectors of the same length."""
    if len(a) != len(b):
        raise ValueError(f"dot needs two vectors of the same length, got {len(a)} and {len(b)}")
    return inner_product(a, b)


def rows_times_columns(
    rows: Iterable[Sequence[float]], columns: Sequence[Sequence[float]], product: Dot = inner_product
) -> Matrix:
    return [[product(row, column) for column in columns] for row in rows]


def matmul(a: Matrix, b: Matrix, product: Dot = inner_product) -> Matrix:
    """a·b for ``a`` (m x k) and ``b`` (k x n): an m x n matrix."""
    first, second = shape(a), shape(b)
    if first[1] != second[0]:
        raise ValueError(
            f"matmul needs as many columns on the left as rows on the right, got {_say(first)} and {_say(second)}"
        )
    return rows_times_columns(a, list(zip(*b)), product)


def matmul_tn(a: Matrix, b: Matrix, product: Dot = inner_product) -> Matrix:
    """aᵀ·b for ``a`` (k x m) and ``b`` (k x n): an m x n matrix (t: transposed, n: not). With a layer's inputs and the
    gradient of its outputs it is the gradient of its weight."""
    first, second = shape(a), shape(b)
    if first[0] != second[0]:
        raise ValueError(f"matmul_tn needs as many rows left and right, got {_say(first)} and {_say(second)}")
    return rows_times_columns(zip(*a), list(zip(*b)), product)


def matmul_nt(a: Matrix, b: Matrix, product: Dot = inner_product) -> Matrix:
    """a·bᵀ for ``a`` (m x k) and ``b`` (n x k): an m x n matrix. With the gradient of a layer's outputs and its
    weight it is the gradient of its inputs."""
    first, second = shape(a), shape(b)
    if first[1] != second[1]:
        raise ValueError(f"matmul_nt needs as many columns left and right, got {_say(first)} and {_say(second)}")
    return rows_times_columns(a, b, product)


def matvec(m: Matrix, v: Sequence[float]) -> Vector:
    """m·v for ``m`` (r x c) and a vector of c numbers: a vector of r numbers."""
    if shape(m)[1] != len(v):
        raise ValueError(f"matvec needs as many columns as the vector has numbers, got {_say(shape(m))} and {len(v)}")
    return [inner_product(row, v) for row in m]


def outer(a: Sequence[float], b: Sequence[float]) -> Matrix:
    """The outer product: entry (i, j) is a[i]·b[j]; m and n numbers give an m x n matrix."""
    return [[x * y for y in b] for x in a]


def affine(x: Matrix, weight: Matrix, bias: Matrix, product: Dot = inner_product) -> Matrix:
    """x·weight + bias for ``x`` (n x k), ``weight`` (k x m) and ``bias`` (1 x m, added to every row)."""
    rows, weights, biases = shape(x), shape(weight), shape(bias)
    if rows[1] != weights[0] or biases != (1, weights[1]):
        raise ValueError(
            f"affine needs (n x k), (k x m) and (1 x m), got {_say(rows)}, {_say(weights)} and {_say(biases)}"
        )
    columns, shift = list(zip(*weight)), bias[0]
    return [[product(row, column) + b for column, b in zip(columns, shift)] for row in x]


# --- element by element ------------------------------------------------------------------------------------


def map(f: Callable[..., float], *matrices: Matrix) -> Matrix:
    """``f`` of the entries at each place of one matrix or several of the same shape.

    A matrix of one row counts for every row, one of one column for every column.
    """
    shapes = [shape(m) for m in matrices]
    if shapes.count(shapes[0]) < len(shapes):
        matrices = _broadcast(matrices, shapes)
    return [list(map_each(f, *rows)) for rows in zip(*matrices)]


def _broadcast(matrices: Sequence[Matrix], shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
    """All as large as the largest, with single rows and columns repeated."""
    rows, columns = (max(sizes) for sizes in zip(*shapes))
    for r, c in shapes:
        if r not in (1, rows) or c not in (1, columns):
            raise ValueError(f"map needs matrices of one shape, got {' and '.join(map_each(_say, shapes))}")
    wide = [m if c == columns else [row * columns for row in m] for m, (_, c) in zip(matrices, shapes)]
    return tuple(m if r == rows else m * rows for m, (r, _) in zip(wide, shapes))


def hadamard(a: Matrix, b: Matrix) -> Matrix:
    """The product entry by entry of two matrices of the same shape."""
    _same_shape("hadamard", a, b)
    return [[x * y for x, y in zip(p, q)] for p, q in zip(a, b)]


def add(a: Matrix, b: Matrix) -> Matrix:
    """a + b, entry by entry."""
    _same_shape("add", a, b)
    return [[x + y for x, y in zip(p, q)] for p, q in zip(a, b)]


def sub(a: Matrix, b: Matrix) -> Matrix:
    """a - b, entry by entry."""
    _same_shape("sub", a, b)
    return [[x - y for x, y in zip(p, q)] for p, q in zip(a, b)]


def scale(m: Matrix, factor: float) -> Matrix:
    """factor·m."""
    shape(m)
    return [[factor * v for v in row] for row in m]


def add_scaled(a: Matrix, b: Matrix, factor: float) -> Matrix:
    """a + factor·b in one pass: the last step of every optimizer."""
    _same_shape("add_scaled", a, b)
    return [[x + factor * y for x, y in zip(p, q)] for p, q in zip(a, b)]


def relu(m: Matrix) -> tuple[Matrix, Matrix]:
    """(max(m, 0), mask): the mask is 0 where ``m`` is 0 or below and 1 elsewhere, and is meant for ``gate``."""
    shape(m)
    # NaN is not <= 0, so it passes and is not hidden.
    return [[0.0 if v <= 0.0 else v for v in row] for row in m], [[0.0 if v <= 0.0 else 1.0 for v in row] for row in m]


def gate(m: Matrix, mask: Matrix) -> Matrix:
    """``m`` where the mask of ``relu`` is 1, 0 elsewhere."""
    _same_shape("gate", m, mask)
    return [[v if keep else 0.0 for v, keep in zip(row, flags)] for row, flags in zip(m, mask)]


# --- rows and columns --------------------------------------------------------------------------------------


def total(values: Sequence[float]) -> float:
    """The sum of the numbers, rounded once; infinite or NaN where the sum is, or a sum on the way to it."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest double on the way, or inf - inf
        return sum(values, 0.0)


def row_sums(m: Matrix) -> Vector:
    """The sum of the numbers in each row: as many as ``m`` has rows. (``sum_rows`` adds up the rows.)"""
    shape(m)
    return [total(row) for row in m]


def column_sums(m: Matrix) -> Vector:
    """The sum of the numbers in each column: as many as ``m`` has columns. (``sum_columns`` adds up the columns.)"""
    shape(m)
    return [total(column) for column in zip(*m)]


def sum_rows(m: Matrix) -> Matrix:
    """All rows added up, as a matrix of one row. The gradient of a bias."""
    return [column_sums(m)]


def sum_columns(m: Matrix) -> Matrix:
    """All columns added up, as a matrix of one column."""
    return [[v] for v in row_sums(m)]


def argmax(row: Sequence[float]) -> int:
    """The position of the largest number; of the first one where several are equal. NaN may be passed over."""
    if not len(row):
        raise ValueError("argmax needs at least one number, got none")
    return max(range(len(row)), key=row.__getitem__)


def argmax_rows(m: Matrix) -> list[int]:
    """``argmax`` of each row."""
    if m and not shape(m)[1]:
        argmax(m[0])  # says what is wrong
    return [row.index(max(row)) for row in m]


def flatten(m: Matrix) -> Vector:
    """All entries, row after row."""
    shape(m)
    return [v for row in m for v in row]


def reshape(values: Sequence[Any], rows: int, columns: int) -> Matrix:
    """The same numbers in the same order as a ``rows`` x ``columns`` matrix; takes a vector or a matrix."""
    matrix = bool(values) and not isinstance(values[0], (int, float))
    flat = flatten(list(values)) if matrix else list(values)
    if rows < 0 or columns < 0 or len(flat) != rows * columns:
        came = _say(shape(values)) if matrix else f"{len(flat)} numbers"
        raise ValueError(f"reshape to {rows}x{columns} needs {rows * columns} numbers, got {came}")
    return [flat[i * columns : (i + 1) * columns] for i in range(rows)]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of a vector with at least one number; ``OverflowError`` or ``ValueError`` where a sum on
    the way leaves the range of doubles."""
    if not len(values):
        raise ValueError("mean needs at least one number, got none")
    return math.fsum(values) / len(values)


def standard_deviation(values: Sequence[float]) -> float:
    """The population standard deviation (divided by n) of a vector with at least one number."""
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / len(values))


def r_squared(outputs: Sequence[float], targets: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The coefficient of determination of one column; for targets that are all the same 1 if they are hit, else 0."""
    residual, spread, _ = sums_of_squares(outputs, targets, weights)
    if not spread:
        return 0.0 if residual else 1.0
    return 1.0 - residual / spread


def sums_of_squares(
    outputs: Sequence[float], targets: Sequence[float], weights: Sequence[float] | None = None
) -> tuple[float, float, float]:
    """(Σ (output - target)², Σ (target - mean)², a unit: both sums are in units of its square), each square times its
    weight, if given.

    In that unit, a power of two, no square of a target overflows. A sum that is beyond all doubles is infinity.
    """
    unit = math.ldexp(0.5, math.frexp(max(map_each(abs, targets)))[1])
    outputs, targets = [o / unit for o in outputs], [t / unit for t in targets]
    residual = _weighted_sum([(o - t) * (o - t) for o, t in zip(outputs, targets)], weights)
    if min(targets) == max(targets):  # their mean may be off by a rounding
        return residual, 0.0, unit
    centre = mean(targets) if weights is None else _weighted_sum(targets, weights) / math.fsum(weights)
    return residual, _weighted_sum([(t - centre) * (t - centre) for t in targets], weights), unit


def _weighted_sum(values: Sequence[float], weights: Sequence[float] | None) -> float:
    try:
        return math.fsum(values if weights is None else map_each(mul, values, weights))
    except OverflowError:
        return math.inf


# --- rows in and out ----------------------------------------------------------------------------------------


def from_rows(rows: Iterable[Iterable[float]]) -> Matrix:
    """A matrix from rows of numbers, copied."""
    m = [list(row) for row in rows]
    shape(m)
    return m


# --- numerically stable functions --------------------------------------------------------------------------


def exp(x: float) -> float:
    """eˣ; above 709.78 it stays at the largest double instead of raising ``OverflowError``."""
    return LARGEST if x > LARGEST_EXPONENT else math.exp(x)


def log(x: float) -> float:
    """The natural logarithm; zero and below count as the smallest positive double (log = -744.44)."""
    return math.log(x if x >= SMALLEST or x != x else SMALLEST)


def sigmoid(x: float) -> float:
    """1 / (1 + e⁻ˣ), from whichever of e⁻ˣ and eˣ is at most 1, so that neither overflows."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def softplus(x: float) -> float:
    """log(1 + eˣ) = max(x, 0) + log(1 + e^-|x|)."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def maximum(a: float, b: float) -> float:
    """The larger one; NaN if either is."""
    return a if a >= b or a != a else b


def where(condition: object, one: float, other: float) -> float:
    """``one`` where the condition holds, ``other`` elsewhere."""
    return one if condition else other


def _exponentials(row: Sequence[float]) -> tuple[float, Vector, float]:
    """(largest entry, e^(entry - largest) for every entry, the sum of those but for one largest entry).

    The largest entry contributes exactly 1. Leaving it out of the sum lets ``log1p`` keep what the others
    add, even where they are far smaller than 1.
    """
    if not len(row):
        raise ValueError("softmax and its relatives need at least one number a row, got an empty row")
    largest = max(row)
    exponentials = [math.exp(v - largest) for v in row]
    return largest, exponentials, math.fsum([*exponentials, -1.0])


def _logarithms(row: Sequence[float], largest: float, correction: float) -> Vector:
    """entry - largest - correction for every entry, where ``correction`` is log1p of the rest; a difference below the
    most negative double counts as that."""
    if min(row) - largest >= -LARGEST:  # nearly always so, and looked at once
        return [v - largest - correction for v in row]
    return [max(v - largest, -LARGEST) - correction for v in row]


def logsumexp(row: Sequence[float]) -> float:
    """log(Σ eᵛ) over a row of at least one number, all of them finite."""
    largest, _, rest = _exponentials(row)
    return largest + math.log1p(rest)


def softmax(row: Sequence[float]) -> Vector:
    """eᵛ / Σ eᵛ for every entry of a row: numbers from 0 to 1 that add up to 1, but for rounding."""
    _, exponentials, rest = _exponentials(row)
    total = 1.0 + rest
    return [e / total for e in exponentials]


def log_softmax(row: Sequence[float]) -> Vector:
    """log(softmax(row)), but never as the log of a softmax, which may have become 0. What is infinitely far below the
    largest entry gets the most negative double, not -inf."""
    largest, _, rest = _exponentials(row)
    return _logarithms(row, largest, math.log1p(rest))


def softmax_and_log(row: Sequence[float]) -> tuple[Vector, Vector]:
    """(softmax(row), log_softmax(row)) for the price of one: what cross-entropy and its gradient need."""
    largest, exponentials, rest = _exponentials(row)
    total = 1.0 + rest
    return [e / total for e in exponentials], _logarithms(row, largest, math.log1p(rest))
