"""The header of a safetensors file: what it may say of its tensors, and what it may not.

A file is 8 bytes, the length of the header as a little-endian whole number; the header, a JSON object that has for each
tensor its dtype, its shape and where its numbers begin and end; and the numbers, one tensor right after the other, with
nothing before, between and behind them. Beside the tensors there may be ``__metadata__``, texts by name.

The format is described at https://github.com/huggingface/safetensors (README, "Format"). What that leaves open is
decided as the package ``safetensors`` 0.8.0 does it, so that both accept the same files: a name of a tensor may stand
there twice (the last one counts), a tensor may have parts that nobody knows, may be written as a list of its three
parts, and white space may stand wherever JSON allows it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import shown
from ..errors import ModelFileError
from .plain_json import NotJSON, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LENGTH_BYTES = 8
MOST_HEADER_BYTES = 100_000_000
METADATA = "__metadata__"
PARTS = ("dtype", "shape", "data_offsets")

# Bits of a number of each dtype, in the order in which the package sorts tensors when it writes: the last first.
BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
_LARGEST = (1 << 64) - 1  # sizes and places are unsigned whole numbers of 64 bits


class Info(NamedTuple):
    """What a header says of one tensor: ``start`` and ``end`` are places among the bytes behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Header(NamedTuple):
    """What a header says: tensors in the order of their bytes, texts by name, and how many bytes the tensors take."""

    tensors: dict[str, Info]
    metadata: dict[str, str]
    size: int


# --- reading -------------------------------------------------------------------------------------------------------


def parse_header(header: bytes) -> Header:
    """What a header says, if the package would take it; ``ModelFileError`` says why not."""
    try:
        text = str(header, "utf-8")
    except UnicodeDecodeError:
        raise ModelFileError("damaged: the header is no UTF-8") from None
    try:
        parts = parse(text, _Pairs, _whole, _fraction)
        if re.search(r"\\u[dD][89a-fA-F]", text):
            _refuse_half_characters(parts)
    except NotJSON as error:
        raise ModelFileError(f"damaged: the header is {error}") from None
    if type(parts) is not _Pairs:
        raise ModelFileError("damaged: the header is no JSON object")
    told = [value for name, value in parts if name == METADATA]
    if len(told) > 1:
        raise ModelFileError(f"damaged: {METADATA} stands in the header twice")
    found = {name: _info(name, value) for name, value in parts if name != METADATA}
    tensors = dict(sorted(found.items(), key=lambda item: item[1][2:]))
    return Header(tensors, _metadata(told[0]) if told else {}, _checked_size(tensors))


class _Pairs(list):  # type: ignore[type-arg]
    """An object's names and values: they are told from a list's items, and the same name may stand there twice."""

    __slots__ = ()


def _whole(digits: str) -> Any:
    """The number that these digits say, if it can be a size or a place."""
    if len(digits) <= 20 and digits[0] != "-" and int(digits) <= _LARGEST:
        return int(digits)
    return _fraction(digits)


def _fraction(text: str) -> float:
    """Any other number: no part that counts may be one, but elsewhere one may stand, unless it is too large.

    Which is too large ``serde_json`` finds out by multiplication: as many leading digits as 64 bits hold, as a double,
    times a power of ten.
    """
    number, _, exponent = text.lstrip("-").lower().partition("e")
    digits, _, decimals = number.partition(".")
    significand, used = _leading(0, digits)
    ten = len(digits) - used
    significand, used = _leading(significand, decimals)
    # Of an exponent of more than a dozen digits nobody needs to know more than that it is huge.
    size = int(exponent.lstrip("+-").lstrip("0")[:12] or 0)
    ten += (-size if exponent[:1] == "-" else size) - used
    value = float(significand)
    while ten < -308 and value:
        value, ten = value / 1e308, ten + 308
    if not value or ten < 0:
        return 0.0
    if ten > 308 or value * 10.0**ten == float("inf"):
        raise NotJSON("no JSON that can be read: a number is too large")
    return 0.0


