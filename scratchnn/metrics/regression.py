"""How far predicted numbers are from the true ones: mean absolute and squared errors, and R².

Where there are several outputs, targets are rows, and each metric is computed for each column: ``multioutput`` says
what becomes of these. "uniform_average" is their mean, "raw_values" a list of them, and numbers, one a column, weigh
them. ``sample_weight`` has one number a row, none of them negative. Sums are exact before they are rounded.
"""

from __future__ import annotations

import math

from ..checks import shown
from ..errors import ArgumentError, DataError
from ..linalg import r_squared, sums_of_squares
from .inputs import numbers, row_weights, warn, weighted_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Column = Sequence[float]
    Weights = Sequence[float]


def mean_absolute_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """The mean of |y_true - y_pred|, in the unit of the targets."""
    return _over_outputs(_absolute, y_true, y_pred, sample_weight, multioutput)


def mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """The mean of (y_true - y_pred)², in the squared unit of the targets."""
    return _over_outputs(_squared, y_true, y_pred, sample_weight, multioutput)


def root_mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """The root of the mean squared error of each output, in the unit of the targets."""
    return _over_outputs(_root_squared, y_true, y_pred, sample_weight, multioutput)


def r2_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    force_finite: bool = True,
) -> Any:
    """R² = 1 - Σ (y_true - y_pred)² / Σ (y_true - mean)²: 1 for exact predictions, 0 for the mean itself.

    It is what ``Model.score`` gives for regression. ``multioutput`` "variance_weighted" weighs each output by the
    variance of its targets. Of targets that are all the same R² is 1 if they are hit and 0 if not, or with
    ``force_finite=False`` NaN and minus infinity. Of a single row it is NaN, with an ``UndefinedMetricWarning``.
    """
    true, predicted, weights = _columns(y_true, y_pred, sample_weight)
    if len(true[0]) < 2:
        warn("R² is not defined for a single row")
        return math.nan
    true, predicted, weights = _weighing(true, predicted, weights)
    columns = list(zip(predicted, true))
    found = [r_squared(p, t, weights) for p, t in columns]
    if not force_finite:
        found = [r if len({*t}) > 1 else math.nan if p == t else -math.inf for r, (p, t) in zip(found, columns)]
    if not isinstance(multioutput, str) or multioutput != "variance_weighted":
        return _combined(found, multioutput, ("variance_weighted",))
    squares = [sums_of_squares(p, t, weights) for p, t in columns]
    largest = max(unit for _, _, unit in squares)
    spreads = [spread * (unit / largest) * (unit / largest) for _, spread, unit in squares]
    return weighted_mean(found, spreads if any(spreads) else None)


# --- one output --------------------------------------------------------------------------------------------


def _scaled(errors: Column) -> tuple[list[float], float]:
    """(errors in a unit, a power of two, in which none is above 1, so that no square overflows; that unit)."""
    unit = math.ldexp(1.0, min(math.frexp(max(errors))[1], 1023))
    return [e / unit for e in errors], unit


def _absolute(errors: Column, weights: Weights | None) -> float:
    scaled, unit = _scaled(errors)
    return weighted_mean(scaled, weights) * unit


def _squared(errors: Column, weights: Weights | None) -> float:
    scaled, unit = _scaled(errors)
    return weighted_mean([e * e for e in scaled], weights) * unit * unit


def _root_squared(errors: Column, weights: Weights | None) -> float:
    scaled, unit = _scaled(errors)
    return math.sqrt(weighted_mean([e * e for e in scaled], weights)) * unit


# --- several -----------------------------------------------------------------------------------------------


def _over_outputs(
    metric: Callable[[Column, Weights | None], float], y_true: Any, y_pred: Any, sample_weight: Any, multioutput: Any
) -> Any:
    true, predicted, weights = _weighing(*_columns(y_true, y_pred, sample_weight))
    errors = [[abs(t - p) for t, p in zip(*columns)] for columns in zip(true, predicted)]
    return _combined([metric(column, weights) for column in errors], multioutput)


def _columns(y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[list[Column], list[Column], list[float] | None]:
    """(columns of true numbers, of predicted ones, the weights of rows)."""
    true, predicted = numbers(y_true, "y_true"), numbers(y_pred, "y_pred")
    if len(true) != len(predicted):
        raise DataError(f"y_true and y_pred must be of the same length, got {len(true)} and {len(predicted)}")
    if len(true[0]) != len(predicted[0]):
        raise DataError(
            f"y_true and y_pred must have as many outputs, got {len(true[0])} and {len(predicted[0])} numbers a row"
        )
    return [*zip(*true)], [*zip(*predicted)], row_weights(sample_weight, len(true))


def _weighing(true: list[Column], predicted: list[Column], weights: list[float] | None) -> Any:
    """The same without the rows that weigh nothing."""
    if weights is None or all(weights):
        return true, predicted, weights
    kept = [number for number, weight in enumerate(weights) if weight]
    return (
        [[column[k] for k in kept] for column in true],
        [[column[k] for k in kept] for column in predicted],
        [weights[k] for k in kept],
    )


def _combined(found: list[float], multioutput: Any, more: tuple[str, ...] = ()) -> Any:
    if isinstance(multioutput, str):
        if multioutput == "raw_values":
            return found
        if multioutput == "uniform_average":
            return weighted_mean(found, None)
        known = ", ".join(["'raw_values'", "'uniform_average'", *map(repr, more)])
        raise ArgumentError(f"multioutput must be {known} or numbers, one an output, got {shown(multioutput)}")
    if multioutput is None:
        raise ArgumentError("multioutput must be 'raw_values', 'uniform_average' or numbers, got None")
    return weighted_mean(found, row_weights(multioutput, len(found), "multioutput"))
