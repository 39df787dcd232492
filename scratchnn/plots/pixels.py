"""Images inside a figure: PNG files written by hand, not compressed, so that the same pixels are always the same bytes.

(What ``zlib`` makes of them differs from one of its versions to the next.) The format is that of the PNG specification,
third edition, sections 5 and 11; deflate's stored blocks are those of RFC 1951, section 3.2.4.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from struct import pack
from zlib import adler32, crc32

GREY, COLOUR, PALETTE = 0, 2, 3  # the kinds of PNG
STEPS = 31  # of each of the two colours of numbers above and below 0
POSITIVE, NEGATIVE = (38, 116, 219), (205, 92, 22)  # blue, orange: seen on light paper and on dark
_BLOCK = 65535


def grey_image(rows: Sequence[Sequence[float]], *, ink: bool) -> str:
    """A data URI of an image whose numbers go from 0 to 1; ``ink`` says that 1 is black."""
    lines = [bytes(_level(1.0 - value if ink else value) for value in row) for row in rows]
    return _uri(_png(GREY, len(rows[0]), lines))


def colour_image(channels: Sequence[Sequence[Sequence[float]]]) -> str:
    """A data URI of an image of three channels (red, green, blue), each rows of numbers from 0 to 1."""
    height, width = len(channels[0]), len(channels[0][0])
    lines = [
        bytes(_level(channel[row][column]) for column in range(width) for channel in channels) for row in range(height)
    ]
    return _uri(_png(COLOUR, width, lines))


def signed_image(rows: Sequence[Sequence[float]]) -> str:
    """A data URI of an image whose numbers go from -1 (orange) over 0 (nothing: the paper is seen) to 1 (blue)."""
    lines = [bytes(STEPS + round(STEPS * min(max(value, -1.0), 1.0)) for value in row) for row in rows]
    signed = range(-STEPS, STEPS + 1)
    colours = b"".join(bytes(NEGATIVE if step < 0 else POSITIVE) for step in signed)
    opacities = bytes(round(255 * abs(step) / STEPS) for step in signed)
    return _uri(_png(PALETTE, len(rows[0]), lines, [(b"PLTE", colours), (b"tRNS", opacities)]))


def _level(value: float) -> int:
    return round(255 * min(max(value, 0.0), 1.0))


def _png(kind: int, width: int, lines: Sequence[bytes], extra: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    header = pack(">2I5B", width, len(lines), 8, kind, 0, 0, 0)
    data = b"".join(b"\0" + line for line in lines)  # each line begins with its filter: none
    parts = [(b"IHDR", header), *extra, (b"IDAT", _stored(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(content)) + name + content + pack(">I", crc32(name + content)) for name, content in parts
    )


def _stored(data: bytes) -> bytes:
    """A zlib stream that holds the data as they are."""
    blocks = [data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK)] or [b""]
    written = [
        pack("<BHH", number == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks)
    ]
    return b"\x78\x01" + b"".join(written) + pack(">I", adler32(data))


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + b64encode(png).decode("ascii")
