"""Reading CSV files: fast where a file is plain, patient where it is not, exact about what is wrong.

Every row is first tried the quick way: as pixels, whole numbers from 0 to 255, which make a ``bytes`` row (see
pixel_text.py); or, once a field was no pixel, as floats. Only a row that fails is looked at closely (quotes? an empty
field? one field too many?), and either read after all or refused with the file, the line and the column. The file is
read once and in pieces, so a pipe will do, and memory goes to the rows alone: pixels take a byte each, other numbers
the eight bytes of a float in an ``array`` (or four, if whole and small), where a list would take 32. A stream can also
be read a piece at a time, as its rows arrive. One of the files behind ``load_csv``.
"""

from __future__ import annotations

import csv
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from math import isfinite
from operator import itemgetter
from struct import pack
from typing import Any, NamedTuple

from ..checks import listed, shown
from ..errors import DataError
from ..preprocessing.rows import Row
from .csv_dialect import (
    HEAD_LINES,
    CsvOptions,
    Layout,
    find_layout,
    is_clear,
    is_whole_number,
    quoted_record,
    quoting_problem,
    squeeze,
)
from .data_file import CHUNK_BYTES, DataFile, Source
from .pixel_text import PixelText

NumberedLines = Iterator[tuple[int, bytes]]

MIN_PIXELS = 16  # fewer columns of small whole numbers are more likely counts than a picture
MIN_BRIGHTNESS = 100  # a picture without any value above this may be no picture at all
UNPACKED_NUMBERS = 1 << 16  # numbers that wait in lists to be packed into arrays, for many rows at once is faster
DARK = bytes(range(MIN_BRIGHTNESS + 1))
BYTES_AT_ONCE = 1 << 15  # of lines that are read together: enough for speed, and few enough to stay in a cache
MOST_LABELS_KNOWN = 1 << 16  # ways to write a label that the quick way remembers; a stream may bring new ones for ever
_UNKNOWN = object()  # stands for a label that was not met before


class CsvTable(NamedTuple):
    """What was read: the file's name, rows, labels (ints, strings or, for regression, floats) and the layout."""

    source: str
    rows: list[Row]
    labels: list[Any]
    layout: Layout


def read_csv(source: Source, options: CsvOptions) -> CsvTable:
    """Read a CSV file whole. With ``options.pixels``, 0-255 rows are kept as ``bytes`` even if they are few or dark.

    Raises ``DataError`` for whatever is wrong with the file.
    """
    with DataFile(source, options.max_bytes) as file:
        lines = _Lines(file, options.max_line_bytes)
        head: list[tuple[int, bytes]] = []
        size = 0
        for number, line in lines:
            head.append((number, line))
            size += len(line)
            if len(head) == HEAD_LINES or (size > CHUNK_BYTES and len(head) > 2):
                break
        parser = _Parser(find_layout(file, _texts(file, head), options), options)
        lines.put_back(head)
        parser.pass_header(lines)
        while lines.have_come():
            parser.read(lines)
        return parser.table()


def read_csv_in_pieces(source: Source, options: CsvOptions) -> Iterator[CsvTable]:
    """Read a CSV stream piece by piece, without an end if it has none: a table for the rows that have arrived.

    ``options`` must have the ``width`` of a row. Rows are ``bytes`` with ``options.pixels`` where a row has nothing but
    whole numbers from 0 to 255, else floats. The first table comes with the first row, if that row and the header can
    be told apart by themselves; else when ``HEAD_LINES`` lines are there. Raises ``DataError`` for whatever is wrong,
    after the rows before it were given.
    """
    with DataFile(source, options.max_bytes) as file:
        lines = _Lines(file, options.max_line_bytes)
        head: list[tuple[int, bytes]] = []
        for numbered in lines:
            head.append(numbered)
            if len(head) == HEAD_LINES or is_clear(_texts(file, head), options):
                break
        parser = _Parser(find_layout(file, _texts(file, head), options), options)
        lines.put_back(head)
        parser.pass_header(lines)
        empty = True
        while lines.have_come():
            problem = None
            try:
                parser.read(lines)
            except DataError as error:
                problem = error
            if parser.rows:
                empty = False
                yield parser.take()
            if problem is not None:
                raise problem
        if empty:
            raise parser.layout.no_rows()


