"""Convolution and pooling for the engine ``lanes``: images as ints, moved and multiplied as a whole.

Put an image into one int, a lane a pixel, row after row. Divided by 256**bytes it is the same image moved by one pixel;
by a row's worth of lanes, moved by one row. So a 3x3 filter is a sum of nine moved images, each times a small int, and
a window that would reach over the edge gives numbers that are cut out afterwards. The moves along a row come for free:

    (a + b·X + c·X² + ...) · (w2 + w1·X + w0·X²)   with X = 256**bytes, has  a·w0 + b·w1 + c·w2  at X²

so each row of a filter is one multiplier. With steps of 2 and more the image is first taken apart: even columns and odd
ones, even rows and odd ones, each a smaller image (a *phase*) over which the window moves in steps of 1. Putting images
together and taking them apart is done on bytes, by slices. Lanes are in range, always: as in ``lanes``, the bound of a
result is known before it is computed, operands are rounded first if they have to be, and where too few bits would be
left, numbers go through floats.

The gradient of the weights sums, over all positions, the ``patch`` that the window sees (one int, a lane a number)
times a number of the gradient; for pixels, of which most are zero, it is the other way round: the numbers of the
gradient around a pixel, times the pixel. Measured in one run on an image of MNIST, 8 filters, a gradient without zeros:
0.29 ms. The 72 dot products of 676 floats take as long with math.dist (0.28 ms), to which packing and unpacking would
have to be added, 1.2 ms with sum(map(mul)), and with math.sumprod 2.1 times what math.dist takes. One product of two
long ints, which gives the sums for all lags at once, takes 2.8 ms for the 8 filters.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, compress
from operator import add, mul
from typing import Any

from .. import lists
from ..sliding_window import Window
from .layout import Layout
from .matrix import (
    NOTHING,
    SCALAR_BITS,
    SMALLEST,
    Block,
    Entry,
    FloatRows,
    Forms,
    Inputs,
    LaneMatrix,
    Operand,
    Rows,
    Samples,
    Size,
    alike,
    bits_of,
    exact_dot,
    largest_of,
    longest_sum,
    size_in_range,
)

LANES_AT_ONCE = 2000  # so many lanes of one channel are computed with at once; fewer cost more overhead
PATCHES_AT_ONCE = 4096  # so many patches are kept in memory at once
ENOUGH_BITS = 11  # with fewer bits on either side of a product it is computed with floats

Slices = list[slice]


class Unread(Samples):
    """Samples whose rows are still the bytes of their lanes, with ``bias`` added: the next layer may want them so.

    They become ints when somebody asks for ``data``.
    """

    __slots__ = ("_data", "_raws", "bias")

    def __init__(self, raws: list[bytes], bias: int, scale: float, sizes: list[Size]) -> None:
        self._raws = raws
        self.bias = bias
        self.scale = scale
        self.sizes = sizes
        self._data: list[int] | None = None

    @property
    def data(self) -> list[int]:  # type: ignore[override]
        """One int a row."""
        if self._data is None:
            bias, from_bytes = self.bias, int.from_bytes
            self._data = [from_bytes(raw, "little") - bias for raw in self._raws]
        return self._data

    def part(self, numbers: Sequence[int]) -> Unread:
        """Some of the rows."""
        raws, sizes = [self._raws[i] for i in numbers], [self.sizes[i] for i in numbers]
        return Unread(raws, self.bias, self.scale, sizes)

    def resized(self, sizes: list[Size]) -> Unread:
        """The same lanes with other sizes."""
        return Unread(self._raws, self.bias, self.scale, sizes)

    def raws(self, layout: Layout) -> list[bytes]:
        """The bytes of each row's lanes, with the layout's bias added."""
        return self._raws


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    size = max(size, 1)
    return (items[first : first + size] for first in range(0, len(items), size))


# --- moving lanes about, as bytes ------------------------------------------------------------------------------------


def _slices(rows: Iterable[int | None], source: int, target: int, first: int, cell: int, blanks: int) -> Slices:
    """The slices that make a picture out of another: its rows are rows of that, ``target`` cells from its ``first``.

    A row of the source has ``source`` cells of ``cell`` bytes. Rows that are None, and cells to the left and to the
    right of the source, are blank: they are taken from byte ``blanks`` on, where there is a row of blank cells.
    """
    left, right = max(-first, 0), max(first + target - source, 0)
    pieces: Slices = []

    def take(start: int, cells: int) -> None:
        if not cells:
            return
        stop = start + cells * cell
        if pieces and pieces[-1].stop == start and start != blanks:
            pieces[-1] = slice(pieces[-1].start, stop)
        else:
            pieces.append(slice(start, stop))

    for row in rows:
        if row is None:
            take(blanks, target)
        else:
            take(blanks, left)
            take((row * source + max(first, 0)) * cell, target - left - right)
            take(blanks, right)
    return pieces


def _gather(slices: Slices, raw: bytes) -> bytes:
    return raw[slices[0]] if len(slices) == 1 else b"".join(map(raw.__getitem__, slices))


def _every(raw: bytes, cell: int, first: int, step: int) -> bytes:
    """Every ``step``-th cell, from cell ``first`` on."""
    result = bytearray(len(raw) // step)
    for byte in range(cell):
        result[byte::cell] = raw[first * cell + byte :: step * cell]
    return bytes(result)


def _interleaved(raws: Sequence[bytes], cell: int) -> bytes:
    """The first cell of each, then the second of each, and so on: what ``_every`` took apart."""
    if len(raws) == 1:
        return raws[0]
    step = len(raws) * cell
    result = bytearray(len(raws[0]) * len(raws))
    for number, raw in enumerate(raws):
        for byte in range(cell):
            result[number * cell + byte :: step] = raw[byte::cell]
    return bytes(result)


class Frames:
    """``count`` images under a window, as the bytes of their lanes, one image after the other.

    Each is seen as stride height x stride width phases: images of ``grid`` (rows, columns) in which the window takes
    steps of 1. A tap of the kernel is ``move`` (rows, columns) away from the window's corner, by at most ``reach``.
    """

    def __init__(self, window: Window, count: int, lane: bytes) -> None:
        self.window = window
        self.count = count
        self.blank = lane  # the bytes of a lane that stands for what lies outside of an image
        self.bytes = len(lane)
        self.reach = (window.kernel[0] - 1) // window.stride[0], (window.kernel[1] - 1) // window.stride[1]
        self.grid = window.output[0] + self.reach[0], window.output[1] + self.reach[1]
        self.lanes = count * self.grid[0] * self.grid[1]  # of a phase
        # For each phase a list of (rows to move, [(number of the tap, columns to move), ...]).
        (height, width), (step_y, step_x) = window.kernel, window.stride
        self.taps = [
            [
                (y // step_y, [(y * width + x, x // step_x) for x in range(phase_x, width, step_x)])
                for y in range(phase_y, height, step_y)
                if phase_x < width
            ]
            for phase_y in range(step_y)
            for phase_x in range(step_x)
        ]
        self._slices: dict[str, Slices] = {}

    def _moved(
        self, name: str, raw: bytes, rows: Callable[[], list[int | None]], source: int, target: int, first: int
    ) -> bytes:
        """Rows of ``target`` lanes out of rows of ``source``, by slices that are worked out once and kept."""
        slices = self._slices.get(name)
        if slices is None:
            slices = self._slices[name] = _slices(rows(), source, target, first, self.bytes, len(raw))
        return _gather(slices, raw + self.blank * target)

    def phases(self, raw: bytes) -> list[bytes]:
        """The images, padded, as phases."""
        step_y, step_x = self.window.stride
        result = []
        for phase in range(step_y):

            def rows(phase: int = phase) -> list[int | None]:
                height, first = self.window.image[0], phase - self.window.padding[0]
                seen = [row * step_y + first for row in range(self.grid[0])]
                return [n * height + y if 0 <= y < height else None for n in range(self.count) for y in seen]

            width, columns = self.window.image[1], self.grid[1] * step_x
            padded = self._moved(f"phase {phase}", raw, rows, width, columns, -self.window.padding[1])
            result += [padded] if step_x == 1 else [_every(padded, self.bytes, x, step_x) for x in range(step_x)]
        return result

    def joined(self, phases: Sequence[bytes]) -> bytes:
        """The images whose phases these are, without their padding. What no window sees is blank."""
        (height, width), (step_y, step_x), (grid_rows, grid_columns) = self.window.image, self.window.stride, self.grid

        def rows() -> list[int | None]:
            seen = [divmod(y + self.window.padding[0], step_y) for y in range(height)]
            return [
                (phase * self.count + n) * grid_rows + row if row < grid_rows else None
                for n in range(self.count)
                for row, phase in seen
            ]

        raw = b"".join([_interleaved(part, self.bytes) for part in _chunks(phases, step_x)])
        return self._moved("joined", raw, rows, grid_columns * step_x, width, self.window.padding[1])

    def placed(self, outputs: bytes) -> bytes:
        """Output images in the corner of the grid of a phase each."""
        height, width = self.window.output

        def rows() -> list[int | None]:
            return [n * height + y if y < height else None for n in range(self.count) for y in range(self.grid[0])]

        return self._moved("placed", outputs, rows, width, self.grid[1], 0)

    def cut(self, raw: bytes) -> bytes:
        """The output images out of the corner of the grid of a phase each."""
        height, width = self.window.output

        def rows() -> list[int | None]:
            return [n * self.grid[0] + y for n in range(self.count) for y in range(height)]

        return self._moved("cut", raw, rows, self.grid[1], width, 0)


# --- numbers in range ------------------------------------------------------------------------------------------------


def _lanes_of(ops: Forms, x: Operand) -> Samples:
    """Rows of lanes with close bounds, or with bounds that are small anyway."""
    width = x.shape[1]
    layout = ops.layout(width)
    if not isinstance(x, Inputs) or isinstance(x, FloatRows):
        samples = ops.samples_of(x)
        if all(bound <= 1 << SCALAR_BITS for _, bound in samples.sizes):
            return samples
        if ops.learning and alike(samples.sizes):  # they are learned from: what is alike stays so
            exponent, bound = samples.sizes[0]
            sizes = [(exponent, min(bound, 1 << samples.most_bits(layout)))] * len(samples.sizes)
        else:
            sizes = []
            for row, used, (exponent, bound) in zip(samples.data, samples.bits(layout), samples.sizes):
                if bound > 1 << SCALAR_BITS:
                    bound = min(bound, 1 << used) if row else 0
                sizes.append((exponent, bound) if bound else NOTHING)
        return samples.resized(sizes)
    dense = [_dense(entry, width) for entry in x.entries]
    scale, exponent = math.frexp(x.scale)
    if any(type(row) is not bytearray for row in dense):
        bound = 1 << SCALAR_BITS
        sizes = [(exponent + entry.exponent, bound) if entry.growth else NOTHING for entry in x.entries]
        return Samples(layout.pack(dense), scale, sizes)
    data, lanes = [], bytearray(layout.size)
    for row in dense:
        lanes[:: layout.bytes] = row  # pixels: the lowest byte of each lane
        data.append(int.from_bytes(lanes, "little"))
    return Samples(data, scale, [(exponent, 255)] * len(dense))


def _dense(entry: Entry, width: int) -> Any:
    """A row of inputs with its zeros put back; bytes stay bytes."""
    ints = entry.ints
    if entry.positions is None:
        return bytearray(ints) if isinstance(ints, bytes) else ints
    row: Any = bytearray(width) if isinstance(ints, bytes) else array("i", bytes(4 * width))
    for k, v in zip(entry.positions, ints):
        row[k] = v
    return row


def _size(samples: Samples) -> Size:
    """(exponent, bound) of rows that all have the same; of no rows that of zeros."""
    return samples.sizes[0] if samples.sizes else NOTHING


def _size_by_size(
    ops: Forms, samples: Samples, scale: float, width: int, compute: Callable[[Samples, Sequence[int]], Any]
) -> LaneMatrix:
    """The rows of each size by themselves, put together again: what is done with a row follows from its size.

    ``compute`` is given rows of one size and their numbers; it returns rows of ``width`` lanes of any ``scale`` times
    a power of two, or rows of floats.
    """
    mantissa, layout = math.frexp(scale)[0], ops.layout(width)
    raws, sizes = [_blank(ops) * width] * len(samples.sizes), [NOTHING] * len(samples.sizes)
    for _, numbers in samples.by_size():
        result = compute(samples.part(numbers), numbers)
        if not isinstance(result, Samples):
            result = ops.pack(result, mantissa, width)
        for i, raw, (exponent, bound) in zip(numbers, result.raws(layout), result.sizes):
            sizes[i] = size_in_range(mantissa, exponent, bound)
            if sizes[i] != NOTHING:
                raws[i] = raw
    return _unread(ops, raws, width, mantissa, sizes)


def _unread(ops: Forms, raws: list[bytes], width: int, scale: float, sizes: list[Size]) -> LaneMatrix:
    """The matrix of rows whose lanes these are, as bytes."""
    samples = Unread(raws, ops.layout(width).bias, scale, sizes)
    return LaneMatrix(ops.width, (len(raws), width), samples=samples)


def _result(ops: Forms, raws: list[bytes], width: int, scale: float, exponent: int, bound: int) -> Samples:
    """Rows of one size."""
    mantissa, more = math.frexp(scale)
    return Unread(raws, ops.layout(width).bias, mantissa, [(exponent + more, bound)] * len(raws))


def _filters(ops: Forms, weight: LaneMatrix) -> Block:
    """The rows of a convolution's weight as small ints in one unit."""
    width = weight.shape[1]
    rows = ops.rows_of(weight).tightened(ops.layout(width)).fitted(ops.layout(width), 1 << SCALAR_BITS)
    ints = ops.layout(width).unpack(rows.data, rows.bound)
    return Block([ints[i : i + width] for i in range(0, len(ints), width)], rows.scale, rows.bound)


