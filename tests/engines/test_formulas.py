"""Formulas that lanes read: what they give, when they are computed, and what becomes of those that cannot be read."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import linalg
from scratchnn.engines.lanes import reading
from scratchnn.engines.lanes.engine import CHEAPER_PAIRS, Lanes
from scratchnn.engines.lanes.formulas import FUNCTIONS, MOST_KNOWN, MOST_PARTS, Formulas, gathered, leak, read
from scratchnn.engines.lanes.layout import ROUNDING, Layout
from scratchnn.engines.lanes.matrix import FormulaMatrix
from scratchnn.engines.lists import LISTS

OPS = Lanes(40)
ROWS, COLUMNS = 30, 20


def rows_of(rng: Random, rows: int = ROWS, columns: int = COLUMNS) -> list[list[float]]:
    return [[rng.gauss(0.0, 1.0) for _ in range(columns)] for _ in range(rows)]


def learning(width: int = 40) -> Lanes:
    ops = Lanes(width)
    ops.learning = True
    return ops


def as_lanes(ops: Lanes, rows: list[list[float]]) -> Any:
    """A matrix that is lanes, and no floats."""
    m = ops.from_rows(rows)
    ops.rows_of(m)
    m.floats = None
    return m


def random_formula(rng: Random, ops: Any, depth: int) -> Callable[[Any, Any], Any]:
    """A formula of two numbers, made at random of operators, constants and the engine's functions."""
    if not depth:
        constant = rng.choice([rng.uniform(-2.0, 2.0), 2, 0.5])
        return rng.choice([lambda a, b: a, lambda a, b: b, lambda a, b: constant])
    p, q = random_formula(rng, ops, depth - 1), random_formula(rng, ops, depth - 1)
    return rng.choice(
        [
            lambda a, b: p(a, b) + q(a, b),
            lambda a, b: 1.5 - q(a, b),
            lambda a, b: p(a, b) - q(a, b),
            lambda a, b: p(a, b) * q(a, b),
            lambda a, b: p(a, b) / (1.0 + q(a, b) * q(a, b)),
            lambda a, b: 2 / (1.0 + abs(p(a, b))),
            lambda a, b: -p(a, b),
            lambda a, b: (1.0 + ops.abs(p(a, b))) ** 0.5,
            lambda a, b: ops.tanh(p(a, b)) * ops.sigmoid(q(a, b)),
            lambda a, b: ops.softplus(ops.tanh(p(a, b))) + ops.sqrt(abs(q(a, b))),
            lambda a, b: ops.log(abs(p(a, b))) + ops.log1p(abs(q(a, b))) + ops.erf(q(a, b)),
            lambda a, b: ops.exp(-abs(p(a, b))) + ops.maximum(p(a, b), q(a, b)),
            lambda a, b: ops.where((p(a, b) > q(a, b)) & (q(a, b) >= -1.0), p(a, b), 0.25),
            lambda a, b: ops.where((p(a, b) < 0.5) | (q(a, b) <= 0.1), q(a, b), p(a, b) * 2.0),
        ]
    )


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_formula_gives_what_calling_it_for_every_number_gives_to_the_last_bit(seed: int, depth: int) -> None:
    rng = Random(seed)
    a, b = rows_of(rng), rows_of(rng)
    formula, plain = (random_formula(Random(seed + 1), ops, depth) for ops in (OPS, LISTS))
    expected = linalg.map(plain, a, b)
    assert OPS.to_rows(OPS.map(formula, OPS.from_rows(a), OPS.from_rows(b))) == expected
    assert OPS.to_rows(OPS.map(formula, as_lanes(OPS, a), OPS.from_rows(b))) == linalg.map(
        plain, OPS.to_rows(as_lanes(OPS, a)), b
    )


def test_what_is_used_twice_is_written_once() -> None:
    def formula(g: Any, v: Any) -> Any:
        s = OPS.sigmoid(v)
        return g * (s * (1.0 + v * (1.0 - s)))

    formulas = Formulas()
    formulas.function(read(formula, 2), [None, 0.5])  # type: ignore[arg-type]
    (source,) = formulas.known
    assert source.count("sigmoid(") == 1
    assert "for a1 in (ra1 * c" in source


