"""Fetching MNIST's four files from its public mirrors, so that what arrives is right or is not there at all.

A file grows as NAME.part and gets its real name only when its md5 is right. What was interrupted goes on where it
stopped; a mirror that fails in whatever way (no connection, an error, nonsense, too slow, a short or wrong file) hands
over to the next. Of two downloads of one file the second waits for the first. How far it has come is told to an object
that the caller hands in. Used by datasets.py alone.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

from ..checks import finite_number, shown, shown_path
from ..errors import ArgumentError
from ..saving.atomic import Lock, open_own

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)

# The md5 of each gzipped file, as its authors published it.
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}

MAX_FILE_BYTES = 64 << 20  # the largest file has 9.9 MB: a mirror that goes on and on is stopped here
TIMEOUT = 30.0  # seconds to wait for a mirror that does not answer
DEADLINE = 3600.0  # seconds for a file from one mirror
_BLOCK_BYTES = 64 << 10
_LONGEST_REASON = 200  # characters: what a mirror says may be a page
_PAUSE = 0.1  # seconds, before asking again whether somebody else is done

Progress = Callable[[str, "int | None"], Any]


class DownloadError(OSError):
    """A file could not be fetched; the message says what each mirror answered."""


class _MirrorFailed(Exception):
    """This mirror did not deliver; the next one may."""


@contextmanager
def _silence(name: str, total: int | None) -> Iterator[Any]:
    """Progress for those who did not ask for any."""
    yield SimpleNamespace(update=lambda done: None)


def download_mnist(
    folder: str | os.PathLike[str],
    *,
    mirrors: Sequence[str] = MIRRORS,
    files: Mapping[str, str] = MNIST_FILES,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
    deadline: float = DEADLINE,
    max_bytes: int = MAX_FILE_BYTES,
) -> list[str]:
    """Fetch the files that are not in ``folder`` yet, and return the paths of all of them.

    mirrors: folders on the web (http or https), tried in this order for each file
    files: the md5 of each file, by name
    progress: called with a file's name and its size in bytes (None: unknown); gives a context manager whose
        ``update`` gets the number of bytes that are there by now
    timeout: seconds to wait for a mirror that does not answer, or that sends less than 1000 bytes a second
    deadline: seconds that one mirror may take for one file; the next one goes on from there

    Raises ``DownloadError`` if no mirror has a file; ``ValueError`` for a mirror that is no web address or a
    timeout or deadline that is not positive.
    """
    for mirror in mirrors:
        if not mirror.lower().startswith(("http://", "https://")):
            raise ArgumentError(
                f"a mirror must be an address that starts with http:// or https://, got {shown(mirror)}"
            )
    if not mirrors:
        raise ArgumentError("at least one mirror is needed")
    for name, seconds in (("timeout", timeout), ("deadline", deadline)):
        if not 0.0 < finite_number(seconds) < 1e6:
            raise ArgumentError(f"{name} must be a positive number of seconds, got {shown(seconds)}")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"cannot make the folder {shown_path(folder)}: {error.strerror}") from None
    paths = []
    for name, md5 in files.items():
        path = os.path.join(os.fspath(folder), name)
        paths.append(path)
        if _md5(path) != md5:
            with _locked(path):
                if _md5(path) != md5:  # whoever was at it before may have fetched it
                    _download(path, md5, mirrors, _Fetcher(progress or _silence, timeout, deadline, max_bytes))
    return paths


def _locked(path: str) -> ExitStack:
    """The lock on a file, to be given up by its ``with`` block: whoever else has it is waited for. Where the file
    system has no locks, there is none."""
    lock, waited = ExitStack(), 0.0
    while True:
        try:
            lock.enter_context(Lock(path))
            return lock
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
                return lock
            if not isinstance(error, BlockingIOError) or waited >= DEADLINE:
                raise DownloadError(f"{path}: {error.strerror}") from None
            time.sleep(_PAUSE)
            waited += _PAUSE


def _download(path: str, md5: str, mirrors: Sequence[str], fetcher: _Fetcher) -> None:
    """Fetch one file from the first mirror that delivers it whole and right."""
    part, name = path + ".part", os.path.basename(path)
    answers = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + name
        try:
            resumed = _size(part) > 0  # then what was there before may have been the wrong half
            if _made_whole(fetcher, url, part, md5) or (resumed and _made_whole(fetcher, url, part, md5)):
                os.replace(part, path)
                return
            answers.append(f"{url}: the md5 of what came is wrong")
        except _MirrorFailed as failure:
            answers.append(f"{url}: {failure}")
        except OSError as error:  # not the mirror's fault: a full disk, a folder that cannot be written
            raise DownloadError(f"cannot write {part}: {error.strerror or error}") from None
    raise DownloadError(f"no mirror delivered {name}; {'; '.join(answers)}")


def _made_whole(fetcher: _Fetcher, url: str, part: str, md5: str) -> bool:
    """Fetch the rest of the part; whether the whole is then right. A wrong one is removed."""
    if _md5(part) != md5:  # it may have been whole already, and only lacked its name
        fetcher.fetch(url, part)
    if _md5(part) == md5:
        return True
    os.remove(part)
    return False


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.isfile(path) else 0


def _md5(path: str) -> str:
    """The md5 of a file; "" if there is none."""
    import hashlib

    if not os.path.isfile(path):
        return ""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


class _Fetcher(NamedTuple):
    """Fetches one address into one file, going on where the file ends."""

    progress: Progress
    timeout: float
    deadline: float
    max_bytes: int

    def fetch(self, url: str, part: str) -> None:
        """Append to ``part`` what it lacks, or write it anew if the mirror only sends whole files.

        Raises ``_MirrorFailed``, with what did arrive kept in ``part``; ``OSError`` if it cannot be written.
        """
        from .patient_http import Patience

        start = _size(part)
        patience = Patience(self.timeout, self.deadline)
        response = self._open(url, start, patience)
        if response is None:  # the part is longer than the file
            start = 0
            response = self._open(url, 0, patience)
        if response is None:
            raise _MirrorFailed("refused to send the file's beginning")
        with response:
            if start and not _continues(response, start):
                if response.status == 206:
                    raise _MirrorFailed("sent another piece of the file than was asked for")
                start = 0  # it ignored the range and sends the whole
            length = _content_length(response)
            total = None if length is None else start + length
            descriptor = open_own(part, os.O_WRONLY | os.O_CREAT)
            with open(descriptor, "wb") as file, self.progress(url.rpartition("/")[2], total) as progress:
                file.truncate(start)
                file.seek(start)
                self._copy(response, file, progress, start, total)

    def _open(self, url: str, start: int, patience: Any) -> Any:
        """The answer to a request for the file from byte ``start`` on; None if it has no such byte."""
        from urllib.error import HTTPError, URLError

        from .patient_http import open_url

        headers = {"User-Agent": "scratchnn", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            return open_url(url, headers, patience)
        except HTTPError as error:
            error.close()
            if error.code == 416 and start:
                return None
            raise _MirrorFailed(f"answered {error.code} {_reason(error.reason)}") from None
        except URLError as error:
            raise _MirrorFailed(_reason(error.reason)) from None
        except Exception as error:  # there is no end to what a server can answer, and another mirror may do better
            raise _MirrorFailed(_reason(error)) from None

    def _copy(self, response: Any, file: Any, progress: Any, start: int, total: int | None) -> None:
        done = start
        progress.update(done)
        while True:
            try:
                block = response.read1(_BLOCK_BYTES)
            except Exception as error:
                raise _MirrorFailed(f"broke off after {done} bytes ({_reason(error)})") from None
            if not block:
                break
            done += len(block)
            if done > self.max_bytes:
                raise _MirrorFailed(f"sent more than {self.max_bytes} bytes")
            file.write(block)
            progress.update(done)
        if total is not None and done < total:
            raise _MirrorFailed(f"broke off after {done} of {total} bytes")


def _continues(response: Any, start: int) -> bool:
    """Whether the answer is the piece of the file that begins at byte ``start``."""
    content_range = response.headers.get("Content-Range") or ""
    return response.status == 206 and content_range.replace(" ", "").startswith(f"bytes{start}-")


def _content_length(response: Any) -> int | None:
    text = response.headers.get("Content-Length") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _reason(error: object) -> str:
    """What an exception of the network says, in a few words on one line."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
