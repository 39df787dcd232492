"""The arithmetic of exported C programs: functions that compute a network's steps in whole numbers.

A row of numbers is a *block*: 32-bit numbers that share an exponent e, each of which stands for number / 2^e. This is
the block floating point of the fast engine, a row at a time. No number of a block is larger than 2^30, which ``put``
sees to by halving a block as often as its largest number needs; and ``c_source`` writes weights such that those of one
output add up to less than 2^31. So every sum fits into 64 bits, whatever the input.

Powers of e come from 2^n and a Taylor series within half a power of two; logarithms from the series of 2 artanh(s), s =
(v - 1) / (v + 1); the logistic function and the hyperbolic tangent from powers of e; the tail of the normal
distribution, for GELU, from a table between whose entries a cubic has the right values and slopes at both ends
(Hermite). All are right to about 2^-29.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

LARGEST = 2**30  # number of a block
STEPS = 32  # entries of the table of the normal distribution for each 1 of its argument
END = 6  # where it ends: there the tail is 1e-9


def normal_tables() -> tuple[list[int], list[int]]:
    """1 - Φ at 0, 1/32, ..., 6 and its slopes there, a step long, both times 2^30."""
    points = [k / STEPS for k in range(END * STEPS + 1)]
    tails = [0.5 * math.erfc(v * math.sqrt(0.5)) for v in points]
    slopes = [-math.exp(-0.5 * v * v) / math.sqrt(2.0 * math.pi) / STEPS for v in points]
    return [round(v * 2**30) for v in tails], [round(v * 2**30) for v in slopes]


def needed(names: Iterable[str]) -> list[str]:
    """The text of these functions and of those that they call, in an order in which C can read them."""
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += FUNCTIONS[name][0]
    return [text for name, (_, text) in FUNCTIONS.items() if name in wanted]


# Each with the others that it calls, those before it.
FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "moved": (
        (),
        """\
/* value / 2^bits, rounded to the nearest; for bits below 0, value * 2^-bits. Neither is ever larger than 2^62. */
static int64_t moved(int64_t value, int bits)
{
    const int64_t most = (int64_t)1 << 62, size = value < 0 ? -value : value;
    int64_t result;

    if (bits > 62 || size == 0) return 0;
    if (bits > 0) result = (size + ((int64_t)1 << (bits - 1))) >> bits;
    else if (bits < -62 || size > most >> -bits) result = most;
    else result = size * ((int64_t)1 << -bits);
    return value < 0 ? -result : result;
}""",
    ),
    "first_bits": (
        (),
        """\
/* Bits that numbers of such an exponent have to be moved for it to be at most 60. */
static int first_bits(int exponent)
{
    return exponent > 60 ? exponent - 60 : 0;
}""",
    ),
    "beyond": (
        (),
        """\
/* Bits by which sums with such an exponent have to be moved for a bias with that scale to be added to them: moved to
 * their exponent it must not be larger than 2^61. */
static int beyond(int exponent, int bias_scale)
{
    return exponent - bias_scale > 31 ? exponent - bias_scale - 31 : 0;
}""",
    ),
    "put": (
        ("moved",),
        """\
/* Makes a wide number one of a block whose numbers were all moved by so many bits. If it is larger than LARGEST then,
 * it is moved by more, and those before it as well. Returns how many bits it is now. */
static int put(int32_t *block, int32_t index, int bits, int64_t wide)
{
    int64_t value = moved(wide, bits);
    int more = 0;
    int32_t k;

    while (value > LARGEST || value < -LARGEST) {
        more++;
        value = moved(wide, bits + more);
    }
    for (k = 0; more > 0 && k < index; k++) block[k] = (int32_t)moved(block[k], more);
    block[index] = (int32_t)value;
    return bits + more;
}""",
    ),
    "linear": (
        ("first_bits", "beyond", "put"),
        """\
/* Each output: its bias and the sum of weight * input. The weights (outputs x inputs) are times 2^scale, and of each
 * output their sizes add up to less than 2^31: so no sum is larger than 2^31 * 2^30 = 2^61. The biases are times
 * 2^bias_scale, and at most 2^30: see beyond. */
static int linear(const int32_t *x, int exponent, int32_t *y, const int32_t *weight, int scale, const int32_t *bias,
                  int bias_scale, int32_t inputs, int32_t outputs)
{
    const int less = beyond(exponent + scale, bias_scale), reached = exponent + scale - less;
    int bits = first_bits(reached);
    int32_t i, j;

    for (j = 0; j < outputs; j++) {
        int64_t sum = 0;
        for (i = 0; i < inputs; i++) sum += (int64_t)*weight++ * x[i];
        bits = put(y, j, bits, moved(sum, less) + moved(bias[j], bias_scale - reached));
    }
    return reached - bits;
}""",
    ),
    "window": (
        (),
        """\
