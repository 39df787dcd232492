"""Finding out how a CSV file is laid out, from its first records and from what the caller said.

Which character parts the fields, is there a header line, which column holds the label. What the caller told is
believed; the rest is decided on the first records only, by a few plain rules that each stand in a function of their
own. One of the rooms behind datasets.py; relies on data_file.py.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, Union

from .arguments import require_size
from .data_file import DataFile, listed, shown
from .errors import ArgumentError, DataError

LABEL_NAMES = ("label", "class", "target", "species", "y")
HEAD_LINES = 20  # lines looked at to find the layout
_DELIMITERS = ("\t", ";", ",")  # the comma last: it also turns up inside numbers and text

_NO_DELIMITERS = "0123456789+-._eE'\"\r\n\0"
_MISSING = ("", "?", "na", "n/a", "null", "none")

Record = tuple[int, "list[str]"]  # the line it starts on, its fields
LabelColumn = Union[int, str, None]


def _all_of(values: Any, kinds: tuple[type, ...]) -> bool:
    sized = hasattr(values, "__len__") and hasattr(values, "__iter__") and not isinstance(values, (str, bytes, dict))
    return sized and all(isinstance(value, kinds) for value in values)


class CsvOptions:
    """What the caller said about a file; see ``datasets.load_csv`` for the meaning of each."""

    def __init__(
        self,
        *,
        label: LabelColumn = None,
        header: bool | None = None,
        delimiter: str | None = None,
        regression: bool = False,
        classes: Sequence[Any] | None = None,
        feature_names: Sequence[str] | None = None,
        label_required: bool = True,
        width: int | None = None,
        usual_label: int | None = None,
    ) -> None:
        if delimiter is not None and (
            not isinstance(delimiter, str)
            or len(delimiter) != 1
            or not delimiter.isascii()
            or delimiter in _NO_DELIMITERS
        ):
            raise ArgumentError(f"delimiter must be one character, like ',', ';' or a tab; got {delimiter!r}")
        if isinstance(label, bool) or not isinstance(label, (int, str, type(None))):
            raise ArgumentError(f"label must be a column's name or its position, got {label!r}")
        for what, values, kinds in (("classes", classes, (str, int, float)), ("feature_names", feature_names, (str,))):
            if values is not None and not _all_of(values, kinds):
                things = "names" if what == "feature_names" else "labels"
                raise ArgumentError(f"{what} must be a list of {things}, got {type(values).__name__}")
        self.label = label
        self.header = header
        self.delimiter = delimiter
        self.regression = regression
        self.classes = list(classes) if classes else None
        self.feature_names = list(feature_names) if feature_names else None
        self.label_required = label_required
        self.usual_label = usual_label  # where the label stood in the training file
        if width is not None:
            require_size("width", width)
        self.width = width if width is not None else len(self.feature_names) if self.feature_names else None


class Layout:
    """How a file is laid out: ``delimiter``, ``names`` of the columns ([] without a header line), number of
    ``columns``, position of the ``label`` column (None: there is none)."""

    def __init__(self, delimiter: str, names: list[str], columns: int, first_line: int) -> None:
        self.delimiter = delimiter
        self.names = names
        self.columns = columns
        self.first_line = first_line
        self.label: int | None = None

    def column(self, index: int) -> str:
        """A column as a message calls it: counted from 1, with its name if it has one."""
        name = f" ({shown(self.names[index])})" if index < len(self.names) else ""
        return f"column {index + 1}{name}"

    @property
    def width(self) -> int:
        """The number of feature columns."""
        return self.columns - (self.label is not None)

    def feature_names(self) -> list[str]:
        return [name for index, name in enumerate(self.names) if index != self.label]


def is_number(field: str) -> bool:
    """Whether a field can stand in a column of numbers; a missing one can."""
    try:
        float(field)
    except ValueError:
        return field.strip().lower() in _MISSING
    return "_" not in field  # float() takes 1_000


def is_whole_number(text: str) -> bool:
    """Whether a label is an integer; longer ones than 18 digits are names, not numbers."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return digits.isascii() and digits.isdigit() and len(digits) <= 18


