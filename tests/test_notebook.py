"""In a notebook: progress is one output that changes, objects show themselves, and standard error stays empty.

A stand-in for IPython is what most tests need. Those that execute the notebook among the examples in a real kernel ask
for nbclient and ipykernel, ``python -m pip install -e '.[notebook]'``, and skip without them.
"""

from __future__ import annotations

import ast
import io
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import scratchnn
from scratchnn import Model, grid_search
from scratchnn.notebook import find_place
from scratchnn.progress import ByteProgress, LiveLine, TrainingProgress
from tests.reports.reading import Page

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "examples" / "digits.ipynb"
X = [[k % 7 / 7.0, k % 5 / 5.0] for k in range(64)]
Y = [k % 7 < 3 for k in range(64)]
LABELS = [int(label) for label in Y]


class FrontEnd:
    """Shows what a kernel publishes: one text for each output, as it is now."""

    def __init__(self) -> None:
        self.outputs: dict[str, str] = {}
        self.updates = 0

    def publish(self, data: dict[str, str], metadata: Any = None, *, transient: Any, update: bool = False) -> None:
        name = transient["display_id"]
        assert (name in self.outputs) == update
        self.updates += update
        self.outputs[name] = data["text/plain"]

    @property
    def texts(self) -> list[str]:
        return list(self.outputs.values())


def enter(monkeypatch: pytest.MonkeyPatch, shell: Any) -> None:
    """Make it look as if IPython were loaded and ran this."""
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)


@pytest.fixture
def front_end(monkeypatch: pytest.MonkeyPatch) -> FrontEnd:
    """A notebook that this runs in."""
    found = FrontEnd()
    enter(monkeypatch, SimpleNamespace(kernel=object(), display_pub=found))
    return found


