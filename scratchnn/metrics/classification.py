"""How well classes were told apart: accuracy, the confusion matrix, precision, recall and F of each label.

Of a label, *precision* is how much of what was taken for it is it, *recall* how much of it was found, and F_β their
weighted harmonic mean, in which recall counts β times as much (van Rijsbergen, Information Retrieval, 1979, chapter 7).

Labels are whole numbers, texts or bools, one a row, or, where several may be right at once (multilabel), rows of 0 and
1. Weighted sums are exact before they are rounded, so that the order of rows never matters.
"""

from __future__ import annotations

import math
from itertools import repeat
from operator import eq, mul

from ..checks import finite_number, in_order, listed, shown
from ..errors import ArgumentError
from ..preprocessing.labels import as_labels, find_classes
from .inputs import Answers, chosen_labels, flags, plain_or_flags, warn, weighted_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..preprocessing.labels import Label

    Events = Iterable[tuple[Any, float]]  # what happened, and the weight of the row in which it did

METRICS = ("precision", "recall", "f-score")
AVERAGES = ("micro", "macro", "weighted", "samples")
_MISSING = {"precision": "predicted", "recall": "true", "f-score": "true or predicted"}


def accuracy_score(y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None) -> float:
    """The fraction of rows whose label was predicted (multilabel: all of whose flags were).

    With ``normalize=False`` their number, or, with ``sample_weight`` (one number a row), the sum of their weights.
    """
    answers = Answers(y_true, y_pred, sample_weight)
    return accuracy(answers) if normalize else math.fsum(map(mul, hits(answers), answers.weights or repeat(1.0)))


def hits(answers: Answers) -> list[float]:
    """1 for each row that was predicted rightly, and 0 for the others."""
    return [*map(float, map(eq, answers.true, answers.predicted))]


def accuracy(answers: Answers) -> float:
    """``accuracy_score`` of answers that were checked."""
    return weighted_mean(hits(answers), answers.weights)


def unique_labels(*ys: Any) -> list[Label]:
    """All labels that occur in some sequences of them, in order: those of a confusion matrix's rows and columns.

    Of rows of 0 and 1 the numbers of their columns.
    """
    if not ys:
        raise ArgumentError("unique_labels needs at least one sequence of labels")
    kept: list[Any] = []
    for y in ys:
        values = plain_or_flags(y, "y")
        if isinstance(values[0], list):
            flags(values, len(values[0]), "y")
            values = [*range(len(values[0]))]
        kept += values
    return find_classes(kept)


# --- the confusion matrix ----------------------------------------------------------------------------------


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, sample_weight: Any = None, normalize: str | None = None
) -> list[list[float]]:
    """How many rows of the i-th label were taken for the j-th, as a list of lists: a row for each true label.

    ``labels`` says which there are and in which order (not given: ``unique_labels(y_true, y_pred)``); rows with others
    are left out. Entries are ints, or sums of ``sample_weight`` as floats, or with ``normalize`` fractions: of each row
    ("true"), of each column ("pred") or of "all"; 0 where there is nothing to divide by. Multilabel rows are refused
    (``ArgumentError``).
    """
    answers = Answers(y_true, y_pred, sample_weight)
    answers.require_single("confusion_matrix")
    if normalize is not None and (not isinstance(normalize, str) or normalize not in ("true", "pred", "all")):
        raise ArgumentError(f"normalize must be 'true', 'pred', 'all' or None, got {shown(normalize)}")
    named = answers.labels if labels is None else chosen_labels(labels)
    if not {*named} & {*answers.true}:
        raise ArgumentError(f"none of the labels {listed(named)} is in y_true")
    matrix = confusions(answers.true, answers.predicted, named, answers.weights)
    return matrix if normalize is None else _normalized(matrix, normalize)


def confusions(
    true: Sequence[Label], predicted: Sequence[Label], labels: Sequence[Label], weights: Sequence[float] | None = None
) -> list[list[float]]:
    """The confusion matrix of labels that were checked."""
    position = {label: number for number, label in enumerate(labels)}
    matrix: list[list[float]] = [[0 if weights is None else 0.0] * len(labels) for _ in labels]
    pairs = zip(map(position.get, true), map(position.get, predicted))
    for (i, j), count in _tally(_events(pairs, weights), weights is None).items():
        if i is not None and j is not None:
            matrix[i][j] = count
    return matrix


def _normalized(matrix: list[list[float]], normalize: str) -> list[list[float]]:
    columns = [math.fsum(column) for column in zip(*matrix)]
    if normalize == "pred":
        totals = [columns] * len(matrix)
    elif normalize == "true":
        totals = [[math.fsum(row)] * len(row) for row in matrix]
    else:
        totals = [[math.fsum(columns)] * len(row) for row in matrix]
    return [[v / total if total else 0.0 for v, total in zip(*rows)] for rows in zip(matrix, totals)]


