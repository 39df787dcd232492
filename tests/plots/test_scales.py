"""Scales: ticks are round, within the axis, and as far as it reaches; labels say exactly what they stand for."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn.plots.lettering import spread
from scratchnn.plots.scales import LARGEST, BandScale, LinearScale, LogScale, Tick, around, fitting

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=5e-324, allow_infinity=False, allow_nan=False)


def value_of(label: str) -> Decimal:
    return Decimal(label.replace("−", "-"))


def require_round(ticks: list[Tick]) -> None:
    """Labels are what the values are, and values are 1, 2 or 5 times a power of ten apart."""
    values = [value_of(tick.label) for tick in ticks]
    assert [float(value) for value in values] == [tick.value for tick in ticks]
    steps = {b - a for a, b in zip(values, values[1:])}
    assert len(steps) == 1
    (step,) = steps
    assert str(step.normalize().as_tuple().digits) in ("(1,)", "(2,)", "(5,)")
    assert all(value % step == 0 for value in values)


@given(st.lists(finite, min_size=1, max_size=5), st.integers(min_value=2, max_value=12))
def test_ticks_are_round_and_cover_what_is_drawn(values: list[float], most: int) -> None:
    scale = around(values)
    assert isinstance(scale, LinearScale)
    for value in values:
        if abs(value) <= LARGEST:
            assert -1e-6 <= scale.share(value) <= 1 + 1e-6
    ticks = scale.ticks(most)
    assert len(ticks) <= most
    assert all(scale.low <= tick.value <= scale.high for tick in ticks)
    if most >= 4:
        assert len(ticks) >= 2
        require_round(ticks)
        step = scale.share(ticks[1].value) - scale.share(ticks[0].value)
        assert scale.share(ticks[0].value) < step * 1.001 and 1 - scale.share(ticks[-1].value) < step * 1.001


@given(st.lists(positive, min_size=1, max_size=5), st.integers(min_value=3, max_value=12))
def test_logarithmic_ticks_are_powers_of_ten_or_round_between_them(values: list[float], most: int) -> None:
    scale = around(values, log=True)
    assert isinstance(scale, LogScale)
    for value in values:
        assert -1e-6 <= scale.share(min(value, LARGEST)) <= 1 + 1e-6
    ticks = scale.ticks(most)
    assert 1 <= len(ticks) <= most
    for tick in ticks:
        assert scale.low <= tick.value <= scale.high
        assert float(value_of(tick.label)) == tick.value


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0"),
        (-1.0, 1.0, "−1.0 −0.5 0.0 0.5 1.0"),
        (0.0, 700.0, "0 200 400 600"),
        (0.1, 0.31, "0.10 0.15 0.20 0.25 0.30"),
        (0.0, 3e7, "0 0.5e7 1.0e7 1.5e7 2.0e7 2.5e7 3.0e7"),
        (-2e-7, 2e-7, "−2e−7 −1e−7 0 1e−7 2e−7"),
        (123456.0, 123458.0, "123456.0 123456.5 123457.0 123457.5 123458.0"),
    ],
)
def test_labels_are_as_short_as_they_can_be(low: float, high: float, expected: str) -> None:
    assert " ".join(tick.label for tick in LinearScale(low, high).ticks(7 if high == 3e7 else 6)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 100.0, "0.001 0.01 0.1 1 10 100"),
        (1.0, 12.0, "1 2 5 10"),
        (1e-8, 1.0, "1e−8 1e−6 1e−4 0.01 1"),
        (0.66, 0.73, "0.66 0.68 0.70 0.72"),
    ],
)
def test_a_logarithmic_axis_counts_powers(low: float, high: float, expected: str) -> None:
    assert " ".join(tick.label for tick in LogScale(low, high).ticks(6)) == expected


def test_epochs_are_whole_numbers() -> None:
    assert [tick.value for tick in around([1.0, 3.0], whole=True).ticks(9)] == [1.0, 2.0, 3.0]
    assert [tick.value for tick in around([1.0], whole=True).ticks(9)] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("values", [[], [0.0], [5e-324], [1e308, -1e308], [1e9, 1e9 + 1e-7], [math.ulp(0.0), 0.0]])
def test_an_axis_has_always_a_length(values: list[float]) -> None:
    scale = around(values)
    assert math.isfinite(scale.low) and scale.low < scale.high  # type: ignore[union-attr]
    assert len(scale.ticks(6)) >= 2


def test_names_stand_in_bands_and_are_thinned_out() -> None:
    scale = BandScale("abcd")
    assert [scale.share(k) for k in range(4)] == [0.125, 0.375, 0.625, 0.875]
    assert [tick.label for tick in scale.ticks(2)] == ["a", "c"]


def test_ticks_are_as_many_as_fit() -> None:
    scale = LinearScale(0.0, 1.0)
    for room in (1.0, 20.0, 70.0, 1000.0):
        ticks = fitting(scale, 200.0, lambda tick, room=room: room, 12)  # type: ignore[misc]
        places = [scale.share(tick.value) * 200 for tick in ticks]
        assert all(b - a >= room for a, b in zip(places, places[1:]))


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=12))
def test_labels_are_moved_apart_and_no_further_than_they_must(wanted: list[float]) -> None:
    places = spread(wanted, 5.0, 2.5, 97.5)
    ordered = sorted(places)
    assert all(b - a >= 5.0 - 1e-9 for a, b in zip(ordered, ordered[1:]))
    assert min(places) >= 2.5 - 1e-9 and max(places) <= 97.5 + 1e-9
    for a, b in zip(*[iter(sorted(range(len(wanted)), key=wanted.__getitem__))] * 2):
        assert places[a] <= places[b]
    apart = sorted(wanted)
    if all(b - a >= 5.0 for a, b in zip(apart, apart[1:])) and apart[0] >= 2.5 and apart[-1] <= 97.5:
        assert places == pytest.approx(wanted)


def test_labels_without_room_go_on_below() -> None:
    assert spread([1.0, 1.0, 1.0], 10.0, 0.0, 15.0) == [0.0, 10.0, 20.0]
    assert spread([], 10.0, 0.0, 15.0) == []
