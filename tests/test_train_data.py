"""What ``train`` and ``predict`` learn from and answer: standard input, MNIST's own files, odd columns and locales."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from scratchnn import Model, predict, train
from tests.commands import Result, Runner
from tests.files import idx

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def command(call: Runner, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs ``train`` or ``predict``, with some bytes as standard input."""

    def run(name: str, *arguments: object, given: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        return call({"train": train, "predict": predict}[name].main, *arguments)

    return run


def flowers(rows: int = 60) -> bytes:
    kinds = ("daisy", "rose", "tulip")
    lines = [f"{number % 3 * 3 + number % 7 / 10},{number % 5 / 4},{kinds[number % 3]}" for number in range(rows)]
    return "\n".join(["length,width,species", *lines, ""]).encode()


# --- standard input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_learned_from_as_a_file_is(pack: Callable[[bytes], bytes], command: Runner) -> None:
    Path("flowers.csv").write_bytes(flowers())
    of_the_file = command("train", "flowers.csv", "--quiet", "--save", "file.pkl")
    assert of_the_file[0] == 0
    code, out, _ = command("train", "-", "--save", "input.pkl", given=pack(flowers()))
    assert code == 0
    assert out.startswith("standard input\n  48 rows to learn from, 12 to test on (held out)\n")
    assert out.endswith("predict input.pkl -\n")
    assert Path("input.pkl").read_bytes() == Path("file.pkl").read_bytes()
    assert sorted(os.listdir()) == ["file.pkl", "flowers.csv", "input.pkl"]
    # and as what it is tested on
    code, out, _ = command("train", "flowers.csv", "--test", "-", "--json", "--quiet", given=flowers(9))
    assert (code, json.loads(out)["test_data"], json.loads(out)["test_rows"]) == (0, "standard input", 9)


def test_bad_rows_on_standard_input_have_their_place(command: Runner) -> None:
    code, out, err = command("train", "-", given=flowers() + b"1,x,rose\n")
    assert (code, out) == (2, "")
    assert err == "error: standard input, line 62, column 2 ('width'): expected a number, got 'x'\n"
    assert command("train", "-", "--test", "-")[0] == 2
    assert os.listdir() == []


# --- how much is held out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fraction", "test_rows"), [("0.5", 30), ("0.05", 3), (None, 12)])
def test_how_much_is_held_out_can_be_told(fraction: str | None, test_rows: int, command: Runner) -> None:
    told = [] if fraction is None else ["--test-fraction", fraction]
    code, out, _ = command("train", "-", "--json", "--quiet", *told, given=flowers())
    assert (code, json.loads(out)["test_rows"], json.loads(out)["training_rows"]) == (0, test_rows, 60 - test_rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.csv", "--test-fraction", "1"], "argument --test-fraction: must be above 0 and below 1, got 1"),
        (["--test-fraction", "0.1"], "--test-fraction is about a CSV file, and none was given to learn from"),
        (["x.csv", "--test", "y.csv", "--test-fraction", "0.1"], "--test-fraction holds out rows of the training"),
        (["-", "--test", "-"], "standard input cannot hold both"),
    ],
)
def test_a_fraction_that_makes_no_sense_is_refused(arguments: list[str], message: str, command: Runner) -> None:
    code, _, err = command("train", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"error: {message}")


# --- MNIST's own files -------------------------------------------------------------------------------------------


