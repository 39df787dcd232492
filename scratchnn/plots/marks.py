"""Marks: what can be drawn where a panel's axes say, each in the style of a series, as SVG elements.

A mark knows the values that it needs room for (``extent``) and draws itself (``draw``) once it is told where values
are. ``element`` and ``text`` below are what everything in a figure is written with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from .colours import COLOURS, fill, stroke
from .lettering import escaped, width_of

Point = tuple[float, float]
Place = Callable[[Point], Point]
Extent = tuple[list[float], list[float]]
"""The values that must have a place on the axis that goes across, and on the one that goes up."""

HIDDEN = 1.5  # pixels: a line nowhere further from an earlier one would hide it, and gets gaps instead
MOST_ON_A_LINE = 1000  # points: a figure has no more pixels across
SYMBOLS_ON_A_LINE = 5

# Corners of the shapes, for a radius of 1; the circle, which has none, comes first.
_STAR = [
    (math.sin(k * math.pi / 5) * (1.25, 0.55)[k % 2], -math.cos(k * math.pi / 5) * (1.25, 0.55)[k % 2])
    for k in range(10)
]
_PLUS = [
    *((-0.35, -1.15), (0.35, -1.15), (0.35, -0.35), (1.15, -0.35), (1.15, 0.35), (0.35, 0.35)),
    *((0.35, 1.15), (-0.35, 1.15), (-0.35, 0.35), (-1.15, 0.35), (-1.15, -0.35), (-0.35, -0.35)),
]
_SHAPES: list[list[Point]] = [
    [],
    [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
    [(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)],
    [(0.0, -1.3), (1.0, 0.0), (0.0, 1.3), (-1.0, 0.0)],
    [(0.0, 1.15), (1.1, -0.8), (-1.1, -0.8)],
    _PLUS,
    [((x - y) * 0.75, (x + y) * 0.75) for x, y in _PLUS],
    _STAR,
    [(-1.25, -0.55), (1.25, -0.55), (1.25, 0.55), (-1.25, 0.55)],
    [(-0.55, -1.25), (0.55, -1.25), (0.55, 1.25), (-0.55, 1.25)],
]
SERIES = COLOURS * len(_SHAPES)  # pairs of a colour and a shape


def numeral(value: float) -> str:
    """A length in pixels, to a tenth."""
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def element(tag: str, content: str = "", **attributes: object) -> str:
    """An SVG element. Numbers are lengths; ``font_size`` stands for ``font-size``, ``class_`` for ``class``; what is
    None is left out."""
    written = [
        f' {name.strip("_").replace("_", "-")}="'
        f'{numeral(value) if isinstance(value, (int, float)) else escaped(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    ]
    return f"<{tag}{''.join(written)}/>" if not content else f"<{tag}{''.join(written)}>{content}</{tag}>"


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 12,
    anchor: str | None = None,
    colour: str = "ink",
    bold: bool = False,
    upright: bool = False,
    halo: bool = False,
    whole: str = "",
) -> str:
    """Words with their baseline at ``y``; ``anchor`` "middle" or "end" says what of them is at ``x``. ``upright`` ones
    are read from below; ``whole`` is what was shortened, shown to whoever points at it."""
    return element(
        "text",
        (f"<title>{escaped(whole)}</title>" if whole and whole != words else "") + escaped(words),
        x=x,
        y=y,
        font_size=size,
        text_anchor=anchor,
        font_weight="bold" if bold else None,
        transform=f"rotate(-90 {numeral(x)} {numeral(y)})" if upright else None,
        class_=fill(colour) + (f" nn-halo {stroke('paper')}" if halo else ""),
    )


def colour_of(series: int) -> int:
    """The number of a series' colour."""
    return series % COLOURS


