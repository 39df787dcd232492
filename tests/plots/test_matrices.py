"""The confusion matrix: of labels, of numbers, normalized; what is no matrix is said."""

from __future__ import annotations

from typing import Any

import pytest

from scratchnn import ArgumentError, DataError, metrics, plots
from tests.plots.reading import words_in

TRUE, GUESSED = ["cat", "dog", "cat", "eel", "dog", "cat"], ["cat", "dog", "dog", "eel", "cat", "cat"]


def test_labels_are_counted_and_a_matrix_is_taken_as_it_is() -> None:
    counted = plots.confusion_matrix(TRUE, GUESSED)
    given = plots.confusion_matrix(metrics.confusion_matrix(TRUE, GUESSED), labels=["cat", "dog", "eel"])
    assert counted.svg() == given.svg()
    words = words_in(counted)
    assert {"cat", "dog", "eel", "predicted", "true", "recall", "66.7%", "50.0%", "100%"} <= set(words)
    assert "4 of 6 right (66.7%)." in words
    assert "Most frequent mistakes: cat taken for dog 1 times, dog taken for cat 1 times." in counted.description


def test_labels_may_be_put_in_another_order() -> None:
    words = words_in(plots.confusion_matrix(TRUE, GUESSED, labels=["eel", "dog", "cat"]))
    assert [word for word in words if word in ("cat", "dog", "eel")][::2] == ["eel", "dog", "cat"]


@pytest.mark.parametrize(("normalize", "cell"), [("true", "0.67"), ("pred", "0.67"), ("all", "0.33")])
def test_counts_may_be_shares(normalize: str, cell: str) -> None:
    assert cell in words_in(plots.confusion_matrix(TRUE, GUESSED, normalize=normalize))


def test_nothing_less_than_all_is_said_to_be_100_per_cent() -> None:
    assert "1999999 of 2000000 right (99.9%)." in words_in(plots.confusion_matrix([[1999999, 1], [0, 0]]))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"y_true": [[1, 2]]}, DataError, r"^matrix must be square"),
        ({"y_true": []}, DataError, r"^matrix must be square"),
        ({"y_true": [[1, -1], [0, 1]]}, DataError, r"^matrix must be square, with no number below 0"),
        ({"y_true": [[float("nan")]]}, DataError, r"^matrix: row 0: entry 0 is nan, expected a finite number"),
        ({"y_true": [[1e300]]}, DataError, r"^matrix: 1e\+300 is no count"),
        ({"y_true": 3}, DataError, r"^matrix must be a list, got 3"),
        ({"y_true": [[0] * 151] * 151}, DataError, r"^a matrix of at most 150 classes can be read, got 151"),
        ({"y_true": [[1]], "labels": ["a", "b"]}, DataError, r"^labels must be as many as there are rows, 1, got 2"),
        (
            {"y_true": [[1]], "normalize": "rows"},
            ArgumentError,
            r"^unknown normalize 'rows': known are true, pred, all",
        ),
        ({"y_true": [1, 2], "y_pred": [1]}, DataError, r"as many predictions as labels"),
    ],
)
def test_what_is_no_matrix_is_said(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        plots.confusion_matrix(**arguments)
