"""Times scratchnn beside NumPy, scikit-learn, PyTorch and the textbook's loops, all at the same work in the same run.

    python examples/benchmark.py                        the small digits that come along, in seconds
    python examples/benchmark.py mnist/                 a folder with MNIST's four files; ten minutes or so
    python examples/benchmark.py mnist/ --full          and all of MNIST: five epochs, then a run that reaches 98 %
    python examples/benchmark.py mnist.csv --only training,load --markdown

The work: inputs-100-classes, ReLU, softmax cross-entropy, SGD with learning rate 0.1 and batches of 32. Machines are
noisy, so those compared take turns (A B A B ...), the fastest turn of each counts, and what to take home is ratios.
Everything has one thread, and its time is what this process had of the processor, so that other programs count less;
only a cold start and a spike go by the clock on the wall. Needs scratchnn alone; peers that are not installed are named
as such and left out.

Here are the command and the list of its sections, each a function that measures and prints a table or two, in a file
named in the imports below. ``_benchmark_numpy.py`` and ``_benchmark_programs.py`` have those who are compared,
``_benchmark_data.py`` the rows and how many of them, ``_benchmark_measuring.py`` the clock.
"""

from __future__ import annotations

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # so that a fresh clone needs no installation
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read by NumPy's and others' libraries when they are loaded, so it is set first

import argparse  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402

from _benchmark_data import FEWEST, Data, Sizes, find_data  # noqa: E402
from _benchmark_report import Report  # noqa: E402
from _benchmark_training import agreement, full, growth, spike, training  # noqa: E402
from _benchmark_using import cold_start, latency, loading, memory, predicting, saved  # noqa: E402
from _benchmark_ways import ON_ARRAYS, convolution, engines, paths, tiny, variants  # noqa: E402
from _benchmark_workers import workers  # noqa: E402

from scratchnn import ArgumentError, DataError  # noqa: E402

SECTIONS: dict[str, Callable[[Data, Sizes, Report, argparse.Namespace], None]] = {
    "training": training,
    "spike": spike,
    "variants": variants,
    "paths": paths,
    "engines": engines,
    "tiny": tiny,
    "workers": workers,
    "convolution": convolution,
    "agreement": agreement,
    "load": loading,
    "predict": predicting,
    "latency": latency,
    "saved": saved,
    "cold": cold_start,
    "memory": memory,
    "growth": growth,
    "full": full,
}


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time scratchnn beside others at the same work.")
    parser.add_argument("data", nargs="?", metavar="DATA", help="folder with MNIST's files, or a CSV (default: digits)")
    parser.add_argument("--images", type=int, default=10000, metavar="N", help="images to train on (10000)")
    quick_help = "everything tiny: does it run at all? (PyTorch, which takes seconds to start, only with --only)"
    parser.add_argument("--quick", action="store_true", help=quick_help)
    parser.add_argument("--only", metavar="SECTION,...", help=f"some of: {', '.join(SECTIONS)}")
    parser.add_argument("--full", action="store_true", help="also train on all images, for minutes")
    parser.add_argument("--markdown", action="store_true", help="print tables in markdown")
    spike_help = "a script to time in turn with ours, called with: hidden images epochs lane_bits batch"
    parser.add_argument("--spike", metavar="FILE", default=os.environ.get("SCRATCHNN_SPIKE"), help=spike_help)
    options = parser.parse_args(arguments)
    default = [name for name in SECTIONS if name != "full" or options.full]
    options.sections = options.only.split(",") if options.only else default
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"unknown section {unknown[0]!r}: there are {', '.join(SECTIONS)}")
    if options.images < FEWEST:
        parser.error(f"--images must be at least {FEWEST}, got {options.images}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = read_arguments(arguments)
    try:
        data = find_data(options.data)
    except (OSError, ArgumentError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sizes = Sizes(
        min(options.images, len(data.X), 100 if options.quick else len(data.X)), options.quick, not options.only
    )
    report = Report(options.markdown)
    for name in options.sections:
        SECTIONS[name](data, sizes, report, options)
    measured_on = f"{data.name} ({len(data.X)} training images, {data.inputs} pixels)"
    numbers = {**vars(sizes), "ways": len(ON_ARRAYS), "batches": " / ".join(map(str, sizes.batches))}
    report.summary(measured_on, **numbers)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
