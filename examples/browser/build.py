"""Puts the page together: ``python examples/browser/build.py``, then serve the folder ``dist`` that it fills.

The folder then holds all that the page loads: itself, Python for WebAssembly (Pyodide, five files of the npm package of
that name), and the wheel of scratchnn, built from this clone. It can be copied to any server of plain files. Building
needs npm and pip and a way to where they get things, or the folder of a package that is there already (``--pyodide``),
and a wheel (``--wheel``); the page needs nobody but its own server.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DIST = HERE / "dist"

PYODIDE_VERSION = "314.0.7"  # its Python is 3.14
PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
OWN_FILES = ("index.html", "browser.css", "page.js", "chart.js", "worker.js", "learner.py")
# What this page and those of ``python -m scratchnn.play`` have in common.
SHARED_FILES = ("style.css", "common.js", "drawing.js", "icon.svg")
IN_THE_WHEEL = ("scratchnn", "data", "pyproject.toml", "README.md", "LICENSE")


class Missing(Exception):
    """Something that is needed is not there; what, and what to do about it."""


def main() -> int:
    """Fill the folder and say how to look at the page; 2 if something is missing."""
    parser = argparse.ArgumentParser(description="Put the page that trains in a browser together.")
    parser.add_argument(
        "--pyodide",
        metavar="FOLDER",
        type=Path,
        default=os.environ.get("PYODIDE") or None,
        help="the npm package pyodide, unpacked (default: the environment variable PYODIDE; else npm gets it)",
    )
    parser.add_argument("--wheel", metavar="FILE", type=Path, help="scratchnn's wheel (default: it is built)")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=DIST, help="default: dist, beside this file")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            pyodide = options.pyodide or fetched_pyodide(Path(temporary))
            wheel = options.wheel or built_wheel(Path(temporary))
            collect(Path(pyodide), wheel, options.to)
    except Missing as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in options.to.rglob("*") if path.is_file())
    print(f"{options.to}: {size / 1e6:.1f} MB. To see the page:")
    print(f"    {Path(sys.executable).name} -m http.server --bind 127.0.0.1 --directory {_short(options.to)} 8000")
    print("and open http://127.0.0.1:8000/")
    return 0


def fetched_pyodide(folder: Path) -> Path:
    """The package as npm gets it (and compares with the checksum that npm's registry has)."""
    npm = shutil.which("npm")
    if npm is None:
        raise Missing(
            "npm is not installed: install it, or unpack the npm package pyodide and give its folder --pyodide"
        )
    package = f"pyodide@{PYODIDE_VERSION}"
    _run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), package], folder)
    return folder / "node_modules" / "pyodide"


def built_wheel(folder: Path) -> Path:
    """A wheel of this clone, which nothing is left in."""
    source = folder / "source"
    source.mkdir()
    for name in IN_THE_WHEEL:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    _run([*pip, *_without_network(), str(source)], folder)
    shutil.rmtree(source)
    return next(folder.glob("scratchnn-*.whl"))


def _without_network() -> list[str]:
    """pip gets what builds wheels by itself, unless it is there."""
    try:
        there = int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        there = False
    return ["--no-build-isolation"] * there


def collect(pyodide: Path, wheel: Path, to: Path) -> None:
    """Fill the folder ``to`` from Pyodide's folder, a wheel, and what is in this clone."""
    missing = [name for name in PYODIDE_FILES if not (pyodide / name).is_file()]
    if missing:
        raise Missing(f"{pyodide} is not the npm package pyodide {PYODIDE_VERSION}: it has no {missing[0]}")
    if not wheel.is_file():
        raise Missing(f"{wheel}: there is no such wheel")
    (to / "pyodide").mkdir(parents=True, exist_ok=True)
    for name in PYODIDE_FILES:
        shutil.copyfile(pyodide / name, to / "pyodide" / name)
    for name in OWN_FILES:
        shutil.copyfile(HERE / name, to / name)
    for name in SHARED_FILES:
        shutil.copyfile(ROOT / "scratchnn" / "play" / "pages" / name, to / name)
    shutil.copyfile(wheel, to / "scratchnn.whl")


def _run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip() or result.stdout.strip() or "no word").splitlines()[-1]
        raise Missing(f"{Path(command[0]).name} failed: {last}")


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    raise SystemExit(main())
