"""The decision boundary of a model of two features: which class it gives to each place, and how surely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..checks import in_order, require_size, shown
from ..errors import ArgumentError, DataError
from .axes import Axes, Entry
from .colours import fill, stroke
from .figure import Figure
from .given import classes_in, listed, some_of
from .given import labels as labels_of
from .given import points as points_of
from .lettering import plain, shortened
from .marks import SERIES, Extent, Labels, Place, Point, colour_of, element, numeral
from .scales import Scale, around
from .scatters import NAME_ROOM, classed

SIDE = 300.0  # pixels
MOST_POINTS = 2000
SHADES = 10  # of each class's colour
FAINTEST, STRONGEST = 0.06, 0.5  # opacities
SURE = 0.25  # the opacity where nothing is known but the class

Rows = list[list[float]]


def decision_boundary(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    resolution: int = 80,
    title: str = "Decision boundary",
    x_label: str = "",
    y_label: str = "",
) -> Figure:
    """The plane in the colours of the classes that ``model`` gives to its places, the stronger the surer it is, with a
    line where one class meets another; over it the points ``X`` (samples x 2), with the shapes of their classes ``y``.

    ``model`` has a method ``predict_proba`` or ``predict``, or is a function: of rows of two numbers it makes as many
    rows of probabilities, labels, or probabilities of the second of two classes. It is asked once, for ``resolution`` x
    ``resolution`` places (at most 300 x 300). Of more than 2000 points some are drawn, and a note says so.

    Raises ``DataError`` for what are no points and for answers that are none, ``ArgumentError`` for what cannot answer.
    """
    places = points_of(X, "X")
    if not places:
        raise DataError("X is empty: at least one point is needed")
    given = None if y is None else labels_of(y, "y", len(places))
    require_size("resolution", resolution, 2, 300)
    across = around([x for x, _ in places], margin=0.08)
    up = around([v for _, v in places], margin=0.08)
    field = _asked(model, _grid(across, up, resolution), given, resolution)
    chosen, note = some_of(places, MOST_POINTS)
    marks, key, told = classed(places, given, chosen, field.classes)
    corners = (across.value(0.0), up.value(0.0)), (across.value(1.0), up.value(1.0))
    if given is None:
        marks, key = (
            [Labels(field.middles(across, up), corners)],
            [Entry(plain(name), k) for k, name in enumerate(field.classes)],
        )
    panel = Axes(
        across, up, [Areas(field, across, up), *marks], x_label=x_label, y_label=y_label, key=key, width=SIDE,
        height=SIDE, grid="", clipped=True,
    )  # fmt: skip
    shares = ", ".join(f"{plain(name)} {part:.0%}" for name, part in field.shares())
    return Figure(
        title,
        [panel],
        notes=[note],
        description=f"Parts of the plane by class: {shares}. {len(places):,} points{told}.",
    )


class Field:
    """What a model says of ``side`` x ``side`` places, line by line from the lowest: the number of the class that wins,
    and the margins by which each class is ahead of all others."""

    def __init__(self, probabilities: Rows | None, winners: Sequence[int], classes: Sequence[Any], side: int) -> None:
        self.probabilities, self.winners, self.classes, self.side = probabilities, winners, list(classes), side
        # The largest probability at each place, and the one behind it.
        self.leaders = [sorted(row)[: -min(len(row), 2) - 1 : -1] for row in probabilities or []]

    def strength(self, place: int) -> int:
        """How sure the model is, in shades."""
        if self.probabilities is None:
            return round((SURE - FAINTEST) / (STRONGEST - FAINTEST) * SHADES)
        row = self.probabilities[place]
        even = 1.0 / len(row)
        return round(SHADES * max(row[self.winners[place]] - even, 0.0) / (1.0 - even))

    def margin(self, number: int) -> list[float]:
        """By how much a class is ahead at each place; below 0 where it is behind."""
        if self.probabilities is None:
            return [1.0 if winner == number else -1.0 for winner in self.winners]
        return [
            row[number] - (second if winner == number else best)
            for row, winner, (best, second) in zip(self.probabilities, self.winners, self.leaders)
        ]

    def shares(self) -> list[tuple[Any, float]]:
        """The part of the plane that each class has."""
        return [(name, self.winners.count(k) / len(self.winners)) for k, name in enumerate(self.classes)]

    def middles(self, across: Scale, up: Scale) -> list[tuple[Point, str]]:
        """Each class's name, at the place of its own that is nearest to the middle of them."""
        found = []
        for number, name in enumerate(self.classes):
            own = [divmod(k, self.side) for k, winner in enumerate(self.winners) if winner == number]
            if own:
                middle = sum(row for row, _ in own) / len(own), sum(column for _, column in own) / len(own)
                row, column = min(own, key=lambda place: math.dist(place, middle))
                shown_name = shortened(plain(name), NAME_ROOM, 13, bold=True)
                point = across.value((column + 0.5) / self.side), up.value((row + 0.5) / self.side)
                found.append((point, shown_name))
        return found


def _grid(across: Scale, up: Scale, side: int) -> Rows:
    shares = [(k + 0.5) / side for k in range(side)]
    columns, lines = [across.value(share) for share in shares], [up.value(share) for share in shares]
    return [[x, y] for y in lines for x in columns]


