"""A figure: a title, panels in rows, a note, and the SVG file that they make.

The file is self-contained: no script, nothing loaded. It is light or dark as the system of its reader is, and says to
a screen reader what it shows. The same figure is always the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from zlib import crc32

from ..checks import chosen, require_size, shown, shown_path
from ..errors import ArgumentError
from ..saving.atomic import write_atomically
from .axes import Axes, Panel
from .colours import THEMES, fill, root_class, style
from .lettering import LINE, escaped, plain, wrapped
from .marks import element, numeral, text

TITLE, NOTE = 16.0, 11.0  # sizes of text
EDGE, GAP = 16.0, 28.0  # around everything, and between panels
LEAST_WIDTH = 320.0  # for titles
MOST_PANELS = 100
_FONTS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"
_OTHER_KINDS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".eps", ".ps", ".bmp", ".tif", ".tiff")


class Figure:
    """What every function of ``scratchnn.plots`` returns. ``save(path)`` writes an SVG file, ``svg()`` is its text, and
    in a notebook a figure shows itself.

    title: the line above the panels
    width, height: in pixels
    """

    def __init__(
        self,
        title: str,
        panels: Sequence[Panel],
        *,
        columns: int = 0,
        notes: Sequence[str] = (),
        description: str = "",
    ) -> None:
        self.title = plain(title)
        self.panels = list(panels)
        self.columns = columns or max(len(self.panels), 1)
        self.notes = [plain(note) for note in notes if note]
        self.told = " ".join(description.split())
        self._measure()

    @property
    def description(self) -> str:
        """What a screen reader says of the figure after its title."""
        return " ".join(filter(None, [self.told, *self.notes]))

    def _measure(self) -> None:
        """Where everything is: a column is as wide as its widest panel, a row as high as its highest."""
        for column in range(self.columns):  # axes that go up stand one below the other
            below = [panel for panel in self.panels[column :: self.columns] if isinstance(panel, Axes)]
            for panel in below:
                panel.left = max(other.left for other in below)
        sizes = [panel.size() for panel in self.panels]
        columns = range(min(self.columns, len(sizes)))
        rows = range(0, len(sizes), self.columns)
        self.column_widths = [max(width for width, _ in sizes[column :: self.columns]) for column in columns]
        self.row_heights = [max(height for _, height in sizes[row : row + self.columns]) for row in rows]
        inner = sum(self.column_widths) + GAP * max(len(columns) - 1, 0)
        self.width = 2 * EDGE + max(inner, LEAST_WIDTH)
        self.heading = wrapped(self.title, self.width - 2 * EDGE, TITLE, bold=True)
        self.footing = [line for note in self.notes for line in wrapped(note, self.width - 2 * EDGE, NOTE)]
        self.top = EDGE + (TITLE * LINE * len(self.heading) + 8 if self.heading else 0)
        bottom = 8 + NOTE * LINE * len(self.footing) if self.footing else 0
        self.height = self.top + sum(self.row_heights) + GAP * (len(rows) - 1) + bottom + EDGE

    def svg(self, theme: str = "auto") -> str:
        """The SVG file as text. ``theme`` "auto" leaves light or dark to the reader's system; "light" and "dark" are.

        Raises ``ArgumentError`` for another theme.
        """
        theme = chosen("theme", theme, THEMES)
        body = "\n".join(["", *self._elements(), ""])
        key = f"nn-{crc32(body.encode('utf-8')):08x}"
        told = [element("title", escaped(self.title or "Figure"), id=f"{key}-title")]
        if self.description:
            told.append(element("desc", escaped(self.description), id=f"{key}-desc"))
        described = f'aria-describedby="{key}-desc" ' * bool(self.description)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{root_class(theme)}" role="img" '
            f'aria-labelledby="{key}-title" {described}'
            f'viewBox="0 0 {numeral(self.width)} {numeral(self.height)}" width="{numeral(self.width)}" '
            f'height="{numeral(self.height)}" font-family="{_FONTS}">'
        )
        sheet = f"<style>\n{style(body, theme)}\n</style>"
        return "\n".join([head, *told, sheet]) + body + "</svg>\n"

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg()

    def save(self, path: str | os.PathLike[str], theme: str = "auto") -> None:
        """Write the figure as an SVG file: whole, or not at all. ``theme`` as for ``svg``.

        Raises ``OSError`` naming the path if it cannot be written, ``ArgumentError`` for a name that promises a file of
        another kind.
        """
        name = os.fsdecode(path)
        if name.lower().endswith(_OTHER_KINDS):
            raise ArgumentError(f"{shown_path(name)}: a figure is saved as SVG, expected a name that ends in .svg")
        write_atomically(path, self.svg(theme).encode("utf-8"))

    def __repr__(self) -> str:
        return f"Figure({shown(self.title)}, {self.width:.0f} x {self.height:.0f})"

    def _elements(self) -> list[str]:
        drawn = [element("rect", width=self.width, height=self.height, class_=fill("paper"))]
        for number, line in enumerate(self.heading):
            drawn.append(text(EDGE, EDGE + TITLE * (0.95 + LINE * number), line, size=TITLE, bold=True))
        for number, panel in enumerate(self.panels):
            row, column = divmod(number, self.columns)
            left = EDGE + sum(self.column_widths[:column]) + GAP * column
            drawn += panel.draw(left, self.top + sum(self.row_heights[:row]) + GAP * row)
        first = self.height - EDGE - NOTE * LINE * len(self.footing) + NOTE
        for number, line in enumerate(self.footing):
            drawn.append(text(EDGE, first + NOTE * LINE * number, line, size=NOTE, colour="muted"))
        return drawn


def side_by_side(figures: Sequence[Figure], *, title: str = "", columns: int | None = None) -> Figure:
    """One figure of several, in rows of ``columns`` (by default all in one row, from five on as square as can be).

    The title of each becomes the caption of its first panel. Raises ``ArgumentError`` if there is none, or more than
    100 panels.
    """
    given = list(figures)
    if not given or not all(isinstance(figure, Figure) for figure in given):
        raise ArgumentError(f"side_by_side needs a list of one or more figures, got {shown(figures)}")
    panels = []
    for figure in given:
        for number, panel in enumerate(figure.panels):
            names = [figure.title] * (number == 0) + [panel.caption] * bool(panel.caption)
            panels.append(panel.with_caption(": ".join(names)))
    if len(panels) > MOST_PANELS:
        raise ArgumentError(f"one figure has room for {MOST_PANELS} panels, got {len(panels)}")
    if columns is None:
        columns = len(panels) if len(panels) < 5 else round(len(panels) ** 0.5 + 0.49)
    notes = list(dict.fromkeys(note for figure in given for note in figure.notes))
    told = " ".join(f"{figure.title}: {figure.told}" for figure in given if figure.told)
    return Figure(title, panels, columns=require_size("columns", columns), notes=notes, description=told)
