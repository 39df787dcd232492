"""What all command lines share: bad input is a line and exit code 2, and a bug is shown for what it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import scratchnn
from scratchnn import ArgumentError, DataError, ModelFileError, NotFittedError, TrainingDiverged, cli
from scratchnn.__main__ import main
from scratchnn.datasets import download
from scratchnn.engines.lanes import matrix
from scratchnn.saving import safe_pickle
from tests.adversarial import ordeals


def failing(error: BaseException) -> Callable[[object], int]:
    def command(arguments: object) -> int:
        raise error

    return command


@pytest.mark.parametrize(
    "error",
    [
        *(
            kind("what is wrong")
            for kind in (ArgumentError, DataError, ModelFileError, NotFittedError, TrainingDiverged)
        ),
        download.DownloadError("what is wrong"),
        matrix.LaneOverflowError("what is wrong"),
        safe_pickle.NotPlainData("what is wrong"),
        OSError("what is wrong"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_bad_input_is_one_line_and_exit_code_2(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(failing(error), None) == 2
    assert capsys.readouterr() == ("", "error: what is wrong\n")


@pytest.mark.parametrize(
    "error",
    [ValueError("odd"), OverflowError("odd"), ZeroDivisionError("odd"), KeyError("odd"), AssertionError("odd")],
    ids=lambda error: type(error).__name__,
)
def test_a_bug_is_shown_with_its_traceback_and_exit_code_1(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(failing(error), None) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0] == "Traceback (most recent call last):"
    assert any(line.startswith("    raise error") for line in lines)
    assert lines[-2].startswith(type(error).__name__ + ": ")
    assert lines[-1].startswith("this is a bug in scratchnn: please report it")


def test_what_a_bug_says_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(failing(ValueError("a\x1b[2Jb")), None) == 1
    assert "\x1b" not in capsys.readouterr().err


# Where a bare ValueError is right: checks of the package's own work, and of what is read from a file, where the caller
# makes a ModelFileError of it. Wherever else a caller's argument is wrong, it is an ArgumentError or a DataError.
OWN_WORK = {
    *("linalg", "lists", "arrays", "engine", "layout", "matrix", "losses", "shuffle"),
    *("sliding_window.require_inputs", "sliding_window.require_outputs", "sliding_window.require_weight"),
    "sliding_window.require_choices",
    *("sliding_window.require_convolution", "sliding_window.filters_of"),
    *("checks.require", "scaling.from_dict", "model_format.network_of", "checkpointing._restore", "info._count"),
    *("optim.restore", "checkpoint.unpack", "checkpoint.unpack_order", "checkpoint.require_together"),
}


def bare_errors(path: Path) -> Iterator[str]:
    """The functions of a file that raise a ValueError which is none of the package's own."""
    functions = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef))
    for function in functions:
        for node in ast.walk(function):
            raised = node.exc if isinstance(node, ast.Raise) else None
            raised = raised.func if isinstance(raised, ast.Call) else raised
            if isinstance(raised, ast.Name) and raised.id == "ValueError":
                yield f"{path.stem}.{function.name}"


def test_arguments_that_make_no_sense_are_told_from_bugs() -> None:
    files = sorted(Path(scratchnn.__file__).parent.rglob("*.py"))
    found = {name for path in files if path.stem not in OWN_WORK for name in bare_errors(path)}
    assert found <= OWN_WORK, (
        "for a caller's mistake raise ArgumentError or DataError; what checks own work is named above"
    )
    assert set(bare_errors(Path(scratchnn.__file__).parent / "losses.py"))  # the search does find some


@pytest.mark.parametrize("command", ordeals.ODD_OPTIONS)
def test_every_option_is_tried_with_odd_values(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``ordeals.odd_commands`` gives the options that ``--help`` lists all sorts of values."""
    assert main([command, "--help"]) == 0
    listed = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) - {"--help", "--version"}
    assert listed == {*ordeals.ODD_OPTIONS[command], *(["--epochs"] if command == "train" else [])}
