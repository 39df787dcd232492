"""Pictures as SVG files with nothing but string formatting: curves, points, decision frontiers, small images.

``curves``, ``points``, ``frontiers`` and ``images`` each write one file. Below them, ``Axes`` maps numbers to places
in a rectangle and draws ticks around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from xml.sax.saxutils import escape

Point = Sequence[float]
Range = tuple[float, float]

COVERED = 1.5  # a line nowhere further from an earlier one would hide it, and is dashed instead
COLOURS = (
    "#2f6fb0", "#d9662b", "#3d9950", "#c03d4b", "#7a5ab5", "#8a6248", "#d977b5", "#6b7280", "#a8a32a", "#27a3b5",
)  # fmt: skip
LEGEND_TOP = 52
CELLS = 60  # a frontier is sampled at so many places along each side
SHADES = 24  # and drawn in so many steps from one class's colour to the other's


class Canvas:
    """The elements of one picture, and the file they end in."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.size = (width, height)
        self.parts: list[str] = []
        self.text(width / 2, 24, title, size=16, bold=True)

    def add(self, element: str) -> None:
        self.parts.append(element)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 12,
        anchor: str = "middle",
        bold: bool = False,
        turn: int = 0,
    ) -> None:
        if not text:
            return
        weight = ' font-weight="bold"' if bold else ""
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        self.add(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{weight}{turned}>'
            f"{escape(text)}</text>"
        )

    def rectangle(self, x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> None:
        self.add(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" stroke="{stroke}"/>'
        )

    def legend(self, x: float, y: float, names: Iterable[str]) -> None:
        """A column of coloured squares with a name each, in the order of COLOURS, which come round again."""
        for row, (name, colour) in enumerate(zip(names, cycle(COLOURS))):
            self.rectangle(x, y + 18 * row, 11, 11, colour)
            self.text(x + 17, y + 18 * row + 10, name, anchor="start")

    def save(self, path: str) -> None:
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" font-family="Helvetica, Arial, sans-serif" fill="#222">'
        )
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *self.parts, "</svg>\n"]))
        print(f"picture: {path}")


