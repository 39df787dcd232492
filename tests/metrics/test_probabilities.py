"""Log loss, the area under the ROC curve and top-k accuracy are scikit-learn's, ties and absent labels included."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from scratchnn import ArgumentError, DataError, metrics
from scratchnn.metrics import UndefinedMetricWarning
from tests.metrics.oracle import agree, flagged, ours, refused_by_both, scored, weights_for

NAMES = ["ant", "bee", "cat", "dog", "eel"]
ROWS = [[0.2, 0.3, 0.5], [0.5, 0.25, 0.25], [0.1, 0.6, 0.3], [1.0, 0.0, 0.0]]


@given(given=scored(2), data=st.data(), normalize=st.booleans(), named=st.booleans())
def test_log_loss(given: Any, data: Any, normalize: bool, named: bool) -> None:
    y, rows, labels = given
    if named:
        y, labels = [NAMES[k] for k in y], NAMES[: len(labels)]
    settings = {"normalize": normalize, "sample_weight": data.draw(weights_for(len(y)))}
    agree("log_loss", y, rows, labels=labels, **settings)
    if not refused_by_both("log_loss", y, rows, **settings):
        agree("log_loss", y, rows, **settings)


@given(given=scored(2, 2), data=st.data())
def test_log_loss_of_the_larger_label_s_probability(given: Any, data: Any) -> None:
    y, rows, labels = given
    weights = data.draw(weights_for(len(y)))
    one = [row[1] for row in rows]
    agree("log_loss", y, one, labels=labels, sample_weight=weights)
    agree("log_loss", y, [[p] for p in one], labels=labels, sample_weight=weights)


@given(given=scored(), data=st.data(), k=st.integers(1, 6), normalize=st.booleans())
def test_top_k_accuracy_of_many_labels(given: Any, data: Any, k: int, normalize: bool) -> None:
    y, rows, labels = given
    settings = {"k": k, "normalize": normalize, "sample_weight": data.draw(weights_for(len(y)))}
    agree("top_k_accuracy_score", y, rows, labels=labels, **settings)
    if not refused_by_both("top_k_accuracy_score", y, rows, **settings):
        agree("top_k_accuracy_score", y, rows, **settings)


@given(
    y=st.lists(st.sampled_from(["no", "yes"]), min_size=2, max_size=12),
    data=st.data(),
    k=st.integers(1, 2),
    numbers=st.sampled_from([[0.0, 0.25, 0.5, 0.75, 1.0], [-2.0, -0.5, 0.0, 0.25, 3.0]]),
)
def test_top_k_accuracy_of_two_labels(y: Any, data: Any, k: int, numbers: Any) -> None:
    scores = data.draw(st.lists(st.sampled_from(numbers), min_size=len(y), max_size=len(y)))
    agree("top_k_accuracy_score", y, scores, k=k, labels=["no", "yes"], sample_weight=data.draw(weights_for(len(y))))


@given(
    y=st.lists(st.booleans(), min_size=1, max_size=30),
    data=st.data(),
    numbers=st.sampled_from([[0.0, 0.25, 0.5, 1.0], [-3.0, 1e-9, 7.5, 1e9]]),
    labels=st.sampled_from([[0, 1], ["no", "yes"], [3, 8], [False, True]]),
)
def test_the_area_for_two_labels(y: Any, data: Any, numbers: Any, labels: Any) -> None:
    scores = data.draw(st.lists(st.sampled_from(numbers), min_size=len(y), max_size=len(y)))
    y = [labels[k] for k in y]
    weights = data.draw(weights_for(len(y)))
    # Where all that is left of a class weighs nothing, there it is NaN by another way.
    assume(weights is None or len({label for label, w in zip(y, weights) if w}) == len(set(y)))
    agree("roc_auc_score", y, scores, sample_weight=weights)
    assert ours("roc_auc_score", y, [[-v, v] for v in scores]) == pytest.approx(
        ours("roc_auc_score", y, scores), abs=0, nan_ok=True
    )


def _no_zeros(weights: list[float] | None) -> bool:
    return weights is None or all(weights)


@given(given=scored(), data=st.data(), average=st.sampled_from(["macro", "weighted", "micro", None]))
def test_the_area_of_each_label_against_the_rest(given: Any, data: Any, average: Any) -> None:
    y, rows, labels = given
    weights = data.draw(weights_for(len(y)).filter(_no_zeros))
    settings = {"multi_class": "ovr", "average": average, "sample_weight": weights}
    agree("roc_auc_score", y, rows, labels=labels, **settings)
    if len(set(y)) > 2 and not refused_by_both("roc_auc_score", y, rows, **settings):
        agree("roc_auc_score", y, rows, **settings)


@given(answers=flagged(), data=st.data(), average=st.sampled_from(["macro", "weighted", "micro", "samples", None]))
def test_the_area_for_rows_of_several_labels(answers: Any, data: Any, average: Any) -> None:
    true, _ = answers
    width = len(true[0])
    row = st.lists(st.integers(0, 4).map(lambda v: v / 4), min_size=width, max_size=width)
    scores = data.draw(st.lists(row, min_size=len(true), max_size=len(true)))
    weights = data.draw(weights_for(len(true)).filter(_no_zeros))
    agree("roc_auc_score", true, scores, average=average, sample_weight=weights)


@given(st.data())
def test_the_area_is_the_chance_that_a_pair_is_in_order(data: Any) -> None:
    y = data.draw(st.lists(st.booleans(), min_size=2, max_size=20).filter(lambda y: len(set(y)) == 2))
    scores = data.draw(st.lists(st.integers(0, 5), min_size=len(y), max_size=len(y)))
    hits, others = ([s for s, flag in zip(scores, y) if flag is kind] for kind in (True, False))
    wins = sum((a > b) + 0.5 * (a == b) for a in hits for b in others)
    assert metrics.roc_auc_score(y, scores) == wins / (len(hits) * len(others))


weighings = st.one_of(st.integers(1, 99).map(lambda w: w / 100), st.floats(1e-320, 1e290))


@given(rows=st.lists(st.tuples(st.booleans(), st.integers(0, 5), weighings), min_size=2, max_size=20))
@example(rows=[(False, 0, 0.62), (True, 1, 0.92), (True, 1, 0.48), (False, 0, 0.56)])
def test_the_area_of_weighted_rows_is_rounded_once(rows: Any) -> None:
    assume(len({flag for flag, _, _ in rows}) == 2)
    y, scores, weights = map(list, zip(*rows))
    hits, others = ([(s, Fraction(w)) for flag, s, w in rows if flag is kind] for kind in (True, False))
    wins = sum(v * w * ((a > b) + Fraction(a == b, 2)) for a, v in hits for b, w in others)
    pairs = sum(w for _, w in hits) * sum(w for _, w in others)
    assert metrics.roc_auc_score(y, scores, sample_weight=weights) == float(wins / pairs)


@given(st.lists(st.integers(1, 99), min_size=2, max_size=30))
def test_scores_that_tell_all_rows_apart_have_an_area_of_one(hundredths: list[int]) -> None:
    y = [k % 2 for k in range(len(hundredths))]
    assert metrics.roc_auc_score(y, y, sample_weight=[w / 100 for w in hundredths]) == 1.0


# --- what is undefined -------------------------------------------------------------------------------------------


def test_an_area_of_one_class_is_no_number_with_a_warning() -> None:
    with pytest.warns(UndefinedMetricWarning, match="^the area under the ROC curve is not defined where all rows") as w:
        assert math.isnan(metrics.roc_auc_score([1, 1], [0.2, 0.3]))
    assert w[0].filename == __file__


def test_code_that_has_no_name_is_warned_as_well() -> None:
    with pytest.warns(UndefinedMetricWarning, match="^the area under the ROC curve is not defined"):
        exec("from scratchnn.metrics import roc_auc_score; roc_auc_score([1, 1], [0.2, 0.3])", {})


def test_too_large_a_k_is_told() -> None:
    with pytest.warns(UndefinedMetricWarning, match="^with k = 3 and 3 labels every row counts as right$"):
        assert metrics.top_k_accuracy_score([0, 1, 2, 0], ROWS, k=3) == 1.0


def test_probabilities_that_do_not_add_up_to_1_are_told() -> None:
    with pytest.warns(UserWarning, match="do not add up to 1"):
        metrics.log_loss([0, 1], [[0.5, 0.4], [0.5, 0.5]])


def test_no_loss_is_infinite() -> None:
    assert metrics.log_loss([0, 1], [0.0, 0.0]) == pytest.approx(-math.log(2.0**-52) / 2)


# --- what is refused ---------------------------------------------------------------------------------------------

FLAGS = [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("kind", "call", "message"),
    [
        (DataError, lambda: metrics.log_loss([], []), r"^y_true is empty: metrics need at least one label$"),
        (DataError, lambda: metrics.roc_auc_score([], []), r"^y_true is empty"),
        (DataError, lambda: metrics.top_k_accuracy_score([], []), r"^y_true is empty"),
        (DataError, lambda: metrics.log_loss([0, 1], []), r"^y_proba is empty"),
        (DataError, lambda: metrics.log_loss([0, 1], [0.5]), r"^y_true and y_proba must be of the same length, got 2"),
        (DataError, lambda: metrics.log_loss([0, 1], [0.5, 1.5]), r"^y_proba must hold probabilities, .* got 1\.5$"),
        (DataError, lambda: metrics.roc_auc_score([0, 1], [0.5, math.nan]), r"^y_score: row 1, column 0 must be a fin"),
        (ArgumentError, lambda: metrics.log_loss(FLAGS, FLAGS), r"^log_loss takes one label a row, got rows of 2"),
        (
            ArgumentError,
            lambda: metrics.log_loss([1, 1], [0.5, 0.5]),
            r"about 2 labels, and y_true has 1: labels= says",
        ),
        (ArgumentError, lambda: metrics.log_loss([0, 1], [[0.5, 0.5]] * 2, labels=[1, 0]), r"in ascending order"),
        (ArgumentError, lambda: metrics.log_loss([0, 1], [[0.5, 0.5]] * 2, labels=[0, 1, 2]), r"and labels= names 3$"),
        (DataError, lambda: metrics.log_loss([0, 3], [[0.5, 0.5]] * 2, labels=[0, 1]), r"^y_true: label 1 is 3, which"),
        (ArgumentError, lambda: metrics.top_k_accuracy_score(FLAGS, FLAGS), r"^top_k_accuracy_score takes one label"),
        (ArgumentError, lambda: metrics.top_k_accuracy_score([0, 1], [0.5, 0.5], k=0), r"^k must be a whole number"),
        (
            ArgumentError,
            lambda: metrics.roc_auc_score([0, 1, 2, 0], ROWS),
            r"multi_class must be 'ovr', .* got 'raise'",
        ),
        (ArgumentError, lambda: metrics.roc_auc_score([0, 1, 2, 0], ROWS, multi_class="ovo"), r"got 'ovo'$"),
        (ArgumentError, lambda: metrics.roc_auc_score([0, 1], [0, 1], average="samples"), r"^average must be 'macro',"),
        (DataError, lambda: metrics.roc_auc_score(FLAGS, [[1, 0, 0]] * 2), r"^y_score must have 2 numbers a row"),
        (
            DataError,
            lambda: metrics.roc_auc_score([0, 1, 2], [[1, 2, 3]] * 3, multi_class="ovr"),
            r"^y_score must hold probabilities for more than two labels: each row adds up to 1$",
        ),
    ],
)
def test_what_makes_no_sense(kind: type[Exception], call: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
