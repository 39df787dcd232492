"""A fitted model as one Python file that needs nothing but Python: weights and arithmetic are inside.

Weights are rounded to whole numbers of 16 to 24 bits times a unit of each layer, and written as base64. What is read
back from it are *lanes*, as in ``engines/lanes``: all weights of an input stand in one big int, 64 bits for each, so
that a multiplication by an int multiplies all of them and an addition adds all of them. A file has the functions that
its own model needs and no others, is ASCII from end to end, and is the same for the same model: it has no date.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from .description import Description, Step, describe, every_step

if TYPE_CHECKING:
    from ..model import Model

COLUMNS = 120  # of a line
LANE_BITS = 62  # of a lane's 64: one is the sign, and one is left over
INPUT_BITS = 28  # at most: CPython multiplies by an int of up to 30 bits in one pass
ROUNDING = 2.0**-17  # what rounding its weights may move the outputs of a layer by, about, for inputs of 1

FEW = 16  # a layer with less than this part of all weights has all their digits: it costs next to nothing
WEIGHTED = ("linear", "convolution", "embedding")

# --- what may stand in a file: Python 3.6 and later, each part as short as it can be and still be read ----------------

CHECKED = '''
def checked(row):
    """The row as a list of floats; ValueError if it is not WIDTH finite numbers."""
    if isinstance(row, str) or not hasattr(row, "__iter__"):
        raise ValueError("expected a row of %d numbers, got %.60s" % (WIDTH, ascii(row)))
    not_bytes, row = not isinstance(row, bytes), list(row)
    if len(row) != WIDTH:
        raise ValueError("expected a row of %d numbers, got %d" % (WIDTH, len(row)))
    for k, v in enumerate(row if not_bytes else ()):
        try:
            finite = math.isfinite(v)
        except (TypeError, OverflowError):
            finite = False
        if not finite:
            raise ValueError("number %d of the row is not a finite number: %.60s" % (k + 1, ascii(v)))
    return list(map(float, row))
'''

LANES = '''
# Weights are whole numbers times a unit. All those of an input share one big int, with a lane of 64 bits for each: one
# product multiplies all of them, one sum adds all of them. A negative lane borrows from the one above it, as sums need
# it to; half a lane's range, added to each, pays that back and leaves numbers that can be cut apart.


def half(count):
    return int.from_bytes(b"\\x80\\0\\0\\0\\0\\0\\0\\0" * count, "big")


def numbers(lanes, count):
    """The signed numbers in so many lanes, the highest first."""
    middle = half(count)
    return struct.unpack(">%dq" % count, ((lanes + middle) ^ middle).to_bytes(8 * count, "big"))


def lanes_of(text, digits, count):
    """Rows of lanes from base64, where each number, plus half its range, takes so many hexadecimal digits."""
    text = binascii.hexlify(binascii.a2b_base64(text))
    size = len(text) // digits
    wide = bytearray(b"0" * 16 * size)
    for k in range(digits):
        wide[16 - digits + k :: 16] = text[k : size * digits : digits]
    offset = half(count) >> 64 - 4 * digits
    wide = binascii.unhexlify(wide)
    return [int.from_bytes(wide[k : k + 8 * count], "big") - offset for k in range(0, 8 * size, 8 * count)]
'''

SCALE = '''
def scale_of(x, bits):
    """What x is multiplied by to become whole numbers of so many bits."""
    top = max(max(map(abs, x)), 1e-200)
    if not top < 1e300:
        raise ValueError("the numbers of this row grow too large")
    return 2.0 ** bits / top
'''

LINEAR = '''
class Linear:
    """x times the weights, plus the bias; inputs are rounded to so many bits that no lane can overflow."""

    def __init__(self, unit, bits, digits, bias, text):
        self.unit, self.bits, self.bias, self.rows = unit, bits, bias, lanes_of(text, digits, len(bias))

    def __call__(self, x):
        scale = scale_of(x, self.bits)
        total = sum(int(v * scale) * lanes for v, lanes in zip(x, self.rows) if v)
        unit = self.unit / scale
        return [v * unit + b for v, b in zip(numbers(total, len(self.bias)), self.bias)]
'''

PLANES = '''
def planes(x, image, padding, border):
    """The lines of each channel of an image, with a border around them."""
    (_, height, width), (above, beside) = image, padding
    side, line = [border] * beside, [border] * (width + 2 * beside)
    for start in range(0, len(x), height * width):
        lines = [side + x[k : k + width] + side for k in range(start, start + height * width, width)]
        yield [line] * above + lines + [line] * above
'''

CONVOLUTION = '''
class Convolution:
    """Filters over an image. All its pixels share one big int here, which is shifted once for each place of a filter
    and then multiplied by the weight there; numbers where a filter would reach beyond a line are left out."""

    def __init__(self, image, out, kernel, stride, padding, unit, bits, digits, bias, text):
        self.image, self.out, self.kernel, self.stride, self.padding = image, out, kernel, stride, padding
        self.unit, self.bits, self.bias = unit, bits, bias
        self.filters = list(zip(*(numbers(row, len(bias)) for row in lanes_of(text, digits, len(bias)))))

    def __call__(self, x):
        scale, width = scale_of(x, self.bits), self.image[2] + 2 * self.padding[1]
        places = [y * width + k for y in range(self.kernel[0]) for k in range(self.kernel[1])]
        totals = [0] * len(self.bias)
        for channel, lines in enumerate(planes(x, self.image, self.padding, 0.0)):
            pixels = [int(v * scale) for line in reversed(lines) for v in reversed(line)]
            size, first = len(pixels), channel * len(places)
            lanes = int.from_bytes(struct.pack(">%dq" % size, *pixels), "big")
            lanes = (lanes ^ half(size)) - half(size)
            shifted = [lanes >> 64 * place for place in places]
            for k, weights in enumerate(self.filters):
                totals[k] += sum(map(operator.mul, shifted, weights[first : first + len(places)]))
        unit, (down, right), y = self.unit / scale, self.stride, []
        for total, b in zip(totals, self.bias):
            found, kept = numbers(total, size)[::-1], []
            for start in range(0, self.out[1] * down * width, down * width):
                kept += found[start : start + self.out[2] * right : right]
            y += [v * unit + b for v in kept]
        return y
'''

POOLED = '''
def pooled(x, joined, border, image, out, kernel, stride, padding):
    """One number for each window that slides over an image: its lines are joined to one, then the columns of that."""
    y = []
    for lines in planes(x, image, padding, border):
        for top in range(0, out[1] * stride[0], stride[0]):
            line = functools.reduce(joined, lines[top : top + kernel[0]])
            columns = [line[left : left + out[2] * stride[1] : stride[1]] for left in range(kernel[1])]
            y += functools.reduce(joined, columns)
    return y
'''

EMBEDDING = '''
class Embedding:
    """A row of numbers for each whole number."""

    def __init__(self, unit, digits, features, text):
        self.rows = [[v * unit for v in numbers(row, features)] for row in lanes_of(text, digits, features)]

    def __call__(self, x):
        for v in x:
            if v % 1 or not 0 <= v < len(self.rows):
                raise ValueError("expected whole numbers from 0 to %d, got %r" % (len(self.rows) - 1, v))
        return [v for k in x for v in self.rows[int(k)]]
'''

FUNCTIONS = {
    "relu": """
