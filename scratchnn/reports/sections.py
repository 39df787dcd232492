"""What a report says of answers: key figures, metrics, figures, and the mistakes that say most.

``measured`` takes a model, rows and what is true of them, and gives the parts for its task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..metrics import summary
from ..metrics.inputs import Answers
from ..metrics.report import rows_of_report
from ..plots.figure import Figure, side_by_side
from ..plots.lettering import number, share
from ..plots.matrices import confusion_matrix
from ..plots.pictures import images
from ..plots.regression import prediction_error, residuals
from ..preprocessing.labels import class_numbers
from ..preprocessing.tables import taken
from .markup import Markup, element, table
from .mistakes import Mistake, confident, confident_flags, largest_errors, percent
from .rows import feature_cells, feature_header

MOST_IMAGES, MOST_ROWS = 24, 12  # of the mistakes
MOST_PAIRS = 10  # of images, and what was made of them
MOST_LABELS = 5  # of a row with several, in a table
PLOTTED = 4  # numbers to be predicted with a figure of their own


class Measured(NamedTuple):
    """``key`` are pairs of a name and a figure, ``parts`` the sections below them."""

    key: list[tuple[str, str]]
    parts: list[Markup]


class Rows(NamedTuple):
    """Rows that were asked about: as they came, their (channels, height, width) if they are images, and the names of
    their features, if they have any."""

    rows: Any
    shape: tuple[int, int, int] | None
    names: Sequence[str]

    @property
    def width(self) -> int:
        """Numbers a row."""
        return len(self.rows[0])


def measured(model: Any, rows: Rows, targets: Sequence[Any]) -> Measured:
    """What there is to say of a fitted model's answers. ``targets`` are class numbers, or lists of numbers or flags."""
    if model.task == "classification":
        return _of_classes(model, rows, targets)
    if model.task == "multilabel":
        return _of_labels(model, rows, targets)
    return _of_numbers(model, rows, targets)


def section(title: str, *parts: Markup) -> Markup:
    """A part of the page under a heading."""
    return element("section", element("h2", title), *parts)


def figure(drawn: Figure) -> Markup:
    """A figure in the page."""
    return element("figure", Markup(drawn.svg()), tabindex="0")


def note(text: str) -> Markup:
    """A word on what is shown."""
    return element("p", text, class_="note")


def scrolling(content: Markup) -> Markup:
    """What may be wider than the page."""
    return element("div", content, class_="scroll", tabindex="0")


# --- classes -----------------------------------------------------------------------------------------------


def _of_classes(model: Any, rows: Rows, targets: Sequence[Any]) -> Measured:
    classes = model.classes
    numbers = [int(target[0]) if isinstance(target, list) else target for target in targets]
    predictions, probabilities = model.predict_with_proba(rows.rows)
    guesses = class_numbers(predictions, classes)
    found = summary.of_classes([classes[k] for k in numbers], predictions, probabilities, classes)
    wrong = sum(k != guess for k, guess in zip(numbers, guesses))
    key = [("accuracy", share(len(numbers) - wrong, len(numbers))), (f"wrong of {len(numbers):,} rows", f"{wrong:,}")]
    key.append(("log loss", number(found["log_loss"])))
    if found["roc_auc"] is not None:
        key.append(("ROC AUC" if len(classes) == 2 else "ROC AUC (mean)", f"{found['roc_auc']:.4f}"))
    mistakes = confident(numbers, guesses, probabilities, MOST_IMAGES if rows.shape else MOST_ROWS)
    parts = [_scores_of_classes(found), _confusions(found, classes)]
    return Measured(key, [*parts, _mistakes(rows, mistakes, wrong, [str(name) for name in classes])])


def _scores_of_classes(found: dict[str, Any]) -> Markup:
    names = [str(entry["class"]) for entry in found["classes"]]
    lines = [[entry[measure] for measure in ("precision", "recall", "f1", "support")] for entry in found["classes"]]
    total = sum(entry["support"] for entry in found["classes"])
    means = [["accuracy", "", "", found["accuracy"], total]]
    for kind in ("macro", "weighted"):
        entry = found[f"{kind}_avg"]
        means.append([f"{kind} mean", entry["precision"], entry["recall"], entry["f1"], total])
    return section("Metrics by class", *_score_table("class", names, lines, means))


def _score_table(what: str, names: Sequence[str], lines: Sequence[Any], means: Sequence[Any]) -> list[Markup]:
    """Precision, recall, F1 and support of each class or label; of very many the worst."""
    entries = [(name, *line) for name, line in zip(names, lines)]
    parts = []
    if len(entries) > summary.MOST_IN_A_TABLE:
        entries = sorted([entry for entry in entries if entry[-1]], key=lambda entry: entry[3])[: summary.WORST]
        parts.append(note(f"The {len(entries)} worst of {len(names):,} by F1."))
    cells = [[name, *map(_ratio, ratios), f"{support:,}"] for name, *ratios, support in entries]
    foot = [[name, *map(_ratio, ratios), f"{support:,}"] for name, *ratios, support in means]
    return [*parts, scrolling(table([what, "precision", "recall", "F1", "rows"], cells, foot=foot))]


