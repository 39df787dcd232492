"""Runs ``portable.py`` under Pyodide in Node, and here; as a program, compares how long they take:

    PYODIDE=node_modules/pyodide python -m tests.interop.in_pyodide

Pyodide is the npm package of that name, found by the environment variable PYODIDE. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import util
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = HERE / "portable.py"
HOW = "to run it: npm install pyodide@314.0.7, and PYODIDE=node_modules/pyodide in the environment"

NODE = shutil.which("node") or ""
PYODIDE = os.environ.get("PYODIDE", "")


def lacking() -> str:
    """What there is not, and how to get it; "" where all is there."""
    if not (Path(PYODIDE) / "pyodide.mjs").is_file():
        return f"no Pyodide; {HOW}"
    return "" if NODE else f"no node; {HOW}"


def building() -> Any:
    """The script that puts the page for browsers together, as a module."""
    spec = util.spec_from_file_location("build", ROOT / "examples" / "browser" / "build.py")
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Here:
    """This Python, with a wheel as pip would install it."""

    def __init__(self, wheel: Path) -> None:
        self.folder = wheel.parent / "installed"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.folder)

    def __call__(self, what: str, *where: Path) -> Any:
        """What the program prints."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-W", "ignore", str(PROGRAM), what, *map(str, where)]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, cwd=self.folder, encoding="utf-8"
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


class There:
    """A Pyodide, with a wheel; folders that it is handed lie below ``base``. It ends with ``close``."""

    def __init__(self, wheel: Path, base: Path) -> None:
        self.base = base
        command = [NODE, str(HERE / "wheel_in_pyodide.mjs"), PYODIDE, str(wheel), str(base), str(PROGRAM)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", bufsize=1
        )
        self.seconds_to_start = float(self._printed())

    def _printed(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "Pyodide has ended"}
        assert "error" not in answer, answer["error"]
        return str(answer["printed"])

    def __call__(self, what: str, *where: Path) -> Any:
        """What the program prints."""
        assert self._process.stdin is not None
        folders = [f"/shared/{folder.relative_to(self.base).as_posix()}" for folder in where]
        self._process.stdin.write(json.dumps([what, *folders]) + "\n")
        return json.loads(self._printed().splitlines()[-1])

    def close(self) -> None:
        """Nothing is left of it."""
        with self._process:
            pass


def main() -> None:
    """Three turns of each, in turn, and the least of every figure."""
    if lacking():
        raise SystemExit(lacking())
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(building().built_wheel(Path(folder)))
        here, there, turns = Here(wheel), There(wheel, Path(folder)), []
        for _ in range(3):
            turns.append((here("speed"), there("speed")))
        there.close()
        lines = [f"Pyodide was ready after {there.seconds_to_start:.1f} s"]
        for name in turns[0][0]:
            native, portable = (min(turn[k][name] for turn in turns) for k in (0, 1))
            lines.append(f"{name:10} here {native:.3f} s  Pyodide {portable:.3f} s  {portable / native:.2f} times")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