def relu(x):
    return [v if v > 0.0 else 0.0 for v in x]
""",
    "leaky_relu": """
def leaky_relu(x, slope):
    return [v if v > 0.0 else slope * v for v in x]
""",
    "elu": """
def elu(x, alpha):
    return [v if v > 0.0 else alpha * math.expm1(v) for v in x]
""",
    "tanh": """
def tanh(x):
    return [math.tanh(v) for v in x]
""",
    "sigmoid": '''
def sigmoid(x):
    """1 / (1 + e^-v), without an exponential that overflows."""
    powers = [math.exp(-abs(v)) for v in x]
    return [(1.0 if v >= 0.0 else e) / (1.0 + e) for v, e in zip(x, powers)]
''',
    "silu": """
def silu(x):
    return [v * s for v, s in zip(x, sigmoid(x))]
""",
    "gelu": """
def gelu(x):
    return [0.5 * v * (1.0 + math.erf(v * math.sqrt(0.5))) for v in x]
""",
    "softplus": '''
def softplus(x):
    """log(1 + e^v), without an exponential that overflows."""
    return [max(v, 0.0) + math.log1p(math.exp(-abs(v))) for v in x]
''',
    "softmax": """
def softmax(x):
    top = max(x)
    powers = [math.exp(v - top) for v in x]
    total = sum(powers)
    return [p / total for p in powers]
