"""A fitted model as one JavaScript module: for a page, Node or Deno, with nothing else to load.

What is written is an ES module with the network's arithmetic spelled out, step by step, and the weights behind it in
base64. It computes in doubles. The weights of a network of up to ``MOST_DOUBLES`` numbers are doubles as well, so that
answers differ from the model's by rounding alone; those of a larger one are rounded to float32, half the size, which
changes each by at most 6e-8 of itself. Scalings and biases are always doubles.

Names of classes and features come from strangers: they are written as JSON is, in ASCII, and "<" and ">" as escapes,
so that a module can stand inside a page.
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from .description import describe, every_step
from .remarks import comment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import Model
    from .description import Description, Step

MOST_DOUBLES = 4096  # numbers of a network that are kept as doubles: 44 kilobytes of base64
_FLOAT32 = 1e-30, 1e38  # sizes of numbers that float32 holds with all its digits, with room to spare
_EXACT = 2**53  # whole numbers beyond it are none of JavaScript's Number

# Functions of single numbers; those with a setting have it as a second argument.
_ACTIVATIONS = {
    "relu": "relu",
    "tanh": "Math.tanh",
    "sigmoid": "sigmoid",
    "gelu": "gelu",
    "silu": "silu",
    "softplus": "softplus",
    "leaky_relu": "leakyRelu",
    "elu": "elu",
}

# Functions that a model may need, each with the others that it calls.
_FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "linear": (
        (),
        """\
/** The bias plus the row times a matrix of weights (inputs x outputs). */
function linear(x, weight, bias) {
  const y = Float64Array.from(bias);
  for (let i = 0; i < x.length; i++) {
    if (x[i] === 0) continue;
    for (let j = 0, k = i * y.length; j < y.length; j++, k++) y[j] += x[i] * weight[k];
  }
  return y;
}""",
    ),
    "eachWindow": (
        (),
        """\
/**
 * Calls visit(where the output of a position stands in its channel, rows and columns of the image that the window sees
 * there, and where it begins, which may be in the padding) for each position of a window.
 */
function eachWindow({ image, output, kernel, stride, padding }, visit) {
  for (let row = 0; row < output[1]; row++) {
    for (let column = 0; column < output[2]; column++) {
      const top = row * stride[0] - padding[0], left = column * stride[1] - padding[1];
      const bottom = Math.min(top + kernel[0], image[1]), right = Math.min(left + kernel[1], image[2]);
      visit(row * output[2] + column, Math.max(top, 0), bottom, Math.max(left, 0), right, top, left);
    }
  }
}""",
    ),
    "convolve": (
        ("eachWindow",),
        """\
/** Each filter at each position: its bias plus the weighted sum of what its window sees in all channels. */
function convolve(x, weight, bias, sizes) {
  const { image, output, kernel } = sizes, filters = bias.length, positions = output[1] * output[2];
  const y = new Float64Array(filters * positions);
  eachWindow(sizes, (at, firstRow, lastRow, firstColumn, lastColumn, top, left) => {
    const sums = Float64Array.from(bias);
    for (let channel = 0; channel < image[0]; channel++) {
      for (let r = firstRow; r < lastRow; r++) {
        for (let c = firstColumn; c < lastColumn; c++) {
          const v = x[(channel * image[1] + r) * image[2] + c];
          let k = ((channel * kernel[0] + r - top) * kernel[1] + c - left) * filters;
          for (let j = 0; j < filters; j++) sums[j] += v * weight[k++];
        }
      }
    }
    for (let j = 0; j < filters; j++) y[j * positions + at] = sums[j];
  });
  return y;
}""",
    ),
    "pool": (
        ("eachWindow",),
        """\
/** What a window sees in each channel, brought to one number. The padding adds nothing. */
function pool(x, sizes, start, combine, finish) {
  const { image, output } = sizes, positions = output[1] * output[2];
  const y = new Float64Array(output[0] * positions);
  eachWindow(sizes, (at, firstRow, lastRow, firstColumn, lastColumn) => {
    for (let channel = 0; channel < output[0]; channel++) {
      let value = start;
      for (let r = firstRow; r < lastRow; r++) {
        for (let c = firstColumn; c < lastColumn; c++) {
          value = combine(value, x[(channel * image[1] + r) * image[2] + c]);
        }
      }
      y[channel * positions + at] = finish(value);
    }
  });
  return y;
}""",
    ),
    "maxPool": (("pool",), "const maxPool = (x, sizes) => pool(x, sizes, -Infinity, Math.max, (v) => v);"),
    "averagePool": (
        ("pool",),
        """\
/** Zeros in the padding count, so the divisor is always the size of the window. */
const averagePool = (x, sizes) =>
  pool(x, sizes, 0, (sum, v) => sum + v, (sum) => sum / (sizes.kernel[0] * sizes.kernel[1]));""",
    ),
    "layerNorm": (
        (),
        """\
