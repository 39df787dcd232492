"""``python -m scratchnn.predict``: a prediction a row, for people and for pipes, and clear words for bad input.

The models are three sorts of dots that are learned in a moment, and a straight line.
"""

from __future__ import annotations

import csv
import io
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scratchnn import AvgPool2D, DataError, Model, __version__, load_csv, predict
from scratchnn.datasets import Dataset
from tests.commands import Runner, refused

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "scratchnn.predict"]
KINDS = ["a, b", "größe", "plain"]


def dots(count: int) -> tuple[list[list[float]], list[str]]:
    X = [[number % 3 * 2.0 - 2.0 + number % 5 / 10, number % 7 / 10] for number in range(count)]
    return X, [KINDS[number % 3] for number in range(count)]


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    classifier = Model(2, 8, 3)
    classifier.fit(*dots(60), epochs=20, momentum=0.9)
    classifier.schema = classifier.schema._replace(feature_names=["x", "y"], label_name="kind", label_position=2)
    classifier.save(folder / "model.pkl")
    line = Model(1, [], 1, task="regression")
    line.fit([[x / 10] for x in range(-10, 11)], [x / 5 for x in range(-10, 11)], epochs=100)
    line.save(folder / "line.pkl")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved_models: Path) -> None:
    """A folder with the models, and rows with and without labels."""
    monkeypatch.chdir(tmp_path)
    for name in ("model.pkl", "line.pkl"):
        Path(name).write_bytes((saved_models / name).read_bytes())
    X, y = dots(6)
    bare = [",".join(map(str, row)) for row in X]
    labelled = [f'{row},"{label}"' for row, label in zip(bare, y)]
    Path("bare.csv").write_text("\n".join(bare) + "\n", encoding="utf-8")
    Path("labelled.csv").write_text("\n".join(["x,y,kind", *labelled]) + "\n", encoding="utf-8")


@pytest.fixture
def command(call: Runner) -> Runner:
    return partial(call, predict.main)


def start(*arguments: object, **settings: Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.update(settings.pop("environment", {}))
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environment, **settings)


def test_a_label_column_counted_from_the_end(command: Runner) -> None:
    model = Model.load("model.pkl")
    for position in (-1, 2):
        model.schema = model.schema._replace(label_position=position)
        model.save("counted.pkl")
        assert command("counted.pkl", "labelled.csv", "--score")[2] == "accuracy: 100.00%\n"
        Path("headless.csv").write_text("".join(Path("labelled.csv").read_text("utf-8").splitlines(True)[1:]), "utf-8")
        assert command("counted.pkl", "headless.csv", "--score")[2] == "accuracy: 100.00%\n"
    for position in (-4, 3):
        model.schema = model.schema._replace(label_position=position)
        with pytest.raises(ValueError, match=f"a label_position of {position}"):
            model.save("counted.pkl")


def test_a_label_position_is_checked_whoever_tells_it() -> None:
    """A model's file says where the label stood in another file."""
    X, y = dots(6)
    with pytest.raises(DataError, match="no label column at position 7: the file has 3 columns"):
        load_csv("labelled.csv", like=Dataset(X, y, classes=KINDS, label_position=7))
    assert load_csv("labelled.csv", like=Dataset(X, y, classes=KINDS, label_position=-1)).y == y


def test_the_limit_of_work_can_be_raised(command: Runner) -> None:
    layers = [AvgPool2D(100, 1)]
    model = Model.from_layers(layers, loss="mse", input_shape=(1, 100, 100), scaling="none")
    row = [[float(i % 7) for i in range(10_000)]]
    model.fit(row * 2, [[3.0], [3.0]], epochs=1)
    model.save("large.pkl")
    Path("large.csv").write_text(",".join(map(str, row[0])) + "\n", "utf-8")
    code, out, err = command("large.pkl", "large.csv")
    assert (code, out) == (2, "")
    assert "error: large.pkl: " in err
    assert "multiply-adds" in err
    assert "max_work" in err
    code, out, err = command("large.pkl", "large.csv", "--max-work", 10**9)
    assert (code, err) == (0, "")
    assert float(out) == pytest.approx(sum(row[0]) / len(row[0]), rel=1e-4)


EXPECTED = '"a, b"\ngröße\nplain\n"a, b"\ngröße\nplain\n'


# --- what it writes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["bare.csv", "labelled.csv"])
def test_a_prediction_a_row_with_or_without_labels_in_the_file(rows: str, command: Runner) -> None:
    assert command("model.pkl", rows) == (0, EXPECTED, "")


