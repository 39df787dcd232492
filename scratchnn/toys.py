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


def _generator(samples: int, noise: float, seed: int) -> Random:
    require_size("samples", samples)
    require_number("noise", noise, 0.0)
    return Random(seed)


def _jittered(point: Sequence[float], noise: float, rng: Random) -> list[float]:
    return [value + rng.gauss(0.0, noise) for value in point]


def _polar(radius: float, angle: float) -> tuple[float, float]:
    return radius * cos(angle), radius * sin(angle)


def blobs(samples: int = 200, *, centers: Centers = 2, noise: float = 1.0, seed: int = 0) -> tuple[Points, list[int]]:
    """Round Gaussian clouds, one class each.

    ``centers``: the clouds' middles, a list of points of any dimension, or how many to place evenly on a circle of
    radius 4. ``noise``: their standard deviation. Easy: a straight line separates two of them.
    """
    rng = _generator(samples, noise, seed)
    if isinstance(centers, int):
        if centers < 1:
            raise ArgumentError(f"centers must be at least 1, got {centers}")
        centers = [_polar(4.0, 2 * pi * i / centers) for i in range(centers)]
    middles = list(map(list, centers))
    if len(set(map(len, middles))) != 1:
        raise ArgumentError("centers must be one or more points, all of the same length")
    y = [i % len(middles) for i in range(samples)]
    return [_jittered(middles[label], noise, rng) for label in y], y


def xor(samples: int = 200, *, noise: float = 0.3, seed: int = 0) -> tuple[Points, list[int]]:
    """Four Gaussian clouds at (±1, ±1); the class is 1 where the signs differ. No straight line separates them."""
    rng = _generator(samples, noise, seed)
    corners = ((-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (1.0, -1.0))  # of the classes 0, 1, 0, 1
    return [_jittered(corners[i % 4], noise, rng) for i in range(samples)], [i % 2 for i in range(samples)]


def checkerboard(
    samples: int = 400, *, squares: int = 4, noise: float = 0.0, seed: int = 0
) -> tuple[Points, list[int]]:
    """A board of ``squares`` x ``squares`` fields over [0, 1] x [0, 1]; the class is the field's colour (0 or 1).

    ``noise``: standard deviation of a jitter in units of the board, given after the point got its colour.
    """
    rng = _generator(samples, noise, seed)
    require_size("squares", squares, 2)
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
    rng = _generator(samples, noise, seed)
    X: Points = []
    y = [i % 2 for i in range(samples)]
    for label in y:
        a, b = _polar(1.0, pi * rng.random())
        X.append(_jittered((1 - a, 0.5 - b) if label else (a, b), noise, rng))
    return X, y


def circles(samples: int = 200, *, factor: float = 0.5, noise: float = 0.05, seed: int = 0) -> tuple[Points, list[int]]:
    """A circle of radius 1 (class 0) around one of radius ``factor`` (class 1)."""
    rng = _generator(samples, noise, seed)
    require_number("factor", factor, 0.0, 1.0, above=True)
    y = [i % 2 for i in range(samples)]
    return [_jittered(_polar(factor if label else 1.0, 2 * pi * rng.random()), noise, rng) for label in y], y


def spirals(
    samples: int = 300, *, arms: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int = 0
) -> tuple[Points, list[int]]:
    """Spiral arms from the middle out to radius 1, one class each, wound ``turns`` times around each other."""
    rng = _generator(samples, noise, seed)
    require_size("arms", arms, 2)
    require_number("turns", turns, -inf)
    X: Points = []
    y = [i % arms for i in range(samples)]
    for label in y:
        radius = rng.uniform(0.1, 1.0)
        X.append(_jittered(_polar(radius, 2 * pi * (turns * radius + label / arms)), noise, rng))
    return X, y


def noisy_line(
    samples: int = 100, *, slope: float = 2.0, intercept: float = 1.0, noise: float = 0.1, seed: int = 0
) -> tuple[Points, list[float]]:
    """For regression: y = slope * x + intercept + Gaussian noise, x spread evenly at random over [-1, 1]."""
    rng = _generator(samples, noise, seed)
    require_number("slope", slope, -inf)
    require_number("intercept", intercept, -inf)
    X = [[rng.uniform(-1.0, 1.0)] for _ in range(samples)]
    return X, [slope * x + intercept + rng.gauss(0.0, noise) for (x,) in X]