/** The row brought to mean 0 and variance 1, then each number scaled and shifted. */
function layerNorm(x, weight, bias, epsilon) {
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
  const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
  const deviation = Math.sqrt(variance + epsilon);
  return x.map((v, i) => ((v - mean) / deviation) * weight[i] + bias[i]);
}""",
    ),
    "batchNorm": (
        (),
        """\
/** Each number, or all pixels of each channel, by what was seen of it in training. */
function batchNorm(x, mean, factor, bias) {
  const each = x.length / mean.length;
  return x.map((v, i) => {
    const k = Math.floor(i / each);
    return (v - mean[k]) * factor[k] + bias[k];
  });
}""",
    ),
    "embed": (
        (),
        """\
/** Each whole number becomes the row of a table that it names. */
function embed(x, table, count) {
  const width = table.length / count, y = new Float64Array(x.length * width);
  x.forEach((index, i) => {
    if (!(Number.isInteger(index) && index >= 0 && index < count)) {
      throw new RangeError(`row[${i}] must be a whole number from 0 to ${count - 1}, got ${index}`);
    }
    y.set(table.subarray(index * width, (index + 1) * width), i * width);
  });
  return y;
}""",
    ),
    "add": ((), "const add = (x, y) => x.map((v, i) => v + y[i]);"),
    "relu": ((), "const relu = (v) => Math.max(v, 0);"),
    "leakyRelu": ((), "const leakyRelu = (v, slope) => (v > 0 ? v : slope * v);"),
    "sigmoid": (
        (),
        """\
/** 1 / (1 + exp(-v)), written so that no exponential is too large. */
function sigmoid(v) {
  const e = Math.exp(-Math.abs(v));
  return v >= 0 ? 1 / (1 + e) : e / (1 + e);
}""",
    ),
    "silu": (("sigmoid",), "const silu = (v) => v * sigmoid(v);"),
    "elu": ((), "const elu = (v, alpha) => (v > 0 ? v : alpha * Math.expm1(v));"),
    "softplus": ((), "const softplus = (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));"),
    "erf": (
        (),
        """\
/**
 * The error function: 2/sqrt(pi) exp(-v^2) times the sum of 2^n v^(2n+1) / (1*3*5*...*(2n+1)), whose terms all have the
 * sign of v, so that nothing cancels (Abramowitz and Stegun, 7.1.6). From 6 on it is 1 to the last bit of a double.
 */
function erf(v) {
  if (Math.abs(v) >= 6) return Math.sign(v);
  let sum = 0;
  for (let term = v, n = 1; sum + term !== sum; n++) {
    sum += term;
    term *= (2 * v * v) / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-v * v) * sum;
}""",
    ),
    "gelu": (("erf",), "const gelu = (v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2));"),
    "logSoftmax": (
        (),
        """\
/** The logarithms of softmax; the largest number is taken off first, so that no exponential is too large. */
function logSoftmax(x) {
  const largest = x.reduce((a, b) => Math.max(a, b));
  const shifted = x.map((v) => v - largest);
  const log = Math.log(shifted.reduce((sum, v) => sum + Math.exp(v), 0));
  return shifted.map((v) => v - log);
}""",
    ),
    "softmax": (
        (),
        """\
