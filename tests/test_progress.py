"""What a user sees while a network trains or a file is fetched, on a terminal and off it.

The clock is handed in, so nothing here waits or depends on the machine's speed. A small screen plays the
terminal: it obeys carriage returns and line ends, so that the tests speak of what is visible.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import History, Model
from scratchnn.progress import ByteProgress, TrainingProgress

COLOUR_CODE = re.compile("\x1b\\[[0-9;]*m")


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that claims to be a terminal, in the given encoding."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding
        self.writes = 0

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


class Broken(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError("nobody reads this")


def screen(written: str) -> list[str]:
    """The lines that a terminal shows after all of ``written``."""
    lines: list[list[str]] = [[]]
    column = 0
    for character in COLOUR_CODE.sub("", written):
        if character == "\r":
            column = 0
        elif character == "\n":
            lines.append([])
            column = 0
        else:
            line = lines[-1]
            line.extend(" " * (column + 1 - len(line)))
            line[column] = character
            column += 1
    return ["".join(line).rstrip() for line in lines]


def make_run(epochs: int = 3, samples: int = 100, **others: Any) -> Any:
    history = History()
    run = SimpleNamespace(epochs=epochs, epoch=1, samples=samples, samples_done=0, batches=4, batch=0)
    run.__dict__.update({"loss": 0.5, "accuracy": 0.75, "lr": 0.1, "history": history, **others})
    return run


def train(
    progress: TrainingProgress, run: Any, clock: Clock, *, since: int = 1, until: int = 0, validates: bool = False
) -> None:
    """Play a training run, as a whole or a part of its epochs, in batches of a second, four to the epoch."""
    progress.on_train_begin(None, run)
    for epoch in range(since, (until or run.epochs) + 1):
        run.epoch = epoch
        for batch in range(1, 5):
            clock.now += 1
            run.batch, run.samples_done = batch, batch * run.samples // 4
            progress.on_batch_end(None, run)
        run.history.loss.append(1.0 / epoch)
        if run.accuracy is not None:
            run.history.accuracy.append(1 - 0.1 / epoch)
        if validates:
            run.history.validation_loss.append(0.25 + (epoch - 3) ** 2 / 1000)
            run.history.validation_accuracy.append(0.925)
        progress.on_epoch_end(None, run)
    progress.on_train_end(None, run)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")


# Off a terminal


def test_off_a_terminal_there_is_one_plain_line_an_epoch() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, clock=clock), make_run(), clock)
    assert stream.getvalue().splitlines() == [
        "epoch 1/3  loss 1.0000  accuracy 90.0%  25 samples/s  0:08 left",
        "epoch 2/3  loss 0.5000  accuracy 95.0%  25 samples/s  0:04 left",
        "epoch 3/3  loss 0.3333  accuracy 96.7%  25 samples/s  0:00 left",
    ]


def test_plain_lines_hold_no_control_characters() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, clock=clock), make_run(), clock)
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_every_chooses_the_epochs_and_the_last_one_is_never_missing() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, every=10, clock=clock), make_run(epochs=25), clock)
    assert re.findall(r"epoch +(\d+)/25", stream.getvalue()) == ["10", "20", "25"]


def test_the_last_epoch_is_shown_when_training_stops_before_its_time() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, every=10, clock=clock), make_run(epochs=25), clock, until=13)
    assert re.findall(r"epoch +(\d+)/25", stream.getvalue()) == ["10", "13"]


def test_every_must_be_positive() -> None:
    with pytest.raises(ValueError, match="every must be a whole number of at least 1, got 0"):
        TrainingProgress(every=0)


def test_validation_is_shown_when_there_is_some() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, clock=clock), make_run(epochs=1), clock, validates=True)
    assert "accuracy 90.0%  validation loss 0.2540  validation accuracy 92.5%" in stream.getvalue()


def test_the_best_epoch_is_told_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, clock=clock), make_run(epochs=5), clock, validates=True)
    assert stream.getvalue().endswith("\nbest epoch: 3/5  validation loss 0.2500  validation accuracy 92.5%\n")
    train(TrainingProgress(stream, clock=clock), make_run(epochs=9), clock, validates=True, until=6)
    assert stream.getvalue().endswith(
        "\nbest epoch: 3/9  validation loss 0.2500  validation accuracy 92.5%  stopped after epoch 6\n"
    )


def test_the_best_epoch_can_be_left_to_somebody_else() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, ending=False, clock=clock), make_run(), clock, validates=True)
    assert "best" not in stream.getvalue() and len(stream.getvalue().splitlines()) == 3


def test_a_resumed_run_is_not_credited_with_what_was_done_before() -> None:
    stream, clock, run = io.StringIO(), Clock(), make_run(epochs=4)
    run.history.loss += [1.0] * 2
    train(TrainingProgress(stream, clock=clock), run, clock, since=3)
    assert re.findall(r"(\S+) samples/s  (\S+) left", stream.getvalue()) == [("25", "0:04"), ("25", "0:00")]


def test_a_log_has_every_epoch_however_many() -> None:
    stream, clock = io.StringIO(), Clock()
    train(TrainingProgress(stream, clock=clock), make_run(epochs=200), clock)
    assert len(stream.getvalue().splitlines()) == 200


def test_regression_has_no_accuracy() -> None:
    stream, terminal, clock = io.StringIO(), Terminal(), Clock()
    train(TrainingProgress(stream, clock=clock), make_run(accuracy=None), clock)
    train(TrainingProgress(terminal, clock=clock), make_run(accuracy=None), clock)
    assert "loss" in stream.getvalue() and "accuracy" not in stream.getvalue()
    assert "loss" in terminal.getvalue() and "accuracy" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("loss", "text"),
    [(0.12345, "0.1235"), (0.0, "0"), (1.5e-7, "1.5e-07"), (12345.0, "1.23e+04"), (float("nan"), "nan")],
)
def test_any_loss_is_readable(loss: float, text: str) -> None:
    stream, run = io.StringIO(), make_run()
    progress = TrainingProgress(stream, clock=Clock())
    progress.on_train_begin(None, run)
    run.history.loss.append(loss)
    progress.on_epoch_end(None, run)
    assert f"loss {text}  " in stream.getvalue()


# On a terminal


def test_the_live_line_has_bar_epoch_loss_accuracy_rate_and_time_left() -> None:
    terminal, clock, run = Terminal(), Clock(), make_run()
    progress = TrainingProgress(terminal, clock=clock)
    progress.on_train_begin(None, run)
    run.epoch, run.batch, run.samples_done = 1, 1, 25
    progress.on_batch_end(None, run)
    clock.now += 3
    run.epoch, run.batch, run.samples_done = 2, 1, 25
    progress.on_batch_end(None, run)
    (line,) = screen(terminal.getvalue())
    assert line == "epoch 2/3 [" + "█" * 7 + "░" * 23 + "]  loss 0.5000  accuracy  75.0%  0:04 left  42 samples/s"


def test_the_live_line_has_the_newest_validation_figure() -> None:
    for accuracy, shown in ((0.75, "val 92.5%"), (None, "val 0.2540")):
        terminal, clock, run = Terminal(), Clock(), make_run(accuracy=accuracy)
        progress = TrainingProgress(terminal, clock=clock)
        progress.on_train_begin(None, run)
        progress.on_batch_end(None, run)
        assert "val" not in terminal.getvalue()
        run.history.validation_loss.append(0.254)
        if accuracy:
            run.history.validation_accuracy.append(0.925)
        clock.now += 1
        progress.on_batch_end(None, run)
        assert f"loss 0.5000  {shown}  " in screen(terminal.getvalue())[0]


def test_a_narrow_live_line_keeps_the_validation_figure_before_the_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    terminal, clock, run = Terminal(), Clock(), make_run()
    run.history.validation_loss.append(0.254)
    run.history.validation_accuracy.append(0.925)
    progress = TrainingProgress(terminal, clock=clock)
    progress.on_train_begin(None, run)
    progress.on_batch_end(None, run)
    assert screen(terminal.getvalue())[0].endswith("]  loss 0.5000  val 92.5%")


def test_eighty_columns_have_room_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    terminal, clock, run = Terminal(), Clock(), make_run(epochs=20, samples=60_000)
    progress = TrainingProgress(terminal, clock=clock)
    progress.on_train_begin(None, run)
    run.batch = 1
    progress.on_batch_end(None, run)
    clock.now += 60
    run.epoch, run.samples_done = 12, 30_000
    progress.on_batch_end(None, run)
    (line,) = screen(terminal.getvalue())
    assert len(line) < 80
    for part in ("epoch 12/20 [█", "loss 0.5000", "accuracy", "left", "11,500 samples/s"):
        assert part in line


@pytest.mark.parametrize("columns", [2, 8, 10, 14, 24, 30, 40, 60, 79, 80, 200])
def test_the_live_line_always_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal, clock = Terminal(), Clock()
    train(TrainingProgress(terminal, clock=clock), make_run(epochs=5), clock, validates=True)
    drawn = re.split("[\r\n]", COLOUR_CODE.sub("", terminal.getvalue()))
    assert max(map(len, drawn)) < columns
    assert any(text.startswith("epoch 2/5"[: max(1, columns - 3)]) for text in drawn)


@given(
    columns=st.integers(2, 200),
    epochs=st.integers(1, 10**7),
    figures=st.lists(st.floats(0, 1e300), min_size=4, max_size=4),
    samples=st.integers(1, 10**9),
    classifies=st.booleans(),
    validates=st.booleans(),
)
def test_whatever_is_measured_no_line_is_wider_than_the_terminal(
    columns: int, epochs: int, figures: list[float], samples: int, classifies: bool, validates: bool
) -> None:
    loss, accuracy, validation_loss, seconds = figures
    run = make_run(epochs, samples, loss=loss, accuracy=min(accuracy, 1.0) if classifies else None)
    terminal, clock = Terminal(), Clock()
    with patch.dict(os.environ, {"COLUMNS": str(columns), "TERM": "xterm"}):
        progress = TrainingProgress(terminal, clock=clock)
        progress.on_train_begin(None, run)
        for epoch in sorted({1, epochs // 2 or 1, epochs}):
            run.epoch, run.batch, run.samples_done = epoch, 1, samples
            clock.now += seconds
            progress.on_batch_end(None, run)
            run.history.loss.append(loss)
            if validates:
                run.history.validation_loss.append(validation_loss)
                run.history.validation_accuracy.append(0.5)
            progress.on_epoch_end(None, run)
        progress.on_train_end(None, run)
    assert max(map(len, re.split("[\r\n]", COLOUR_CODE.sub("", terminal.getvalue())))) < columns


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            120,
            "epoch 2/5  loss 0.5000  accuracy 95.0%  validation loss 0.2510  validation accuracy 92.5%  25 samples/s"
            "  0:12 left",
        ),
        (100, "epoch 2/5  loss 0.5000  accuracy 95.0%  validation loss 0.2510  validation accuracy 92.5%"),
        (80, "epoch 2/5  loss 0.5000  accuracy 95.0%  val loss 0.2510  val accuracy 92.5%"),
        (78, "epoch 2/5  loss 0.5000  accuracy 95.0%  val loss 0.2510  val accuracy 92.5%"),
        (77, "epoch 2/5  loss 0.5000  acc 95.0%  val loss 0.2510  val acc 92.5%"),
        (68, "epoch 2/5  loss 0.5000  acc 95.0%  val loss 0.2510  val acc 92.5%"),
        (60, "epoch 2/5  loss 0.5000  val loss 0.2510  val acc 92.5%"),
        (50, "epoch 2/5  val loss 0.2510  val acc 92.5%"),
        (40, "epoch 2/5  val loss 0.2510"),
        (20, "epoch 2/5"),
        (5, "epoc"),
    ],
)
def test_the_line_of_an_epoch_fits_and_loses_the_least_important_first(
    columns: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal, clock = Terminal(), Clock()
    train(TrainingProgress(terminal, clock=clock), make_run(epochs=5), clock, validates=True)
    assert screen(terminal.getvalue())[1] == line


@pytest.mark.parametrize(
    ("epochs", "shown"),
    [
        (30, [*range(1, 31)]),
        (31, [1, *range(2, 31, 2), 31]),
        (100, [1, *range(5, 101, 5)]),
        (1000, [1, *range(50, 1001, 50)]),
    ],
)
def test_a_terminal_keeps_a_line_an_epoch_and_fewer_of_many(epochs: int, shown: list[int]) -> None:
    terminal, clock = Terminal(), Clock()
    train(TrainingProgress(terminal, clock=clock), make_run(epochs=epochs), clock)
    lines = screen(terminal.getvalue())
    assert [int(re.match(r"epoch +(\d+)/", line).group(1)) for line in lines[:-1]] == shown  # type: ignore[union-attr]
    assert lines[-1] == "" and len(lines) <= 32


@pytest.mark.parametrize("columns", [30, 80, 100])
def test_an_echoed_ctrl_c_stays_in_its_line_and_goes_with_it(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal, run = Terminal(), make_run(epochs=200)
    progress = TrainingProgress(terminal, clock=Clock())
    progress.on_train_begin(None, run)
    run.history.validation_loss.append(0.25)
    progress.on_batch_end(None, run)
    terminal.write("^C")
    (line,) = screen(terminal.getvalue())
    assert line.endswith("^C") and len(line) < columns
    progress.close()
    assert screen(terminal.getvalue()) == [""]


def test_a_narrow_terminal_keeps_epoch_and_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "26")
    terminal, clock, run = Terminal(), Clock(), make_run()
    progress = TrainingProgress(terminal, clock=clock)
    progress.on_train_begin(None, run)
    progress.on_batch_end(None, run)
    assert screen(terminal.getvalue()) == ["epoch 1/3  loss 0.5000"]


def test_a_terminal_is_left_with_the_lasting_lines_only() -> None:
    terminal, clock = Terminal(), Clock()
    train(TrainingProgress(terminal, every=2, clock=clock), make_run(), clock)
    first, last, end = screen(terminal.getvalue())
    assert first.startswith("epoch 2/3  loss 0.5000")
    assert last.startswith("epoch 3/3  loss 0.3333")
    assert end == ""


def test_the_live_line_is_erased_after_an_interruption() -> None:
    terminal, run = Terminal(), make_run()
    progress = TrainingProgress(terminal, clock=Clock())
    progress.on_train_begin(None, run)
    progress.on_batch_end(None, run)
    assert screen(terminal.getvalue()) != [""]
    progress.close()
    progress.close()
    assert screen(terminal.getvalue()) == [""]
    assert terminal.getvalue().endswith("\r")


def test_the_live_line_is_drawn_at_most_ten_times_a_second() -> None:
    terminal, clock, run = Terminal(), Clock(), make_run()
    progress = TrainingProgress(terminal, clock=clock)
    progress.on_train_begin(None, run)
    for _ in range(1000):
        clock.now += 0.001
        progress.on_batch_end(None, run)
    assert 9 <= terminal.writes <= 11


def test_a_shorter_line_leaves_nothing_of_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, clock, run = Terminal(), Clock(), make_run()
    progress = TrainingProgress(terminal, clock=clock)
    progress.on_train_begin(None, run)
    progress.on_batch_end(None, run)
    monkeypatch.setenv("COLUMNS", "40")
    clock.now += 1
    progress.on_batch_end(None, run)
    assert len(screen(terminal.getvalue())[0]) < 40


def test_colour_is_one_green_bar_and_no_color_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        terminal, clock = Terminal(), Clock()
        train(TrainingProgress(terminal, clock=clock), make_run(), clock)
        return terminal.getvalue()

    if os.name == "nt":
        monkeypatch.setenv("WT_SESSION", "1")
    assert set(COLOUR_CODE.findall(drawn())) == {"\x1b[32m", "\x1b[0m"}
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in drawn() and "█" in drawn()
    monkeypatch.setenv("NO_COLOR", "")  # an empty value does not count
    assert "\x1b" in drawn()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal, clock = Terminal(), Clock()
    train(TrainingProgress(terminal, clock=clock), make_run(), clock)
    assert "\r" not in terminal.getvalue() and len(terminal.getvalue().splitlines()) == 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_blocks_gets_ascii(encoding: str) -> None:
    terminal, clock, run = Terminal(encoding), Clock(), make_run()
    progress = TrainingProgress(terminal, colour=False, clock=clock)
    progress.on_train_begin(None, run)
    run.epoch, run.samples_done = 2, 50
    progress.on_batch_end(None, run)
    assert re.search(r"\[(#+)\.+\]", terminal.getvalue())
    assert terminal.getvalue().isascii()


# Streams that fail


@pytest.mark.parametrize("live", [True, False])
def test_a_broken_pipe_does_not_stop_training(live: bool) -> None:
    clock = Clock()
    train(TrainingProgress(Broken(), live=live, clock=clock), make_run(), clock)


def test_a_closed_stream_does_not_stop_training() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = TrainingProgress(stream, clock=clock)
    stream.close()
    train(progress, make_run(), clock)


def test_standard_error_is_looked_up_when_training_begins(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    train(TrainingProgress(clock=clock), make_run(epochs=1), clock)
    captured = capsys.readouterr()
    assert captured.err.startswith("epoch 1/1") and captured.out == ""


def test_a_program_without_standard_error_trains_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    clock = Clock()
    train(TrainingProgress(clock=clock), make_run(), clock)


# Downloads


def test_a_download_shows_bar_size_time_left_and_rate() -> None:
    terminal, clock = Terminal(), Clock()
    progress = ByteProgress("images.gz", 10_000_000, terminal, clock=clock)
    progress.update(0)
    clock.now += 2
    progress.update(5_000_000)
    (line,) = screen(terminal.getvalue())
    assert line == "images.gz [" + "█" * 15 + "░" * 15 + "]  5.0 MB of 10.0 MB  0:02 left  2.5 MB/s"


def test_a_resumed_download_does_not_count_the_bytes_that_were_there() -> None:
    terminal, clock = Terminal(), Clock()
    progress = ByteProgress("images.gz", 10_000_000, terminal, clock=clock)
    progress.update(8_000_000)
    clock.now += 1
    progress.update(9_000_000)
    assert "1.0 MB/s" in screen(terminal.getvalue())[0]


def test_a_download_of_unknown_size_shows_what_has_come() -> None:
    terminal, clock = Terminal(), Clock()
    progress = ByteProgress("images.gz", None, terminal, clock=clock)
    progress.update(0)
    clock.now += 1
    progress.update(999)
    assert screen(terminal.getvalue()) == ["images.gz  999 B  999 B/s"]


def test_a_finished_download_leaves_one_line_everywhere() -> None:
    for stream in (io.StringIO(), Terminal()):
        clock = Clock()
        with ByteProgress("images.gz", 1500, stream, clock=clock) as progress:
            for done in (500, 1000, 1500):
                clock.now += 1
                progress.update(done)
        assert screen(stream.getvalue()) == ["images.gz: 1.5 kB", ""]


def test_a_failed_download_leaves_the_terminal_clean() -> None:
    terminal = Terminal()
    progress = ByteProgress("images.gz", 10, terminal, clock=Clock())
    with pytest.raises(OSError, match="connection lost"), progress:
        progress.update(5)
        assert screen(terminal.getvalue()) != [""]
        raise OSError("connection lost")
    assert screen(terminal.getvalue()) == [""]


def test_a_name_the_stream_cannot_encode_is_shown_as_well_as_possible() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with ByteProgress("größe.gz", 1, stream, clock=Clock()) as progress:
        progress.update(1)
    assert stream.buffer.getvalue() == b"gr??e.gz: 1 B" + os.linesep.encode()  # type: ignore[attr-defined]


# On a real terminal: a process with a pseudo-terminal as its standard error, output and input

ROOT = Path(__file__).resolve().parent.parent

# The process makes the pseudo-terminal its own, so that a typed Ctrl-C reaches it, and becomes the command.
IN_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""

needs_terminals = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")


def run_in_a_terminal(
    *arguments: str, folder: Path, columns: int = 80, type_when_seen: tuple[str, str] = ("", "")
) -> str:
    """All that a command writes to its terminal; once the first text was seen, the second is typed."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    written, (awaited, typed) = "", type_when_seen
    with process:
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # on Linux, the end of a terminal is an error
                break
            if not piece:
                break
            written += piece.decode("utf-8", "replace")
            if awaited and awaited in written:
                os.write(ours, typed.encode())
                awaited = ""
    os.close(ours)
    return written


