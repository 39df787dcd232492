"""Data files as others make them: images and labels in MNIST's format, and streams that arrive piece by piece."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence


def idx(sizes: Sequence[int], values: bytes, kind: int = 8) -> bytes:
    """An IDX file of one byte a value."""
    return bytes([0, 0, kind, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes) + values


class Arriving(io.RawIOBase):
    """A stream whose bytes arrive in given pieces; ``count`` says how many were asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)
        self.given = b""
        self.count = 0

    def read1(self, size: int = -1) -> bytes:
        if not self.given:
            self.given = next(self.pieces, b"")
            self.count += 1
        piece, self.given = self.given[:size], self.given[size:]
        return piece

    read = read1  # type: ignore[assignment]
