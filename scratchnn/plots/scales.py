"""Scales: where a value stands between the two ends of an axis, and which round values are written beside it.

``share`` is 0 at the lower end and 1 at the upper one, whatever is drawn there. Ticks are whole numbers of steps of
1, 2 or 5 times a power of ten; their labels are written from whole numbers too: there is no 0.30000000000000004.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Union

LARGEST = 1.7e308
SMALLEST_SPREAD = 1e-300  # ends less apart than that are one
# Which powers of ten are written out, on most axes, and on a logarithmic one that has some too far from 1.
PLAIN, POWERS = (-4, 5), (-2, 3)
FLAT = 1e-3  # ends of a logarithmic axis that differ by less of themselves are one
FINEST = 1e-9  # and so are those that differ by less than that of themselves: a label of ten digits is long enough


class Tick(NamedTuple):
    """A round value, and how it is written."""

    value: float
    label: str


class LinearScale:
    """Values at even distances, from ``low`` to ``high``; ``whole`` says that only whole numbers may be ticks."""

    def __init__(self, low: float, high: float, *, whole: bool = False) -> None:
        self.low, self.high = _apart(low, high)
        self.whole = whole

    def share(self, value: float) -> float:
        """Where ``value`` is, from 0 at the lower end to 1 at the upper."""
        value = max(min(value, LARGEST), -LARGEST)
        if self.high / 2 - self.low / 2 > LARGEST / 4:  # a difference could be infinite
            return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return (value - self.low) / (self.high - self.low)

    def value(self, share: float) -> float:
        """The value at a share."""
        return self.low * (1.0 - share) + self.high * share

    def ticks(self, most: int) -> list[Tick]:
        """Round values from ``low`` to ``high``, at most ``most``; two of them at least where there is room for two."""
        for few in range(most, 0, -1):
            factor, exponent = _step(self.high / few - self.low / few, self.whole)
            counts = _counts(self.low, self.high, factor, exponent)
            if len(counts) <= most:
                break
        return [Tick(_times(count, exponent), label) for count, label in zip(counts, labels_of(counts, exponent))]


class LogScale:
    """Values by their logarithms, from ``low`` (above 0) to ``high``."""

    def __init__(self, low: float, high: float) -> None:
        low, high = max(low, SMALLEST_SPREAD), min(high, LARGEST)
        if high - low <= high * FLAT:
            low, high = max(low / 4, SMALLEST_SPREAD), min(max(high, low) * 4, LARGEST)
        self.low, self.high = low, high

    def share(self, value: float) -> float:
        """Where ``value`` (above 0) is, from 0 at the lower end to 1 at the upper."""
        low = math.log10(self.low)
        return (math.log10(max(value, SMALLEST_SPREAD)) - low) / (math.log10(self.high) - low)

    def value(self, share: float) -> float:
        """The value at a share."""
        exponent = math.log10(self.low) * (1.0 - share) + math.log10(self.high) * share
        return float(10.0**exponent) if exponent < 308 else LARGEST

    def ticks(self, most: int) -> list[Tick]:
        """Powers of ten, with 2 and 5 times those where there are few; where there is hardly one, even steps."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        between = self._round(range(first, last + 1), (1, 2, 5))
        if 3 <= len(between) <= most:
            return between
        for every in range(1, last - first + 2):
            ticks = self._round(range(-(-first // every) * every, last + 1, every), (1,))
            if len(ticks) <= most:
                break
        return ticks if len(ticks) >= 2 else LinearScale(self.low, self.high).ticks(most)

    def _round(self, powers: Iterable[int], factors: Sequence[int]) -> list[Tick]:
        """The powers of ten, times the factors, that are on the axis."""
        pairs = [(factor, power) for power in powers for factor in factors]
        pairs = [(f, p) for f, p in pairs if p <= 308 and self.low <= _times(f, p) <= self.high]
        near = all(PLAIN[0] <= power <= PLAIN[1] for _, power in pairs)
        return [Tick(_times(f, p), labels_of([f], p, PLAIN if near else POWERS)[0]) for f, p in pairs]


class BandScale:
    """``count`` things side by side, in bands of one width; thing 0 is at the lower end."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)

    def share(self, number: float) -> float:
        """Where the middle of thing ``number`` is."""
        return (number + 0.5) / len(self.names)

    def value(self, share: float) -> float:
        """The number of a thing, and the parts between, at a share."""
        return share * len(self.names) - 0.5

    def ticks(self, most: int) -> list[Tick]:
        """The names, or if they are more than ``most`` every second, third ... of them."""
        every = -(-len(self.names) // max(most, 1))
        return [Tick(float(number), name) for number, name in enumerate(self.names) if number % every == 0]


Scale = Union[LinearScale, LogScale, BandScale]


def around(
    values: Iterable[float],
    *,
    margin: float = 0.04,
    log: bool = False,
    whole: bool = False,
    from_zero: bool = False,
) -> Scale:
    """A scale that covers all ``values`` (finite; above 0 for a logarithmic one) with a margin at both ends;
    ``from_zero`` begins at 0 if no value is below that."""
    finite = list(values)
    if not finite:
        return LogScale(0.1, 10.0) if log else LinearScale(0.0, 1.0, whole=whole)
    low, high = min(finite), max(finite)
    if log:
        scale = LogScale(low, high)
        ends = scale.value(-margin), scale.value(1.0 + margin)
        return LogScale(min(low, ends[0]), max(high, ends[1]))
    if low == high and whole:
        return LinearScale(low - 1.0, high + 1.0, whole=True)
    if from_zero and not log and low >= 0.0:
        return LinearScale(0.0, high + margin * high if high else 1.0)
    linear = LinearScale(low, high)
    beyond = margin * linear.high - margin * linear.low
    return LinearScale(linear.low - beyond, linear.high + beyond, whole=whole)


def fitting(scale: Scale, length: float, room_of: Callable[[Tick], float], most: int) -> list[Tick]:
    """As many ticks, at most ``most``, as can be written along ``length`` where each label takes ``room_of`` it."""
    for count in range(max(most, 1), 0, -1):
        ticks = scale.ticks(count)
        places = [scale.share(tick.value) * length for tick in ticks]
        needed = [(room_of(a) + room_of(b)) / 2 for a, b in zip(ticks, ticks[1:])]
        if all(q - p >= room for p, q, room in zip(places, places[1:], needed)):
            return ticks
    return ticks[:1]


def labels_of(counts: list[int], exponent: int, plain: tuple[int, int] = PLAIN) -> list[str]:
    """``counts`` times ten to the power ``exponent``, all in one form: 0.25 and 250, or 2.5e8 where the largest is of
    another power of ten than ``plain`` says."""
    largest = max(map(abs, counts), default=0)
    magnitude = len(str(largest)) - 1 + exponent  # of the largest: its power of ten
    if not largest or plain[0] <= magnitude <= plain[1]:
        return [_decimal(count, exponent) for count in counts]
    power = f"e{magnitude}".replace("-", "−")
    return [_decimal(count, exponent - magnitude) + power if count else "0" for count in counts]


def _decimal(count: int, exponent: int) -> str:
    """A whole number times a power of ten, digit by digit."""
    sign = "−" if count < 0 else ""
    digits = str(abs(count))
    if exponent >= 0:
        return sign + (digits + "0" * exponent if count else "0")
    digits = digits.rjust(1 - exponent, "0")
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def _times(count: int, exponent: int) -> float:
    """The float nearest to ``count`` times ten to the power ``exponent``."""
    return float(f"{count}e{exponent}")


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two ends that differ by enough to be told apart, and are finite."""
    low, high = max(low, -LARGEST), min(high, LARGEST)
    size = max(abs(low), abs(high))
    if high / 2 - low / 2 > max(size * FINEST, SMALLEST_SPREAD):
        return low, high
    beyond = size / 2 if size > SMALLEST_SPREAD else 1.0
    return max(low - beyond, -LARGEST), min(high + beyond, LARGEST)


def _step(raw: float, whole: bool) -> tuple[int, int]:
    """(1, 2 or 5; a power of ten): the smallest round step that is not below ``raw``."""
    exponent = math.floor(math.log10(raw))
    for factor, power in ((1, exponent), (2, exponent), (5, exponent), (1, exponent + 1), (2, exponent + 1)):
        if _times(factor, power) >= raw * 0.999 and not (whole and power < 0):
            return factor, power
    return 1, 0


def _counts(low: float, high: float, factor: int, exponent: int) -> list[int]:
    """The whole multiples of a step from ``low`` to ``high``, in units of the power of ten."""
    step = _times(factor, exponent)
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    # A round value may miss an end by the rounding of the division alone.
    counts = [count * factor for count in range(first, last + 1)]
    return [count for count in counts if low <= _times(count, exponent) <= high]
