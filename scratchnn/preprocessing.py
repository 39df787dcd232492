"""What stands between a user's data and the network: checking rows and labels, and scaling features.

Rows may be lists, tuples, ``bytes`` (one byte a pixel), arrays, or anything whose ``tolist()`` gives such rows. What
was learned from the training rows (``Scaling``) is kept with the model, so that raw rows can be given to ``predict``.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Union

from . import linalg
from .checks import require_known, shortened, shown
from .errors import DataError
from .tables import SparseRows, buffer_of, columns_of, rows_of_buffer, sizes_of

Row = Union[bytes, list[float], "array[float]"]
Label = Union[int, str, float, bool]
_LABEL_TYPES = {int, str, float, bool}

_NUMBERS = {float, int, bool}
_ARRAYS = "dfbhilqHILQ"  # type codes of arrays that are rows as they are
_UNORDERED_OR_TEXT = (str, dict, set, frozenset)  # can be gone through, but are no sequence of numbers


# --- rows --------------------------------------------------------------------------------------------------


def as_rows(X: Any, name: str = "X", width: int | None = None, image: Sequence[int] = ()) -> Sequence[Row]:
    """The rows of ``X`` as a list of ``bytes``, arrays and lists of numbers, all of one width and finite; of a sparse
    matrix, ``SparseRows``.

    Rows that are ``bytes`` or arrays of numbers stay so; nothing is copied that need not be. ``width`` is the number of
    columns expected. Where ``image`` says (channels, height, width), rows may also be nested like that, or, of a
    single channel, be height x width.
    Raises ``DataError`` naming the row and column, what was expected and what came.
    """
    if type(X) is not list:
        if isinstance(X, (bytes, bytearray)):
            raise DataError(f"{name} must be a sequence of rows, got {_kind(X)}; a single row is handed over as [row]")
        if hasattr(X, "X") and hasattr(X, "y") and not (hasattr(X, "to_numpy") or hasattr(X, "tolist")):
            raise DataError(f"{name} must be a sequence of rows, got a {type(X).__name__}: hand over its .X")
        if hasattr(X, "tocsr") and hasattr(X, "shape"):
            return _sparse_rows(X, name, width)
        X = _rows_of_table(X, name, image)
    elif len(image) == 3:
        X = [_flat_image(row, number, name, image) for number, row in enumerate(X)]
    rows = X if type(X) is list else _listed(X, name)
    if not rows:
        raise DataError(f"{name} is empty: at least one row is needed")
    checked = [row if type(row) is bytes else _as_row(row, number, name) for number, row in enumerate(rows)]
    expected = len(checked[0]) if width is None else width
    if set(map(len, checked)) != {expected}:
        number, length = next((i, len(row)) for i, row in enumerate(checked) if len(row) != expected)
        if width is not None:
            raise DataError(f"{name}: row {number} has {length} features, expected {expected}")
        raise DataError(
            f"{name}: rows of one length are needed, row 0 has {expected} numbers, row {number} has {length}"
        )
    if not expected:
        raise DataError(f"{name}: rows have no numbers")
    return checked


def _rows_of_table(X: Any, name: str, image: Sequence[int]) -> Any:
    """The rows of an array, also of one that a DataFrame gives, or ``X`` itself."""
    if hasattr(X, "to_numpy") and not hasattr(X, "tolist"):
        X = X.to_numpy()
    view = buffer_of(X)
    if view is None:
        X = X.tolist() if hasattr(X, "tolist") else X
        if len(image) != 3 or isinstance(X, _UNORDERED_OR_TEXT) or not isinstance(X, Iterable):
            return X
        return [_flat_image(row, number, name, image) for number, row in enumerate(X)]
    sizes = sizes_of(view)[1:]
    if len(sizes) > 1 and sizes != list(image) and [1, *sizes] != list(image):
        raise _other_image(name, 0, sizes, image)
    return rows_of_buffer(view)


def _sparse_rows(X: Any, name: str, width: int | None) -> SparseRows:
    rows = SparseRows.of(X)
    if not len(rows):
        raise DataError(f"{name} is empty: at least one row is needed")
    if width is not None and rows.width != width:
        raise DataError(f"{name}: row 0 has {rows.width} features, expected {width}")
    odd = rows.not_finite()
    if odd:
        _require_finite(odd[2], odd[0], odd[1], name)
    return rows


def _flat_image(row: Any, number: int, name: str, image: Sequence[int]) -> Any:
    """A row of numbers out of a nested one."""
    if not _is_nested(row):
        return row
    planes = row.tolist() if hasattr(row, "tolist") else row
    planes = planes if _is_nested(planes[0]) else [planes]
    lines = [line for plane in planes for line in plane]
    sizes = [len(planes), len(planes[0]), len(lines[0])]
    even = {*map(len, planes)} == {sizes[1]} and {*map(len, lines)} == {sizes[2]}
    if not even or sizes != list(image):
        raise _other_image(name, number, sizes, image, "" if even else ", with all lines as long as each other")
    return [v for line in lines for v in line]


def _is_nested(row: Any) -> bool:
    """Whether this is a list (or the like) of lists."""
    if isinstance(row, (bytes, bytearray, array, str)) or not (hasattr(row, "__len__") and hasattr(row, "__getitem__")):
        return False
    return len(row) > 0 and not isinstance(row, dict) and hasattr(row[0], "__len__") and not isinstance(row[0], str)


def _other_image(name: str, number: int, sizes: Sequence[int], image: Sequence[int], more: str = "") -> DataError:
    came = "x".join(map(str, sizes))
    if len(image) == 3:
        expected = "x".join(map(str, image))
        wanted = f"{expected} (channels, height, width), or a flat row{more}"
        return DataError(f"{name}: row {number} is {came}, expected {wanted}")
    return DataError(
        f"{name}: row {number} is {came}, expected a flat row of numbers; or give the model an input_shape"
    )


def _listed(values: Any, name: str, things: str = "rows") -> list[Any]:
    if hasattr(values, "tolist"):
        values = values.tolist()
    elif hasattr(values, "to_numpy"):
        values = values.to_numpy().tolist()
    if isinstance(values, _UNORDERED_OR_TEXT) or not isinstance(values, Iterable):
        raise DataError(f"{name} must be a sequence of {things}, got {_kind(values)}")
    return values if isinstance(values, list) else list(values)


def _kind(value: object) -> str:
    text = shown(value)
    return text if text.startswith(f"a {type(value).__name__}") else f"{type(value).__name__} {text}"


def _as_row(row: Any, number: int, name: str) -> Row:
    if isinstance(row, bytearray) or (isinstance(row, array) and row.typecode == "B"):
        return bytes(row)
    if type(row) is array and row.typecode in _ARRAYS and math.isfinite(sum(row)):
        return row
    if hasattr(row, "tolist"):
        row = row.tolist()
    if isinstance(row, _UNORDERED_OR_TEXT) or not isinstance(row, Iterable):
        single = "; a single row is handed over as [row]" if number == 0 and hasattr(row, "__float__") else ""
        raise DataError(f"{name}: row {number} must be a sequence of numbers, got {_kind(row)}{single}")
    values = row if type(row) is list else list(row)
    if not _NUMBERS.issuperset(map(type, values)):
        values = [_as_number(v, number, column, name) for column, v in enumerate(values)]
    # A sum over the row is finite unless an entry is not (or the sum itself overflows): look closer only then.
    try:
        finite = math.isfinite(sum(values))
    except OverflowError:
        finite = False
    if not finite:
        for column, v in enumerate(values):
            _require_finite(v, number, column, name)
    return values


def _as_number(value: Any, number: int, column: int, name: str) -> float:
    """A number that is not one of Python's own types (a NumPy scalar, a Fraction) as a float."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise DataError(f"{name}: row {number}, column {column} must be a number, got {_kind(value)}")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{name}: row {number}, column {column} must be a number, got {_kind(value)}") from None