class Clock:
    """A second passes each time that somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


# --- where there is one ------------------------------------------------------------------------------------


def test_without_ipython_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert find_place() is None
    assert "IPython" not in sys.modules


@pytest.mark.parametrize(
    "shell", [None, SimpleNamespace(), SimpleNamespace(display_pub=FrontEnd()), SimpleNamespace(kernel=object())]
)
def test_a_terminal_s_ipython_is_no_notebook(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, shell)
    assert find_place() is None
    assert LiveLine().stream is sys.stderr


def test_something_else_called_ipython_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    assert find_place() is None


# --- progress ----------------------------------------------------------------------------------------------


def test_training_is_one_output_and_nothing_on_standard_error(
    front_end: FrontEnd, capsys: pytest.CaptureFixture[str]
) -> None:
    Model(2, 3, 2).fit(X, LABELS, epochs=3, validation_data=(X, LABELS), verbose=1)
    assert capsys.readouterr() == ("", "")
    (text,) = front_end.texts
    lines = text.splitlines()
    assert [line[:9] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3", "best epoc"]
    assert text.isascii() and "\r" not in text and "\x1b" not in text


def test_every_fit_has_an_output_of_its_own(front_end: FrontEnd) -> None:
    model = Model(2, 3, 2)
    for _ in range(2):
        model.fit(X, LABELS, epochs=1, verbose=1)
    assert len(front_end.outputs) == 2


def test_the_live_line_has_a_bar_and_stands_below_the_lasting_ones(front_end: FrontEnd) -> None:
    line = LiveLine(clock=Clock())
    assert line.live and line.due() and not line.colour
    line.say("first")
    line.draw("epoch 2/3", 0.5, ["loss 0.5"])
    (text,) = front_end.texts
    first, live = text.split("\n")
    assert first == "first" and live.startswith("epoch 2/3 [") and "█░" in live and live.endswith("loss 0.5")
    line.erase()
    assert front_end.texts == ["first"]


def test_text_from_elsewhere_is_made_printable(front_end: FrontEnd) -> None:
    with ByteProgress("\x1b[2Ja\nb", 100) as progress:
        progress.update(50)
        assert front_end.texts[0].startswith("\\x1b[2Ja\\nb ")


def test_lasting_lines_alone_where_a_live_one_is_not_wanted(
    front_end: FrontEnd, capsys: pytest.CaptureFixture[str]
) -> None:
    Model(2, 3, 2).fit(X, LABELS, epochs=2, verbose=2)
    assert capsys.readouterr().err == ""
    assert front_end.updates == 1 and len(front_end.texts[0].splitlines()) == 2


def test_of_very_many_lines_the_last_are_kept(front_end: FrontEnd) -> None:
    line = LiveLine()
    for number in range(1000):
        line.say(f"line {number}")
    lines = front_end.texts[0].splitlines()
    assert len(lines) == 200 and lines[0] == "..." and lines[-1] == "line 999"
    assert lines[1:] == [f"line {number}" for number in range(801, 1000)]


def test_a_long_run_leaves_about_thirty_lines(front_end: FrontEnd) -> None:
    Model(2, [], 2).fit(X[:8], LABELS[:8], epochs=300, batch_size=None, verbose=1)
    assert 25 <= len(front_end.texts[0].splitlines()) <= 35


def test_a_search_shows_its_progress_there(front_end: FrontEnd, capsys: pytest.CaptureFixture[str]) -> None:
    grid_search(X, LABELS, {"hidden_size": [2, 3]}, folds=2, fit={"epochs": 1}, progress=True)
    assert capsys.readouterr().err == "" and len(front_end.outputs) == 1


def test_a_stream_that_was_asked_for_is_written_to(front_end: FrontEnd) -> None:
    stream = io.StringIO()
    Model(2, 3, 2).fit(X, LABELS, epochs=1, callbacks=[TrainingProgress(stream)])
    assert stream.getvalue().startswith("epoch 1/1") and not front_end.outputs


def test_a_front_end_that_fails_does_not_stop_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FrontEnd):
        def publish(self, *data: Any, **how: Any) -> None:
            raise RuntimeError("the socket is closed")

    enter(monkeypatch, SimpleNamespace(kernel=object(), display_pub=Broken()))
    assert len(Model(2, 3, 2).fit(X, LABELS, epochs=2, verbose=1)) == 2


def test_what_is_learned_does_not_depend_on_who_looks_on(front_end: FrontEnd) -> None:
    quiet, shown = Model(2, 3, 2), Model(2, 3, 2)
    quiet.fit(X, LABELS, epochs=2)
    shown.fit(X, LABELS, epochs=2, verbose=1)
    assert quiet.weights == shown.weights


# --- the notebook among the examples -----------------------------------------------------------------------


def cells(kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook_is_stored_without_outputs() -> None:
    names = [cell["id"] for cell in cells("code") + cells("markdown")]
    assert len(set(names)) == len(names)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells("code"))
    assert NOTEBOOK.stat().st_size < 10_000


def test_its_cells_run_one_after_the_other(
    front_end: FrontEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a kernel does it: the last expression of a cell is what the cell shows."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    for cell in cells("code"):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell["id"], "exec"), names)
        if isinstance(last, ast.Expr):
            shown[cell["id"]] = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)
    captured = capsys.readouterr()
    assert captured.err == "" and float(captured.out.partition("%")[0]) > 90.0
    assert [text.splitlines()[0][:6] for text in front_end.texts if text] == ["epoch "]
    for name in ("data", "model", "fit", "search", "gradients"):
        Page(shown[name]._repr_html_())
    for name in ("score", "wrong", "weights"):
        assert shown[name]._repr_svg_().startswith("<svg")
    assert Path("digits.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the libraries that talk to the kernel
def test_a_real_kernel_executes_it_with_nothing_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "needs nbclient and ipykernel: python -m pip install -e '.[notebook]'"
    nbformat = pytest.importorskip("nbformat", reason=reason)
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    folders = [str(Path(scratchnn.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))
    for variable in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    streams = [output for found in outputs.values() for output in found if output.output_type == "stream"]
    assert [output.name for output in streams] == ["stdout"]
    # Progress is one output, with its last text; what the cell returns is another.
    progress, result = outputs["fit"]
    assert progress.output_type == "display_data" and result.output_type == "execute_result"
    assert progress.data["text/plain"].splitlines()[-2].startswith("epoch 6/6")
    assert "<svg" in result.data["text/html"]
    for name in ("data", "model", "search", "gradients"):
        assert "<table" in outputs[name][-1].data["text/html"]
    for name in ("score", "wrong", "weights"):
        assert outputs[name][-1].data["image/svg+xml"].startswith("<svg")
    assert (tmp_path / "digits.html").exists()
