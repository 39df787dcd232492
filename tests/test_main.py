"""``python -m scratchnn`` and its commands, how they call themselves, and what an old Python is told."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from scratchnn import __version__

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


COMMANDS = ("train", "predict", "info", "export", "convert", "datasets", "play")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_package_itself_lists_its_commands(arguments: list[str]) -> None:
    result = run("-m", "scratchnn", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: python -m scratchnn COMMAND ...\n")
    assert tuple(re.findall(r"^  python -m scratchnn (\w+) +\w", result.stdout, re.MULTILINE)) == COMMANDS


def test_the_package_tells_its_version() -> None:
    assert run("-m", "scratchnn", "--version").stdout == f"scratchnn {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_its_version(command: str) -> None:
    for start in (["scratchnn", command], [f"scratchnn.{command}"]):
        result = run("-m", *start, "--version")
        assert (result.returncode, result.stdout) == (0, f"scratchnn {__version__}\n")


def test_a_command_that_there_is_not_is_refused_in_a_line() -> None:
    result = run("-m", "scratchnn", "trian", "--epochs", "3")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: there is no command 'trian': there are train, predict, info, export, convert, datasets, play "
        "(see --help)\n"
    )
    assert run("-m", "scratchnn", "--verbose").returncode == 2


def test_a_command_runs_under_the_package_s_name(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{k % 2},{k % 2},{k}\n" for k in range(20)), encoding="utf-8")
    model = str(tmp_path / "model.pkl")
    result = run("-m", "scratchnn", "train", str(rows), "--epochs", "1", "--save", model)
    assert result.returncode == 0
    assert f"\ntry it: python -m scratchnn predict {model} " in result.stdout
    assert len(run("-m", "scratchnn", "predict", model, str(rows)).stdout.splitlines()) == 20
    assert "classes: 2: 0 1\n" in run("-m", "scratchnn", "info", model).stdout
    assert run("-m", "scratchnn", "train", "missing.csv").returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("/usr/bin/scratchnn-{}", "scratchnn-{}"),
        ("/usr/bin/scratchnn", "scratchnn {}"),
        ("/opt/scratchnn/__main__.py", "python -m scratchnn {}"),
        ("/opt/scratchnn/{}.py", "python -m scratchnn.{}"),
        ("/home/me/experiment.py", "python -m scratchnn.{}"),
        ("", "python -m scratchnn.{}"),
    ],
)
def test_help_names_the_command_as_it_was_called(
    command: str, program: str, called: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [program.format(command)])
    assert import_module(f"scratchnn.{command}").main(["--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: {called.format(command)} [-h] ")


def test_only_the_command_that_is_asked_for_is_loaded() -> None:
    code = "import sys; from scratchnn.__main__ import main; main(['info', '--version']); print(*sys.modules)"
    loaded = run("-c", code).stdout.split()
    assert "scratchnn.info" in loaded
    assert not {"scratchnn.train", "scratchnn.predict", "scratchnn.datasets", "scratchnn.model"} & set(loaded)


def test_every_command_is_a_script_as_well() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f'scratchnn-{name} = "scratchnn.{name}:main"\n' in project
    assert 'scratchnn = "scratchnn.__main__:main"\n' in project


def test_an_old_python_is_told_which_one_is_needed() -> None:
    old = "import runpy, sys; sys.version_info = (3, 8, 18); runpy._run_module_as_main('scratchnn.train')"
    result = run("-c", old)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "scratchnn needs Python 3.9 or newer, this is 3.8" in result.stderr
    with_import = run(
        "-c", "import sys; sys.version_info = (3, 8, 18)\ntry: import scratchnn\nexcept ImportError: pass"
    )
    assert (with_import.returncode, with_import.stderr) == (0, "")


def test_the_file_that_tells_it_can_be_read_by_an_old_python() -> None:
    source = (ROOT / "scratchnn" / "__init__.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    # Python 3.6 knows no `annotations` to be imported from there.
    assert "__future__" not in {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
