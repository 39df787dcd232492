"""What every engine has to do: each operation of ``Engine`` beside an oracle in plain Python, on matrices of any shape.

An engine of one's own is held to it by a line in ``KINDS``: how it is made, and how precise it says that it is.
"""

from __future__ import annotations

import copy
import math
import pickle
import sys
from array import array
from collections.abc import Callable
from importlib import import_module
from random import Random
from typing import Any

import pytest

from scratchnn import linalg
from scratchnn.engines.arrays import ArrayEngine
from scratchnn.engines.lanes.engine import Lanes
from scratchnn.engines.lists import LISTS
from scratchnn.engines.short_rows import SHORT_ROWS
from scratchnn.engines.sliding_window import Window
from scratchnn.errors import ArgumentError

Rows = list[list[float]]


class Kind:
    """An engine and its precision: of what goes ``through`` formulas, and of products and sums, as a share of the
    largest number that can come out."""

    def __init__(self, make: Callable[[], Any], needs: tuple[str, ...], through: float, sums: float) -> None:
        self.make = make
        self.needs = needs
        self.through = through
        self.sums = sums


def require_copies() -> None:
    """Skip where arrays of array_api_strict cannot be copied: those of older versions."""
    strict = pytest.importorskip("array_api_strict")
    try:
        copy.copy(strict.asarray(1.0))
    except TypeError:
        pytest.skip(f"array_api_strict {strict.__version__} has arrays that cannot be copied")


def _strict() -> ArrayEngine:
    return ArrayEngine(import_module("array_api_strict"))


KINDS: dict[str, Kind] = {
    "lists": Kind(lambda: LISTS, (), 1e-14, 1e-13),
    "short rows": Kind(lambda: SHORT_ROWS, (), 1e-14, 1e-13),
    "lanes": Kind(Lanes, (), 1e-14, 4.0 * 2.0**-14),
    "numpy": Kind(lambda: ArrayEngine("numpy"), ("numpy",), 1e-14, 1e-13),
    "numpy float32": Kind(lambda: ArrayEngine("numpy", dtype="float32"), ("numpy",), 1e-6, 1e-5),
    "torch": Kind(lambda: ArrayEngine("torch"), ("torch", "array_api_compat"), 1e-14, 1e-13),
    "torch float32": Kind(lambda: ArrayEngine("torch", dtype="float32"), ("torch", "array_api_compat"), 1e-6, 1e-5),
    "array_api_strict": Kind(_strict, ("array_api_strict",), 1e-14, 1e-13),
}
SEEDS = range(8)


class Held:
    """An engine under test: hands matrices in, compares what comes out, and sees that what was handed in stays."""

    def __init__(self, kind: Kind) -> None:
        self.ops = kind.make()
        self.kind = kind
        self.given: list[tuple[Any, Rows]] = []

    def matrix(self, rows: Rows) -> Any:
        made = self.ops.from_rows(rows)
        self.given.append((made, copy.deepcopy(self.ops.to_rows(made))))
        return made

    def unchanged(self) -> None:
        for made, rows in self.given:
            assert self.ops.to_rows(made) == rows or any(v != v for row in rows for v in row)

    def rows(self, m: Any) -> Rows:
        rows = self.ops.to_rows(m)
        assert all(type(v) in (float, int, bool) for row in rows for v in row)
        return rows

    def agrees(self, found: Any, wanted: Rows, size: float | None = None) -> None:
        """Sums and products of numbers whose sizes add up to ``size`` at most (that of what is wanted by default)."""
        self._close(self.rows(found), wanted, self.kind.sums, size)
        assert self.ops.shape(found) == (len(wanted), len(wanted[0]))

    def equals(self, found: Any, wanted: Rows, size: float | None = None) -> None:
        """What goes through a formula, number by number."""
        self._close(self.rows(found), wanted, self.kind.through, size)
        assert self.ops.shape(found) == (len(wanted), len(wanted[0]))

    @staticmethod
    def _close(found: Rows, wanted: Rows, within: float, size: float | None) -> None:
        assert [len(row) for row in found] == [len(row) for row in wanted]
        if size is None:
            size = max((abs(v) for row in wanted for v in row), default=0.0)
        for p, q in zip(found, wanted):
            for a, b in zip(p, q):
                assert abs(a - b) <= within * size + 1e-300, f"{a!r}, expected {b!r}"


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def held(request: pytest.FixtureRequest) -> Any:
    kind: Kind = request.param
    for package in kind.needs:
        pytest.importorskip(package)
    if "numpy" in kind.needs and not hasattr(import_module("numpy"), "__array_namespace_info__"):
        pytest.importorskip("array_api_compat")
    engine = Held(kind)
    yield engine
    engine.unchanged()


def drawn(rng: Random, rows: int, columns: int, size: float = 2.0) -> Rows:
    """Numbers that float32 holds exactly, some of them 0."""
    return [
        [0.0 if rng.random() < 0.15 else round(rng.uniform(-size, size) * 4096) / 4096 for _ in range(columns)]
        for _ in range(rows)
    ]


def sizes(rng: Random, count: int, most: int = 7) -> list[int]:
    return [rng.randint(1, most) for _ in range(count)]


def product(a: Rows, b: Rows) -> Rows:
    return [[math.fsum(x * b[k][j] for k, x in enumerate(row)) for j in range(len(b[0]))] for row in a]


def turned(m: Rows) -> Rows:
    return [list(column) for column in zip(*m)]


def reach(a: Rows, b: Rows) -> float:
    """The largest that an entry of the product of two matrices of such numbers can be."""
    return len(b) * max(abs(v) for row in a for v in row) * max(abs(v) for row in b for v in row)


# --- data: in and out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_matrix_is_its_rows_and_its_shape(held: Held, seed: int) -> None:
    rng = Random(seed)
    rows = drawn(rng, *sizes(rng, 2))
    m = held.matrix(rows)
    assert held.rows(m) == rows
    assert held.ops.shape(m) == (len(rows), len(rows[0]))
    again = held.ops.in_form(held.rows(m), held.ops.form_of(m))
    assert held.rows(again) == rows


