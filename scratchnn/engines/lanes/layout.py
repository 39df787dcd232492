"""A whole row of numbers in one Python int: the trick that the engine ``lanes`` is made of.

A Python int can be as long as you like, and CPython adds two of them, or multiplies one by a small number, in a tight
loop of C. So put several small numbers into one int, each in a *lane* of its own, and one operation works on all:

    lanes of 16 bits, the row (3, 5, 2):      3 + (5 << 16) + (2 << 32)  = 0x_0002_0005_0003
    times 7, one multiplication of one int:   7 * 0x_0002_0005_0003      = 0x_000e_0023_0015  = the row (21, 35, 14)
    plus the row (1, 1, 1):                       + 0x_0001_0001_0001    = 0x_000f_0024_0016  = the row (22, 36, 15)

Negative numbers work as well. The row (3, -5, 2) is 3 - (5 << 16) + (2 << 32) = 0x_0001_fffb_0003: the lane of -5 has
borrowed 1 from its upper neighbour. Sums and products of such ints still stand for the sums and products of the rows,
because the borrowing is part of the number. Only to *look* at lanes must it be undone: adding a large number (the
``bias``) to every lane makes all of them positive, and then nothing is borrowed any more.

All this is exact as long as no lane leaves its range; ``limit`` says how far a lane may go. Who computes with rows
keeps a bound on them (see ``lanes``).
"""

from __future__ import annotations

