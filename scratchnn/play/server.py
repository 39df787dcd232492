"""The HTTP server of the pages: to this machine's own browser only, and to nobody who does not know the token.

What stands between a page and the rest of the world, in the order in which a request meets it:
- it listens on 127.0.0.1 alone;
- ``Host`` must be that address with its port (or localhost): no other name can be pointed at it (DNS rebinding);
- ``Origin``, and what a browser says of itself in ``Sec-Fetch-Site``, must be the server's own, and a POST must say it;
- a random token, in the address that is opened and from then on in a cookie that no script reads and that no other
  site's request carries, must be right;
- only names that are listed here lead anywhere: no part of a request ever becomes a file's name;
- bodies are JSON of a bounded length, and everything in them is checked where it is used: 400 with a reason;
- answers carry a content security policy that lets nothing run, load or frame but what this server sends.
"""

from __future__ import annotations

import binascii
import hmac
import json
import os
import pkgutil
import secrets
import socket
import socketserver
import sys
import threading
import urllib.parse
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..checks import shown
from ..errors import ArgumentError, DataError
from .drawing import Recogniser
from .learning import Learning
from .sessions import Sessions
from .settings import Settings, choices

ADDRESS = "127.0.0.1"
MOST_BYTES = 1 << 17  # of a body: a drawing of 65 536 pixels takes 87 382 as base64
MOST_CONNECTIONS = 256
PATIENCE = 30.0  # seconds for which a connection may say nothing
FRAME_PAUSE = 0.05  # seconds between two frames, at least: twenty a second look smooth
HEARTBEAT = 5.0  # seconds after which a stream says that it is still there

