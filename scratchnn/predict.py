"""Predicts from the command line: ``python -m scratchnn.predict model.pkl rows.csv``, made for pipes.

A prediction a row goes to standard output, quoted as CSV where a label needs it; what is said about them goes to
standard error. This door reads arguments and prints; the work is done by ``Model`` and ``datasets``.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TextIO

from . import cli
from .errors import ArgumentError
from .escapes import printable
from .saving.atomic import same_file

ROWS_AT_A_TIME = 256  # enough to keep the model busy, few enough for `| head` to be served at once


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for bad input, 141 when the reader of the output has gone."""
    return cli.run(_predict, arguments)


def _predict(arguments: Sequence[str] | None) -> int:
    options = _parse(arguments)
    from .model import Model
    from .saving.atomic import check_writable, write_atomically

    for written in (options.output, options.report):
        if written is not None:
            cli.spare_inputs(written, options.model, *cli.input_files(options.rows))
            check_writable(written)
    model = Model.load(options.model, max_work=options.max_work)
    if options.proba and not model.classes:
        raise ArgumentError("--proba needs a model that predicts classes, and this one predicts numbers")
    if options.score and not model.classes and model.output_size > 1:
        option = next(f"--{name}" for name in ("report", "metrics", "score") if getattr(options, name))
        raise ArgumentError(f"{option} compares with one label a row, this model predicts {model.output_size} numbers")
    pieces = _pieces(options, model)
    if options.rows != "-":
        pieces = iter(list(pieces))  # a file with a bad row is refused before anything is written
    kept: list[Any] = []
    if options.report is not None:
        pieces = _kept(pieces, kept)
    score = None
    if options.score:
        score = _Metrics(model.classes) if options.metrics else _Score(model.classes)
    listeners: list[Any] = [] if score is None else [score]
    if options.show:
        listeners.insert(0, _Drawing(_standard_output(), options, model))
    if options.output is not None:
        text = io.StringIO()
        _tell(options, model, pieces, [_Lines(text, options, model), *listeners])
        write_atomically(options.output, text.getvalue().encode("utf-8"))
    else:
        lines = [] if options.show else [_Lines(_standard_output(), options, model)]
        _tell(options, model, pieces, [*lines, *listeners])
    if score is not None:
        for line in score.lines():
            cli.complain(line)
    if options.report is not None:
        _report(options, model, kept)
    return 0


def _kept(pieces: Iterator[Any], kept: list[Any]) -> Iterator[Any]:
    """The pieces as they come, all of which are also kept."""
    for piece in pieces:
        kept.append(piece)
        yield piece


def _report(options: argparse.Namespace, model: Any, pieces: Sequence[Any]) -> None:
    """Write a page on the model and how it meets the labels."""
    import shlex

    from .reports.report import write_report

    rows = [row for data in pieces for row in data.X]
    labels = [label for data in pieces for label in data.y]
    command = f"{cli.spelled('predict')} {shlex.join(options.typed)}"
    facts = [("model", options.model), ("rows", "standard input" if options.rows == "-" else options.rows)]
    write_report(model, rows, labels, options.report, command=command, data=facts)
    cli.complain(f"report written to {options.report}")


