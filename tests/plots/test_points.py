"""Points, decision boundaries, regression, probabilities and searches: what is drawn, and what cannot be."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from scratchnn import ArgumentError, DataError, Model, grid_search, plots, toys
from tests.plots.reading import elements, words_in

POINTS, LABELS = [[0, 0], [1, 1], [2, 0], [3, 1]], ["a", "b", "a", "b"]


# --- scatter -----------------------------------------------------------------------------------------------------


def test_a_class_has_a_colour_a_shape_a_line_in_the_key_and_its_name_among_its_points() -> None:
    figure = plots.scatter(POINTS, LABELS, title="Two classes")
    assert words_in(figure).count("a") == words_in(figure).count("b") == 2
    marks = [e for e in elements(figure, "path") if "nn-rim" in e.attrib["class"]]
    assert [e.attrib["class"].split()[0] for e in marks] == ["nn-f-0", "nn-f-1"] * 2
    circles, squares = marks[0].attrib["d"], marks[1].attrib["d"]
    assert circles.count("M") == squares.count("M") == 2 and "a" in circles and "a" not in squares
    assert words_in(plots.scatter(POINTS, LABELS, names=False)).count("a") == 1


def test_of_too_many_points_some_are_drawn_and_a_note_says_so() -> None:
    figure = plots.scatter([[k, k] for k in range(10_001)])
    (mark,) = [e for e in elements(figure, "path") if "nn-rim" in e.attrib["class"]]
    assert mark.attrib["d"].count("M") == 3334
    assert "3,334 of 10,001 points are drawn." in words_in(figure)


def test_labels_may_be_of_several_kinds() -> None:
    assert {"1", "b", "None"} < set(words_in(plots.scatter(POINTS, [1, "b", None, 1])))


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        ([], None, r"^points is empty"),
        ([[1]], None, r"^points: row 0 has 1 features, expected 2"),
        ([[1, math.nan]], None, r"^points: .*nan"),
        (POINTS, ["a"], r"^labels must be as many as there are rows, 4, got 1"),
        (
            [[k, k] for k in range(101)],
            list(range(101)),
            r"^labels are of 101 classes, and a figure can tell 100 apart",
        ),
    ],
)
def test_what_are_no_points_is_said(points: Any, labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plots.scatter(points, labels)


# --- decision boundaries -----------------------------------------------------------------------------------------


def left_or_right(rows: list[list[float]]) -> list[list[float]]:
    return [[0.0, 1.0] if x > 0 else [1.0, 0.0] for x, _ in rows]


class Asked:
    """A model that has what others have."""

    classes_ = ("left", "right")

    def __init__(self) -> None:
        self.places: list[list[float]] = []

    def predict_proba(self, rows: list[list[float]]) -> list[list[float]]:
        assert not self.places, "asked once"
        self.places = rows
        return left_or_right(rows)


def areas(figure: Any) -> dict[tuple[str, str], int]:
    """How many square pixels each colour and opacity has."""
    found: dict[tuple[str, str], int] = {}
    for path in elements(figure, "path"):
        if "nn-edges" in path.attrib["class"]:
            runs = re.findall(r"M(\d+) (\d+)H(\d+)V(\d+)", path.attrib["d"])
            key = path.attrib["class"].split()[0], path.attrib["fill-opacity"]
            found[key] = sum((int(c) - int(a)) * (int(d) - int(b)) for a, b, c, d in runs)
    return found


def test_the_plane_is_coloured_by_the_class_that_wins_without_seams() -> None:
    model = Asked()
    figure = plots.decision_boundary(model, [[-1, -1], [1, 1]], ["left", "right"], resolution=10)
    assert len(model.places) == 100
    found = areas(figure)
    assert found.keys() == {("nn-f-0", "0.50"), ("nn-f-1", "0.50")}
    assert sum(found.values()) == 300 * 300
    assert "Parts of the plane by class: left 50%, right 50%." in figure.description


def test_a_place_where_two_classes_are_as_likely_has_no_colour_to_speak_of() -> None:
    found = areas(plots.decision_boundary(lambda rows: [[0.5, 0.5]] * len(rows), POINTS, resolution=2))
    assert found.keys() == {("nn-f-0", "0.06")}


def test_the_boundary_is_where_the_lead_changes() -> None:
    figure = plots.decision_boundary(lambda rows: [1 / (1 + math.exp(-x)) for x, _ in rows], [[-1, -1], [1, 1]], [0, 1])
    (line,) = [e for e in elements(figure, "path") if e.attrib["class"] == "nn-s-ink"]
    across = [float(x) for x, _ in re.findall(r"([\d.]+) ([\d.]+)", line.attrib["d"])]
    up = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", line.attrib["d"])]
    assert max(across) - min(across) <= 0.2
    assert max(up) - min(up) == pytest.approx(300, abs=0.2)  # from edge to edge


@pytest.mark.parametrize("resolution", [2, 11])
def test_a_model_a_function_and_labels_are_asked_alike(resolution: int) -> None:
    X, y = toys.moons(40)
    model = Model(2, 4, 2)
    model.fit(X, y, epochs=1)
    by_model = plots.decision_boundary(model, X, y, resolution=resolution)
    by_function = plots.decision_boundary(model.predict_proba, X, y, resolution=resolution)
    by_second = plots.decision_boundary(
        lambda rows: [p for _, p in model.predict_proba(rows)], X, y, resolution=resolution
    )
    assert by_model.svg() == by_function.svg()
    assert by_model.description == by_second.description
    labels = plots.decision_boundary(model.predict, X, y, resolution=resolution)
    assert labels.description == by_model.description


@pytest.mark.parametrize(
    ("model", "X", "kind", "message"),
    [
        (3, POINTS, ArgumentError, r"^model must have predict_proba or predict, or be a function, got 3"),
        (left_or_right, [], DataError, r"^X is empty"),
        (left_or_right, [[1, 2, 3]], DataError, r"^X: row 0 has 3 features, expected 2"),
        (lambda rows: [1], POINTS, DataError, r"^the model gave 1 answers for 6400 places"),
        (lambda rows: [[math.nan, 1.0]] * len(rows), POINTS, DataError, r"^the model's probabilities must be"),
        (lambda rows: [*range(len(rows))], POINTS, DataError, r"^what the model predicts are of 6400 classes"),
    ],
)
def test_what_cannot_be_asked_is_said(model: Any, X: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        plots.decision_boundary(model, X)


def test_a_resolution_has_a_limit() -> None:
    with pytest.raises(ArgumentError, match=r"^resolution may be at most 300, got 1000"):
        plots.decision_boundary(left_or_right, POINTS, resolution=1000)


# --- regression, probabilities, searches -------------------------------------------------------------------------


def test_errors_of_a_regression_are_drawn_and_told() -> None:
    true, guesses = [1.0, 2.0, 3.0], [1.5, 2.0, 2.0]
    for figure in (plots.prediction_error(true, guesses), plots.residuals(true, guesses)):
        assert "3 rows; mean absolute error 0.5, largest 1." in figure.description
        assert len(elements(figure, "path")) == 2
    with pytest.raises(DataError, match=r"^as many predictions as true values are needed, .* got 1 in y_pred and 2"):
        plots.residuals([1, 2], [1])
    with pytest.raises(DataError, match=r"^y_pred: entry 0 is inf, expected a finite number"):
        plots.prediction_error([1.0], [math.inf])


def test_probabilities_have_a_bar_each_and_the_truth_is_marked() -> None:
    figure = plots.probabilities([0.25, 0.7, 0.0005, 0.0495], ["a", "b", "c", "d"], y_true="a")
    assert {"a", "b", "c", "d", "25.0% true", "70.0%", "<0.1%", "5.0%"} < set(words_in(figure))
    bars = [float(bar.attrib["width"]) for bar in elements(figure, "rect")[1:]]
    assert sorted(bars) == pytest.approx([0.16, 15.84, 80.0, 224.0], abs=0.06)
    assert "b is the most likely of 4 classes, 70.0%." in figure.description
    many = plots.probabilities([0.5, *[0.5 / 99] * 99], most=3)
    assert "97 other classes have 48.99% together." in words_in(many)


@pytest.mark.parametrize("row", [[], [1.5], [-0.1, 1.1], [math.nan], "ab", 3])
def test_what_are_no_probabilities_is_said(row: Any) -> None:
    with pytest.raises(DataError, match=r"^row"):
        plots.probabilities(row)


def test_a_search_is_drawn_as_it_came() -> None:
    X, y = toys.moons(40)
    result = grid_search(X, y, {"hidden_size": [2, 4]}, fit={"epochs": 1}, folds=2)
    words = words_in(plots.search_results(result))
    assert {"hidden_size 2", "hidden_size 4", "score"} < set(words)
    assert len([word for word in words if "±" in word]) == 2
    for wrong in ([], 3, [1]):
        with pytest.raises(DataError, match=r"^result must be"):
            plots.search_results(wrong)
