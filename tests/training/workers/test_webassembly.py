"""Where Python runs in WebAssembly, as in a browser: no other process, no thread, and no clock of a thread.

A Python like that is imitated here; ``tests/interop/test_pyodide.py`` asks a real one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

BEGIN = """
import sys, time
sys.platform = "emscripten"
del time.thread_time
from scratchnn import Model, WorkerError, load_digits
digits, _ = load_digits()
X, y = digits.X[:300], digits.y[:300]
"""


def run(code: str) -> list[str]:
    """The lines that it prints in an interpreter of its own."""
    command = [sys.executable, "-W", "ignore", "-c", BEGIN + code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.stderr == ""
    return result.stdout.splitlines()


def test_one_process_that_was_asked_for_trains() -> None:
    code = """
models = [Model(64, 20, 10), Model(64, 20, 10)]
models[0].fit(X, y, epochs=1)
models[1].fit(X, y, epochs=1, workers=1)
print(models[0].weights == models[1].weights)
"""
    assert run(code) == ["True"]


def test_more_are_refused_before_anything_is_trained() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
for how in ({"workers": 2}, {"workers": 2, "executor": ThreadPoolExecutor(2)}):
    model = Model(64, 20, 10)
    try:
        model.fit(X, y, epochs=1, **how)
    except WorkerError as error:
        print(error, model.history is None)
"""
    said = "no other process can be started here (Python runs in WebAssembly): train without workers and executor"
    assert [line.startswith(said) for line in run(code)] == [True, True]


def test_the_command_says_so_in_a_line() -> None:
    code = """
from scratchnn.train import main
sys.stderr = sys.stdout
print(main(["--epochs", "1", "--workers", "2", "--quiet"]))
"""
    *_, said, code_of_exit = run(code)
    assert said.startswith("error: no other process can be started here") and code_of_exit == "2"


def test_the_pages_that_a_server_gives_out_are_refused() -> None:
    code = """
from scratchnn.play import main
sys.stderr = sys.stdout
print(main(["--no-browser"]))
"""
    said, code_of_exit = run(code)
    assert said.startswith("error: these pages need a server") and code_of_exit == "2"
