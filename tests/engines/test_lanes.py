"""The fast engine's operations: exact where nothing has to be rounded, never out of range, never wrapped around.

Three kinds of tests. Whole numbers small enough for the lanes must give exactly what plain Python ints give. For all
other numbers each result is read with an oracle of its own, no lane may be larger than the bound that the matrix
claims, the bound must fit a lane, and the numbers must be those of ``linalg`` to the engine's documented precision:
a lane that wrapped around would be off by far more. And what cannot be right must be refused. Relies on hypothesis.
"""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import linalg
from scratchnn.engines.lanes.engine import TURNED_ROWS, TURNED_TERMS, WIDTHS, Lanes
from scratchnn.engines.lanes.matrix import (
    SMALLEST,
    Block,
    Entry,
    Inputs,
    LaneMatrix,
    LaneOverflowError,
    Samples,
    shifted_bound,
)
from scratchnn.engines.lists import LISTS

# Documented in ``lanes``: of the largest number that the bounds of the operands allow.
PRECISION = 2.0**-14


def precision(ops: Lanes, terms: int = 1) -> float:
    """What is documented for a product in which every entry is a sum of so many terms."""
    return max(PRECISION, terms * 2.0 ** (21 - ops.width))


Rows = list[list[float]]

engines = st.sampled_from([None, *WIDTHS]).map(Lanes)
sizes = st.sampled_from([1, 1, 2, 3, 7, 20])


@pytest.fixture(params=[None, *WIDTHS], ids=lambda width: f"lanes-{width or 'default'}")
def ops(request: pytest.FixtureRequest) -> Lanes:
    """An engine of each width."""
    return Lanes(request.param)


# --- oracles -------------------------------------------------------------------------------------------------------


def lanes_of(row: int, width: int, count: int) -> list[int]:
    """The lanes of a row, read one by one with shifts."""
    numbers = []
    for _ in range(count):
        low = row & ((1 << width) - 1)
        number = low - (1 << width) if low >> (width - 1) else low
        numbers.append(number)
        row = (row - number) >> width
    assert row == 0, "something is left above the highest lane"
    return numbers


def decoded(ops: Lanes, block: Block, count: int, lanes: int) -> list[list[int]]:
    """All numbers of a form in lanes, which must obey the bound; and the bound must fit a lane."""
    assert len(block.data) == count
    assert 0 <= block.bound <= 1 << (ops.width - 2)
    assert not block.bound or block.bound * block.scale > SMALLEST, "numbers too small to be told from zero"
    numbers = [lanes_of(row, ops.width, lanes) for row in block.data]
    assert all(abs(v) <= block.bound for row in numbers for v in row), "a lane is larger than its bound"
    return numbers


def sound(ops: Lanes, m: Any) -> Any:
    """The same matrix, with every form that it has checked: bounds, shapes, and that they agree with each other."""
    if isinstance(m, Inputs):
        return m
    rows = ops.to_rows(m)
    count, width = m.shape
    forms = []
    if m.rows is not None:
        forms.append([[v * m.rows.scale for v in row] for row in decoded(ops, m.rows, count, width)])
    if m.columns is not None:
        columns = [[v * m.columns.scale for v in row] for row in decoded(ops, m.columns, width, count)]
        forms.append([[column[i] for column in columns] for i in range(count)])
    if m.samples is not None:
        samples, lanes = m.samples, []
        assert 0.5 <= samples.scale <= 1.0
        for row, (exponent, bound) in zip(samples.data, samples.sizes):
            ((*numbers,),) = decoded(ops, Block([row], math.ldexp(samples.scale, exponent), bound), 1, width)
            lanes.append([math.ldexp(v * samples.scale, exponent) for v in numbers])
        forms.append(lanes)
    if m.scalars is not None:
        assert all(abs(v) <= m.scalars.largest for row in m.scalars.rows for v in row)
        assert m.scalars.growths == [sum(map(abs, row)) for row in m.scalars.rows]
        forms.append(m.scalars.to_rows())
    assert [len(row) for row in rows] == [width] * count
    for form in forms:
        assert_close(form, rows, size(m))
    return m


def size(m: Any) -> float:
    """The largest number that a matrix may hold, for all that the engine knows."""
    if isinstance(m, Inputs):
        return max([math.ldexp(m.scale * m.largest, entry.exponent) for entry in m.entries if entry.growth], default=0)
    if m.samples is not None:
        return max([math.ldexp(m.samples.scale * bound, exponent) for exponent, bound in m.samples.sizes], default=0.0)
    claimed = [block.bound * block.scale for block in (m.rows, m.columns) if block is not None]
    return max(claimed + [abs(v) for row in m.floats or [] for v in row], default=0.0)


def row_sum(m: Any, ops: Lanes) -> float:
    return max([math.fsum(map(abs, row)) for row in ops.to_rows(m)], default=0.0)


def assert_close(found: Rows, wanted: Rows, largest: float, precision: float = PRECISION) -> None:
    assert [len(row) for row in found] == [len(row) for row in wanted]
    worst = max([abs(a - b) for p, q in zip(found, wanted) for a, b in zip(p, q)], default=0.0)
    allowed = precision * largest + 1000.0 * SMALLEST  # what is below SMALLEST counts as zero
    assert worst <= allowed, f"off by {worst:.3g}, numbers up to {largest:.3g} were possible"


@st.composite
def matrices(draw: Any, rows: int, columns: int, exponents: tuple[int, int] = (-12, 12)) -> Rows:
    """Numbers of one size or of very different ones, of any sign, some or all of them zero."""
    lowest = draw(st.integers(*exponents))
    highest = min(lowest + draw(st.sampled_from([0, 0, 3, 24])), exponents[1])
    # One draw for the whole matrix: hypothesis would need an entry each.
    rng = random.Random(draw(st.integers(0, 2**32)))
    zeros = draw(st.sampled_from([0.0, 0.0, 0.3, 0.9, 1.0]))
    signs = draw(st.sampled_from([(-1.0, 1.0), (1.0,), (-1.0,)]))
    mantissa = draw(st.sampled_from([rng.random, lambda: 1.0, lambda: 1.0 - 2.0**-30]))
    return [
        [
            0.0 if rng.random() < zeros else rng.choice(signs) * mantissa() * 10.0 ** rng.uniform(lowest, highest)
            for _ in range(columns)
        ]
        for _ in range(rows)
    ]


# --- exact: whole numbers -------------------------------------------------------------------------------------------


def whole(draw: Any, rows: int, columns: int, largest: int = 60) -> Rows:
    numbers = st.lists(st.integers(-largest, largest), min_size=columns, max_size=columns)
    return [list(map(float, row)) for row in draw(st.lists(numbers, min_size=rows, max_size=rows))]


def as_ints(rows: Rows) -> list[list[int]]:
    assert all(v.is_integer() for row in rows for v in row)
    return [[int(v) for v in row] for row in rows]


def plain_product(a: Sequence[Sequence[int]], b: Sequence[Sequence[int]]) -> list[list[int]]:
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


@given(engines, sizes, sizes, sizes, st.booleans(), st.data())
def test_products_of_whole_numbers_are_exact(ops: Lanes, n: int, k: int, m: int, prepared: bool, data: Any) -> None:
    x, w, b, g = (whole(data.draw, *shape) for shape in ((n, k), (k, m), (1, m), (n, m)))
    xi, wi, bi, gi = map(as_ints, (x, w, b, g))
    batch = ops.prepare(x) if prepared else ops.from_rows(x)
    weight, bias, gradient = map(ops.from_rows, (w, b, g))
    product = plain_product(xi, wi)
    assert ops.to_rows(sound(ops, ops.matmul(batch, weight))) == product
    with_bias = [[v + c for v, c in zip(row, bi[0])] for row in product]
    assert ops.to_rows(sound(ops, ops.affine(batch, weight, bias))) == with_bias
    turned = plain_product(list(zip(*xi)), gi)
    assert ops.to_rows(sound(ops, ops.matmul_tn(batch, gradient))) == turned
    back = plain_product(gi, list(zip(*wi)))
    assert ops.to_rows(sound(ops, ops.matmul_nt(gradient, weight))) == back


