"""Curves: what becomes of a history, whoever wrote it, and of lines that hide each other or have no place."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from scratchnn import ArgumentError, DataError, History, Model, plots
from scratchnn.plots.figure import Figure
from tests.plots.reading import elements, words_in
from tests.plots.samples import run


def lines_of(figure: Figure) -> list[str]:
    """The paths of the lines, in order."""
    found = elements(figure, "path")
    return [line.attrib["d"] for line in found if re.fullmatch(r"nn-s-\d", line.attrib["class"])]


def history(**lists: list[float]) -> History:
    made = History()
    for name, values in lists.items():
        setattr(made, name, values)
    return made


def test_a_fit_s_history_is_drawn_as_it_is() -> None:
    model = Model(2, 3, 2)
    X, y = [[0.0, 1.0], [1.0, 0.0], [0.1, 0.9], [0.8, 0.1]], [0, 1, 0, 1]
    made = plots.learning_curves(model.fit(X, y, epochs=3, validation_data=(X, y)))
    assert {"loss", "accuracy", "epoch", "training", "validation"} < set(words_in(made))
    assert len(lines_of(made)) == 4
    assert "3 epochs; loss from" in made.description


@pytest.mark.parametrize(
    "given",
    [
        history(loss=[2.0, 1.0], validation_loss=[2.5, 1.5]),
        {"loss": [2.0, 1.0], "val_loss": [2.5, 1.5]},
        {"loss": (2.0, 1.0), "validation_loss": [2.5, 1.5], "seconds": [0.1, 0.2], "lr": [0.1, 0.1]},
    ],
)
def test_a_history_may_be_written_in_several_ways(given: Any) -> None:
    assert lines_of(plots.learning_curves(given)) == lines_of(
        plots.learning_curves(history(loss=[2.0, 1.0], validation_loss=[2.5, 1.5]))
    )


def test_several_runs_have_a_colour_each_and_validation_is_dashed() -> None:
    figure = plots.learning_curves({"slow": run(1), "fast": run(2)})
    lines = [e for e in elements(figure, "path") if re.fullmatch(r"nn-s-\d", e.attrib["class"])]
    looks = [(line.attrib["class"], "stroke-dasharray" in line.attrib) for line in lines]
    assert looks == [("nn-s-0", False), ("nn-s-0", True), ("nn-s-1", False), ("nn-s-1", True)] * 2
    assert {"slow", "slow, validation", "fast", "fast, validation"} < set(words_in(figure))
    for runs, names in (([run(1), run(2)], ["run 1", "run 2"]), ([run(1)], ["run 1"])):
        assert set(names) < set(words_in(plots.learning_curves(runs)))
    assert {"a", "b"} < set(words_in(plots.learning_curves([run(1), run(2)], names=["a", "b"])))


def test_a_run_with_the_name_of_another_keeps_its_line() -> None:
    figure = plots.learning_curves([run(1), run(2)], names=["a", "a"])
    assert {"a", "a (2)"} < set(words_in(figure))


def test_an_epoch_without_a_number_is_a_gap_and_is_said() -> None:
    figure = plots.learning_curves({"loss": [3.0, 2.0, math.nan, 1.0, 0.5]})
    (line,) = lines_of(figure)
    assert line.count("M") == 2 and line.count("L") == 2
    assert "training: loss not finite in epoch 3." in words_in(figure)
    figure = plots.learning_curves({"loss": [1.0, math.inf, -math.inf, 10**400]})
    assert "training: loss not finite in 3 epochs, first in epoch 2." in words_in(figure)


def test_no_epochs_are_said() -> None:
    for given in ({}, history(), {"loss": []}, {"run": history()}):
        assert "no epochs yet" in words_in(plots.learning_curves(given))


def test_a_long_run_keeps_its_peaks_and_not_its_points() -> None:
    values = [1.0] * 100_000
    values[54_321] = 7.0
    figure = plots.learning_curves({"loss": values})
    (line,) = lines_of(figure)
    assert line.count("L") < 2500
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", line)]
    assert len([y for y in heights if y == min(heights)]) == 1


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (None, DataError, r"^a history is needed, or a list or dict of them, got None"),
        ([], DataError, r"^a history is needed"),
        ("loss", DataError, r"^a history is needed"),
        ({"a": run(), "b": 3}, DataError, r"^run 'b' is 3, expected a history or a dict of lists"),
        ({"loss": ["low"]}, DataError, r"^loss: entry 0 is 'low', expected a number"),
        ([run(epochs=1)] * 51, ArgumentError, r"^learning curves of at most 50 runs can be told apart, got 51"),
    ],
)
def test_what_is_no_history_is_said(given: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        plots.learning_curves(given)


def test_names_are_as_many_as_runs() -> None:
    with pytest.raises(ArgumentError, match=r"^names must be as many as there are runs, 2, got 1"):
        plots.learning_curves([run(), run()], names=["one"])


def test_a_line_that_would_hide_another_has_gaps() -> None:
    first = [(k, float(k)) for k in range(5)]
    series = {
        "first": first,
        "the same": [(x, y + 1e-9) for x, y in first],
        "near the end alone": [(0, 3.0), *first[1:]],
        "shorter": first[:3],
    }
    lines = [e for e in elements(plots.lines(series), "path") if re.fullmatch(r"nn-s-\d", e.attrib["class"])]
    assert ["stroke-dasharray" in line.attrib for line in lines] == [False, True, False, False]


def test_a_logarithmic_axis_leaves_out_what_has_no_logarithm() -> None:
    series = {"loss": [(0, 1.0), (1, 10.0), (2, 0.0), (3, 0.1), (4, -1.0)]}
    (line,) = lines_of(plots.lines(series, log_y=True))
    assert line.count("L") == 1  # and (3, 0.1), alone between two gaps, is a symbol
    (line,) = lines_of(plots.lines(series, log_x=True))
    assert line.count("L") == 3
    with pytest.raises(DataError, match=r"^nothing: no point to draw \(on a logarithmic axis, only above 0\)$"):
        plots.lines({"loss": [(0, 0.0)]}, title="nothing", log_y=True)


def test_points_may_be_numbers_at_one_two_three() -> None:
    assert lines_of(plots.lines({"a": [5, 6, 7]})) == lines_of(plots.lines({"a": [(1, 5), (2, 6), (3, 7)]}))


@pytest.mark.parametrize("log", [False, True])
def test_no_line_lies_on_the_frame(log: bool) -> None:
    figure = plots.lines({"loss": [(1, 24.0), (2, 1.0), (3, 0.27)], "noise": [(1, 0.25), (3, 0.25)]}, log_y=log)
    heights = [float(y) for line in lines_of(figure) for _, y in re.findall(r"([\d.]+) ([\d.]+)", line)]
    axis = next(e.attrib["d"] for e in elements(figure, "path") if "V" in e.attrib["d"])
    top, bottom = (float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", axis)[0])
    assert min(heights) >= top + 10 and max(heights) <= bottom - 10


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"series": [1, 2]}, DataError, r"^series must be a dict of name: points, got \[1, 2\]"),
        (
            {"series": {"a": [(1, 2, 3)]}},
            DataError,
            r"^series\['a'\]: entry 0 is \(1, 2, 3\), expected a number or two",
        ),
        ({"series": {"a": 3}}, DataError, r"^series\['a'\] must be a list, got 3"),
        ({"series": {"a": [1]}, "y_limits": (2, 1)}, ArgumentError, r"^y_limits must be two numbers, the lower first"),
        ({"series": {"a": [1]}, "y_limits": (0, 1), "log_y": True}, ArgumentError, r"^y_limits .* numbers above 0"),
        ({"series": {"a": [1]}, "y_limits": (0,)}, ArgumentError, r"^y_limits must be two numbers"),
        ({"series": {str(k): [k] for k in range(101)}}, ArgumentError, r"^a figure can tell 100 lines apart, got 101"),
        ({"series": {"a": [1]}, "cloud": [[1, 2, 3]]}, DataError, r"^cloud: row 0 has 3 features, expected 2"),
    ],
)
def test_what_are_no_lines_is_said(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        plots.lines(**arguments)
