"""The mistakes that say most: wrong answers that the model was sure of, and the largest errors of predicted numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class Mistake(NamedTuple):
    """``row`` counts from 0; ``weight`` is the probability of the wrong answer, or how far off a number is."""

    row: int
    true: Any
    predicted: Any
    weight: float


def percent(probability: float) -> str:
    """A probability in words; only what is certain has 100 %."""
    return ">99.9%" if 0.999 < probability < 1.0 else f"{probability:.1%}"


def confident(
    true: Sequence[int], predicted: Sequence[int], probabilities: Sequence[Sequence[float]], most: int
) -> list[Mistake]:
    """Rows that were taken for another class (classes are numbers here), the most confident first."""
    found = [
        Mistake(row, label, guess, probabilities[row][guess])
        for row, (label, guess) in enumerate(zip(true, predicted))
        if label != guess
    ]
    return sorted(found, key=lambda mistake: -mistake.weight)[:most]


def confident_flags(
    true: Sequence[Sequence[float]], predicted: Sequence[Sequence[float]], probabilities: Sequence[Any], most: int
) -> list[Mistake]:
    """Rows with a wrong flag, those first whose worst one the model was surest of; both answers are the numbers of the
    labels that are set."""
    found = []
    for row, (flags, guesses) in enumerate(zip(true, predicted)):
        wrong = [max(p, 1.0 - p) for flag, guess, p in zip(flags, guesses, probabilities[row]) if flag != guess]
        if wrong:
            found.append(Mistake(row, _set(flags), _set(guesses), max(wrong)))
    return sorted(found, key=lambda mistake: -mistake.weight)[:most]


def _set(flags: Sequence[float]) -> list[int]:
    return [number for number, flag in enumerate(flags) if flag]


def largest_errors(
    true: Sequence[Sequence[float]], predicted: Sequence[Sequence[float]], units: Sequence[float], most: int
) -> list[Mistake]:
    """Rows whose predicted numbers are furthest off. Of several numbers a row has the one that is the furthest off in
    ``units``, one for each; then ``true`` and ``predicted`` are pairs of its place and its value."""
    found = []
    for row, (values, guesses) in enumerate(zip(true, predicted)):
        errors = [abs(value - guess) / unit for value, guess, unit in zip(values, guesses, units)]
        worst = max(range(len(errors)), key=errors.__getitem__)
        if math.isfinite(errors[worst]):
            found.append(Mistake(row, (worst, values[worst]), (worst, guesses[worst]), errors[worst]))
    return sorted(found, key=lambda mistake: -mistake.weight)[:most]
