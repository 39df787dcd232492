"""Opening a data file safely: plain or gzipped, never more than asked for, and every failure as one clear line.

The CSV and IDX readers stand on this file, and nothing else does. A broken file can fail in many ways (missing,
a folder, cut short, a gigabyte packed into a kilobyte); here they all become ``DataError`` with the file's name.
Relies on errors.py.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Union, cast

from .arguments import require_size
from .errors import DataError

Path = Union[str, "os.PathLike[str]"]

MAX_BYTES = 4 << 30  # 4 GiB after unpacking: more than any list of Python rows should try to hold
MAX_RATIO = 100  # an honest gzipped table unpacks to ten times its size, a bomb to a thousand times
FREE_BYTES = 16 << 20  # what is shorter when unpacked than 16 MiB hurts nobody, whatever its ratio
MAX_LINE_BYTES = 16 << 20  # 16 MiB: a line longer than this is not a row of a table
CHUNK_BYTES = 1 << 20

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


def shown(text: str, limit: int = 40) -> str:
    """Text from a file as it may stand in a message: in quotes, on one line, at most about ``limit`` long."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def listed(things: list[str], limit: int = 10) -> str:
    """``'a', 'b', 'c'``: names for a message, the first ``limit`` of them."""
    names = ", ".join(shown(thing) for thing in things[:limit])
    return names if len(things) <= limit else f"{names}, ... ({len(things)} in all)"


class DataFile:
    """A file open for reading bytes, unpacked on the way if its first two bytes say that it is gzipped.

    Use it in a ``with`` block. Everything that goes wrong raises ``DataError``; not more than ``max_bytes`` (after
    unpacking) are ever read. None stands for 4 GiB, and for a gzipped file for at most 100 times its size.
    """

    def __init__(self, path: Path, max_bytes: int | None = None) -> None:
        self.path = os.fsdecode(path)
        self.name = self.path if self.path.isprintable() else repr(self.path)
        self.max_bytes = MAX_BYTES if max_bytes is None else require_size("max_bytes", max_bytes, 0)
        self.bytes_read = 0
        self.stored_bytes = 0
        try:
            self._raw = open(self.path, "rb")  # noqa: SIM115 (closed by __exit__)
        except (OSError, ValueError) as error:
            raise self._cannot_open(error) from None
        self.zipped = False
        self._stream: BinaryIO = self._raw
        try:
            self.stored_bytes = os.fstat(self._raw.fileno()).st_size
            self.zipped = self._raw.peek(2)[:2] == _GZIP_MAGIC
        except OSError as error:
            self._raw.close()
            raise self._cannot_open(error) from None
        if self.zipped:
            import gzip  # needed for gzipped files only, and slow to import

            if max_bytes is None and self.stored_bytes:
                self.max_bytes = min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * self.stored_bytes))
            self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw, mode="rb"))

    def __enter__(self) -> DataFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()
        self._raw.close()

    def problem(self, what: str, line: int | None = None, column: str = "") -> DataError:
        """The ``DataError`` that says where (file, line, column) and what."""
        where = self.name if line is None else f"{self.name}, line {line}"
        return DataError(f"{where}, {column}: {what}" if column else f"{where}: {what}")

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
        try:
            chunk = self._stream.read(min(size, self.max_bytes + 1 - self.bytes_read))
        except EOFError:
            raise self.problem("this gzip file is cut short; copy or download it again") from None
        except zlib.error:
            raise self.problem("this gzip file is corrupt; copy or download it again") from None
        except OSError as error:
            if self.zipped:  # gzip.BadGzipFile is an OSError
                raise self.problem("this gzip file is corrupt; copy or download it again") from None
            raise self._cannot_open(error) from None
        self.bytes_read += len(chunk)
        if self.bytes_read > self.max_bytes:
            after = " when unpacked" if self.zipped else ""
            raise self.problem(f"longer than {self.max_bytes} bytes{after}; pass a larger max_bytes to read it anyway")
        return chunk

    def lines(self, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
        """The file's lines with their line ends (LF, CRLF or CR), without a byte-order mark.

        Only text is let through: a NUL byte raises ``DataError``, as does a line above ``max_line_bytes``.
        """
        require_size("max_line_bytes", max_line_bytes, 0)
        done = 0  # lines handed out
        rest = b""
        first = True
        while True:
            chunk = self.read(CHUNK_BYTES)
            if first:
                self._refuse_other_formats(chunk)
                chunk = chunk[3:] if chunk.startswith(b"\xef\xbb\xbf") else chunk
                first = False
            elif not chunk:
                break
            pieces = (rest + chunk).splitlines(keepends=True)
            if b"\0" in chunk:
                line = next(i for i, piece in enumerate(pieces, done + 1) if b"\0" in piece)
                raise self.problem("a NUL byte: this looks like a binary file, not text", line)
            if pieces and max(map(len, pieces)) > max_line_bytes:
                line = next(i for i, piece in enumerate(pieces, done + 1) if len(piece) > max_line_bytes)
                raise self.problem(
                    f"longer than {max_line_bytes} bytes; this does not look like a row of a table", line
                )
            # The last piece may go on in the next chunk; one that ends in CR may still get its LF.
            rest = pieces.pop() if pieces and not pieces[-1].endswith(b"\n") else b""
            yield from pieces
            done += len(pieces)
        if rest:
            yield rest

    def _refuse_other_formats(self, start: bytes) -> None:
        for magic, what in _OTHER_FORMATS:
            if start.startswith(magic):
                raise self.problem(f"this is not CSV text; it looks like {what}", 1)

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
