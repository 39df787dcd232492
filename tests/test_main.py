"""``python -m scratchnn``, which lists the commands, and what an old Python is told."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--help"], 0), (["train"], 2)])
def test_the_package_itself_lists_its_commands(arguments: list[str], code: int) -> None:
    result = run("-m", "scratchnn", *arguments)
    assert (result.returncode, result.stderr) == (code, "")
    first, *commands = result.stdout.splitlines()
    assert "--help" in first
    names = [line.split()[2] for line in commands]
    assert names == ["scratchnn.train", "scratchnn.predict", "scratchnn.datasets"]
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in names)


def test_every_command_is_a_script_as_well() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("train", "predict", "datasets"):
        assert f'scratchnn-{name} = "scratchnn.{name}:main"\n' in project


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
