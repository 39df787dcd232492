"""Reading a line of pixels, whole numbers from 0 to 255 as text, into bytes: all numbers of the line at once.

A loop over the numbers of MNIST as CSV would run 55 million times. Here every step is one call that treats the whole
line, in C, so that nothing is done number by number in Python. How the line 7,0,183 becomes the bytes 7, 0, 183:

    381   0   7             1. written backwards, the commas made tabs and the tabs expanded to columns of four:
                               now every number stands in a cell of its own, its units first
    units 3 0 7, tens 8 . ., hundreds 1 . .
                            2. every fourth character, from the first, the second and the third on
    (3 0 7) + (80 0 0) + (100 0 0) = (183 0 7)
                            3. each digit looked up as what it is worth, and the three rows of bytes added as three
                               long integers, one byte a number; backwards again, and done

Whatever could go wrong is found by a test of the same kind, and the line is left to more patient readers. One of the
rooms behind datasets.py; relies on the standard library alone.
"""

from __future__ import annotations

_CELL = 4  # characters: three digits and a tab
_WRONG = b"\xff"  # stands for a character, or a digit, that must not be where it is


def _worth(weight: int) -> bytes:
    """A table for ``bytes.translate`` from a digit to its value in a place; a blank is worth nothing."""
    table = bytearray(256)
    for digit in range(10):
        table[ord("0") + digit] = min(digit * weight, _WRONG[0])
    return bytes(table)


_UNITS, _TENS, _HUNDREDS = _worth(1), _worth(10), _worth(100)


class PixelText:
    """A reader of lines with ``width`` numbers, parted by ``delimiter`` (one byte)."""

    def __init__(self, width: int, delimiter: bytes) -> None:
        self.width = width
        self._start = delimiter
        table = bytearray(_WRONG * 256)
        table[ord("0") : ord("9") + 1] = b"0123456789"
        table[delimiter[0]] = ord("\t")
        self._to_tabs = bytes(table)
        self._blanks = b" " * width
        self._carries = int.from_bytes(b"\1" * width, "little") << 8  # the lowest bit of each next byte

    def read(self, text: bytes) -> bytes | None:
        """One byte a number; None unless there are exactly ``width`` plain numbers of one to three digits, 0-255."""
        cells = (self._start + text).translate(self._to_tabs)[::-1].expandtabs(_CELL)
        units, tens, hundreds = cells[::_CELL], cells[1::_CELL].translate(_TENS), cells[2::_CELL].translate(_HUNDREDS)
        # A number of four digits or more would reach a fourth column; an empty field would leave its units blank.
        if len(cells) != _CELL * self.width or cells[3::_CELL] != self._blanks or b" " in units:
            return None
        if _WRONG in cells or _WRONG in hundreds:
            return None
        below_100 = int.from_bytes(units.translate(_UNITS), "big") + int.from_bytes(tens, "big")
        above = int.from_bytes(hundreds, "big")
        total = below_100 + above
        # Adding is exclusive-or but for the carries, and a carry out of a byte means a number above 255.
        if (total ^ below_100 ^ above) & self._carries:
            return None
        return total.to_bytes(self.width, "little")
