"""The built wheel under Pyodide, CPython for WebAssembly, as it runs in browsers: the same bytes, the same files.

``in_pyodide.py`` says what is needed, and starts it; ``portable.py`` is the program that both Pythons run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.in_pyodide import Here, There, building, lacking

if lacking():
    pytest.skip(lacking(), allow_module_level=True)

pytestmark = pytest.mark.slow

IN_FLOATS = ("regression, tanh", "tiny, tanh", "linalg")
OF_NUMBERS = ("regression", "regression, tanh", "tiny")  # which have no classes

Runs = Callable[..., Any]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it would be published."""
    return Path(building().built_wheel(tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def here(wheel: Path) -> Runs:
    """What the program prints in this Python."""
    return Here(wheel)


@pytest.fixture(scope="module")
def there(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """What it prints in Pyodide."""
    pyodide = There(wheel, tmp_path_factory.getbasetemp())
    yield pyodide
    pyodide.close()


def test_networks_learn_the_same_bytes(here: Runs, there: Runs) -> None:
    """Weights, losses and saved files, with every kind of layer and optimizer. Where floats stay floats behind a tanh
    or an exponential, whose last bit each C library rounds in its own way, they are the same numbers to 1e-9."""
    found, expected = there("train"), here("train")
    for name in IN_FLOATS:
        assert close(found.pop(name)["numbers"], expected.pop(name)["numbers"], 1e-9), name
    assert len(found) == 7
    assert found == expected


def close(first: Any, second: Any, tolerance: float = 1e-12) -> bool:
    """Whether two probabilities, values, or lists of them are the same but for the last bits, which are the system's
    own: its C library's exponential, and Python's way of adding up floats."""
    if isinstance(first, list):
        return len(first) == len(second) and all(close(*pair, tolerance) for pair in zip(first, second))
    return math.isclose(first, second, rel_tol=tolerance, abs_tol=1e-3 * tolerance)


@pytest.mark.parametrize("saved", ["here", "there"])
def test_a_model_saved_in_one_is_the_same_in_the_other(saved: str, here: Runs, there: Runs, tmp_path: Path) -> None:
    one, other = (here, there) if saved == "here" else (there, here)
    before, after = one("save", tmp_path), other("load", tmp_path)
    assert before["files"] == after["files"] == [f"{number}.pkl" for number in range(10)]
    assert before["found"].keys() == after["found"].keys()
    for name, (outputs, answers) in before["found"].items():
        if name not in OF_NUMBERS:
            assert after["found"][name][1] == answers
        assert close(after["found"][name][0], outputs), name


@pytest.mark.parametrize("begun", ["here", "there"])
def test_a_run_that_is_stopped_in_one_goes_on_in_the_other(begun: str, here: Runs, there: Runs, tmp_path: Path) -> None:
    one, other = (here, there) if begun == "here" else (there, here)
    stopped = one("begin", tmp_path)
    assert "after epoch 2, batch 5" in stopped["stopped"]
    assert stopped["files"] == ["run.ckpt"]
    assert other("resume", tmp_path) == here("whole")


def test_one_that_is_resumed_where_it_was_stopped_ends_as_a_whole_one(there: Runs, tmp_path: Path) -> None:
    there("begin", tmp_path)
    assert there("resume", tmp_path) == there("whole")


def test_searches_find_the_same(here: Runs, there: Runs) -> None:
    assert there("search") == here("search")


def test_commands_say_the_same(here: Runs, there: Runs, tmp_path: Path) -> None:
    found = there("commands", tmp_path)
    assert [code for code, _ in found] == [0, 0, 0]
    names = sorted(os.listdir(tmp_path))
    assert names == ["report.html", "rows.csv", "trained.pkl"]
    model = (tmp_path / "trained.pkl").read_bytes()
    expected = here("commands", tmp_path)
    assert [text for _, text in found] == [text.replace(str(tmp_path), "FOLDER") for _, text in expected]
    assert (tmp_path / "trained.pkl").read_bytes() == model


def test_exported_files_are_the_same(here: Runs, there: Runs, tmp_path: Path) -> None:
    assert there("export", tmp_path) == here("export", tmp_path)


def test_what_there_is_not_is_said_in_a_line(there: Runs, tmp_path: Path) -> None:
    """One process, no threads, no server, no network; and files as anywhere."""
    found = there("limits", tmp_path)
    folder = f"/shared/{tmp_path.name}"
    assert found["alone"] is True
    no_process = "no other process can be started here (Python runs in WebAssembly): train without workers and executor"
    assert found["workers"].startswith(f"WorkerError: {no_process}")
    assert found["executor"].startswith(f"WorkerError: {no_process}")
    assert "the executor failed with RuntimeError: can't start new thread" in found["search"]
    assert found["folder"] == f"ModelFileError: {folder}/missing.pkl: no such file"
    assert found["place"] == f"FileNotFoundError: {folder}/missing/model.pkl: there is no folder {folder}/missing"
    for name, said in {
        "train": f"error: {no_process}",
        "play": "error: these pages need a server and threads",
        "datasets": "error: no mirror delivered",
    }.items():
        code, text = found[name]
        assert code == 2 and text.startswith(said) and text.count("\n") == 1, name
