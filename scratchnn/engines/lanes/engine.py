"""The fast number engine: a matrix holds each of its rows as one Python int (see ``layout`` for the trick).

It offers the operations of ``linalg`` on its own kind of matrix (``matrix``), so layers run on either without
knowing. A product of matrices is a sum of rows, each times a small int; the small ints are the *scalar* side of the
product, and zeros among them are skipped where there are many. A sample (0, 2, 3) in a layer of three inputs and two
outputs, with lanes of 48 bits and units of 1, so that the weights' three rows are three ints:

    weight    (1, 4)  (5, 2)  (7, 0)            1 + (4 << 48)      5 + (2 << 48)      7
    bias      (10, 20)                          10 + (20 << 48)
    affine    2 * (5, 2) + 3 * (7, 0) + bias    2 * (5 + (2 << 48)) + 3 * 7 + 10 + (20 << 48)  =  41 + (24 << 48)

Three multiplications and three additions of Python, however many outputs there are: (41, 24).

Every matrix knows a bound on its lanes. The bound of a result is worked out before it is computed, and an operand is
rounded to fewer bits first if the result could leave its lanes: nothing ever wraps around. Where there is no lane
form (tanh, softmax, a loss) numbers go through floats. Sums of whole numbers do not depend on their order, so results
are the same to the last bit on every Python.

A weight uses nearly all bits of its lanes, so that small steps are not lost; what a product reads is a *table* of it
with fewer bits, in which only those rows are rounded again that a step has changed. In a batch every row has a unit of
its own, and what is done with it follows from that row alone: the result for a sample is the same to the last bit
whatever stands beside it.

How precise it is: an entry of a sum, or of a product in which it is a sum of k terms, is off by at most 2**-14 of the
largest number that the bounds of the operands allow in that row, or by k·2**(21 - width) of it where that is more (many
terms in narrow lanes). Measured over random matrices from 1e-12 to 1e12: 2**-15 in sums, 2**-16 in products. What that
does to training is far less: the loss of every epoch agrees with that of ``linalg`` to about 1 part in 50 000.
"""

from __future__ import annotations

import math
from itertools import chain, compress, repeat
from operator import is_not, mul

from ... import linalg
from ...linalg import exact_dot
from ..base import Engine, drawn_words
from ..lists import LISTS
from .formulas import FUNCTIONS, Expression, Formulas, Function, leak, read
from .layout import ROUNDING, words_in
from .matrix import (
    EXPONENT_STEP,
    GRADIENT_BITS,
    HEADROOM_BITS,
    LARGEST,
    LEAST_BITS,
    NOTHING,
    ROW_BITS,
    SMALLEST,
    Block,
    Entry,
    FloatRows,
    Forms,
    FormulaMatrix,
    Inputs,
    LaneMatrix,
    LaneOverflowError,
    Rows,
    Samples,
    Scalars,
    Shape,
    Size,
    alike,
    bits_of,
    in_range,
    in_rows,
    largest_in,
    largest_of,
    longest_sum,
    odd_part,
    read_inputs,
    run_away,
    shifted_bound,
    size_in_range,
    sum_of,
    times_power,
    too_short,
    transposed,
    unit_for,
    usual,
)
from .reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from random import Random
    from typing import Any

    from .matrix import Operand

WIDTHS = (40, 48, 56, 64)  # what the engine chooses from; narrower is faster
TABLE_BITS = 20  # the least that a weight should have where it is multiplied
STEP_BITS = 15  # of the factor that an optimizer's step is multiplied by: its relative error is below 1/65536
MOST_STEP_BITS = 29  # where there is room for more: an int of one of CPython's digits (30 bits) multiplies fastest
SHRUNK_BITS = 3  # how many times weights may halve before they get a finer unit
EXACT_BITS = 51  # a whole number up to 2**51 is found again after a float has been multiplied and divided by a unit
FEW_ROWS = 32  # a weight of no more rows has tables without a bias, which would have to be taken off every result
MOST_ROUNDED = 48  # bits of a lane, up to which a double that was rounded has it in its low bytes
CHEAPER_PAIRS = 16  # the product of a pair of rows costs as much as so many numbers of a gradient
MOST_CANCELLED = 16  # how many times larger terms may be than their sum before its last bits are lost
SHORT_ROW = 32  # so many lanes are computed with as fast, or nearly so, whether they are wide or narrow
TURNED_TERMS = 24  # products of so many terms, ...
TURNED_ROWS = 2  # ... and of so many times as many rows as columns, are computed with a lane for each row