def test_labels_that_training_never_saw_do_not_matter(command: Runner) -> None:
    Path("new.csv").write_text("x,y,kind\n-2,0.1,unheard of\n", encoding="utf-8")
    assert command("model.pkl", "new.csv") == (0, '"a, b"\n', "")


def test_without_a_header_the_label_is_where_it_was_in_training(command: Runner) -> None:
    model = Model(2, 4, 2)
    model.fit([[0, 5], [1, 5], [0, 6], [1, 6]], [0, 1, 0, 1], epochs=50, lr=1.0)
    model.schema = model.schema._replace(label_position=2)
    model.save("numbers.pkl")
    Path("numbers.csv").write_text("0,5,0\n1,6,1\n1,5,1\n", encoding="utf-8")
    assert command("numbers.pkl", "numbers.csv") == (0, "0\n1\n1\n", "")


def test_a_label_column_can_be_named(command: Runner) -> None:
    Path("first.csv").write_text("7,-2,0.1\n8,2,0.1\n", encoding="utf-8")
    assert command("model.pkl", "first.csv", "--label", 0)[1] == '"a, b"\nplain\n'


def test_probabilities_are_csv_under_a_header(command: Runner) -> None:
    code, out, err = command("model.pkl", "bare.csv", "--proba")
    assert (code, err) == (0, "")
    header, *lines = csv.reader(io.StringIO(out))
    assert header == ["prediction", *KINDS]
    assert len(lines) == 6
    for prediction, *fields in lines:
        probabilities = [float(field) for field in fields]
        assert prediction == KINDS[probabilities.index(max(probabilities))]
        assert sum(probabilities) == pytest.approx(1.0, abs=1e-5)


def test_score_compares_with_the_labels(command: Runner) -> None:
    assert command("model.pkl", "labelled.csv", "--score") == (0, EXPECTED, "accuracy: 100.00%\n")


def test_a_line_predicts_numbers(command: Runner) -> None:
    Path("x.csv").write_text("0.5,1.0\n-1,-2\n", encoding="utf-8")
    code, out, err = command("line.pkl", "x.csv", "--label", "-1", "--score")
    assert code == 0
    assert [float(line) for line in out.splitlines()] == pytest.approx([1.0, -2.0], abs=0.05)
    assert err.startswith(("R2: 0.99", "R2: 1.00"))


def test_the_fit_of_a_single_number_is_undefined(command: Runner) -> None:
    Path("x.csv").write_text("0.5,1.0\n", encoding="utf-8")
    code, _, err = command("line.pkl", "x.csv", "--label", "-1", "--score")
    assert (code, err) == (0, "R2: undefined, as the labels do not differ\n")


def test_the_fit_of_numbers_whose_squares_overflow_is_undefined(command: Runner) -> None:
    Path("x.csv").write_text("0.5,1e200\n0.1,-1e200\n", encoding="utf-8")
    code, _, err = command("line.pkl", "x.csv", "--label", "-1", "--score")
    assert (code, err) == (0, "R2: undefined, as the labels are too large\n")


def test_standard_input_is_a_dash(command: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("labelled.csv").read_bytes())))
    assert command("model.pkl", "-") == (0, EXPECTED, "")


