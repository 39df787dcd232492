"""How good probabilities are, or scores that rank: log loss, the area under the ROC curve, top-k accuracy.

The area under a ROC curve is the chance that of two rows, one of the class and one not, the first has the higher score,
where a tie counts half (Hanley and McNeil, Radiology 143, 1982): it is computed as that, by ranks, without a curve.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from itertools import accumulate

from ..checks import listed, require_size, shown
from ..errors import ArgumentError, DataError
from ..preprocessing.labels import class_numbers, find_classes
from .inputs import chosen_labels, flags, numbers, plain_or_flags, row_weights, warn, weighted_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..preprocessing.labels import Label

NEAR_ONE = 2.5e-8
"""How far from 1 probabilities may add up to: about the root of a double's precision, as scikit-learn has it."""
NEAR_ONE_TO_RANK = 1.001e-5  # the same where they only rank rows


def log_loss(
    y_true: Any, y_proba: Any, *, normalize: bool = True, sample_weight: Any = None, labels: Any = None
) -> float:
    """The mean of -log(probability given to the true label), in nats; with ``normalize=False`` the sum over rows.

    ``y_proba`` has a row of probabilities for each label of ``y_true``, in ascending order of the labels, or one
    number: the probability of the larger one of two. ``labels`` names all, in ascending order, where some may not
    occur. Probabilities are moved into [2.2e-16, 1 - 2.2e-16], so that no loss is infinite. Multilabel rows are refused
    (``ArgumentError``).
    """
    y = _single_labels(y_true, "log_loss")
    rows = _scores(y_proba, len(y), "y_proba")
    odd = next((v for row in rows for v in row if not 0.0 <= v <= 1.0), None)
    if odd is not None:
        raise DataError(f"y_proba must hold probabilities, from 0 to 1, got {odd!r}")
    if len(rows[0]) == 1:
        rows = [[1.0 - p, p] for (p,) in rows]
    classes = _classes(y, labels, len(rows[0]), "y_proba")
    if not all(abs(math.fsum(row) - 1.0) <= NEAR_ONE for row in rows):
        warn("the rows of y_proba do not add up to 1: are these probabilities?", UserWarning)
    losses = losses_of(class_numbers(y, classes, "y_true"), rows)
    weights = row_weights(sample_weight, len(y))
    if normalize:
        return weighted_mean(losses, weights)
    return math.fsum(losses if weights is None else [w * v for w, v in zip(weights, losses)])


def losses_of(true: Sequence[int], probabilities: Sequence[Sequence[float]]) -> list[float]:
    """-log of the probability that each row gives to its true class number."""
    least = sys.float_info.epsilon
    return [-math.log(min(max(row[k], least), 1.0 - least)) for k, row in zip(true, probabilities)]


def top_k_accuracy_score(
    y_true: Any, y_score: Any, *, k: int = 2, normalize: bool = True, sample_weight: Any = None, labels: Any = None
) -> float:
    """The fraction of rows whose true label is among the ``k`` with the highest scores; else as ``accuracy_score``.

    ``y_score`` has a row of scores for each label, in ascending order of the labels, which ``labels`` names where some
    may not occur. Of equal scores the last one counts as the highest (``predict`` takes the first). For two labels it
    may be one number, the score of the larger one, which is taken if that is above 0.5, or above 0 where scores are no
    probabilities. An ``UndefinedMetricWarning`` tells of a ``k`` that leaves nothing to be wrong. Multilabel rows are
    refused (``ArgumentError``).
    """
    y = _single_labels(y_true, "top_k_accuracy_score")
    k = require_size("k", k)
    rows = _scores(y_score, len(y), "y_score")
    single = len(rows[0]) == 1
    classes = _classes(y, labels, 2 if single else len(rows[0]), "y_score")
    weights = row_weights(sample_weight, len(y))
    if k >= len(classes):
        warn(f"with k = {k} and {len(classes)} labels every row counts as right")
    if single:
        least, most = min(rows)[0], max(rows)[0]
        threshold = 0.5 if least >= 0.0 and most <= 1.0 else 0.0
        rows = [[0.0, 1.0] if score > threshold else [1.0, 0.0] for (score,) in rows]
    hits = [_place(row, j) < k for row, j in zip(rows, class_numbers(y, classes, "y_true"))]
    if normalize:
        return weighted_mean(map(float, hits), weights)
    return math.fsum(hits if weights is None else [w for w, hit in zip(weights, hits) if hit])


def _place(row: Sequence[float], j: int) -> int:
    """How many scores of a row come before the j-th."""
    score = row[j]
    return sum(other > score or (other == score and i > j) for i, other in enumerate(row))


# --- the area under the ROC curve --------------------------------------------------------------------------