def test_what_looks_at_numbers_or_uses_other_functions_is_called_for_each() -> None:
    rows = rows_of(Random(3))
    many = [lambda v: v if v > 0.0 else -v, lambda v: math.exp(v), lambda v: float(v), lambda v: 1.0, lambda v: "no"]
    for formula in many[:-1]:
        assert read(formula, 1) is None
        assert OPS.to_rows(OPS.map(formula, OPS.from_rows(rows))) == linalg.map(formula, rows)
    assert read(many[-1], 1) is None


def test_a_formula_with_a_sign_that_means_another_thing_to_floats_is_not_read() -> None:
    assert read(lambda v: FUNCTIONS["where"](~(v > 0.0), v, 0.0), 1) is None  # ~True is -2, which counts as true


def test_a_formula_that_grows_without_end_is_called_for_each_number() -> None:
    def long(v: Any) -> Any:
        for _ in range(MOST_PARTS):
            v = v * 0.5 + v
        return v

    rows = rows_of(Random(4))
    assert read(long, 1) is None
    assert OPS.to_rows(OPS.map(long, OPS.from_rows(rows))) == linalg.map(long, rows)


def test_formulas_are_compiled_once_and_not_kept_without_end() -> None:
    formulas = Formulas()
    for slope in (0.1, 0.2, 0.3):
        formulas.function(read(lambda v, slope=slope: v * slope, 1), [None])  # type: ignore[arg-type, misc]
    assert len(formulas.known) == 1
    for count in range(2 * MOST_KNOWN):
        formulas.function(read(lambda v, n=count: sum([v] * (n + 1)), 1), [None])  # type: ignore[arg-type, misc]
    assert len(formulas.known) <= MOST_KNOWN


def test_what_is_nested_as_deep_as_can_be_read_is_computed() -> None:
    def nested(v: Any) -> Any:
        for _ in range(MOST_PARTS - 2):
            v = -v
        return v

    ops, rows = learning(), rows_of(Random(12))
    assert read(nested, 1) is not None
    moved = ops.add_scaled(as_lanes(ops, rows), ops.map(nested, ops.from_rows(rows)), 1.0)
    assert ops.to_rows(moved)[3] == pytest.approx([2.0 * v for v in rows[3]], abs=1e-6)


def test_one_row_is_computed_as_many_are() -> None:
    where, sqrt = FUNCTIONS["where"], FUNCTIONS["sqrt"]
    rows = rows_of(Random(13))
    together = OPS.to_rows(OPS.map(lambda v: where(v > 0.0, sqrt(v), 0.0), OPS.from_rows(rows)))
    for row, among in zip(rows, together):
        assert OPS.to_rows(OPS.map(lambda v: where(v > 0.0, sqrt(v), 0.0), OPS.from_rows([row]))) == [among]


def test_formulas_of_the_same_code_are_read_by_themselves() -> None:
    def above(threshold: float) -> Callable[[Any], Any]:
        return lambda v: FUNCTIONS["where"](v > threshold, v, 0.25 * v)

    ops, rng = Lanes(48), Random(14)
    x, weight, bias = rows_of(rng, 9, 7), ops.from_rows(rows_of(rng, 7, 9)), ops.from_rows([[0.1] * 9])
    for rows in (x[:1], x):
        for threshold in (1.0, 0.0):
            result = ops.map(above(threshold), ops.affine(ops.prepare(rows), weight, bias))
            assert (result.samples is not None) == (threshold == 0.0)


def test_an_engine_that_has_compiled_formulas_can_be_copied() -> None:
    ops = Lanes(48)
    rows = rows_of(Random(5))
    expected = ops.to_rows(ops.map(lambda v: v * v, ops.from_rows(rows)))
    for other in (copy.deepcopy(ops), pickle.loads(pickle.dumps(ops))):
        assert other.to_rows(other.map(lambda v: v * v, other.from_rows(rows))) == expected


