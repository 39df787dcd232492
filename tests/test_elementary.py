"""``elementary``: each function within an ulp of the true value, over all doubles, and the same bits everywhere.

mpmath, with 40 digits, says what is true. Errors are counted in ulps of the true value, to fractions of one.
"""

from __future__ import annotations

import ast
import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scratchnn import elementary

INF, NAN = math.inf, math.nan
LARGEST, SMALLEST_NORMAL, SMALLEST = 1.7976931348623157e308, 2.0**-1022, 5e-324
HUGE = 10**400  # an int that no double reaches

# 1 is what is promised; a pair of doubles rounded once is this good, and less would be a mistake in the working.
WORST_ULPS = 0.501

NAMES = ("exp", "expm1", "sigmoid", "tanh", "log", "log1p", "log2", "log10", "sqrt")

finite = st.floats(allow_nan=False, allow_infinity=False)
many = settings(max_examples=300)


@pytest.fixture(scope="module")
def true(mpmath: ModuleType) -> dict[str, Callable[[Any], Any]]:
    """The functions by name, in 40 digits, of a double that is taken as it is."""
    log_2 = mpmath.log(2)
    return {
        "exp": mpmath.exp,
        "expm1": mpmath.expm1,
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "tanh": mpmath.tanh,
        "log": mpmath.log,
        "log1p": mpmath.log1p,
        "log2": lambda x: mpmath.log(x) / log_2,
        "log10": mpmath.log10,
        "sqrt": mpmath.sqrt,
    }


def ulps(mpmath: ModuleType, value: float, exact: Any) -> float:
    """How far ``value`` is from ``exact``, in ulps of the latter; 0 for an infinity in its place."""
    if abs(exact) >= mpmath.mpf(LARGEST) * (1 + mpmath.mpf(2) ** -54):
        return 0.0 if value == (INF if exact > 0 else -INF) else INF
    if not math.isfinite(value):
        return INF
    return float(abs(mpmath.mpf(value) - exact) / math.ulp(min(abs(float(exact)), LARGEST)))


def any_double(rng: Random) -> float:
    """A finite double above 0 with random bits: every exponent is as likely as any other."""
    return struct.unpack("d", struct.pack("Q", rng.randrange(1, 0x7FF << 52)))[0]


def doubles(count: int, *ranges: tuple[float, float]) -> Iterator[float]:
    """Of each kind of place that is difficult for somebody ``count`` doubles, and the ends of each range."""
    rng = Random("doubles")
    for low, high in ranges:
        yield from (low, high)
    for _ in range(count):
        yield any_double(rng)
        yield rng.randrange(1, 1 << 52) * SMALLEST  # subnormal
        yield 1.0 + rng.uniform(-1, 1) * 10.0 ** rng.uniform(-16, 0)  # near 1
        yield rng.uniform(-1, 1) * 10.0 ** rng.uniform(-20, 0)  # near 0
        yield rng.uniform(-3, 3)
        for low, high in ranges:
            yield rng.uniform(low, high)


EXPONENTS = (
    (-745.2, 709.8),
    (-745.2, -708.3),
    (-708.8, -708.3),  # subnormal by a single bit
    (709.0, 709.8),
    (-50.0, 50.0),
    (-0.35, 0.35),
    (0.34, 0.36),
)


def points(name: str) -> Iterable[float]:
    if name in ("exp", "expm1", "sigmoid", "tanh"):
        # Beyond 1000 they are 0, 1, -1 or infinite: told below, and mpmath would work out thousands of digits.
        return (s * x for x in doubles(160, *EXPONENTS) if abs(x) < 1000 for s in (1, -1))
    if name == "log1p":
        return (x for y in doubles(160, (-1 + 1e-16, -0.9), (0, 10)) for x in (y, -y) if x > -1)
    return map(abs, doubles(320, (0.7, 1.42), (SMALLEST, SMALLEST_NORMAL), (LARGEST / 2, LARGEST)))


