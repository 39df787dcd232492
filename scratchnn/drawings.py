"""Images, curves and mistakes as lines of text, never too wide: half blocks in colour or without, or ASCII.

Nothing here writes: a command asks ``terminal.look_of`` what its stream can show, and prints the lines. Text from
elsewhere is made printable; the only escapes are those of colours, each ended on its line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .escapes import printable
from .metrics.report import width_of
from .terminal import Look

Plane = Sequence[Sequence[float]]  # rows of pixels from 0 to 1

_RAMP = " .:-=+*#%@"  # from no light to all of it
_SHADES = " ░▒▓█"
_HALVES = " ▄▀█"
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.-=+*#@"
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_WIDE, _CAPTION = 16, 18  # columns that a small image is enlarged to, and that a caption has at least
_GAP = 2
_LIT = 0.45  # from here on a pixel is drawn where there are no shades
_TALL = 36  # lines that images may take where only some are shown
_GREYS, _FIRST_GREY, _CUBE = 24, 232, 16  # of the 256 colours: greys at the end, a cube of 6 x 6 x 6 before


class Picture(NamedTuple):
    """An image as lines, all of them ``width`` columns wide."""

    lines: list[str]
    width: int


class Caption(NamedTuple):
    """What stands below an image, and whether it is to be marked as wrong."""

    text: str
    wrong: bool = False


def caption(prediction: Any, truth: Any = None, more: str = "") -> Caption:
    """What was predicted, and what is true where that is known and differs."""
    said, true = str(prediction), None if truth is None else str(truth)
    if true is None or said == true:
        return Caption(f"{said}{more}")
    return Caption(f"{said}{more}, true {true}", True)


def planes_of(row: Sequence[float], shape: tuple[int, int, int], limits: tuple[float, float]) -> list[Plane]:
    """A flat row as rows of pixels from 0 to 1 for each channel; ``limits`` stand for no light and all of it."""
    channels, height, width = shape
    low, high = limits
    span = high / 2 - low / 2  # halves: the difference of the largest floats is none
    lights = [min(max((value / 2 - low / 2) / span, 0.0), 1.0) for value in row]
    lines = [lights[start : start + width] for start in range(0, len(lights), width)]
    return [lines[channel * height : (channel + 1) * height] for channel in range(channels)]


def limits_of(rows: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The numbers that stand for no light and all of it: 0 and 255 for bytes, else those that the rows have."""
    rows = list(rows)
    if all(isinstance(row, bytes) for row in rows):
        return 0.0, 255.0
    low, high = float(min(map(min, rows))), float(max(map(max, rows)))
    low = min(low, 0.0)
    return low, high if high > low else low + 1.0


# --- images ------------------------------------------------------------------------------------------------


