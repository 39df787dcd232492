"""What objects show in a notebook: HTML with nothing to load or to run, and everything from elsewhere escaped."""

from __future__ import annotations

from typing import Any

import pytest

from scratchnn import Dataset, History, Linear, Model, ReLU, Residual, Sequential, gradcheck, grid_search, load_digits
from tests.reports.reading import Page, check_self_contained


def shown(thing: Any) -> Page:
    text = thing._repr_html_()
    assert isinstance(text, str)
    page = Page(text)
    assert not [tag for tag, _ in page.tags if tag == "script"]
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "data:").startswith("data:")
    return page


def test_a_model_shows_its_layers() -> None:
    layers = [Linear(4, 6), ReLU(), Residual([Linear(6, 6)]), Linear(6, 3)]
    model = Model.from_layers(layers)
    model.network[0].trainable = False
    page = shown(model)
    assert "tells classes apart: classification with CrossEntropyLoss, lanes, not fitted yet" in page.text
    assert "layer output shape parameters input 4 Linear (frozen) 6 30 ReLU 6 0 Residual 6 Linear 6 42" in page.text
    assert "total 93 trainable 63" in page.text


def test_a_history_shows_its_curves_if_it_has_any() -> None:
    assert History()._repr_html_() is None
    history = History()
    history.loss, history.accuracy = [1.0, 0.5], [0.3, 0.6]
    assert any(tag == "svg" for tag, _ in shown(history).tags)


def test_images_are_shown_a_few_of_each_class() -> None:
    page = shown(load_digits()[0])
    assert "1,437 rows of 64 features" in page.text
    assert "class 0 1 2 3 4 5 6 7 8 9 rows 142 146 141" in page.text
    assert len([tag for tag, _ in page.tags if tag == "image"]) == 20


def test_other_rows_are_shown_as_a_table() -> None:
    names = ["a", "<script>", "c", "d", "e", "f", "g"]
    rows = [[float(k)] * 7 for k in range(9)]
    data = Dataset(rows, ["x", "<img src=x onerror=alert(1)>", "x"] * 3, classes=["x", "<img src=x onerror=alert(1)>"])
    data.feature_names, data.label_name, data.source = names, "<u>", "<a>.csv"
    page = shown(data)
    assert "from <a>.csv" in page.text and "row <u> a <script> c d e f …" in page.text
    assert "class x <img src=x onerror=alert(1)> rows 6 3" in page.text
    assert "5 <img" in page.text and "6 x" not in page.text


@pytest.mark.parametrize(
    "data", [Dataset([], []), Dataset([[1.0, 2.0]], []), Dataset([[1.0]], [2.5]), Dataset([bytes(16)], [])]
)
def test_data_without_rows_labels_or_names(data: Dataset) -> None:
    assert f"{len(data)} rows of" in shown(data).text


def test_of_many_classes_the_first_are_counted() -> None:
    page = shown(Dataset([[1.0]] * 25, list(range(25)), classes=list(range(25))))
    assert "19 5 more" in page.text


def test_a_search_shows_its_table() -> None:
    X = [[k % 5 / 5, k % 3 / 3] for k in range(30)]
    grid = {"hidden_size": [2, [3, 2]], "lr": [0.1]}
    found = grid_search(X, [k % 2 for k in range(30)], grid, fit={"epochs": 1}, folds=2)
    page = shown(found)
    assert "hidden_size lr score deviation seconds" in page.text
    assert "[3, 2]" in page.text
    found.rows[1].error, found.stopped = "<script>", "stopped by <b>"
    assert "failed: <script>" in shown(found).text and "stopped by <b>" in shown(found).text


def test_a_check_of_gradients_shows_its_verdict() -> None:
    report = gradcheck.check_layer(Sequential([Linear(2, 3), ReLU()]), [[0.5, -0.25]])
    assert "gradients compared 11 verdict agree" in shown(report).text


def test_pages_of_tests_are_read_as_strictly_as_they_should_be() -> None:
    with pytest.raises(AssertionError):
        Page("<p><b></p></b>")
    with pytest.raises(AssertionError):
        check_self_contained(Page("<script></script>"))
