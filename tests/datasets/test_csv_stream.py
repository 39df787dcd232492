"""CSV as it comes: rows are answered when they arrive, the same in whatever pieces, and nothing of them is kept."""

from __future__ import annotations

import io
import itertools
import os
import select
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import Model, predict
from scratchnn.datasets import Dataset, csv_reader, iter_csv, load_csv
from scratchnn.errors import DataError
from tests.commands import Result, Runner
from tests.files import Arriving

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("own_folder")

PATIENCE = 60  # seconds after which a process that does not answer is taken for one that never will


def known(width: int = 2, **settings: Any) -> Dataset:
    """What training knew: two float features x and y, three classes, the label in the third column."""
    return Dataset([[0.0] * width], [], **{"classes": ["a", "b", "c"], "label_position": 2, **settings})


def rows_of(pieces: Iterator[Dataset]) -> tuple[list[list[float]], list[Any]]:
    X: list[list[float]] = []
    y: list[Any] = []
    for piece in pieces:
        X += map(list, piece.X)
        y += piece.y
    return X, y


# --- the same in whatever pieces ---------------------------------------------------------------------------------

TABLES = [
    "x,y,label\n1.5,2,a\n3,4,b\n\n5,6,c\n",
    '1.5,2,a\r\n3,4,"b"\r\n5,"6",c\r\n',
    "1;2;a\n300;4;b\n5;6.5;c",
    "x y label\n 1   2  a\n3 4 b\n",
    '"x","y","la\nbel"\n1,2,a\n3,4,"b"\n-5,6,c\n',
    "label,y,x\na,2,1\nb,4,3\n",
    "\ufeffx,y,label\n1,2,a\n",
    "1\t2\ta\r3\t4\tb\r",
]


