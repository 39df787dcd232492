"""A described network as C: tables of its weights, and the function that does one step after another.

What is chosen here keeps the arithmetic of ``c_runtime`` within its bounds, and the blocks of numbers that the steps
hand on to each other in as little working memory as they need.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from .c_runtime import LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .description import Description, Step

_MOST_SUM = 2**31 - 1  # of the sizes of an output's weights
_WIDEST = 500  # binary places, before or behind the point: exponents of many layers still fit into 16 bits
_LINE = 112  # characters of a line of numbers
_FEATURES = -1  # instead of the number of a block: the pixels as they came


def exponent_of(v: float) -> int:
    """The smallest k with |v| < 2^k; far below all others for 0."""
    return math.frexp(v)[1] if v else -2000


def times(v: float, bits: int) -> int:
    """v * 2^bits, rounded."""
    return round(math.ldexp(v, bits))


def mantissa(v: float, size: int = 30) -> tuple[int, int]:
    """(number, bits) with v about number / 2^bits, and a number of at most 2^size."""
    bits = size - exponent_of(v) if v else 0
    return times(v, bits), bits


def _scale(columns: Sequence[Sequence[float]], what: str) -> int:
    """The largest number of bits with which the weights of each output stay within ``_MOST_SUM``."""
    largest = max((abs(v) for column in columns for v in column), default=0.0)
    if not largest:
        return 0
    room = exponent_of(largest)
    total = max(math.fsum(abs(math.ldexp(v, -room)) for v in column) for column in columns)
    bits = 31 - room - exponent_of(total)
    if abs(bits) > _WIDEST:
        raise ArgumentError(f"{what}: weights of at most {largest:g} are beyond what whole numbers of C can say")
    while any(sum(abs(times(v, bits)) for v in column) > _MOST_SUM for column in columns):
        bits -= 1
    return bits


def _bias_scale(bias: Sequence[float], what: str) -> int:
    """The largest number of bits with which no bias is larger than ``LARGEST``."""
    largest = max(map(abs, bias))
    bits = min(30 - exponent_of(largest), _WIDEST)
    if bits < -_WIDEST or not math.isfinite(largest):
        raise ArgumentError(f"{what}: biases of up to {largest:g} are beyond what whole numbers of C can say")
    return bits


class _Slots:
    """Blocks of the working memory: which are in use, and how large each has to be."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.used: set[int] = set()

    def take(self, size: int) -> int:
        """A free one, of which the least has to be added."""
        free = [slot for slot in range(len(self.sizes)) if slot not in self.used]
        if free:
            slot = min(free, key=lambda k: (max(size - self.sizes[k], 0), self.sizes[k]))
            self.sizes[slot] = max(self.sizes[slot], size)
        else:
            slot = len(self.sizes)
            self.sizes.append(size)
        self.used.add(slot)
        return slot


def block_name(slot: int) -> str:
    """What C calls one of them, or the pixels as they came."""
    return "features" if slot == _FEATURES else f"work->block{slot}"