@pytest.mark.parametrize("seed", SEEDS)
def test_a_matrix_from_doubles_is_the_one_from_rows(held: Held, seed: int) -> None:
    rng = Random(seed)
    rows = drawn(rng, *sizes(rng, 2))
    strict = "strict" in repr(held.ops)  # reads single numbers slowly, in the code that NumPy's engine has
    if strict:
        require_copies()
    if seed < 2 and not strict:  # so long that an engine may take it in parts, of numbers that are no floats of 32 bits
        rows = drawn(rng, 700 + seed, 7)
    kept = array("d", [v for row in rows for v in row])
    if sys.byteorder == "big":
        kept.byteswap()
    doubles, shape, x = kept.tobytes(), (len(rows), len(rows[0])), held.matrix(drawn(rng, 3, len(rows)))
    bias = held.matrix(drawn(rng, 1, len(rows[0])))
    ops, plain = held.ops, held.matrix(rows)
    made = ops.from_doubles(doubles, shape)
    assert ops.shape(made) == shape
    # Lanes first, floats first: either way, and of a copy, it is the same to the last bit.
    for m in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made)), ops.from_doubles(doubles, shape)):
        assert held.rows(ops.affine(x, m, bias)) == held.rows(ops.affine(x, plain, bias))
        assert held.rows(m) == rows
        prepared = ops.take_rows(ops.prepare(held.rows(x)), range(3))
        assert held.rows(ops.affine(prepared, m, bias)) == held.rows(ops.affine(prepared, plain, bias))
        assert held.rows(ops.add_scaled(m, plain, -0.5)) == held.rows(ops.add_scaled(plain, plain, -0.5))
        assert held.rows(ops.matmul_nt(ops.matmul(x, m), m)) == held.rows(ops.matmul_nt(ops.matmul(x, plain), plain))


def test_a_matrix_is_a_copy_of_its_rows(held: Held) -> None:
    rows = [[1.0, 2.0], [3.0, 4.0]]
    m = held.ops.from_rows(rows)
    rows[0][0] = 9.0
    assert held.rows(m) == [[1.0, 2.0], [3.0, 4.0]]


def test_rows_may_be_any_iterables_of_any_numbers(held: Held) -> None:
    m = held.ops.from_rows(iter([(1, True), range(2, 4), array("d", [0.5, 0.25])]))
    assert held.rows(m) == [[1.0, 1.0], [2.0, 3.0], [0.5, 0.25]]
    huge = held.ops.from_rows([[2**80, -(3**5)]])
    assert held.rows(held.ops.scale(huge, 0.5)) == [[2.0**79, -121.5]]


