"""The readable engine: a matrix is a list of lists of floats, and its operations are the functions of ``linalg``.

Images and their windows are written out here: what convolution and pooling are, with their gradients.
"""

from __future__ import annotations

import math
from itertools import chain
from operator import mul

from .. import linalg
from ..linalg import Vector, column_sums, inner_product, rows_times_columns, shape, total
from .base import Engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..linalg import Dot, Matrix
    from .sliding_window import Window


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

    A cross-correlation, as ``Engine.convolve`` says, which has the shapes as well.
    """
    window.require_convolution(shape(x), shape(weight), shape(bias))
    return filtered(x, list(zip(zip(*weight), bias[0])), window, inner_product)


def filtered(x: Matrix, filters: Sequence[tuple[Sequence[float], float]], window: Window, product: Dot) -> Matrix:
    """For each filter, (column of weights, bias), its product with what the window sees, at each position."""
    result = []
    for row in x:
        patches = _patches(row, window)
        result.append([product(patch, column) + b for column, b in filters for patch in patches])
    return result


def convolve_weights(x: Matrix, gradient: Matrix, window: Window, product: Dot = inner_product) -> Matrix:
    """The gradient of ``convolve``'s weight from that of its result: xᵀ·gradient, with x as rows of patches."""
    filters = window.filters_of(shape(x), shape(gradient))
    patches = [patch for row in x for patch in _patches(row, window)]
    by_filter: Matrix = [[] for _ in range(filters)]
    for row in gradient:
        for values, part in zip(by_filter, _split(row, filters)):
            values.extend(part)
    return rows_times_columns(zip(*patches), by_filter, product)


def convolve_inputs(gradient: Matrix, weight: Matrix, window: Window) -> Matrix:
    """The gradient of ``convolve``'s input from that of its result: each position hands back what it has seen."""
    taps, filters = shape(weight)
    window.require_weight("convolve_inputs", taps)
    window.require_outputs("convolve_inputs", shape(gradient)[1], filters)
    result = []
    for row in gradient:
        total_gradient = [0.0] * (window.inputs + 1)
        for patch, values in shares(row, weight, window, inner_product):
            for i, v in zip(patch, values):
                total_gradient[i] += v
        result.append(total_gradient[: window.inputs])
    return result


def shares(row: Vector, weight: Matrix, window: Window, product: Dot) -> Iterable[tuple[list[int], Vector]]:
    """For each position of the window where the numbers stand that it saw, and the share of the gradient of each."""
    by_position = list(zip(*_split(row, len(weight[0]))))
    return zip(window.patches, rows_times_columns(by_position, weight, product))


def sum_channels(m: Matrix, channels: int) -> Matrix:
    """The sum of each channel over all images, as a matrix of one row. The gradient of a convolution's bias."""
    columns = shape(m)[1]
    if columns % channels:
        raise ValueError(f"sum_channels needs rows of {channels} channels of one size, got {columns} numbers")
    return [[total(part) for part in _split(column_sums(m), channels)]]


def repeat_columns(m: Matrix, times: int) -> Matrix:
    """Each column ``times`` times in a row. One number a channel becomes one a pixel."""
    shape(m)
    return [[v for v in row for _ in range(times)] for row in m]


def max_pool(x: Matrix, window: Window) -> tuple[Matrix, list[list[int]]]:
    """(largest number that the window sees, where it stands) for each channel and position, padding left out.

    Of equal numbers the first counts, and a NaN as the largest. The second list is meant for ``max_pool_inputs``.
    """
    window.require_inputs("max_pool", shape(x)[1])
    seen = window.channel_patches
    choices = [[max(patch, key=by_size) for patch in seen] for by_size in map(_by_size, x)]
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
    window.require_choices(shape(gradient)[0], len(choices))
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


