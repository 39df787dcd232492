"""Reading CSV files: fast where a file is plain, patient where it is not, exact about what is wrong.

Every row is first tried the quick way: as pixels, whole numbers from 0 to 255, which make a ``bytes`` row (see
pixel_text.py); or, once a field was no pixel, as floats. Only a row that fails is looked at closely (quotes? an empty
field? one field too many?), and either read after all or refused with the file, the line and the column. The file is
read once and in pieces, so a pipe will do, and memory goes to the rows alone. One of the rooms behind datasets.py;
relies on csv_layout.py, pixel_text.py and data_file.py.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import chain
from math import isfinite
from typing import Any

from .csv_layout import HEAD_LINES, CsvOptions, Layout, find_layout, is_whole_number
from .data_file import CHUNK_BYTES, MAX_LINE_BYTES, DataFile, Path, listed, shown
from .pixel_text import PixelText
from .preprocessing import Row

NumberedLines = Iterator[tuple[int, bytes]]

MIN_PIXELS = 16  # fewer columns of small whole numbers are more likely counts than a picture
MIN_BRIGHTNESS = 100  # a picture without any value above this may be no picture at all


class CsvTable:
    """What was read: ``rows``, ``labels`` (ints, strings or, for regression, floats), ``layout``, ``pixels``
    (whether the rows are bytes)."""

    def __init__(self, rows: list[Row], labels: list[Any], layout: Layout, pixels: bool) -> None:
        self.rows = rows
        self.labels = labels
        self.layout = layout
        self.pixels = pixels


def read_csv(
    path: Path,
    options: CsvOptions,
    *,
    keep_pixels: bool = False,
    max_bytes: int | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
) -> CsvTable:
    """Read a CSV file; ``keep_pixels`` keeps 0-255 rows as ``bytes`` even if they are few or dark.

    Raises ``DataError`` for whatever is wrong with the file.
    """
    with DataFile(path, max_bytes) as file:
        lines = enumerate(file.lines(max_line_bytes), 1)
        head: list[tuple[int, bytes]] = []
        size = 0
        for number, line in lines:
            head.append((number, line))
            size += len(line)
            if len(head) == HEAD_LINES or (size > CHUNK_BYTES and len(head) > 2):
                break
        texts = [(number, file.text(line, number)) for number, line in head]
        layout, header = find_layout(file, texts, options)
        parser = _Parser(file, layout, options, max_line_bytes)
        parser.read(chain(head, lines), header)
        return parser.table(keep_pixels)


class _Parser:
    """Turns lines into rows and labels, by one layout."""

    def __init__(self, file: DataFile, layout: Layout, options: CsvOptions, max_line_bytes: int) -> None:
        self.file = file
        self.layout = layout
        self.regression = options.regression
        self.header_guessed = options.header is None
        self.max_line_bytes = max_line_bytes
        self.rows: list[Row] = []
        self.labels: list[Any] = []
        self.pixels = True  # every field so far was a whole number from 0 to 255
        # Label as written in the file -> label. Without a label column, nothing is written and there is no label.
        self.seen: dict[bytes, Any] = {b"": None} if layout.label is None else {}
        self.classes: dict[Any, Any] | None = None
        if options.classes is not None:
            self.classes = {str(label): label for label in options.classes}
            self.classes.update((label, label) for label in options.classes)
        self.check_single = options.classes is None and options.label_required and not options.regression

    def read(self, lines: NumberedLines, header: bool) -> None:
        """Read all lines; the first record is passed over if it is a header."""
        delimiter = self.layout.delimiter.encode()
        cut, known = self._cutter(delimiter), self.seen
        read_pixels = PixelText(self.layout.width, delimiter).read
        for number, line in self._below_header(lines) if header else lines:
            if self.pixels:
                written, fields = cut(line.rstrip(b"\r\n"))
                row = read_pixels(fields) if written in known else None
                if row is not None:
                    self.rows.append(row)
                    self.labels.append(known[written])
                    continue
            self._look_closer(number, line, lines)

    def _below_header(self, lines: NumberedLines) -> NumberedLines:
        for number, line in lines:
            if not self._blank(line):
                self._record(number, line, lines)
                break
        return lines

    def _cutter(self, delimiter: bytes) -> Callable[[bytes], tuple[bytes, bytes]]:
        """The function that cuts a line into its label as written and the other fields."""
        label_at = self.layout.label
        if label_at is None:
            return lambda line: (b"", line)

        def first(line: bytes) -> tuple[bytes, bytes]:
            label, _, fields = line.partition(delimiter)
            return label, fields

        def last(line: bytes) -> tuple[bytes, bytes]:
            fields, _, label = line.rpartition(delimiter)
            return label, fields

        def inside(line: bytes) -> tuple[bytes, bytes]:
            fields = line.split(delimiter)
            label = fields.pop(label_at) if len(fields) > label_at else b""
            return label, delimiter.join(fields)

        return first if label_at == 0 else last if label_at == self.layout.columns - 1 else inside

    def _look_closer(self, number: int, line: bytes, lines: NumberedLines) -> None:
        """Read a row that is not all pixels with a label met before."""
        if self._blank(line):
            return
        fields = line.rstrip(b"\r\n").split(self.layout.delimiter.encode())
        label_at = self.layout.label
        plain = len(fields) == self.layout.columns  # so far: no delimiter inside quotes
        written = fields.pop(label_at) if plain and label_at is not None else b""
        if plain and b'"' not in line:
            row = self._numbers(fields, line)
            if row is not None:
                if label_at is not None:
                    label = self.seen.get(written)
                    if label is None:
                        text = self.file.text(line, number).split(self.layout.delimiter)[label_at]
                        label = self._label(text, number)
                        self._remember(written, label)
                    self.labels.append(label)
                self._add(row)
                return
        texts = self._record(number, line, lines)
        if len(texts) != self.layout.columns:
            raise self._ragged(number, len(texts))
        if label_at is not None:
            label = self._label(texts[label_at], number)
            self.labels.append(label)
            if plain and written.count(b'"') % 2 == 0:
                self._remember(written, label)
        self._add([self._number(texts[i], i, number) for i in range(len(texts)) if i != label_at])

    def _remember(self, written: bytes, label: Any) -> None:
        """Let the quick way know a label by the way it is written, with its quotes; values seldom come twice."""
        if not self.regression:
            self.seen[written] = label

    def _blank(self, line: bytes) -> bool:
        """Whether a line is to be skipped; one of tabs alone is a row of empty fields where tabs part fields."""
        return not (line.strip(b" \r\n") if self.layout.delimiter == "\t" else line.strip())

    def _add(self, row: list[float]) -> None:
        if self.pixels:
            self.pixels = all(0 <= value <= 255 and value == int(value) for value in row)
        self.rows.append(bytes(map(int, row)) if self.pixels else row)

    @staticmethod
    def _numbers(fields: list[bytes], line: bytes) -> list[float] | None:
        """The fields as finite floats; None if one of them needs a closer look."""
        try:
            row = list(map(float, fields))
        except ValueError:
            return None
        if b"_" in line and b"_" in b"".join(fields):  # float() takes 1_000 for a number
            return None
        return row if isfinite(sum(row)) else None  # a sum is not finite if one value is not (or it overflows)

    def _record(self, number: int, line: bytes, lines: NumberedLines) -> list[str]:
        """The fields of the record that starts on this line; a quoted field may take further lines."""
        text = self.file.text(line, number)
        if '"' not in text:
            return text.rstrip("\r\n").split(self.layout.delimiter)

        def texts() -> Iterator[str]:
            yield text
            size = len(line)
            for more_number, more in lines:
                size += len(more)
                if size > self.max_line_bytes:
                    raise self.file.problem("a quoted field that is opened here is never closed", number)
                yield self.file.text(more, more_number)

        try:
            return next(csv.reader(texts(), delimiter=self.layout.delimiter, strict=True, skipinitialspace=True))
        except csv.Error as error:
            reason = str(error)
            if "unexpected end" in reason:
                reason = "a quoted field that is opened here is never closed"
            elif "expected after" in reason:
                reason = "text after a closing quote; a quote inside a quoted field is written twice"
            raise self.file.problem(reason, number) from None

    def _number(self, text: str, index: int, line: int) -> float:
        """One field as a finite float."""
        field = text.strip()
        column = self.layout.column(index)
        if not field:
            raise self.file.problem("empty field; expected a number", line, column)
        try:
            value = float("x" if "_" in field or not field.isascii() else field)
        except ValueError:
            hint = ""
            if "," in field and self.layout.delimiter != ",":
                hint = "; decimals are written with a point"
            elif line == self.layout.first_line and self.header_guessed:
                hint = "; if this line is a header, say so"
            raise self.file.problem(f"expected a number, got {shown(field)}{hint}", line, column) from None
        if not isfinite(value):
            raise self.file.problem(f"expected a finite number, got {shown(field)}", line, column)
        return value

    def _label(self, written: str, line: int) -> Any:
        """The label for what stands in a field: a float for regression, else a class or a text."""
        text = written.strip()
        index = self.layout.label or 0
        if self.regression:
            return self._number(text, index, line)
        if not text:
            raise self.file.problem("empty field; expected a label", line, self.layout.column(index))
        label: Any = text
        if self.classes is not None:
            label = self.classes.get(text)
            if label is None and is_whole_number(text):
                label = self.classes.get(int(text))
            if label is None:
                known = listed([str(name) for name in dict.fromkeys(self.classes.values())])
                raise self.file.problem(
                    f"the label {shown(text)} is not among the training classes, {known}",
                    line,
                    self.layout.column(index),
                )
        return label

    def _ragged(self, line: int, got: int) -> Exception:
        expected = self.layout.columns
        return self.file.problem(f"expected {expected} fields, as in line {self.layout.first_line}, got {got}", line)

    def table(self, keep_pixels: bool) -> CsvTable:
        """What was read, with labels all ints if all can be, and rows all bytes or all floats."""
        if not self.rows:
            raise self.file.problem("only a header line; expected rows below it", self.layout.first_line)
        if self.layout.label is None:
            self.labels = []
        elif not self.regression and self.classes is None:
            kinds = set(self.labels)
            if all(map(is_whole_number, kinds)):
                ints = {text: int(text) for text in kinds}
                self.labels = [ints[text] for text in self.labels]
                kinds = set(ints.values())
            if self.check_single and len(kinds) == 1:
                raise self.file.problem(
                    f"every row has the label {shown(str(self.labels[0]))}; expected at least two classes",
                    None,
                    self.layout.column(self.layout.label),
                )
        pixels = self.pixels and (keep_pixels or self._pictures())
        if not pixels:
            for index, row in enumerate(self.rows):
                if isinstance(row, bytes):
                    self.rows[index] = list(map(float, row))
        return CsvTable(self.rows, self.labels, self.layout, pixels)

    def _pictures(self) -> bool:
        names = self.layout.feature_names()
        if self.layout.width < MIN_PIXELS:
            return False
        named = bool(names) and all(name.lower().startswith("pixel") for name in names)
        return named or max(map(max, self.rows)) > MIN_BRIGHTNESS
