"""Saves models and checkpoints: files that are written whole or not at all, and read without running any code.

What is saved is a record, plain data (see ``safe_pickle``). Its file is a pickle, as people expect of a
``.pkl``: a dict of a format name, a version, a SHA-256 and the payload, which is the record as a pickle of its own.
Nothing in the package reads a pickle but through this file.
"""

from __future__ import annotations

import os
import sys
from math import isfinite
from struct import iter_unpack, pack

from ..checks import shown_path
from ..errors import ArgumentError, ModelFileError
from . import safe_pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO

# hashlib loads all of OpenSSL: three megabytes and three milliseconds, for a sum that these modules have built in.
try:
    from _sha2 import sha256 as _built_in  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256 as _built_in  # type: ignore[import-not-found, no-redef, unused-ignore]
    except ImportError:
        from hashlib import sha256 as _built_in

__all__ = [
    "begins_like",
    "digest",
    "finite_doubles",
    "load",
    "load_record",
    "load_with_version",
    "pack_matrix",
    "packed_shape",
    "require_plain",
    "save",
    "save_record",
    "sha256",
    "unpack_matrix",
]

FORMAT = "scratchnn model"
VERSION = 4
VERSIONS = (1, 2, 3, 4)  # that can be read
FIRST_MODELS = ("scratchnn model", 1)  # written by the pickle module; their checksum covers the payload alone

MAX_BYTES = 4 << 30  # a file above 4 GiB is not read
CHUNK_BYTES = 1 << 20
HEAD_BYTES = 128  # the format's name stands in these; a file without it, or no pickle, is not read any further


def sha256(data: bytes = b"") -> Any:
    """A SHA-256 to go on with, as ``hashlib.sha256`` gives it: by OpenSSL, five times as fast, where the program has
    loaded that anyway."""
    loaded = getattr(sys.modules.get("_hashlib"), "openssl_sha256", _built_in)
    return loaded(data)


# --- matrices ----------------------------------------------------------------------------------------------