class Axes:
    """A rectangle of a canvas in which points have coordinates; ``log`` names the axes ("x", "y") that count powers."""

    def __init__(
        self, canvas: Canvas, box: tuple[float, float, float, float], x_range: Range, y_range: Range, log: str = ""
    ) -> None:
        self.canvas, self.box, self.log = canvas, box, log
        self.lines: list[list[Point]] = []
        self.x_range, self.y_range = _widened(x_range, "x" in log), _widened(y_range, "y" in log)

    def place(self, point: Point) -> Point:
        """Where a point is on the canvas; beyond the frame means at its edge."""
        left, top, width, height = self.box
        across = _share(point[0], self.x_range, "x" in self.log)
        up = _share(point[1], self.y_range, "y" in self.log)
        return left + across * width, top + (1.0 - up) * height

    def frame(self, x_label: str = "", y_label: str = "", title: str = "", grid: bool = True) -> None:
        """The border with ticks, numbers and labels."""
        left, top, width, height = self.box
        for value in _ticks(self.x_range, "x" in self.log):
            x, bottom = self.place((value, self.y_range[0]))
            self._tick(x, bottom, x, top if grid else bottom + 4)
            self.canvas.text(x, bottom + 16, f"{value:.6g}", size=11)
        for value in _ticks(self.y_range, "y" in self.log):
            x, y = self.place((self.x_range[0], value))
            self._tick(x, y, x + width if grid else x - 4, y)
            self.canvas.text(x - 6, y + 4, f"{value:.6g}", size=11, anchor="end")
        self.canvas.rectangle(left, top, width, height, "none", "#666")
        self.canvas.text(left + width / 2, top + height + 36, x_label)
        self.canvas.text(left - 46, top + height / 2, y_label, turn=-90)
        self.canvas.text(left + width / 2, top - 7, title, size=13)

    def _tick(self, x1: float, y1: float, x2: float, y2: float) -> None:
        self.canvas.add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>')

    def line(self, values: Sequence[Point], colour: str) -> None:
        """A line; dashed where it would lie all along on one that was drawn before, so that both are seen."""
        places = list(map(self.place, values))
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dashes = ' stroke-dasharray="8 8"' if any(_covers(places, earlier) for earlier in self.lines) else ""
        self.canvas.add(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        self.lines.append(places)

    def dots(self, values: Iterable[Point], colour: str, radius: float = 2.5) -> None:
        for x, y in map(self.place, values):
            self.canvas.add(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" stroke="white" stroke-width="0.5"/>'
            )

    def areas(self, probabilities: Callable[[list[list[float]]], Sequence[float]]) -> None:
        """Colours the rectangle by the probability of the second of two classes; neighbours of one shade in one go."""
        left, top, width, height = self.box
        middles = [(i + 0.5) / CELLS for i in range(CELLS)]
        (x1, x2), (y1, y2) = self.x_range, self.y_range
        grid = [[x1 + a * (x2 - x1), y2 - b * (y2 - y1)] for b in middles for a in middles]
        shades = [round(p * SHADES) for p in probabilities(grid)]
        for row in range(CELLS):
            line = shades[row * CELLS : (row + 1) * CELLS]
            starts = [i for i in range(CELLS) if i == 0 or line[i] != line[i - 1]]
            for start, end in zip(starts, [*starts[1:], CELLS]):
                x, y = left + start * width / CELLS, top + row * height / CELLS
                run = (end - start) * width / CELLS
                self.canvas.rectangle(x, y, run + 0.3, height / CELLS + 0.3, _between(line[start] / SHADES))


def _covers(places: Sequence[Point], earlier: Sequence[Point]) -> bool:
    pairs = list(zip(places, earlier))
    return len(places) == len(earlier) > 1 and all(math.dist(a, b) <= COVERED for a, b in pairs)


def _widened(limits: Range, log: bool) -> Range:
    low, high = limits
    if log or low < high:
        return (low, high) if low < high else (low / 2, high * 2)
    return low - 1.0, high + 1.0


def _share(value: float, limits: Range, log: bool) -> float:
    low, high = limits
    if log:
        value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _ticks(limits: Range, log: bool) -> list[float]:
    """Round numbers in the range: powers of ten, or about five steps of 1, 2 or 5 times one."""
    low, high = limits
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        powers = [10.0**k for k in range(first, last + 1, 1 + (last - first) // 8)]
        factors = (1,) if last - first > 2 else (1, 2, 5)
        return [f * p for p in powers for f in factors if low * 0.999 <= f * p <= high * 1.001]
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= raw * 0.999)
    return [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _between(share: float) -> str:
    """A pale colour from that of the first class (0) over white (0.5) to that of the second (1)."""
    target = COLOURS[0] if share < 0.5 else COLOURS[1]
    strength = abs(share - 0.5) * 1.1
    channels = [int(target[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + (c - 255) * strength):02x}" for c in channels)


def _limits(values: Sequence[float], margin: float = 0.0, log: bool = False) -> Range:
    low, high = min(values), max(values)
    if log:
        return low / (high / low) ** margin, high * (high / low) ** margin
    return low - margin * (high - low), high + margin * (high - low)


def curves(
    path: str,
    title: str,
    lines: Mapping[str, Sequence[Point]],
    *,
    x_label: str,
    y_label: str,
    dots: Sequence[Point] = (),
    log: str = "",
    y_range: Range | None = None,
) -> None:
    """Lines by name, over an optional cloud of dots, with axes and a legend.

    A point without a place on a logarithmic axis, at 0 or below, is left out. ``ValueError`` if there is none at all.
    """

    def with_places(values: Sequence[Point]) -> list[Point]:
        return [p for p in values if all(p["xy".index(axis)] > 0 for axis in log)]

    lines, dots = {name: with_places(line) for name, line in lines.items()}, with_places(dots)
    values = [point for line in lines.values() for point in line] + dots
    if not values:
        raise ValueError(f"{title}: no point to draw (on a logarithmic axis, only above 0)")
    canvas = Canvas(max(760.0, 620.0 + 6.5 * max(map(len, lines))), max(430, LEGEND_TOP + 18 * len(lines)), title)
    y_range = y_range or _limits([p[1] for p in values], 0.04, "y" in log)
    axes = Axes(canvas, (72, 44, 500, 330), _limits([p[0] for p in values]), y_range, log)
    axes.frame(x_label, y_label)
    axes.dots(dots, "#9aa3ad")
    for line, colour in zip(lines.values(), cycle(COLOURS)):
        axes.line(line, colour)
    canvas.legend(588, LEGEND_TOP, lines)
    canvas.save(path)


def points(path: str, title: str, places: Sequence[Point], labels: Sequence[int]) -> None:
    """A map: dots coloured by their class number."""
    classes = sorted(set(labels))
    canvas = Canvas(760, max(660, LEGEND_TOP + 18 * len(classes)), title)
    x_range, y_range = [_limits([p[axis] for p in places], 0.03) for axis in (0, 1)]
    axes = Axes(canvas, (56, 44, 600, 570), x_range, y_range)
    axes.frame()
    for number, colour in zip(classes, cycle(COLOURS)):
        axes.dots([p for p, label in zip(places, labels) if label == number], colour, 3.0)
    canvas.legend(680, LEGEND_TOP, map(str, classes))
    canvas.save(path)


class Frontier:
    """One panel of ``frontiers``: a caption, the points with their classes (0 or 1), and what a model makes of a place.

    ``probabilities`` gives for each row of two numbers the probability of class 1.
    """

    def __init__(
        self,
        caption: str,
        X: Sequence[Point],
        y: Sequence[int],
        probabilities: Callable[[list[list[float]]], Sequence[float]],
    ) -> None:
        self.caption, self.X, self.y, self.probabilities = caption, X, y, probabilities


def frontiers(path: str, title: str, panels: Sequence[Frontier], columns: int) -> None:
    """Panels side by side: the points, over the colours that the model gives to every place between them."""
    side, gap = 220, 56
    lines = math.ceil(len(panels) / columns)
    canvas = Canvas(gap + columns * (side + gap), 40 + lines * (side + gap), title)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        x_range, y_range = [_limits([p[axis] for p in panel.X], 0.05) for axis in (0, 1)]
        axes = Axes(canvas, (gap + column * (side + gap), 62 + row * (side + gap), side, side), x_range, y_range)
        axes.areas(panel.probabilities)
        axes.frame(title=panel.caption, grid=False)
        for label in (0, 1):
            axes.dots([p for p, k in zip(panel.X, panel.y) if k == label], COLOURS[label], 2.2)
    canvas.save(path)


def images(path: str, title: str, rows: Mapping[str, Sequence[Sequence[float]]], width: int, side: float = 48) -> None:
    """Rows of small grey images with a caption each; an image is a flat row of numbers from 0 (white) to 1 (black)."""
    left = 24 + 7.0 * max(map(len, rows))
    canvas = Canvas(left + 12 + (side + 6) * max(map(len, rows.values())), 44 + (side + 8) * len(rows), title)
    for line, (caption, pictures) in enumerate(rows.items()):
        top = 40 + line * (side + 8)
        canvas.text(left - 10, top + side / 2 + 4, caption, anchor="end")
        for column, image in enumerate(pictures):
            _image(canvas, left + column * (side + 6), top, image, width, side)
    canvas.save(path)


def _image(canvas: Canvas, left: float, top: float, image: Sequence[float], width: int, side: float) -> None:
    pixel = side / width
    for position, value in enumerate(image):
        grey = 255 - round(255 * min(max(value, 0.0), 1.0))
        if grey < 250:
            x, y = left + position % width * pixel, top + position // width * pixel
            canvas.rectangle(x, y, pixel + 0.2, pixel + 0.2, f"#{grey:02x}{grey:02x}{grey:02x}")
    canvas.rectangle(left, top, side, side, "none", "#bbb")
