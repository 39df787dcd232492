"""What counts as a number or a size: Python's and NumPy's, and nothing that merely looks like one."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from scratchnn.arguments import require_number, require_size, shown


@pytest.mark.parametrize("value", [0.5, 1, Fraction(1, 2)])
def test_real_numbers(value: Any) -> None:
    number = require_number("rate", value, 0.0)
    assert (type(number), number) == (float, value)


@pytest.mark.parametrize("value", [True, "1", None, [1.0], 1j, math.nan, math.inf, 10**400])
def test_what_is_no_finite_real_number(value: Any) -> None:
    with pytest.raises(ValueError, match="rate must be a number at least 0 and finite, got"):
        require_number("rate", value, 0.0)


def test_limits() -> None:
    assert require_number("rate", 0, 0.0, 1.0) == 0.0
    for value, above in ((0.0, True), (1.0, False), (-0.5, False)):
        with pytest.raises(ValueError, match=r"rate must be a number (above|at least) 0 and below 1"):
            require_number("rate", value, 0.0, 1.0, above=above)


def test_numpys_numbers() -> None:
    np = pytest.importorskip("numpy")
    assert require_number("rate", np.float32(0.5), 0.0) == 0.5
    assert require_number("rate", np.int64(2), 0.0) == 2.0
    assert require_size("size", np.uint8(3)) == 3
    for value in (np.True_, np.complex128(0.1 + 2j), np.array([1.0]), np.float64("nan")):
        with pytest.raises(ValueError, match="rate must be a number"):
            require_number("rate", value, 0.0)


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None])
def test_sizes(value: Any) -> None:
    with pytest.raises(ValueError, match="size must be a whole number of at least 1, got"):
        require_size("size", value)


def test_values_that_have_no_text_are_shown_all_the_same() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "a list"
    while deep:  # so that taking it down does not recurse
        deep = deep[0]  # type: ignore[assignment]