class ImageOperation:
    """A method of the engine that is in ``convolution`` or ``pooling``, files that only those load who need them."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, engine: Any, owner: Any = None) -> Callable[..., Any]:
        from . import convolution, pooling

        operation: Callable[..., Any] = getattr(pooling if "pool" in self.name else convolution, self.name)
        return operation if engine is None else operation.__get__(engine)


class Lanes(Forms, Engine):
    """The engine. ``width`` is that of its lanes in bits: 40, 48, 56 or 64, or None to choose by the data.

    All operations are those of ``Engine``.
    """

    name = "lanes"
    loss_engine = LISTS  # outputs are few, and their losses have no form in lanes
    divided = False  # whether other processes compute some of the rows of a product: see ``shared``
    exp, log, log1p = FUNCTIONS["exp"], FUNCTIONS["log"], FUNCTIONS["log1p"]
    sqrt, tanh, erf = FUNCTIONS["sqrt"], FUNCTIONS["tanh"], FUNCTIONS["erf"]
    sigmoid, softplus = FUNCTIONS["sigmoid"], FUNCTIONS["softplus"]
    maximum, where = FUNCTIONS["maximum"], FUNCTIONS["where"]

    def __init__(self, width: int | None = None) -> None:
        if width is not None and width not in WIDTHS:
            raise ValueError(f"lanes of this engine can be {WIDTHS} bits wide, got {width!r}")
        super().__init__(48 if width is None else width)
        self.forced = width is not None
        self.formulas = Formulas()
        self._everywhere: dict[int, list[int]] = {}  # the positions in a row of inputs, by its width

    @classmethod
    def for_rows(cls, widest: int) -> Lanes:
        """The engine to predict with for a network whose longest rows have so many numbers: where rows are short, wide
        lanes cost next to nothing, and have bits for numbers far apart."""
        engine = cls(WIDTHS[-1] if widest <= SHORT_ROW else None)
        engine.forced = False
        return engine

    # --- rows in and out --------------------------------------------------------------------------------------------

    def prepare(self, rows: Sequence[Sequence[float]], factor: float = 1.0) -> Inputs:
        """As small ints with their zeros left out."""
        width = len(rows[0]) if rows else 0
        everywhere = self._everywhere.get(width)
        if everywhere is None:
            everywhere = self._everywhere[width] = list(range(width))
        return read_inputs(rows, factor, everywhere)

    def tuned_for(self, prepared: Inputs, batch_size: int) -> Lanes:
        """The engine of the narrowest lanes in which a network can learn well from these inputs."""
        inputs, gradients = bits_of(prepared.row_sum), bits_of(prepared.largest * batch_size)
        needed = 2 + max(inputs + TABLE_BITS, gradients + GRADIENT_BITS)
        width = self.width if self.forced else next((w for w in WIDTHS if w >= needed), WIDTHS[-1])
        chosen = Lanes(width)
        chosen.forced = self.forced
        chosen.learning, chosen.usual_sum, chosen.exponent_step = True, inputs, EXPONENT_STEP
        return chosen

    def take_rows(self, prepared: Inputs, indices: Iterable[int]) -> Inputs:
        if isinstance(prepared, FloatRows) and not self.learning:
            return prepared.taken(indices)
        given, indices = None, list(indices)
        if isinstance(prepared, FloatRows):
            given = [prepared.rows[i] for i in indices]
            prepared = prepared.as_ints()
        entries = prepared.entries
        chosen = [entries[i] for i in indices]
        least = self.usual_sum if self.learning else prepared.least
        batch = Inputs(chosen, prepared.shape[1], prepared.scale, prepared.largest, prepared.row_sum, least)
        batch.given = given
        return batch

    def shape(self, m: Operand) -> Shape:
        return m.shape

    def form_of(self, m: LaneMatrix) -> dict[str, Any]:
        """What a matrix is beyond its numbers, as plain data: the unit of its lanes and their bound.

        Lanes that a float cannot hold exactly are there as well.
        """
        if m.floats is not None:
            return {}
        rows, width = self.rows_of(m), m.shape[1]
        form = {"unit": rows.scale, "bound": rows.bound}
        if self.layout(width).most_bits(rows.data) > EXACT_BITS:
            lanes = self.layout(width).unpack(rows.data, rows.bound)
            return {**form, "lanes": in_rows(lanes, m.shape)}
        return form

    def in_form(self, rows: Rows, form: Any) -> LaneMatrix:
        """``ValueError`` for what is no form."""
        if form == {}:
            return self.from_rows(rows)
        if type(form) is not dict or not {"unit", "bound"} <= set(form) <= {"unit", "bound", "lanes"}:
            raise ValueError("the form of a matrix is to be its unit and bound, and lanes where needed")
        unit, bound, shape = form["unit"], form["bound"], linalg.shape(rows)
        if type(unit) is not float or not 0.0 < unit < math.inf:
            raise ValueError("the unit of a matrix is to be a float above 0")
        if type(bound) is not int or not 0 <= bound <= 1 << self.capacity or not bound * unit <= LARGEST:
            raise ValueError(f"the bound of a matrix is to be at most 2**{self.capacity} units")
        lanes = form.get("lanes")
        if lanes is None:
            largest_in(rows)
            lanes = [[round(v / unit) for v in row] for row in rows]
        elif type(lanes) is not list or any(type(row) is not list or {*map(type, row)} - {int} for row in lanes):
            raise ValueError("the lanes of a matrix are to be rows of whole numbers")
        if [len(row) for row in lanes] != [shape[1]] * shape[0] or any(abs(v) > bound for row in lanes for v in row):
            raise ValueError(f"the lanes of a matrix are to be {shape[0]}x{shape[1]}, none beyond its bound")
        return LaneMatrix(self.width, shape, rows=Block(self.layout(shape[1]).pack(lanes), unit, bound))

    # --- products --------------------------------------------------------------------------------------------

    def affine(self, x: Operand, weight: LaneMatrix, bias: LaneMatrix) -> LaneMatrix:
        if x.shape[1] != weight.shape[0] or bias.shape != (1, weight.shape[1]):
            raise ValueError(
                f"affine needs (n x k), (k x m) and (1 x m), got {x.shape}, {weight.shape} and {bias.shape}"
            )
        return self._times(x, weight, bias)

    def matmul(self, a: Operand, b: Operand) -> LaneMatrix:
        if a.shape[1] != b.shape[0]:
            raise ValueError(
                f"matmul needs as many columns on the left as rows on the right, got {a.shape} and {b.shape}"
            )
        return self._times(a, b, None)

    def _times(self, x: Operand, weight: Operand, bias: LaneMatrix | None, one_unit: bool = False) -> LaneMatrix:
        """x·weight + bias. How a row of x is multiplied follows from the sum of its sizes and its unit (its *plan*)."""
        width = weight.shape[1]
        if self._turns(x, weight):
            turned = self._times_turned(x, weight, bias)
            if turned is not None:
                return LaneMatrix(self.width, (x.shape[0], width), samples=turned)
        scalars: Inputs | Scalars = x if isinstance(x, Inputs) else self.scalars_of(x, one_unit)
        if isinstance(x, FloatRows) and isinstance(weight, LaneMatrix) and weight.floats is not None:
            rows, powers = self._even(weight)
            scalars = x.counting(powers, self.scalar_bits(x.shape[1]))
        else:
            rows = self.rows_of(weight)
        added = None if bias is None else self.rows_of(bias)
        plans = self._plans(rows, scalars.scale, added, width)
        data: list[int] = []
        sizes: list[Size] = []
        by_floats: list[int] = []
        zeros: list[int] = []
        planned: list[tuple[int, list[int], int, int, Any]] = []  # of rows that somebody else may compute
        divided = self.divided
        often = self.learning and isinstance(x, Inputs) and x.pixels  # worth it where a row is read again and again
        one_unit, least, known = one_unit and self.learning, scalars.least, plans.known
        if one_unit:  # the rows of a gradient will be added up
            least += min(bits_of(x.shape[0]), max(self.capacity - least - TABLE_BITS, 0))
        fast = self._times_alike(scalars, least, plans, rows, often)
        if fast is not None:
            return LaneMatrix(self.width, (x.shape[0], width), samples=fast)
        if isinstance(scalars, Inputs):
            operands: Any = [
                (None if often else entry.gather, entry.ints, entry.growth, entry.exponent, entry)
                for entry in scalars.entries
            ]
        else:
            nothing = repeat(None)
            operands = zip(nothing, scalars.rows, scalars.growths, scalars.exponents, nothing)
            if self.learning:
                least = max([least, *map(int.bit_length, scalars.growths)])
        for gather, ints, growth, own, entry in operands:
            if not growth:  # it has no unit that could mean anything
                zeros.append(len(data))
                data.append(0)
                sizes.append(NOTHING)
                continue
            bits = growth.bit_length()
            key = (bits if bits > least else least), own
            table, base, offset, size = known.get(key) or plans.plan(rows, *key)
            if base and not divided:
                offset -= base * (entry.total if entry else sum(ints))
            if table is None:
                by_floats.append(len(data))
                row = 0
            elif divided:
                planned.append((len(data), table, base, offset, entry or ints))
                row = 0
            elif often:
                row = entry.product(table, offset)
            else:
                row = sum(map(mul, gather(table) if gather else table, ints), offset)
            data.append(row)
            sizes.append(size)
        if planned:
            for (number, *_), row in zip(planned, self._planned(planned, often, width)):
                data[number] = row
        if not one_unit and 0 in data:
            sizes = [size if row else NOTHING for size, row in zip(sizes, data)]
        if one_unit and zeros and len(zeros) < len(data):
            usual = next((size for size in sizes if size != NOTHING), NOTHING)
            sizes = [usual if size == NOTHING else size for size in sizes]
        result = Samples(data, plans.scale, sizes)
        if by_floats:
            self._times_by_floats(result, by_floats, x, weight, bias)
        if zeros and bias is not None:
            packed = self.pack(self.to_rows(bias), plans.scale, width)
            for i in zeros:
                data[i], sizes[i] = packed.data[0], packed.sizes[0]
        return LaneMatrix(self.width, (x.shape[0], width), samples=result)

    def _plans(self, weight: Block, scale: float, bias: Block | None, width: int) -> Plans:
        """The plans for products with a weight, which are kept with it."""
        plans: Plans | None = weight.plans
        if plans is None or not plans.fit(scale, bias, width):
            plans = weight.plans = Plans(self, scale, weight.scale, bias, width)
        return plans

    def _turns(self, x: Operand, weight: Operand) -> bool:
        """Whether a product is worth computing with its rows as lanes: they have to be many, and lanes already."""
        (count, terms), width = x.shape, weight.shape[1]
        return (
            count >= TURNED_ROWS * width
            and terms >= TURNED_TERMS
            and isinstance(x, LaneMatrix)
            and x.floats is None
            and x.scalars is None
        )

    def _times_turned(self, x: Any, weight: Operand, bias: LaneMatrix | None) -> Samples | None:
        """x·weight + bias with a lane for each row of x: few long products instead of many short ones. Of three rows

            x  (1, 2)  (3, 4)  (5, 6)     its columns  (1, 3, 5)  (2, 4, 6)     weight  7     bias  9
                                                                                        8
            (1, 3, 5) * 7 + (2, 4, 6) * 8 + (1, 1, 1) * 9  =  (32, 62, 92)

        These are the sums that ``_times`` computes row by row, of the same ints, to the last bit; but a gradient on its
        way back keeps bits here that would leave room for a sum of its rows. None where rows would follow different
        plans, or a plan that has no lanes.
        """
        (count, terms), width, bits = x.shape, weight.shape[1], self.scalar_bits(x.shape[1])
        samples, layout = self.samples_of(x), self.layout(count)
        data, exponents = self._shortened(samples, bits, terms)
        if terms << bits > layout.limit:
            return None
        if not alike(exponents):
            return None if self.learning else self._times_by_unit(x, exponents, weight, bias)
        columns = self.layout(terms).transposed(data, layout, 1 << bits)
        sizes = columns if x.positive else layout.sizes(columns)
        growths, least = layout.unpack([sum(sizes)], terms << bits), usual(terms, bits)
        if not self.learning and (0 in growths or max(growths).bit_length() > least):
            return None
        by_column, added = self.columns_of(weight), None if bias is None else self.rows_of(bias)
        plans = self._plans(by_column, samples.scale, added, width)
        least = max(least, max(growths).bit_length())
        factors, size = plans.turned(by_column, terms, least, exponents[0])
        if factors is None:
            return None
        turned = self._sums([*columns, layout.ones], 0, factors, 0, count)
        data = layout.transposed(turned, self.layout(width))
        if self.learning or 0 not in data:
            return Samples(data, plans.scale, [size] * count)
        return Samples(data, plans.scale, [size if row else NOTHING for row in data])

    def _times_by_unit(
        self, x: LaneMatrix, exponents: Sequence[int], weight: Operand, bias: LaneMatrix | None
    ) -> Samples:
        """The same product of those rows first that have one unit as scalars, then of those that have another, ..."""
        samples = self.samples_of(x)
        groups: dict[int, list[int]] = {}
        for number, exponent in enumerate(exponents):
            groups.setdefault(exponent, []).append(number)
        data, sizes = [0] * len(exponents), [NOTHING] * len(exponents)
        for numbers in groups.values():
            part = LaneMatrix(self.width, (len(numbers), x.shape[1]), samples=samples.part(numbers))
            part.positive = x.positive
            product = self.samples_of(self._times(part, weight, bias))
            for number, row, size in zip(numbers, product.data, product.sizes):
                data[number], sizes[number] = row, size
        return Samples(data, product.scale, sizes)

    def _times_alike(
        self, scalars: Inputs | Scalars, least: int, plans: Plans, rows: Block, often: bool
    ) -> Samples | None:
        """The product where one plan is for all rows, which most often is so; None where it is not."""
        exponents, growths = scalars.exponents, scalars.growths
        if not alike(exponents) or exponents[0] is None:
            return None
        largest = max(growths).bit_length()
        if largest > least:
            if not self.learning or isinstance(scalars, Inputs):
                return None
            least = largest
        key = least, exponents[0]
        table, base, offset, size = plans.known.get(key) or plans.plan(rows, *key)
        if table is None:
            return None
        if isinstance(scalars, Scalars):
            data = self._sums(table, base, scalars.rows, offset, plans.width)
        else:
            ints = None if often else scalars.ints()
            data = self._picked_sums(table, base, scalars.entries, ints, offset, plans.width)
        if self.learning or 0 not in data:
            return Samples(data, plans.scale, [size] * len(data))
        return Samples(data, plans.scale, [size if row else NOTHING for row in data])

    # The loops that take the time. ``shared`` divides each among several processes: nothing else of a product is.

    def _sums(
        self, table: Sequence[int], base: int, multipliers: Sequence[Sequence[int]], offset: int, width: int
    ) -> list[int]:
        """For each list of multipliers an offset, and every row of the table, less ``base``, times its int; ``width``
        lanes a row."""
        starts = [offset - base * sum(ints) for ints in multipliers] if base else repeat(offset)
        return [sum(map(mul, table, ints), start) for ints, start in zip(multipliers, starts)]

    def _picked_sums(
        self,
        table: Sequence[int],
        base: int,
        entries: Sequence[Entry],
        ints: Sequence[Sequence[int]] | None,
        offset: int,
        width: int,
    ) -> list[int]:
        """The same for entries, which pick their rows out of the table; ``ints`` are theirs, or None for pixels that
        are read again and again."""
        starts = [offset - base * entry.total for entry in entries] if base else repeat(offset)
        if ints is None:
            return [entry.product(table, start) for entry, start in zip(entries, starts)]
        return [
            sum(map(mul, pick(table) if (pick := entry.gather) else table, row), start)
            for entry, row, start in zip(entries, ints, starts)
        ]

    def _planned(self, planned: Sequence[tuple[int, list[int], int, int, Any]], often: bool, width: int) -> list[int]:
        """The same for each (number, table, base, offset, an entry or ints). ``often``: all are pixels, read again and
        again."""
        rows = []
        for _, table, base, offset, row in planned:
            pick, ints, total = (row.gather, row.ints, row.total) if isinstance(row, Entry) else (None, row, 0)
            start = offset - base * (total or sum(ints)) if base else offset
            rows.append(
                row.product(table, start) if often else sum(map(mul, pick(table) if pick else table, ints), start)
            )
        return rows

    def _even(self, weight: LaneMatrix) -> tuple[Block, list[float]]:
        """The rows of a weight, each divided by the power of two that makes its largest number about 1, and these
        powers: if a column of inputs is multiplied by them instead, its numbers are as large as what they count for."""
        if weight.even is None:
            samples = self.pack(weight.floats or [], 1.0, weight.shape[1])
            unit = math.ldexp(samples.scale, -ROW_BITS)
            powers = [times_power(1.0, exponent + ROW_BITS) if bound else 0.0 for exponent, bound in samples.sizes]
            weight.even = Block(samples.data, unit, 1 << ROW_BITS), powers
        return weight.even

    def _table(self, rows: Block, shift: int, width: int) -> list[int]:
        """The rows of a weight without the last ``shift`` bits of their lanes; made once, and kept with it. If they are
        many, and anything was shifted, they have a bias, see ``Layout.coarse``."""
        if not shift:
            return rows.data
        table = rows.tables.get(shift)
        if table is None:
            table = rows.tables[shift] = rows.spare.get(shift) or self._rounding(rows, width)(rows.data, shift)
        return table

    def _rounding(self, rows: Block, width: int) -> Callable[[list[int], int], list[int]]:
        """What rounds rows for a table: where they are few, it is their bias that would cost more than it saves."""
        layout = self.layout(width)
        return layout.shift if len(rows.data) <= FEW_ROWS else layout.coarse

    def _times_by_floats(
        self, result: Samples, numbers: Sequence[int], x: Any, weight: Any, bias: LaneMatrix | None
    ) -> None:
        """Put these rows of the product in where ranges are too far apart for lanes: exact sums of floats."""
        rows, columns = self.to_rows(x), transposed(self.to_rows(weight), weight.shape[1])
        added = self.to_rows(bias)[0] if bias is not None else [0.0] * len(columns)
        exact = [[exact_dot(rows[i], c, b) for c, b in zip(columns, added)] for i in numbers]
        packed = self.pack(exact, result.scale, weight.shape[1])
        for i, row, size in zip(numbers, packed.data, packed.sizes):
            result.data[i], result.sizes[i] = row, size

    def matmul_nt(self, a: Operand, b: Operand) -> LaneMatrix:
        if a.shape[1] != b.shape[1]:
            raise ValueError(f"matmul_nt needs as many columns left and right, got {a.shape} and {b.shape}")
        turned = LaneMatrix(self.width, (b.shape[1], b.shape[0]), rows=self.columns_of(b))
        return self._times(a, turned, None, one_unit=True)

    def matmul_tn(self, a: Operand, b: Operand) -> LaneMatrix:
        if a.shape[0] != b.shape[0]:
            raise ValueError(f"matmul_tn needs as many rows left and right, got {a.shape} and {b.shape}")
        shape = a.shape[1], b.shape[1]
        if isinstance(a, Inputs):
            # Computed when it is asked for: an optimizer's step can then be put into b, which is far smaller.
            return LaneMatrix(self.width, shape, product=(a, self.samples_of(b, one_unit=True)))
        # Lanes run along the longer side: fewer and longer ints cost less.
        along_rows = b.shape[1] >= a.shape[1]
        lanes, other = (b, a) if along_rows else (a, b)
        scalars, samples = self.scalars_of(other, one_unit=True), self.samples_of(lanes, one_unit=True)
        columns = transposed(scalars.rows, other.shape[1])
        growth = longest_sum(columns)
        rows, exponent, bounds = self.align(samples, lanes.shape[1], scalars.exponents, growth, False)
        bound = largest_of(bounds)
        if too_short(bound, samples):
            return self.products_of_floats(a, b)
        data = self._sums(rows, 0, columns, 0, lanes.shape[1])
        block = in_range(Block(data, times_power(scalars.scale * samples.scale, exponent), growth * bound))
        return LaneMatrix(self.width, shape, rows=block if along_rows else None, columns=None if along_rows else block)

    def sum_rows(self, m: Operand) -> LaneMatrix:
        count, width = m.shape
        if isinstance(m, LaneMatrix) and m.floats is not None:
            self.largest(m)  # refuses what has run away
            return self.from_rows([[math.fsum(column) for column in zip(*m.floats)] or [0.0] * width])
        samples = self.samples_of(m)
        if alike(samples.sizes) and samples.sizes[0][1] * count <= 1 << self.capacity:  # the common case
            (exponent, bound), rows = samples.sizes[0], samples.data
            bounds = [(bound, count)]
        else:
            rows, exponent, bounds = self.align(samples, width, [0] * count, 1, True)
        block = in_range(Block([sum(rows)], times_power(samples.scale, exponent), sum_of(bounds)))
        return LaneMatrix(self.width, (1, width), rows=block)

    # --- steps: weights and what an optimizer adds to them ---------------------------------------------------------

    def add_scaled(self, a: Operand, b: Operand, factor: float) -> LaneMatrix:
        """In units as fine as the lanes' bits allow."""
        a, b = self.own(a), self.own(b)
        if a.shape != b.shape:
            raise ValueError(f"add_scaled needs two matrices of the same shape, got {a.shape} and {b.shape}")
        if type(b) is FormulaMatrix and a.rows is not None and a.samples is None:
            block = self._moved(a.rows, b, factor)
            if block is not None:
                return LaneMatrix(self.width, a.shape, rows=block)
        if a.floats is not None and b.floats is not None and (a.rows is None or b.rows is None):
            return self._added_as_floats(a.floats, b.floats, factor)
        if a.samples is not None or b.samples is not None:
            return self._added_row_by_row(a, b, factor)
        # Into a weight, or into what is kept of earlier gradients, which becomes smaller by another unit. A product
        # goes this way also where somebody has looked at its numbers: that must not change anything.
        into, product, size = (a, b.product, factor) if a.product is None else (b, a.product, 1.0)
        if product is not None:
            rows = self.rows_of(into) if into is a else self.rows_of(into).scaled(factor)
            # What is 0, or has become so small, has no unit that could mean anything.
            block = self._stepped(rows, *product, size, b.shape[1]) if rows.bound else None
            if block is not None:
                return LaneMatrix(self.width, a.shape, rows=block)
        along_columns = b.columns is not None and b.rows is None
        width = b.shape[0] if along_columns else b.shape[1]
        first, second = (
            (self.columns_of(a), self.columns_of(b)) if along_columns else (self.rows_of(a), self.rows_of(b))
        )
        block = self._added(first, second, factor, width, a.product is None)
        if block is first:
            return a
        return LaneMatrix(
            self.width, a.shape, rows=None if along_columns else block, columns=block if along_columns else None
        )

    def _added_as_floats(self, a: Rows, b: Rows, factor: float) -> LaneMatrix:
        rows = [[v + factor * w for v, w in zip(p, q)] for p, q in zip(a, b)]
        largest_in(rows)
        return LaneMatrix(self.width, linalg.shape(rows), rows)

    def _added(self, first: Block, second: Block, factor: float, width: int, lasts: bool) -> Block:
        """first + factor·second in the unit of the first, or in a coarser one if lanes would overflow in that.

        ``lasts`` says that the first is a weight, or the like, to which more will be added.
        """
        step = abs(factor) * second.bound * second.scale
        if not step <= LARGEST:
            raise run_away(step)
        room = 1 << self.capacity - 1
        # Bounds are often far from what is there: before bits are lost, and where there is no unit yet, look them up.
        if not first.bound or first.bound * first.scale + step > room * first.scale:
            first = first.tightened(self.layout(width))
        if not first.bound or first.bound * first.scale + step > room * first.scale:
            second = second.tightened(self.layout(width))
            step = abs(factor) * second.bound * second.scale
        if step <= SMALLEST:
            return first
        unit, total = first.scale, first.bound * first.scale + step
        if not first.bound:
            # Nothing to keep the unit of (a bias before its first step): it is the step that gets the bits.
            unit = unit_for(step, self.weight_bits - HEADROOM_BITS)
        elif total > room * first.scale:
            unit = unit_for(total, self.capacity - 1)
        data, bound = list(first.data), first.bound
        if unit != first.scale and bound:
            data, bound = self._rescaled(data, bound, first.scale / unit, width)
        # Rows without a gradient (pixels that are black in the whole batch) stay as they are.
        changed = [i for i, row in enumerate(second.data) if row]
        ratio = factor * second.scale / unit
        rows, extra = self._rescaled([second.data[i] for i in changed], second.bound, ratio, width)
        for i, row in zip(changed, rows):
            data[i] += row
        block = Block(data, unit, bound + extra)
        return self._as_weight(first, block, changed, width) if lasts else block

    def _stepped(self, first: Block, x: Inputs, samples: Samples, factor: float, width: int) -> Block | None:
        """first + factor·xᵀ·samples, straight into the rows of first; None where that does not fit its unit.

        The samples' rows, of which there are few, are multiplied such that they count in units of the first, or in
        finer ones if they would be left with fewer than ``STEP_BITS``; the sum then only has to be shifted.
        """
        ratio = abs(factor) * x.scale * samples.scale / first.scale
        if not SMALLEST < ratio < LARGEST:
            return None
        mantissa, exponent = math.frexp(ratio)
        multiplier = round(mantissa * (1 << STEP_BITS))
        multiplier, twos = odd_part(multiplier)  # a power of two becomes a mere shift
        exponent += twos - STEP_BITS
        rows, common, bounds = self.align(samples, width, x.exponents, multiplier, False)
        total, largest = x.largest * multiplier * sum_of(bounds), multiplier * largest_of(bounds)
        whole = -(exponent + common)  # a shift by so much makes units of the first
        least = total.bit_length() - self.capacity + 2  # and one by so much keeps the sum within its lanes
        if not total or not -self.capacity < whole < 2 * self.capacity or whole < least:
            return None
        finer = max(min(STEP_BITS + 1 - largest.bit_length() + whole, whole - max(least, 0)), 0)
        if factor < 0.0:
            multiplier = -multiplier
        layout, shift = self.layout(width), whole - finer
        rows = layout.shift([row * multiplier for row in rows] if multiplier != 1 else rows, shift)
        step = x.largest * sum_of([(shifted_bound(abs(multiplier) * bound, shift), count) for bound, count in bounds])
        data = list(first.data)
        self._add_products(x, data, rows, width, finer)
        changed = list(compress(range(len(data)), map(is_not, data, first.data)))
        if finer:
            step = (step >> finer) + 1
        if first.bound + step > 1 << self.capacity:
            return None
        return self._as_weight(first, Block(data, first.scale, first.bound + step), changed, width)

    def _moved(self, first: Block, step: FormulaMatrix, factor: float) -> Block | None:
        """first + factor·step, where the step is computed in units of the first; None where it does not fit these."""
        ratio, width = factor / first.scale, step.shape[1]
        if self.width > MOST_ROUNDED or not SMALLEST < abs(ratio) < LARGEST or not first.bound:
            return None
        # Numbers that somebody has looked at are floats by now. They give the same step, but where the last bit of a
        # double, which is another if constants are put together, decides how a number is rounded to a unit.
        what, of = (step.expression, step.matrices) if step.unread else (Expression("a0"), [step])
        layout = self.layout(width)
        numbers: list[int] = []
        changed, steps = [], []
        reading = Reading(self, what, of, step.shape)
        reading.rounded(ratio)
        alive = reading.alive()
        if len(alive) < step.shape[0] and reading.nothing() != ROUNDING:  # where all is 0, the step is not
            alive = range(step.shape[0])
        for some, values in reading.parts(alive):
            rows = layout.pack_small(values)
            if rows is None:
                return None
            numbers += some
            steps += rows
        data = list(first.data)
        for i, row in zip(numbers, steps):
            if row:
                data[i] += row
                changed.append(i)
        bound = first.bound + (1 << layout.most_bits(steps))
        if bound > 1 << self.capacity:
            return None
        return self._as_weight(first, Block(data, first.scale, bound), changed, width)

    def _as_weight(self, before: Block, block: Block, changed: Sequence[int], width: int) -> Block:
        """A sum with a bound that leaves room for the next step, and with the tables of what was there before.

        Bounds only ever grow from step to step, much faster than the lanes themselves. So before lanes are rounded to
        fewer bits their true size is looked up, and mostly the unit can stay as it is.
        """
        if block.scale == before.scale:
            rounded = self._rounding(block, width)
            for shift, table in before.tables.items():
                block.spare[shift] = fresh = list(table)
                for k, row in zip(changed, rounded([block.data[k] for k in changed], shift)):
                    fresh[k] = row
        if block.bound.bit_length() <= before.bound.bit_length() or not before.bound:
            return block
        bits, tight = self.weight_bits - HEADROOM_BITS, block.tightened(self.layout(width))
        if tight.bound > 1 << self.weight_bits:
            return tight.fitted(self.layout(width), 1 << bits)
        finer = bits - (tight.bound - 1).bit_length()
        if tight.bound and finer > SHRUNK_BITS:  # they have become so small that they are worth a finer unit
            shifted = self.layout(width).shift(block.data, -finer)
            return Block(shifted, math.ldexp(block.scale, -finer), tight.bound << finer)
        block.bound = tight.bound
        return block

    def _rescaled(self, data: list[int], bound: int, ratio: float, width: int) -> tuple[list[int], int]:
        """(every lane times ``ratio``, rounded; the new bound). The caller has seen to it that the result fits."""
        layout, mantissa, exponent = self.layout(width), *math.frexp(abs(ratio))
        bits = min(max(self.capacity - bound.bit_length(), STEP_BITS), MOST_STEP_BITS)
        multiplier, shift = round(mantissa * (1 << bits)), bits - exponent
        multiplier, twos = odd_part(multiplier)  # a power of two becomes a mere shift
        shift -= twos
        if not multiplier or not bound or shift > (bound * multiplier).bit_length():
            return [0] * len(data), 0
        early = 0
        if bound * multiplier > layout.limit and shift > 0:
            early = min(((bound * multiplier) >> self.capacity).bit_length(), shift)
            bound, shift = (bound >> early) + 1, shift - early
        if shift < 0:
            multiplier, shift = multiplier << -shift, 0
        bound *= multiplier
        if ratio < 0:
            multiplier = -multiplier
        return layout.rescale(data, early, multiplier, shift), (bound >> shift) + 1 if shift else bound

    # --- element by element ----------------------------------------------------------------------------------------

    def add(self, a: Operand, b: Operand) -> LaneMatrix:
        return self.add_scaled(a, b, 1.0)

    def sub(self, a: Operand, b: Operand) -> LaneMatrix:
        return self.add_scaled(a, b, -1.0)

    def _added_row_by_row(self, a: LaneMatrix, b: LaneMatrix, factor: float) -> LaneMatrix:
        """a + factor·b of two batches: each row in the finest unit in which both rows fit."""
        first, second, width = self.samples_of(a), self.samples_of(b), a.shape[1]
        layout, mantissa_and_exponent = self.layout(width), math.frexp(factor * second.scale / first.scale)
        (mantissa, more), room = mantissa_and_exponent, self.capacity - 1
        if not math.isfinite(mantissa):
            raise run_away(abs(factor))
        data, sizes = [], []
        for row, (own, _), other, (others, _) in zip(first.data, first.sizes, second.data, second.sizes):
            if not other or not mantissa:
                (bits,), unit = layout.bits([row]), own
                data.append(row)
            else:
                bits, other_bits = layout.bits([row, other])
                others += more
                lowest = min(own, others - STEP_BITS) if row else others - STEP_BITS
                unit = max(lowest, (bits + own if row else lowest) - room + 1, other_bits + others - room + 1)
                (moved,), _ = self._rescaled([row], 1 << bits, times_power(1.0, own - unit), width) if row else ([0], 0)
                (added,), _ = self._rescaled([other], 1 << other_bits, times_power(mantissa, others - unit), width)
                data.append(moved + added)
                (bits,) = layout.bits(data[-1:])
            sizes.append(size_in_range(first.scale, unit, 1 << bits if data[-1] else 0))
            if sizes[-1] == NOTHING:
                data[-1] = 0
        return LaneMatrix(self.width, a.shape, samples=Samples(data, first.scale, sizes))

    def scale(self, m: Operand, factor: float) -> LaneMatrix:
        """Another unit for the same lanes."""
        m = self.own(m)
        if m.floats is not None and m.rows is None:  # a weight that has been multiplied is lanes, and stays so
            rows = [[factor * v for v in row] for row in m.floats]
            largest_in(rows)
            return self.from_rows(rows)
        if m.product is not None:
            x, samples = m.product
            return LaneMatrix(self.width, m.shape, product=(x, samples.scaled(factor)))
        lanes, columns = [block and block.scaled(factor) for block in (m.rows, m.columns)]
        return LaneMatrix(
            self.width, m.shape, rows=lanes, columns=columns, samples=m.samples and m.samples.scaled(factor)
        )

    def relu(self, m: Operand) -> tuple[LaneMatrix, list[int]]:
        samples = self.samples_of(m)
        data, mask = self.layout(m.shape[1]).positive(samples.data)
        positive = LaneMatrix(self.width, m.shape, samples=Samples(data, samples.scale, samples.sizes))
        positive.positive = True
        return positive, mask

    def gate(self, m: Operand, mask: list[int]) -> LaneMatrix:
        if len(mask) != m.shape[0]:
            raise ValueError(f"gate needs a mask with as many rows as the matrix, got {m.shape} and {len(mask)} rows")
        samples = self.samples_of(m)
        data = self.layout(m.shape[1]).gate(samples.data, mask)
        return LaneMatrix(self.width, m.shape, samples=Samples(data, samples.scale, samples.sizes))

    def map(self, f: Callable[..., Any], *matrices: Operand) -> LaneMatrix:
        """In lanes where ``f`` has a form in them, otherwise through floats, as one formula for all numbers."""
        shape = matrices[0].shape
        if isinstance(f, Function):
            return self._of_floats(linalg.map(f.compute, *map(self.to_rows, matrices)))
        expression = read(f, len(matrices)) if shape[1] and all(m.shape == shape for m in matrices) else None
        if expression is None:
            return self._of_floats(linalg.map(f, *map(self.to_rows, matrices)))
        leaking = leak(expression)
        if leaking is not None:
            looked_at, scaled, slope = leaking
            result = self._leaking(matrices[looked_at], matrices[scaled], slope)
            if result is not None:
                return result
        if not self.learning or any(m.samples is not None for m in map(self.own, matrices)):
            return self._of_floats(self._computed(expression, matrices, shape))
        for m in matrices:
            if isinstance(m, LaneMatrix) and m.product is not None:
                self.rows_of(m)  # once, before another operation makes a product of its own of it
        return FormulaMatrix(self.width, shape, self._computed, expression, matrices)

    def _computed(self, expression: Expression, matrices: Sequence[Operand], shape: Shape) -> Rows:
        """The rows of what a formula gives."""
        return Reading(self, expression, matrices, shape).rows()

    def _leaking(self, looked_at: Operand, m: Operand, slope: float) -> LaneMatrix | None:
        """m where ``looked_at`` is above 0, slope·m elsewhere; None where that would have to be computed in floats."""
        if not abs(slope) <= 1.0 or isinstance(m, Inputs) or isinstance(looked_at, Inputs):
            return None
        if self.own(m).floats is not None or self.own(looked_at).floats is not None:
            return None
        samples, layout, width = self.samples_of(m), self.layout(m.shape[1]), m.shape[1]
        _, masks = layout.positive(self.samples_of(looked_at).data)
        data, sizes = layout.gate(samples.data, masks), list(samples.sizes)
        for (exponent, bound), numbers in samples.by_size():
            others = [samples.data[i] - data[i] for i in numbers]
            scaled, extra = self._rescaled(others, bound, slope, width)
            size = (exponent, max(bound, extra)) if bound else NOTHING
            for i, row in zip(numbers, scaled):
                data[i] += row
                sizes[i] = size if data[i] else NOTHING
        return LaneMatrix(self.width, m.shape, samples=Samples(data, samples.scale, sizes))

    def _of_floats(self, rows: Rows) -> LaneMatrix:
        """A matrix of rows that nobody else has."""
        return LaneMatrix(self.width, linalg.shape(rows), rows)

    def sum_columns(self, m: Operand) -> LaneMatrix:
        """Through floats."""
        return self._of_floats(linalg.sum_columns(self.to_rows(m)))

    def softmax_and_log(self, m: Operand) -> tuple[LaneMatrix, LaneMatrix]:
        """Through floats."""
        softmax, log = LISTS.softmax_and_log(self.to_rows(m))
        return self._of_floats(softmax), self._of_floats(log)

    def argmax_rows(self, m: Operand) -> list[int]:
        return linalg.argmax_rows(self.to_rows(m))

    def dot(self, a: Operand, b: Operand) -> float:
        """Exact and rounded once: of a matrix with itself as a sum of ints, otherwise through floats. The square of the
        gradient of a weight is computed without that, where rows are few, to about 2**-12 of itself."""
        if a is b and isinstance(a, LaneMatrix) and a.floats is None and a.samples is None:
            if a.product is not None:
                square = self._square_of_product(*a.product, a.shape)
                if square is not None:
                    return square
            rows = self.rows_of(a)
            mantissa, exponent = math.frexp(rows.scale)
            ints = self.layout(a.shape[1]).unpack(list(filter(None, rows.data)), rows.bound)
            return times_power(float(sum(map(mul, ints, ints))) * mantissa * mantissa, 2 * exponent)
        return LISTS.dot(self.to_rows(a), self.to_rows(b))

    def _square_of_product(self, x: Inputs, samples: Samples, shape: Shape) -> float | None:
        """The squared norm of xᵀ·b, Σᵢⱼ (xᵢ·xⱼ)(bᵢ·bⱼ) over all pairs of rows, which for a small batch are far fewer
        than the numbers of the product. None where that costs more, or terms cancel so much that it would be wrong."""
        count, (inputs, width) = len(x), shape
        if count * count * CHEAPER_PAIRS > inputs * width:
            return None
        of_inputs = x.products_of_rows()
        if of_inputs is None:
            return None
        rows = LaneMatrix(self.width, (count, width), samples=samples)
        try:
            of_rows = self.to_rows(self.matmul_nt(rows, rows))
        except LaneOverflowError:  # their squares are too large, which those of the product need not be
            return None
        terms = list(map(mul, chain(*of_inputs), chain(*of_rows)))
        square, size = math.fsum(terms), math.fsum(map(abs, terms))
        return square if SMALLEST < size < LARGEST and square * MOST_CANCELLED >= size else None

    def all_finite(self, m: Operand) -> bool:
        """Lanes are; floats may not be."""
        return isinstance(m, Inputs) or m.floats is None or LISTS.all_finite(m.floats)

    def look_up(self, x: Operand, weight: LaneMatrix) -> LaneMatrix:
        """Through floats."""
        return self._of_floats(LISTS.look_up(self.to_rows(x), self.to_rows(weight)))

    def look_up_weights(self, x: Operand, gradient: LaneMatrix, count: int) -> LaneMatrix:
        """Through floats."""
        return self._of_floats(LISTS.look_up_weights(self.to_rows(x), self.to_rows(gradient), count))

    def random_mask(self, shape: Shape, rate: float, rng: Random) -> LaneMatrix:
        """Lanes of 0 or 1, all in one unit; and with all bits set or none, for ``gate``."""
        (count, width), kept = shape, 1.0 / (1.0 - rate)
        words, limit = drawn_words(count * width, rate, rng)
        layout, (scale, exponent) = self.layout(width), math.frexp(kept)
        opened, closed = b"\xff" * layout.bytes, bytes(layout.bytes)
        lanes = [closed if number < limit else opened for number in words_in(words)]
        gates = [int.from_bytes(b"".join(row), "little") for row in in_rows(lanes, shape)]
        sizes = [(exponent, 1) if gate else NOTHING for gate in gates]
        mask = LaneMatrix(self.width, shape, samples=Samples([gate & layout.ones for gate in gates], scale, sizes))
        mask.gates = gates, kept
        return mask

    def hadamard(self, a: Operand, b: Operand) -> LaneMatrix:
        """Through floats, but for a random mask, which shuts lanes and changes units."""
        if a.shape != b.shape:
            raise ValueError(f"hadamard needs two matrices of the same shape, got {a.shape} and {b.shape}")
        if isinstance(a, LaneMatrix) and a.floats is None and isinstance(b, LaneMatrix) and b.gates is not None:
            gates, kept = b.gates
            return self.scale(self.gate(a, gates), kept)
        products = [list(map(mul, p, q)) for p, q in zip(self.to_rows(a), self.to_rows(b))]
        return LaneMatrix(self.width, a.shape, products)

    # --- images ----------------------------------------------------------------------------------------------------

    convolve = ImageOperation()
    convolve_weights = ImageOperation()
    convolve_inputs = ImageOperation()
    max_pool = ImageOperation()
    max_pool_inputs = ImageOperation()
    average_pool = ImageOperation()
    average_pool_inputs = ImageOperation()

    def sum_channels(self, m: Operand, channels: int) -> LaneMatrix:
        width = m.shape[1]
        if width % channels:
            raise ValueError(f"sum_channels needs rows of {channels} channels of one size, got {width} numbers")
        if isinstance(m, LaneMatrix) and m.condensed is not None:
            return self.sum_channels(m.condensed, channels)
        total, size = self.rows_of(self.sum_rows(m)), width // channels
        sums = self.layout(width).unpack(total.data)
        return self.from_rows([[total.scale * sum(sums[i : i + size]) for i in range(0, width, size)]])

    def repeat_columns(self, m: Operand, times: int) -> LaneMatrix:
        """Through floats."""
        return self._of_floats(LISTS.repeat_columns(self.to_rows(m), times))


