"""exp, log, powers, roots, tanh and sigmoid from +, -, *, / and comparisons alone: a lesson, and portable arithmetic.

``math`` hands its work to the C library of the machine, whose last bit differs from one to the next. Here every step
is one that IEEE 754 rounds in one way only, so that the result is the same double everywhere. Each function is
within 1 ulp (the step from one double to the next) of the true value over all doubles, and nearly always within half
an ulp: it is the double next to the true value.

The recipe is the same throughout:

1. *Reduce.* exp(x) = 2ⁿ·exp(r) with n the whole number nearest to x/ln 2, so |r| ≤ ln 2 / 2;
   log(x) = n·ln 2 + log(m) with x = 2ⁿ·m and m between √½ and √2. ln 2 is taken in three pieces, the first two so
   short that n times the piece is exact (Cody and Waite, Software Manual for the Elementary Functions, 1980).
2. *Sum a series* that converges fast there: exp(r) - 1 = r + r²/2! + r³/3! + ... and, with s = (m - 1)/(m + 1),
   log(m) = log((1 + s)/(1 - s)) = 2·(s + s³/3 + s⁵/5 + ...), because log(1 ± s) = ±s - s²/2 ± s³/3 - ... and the
   even powers cancel.
3. *Round once.* What counts is carried as a pair (high, low) of doubles whose sum is the number, with about 106 bits
   ("double-double": Dekker, A floating-point technique for extending the available precision, Numerische Mathematik
   18, 1971). Only the last step rounds to one double, so the error is a little over half an ulp.

No constant is copied from a table: they are quotients of whole numbers, worked out below. Following IEEE 754 and not
``math``, nothing raises for a number: log(0) is -inf, log(-1) and sqrt(-1) are nan, what is too large is inf; nan gives
nan. Arguments are numbers (``TypeError`` otherwise) and become doubles first: an int is rounded, and one too large
for a double counts as ±inf.
"""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[float, float]
"""A number as the unevaluated sum of two doubles, the second at most half an ulp of the first."""

INFINITY = float("inf")
NAN = float("nan")
_SMALLEST_NORMAL = 1.0 / float(1 << 1022)


# --- exact sums and products -------------------------------------------------------------------------------


def two_sum(a: float, b: float) -> Pair:
    """a + b without error: the rounded sum, and what rounding took away (Knuth, TAOCP vol. 2, 4.2.2)."""
    total = a + b
    b_seen = total - a
    return total, (a - (total - b_seen)) + (b - b_seen)


def _fast_two_sum(a: float, b: float) -> Pair:
    """``two_sum`` for |a| ≥ |b|."""
    total = a + b
    return total, b - (total - a)


_SPLITTER = float((1 << 27) + 1)


def _halves(a: float) -> Pair:
    """``a`` as a sum of two doubles of 26 bits each, so that products of halves are exact (Veltkamp)."""
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def two_product(a: float, b: float) -> Pair:
    """a·b without error: the rounded product, and what rounding took away (Dekker). |a|, |b| below 1e150, and the
    product above 1e-250 or 0, lest a piece overflow or vanish."""
    product = a * b
    a1, a2 = _halves(a)
    b1, b2 = _halves(b)
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def _plus(x: Pair, y: Pair) -> Pair:
    high, low = two_sum(x[0], y[0])
    return _fast_two_sum(high, low + (x[1] + y[1]))


def _times(x: Pair, y: Pair) -> Pair:
    high, low = two_product(x[0], y[0])
    return _fast_two_sum(high, low + (x[0] * y[1] + x[1] * y[0]))


def _over(x: Pair, y: Pair) -> Pair:
    """x / y: one quotient, then a second one of what the first leaves over."""
    quotient = x[0] / y[0]
    high, low = two_product(quotient, y[0])
    rest = ((x[0] - high) - low) + (x[1] - quotient * y[1])
    return _fast_two_sum(quotient, rest / y[0])


# --- constants, from whole numbers -------------------------------------------------------------------------


