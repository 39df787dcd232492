"""How a formula is computed of the matrices that go into it: some rows at a time, and no more of them than needs be.

The numbers of some rows are read one after the other, out of lanes or lists of floats, and stay in the processor's
cache until the formula has made new ones of them. What is not computed at all:

    rows that are 0 in all matrices     the weights of a pixel that was always black: one number says what they give
    an input that is 0 in these rows    the gradient of a pixel that is black in this batch: s ← c·s + d·g² is c·s there

A matrix that goes into a formula may be what another formula gives, such as the mean of squares in a step of Adam. If
nobody has looked at it yet, its rows are computed just before they are read, and kept for later.
"""

from __future__ import annotations

import math
from itertools import chain

from .formulas import Expression, gathered
from .layout import ROUNDING, from_machine_doubles, machine_doubles
from .matrix import FormulaMatrix, LaneMatrix, alike

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from .matrix import Operand, Shape

NUMBERS_AT_ONCE = 2048  # that a formula is computed of: their lists stay in a processor's cache


class Reading:
    """A formula and what it reads. ``ops`` is the engine; ``units`` are those of the numbers that come out of lanes,
    None for 1; ``marks`` say, once for each of the matrices, which rows are not 0 in it."""

    marks: list[Sequence[bool]]

    def __init__(
        self,
        ops: Any,
        expression: Expression,
        matrices: Sequence[Operand],
        shape: Shape,
        known: dict[int, _Reader | _Unread] | None = None,
    ) -> None:
        known = {} if known is None else known  # what reads a matrix, by its id: each is read once
        self.ops = ops
        self.expression = expression
        self.shape = shape
        self.readers: list[_Reader | _Unread] = [_reader(ops, m, known) for m in matrices]
        self.units = [reader.unit for reader in self.readers]
        self.marks = [own for reader in self.readers for own in reader.marks]
        self._known: dict[tuple[int, ...], Any] = {}  # formulas, by the inputs that are not 0

    def rounded(self, factor: float) -> None:
        """From now on its numbers are times the factor, and rounded to whole ones, to which ``ROUNDING`` was added."""
        found = gathered(self.expression, self.units, factor)
        if found is None:
            found = Expression("({0} * {1})", self.expression, factor)
        else:
            self.units = [None] * len(self.units)
        self.expression = Expression("({0} + {1})", found, ROUNDING)
        self._known = {}

    def alive(self) -> Sequence[int]:
        """The rows that are not 0 in all matrices, those that are 0 in the same ones together."""
        if not self.ops.learning or self.shape[0] == 1:
            return range(self.shape[0])
        marks = list(zip(*self.marks))
        return sorted([i for i, own in enumerate(marks) if any(own)], key=marks.__getitem__)

    def parts(self, rows: Sequence[int]) -> Iterable[tuple[Sequence[int], list[float]]]:
        """(some of the rows, their numbers one after the other), and so on. They are to be all that are alive."""
        at_once = max(NUMBERS_AT_ONCE // self.shape[1], 1)
        for first in range(0, len(rows), at_once):
            some = rows[first : first + at_once]
            yield some, self.numbers(some)
        for reader in self.readers:
            reader.finish()

    def numbers(self, rows: Sequence[int]) -> list[float]:
        """The formula's values in some rows."""
        living = tuple([k for k, reader in enumerate(self.readers) if reader.living(rows)])
        if not living:
            return [self.nothing()] * (len(rows) * self.shape[1])
        formula = self._known.get(living)
        if formula is None:
            formula = self._known[living] = self.ops.formulas.function(self.expression, self.units, living)
        values: list[float] = formula([self.readers[k].take(rows) for k in living])
        return values

    def nothing(self) -> float:
        """The formula's value where all is 0."""
        (value,) = self.ops.formulas.function(self.expression, self.units)([[0.0]] * len(self.units))
        return float(value)

    def rows(self) -> list[list[float]]:
        """The formula's values as rows."""
        count, width = self.shape
        alive = self.alive()
        result = [[self.nothing()] * width if len(alive) < count else []] * count
        for rows, values in self.parts(alive):
            for i, first in zip(rows, range(0, len(values), width)):
                result[i] = values[first : first + width]
        return result


class _Reader:
    """What gives the numbers of some rows of a matrix, one after the other: those of ``to_rows``, in units of ``unit``,
    where None stands for 1. ``marks`` is a list of lists, in one of which something is true for each row that is not 0.
    """

    def __init__(self, ops: Any, m: Operand) -> None:
        self.unit: float | None = None
        flat = chain.from_iterable
        self._take: Callable[[Sequence[int]], Sequence[float]]
        self._taken: tuple[Any, Sequence[float]] = None, ()  # last: some rows, and their numbers
        marks: Sequence[bool] = ()
        if isinstance(m, FormulaMatrix) and (doubles := m.doubles) is not None:
            self._take = lambda rows: from_machine_doubles(b"".join([doubles[i] for i in rows]))
            marks = m.marks
        elif lanes := _lanes_of(ops, m):
            data, bound, self.unit = lanes
            unpack = ops.layout(m.shape[1]).unpack
            self._take = lambda rows: unpack([data[i] for i in rows], bound)
            marks = list(map(bool, data)) if ops.learning else ()
        else:
            floats = ops.to_rows(m)
            self._take = lambda rows: list(flat([floats[i] for i in rows]))
            marks = list(map(any, floats)) if ops.learning else ()
        self.marks: list[Sequence[bool]] = [marks]

    def take(self, rows: Sequence[int]) -> Sequence[float]:
        """The numbers of some rows, one after the other; for two formulas at once if both ask for the same rows."""
        if self._taken[0] is not rows:
            self._taken = rows, self._take(rows)
        return self._taken[1]

    def living(self, rows: Sequence[int]) -> bool:
        """Whether one of the rows may not be 0."""
        (marks,) = self.marks
        return not marks or any(map(marks.__getitem__, rows))

    def finish(self) -> None:
        """All rows that are alive have been taken."""


def _lanes_of(ops: Any, m: Operand) -> tuple[list[int], int, float] | None:
    """(rows, bound, unit) of a matrix whose numbers are lanes of one unit."""
    if not isinstance(m, LaneMatrix) or ops.own(m).floats is not None:
        return None
    if m.samples is None:
        lanes = ops.rows_of(m)
        return lanes.data, lanes.bound, lanes.scale
    if not alike(m.samples.sizes):
        return None
    exponent, bound = m.samples.sizes[0]
    return m.samples.data, bound, math.ldexp(m.samples.scale, exponent)


class _Unread:
    """The same of what another formula gives, while nobody has looked at it: rows are computed when they are taken."""

    unit = None

    def __init__(self, ops: Any, m: FormulaMatrix, known: dict[int, _Reader | _Unread]) -> None:
        self.matrix = m
        self.reading = Reading(ops, m.expression, m.matrices, m.shape, known)
        self.marks: list[Sequence[bool]] = self.reading.marks
        count, width = m.shape
        nothing = self.reading.nothing()
        if nothing:  # then no row is 0
            self.marks = [*self.marks, [True] * count]
        self.rows = [machine_doubles([nothing] * width)] * count

    def take(self, rows: Sequence[int]) -> Sequence[float]:
        values = self.reading.numbers(rows)
        raw, size = machine_doubles(values), 8 * self.matrix.shape[1]
        for i, first in zip(rows, range(0, len(raw), size)):
            self.rows[i] = raw[first : first + size]
        return values

    def living(self, rows: Sequence[int]) -> bool:
        return any(any(map(own.__getitem__, rows)) for own in self.marks)

    def finish(self) -> None:
        for reader in self.reading.readers:
            reader.finish()
        self.matrix.computed(self.rows, list(map(any, zip(*self.marks))))


def _reader(ops: Any, m: Operand, known: dict[int, _Reader | _Unread]) -> _Reader | _Unread:
    found = known.get(id(m))
    if found is None:
        unread = isinstance(m, FormulaMatrix) and ops.own(m).unread
        found = known[id(m)] = _Unread(ops, m, known) if unread else _Reader(ops, m)  # type: ignore[arg-type]
    return found
