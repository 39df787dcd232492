"""Sections of the benchmark that train nothing: reading files, predicting, a cold start, memory."""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from _benchmark_data import FLOAT_COLUMNS, HIDDEN, Data, Sizes, write_csv, write_csv_of_floats, write_idx
from _benchmark_measuring import if_installed, run_fresh, take_turns, timed
from _benchmark_numpy import NumpyByHand
from _benchmark_programs import ScikitLearn, Scratchnn
from _benchmark_report import MISSING, Report, micro, ratio, ratio_to

from scratchnn import Model, load_csv


def loading(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Reading the same CSV files: a header line, then a label and its pixels a line, or floats and a label."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.csv")
        report.heading(f"Loading {sizes.load} rows of {data.inputs} pixels as CSV")
        write_csv(path, data, sizes.load)
        compare_readers("load", path, sizes.load, sizes, report)
        report.heading(f"Loading {sizes.load_floats} rows of {FLOAT_COLUMNS} floats as CSV")
        write_csv_of_floats(path, sizes.load_floats)
        compare_readers("load floats", path, sizes.load_floats, sizes, report)


def compare_readers(name: str, path: str, count: int, sizes: Sizes, report: Report) -> None:
    """The table of those who can read a CSV file with a label column."""

    def use(name: str, method: str, **settings: Any) -> Callable[[], float]:
        read = attrgetter(method)(importlib.import_module(name))
        return timed(lambda: read(path, **settings))

    readers = {
        "scratchnn's load_csv": timed(lambda: load_csv(path, "label")),
        "pandas.read_csv": if_installed(lambda: use("pandas", "read_csv")),
        "numpy.loadtxt": if_installed(lambda: use("numpy", "loadtxt", delimiter=",", skiprows=1)),
    }
    best = take_turns(sizes.rounds, {name: reader for name, reader in readers.items() if reader})
    pandas, ours = best.get("pandas.read_csv"), best["scratchnn's load_csv"]
    rows = []
    for reader in readers:
        seconds = best.get(reader)
        rows.append([reader, micro(seconds and seconds / count), ratio(seconds, pandas)])
    report.table(["", "µs a row", "over pandas"], rows)
    report.in_short(name, ratio_to("pandas", ours, pandas))


def trained_pair(data: Data, sizes: Sizes) -> tuple[Model, Any]:
    """(scratchnn's model, scikit-learn's or None), each after an epoch."""
    ours, theirs = Scratchnn(data, "lanes", sizes.growth), if_installed(lambda: ScikitLearn(data, sizes.growth))
    for one in (ours, theirs):
        if one:
            one.epoch()
    return ours.model, theirs and theirs.model


