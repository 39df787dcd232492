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

from scratchnn import plots

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
    "curves without end": lambda: plots.learning_curves({"loss": [1.7e308, -1.7e308, 0.0]}),
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
    "confusion of words": lambda: plots.confusion_matrix(matrix(10, 1, 1000), WORDS),
    "confusion of two": lambda: plots.confusion_matrix([[123456, 3], [70, 99999]], ["no", "yes"]),
    "confusion of one": lambda: plots.confusion_matrix([[5]], ["all"]),
    "confusion of nothing": lambda: plots.confusion_matrix([[0, 0], [0, 0]], [NASTY, "b"]),
    "confusion, shares": lambda: plots.confusion_matrix(matrix(5), normalize="true"),
    "confusion of many": lambda: plots.confusion_matrix(matrix(100), [f"class {k}" for k in range(100)]),
    "confusion of 26": lambda: plots.confusion_matrix(matrix(26), [chr(65 + k) for k in range(26)]),
}  # fmt: skip


def main(folder: str, theme: str = "auto") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, figure in SAMPLES.items():
        figure().save(Path(folder) / f"{name.replace(',', '').replace(' ', '_')}.svg", theme=theme)


if __name__ == "__main__":
    main(*sys.argv[1:])