def write_rows(path: Path, rows: int = 60) -> str:
    lines = [f"{number % 3},{number % 3 + number % 7 / 10},{number % 5 / 10}" for number in range(rows)]
    path.write_text("\n".join(["label,a,b", *lines]) + "\n", encoding="utf-8")
    return path.name


@needs_terminals
@pytest.mark.parametrize("columns", [80, 60, 50])
def test_validation_figures_stay_on_a_terminal(columns: int, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    options = ["--epochs", "12", "--hidden", "8", "--early-stopping", "12"]
    written = run_in_a_terminal("scratchnn.train", rows, *options, folder=tmp_path, columns=columns)
    lines = screen(written.replace("\r\n", "\n"))
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line[: len("epoch 12/12")] for line in epochs] == [f"epoch {number:>2}/12" for number in range(1, 13)]
    assert all("val loss" in line and "val acc" in line for line in epochs)
    assert [line.count("acc") for line in epochs] == [2 if columns == 80 else 1] * 12
    assert max(map(len, epochs)) < columns
    assert "█" in written and not any("█" in line for line in lines)
    (best,) = [line for line in "\n".join(lines).replace("\n    ", " ").split("\n") if line.startswith("best epoch: ")]
    assert re.fullmatch(r"best epoch: \d+ \(validation loss [0-9.e-]+, accuracy [0-9.]+%\)(; that one is saved)?", best)