def _require_finite(value: Any, number: int, column: int, name: str) -> None:
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise DataError(f"{name}: row {number}, column {column} must be a finite number, got {shown(value)}")


# --- labels ------------------------------------------------------------------------------------------------


def as_labels(
    y: Any, name: str = "y", length: int | None = None, classes: Sequence[Label] | None = None
) -> list[Label]:
    """The labels of ``y`` as a list of ints, strings, floats or bools; ``length`` is how many are expected.

    Labels may be rows: of a single one, or one-hot, which then stand for the class there in ``classes``, or its number.
    """
    labels = _listed(y, name, "labels")
    if labels and all(_is_row(label) and not isinstance(label, bytes) for label in labels):  # bytes would be a name
        labels = _labels_of_rows([list(row) for row in labels], name, classes)
    labels = [label.item() if hasattr(label, "item") else label for label in labels]
    if length is not None and len(labels) != length:
        raise DataError(f"X and {name} must be of the same length, got {length} rows and {len(labels)} labels")
    for number, label in enumerate(labels):
        if not isinstance(label, (int, str, float)):
            raise DataError(f"{name}: label {number} must be a number or a string, got {_kind(label)}")
        if isinstance(label, float) and not math.isfinite(label):
            raise DataError(f"{name}: label {number} must be finite, got {label}")
    return [label if type(label) in _LABEL_TYPES else _plain_label(label) for label in labels]


