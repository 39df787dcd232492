"""``python -m scratchnn.train``: what it prints, what it saves, and what it says when something is wrong.

Most tests call the command as a function. The ones about signals, pipes and terminals start it as a process.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Model, __version__, defaults, train
from tests import commands
from tests.commands import Result, Runner

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "scratchnn.train"]

pytestmark = pytest.mark.usefixtures("own_folder", "usual_interrupts")


def write_flowers(path: Path, *, rows: int = 60, separator: str = ",", header: bool = True) -> Path:
    """Three kinds of flowers that two numbers tell apart, the kind in the last column."""
    lines = [separator.join(["length", "width", "species"])] if header else []
    for number in range(rows):
        kind = number % 3
        numbers = [kind * 3 + number % 7 / 10, kind * 2 - number % 5 / 10]
        lines.append(separator.join([*(f"{v:.2f}" for v in numbers), ("daisy", "rose", "tulip")[kind]]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    return write_flowers(tmp_path / "flowers.csv")


@pytest.fixture
def command(call: Runner) -> Runner:
    return partial(call, train.main)


def start(*arguments: object, **settings: Any) -> subprocess.Popen[str]:
    """Starts the command as a process, in the current folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    environment.update(settings.pop("environment", {}))
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment,
        text=True,
        encoding="utf-8",
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings},
    )


# --- what it does ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_without_a_file_it_learns_the_digits_that_come_along(command: Runner) -> None:
    code, out, err = command()
    assert code == 0
    assert "1,437 rows to learn from, 360 to test on\n" in out
    assert "64 features, 10 classes: 0 1 2 3 4 5 6 7 8 9\n  label: column 1 ('label')\n" in out
    accuracy = re.search(r"^test accuracy: ([0-9.]+)%$", out, re.MULTILINE)
    assert accuracy
    assert float(accuracy.group(1)) >= 96.0
    assert len(err.splitlines()) == defaults.EPOCHS
    assert Path("model.pkl").exists()


@pytest.mark.slow
@pytest.mark.shared
def test_mini_mnist_is_learned_from_its_own_files(shared: Path, command: Runner) -> None:
    folder = shared / "mini-mnist"  # the training rows are under a header line, the test rows are not
    arguments = ["--hidden", 10, "--epochs", 3, "--json"]
    code, out, _ = command(folder / "train.csv", "--test", folder / "test.csv", *arguments)
    results = json.loads(out)
    assert code == 0
    assert (results["training_rows"], results["test_rows"], results["features"]) == (999, 200, 784)
    assert results["test_accuracy"] >= 0.75


def test_iris_with_its_names_is_learned_and_predicted(
    tmp_path: Path, command: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    iris = datasets.load_iris()
    names = [str(iris.target_names[k]) for k in iris.target]
    lines = [",".join([*iris.feature_names, "species"])]
    lines += [",".join([*map(str, row), name]) for row, name in zip(iris.data.tolist(), names)]
    path = tmp_path / "iris.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, out, _ = command(path, "--json", "--hidden", 16)
    assert code == 0
    assert json.loads(out)["classes"] == ["setosa", "versicolor", "virginica"]
    assert json.loads(out)["test_accuracy"] > 0.9

    from scratchnn import predict

    assert predict.main(["model.pkl", str(path)]) == 0
    predictions = capsys.readouterr().out.splitlines()
    assert sum(map(str.__eq__, predictions, names)) / len(names) > 0.9


def test_it_says_what_it_learns_from_how_well_and_what_to_do_next(flowers: Path, command: Runner) -> None:
    code, out, _ = command(flowers, "--epochs", 20)
    assert code == 0
    out = re.sub(r"in [0-9.]+ seconds", "in 1.0 seconds", out)
    assert out == (
        "flowers.csv\n"
        "  48 rows to learn from, 12 to test on (held out)\n"
        "  2 features, 3 classes: daisy rose tulip\n"
        "  label: column 3 ('species')\n"
        "\n"
        "layer   output shape  parameters\n"
        "--------------------------------\n"
        "input   2\n"
        "Linear  100                  300\n"
        "ReLU    100                    0\n"
        "Linear  3                    303\n"
        "--------------------------------\n"
        "total                        603\n"
        "\n"
        "learned for 20 epochs in 1.0 seconds\n"
        "train accuracy: 100.00%\n"
        "test accuracy: 100.00%\n"
        "model saved in model.pkl\n"
        "try it: python -m scratchnn.predict model.pkl flowers.csv\n"
    )


def test_progress_goes_to_standard_error_a_plain_line_an_epoch(flowers: Path, command: Runner) -> None:
    _, _, err = command(flowers, "--epochs", 3, "--validation-split", 0.2)
    lines = err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("validation accuracy" in line and "samples/s" in line for line in lines)


def test_quiet_leaves_the_results_alone(flowers: Path, command: Runner) -> None:
    code, out, err = command(flowers, "--quiet", "--epochs", 20)
    assert code == 0
    assert out == "train accuracy: 100.00%\ntest accuracy: 100.00%\nmodel saved in model.pkl\n"
    assert err == ""


def test_json_is_one_object_with_everything(flowers: Path, command: Runner) -> None:
    code, out, err = command(flowers, "--json", "--epochs", 20, "--hidden", 5, "--early-stopping", 50)
    results = json.loads(out)
    assert code == 0
    assert err.startswith("epoch  1/20  loss ")
    assert out.count("\n") == 1
    history = results.pop("history")
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
        ("loss", "accuracy", "validation_loss", "validation_accuracy", "seconds"), 20
    )
    for name in ("seconds", "train_loss", "test_loss"):
        assert results.pop(name) > 0
    assert results == {
        "data": str(flowers),
        "test_data": str(flowers),
        "training_rows": 43,
        "test_rows": 12,
        "features": 2,
        "classes": ["daisy", "rose", "tulip"],
        "label": "species",
        "parameters": 33,
        "epochs": 20,
        "stopped_early": False,
        "best_epoch": 1 + history["validation_loss"].index(min(history["validation_loss"])),
        "train_accuracy": 1.0,
        "test_accuracy": 1.0,
        "seed": 0,
        "model": "model.pkl",
    }


