"""What the command lines say with ``--metrics``: all that there is to measure, as plain data and as text.

The data are for JSON. The text is for a terminal: it keeps within a width, escapes what class names would do there, and
of many classes it shows those that matter.
"""

from __future__ import annotations

from ..escapes import printable
from ..preprocessing.labels import class_numbers
from .classification import accuracy, confusions
from .inputs import Answers, weighted_mean
from .probabilities import area_under_roc, losses_of
from .regression import mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error
from .report import right, rows_of_report, table, width_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..preprocessing.labels import Label

MOST_IN_A_MATRIX = 100  # classes: the entries of a matrix are their square
MOST_IN_A_TABLE = 50  # classes with a line of their own, beyond which there are the worst
WORST = 20
CONFUSIONS = 10
LONGEST_NAME = 24
DIGITS = 4


def of_classes(
    true: Sequence[Label],
    predicted: Sequence[Label],
    probabilities: Sequence[Sequence[float]],
    classes: Sequence[Label],
) -> dict[str, Any]:
    """Everything about answers of a classifier, whose ``probabilities`` are in the order of its ``classes``.

    The area under the ROC curve is that of the second of two classes, or the mean over all that have rows, each against
    the rest; None where no class has both sorts of rows. There is a confusion matrix for up to 100 classes.
    """
    answers = Answers(true, predicted)
    rows, means = rows_of_report(answers, classes, [""] * len(classes), 0.0)
    names = "precision", "recall", "f1", "support"
    numbers = class_numbers(answers.true, classes)
    return {
        "accuracy": accuracy(answers),
        "log_loss": weighted_mean(losses_of(numbers, probabilities), None),
        "roc_auc": _area(numbers, probabilities, len(classes)),
        "classes": [{"class": c, **dict(zip(names, row[1:]))} for c, row in zip(classes, rows)],
        **{name.replace(" ", "_"): dict(zip(names[:3], values)) for name, *values in means[1:]},
        "confusion_matrix": confusions(answers.true, answers.predicted, classes) if _few(classes) else None,
        "most_confused": _most_confused(answers, classes),
    }


def _few(classes: Sequence[Label]) -> bool:
    return len(classes) <= MOST_IN_A_MATRIX


def _area(numbers: Sequence[int], probabilities: Sequence[Sequence[float]], classes: int) -> float | None:
    columns = list(zip(*probabilities))
    measured = [1] if classes == 2 else sorted({*numbers})
    areas = [area_under_roc([k == number for number in numbers], columns[k]) for k in measured]
    known = [area for area in areas if area == area]
    return weighted_mean(known, None) if known else None


def _most_confused(answers: Answers, classes: Sequence[Label]) -> list[dict[str, Any]]:
    counts: dict[tuple[Any, Any], int] = {}
    for pair in zip(answers.true, answers.predicted):
        if pair[0] != pair[1]:
            counts[pair] = counts.get(pair, 0) + 1
    place = {label: number for number, label in enumerate(classes)}
    order = sorted(counts, key=lambda pair: (-counts[pair], place[pair[0]], place[pair[1]]))
    return [{"true": t, "predicted": p, "rows": counts[t, p]} for t, p in order[:CONFUSIONS]]


def of_numbers(true: Sequence[float], predicted: Sequence[float]) -> dict[str, Any]:
    """Everything about predicted numbers; R² is None where the true ones do not differ."""
    return {
        "mean_absolute_error": mean_absolute_error(true, predicted),
        "mean_squared_error": mean_squared_error(true, predicted),
        "root_mean_squared_error": root_mean_squared_error(true, predicted),
        "r2": r2_score(true, predicted) if len({*true}) > 1 else None,
    }


# --- as text -----------------------------------------------------------------------------------------------


def described_numbers(found: dict[str, Any]) -> list[str]:
    """Lines on the errors of predicted numbers, in the unit of these."""
    return [
        f"{name.replace('_', ' ')}: {found[name]:.6g}" for name in ("mean_absolute_error", "root_mean_squared_error")
    ]


