"""Every operation on lanes against the same operation on plain Python ints: it must agree exactly, in every lane.

The oracle packs and unpacks one lane at a time with nothing but shifts, so it shares no code with what it judges.
Relies on hypothesis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scratchnn.engines.lanes.layout import Layout, round_all

WIDTHS = (16, 24, 32, 40, 48, 56, 64)


def in_one_int(numbers: Sequence[int], width: int) -> int:
    """The definition of a row: each number times its lane's place value."""
    return sum(number << (width * lane) for lane, number in enumerate(numbers))


def in_ints(rows: Sequence[Sequence[int]], width: int) -> list[int]:
    return [in_one_int(row, width) for row in rows]


def one_by_one(row: int, width: int, count: int) -> list[int]:
    """The lanes of a row, the lowest first: read its low bits as a signed number, take that away, go on."""
    numbers = []
    for _ in range(count):
        low = row & ((1 << width) - 1)
        number = low - (1 << width) if low >> (width - 1) else low
        numbers.append(number)
        row = (row - number) >> width
    assert row == 0, "something is left above the highest lane: a lane has overflowed"
    return numbers


def lane_numbers(limit: int) -> st.SearchStrategy[int]:
    """Numbers of all sizes, and those where carries, signs and roundings go wrong first."""
    powers = [1 << bits for bits in range(limit.bit_length())]
    near = sorted({n + d for n in powers for d in (-1, 0, 1) if n + d <= limit} | {0})
    return st.one_of(
        st.integers(-limit, limit), st.sampled_from(near), st.sampled_from(near).map(lambda n: -n), st.just(0)
    )


@st.composite
def matrices(draw: Any, least_rows: int = 0, least_lanes: int = 1) -> tuple[Layout, list[list[int]]]:
    """A layout and rows of numbers that its lanes can hold."""
    layout = Layout(draw(st.sampled_from(WIDTHS)), draw(st.integers(least_lanes, 7)))
    row = st.lists(lane_numbers(layout.limit), min_size=layout.count, max_size=layout.count)
    return layout, draw(st.lists(row, min_size=least_rows, max_size=5))


def extremes(width: int) -> tuple[Layout, list[list[int]]]:
    """Neighbouring lanes at opposite ends of their range."""
    layout = Layout(width, 4)
    top = layout.limit
    return layout, [[top, -top, top, -top], [-top, -top, -top, -top], [top, top, top, top], [-1, 0, 1, -1], [0] * 4]


def rounded_half_up(number: int, shift: int) -> int:
    return (2 * number + (1 << shift)) >> (shift + 1)


# --- the example that the module opens with ------------------------------------------------------------------------


def test_a_row_is_one_int_and_one_multiplication_multiplies_every_lane() -> None:
    layout = Layout(16, 3)
    (row,) = layout.pack([[3, 5, 2]])
    assert row == 0x0002_0005_0003
    assert 7 * row == 0x000E_0023_0015
    assert layout.unpack([7 * row]) == [21, 35, 14]
    assert layout.unpack([7 * row + layout.ones]) == [22, 36, 15]


def test_a_negative_lane_borrows_from_its_upper_neighbour() -> None:
    (row,) = Layout(16, 3).pack([[3, -5, 2]])
    assert row == 0x0001_FFFB_0003
    assert Layout(16, 3).unpack([-2 * row]) == [-6, 10, -4]


@pytest.mark.parametrize("width", [0, 8, 12, 20, 72, 48.5, None, "48"])
def test_a_width_that_cannot_be_is_refused(width: Any) -> None:
    with pytest.raises(ValueError, match="16, 24, 32, 40, 48, 56 or 64 bits wide, got"):
        Layout(width, 3)


# --- packing and unpacking -----------------------------------------------------------------------------------------


@given(matrices(least_lanes=0))
def test_pack(case: tuple[Layout, list[list[int]]]) -> None:
    layout, rows = case
    assert layout.pack(rows) == in_ints(rows, layout.width)


@given(matrices(least_lanes=0))
def test_unpack(case: tuple[Layout, list[list[int]]]) -> None:
    layout, rows = case
    assert layout.unpack(in_ints(rows, layout.width)) == [v for row in rows for v in row]


