"""Files are taken and refused as the package ``safetensors`` does it, whatever stands in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scratchnn.errors import ModelFileError
from scratchnn.interop.safetensors import Contents, load_file
from tests.interop.safetensors_mutations import mutated

safetensors: Any = pytest.importorskip(
    "safetensors", reason="safetensors, which this is compared with, is not installed"
)


def theirs(path: Path) -> tuple[dict[str, tuple[str, list[int], bytes]], dict[str, str]] | None:
    """(tensors, metadata) as the package reads a file, None if it refuses it."""
    data = path.read_bytes()
    try:
        found = safetensors.deserialize(data)
    except safetensors.SafetensorError:
        found = None
    try:
        with safetensors.safe_open(path, "numpy") as file:
            told, names = file.metadata(), {*file.keys()}
    except safetensors.SafetensorError:
        assert found is None  # its two readers agree
        return None
    assert found is not None and {name for name, _ in found} == names
    return {name: (info["dtype"], info["shape"], bytes(info["data"])) for name, info in found}, told or {}


def ours(path: Path) -> Contents | None:
    try:
        return load_file(path)
    except ModelFileError as error:
        fine = str(error).isprintable() and len(str(error)) < 400
    assert fine
    return None


def compare(seeds: range, path: Path) -> tuple[int, int]:
    """(how many were taken, how many refused)."""
    taken = 0
    for seed in seeds:
        path.write_bytes(mutated(seed))
        they, we = theirs(path), ours(path)
        assert (they is None) == (we is None), f"mutation {seed}: {path.read_bytes()!r}"
        if they is not None and we is not None:
            tensors, metadata = they
            assert {n: (t.dtype, [*t.shape], bytes(t.data)) for n, t in we.tensors.items()} == tensors, seed
            assert we.metadata == metadata, seed
            taken += 1
    return taken, len(seeds) - taken


def test_mutated_files_are_taken_and_refused_as_the_package_does_it(tmp_path: Path) -> None:
    taken, refused = compare(range(600), tmp_path / "mutated.safetensors")
    assert min(taken, refused) > 150


@pytest.mark.slow
def test_ten_thousand_mutated_files_are_taken_and_refused_as_the_package_does_it(tmp_path: Path) -> None:
    taken, refused = compare(range(10_000), tmp_path / "mutated.safetensors")
    assert min(taken, refused) > 2500
