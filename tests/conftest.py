"""What every test file may use: the oracles, or a clear skip where one is not installed, and the outside data.

Relies on pytest and hypothesis, which every run needs; NumPy, mpmath and scikit-learn are only asked for when a
test wants them, so that the rest of the suite runs on an interpreter that has none of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from scratchnn.engines import short_rows
from tests.browsers import chromium  # noqa: F401  (a fixture)
from tests.commands import Result, Runner

# Threads of array libraries cost far more than they bring with matrices as small as those here.
# A library reads this when it is imported, which no conftest does.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Tests are fast because their networks are small, and are to hold for lanes all the same: none is too small here. What
# becomes of tiny networks elsewhere is tested in engines/test_short_rows.py.
MOST_WEIGHTS = short_rows.MOST_WEIGHTS
short_rows.MOST_WEIGHTS = 0

# The same examples on every machine, and no time limit on one example: nothing here depends on the clock.
settings.register_profile("repeatable", max_examples=25, derandomize=True, deadline=None, database=None)
# Eight times as many, for those who change what they look at; TEST_PROFILE=thorough takes a while.
settings.register_profile("thorough", settings.get_profile("repeatable"), max_examples=200)
settings.load_profile(os.environ.get("TEST_PROFILE", "repeatable"))


MOST_PROCESSES = 8  # each imports all tests anew; more of them would not end sooner


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in several processes, where pytest-xdist is installed and nothing is said about it.

    In one process, as with ``-n 0``, stay files or tests that are named or chosen by ``-k``, a debugger, and output
    that is to be seen at once (``-s``).
    """
    option = config.option
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (option.keyword or option.collectonly)
    alone = option.usepdb or option.trace or option.capture == "no"
    if whole and not alone and option.numprocesses is None and option.dist == "no" and not option.tx:
        processes = min(processors(), MOST_PROCESSES)
        if processes > 1:
            option.numprocesses, option.dist = processes, "worksteal"  # fixtures of a module are made once, mostly


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture(scope="session")
def np() -> ModuleType:
    """NumPy, or skip."""
    return pytest.importorskip("numpy")


@pytest.fixture(scope="session")
def mpmath() -> ModuleType:
    """mpmath, set to 40 decimal digits, or skip."""
    module = pytest.importorskip("mpmath")
    module.mp.dps = 40
    return module


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder that holds mnist/ and mini-mnist/, or skip."""
    folder = os.environ.get("SCRATCHNN_SHARED")
    if not folder:
        pytest.skip("the environment variable SCRATCHNN_SHARED does not name the data folder")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"SCRATCHNN_SHARED names {folder}, which is not a folder")
    return path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Runs a command's ``main`` in this process: exit code, standard output, standard error."""

    def run(main: Callable[[list[str]], int], *arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that runs in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def usual_interrupts() -> Iterator[None]:
    """Ctrl-C as in a terminal, also where the tests run in the background; a test must leave it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)