""",
    "log_softmax": """
def log_softmax(x):
    top = max(x)
    log_total = top + math.log(sum(math.exp(v - top) for v in x))
    return [v - log_total for v in x]
""",
    "layer_norm": """
def layer_norm(x, weight, bias, epsilon):
    mean = sum(x) / len(x)
    deviation = math.sqrt(sum((v - mean) * (v - mean) for v in x) / len(x) + epsilon)
    return [(v - mean) / deviation * w + b for v, w, b in zip(x, weight, bias)]
""",
    "batch_norm": '''
def batch_norm(x, mean, factor, bias):
    """Each feature by itself; of an image, each channel."""
    each = len(x) // len(mean)
    return [(v - mean[k // each]) * factor[k // each] + bias[k // each] for k, v in enumerate(x)]
''',
    "larger": """
def larger(x, y):
    return [v if v > u else u for v, u in zip(x, y)]
""",
    "added": """
def added(x, y):
    return [v + u for v, u in zip(x, y)]
""",
    "linear": LINEAR,
    "convolution": CONVOLUTION,
    "pooled": POOLED,
    "embedding": EMBEDDING,
    "planes": PLANES,
    "scale_of": SCALE,
    "lanes": LANES,
}

# Functions that a part calls, beside itself; in the order of the file each stands before those that need it.
NEEDS = {
    "silu": ["sigmoid"],
    "linear": ["lanes", "scale_of"],
    "convolution": ["lanes", "scale_of", "planes"],
    "embedding": ["lanes"],
    "max_pool": ["planes", "larger", "pooled"],
    "average_pool": ["planes", "added", "pooled"],
    "residual": ["added"],
}

MODULES = ["binascii", "functools", "math", "operator", "struct", "sys"]

# Python 2 reads the file until here; MicroPython says that it is 3.4.
TOO_OLD = """
if sys.version_info < (3,):
    sys.exit("needs Python 3.6 or later")
"""

DOCUMENTATION = '''
"""A trained neural network that {what}, for wherever there is Python 3.6 or later and nothing else.

A row is {row}.
In a program, with this file beside it as model.py:

    from model import {names}

As a command, for rows of CSV with or without a header line of names:

    python model.py {option}< rows.csv > predictions.csv

Made by scratchnn of a model with the weights of SHA-256
{digest}
"""
'''

# What predict makes of the outputs, and where there are probabilities, predict_proba.
ANSWERS = {
    "classes": '''
def predict(row):
    """The class of a row of WIDTH numbers, one of CLASSES; ValueError for anything else."""
    y = outputs(row)
    return CLASSES[y.index(max(y))]


def predict_proba(row):
    """The probability of each of CLASSES, in their order."""
    return {probabilities}
''',
    "two classes": '''
def predict(row):
    """The class of a row of WIDTH numbers, one of CLASSES; ValueError for anything else."""
    return CLASSES[predict_proba(row)[1] >= 0.5]


def predict_proba(row):
    """The probability of each of CLASSES, in their order."""
    y = {probabilities}
    return [1.0 - y[0], y[0]]
''',
    "labels": '''
def predict(row):
    """For a row of WIDTH numbers 1 or 0 for each label, whether it is there; ValueError for anything else."""
    return [int(p >= 0.5) for p in predict_proba(row)]


def predict_proba(row):
    """The probability of each label, by itself."""
    return {probabilities}
''',
    "values": '''
def predict(row):
    """The values for a row of WIDTH numbers, a list; ValueError for anything else."""
    return outputs(row)
''',
    "value": '''
def predict(row):
    """The value for a row of WIDTH numbers; ValueError for anything else."""
    return outputs(row)[0]
''',
}
PROBABILITIES = {
    "softmax": "softmax(outputs(row))",
    "exp": "[math.exp(min(v, 709.78)) for v in outputs(row)]",  # beyond that it is none of a double's numbers
    "sigmoid": "sigmoid(outputs(row))",
    "identity": "outputs(row)",
}

COMMAND = '''
def rows_of(lines):
    """The rows of CSV; with a header line that names all FEATURES, these columns of it."""
    columns, width = range(WIDTH), WIDTH
    for number, fields in enumerate(filter(None, lines)):
        if number == 0 and (fields == FEATURES or not any(map(is_number, fields))):
            missing = sorted(set(FEATURES) - set(fields), key=FEATURES.index)
            if missing:
                raise ValueError("the header line does not name %r (commas separate names)" % missing[0])
            if FEATURES:
                columns, width = [fields.index(name) for name in FEATURES], len(fields)
        elif len(fields) != width:
            raise ValueError("expected %d columns, got %d" % (width, len(fields)))
        else:
            yield [float(fields[k]) for k in columns]


def is_number(text):
    try:
        return float(text) is not None
    except ValueError:
        return False


def main(options):
    """Predict for rows of CSV from standard input; the exit code."""
    import csv  # here, as only the command needs them
    import io
    import os

    if options not in {allowed}:
        (sys.stdout if options == ["--help"] else sys.stderr).write(__doc__)
        return 0 if options == ["--help"] else 2
    text = io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", "surrogateescape", newline="")
    lines = csv.reader(line for line in text if line.encode())  # UnicodeError if it was not UTF-8
    stream = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "backslashreplace", newline="", line_buffering=True)
    write = csv.writer(stream, lineterminator="\\n").writerow
    try:
{head}        for row in rows_of(lines):
            write({line})
        return 0
    except UnicodeError:  # at a line that csv has not seen
        message = "line %d: not UTF-8" % (lines.line_num + 1)
    except (ValueError, csv.Error) as error:
        message = "line %d: %s" % (lines.line_num, ascii(str(error))[1:-1])
    except KeyboardInterrupt:
        os._exit(130)
    except BrokenPipeError:  # nobody reads on
        os._exit(141)
    except OSError as error:  # such as a full disk
        os.write(2, b"error: %s\\n" % error.strerror.encode())
        os._exit(2)
    sys.stderr.write("error: %s\\n" % message)
    return 2
'''

PROBA_HEAD = """        if options:
            write(["prediction"] + CLASSES)
