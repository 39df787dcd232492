"""``--metrics`` of the command lines: as data they are what each metric says, as text they keep within a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import Model, metrics, predict, train
from scratchnn.escapes import printable
from scratchnn.inference import Inference
from scratchnn.metrics import summary
from scratchnn.metrics.report import width_of
from tests.commands import Runner, refused
from tests.metrics.oracle import ours, scored
from tests.test_package import loaded_by

CLEAR_SCREEN = "\x1b[2J"


def answers(classes: list[Any], rows: int = 400, seed: int = 0) -> tuple[list[Any], list[Any], list[list[float]]]:
    """(true labels, predicted ones, probabilities), a fifth of them wrong."""
    rng = Random(seed)
    numbers = [rng.randrange(len(classes)) for _ in range(rows)]
    guesses = [k if rng.random() < 0.8 else rng.randrange(len(classes)) for k in numbers]
    proba = [[0.5 * (j == k) + 0.5 / len(classes) for j in range(len(classes))] for k in guesses]
    return [classes[k] for k in numbers], [classes[k] for k in guesses], proba


def text_of(classes: list[Any], width: int = 80, **settings: Any) -> list[str]:
    return summary.described_classes(summary.of_classes(*answers(classes, **settings), classes), width)


# --- as data -----------------------------------------------------------------------------------------------------


@given(scored(2))
def test_the_data_are_what_each_metric_says(given: Any) -> None:
    y, rows, labels = given
    predicted = [row.index(max(row)) for row in rows]
    found = summary.of_classes(y, predicted, rows, labels)
    assert found["accuracy"] == metrics.accuracy_score(y, predicted)
    assert found["log_loss"] == metrics.log_loss(y, rows, labels=labels)
    assert found["confusion_matrix"] == metrics.confusion_matrix(y, predicted, labels=labels)
    by_class = metrics.precision_recall_fscore_support(y, predicted, labels=labels, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), by_class):
        assert [entry[name] for entry in found["classes"]] == values
    for average in ("macro", "weighted"):
        values = metrics.precision_recall_fscore_support(y, predicted, labels=labels, average=average, zero_division=0)
        assert [found[f"{average}_avg"][name] for name in ("precision", "recall", "f1")] == list(values[:3])
    areas = [ours("roc_auc_score", [k == label for k in y], [row[k] for row in rows]) for k, label in enumerate(labels)]
    if len(set(y)) == len(labels):
        assert found["roc_auc"] == pytest.approx(sum(areas) / len(areas), rel=1e-12)
    wrong = sum(t != p for t, p in zip(y, predicted))
    assert sum(entry["rows"] for entry in found["most_confused"]) <= wrong
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_is_confused_most_comes_first() -> None:
    true, predicted = [0, 0, 1, 2, 2, 2, 0], [1, 1, 0, 1, 2, 2, 2]
    found = summary.of_classes(true, predicted, [[1 / 3] * 3] * 7, [0, 1, 2])
    assert [(entry["true"], entry["predicted"], entry["rows"]) for entry in found["most_confused"]] == [
        (0, 1, 2),
        (0, 2, 1),
        (1, 0, 1),
        (2, 1, 1),
    ]


def test_work_and_memory_are_those_of_the_rows_not_of_all_pairs_of_classes() -> None:
    classes = list(range(20_000))
    found = summary.of_classes([0, 7], [0, 9], [[1.0, *[0.0] * 19_999]] * 2, classes)
    assert found["confusion_matrix"] is None
    assert found["most_confused"] == [{"true": 7, "predicted": 9, "rows": 1}]


# --- as text -----------------------------------------------------------------------------------------------------


@given(
    names=st.lists(st.text(max_size=40) | st.text("日本x", max_size=40), min_size=2, max_size=30, unique=True),
    width=st.integers(60, 80),
    rows=st.sampled_from([3, 400, 20_000]),
)
def test_no_line_is_too_wide_and_all_are_printable(names: list[str], width: int, rows: int) -> None:
    found = summary.of_classes(*answers(sorted(names), 60), sorted(names))
    found["confusion_matrix"] = [[v * rows for v in row] for row in found["confusion_matrix"]]
    for entry in [*found["classes"], *found["most_confused"]]:
        entry.update({key: entry[key] * rows for key in ("support", "rows") if key in entry})
    for line in summary.described_classes(found, width):
        assert width_of(line) <= width, line
        assert line.isprintable()


@given(st.text(max_size=40) | st.text("日本x", max_size=40), st.integers(12, 30))
def test_a_long_name_is_cut(name: str, room: int) -> None:
    shown = summary.name_of(name, room)
    assert width_of(shown) <= min(room, 24)
    assert shown == printable(name) or (shown.endswith("...") and printable(name).startswith(shown[:-3]))


def test_a_matrix_that_fits_is_shown() -> None:
    lines = text_of(["no", "yes"], rows=40)
    place = lines.index("confusion matrix (rows: true, columns: predicted)")
    assert lines[place + 1 :] == ["      no yes", " no   13   4", "yes    2  21"]
    assert lines[1].startswith("ROC AUC: 0.")
    assert "(" not in lines[1]


def test_columns_are_numbered_where_names_are_too_long_for_them() -> None:
    names = [f"a flower of the {k}th kind" for k in range(8)]
    lines = text_of(names)
    place = next(number for number, line in enumerate(lines) if line.startswith("confusion matrix"))
    assert lines[place + 1].split() == [str(k) for k in range(1, 9)]
    assert [line.split("kind ")[1].split()[0] for line in lines[place + 2 :]] == [str(k) for k in range(1, 9)]


def test_of_many_classes_the_most_frequent_confusions_and_the_worst_classes_are_shown() -> None:
    lines = text_of([f"class {k}" for k in range(200)], rows=4000)
    assert len(lines) < 50
    assert "the 20 worst of 200 classes by F1" in lines
    place = lines.index("most frequent confusions")
    assert lines[place + 1].split() == ["rows", "true", "predicted"]
    counts = [int(line.split()[0]) for line in lines[place + 2 :]]
    assert len(counts) == 10
    assert counts == sorted(counts, reverse=True)


def test_many_classes_without_a_mistake() -> None:
    classes = list(range(60))
    rows = [[float(j == k) for j in classes] for k in classes]
    lines = summary.described_classes(summary.of_classes(classes, classes, rows, classes))
    assert lines[-1] == "no row was taken for another class"


def test_rows_of_one_class_have_no_curve() -> None:
    found = summary.of_classes([1, 1], [1, 0], [[0.2, 0.8], [0.6, 0.4]], [0, 1])
    assert found["roc_auc"] is None
    assert "ROC AUC: undefined, as all rows are of one class" in summary.described_classes(found)
    seen = summary.of_classes([1, 2], [1, 2], [[0.2, 0.8, 0.0], [0.0, 0.4, 0.6]], [0, 1, 2])
    assert summary.described_classes(seen)[1] == "ROC AUC: 1.0000 (mean of 2 classes, one-vs-rest)"


# --- the doors ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(own_folder: None) -> Path:
    """Two models, a table for each, and one whose class clears screens."""
    lines = [f"{k % 3 + k % 5 / 10},{k % 3 - k % 7 / 20},{('ant', 'bee', 'cat')[k % 3]}" for k in range(90)]
    lines[4] = lines[4].replace("bee", "cat")
    Path("animals.csv").write_text("a,b,kind\n" + "\n".join(lines) + "\n", "utf-8")
    Path("hostile.csv").write_text(Path("animals.csv").read_text("utf-8").replace("ant", CLEAR_SCREEN), "utf-8")
    Path("line.csv").write_text("x,y\n" + "".join(f"{k / 10},{k / 5 + k % 2}\n" for k in range(60)), "utf-8")
    return Path()


@pytest.fixture
def trained(folder: Path, call: Runner) -> Callable[..., Any]:
    def run(name: str, *options: str) -> Any:
        return call(train.main, f"{name}.csv", "--quiet", "--save", f"{name}.pkl", *options)

    return run


def test_train_tells_all_of_the_rows_to_test_on(trained: Callable[..., Any]) -> None:
    code, out, err = trained("animals", "--epochs", "5", "--metrics")
    assert (code, err) == (0, "")
    plain = trained("animals", "--epochs", "5")[1].splitlines()
    lines = out.splitlines()
    assert [line for line in lines if line in plain] == plain
    assert lines[2].startswith("test log loss: ")
    assert lines[3].startswith("test ROC AUC: ")
    assert {line.split()[0] for line in lines if line} >= {"ant", "bee", "cat", "accuracy", "macro", "weighted"}
    assert "confusion matrix (rows: true, columns: predicted)" in lines


def test_train_tells_them_as_json(trained: Callable[..., Any]) -> None:
    results = json.loads(trained("animals", "--epochs", "2", "--metrics", "--json")[1])
    assert results["metrics"]["accuracy"] == results["test_accuracy"]
    assert results["metrics"]["log_loss"] == pytest.approx(results["test_loss"], rel=1e-3)
    assert sum(map(sum, results["metrics"]["confusion_matrix"])) == results["test_rows"]
    assert "metrics" not in json.loads(trained("animals", "--epochs", "2", "--json")[1])
    numbers = json.loads(trained("line", "--epochs", "2", "--regression", "--label", "y", "--metrics", "--json")[1])
    assert numbers["metrics"]["r2"] == numbers["test_r2"]
    assert numbers["metrics"]["mean_squared_error"] == pytest.approx(numbers["test_mean_squared_error"], rel=1e-3)


def test_predict_tells_the_same(trained: Callable[..., Any], call: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    trained("animals", "--epochs", "5")
    run = partial(call, predict.main, "animals.pkl", "animals.csv")
    code, out, err = run("--score", "--metrics")
    assert (code, out) == run()[:2]
    scored = run("--score")[2]
    assert err.startswith(scored + "log loss: ")
    assert err == run("--metrics")[2] == run("--metrics", "--proba")[2] == run("--metrics", "--output", "out.csv")[2]
    model = Model.load("animals.pkl")
    rows = [line.split(",") for line in Path("animals.csv").read_text("utf-8").splitlines()[1:]]
    X, y = [[float(a), float(b)] for a, b, _ in rows], [kind for _, _, kind in rows]
    found = summary.of_classes(y, *model.predict_with_proba(X), model.classes)
    assert err.splitlines()[1:] == summary.described_classes(found)

    asked: list[int] = []
    outputs = Inference.outputs
    monkeypatch.setattr(
        Inference, "outputs", lambda self, *a: asked.append(sum(len(n) for n, _ in a[0])) or outputs(self, *a)
    )
    run("--metrics", "--proba")
    assert sum(asked) == len(rows)  # the network has seen each row once


def test_rows_of_a_stream_are_measured_all_together(
    trained: Callable[..., Any], call: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("animals", "--epochs", "2")
    expected = call(predict.main, "animals.pkl", "animals.csv", "--metrics")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("animals.csv").read_bytes())))
    assert call(predict.main, "animals.pkl", "-", "--metrics") == expected


def test_numbers_have_errors(trained: Callable[..., Any], call: Runner) -> None:
    out = trained("line", "--epochs", "5", "--regression", "--label", "y", "--metrics")[1].splitlines()
    assert [line.split(": ")[0] for line in out[2:4]] == ["test mean absolute error", "test root mean squared error"]
    err = call(predict.main, "line.pkl", "line.csv", "--metrics")[2]
    model = Model.load("line.pkl")
    X, y = [[k / 10] for k in range(60)], [k / 5 + k % 2 for k in range(60)]
    predicted = model.predict(X)
    assert err.splitlines() == [
        f"R2: {metrics.r2_score(y, predicted):.4f}",
        f"mean absolute error: {metrics.mean_absolute_error(y, predicted):.6g}",
        f"root mean squared error: {metrics.root_mean_squared_error(y, predicted):.6g}",
    ]


def test_class_names_from_strangers_are_escaped(trained: Callable[..., Any], call: Runner) -> None:
    out = trained("hostile", "--epochs", "2", "--metrics")[1]
    err = call(predict.main, "hostile.pkl", "hostile.csv", "--metrics")[2]
    for text in (out, err):
        assert "\x1b" not in text
        assert text.count("\\x1b[2J") >= 2


def test_several_numbers_a_row_are_refused(folder: Path, call: Runner) -> None:
    model = Model(1, 2, 2, task="regression")
    model.fit([[0.0], [1.0]], [[0.0, 1.0], [1.0, 0.0]], epochs=1)
    model.save("pairs.pkl")
    message = refused(call(predict.main, "pairs.pkl", "line.csv", "--metrics"))
    assert message == "--metrics compares with one label a row, this model predicts 2 numbers"


def test_nothing_of_it_is_loaded_unless_it_is_asked_for(trained: Callable[..., Any]) -> None:
    trained("animals", "--epochs", "1")
    words = [str(Path("animals.pkl").resolve()), str(Path("animals.csv").resolve()), "--score", "--output"]
    for more, expected in ((["a.csv"], False), (["b.csv", "--metrics"], True)):
        command = [*words, str(Path(more[0]).resolve()), *more[1:]]
        quiet = "import io, sys; sys.stderr = io.StringIO()"
        loaded = loaded_by(
            f"{quiet}; from scratchnn.predict import main; main({command!r}); sys.stderr = sys.__stderr__"
        )
        assert ("scratchnn.metrics" in loaded) is expected
