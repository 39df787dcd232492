"""A convolution and the pooling behind it as one, for the engine ``lanes``: only what the pooling keeps becomes rows.

A pooling looks at every number that a convolution makes, and keeps one of four. So the outputs of a convolution are not
computed before somebody asks for them, and a pooling asks for them otherwise than the rest: as *phases*, the numbers at
even columns and at odd ones, of even rows and of odd ones, each of them an int over all images. Then the largest of a
window are found by comparing these ints, and none has to be taken apart. A phase costs no more than its share, because
the images are taken into phases first. In one dimension, with steps of 2 and a filter (u, v, w):

    image a b c d e f    even columns a c e, odd ones b d f
    output at 0, 2       a·u + b·v + c·w, c·u + d·v + e·w    = even·u + odd·v + (even moved by one)·w
    output at 1, 3       b·u + c·v + d·w, d·u + e·v + f·w    = odd·u + (even moved by one)·v + (odd moved by one)·w

These are two convolutions with steps of 2, by the filters (u, v, w, 0) and (0, u, v, w).

On the way back the gradient stays as small as it came, beside the number of the place that each of its numbers goes to:
three of four numbers of what the convolution gets are zeros, which need not be there.
"""

from __future__ import annotations

from itertools import compress
from operator import mul

from ..sliding_window import Window
from .images import MovedSums, Pixels, Unread, frames_of, joined, widened
from .matrix import Forms, LaneMatrix, Samples, Shape, Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .layout import Layout

MOST_PLACES = 256  # in the window of a pooling: their numbers are kept as bytes
FEW_LANES = 1024  # with fewer outputs of a filter, it takes longer to get ready than is saved
PHASES_AT_ONCE = 3200  # lanes of a phase that are computed with at once: with fewer it takes a twelfth longer
NARROW = 32  # bits of a lane that mostly holds what a small filter makes of pixels