@given(engines, sizes, sizes, st.data())
def test_everything_else_with_whole_numbers_is_exact(ops: Lanes, n: int, m: int, data: Any) -> None:
    a, b = (whole(data.draw, n, m, 1000) for _ in range(2))
    ai, bi = as_ints(a), as_ints(b)
    first, second = ops.from_rows(a), ops.from_rows(b)
    pairs = [list(zip(p, q)) for p, q in zip(ai, bi)]
    assert ops.to_rows(sound(ops, ops.add(first, second))) == [[x + y for x, y in row] for row in pairs]
    assert ops.to_rows(sound(ops, ops.sub(first, second))) == [[x - y for x, y in row] for row in pairs]
    assert ops.to_rows(ops.add_scaled(first, second, -4.0)) == [[x - 4 * y for x, y in row] for row in pairs]
    assert ops.to_rows(sound(ops, ops.sum_rows(first))) == [[sum(column) for column in zip(*ai)]]
    positive, mask = ops.relu(first)
    assert ops.to_rows(sound(ops, positive)) == [[max(x, 0) for x in row] for row in ai]
    gated, wanted = ops.gate(second, mask), [[y if x > 0 else 0 for x, y in row] for row in pairs]
    assert ops.to_rows(sound(ops, gated)) == wanted
    assert ops.to_rows(ops.matmul_nt(gated, first)) == plain_product(wanted, list(zip(*ai)))
    sound(ops, gated)  # as the side that multiplies, too
    assert ops.to_rows(sound(ops, ops.scale(positive, -0.5))) == [[-0.5 * max(x, 0) for x in row] for row in ai]
    assert ops.to_rows(ops.hadamard(first, second)) == [[x * y for x, y in row] for row in pairs]
    assert ops.to_rows(ops.map(abs, positive)) == [[max(x, 0) for x in row] for row in ai]


def test_a_worked_example(ops: Lanes) -> None:
    x = ops.prepare([b"\0\2\0", b"\1\0\3"], 0.5)
    weight = ops.from_rows([[1.0, -1.0], [2.0, 0.0], [0.0, 4.0]])
    logits = ops.affine(x, weight, ops.from_rows([[0.5, -0.25]]))
    assert ops.to_rows(logits) == [[2.5, -0.25], [1.0, 5.25]]
    hidden, mask = ops.relu(logits)
    assert ops.to_rows(hidden) == [[2.5, 0.0], [1.0, 5.25]]
    assert ops.to_rows(ops.gate(ops.from_rows([[1.0, 1.0], [1.0, 1.0]]), mask)) == [[1.0, 0.0], [1.0, 1.0]]
    assert ops.to_rows(ops.matmul_tn(x, hidden)) == [[0.5, 2.625], [2.5, 0.0], [1.5, 7.875]]


@given(st.integers(1, 255), st.integers(0, 2**32))
def test_bright_pixels_that_are_added_up_first_change_no_product(brightest: int, seed: int) -> None:
    rng = random.Random(seed)
    shades = [0, 0, 0, 0, *(max(brightest - k, 0) for k in range(6)), rng.randrange(brightest + 1)]
    rows = [bytes(rng.choices(shades, k=rng.choice([70, 200]))).ljust(200, b"\0") for _ in range(3)]
    learning = Lanes().tuned_for(Lanes().prepare(rows), len(rows))
    x = learning.take_rows(learning.prepare(rows), range(len(rows)))
    w, g = ([[rng.randint(-60, 60) for _ in range(2)] for _ in range(count)] for count in (200, len(rows)))
    weight, gradient = (learning.from_rows([list(map(float, row)) for row in m]) for m in (w, g))
    assert learning.to_rows(sound(learning, learning.matmul(x, weight))) == plain_product(rows, w)
    assert learning.to_rows(sound(learning, learning.matmul_tn(x, gradient))) == plain_product(list(zip(*rows)), g)


@pytest.mark.parametrize("largest", [1.0, 3e99, -3e99, 1e-249, 1e-300, 0.0, -0.0])
def test_a_stored_matrix_is_the_lanes_of_its_floats(ops: Lanes, largest: float) -> None:
    rng = random.Random(3)
    rows = [[rng.uniform(-1.0, 1.0) * largest for _ in range(5)] for _ in range(1000)]
    rows[7][3] = largest
    stored = ops.from_doubles(struct.pack("<5000d", *[v for row in rows for v in row]), (1000, 5))
    found, wanted = ops.rows_of(stored), ops.rows_of(ops.from_rows(rows))
    assert (found.data, found.scale, found.bound) == (wanted.data, wanted.scale, wanted.bound)
    unit, width = found.scale, ops.width
    assert [lanes_of(row, width, 5) for row in found.data] == [[round(v / unit) for v in row] for row in rows]


def test_a_stored_matrix_beyond_all_use_is_refused_when_it_is_used(ops: Lanes) -> None:
    stored = ops.from_doubles(struct.pack("<2d", 1.0, -2e100), (1, 2))
    with pytest.raises(LaneOverflowError, match=re.escape("numbers up to 2e+100 appeared")):
        ops.rows_of(stored)


def test_a_shifted_bound_holds_for_every_number_up_to_the_bound() -> None:
    for bound in sorted({max((1 << bits) + more, 0) for bits in range(63) for more in (-1, 0, 1)}):
        for shift in range(-4, 70):
            largest = (2 * bound + (1 << shift)) >> (shift + 1) if shift > 0 else bound << -shift  # the nearest int
            assert largest <= shifted_bound(bound, shift) <= largest + 1, (bound, shift)


# --- precise and in range: any numbers ------------------------------------------------------------------------------


@given(engines, sizes, sizes, sizes, st.booleans(), st.data())
def test_products_are_precise(ops: Lanes, n: int, k: int, m: int, prepared: bool, data: Any) -> None:
    x, w, b, g = (data.draw(matrices(*shape)) for shape in ((n, k), (k, m), (1, m), (n, m)))
    batch = ops.prepare(x) if prepared else ops.from_rows(x)
    weight, bias, gradient = map(ops.from_rows, (w, b, g))
    possible = row_sum(batch, ops) * size(weight)
    assert_close(ops.to_rows(sound(ops, ops.matmul(batch, weight))), linalg.matmul(x, w), possible, precision(ops, k))
    affine = sound(ops, ops.affine(batch, weight, bias))
    assert_close(ops.to_rows(affine), linalg.affine(x, w, b), possible + size(bias), precision(ops, k))
    turned = sound(ops, ops.matmul_tn(batch, gradient))
    assert_close(ops.to_rows(turned), linalg.matmul_tn(x, g), n * size(batch) * size(gradient), precision(ops, n))
    back = sound(ops, ops.matmul_nt(gradient, weight))
    assert_close(ops.to_rows(back), linalg.matmul_nt(g, w), row_sum(gradient, ops) * size(weight), precision(ops, m))
    for m_ in (batch, weight, bias, gradient):
        sound(ops, m_)


class RowByRow(Lanes):
    """Computes every product row by row."""

    def _turns(self, x: Any, weight: Any) -> bool:
        return False


@pytest.mark.parametrize("learning", [False, True])
@given(engines, st.integers(0, 2**32))
def test_products_with_a_lane_for_each_row_are_those_row_by_row_to_the_last_bit(
    learning: bool, ops: Lanes, seed: int
) -> None:
    rng = random.Random(seed)
    for _ in range(8):
        check_lane_for_each_row(ops, learning, rng)


def check_lane_for_each_row(ops: Lanes, learning: bool, rng: random.Random) -> None:
    terms, width = rng.choice([TURNED_TERMS, 40, 100]), rng.randint(1, 4)
    count = TURNED_ROWS * width + rng.randint(0, 40)
    if learning:
        ops = ops.tuned_for(ops.prepare([[rng.random() for _ in range(terms)]]), count)
    by_rows = RowByRow()
    vars(by_rows).update(vars(ops))
    spread = rng.choice([0, 0, 1, 8, 60])

    def matrix(rows: int, columns: int, size: float) -> Rows:
        zeros, kinds = rng.choice([0.0, 0.0, 0.1]), rng.choice([["any"], ["alike"], ["any", "alike", "single"]])
        result = []
        for _ in range(rows):
            kind, single = rng.choice(kinds), rng.randrange(columns)
            each = size * 2.0 ** rng.randint(-spread, spread) * (rng.random() >= zeros)
            if kind == "single":  # its product may be a row of zeros
                row = [float(i == single) for i in range(columns)]
            else:
                row = [rng.gauss(0.0, 1.0) if kind == "any" else rng.uniform(0.9, 1.0) for _ in range(columns)]
            result.append([each * v for v in row])
        return result

    size = 2.0 ** rng.choice([0, 0, -40, 40, -300, 150])
    x, weight, bias = (
        matrix(count, terms, size),
        matrix(terms, width, rng.choice([1.0, 1e-3, 1e3])),
        matrix(1, width, 1),
    )
    positive, biased = rng.random() < 0.5, rng.random() < 0.5

    def product(engine: Lanes) -> list[Any]:
        samples = engine.samples_of(engine.from_rows(x))
        left = LaneMatrix(engine.width, (count, terms), samples=samples)
        if positive:
            left = engine.relu(left)[0]
        right, added = engine.from_rows(weight), engine.from_rows(bias)
        result = engine.affine(left, right, added) if biased else engine.matmul(left, right)
        again = engine.affine(left, right, added)  # with plans that may be known
        data = engine.samples_of(result)
        return [data.data, data.scale, data.sizes, engine.to_rows(again)]

    try:
        wanted = product(by_rows)
    except LaneOverflowError:
        with pytest.raises(LaneOverflowError):
            product(ops)
        return
    assert product(ops) == wanted


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("first", ["forward", "back"])
def test_a_weight_is_read_by_its_rows_and_by_its_columns(first: str, learning: bool) -> None:
    """Both ways of a product without a bias follow plans of their own, whichever was there first."""
    rng, ops = random.Random(3), Lanes(48)
    ops.learning = learning
    x = [[4.0] * 100, *([rng.random() * (k % 7 == 0) for k in range(100)] for _ in range(39))]
    g = matrices_of(rng, 40, 3)
    rows = matrices_of(rng, 100, 3)
    weight = ops.from_rows(rows)

    def samples(m: Rows) -> LaneMatrix:
        return LaneMatrix(ops.width, (len(m), len(m[0])), samples=ops.samples_of(ops.from_rows(m)))

    ways: dict[str, Any] = {
        "forward": lambda: (ops.matmul(samples(x), weight), linalg.matmul(x, rows)),
        "back": lambda: (ops.matmul_nt(samples(g), weight), linalg.matmul_nt(g, rows)),
    }
    for way in (first, *ways):
        told, wanted = ways[way]()
        for row, expected in zip(ops.to_rows(told), wanted):
            assert row == pytest.approx(expected, rel=0.0, abs=2.0**-11)


