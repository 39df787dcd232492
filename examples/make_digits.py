"""Writes digits_train.csv and digits_test.csv, the sample that comes with scratchnn, from scikit-learn's copy.

    python examples/make_digits.py [FOLDER]

Each grey level from 0 to 16 becomes round(level * 255 / 16): MNIST's range, and no two levels fall together. A fifth
of the rows, rounded up, is the test: the rows are sorted by label and, within a label, by a random number, and every
fifth is taken, so that each digit is in both files in proportion. Both files keep the rows' original order.
Needs scikit-learn, and nothing of scratchnn: the files stay as they are whatever becomes of the library.
"""

from __future__ import annotations

import argparse
import os
import random

SEED = 20
LEVELS = 16


def split(labels: list[int]) -> tuple[list[int], list[int]]:
    """The positions of the rows for training and for the test, each in rising order."""
    rng = random.Random(SEED)
    keys = [(label, rng.random(), position) for position, label in enumerate(labels)]
    test = sorted(position for _, _, position in sorted(keys)[::5])
    chosen = set(test)
    return [position for position in range(len(labels)) if position not in chosen], test


def write(path: str, rows: list[list[int]], labels: list[int], positions: list[int]) -> None:
    """One header line, then a line a digit: the label and its pixels from the top left, row by row."""
    header = ["label"] + [f"pixel{i}" for i in range(len(rows[0]))]
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write(",".join(header) + "\n")
        for position in positions:
            file.write(",".join(map(str, [labels[position], *rows[position]])) + "\n")


def main(folder: str) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    labels = [int(label) for label in digits.target]
    rows = [[round(level * 255 / LEVELS) for level in row] for row in digits.data.tolist()]
    train, test = split(labels)
    write(os.path.join(folder, "digits_train.csv"), rows, labels, train)
    write(os.path.join(folder, "digits_test.csv"), rows, labels, test)


if __name__ == "__main__":
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "data")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=data, metavar="FOLDER", help="a folder (default: the repository's data)"
    )
    folder = parser.parse_args().folder
    if not os.path.isdir(folder):
        parser.error(f"there is no folder {folder}")
    try:
        main(folder)
    except (ImportError, OSError) as error:  # no scikit-learn, or no room
        raise SystemExit(f"error: {error}") from None
