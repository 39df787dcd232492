"""scikit-learn's metrics, which those here are held to, and random answers to give to both."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from scratchnn import metrics

TOLERANCE = 1e-12
KINDS: list[list[Any]] = [[0, 1], [1, 2, 3], [-3, 0, 7, 12], ["a", "b"], ["no", "perhaps", "yes"], [False, True]]
EIGHTHS = st.integers(-80, 80).map(lambda v: v / 8)  # so that no oracle's mean is off by a rounding, and ties are many


def theirs(name: str, *arguments: Any, **settings: Any) -> Any:
    """What scikit-learn says, as plain numbers and lists; or skip."""
    module = pytest.importorskip("sklearn.metrics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return plain(getattr(module, name)(*arguments, **settings))


def ours(name: str, *arguments: Any, **settings: Any) -> Any:
    """What ``scratchnn.metrics`` says, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return getattr(metrics, name)(*arguments, **settings)


def plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def agree(name: str, *arguments: Any, **settings: Any) -> None:
    """``AssertionError`` unless both say the same, to 1e-12."""
    here, there = ours(name, *arguments, **settings), theirs(name, *arguments, **settings)
    assert near(here, there), f"{name}: {here} here, {there} there"


def near(here: Any, there: Any) -> bool:
    if isinstance(here, (list, tuple)):
        return len(here) == len(there) and all(map(near, here, there))
    if here is None or there is None:
        return here is there
    if math.isnan(there):
        return math.isnan(here)
    return here == there or abs(here - there) <= TOLERANCE * max(1.0, abs(there))


def refused_by_both(name: str, *arguments: Any, **settings: Any) -> bool:
    """Whether scikit-learn refuses it; ``AssertionError`` unless it is refused here, too."""
    try:
        theirs(name, *arguments, **settings)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(ValueError, match=r"."):
            ours(name, *arguments, **settings)
        return True
    return False


@st.composite
def labelled(draw: Callable[..., Any], kinds: list[list[Any]] = KINDS) -> tuple[list[Any], list[Any], list[Any]]:
    """(true labels, predicted ones, all that there are), each of which may lack some."""
    labels = draw(st.sampled_from(kinds))
    count = draw(st.integers(1, 20))
    some = [draw(st.lists(st.sampled_from(labels), min_size=1, unique=True)) for _ in range(2)]
    true, predicted = (draw(st.lists(st.sampled_from(few), min_size=count, max_size=count)) for few in some)
    return true, predicted, labels


@st.composite
def flagged(draw: Callable[..., Any]) -> tuple[list[list[int]], list[list[int]]]:
    """(true flags, predicted ones): rows of two to four."""
    width, count = draw(st.integers(2, 4)), draw(st.integers(1, 12))
    row = st.lists(st.integers(0, 1), min_size=width, max_size=width)
    true, predicted = (draw(st.lists(row, min_size=count, max_size=count)) for _ in range(2))
    return true, predicted


def weights_for(count: int) -> st.SearchStrategy[list[float] | None]:
    """None, or weights of which some may be 0 and not all are."""
    some = st.lists(st.integers(0, 16).map(lambda v: v / 4), min_size=count, max_size=count)
    return st.none() | some.filter(any)


@st.composite
def scored(draw: Callable[..., Any], least: int = 3, most: int = 5) -> tuple[list[int], list[list[float]], list[int]]:
    """(labels, rows of probabilities with many ties, all labels there are)."""
    classes, count = draw(st.integers(least, most)), draw(st.integers(2, 20))
    y = draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
    shares = draw(st.lists(st.lists(st.integers(0, 4), min_size=classes, max_size=classes), min_size=count))
    rows = [[v / sum(row) for v in row] if any(row) else [1.0 / classes] * classes for row in shares[:count]]
    return y, rows, list(range(classes))
