"""The readable engine against NumPy (matrices) and mpmath (the stable functions), shapes and errors included.

Every comparison with NumPy allows what float64 rounding allows, and no more; the stable functions have to be right
to 1e-12 over the whole range the documentation promises, -1e308 to 1e308.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scratchnn import linalg
from scratchnn.engines.lists import LISTS

EPSILON = sys.float_info.epsilon
LARGEST = sys.float_info.max

sizes = st.integers(1, 6)
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def matrices(draw: Callable[..., Any], rows: int, columns: int) -> list[list[float]]:
    return [[draw(numbers) for _ in range(columns)] for _ in range(rows)]


@st.composite
def products(draw: Callable[..., Any]) -> tuple[list[list[float]], list[list[float]]]:
    """(m x k, k x n), with every size from 1 up: row and column vectors are among them."""
    m, k, n = draw(sizes), draw(sizes), draw(sizes)
    return draw(matrices(m, k)), draw(matrices(k, n))


@st.composite
def one_matrix(draw: Callable[..., Any]) -> list[list[float]]:
    return draw(matrices(draw(sizes), draw(sizes)))


@st.composite
def two_alike(draw: Callable[..., Any]) -> tuple[list[list[float]], list[list[float]]]:
    m, n = draw(sizes), draw(sizes)
    return draw(matrices(m, n)), draw(matrices(m, n))


def assert_product(np: ModuleType, ours: list[list[float]], a: Any, b: Any) -> None:
    """``ours`` is a·b up to the rounding error bound of a dot product, k·ε·|a|·|b|."""
    a, b = np.array(a), np.array(b)
    result = np.array(ours)
    assert result.shape == (a.shape[0], b.shape[1])
    bound = 2 * (a.shape[1] + 1) * EPSILON * (np.abs(a) @ np.abs(b))
    assert (np.abs(result - a @ b) <= bound).all()


# --- products, against NumPy --------------------------------------------------------------------------------


@given(pair=products())
def test_matmul(np: ModuleType, pair: Any) -> None:
    a, b = pair
    assert_product(np, linalg.matmul(a, b), a, b)


@given(pair=products())
def test_matmul_tn_transposes_the_left_factor(np: ModuleType, pair: Any) -> None:
    a, b = pair
    a_transposed = [list(column) for column in zip(*a)]
    assert_product(np, linalg.matmul_tn(a_transposed, b), a, b)


@given(pair=products())
def test_matmul_nt_transposes_the_right_factor(np: ModuleType, pair: Any) -> None:
    a, b = pair
    b_transposed = [list(column) for column in zip(*b)]
    assert_product(np, linalg.matmul_nt(a, b_transposed), a, b)


@given(pair=products(), data=st.data())
def test_affine_adds_the_bias_to_every_row(np: ModuleType, pair: Any, data: st.DataObject) -> None:
    x, weight = pair
    bias = data.draw(matrices(1, len(weight[0])))
    ours = np.array(linalg.affine(x, weight, bias))
    expected = np.array(x) @ np.array(weight) + np.array(bias)
    magnitude = np.abs(np.array(x)) @ np.abs(np.array(weight)) + np.abs(np.array(bias))
    assert ours.shape == expected.shape
    assert (np.abs(ours - expected) <= 2 * (len(weight) + 2) * EPSILON * magnitude).all()


@given(pair=products())
def test_matvec_and_dot(np: ModuleType, pair: Any) -> None:
    a, b = pair
    vector = [row[0] for row in b]
    product = linalg.matvec(a, vector)
    assert_product(np, [[v] for v in product], a, [[v] for v in vector])
    assert product == [linalg.dot(row, vector) for row in a]


@given(a=st.lists(numbers, max_size=6), b=st.lists(numbers, max_size=6))
def test_outer_is_a_real_outer_product(np: ModuleType, a: list[float], b: list[float]) -> None:
    ours = linalg.outer(a, b)
    assert len(ours) == len(a)
    assert all(len(row) == len(b) for row in ours)
    assert np.array_equal(np.array(ours).reshape(len(a), len(b)), np.outer(a, b))


@given(m=one_matrix())
def test_transpose(np: ModuleType, m: Any) -> None:
    assert np.array_equal(linalg.transpose(m), np.array(m).T)
    assert linalg.transpose(linalg.transpose(m)) == m


# --- element by element, against NumPy: exactly --------------------------------------------------------------


@given(pair=two_alike(), factor=numbers)
def test_elementwise_operations_are_exact(np: ModuleType, pair: Any, factor: float) -> None:
    a, b = pair
    p, q = np.array(a), np.array(b)
    assert np.array_equal(linalg.hadamard(a, b), p * q)
    assert np.array_equal(linalg.add(a, b), p + q)
    assert np.array_equal(linalg.sub(a, b), p - q)
    assert np.array_equal(linalg.scale(a, factor), factor * p)
    assert np.array_equal(linalg.add_scaled(a, b, factor), p + factor * q)
    assert np.array_equal(linalg.map(abs, a), np.abs(p))


@given(pair=two_alike())
def test_relu_and_its_gate(np: ModuleType, pair: Any) -> None:
    a, gradient = pair
    p = np.array(a)
    rectified, mask = linalg.relu(a)
    assert np.array_equal(rectified, np.maximum(p, 0.0))
    assert np.array_equal(linalg.gate(gradient, mask), np.where(p > 0.0, np.array(gradient), 0.0))


def test_relu_is_shut_at_zero() -> None:
    rectified, mask = linalg.relu([[0.0, -0.0, 5e-324]])
    assert rectified == [[0.0, 0.0, 5e-324]]
    assert linalg.gate([[7.0, 7.0, 7.0]], mask) == [[0.0, 0.0, 7.0]]


# --- rows and columns, against NumPy -------------------------------------------------------------------------


@given(m=one_matrix())
def test_sums_of_rows_and_columns(np: ModuleType, m: Any) -> None:
    p = np.array(m)
    tolerance = 8 * EPSILON * np.abs(p)
    assert (np.abs(np.array(linalg.row_sums(m)) - p.sum(axis=1)) <= tolerance.sum(axis=1)).all()
    assert (np.abs(np.array(linalg.column_sums(m)) - p.sum(axis=0)) <= tolerance.sum(axis=0)).all()
    assert linalg.sum_rows(m) == [linalg.column_sums(m)]


def test_sums_do_not_lose_small_numbers_between_large_ones() -> None:
    assert linalg.row_sums([[1e16, 1.0, -1e16]]) == [1.0]
    assert linalg.column_sums([[1e16], [1.0], [-1e16]]) == [1.0]


@given(m=one_matrix())
def test_argmax_of_each_row(np: ModuleType, m: Any) -> None:
    assert linalg.argmax_rows(m) == np.array(m).argmax(axis=1).tolist()
    assert [linalg.argmax(row) for row in m] == linalg.argmax_rows(m)


def test_argmax_takes_the_first_of_equals() -> None:
    assert linalg.argmax([1.0, 3.0, 3.0]) == 1
    assert linalg.argmax_rows([[2.0, 2.0], [0.0, 1.0]]) == [0, 1]


@given(m=one_matrix())
def test_flatten_and_reshape(np: ModuleType, m: Any) -> None:
    rows, columns = len(m), len(m[0])
    assert linalg.flatten(m) == np.array(m).ravel().tolist()
    assert linalg.reshape(linalg.flatten(m), rows, columns) == m
    assert linalg.reshape(m, columns, rows) == np.array(m).reshape(columns, rows).tolist()


@given(values=st.lists(numbers, min_size=1, max_size=20))
def test_mean_and_standard_deviation(np: ModuleType, values: list[float]) -> None:
    magnitude = max(map(abs, values))
    assert linalg.mean(values) == pytest.approx(np.mean(values), rel=0, abs=20 * EPSILON * magnitude)
    assert linalg.standard_deviation(values) == pytest.approx(np.std(values), rel=1e-12, abs=20 * EPSILON * magnitude)


def test_standard_deviation_divides_by_n() -> None:
    assert linalg.standard_deviation([1.0, 3.0]) == 1.0
    assert linalg.standard_deviation([5.0]) == 0.0


@pytest.mark.parametrize("target", [0.1, 1e-320, 3.0, 1e307 / 3])
def test_r_squared_of_targets_that_are_all_the_same_is_1_if_they_are_hit_and_else_0(target: float) -> None:
    """The mean of three equal numbers may be off by a rounding, which is no spread."""
    assert linalg.r_squared([target] * 3, [target] * 3) == 1.0
    assert linalg.r_squared([target * 2.0] * 3, [target] * 3) == 0.0


@pytest.mark.parametrize("output", [1.2e154, 1e155, 1e300])
def test_r_squared_of_outputs_that_are_far_off_is_far_below_0(output: float) -> None:
    assert linalg.r_squared([output] * 40, [0.5, 1.0] * 20) < -1e300


# --- what an engine does at its doors ------------------------------------------------------------------------


def test_prepared_rows_are_scaled_when_they_are_taken() -> None:
    pixels = LISTS.prepare([bytes([0, 51, 255]), bytes([255, 0, 0])], 1 / 255)
    assert len(pixels) == 2
    assert LISTS.to_rows(LISTS.take_rows(pixels, [1, 0, 1])) == [
        [1.0, 0.0, 0.0],
        [0.0, 51 / 255, 1.0],
        [1.0, 0.0, 0.0],
    ]


def test_a_prepared_batch_does_not_share_memory_with_the_data() -> None:
    rows = [[1.0, 2.0]]
    LISTS.take_rows(LISTS.prepare(rows), [0])[0][0] = 99.0
    assert rows == [[1.0, 2.0]]


def test_from_rows_copies_and_to_rows_gives_the_rows_back() -> None:
    rows = [[1.0, 2.0], [3.0, 4.0]]
    m = linalg.from_rows(tuple(tuple(row) for row in rows))
    assert LISTS.to_rows(m) == rows
    copied = linalg.from_rows(rows)
    copied[0][0] = 99.0
    assert rows[0][0] == 1.0


def test_shape_of_a_matrix_and_of_nothing() -> None:
    assert linalg.shape([[1.0, 2.0, 3.0]]) == (1, 3)
    assert linalg.shape([[1.0], [2.0]]) == (2, 1)
    assert linalg.shape([[], []]) == (2, 0)
    assert linalg.shape([]) == (0, 0)


def test_nothing_in_nothing_out() -> None:
    assert linalg.matmul([], []) == []
    assert linalg.matmul([[], []], []) == [[], []]
    assert linalg.matmul_tn([], []) == []
    assert linalg.matmul_nt([], []) == []
    assert linalg.matmul_nt([[], []], [[]]) == [[0.0], [0.0]]
    assert linalg.transpose([]) == []
    assert linalg.add([], []) == linalg.hadamard([], []) == linalg.scale([], 2.0) == []
    assert linalg.relu([]) == ([], [])
    assert linalg.row_sums([]) == linalg.column_sums([]) == linalg.argmax_rows([]) == linalg.flatten([]) == []
    assert linalg.row_sums([[], []]) == [0.0, 0.0]
    assert linalg.reshape([], 0, 5) == []
    assert linalg.reshape([], 2, 0) == [[], []]


def test_operations_leave_their_arguments_alone() -> None:
    a, b, bias = [[1.0, -2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]], [[1.0, 1.0]]
    linalg.affine(a, b, bias)
    for operation in (linalg.matmul, linalg.matmul_tn, linalg.matmul_nt, linalg.hadamard, linalg.add, linalg.sub):
        operation(a, b)
    linalg.add_scaled(a, b, 2.0)
    linalg.scale(a, 2.0)
    linalg.gate(a, linalg.relu(b)[1])
    assert (a, b, bias) == ([[1.0, -2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]], [[1.0, 1.0]])


# --- errors name both shapes ---------------------------------------------------------------------------------

TWO_BY_THREE = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
FOUR_BY_FIVE = [[0.0] * 5 for _ in range(4)]


@pytest.mark.parametrize(
    "operation",
    [
        linalg.matmul,
        linalg.matmul_tn,
        linalg.matmul_nt,
        linalg.hadamard,
        linalg.add,
        linalg.sub,
        linalg.gate,
        lambda a, b: linalg.add_scaled(a, b, 1.0),
        lambda a, b: linalg.affine(a, b, [[0.0] * 5]),
    ],
    ids=["matmul", "matmul_tn", "matmul_nt", "hadamard", "add", "sub", "gate", "add_scaled", "affine"],
)
def test_shapes_that_do_not_fit_are_both_named(operation: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    with pytest.raises(ValueError, match=r"2x3.* 4x5") as error:
        operation(TWO_BY_THREE, FOUR_BY_FIVE)
    assert str(error.value).startswith(request.node.callspec.id)


def test_a_bias_that_does_not_fit_is_named_too() -> None:
    with pytest.raises(ValueError, match=r"2x3, 3x1 and 1x2"):
        linalg.affine(TWO_BY_THREE, [[1.0], [1.0], [1.0]], [[0.0, 0.0]])
    with pytest.raises(ValueError, match=r"2x3, 3x1 and 2x1"):
        linalg.affine(TWO_BY_THREE, [[1.0], [1.0], [1.0]], [[0.0], [0.0]])


def test_vectors_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"matvec .*2x3 and 2"):
        linalg.matvec(TWO_BY_THREE, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"dot .*2 and 3"):
        linalg.dot([1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("values", [TWO_BY_THREE, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
def test_reshape_says_what_it_needs_and_what_came(values: Any) -> None:
    with pytest.raises(ValueError, match=r"4x2 needs 8 numbers, got (2x3|6 numbers)"):
        linalg.reshape(values, 4, 2)
    with pytest.raises(ValueError, match=r"-2x-3"):
        linalg.reshape(values, -2, -3)


@pytest.mark.parametrize(
    "operation",
    [
        linalg.shape,
        linalg.transpose,
        linalg.flatten,
        linalg.row_sums,
        linalg.column_sums,
        linalg.sum_rows,
        linalg.argmax_rows,
        linalg.relu,
        linalg.from_rows,
        lambda m: linalg.scale(m, 2.0),
        lambda m: linalg.map(abs, m),
        lambda m: linalg.add(m, m),
        lambda m: linalg.matmul(m, [[1.0], [1.0]]),
        lambda m: linalg.reshape(m, 1, 3),
    ],
)
def test_ragged_rows_are_refused(operation: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"row 0 has 2 numbers, row 1 has 1"):
        operation([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize(
    "operation",
    [
        linalg.argmax,
        linalg.mean,
        linalg.standard_deviation,
        linalg.logsumexp,
        linalg.softmax,
        linalg.log_softmax,
        linalg.softmax_and_log,
        lambda row: linalg.argmax_rows([row]),
    ],
)
def test_what_needs_a_number_says_so(operation: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"at least one number"):
        operation([])


# --- stable functions, against mpmath -------------------------------------------------------------------------

# Every magnitude from 1e-308 to 1e308 with either sign, not only the huge ones a uniform draw would give.
magnitudes = st.builds(
    lambda sign, digits, exponent: sign * digits * 10.0**exponent,
    st.sampled_from([-1.0, 1.0]),
    st.floats(1.0, 9.99),
    st.integers(-308, 307),
)
wide = st.one_of(st.floats(-1e308, 1e308), st.floats(-800.0, 800.0), st.floats(-2.0, 2.0), magnitudes)
wide_rows = st.one_of(
    st.lists(wide, min_size=1, max_size=6),
    st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=6),
    st.builds(lambda offset, row: [offset + v for v in row], wide, st.lists(st.floats(-5, 5), min_size=1, max_size=6)),
)

TINY = 1e-290  # below it a double has fewer digits than 1e-12 needs


def assert_right(ours: float, exact: Any, absolute: float = TINY) -> None:
    """``ours`` is the exact value to 1e-12 relative; or absolute ``absolute``, where the result is tiny.

    Exact values beyond the largest double are expected to stay there.
    """
    assert isinstance(ours, float)
    assert math.isfinite(ours)
    exact = max(min(exact, LARGEST), -LARGEST)
    assert abs(exact - ours) <= max(abs(exact) * 1e-12, absolute), (ours, exact)


@given(x=wide)
@example(x=709.782712893384)
@example(x=709.7827128933841)
@example(x=-745.2)
@example(x=1e308)
@example(x=-1e308)
def test_exp(mpmath: ModuleType, x: float) -> None:
    # Beyond e^800 the exact value has more digits than there is memory for; it saturates all the same.
    assert_right(linalg.exp(x), mpmath.exp(mpmath.mpf(max(min(x, 800.0), -800.0))))


def test_exp_saturates_instead_of_overflowing() -> None:
    assert linalg.exp(710.0) == linalg.exp(1e308) == LARGEST
    assert linalg.exp(-1e308) == 0.0


@given(x=wide)
@example(x=5e-324)
@example(x=1.0)
def test_log(mpmath: ModuleType, x: float) -> None:
    assert_right(linalg.log(x), mpmath.log(mpmath.mpf(max(x, 5e-324))), absolute=0.0)


def test_log_has_a_floor() -> None:
    assert linalg.log(0.0) == linalg.log(-1.0) == linalg.log(-1e308) == pytest.approx(-744.4400719213812)


@given(x=wide)
def test_sigmoid(mpmath: ModuleType, x: float) -> None:
    clipped = mpmath.mpf(max(min(x, 800.0), -800.0))
    assert_right(linalg.sigmoid(x), 1 / (1 + mpmath.exp(-clipped)))


@given(x=wide)
def test_softplus(mpmath: ModuleType, x: float) -> None:
    exact = mpmath.mpf(x) if x > 800.0 else mpmath.log1p(mpmath.exp(mpmath.mpf(max(x, -800.0))))
    assert_right(linalg.softplus(x), exact)


def exact_logsumexp(mpmath: ModuleType, row: list[float]) -> tuple[Any, Any]:
    """(largest entry, log Σ e^(v - largest)): two parts whose sum may not fit mpmath's digits."""
    others = sorted(row)
    largest = mpmath.mpf(others.pop())  # it contributes exactly 1, which would swallow what the others add
    differences = [mpmath.mpf(v) - largest for v in others]
    return largest, mpmath.log1p(mpmath.fsum(mpmath.exp(d) for d in differences if d > -1000))