def described_classes(found: dict[str, Any], width: int = 80) -> list[str]:
    """Lines on what ``of_classes`` found, none of them wider than ``width``, if that is at least 60."""
    labels = [entry["class"] for entry in found["classes"]]
    names = [name_of(label, width - 41) for label in labels]
    return [
        f"log loss: {found['log_loss']:.{DIGITS}g}",
        _described_area(found),
        "",
        *_described_table(found, names),
        "",
        *_described_confusions(found, names, width),
    ]


def name_of(label: Any, room: int = LONGEST_NAME) -> str:
    """A class as printable text of at most so many columns (but 12 in any case), whoever named it."""
    room = max(min(room, LONGEST_NAME), len("weighted avg"))
    whole = str(label)
    text = printable(whole[: room + 1])
    if len(whole) <= room and width_of(text) <= room:
        return text
    while width_of(text) > room - 3:
        text = text[:-1]
    return text + "..."


def _described_area(found: dict[str, Any]) -> str:
    if found["roc_auc"] is None:
        return "ROC AUC: undefined, as all rows are of one class"
    classes = found["classes"]
    seen = sum(bool(entry["support"]) for entry in classes)
    how = "" if len(classes) == 2 else f" (mean of {seen:,} classes, one-vs-rest)"
    return f"ROC AUC: {found['roc_auc']:.{DIGITS}f}{how}"


def _described_table(found: dict[str, Any], names: Sequence[str]) -> list[str]:
    rows = [(name, *_scores(entry), entry["support"]) for name, entry in zip(names, found["classes"])]
    total = sum(entry["support"] for entry in found["classes"])
    means: list[tuple[Any, ...]] = [("accuracy", "", "", found["accuracy"], total)]
    means += [(f"{kind} avg", *_scores(found[f"{kind}_avg"]), total) for kind in ("macro", "weighted")]
    if len(rows) <= MOST_IN_A_TABLE:
        return table(rows, means, DIGITS).splitlines()
    worst = sorted([row for row in rows if row[-1]], key=lambda row: row[3])[:WORST]
    intro = f"the {len(worst)} worst of {len(rows):,} classes by F1"
    return [intro, "", *table(worst, means, DIGITS).splitlines()]


def _scores(entry: dict[str, Any]) -> tuple[float, float, float]:
    return entry["precision"], entry["recall"], entry["f1"]


def _described_confusions(found: dict[str, Any], names: Sequence[str], width: int) -> list[str]:
    lines = confusion_lines(found["confusion_matrix"], names, width) if found["confusion_matrix"] else []
    if lines:
        return ["confusion matrix (rows: true, columns: predicted)", *lines]
    if not found["most_confused"]:
        return ["no row was taken for another class"]
    room = (width - 12) // 2
    entries = [
        (str(entry["rows"]), name_of(entry["true"], room), name_of(entry["predicted"], room))
        for entry in found["most_confused"]
    ]
    counts, longest = (max(map(width_of, column)) for column in [*zip(("rows", "true", ""), *entries)][:2])
    return ["most frequent confusions"] + [
        f"  {right(count, counts)}  {t}{' ' * (longest - width_of(t))}  {p}"
        for count, t, p in [("rows", "true", "predicted"), *entries]
    ]


def confusion_lines(matrix: Sequence[Sequence[float]], names: Sequence[str], width: int = 80) -> list[str]:
    """A confusion matrix of counts as lines no wider than ``width``; where names are too long for the columns, these
    are numbered from 1; none if even that does not fit. A point stands for 0, so that what is confused can be seen."""
    numbered = [str(number) for number in range(1, len(names) + 1)]
    cells = [[str(v) if v else "." for v in row] for row in matrix]
    for heads, columns in ((names, names), ([f"{name} {k}" for name, k in zip(names, numbered)], numbered)):
        first = max(map(width_of, heads))
        each = max(width_of(text) for row in [columns, *cells] for text in row)
        if first + 1 + (1 + each) * len(names) <= width:
            rows = zip(["", *heads], [columns, *cells])
            return [f"{right(head, first)} " + "".join([f" {right(v, each)}" for v in row]) for head, row in rows]
    return []
