"""What holds for every file of the wing: it loads nothing foreign before it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "scratchnn" / "interop").glob("*.py"))
# What subclasses classes of what it is named after has to import it at its top: it is only asked for by its name.
NEEDING = {"sklearn": {"sklearn", "numpy"}}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_file_s_top_imports_the_standard_library_and_the_package_alone(path: Path) -> None:
    if sys.version_info < (3, 10):
        pytest.skip("Python 3.9 has no list of its standard library's modules")
    known = {*sys.stdlib_module_names, *NEEDING.get(path.stem, ())}
    nodes = [inner for node in ast.parse(path.read_text(encoding="utf-8")).body for inner in top_level(node)]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    from_others = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert not {name.split(".")[0] for name in plain | from_others} - known


def top_level(node: ast.AST) -> list[ast.AST]:
    """A statement and what is in it, but for what only calls run, and what only type checkers read."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return []
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return []
    return [node, *[inner for child in ast.iter_child_nodes(node) for inner in top_level(child)]]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_file_can_be_imported_where_nothing_else_is_installed(path: Path) -> None:
    if path.stem in NEEDING or path.stem == "__init__":
        pytest.skip("needs what it is named after" if path.stem in NEEDING else "the wing itself")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import scratchnn.interop.{path.stem}"
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_its_files_are_found_by_their_names() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from scratchnn import interop\n"
        "print(interop.onnx.load_model.__name__, interop.safetensors.load_model.__name__, 'sklearn' in dir(interop))\n"
        "print(hasattr(interop, 'onyx'))"
    )
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["load_model", "load_model", "True", "False"]


def test_the_wing_is_empty_until_a_file_of_it_is_asked_for() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import scratchnn.interop\n"
        "print(*sorted(name for name in sys.modules if name.startswith('scratchnn')))"
    )
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["scratchnn", "scratchnn.interop"]
