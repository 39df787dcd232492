"""Convolution and pooling on lanes: exact in every lane where nothing has to be rounded, close to ``linalg`` elsewhere.

The oracle works on plain Python ints, through the tables of ``Window.patches`` alone. Numbers are chosen so that the
largest result fills its lane to the last unit: a bound that is too small by one would show.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn.engines.lanes import convolution, images, pooled
from scratchnn.engines.lanes.engine import WIDTHS, Lanes
from scratchnn.engines.lanes.images import MovedSums
from scratchnn.engines.lanes.matrix import Block, LaneMatrix, Samples
from scratchnn.engines.lanes.pooled import Choices, Convolved, Unpooled
from scratchnn.engines.lists import LISTS
from scratchnn.engines.sliding_window import Window
from scratchnn.layers import Layer, Linear, ReLU
from scratchnn.layers.convolution import AvgPool2D, Conv2D, Flatten, MaxPool2D
from scratchnn.model import Model
from tests.images import CONVOLUTIONS, POOLINGS
from tests.rows import Rows, random_rows

Ints = list[list[int]]

TOLERANCE = 1e-4  # of the largest number of a result: what the engine promises


@st.composite
def windows(draw: Any) -> Window:
    """Windows of all shapes over small images; the kernel fits."""
    channels, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 7)), draw(st.integers(1, 7))
    padding = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    kernel = tuple(draw(st.integers(1, min(5, n + 2 * p))) for n, p in zip((height, width), padding))
    return Window(channels, height, width, kernel, (draw(st.integers(1, 4)), draw(st.integers(1, 4))), padding)


@st.composite
def pooling_windows(draw: Any) -> Window:
    """The same, where at least half of the kernel lies in the image."""
    image, padding = (
        (draw(st.integers(1, 7)), draw(st.integers(1, 7))),
        (draw(st.integers(0, 1)), draw(st.integers(0, 1))),
    )
    kernel = tuple(draw(st.integers(max(1, 2 * p), min(5, n + 2 * p))) for n, p in zip(image, padding))
    return Window(draw(st.integers(1, 3)), *image, kernel, (draw(st.integers(1, 3)), draw(st.integers(1, 3))), padding)


# --- plain ints ----------------------------------------------------------------------------------------------------


def convolved(x: Ints, filters: Ints, offsets: Sequence[int], window: Window) -> Ints:
    result = []
    for row in x:
        padded = [*row, 0]
        pairs = list(zip(filters, offsets))
        result.append(
            [sum(padded[i] * w for i, w in zip(p, ints)) + offset for ints, offset in pairs for p in window.patches]
        )
    return result


def convolved_back(gradient: Ints, filters: Ints, window: Window) -> Ints:
    result = []
    for row in gradient:
        total = [0] * (window.inputs + 1)
        for f, ints in enumerate(filters):
            for position, patch in enumerate(window.patches):
                for i, w in zip(patch, ints):
                    total[i] += w * row[f * window.positions + position]
        result.append(total[: window.inputs])
    return result


def correlated(x: Ints, gradient: Ints, window: Window) -> Ints:
    filters, positions = len(gradient[0]) // window.positions, window.positions
    result = [[0] * filters for _ in range(window.channels * window.taps)]
    for row, other in zip(x, gradient):
        padded = [*row, 0]
        for f in range(filters):
            for position, patch in enumerate(window.patches):
                for k, i in enumerate(patch):
                    result[k][f] += padded[i] * other[f * positions + position]
    return result


def in_lanes(ops: Lanes, rows: Ints, bound: int, scale: float = 1.0) -> LaneMatrix:
    data = [sum(v << (ops.width * lane) for lane, v in enumerate(row)) for row in rows]
    return LaneMatrix(ops.width, (len(rows), len(rows[0])), rows=Block(data, scale, bound))


def out_of_lanes(ops: Lanes, m: LaneMatrix) -> Ints:
    """The lanes of a matrix, after a look at whether the bound of every row holds."""
    samples = m.samples
    assert samples is not None
    flat = ops.layout(m.shape[1]).unpack(samples.data)
    rows = [flat[i : i + m.shape[1]] for i in range(0, len(flat), m.shape[1])]
    for row, (_, bound) in zip(rows, samples.sizes):
        assert max(map(abs, row), default=0) <= bound <= 1 << ops.capacity
    return rows


def extremes(draw: Any, rows: int, columns: int, bound: int) -> Ints:
    """Numbers up to ``bound`` in size, mostly the largest and the smallest ones."""
    rng = Random(draw(st.integers(0, 10**6)))
    choices = [bound, -bound, bound, -bound, 0, 1, -1, rng.randint(-bound, bound)]
    return [rng.choices(choices, k=columns) for _ in range(rows)]


@st.composite
def products(draw: Any) -> tuple[Lanes, Window, Ints]:
    """An engine, a window, and a few filters of ints up to 2**17 for it."""
    window = draw(windows())
    bound = draw(st.sampled_from([1, 3, 1000, 1 << 17]))
    filters = extremes(draw, draw(st.integers(1, 3)), window.channels * window.taps, bound)
    filters[0][0] = bound
    return Lanes(draw(st.sampled_from(WIDTHS))), window, filters


# --- exact, up to the last unit that a lane can hold -----------------------------------------------------------------


@given(products(), st.data())
def test_sums_of_moved_images_are_exact(case: tuple[Lanes, Window, Ints], data: Any) -> None:
    ops, window, filters = case
    growth = max(sum(map(abs, ints)) for ints in filters)
    offset = data.draw(st.sampled_from([0, 1, 1 << (ops.capacity - 2)]))
    x = extremes(data.draw, 3, window.inputs, ((1 << ops.capacity) - offset) // growth)
    offsets = [data.draw(st.sampled_from([offset, -offset])) for _ in filters]
    layout = ops.layout(window.inputs)
    raws = [(row + layout.bias).to_bytes(layout.size, "little") for row in layout.pack(x)]
    outputs = ops.layout(len(filters) * window.positions)
    result = [
        int.from_bytes(raw, "little") - outputs.bias for raw in MovedSums(ops, window).forward(raws, filters, offsets)
    ]
    assert outputs.unpack(result) == [v for row in convolved(x, filters, offsets, window) for v in row]


@given(products(), st.data())
def test_the_way_back_is_exact(case: tuple[Lanes, Window, Ints], data: Any) -> None:
    ops, window, filters = case
    taps = window.taps
    channels = [[ints[c * taps + tap] for tap in range(taps) for ints in filters] for c in range(window.channels)]
    bound = (1 << ops.capacity) // max(max(sum(map(abs, ints)) for ints in channels), 1)
    gradient = extremes(data.draw, 3, len(filters) * window.positions, bound)
    layout, inputs = ops.layout(len(gradient[0])), ops.layout(window.inputs)
    raws = [(row + layout.bias).to_bytes(layout.size, "little") for row in layout.pack(gradient)]
    result = [int.from_bytes(raw, "little") - inputs.bias for raw in MovedSums(ops, window).backward(raws, channels)]
    assert inputs.unpack(result) == [v for row in convolved_back(gradient, filters, window) for v in row]


@given(windows(), st.sampled_from(WIDTHS), st.data())
def test_weight_gradients_are_exact(window: Window, width: int, data: Any) -> None:
    """Both ways: with the gradient's numbers as factors, and for rows of inputs with these as factors."""
    ops, filters, count = Lanes(width), data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    gradient = extremes(data.draw, count, filters * window.positions, data.draw(st.sampled_from([1, 100, 2000])))
    largest = max(max(map(abs, row)) for row in gradient)
    sums = [
        sum(abs(v) for row in gradient for v in row[f * window.positions : (f + 1) * window.positions])
        for f in range(filters)
    ]
    bound = (1 << ops.capacity) // max(*sums, 1)
    x = extremes(data.draw, count, window.inputs, bound)
    result = ops.convolve_weights(in_lanes(ops, x, bound), in_lanes(ops, gradient, largest), window)
    assert ops.to_rows(result) == [list(map(float, row)) for row in correlated(x, gradient, window)]

    pixels = [[abs(v) % 256 for v in row] for row in x]
    inputs = ops.take_rows(ops.prepare([bytes(row) for row in pixels]), range(count))
    result = ops.convolve_weights(inputs, in_lanes(ops, gradient, largest), window)
    assert ops.to_rows(result) == [list(map(float, row)) for row in correlated(pixels, gradient, window)]


