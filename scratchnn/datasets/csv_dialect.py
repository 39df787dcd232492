"""Finding out how a CSV file is laid out, from its first records and from what the caller said.

Which character separates fields, is there a header line, which column holds the label. What the caller told is
believed; the rest is decided on the first records only, by a few plain rules that each stand in a function of their
own. One of the files behind ``load_csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Union

from ..checks import listed, require_size, shown
from ..errors import ArgumentError, DataError
from .data_file import MAX_LINE_BYTES, DataFile

LABEL_NAMES = ("label", "class", "target", "species", "y")
_ANY_OF_THEM = f"{', '.join(LABEL_NAMES[:-1])} or {LABEL_NAMES[-1]}"
LABEL_RULE = f"one called {_ANY_OF_THEM}, else the only one of text, else the first"
HEAD_LINES = 20  # lines looked at to find the layout
_DELIMITERS = ("\t", ";", ",")  # the comma last: it also turns up inside numbers and text

_BLANK = " "  # where it separates fields, any number of blanks is one: columns may be lined up

_NO_DELIMITERS = "0123456789+-._eE'\"\r\n\0"
_MISSING = ("", "?", "na", "n/a", "null", "none")

Record = tuple[int, "list[str]"]  # the line it starts on, its fields
LabelColumn = Union[int, str, None]


class CsvOptions(NamedTuple):
    """What is said of a CSV file before it is read: the options of ``datasets.load_csv``, which explains each, and what
    else is known of the training data that the file has to fit."""

    label: LabelColumn = None
    header: bool | None = None
    delimiter: str | None = None
    regression: bool = False
    classes: Sequence[Any] | None = None
    feature_names: Sequence[str] | None = None
    width: int | None = None
    label_required: bool = True
    max_bytes: int | None = None
    max_line_bytes: int = MAX_LINE_BYTES
    # Of the training data: the label column's name and position, and whether rows are bytes.
    label_name: str | None = None
    label_position: int | None = None
    pixels: bool = False

    def checked(self, like: Any = None) -> CsvOptions:
        """These options, and what they leave open as the training data ``like`` have it (a ``Dataset``, or whatever
        else has its ``classes``, ``feature_names``, ``label_name`` and ``label_position``). ``ArgumentError`` for what
        makes no sense."""
        options = self if like is None else self._completed(like)
        if options.delimiter is not None and not can_be_delimiter(options.delimiter):
            raise ArgumentError(
                f"delimiter must be one character, like ',', ';' or a tab; got {shown(options.delimiter)}"
            )
        if isinstance(options.label, bool) or not isinstance(options.label, (int, str, type(None))):
            raise ArgumentError(f"label must be a column's name or its position, got {shown(options.label)}")
        classes = _list_of("labels", "classes", options.classes, (str, int, float))
        names = _list_of("names", "feature_names", options.feature_names, (str,))
        width = options.width
        if width is not None:
            require_size("width", width)
        elif names:
            width = len(names)
        return options._replace(classes=classes, feature_names=names, width=width)

    def _completed(self, like: Any) -> CsvOptions:
        if not all(hasattr(like, name) for name in ("classes", "feature_names", "label_name", "label_position")):
            raise ArgumentError(f"like must be a Dataset or the schema of a model, got {type(like).__name__}")
        left_open = [name for name in ("classes", "feature_names", "width") if getattr(self, name) is None]
        known: dict[str, Any] = {name: getattr(like, name, None) for name in left_open}
        return self._replace(
            **known,
            regression=self.regression or getattr(like, "regression", False),
            label_name=like.label_name,
            label_position=like.label_position,
            pixels=getattr(like, "pixels", False),
        )


def can_be_delimiter(text: Any) -> bool:
    """Whether fields can be separated by this: one character that does not turn up inside numbers or around text."""
    return isinstance(text, str) and len(text) == 1 and text.isascii() and text not in _NO_DELIMITERS


def _list_of(things: str, option: str, values: Any, kinds: tuple[type, ...]) -> list[Any] | None:
    """The values of an option as a list; None if there are none."""
    if values is None:
        return None
    sized = hasattr(values, "__len__") and hasattr(values, "__iter__") and not isinstance(values, (str, bytes, dict))
    if not sized or not all(isinstance(value, kinds) for value in values):
        raise ArgumentError(f"{option} must be a list of {things}, got {type(values).__name__}")
    return list(values) or None


class Layout:
    """How a ``file`` is laid out: ``delimiter``, ``names`` of the columns ([] without a header line), number of
    ``columns``, position of the ``label`` column (None: there is none), ``order``: where the features of the training
    data stand among this file's features (None: in the same order)."""

    def __init__(self, file: DataFile, delimiter: str, names: list[str], columns: int, first_line: int) -> None:
        self.file = file
        self.delimiter = delimiter
        self.names = names
        self.columns = columns
        self.first_line = first_line
        self.label: int | None = None
        self.order: list[int] | None = None

    def problem(self, what: str) -> DataError:
        """The ``DataError`` for what is wrong with the columns: it names the first line."""
        return self.file.problem(what, self.first_line)

    def no_rows(self) -> DataError:
        """The ``DataError`` for a file that has nothing below its header line."""
        return self.problem("only a header line; expected rows below it")

    def column(self, index: int) -> str:
        """A column as a message calls it: counted from 1, with its name if it has one."""
        name = f" ({shown(self.names[index])})" if index < len(self.names) else ""
        return f"column {index + 1}{name}"

    @property
    def width(self) -> int:
        """The number of feature columns."""
        return self.columns - (self.label is not None)

    def feature_names(self) -> list[str]:
        """The names of the feature columns, in the order of the training data."""
        names = self._names_in_file()
        return names if self.order is None else [names[position] for position in self.order]

    def _names_in_file(self) -> list[str]:
        return [name for index, name in enumerate(self.names) if index != self.label]

    def arrange(self, expected: Sequence[str] | None) -> None:
        """See that the feature columns are those of the training data, and how they come into their order."""
        got = self._names_in_file()
        if not expected or not got or got == list(expected):
            return
        here, wanted = set(got), set(expected)
        missing = [name for name in expected if name not in here]
        unknown = [name for name in got if name not in wanted]
        if missing or unknown:
            what = [f"missing: {listed(missing)}"] if missing else []
            what += [f"not expected: {listed(unknown)}"] if unknown else []
            raise self.problem(f"the columns differ from the training columns; {'; '.join(what)}")
        positions = {name: position for position, name in enumerate(got)}
        if len(positions) < len(got) or len(got) != len(expected):
            name = next(name for position, name in enumerate(got) if positions[name] != position)
            raise self.problem(
                "the columns are not in the order of the training columns, and cannot be put into it as two are called "
                f"{shown(name)}"
            )
        self.order = [positions[name] for name in expected]


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


