"""What the server answers, to whom, and what it refuses with a reason."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Model
from scratchnn.play import server as serving
from scratchnn.play.learning import Learning
from scratchnn.play.server import FILES, PlayServer
from tests.play.asking import LYING, UPRIGHT, Client

PAGES = Path(serving.__file__).parent / "pages"
SMALL = {"samples": 20, "layers": [2]}

# --- pages ---------------------------------------------------------------------------------------------------


def test_the_opened_address_gives_the_page_and_a_cookie(server: PlayServer, client: Client) -> None:
    path = server.address.partition(str(server.port))[2]
    answer = client.response("GET", path, Cookie=None, Origin=None, Sec_Fetch_Site="none")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    cookie = answer.headers["Set-Cookie"]
    assert cookie == f"scratchnn-{server.port}={server.token}; HttpOnly; SameSite=Strict; Path=/"
    assert answer.read() == (PAGES / "draw.html").read_bytes()
    assert client.ask("GET", path.replace("/?", "/play?"), Cookie=None)[0] == 200


def test_every_file_of_the_pages_is_served_and_no_other(client: Client) -> None:
    assert {name for name, _ in FILES.values()} == {path.name for path in PAGES.iterdir()}
    for path, (name, kind) in FILES.items():
        answer = client.response("GET", path)
        assert answer.headers["Content-Type"] == kind
        assert answer.read() == (PAGES / name).read_bytes()


def test_every_answer_says_what_may_run(client: Client) -> None:
    for method, path in [
        ("GET", "/draw"),
        ("GET", "/draw.js"),
        ("GET", "/api/model"),
        ("GET", "/none"),
        ("PUT", "/draw"),
    ]:
        answer = client.response(method, path)
        answer.read()
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ") and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"].startswith("scratchnn") and "Python" not in answer.headers["Server"]


@pytest.mark.parametrize("page", ["draw.html", "play.html"])
def test_pages_have_nothing_inline_and_nothing_from_elsewhere(page: str) -> None:
    text = (PAGES / page).read_text(encoding="utf-8")
    assert "http" not in text and "//" not in text
    assert "style=" not in text and "<style" not in text and not re.search(r"\son\w+=", text)
    assert all("></script>" in part for part in text.split("<script")[1:])


# --- who may ask ---------------------------------------------------------------------------------------------


def test_only_this_machine_reaches_it(server: PlayServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Host": "evil.example"}, "Host must be 127.0.0.1"),
        ({"Host": "127.0.0.1"}, "Host must be"),
        ({"Host": "127.0.0.1:1"}, "Host must be"),
        ({"Host": None}, "Host must be"),
        ({"Origin": "http://evil.example"}, "Origin must be"),
        ({"Origin": "null"}, "Origin must be"),
        ({"Origin": None}, "Origin must be"),
        ({"Sec_Fetch_Site": "cross-site"}, "only pages of this server"),
        ({"Sec_Fetch_Site": "same-site"}, "only pages of this server"),
        ({"Cookie": None}, "the token is missing"),
        ({"Cookie": "scratchnn=guess"}, "the token is missing"),
        ({"Cookie": "=;=;=\x7f"}, "the token is missing"),
    ],
)
def test_others_are_refused(client: Client, headers: dict[str, Any], reason: str) -> None:
    status, answer = client.ask("POST", "/api/draw", {"width": 1, "ink": "AA=="}, **headers)
    assert status == 403 and reason in answer["error"]


def test_a_wrong_token_is_refused(server: PlayServer, client: Client) -> None:
    for wrong in ("", "x", server.token[:-1], server.token + "x", "%FF%FE", "%ED%A0%80"):
        assert client.ask("GET", f"/?token={wrong}", Cookie=f"{server.cookie}={wrong}")[0] == 403
        assert client.ask("GET", "/draw", Cookie=f"{server.cookie}={wrong}")[0] == 403
    raw = f"GET /?token=\xff HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {server.cookie}=\xff\r\n\r\n"
    assert said(server, raw.encode("latin-1"))[0] == 403
    assert client.ask("GET", f"/api/model?token={server.token}", Cookie=None)[0] == 403  # only a page may be opened


def test_a_page_without_the_token_says_how_to_open_it(client: Client) -> None:
    answer = client.response("GET", "/play", Cookie=None)
    assert (answer.status, answer.headers["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert answer.read() == b"the token is missing: open the address that python -m scratchnn.play has printed\n"


def test_localhost_is_this_machine_too(server: PlayServer, client: Client) -> None:
    host = f"localhost:{server.port}"
    assert client.ask("POST", "/api/sessions/x", {"command": "train"}, Host=host, Origin=f"http://{host}")[0] == 404
    assert client.ask("POST", "/api/sessions/x", {"command": "train"}, Host=host)[0] == 403  # the other one's page


@pytest.mark.parametrize(
    "path",
    ["/../server.py", "/pages/draw.html", "/draw.html", "/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "/api",
     "/api/sessions/../events", "/draw/", "/draw.js/..", "/\x00"],
)  # fmt: skip
def test_no_other_file_can_be_reached(client: Client, path: str) -> None:
    raw = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in client.headers.items()) + "\r\n"
    status, answer = said(client.server, raw.encode())
    assert status in (400, 404) and b"error" in answer


# --- what can be read ----------------------------------------------------------------------------------------


def said(server: PlayServer, raw: bytes) -> tuple[int, bytes]:
    """(status, body) of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 50_000, "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"width": NaN, "ink": ""}', "NaN is no JSON"),
        (b"{}", "must have width and ink"),
        (b'{"width": 1, "ink": "AA==", "more": 1}', "must have width and ink"),
        (b'{"width": "1", "ink": "AA=="}', "width must be a whole number"),
        (b'{"width": true, "ink": "AA=="}', "width must be a whole number"),
        (b'{"width": 1, "ink": 5}', "ink must be a text"),
        (b'{"width": 1, "ink": "\xc3\xa9"}', "ink must be bytes as base64"),
        (b'{"width": 1, "ink": "A"}', "ink must be bytes as base64"),
        (b'{"width": 3, "ink": "AAAA/w=="}', "whole rows of 3 pixels"),
        (b'{"width": 0, "ink": "AAAA"}', "whole rows of 0 pixels"),
        (b'{"width": 99999999999999999999, "ink": "AAAA"}', "whole rows"),
        (b'{"width": ' + b"9" * 5000 + b', "ink": "AAAA"}', ""),
    ],
)
def test_what_cannot_be_read_is_400_with_a_reason(client: Client, body: bytes, reason: str) -> None:
    status, answer = client.ask("POST", "/api/draw", body)
    assert status == 400 and reason in answer["error"]
    assert client.draw()[0] == 200  # on the same connection, or a new one