@given(windows(), st.sampled_from(WIDTHS), st.data())
def test_inputs_as_factors_fill_their_lanes(window: Window, width: int, data: Any) -> None:
    ops = Lanes(width)
    window = Window(window.channels, *window.image, window.kernel, 1, window.padding)
    pixels = [[Random(data.draw(st.integers(0, 99))).choice([0, 255]) for _ in range(window.inputs)]]
    channel = window.inputs // window.channels
    growth = max(sum(pixels[0][i : i + channel]) for i in range(0, window.inputs, channel))
    bound = (1 << ops.capacity) // max(growth, 1)
    gradient = extremes(data.draw, 1, 2 * window.positions, bound)
    inputs = ops.take_rows(ops.prepare([bytes(pixels[0])]), [0])
    result = ops.convolve_weights(inputs, in_lanes(ops, gradient, bound), window)
    assert ops.to_rows(result) == [list(map(float, row)) for row in correlated(pixels, gradient, window)]


def half_padded(window: Window) -> Window:
    """The same window with no more padding than a pooling may have."""
    padding = [min(p, k // 2) for p, k in zip(window.padding, window.kernel)]
    kernel = [min(k, n) for k, n in zip(window.kernel, window.image)]
    return Window(
        window.channels, *window.image, kernel, window.stride, [min(p, k // 2) for p, k in zip(padding, kernel)]
    )


@given(windows(), st.sampled_from(WIDTHS), st.data())
def test_the_largest_is_found_exactly(window: Window, width: int, data: Any) -> None:
    ops, window = Lanes(width), half_padded(window)
    bound = data.draw(st.sampled_from([1, 5, (1 << ops.capacity) - 1]))
    x = extremes(data.draw, 2, window.inputs, bound)
    result, choices = ops.max_pool(in_lanes(ops, x, bound), window)
    expected, chosen = LISTS.max_pool(x, window)  # type: ignore[arg-type]
    assert out_of_lanes(ops, result) == expected
    gradient = extremes(data.draw, 2, window.channels * window.positions, data.draw(st.sampled_from([1, 1 << 11])))
    largest = max(max(map(abs, row)) for row in gradient)
    result = ops.max_pool_inputs(in_lanes(ops, gradient, largest), choices, window)
    out_of_lanes(ops, result)
    assert ops.to_rows(result) == LISTS.max_pool_inputs(gradient, chosen, window)  # type: ignore[arg-type]


@pytest.fixture(scope="class")
def few_are_many() -> Any:
    """Small images are treated as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooled, "FEW_LANES", 0)
        yield


@pytest.mark.usefixtures("few_are_many")
@given(products(), st.booleans(), st.data())
def test_a_pooling_behind_a_convolution_gives_what_it_gives_of_its_rows(
    case: tuple[Lanes, Window, Ints], of_pixels: bool, data: Any
) -> None:
    """The largest numbers, the way back of a gradient, and the gradients of weight and bias, which are exact."""
    ops, window, filters = case
    rng, count = Random(data.draw(st.integers(0, 10**6))), data.draw(st.integers(1, 3))
    window = Window(window.channels, *window.image, window.kernel, 1, window.padding)
    kernel = [data.draw(st.integers(1, min(3, n))) for n in window.output]
    pooling = Window(len(filters), *window.output, kernel, kernel)
    pixels = [rng.choices([0, 0, 1, 255], k=window.inputs) for _ in range(count)]
    x: Any = in_lanes(ops, pixels, 255)
    if of_pixels:
        x = ops.take_rows(ops.prepare(list(map(bytes, pixels))), range(count))
    weight = in_lanes(ops, [list(row) for row in zip(*filters)], 1 << 17)
    convolved = ops.convolve(x, weight, ops.from_rows([rng.choices([-2.0, 0.0, 3.0], k=len(filters))]), window)
    rows = convolved.samples
    assert isinstance(rows, Convolved)
    result, choices = ops.max_pool(convolved, pooling)
    assert isinstance(choices, Choices) or rows.sizes[0][1] >= 1 << (ops.width - 2)
    of_rows = LaneMatrix(ops.width, convolved.shape, samples=Samples(rows.data, rows.scale, rows.sizes))
    expected, chosen = ops.max_pool(of_rows, pooling)
    assert result.samples is not None and expected.samples is not None
    assert (result.samples.data, result.samples.sizes) == (expected.samples.data, expected.samples.sizes)
    bound = data.draw(st.sampled_from([1, 1 << 11]))
    gradient = extremes(data.draw, count, len(filters) * pooling.positions, bound)
    back, back_of_rows = (
        ops.max_pool_inputs(in_lanes(ops, gradient, bound), one, pooling) for one in (choices, chosen)
    )
    weights, sums = ops.to_rows(ops.convolve_weights(x, back, window)), ops.sum_channels(back, len(filters))
    spread = [list(map(int, row)) for row in ops.to_rows(back_of_rows)]
    assert weights == [list(map(float, row)) for row in correlated(pixels, spread, window)]
    assert ops.to_rows(sums) == ops.to_rows(ops.sum_channels(back_of_rows, len(filters)))
    assert ops.to_rows(back) == ops.to_rows(back_of_rows)


@pytest.mark.usefixtures("few_are_many")
@pytest.mark.parametrize(
    ("step", "pooling"),
    [
        (1, Window(2, 5, 4, 2, 2)),  # it sees other images than the convolution made, as behind a layer that says so
        (1, Window(1, 8, 5, 2, 2)),
        (1, Window(5, 4, 2, 2, 2)),
        (1, Window(2, 4, 5, 2, 2, 1)),
        (1, Window(2, 4, 5, 2, 1)),
        (2, Window(2, 2, 3, 2, 2)),
        ((1, 2), Window(2, 4, 3, 2, 2)),
    ],
    ids=lambda of: f"{of.channels}x{of.image}-{of.stride}-{of.padding}" if isinstance(of, Window) else str(of),
)
def test_a_pooling_that_is_not_computed_with_the_convolution_is_right(step: Any, pooling: Window) -> None:
    ops, window = Lanes(48), Window(1, 5, 6, 2, step)
    x = ops.take_rows(ops.prepare([bytes(Random(i).choices(range(256), k=30)) for i in range(3)]), range(3))
    convolved = ops.convolve(x, ops.from_rows(random_rows(4, 2)), ops.from_rows([[0.0, 0.0]]), window)
    result, choices = ops.max_pool(convolved, pooling)
    expected, chosen = LISTS.max_pool(ops.to_rows(convolved), pooling)
    assert ops.to_rows(result) == expected
    gradient = [[float(i) for i in range(1, pooling.channels * pooling.positions + 1)]] * 3
    back = ops.max_pool_inputs(ops.from_rows(gradient), choices, pooling)
    assert ops.to_rows(back) == LISTS.max_pool_inputs(gradient, chosen, pooling)


@pytest.mark.usefixtures("few_are_many")
@pytest.mark.parametrize("taps", [(4, 8), (5, 7), (6, 6), (8, 9), (11, 13)])
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_of_pixels_do_not_leave_lanes_that_are_narrower(taps: tuple[int, int], sign: int) -> None:
    """White images under filters of the largest weights: from 2**29.97 to 2**32.2."""
    ops, window, weight = Lanes(48), Window(1, taps[0] + 1, taps[1] + 1, taps), sign * ((1 << 17) - 1)
    x = ops.take_rows(ops.prepare([b"\xff" * window.inputs]), [0])
    convolved = ops.convolve(x, in_lanes(ops, [[weight]] * window.taps, 1 << 17), ops.from_rows([[0.0]]), window)
    result, _ = ops.max_pool(convolved, Window(1, 2, 2, 2))
    assert ops.to_rows(result) == [[255.0 * weight * window.taps]]
    assert ops.to_rows(convolved) == [[255.0 * weight * window.taps] * 4]


def test_a_gradient_of_many_positions_does_not_leave_its_lanes() -> None:
    """A white image, and 10 000 of the largest numbers: 2**39.3, where a lane ends at 2**39."""
    ops, window, pooling = Lanes(40), Window(1, 200, 200, 1), Window(1, 200, 200, 2, 2)
    x = ops.take_rows(ops.prepare([b"\xff" * window.inputs]), [0])
    _, choices = ops.max_pool(ops.convolve(x, ops.from_rows([[1.0]]), ops.from_rows([[0.0]]), window), pooling)
    gradient = in_lanes(ops, [[1 << 18] * pooling.positions], 1 << 18)
    back = ops.max_pool_inputs(gradient, choices, pooling)
    assert isinstance(back, Unpooled)
    assert ops.to_rows(ops.convolve_weights(x, back, window)) == [[255.0 * pooling.positions * 2.0**18]]


@given(windows(), st.sampled_from(WIDTHS), st.data())
def test_means_are_exact_sums(window: Window, width: int, data: Any) -> None:
    ops, window = Lanes(width), half_padded(window)
    bound = (1 << ops.capacity) // window.taps
    x = extremes(data.draw, 2, window.inputs, bound)
    ones = [[1] * window.taps]
    alone = Window(1, *window.image, window.kernel, window.stride, window.padding)
    size = window.inputs // window.channels
    channels = [[row[i : i + size] for i in range(0, len(row), size)] for row in x]
    expected = [[v for one in convolved(parts, ones, [0], alone) for v in one] for parts in channels]
    assert out_of_lanes(ops, ops.average_pool(in_lanes(ops, x, bound), window)) == expected
    gradient = extremes(data.draw, 2, window.channels * window.positions, bound)
    parts = [[row[i : i + window.positions] for i in range(0, len(row), window.positions)] for row in gradient]
    expected = [[v for one in convolved_back(part, ones, alone) for v in one] for part in parts]
    assert out_of_lanes(ops, ops.average_pool_inputs(in_lanes(ops, gradient, bound), window)) == expected


@pytest.mark.parametrize("width", WIDTHS)
def test_sums_of_channels_are_exact(width: int) -> None:
    ops = Lanes(width)
    bound = (1 << ops.capacity) // 4
    rows = [[bound, bound, -bound, 1, bound, -3]] * 4
    expected = [[float(8 * bound), float(4 - 4 * bound), float(4 * bound - 12)]]
    assert ops.to_rows(ops.sum_channels(in_lanes(ops, rows, bound), 3)) == expected


# --- rounded where it has to be, and close to floats -----------------------------------------------------------------


def assert_near(ours: Rows, expected: Rows, tolerance: float = TOLERANCE) -> None:
    assert [len(row) for row in ours] == [len(row) for row in expected]
    assert_near_all(ours, expected, tolerance * max(max(map(abs, row)) for row in expected))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("image", "filters", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_convolution_agrees_with_linalg(
    width: int, image: Any, filters: int, kernel: Any, stride: Any, padding: Any
) -> None:
    """For matrices, for pixels (mostly black) and for rows of inputs that are no pixels, also as learned from."""
    ops, window, count = Lanes(width), Window(*image, kernel, stride, padding), 5
    weight, bias = random_rows(window.channels * window.taps, filters, 1), random_rows(1, filters, 2)
    gradient, floats = random_rows(count, filters * window.positions, 3), random_rows(count, window.inputs)
    pixels = [bytes(Random(i).choices([0, 0, 0, 7, 255], k=window.inputs)) for i in range(count)]
    batches = [
        (ops.from_rows(floats), floats),
        (ops.take_rows(ops.prepare(floats), range(count)), floats),
        (ops.take_rows(ops.prepare(pixels, 1 / 255), range(count)), [[v / 255 for v in row] for row in pixels]),
        (ops.tuned_for(ops.prepare(floats, 3.0), count).take_rows(ops.prepare(floats, 3.0), range(count)),
         [[3.0 * v for v in row] for row in floats]),
    ]  # fmt: skip
    w, b, g = ops.from_rows(weight), ops.from_rows(bias), ops.from_rows(gradient)
    for x, rows in batches:
        assert_near(ops.to_rows(ops.convolve(x, w, b, window)), LISTS.convolve(rows, weight, bias, window))
        assert_near(ops.to_rows(ops.convolve_weights(x, g, window)), LISTS.convolve_weights(rows, gradient, window))
    assert_near(ops.to_rows(ops.convolve_inputs(g, w, window)), LISTS.convolve_inputs(gradient, weight, window))
    assert_near(ops.to_rows(ops.sum_channels(g, filters)), LISTS.sum_channels(gradient, filters))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), POOLINGS)
def test_pooling_agrees_with_linalg(width: int, image: Any, kernel: Any, stride: Any, padding: Any) -> None:
    ops, window = Lanes(width), Window(*image, kernel, stride or kernel, padding)
    x = [[float(round(v)) for v in row] for row in random_rows(3, window.inputs)]  # with ties
    gradient = random_rows(3, window.channels * window.positions, 1)
    m, g = ops.from_rows(x), ops.from_rows(gradient)
    expected, chosen = LISTS.max_pool(x, window)
    result, choices = ops.max_pool(m, window)
    assert ops.to_rows(result) == expected
    assert_near(ops.to_rows(ops.max_pool_inputs(g, choices, window)), LISTS.max_pool_inputs(gradient, chosen, window))
    assert_near(ops.to_rows(ops.average_pool(m, window)), LISTS.average_pool(x, window))
    assert_near(ops.to_rows(ops.average_pool_inputs(g, window)), LISTS.average_pool_inputs(gradient, window))


def predicting_and_learning(width: int) -> st.SearchStrategy[Lanes]:
    """Engines of one width: what is learned from may be treated all alike."""
    return st.sampled_from([Lanes(width), Lanes(width).tuned_for(Lanes(width).prepare([[1.0]]), 1)])


@given(windows(), st.sampled_from(WIDTHS), st.data())
def test_lanes_that_are_full_are_rounded_and_never_wrap(window: Window, width: int, data: Any) -> None:
    """Operands that use all bits of their lanes: something has to give, and it is the last bits."""
    ops, bound, filters = data.draw(predicting_and_learning(width)), 1 << (width - 2), 2
    weight = random_rows(window.channels * window.taps, filters, data.draw(st.integers(0, 99)))
    x = extremes(data.draw, 2, window.inputs, bound)
    gradient = extremes(data.draw, 2, filters * window.positions, bound)
    scale = 1.0 / bound
    rows, other = [[scale * v for v in row] for row in x], [[scale * v for v in row] for row in gradient]
    m, g, w, b = (
        in_lanes(ops, x, bound, scale),
        in_lanes(ops, gradient, bound, scale),
        ops.from_rows(weight),
        [[9.0, 0.0]],
    )
    outputs = ops.convolve(m, w, ops.from_rows(b), window)
    out_of_lanes(ops, outputs)
    back = ops.convolve_inputs(g, w, window)
    out_of_lanes(ops, back)
    size = max(sum(map(abs, column)) for column in zip(*weight))
    for ours, expected, allowed in (
        (outputs, LISTS.convolve(rows, weight, b, window), size + 9.0),
        (back, LISTS.convolve_inputs(other, weight, window), 2 * window.taps * 3.0),
        (ops.convolve_weights(m, g, window), LISTS.convolve_weights(rows, other, window), 2.0 * window.positions),
    ):
        difference = [abs(p - q) for r, s in zip(ops.to_rows(ours), expected) for p, q in zip(r, s)]
        assert max(difference) <= 1e-3 * allowed


@given(pooling_windows(), st.sampled_from(WIDTHS), st.data())
def test_poolings_and_sums_of_full_lanes_never_wrap(window: Window, width: int, data: Any) -> None:
    ops, bound, count = data.draw(predicting_and_learning(width)), 1 << (width - 2), data.draw(st.integers(1, 5))
    x = extremes(data.draw, count, window.inputs, bound)
    gradient = extremes(data.draw, count, window.channels * window.positions, bound)
    scale = 1.0 / bound
    rows, other = [[scale * v for v in row] for row in x], [[scale * v for v in row] for row in gradient]
    m, g = in_lanes(ops, x, bound, scale), in_lanes(ops, gradient, bound, scale)
    largest = ops.max_pool(m, window)[0]
    expected = [
        (largest, LISTS.max_pool(rows, window)[0], 1),
        (ops.average_pool(m, window), LISTS.average_pool(rows, window), 1),
        (ops.average_pool_inputs(g, window), LISTS.average_pool_inputs(other, window), window.positions),
    ]
    for ours, theirs, terms in expected:
        out_of_lanes(ops, ours)
        assert_near_all(ops.to_rows(ours), theirs, 1e-4 * terms)
    sums = ops.sum_channels(g, window.channels)
    assert_near_all(ops.to_rows(sums), LISTS.sum_channels(other, window.channels), 1e-4 * count * window.positions)


@given(st.sampled_from(WIDTHS), st.data())
def test_the_lowest_number_of_so_many_bits_is_within_every_bound(width: int, data: Any) -> None:
    ops, window, weight = data.draw(predicting_and_learning(width)), Window(1, 3, 3, 2), [[1.0]] * 4
    for bits in range(ops.capacity - 4):
        m = in_lanes(ops, [[-(1 << bits)] * 9], 1 << ops.capacity - 4)  # what is known of them is far more
        for result in (ops.convolve(m, ops.from_rows(weight), ops.from_rows([[0.0]]), window),
                       ops.average_pool(m, window)):  # fmt: skip
            out_of_lanes(ops, result)
            assert {v for row in ops.to_rows(result) for v in row} <= {-4.0 * 2.0**bits, -(2.0**bits)}


def assert_near_all(ours: Rows, expected: Rows, allowed: float) -> None:
    assert [len(row) for row in ours] == [len(row) for row in expected]
    assert max(abs(a - b) for row, other in zip(ours, expected) for a, b in zip(row, other)) <= allowed


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("rows", [
    [b"\xff" * 18], [[float((1 << 18) - 1)] * 18], [[1.0 - 2.0**-40] * 18, [2.0**-40 - 1.0] * 18],
    [[7.0] * 18, [-1.0] * 18, [0.3] * 18],
], ids=["pixels", "whole", "floats", "few bits"])  # fmt: skip
def test_inputs_as_large_as_they_can_be_obey_their_bounds(width: int, rows: Any) -> None:
    ops, window, weight = Lanes(width), Window(2, 3, 3, 2), [[1.0, -1.0]] * 8
    for engine in (ops, ops.tuned_for(ops.prepare(rows), 2)):
        x = engine.take_rows(engine.prepare(rows), range(len(rows)))
        result = engine.convolve(x, engine.from_rows(weight), engine.from_rows([[0.0, 0.0]]), window)
        out_of_lanes(engine, result)
        plain = [list(map(float, row)) for row in rows]
        assert_near(engine.to_rows(result), LISTS.convolve(plain, weight, [[0.0, 0.0]], window))


@pytest.mark.parametrize("stride", [1, 2])
def test_weight_gradients_over_many_chunks_of_images_are_in_range_in_each(monkeypatch: Any, stride: int) -> None:
    ops, window, rng = Lanes(40), Window(1, 6, 6, 3, stride), Random(1)
    full, taken = 1 << ops.capacity, 1 << 12
    x = [[rng.choice([full, -full]) for _ in range(36)] for _ in range(6)]
    gradient = [[taken * rng.choice([1, -1]) >> 3 * i for _ in range(2 * window.positions)] for i in (3, 0, 1, 3, 0, 2)]
    rows = [[rng.choice([0.0, 1.0]) for _ in range(36)] for _ in range(6)]
    m, g = in_lanes(ops, x, full), in_lanes(ops, gradient, taken)
    for at_once in (1, 2 * 36, 4096):
        monkeypatch.setattr(convolution, "PATCHES_AT_ONCE", at_once)
        assert_near(ops.to_rows(ops.convolve_weights(m, g, window)), LISTS.convolve_weights(x, gradient, window), 1e-3)
        inputs = ops.convolve_weights(ops.prepare(rows), g, window)
        assert_near(ops.to_rows(inputs), LISTS.convolve_weights(rows, gradient, window), 1e-3)


def test_numbers_too_small_to_be_told_from_zero_are_zero() -> None:
    ops, window = Lanes(), Window(1, 3, 3, 2)
    x, w, g = [[1e-200] * 9], [[1e-200, 2e-200]] * 4, [[1e-200] * 8]
    for m in (
        ops.convolve(ops.from_rows(x), ops.from_rows(w), ops.from_rows([[0.0, 0.0]]), window),
        ops.convolve_inputs(ops.from_rows(g), ops.from_rows(w), window),
    ):
        assert {v for row in out_of_lanes(ops, m) for v in row} <= {0}
        assert m.samples is not None
        assert m.samples.data == [0]


@pytest.mark.parametrize("bias", [0.0, 1.0, -30.0, 1000.0])
def test_a_bias_somewhat_larger_than_the_products_needs_no_floats(monkeypatch: Any, bias: float) -> None:
    monkeypatch.setattr(convolution, "_convolved", None)
    ops, window, x, weight = Lanes(48), Window(2, 4, 4, 3), random_rows(3, 32), random_rows(18, 2)
    result = ops.convolve(ops.from_rows(x), ops.from_rows(weight), ops.from_rows([[bias, 0.0]]), window)
    out_of_lanes(ops, result)
    assert_near(ops.to_rows(result), LISTS.convolve(x, weight, [[bias, 0.0]], window))


def test_one_window_serves_engines_of_all_widths() -> None:
    """What is worked out for a window is kept with it, and depends on the width of lanes and the number of rows."""
    window, rows, weight, g = Window(2, 4, 5, 3, 1, 1), random_rows(4, 40), random_rows(18, 3, 1), random_rows(4, 60, 2)
    pixels = [bytes(Random(i).choices([0, 0, 9, 255], k=40)) for i in range(4)]
    for count in (1, 4, 3):
        for ops in map(Lanes, WIDTHS):
            x, w, gradient = ops.from_rows(rows[:count]), ops.from_rows(weight), ops.from_rows(g[:count])
            found = []
            for one in (window, Window(2, 4, 5, 3, 1, 1)):
                largest, choices = ops.max_pool(x, one)
                pooled = [largest, ops.max_pool_inputs(ops.from_rows([row[:40] for row in g[:count]]), choices, one)]
                results = [*pooled, ops.average_pool(x, one), ops.convolve(x, w, ops.from_rows([[0.0] * 3]), one),
                           ops.convolve_inputs(gradient, w, one), ops.convolve_weights(x, gradient, one),
                           ops.convolve_weights(ops.prepare(pixels[:count]), gradient, one)]  # fmt: skip
                found.append(list(map(ops.to_rows, results)))
            assert found[0] == found[1]


def test_gradients_of_overlapping_windows_keep_their_bits() -> None:
    """Each number of this image is seen from up to 225 places, so that as many gradients may add up in it."""
    ops, window = Lanes(48), Window(1, 21, 21, 15, 1, 7)
    x, gradient = random_rows(1, window.inputs), random_rows(1, window.positions, 1)
    _, choices = ops.max_pool(ops.from_rows(x), window)
    ours = ops.to_rows(ops.max_pool_inputs(ops.from_rows(gradient), choices, window))
    assert_near(ours, LISTS.max_pool_inputs(gradient, LISTS.max_pool(x, window)[1], window), 1e-5)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_black_image_has_no_size_that_could_hide_the_others(width: int) -> None:
    ops, x = Lanes(width), [[0.0] * 9, [1e-6 * v for v in random_rows(1, 9)[0]]]
    g = [[1e6] * 8, [1e-6 * v for v in random_rows(1, 8, 1)[0]]]
    # In steps of 2 the gradient's numbers are the factors, in steps of 1 those of inputs.
    taken = ops.tuned_for(ops.prepare(x), 2).take_rows(ops.prepare(x), [0, 1])
    for window, m in ((Window(1, 3, 3, 2, 2), ops.from_rows(x)), (Window(1, 3, 3, 2), ops.prepare(x)),
                      (Window(1, 3, 3, 2, 2), taken)):  # fmt: skip
        gradient = [row[: 2 * window.positions] for row in g]
        result = ops.convolve_weights(m, ops.from_rows(gradient), window)
        assert_near(ops.to_rows(result), LISTS.convolve_weights(x, gradient, window))


# --- ranges that no lane can span ------------------------------------------------------------------------------------


def test_a_bias_far_larger_than_the_products_goes_through_floats() -> None:
    ops, window = Lanes(40), Window(1, 3, 3, 2)
    x, weight = random_rows(2, 9), random_rows(4, 2, 1)
    result = ops.convolve(ops.from_rows(x), ops.from_rows(weight), ops.from_rows([[1e12, 0.5]]), window)
    assert_near(ops.to_rows(result), LISTS.convolve(x, weight, [[1e12, 0.5]], window), 1e-9)


def test_too_few_bits_for_a_sum_go_through_floats(monkeypatch: Any) -> None:
    """What happens to images of a hundred thousand pixels, on a small one: more bits are asked for than there are."""
    ops, window = Lanes(40), Window(2, 5, 6, (3, 2), (1, 2), (0, 1))
    plain, bias, weight = Window(2, 5, 6, 3), [[1.0, 2.0, 3.0]], random_rows(12, 3, 2)
    monkeypatch.setattr(convolution, "ENOUGH_BITS", 30)
    monkeypatch.setattr(convolution, "MovedSums", None)  # lanes would fail
    monkeypatch.setattr(convolution, "_patches", None)
    rng, full = Random(4), 1 << ops.capacity
    x, gradient, short = (
        [[rng.randint(-full, full) for _ in range(columns)] for _ in range(3)]
        for columns in (60, 3 * window.positions, 2 * plain.positions)
    )
    m, g, w = in_lanes(ops, x, full), in_lanes(ops, gradient, full), ops.from_rows(weight)
    assert_near(ops.to_rows(ops.convolve(m, w, ops.from_rows(bias), window)), LISTS.convolve(x, weight, bias, window))
    assert_near(ops.to_rows(ops.convolve_inputs(g, w, window)), LISTS.convolve_inputs(gradient, weight, window))
    assert_near(ops.to_rows(ops.convolve_weights(m, g, window)), LISTS.convolve_weights(x, gradient, window))
    pixels = [bytes(rng.choices([0, 0, 9, 255], k=60)) for _ in range(3)]
    inputs = ops.take_rows(ops.prepare(pixels), range(3))
    expected = LISTS.convolve_weights([list(map(float, row)) for row in pixels], short, plain)
    assert_near(ops.to_rows(ops.convolve_weights(inputs, in_lanes(ops, short, full), plain)), expected)


@pytest.mark.parametrize("width", WIDTHS)
def test_zeros_are_no_special_case(width: int) -> None:
    ops, window = Lanes(width), Window(1, 4, 4, 3, 1, 1)
    zeros, x, weight = [[0.0] * 16], random_rows(1, 16), random_rows(9, 2)
    no_weight, bias = [[0.0] * 2] * 9, [[0.25, -3.0]]
    black = ops.take_rows(ops.prepare([bytes(16)]), [0])
    plain = [[0.25] * 16 + [-3.0] * 16]
    for m, w in ((ops.from_rows(zeros), weight), (black, weight), (ops.from_rows(x), no_weight)):
        assert ops.to_rows(ops.convolve(m, ops.from_rows(w), ops.from_rows(bias), window)) == plain
    g, no_g = ops.from_rows(random_rows(1, 32)), ops.from_rows([[0.0] * 32])
    for m, gradient in ((ops.from_rows(zeros), g), (black, g), (ops.from_rows(x), no_g)):
        assert ops.to_rows(ops.convolve_weights(m, gradient, window)) == no_weight
    assert ops.to_rows(ops.convolve_inputs(no_g, ops.from_rows(weight), window)) == zeros
    assert ops.to_rows(ops.convolve_inputs(g, ops.from_rows(no_weight), window)) == zeros


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_numbers_that_have_run_away_are_noticed(bad: float) -> None:
    ops, window = Lanes(), Window(1, 2, 2, 2)
    good = ops.from_rows([[1.0, 2.0, 3.0, 4.0]])
    weight, bias = ops.from_rows([[1.0]] * 4), ops.from_rows([[0.0]])
    wrong = [[1.0, 2.0, bad, 4.0]]
    with pytest.raises(OverflowError, match="lanes engine"):
        ops.convolve(ops.from_rows(wrong), weight, bias, window)
    with pytest.raises(OverflowError, match="lanes engine"):
        ops.convolve(good, ops.from_rows([[v] for v in wrong[0]]), bias, window)
    with pytest.raises(OverflowError, match="lanes engine"):
        ops.convolve(good, weight, ops.from_rows([[bad]]), window)
    with pytest.raises(OverflowError, match="lanes engine"):
        ops.max_pool(ops.from_rows(wrong), window)


def test_matrices_that_do_not_fit_are_refused() -> None:
    ops, window = Lanes(), Window(2, 4, 4, 3)
    make = lambda rows, columns: ops.from_rows(random_rows(rows, columns))  # noqa: E731
    with pytest.raises(ValueError, match="convolve needs images of 2 x 4 x 4 = 32 numbers, got rows of 31"):
        ops.convolve(make(1, 31), make(18, 5), make(1, 5), window)
    with pytest.raises(ValueError, match="convolve needs a weight of 2 x 3 x 3 = 18 rows, got 17"):
        ops.convolve(make(1, 32), make(17, 5), make(1, 5), window)
    with pytest.raises(ValueError, match="convolve needs a bias of 1x5, got 1x4"):
        ops.convolve(make(1, 32), make(18, 5), make(1, 4), window)
    with pytest.raises(ValueError, match="gradients of 4 x 2 x 2 = 16 numbers, got rows of 19"):
        ops.convolve_weights(make(1, 32), make(1, 19), window)
    with pytest.raises(ValueError, match="gradients of 5 x 2 x 2 = 20 numbers, got rows of 24"):
        ops.convolve_inputs(make(1, 24), make(18, 5), window)
    with pytest.raises(ValueError, match="rows of 3 channels of one size, got 20 numbers"):
        ops.sum_channels(make(1, 20), 3)


# --- the same whatever the size of a batch ---------------------------------------------------------------------------


@pytest.mark.parametrize("few", [0, 1024])
def test_results_do_not_depend_on_how_many_images_are_computed_at_once(monkeypatch: Any, few: int) -> None:
    monkeypatch.setattr(pooled, "FEW_LANES", few)
    window, x, gradient = Window(2, 6, 5, 3, (2, 1), 1), random_rows(7, 60), random_rows(7, 45, 1)
    weight, pixels = random_rows(18, 3, 2), [bytes(Random(i).choices([0, 5, 255], k=60)) for i in range(7)]
    pixels[2:4] = [bytes(60), bytes(40) + pixels[3][40:]]  # black, and mostly so
    plain = Window(2, 6, 5, 3)
    results = []
    for at_once in (1, 100, 10000):
        monkeypatch.setattr(images, "LANES_AT_ONCE", at_once)
        monkeypatch.setattr(pooled, "PHASES_AT_ONCE", at_once)
        monkeypatch.setattr(convolution, "PATCHES_AT_ONCE", at_once)
        ops = Lanes(48)
        m, g, w = ops.from_rows(x), ops.from_rows(gradient), ops.from_rows(weight)
        inputs = ops.take_rows(ops.prepare(pixels), range(7))
        short = ops.from_rows([row[:36] for row in gradient])
        pooling, biases = Window(3, 4, 3, (2, 1), (2, 1)), ops.from_rows([[1.0, 2.0, 3.0]])
        largest, choices = ops.max_pool(ops.convolve(inputs, w, biases, plain), pooling)
        back = ops.max_pool_inputs(ops.from_rows([row[:18] for row in gradient]), choices, pooling)
        results.append(
            [
                ops.to_rows(ops.convolve(m, w, ops.from_rows([[1.0, 2.0, 3.0]]), window)),
                ops.to_rows(ops.convolve_inputs(g, w, window)),
                ops.to_rows(ops.average_pool(m, window)),
                ops.to_rows(ops.convolve_weights(inputs, short, plain)),
                ops.to_rows(largest),
                ops.to_rows(ops.convolve_weights(inputs, back, plain)),
                ops.to_rows(back),
            ]
        )
    assert results[0] == results[1] == results[2]


# --- in a network ----------------------------------------------------------------------------------------------------


def test_training_follows_floats() -> None:
    """Losses and weights of a small network on both engines, over three epochs of the same batches."""
    rng = Random(3)
    X = [bytes(rng.choices([0, 0, 40, 255], k=64)) for _ in range(24)]
    y = [rng.randrange(3) for _ in X]
    models = []
    for engine in ("linalg", "lanes"):
        layers: list[Layer] = [
            *(Conv2D(1, 4, 3, padding=1), MaxPool2D(2), ReLU()),
            *(Conv2D(4, 5, 3), ReLU(), AvgPool2D(2), Flatten(), Linear(5, 3)),
        ]
        model = Model.from_layers(layers, input_shape=(1, 8, 8), engine=engine, seed=2)
        models.append((model, model.fit(X, y, epochs=3, lr=0.05, batch_size=8, momentum=0.5)))
    (floats, expected), (lanes, history) = models
    assert history.loss == pytest.approx(expected.loss, rel=1e-3)
    for ours, other in zip(lanes.network.parameters(), floats.network.parameters()):
        assert_near(lanes.ops.to_rows(ours.value), other.value, 2e-3)


@pytest.mark.parametrize("predicts", [False, True])
@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
@pytest.mark.parametrize(("behind", "width"), [
    (lambda: [Conv2D(2, 3, 3)], 108),
    (lambda: [ReLU(), Conv2D(2, 3, 3), MaxPool2D(2)], 27),
    (lambda: [MaxPool2D(2), Conv2D(2, 3, 2)], 27),
    (lambda: [MaxPool2D(2), Conv2D(2, 3, 3, padding=1), AvgPool2D(2)], 12),
], ids=["convolution", "both", "pooling", "means"])  # fmt: skip
def test_a_model_is_copied_just_after_it_has_learned(behind: Any, width: int, again: Any, predicts: bool) -> None:
    rng = Random(4)
    X, y = [bytes(rng.randrange(256) for _ in range(64)) for _ in range(40)], [k % 3 for k in range(40)]
    layers = [Conv2D(1, 2, 3, padding=1), *behind(), Flatten(), Linear(width, 3)]
    model = Model.from_layers(layers, input_shape=(1, 8, 8), seed=1)
    model.fit(X, y, epochs=1, batch_size=16)
    if predicts:
        model.predict(X)
    assert again(model).predict_proba(X) == model.predict_proba(X)