def test_rows_of_different_lengths_are_refused(held: Held) -> None:
    with pytest.raises(ValueError, match="rows of one length"):
        held.ops.from_rows([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize("seed", SEEDS)
def test_prepared_rows_are_taken_as_batches(held: Held, seed: int) -> None:
    rng = Random(seed)
    count, columns = sizes(rng, 2)
    kinds: dict[str, list[Any]] = {
        "lists": drawn(rng, count, columns),
        "tuples": [tuple(row) for row in drawn(rng, count, columns)],
        "bytes": [bytes(rng.randrange(256) for _ in range(columns)) for _ in range(count)],
        "arrays": [array("d", row) for row in drawn(rng, count, columns)],
        "whole numbers": [[rng.randint(-9, 9) for _ in range(columns)] for _ in range(count)],
    }
    kinds["of all kinds"] = [rng.choice(list(kinds.values()))[i] for i in range(count)]
    for factor in (1.0, 1.0 / 255.0, -3.0):
        for rows in kinds.values():
            before, prepared = copy.deepcopy(rows), held.ops.prepare(rows, factor)
            some = [rng.randrange(count) for _ in range(rng.randint(1, 9))]
            first = rng.randrange(count)
            for indices in (some, range(first, count), range(first, count, 2), range(count - 1, -1, -1)):
                batch = held.ops.take_rows(prepared, indices)
                assert held.ops.shape(batch) == (len(indices), columns)
                wanted = [[factor * v for v in rows[i]] for i in indices]
                largest = max(abs(factor * v) for row in rows for v in row)
                held._close(held.rows(batch), wanted, max(held.kind.through, held.kind.sums), largest)
            assert rows == before


def test_a_batch_that_names_rows_that_are_not_there_is_refused(held: Held) -> None:
    prepared = held.ops.prepare([[1.0, 2.0], [3.0, 4.0]])
    for indices in ([0, 2], range(1, 3), range(5, 6)):
        with pytest.raises(IndexError):
            held.ops.take_rows(prepared, indices)


@pytest.mark.parametrize("seed", SEEDS)
def test_targets_are_taken_as_they_are(held: Held, seed: int) -> None:
    rng = Random(seed)
    rows = drawn(rng, *sizes(rng, 2), size=1000.0)
    prepared = held.ops.prepare_targets(copy.deepcopy(rows))
    for indices in ([rng.randrange(len(rows)) for _ in range(4)], range(len(rows))):
        assert held.rows(held.ops.take_targets(prepared, indices)) == [rows[i] for i in indices]


def test_an_engine_may_be_tuned_for_its_inputs_and_computes_the_same(held: Held) -> None:
    rows = drawn(Random(1), 6, 3)
    prepared = held.ops.prepare(rows)
    tuned = held.ops.tuned_for(prepared, 4)
    held._close(tuned.to_rows(tuned.take_rows(prepared, range(6))), rows, held.kind.sums, 2.0)


def test_an_engine_can_be_copied_and_pickled(held: Held) -> None:
    for again in (copy.copy(held.ops), copy.deepcopy(held.ops), pickle.loads(pickle.dumps(held.ops))):
        assert again.name == held.ops.name
        assert repr(again) == repr(held.ops) or isinstance(again, Lanes)
        assert again.to_rows(again.add(again.from_rows([[1.0]]), again.from_rows([[2.0]]))) == [[3.0]]


def test_a_matrix_can_be_copied_and_pickled(held: Held) -> None:
    m = held.matrix([[1.0, -2.5], [0.0, 3.0]])
    if held.ops.name == "array_api_strict":
        require_copies()
    for again in (copy.copy(m), copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        held.equals(held.ops.add(again, m), [[2.0, -5.0], [0.0, 6.0]])


# --- products ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_products(held: Held, seed: int) -> None:
    rng, ops = Random(seed), held.ops
    m, k, n = sizes(rng, 3, 12)
    a, b, bias = drawn(rng, m, k), drawn(rng, k, n), drawn(rng, 1, n)
    wanted, largest = product(a, b), reach(a, b) + 2.0
    held.agrees(ops.matmul(held.matrix(a), held.matrix(b)), wanted, largest)
    held.agrees(ops.matmul_tn(held.matrix(turned(a)), held.matrix(b)), wanted, largest)
    held.agrees(ops.matmul_nt(held.matrix(a), held.matrix(turned(b))), wanted, largest)
    shifted = [[v + c for v, c in zip(row, bias[0])] for row in wanted]
    held.agrees(ops.affine(held.matrix(a), held.matrix(b), held.matrix(bias)), shifted, largest)
    batch = ops.take_rows(ops.prepare(a), range(m))
    held.agrees(ops.affine(batch, held.matrix(b), held.matrix(bias)), shifted, largest)
    held.agrees(ops.matmul_tn(ops.take_rows(ops.prepare(turned(a)), range(k)), held.matrix(b)), wanted, largest)


# --- number by number -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_differences_and_products_at_each_place(held: Held, seed: int) -> None:
    rng, ops = Random(seed), held.ops
    m, n = sizes(rng, 2)
    a, b, factor = drawn(rng, m, n), drawn(rng, m, n), rng.choice([0.0, -1.0, 0.1, 3.5])
    first, second = held.matrix(a), held.matrix(b)
    places = [list(zip(p, q)) for p, q in zip(a, b)]
    held.equals(ops.hadamard(first, second), [[x * y for x, y in row] for row in places], 4.0)
    held.agrees(ops.add(first, second), [[x + y for x, y in row] for row in places], 4.0)
    held.agrees(ops.sub(first, second), [[x - y for x, y in row] for row in places], 4.0)
    held.agrees(ops.add_scaled(first, second, factor), [[x + factor * y for x, y in row] for row in places], 9.0)
    held.agrees(ops.scale(first, factor), [[factor * x for x in row] for row in a], 7.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_relu_and_gate(held: Held, seed: int) -> None:
    rng, ops = Random(seed), held.ops
    m, n = sizes(rng, 2)
    x, gradient = drawn(rng, m, n), drawn(rng, m, n)
    positive, mask = ops.relu(held.matrix(x))
    held.agrees(positive, [[max(v, 0.0) for v in row] for row in x], 2.0)
    through = ops.gate(held.matrix(gradient), mask)
    held.agrees(through, [[g if v > 0.0 else 0.0 for g, v in zip(p, q)] for p, q in zip(gradient, x)], 2.0)


def test_gate_lets_nothing_of_what_it_shuts_out_through(held: Held) -> None:
    _, mask = held.ops.relu(held.ops.from_rows([[1.0, -1.0, 0.0, 2.0]]))
    found = held.rows(held.ops.gate(held.ops.from_rows([[3.0, 1e30, -1e30, 4.0]]), mask))
    assert found[0][1:3] == [0.0, 0.0]


SHAPES = {
    "alike": ((3, 4), (3, 4), (3, 4)),
    "a row": ((3, 4), (1, 4), (3, 4)),
    "a column": ((3, 1), (3, 4), (3, 4)),
    "a row, a column": ((1, 4), (3, 1), (3, 4)),
    "row and column alone": ((1, 4), (3, 1), (1, 1)),
    "numbers": ((1, 1), (3, 4), (1, 1)),
    "all one": ((1, 1), (1, 1), (1, 1)),
}


def spread(rows: Rows, m: int, n: int) -> Rows:
    wide = [row * (n if len(row) == 1 else 1) for row in rows]
    return wide * (m if len(wide) == 1 else 1)


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES.keys())
def test_map_of_one_two_and_three_matrices(held: Held, shapes: Any) -> None:
    rng, ops = Random(3), held.ops
    given = [drawn(rng, *shape) for shape in shapes]
    matrices = [held.matrix(rows) for rows in given]
    formulas: list[Callable[..., Any]] = [
        lambda x: 2.0 * x - x * x / 4.0 + 1.0,
        lambda x, y: (x - y) * (x + y) / (y * y + 1.0),
        lambda x, y, z: ops.where(x > y, z, -z) + x**2,
    ]
    plain = [*formulas[:2], lambda x, y, z: (z if x > y else -z) + x**2]
    for count, (formula, wanted) in enumerate(zip(formulas, plain), 1):
        m, n = (max(shape[axis] for shape in shapes[:count]) for axis in (0, 1))
        all_rows = zip(*[spread(rows, m, n) for rows in given[:count]])
        held.equals(ops.map(formula, *matrices[:count]), [[wanted(*at) for at in zip(*rows)] for rows in all_rows], 9.0)


@pytest.mark.parametrize("shapes", [((2, 3), (3, 2)), ((2, 3), (2, 2)), ((2, 3), (4, 1)), ((2, 3), (1, 2))])
def test_map_of_shapes_that_do_not_fit(held: Held, shapes: Any) -> None:
    matrices = [held.matrix(drawn(Random(1), *shape)) for shape in shapes]
    with pytest.raises(ValueError, match="map needs matrices of one shape"):
        held.ops.map(lambda x, y: x + y, *matrices)


def test_map_of_a_formula_that_leaves_numbers_out_still_gives_all_places(held: Held) -> None:
    row, column, ops = held.matrix([[1.0, 2.0, 3.0]]), held.matrix([[5.0], [7.0]]), held.ops
    held.equals(ops.map(lambda r, c: 4.0, row, column), [[4.0] * 3] * 2)
    held.equals(ops.map(lambda r, c: 4, row, column), [[4.0] * 3] * 2)
    held.equals(ops.map(lambda r, c: r, row, column), [[1.0, 2.0, 3.0]] * 2)
    held.equals(ops.map(lambda r, c: c, row, column), [[5.0] * 3, [7.0] * 3])
    held.equals(ops.map(lambda r, c: r > 1.5, row, column), [[0.0, 1.0, 1.0]] * 2)
    held.equals(ops.map(lambda r: ops.where(r > 1.5, 1.0, 0.25), row), [[0.25, 1.0, 1.0]])
    held.equals(ops.map(lambda r: ops.where(r > 1.5, 1, 2), row), [[2.0, 1.0, 1.0]])
    held.equals(ops.map(lambda r: ops.maximum(r, 2.0) + ops.maximum(1, -r) + ops.maximum(3.0, 4.0), row), [[7, 7, 8]])


def test_conditions_can_be_combined(held: Held) -> None:
    m, where = held.matrix([[-2.0, -0.5, 0.5, 2.0]]), held.ops.where
    held.equals(held.ops.map(lambda v: where((v > -1.0) & (v < 1.0), v, 0.0), m), [[0.0, -0.5, 0.5, 0.0]])
    held.equals(held.ops.map(lambda v: where((v < -1.0) | (v > 1.0), v, 0.0), m), [[-2.0, 0.0, 0.0, 2.0]])


def test_a_formula_with_an_if_works_on_single_numbers_and_arrays_say_to_use_where(held: Held) -> None:
    m, formulas = (
        held.matrix([[-1.0, 2.0], [3.0, -4.0]]),
        [
            lambda v: v if v > 0.0 else 0.5 * v,
            lambda v: max(v, 0.5 * v),
            lambda v: math.copysign(math.ceil(abs(v) ** 0.5), v) if math.cos(v) else v,
        ],
    )
    for formula in formulas:
        if isinstance(held.ops, ArrayEngine):
            with pytest.raises(ArgumentError, match=r"^map hands a formula whole arrays.* where.* without if"):
                held.ops.map(formula, m)
        else:
            assert held.rows(held.ops.map(formula, m)) == [[formula(v) for v in row] for row in held.rows(m)]


EXTREMES = [0.0, -0.0, 1e-30, -1e-30, 1e-8, -1e-8, 0.3, -0.3, 0.47, 1.0, -1.0, 3.0, -3.0, 5.5, -5.5, 20.0, -20.0]
EXTREMES += [40.0, -40.0, 80.0, -80.0, 1e3, -1e3]


def _exactly(name: str) -> Callable[[float], float]:
    """Not the code under test: from ``math`` alone."""

    def sigmoid(x: float) -> float:
        return 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0

    def softplus(x: float) -> float:
        return x if x > 700.0 else math.log1p(math.exp(x))

    own = {"sigmoid": sigmoid, "softplus": softplus, "abs": abs}
    return own[name] if name in own else getattr(math, name)  # type: ignore[no-any-return]


FUNCTIONS = {
    "exp": [x for x in EXTREMES if x < 85.0],
    "log": [abs(x) for x in EXTREMES if x],
    "log1p": [abs(x) for x in EXTREMES] + [-0.5, -1e-8, -1e-30, -0.999],
    "sqrt": [abs(x) for x in EXTREMES],
    "tanh": EXTREMES,
    "erf": EXTREMES,
    "sigmoid": EXTREMES,
    "softplus": EXTREMES,
    "abs": EXTREMES,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_for_formulas_at_arguments_of_all_sizes(held: Held, name: str) -> None:
    exact, given = _exactly(name), FUNCTIONS[name]
    arguments = held.matrix([given])
    (found,) = held.rows(held.ops.map(getattr(held.ops, name), arguments))
    for x, came in zip(held.rows(arguments)[0], found):
        assert came == pytest.approx(exact(x), rel=20.0 * held.kind.through, abs=1e-37), f"{name}({x!r})"


def test_exp_stays_finite_and_log_of_zero_and_below_is_large_and_negative(held: Held) -> None:
    ops = held.ops
    (large,) = held.rows(ops.map(ops.exp, held.matrix([[1e3, 1e30, 89.0]])))
    assert all(1e37 < v < math.inf for v in large)
    assert held.rows(ops.map(ops.exp, held.matrix([[-1e3, -1e30]]))) == [[0.0, 0.0]]
    (low,) = held.rows(ops.map(ops.log, held.matrix([[0.0, -1.0, -1e30]])))
    assert all(-800.0 < v < -80.0 for v in low)


def test_functions_let_nan_through(held: Held) -> None:
    for name in ("exp", "log", "log1p", "sqrt", "tanh", "erf", "sigmoid", "softplus", "abs"):
        try:
            ((found,),) = held.rows(held.ops.map(getattr(held.ops, name), held.ops.from_rows([[math.nan]])))
        except OverflowError:
            continue
        assert math.isnan(found), name
    for formula in (lambda v: held.ops.maximum(v, 1.0), lambda v: held.ops.maximum(1.0, v)):
        assert math.isnan(held.rows(held.ops.map(formula, held.ops.from_rows([[math.nan]])))[0][0])


# --- dropout ----------------------------------------------------------------------------------------------------------


def test_a_random_mask_is_the_same_on_every_engine(held: Held) -> None:
    for shape, rate in (((3, 5), 0.4), ((1, 1), 0.0), ((40, 20), 0.5)):
        rng, plain = Random(7), Random(7)
        mask = held.rows(held.ops.random_mask(shape, rate, rng))
        words = plain.getrandbits(32 * shape[0] * shape[1])
        numbers = [words >> 32 * i & 0xFFFFFFFF for i in range(shape[0] * shape[1])]
        signed = [number - (number >> 31 << 32) for number in numbers]
        kept = [0.0 if number + 2**31 < rate * 2**32 else 1.0 / (1.0 - rate) for number in signed]
        wanted = [kept[i * shape[1] : (i + 1) * shape[1]] for i in range(shape[0])]
        held._close(mask, wanted, held.kind.through, 2.0)
        assert rng.getstate() == plain.getstate()


@pytest.mark.parametrize("rate", [0.0, 1e-12, 0.2, 0.5, 1.0 - 1e-12])
def test_a_random_mask_drops_the_share_that_it_should(rate: float) -> None:
    mask = LISTS.random_mask((100, 200), rate, Random(8))
    dropped = sum(row.count(0.0) for row in mask) / 20_000
    assert dropped == pytest.approx(rate, abs=4.0 * (rate * (1.0 - rate) / 20_000) ** 0.5 + 1e-9)
    assert {v for row in mask for v in row} <= {0.0, 1.0 / (1.0 - rate)}
    assert LISTS.random_mask((0, 0), rate, Random(8)) == []


# --- rows, and all of a matrix ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_over_rows_and_columns_and_the_dot_product(held: Held, seed: int) -> None:
    rng, ops = Random(seed), held.ops
    m, n = sizes(rng, 2, 12)
    a, b = drawn(rng, m, n), drawn(rng, m, n)
    held.agrees(ops.sum_rows(held.matrix(a)), [[math.fsum(column) for column in zip(*a)]], 2.0 * m)
    held.agrees(ops.sum_columns(held.matrix(a)), [[math.fsum(row)] for row in a], 2.0 * n)
    dot = ops.dot(held.matrix(a), held.matrix(b))
    assert type(dot) is float
    assert dot == pytest.approx(
        math.fsum(x * y for p, q in zip(a, b) for x, y in zip(p, q)), abs=held.kind.sums * 4 * m * n
    )


@pytest.mark.parametrize("size", [1.0, 30.0, 1e3, 1e-3])
@pytest.mark.parametrize("seed", SEEDS)
def test_softmax_and_its_logarithm_with_their_gradients(held: Held, seed: int, size: float) -> None:
    rng, ops = Random(seed), held.ops
    x, gradient = (drawn(Random(seed + k), *sizes(Random(seed), 2), size=size if not k else 2.0) for k in (0, 1))
    del rng
    softmax, logs = ops.softmax_and_log(held.matrix(x))
    sums = [math.log(math.fsum(math.exp(v - max(row)) for v in row)) + max(row) for row in x]
    wanted_logs = [[v - total for v in row] for row, total in zip(x, sums)]
    wanted = [[math.exp(v) for v in row] for row in wanted_logs]
    held.equals(softmax, wanted, 20.0)
    held.equals(logs, wanted_logs, 20.0 * max(size, 2.0))
    along = [math.fsum(g * y for g, y in zip(p, q)) for p, q in zip(gradient, wanted)]
    back = [[y * (g - s) for g, y in zip(p, q)] for p, q, s in zip(gradient, wanted, along)]
    held.agrees(ops.softmax_inputs(held.matrix(gradient), softmax), back, 40.0)
    back = [[g - y * math.fsum(p) for g, y in zip(p, q)] for p, q in zip(gradient, wanted)]
    held.agrees(ops.log_softmax_inputs(held.matrix(gradient), softmax), back, 40.0 * len(x[0]))


def test_softmax_of_logits_far_apart_keeps_its_logarithm_finite(held: Held) -> None:
    largest = 1e38 if getattr(held.ops, "dtype", "") == "float32" else 1e99
    softmax, logs = held.ops.softmax_and_log(held.ops.from_rows([[largest, -largest], [0.0, -largest]]))
    assert held.rows(softmax) == [[1.0, 0.0], [1.0, 0.0]]
    assert all(math.isfinite(v) for row in held.rows(logs) for v in row)
    assert [row[0] for row in held.rows(logs)] == [0.0, 0.0]


@pytest.mark.parametrize("seed", SEEDS)
def test_argmax_is_the_first_of_the_largest(held: Held, seed: int) -> None:
    rng = Random(seed)
    m, n = sizes(rng, 2)
    rows = [[float(rng.randint(-2, 2)) for _ in range(n)] for _ in range(m)]
    found = held.ops.argmax_rows(held.matrix(rows))
    assert found == [row.index(max(row)) for row in rows]
    assert {*map(type, found)} == {int}


def test_operations_on_rows_need_a_number_a_row(held: Held) -> None:
    for operation in (held.ops.argmax_rows, held.ops.softmax_and_log):
        with pytest.raises(ValueError, match="at least one number"):
            operation(held.ops.from_rows([[], []]))


# --- numbers that run away --------------------------------------------------------------------------------------------


def test_all_finite(held: Held) -> None:
    ops = held.ops
    assert ops.all_finite(ops.from_rows([[1.0, -1e38], [0.0, 2.0]]))
    for odd in (math.inf, -math.inf, math.nan):
        assert not ops.all_finite(ops.from_rows([[1.0, 2.0], [0.0, odd]]))


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_not_finite_is_never_hidden(held: Held, odd: float) -> None:
    """It comes out again, or the engine says that it cannot hold it."""
    ops, window = held.ops, Window(1, 2, 2, 2)
    rows = [[1.0, -1.0, odd, 0.5]]
    operations: dict[str, Callable[[], Any]] = {
        "relu": lambda: ops.relu(ops.from_rows(rows))[0],
        "relu and gate": lambda: ops.gate(ops.from_rows(rows), ops.relu(ops.from_rows(rows))[1]),
        "max_pool": lambda: ops.max_pool(ops.from_rows(rows), window)[0],
        "average_pool": lambda: ops.average_pool(ops.from_rows(rows), window),
        "matmul": lambda: ops.matmul(ops.from_rows(rows), ops.from_rows([[1.0]] * 4)),
        "affine": lambda: ops.affine(ops.from_rows(rows), ops.from_rows([[1.0]] * 4), ops.from_rows([[0.0]])),
        "sum_rows": lambda: ops.sum_rows(ops.from_rows(rows)),
        "sum_columns": lambda: ops.sum_columns(ops.from_rows(rows)),
        "add": lambda: ops.add(ops.from_rows(rows), ops.from_rows(rows)),
        "scale": lambda: ops.scale(ops.from_rows(rows), 2.0),
        "hadamard": lambda: ops.hadamard(ops.from_rows(rows), ops.from_rows([[1.0] * 4])),
        "map": lambda: ops.map(lambda v: 2.0 * v, ops.from_rows(rows)),
    }
    for name, operation in operations.items():
        try:
            found = operation()
        except OverflowError:
            continue
        assert not ops.all_finite(found), name
        assert any(not math.isfinite(v) for row in held.rows(found) for v in row), name
    assert not math.isfinite(ops.dot(ops.from_rows(rows), ops.from_rows([[1.0] * 4])))


def test_numbers_that_overflow_are_told_by_what_comes_out_and_by_no_warning(held: Held) -> None:
    """That no warning came is what the tests as a whole see to: they make an error of each."""
    ops = held.ops
    size = 1e30 if getattr(held.ops, "dtype", "") == "float32" else 1e200
    big = ops.from_rows([[size, -size]])
    operations: dict[str, Callable[[], Any]] = {
        "matmul": lambda: ops.matmul_nt(big, big),
        "hadamard": lambda: ops.hadamard(big, big),
        "scale": lambda: ops.scale(big, size),
        "add_scaled": lambda: ops.add_scaled(big, big, size),
        "map": lambda: ops.map(lambda v: v * v, big),
        "inf - inf": lambda: ops.map(lambda v: v * v - v * v, big),
        "prepare": lambda: ops.take_rows(ops.prepare([[size]], size), [0]),
    }
    for name, operation in operations.items():
        try:
            found = operation()
        except OverflowError:
            continue
        assert not ops.all_finite(found), name
    try:
        assert not math.isfinite(ops.dot(big, big))
        softmax, _ = ops.softmax_and_log(ops.scale(big, size))
        assert not ops.all_finite(softmax)
    except OverflowError:
        pass
    try:
        beyond = ops.from_rows([[1e300]])
        assert ops.all_finite(beyond) == (getattr(ops, "dtype", "") != "float32")
    except OverflowError:
        pass


# --- images -----------------------------------------------------------------------------------------------------------

WINDOWS = {
    "plain": Window(1, 4, 5, 3),
    "channels": Window(3, 4, 4, 2),
    "stride": Window(2, 5, 6, 2, stride=2),
    "padding": Window(1, 3, 3, 3, padding=1),
    "all of it": Window(2, 5, 7, (3, 2), stride=(2, 3), padding=(1, 2)),
    "the whole image": Window(2, 3, 4, (3, 4)),
    "one number": Window(1, 1, 1, 1),
    "steps over numbers": Window(1, 6, 5, 1, stride=3),
    "a kernel in the padding": Window(1, 2, 3, 1, padding=1),
}
FULL = {name: window for name, window in WINDOWS.items() if all(window.channel_patches)}


def seen_by(row: list[float], window: Window) -> list[list[list[float]]]:
    """For each channel, for each position the numbers that the window sees, 0 in the padding."""
    (height, width), (up, left) = window.image, window.padding
    result = []
    for channel in range(window.channels):
        positions = []
        for y in range(window.output[0]):
            for x in range(window.output[1]):
                numbers = []
                for dy in range(window.kernel[0]):
                    for dx in range(window.kernel[1]):
                        r, c = y * window.stride[0] + dy - up, x * window.stride[1] + dx - left
                        inside = 0 <= r < height and 0 <= c < width
                        numbers.append(row[(channel * height + r) * width + c] if inside else 0.0)
                positions.append(numbers)
        result.append(positions)
    return result


def convolved(x: Rows, weight: Rows, bias: list[float], window: Window) -> Rows:
    result = []
    for row in x:
        by_channel, out = seen_by(row, window), []
        for f, b in enumerate(bias):
            for position in range(window.positions):
                numbers = [v for channel in by_channel for v in channel[position]]
                out.append(math.fsum([v * w[f] for v, w in zip(numbers, weight)]) + b)
        result.append(out)
    return result


def slopes(f: Callable[[Rows], Rows], at: Rows, gradient: Rows) -> Rows:
    """The gradient of Σ gradient·f, for an f that is linear: its value at each unit matrix."""
    found = []
    for i, row in enumerate(at):
        found.append([])
        for j in range(len(row)):
            unit = [[float((r, c) == (i, j)) for c in range(len(row))] for r in range(len(at))]
            found[-1].append(math.fsum(g * v for p, q in zip(gradient, f(unit)) for g, v in zip(p, q)))
    return found


@pytest.mark.parametrize("filters", [1, 3])
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
def test_convolution_and_its_gradients(held: Held, window: Window, filters: int) -> None:
    rng, ops, taps = Random(5), held.ops, window.channels * window.taps
    x, weight, bias = drawn(rng, 2, window.inputs), drawn(rng, taps, filters), drawn(rng, 1, filters)
    gradient = drawn(rng, 2, filters * window.positions)
    given, weights, back = held.matrix(x), held.matrix(weight), held.matrix(gradient)
    none = [0.0] * filters
    found = ops.convolve(given, weights, held.matrix(bias), window)
    held.agrees(found, convolved(x, weight, bias[0], window), 4.0 * taps + 2.0)
    found = ops.convolve_weights(given, back, window)
    held.agrees(found, slopes(lambda w: convolved(x, w, none, window), weight, gradient), 8.0 * window.positions)
    found = ops.convolve_inputs(back, weights, window)
    held.agrees(found, slopes(lambda v: convolved(v, weight, none, window), x, gradient), 4.0 * taps * filters)
    sums = [
        [
            math.fsum(v for row in gradient for v in row[f * window.positions : (f + 1) * window.positions])
            for f in range(filters)
        ]
    ]
    held.agrees(ops.sum_channels(back, filters), sums, 4.0 * window.positions)


@pytest.mark.parametrize(("rows", "columns", "times"), [(1, 1, 1), (3, 2, 4), (1, 5, 3), (2, 3, 1)])
def test_repeated_columns(held: Held, rows: int, columns: int, times: int) -> None:
    m = drawn(Random(7), rows, columns)
    held.agrees(held.ops.repeat_columns(held.matrix(m), times), [[v for v in row for _ in range(times)] for row in m])


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
def test_average_pooling_and_its_gradient(held: Held, window: Window) -> None:
    rng, ops = Random(6), held.ops
    x, gradient = drawn(rng, 3, window.inputs), drawn(rng, 3, window.channels * window.positions)

    def pooled(rows: Rows) -> Rows:
        return [
            [math.fsum(numbers) / window.taps for channel in seen_by(row, window) for numbers in channel]
            for row in rows
        ]

    held.agrees(ops.average_pool(held.matrix(x), window), pooled(x), 2.0)
    held.agrees(ops.average_pool_inputs(held.matrix(gradient), window), slopes(pooled, x, gradient), 2.0 * window.taps)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("window", FULL.values(), ids=FULL.keys())
def test_max_pooling_and_its_gradient(held: Held, window: Window, sign: float) -> None:
    """Also where all numbers are below the zeros of the padding, and where many are equal: the first counts."""
    rng, ops = Random(7), held.ops
    x = [[sign * rng.randint(1, 3) for _ in range(window.inputs)] for _ in range(3)]
    gradient = drawn(rng, 3, window.channels * window.positions)
    chosen = [[max(patch, key=row.__getitem__) for patch in window.channel_patches] for row in x]
    found, choices = ops.max_pool(held.matrix(x), window)
    held.agrees(found, [[row[i] for i in places] for row, places in zip(x, chosen)])
    wanted = [[0.0] * window.inputs for _ in x]
    for total, places, row in zip(wanted, chosen, gradient):
        for i, v in zip(places, row):
            total[i] += v
    held.agrees(ops.max_pool_inputs(held.matrix(gradient), choices, window), wanted, 2.0 * window.taps)


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_of_a_table_are_looked_up_and_given_their_gradients(held: Held, seed: int) -> None:
    rng, ops = Random(seed), held.ops
    n, k, d, count = sizes(rng, 4)
    x = [[float(rng.randrange(count)) for _ in range(k)] for _ in range(n)]
    table, gradient = drawn(rng, count, d), drawn(rng, n, k * d)
    wanted = [[v for i in row for v in table[int(i)]] for row in x]
    for given in (held.matrix(x), ops.take_rows(ops.prepare(x), range(n))):
        held.equals(ops.look_up(given, held.matrix(table)), wanted)
        shares = [[0.0] * d for _ in range(count)]
        for row, back in zip(x, gradient):
            for place, i in enumerate(row):
                for j in range(d):
                    shares[int(i)][j] += back[place * d + j]
        held.equals(ops.look_up_weights(given, held.matrix(gradient), count), shares, 2.0 * n * k)


NO_ROW = r"row of a table of 3 is named by a whole number|numbers up to"


@pytest.mark.parametrize("odd", [-1.0, 3.0, 0.5, 1e30, math.nan, math.inf, -math.inf])
def test_what_names_no_row_of_a_table_is_refused(held: Held, odd: float) -> None:
    ops = held.ops
    table = held.matrix([[1.0], [2.0], [3.0]])
    with pytest.raises((ValueError, OverflowError), match=NO_ROW):
        ops.look_up(ops.from_rows([[0.0, odd]]), table)
    with pytest.raises((ValueError, OverflowError), match=NO_ROW):
        ops.look_up_weights(ops.from_rows([[0.0, odd]]), held.matrix([[1.0, 2.0]]), 3)


def test_a_large_table_takes_no_more_room_than_it_has_rows(held: Held) -> None:
    """A matrix of rows times lookups would have 4e9 numbers here."""
    rng, ops, count = Random(1), held.ops, 20000
    if held.ops.name == "array_api_strict":
        pytest.skip("reads single numbers too slowly")
    x = [[float(rng.randrange(count) if i % 3 else 5) for i in range(200)] for _ in range(100)]
    found = held.rows(ops.look_up_weights(ops.from_rows(x), ops.from_rows([[1.0] * 200] * 100), count))
    assert len(found) == count
    assert sum(row[0] for row in found) == 20000.0
    assert found[5][0] == sum(row.count(5.0) for row in x)


# --- shapes that do not fit -------------------------------------------------------------------------------------------

WINDOW = Window(2, 3, 3, 2)  # 18 numbers in, 4 positions, 8 rows of weights
MISFITS: dict[str, tuple[str, list[tuple[int, int]], list[Any]]] = {
    "affine, inputs": ("affine", [(2, 3), (4, 5), (1, 5)], []),
    "affine, bias": ("affine", [(2, 3), (3, 5), (1, 4)], []),
    "affine, rows of the bias": ("affine", [(2, 3), (3, 5), (2, 5)], []),
    "affine, a bias of one number": ("affine", [(2, 3), (3, 5), (1, 1)], []),
    "matmul": ("matmul", [(2, 3), (2, 3)], []),
    "matmul_nt": ("matmul_nt", [(2, 3), (3, 2)], []),
    "matmul_tn": ("matmul_tn", [(2, 3), (3, 2)], []),
    "hadamard": ("hadamard", [(2, 3), (3, 2)], []),
    "hadamard with a row": ("hadamard", [(2, 3), (1, 3)], []),
    "hadamard with a column": ("hadamard", [(2, 3), (2, 1)], []),
    "add": ("add", [(2, 3), (3, 2)], []),
    "add a row": ("add", [(2, 3), (1, 3)], []),
    "sub": ("sub", [(2, 3), (2, 4)], []),
    "sub a column": ("sub", [(2, 3), (2, 1)], []),
    "add_scaled": ("add_scaled", [(2, 3), (3, 3)], [0.5]),
    "add_scaled of a row": ("add_scaled", [(2, 3), (1, 3)], [0.5]),
    "dot": ("dot", [(2, 3), (3, 2)], []),
    "dot with a row": ("dot", [(2, 3), (1, 3)], []),
    "softmax_inputs": ("softmax_inputs", [(2, 3), (2, 4)], []),
    "convolve, inputs": ("convolve", [(2, 17), (8, 3), (1, 3)], [WINDOW]),
    "convolve, weight": ("convolve", [(2, 18), (9, 3), (1, 3)], [WINDOW]),
    "convolve, bias": ("convolve", [(2, 18), (8, 3), (1, 2)], [WINDOW]),
    "convolve, bias of one number": ("convolve", [(2, 18), (8, 3), (1, 1)], [WINDOW]),
    "convolve_weights, inputs": ("convolve_weights", [(2, 17), (2, 12)], [WINDOW]),
    "convolve_weights, gradient": ("convolve_weights", [(2, 18), (2, 13)], [WINDOW]),
    "convolve_weights, rows": ("convolve_weights", [(2, 18), (3, 12)], [WINDOW]),
    "convolve_inputs, gradient": ("convolve_inputs", [(2, 13), (8, 3)], [WINDOW]),
    "convolve_inputs, weight": ("convolve_inputs", [(2, 12), (9, 3)], [WINDOW]),
    "sum_channels": ("sum_channels", [(2, 7)], [3]),
    "max_pool": ("max_pool", [(2, 17)], [WINDOW]),
    "average_pool": ("average_pool", [(2, 19)], [WINDOW]),
    "average_pool_inputs": ("average_pool_inputs", [(2, 9)], [WINDOW]),
    "look_up_weights, rows": ("look_up_weights", [(2, 3), (3, 6)], [4]),
    "look_up_weights, columns": ("look_up_weights", [(2, 3), (2, 7)], [4]),
}


@pytest.mark.parametrize(("operation", "shapes", "further"), MISFITS.values(), ids=MISFITS.keys())
def test_shapes_that_do_not_fit_are_refused_with_what_came(
    held: Held, operation: str, shapes: list[tuple[int, int]], further: list[Any]
) -> None:
    matrices = [held.matrix([[1.0] * columns for _ in range(rows)]) for rows, columns in shapes]
    with pytest.raises(ValueError, match=r"needs .*got|got .*needs|map needs"):
        getattr(held.ops, operation)(*matrices, *further)


@pytest.mark.parametrize("shape", [(3, 4), (1, 4), (2, 3), (2, 1)])
def test_a_mask_of_another_shape_is_refused(held: Held, shape: tuple[int, int]) -> None:
    _, mask = held.ops.relu(held.matrix([[1.0] * 4] * 2))
    if held.ops.name == "lanes" and shape[0] == 2:
        pytest.skip("a mask of lanes does not know how many of them there are")
    with pytest.raises(ValueError, match="gate needs"):
        held.ops.gate(held.matrix([[1.0] * shape[1]] * shape[0]), mask)


@pytest.mark.parametrize("shape", [(2, 7), (3, 8), (1, 8)])
def test_a_gradient_that_does_not_fit_its_pooling_is_refused(held: Held, shape: tuple[int, int]) -> None:
    _, choices = held.ops.max_pool(held.matrix([[1.0] * 18] * 2), WINDOW)
    with pytest.raises(ValueError, match="max_pool_inputs needs"):
        held.ops.max_pool_inputs(held.matrix([[1.0] * shape[1]] * shape[0]), choices, WINDOW)


# --- no rows ----------------------------------------------------------------------------------------------------------


def test_a_batch_without_rows_goes_through_arrays_as_any_other(held: Held) -> None:
    ops = held.ops
    if not isinstance(ops, ArrayEngine):
        pytest.skip("lists without rows do not know how long a row would be; nothing asks for it")
    none = ops.take_rows(ops.prepare([[1.0] * 18]), [])
    assert ops.shape(none) == (0, 18)
    weight, bias = ops.from_rows([[1.0] * 3] * 8), ops.from_rows([[0.0] * 3])
    assert ops.shape(ops.affine(none, ops.from_rows([[1.0] * 5] * 18), ops.from_rows([[0.0] * 5]))) == (0, 5)
    assert ops.shape(ops.convolve(none, weight, bias, WINDOW)) == (0, 12)
    gradient = ops.take_rows(ops.prepare([[1.0] * 12]), [])
    assert held.rows(ops.convolve_weights(none, gradient, WINDOW)) == [[0.0] * 3] * 8
    assert ops.shape(ops.convolve_inputs(gradient, weight, WINDOW)) == (0, 18)
    assert held.rows(ops.sum_channels(gradient, 3)) == [[0.0] * 3]
    pooled, choices = ops.max_pool(none, WINDOW)
    assert ops.shape(pooled) == ops.shape(ops.average_pool(none, WINDOW)) == (0, 8)
    assert ops.shape(ops.max_pool_inputs(pooled, choices, WINDOW)) == (0, 18)
    assert ops.shape(ops.average_pool_inputs(pooled, WINDOW)) == (0, 18)
    assert ops.shape(ops.softmax_and_log(none)[0]) == (0, 18)
    assert ops.argmax_rows(none) == []
    assert held.rows(ops.sum_rows(none)) == [[0.0] * 18]
    assert ops.shape(ops.sum_columns(none)) == (0, 1)
    assert ops.dot(none, none) == 0.0
    assert ops.all_finite(none)
    assert ops.shape(ops.relu(none)[0]) == (0, 18)
    assert ops.shape(ops.map(lambda x, row: x + row, none, ops.from_rows([[1.0] * 18]))) == (0, 18)
    assert ops.shape(ops.look_up(none, ops.from_rows([[1.0, 2.0]]))) == (0, 36)
    assert held.rows(ops.look_up_weights(none, ops.look_up(none, ops.from_rows([[1.0, 2.0]])), 2)) == [[0.0] * 2] * 2
    assert held.rows(none) == []


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_a_library_that_is_not_there_is_named_with_what_to_install() -> None:
    with pytest.raises(ArgumentError, match=r"'no_such_library' needs no_such_library, .*pip install no_such_library"):
        ArrayEngine("no_such_library")


@pytest.mark.parametrize("wrong", ["math", "", ".", "..", 5, None, math, object()])
def test_what_is_no_library_of_arrays_is_refused(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match=r"engine|arrays"):
        ArrayEngine(wrong)


@pytest.mark.parametrize("wrong", ["float16", "int64", "", None, float, 64])
def test_numbers_of_another_kind_are_refused(np: Any, wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="dtype is 'float64' or 'float32', got"):
        ArrayEngine("numpy", dtype=wrong)


def test_linalg_is_what_the_readable_engine_computes_with() -> None:
    assert LISTS.matmul is linalg.matmul