/** Exponentials, divided by their sum; the largest number is taken off first, so that none is too large. */
function softmax(x) {
  const largest = x.reduce((a, b) => Math.max(a, b));
  const powers = x.map((v) => Math.exp(v - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((v) => v / sum);
}""",
    ),
    "doubles": (
        ("bytes",),
        """\
/** Doubles, little-endian, as base64. */
function doubles(text) {
  const view = bytes(text);
  return Float64Array.from({ length: view.byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true));
}""",
    ),
    "floats": (
        ("bytes",),
        """\
/** 32-bit floats, little-endian, as base64. */
function floats(text) {
  const view = bytes(text);
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}""",
    ),
    "bytes": (
        (),
        """\
function bytes(text) {
  return new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}""",
    ),
}

_READING = """\
/** The numbers of a row, checked. */
function numbersOf(row) {
  if (row === null || typeof row !== "object" || typeof row.length !== "number") {
    throw new TypeError(`row must be an array of ${inputs} numbers, got ${row === null ? "null" : typeof row}`);
  }
  if (row.length !== inputs) throw new RangeError(`row must have ${inputs} numbers, got ${row.length}`);
  const x = new Float64Array(inputs);
  for (let i = 0; i < inputs; i++) {
    const v = row[i];
    if (typeof v !== "number") throw new TypeError(`row[${i}] must be a number, got ${typeof v}`);
    if (!Number.isFinite(v)) throw new RangeError(`row[${i}] must be a finite number, got ${v}`);
    x[i] = v;
  }
  return x;
}

/** What the network gives for a row as it came. */
function outputsFor(row) {
  const y = network(%s);
  if (!y.every(Number.isFinite)) throw new RangeError("row has numbers too large for this network");
  return y;
}"""

_PREDICT = {
    "classes": """\
/** The class of a row of numbers. */
export function predict(row) {
  const y = outputsFor(row);
  return classes[y.indexOf(y.reduce((a, b) => Math.max(a, b)))];
}""",
    "two classes": """\
/** The class of a row of numbers. */
export function predict(row) {
  return classes[predictProba(row)[1] >= 0.5 ? 1 : 0];
}""",
    "labels": """\
/** For each label, 1 where it is more probable than not, 0 elsewhere. */
export function predict(row) {
  return predictProba(row).map((p) => (p >= 0.5 ? 1 : 0));
}""",
    "value": """\
/** The value for a row of numbers. */
export function predict(row) {
  return %s[0];
}""",
    "values": """\
/** The values for a row of numbers. */
export function predict(row) {
  return Array.from(%s);
}""",
}

_PROBABILITIES = """\
/** The probability of each %s, in order. */
export function predictProba(row) {
%s
}"""


class _Module:
    """The parts of a module as they come about."""

    def __init__(self, known: Description) -> None:
        self.known = known
        self.needed: dict[str, None] = {}  # functions, in the order in which they are first asked for
        self.data: list[str] = []
        self.blocks: list[str] = []  # functions of residual connections
        sizes = sum(_count(step) for step in every_step(known.steps))
        self.rounded = sizes > MOST_DOUBLES

    def use(self, name: str) -> str:
        for other in _FUNCTIONS[name][0]:
            self.use(other)
        self.needed[name] = None
        return name

    def doubles(self, name: str, numbers: Sequence[float]) -> str:
        packed = b64encode(struct.pack(f"<{len(numbers)}d", *numbers)).decode("ascii")
        self.data.append(f'const {name} = {self.use("doubles")}("{packed}");')
        return name

    def matrix(self, name: str, rows: Sequence[Sequence[float]]) -> str:
        numbers = [v for row in rows for v in row]
        if not self.rounded or not all(v == 0.0 or _FLOAT32[0] < abs(v) < _FLOAT32[1] for v in numbers):
            return self.doubles(name, numbers)
        packed = b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode("ascii")
        self.data.append(f'const {name} = {self.use("floats")}("{packed}");')
        return name

    def function(self, name: str, steps: Sequence[Step], path: str) -> str:
        lines = [f"  x = {self.call(step, f'{path}{number}')};" for number, step in enumerate(steps, 1)]
        return "\n".join([f"function {name}(x) {{", *lines, "  return x;", "}"])

    def call(self, step: Step, place: str) -> str:
        """What is done to x in one step; ``place`` tells its constants apart from others'."""
        kind, settings = step.kind, step.settings
        if kind in _ACTIVATIONS:
            name = _ACTIVATIONS[kind]
            if name in _FUNCTIONS:
                self.use(name)
            extra = [*settings.values()]
            return f"x.map((v) => {name}(v, {extra[0]!r}))" if extra else f"x.map((v) => {name}(v))"
        if kind in ("softmax", "log_softmax"):
            return f"{self.use('softmax' if kind == 'softmax' else 'logSoftmax')}(x)"
        if kind == "residual":
            name = f"residual{place}"
            self.blocks.append(self.function(name, settings["steps"], f"{place}_"))
            return f"{self.use('add')}(x, {name}(x))"
        if kind in ("max_pool", "average_pool"):
            return f"{self.use('maxPool' if kind == 'max_pool' else 'averagePool')}(x, {_sizes(step)})"
        if kind == "embedding":
            table = self.matrix(f"table{place}", settings["weight"])
            return f"{self.use('embed')}(x, {table}, {len(settings['weight'])})"
        if kind == "layer_norm":
            weight, bias = (self.doubles(f"{name}{place}", settings[name]) for name in ("weight", "bias"))
            return f"{self.use('layerNorm')}(x, {weight}, {bias}, {settings['epsilon']!r})"
        if kind == "batch_norm":
            parts = [self.doubles(f"{name}{place}", settings[name]) for name in ("mean", "factor", "bias")]
            return f"{self.use('batchNorm')}(x, {', '.join(parts)})"
        weight = self.matrix(f"weight{place}", settings["weight"])
        bias = self.doubles(f"bias{place}", settings["bias"])
        if kind == "linear":
            return f"{self.use('linear')}(x, {weight}, {bias})"
        return f"{self.use('convolve')}(x, {weight}, {bias}, {_sizes(step)})"

    def scaled(self) -> str:
        known, x = self.known, "numbersOf(row)"
        if known.shift is not None and known.divisor is not None:
            shift, divisor = self.doubles("shift", known.shift), self.doubles("divisor", known.divisor)
            x += f".map((v, i) => (v - {shift}[i]) / {divisor}[i])"
        return x if known.factor == 1.0 else f"{x}.map((v) => v * {known.factor!r})"

    def answers(self) -> list[str]:
        """``predict`` and, of a classifier, ``predictProba``."""
        known = self.known
        if known.output == "values":
            values = "outputsFor(row)"
            if known.target_scale is not None and known.target_shift is not None:
                scale = self.doubles("targetScale", known.target_scale)
                shift = self.doubles("targetShift", known.target_shift)
                values += f".map((v, i) => v * {scale}[i] + {shift}[i])"
            return [_PREDICT["value" if known.output_size == 1 else "values"] % values]
        functions = {"exp": ".map(Math.exp)", "sigmoid": f".map({known.output})", "identity": ""}
        if known.output in ("softmax", "sigmoid"):
            self.use(known.output)
        y = "softmax(outputsFor(row))" if known.output == "softmax" else f"outputsFor(row){functions[known.output]}"
        if known.task == "multilabel":
            return [_PREDICT["labels"], _PROBABILITIES % ("label", f"  return Array.from({y});")]
        if known.output_size > 1:
            return [_PREDICT["classes"], _PROBABILITIES % ("class", f"  return Array.from({y});")]
        both = f"  const p = {y}[0];\n  return [1 - p, p];"
        return [_PREDICT["two classes"], _PROBABILITIES % ("class", both)]


def _count(step: Step) -> int:
    return sum(len(row) for row in step.settings["weight"]) if step.kind in _MATRICES else 0


_MATRICES = ("linear", "convolution", "embedding")


def _sizes(step: Step) -> str:
    known = step.settings
    parts = {"image": step.inputs, "output": step.outputs, **{k: known[k] for k in ("kernel", "stride", "padding")}}
    return "{ " + ", ".join(f"{name}: {json.dumps(list(value))}" for name, value in parts.items()) + " }"


def literal(value: Any) -> str:
    """A class or a name as JavaScript: never more than a string, a number or a boolean."""
    if isinstance(value, int) and abs(value) > _EXACT:
        return f"{value}n"
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e")


def _list(values: Sequence[Any]) -> str:
    text = ", ".join(map(literal, values))
    return f"[{text}]" if len(text) < 90 else "[\n" + "".join(f"  {literal(value)},\n" for value in values) + "]"


def _header(known: Description) -> str:
    answers = {
        "classification": "predict(row) gives a class, predictProba(row) the probability of each of the classes.",
        "multilabel": "predict(row) gives 0 or 1 for each label, predictProba(row) the probability of each label.",
        "regression": f"predict(row) gives {'a number' if known.output_size == 1 else 'an array of numbers'}.",
    }
    shape = " x ".join(map(str, known.input_shape))
    of_images = f" (an image of {shape}, channel after channel, each row by row)" if len(known.input_shape) > 1 else ""
    return comment(
        [
            "A neural network that scratchnn has trained, as one module that needs nothing else.",
            "",
            f"Weights: SHA-256 {known.digest}",
            *([f"It predicts: {known.label_name}"] if known.label_name else []),
            "",
            *known.summary.splitlines(),
            "",
            '  import { predict } from "./model.js";',
            "",
            f"A row is an array, of any kind, of {known.width} numbers{of_images},",
            "as they are: what the network needs to have scaled is scaled here.",
            answers[known.task],
            "Rows of another length and numbers that are not finite are a RangeError, what is no number a TypeError.",
            'In a page: <script type="module">; in Node, call the file .mjs or have "type": "module" in package.json.',
        ]
    )


def export_model(model: Model) -> bytes:
    """A fitted model as an ES module: the same bytes for the same model.

    It exports ``predict(row)``, for classifiers ``predictProba(row)``, and ``classes``, ``features`` (the names of the
    columns, if they have names), ``inputs`` (how many there are), ``task`` and ``digest``. Raises ``NotFittedError``
    for a model that was not fitted, and ``ArgumentError`` for layers or losses of one's own.
    """
    known = describe(model)
    module = _Module(known)
    network = module.function("network", known.steps, "")
    reading = _READING % module.scaled()
    answers = module.answers()
    facts = {
        "task": literal(known.task),
        "classes": _list(known.classes),
        "features": _list(known.feature_names),
        "inputs": str(known.width),
        "digest": literal(known.digest),
    }
    parts = [
        _header(known),
        "\n".join(f"export const {name} = {value};" for name, value in facts.items()),
        *answers,
        reading,
        network,
        *module.blocks,
        *(_FUNCTIONS[name][1] for name in module.needed),
        "\n".join(module.data),
    ]
    return ("\n\n".join(part for part in parts if part) + "\n").encode("ascii")