class Convolved(Unread):
    """Output rows of a convolution of ``images``, computed when somebody asks for them.

    ``filters`` are the ints of each filter, ``offsets`` what is added to its sums. All images have one size.
    """

    __slots__ = ("_wide_raws", "filters", "images", "lanes", "offsets", "ops", "window")

    def __init__(
        self,
        ops: Forms,
        window: Window,
        images: Samples,
        filters: Sequence[Sequence[int]],
        offsets: Sequence[int],
        scale: float,
        size: Size,
    ) -> None:
        self.ops = ops
        self.window = window
        self.images = images
        self.filters = filters
        self.offsets = offsets
        self.scale = scale
        self.sizes = [size] * len(images.sizes)
        self.bias = ops.layout(len(filters) * window.positions).bias
        self.lanes = ops  # which lanes they are computed in
        many = len(self.sizes) * window.positions >= FEW_LANES
        if isinstance(images, Pixels) and size[1] < 1 << (NARROW - 2) and many:
            if "narrow" not in window.plans:
                window.plans["narrow"] = Forms(NARROW)
            self.lanes = window.plans["narrow"]
        self._data = None
        self._wide_raws: list[bytes] | None = None

    @property
    def _rows(self) -> Sequence[Any]:
        """The images as bytes."""
        if isinstance(self.images, Pixels):
            return self.images.rows
        return self.images.raws(self.ops.layout(self.window.inputs))

    def _moved(self, window: Window) -> MovedSums:
        return MovedSums(self.lanes, window, pixels=isinstance(self.images, Pixels))

    def _outputs(self) -> list[bytes]:
        return self._moved(self.window).forward(self._rows, self.filters, self.offsets)

    @property
    def data(self) -> list[int]:  # type: ignore[override]
        """One int a row."""
        if self._data is None:
            if self.lanes is self.ops:
                return super().data
            layout = self.ops.layout(len(self.filters) * self.window.positions)
            self._data = as_lanes(self._outputs(), self.lanes, self.ops, layout.ones << (NARROW - 1))
        return self._data

    @property
    def _raws(self) -> list[bytes]:  # type: ignore[override]
        if self._wide_raws is None:
            if self.lanes is self.ops:
                self._wide_raws = self._outputs()
            else:
                layout = self.ops.layout(len(self.filters) * self.window.positions)
                self._wide_raws = [(row + layout.bias).to_bytes(layout.size, "little") for row in self.data]
        return self._wide_raws

    def pooled(self, window: Window) -> tuple[Samples, Choices] | None:
        """The largest number in each of the pooling's windows, with what its way back needs; None where windows overlap
        or the like, or see other images in the rows than the convolution made."""
        quarter = 1 << (self.lanes.width - 2)
        if (window.channels, window.image) != (len(self.filters), self.window.output):
            return None
        if window.padding != (0, 0) or window.kernel != window.stride or self.window.stride != (1, 1):
            return None
        if len(self.sizes) * self.window.positions < FEW_LANES:
            return None
        if self.sizes[0][1] >= quarter or window.taps > MOST_PLACES:
            return None
        lanes, both, count = self.lanes, _both(self.window, window), len(self.filters)
        moved, width = self._moved(both), lanes.width
        plan = _multipliers(moved, self.window, window)
        factors = [
            [(used, [sum([ints[k] << shift for k, shift in taps]) for taps in groups]) for used, groups in plan]
            for ints in self.filters
        ]
        reach, raws, choices = moved.frames.reach[1], [], Choices(len(self.sizes), lanes, both)
        for chunk, frames in moved.chunks(self._rows, PHASES_AT_ONCE):
            images, layout, parts = moved.moved_down(frames, chunk), lanes.layout(frames.lanes + reach), []
            top, lowest, kept_here = layout.bias, layout.bias >> 1, []
            for of_filter, offset in zip(factors, self.offsets):
                start, kept, largest = lowest + offset * layout.ones, [], 0
                for number, (used, ints) in enumerate(of_filter):
                    sums = sum(map(mul, compress(images, used), ints), start)
                    if number:  # as in ``pooling.max_pool``
                        difference = (largest | top) - sums
                        flags = difference & top
                        keep = flags - (flags >> (width - 1))
                        kept.append(keep)
                        sums += difference & keep
                    largest = sums
                parts.append(frames.cut(largest.to_bytes(layout.size, "little")[reach * layout.bytes :]))
                kept_here.append(kept)
            raws += joined(parts, len(chunk))
            choices.chunks.append((frames.count, kept_here))
        ones = self.ops.layout(count * both.positions).ones
        return Samples(as_lanes(raws, lanes, self.ops, ones * quarter), self.scale, self.sizes), choices