# --- how near to the truth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_within_an_ulp_of_the_truth(
    name: str, true: dict[str, Callable[[Any], Any]], mpmath: ModuleType
) -> None:
    function, exact = getattr(elementary, name), true[name]
    errors = {x: ulps(mpmath, function(x), exact(mpmath.mpf(x))) for x in points(name)}
    assert len(errors) > 1500
    worst = max(errors, key=lambda x: errors[x])
    assert errors[worst] <= WORST_ULPS, f"{name}({worst!r})"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_holds_where_hypothesis_looks(
    name: str, true: dict[str, Callable[[Any], Any]], mpmath: ModuleType
) -> None:
    function, exact = getattr(elementary, name), true[name]

    @settings(max_examples=100)
    @given(finite)
    def check(x: float) -> None:
        if name in ("exp", "expm1", "sigmoid", "tanh"):
            assume(abs(x) < 1000)
        elif name == "log1p":
            assume(x > -1)
        else:
            assume(x > 0)
        assert ulps(mpmath, function(x), exact(mpmath.mpf(x))) <= WORST_ULPS

    check()


@pytest.mark.parametrize("name", NAMES)
def test_near_its_special_points_a_function_is_as_good_as_anywhere(
    name: str, true: dict[str, Callable[[Any], Any]], mpmath: ModuleType
) -> None:
    """A few doubles to both sides of 0, 1, whole multiples of log(2)/2, the edges of subnormals and of overflow."""
    function, exact = getattr(elementary, name), true[name]
    centres = [0.0, 1.0, -1.0, 0.5**0.5, 2.0**0.5, 2.0, 10.0, SMALLEST_NORMAL, LARGEST, 2.0**-30, 2.0**-60, 25.0]
    centres += [k * math.log(2) / 2 for k in (-2150, -2149, -2043, -3, -2, -1, 1, 2, 3, 107, 2047, 2048)]
    for centre in centres:
        for step in range(-6, 7):
            x = centre + step * math.ulp(centre)
            if "log" in name or name == "sqrt":
                if x <= (-1 if name == "log1p" else 0) or x == INF:
                    continue
            elif abs(x) > 1000:
                continue
            assert ulps(mpmath, function(x), exact(mpmath.mpf(x))) <= WORST_ULPS, f"{name}({x!r})"


# --- what is exact -----------------------------------------------------------------------------------------------


@given(st.floats(min_value=0.0, allow_infinity=True, allow_nan=False))
@example(0.0)
@example(LARGEST)
@example(SMALLEST)
@example(1 - 2.0**-53)
@example(1 + 2.0**-52)
@example(4 - 2.0**-51)
@settings(max_examples=1000)
def test_a_square_root_is_the_double_nearest_to_the_true_root(x: float) -> None:
    assert elementary.sqrt(x) == math.sqrt(x)  # which IEEE 754 asks to be rounded rightly


def test_roots_next_to_the_middle_between_two_doubles_are_rounded_to_the_right_side() -> None:
    """They are as near to it as can be: N² = m·2^106 + c with a small c, for the middle N/2^53 and a double m.

    N is a root of c modulo 2^55, found bit by bit: with c = 1 modulo 8, one modulo 2^k leads to one modulo 2^(k+1).
    """
    for c in range(-399, 400, 8):
        root = 1
        for k in range(3, 55):
            root += (root * root - c >> k & 1) << (k - 1)
        middle = max(root % 2**54, -root % 2**54)
        m = math.ldexp(middle * middle - c, -106)
        assert 1 <= m < 4
        assert elementary.sqrt(m) == math.sqrt(m)


@pytest.mark.parametrize("n", [-1074, -1073, -1023, -1022, -1, 0, 1, 52, 1023])
def test_powers_of_two_have_exact_logarithms_and_come_back(n: int) -> None:
    power = math.ldexp(1.0, n)
    assert elementary.log2(power) == n
    assert elementary.pow(2.0, float(n)) == power


