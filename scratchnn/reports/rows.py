"""How a row of features is shown: as an image where it is one, else by its first features."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, prod
from typing import Any

from ..checks import in_order, require_size, shown
from ..errors import ArgumentError
from ..plots.lettering import number

FEATURES = 6  # of a row, in a table
LEAST_SIDE = 4  # of a square that is taken for an image
MOST_PIXELS = 1 << 16  # of an image that is drawn


def image_shape(schema: Any, shape: Any = None) -> tuple[int, int, int] | None:
    """The (channels, height, width) of the rows that a model reads, or None if they are no images.

    They are where the model's input has such a shape, and where a flat row is a square of pixels, as its scaling says.
    ``shape`` is what somebody says of them: (height, width), or with channels; ``ArgumentError`` if it does not fit.
    """
    if shape is not None:
        return _asked_for(shape, schema.width)
    sizes = schema.input_shape
    if len(sizes) == 3:
        channels, height, width = sizes
        drawable = channels in (1, 3) and min(height, width) > 1 and prod(sizes) <= MOST_PIXELS
        return (channels, height, width) if drawable else None
    side = isqrt(schema.width)
    square = len(sizes) == 1 and side * side == schema.width and side >= LEAST_SIDE
    return (1, side, side) if square and schema.pixels and schema.width <= MOST_PIXELS else None


def _asked_for(shape: Any, width: int) -> tuple[int, int, int]:
    sizes = in_order(shape) or []
    if len(sizes) not in (2, 3):
        raise ArgumentError(f"shape must be (height, width) or (channels, height, width), got {shown(shape)}")
    channels, height, across = (require_size("shape", size) for size in ([1, *sizes] if len(sizes) == 2 else sizes))
    if channels not in (1, 3) or channels * height * across != width or width > MOST_PIXELS:
        raise ArgumentError(
            f"shape {shown(shape)} does not fit rows of {width} numbers: expected (height, width), or 1 or 3 channels "
            "of them, with as many numbers in all"
        )
    return channels, height, across


def feature_header(names: Sequence[str], width: int) -> list[str]:
    """What stands over the features of ``feature_cells``."""
    called = list(names) or [f"feature {number}" for number in range(width)]
    return called[:FEATURES] + ["…"] * (width > FEATURES)


def feature_cells(row: Sequence[float]) -> list[str]:
    """The first features of a row, as text."""
    return [number(value, 5) for value in row[:FEATURES]] + ["…"] * (len(row) > FEATURES)
