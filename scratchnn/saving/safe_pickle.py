"""Safe pickling of plain data: written and read in pickle's format, but nothing that is read here can be run.

A pickle is a small program. Most of its instructions build data; a few import a name, call it, or set an object's
state, and those make it dangerous. This reader knows the first kind alone: ``None``, bools, numbers, text, bytes,
lists, tuples, and dicts whose keys are text, as protocols 1 to 5 write them (protocol 0 spells everything out in
ASCII, and nobody needs it). Everything else it refuses, without ever looking up what is named. Its time and memory are
bounded by the length of the data: no length is believed before the bytes are there, nothing that was built is built
into the result twice, and the limits below hold.

What ``dumps`` writes, ``pickle.load`` reads as well, and the same data give the same bytes on every machine. The
instructions are described in the standard library's pickletools module.
"""

from __future__ import annotations

from struct import pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_DEPTH = 32  # lists in lists in lists ...
MAX_INSTRUCTIONS = 500_000  # half a second's work; numbers in bulk travel as one bytes object
MAX_CONTAINERS = 100_000  # lists and dicts take one byte in a file and a hundred in memory
MAX_INT_BYTES = 255  # numbers of more digits are slow to print, and stand for nothing here
MAX_SHARED = 256  # a longer text or bytes object may not be referred to a second time

_HIGHEST_PROTOCOL = 5


class NotPlainData(ValueError):
    """Bytes that are no pickle of plain data, or an object that is no plain data."""


class CutShort(NotPlainData):
    """Bytes that end too soon."""


# What is refused by name: these import, call, set state, or refer to something outside the data.
_DANGEROUS = {
    b"c": "GLOBAL",
    b"\x93": "STACK_GLOBAL",
    b"R": "REDUCE",
    b"b": "BUILD",
    b"i": "INST",
    b"o": "OBJ",
    b"\x81": "NEWOBJ",
    b"\x92": "NEWOBJ_EX",
    b"P": "PERSID",
    b"Q": "BINPERSID",
    b"\x82": "EXT1",
    b"\x83": "EXT2",
    b"\x84": "EXT4",
    b"\x97": "NEXT_BUFFER",
    b"\x98": "READONLY_BUFFER",
}


def loads(data: bytes) -> Any:
    """The object that ``data`` holds.

    Raises ``NotPlainData`` for anything but one whole pickle of plain data, ``CutShort`` where its end is missing.
    """
    value = _Reader(data).read()
    _require_shallow(value)
    return value


def _require_shallow(value: Any) -> None:
    """Depth by depth and not by recursion: a file of a few bytes may hold a hundred thousand lists in lists."""
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        inside = [part.values() if type(part) is dict else part for part in level]
        level = [child for part in inside for child in part if type(child) in (list, tuple, dict)]
        if not level:
            return
    raise NotPlainData(f"nested more than {MAX_DEPTH} deep")


