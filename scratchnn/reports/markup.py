"""HTML, written by a handful of functions that escape whatever is not markup already.

Text that came from somewhere is a ``str``; what these functions return is ``Markup``. So nothing has to remember to
escape: a class name that looks like a tag is shown as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..escapes import printable, printable_lines
from ..plots.lettering import escaped

# Nothing is loaded and nothing runs, whatever a page holds: styles that stand in it, and images that do.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
UNBROKEN = 20  # characters of a cell that stay on one line
_EMPTY = {"meta", "br", "hr"}


class Markup(str):
    """HTML that may stand in a page as it is."""

    __slots__ = ()


def markup(*parts: str) -> Markup:
    """Parts one after the other; those that are only text are escaped, and every character of them can be seen."""
    return Markup("".join(part if isinstance(part, Markup) else escaped(printable(part)) for part in parts))


def element(tag: str, *parts: str, **attributes: object) -> Markup:
    """An element. ``class_`` stands for ``class``; an attribute that is None is left out."""
    written = [
        f' {name.strip("_").replace("_", "-")}="{escaped(printable(str(value)))}"'
        for name, value in attributes.items()
        if value is not None
    ]
    start = f"<{tag}{''.join(written)}>"
    return Markup(start if tag in _EMPTY else f"{start}{markup(*parts)}</{tag}>")


def preformatted(text: str) -> Markup:
    """Lines that are shown as they are."""
    return element("pre", Markup(escaped(printable_lines(text))))


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    text: Sequence[int] = (0,),
    foot: Iterable[Sequence[str]] = (),
    caption: str = "",
) -> Markup:
    """A table. Columns hold numbers, which stand at the right, but for those whose places are in ``text``; the first
    cell of each row is its heading. ``foot`` are rows below a line."""

    def line(cells: Sequence[str], first: str, other: str) -> Markup:
        written = []
        for place, cell in enumerate(cells):
            tag = other if place else first
            scope = None if tag == "td" else "row" if other == "td" else "col"
            short = "short" if len(cell) <= UNBROKEN else None
            written.append(element(tag, cell, scope=scope, class_=short if place in text else "number"))
        return element("tr", *written)

    parts = [element("caption", caption)] * bool(caption)
    parts.append(element("thead", line(header, "th", "th")))
    parts.append(element("tbody", *[line(row, "th", "td") for row in rows]))
    below = [line(row, "th", "td") for row in foot]
    parts += [element("tfoot", *below)] * bool(below)
    return element("table", *parts)


def page(title: str, style: str, *parts: Markup) -> str:
    """A whole page, which needs nothing but itself. ``style`` is CSS."""
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    ]
    lines = ["<!DOCTYPE html>", '<html lang="en">', "<head>", *head, "</head>", "<body>", *parts, "</body>", "</html>"]
    return "\n".join([*lines, ""])