"""
LINES = {
    "classes": '[predict(row)] + (["%.6g" % p for p in predict_proba(row)] if options else [])',
    "labels": '["%.6g" % p for p in predict_proba(row)] if options else predict(row)',
    "values": "predict(row)",
    "value": "[predict(row)]",
}

# --- putting a file together ----------------------------------------------------------------------------------------


def export_model(model: Model) -> bytes:
    """The file, in ASCII; the same bytes for the same model.

    It has ``predict(row)``, for a classifier ``CLASSES`` and ``predict_proba(row)``, and as a script predicts for rows
    of CSV from standard input. Raises ``NotFittedError`` for a model that was not fitted, and ``ArgumentError`` for
    one with layers or a loss of its own.
    """
    return source(describe(model)).encode("ascii")


def source(known: Description) -> str:
    """The file's text."""
    answer = _answer(known)
    body, data = _steps(known)
    probabilities = PROBABILITIES.get(known.output, "")
    functions = [FUNCTIONS[name].strip() for name in _needed(known)]
    line = LINES["classes" if answer == "two classes" else answer]
    head = PROBA_HEAD if known.task == "classification" else ""
    command = COMMAND.replace("{allowed}", '([], ["--proba"])' if probabilities else "([],)")
    command = command.replace("{head}", head).replace("{line}", line)
    code = [
        _documentation(known),
        body,
        ANSWERS[answer].replace("{probabilities}", probabilities).strip(),
        CHECKED.strip(),
        *functions,
        command.strip(),
    ]
    names = [
        *([_assigned("CLASSES", known.classes)] if known.classes else []),
        f"WIDTH = {known.width}  # numbers a row",
        _features(known.feature_names),
    ]
    text = "\n\n\n".join(code[1:])
    imports = "\n".join([*(f"import {name}" for name in MODULES if f"{name}." in text), TOO_OLD.rstrip()])
    end = ['if __name__ == "__main__":\n    sys.exit(main(sys.argv[1:]))\n']
    return "\n\n".join([code[0], imports, "\n".join(names), "\n" + text, "\n" + "\n".join(data), *end])


