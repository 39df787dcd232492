"""The fast number engine: a matrix holds each of its rows as one Python int (see ``lane_rows`` for the trick).

It offers the operations of ``linalg`` on its own kind of matrix (``lane_matrix``), so layers run on either without
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

How precise it is: an entry of a sum, or of a product in which it is a sum of k terms, is off by at most 2**-14 of the
largest number that the bounds of the operands allow, or by k·2**(21 - width) of it where that is more (many terms in
narrow lanes). Measured over random matrices from 1e-12 to 1e12: 2**-15 in sums, 2**-16 in products. What that does to
training is far less: the loss of every epoch agrees with that of ``linalg`` to about 1 part in 50 000.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from operator import mul
from typing import Any

from . import linalg
from .lane_matrix import (
    LARGEST,
    SCALAR_BITS,
    SMALLEST,
    Block,
    Inputs,
    LaneMatrix,
    Rows,
    Shape,
    bits_of,
    in_range,
    in_rows,
    largest_size,
    longest_sum,
    read_inputs,
    run_away,
    transposed,
    unit_for,
)
from .lane_rows import Layout, round_all
from .windows import Window

WIDTHS = (40, 48, 56, 64)  # what the engine chooses from; narrower is faster
WEIGHT_BITS = 20  # the least that a weight should have
STEP_BITS = 15  # of the factor that an optimizer's step is multiplied by: its relative error is below 1/65536
MOST_STEP_BITS = 29  # where there is room for more: an int of one of CPython's digits (30 bits) multiplies fastest
GRADIENT_BITS = 20  # the least that one sample's share of a gradient should have
MOST_WEIGHT_BITS = 44  # more than this would be lost when weights are saved or shown as floats
HEADROOM_BITS = 3  # how many times weights may double before their true size is looked up
SHRUNK_BITS = 3  # how many times weights may halve before they get a finer unit
EXACT_BITS = 51  # a whole number up to 2**51 is found again after a float has been multiplied and divided by a unit
LEAST_BITS = 6  # a product whose lane side would be left with fewer bits than this goes through floats


class Lanes:
    """The engine. ``width`` is that of its lanes in bits: 40, 48, 56 or 64, or None to choose by the data.

    All operations are those of ``linalg``, with the same names, arguments and shapes.
    """

    name = "lanes"

    def __init__(self, width: int | None = None, weight_bits: int | None = None) -> None:
        self.width = 48 if width is None else width
        if self.width not in WIDTHS:
            raise ValueError(f"lanes of this engine can be {WIDTHS} bits wide, got {width!r}")
        self.forced = width is not None
        self.capacity = self.width - 2  # bits of a lane
        # What weights may use. The rest is for what multiplies them, and for sums.
        self.weight_bits = self.capacity - 18 if weight_bits is None else weight_bits
        self._layouts: dict[int, Layout] = {}  # by the number of lanes; making one costs more than a row operation
        self._everywhere: dict[int, list[int]] = {}  # the positions in a row of inputs, by its width

    def _layout(self, count: int) -> Layout:
        layout = self._layouts.get(count)
        if layout is None:
            layout = self._layouts[count] = Layout(self.width, count)
        return layout

    # --- what an engine does at its doors ----------------------------------------------------------------------

    def prepare(self, rows: Sequence[Sequence[float]], factor: float = 1.0) -> Inputs:
        """Rows (``bytes`` or floats) times ``factor``, as small ints with their zeros left out."""
        width = len(rows[0]) if rows else 0
        everywhere = self._everywhere.get(width)
        if everywhere is None:
            everywhere = self._everywhere[width] = list(range(width))
        return read_inputs(rows, factor, everywhere)

    def suited(self, prepared: Inputs, batch_size: int) -> Lanes:
        """The engine of the narrowest lanes in which a network can learn well from these inputs."""
        inputs, gradients = bits_of(prepared.row_sum), bits_of(prepared.largest * batch_size)
        needed = 2 + max(inputs + WEIGHT_BITS, gradients + GRADIENT_BITS)
        width = self.width if self.forced else next((w for w in WIDTHS if w >= needed), WIDTHS[-1])
        chosen = Lanes(width, min(max(width - 2 - inputs, WEIGHT_BITS), MOST_WEIGHT_BITS))
        chosen.forced = self.forced
        return chosen

    def take_rows(self, prepared: Inputs, indices: Iterable[int]) -> Inputs:
        """The chosen rows of what ``prepare`` gave: one training batch."""
        entries = prepared.entries
        chosen = [entries[i] for i in indices]
        return Inputs(chosen, prepared.shape[1], prepared.scale, prepared.largest, prepared.row_sum)

    def from_rows(self, rows: Iterable[Iterable[float]]) -> LaneMatrix:
        """A matrix from rows of numbers; they become lanes when an operation first wants them so."""
        floats = linalg.from_rows(rows)
        return LaneMatrix(self.width, linalg.shape(floats), floats)

    def to_rows(self, m: LaneMatrix | Inputs) -> Rows:
        """The rows of a matrix as lists of floats."""
        if isinstance(m, Inputs):
            return m.to_rows()
        if m.floats is not None:
            return m.floats
        # Not kept: other forms would then be made from these floats, not from the lanes, and be rounded otherwise.
        # Looking at a matrix must not change what is computed with it.
        rows = self._rows(m)
        scale = rows.scale
        return in_rows([v * scale for v in self._unpacked(rows, m.shape[1])], m.shape)

    def shape(self, m: LaneMatrix | Inputs) -> Shape:
        """(rows, columns) of a matrix."""
        return m.shape

    def form_of(self, m: LaneMatrix) -> dict[str, Any]:
        """What a matrix is beyond its numbers, as plain data: the unit of its lanes and their bound.

        Lanes that a float cannot hold exactly are there as well.
        """
        if m.rows is None and m.columns is None and m.product is None:
            return {}
        rows, width = self._rows(m), m.shape[1]
        form = {"unit": rows.scale, "bound": rows.bound}
        if not self._layout(width).within(rows.data, min(EXACT_BITS, self.capacity)):
            return {**form, "lanes": in_rows(self._unpacked(rows, width), m.shape)}
        return form

    def in_form(self, rows: Rows, form: dict[str, Any]) -> LaneMatrix:
        """The matrix that had these rows and this form, the same in every bit."""
        if not form:
            return self.from_rows(rows)
        unit, width = form["unit"], len(rows[0])
        lanes = self._layout(width).pack(form.get("lanes") or [[round(v / unit) for v in row] for row in rows])
        return LaneMatrix(self.width, (len(rows), width), rows=Block(lanes, unit, form["bound"]))

    # --- forms of a matrix ---------------------------------------------------------------------------------------

    def _matrix(self, m: LaneMatrix | Inputs) -> LaneMatrix:
        if isinstance(m, Inputs):
            return LaneMatrix(self.width, m.shape, m.to_rows())
        if m.lane_width != self.width:  # its lanes would be cut in the wrong places
            raise ValueError(
                f"a matrix of {m.lane_width}-bit lanes was handed to an engine of {self.width}-bit lanes; hand over"
                " its numbers: engine.from_rows(other.to_rows(m))"
            )
        return m

    def _unpacked(self, block: Block, width: int) -> list[Any]:
        return self._layout(width).unpack(block.data, block.bound)

    def _rows(self, m: LaneMatrix | Inputs) -> Block:
        m = self._matrix(m)
        if m.rows is None:
            if m.columns is not None:
                count, width = m.shape
                turned = self._layout(count).transposed(m.columns.data, self._layout(width))
                m.rows = Block(turned, m.columns.scale, m.columns.bound)
            elif m.product is not None:
                m.rows = self._inputs_times(*m.product, m.shape[1])
            else:
                floats = m.floats or []
                largest = largest_size(floats)
                unit = unit_for(largest, self.weight_bits - HEADROOM_BITS)
                lanes = self._layout(m.shape[1]).pack_rounded(floats, 1.0 / unit)
                m.rows = Block(lanes, unit, math.ceil(largest / unit))
        return m.rows

    def _columns(self, m: LaneMatrix | Inputs) -> Block:
        m = self._matrix(m)
        if m.columns is None:
            rows, (count, width) = self._rows(m), m.shape
            turned = self._layout(width).transposed(rows.data, self._layout(count))
            m.columns = Block(turned, rows.scale, rows.bound)
        return m.columns

    def _scalars(self, m: LaneMatrix | Inputs) -> Block:
        m = self._matrix(m)
        if m.scalars is None:
            width = m.shape[1]
            if m.floats is not None:
                largest = largest_size(m.floats)
                unit = unit_for(largest, SCALAR_BITS)
                flat = round_all([v for row in m.floats for v in row], 1.0 / unit)
                m.scalars = Block([], unit, math.ceil(largest / unit))
            else:
                rows = self._fitted(self._tightened(self._rows(m), width), 1 << SCALAR_BITS, width)
                flat = self._unpacked(rows, width)
                m.scalars = Block([], rows.scale, rows.bound)
            m.scalars.data = in_rows(flat, m.shape)
        return m.scalars

    def _fitted(self, block: Block, allowed: int, width: int) -> Block:
        """The same lanes with a bound of at most ``allowed``: rounded to fewer bits where there are too many."""
        if block.bound <= allowed:
            return block
        shift = bits_of(block.bound // allowed)  # so that bound < allowed·2**shift, and bound >> shift < allowed
        data = self._layout(width).shift(block.data, shift)
        return Block(data, math.ldexp(block.scale, shift), (block.bound >> shift) + 1)

    # --- products --------------------------------------------------------------------------------------------

    def affine(self, x: LaneMatrix | Inputs, weight: LaneMatrix, bias: LaneMatrix) -> LaneMatrix:
        """x·weight + bias for ``x`` (n x k), ``weight`` (k x m) and ``bias`` (1 x m, added to every row)."""
        if x.shape[1] != weight.shape[0] or bias.shape != (1, weight.shape[1]):
            raise ValueError(
                f"affine needs (n x k), (k x m) and (1 x m), got {x.shape}, {weight.shape} and {bias.shape}"
            )
        return self._times(x, weight, bias)

    def matmul(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs) -> LaneMatrix:
        """a·b for ``a`` (m x k) and ``b`` (k x n): an m x n matrix."""
        if a.shape[1] != b.shape[0]:
            raise ValueError(
                f"matmul needs as many columns on the left as rows on the right, got {a.shape} and {b.shape}"
            )
        return self._times(a, b, None)

    def _times(self, x: LaneMatrix | Inputs, weight: LaneMatrix | Inputs, bias: LaneMatrix | None) -> LaneMatrix:
        width = weight.shape[1]
        scalars = x if isinstance(x, Inputs) else self._scalars(x)
        growth = x.row_sum if isinstance(x, Inputs) else longest_sum(scalars.data)  # type: ignore[union-attr]
        rows, offset, extra = self._rows(weight), 0, 0
        product = float(growth) * rows.bound * scalars.scale * rows.scale  # no entry of x·weight is larger
        room = 1 << self.capacity
        if bias is not None:
            added = self._rows(bias)
            if not product:
                return self.from_rows(list(self.to_rows(bias)) * x.shape[0])
            # The sum is counted in units of the product: they must be coarse enough for the bias as well.
            largest = product + added.bound * added.scale
            room = int(0.98 * room * product / largest)
        if not self._fits(rows.bound, growth, room):
            return self._times_by_floats(x, weight, bias)
        rows = self._fitted(rows, room // growth, width)
        scale = scalars.scale * rows.scale
        if bias is not None:
            (offset,), extra = self._rescaled(added.data, added.bound, added.scale / scale, width)
        table = rows.data
        if isinstance(x, Inputs):
            data = [sum(map(mul, gather(table) if gather else table, ints), offset) for gather, _, ints in x.entries]
        else:
            data = [sum(map(mul, table, ints), offset) for ints in scalars.data]  # type: ignore[union-attr]
        return self._result((x.shape[0], width), Block(data, scale, growth * rows.bound + extra))

    def _fits(self, bound: int, growth: int, room: int) -> bool:
        """Whether a lane operand still has enough bits once ``growth`` times its bound is brought down to ``room``."""
        return growth > 0 and (growth * bound <= room or room // growth >= 1 << LEAST_BITS)

    def _times_by_floats(
        self, x: LaneMatrix | Inputs, weight: LaneMatrix | Inputs, bias: LaneMatrix | None
    ) -> LaneMatrix:
        """The same product where the ranges of its parts are too far apart for lanes: exact sums of floats."""
        columns = transposed(self.to_rows(weight)) or [()] * weight.shape[1]
        added = self.to_rows(bias)[0] if bias is not None else [0.0] * len(columns)
        rows = [[math.fsum([*map(mul, row, c), b]) for c, b in zip(columns, added)] for row in self.to_rows(x)]
        return LaneMatrix(self.width, (x.shape[0], weight.shape[1]), rows)

    def _result(self, shape: Shape, rows: Block | None = None, columns: Block | None = None) -> LaneMatrix:
        return LaneMatrix(self.width, shape, rows=rows and in_range(rows), columns=columns and in_range(columns))

    def matmul_nt(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs) -> LaneMatrix:
        """a·bᵀ for ``a`` (m x k) and ``b`` (n x k): an m x n matrix. The gradient of a layer's input."""
        if a.shape[1] != b.shape[1]:
            raise ValueError(f"matmul_nt needs as many columns left and right, got {a.shape} and {b.shape}")
        turned = LaneMatrix(self.width, (b.shape[1], b.shape[0]), rows=self._columns(b))
        return self._times(a, turned, None)

    def matmul_tn(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs) -> LaneMatrix:
        """aᵀ·b for ``a`` (k x m) and ``b`` (k x n): an m x n matrix. The gradient of a weight matrix."""
        if a.shape[0] != b.shape[0]:
            raise ValueError(f"matmul_tn needs as many rows left and right, got {a.shape} and {b.shape}")
        if isinstance(a, Inputs):
            if not self._fits(self._rows(b).bound, a.largest * a.shape[0], 1 << self.capacity):
                return self._tn_by_floats(a, b)
            # Computed when it is asked for: an optimizer's step can then be put into b, which is far smaller.
            return LaneMatrix(self.width, (a.shape[1], b.shape[1]), product=(a, self._rows(b)))
        # Lanes run along the longer side: fewer and longer ints cost less.
        along_rows = b.shape[1] >= a.shape[1]
        lanes, other = (b, a) if along_rows else (a, b)
        scalars, rows = self._scalars(other), self._rows(lanes)
        columns = transposed(scalars.data)
        growth, room = longest_sum(columns), 1 << self.capacity
        if not self._fits(rows.bound, growth, room):
            return self._tn_by_floats(a, b)
        rows = self._fitted(rows, room // growth, lanes.shape[1])
        table = rows.data
        block = Block([sum(map(mul, table, ints)) for ints in columns], scalars.scale * rows.scale, growth * rows.bound)
        shape = (a.shape[1], b.shape[1])
        return self._result(shape, rows=block) if along_rows else self._result(shape, columns=block)

    def _inputs_times(self, x: Inputs, rows: Block, lanes_a_row: int) -> Block:
        """xᵀ·b, row by row of x: every non-zero adds a multiple of b's row to the row of the result it belongs to."""
        count, width = x.shape
        growth = x.largest * count
        rows = self._fitted(rows, (1 << self.capacity) // max(growth, 1), lanes_a_row)
        totals, everywhere = [0] * width, range(width)
        for (_, positions, ints), lanes in zip(x.entries, rows.data):
            if lanes:
                for k, v in zip(everywhere if positions is None else positions, ints):
                    totals[k] += v * lanes
        block = in_range(Block(totals, x.scale * rows.scale, growth * rows.bound))
        assert block is not None
        return block

    def _stepped(self, m: LaneMatrix, factor: float, unit: float) -> LaneMatrix:
        """A product still to be computed, in units that ``factor`` and a power of two turn into ``unit``.

        A step then only has to shift the rows of the product: they are multiplied where there are few, in its second
        side.
        """
        x, rows = m.product  # type: ignore[misc]
        ratio = abs(factor) * x.scale * rows.scale / unit
        room = (1 << self.capacity - 1) // max(x.largest * x.shape[0], 1)
        if not 0.0 < ratio < math.inf or room < 1 << STEP_BITS:
            return m  # a step of no size, or of none that ``add_scaled`` will accept; or rounding would cost too much
        rows = self._fitted(rows, room, m.shape[1])
        finer = bits_of(room // max(rows.bound, 1)) - 1  # what room there is takes what would be rounded off
        gain = math.ldexp(math.frexp(ratio)[0], 1 + finer)  # from 2**finer to twice that
        data, bound = self._rescaled(rows.data, rows.bound, gain, m.shape[1])
        return LaneMatrix(self.width, m.shape, product=(x, Block(data, rows.scale / gain, bound)))

    def _tn_by_floats(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs) -> LaneMatrix:
        turned = [list(column) for column in zip(*self.to_rows(a))] or [[] for _ in range(a.shape[1])]
        return self._times_by_floats(LaneMatrix(self.width, (a.shape[1], a.shape[0]), turned), b, None)

    def sum_rows(self, m: LaneMatrix | Inputs) -> LaneMatrix:
        """All rows added up, as a matrix of one row. The gradient of a bias."""
        count, width = m.shape
        rows = self._fitted(self._rows(m), (1 << self.capacity) // max(count, 1), width)
        return self._result((1, width), Block([sum(rows.data)], rows.scale, rows.bound * count))

    # --- element by element ----------------------------------------------------------------------------------------

    def _rescaled(self, data: list[int], bound: int, ratio: float, width: int) -> tuple[list[int], int]:
        """(every lane times ``ratio``, rounded; the new bound). The caller has seen to it that the result fits."""
        layout, mantissa, exponent = self._layout(width), *math.frexp(abs(ratio))
        bits = min(max(self.capacity - bits_of(bound), STEP_BITS), MOST_STEP_BITS)
        multiplier, shift = round(mantissa * (1 << bits)), bits - exponent
        while multiplier and not multiplier & 1:  # a power of two becomes a mere shift
            multiplier, shift = multiplier >> 1, shift - 1
        if not multiplier or not bound or shift > bits_of(bound * multiplier):
            return [0] * len(data), 0
        if bound * multiplier > layout.limit and shift > 0:
            early = min(bits_of((bound * multiplier) >> self.capacity), shift)
            data, bound, shift = layout.shift(data, early), (bound >> early) + 1, shift - early
        if shift < 0:
            multiplier, shift = multiplier << -shift, 0
        if ratio < 0:
            multiplier = -multiplier
        if multiplier != 1:
            data = [row * multiplier for row in data]
            bound *= abs(multiplier)
        return (layout.shift(data, shift), (bound >> shift) + 1) if shift else (data, bound)

    def add_scaled(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs, factor: float) -> LaneMatrix:
        """a + factor·b, in units as fine as the weights' bits allow: the step of every optimizer."""
        a, b = self._matrix(a), self._matrix(b)
        if a.shape != b.shape:
            raise ValueError(f"add_scaled needs two matrices of the same shape, got {a.shape} and {b.shape}")
        if b.product is not None and b.rows is None and factor and self._rows(a).bound:
            b = self._stepped(b, factor, self._rows(a).scale)
        along_columns = b.columns is not None and b.rows is None
        width = b.shape[0] if along_columns else b.shape[1]
        first, second = (self._columns(a), self._columns(b)) if along_columns else (self._rows(a), self._rows(b))
        step = abs(factor) * second.bound * second.scale
        if not step <= LARGEST:
            raise run_away(step)
        if not first.bound:
            # Nothing to keep the unit of (a bias before its first step): it is the step that gets the bits.
            second = self._tightened(second, width)
            step = abs(factor) * second.bound * second.scale
            if step <= SMALLEST:
                return a
            first = Block(first.data, unit_for(step, self.weight_bits - HEADROOM_BITS), 0)
        block = self._within_weight_bits(self._added(first, second, factor, step, width), first.bound, width)
        return self._result(a.shape, columns=block) if along_columns else self._result(a.shape, rows=block)

    def _within_weight_bits(self, block: Block, before: int, width: int) -> Block:
        """A sum with a bound that fits in ``weight_bits``, or in as many bits as its first part had.

        Bounds only ever grow from step to step, much faster than the lanes themselves. So before lanes are rounded to
        fewer bits their true size is looked up, and mostly the unit can stay as it is.
        """
        if block.bound <= max(1 << self.weight_bits, before):
            return block
        layout, bits = self._layout(width), self.weight_bits - HEADROOM_BITS
        if layout.within(block.data, bits - SHRUNK_BITS) and any(block.data):
            # They have become so small that they are worth a finer unit.
            block = self._tightened(block, width)
            finer = bits - bits_of(block.bound - 1)
            return Block(layout.shift(block.data, -finer), math.ldexp(block.scale, -finer), block.bound << finer)
        if layout.within(block.data, bits):
            return Block(block.data, block.scale, 1 << bits)
        return self._fitted(self._tightened(block, width), 1 << bits, width)

    def _tightened(self, block: Block, width: int) -> Block:
        """The same block with the smallest bound of the form 2**bits that holds."""
        layout, bits = self._layout(width), bits_of(block.bound)
        if not block.bound:
            return block
        while bits and layout.within(block.data, bits - 1):
            bits -= 1
        return Block(block.data, block.scale, min(block.bound, 1 << bits))

    def _added(self, first: Block, second: Block, factor: float, step: float, width: int) -> Block:
        """first + factor·second in the unit of the first, or in a coarser one if lanes would overflow in that."""
        total, room = first.bound * first.scale + step, 0.5 * (1 << self.capacity)
        unit = first.scale if total <= room * first.scale else unit_for(total, self.capacity - 1)
        data, bound = first.data, first.bound
        if unit != first.scale:
            data, bound = self._rescaled(data, bound, first.scale / unit, width)
        # Rows without a gradient (pixels that are black in the whole batch) stay as they are.
        changed = [i for i, row in enumerate(second.data) if row]
        rows = [second.data[i] for i in changed]
        rows, extra = self._rescaled(rows, second.bound, factor * second.scale / unit, width)
        result = list(data)
        for i, row in zip(changed, rows):
            result[i] += row
        return Block(result, unit, bound + extra)

    def add(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs) -> LaneMatrix:
        """a + b, entry by entry."""
        return self.add_scaled(a, b, 1.0)

    def sub(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs) -> LaneMatrix:
        """a - b, entry by entry."""
        return self.add_scaled(a, b, -1.0)

    def scale(self, m: LaneMatrix | Inputs, factor: float) -> LaneMatrix:
        """factor·m: another unit for the same lanes."""
        m = self._matrix(m)
        if m.product is not None:
            self._rows(m)
        floats = [[factor * v for v in row] for row in m.floats] if m.floats is not None else None
        rows, columns = [block and _scaled(block, factor) for block in (m.rows, m.columns)]
        return LaneMatrix(self.width, m.shape, floats, rows, columns)

    def relu(self, m: LaneMatrix | Inputs) -> tuple[LaneMatrix, list[int]]:
        """(max(m, 0), mask): the mask marks the positive entries, and is meant for ``gate``."""
        rows = self._rows(m)
        data, mask = self._layout(m.shape[1]).positive(rows.data)
        return self._result(m.shape, Block(data, rows.scale, rows.bound)), mask

    def gate(self, m: LaneMatrix | Inputs, mask: list[int]) -> LaneMatrix:
        """``m`` where the mask of ``relu`` is set, 0 elsewhere."""
        if len(mask) != m.shape[0]:
            raise ValueError(f"gate needs a mask with as many rows as the matrix, got {m.shape} and {len(mask)} rows")
        rows = self._rows(m)
        data = self._layout(m.shape[1]).gate(rows.data, mask)
        return self._result(m.shape, Block(data, rows.scale, rows.bound))

    def map(self, f: Callable[[float], float], m: LaneMatrix | Inputs) -> LaneMatrix:
        """``f`` of every entry, through floats."""
        return LaneMatrix(self.width, m.shape, [[f(v) for v in row] for row in self.to_rows(m)])

    def hadamard(self, a: LaneMatrix | Inputs, b: LaneMatrix | Inputs) -> LaneMatrix:
        """The product entry by entry of two matrices of the same shape, through floats."""
        if a.shape != b.shape:
            raise ValueError(f"hadamard needs two matrices of the same shape, got {a.shape} and {b.shape}")
        products = [list(map(mul, p, q)) for p, q in zip(self.to_rows(a), self.to_rows(b))]
        return LaneMatrix(self.width, a.shape, products)

    # --- images ----------------------------------------------------------------------------------------------------
    # They are in a file of their own, which only those load who need it.

    def convolve(self, x: LaneMatrix | Inputs, weight: LaneMatrix, bias: LaneMatrix, window: Window) -> LaneMatrix:
        """Each filter's weighted sum of what the window sees, at each of its positions, plus the filter's bias."""
        from . import lane_convolution

        return lane_convolution.convolve(self, x, weight, bias, window)

    def convolve_weights(self, x: LaneMatrix | Inputs, gradient: LaneMatrix, window: Window) -> LaneMatrix:
        """The gradient of ``convolve``'s weight from that of its result."""
        from . import lane_convolution

        return lane_convolution.convolve_weights(self, x, gradient, window)

    def convolve_inputs(self, gradient: LaneMatrix, weight: LaneMatrix, window: Window) -> LaneMatrix:
        """The gradient of ``convolve``'s input from that of its result."""
        from . import lane_convolution

        return lane_convolution.convolve_inputs(self, gradient, weight, window)

    def sum_channels(self, m: LaneMatrix, channels: int) -> LaneMatrix:
        """The sum of each channel over all images, as a matrix of one row. The gradient of a convolution's bias."""
        from . import lane_convolution

        return lane_convolution.sum_channels(self, m, channels)

    def max_pool(self, x: LaneMatrix | Inputs, window: Window) -> tuple[LaneMatrix, list[list[int]]]:
        """(the largest number that the window sees in each channel at each position, what ``max_pool_inputs`` needs)"""
        from . import lane_convolution

        return lane_convolution.max_pool(self, x, window)

    def max_pool_inputs(self, gradient: LaneMatrix, choices: list[list[int]], window: Window) -> LaneMatrix:
        """The gradient of ``max_pool``'s input: all of it goes where the largest number stood."""
        from . import lane_convolution

        return lane_convolution.max_pool_inputs(self, gradient, choices, window)

    def average_pool(self, x: LaneMatrix | Inputs, window: Window) -> LaneMatrix:
        """The mean of what the window sees in each channel at each position; the padding counts as zeros."""
        from . import lane_convolution

        return lane_convolution.average_pool(self, x, window)

    def average_pool_inputs(self, gradient: LaneMatrix, window: Window) -> LaneMatrix:
        """The gradient of ``average_pool``'s input: every number that was seen gets the same share."""
        from . import lane_convolution

        return lane_convolution.average_pool_inputs(self, gradient, window)


def _scaled(block: Block, factor: float) -> Block:
    data = [-row for row in block.data] if factor < 0 else block.data
    return in_range(Block(data, block.scale * abs(factor), block.bound))