class _Drawing:
    """Draws rows with what was predicted, and what is true where that is known, for people to look at."""

    def __init__(self, stream: TextIO, options: argparse.Namespace, model: Any) -> None:
        from .drawings import Gallery
        from .terminal import look_of

        self.stream = stream
        self.model = model
        self.surely = options.proba
        self.gallery = Gallery(model.schema, look_of(stream), model.feature_names)
        self.at_once = max(ROWS_AT_A_TIME // self.gallery.side_by_side, 1) * self.gallery.side_by_side
        self.drawn = 0  # rows so far

    def add(self, rows: Any, predictions: Sequence[Any], labels: Sequence[Any], probabilities: Sequence[Any]) -> None:
        """Draw some rows."""
        captions = [
            self._caption(prediction, labels[k] if len(labels) else None, probabilities[k] if self.surely else ())
            for k, prediction in enumerate(predictions)
        ]
        for line in self.gallery.lines(rows, captions, range(self.drawn, self.drawn + len(captions))):
            self.stream.write(line + "\n")
        self.stream.flush()
        self.drawn += len(captions)

    def _caption(self, prediction: Any, label: Any, probabilities: Sequence[float]) -> Any:
        from .drawings import Caption, caption
        from .reports.mistakes import percent

        if self.model.classes:
            return caption(prediction, label, f" {percent(max(probabilities))}" if probabilities else "")
        if isinstance(prediction, list):
            return Caption(" ".join(f"{value:.4g}" for value in prediction))
        return Caption(f"{prediction:.5g}" + ("" if label is None else f", true {label:.5g}"))


class _Score:
    """How well labels were met, in the memory of a few numbers however many rows there are."""

    def __init__(self, classes: Sequence[Any]) -> None:
        self.classes = classes  # none for numbers to be predicted
        self.rows = 0
        self.right = 0
        self.residual = 0.0  # sum of squared differences between prediction and label
        self.mean = 0.0  # of the labels; and their squared distances from it, by Welford's update
        self.total = 0.0

    def add(self, rows: Any, predictions: Sequence[Any], labels: Sequence[Any], probabilities: Sequence[Any]) -> None:
        """Count some rows in."""
        for prediction, label in zip(predictions, labels):
            self.rows += 1
            if self.classes:
                self.right += prediction == label
            else:
                self.residual += (prediction - label) * (prediction - label)
                apart = label - self.mean
                self.mean += apart / self.rows
                self.total += apart * (label - self.mean)

    def lines(self) -> list[str]:
        """What there is to say."""
        if self.classes:
            return [f"accuracy: {self.right / self.rows:.2%}"]
        if not 0.0 < self.total < math.inf:
            return [f"R2: undefined, as the labels {'are too large' if self.total else 'do not differ'}"]
        return [f"R2: {1.0 - self.residual / self.total:.4f}"]


class _Metrics(_Score):
    """The same and all other metrics, for which labels, predictions and probabilities are kept."""

    def __init__(self, classes: Sequence[Any]) -> None:
        super().__init__(classes)
        self.answers: list[Any] = []  # pairs of label and prediction
        self.probabilities: list[Any] = []

    def add(self, rows: Any, predictions: Sequence[Any], labels: Sequence[Any], probabilities: Sequence[Any]) -> None:
        """Count some rows in."""
        from array import array

        super().add(rows, predictions, labels, probabilities)
        self.answers += zip(labels, predictions)
        self.probabilities += [array("d", row) for row in probabilities]

    def lines(self) -> list[str]:
        """What there is to say."""
        from .metrics import summary

        labels, predictions = zip(*self.answers)
        if not self.classes:
            return [*super().lines(), *summary.described_numbers(summary.of_numbers(labels, predictions))]
        found = summary.of_classes(labels, predictions, self.probabilities, self.classes)
        return [*super().lines(), *summary.described_classes(found, cli.width_of(sys.stderr))]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(
        prog=cli.spelled("predict"),
        description="Write the model's prediction for each row of a CSV file to standard output.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file that training saved, such as model.pkl")
    parser.add_argument(
        "rows",
        metavar="CSV",
        help="the rows, with or without a label column; - for standard input; or images as IDX files",
    )
    parser.add_argument("--proba", action="store_true", help="every class's probability, as CSV under a header line")
    parser.add_argument("--score", action="store_true", help="say on standard error how well labels were met")
    parser.add_argument(
        "--metrics", action="store_true", help="say more: of each class, the confusion matrix; of numbers, their errors"
    )
    parser.add_argument(
        "--show", action="store_true", help="draw the rows with what was predicted, instead of writing predictions"
    )
    parser.add_argument("--report", metavar="FILE", help="write a page on how well labels were met, as HTML")
    parser.add_argument("--output", "-o", metavar="FILE", help="write here, and not to standard output")
    parser.add_argument(
        "--max-work",
        metavar="N",
        type=cli.whole_number(at_least=1),
        help="multiply-adds that a row may take: a model from a stranger could ask for more than ends",
    )
    parser.add_csv_format()
    parser.add_version()
    options = parser.parse_args(arguments)
    options.score = options.score or options.metrics or options.report is not None
    options.typed = list(sys.argv[1:] if arguments is None else arguments)
    if options.report is not None:
        from .reports.naming import check_name

        check_name(options.report)
        if options.output is not None and same_file(options.report, options.output):
            parser.error("--report and --output name one file, and each needs a file of its own")
    return options


def _pieces(options: argparse.Namespace, model: Any) -> Iterator[Any]:
    """The rows as data sets, one for each piece that has arrived; labels are compared with the model's classes only if
    they are to be scored."""
    from .datasets.dataset import images_in, iter_csv, labels_beside, load_images

    # Classes only matter where labels are compared with them.
    like = model.schema if options.score else model.schema._replace(classes=())
    images = None if options.rows == "-" else images_in(options.rows, test=True) or images_in(options.rows)
    if images is not None:
        yield load_images(images, like=like, labelled=options.score or (options.show and labels_beside(images)))
        return
    streamed = options.rows == "-"
    for data in iter_csv(
        cli.standard_input() if streamed else options.rows,
        like=like,
        regression=not model.classes,
        label_required=options.score,
        max_bytes=1 << 62 if streamed else None,  # nothing is kept of a stream
        **cli.csv_format(options),
    ):
        named_or_numbered = data.feature_names or isinstance(options.label, int)  # names are for files with a header
        if options.label is not None and data.label_position is None and named_or_numbered:
            raise ArgumentError(
                f"{data.source}: no label column {options.label}: all {data.width} columns are features of the model"
            )
        yield data


def _standard_output() -> TextIO:
    """Standard output; into a file or a pipe it writes UTF-8 wherever it runs, as the rows are read as UTF-8."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None and not sys.stdout.isatty():
        reconfigure(encoding="utf-8")
    return sys.stdout


class _Lines:
    """Writes a line a row."""

    def __init__(self, stream: TextIO, options: argparse.Namespace, model: Any) -> None:
        self.stream = stream
        self.proba = options.proba
        self.shown = printable if stream.isatty() else str  # a file or a program gets what it is, a person what is read
        self.header = ["prediction", *map(str, model.classes)] if options.proba else []

    def add(self, rows: Any, predictions: Sequence[Any], labels: Sequence[Any], probabilities: Sequence[Any]) -> None:
        """Write some rows' lines, and send them on."""
        write = self.stream.write
        if self.header:
            write(_csv_line(self.header, self.shown))
            self.header = []
        if self.proba:
            for prediction, row in zip(predictions, probabilities):
                write(_csv_line([str(prediction), *(f"{p:.6g}" for p in row)], self.shown))
        else:
            for prediction in predictions:
                fields = prediction if isinstance(prediction, list) else [prediction]
                write(_csv_line(map(str, fields), self.shown))
        self.stream.flush()


def _tell(options: argparse.Namespace, model: Any, pieces: Iterator[Any], listeners: Sequence[Any]) -> None:
    """Predict, and hand on what was predicted before the next piece is waited for or when a reader has enough to do."""
    at_once = min(
        (listener.at_once for listener in listeners if isinstance(listener, _Drawing)), default=ROWS_AT_A_TIME
    )
    for data in pieces:
        for start in range(0, len(data.X), at_once):
            rows, labels = data.X[start : start + at_once], data.y[start : start + at_once]
            probabilities: Sequence[Any] = ()
            if options.proba or (options.metrics and model.classes):
                predictions, probabilities = model.predict_with_proba(rows)
            else:
                predictions = model.predict(rows)
            for listener in listeners:
                listener.add(rows, predictions, labels, probabilities)


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