def _labels_of_rows(rows: list[list[Any]], name: str, classes: Sequence[Label] | None) -> list[Any]:
    width = len(rows[0])
    if {*map(len, rows)} == {1}:
        return [row[0] for row in rows]
    for number, row in enumerate(rows):
        if len(row) != width or sorted(map(repr, map(_as_flag, row))) != ["0"] * (width - 1) + ["1"]:
            raise DataError(
                f"{name}: label {number} must be a number or a string, or a one-hot row of {width}, got {_kind(row)}"
            )
    if classes and len(classes) != width:
        raise DataError(f"{name}: one-hot rows of {width}, expected {len(classes)}, one number for each class")
    numbers = [next(k for k, v in enumerate(row) if v) for row in rows]
    return [classes[k] for k in numbers] if classes else numbers


def _as_flag(value: Any) -> Any:
    """0 or 1 for what is as much, or None."""
    known = isinstance(value, (int, float)) or hasattr(value, "__float__")
    return int(value) if known and value in (0, 1) else None


def _plain_label(label: Any) -> Label:
    """A label of a type of its own (a member of an Enum, say) as the plain value it stands for."""
    return str.__str__(label) if isinstance(label, str) else int(label) if isinstance(label, int) else float(label)


def as_targets(y: Any, width: int, name: str = "y", length: int | None = None) -> list[list[float]]:
    """Regression targets: one number a sample (where ``width`` is 1) or one row of ``width`` numbers a sample."""
    values = _listed(y, name, "numbers")
    if length is not None and len(values) != length:
        raise DataError(f"X and {name} must be of the same length, got {length} and {len(values)}")
    rows = [[v] if type(v) in _NUMBERS or not _is_row(v) else v for v in values]
    for number, row in enumerate(rows):
        if hasattr(row, "__len__") and len(row) != width:
            hint = "; for classes, one_hot(y) makes such rows" if width > 1 and len(row) == 1 else ""
            raise DataError(
                f"{name}: row {number} has {len(row)} number{'s' * (len(row) != 1)}, expected {width}, "
                f"one for each output{hint}"
            )
    return [list(map(float, row)) for row in as_rows(rows, name, width)]


def outputs_for(y: Sequence[Any], classes: bool) -> int:
    """How many outputs a model needs for these labels, or these targets; 0 where they will be refused."""
    values = _listed(y, "y", "labels")
    rows = [len(row) for row in values[:1] if _is_row(row)]
    if (rows and rows[0] > 1) or not classes:
        return rows[0] if rows else min(len(values), 1)
    try:
        return len(find_classes(as_labels(values)))
    except DataError:
        return 0


