"""Every example in its shortened form: it reaches what it promises, on less, and leaves pictures that can be opened.

They run in this process and on the digits that come along; MNIST's place is taken by a few made-up files of its
format. The course that is made of them names examples, pictures, and lines of the package: all of these are there.
Relies on the examples, their README.md, the package, and on how tests of plots read a picture.
"""

from __future__ import annotations

import ast
import gzip
import os
import re
import runpy
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scratchnn import ArgumentError, DataError, ModelFileError, TrainingDiverged, load_digits
from scratchnn.engines import short_rows
from tests.conftest import MOST_WEIGHTS
from tests.plots.reading import SVG, box_of

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NAMES = {
    "autoencoder_digits",
    "cnn_patterns",
    "defaults",
    "digits_in_pictures",
    "learning_rates",
    "linear_regression",
    "mini_mnist_perceptron",
    "mnist_full_batch",
    "mnist_sigmoid",
    "mnist_tanh",
    "moons_losses",
    "numbers_as_ints",
    "overfitting",
    "single_neuron",
    "toy_frontiers",
    "two_softmaxes",
}
Run = Callable[..., "dict[Any, Any]"]


@pytest.fixture(scope="module", autouse=True)
def _path() -> Iterator[None]:
    """The examples import their helpers from their own folder, as they do when they are run."""
    before = list(sys.path)
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path[:] = before


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs an example in its shortened form, checks its pictures, and gives what it returns."""

    def run_example(name: str, *arguments: str, pictures: int) -> dict[Any, Any]:
        out = tmp_path / "pictures"
        result: dict[Any, Any] = import_module(name).main(["--quick", "--out", str(out), *arguments])
        drawn = sorted(out.iterdir())
        assert len(drawn) == pictures
        for path in drawn:
            check_picture(path)
        return result

    return run_example


def check_picture(path: Path) -> None:
    """A whole SVG file with a title, no text outside the frame or on another, and no number that is none."""
    text = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert next(iter(root)).tag == f"{SVG}title" and next(iter(root)).text
    boxes = [box_of(element) for element in root.iter(f"{SVG}text")]
    for box in boxes:
        assert box.left >= 0 and box.right <= width and box.top >= 0 and box.bottom <= height, f"{path.name}: {box}"
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other), f"{path.name}: {one}, {other}"
    assert "nan" not in text.partition("</style>")[2]
    assert "inf" not in text.partition("</style>")[2]


def lines_of(path: Path) -> list[ElementTree.Element]:
    """The lines of a picture, without its axes."""
    paths = ElementTree.parse(path).getroot().iter(f"{SVG}path")
    return [line for line in paths if re.fullmatch(r"nn-s-\d", line.attrib["class"])]


def test_every_example_is_tested_here() -> None:
    here = {path.stem for path in EXAMPLES.glob("*.py")} - {"benchmark", "make_digits", "make_pictures"}
    assert {name for name in here if not name.startswith("_")} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_example_says_what_it_shows_how_it_is_run_and_what_came_of_it(name: str) -> None:
    docstring = import_module(name).__doc__ or ""
    assert "What it shows: " in docstring
    assert f"python examples/{name}.py" in docstring
    assert f"`{name}.py`" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


# --- what they reach ---------------------------------------------------------------------------------------------


def test_mini_mnist_perceptron(run: Run) -> None:
    result = run("mini_mnist_perceptron", pictures=1)
    assert result["train accuracy"] > 0.65
    assert 0.55 < result["test accuracy"] < result["train accuracy"]


def test_mnist_full_batch(run: Run) -> None:
    result = run("mnist_full_batch", pictures=1)
    assert result["train accuracy"] > 0.3  # large starting weights: 30 steps are only a beginning
    assert result["test accuracy"] > 0.25


def test_mnist_sigmoid(run: Run) -> None:
    result = run("mnist_sigmoid", pictures=1)
    assert result["loss at first"] > 2.4
    assert result["loss at last"] < 2.29  # from below log(10) = 2.303, the loss of a guess, it is learning


def test_mnist_tanh(run: Run) -> None:
    assert run("mnist_tanh", pictures=1)["test accuracy"] > 0.8


def test_two_softmaxes(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    result = run("two_softmaxes", pictures=1)
    accuracies = [value for name, value in result.items() if not name.startswith("gradient")]
    per_entry, per_image, fused = accuracies
    assert per_image == fused
    assert fused > per_entry + 0.1
    assert result["gradient at 10"] == pytest.approx(-1.0, abs=1e-4)
    assert result["gradient at 20"] == 0.0
    assert "fused" in capsys.readouterr().out


def test_linear_regression(run: Run) -> None:
    result = run("linear_regression", pictures=2)
    assert result["slope"] == pytest.approx(result["best slope"], abs=0.01)
    assert result["intercept"] == pytest.approx(result["best intercept"], abs=0.01)
    assert result["slope"] == pytest.approx(3.0, abs=0.2)
    assert result["intercept"] == pytest.approx(4.0, abs=0.2)


def test_single_neuron(run: Run) -> None:
    result = run("single_neuron", pictures=1)
    assert result["accuracy after 1"] < result["accuracy after 4"] < result["accuracy after 20"]
    assert result["accuracy after 20"] > 0.95
    assert result["w1"] < -0.8  # class 0 lies to the right
    assert abs(result["w2"]) < abs(result["w1"])


@pytest.mark.slow
def test_toy_frontiers(run: Run) -> None:
    result = run("toy_frontiers", pictures=4)
    assert result["Gaussians, one hidden layer"] > 0.99
    assert result["XOR, no hidden layer"] < 0.7
    assert result["XOR, one hidden layer"] > 0.99
    assert result["checkerboard, no hidden layer"] < 0.6
    assert result["checkerboard, three hidden layers"] > result["checkerboard, no hidden layer"] + 0.1


@pytest.mark.slow
def test_moons_losses(run: Run, tmp_path: Path) -> None:
    result = run("moons_losses", pictures=2)
    assert len(result) == 3
    assert min(result.values()) >= 0.97
    assert result["softmax, cross-entropy"] == pytest.approx(result["log-softmax, NLL"], abs=0.002)
    lines = lines_of(tmp_path / "pictures" / "moons_losses.svg")
    assert ["stroke-dasharray" in line.attrib for line in lines] == [False, False, True]


@pytest.mark.slow
def test_learning_rates(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run("learning_rates", pictures=1)
    assert len(result) == 8
    assert max(result, key=lambda rate: -1.0 if result[rate] == "diverged" else result[rate]) in (0.1, 0.3, 1.0)
    assert result[min(result)] < 0.3
    assert result[max(result)] == "diverged"
    assert "try a lower learning rate" in capsys.readouterr().out
    lines = [line.attrib["d"][1:].split("L") for line in lines_of(tmp_path / "pictures" / "learning_rates.svg")]
    assert [len(line) >= 2 for line in lines] == [True] * 8  # all that the legend lists
    top = min(float(place.split()[1]) for line in lines for place in line)
    assert [float(line[-1].split()[1]) == top for line in lines] == [False] * 6 + [True] * 2  # the last leave there
    assert len({line[0] for line in lines}) == 1


def test_overfitting(run: Run) -> None:
    result = run("overfitting", pictures=2)
    assert result["stopped in time, epochs"] < result["left alone, epochs"]
    others = [result[f"{name}, loss on new"] for name in ("dropout", "weight decay", "stopped in time")]
    assert max(others) < result["left alone, loss on new"]
    assert result["stopped in time"] > result["left alone"]


def test_numbers_as_ints(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    result = run("numbers_as_ints", pictures=1)
    assert "0x1fffb0003" in capsys.readouterr().out  # as in the course, and in the opening of layout.py
    errors = [result[f"error in {width}"] for width in (16, 24, 32, 40, 48)]
    assert all(100.0 * fine < coarse for coarse, fine in zip(errors, errors[1:]))
    assert [result[f"same in {width}"] for width in (24, 32, 40, 48)] == [1.0] * 4
    assert result["same in 16"] < 1.0  # too coarse a unit


def test_lanes_that_overflow_run_into_their_neighbours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = import_module("numbers_as_ints")
    monkeypatch.setattr(example, "ROW", (3, 5000, 2))
    example.a_row_in_one_int()
    assert "reads as (21, -30536, 15)" in capsys.readouterr().out


def test_digits_in_pictures(run: Run) -> None:
    assert run("digits_in_pictures", pictures=3)["accuracy"] > 0.85


@pytest.mark.slow
def test_autoencoder_digits(run: Run) -> None:
    result = run("autoencoder_digits", pictures=4)
    assert result["new"] < 0.065  # the mean digit as the answer to everything has 0.073
    assert result["trustworthiness"] > 0.9


@pytest.mark.slow
def test_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    result = import_module("defaults").main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    assert {len(row) for row in table} == {6}
    assert [row[0] for row in table[2:]] == list(result)
    assert [row[4] == "yes" for row in table[2:]] == list(result.values())
    assert lines[-1] == f"reached on {sum(result.values())} of {len(result)} tables, means over 1 splits"
    assert len(result) >= 12


def test_defaults_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("defaults"), "datasets", None)
    with pytest.raises(SystemExit, match=r"^this compares with scikit-learn, which is missing: .*$"):
        import_module("defaults").main(["--quick"])


@pytest.mark.slow
def test_cnn_patterns(run: Run) -> None:
    result = run("cnn_patterns", pictures=3)
    assert result["perceptron"] < 0.4  # of patterns at places that it has not seen
    assert result["convolutional"] > result["perceptron"] + 0.1


# --- the course --------------------------------------------------------------------------------------------------

SMALL = 64_000  # bytes of a picture
WORKING = EXAMPLES.parent
SOURCE = re.compile(r"\[`([\w/]+\.py)`\]\(\.\./([\w/]+\.py)\)")


class Step(NamedTuple):
    title: str
    commands: list[str]  # names of examples
    pictures: list[str]
    before: str  # the line to change, ...
    after: str  # ... and what to make of it
    where: str
    text: str


def steps_of_the_course() -> list[Step]:
    course, _, _ = (EXAMPLES / "README.md").read_text(encoding="utf-8").partition("\n## All examples\n")
    return [read_step(text) for text in course.split("\n### ")[1:]]


def read_step(text: str) -> Step:
    changes = re.findall(r"^- \*\*Change\*\* `(.+)` to `(.+)`$", text, re.MULTILINE)
    assert len(changes) == 1, text
    where = re.search(r"^- \*\*Where\*\*: ((?:.+\n?)+)", text, re.MULTILINE)
    assert where, text
    return Step(
        text.partition("\n")[0],
        re.findall(r"^    python examples/(\w+)\.py$", text, re.MULTILINE),
        re.findall(r"^!\[[^]]{20,}\]\((\S+)\)$", text, re.MULTILINE),
        *changes[0],
        where[1],
        text,
    )


STEPS = steps_of_the_course()


def names_in(path: Path) -> set[str]:
    """Functions and classes of a file, and methods as Class.method."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return names


