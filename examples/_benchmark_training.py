"""Sections of the benchmark: one network beside others, both engines in agreement, as it grows, and up to 98 %."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from _benchmark_data import BATCH, FEWEST, HIDDEN, LR, PLAIN, START, Data, Sizes, write_idx
from _benchmark_measuring import if_installed, run_fresh, take_turns, timed
from _benchmark_numpy import NumpyByHand
from _benchmark_programs import PyTorch, ScikitLearn, Scratchnn, Textbook
from _benchmark_report import Report, micro, percent, ratio, ratio_to

from scratchnn import CosineSchedule, Model


def training(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Microseconds an image of one epoch, for everyone."""
    images = sizes.images
    report.heading(f"Training {data.inputs}-{HIDDEN}-{len(data.classes)}, {images} images, batches of {BATCH}")
    numpy, ours, textbook = "NumPy by hand, one thread", "scratchnn, lanes", "textbook triple loop"
    contenders = {
        ours: Scratchnn(data, "lanes", images),
        "scratchnn, linalg": Scratchnn(data, "linalg", sizes.linalg),
        textbook: Textbook(data, sizes.textbook),
        numpy: if_installed(lambda: NumpyByHand.on(data, images)),
        "scikit-learn's MLPClassifier": if_installed(lambda: ScikitLearn(data, images)),
    }
    if sizes.slow_imports:
        contenders["PyTorch, float32, one thread"] = if_installed(lambda: PyTorch(data, images, dtype="float32"))
    present = {name: contender for name, contender in contenders.items() if contender}
    seconds = take_turns(sizes.rounds, {name: contender.epoch for name, contender in present.items()})
    each = {name: seconds[name] / contender.images for name, contender in present.items()}
    rows = []
    for name, contender in contenders.items():
        few = contender and contender.images < images
        label = f"{name} ({contender.images} images only)" if few else name
        accuracy = contender.accuracy(data.test) if contender and not few else None
        cost = each.get(name)
        rows.append([label, micro(cost), ratio(cost, each.get(numpy)), percent(accuracy)])
    report.table(["", "µs an image", "over NumPy", "test accuracy"], rows)
    report.note(f"Epochs: {sizes.rounds}, the fastest counts; the accuracy is the one after all of them.")
    preparation = micro(present[ours].preparation / images)
    report.note(f"Before its first epoch, scratchnn (lanes) spends {preparation} µs an image on preparing its inputs.")
    report.in_short("numpy", ratio_to("NumPy", each[ours], each.get(numpy)))
    report.in_short("textbook", f"{each[textbook] / each[ours]:.0f}")