def _texts(file: DataFile, lines: Iterable[tuple[int, bytes]]) -> list[tuple[int, str]]:
    return [(number, file.text(line, number)) for number, line in lines]


class _Lines:
    """The numbered lines of a file, which are waited for where none are here; or blocks of lines not yet told apart."""

    def __init__(self, file: DataFile, max_line_bytes: int) -> None:
        self._file = file
        self._texts = file.texts(max_line_bytes)
        self._text = b""
        self._at = 0  # what is before this in the text has been told apart, or read
        self._waiting: deque[tuple[int, bytes]] = deque()  # these come first

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self

    def __next__(self) -> tuple[int, bytes]:
        while not self._waiting:
            if not self.have_come():
                raise StopIteration
            self.tell_apart()
        return self._waiting.popleft()

    def have_come(self) -> bool:
        """Whether lines are here; if none are, after waiting for some."""
        while not self.are_here():
            text = next(self._texts, None)
            if text is None:
                return False
            self._text, self._at = text, 0
        return True

    def are_here(self) -> bool:
        """Whether there are lines that need not be waited for."""
        return bool(self._waiting) or self._at < len(self._text)

    def told_apart(self) -> Iterator[tuple[int, bytes]]:
        """Those that were told apart, or put back, as they are taken."""
        while self._waiting:
            yield self._waiting.popleft()

    def put_back(self, lines: list[tuple[int, bytes]]) -> None:
        self._waiting.extendleft(reversed(lines))

    def block(self) -> bytes:
        """The next lines that are here, in one piece; none where others were told apart before them."""
        text, start = self._text, self._at
        if self._waiting:
            return b""
        end = text.rfind(b"\n", start, start + BYTES_AT_ONCE) + 1
        return text[start : end or text.find(b"\n", start) + 1 or None]

    def tell_apart(self) -> None:
        """Tell the lines of the next block apart."""
        block = self.block()
        lines = block.splitlines(keepends=True)
        self._waiting.extend(enumerate(lines, self._file.lines_read + 1))
        self.skip(block, len(lines))

    def skip(self, block: bytes, count: int) -> None:
        """Pass over a block of so many lines."""
        self._at += len(block)
        self._file.lines_read += count


def _as_pixels(row: list[float]) -> bytes | None:
    """A row of bytes, if all of its numbers are whole ones from 0 to 255."""
    try:
        pixels = bytes(map(int, row))
    except (ValueError, OverflowError):
        return None
    return pixels if list(pixels) == row else None


