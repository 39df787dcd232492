"""What a window sees at each of its positions, and what is said about sizes that make no sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn.engines.sliding_window import Window, pair

sizes = st.integers(1, 7)
steps = st.integers(1, 4)
paddings = st.integers(0, 3)


@st.composite
def windows(draw: Any) -> Window:
    """Windows of all shapes over small images; the kernel fits."""
    channels, height, width = draw(st.integers(1, 3)), draw(sizes), draw(sizes)
    padding = draw(paddings), draw(paddings)
    kernel = tuple(draw(st.integers(1, min(5, n + 2 * p))) for n, p in zip((height, width), padding))
    return Window(channels, height, width, kernel, (draw(steps), draw(steps)), padding)


@given(windows())
def test_the_window_sees_what_its_definition_says(window: Window) -> None:
    """Position (y, x) sees row y·stride + ky - padding, column x·stride + kx - padding, in every channel."""
    height, width = window.image
    assert len(window.patches) == window.positions == window.output[0] * window.output[1]
    for position, patch in enumerate(window.patches):
        y, x = divmod(position, window.output[1])
        expected = []
        for channel in range(window.channels):
            for ky in range(window.kernel[0]):
                for kx in range(window.kernel[1]):
                    row = y * window.stride[0] + ky - window.padding[0]
                    column = x * window.stride[1] + kx - window.padding[1]
                    inside = 0 <= row < height and 0 <= column < width
                    expected.append(channel * height * width + row * width + column if inside else window.inputs)
        assert patch == expected


@given(windows())
def test_one_more_position_would_not_fit(window: Window) -> None:
    for axis in (0, 1):
        end = (window.output[axis] - 1) * window.stride[axis] + window.kernel[axis]
        assert end <= window.padded[axis] < end + window.stride[axis]


@given(windows())
def test_channel_by_channel_it_sees_the_same_without_the_padding(window: Window) -> None:
    seen = window.channel_patches
    assert len(seen) == window.channels * window.positions
    for number, inside in enumerate(seen):
        channel, position = divmod(number, window.positions)
        part = window.patches[position][channel * window.taps : (channel + 1) * window.taps]
        assert inside == [i for i in part if i < window.inputs]


def test_rectangles_are_height_first() -> None:
    window = Window(2, 5, 9, kernel=(2, 3), stride=(1, 2), padding=(0, 1))
    assert window.padded == (5, 11)
    assert window.output == (4, 5)
    assert (window.inputs, window.taps, window.positions) == (90, 6, 20)
    assert repr(window) == "Window(2, 5, 9, kernel=(2, 3), stride=(1, 2), padding=(0, 1))"


def test_a_window_as_large_as_the_image_has_one_position() -> None:
    assert Window(1, 4, 6, (4, 6), 5).output == (1, 1)


@given(windows(), st.integers(0, 1 << 24))
def test_a_step_out_of_the_image_is_no_longer_than_it_must_be(window: Window, more: int) -> None:
    """Engines lay out all of a step, so that a huge one would take as much memory; what is seen stays the same."""
    size = window.channels, *window.image
    steps = [padded - kernel + 1 + more for padded, kernel in zip(window.padded, window.kernel)]
    far = Window(*size, window.kernel, steps, window.padding)
    assert far.output == (1, 1)
    assert far.patches == window.patches[:1]
    assert all(step <= max(padded, 1) for step, padded in zip(far.stride, far.padded))
    again = Window(*size, window.kernel, far.stride, window.padding)  # as engines do it for a channel alone
    assert (again.output, again.stride) == (far.output, far.stride)


def test_a_step_that_is_as_long_as_the_kernel_stays() -> None:
    assert Window(1, 7, 7, 7, 7).stride == (7, 7)
    assert Window(1, 7, 7, 3, 9).stride == (5, 5)
    assert Window(1, 7, 7, 3, 4).stride == (4, 4)


class Counted:
    """Counts how many numbers the tables are made of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        monkeypatch.setattr(Window, "_numbers", lambda window: _Noted(self, window.inputs + 1))