def write_images(folder: Path, part: str, count: int, *, side: int = 5, packed: bool = True) -> list[int]:
    """Images with a bright row where their label says, written as ``datasets mnist`` leaves them."""
    folder.mkdir(exist_ok=True)
    rng = Random(part)
    labels = [rng.randrange(3) for _ in range(count)]
    pixels = b"".join(
        bytes((200 if row == label else 0) + rng.randrange(50) for row in range(side) for _ in range(side))
        for label in labels
    )
    end, pack = (".gz", gzip.compress) if packed else ("", bytes)
    (folder / f"{part}-images-idx3-ubyte{end}").write_bytes(pack(idx([count, side, side], pixels)))
    (folder / f"{part}-labels-idx1-ubyte{end}").write_bytes(pack(idx([count], bytes(labels))))
    return labels


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_with_mnist_s_files_is_learned_tested_and_predicted(packed: bool, command: Runner) -> None:
    write_images(Path("mnist"), "train", 90, packed=packed)
    labels = write_images(Path("mnist"), "t10k", 20, packed=packed)
    code, out, err = command("train", "mnist", "--epochs", 5)
    assert code == 0, err
    end = ".gz" if packed else ""
    assert out.startswith(
        f"mnist/train-images-idx3-ubyte{end}\n  90 rows to learn from, 20 to test on\n".replace("/", os.sep)
    )
    assert "25 features, 3 classes: 0 1 2\n  label: in the file beside the images\n" in out
    assert "test accuracy: 100.00%" in out
    expected = (0, "".join(f"{label}\n" for label in labels), "accuracy: 100.00%\n")
    for rows in ("mnist", f"mnist/t10k-images-idx3-ubyte{end}"):
        assert command("predict", "model.pkl", rows, "--score") == expected
    assert command("predict", "model.pkl", f"mnist/train-images-idx3-ubyte{end}")[1].count("\n") == 90
    json_results = json.loads(command("train", "mnist", "--epochs", 1, "--json", "--quiet")[1])
    assert (json_results["label"], json_results["test_rows"]) == (None, 20)


def test_images_are_held_out_where_there_are_none_for_a_test(command: Runner) -> None:
    write_images(Path("mnist"), "train", 90)
    code, out, _ = command("train", "mnist", "--epochs", 1)
    assert code == 0
    assert "72 rows to learn from, 18 to test on (held out)\n" in out
    write_images(Path("mnist"), "t10k", 20)
    for arguments, rows in ((["--test-fraction", "0.5"], 45), (["--test", "mnist"], 20)):
        code, out, _ = command("train", "mnist", "--epochs", 1, "--json", "--quiet", *arguments)
        assert (code, json.loads(out)["test_rows"]) == (0, rows)


def test_images_without_labels_are_predicted_but_not_scored(command: Runner) -> None:
    write_images(Path("mnist"), "train", 90)
    write_images(Path("mnist"), "t10k", 20)
    assert command("train", "mnist", "--epochs", 1, "--quiet")[0] == 0
    Path("mnist/t10k-labels-idx1-ubyte.gz").unlink()
    assert command("predict", "model.pkl", "mnist")[1].count("\n") == 20
    code, out, err = command("predict", "model.pkl", "mnist", "--score")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: mnist{os.sep}t10k-labels-idx1-ubyte.gz: no such file")


@pytest.mark.parametrize("option", [["--label", "0"], ["--header"], ["--delimiter", ";"], ["--regression"]])
def test_options_about_csv_do_not_go_with_images(option: list[str], command: Runner) -> None:
    write_images(Path("mnist"), "train", 9)
    code, out, err = command("train", "mnist", *option)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {option[0]} is about CSV files, and mnist holds images")


def test_images_that_do_not_fit_are_refused(command: Runner) -> None:
    write_images(Path("mnist"), "train", 90)
    write_images(Path("large"), "t10k", 9, side=6)
    assert command("train", "mnist", "--epochs", 1, "--quiet")[0] == 0
    for arguments in (["train", "mnist", "--test", "large"], ["predict", "model.pkl", "large"]):
        code, out, err = command(*arguments)
        assert (code, out) == (2, "")
        assert err.endswith("t10k-images-idx3-ubyte.gz: expected images of 25 pixels, got 36\n")
    Path("large/t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx([1, 5, 5], bytes(25))))
    Path("large/t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx([1], b"\x07")))
    err = command("train", "mnist", "--test", "large")[2]
    assert err.endswith("t10k-images-idx3-ubyte.gz: the label 7 is not among the training classes\n")


def test_a_model_is_not_saved_over_the_images_it_learns_from(command: Runner) -> None:
    write_images(Path("mnist"), "train", 9)
    before = {path: path.read_bytes() for path in Path("mnist").iterdir()}
    for option in ("--save", "--checkpoint"):
        code, _, err = command("train", "mnist", option, "mnist/train-labels-idx1-ubyte.gz")
        assert code == 2
        assert "this would overwrite what is read" in err
    assert command("train", "mnist", "--epochs", 1, "--quiet")[0] == 0
    code, _, err = command("predict", "model.pkl", "mnist", "--output", "mnist/train-labels-idx1-ubyte.gz")
    assert (code, "this would overwrite what is read" in err) == (2, True)
    assert {path: path.read_bytes() for path in Path("mnist").iterdir()} == before


# --- words about columns of numbers ------------------------------------------------------------------------------


def numbers(label: Callable[[int], str], rows: int = 60) -> bytes:
    return ("size,rooms,target\n" + "".join(f"{n / 3},{n % 5},{label(n)}\n" for n in range(rows))).encode()


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (lambda n: f"{n % 30}.5", "30 different decimal numbers"),
        (lambda n: f"{n % 3 / 2}", "3 different decimal numbers"),
        (lambda n: f"{n % 2}e-3", "2 different decimal numbers"),
        (lambda n: f"{n % 30 * 1000}", "30 different whole numbers"),
    ],
)
def test_a_label_that_looks_like_numbers_to_be_predicted_is_spoken_of(
    label: Callable[[int], str], kind: str, command: Runner
) -> None:
    code, _, err = command("train", "-", "--epochs", 1, "--quiet", given=numbers(label))
    assert code == 0
    assert err == (
        f"note: column 3 ('target') holds {kind}, each now a class of its own; this looks like numbers to be "
        "predicted, which --regression does\n"
    )


