"""Rows of numbers as users have them (lists, arrays, tables, images), checked and made plain."""

from __future__ import annotations

import math
from _collections_abc import Iterable

from ..checks import shown
from ..errors import DataError
from .tables import SparseRows, buffer_of, is_array, rows_of_buffer, sizes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence
    from typing import Any, Union

    Row = Union[bytes, list[float], array[float]]
else:
    Row = object

NUMBERS = {float, int, bool}
_ARRAYS = "dfbhilqHILQ"  # type codes of arrays that are rows as they are
_UNORDERED_OR_TEXT = (str, dict, set, frozenset)  # can be gone through, but are no sequence of numbers


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
            raise DataError(f"{name} must be a sequence of rows, got {kind(X)}; a single row is handed over as [row]")
        if hasattr(X, "X") and hasattr(X, "y") and not (hasattr(X, "to_numpy") or hasattr(X, "tolist")):
            raise DataError(f"{name} must be a sequence of rows, got a {type(X).__name__}: hand over its .X")
        if hasattr(X, "tocsr") and hasattr(X, "shape"):
            return _sparse_rows(X, name, width)
        X = _rows_of_table(X, name, image)
    elif len(image) == 3:
        X = [_flat_image(row, number, name, image) for number, row in enumerate(X)]
    rows = X if type(X) is list else listed_values(X, name)
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
    if isinstance(row, (bytes, bytearray, str)) or not (hasattr(row, "__len__") and hasattr(row, "__getitem__")):
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


def listed_values(values: Any, name: str, things: str = "rows") -> list[Any]:
    if hasattr(values, "tolist"):
        values = values.tolist()
    elif hasattr(values, "to_numpy"):
        values = values.to_numpy().tolist()
    if isinstance(values, _UNORDERED_OR_TEXT) or not isinstance(values, Iterable):
        raise DataError(f"{name} must be a sequence of {things}, got {kind(values)}")
    return values if isinstance(values, list) else list(values)


def kind(value: object) -> str:
    text = shown(value)
    return text if text.startswith(f"a {type(value).__name__}") else f"{type(value).__name__} {text}"


def _as_row(row: Any, number: int, name: str) -> Row:
    if type(row) is not list:
        if isinstance(row, bytearray) or getattr(row, "typecode", "") == "B":
            return bytes(row)
        if is_array(row) and row.typecode in _ARRAYS and math.isfinite(sum(row)):
            return row  # type: ignore[no-any-return]
        if hasattr(row, "tolist"):
            row = row.tolist()
        if isinstance(row, _UNORDERED_OR_TEXT) or not isinstance(row, Iterable):
            single = "; a single row is handed over as [row]" if number == 0 and hasattr(row, "__float__") else ""
            raise DataError(f"{name}: row {number} must be a sequence of numbers, got {kind(row)}{single}")
    values = row if type(row) is list else list(row)
    if not NUMBERS.issuperset(map(type, values)):
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
        raise DataError(f"{name}: row {number}, column {column} must be a number, got {kind(value)}")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{name}: row {number}, column {column} must be a number, got {kind(value)}") from None


def _require_finite(value: Any, number: int, column: int, name: str) -> None:
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise DataError(f"{name}: row {number}, column {column} must be a finite number, got {shown(value)}")