# --- precision, recall, F ----------------------------------------------------------------------------------


def precision_recall_fscore_support(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float = 1.0,
    labels: Any = None,
    pos_label: Label = 1,
    average: str | None = None,
    warn_for: Sequence[str] = METRICS,
    sample_weight: Any = None,
    zero_division: str | float = "warn",
) -> tuple[Any, Any, Any, Any]:
    """(precision, recall, F, support): lists with a number for each label, in their order or in that of ``labels``.

    The support of a label is how many rows it is true of. With ``average`` these are three numbers and None: "macro" is
    the mean over labels, "weighted" one in which each counts by its support, "micro" that of all rows together,
    "samples" (multilabel only) the mean over rows, and "binary" that of ``pos_label`` alone, where there are not more
    than two labels. ``labels`` may leave some out, and name some that do not occur; multilabel, they are numbers of
    columns. Where nothing can be divided by, because a label is never predicted or never true, the value is
    ``zero_division``: 0, 1, NaN (which is left out of means), or "warn": 0, with an ``UndefinedMetricWarning`` for each
    metric in ``warn_for``.
    """
    answers = Answers(y_true, y_pred, sample_weight)
    named = _labels_for(answers, labels, pos_label, average)
    return scores(answers, named, average, beta, zero_division, warn_for)


def precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Label = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: str | float = "warn",
) -> Any:
    """How much of what was taken for a label is it: see ``precision_recall_fscore_support``."""
    answers = Answers(y_true, y_pred, sample_weight)
    named = _labels_for(answers, labels, pos_label, average)
    return scores(answers, named, average, 1.0, zero_division, ("precision",))[0]


def recall_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Label = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: str | float = "warn",
) -> Any:
    """How much of a label was found: see ``precision_recall_fscore_support``."""
    answers = Answers(y_true, y_pred, sample_weight)
    named = _labels_for(answers, labels, pos_label, average)
    return scores(answers, named, average, 1.0, zero_division, ("recall",))[1]


def f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Label = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: str | float = "warn",
) -> Any:
    """The harmonic mean of precision and recall: see ``precision_recall_fscore_support``."""
    return fbeta_score(
        y_true,
        y_pred,
        beta=1.0,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )


def fbeta_score(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float,
    labels: Any = None,
    pos_label: Label = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: str | float = "warn",
) -> Any:
    """The harmonic mean of precision and recall in which recall counts ``beta`` times as much (0: precision alone,
    infinity: recall alone): see ``precision_recall_fscore_support``."""
    answers = Answers(y_true, y_pred, sample_weight)
    named = _labels_for(answers, labels, pos_label, average)
    return scores(answers, named, average, beta, zero_division, ("f-score",))[2]


def _labels_for(answers: Answers, labels: Any, pos_label: Any, average: Any) -> list[Any]:
    """Which labels are measured; ``ArgumentError`` where they, or the average over them, do not go with the answers."""
    if average is not None and (not isinstance(average, str) or average not in (*AVERAGES, "binary")):
        raise ArgumentError(f"average must be {listed(['binary', *AVERAGES])} or None, got {shown(average)}")
    if average == "samples" and not answers.multilabel:
        raise ArgumentError("average='samples' is for rows of 0 and 1 (multilabel): here is one label a row")
    if average == "binary":
        return [_positive(answers, pos_label)]
    if labels is None:
        return answers.labels
    named = chosen_labels(labels)
    strange = [label for label in named if label not in answers.labels] if answers.multilabel else []
    if strange:
        raise ArgumentError(
            f"labels of multilabel rows are numbers of columns, 0 to {len(answers.labels) - 1}, got {shown(strange[0])}"
        )
    return named


def _positive(answers: Answers, pos_label: Any) -> Label:
    present = answers.labels
    if answers.multilabel or len(present) > 2:
        found = f"rows of {len(present)} flags" if answers.multilabel else f"{len(present)} labels"
        options = listed(AVERAGES if answers.multilabel else AVERAGES[:-1])
        raise ArgumentError(f"average='binary' is for two labels, here are {found}: take {options} or None")
    if not isinstance(pos_label, str) and hasattr(pos_label, "__len__"):
        raise ArgumentError(f"pos_label must be a single label, got {shown(pos_label)}")
    (positive,) = as_labels([pos_label], "pos_label")
    if len(present) == 2 and positive not in present:
        raise ArgumentError(f"pos_label {shown(positive)} is not one of the labels {listed(present)}")
    return positive


