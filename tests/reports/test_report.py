"""A report: one page that says what was trained, how well it answers, and how to repeat it; for every task."""

from __future__ import annotations

import copy
import math
import os
import pickle
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    Adam,
    ArgumentError,
    Callback,
    Conv2D,
    DataError,
    Flatten,
    Linear,
    Model,
    NotFittedError,
    load_digits,
)
from scratchnn.info import weights_digest
from scratchnn.reports.mistakes import confident, confident_flags, largest_errors, percent
from scratchnn.reports.report import duration
from scratchnn.reports.rows import image_shape
from tests.reports.reading import Page, check_self_contained

RNG = Random(3)
X = [[RNG.gauss(0.0, 1.0) for _ in range(3)] for _ in range(60)]
CLASSES = ["yes" if a > b else "no" for a, b, _ in X]
NUMBERS = [a - 2.0 * b for a, b, _ in X]
FLAGS = [[int(a > 0.0), int(b > 0.0), int(c > 1.0)] for a, b, c in X]


def reported(model: Model, rows: Any, y: Any, folder: Path, **settings: Any) -> Page:
    path = folder / "report.html"
    model.report(rows, y, path, **settings)
    page = Page(path.read_text(encoding="utf-8"))
    check_self_contained(page)
    return page


@pytest.fixture(scope="module")
def digits() -> tuple[Model, Any]:
    train, test = load_digits()
    model = Model(64, 8, 10, seed=5)
    model.fit(train.X[:300], train.y[:300], epochs=2, columns=train, validation_data=(test.X, test.y))
    return model, test


# --- a classifier ------------------------------------------------------------------------------------------


def test_a_classifier_of_images(digits: tuple[Model, Any], tmp_path: Path) -> None:
    model, test = digits
    page = reported(model, test.X, test.y, tmp_path)
    assert page.headings == [
        "A network that tells 10 classes apart", "What was trained", "Learning curves", "Metrics by class",
        "Confusion matrix", "Most confident mistakes", "To repeat it",
    ]  # fmt: skip
    wrong = [i for i, (guess, label) in enumerate(zip(model.predict(test.X), test.y)) if guess != label]
    assert f"accuracy {1 - len(wrong) / 360:.1%}" in page.text
    assert f"wrong of 360 rows {len(wrong)}" in page.text
    assert "images of 8 x 8 pixels" in page.text
    assert "seed 5" in page.text and "rows to learn from 300" in page.text and "epochs 2" in page.text
    assert weights_digest(model) in page.text
    pictures = [attributes for tag, attributes in page.tags if tag == "image"]
    assert len(pictures) == 24
    assert "The 24 that the network was surest of" in page.text


def test_the_digest_is_that_of_a_run_that_is_repeated(tmp_path: Path) -> None:
    pages = []
    for _ in range(2):
        model = Model(3, 4, seed=2)
        model.fit(X, CLASSES, epochs=2)
        pages.append(reported(model, X, CLASSES, tmp_path))
    assert weights_digest(model) in pages[0].text
    assert "must give weights with the SHA-256" in pages[0].text
    lasting = [page.text.partition("To repeat it")[2] for page in pages]
    assert lasting[0] == lasting[1]


def test_a_classifier_of_rows_shows_mistakes_as_rows(tmp_path: Path) -> None:
    model = Model(3, 3)
    model.fit(X, CLASSES, epochs=1, columns=["height", "width", "<i>depth</i>"])
    page = reported(model, X, CLASSES, tmp_path)
    assert "row true predicted probability height width <i>depth</i>" in page.text
    assert not [tag for tag, _ in page.tags if tag == "image"]
    # A row is counted from 1, and stands with what was predicted and how surely.
    answers, probabilities = model.predict_with_proba(X)
    wrong = [i for i, (guess, label) in enumerate(zip(answers, CLASSES)) if guess != label]
    surest = max(wrong, key=lambda i: max(probabilities[i]))
    assert f"depth</i> {surest + 1} {CLASSES[surest]} {answers[surest]} {max(probabilities[surest]):.1%}" in page.text


def test_one_without_mistakes_says_so(tmp_path: Path) -> None:
    model = Model(1, [], seed=1)
    rows, labels = [[-1.0], [-2.0], [1.0], [2.0]] * 4, [0, 0, 1, 1] * 4
    model.fit(rows, labels, epochs=20)
    page = reported(model, rows, labels, tmp_path)
    assert "accuracy 100%" in page.text and "There are none: every row was answered rightly." in page.text


def test_names_of_classes_are_escaped(tmp_path: Path) -> None:
    odd = {"yes": "<script>alert(1)</script>", "no": "a\x1b[2J&"}
    labels = [odd[label] for label in CLASSES]
    model = Model(3, 2)
    model.fit(X, labels, epochs=1)
    page = reported(model, X, labels, tmp_path, title="<b>mine</b>", command="rm <x>\x07\nand")
    assert "<script>alert(1)</script>" in page.text and "a\\x1b[2J&" in page.text
    assert "<b>mine</b>" in page.headings and "rm <x>\\x07 and" in page.text


