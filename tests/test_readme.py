"""What the README says runs: its snippets and commands, exactly as they stand there, in the folder of the clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^    \$ python (.+)\n((?:    [^$].*\n|\n(?=    [^$]))+)", README, re.MULTILINE)


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_runs_as_it_stands(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # what it saves does not go into the clone
    (tmp_path / "data").symlink_to(ROOT / "data")
    exec(SNIPPETS[number], {})
    shown = capsys.readouterr().out
    for accuracy in re.findall(r"(?:Accuracy|digits): *([\d.]+)$", shown, re.MULTILINE):
        assert 0.9 < float(accuracy) / (100 if "Accuracy" in shown else 1) <= 1.0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell")
def test_the_commands_print_what_stands_below_them(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    assert len(COMMANDS) >= 4
    for command, expected in COMMANDS:
        done = subprocess.run(
            f"'{sys.executable}' {command}",
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
        )
        shown = timeless(done.stdout.decode().replace(f"{ROOT}{os.sep}", ""))
        assert [line for line in timeless(textwrap.dedent(expected)) if line not in {*shown, "..."}] == []


def timeless(text: str) -> list[str]:
    """The lines of an output, without what a clock has a say in."""
    return re.sub(r"[\d,]+ samples/s.*|[\d.]+ seconds", "", text).splitlines()