def _ratio(value: Any) -> str:
    return "" if value == "" else f"{value:.4f}"


def _confusions(found: dict[str, Any], classes: Sequence[Any]) -> Markup:
    if found["confusion_matrix"]:
        drawn = confusion_matrix(found["confusion_matrix"], labels=classes, title="True and predicted classes")
        return section("Confusion matrix", figure(drawn))
    pairs = [[str(entry["true"]), str(entry["predicted"]), f"{entry['rows']:,}"] for entry in found["most_confused"]]
    if not pairs:
        return section("Confusions", note("No row was taken for another class."))
    return section("Most frequent confusions", scrolling(table(["true", "predicted", "rows"], pairs, text=(0, 1))))


def _mistakes(rows: Rows, mistakes: Sequence[Mistake], wrong: int, names: Sequence[str]) -> Markup:
    title = "Most confident mistakes"
    if not mistakes:
        return section(title, note("There are none: every row was answered rightly."))
    which = f"The {len(mistakes)} that the network was surest of, out of {wrong:,}." if wrong > len(mistakes) else ""
    shown = [*taken(rows.rows, [mistake.row for mistake in mistakes])]
    if rows.shape is not None:
        words = [f"{names[m.predicted]}, true {names[m.true]}: {percent(m.weight)}" for m in mistakes]
        said = "Below each image: what it was taken for, what it is, and the probability of the wrong answer."
        drawn = _images(rows, shown, words, "Images taken for another class")
        return section(title, note(f"{which} {said}".strip()), figure(drawn))
    lines = [
        [f"{m.row + 1:,}", names[m.true], names[m.predicted], percent(m.weight), *feature_cells(row)]
        for m, row in zip(mistakes, shown)
    ]
    header = ["row", "true", "predicted", "probability", *feature_header(rows.names, len(shown[0]))]
    return section(title, *[note(which)] * bool(which), scrolling(table(header, lines, text=(1, 2))))


def _images(rows: Rows, shown: Sequence[Any], words: Sequence[str], title: str) -> Figure:
    """The images, all of them marked as wrong."""
    return images(shown, [1] * len(shown), [0] * len(shown), shape=rows.shape, captions=words, title=title)


# --- any number of labels a row ----------------------------------------------------------------------------


def _of_labels(model: Any, rows: Rows, targets: Sequence[Any]) -> Measured:
    predictions, probabilities = model.predict_with_proba(rows.rows)
    true = [[int(flag) for flag in target] for target in targets]
    answers = Answers(true, predictions)
    names = [f"label {k}" for k in answers.labels]
    scores, means = rows_of_report(answers, answers.labels, names, 0.0)
    right = sum(flags == guesses for flags, guesses in zip(true, answers.predicted))
    wrong_flags = sum(a != b for flags, guesses in zip(true, answers.predicted) for a, b in zip(flags, guesses))
    flags = len(true) * len(names)
    key = [
        ("rows with all labels right", share(right, len(true))),
        ("labels right", share(flags - wrong_flags, flags)),
        ("F1 (mean of labels)", f"{next(mean[3] for mean in means if mean[0] == 'macro avg'):.4f}"),
        ("rows", f"{len(true):,}"),
    ]
    foot = [(name.replace("avg", "mean"), *values) for name, *values in means]
    table_of_scores = section("Metrics by label", *_score_table("label", names, [row[1:] for row in scores], foot))
    mistakes = confident_flags(true, answers.predicted, probabilities, MOST_ROWS)
    named = [m._replace(true=_labels(m.true), predicted=_labels(m.predicted)) for m in mistakes]
    return Measured(key, [table_of_scores, _wrong_rows(rows, named, len(true) - right)])


def _labels(places: Sequence[int]) -> str:
    """The labels of a row in a few words."""
    return " ".join([*map(str, places[:MOST_LABELS]), *["…"] * (len(places) > MOST_LABELS)]) or "none"


def _wrong_rows(rows: Rows, mistakes: Sequence[Mistake], wrong: int) -> Markup:
    title = "Most confident mistakes"
    if not mistakes:
        return section(title, note("There are none: every row has all of its labels right."))
    said = "Labels are counted from 0; the probability is that of the wrong label the network was surest of."
    which = f"The first {len(mistakes)} of {wrong:,} rows that are not all right. " if wrong > len(mistakes) else ""
    shown = [*taken(rows.rows, [mistake.row for mistake in mistakes])]
    lines = [
        [f"{m.row + 1:,}", m.true, m.predicted, percent(m.weight), *([] if rows.shape else feature_cells(row))]
        for m, row in zip(mistakes, shown)
    ]
    header = ["row", "true labels", "predicted labels", "probability"]
    header += [] if rows.shape else feature_header(rows.names, len(shown[0]))
    parts = [note(which + said), scrolling(table(header, lines, text=(1, 2)))]
    if rows.shape is not None:
        words = [f"row {m.row + 1:,}" for m in mistakes]
        parts.append(figure(_images(rows, shown, words, "The same rows as images")))
    return section(title, *parts)