def _quotient(numerator: int, denominator: int) -> Pair:
    """numerator / denominator as a pair. Python rounds a quotient of two ints once, whatever their size."""
    high = numerator / denominator
    top, bottom = high.as_integer_ratio()
    return high, (numerator * bottom - top * denominator) / (denominator * bottom)


_BITS = 200  # of the fixed-point numbers that constants are worked out in: far more than the 106 of a pair


def _fixed_log(numerator: int, denominator: int) -> int:
    """log(numerator / denominator) times 2^200, by the series of step 2 above in whole numbers."""
    above, below = numerator - denominator, numerator + denominator  # s = above / below
    power, total, k = (above << _BITS) // below, 0, 1
    while power:
        total += power // k
        power = power * above * above // (below * below)
        k += 2
    return 2 * total


_FIXED_LN2 = _fixed_log(2, 1)
_FIXED_LN10 = 3 * _FIXED_LN2 + _fixed_log(5, 4)  # 10 = 2·2·2·5/4

# ln 2 in pieces: 40 bits, 40 bits, the rest. A whole number of up to 13 bits times 40 bits fits a double's 53.
_LN2_FIRST = (_FIXED_LN2 >> (_BITS - 40)) / (1 << 40)
_LN2_SECOND = ((_FIXED_LN2 >> (_BITS - 80)) & ((1 << 40) - 1)) / (1 << 80)
_LN2_REST = (_FIXED_LN2 & ((1 << (_BITS - 80)) - 1)) / (1 << _BITS)
_PER_LN2 = _quotient(1 << _BITS, _FIXED_LN2)
_PER_LN10 = _quotient(1 << _BITS, _FIXED_LN10)


def _inverse_factorials(count: int) -> list[Pair]:
    """1/1!, 1/2!, 1/3!, ..."""
    inverses, factorial = [], 1
    for k in range(1, count + 1):
        factorial *= k
        inverses.append(_quotient(1, factorial))
    return inverses


# How many terms: the first one left out is below 2^-70 of the sum, which is 1/131072 of a double's last bit.
_EXP_SERIES = _inverse_factorials(17)  # r^17/18! with |r| ≤ 0.347
_LOG_SERIES = [_quotient(1, 2 * k + 1) for k in range(14)]  # s^28/29 with |s| ≤ 0.172
_PAIRED_TERMS = 4  # terms summed as pairs; the others weigh less than 2^-12 and an ordinary double is enough for them


def _series(x: Pair, coefficients: Sequence[Pair]) -> Pair:
    """c₀ + c₁·x + c₂·x² + ... by Horner's rule, from the smallest term up."""
    tail = 0.0
    for coefficient in reversed(coefficients[_PAIRED_TERMS:]):
        tail = tail * x[0] + coefficient[0]
    total = (tail, 0.0)
    for coefficient in reversed(coefficients[:_PAIRED_TERMS]):
        total = _plus(coefficient, _times(x, total))
    return total


# --- powers of two -----------------------------------------------------------------------------------------

# 2^k for k = 512, 256, ..., 1, each with its inverse: multiplying by them is exact.
_STEPS = [(k, float(1 << k), 1.0 / float(1 << k)) for k in (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)]
_SQRT_2 = 1.4142135623730951  # only where one interval ends and the next begins: its last bit does not matter


def _power_of_two(n: int) -> float:
    """2ⁿ for n from -1022 to 1023."""
    return float(1 << n) if n >= 0 else 1.0 / float(1 << -n)


_TINY = _power_of_two(-60)  # a relative change that rounding takes back, many times over


def _split(x: float) -> tuple[float, int]:
    """(m, n) with x = m·2ⁿ exactly and m from √½ to √2, for finite x > 0, subnormal ones as well."""
    n = 0
    if x < _SMALLEST_NORMAL:
        x *= float(1 << 54)
        n = -54
    for k, power, inverse in _STEPS:
        if x >= power:
            x *= inverse
            n += k
        elif x * power < 2.0:
            x *= power
            n -= k
    return (x * 0.5, n + 1) if x > _SQRT_2 else (x, n)