# --- a form in lanes: leaking -----------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.01, 0.25, 1.0, -0.5, 1e5]))
def test_leaking_in_lanes_is_that_of_floats(seed: int, slope: float) -> None:
    ops, rng, where = Lanes(48), Random(seed), FUNCTIONS["where"]
    x, weight = rows_of(rng, 5, 7), rows_of(rng, 7, 9)
    z = ops.affine(ops.prepare(x), ops.from_rows(weight), ops.from_rows([[0.1] * 9]))
    assert z.samples is not None
    result = ops.map(lambda v: where(v > 0.0, v, slope * v), z)
    assert (result.samples is not None) == (slope <= 1.0)
    for row, given_row in zip(ops.to_rows(result), ops.to_rows(z)):
        largest = max(map(abs, given_row)) * max(slope, 1.0)
        for v, before in zip(row, given_row):
            assert v == pytest.approx(
                before if before > 0.0 else slope * before, abs=2.0**-20 * largest * max(slope, 1.0)
            )


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (lambda v: FUNCTIONS["where"](v > 0.0, v, 0.1 * v), (0, 0, 0.1)),
        (lambda v: FUNCTIONS["where"](v > 0.0, v, v * 0.1), (0, 0, 0.1)),
        (lambda g, v: FUNCTIONS["where"](v > 0.0, g, 0.1 * g), (1, 0, 0.1)),
        (lambda v: FUNCTIONS["where"](v > 0.0, v, 1e5 * v), (0, 0, 1e5)),
        (lambda v: FUNCTIONS["where"](v > 1.0, v, 0.1 * v), None),
        (lambda v: FUNCTIONS["where"](v < 0.0, v, 0.1 * v), None),
        (lambda v: FUNCTIONS["where"](v >= 0.0, v, 0.1 * v), None),
        (lambda v: FUNCTIONS["where"](v > 0.0, v, v * v), None),
        (lambda v: FUNCTIONS["where"](v > 0.0, v, 0.1 + v), None),
        (lambda v: FUNCTIONS["where"](v > 0.0, 2.0 * v, 0.1 * v), None),
        (lambda v: FUNCTIONS["where"](2.0 * v > 0.0, v, 0.1 * v), None),
        (lambda v: FUNCTIONS["where"](v > 0.0, v, 0.1), None),
        (lambda v: FUNCTIONS["where"](v > 0.0, 1.0, 0.1 * v), None),
        (lambda g, v: FUNCTIONS["where"](v > 0.0, g, 0.1 * v), None),
        (lambda g, v: FUNCTIONS["where"](v > g, g, 0.1 * g), None),
    ],
)
def test_only_what_leaks_is_taken_for_it(formula: Callable[..., Any], expected: Any) -> None:
    expression = read(formula, formula.__code__.co_argcount)
    assert expression is not None
    assert leak(expression) == expected


# --- steps that are formulas -----------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.sampled_from([40, 48, 56, 64]), st.sampled_from([1e-6, 1e-3, 1.0]))
def test_a_step_that_is_a_formula_lands_where_its_numbers_say(seed: int, width: int, factor: float) -> None:
    ops, rng = learning(width), Random(seed)
    weight, mean, square = rows_of(rng), rows_of(rng), [[v * v for v in row] for row in rows_of(rng)]
    value, direction = (
        as_lanes(ops, weight),
        ops.map(lambda m, s: m / (ops.sqrt(s) + 1e-3), as_lanes(ops, mean), ops.from_rows(square)),
    )
    assert isinstance(direction, FormulaMatrix) and direction.unread
    unit = value.rows.scale
    moved = ops.add_scaled(value, direction, -factor)
    assert width > 48 or factor == 1.0 or direction.unread  # its floats were never made
    along = linalg.map(lambda m, s: m / (math.sqrt(s) + 1e-3), ops.to_rows(as_lanes(ops, mean)), square)
    expected = linalg.add_scaled(ops.to_rows(value), along, -factor)
    step = factor * max(abs(v) for row in along for v in row)
    error = unit if direction.unread else unit + step * 2.0**-16  # a factor has 15 bits where units differ
    for row, expected_row in zip(ops.to_rows(moved), expected):
        assert row == pytest.approx(expected_row, rel=0.0, abs=error)
    assert ops.to_rows(direction) == along