def predicting(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Predicting many rows at once: as loaders give them, lists of ints, and in NumPy an array that is ready."""
    count = sizes.predict
    report.heading(f"Predicting {count} rows at once with {data.inputs}-{HIDDEN}-{len(data.classes)}")
    ours, peer = Scratchnn(data, "lanes", sizes.growth), if_installed(lambda: NumpyByHand.on(data, sizes.growth))
    ours.epoch()
    packed, lists, numpy = "scratchnn, rows of bytes", "scratchnn, lists of ints", "NumPy by hand, an array of float64"
    X = data.X[:count]
    as_lists = [list(row) for row in X]
    runs = {packed: timed(lambda: ours.model.predict(X)), lists: timed(lambda: ours.model.predict(as_lists))}
    if peer:
        array, _ = data.arrays(count)
        runs[numpy] = timed(lambda: peer.predict(array))
    best = take_turns(sizes.rounds, runs)
    theirs = best.get(numpy)
    rows = [[name, micro(best[name] / count), ratio(best[name], theirs)] for name in runs]
    report.table(["", "µs a row", "over NumPy"], rows + ([] if peer else [[numpy, MISSING, "-"]]))
    report.in_short("predict", ratio_to("NumPy", best[packed], theirs))
    report.in_short("predict lists", ratio_to("NumPy", best[lists], theirs))


def latency(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """What one prediction costs when rows come one at a time."""
    report.heading("Predicting one row at a time")
    model, peer = trained_pair(data, sizes)
    X = data.test.X[: sizes.latency]

    def predict_all(predict: Callable[[Any], Any], rows: Iterable[Any]) -> Callable[[], float]:
        singles = [row if hasattr(row, "dtype") else [row] for row in rows]
        predict(singles[0])  # what only the first call does is no part of it
        return timed(lambda: [predict(single) for single in singles])

    ours, theirs = "scratchnn, a row as loaders give it", "scikit-learn's MLPClassifier, an array of float64"
    ints = "scratchnn, a list of ints"
    runs = {ours: predict_all(model.predict, X), ints: predict_all(model.predict, map(list, X))}
    if peer:
        runs[theirs] = predict_all(peer.predict, data.test.arrays(len(X))[0][:, None])
    best = take_turns(sizes.short_rounds, runs)
    rows = [[name, micro(seconds / len(X)), ratio(seconds, best.get(theirs))] for name, seconds in best.items()]
    report.table(["", "µs a row", "over scikit-learn"], rows + ([] if peer else [[theirs, MISSING, "-"]]))
    report.in_short("latency", ratio_to("scikit-learn", best[ours], best.get(theirs)))
    report.in_short("ints", ratio(best[ints], best[ours]))


def saved(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Loading a saved model in a process that has loaded others before, and a first row predicted with it."""
    report.heading(f"Loading a saved model of {data.inputs}-{HIDDEN}-{len(data.classes)}")
    model, peer = trained_pair(data, sizes)
    row, theirs = data.test.X[0], "scikit-learn's MLPClassifier with joblib"
    with tempfile.TemporaryDirectory() as folder:
        path, other = (os.path.join(folder, name) for name in ("ours", "theirs"))
        model.save(path)
        runs = {
            "Model.load": timed(lambda: Model.load(path)),
            "Model.load, and a row predicted": timed(lambda: Model.load(path).predict([row])),
        }
        if peer:
            joblib = importlib.import_module("joblib")
            joblib.dump(peer, other)
            runs[theirs] = timed(lambda: joblib.load(other))
        best = take_turns(sizes.many_rounds, runs)
    rows = [[name, f"{1000 * seconds:.2f}"] for name, seconds in best.items()]
    report.table(["", "ms"], rows + ([] if peer else [[theirs, MISSING]]))
    report.in_short("saved", " / ".join(f"{1000 * best[name]:.1f}" for name in list(runs)[:2]) + " ms")


COLD_SCRATCHNN = """
import sys
from scratchnn import Model
with open(sys.argv[2], "rb") as file:
    row = file.read()
print(Model.load(sys.argv[1]).predict([row])[0])
"""

COLD_SCIKIT_LEARN = """
import sys
import joblib
with open(sys.argv[2], "rb") as file:
    row = file.read()
print(joblib.load(sys.argv[1]).predict([[pixel / 255 for pixel in row]])[0])
"""


def cold_start(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """From nothing to one prediction: start a process, load a saved model, predict a row."""
    report.heading("Cold start: a new process loads a saved model and predicts one row")
    model, peer = trained_pair(data, sizes)
    absent = "left out" if peer and not sizes.slow_imports else MISSING
    peer = peer if sizes.slow_imports else None
    ours, theirs, peaks = "scratchnn", "scikit-learn with joblib", {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: os.path.join(folder, name) for name in ("ours", "theirs", "row")}
        with open(paths["row"], "wb") as file:
            file.write(data.test.X[0])
        model.save(paths["ours"])
        programs = {ours: (COLD_SCRATCHNN, paths["ours"])}
        if peer:
            importlib.import_module("joblib").dump(peer, paths["theirs"])
            programs[theirs] = COLD_SCIKIT_LEARN, paths["theirs"]

        def run(name: str) -> float:
            _, seconds, peaks[name] = run_fresh(*programs[name], paths["row"])
            return seconds

        best = take_turns(sizes.short_rounds, {name: lambda name=name: run(name) for name in programs})
    rows = [[name, f"{1000 * s:.1f}", ratio(s, best.get(theirs)), f"{peaks[name]:.1f}"] for name, s in best.items()]
    report.table(["", "ms", "over scikit-learn", "peak MiB"], rows + ([] if peer else [[theirs, absent, "-", "-"]]))
    report.in_short("cold", f"1/{best[theirs] / best[ours]:.1f}" if peer else f"scikit-learn is {absent}")
    report.in_short("cold memory", f"{peaks[ours]:.1f} MiB")


def memory(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Peak memory of a process that reads all images and trains on them for an epoch."""
    count = len(data.X[: sizes.all])
    report.heading(f"Peak memory of one epoch on {count} images, from the start of the process")
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_idx(folder, data, count)
        for name, module, function, library in (
            ("scratchnn, lanes", "_benchmark_programs", "train_scratchnn", "scratchnn"),
            ("NumPy by hand, float64", "_benchmark_numpy", "train_numpy", "numpy"),
        ):
            if if_installed(lambda library=library: importlib.import_module(library)):
                program = f"import sys; from {module} import {function}; {function}(*sys.argv[1:])"
                peaks[name] = run_fresh(program, *paths, "1")[2]
            else:
                peaks[name] = None
    ours, numpy = peaks.values()
    rows = [[name, MISSING if peak is None else f"{peak:.0f}", ratio(peak, numpy)] for name, peak in peaks.items()]
    report.table(["", "MiB", "over NumPy"], rows)
    report.in_short("memory", ratio_to("NumPy", ours, numpy))
