"""Reads a figure as a picture: its elements, and a box around each of its texts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import NamedTuple

from scratchnn.plots.figure import Figure
from scratchnn.plots.lettering import width_of

SVG = "{http://www.w3.org/2000/svg}"


class Box(NamedTuple):
    """A text and the rectangle that it takes: its letters, with a little less than the height of a line."""

    words: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def root_of(figure: Figure, theme: str = "auto") -> ElementTree.Element:
    return ElementTree.fromstring(figure.svg(theme).encode("utf-8"))


def elements(figure: Figure, tag: str) -> list[ElementTree.Element]:
    return list(root_of(figure).iter(SVG + tag))


def words_in(figure: Figure) -> list[str]:
    return [words_of(element) for element in elements(figure, "text")]


def words_of(element: ElementTree.Element) -> str:
    """What is written, without what only a pointer brings up."""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def boxes(figure: Figure) -> list[Box]:
    return [box_of(element) for element in elements(figure, "text")]


def box_of(element: ElementTree.Element) -> Box:
    words, size = words_of(element), float(element.attrib["font-size"])
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    width = width_of(words, size, bold=element.attrib.get("font-weight") == "bold")
    start = {"middle": width / 2, "end": width}.get(element.attrib.get("text-anchor", ""), 0.0)
    above, below = size * 0.78, size * 0.2
    turned = element.attrib.get("transform", "")
    if turned:
        assert re.fullmatch(rf"rotate\(-90 {element.attrib['x']} {element.attrib['y']}\)", turned)
        return Box(words, x - above, y - width + start, x + below, y + start)
    return Box(words, x - start, y - above, x - start + width, y + below)