# The only files there are: the path, its file in ``pages/``, and its type.
FILES = {
    "/draw": ("draw.html", "text/html; charset=utf-8"),
    "/play": ("play.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/common.js": ("common.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/draw.js": ("draw.js", "text/javascript; charset=utf-8"),
    "/play.js": ("play.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
PAGES = ("/draw", "/play")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """A request that is not answered as it would like; the status, and the reason in a line."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class PlayServer(ThreadingHTTPServer):
    """Serves both pages on 127.0.0.1; ``port`` 0 takes a free one. ``learning`` is the model of the page *Draw*, or
    where it is being made. ``OSError`` if the port is taken."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = os.name == "posix"  # elsewhere it would let others listen here as well

    def __init__(self, learning: Learning, port: int = 0, sessions: Sessions | None = None) -> None:
        super().__init__((ADDRESS, port), Handler)
        self.learning = learning
        self.sessions = Sessions() if sessions is None else sessions
        self.token = secrets.token_urlsafe(24)
        self.files = {path: (_read(name), kind) for path, (name, kind) in FILES.items()}
        self.ending = threading.Event()
        self._open: set[Any] = set()  # the connections that there are

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """What to open in a browser, with the token."""
        return f"http://{ADDRESS}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """How a request may call this server."""
        return f"{ADDRESS}:{self.port}", f"localhost:{self.port}"

    @property
    def cookie(self) -> str:
        """The name of the cookie: all ports of a host share theirs."""
        return f"scratchnn-{self.port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each connection, as long as there are not too many."""
        if len(self._open) >= MOST_CONNECTIONS:
            self.shutdown_request(request)
            return
        self._open.add(request)
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started; or it was, and Ctrl-C came while that was being waited for
            self._open.discard(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone is nobody's fault; anything else is a bug, and shown as one."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Without asking a name server what this machine is called, as the base class would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.port

    def end(self) -> None:
        """Close what is open: streams, sessions, the port."""
        self.ending.set()
        self.learning.stop()
        self.sessions.close()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: PlayServer
    protocol_version = "HTTP/1.1"
    server_version = "scratchnn"
    sys_version = ""
    timeout = PATIENCE

    def setup(self) -> None:
        """Answers are small and are wanted at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is written down."""

    def do_GET(self) -> None:
        """A page, one of its files, or a question that changes nothing."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A question with a body."""
        self._answer(self._post)

    def _answer(self, method: Any) -> None:
        bodiless = self.headers.get("Content-Length", "0") == "0" and "Transfer-Encoding" not in self.headers
        self._body_read = self.command == "GET" and bodiless
        try:
            url = _address(self.path)
            self._require_own(url)
            method(url)
        except Refused as refusal:
            if self.command == "GET" and self.path.partition("?")[0] in ("/", *PAGES):  # somebody reads it as a page
                self._send(f"{refusal.reason}\n".encode(), "text/plain; charset=utf-8", refusal.status)
            else:
                self._send_json({"error": refusal.reason}, refusal.status)
        except (ArgumentError, DataError) as error:
            self._send_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)

    # --- who may ask -----------------------------------------------------------------------------------------

    def _require_own(self, url: urllib.parse.SplitResult) -> None:
        """Refuse what does not come from a page of this server."""
        hosts, origin = self.server.hosts, self.headers.get("Origin")
        given = self.headers.get_all("Host") or []
        if len(given) != 1 or given[0] not in hosts:
            raise Refused(HTTPStatus.FORBIDDEN, f"Host must be {hosts[0]}, got {shown(', '.join(given))}")
        if origin is None and self.command == "POST":
            raise Refused(HTTPStatus.FORBIDDEN, f"Origin must be http://{given[0]}, got none")
        if origin is not None and origin != f"http://{given[0]}":
            raise Refused(HTTPStatus.FORBIDDEN, f"Origin must be http://{given[0]}, got {shown(origin)}")
        opened = url.path in ("/", *PAGES)  # from wherever its address was clicked; it still needs the token
        if not opened and self.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise Refused(HTTPStatus.FORBIDDEN, "only pages of this server may ask")
        if not self._knows_token(url):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "the token is missing: open the address that python -m scratchnn.play has printed",
            )

    def _knows_token(self, url: urllib.parse.SplitResult) -> bool:
        given = [_query(url.query, "token")] if url.path in ("/", *PAGES) else []
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            cookie = None
        given += [cookie.value] if cookie is not None else []
        known = self.server.token.encode()
        return any(hmac.compare_digest(token.encode("utf-8", "replace"), known) for token in given)

    # --- what they may ask -----------------------------------------------------------------------------------

    def _get(self, url: urllib.parse.SplitResult) -> None:
        path = url.path
        if path in ("/", *PAGES):
            token = f"{self.server.cookie}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
            self._send(*self.server.files["/draw" if path == "/" else path], more={"Set-Cookie": token})
        elif path in self.server.files:
            self._send(*self.server.files[path])
        elif path == "/api/model":
            self._send_json(self.server.learning.state())
        elif path == "/api/choices":
            self._send_json(choices())
        elif path.startswith("/api/sessions/") and path.endswith("/events"):
            self._stream(path[len("/api/sessions/") : -len("/events")], url.query)
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _post(self, url: urllib.parse.SplitResult) -> None:
        given = self._body()
        path = url.path
        if path == "/api/draw":
            self._send_json(self._recognised(given))
        elif path == "/api/sessions":
            opened = self.server.sessions.open(Settings(given))
            if opened is None:
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many networks learn here: close another page first")
            name, session = opened
            self._send_json({"session": name, **session.description(), "frame": session.frame()})
        elif path.startswith("/api/sessions/"):
            self._command(path[len("/api/sessions/") :], given)
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _recognised(self, given: dict[str, Any]) -> dict[str, Any]:
        recogniser: Recogniser | None = self.server.learning.recogniser
        if recogniser is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the network still learns: wait a moment")
        _require_parts(given, {"width": int, "ink": str})
        try:
            ink = binascii.a2b_base64(given["ink"].encode("ascii"))
        except (ValueError, binascii.Error):
            raise Refused(HTTPStatus.BAD_REQUEST, "ink must be bytes as base64") from None
        return recogniser.answer(ink, given["width"])

    def _command(self, name: str, given: dict[str, Any]) -> None:
        _require_parts(given, {"command": str})
        command = given["command"]
        if command not in ("train", "pause", "step", "epoch", "close"):
            raise ArgumentError(f"command must be train, pause, step, epoch or close, got {shown(command)}")
        session = self.server.sessions.find(name)
        if session is None:
            raise Refused(HTTPStatus.NOT_FOUND, "this network is no longer here: start again")
        if command == "close":
            self.server.sessions.drop(name)
        else:
            session.command(command)
        self._send_json({"status": session.status})

    def _stream(self, name: str, query: str) -> None:
        """Frames of a session as server-sent events, as long as somebody reads them."""
        session = self.server.sessions.find(name)
        if session is None:
            raise Refused(HTTPStatus.NOT_FOUND, "this network is no longer here: start again")
        losses = _whole_number(query, "losses")
        self.close_connection = True
        self._send_headers(HTTPStatus.OK, "text/event-stream", None)
        known = -1, ""
        try:
            while not self.server.ending.is_set() and not session.closed:
                session.seen()
                if session.wait(known, HEARTBEAT) == known:
                    self.wfile.write(b": still here\n\n")
                    continue
                frame = session.frame(losses)
                losses = frame["losses_from"] + len(frame["losses"])
                known = frame["number"], frame["status"]
                self.wfile.write(b"data: " + json.dumps(frame).encode() + b"\n\n")
                self.server.ending.wait(FRAME_PAUSE)
            self.wfile.write(b"event: end\ndata: {}\n\n")
        except OSError:  # the page was closed
            pass

    # --- reading and writing ---------------------------------------------------------------------------------

    def _body(self) -> dict[str, Any]:
        """The request's JSON object."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") is not None or not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "Content-Length must say how long the body is")
        if len(length) > 12 or int(length) > MOST_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {MOST_BYTES} bytes at most")
        if kind != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        text = self.rfile.read(int(length))
        if len(text) < int(length):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is shorter than its Content-Length")
        self._body_read = True
        try:
            given = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        if not isinstance(given, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
        return given

    def _send_json(self, answer: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(answer).encode(), "application/json", status)

    def _send(
        self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, more: dict[str, str] | None = None
    ) -> None:
        if not self._body_read:  # what is left of it would be taken for the next request
            self.close_connection = True
        self._send_headers(status, kind, len(body), more)
        self.wfile.write(body)

    def _send_headers(
        self, status: HTTPStatus, kind: str, length: int | None, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in {**HEADERS, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses (odd methods, request lines, too many headers), as JSON."""
        self.close_connection = True
        self._body_read = False
        try:
            status = HTTPStatus(code)
        except ValueError:
            status = HTTPStatus.BAD_REQUEST
        self._send_json({"error": message or status.phrase}, status)


def _require_parts(given: dict[str, Any], parts: dict[str, type]) -> None:
    """``ArgumentError`` unless these and no other parts are there, each of its type."""
    if given.keys() != parts.keys():
        raise ArgumentError(f"the body must have {' and '.join(parts)}, got {shown(list(given))}")
    for name, kind in parts.items():
        if type(given[name]) is not kind:
            wanted = {int: "a whole number", str: "a text"}[kind]
            raise ArgumentError(f"{name} must be {wanted}, got {shown(given[name])}")


def _address(text: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(text)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "this is no address") from None


def _query(query: str, name: str) -> str:
    """A part of the address's query, "" if it is not there."""
    try:
        return urllib.parse.parse_qs(query, max_num_fields=4).get(name, [""])[0]
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the address asks for too much") from None


def _whole_number(query: str, name: str) -> int:
    """A number of the address's query, 0 if it is not there."""
    text = _query(query, name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ArgumentError(f"{name} must be a whole number, got {shown(text)}")
    return int(text)


def _no_constant(text: str) -> Any:
    raise Refused(HTTPStatus.BAD_REQUEST, f"{text} is no JSON")


def _read(name: str) -> bytes:
    data = pkgutil.get_data(__package__, f"pages/{name}")
    assert data is not None
    return data