@given(engines, sizes, sizes, st.floats(-1e6, 1e6), st.data())
def test_sums_are_precise(ops: Lanes, n: int, m: int, factor: float, data: Any) -> None:
    a, b = data.draw(matrices(n, m)), data.draw(matrices(n, m))
    first, second = ops.from_rows(a), ops.from_rows(b)
    moved = sound(ops, ops.add_scaled(first, second, factor))
    assert_close(ops.to_rows(moved), linalg.add_scaled(a, b, factor), size(first) + abs(factor) * size(second))
    assert_close(ops.to_rows(sound(ops, ops.sum_rows(first))), linalg.sum_rows(a), n * size(first))
    positive, mask = ops.relu(first)
    assert_close(ops.to_rows(sound(ops, positive)), linalg.relu(a)[0], size(first))
    gated = linalg.gate(b, [[float(v > 0.0) for v in row] for row in ops.to_rows(positive)])
    assert_close(ops.to_rows(sound(ops, ops.gate(second, mask))), gated, size(second))
    assert_close(ops.to_rows(sound(ops, ops.scale(positive, factor))), linalg.scale(linalg.relu(a)[0], factor),
                 abs(factor) * size(first))  # fmt: skip


class Chain:
    """Matrices that go through one random operation after another; each result is checked against ``linalg``."""

    def __init__(self, ops: Lanes, rng: random.Random, draw: Callable[[int, int], Rows]) -> None:
        self.n, self.k, self.m = (rng.choice([1, 2, 5, 17]) for _ in range(3))
        if rng.random() < 0.5:  # as while a network learns
            ops = ops.tuned_for(ops.prepare([[rng.random() for _ in range(self.k)]]), rng.choice([1, 32, 100_000]))
        self.ops, self.rng, self.draw = ops, rng, draw
        x = draw(self.n, self.k)
        self.x = ops.prepare(x) if rng.random() < 0.5 else ops.from_rows(x)
        self.weight, self.bias = ops.from_rows(draw(self.k, self.m)), ops.from_rows(draw(1, self.m))
        self.y = ops.from_rows(draw(self.n, self.m))

    def step(self) -> None:
        """One operation on what there is, its result in place of one of its operands where it has grown not too far."""
        name = self.rng.choice(["forward", "update", "back", "mix", "scale", "rectify", "total"])
        getattr(self, name)()
        for m in (self.x, self.weight, self.bias, self.y):  # operands may have been given further forms
            sound(self.ops, m)

    def checked(self, result: Any, wanted: Rows, possible: float, terms: int = 1) -> Any:
        assert_close(self.ops.to_rows(sound(self.ops, result)), wanted, possible, precision(self.ops, terms))
        return result

    def keep(self, name: str, result: Any) -> None:
        if size(result) < 1e40:
            setattr(self, name, result)

    def forward(self) -> None:
        x, w, b = map(self.ops.to_rows, (self.x, self.weight, self.bias))
        possible = row_sum(self.x, self.ops) * size(self.weight) + size(self.bias)
        y = self.ops.affine(self.x, self.weight, self.bias)
        self.keep("y", self.checked(y, linalg.affine(x, w, b), possible, self.k))

    def update(self) -> None:
        x, y, w = map(self.ops.to_rows, (self.x, self.y, self.weight))
        gradient = self.ops.matmul_tn(self.x, self.y)
        self.checked(gradient, linalg.matmul_tn(x, y), self.n * size(self.x) * size(self.y), self.n)
        g, lr = self.ops.to_rows(gradient), -self.rng.random()
        # A gradient that nobody has looked at is computed in the step itself, and for that step.
        moved = self.ops.add_scaled(self.weight, self.ops.matmul_tn(self.x, self.y), lr)
        self.checked(moved, linalg.add_scaled(w, g, lr), size(self.weight) + abs(lr) * size(gradient))
        self.keep("weight", moved)

    def back(self) -> None:
        y, w = map(self.ops.to_rows, (self.y, self.weight))
        back = self.ops.matmul_nt(self.y, self.weight)
        self.checked(back, linalg.matmul_nt(y, w), row_sum(self.y, self.ops) * size(self.weight), self.m)
        if isinstance(self.x, LaneMatrix):
            self.keep("x", back)

    def mix(self) -> None:
        other = self.y if self.rng.random() < 0.3 else self.ops.from_rows(self.draw(self.n, self.m))
        factor = self.rng.choice([1.0, -1.0, 0.9, 1e-9, -1e9, 0.0])
        y, o = self.ops.to_rows(self.y), self.ops.to_rows(other)
        mixed = self.ops.add_scaled(self.y, other, factor)
        self.keep("y", self.checked(mixed, linalg.add_scaled(y, o, factor), size(self.y) + abs(factor) * size(other)))

    def scale(self) -> None:
        factor = self.rng.choice([0.0, -1.0, 1e-6, 1e6, 0.1])
        y = self.ops.to_rows(self.y)
        self.keep(
            "y", self.checked(self.ops.scale(self.y, factor), linalg.scale(y, factor), abs(factor) * size(self.y))
        )

    def rectify(self) -> None:
        y = self.ops.to_rows(self.y)
        positive, mask = self.ops.relu(self.y)
        self.checked(positive, linalg.relu(y)[0], size(self.y))
        gated = self.ops.gate(self.y, mask)
        self.checked(gated, linalg.relu(y)[0], size(self.y))
        self.keep("y", positive)

    def total(self) -> None:
        y = self.ops.to_rows(self.y)
        total = self.ops.sum_rows(self.y)
        self.keep("bias", self.checked(total, linalg.sum_rows(y), self.n * size(self.y)))


@given(engines, st.integers(0, 2**32), st.data())
def test_long_chains_of_operations_never_wrap_around(ops: Lanes, seed: int, data: Any) -> None:
    rng = random.Random(seed)
    lowest = rng.choice([-12, -6, -1, 0, 6, 11])

    def draw(rows: int, columns: int) -> Rows:
        largest = 10.0 ** (lowest + rng.choice([0, 0, 1, 12]))
        return [[rng.choice([0.0, 1.0, rng.uniform(-1.0, 1.0)]) * largest for _ in range(columns)] for _ in range(rows)]

    chain = Chain(ops, rng, draw)
    for _ in range(25):
        chain.step()


def test_a_row_with_few_bits_costs_those_beside_it_none(ops: Lanes) -> None:
    """Sums over two rows of numbers as large as each other, of which one has lost all bits but the first."""
    most = ops.width - 3
    lanes = [(1 << most) - 1, 1]
    other = LaneMatrix(ops.width, (2, 1), samples=Samples(lanes, 0.5, [(0, 1 << most), (most, 1)]))
    even = ops.from_rows([[1.0, -3.0], [1.0, -3.0]])
    wanted = linalg.matmul_tn(ops.to_rows(even), ops.to_rows(other))
    assert_close(ops.to_rows(ops.matmul_tn(even, other)), wanted, wanted[0][0])


# --- at the very edge: every lane as large as its bound --------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3, 64, 1000])
def test_products_in_which_every_term_is_as_large_as_it_can_be(ops: Lanes, k: int) -> None:
    for value in (1.0, -1.0, 1.0 - 2.0**-30, 1.0 - 2.0**-40, 255.0, 1e-9, -1e9):
        check_largest_terms(ops, value, k)