def _asked(model: Any, places: Rows, given: Sequence[Any] | None, side: int) -> Field:
    """The model's answers for all places."""
    known = getattr(model, "classes", getattr(model, "classes_", None))
    if hasattr(model, "predict_proba"):
        answers = listed(model.predict_proba(places), "what predict_proba returns")
    elif hasattr(model, "predict"):
        answers = listed(model.predict(places), "what predict returns")
    elif callable(model):
        answers = listed(model(places), "what the function returns")
    else:
        raise ArgumentError(f"model must have predict_proba or predict, or be a function, got {shown(model)}")
    if len(answers) != len(places):
        raise DataError(f"the model gave {len(answers)} answers for {len(places)} places")
    named = listed(known, "classes") if known is not None else classes_in(given, "y") if given is not None else None
    rows = _as_probabilities(answers, None if named is None else len(named))
    if rows is None:
        seen = classes_in([*answers, *(given or [])], "what the model predicts")
        numbers = {plain(name): number for number, name in enumerate(seen)}
        return Field(None, [numbers[plain(answer)] for answer in answers], seen, side)
    named = named if named is not None and len(named) == len(rows[0]) else list(range(len(rows[0])))
    if len(named) > SERIES:
        raise DataError(f"the model knows {len(named)} classes, and a figure can tell {SERIES} apart")
    return Field(rows, [row.index(max(row)) for row in rows], named, side)


def _as_probabilities(answers: Sequence[Any], classes: int | None) -> Rows | None:
    """The answers as rows of probabilities, or None if they are labels."""
    first = in_order(answers[0])
    if first is not None and len(first) >= 2:
        rows = [[float(value) for value in in_order(row) or []] for row in answers]
    else:
        values = [(in_order(answer) or [answer])[0] for answer in answers]
        if not all(isinstance(value, float) and 0.0 <= value <= 1.0 for value in values) or classes not in (2, None):
            return None
        rows = [[1.0 - value, value] for value in values]
    if any(len(row) != len(rows[0]) for row in rows) or not all(math.isfinite(value) for row in rows for value in row):
        raise DataError("the model's probabilities must be rows of one length, of finite numbers")
    return rows


class Areas:
    """The mark: the places of a field in their colours, and lines between the classes."""

    def __init__(self, field: Field, across: Scale, up: Scale) -> None:
        self.field, self.across, self.up = field, across, up

    def extent(self) -> Extent:
        return [], []

    def draw(self, place: Place, earlier: list[list[Point]] | None = None) -> list[str]:
        left, bottom = place((self.across.value(0.0), self.up.value(0.0)))
        right, top = place((self.across.value(1.0), self.up.value(1.0)))
        cell = (right - left) / self.field.side, (bottom - top) / self.field.side
        drawn = self._areas(left, bottom, *cell)
        winners = sorted(set(self.field.winners))
        for number in winners if len(winners) > 2 else winners[1:]:
            path = _contour(self.field.margin(number), self.field.side, left, bottom, *cell)
            if path:
                drawn.append(element("path", d=path, class_=stroke("ink"), fill="none", stroke_width="1.4"))
        return drawn

    def _areas(self, left: float, bottom: float, width: float, height: float) -> list[str]:
        """A path for each class and shade, of runs of places that have it."""
        paths: dict[tuple[int, int], list[str]] = {}
        side, field = self.field.side, self.field
        for line in range(side):
            looks = [(field.winners[k], field.strength(k)) for k in range(line * side, (line + 1) * side)]
            starts = [k for k in range(side) if k == 0 or looks[k] != looks[k - 1]]
            for start, end in zip(starts, [*starts[1:], side]):
                x, end_x = round(left + start * width), round(left + end * width)  # whole pixels: no seams
                y, end_y = round(bottom - (line + 1) * height), round(bottom - line * height)
                paths.setdefault(looks[start], []).append(f"M{x} {y}H{end_x}V{end_y}H{x}z")
        return [
            element(
                "path", d="".join(runs), class_=f"{fill(colour_of(number))} nn-edges",
                fill_opacity=f"{FAINTEST + (STRONGEST - FAINTEST) * shade / SHADES:.2f}",
            )
            for (number, shade), runs in sorted(paths.items())
        ]  # fmt: skip


def _contour(values: Sequence[float], side: int, left: float, bottom: float, width: float, height: float) -> str:
    """Where values between the middles of places are 0: marching squares (Lorensen and Cline, SIGGRAPH 1987, in the
    plane), each piece a straight line across a square of four of them."""
    pieces = []
    # The first and the last of the places stand for the edges, too, so that lines reach them.
    places = [0.0, *(k + 0.5 for k in range(side)), float(side)]
    index = [0, *range(side), side - 1]
    for line in range(side + 1):
        low, high = index[line] * side, index[line + 1] * side
        for column in range(side + 1):
            near, far = index[column], index[column + 1]
            ends = _crossings([values[low + near], values[low + far], values[high + far], values[high + near]])
            wide, tall = places[column + 1] - places[column], places[line + 1] - places[line]
            written = [
                f"{numeral(left + (places[column] + x * wide) * width)} "
                f"{numeral(bottom - (places[line] + y * tall) * height)}"
                for x, y in ends
            ]
            pieces += [f"M{start}L{end}" for start, end in zip(written[::2], written[1::2])]
    return "".join(pieces)


_CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def _crossings(corners: Sequence[float]) -> list[Point]:
    """Where the sides of a unit square, with these values at its corners, are crossed by 0."""
    found = []
    for k in range(4):
        a, b = corners[k], corners[(k + 1) % 4]
        if (a > 0.0) != (b > 0.0):
            (x1, y1), (x2, y2) = _CORNERS[k], _CORNERS[(k + 1) % 4]
            share = a / (a - b)
            found.append((x1 + (x2 - x1) * share, y1 + (y2 - y1) * share))
    return found