def test_the_course_has_the_steps_in_the_order_in_which_one_learns() -> None:
    words = (
        "line",
        "frontier",
        "hidden layers",
        "Rates",
        "Losses",
        "Digits",
        "Overfitting",
        "Filters",
        "Codes",
        "ints",
    )
    assert len(STEPS) == len(words)
    for number, (step, word) in enumerate(zip(STEPS, words), 1):
        assert step.title.startswith(f"{number}. ")
        assert word in step.title


@pytest.mark.parametrize("step", STEPS, ids=[step.title for step in STEPS])
def test_a_step_of_the_course_names_what_is_there(step: Step) -> None:
    parts = ["**Ask first**: ", "**Seen**: ", "**Change** ", "**Then see**: ", "**Where**: "]
    places = [step.text.index(part) for part in parts]
    assert places == sorted(places)
    (name,) = step.commands
    assert name in NAMES
    lines = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert lines.count(step.before) == 1  # what is to be changed stands there, once
    ast.parse(lines.replace(step.before, step.after))
    assert step.pictures
    for picture in step.pictures:
        check_picture(EXAMPLES / picture)
        assert (EXAMPLES / picture).stat().st_size <= SMALL


@pytest.mark.parametrize("step", STEPS, ids=[step.title for step in STEPS])
def test_a_step_of_the_course_names_lines_of_the_package(step: Step) -> None:
    links = SOURCE.findall(step.where)
    assert links
    assert all(shown == linked and (WORKING / linked).is_file() for shown, linked in links)
    known = set().union(*(names_in(WORKING / linked) for _, linked in links))
    named = set(re.findall(r"`(\w+(?:\.\w+)?)`", SOURCE.sub("", step.where)))
    assert named
    assert named <= known


