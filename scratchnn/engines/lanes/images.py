"""Images as ints, moved and multiplied as a whole: what convolution and pooling stand on in the engine ``lanes``.

Put an image into one int, a lane a pixel, row after row. Divided by 256**bytes it is the same image moved by one pixel;
by a row's worth of lanes, moved by one row. So a 3x3 filter is a sum of nine moved images, each times a small int, and
a window that would reach over the edge gives numbers that are cut out afterwards. The moves along a row come for free:

    (a + b·X + c·X² + ...) · (w2 + w1·X + w0·X²)   with X = 256**bytes, has  a·w0 + b·w1 + c·w2  at X²

so each row of a filter is one multiplier. With steps of 2 and more the image is first taken apart: even columns and odd
ones, even rows and odd ones, each a smaller image (a *phase*) over which the window moves in steps of 1. Putting images
together and taking them apart is done on bytes, by slices.
"""

from __future__ import annotations

import math
from itertools import chain
from operator import mul

from ..sliding_window import Window
from .layout import Layout
from .matrix import NOTHING, SCALAR_BITS, FloatRows, Forms, Inputs, LaneMatrix, Samples, Size, alike

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from .matrix import Operand

LANES_AT_ONCE = 2000  # so many lanes of one channel are computed with at once; fewer cost more overhead

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


class Pixels(Samples):
    """Samples whose rows are still bytes, one a number. They become lanes when somebody asks for ``data``."""

    __slots__ = ("_data", "layout", "rows")

    def __init__(self, rows: list[Any], layout: Layout, scale: float, sizes: list[Size]) -> None:
        self.rows = rows
        self.layout = layout
        self.scale = scale
        self.sizes = sizes
        self._data: list[int] | None = None

    @property
    def data(self) -> list[int]:  # type: ignore[override]
        """One int a row."""
        if self._data is None:
            width = self.layout.bytes
            self._data = [int.from_bytes(widened(row, 1, width), "little") for row in self.rows]
        return self._data


def in_chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    size = max(size, 1)
    return (items[first : first + size] for first in range(0, len(items), size))


# --- moving lanes about, as bytes ------------------------------------------------------------------------------------


def slices_of(rows: Iterable[int | None], source: int, target: int, first: int, cell: int, blanks: int) -> Slices:
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


def picked(count: int, height: int, rows: Sequence[int]) -> list[int | None]:
    """These rows out of each of ``count`` pictures that stand one below the other; None for one outside of them."""
    return [n * height + y if 0 <= y < height else None for n in range(count) for y in rows]


def gather(slices: Slices, raw: bytes) -> bytes:
    return raw[slices[0]] if len(slices) == 1 else b"".join(map(raw.__getitem__, slices))


