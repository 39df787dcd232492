"""``python -m scratchnn.export``: a saved model becomes the kind of file that the ending says, or nothing changes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Linear, Model, export
from scratchnn.interop import c_source, javascript, json_text, onnx, python_source, safetensors
from scratchnn.layers.base import Layer
from tests.commands import Runner, refused
from tests.interop.networks import network

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def command(call: Runner) -> Runner:
    return partial(call, export.main)


@pytest.fixture
def saved() -> Model:
    """A model, which stands in model.pkl."""
    model, _ = network("binary")
    model.save("model.pkl")
    return model


def test_the_ending_says_what_is_written(command: Runner, saved: Model) -> None:
    code, out, err = command("model.pkl", "--to", "flowers.py")
    assert (code, err) == (0, "")
    size = Path("flowers.py").stat().st_size
    assert out == (
        f"flowers.py: a Python file that needs nothing else, {size:,} bytes\n"
        "use it: python flowers.py < rows.csv > predictions.csv, or in a program: from flowers import predict\n"
    )
    assert Path("flowers.py").read_bytes() == python_source.export_model(saved)
    safetensors.save_model(saved, "expected")
    written = {
        "JSON": json_text.export_model(saved),
        "js": javascript.export_model(saved),
        "mjs": javascript.export_model(saved),
        "c": c_source.export_model(saved),
        "onnx": onnx.export_model(saved),
        "safetensors": Path("expected").read_bytes(),
    }
    for ending, expected in written.items():
        code, out, err = command("model.pkl", "--to", f"flowers.{ending}")
        assert (code, err) == (0, "")
        assert out.startswith(f"flowers.{ending}: ")
        assert Path(f"flowers.{ending}").read_bytes() == expected


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        ("json.py", "python -I json.py < rows.csv > predictions.csv"),
        ("csv.py", "python -I csv.py < rows.csv > predictions.csv"),
        ("math.py", "python -I math.py < rows.csv > predictions.csv"),
        ("M.PY", "python M.PY < rows.csv > predictions.csv"),
        ("my-model.py", "python my-model.py < rows.csv > predictions.csv"),
        ("2nd.py", "python 2nd.py < rows.csv > predictions.csv"),
        ("two words.py", "python 'two words.py' < rows.csv > predictions.csv"),
        ("class.py", "python class.py < rows.csv > predictions.csv"),
        ("model.v2.py", "python model.v2.py < rows.csv > predictions.csv"),
        (
            "_json_.py",
            "python _json_.py < rows.csv > predictions.csv, or in a program: from _json_ import predict",
        ),
    ],
)
def test_a_module_is_imported_only_by_a_name_of_its_own(file: str, advice: str, command: Runner, saved: Model) -> None:
    code, out, err = command("model.pkl", "--to", file)
    assert (code, err, out.splitlines()[1]) == (0, "", f"use it: {advice}")
    arguments = [sys.executable, *shlex.split(advice[: advice.index(" <")])[1:]]
    result = subprocess.run(arguments, input="1,2,3,4\n", capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{saved.predict([[1.0, 2.0, 3.0, 4.0]])[0]}\n"


@pytest.mark.parametrize("ending", [".onnx", ".safetensors", ".JOBLIB"])
def test_a_file_of_another_project_has_to_become_a_model_first(ending: str, command: Runner) -> None:
    Path(f"net{ending}").write_bytes(b"something else")
    message = refused(command(f"net{ending}", "--to", "m.py"))
    assert message.startswith(f"net{ending}: not a scratchnn model")
    assert message.endswith(": make a model of it first: python -m scratchnn.convert")
    assert "convert" not in refused(command(f"missing{ending}", "--to", "m.py"))


@pytest.mark.parametrize("ending", [*export.KINDS])
def test_every_kind_is_written_whole_and_over_what_was_there(ending: str, command: Runner, saved: Model) -> None:
    file = Path(f"model{ending}")
    file.write_text("what was there", encoding="ascii")
    code, out, err = command("model.pkl", "--to", file)
    assert (code, err) == (0, "")
    first = file.read_bytes()
    assert f"{len(first):,} bytes\n" in out
    assert not re.search(r"\{\w", out)
    assert command("model.pkl", "--to", file)[0] == 0
    assert file.read_bytes() == first
    assert sorted(os.listdir()) == sorted({"model.pkl", file.name})


@pytest.mark.parametrize("ending", [*export.KINDS])
def test_help_lists_every_kind(ending: str, command: Runner) -> None:
    code, out, err = command("--help")
    assert (code, err) == (0, "")
    assert f"\n  {ending} " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.pkl"], "the following arguments are required: --to (see --help)"),
        (["missing.pkl", "--to", "a.py"], "missing.pkl: no such file"),
        (["model.pkl", "--to", "a.exe"], "--to a.exe: the ending '.exe' says no kind of file that is known: .py, "),
        (["model.pkl", "--to", "a"], "--to a: a name without an ending says no kind of file that is known: .py, "),
        (["model.pkl", "--to", ".py"], "--to .py: a name without an ending says no kind"),
        (["model.pkl", "--to", "folder/a.py"], "folder/a.py: there is no folder folder"),
        (["no model.py", "--to", "a.py"], "no model.py: "),
        (["link.py", "--to", "./link.py"], "./link.py: this would overwrite what is read"),
        (["link.py", "--to", "model.py"], "model.py: this would overwrite what is read"),
        (["model.py", "--to", "link.py"], "link.py: this would overwrite what is read"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    arguments: list[str], message: str, command: Runner, saved: Model
) -> None:
    Path("no model.py").write_text("print('no model')\n", encoding="ascii")
    os.rename("model.pkl", "model.py")
    os.link("model.py", "link.py")
    os.link("model.py", "model.pkl")
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    assert refused(command(*arguments)).startswith(message)
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before


def test_a_model_without_data_is_refused(command: Runner) -> None:
    Model(2, 3, 2).save("model.pkl")
    for ending in export.KINDS:
        assert "has not been fitted yet" in refused(command("model.pkl", "--to", f"model{ending}"))
        assert os.listdir() == ["model.pkl"]


class Mine(Layer):
    """A layer of one's own."""

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return gradient