def as_flags(y: Any, width: int, name: str = "y", length: int | None = None) -> list[list[float]]:
    """Multi-label targets: a row of ``width`` zeros and ones a sample."""
    rows = as_targets(y, width, name, length)
    for number, row in enumerate(rows):
        odd = next((k for k, v in enumerate(row) if v not in (0.0, 1.0)), None)
        if odd is not None:
            raise DataError(
                f"{name}: row {number}, column {odd} must be 0 or 1 for multi-label, got {row[odd]!r}; for other "
                'numbers set task="regression"'
            )
    return rows


def as_answers(y: Any, predictions: Any) -> tuple[list[Any], list[Any]]:
    """(labels, predictions) that can be compared: plain labels, or rows where both are rows of several."""
    both = [_listed(y, "y", "labels"), _listed(predictions, "predictions", "labels")]
    if all(values and all(_is_row(row) and len(row) > 1 for row in values) for values in both):
        return [list(row) for row in both[0]], [list(row) for row in both[1]]
    return as_labels(both[0]), as_labels(both[1], "predictions")


def _is_row(target: Any) -> bool:
    """Whether a target is a row of numbers, and not a number (or a text, which will be refused as none)."""
    if isinstance(target, str):
        return False
    return hasattr(target, "__len__") or (hasattr(target, "tolist") and not hasattr(target, "__float__"))


def find_classes(labels: Sequence[Label]) -> list[Label]:
    """The different labels in order; whole floats count as ints. Raises ``DataError`` for a mix of strings and
    numbers."""
    text = [isinstance(label, str) for label in labels]
    if len(set(text)) > 1:
        odd = text.index(not text[0])
        raise DataError(
            f"labels must be all strings or all numbers: label 0 is {shown(labels[0])}, "
            f"label {odd} is {shown(labels[odd])}"
        )
    fraction = next((v for v in labels if isinstance(v, float) and not v.is_integer()), None)
    if fraction is not None:
        raise DataError(
            f"a class label must be a whole number or a string, got {fraction!r}; "
            "for numbers to be predicted use regression"
        )
    classes: list[Label] = sorted({int(v) if isinstance(v, float) else v for v in labels})
    for label in (classes[0], classes[-1]) if classes else ():
        if not isinstance(label, str) and not -(1 << 63) <= label < 1 << 63:
            odd = next(i for i, v in enumerate(labels) if v == label)
            raise DataError(
                f"label {odd} is a number of {int(label).bit_length()} bits, which no model file holds: take labels of "
                "up to 64 bits, or texts"
            )
    return classes


def class_numbers(labels: Sequence[Label], classes: Sequence[Label], name: str = "y") -> list[int]:
    """The position of each label in ``classes``; ``DataError`` for one that is not there."""
    positions = {label: number for number, label in enumerate(classes)}
    try:
        return [positions[label] for label in labels]
    except KeyError:
        odd = next(i for i, label in enumerate(labels) if label not in positions)
        known = shortened(", ".join(map(shown, classes[:12])), 120) + (", ..." if len(classes) > 12 else "")
        raise DataError(
            f"{name}: label {odd} is {shown(labels[odd])}, which is not a class of the training data ({known})"
        ) from None


def one_hot(labels: Sequence[Label], classes: Sequence[Label] | None = None) -> list[list[float]]:
    """One row a label, 1.0 at the label's class and 0.0 elsewhere; classes are found from the labels unless given."""
    labels = as_labels(labels, "labels")
    classes = find_classes(labels) if classes is None else as_labels(classes, "classes")
    width = len(classes)
    return [[1.0 if j == k else 0.0 for j in range(width)] for k in class_numbers(labels, classes)]


# --- scaling -----------------------------------------------------------------------------------------------