/* A window that moves over images: their channels, height and width, how often it stands beneath and beside itself,
 * its own height and width, its steps down and to the right, and where it begins above and left of the image. */
struct window {
    int32_t channels, height, width, rows, columns, tall, wide, down, right, above, before;
};""",
    ),
    "convolution": (
        ("first_bits", "beyond", "put"),
        """\
/* Each filter at each position: its bias and the sum of weight * what the window sees there in all channels. The
 * weights are filters x channels x height x width of the window, times 2^scale, and of each filter their sizes add up
 * to less than 2^31: so no sum is larger than 2^31 * 2^30 = 2^61. The biases are at most 2^30: see beyond. */
static int convolution(const int32_t *x, int exponent, int32_t *y, const int32_t *weight, int scale,
                       const int32_t *bias, int bias_scale, const struct window *w, int32_t filters)
{
    const int less = beyond(exponent + scale, bias_scale), reached = exponent + scale - less;
    int bits = first_bits(reached);
    int32_t filter, row, column, channel, i, j, index = 0;

    for (filter = 0; filter < filters; filter++) {
        const int32_t *weights = weight + filter * w->channels * w->tall * w->wide;
        const int64_t start = moved(bias[filter], bias_scale - reached);
        for (row = -w->above; row < w->rows * w->down - w->above; row += w->down) {
            for (column = -w->before; column < w->columns * w->right - w->before; column += w->right) {
                const int32_t first_row = row < 0 ? 0 : row, first_column = column < 0 ? 0 : column;
                int64_t sum = 0;
                for (channel = 0; channel < w->channels; channel++) {
                    for (i = first_row; i < row + w->tall && i < w->height; i++) {
                        const int32_t *line = x + (channel * w->height + i) * w->width;
                        const int32_t *taps = weights + (channel * w->tall + i - row) * w->wide;
                        for (j = first_column; j < column + w->wide && j < w->width; j++) {
                            sum += (int64_t)taps[j - column] * line[j];
                        }
                    }
                }
                bits = put(y, index++, bits, moved(sum, less) + start);
            }
        }
    }
    return reached - bits;
}""",
    ),
    "max_pool": (
        (),
        """\
/* The largest number that the window sees, in each channel; the padding never is it. */
static void max_pool(const int32_t *x, int32_t *y, const struct window *w)
{
    int32_t channel, row, column, i, j, index = 0;

    for (channel = 0; channel < w->channels; channel++, x += w->height * w->width) {
        for (row = -w->above; row < w->rows * w->down - w->above; row += w->down) {
            for (column = -w->before; column < w->columns * w->right - w->before; column += w->right) {
                int32_t most = INT32_MIN;
                for (i = row < 0 ? 0 : row; i < row + w->tall && i < w->height; i++) {
                    for (j = column < 0 ? 0 : column; j < column + w->wide && j < w->width; j++) {
                        if (x[i * w->width + j] > most) most = x[i * w->width + j];
                    }
                }
                y[index++] = most;
            }
        }
    }
}""",
    ),
    "average_pool": (
        ("first_bits", "put"),
        """\
/* The mean of what the window sees, in each channel, with zeros in the padding. It is worked out times 2^finer, which
 * leaves the sum of tall * wide numbers below 2^62. */
static int average_pool(const int32_t *x, int exponent, int32_t *y, const struct window *w, int finer)
{
    int bits = first_bits(exponent + finer);
    int32_t channel, row, column, i, j, index = 0;

    for (channel = 0; channel < w->channels; channel++, x += w->height * w->width) {
        for (row = -w->above; row < w->rows * w->down - w->above; row += w->down) {
            for (column = -w->before; column < w->columns * w->right - w->before; column += w->right) {
                int64_t sum = 0;
                for (i = row < 0 ? 0 : row; i < row + w->tall && i < w->height; i++) {
                    for (j = column < 0 ? 0 : column; j < column + w->wide && j < w->width; j++) {
                        sum += x[i * w->width + j];
                    }
                }
                bits = put(y, index++, bits, moved(sum, -finer) / (w->tall * w->wide));
            }
        }
    }
    return exponent + finer - bits;
}""",
    ),
    "embedding": (
        (),
        """\