def roc_auc_score(
    y_true: Any,
    y_score: Any,
    *,
    average: str | None = "macro",
    sample_weight: Any = None,
    multi_class: str = "raise",
    labels: Any = None,
) -> Any:
    """The area under the ROC curve, from 0 to 1; 0.5 is what chance gives.

    For two labels, ``y_score`` has a number a row, the higher, the more probable is the larger label (of rows of two,
    that is the second). For more, it has a row of probabilities, in ascending order of the labels, which ``labels``
    names where some may not occur, and ``multi_class="ovr"`` has to be said: each class is told from the rest, and
    ``average`` is "macro" (the mean over classes), "weighted" (by how many rows are of the class), "micro" (all
    entries as one problem) or None (a list). The same for multilabel rows, where "samples" is the mean over rows. Where
    all rows are of one class the area is NaN, with an ``UndefinedMetricWarning``. One-vs-one and partial areas are not
    supported.
    """
    answers = plain_or_flags(y_true, "y_true")
    rows = _scores(y_score, len(answers), "y_score")
    weights = row_weights(sample_weight, len(answers))
    several = isinstance(answers[0], list)
    if average is not None and (not isinstance(average, str) or average not in _averages(several)):
        raise ArgumentError(f"average must be {listed(_averages(several))} or None, got {shown(average)}")
    if several:
        if len(rows[0]) != len(answers[0]):
            raise DataError(f"y_score must have {len(answers[0])} numbers a row, as y_true has, got {len(rows[0])}")
        return _averaged(flags(answers, len(answers[0]), "y_true"), rows, average, weights)
    classes = find_classes(answers)
    if len(rows[0]) <= 2 and len(classes) <= 2:
        return area_or_warning([label == classes[-1] for label in answers], [row[-1] for row in rows], weights)
    if not isinstance(multi_class, str) or multi_class != "ovr":
        raise ArgumentError(
            "for more than two labels multi_class must be 'ovr', which tells each from the rest, "
            f"got {shown(multi_class)}"
        )
    classes = _classes(answers, labels, len(rows[0]), "y_score")
    if not all(abs(math.fsum(row) - 1.0) <= NEAR_ONE_TO_RANK for row in rows):
        raise DataError("y_score must hold probabilities for more than two labels: each row adds up to 1")
    numbers_of_classes = class_numbers(answers, classes, "y_true")
    one_hot = [[int(j == k) for j in range(len(classes))] for k in numbers_of_classes]
    return _averaged(one_hot, rows, average, weights)


def _averages(several: bool) -> tuple[str, ...]:
    return ("macro", "weighted", "micro", *["samples"] * several)


def _averaged(
    truth: list[list[int]], rows: list[list[float]], average: str | None, weights: list[float] | None
) -> float | list[float]:
    """The areas of all columns, or their mean."""
    if average == "micro":
        repeated = None if weights is None else [w for w in weights for _ in truth[0]]
        return area_or_warning([v for row in truth for v in row], [v for row in rows for v in row], repeated)
    if average == "samples":
        return weighted_mean([area_or_warning(wanted, row, None) for wanted, row in zip(truth, rows)], weights)
    columns = list(zip(*truth))
    areas = [area_or_warning(column, scores, weights) for column, scores in zip(columns, zip(*rows))]
    if average is None:
        return areas
    if average == "macro":
        return weighted_mean(areas, None)
    counted = [math.fsum(column if weights is None else map(_times, column, weights)) for column in columns]
    if not any(counted):
        return 0.0
    return weighted_mean([area if count else 0.0 for area, count in zip(areas, counted)], counted)


def _times(flag: int, weight: float) -> float:
    return weight if flag else 0.0


def area_or_warning(truth: Sequence[Any], scores: Sequence[float], weights: Sequence[float] | None) -> float:
    """``area_under_roc``, with a warning where it is not defined."""
    area = area_under_roc(truth, scores, weights)
    if area != area:
        warn("the area under the ROC curve is not defined where all rows are of one class")
    return area


def area_under_roc(truth: Sequence[Any], scores: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The chance that a row that is true has a higher score than one that is not; NaN if there is only one sort."""
    if weights is None:
        hits = [(score, 1) for score, flag in zip(scores, truth) if flag]
        others = sorted([score for score, flag in zip(scores, truth) if not flag])
        below: Sequence[int] = range(len(others) + 1)
    else:
        whole = _in_one_unit(weights)
        hits = [(score, w) for score, flag, w in zip(scores, truth, whole) if flag]
        weighted = sorted([(score, w) for score, flag, w in zip(scores, truth, whole) if not flag])
        others = [score for score, _ in weighted]
        below = [0, *accumulate([w for _, w in weighted])]
    pairs = sum([w for _, w in hits]) * below[-1]
    if not pairs:
        return math.nan
    twice = sum([w * (below[bisect_left(others, score)] + below[bisect_right(others, score)]) for score, w in hits])
    return twice / (2 * pairs)  # of whole numbers, so that nothing has been rounded before


def _in_one_unit(weights: Sequence[float]) -> list[int]:
    """Weights as whole numbers of the largest unit that all of them are made of, to be added and multiplied exactly."""
    ratios = [w.as_integer_ratio() for w in weights]
    parts = max([part for _, part in ratios])  # of 1: a power of two, as all of them are
    return [count * (parts // part) for count, part in ratios]


# --- what was given ----------------------------------------------------------------------------------------


def _single_labels(y_true: Any, metric: str) -> list[Label]:
    answers = plain_or_flags(y_true, "y_true")
    if isinstance(answers[0], list):
        raise ArgumentError(f"{metric} takes one label a row, got rows of {len(answers[0])} numbers in y_true")
    return answers


def _scores(values: Any, count: int, name: str) -> list[list[float]]:
    rows = numbers(values, name)
    if len(rows) != count:
        raise DataError(f"y_true and {name} must be of the same length, got {count} and {len(rows)}")
    return rows


def _classes(y: Sequence[Label], labels: Any, columns: int, name: str) -> list[Label]:
    """The label of each column of scores: all that occur, or those named."""
    if labels is None:
        classes = find_classes(y)
        if len(classes) != columns:
            raise ArgumentError(
                f"{name} is about {columns} labels, and y_true has {len(classes)}: labels= says which there are"
            )
        return classes
    classes = chosen_labels(labels)
    if find_classes(classes) != classes:
        raise ArgumentError(f"labels must be in ascending order, as the columns of {name} are, got {listed(classes)}")
    if len(classes) != columns:
        raise ArgumentError(f"{name} is about {columns} labels, and labels= names {len(classes)}")
    return classes