def test_bodies_are_bounded(server: PlayServer, client: Client) -> None:
    for length in ("131073", "9" * 30):
        status, answer = client.ask("POST", "/api/draw", b"{}", Content_Length=length)
        assert status == 413 and "131072 bytes at most" in answer["error"]
    for length in ("-1", "x", "1e3", "", "²"):
        head = f"POST /api/draw HTTP/1.1\r\nContent-Length: {length}\r\n"
        rest = "".join(f"{k}: {v}\r\n" for k, v in client.headers.items())
        assert said(server, (head + rest + "\r\n{}").encode("latin-1"))[0] == 411
    assert client.ask("POST", "/api/draw", b"", Transfer_Encoding="chunked")[0] == 411
    assert client.ask("POST", "/api/draw", b"{}", Content_Type="text/plain")[0] == 415
    status, answer = client.ask("POST", "/api/draw", {"width": 1, "ink": base64.b64encode(bytes(70_000)).decode()})
    assert status == 400 and "65536 pixels at most" in answer["error"]


def test_a_body_that_ends_early_is_refused(client: Client) -> None:
    head = "POST /api/draw HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
    rest = "".join(f"{k}: {v}\r\n" for k, v in client.headers.items())
    status, answer = said(client.server, (head + rest + "\r\n{}").encode())
    assert status == 400 and b"shorter than its Content-Length" in answer


def test_what_follows_a_refused_body_is_no_request(client: Client) -> None:
    hidden = b"GET /api/model HTTP/1.1\r\nHost: x\r\n\r\n"
    raw = f"POST /api/draw HTTP/1.1\r\nHost: evil.example\r\nContent-Length: {len(hidden)}\r\n\r\n"
    status, answer = said(client.server, raw.encode() + hidden)
    assert status == 403 and answer.count(b"HTTP/1.1") == 0


@pytest.mark.parametrize(
    "raw", [b"\r\n\r\n", b"HELLO\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00"]
)
def test_what_is_no_request_does_no_harm(client: Client, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65536)
    assert client.draw()[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    assert client.response(method, "/draw").status == 501


# --- draw ----------------------------------------------------------------------------------------------------


def test_a_drawing_is_recognised(client: Client, bars: Model) -> None:
    status, answer = client.draw(UPRIGHT)
    assert (status, answer["winner"]) == (200, 1)
    assert answer["probabilities"] == [round(p, 6) for p in bars.predict_proba([bytes(answer["image"])])[0]]
    assert client.draw(LYING)[1]["winner"] == 0
    assert client.ask("GET", "/api/model")[1]["classes"] == ["0", "1"]


def test_100_clients_at_once_get_right_answers(server: PlayServer) -> None:
    drawings = [bytes(255 * (k % 20 in (n % 17, n % 17 + 1 + n % 3)) for k in range(400)) for n in range(100)]
    recogniser = server.learning.recogniser
    assert recogniser is not None
    expected = [recogniser.answer(ink, 20) for ink in drawings]
    clients, answers = [Client(server) for _ in drawings], [None] * 100
    together = threading.Barrier(100)

    def ask(number: int) -> None:
        together.wait(60)
        answers[number] = clients[number].draw(drawings[number])  # type: ignore[call-overload]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert answers == [(200, answer) for answer in expected]


def test_without_a_model_it_learns_the_shipped_digits_first() -> None:
    learning = Learning(epochs=2)
    assert learning.state() == {"ready": False, "progress": 0.0, "error": ""}
    serving = PlayServer(learning)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    client = Client(serving)
    try:
        assert client.draw()[0] == 503
        learning.start()
        seen = [client.ask("GET", "/api/model")[1]]
        while not seen[-1]["ready"]:
            seen.append(client.ask("GET", "/api/model")[1])
        assert seen[-1]["side"] == 8 and seen[-1]["classes"] == list("0123456789")
        assert seen[-1]["accuracy"] > 0.8
        progress = [state["progress"] for state in seen]
        assert progress == sorted(progress) and progress[-1] == 1.0
        assert client.draw()[0] == 200
    finally:
        client.close()
        serving.shutdown()
        thread.join()
        serving.end()


def test_learning_can_be_stopped() -> None:
    learning = Learning(epochs=10_000)
    learning.start()
    learning.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "scratchnn digits"]
    assert not learning.state()["ready"]