@given(st.integers(0, 2**32), st.sampled_from([40, 48]))
def test_no_lane_ever_leaves_its_bound_however_many_steps_are_taken(seed: int, width: int) -> None:
    ops, rng = learning(width), Random(seed)
    m = as_lanes(ops, rows_of(rng, 6, 5))
    exact = ops.to_rows(m)
    for _ in range(40):
        along = [[rng.choice([-12.0, 12.0, 12.0, rng.gauss(0.0, 1e-3)]) for _ in range(5)] for _ in range(6)]
        m = ops.add_scaled(m, ops.map(lambda v: 1.0 * v, ops.from_rows(along)), 1.0)
        exact = linalg.add(exact, along)
        block = ops.rows_of(m)
        lanes = ops.layout(5).unpack(block.data)
        assert max(map(abs, lanes)) <= block.bound <= 1 << ops.capacity
        m = as_lanes(ops, ops.to_rows(m)) if rng.random() < 0.1 else m
    largest = max(abs(v) for row in exact for v in row)
    for row, expected in zip(ops.to_rows(m), exact):
        assert row == pytest.approx(expected, abs=40 * largest * 2.0**-16)


@pytest.mark.parametrize("width", [40, 48, 64])
def test_looking_at_a_step_changes_nothing(width: int) -> None:
    ops, rng = learning(width), Random(15)
    weight, gradient = rows_of(rng), rows_of(rng)
    moved = []
    for look in (False, True):
        step = ops.map(lambda g: g * 1.25 - 0.1, as_lanes(ops, gradient))
        if look:
            ops.to_rows(step)
        moved.append(ops.to_rows(ops.add_scaled(as_lanes(ops, weight), step, -0.01)))
    assert moved[0] == moved[1]


@pytest.mark.parametrize("start", [0.0, 0.25])
def test_rows_of_zeros_are_computed_as_one(start: float) -> None:
    ops, rng = learning(), Random(6)
    zeros = [0.0] * COLUMNS
    weight, a, b = ([zeros if i % 3 == 0 else row for i, row in enumerate(rows_of(rng))] for _ in range(3))
    b[3] = rows_of(rng)[3]  # alone in being 0 is not enough

    def formula(p: Any, q: Any) -> Any:
        return 2.0 * p * q + q + start

    expected = linalg.map(formula, ops.to_rows(as_lanes(ops, a)), b)
    lanes, floats = as_lanes(ops, a), ops.from_rows(b)
    assert ops.to_rows(ops.map(formula, lanes, floats)) == expected
    value = as_lanes(ops, weight)
    moved = ops.add_scaled(value, ops.map(formula, lanes, floats), -0.01)
    for row, expected_row in zip(ops.to_rows(moved), linalg.add_scaled(weight, expected, -0.01)):
        assert row == pytest.approx(expected_row, rel=0.0, abs=2.0 * value.rows.scale)


def test_a_step_too_large_for_the_units_of_a_weight_is_taken_in_larger_ones() -> None:
    ops, rng = learning(), Random(7)
    weight, along = rows_of(rng), [[1e9 * v for v in row] for row in rows_of(rng)]
    moved = ops.add_scaled(as_lanes(ops, weight), ops.map(lambda v: 2.0 * v, ops.from_rows(along)), 1.0)
    largest = max(abs(v) for row in along for v in row)
    for row, w, a in zip(ops.to_rows(moved), weight, along):
        assert row == pytest.approx([p + 2.0 * q for p, q in zip(w, a)], abs=largest * 2.0**-16)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_step_that_has_run_away_says_so(odd: float) -> None:
    ops, along = learning(), rows_of(Random(8))
    along[3][4] = odd
    with pytest.raises(OverflowError):
        ops.add_scaled(as_lanes(ops, rows_of(Random(9))), ops.map(lambda v: 2.0 * v, ops.from_rows(along)), -0.1)


