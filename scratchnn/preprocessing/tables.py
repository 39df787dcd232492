"""Rows out of the tables of other libraries, without importing any: arrays, DataFrames, sparse matrices.

An array is read through the buffer protocol (``memoryview``), a row at a time: pixels of one byte become ``bytes``, all
other numbers ``array`` rows, which take as much memory as they do in the array, where lists take four times as much. A
sparse matrix stays sparse; its rows are filled in when they are asked for.
"""

from __future__ import annotations

import math
import sys
from _collections_abc import Sequence

from ..checks import listed, shown
from ..errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator
    from typing import Any

_CODES = frozenset("bhilqHILQfd")  # formats of a buffer that are type codes of arrays, too
_CHUNK = 1 << 18  # bytes that are copied at once


def is_array(values: Any) -> bool:
    """Whether this is an ``array``. Where nobody has loaded that module, there is none: it takes its time to load."""
    module = sys.modules.get("array")
    return module is not None and type(values) is module.array


def _zeros(count: int) -> array[float]:
    from array import array

    return array("d", bytes(8 * count))


def buffer_of(values: Any) -> memoryview | None:
    """The numbers of an array of two or more dimensions, None for anything else.

    Rows that an array has in another order of bytes, or in types that Python has not, are left to its ``tolist()``.
    """
    if isinstance(values, (list, tuple)):
        return None
    try:
        view = memoryview(values)
    except (TypeError, ValueError, BufferError):
        return None
    usable = view.ndim > 1 and view.nbytes > 0 and (view.format in _CODES or view.format in ("B", "?"))
    return view if usable else None


def sizes_of(view: memoryview) -> list[int]:
    """The sizes of an array in each dimension."""
    return list(view.shape or ())


def rows_of_buffer(view: memoryview) -> list[Any]:
    """One row for each entry of the first dimension; ``bytes`` where numbers are of one byte and not negative."""
    from array import array

    count = sizes_of(view)[0]
    size = view.nbytes // count
    code: Any = "b" if view.format == "?" else view.format  # what is true or false is no pixel
    rows: list[Any] = []
    at_once = max(_CHUNK // size, 1)
    for first in range(0, count, at_once):
        data = view[first : first + at_once].tobytes()
        parts = [data[i : i + size] for i in range(0, len(data), size)]
        rows += parts if code == "B" else [array(code, part) for part in parts]
    return rows


class SparseRows(Sequence["Any"]):
    """The rows of a sparse matrix: each is an array of floats, made when it is asked for."""

    def __init__(self, data: Any, columns: Any, starts: Any, width: int) -> None:
        """In compressed rows: row i has ``data[k]`` in column ``columns[k]`` for k from ``starts[i]`` on, up to
        ``starts[i + 1]``."""
        self.width = width
        self._change: Callable[[Any], Any] | None = None
        self._data, self._columns = data, columns
        self._spans = list(zip(starts, starts[1:]))

    @classmethod
    def of(cls, matrix: Any) -> SparseRows:
        """From a matrix of SciPy's kinds, all of which know ``tocsr()``."""
        from array import array

        matrix = matrix.tocsr()
        data, columns = array("d", matrix.data.tolist()), array("q", matrix.indices.tolist())
        return cls(data, columns, matrix.indptr.tolist(), int(matrix.shape[1]))

    def at(self, indices: Sequence[int]) -> SparseRows:
        """Some of the rows."""
        rows = SparseRows(self._data, self._columns, [], self.width)
        rows._spans = [self._spans[i] for i in indices]
        rows._change = self._change
        return rows

    def changed(self, change: Callable[[Any], Any]) -> SparseRows:
        """The same rows, each changed by a function when it is asked for."""
        rows = self.at(range(len(self)))
        rows._change = change
        return rows

    def not_finite(self) -> tuple[int, int, float] | None:
        """(row, column, number) of the first number that is not finite."""
        if all(map(math.isfinite, self._data)):
            return None
        for number, span in enumerate(self._spans):
            for k in range(*span):
                if not math.isfinite(self._data[k]):
                    return number, self._columns[k], self._data[k]
        return None

    def columns(self) -> Iterator[Any]:
        """One column after the other, each as an array."""
        entries: dict[int, list[tuple[int, float]]] = {}
        for number, span in enumerate(self._spans):
            for k in range(*span):
                entries.setdefault(self._columns[k], []).append((number, self._data[k]))
        for column in range(self.width):
            values = _zeros(len(self._spans))
            for number, value in entries.get(column, ()):
                values[number] += value
            yield values

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return self.at(range(len(self))[i])
        row = _zeros(self.width)
        for k in range(*self._spans[i]):
            row[self._columns[k]] += self._data[k]  # an entry may come in parts
        return row if self._change is None else self._change(row)


def taken(rows: Sequence[Any], indices: Sequence[int]) -> Any:
    """Some of the rows, sparse ones as such."""
    return rows.at(indices) if isinstance(rows, SparseRows) else [rows[i] for i in indices]


def columns_of(rows: Sequence[Any]) -> Iterator[Any]:
    """One column of numbers after the other."""
    return rows.columns() if isinstance(rows, SparseRows) else iter(zip(*rows))


# --- names of columns -----------------------------------------------------------------------------------


def column_names(table: Any) -> list[str]:
    """The names of a DataFrame's columns; [] for anything else, and for columns that are only numbered.

    Raises ``DataError`` for a name that stands twice, as nobody could tell which of the two is meant.
    """
    if not (hasattr(table, "columns") and hasattr(table, "to_numpy")):
        return []
    names = list(table.columns)
    if not all(isinstance(name, str) for name in names):
        return []
    ordered = sorted(names)
    twice = next((name for name, other in zip(ordered, ordered[1:]) if name == other), None)
    if twice is not None:
        raise DataError(f"a DataFrame has two columns called {shown(twice)}: give every column a name of its own")
    return [str(name) for name in names]


def in_column_order(table: Any, expected: Sequence[str], name: str) -> Any:
    """A DataFrame with its columns in the order of ``expected``; as it is where one of the two has no names.

    Raises ``DataError`` that lists the columns that are missing, and those that nobody has learned from.
    """
    names = column_names(table) if expected else []
    if not names or names == list(expected):
        return table
    here, wanted = set(names), set(expected)
    missing, unknown = [n for n in expected if n not in here], [n for n in names if n not in wanted]
    if missing or unknown:
        both = ((missing, "missing"), (unknown, "not known"))
        said = [f"{listed(odd)} {'is' if len(odd) == 1 else 'are'} {what}" for odd, what in both if odd]
        raise DataError(f"{name} has other columns than the model was fitted with: {', '.join(said)}")
    return table[list(expected)]
