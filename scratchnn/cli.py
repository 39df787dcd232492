"""What the command lines share: one clear line for an error, exit codes, and pipes that close early.

A command is a function that takes its arguments and returns an exit code; ``run`` calls it and turns everything
a user can cause into a line on standard error: 2 for bad input, 130 for Ctrl-C, 141 when the reader of standard
output has gone (as if the closed pipe had killed the command, which is what a shell expects of a filter).
Bad input is what the package raises an exception of its own for, or the operating system one of its. Any other is a
bug: it is shown with its traceback, which finds it, and the exit code is 1.
What is said to people is made printable here.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO, NoReturn

from .checks import shortened
from .errors import ArgumentError
from .escapes import printable, printable_lines
from .saving.atomic import same_file

BUG = 1
BAD_INPUT = 2
KILLED_BY = 128  # plus the number of the signal: the shells' convention
INTERRUPTED = 130  # 128 + SIGINT
READER_GONE = 141  # 128 + SIGPIPE


HIDDEN = argparse.SUPPRESS  # for an argument that --help does not list
CSV_FORMAT = ("label", "header", "delimiter")  # options of ``load_csv`` that ``Parser.add_csv_format`` offers
AsItStands = argparse.RawDescriptionHelpFormatter  # keeps line breaks of descriptions


def spelled(command: str) -> str:
    """What a user types for a command of scratchnn, in the way in which this one was called; "" for all of them.

    That is ``python -m scratchnn.train``, ``python -m scratchnn train``, ``scratchnn train`` or ``scratchnn-train``.
    """
    path = sys.argv[0] if sys.argv else ""
    folder, file = os.path.split(path)
    file = file[:-4] if file.endswith(".exe") else file
    if file == "scratchnn":
        return f"scratchnn {command}".rstrip()
    if file.startswith("scratchnn-"):
        return f"scratchnn-{command}".rstrip("-")
    if file == "__main__.py" and os.path.basename(folder) == "scratchnn":
        return f"python -m scratchnn {command}".rstrip()
    return f"python -m scratchnn.{command}".rstrip(".")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        self.exit(BAD_INPUT, f"error: {printable(' '.join(message.split()))} (see --help)\n")

    def add_version(self) -> None:
        """Offer ``--version``."""
        from . import __version__

        self.add_argument("--version", action="version", version=f"scratchnn {__version__}")

    def add_csv_format(self, label_rule: str = "") -> None:
        """Offer ``CSV_FORMAT``, what a reader of CSV files may have to be told; ``label_rule``: what it does untold."""
        group = self.add_argument_group("format of the CSV files", "found out from the file unless given")
        header = group.add_mutually_exclusive_group()
        header.add_argument("--header", action="store_true", default=None, help="the first line holds names")
        header.add_argument("--no-header", dest="header", action="store_false", help="it holds data")
        group.add_argument(
            "--label",
            metavar="COLUMN",
            type=column,
            help="the label's column: its name, or its position from 0 (-1 is the last)"
            + (f"; default: {label_rule}" if label_rule else ""),
        )
        group.add_argument(
            "--delimiter",
            metavar="CHARACTER",
            type=delimiter,
            help="what stands between two fields, such as , or ; or tab or space",
        )


def csv_format(options: argparse.Namespace) -> dict[str, Any]:
    """What ``Parser.add_csv_format`` was told, as ``load_csv`` takes it."""
    return {name: getattr(options, name) for name in CSV_FORMAT}


def run(command: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None) -> int:
    """The command's exit code, or the one that fits what stopped it."""
    try:
        _never_fail_to_encode(sys.stdout)
        code = _leave_by_return(command, arguments)
        flush()
        return code
    except KeyboardInterrupt:
        tell_interruption("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return READER_GONE
    except MemoryError:
        complain("error: not enough memory for this much data")
    except Exception as error:
        if not _is_on_purpose(error):
            _report(error)
            return BUG
        complain(f"error: {describe(error)}")
    return BAD_INPUT


def _is_on_purpose(error: Exception) -> bool:
    """Whether an exception is of a class that scratchnn has made for bad input, or tells of the system's refusal."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] == __package__


def _report(error: Exception) -> None:
    """Show where a bug is."""
    import traceback

    for line in "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines():
        complain(line)
    complain("this is a bug in scratchnn: please report it, with the lines above and the command that led here")


def _leave_by_return(command: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None) -> int:
    """The exit code, also where argparse leaves by SystemExit: --help, --version and errors it has shown."""
    try:
        return command(arguments)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0


def standard_input() -> BinaryIO:
    """Standard input, for reading bytes; ``OSError`` if it is closed."""
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer


def flush() -> None:
    """Send on what is buffered for standard output; if that fails, it is dropped so as not to fail again at exit."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
        raise


def describe(error: Exception) -> str:
    """The error's message in one line; an operating system's error names its file first."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())


def say(text: str) -> None:
    """Print lines for people to standard output. A reader that has gone is no reason not to go on."""
    try:
        print(printable_lines(text), flush=True)
    except BrokenPipeError:
        discard_output()


def show(lines: Iterable[str]) -> None:
    """Print lines that are fit for a terminal as they are, with colours that were meant; see ``say``."""
    try:
        for line in lines:
            print(line)
        flush()
    except BrokenPipeError:
        discard_output()


def few(names: Sequence[Any]) -> str:
    """Names in one line for people: of many the first ones and the last, of a long one its beginning."""
    names = names if len(names) <= 12 else [*names[:10], "...", names[-1]]
    return " ".join([shortened(printable(str(name)), 40) for name in names])


def width_of(stream: Any) -> int:
    """How wide text for people may be: 80 columns, or those of a narrower terminal."""
    if stream is None or not stream.isatty():
        return 80
    import shutil

    return min(shutil.get_terminal_size().columns, 80)


def complain(text: str) -> None:
    """Write a line to standard error, if anybody listens there."""
    try:
        sys.stderr.write(f"{printable(text)}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def tell_interruption(text: str) -> None:
    """Say what Ctrl-C has stopped; on a terminal below the ^C that stands there, not behind it."""
    try:
        if sys.stderr.isatty():
            complain("")
    except (AttributeError, ValueError):  # there is none, or it is closed
        pass
    complain(text)


def discard_output() -> None:
    """Let what is buffered for a broken standard output, and what follows, go nowhere: Python can exit in peace."""
    if sys.stdout is None:
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # not a real file: nothing is flushed at exit
        pass


def _never_fail_to_encode(stream: Any) -> None:
    """Names that the output's encoding does not have are shown as escapes instead of raising.

    Where the locale says C, Python writes with "surrogateescape", which raises as well.
    """
    if getattr(stream, "errors", None) in ("strict", "surrogateescape") and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


def input_files(path: str | None) -> list[str]:
    """The files that an argument stands for: itself, none for standard input, in a folder those that MNIST comes in."""
    if path is None or path == "-":
        return []
    from .datasets.idx_reader import idx_files

    return idx_files(path) if os.path.isdir(path) else [path]


def spare_inputs(target: str, *inputs: str | None) -> None:
    """Refuse to write where one of the command's own inputs is; ``ValueError`` says which."""
    for path in inputs:
        if path is not None and os.path.exists(path) and same_file(path, target):
            raise ArgumentError(f"{target}: this would overwrite what is read, choose another file to write to")


# How single arguments are read. argparse puts the option's name in front of the message.


def column(text: str) -> str | int:
    """A column's position, if the text is a whole number, or else its name, as UTF-8 wherever this runs."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def delimiter(text: str) -> str:
    """A single character; ``tab``, ``\\t`` and ``space`` are easier to type than the real one."""
    from .datasets.csv_dialect import can_be_delimiter

    character = {"tab": "\t", "\\t": "\t", "space": " "}.get(text, text)
    if not can_be_delimiter(character):
        raise argparse.ArgumentTypeError(f"must be one character or the word tab or space, got {text!r}")
    return character


def whole_number(at_least: int) -> Callable[[str], int]:
    """A reader of whole numbers that are not below a bound."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
        if number < at_least:
            raise argparse.ArgumentTypeError(f"must be at least {at_least}, got {text}")
        return number

    return read


def number(
    *, above: float | None = None, at_least: float | None = None, below: float = math.inf
) -> Callable[[str], float]:
    """A reader of finite numbers within bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
        wanted = [f"above {above:g}"] if above is not None else []
        wanted += [f"at least {at_least:g}"] if at_least is not None else []
        wanted += [f"below {below:g}"] if below < math.inf else ["finite"]
        inside = math.isfinite(value) and value < below
        inside = inside and (above is None or value > above) and (at_least is None or value >= at_least)
        if not inside:
            raise argparse.ArgumentTypeError(f"must be {' and '.join(wanted)}, got {text}")
        return value

    return read