def head_records(lines: Sequence[tuple[int, str]], delimiter: str) -> list[Record]:
    """The records in the first lines of a file, blank ones left out, up to the first that is broken or not whole."""
    reader = csv.reader((text for _, text in lines), delimiter=delimiter, strict=True, skipinitialspace=True)
    records: list[Record] = []
    while reader.line_num < len(lines):
        line = lines[reader.line_num][0]
        try:
            fields = [field.strip() for field in next(reader)]
        except csv.Error:
            break
        if len(fields) > 1 or any(fields):
            records.append((line, fields))
    return records


def _find_delimiter(lines: Sequence[tuple[int, str]]) -> str:
    """The character that parts the most records into the same number of fields, two or more."""

    def merit(delimiter: str) -> tuple[int, int]:
        sizes = [len(fields) for _, fields in head_records(lines[:10], delimiter)]
        return (sizes.count(sizes[0]), sizes[0]) if sizes and sizes[0] > 1 else (0, 0)

    best = max(_DELIMITERS, key=merit)  # of equals, the first
    return best if merit(best) > (0, 0) else ","


def _text_columns(rows: Sequence[Record], columns: int) -> list[int]:
    """The columns in which at least half of the fields are not numbers (so that one typo makes no text column)."""
    whole = [fields for _, fields in rows if len(fields) == columns]
    found = []
    for index in range(columns):
        texts = sum(not is_number(fields[index]) for fields in whole)
        if texts and 2 * texts >= len(whole):
            found.append(index)
    return found


def _has_header(records: Sequence[Record], options: CsvOptions) -> bool:
    """Whether the first record holds names: text above numbers, or a name that can only be a header's."""
    if options.header is not None:
        return options.header
    names, rows = records[0][1], records[1:]
    if options.feature_names and set(options.feature_names) <= set(names):
        return True
    if isinstance(options.label, str) and options.label in names:
        return True
    text_columns = _text_columns(rows, len(names))
    for index, name in enumerate(names):
        repeated = any(fields[index : index + 1] == [name] for _, fields in rows)
        short = len(name) == 1 and index in text_columns  # "y" may also be a label: yes
        if name.lower() in LABEL_NAMES and not repeated and not short:
            return True
    above_numbers = [name for index, name in enumerate(names) if index not in text_columns]
    texts = sum(not is_number(name) for name in above_numbers)
    if not above_numbers:
        return not rows
    return 2 * texts > len(above_numbers)


def _label_by_name_or_position(file: DataFile, layout: Layout, label: int | str) -> int:
    if isinstance(label, str):
        matches = [index for index, name in enumerate(layout.names) if name == label.strip()]
        if len(matches) == 1:
            return matches[0]
        if len(matches) > 1:
            raise file.problem(f"{len(matches)} columns are called {shown(label)}: give the label's position")
        if not is_whole_number(label):
            known = f"the columns are {listed(layout.names)}" if layout.names else "the file has no header line"
            raise file.problem(f"no label column {shown(label)}: {known}", layout.first_line)
        label = int(label)
    if not -layout.columns <= label < layout.columns:
        raise file.problem(
            f"no label column at position {label}: the file has {layout.columns} columns, 0 to {layout.columns - 1}",
            layout.first_line,
        )
    return label % layout.columns


def _detected_label(file: DataFile, layout: Layout, rows: Sequence[Record], options: CsvOptions) -> int | None:
    """The label's column by its name in the header; else the only column of text; else the first."""
    lowered = [name.lower() for name in layout.names]
    for name in LABEL_NAMES:
        if name in lowered:
            return lowered.index(name)
    texts = _text_columns(rows, layout.columns)
    if len(texts) > 1:
        columns = ", ".join(layout.column(index) for index in texts[:10])
        raise file.problem(
            f"{len(texts)} columns hold text, not numbers: {columns}; "
            "say which holds the label, and remove the others from the file",
            rows[0][0],
        )
    if texts:
        return texts[0]
    if not options.label_required and options.width is None:
        return None
    first = next((fields[0] for _, fields in rows if fields and not is_whole_number(fields[0])), "")
    if first and not options.regression:
        raise file.problem(
            f"which column holds the label? None is called {', '.join(LABEL_NAMES[:-1])} or {LABEL_NAMES[-1]}, and "
            f"the first holds {shown(first)}, which is no class; give the label column's name or position",
            layout.first_line,
        )
    return 0


