"""What the examples share: their arguments, the images they learn from, where their pictures go, and how they end.

It comes before scratchnn in every example, because it also makes a fresh clone usable without an installation.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # so that a fresh clone needs no installation

from scratchnn import (  # noqa: E402
    ArgumentError,
    DataError,
    Dataset,
    ModelFileError,
    TrainingDiverged,
    load_csv,
    load_digits,
    load_idx,
)
from scratchnn.escapes import printable  # noqa: E402
from scratchnn.plots.figure import Figure  # noqa: E402

QUICK_IMAGES = 300  # to learn from, in a shortened run
HOW_TO_GET_MNIST = "python -m scratchnn.datasets mnist --to DIR fetches it"


def read_arguments(
    description: str | None,
    arguments: Sequence[str] | None = None,
    *,
    pictures: bool = True,
    mnist: bool = False,
    mini: bool = False,
    full: bool = False,
) -> argparse.Namespace:
    """``--out`` (for ``pictures``) and ``--quick``, and where an example can use them ``--full``, ``--mnist`` and
    ``--mini``.

    Every folder is seen to at once: after an hour of learning would be late. ``description`` is the example's
    docstring, of which ``--help`` shows the first line and, at its end, the paragraph on what there is to learn.
    """
    first_line, _, rest = (description or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=first_line, epilog=rest.split("\n\n")[0])
    if pictures:
        parser.add_argument(
            "--out", default="pictures", metavar="DIR", help="folder for the pictures (default: pictures)"
        )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="a shortened run of seconds, with humbler results")
    if full:
        length.add_argument("--full", action="store_true", help="the long run, of minutes, with better results")
    parser.set_defaults(mnist=None, mini=None, full=False, folder="--mini" if mini else "--mnist" if mnist else "")
    if mnist:
        parser.add_argument("--mnist", metavar="DIR", help=f"learn from MNIST, in this folder; {HOW_TO_GET_MNIST}")
    if mini:
        parser.add_argument(
            "--mini", metavar="DIR", help="learn from mini-MNIST: train.csv and test.csv in this folder"
        )
    options = parser.parse_args(arguments)
    for folder in (options.mnist, options.mini):
        if folder is not None and not os.path.isdir(folder):
            parser.error(f"there is no folder {folder}")
    try:
        if pictures:
            os.makedirs(options.out, exist_ok=True)
    except OSError as error:
        parser.error(f"--out must be a folder, or a place for one: {error}")
    if options.quick:
        print("a shortened run, too short to show what the example is about")
    return options


def load_images(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    """(training, test) images: mini-MNIST or MNIST where its folder was given, else the digits that come along."""
    train, test = _read_images(options)
    if options.quick:
        train = Dataset(train.X[:QUICK_IMAGES], train.y[:QUICK_IMAGES], classes=train.classes)
        test = Dataset(test.X[:QUICK_IMAGES], test.y[:QUICK_IMAGES], classes=test.classes)
    return train, test


def _read_images(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    if options.mini:
        train = load_csv(os.path.join(options.mini, "train.csv"))
        return train, load_csv(os.path.join(options.mini, "test.csv"), like=train)
    if options.mnist:
        files = sorted(f for f in os.listdir(options.mnist) if not f.endswith(".part"))  # those are half a download
        names = [next((f for f in files if f.startswith(f"{part}-images")), "") for part in ("train", "t10k")]
        if not all(names):
            raise SystemExit(f"{options.mnist} does not hold MNIST's files; {HOW_TO_GET_MNIST}")
        train, test = [load_idx(os.path.join(options.mnist, name)) for name in names]
        return train, test
    train, test = load_digits()
    without = f"without {options.folder} DIR: " if options.folder else ""
    print(f"{without}learning from the {len(train)} + {len(test)} digits of 8 x 8 pixels that come along")
    return train, test


def save(figure: Figure, options: argparse.Namespace, name: str) -> None:
    """Save a figure among the pictures, and say where it is."""
    path = os.path.join(options.out, name)
    figure.save(path)
    print(f"picture: {path}")


def run(main: Callable[[], object]) -> None:
    """Run an example from the command line: Ctrl-C, and what cannot be used or learned, end in a line and an exit code.

    Anything else is a bug, whose traceback is shown.
    """
    try:
        main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)  # what shells make of Ctrl-C: 128 and the number of the signal
    except (ArgumentError, DataError, ModelFileError, OSError, TrainingDiverged) as error:
        sys.exit(f"error: {printable(' '.join(str(error).split()))}")  # the line goes to standard error, the code is 1