@pytest.mark.parametrize("count", [60, 120])
def test_of_many_classes_the_worst_are_shown(count: int, tmp_path: Path) -> None:
    rows, labels = [[float(k), 1.0] for k in range(count)], list(range(count))
    model = Model(2, [], count)
    model.fit(rows, labels, epochs=1)
    page = reported(model, rows, labels, tmp_path)
    assert f"The 20 worst of {count} by F1." in page.text
    assert ("Confusion matrix" in page.headings) == (count == 60)
    assert ("Most frequent confusions" in page.headings) == (count == 120)


def test_one_output_tells_two_classes_apart(tmp_path: Path) -> None:
    model = Model(3, 2, 1)
    model.fit(X, CLASSES, epochs=1)
    assert "tells 2 classes apart" in reported(model, X, CLASSES, tmp_path).text


# --- numbers, and several labels ---------------------------------------------------------------------------


def test_a_number(tmp_path: Path) -> None:
    model = Model(3, 4, task="regression")
    model.fit(X, NUMBERS, epochs=3, validation_split=0.2)
    page = reported(model, X, NUMBERS, tmp_path)
    assert page.headings[0] == "A network that predicts a number"
    assert {"Predictions", "Largest errors"} <= set(page.headings)
    assert f"R² {model.score(X, NUMBERS):.4f}" in page.text
    assert "row true predicted error feature 0 feature 1 feature 2" in page.text


def test_several_numbers(tmp_path: Path) -> None:
    targets = [[a, -3.0 * b] for a, b, _ in X]
    model = Model(3, 4, 2, task="regression")
    model.fit(X, targets, epochs=3)
    page = reported(model, X, targets, tmp_path)
    assert page.headings[0] == "A network that predicts 2 numbers"
    assert "output 0" in page.text and "output 1" in page.text
    assert f"R² (mean) {model.score(X, targets):.4f}" in page.text


def test_images_that_are_given_back_stand_beside_what_they_were_to_be(tmp_path: Path) -> None:
    rows = [[RNG.random() for _ in range(16)] for _ in range(20)]
    model = Model(16, 3, 16, task="regression", scaling="none")
    model.fit(rows, rows, epochs=1)
    page = reported(model, rows, rows, tmp_path, shape=(4, 4))
    assert len([tag for tag, _ in page.tags if tag == "image"]) == 20
    assert "Images and what was made of them" in page.text


def test_numbers_that_do_not_differ_and_are_met(tmp_path: Path) -> None:
    model = Model(3, [], task="regression", target_scaling="none")
    model.fit(X, [0.0] * 60, epochs=1)
    model.weights = [[[0.0]] * 3, [0.0]]
    page = reported(model, X, [0.0] * 60, tmp_path)
    assert "R² undefined" in page.text and "every number was predicted exactly" in page.text


def test_several_labels(tmp_path: Path) -> None:
    model = Model(3, 8, 3, task="multilabel")
    model.fit(X, FLAGS, epochs=3)
    page = reported(model, X, FLAGS, tmp_path)
    assert page.headings[0] == "A network that sets 3 labels"
    assert f"rows with all labels right {model.score(X, FLAGS):.1%}" in page.text
    assert {"Metrics by label", "Most confident mistakes"} <= set(page.headings)
    assert "samples mean" in page.text


# --- rows that are images ----------------------------------------------------------------------------------


def test_a_convolutional_network_reads_images(tmp_path: Path) -> None:
    model = Model.from_layers([Conv2D(3, 2, 3), Flatten(), Linear(8, 2)], input_shape=(3, 4, 4))
    rows = [[RNG.random() for _ in range(48)] for _ in range(20)]
    model.fit(rows, [k % 2 for k in range(20)], epochs=1)
    page = reported(model, rows, [k % 2 for k in range(20)], tmp_path)
    assert "images of 4 x 4 pixels in 3 channels" in page.text


def test_rows_are_images_if_somebody_says_so(tmp_path: Path) -> None:
    rows = [[float(k % 5 + i) for i in range(6)] for k in range(20)]
    model = Model(6, 2)
    model.fit(rows, [k % 2 for k in range(20)], epochs=1)
    assert image_shape(model.schema) is None
    assert image_shape(model.schema, (2, 3)) == (1, 2, 3)
    assert "images of 2 x 3 pixels" in reported(model, rows, [k % 2 for k in range(20)], tmp_path, shape=(2, 3)).text


@pytest.mark.parametrize("shape", [(3, 3), (2,), "ab", (1, 1, 1, 6), (2, 1, 3), (6, 0), (2.5, 3)])
def test_another_shape_than_rows_have_is_refused(shape: Any, tmp_path: Path) -> None:
    rows = [[float(k % 5 + i) for i in range(6)] for k in range(20)]
    model = Model(6, 2)
    model.fit(rows, [k % 2 for k in range(20)], epochs=1)
    with pytest.raises(ArgumentError, match="shape"):
        model.report(rows, [k % 2 for k in range(20)], tmp_path / "r.html", shape=shape)
    assert not os.listdir(tmp_path)


