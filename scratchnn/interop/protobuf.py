"""Protocol buffers' wire format, as far as ONNX files need it: messages written and read without any schema.

A message is a row of fields. Each begins with a whole number that holds the field's number and how its value is
written: as a whole number of seven bits a byte (a *varint*), as four or eight bytes, or as so many bytes, which are a
text, a message inside this one, or many numbers packed. Source: "Encoding" in the documentation of Protocol Buffers.

Reading believes nothing: no length beyond the bytes that are there, no number of more than 64 bits, and no more fields
than ``MOST_FIELDS`` in a file, since a field of two bytes takes a hundred in memory. Messages inside messages are only
read when somebody asks for them, so depth costs nothing.
"""

from __future__ import annotations

from array import array
from struct import pack
from sys import byteorder
from typing import TYPE_CHECKING

from ..errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Union

    Value = Union[int, memoryview]

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types

MOST_FIELDS = 500_000  # of a file, counting packed whole numbers too: half a second's work

_BITS = 64


# --- writing -----------------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first; a negative one as 64 bits in two's complement."""
    number &= (1 << _BITS) - 1
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def whole_number(field: int, number: int) -> bytes:
    """A field with a whole number."""
    return varint(field << 3 | VARINT) + varint(number)


def data(field: int, value: bytes) -> bytes:
    """A field with bytes, or with a message that has been written already."""
    return varint(field << 3 | BYTES) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """A field with a text; ``UnicodeEncodeError`` for one that is no Unicode (a half of a surrogate pair)."""
    return data(field, value.encode("utf-8"))


def single(field: int, number: float) -> bytes:
    """A field with a number in four bytes."""
    return varint(field << 3 | FOUR_BYTES) + pack("<f", number)


def packed(field: int, numbers: Iterable[int]) -> bytes:
    """A field with many whole numbers."""
    return data(field, b"".join(map(varint, numbers)))


# --- reading -----------------------------------------------------------------------------------------------


class Allowance:
    """How many fields may still be read of a file."""

    def __init__(self, fields: int = MOST_FIELDS) -> None:
        self.fields = fields

    def take(self, fields: int = 1) -> None:
        """``ModelFileError`` if so many are too many."""
        self.fields -= fields
        if self.fields < 0:
            raise ModelFileError(f"more than {MOST_FIELDS:,} fields")


class Message:
    """The fields of one message, by their numbers, each with all of its values in order.

    A field that is there twice where one is expected counts as it is there last, as the format says.
    """

    def __init__(self, content: memoryview, allowance: Allowance) -> None:
        self.allowance = allowance
        self.fields: dict[int, list[tuple[int, Value]]] = {}
        position, end = 0, len(content)
        while position < end:
            allowance.take()
            key, position = _varint_at(content, position)
            field, wire = key >> 3, key & 7
            value: Value
            if wire == VARINT:
                value, position = _varint_at(content, position)
            else:
                size, position = _size_at(content, position, wire)
                if size > end - position:
                    raise ModelFileError(f"truncated: field {field} of {size} bytes, {end - position} are there")
                value = content[position : position + size]
                position += size
            if not 0 < field < 1 << 29:
                raise ModelFileError(f"a field of number {field}")
            self.fields.setdefault(field, []).append((wire, value))

    def has(self, field: int) -> bool:
        """Whether the field is there."""
        return field in self.fields

    def data(self, field: int) -> list[memoryview]:
        """All values of a field of bytes."""
        return [value for value in self._values(field, BYTES) if isinstance(value, memoryview)]

    def messages(self, field: int) -> list[Message]:
        """All values of a field of messages."""
        return [Message(value, self.allowance) for value in self.data(field)]

    def message(self, field: int) -> Message | None:
        """The value of a field that has one message; two of them, which the format would join, are refused."""
        found = self.messages(field)
        if len(found) > 1:
            raise ModelFileError(f"the message of field {field} comes in {len(found)} parts")
        return found[0] if found else None

    def texts(self, field: int) -> list[str]:
        """All values of a field of texts."""
        try:
            return [str(value, "utf-8") for value in self.data(field)]
        except UnicodeDecodeError:
            raise ModelFileError(f"a text in field {field} is not UTF-8") from None

    def text(self, field: int) -> str:
        """The value of a field of one text, "" if it is not there."""
        return (self.texts(field) or [""])[-1]

    def whole_numbers(self, field: int) -> list[int]:
        """All values of a field of whole numbers with a sign, packed or one by one."""
        numbers: list[int] = []
        for wire, value in self.fields.get(field, []):
            if isinstance(value, int):
                numbers.append(_signed(value))
            elif wire == BYTES:
                position = 0
                while position < len(value):
                    self.allowance.take()
                    number, position = _varint_at(value, position)
                    numbers.append(_signed(number))
            else:
                raise _wrong_type(field, wire)
        return numbers

    def whole_number(self, field: int, otherwise: int = 0) -> int:
        """The value of a field of one whole number."""
        values = self._values(field, VARINT)
        return _signed(int(values[-1])) if values else otherwise

    def numbers(self, field: int, code: str) -> array[float]:
        """All values of a field of numbers in four or eight bytes (``code`` "f" or "d"), packed or one by one."""
        numbers: array[float] = array(code)
        single_wire = FOUR_BYTES if code == "f" else EIGHT_BYTES
        for wire, value in self.fields.get(field, []):
            if wire not in (BYTES, single_wire) or isinstance(value, int):
                raise _wrong_type(field, wire)
            numbers += numbers_of(value, code)
        return numbers

    def number(self, field: int) -> float | None:
        """The value of a field of one number in four bytes."""
        numbers = self.numbers(field, "f")
        return numbers[-1] if numbers else None

    def _values(self, field: int, expected: int) -> list[Value]:
        values = self.fields.get(field, [])
        for wire, _ in values:
            if wire != expected:
                raise _wrong_type(field, wire)
        return [value for _, value in values]


def numbers_of(content: memoryview, code: str) -> array[float]:
    """Little-endian numbers of the type ``code`` of the module ``array``."""
    numbers: array[float] = array(code)
    if len(content) % numbers.itemsize:
        raise ModelFileError(f"{len(content)} bytes of numbers that take {numbers.itemsize} bytes each")
    numbers.frombytes(content)
    if byteorder == "big":
        numbers.byteswap()
    return numbers


def _wrong_type(field: int, wire: int) -> ModelFileError:
    return ModelFileError(f"field {field} is of wire type {wire}, expected another")


def _signed(number: int) -> int:
    return number - (1 << _BITS) if number >> (_BITS - 1) else number


def _varint_at(content: memoryview, position: int) -> tuple[int, int]:
    """(the number there, the position behind it)."""
    number = 0
    for place, digit in enumerate(content[position : position + 10]):
        number |= (digit & 0x7F) << (7 * place)
        if digit < 0x80:
            if number >> _BITS:
                break
            return number, position + place + 1
    if len(content) - position < 10 and not number >> _BITS:
        raise ModelFileError("truncated: it ends within a number")
    raise ModelFileError("a whole number of more than 64 bits")


def _size_at(content: memoryview, position: int, wire: int) -> tuple[int, int]:
    """(how many bytes the value takes, where it begins)."""
    if wire == BYTES:
        return _varint_at(content, position)
    if wire in (FOUR_BYTES, EIGHT_BYTES):
        return (4 if wire == FOUR_BYTES else 8), position
    raise ModelFileError(f"a value of wire type {wire}, which there is not")
