"""Labels and targets as users have them, checked; classes and their numbers."""

from __future__ import annotations

import math

from ..checks import shortened, shown
from ..errors import DataError
from .rows import NUMBERS, as_rows, kind, listed_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Union

    Label = Union[int, str, float, bool]
else:
    Label = object

_LABEL_TYPES = {int, str, float, bool}


def as_labels(
    y: Any, name: str = "y", length: int | None = None, classes: Sequence[Label] | None = None
) -> list[Label]:
    """The labels of ``y`` as a list of ints, strings, floats or bools; ``length`` is how many are expected.

    Labels may be rows: of a single one, or one-hot, which then stand for the class there in ``classes``, or its number.
    """
    labels = listed_values(y, name, "labels")
    if labels and all(_is_row(label) and not isinstance(label, bytes) for label in labels):  # bytes would be a name
        labels = _labels_of_rows([list(row) for row in labels], name, classes)
    labels = [label.item() if hasattr(label, "item") else label for label in labels]
    if length is not None and len(labels) != length:
        raise DataError(f"X and {name} must be of the same length, got {length} rows and {len(labels)} labels")
    for number, label in enumerate(labels):
        if not isinstance(label, (int, str, float)):
            raise DataError(f"{name}: label {number} must be a number or a string, got {kind(label)}")
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
                f"{name}: label {number} must be a number or a string, or a one-hot row of {width}, got {kind(row)}"
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
    values = listed_values(y, name, "numbers")
    if length is not None and len(values) != length:
        raise DataError(f"X and {name} must be of the same length, got {length} and {len(values)}")
    rows = [[v] if type(v) in NUMBERS or not _is_row(v) else v for v in values]
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
    values = listed_values(y, "y", "labels")
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


def as_answers(y: Any, predictions: Any, names: tuple[str, str] = ("y", "predictions")) -> tuple[list[Any], list[Any]]:
    """(labels, predictions) that can be compared: plain labels, or rows where both are rows of several."""
    both = [listed_values(y, names[0], "labels"), listed_values(predictions, names[1], "labels")]
    if all(values and all(_is_row(row) and len(row) > 1 for row in values) for values in both):
        return [list(row) for row in both[0]], [list(row) for row in both[1]]
    return as_labels(both[0], names[0]), as_labels(both[1], names[1])


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