def squeeze(line: bytes, delimiter: str) -> bytes:
    """A line as it is read: with one blank for many, where blanks separate fields."""
    if delimiter != _BLANK or b'"' in line:
        return line
    return b" ".join(line.split()) + b"\n"


def quoted_record(texts: Iterable[str], delimiter: str) -> tuple[list[str], int]:
    """The record at the start of some lines, in which there are quotes, and the number of its lines.

    Raises ``csv.Error``, which ``quoting_problem`` puts into words.
    """
    reader = csv.reader(texts, delimiter=delimiter, strict=True, skipinitialspace=delimiter != _BLANK)
    return next(reader), reader.line_num


def quoting_problem(error: csv.Error) -> str:
    """What is wrong with the quotes of a record."""
    reason = str(error)
    if "unexpected end" in reason:
        return "a quoted field that is opened here is never closed"
    if "expected after" in reason:
        return "text after a closing quote; a quote inside a quoted field is written twice"
    if "field limit" in reason:
        return f"a quoted field of more than {csv.field_size_limit()} characters, or one that is never closed"
    return reason


def head_records(lines: Sequence[tuple[int, str]], delimiter: str) -> list[Record]:
    """The records in the first lines of a file, blank ones left out, up to the first that is broken or not whole."""
    records: list[Record] = []
    position = 0
    while position < len(lines):
        line, text = lines[position]
        fields, count = text.rstrip("\r\n").split(delimiter), 1
        if '"' in text:
            try:
                fields, count = quoted_record((text for _, text in lines[position:]), delimiter)
            except csv.Error:
                break
        fields = [field.strip() for field in fields]
        if len(fields) > 1 or any(fields):
            records.append((line, fields))
        position += count
    return records


def _separated_by_blanks(lines: Sequence[tuple[int, str]]) -> bool:
    """Whether blanks split most lines into as many fields as the first, with numbers among the last."""
    rows = [text.split() for _, text in lines if text.strip()]
    if not rows or any('"' in text for _, text in lines):
        return False
    sizes = list(map(len, rows))
    return sizes[0] > 1 and 2 * sizes.count(sizes[0]) > len(sizes) and any(map(is_number, rows[-1]))


