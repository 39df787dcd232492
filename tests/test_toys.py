"""Toy data: the right number of points, even classes, the shape each is named after, and the same seed the same."""

from __future__ import annotations

from collections import Counter
from math import atan2, hypot, pi
from typing import Any

import pytest

from scratchnn import datasets

CLASSIFICATION = ["blobs", "xor", "checkerboard", "moons", "circles", "spirals"]
ALL = [*CLASSIFICATION, "noisy_line"]


def toy(name: str) -> Any:
    return getattr(datasets, name)


@pytest.mark.parametrize("name", ALL)
def test_the_seed_decides_everything(name: str) -> None:
    assert toy(name)(50, noise=0.1, seed=3) == toy(name)(50, noise=0.1, seed=3)
    assert toy(name)(50, noise=0.1, seed=3) != toy(name)(50, noise=0.1, seed=4)


@pytest.mark.parametrize("name", ALL)
def test_rows_of_floats(name: str) -> None:
    X, y = toy(name)(51)
    assert len(X) == len(y) == 51
    assert len({len(row) for row in X}) == 1
    assert all(type(value) is float for row in X for value in row)


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_classes_are_even(name: str) -> None:
    _, y = toy(name)(101)
    counts = Counter(y)
    assert set(counts) == {0, 1}
    assert abs(counts[0] - counts[1]) <= 1


@pytest.mark.parametrize("name", ALL)
def test_misuse(name: str) -> None:
    for samples in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="samples must be a whole number of at least 1"):
            toy(name)(samples)
    for noise in (-0.1, float("nan"), float("inf"), "loud"):
        with pytest.raises(ValueError, match="noise must be a number at least 0"):
            toy(name)(10, noise=noise)


def test_blobs_stand_at_their_centers() -> None:
    X, y = datasets.blobs(6, centers=[[0, 0, 1], [5, 5, 5], [-1, 2, 3]], noise=0.0, seed=1)
    assert X == [[0.0, 0.0, 1.0], [5.0, 5.0, 5.0], [-1.0, 2.0, 3.0]] * 2
    assert y == [0, 1, 2] * 2
    X, y = datasets.blobs(4, centers=4, noise=0.0, seed=1)
    assert [hypot(*row) for row in X] == pytest.approx([4.0] * 4)


def test_blobs_spread_by_their_noise() -> None:
    X, _ = datasets.blobs(4000, centers=[[10.0]], noise=2.0, seed=1)
    mean = sum(x for (x,) in X) / len(X)
    deviation = (sum((x - mean) ** 2 for (x,) in X) / len(X)) ** 0.5
    assert mean == pytest.approx(10.0, abs=0.2)
    assert deviation == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("centers", [0, -1, [], [[1.0], [1.0, 2.0]]])
def test_blobs_without_usable_centers(centers: Any) -> None:
    with pytest.raises(ValueError, match="centers must be"):
        datasets.blobs(10, centers=centers)


def test_xor() -> None:
    X, y = datasets.xor(40, noise=0.0)
    assert {tuple(row) for row in X} == {(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)}
    assert all(label == (a * b < 0) for (a, b), label in zip(X, y))


def test_checkerboard() -> None:
    X, y = datasets.checkerboard(500, squares=3)
    assert all(0 <= value < 1 for row in X for value in row)
    assert all(label == (int(a * 3) + int(b * 3)) % 2 for (a, b), label in zip(X, y))
    with pytest.raises(ValueError, match="squares must be a whole number of at least 2, got 1"):
        datasets.checkerboard(squares=1)


def test_moons() -> None:
    X, y = datasets.moons(200, noise=0.0)
    for (a, b), label in zip(X, y):
        middle = (1.0, 0.5) if label else (0.0, 0.0)
        assert hypot(a - middle[0], b - middle[1]) == pytest.approx(1.0)
        assert (b <= 0.5 + 1e-12) if label else (b >= -1e-12)


def test_circles() -> None:
    X, y = datasets.circles(100, factor=0.3, noise=0.0)
    assert [hypot(*row) for row in X] == pytest.approx([0.3 if label else 1.0 for label in y])
    with pytest.raises(ValueError, match=r"factor must be a number above 0 and below 1, got 1\.5"):
        datasets.circles(factor=1.5)


def test_spirals() -> None:
    X, y = datasets.spirals(300, arms=3, turns=1.5, noise=0.0)
    assert set(y) == {0, 1, 2}
    for (a, b), label in zip(X, y):
        turned = atan2(b, a) / (2 * pi) - 1.5 * hypot(a, b) - label / 3
        assert abs(turned - round(turned)) < 1e-9
    with pytest.raises(ValueError, match="turns must be a number"):
        datasets.spirals(turns=float("inf"))
    with pytest.raises(ValueError, match="arms must be a whole number of at least 2, got 1"):
        datasets.spirals(arms=1)


def test_noisy_line() -> None:
    X, y = datasets.noisy_line(50, slope=-3.0, intercept=0.5, noise=0.0)
    assert y == pytest.approx([-3.0 * x + 0.5 for (x,) in X])
    assert all(-1 <= x <= 1 for (x,) in X)
    X, y = datasets.noisy_line(2000, noise=0.5, seed=2)
    left_over = [value - 2.0 * x - 1.0 for (x,), value in zip(X, y)]
    assert (sum(e * e for e in left_over) / len(y)) ** 0.5 == pytest.approx(0.5, abs=0.05)