def _every(raw: bytes, cell: int, first: int, step: int) -> bytes:
    """Every ``step``-th cell, from cell ``first`` on."""
    result = bytearray(len(raw) // step)
    for byte in range(cell):
        result[byte::cell] = raw[first * cell + byte :: step * cell]
    return bytes(result)


def widened(raw: bytes | bytearray, cell: int, wider: int) -> bytearray:
    """Cells of more bytes, which are 0 above the old ones."""
    result = bytearray(len(raw) // cell * wider)
    for byte in range(cell):
        result[byte::wider] = raw[byte::cell]
    return result


def interleaved(raws: Sequence[bytes], cell: int) -> bytes:
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
            slices = self._slices[name] = slices_of(rows(), source, target, first, self.bytes, len(raw))
        return gather(slices, raw + self.blank * target)

    def _rows(self, height: int, seen: Sequence[int]) -> Callable[[], list[int | None]]:
        """What ``picked`` gives, when it is asked for."""
        return lambda: picked(self.count, height, seen)

    def phases(self, raw: bytes) -> list[bytes]:
        """The images, padded, as phases."""
        (height, width), (step_y, step_x), result = self.window.image, self.window.stride, []
        for phase in range(step_y):
            first = phase - self.window.padding[0]
            seen, columns = range(first, first + self.grid[0] * step_y, step_y), self.grid[1] * step_x
            padded = self._moved(
                f"phase {phase}", raw, self._rows(height, seen), width, columns, -self.window.padding[1]
            )
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

        raw = b"".join([interleaved(part, self.bytes) for part in in_chunks(phases, step_x)])
        return self._moved("joined", raw, rows, grid_columns * step_x, width, self.window.padding[1])

    def placed(self, outputs: bytes) -> bytes:
        """Output images in the corner of the grid of a phase each."""
        height, width = self.window.output
        return self._moved("placed", outputs, self._rows(height, range(self.grid[0])), width, self.grid[1], 0)

    def cut(self, raw: bytes) -> bytes:
        """The output images out of the corner of the grid of a phase each."""
        height, width = self.window.output
        return self._moved("cut", raw, self._rows(self.grid[0], range(height)), self.grid[1], width, 0)


# --- numbers in range ------------------------------------------------------------------------------------------------


def lanes_of(ops: Forms, x: Operand) -> Samples:
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
    rows = x.dense_rows()
    scale, exponent = math.frexp(x.scale)
    if any(type(row) is not bytearray for row in rows):
        bound = 1 << SCALAR_BITS
        sizes = [(exponent + entry.exponent, bound) if entry.growth else NOTHING for entry in x.entries]
        return Samples(layout.pack(rows), scale, sizes)
    return Pixels(rows, layout, scale, [(exponent, 255)] * len(rows))


def unread(ops: Forms, raws: list[bytes], width: int, scale: float, sizes: list[Size]) -> LaneMatrix:
    """The matrix of rows whose lanes these are, as bytes."""
    samples = Unread(raws, ops.layout(width).bias, scale, sizes)
    return LaneMatrix(ops.width, (len(raws), width), samples=samples)


def blank_lane(ops: Forms) -> bytes:
    """The lane of a zero in rows to which the bias has been added."""
    return (1 << (ops.width - 1)).to_bytes(ops.width // 8, "little")


# --- sums of moved images --------------------------------------------------------------------------------------------


def channels_of(raws: Sequence[bytes], count: int) -> list[bytes]:
    """Each channel's part of all images, put together."""
    if count == 1:
        return [b"".join(raws)]
    size = len(raws[0]) // count
    return [b"".join([raw[i : i + size] for raw in raws]) for i in range(0, size * count, size)]


def joined(parts: Sequence[bytes], rows: int) -> list[bytes]:
    """The bytes of ``rows`` rows, each of which has its share of every part."""
    size = len(parts[0]) // rows
    return [b"".join([part[i : i + size] for part in parts]) for i in range(0, size * rows, size)]


def frames_of(ops: Forms, window: Window, count: int, lane: bytes | None = None) -> Frames:
    """The frames of so many images; made once for each window."""
    lane = lane or blank_lane(ops)
    frames = window.plans.get((count, lane))
    if frames is None:
        frames = window.plans[count, lane] = Frames(window, count, lane)
    return frames


class MovedSums:
    """Sums of moved images times ints: the way forward of a convolution or a mean, and the way back to its input.

    ``window`` is over the images as they are moved; a row may hold several that are treated alike. ``pixels`` says that
    the images to go forward are bytes, one a number, and no lanes.
    """

    def __init__(self, ops: Forms, window: Window, images_a_row: int = 1, pixels: bool = False) -> None:
        self.ops = ops
        self.window = window
        self.images_a_row = images_a_row
        self.pixels = pixels
        self.frames = frames_of(ops, window, 1)

    def chunks(self, raws: Sequence[bytes], at_once: int | None = None) -> Iterator[tuple[Sequence[bytes], Frames]]:
        """Some rows at a time, and the frames of their images; ``at_once`` lanes of a channel, or ``LANES_AT_ONCE``."""
        for chunk in in_chunks(raws, (at_once or LANES_AT_ONCE) // (self.frames.lanes * self.images_a_row)):
            yield chunk, frames_of(self.ops, self.window, len(chunk) * self.images_a_row)

    def multiplier(self, pairs: Iterable[tuple[int, int]]) -> int:
        """One int that multiplies by many: of each (number, lanes to move) of the pairs."""
        width = self.ops.width
        return sum([number << (width * move) for number, move in pairs])

    def forward(self, raws: Sequence[bytes], filters: Sequence[Sequence[int]], offsets: Sequence[int]) -> list[bytes]:
        """Rows of output lanes: for each filter its sum at every position, plus its offset."""
        factors, reach = self.factors(filters), self.frames.reach[1]
        result: list[bytes] = []
        for chunk, frames in self.chunks(raws):
            images = self.moved_down(frames, chunk)
            layout = self.ops.layout(frames.lanes + reach)
            parts = []
            for ints, offset in zip(factors, offsets):
                total = sum(map(mul, images, ints), layout.bias + offset * layout.ones)
                parts.append(frames.cut(total.to_bytes(layout.size, "little")[reach * layout.bytes :]))
            result += joined(parts, len(chunk))
        return result

    def factors(self, filters: Sequence[Sequence[int]]) -> list[list[int]]:
        """For each filter the multipliers of the images that ``moved_down`` gives.

        The lowest lanes of a sum of their products, as many as the window's reach, are none of the outputs.
        """
        reach, starts = self.frames.reach[1], range(0, self.window.channels * self.window.taps, self.window.taps)
        return [
            [
                self.multiplier((ints[start + tap], reach - move) for tap, move in taps)
                for start in starts
                for phase in self.frames.taps
                for _, taps in phase
            ]
            for ints in filters
        ]

    def moved_down(self, frames: Frames, raws: Sequence[bytes]) -> list[int]:
        """For each channel, phase and row of the kernel the image, so moved that its lane is at the window's corner."""
        width, bias, images, blank = self.ops.width // 8, self.ops.layout(frames.lanes).bias, [], blank_lane(self.ops)
        if self.pixels:
            bias, blank = 0, b"\0"
        whole = frames_of(self.ops, self.window, frames.count, blank)
        row = frames.grid[1] * len(blank)
        for raw in channels_of(raws, self.window.channels):
            for phase, groups in zip(whole.phases(raw), frames.taps):
                padded = phase + blank * (frames.reach[0] * frames.grid[1])
                for down, _ in groups:
                    part = padded[down * row : down * row + len(phase)]
                    lanes = widened(part, 1, width) if self.pixels else part
                    images.append(int.from_bytes(lanes, "little") - bias)
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
            placed = [frames.placed(raw) for raw in channels_of(chunk, filters)]
            images = [int.from_bytes(raw, "little") - layout.bias for raw in placed]
            step = frames.grid[1] * ops.width
            moved = [[image << (step * down) for image in images] for down in range(frames.reach[0] + 1)]
            operands = [list(chain.from_iterable([moved[down] for down, _ in phase])) for phase in groups]
            parts = []
            for by_phase in factors:
                totals = [sum(map(mul, o, ints), layout.bias) for o, ints in zip(operands, by_phase)]
                parts.append(frames.joined([total.to_bytes(layout.size, "little") for total in totals]))
            result += joined(parts, len(chunk))
        return result