/* Each whole number becomes the row of the table that it names; -1 if it names none. */
static int embedding(const int32_t *index, int32_t *y, const int32_t *table, int32_t inputs, int32_t count,
                     int32_t width)
{
    int32_t i, k;

    for (i = 0; i < inputs; i++) {
        if (index[i] < 0 || index[i] >= count) return -1;
        for (k = 0; k < width; k++) *y++ = table[index[i] * width + k];
    }
    return 0;
}""",
    ),
    "each_affine": (
        ("first_bits", "beyond", "put"),
        """\
/* number * weight + bias, with a weight and a bias for so many numbers each. The weights are below 2^31, the biases at
 * most 2^30: see beyond. */
static int each_affine(int32_t *x, int exponent, int32_t size, int32_t each, const int32_t *weight, int scale,
                       const int32_t *bias, int bias_scale)
{
    const int less = beyond(exponent + scale, bias_scale), reached = exponent + scale - less;
    int bits = first_bits(reached);
    int32_t i;

    for (i = 0; i < size; i++) {
        const int64_t product = (int64_t)weight[i / each] * x[i];
        bits = put(x, i, bits, moved(product, less) + moved(bias[i / each], bias_scale - reached));
    }
    return reached - bits;
}""",
    ),
    "layer_norm": (
        ("each_affine",),
        """\
/* The whole part of the square root. */
static int64_t square_root(int64_t value)
{
    int64_t root = 0, bit = (int64_t)1 << 60;

    while (bit != 0) {
        if (value >= root + bit) {
            value -= root + bit;
            root += 2 * bit;
        }
        root /= 2;
        bit /= 4;
    }
    return root;
}

/* The block brought to mean 0 and variance 1; returns its exponent, which is given as the result's.
 *
 * With c = size * number - sum, which is exact, it is c / sqrt(mean of c^2 + size^2 * epsilon). The squares are added
 * up times 4^lift, so that the largest c is nearly 2^30, and divided by 2^halvings, which is at least the size, so that
 * their sum stays below 2^61. Epsilon, times size^3 / 2^halvings, is there as a number times 2^-epsilon_bits; ratio is
 * the square root of size / 2^halvings, times 2^30. */
static int standardised(int32_t *x, int exponent, int32_t size, int halvings, int32_t ratio, int32_t epsilon,
                        int epsilon_bits, int result)
{
    int64_t sum = 0, total = 0, largest = 0;
    int bits = 0, lift = 0, up = 0, shift;
    int32_t i;

    for (i = 0; i < size; i++) sum += x[i];
    for (i = 0; i < size; i++) bits = put(x, i, bits, (int64_t)size * x[i] - sum);
    for (i = 0; i < size; i++) {
        if (x[i] > largest) largest = x[i];
        if (-x[i] > largest) largest = -x[i];
    }
    while (largest != 0 && moved(largest, -lift) < LARGEST / 2) lift++;
    for (i = 0; i < size; i++) {
        const int64_t c = moved(x[i], -lift);
        total += moved(c * c, halvings);
    }
    /* The exponent of c^2 is twice that of c, and epsilon has to be added to it; neither may be beyond 2^61. */
    shift = 2 * (exponent - bits + lift) - epsilon_bits;
    if (shift > 30) up = (shift - 29) / 2;
    total = moved(total, 2 * up) + moved(epsilon, 2 * up - shift);
    while (total < (int64_t)1 << 60) {
        if (total == 0) total = 1;
        total *= 4;
        up--;
    }
    total = ratio * LARGEST / square_root(total);
    for (i = 0; i < size; i++) {
        int64_t c = moved(x[i] * total, 60 + up - lift - result);
        if (c > LARGEST) c = LARGEST;
        if (c < -LARGEST) c = -LARGEST;
        x[i] = (int32_t)c;
    }
    return result;
}""",
    ),
    "add": (
        ("first_bits", "put"),
        """\
/* Adds a block to another: at the lesser exponent, and with 30 bits more, their sum is at most 2^61. */
static int add(int32_t *x, int exponent, const int32_t *other, int other_exponent, int32_t size)
{
    const int reached = (exponent < other_exponent ? exponent : other_exponent) + 30;
    int bits = first_bits(reached);
    int32_t i;

    for (i = 0; i < size; i++) {
        bits = put(x, i, bits, moved(x[i], exponent - reached) + moved(other[i], other_exponent - reached));
    }
    return reached - bits;
}""",
    ),
    "copy": (
        (),
        """\
static void copy(const int32_t *x, int32_t *y, int32_t size)
{
    int32_t i;

    for (i = 0; i < size; i++) y[i] = x[i];
}""",
    ),
    "relu": (
        (),
        """\