def check_largest_terms(ops: Lanes, value: float, k: int) -> None:
    possible = k * value**2
    x, w = [[value] * k, [-value] * k], [[value, -value]] * k
    for batch in (ops.from_rows(x), ops.prepare(x)):
        product = sound(ops, ops.matmul(batch, ops.from_rows(w)))
        assert_close(ops.to_rows(product), [[possible, -possible], [-possible, possible]], possible, precision(ops, k))
    turned = sound(ops, ops.matmul_tn(ops.from_rows([[value]] * k), ops.from_rows([[-value, value]] * k)))
    assert_close(ops.to_rows(turned), [[-possible, possible]], possible, precision(ops, k))
    batch = ops.prepare([[value, 0.0]] * k)
    turned = sound(ops, ops.matmul_tn(batch, ops.from_rows([[-value, value]] * k)))
    assert_close(ops.to_rows(turned), [[-possible, possible], [0.0, 0.0]], possible, precision(ops, k))


def test_the_lowest_number_of_so_many_bits_is_within_every_bound(ops: Lanes) -> None:
    # So many bits hold numbers from -2**bits to 2**bits - 1: the lowest is one farther from zero than the highest.
    far = 1 << ops.capacity - 4  # what is known of them before they are looked at
    ones = ops.from_rows([[1.0]] * 3)
    for bits in range(ops.capacity - 4):
        row = -(1 << bits) + ((1 << bits) - 1 << ops.width)
        wanted = [[-(2.0**bits), 2.0**bits - 1.0]] * 3
        samples = LaneMatrix(ops.width, (3, 2), samples=Samples([row] * 3, 0.5, [(1, far)] * 3))
        block = LaneMatrix(ops.width, (3, 2), rows=Block([row] * 3, 1.0, far))
        assert_close(ops.to_rows(sound(ops, ops.add(block, block))), linalg.scale(wanted, 2.0), 2.0**bits)
        for m in (samples, block):
            assert_close(ops.to_rows(sound(ops, ops.sum_rows(m))), linalg.sum_rows(wanted), 2.0**bits)
            assert_close(ops.to_rows(sound(ops, ops.matmul_tn(ones, m))), linalg.sum_rows(wanted), 2.0**bits)
            assert_close(ops.to_rows(sound(ops, ops.add(m, samples))), linalg.scale(wanted, 2.0), 2.0**bits)


# About a power of two, where what is too small by one shows.
edges = st.builds(lambda bits, more: max((1 << bits) + more, 1), st.integers(0, 38), st.integers(-1, 1))


