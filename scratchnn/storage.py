"""Files that survive: saved models that are written whole or not at all, and read without running any code.

A model file is a pickle, because that is what people expect of a ``.pkl``; but what is pickled is only dicts, lists,
strings, numbers and bytes, and the reader refuses everything else. Outer layer: a format name, a version, the payload
and its SHA-256. Payload: the model's description, weights as little-endian doubles. Nothing else in the package
unpickles.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
import sys
from array import array
from typing import Any

from .errors import ModelFileError

FORMAT = "scratchnn model"
VERSION = 1


class _PlainUnpickler(pickle.Unpickler):
    """Reads plain data and refuses every name: a pickle can then call nothing."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}; a model file holds plain data only")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to an object outside the file")


def _load_plain(data: bytes, path: str) -> Any:
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # a damaged pickle can raise almost anything
        raise ModelFileError(f"{path}: not a scratchnn model, or a damaged one: {error}") from None


def pack_matrix(rows: list[list[float]]) -> dict[str, Any]:
    """A matrix as plain data: its shape, and its numbers as little-endian doubles."""
    values = array("d", [v for row in rows for v in row])
    if sys.byteorder == "big":
        values.byteswap()
    return {"shape": [len(rows), len(rows[0]) if rows else 0], "doubles": values.tobytes()}


def unpack_matrix(packed: dict[str, Any]) -> list[list[float]]:
    """The rows of a packed matrix; ``ModelFileError`` if shape and length do not fit."""
    rows, columns = packed["shape"]
    values = array("d")
    if len(packed["doubles"]) != rows * columns * values.itemsize:
        raise ModelFileError(
            f"a matrix of {rows}x{columns} needs {rows * columns * 8} bytes, got {len(packed['doubles'])}"
        )
    values.frombytes(packed["doubles"])
    if sys.byteorder == "big":
        values.byteswap()
    flat = values.tolist()
    return [flat[i * columns : (i + 1) * columns] for i in range(rows)]


def save(path: str | os.PathLike[str], description: dict[str, Any]) -> None:
    """Write a model's description; an old file is replaced only when the new one is complete on disk."""
    payload = pickle.dumps(description, protocol=4)
    _load_plain(payload, os.fspath(path))  # what could not be read again is not written, least of all over what can
    outer = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "payload": payload,
    }
    write_atomically(path, pickle.dumps(outer, protocol=4))


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The description that ``save`` wrote; ``ModelFileError`` where the file is no whole model of a known version."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise ModelFileError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ModelFileError(f"{name}: a directory, expected a saved model") from None
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read: {error.strerror or error}") from None
    outer = _load_plain(data, name)
    if not isinstance(outer, dict) or outer.get("format") != FORMAT:
        raise ModelFileError(f"{name}: not a scratchnn model")
    if outer.get("version") != VERSION:
        raise ModelFileError(f"{name}: format version {outer.get('version')!r}, this program reads version {VERSION}")
    payload = outer.get("payload")
    if not isinstance(payload, bytes) or hashlib.sha256(payload).hexdigest() != outer.get("sha256"):
        raise ModelFileError(f"{name}: damaged: the checksum does not match")
    description: dict[str, Any] = _load_plain(payload, name)
    return description


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise ``OSError`` with a clear message if ``path`` cannot be written, without touching what is there.

    Meant for before a long training run, so that its result is not lost at the end for want of a folder.
    """
    name = os.fspath(path)
    folder = os.path.dirname(os.path.realpath(name))
    if os.path.isdir(name) or not os.path.basename(name):
        raise IsADirectoryError(f"{name or repr(name)}: a directory, expected a file to save to")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{name}: there is no folder {os.path.dirname(name) or folder}")
    _refuse_read_only(name)
    if _is_device(name):
        return
    # Permission bits do not tell the whole truth (read-only file systems): try, where the file would be written.
    trial = _beside(name)
    try:
        with open(trial, "xb"):
            pass
        os.unlink(trial)
    except OSError as error:
        raise OSError(f"{name}: cannot be written: {error.strerror or error}") from None


def _beside(name: str) -> str:
    """A file name in the folder of what ``name`` (symbolic links followed) stands for, used while writing."""
    target = os.path.realpath(name)
    return os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}.part")


def _refuse_read_only(name: str) -> None:
    """A file can be replaced although it is read-only; whoever made it so did not want that."""
    if os.path.exists(name) and not os.access(name, os.W_OK):
        raise PermissionError(f"{name}: cannot be written: the file is read-only")


def _is_device(name: str) -> bool:
    """Whether there is something that is no file, such as /dev/null or a pipe: it is written to, never replaced."""
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` beside ``path``, make sure that it is on disk, then put it in place in one step.

    A file that is replaced hands on its permissions. Raises ``OSError`` naming ``path``, and leaves nothing behind.
    """
    name = os.fspath(path)
    _refuse_read_only(name)
    if _is_device(name):
        with open(name, "wb") as device:
            device.write(data)
        return
    part = _beside(name)
    try:
        with open(part, "wb") as file:
            if os.path.isfile(name):
                os.chmod(part, stat.S_IMODE(os.stat(name).st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, os.path.realpath(name))
    except OSError as error:
        raise type(error)(error.errno, f"cannot be written: {error.strerror or error}", name) from None
    finally:
        if os.path.exists(part):
            os.unlink(part)