@given(
    table=st.sampled_from(TABLES),
    cuts=st.lists(st.integers(0, 60), max_size=12),
    chunk=st.sampled_from([1, 2, 3, 7, 1 << 20]),
)
def test_pieces_of_any_size_give_what_the_whole_file_gives(table: str, cuts: list[int], chunk: int) -> None:
    content = table.encode("utf-8")
    bounds = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    like = known(feature_names=["x", "y"], label_name="label")
    whole = load_csv(io.BytesIO(content), like=like)
    stream = Arriving(content[a:b] for a, b in zip(bounds, bounds[1:]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scratchnn.datasets.data_file.CHUNK_BYTES", chunk)
        assert rows_of(iter_csv(stream, like=like)) == (list(map(list, whole.X)), whole.y)


@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_rows_before_a_bad_one_are_given_in_whatever_pieces_they_came(cuts: list[int]) -> None:
    for bad, message in (("5,six,b\n", "line 4, column 2: expected a number"), ("1,\0,b\n", "line 4: a NUL byte")):
        content = ("1,2,a\n3,4,b\n\n" + bad + "7,8,c\n").encode()
        bounds = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
        X, y = [], []
        with pytest.raises(DataError, match=message):
            for piece in iter_csv(Arriving(content[a:b] for a, b in zip(bounds, bounds[1:])), like=known()):
                X += [list(row) for row in piece.X]
                y += piece.y
        assert (X, y) == ([[1.0, 2.0], [3.0, 4.0]], ["a", "b"])


@pytest.mark.parametrize("content", ["", "\n\n", "x,y,label\n", "x,y,label\n" + "\n" * 50])
def test_a_stream_without_rows_says_so(content: str) -> None:
    like = known(feature_names=["x", "y"])
    with pytest.raises(DataError) as caught:
        list(iter_csv(io.BytesIO(content.encode()), like=like))
    with pytest.raises(DataError) as of_the_file:
        load_csv(io.BytesIO(content.encode()), like=like)
    assert str(caught.value) == str(of_the_file.value)


# --- as soon as they are there -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "needed", "settings"),
    [
        (["1,2\n", "3,4\n"], 1, {}),
        (["1,2,a\n", "3,4,b\n"], 1, {}),
        (["x,y\n", "1,2\n", "3,4\n"], 2, {}),
        (["label,x,y\n", "a,1,2\n"], 2, {"feature_names": ["x", "y"]}),
        (["1 2 a\n", "3 4 b\n"], 1, {}),
        # Which of three numbers is the label, if nobody knows where it stood? Twenty lines are waited for.
        (["7,1,2\n"] * 30, 20, {"label_position": None, "classes": []}),
    ],
)
def test_a_row_is_given_as_soon_as_it_is_there(lines: list[str], needed: int, settings: dict[str, Any]) -> None:
    stream = Arriving(line.encode() for line in lines)
    first = next(iter_csv(stream, like=known(**settings), label_required=False))
    # The first bytes are looked at by themselves.
    assert (stream.count, len(first.X)) == (needed, 1 if needed < 20 else 20)


def test_a_first_row_that_is_wrong_is_refused_without_waiting_for_more() -> None:
    stream = Arriving(itertools.chain([b"1,2,3,4\n"], iter(lambda: pytest.fail("waited for more"), b"")))
    with pytest.raises(DataError, match="expected 2 feature columns with or without a label, got 4 columns in all"):
        next(iter_csv(stream, like=known(), label_required=False))


def test_an_endless_stream_takes_no_more_memory_than_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that are new in every row are not all remembered either."""
    monkeypatch.setattr(csv_reader, "MOST_LABELS_KNOWN", 1 << 13)
    block = "".join(f"{number},{number / 7},label{{}}x{number}\n" for number in range(2000))
    stream = Arriving(block.replace("{}", str(number)).encode() for number in itertools.count())
    like = known(classes=[])
    pieces = iter_csv(stream, like=like, label_required=False, max_bytes=sys.maxsize)
    rows = sum(len(next(pieces)) for _ in range(15))
    tracemalloc.start()
    try:
        rows += sum(len(next(pieces)) for _ in range(35))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert rows > 50_000 > csv_reader.MOST_LABELS_KNOWN


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    X = [[number % 3 * 2.0 - 2.0, number % 7 / 10] for number in range(60)]
    model = Model(2, 8, 3)
    model.fit(X, ["abc"[number % 3] for number in range(60)], epochs=20, momentum=0.9)
    model.schema = model.schema._replace(feature_names=["x", "y"], label_name="kind", label_position=2)
    model.save(folder / "dots.pkl")
    line = Model(2, [], 1, task="regression")
    line.fit(X, [a + b for a, b in X], epochs=30)
    line.schema = line.schema._replace(label_position=2)
    line.save(folder / "line.pkl")
    return folder


@pytest.fixture
def answers(call: Runner, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs ``predict`` with a text as standard input."""

    def run(content: str, *arguments: object) -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        return call(predict.main, *arguments)

    return run


ROWS = "".join(f"{a},{b},{label}\n" for a, b, label in [(-2, 0.1, "a"), (0, 0.2, "c"), (2, 0.3, "c"), (-2, 0.6, "a")])


def test_answers_come_before_the_bad_row_and_the_score_at_the_end(models: Path, answers: Runner) -> None:
    model = str(models / "dots.pkl")
    assert answers(ROWS, model, "-", "--score") == (0, "a\nb\nc\na\n", "accuracy: 75.00%\n")
    code, out, err = answers(ROWS + "1,x,a\n", model, "-", "--score")
    assert (code, out) == (2, "a\nb\nc\na\n")
    assert err == "error: standard input, line 5, column 2: expected a number, got 'x'\n"


def test_blanks_between_fields_will_do(models: Path, answers: Runner) -> None:
    content = "-2 0.1\n  2    0.5 \n"
    assert answers(content, str(models / "dots.pkl"), "-") == (0, "a\nc\n", "")


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_the_score_of_numbers_is_the_model_s(offset: float, models: Path, answers: Runner) -> None:
    X = [[number % 3 * 2.0 - 2.0, number % 7 / 10] for number in range(600)]
    y = [a + b + offset + number % 5 / 7 for number, (a, b) in enumerate(X)]
    model = Model(2, [], 1, task="regression")
    model.fit(X, y, epochs=5)
    model.schema = model.schema._replace(label_position=2)
    model.save("model.pkl")
    content = "".join(f"{a!r},{b!r},{label!r}\n" for (a, b), label in zip(X, y))
    Path("rows.csv").write_text(content, encoding="utf-8")
    code, out, err = answers(content, "model.pkl", "-", "--score")
    assert (code, err) == (0, f"R2: {Model.load('model.pkl').score(X, y):.4f}\n")
    assert answers("", "model.pkl", "rows.csv", "--score") == (0, out, err)


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
@pytest.mark.parametrize("scaling", ["none", "standard", "pixels"])
def test_a_stream_is_answered_as_the_file_to_the_last_digit(
    engine: str, scaling: str, answers: Runner, call: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever company a row comes, pixels beside numbers that are none, and whichever rows arrive together."""
    X = [[float((7 * row + 3 * column) % 256) for column in range(20)] for row in range(40)]
    monkeypatch.setattr(Model, "load", partial(Model.load, engine=engine))
    model = Model(20, 6, 2, scaling=scaling)
    model.fit(X, [row % 2 for row in range(40)], epochs=2, lr=0.001)
    model.save("model.pkl")
    if scaling != "pixels":
        X = [row if number % 3 else [value / 8 for value in row] for number, row in enumerate(X)]
    lines = [",".join(map(str, map(int, row) if all(v == int(v) for v in row) else row)) + "\n" for row in X]
    Path("rows.csv").write_text("".join(lines), encoding="utf-8")
    whole = answers("", "model.pkl", "rows.csv", "--proba")
    assert whole[0] == 0
    one_by_one = Arriving(line.encode() for line in lines)
    monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": one_by_one}))
    assert call(predict.main, "model.pkl", "-", "--proba") == whole


def test_probabilities_run_the_network_once(models: Path, answers: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    outputs = Model._outputs

    def counting(self: Model, *arguments: Any) -> Any:
        calls.append(1)
        return outputs(self, *arguments)

    monkeypatch.setattr(Model, "_outputs", counting)
    model = str(models / "dots.pkl")
    plain = answers(ROWS, model, "-")[1]
    assert len(calls) == 1
    with_probabilities = answers(ROWS, model, "-", "--proba")[1]
    assert len(calls) == 2
    assert [line.split(",")[0] for line in with_probabilities.splitlines()[1:]] == plain.splitlines()


class Process:
    """The command, with its standard input open, in folders that are watched."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.folder = folder
        for name in ("here", "temporary"):
            (folder / name).mkdir()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "temporary")}
        environment.pop("PYTHONUNBUFFERED", None)  # the command itself is to send on what it has
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scratchnn.predict", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder / "here",
        )
        self.unread = b""

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def read_line(self) -> str:
        """The next line of standard output, which must come while standard input is open."""
        assert self.process.stdout is not None
        while b"\n" not in self.unread:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            assert ready, "no answer"
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            assert more, "standard output was closed"
            self.unread += more
        line, _, self.unread = self.unread.partition(b"\n")
        return line.decode().rstrip("\r")

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name == "nt", reason="pipes cannot be waited for on Windows")
@pytest.mark.usefixtures("usual_interrupts")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_pipe_that_stays_open_is_answered_row_by_row_and_a_signal_leaves_nothing(
    number: signal.Signals, models: Path, tmp_path: Path
) -> None:
    command = Process(tmp_path, models / "dots.pkl", "-")
    try:
        command.write("x,y\n-2,0.1\n")
        assert command.read_line() == "a"
        command.write("2,0.")
        command.write("4\n0,0.1\n")
        assert [command.read_line(), command.read_line()] == ["c", "b"]
        assert command.files() == []
        command.process.send_signal(number)
        out, err = command.process.communicate(timeout=PATIENCE)
    finally:
        command.process.kill()
        command.process.wait()
    assert (out, command.files()) == (b"", [])
    if number == signal.SIGTERM:
        assert (command.process.returncode, err) == (-signal.SIGTERM, b"")
    else:
        assert (command.process.returncode, err) == (130, b"interrupted\n")
