"""Checks of arguments that are single numbers, shared by everything that takes sizes and rates. Relies on nothing."""

from __future__ import annotations

import math
import operator
import sys
from typing import Any


def require_size(what: str, value: Any, least: int = 1) -> int:
    """``value`` as an int of at least ``least``; ``ValueError`` says which argument was wrong and how."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # takes NumPy's integers as well
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{what} must be a whole number of at least {least}, got {value!r}")
    return number


def require_number(what: str, value: Any, least: float, below: float = math.inf, *, above: bool = False) -> float:
    """``value`` as a float in [least, below) (or above ``least``); ``ValueError`` says which argument was wrong."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if not number or not (value > least if above else value >= least) or not value < below:
        lower = f"above {least:g}" if above else f"at least {least:g}"
        upper = f" and below {below:g}" if below != math.inf else " and finite"
        raise ValueError(f"{what} must be a number {lower}{upper}, got {value!r}")
    return float(value)