def _leading(significand: int, digits: str) -> tuple[int, int]:
    """(the number with as many digits behind it as 64 bits hold, how many those are)."""
    for used, digit in enumerate(digits):
        longer = significand * 10 + int(digit)
        if longer > _LARGEST:
            return significand, used
        significand = longer
    return significand, len(digits)


def _refuse_half_characters(value: Any) -> None:
    """Refuse texts with an escape such as \\ud800 that is half of a character, wherever they stand."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) in (list, _Pairs, tuple):
            waiting += part
        elif type(part) is str and not part.isascii() and re.search("[\ud800-\udfff]", part):
            raise NotJSON("no JSON that can be read: half of a character is escaped")


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if type(value) is not _Pairs or not all(type(text) is str for _, text in value):
        raise ModelFileError(f"damaged: {METADATA} is to hold texts by name")
    return dict(value)


def _info(name: str, value: Any) -> Info:
    """What is said of a tensor."""
    if type(value) is _Pairs:
        names = [part for part, _ in value]
        for part in PARTS:
            if names.count(part) != 1:
                raise ModelFileError(f"damaged: tensor {shown(name)} is to have one {part}, got {names.count(part)}")
        given = dict(value)
        value = [given[part] for part in PARTS]
    if type(value) is not list or len(value) != len(PARTS):
        raise ModelFileError(f"damaged: tensor {shown(name)} is to have {', '.join(PARTS)}")
    dtype, shape, offsets = value
    if type(dtype) is _Pairs and len(dtype) == 1 and dtype[0][1] is None:
        dtype = dtype[0][0]  # a name with nothing to it, as serde writes some
    if type(dtype) is not str or dtype not in BITS:
        raise ModelFileError(f"damaged: tensor {shown(name)} has an unknown dtype, {shown(dtype)}")
    if type(shape) is not list or {*map(type, shape)} - {int}:
        raise ModelFileError(f"damaged: the shape of tensor {shown(name)} is to be a list of sizes")
    if type(offsets) is not list or len(offsets) != 2 or {*map(type, offsets)} != {int}:
        raise ModelFileError(f"damaged: the data_offsets of tensor {shown(name)} are to be two places")
    return Info(dtype, tuple(shape), *offsets)


def _checked_size(tensors: Mapping[str, Info]) -> int:
    """How many bytes all tensors take, if they lie one right after the other and each has the size that it needs."""
    place = 0
    for name, info in tensors.items():
        if info.start != place or info.end < place:
            raise ModelFileError(
                f"damaged: tensor {shown(name)} is to begin at byte {place}, it lies from {info.start} to {info.end}"
            )
        place = info.end
        needed = _bytes_of(name, info.dtype, info.shape)
        if info.end - info.start != needed:
            raise ModelFileError(
                f"damaged: tensor {shown(name)} of {info.dtype} and shape {shown([*info.shape])} needs {needed} bytes, "
                f"got {info.end - info.start}"
            )
    return place


def _bytes_of(name: str, dtype: str, shape: Sequence[int]) -> int:
    """Of a tensor; no product on the way there may have more than 64 bits, not even one that a 0 makes nothing of."""
    bits = 1
    for size in (*shape, BITS[dtype]):
        bits *= size
        if bits > _LARGEST:
            raise ModelFileError(f"damaged: tensor {shown(name)} is too large, its shape is {shown([*shape])}")
    if bits % 8:
        raise ModelFileError(f"damaged: tensor {shown(name)} does not end with a whole byte")
    return bits // 8


# --- writing -------------------------------------------------------------------------------------------------------


def header_bytes(tensors: Mapping[str, tuple[str, Sequence[int], int]], metadata: Mapping[str, str]) -> bytes:
    """The beginning of a file, with its length before it, for (dtype, shape, bytes) of tensors in their order.

    It is filled up with spaces to a multiple of 8 bytes, so that numbers can be read where they lie.
    """
    parts: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    place = 0
    for name, (dtype, shape, size) in tensors.items():
        parts[name] = {"dtype": dtype, "shape": [*shape], "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text
