"""How ``benchmark.py`` prints what it measures: tables as they come, and at the end all that matters in a few lines."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence

MISSING = "not installed"
PEERS = ("NumPy", "scikit-learn", "pandas", "torch")

SUMMARY = {
    "numpy": "training, {images} images, hidden 100, batch 32: time over NumPy's on one thread",
    "textbook": "the same, textbook triple loop over ours",
    "paths": "all ways to train: the largest time over NumPy's by hand",
    "engine numpy": "engine `numpy`, time over NumPy's by hand, the largest of {ways} ways, batches of {batches}",
    "engine numpy float32": "the same in float32, over float64 by hand",
    "engine torch": "engine `torch` on the CPU, time over PyTorch's by hand, likewise",
    "tiny": "4-3-2, row by row, training / predicting: time of `lanes` over that of `linalg`",
    "tanh": "`lanes` with Tanh: times the speed of the `linalg` engine",
    "deep": "`lanes` with two hidden layers (128, 64): times the speed of the `linalg` engine",
    "convolution": "`Conv2D(1, 8, 3)` forward and weight gradient, NumPy's pixel loop over ours",
    "agreement": "loss in and after each of 3 epochs, `lanes` against `linalg`, same seed",
    "five": "full MNIST, 5 epochs: test accuracy",
    "best": "full MNIST, under 5 minutes of one core: test accuracy",
    "load": "`load_csv` on {load} rows as CSV, time over `pandas.read_csv`",
    "load floats": "`load_csv` on {load_floats} rows of floats as CSV, time over `pandas.read_csv`",
    "predict": "`predict` of {predict} rows of `bytes`, time over NumPy's on an array",
    "predict lists": "`predict` of {predict} lists of ints, the same",
    "latency": "one-row `predict`, time over scikit-learn's MLPClassifier",
    "ints": "one-row `predict` of a list of ints, time over that of a row of `bytes`",
    "saved": "`Model.load` of a saved model / and a row predicted",
    "cold": "cold start (start, load, predict one row), time over scikit-learn's with joblib",
    "cold memory": "peak memory of that process",
    "memory": "peak memory of training on all images, over NumPy's holding float64",
    "spike": "the general engine, time over that of a hard-coded spike",
}
ONLY_IF_MEASURED = "spike"


class Report:
    """Prints tables, as text or in markdown, and keeps what the last of them, the summary, is made of."""

    def __init__(self, markdown: bool = False) -> None:
        self.markdown = markdown
        self.measured: dict[str, str] = {}

    def heading(self, title: str) -> None:
        print(f"\n{'### ' if self.markdown else ''}{title}\n", flush=True)

    def note(self, text: str) -> None:
        print(f"\n{text}" if self.markdown else text, flush=True)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table whose first column is text and whose others are numbers."""
        cells = [list(header), *map(list, rows)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        if self.markdown:
            cells.insert(1, ["-" * widths[0], *["-" * (width - 1) + ":" for width in widths[1:]]])
        for row in cells:
            padded = [cell.rjust(width) if k else cell.ljust(width) for k, (cell, width) in enumerate(zip(row, widths))]
            print(f"| {' | '.join(padded)} |" if self.markdown else "  ".join(padded).rstrip())
        sys.stdout.flush()

    def in_short(self, name: str, text: str) -> None:
        """What the summary is to say of what has this name in ``SUMMARY``."""
        self.measured[name] = text

    def summary(self, data: str, **numbers: object) -> None:
        """The last table: what was measured on these data, and on which machine."""
        self.heading(f"In short, on {data}")
        names = [name for name in SUMMARY if name != ONLY_IF_MEASURED or name in self.measured]
        rows = [[SUMMARY[name].format(**numbers), self.measured.get(name, "not measured")] for name in names]
        self.table(["what", "measured"], rows)
        self.note(f"Measured on {machine()}.")


def micro(seconds: float | None) -> str:
    """Seconds as microseconds."""
    return MISSING if seconds is None else f"{seconds * 1e6:,.1f}"


def ratio(a: float | None, b: float | None) -> str:
    """a / b, or a dash where one is missing."""
    return f"{a / b:.2f}" if a is not None and b else "-"


def ratio_to(peer: str, a: float, b: float | None) -> str:
    """a / b, or who is missing."""
    return ratio(a, b) if b else f"{peer} is {MISSING}"


def percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def version(package: str) -> str:
    """The version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except ImportError:
        return MISSING


def machine() -> str:
    """Where and when this was measured: processor, Python, peers, date."""
    processor = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        processor = models[0] if models else processor
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    cores = f"{os.cpu_count()} cores" if os.cpu_count() != 1 else "1 core"
    return f"{processor}, {cores}, {platform.system()}; {python}; {peers}; {time.strftime('%Y-%m-%d')}"