def _features(names: Sequence[str]) -> str:
    """The assignment of the names of columns; plain words, as they mostly are, stand in one text or are counted."""
    if not names:
        return "FEATURES = []  # their names, if they have any"
    counted = re.fullmatch("([A-Za-z_]*)([0-9]{1,9})", names[0])
    if counted and len(names) > 1:
        word, first = counted[1], int(counted[2])
        if all(name == f"{word}{k}" for k, name in enumerate(names, first)):
            numbers = f"range({first}, {first + len(names)})" if first else f"range({len(names)})"
            return f'FEATURES = ["{word}%d" % k for k in {numbers}]'
    if not all(name.isascii() and name.replace("_", "a").isalnum() for name in names):
        return _assigned("FEATURES", names)
    lines = wrap(" ".join(names), COLUMNS, break_long_words=False)
    if len(lines) == 1:
        return f'FEATURES = "{lines[0]}".split()'
    return "\n".join(['FEATURES = """', *lines, '""".split()'])


def _answer(known: Description) -> str:
    if known.task == "classification":
        return "classes" if known.output_size > 1 else "two classes"
    if known.task == "multilabel":
        return "labels"
    return "values" if known.output_size > 1 else "value"


def _documentation(known: Description) -> str:
    """What stands at the top: whose weights these are, what they answer and how they are asked."""
    what = {
        "classes": f"tells {len(known.classes)} classes apart",
        "two classes": "tells two classes apart",
        "labels": f"tells which of {known.output_size} labels a row has",
        "values": f"predicts {known.output_size} numbers",
        "value": "predicts a number",
    }[_answer(known)]
    row = f"{known.width} numbers"
    if len(known.input_shape) == 3:
        row += f" ({' x '.join(map(str, known.input_shape))}: channels, height, width)"
    row += ", pixels from 0 to 255" if known.factor != 1.0 else ", unscaled, as they were before training"
    classified, proba = bool(known.classes), known.output != "values"
    return DOCUMENTATION.format(
        what=what,
        row=row,
        names=f"predict{', predict_proba' * proba}{', CLASSES' * classified}",
        option="[--proba] " * proba,
        digest=known.digest,
    ).strip()


def _needed(known: Description) -> list[str]:
    """The parts that the steps and the output call, in the order in which they stand in a file."""
    found = {name for kind in known.kinds | {known.output} for name in [kind, *NEEDS.get(kind, [])]}
    found |= {inner for name in found for inner in NEEDS.get(name, [])}
    return [name for name in FUNCTIONS if name in found]


def _steps(known: Description) -> tuple[str, list[str]]:
    """(the function that is the network, the assignments of what it is made with)."""
    lines = ["def outputs(row):", '    """What the network gives for a row of numbers."""', "    x = checked(row)"]
    data: list[str] = []
    if known.shift is not None and known.divisor is not None:
        lines.append("    x = [(v - m) / d for v, m, d in zip(x, MEANS, DEVIATIONS)]")
        data += [_assigned("MEANS", known.shift), _assigned("DEVIATIONS", known.divisor)]
    if known.factor != 1.0:
        lines.append(f"    x = [v * {known.factor!r} for v in x]")
    numbers = iter(range(1, 1 + sum(1 for _ in every_step(known.steps))))
    few = sum(map(_weight_count, every_step(known.steps))) // FEW
    for step in known.steps:
        lines += _step(step, numbers, data, few)
    if known.target_scale is not None and known.target_shift is not None:
        lines.append("    x = [v * unit + level for v, unit, level in zip(x, TARGET_UNITS, TARGET_LEVELS)]")
        data += [_assigned("TARGET_UNITS", known.target_scale), _assigned("TARGET_LEVELS", known.target_shift)]
    lines += [
        "    if not all(map(math.isfinite, x)):",
        '        raise ValueError("the numbers of this row grow too large")',
        "    return x",
    ]
    return "\n".join(lines), data


def _weight_count(step: Step) -> int:
    rows = step.settings.get("weight", [])
    return len(rows) * len(rows[0]) if step.kind in WEIGHTED else 0