class _Reader:
    """Carries out the instructions of one pickle: ``stack`` holds what is built, ``marks`` where sequences begin."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []
        self.containers = 0

    def read(self) -> Any:
        data, instructions = self.data, _INSTRUCTIONS
        for _ in range(MAX_INSTRUCTIONS):
            code = data[self.position : self.position + 1]
            if code == b".":
                break
            instruction = instructions.get(code)
            if instruction is None:
                raise self._refused(code)
            self.position += 1
            instruction(self)
        else:
            raise NotPlainData(f"more than {MAX_INSTRUCTIONS} instructions")
        if len(self.stack) != 1 or self.marks:
            raise NotPlainData("a pickle that does not hold exactly one object")
        if self.position + 1 != len(data):
            raise NotPlainData("more bytes follow the end of the pickle")
        return self.stack[0]

    def _refused(self, code: bytes) -> NotPlainData:
        if not code:
            return CutShort("the end is missing")
        what = _DANGEROUS.get(code, f"0x{code.hex()}")
        why = "could run code" if code in _DANGEROUS else "builds no plain data"
        return NotPlainData(f"the instruction {what} at byte {self.position} {why}, and only plain data are read")

    # --- bytes in ------------------------------------------------------------------------------------------

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, which have to be there."""
        end = self.position + size
        if end > len(self.data):
            raise CutShort(f"{size} bytes are announced and {len(self.data) - self.position} are there")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self, size: int) -> int:
        """An unsigned little-endian number of ``size`` bytes: a length, mostly."""
        return int.from_bytes(self.take(size), "little")

    # --- the stack -----------------------------------------------------------------------------------------

    def push_container(self, value: Any) -> None:
        self.containers += 1
        if self.containers > MAX_CONTAINERS:
            raise NotPlainData(f"more than {MAX_CONTAINERS} lists and dicts")
        self.stack.append(value)

    def pop(self, count: int) -> list[Any]:
        """The last ``count`` objects; they have to stand above the last mark."""
        start = len(self.stack) - count
        if start < (self.marks[-1] if self.marks else 0):
            raise NotPlainData("an instruction finds nothing to work on")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def pop_to_mark(self) -> list[Any]:
        """All objects above the last mark, and the mark."""
        if not self.marks:
            raise NotPlainData("a sequence that begins nowhere")
        items = self.pop(len(self.stack) - self.marks[-1])
        self.marks.pop()
        return items

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def append(self, items: list[Any]) -> None:
        (target,) = self.pop(1)
        if type(target) is not list:
            raise NotPlainData("something is appended to what is no list")
        target += items
        self.stack.append(target)

    def set_items(self, items: list[Any]) -> None:
        (target,) = self.pop(1)
        if type(target) is not dict or len(items) % 2:
            raise NotPlainData("keys and values that belong to no dict")
        for key, value in zip(items[::2], items[1::2]):
            # Text alone: the hashes of numbers and tuples can be chosen such that a dict takes for ever.
            if type(key) is not str:
                raise NotPlainData("a dict with a key that is no text")
            if key in target:
                raise NotPlainData("a dict with the same key twice")
            target[key] = value
        self.stack.append(target)

    def new_dict(self) -> None:
        items = self.pop_to_mark()
        self.push_container({})
        self.set_items(items)

    # --- instructions that are more than a line -------------------------------------------------------------

    def protocol(self) -> None:
        if self.position != 1 or self.number(1) > _HIGHEST_PROTOCOL:
            raise NotPlainData("a pickle of an unknown protocol")

    def frame(self) -> None:
        size = self.number(8)
        if size > len(self.data) - self.position:
            raise CutShort(f"a frame of {size} bytes is announced and {len(self.data) - self.position} are there")

    def integer(self, size: int) -> None:
        if size > MAX_INT_BYTES:
            raise NotPlainData(f"a number of {size} bytes")
        self.stack.append(int.from_bytes(self.take(size), "little", signed=True))

    def text(self, size: int) -> None:
        try:
            self.stack.append(str(self.take(size), "utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise NotPlainData("text that is not Unicode") from None

    def remember(self, index: int) -> None:
        """Note the last object under the next free number; picklers count up, and a gap could be a huge one."""
        if index != len(self.memo) or not self.stack:
            raise NotPlainData("an object is noted under a number that is not the next")
        self.memo.append(self.stack[-1])

    def recall(self, index: int) -> None:
        """Push an object again. A list in a list in ... each twice would be a file of a few bytes and endless data."""
        if index >= len(self.memo):
            raise NotPlainData("an object is referred to that was never noted")
        value = self.memo[index]
        if type(value) in (list, tuple, dict) or (type(value) in (str, bytes) and len(value) > MAX_SHARED):
            raise NotPlainData("a part is used twice")
        self.stack.append(value)


_INSTRUCTIONS: dict[bytes, Callable[[_Reader], None]] = {
    b"\x80": _Reader.protocol,
    b"\x95": _Reader.frame,
    b"(": _Reader.mark,
    # constants and numbers
    b"N": lambda r: r.stack.append(None),
    b"\x88": lambda r: r.stack.append(True),
    b"\x89": lambda r: r.stack.append(False),
    b"J": lambda r: r.integer(4),
    b"K": lambda r: r.stack.append(r.number(1)),
    b"M": lambda r: r.stack.append(r.number(2)),
    b"\x8a": lambda r: r.integer(r.number(1)),
    b"\x8b": lambda r: r.integer(r.number(4)),
    b"G": lambda r: r.stack.append(unpack(">d", r.take(8))[0]),
    # text and bytes
    b"X": lambda r: r.text(r.number(4)),
    b"\x8c": lambda r: r.text(r.number(1)),
    b"\x8d": lambda r: r.text(r.number(8)),
    b"B": lambda r: r.stack.append(r.take(r.number(4))),
    b"C": lambda r: r.stack.append(r.take(r.number(1))),
    b"\x8e": lambda r: r.stack.append(r.take(r.number(8))),
    # lists, tuples, dicts
    b"]": lambda r: r.push_container([]),
    b"l": lambda r: r.push_container(r.pop_to_mark()),
    b"a": lambda r: r.append(r.pop(1)),
    b"e": lambda r: r.append(r.pop_to_mark()),
    b")": lambda r: r.push_container(()),
    b"t": lambda r: r.push_container(tuple(r.pop_to_mark())),
    b"\x85": lambda r: r.push_container(tuple(r.pop(1))),
    b"\x86": lambda r: r.push_container(tuple(r.pop(2))),
    b"\x87": lambda r: r.push_container(tuple(r.pop(3))),
    b"}": lambda r: r.push_container({}),
    b"d": _Reader.new_dict,
    b"s": lambda r: r.set_items(r.pop(2)),
    b"u": lambda r: r.set_items(r.pop_to_mark()),
    # the memo
    b"q": lambda r: r.remember(r.number(1)),
    b"r": lambda r: r.remember(r.number(4)),
    b"\x94": lambda r: r.remember(len(r.memo)),
    b"h": lambda r: r.recall(r.number(1)),
    b"j": lambda r: r.recall(r.number(4)),
}


def dumps(value: Any) -> bytes:
    """``value`` as a pickle of protocol 4, the same bytes for the same data on every machine.

    Raises ``NotPlainData`` for what ``loads`` would refuse to read.
    """
    writer = _Writer()
    writer.write(value, 0)
    return b"".join([b"\x80\x04", *writer.parts, b"."])


class _Writer:
    """Turns an object into the instructions that build it; nothing is noted or referred to."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.instructions = 2  # the first and the last
        self.containers = 0

    def write(self, value: Any, depth: int) -> None:
        """Numbers and text of types derived from Python's own (NumPy's float64, say) become plain ones."""
        self.instructions += 1
        if self.instructions > MAX_INSTRUCTIONS:
            raise NotPlainData(f"more than {MAX_INSTRUCTIONS} objects; numbers in bulk are to be packed into bytes")
        if value is None or value is True or value is False:
            self.parts.append({None: b"N", True: b"\x88", False: b"\x89"}[value])
        elif isinstance(value, float):
            self.parts.append(b"G" + pack(">d", value))
        elif isinstance(value, int):
            self.parts.append(_integer(value))
        elif isinstance(value, str):
            self.sized(str.encode(value, "utf-8", "surrogatepass"), b"\x8c", b"X", b"\x8d")
        elif type(value) is bytes:
            self.sized(value, b"C", b"B", b"\x8e")
        elif type(value) in (list, tuple, dict):
            self.write_container(value, depth + 1)
        else:
            raise NotPlainData(f"only plain data can be written, not an object of type {type(value).__name__}")

    def sized(self, data: bytes, short: bytes, medium: bytes, long: bytes) -> None:
        """Bytes behind their length, which takes 1, 4 or 8 bytes itself."""
        size = len(data)
        code, width = (short, 1) if size < 1 << 8 else (medium, 4) if size < 1 << 32 else (long, 8)
        self.parts += [code + size.to_bytes(width, "little"), data]

    def write_container(self, value: Any, depth: int) -> None:
        self.containers += 1
        self.instructions += 2
        if depth > MAX_DEPTH or self.containers > MAX_CONTAINERS:
            raise NotPlainData(f"nested more than {MAX_DEPTH} deep, or more than {MAX_CONTAINERS} lists and dicts")
        self.parts.append(b"](" if type(value) is list else b"(" if type(value) is tuple else b"}(")
        if type(value) is dict:
            for key, item in value.items():
                if type(key) is not str:
                    raise NotPlainData(f"only text can be a key of a dict, not {type(key).__name__}")
                self.write(key, depth)
                self.write(item, depth)
        else:
            for item in value:
                self.write(item, depth)
        self.parts.append(b"e" if type(value) is list else b"t" if type(value) is tuple else b"u")


def _integer(value: int) -> bytes:
    """The shortest instruction for an int."""
    if 0 <= value < 1 << 8:
        return b"K" + int(value).to_bytes(1, "little")
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + int(value).to_bytes(4, "little", signed=True)
    size = value.bit_length() // 8 + 1
    if size > MAX_INT_BYTES:
        raise NotPlainData(f"a number of {size} bytes; at most {MAX_INT_BYTES} can be written")
    return b"\x8a" + bytes([size]) + int(value).to_bytes(size, "little", signed=True)
