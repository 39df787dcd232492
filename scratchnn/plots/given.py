"""What figures are given, made plain: numbers, labels and points out of lists, arrays and columns of tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..checks import in_order, shown
from ..errors import DataError
from ..preprocessing.rows import as_rows
from .marks import SERIES, Point

MOST_POINTS = 5000  # of one figure, which has no more to show: of more every second, third ... is drawn


def listed(values: Any, what: str) -> list[Any]:
    """The items of a list, an array or a column, as plain Python values. ``DataError`` says what it was to be."""
    items = in_order(values.tolist() if hasattr(values, "tolist") else values)
    if items is None:
        raise DataError(f"{what} must be a list, got {shown(values)}")
    return [item.item() if hasattr(item, "item") and not hasattr(item, "tolist") else item for item in items]


def numbers(values: Any, what: str) -> list[float]:
    """A list of numbers; NaN and infinity are allowed, and what is too large for a float is infinite."""
    return [number(value, f"{what}: entry {place}") for place, value in enumerate(listed(values, what))]


def number(value: Any, what: str) -> float:
    """A number, which may be NaN or infinite."""
    if isinstance(value, str) or not hasattr(value, "__float__"):
        raise DataError(f"{what} is {shown(value)}, expected a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        raise DataError(f"{what} is {shown(value)}, expected a number") from None


def finite_numbers(values: Any, what: str) -> list[float]:
    """A list of numbers, all of them finite."""
    found = numbers(values, what)
    for place, value in enumerate(found):
        if not math.isfinite(value):
            raise DataError(f"{what}: entry {place} is {value}, expected a finite number")
    return found


def points(rows: Any, what: str) -> list[Point]:
    """Rows of two finite numbers each as points; no rows are no points."""
    if not hasattr(rows, "shape") and not listed(rows, what):
        return []
    return [(float(x), float(y)) for x, y in as_rows(rows, what, 2)]


def paths(lines: Any, what: str) -> dict[Any, list[Point]]:
    """Lines by name: each a list of points, or of numbers at 1, 2, 3 ...; both may be NaN or infinite."""
    if not isinstance(lines, Mapping):
        raise DataError(f"{what} must be a dict of name: points, got {shown(lines)}")
    return {name: path(values, f"{what}[{shown(name)}]") for name, values in lines.items()}


def path(values: Any, what: str) -> list[Point]:
    """One line's points."""
    found = []
    for place, item in enumerate(listed(values, what)):
        pair = in_order(item)
        if pair is None:
            found.append((place + 1.0, number(item, f"{what}: entry {place}")))
        elif len(pair) == 2:
            x, y = (number(value, f"{what}: entry {place}") for value in pair)
            found.append((x, y))
        else:
            raise DataError(f"{what}: entry {place} is {shown(item)}, expected a number or two, (x, y)")
    return found


def labels(values: Any, what: str, count: int) -> list[Any]:
    """A label for each of ``count`` things."""
    found = listed(values, what)
    if len(found) != count:
        raise DataError(f"{what} must be as many as there are rows, {count}, got {len(found)}")
    return found


def classes_in(values: Sequence[Any], what: str) -> list[Any]:
    """The different labels, in order; at most as many as there are pairs of a colour and a shape."""
    try:
        found = sorted(set(values))
    except TypeError:  # of several kinds, or of one that has no order
        found = list({str(value): value for value in values}.values())
    if len(found) > SERIES:
        raise DataError(f"{what} are of {len(found)} classes, and a figure can tell {SERIES} apart")
    return found


def some_of(things: Sequence[Any], most: int = MOST_POINTS) -> tuple[list[int], str]:
    """The numbers of those that are drawn, evenly spread over all of them, and a word on that if some are not."""
    count = len(things)
    every = -(-count // most) if count else 1
    chosen = list(range(0, count, every))
    return chosen, f"{len(chosen):,} of {count:,} points are drawn." if every > 1 else ""