def as_lanes(raws: Sequence[bytes | bytearray], lanes: Forms, ops: Forms, less: int) -> list[int]:
    """Rows of lanes of ``ops`` out of those of ``lanes`` as bytes, less a number that made all of them positive."""
    if lanes.width != ops.width and raws:
        size, wide = len(raws[0]), widened(b"".join(raws), lanes.width // 8, ops.width // 8)
        size = size // (lanes.width // 8) * (ops.width // 8)
        raws = [wide[i : i + size] for i in range(0, len(wide), size)]
    return [int.from_bytes(raw, "little") - less for raw in raws]


def _both(window: Window, pooling: Window) -> Window:
    """What a pooling's window sees of the images that its inputs are convolved from: it moves on by the pooling's."""
    key = "pooled", pooling.kernel
    if key not in window.plans:
        kernel = [one + other - 1 for one, other in zip(window.kernel, pooling.kernel)]
        window.plans[key] = Window(window.channels, *window.image, kernel, pooling.stride, window.padding)
    found: Window = window.plans[key]
    return found


def _multipliers(moved: MovedSums, window: Window, pooling: Window) -> Sequence[tuple[list[bool], list[Any]]]:
    """For each place in the pooling's window (which images have a part in the number there, for each of these the
    numbers of the filter's ints, and the bits to shift each by, that are the multiplier of that image)."""
    both, width = moved.window, moved.ops.width
    key = "multipliers", width
    if key not in both.plans:
        both.plans[key] = [
            _groups(moved, _placed(window, both, y, x), width)
            for y in range(pooling.kernel[0])
            for x in range(pooling.kernel[1])
        ]
    plan: Sequence[tuple[list[bool], list[Any]]] = both.plans[key]
    return plan


def _placed(window: Window, both: Window, y: int, x: int) -> list[int | None]:
    """For each tap of the window ``both`` the number of the filter's int there, if it is moved down by y and right by
    x; None around it."""
    (height, width), (rows, columns) = window.kernel, both.kernel
    placed: list[int | None] = [None] * (window.channels * both.taps)
    for k in range(window.channels * height):
        channel, row = divmod(k, height)
        start = (channel * rows + y + row) * columns + x
        placed[start : start + width] = range(k * width, (k + 1) * width)
    return placed


def _groups(moved: MovedSums, placed: Sequence[int | None], width: int) -> tuple[list[bool], list[Any]]:
    """One of the pairs of ``_multipliers``."""
    used, groups, reach, both = [], [], moved.frames.reach[1], moved.window
    for start in range(0, both.channels * both.taps, both.taps):
        for phase in moved.frames.taps:
            for _, taps in phase:
                found = [(placed[start + tap], width * (reach - move)) for tap, move in taps]
                found = [(k, shift) for k, shift in found if k is not None]
                used.append(bool(found))
                groups += [found] if found else []
    return used, groups


class Choices:
    """Which place of its window each output of a pooling came from, as ``Convolved.pooled`` has found it.

    ``chunks`` are (how many images, for each filter the masks of those not chosen at the second place, the third ...).
    """

    def __init__(self, count: int, lanes: Forms, window: Window) -> None:
        self.count = count
        self.lanes = lanes
        self.window = window
        self.chunks: list[tuple[int, list[list[int]]]] = []

    def __len__(self) -> int:
        return self.count

    def places(self) -> list[bytes]:
        """For each filter the number of the place of each output, image after image."""
        parts: list[list[bytes]] = []
        for count, by_filter in self.chunks:
            frames = frames_of(self.lanes, self.window, count, b"\0")
            reach = frames.reach[1]
            layout = self.lanes.layout(frames.lanes + reach)
            numbered = [layout.ones * number for number in range(1, self.window.stride[0] * self.window.stride[1])]
            found = []
            for kept in by_filter:
                places = 0
                for number, keep in zip(numbered, kept):
                    places = number ^ ((places ^ number) & keep)
                found.append(frames.cut(places.to_bytes(layout.size, "little")[reach * layout.bytes :: layout.bytes]))
            parts.append(found)
        return [b"".join(part) for part in zip(*parts)]

    def masks(self, layout: Layout) -> list[list[int]]:
        """For each row, and each place of the window, the mask of the lanes that came from there."""
        rows = joined(self.places(), self.count)
        taps = range(self.window.stride[0] * self.window.stride[1])
        tables = [bytes(number) + b"\xff" + bytes(255 - number) for number in taps]
        result = []
        for row in rows:
            masks = []
            for table in tables:
                lanes, chosen = bytearray(layout.size), row.translate(table)
                for byte in range(layout.bytes):
                    lanes[byte :: layout.bytes] = chosen
                masks.append(int.from_bytes(lanes, "little"))
            result.append(masks)
        return result


class Unpooled(LaneMatrix):
    """The gradient of what a pooling got, as the gradient of what it gave and where that goes. It becomes rows when
    somebody asks for ``samples``, which ``make`` makes."""

    __slots__ = ("_spread", "choices", "condensed", "make")

    condensed: LaneMatrix

    def __init__(
        self, lane_width: int, shape: Shape, condensed: LaneMatrix, choices: Choices, make: Callable[[], Samples]
    ) -> None:
        self._spread: Samples | None = None
        self.condensed = condensed
        self.choices = choices
        self.make = make
        super().__init__(lane_width, shape)

    @property
    def samples(self) -> Samples | None:
        """The rows."""
        if self._spread is None:
            self._spread = self.make()
        return self._spread

    @samples.setter
    def samples(self, samples: Samples | None) -> None:
        self._spread = samples