def indices(x: Matrix, count: int) -> list[list[int]]:
    """Rows of whole numbers from 0 to ``count`` - 1; ``ValueError`` for any other."""
    rows = [[int(v) if v == v and abs(v) < count else -1 for v in row] for row in x]
    for row, values in zip(rows, x):
        for index, v in zip(row, values):
            if index != v or not 0 <= index < count:
                raise ValueError(f"a row of a table of {count} is named by a whole number below that, got {v!r}")
    return rows


class Lists(Engine):
    """The engine. It has no state: ``LISTS`` is the only one that is needed, and stays itself when it is copied."""

    name = "linalg"

    shape = staticmethod(linalg.shape)
    from_rows = staticmethod(linalg.from_rows)
    affine = staticmethod(linalg.affine)
    matmul = staticmethod(linalg.matmul)
    matmul_nt = staticmethod(linalg.matmul_nt)
    matmul_tn = staticmethod(linalg.matmul_tn)
    sum_rows = staticmethod(linalg.sum_rows)
    sum_columns = staticmethod(linalg.sum_columns)
    argmax_rows = staticmethod(linalg.argmax_rows)
    relu = staticmethod(linalg.relu)
    gate = staticmethod(linalg.gate)
    hadamard = staticmethod(linalg.hadamard)
    add = staticmethod(linalg.add)
    sub = staticmethod(linalg.sub)
    scale = staticmethod(linalg.scale)
    add_scaled = staticmethod(linalg.add_scaled)
    map = staticmethod(linalg.map)
    convolve = staticmethod(convolve)
    convolve_weights = staticmethod(convolve_weights)
    convolve_inputs = staticmethod(convolve_inputs)
    sum_channels = staticmethod(sum_channels)
    repeat_columns = staticmethod(repeat_columns)
    max_pool = staticmethod(max_pool)
    max_pool_inputs = staticmethod(max_pool_inputs)
    average_pool = staticmethod(average_pool)
    average_pool_inputs = staticmethod(average_pool_inputs)

    def prepare(self, rows: Sequence[Sequence[float]], factor: float = 1.0) -> PreparedRows:
        return PreparedRows(rows, factor)

    def take_rows(self, prepared: PreparedRows, indices: Iterable[int]) -> Matrix:
        return [prepared.row(i) for i in indices]

    def to_rows(self, m: Matrix) -> Matrix:
        return m

    def softmax_and_log(self, m: Matrix) -> tuple[Matrix, Matrix]:
        softmaxes, logs = [], []
        for row in m:
            softmax, log = linalg.softmax_and_log(row)
            softmaxes.append(softmax)
            logs.append(log)
        return softmaxes, logs

    def dot(self, a: Matrix, b: Matrix) -> float:
        """Rounded once: the same on every Python."""
        if shape(a) != shape(b):
            raise ValueError(f"dot needs two matrices of the same shape, got {shape(a)} and {shape(b)}")
        return total(list(map(mul, chain.from_iterable(a), chain.from_iterable(b))))

    def all_finite(self, m: Matrix) -> bool:
        return all(map(math.isfinite, linalg.flatten(m)))

    def look_up(self, x: Matrix, weight: Matrix) -> Matrix:
        return [[v for index in row for v in weight[index]] for row in indices(x, len(weight))]

    def look_up_weights(self, x: Matrix, gradient: Matrix, count: int) -> Matrix:
        first, second = shape(x), shape(gradient)
        if first[0] != second[0] or second[1] % first[1]:
            raise ValueError(f"look_up_weights needs a row of gradients for each row, got {first} and {second}")
        sums = [[0.0] * (second[1] // first[1]) for _ in range(count)]
        for row, values in zip(indices(x, count), gradient):
            for index, part in zip(row, _split(values, len(row))):
                sums[index] = [a + b for a, b in zip(sums[index], part)]
        return sums

    def __reduce__(self) -> str:
        return "LISTS"

    def __repr__(self) -> str:
        return "linalg"


LISTS = Lists()