def _find_delimiter(lines: Sequence[tuple[int, str]]) -> str:
    """The character that splits the most records into the same number of fields, two or more."""

    def merit(delimiter: str) -> tuple[int, int]:
        sizes = [len(fields) for _, fields in head_records(lines[:10], delimiter)]
        return (sizes.count(sizes[0]), sizes[0]) if sizes and sizes[0] > 1 else (0, 0)

    best = max(_DELIMITERS, key=merit)  # of equals, the first
    if merit(best) > (0, 0):
        return best
    return _BLANK if _separated_by_blanks(lines[:10]) else ","


def _text_columns(rows: Sequence[Record], columns: int) -> list[int]:
    """The columns in which at least half of the fields are not numbers (so that one typo makes no text column)."""
    whole = [fields for _, fields in rows if len(fields) == columns]
    texts = [sum(not is_number(fields[index]) for fields in whole) for index in range(columns)]
    return [index for index, count in enumerate(texts) if count and 2 * count >= len(whole)]


def _has_header(records: Sequence[Record], options: CsvOptions) -> bool:
    """Whether the first record holds names: text above numbers, or a name that can only be a header's."""
    if options.header is not None:
        return options.header
    names, rows = records[0][1], records[1:]
    if options.feature_names and set(options.feature_names) <= set(names):
        return True
    if isinstance(options.label, str) and options.label in names:
        return True
    text_columns = set(_text_columns(rows, len(names)))
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


def is_clear(lines: Sequence[tuple[int, str]], options: CsvOptions) -> bool:
    """Whether the layout of a stream can be found, or refused, without waiting for more than these first lines.

    The width of a row must be known; what is to be seen is then a row that is told apart from a header line, and
    where its label stands.
    """
    width = options.width
    if width is None:
        return False
    delimiter = options.delimiter or _find_delimiter(lines)
    records = head_records(_squeezed(lines, delimiter), delimiter)
    if not records:
        return False
    sizes = {len(split[0][1]) for split in (head_records(lines[:10], d) for d in _DELIMITERS) if split}
    blanks = next(len(text.split()) for _, text in lines if text.strip())
    if not {len(records[0][1]), blanks, *sizes} & {width, width + 1}:
        return True  # to be refused
    header = _has_header(records, options)
    rows = records[1:] if header else records
    if not rows:
        return False
    fields = rows[0][1]
    numbers = sum(map(is_number, fields))
    if len(fields) == width:
        return numbers == width or len(records) > 1
    told = options.label is not None or options.label_position is not None or (header and bool(options.feature_names))
    return len(fields) == width + 1 and told and (numbers >= width or len(records) > 1)


def _squeezed(lines: Sequence[tuple[int, str]], delimiter: str) -> Sequence[tuple[int, str]]:
    if delimiter != _BLANK:
        return lines
    return [(number, squeeze(text.encode("utf-8"), delimiter).decode("utf-8")) for number, text in lines]


def _label_by_name_or_position(layout: Layout, label: int | str) -> int:
    if isinstance(label, str):
        if label.strip() in layout.names:
            return layout.names.index(label.strip())  # that there is one only is checked later
        if not is_whole_number(label):
            known = f"the columns are {listed(layout.names)}" if layout.names else "the file has no header line"
            raise layout.problem(f"no label column {shown(label)}: {known}")
        label = int(label)
    if not -layout.columns <= label < layout.columns:
        raise layout.problem(
            f"no label column at position {shown(label)}: the file has {layout.columns} columns, 0 to "
            f"{layout.columns - 1}"
        )
    return label % layout.columns


