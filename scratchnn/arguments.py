"""Checks of arguments that are single numbers or names, shared by everything that takes some. Relies on errors.py."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Set
from typing import Any

from .errors import ArgumentError


def require_size(what: str, value: Any, least: int | None = 1) -> int:
    """``value`` as an int of at least ``least``, if there is a least; ``ValueError`` says which argument was wrong and
    how."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # takes NumPy's integers as well
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f" of at least {least}"
        raise ArgumentError(f"{what} must be a whole number{bound}, got {value!r}")
    return number


def chosen(what: str, given: Any, known: Mapping[str, Any]) -> str:
    """The name in ``known`` that ``given`` means: the name itself, however it is written ("Adam", "LeakyReLU"), or the
    class that stands under it. ``ValueError`` lists all names."""
    if isinstance(given, str):
        found = [name for name in known if _letters(name) == _letters(given)]
    else:
        found = [name for name, kind in known.items() if kind is given and isinstance(given, type)]
    if not found:
        raise ArgumentError(f"unknown {what} {given!r}: known are {', '.join(known)}")
    return found[0]


def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def in_order(value: Any) -> list[Any] | None:
    """The items of a list, a tuple, an array or the like; None for one thing, a text, and what has no order."""
    if isinstance(value, (str, bytes, Mapping, Set)) or not isinstance(value, Iterable):
        return None
    return list(value)


def require_number(what: str, value: Any, least: float, below: float = math.inf, *, above: bool = False) -> float:
    """``value`` as a float in [least, below) (or above ``least``); ``ValueError`` says which argument was wrong."""
    number = _finite(value)
    if not (number > least if above else number >= least) or not number < below:
        lower = f"above {least:g}" if above else f"at least {least:g}"
        upper = f" and below {below:g}" if below != math.inf else " and finite"
        raise ArgumentError(f"{what} must be a number {lower}{upper}, got {value!r}")
    return number


def _finite(value: Any) -> float:
    """``value`` as a float, NaN if it is no finite number. NumPy's numbers are, bools, texts and arrays are not."""
    if type(value) is not float:
        from numbers import Real

        if isinstance(value, bool) or not isinstance(value, Real):
            return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan
