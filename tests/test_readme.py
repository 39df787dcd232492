"""What the README says runs: its snippets, exactly as they stand there, in the folder of the clone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


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
