"""Rows of random numbers, the same for the same seed: inputs, weights and gradients for any test."""

from __future__ import annotations

from random import Random

Rows = list[list[float]]


def random_rows(rows: int, columns: int, seed: int = 0, spread: float = 1.0) -> Rows:
    """Normally distributed numbers around 0, with ``spread`` as their standard deviation."""
    rng = Random(seed)
    return [[rng.gauss(0.0, spread) for _ in range(columns)] for _ in range(rows)]