def test_every_picture_that_comes_along_belongs_to_a_step() -> None:
    drawn = {f"pictures/{path.name}" for path in (EXAMPLES / "pictures").iterdir()}
    assert drawn == {picture for step in STEPS for picture in step.pictures} - {"digits_learned.svg"}


def test_the_command_for_the_pictures_knows_those_of_the_course() -> None:
    maker = import_module("make_pictures")
    assert maker.pictures_by_example() == {step.commands[0]: step.pictures for step in STEPS}
    with pytest.raises(SystemExit, match=r"^the course has no example nothing: it has linear_regression, .*$"):
        maker.main(["nothing"])


OF_FLOATS = "autoencoder_map.svg"  # t-SNE adds up floats, which Python 3.12 began to do otherwise
AT_ONCE = {"linear_regression", "numbers_as_ints", "single_neuron"}  # the others take up to a minute each


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in AT_ONCE else pytest.mark.slow) for (n,) in (s.commands for s in STEPS)]
)
def test_the_command_makes_the_pictures_that_come_along(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_rows, "MOST_WEIGHTS", MOST_WEIGHTS)  # as outside of tests
    maker = import_module("make_pictures")
    (tmp_path / "README.md").write_bytes((EXAMPLES / "README.md").read_bytes())
    monkeypatch.setattr(maker, "HERE", str(tmp_path))
    made = [Path(path) for path in maker.main([name])]
    assert made == [tmp_path / picture for step in STEPS if step.commands == [name] for picture in step.pictures]
    for path in made:
        check_picture(path)
        if path.name == OF_FLOATS:
            continue
        same = path.read_bytes() == (EXAMPLES / path.relative_to(tmp_path)).read_bytes()
        assert same, f"{path.name} is drawn otherwise now: python examples/make_pictures.py, and what the course says"