def _detected_label(layout: Layout, rows: Sequence[Record], options: CsvOptions) -> int | None:
    """The label's column by its name in the header; else the only column of text; else the first."""
    lowered = [name.lower() for name in layout.names]
    for name in LABEL_NAMES:
        likely = {found for found in layout.names if found.lower() == name}
        if len(likely) > 1:
            raise layout.problem(f"which column holds the label? It may be {listed(sorted(likely))}; give its name")
        if likely:
            return lowered.index(name)
    texts = _text_columns(rows, layout.columns)
    if len(texts) > 1:
        columns = ", ".join(layout.column(index) for index in texts[:10])
        raise layout.file.problem(
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
        raise layout.problem(
            f"which column holds the label? None is called {_ANY_OF_THEM}, and the first holds "
            f"{shown(first)}, which is no class; give the label column's name or position"
        )
    if options.regression and options.width is not None:  # any number could be a label, and any other a feature
        raise layout.problem(
            f"which column holds the label? None is called {_ANY_OF_THEM}; give its name or position, or leave it out"
        )
    return 0


def _wrong_count(layout: Layout, options: CsvOptions) -> DataError:
    """What to say of a file with too few or too many columns for the training data."""
    label = "and a label" if options.label_required else "with or without a label"
    what = f"expected {options.width} feature columns {label}, got {layout.columns} columns in all"
    known = options.feature_names or []
    here, wanted = set(layout.names), {*known, options.label, options.label_name}
    missing = [name for name in known if here and name not in here]
    unknown = [name for name in layout.names if known and name not in wanted]
    if missing:
        what += f"; missing: {listed(missing)}"
    elif layout.columns == options.width:
        what += "; the label is missing"
    elif unknown:
        what += f"; not among the training columns: {listed(unknown)}"
    return layout.problem(what)


def _find_label(layout: Layout, rows: Sequence[Record], options: CsvOptions) -> int | None:
    """The position of the label column, after a check that the number of columns can be right."""
    width, columns = options.width, layout.columns
    named = isinstance(options.label, str) and options.label in layout.names
    if width is not None:
        if columns == width and not named and not options.label_required:
            return None
        if columns != width + 1:
            raise _wrong_count(layout, options)
    # A name is of no use where there is no header line: a file to test or predict on is then looked at as if untold.
    told = options.label is not None and not (isinstance(options.label, str) and not layout.names and width)
    if options.label is not None and told:
        if not options.label_required and width is None and not named:
            return None
        return _label_by_name_or_position(layout, options.label)
    if options.feature_names and layout.names:
        features = set(options.feature_names)
        others = [index for index, name in enumerate(layout.names) if name not in features]
        if len(others) == 1:
            return others[0]
    if options.label_position is not None:
        return _label_by_name_or_position(layout, options.label_position)
    return _detected_label(layout, rows, options)


def _refuse_twin(layout: Layout) -> None:
    """The label's column must not stand there a second time: it would be learned from as a feature."""
    if layout.label is None or not layout.names:
        return
    name = layout.names[layout.label]
    twins = [index for index, other in enumerate(layout.names) if other == name]
    if len(twins) > 1:
        columns = " and ".join(str(index + 1) for index in twins[:2])
        raise layout.problem(
            f"columns {columns} are both called {shown(name)}, the label's name: one of them would be learned from as "
            "a feature that gives the answer away; remove it from the file, or rename it"
        )


def _no_record(file: DataFile, lines: Sequence[tuple[int, str]], options: CsvOptions) -> DataError:
    """What to say of a file in whose first lines there is no record: it is empty, or a quote goes on and on."""
    line, text = next(((number, text) for number, text in lines if text.strip()), (None, ""))
    if line is None:
        label = " with a label" if options.label_required else ""
        return file.problem(f"the file is empty; expected rows of numbers{label}")
    most = csv.field_size_limit()
    length = f" (or one of more than {most} characters)" if len(text) > most else ""
    return file.problem(f"a quoted field that is opened and never closed, or closed too early{length}", line)


def find_layout(file: DataFile, lines: Sequence[tuple[int, str]], options: CsvOptions) -> Layout:
    """The layout of the file that starts with these lines.

    Raises ``DataError`` where the file cannot be what the caller asked for.
    """
    delimiter = options.delimiter or _find_delimiter(lines)
    lines = _squeezed(lines, delimiter)
    records = head_records(lines, delimiter)
    if not records:
        raise _no_record(file, lines, options)
    header = _has_header(records, options)
    first_line, names = records[0]
    layout = Layout(file, delimiter, names if header else [], len(names), first_line)
    rows = records[1:] if header else records
    if header and "" in names:
        raise file.problem(
            "a column without a name in the header line; if it only counts the rows, remove it from the file",
            first_line,
            f"column {names.index('') + 1}",
        )
    if layout.columns == 1 and options.label_required:
        raise layout.problem(
            "one column only; expected a label and at least one feature, "
            "separated by commas, semicolons, tabs or blanks"
        )
    layout.label = _find_label(layout, rows, options)
    _refuse_twin(layout)
    if layout.width < 1:
        raise layout.problem("no column of features, only one of labels")
    layout.arrange(options.feature_names)
    if header and not rows and len(lines) < HEAD_LINES:
        raise layout.no_rows()
    return layout
