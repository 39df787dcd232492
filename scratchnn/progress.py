"""Shows how far training or a download has come: a live line on a terminal or in a notebook, plain lines elsewhere.

Nothing here knows how training works. ``TrainingProgress`` has the four methods that training calls
(``on_train_begin``, ``on_batch_end``, ``on_epoch_end``, ``on_train_end``) and reads the numbers it is handed.
The live line uses a carriage return and spaces only, so that every terminal can show and erase it. A stream
that breaks (a closed pipe) is dropped without a word: progress is never a reason for training to fail. In a notebook
all lines are one output of the cell, which changes, and nothing goes to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from .checks import require_size, shown
from .errors import ArgumentError
from .escapes import printable
from .notebook import find_place
from .terminal import can_show, colours_welcome, columns, is_smart_terminal

MOST_LINES = 30
"""Lasting lines that a run leaves on a terminal, about, unless it is told how many: what fits on one screen."""

REDRAW_INTERVAL = 0.1
"""Seconds between two drawings of the live line: ten a second look smooth and cost training nothing."""

_WIDEST_BAR = 30
_NARROWEST_BAR = 4
_GREEN, _PLAIN = "\x1b[32m", "\x1b[0m"
_NOTEBOOK_WIDTH = 100  # columns of a notebook's output that nobody has made narrower
_MOST_KEPT = 200  # lasting lines of one output in a notebook, which is sent again each time
_ECHO = len("^C")  # what a terminal writes behind the live line when Ctrl-C is pressed


class LiveLine:
    """One line of a terminal that is drawn over and over, and lasting lines above it.

    Parameters:
        stream: where to write; None is standard error as it is now, or in a notebook the output of the cell.
        live: draw the live line; None asks whether the stream is a terminal, and not a dumb one, or a notebook.
        colour: colour the bar; None is yes on a live line, unless ``NO_COLOR`` is set.
        clock: gives seconds that never go back; tests hand in their own.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        live: bool | None = None,
        colour: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.place = find_place() if stream is None else None
        self.stream: TextIO | None = (None if self.place else sys.stderr) if stream is None else stream
        self.clock = clock
        self.live = self.place is not None or is_smart_terminal(self.stream) if live is None else live
        self.colour = (self.live and self.place is None and colours_welcome()) if colour is None else colour
        self._full, self._empty = ("█", "░") if self.place else _bar_characters(self.stream)
        self._lasting: list[str] = []  # in a notebook
        self._drawn = 0  # columns the live line covers now
        self._drawn_at: float | None = None

    def due(self) -> bool:
        """Whether the live line may be drawn again: False off a terminal and just after a drawing."""
        if not self.live or (self.stream is None and self.place is None):
            return False
        return self._drawn_at is None or self.clock() - self._drawn_at >= REDRAW_INTERVAL

    def draw(self, before: str, fraction: float | None, after: Sequence[str]) -> None:
        """Draw ``before [bar] after...`` over the line, leaving out what the terminal has no room for.

        ``fraction`` (0 to 1) fills the bar; None draws no bar. The entries of ``after`` are sorted from the
        most to the least important: on a narrow terminal the last ones go first, then the bar.
        """
        width = max(1, self.width - _ECHO)
        before = printable(before)
        shown, bar_width = _fit(before, fraction is not None, list(map(printable, after)), width)
        bar, plain_bar = self._bar(fraction or 0.0, bar_width)
        text = "  ".join([before + plain_bar, *shown])[:width]
        if self.place is not None:
            self.place.show("\n".join([*self._lasting, text]))
        else:
            padding = " " * (self._drawn - len(text))
            self._write("\r" + text.replace(plain_bar, bar, 1) + padding)
        self._drawn = max(len(text), self._drawn)
        self._drawn_at = self.clock()

    @property
    def width(self) -> int:
        """Columns that a line may fill: one less than there are, as writing into the last makes some terminals wrap."""
        return _NOTEBOOK_WIDTH if self.place else columns(self.stream) - 1

    def erase(self) -> None:
        """Leave the line empty, also of a ^C behind it, with the cursor at its start."""
        if self._drawn and self.place is not None:
            self.place.show("\n".join(self._lasting))
        elif self._drawn:
            self._write("\r" + " " * min(self._drawn + _ECHO, self.width) + "\r")
        self._drawn = 0
        self._drawn_at = None

    def say(self, text: str) -> None:
        """Write one lasting line; the live line, if there is one, is erased first."""
        if self.place is not None:
            kept = [*self._lasting, printable(text)]
            self._lasting = kept if len(kept) <= _MOST_KEPT else ["...", *kept[1 - _MOST_KEPT :]]
            self._drawn = 1  # so that what is erased is the whole output
            self.erase()
        else:
            self.erase()
            self._write(printable(text) + "\n")

    def _bar(self, fraction: float, width: int) -> tuple[str, str]:
        """The bar with and without colour codes; both empty when there is no room for one."""
        if not width:
            return "", ""
        filled = int(min(1.0, max(0.0, fraction)) * width)
        full, empty = self._full * filled, self._empty * (width - filled)
        plain = f" [{full}{empty}]"
        return (f" [{_GREEN}{full}{_PLAIN}{empty}]" if self.colour and full else plain), plain

    def _write(self, text: str) -> None:
        if self.stream is None:
            return
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):  # the reader has gone, or the stream is closed
            self.stream = None