def picture(planes: Sequence[Plane], look: Look) -> Picture:
    """An image of one channel or three: two pixels a character, one above the other. Small ones are enlarged by a whole
    factor, those that are too wide are made smaller."""
    height, width = len(planes[0]), len(planes[0][0])
    across = max(_WIDE // width, 1) * width
    down = across // width * height
    if across > look.width:
        across, down = look.width, max(round(height * look.width / width), 1)
    resized = [_resized(plane, down + down % 2, across, down) for plane in planes]
    pairs = list(zip(*[list(zip(plane[::2], plane[1::2])) for plane in resized]))
    if look.colour and look.blocks:
        return Picture([_coloured(line) for line in pairs], across)
    mean = [[[sum(cell) / len(cell) for cell in zip(*rows)] for rows in zip(*line)] for line in pairs]
    drawn = _halves if look.blocks else _shades
    return Picture([drawn(upper, lower) for upper, lower in mean], across)


def _resized(plane: Plane, lines: int, width: int, down: int) -> list[list[float]]:
    """The image at another size: each pixel the mean of those it covers. Lines from ``down`` on are dark."""
    columns = _covered(len(plane[0]), width)
    rows = []
    for start, stop in _covered(len(plane), down):
        means = [sum(values) / (stop - start) for values in zip(*plane[start:stop])]
        rows.append([sum(means[first:last]) / (last - first) for first, last in columns])
    return rows + [[0.0] * width] * (lines - down)


def _covered(count: int, wanted: int) -> list[tuple[int, int]]:
    """Which of ``count`` pixels each of ``wanted`` stands for."""
    return [(k * count // wanted, max((k + 1) * count // wanted, k * count // wanted + 1)) for k in range(wanted)]


def _coloured(line: Sequence[tuple[Sequence[float], Sequence[float]]]) -> str:
    """Two lines of pixels as upper halves: the colour of the text above, that of the ground below."""
    drawn, before = "", ""
    uppers, lowers = zip(*line)
    for upper, lower in zip(zip(*uppers), zip(*lowers)):
        colours = f"\x1b[38;5;{_colour(upper)};48;5;{_colour(lower)}m"
        drawn += ("" if colours == before else colours) + "▀"
        before = colours
    return drawn + _PLAIN


def _colour(lights: Sequence[float]) -> int:
    """The number of the nearest of a terminal's 256 colours."""
    if len(lights) == 1:
        return _FIRST_GREY + round(lights[0] * (_GREYS - 1))
    red, green, blue = (round(light * 5) for light in lights)
    return _CUBE + 36 * red + 6 * green + blue


def _halves(upper: Sequence[float], lower: Sequence[float]) -> str:
    """Without colours there are shades only where both pixels are the same, as in small images that were enlarged."""
    return "".join(
        _SHADES[round(above * (len(_SHADES) - 1))] if above == below else _HALVES[2 * (above >= _LIT) + (below >= _LIT)]
        for above, below in zip(upper, lower)
    )


def _shades(upper: Sequence[float], lower: Sequence[float]) -> str:
    return "".join(_RAMP[round((above + below) / 2 * (len(_RAMP) - 1))] for above, below in zip(upper, lower))


def across(width: int, look: Look) -> int:
    """How many images of a width stand side by side."""
    return max((look.width + _GAP) // (max(width, min(_CAPTION, look.width)) + _GAP), 1)


def grid(pictures: Sequence[Picture], captions: Sequence[Caption], look: Look) -> Iterator[str]:
    """Images side by side in rows, a caption below each."""
    if not pictures:
        return
    cell = max(max(drawn.width for drawn in pictures), min(_CAPTION, look.width))
    each = across(cell, look)
    gap = " " * _GAP
    for start in range(0, len(pictures), each):
        row = pictures[start : start + each]
        for lines in zip(*[drawn.lines for drawn in row]):
            yield gap.join(line + " " * (cell - drawn.width) for line, drawn in zip(lines, row)).rstrip(" ")
        yield gap.join(_captioned(words, cell, look) for words in captions[start : start + each]).rstrip(" ")
        yield ""


def _captioned(words: Caption, width: int, look: Look) -> str:
    """A caption in so many columns; a wrong one has a cross, and is red where colours are welcome."""
    mark = ("✗ " if look.blocks else "x ") * words.wrong
    text = shortened(mark + words.text, width)
    padding = " " * (width - width_of(text))
    return (f"{_RED}{text}{_PLAIN}" if words.wrong and look.colour else text) + padding


def shortened(text: str, width: int) -> str:
    """Printable text in at most so many columns, with points where something is left out."""
    text = printable(text[: 4 * width + 4])
    if width_of(text) <= width:
        return text
    points = "..."[: max(width - 1, 0)]
    while text and width_of(text) > width - len(points):
        text = text[:-1]
    return text + points


# --- rows that are no images, and curves -------------------------------------------------------------------


def row_line(place: int, words: Caption, cells: Sequence[str], names: Sequence[str], look: Look) -> str:
    """A row that is no image: its number from 1, its caption, and as many of its features as there is room for."""
    named = [f"{name}={cell}" for name, cell in zip(names, cells)] or list(cells)
    head = (
        f"row {place + 1:<5} {_captioned(words, min(2 * _WIDE, max(look.width - 10, 1)), look._replace(colour=False))}"
    )
    text = shortened(f"{head}  {'  '.join(named)}", look.width).rstrip()
    return f"{_RED}{text}{_PLAIN}" if words.wrong and look.colour else text


def sparkline(values: Sequence[float], look: Look, width: int) -> str:
    """How numbers went, as bars a character wide, from the least to the largest; of more than ``width`` each few are
    put together as their mean. A number that is not finite leaves a gap."""
    kept = [_mean(values[start:stop]) for start, stop in _covered(len(values), min(len(values), max(width, 1)))]
    finite = [value for value in kept if math.isfinite(value)]
    bars = _BARS if look.blocks else _PLAIN_BARS
    if not finite:
        return " " * len(kept)
    low, high = min(finite), max(finite)
    span = high / 2 - low / 2 or 1.0  # halves: the difference of the largest floats is none
    places = [(value / 2 - low / 2) / span if math.isfinite(value) else None for value in kept]
    return "".join(" " if place is None else bars[round(place * (len(bars) - 1))] for place in places)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(value / len(values) for value in values) if all(map(math.isfinite, values)) else math.nan


def loss_lines(history: Any, look: Look) -> list[str]:
    """A line for the loss, and one for that of the validation rows: its first number, how it went, its last one."""
    curves = [("loss", history.loss), ("validation loss", history.validation_loss)]
    heads = [(f"{name} {values[0]:.4g} ", f" {values[-1]:.4g}", values) for name, values in curves if values]
    widest = max((len(first) for first, _, _ in heads), default=0)
    lines = []
    for first, last, values in heads:
        room = look.width - widest - len(last)
        bars = sparkline(values, look, room) if room > 0 else ""
        lines.append(f"{first:>{widest}}{bars}{last}"[: look.width])
    return lines


class Gallery:
    """Draws rows that a model with this ``schema`` reads: as images where they are some, else as a line each."""

    def __init__(self, schema: Any, look: Look, names: Sequence[str] = ()) -> None:
        from .reports.rows import image_shape

        self.shape = image_shape(schema)
        self.pixels = schema.pixels
        self.look = look
        self.names = names

    def room(self, row: Sequence[float], most: int) -> int:
        """How many rows like this one a screen has room for; ``most`` of those that take a line each."""
        if self.shape is None:
            return most
        drawn = self._pictures([row])[0]
        return across(drawn.width, self.look) * max(_TALL // (len(drawn.lines) + 2), 1)

    @property
    def side_by_side(self) -> int:
        """How many rows are drawn beside each other."""
        if self.shape is None:
            return 1
        channels, height, width = self.shape
        return across(self._pictures([[0.0] * (channels * height * width)])[0].width, self.look)

    def lines(self, rows: Sequence[Any], captions: Sequence[Caption], places: Sequence[int]) -> Iterator[str]:
        """The rows with their captions; ``places`` are their numbers, from 0."""
        if self.shape is not None:
            yield from grid(self._pictures(rows), captions, self.look)
            return
        from .reports.rows import feature_cells

        for row, words, place in zip(rows, captions, places):
            yield row_line(place, words, feature_cells(row), self.names, self.look)

    def _pictures(self, rows: Sequence[Any]) -> list[Picture]:
        assert self.shape is not None
        limits = (0.0, 255.0) if self.pixels else limits_of(rows)
        return [picture(planes_of(row, self.shape, limits), self.look) for row in rows]
