"""Text in a figure: made fit for XML, measured, shortened, broken into lines, and moved so that no label hides another.

An SVG is measured by whoever shows it, in a font of his own. Widths are therefore reckoned in a wide one (DejaVu Sans):
what fits in that fits in Helvetica, Arial or Segoe as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unicodedata import combining, east_asian_width

from ..escapes import printable

MOST_CHARACTERS = 300  # of any text in a figure: nobody reads more
LINE = 1.35  # heights of a line in font sizes
BOLD = 1.14  # how much wider bold letters are

# Widths of DejaVu Sans's characters in hundredths of the font size.
_WIDTHS = {
    character: width
    for width, characters in {
        28: "'ijl", 32: "IJ ,.", 36: "/:;\\|f-", 40: "()[]t!r", 50: "\"*_`", 53: "sz?", 57: "cLFk", 61: "vxyPTYaoe",
        64: "ESbdghnpqu$0123456789{}", 69: "KAVBRXZ", 75: "CUHNDG&", 80: "OQw", 84: "#+<=>^~−±", 100: "Mm%W@…",
    }.items()
    for character in characters
}  # fmt: skip
_OTHER_LETTER, _FULL_WIDTH = 75, 104
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def plain(value: Any) -> str:
    """A value as a figure may show it: on one line, every character visible, not endless."""
    text = value if isinstance(value, str) else str(value)
    if len(text) > MOST_CHARACTERS:
        text = text[: MOST_CHARACTERS - 1] + "…"
    return printable(" ".join(text.split()))


def escaped(text: str) -> str:
    """Plain text as it stands in XML, between tags or in an attribute."""
    return text.translate(_ESCAPES)


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most, in the unit of ``size``."""
    return sum(map(_width_of_character, text)) * size / 100 * (BOLD if bold else 1.0)


def _width_of_character(character: str) -> int:
    known = _WIDTHS.get(character)
    if known is not None:
        return known
    if combining(character):
        return 0
    return _FULL_WIDTH if east_asian_width(character) in "WF" else _OTHER_LETTER


def shortened(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits into ``room``, and an ellipsis."""
    if width_of(text, size, bold=bold) <= room:
        return text
    while text and width_of(text + "…", size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped(text: str, room: float, size: float, *, most: int = 3, bold: bool = False) -> list[str]:
    """The text in lines no wider than ``room``, broken between words; at most ``most``, the last one shortened."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (width_of(longer, size, bold=bold) <= room or len(lines) == most):
            lines[-1] = longer
        else:
            lines.append(word)
    return [shortened(line, room, size, bold=bold) for line in lines]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in the order of ``wanted``, as near to those as can be, at least ``gap`` apart and from low to high.

    Where there is no room for all of them, they begin at ``low`` and go on beyond ``high``. It is the least squares
    of all places in that order: neighbours too near each other become a block around the mean of what they want (Best
    and Chakravarti, Mathematical Programming 47, 1990).
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[tuple[float, int]] = []  # (mean of what its places want, each less its distance in the row; how many)
    for rank, index in enumerate(order):
        mean, count = wanted[index] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, number = blocks.pop()
            mean, count = (mean * count + before * number) / (count + number), count + number
        blocks.append((mean, count))
    last = high - (len(wanted) - 1) * gap
    free = [max(min(mean, last), low) for mean, count in blocks for _ in range(count)]
    places = dict(zip(order, (place + rank * gap for rank, place in enumerate(free))))
    return [places[index] for index in range(len(wanted))]


def number(value: float, digits: int = 4) -> str:
    """A number as a label shows it, in ``digits`` significant digits."""
    text = f"{value:.{digits}g}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-").replace("-", "−")


def share(part: float, whole: float) -> str:
    """A fraction in per cent; 100% and 0% are said of nothing less and nothing more."""
    if not whole:
        return "–"
    percent = 100.0 * part / whole
    if part not in (0, whole):
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f}%" if part not in (0, whole) else f"{percent:.0f}%"