class Program:
    """The parts of the program as they come about. ``slot`` is the block that numbers stand in at the moment."""

    def __init__(self, known: Description, name: str) -> None:
        self.known, self.name = known, name
        self.needed = {"moved"}
        self.tables: list[str] = []
        self.bytes = 0  # of the tables
        self.lines: list[str] = []  # of the function that runs the network
        self.slots = _Slots()
        self.slot = _FEATURES
        self.kept: set[int] = set()  # blocks that a residual connection still needs

    def table(self, name: str, numbers: Sequence[int], kind: str = "int32_t", visible: bool = False) -> str:
        self.bytes += len(numbers) * {"int32_t": 4, "int64_t": 8, "int16_t": 2}[kind]
        texts, lines = [str(v) for v in numbers], [" "]
        for number, text in enumerate(texts):
            if len(lines[-1]) + len(text) > _LINE:
                lines.append(" ")
            lines[-1] += f" {text}" + "," * (number + 1 < len(texts))
        body = "\n".join(line[1:].rstrip() if len(lines) == 1 else f"   {line[1:]}".rstrip() for line in lines)
        body = f"{{{body} }}" if len(lines) == 1 else f"{{\n{body}\n}}"
        self.tables.append(f"{'' if visible else 'static '}const {kind} {name}[{len(numbers)}] = {body};")
        return name

    @property
    def memory(self) -> int:
        """Bytes of working memory, where an int has four."""
        return 4 * sum(self.slots.sizes) + 4

    def use(self, name: str) -> str:
        self.needed.add(name)
        return name

    def say(self, line: str) -> None:
        self.lines.append(f"    {line}")

    # --- steps -----------------------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Step], path: str, first: int = 1) -> None:
        for number, step in enumerate(steps, first):
            place = f"{path}{number}"
            self.lines += ["", f"    /* {place.replace('_', '.')}: {_said(step)} */"]
            self.step(step, place)

    def step(self, step: Step, place: str) -> None:
        kind = step.kind
        if kind == "residual":
            self.residual(step, place)
        elif kind in ("linear", "convolution"):
            self.weighted(step, place)
        elif kind in ("max_pool", "average_pool"):
            self.pool(step, place)
        elif kind == "embedding":
            raise ArgumentError("an Embedding that is not the first layer cannot be written in C")
        else:
            self.changed_in_place(step, place)

    def moved_on(self, size: int) -> tuple[str, str]:
        """(the block that numbers are in, another one that they go to), which is the one they are in from now on."""
        source, target = self.slot, self.slots.take(size)
        self.free(source)
        self.slot = target
        return block_name(source), block_name(target)

    def free(self, slot: int) -> None:
        if slot not in self.kept:
            self.slots.used.discard(slot)

    def weighted(self, step: Step, place: str) -> None:
        known, factor = step.settings, self.known.factor if self.slot == _FEATURES else 1.0
        columns = [[v * factor for v in column] for column in zip(*known["weight"])]
        weights = self.weights(columns, known["bias"], step, place)
        function = self.use(f"{step.kind}_of_bytes" if self.slot == _FEATURES else step.kind)
        x, y = self.moved_on(math.prod(step.outputs))
        inputs = str(math.prod(step.inputs)) if step.kind == "linear" else f"&{self.window(step, place)}"
        self.say(f"exponent = {function}({x}, exponent, {y}, {weights}, {inputs}, {len(columns)});")

    def weights(self, columns: Sequence[Sequence[float]], bias: Sequence[float], step: Step, place: str) -> str:
        """Tables of the weights of each output and of the biases, each with its scale, as arguments."""
        scale, bias_scale = _scale(columns, _said(step)), _bias_scale(bias, _said(step))
        weight = self.table(f"weight{place}", [times(v, scale) for column in columns for v in column])
        biases = self.table(f"bias{place}", [times(v, bias_scale) for v in bias])
        return f"{weight}, {scale}, {biases}, {bias_scale}"

    def window(self, step: Step, place: str) -> str:
        known, (rows, columns) = step.settings, step.outputs[1:]
        # A window that stands at one place alone makes no steps, however long they would be.
        down, right = (s if count > 1 else 1 for s, count in zip(known["stride"], (rows, columns)))
        numbers = [*step.inputs, rows, columns, *known["kernel"], down, right, *known["padding"]]
        self.bytes += 4 * len(numbers)
        name = f"window{place}"
        self.use("window")
        self.tables.append(f"static const struct window {name} = {{ {', '.join(map(str, numbers))} }};")
        return name

    def pool(self, step: Step, place: str) -> None:
        window, size = self.window(step, place), math.prod(step.settings["kernel"])
        x, y = self.moved_on(math.prod(step.outputs))
        if step.kind == "max_pool":
            self.say(f"{self.use('max_pool')}({x}, {y}, &{window});")
        else:
            finer = max(32 - (size - 1).bit_length(), 0)
            self.say(f"exponent = {self.use('average_pool')}({x}, exponent, {y}, &{window}, {finer});")

    def residual(self, step: Step, place: str) -> None:
        kept, size = self.slot, math.prod(step.inputs)
        outer = kept in self.kept
        self.kept.add(kept)
        number = f"exponent{place}"
        self.say(f"const int {number} = exponent;")
        self.steps(step.settings["steps"], f"{place}_")
        self.lines += ["", f"    /* {place.replace('_', '.')}: what it is added to */"]
        if self.slot == kept:  # nothing was done at all
            self.slot = self.slots.take(size)
            self.say(f"{self.use('copy')}({block_name(kept)}, {block_name(self.slot)}, {size});")
        self.say(
            f"exponent = {self.use('add')}({block_name(self.slot)}, exponent, {block_name(kept)}, {number}, {size});"
        )
        if not outer:
            self.kept.discard(kept)
            self.free(kept)

    def changed_in_place(self, step: Step, place: str) -> None:
        kind, known, size = step.kind, step.settings, math.prod(step.inputs)
        if self.slot in self.kept:
            x, y = self.moved_on(size)
            self.say(f"{self.use('copy')}({x}, {y}, {size});")
        x = block_name(self.slot)
        if kind == "relu":
            self.say(f"{self.use(kind)}({x}, {size});")
        elif kind == "leaky_relu":
            self.say(f"{self.use(kind)}({x}, {size}, {times(known['slope'], 30)});")
        elif kind in ("silu", "gelu"):
            self.say(f"{self.use(kind)}({x}, exponent, {size});")
        elif kind == "elu":
            bits = min(30 - exponent_of(known["alpha"]), 30)
            alpha = times(known["alpha"], bits)
            self.say(f"exponent = {self.use(kind)}({x}, exponent, {size}, {alpha}, {bits});")
        elif kind in ("batch_norm", "layer_norm"):
            self.normalisation(step, place, x, size)
        else:  # tanh, sigmoid, softplus, softmax, log_softmax
            function = {"tanh": "hyperbolic_tangent"}.get(kind, kind)
            self.use(kind)
            self.say(f"exponent = {function}({x}, exponent, {size});")

    def normalisation(self, step: Step, place: str, x: str, size: int) -> None:
        known = step.settings
        if step.kind == "batch_norm":
            weight = known["factor"]
            bias = [b - m * f for m, f, b in zip(known["mean"], weight, known["bias"])]
            self.use("each_affine")
        else:
            weight, bias = known["weight"], known["bias"]
            halvings = (size - 1).bit_length()
            ratio = times(math.sqrt(size / 2**halvings), 30)
            epsilon, bits = mantissa(known["epsilon"] * size * size * (size / 2**halvings))
            self.use("layer_norm")
            numbers = f"{size}, {halvings}, {ratio}, {epsilon}, {bits}, {29 - (halvings + 1) // 2}"
            self.say(f"exponent = standardised({x}, exponent, {numbers});")
        weights = self.weights([[v] for v in weight], bias, step, place)
        self.say(f"exponent = each_affine({x}, exponent, {size}, {size // len(weight)}, {weights});")

    # --- the whole -------------------------------------------------------------------------------------------

    def features(self, places: Sequence[int]) -> None:
        """What becomes of the features of a row, which have so many binary places."""
        known, width = self.known, self.known.width
        first = known.steps[0].kind if known.steps else ""
        if first == "embedding":
            self.embedding(known.steps[0])
            return
        if known.factor != 1.0 and first in ("linear", "convolution"):
            self.lines += [
                "",
                "    /* Pixels, 0 to 255, are read as they are: their factor is in the first weights. */",
            ]
            self.say("exponent = 0;")
            return
        self.slot = self.slots.take(width)
        x, loop = block_name(self.slot), f"for (i = 0; i < {width}; i++)"
        if known.shift is not None and known.divisor is not None:
            self.standardised(known.shift, known.divisor, places)
        elif known.factor != 1.0:
            self.lines += ["", "    /* pixels, 0 to 255, become 0 to 1 */"]
            self.say(f"{loop} {x}[i] = (int32_t)moved(features[i] * (int64_t){times(known.factor, 38)}, 8);")
            self.say("exponent = 30;")
        else:
            self.needed |= {"put", "first_bits"}
            self.lines += ["", "    /* features as they are */"]
            self.say(f"bits = first_bits({places[0] + 31});")
            self.say(f"{loop} bits = put({x}, i, bits, moved(features[i], -31));")
            self.say(f"exponent = {places[0] + 31} - bits;")

    def standardised(self, shift: Sequence[float], divisor: Sequence[float], places: Sequence[int]) -> None:
        """(feature - mean) / deviation: by a whole mean, then by what that leaves over.

        The difference is below 2^32 and the factor, which is 1 / deviation times a power of two, at most 2^29, so that
        their product is at most 2^61. All are brought to the least exponent that there is.
        """
        self.needed |= {"put", "first_bits"}
        factors = [mantissa(min(1.0 / v, 1e300), 29) for v in divisor]
        exponents = [place + bits for place, (_, bits) in zip(places, factors)]
        least = min(exponents)
        means = [math.ldexp(v, place) for v, place in zip(shift, places)]
        centres = [min(max(round(v), -_MOST_SUM), _MOST_SUM) for v in means]
        left_over = [
            times((centre - mean) * (factor / LARGEST), 30 - (exponent - least))
            for centre, mean, (factor, _), exponent in zip(centres, means, factors, exponents)
        ]
        self.table("centre", centres)
        self.table("factor", [factor for factor, _ in factors])
        self.table("left_over", left_over, "int64_t")
        product = "(features[i] - (int64_t)centre[i]) * factor[i]"
        if len(set(exponents)) > 1:
            moves = self.table("coarser", [exponent - least for exponent in exponents], "int16_t")
            product = f"moved({product}, {moves}[i])"
        self.lines += ["", "    /* (feature - mean) / deviation: what is left over is of means that are not whole */"]
        self.say(f"bits = first_bits({least});")
        self.say(f"for (i = 0; i < {len(places)}; i++) {{")
        self.say(f"    bits = put({block_name(self.slot)}, i, bits, {product} + left_over[i]);")
        self.say("}")
        self.say(f"exponent = {least} - bits;")

    def embedding(self, step: Step) -> None:
        rows = step.settings["weight"]
        count, width, size = len(rows), len(rows[0]), math.prod(step.outputs)
        bits = min(30 - exponent_of(max(abs(v) for row in rows for v in row)), 30)
        table = self.table("table1", [times(v, bits) for row in rows for v in row])
        self.slot = self.slots.take(size)
        call = f"{self.use('embedding')}(features, {block_name(self.slot)}, {table}, {size // width}, {count}, {width})"
        self.lines += ["", f"    /* 1: {_said(step)} */"]
        self.say(f"if ({call} != 0) return -1;")
        self.say(f"exponent = {bits};")

    def run(self, places: Sequence[int]) -> str:
        """The function that runs the network."""
        self.features(places)
        steps = self.known.steps
        if self.known.kinds and steps[0].kind == "embedding":
            self.steps(steps[1:], "", 2)
        else:
            self.steps(steps, "")
        body = "\n".join(self.lines)
        declared = ["    int32_t i;"] * ("(i = 0" in body) + [f"    int exponent{', bits' * ('bits = ' in body)};"]
        head = [
            f"/* Runs the network; -1 for features that mean nothing. The outputs are in {block_name(self.slot)}. */",
            f"static int run({self.name}_workspace *work, const {self.name}_input *features)",
            "{",
        ]
        return "\n".join([*head, *declared, body, "", "    work->exponent = exponent;", "    return 0;", "}"])


def _said(step: Step) -> str:
    """A step in words."""
    sizes = " -> ".join(" x ".join(map(str, shape)) for shape in (step.inputs, step.outputs))
    return f"{step.kind.replace('_', ' ')}, {sizes if step.inputs != step.outputs else sizes.split(' -> ')[0]}"
