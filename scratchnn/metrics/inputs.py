"""What metrics are given, checked: true and predicted answers, numbers that stand for scores, weights of rows."""

from __future__ import annotations

import math
import sys

from ..checks import shown
from ..errors import ArgumentError, DataError
from ..preprocessing.labels import as_answers, as_labels, as_targets, find_classes, outputs_for
from ..preprocessing.rows import listed_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..preprocessing.labels import Label


HEAVIEST = 1e300
"""What weights add up to at most: their sums with other numbers then stay finite."""


class UndefinedMetricWarning(UserWarning):
    """Of a measure that the answers do not define, such as the precision of a label that was never predicted."""


def warn(text: str, kind: type[Warning] = UndefinedMetricWarning) -> None:
    """A warning that points to the line outside this package that called it."""
    import warnings

    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_globals):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, kind, stacklevel=level)


def _is_ours(namespace: dict[str, Any]) -> bool:
    """Whether code with these globals belongs to this package; what ``exec`` runs may have no name."""
    return str(namespace.get("__name__", "")).startswith("scratchnn.")


class Answers:
    """What is true and what was predicted, one answer a row: labels, or with ``multilabel`` rows of 0 and 1.

    ``labels`` are all that occur, in order; of rows of flags, the numbers of the columns. ``weights`` are None, or one
    a row.
    """

    def __init__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true, predicted = as_answers(y_true, y_pred, ("y_true", "y_pred"))
        if not true or len(true) != len(predicted):
            raise DataError(
                "metrics need as many predictions as labels, and at least one: "
                f"got {len(predicted)} in y_pred and {len(true)} in y_true"
            )
        self.multilabel = isinstance(true[0], list)
        self.labels: list[Any]
        if self.multilabel:
            width = len(true[0])
            true, predicted = flags(true, width, "y_true"), flags(predicted, width, "y_pred")
            self.labels = list(range(width))
        else:
            self.labels = find_classes([*true, *predicted])
        self.true: list[Any] = true
        self.predicted: list[Any] = predicted
        self.weights = row_weights(sample_weight, len(true))

    def require_single(self, metric: str) -> None:
        """``ArgumentError`` for rows of flags."""
        if self.multilabel:
            raise ArgumentError(f"{metric} takes one label a row, got rows of {len(self.labels)} flags")


def plain_or_flags(y: Any, name: str) -> list[Any]:
    """Labels, or rows of several numbers; ``DataError`` for none."""
    values = listed_values(y, name, "labels")
    if not values:
        raise DataError(f"{name} is empty: metrics need at least one label")
    return as_answers(values, values, (name, name))[0]


def flags(rows: Sequence[Any], width: int, name: str) -> list[list[int]]:
    """Rows of 0 and 1, one for each label."""
    values = as_targets(rows, width, name)
    for number, row in enumerate(values):
        odd = next((k for k, v in enumerate(row) if v not in (0.0, 1.0)), None)
        if odd is not None:
            raise DataError(
                f"{name}: row {number}, column {odd} is {row[odd]!r}; a label a row, or rows of 0 and 1, are expected"
            )
    return [[int(v) for v in row] for row in values]


def row_weights(sample_weight: Any, count: int, name: str = "sample_weight") -> list[float] | None:
    """One weight for each of so many, none of them negative; None for None."""
    if sample_weight is None:
        return None
    rows = numbers(sample_weight, name)
    if len(rows[0]) != 1:
        raise DataError(f"{name} must have a number a row, got {len(rows[0])}")
    weights = [w for (w,) in rows]
    if len(weights) != count:
        raise DataError(f"{name} must have {count} numbers, got {len(weights)}")
    least = min(weights)
    if least < 0.0:
        raise DataError(f"{name}: number {weights.index(least)} must not be negative, got {least!r}")
    total = exact_sum(weights)
    if not 0.0 < total < HEAVIEST:
        raise DataError(f"{name}: the numbers must add up to more than 0 and less than {HEAVIEST:g}, got {total:g}")
    return weights


def chosen_labels(labels: Any, name: str = "labels") -> list[Label]:
    """Labels that somebody names, each once."""
    known = as_labels(labels, name)
    if not known:
        raise ArgumentError(f"{name} must name at least one label, got none")
    if len(set(known)) < len(known):
        twice = next(label for label in known if known.count(label) > 1)
        raise ArgumentError(f"{name} must name each label once, got {shown(twice)} twice")
    return known


def numbers(values: Any, name: str) -> list[list[float]]:
    """Rows of numbers, all of one width; of single numbers, rows of one."""
    values = listed_values(values, name, "numbers")
    if {*map(type, values)} == {float} and math.isfinite(sum(values)):  # as they mostly are: nothing else to check
        return [[v] for v in values]
    return as_targets(values, outputs_for(values, False) or 1, name)


def weighted_mean(values: Iterable[float], weights: Sequence[float] | None) -> float:
    """The mean of at least one number, each counted as often as its weight says."""
    if weights is None:
        values = [*values]
        return exact_sum(values) / len(values)
    return exact_sum([w * v for w, v in zip(weights, values)]) / math.fsum(weights)


def exact_sum(values: Sequence[float]) -> float:
    """The sum, rounded once; infinite where no double holds it."""
    try:
        return math.fsum(values)
    except OverflowError:
        return sum(values)
