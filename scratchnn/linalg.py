"""The readable number engine: a matrix is a list of rows, a row is a list of floats.

Layers, losses and optimizers are written once against the operations of this file; ``lanes`` offers the same
operations on a faster kind of matrix. Nothing here knows what a layer is. Every operation checks the shapes it
is given and returns a new matrix.

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    [[11.0]]
"""

from __future__ import annotations

import math
import sys
from builtins import map as map_each
from collections.abc import Callable, Iterable, Sequence
from operator import mul
from typing import Any

from .engines.sliding_window import Window

Vector = list[float]
Matrix = list[list[float]]
Shape = tuple[int, int]
Dot = Callable[[Any, Any], float]  # a dot product: engines differ in how they add up

LARGEST = sys.float_info.max
SMALLEST = 5e-324  # the smallest positive double: the floor of ``log``
LARGEST_EXPONENT = math.log(LARGEST)  # exp overflows above it

name = "linalg"


def _dot_in_python(a: Iterable[float], b: Iterable[float]) -> float:
    return sum(map_each(mul, a, b), 0.0)


# Python 3.12 brought a dot product written in C: three times as fast, and rounded once.
_dot: Dot = getattr(math, "sumprod", _dot_in_python)


# --- shapes ------------------------------------------------------------------------------------------------


def shape(m: Sequence[Sequence[float]]) -> Shape:
    """(rows, columns) of ``m``; ``ValueError`` if its rows differ in length. An empty list is 0 x 0."""
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


def _same_length(operation: str, a: Sequence[float], b: Sequence[float]) -> None:
    if len(a) != len(b):
        raise ValueError(f"{operation} needs two vectors of the same length, got {len(a)} and {len(b)}")


# --- products ----------------------------------------------------------------------------------------------


def transpose(m: Matrix) -> Matrix:
    """mᵀ: the rows of ``m`` (r x c) become the columns of the result (c x r)."""
    shape(m)
    return [list(column) for column in zip(*m)]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """The sum of the products of two vectors of the same length."""
    _same_length("dot", a, b)
    return _dot(a, b)


def _rows_times_columns(
    rows: Iterable[Sequence[float]], columns: Sequence[Sequence[float]], product: Dot = _dot
) -> Matrix:
    return [[product(row, column) for column in columns] for row in rows]


def matmul(a: Matrix, b: Matrix) -> Matrix:
    """a·b for ``a`` (m x k) and ``b`` (k x n): an m x n matrix."""
    first, second = shape(a), shape(b)
    if first[1] != second[0]:
        raise ValueError(
            f"matmul needs as many columns on the left as rows on the right, got {_say(first)} and {_say(second)}"
        )
    return _rows_times_columns(a, list(zip(*b)))


def matmul_tn(a: Matrix, b: Matrix) -> Matrix:
    """aᵀ·b for ``a`` (k x m) and ``b`` (k x n): an m x n matrix. The gradient of a weight matrix."""
    first, second = shape(a), shape(b)
    if first[0] != second[0]:
        raise ValueError(f"matmul_tn needs as many rows left and right, got {_say(first)} and {_say(second)}")
    return _rows_times_columns(zip(*a), list(zip(*b)))


def matmul_nt(a: Matrix, b: Matrix) -> Matrix:
    """a·bᵀ for ``a`` (m x k) and ``b`` (n x k): an m x n matrix. The gradient of a layer's input."""
    first, second = shape(a), shape(b)
    if first[1] != second[1]:
        raise ValueError(f"matmul_nt needs as many columns left and right, got {_say(first)} and {_say(second)}")
    return _rows_times_columns(a, b)


def matvec(m: Matrix, v: Sequence[float]) -> Vector:
    """m·v for ``m`` (r x c) and a vector of c numbers: a vector of r numbers."""
    if shape(m)[1] != len(v):
        raise ValueError(f"matvec needs as many columns as the vector has numbers, got {_say(shape(m))} and {len(v)}")
    return [_dot(row, v) for row in m]


def outer(a: Sequence[float], b: Sequence[float]) -> Matrix:
    """The outer product: entry (i, j) is a[i]·b[j]; m and n numbers give an m x n matrix."""
    return [[x * y for y in b] for x in a]


