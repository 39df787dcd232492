"""``classification_report``: precision, recall, F1 and support of each class, and their means, as a table of text."""

from __future__ import annotations

from ..checks import in_order, require_size
from ..errors import ArgumentError
from ..escapes import printable
from .classification import scores
from .inputs import Answers, chosen_labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Row = tuple[Any, ...]  # name, precision, recall, F1, support

HEADERS = ("precision", "recall", "f1-score", "support")


def classification_report(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    target_names: Any = None,
    sample_weight: Any = None,
    digits: int = 2,
    output_dict: bool = False,
    zero_division: str | float = "warn",
) -> Any:
    """A table as text: a line for each label, then accuracy, macro and weighted mean (multilabel: all four means).

    ``target_names`` are shown instead of the labels, one for each, in their order. ``labels``, ``sample_weight`` and
    ``zero_division`` are those of ``precision_recall_fscore_support``; where ``labels`` leave some out, there is a
    micro mean instead of the accuracy. ``digits`` are those after the point. With ``output_dict=True`` it is a dict of
    dicts. In the text, what does not print is escaped.
    """
    digits = require_size("digits", digits, 0, 17)
    answers = Answers(y_true, y_pred, sample_weight)
    named = answers.labels if labels is None else chosen_labels(labels)
    names = [str(label) for label in named] if target_names is None else in_order(target_names)
    if names is None or len(names) != len(named):
        came = "no list of them" if names is None else str(len(names))
        raise ArgumentError(f"target_names must be as many names as there are labels, {len(named)}, got {came}")
    rows, means = rows_of_report(answers, named, [str(name) for name in names], zero_division)
    if output_dict:
        return _as_dict(rows, means)
    return table([(printable(name), *values) for name, *values in rows], means, digits)


def rows_of_report(
    answers: Answers, labels: Sequence[Any], names: Sequence[str], zero_division: str | float
) -> tuple[list[Row], list[Row]]:
    """(a row for each label, one for each mean): name, precision, recall, F1, support."""
    precision, recall, f1, support = scores(answers, labels, None, zero_division=zero_division)
    rows = list(zip(names, precision, recall, f1, support))
    whole = not answers.multilabel and {*answers.labels} <= {*labels}
    means = []
    for average in ("micro", "macro", "weighted", *["samples"] * answers.multilabel):
        name = "accuracy" if average == "micro" and whole else f"{average} avg"
        means.append((name, *scores(answers, labels, average, zero_division=zero_division)[:3], sum(support)))
    return rows, means


def table(rows: Sequence[Row], means: Sequence[Row], digits: int) -> str:
    """The text. A support that is a sum of weights has no more digits than the other numbers."""
    width = max(len("weighted avg"), digits, *[width_of(name) for name, *_ in rows])
    lines = [" " * width + " " + "".join([f" {header:>9}" for header in HEADERS]), ""]
    lines += [_line(name, values, width, digits) for name, *values in rows] + [""]
    for name, *values in means:
        if name == "accuracy":
            values[:2] = ["", ""]
        lines.append(_line(name, values, width, digits))
    return "\n".join(lines) + "\n"


def _line(name: str, values: Sequence[Any], width: int, digits: int) -> str:
    *ratios, support = values
    cells = [f"{v:.{digits}f}" if v != "" else "" for v in ratios]
    cells.append(str(round(support, digits) if isinstance(support, float) else support))
    return right(name, width) + " " + "".join([f" {cell:>9}" for cell in cells])


def width_of(text: str) -> int:
    """How many columns a printable text takes in a terminal: two for each wide character, such as a Chinese one."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum((1 + (east_asian_width(c) in "WF")) * (not combining(c)) for c in text)


def right(text: str, width: int) -> str:
    """The text at the right of so many columns."""
    return " " * (width - width_of(text)) + text


def _as_dict(rows: Sequence[Row], means: Sequence[Row]) -> dict[str, Any]:
    found: dict[str, Any] = {name: dict(zip(HEADERS, map(float, values))) for name, *values in [*rows, *means]}
    if "accuracy" in [name for name, *_ in means]:
        found["accuracy"] = found["accuracy"]["precision"]
    return found