class Plans:
    """How the rows of a product x·weight + bias are computed, by the sum of their sizes and their unit.

    A plan is (table, base, offset, size): the weight's rows rounded such that the sum stays within its lanes, what is
    too much in every lane of a table, the bias in units of the result, and the size of the result. Results are in units
    of ``scale`` times a power of two.
    """

    def __init__(self, ops: Lanes, scale: float, weight_scale: float, bias: Block | None, width: int) -> None:
        self.ops = ops
        self.width = width
        self.of = scale, bias
        mantissa, exponent = math.frexp(weight_scale)
        self.scale, more = math.frexp(mantissa * scale)
        self.exponent = exponent + more  # of a product of ints
        self.bias = bias if bias is not None and bias.bound else None
        self.known: dict[tuple[int, int], Any] = {}
        self.known_turned: dict[tuple[int, int], Any] = {}

    def fit(self, scale: float, bias: Block | None, width: int) -> bool:
        """Whether they are for inputs of this scale, this bias, and results of this width: the columns of a weight are
        the rows of another one where a gradient goes back."""
        return self.of[0] == scale and self.of[1] is bias and self.width == width

    def plan(self, rows: Block, bits: int, own: int) -> tuple[list[int] | None, int, int, Size]:
        """The plan for rows whose sizes add up to less than 2**bits, with units of 2**own, times the weight ``rows``.

        It has no table where too few bits would be left, or where numbers are too small to count: these rows are
        computed with floats.
        """
        found = self.known[bits, own] = self._plan(rows, bits, own + self.exponent)
        return found

    def turned(self, columns: Block, terms: int, bits: int, own: int) -> tuple[list[list[int]] | None, Size]:
        """The same for a product that is computed with a lane for each of its rows: for each of the weight's
        ``columns``, which have so many lanes, its ints and that of the bias, and the size of the result. None where
        ``plan`` has no table."""
        found = self.known_turned.get((bits, own))
        if found is None:
            found = self.known_turned[bits, own] = self._turned(columns, terms, bits, own + self.exponent)
        return found

    def _turned(self, columns: Block, terms: int, bits: int, exponent: int) -> tuple[list[list[int]] | None, Size]:
        shift, offset, size = self._rounding(columns.bound, bits, exponent)
        if shift is None:
            return None, size
        layout = self.ops.layout(terms)
        ints = layout.unpack(layout.shift(columns.data, shift), shifted_bound(columns.bound, shift))
        offsets = self.ops.layout(self.width).unpack([offset])
        return [[*row, added] for row, added in zip(in_rows(ints, (self.width, terms)), offsets)], size

    def _plan(self, rows: Block, bits: int, exponent: int) -> tuple[list[int] | None, int, int, Size]:
        shift, offset, size = self._rounding(rows.bound, bits, exponent)
        if shift is None:
            return None, 0, 0, NOTHING
        ops = self.ops
        base = ops.layout(self.width).coarse_bias(shift) if shift and len(rows.data) > FEW_ROWS else 0
        return ops._table(rows, shift, self.width), base, offset, size

    def _rounding(self, weight: int, bits: int, exponent: int) -> tuple[int | None, int, Size]:
        """(how many bits a weight with this bound loses, the bias in units of the result, the size of the result); None
        where too few bits would be left, or numbers are too small to count."""
        ops, bias, capacity = self.ops, self.bias, self.ops.capacity
        allowed = (1 << capacity) >> bits
        if bias is not None:
            product = times_power(weight * self.scale, exponent + bits)  # no entry of x·weight is larger
            largest = product + bias.bound * bias.scale
            if not product > SMALLEST or not largest <= LARGEST:
                return None, 0, NOTHING
            # The sum is counted in units of the product: they must be coarse enough for the bias as well.
            allowed = int(0.98 * allowed * (product / largest))
        shift = 0
        if weight > allowed:
            shift = (weight // allowed).bit_length() if allowed else ops.width
        bound, offset = shifted_bound(weight, shift), 0
        if shift and bound < 1 << LEAST_BITS:
            return None, 0, NOTHING
        exponent += shift
        bound <<= bits
        if bias is not None:
            ratio = bias.scale / times_power(self.scale, exponent)
            (offset,), extra = ops._rescaled(bias.data, bias.bound, ratio, self.width)
            bound += extra
        size = size_in_range(self.scale, exponent, bound)
        if size == NOTHING and weight:
            return None, 0, NOTHING
        return shift, offset, size