class _Noted:
    def __init__(self, counter: Counted, size: int) -> None:
        self.counter, self.size, self.looked_up = counter, size, 0

    def __getitem__(self, key: Any) -> Any:
        found = range(self.size)[key]
        self.looked_up += len(found) if isinstance(key, slice) else 1
        self.counter.most = max(self.counter.most, self.looked_up)
        return found


def test_tables_hold_what_is_seen_and_no_padding_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Counted(monkeypatch)
    assert Window(1, 1, 1, 4094, 4094, 2047).channel_patches == [[0]]
    assert counter.most == 1
    assert Window(3, 1000, 1000, 1, 999).channel_patches[-1] == [2999999]
    assert counter.most == 12
    assert Window(3, 1000, 1000, 1, 999).patches[-1] == [999999, 1999999, 2999999]
    assert counter.most == 12


@given(windows(), st.integers(1, 5))
def test_work_is_at_least_every_product_and_every_look_up(window: Window, filters: int) -> None:
    products = sum(len(patch) for patch in window.patches)
    assert window.work(filters) >= products * (filters + 16)
    assert window.work(filters) >= window.channels * window.stride[0] * window.stride[1]


def test_one_number_stands_for_height_and_width() -> None:
    assert pair("kernel", 3) == pair("kernel", [3, 3]) == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 4, 4, 5), "a kernel of 5 x 5 does not fit into an image of 4 x 4$"),
        ((1, 4, 4, (2, 5)), "a kernel of 2 x 5 does not fit into an image of 4 x 4$"),
        ((1, 3, 4, 6, 1, 1), r"a kernel of 6 x 6 does not fit into an image of 3 x 4 \(padded to 5 x 6\)"),
        ((1, 4, 4, 2, 0), "stride must be a whole number of at least 1, got 0"),
        ((1, 4, 4, 2, (1, 0)), "width of stride must be a whole number of at least 1, got 0"),
        ((1, 4, 4, 0), "kernel must be a whole number of at least 1, got 0"),
        ((1, 4, 4, 2, 1, -1), "padding must be a whole number of at least 0, got -1"),
        ((1, 4, 4, (2, 2, 2)), r"kernel must be a whole number or a pair \(height, width\), got \(2, 2, 2\)"),
        ((1, 4, 4, 2.5), "kernel must be a whole number of at least 1, got 2.5"),
        ((1, 4, 4, "33"), "kernel must be a whole number of at least 1, got '33'"),
        ((0, 4, 4, 2), "channels must be a whole number of at least 1, got 0"),
        ((1, 4, 4, 2, 1 << 25), "stride may be at most 16777216, got 33554432"),
        ((1, 4, 4, (1, 10**30)), r"width of kernel may be at most 16777216, got 10+$"),
        (
            (3, 4, 4, 2, 1, (10**4, 10**4)),
            "images of 3 x 4 x 4, padded to 20004 x 20004, are too large: at most 16777216 numbers are possible",
        ),
        ((1, -4, 4, 2), "height must be a whole number of at least 1, got -4"),
    ],
)
def test_sizes_that_make_no_sense_are_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Window(*arguments)


def test_rows_of_another_size_are_refused_with_the_numbers() -> None:
    window = Window(2, 3, 4, 2)
    with pytest.raises(ValueError, match="convolve needs images of 2 x 3 x 4 = 24 numbers, got rows of 12"):
        window.require_inputs("convolve", 12)
    with pytest.raises(ValueError, match="pool needs gradients of 5 x 2 x 3 = 30 numbers, got rows of 31"):
        window.require_outputs("pool", 31, 5)
    with pytest.raises(ValueError, match="convolve needs a weight of 2 x 2 x 2 = 8 rows, got 9"):
        window.require_weight("convolve", 9)
