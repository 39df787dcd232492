"""A panel of small images in rows, with a caption below each and, where rows have names, those beside them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

from .colours import WRONG, fill, stroke
from .lettering import plain, shortened, width_of
from .marks import element, numeral, text
from .pixels import NEGATIVE, POSITIVE

WORDS, NAME, CAPTION = 11.0, 12.0, 13.0  # sizes of text
GAP = 8.0
CAPTION_ROOM, NAME_ROOM = 96.0, 150.0
_SCALE_STEPS = 5  # on each side of 0, in the key of weights


class Tile(NamedTuple):
    """An image as a data URI, what stands below it, and whether it is to be marked as wrong."""

    image: str
    caption: str = ""
    wrong: bool = False


class Tiles:
    """Rows of images, each ``side`` (width, height) in pixels. ``ink`` images are turned round in the dark; ``largest``
    is the number that the strongest colour of weights stands for, told in a key."""

    def __init__(
        self,
        rows: Sequence[Sequence[Tile]],
        side: tuple[float, float],
        *,
        names: Sequence[str] = (),
        ink: bool = False,
        largest: float | None = None,
        number: str = "",
    ) -> None:
        self.caption = ""
        self.rows, self.side, self.ink = rows, side, ink
        self.largest, self.number = largest, number
        self.full_names = list(names)
        self.names = [shortened(name, NAME_ROOM, NAME) for name in names]
        captions = [tile.caption for row in rows for tile in row if tile.caption]
        widest = max((width_of(words, WORDS) for words in captions), default=0.0)
        self.cell = max(side[0], min(widest, CAPTION_ROOM)) + GAP
        self.line = side[1] + GAP + (WORDS * 1.4 if captions else 0)
        self.left = max((width_of(name, NAME) + 10 for name in self.names), default=2.0)

    def with_caption(self, caption: str) -> Tiles:
        other = copy(self)
        other.caption = plain(caption)
        return other

    def size(self) -> tuple[float, float]:
        top = CAPTION * 1.7 if self.caption else 4.0
        foot = 34.0 if self.largest is not None else 0.0
        across = self.left + self.cell * max(map(len, self.rows))
        least = max(width_of(self.caption, CAPTION, bold=True) + 4, 220.0 if self.largest is not None else 0.0)
        return max(across, min(least, 220.0)), top + self.line * len(self.rows) + foot

    def draw(self, left: float, top: float) -> list[str]:
        drawn = []
        if self.caption:
            words = shortened(self.caption, self.size()[0], CAPTION, bold=True)
            drawn.append(text(left, top + CAPTION, words, size=CAPTION, bold=True, whole=self.caption))
        y = top + (CAPTION * 1.7 if self.caption else 4.0)
        for number, row in enumerate(self.rows):
            if self.names:
                place = left + self.left - 8, y + self.side[1] / 2 + NAME * 0.36
                drawn.append(text(*place, self.names[number], size=NAME, anchor="end", whole=self.full_names[number]))
            for column, tile in enumerate(row):
                drawn += self._tile(left + self.left + column * self.cell, y, tile)
            y += self.line
        return drawn if self.largest is None else [*drawn, *self._scale(left + self.left, y + 6)]

    def _tile(self, x: float, y: float, tile: Tile) -> list[str]:
        """An image in the middle of its cell; a wrong one has a thick frame and a cross."""
        width, height = self.side
        x += (self.cell - GAP - width) / 2
        drawn = [
            element(
                "image", x=x, y=y, width=width, height=height, href=tile.image, preserveAspectRatio="none",
                class_="nn-pixels nn-ink-image" if self.ink else "nn-pixels", image_rendering="optimizeSpeed",
            ),
            element(
                "rect", x=x, y=y, width=width, height=height, fill="none",
                class_=stroke(WRONG if tile.wrong else "faint"), stroke_width=2.5 if tile.wrong else 1,
            ),
        ]  # fmt: skip
        if tile.wrong:
            drawn += _cross(x + width, y)
        if tile.caption:
            words = shortened(tile.caption, self.cell - 4, WORDS)
            place = x + width / 2, y + height + WORDS * 1.25
            drawn.append(text(*place, words, size=WORDS, anchor="middle", whole=tile.caption))
        return drawn

    def _scale(self, x: float, y: float) -> list[str]:
        """Which number which colour stands for."""
        drawn = []
        step = 120.0 / (2 * _SCALE_STEPS + 1)
        for number in range(-_SCALE_STEPS, _SCALE_STEPS + 1):
            red, green, blue = NEGATIVE if number < 0 else POSITIVE
            place = x + 20 + (number + _SCALE_STEPS) * step
            drawn.append(
                element(
                    "rect", x=place, y=y, width=step, height=8, fill=f"#{red:02x}{green:02x}{blue:02x}",
                    fill_opacity=numeral(abs(number) / _SCALE_STEPS), class_="nn-edges",
                )
            )  # fmt: skip
        for place, words in ((20.0, "−" + self.number), (80.0, "0"), (140.0, self.number)):
            drawn.append(text(x + place, y + 8 + WORDS * 1.2, words, size=WORDS, anchor="middle", colour="muted"))
        return drawn


def _cross(x: float, y: float) -> list[str]:
    """The mark of what is wrong, over the upper right corner of an image."""
    d = f"M{numeral(x - 3)} {numeral(y - 3)}l6 6m0-6l-6 6"
    back = element("circle", cx=x, cy=y, r=6, class_=fill("paper"))
    return [back, element("path", d=d, class_=stroke(WRONG), stroke_width="2.2", fill="none")]