def _wrong_count(file: DataFile, layout: Layout, options: CsvOptions) -> DataError:
    """What to say of a file with too few or too many columns for the training data."""
    label = "and a label" if options.label_required else "with or without a label"
    what = f"expected {options.width} feature columns {label}, got {layout.columns} columns in all"
    known = options.feature_names or []
    missing = [name for name in known if layout.names and name not in layout.names]
    unknown = [name for name in layout.names if known and name not in known and name != options.label]
    if missing:
        what += f"; missing: {listed(missing)}"
    elif layout.columns == options.width:
        what += "; the label is missing"
    elif unknown:
        what += f"; not among the training columns: {listed(unknown)}"
    return file.problem(what, layout.first_line)


def _find_label(file: DataFile, layout: Layout, rows: Sequence[Record], options: CsvOptions) -> int | None:
    """The position of the label column, after a check that the number of columns can be right."""
    width, columns = options.width, layout.columns
    named = isinstance(options.label, str) and options.label in layout.names
    if width is not None:
        if columns == width and not named and not options.label_required:
            return None
        if columns != width + 1:
            raise _wrong_count(file, layout, options)
    # A name is of no use where there is no header line: a file to test or predict on is then looked at as if untold.
    told = options.label is not None and not (isinstance(options.label, str) and not layout.names and width)
    if options.label is not None and told:
        if not options.label_required and width is None and not named:
            return None
        return _label_by_name_or_position(file, layout, options.label)
    if options.feature_names and layout.names:
        others = [index for index, name in enumerate(layout.names) if name not in options.feature_names]
        if len(others) == 1:
            return others[0]
    if options.usual_label is not None:
        return options.usual_label
    return _detected_label(file, layout, rows, options)


def _check_names(file: DataFile, layout: Layout, expected: list[str] | None) -> None:
    """The feature columns must be the ones of the training data, in the same order."""
    if not expected or not layout.names:
        return
    got = layout.feature_names()
    missing = [name for name in expected if name not in got]
    unknown = [name for name in got if name not in expected]
    if missing or unknown:
        what = [f"missing: {listed(missing)}"] if missing else []
        what += [f"not expected: {listed(unknown)}"] if unknown else []
        raise file.problem(f"the columns differ from the training columns; {'; '.join(what)}", layout.first_line)
    for index, name in enumerate(layout.names):
        position = index - (layout.label is not None and layout.label < index)
        if index != layout.label and (position >= len(expected) or name != expected[position]):
            wanted = shown(expected[position]) if position < len(expected) else "no further column"
            raise file.problem(
                f"the columns are not in the order of the training columns: expected {wanted} here",
                layout.first_line,
                layout.column(index),
            )


def find_layout(file: DataFile, lines: Sequence[tuple[int, str]], options: CsvOptions) -> tuple[Layout, bool]:
    """The layout of the file that starts with these lines, and whether it has a header line.

    Raises ``DataError`` where the file cannot be what the caller asked for.
    """
    delimiter = options.delimiter or _find_delimiter(lines)
    records = head_records(lines, delimiter)
    if not records:
        if any(text.strip() for _, text in lines):
            line = next(number for number, text in lines if text.strip())
            raise file.problem("a quoted field that is opened and never closed, or closed too early", line)
        label = " with a label" if options.label_required else ""
        raise file.problem(f"the file is empty; expected rows of numbers{label}")
    header = _has_header(records, options)
    first_line, names = records[0]
    layout = Layout(delimiter, names if header else [], len(names), first_line)
    rows = records[1:] if header else records
    if header and not rows and len(lines) < HEAD_LINES:
        raise file.problem("only a header line; expected rows below it", first_line)
    if header and "" in names:
        raise file.problem(
            "a column without a name in the header line; if it only counts the rows, remove it from the file",
            first_line,
            f"column {names.index('') + 1}",
        )
    if layout.columns == 1 and options.label_required:
        raise file.problem(
            "one column only; expected a label and at least one feature, parted by commas, semicolons or tabs",
            first_line,
        )
    layout.label = _find_label(file, layout, rows, options)
    if layout.width < 1:
        raise file.problem("no column of features, only one of labels", first_line)
    _check_names(file, layout, options.feature_names)
    return layout, header
