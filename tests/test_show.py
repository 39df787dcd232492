"""``train --show`` and ``predict --show``: drawn for people, within the width, and nothing that obeys a stranger."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from scratchnn import Model, load_digits, predict, train
from scratchnn.metrics.report import width_of
from tests.commands import Runner, refused
from tests.test_drawings import seen

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def command(call: Runner) -> Runner:
    return partial(call, train.main)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of digits, and a few rows with labels and without."""
    folder = tmp_path_factory.mktemp("digits")
    data, test = load_digits()
    model = Model(64, 8, 10)
    model.fit(data.X[:300], data.y[:300], epochs=2, columns=data)
    model.save(folder / "model.pkl")
    lines = [",".join(map(str, [label, *row])) for row, label in zip(test.X[:9], test.y)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "bare.csv").write_text("\n".join(line.partition(",")[2] for line in lines) + "\n", encoding="utf-8")
    return folder


def write_flowers(name: str = "daisy") -> str:
    lines = ["length,width,species"]
    for number in range(60):
        kind = number % 3
        lines.append(f"{kind + number % 7 / 10:.2f},{kind * 2 - number % 5 / 2:.2f},{(name, 'rose', 'tulip')[kind]}")
    Path("flowers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "flowers.csv"


# --- train -------------------------------------------------------------------------------------------------


def test_training_on_digits_draws_curve_matrix_and_mistakes(command: Runner) -> None:
    code, out, _ = command("--epochs", 2, "--hidden", 4, "--quiet", "--show")
    assert code == 0
    lines = out.splitlines()
    assert all(width_of(seen(line)) <= 80 for line in lines)
    assert next(line for line in lines if line.startswith("loss ")).split()[2] == "█▁"
    start = lines.index("confusion matrix (rows: true, columns: predicted)")
    assert lines[start + 1].split() == [*"0123456789"]
    mistakes = lines.index(next(line for line in lines if line.startswith("the most confident of ")))
    assert sum(line.count("✗") for line in lines[mistakes:]) == 12
    assert sum(line.count(", true ") for line in lines[mistakes:]) == 12


def test_rows_that_are_no_images_are_lines(command: Runner) -> None:
    out = command(write_flowers(), "--epochs", 1, "--hidden", "none", "--quiet", "--show")[1]
    shown = [line for line in out.splitlines() if line.startswith("row ")]
    assert shown and all("true" in line and "length=" in line for line in shown) and len(shown) <= 12


def test_the_matrix_is_not_drawn_twice(command: Runner) -> None:
    out = command(write_flowers(), "--epochs", 1, "--quiet", "--show", "--metrics")[1]
    assert out.count("confusion matrix") == 1


def test_numbers_show_the_largest_errors(command: Runner) -> None:
    Path("line.csv").write_text("\n".join(f"{k},{k * k}" for k in range(60)) + "\n", encoding="utf-8")
    out = command("line.csv", "--regression", "--epochs", 2, "--quiet", "--show", "--validation-split", 0.2)[1]
    assert "\nthe largest errors\n" in out and "\n           loss " in out and "\nvalidation loss " in out
    assert len([line for line in out.splitlines() if line.startswith("row ")]) == 12


def test_a_run_without_mistakes_says_so(command: Runner) -> None:
    lines = [f"{k % 2 * 10 + k % 5 / 10},{'ab'[k % 2]}" for k in range(60)]
    Path("easy.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = command("easy.csv", "--epochs", 20, "--quiet", "--show")[1]
    assert "no row to test on was taken for another class" in out


def test_names_from_a_file_are_made_printable(command: Runner) -> None:
    out = command(write_flowers("\x1b[2Jdaisy\u202e"), "--epochs", 1, "--hidden", "none", "--quiet", "--show")[1]
    assert "\x1b" not in out and "\u202e" not in out and "\\x1b[2J" in out


def test_drawings_are_not_for_programs(command: Runner) -> None:
    assert "--show draws for people" in refused(command("--show", "--json"))


# --- predict -----------------------------------------------------------------------------------------------


def test_predict_draws_images_instead_of_writing_lines(call: Runner, digits: Path) -> None:
    code, out, err = call(predict.main, digits / "model.pkl", digits / "rows.csv", "--show", "--score")
    assert code == 0 and err.startswith("accuracy: ")
    lines = out.splitlines()
    assert len(lines) == 3 * 10  # nine images, four in a row
    assert all(width_of(line) <= 80 for line in lines)
    model, test = Model.load(digits / "model.pkl"), load_digits()[1]
    wrong = sum(a != b for a, b in zip(model.predict(test.X[:9]), test.y))
    assert out.count(", true ") == wrong


def test_rows_without_labels_show_what_was_predicted(call: Runner, digits: Path) -> None:
    _, out, _ = call(predict.main, digits / "model.pkl", digits / "bare.csv", "--show", "--proba")
    assert "true" not in out and out.count("%") == 9


def test_an_output_file_still_gets_the_predictions(call: Runner, digits: Path) -> None:
    _, out, _ = call(predict.main, digits / "model.pkl", digits / "rows.csv", "--show", "-o", "found.csv")
    assert len(Path("found.csv").read_text(encoding="utf-8").splitlines()) == 9
    assert len(out.splitlines()) == 30


def test_numbers_and_the_rows_they_are_for(call: Runner) -> None:
    model = Model(2, [], task="regression")
    model.fit([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]], [1.0, 2.0, 3.0], epochs=1)
    model.save("line.pkl")
    Path("rows.csv").write_text("1,2,7.5\n3,4,8\n", encoding="utf-8")
    _, out, _ = call(predict.main, "line.pkl", "rows.csv", "--show", "--label", "-1")
    first, second = out.splitlines()
    assert first.startswith("row 1 ") and ", true 7.5 " in first and first.endswith("1  2")
    assert second.startswith("row 2 ") and ", true 8 " in second


def test_images_in_idx_files_show_labels_only_if_they_are_there(call: Runner, digits: Path) -> None:
    data = load_digits()[1]
    images = b"".join(data.X[:3])
    Path("t-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0, 0, 8]) + images)
    code, out, _ = call(predict.main, digits / "model.pkl", "t-images-idx3-ubyte", "--show")
    assert code == 0 and "true" not in out
    Path("t-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 77, 77, 77]))
    assert call(predict.main, digits / "model.pkl", "t-images-idx3-ubyte", "--show")[1].count("true 77") == 3


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals here")
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal_there_are_colours_within_its_width(
    variables: dict[str, str], coloured: bool, digits: Path
) -> None:
    import pty
    import subprocess
    import sys

    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "40", "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    environment.update(variables, PYTHONIOENCODING="utf-8")
    command = [sys.executable, "-m", "scratchnn.predict", str(digits / "model.pkl"), str(digits / "rows.csv"), "--show"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # all is said: the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    lines = shown.decode().split("\r\n")
    assert max(width_of(seen(line)) for line in lines) <= 39
    assert ("\x1b" in shown.decode()) == coloured
