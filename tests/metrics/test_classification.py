"""Accuracy, confusion matrix, precision, recall and F are scikit-learn's, and say clearly what they do not take."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import ArgumentError, DataError, Model, metrics
from scratchnn.metrics import UndefinedMetricWarning
from tests.metrics.oracle import agree, flagged, labelled, ours, refused_by_both, weights_for

AVERAGES = [None, "micro", "macro", "weighted"]


@given(answers=labelled(), data=st.data(), normalize=st.booleans())
def test_accuracy(answers: Any, data: Any, normalize: bool) -> None:
    true, predicted, _ = answers
    weights = data.draw(weights_for(len(true)))
    agree("accuracy_score", true, predicted, normalize=normalize, sample_weight=weights)


@given(answers=labelled(), data=st.data(), normalize=st.sampled_from([None, "true", "pred", "all"]))
def test_confusion_matrix(answers: Any, data: Any, normalize: Any) -> None:
    true, predicted, labels = answers
    weights = data.draw(weights_for(len(true)))
    named = data.draw(st.none() | st.permutations(labels) | st.lists(st.sampled_from(labels), min_size=1, unique=True))
    settings = {"labels": named, "normalize": normalize, "sample_weight": weights}
    if not refused_by_both("confusion_matrix", true, predicted, **settings):
        agree("confusion_matrix", true, predicted, **settings)


@given(answers=labelled())
def test_a_confusion_matrix_s_labels_are_those_that_occur_in_order(answers: Any) -> None:
    true, predicted, _ = answers
    labels = metrics.unique_labels(true, predicted)
    assert labels == sorted({*true, *predicted})
    assert ours("confusion_matrix", true, predicted) == ours("confusion_matrix", true, predicted, labels=labels)


def test_a_confusion_matrix_is_lists_of_ints_with_a_row_for_each_true_label() -> None:
    matrix = metrics.confusion_matrix(["a", "b", "b"], ["a", "a", "b"])
    assert repr(matrix) == "[[1, 0], [1, 1]]"
    assert metrics.unique_labels([[1, 0, 0], [0, 0, 1]]) == [0, 1, 2]


@given(
    answers=labelled(),
    data=st.data(),
    average=st.sampled_from(AVERAGES),
    beta=st.sampled_from([0.0, 0.5, 1.0, 2, math.inf]),
    zero_division=st.sampled_from(["warn", 0, 1, 1.0, math.nan]),
)
def test_precision_recall_and_f(answers: Any, data: Any, average: Any, beta: Any, zero_division: Any) -> None:
    true, predicted, labels = answers
    named = data.draw(st.none() | st.lists(st.sampled_from(labels), min_size=1, unique=True))
    common = {
        "labels": named,
        "average": average,
        "zero_division": zero_division,
        "sample_weight": data.draw(weights_for(len(true))),
    }
    agree("precision_recall_fscore_support", true, predicted, beta=beta, **common)
    agree("fbeta_score", true, predicted, beta=beta, **common)
    for name in ("precision_score", "recall_score", "f1_score"):
        agree(name, true, predicted, **common)


@given(answers=labelled([[0, 1], [1, 2], ["a", "b"], [False, True], [1, 2, 3]]), data=st.data())
def test_the_positive_label_of_two(answers: Any, data: Any) -> None:
    true, predicted, labels = answers
    positive = data.draw(st.sampled_from([*labels, "a", 1]))
    settings = {"pos_label": positive, "sample_weight": data.draw(weights_for(len(true)))}
    for name in ("precision_score", "recall_score", "f1_score"):
        if not refused_by_both(name, true, predicted, **settings):
            agree(name, true, predicted, **settings)


@given(
    answers=flagged(),
    data=st.data(),
    average=st.sampled_from([*AVERAGES, "samples"]),
    zero_division=st.sampled_from(["warn", 0, 1, math.nan]),
)
def test_rows_of_several_labels(answers: Any, data: Any, average: Any, zero_division: Any) -> None:
    true, predicted = answers
    weights = data.draw(weights_for(len(true)))
    columns = st.lists(st.integers(0, len(true[0]) - 1), min_size=1, unique=True)
    settings = {
        "average": average,
        "labels": data.draw(st.none() | columns),
        "zero_division": zero_division,
        "sample_weight": weights,
    }
    agree("precision_recall_fscore_support", true, predicted, beta=2.0, **settings)
    agree("f1_score", true, predicted, **settings)
    agree("accuracy_score", true, predicted, sample_weight=weights)


def test_labels_may_be_arrays_columns_or_whole_floats(np: Any) -> None:
    for true in (np.array([0, 1, 2]), np.array([[0], [1], [2]]), [0.0, 1.0, 2.0], (0, 1, 2), (k for k in range(3))):
        assert metrics.confusion_matrix(true, [0, 2, 2]) == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert metrics.recall_score(np.array(["a", "b"]), ["a", "a"], average=None) == [1.0, 0.0]
    assert metrics.accuracy_score(np.array([True, False]), [1, 1]) == 0.5
    assert metrics.unique_labels(k % 2 for k in range(5)) == [0, 1]


def test_accuracy_is_get_accuracy_s_and_score_s() -> None:
    X = [[k % 3 * 1.0, k % 2 * 1.0] for k in range(60)]
    y = [k % 3 if k % 7 else 0 for k in range(60)]
    model = Model(2, 4, 3)
    model.fit(X, y, epochs=2)
    predictions = model.predict(X)
    assert metrics.accuracy_score(y, predictions) == model.score(X, y)
    assert 100.0 * metrics.accuracy_score(y, predictions, normalize=False) / 60 == model.get_accuracy(predictions, y)


def test_weighted_sums_do_not_depend_on_the_order_of_rows() -> None:
    weights = [1e16, 1.0, 1.0, 0.1, 1e-9, 3.0]
    true, predicted = [0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 0, 1]
    rows = list(zip(true, predicted, weights))
    for order in (rows, rows[::-1], rows[3:] + rows[:3]):
        t, p, w = zip(*order)
        assert metrics.confusion_matrix(t, p, sample_weight=w)[0][0] == 1e16 + 2.0


# --- what is undefined -------------------------------------------------------------------------------------------


def test_what_cannot_be_divided_counts_as_0_with_a_warning_for_each_metric() -> None:
    with pytest.warns(UndefinedMetricWarning) as seen:
        found = metrics.precision_recall_fscore_support(["a", "a"], ["b", "b"])
    assert found == ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [2, 0])
    assert [str(w.message).split(" is not defined for ")[0] for w in seen] == ["precision", "recall"]
    assert {w.filename for w in seen} == {__file__}
    with pytest.warns(UndefinedMetricWarning, match=r"^recall is not defined for labels with no true samples, and"):
        metrics.recall_score(["a", "a"], ["b", "b"], average="macro")


def test_no_warning_where_it_is_said_what_shall_be() -> None:
    assert metrics.precision_score(["a"], ["b"], average=None, zero_division=0) == [0.0, 0.0]
    assert metrics.precision_score(["a"], ["b"], average=None, zero_division=1) == [1.0, 0.0]
    assert metrics.precision_score(["a"], ["b"], average="macro", zero_division=math.nan) == 0.0
    settings: dict[str, Any] = {"warn_for": ()}
    assert metrics.precision_recall_fscore_support(["a"], ["b"], **settings)[3] == [1, 0]


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accuracy_score", "confusion_matrix", "f1_score", "classification_report"])
@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([], [], r"^metrics need as many predictions as labels, and at least one: got 0 in y_pred and 0 in y_true$"),
        ([1, 2], [1], r"got 1 in y_pred and 2 in y_true$"),
        ([0.5, 1.5], [0, 1], r"^a class label must be a whole number or a string, got 0\.5"),
        ([0, 1], ["a", "b"], r"^labels must be all strings or all numbers"),
        ([0, None], [0, 1], r"^y_true: label 1 must be a number or a string, got NoneType None$"),
        ([0, 1], [0, math.nan], r"^y_pred: label 1 must be finite, got nan$"),
        (3, [0, 1], r"^y_true must be a sequence of labels, got int 3$"),
        ([[1, 0], [0, 1]], [[1, 0], [0.5, 0.5]], r"^y_pred: row 1, column 0 is 0\.5; a label a row, or rows of 0 and"),
        ([[1, 0], [0, 1]], [[1, 0, 0], [0, 1, 0]], r"^y_pred: row 0 has 3 numbers, expected 2"),
    ],
)
def test_answers_that_cannot_be_compared(name: str, true: Any, predicted: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        getattr(metrics, name)(true, predicted)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], r"^sample_weight must have 2 numbers, got 1$"),
        ([1.0, -1.0], r"^sample_weight: number 1 must not be negative, got -1\.0$"),
        ([0, 0], r"^sample_weight: the numbers must add up to more than 0 and less than 1e\+300, got 0$"),
        ([1e308, 1e308], r"got inf$"),
        ([1.0, math.nan], r"^sample_weight: row 1, column 0 must be a finite number"),
    ],
)
def test_weights_that_make_no_sense(weights: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        metrics.accuracy_score([0, 1], [0, 1], sample_weight=weights)


FLAGS = [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.confusion_matrix(FLAGS, FLAGS), r"^confusion_matrix takes one label a row, got rows of 2"),
        (lambda: metrics.confusion_matrix([0], [0], normalize="rows"), r"^normalize must be 'true', 'pred', 'all' or"),
        (lambda: metrics.confusion_matrix([0], [0], labels=[]), r"^labels must name at least one label, got none$"),
        (lambda: metrics.confusion_matrix([0], [0], labels=[0, 0]), r"^labels must name each label once, got 0 twice$"),
        (lambda: metrics.confusion_matrix([0], [1], labels=[1]), r"^none of the labels 1 is in y_true$"),
        (
            lambda: metrics.f1_score([0, 1, 2], [0, 1, 2]),
            r"is for two labels, here are 3 labels: take 'micro', 'macro'",
        ),
        (
            lambda: metrics.f1_score(FLAGS, FLAGS),
            r"for two labels, here are rows of 2 flags: take 'micro', .*'samples'",
        ),
        (lambda: metrics.f1_score([1, 2], [1, 2], pos_label=3), r"^pos_label 3 is not one of the labels 1, 2$"),
        (
            lambda: metrics.f1_score([0], [0], average="mean"),
            r"^average must be 'binary', 'micro', 'macro', 'weighted'",
        ),
        (lambda: metrics.f1_score([0], [0], average="samples"), r"^average='samples' is for rows of 0 and 1"),
        (lambda: metrics.f1_score([0], [0], zero_division=2), r"^zero_division must be 0, 1, NaN or 'warn', got 2$"),
        (lambda: metrics.fbeta_score([0], [0], beta=-1), r"^beta must be a number of at least 0, got -1$"),
        (
            lambda: metrics.f1_score(FLAGS, FLAGS, average=None, labels=[0, 2]),
            r"^labels of multilabel rows are numbers of columns, 0 to 1, got 2$",
        ),
        (lambda: metrics.unique_labels(), r"^unique_labels needs at least one sequence of labels$"),
    ],
)
def test_arguments_that_make_no_sense(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()