def test_a_stream_may_be_longer_than_a_small_machine_counts(command: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sys.maxsize`` is 2 GiB on 32 bits, as in WebAssembly, and rows of a pipe may come for ever."""
    rows = Path("labelled.csv").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows)))
    monkeypatch.setattr(sys, "maxsize", len(rows) // 2)
    assert command("model.pkl", "-") == command("model.pkl", "labelled.csv")


def test_output_goes_to_a_file_if_asked(command: Runner) -> None:
    assert command("model.pkl", "bare.csv", "--output", "out.csv") == (0, "", "")
    assert Path("out.csv").read_text(encoding="utf-8") == EXPECTED


def test_many_rows_come_in_the_order_of_the_file(command: Runner) -> None:
    X, y = dots(3 * predict.ROWS_AT_A_TIME + 1)
    Path("many.csv").write_text("".join(f"{a},{b}\n" for a, b in X), encoding="utf-8")
    code, out, _ = command("model.pkl", "many.csv")
    assert code == 0
    assert [label for (label,) in csv.reader(io.StringIO(out))] == y


def test_version_and_help(command: Runner) -> None:
    assert command("--version") == (0, f"scratchnn {__version__}\n", "")
    assert command("--help")[1].startswith("usage: python -m scratchnn.predict ")


LABELS = ["a\rb", "a\nb", "a\r\nb", '"', "a,b", " a ", "", "\x1b[2J", "a\x85b", "größe", "-1", "\u2028"]


def write_model_of(labels: list[str], path: Path) -> None:
    """A model that predicts its labels one after the other, for the rows 0, 1, 2 ..."""
    model = Model(1, [], len(labels), scaling="none")
    model.fit([[float(i)] for i in range(len(labels))], labels, epochs=1)
    model.schema = model.schema._replace(classes=list(labels))
    # The logits of class k are k * x - k * k / 2, of which the k-th is the largest at x = k.
    model.weights = [[[float(k) for k in range(len(labels))]], [-k * k / 2 for k in range(len(labels))]]
    model.save(path)


@pytest.mark.parametrize("options", [[], ["--proba"]])
def test_every_reader_of_csv_gets_as_many_rows_and_the_same_labels(options: list[str], command: Runner) -> None:
    write_model_of(LABELS, Path("odd.pkl"))
    Path("odd.csv").write_text("".join(f"{i}\n" for i in range(len(LABELS))), encoding="utf-8")
    assert command("odd.pkl", "odd.csv", "--output", "out.csv", *options) == (0, "", "")
    content = Path("out.csv").read_bytes().decode("utf-8")
    # newline="": as the csv module's manual wants files opened, which splits lines at carriage returns as well.
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert [row[0] for row in rows[bool(options) :]] == LABELS
    pandas = pytest.importorskip("pandas")
    for engine in ("c", "python"):
        table = pandas.read_csv(
            io.BytesIO(Path("out.csv").read_bytes()),
            header=0 if options else None,
            keep_default_na=False,
            engine=engine,
            dtype=str,
            skip_blank_lines=False,
        )
        assert list(table.iloc[:, 0]) == LABELS


def test_a_person_at_a_terminal_is_shown_escapes(command: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model_of(LABELS, Path("odd.pkl"))
    Path("odd.csv").write_text("".join(f"{i}\n" for i in range(len(LABELS))), encoding="utf-8")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for options in ([], ["--proba"]):
        code, out, _ = command("odd.pkl", "odd.csv", *options)
        assert code == 0
        assert all(line.isprintable() for line in out.split("\n"))
        lines = list(csv.reader(io.StringIO(out)))[bool(options) :]
        assert [line[0] for line in lines][:3] == [r"a\rb", r"a\nb", r"a\r\nb"]
        assert len(lines) == len(LABELS)


def test_several_numbers_a_row_are_several_fields(command: Runner) -> None:
    model = Model(1, [], 2, task="regression", scaling="none")
    model.fit([[0.0], [1.0]], [[0.0, 1.0], [2.0, 1.0]], epochs=1)
    model.save("two.pkl")
    Path("x.csv").write_text("0.5\n-1\n", encoding="utf-8")
    code, out, _ = command("two.pkl", "x.csv")
    expected = Model.load("two.pkl").predict([[0.5], [-1.0]])
    assert (code, [[float(v) for v in line.split(",")] for line in out.splitlines()]) == (0, expected)


# --- bad input: one line, exit code 2 ----------------------------------------------------------------------------


def test_the_wrong_number_of_columns_says_expected_and_got(command: Runner) -> None:
    Path("wide.csv").write_text("1,2,3,4\n", encoding="utf-8")
    assert refused(command("model.pkl", "wide.csv")) == (
        "wide.csv, line 1: expected 2 feature columns with or without a label, got 4 columns in all"
    )


def test_a_column_too_many_under_a_header_line_is_named_and_its_rows_are_not_denied(command: Runner) -> None:
    Path("wide.csv").write_text("x,y,z,kind\n1,2,3,plain\n4,5,6,plain\n", encoding="utf-8")
    assert refused(command("model.pkl", "wide.csv")) == (
        "wide.csv, line 1: expected 2 feature columns with or without a label, got 4 columns in all; "
        "not among the training columns: 'z'"
    )


def test_other_columns_than_in_training_are_named(command: Runner) -> None:
    Path("other.csv").write_text("x,z\n1,2\n", encoding="utf-8")
    assert refused(command("model.pkl", "other.csv")) == (
        "other.csv, line 1: the columns differ from the training columns; missing: 'y'; not expected: 'z'"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "bad.csv: the file is empty; expected rows of numbers\n"),
        ("x,y\n", "bad.csv, line 1: only a header line; expected rows below it"),
        ("x,y\n1,2\n1,many\n3,4\n5,6\n", "bad.csv, line 3, column 2 ('y'): expected a number, got 'many'"),
        ("x,y\n1,nan\n", "bad.csv, line 2, column 2 ('y'): expected a finite number, got 'nan'"),
        ("x,y\n1,2\n1\n", "bad.csv, line 3: expected 2 fields, as in line 1, got 1"),
    ],
)
def test_bad_rows_are_refused_with_their_place(content: str, message: str, command: Runner) -> None:
    Path("bad.csv").write_text(content, encoding="utf-8")
    assert f"{refused(command('model.pkl', 'bad.csv'))}\n".startswith(message)


@pytest.mark.parametrize("label", ["colour", "2"])
def test_a_label_column_that_is_not_there_is_refused(
    label: str, command: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = b"x,y\n-2,0.1\n"
    Path("rows.csv").write_bytes(rows)
    why = f"no label column {label}: all 2 columns are features of the model"
    assert refused(command("model.pkl", "rows.csv", "--label", label)) == f"rows.csv: {why}"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows)))
    assert refused(command("model.pkl", "-", "--label", label)) == f"standard input: {why}"


def test_a_label_name_does_not_matter_without_a_header(command: Runner) -> None:
    assert command("model.pkl", "bare.csv", "--label", "kind") == (0, EXPECTED, "")


def test_bad_rows_from_standard_input_are_called_that(command: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x,y\n1,inf\n")))
    assert refused(command("model.pkl", "-")) == (
        "standard input, line 2, column 2 ('y'): expected a finite number, got 'inf'"
    )


def test_a_missing_model_and_missing_rows(command: Runner) -> None:
    assert refused(command("missing.pkl", "bare.csv")) == "missing.pkl: no such file"
    assert refused(command("model.pkl", "missing.csv")) == "missing.csv: no such file"
    assert refused(command("model.pkl")).startswith("the following arguments are required: CSV")


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps({"weights": [1, 2]}), pickle.dumps(os.getcwd)])
def test_a_file_that_is_no_model_is_refused(content: bytes, command: Runner) -> None:
    Path("junk.pkl").write_bytes(content)
    assert refused(command("junk.pkl", "bare.csv")).startswith("junk.pkl: not a scratchnn model")


def test_a_damaged_model_is_refused(command: Runner) -> None:
    content = bytearray(Path("model.pkl").read_bytes())
    content[len(content) // 2] ^= 1
    Path("damaged.pkl").write_bytes(content)
    assert refused(command("damaged.pkl", "bare.csv")).startswith("damaged.pkl: ")


def test_probabilities_of_numbers_do_not_exist(command: Runner) -> None:
    Path("x.csv").write_text("0.5\n", encoding="utf-8")
    assert refused(command("line.pkl", "x.csv", "--proba")) == (
        "--proba needs a model that predicts classes, and this one predicts numbers"
    )


def test_score_needs_labels_of_the_training_classes(command: Runner) -> None:
    assert "the label is missing" in refused(command("model.pkl", "bare.csv", "--score"))
    Path("new.csv").write_text("x,y,kind\n-2,0.1,unheard of\n", encoding="utf-8")
    assert refused(command("model.pkl", "new.csv", "--score")).startswith(
        "new.csv, line 2, column 3 ('kind'): the label 'unheard of' is not among the training classes"
    )


@pytest.mark.parametrize("target", ["model.pkl", "bare.csv", "no/folder/out.csv", "."])
def test_an_output_that_would_do_harm_or_cannot_be_is_refused(target: str, command: Runner) -> None:
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert refused(command("model.pkl", "bare.csv", "--output", target)).startswith(f"{target}: ")
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


# --- as a process, in pipes --------------------------------------------------------------------------------------


def test_a_process_reads_a_pipe_and_writes_utf_8_wherever_it_runs() -> None:
    with start("model.pkl", "-", stdin=subprocess.PIPE, environment={"PYTHONIOENCODING": "latin-1"}) as process:
        out, err = process.communicate(Path("bare.csv").read_bytes())
    assert (process.returncode, err) == (0, b"")
    assert out.decode("utf-8").replace("\r\n", "\n") == EXPECTED


@pytest.mark.skipif(os.name == "nt", reason="closed pipes are told differently on Windows")
def test_a_reader_that_goes_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with start("model.pkl", "bare.csv", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "w") as full, start("model.pkl", "bare.csv", stdout=full) as process:
        _, err = process.communicate()
    assert (process.returncode, err) == (2, b"error: No space left on device\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_an_output_that_is_a_device_is_written_into_and_not_replaced() -> None:
    os.mkfifo("pipe")
    with start("model.pkl", "bare.csv", "--output", "pipe") as process:
        assert Path("pipe").read_text(encoding="utf-8") == EXPECTED
        assert process.communicate() == (b"", b"")
    assert process.returncode == 0
    assert Path("pipe").is_fifo()