def test_a_file_of_its_own_can_be_the_test(tmp_path: Path, flowers: Path, command: Runner) -> None:
    test = write_flowers(tmp_path / "test.csv", rows=9, header=False)
    code, out, _ = command(flowers, "--test", test)
    assert code == 0
    assert "60 rows to learn from, 9 to test on\n" in out
    assert out.endswith("scratchnn.predict model.pkl test.csv\n")


def test_a_test_file_with_its_columns_in_another_order_is_put_right(flowers: Path, command: Runner) -> None:
    header, *rows = flowers.read_text(encoding="utf-8").splitlines()
    order = [2, 1, 0]
    shuffled = [",".join(line.split(",")[i] for i in order) for line in [header, *rows]]
    Path("other.csv").write_text("\n".join(shuffled), encoding="utf-8")
    results = [
        json.loads(command(flowers, "--test", test, "--json", "--quiet")[1])["test_loss"]
        for test in (flowers, "other.csv")
    ]
    assert results[0] == results[1]


def test_the_model_is_saved_with_what_it_knows(flowers: Path, command: Runner) -> None:
    code, *_ = command(flowers, "--save", "flowers.pkl", "--hidden", "7,5", "--activation", "tanh", "--dropout", 0.1)
    assert code == 0
    model = Model.load("flowers.pkl")
    assert model.classes == ["daisy", "rose", "tulip"]
    assert model.feature_names == ["length", "width"]
    assert (model.label_name, model.label_position) == ("species", 2)
    assert [type(layer).__name__ for layer in model.network] == [
        *("Linear", "Tanh", "Dropout", "Linear", "Tanh", "Dropout", "Linear")
    ]
    assert model.predict([[0.1, 0.1], [6.2, 3.9]]) == ["daisy", "tulip"]


def test_same_seed_same_model_to_the_last_bit(flowers: Path, command: Runner) -> None:
    weights = []
    for seed in (3, 3, 4):
        assert command(flowers, "--quiet", "--epochs", 2, "--seed", seed)[0] == 0
        weights.append(Model.load("model.pkl").weights)
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden", "none"],
        ["--activation", "sigmoid", "--lr", "1"],
        ["--batch-size", "full", "--lr", "0.5"],
        ["--optimizer", "adam", "--lr", "0.01"],
        ["--optimizer", "adamw", "--lr", "0.01", "--weight-decay", "0.1", "--schedule", "onecycle"],
        ["--optimizer", "rmsprop", "--momentum", "0.5", "--lr", "0.001", "--schedule", "warmup"],
        ["--optimizer", "Adagrad"],
        ["--optimizer", "Adam", "--lr", "0.01", "--activation", "LeakyReLU"],
        ["--momentum", "0.5", "--nesterov", "--weight-decay", "0.001"],
        ["--schedule", "step"],
        ["--schedule", "plateau"],
        ["--schedule", "none", "--clip-norm", "1"],
        ["--class-weight", "balanced"],
        ["--scaling", "none"],
        ["--early-stopping"],
        ["--validation-split", "0.25"],
        ["--engine", "linalg"],
    ],
    ids=lambda options: " ".join(options),
)
def test_every_way_to_train_learns_the_flowers(options: list[str], flowers: Path, command: Runner) -> None:
    code, out, _ = command(flowers, "--json", "--epochs", 30, "--hidden", 16, *options)
    assert code == 0
    assert json.loads(out)["test_accuracy"] >= 0.9