def pack_matrix(rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A matrix as plain data: its shape, and its numbers as little-endian doubles.

    Raises ``ModelFileError`` for numbers that are not finite: nobody could read them again.
    """
    _require_finite(rows)
    doubles = b"".join([pack(f"<{len(row)}d", *row) for row in rows])
    return {"shape": [len(rows), len(rows[0]) if rows else 0], "doubles": doubles}


def unpack_matrix(packed: dict[str, Any]) -> list[list[float]]:
    """The rows of a packed matrix; ``ModelFileError`` if shape and length do not fit, or a number is not finite."""
    _, columns = packed_shape(packed)
    matrix: list[list[float]] = list(map(list, iter_unpack(f"<{columns}d", packed["doubles"])))
    _require_finite(matrix)
    return matrix


def finite_doubles(packed: dict[str, Any]) -> bytes:
    """The numbers of a packed matrix as they are in the file, after the checks of ``unpack_matrix``."""
    packed_shape(packed)
    doubles: bytes = packed["doubles"]
    # In the last byte of each stand its sign and most of its exponent, which for what is not finite has all bits set.
    highest = doubles[7::8]
    if b"\x7f" in highest or b"\xff" in highest:
        unpack_matrix(packed)
    return doubles


def _require_finite(matrix: Sequence[Sequence[float]]) -> None:
    for number, row in enumerate(matrix):
        if not isfinite(sum(row)) and not all(map(isfinite, row)):  # a sum of large numbers may overflow
            shape = f"{len(matrix)}x{len(row)}"
            raise ModelFileError(f"row {number} of a matrix of {shape} has numbers that are not finite")


def packed_shape(packed: Any) -> tuple[int, int]:
    """(rows, columns) of a packed matrix, if it is one and has as many bytes as that takes; or ``ModelFileError``."""
    if type(packed) is not dict or set(packed) != {"shape", "doubles"} or type(packed["doubles"]) is not bytes:
        raise ModelFileError("a matrix is to have a shape and doubles")
    shape = packed["shape"]
    if type(shape) is not list or len(shape) != 2 or not all(type(size) is int and size > 0 for size in shape):
        raise ModelFileError("the shape of a matrix is to be two whole numbers of at least 1")
    rows, columns = shape
    if len(packed["doubles"]) != 8 * rows * columns:
        raise ModelFileError(
            f"a matrix of {rows}x{columns} needs {8 * rows * columns} bytes, got {len(packed['doubles'])}"
        )
    return rows, columns


# --- records -----------------------------------------------------------------------------------------------


def save(path: str | os.PathLike[str], description: dict[str, Any]) -> None:
    """Write a model's description; an old file is replaced only when the new one is complete on disk."""
    save_record(path, FORMAT, VERSION, description)


def load(path: str | os.PathLike[str]) -> Any:
    """The description that ``save`` wrote; ``ModelFileError`` where the file is no whole model of a known version."""
    return load_with_version(path)[1]


def begins_like(path: str | os.PathLike[str], format_name: str) -> bool:
    """Whether a file, if there is one, says at its beginning that it is of this format."""
    try:
        with open(path, "rb") as stream:
            return format_name.encode() in stream.read(HEAD_BYTES)
    except (OSError, ValueError):
        return False


def load_with_version(path: str | os.PathLike[str]) -> tuple[int, Any]:
    """(version, description) of a model's file: of an older version, the description is as that version had it."""
    return _load(path, FORMAT, VERSIONS, MAX_BYTES)


def require_plain(what: str, value: Any) -> None:
    """``ArgumentError`` for what cannot be kept in a file: better at once than when hours of work are to be saved."""
    try:
        safe_pickle.dumps(value)
    except safe_pickle.NotPlainData as error:
        raise ArgumentError(f"{what} cannot be kept in a file: {error}") from None


def save_record(path: str | os.PathLike[str], format_name: str, version: int, record: Any) -> None:
    """Write plain data under a format name and a version, so that ``load_record`` can tell what it reads.

    The name is one of "scratchnn model", "scratchnn ...": by its first word a file is known before it is read.
    The same record gives the same bytes. Raises ``ModelFileError`` for what is no plain data, before anything is
    written, and ``OSError`` if the place cannot be written.
    """
    try:
        payload = safe_pickle.dumps(record)
    except safe_pickle.NotPlainData as error:
        raise ModelFileError(f"{shown_path(path)}: cannot be saved: {error}") from None
    from .atomic import write_atomically  # which whoever reads need not load

    write_atomically(path, _file_of(format_name, version, payload))


def digest(record: Any) -> str:
    """A SHA-256 of plain data: the same for the same data, and for no other."""
    return str(sha256(safe_pickle.dumps(record)).hexdigest())


def load_record(
    path: str | os.PathLike[str], format_name: str, versions: Sequence[int], *, max_bytes: int = MAX_BYTES
) -> Any:
    """The record that ``save_record`` wrote under this name and one of these versions.

    Every byte of the file counts: a single one changed, missing or added is noticed. ``ModelFileError`` says in one
    line what is wrong; a file of more than ``max_bytes`` is not read.
    """
    return _load(path, format_name, versions, max_bytes)[1]


def _load(path: str | os.PathLike[str], format_name: str, versions: Sequence[int], max_bytes: int) -> tuple[int, Any]:
    file = os.fsdecode(path)
    name = shown_path(file)
    try:
        data = _read(file, format_name, max_bytes)
        version, payload = _versioned_payload(data, format_name, versions)
        return version, safe_pickle.loads(payload)
    except safe_pickle.CutShort as error:
        raise ModelFileError(f"{name}: truncated: {error}") from None
    except safe_pickle.NotPlainData as error:
        raise ModelFileError(f"{name}: not a {format_name}, or a damaged one: {error}") from None
    except ModelFileError as error:
        raise ModelFileError(f"{name}: {error}") from None


def _file_of(format_name: str, version: int, payload: bytes) -> bytes:
    """The whole file around a payload. The checksum covers the name and the version as well."""
    checksum = sha256(f"{format_name} {version}\n".encode())
    checksum.update(payload)
    return safe_pickle.dumps(
        {"format": format_name, "version": version, "sha256": checksum.hexdigest(), "payload": payload}
    )


def _versioned_payload(data: bytes, format_name: str, versions: Sequence[int]) -> tuple[int, bytes]:
    """(version, payload) of a file, if it is whole, of this format and of one of these versions."""
    outer = safe_pickle.loads(data)
    if type(outer) is not dict or outer.get("format") != format_name:
        raise ModelFileError(f"not a {format_name}, but {_what_it_is(outer)}")
    version, payload = outer.get("version"), outer.get("payload")
    if type(version) is not int or type(payload) is not bytes:
        raise ModelFileError("damaged: the version or the payload is missing")
    if version not in versions:
        newer = "from a newer scratchnn: " if version > max(versions) else ""
        readable = " and ".join(", ".join(map(str, versions)).rsplit(", ", 1))
        raise ModelFileError(f"{newer}format version {version}, this program reads version {readable}")
    if (format_name, version) == FIRST_MODELS:
        whole = outer.get("sha256") == sha256(payload).hexdigest()
    else:
        whole = _file_of(format_name, version, payload) == data
    if not whole:
        raise ModelFileError("damaged: the checksum does not match")
    return version, payload


def _what_it_is(outer: Any) -> str:
    """For a message: the format that a pickle says it has, if it sounds like one of ours."""
    name = outer.get("format") if type(outer) is dict else None
    ours = type(name) is str and name.startswith("scratchnn ") and len(name) < 40 and name.isprintable()
    return f"a {name}" if ours else "some other pickle"


def _read(file: str, format_name: str, max_bytes: int) -> bytes:
    """The bytes of a file that starts like one of ours."""
    try:
        with open(file, "rb") as stream:
            return _read_all(stream, format_name, max_bytes)
    except FileNotFoundError:
        raise ModelFileError("no such file") from None
    except IsADirectoryError:
        raise ModelFileError(f"a directory, expected a {format_name}") from None
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        raise ModelFileError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _read_all(stream: BinaryIO, format_name: str, max_bytes: int) -> bytes:
    chunks = [stream.read(CHUNK_BYTES)]
    start = safe_pickle.dumps({"format": format_name})[:-2]
    if not chunks[0]:
        raise ModelFileError(f"not a {format_name}: the file is empty")
    if start.startswith(chunks[0]):
        raise ModelFileError(f"truncated: only {len(chunks[0])} bytes are there")
    if not chunks[0].startswith(b"\x80") or b"scratchnn " not in chunks[0][:HEAD_BYTES]:
        raise ModelFileError(f"not a {format_name}")
    size = len(chunks[0])
    while chunks[-1] and size <= max_bytes:
        chunks.append(stream.read(CHUNK_BYTES))
        size += len(chunks[-1])
    if size > max_bytes:
        raise ModelFileError(f"longer than {max_bytes} bytes; pass a larger max_bytes to read it anyway")
    return b"".join(chunks)
