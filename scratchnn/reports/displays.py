"""What objects show in a notebook: small tables and figures as HTML, for their ``_repr_html_``.

They take plain data, or what they show by its attributes. Notebooks have a style of their own for tables, which these
leave alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..checks import shown
from ..plots.curves import learning_curves
from ..plots.lettering import number, plain
from .markup import Markup, element, markup, table

MOST_ROWS = 30  # of a table
MOST_CLASSES = 20  # whose rows are counted
IMAGES = 20
LONGEST = 60  # characters of a value that is neither a number nor a text


def layers(rows: Iterable[tuple[str, str, str]], total: str, trainable: str = "") -> Markup:
    """A table of layers: name, indented where it is inside another, output shape, parameters."""
    lines = []
    for name, shape, count in rows:
        depth = (len(name) - len(name.lstrip(" "))) // 2
        words = element("span", name.strip(), style=f"padding-left:{1.2 * depth:g}em" if depth else None)
        lines.append([words, shape, count])
    foot = [["total", "", total], *[["trainable", "", trainable]] * bool(trainable)]
    return table(["layer", "output shape", "parameters"], lines, text=(0, 1), foot=foot)


def curves(history: Any) -> Markup | None:
    """The curves of a history; None, for its plain text, if nothing was learned yet."""
    return Markup(learning_curves(history).svg()) if len(history) else None


def dataset(data: Any) -> Markup:
    """How many rows and features there are, how many rows of each class, and a few images or rows."""
    from ..plots.pictures import images

    source = f" from {plain(data.source)}" if data.source else ""
    parts: list[str] = [element("p", f"{len(data):,} rows of {data.width:,} features{source}")]
    if data.classes and len(data.y):
        parts.append(_counts(data))
    side = round(data.width**0.5)
    if data.pixels and {*map(len, data.X)} == {data.width} and side * side == data.width and side >= 4:
        some = _of_each_class(data)
        words = [_text(data.y[place]) for place in some] if len(data.y) == len(data.X) else None
        drawn = images([data.X[place] for place in some], captions=words, title="A few of the rows")
        parts.append(Markup(drawn.svg()))
    elif len(data.X):
        parts.append(_first_rows(data))
    return element("div", *parts)


def _counts(data: Any) -> Markup:
    counts = dict.fromkeys(map(_text, data.classes), 0)
    for label in data.y:
        name = _text(label)
        counts[name] = counts.get(name, 0) + 1
    first = list(counts.items())[:MOST_CLASSES]
    more = [f"{len(counts) - len(first):,} more"] if len(counts) > len(first) else []
    header = ["class", *(name for name, _ in first), *more]
    rest = sum(counts.values()) - sum(count for _, count in first)
    cells = ["rows", *(f"{count:,}" for _, count in first), *[f"{rest:,}"] * len(more)]
    return table(header, [cells])


def _of_each_class(data: Any) -> list[int]:
    """Places of a few rows: as many of each class as can be, in the order of the classes."""
    if not data.classes or len(data.y) != len(data.X):
        return list(range(min(len(data.X), IMAGES)))
    each = max(IMAGES // len(data.classes), 1)
    places: dict[str, list[int]] = {_text(label): [] for label in data.classes[:IMAGES]}
    for place, label in enumerate(data.y):
        found = places.get(_text(label))
        if found is not None and len(found) < each:
            found.append(place)
    return [place for found in places.values() for place in found]


def _first_rows(data: Any) -> Markup:
    from .rows import FEATURES, feature_header

    labelled = len(data.y) == len(data.X)
    header = ["row", *[plain(data.label_name or "label")] * labelled, *feature_header(data.feature_names, data.width)]
    lines = [
        [
            str(place + 1),
            *([_text(data.y[place])] if labelled else []),
            *map(_text, list(row)[:FEATURES]),
            *["…"] * (len(row) > FEATURES),
        ]
        for place, row in enumerate(data.X[:5])
    ]
    return table(header, lines, text=(1,) * (labelled and bool(data.classes)))


def search(result: Any) -> Markup:
    """The candidates of a search, the best first."""
    names = list(dict.fromkeys(name for row in result.rows for name in row.parameters))
    lines = []
    for row in result.rows[:MOST_ROWS]:
        found = ["failed", ""] if row.error else [number(row.mean), number(row.deviation)]
        lines.append([*(_text(row.parameters.get(name, "")) for name in names), *found, f"{row.seconds:.2f}"])
    header = [*map(plain, names), result.measure, "deviation", "seconds"]
    words = [f"The best {MOST_ROWS} of {len(result.rows):,}."] if len(result.rows) > MOST_ROWS else []
    words += [f"failed: {plain(row.error)}" for row in result.rows if row.error][:3]
    words += [plain(result.stopped)] * bool(result.stopped)
    words += [f"the best could not be fitted to all rows: {plain(result.refit_error)}"] * bool(result.refit_error)
    return element("div", table(header, lines, text=range(len(names))), *[element("p", text) for text in words])


def _text(value: Any) -> str:
    """A value in a few characters, whatever it is."""
    if isinstance(value, float):
        return number(value, 5)
    return plain(value) if isinstance(value, str) else shown(value, LONGEST)


def gradients(report: Any) -> Markup:
    """What a check of gradients has found."""
    facts: Sequence[tuple[str, str]] = (
        ("gradients compared", f"{report.entries:,}"),
        ("verdict", "agree" if report.ok else "DISAGREE"),
        ("worst relative error", f"{report.worst:.2e} (allowed {report.tolerance:g})"),
        ("at", report.where),
        ("backward says", f"{report.analytic:.10g}"),
        ("numerical slope", f"{report.numeric:.10g}"),
    )
    lines = [element("tr", element("th", name, scope="row"), element("td", markup(text))) for name, text in facts]
    return element("table", element("tbody", *lines))