# --- other data --------------------------------------------------------------------------------------------------


def write_idx(folder: Path, part: str, images: list[bytes], labels: list[int]) -> None:
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4i", 0x803, len(images), 28, 28) + b"".join(images))
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz", "wb") as file:
        file.write(struct.pack(">2i", 0x801, len(labels)) + bytes(labels))


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A folder with files of MNIST's format: each class is a bar at a height of its own."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    labels = [k % 10 for k in range(200)]
    images = [bytes(28 * (2 + 2 * k)) + b"\xff" * 28 * 2 + bytes(28 * (24 - 2 * k)) for k in labels]
    write_idx(folder, "train", images, labels)
    write_idx(folder, "t10k", images[:20], labels[:20])
    return folder


def test_the_folder_with_mnist_is_used(run: Run, mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("mnist_tanh", "--mnist", str(mnist), pictures=1)["test accuracy"] > 0.9
    assert "784-128-10 Tanh, 200 images" in capsys.readouterr().out


@pytest.mark.slow
def test_the_convolutional_network_goes_on_to_mnist(run: Run, mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = run("cnn_patterns", "--mnist", str(mnist), pictures=3)["MNIST"]
    assert accuracy > 0.7
    shown = capsys.readouterr().out
    assert "16 x 11 x 11" in shown  # the second layer of filters
    assert f"MNIST: {accuracy:.2%} of the test images" in shown


def test_mini_mnist_is_read_from_its_two_files(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[k % 2, *[255 * (k % 2)] * 16] for k in range(20)]
    lines = [",".join(map(str, row)) + "\r\n" for row in rows]
    header = ",".join(["label", *[f"pixel{k}" for k in range(16)]]) + "\r\n"
    (tmp_path / "train.csv").write_bytes((header + "".join(lines)).encode())
    (tmp_path / "test.csv").write_bytes("".join(lines[:4]).encode())  # as in mini-MNIST, no header line
    assert run("mini_mnist_perceptron", "--mini", str(tmp_path), pictures=1)["test accuracy"] == 1.0
    assert "16-100-10 ReLU" in capsys.readouterr().out
    common = import_module("_common")
    options = common.read_arguments("", ["--mini", str(tmp_path), "--out", str(tmp_path)], mini=True)
    assert [dataset.y for dataset in common.load_images(options)] == [[0, 1] * 10, [0, 1] * 2]


def test_a_folder_that_is_not_there_ends_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        import_module("mnist_tanh").main(["--mnist", str(tmp_path / "nowhere")])
    assert leave.value.code == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_folder_without_mnist_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"python -m scratchnn\.datasets mnist --to DIR"):
        import_module("mnist_tanh").main(["--mnist", str(tmp_path), "--out", str(tmp_path)])


def test_a_shortened_run_has_fewer_images_and_tests_with_others(mnist: Path) -> None:
    common = import_module("_common")
    whole = load_digits()
    options = common.read_arguments("", ["--quick", "--out", str(mnist)])
    for dataset, all_of_it in zip(common.load_images(options), whole):
        assert (dataset.X, dataset.y, dataset.classes) == (all_of_it.X[:300], all_of_it.y[:300], all_of_it.classes)


def test_a_download_that_is_not_finished_is_left_alone(mnist: Path) -> None:
    common = import_module("_common")
    finished = sorted(mnist.iterdir())
    for path in finished:
        path.with_name(path.name + ".part").write_bytes(b"")
        path.with_name(path.name[:10] + ".part").write_bytes(b"")  # before it in the alphabet
    options = common.read_arguments("", ["--mnist", str(mnist), "--out", str(mnist)], mnist=True)
    assert [len(dataset) for dataset in common.load_images(options)] == [200, 20]
    for path in finished:
        path.unlink()
    with pytest.raises(SystemExit, match="does not hold MNIST's files"):
        common.load_images(options)


# --- what ends in a line instead of a traceback -------------------------------------------------------------------


def end_of(name: str, *arguments: str) -> object:
    """The exit code, or the message, of an example that is run from a command line."""
    with pytest.raises(SystemExit) as leave:
        import_module("_common").run(lambda: import_module(name).main(["--quick", *arguments]))
    return leave.value.code


def test_files_that_cannot_be_read_end_in_a_line(mnist: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "pictures")
    message = end_of("mini_mnist_perceptron", "--mini", str(mnist), "--out", out)
    assert re.fullmatch(r"error: .*train\.csv.*", str(message))
    (mnist / "train-images-idx3-ubyte.gz").write_bytes(b"broken")
    message = end_of("mnist_tanh", "--mnist", str(mnist), "--out", out)
    assert re.fullmatch(r"error: .*train-images-idx3-ubyte\.gz.*", str(message))


def test_a_folder_for_pictures_that_cannot_be_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert end_of("linear_regression", "--out", str(file)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"error: .*--out.*file", shown.err)


def test_a_picture_that_cannot_be_written_ends_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "linear_regression_line.svg").mkdir()
    message = end_of("linear_regression", "--out", str(tmp_path))
    assert re.fullmatch(r"error: .*linear_regression_line\.svg.*", str(message))