def affine(x: Matrix, weight: Matrix, bias: Matrix) -> Matrix:
    """x·weight + bias for ``x`` (n x k), ``weight`` (k x m) and ``bias`` (1 x m, added to every row)."""
    rows, weights, biases = shape(x), shape(weight), shape(bias)
    if rows[1] != weights[0] or biases != (1, weights[1]):
        raise ValueError(
            f"affine needs (n x k), (k x m) and (1 x m), got {_say(rows)}, {_say(weights)} and {_say(biases)}"
        )
    columns, product, shift = list(zip(*weight)), _dot, bias[0]
    return [[product(row, column) + b for column, b in zip(columns, shift)] for row in x]


# --- element by element ------------------------------------------------------------------------------------


def map(f: Callable[[float], float], m: Matrix) -> Matrix:
    """``f`` of every entry."""
    shape(m)
    return [[f(v) for v in row] for row in m]


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
    """a + factor·b in one pass: the step of every optimizer."""
    _same_shape("add_scaled", a, b)
    return [[x + factor * y for x, y in zip(p, q)] for p, q in zip(a, b)]


def relu(m: Matrix) -> tuple[Matrix, Matrix]:
    """(max(m, 0), mask): the mask is 1 where ``m`` is positive and 0 elsewhere, and is meant for ``gate``."""
    shape(m)
    # "not <=" instead of ">" lets NaN pass, so that it is not hidden.
    return [[0.0 if v <= 0.0 else v for v in row] for row in m], [[0.0 if v <= 0.0 else 1.0 for v in row] for row in m]


def gate(m: Matrix, mask: Matrix) -> Matrix:
    """``m`` where the mask of ``relu`` is 1, 0 elsewhere."""
    _same_shape("gate", m, mask)
    return [[v if keep else 0.0 for v, keep in zip(row, flags)] for row, flags in zip(m, mask)]


# --- rows and columns --------------------------------------------------------------------------------------