class _Parser:
    """Turns lines into rows and labels, by one layout."""

    def __init__(self, layout: Layout, options: CsvOptions) -> None:
        self.file = layout.file
        self.layout = layout
        self.options = options
        self.rows: list[Row] = []
        self.labels: list[Any] = []
        self.pixels = True  # every field so far was a whole number from 0 to 255
        self.packed = 0  # the first rows: bytes or arrays. Those after them are lists, packed when there are ...
        self.full = 0  # ... more rows than this
        self.at_once = max(1, UNPACKED_NUMBERS // layout.width)
        # Label as written in the file -> label. Without a label column, nothing is written and there is no label.
        self.seen: dict[bytes, Any] = {b"": None} if layout.label is None else {}
        self.classes: dict[Any, Any] | None = None
        if options.classes is not None:
            self.classes = {str(label): label for label in options.classes}
            self.classes.update((label, label) for label in options.classes)
        self.pixel_text = PixelText(layout.width, layout.delimiter.encode())
        self.pick = itemgetter(*layout.order) if layout.order is not None else None

    def squeezed(self, lines: NumberedLines) -> NumberedLines:
        """The lines as they are read, where any number of blanks separates two fields."""
        delimiter = self.layout.delimiter
        return ((number, squeeze(line, delimiter)) for number, line in lines) if delimiter == " " else lines

    def pass_header(self, file_lines: NumberedLines) -> None:
        """Take the header line, if there is one, from the lines; in quotes it may take several."""
        if self.layout.names:
            lines = self.squeezed(file_lines)
            number, line = next(numbered for numbered in lines if numbered[0] == self.layout.first_line)
            self._record(number, line, lines)

    def read(self, lines: _Lines) -> None:
        """Read all lines that are here; a record that goes on waits for those that follow."""
        together = self.layout.delimiter != " "
        while lines.are_here():
            block = lines.block()
            count = self._read_at_once(block) if block and together and not self.pixels else 0
            if count:
                lines.skip(block, count)
                continue
            if block:
                lines.tell_apart()
            self._read_each(self.squeezed(lines.told_apart()), self.squeezed(lines))

    def _read_at_once(self, block: bytes) -> int:
        """Read all lines of a block together, if there is none that needs a closer look: how many, or 0 if none were
        read."""
        columns, delimiter = self.layout.columns, self.layout.delimiter.encode()
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if not block.endswith(b"\n"):
            block += b"\n"
        fields = block.replace(b"\n", delimiter + b"\n" + delimiter).split(delimiter)
        count, left = divmod(len(fields), columns + 1)
        ends = slice(columns, None, columns + 1)  # where the line ends stand if every line has as many fields
        if b"\r" in block or left != 1 or fields.pop() or fields[ends] != [b"\n"] * count:
            return 0
        del fields[ends]
        labels = self._labels_at_once(fields, count)
        numbers = None if labels is None else self._numbers(fields, block)
        if labels is None or numbers is None:
            return 0
        if len(self.rows) > self.packed:
            self._pack()
        self.rows += self._slices(array("d", pack(f"{len(numbers)}d", *numbers)))
        self.labels += labels
        self.packed = len(self.rows)
        self.full = self.packed + self.at_once
        return count

    def _labels_at_once(self, fields: list[bytes], count: int) -> list[Any] | None:
        """Take the labels of so many rows out of all their fields; None if one of them is new, or no number."""
        label_at = self.layout.label
        if label_at is None:
            return [None] * count
        column = slice(label_at, None, self.layout.columns)
        written = fields[column]
        del fields[column]
        if self.options.regression:
            return self._numbers(written, b"_")
        labels = list(map(self.seen.get, written, repeat(_UNKNOWN)))
        return None if _UNKNOWN in labels else labels

    def _read_each(self, lines: NumberedLines, more: NumberedLines) -> None:
        """Read lines one by one; a record that goes on takes ``more``, those after them included."""
        delimiter = self.layout.delimiter.encode()
        cut, known, width = self._cutter(delimiter), self.seen, self.layout.width
        read_pixels, read_numbers, look_closer = self.pixel_text.read, self._numbers, self._look_closer
        labels, rows, regression = self.labels, self.rows, self.options.regression
        for number, line in lines:
            written, fields = cut(line.rstrip(b"\r\n"))
            label = known.get(written, _UNKNOWN)
            if label is _UNKNOWN and regression:
                label = self._target(written)
            if label is not _UNKNOWN:
                if self.pixels:
                    pixels = read_pixels(fields)
                    if pixels is not None:
                        rows.append(pixels)
                        labels.append(label)
                        continue
                else:
                    numbers = read_numbers(fields.split(delimiter), fields)
                    if numbers is not None and len(numbers) == width:
                        rows.append(numbers)
                        labels.append(label)
                        if len(rows) > self.full:
                            self._pack()
                        continue
            look_closer(number, line, more)

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
        # A line of tabs alone is a row of empty fields where tabs separate them; other blank lines are skipped.
        if not (line.strip(b" \r\n") if self.layout.delimiter == "\t" else line.strip()):
            return
        fields = line.rstrip(b"\r\n").split(self.layout.delimiter.encode())
        texts = self._record(number, line, lines)
        if len(texts) != self.layout.columns:
            expected = f"{self.layout.columns} fields, as in line {self.layout.first_line}"
            raise self.file.problem(f"expected {expected}, got {len(texts)}", number)
        plain = len(fields) == len(texts)  # no delimiter inside quotes
        label, label_at = None, self.layout.label
        if label_at is not None:
            label = self._label(texts[label_at], number)
            if plain:
                self._remember(fields.pop(label_at), label)
        row = self._numbers(fields, line) if plain and b'"' not in line else None
        self._add(row or [self._number(text, i, number) for i, text in enumerate(texts) if i != label_at])
        self.labels.append(label)

    def _remember(self, written: bytes, label: Any) -> None:
        """Let the quick way know a label by the way it is written, with its quotes; values seldom come twice."""
        whole = written.count(b'"') % 2 == 0
        if whole and not self.options.regression and len(self.seen) < MOST_LABELS_KNOWN:
            self.seen[written] = label

    def _add(self, row: list[float]) -> None:
        if self.pixels:
            pixels = _as_pixels(row)
            if pixels is not None:
                self.rows.append(pixels)
                return
            self.pixels, self.packed, self.full = False, len(self.rows), len(self.rows)
        self.rows.append(row)
        if len(self.rows) > self.full:
            self._pack()

    def _pack(self) -> None:
        """Make arrays of the rows that wait as lists."""
        waiting: list[Any] = self.rows[self.packed :]
        numbers = array("d")
        for row in waiting:
            numbers.fromlist(row)
        self.rows[self.packed :] = self._slices(numbers)
        self.packed = len(self.rows)
        self.full = self.packed + self.at_once

    def _slices(self, numbers: array[float]) -> list[array[float]]:
        """The rows that stand in one long array: the fastest way to many short ones."""
        width = self.layout.width
        return [numbers[start : start + width] for start in range(0, len(numbers), width)]

    @staticmethod
    def _target(written: bytes) -> Any:
        """A number to be predicted, or ``_UNKNOWN`` if it needs a closer look."""
        try:
            value = float(written)
        except ValueError:
            return _UNKNOWN
        return value if isfinite(value) and b"_" not in written else _UNKNOWN

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
                if size > self.options.max_line_bytes:
                    raise self.file.problem("a quoted field that is opened here is never closed", number)
                yield self.file.text(more, more_number)

        try:
            return quoted_record(texts(), self.layout.delimiter)[0]
        except csv.Error as error:
            raise self.file.problem(quoting_problem(error), number) from None

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
            elif line == self.layout.first_line and self.options.header is None:
                hint = "; if this line is a header, say so"
            raise self.file.problem(f"expected a number, got {shown(field)}{hint}", line, column) from None
        if not isfinite(value):
            raise self.file.problem(f"expected a finite number, got {shown(field)}", line, column)
        return value

    def _label(self, written: str, line: int) -> Any:
        """The label for what stands in a field: a float for regression, else a class or a text."""
        text = written.strip()
        index = self.layout.label or 0
        if self.options.regression:
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

    def table(self) -> CsvTable:
        """What was read, with labels all ints if all can be, and rows all bytes or all floats."""
        if not self.rows:
            raise self.layout.no_rows()
        if self.layout.label is not None and not self.options.regression and self.classes is None:
            kinds = set(self.labels)
            if all(map(is_whole_number, kinds)):
                ints = {text: int(text) for text in kinds}
                self.labels = [ints[text] for text in self.labels]
                kinds = set(ints.values())
            if self.options.label_required and len(kinds) == 1:
                raise self.file.problem(
                    f"every row has the label {shown(str(self.labels[0]))}; expected at least two classes",
                    None,
                    self.layout.column(self.layout.label),
                )
        return self._table(self.pixels and (self.options.pixels or self._pictures()))

    def take(self) -> CsvTable:
        """What was read since the last call, with labels as they are written or, if given, the classes."""
        table = self._table(self.options.pixels)
        self.rows, self.labels, self.pixels, self.packed, self.full = [], [], True, 0, 0
        return table

    def _table(self, pixels: bool) -> CsvTable:
        """The rows as bytes, where they are and ``pixels`` is set, or as floats; in the order of the training data."""
        if not self.pixels:
            self._pack()
        rows, pick = self.rows, self.pick
        if pick is not None:
            for index, row in enumerate(rows):
                rows[index] = bytes(pick(row)) if type(row) is bytes else array("d", pick(row))
        if not pixels:
            kind = "f" if self.pixels else "d"  # four bytes hold a whole number from 0 to 255 exactly
            small = sum(type(row) is bytes for row in rows)  # these come first
            for start in range(0, small, self.at_once):
                part = slice(start, min(start + self.at_once, small))
                some: list[Any] = rows[part]
                rows[part] = self._slices(array(kind, list(b"".join(some))))
        labels = [] if self.layout.label is None else self.labels
        return CsvTable(self.file.path, rows, labels, self.layout)

    def _pictures(self) -> bool:
        names = self.layout.feature_names()
        named = bool(names) and all(name.lower().startswith("pixel") for name in names)
        rows: list[Any] = self.rows
        return self.layout.width >= MIN_PIXELS and (named or any(row.translate(None, DARK) for row in rows))
