"""Scaling: how raw features become the network's inputs, and what became of regression targets."""

from __future__ import annotations

import math
import sys

from .. import linalg
from ..checks import require_known
from ..errors import DataError
from .tables import SparseRows, columns_of, is_array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .rows import Row

PIXEL_FACTOR = 1.0 / 255.0
_PIXEL_COLUMNS = 16  # fewer columns than this are no picture, ...
_PIXEL_LARGEST = 100  # ... and neither are numbers that never come near 255
_PICTURE_SPREAD = 0.1  # pictures from 0 to 1 have deviations of 0.2 and more (root of the mean of their squares), ...
_PICTURE_RARE = 10.0  # ... and pixels at the rim that are seldom lit: as many deviations as this, and many more
_SAMPLE = 1000  # rows are enough to see it
_ROUNDING = 4.0 * sys.float_info.epsilon  # a deviation this small, relative to the mean, is rounding and nothing else


class Scaling:
    """How raw features become the network's inputs, learned from the training rows alone.

    ``kind`` is "pixels" (0-255 become 0-1), "standard" (each column to mean 0 and standard deviation 1) or "none".
    What became of regression targets is a ``Scaling`` as well, and ``undo`` leads from the network's outputs back.
    """

    KINDS = ("auto", "pixels", "standard", "none")
    TARGET_KINDS = ("auto", "standard", "none")

    def __init__(self, kind: str, means: list[float] | None = None, deviations: list[float] | None = None) -> None:
        self.kind = kind
        self.means = means or []
        self.deviations = deviations or []

    @classmethod
    def fit(cls, rows: Sequence[Row], kind: str = "auto", weights: Sequence[float] | None = None) -> Scaling:
        """Learn from training rows. "auto" chooses: rows of ``bytes``, or at least 16 columns of whole numbers from 0
        to 255 that reach beyond 100, are pixels; at least 16 columns within [-1, 1] that are wide apart on the whole,
        but some hardly ever, are pictures already scaled, and left alone; all others are standardised. ``weights``,
        one a row, say how much each counts in means and deviations."""
        require_known("scaling", kind, cls.KINDS)
        if kind == "auto":
            kind = cls._choose(rows)
        elif kind == "pixels" and not all(type(row) is bytes or _pixels(row) for row in rows):
            raise DataError("scaling 'pixels' needs whole numbers from 0 to 255 in every column")
        if kind != "standard":
            return cls(kind)
        columns = enumerate(columns_of(rows))
        pairs = [_mean_and_deviation(column, f"X: column {number}", weights) for number, column in columns]
        return cls(kind, [mean for mean, _ in pairs], [deviation for _, deviation in pairs])

    @staticmethod
    def _choose(rows: Sequence[Row]) -> str:
        if all(type(row) is bytes for row in rows):
            return "pixels"
        if len(rows[0]) < _PIXEL_COLUMNS:
            return "standard"
        largest, smallest = max(map(max, rows)), min(map(min, rows))
        if largest > _PIXEL_LARGEST and all(map(_pixels, rows)):
            return "pixels"
        scaled_picture = smallest >= -1.0 and largest <= 1.0 and _like_pictures(rows)
        return "none" if scaled_picture else "standard"

    def raw(self, rows: Sequence[Row]) -> tuple[Sequence[Row], float]:
        """(rows, factor) such that rows times factor are the scaled rows: pixels stay one byte each."""
        if self.kind == "pixels":
            return [row if type(row) is bytes else _as_pixels(row) for row in rows], PIXEL_FACTOR
        if self.kind == "none":
            return rows, 1.0
        means, deviations = self.means, self.deviations
        if isinstance(rows, SparseRows):
            return rows.changed(lambda row: [(v - m) / d for v, m, d in zip(row, means, deviations)]), 1.0
        scaled = ([(v - m) / d for v, m, d in zip(row, means, deviations)] for row in rows)
        if is_array(rows[0]):  # what came as arrays, to take a quarter of the memory, is not made lists of
            array: Any = type(rows[0])
            return [array("d", row) for row in scaled], 1.0
        return list(scaled), 1.0

    def transform(self, rows: Sequence[Row]) -> list[list[float]]:
        """Scaled rows as lists of floats."""
        ready, factor = self.raw(rows)
        return [[v * factor for v in row] for row in ready]

    @classmethod
    def fit_targets(cls, targets: Sequence[list[float]], weights: Sequence[float] | None = None) -> Scaling:
        """Learn from regression targets (samples x outputs): each column to mean 0 and standard deviation 1, where a
        sample of weight 2 counts as two."""
        pairs = [_mean_and_deviation(column, f"y: column {k}", weights) for k, column in enumerate(zip(*targets))]
        return cls("standard", [mean for mean, _ in pairs], [deviation for _, deviation in pairs])

    def undo(self, rows: list[list[float]]) -> list[list[float]]:
        """What scaled rows were before: the way back from ``transform``."""
        if self.kind == "none":
            return rows
        if self.kind == "pixels":
            return [[v / PIXEL_FACTOR for v in row] for row in rows]
        means, deviations = self.means, self.deviations
        return [[v * d + m for v, m, d in zip(row, means, deviations)] for row in rows]

    def units(self, width: int) -> list[float]:
        """What 1 in each column of scaled rows is in the raw ones."""
        return self.deviations or [1.0 / PIXEL_FACTOR if self.kind == "pixels" else 1.0] * width

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for a saved model."""
        return {"kind": self.kind, "means": self.means, "deviations": self.deviations}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scaling:
        """From what ``to_dict`` gave; ``ValueError`` for anything else."""
        if not isinstance(data, dict) or set(data) != {"kind", "means", "deviations"}:
            raise ValueError("a scaling is to have a kind, means and deviations")
        kind, means, deviations = data["kind"], data["means"], data["deviations"]
        require_known("scaling", kind, cls.KINDS[1:])
        if type(means) is not list or type(deviations) is not list or len(means) != len(deviations):
            raise ValueError("a scaling is to have as many means as deviations")
        if (
            not all(type(v) is float and math.isfinite(v) for v in means + deviations)
            or min(deviations, default=1) <= 0
        ):
            raise ValueError("means and deviations of a scaling are to be finite, and deviations above 0")
        if bool(means) != (kind == "standard"):
            raise ValueError(f"scaling {kind!r} with {len(means)} means")
        return cls(kind, means, deviations)

    def __repr__(self) -> str:
        return f"Scaling({self.kind!r})"


def _mean_and_deviation(
    column: Sequence[float], name: str, weights: Sequence[float] | None = None
) -> tuple[float, float]:
    """What a column is standardised with; ``weights`` say how much each of its numbers counts."""
    try:
        if weights is None:
            mean, deviation = linalg.mean(column), linalg.standard_deviation(column)
        else:
            total = math.fsum(weights)
            mean = math.fsum(w * v for v, w in zip(column, weights)) / total
            deviation = math.sqrt(math.fsum(w * (v - mean) ** 2 for v, w in zip(column, weights)) / total)
    except (OverflowError, ValueError):  # beyond the largest double on the way, or inf - inf
        mean = deviation = math.inf
    if not math.isfinite(mean) or not math.isfinite(deviation):
        raise DataError(f"{name} has numbers too large to be standardised")
    # A column that never changes, but for rounding, carries nothing: it becomes 0, and is not divided by 0.
    return mean, deviation if deviation > _ROUNDING * abs(mean) else 1.0


def _like_pictures(rows: Sequence[Row]) -> bool:
    """Whether columns are in one unit, of which they use a good part, but some of them only now and then.

    To standardise those would make a pixel that is seldom lit the largest number of all.
    """
    columns = list(columns_of(rows[:: -(-len(rows) // _SAMPLE)]))
    pairs = [_mean_and_deviation(column, "X") for column in columns]
    changing = [(column, *pair) for column, pair in zip(columns, pairs) if min(column) != max(column)]
    if math.fsum(d * d for _, _, d in changing) < _PICTURE_SPREAD**2 * len(columns):
        return False
    return any(max(max(column) - mean, mean - min(column)) > _PICTURE_RARE * d for column, mean, d in changing)


def _as_pixels(row: Row) -> Row:
    """A row as bytes if it is whole numbers from 0 to 255, and as it is otherwise."""
    if type(row) is list:
        try:
            return bytes(row)  # type: ignore[arg-type]  # fastest for a list of ints; refuses floats and others
        except (TypeError, ValueError):
            pass
    try:
        pixels = bytes(map(int, row))
    except (ValueError, OverflowError):  # below 0, above 255, or no number at all
        return row
    return pixels if list(pixels) == list(row) else row


def _pixels(row: Any) -> bool:
    """Whether every entry is a whole number from 0 to 255."""
    if type(row) is bytes:
        return True
    if not (min(row) >= 0 and max(row) <= 255):
        return False
    if is_array(row):
        return row.typecode not in "fd" or all(map(float.is_integer, row))
    return all(v == int(v) for v in row)
