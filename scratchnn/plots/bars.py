"""Lines with a name each: the probability of every class, and what a search has found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..checks import require_size, shown
from ..errors import DataError
from .axes import Axes, Mark, Note
from .colours import RIGHT, WRONG
from .figure import Figure
from .given import finite_numbers, listed
from .given import labels as labels_of
from .given import number as number_of
from .lettering import number, plain
from .marks import Bar, Cloud, Points, Rule
from .scales import BandScale, LinearScale, around

LINE = 22.0  # pixels from one line to the next
NAME_ROOM = 300.0
_CLOSE = 1e-6  # how far from 0 to 1 a probability may be by rounding


def probabilities(
    row: Any, classes: Any = None, *, y_true: Any = None, most: int = 20, title: str = "Class probabilities"
) -> Figure:
    """The probability of each class as a bar, as ``predict_proba`` gives them for one row of data.

    ``classes`` names them; the most likely is drawn strong, and ``y_true``, if it is said, marked as the true one. Of
    more than ``most`` classes the likeliest are drawn, in their order, and a note says how much the others have.

    Raises ``DataError`` for what are no probabilities.
    """
    items = listed(row, "row")
    if len(items) == 1 and hasattr(items[0], "__len__"):
        items = listed(items[0], "row")
    values = finite_numbers(items, "row")
    if not values or min(values) < -_CLOSE or max(values) > 1 + _CLOSE:
        raise DataError(f"row must be probabilities, one a class, from 0 to 1, got {shown(row)}")
    names = list(range(len(values))) if classes is None else labels_of(classes, "classes", len(values))
    ranked = sorted(range(len(values)), key=lambda k: -values[k])
    kept = sorted(ranked[: require_size("most", most)])
    rest = [values[k] for k in ranked[most:]]
    notes = [f"{len(rest):,} other classes have {sum(rest):.2%} together." if rest else ""]
    marks, beside = [], []
    for line, k in enumerate(reversed(kept)):
        true = y_true is not None and plain(names[k]) == plain(y_true)
        best = k == ranked[0]
        colour = WRONG if true and not best else RIGHT
        marks.append(Bar(line, max(values[k], 0.0), colour, opacity=1.0 if best or true else 0.45))
        beside.append(Note(line, _percent(values[k]) + " true" * true, strong=best))
    panel = Axes(
        LinearScale(0.0, 1.0), BandScale(plain(names[k]) for k in reversed(kept)), marks, x_label="probability",
        width=320.0, height=LINE * len(kept), grid="x", beside=beside, name_room=NAME_ROOM,
    )  # fmt: skip
    told = f"{plain(names[ranked[0]])} is the most likely of {len(values)} classes, {_percent(values[ranked[0]])}."
    return Figure(title, [panel], notes=notes, description=told)


def _percent(value: float) -> str:
    if value and value < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < value < 1.0 else f"{value:.1%}"


def search_results(result: Any, *, most: int = 30, title: str = "Results of the search") -> Figure:
    """What a search has found, the best first: for each candidate the mean over the folds, with a line one standard
    deviation to each side, and the folds in grey.

    ``result`` is a ``SearchResult``, or a list of rows that have ``parameters`` and ``values`` as its rows do. Of more
    than ``most`` candidates the best are drawn, and a note says so; those that failed say so.

    Raises ``DataError`` for what is no such result.
    """
    candidates = listed(getattr(result, "rows", result), "result")
    if not candidates or not all(hasattr(row, "parameters") and hasattr(row, "values") for row in candidates):
        raise DataError(f"result must be what a search returns, with a candidate at least, got {shown(result)}")
    kept = list(reversed(candidates[: require_size("most", most)]))
    marks: list[Mark] = []
    beside, drawn = [], []
    for line, row in enumerate(kept):
        values = [value for value in (number_of(v, "values") for v in row.values) if math.isfinite(value)]
        if not values:
            beside.append(Note(line, "failed", strong=False))
            continue
        mean, deviation = _spread(values)
        best = line == len(kept) - 1
        marks += [
            Rule((mean - deviation, line), (mean + deviation, line)),
            Cloud([(value, line) for value in values], 0, radius=2.2),
            Points([(mean, line)], RIGHT, radius=5.0 if best else 4.0),
        ]
        drawn += [*values, mean - deviation, mean + deviation]
        beside.append(Note(line, f"{number(mean)} ± {number(deviation, 2)}", strong=best))
    names = [_named(row.parameters) for row in kept]
    measure = plain(getattr(result, "measure", "score"))
    panel = Axes(
        around(drawn), BandScale(names), marks, x_label=measure, width=320.0, height=LINE * len(kept), grid="x",
        beside=beside, name_room=NAME_ROOM,
    )  # fmt: skip
    notes = [f"The best {len(kept):,} of {len(candidates):,} candidates are drawn." * (len(candidates) > len(kept))]
    told = f"{measure} of {len(candidates)} candidates; the best is {names[-1]}."
    return Figure(title, [panel], notes=notes, description=told)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    count = len(values)
    mean = sum(value / count for value in values)
    return mean, math.dist(values, [mean] * count) / count**0.5


def _named(parameters: Any) -> str:
    pairs = parameters.items() if hasattr(parameters, "items") else []
    return ", ".join(f"{plain(name)} {_written(value)}" for name, value in pairs) or "no arguments"


def _written(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(value)
