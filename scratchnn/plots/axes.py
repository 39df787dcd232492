"""A panel with axes: marks between two scales, with ticks, names of the axes, and a key beside it.

A panel is what a figure is made of: it says how large it is (``size``) and draws itself at a place (``draw``). The key
names each series beside the end of its line, moved so far that names do not lie on each other; series that end nowhere
are listed. What does not fit makes the panel larger, or is shortened: nothing is cut off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple, Protocol, TypeVar

from .colours import stroke
from .lettering import plain, shortened, spread, width_of
from .marks import Line, Place, Point, colour_of, element, symbols, text
from .scales import Scale, fitting

TICK, NAME, CAPTION, KEY = 11.0, 12.0, 13.0, 12.0  # sizes of text
KEY_GAP = 17.0  # from one line of the key to the next
KEY_ROOM = 190.0  # for a name in the key; longer ones are shortened
TICK_ROOM = 120.0
_SAMPLE = 22.0  # how long a line is in the key


_P = TypeVar("_P", bound="Panel")


class Panel(Protocol):
    """A part of a figure."""

    caption: str

    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""

    def draw(self, left: float, top: float) -> list[str]:
        """The SVG elements of the panel with its upper left corner there."""

    def with_caption(self: _P, caption: str) -> _P:
        """The same panel under another name."""


class Mark(Protocol):
    """What can be drawn in a panel with axes."""

    def extent(self) -> tuple[list[float], list[float]]:
        """The values that must have a place."""

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        """The SVG elements."""


class Entry(NamedTuple):
    """A line of the key: a name, its series, and how it is drawn. ``end`` is the value at which its line ends."""

    name: str
    series: int
    line: bool = False
    dashed: bool = False
    end: float | None = None


class Note(NamedTuple):
    """Words at the right end of a line of names."""

    line: int
    words: str
    strong: bool = False


def entry_of(name: Any, line: Line) -> Entry:
    """The entry for a line, beside its end."""
    drawn = line.drawn
    return Entry(plain(name), line.series, line=True, dashed=line.dashed, end=drawn[-1][1] if drawn else None)


class Axes:
    """Marks between two scales. ``width`` and ``height`` are those of the plane itself, in pixels; ``empty`` is said in
    the middle where there is nothing to draw; ``clipped`` says that marks may reach beyond the scales."""

    def __init__(
        self,
        x: Scale,
        y: Scale,
        marks: Sequence[Mark],
        *,
        caption: str = "",
        x_label: str = "",
        y_label: str = "",
        key: Sequence[Entry] = (),
        width: float = 440.0,
        height: float = 290.0,
        grid: str = "xy",
        beside: Sequence[Note] = (),
        name_room: float = TICK_ROOM,
        empty: str = "",
        clipped: bool = False,
    ) -> None:
        self.x, self.y, self.marks = x, y, list(marks)
        self.caption = plain(caption)
        self.x_label, self.y_label = plain(x_label), plain(y_label)
        self.key = list(key)
        self.width, self.height = width, height
        self.grid, self.empty, self.clipped = grid, empty, clipped
        self.beside, self.name_room = list(beside), name_room
        self.x_ticks = fitting(x, width, lambda tick: width_of(tick.label, TICK) + 14, int(width // 40))
        self.y_ticks = fitting(y, height, lambda tick: TICK * 1.5, int(height // 36) if y_is_number(y) else 1000)
        self._measure()

    def _measure(self) -> None:
        self.names = [shortened(tick.label, self.name_room, TICK) for tick in self.y_ticks]
        widest = max((width_of(name, TICK) for name in self.names), default=0.0)
        self.left = widest + 12 + (NAME * 1.5 if self.y_label else 0)
        self.top = CAPTION * 1.7 if self.caption else TICK / 2
        self.bottom = TICK * 1.7 + (NAME * 1.6 if self.x_label else 0)
        beyond = 0.0
        for tick in self.x_ticks:
            half = width_of(tick.label, TICK) / 2
            place = self.x.share(tick.value) * self.width
            self.left = max(self.left, half - place)
            beyond = max(beyond, place + half - self.width)
        rows = max(int(self.height // KEY_GAP), 1)
        self.columns = [self.key[start : start + rows] for start in range(0, len(self.key), rows)]
        self.column_widths = [
            max(min(width_of(entry.name, KEY), KEY_ROOM) for entry in column) + _SAMPLE + 24 for column in self.columns
        ]
        notes = max((width_of(note.words, TICK, bold=note.strong) + 10 for note in self.beside), default=0.0)
        self.right = max(beyond, sum(self.column_widths), notes)

    def size(self) -> tuple[float, float]:
        return self.left + self.width + self.right, self.top + self.height + self.bottom

    def with_caption(self, caption: str) -> Axes:
        other = copy(self)
        other.caption = plain(caption)
        other._measure()
        return other

    def without_key(self) -> None:
        """Leave the key to another panel."""
        self.key = []
        self._measure()

    def draw(self, left: float, top: float) -> list[str]:
        x, y = left + self.left, top + self.top

        def place(point: Point) -> Point:
            return x + self.x.share(point[0]) * self.width, y + (1.0 - self.y.share(point[1])) * self.height

        drawn = self._frame(x, y, left)
        inside: list[str] = []
        earlier: list[list[Point]] = []
        for mark in self.marks:
            inside += mark.draw(place, earlier)
        if self.clipped:  # an inner picture shows nothing beyond its edges
            view = " ".join(f"{value:.1f}" for value in (x, y, self.width, self.height))
            inside = [
                element("svg", "".join(inside), x=x, y=y, width=self.width, height=self.height, viewBox=view)
            ] * bool(inside)
        if not inside and self.empty:
            inside = [
                text(x + self.width / 2, y + self.height / 2, self.empty, anchor="middle", colour="muted", size=NAME)
            ]
        for note in self.beside:
            up = y + (1.0 - self.y.share(note.line)) * self.height
            colour = "ink" if note.strong else "muted"
            inside.append(
                text(x + self.width + 8, up + TICK * 0.36, note.words, size=TICK, bold=note.strong, colour=colour)
            )
        return [*drawn, *inside, *self._key(x + self.width, y)]

    def _frame(self, x: float, y: float, left: float) -> list[str]:
        """Grid, ticks with their labels, and the names of axes and panel."""
        bottom = y + self.height
        grid, labels = [], []
        for tick in self.x_ticks:
            across = x + self.x.share(tick.value) * self.width
            grid.append(self._tick(across, bottom, across, y if "x" in self.grid else bottom + 4))
            labels.append(text(across, bottom + TICK * 1.5, tick.label, size=TICK, anchor="middle", colour="muted"))
        for tick, name in zip(self.y_ticks, self.names):
            up = y + (1.0 - self.y.share(tick.value)) * self.height
            grid.append(self._tick(x, up, x + self.width if "y" in self.grid else x - 4, up))
            labels.append(
                text(x - 7, up + TICK * 0.36, name, size=TICK, anchor="end", colour="muted", whole=tick.label)
            )
        if self.x_label:
            words = shortened(self.x_label, self.width, NAME)
            labels.append(
                text(x + self.width / 2, bottom + TICK * 1.7 + NAME * 1.2, words, anchor="middle", whole=self.x_label)
            )
        if self.y_label:
            words = shortened(self.y_label, self.height, NAME)
            labels.append(
                text(left + NAME, y + self.height / 2, words, anchor="middle", upright=True, whole=self.y_label)
            )
        if self.caption:
            words = shortened(self.caption, self.width + self.right, CAPTION, bold=True)
            labels.append(text(x, y - CAPTION * 0.6, words, size=CAPTION, bold=True, whole=self.caption))
        axis = element(
            "path", d=f"M{x:.1f} {y:.1f}V{bottom:.1f}H{x + self.width:.1f}", class_=stroke("muted"), fill="none"
        )
        return [*grid, axis, *labels]

    @staticmethod
    def _tick(x1: float, y1: float, x2: float, y2: float) -> str:
        return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=stroke("faint"))

    def _key(self, x: float, y: float) -> list[str]:
        drawn = []
        for column, width in zip(self.columns, self.column_widths):
            drawn += self._key_column(x, y, column)
            x += width
        return drawn

    def _key_column(self, x: float, y: float, column: Sequence[Entry]) -> list[str]:
        """Names with a sample each: beside the ends of their lines, where all are in one column and have ends."""
        direct = len(self.columns) == 1 and all(entry.end is not None for entry in column)
        wanted = [number * KEY_GAP + KEY_GAP / 2 for number in range(len(column))]
        if direct:
            shares = [min(max(self.y.share(entry.end), 0.0), 1.0) for entry in column if entry.end is not None]
            wanted = [(1.0 - share) * self.height for share in shares]
        drawn = []
        for entry, end, place in zip(column, wanted, spread(wanted, KEY_GAP, KEY_GAP / 2, self.height - KEY_GAP / 2)):
            start = x + 10
            if direct:
                drawn.append(
                    element(
                        "line", x1=x + 2, y1=y + end, x2=start, y2=y + place, class_=stroke("muted"), stroke_width="0.7"
                    )
                )  # fmt: skip
            drawn += _sample(entry, start + 2, y + place)
            name = shortened(entry.name, KEY_ROOM, KEY)
            drawn.append(text(start + _SAMPLE + 8, y + place + KEY * 0.36, name, size=KEY, whole=entry.name))
        return drawn


def _sample(entry: Entry, x: float, y: float) -> list[str]:
    """How a series looks, for the key."""
    drawn = []
    if entry.line:
        dashes = "5 3" if entry.dashed else None
        look = stroke(colour_of(entry.series))
        drawn.append(
            element("line", x1=x, y1=y, x2=x + _SAMPLE, y2=y, class_=look, stroke_width=2, stroke_dasharray=dashes)
        )
    return [*drawn, symbols(entry.series, [(x + _SAMPLE / 2, y)], 3.6 if entry.line else 4.4)]


def y_is_number(scale: Scale) -> bool:
    """Whether a scale is one of numbers and not of names."""
    return not hasattr(scale, "names")


def finite(values: Sequence[float]) -> list[float]:
    """The values that have a place."""
    return [value for value in values if math.isfinite(value)]