@pytest.mark.parametrize("kind", [ArgumentError, DataError, ModelFileError, OSError, TrainingDiverged])
def test_what_cannot_be_used_or_learned_ends_an_example_in_one_printable_line(kind: type[Exception]) -> None:
    def main() -> None:
        raise kind("it is\nnot \x1b[2J fine")

    with pytest.raises(SystemExit, match=r"^error: it is not \\x1b\[2J fine$"):
        import_module("_common").run(main)


def test_a_bug_in_an_example_is_no_error_of_the_user() -> None:
    with pytest.raises(ZeroDivisionError):
        import_module("_common").run(lambda: 1 // 0)


@pytest.mark.skipif(os.name == "nt", reason="needs a device that is always full")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_making_the_digits_without_room_ends_in_a_line(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    os.symlink("/dev/full", tmp_path / "digits_train.csv")
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "make_digits.py"), str(tmp_path)], capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_ctrl_c_in_an_example_says_stopped(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("_common"), "read_arguments", interrupt)
    with pytest.raises(SystemExit) as leave:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert leave.value.code == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("name", sorted(NAMES | {"make_digits"}))
def test_help_says_what_there_is_to_learn(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    monkeypatch.setenv("COLUMNS", "300")  # so that the first line stays one
    with pytest.raises(SystemExit) as leave:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert leave.value.code == 0
    shown = capsys.readouterr().out
    assert (import_module(name).__doc__ or "").split("\n")[0] in shown
    assert ("What it shows: " in shown) == (name != "make_digits")
