"""Sections of the benchmark: all that a network can learn with, on every engine and by hand; the tiny; convolution."""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from _benchmark_data import BATCH, HIDDEN, Data, Rows, Sizes, random_floats
from _benchmark_measuring import if_installed, take_turns, timed
from _benchmark_numpy import NumpyByHand, NumpyConvolution, NumpyLoop
from _benchmark_programs import PyTorch, Scratchnn, convolutional
from _benchmark_report import MISSING, Report, micro, ratio

from scratchnn import Model
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
    "Adam": {"optimizer": "adam", "lr": 0.001},
    "AdamW": {"optimizer": "adamw", "lr": 0.001, "weight_decay": 0.01},
    "RMSprop": {"optimizer": "rmsprop", "lr": 0.001},
    "clip_norm 1": {"clip_norm": 1.0},
}
Makers = dict[str, Callable[[], Any]]  # of those who are compared


def each_path(data: Rows, images: int) -> Iterator[tuple[str, Makers]]:
    """(what is trained, how) for all that a network can learn with, dense floats, and a convolutional network."""

    def on_engines(rows: Rows, **settings: Any) -> Makers:
        return {engine: partial(Scratchnn, rows, engine, images, **settings) for engine in ("lanes", "numpy")}

    for label, settings in PATHS.items():
        yield label, {**on_engines(data, **settings), "hand": partial(NumpyByHand.on, data, images, **settings)}
    floats = random_floats(images, 64, 10)
    yield "rows of 64 floats", {**on_engines(floats), "hand": partial(NumpyByHand.on, floats, images)}
    side = math.isqrt(data.inputs)
    if side * side == data.inputs and side >= 4:
        model = convolutional(side, len(data.classes))
        by_hand = partial(NumpyConvolution.on, data, images, side)
        yield "Conv2D(1, 8, 3), pooling, linear", {**on_engines(data, model=model), "hand": by_hand}


def epochs_in_turn(rounds: int, makers: Makers) -> dict[str, float | None]:
    """Seconds an image of an epoch for each of those who are installed, None for others."""
    made = {name: if_installed(make) for name, make in makers.items()}
    present = {name: one for name, one in made.items() if one}
    seconds = take_turns(rounds, {name: one.epoch for name, one in present.items()})
    return {name: one and seconds[name] / one.images for name, one in made.items()}


def paths(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """All that a network can learn with: on lanes, on the engine that hands its work to NumPy, in NumPy by hand."""
    images = sizes.variants
    report.heading(f"Ways to train {data.inputs}-{HIDDEN}-{len(data.classes)}, {images} images, batches of {BATCH}")
    rows, slowest = [], (0.0, "")
    for label, makers in each_path(data, images):
        lanes, engine, hand = epochs_in_turn(sizes.rounds, makers).values()
        rows.append([label, micro(lanes), micro(engine), micro(hand), ratio(lanes, engine), ratio(lanes, hand)])
        if lanes and hand:
            slowest = max(slowest, (lanes / hand, label))
    header = ["", "lanes, µs an image", "engine numpy, µs", "NumPy by hand, µs", "lanes over engine numpy"]
    report.table([*header, "lanes over NumPy by hand"], rows)
    times, label = slowest
    report.in_short("paths", f"{times:.2f} ({label})" if label else f"NumPy is {MISSING}")


ON_ARRAYS = ("SGD", "Adam", "Tanh", "dropout 0.2", "clip_norm 1")


def engines(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Engines of arrays over programs written by hand for the same libraries, a column for each way to train."""
    batches = " / ".join(map(str, sizes.batches))
    report.heading(f"Engines of arrays over programs by hand in float64, {sizes.arrays} images, batches of {batches}")
    rows = over_program("NumPy", NumpyByHand.on, ("numpy", "numpy float32"), data, sizes, report)
    if sizes.slow_imports:
        rows += over_program("PyTorch", PyTorch, ("torch",), data, sizes, report)
    report.table(["", *ON_ARRAYS], rows)


def over_program(
    library: str, program: Callable[..., Any], names: Sequence[str], data: Data, sizes: Sizes, report: Report
) -> list[list[str]]:
    """Rows of the table: time of the program, and of engines over it; in each cell one for each size of batches."""
    images, by_hand = sizes.arrays, [f"{library} by hand, µs an image"]
    rows = {name: [f"engine {name} over it"] for name in names}
    for label in ON_ARRAYS:
        measured = []
        for batch in sizes.batches:
            settings = {**PATHS[label], "batch": batch}
            makers: Makers = {name: partial(Scratchnn, data, name, images, **settings) for name in names}
            makers["by hand"] = partial(program, data, images, **settings)
            measured.append(epochs_in_turn(sizes.many_rounds, makers))
        by_hand.append(" / ".join(micro(seconds["by hand"]) for seconds in measured))
        for name, row in rows.items():
            row.append(" / ".join(ratio(seconds[name], seconds["by hand"]) for seconds in measured))
    for name, (_, *cells) in rows.items():
        columns = list(zip(*(cell.split(" / ") for cell in cells)))  # one for each size of batches
        missing = any("-" in column for column in columns)
        largest = f"{library} is {MISSING}" if missing else " / ".join(max(column, key=float) for column in columns)
        report.in_short(f"engine {name}", largest)
    return [by_hand, *rows.values()]


def tiny(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """What a step costs when there is next to nothing to compute."""
    report.heading(f"A network of 4-3-2, {sizes.tiny} rows, one at a time")
    rows = random_floats(sizes.tiny, 4, 2)
    pair = {engine: Scratchnn(rows, engine, sizes.tiny, 3, batch=1) for engine in ("lanes", "linalg")}

    def predict(model: Model) -> Callable[[], float]:
        singles = [[row] for row in rows.X]
        return timed(lambda: [model.predict(single) for single in singles])

    table = []
    for label, runs in (
        ("training, batches of one row", {name: one.epoch for name, one in pair.items()}),
        ("predicting one row", {name: predict(one.model) for name, one in pair.items()}),
    ):
        best = take_turns(sizes.many_rounds, runs)
        lanes, lists = (best[name] / sizes.tiny for name in pair)
        table.append([label, micro(lanes), micro(lists), ratio(lanes, lists)])
    report.table(["", "lanes, µs a row", "linalg, µs a row", "lanes over linalg"], table)
    report.in_short("tiny", " / ".join(row[-1] for row in table))


def _summed(ops: Any, layer: Any, x: Any) -> Any:
    return ops.sum_rows(layer.forward(x))


def convolution(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """The two halves of training the first layer of a convolutional network, Conv2D(1, 8, 3). What comes forward is
    added up over the images, because lanes compute it when it is read."""
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
        runs[str(ops.name)] = count, partial(_summed, ops, layer, x), partial(layer.backward, gradient, False)
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