def spike(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """A script with one hard-coded network and scratchnn, in turn, each in a process of its own."""
    if not options.spike:
        return
    report.heading(f"The general engine beside {os.path.basename(options.spike)}, {sizes.images} images, 2 epochs each")

    def spike_run(lane_bits: int) -> float:
        arguments = map(str, (HIDDEN, sizes.images, 2, lane_bits, BATCH))
        command = [sys.executable, options.spike, *arguments]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return min(map(float, re.findall(r"([\d.]+) us an image to train", printed)))

    with tempfile.TemporaryDirectory() as folder:
        paths = write_idx(folder, data, sizes.images)

        def our_run() -> float:
            program = "from _benchmark_programs import train_scratchnn; train_scratchnn(*__import__('sys').argv[1:])"
            printed, _, _ = run_fresh(program, *paths, "2")
            return float(printed[-1])

        runs: dict[str, Callable[[], float]] = {"scratchnn, lanes": our_run}
        for bits in (40, 48):
            runs[f"spike, lanes of {bits} bits"] = lambda bits=bits: spike_run(bits)
        best = take_turns(sizes.rounds, runs)
    report.note("The spike reads images of its own choosing; the comparison holds if they are the same as here.\n")
    ours, *others = best.values()
    rows = [[name, f"{micros:,.1f}", ratio(micros, min(others))] for name, micros in best.items()]
    report.table(["", "µs an image", "over the faster spike"], rows)
    report.in_short("spike", ratio(ours, min(others)))


def agreement(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """The losses of both engines, which start from the same weights and see the same batches."""
    report.heading(f"Loss of both engines, the same seed, {sizes.agreement} images")
    lanes, lists = (Scratchnn(data, engine, sizes.agreement) for engine in ("lanes", "linalg"))
    rows, largest = [], 0.0
    X, y = data.X[: sizes.agreement], data.y[: sizes.agreement]
    for epoch in range(1, 4):
        losses = []
        for one in (lanes, lists):
            one.epoch()
            losses.append((one.history.loss[0], one.model.evaluate(X, y)[0]))
        for when, a, b in zip(("in", "after"), *losses):
            apart = abs(a / b - 1)
            largest = max(largest, apart)
            rows.append([f"{when} epoch {epoch}", f"{a:.6f}", f"{b:.6f}", f"{100 * apart:.4f} %"])
    report.table(["", "lanes", "linalg", "apart"], rows)
    report.in_short("agreement", f"{100 * largest:.3f} %")


def growth(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """How the cost of an image changes with the hidden layer, the batch and the number of images."""
    report.heading(f"Cost of an image; where not said, {sizes.growth} images, hidden {HIDDEN}, batches of {BATCH}")
    usual = {"images": sizes.growth, "hidden": HIDDEN, "batch": BATCH}
    cases: list[tuple[str, dict[str, Any]]] = [(f"hidden {size}", {"hidden": size}) for size in sizes.hidden]
    cases += [(f"batches of {size}", {"batch": size}) for size in (8, 32, 128) if size < sizes.growth]
    cases.append(("all images in one batch", {"batch": None}))
    counts = sorted({max(sizes.images // part, FEWEST) for part in (100, 10, 1)})
    cases += [(f"{count} images", {"images": count}) for count in counts]
    rows = []
    for label, different in cases:
        case = {**usual, **different}
        ours = Scratchnn(data, "lanes", case["images"], case["hidden"], batch=case["batch"])
        numpy = if_installed(lambda case=case: NumpyByHand.on(data, **case))
        runs = {"ours": ours.epoch, **({"numpy": numpy.epoch} if numpy else {})}
        best = {name: seconds / case["images"] for name, seconds in take_turns(sizes.rounds, runs).items()}
        theirs = best.get("numpy")
        rows.append([label, micro(best["ours"]), micro(theirs), ratio(best["ours"], theirs)])
    report.table(["", "lanes, µs an image", "NumPy, µs an image", "over NumPy"], rows)


# What reaches 98 % on MNIST well within five minutes of one core.
BEST = {"hidden": 200, "epochs": 6, "lr": 0.1, "batch_size": 64, "momentum": 0.9}


def full(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Test accuracy after training on all images: the usual network, and one that is made to be accurate."""
    X, y = data.X[: sizes.all], data.y[: sizes.all]
    report.heading(f"Training on all {len(X)} images with lanes")
    rows = []
    usual = {"hidden": HIDDEN, "epochs": sizes.full_epochs, "lr": LR, "batch_size": BATCH, **PLAIN}
    for bar, settings in (("five", usual), ("best", {**BEST, "schedule": CosineSchedule(BEST["epochs"])})):
        fit = dict(settings)
        model = Model(data.inputs, fit.pop("hidden"), len(data.classes), engine="lanes", scaling="pixels", **START)
        seconds = timed(lambda model=model, fit=fit: model.fit(X, y, **fit))()
        accuracy = percent(model.score(data.test.X, data.test.y))
        said = ", ".join(f"{name} {value}" for name, value in settings.items() if name != "schedule" and value)
        rows.append([said + (", cosine schedule" if settings["schedule"] else ""), f"{seconds:.1f}", accuracy])
        if data.is_mnist() and sizes.all is None:
            report.in_short(bar, accuracy if bar == "five" else f"{accuracy} after {seconds:.0f} s")
    report.table(["", "seconds of one core", "test accuracy"], rows)
