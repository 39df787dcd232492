"""How well numbers were predicted: predicted against true ones, and what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import DataError
from .axes import Axes
from .figure import Figure
from .given import finite_numbers, some_of
from .lettering import number
from .marks import Point, Points, Rule
from .scales import LARGEST, around

SIDE = (360.0, 320.0)  # pixels


def prediction_error(y_true: Any, y_pred: Any, *, title: str = "Predicted and true values") -> Figure:
    """A point for each row, its true value across, the predicted one up; on the line both are the same.

    ``y_true`` and ``y_pred`` are lists of numbers of one length. Raises ``DataError`` if they are not.
    """
    pairs = _pairs(y_true, y_pred)
    scale = around([value for pair in pairs for value in pair])
    ends = [value for pair in pairs for value in pair]
    rule = Rule((min(ends), min(ends)), (max(ends), max(ends)))
    chosen, note = some_of(pairs)
    points = Points([pairs[k] for k in chosen], 0, radius=3.2, opacity=0.6)
    panel = Axes(
        scale, scale, [rule, points], x_label="true value", y_label="predicted value", width=SIDE[1], height=SIDE[1]
    )
    return Figure(title, [panel], notes=[note], description=_told(pairs))


def residuals(y_true: Any, y_pred: Any, *, title: str = "Residuals") -> Figure:
    """A point for each row, the predicted value across, and up what is left over: the true value less that.

    ``y_true`` and ``y_pred`` are lists of numbers of one length. Raises ``DataError`` if they are not.
    """
    pairs = _pairs(y_true, y_pred)
    left_over = [(guess, _difference(true, guess)) for true, guess in pairs]
    across, up = around([x for x, _ in left_over]), around([0.0, *(y for _, y in left_over)])
    rule = Rule((min(x for x, _ in left_over), 0.0), (max(x for x, _ in left_over), 0.0))
    chosen, note = some_of(left_over)
    points = Points([left_over[k] for k in chosen], 0, radius=3.2, opacity=0.6)
    panel = Axes(
        across, up, [rule, points], x_label="predicted value", y_label="true − predicted", width=SIDE[0], height=SIDE[1]
    )
    return Figure(title, [panel], notes=[note], description=_told(pairs))


def _pairs(y_true: Any, y_pred: Any) -> list[Point]:
    true, guesses = finite_numbers(y_true, "y_true"), finite_numbers(y_pred, "y_pred")
    if not true or len(true) != len(guesses):
        raise DataError(
            f"as many predictions as true values are needed, and at least one: got {len(guesses)} in y_pred and "
            f"{len(true)} in y_true"
        )
    return list(zip(true, guesses))


def _difference(true: float, guess: float) -> float:
    return max(min(true - guess, LARGEST), -LARGEST)


def _told(pairs: Sequence[Point]) -> str:
    errors = [abs(_difference(true, guess)) for true, guess in pairs]
    mean = sum(error / len(errors) for error in errors)
    return f"{len(pairs):,} rows; mean absolute error {number(mean)}, largest {number(max(errors))}."