@given(row=wide_rows)
@example(row=[1e308, -1e308])
@example(row=[1e308, 1e308, 1e308])
@example(row=[0.0, -40.0])
def test_logsumexp(mpmath: ModuleType, row: list[float]) -> None:
    largest, rest = exact_logsumexp(mpmath, row)
    # Where the largest entry and the logarithm cancel, what is left is exact to their last digit.
    cancelled = EPSILON * float(abs(rest)) if largest < 0 < rest else 0.0
    assert_right(linalg.logsumexp(row), largest + rest, absolute=max(TINY, 2 * cancelled))


@given(row=wide_rows)
@example(row=[1e308, -1e308])
@example(row=[0.0, -700.0])
@example(row=[0.0, -40.0])
@example(row=[0.0, 114.0])
def test_softmax_and_log_softmax(mpmath: ModuleType, row: list[float]) -> None:
    largest, rest = exact_logsumexp(mpmath, row)
    probabilities, logs = linalg.softmax(row), linalg.log_softmax(row)
    assert len(probabilities) == len(logs) == len(row)
    for v, probability, logarithm in zip(row, probabilities, logs):
        exact = mpmath.mpf(v) - largest - rest
        assert_right(logarithm, exact)
        assert_right(probability, mpmath.exp(max(exact, mpmath.mpf(-1000))))
    assert linalg.softmax_and_log(row) == (probabilities, logs)


@given(row=wide_rows)
def test_softmax_rows_sum_to_one(row: list[float]) -> None:
    probabilities = linalg.softmax(row)
    assert math.fsum(probabilities) == pytest.approx(1.0, rel=0, abs=4 * EPSILON)
    assert all(0.0 <= p <= 1.0 for p in probabilities)


def test_log_softmax_keeps_the_small_loss_of_a_sure_answer() -> None:
    assert linalg.log_softmax([40.0, 0.0])[0] == pytest.approx(-math.exp(-40.0), rel=1e-12)
    assert linalg.log_softmax([1e308, -1e308]) == [0.0, -LARGEST]