static void relu(int32_t *x, int32_t size)
{
    int32_t i;

    for (i = 0; i < size; i++) {
        if (x[i] < 0) x[i] = 0;
    }
}""",
    ),
    "leaky_relu": (
        ("moved",),
        """\
/* The slope is times 2^30. */
static void leaky_relu(int32_t *x, int32_t size, int32_t slope)
{
    int32_t i;

    for (i = 0; i < size; i++) {
        if (x[i] < 0) x[i] = (int32_t)moved((int64_t)slope * x[i], 30);
    }
}""",
    ),
    "power": (
        ("moved",),
        """\
/* e^-y times 2^30, for y from 0 on times 2^27: 2^-n e^u with y = n ln 2 - u, where n is a whole number. */
static int64_t power(int64_t y)
{
    int64_t halvings, n, u, value = LARGEST;
    int k;

    if (y >= (int64_t)22 << 27) return 0;
    halvings = y * 1549082005 >> 27; /* y / ln 2, times 2^30 */
    n = (halvings + LARGEST / 2) >> 30;
    u = moved((n * LARGEST - halvings) * 744261118, 30);
    for (k = 9; k > 0; k--) value = LARGEST + moved(u * value, 30) / k;
    return moved(value, (int)n);
}""",
    ),
    "logistic": (
        ("power",),
        """\
/* 1 / (1 + e^-x), times 2^30, of a number of a block. */
static int64_t logistic(int32_t x, int exponent)
{
    const int64_t e = power(moved(x < 0 ? -x : x, exponent - 27));

    return (x < 0 ? e : LARGEST) * LARGEST / (LARGEST + e);
}""",
    ),
    "sigmoid": (
        ("logistic",),
        """\
static int sigmoid(int32_t *x, int exponent, int32_t size)
{
    int32_t i;

    for (i = 0; i < size; i++) x[i] = (int32_t)logistic(x[i], exponent);
    return 30;
}""",
    ),
    "silu": (
        ("logistic",),
        """\
/* x / (1 + e^-x). */
static void silu(int32_t *x, int exponent, int32_t size)
{
    int32_t i;

    for (i = 0; i < size; i++) x[i] = (int32_t)moved(x[i] * logistic(x[i], exponent), 30);
}""",
    ),
    "tanh": (
        ("power",),
        """\
/* The hyperbolic tangent, (1 - e^-2x) / (1 + e^-2x) for x from 0 on. */
static int hyperbolic_tangent(int32_t *x, int exponent, int32_t size)
{
    int32_t i;

    for (i = 0; i < size; i++) {
        const int64_t e = power(moved(x[i] < 0 ? -x[i] : x[i], exponent - 28));
        const int64_t value = (LARGEST - e) * LARGEST / (LARGEST + e);
        x[i] = (int32_t)(x[i] < 0 ? -value : value);
    }
    return 30;
}""",
    ),
    "gelu": (
        ("moved",),
        """\
/* The probability of more than x from 0 on, times 2^30, in the standard normal distribution; x is times 2^25. Between
 * the entries of the table, 1/32 apart, it is the cubic with the values and the slopes at both of them. */
static int64_t normal_tail(int64_t x)
{
    const int64_t part = (x & 1048575) << 10;
    int64_t start, rise, first, last, value;
    int32_t k;

    if (x >= (int64_t)NORMAL_END << 25) return 0;
    k = (int32_t)(x >> 20);
    start = normal_tails[k];
    rise = normal_tails[k + 1] - start;
    first = normal_slopes[k];
    last = normal_slopes[k + 1];
    value = 3 * rise - 2 * first - last + moved((first + last - 2 * rise) * part, 30);
    value = first + moved(value * part, 30);
    return start + moved(value * part, 30);
}

/* x times the probability of less than x in the standard normal distribution. */
static void gelu(int32_t *x, int exponent, int32_t size)
{
    int32_t i;

    for (i = 0; i < size; i++) {
        const int64_t tail = normal_tail(moved(x[i] < 0 ? -x[i] : x[i], exponent - 25));
        x[i] = (int32_t)moved(x[i] * (x[i] < 0 ? tail : LARGEST - tail), 30);
    }
}""",
    ),
    "elu": (
        ("power",),
        """\
/* alpha (e^x - 1) below 0; alpha is times 2^alpha_bits. */
static int elu(int32_t *x, int exponent, int32_t size, int32_t alpha, int alpha_bits)
{
    const int result = exponent < alpha_bits ? exponent : alpha_bits;
    int32_t i;

    for (i = 0; i < size; i++) {
        const int64_t below = x[i] < 0 ? (power(moved(-x[i], exponent - 27)) - LARGEST) * alpha : 0;
        x[i] = (int32_t)(x[i] < 0 ? moved(below, alpha_bits + 30 - result) : moved(x[i], exponent - result));
    }
    return result;
}""",
    ),
    "logarithm": (
        ("moved",),
        """\