# --- what is refused, and how the file is written ----------------------------------------------------------


def test_a_model_that_was_loaded_has_no_curves(digits: tuple[Model, Any], tmp_path: Path) -> None:
    model, test = digits
    model.save(tmp_path / "model.pkl")
    page = reported(Model.load(tmp_path / "model.pkl"), test.X, test.y, tmp_path)
    assert "Learning curves" not in page.headings
    assert "was read from a file" in page.text and weights_digest(model) in page.text


def test_one_that_was_not_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        Model(3, 2, 2).report(X, CLASSES, tmp_path / "r.html")


@pytest.mark.parametrize("labels", [["yes"] * 59, ["maybe"] * 60, [], None])
def test_labels_that_do_not_suit_are_refused_and_nothing_is_written(labels: Any, tmp_path: Path) -> None:
    model = Model(3, 2)
    model.fit(X, CLASSES, epochs=1)
    with pytest.raises(DataError):
        model.report(X, labels, tmp_path / "r.html")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["model.pkl", "rows.csv", "report", "report.pdf"])
def test_a_name_that_promises_another_kind_of_file_is_refused(name: str, tmp_path: Path) -> None:
    model = Model(3, 2)
    model.fit(X, CLASSES, epochs=1)
    with pytest.raises(ArgumentError, match=r"expected a name that ends in \.html"):
        model.report(X, CLASSES, tmp_path / name)


def test_without_a_seed_no_digest_is_promised(tmp_path: Path) -> None:
    model = Model(3, 2, seed=None)
    model.fit(X, CLASSES, epochs=1)
    page = reported(model, X, CLASSES, tmp_path)
    assert "No seed was given" in page.text and "must give" not in page.text


def test_it_can_be_asked_for_by_a_callback(tmp_path: Path) -> None:
    class Reporting(Callback):
        def on_epoch_end(self, model: Model, run: Any) -> None:
            model.report(X, CLASSES, tmp_path / f"{run.epoch}.html")

    quiet, asked = Model(3, 2), Model(3, 2)
    quiet.fit(X, CLASSES, epochs=2)
    asked.fit(X, CLASSES, epochs=2, callbacks=[Reporting()])
    assert sorted(os.listdir(tmp_path)) == ["1.html", "2.html"]
    assert asked.weights == quiet.weights


# --- mistakes ----------------------------------------------------------------------------------------------


def test_mistakes_are_sorted_by_how_sure_the_network_was() -> None:
    probabilities = [[0.1, 0.9], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]]
    found = confident([0, 0, 1, 1], [1, 1, 1, 0], probabilities, 2)
    assert [tuple(mistake) for mistake in found] == [(0, 0, 1, 0.9), (3, 1, 0, 0.7)]


def test_only_what_is_certain_has_a_hundred_percent() -> None:
    assert [percent(p) for p in (1.0, 0.9996, 0.999, 0.5, 0.0)] == ["100.0%", ">99.9%", "99.9%", "50.0%", "0.0%"]


def test_wrong_flags_are_sorted_by_the_surest_of_a_row() -> None:
    found = confident_flags([[0, 1], [1, 0], [1, 1]], [[1, 1], [1, 0], [1, 0]], [[0.6, 0.9], [1, 0], [0.9, 0.1]], 5)
    assert [tuple(mistake) for mistake in found] == [(2, [0, 1], [0], 0.9), (0, [1], [0, 1], 0.6)]


def test_errors_are_compared_in_units() -> None:
    found = largest_errors(
        [[0.0, 0.0], [0.0, 0.0], [math.inf, 0.0]], [[1.0, 1.0], [0.5, 30.0], [0.0, 0.0]], [1.0, 10.0], 2
    )
    assert [tuple(mistake) for mistake in found] == [(1, (1, 0.0), (1, 30.0), 3.0), (0, (0, 0.0), (0, 1.0), 1.0)]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (99.9, "99.9 s"), (119.6, "2 min 0 s"), (7230, "2 h 0 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_picture_in_the_readme_is_small() -> None:
    root = Path(__file__).resolve().parent.parent.parent
    assert "(examples/report.png)" in (root / "README.md").read_text(encoding="utf-8")
    picture = (root / "examples" / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) < 100_000


def test_a_run_that_is_over_is_described_as_it_began(tmp_path: Path) -> None:
    model = Model(3, 2)
    model.fit(X, CLASSES, epochs=3, optimizer=Adam(0.02), clip_norm=2.0)
    page = reported(copy.deepcopy(pickle.loads(pickle.dumps(model))), X, CLASSES, tmp_path)
    assert "optimizer Adam(lr=0.02) learning rate 0.02 schedule CosineSchedule(epochs=3)" in page.text
    assert "gradient clipping to a norm of 2" in page.text
    assert model.run_settings["optimizer"].matrices() == []


def test_what_was_refused_leaves_what_was_told_before() -> None:
    model = Model(3, 2)
    model.fit(X, CLASSES, epochs=1)
    told = model.run_settings
    with pytest.raises(DataError):
        model.fit(X, CLASSES[:5])
    assert model.run_settings is told