SQRT, WHERE = FUNCTIONS["sqrt"], FUNCTIONS["where"]
STEPS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a / (1.25 * SQRT(b) + 1e-8),
    lambda a, b: 0.9 * a + 0.1 * (b * b),
    lambda a, b: (a + 2.0) * 3.0 - b / 5,
    lambda a, b: -(1.0 / (0.5 + b * 4.0)) * (7.0 - a),
    lambda a, b: 2 * (3.0 / b) - (a - 1) * (a - 1) * 0.5,
    lambda a, b: WHERE((a > 0.5) & (2.0 * b <= 3.0), 4.0 * a, abs(-b) ** 2 + 1e-3),
    lambda a, b: SQRT(0.25 * b) * (a * 0.5),
]


@pytest.mark.parametrize("number", range(len(STEPS)))
@pytest.mark.parametrize("units", [(None, None), (0.37, None), (1e-9, 3e-7)])
def test_constants_that_are_put_together_change_a_last_bit_at_most(number: int, units: Any) -> None:
    rng, step = Random(number), STEPS[number]
    expression = gathered(read(step, 2), units, -1.7e5)  # type: ignore[arg-type]
    rows = [[rng.uniform(0.1, 2.0) / (unit or 1.0) for _ in range(50)] for unit in units]
    values = Formulas().function(expression, [None, None])(rows)
    expected = [-1.7e5 * step(a * (units[0] or 1.0), b * (units[1] or 1.0)) for a, b in zip(*rows)]
    assert values == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_a_step_of_adam_has_one_multiplication() -> None:
    expression = gathered(read(STEPS[0], 2), [0.37, None], 0.01)  # type: ignore[arg-type]
    formulas = Formulas()
    formulas.function(expression, [None, None])
    assert "[(c0 * (a0 / (sqrt(a1) + c1))) for" in next(iter(formulas.known))


@pytest.mark.parametrize("constant", [1e-280, 1e280, 5e-324, math.inf, math.nan])
def test_constants_out_of_range_stay_where_they_are(constant: float) -> None:
    assert gathered(read(lambda v: v / (1e9 * v + constant), 1), [None], 1e-3) is None  # type: ignore[arg-type]
    assert gathered(read(lambda v: constant * v, 1), [1e-9], 1e-200) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("start", [0.0, 0.25])
@pytest.mark.parametrize("seed", range(8))
def test_what_a_step_reads_is_the_same_whether_or_not_it_was_computed_before(
    seed: int, start: float, monkeypatch: Any
) -> None:
    monkeypatch.setattr(reading, "NUMBERS_AT_ONCE", 3 * COLUMNS)
    ops, rng, found = learning(), Random(seed), []
    weight = rows_of(rng)
    means, squares, gradient = ([row if rng.random() < 0.5 else [0.0] * COLUMNS for row in rows_of(rng)] for _ in "msg")
    squares = [[v * v for v in row] for row in squares]
    for look in (False, True):
        m, g = as_lanes(ops, means), as_lanes(ops, gradient)
        new = ops.map(lambda s, g: 0.999 * s + 0.001 * (g * g) + start, ops.from_rows(squares), g)
        if look:
            ops.to_rows(new)
        step = ops.map(lambda m, s: m / (1.5 * SQRT(s) + 0.1), m, new)
        moved = ops.add_scaled(as_lanes(ops, weight), step, -0.001)
        assert step.unread and not new.unread
        assert look or new.doubles is not None
        again = ops.to_rows(ops.map(lambda s, g: 0.999 * s + 0.001 * (g * g), new, as_lanes(ops, gradient)))
        copied = ops.to_rows(copy.deepcopy(new))
        found.append((ops.to_rows(moved), ops.to_rows(new), again))
        assert copied == ops.to_rows(new) and new.doubles is None
    assert found[0] == found[1]
    plain = linalg.map(lambda s, g: 0.999 * s + 0.001 * (g * g) + start, squares, ops.to_rows(as_lanes(ops, gradient)))
    assert found[0][1] == plain
    assert found[0][2] == linalg.map(
        lambda s, g: 0.999 * s + 0.001 * (g * g), plain, ops.to_rows(as_lanes(ops, gradient))
    )


