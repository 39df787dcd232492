"""Reading IDX files, the format MNIST was published in: a magic number, the sizes, then one byte a pixel.

The layout (http://yann.lecun.com/exdb/mnist/): two zero bytes, one byte for the type of the values (8: unsigned
bytes), one byte for the number of dimensions, each size as a big-endian 32-bit integer, then the values, the last
dimension running fastest. A size is believed only as far as the file can back it. One of the rooms behind
datasets.py.
"""

from __future__ import annotations

import os
from math import prod
from typing import Any

from ..errors import DataError
from ..preprocessing.rows import Row
from .data_file import CHUNK_BYTES, DataFile, Path

_UNSIGNED_BYTES = 0x08
_MOST_DIMENSIONS = 8
_GZIP_BEST_RATIO = 1032  # deflate cannot pack more than 1032 bytes into one


def _sizes(file: DataFile) -> list[int]:
    """The sizes of the dimensions, checked against what the file could hold."""
    magic = file.read(4)
    if len(magic) < 4:
        raise file.problem(f"too short for an IDX file: expected at least 4 bytes, got {len(magic)}")
    if magic[:2] != b"\0\0" or not 1 <= magic[3] <= _MOST_DIMENSIONS:
        raise file.problem(f"not an IDX file: its first four bytes are {magic.hex(' ')}")
    if magic[2] != _UNSIGNED_BYTES:
        raise file.problem(f"holds values of IDX type 0x{magic[2]:02x}; only unsigned bytes (0x08) can be read")
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise file.problem(f"cut short in the header: expected {magic[3]} sizes")
    sizes = [int.from_bytes(header[i : i + 4], "big") for i in range(0, len(header), 4)]
    said = " x ".join(map(str, sizes))
    if not all(0 < size < 1 << 31 for size in sizes):  # they were meant as signed integers: the top bit is the sign
        raise file.problem(f"an impossible size in the header: {said}")
    if prod(sizes) > file.stored_bytes * (_GZIP_BEST_RATIO if file.zipped else 1):
        raise file.problem(f"cut short: the header says {said} bytes, and the file is too short for that")
    return sizes


def _rows(file: DataFile, count: int, size: int, what: str) -> list[Any]:
    """The rest of the file, which has to be ``count`` rows of ``size`` bytes."""
    rows: list[Any] = []
    rows_a_chunk = max(1, CHUNK_BYTES // size)
    while len(rows) < count:
        block = file.read(size * min(rows_a_chunk, count - len(rows)))
        if len(block) < size or len(block) % size:
            raise file.problem(f"cut short: expected {count} {what}, got {len(rows) + len(block) // size}")
        rows.extend(block[i : i + size] for i in range(0, len(block), size))
    if file.read(1):
        raise file.problem("there is more in the file than its header says")
    return rows


def idx_files(folder: str) -> list[str]:
    """The paths of the files in a folder that have names as MNIST's have."""
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(("ubyte", "ubyte.gz"))]


def is_idx(path: Path) -> bool:
    """Whether a file begins as an IDX file of several dimensions does."""
    try:
        with DataFile(path) as file:
            magic = file.read(4)
    except DataError:
        return False
    return magic[:3] == bytes([0, 0, _UNSIGNED_BYTES]) and 2 <= magic[3] <= _MOST_DIMENSIONS


def read_idx_images(path: Path, max_bytes: int | None) -> list[Row]:
    """The images of an IDX file with two dimensions or more: a list with one ``bytes`` row per image.

    Raises ``DataError`` for anything but a whole and well-formed file.
    """
    with DataFile(path, max_bytes) as file:
        sizes = _sizes(file)
        if len(sizes) < 2:
            raise file.problem("expected images, got one number each: is this the file with the labels?")
        return _rows(file, sizes[0], prod(sizes[1:]), "images")


def read_idx_labels(path: Path, max_bytes: int | None) -> list[int]:
    """The labels of an IDX file with one dimension, as ints from 0 to 255.

    Raises ``DataError`` for anything but a whole and well-formed file.
    """
    with DataFile(path, max_bytes) as file:
        sizes = _sizes(file)
        if len(sizes) != 1:
            raise file.problem(f"expected labels, got {len(sizes)} dimensions: is this the file with the images?")
        return list(b"".join(_rows(file, sizes[0], 1, "labels")))