def _matched(ops: Forms, lanes: Samples, width: int, scalars: Block, room: int) -> tuple[Samples, Block] | None:
    """Both sides of a product, rounded so that no lane of a result goes beyond ``room``.

    The lanes are all of one size. Each list of the scalars is what one result is made with. Both sides lose bits until
    they have as many as each other. None if too few would be left.
    """
    growth, (_, bound) = longest_sum(scalars.data), _size(lanes)
    if not room:
        return None
    if growth * bound > room:
        has = bits_of(max([max(map(abs, ints)) for ints in scalars.data if len(ints)]))
        lane_has = bits_of(bound)
        left = has + lane_has - bits_of(growth * bound // room)
        shift = has - max(left // 2, left - lane_has)
        if shift > 0:
            if has - shift < ENOUGH_BITS:
                return None
            half = 1 << (shift - 1)
            rounded = [[(v + half) >> shift for v in ints] for ints in scalars.data]
            scalars = Block(rounded, math.ldexp(scalars.scale, shift), (scalars.bound >> shift) + 1)
            growth = longest_sum(rounded)
        if room // growth < min(bound, 1 << ENOUGH_BITS):
            return None
    return lanes.fitted(ops.layout(width), room // max(growth, 1)), scalars


def _blank(ops: Forms) -> bytes:
    """The lane of a zero in rows to which the bias has been added."""
    return (1 << (ops.width - 1)).to_bytes(ops.width // 8, "little")


def _channels(raws: Sequence[bytes], count: int) -> list[bytes]:
    """Each channel's part of all images, put together."""
    if count == 1:
        return [b"".join(raws)]
    size = len(raws[0]) // count
    return [b"".join([raw[i : i + size] for raw in raws]) for i in range(0, size * count, size)]


def _joined(parts: Sequence[bytes], rows: int) -> list[bytes]:
    """The bytes of ``rows`` rows, each of which has its share of every part."""
    size = len(parts[0]) // rows
    return [b"".join([part[i : i + size] for part in parts]) for i in range(0, size * rows, size)]


def _frames(ops: Forms, window: Window, count: int, lane: bytes | None = None) -> Frames:
    """The frames of so many images; made once for each window."""
    lane = lane or _blank(ops)
    frames = window.plans.get((count, lane))
    if frames is None:
        frames = window.plans[count, lane] = Frames(window, count, lane)
    return frames


class MovedSums:
    """Sums of moved images times ints: the way forward of a convolution or a mean, and the way back to its input.

    ``window`` is over the images as they are moved; a row may hold several that are treated alike.
    """

    def __init__(self, ops: Forms, window: Window, images_a_row: int = 1) -> None:
        self.ops = ops
        self.window = window
        self.images_a_row = images_a_row
        self.frames = _frames(ops, window, 1)

    def chunks(self, raws: Sequence[bytes]) -> Iterator[tuple[Sequence[bytes], Frames]]:
        """Some rows at a time, and the frames of their images."""
        for chunk in _chunks(raws, LANES_AT_ONCE // (self.frames.lanes * self.images_a_row)):
            yield chunk, _frames(self.ops, self.window, len(chunk) * self.images_a_row)

    def multiplier(self, pairs: Iterable[tuple[int, int]]) -> int:
        """One int that multiplies by many: of each (number, lanes to move) of the pairs."""
        width = self.ops.width
        return sum([number << (width * move) for number, move in pairs])

    def forward(self, raws: Sequence[bytes], filters: Sequence[Sequence[int]], offsets: Sequence[int]) -> list[bytes]:
        """Rows of output lanes: for each filter its sum at every position, plus its offset."""
        ops, window, groups = self.ops, self.window, self.frames.taps
        reach, starts = self.frames.reach[1], range(0, window.channels * window.taps, window.taps)
        factors = [
            [
                self.multiplier((ints[start + tap], reach - move) for tap, move in taps)
                for start in starts
                for phase in groups
                for _, taps in phase
            ]
            for ints in filters
        ]
        result: list[bytes] = []
        for chunk, frames in self.chunks(raws):
            images = self._moved_down(frames, chunk)
            layout = ops.layout(frames.lanes + reach)
            parts = []
            for ints, offset in zip(factors, offsets):
                total = sum(map(mul, images, ints), layout.bias + offset * layout.ones)
                parts.append(frames.cut(total.to_bytes(layout.size, "little")[reach * layout.bytes :]))
            result += _joined(parts, len(chunk))
        return result

    def _moved_down(self, frames: Frames, raws: Sequence[bytes]) -> list[int]:
        """For each channel, phase and row of the kernel the image, so moved that its lane is at the window's corner."""
        row, bias, images = frames.grid[1] * frames.bytes, self.ops.layout(frames.lanes).bias, []
        for raw in _channels(raws, self.window.channels):
            for phase, groups in zip(frames.phases(raw), frames.taps):
                padded = phase + _blank(self.ops) * (frames.reach[0] * frames.grid[1])
                for down, _ in groups:
                    part = padded[down * row : down * row + len(phase)]
                    images.append(int.from_bytes(part, "little") - bias)
        return images

    def backward(self, raws: Sequence[bytes], channels: Sequence[Sequence[int]]) -> list[bytes]:
        """Rows of input lanes from rows of output lanes. For each input channel a list of ints, tap by tap, in each of
        which there is one for each output channel."""
        ops, groups, filters = self.ops, self.frames.taps, len(channels[0]) // self.window.taps
        factors = [
            [
                [
                    self.multiplier((ints[tap * filters + f], move) for tap, move in taps)
                    for _, taps in phase
                    for f in range(filters)
                ]
                for phase in groups
            ]
            for ints in channels
        ]
        result: list[bytes] = []
        for chunk, frames in self.chunks(raws):
            layout = ops.layout(frames.lanes)
            placed = [frames.placed(raw) for raw in _channels(chunk, filters)]
            images = [int.from_bytes(raw, "little") - layout.bias for raw in placed]
            step = frames.grid[1] * ops.width
            moved = [[image << (step * down) for image in images] for down in range(frames.reach[0] + 1)]
            operands = [list(chain.from_iterable([moved[down] for down, _ in phase])) for phase in groups]
            parts = []
            for by_phase in factors:
                totals = [sum(map(mul, o, ints), layout.bias) for o, ints in zip(operands, by_phase)]
                parts.append(frames.joined([total.to_bytes(layout.size, "little") for total in totals]))
            result += _joined(parts, len(chunk))
        return result


# --- convolution -----------------------------------------------------------------------------------------------------


def convolve(ops: Forms, x: Operand, weight: LaneMatrix, bias: LaneMatrix, window: Window) -> LaneMatrix:
    """What ``lists.convolve`` says."""
    filters = weight.shape[1]
    window.require_inputs("convolve", x.shape[1])
    window.require_weight("convolve", weight.shape[0])
    if bias.shape != (1, filters):
        raise ValueError(f"convolve needs a bias of 1x{filters}, got {bias.shape[0]}x{bias.shape[1]}")
    scalars, shift, outputs = _filters(ops, weight), ops.rows_of(bias), filters * window.positions
    scalars = Block(list(zip(*scalars.data)), scalars.scale, scalars.bound)
    growth, added = longest_sum(scalars.data), ops.to_rows(bias)[0]

    def compute(lanes: Samples, numbers: Sequence[int]) -> Any:
        exponent, bound = _size(lanes)
        unit = math.ldexp(lanes.scale, exponent)
        product = float(growth) * bound * scalars.scale * unit
        # The sum is counted in units of the product: they must be coarse enough for the bias as well.
        share = product / (product + shift.bound * shift.scale) if product > SMALLEST else 0.0
        matched = _matched(ops, lanes, window.inputs, scalars, int(0.98 * share * (1 << ops.capacity)))
        if matched:
            lanes, by_filter = matched
            exponent, bound = _size(lanes)
            scale = math.ldexp(lanes.scale, exponent) * by_filter.scale
            offsets = [round(v / scale) for v in added]
            bound = longest_sum(by_filter.data) * bound + max(map(abs, offsets))
            if bound <= 1 << ops.capacity:
                raws = MovedSums(ops, window).forward(lanes.raws(ops.layout(window.inputs)), by_filter.data, offsets)
                return _result(ops, raws, outputs, scale, 0, bound)
        return _convolved(_chosen_rows(ops, x, numbers), ops.to_rows(weight), added, window)

    samples = _lanes_of(ops, x)
    return _size_by_size(ops, samples, samples.scale * scalars.scale, outputs, compute)


def _chosen_rows(ops: Forms, m: Operand, numbers: Sequence[int]) -> Rows:
    """Some rows of a matrix as floats."""
    rows = ops.to_rows(m)
    return [rows[i] for i in numbers]


def convolve_inputs(ops: Forms, gradient: LaneMatrix, weight: LaneMatrix, window: Window) -> LaneMatrix:
    """What ``lists.convolve_inputs`` says."""
    filters, taps = weight.shape[1], window.taps
    window.require_weight("convolve_inputs", weight.shape[0])
    window.require_outputs("convolve_inputs", gradient.shape[1], filters)
    scalars = _filters(ops, weight)
    by_channel = [list(chain.from_iterable(part)) for part in _chunks(scalars.data, taps)]
    scalars = Block(by_channel, scalars.scale, scalars.bound)

    def compute(lanes: Samples, numbers: Sequence[int]) -> Any:
        matched = _matched(ops, lanes, gradient.shape[1], scalars, 1 << ops.capacity)
        if not matched:
            return _convolved_back(_chosen_rows(ops, gradient, numbers), ops.to_rows(weight), window)
        lanes, ints = matched
        exponent, bound = _size(lanes)
        raws = MovedSums(ops, window).backward(lanes.raws(ops.layout(gradient.shape[1])), ints.data)
        bound *= longest_sum(ints.data)
        return _result(ops, raws, window.inputs, lanes.scale * ints.scale, exponent, bound)

    samples = _lanes_of(ops, gradient)
    return _size_by_size(ops, samples, samples.scale * scalars.scale, window.inputs, compute)


def convolve_weights(ops: Forms, x: Operand, gradient: LaneMatrix, window: Window) -> LaneMatrix:
    """What ``lists.convolve_weights`` says."""
    window.require_inputs("convolve_weights", x.shape[1])
    filters = gradient.shape[1] // window.positions
    window.require_outputs("convolve_weights", gradient.shape[1], filters)
    if x.shape[0] != gradient.shape[0]:
        raise ValueError(f"convolve_weights needs as many rows left and right, got {x.shape} and {gradient.shape}")
    if isinstance(x, Inputs) and window.stride == (1, 1):
        rows = _weights_by_inputs(ops, x, gradient, window, filters)
    else:
        rows = _weights_by_gradient(ops, x, gradient, window, filters)
    if rows is None:
        rows = lists.convolve_weights(ops.to_rows(x), ops.to_rows(gradient), window, exact_dot)
    return ops.from_rows(rows)


def _patches(raw: bytes, starts: Sequence[int], rows: range, size: int) -> list[int]:
    """One int for each start: ``size`` bytes from there on, and as many from each of ``rows`` bytes further on."""
    pieces = [[raw[start + row : start + row + size] for start in starts] for row in rows]
    joined = map(b"".join, zip(*pieces)) if len(pieces) > 1 else iter(pieces[0])
    from_bytes = int.from_bytes
    return [from_bytes(patch, "little") for patch in joined]


def _weights_by_gradient(ops: Forms, x: Operand, gradient: LaneMatrix, window: Window, filters: int) -> Rows | None:
    """Sums of what the window sees, times numbers of the gradient. Of these many are zero behind ReLU and pooling."""
    width, chunk_size = gradient.shape[1], max(PATCHES_AT_ONCE // window.positions, 1)
    terms = min(chunk_size, x.shape[0]) * window.positions
    lanes = _lanes_of(ops, x)
    # Both sides get as many bits; a sum of sizes is taken to be at most a sixteenth of what it could be.
    bits = min(max((ops.capacity - terms.bit_length() + 4) // 2, ENOUGH_BITS), SCALAR_BITS)
    aligned = _in_one_unit(ops, gradient, [exponent if known else None for exponent, known in lanes.sizes])
    exponent, bound = _size(aligned)
    scalars = Block(aligned.data, math.ldexp(aligned.scale, exponent), bound).fitted(ops.layout(width), 1 << bits)
    chunks = [_by_filter(ops, chunk, scalars.bound, width, filters) for chunk in _chunks(scalars.data, chunk_size)]
    growth = max([longest_sum(used for _, used in chunk) for chunk in chunks], default=0)
    allowed, bound = (1 << ops.capacity) // max(growth, 1), max([bound for _, bound in lanes.sizes], default=0)
    if allowed < min(bound, 1 << ENOUGH_BITS):
        return None
    common = bits_of(bound // allowed) if bound > allowed else 0  # the same for all rows: their units stay as they are
    if common:
        shifted = ops.layout(window.inputs).shift(lanes.data, common)
        lanes = Samples(shifted, math.ldexp(lanes.scale, common), lanes.sizes)
    seen, taps = ops.layout(window.channels * window.taps), window.taps
    sums = [[0] * seen.count for _ in range(filters)]
    for raws, chunk in zip(_chunks(lanes.raws(ops.layout(window.inputs)), chunk_size), chunks):
        patches = _patches_seen(window, raws, _blank(ops))
        for total, (ints, used) in zip(sums, chunk):
            # The bias that is still in the patches goes out of the whole sum at once.
            row = sum(map(mul, compress(patches, ints), used)) - seen.bias * sum(used)
            total[:] = map(add, total, seen.unpack([row]))
    scale = lanes.scale * scalars.scale
    return [
        [scale * total[tap * window.channels + channel] for total in sums]
        for channel in range(window.channels)
        for tap in range(taps)
    ]


def _in_one_unit(ops: Forms, gradient: LaneMatrix, exponents: Sequence[int | None]) -> Samples:
    """The rows of a gradient in such units that each times an int of its sample, which has one of these exponents,
    counts in the same unit: that of the exponent of all of them."""
    samples = ops.samples_of(gradient)
    if alike(samples.sizes) and alike(exponents) and exponents[0] is not None:
        exponent, bound = samples.sizes[0]
        if bound <= 1 << SCALAR_BITS:
            return samples.resized([(exponent + exponents[0], bound)] * len(exponents))
    rows, exponent, bounds = ops.align(samples, gradient.shape[1], exponents, 1, False)
    return Samples(rows, samples.scale, [(exponent, largest_of(bounds))] * len(rows))


def _by_filter(
    ops: Forms, rows: Sequence[int], bound: int, width: int, filters: int
) -> list[tuple[list[int], list[int]]]:
    """For each filter the numbers of its gradient, image after image, and those of them that are not zero."""
    flat, positions = ops.layout(width).unpack(rows, bound), width // filters
    lists = []
    for first in range(0, width, positions):
        ints: list[int] = []
        for start in range(first, len(flat), width):
            ints += flat[start : start + positions]
        lists.append((ints, list(filter(None, ints))))
    return lists


def _patches_seen(window: Window, raws: Sequence[bytes], blank: bytes) -> list[int]:
    """What the window sees at all its positions in all images: row by row, the channels of a pixel side by side."""
    cell, count, (rows, columns) = len(blank) * window.channels, len(raws), window.padded
    raw = _interleaved(_channels(raws, window.channels), len(blank))
    key = "seen", count, cell
    if key not in window.plans:
        height, (step_y, step_x), pad_y = window.image[0], window.stride, window.padding[0]
        inside = [y if 0 <= y < height else None for y in range(-pad_y, height + pad_y)]
        found = [None if y is None else n * height + y for n in range(count) for y in inside]
        starts = [
            ((n * rows + y * step_y) * columns + x * step_x) * cell
            for n in range(count)
            for y in range(window.output[0])
            for x in range(window.output[1])
        ]
        slices = _slices(found, window.image[1], columns, -window.padding[1], cell, len(raw))
        window.plans[key] = slices, starts
    slices, starts = window.plans[key]
    raw = _gather(slices, raw + blank * (window.channels * columns))
    return _patches(raw, starts, range(0, window.kernel[0] * columns * cell, columns * cell), window.kernel[1] * cell)


def _weights_by_inputs(ops: Forms, x: Inputs, gradient: LaneMatrix, window: Window, filters: int) -> Rows | None:
    """Sums of the gradient's numbers that an input had a part in, times that input: its zeros cost nothing."""
    pixels, (rows, columns) = window.inputs // window.channels, _border(window)
    chunk_size = max(PATCHES_AT_ONCE // pixels, 1)
    places, lists = [], []
    for chunk in _chunks(x.entries, chunk_size):
        for channel in range(window.channels):
            parts = [_channel(entry, channel * pixels, (channel + 1) * pixels) for entry in chunk]
            places.append([found for found, _ in parts])
            lists.append(list(chain.from_iterable([ints for _, ints in parts])))
    aligned = _in_one_unit(ops, gradient, x.exponents)
    matched = _matched(ops, aligned, gradient.shape[1], Block(lists, x.scale, x.largest), 1 << ops.capacity)
    if not matched:
        return None
    lanes, scalars = matched
    seen, cell, width = ops.layout(window.taps * filters), filters * ops.width // 8, window.image[1]
    sums = [[0] * seen.count for _ in range(window.channels)]
    starts = [(k // width * columns + k % width) * cell for k in range(pixels)]
    pitch, size, frame = columns * cell, window.kernel[1] * cell, rows * columns * cell
    below = range(0, window.kernel[0] * pitch, pitch)
    chunks = zip(
        _chunks(lanes.raws(ops.layout(gradient.shape[1])), chunk_size),
        _chunks(places, window.channels),
        _chunks(scalars.data, window.channels),
    )
    for raws, found, by_channel in chunks:
        raw = _bordered(window, raws, filters, _blank(ops))
        frames = [raw[i : i + frame] for i in range(0, len(raw), frame)]
        for total, where, ints in zip(sums, found, by_channel):
            patches: list[int] = []
            for image, positions in zip(frames, where):
                patches += _patches(image, [starts[k] for k in positions], below, size)
            total[:] = map(add, total, seen.unpack([sum(map(mul, patches, ints)) - seen.bias * sum(ints)]))
    scale = math.ldexp(lanes.scale, _size(lanes)[0]) * scalars.scale
    # Seen from the input, the kernel is turned round.
    return [
        [scale * v for v in total[i : i + filters]]
        for total in sums
        for i in range((window.taps - 1) * filters, -1, -filters)
    ]


def _channel(entry: Entry, first: int, end: int) -> tuple[Sequence[int], Sequence[int]]:
    """(where in the channel, ints) of the inputs from ``first`` to ``end``: those of one channel."""
    positions, ints = entry.positions, entry.ints
    if positions is None:
        return range(end - first), ints[first:end]
    if not first:
        stop = bisect_left(positions, end)
        return positions[:stop], ints[:stop]
    start, stop = bisect_left(positions, first), bisect_left(positions, end)
    return [k - first for k in positions[start:stop]], ints[start:stop]


def _border(window: Window) -> tuple[int, int]:
    """(rows, columns) of a gradient with room around it, so that every pixel of the image finds its patch."""
    return window.image[0] + window.kernel[0] - 1, window.image[1] + window.kernel[1] - 1


def _bordered(window: Window, raws: Sequence[bytes], filters: int, blank: bytes) -> bytes:
    """Gradients so framed by zeros that the patch from a pixel's place on is what that pixel had a part in."""
    rows, columns = _border(window)
    raw, key = _interleaved(_channels(raws, filters), len(blank)), ("bordered", len(raws), filters, len(blank))
    if key not in window.plans:
        height, width = window.output
        first = [p - k + 1 for p, k in zip(window.padding, window.kernel)]
        inside = [y if 0 <= y < height else None for y in range(first[0], first[0] + rows)]
        found = [None if y is None else n * height + y for n in range(len(raws)) for y in inside]
        window.plans[key] = _slices(found, width, columns, first[1], filters * len(blank), len(raw))
    return _gather(window.plans[key], raw + blank * (filters * columns))


# --- the same through floats -----------------------------------------------------------------------------------------
# Where ranges are too far apart for lanes. Sums are rounded once, at their end: the same on every Python.


def _convolved(x: Rows, weight: Rows, bias: Sequence[float], window: Window) -> Rows:
    filters = [((*column, b), 0.0) for column, b in zip(zip(*weight), bias)]
    return lists.filtered(x, filters, window, lambda patch, column: exact_dot(patch, column, column[-1]))


def _convolved_back(gradient: Rows, weight: Rows, window: Window) -> Rows:
    result = []
    for row in gradient:
        shares: Rows = [[] for _ in range(window.inputs + 1)]
        for patch, values in lists.shares(row, weight, window, exact_dot):
            for i, v in zip(patch, values):
                shares[i].append(v)
        result.append(list(map(math.fsum, shares[: window.inputs])))
    return result


# --- pooling ---------------------------------------------------------------------------------------------------------


def average_pool(ops: Forms, x: Operand, window: Window) -> LaneMatrix:
    """What ``lists.average_pool`` says: a convolution of each channel with ones."""
    window.require_inputs("average_pool", x.shape[1])
    lanes = _lanes_of(ops, x).fitted(ops.layout(window.inputs), (1 << ops.capacity) // window.taps)
    moved = MovedSums(ops, window.one_channel, window.channels)
    raws = moved.forward(lanes.raws(ops.layout(window.inputs)), [[1] * window.taps], [0])
    return _means(ops, raws, lanes, window.channels * window.positions, window.taps)


def _means(ops: Forms, raws: list[bytes], lanes: Samples, width: int, taps: int) -> LaneMatrix:
    """Sums of ``taps`` lanes each as means."""
    scale, more = math.frexp(lanes.scale / taps)
    sizes = [size_in_range(scale, exponent + more, bound * taps) for exponent, bound in lanes.sizes]
    raws = [raw if bound else _blank(ops) * width for raw, (_, bound) in zip(raws, sizes)]
    return _unread(ops, raws, width, scale, sizes)


def average_pool_inputs(ops: Forms, gradient: LaneMatrix, window: Window) -> LaneMatrix:
    """What ``lists.average_pool_inputs`` says."""
    window.require_outputs("average_pool_inputs", gradient.shape[1], window.channels)
    lanes = _lanes_of(ops, gradient).fitted(ops.layout(gradient.shape[1]), (1 << ops.capacity) // window.taps)
    moved = MovedSums(ops, window.one_channel, window.channels)
    raws = moved.backward(lanes.raws(ops.layout(gradient.shape[1])), [[1] * window.taps])
    return _means(ops, raws, lanes, window.inputs, window.taps)


def _views(frames: Frames, raw: bytes, less: int) -> list[int]:
    """For each tap of the kernel, in order, the images so moved that the tap's number is at the window's corner.

    ``less`` is taken away from each.
    """
    views, width = {}, frames.grid[1]
    for phase, groups in zip(frames.phases(raw), frames.taps):
        padded = phase + frames.blank * (frames.reach[0] * width + frames.reach[1])
        for down, taps in groups:
            for tap, move in taps:
                start = (down * width + move) * frames.bytes
                views[tap] = int.from_bytes(padded[start : start + len(phase)], "little") - less
    return [views[tap] for tap in sorted(views)]


def max_pool(ops: Forms, x: Operand, window: Window) -> tuple[LaneMatrix, list[list[int]]]:
    """What ``lists.max_pool`` says; for each row, and each tap but the first, the mask of those not chosen so far.

    Lanes are made positive and smaller than half of what they could hold. So each has a bit to spare at its top: set
    in one of two rows before they are subtracted, it is left standing where that row's lane was not the smaller one.
    """
    window.require_inputs("max_pool", x.shape[1])
    outputs, width = window.channels * window.positions, ops.width
    quarter = 1 << (width - 2)
    # Below the limit, not at it: the lowest number is for the padding.
    samples = ops.samples_of(x).fitted(ops.layout(window.inputs), quarter - 1)
    frames = _frames(ops, window.one_channel, window.channels, quarter.to_bytes(width // 8, "little"))
    grid = ops.layout(frames.lanes)
    top, lowest, lowest_out = grid.bias, grid.bias >> 1, ops.layout(outputs).bias >> 1
    data, choices = [], []
    for raw in samples.raws(ops.layout(window.inputs)):
        views, kept = _views(frames, raw, lowest), []
        largest = views[0]
        for view in views[1:]:
            flags = ((largest | top) - view) & top
            keep = flags - (flags >> (width - 1))
            largest = view ^ ((largest ^ view) & keep)
            kept.append(keep)
        choices.append(kept)
        if frames.lanes == outputs:
            data.append(largest - lowest)
        else:
            data.append(int.from_bytes(frames.cut(largest.to_bytes(grid.size, "little")), "little") - lowest_out)
    largest_ones = Samples(data, samples.scale, samples.sizes)
    return LaneMatrix(ops.width, (x.shape[0], outputs), samples=largest_ones), choices


def max_pool_inputs(ops: Forms, gradient: LaneMatrix, choices: list[list[int]], window: Window) -> LaneMatrix:
    """What ``lists.max_pool_inputs`` says."""
    window.require_outputs("max_pool_inputs", gradient.shape[1], window.channels)
    frames, width = _frames(ops, window.one_channel, window.channels), gradient.shape[1]
    groups = [[(tap, down * frames.grid[1] + move) for down, taps in p for tap, move in taps] for p in frames.taps]
    growth = max(map(len, groups))
    # What comes next would look up how large the numbers are, and round them. Here there are fewer of them.
    samples = _lanes_of(ops, gradient).fitted(ops.layout(width), min(1 << SCALAR_BITS, (1 << ops.capacity) // growth))
    grid = ops.layout(frames.lanes)
    half, everywhere, size, raws = grid.bias >> 1, grid.bias - grid.ones, grid.size, []
    for row, kept in zip(_placed(ops, frames, samples, width), choices):
        difference = (row + half) ^ half
        gated = [((difference & mask) ^ half) - half for mask in _chosen(kept, everywhere)]
        totals = [sum([gated[tap] << (ops.width * move) for tap, move in group], grid.bias) for group in groups]
        raws.append(frames.joined([total.to_bytes(size, "little") for total in totals]))
    sizes = [(exponent, bound * growth) for exponent, bound in samples.sizes]
    return _unread(ops, raws, window.inputs, samples.scale, sizes)


def _placed(ops: Forms, frames: Frames, samples: Samples, width: int) -> list[int]:
    """Rows of output lanes, in the corner of the grid of a phase each."""
    if frames.lanes == width:
        return samples.data
    bias = ops.layout(frames.lanes).bias
    return [int.from_bytes(frames.placed(raw), "little") - bias for raw in samples.raws(ops.layout(width))]


def _chosen(kept: Sequence[int], everywhere: int) -> list[int]:
    """For each tap the mask of the lanes where it is the largest, from the masks of where later ones were not."""
    left, masks = everywhere, []
    for keep in reversed(kept):
        still = left & keep
        masks.append(left ^ still)
        left = still
    return [left, *reversed(masks)]