@given(engines, edges, edges)
def test_lanes_fitted_to_a_bound_are_the_same_numbers_rounded_and_obey_it(ops: Lanes, bound: int, allowed: int) -> None:
    numbers = [bound, -bound, bound // 2, 1]
    row = sum(v << (ops.width * lane) for lane, v in enumerate(numbers))
    block = Block([row], 0.75, bound).fitted(ops.layout(4), allowed)
    samples = Samples([row, -row], 0.75, [(3, bound), (5, bound)]).fitted(ops.layout(4), allowed)
    units = [math.ldexp(samples.scale, exponent) for exponent, _ in samples.sizes]
    fitted = [(block.data[0], block.scale, block.bound), *zip(samples.data, units, [b for _, b in samples.sizes])]
    for (data, unit, least), before, sign in zip(fitted, (0.75, 6.0, 24.0), (1, 1, -1)):
        assert min(bound, allowed // 2) <= least <= allowed  # no more bits are lost than have to be
        ((*found,),) = decoded(ops, Block([data], unit, least), 1, 4)
        assert all(abs(v * unit - sign * n * before) <= unit / 2 for v, n in zip(found, numbers))


def test_lanes_times_any_ratio_obey_the_bound_that_is_told(ops: Lanes) -> None:
    powers = [*range(0, ops.capacity, 9), *range(ops.capacity - 3, ops.capacity + 1)]
    for bound in sorted({min(max((1 << bits) + more, 1), 1 << ops.capacity) for bits in powers for more in (-1, 0, 1)}):
        numbers = [bound, -bound, bound // 2, 1]
        row = sum(v << (ops.width * lane) for lane, v in enumerate(numbers))
        for ratio in (m * 2.0**e for m in (1.0, -0.99999, 0.7, -0.50001) for e in (-70, -17, -8, -3, -1, 0, 1, 30)):
            if bound * abs(ratio) <= 1 << ops.capacity - 1:
                data, told = ops._rescaled([row], bound, ratio, 4)
                ((*found,),) = decoded(ops, Block(data, 1.0, told), 1, 4)
                allowed = 1.0 + PRECISION * bound * abs(ratio)
                assert all(abs(v - n * ratio) <= allowed for v, n in zip(found, numbers)), (bound, ratio)


def test_a_bias_of_any_size_beside_its_product(ops: Lanes) -> None:
    for exponent in (*range(-80, 81, 7), -26, -18, 18, 25, 26, 27, 45, 46, 47):
        check_bias(ops, exponent)


def check_bias(ops: Lanes, exponent: int) -> None:
    bias = [[2.0**exponent, -(2.0**exponent), 0.0]]
    x, w = [[1.0, -1.0, 1.0]], [[1.0, -1.0, 0.5]] * 3
    for batch in (ops.prepare(x), ops.from_rows(x), ops.prepare([b"\1\1\1"])):
        wanted = linalg.affine(ops.to_rows(batch), w, bias)
        result = sound(ops, ops.affine(batch, ops.from_rows(w), ops.from_rows(bias)))
        assert_close(ops.to_rows(result), wanted, 3.0 + 2.0**exponent)


@pytest.mark.parametrize("bias", [0.3, -1e-30, 1e10, -1e30, 1e99])
def test_a_bias_where_the_product_is_zero(ops: Lanes, bias: float) -> None:
    # The unit of a zero product means nothing: the bias counted in it would lose its bits, or leave its lanes.
    zeros, ones = [[0.0] * 3] * 2, [[1.0] * 3] * 2
    for x, w in ((ones[0][:2], zeros), (zeros[0][:2], ones), (zeros[0][:2], zeros)):
        for engine in (ops, ops.tuned_for(ops.prepare(ones), 1)):
            for batch in (engine.take_rows(engine.prepare([x]), [0]), engine.from_rows([x])):
                row = engine.from_rows([[bias, -bias, 0.0]])
                result = engine.to_rows(sound(engine, engine.affine(batch, engine.from_rows(w), row)))
                assert result == [pytest.approx([bias, -bias, 0.0], rel=2.0**-29 * 2.0 ** (engine.exponent_step - 1))]


def test_rows_of_few_bits_in_a_large_unit_hide_no_others(ops: Lanes) -> None:
    rng = random.Random(1)
    g = [[0.3, -0.7, 0.9], [0.25, 0.1, -0.6]]
    for engine in (ops, ops.tuned_for(ops.prepare(g), 2)):
        few, many = 1 + (-1 << engine.width), rng.getrandbits(30) - (rng.getrandbits(30) << engine.width)
        m = LaneMatrix(engine.width, (2, 2), samples=Samples([few, many], 0.5, [(1, 1), (-29, 1 << 30)]))
        wanted = linalg.matmul_tn(engine.to_rows(m), g)
        assert_close(engine.to_rows(engine.matmul_tn(m, engine.from_rows(g))), wanted, 2.0)


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.3, -0.9999, 1e-12, 1e12])
def test_steps_between_matrices_of_any_two_sizes(ops: Lanes, factor: float) -> None:
    for exponent in (-70, -46, -40, -26, -1, 0, 1, 26, 40, 45, 46, 70):
        check_step(ops, 2.0**exponent, factor)


def check_step(ops: Lanes, ratio: float, factor: float) -> None:
    a, b = [[1.0, -1.0, 0.0]] * 2, [[ratio, ratio, -ratio], [0.0, 0.0, 0.0]]
    wanted, possible = linalg.add_scaled(a, b, factor), 1.0 + abs(factor) * ratio
    moved = sound(ops, ops.add_scaled(ops.from_rows(a), ops.from_rows(b), factor))
    assert_close(ops.to_rows(moved), wanted, possible)
    # The same with lanes that run along columns, as gradients of wide layers have them.
    gradient = ops.matmul_tn(ops.from_rows([[1.0, 0.0]]), ops.from_rows([[1.0]]))
    assert gradient.columns is not None
    b = [[ratio * v] for v in (1.0, 0.0)]
    moved = sound(ops, ops.add_scaled(ops.from_rows([[1.0], [-1.0]]), ops.scale(gradient, ratio), factor))
    assert_close(ops.to_rows(moved), linalg.add_scaled([[1.0], [-1.0]], b, factor), possible)


@pytest.mark.parametrize(("start", "gradient", "factor"), [
    (1.0, 1.0, 0.7), (1.0, 1.0, -1e-7), (1e-6, 1e6, 0.3), (1e6, 1e-6, -0.3), (1.0, 1e9, 1e-9), (1.0, 0.3, 1e-300),
    (1e-249, 1e99, 1.0), (1e99, 1e-249, 1e-200), (1e-240, 1e-240, 1e20), (0.0, 1.0, 0.5), (1.0, 0.0, 0.5),
])  # fmt: skip
def test_a_step_along_a_gradient_that_is_computed_in_the_step(
    ops: Lanes, start: float, gradient: float, factor: float
) -> None:
    x, g, w = [[1.0, -0.5], [0.25, 0.0]], [[gradient, -gradient], [0.0, gradient]], [[start, start], [-start, 0.0]]
    batch = ops.prepare(x)
    for rows in (batch, ops.prepare([b"\xff\1", b"\0\7"], 1.0 / 255.0)):
        plain = ops.to_rows(rows)
        product = ops.matmul_tn(rows, ops.from_rows(g))
        assert product.rows is None
        moved = sound(ops, ops.add_scaled(ops.from_rows(w), product, factor))
        wanted = linalg.add_scaled(w, linalg.matmul_tn(plain, g), factor)
        assert_close(ops.to_rows(moved), wanted, start + 2.0 * abs(factor) * gradient, precision(ops, 2))


def test_a_step_along_a_gradient_as_large_as_lanes_can_hold(ops: Lanes) -> None:
    batch = ops.prepare([[1.0]]).as_ints()
    batch.largest = (1 << (ops.width - 3)) + 5  # as if there were that many rows
    one = LaneMatrix(ops.width, (1, 1), samples=Samples([1], 0.5, [(1, 1)]))
    moved = sound(ops, ops.add_scaled(ops.from_rows([[1.0]]), ops.matmul_tn(batch, one), 0.3))
    assert_close(ops.to_rows(moved), [[1.3]], 1.0 + 0.3 * batch.largest)


@pytest.mark.parametrize("count", [1, 2, 60, 3000])
@pytest.mark.parametrize("row", [b"\xff", [1.0 - 2.0**-40]], ids=["pixels", "floats"])
def test_steps_whose_rows_all_point_one_way_are_within_their_bounds(ops: Lanes, count: int, row: Any) -> None:
    rng = random.Random(count)
    batch = ops.take_rows(ops.prepare([row]), [0] * count)
    for _ in range(20):
        lane, size = rng.getrandbits(rng.randrange(1, 25)) | 1, 10.0 ** rng.uniform(-9, 0.5)
        factor = rng.choice([-1.0, 1.0]) * size / (lane * row[0] * count)
        gradient = LaneMatrix(ops.width, (count, 1), samples=Samples([lane] * count, 0.5, [(1, lane)] * count))
        moved = sound(ops, ops.add_scaled(ops.from_rows([[1.0]]), ops.matmul_tn(batch, gradient), factor))
        assert_close(ops.to_rows(moved), [[1.0 + math.copysign(size, factor)]], 1.0 + size, precision(ops, count))


def test_a_step_from_lanes_that_are_full(ops: Lanes) -> None:
    full = float(1 << ops.capacity)
    for share in (2.0**-30, 0.01, 0.2, 0.24, 0.5):
        m = LaneMatrix(ops.width, (1, 1), rows=Block([1 << ops.capacity], 1.0, 1 << ops.capacity))
        product = ops.matmul_tn(ops.prepare([b"\xff"], 1.0 / 255.0), ops.from_rows([[1.0]]))
        moved = sound(ops, ops.add_scaled(m, product, share * full))
        assert_close(ops.to_rows(moved), [[full + share * full]], full)


def test_a_product_reads_the_rows_that_a_step_has_left_alone_in_the_unit_of_the_others(ops: Lanes) -> None:
    eye = ops.from_rows([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    for rows in ([b"\1\0\1"], [[1.0, 0.0, 1.0]]):
        x, weight = ops.prepare(rows), ops.from_rows([[1.0, -1.0], [0.75, 0.5], [0.0, 0.0]])
        for factor in (1e-3, 1.0, 1e2, 1e4, 1e6, -1e6, 1e-3):  # the unit has to become a coarser one
            for _ in range(3):
                before, read = weight, ops.to_rows(ops.matmul(eye, weight))
                weight = ops.add_scaled(weight, ops.matmul_tn(x, ops.from_rows([[1.0, 2.0]])), factor)
                assert_close(ops.to_rows(ops.matmul(eye, weight)), ops.to_rows(sound(ops, weight)), size(weight))
                assert ops.to_rows(ops.matmul(eye, LaneMatrix(ops.width, (3, 2), rows=before.rows))) == read


@pytest.mark.parametrize("factor", [0.75, 1.0, -0.5, 0.0])
def test_a_product_reads_a_weight_that_has_another_unit_as_it_is(ops: Lanes, factor: float) -> None:
    rng = random.Random(9)
    eye = ops.from_rows([[float(i == k) for k in range(40)] for i in range(40)])
    weight = ops.rows_of(ops.from_rows(matrices_of(rng, 40, 3)))
    matrix = LaneMatrix(ops.width, (40, 3), rows=weight)
    ops.matmul(eye, matrix)  # leaves a table
    matrix = ops.scale(matrix, factor)
    x, g = [bytes(int(k < 5) for k in range(40))], ops.from_rows(matrices_of(rng, 1, 3))
    for _ in range(2):
        told, rows = ops.to_rows(ops.matmul(eye, matrix)), ops.to_rows(matrix)
        assert_close(told, rows, size(matrix))
        matrix = ops.add_scaled(matrix, ops.matmul_tn(ops.prepare(x), g), -0.25)


def test_a_step_rounds_no_gradient_of_few_bits(ops: Lanes) -> None:
    gradient = LaneMatrix(ops.width, (1, 2), samples=Samples([3 + (-1 << ops.width)], 0.5, [(0, 3)]))
    product = ops.matmul_tn(ops.prepare([[1.0]], 1.0 / 255.0), gradient)
    moved = sound(ops, ops.add_scaled(ops.from_rows([[1.0, 1.0]]), product, 0.7 * 255.0))
    assert_close(ops.to_rows(moved), [[1.0 + 0.7 * 1.5, 1.0 - 0.7 * 0.5]], 3.0)


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.7, -1e-7, 1e7])
def test_a_step_from_zero_has_the_precision_of_the_step(ops: Lanes, factor: float) -> None:
    rows = [[1e-9, -3e-9], [2e-9, 0.0]]
    zeros = [[0.0, 0.0], [0.0, 0.0]]
    moved = sound(ops, ops.add_scaled(ops.from_rows(zeros), ops.from_rows(rows), factor))
    assert_close(ops.to_rows(moved), linalg.scale(rows, factor), 3e-9 * abs(factor))
    assert ops.to_rows(ops.add_scaled(ops.from_rows(zeros), ops.from_rows(zeros), factor)) == zeros
    for nothing in (0.0, 5e-324, -1e-300):
        moved = ops.add_scaled(ops.from_rows(zeros), ops.from_rows(rows), nothing)
        assert_close(ops.to_rows(moved), zeros, 0.0)


@pytest.mark.parametrize("width", [40, pytest.param(64, marks=pytest.mark.slow)])  # the less room, the harder
def test_sums_over_very_many_rows(width: int) -> None:
    ops, count = Lanes(width), 100_000
    batch = ops.take_rows(ops.prepare([[1.5]]), [0] * count)
    engine = ops.tuned_for(batch, count)
    ones = engine.from_rows([[1.0]] * count)
    assert_close(engine.to_rows(sound(engine, engine.sum_rows(ones))), [[float(count)]], count)
    assert_close(engine.to_rows(sound(engine, engine.matmul_tn(batch, ones))), [[1.5 * count]], 1.5 * count)


# --- weights that change by orders of magnitude ---------------------------------------------------------------------


def made_of_lanes(ops: Lanes, rows: Rows) -> LaneMatrix:
    """The matrix as a product has it, which what is made from floats does not have: floats are added up as floats."""
    m = ops.matmul_tn(ops.from_rows([[float(i == k) for k in range(len(rows))] for i in range(len(rows))]),
                      ops.from_rows(rows))  # fmt: skip
    assert m.floats is None
    return m


MADE = [Lanes.from_rows, made_of_lanes]


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize(("factor", "steps"), [(-0.5, 40), (-0.1, 300), (-0.01, 2000), (1.0, 40), (0.1, 300)])
def test_weights_keep_their_precision_while_they_shrink_or_grow(
    ops: Lanes, factor: float, steps: int, make: Any
) -> None:
    start = [1.0, 0.7, -0.3]
    weight = make(ops, [start])
    for _ in range(steps):
        weight = sound(ops, ops.add_scaled(weight, weight, factor))
    # Compared with the first, because every step rounds its factor; the others must keep their ratio to it.
    (row,) = ops.to_rows(weight)
    assert row[0] == pytest.approx((1.0 + factor) ** steps, rel=2e-2 * max(1.0, steps * 2.0**-10))
    assert [v / row[0] for v in row] == pytest.approx(start, abs=2.0**-7)
    product = ops.matmul(ops.from_rows([[1.0]]), weight)
    assert_close(ops.to_rows(sound(ops, product)), [row], size(weight))


@pytest.mark.parametrize("make", MADE)
def test_all_zero_weights_survive_many_updates(ops: Lanes, make: Any) -> None:
    weight, gradient = make(ops, [[1.0, -1.0]]), make(ops, [[1.0, -1.0]])
    weight = ops.add_scaled(weight, gradient, -1.0)
    for _ in range(200):
        weight = ops.add_scaled(weight, weight, -0.5)
    assert ops.to_rows(weight) == [[0.0, 0.0]]
    weight = ops.add_scaled(weight, gradient, 0.25)
    assert_close(ops.to_rows(sound(ops, weight)), [[0.25, -0.25]], 0.25)


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99, 0.999, 0.9999])
def test_momentum_decays_as_it_should(ops: Lanes, momentum: float, make: Any) -> None:
    # A factor rounded to 1 would never forget. The scale of pixels, 1/255, makes the factor an odd one.
    velocity = ops.scale(make(ops, [[1.0, -1.0]]), 1.0 / 255.0)
    nothing = ops.scale(make(ops, [[1e-4, 1e-4]]), 0.0)
    steps = round(1.0 / (1.0 - momentum))
    for _ in range(steps):
        velocity = ops.add_scaled(nothing, velocity, momentum)
    assert ops.to_rows(velocity)[0][0] * 255.0 == pytest.approx(momentum**steps, rel=max(0.05, steps * 2.0**-16))