def total(values: Sequence[float]) -> float:
    """The sum of the numbers, rounded once; infinite or NaN where the sum is."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest double on the way, or inf - inf
        return sum(values, 0.0)


def row_sums(m: Matrix) -> Vector:
    """The sum of each row: as many numbers as ``m`` has rows."""
    shape(m)
    return [total(row) for row in m]


def column_sums(m: Matrix) -> Vector:
    """The sum of each column: as many numbers as ``m`` has columns."""
    shape(m)
    return [total(column) for column in zip(*m)]


def sum_rows(m: Matrix) -> Matrix:
    """All rows added up, as a matrix of one row. The gradient of a bias."""
    return [column_sums(m)]


def argmax(row: Sequence[float]) -> int:
    """The position of the largest number; of the first one where several are equal."""
    if not len(row):
        raise ValueError("argmax needs at least one number, got none")
    return max(range(len(row)), key=row.__getitem__)


def argmax_rows(m: Matrix) -> list[int]:
    """``argmax`` of each row."""
    shape(m)
    return [argmax(row) for row in m]


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
    """The arithmetic mean of a vector with at least one number."""
    if not len(values):
        raise ValueError("mean needs at least one number, got none")
    return math.fsum(values) / len(values)


def standard_deviation(values: Sequence[float]) -> float:
    """The population standard deviation (divided by n) of a vector with at least one number."""
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / len(values))


# --- rows in and out, as every engine takes and gives them -------------------------------------------------


class PreparedRows:
    """Training rows as they came, scaled only when a batch is taken: a pixel stays one byte in memory."""

    def __init__(self, rows: Sequence[Sequence[float]], factor: float) -> None:
        self.rows = rows
        self.factor = factor
        self.table = [v * factor for v in range(256)]

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, i: int) -> Vector:
        """Row ``i`` as scaled floats."""
        row = self.rows[i]
        if isinstance(row, bytes):
            return [self.table[v] for v in row]
        return [v * self.factor for v in row] if self.factor != 1.0 else list(row)


def prepare(rows: Sequence[Sequence[float]], factor: float = 1.0) -> PreparedRows:
    """Rows (``bytes`` or floats) times ``factor``, kept as this engine likes to read them during training."""
    return PreparedRows(rows, factor)


def tuned_for(prepared: PreparedRows, batch_size: int) -> Any:
    """The engine that suits these rows: an engine that has settings may return one with others. This one has none."""
    return sys.modules[__name__]


def take_rows(prepared: PreparedRows, indices: Iterable[int]) -> Matrix:
    """The chosen rows of what ``prepare`` gave, as a matrix: one training batch."""
    return [prepared.row(i) for i in indices]


def from_rows(rows: Iterable[Iterable[float]]) -> Matrix:
    """A matrix from rows of numbers, copied."""
    m = [list(row) for row in rows]
    shape(m)
    return m


def to_rows(m: Matrix) -> Matrix:
    """The rows of a matrix as lists of floats. Here that is what a matrix is."""
    return m


def form_of(m: Matrix) -> dict[str, Any]:
    """What a matrix is beyond its numbers, as plain data. Here nothing."""
    return {}


def in_form(rows: Matrix, form: dict[str, Any]) -> Matrix:
    """The matrix that had these rows and this form."""
    return from_rows(rows)


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


def logsumexp(row: Sequence[float]) -> float:
    """log(Σ eᵛ) over a row of at least one number."""
    largest, _, rest = _exponentials(row)
    return largest + math.log1p(rest)


def softmax(row: Sequence[float]) -> Vector:
    """eᵛ / Σ eᵛ for every entry of a row: positive numbers that add up to 1."""
    _, exponentials, rest = _exponentials(row)
    total = 1.0 + rest
    return [e / total for e in exponentials]


def log_softmax(row: Sequence[float]) -> Vector:
    """log(softmax(row)) without ever computing a softmax that underflows; stays at the most negative double."""
    largest, _, rest = _exponentials(row)
    correction = math.log1p(rest)
    return [max(v - largest, -LARGEST) - correction for v in row]


def softmax_and_log(row: Sequence[float]) -> tuple[Vector, Vector]:
    """(softmax(row), log_softmax(row)) for the price of one: what cross-entropy and its gradient need."""
    largest, exponentials, rest = _exponentials(row)
    total, correction = 1.0 + rest, math.log1p(rest)
    return [e / total for e in exponentials], [max(v - largest, -LARGEST) - correction for v in row]


# --- images: a row holds one, channel after channel, each row by row -----------------------------------------


def _patches(row: Vector, window: Window) -> Matrix:
    """What the window sees at each of its positions: as many rows as positions, channels·taps columns."""
    padded = [*row, 0.0]  # where the window's tables point to for what lies outside
    return [[padded[i] for i in patch] for patch in window.patches]


def _split(row: Vector, parts: int) -> Matrix:
    length = len(row) // parts
    return [row[i : i + length] for i in range(0, len(row), length)]


def convolve(x: Matrix, weight: Matrix, bias: Matrix, window: Window) -> Matrix:
    """Each filter's weighted sum of what the window sees, at each of its positions, plus the filter's bias.

    ``x`` is (n x inputs), ``weight`` (channels·kernel height·kernel width x filters), ``bias`` (1 x filters); the
    result (n x filters·positions). It is a cross-correlation: the kernel is not turned round, as in all libraries.
    """
    rows, weights, biases = shape(x), shape(weight), shape(bias)
    window.require_inputs("convolve", rows[1])
    window.require_weight("convolve", weights[0])
    if biases != (1, weights[1]):
        raise ValueError(f"convolve needs a bias of {_say((1, weights[1]))}, got {_say(biases)}")
    return filtered(x, list(zip(zip(*weight), bias[0])), window, _dot)


def filtered(x: Matrix, filters: Sequence[tuple[Sequence[float], float]], window: Window, product: Dot) -> Matrix:
    """For each filter, (column of weights, bias), its product with what the window sees, at each position."""
    result = []
    for row in x:
        patches = _patches(row, window)
        result.append([product(patch, column) + b for column, b in filters for patch in patches])
    return result


def convolve_weights(x: Matrix, gradient: Matrix, window: Window, product: Dot = _dot) -> Matrix:
    """The gradient of ``convolve``'s weight from that of its result: xᵀ·gradient, with x as rows of patches."""
    first, second = shape(x), shape(gradient)
    window.require_inputs("convolve_weights", first[1])
    filters = second[1] // window.positions
    window.require_outputs("convolve_weights", second[1], filters)
    if first[0] != second[0]:
        raise ValueError(f"convolve_weights needs as many rows left and right, got {_say(first)} and {_say(second)}")
    patches = [patch for row in x for patch in _patches(row, window)]
    by_filter: Matrix = [[] for _ in range(filters)]
    for row in gradient:
        for values, part in zip(by_filter, _split(row, filters)):
            values.extend(part)
    return _rows_times_columns(zip(*patches), by_filter, product)