import sys
from struct import calcsize, pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Adding it to a double below 2**51 rounds that to a whole number and leaves it in the low bits (two's complement).
ROUNDING = 1.5 * 2.0**52

AT_ONCE = 4096  # numbers that are floats at the same time: memory that is used again and again is faster than new

_SIGN_BYTES = bytes(0xFF if byte & 0x80 else 0 for byte in range(256))  # what stands above a number's highest byte
_ROUNDING_BYTE = b"\x38" + bytes(254) + b"\x37"  # the second byte of ROUNDING plus a number whose sign byte this is
_BIG_ENDIAN = sys.byteorder == "big"


def _numbers(raw: bytes | bytearray, typecode: str) -> list[int]:
    """Little-endian machine words as Python ints."""
    if _BIG_ENDIAN or not raw:
        return list(unpack(f"<{len(raw) // calcsize(typecode)}{typecode}", raw))
    return memoryview(raw).cast(typecode).tolist()  # type: ignore[call-overload, no-any-return]


def words_in(raw: bytes) -> list[int]:
    """Little-endian words of four bytes, with their signs."""
    return _numbers(raw, "i")


def _words(values: Sequence[float], typecode: str) -> bytes:
    """Numbers as little-endian machine words of eight bytes."""
    order = "<" if _BIG_ENDIAN else ""  # the machine's own order is written faster, though it is the same
    return pack(f"{order}{len(values)}{typecode}", *values)


def doubles_in(raw: bytes | bytearray) -> Sequence[float]:
    """Little-endian doubles as floats, which are made whenever they are looked at."""
    return unpack(f"<{len(raw) // 8}d", raw) if _BIG_ENDIAN else memoryview(raw).cast("d")


def machine_doubles(values: Sequence[float]) -> bytes:
    """Floats as doubles in the machine's own order: a third of the memory, and side by side."""
    return pack(f"{len(values)}d", *values)


def from_machine_doubles(raw: bytes) -> list[float]:
    """The floats again."""
    values: list[float] = memoryview(raw).cast("d").tolist()  # type: ignore[assignment]
    return values


class Layout:
    """How ``count`` signed numbers stand in one int, in lanes of ``width`` bits (a multiple of 8, from 16 to 64).

    A lane may hold any number from -limit to limit, limit = 2**(width - 2): half of what would fit, so that a bias and
    a rounding term can be added without leaving the lane.
    """

    def __init__(self, width: int, count: int) -> None:
        if width not in range(16, 65, 8):
            raise ValueError(f"lanes can be 16, 24, 32, 40, 48, 56 or 64 bits wide, got {width!r}")
        self.width = width
        self.count = count
        self.bytes = width // 8
        self.size = self.bytes * count
        self.limit = 1 << (width - 2)
        self.ones = int.from_bytes((b"\1" + bytes(self.bytes - 1)) * count, "little")  # a 1 in every lane
        self.bias = self.ones << (width - 1)
        self._shifts: dict[int, tuple[int, int, int]] = {}
        self._masks: dict[int, tuple[int, int]] = {}

    # --- packing and unpacking ---------------------------------------------------------------------------------

    def pack(self, rows: Sequence[Sequence[int]]) -> list[int]:
        """One int for each row of ``count`` ints."""
        return self._join(_words([v for row in rows for v in row], "q"), len(rows))

    def pack_rounded(self, rows: Sequence[Sequence[float]], factors: Iterable[float]) -> list[int]:
        """One int for each row of ``count`` floats, times a factor each, rounded to the nearest (half to even)."""
        if self.width > 48:  # too wide for the low bits of a double
            return self.pack([[round(v * factor) for v in row] for row, factor in zip(rows, factors)])
        words = _words([v * factor + ROUNDING for row, factor in zip(rows, factors) for v in row], "d")
        return self._join(words, len(rows))

    def pack_in_units(self, numbers: Sequence[float], unit: float) -> list[int]:
        """The same of rows one after the other, all in one unit, a power of two."""
        rows, at_once = len(numbers) // self.count, max(AT_ONCE // self.count, 1) * self.count
        factor, rounding = 1.0 / unit, ROUNDING * unit  # added, it rounds to a unit, and the low bits are the number
        lanes: list[int] = []
        for first in range(0, rows * self.count, at_once):
            part = numbers[first : first + at_once]
            if self.width > 48:
                words = _words([round(v * factor) for v in part], "q")
            else:
                words = _words([v + rounding for v in part], "d")
            lanes += self._join(words, len(part) // self.count)
        return lanes

    def pack_small(self, values: Sequence[float]) -> list[int] | None:
        """One int for each ``count`` of the values, which are whole numbers plus ``ROUNDING``; None if one is too large
        for a lane, or was no finite number. For lanes of at most 48 bits."""
        words = _words(values, "d")
        signs = words[self.bytes - 1 :: 8].translate(_SIGN_BYTES)
        # Above a lane there may only be the sign of its number, in the low digits of 0x4338..., which is ROUNDING.
        if any(words[byte::8] != signs for byte in range(self.bytes, 6)):
            return None
        if words[6::8] != signs.translate(_ROUNDING_BYTE) or words[7::8].count(0x43) < len(values):
            return None
        return self._join(words, len(values) // self.count)

    def _join(self, words: bytes, rows: int) -> list[int]:
        """Rows from 64-bit two's complement words: their low bytes side by side, and the sign put right."""
        lanes = bytearray(self.size * rows)
        for byte in range(self.bytes):
            lanes[byte :: self.bytes] = words[byte::8]
        size, bias, from_bytes = self.size, self.bias, int.from_bytes
        # Flipping the top bit of a two's complement number is the same as adding the bias to it.
        starts = [size * row for row in range(rows)]
        return [(from_bytes(lanes[i : i + size], "little") ^ bias) - bias for i in starts]

    def unpack(self, rows: Sequence[int], bound: int | None = None) -> list[int]:
        """All lanes of all rows, one after the other; a known ``bound`` on their size makes it faster."""
        return self.numbers(b"".join(self.raws(rows)), bound)

    def raws(self, rows: Iterable[int]) -> list[bytes]:
        """The bytes of each row's lanes, in two's complement."""
        size, bias = self.size, self.bias
        return [((row + bias) ^ bias).to_bytes(size, "little") for row in rows]

    def numbers(self, raw: bytes, bound: int | None = None) -> list[int]:
        """What stands in lanes, in two's complement, one after the other; a known ``bound`` makes it faster."""
        bound = self.limit if bound is None else bound
        word, typecode = (2, "h") if bound < 1 << 15 else (4, "i") if bound < 1 << 31 else (8, "q")
        if word == self.bytes:
            return _numbers(raw, typecode)
        words = bytearray(len(raw) // self.bytes * word)
        for byte in range(min(word, self.bytes)):
            words[byte::word] = raw[byte :: self.bytes]
        if word > self.bytes:
            signs = raw[self.bytes - 1 :: self.bytes].translate(_SIGN_BYTES)
            for byte in range(self.bytes, word):
                words[byte::word] = signs
        return _numbers(words, typecode)

    def transposed(self, rows: Sequence[int], turned: Layout, bound: int | None = None) -> list[int]:
        """The columns of these rows as rows of the layout ``turned`` (as many lanes as there are rows here); a known
        ``bound`` on their numbers makes it faster."""
        # With a bias of its own a small number is below 256**used, and only so many bytes of it have to be moved.
        used = self.bytes if bound is None else min(self.bytes, bound.bit_length() // 8 + 1)
        size, own, step, cell = self.size, self.bytes, turned.size, turned.bytes
        lanes = bytearray(step * self.count)
        bias, after = self.ones << (8 * used - 1), turned.ones << (8 * used - 1)
        raw = b"".join([(row + bias).to_bytes(size, "little") for row in rows])
        for byte in range(used):
            if len(rows) <= self.count:
                for row in range(len(rows)):
                    lanes[row * cell + byte :: step] = raw[row * size + byte : (row + 1) * size : own]
            else:
                for lane in range(self.count):
                    lanes[lane * step + byte : (lane + 1) * step : cell] = raw[lane * own + byte :: size]
        from_bytes = int.from_bytes
        starts = [step * lane for lane in range(self.count)]
        return [from_bytes(lanes[i : i + step], "little") - after for i in starts]

    # --- operations on every lane of a row ---------------------------------------------------------------------

    def shifting(self, shift: int) -> tuple[int, int, int]:
        """(add, keep, subtract) such that ``((row + add) >> shift & keep) - subtract`` divides every lane by 2**shift
        and rounds to the nearest (half up). For 1 <= shift <= width - 2."""
        found = self._shifts.get(shift)
        if found is None:
            half = self.ones << (shift - 1)
            keep = self.ones * ((1 << (self.width - shift)) - 1)
            found = self._shifts[shift] = (self.bias + half, keep, self.bias >> shift)
        return found

    def shift(self, rows: Iterable[int], shift: int) -> list[int]:
        """Every lane divided by 2**shift, rounded to the nearest (half up); a negative ``shift`` multiplies.

        Beyond width - 2 nothing is left of any lane; the caller of a negative ``shift`` sees to it that results fit.
        """
        if shift <= 0:
            return [row << -shift for row in rows] if shift else list(rows)
        if shift > self.width - 2:  # at most half a unit
            return [0 for _ in rows]
        add, keep, subtract = self.shifting(shift)
        return [((row + add) >> shift & keep) - subtract for row in rows]

    def rescale(self, rows: Iterable[int], early: int, multiplier: int, shift: int) -> list[int]:
        """Every lane divided by 2**early, times the multiplier, divided by 2**shift, rounded as ``shift`` does it: what
        three passes over the rows would give."""
        if multiplier == 1 or not 0 < shift <= self.width - 2 or early > self.width - 2:
            rows = self.shift(rows, early) if early else rows
            return self.shift([row * multiplier for row in rows] if multiplier != 1 else rows, shift)
        add, keep, subtract = self.shifting(shift)
        if not early:
            return [((row * multiplier + add) >> shift & keep) - subtract for row in rows]
        first, kept, taken = self.shifting(early)
        add -= taken * multiplier
        return [((((row + first) >> early & kept) * multiplier + add) >> shift & keep) - subtract for row in rows]

    def _outside(self, bits: int) -> tuple[int, int]:
        """(add, mask) such that ``(row + add) & mask`` is 0 if every lane is from -2**bits to 2**bits - 1."""
        # A lane below -2**bits leaves a negative number in its lane: its high bits are then set, too.
        found = self._masks[bits] = self.ones << bits, self.ones * ((1 << self.width) - (2 << bits))
        return found

    def bits(self, rows: Iterable[int], bound: int | None = None) -> list[int]:
        """For each row the least b such that every lane is from -2**b to 2**b - 1; a known ``bound`` on their size
        makes it faster."""
        masks, outside, found = self._masks, self._outside, []
        bits = self.width - 1 if bound is None else bound.bit_length()
        for row in rows:  # each is looked at first as if it had as many as the one before
            add, mask = masks.get(bits) or outside(bits)
            if (row + add) & mask:
                while (row + add) & mask:
                    bits += 1
                    add, mask = masks.get(bits) or outside(bits)
            else:
                while bits:
                    add, mask = masks.get(bits - 1) or outside(bits - 1)
                    if (row + add) & mask:
                        break
                    bits -= 1
            found.append(bits)
        return found

    def coarse(self, rows: Iterable[int], shift: int) -> list[int]:
        """What ``shift`` gives (1 <= shift <= width - 2), with ``coarse_bias(shift)`` still in every lane.

        Sums of such rows times ints are right once the bias times the sum of the ints is taken away.
        """
        add, keep, _ = self.shifting(shift)
        return [(row + add) >> shift & keep for row in rows]

    def coarse_bias(self, shift: int) -> int:
        """What ``coarse`` leaves in every lane."""
        return self.bias >> shift

    def shift_each(self, rows: Sequence[int], shifts: Sequence[int]) -> list[int]:
        """The same with a shift for each row."""
        if shifts and shifts.count(shifts[0]) == len(shifts):
            return self.shift(rows, shifts[0])
        result, most, shifting = [], self.width - 2, self.shifting
        for row, shift in zip(rows, shifts):
            if 0 < shift <= most:
                add, keep, subtract = shifting(shift)
                row = ((row + add) >> shift & keep) - subtract
            elif shift:
                row = row << -shift if shift < 0 else 0
            result.append(row)
        return result

    def positive(self, rows: Iterable[int]) -> tuple[list[int], list[int]]:
        """(max(lane, 0) in every lane, a mask with all bits of the lanes above 0 set) for every row."""
        width, ones, bias = self.width, self.ones, self.bias
        above = bias - ones  # lane + above has its top bit set where lane >= 1
        results, masks = [], []
        for row in rows:
            flags = (row + above) >> (width - 1) & ones
            mask = (flags << width) - flags
            results.append((row + bias) & (mask ^ flags << (width - 1)))
            masks.append(mask)
        return results, masks

    def sizes(self, rows: Iterable[int]) -> list[int]:
        """The absolute value of every lane."""
        rows = list(rows)
        return [2 * positive - row for positive, row in zip(self.positive(rows)[0], rows)]

    def gate(self, rows: Iterable[int], masks: Iterable[int]) -> list[int]:
        """Every lane where its mask is set, 0 elsewhere."""
        bias = self.bias
        return [((row + bias) & mask) - (bias & mask) for row, mask in zip(rows, masks)]

    def most_bits(self, rows: Sequence[int], bound: int | None = None) -> int:
        """The least b such that every lane of every row is from -2**b to 2**b - 1; a known ``bound`` on their size
        makes it faster."""
        (most,) = self.bits(rows[:1], bound) or [0]
        add, mask = self._outside(most)
        for row in rows:
            while (row + add) & mask:
                most += 1
                add, mask = self._masks.get(most) or self._outside(most)
        return most


def round_all(rows: Sequence[Sequence[float]], factors: Iterable[float]) -> list[int]:
    """All numbers of all rows, one after the other, those of a row times its factor, rounded to the nearest int (half
    to even); results must be below 2**31 in size."""
    words = _words([v * factor + ROUNDING for row, factor in zip(rows, factors) for v in row], "d")
    low = bytearray(len(words) // 2)
    for byte in range(4):
        low[byte::4] = words[byte::8]
    return _numbers(low, "i")