# --- ranges that lanes cannot hold together --------------------------------------------------------------------------


def test_a_product_that_would_leave_too_few_bits_goes_through_floats(ops: Lanes) -> None:
    x, w, b = [[1.0, 2.0]], [[1.0], [0.1]], [[1e60]]
    result = ops.affine(ops.prepare(x), ops.from_rows(w), ops.from_rows(b))
    assert ops.to_rows(sound(ops, result)) == [[pytest.approx(1e60, rel=2.0**-29)]]
    wide = ops.width - 22
    many = Inputs([Entry([1 << 16, -1], 0)], 2, 1.0, 1 << 16, 1 << 17, 18 + wide)  # as with many columns
    result = ops.affine(many, ops.from_rows([[3.0, 1.0], [0.5, 0.1]]), ops.from_rows([[0.25, 0.0]]))
    wanted = [3.0 * (1 << 16) - 0.5 + 0.25, (1 << 16) - 0.1]
    assert ops.to_rows(sound(ops, result)) == [pytest.approx(wanted, rel=0, abs=2.0**-29 * max(wanted))]


def test_gradients_over_too_many_rows_go_through_floats(ops: Lanes) -> None:
    batch = ops.prepare([[1.0, 0.0], [-0.5, 2.0]]).as_ints()
    batch.largest <<= ops.width - 22  # as if there were inputs, or rows, that far beyond these
    gradient = ops.matmul_tn(batch, ops.from_rows([[0.1, 0.2], [0.3, 0.4]]))
    assert_close(
        ops.to_rows(gradient), linalg.matmul_tn([[1.0, 0.0], [-0.5, 2.0]], [[0.1, 0.2], [0.3, 0.4]]), 1.0, 2.0**-29
    )


@pytest.mark.parametrize("tiny", [1e-90, 1e-200, 1e-300, 5e-324])
def test_numbers_too_small_for_a_double_when_multiplied(ops: Lanes, tiny: float) -> None:
    m = ops.from_rows([[tiny, -tiny], [tiny, tiny]])
    product = sound(ops, ops.matmul(m, m))
    assert_close(
        ops.to_rows(product), linalg.matmul([[tiny, -tiny], [tiny, tiny]], [[tiny, -tiny], [tiny, tiny]]), 2e-180
    )
    moved = sound(ops, ops.add_scaled(product, product, 1.0))
    assert_close(ops.to_rows(moved), [[0.0, 0.0], [0.0, 0.0]], 1e-170)
    for gradient in (ops.matmul_tn(m, m), ops.matmul_tn(ops.prepare([[tiny, 0.0]] * 2), m)):
        for small in (gradient, ops.scale(ops.scale(gradient, tiny), tiny), ops.sum_rows(gradient)):
            nothing = linalg.scale(ops.to_rows(small), 0.0)
            assert_close(ops.to_rows(sound(ops, ops.add(small, small))), nothing, 1e-179, 1.0)
    assert ops.to_rows(ops.affine(m, m, ops.from_rows([[0.5, -0.25]]))) == [[0.5, -0.25]] * 2
    near = [ops.relu(ops.from_rows([[1e-249 * v]]))[0] for v in (1.0, 1.0 - 2.0**-20)]
    assert ops.to_rows(ops.add(sound(ops, ops.sub(*near)), ops.from_rows([[tiny]]))) == ops.to_rows(
        ops.relu(ops.from_rows([[tiny]]))[0]
    )
    shrunk = ops.scale(ops.scale(ops.relu(m)[0], 1e-200), 1e-200)
    assert ops.to_rows(sound(ops, ops.add(shrunk, shrunk))) == [[0.0, 0.0], [0.0, 0.0]]


# --- refused: numbers that have run away ----------------------------------------------------------------------------


