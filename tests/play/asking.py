"""How tests ask the server: as a page of it would, unless they say otherwise."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

from scratchnn.play.server import PlayServer

UPRIGHT = bytes(255 * (8 <= k % 20 < 11) for k in range(400))  # drawings of 20 pixels a row
LYING = bytes(255 * (8 <= k // 20 < 11) for k in range(400))


class Client:
    """A browser that has opened the address; ``headers`` given to a call replace its own, None leaves one out."""

    def __init__(self, server: PlayServer) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers: dict[str, str | None] = {
            "Host": f"127.0.0.1:{server.port}",
            "Origin": f"http://127.0.0.1:{server.port}",
            "Cookie": f"{server.cookie}={server.token}",
            "Sec-Fetch-Site": "same-origin",
        }

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> tuple[int, Any]:
        """(status, answer as JSON or bytes); ``body`` may be bytes, or anything that becomes JSON."""
        response = self.response(method, path, body, **headers)
        data = response.read()
        is_json = response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(data) if is_json else data

    def response(self, method: str, path: str, body: Any = None, **headers: str | None) -> http.client.HTTPResponse:
        """The answer, to be read."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if body is not None else {}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {k: v for k, v in {**self.headers, **kind, **given}.items() if v is not None}
        self.connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            self.connection.putheader(name, value)
        if body is not None and "Content-Length" not in given:
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body)
        return self.connection.getresponse()

    def draw(self, ink: bytes = UPRIGHT, width: int = 20) -> tuple[int, Any]:
        """What the page asks while somebody draws."""
        return self.ask("POST", "/api/draw", {"width": width, "ink": base64.b64encode(ink).decode()})

    def close(self) -> None:
        """Hang up."""
        self.connection.close()
