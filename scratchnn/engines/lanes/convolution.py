"""Convolution for the engine ``lanes``: each filter's sums of moved images, and the gradients of both sides.

How images are moved is said in ``images``. Lanes are in range, always: as in ``engine``, the bound of a result is known
before it is computed, operands are rounded first if they have to be, and where too few bits would be left, numbers go
through floats.

The gradient of the weights sums, over all positions, the ``patch`` that the window sees (one int, a lane a number)
times a number of the gradient; for pixels, of which most are zero, it is the other way round: the numbers of the
gradient around a pixel, times the pixel. Measured in one run on an image of MNIST, 8 filters, a gradient without zeros:
0.29 ms. The 72 dot products of 676 floats take as long with math.dist (0.28 ms), to which packing and unpacking would
have to be added, 1.2 ms with sum(map(mul)), and with math.sumprod 2.1 times what math.dist takes. One product of two
long ints, which gives the sums for all lags at once, takes 2.8 ms for the 8 filters.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import chain, compress
from operator import add, getitem, mul

from ...linalg import exact_dot
from .. import lists
from ..sliding_window import Pair, Window
from .images import (
    MovedSums,
    Unread,
    blank_lane,
    channels_of,
    gather,
    in_chunks,
    interleaved,
    lanes_of,
    picked,
    slices_of,
    unread,
    widened,
)
from .matrix import (
    NOTHING,
    SCALAR_BITS,
    SMALLEST,
    Block,
    Entry,
    Forms,
    Inputs,
    LaneMatrix,
    Rows,
    Samples,
    Size,
    alike,
    bits_of,
    largest_of,
    longest_sum,
    size_in_range,
)
from .pooled import Convolved, Unpooled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .matrix import Operand

PATCHES_AT_ONCE = 4096  # so many patches are kept in memory at once
_ANY_BIT = b"\0" + b"\1" * 255  # 1 for each byte that is not 0
ENOUGH_BITS = 11  # with fewer bits on either side of a product it is computed with floats


# --- rows of one size ------------------------------------------------------------------------------------------------


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
    raws, sizes = [blank_lane(ops) * width] * len(samples.sizes), [NOTHING] * len(samples.sizes)
    for _, numbers in samples.by_size():
        every = len(numbers) == len(sizes)
        result = compute(samples if every else samples.part(numbers), numbers)
        if every and isinstance(result, Convolved) and size_in_range(mantissa, *result.sizes[0]) != NOTHING:
            return LaneMatrix(ops.width, (len(sizes), width), samples=result)
        if not isinstance(result, Samples):
            result = ops.pack(result, mantissa, width)
        for i, raw, (exponent, bound) in zip(numbers, result.raws(layout), result.sizes):
            sizes[i] = size_in_range(mantissa, exponent, bound)
            if sizes[i] != NOTHING:
                raws[i] = raw
    return unread(ops, raws, width, mantissa, sizes)


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


# --- convolution -----------------------------------------------------------------------------------------------------


def convolve(ops: Forms, x: Operand, weight: LaneMatrix, bias: LaneMatrix, window: Window) -> LaneMatrix:
    """What ``lists.convolve`` says."""
    window.require_convolution(x.shape, weight.shape, bias.shape)
    scalars, shift, outputs = _filters(ops, weight), ops.rows_of(bias), weight.shape[1] * window.positions
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
                mantissa, exponent = math.frexp(scale)
                return Convolved(ops, window, lanes, by_filter.data, offsets, mantissa, (exponent, bound))
        return _convolved(_chosen_rows(ops, x, numbers), ops.to_rows(weight), added, window)

    samples = lanes_of(ops, x)
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
    by_channel = [list(chain.from_iterable(part)) for part in in_chunks(scalars.data, taps)]
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

    samples = lanes_of(ops, gradient)
    return _size_by_size(ops, samples, samples.scale * scalars.scale, window.inputs, compute)


def convolve_weights(ops: Forms, x: Operand, gradient: LaneMatrix, window: Window) -> LaneMatrix:
    """What ``lists.convolve_weights`` says."""
    filters, rows = window.filters_of(x.shape, gradient.shape), None
    if isinstance(gradient, Unpooled) and isinstance(x, Inputs) and x.pixels:
        rows = _weights_by_choices(ops, x, gradient, window, filters)
    if rows is None:
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
    lanes = lanes_of(ops, x)
    # Both sides get as many bits; a sum of sizes is taken to be at most a sixteenth of what it could be.
    bits = min(max((ops.capacity - terms.bit_length() + 4) // 2, ENOUGH_BITS), SCALAR_BITS)
    aligned = _in_one_unit(ops, gradient, [exponent if known else None for exponent, known in lanes.sizes])
    exponent, bound = _size(aligned)
    scalars = Block(aligned.data, math.ldexp(aligned.scale, exponent), bound).fitted(ops.layout(width), 1 << bits)
    chunks = [_by_filter(ops, chunk, scalars.bound, width, filters) for chunk in in_chunks(scalars.data, chunk_size)]
    growth = max(map(longest_sum, chunks), default=0)
    allowed, bound = (1 << ops.capacity) // max(growth, 1), max([bound for _, bound in lanes.sizes], default=0)
    if allowed < min(bound, 1 << ENOUGH_BITS):
        return None
    common = bits_of(bound // allowed) if bound > allowed else 0  # the same for all rows: their units stay as they are
    if common:
        shifted = ops.layout(window.inputs).shift(lanes.data, common)
        lanes = Samples(shifted, math.ldexp(lanes.scale, common), lanes.sizes)
    seen, taps = ops.layout(window.channels * window.taps), window.taps
    sums = [[0] * seen.count for _ in range(filters)]
    for raws, chunk in zip(in_chunks(lanes.raws(ops.layout(window.inputs)), chunk_size), chunks):
        patches = _patches_seen(window, raws, blank_lane(ops))
        for total, ints in zip(sums, chunk):
            # The bias that is still in the patches goes out of the whole sum at once.
            row = sum(map(mul, compress(patches, ints), filter(None, ints))) - seen.bias * sum(ints)
            total[:] = map(add, total, seen.unpack([row]))
    scale = lanes.scale * scalars.scale
    return [
        [scale * total[tap * window.channels + channel] for total in sums]
        for channel in range(window.channels)
        for tap in range(taps)
    ]


def _weights_by_choices(ops: Forms, x: Inputs, gradient: Unpooled, window: Window, filters: int) -> Rows | None:
    """Sums of what the window sees where a pooling has chosen, times the gradient of what came out of that."""
    condensed, pooling, layout = gradient.condensed, gradient.choices.window, ops.layout(gradient.condensed.shape[1])
    at_once, seen = max(PATCHES_AT_ONCE // pooling.positions, 1), ops.layout(window.channels * pooling.taps)
    bits = min(SCALAR_BITS, ops.capacity - bits_of(at_once * pooling.positions * x.largest))
    if bits < ENOUGH_BITS:
        return None
    aligned = _in_one_unit(ops, condensed, x.exponents)
    exponent, bound = _size(aligned)
    scalars = Block(aligned.data, math.ldexp(aligned.scale, exponent), bound).fitted(layout, 1 << bits)
    numbers = channels_of(layout.raws(scalars.data), filters)
    places, images, lane = gradient.choices.places(), x.dense_rows(), layout.bytes
    sums = [[0] * seen.count for _ in range(filters)]
    for first in range(0, len(images), at_once):
        runs, seen_by_place = _seen_by_place(window, pooling, images[first : first + at_once], lane)
        start = first * pooling.positions
        in_places = [slice(start + one, start + end) for one, end in runs]
        in_lanes = [slice(lane * run.start, lane * run.stop) for run in in_places]
        for total, raw, where in zip(sums, numbers, places):
            ints = layout.numbers(b"".join(map(raw.__getitem__, in_lanes)), scalars.bound)
            chosen = compress(b"".join(map(where.__getitem__, in_places)), ints)
            patches = map(getitem, compress(seen_by_place, ints), chosen)
            total[:] = map(add, total, seen.unpack([sum(map(mul, patches, filter(None, ints)))]))
    scale, channels, below = x.scale * scalars.scale, window.channels, pooling.kernel[0]
    return [
        [scale * total[(x * below + y) * channels + channel] for total in sums]
        for channel in range(channels)
        for y in range(window.kernel[0])
        for x in range(window.kernel[1])
    ]


def _seen_by_place(
    window: Window, pooling: Window, images: Sequence[Any], lane: int
) -> tuple[list[Pair], list[tuple[int, ...]]]:
    """(the positions of a pooling's window where not all is black, as pairs of a first and an end; for each of them
    what ``window`` sees of pixels at each place of that).

    What is seen stands column by column, each from above, the channels of a pixel side by side. It is what is seen from
    all places together (as ``pooling`` has it), without what comes before this one. So columns are as high as that, and
    something else may follow.
    """
    (rows, columns), (height, width), (step_y, step_x) = window.padded, pooling.kernel, pooling.stride
    first, channels = (-window.padding[0], -window.padding[1]), window.channels
    raw = _framed(window, images, window.image, first, window.padded, b"\0")
    key, cell = ("places", len(images)), channels * height
    if key not in pooling.plans:
        pooling.plans[key] = [
            ((n * rows + y * step_y) * columns + x * step_x) * cell
            for n in range(len(images))
            for y in range(pooling.output[0])
            for x in range(pooling.output[1])
        ]
    below = bytearray(len(raw) * height)
    for row in range(height):
        part = raw[row * columns * channels :]
        for channel in range(channels):
            start = row * channels + channel
            below[start : start + len(part) // channels * cell : cell] = part[channel::channels]
    starts, size, from_bytes = pooling.plans[key], width * cell, int.from_bytes
    bright = bytes(map(_any_of_next(below, size).__getitem__, starts)).translate(_ANY_BIT)
    lanes, size = bytes(widened(below, 1, lane)), size * lane
    seen = [from_bytes(lanes[i : i + size], "little") for i in [lane * i for i in compress(starts, bright)]]
    shifts = [8 * lane * channels * (x * height + y) for y in range(step_y) for x in range(step_x)]
    return _runs(bright), list(zip(seen, *[[patch >> shift for patch in seen] for shift in shifts[1:]]))


def _any_of_next(raw: bytes | bytearray, count: int) -> bytes:
    """For each byte all bits that it, or any of the following ones up to ``count`` altogether, has."""
    bits, done = int.from_bytes(raw, "little"), 1
    while done < count:
        more = min(done, count - done)
        bits |= bits >> (8 * more)
        done += more
    return bits.to_bytes(len(raw), "little")


def _runs(flags: bytes) -> list[Pair]:
    """(first, end) of each run of ones among ones and zeros."""
    runs, start = [], flags.find(1)
    while start >= 0:
        end = flags.find(0, start)
        runs.append((start, end if end >= 0 else len(flags)))
        start = flags.find(1, runs[-1][1])
    return runs


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


def _by_filter(ops: Forms, rows: Sequence[int], bound: int, width: int, filters: int) -> list[list[int]]:
    """For each filter the numbers of its gradient, image after image."""
    flat, positions = ops.layout(width).unpack(rows, bound), width // filters
    lists = []
    for first in range(0, width, positions):
        ints: list[int] = []
        for start in range(first, len(flat), width):
            ints += flat[start : start + positions]
        lists.append(ints)
    return lists


def _patches_seen(window: Window, raws: Sequence[bytes], blank: bytes) -> list[int]:
    """What the window sees at all its positions in all images: row by row, the channels of a pixel side by side."""
    cell, (rows, columns), first = len(blank) * window.channels, window.padded, (-window.padding[0], -window.padding[1])
    raw, key = _framed(window, raws, window.image, first, window.padded, blank), ("starts", len(raws), cell)
    if key not in window.plans:
        step_y, step_x = window.stride
        window.plans[key] = [
            ((n * rows + y * step_y) * columns + x * step_x) * cell
            for n in range(len(raws))
            for y in range(window.output[0])
            for x in range(window.output[1])
        ]
    below = range(0, window.kernel[0] * columns * cell, columns * cell)
    return _patches(raw, window.plans[key], below, window.kernel[1] * cell)


def _framed(window: Window, raws: Sequence[bytes], sizes: Pair, first: Pair, frame: Pair, blank: bytes) -> bytes:
    """What is seen of images of ``sizes``, one after the other, from row and column ``first`` on in a ``frame``, the
    channels of a pixel side by side: blank around the images."""
    channels = len(raws[0]) // (sizes[0] * sizes[1] * len(blank))
    raw = interleaved(channels_of(raws, channels), len(blank))
    key = "framed", len(raws), channels, sizes, first, len(blank)
    if key not in window.plans:
        rows = picked(len(raws), sizes[0], range(first[0], first[0] + frame[0]))
        window.plans[key] = slices_of(rows, sizes[1], frame[1], first[1], channels * len(blank), len(raw))
    return gather(window.plans[key], raw + blank * (channels * frame[1]))


def _weights_by_inputs(ops: Forms, x: Inputs, gradient: LaneMatrix, window: Window, filters: int) -> Rows | None:
    """Sums of the gradient's numbers that an input had a part in, times that input: its zeros cost nothing."""
    pixels, (height, width) = window.inputs // window.channels, window.image
    (down, right), (pad_y, pad_x) = window.kernel, window.padding
    # A gradient gets room around it, so that the patch from a pixel's place on is what that pixel had a part in.
    first, rows, columns = (pad_y - down + 1, pad_x - right + 1), height + down - 1, width + right - 1
    chunk_size = max(PATCHES_AT_ONCE // pixels, 1)
    places, lists = [], []
    for chunk in in_chunks(x.entries, chunk_size):
        for channel in range(window.channels):
            parts = [_channel(entry, channel * pixels, (channel + 1) * pixels) for entry in chunk]
            places.append([found for found, _ in parts])
            lists.append(list(chain.from_iterable([ints for _, ints in parts])))
    aligned = _in_one_unit(ops, gradient, x.exponents)
    matched = _matched(ops, aligned, gradient.shape[1], Block(lists, x.scale, x.largest), 1 << ops.capacity)
    if not matched:
        return None
    lanes, scalars = matched
    seen, cell = ops.layout(window.taps * filters), filters * ops.width // 8
    sums = [[0] * seen.count for _ in range(window.channels)]
    starts = [(k // width * columns + k % width) * cell for k in range(pixels)]
    pitch, size, frame = columns * cell, window.kernel[1] * cell, rows * columns * cell
    below = range(0, window.kernel[0] * pitch, pitch)
    chunks = zip(
        in_chunks(lanes.raws(ops.layout(gradient.shape[1])), chunk_size),
        in_chunks(places, window.channels),
        in_chunks(scalars.data, window.channels),
    )
    for raws, found, by_channel in chunks:
        raw = _framed(window, raws, window.output, first, (rows, columns), blank_lane(ops))
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