def shape_of(series: int) -> int:
    """The number of a series' shape: another one each time that the colours come round again."""
    return (series + series // COLOURS) % len(_SHAPES)


def outline(series: int, x: float, y: float, radius: float) -> str:
    """The path of a series' symbol around a place."""
    corners = _SHAPES[shape_of(series)]
    if not corners:
        r, across = numeral(radius), numeral(2 * radius)
        arc = f"a{r} {r} 0 1 0 "
        return f"M{numeral(x - radius)} {numeral(y)}{arc}{across} 0{arc}-{across} 0z"
    places = [f"{numeral(x + a * radius)} {numeral(y + b * radius)}" for a, b in corners]
    return f"M{'L'.join(places)}z"


def symbols(series: int, places: Iterable[Point], radius: float, *, opacity: float | None = None) -> str:
    """The symbols of a series at places in the figure, in one element."""
    path = "".join(outline(series, x, y, radius) for x, y in places)
    if not path:
        return ""
    look = f"{fill(colour_of(series))} {stroke('paper')} nn-rim"
    shown = None if opacity is None else f"{opacity:.2f}"
    return element("path", d=path, class_=look, stroke_width="1.4", fill_opacity=shown)


class Line:
    """Points joined in their order; where a value is NaN or infinite the line has a gap. ``dashed`` is a second cue,
    for what is a variant of another series; ``symbols`` puts the series' shape on it here and there."""

    def __init__(
        self, points: Sequence[Point], series: int, *, dashed: bool = False, symbols: bool = True, width: float = 2.0
    ) -> None:
        self.points = list(points)
        self.series = series
        self.dashed = dashed
        self.symbols = symbols
        self.width = width

    @property
    def drawn(self) -> list[Point]:
        """The points that have a place."""
        return [point for point in self.points if math.isfinite(point[0]) and math.isfinite(point[1])]

    def extent(self) -> Extent:
        drawn = self.drawn
        return [x for x, _ in drawn], [y for _, y in drawn]

    def pieces(self) -> list[list[Point]]:
        """The runs of points between gaps, thinned out to what can be seen."""
        pieces: list[list[Point]] = [[]]
        for x, y in self.points:
            if math.isfinite(x) and math.isfinite(y):
                pieces[-1].append((x, y))
            elif pieces[-1]:
                pieces.append([])
        return [thinned(piece, MOST_ON_A_LINE) for piece in pieces if piece]

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        """The line, and its symbols. ``earlier`` holds the places of lines drawn before, and gets these."""
        pieces = [[place(point) for point in piece] for piece in self.pieces()]
        path = "".join("M" + "L".join(f"{numeral(x)} {numeral(y)}" for x, y in piece) for piece in pieces if piece[1:])
        places = [point for piece in pieces for point in piece]
        twin = earlier is not None and any(_hides(places, other) for other in earlier)
        if earlier is not None:
            earlier.append(places)
        drawn = []
        if path:
            drawn.append(
                element(
                    "path", d=path, class_=stroke(colour_of(self.series)), fill="none", stroke_width=self.width,
                    stroke_linejoin="round", stroke_dasharray="9 9" if twin else "5 3" if self.dashed else None,
                )
            )  # fmt: skip
        alone = [piece[0] for piece in pieces if len(piece) == 1]
        chosen = self._symbol_places(places) if self.symbols else []
        drawn.append(symbols(self.series, dict.fromkeys([*alone, *chosen]), 3.6))
        return [part for part in drawn if part]

    def _symbol_places(self, places: Sequence[Point]) -> list[Point]:
        """A few places along a line, others for each series, so that lines that lie on each other show theirs."""
        count = min(len(places), SYMBOLS_ON_A_LINE)
        offset = (self.series * 0.37) % 1.0
        return [places[int((k + offset) / count * len(places))] for k in range(count)]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most about ``most`` of the points, with the highest and the lowest of each stretch among them."""
    if len(points) <= most:
        return list(points)
    stretch = -(-2 * len(points) // most)
    kept: list[Point] = [points[0]]
    for start in range(0, len(points), stretch):
        part = range(start, min(start + stretch, len(points)))
        ends = {min(part, key=lambda k: points[k][1]), max(part, key=lambda k: points[k][1])}
        kept += [points[k] for k in sorted(ends)]
    return [*kept, points[-1]]


def _hides(places: Sequence[Point], earlier: Sequence[Point]) -> bool:
    pairs = list(zip(places, earlier))
    return len(places) == len(earlier) > 1 and all(math.dist(a, b) <= HIDDEN for a, b in pairs)


class Points:
    """A symbol at each point, in the colour and the shape of its series."""

    def __init__(
        self, points: Sequence[Point], series: int, *, radius: float = 3.4, opacity: float | None = None
    ) -> None:
        self.points = list(points)
        self.series = series
        self.radius = radius
        self.opacity = opacity

    def extent(self) -> Extent:
        return [x for x, _ in self.points], [y for _, y in self.points]

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        part = symbols(self.series, map(place, self.points), self.radius, opacity=self.opacity)
        return [part] if part else []


class Cloud(Points):
    """Grey points, for what lines are drawn through."""

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        path = "".join(outline(0, *place(point), self.radius) for point in self.points)
        return [element("path", d=path, class_=fill("muted"), fill_opacity="0.55")] if path else []


class Bar:
    """A bar from 0 to a value, along a line of names."""

    def __init__(self, line: int, value: float, colour: int, *, opacity: float = 1.0) -> None:
        self.line, self.value, self.colour, self.opacity = line, value, colour, opacity

    def extent(self) -> Extent:
        return [0.0, self.value], []

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        (left, y), (right, _) = place((0.0, self.line)), place((self.value, self.line))
        return [
            element(
                "rect", x=left, y=y - 7, width=right - left, height=14, rx=1.5, class_=fill(self.colour),
                fill_opacity=f"{self.opacity:.2f}",
            )
        ]  # fmt: skip


class Rule:
    """A thin line from one point to another that stands for no data: where predictions would be right."""

    def __init__(self, start: Point, end: Point) -> None:
        self.ends = (start, end)

    def extent(self) -> Extent:
        return [], []

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        (x1, y1), (x2, y2) = map(place, self.ends)
        return [element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=stroke("muted"), stroke_width="1.5")]


class Labels:
    """Names at points, each a little further up or down where it would lie on another; those without room are left
    out, as the key names all. ``corners`` are two opposite ones of the plane, which no name leaves."""

    def __init__(self, labels: Sequence[tuple[Point, str]], corners: tuple[Point, Point], size: float = 13) -> None:
        self.labels = list(labels)
        self.corners = corners
        self.size = size

    def extent(self) -> Extent:
        return [], []

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        (left, bottom), (right, top) = map(place, self.corners)
        taken: list[tuple[float, float, float]] = []  # (left, right, baseline)
        drawn = []
        for point, name in self.labels:
            x, y = place(point)
            half = width_of(name, self.size, bold=True) / 2 + 2
            x = min(max(x, left + half), right - half)
            steps = (0.0, -1.0, 1.0, -2.0, 2.0)
            baselines = [y + self.size / 3 + step * self.size for step in steps]
            free = [b for b in baselines if top + self.size < b < bottom - 4 and self._fits(x, half, b, taken)]
            if free:
                taken.append((x - half, x + half, free[0]))
                drawn.append(text(x, free[0], name, size=self.size, anchor="middle", bold=True, halo=True))
        return drawn

    def _fits(self, x: float, half: float, baseline: float, taken: Sequence[tuple[float, float, float]]) -> bool:
        near = [t for t in taken if abs(t[2] - baseline) < self.size * 1.3]
        return not any(x - half < right and left < x + half for left, right, _ in near)