def test_early_stopping_stops_when_it_only_gets_worse(flowers: Path, command: Runner) -> None:
    far_too_fast = ["--lr", 100, "--schedule", "none", "--hidden", 4]
    code, out, _ = command(flowers, "--json", "--epochs", 100, "--early-stopping", 2, *far_too_fast)
    assert code == 0
    results = json.loads(out)
    assert (results["epochs"], results["stopped_early"], results["best_epoch"]) == (3, True, 1)
    _, out, _ = command(flowers, "--epochs", 100, "--early-stopping", 2, *far_too_fast)
    loss, accuracy = results["history"]["validation_loss"][0], results["history"]["validation_accuracy"][0]
    assert re.sub(r"in [0-9.]+ seconds", "in 1.0 seconds", out).split("\n\n")[2].splitlines()[:3] == [
        "learned for 3 of 100 epochs in 1.0 seconds",
        "stopped early: no lower validation loss for 2 epochs",
        f"best epoch: 1 (validation loss {loss:.4g}, accuracy {accuracy:.1%}); that one is saved",
    ]


def test_without_early_stopping_the_best_epoch_is_named_and_the_last_one_kept(flowers: Path, command: Runner) -> None:
    options = ["--epochs", 4, "--lr", 10, "--schedule", "none", "--hidden", 4, "--validation-split", 0.2]
    losses = json.loads(command(flowers, "--json", *options)[1])["history"]["validation_loss"]
    best = 1 + losses.index(min(losses))
    assert best < 4  # far too fast to get better for long
    _, out, _ = command(flowers, *options)
    assert "\nlearned for 4 epochs in " in out and "stopped early" not in out
    assert re.search(rf"\nbest epoch: {best} \(validation loss .*\); the last one is saved\n", out)
    assert "best epoch" not in command(flowers, "--epochs", 2)[1]


def test_csv_formats_can_be_told(tmp_path: Path, command: Runner) -> None:
    path = write_flowers(tmp_path / "flowers.tsv", separator="\t", header=False)
    code, out, _ = command(path, "--delimiter", "tab", "--no-header", "--label", "-1", "--json")
    assert code == 0
    assert json.loads(out)["classes"] == ["daisy", "rose", "tulip"]
    assert json.loads(out)["label"] == 2
    assert json.loads(out)["test_accuracy"] == 1.0


def test_a_column_without_a_name_is_called_by_its_number(tmp_path: Path, command: Runner) -> None:
    _, out, _ = command(write_flowers(tmp_path / "flowers.csv", header=False), "--epochs", 1)
    assert "  label: column 3\n" in out


WHOLE_NUMBERS = (
    "note: column 3 ('price') holds 19 different whole numbers, each now a class of its own; this looks like numbers "
    "to be predicted, which --regression does\n"
)


def test_numbers_that_are_nearly_all_different_are_trained_on_as_classes_with_a_hint(
    tmp_path: Path, command: Runner
) -> None:
    path = write_prices(tmp_path / "prices.csv", [100 + number * (number > 1) for number in range(20)])
    code, _, err = command(path, "--label", "price", "--epochs", 1, "--quiet")
    assert (code, err) == (0, WHOLE_NUMBERS)