# --- numbers -----------------------------------------------------------------------------------------------


def _of_numbers(model: Any, rows: Rows, targets: Sequence[Any]) -> Measured:
    predictions = model.predict(rows.rows)
    guesses = [value if isinstance(value, list) else [value] for value in predictions]
    columns = [*zip(zip(*targets), zip(*guesses))]
    found = [summary.of_numbers(true, predicted) for true, predicted in columns]
    known = [entry["r2"] for entry in found if entry["r2"] is not None]
    several = " (mean)" if len(found) > 1 else ""
    key = [(f"R²{several}", f"{sum(known) / len(known):.4f}" if known else "undefined")]
    for name, measure in (("root mean squared error", "root_mean_squared_error"), ("mean absolute error",) * 2):
        mean = math.fsum(entry[measure.replace(" ", "_")] / len(found) for entry in found)
        key.append((name + several, number(mean, 5)))
    key.append(("rows", f"{len(targets):,}"))
    parts = [section("Predictions", *_of_outputs(columns, found))]
    if rows.shape is not None and len(found) == len(targets[0]) == rows.width:
        return Measured(key, [*parts, _as_images(rows, targets, guesses)])
    units = [entry["root_mean_squared_error"] or 1.0 for entry in found]
    largest = largest_errors(targets, guesses, units if several else [1.0], MOST_IMAGES if rows.shape else MOST_ROWS)
    return Measured(key, [*parts, _errors(rows, [m for m in largest if m.weight], bool(several))])


def _of_outputs(columns: Sequence[Any], found: Sequence[dict[str, Any]]) -> list[Markup]:
    if len(columns) == 1:
        true, predicted = columns[0]
        return [figure(side_by_side([prediction_error(true, predicted), residuals(true, predicted)]))]
    drawn = [prediction_error(*column, title=f"output {k}") for k, column in enumerate(columns[:PLOTTED])]
    lines = [
        [
            f"output {k}",
            "–" if entry["r2"] is None else f"{entry['r2']:.4f}",
            number(entry["root_mean_squared_error"], 5),
            number(entry["mean_absolute_error"], 5),
        ]
        for k, entry in enumerate(found)
    ]
    parts = []
    if len(lines) > summary.MOST_IN_A_TABLE:
        order = sorted(range(len(lines)), key=lambda k: -found[k]["root_mean_squared_error"])[: summary.WORST]
        parts.append(note(f"The {len(order)} of {len(lines):,} numbers with the largest errors."))
        lines = [lines[k] for k in order]
    header = ["number", "R²", "root mean squared error", "mean absolute error"]
    return [*parts, scrolling(table(header, lines)), figure(side_by_side(drawn, columns=2))]


def _as_images(rows: Rows, targets: Sequence[Any], guesses: Sequence[Any]) -> Markup:
    """Images that were to be given back, as an autoencoder does: those that came out worst."""

    def error(place: int) -> float:
        return math.fsum(((true - guess) / rows.width) ** 2 for true, guess in zip(targets[place], guesses[place]))

    worst = sorted(range(len(targets)), key=error, reverse=True)[:MOST_PAIRS]
    lines = {name: [values[place] for place in worst] for name, values in (("true", targets), ("predicted", guesses))}
    drawn = images(lines, shape=rows.shape, title="Images and what was made of them")
    return section("Largest errors", note("The images that differ most from what they were to be."), figure(drawn))


def _errors(rows: Rows, mistakes: Sequence[Mistake], several: bool) -> Markup:
    title = "Largest errors"
    if not mistakes:
        return section(title, note("There are none: every number was predicted exactly."))
    shown = [*taken(rows.rows, [mistake.row for mistake in mistakes])]
    if rows.shape is not None:
        words = [f"{number(m.predicted[1])}, true {number(m.true[1])}" for m in mistakes]
        said = "Below each image: the number that was predicted, and the true one"
        said += ", of that output of the row which is the furthest off." if several else "."
        return section(title, note(said), figure(_images(rows, shown, words, "Images with the largest errors")))
    lines = [
        [
            f"{m.row + 1:,}",
            *[f"output {m.true[0]}"] * several,
            *(number(value, 6) for value in (m.true[1], m.predicted[1], m.predicted[1] - m.true[1])),
            *feature_cells(row),
        ]
        for m, row in zip(mistakes, shown)
    ]
    header = ["row", *["number"] * several, "true", "predicted", "error", *feature_header(rows.names, len(shown[0]))]
    said = "Errors of different outputs are compared in units of their root mean squared errors." * several
    parts = [note(said)] * bool(said)
    return section(title, *parts, scrolling(table(header, lines, text=(1,) * several)))
