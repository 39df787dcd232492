"""Opening a data file safely: plain or gzipped, never more than asked for, and every failure as one clear line.

The CSV and IDX readers stand on this file, and nothing else does. A broken file can fail in many ways (missing,
a folder, cut short, a gigabyte packed into a kilobyte); here they all become ``DataError`` with the file's name.
A file that is open already, standard input say, is read as its bytes arrive.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Union

from ..checks import MESSAGE, require_size, shortened, shown_path
from ..errors import ArgumentError, DataError

Path = Union[str, "os.PathLike[str]"]
Source = Union[Path, BinaryIO]

MAX_BYTES = 4 << 30  # 4 GiB after unpacking: more than any list of Python rows should try to hold
MAX_RATIO = 100  # an honest gzipped table unpacks to ten times its size, a bomb to a thousand times
FREE_BYTES = 16 << 20  # what is shorter when unpacked than 16 MiB hurts nobody, whatever its ratio
MAX_LINE_BYTES = 16 << 20  # 16 MiB: a line longer than this is not a row of a table
CHUNK_BYTES = 1 << 20
TEXT_BYTES = 1 << 18  # of text: memory for more is taken from the system anew each time, which takes as long as reading
_PACKED_BYTES = 8 << 10  # of a gzip file, read at once: what follows the end of one of its members is copied each time

_GZIP_MAGIC = b"\x1f\x8b"
_OTHER_FORMATS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook; save the table as CSV"),
    (b"\x00\x00\x08", "an IDX file, as MNIST comes in; read it with load_idx"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x80\x04", "a Python pickle, perhaps a saved model"),
    (b"\x80\x05", "a Python pickle, perhaps a saved model"),
)
_LONGEST_MAGIC = max(len(magic) for magic, _ in _OTHER_FORMATS)


def _name_of(source: Any) -> str:
    """What messages call a file: its path, "standard input", or the name that an open file has."""
    if not hasattr(source, "read"):
        return os.fsdecode(source)
    if sys.stdin is not None and source is getattr(sys.stdin, "buffer", None):
        return "standard input"
    return str(getattr(source, "name", "") or "the open file")


class _Unpacker:
    """Unpacks gzip from a stream as it arrives, never more at once than was asked for.

    ``packed_bytes`` is how much was taken from the stream.
    """

    def __init__(self, raw: Any, start: bytes) -> None:
        self._read = getattr(raw, "read1", raw.read)
        self._packed = start
        self.packed_bytes = len(start)
        self._between = True  # two members: a gzip file may have several, and zeros after each
        self._member = zlib.decompressobj(wbits=31)

    def read(self, size: int) -> bytes:
        """Some bytes, at most ``size``; none at the end. Raises ``EOFError`` and ``zlib.error``."""
        while True:
            if not self._packed:
                self._packed = self._read(_PACKED_BYTES)
                self.packed_bytes += len(self._packed)
            ended = not self._packed
            if self._between:
                if ended:
                    return b""
                self._packed = self._packed.lstrip(b"\0")
                if not self._packed:
                    continue
                self._member, self._between = zlib.decompressobj(wbits=31), False
            data = self._member.decompress(self._packed, size)
            self._packed = self._member.unconsumed_tail or self._member.unused_data
            self._between = self._member.eof
            if data:
                return data
            if ended and not self._between:
                raise EOFError


class DataFile:
    """A file open for reading bytes, unpacked on the way if its first two bytes say that it is gzipped.

    ``source`` is a path, or a file that is open for reading bytes, which stays open. Use it in a ``with`` block.
    Everything that goes wrong raises ``DataError``; not more than ``max_bytes`` (after unpacking) are ever read. None
    stands for 4 GiB; and a gzipped file is then given up as soon as it has unpacked to more than 16 MiB and more than
    100 times what was read of it.
    """

    def __init__(self, source: Source, max_bytes: int | None = None) -> None:
        self.path = _name_of(source)
        self.name = shown_path(self.path)
        self.max_bytes = MAX_BYTES if max_bytes is None else require_size("max_bytes", max_bytes, 0)
        self.bytes_read = 0
        self.lines_read = 0  # of what ``texts`` gave
        self.stored_bytes = 0
        self._suspects_bombs = max_bytes is None
        self._raw: Any = source
        self._own = not hasattr(source, "read")
        try:
            if self._own:
                self._raw = open(self.path, "rb")  # noqa: SIM115 (closed by __exit__)
                self.stored_bytes = os.fstat(self._raw.fileno()).st_size
            self._start = self._first_two_bytes()
        except ArgumentError:
            raise
        except (OSError, ValueError) as error:
            self.__exit__()
            raise self._cannot_open(error) from None
        self._unpacker = _Unpacker(self._raw, self._start) if self._start == _GZIP_MAGIC else None
        self.zipped = self._unpacker is not None

    def _first_two_bytes(self) -> bytes:
        start = b""
        while len(start) < 2:
            more = self._raw.read(2 - len(start))
            if not isinstance(more, bytes):
                raise ArgumentError(f"{self.name}: expected a file opened for reading bytes (mode 'rb')")
            if not more:
                break
            start += more
        return start

    def __enter__(self) -> DataFile:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._own and hasattr(self._raw, "close"):  # a path that could not be opened has none
            self._raw.close()

    def problem(self, what: str, line: int | None = None, column: str = "") -> DataError:
        """The ``DataError`` that says where (file, line, column) and what."""
        where = self.name if line is None else f"{self.name}, line {line}"
        return DataError(shortened(f"{where}, {column}: {what}" if column else f"{where}: {what}", MESSAGE))

    def _cannot_open(self, error: Exception) -> DataError:
        if isinstance(error, FileNotFoundError):
            return self.problem("no such file")
        if isinstance(error, IsADirectoryError) or os.path.isdir(self.path):
            return self.problem("this is a directory; a data file was expected")
        if isinstance(error, PermissionError):
            return self.problem("no permission to read this file")
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return self.problem(f"cannot be read ({reason})")

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer only at the end of the file. What is beyond the limit is never unpacked."""
        pieces = []
        while size > 0:
            piece = self.read_some(size)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def read_some(self, size: int) -> bytes:
        """What there is without waiting for more, at least a byte and at most ``size``; none at the end."""
        size = min(size, CHUNK_BYTES, self.max_bytes + 1 - self.bytes_read)
        try:
            chunk = self._unpacker.read(size) if self._unpacker is not None else self._read_plain(size)
        except EOFError:
            raise self.problem("this gzip file is cut short; copy or download it again") from None
        except zlib.error:
            raise self.problem("this gzip file is corrupt; copy or download it again") from None
        except OSError as error:
            raise self._cannot_open(error) from None
        self.bytes_read += len(chunk)
        if self.bytes_read > self.max_bytes:
            after = " when unpacked" if self.zipped else ""
            raise self.problem(f"longer than {self.max_bytes} bytes{after}; pass a larger max_bytes to read it anyway")
        suspected = self._unpacker if self._suspects_bombs else None
        if suspected is not None and self.bytes_read > max(FREE_BYTES, MAX_RATIO * suspected.packed_bytes):
            raise self.problem(
                f"this gzip file unpacks to more than {MAX_RATIO} times its size, as files do that are to fill a "
                "memory; if it is an honest one, unpack it first, or pass max_bytes"
            )
        return chunk

    def _read_plain(self, size: int) -> bytes:
        if self._start:
            chunk, self._start = self._start[:size], self._start[size:]
            return chunk
        return bytes(getattr(self._raw, "read1", self._raw.read)(size))

    def texts(self, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
        """The file's lines with their line ends (LF, CRLF or CR), without a byte-order mark, as many at a time as have
        arrived, in one piece. Whoever reads them counts them in ``lines_read``, before asking for more.

        Only text is let through: a NUL byte raises ``DataError``, as does a line above ``max_line_bytes``; the lines
        before it are given first.
        """
        require_size("max_line_bytes", max_line_bytes, 0)
        rest: list[bytes] = []  # the pieces so far of a line whose end has not come
        held = 0  # bytes in them
        chunk = self._beginning()
        while chunk:
            end = chunk.rfind(b"\n") + 1
            # Mostly nothing can be wrong, and lines need not be told apart.
            if end and held + len(chunk) <= max_line_bytes and b"\0" not in chunk and chunk.find(b"\r", end) < 0:
                text = b"".join([*rest, memoryview(chunk)[:end]])
                yield text
                rest, held = [chunk[end:]], len(chunk) - end
                chunk = self.read_some(TEXT_BYTES)
                continue
            pieces = chunk.splitlines(keepends=True)
            # The last piece may go on in the next chunk; one that ends in CR may still get its LF.
            inside = not pieces[1:] and not chunk.endswith((b"\n", b"\r")) and not (rest and rest[-1].endswith(b"\r"))
            if rest and not inside:
                pieces[:1] = b"".join([*rest, pieces[0]]).splitlines(keepends=True)
            longest = held + len(chunk) if inside else max(map(len, pieces))
            if longest > max_line_bytes or b"\0" in chunk:
                bad = (i for i, piece in enumerate(pieces) if len(piece) > max_line_bytes or b"\0" in piece)
                good = 0 if inside else next(bad)
                yield b"".join(pieces[:good])
                if b"\0" in pieces[good]:
                    raise self.problem("a NUL byte: this looks like a binary file, not text", self.lines_read + 1)
                what = f"longer than {max_line_bytes} bytes; this does not look like a row of a table"
                raise self.problem(what, self.lines_read + 1)
            if inside:
                rest.append(chunk)
            else:
                rest = [] if pieces[-1].endswith(b"\n") else [pieces.pop()]
                yield b"".join(pieces)
            held = longest if inside else sum(map(len, rest))
            chunk = self.read_some(TEXT_BYTES)
        if held:
            yield b"".join(rest)

    def _beginning(self) -> bytes:
        """The first bytes, enough to see that they are text, without a byte-order mark."""
        chunk = b""
        while len(chunk) < _LONGEST_MAGIC and b"\n" not in chunk:
            more = self.read_some(TEXT_BYTES)
            if not more:
                break
            chunk += more
        for magic, what in _OTHER_FORMATS:
            if chunk.startswith(magic):
                raise self.problem(f"this is not CSV text; it looks like {what}", 1)
        if chunk.startswith(b"\xef\xbb\xbf"):
            return chunk[3:] or self.read_some(TEXT_BYTES)
        return chunk

    def text(self, line: bytes, number: int) -> str:
        """A line as text; ``DataError`` if it is not UTF-8."""
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.problem(
                f"not UTF-8 text (byte 0x{line[error.start]:02x}, {error.start} bytes into the line): "
                "a binary file, or text to be saved again as UTF-8",
                number,
            ) from None