@pytest.mark.parametrize(
    "label",
    [lambda n: str(n % 10), lambda n: ["nan", "inf"][n % 2], lambda n: ["1.5", "x"][n % 2], lambda n: "ab"[n % 2]],
)
def test_labels_that_are_classes_are_not_spoken_of(label: Callable[[int], str], command: Runner) -> None:
    assert command("train", "-", "--epochs", 1, "--quiet", given=numbers(label))[2] == ""


def test_regression_says_which_column_it_took_if_nobody_told(command: Runner) -> None:
    rows = b"size,rooms,price\n" + b"".join(b"%d,%d,%d\n" % (n, n % 5, 2 * n) for n in range(40))
    arguments = ["train", "-", "--epochs", 1, "--regression", "--quiet"]
    assert command(*arguments, given=rows)[2] == (
        "note: the number to be predicted is taken from column 1 ('size'); --label takes another by its name "
        "or position\n"
    )
    assert command(*arguments, "--label", "price", given=rows)[2] == ""
    assert command(*arguments, given=rows.replace(b"price", b"Target"))[2] == ""
    assert command(*arguments, given=rows.split(b"\n", 1)[1])[2].startswith(
        "note: the number to be predicted is taken from column 1; --label"
    )


def test_labels_beyond_64_bits_are_names_and_come_back_as_they_were_written(command: Runner) -> None:
    names = ["123456789012345678901234", "9" * 30, "-" + "8" * 25]
    rows = "".join(f"{n % 3 * 2 - 2},{n % 5},{names[n % 3]}\n" for n in range(60)).encode()
    assert command("train", "-", "--label", "2", "--quiet", "--epochs", 20, given=rows)[0] == 0
    assert Model.load("model.pkl").classes == sorted(names)
    code, out, err = command("predict", "model.pkl", "-", "--score", given=rows)
    assert (code, err) == (0, "accuracy: 100.00%\n")
    assert out.split()[:3] == names


# --- locales -----------------------------------------------------------------------------------------------------

ASCII_ONLY = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("locale", [ASCII_ONLY, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii:strict"}])
def test_names_beyond_the_locale_are_learned_shown_and_predicted(locale: dict[str, str]) -> None:
    kinds = ["größe", "日本", "plain"]
    lines = [f"{number % 3 * 3 + number % 7 / 10},{number % 5 / 4},{kinds[number % 3]}" for number in range(60)]
    Path("rows.csv").write_text("\n".join(["a,b,Maß", *lines, ""]), encoding="utf-8")
    environment = {**os.environ, **locale, "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> bytes:
        command = [sys.executable, "-m", *[argument.encode("utf-8") for argument in arguments]]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)  # type: ignore[arg-type]
        assert done.returncode == 0, done.stderr
        return done.stdout

    out = run("scratchnn.train", "rows.csv", "--label", "Maß", "--epochs", "20", "--save", "größe.pkl")
    assert rb"\u65e5\u672c" in out
    assert run("scratchnn.predict", "größe.pkl", "rows.csv").decode("utf-8").split() == kinds * 20
