"""Models to and from ONNX, the format that runtimes, phones and browsers read.

    from scratchnn.interop.onnx import export_model, load_model, save_model

Files are written and read with the standard library: nothing needs to be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checks import require_known

if TYPE_CHECKING:
    import os

    from ..model import Model

DTYPES = ("float32", "float64")


def export_model(model: Model, *, dtype: str = "float32") -> bytes:
    """A fitted model as the bytes of an ONNX file."""
    from .onnx_writer import onnx_bytes

    require_known("dtype", dtype, DTYPES)
    return onnx_bytes(model, dtype)


def save_model(model: Model, path: str | os.PathLike[str], *, dtype: str = "float32") -> None:
    """Write a fitted model to an ONNX file, whole or not at all; see ``export_model``. ``OSError`` if it cannot be."""
    from ..saving.atomic import write_atomically

    write_atomically(path, export_model(model, dtype=dtype))