def write_prices(path: Path, prices: list[int]) -> Path:
    lines = ["a,b,price", *(f"{number},{number % 7},{price}" for number, price in enumerate(prices))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_line(path: Path, *, factor: float = 1.0) -> Path:
    lines = ["x,y", *(f"{x / 10},{factor * (3 * x / 10 - 1)}" for x in range(100))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_regression_learns_numbers(tmp_path: Path, command: Runner) -> None:
    path = write_line(tmp_path / "line.csv")
    code, out, _ = command(path, "--regression", "--epochs", 60, "--hidden", 8)
    assert code == 0
    assert "  1 features, to predict the number y\n  label: column 2 ('y')\n" in out
    fits = re.findall(r"^(train|test) mean squared error: ([0-9.e-]+) \(R2 ([0-9.]+)\)$", out, re.MULTILINE)
    assert [name for name, _, _ in fits] == ["train", "test"]
    assert all(float(error) < 1 and float(fit) > 0.98 for _, error, fit in fits)
    assert Model.load("model.pkl").classes == []


def test_the_fit_does_not_depend_on_the_unit_of_the_target(tmp_path: Path, command: Runner) -> None:
    fits, errors = [], []
    for unit in (1.0, 1e-5, 100_000.0, 1e9):
        path = write_line(tmp_path / "line.csv", factor=unit)
        _, out, _ = command(path, "--regression", "--json", "--epochs", 5, "--early-stopping", 3)
        results = json.loads(out)
        fits.append((results["train_r2"], results["test_r2"]))
        errors.append(results["train_mean_squared_error"] / unit**2)
    assert fits[1:] == [pytest.approx(fits[0], abs=1e-3)] * 3
    assert errors[1:] == [pytest.approx(errors[0], rel=1e-2)] * 3


def test_a_fit_that_is_undefined_is_not_shown(tmp_path: Path, command: Runner) -> None:
    line = write_line(tmp_path / "line.csv")
    for rows in ("x,y\n1.5,3.5\n", "x,y\n1.5,3.5\n1.6,3.5\n"):
        Path("test.csv").write_text(rows, encoding="utf-8")
        _, out, _ = command(line, "--test", "test.csv", "--regression", "--epochs", 1)
        assert re.search(r"^train mean squared error: \S+ \(R2 \S+\)\ntest mean squared error: \S+$", out, re.MULTILINE)
        _, out, _ = command(line, "--test", "test.csv", "--regression", "--epochs", 1, "--json")
        assert json.loads(out)["test_r2"] is None


def test_regression_in_json(tmp_path: Path, command: Runner) -> None:
    code, out, _ = command(write_line(tmp_path / "line.csv"), "--regression", "--json", "--hidden", 8)
    results = json.loads(out)
    assert code == 0
    assert results["classes"] == []
    assert {"train_r2", "test_r2", "train_mean_squared_error", "test_mean_squared_error"} < set(results)
    assert "test_accuracy" not in results


def test_a_learning_rate_that_is_far_too_high_is_mentioned(flowers: Path, command: Runner) -> None:
    code, _, err = command(flowers, "--quiet", "--lr", 1e4, "--epochs", 2)
    assert code == 0
    assert re.fullmatch(r"the loss ended at \S+, far above the 1\.10 of guessing; a smaller --lr may help\n", err)


def test_a_loss_that_rises_is_mentioned(tmp_path: Path, command: Runner) -> None:
    options = ["--quiet", "--regression", "--hidden", "none", "--schedule", "none", "--batch-size", "full"]
    line = write_line(tmp_path / "line.csv")
    code, _, err = command(line, *options, "--momentum", 0, "--clip-norm", 1e9, "--lr", 1.5, "--epochs", 3)
    assert code == 0
    assert re.fullmatch(r"the loss ended higher, at \S+, than it began, at \S+; a smaller --lr may help\n", err)


def test_json_has_null_for_what_is_no_number(tmp_path: Path, command: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "score", lambda *arguments: float("nan"))
    _, out, _ = command(write_line(tmp_path / "line.csv"), "--regression", "--json", "--epochs", 1)
    assert json.loads(out)["test_r2"] is None
    assert "NaN" not in out


def test_help_names_every_choice_the_library_has(command: Runner) -> None:
    from scratchnn.engines.finding import ENGINES
    from scratchnn.layers.architecture import ACTIVATIONS
    from scratchnn.optim import OPTIMIZERS
    from scratchnn.preprocessing import Scaling

    code, out, _ = command("--help")
    assert code == 0
    for name in (*ACTIVATIONS, *ENGINES, *OPTIMIZERS, *Scaling.KINDS):
        assert re.search(rf"\b{name}\b", out), name


def test_help_says_which_column_is_taken_for_the_label(command: Runner) -> None:
    from scratchnn.datasets.csv_dialect import LABEL_NAMES

    help_text = " ".join(command("--help")[1].split())
    assert f"default: one called {', '.join(LABEL_NAMES[:-1])} or {LABEL_NAMES[-1]}, else the only one" in help_text


def test_version(command: Runner) -> None:
    assert command("--version") == (0, f"scratchnn {__version__}\n", "")


# --- bad input: one line, exit code 2, no traceback, nothing saved -----------------------------------------------


def refused(result: Result) -> str:
    assert not Path("model.pkl").exists()
    return commands.refused(result)


GOOD_ROWS = "".join(f"{k % 2},{k},{k + 0.5}\n" for k in range(10))

BAD_FILES = {
    "empty": (b"", "bad.csv: the file is empty; expected rows of numbers with a label"),
    "header only": (b"label,a,b\n", "bad.csv, line 1: only a header line; expected rows below it"),
    "ragged row": (b"label,a,b\n0,1,2\n1,2\n", "bad.csv, line 3: expected 3 fields, as in line 1, got 2"),
    "text for a number": (
        b"label,a,b\n0,1,2\n1,many,3\n0,4,5\n1,6,7\n",
        "bad.csv, line 3, column 2 ('a'): expected a number, got 'many'",
    ),
    "empty field": (b"label,a,b\n0,1,2\n1,,3\n", "bad.csv, line 3, column 2 ('a'): empty field; expected a number"),
    "NaN": (b"label,a,b\n0,1,2\n1,nan,3\n", "bad.csv, line 3, column 2 ('a'): expected a finite number, got 'nan'"),
    "infinity": (
        b"label,a,b\n0,1,2\n1,3,-inf\n",
        "bad.csv, line 3, column 3 ('b'): expected a finite number, got '-inf'",
    ),
    "single class": (
        b"label,a\n7,1\n7,2\n7,3\n",
        "bad.csv, column 1 ('label'): every row has the label '7'; expected at least two classes",
    ),
    "one column": (b"label\n1\n2\n", "bad.csv, line 1: one column only; expected a label"),
    "binary junk": (bytes(range(256)) * 4, "bad.csv, line 1: a NUL byte: this looks like a binary file, not text"),
    "broken gzip": (b"\x1f\x8b\x08junk", "bad.csv: this gzip file is"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_its_line_and_column(name: str, command: Runner) -> None:
    content, message = BAD_FILES[name]
    Path("bad.csv").write_bytes(content)
    assert refused(command("bad.csv")).startswith(message)


@pytest.mark.parametrize(("label", "column"), [(None, "1 ('a')"), ("price", "3 ('price')")])
def test_numbers_that_are_all_different_are_no_classes(label: str | None, column: str, command: Runner) -> None:
    write_prices(Path("prices.csv"), [100 + 3 * number for number in range(40)])
    assert refused(command("prices.csv", *(["--label", label] if label else []))) == (
        f"prices.csv, column {column}: none of 40 rows can be held out: every label occurs only once; "
        "to predict numbers add --regression, and name their column with --label"
    )


def test_rows_to_validate_with_that_are_none_are_refused(command: Runner) -> None:
    Path("few.csv").write_text("length,width,species\n1,2,rose\n3,4,daisy\n", encoding="utf-8")
    assert refused(command("few.csv", "--test", "few.csv", "--validation-split", 0.5)).startswith(
        "few.csv, column 3 ('species'): none of 2 rows can be held out: every label occurs only once"
    )


def test_a_missing_file_is_refused(command: Runner) -> None:
    assert refused(command("missing.csv")) == "missing.csv: no such file"


def test_a_directory_is_refused(tmp_path: Path, command: Runner) -> None:
    assert refused(command(tmp_path)) == f"{tmp_path}: this is a directory; a data file was expected"


def test_a_label_column_that_is_not_there_is_refused(flowers: Path, command: Runner) -> None:
    assert refused(command("flowers.csv", "--label", "colour")) == (
        "flowers.csv, line 1: no label column 'colour': the columns are 'length', 'width', 'species'"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("length,width,species\n1,2,oak\n", "the label 'oak' is not among the training classes"),
        (
            "length,height,species\n1,2,rose\n",
            "the columns differ from the training columns; missing: 'width'; not exp",
        ),
        (
            "length,species\n1,rose\n",
            "expected 2 feature columns and a label, got 2 columns in all",
        ),
        ("1,2,3,rose\n", "expected 2 feature columns and a label, got 4 columns in all"),
    ],
)
def test_a_test_file_that_does_not_fit_is_refused(content: str, message: str, flowers: Path, command: Runner) -> None:
    Path("test.csv").write_text(content, encoding="utf-8")
    refusal = refused(command(flowers, "--test", "test.csv"))
    assert refusal.startswith("test.csv, line ")
    assert message in refusal


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no/such/folder/model.pkl", "there is no folder no/such/folder"),
        (".", "a directory, expected the name of a file to write"),
        ("flowers.csv", "this would overwrite what is read, choose another file to write to"),
        ("flowers.csv/model.pkl", "there is no folder flowers.csv"),
    ],
)
def test_a_save_path_is_refused_before_anything_is_read(
    target: str, message: str, flowers: Path, command: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **settings: object) -> None:
        raise AssertionError("read before the save path was checked")

    monkeypatch.setattr("scratchnn.datasets.dataset.load_csv", never)
    before = flowers.read_bytes()
    assert refused(command("flowers.csv", "--save", target)) == f"{target}: {message}"
    assert flowers.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "-3"], "argument --epochs: must be at least 1, got -3"),
        (["--epochs", "0"], "argument --epochs: must be at least 1, got 0"),
        (["--epochs", "many"], "argument --epochs: must be a whole number, got 'many'"),
        (["--lr", "0"], "argument --lr: must be above 0 and finite, got 0"),
        (["--lr", "nan"], "argument --lr: must be above 0 and finite, got nan"),
        (["--lr", "inf"], "argument --lr: must be above 0 and finite, got inf"),
        (["--lr", "fast"], "argument --lr: must be a number, got 'fast'"),
        (["--batch-size", "0"], "argument --batch-size: must be at least 1, got 0"),
        (["--hidden", "64,zwei"], "argument --hidden: must be sizes such as 100 or 128,64, or none; got '64,zwei'"),
        (["--hidden", "0"], "argument --hidden: must be sizes such as 100 or 128,64, or none; got '0'"),
        (["--momentum", "1"], "argument --momentum: must be at least 0 and below 1, got 1"),
        (["--dropout", "1"], "argument --dropout: must be at least 0 and below 1, got 1"),
        (["--weight-decay", "-1"], "argument --weight-decay: must be at least 0 and finite, got -1"),
        (["--clip-norm", "0"], "argument --clip-norm: must be above 0 and finite, got 0"),
        (["--validation-split", "1.5"], "argument --validation-split: must be at least 0 and below 1, got 1.5"),
        (["--early-stopping", "0"], "argument --early-stopping: must be at least 1, got 0"),
        (["--delimiter", "ab"], "argument --delimiter: must be one character or the word tab or space, got 'ab'"),
        (["--seed", "x"], "argument --seed: must be a whole number, got 'x'"),
        (["--seed", "-1"], "argument --seed: must be at least 0, got -1"),
        (["--activation", "reul"], "unknown activation 'reul': known are relu, leaky_relu, tanh, sigmoid"),
        (["--optimizer", "lion"], "unknown optimizer 'lion': known are sgd, adagrad, rmsprop, adam, adamw"),
        (["--engine", "steam"], "unknown engine 'steam': known are lanes, linalg"),
        (["--scaling", "log"], "unknown scaling 'log': known are auto, pixels, standard, none"),
        (
            ["--optimizer", "adam", "--momentum", "0.9"],
            "--momentum belongs to --optimizer sgd and rmsprop, not to adam",
        ),
        (["--optimizer", "AdamW", "--nesterov"], "--nesterov belongs to --optimizer sgd, not to adamw"),
        (["--optimizer", "rmsprop", "--nesterov"], "--nesterov belongs to --optimizer sgd, not to rmsprop"),
        (["--nesterov", "--momentum", "0"], "--nesterov needs a --momentum above 0"),
        (
            ["--early-stopping", "--validation-split", "0"],
            "--early-stopping watches rows that are set aside: it needs a --validation-split above 0",
        ),
        (["--regression", "--class-weight", "balanced"], "--class-weight is for classes, and --regression has none"),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),
        (["--header", "--no-header"], "argument --no-header: not allowed with argument --header"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_make_no_sense_are_refused(
    options: list[str], message: str, flowers: Path, command: Runner
) -> None:
    assert refused(command(flowers, *options)).startswith(message)


def test_a_file_taken_for_the_patience_is_explained(flowers: Path, command: Runner) -> None:
    assert "must be a whole number, got 'flowers.csv'; put the data file before the option" in refused(
        command("--early-stopping", "flowers.csv")
    )


@pytest.mark.parametrize(
    "options",
    [
        ["--test", "x.csv"],
        ["--label", "y"],
        ["--label", "0"],
        ["--regression"],
        ["--no-header"],
        ["--header"],
        ["--delimiter", ";"],
    ],
)
def test_options_about_a_file_need_a_file(options: list[str], command: Runner) -> None:
    assert re.match(r"--\w+ is about a CSV file, and none was given", refused(command(*options)))


def test_training_that_runs_off_to_infinity_is_no_model(tmp_path: Path, command: Runner) -> None:
    path = write_line(tmp_path / "line.csv", factor=1000)
    refusal = command(path, "--quiet", "--regression", "--lr", 1, "--clip-norm", 1e300, "--epochs", 30)
    assert re.fullmatch(
        r"training diverged in epoch \d+, batch \d+: .*; try a lower learning rate than 1, clip_norm, or .*",
        refused(refusal),
    )


# --- Ctrl-C ------------------------------------------------------------------------------------------------------


class Interrupting:
    """Stands in for the progress display, and presses Ctrl-C so many times after the second batch."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.batches = 0

    def on_train_begin(self, model: Any, run: Any) -> None: ...

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.batches += 1
        if self.batches == 2:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)

    def on_epoch_end(self, model: Any, run: Any) -> None: ...

    def on_train_end(self, model: Any, run: Any) -> None: ...

    def close(self) -> None: ...


def test_ctrl_c_saves_what_was_learned_so_far(flowers: Path, command: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Interrupting(times=1)
    monkeypatch.setattr(train, "TrainingProgress", lambda **settings: progress)
    code, out, err = command(flowers, "--epochs", 1000, "--batch-size", 8)
    assert code == 130
    assert progress.batches == 2  # the batch was finished, and no other begun
    assert err == "interrupted: what was learned so far is saved in model.pkl\n"
    assert "accuracy" not in out
    assert Model.load("model.pkl").classes == ["daisy", "rose", "tulip"]


def test_a_second_ctrl_c_stops_at_once_and_leaves_the_old_file_alone(
    flowers: Path, command: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("model.pkl").write_bytes(b"an older model")
    monkeypatch.setattr(train, "TrainingProgress", lambda **settings: Interrupting(times=2))
    code, _, err = command(flowers, "--epochs", 1000, "--batch-size", 8)
    assert (code, err) == (130, "interrupted\n")
    assert Path("model.pkl").read_bytes() == b"an older model"
    assert sorted(path.name for path in Path().iterdir()) == ["flowers.csv", "model.pkl"]


def test_ctrl_c_before_training_says_so_in_one_line(
    flowers: Path, command: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scratchnn.datasets.dataset.load_csv", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert command(flowers) == (130, "", "interrupted\n")
    assert not Path("model.pkl").exists()


def test_ctrl_c_after_training_does_not_lose_the_model(
    flowers: Path, command: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "evaluate", lambda *_: signal.raise_signal(signal.SIGINT))
    code, _, err = command(flowers, "--epochs", 1)
    assert code == 130
    assert err.endswith("interrupted: what was learned so far is saved in model.pkl\n")
    assert Path("model.pkl").exists()


def test_ctrl_c_is_as_before_when_the_command_is_done(flowers: Path, command: Runner) -> None:
    command(flowers, "--epochs", 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to a single process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("checkpoint", [(), ("--checkpoint", "run")])
def test_a_process_stops_cleanly_on_a_signal(
    number: signal.Signals, checkpoint: tuple[str, ...], flowers: Path
) -> None:
    with start(flowers, "--epochs", 10**6, "--hidden", 4, *checkpoint, stdout=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("epoch ")  # training is under way
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 128 + number
    told = "interrupted: what was learned so far is saved in model.pkl\n"
    assert rest.endswith(told + ("go on from there with the same command and --resume\n" if checkpoint else ""))
    assert "Traceback" not in rest
    assert Model.load("model.pkl").classes == ["daisy", "rose", "tulip"]
    assert sorted(os.listdir()) == sorted(["flowers.csv", "model.pkl", *checkpoint[1:]])


def test_ctrl_c_without_a_checkpoint_in_place_does_not_promise_one(
    flowers: Path, command: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "TrainingProgress", lambda **settings: Interrupting(times=1))
    _, _, err = command(flowers, "--checkpoint", "run")
    assert err.endswith("go on from there with the same command and --resume\n")
    Path("run").unlink()

    def full(path: Any, data: bytes) -> None:
        raise OSError(28, "cannot be written: No space left on device", str(path))

    monkeypatch.setattr("scratchnn.saving.atomic.write_atomically", full)
    monkeypatch.setattr(Model, "save", lambda *_: None)
    _, _, err = command(flowers, "--checkpoint", "run")
    assert err.startswith("warning: run: cannot be written: No space left on device")
    assert err.endswith("interrupted: what was learned so far is saved in model.pkl\n")


# --- disks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checkpoint", ["model.pkl", "./model.pkl", "link"])
def test_a_checkpoint_in_the_place_of_the_model_is_refused(checkpoint: str, flowers: Path, command: Runner) -> None:
    if checkpoint == "link":
        os.symlink("model.pkl", "link")
    message = "--save and --checkpoint name one file, and each needs a file of its own (see --help)"
    assert refused(command(flowers, "--checkpoint", checkpoint)) == message
    Path("model.pkl").write_bytes(b"an older model")
    code, _, err = command(flowers, "--checkpoint", checkpoint)
    assert (code, err) == (2, f"error: {message}\n")
    assert Path("model.pkl").read_bytes() == b"an older model"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_no_room_for_the_model_leaves_it_in_the_checkpoint(flowers: Path, command: Runner) -> None:
    code, _, err = command(flowers, "--epochs", 2, "--quiet", "--checkpoint", "run", "--save", "/dev/full")
    assert code == 2
    assert err.splitlines() == [
        "what was learned is in run: --resume and another --save get it from there",
        "error: /dev/full: cannot be written: No space left on device",
    ]
    assert command(flowers, "--epochs", 2, "--quiet", "--checkpoint", "run", "--resume")[0] == 0
    resumed = Path("model.pkl").read_bytes()
    command(flowers, "--epochs", 2, "--quiet")
    assert Path("model.pkl").read_bytes() == resumed
    code, _, err = command(flowers, "--epochs", 2, "--quiet", "--save", "/dev/full")
    assert (code, err) == (2, "error: /dev/full: cannot be written: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="needs limits on the size of files")
def test_no_room_for_checkpoints_does_not_lose_the_model(flowers: Path, command: Runner) -> None:
    """A limit on the size of files between that of the model and that of a checkpoint, which holds momentum as well."""
    import resource

    command(flowers, "--epochs", 3, "--quiet", "--checkpoint", "run", "--save", "whole.pkl")
    sizes = Path("whole.pkl").stat().st_size, Path("run").stat().st_size
    Path("run").unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sum(sizes) // 2, hard))
    try:
        code, out, err = command(flowers, "--epochs", 3, "--quiet", "--checkpoint", "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sizes[0] < sizes[1]
    assert code == 0
    assert err == "warning: run: cannot be written: File too large; training goes on without this checkpoint\n"
    assert "model saved in model.pkl" in out
    assert Path("model.pkl").read_bytes() == Path("whole.pkl").read_bytes()
    assert sorted(os.listdir()) == ["flowers.csv", "model.pkl", "whole.pkl"]


# --- pipes and terminals -----------------------------------------------------------------------------------------


def test_a_process_runs_as_the_manual_says(flowers: Path) -> None:
    with start(flowers, "--epochs", 2, "--save", "my model.pkl") as process:
        out, err = process.communicate()
    assert process.returncode == 0
    assert out.endswith("model saved in my model.pkl\ntry it: python -m scratchnn.predict 'my model.pkl' flowers.csv\n")
    assert len(err.splitlines()) == 2


def test_a_process_reports_bad_input(tmp_path: Path) -> None:
    with start("missing.csv") as process:
        assert process.communicate() == ("", "error: missing.csv: no such file\n")
    assert process.returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="closed pipes are told differently on Windows")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_does_not_stop_training(stream: str, flowers: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with start(flowers, "--epochs", 2, **{stream: writing}) as process:
        os.close(writing)
        out, err = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in f"{out}{err}"
    assert "Exception" not in f"{out}{err}"
    assert Model.load("model.pkl").feature_names == ["length", "width"]


def run_on_a_terminal(*arguments: object, **environment: str) -> str:
    """Everything the command writes to a terminal that is its standard error."""
    pty = pytest.importorskip("pty", reason="terminals are told differently on Windows")
    ours, theirs = pty.openpty()
    settings = {"COLUMNS": "100", "TERM": "xterm", "NO_COLOR": "", **environment}
    with start(*arguments, stdout=subprocess.DEVNULL, stderr=theirs, environment=settings) as process:
        os.close(theirs)
        written = io.BytesIO()
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                break
            if not chunk:
                break
            written.write(chunk)
    os.close(ours)
    assert process.returncode == 0
    return written.getvalue().decode("utf-8")


def test_a_terminal_has_one_live_line_which_is_gone_in_the_end(flowers: Path) -> None:
    written = run_on_a_terminal(flowers, "--epochs", 5).replace("\r\n", "\n")
    drawn = re.split("[\r\n]", written)
    assert [line[:11] for line in re.findall("[^\r\n]+(?=\n)", written)] == [f"epoch {n}/5  " for n in range(1, 6)]
    assert re.match(r"epoch 1/5 \[\x1b\[32m█*\x1b\[0m░+\]  loss |epoch 1/5 \[░+\]  loss ", drawn[1])
    assert "accuracy" in drawn[1]
    assert "left" in drawn[1]
    assert drawn[-1] == ""


def test_a_terminal_stays_without_colour_if_asked(flowers: Path) -> None:
    assert "\x1b" not in run_on_a_terminal(flowers, "--epochs", 5, NO_COLOR="1")


def test_a_terminal_stays_empty_when_quiet(flowers: Path) -> None:
    assert run_on_a_terminal(flowers, "--epochs", 5, "--quiet") == ""