# --- play ----------------------------------------------------------------------------------------------------


def opened(client: Client, **settings: Any) -> dict[str, Any]:
    status, answer = client.ask("POST", "/api/sessions", {**SMALL, **settings})
    assert status == 200
    return dict(answer)


def events(client: Client, name: str, query: str = "") -> Any:
    """The frames of a session as they come."""
    response = client.response("GET", f"/api/sessions/{name}/events{query}")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
    for line in response:
        if line.startswith(b'data: {"number"'):
            yield json.loads(line[6:])
        elif line.startswith(b"event: end"):
            return


def test_a_session_trains_and_streams_frames(server: PlayServer, client: Client) -> None:
    session = opened(client, data="moons")
    assert session["frame"]["status"] == "ready" and len(session["points"]) == 20
    name, other = session["session"], Client(server)
    frames = events(client, name)
    assert next(frames)["number"] == 0
    assert other.ask("POST", f"/api/sessions/{name}", {"command": "train"}) == (200, {"status": "training"})
    seen = [next(frames)]
    while seen[-1]["epoch"] < 5:
        seen.append(next(frames))
    numbers = [frame["number"] for frame in seen]
    assert numbers == sorted(set(numbers))
    losses = [loss for frame in seen for loss in frame["losses"]]
    assert len(losses) >= 4
    other.ask("POST", f"/api/sessions/{name}", {"command": "pause"})
    while seen[-1]["status"] != "paused":
        seen.append(next(frames))
    other.ask("POST", f"/api/sessions/{name}", {"command": "close"})
    assert list(frames) == []  # the stream ends with its session
    assert other.ask("POST", f"/api/sessions/{name}", {"command": "train"})[0] == 404
    other.close()


def test_a_change_of_status_is_sent_at_once(client: Client) -> None:
    """Also if it comes while the last frame is on its way."""
    name = opened(client)["session"]
    session = client.server.sessions.find(name)
    assert session is not None
    frames = events(client, name)
    assert next(frames)["status"] == "ready"
    session.status = "failed"
    assert session.wait((0, "ready"), 60.0) == (0, "failed")
    session.wait((0, "failed"), 0.0)
    client.server.sessions.drop(name)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"layers": [99]}, "at most 16"), ({"samples": 10**9}, "at most 1000"), ({"data": "mnist"}, "unknown data")],
)
def test_settings_beyond_the_limits_are_400(client: Client, settings: dict[str, Any], reason: str) -> None:
    status, answer = client.ask("POST", "/api/sessions", settings)
    assert status == 400 and reason in answer["error"]


def test_odd_commands_and_sessions_are_refused(client: Client) -> None:
    name = opened(client)["session"]
    for body in ({"command": "explode"}, {"command": ["train"]}, {}, {"command": "train", "times": 5}):
        assert client.ask("POST", f"/api/sessions/{name}", body)[0] == 400
    for path in ("/api/sessions/none", "/api/sessions/", f"/api/sessions/{name}/x"):
        assert client.ask("POST", path, {"command": "train"})[0] == 404
    assert client.ask("GET", "/api/sessions/none/events")[0] == 404
    for query in ("?losses=-1", "?losses=x", "?losses=99999999999999", "?losses=%C2%B2", "?" + "&".join("abcdef")):
        assert client.ask("GET", f"/api/sessions/{name}/events{query}")[0] == 400
    client.ask("POST", f"/api/sessions/{name}", {"command": "close"})


def test_there_are_only_so_many_sessions(server: PlayServer, client: Client) -> None:
    names = [opened(client)["session"] for _ in range(16 - len(server.sessions))]
    status, answer = client.ask("POST", "/api/sessions", SMALL)
    assert status == 503 and "too many" in answer["error"]
    for name in names:
        client.ask("POST", f"/api/sessions/{name}", {"command": "close"})
    assert opened(client)