def test_a_model_with_layers_of_one_s_own_is_refused(command: Runner) -> None:
    model = Model.from_layers([Mine(), Linear(2, 2)], engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)
    model.save("model.pkl")
    assert "unknown layer 'Mine'" in refused(command("model.pkl", "--to", "model.py"))
    assert os.listdir() == ["model.pkl"]


def test_names_of_files_are_shown_in_printable_characters(command: Runner, saved: Model) -> None:
    code, out, _ = command("model.pkl", "--to", "a\x1b[2J{0}.py")
    assert code == 0
    assert out.startswith("a\\x1b[2J{0}.py: a Python file")


def test_a_full_place_is_a_line_and_leaves_what_was_there(
    command: Runner, saved: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("model.json").write_text("before", encoding="ascii")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refused(command("model.pkl", "--to", "model.json")) == (
        "model.json: cannot be written: No space left on device"
    )
    assert Path("model.json").read_text(encoding="ascii") == "before"
    assert sorted(os.listdir()) == ["model.json", "model.pkl"]


def test_ctrl_c_leaves_what_was_there(command: Runner, saved: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("model.py").write_text("before", encoding="ascii")

    def interrupt(descriptor: int) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "fsync", interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert command("model.pkl", "--to", "model.py") == (130, "", "interrupted\n")
    finally:
        signal.signal(signal.SIGINT, before)
    assert Path("model.py").read_text(encoding="ascii") == "before"
    assert sorted(os.listdir()) == ["model.pkl", "model.py"]


def test_it_is_a_module_and_a_command_and_loads_one_writer_alone(saved: Model) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for start in (["-m", "scratchnn.export"], ["-m", "scratchnn", "export"]):
        command = [sys.executable, *start, "model.pkl", "--to", "model.py"]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert result.stdout.startswith("model.py: a Python file")
    code = (
        "import sys; from scratchnn.export import main; main(['model.pkl', '--to', 'model.py'])\n"
        "print(*[name for name in sys.modules if name.startswith('scratchnn.interop.')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert set(result.stdout.splitlines()[-1].split()) == {
        "scratchnn.interop.description",
        "scratchnn.interop.python_source",
    }
