"""Reading a line of pixels, whole numbers from 0 to 255 as text, into bytes: all numbers of the line at once.

A loop over the numbers of MNIST as CSV would run 55 million times. Here every step is one call that treats the whole
line, in C, so that nothing is done number by number in Python. How the line 7,0,183 becomes the bytes 7, 0, 183:

    381 0   7       1. Written backwards, the commas made tabs and the tabs expanded to columns of four: now every
                       number stands in a cell of its own, its units first.
    3 0 7           2. Every fourth character from the first on: the units. From the second on: the tens (8, blank,
                       blank); from the third on: the hundreds (1, blank, blank). Each is made one long integer, a byte
                       a number. The low four bits of a digit's character are its value; those of a blank are zero.
    183 0 7         3. units + 10 * tens + 100 * hundreds, for all of them in one go; backwards again, and done.

Whatever could go wrong is found by a test of the same kind, and the line is left to more patient readers. One of the
rooms behind datasets.py.
"""

from __future__ import annotations

_CELL = 4  # characters: three digits and a tab
_WRONG = b"\xff"  # stands for a character that is neither a digit nor the delimiter


class PixelText:
    """A reader of lines with ``width`` numbers, separated by ``delimiter`` (one byte)."""

    def __init__(self, width: int, delimiter: bytes) -> None:
        self.width = width
        self._delimiter = delimiter
        table = bytearray(_WRONG * 256)
        table[ord("0") : ord("9") + 1] = b"0123456789"
        table[delimiter[0]] = ord("\t")
        self._to_tabs = bytes(table)
        self._blanks = b" " * width
        self._ones = int.from_bytes(b"\x01" * width, "big")
        self._low_bits = self._ones * 0x0F
        self._above_3 = self._ones * 0xFC  # the bits that a byte of 0 to 3 has not
        self._carries = self._ones << 8  # the lowest bit of each next byte

    def read(self, text: bytes) -> bytes | None:
        """One byte a number; None unless there are exactly ``width`` plain numbers of one to three digits, 0-255."""
        cells = (self._delimiter + text).translate(self._to_tabs)[::-1].expandtabs(_CELL)
        units = cells[::_CELL]
        # A number of four digits or more would reach a fourth column; an empty field would leave its units blank.
        if len(cells) != _CELL * self.width or cells[3::_CELL] != self._blanks or b" " in units or _WRONG in cells:
            return None
        tens = int.from_bytes(cells[1::_CELL], "big") & self._low_bits
        hundreds = int.from_bytes(cells[2::_CELL], "big") & self._low_bits
        if (hundreds + self._ones) & self._above_3:  # 300 or more
            return None
        below_100 = (int.from_bytes(units, "big") & self._low_bits) + 10 * tens
        above = 100 * hundreds
        total = below_100 + above
        # Adding is exclusive-or but for the carries, and a carry out of a byte means a number above 255.
        if (total ^ below_100 ^ above) & self._carries:
            return None
        return total.to_bytes(self.width, "little")