@needs_terminals
def test_what_is_said_of_a_run_is_broken_between_words_and_its_command_stays_whole(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows_of_a_table_with_a_long_name.csv")
    options = ["--epochs", "50", "--early-stopping", "1"]
    written = run_in_a_terminal("scratchnn.train", rows, *options, folder=tmp_path, columns=50)
    lines = screen(written.replace("\r\n", "\n"))
    assert "  43 rows to learn from, 5 to validate with, 12 to\n    test on (held out)\n" in "\n".join(lines)
    (command,) = [line for line in lines if len(line) > 50]
    assert command == f"try it: python -m scratchnn.predict model.pkl {rows}"


@needs_terminals
@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_interrupted_stands_below_the_ctrl_c(quiet: list[str], tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv")
    arguments = [rows, "--epochs", "1000000", *quiet]
    (tmp_path / "learn.py").write_text(
        "import signal\n"
        "from scratchnn import train\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Telling(train.Interruption):\n"
        "    def on_batch_end(self, model, run):\n"
        "        if run.epoch == run.batch == 1:\n"
        "            print('learning', flush=True)\n"
        "        super().on_batch_end(model, run)\n"
        "train.Interruption = Telling\n"
        f"raise SystemExit(train.main({arguments!r}))\n"
    )
    written = run_in_a_terminal("learn", folder=tmp_path, type_when_seen=("learning", "\x03"))
    assert "^C" in written
    lines = screen(written.replace("\r\n", "\n"))
    assert lines[-2:] == ["interrupted: what was learned so far is saved in model.pkl", ""]
    assert Model.load(tmp_path / "model.pkl").classes == [0, 1, 2]


@needs_terminals
def test_a_script_s_fit_shows_what_a_stopped_run_was_best_at(tmp_path: Path) -> None:
    (tmp_path / "learn.py").write_text(
        "from scratchnn import EarlyStopping, Model\n"
        "X, y = [[k % 2, k % 3] for k in range(40)], [k % 2 for k in range(40)]\n"
        "model = Model(2, 4, 2)\n"
        "model.fit(X, y, epochs=50, lr=1e-9, verbose=1, validation_split=0.2,\n"
        "          callbacks=[EarlyStopping(patience=2, min_delta=0.1)])\n"
    )
    lines = screen(run_in_a_terminal("learn", folder=tmp_path).replace("\r\n", "\n"))
    assert [line[:10] for line in lines] == ["epoch  1/5", "epoch  2/5", "epoch  3/5", "best epoch", ""]
    assert lines[3].endswith("stopped after epoch 3")