def _scaled(x: Pair, n: int) -> float:
    """x·2ⁿ rounded once, for x[0] from 0.5 to 2: infinite or zero where it lies outside of the doubles."""
    if n > 1100 or n < -1100:
        return INFINITY if n > 0 else 0.0
    if n > 1022:
        return (x[0] + x[1]) * _power_of_two(1022) * _power_of_two(n - 1022)
    if n >= -1021:
        return (x[0] + x[1]) * _power_of_two(n)
    # Subnormal, perhaps. Rounding to 53 bits first and to fewer afterwards would round twice; so stay 2^200 above,
    # and let a sum with 2^(200 - 1022) round to the very bits that will be left.
    lift = _power_of_two(n + 200)
    high, low = x[0] * lift, x[1] * lift
    edge = _SMALLEST_NORMAL * _power_of_two(200)
    if high < edge:
        total, rest = two_sum(edge, high)
        return ((total + (rest + low)) - edge) * _power_of_two(-200)
    return (high + low) * _power_of_two(-200)


def _real(x: float) -> float:
    if isinstance(x, (str, bytes, bytearray)):
        raise TypeError(f"a number is needed, got {type(x).__name__} {x!r}")
    try:
        return float(x)
    except OverflowError:  # an int, or a fraction of ints
        return INFINITY if x > 0 else -INFINITY


# --- exponentials ------------------------------------------------------------------------------------------


def _exp_less_1(x: Pair) -> tuple[Pair, int]:
    """(y, n) with exp(x) = 2ⁿ·(1 + y), for |x| up to about 1000."""
    n = int(x[0] * _PER_LN2[0] + (0.5 if x[0] >= 0 else -0.5))
    if not n:
        reduced = x
    else:
        high, low = two_sum(x[0], -n * _LN2_FIRST)  # the products are exact, and so are the sums
        high, lower = two_sum(high, -n * _LN2_SECOND)
        reduced = _fast_two_sum(high, low + lower + (x[1] - n * _LN2_REST))
    return _times(reduced, _series(reduced, _EXP_SERIES)), n


def _exp(x: Pair) -> float:
    if not -1000.0 < x[0] < 1000.0:
        return x[0] if x[0] != x[0] else (INFINITY if x[0] > 0 else 0.0)
    y, n = _exp_less_1(x)
    return _scaled(_plus((1.0, 0.0), y), n)


def _expm1(x: float) -> Pair:
    """exp(x) - 1 for 2^-60 ≤ |x| ≤ 700. With exp(x) = 2ⁿ·(1 + y) it is 2ⁿ·((1 - 2⁻ⁿ) + y): no digit is cancelled."""
    y, n = _exp_less_1((x, 0.0))
    high, low = _plus(two_sum(1.0, -_power_of_two(-n)), y)
    power = _power_of_two(n)
    return high * power, low * power


def exp(x: float) -> float:
    """eˣ."""
    return _exp((_real(x), 0.0))


def expm1(x: float) -> float:
    """eˣ - 1, also where eˣ is so near to 1 that the difference would be nothing but rounding."""
    x = _real(x)
    if -_TINY < x < _TINY:
        return x  # the next term, x²/2, is below 2^-61 of it
    if not x > -50.0:
        return -1.0 if x == x else x
    if x > 700.0:
        return exp(x)
    high, low = _expm1(x)
    return high + low


def sigmoid(x: float) -> float:
    """1 / (1 + e⁻ˣ); written as eˣ / (1 + eˣ) for negative x, where it keeps all its digits down to 5e-324."""
    x = _real(x)
    if x < -100.0:
        return exp(x)  # 1 + eˣ is 1 to 144 bits
    if not x < 100.0:
        return 1.0 if x == x else x
    one = (1.0, 0.0)
    y, n = _exp_less_1((-x if x >= 0 else x, 0.0))
    power = _power_of_two(n)
    high, low = _plus(one, y)
    power_of_e = (high * power, low * power)
    high, low = _over(one if x >= 0 else power_of_e, _plus(one, power_of_e))
    return high + low


