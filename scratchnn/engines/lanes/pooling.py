"""Pooling for the engine ``lanes``: means are sums of moved images; the largest number is found by comparing all lanes
of two images at once.

How images are moved is said in ``images``. Lanes are in range, always: they are rounded first if they have to be.
"""

from __future__ import annotations

import math

from ..sliding_window import Window
from .images import Frames, MovedSums, Unread, blank_lane, frames_of, lanes_of, unread
from .matrix import SCALAR_BITS, Forms, LaneMatrix, Samples, size_in_range
from .pooled import Choices, Convolved, Unpooled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from .matrix import Operand


def average_pool(ops: Forms, x: Operand, window: Window) -> LaneMatrix:
    """What ``lists.average_pool`` says: a convolution of each channel with ones."""
    window.require_inputs("average_pool", x.shape[1])
    outputs, ones = window.channels * window.positions, [[1] * window.taps]
    return _means(ops, x, window, outputs, lambda moved, raws: moved.forward(raws, ones, [0]))


def average_pool_inputs(ops: Forms, gradient: LaneMatrix, window: Window) -> LaneMatrix:
    """What ``lists.average_pool_inputs`` says."""
    window.require_outputs("average_pool_inputs", gradient.shape[1], window.channels)
    ones = [[1] * window.taps]
    return _means(ops, gradient, window, window.inputs, lambda moved, raws: moved.backward(raws, ones))


def _means(
    ops: Forms, m: Operand, window: Window, width: int, sums: Callable[[MovedSums, list[bytes]], list[bytes]]
) -> LaneMatrix:
    """Rows of ``width`` sums, of as many lanes as the window has taps, as means."""
    lanes = lanes_of(ops, m).fitted(ops.layout(m.shape[1]), (1 << ops.capacity) // window.taps)
    raws = sums(MovedSums(ops, window.one_channel, window.channels), lanes.raws(ops.layout(m.shape[1])))
    scale, more = math.frexp(lanes.scale / window.taps)
    sizes = [size_in_range(scale, exponent + more, bound * window.taps) for exponent, bound in lanes.sizes]
    raws = [raw if bound else blank_lane(ops) * width for raw, (_, bound) in zip(raws, sizes)]
    return unread(ops, raws, width, scale, sizes)


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


def max_pool(ops: Forms, x: Operand, window: Window) -> tuple[LaneMatrix, Any]:
    """What ``lists.max_pool`` says; for each row, and each tap but the first, the mask of those not chosen so far. What
    is still to be convolved has ``Choices``.

    Lanes are made positive and smaller than half of what they could hold. So each has a bit to spare at its top: set
    in one of two rows before they are subtracted, it is left standing where that row's lane was not the smaller one.
    """
    window.require_inputs("max_pool", x.shape[1])
    if isinstance(x, LaneMatrix) and isinstance(x.samples, Convolved):
        pooled = x.samples.pooled(window)
        if pooled is not None:
            samples, places = pooled
            return LaneMatrix(ops.width, (x.shape[0], window.channels * window.positions), samples=samples), places
    outputs, width = window.channels * window.positions, ops.width
    quarter = 1 << (width - 2)
    # Below the limit, not at it: the lowest number is for the padding.
    samples = ops.samples_of(x).fitted(ops.layout(window.inputs), quarter - 1)
    frames = frames_of(ops, window.one_channel, window.channels, quarter.to_bytes(width // 8, "little"))
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


def max_pool_inputs(ops: Forms, gradient: LaneMatrix, choices: Any, window: Window) -> LaneMatrix:
    """What ``lists.max_pool_inputs`` says."""
    window.require_outputs("max_pool_inputs", gradient.shape[1], window.channels)
    window.require_choices(gradient.shape[0], len(choices))
    if isinstance(choices, Choices):
        return Unpooled(
            ops.width,
            (gradient.shape[0], window.inputs),
            ops.own(gradient),
            choices,
            lambda: _spread(ops, gradient, choices.masks(ops.layout(gradient.shape[1])), window),
        )
    grid = ops.layout(frames_of(ops, window.one_channel, window.channels).lanes)
    samples = _spread(ops, gradient, (_chosen(kept, grid.bias - grid.ones) for kept in choices), window)
    return LaneMatrix(ops.width, (gradient.shape[0], window.inputs), samples=samples)


def _spread(ops: Forms, gradient: LaneMatrix, masks: Iterable[Sequence[int]], window: Window) -> Samples:
    """The rows of a gradient, each number where it belongs. The masks are those of ``_chosen`` for each row."""
    frames, width = frames_of(ops, window.one_channel, window.channels), gradient.shape[1]
    groups = [[(tap, down * frames.grid[1] + move) for down, taps in p for tap, move in taps] for p in frames.taps]
    growth = max(map(len, groups))
    # What comes next would look up how large the numbers are, and round them. Here there are fewer of them.
    samples = lanes_of(ops, gradient).fitted(ops.layout(width), min(1 << SCALAR_BITS, (1 << ops.capacity) // growth))
    grid = ops.layout(frames.lanes)
    half, size, raws = grid.bias >> 1, grid.size, []
    for row, chosen in zip(_placed(ops, frames, samples, width), masks):
        difference = (row + half) ^ half
        gated = [((difference & mask) ^ half) - half for mask in chosen]
        totals = [sum([gated[tap] << (ops.width * move) for tap, move in group], grid.bias) for group in groups]
        raws.append(frames.joined([total.to_bytes(size, "little") for total in totals]))
    sizes = [(exponent, bound * growth) for exponent, bound in samples.sizes]
    return Unread(raws, ops.layout(window.inputs).bias, samples.scale, sizes)


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
