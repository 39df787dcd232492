"""Toy data sets to watch a network learn: points in the plane with two or more classes, and a noisy line.

Each function returns ``X, y``: X is a list of ``samples`` rows of floats, y the labels (ints) or, for the line, the
values (floats). The classes take turns, so they are as even as can be. The same arguments give the same points,
always.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, floor, inf, pi, sin
from random import Random
from typing import Union

from .checks import require_number, require_size
from .errors import ArgumentError

Points = list["list[float]"]
Centers = Union[int, Sequence[Sequence[float]]]


def _check(samples: int, noise: float) -> None:
    require_size("samples", samples)
    require_number("noise", noise, 0.0)


def _jittered(point: Sequence[float], noise: float, rng: Random) -> list[float]:
    return [value + rng.gauss(0.0, noise) for value in point]


def _circle_of_points(count: int, radius: float) -> Points:
    if count < 1:
        raise ArgumentError(f"centers must be at least 1, got {count}")
    return [[radius * cos(2 * pi * i / count), radius * sin(2 * pi * i / count)] for i in range(count)]


def blobs(samples: int = 200, *, centers: Centers = 2, noise: float = 1.0, seed: int = 0) -> tuple[Points, list[int]]:
    """Round Gaussian clouds, one class each.

    ``centers``: the clouds' middles, a list of points of any dimension, or how many to place evenly on a circle of
    radius 4. ``noise``: their standard deviation. Easy: a straight line separates two of them.
    """
    _check(samples, noise)
    middles = _circle_of_points(centers, 4.0) if isinstance(centers, int) else [list(c) for c in centers]
    if not middles or len({len(middle) for middle in middles}) != 1:
        raise ArgumentError("centers must be one or more points, all of the same length")
    rng = Random(seed)
    y = [i % len(middles) for i in range(samples)]
    return [_jittered(middles[label], noise, rng) for label in y], y


def xor(samples: int = 200, *, noise: float = 0.3, seed: int = 0) -> tuple[Points, list[int]]:
    """Four Gaussian clouds at (±1, ±1); the class is 1 where the signs differ. No straight line separates them."""
    _check(samples, noise)
    rng = Random(seed)
    corners = ((-1.0, -1.0, 0), (-1.0, 1.0, 1), (1.0, 1.0, 0), (1.0, -1.0, 1))
    chosen = [corners[i % 4] for i in range(samples)]
    return [_jittered((a, b), noise, rng) for a, b, _ in chosen], [label for _, _, label in chosen]


def checkerboard(
    samples: int = 400, *, squares: int = 4, noise: float = 0.0, seed: int = 0
) -> tuple[Points, list[int]]:
    """A board of ``squares`` x ``squares`` fields over [0, 1] x [0, 1]; the class is the field's colour (0 or 1).

    ``noise``: standard deviation of a jitter in units of the board, given after the point got its colour.
    """
    _check(samples, noise)
    require_size("squares", squares, 2)
    rng = Random(seed)
    X: Points = []
    y: list[int] = []
    while len(X) < samples:
        point = [rng.random(), rng.random()]
        label = (floor(point[0] * squares) + floor(point[1] * squares)) % 2
        if label == len(y) % 2:  # the colours take turns
            X.append(_jittered(point, noise, rng))
            y.append(label)
    return X, y


def moons(samples: int = 200, *, noise: float = 0.1, seed: int = 0) -> tuple[Points, list[int]]:
    """Two half circles of radius 1, each reaching into the other's hollow."""
    _check(samples, noise)
    rng = Random(seed)
    X: Points = []
    y = [i % 2 for i in range(samples)]
    for label in y:
        angle = pi * rng.random()
        point = (cos(angle), sin(angle)) if label == 0 else (1 - cos(angle), 0.5 - sin(angle))
        X.append(_jittered(point, noise, rng))
    return X, y


def circles(samples: int = 200, *, factor: float = 0.5, noise: float = 0.05, seed: int = 0) -> tuple[Points, list[int]]:
    """A circle of radius 1 (class 0) around one of radius ``factor`` (class 1)."""
    _check(samples, noise)
    require_number("factor", factor, 0.0, 1.0, above=True)
    rng = Random(seed)
    X: Points = []
    y = [i % 2 for i in range(samples)]
    for label in y:
        angle = 2 * pi * rng.random()
        radius = factor if label else 1.0
        X.append(_jittered((radius * cos(angle), radius * sin(angle)), noise, rng))
    return X, y


def spirals(
    samples: int = 300, *, arms: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int = 0
) -> tuple[Points, list[int]]:
    """Spiral arms from the middle out to radius 1, one class each, wound ``turns`` times around each other."""
    _check(samples, noise)
    require_size("arms", arms, 2)
    require_number("turns", turns, -inf)
    rng = Random(seed)
    X: Points = []
    y = [i % arms for i in range(samples)]
    for label in y:
        radius = rng.uniform(0.1, 1.0)
        angle = 2 * pi * (turns * radius + label / arms)
        X.append(_jittered((radius * cos(angle), radius * sin(angle)), noise, rng))
    return X, y


def noisy_line(
    samples: int = 100, *, slope: float = 2.0, intercept: float = 1.0, noise: float = 0.1, seed: int = 0
) -> tuple[Points, list[float]]:
    """For regression: y = slope * x + intercept + Gaussian noise, x spread evenly at random over [-1, 1]."""
    _check(samples, noise)
    require_number("slope", slope, -inf)
    require_number("intercept", intercept, -inf)
    rng = Random(seed)
    X = [[rng.uniform(-1.0, 1.0)] for _ in range(samples)]
    return X, [slope * x + intercept + rng.gauss(0.0, noise) for (x,) in X]
