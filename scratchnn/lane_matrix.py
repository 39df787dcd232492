"""What the engine ``lanes`` computes with: its matrices, the inputs it reads, and the sizes of their numbers.

A number is a whole number times a *unit*, one for a whole matrix (block floating point). A ``LaneMatrix`` can have
several forms, each made from another when an operation first asks for it:

    floats    [[0.5, -1.25], [3.0, 0.0]]             for what has no lane form, and for people
    rows      [2 - (5 << 48), 12], in units of 1/4   one int a row, a lane of 48 bits a number: the side of a product
                                                     that is added up
    columns   [2 + (12 << 48), -5]                   the same, one int a column
    scalars   [[2, -5], [12, 0]]                     small ints: the side of a product that multiplies
    product   two matrices                           that are still to be multiplied

``Inputs`` are rows of data, which only ever multiply: small ints with their zeros left out. Relies on nothing.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any

Rows = list[list[float]]
Shape = tuple[int, int]

SCALAR_BITS = 18  # of a number on the scalar side of a product
LARGEST = 1e100  # a matrix with numbers beyond this has run away
SMALLEST = 1e-250  # numbers no larger than this count as zero
SPARSE = 0.7  # a row of inputs with a smaller share of non-zeros than this is read through its non-zeros


class LaneOverflowError(OverflowError):
    """Numbers grew beyond all use: training has diverged."""


class Block:
    """One form of a matrix: a list of ints (lanes) or of lists of ints, which times ``scale`` are its numbers.

    No lane or int is larger than ``bound`` in size.
    """

    __slots__ = ("bound", "data", "scale")

    def __init__(self, data: list[Any], scale: float, bound: int) -> None:
        self.data = data
        self.scale = scale
        self.bound = bound


class LaneMatrix:
    """A matrix in one or more of its forms. ``lane_width`` (bits) is that of the engine it belongs to."""

    __slots__ = ("columns", "floats", "lane_width", "product", "rows", "scalars", "shape")

    def __init__(
        self,
        lane_width: int,
        shape: Shape,
        floats: Rows | None = None,
        rows: Block | None = None,
        columns: Block | None = None,
        product: tuple[Inputs, Block] | None = None,
    ) -> None:
        self.lane_width = lane_width
        self.shape = shape
        self.floats = floats
        self.rows = rows
        self.columns = columns
        self.scalars: Block | None = None
        self.product = product  # the two sides of xᵀ·b


class Inputs:
    """Rows of inputs, read-only: for each its non-zero numbers, small ints, and how to gather what they multiply."""

    __slots__ = ("entries", "largest", "row_sum", "scale", "shape")

    def __init__(self, entries: list[Any], width: int, scale: float, largest: int, row_sum: int) -> None:
        self.entries = entries  # (gather or None, positions or None for all, ints) a row
        self.shape = (len(entries), width)
        self.scale = scale
        self.largest = largest  # no int is larger in size
        self.row_sum = row_sum  # no row's sizes add up to more

    def __len__(self) -> int:
        return self.shape[0]

    def to_rows(self) -> Rows:
        """The rows as lists of floats."""
        rows = []
        for _, positions, ints in self.entries:
            row = [0.0] * self.shape[1]
            for k, v in zip(range(self.shape[1]) if positions is None else positions, ints):
                row[k] = v * self.scale
            rows.append(row)
        return rows


# --- reading inputs --------------------------------------------------------------------------------------------------


def read_inputs(rows: Sequence[Sequence[float]], factor: float, everywhere: Sequence[int]) -> Inputs:
    """Rows (``bytes`` or floats) times ``factor``. ``everywhere`` are the positions in a row: 0, 1, 2, ..."""
    width = len(everywhere)
    if set(map(type, rows)) <= {bytes}:
        entries = [_entry(row, everywhere) for row in rows]
        return Inputs(entries, width, factor, 255, max([sum(ints) for _, _, ints in entries], default=0))
    small, unit = _small_ints(rows)
    entries = [_entry(row, everywhere) for row in small]
    largest = max([max(map(abs, row)) for row in small if row], default=0)
    return Inputs(entries, width, factor * unit, largest, longest_sum([ints for _, _, ints in entries]))


def _entry(row: Any, everywhere: Sequence[int]) -> tuple[Any, Any, Any]:
    """(gather, positions, non-zero ints) of a row of ints; (None, None, all ints) if few of them are zero."""
    positions = tuple(compress(everywhere, row))
    if len(positions) > SPARSE * len(row):
        return None, None, row if type(row) is bytes else array("i", row)
    ints = row.translate(None, b"\0") if type(row) is bytes else array("i", [v for v in row if v])
    return (itemgetter(*positions) if len(positions) > 1 else _few(positions)), positions, ints


def _few(positions: tuple[int, ...]) -> Callable[[Sequence[int]], list[int]]:
    """What itemgetter does, for fewer than two positions, for which it gives no tuple."""
    return lambda table: [table[k] for k in positions]


def _small_ints(rows: Sequence[Sequence[float]]) -> tuple[list[list[int]], float]:
    """(rows of ints, unit): the same numbers in units of a power of two; 1 if they are whole and small already."""
    floats = [[float(v) for v in row] for row in rows]
    largest = largest_size(floats)
    whole = largest < 1 << SCALAR_BITS and all(v.is_integer() for row in floats for v in row)
    unit = 1.0 if whole else unit_for(largest, SCALAR_BITS)
    return [[round(v / unit) for v in row] for row in floats], unit


# --- how large numbers are -------------------------------------------------------------------------------------------


def bits_of(bound: float) -> int:
    """The number of bits of a bound: the least b such that bound < 2**b."""
    return int(bound).bit_length()


def longest_sum(rows: Iterable[Sequence[int]]) -> int:
    """The largest sum of sizes in a row: by so much can a product with these scalars grow."""
    return max([sum(map(abs, row)) for row in rows], default=0)


def unit_for(largest: float, bits: int) -> float:
    """The power of two that, as a unit, makes numbers up to ``largest`` at most 2**bits units."""
    return math.ldexp(1.0, math.frexp(largest)[1] - bits) if largest else 1.0


def largest_size(rows: Rows) -> float:
    """The largest size among all numbers; ``LaneOverflowError`` if one is not finite or beyond all use."""
    largest = max([max(max(row), -min(row)) for row in rows if row], default=0.0)
    # max and min pass over a NaN that does not come first; a sum does not.
    if not largest <= LARGEST or not all(map(math.isfinite, map(sum, rows))):
        raise run_away(largest if largest > LARGEST else math.nan)
    return largest if largest > SMALLEST else 0.0


def run_away(largest: float) -> LaneOverflowError:
    """The error that names the number that was too large, or was none."""
    what = f"numbers up to {largest:.3g}" if largest == largest else "a number that is no number (NaN)"
    return LaneOverflowError(
        f'{what} appeared, and the lanes engine goes up to {LARGEST:g} (engine="linalg" goes up to 1.8e308)'
    )


def in_range(block: Block) -> Block:
    """The block itself if its numbers can be computed with, zeros if all are too small for that."""
    if SMALLEST < block.bound * block.scale <= LARGEST:
        return block
    if block.bound * block.scale <= SMALLEST:  # its scale may even be 0 by now, which nothing can be divided by
        return Block([0] * len(block.data), 1.0, 0)
    raise run_away(block.bound * block.scale)


# --- laying numbers out ----------------------------------------------------------------------------------------------


def transposed(m: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The columns of a matrix."""
    return list(zip(*m))


def in_rows(flat: list[Any], shape: Shape) -> list[list[Any]]:
    """All entries, one after the other, as rows."""
    count, width = shape
    return [flat[i * width : (i + 1) * width] for i in range(count)]
