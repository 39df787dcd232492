"""Figures of every kind, each also of data that are hard to draw: for tests, and to be rendered and looked at.

python -m tests.plots.samples FOLDER [light|dark]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from scratchnn import plots, toys
from scratchnn.search import SearchResult, SearchRow

NASTY = "<b>&\"'\x1b[2J\x00\u202e\ud800 ]]> a name that goes on and on and on beyond all that anybody would read"
WORDS = ["aeroplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "a class of many words"]


def run(seed: int = 0, epochs: int = 20, validation: bool = True) -> dict[str, list[float]]:
    rng, history = Random(seed), {}
    loss = [2.3 * math.exp(-0.25 * k) + 0.05 + 0.02 * rng.random() for k in range(epochs)]
    history["loss"] = loss
    history["accuracy"] = [1.0 - 0.35 * v for v in loss]
    if validation:
        history["val_loss"] = [v + 0.1 + 0.004 * k for k, v in enumerate(loss)]
        history["val_accuracy"] = [1.0 - 0.4 * v for v in loss]
    return history


def matrix(classes: int, seed: int = 0, right: int = 100) -> list[list[int]]:
    rng = Random(seed)
    rows = [[int(rng.random() ** 6 * right / 4) for _ in range(classes)] for _ in range(classes)]
    for k in range(classes):
        rows[k][k] = right - rng.randrange(max(right // 3, 1))
    return rows


def digits(count: int) -> list[bytes]:
    """The same image again and again, a little shifted: a ring, as of an 8 x 8 digit."""
    ring = [255 if 4 <= (x - 3.5) ** 2 + (y - 3.5) ** 2 < 12 else 20 * x for y in range(8) for x in range(8)]
    return [bytes(ring[k % 8 :] + ring[: k % 8]) for k in range(count)]


def three(rows: list[list[float]]) -> list[list[float]]:
    """Probabilities of three classes, by their distance from where they are."""
    closeness = [[math.exp(-math.dist(row, (4 * math.cos(a), 4 * math.sin(a)))) for a in (0, 2.1, 4.2)] for row in rows]
    return [[value / sum(row) for value in row] for row in closeness]


def searched(count: int) -> SearchResult:
    rng = Random(4)
    rows = []
    for k in range(count):
        outcomes = [(0.9 + 0.08 * rng.random(), 1.0, "" if k % 5 != 4 else "it diverged") for _ in range(5)]
        rows.append(SearchRow({"hidden_size": [10 * k, 10], "lr": 0.1 / (k + 1), "activation": "relu"}, outcomes))
    return SearchResult(rows, "score")


_RNG = Random(5)
_TRUE = [_RNG.gauss(200_000, 50_000) for _ in range(300)]
REGRESSION = _TRUE, [0.9 * value + 20_000 + _RNG.gauss(0, 12_000) for value in _TRUE]

SAMPLES: dict[str, Callable[[], Any]] = {
    "curves": lambda: plots.learning_curves(run()),
    "curves of several runs": lambda: plots.learning_curves(
        {f"lr {rate}": run(k, 12 + 3 * k) for k, rate in enumerate((0.001, 0.01, 0.1, 1.0))}
    ),
    "curves of many runs": lambda: plots.learning_curves([run(k) for k in range(30)], title="Thirty runs"),
    "curves, logarithmic": lambda: plots.learning_curves({"loss": [10.0**-k for k in range(9)]}, log=True),
    "curves of nothing": lambda: plots.learning_curves({}),
    "curves of one epoch": lambda: plots.learning_curves({"loss": [0.3], "accuracy": [1.0]}),
    "curves with gaps": lambda: plots.learning_curves(
        {"run that diverges": {"loss": [1.0, 2.0, math.nan, 1e3, math.inf]}, NASTY: {"loss": [math.nan, -math.inf]}}
    ),
    "curves without end": lambda: plots.learning_curves({"loss": [1.79e308, -1.0], "other": [1.7e308, -1.7e308, 0.0]}),
    "curves, constant": lambda: plots.learning_curves({"loss": [math.log(2)] * 5000, "accuracy": [0.0] * 5000}),
    "lines": lambda: plots.lines(
        {"learned": [(-1, 1.2), (1, 6.9)], "drawn from": [(-1, 1.0), (1, 7.0)], "the same": [(-1, 1.0), (1, 7.0)]},
        cloud=[(x, 4 + 3 * x + Random(k).gauss(0, 0.6)) for k, x in enumerate((k - 100) / 100 for k in range(200))],
        title="The line behind the points", x_label="x", y_label="y",
    ),
    "lines, both logarithmic": lambda: plots.lines(
        {f"power {p}": [(10**k, 10.0 ** (k * p)) for k in range(7)] for p in range(-3, 4)}, log_x=True, log_y=True,
        title="Powers", x_label="n", y_label="seconds",
    ),
    "lines, cut off": lambda: plots.lines(
        {"a": [1, 10, 100, 1000], "b": [5, 4, 3, 2]}, y_limits=(0.0, 10.0), title="A line that leaves " + "and " * 40
    ),
    "lines, tiny differences": lambda: plots.lines({"x": [1e9 + k * 1e-3 for k in range(9)]}, y_label=NASTY),
    "lines, a hundred": lambda: plots.lines({NASTY + str(k): [k, -k, k * k] for k in range(100)}, title=NASTY),
    "confusion": lambda: plots.confusion_matrix(matrix(10)),
    "confusion of words": lambda: plots.confusion_matrix(matrix(10, 1, 1000), labels=WORDS),
    "confusion of two": lambda: plots.confusion_matrix([[123456, 3], [70, 99999]], labels=["no", "yes"]),
    "confusion of one": lambda: plots.confusion_matrix([[5]], labels=["all"]),
    "confusion of nothing": lambda: plots.confusion_matrix([[0, 0], [0, 0]], labels=[NASTY, "b"]),
    "confusion, shares": lambda: plots.confusion_matrix(matrix(5), normalize="true"),
    "confusion of many": lambda: plots.confusion_matrix(matrix(100), labels=[f"class {k}" for k in range(100)]),
    "confusion of 26": lambda: plots.confusion_matrix(matrix(26), labels=[chr(65 + k) for k in range(26)]),
    "images": lambda: plots.images(digits(24), [k % 10 for k in range(24)], [k % 10 - (k % 7 == 3) for k in range(24)]),
    "images of words": lambda: plots.images(
        digits(7), [NASTY] * 7, [WORDS[9]] * 6 + [NASTY], columns=3, title="Words that are too long below images"
    ),
    "images, too many": lambda: plots.images(digits(10000)),
    "images in rows": lambda: plots.images({"digit": digits(6), "made again": digits(6), NASTY: digits(3)}),
    "images in colour": lambda: plots.images(
        [[(k + c) % 17 / 16 for k in range(3 * 8 * 12)] for c in range(5)], shape=(3, 8, 12), captions=WORDS[:5]
    ),
    "image of one pixel": lambda: plots.images([[1.0]], [0], [1]),
    "weights": lambda: plots.weights([[Random(k * 40 + j).gauss(0, 1) for j in range(40)] for k in range(64)]),
    "weights of filters": lambda: plots.weights(
        [[Random(k * 8 + j).gauss(0, 0.1) for j in range(8)] for k in range(36)], shape=(4, 3, 3), title="Filters"
    ),
    "weights that are all 0": lambda: plots.weights([[0.0, 0.0]] * 9),
    "boundary": lambda: plots.decision_boundary(
        lambda rows: [1 / (1 + math.exp(3 * (y - x * x))) for x, y in rows], *toys.moons(), x_label="x", y_label="y"
    ),
    "boundary of three": lambda: plots.decision_boundary(three, *toys.blobs(300, centers=3), resolution=60),
    "boundary of labels": lambda: plots.decision_boundary(
        lambda rows: [WORDS[int(abs(x) * 2 + abs(y)) % 10] for x, y in rows], [[-2, -2], [2, 3]], resolution=50
    ),
    "boundary at one point": lambda: plots.decision_boundary(
        lambda rows: [NASTY] * len(rows), [[1e300, -1e-300]], [NASTY]
    ),
    "scatter": lambda: plots.scatter(*toys.blobs(400, centers=10), title="Ten clouds"),
    "scatter of words": lambda: plots.scatter(
        [[Random(k).gauss(k % 10 // 5, 0.2), Random(k + 999).gauss(k % 5, 0.2)] for k in range(300)],
        [WORDS[k % 10] for k in range(300)],
    ),
    "scatter of 45": lambda: plots.scatter([[k % 7, k] for k in range(90)], [k % 45 for k in range(90)], title="Many"),
    "scatter of many": lambda: plots.scatter([[math.sin(k), math.cos(2 * k)] for k in range(20000)]),
    "scatter of one": lambda: plots.scatter([[1e-300, 5e300]], [NASTY]),
    "probabilities": lambda: plots.probabilities([0.01, 0.02, 0.6, 0.27, 0.1], WORDS[:5], y_true="cat"),
    "probabilities of many": lambda: plots.probabilities([0.9, *([1e-4] * 999)], [NASTY] * 1000, title=NASTY),
    "probabilities of one": lambda: plots.probabilities([[1.0]]),
    "prediction error": lambda: plots.prediction_error(*REGRESSION),
    "residuals": lambda: plots.residuals(*REGRESSION),
    "residuals without end": lambda: plots.residuals([1.7e308, -1.7e308], [-1.7e308, 1.7e308]),
    "residuals of one": lambda: plots.residuals([1.0], [1.0]),
    "search": lambda: plots.search_results(searched(8)),
    "search of many": lambda: plots.search_results(searched(200)),
    "side by side": lambda: plots.side_by_side(
        [plots.prediction_error(*REGRESSION), plots.residuals(*REGRESSION)], title="House prices"
    ),
    "boundaries side by side": lambda: plots.side_by_side(
        [plots.decision_boundary(three, *toys.blobs(60, centers=3), resolution=20, title=f"{k} units: {NASTY}") for k in
         range(5)]
    ),
}  # fmt: skip


def main(folder: str, theme: str = "auto") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, figure in SAMPLES.items():
        figure().save(Path(folder) / f"{name.replace(',', '').replace(' ', '_')}.svg", theme=theme)


if __name__ == "__main__":
    main(*sys.argv[1:])