def step_listener(
    progress: Callable[..., Any] | bool | None, step: str, worded: Callable[..., str]
) -> tuple[Callable[..., Any] | None, Callable[[], Any]]:
    """(what to call after each step of a long job, if anything; what to call at its end).

    ``progress`` is True for a line on standard error, a function of one's own, or None. What is called gets the number
    of steps done, of all, and what ``worded`` makes words of. ``step`` is what a step is called.
    """
    if progress and not callable(progress) and progress is not True:
        raise ArgumentError(f"progress must be a function, True or None, got {shown(progress)}")
    if progress is not True:
        return progress or None, lambda: None
    line = LiveLine()
    start = line.clock()

    def tell(done: int, total: int, *found: Any) -> None:
        before = f"{step} {done:>{len(str(total))}}/{total}"
        words = [worded(*found), f"{(line.clock() - start) / done * (total - done):.0f} s left"]
        if not line.live:
            line.say("  ".join([before, *words]))
        elif line.due():
            line.draw(before, done / total, words)

    return tell, line.erase


class TrainingProgress:
    """Shows a training run: hand it to ``Model.fit(callbacks=[...])``.

    On a terminal there is a live line for the running epoch: a bar, the loss so far, the newest validation figure, the
    accuracy so far, the time left of the whole run, the rate; the last of them go first where there is no room. An
    epoch that has ended leaves a line, there and elsewhere, and a run with validation data one more at its end, which
    says what its best epoch was.

    Parameters:
        stream: where to write; None is standard error at the moment training begins.
        every: write a lasting line each ``every`` epochs, and for the last one. None is every epoch, but on a terminal
            about 30 lines a run: the first epoch's, the last one's, and those of round numbers between.
        live: draw the live line; None asks whether the stream is a terminal.
        colour: None follows the terminal and ``NO_COLOR``.
        ending: write the line at the end; False where somebody else says it.
        clock: gives seconds that never go back.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        every: int | None = None,
        live: bool | None = None,
        colour: bool | None = None,
        *,
        ending: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.every = None if every is None else require_size("every", every)
        self.ending = ending
        self._line_arguments = (stream, live, colour, clock)
        self.on_train_begin(None, None)

    def on_train_begin(self, model: Any, run: Any) -> None:
        """Start the clock."""
        self._line = LiveLine(*self._line_arguments)
        self._started = self._line.clock()
        self._before: int | None = None  # samples that a resumed run had seen before
        self._unsaid: list[str] = []  # the last epoch's line, while it has not been written

    def on_batch_end(self, model: Any, run: Any) -> None:
        """Draw the live line, unless it was drawn a moment ago."""
        if self._before is None:
            self._before = (run.epoch - 1) * run.samples + run.samples_done - run.samples_done // max(1, run.batch)
        if not self._line.due():
            return
        rate, left = self._pace((run.epoch - 1) * run.samples + run.samples_done, run.epochs * run.samples)
        after = [f"loss {_short(run.loss)}", *(f"val {figure}" for _, figure in _validation(run.history, -1)[-1:])]
        if run.accuracy is not None:
            after.append(f"accuracy {run.accuracy:6.1%}")
        after += [f"{left} left", f"{rate} samples/s"]
        self._line.draw(_epoch(run), run.samples_done / max(1, run.samples), after)

    def on_epoch_end(self, model: Any, run: Any) -> None:
        """Write the epoch's lasting line, if it is its turn."""
        self._unsaid = self._epoch_line(run)
        every = self.every or (_round_step(run.epochs) if self._line.live else 1)
        if run.epoch % every == 0 or run.epoch == run.epochs or (self.every is None and run.epoch == 1):
            self._say_epoch()

    def on_train_end(self, model: Any, run: Any) -> None:
        """Write the last epoch's line if it is still missing, and what the best one was; erase the live line."""
        self._say_epoch()
        ending = describe_end(run.history, run.epochs) if self.ending else []
        if ending:
            self._line.say(self._fitting(ending))
        self.close()

    def close(self) -> None:
        """Erase the live line: after the end of training, or when an exception came first. Harmless twice."""
        self._line.erase()

    def _say_epoch(self) -> None:
        if self._unsaid:
            self._line.say(self._fitting(self._unsaid))
        self._unsaid = []

    def _epoch_line(self, run: Any) -> list[str]:
        history = run.history
        parts = [_epoch(run), f"loss {_short(history.loss[-1] if history.loss else run.loss)}"]
        accuracy = history.accuracy[-1] if history.accuracy else run.accuracy
        if accuracy is not None:
            parts.append(f"accuracy {accuracy:.1%}")
        parts += [f"validation {name} {figure}" for name, figure in _validation(history, -1)]
        rate, left = self._pace(run.epoch * run.samples, run.epochs * run.samples)
        return [*parts, f"{rate} samples/s", f"{left} left"]

    def _fitting(self, parts: Sequence[str]) -> str:
        """The parts in a line; on a terminal without the last ones, and with short words, if it is too narrow."""
        text = "  ".join(parts)
        width = self._line.width
        if not self._line.live or len(text) <= width:
            return text
        words = [part for part in parts if not part.endswith((" samples/s", " left"))]
        for long, short in (("", ""), ("validation", "val"), ("accuracy", "acc")):
            words = [part.replace(long, short) for part in words]
            if _room(words) <= width:
                return "  ".join(words)
        validates = any(part.startswith("val ") for part in words)
        while len(words) > 1 and _room(words) > width:
            of_training = [part for part in words if validates and part.startswith(("loss ", "acc "))]
            words.remove((of_training or words)[-1])
        return "  ".join(words)[:width]

    def _pace(self, done: int, total: int) -> tuple[str, str]:
        """Samples a second and the time left, both from the whole run so far, as text."""
        elapsed = self._line.clock() - self._started
        seen = done - (self._before or 0)
        if elapsed <= 0 or not seen:
            return "-", "-:--"
        rate = seen / elapsed
        return (f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"), _duration((total - done) / rate)


def describe_end(history: Any, epochs: int) -> list[str]:
    """The parts of a line about a run that has ended, of ``epochs`` that were asked for: which epoch was the best.

    That is the one of the lowest validation loss; without validation data there is nothing to say, and no part.
    """
    best = history.best_epoch
    if best is None:
        return []
    parts = [f"best epoch: {best}/{epochs}", *(f"validation {name} {v}" for name, v in _validation(history, best - 1))]
    return [*parts, f"stopped after epoch {len(history.loss)}"] if len(history.loss) < epochs else parts


def _validation(history: Any, epoch: int) -> list[tuple[str, str]]:
    """(name, figure) of what was measured on validation data after an epoch; position -1 is the newest."""
    measures = ("loss", history.validation_loss, _short), ("accuracy", history.validation_accuracy, "{:.1%}".format)
    return [(name, worded(found[epoch])) for name, found, worded in measures if found and found[epoch] is not None]


def _room(words: list[str]) -> int:
    """Columns for a line of these words in any epoch of a run, also of 100.0 %."""
    return len("  ".join(words)) + sum(part.endswith("%") and not part.endswith("100.0%") for part in words)


def _round_step(epochs: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 ... that leaves at most ``MOST_LINES`` of so many epochs."""
    step = 1
    while epochs > MOST_LINES * step:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


class ByteProgress:
    """Shows a download: ``with ByteProgress("file.gz", total) as progress: progress.update(bytes_so_far)``.

    Leaving the block without an exception writes one lasting line with name and size; after an exception the
    live line is erased and nothing else is said. Off a terminal the lasting line is all there is.

    Parameters:
        name: what is being fetched.
        total: its size in bytes, or None when nobody knows.
        stream, live, colour, clock: as for ``TrainingProgress``.
    """

    def __init__(
        self,
        name: str,
        total: int | None = None,
        stream: TextIO | None = None,
        live: bool | None = None,
        colour: bool | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self._line = LiveLine(stream, live, colour, clock)
        self._first: tuple[float, int] | None = None  # a resumed download does not begin at byte 0

    def update(self, done: int) -> None:
        """Say that ``done`` bytes of the whole are there by now (not: that many more)."""
        self.done = done
        now = self._line.clock()
        if self._first is None:
            self._first = (now, done)
        if not self._line.due():
            return
        started, at_start = self._first
        rate = (done - at_start) / (now - started) if now > started else 0.0
        after = [_bytes(done) if self.total is None else f"{_bytes(done)} of {_bytes(self.total)}"]
        if self.total is not None and rate > 0:
            after.append(f"{_duration((self.total - done) / rate)} left")
        if rate > 0:
            after.append(f"{_bytes(rate)}/s")
        self._line.draw(self.name, done / self.total if self.total else None, after)

    def finish(self) -> None:
        """Write the lasting line: the download is complete."""
        self._line.say(f"{self.name}: {_bytes(self.done)}")

    def close(self) -> None:
        """Erase the live line and say nothing. Harmless twice."""
        self._line.erase()

    def __enter__(self) -> ByteProgress:
        return self

    def __exit__(self, exception_type: type[BaseException] | None, *details: object) -> None:
        if exception_type is None:
            self.finish()
        else:
            self.close()


def _bar_characters(stream: TextIO | None) -> tuple[str, str]:
    """Blocks where the stream's encoding has them, otherwise ASCII."""
    return ("█", "░") if can_show(stream, "█░") else ("#", ".")


def _fit(before: str, bar: bool, after: list[str], width: int) -> tuple[list[str], int]:
    """What of ``after`` fits into ``width`` columns, and how many columns are left for the bar (0: none)."""
    while True:
        room = width - len("  ".join([before, *after]))
        bar_width = room - 3  # a space and two brackets
        if bar and bar_width >= _NARROWEST_BAR:
            return after, min(bar_width, _WIDEST_BAR)
        if (not bar and room >= 0) or not after:
            return after, 0
        if len(after) == 1:  # the most important number beats the bar
            return (after if room >= 0 else []), 0
        after = after[:-1]


def _epoch(run: Any) -> str:
    return f"epoch {run.epoch:>{len(str(run.epochs))}}/{run.epochs}"


def _short(number: float) -> str:
    return f"{number:.4f}" if 0.001 <= abs(number) < 1000 else f"{number:.3g}"


def _duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
