"""Sections of the benchmark: all that a network can learn with, and convolution."""

from __future__ import annotations

import argparse
import importlib
import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from _benchmark_data import BATCH, HIDDEN, Data, Sizes
from _benchmark_measuring import if_installed, take_turns, timed
from _benchmark_numpy import NumpyLoop
from _benchmark_programs import Scratchnn
from _benchmark_report import MISSING, Report, micro, ratio

from scratchnn.engines.lanes.engine import Lanes
from scratchnn.engines.lists import LISTS
from scratchnn.layers.convolution import Conv2D


def variants(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Networks for which lanes have no form of their own all the way through, against linalg."""
    title = f"Other networks, lanes ({sizes.variants} images) and linalg ({sizes.variants_linalg} images only)"
    report.heading(title)
    settings = {
        "deep": ("two hidden layers (128, 64), ReLU", (128, 64), "relu"),
        "tanh": (f"hidden {HIDDEN}, Tanh", (HIDDEN,), "tanh"),
    }
    rows = []
    for bar, (label, hidden, activation) in settings.items():
        pair = {
            "lanes": Scratchnn(data, "lanes", sizes.variants, hidden, activation),
            "linalg": Scratchnn(data, "linalg", sizes.variants_linalg, hidden, activation),
        }
        seconds = take_turns(sizes.rounds, {name: one.epoch for name, one in pair.items()})
        lanes, lists = (seconds[name] / one.images for name, one in pair.items())
        rows.append([label, micro(lanes), micro(lists), f"{lists / lanes:.1f}"])
        report.in_short(bar, f"{lists / lanes:.1f}")
    report.table(["", "lanes, µs an image", "linalg, µs an image", "times as fast"], rows)


PATHS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SGD, hidden 1000": {"hidden": (1000,)},
    "two hidden layers (128, 64), Tanh": {"hidden": (128, 64), "activation": "tanh"},
    "Tanh": {"activation": "tanh"},
    "sigmoid": {"activation": "sigmoid"},
    "leaky ReLU": {"activation": "leaky_relu"},
    "dropout 0.2": {"dropout": 0.2},
    "weight decay": {"weight_decay": 1e-4},
    "momentum": {"momentum": 0.9},
    "Adam": {"optimizer": "adam", "lr": 0.001, "momentum": None},
    "AdamW": {"optimizer": "adamw", "lr": 0.001, "momentum": None},
    "RMSprop": {"optimizer": "rmsprop", "lr": 0.001, "momentum": None},
    "clip_norm 1": {"clip_norm": 1.0},
}


def paths(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """All that a network can learn with, on lanes and on the engine that hands the same work to NumPy."""
    images = sizes.variants
    report.heading(f"Ways to train {data.inputs}-{HIDDEN}-{len(data.classes)}, {images} images, batches of {BATCH}")
    if if_installed(lambda: importlib.import_module("numpy")) is None:
        report.note("NumPy is not installed")
        return
    rows = []
    for label, settings in PATHS.items():
        pair = {engine: Scratchnn(data, engine, images, **settings) for engine in ("lanes", "numpy")}
        seconds = take_turns(sizes.rounds, {engine: one.epoch for engine, one in pair.items()})
        lanes, arrays = (seconds[engine] / images for engine in pair)
        rows.append([label, micro(lanes), micro(arrays), ratio(lanes, arrays)])
    report.table(["", "lanes, µs an image", "engine numpy, µs an image", "lanes over numpy"], rows)


def convolution(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """The two halves of training the first layer of a convolutional network, Conv2D(1, 8, 3)."""
    side = math.isqrt(data.inputs)
    report.heading(f"Conv2D(1, 8, 3) on images of {side} x {side}: forward, and the gradient of its weight")
    if side * side != data.inputs or side < 3:
        report.note(f"rows of {data.inputs} pixels are no square images")
        return
    runs: dict[str, tuple[int, Callable[[], Any], Callable[[], Any]]] = {}
    for engine, count in ((Lanes(), min(sizes.images, BATCH)), (LISTS, 2)):
        rows = data.X[:count]
        prepared = engine.prepare(rows, 1 / 255)
        ops = engine.tuned_for(prepared, BATCH)
        layer = Conv2D(1, 8, 3, rng=random.Random(0), input_shape=(1, side, side))
        layer.use(ops)
        x = ops.take_rows(prepared, range(count))
        gradient = layer.forward(x)  # any numbers will do, as long as they are not zero
        runs[str(ops.name)] = count, partial(layer.forward, x), partial(layer.backward, gradient, False)
    weight, outputs = layer.weight.value, [list(row) for row in gradient]
    loop = if_installed(lambda: NumpyLoop(data.X[:2], side, weight, outputs))
    if loop:
        runs["NumPy, a loop over output pixels"] = 2, loop.forward, loop.weights
    best = take_turns(
        sizes.short_rounds,
        {f"{name} {k}": timed(run) for name, (_, *both) in runs.items() for k, run in enumerate(both)},
    )
    cost = {name: [best[f"{name} {k}"] / count for k in (0, 1)] for name, (count, *_) in runs.items()}
    slow = cost.get("NumPy, a loop over output pixels")
    table = [[name, *map(micro, parts), ratio(sum(slow), sum(parts)) if slow else "-"] for name, parts in cost.items()]
    report.table(["", "forward, µs an image", "weight gradient, µs", "NumPy's loop over it"], table)
    if not slow:
        report.note(f"NumPy is {MISSING}")
    report.in_short("convolution", ratio(sum(slow), sum(cost["lanes"])) if slow else f"NumPy is {MISSING}")