def test_powers_of_ten_have_exact_logarithms() -> None:
    assert [elementary.log10(10.0**k) for k in range(23)] == list(range(23))


@given(st.integers(-(2**53), 2**53), st.integers(0, 20))
@many
def test_a_whole_power_that_is_a_double_is_found_exactly(base: int, exponent: int) -> None:
    assume(abs(base) ** exponent <= 2**53)
    assert elementary.pow(float(base), float(exponent)) == base**exponent


@given(st.floats(-1e150, 1e150), st.floats(-1e150, 1e150))
def test_a_sum_and_its_rounding_error_are_the_whole_truth(a: float, b: float) -> None:
    high, low = elementary.two_sum(a, b)
    assert high == a + b
    assert Fraction(high) + Fraction(low) == Fraction(a) + Fraction(b)


@given(st.floats(1e-120, 1e150), st.floats(-1e150, -1e-120))
def test_a_product_and_its_rounding_error_are_the_whole_truth(a: float, b: float) -> None:
    high, low = elementary.two_product(a, b)
    assert high == a * b
    assert Fraction(high) + Fraction(low) == Fraction(a) * Fraction(b)


@given(finite)
def test_tanh_is_odd_and_expm1_and_log1p_leave_the_tiniest_alone(x: float) -> None:
    assert elementary.tanh(-x) == -elementary.tanh(x)
    if abs(x) < 1e-19:
        assert elementary.expm1(x) == elementary.log1p(x) == elementary.tanh(x) == x


# --- powers ------------------------------------------------------------------------------------------------------


def power_error(mpmath: ModuleType, x: float, y: float) -> float:
    """Ulps between ``pow(x, y)`` and the truth for finite x other than 0, x < 0 only with a whole y."""
    value = elementary.pow(x, y)
    logarithm = mpmath.mpf(y) * mpmath.log(abs(mpmath.mpf(x)))
    sign = -1 if x < 0 and y % 2 else 1
    if abs(logarithm) > 800:
        return 0.0 if value == (sign * INF if logarithm > 0 else 0.0) else INF
    # 40 digits suffice: an error of 1e-40 in a logarithm below 800 is one of 1e-37 in the power.
    return ulps(mpmath, value, sign * mpmath.exp(logarithm))


def bases_and_exponents(count: int) -> Iterator[tuple[float, float]]:
    rng = Random("powers")
    for _ in range(count):
        x = any_double(rng)
        if x != 1.0:
            yield x, rng.uniform(-745, 745) / math.log(x)  # the whole range of results
        yield x, float(rng.randrange(-40, 40))
        x = 1.0 + rng.uniform(-1, 1) * 10.0 ** rng.uniform(-16, -0.01)
        if x != 1.0:
            y = rng.uniform(-745, 745) / math.log(x)
            yield x, y  # near 1 with a huge exponent, ...
            yield -x, float(int(y))  # ... a whole one, with either sign, ...
            yield rng.uniform(0, 0.99), y * rng.random()
        yield float(-rng.randrange(2, 100)), float(rng.randrange(-600, 600))
        yield rng.uniform(0, 10), rng.uniform(-100, 100)
        x = rng.uniform(0.01, 0.99)
        yield x, -rng.uniform(708.3, 745.2) / math.log(x)  # ... and where results are subnormal
        yield rng.randrange(1, 1 << 52) * SMALLEST, rng.uniform(-1, 1)
        x = rng.choice([0.5, 2.0]) ** rng.uniform(0.49, 0.51)  # the logarithm's series is at its slowest
        yield x, rng.choice([1, -1]) * rng.uniform(690, 709) / math.log(x)


def test_powers_are_within_an_ulp_of_the_truth(mpmath: ModuleType) -> None:
    errors = {(x, y): power_error(mpmath, x, y) for x, y in bases_and_exponents(350)}
    assert len(errors) > 3000
    worst = max(errors, key=lambda pair: errors[pair])
    assert errors[worst] <= WORST_ULPS, f"pow{worst!r}"