def tanh(x: float) -> float:
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ), as t / (t + 2) with t = e²ˣ - 1: for x ≥ 0 nothing cancels, and tanh(-x) = -tanh(x)."""
    x = _real(x)
    size = -x if x < 0 else x
    if size * size < _TINY:
        return x  # the next term, x³/3, is below 2^-61 of it
    if not size < 25.0:
        return x if x != x else (1.0 if x > 0 else -1.0)
    t = _expm1(2.0 * size)
    high, low = _over(t, _plus(t, (2.0, 0.0)))
    return high + low if x > 0 else -(high + low)


# --- logarithms --------------------------------------------------------------------------------------------


def _log_near_1(m: Pair) -> Pair:
    """log(m) for m from about √½ to √2, to some 70 bits, relative: near 1 as well, for m - 1 is exact."""
    s = _over(_plus(m, (-1.0, 0.0)), _plus(m, (1.0, 0.0)))
    high, low = _times(s, _series(_times(s, s), _LOG_SERIES))
    return 2.0 * high, 2.0 * low


def _log(x: Pair) -> Pair:
    """log(x) for a finite x > 0."""
    m, n = _split(x[0])
    # The low half gets the same factor in two steps, as 2⁻ⁿ alone may lie outside of the doubles.
    half = n // 2
    log_m = _log_near_1((m, x[1] * _power_of_two(-half) * _power_of_two(half - n)))
    if not n:
        return log_m
    log_power = _plus((n * _LN2_FIRST, 0.0), two_sum(n * _LN2_SECOND, n * _LN2_REST))
    return _plus(log_power, log_m)


def _log_at_the_edge(x: float) -> float:
    """The logarithm, to any base, of what is not a finite number above 0."""
    return -INFINITY if x == 0 else NAN if x < 0 else x


def _has_log(x: float) -> bool:
    return 0.0 < x < INFINITY


def log(x: float) -> float:
    """The natural logarithm: -inf for 0, nan below."""
    x = _real(x)
    if not _has_log(x):
        return _log_at_the_edge(x)
    high, low = _log((x, 0.0))
    return high + low


def log1p(x: float) -> float:
    """log(1 + x), with 1 + x kept as a pair, so that no digit of a small x is lost. -inf for -1, nan below."""
    x = _real(x)
    if -_TINY < x < _TINY:
        return x  # the next term, x²/2, is below 2^-61 of it
    if not -1.0 < x < INFINITY:
        return _log_at_the_edge(1.0 + x)
    high, low = _log(two_sum(1.0, x))
    return high + low


def log2(x: float) -> float:
    """The logarithm to base 2: exact for powers of two, as the exponent is never multiplied by anything."""
    x = _real(x)
    if not _has_log(x):
        return _log_at_the_edge(x)
    m, n = _split(x)
    high, low = _plus((float(n), 0.0), _times(_log_near_1((m, 0.0)), _PER_LN2))
    return high + low


def log10(x: float) -> float:
    """The logarithm to base 10: exact for powers of ten."""
    x = _real(x)
    if not _has_log(x):
        return _log_at_the_edge(x)
    high, low = _times(_log((x, 0.0)), _PER_LN10)
    return high + low


# --- roots and powers --------------------------------------------------------------------------------------


def sqrt(x: float) -> float:
    """The square root by Newton's method: the double nearest to the true root. nan below 0, -0.0 for -0.0.

    For m = x / 4ᵏ, from 1 to 4, a root of f(s) = s² - m is looked for along tangents: s ← s - f(s)/f'(s) = (s + m/s)/2.
    From the chord (m + 2)/3, less than 0.06 off, relative, each step squares the error and halves it: 2e-3, 2e-6,
    2e-12, then rounding. One more step is made with an exact s², so that s and its correction have 100 bits between
    them. No root of a double below 4 rounds to 2, but the largest such comes so near to halfway that the sum might.
    """
    x = _real(x)
    if not _has_log(x):
        return NAN if x < 0 else x
    m, n = _split(x)
    doublings = n % 2 if m >= 1.0 or n % 2 else 2
    m *= float(1 << doublings)
    s = (m + 2.0) / 3.0
    for _ in range(4):
        s = 0.5 * (s + m / s)
    high, low = two_product(s, s)
    s += ((m - high) - low) / (2.0 * s)
    return min(s, _BELOW_2) * _power_of_two((n - doublings) // 2)


_BELOW_2 = 2.0 - 1.0 / float(1 << 52)
_LARGEST_BY_SQUARING = float(1 << 31)  # 62 products at most; beyond, it is as exact, and longer than the logarithm


def pow(x: float, y: float) -> float:
    """xʸ: by squaring for whole y below 2^31, otherwise as exp(y·log x) with a logarithm of 70 bits.

    nan for a negative x and a y that is not whole; ±inf for a zero x and a negative y. x⁰ and 1ʸ are 1, whatever the
    other is. The cases of zeros and infinities are those of C99, annex F.9.4.4. An int y is odd or even as it is given,
    before it becomes a double, all of which are even from 2^53 on.
    """
    exact_y, x, y = y, _real(x), _real(y)
    if y == 0 or x == 1:
        return 1.0
    if x != x or y != y:
        return NAN
    size = -x if x < 0 else x
    if y in (INFINITY, -INFINITY):
        result = 1.0 if size == 1 else (INFINITY if (size > 1) == (y > 0) else 0.0)
    else:
        whole = int(y)
        if x < 0 and whole != y and size != INFINITY:
            return NAN
        result = _positive_power(size, y, whole)
    odd = (exact_y if isinstance(exact_y, int) else y) % 2 == 1  # never of inf, whose remainder is nan
    # -0.0 == 0.0, and Python does not divide by either: only the digits tell them apart.
    return -result if odd and (x < 0 or repr(x) == "-0.0") else result


def _positive_power(x: float, y: float, whole: int) -> float:
    """xʸ for x from 0 to inf and a finite y other than 0; ``whole`` is the whole part of y."""
    if x == 0 or x == INFINITY:
        return 0.0 if (x == 0) == (y > 0) else INFINITY
    if x == 1:
        return 1.0
    if whole == y and -_LARGEST_BY_SQUARING < y < _LARGEST_BY_SQUARING:
        return _by_squaring(x, whole)
    logarithm = _log((x, 0.0))
    rough = y * logarithm[0]
    if not -1000.0 < rough < 1000.0:
        return INFINITY if rough > 0 else 0.0
    if -_TINY < rough < _TINY:
        return 1.0
    return _exp(_times((y, 0.0), logarithm))


def _by_squaring(x: float, exponent: int) -> float:
    """x to a whole exponent, for a finite x > 0: square for every binary digit, multiply by x where it is a 1.

    The running power is a pair from √½ to √2 and a separate exponent of two, so that it can neither overflow nor lose
    digits on the way; a negative exponent is one division at the end.
    """
    m, n = _split(x)
    power, power_exponent = (1.0, 0.0), 0
    for digit in bin(abs(exponent))[2:]:
        power, power_exponent = _normal(_times(power, power), 2 * power_exponent)
        if digit == "1":
            power, power_exponent = _normal(_times(power, (m, 0.0)), power_exponent + n)
    if exponent < 0:
        return _scaled(_over((1.0, 0.0), power), -power_exponent)
    return _scaled(power, power_exponent)


def _normal(x: Pair, n: int) -> tuple[Pair, int]:
    """The same x·2ⁿ with x from √½ to √2, for an x that is at most one doubling or halving away from there."""
    if x[0] > _SQRT_2:
        return (0.5 * x[0], 0.5 * x[1]), n + 1
    if x[0] < 0.5 * _SQRT_2:
        return (2.0 * x[0], 2.0 * x[1]), n - 1
    return x, n