def test_a_weight_that_shrinks_before_its_step_stays_in_lanes() -> None:
    ops, rng = learning(), Random(9)
    weight, along = ops.from_rows(rows_of(rng)), rows_of(rng)
    ops.rows_of(weight)  # as for a product
    step = ops.map(lambda v: 2.0 * v, ops.from_rows(along))
    moved = ops.add_scaled(ops.scale(weight, 0.99), step, -0.001)
    assert moved.rows is not None and moved.floats is None and step.unread
    for row, w, a in zip(ops.to_rows(moved), ops.to_rows(weight), along):
        assert row == pytest.approx([0.99 * p - 0.002 * q for p, q in zip(w, a)], rel=0.0, abs=2.0 * moved.rows.scale)


def test_a_matrix_that_two_formulas_of_a_step_read_is_unpacked_once(monkeypatch: Any) -> None:
    ops, rng, unpacked = learning(), Random(4), []
    value, g, squares = (as_lanes(ops, rows_of(rng)) for _ in "vgs")
    layout = ops.layout(COLUMNS)
    monkeypatch.setattr(layout, "unpack", lambda *of: unpacked.append(of) or type(layout).unpack(layout, *of))
    new = ops.map(lambda s, g: abs(s) + g * g, squares, g)
    step = ops.map(lambda g, s: g / (SQRT(s) + 0.1), g, new)
    moved = ops.add_scaled(value, step, -0.001)
    assert step.unread and len(unpacked) == 2
    ops.to_rows(new)  # now another one is computed alone
    again = ops.add_scaled(value, ops.map(lambda g, s: g / (SQRT(s) + 0.1), g, new), -0.001)
    assert ops.to_rows(again) == ops.to_rows(moved)


@pytest.mark.parametrize(
    ("formula", "plain"),
    [
        (lambda a, b: b * b + 0.25, lambda a, b: b * b + 0.25),  # of constants alone, where b is 0
        (lambda a, b: a + WHERE(b > 0.0, SQRT(b), 3.0), lambda a, b: a + (math.sqrt(b) if b > 0.0 else 3.0)),
        (lambda a, b: WHERE(b > 0.0, 1.0 / (b * b), a), lambda a, b: 1.0 / (b * b) if b > 0.0 else a),
        (lambda a, b: a * b, lambda a, b: a * b),
    ],
)
def test_inputs_that_are_0_in_some_rows_are_constants_there(formula: Any, plain: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "NUMBERS_AT_ONCE", 2 * COLUMNS)
    ops, rng = learning(), Random(5)
    a = rows_of(rng)
    b = [[abs(v) for v in row] if i % 3 else [0.0] * COLUMNS for i, row in enumerate(rows_of(rng))]
    result = ops.to_rows(ops.map(formula, as_lanes(ops, a), ops.from_rows(b)))
    assert result == linalg.map(plain, ops.to_rows(as_lanes(ops, a)), b)


# --- packing what was rounded ----------------------------------------------------------------------------------------


@given(st.sampled_from([40, 48]), st.data())
def test_rounded_numbers_are_packed_if_they_fit_a_lane(width: int, data: st.DataObject) -> None:
    layout, half = Layout(width, 3), 1 << width - 1
    numbers = st.integers(-half, half - 1) | st.integers(-(1 << 50), 1 << 50) | st.sampled_from([-half, half - 1, half])
    values = data.draw(st.lists(numbers, min_size=6, max_size=6))
    packed = layout.pack_small([v + ROUNDING for v in values])
    if all(-half <= v < half for v in values):
        assert packed == layout.pack([values[:3], values[3:]])
    else:
        assert packed is None


