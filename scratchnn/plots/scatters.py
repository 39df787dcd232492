"""Points on a plane, in the colour and the shape of their class: data, t-SNE's maps, an autoencoder's codes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from ..errors import DataError
from .axes import Axes, Entry, Mark
from .figure import Figure
from .given import classes_in, some_of
from .given import labels as labels_of
from .given import points as points_of
from .lettering import plain, shortened
from .marks import Labels, Point, Points
from .scales import around

SIDE = 420.0  # pixels
NAME_ROOM = 110.0  # for a class's name among its points
MOST_NAMES = 20  # among the points; the key has all


def scatter(
    points: Any,
    labels: Any = None,
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    names: bool = True,
) -> Figure:
    """Points (samples x 2) on a plane. ``labels``, one a point, give each class a colour and a shape of its own, a line
    in the key, and with ``names`` its name in the middle of its points.

    Of more than 5000 points every second, third ... is drawn, and a note says so. Raises ``DataError`` for what are no
    points, for labels that are not as many, and for more than 100 classes.
    """
    places = points_of(points, "points")
    if not places:
        raise DataError("points is empty: at least one is needed")
    given = None if labels is None else labels_of(labels, "labels", len(places))
    chosen, note = some_of(places)
    marks, key, told = classed(places, given, chosen)
    across, up = around([x for x, _ in places]), around([y for _, y in places])
    if names and given is not None and len(key) <= MOST_NAMES:
        corners = (across.value(0.0), up.value(0.0)), (across.value(1.0), up.value(1.0))
        marks.append(Labels(_middles(places, given), corners))
    panel = Axes(
        across, up, marks, x_label=x_label, y_label=y_label,
        key=key, width=SIDE, height=SIDE,
    )  # fmt: skip
    return Figure(title, [panel], notes=[note], description=f"{len(places):,} points{told}.")


def classed(
    places: Sequence[Point], labels: Sequence[Any] | None, chosen: Sequence[int], known: Sequence[Any] | None = None
) -> tuple[list[Mark], list[Entry], str]:
    """Marks for the ``chosen`` points, the key of their classes, and these in words. ``known`` are all classes there
    are, where there may be more than the labels say."""
    if labels is None:
        return [Points([places[k] for k in chosen], 0, radius=_radius(len(chosen)), opacity=0.7)], [], ""
    classes = list(known) if known is not None else classes_in(labels, "labels")
    members: dict[str, list[Point]] = {plain(label): [] for label in classes}
    for k in chosen:
        members.setdefault(plain(labels[k]), []).append(places[k])
    radius = _radius(len(chosen))
    marks: list[Mark] = [Points(points, number, radius=radius) for number, points in enumerate(members.values())]
    key = [Entry(name, number) for number, name in enumerate(members)]
    return marks, key, f" of {len(members)} classes"


def _radius(count: int) -> float:
    """Smaller symbols for more points."""
    return 4.0 if count <= 200 else 3.2 if count <= 1000 else 2.4


def _middles(places: Sequence[Point], labels: Sequence[Any]) -> list[tuple[Point, str]]:
    """Each class's name, at the median of its points."""
    members: dict[str, list[Point]] = {}
    for place, label in zip(places, labels):
        members.setdefault(plain(label), []).append(place)
    return [
        ((median(x for x, _ in points), median(y for _, y in points)), shortened(name, NAME_ROOM, 13, bold=True))
        for name, points in members.items()
    ]
