"""What the engine ``lanes`` computes with: its matrices, the inputs it reads, and the sizes of their numbers.

A number is a whole number times a *unit*. Weights and their gradients have one unit for the whole matrix (``Block``);
in a batch of samples every row has a unit of its own (``Samples``), so that what is computed for a row never depends on
the rows beside it. A ``LaneMatrix`` can have several forms, each made from another (by ``Forms``, on which the engine
builds) when an operation first asks for it:

    floats    [[0.5, -1.25], [3.0, 0.0]]             for what has no lane form, and for people
    rows      [2 - (5 << 48), 12], in units of 1/4   one int a row, a lane of 48 bits a number: the side of a product
                                                     that is added up
    columns   [2 + (12 << 48), -5]                   the same, one int a column
    samples   [2 - (5 << 48), 3], units 1/4 and 1    the same as rows, with a unit for each row
    scalars   [2, -5] and [3, 0], units 1/4 and 1    small ints: the side of a product that multiplies
    product   two matrices                           that are still to be multiplied
    formula   g * (1.0 - y * y)                      of matrices that are still to be put into it (``FormulaMatrix``)

``Inputs`` are the scalars of rows of data, which only ever multiply: small ints with their zeros left out.
"""

from __future__ import annotations

import math
from itertools import chain, compress
from operator import itemgetter, mul
from struct import iter_unpack

from ... import linalg
from ...linalg import exact_dot
from .layout import Layout, doubles_in, from_machine_doubles, round_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Union

    Operand = Union["LaneMatrix", "Inputs"]  # what operations take

Rows = list[list[float]]
Shape = tuple[int, int]
Size = tuple[int, int]  # (exponent, bound) of a row: its numbers are at most bound times 2**exponent times a scale

SCALAR_BITS = 18  # of a number on the scalar side of a product, ...
MOST_SCALAR_BITS = 26  # ... where there is room for no more, and at most (an int of one of CPython's digits has 30)
ROW_BITS = 30  # a row of a batch that comes from floats gets a unit in which its largest number has so many bits
EXPONENT_STEP = 4  # units of rows that are learned from differ by 2**4 or more: most of a batch then have the same
WIDTHS_OF_PAIRS = (32, 48, 64)  # bits of a lane that holds the product of two rows
MOST_WEIGHT_BITS = 52  # more than this would be lost when weights are saved or shown as floats
HEADROOM_BITS = 3  # how many times weights may double before their true size is looked up
GRADIENT_BITS = 20  # the least that one sample's share of a gradient should have
SUM_BITS = 5  # how many times as large a gradient may grow in a sum of gradients, in bits (momentum 0.9: ten times)
LEAST_BITS = 6  # a product whose lane side would be left with fewer bits than this goes through floats
LARGEST = 1e100  # a matrix with numbers beyond this has run away
SMALLEST = 1e-250  # numbers no larger than this count as zero
ROWS_AT_ONCE = 256  # rows of data that are read at once: bounds memory
LONG_ROW = 64  # in a row with fewer pixels that are not black it is not worth looking for equal ones
SHADES = 4  # so many of the brightest pixels of a row, such as 255, 254, 253 and 252, may occur often: ...
OFTEN = 8  # ... one that the row has so many times is worth a multiplication of its own
SPARSE = 0.7  # a row of inputs with a smaller share of non-zeros than this is read through its non-zeros
NOTHING: Size = (0, 0)  # of a row of zeros

_WITHOUT_SIGN = bytes(range(128)) * 2  # of the last byte of a little-endian double


class LaneOverflowError(OverflowError):
    """Numbers grew beyond all use: training has diverged."""