@given(finite, finite)
@example(1 + 2.0**-52, 2.0**31 - 1)  # the longest way by squaring
@example(1 - 2.0**-53, -(2.0**31 - 1))
@example(1 + 2.0**-52, 2.0**31)  # and the first that goes through the logarithm
@example(1 - 2.0**-53, 2.0**62)
@example(-1 - 2.0**-52, 2.0**53 + 2)
@example(-3.0, -645.0)
@example(-2.0, -1074.0)
@example(2.0, 1023.0)
@example(2.0, 1024.0)
@example(SMALLEST, SMALLEST)
@example(LARGEST, 1.0)
@example(SMALLEST, -1.0)
@many
def test_powers_hold_where_hypothesis_looks(mpmath: ModuleType, x: float, y: float) -> None:
    assume(x != 0)
    if x < 0 and y != int(y):
        assert math.isnan(elementary.pow(x, y))
    else:
        assert power_error(mpmath, x, y) <= WORST_ULPS


@given(finite, finite)
def test_no_power_recurses_or_raises(x: float, y: float) -> None:
    elementary.pow(x, y)


POWERS = [
    # to the 0, and of 1: always 1
    *[(x, zero, 1.0) for x in (0.0, -0.0, 1.0, -2.5, INF, -INF, NAN) for zero in (0.0, -0.0)],
    *[(1.0, y, 1.0) for y in (0.5, -3.0, 1e300, INF, -INF, NAN)],
    # nan otherwise stays nan, and a negative base needs a whole exponent
    *[(NAN, 1.0, NAN), (NAN, INF, NAN), (2.0, NAN, NAN), (0.0, NAN, NAN), (-INF, NAN, NAN)],
    *[(-1.0, 0.5, NAN), (-8.0, 1 / 3, NAN), (-LARGEST, SMALLEST, NAN), (-SMALLEST, -2.5, NAN)],
    # a zero base keeps its sign for odd exponents alone
    *[(0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (0.0, 2.0, 0.0), (-0.0, 2.0, 0.0), (0.0, 0.5, 0.0), (-0.0, 0.5, 0.0)],
    *[(0.0, -3.0, INF), (-0.0, -3.0, -INF), (0.0, -2.0, INF), (-0.0, -2.0, INF), (0.0, -0.5, INF), (-0.0, -0.5, INF)],
    *[(-0.0, 2.0**53, 0.0), (-0.0, 2.0**53 - 1, -0.0), (-0.0, INF, 0.0), (-0.0, -INF, INF), (0.0, -INF, INF)],
    # infinite exponents
    *[(-1.0, INF, 1.0), (-1.0, -INF, 1.0), (0.5, INF, 0.0), (-0.5, INF, 0.0), (0.5, -INF, INF), (-0.5, -INF, INF)],
    *[(2.0, INF, INF), (-2.0, INF, INF), (2.0, -INF, 0.0), (-2.0, -INF, 0.0), (INF, INF, INF), (-INF, -INF, 0.0)],
    # infinite bases
    *[(INF, 0.5, INF), (INF, -0.5, 0.0), (INF, SMALLEST, INF), (-INF, 3.0, -INF), (-INF, 2.0, INF), (-INF, 0.5, INF)],
    *[(-INF, -3.0, -0.0), (-INF, -2.0, 0.0), (-INF, -0.5, 0.0)],
    # too large and too small
    *[(10.0, 309.0, INF), (-10.0, 309.0, -INF), (10.0, -324.0, 0.0), (-10.0, -325.0, -0.0), (-10.0, 310.0, INF)],
    *[(2.0, 1e300, INF), (2.0, -1e300, 0.0), (0.5, 1e300, 0.0), (LARGEST, LARGEST, INF), (SMALLEST, LARGEST, 0.0)],
    *[(-1.0, 3.0, -1.0), (-1.0, 1e300, 1.0), (-1.0, -(2.0**53) + 1, -1.0), (2.0, SMALLEST, 1.0)],
]


def same(a: float, b: float) -> bool:
    """Equal, with the sign of zero, and nan equal to itself."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b and math.copysign(1, a) == math.copysign(1, b)


@pytest.mark.parametrize(("x", "y", "power"), POWERS)
def test_the_special_powers_are_those_of_c99(x: float, y: float, power: float) -> None:
    assert same(elementary.pow(x, y), power)


def test_pythons_own_powers_have_the_same_table() -> None:
    """Where ``math.pow`` raises, which it does for infinite results of finite numbers and for nan from numbers."""
    for x, y, power in POWERS:
        try:
            assert same(math.pow(x, y), power), f"{x!r} to {y!r}"
        except (OverflowError, ValueError):
            assert not math.isfinite(power) and math.isfinite(x)


def test_a_whole_exponent_is_odd_or_even_whatever_its_size() -> None:
    """As doubles, 2**53 + 1 is the even 2**53 and HUGE infinite: the int itself says that it is odd."""
    powers = [
        *[(-1, 2**53 + 1, -1.0), (-1.0, -(2**53) - 1, -1.0), (-1, 2**53 + 2, 1.0), (-1.0, 2.0**53 + 1, 1.0)],
        *[(-1, HUGE + 1, -1.0), (-1, -HUGE - 1, -1.0), (-1, HUGE, 1.0), (1, HUGE + 1, 1.0), (NAN, HUGE, NAN)],
        *[(0.5, HUGE, 0.0), (0.5, -HUGE, INF), (2.0, HUGE + 1, INF), (2.0, -HUGE, 0.0), (-2.0, HUGE, INF)],
        *[(-2.0, HUGE + 1, -INF), (-2.0, -HUGE - 1, -0.0), (-0.5, HUGE + 1, -0.0), (-0.5, -HUGE - 1, -INF)],
        *[(-0.0, HUGE + 1, -0.0), (-0.0, -HUGE - 1, -INF), (-0.0, HUGE, 0.0), (0.0, HUGE + 1, 0.0)],
        *[(-INF, HUGE + 1, -INF), (-INF, -HUGE - 1, -0.0), (INF, HUGE + 1, INF)],
        *[(HUGE, 0.5, INF), (-HUGE, 3, -INF), (-HUGE, -3, -0.0), (HUGE, 0, 1.0), (HUGE, NAN, NAN)],
    ]
    for number, (x, y, power) in enumerate(powers):
        assert same(elementary.pow(x, y), power), f"powers[{number}]"


# --- the ends of the range ---------------------------------------------------------------------------------------

ENDS = [
    *[("exp", INF, INF), ("exp", -INF, 0.0), ("exp", 710.0, INF), ("exp", -746.0, 0.0), ("exp", 1e308, INF)],
    *[("exp", 0.0, 1.0), ("exp", -0.0, 1.0), ("exp", SMALLEST, 1.0), ("exp", 709.782712893384, 1.7976931348622732e308)],
    *[("exp", -745.1332191019411, SMALLEST), ("exp", -745.1332191019412, 0.0), ("exp", -LARGEST, 0.0)],
    *[("expm1", INF, INF), ("expm1", -INF, -1.0), ("expm1", 710.0, INF), ("expm1", -1e308, -1.0), ("expm1", 0.0, 0.0)],
    *[("expm1", -0.0, -0.0), ("expm1", SMALLEST, SMALLEST), ("expm1", -SMALLEST, -SMALLEST)],
    *[("sigmoid", INF, 1.0), ("sigmoid", -INF, 0.0), ("sigmoid", 0.0, 0.5), ("sigmoid", -0.0, 0.5)],
    *[("sigmoid", LARGEST, 1.0), ("sigmoid", -LARGEST, 0.0), ("sigmoid", -745.1, SMALLEST)],
    *[("tanh", INF, 1.0), ("tanh", -INF, -1.0), ("tanh", 0.0, 0.0), ("tanh", -0.0, -0.0), ("tanh", -LARGEST, -1.0)],
    *[("tanh", SMALLEST, SMALLEST), ("tanh", 25.0, 1.0)],
    *[("log", INF, INF), ("log", -INF, NAN), ("log", 0.0, -INF), ("log", -0.0, -INF), ("log", -1.0, NAN)],
    *[("log", 1.0, 0.0), ("log", -SMALLEST, NAN), ("log", SMALLEST, -744.4400719213812)],
    *[("log1p", INF, INF), ("log1p", -INF, NAN), ("log1p", -1.0, -INF), ("log1p", -1.5, NAN), ("log1p", 0.0, 0.0)],
    *[("log1p", -0.0, -0.0), ("log1p", SMALLEST, SMALLEST), ("log1p", LARGEST, 709.782712893384)],
    *[("log2", INF, INF), ("log2", 0.0, -INF), ("log2", -0.0, -INF), ("log2", -1.0, NAN), ("log2", 1.0, 0.0)],
    *[("log2", SMALLEST, -1074.0), ("log2", LARGEST, 1024.0), ("log2", -INF, NAN)],
    *[("log10", INF, INF), ("log10", 0.0, -INF), ("log10", -0.0, -INF), ("log10", -1.0, NAN), ("log10", 1.0, 0.0)],
    *[("log10", -INF, NAN)],
    *[("sqrt", INF, INF), ("sqrt", -INF, NAN), ("sqrt", 0.0, 0.0), ("sqrt", -0.0, -0.0), ("sqrt", -SMALLEST, NAN)],
    *[(name, NAN, NAN) for name in NAMES],
]


@pytest.mark.parametrize(("name", "x", "value"), ENDS)
def test_zeros_infinities_and_nan_follow_ieee_754(name: str, x: float, value: float) -> None:
    assert same(getattr(elementary, name)(x), value)


@pytest.mark.parametrize("name", NAMES)
def test_any_number_will_do_and_nothing_else(name: str) -> None:
    function = getattr(elementary, name)
    assert function(1) == function(True) == function(Fraction(1)) == function(1.0)
    with pytest.raises(TypeError, match=r"a number is needed, got str '1'"):
        function("1")
    with pytest.raises(TypeError, match=r"a number is needed, got bytes b'1'"):
        function(b"1")
    with pytest.raises(TypeError):
        function(None)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_too_large_for_a_double_counts_as_infinite(name: str) -> None:
    function = getattr(elementary, name)
    for large in (HUGE, Fraction(HUGE, 3)):
        assert same(function(large), function(INF))
        assert same(function(-large), function(-INF))


# --- portable ----------------------------------------------------------------------------------------------------


def test_the_last_bit_is_the_same_everywhere() -> None:
    """A digest of some thousand results, made once: no C library, processor or Python version may change a bit."""
    rng = Random("bits")
    numbers = [math.ldexp(rng.uniform(-1, 1), rng.randrange(-70, 10)) for _ in range(400)]
    results = [getattr(elementary, name)(x) for name in ("exp", "expm1", "sigmoid", "tanh") for x in numbers]
    results += [getattr(elementary, name)(abs(x)) for name in ("log", "log1p", "log2", "log10") for x in numbers]
    results += [elementary.pow(abs(x), 20 * y) for x, y in zip(numbers, reversed(numbers))]
    assert hashlib.sha256(struct.pack(f"<{len(results)}d", *results)).hexdigest()[:16] == "65d5a329042f86c5"


def test_it_is_built_from_nothing() -> None:
    """No ``math``, no power operator: imports are for the types alone."""
    tree = ast.parse(Path(elementary.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "collections.abc"}
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.Pow))]