@given(matrices(), st.data())
def test_unpack_with_any_bound_that_holds(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    allowed = data.draw(st.sampled_from([b for b in (1, 7, 2**15 - 1, 2**15, 2**31 - 1, 2**31) if b <= layout.limit]))
    rows = [[max(-allowed, min(allowed, v)) for v in row] for row in rows]
    rows.append([(-1) ** lane * allowed for lane in range(layout.count)])
    assert layout.unpack(in_ints(rows, layout.width), allowed) == [v for row in rows for v in row]


@pytest.mark.parametrize("width", WIDTHS)
def test_extremes_survive_packing_and_unpacking(width: int) -> None:
    layout, rows = extremes(width)
    assert layout.pack(rows) == in_ints(rows, width)
    assert layout.unpack(layout.pack(rows)) == [v for row in rows for v in row]
    assert layout.unpack(layout.pack(rows), layout.limit) == [v for row in rows for v in row]


@given(matrices(), st.sampled_from([1.0, 0.5, 0.25, 2.0**-30, 1.0 / 3.0, 1e-9]))
def test_pack_rounded_rounds_as_python_does(case: tuple[Layout, list[list[int]]], factor: float) -> None:
    layout, rows = case
    # Sixteenths: so that halves, where "to even" shows, come often. Products must be numbers that a lane can hold.
    floats = [[v / 16.0 if abs(v) < 2**49 else float(v) for v in row] for row in rows]
    wanted = [[round(v * factor) for v in row] for row in floats]
    assert layout.pack_rounded(floats, [factor] * len(floats)) == in_ints(wanted, layout.width)


@pytest.mark.parametrize("width", WIDTHS)
def test_pack_rounded_rounds_halves_to_even(width: int) -> None:
    layout = Layout(width, 8)
    halves = [[0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, -0.0]]
    assert layout.unpack(layout.pack_rounded(halves, [1.0] * len(halves))) == [0, 2, 2, 0, -2, -2, 0, 0]
    ends = [[float(layout.limit), -float(layout.limit)] * 4]
    assert layout.unpack(layout.pack_rounded(ends, [1.0] * len(ends))) == [layout.limit, -layout.limit] * 4


@given(st.lists(st.integers(-(2**34), 2**34)), st.sampled_from([1.0, 0.5, 0.125, 0.1]))
def test_round_all(numbers: list[int], factor: float) -> None:
    values = [v / 16.0 for v in numbers]
    assert round_all([values, values[:1]], [factor, 2.0 * factor]) == [
        *(round(v * factor) for v in values),
        *(round(v * 2.0 * factor) for v in values[:1]),
    ]


def test_round_all_at_the_ends_of_its_range() -> None:
    ends = [2.0**31 - 1, -(2.0**31), 0.5, 1.5, -0.5, 0.0, -0.0, 5e-324]
    assert round_all([ends], [1.0]) == [2**31 - 1, -(2**31), 0, 2, 0, 0, 0, 0]
    assert round_all([], []) == []


# --- operations on every lane --------------------------------------------------------------------------------------


@given(matrices(), st.data())
def test_shift_divides_and_rounds_half_up(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    shift = data.draw(st.integers(0, layout.width - 2))
    wanted = [[rounded_half_up(v, shift) for v in row] if shift else row for row in rows]
    assert layout.shift(in_ints(rows, layout.width), shift) == in_ints(wanted, layout.width)


@given(matrices(), st.data())
def test_rescale_divides_multiplies_and_divides(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    early = data.draw(st.integers(0, layout.width - 1))
    largest = max([abs(v) for row in rows for v in row], default=0) >> early
    most = layout.limit // (largest + 1)
    multiplier = data.draw(st.sampled_from([1, -1, most, -most]) | st.integers(-most, most))
    shift = data.draw(st.integers(0, layout.width - 1))
    wanted = in_ints(rows, layout.width)
    wanted = layout.shift([row * multiplier for row in layout.shift(wanted, early)], shift)
    assert layout.rescale(in_ints(rows, layout.width), early, multiplier, shift) == wanted


@pytest.mark.parametrize("width", WIDTHS)
def test_every_shift_of_the_extremes(width: int) -> None:
    layout, rows = extremes(width)
    rows += [[layout.limit - 1, 1 - layout.limit, 1, -1], [2, -2, 3, -3]]
    for shift in range(1, width - 1):
        wanted = [[rounded_half_up(v, shift) for v in row] for row in rows]
        assert layout.shift(in_ints(rows, width), shift) == in_ints(wanted, width)


@given(matrices(), st.integers(0, 100))
def test_a_shift_by_more_than_the_lane_leaves_nothing(case: tuple[Layout, list[list[int]]], more: int) -> None:
    layout, rows = case
    assert layout.shift(in_ints(rows, layout.width), layout.width - 1 + more) == [0] * len(rows)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_left_of_the_extremes_beyond_their_lane(width: int) -> None:
    layout, rows = extremes(width)
    packed = in_ints(rows, width)
    for shift in (width - 1, width, width + 1, 2 * width):
        assert layout.shift(packed, shift) == [0] * len(rows)
        assert layout.shift_each(packed, [shift, shift, shift, 0, 1]) == [0, 0, 0, packed[3], 0]


@given(matrices(), st.data())
def test_a_negative_shift_multiplies(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    largest = max([abs(v) for row in rows for v in row], default=0)
    room = layout.limit.bit_length() - 1 - largest.bit_length()
    by = data.draw(st.integers(0, max(room, 0)))
    wanted = [[v << by for v in row] for row in rows]
    assert layout.shift(in_ints(rows, layout.width), -by) == in_ints(wanted, layout.width)


@given(matrices())
@example(extremes(16))
@example(extremes(40))
@example(extremes(64))
def test_positive(case: tuple[Layout, list[list[int]]]) -> None:
    layout, rows = case
    results, masks = layout.positive(in_ints(rows, layout.width))
    assert results == in_ints([[max(v, 0) for v in row] for row in rows], layout.width)
    every_bit = (1 << layout.width) - 1
    assert masks == in_ints([[every_bit if v > 0 else 0 for v in row] for row in rows], layout.width)


@given(matrices(), st.data())
def test_gate_keeps_lanes_where_another_row_is_positive(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    row = st.lists(lane_numbers(layout.limit), min_size=layout.count, max_size=layout.count)
    others = data.draw(st.lists(row, min_size=len(rows), max_size=len(rows)))
    _, masks = layout.positive(in_ints(others, layout.width))
    wanted = [[v if keep > 0 else 0 for v, keep in zip(*pair)] for pair in zip(rows, others)]
    assert layout.gate(in_ints(rows, layout.width), masks) == in_ints(wanted, layout.width)


@pytest.mark.parametrize("width", WIDTHS)
def test_gate_at_the_extremes(width: int) -> None:
    layout, rows = extremes(width)
    for other in rows:
        _, masks = layout.positive(in_ints([other] * len(rows), width))
        wanted = [[v if keep > 0 else 0 for v, keep in zip(row, other)] for row in rows]
        assert layout.gate(in_ints(rows, width), masks) == in_ints(wanted, width)


def bits_needed(numbers: list[int]) -> int:
    """The least b such that every number is from -2**b to 2**b - 1."""
    return max(((v if v >= 0 else -v - 1).bit_length() for v in numbers), default=0)


@given(matrices(), st.data())
def test_bits_of_every_row(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    rows = [*rows, *data.draw(st.permutations(rows))]  # each is first compared with the one before
    assert layout.bits(in_ints(rows, layout.width)) == [bits_needed(row) for row in rows]
    assert layout.most_bits(in_ints(rows, layout.width)) == bits_needed([v for row in rows for v in row])


@pytest.mark.parametrize("width", WIDTHS)
def test_bits_notice_a_single_lane_just_outside(width: int) -> None:
    layout = Layout(width, 3)
    for bits in range(width - 1):
        inside = [(1 << bits) - 1, -(1 << bits)]
        assert layout.most_bits(in_ints([[inside[0], inside[1], 0]] * 2, width)) == bits
        for lane in range(3):
            for outside in ((1 << bits), -(1 << bits) - 1):
                if abs(outside) > layout.limit:
                    continue
                row = [inside[1], inside[1], inside[1]]
                row[lane] = outside
                assert layout.most_bits(in_ints([[0] * 3, row], width)) == bits + 1, (bits, lane, outside)


@given(matrices(), st.data())
def test_a_shift_for_each_row(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    shifts = [data.draw(st.integers(0, layout.width + 3)) for _ in rows]
    found = layout.shift_each(in_ints(rows, layout.width), shifts)
    assert found == [layout.shift(in_ints([row], layout.width), shift)[0] for row, shift in zip(rows, shifts)]
    doubled = layout.shift_each(in_ints([[1] * layout.count], layout.width), [-3])
    assert doubled == in_ints([[8] * layout.count], layout.width)


@given(matrices(), st.data())
def test_coarse_rows_are_shifted_rows_with_a_bias(case: tuple[Layout, list[list[int]]], data: Any) -> None:
    layout, rows = case
    shift = data.draw(st.integers(1, layout.width - 2))
    bias, plain = layout.coarse_bias(shift), layout.shift(in_ints(rows, layout.width), shift)
    assert [row - bias for row in layout.coarse(in_ints(rows, layout.width), shift)] == plain


@given(matrices(least_lanes=0))
def test_transposed(case: tuple[Layout, list[list[int]]]) -> None:
    layout, rows = case
    turned = Layout(layout.width, len(rows))
    columns = [[row[lane] for row in rows] for lane in range(layout.count)]
    assert layout.transposed(in_ints(rows, layout.width), turned) == in_ints(columns, layout.width)
    bound = max([abs(v) for row in rows for v in row], default=0)
    assert layout.transposed(in_ints(rows, layout.width), turned, bound) == in_ints(columns, layout.width)


@given(matrices())
def test_sizes(case: tuple[Layout, list[list[int]]]) -> None:
    layout, rows = case
    wanted = in_ints([[abs(v) for v in row] for row in rows], layout.width)
    assert layout.sizes(in_ints(rows, layout.width)) == wanted


@pytest.mark.parametrize("width", WIDTHS)
def test_transposed_extremes(width: int) -> None:
    layout, rows = extremes(width)
    columns = [list(column) for column in zip(*rows)]
    assert layout.transposed(in_ints(rows, width), Layout(width, len(rows))) == in_ints(columns, width)


# --- sums and products of rows are sums and products of lanes -------------------------------------------------------


@given(st.sampled_from(WIDTHS), st.data())
def test_a_sum_of_multiples_of_rows_is_exact_up_to_the_limit(width: int, data: Any) -> None:
    factors = data.draw(st.lists(st.integers(-255, 255), min_size=1, max_size=6))
    growth = sum(map(abs, factors)) or 1
    layout = Layout(width, data.draw(st.integers(1, 5)))
    largest = layout.limit // growth
    number = st.one_of(st.sampled_from([largest, -largest, 0]), st.integers(-largest, largest))
    rows = [[data.draw(number) for _ in range(layout.count)] for _ in factors]
    total = sum(f * row for f, row in zip(factors, layout.pack(rows)))
    wanted = [sum(f * v for f, v in zip(factors, column)) for column in zip(*rows)]
    assert layout.unpack([total]) == wanted
    assert one_by_one(total, width, layout.count) == wanted


@given(matrices())
def test_the_oracle_reads_what_it_writes(case: tuple[Layout, list[list[int]]]) -> None:
    layout, rows = case
    for row in rows:
        assert one_by_one(in_one_int(row, layout.width), layout.width, layout.count) == row


def test_the_limit_leaves_room_for_a_bias_and_a_rounding_term() -> None:
    for width in WIDTHS:
        layout = Layout(width, 1)
        largest_shift = width - 2
        assert layout.limit + (1 << (width - 1)) + (1 << (largest_shift - 1)) < 1 << width
        assert math.log2(layout.limit) == width - 2
