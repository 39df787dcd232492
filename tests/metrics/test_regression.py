"""Mean absolute and squared errors and R² are scikit-learn's, R² to the last bit what ``Model.score`` gives."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import ArgumentError, DataError, Model, metrics
from scratchnn.metrics import UndefinedMetricWarning
from tests.metrics.oracle import EIGHTHS, agree, ours, weights_for

ERRORS = ["mean_absolute_error", "mean_squared_error", "root_mean_squared_error"]


def pairs(width: int, least: int = 1) -> st.SearchStrategy[list[tuple[list[float], list[float]]]]:
    row = st.lists(EIGHTHS, min_size=width, max_size=width)
    return st.lists(st.tuples(row, row), min_size=least, max_size=15)


@pytest.mark.parametrize("name", [*ERRORS, "r2_score"])
@given(data=st.data())
def test_one_output(name: str, data: Any) -> None:
    rows = data.draw(pairs(1))
    true, predicted = ([row[0] for row in part] for part in zip(*rows))
    agree(name, true, predicted, sample_weight=data.draw(weights_for(len(rows))))


@pytest.mark.parametrize("name", [*ERRORS, "r2_score"])
@given(data=st.data(), width=st.integers(1, 4))
def test_several_outputs(name: str, data: Any, width: int) -> None:
    true, predicted = zip(*data.draw(pairs(width, least=2)))
    options: list[Any] = [
        "raw_values",
        "uniform_average",
        data.draw(weights_for(width).filter(bool)) if width > 1 else "raw_values",
    ]
    multioutput = data.draw(st.sampled_from(options + ["variance_weighted"] * (name == "r2_score")))
    weights = data.draw(weights_for(len(true)))
    agree(name, true, predicted, multioutput=multioutput, sample_weight=weights)
    if name == "r2_score" and multioutput == "raw_values":
        agree(name, true, predicted, multioutput=multioutput, sample_weight=weights, force_finite=False)


@pytest.mark.parametrize("outputs", [1, 2])
def test_r2_is_the_score_of_a_model_to_the_last_bit(outputs: int) -> None:
    X = [[k / 10, k % 3 * 1.0] for k in range(40)]
    y: Any = [[math.sin(k), k * 100.0][:outputs] for k in range(40)]
    y = [row[0] for row in y] if outputs == 1 else y
    model = Model(2, 5, outputs, task="regression")
    model.fit(X, y, epochs=2)
    assert metrics.r2_score(y, model.predict(X)) == model.score(X, y)
    assert metrics.mean_squared_error(y, model.predict(X)) == pytest.approx(model.evaluate(X, y)[0], rel=1e-3)


def test_errors_do_not_depend_on_the_order_of_rows() -> None:
    errors = [1e16, 1.0, 1.0, -1e16, 0.25]
    expected = metrics.mean_absolute_error([0.0] * 5, errors)
    for order in (errors[::-1], errors[2:] + errors[:2]):
        assert metrics.mean_absolute_error([0.0] * 5, order) == expected


@pytest.mark.parametrize("scale", [5e-324, 1e-200, 1e200, 8e307])
def test_no_square_overflows_on_the_way_to_its_root(scale: float) -> None:
    true, predicted = [0.0, scale, 0.0, 0.0], [scale, 0.0, 0.0, 0.0]
    assert metrics.root_mean_squared_error(true, predicted) == pytest.approx(
        scale * math.sqrt(0.5), rel=1e-15, abs=5e-324
    )
    assert metrics.mean_absolute_error(true, predicted) == pytest.approx(scale / 2)
    assert metrics.r2_score(true, true) == 1.0


def test_an_error_beyond_all_doubles_is_infinite() -> None:
    assert metrics.mean_squared_error([1e200, 0.0], [0.0, 1e200]) == math.inf
    assert metrics.mean_absolute_error([1.7e308, 0.0], [-1.7e308, 0.0]) == math.inf
    assert metrics.mean_squared_error([1e154] * 2, [0.0] * 2) == pytest.approx(1e308)


def test_targets_that_are_all_the_same() -> None:
    assert metrics.r2_score([0.1] * 3, [0.1] * 3) == 1.0
    assert metrics.r2_score([0.1] * 3, [0.2] * 3) == 0.0
    assert metrics.r2_score([0.1] * 3, [0.2] * 3, force_finite=False) == -math.inf
    assert math.isnan(metrics.r2_score([0.1] * 3, [0.1] * 3, force_finite=False))
    assert metrics.r2_score([0.1, 0.1, 0.1, 7.0], [0.2] * 4, sample_weight=[1, 1, 1, 0]) == 0.0


def test_r2_of_one_row_is_no_number_with_a_warning() -> None:
    with pytest.warns(UndefinedMetricWarning, match="^R² is not defined for a single row$") as seen:
        assert math.isnan(metrics.r2_score([1.0], [1.0]))
    assert seen[0].filename == __file__


@pytest.mark.parametrize("name", [*ERRORS, "r2_score"])
@pytest.mark.parametrize(
    ("kind", "true", "predicted", "settings", "message"),
    [
        (DataError, [], [], {}, r"^y_true is empty"),
        (DataError, [1.0, 2.0], [1.0], {}, r"^y_true and y_pred must be of the same length, got 2 and 1$"),
        (DataError, [[1.0, 2.0]], [1.0], {}, r"^y_true and y_pred must have as many outputs, got 2 and 1 numbers"),
        (DataError, [[1.0], [1.0, 2.0]], [1.0, 2.0], {}, r"^y_true: row 1 has 2 numbers, expected 1"),
        (DataError, ["a", 2.0], [1.0, 2.0], {}, r"^y_true: row 0"),
        (DataError, [1.0, math.inf], [1.0, 2.0], {}, r"^y_true: row 1, column 0 must be a finite number"),
        (
            ArgumentError,
            [1.0, 2.0],
            [1.0, 2.0],
            {"multioutput": "mean"},
            r"^multioutput must be 'raw_values', 'uniform_",
        ),
        (ArgumentError, [1.0, 2.0], [1.0, 2.0], {"multioutput": None}, r"^multioutput must be .*, got None$"),
        (DataError, [1.0, 2.0], [1.0, 2.0], {"multioutput": [1, 2]}, r"^multioutput must have 1 numbers, got 2$"),
        (DataError, [1.0, 2.0], [1.0, 2.0], {"sample_weight": [1]}, r"^sample_weight must have 2 numbers, got 1$"),
    ],
)
def test_what_makes_no_sense(
    name: str, kind: type[Exception], true: Any, predicted: Any, settings: Any, message: str
) -> None:
    with pytest.raises(kind, match=message):
        ours(name, true, predicted, **settings)