/* The logarithm of a number from 1 on, both times 2^30. */
static int64_t logarithm(int64_t value)
{
    int64_t doublings = 0, s, square, series = 0;
    int k;

    while (value >= 2 * LARGEST) {
        value = moved(value, 1);
        doublings++;
    }
    s = (value - LARGEST) * LARGEST / (value + LARGEST);
    square = moved(s * s, 30);
    for (k = 19; k > 0; k -= 2) series = LARGEST / k + moved(square * series, 30);
    return 2 * moved(s * series, 30) + doublings * 744261118; /* ln 2, times 2^30 */
}""",
    ),
    "softplus": (
        ("power", "logarithm"),
        """\
/* log(1 + e^x), which is the larger of x and 0, and log(1 + e^-|x|). Its exponent leaves room for up to 1. */
static int softplus(int32_t *x, int exponent, int32_t size)
{
    const int result = exponent < 29 ? exponent - 1 : 28;
    int32_t i;

    for (i = 0; i < size; i++) {
        const int64_t e = power(moved(x[i] < 0 ? -x[i] : x[i], exponent - 27));
        const int64_t more = moved(logarithm(LARGEST + e), 30 - result);
        x[i] = (int32_t)((x[i] > 0 ? moved(x[i], exponent - result) : 0) + more);
    }
    return result;
}""",
    ),
    "largest": (
        (),
        """\
/* The place of the largest number; of equal ones, that of the first. */
static int32_t largest(const int32_t *x, int32_t size)
{
    int32_t i, at = 0;

    for (i = 1; i < size; i++) {
        if (x[i] > x[at]) at = i;
    }
    return at;
}""",
    ),
    "softmax": (
        ("largest", "power"),
        """\
/* Powers of e divided by their sum; the largest is 1 before that. */
static int softmax(int32_t *x, int exponent, int32_t size)
{
    const int64_t most = x[largest(x, size)];
    int64_t sum = 0;
    int32_t i;

    for (i = 0; i < size; i++) {
        x[i] = (int32_t)power(moved(most - x[i], exponent - 27));
        sum += x[i];
    }
    for (i = 0; i < size; i++) x[i] = (int32_t)(x[i] * LARGEST / sum);
    return 30;
}""",
    ),
    "log_softmax": (
        ("largest", "power", "logarithm", "put"),
        """\
/* The logarithms of softmax. */
static int log_softmax(int32_t *x, int exponent, int32_t size)
{
    const int64_t most = x[largest(x, size)];
    const int reached = exponent < 30 ? exponent : 30;
    int64_t sum = 0;
    int bits = 0;
    int32_t i;

    for (i = 0; i < size; i++) sum += power(moved(most - x[i], exponent - 27));
    sum = moved(logarithm(sum), 30 - reached);
    for (i = 0; i < size; i++) bits = put(x, i, bits, moved(x[i] - most, exponent - reached) - sum);
    return reached - bits;
}""",
    ),
    "exponential": (
        ("power",),
        """\
/* e^x times 2^30 of a number of a block, at most nearly 2. */
static int32_t exponential(int32_t x, int exponent)
{
    int64_t value = power(moved(x < 0 ? -x : x, exponent - 27));

    if (x > 0) value = value < LARGEST / 2 + 1 ? INT32_MAX : LARGEST * LARGEST / value;
    return (int32_t)(value > INT32_MAX ? INT32_MAX : value);
}""",
    ),
    "fixed": (
        ("moved",),
        """\
/* A number of a block times 2^30, as far as 32 bits hold it. */
static int32_t fixed(int32_t x, int exponent)
{
    const int64_t value = moved(x, exponent - 30);

    return (int32_t)(value > INT32_MAX ? INT32_MAX : value < -INT32_MAX ? -INT32_MAX : value);
}""",
    ),
}


def _of_bytes(name: str) -> str:
    """The same function for a row of bytes."""
    start, longer = f"static int {name}(", f"static int {name}_of_bytes("
    text = FUNCTIONS[name][1].replace("\n" + " " * len(start), "\n" + " " * len(longer)).replace(start, longer)
    return text.replace("const int32_t *x", "const uint8_t *x").replace("int32_t *line", "uint8_t *line")


FUNCTIONS.update({f"{name}_of_bytes": (FUNCTIONS[name][0], _of_bytes(name)) for name in ("linear", "convolution")})
