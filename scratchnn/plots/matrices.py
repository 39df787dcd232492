"""The confusion matrix: which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from ..checks import require_known, shown
from ..errors import DataError
from .colours import RIGHT, WRONG, fill
from .figure import Figure
from .given import finite_numbers, listed
from .given import labels as labels_of
from .lettering import number, plain, share, shortened, width_of
from .marks import element, text

MOST_CLASSES = 150
LARGEST = 1e15
CELL = (4.0, 30.0, 48.0)  # pixels: least, where numbers are short, most
ACROSS = 640.0  # pixels for all cells, where they can be that small
LABEL, NAME, CAPTION = 11.0, 12.0, 13.0
LABEL_ROOM = 130.0
FAINTEST, STRONGEST_MISTAKE = 0.08, 0.71  # opacities
# A number is read in the figure's own ink on cells up to the first opacity, in that of its paper from the second on, by
# a contrast of 4.5, be it light or dark; between these neither can be.
OWN_INK, OTHER_INK = 0.71, 0.74
NORMALIZE = ("true", "pred", "all")


def confusion_matrix(
    y_true: Any,
    y_pred: Any = None,
    *,
    labels: Any = None,
    normalize: str | None = None,
    title: str = "Confusion matrix",
) -> Figure:
    """How often a class (row) was taken for which (column): what is right in one colour, mistakes in another.

    ``y_true`` and ``y_pred`` are labels, one a row; ``labels`` says which of them there are and in which order. Or
    there is no ``y_pred``, and ``y_true`` is the matrix itself (classes x classes), as
    ``scratchnn.metrics.confusion_matrix`` and scikit-learn's give it; then ``labels`` names its classes. ``normalize``
    "true", "pred" or "all" shows shares of the rows, the columns or all instead of counts. A cell is the stronger the
    larger its share of the row, by the square root: single mistakes can be seen beside a thousand right ones.

    Raises ``DataError`` for what are no such labels or no such matrix, ``ArgumentError`` for another way to normalize.
    """
    matrix = y_true
    if y_pred is not None:
        from ..metrics.classification import confusion_matrix as counted
        from ..metrics.classification import unique_labels

        labels = unique_labels(y_true, y_pred) if labels is None else labels
        matrix = counted(y_true, y_pred, labels=labels)
    rows = [finite_numbers(row, f"matrix: row {place}") for place, row in enumerate(listed(matrix, "matrix"))]
    if not rows or any(len(row) != len(rows) for row in rows) or min(map(min, rows)) < 0:
        raise DataError(f"matrix must be square, with no number below 0, got {shown(matrix)}")
    if max(map(max, rows)) > LARGEST:
        raise DataError(f"matrix: {max(map(max, rows)):g} is no count, expected numbers of at most {LARGEST:g}")
    if len(rows) > MOST_CLASSES:
        raise DataError(f"a matrix of at most {MOST_CLASSES} classes can be read, got {len(rows)}: put some together")
    names = list(map(plain, range(len(rows)) if labels is None else labels_of(labels, "labels", len(rows))))
    if normalize is not None:
        require_known("normalize", normalize, NORMALIZE)
    panel = MatrixPanel(rows, names, normalize)
    right, total = sum(row[k] for k, row in enumerate(rows)), sum(map(sum, rows))
    note = f"{number(right, 9)} of {number(total, 9)} right ({share(right, total)})."
    return Figure(title, [panel], notes=[note], description=_told(rows, names))


def _told(rows: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    """The classes and the most frequent mistakes in words."""
    mistakes = [(row[k], i, k) for i, row in enumerate(rows) for k in range(len(rows)) if k != i and row[k]]
    worst = sorted(mistakes, key=lambda mistake: (-mistake[0], mistake[1:]))[:3]
    words = [f"{names[i]} taken for {names[k]} {number(count, 9)} times" for count, i, k in worst]
    return f"{len(rows)} classes, true ones in rows, predicted ones in columns. " + (
        f"Most frequent mistakes: {', '.join(words)}." if words else "No mistakes."
    )


class MatrixPanel:
    """The cells, with the names of classes around them, and for each row the share that is right."""

    def __init__(self, rows: Sequence[Sequence[float]], names: Sequence[str], normalize: str | None) -> None:
        self.caption = ""
        self.rows = rows
        self.values = _normalized(rows, normalize)
        self.written = [
            [(f"{value:.2f}" if normalize else _count(value)) if count else "" for value, count in zip(values, counts)]
            for values, counts in zip(self.values, rows)
        ]
        count = len(rows)
        widest = max(width_of(words, LABEL) for row in self.written for words in row)
        least, short, most = CELL
        self.cell = max(min(max(widest + 10, short), most, ACROSS / count), least)
        self.numbered = widest + 2 <= self.cell and self.cell >= LABEL + 2
        self.every = max(-int(-(LABEL + 3) // self.cell), 1)  # labels that stand one above the other without touching
        self.names = [shortened(name, LABEL_ROOM, LABEL) for name in names]
        self.full_names = list(names)
        self.turned = max(width_of(name, LABEL) for name in self.names) > self.cell * self.every - 4
        longest = max(width_of(name, LABEL) for name in self.names)
        self.left = NAME * 1.8 + longest + 8
        self.below = (longest if self.turned else LABEL) + 10 + NAME * 1.6
        self.side = self.cell * count

    def with_caption(self, caption: str) -> MatrixPanel:
        other = copy(self)
        other.caption = plain(caption)
        return other

    @property
    def _top(self) -> float:
        return LABEL * 1.6 + (CAPTION * 1.7 if self.caption else 0)

    def size(self) -> tuple[float, float]:
        right = 58.0 if self.every == 1 else 8.0
        return self.left + max(self.side, 70.0) + right, self._top + max(self.side, 40.0) + self.below

    def draw(self, left: float, top: float) -> list[str]:
        x, y = left + self.left, top + self._top
        drawn = []
        if self.caption:
            words = shortened(self.caption, self.size()[0] - self.left, CAPTION, bold=True)
            drawn.append(text(x, top + CAPTION, words, size=CAPTION, bold=True, whole=self.caption))
        return [*drawn, *self._cells(x, y), *self._names(x, y, left), *self._right(x, y)]

    def _cells(self, x: float, y: float) -> list[str]:
        """A square for every pair that there is, its number in it, and a frame around all."""
        drawn = [
            element("rect", x=x, y=y, width=self.side, height=self.side, class_="nn-f-paper nn-s-muted", stroke_width=1)
        ]
        for i, (counts, words) in enumerate(zip(self.rows, self.written)):
            total = sum(counts)
            for k, count in enumerate(counts):
                if count:
                    drawn += self._cell(x + k * self.cell, y + i * self.cell, count / total, i == k, words[k])
        return drawn

    def _cell(self, x: float, y: float, part: float, right: bool, words: str) -> list[str]:
        strength = strength_of(part, right)
        colour = RIGHT if right else WRONG
        drawn = [
            element(
                "rect", x=x, y=y, width=self.cell, height=self.cell, class_=fill(colour) + " nn-edges",
                fill_opacity=f"{strength:.2f}",
            )
        ]  # fmt: skip
        if self.numbered:
            ink = "strong" if strength <= OWN_INK else "on"
            place = x + self.cell / 2, y + self.cell / 2 + LABEL * 0.36
            drawn.append(text(*place, words, size=LABEL, anchor="middle", colour=ink))
        return drawn

    def _names(self, x: float, y: float, left: float) -> list[str]:
        drawn = []
        bottom = y + self.side
        for k, (name, whole) in enumerate(zip(self.names, self.full_names)):
            if k % self.every:
                continue
            middle = (k + 0.5) * self.cell
            drawn.append(text(x - 6, y + middle + LABEL * 0.36, name, size=LABEL, anchor="end", whole=whole))
            if self.turned:
                place = x + middle + LABEL * 0.36, bottom + 6
                drawn.append(text(*place, name, size=LABEL, anchor="end", upright=True, whole=whole))
            else:
                drawn.append(text(x + middle, bottom + LABEL + 4, name, size=LABEL, anchor="middle", whole=whole))
        side = max(self.side, 70.0)
        foot = bottom + self.below - NAME * 0.4
        drawn.append(text(x + side / 2, foot, "predicted", size=NAME, anchor="middle", colour="muted"))
        drawn.append(
            text(
                left + NAME,
                y + max(self.side, 40.0) / 2,
                "true",
                size=NAME,
                anchor="middle",
                colour="muted",
                upright=True,
            )
        )
        return drawn

    def _right(self, x: float, y: float) -> list[str]:
        """The recall of each class, where there is a line of text for each."""
        if self.every > 1:
            return []
        edge = x + self.side + 52
        drawn = [text(edge, y - LABEL * 0.6, "recall", size=LABEL, anchor="end", colour="muted")]
        for k, row in enumerate(self.rows):
            words = share(row[k], sum(row))
            place = y + (k + 0.5) * self.cell + LABEL * 0.36
            drawn.append(text(edge, place, words, size=LABEL, anchor="end", colour="muted"))
        return drawn


def strength_of(part: float, right: bool) -> float:
    """The opacity of a cell that holds a part of its row."""
    strength = FAINTEST + ((1.0 if right else STRONGEST_MISTAKE) - FAINTEST) * part**0.5
    return OTHER_INK if OWN_INK < strength < OTHER_INK else strength


def _normalized(rows: Sequence[Sequence[float]], normalize: str | None) -> list[list[float]]:
    total = sum(map(sum, rows)) or 1.0
    columns = [sum(column) or 1.0 for column in zip(*rows)]
    if normalize == "pred":
        return [[value / whole for value, whole in zip(row, columns)] for row in rows]
    if normalize == "true":
        return [[value / (sum(row) or 1.0) for value in row] for row in rows]
    return [[value / total for value in row] for row in rows] if normalize else [list(row) for row in rows]


def _count(value: float) -> str:
    """A count in few characters."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= unit:
            return number(value / (1e3 if letter == "k" else unit), 3) + letter
    return number(value)