def scores(
    answers: Answers,
    labels: Sequence[Any],
    average: str | None,
    beta: float = 1.0,
    zero_division: str | float = "warn",
    warn_for: Sequence[str] = METRICS,
) -> tuple[Any, Any, Any, Any]:
    """``precision_recall_fscore_support`` of answers and labels that were checked."""
    undefined, warns = _for_undefined(zero_division)
    told = in_order(warn_for)
    if told is None:
        raise ArgumentError(f"warn_for must be a list of {listed(METRICS)}, got {shown(warn_for)}")
    share = _square(beta)
    right, predicted, true = counts(answers, labels, average == "samples")
    if average == "micro":
        right, predicted, true = ([math.fsum(values)] for values in (right, predicted, true))
    found = {
        "precision": (right, predicted),
        "recall": (right, true),
        "f-score": ([(1.0 + share) * v for v in right], [share * t + p for t, p in zip(true, predicted)]),
    }
    if share == math.inf:
        found["f-score"] = found["recall"]
    if warns:
        where = {"samples": "rows", "micro": "all labels"}.get(average or "", "labels")
        for metric in [name for name in METRICS if name in told and 0 in found[name][1]]:
            warn(
                f"{metric} is not defined for {where} with no {_MISSING[metric]} samples, and counts as 0 there; "
                "zero_division= says what it shall be"
            )
    ratios = [[n / d if d else undefined for n, d in zip(*found[metric])] for metric in METRICS]
    if average is None:
        return (*ratios, true)  # type: ignore[return-value]
    weights = {"weighted": true, "samples": answers.weights}.get(average)
    precision, recall, f = (_mean_of_numbers(values, weights) for values in ratios)
    return precision, recall, f, None


def _for_undefined(zero_division: Any) -> tuple[float, bool]:
    """(the value where nothing can be divided by, whether to warn of it)."""
    if isinstance(zero_division, str) and zero_division == "warn":
        return 0.0, True
    known = isinstance(zero_division, (int, float)) and (zero_division in (0, 1) or zero_division != zero_division)
    if not known:
        raise ArgumentError(f"zero_division must be 0, 1, NaN or 'warn', got {shown(zero_division)}")
    return float(zero_division), False


def _square(beta: Any) -> float:
    """β²; infinity if it is beyond all doubles."""
    value = math.inf if isinstance(beta, float) and beta == math.inf else finite_number(beta)
    if not value >= 0.0:
        raise ArgumentError(f"beta must be a number of at least 0, got {shown(beta)}")
    return value * value


def _mean_of_numbers(values: Sequence[float], weights: Sequence[float] | None) -> float:
    """The mean of those that are no NaN; where their weights add up to 0, as if there were none."""
    kept = [number for number, value in enumerate(values) if value == value]
    if not kept:
        return math.nan
    numbers = [values[k] for k in kept]
    chosen = None if weights is None else [weights[k] for k in kept]
    return weighted_mean(numbers, chosen if chosen is not None and any(chosen) else None)


# --- counting ----------------------------------------------------------------------------------------------


def counts(
    answers: Answers, labels: Sequence[Any], by_row: bool = False
) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """(predicted and true, predicted, true) for each of the labels, or of flags for each row: numbers of rows, or sums
    of their weights."""
    weights = None if by_row else answers.weights
    keys = range(len(answers.true)) if by_row else labels
    happened: list[Iterable[tuple[Any, float]]]
    if answers.multilabel:
        both = [[*map(int.__and__, *rows)] for rows in zip(answers.true, answers.predicted)]
        happened = [_flagged(rows, labels, weights, by_row) for rows in (both, answers.predicted, answers.true)]
    else:
        found = [t if t == p else _NOTHING for t, p in zip(answers.true, answers.predicted)]
        happened = [_events(of, weights) for of in (found, answers.predicted, answers.true)]
    totals = [_tally(events, weights is None) for events in happened]
    nothing = 0 if weights is None else 0.0
    right, predicted, true = ([total.get(key, nothing) for key in keys] for total in totals)
    return right, predicted, true


_NOTHING = object()


def _events(keys: Iterable[Any], weights: Sequence[float] | None) -> Events:
    return ((key, 1) for key in keys) if weights is None else zip(keys, weights)


def _flagged(rows: Iterable[Sequence[int]], labels: Sequence[int], weights: Any, by_row: bool) -> Events:
    """The flags that are set, each named by its label, or by the number of its row."""
    for number, (row, weight) in enumerate(_events(rows, weights)):
        for label in labels:
            if row[label]:
                yield (number if by_row else label), weight


def _tally(events: Events, whole: bool) -> dict[Any, float]:
    """How much of each there was: whole numbers added as they come, others exactly."""
    if whole:
        totals: dict[Any, float] = {}
        for key, count in events:
            totals[key] = totals.get(key, 0) + count
        return totals
    parts: dict[Any, list[float]] = {}
    for key, weight in events:
        parts.setdefault(key, []).append(weight)
    return {key: math.fsum(weights) for key, weights in parts.items()}
