"""Predicts from the command line: ``python -m scratchnn.predict model.pkl rows.csv``, made for pipes.

A prediction a row goes to standard output, quoted as CSV where a label needs it; what is said about them goes to
standard error. This door reads arguments and prints; the work is done by ``Model`` and ``datasets``. Relies on
``doors`` for errors and exit codes.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from . import doors
from .errors import ArgumentError
from .escapes import printable

ROWS_AT_A_TIME = 256  # enough to keep the model busy, few enough for `| head` to be served at once


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for bad input, 141 when the reader of the output has gone."""
    return doors.run(_predict, arguments)


def _predict(arguments: Sequence[str] | None) -> int:
    options = _parse(arguments)
    from . import storage
    from .model import Model

    if options.output is not None:
        doors.spare_inputs(options.output, options.model, options.rows)
        storage.check_writable(options.output)
    model = Model.load(options.model, max_work=options.max_work)
    if options.proba and not model.classes:
        raise ArgumentError("--proba needs a model that predicts classes, and this one predicts numbers")
    data = _read(options, model)
    if options.output is None:
        _write(_standard_output(), options, model, data)
    else:
        text = io.StringIO()
        _write(text, options, model, data)
        storage.write_atomically(options.output, text.getvalue().encode("utf-8"))
    if options.score:
        doors.complain(_score(model, data))
    return 0


def _score(model: Any, data: Any) -> str:
    if model.classes:
        return f"accuracy: {model.score(data.X, data.y):.2%}"
    if len(set(data.y)) < 2:
        return "R2: undefined, as the labels do not differ"
    return f"R2: {model.score(data.X, data.y):.4f}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = doors.Parser(
        prog=doors.spelled("predict"),
        description="Write the model's prediction for each row of a CSV file to standard output.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file that training saved, such as model.pkl")
    parser.add_argument("rows", metavar="CSV", help="the rows, with or without a label column; - for standard input")
    parser.add_argument("--proba", action="store_true", help="every class's probability, as CSV under a header line")
    parser.add_argument("--score", action="store_true", help="say on standard error how well labels were met")
    parser.add_argument("--output", "-o", metavar="FILE", help="write here, and not to standard output")
    parser.add_argument(
        "--max-work",
        metavar="N",
        type=doors.whole_number(at_least=1),
        help="multiply-adds that a row may take: a model from a stranger could ask for more than ends",
    )
    parser.add_csv_format()
    parser.add_version()
    return parser.parse_args(arguments)


def _read(options: argparse.Namespace, model: Any) -> Any:
    """The rows as a dataset; its labels are compared with the model's classes only if they are to be scored."""
    if options.rows == "-":
        with _standard_input() as path:
            return _load(options, model, path)
    return _load(options, model, options.rows)


def _load(options: argparse.Namespace, model: Any, path: str) -> Any:
    from .datasets import Dataset, load_csv

    # What training knew of its file; classes only matter where labels are compared with them.
    trained_on = Dataset(
        [],
        [],
        classes=model.classes if options.score else [],
        feature_names=model.feature_names,
        label_name=model.label_name,
        label_position=model.label_position,
    )
    data = load_csv(
        path,
        options.label,
        header=options.header,
        delimiter=options.delimiter,
        regression=not model.classes,
        label_required=options.score,
        width=model.input_size,
        like=trained_on,
    )
    named_or_numbered = data.feature_names or isinstance(options.label, int)  # names are for files with a header
    if options.label is not None and data.label_position is None and named_or_numbered:
        raise ArgumentError(
            f"{path}: no label column {options.label}: all {data.width} columns are features of the model"
        )
    return data


@contextmanager
def _standard_input() -> Iterator[str]:
    """A file with what comes from standard input; errors call it by that name."""
    import shutil
    import tempfile

    if sys.stdin is None:
        raise OSError("standard input is closed")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.csv")
        with open(path, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield path
        except ValueError as error:
            raise type(error)(str(error).replace(path, "standard input")) from None


def _standard_output() -> TextIO:
    """Standard output; into a file or a pipe it writes UTF-8 wherever it runs, as the rows are read as UTF-8."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None and not sys.stdout.isatty():
        reconfigure(encoding="utf-8")
    return sys.stdout


def _write(stream: TextIO, options: argparse.Namespace, model: Any, data: Any) -> None:
    """Write a line a row, in blocks, so that a reader gets the first ones early."""
    shown = printable if stream.isatty() else str  # a file or a program gets what it is, a person what can be read
    if options.proba:
        stream.write(_csv_line(["prediction", *map(str, model.classes)], shown))
    for start in range(0, len(data.X), ROWS_AT_A_TIME):
        rows = data.X[start : start + ROWS_AT_A_TIME]
        if options.proba:
            for prediction, probabilities in zip(model.predict(rows), model.predict_proba(rows)):
                stream.write(_csv_line([str(prediction), *(f"{p:.6g}" for p in probabilities)], shown))
        else:
            for prediction in model.predict(rows):
                fields = prediction if isinstance(prediction, list) else [prediction]
                stream.write(_csv_line(map(str, fields), shown))
        stream.flush()


def _csv_line(fields: Iterable[str], shown: Callable[[str], str]) -> str:
    return ",".join(_quoted(shown(field)) for field in fields) + "\n"


def _quoted(field: str) -> str:
    """A field of CSV, in quotes where any reader of CSV might stop, cut or trim it without them.

    Python's own csv module leaves a lone carriage return bare before 3.13, and many readers see a line end there.
    """
    plain = field.isprintable() and '"' not in field and "," not in field and field == field.strip() != ""
    return field if plain else '"' + field.replace('"', '""') + '"'


if __name__ == "__main__":
    raise SystemExit(main())