def test_what_is_no_number_is_not_packed() -> None:
    for odd in (math.nan, math.inf, -math.inf, 1e300, 2.0**52, -(2.0**52)):
        assert Layout(40, 2).pack_small([ROUNDING, odd + ROUNDING]) is None


# --- the norm of a gradient that nobody has looked at --------------------------------------------------------------


def product_of(ops: Lanes, x: Any, gradient: list[list[float]]) -> Any:
    prepared = ops.prepare(x)
    batch = ops.take_rows(prepared, range(len(x)))
    return ops.matmul_tn(batch, ops.from_rows(gradient))


@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 8))
def test_the_norm_of_a_gradient_is_found_without_it(seed: int, pixels: bool, count: int) -> None:
    ops, rng = learning(48), Random(seed)
    width, outputs = 90, CHEAPER_PAIRS
    x: Any = rows_of(rng, count, width)
    if pixels:
        x = [bytes(rng.choice([0, 0, 255, 254, rng.randrange(256)]) for _ in range(width)) for _ in range(count)]
    m = product_of(ops, x, rows_of(rng, count, outputs))
    square = ops.dot(m, m)
    assert m.rows is None  # it was not computed for that
    exact = math.fsum(v * v for row in ops.to_rows(m) for v in row)
    assert square == pytest.approx(exact, rel=2.0**-12)
    assert ops.dot(m, m) == square  # whether or not somebody has looked at it


def test_terms_that_cancel_are_added_up_in_full() -> None:
    ops, row = learning(48), [1.0 + k / 64.0 for k in range(90)]
    gradient = [[1.0] * 16, [-1.0 + 1e-4] * 16]
    m = product_of(ops, [row, row], gradient)
    square = ops.dot(m, m)
    exact = math.fsum((1e-4 * v) ** 2 for v in row for _ in range(16))
    assert square == pytest.approx(exact, rel=1e-3)
    assert m.rows is not None


def test_a_product_of_rows_too_large_for_lanes_is_none() -> None:
    ops, width = learning(48), 9000
    row = [float((1 << 18) - 1)] * width
    x = ops.take_rows(ops.prepare([row, row]), range(2))
    products = x.products_of_rows()
    assert products is None or products[0][0] == pytest.approx(width * row[0] ** 2, rel=1e-9)
    pixels = ops.take_rows(ops.prepare([b"\xff" * width] * 2), range(2))
    assert pixels.products_of_rows() == [[255.0**2 * width] * 2] * 2


@pytest.mark.parametrize(("inputs", "gradients"), [(1e-20, 1e60), (1e-30, 1e70), (1e-120, 1e-60)])
def test_a_norm_whose_squares_leave_the_range_on_the_way_is_found_all_the_same(inputs: float, gradients: float) -> None:
    ops, rng = learning(48), Random(16)
    x = [[inputs * v for v in row] for row in rows_of(rng, 2, 90)]
    gradient = [[gradients * v for v in row] for row in rows_of(rng, 2, 16)]
    m = product_of(ops, x, gradient)
    exact = math.fsum(v * v for row in linalg.matmul_tn(x, gradient) for v in row)
    assert ops.dot(m, m) == pytest.approx(exact, rel=1e-3, abs=1e-250)


def test_a_scaled_gradient_is_computed_as_late_as_itself() -> None:
    ops, rng = learning(48), Random(11)
    x = [bytes(rng.randrange(256) for _ in range(90)) for _ in range(4)]
    m = product_of(ops, x, rows_of(rng, 4, 16))
    scaled = ops.scale(m, -0.37)
    assert m.rows is None and scaled.rows is None
    largest = max(abs(v) for row in ops.to_rows(m) for v in row)
    for row, whole in zip(ops.to_rows(scaled), ops.to_rows(m)):
        assert row == pytest.approx([-0.37 * v for v in whole], abs=largest * 2.0**-16)