PIXEL_FACTOR = 1.0 / 255.0
_PIXEL_COLUMNS = 16  # fewer columns than this are no picture, ...
_PIXEL_LARGEST = 100  # ... and neither are numbers that never come near 255
_PICTURE_SPREAD = 0.1  # pictures from 0 to 1 have deviations of 0.2 and more (root of the mean of their squares), ...
_PICTURE_RARE = 10.0  # ... and pixels at the rim that are seldom lit: as many deviations as this, and many more
_SAMPLE = 1000  # rows are enough to see it
_ROUNDING = 4.0 * sys.float_info.epsilon  # a deviation this small, relative to the mean, is rounding and nothing else


class Scaling:
    """How raw features become the network's inputs, learned from the training rows alone.

    ``kind`` is "pixels" (0-255 become 0-1), "standard" (each column to mean 0 and standard deviation 1) or "none".
    What became of regression targets is a ``Scaling`` as well, and ``undo`` leads from the network's outputs back.
    """

    KINDS = ("auto", "pixels", "standard", "none")
    TARGET_KINDS = ("auto", "standard", "none")

    def __init__(self, kind: str, means: list[float] | None = None, deviations: list[float] | None = None) -> None:
        self.kind = kind
        self.means = means or []
        self.deviations = deviations or []

    @classmethod
    def fit(cls, rows: Sequence[Row], kind: str = "auto", weights: Sequence[float] | None = None) -> Scaling:
        """Learn from training rows. "auto" chooses: rows of ``bytes``, or at least 16 columns of whole numbers from 0
        to 255 that reach beyond 100, are pixels; at least 16 columns within [-1, 1] that are wide apart on the whole,
        but some hardly ever, are pictures already scaled, and left alone; all others are standardised. ``weights``,
        one a row, say how much each counts in means and deviations."""
        require_known("scaling", kind, cls.KINDS)
        if kind == "auto":
            kind = cls._choose(rows)
        elif kind == "pixels" and not all(type(row) is bytes or _pixels(row) for row in rows):
            raise DataError("scaling 'pixels' needs whole numbers from 0 to 255 in every column")
        if kind != "standard":
            return cls(kind)
        columns = enumerate(columns_of(rows))
        pairs = [_mean_and_deviation(column, f"X: column {number}", weights) for number, column in columns]
        return cls(kind, [mean for mean, _ in pairs], [deviation for _, deviation in pairs])

    @staticmethod
    def _choose(rows: Sequence[Row]) -> str:
        if all(type(row) is bytes for row in rows):
            return "pixels"
        if len(rows[0]) < _PIXEL_COLUMNS:
            return "standard"
        largest, smallest = max(map(max, rows)), min(map(min, rows))
        if largest > _PIXEL_LARGEST and all(map(_pixels, rows)):
            return "pixels"
        scaled_picture = smallest >= -1.0 and largest <= 1.0 and _like_pictures(rows)
        return "none" if scaled_picture else "standard"

    def raw(self, rows: Sequence[Row]) -> tuple[Sequence[Row], float]:
        """(rows, factor) such that rows times factor are the scaled rows: pixels stay one byte each."""
        if self.kind == "pixels":
            return [
                row if type(row) is bytes or not _pixels(row) else bytes(map(int, row)) for row in rows
            ], PIXEL_FACTOR
        if self.kind == "none":
            return rows, 1.0
        means, deviations = self.means, self.deviations
        if isinstance(rows, SparseRows):
            return rows.changed(lambda row: [(v - m) / d for v, m, d in zip(row, means, deviations)]), 1.0
        scaled = ([(v - m) / d for v, m, d in zip(row, means, deviations)] for row in rows)
        # What came as arrays, to take a quarter of the memory, is not made lists of.
        return ([array("d", row) for row in scaled] if type(rows[0]) is array else list(scaled)), 1.0

    def transform(self, rows: Sequence[Row]) -> list[list[float]]:
        """Scaled rows as lists of floats."""
        ready, factor = self.raw(rows)
        return [[v * factor for v in row] for row in ready]

    @classmethod
    def fit_targets(cls, targets: Sequence[list[float]], weights: Sequence[float] | None = None) -> Scaling:
        """Learn from regression targets (samples x outputs): each column to mean 0 and standard deviation 1, where a
        sample of weight 2 counts as two."""
        pairs = [_mean_and_deviation(column, f"y: column {k}", weights) for k, column in enumerate(zip(*targets))]
        return cls("standard", [mean for mean, _ in pairs], [deviation for _, deviation in pairs])

    def undo(self, rows: list[list[float]]) -> list[list[float]]:
        """What scaled rows were before: the way back from ``transform``."""
        if self.kind == "none":
            return rows
        if self.kind == "pixels":
            return [[v / PIXEL_FACTOR for v in row] for row in rows]
        means, deviations = self.means, self.deviations
        return [[v * d + m for v, m, d in zip(row, means, deviations)] for row in rows]

    def units(self, width: int) -> list[float]:
        """What 1 in each column of scaled rows is in the raw ones."""
        return self.deviations or [1.0 / PIXEL_FACTOR if self.kind == "pixels" else 1.0] * width

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for a saved model."""
        return {"kind": self.kind, "means": self.means, "deviations": self.deviations}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scaling:
        """From what ``to_dict`` gave; ``ValueError`` for anything else."""
        if not isinstance(data, dict) or set(data) != {"kind", "means", "deviations"}:
            raise ValueError("a scaling is to have a kind, means and deviations")
        kind, means, deviations = data["kind"], data["means"], data["deviations"]
        require_known("scaling", kind, cls.KINDS[1:])
        if type(means) is not list or type(deviations) is not list or len(means) != len(deviations):
            raise ValueError("a scaling is to have as many means as deviations")
        if (
            not all(type(v) is float and math.isfinite(v) for v in means + deviations)
            or min(deviations, default=1) <= 0
        ):
            raise ValueError("means and deviations of a scaling are to be finite, and deviations above 0")
        if bool(means) != (kind == "standard"):
            raise ValueError(f"scaling {kind!r} with {len(means)} means")
        return cls(kind, means, deviations)

    def __repr__(self) -> str:
        return f"Scaling({self.kind!r})"


def _mean_and_deviation(
    column: Sequence[float], name: str, weights: Sequence[float] | None = None
) -> tuple[float, float]:
    """What a column is standardised with; ``weights`` say how much each of its numbers counts."""
    try:
        if weights is None:
            mean, deviation = linalg.mean(column), linalg.standard_deviation(column)
        else:
            total = math.fsum(weights)
            mean = math.fsum(w * v for v, w in zip(column, weights)) / total
            deviation = math.sqrt(math.fsum(w * (v - mean) ** 2 for v, w in zip(column, weights)) / total)
    except (OverflowError, ValueError):  # beyond the largest double on the way, or inf - inf
        mean = deviation = math.inf
    if not math.isfinite(mean) or not math.isfinite(deviation):
        raise DataError(f"{name} has numbers too large to be standardised")
    # A column that never changes, but for rounding, carries nothing: it becomes 0, and is not divided by 0.
    return mean, deviation if deviation > _ROUNDING * abs(mean) else 1.0


def _like_pictures(rows: Sequence[Row]) -> bool:
    """Whether columns are in one unit, of which they use a good part, but some of them only now and then.

    To standardise those would make a pixel that is seldom lit the largest number of all.
    """
    columns = list(columns_of(rows[:: -(-len(rows) // _SAMPLE)]))
    pairs = [_mean_and_deviation(column, "X") for column in columns]
    changing = [(column, *pair) for column, pair in zip(columns, pairs) if min(column) != max(column)]
    if math.fsum(d * d for _, _, d in changing) < _PICTURE_SPREAD**2 * len(columns):
        return False
    return any(max(max(column) - mean, mean - min(column)) > _PICTURE_RARE * d for column, mean, d in changing)


def _pixels(row: Row) -> bool:
    """Whether every entry is a whole number from 0 to 255."""
    if type(row) is bytes:
        return True
    if not (min(row) >= 0 and max(row) <= 255):
        return False
    if type(row) is array:
        return row.typecode not in "fd" or all(map(float.is_integer, row))
    return all(v == int(v) for v in row)
