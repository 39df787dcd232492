"""What a user sees while a network trains or a file is fetched, on a terminal and off it.

The clock is handed in, so nothing here waits or depends on the machine's speed. A small screen plays the
terminal: it obeys carriage returns and line ends, so that the tests speak of what is visible.
"""

from __future__ import annotations

import io
import os
import re
from types import SimpleNamespace
from typing import Any

import pytest

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
    history = SimpleNamespace(loss=[], accuracy=[], validation_loss=[], validation_accuracy=[], seconds=[])
    run = SimpleNamespace(epochs=epochs, epoch=1, samples=samples, samples_done=0, batches=4, batch=0)
    run.__dict__.update({"loss": 0.5, "accuracy": 0.75, "lr": 0.1, "history": history, **others})
    return run


def train(progress: TrainingProgress, run: Any, clock: Clock, *, until: int = 0) -> None:
    """Play a training run, as a whole or until an epoch, in batches of a second, four to the epoch."""
    progress.on_train_begin(None, run)
    for epoch in range(1, (until or run.epochs) + 1):
        run.epoch = epoch
        for batch in range(1, 5):
            clock.now += 1
            run.batch, run.samples_done = batch, batch * run.samples // 4
            progress.on_batch_end(None, run)
        run.history.loss.append(1.0 / epoch)
        run.history.accuracy.append(None if run.accuracy is None else 1 - 0.1 / epoch)
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
    with pytest.raises(ValueError, match="every must be at least 1 epoch, got 0"):
        TrainingProgress(every=0)


def test_validation_is_shown_when_there_is_some() -> None:
    stream, clock, run = io.StringIO(), Clock(), make_run(epochs=1)
    run.history.validation_loss.append(0.25)
    run.history.validation_accuracy.append(0.925)
    train(TrainingProgress(stream, clock=clock), run, clock)
    assert "accuracy 90.0%  validation loss 0.2500  validation accuracy 92.5%" in stream.getvalue()


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
    clock.now += 3
    run.epoch, run.samples_done = 2, 50
    progress.on_batch_end(None, run)
    (line,) = screen(terminal.getvalue())
    assert line == ("epoch 2/3 [" + "█" * 15 + "░" * 15 + "]  loss 0.5000  accuracy  75.0%  0:03 left  50 samples/s")


def test_eighty_columns_have_room_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    terminal, clock, run = Terminal(), Clock(), make_run(epochs=20, samples=60_000)
    progress = TrainingProgress(terminal, clock=clock)
    progress.on_train_begin(None, run)
    clock.now += 60
    run.epoch, run.samples_done = 12, 1
    progress.on_batch_end(None, run)
    (line,) = screen(terminal.getvalue())
    assert len(line) < 80
    for part in ("epoch 12/20 [█", "loss 0.5000", "accuracy", "left", "11,000 samples/s"):
        assert part in line


@pytest.mark.parametrize("columns", [2, 8, 10, 14, 24, 30, 40, 60, 79, 80, 200])
def test_the_live_line_always_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal, clock = Terminal(), Clock()
    train(TrainingProgress(terminal, lasting=False, clock=clock), make_run(), clock)
    drawn = COLOUR_CODE.sub("", terminal.getvalue()).split("\r")
    assert max(map(len, drawn)) < columns
    assert any(text.startswith("epoch 2/3"[: columns - 1]) for text in drawn)


def test_a_narrow_terminal_keeps_epoch_and_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
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


def test_a_terminal_can_be_kept_to_the_live_line_alone() -> None:
    terminal, clock = Terminal(), Clock()
    train(TrainingProgress(terminal, lasting=False, clock=clock), make_run(), clock)
    assert "epoch 3/3" in terminal.getvalue()
    assert screen(terminal.getvalue()) == [""]


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