class Block:
    """One form of a matrix: a list of ints (lanes), which times ``scale`` are its numbers.

    No lane is larger than ``bound`` in size. ``tables`` are the same rows with the last bits of every lane rounded off,
    by how many bits: what a product has read (see ``Layout.coarse``). ``spare`` are those that one may read. ``plans``
    are how products with it were computed last.
    """

    __slots__ = ("bound", "data", "plans", "scale", "spare", "tables")

    def __init__(self, data: list[Any], scale: float, bound: int) -> None:
        self.data = data
        self.scale = scale
        self.bound = bound
        self.tables: dict[int, list[int]] = {}
        self.spare: dict[int, list[int]] = {}
        self.plans: Any = None

    def scaled(self, factor: float) -> Block:
        """The same lanes in another unit."""
        data = [-row for row in self.data] if factor < 0 else self.data
        block = in_range(Block(data, self.scale * abs(factor), self.bound))
        if block.data is self.data:  # and so are what is left of them when they are rounded
            block.tables = self.tables
        return block

    def fitted(self, layout: Layout, allowed: int) -> Block:
        """The same lanes with a bound of at most ``allowed``: rounded to fewer bits where there are too many."""
        if self.bound <= allowed:
            return self
        shift = bits_of(self.bound // allowed)  # so that bound < allowed·2**shift, and bound >> shift < allowed
        data = layout.shift(self.data, shift)
        return Block(data, math.ldexp(self.scale, shift), (self.bound >> shift) + 1)

    def tightened(self, layout: Layout) -> Block:
        """The same lanes with the smallest bound of the form 2**bits that holds."""
        if not any(self.data):
            return Block(self.data, self.scale, 0)
        return Block(self.data, self.scale, min(self.bound, 1 << layout.most_bits(self.data, self.bound)))


class Samples:
    """Lanes of a batch: row i is ``data[i]`` times ``scale`` times 2**exponent, and no lane is larger than the bound,
    where (exponent, bound) is ``sizes[i]``. ``scale`` is from 0.5 to 1."""

    __slots__ = ("_bits", "_most_bits", "data", "scale", "sizes")

    _bits: list[int]
    _most_bits: int

    def __init__(self, data: list[int], scale: float, sizes: list[Size]) -> None:
        self.data = data
        self.scale = scale
        self.sizes = sizes

    def __reduce__(self) -> Any:  # ``data`` of some kinds is made when it is asked for: a copy has it
        return Samples, (self.data, self.scale, self.sizes)

    def bits(self, layout: Layout) -> list[int]:
        """How many bits the largest lane of each row has; looked up once."""
        try:
            return self._bits
        except AttributeError:
            self._bits = layout.bits(self.data, max([bound for _, bound in self.sizes], default=0))
            return self._bits

    def most_bits(self, layout: Layout) -> int:
        """How many bits the largest lane of all has; looked up once."""
        try:
            return self._most_bits
        except AttributeError:
            self._most_bits = layout.most_bits(self.data, max([bound for _, bound in self.sizes], default=0))
            return self._most_bits

    def by_size(self) -> list[tuple[Size, list[int]]]:
        """(size, the numbers of the rows that have it) for every size there is."""
        groups: dict[Size, list[int]] = {}
        for number, size in enumerate(self.sizes):
            groups.setdefault(size, []).append(number)
        return list(groups.items())

    def part(self, numbers: Sequence[int]) -> Samples:
        """Some of the rows."""
        return Samples([self.data[i] for i in numbers], self.scale, [self.sizes[i] for i in numbers])

    def resized(self, sizes: list[Size]) -> Samples:
        """The same lanes with other sizes: they count more or less, or their bounds are known better."""
        return Samples(self.data, self.scale, sizes)

    def scaled(self, factor: float) -> Samples:
        """The same lanes in other units."""
        scale, more = math.frexp(self.scale * abs(factor))
        if not 0.0 < scale < 1.0:
            if scale:
                raise run_away(abs(factor))
            return Samples([0] * len(self.data), 0.5, [NOTHING] * len(self.data))
        data = [-row for row in self.data] if factor < 0 else list(self.data)
        known = {size: size_in_range(scale, size[0] + more, size[1]) for size in {*self.sizes}}
        sizes = [known[size] for size in self.sizes]
        return Samples([row if size[1] else 0 for row, size in zip(data, sizes)], scale, sizes)

    def fitted(self, layout: Layout, allowed: int) -> Samples:
        """The same rows, each with a bound of at most ``allowed``: rounded to fewer bits where there are too many."""
        if all(bound <= allowed for _, bound in self.sizes):
            return self
        shifts = [bits_of(bound // allowed) if bound > allowed else 0 for _, bound in self.sizes]
        sizes = [(e + shift, shifted_bound(b, shift)) if b else NOTHING for (e, b), shift in zip(self.sizes, shifts)]
        return Samples(layout.shift_each(self.data, shifts), self.scale, sizes)

    def raws(self, layout: Layout) -> list[bytes]:
        """The bytes of each row's lanes, with the layout's bias added."""
        bias, size = layout.bias, layout.size
        return [(row + bias).to_bytes(size, "little") for row in self.data]


class LaneMatrix:
    """A matrix in one or more of its forms. ``lane_width`` (bits) is that of the engine it belongs to."""

    condensed: LaneMatrix | None = None  # one of fewer numbers, with the same sum in each channel: see ``pooled``
    __slots__ = (
        *("columns", "even", "floats", "gates", "lane_width", "largest_float", "positive", "product", "rows"),
        *("samples", "scalars", "shape"),
    )

    def __init__(
        self,
        lane_width: int,
        shape: Shape,
        floats: Rows | None = None,
        rows: Block | None = None,
        columns: Block | None = None,
        samples: Samples | None = None,
        product: tuple[Inputs, Samples] | None = None,
    ) -> None:
        self.lane_width = lane_width
        self.shape = shape
        self.floats = floats
        self.rows = rows
        self.columns = columns
        self.samples = samples
        self.scalars: Scalars | None = None
        self.largest_float: float | None = None  # the largest size among the floats, once it has been looked up
        self.positive = False  # whether it is known that no number is negative
        self.even: tuple[Block, list[float]] | None = None  # the rows, each divided by its size, and these sizes
        self.product = product  # the two sides of xᵀ·b
        self.gates: tuple[list[int], float] | None = None  # of a random mask: what ``gate`` takes, and its number


class StoredMatrix(LaneMatrix):
    """A matrix as a file holds it: as little-endian doubles. Its floats are made when somebody asks for them."""

    __slots__ = ("_floats", "doubles")

    _floats: Rows | None

    def __init__(self, lane_width: int, shape: Shape, doubles: bytes) -> None:
        self.doubles = doubles
        super().__init__(lane_width, shape)

    def __reduce__(self) -> Any:  # the slot of ``LaneMatrix`` is a property here: a copy is made anew
        return StoredMatrix, (self.lane_width, self.shape, self.doubles)

    @property
    def floats(self) -> Rows | None:
        """The rows."""
        if self._floats is None:
            self._floats = list(map(list, iter_unpack(f"<{self.shape[1]}d", self.doubles)))
        return self._floats

    @floats.setter
    def floats(self, rows: Rows | None) -> None:
        self._floats = rows

    def largest(self) -> float:
        """The largest size among the numbers, as ``largest_size`` has it."""
        positive = bytearray(self.doubles)
        positive[7::8] = positive[7::8].translate(_WITHOUT_SIGN)
        largest = max(doubles_in(positive), default=0.0)
        if largest > LARGEST:
            raise run_away(largest)
        return largest if largest > SMALLEST else 0.0


class FormulaMatrix(LaneMatrix):
    """What a formula gives. It becomes floats when somebody asks for these; an optimizer's step may be computed in the
    unit of a weight at once. ``compute`` makes rows of floats of an expression and the matrices that go into it.
    ``doubles`` are its rows, each as ``machine_doubles``, if they were computed for a formula that reads them; then
    ``marks`` say for each whether a number of it may not be 0."""

    __slots__ = ("_values", "compute", "doubles", "expression", "marks", "matrices")

    def __init__(
        self, lane_width: int, shape: Shape, compute: Callable[..., Rows], expression: Any, matrices: Sequence[Operand]
    ) -> None:
        self._values: Rows | None = None
        self.compute = compute
        self.expression = expression
        self.matrices: Sequence[Operand] = matrices
        self.doubles: Sequence[bytes] | None = None
        self.marks: Sequence[bool] = ()
        super().__init__(lane_width, shape)

    @property
    def unread(self) -> bool:
        """Whether nobody has asked for its numbers yet."""
        return self._values is None and self.doubles is None

    @property
    def floats(self) -> Rows:
        """The rows."""
        if self._values is None and self.doubles is not None:
            self._values, self.doubles = [*map(from_machine_doubles, self.doubles)], None
        elif self._values is None:
            self._values = self.compute(self.expression, self.matrices, self.shape)
            self.matrices = ()
        return self._values

    @floats.setter
    def floats(self, rows: Rows | None) -> None:
        self._values = rows

    def computed(self, doubles: Sequence[bytes], marks: Sequence[bool]) -> None:
        """Take the rows from somebody who had to compute all of them anyway."""
        self.doubles, self.marks, self.matrices = doubles, marks, ()


class Entry:
    """A row of small ints that multiplies: its numbers, or those of them that are not zero, times 2**exponent.

    ``gather`` picks what they multiply out of a list, ``positions`` says where they stand; both are None if all are
    there. ``total`` is their sum, ``growth`` the sum of their sizes.
    """

    __slots__ = ("_gather", "_positions", "_split", "_whole", "exponent", "growth", "ints", "total")

    def __init__(self, ints: Any, exponent: int, whole: tuple[Any, Sequence[int]] | None = None) -> None:
        self.ints = ints
        self.exponent = exponent
        self.total = sum(ints)
        self.growth = self.total if type(ints) is bytes else sum(map(abs, ints))
        self._whole = whole  # (the row with its zeros, the positions in it: 0, 1, 2, ...), ...
        self._positions: Any = None  # ... until somebody asks which of these are not zero
        self._gather: Any = None
        self._split: tuple[Any, Any, Any, Sequence[Any]] | None = None

    def find_positions(self) -> None:
        """Look up where the numbers stand, and let go of the row with its zeros."""
        row, everywhere = self._whole or ((), ())
        self._positions, self._whole = tuple(compress(everywhere, row)), None
        self._gather = _gather(self._positions)

    @property
    def positions(self) -> Any:
        """Where the numbers stand, or None."""
        if self._whole is not None:
            self.find_positions()
        if self._split is None or not self._split[3]:
            return self._positions
        _, rare, _, groups = self._split  # nothing is held in memory twice
        return tuple(sorted([*rare, *(k for _, _, where in groups for k in where)]))

    @property
    def gather(self) -> Any:
        """What picks the positions out of a list, or None."""
        if self._whole is not None:  # of a row that is read once, faster than to find its positions first
            row, _ = self._whole
            return lambda table: compress(table, row)
        return self._gather if self._split is None or not self._split[3] else _gather(self.positions)

    def split(self) -> tuple[Any, Any, Any, Sequence[Any]]:
        """(gather, positions, ints, groups): most numbers, and as groups of (number, gather, positions) those pixels
        that are the brightest and occur often: what they multiply can be added up first, and multiplied once."""
        if self._split is None:
            often = []
            if self.positions and len(self.ints) >= LONG_ROW:
                brightest = max(self.ints)
                often = [v for v in range(brightest, max(brightest - SHADES, 0), -1) if self.ints.count(v) >= OFTEN]
            if not often:
                self._split = self._gather, self._positions, self.ints, ()
                return self._split
            rare = bytearray(b"\1" * 256)
            for v in often:
                rare[v] = 0
            positions, ints = self._where(rare), self.ints.translate(None, bytes(often))
            groups = [(v, self._where(bytes(v) + b"\1" + bytes(255 - v))) for v in often]
            self._split = _gather(positions), positions, ints, [(v, _gather(where), where) for v, where in groups]
            self._gather = self._positions = None
        return self._split

    def product(self, table: Sequence[int], start: int) -> int:
        """start + the sum of the rows of a table, each times the number that stands in its place."""
        gather, _, ints, groups = self.split()
        row: int = sum(map(mul, gather(table) if gather else table, ints), start)
        for v, pick, _ in groups:
            row += v * sum(pick(table))
        return row

    def dense(self, width: int) -> Any:
        """The row of ``width`` ints with its zeros put back; bytes stay bytes."""
        ints = self.ints
        if self.positions is None:
            return bytearray(ints) if isinstance(ints, bytes) else ints
        row: Any = bytearray(width) if isinstance(ints, bytes) else [0] * width
        any(map(row.__setitem__, self.positions, ints))  # the fastest of loops: nothing that it gives is true
        return row

    def _where(self, marks: bytes | bytearray) -> tuple[int, ...]:
        """The positions of those pixels that have a 1 among the marks, one for each of the 256 numbers of a pixel."""
        return tuple(compress(self._positions, self.ints.translate(marks)))


class Inputs:
    """Rows of small ints that multiply, an ``Entry`` each: its numbers times ``scale`` are the row. Read-only."""

    __slots__ = ("_dense", "_lists", "entries", "given", "largest", "least", "row_sum", "scale", "shape")

    _dense: list[Any]
    _lists: list[Sequence[int]]
    given: list[Sequence[float]] | None  # the rows that the ints stand for, where these may be rounded

    @property
    def pixels(self) -> bool:
        """Whether the ints are bytes."""
        return bool(self.entries) and type(self.entries[0].ints) is bytes

    def __init__(self, entries: list[Entry], width: int, scale: float, largest: int, row_sum: int, least: int) -> None:
        self.entries = entries
        self.shape = (len(entries), width)
        self.scale = scale
        self.largest = largest  # no int is larger in size
        self.row_sum = row_sum  # no row's sizes add up to more
        self.least = least  # rows whose sum has fewer bits than this are treated as if it had so many
        self.given = None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def exponents(self) -> list[int | None]:
        """One exponent a row, None for a row of zeros."""
        return [entry.exponent if entry.growth else None for entry in self.entries]

    def ints(self) -> list[Sequence[int]]:
        """The ints of each row. Arrays, which are small, become lists when they are first asked for: an array makes its
        ints anew whenever it is read."""
        try:
            return self._lists
        except AttributeError:
            self._lists = [row.tolist() if hasattr(row, "tolist") else row for row in [e.ints for e in self.entries]]
            return self._lists

    def dense_rows(self) -> list[Any]:
        """The ints of each row with its zeros put back; bytes stay bytes. Put back when they are first asked for."""
        try:
            return self._dense
        except AttributeError:
            self._dense = [entry.dense(self.shape[1]) for entry in self.entries]
            return self._dense

    @property
    def growths(self) -> list[int]:
        """The sum of the sizes of each row."""
        return [entry.growth for entry in self.entries]

    def products_of_rows(self) -> Rows | None:
        """x·xᵀ, where x is these inputs: the product of each row with each. None if no lane can hold it."""
        needed = bits_of(self.row_sum * self.largest) + 2
        width = next((width for width in WIDTHS_OF_PAIRS if width >= needed), 0)
        if not width:
            return None
        layout, columns = Layout(width, len(self)), [0] * self.shape[1]
        self.add_products(columns, [1 << width * number for number in range(len(self))])
        if self.pixels:
            data = [entry.product(columns, 0) for entry in self.entries]
        else:
            data = [
                sum(map(mul, pick(columns) if (pick := entry.gather) else columns, row))
                for entry, row in zip(self.entries, self.ints())
            ]
        units = [math.ldexp(self.scale, entry.exponent) for entry in self.entries]
        flat = in_rows(layout.unpack(data), (len(self), len(self)))
        return [[v * unit * other for v, other in zip(row, units)] for row, unit in zip(flat, units)]

    def add_products(self, totals: list[int], rows: Sequence[int]) -> None:
        """totals += xᵀ·rows, where x is these inputs: every non-zero adds a multiple of its row."""
        everywhere = range(len(totals))
        if not self.pixels:
            for entry, ints, lanes in zip(self.entries, self.ints(), rows):
                if lanes:
                    for k, v in zip(entry.positions or everywhere, ints):
                        totals[k] += v * lanes
            return
        for entry, lanes in zip(self.entries, rows):
            if lanes:
                _, positions, ints, groups = entry.split()
                for k, v in zip(everywhere if positions is None else positions, ints):
                    totals[k] += v * lanes
                for v, _, where in groups:
                    product = v * lanes
                    for k in where:
                        totals[k] += product

    def to_rows(self) -> Rows:
        """The rows as lists of floats."""
        if self.given is not None:
            return [[v * self.scale for v in row] for row in self.given]
        rows = []
        for entry in self.entries:
            row, unit = [0.0] * self.shape[1], math.ldexp(self.scale, entry.exponent)
            for k, v in zip(range(self.shape[1]) if entry.positions is None else entry.positions, entry.ints):
                row[k] = v * unit
            rows.append(row)
        return rows


class Scalars:
    """All rows of a matrix as small ints: row i is ``rows[i]`` times ``scale`` times 2**exponent.

    No int is larger in size than ``largest``; ``growths`` are the sums of the sizes in each row.
    Rows whose sizes add up to fewer than ``least`` bits are treated as if they had so many.
    """

    __slots__ = ("exponents", "growths", "largest", "least", "rows", "scale")

    def __init__(
        self, rows: list[list[int]], exponents: list[int], scale: float, bits: int, width: int, positive: bool
    ) -> None:
        self.rows = rows
        self.exponents: list[int | None] = [*exponents]
        self.scale = scale
        self.largest = 1 << bits
        self.least = usual(width, bits)
        self.growths = list(map(sum, rows)) if positive else [sum(map(abs, row)) for row in rows]

    def leave_out_zeros(self) -> None:
        """A row of zeros has no size that could mean anything."""
        if 0 in self.growths:
            self.exponents = [exponent if growth else None for exponent, growth in zip(self.exponents, self.growths)]

    def to_rows(self) -> Rows:
        """The rows as lists of floats."""
        units = [math.ldexp(self.scale, exponent or 0) for exponent in self.exponents]
        return [[v * unit for v in row] for row, unit in zip(self.rows, units)]


class FloatRows(Inputs):
    """Rows of data that are no pixels. Which small ints they become is settled when they are first multiplied.

    They are the nearest ints for what is learned from again and again. A weight that is known in floats says itself how
    much each column counts (see ``Lanes``), and then no column gets lost beside one of far larger numbers.
    """

    __slots__ = ("_ints", "_largest", "everywhere", "rows")

    def __init__(
        self,
        rows: Sequence[Sequence[float]],
        scale: float,
        everywhere: Sequence[int],
        largest: Sequence[float] | None = None,
    ) -> None:
        self.rows = rows
        self._largest = largest  # the largest size in each row, if it is known already
        self.scale = scale
        self.everywhere = everywhere
        self.shape = (len(rows), len(everywhere))
        self._ints: Inputs | None = None

    def __reduce__(self) -> Any:  # the slots of ``Inputs`` are properties here: a copy is made anew
        return FloatRows, (self.rows, self.scale, self.everywhere)

    def as_ints(self) -> Inputs:
        """The rows as the nearest small ints."""
        if self._ints is None:
            from array import array  # which would make a model that predicts wait

            entries, width, largest = [], len(self.everywhere), 0
            sizes = self._largest or list(map(largest_size, self.rows))
            for first in range(0, len(self.rows), ROWS_AT_ONCE):
                rows = self.rows[first : first + ROWS_AT_ONCE]
                exponents = list(map(_own_exponent, rows, sizes[first : first + ROWS_AT_ONCE]))
                flat = round_all(rows, [math.ldexp(1.0, -exponent) for exponent in exponents])
                largest = max(largest, max(flat, default=0), -min(flat, default=0))
                for number, exponent in enumerate(exponents):
                    entry = _entry(flat[number * width : (number + 1) * width], exponent, self.everywhere)
                    entry.ints = array("i", entry.ints)  # for as long as they are kept, in less memory
                    entries.append(entry)
            self._ints, self._largest = _inputs(entries, width, self.scale, largest, SCALAR_BITS), None
        return self._ints

    def counting(self, factors: Sequence[float], bits: int) -> Inputs:
        """The rows with each column times its factor, as the nearest ints of at most ``bits`` bits."""
        rows = [list(map(mul, row, factors)) for row in self.rows]
        exponents = [exponent_for(largest_size(row), bits) for row in rows]
        width = len(self.everywhere)
        flat = round_all(rows, [math.ldexp(1.0, -exponent) for exponent in exponents])
        entries = [
            _entry(row, exponent, self.everywhere) for row, exponent in zip(in_rows(flat, self.shape), exponents)
        ]
        return _inputs(entries, width, self.scale, 1 << bits, bits)

    def to_rows(self) -> Rows:
        """The rows as lists of floats."""
        return [[v * self.scale for v in row] for row in self.rows]

    def taken(self, indices: Iterable[int]) -> FloatRows:
        """Some of the rows."""
        return FloatRows([self.rows[i] for i in indices], self.scale, self.everywhere)

    @property
    def entries(self) -> list[Entry]:  # type: ignore[override]
        """One entry a row."""
        return self.as_ints().entries

    @property
    def largest(self) -> int:  # type: ignore[override]
        """No int is larger in size."""
        return self.as_ints().largest

    @property
    def row_sum(self) -> int:  # type: ignore[override]
        """No row's sizes add up to more."""
        return self.as_ints().row_sum

    @property
    def least(self) -> int:  # type: ignore[override]
        """Rows whose sum has fewer bits than this are treated as if it had so many."""
        return self.as_ints().least


# --- reading inputs --------------------------------------------------------------------------------------------------


def read_inputs(rows: Sequence[Sequence[float]], factor: float, everywhere: Sequence[int]) -> Inputs:
    """Rows (``bytes`` or floats) times ``factor``. ``everywhere`` are the positions in a row: 0, 1, 2, ..."""
    if set(map(type, rows)) <= {bytes}:
        return _inputs([_entry(row, 0, everywhere) for row in rows], len(everywhere), factor, 255, 8)
    return FloatRows(rows, factor, everywhere, list(map(largest_size, rows)))


def _inputs(entries: list[Entry], width: int, scale: float, largest: int, bits: int) -> Inputs:
    row_sum = max([entry.growth for entry in entries], default=0)
    return Inputs(entries, width, scale, largest, row_sum, usual(width, bits))


def usual(width: int, bits: int) -> int:
    """Bits of the sum of the sizes of ``width`` numbers of at most ``bits`` bits, where most are far from the
    largest."""
    return max((width << bits).bit_length() - 3, 0)


def _entry(row: Any, exponent: int, everywhere: Sequence[int]) -> Entry:
    """The entry of a row of ints: without a gather and positions if few of the ints are zero."""
    if len(row) - row.count(0) > SPARSE * len(row):
        return Entry(row, exponent)
    if type(row) is bytes:
        return Entry(row.translate(None, b"\0"), exponent, (row, everywhere))
    entry = Entry(list(filter(None, row)), exponent, (row, everywhere))
    entry.find_positions()  # at once: a list of ints would take too much memory while it waits
    return entry


def _gather(positions: tuple[int, ...]) -> Callable[[Sequence[int]], Sequence[int]]:
    """What picks these positions out of a list; of a single one itemgetter would give no sequence."""
    if len(positions) > 1:
        return itemgetter(*positions)
    first = positions[0] if positions else 0
    return itemgetter(slice(first, first + len(positions)))


def _own_exponent(row: Sequence[float], largest: float) -> int:
    """The exponent of a unit in which a row's numbers, of which ``largest`` is the size of the largest, are small ints;
    whole numbers that are small stay exact."""
    exponent = exponent_for(largest, SCALAR_BITS, EXPONENT_STEP)
    if exponent > 0 and largest < 1 << SCALAR_BITS and all(v == int(v) for v in row):
        return 0
    return exponent


# --- how large numbers are -------------------------------------------------------------------------------------------


def bits_of(bound: float) -> int:
    """The number of bits of a bound: the least b such that bound < 2**b."""
    return int(bound).bit_length()


def longest_sum(rows: Iterable[Sequence[int]]) -> int:
    """The largest sum of sizes in a row: by so much can a product with these scalars grow."""
    return max([sum(map(abs, row)) for row in rows], default=0)


def exponent_for(largest: float, bits: int, step: int = 1) -> int:
    """The exponent of the power of two that, as a unit, makes numbers up to ``largest`` at most 2**bits units. It is a
    multiple of ``step``, less the bits."""
    return -(-math.frexp(largest)[1] // step) * step - bits if largest else 0


def unit_for(largest: float, bits: int) -> float:
    """The power of two that, as a unit, makes numbers up to ``largest`` at most 2**bits units."""
    return math.ldexp(1.0, exponent_for(largest, bits))


def largest_size(row: Sequence[float]) -> float:
    """The largest size among the numbers of a row, 0 if all are too small to count; ``LaneOverflowError`` if one is not
    finite or beyond all use."""
    if not row:
        return 0.0
    high, low = max(row), -min(row)
    largest = high if high > low else low
    # max and min pass over a NaN that does not come first; a sum does not.
    if not largest <= LARGEST or not math.isfinite(sum(row)):
        raise run_away(largest if largest > LARGEST else math.nan)
    return largest if largest > SMALLEST else 0.0


def largest_in(rows: Iterable[Sequence[float]]) -> float:
    """The same of all numbers of all rows."""
    return largest_size(list(chain.from_iterable(rows)))


def run_away(largest: float) -> LaneOverflowError:
    """The error that names the number that was too large, or was none."""
    what = f"numbers up to {largest:.3g}" if largest == largest else "a number that is no number (NaN)"
    return LaneOverflowError(
        f'{what} appeared, and the lanes engine goes up to {LARGEST:g} (engine="linalg" goes up to 1.8e308)'
    )


def in_range(block: Block) -> Block:
    """The block itself if its numbers can be computed with, zeros if all are too small for that."""
    if SMALLEST < block.bound * block.scale <= LARGEST:
        return block
    if block.bound * block.scale <= SMALLEST:  # its scale may even be 0 by now, which nothing can be divided by
        return Block([0] * len(block.data), 1.0, 0)
    raise run_away(block.bound * block.scale)


def odd_part(number: int) -> tuple[int, int]:
    """(what is left of a whole number without its factors of 2, how many these are); (0, 0) for 0."""
    twos = (number & -number).bit_length() - 1 if number else 0
    return number >> twos, twos


def shifted_bound(bound: int, shift: int) -> int:
    """A bound on numbers up to ``bound`` that are divided by 2**shift and rounded."""
    if shift <= 0:
        return bound << -shift
    return (bound >> shift) + 1 if shift <= bound.bit_length() else 0


def times_power(number: float, exponent: int) -> float:
    """number · 2**exponent; infinite, and no error, if that is too large for a float."""
    try:
        return math.ldexp(number, exponent)
    except OverflowError:
        return math.inf


def largest_of(bounds: Sequence[tuple[int, int]]) -> int:
    """The largest of some (bound, count)."""
    return max([bound for bound, _ in bounds], default=0)


def sum_of(bounds: Sequence[tuple[int, int]]) -> int:
    """The sum of some (bound, count), each as often as it counts."""
    return sum([bound * count for bound, count in bounds])


def too_short(bound: int, samples: Samples) -> bool:
    """Whether rows had to lose so much that too few bits are left of the largest."""
    return bound < 1 << LEAST_BITS and any(had > bound for _, had in samples.sizes)


def size_in_range(scale: float, exponent: int, bound: int) -> Size:
    """(exponent, bound) if numbers of that size can be computed with, ``NOTHING`` if all are too small for that."""
    largest = times_power(scale * bound, exponent)
    if SMALLEST < largest <= LARGEST:
        return exponent, bound
    if largest <= SMALLEST:
        return NOTHING
    raise run_away(largest)


def alike(things: Sequence[Any]) -> bool:
    """Whether there are any, and all are equal."""
    return bool(things) and things.count(things[0]) == len(things)


# --- laying numbers out ----------------------------------------------------------------------------------------------


def transposed(m: Sequence[Sequence[Any]], width: int) -> list[tuple[Any, ...]]:
    """The ``width`` columns of a matrix, which are empty if it has no rows."""
    return list(zip(*m)) or [()] * width


def in_rows(flat: list[Any], shape: Shape) -> list[list[Any]]:
    """All entries, one after the other, as rows."""
    count, width = shape
    return [flat[i * width : (i + 1) * width] for i in range(count)]


# --- forms, made from each other -------------------------------------------------------------------------------------


class Forms:
    """Makes the forms of matrices from each other, with lanes of ``width`` bits: what all operations build on."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.capacity = width - 2  # bits of a lane
        self.weight_bits = min(self.capacity - 1, MOST_WEIGHT_BITS)  # one is left for a step
        self.learning = False  # whether it is tuned for rows that are learned from, ...
        self.usual_sum = 0  # ... bits of the sums of these rows, ...
        self.exponent_step = 1  # ... and what the exponents of their units are multiples of
        self._layouts: dict[int, Layout] = {}  # by the number of lanes; making one costs more than a row operation

    def layout(self, count: int) -> Layout:
        """How ``count`` numbers stand in a row."""
        layout = self._layouts.get(count)
        if layout is None:
            layout = self._layouts[count] = Layout(self.width, count)
        return layout

    def from_rows(self, rows: Iterable[Iterable[float]]) -> LaneMatrix:
        """A matrix from rows of numbers; they become lanes when an operation first wants them so."""
        floats = linalg.from_rows(rows)
        return LaneMatrix(self.width, linalg.shape(floats), floats)

    def from_doubles(self, doubles: bytes, shape: Shape) -> LaneMatrix:
        """A matrix from what a file holds, which becomes lanes without ever being lists of floats."""
        return StoredMatrix(self.width, shape, doubles)

    def to_rows(self, m: Operand) -> Rows:
        """The rows of a matrix as lists of floats."""
        if isinstance(m, Inputs):
            return m.to_rows()
        m = self.own(m)
        if m.floats is not None:
            return m.floats
        # Not kept: other forms would then be made from these floats, not from the lanes, and be rounded otherwise.
        # Looking at a matrix must not change what is computed with it.
        if m.samples is None:
            rows = self.rows_of(m)
            scale = rows.scale
            return in_rows([v * scale for v in self.layout(m.shape[1]).unpack(rows.data, rows.bound)], m.shape)
        samples = m.samples
        flat = self.layout(m.shape[1]).unpack(samples.data, max([bound for _, bound in samples.sizes], default=0))
        if alike(samples.sizes):
            unit = math.ldexp(samples.scale, samples.sizes[0][0])
            return in_rows([v * unit for v in flat], m.shape)
        units = [math.ldexp(samples.scale, exponent) for exponent, _ in samples.sizes]
        return [[v * unit for v in row] for row, unit in zip(in_rows(flat, m.shape), units)]

    def own(self, m: Operand) -> LaneMatrix:
        """The matrix as one of this engine; ``ValueError`` if its lanes are of another width."""
        if isinstance(m, Inputs):
            return LaneMatrix(self.width, m.shape, m.to_rows())
        if m.lane_width != self.width:  # its lanes would be cut in the wrong places
            raise ValueError(
                f"a matrix of {m.lane_width}-bit lanes was handed to an engine of {self.width}-bit lanes; hand over"
                " its numbers: engine.from_rows(other.to_rows(m))"
            )
        return m

    def rows_of(self, m: Operand) -> Block:
        """All rows in one unit: how weights and gradients are kept."""
        m = self.own(m)
        if m.rows is None:
            count, width = m.shape
            if m.columns is not None:
                turned = self.layout(count).transposed(m.columns.data, self.layout(width))
                m.rows = Block(turned, m.columns.scale, m.columns.bound)
            elif m.product is not None:
                m.rows = self._inputs_times(*m.product, width)
            elif m.samples is not None:
                data, exponent, bounds = self.align(m.samples, width, [0] * count, 1, False)
                m.rows = Block(data, math.ldexp(m.samples.scale, exponent), largest_of(bounds))
            else:
                if isinstance(m, StoredMatrix):
                    flat: Sequence[float] = doubles_in(m.doubles)
                    largest = m.largest()
                else:
                    flat = [v for row in m.floats or [] for v in row]
                    largest = largest_size(flat)
                unit = unit_for(largest, self.weight_bits - HEADROOM_BITS)
                lanes = self.layout(width).pack_in_units(flat, unit)
                m.rows = Block(lanes, unit, math.ceil(largest / unit))
        return m.rows

    def columns_of(self, m: Operand) -> Block:
        """All columns in one unit: what is multiplied on the way back."""
        m = self.own(m)
        if m.columns is None:
            rows, (count, width) = self.rows_of(m), m.shape
            turned = self.layout(width).transposed(rows.data, self.layout(count))
            m.columns = Block(turned, rows.scale, rows.bound)
        return m.columns

    def samples_of(self, m: Operand, one_unit: bool = False) -> Samples:
        """Every row in a unit of its own: how a batch is kept. ``one_unit``: one unit will do, while it is learned
        from."""
        m = self.own(m)
        if m.samples is None:
            if m.floats is not None:
                largest = self.largest(m) if one_unit and self.learning else None
                m.samples = self.pack(m.floats, 1.0, m.shape[1], largest)
            else:
                rows = self.rows_of(m)
                scale, exponent = math.frexp(rows.scale)
                m.samples = Samples(rows.data, scale, [(exponent, rows.bound)] * len(rows.data))
        return m.samples

    def largest(self, m: LaneMatrix) -> float:
        """The largest size among the floats of a matrix, as ``largest_size`` has it; looked up once."""
        if m.largest_float is None:
            m.largest_float = largest_in(m.floats or [])
        return m.largest_float

    def pack(self, floats: Rows, scale: float, width: int, largest_of_all: float | None = None) -> Samples:
        """Rows of floats in units of ``scale`` and powers of two: each in its own, or all in that of the largest."""
        mantissa = math.frexp(scale)[0]
        sizes_of_rows = map(largest_size, floats) if largest_of_all is None else [largest_of_all] * len(floats)
        largest = [size / mantissa for size in sizes_of_rows]
        exponents = [exponent_for(size, ROW_BITS, self.exponent_step) for size in largest]
        factors = [math.ldexp(1.0 / mantissa, -exponent) for exponent in exponents]
        sizes = [(exponent, 1 << ROW_BITS) if size else NOTHING for exponent, size in zip(exponents, largest)]
        return Samples(self.layout(width).pack_rounded(floats, factors), mantissa, sizes)

    def scalars_of(self, m: Operand, one_unit: bool = False) -> Scalars:
        """Every row as small ints in a unit of its own. ``one_unit``: one unit will do, while it is learned from."""
        m = self.own(m)
        if m.scalars is None:
            (count, width), scale = m.shape, 1.0
            bits, one_unit = self.scalar_bits(width), one_unit and self.learning
            if m.floats is not None:
                if one_unit:
                    exponents = [exponent_for(self.largest(m), bits, self.exponent_step)] * count
                    factors = [math.ldexp(1.0, -exponent) for exponent in exponents[:1]] * count
                else:
                    exponents = [exponent_for(largest_size(row), bits, self.exponent_step) for row in m.floats]
                    factors = [math.ldexp(1.0, -exponent) for exponent in exponents]
                flat = round_all(m.floats, factors)
            else:
                samples = self.samples_of(m)
                data, exponents = self._shortened(samples, bits, width)
                flat, scale = self.layout(width).unpack(data, 1 << bits), samples.scale
            m.scalars = Scalars(in_rows(flat, m.shape), exponents, scale, bits, width, m.positive)
            if not self.learning or not alike(exponents) or not any(m.scalars.growths):
                m.scalars.leave_out_zeros()
        return m.scalars

    def scalar_bits(self, count: int) -> int:
        """How many bits the scalars of a product with so many terms get: half of what there is, when predicting; as few
        as will do in training, where there are many terms in a gradient."""
        if self.learning:
            return SCALAR_BITS
        return min(max((self.capacity - bits_of(count)) // 2, SCALAR_BITS), MOST_SCALAR_BITS)

    def _shortened(self, samples: Samples, bits: int, width: int) -> tuple[list[int], list[int]]:
        """(rows, exponents): every row in a unit in which its largest lane has ``bits`` bits, rounded if it had more;
        rows that are learned from, and have the same size, keep one unit."""
        layout, sizes = self.layout(width), samples.sizes
        if self.learning and alike(sizes):
            shift = samples.most_bits(layout) - bits
            return layout.shift(samples.data, shift), [sizes[0][0] + shift] * len(sizes)
        step = self.exponent_step
        shifts = [-(-(own + used) // step) * step - bits - own for (own, _), used in zip(sizes, samples.bits(layout))]
        data = layout.shift_each(samples.data, shifts)
        return data, [exponent + shift for (exponent, _), shift in zip(sizes, shifts)]

    def align(
        self, samples: Samples, width: int, others: Sequence[int | None], growth: int, summed: bool
    ) -> tuple[list[int], int, list[tuple[int, int]]]:
        """(rows, exponent, bounds): all rows in one unit, to be added up each times an int with a unit of its own.

        ``others`` are the exponents of those ints, None where they are 0. Bounds are (bound, number of rows that have
        it). ``growth`` times the largest, or times the sum over all rows if ``summed``, stays within the lanes; no more
        is rounded off than that takes.
        """
        layout, room = self.layout(width), 1 << self.capacity
        if alike(samples.sizes) and alike(others) and others[0] is not None:  # mostly so, and much simpler
            count, (exponent, bound) = len(others), samples.sizes[0]
            used, terms, shift = samples.most_bits(layout), growth * count if summed else growth, 0
            bound = min(bound, 1 << used) if used or any(samples.data) else 0
            while terms * (left := shifted_bound(bound, shift)) > room:
                shift += max((terms * left).bit_length() - self.capacity - 2, 1)
            rows = layout.shift(samples.data, shift) if shift else samples.data
            return rows, exponent + others[0] + shift, [(left, count)]
        groups: dict[Size, list[int]] = {}
        for number, ((exponent, bound), other) in enumerate(zip(samples.sizes, others)):
            if bound and other is not None:
                key = exponent + other, bound
                if key in groups:
                    groups[key].append(number)
                else:
                    groups[key] = [number]
        parts = []  # (exponent, bound, numbers of rows, rows)
        for (exponent, bound), numbers in groups.items():
            rows = [samples.data[i] for i in numbers]
            # Bounds that are known are often far from what is there, so it is looked up.
            used = layout.most_bits(rows, bound)
            if used or any(rows):
                parts.append((exponent, min(bound, 1 << used), numbers, rows))
        common = min([part[0] for part in parts], default=0)
        while True:
            bounds = [(shifted_bound(bound, common - own), len(numbers)) for own, bound, numbers, _ in parts]
            total = growth * (sum_of(bounds) if summed else largest_of(bounds))
            if total <= room:
                break
            common += max(total.bit_length() - self.capacity - 2, 1)
        data = [0] * len(samples.data)
        for own, _, numbers, rows in parts:
            for number, row in zip(numbers, layout.shift(rows, common - own)):
                data[number] = row
        return data, common, bounds

    def products_of_floats(self, a: Operand, b: Operand) -> LaneMatrix:
        """aᵀ·b where ranges are too far apart for lanes."""
        columns, others = [transposed(self.to_rows(m), m.shape[1]) for m in (a, b)]
        rows = [[exact_dot(p, q) for q in others] for p in columns]
        return LaneMatrix(self.width, (a.shape[1], b.shape[1]), rows)

    def _add_products(self, x: Inputs, data: list[int], rows: Sequence[int], width: int, finer: int = 0) -> None:
        """data += xᵀ·rows / 2**finer, rounded; rows of so many lanes. ``shared`` divides it among several processes."""
        if not finer:
            x.add_products(data, rows)
            return
        totals = [0] * len(data)
        x.add_products(totals, rows)
        self._add_shifted(data, totals, width, finer)

    def _add_shifted(self, data: list[int], totals: Sequence[int], width: int, finer: int) -> None:
        """data += totals / 2**finer, rounded."""
        changed = [k for k, row in enumerate(totals) if row]
        for k, row in zip(changed, self.layout(width).shift([totals[k] for k in changed], finer)):
            data[k] += row

    def _inputs_times(self, x: Inputs, samples: Samples, width: int) -> Block:
        """xᵀ·b, row by row of x: every non-zero adds a multiple of b's row to the row of the result it belongs to."""
        spare = self.capacity - GRADIENT_BITS - bits_of(x.largest * x.shape[0])
        room = x.largest << min(max(spare, 0), SUM_BITS)  # for what an optimizer adds to it
        rows, exponent, bounds = self.align(samples, width, x.exponents, room, True)
        if too_short(largest_of(bounds), samples):
            b = LaneMatrix(self.width, (x.shape[0], width), samples=samples)
            return self.rows_of(self.products_of_floats(x, b))
        totals = [0] * x.shape[1]
        self._add_products(x, totals, rows, width)
        return in_range(Block(totals, times_power(x.scale * samples.scale, exponent), x.largest * sum_of(bounds)))