OPERATIONS = {
    "affine's input": lambda ops, m: ops.affine(m, ops.from_rows([[1.0], [1.0]]), ops.from_rows([[0.0]])),
    "affine's weight": lambda ops, m: ops.affine(ops.prepare([[1.0, 2.0]]), m, ops.from_rows([[1.0, 0.0]])),
    "affine's bias": lambda ops, m: ops.affine(
        ops.prepare([[1.0]]), ops.from_rows([[1.0, 1.0]]), ops.from_rows(ops.to_rows(m)[1:])
    ),
    "affine's bias beside nothing": lambda ops, m: ops.affine(
        ops.prepare([[0.0]]), ops.from_rows([[1.0, 1.0]]), ops.from_rows(ops.to_rows(m)[1:])
    ),
    "matmul": lambda ops, m: ops.matmul(m, m),
    "matmul_nt": lambda ops, m: ops.matmul_nt(m, ops.from_rows([[1.0, 1.0]])),
    "matmul_tn": lambda ops, m: ops.matmul_tn(ops.from_rows([[1.0], [1.0]]), m),
    "matmul_tn of inputs": lambda ops, m: ops.matmul_tn(ops.prepare([[1.0], [1.0]]), m),
    "sum_rows": lambda ops, m: ops.sum_rows(m),
    "add_scaled": lambda ops, m: ops.add_scaled(m, ops.from_rows([[1.0, 1.0]] * 2), 0.1),
    "add_scaled's step": lambda ops, m: ops.add_scaled(ops.from_rows([[1.0, 1.0]] * 2), m, 0.1),
    "relu": lambda ops, m: ops.relu(m),
    "gate": lambda ops, m: ops.gate(m, ops.relu(ops.from_rows([[1.0, 1.0]] * 2))[1]),
    "prepare": lambda ops, m: ops.prepare(ops.to_rows(m)),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize(
    ("number", "named"),
    [
        (math.inf, "up to inf"),
        (-math.inf, "up to inf"),
        (math.nan, "NaN"),
        (1e200, r"1e\+(200|199)"),
        (-1e308, r"1e\+30(8|7)"),
    ],
)
def test_what_has_run_away_is_refused(operation: Any, number: float, named: str) -> None:
    ops = Lanes()
    m = ops.from_rows([[1.0, 2.0], [3.0, number]])  # not in first place: max() passes over a NaN there
    with pytest.raises(LaneOverflowError, match=rf'{named}.* appeared, .* up to 1e\+100 \(engine="linalg"'):
        operation(ops, m)


@pytest.mark.parametrize("factor", [math.inf, -math.inf, math.nan, 1e200])
def test_factors_that_have_run_away_are_refused(ops: Lanes, factor: float) -> None:
    m = ops.relu(ops.from_rows([[1.0, 2.0]]))[0]
    product = ops.matmul_tn(ops.prepare([[1.0]]), m)
    for step in (m, product):
        with pytest.raises(LaneOverflowError, match="appeared"):
            ops.add_scaled(m, step, factor)
    with pytest.raises(LaneOverflowError, match="appeared"):
        ops.scale(m, factor)


@pytest.mark.parametrize("make", MADE)
def test_growing_step_by_step_ends_in_an_error_and_not_in_a_wrong_number(ops: Lanes, make: Any) -> None:
    m, power = make(ops, [[1.0, -1.0], [1.0, 1.0]]), 0
    with pytest.raises(LaneOverflowError, match="appeared"):
        for _ in range(400):
            m, power = sound(ops, ops.add_scaled(m, m, 1.0)), power + 1
            assert ops.to_rows(m) == [[2.0**power, -(2.0**power)], [2.0**power, 2.0**power]]
    assert 300 < power < 334
    big = ops.from_rows([[1e60]])
    with pytest.raises(LaneOverflowError, match="appeared"):
        ops.matmul(big, big)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_lanes_of_another_width_are_refused(operation: Any) -> None:
    narrow, wide = Lanes(40), Lanes(64)
    m = wide.relu(wide.from_rows([[1.0, 2.0], [3.0, 4.0]]))[0]
    with pytest.raises(ValueError, match=r"64-bit lanes was handed to an engine of 40-bit lanes; .*from_rows"):
        operation(narrow, m)
    operation(narrow, narrow.from_rows(wide.to_rows(m)))  # what the error says to do


def test_it_is_an_overflow_error() -> None:
    assert issubclass(LaneOverflowError, OverflowError)


# --- matrices as plain data -------------------------------------------------------------------------------------------


@given(engines, sizes, sizes, st.data())
def test_a_matrix_comes_back_from_its_rows_and_its_form(ops: Lanes, n: int, m: int, data: Any) -> None:
    x, g = data.draw(matrices(n, 3)), data.draw(matrices(n, m))
    gradient = ops.matmul_tn(ops.prepare(x, 1.0 / 255.0), ops.from_rows(g))
    along_columns = ops.matmul_tn(ops.from_rows([[*row, 1.0] for row in x]), ops.from_rows([row[:1] for row in g]))
    step = ops.add_scaled(gradient, gradient, -0.3)
    for matrix in (gradient, along_columns, step, ops.relu(gradient)[0], ops.scale(gradient, -1.0 / 3.0)):
        again = ops.in_form(ops.to_rows(matrix), ops.form_of(matrix))
        if matrix.floats is None or matrix.rows is not None:
            before, after = ops.rows_of(matrix), ops.rows_of(again)
            assert (after.data, after.scale, after.bound) == (before.data, before.scale, before.bound)
        assert ops.to_rows(sound(ops, again)) == ops.to_rows(matrix)


@given(engines, st.floats(0.5, 1.0), st.integers(0, 2**32))
def test_lanes_of_any_size_come_back_from_their_rows_and_their_form(ops: Lanes, unit: float, seed: int) -> None:
    rng = random.Random(seed)
    for bits in range(ops.capacity):
        lanes = [(1 << bits) - 1 - rng.getrandbits(bits // 2), -rng.getrandbits(bits + 1)]
        block = Block([lanes[0] + (lanes[1] << ops.width)], unit, 2 << bits)
        matrix = LaneMatrix(ops.width, (1, 2), rows=block)
        again = ops.rows_of(ops.in_form(ops.to_rows(matrix), ops.form_of(matrix)))
        assert (again.data, again.scale, again.bound) == (block.data, block.scale, block.bound)


def test_a_matrix_of_floats_has_no_form(ops: Lanes) -> None:
    m = ops.from_rows([[0.1, 0.2]])
    assert ops.form_of(m) == {}
    assert ops.to_rows(ops.in_form([[0.1, 0.2]], {})) == [[0.1, 0.2]]


# --- inputs and widths ------------------------------------------------------------------------------------------------


def test_inputs_of_bytes_stay_bytes_and_leave_their_zeros_out() -> None:
    ops = Lanes()
    rows = [bytes([0, 7, 0, 255]), bytes([1, 2, 3, 4]), bytes(4), bytes([0, 0, 9, 0])]
    prepared = ops.prepare(rows, 1.0 / 255.0)
    assert (len(prepared), prepared.shape, prepared.largest) == (4, (4, 4), 255)
    assert [bytes(entry.ints) for entry in prepared.entries] == [b"\7\xff", b"\1\2\3\4", b"", b"\t"]
    assert [entry.positions for entry in prepared.entries] == [(1, 3), None, (), (2,)]
    assert all(type(entry.ints) is bytes for entry in prepared.entries)
    assert [entry.growth for entry in prepared.entries] == [262, 10, 0, 9]
    assert ops.to_rows(prepared) == [[v * (1.0 / 255.0) for v in row] for row in rows]
    assert prepared.row_sum == 262


@given(sizes, sizes, st.sampled_from([1.0, 1.0 / 255.0, 0.1]), st.data())
def test_inputs_of_floats_are_close_to_what_came(n: int, k: int, factor: float, data: Any) -> None:
    rows = data.draw(matrices(n, k))
    prepared = Lanes().prepare(rows, factor)
    for found, row in zip(prepared.to_rows(), rows):
        largest = max(map(abs, row))
        assert found == pytest.approx([v * factor for v in row], rel=0, abs=largest * factor * 2.0**-15)
    assert max([sum(map(abs, entry.ints)) for entry in prepared.entries]) <= prepared.row_sum
    assert max([abs(v) for entry in prepared.entries for v in entry.ints], default=0) <= prepared.largest


@pytest.mark.parametrize("rows", [[[3, -5, 0]], [[3.0, -5.0, 0.0]], [[True, False, True]], [[0.0, 0.0, 0.0]]])
def test_whole_numbers_are_prepared_exactly(rows: Any) -> None:
    prepared = Lanes().prepare(rows)
    assert prepared.scale == 1.0
    assert prepared.to_rows() == [[float(v) for v in row] for row in rows]


def test_bytes_among_floats_are_prepared_as_floats() -> None:
    assert Lanes().prepare([b"\1\2", [0.5, -1.0]], 2.0).to_rows() == [[2.0, 4.0], [1.0, -2.0]]


@pytest.mark.parametrize("rows", [[[0.5]], [b"\0", b"\7"], [[0.0], [0.0]], [[1e-6], [-1e6]]])
def test_one_column(ops: Lanes, rows: Any) -> None:
    prepared = ops.prepare(rows)
    plain, weight, bias = prepared.to_rows(), [[0.5, -2.0]], [[0.25, 0.0]]
    result = sound(ops, ops.affine(prepared, ops.from_rows(weight), ops.from_rows(bias)))
    assert_close(ops.to_rows(result), linalg.affine(plain, weight, bias), 2.0 * size(prepared) + 0.25)


def test_take_rows_takes_any_rows_in_any_order() -> None:
    ops = Lanes()
    prepared = ops.prepare([[2.0, 0.0], [0.0, 0.0], [6.0, 8.0]], 0.5)
    for engine in (ops.tuned_for(prepared, 3), ops):
        taken = engine.take_rows(prepared, [2, 0, 2])
        assert engine.to_rows(taken) == [[3.0, 4.0], [1.0, 0.0], [3.0, 4.0]]
    assert ops.shape(taken) == (3, 2)
    nothing = ops.take_rows(prepared, [])
    assert ops.shape(nothing) == (0, 2)
    logits = ops.affine(nothing, ops.from_rows([[1.0], [2.0]]), ops.from_rows([[3.0]]))
    assert ops.to_rows(sound(ops, logits)) == []
    assert ops.to_rows(sound(ops, ops.matmul_tn(nothing, logits))) == [[0.0], [0.0]]
    assert ops.to_rows(sound(ops, ops.sum_rows(logits))) == [[0.0]]


def test_empty_matrices(ops: Lanes) -> None:
    shapeless: list[Rows] = [[], [[], []]]
    for rows in shapeless:
        m = ops.from_rows(rows)
        assert ops.to_rows(ops.relu(m)[0]) == rows
        assert ops.to_rows(ops.add_scaled(m, m, 2.0)) == rows
    assert ops.shape(ops.prepare([])) == (0, 0)


PICTURES = [bytes([255] * 100 + [0] * 684)]
NUMBERS = [[math.sin(i * j) for i in range(784)] for j in range(1, 4)]


def test_the_width_follows_from_the_inputs() -> None:
    ops = Lanes()
    assert ops.tuned_for(ops.prepare(PICTURES), 32).width == 40
    assert ops.tuned_for(ops.prepare([[1.0, 0.0], [0.0, 1.0]]), 4).width == 40
    assert ops.tuned_for(ops.prepare(NUMBERS), 32).width > 40
    widths = [ops.tuned_for(ops.prepare(NUMBERS), batch_size).width for batch_size in (1, 32, 1000, 10**5, 10**9)]
    assert widths == sorted(widths)
    assert widths[-1] == 64


def test_a_forced_width_stays(ops: Lanes) -> None:
    forced = Lanes(ops.width)
    chosen = forced.tuned_for(forced.prepare(NUMBERS), 10**6)
    assert chosen.width == forced.width
    assert chosen.tuned_for(chosen.prepare(PICTURES), 1).width == forced.width
    free = Lanes().tuned_for(Lanes().prepare(NUMBERS), 10**9)
    assert free.tuned_for(free.prepare(PICTURES), 1).width == 40  # not forced: the next data may have another one


@pytest.mark.parametrize("data", [PICTURES, NUMBERS, [[1e-6]], [[-1e6, 3.0]], [[0.0]]])
@pytest.mark.parametrize("batch_size", [1, 100, 10**5, 10**9])
def test_weights_and_inputs_fit_lanes_together(data: Any, batch_size: int) -> None:
    prepared = Lanes().prepare(data)
    ops = Lanes().tuned_for(prepared, batch_size)
    assert ops.capacity - prepared.row_sum.bit_length() >= 20  # bits for what a product reads of a weight


@pytest.mark.parametrize("width", [0, 16, 24, 32, 47, 72, "48", 48.5])
def test_a_width_the_engine_cannot_work_with_is_refused(width: Any) -> None:
    with pytest.raises(ValueError, match=r"40, 48, 56, 64.* got"):
        Lanes(width)


# --- every operation takes what ``prepare`` gave, and says which shapes do not fit ------------------------------------


def test_inputs_can_stand_wherever_a_matrix_can(ops: Lanes) -> None:
    rows: Rows = [[1.0, 0.0], [-2.0, 3.0]]
    for x in (ops.prepare(rows), ops.from_rows(rows)):
        y = ops.prepare([[4.0, 1.0], [0.0, -1.0]])
        plain = [[4.0, 1.0], [0.0, -1.0]]
        assert ops.to_rows(ops.matmul(x, y)) == linalg.matmul(rows, plain)
        assert ops.to_rows(ops.matmul_nt(x, y)) == linalg.matmul_nt(rows, plain)
        assert ops.to_rows(ops.matmul_tn(x, y)) == linalg.matmul_tn(rows, plain)
        assert ops.to_rows(ops.add(x, y)) == linalg.add(rows, plain)
        assert ops.to_rows(ops.sub(x, y)) == linalg.sub(rows, plain)
        assert ops.to_rows(ops.hadamard(x, y)) == linalg.hadamard(rows, plain)
        assert ops.to_rows(ops.scale(x, 3.0)) == linalg.scale(rows, 3.0)
        assert ops.to_rows(ops.sum_rows(x)) == linalg.sum_rows(rows)
        assert ops.to_rows(ops.map(abs, x)) == linalg.map(abs, rows)
        positive, mask = ops.relu(x)
        assert ops.to_rows(positive) == [[1.0, 0.0], [0.0, 3.0]]
        assert ops.to_rows(ops.gate(y, mask)) == [[4.0, 0.0], [0.0, -1.0]]


def test_operations_leave_their_operands_as_they_were(ops: Lanes) -> None:
    rows = [[0.1, -0.2], [0.3, 0.4]]
    a, b = ops.from_rows(rows), ops.relu(ops.from_rows(rows))[0]
    before = ops.to_rows(b)
    for operation in (ops.matmul, ops.matmul_nt, ops.matmul_tn, ops.add, ops.sub):
        operation(a, b)
    ops.add_scaled(b, a, -3.0)
    ops.scale(b, -2.0)
    ops.gate(b, ops.relu(a)[1])
    assert ops.to_rows(a) == rows
    assert ops.to_rows(sound(ops, b)) == before


def zeros(ops: Lanes, *shape: int) -> Any:
    return ops.from_rows([[0.0] * shape[1]] * shape[0])


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [
        ("affine", [(2, 3), (4, 5), (1, 5)]),
        ("affine", [(2, 3), (3, 5), (1, 4)]),
        ("affine", [(2, 3), (3, 5), (2, 5)]),
        ("matmul", [(2, 3), (2, 3)]),
        ("matmul_nt", [(2, 3), (2, 4)]),
        ("matmul_tn", [(2, 3), (4, 3)]),
        ("add", [(2, 3), (3, 2)]),
        ("sub", [(2, 3), (2, 4)]),
        ("hadamard", [(2, 3), (1, 3)]),
    ],
)
def test_shapes_that_do_not_fit_are_named(operation: str, shapes: list[tuple[int, int]]) -> None:
    ops = Lanes()
    with pytest.raises(ValueError, match=rf"^{operation}|^add_scaled") as caught:
        getattr(ops, operation)(*[zeros(ops, *shape) for shape in shapes])
    assert all(str(shape) in str(caught.value) for shape in shapes)
    with pytest.raises(ValueError, match=operation):
        getattr(LISTS, operation)(*[[[0.0] * columns] * rows for rows, columns in shapes])


def test_shapes_of_steps_and_masks_are_checked() -> None:
    ops = Lanes()
    with pytest.raises(ValueError, match=r"add_scaled .* \(2, 3\) and \(2, 2\)"):
        ops.add_scaled(zeros(ops, 2, 3), zeros(ops, 2, 2), 1.0)
    with pytest.raises(ValueError, match=r"gate .* \(3, 2\) and 2 rows"):
        ops.gate(zeros(ops, 3, 2), ops.relu(zeros(ops, 2, 2))[1])
    with pytest.raises(ValueError, match="rows of one length"):
        ops.from_rows([[1.0], [2.0, 3.0]])


def test_pixels_that_are_counted_together_are_still_the_same_row() -> None:
    rng = random.Random(1)
    rows = [bytes(rng.choices([0, 0, 255, 254, rng.randrange(256)], k=300)) for _ in range(5)]
    ops = Lanes().tuned_for(Lanes().prepare(rows), 5)
    x = ops.take_rows(ops.prepare(rows), range(5))
    picked = [list(entry.gather(range(300))) for entry in x.entries]
    before = [(entry.positions, bytes(entry.ints)) for entry in x.entries]
    assert picked == [list(positions) for positions, _ in before]
    weight, gradient = matrices_of(rng, 300, 3), ops.from_rows(matrices_of(rng, 5, 3))
    apart = ops.to_rows(ops.matmul(x, ops.from_rows(weight)))
    assert any(entry.split()[3] for entry in x.entries), "no pixel occurs often"
    assert [(entry.positions, bytes(entry.ints)) for entry in x.entries] == before
    assert [entry.gather(range(300)) for entry in x.entries] == [positions for positions, _ in before]
    assert x.to_rows() == [list(map(float, row)) for row in rows]
    plain = [[float(v) for v in row] for row in rows]
    assert_close(apart, linalg.matmul(plain, weight), 300 * 255.0)
    assert_close(ops.to_rows(ops.matmul_tn(x, gradient)), linalg.matmul_tn(plain, ops.to_rows(gradient)), 5 * 255.0)


def matrices_of(rng: random.Random, rows: int, columns: int) -> Rows:
    return [[rng.uniform(-1.0, 1.0) for _ in range(columns)] for _ in range(rows)]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0 - 1e-9])
