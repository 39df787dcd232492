"""What tests of the command lines share: how a command is called, and what it says when it refuses its input."""

from __future__ import annotations

from collections.abc import Callable

Result = tuple[int, str, str]  # exit code, standard output, standard error
Runner = Callable[..., Result]


def refused(result: Result) -> str:
    """The message of a command that refused its input: one line, exit code 2, no traceback."""
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err[len("error: ") : -1]