def convolve_inputs(gradient: Matrix, weight: Matrix, window: Window) -> Matrix:
    """The gradient of ``convolve``'s input from that of its result: each position hands back what it has seen."""
    taps, filters = shape(weight)
    window.require_weight("convolve_inputs", taps)
    window.require_outputs("convolve_inputs", shape(gradient)[1], filters)
    result = []
    for row in gradient:
        total_gradient = [0.0] * (window.inputs + 1)
        for patch, values in shares(row, weight, window, _dot):
            for i, v in zip(patch, values):
                total_gradient[i] += v
        result.append(total_gradient[: window.inputs])
    return result


def shares(row: Vector, weight: Matrix, window: Window, product: Dot) -> Iterable[tuple[list[int], Vector]]:
    """For each position of the window where the numbers stand that it saw, and the share of the gradient of each."""
    by_position = list(zip(*_split(row, len(weight[0]))))
    return zip(window.patches, _rows_times_columns(by_position, weight, product))


def sum_channels(m: Matrix, channels: int) -> Matrix:
    """The sum of each channel over all images, as a matrix of one row. The gradient of a convolution's bias."""
    columns = shape(m)[1]
    if columns % channels:
        raise ValueError(f"sum_channels needs rows of {channels} channels of one size, got {columns} numbers")
    return [[total(part) for part in _split(column_sums(m), channels)]]


def max_pool(x: Matrix, window: Window) -> tuple[Matrix, list[list[int]]]:
    """(largest number that the window sees, where it stands) for each channel and position, padding left out.

    Of equal numbers the first counts, and a NaN as the largest. The second list is meant for ``max_pool_inputs``.
    """
    window.require_inputs("max_pool", shape(x)[1])
    seen = window.channel_patches
    choices = [[max(patch, key=by_size) for patch in seen] for by_size in map_each(_by_size, x)]
    return [[row[i] for i in choice] for row, choice in zip(x, choices)], choices


def _by_size(row: Sequence[float]) -> Callable[[int], float]:
    """For ``max``: what tells how large the number at a position is. Without this NaN would be passed over or not,
    by where it stands, and hide that a network has run away."""
    if not math.isnan(sum(row)):  # max may pass over a NaN, a sum does not
        return row.__getitem__
    return lambda i: row[i] if row[i] == row[i] else math.inf


def max_pool_inputs(gradient: Matrix, choices: list[list[int]], window: Window) -> Matrix:
    """The gradient of ``max_pool``'s input: all of it goes where the largest number stood."""
    window.require_outputs("max_pool_inputs", shape(gradient)[1], window.channels)
    result = []
    for row, choice in zip(gradient, choices):
        total_gradient = [0.0] * window.inputs
        for i, v in zip(choice, row):
            total_gradient[i] += v
        result.append(total_gradient)
    return result


def average_pool(x: Matrix, window: Window) -> Matrix:
    """The mean of what the window sees in each channel at each position; the padding counts as zeros."""
    window.require_inputs("average_pool", shape(x)[1])
    seen, taps = window.channel_patches, window.taps
    return [[sum([row[i] for i in patch], 0.0) / taps for patch in seen] for row in x]


def average_pool_inputs(gradient: Matrix, window: Window) -> Matrix:
    """The gradient of ``average_pool``'s input: every number that was seen gets the same share."""
    window.require_outputs("average_pool_inputs", shape(gradient)[1], window.channels)
    seen, taps = window.channel_patches, window.taps
    result = []
    for row in gradient:
        total_gradient = [0.0] * window.inputs
        for patch, v in zip(seen, row):
            for i in patch:
                total_gradient[i] += v / taps
        result.append(total_gradient)
    return result