def test_a_random_mask_shuts_lanes_and_keeps_every_bit_of_the_others(ops: Lanes, rate: float) -> None:
    rows, weight = matrices_of(random.Random(2), 6, 5), matrices_of(random.Random(3), 5, 9)
    for bias in ([[0.0] * 9], [[1e3] * 9]):
        x = ops.affine(ops.from_rows(rows), ops.from_rows(weight), ops.from_rows(bias))
        mask = ops.random_mask((6, 9), rate, random.Random(4))
        drawn = LISTS.random_mask((6, 9), rate, random.Random(4))
        for row, wanted in zip(ops.to_rows(mask), drawn):
            assert row == pytest.approx(wanted, rel=1e-15)
        masked = ops.to_rows(ops.hadamard(x, mask))
        for row, wanted in zip(masked, linalg.hadamard(ops.to_rows(x), drawn)):
            assert row == pytest.approx(wanted, rel=1e-15)


@given(engines, st.integers(0, 1 << 32), st.sampled_from([1e-90, 1e-6, 1.0, 1e6, 1e45]))
def test_a_squared_norm_is_exact_and_rounded_once(ops: Lanes, seed: int, size: float) -> None:
    rng = random.Random(seed)
    m = ops.scale(ops.add(*(ops.from_rows(matrices_of(rng, 7, 4)) for _ in range(2))), size)
    ops.rows_of(m)
    exact = sum(Fraction(v) ** 2 for row in ops.to_rows(m) for v in row)
    assert ops.dot(m, m) == pytest.approx(float(exact), rel=1e-15)
    assert ops.dot(zeros(ops, 3, 2), zeros(ops, 3, 2)) == 0.0