def _step(step: Step, numbers: Iterable[int], data: list[str], few: int) -> list[str]:
    """The lines of a step; what it is made with is appended to ``data``. So ``few`` weights have all their digits."""
    number = next(iter(numbers))
    kind, settings = step.kind, step.settings
    if kind == "residual":
        inner = [line for part in settings["steps"] for line in _step(part, numbers, data, few)]
        return [f"    before_{number} = x", *inner, f"    x = added(x, before_{number})"]
    if kind in WEIGHTED:
        data.append(_weights(f"LAYER_{number}", step, few))
        return [f"    x = LAYER_{number}(x)"]
    if kind in ("max_pool", "average_pool"):
        joined, border = ("larger", "-math.inf") if kind == "max_pool" else ("added", "0.0")
        sizes = ", ".join(map(repr, (step.inputs, step.outputs, *_window(settings))))
        lines = [f"    x = pooled(x, {joined}, {border}, {sizes})"]
        return lines if kind == "max_pool" else [*lines, f"    x = [v / {math.prod(settings['kernel'])} for v in x]"]
    if kind in ("layer_norm", "batch_norm"):
        names = ["weight", "bias"] if kind == "layer_norm" else ["mean", "factor", "bias"]
        data += [_assigned(f"{name.upper()}_{number}", settings[name]) for name in names]
        called = ", ".join([f"{name.upper()}_{number}" for name in names])
        epsilon = f", {settings['epsilon']!r}" if kind == "layer_norm" else ""
        return [f"    x = {kind}(x, {called}{epsilon})"]
    return [f"    x = {kind}({', '.join(['x', *map(repr, settings.values())])})"]


def _window(settings: dict[str, Any]) -> list[tuple[int, int]]:
    return [tuple(settings[name]) for name in ("kernel", "stride", "padding")]


def _weights(name: str, step: Step, few: int) -> str:
    """The assignment of a layer with weights."""
    rows = step.settings["weight"]
    digits = _digits(rows) if step.kind == "linear" and _weight_count(step) > few else 6
    whole, unit = _rounded(rows, digits)
    text = _base64(whole, digits)
    if step.kind == "embedding":
        return f"{name} = Embedding({unit!r}, {digits}, {len(rows[0])}, {text})"
    # The largest sum that inputs of one bit can come to says how many bits they may have.
    largest = max(sum(map(abs, column)) for column in zip(*whole))
    bits = min(INPUT_BITS, LANE_BITS - largest.bit_length())
    bias = _listed(map(_short, step.settings["bias"]))
    arguments = f"{unit!r}, {bits}, {digits}, {bias}, {text})"
    if step.kind == "linear":
        return f"{name} = Linear({arguments}"
    sizes = ", ".join(map(repr, (step.inputs, step.outputs, *_window(step.settings))))
    return f"{name} = Convolution({sizes}, {arguments}"


def _digits(rows: Sequence[Sequence[float]]) -> int:
    """How many hexadecimal digits a weight of a linear layer is to have: five or six.

    Rounding to steps of s is off by s / √12 (root of the mean of its square), and a sum over n inputs by √n times that,
    as long as each weight counts once: those of filters, which are few, and of embeddings have six digits.
    """
    step = 2.0 * max(max(map(abs, row)) for row in rows) / 16.0**5
    return 5 if step * math.sqrt(len(rows) / 12.0) <= ROUNDING else 6


def _rounded(rows: Sequence[Sequence[float]], digits: int) -> tuple[list[list[int]], float]:
    """Weights as whole numbers of so many hexadecimal digits with their signs, and their unit."""
    most = (1 << (4 * digits - 1)) - 1
    unit = max(max(map(abs, row)) for row in rows) / most
    if unit * most == 0.0 or 1.0 / unit == math.inf:  # all zeros, or as good as that
        return [[0] * len(row) for row in rows], 0.0
    return [[max(-most, min(most, round(v / unit))) for v in row] for row in rows], unit


def _base64(whole: Sequence[Sequence[int]], digits: int) -> str:
    half = 1 << (4 * digits - 1)
    text = "".join(f"{v + half:0{digits}x}" for row in whole for v in row)
    encoded = b64encode(bytes.fromhex(text + "0" * (len(text) % 2))).decode("ascii")
    lines = [encoded[start : start + COLUMNS] for start in range(0, len(encoded), COLUMNS)]
    return '"""\n' + "\n".join(lines) + '"""'


def _short(number: float) -> str:
    """A number to eight digits, which is more than weights have, as short as it gets."""
    return repr(float(f"{number:.8g}"))


def _assigned(name: str, values: Sequence[Any]) -> str:
    return f"{name} = {_listed(map(ascii, values), len(name) + 3)}"


def _listed(items: Iterable[str], before: int = 0) -> str:
    """A list as Python's source, in lines that are not too long, as far as no item is."""
    items = list(items)
    together = f"[{', '.join(items)}]"
    if len(together) + before <= COLUMNS:
        return together
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) + 2 > COLUMNS:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{item},"
    return "[\n" + "\n".join(lines) + "\n]"
