"""HTTP with patience for the whole of an answer, and not for each of its bytes anew.

The standard library waits so many seconds for whatever comes next, be it a single byte: a server that sends one now and
then holds it for ever. Here the bytes have to come at some speed, and all of them within a deadline. Redirects are
followed to other web addresses alone, and what they say beside the address is not read. Used by download.py.
"""

from __future__ import annotations

import io
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from time import monotonic as clock
from typing import Any
from urllib import request

SLOWEST = 1000
"""Bytes a second, over each stretch of ``timeout`` seconds: a server that is slower is not worth waiting for."""


class Patience:
    """How long a server is waited for.

    timeout: seconds in which a connection must be made, an answer begin, and ``SLOWEST`` bytes a second come
    deadline: seconds in which everything must be there
    """

    def __init__(self, timeout: float, deadline: float) -> None:
        self.timeout = timeout
        self._end = clock() + deadline
        self.restart()

    def restart(self) -> None:
        """Wait ``timeout`` seconds from now on, but never beyond the deadline."""
        self._until = min(clock() + self.timeout, self._end)
        self._missing = self.timeout * SLOWEST

    def left(self) -> float:
        """Seconds until it is at its end; ``TimeoutError`` if there are none left."""
        seconds = self._until - clock()
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds

    def came(self, count: int) -> None:
        """Take ``count`` bytes into account."""
        self._missing -= count
        if self._missing <= 0:
            self.restart()


def open_url(url: str, headers: dict[str, str], patience: Patience) -> Any:
    """The answer to a request, as ``urllib.request.urlopen`` gives it; raises what that raises."""
    opener = request.OpenerDirector()  # with less than build_opener puts in: no ftp, no file, no data
    for handler in (
        request.ProxyHandler(),
        _Web(patience),
        _Redirects(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener.open(request.Request(url, headers=headers), timeout=patience.left())


class _Web(request.HTTPHandler, request.HTTPSHandler):
    """What opens connections, plain and secure ones."""

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self.patience = patience

    def http_open(self, req: request.Request) -> Any:
        return self.do_open(partial(_Connection, patience=self.patience), req)

    def https_open(self, req: request.Request) -> Any:
        return self.do_open(partial(_SecureConnection, patience=self.patience), req)


class _Redirects(request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        fp.close()  # or its body would be read to the end, were it endless
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Connection(HTTPConnection):
    """A connection whose answers are waited for with patience."""

    def __init__(self, host: str, *, patience: Patience, **settings: Any) -> None:
        super().__init__(host, **settings)
        self.patience = patience
        self.response_class = partial(_Response, patience=patience)  # type: ignore[assignment]

    def connect(self) -> None:
        self.patience.restart()
        super().connect()
        self.patience.restart()


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *settings: Any, patience: Patience, **more: Any) -> None:
        super().__init__(sock, *settings, **more)
        buffered: Any = self.fp
        self.fp = io.BufferedReader(_Watched(buffered.detach(), sock, patience))


class _Watched(io.RawIOBase):
    """What comes from a socket, as long as patience lasts."""

    def __init__(self, raw: Any, sock: Any, patience: Patience) -> None:
        self._raw, self._sock, self._patience = raw, sock, patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._patience.left())
        count: int = self._raw.readinto(buffer)
        self._patience.came(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
