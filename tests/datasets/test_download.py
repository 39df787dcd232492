"""Downloading, against a server on loopback: resuming, mirrors that fail in every way, md5, and nothing half done."""

from __future__ import annotations

import errno
import hashlib
import http.client
import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scratchnn import datasets
from scratchnn.datasets import download, patient_http
from scratchnn.datasets.download import DownloadError, download_mnist
from scratchnn.saving import atomic
from scratchnn.saving.atomic import Lock

CONTENT = bytes(range(256)) * 1000
FILES = {"a.gz": CONTENT, "b.gz": b"labels"}
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}


class Handler(BaseHTTPRequestHandler):
    """A mirror with a folder for each way to behave: /good/a.gz, /error/a.gz, ..."""

    server: Server

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        way, name = self.path.lstrip("/").split("/")
        content = FILES[name]
        asked = self.headers.get("Range")
        self.server.requests.append((way, name, asked))
        start = int(asked[len("bytes=") : -1]) if asked else 0
        if way == "error":
            self.send_error(503)
        elif way == "whole" or (way == "refuses" and not asked):  # "whole" has never heard of ranges
            self.answer(200, content)
        elif way == "refuses" or (start and start >= len(content)):
            self.send_error(416)
        elif way == "elsewhere" and asked:
            self.answer(206, content[1:], 1)
        elif way == "wrong":
            self.answer(206 if asked else 200, b"?" * (len(content) - start), start)
        elif way == "short":
            self.answer(206 if asked else 200, content[start:], start, send=1000)
        elif way == "unsized":
            self.answer(200, content, length=False)
        elif way == "silent":
            self.server.released.wait(10)
        elif way == "nonsense":
            self.wfile.write(b"what?\r\n\r\n")
        elif way == "gated":
            self.server.released.wait(10)
            self.answer(200, content)
        elif way == "negative":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n")
        elif way == "circle":
            self.redirect(self.path)
        elif way == "away":
            self.redirect("ftp://127.0.0.1/a.gz")
        elif way == "moved":
            self.redirect(f"/good/{name}")
        elif way == "flood":
            self.redirect(f"/good/{name}", flood=True)
        else:
            self.answer(206 if asked else 200, content[start:], start)

    def answer(self, code: int, body: bytes, start: int = 0, send: int | None = None, length: bool = True) -> None:
        self.send_response(code)
        if length:
            self.send_header("Content-Length", str(len(body)))
        if code == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{start + len(body)}")
        self.end_headers()
        self.wfile.write(body[:send])

    def redirect(self, target: str, flood: bool = False) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()
        while flood and self.server.flooded < 100 << 20:
            try:
                self.wfile.write(bytes(1 << 16))
            except OSError:  # nobody listens any more
                break
            self.server.flooded += 1 << 16


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str, str | None]] = []
        self.released = threading.Event()
        self.flooded = 0  # bytes

    def url(self, way: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{way}/"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        running.released.set()
        running.shutdown()
        running.server_close()
        thread.join()


class Recorder:
    """Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __call__(self, name: str, total: int | None) -> Recorder:
        self.told.append((name, total))
        return self

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.told.append("closed")

    def update(self, done: int) -> None:
        self.told.append(done)


def fetch(folder: Path, server: Server, *ways: str, name: str = "a.gz", **options: Any) -> None:
    paths = download_mnist(folder, mirrors=[server.url(way) for way in ways], files={name: MD5[name]}, **options)
    assert paths == [str(folder / name)]
    assert (folder / name).read_bytes() == FILES[name]
    assert not (folder / f"{name}.part").exists()


def refusal(folder: Path, server: Server, *ways: str, **options: Any) -> str:
    with pytest.raises(DownloadError) as caught:
        fetch(folder, server, *ways, **options)
    assert not (folder / "a.gz").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_files_with_progress(tmp_path: Path, server: Server) -> None:
    progress = Recorder()
    folder = tmp_path / "new" / "folder"
    paths = download_mnist(folder, mirrors=[server.url("good").rstrip("/")], files=MD5, progress=progress)
    assert [Path(path).read_bytes() for path in paths] == list(FILES.values())
    assert sorted(path.name for path in folder.iterdir()) == ["a.gz", "b.gz"]
    assert progress.told[:2] == [("a.gz", len(CONTENT)), 0]
    assert progress.told[-5:] == ["closed", ("b.gz", 6), 0, 6, "closed"]
    seen = [done for done in progress.told[: progress.told.index("closed")] if isinstance(done, int)]
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_what_is_right_already_is_left_alone(tmp_path: Path, server: Server) -> None:
    (tmp_path / "a.gz").write_bytes(CONTENT)
    fetch(tmp_path, server, "error")
    assert server.requests == []


def test_what_is_wrong_is_fetched_again(tmp_path: Path, server: Server) -> None:
    (tmp_path / "a.gz").write_bytes(b"something else")
    fetch(tmp_path, server, "good")


def test_a_wrong_file_is_kept_until_there_is_a_right_one(tmp_path: Path, server: Server) -> None:
    (tmp_path / "a.gz").write_bytes(b"something else")
    with pytest.raises(DownloadError):
        fetch(tmp_path, server, "wrong")
    assert (tmp_path / "a.gz").read_bytes() == b"something else"


@pytest.mark.parametrize("way", ["good", "whole", "unsized", "refuses"])
def test_a_part_is_gone_on_with(tmp_path: Path, server: Server, way: str) -> None:
    (tmp_path / "a.gz.part").write_bytes(CONTENT[:1000])
    progress = Recorder()
    fetch(tmp_path, server, way, progress=progress)
    assert server.requests[0] == (way, "a.gz", "bytes=1000-")
    resumed = way == "good"
    assert len(server.requests) == (2 if way == "refuses" else 1)
    assert progress.told[0] == ("a.gz", None if way == "unsized" else len(CONTENT))
    assert progress.told[1] == (1000 if resumed else 0)


def test_a_part_that_is_whole_only_lacks_its_name(tmp_path: Path, server: Server) -> None:
    (tmp_path / "a.gz.part").write_bytes(CONTENT)
    fetch(tmp_path, server, "error")
    assert server.requests == []


@pytest.mark.parametrize(
    "part", [b"?" * 1000, CONTENT + b"?", b"?" * len(CONTENT)], ids=["wrong", "too long", "as long"]
)
@pytest.mark.parametrize("way", ["good", "whole"])
def test_a_wrong_part_is_thrown_away(tmp_path: Path, server: Server, part: bytes, way: str) -> None:
    (tmp_path / "a.gz.part").write_bytes(part)
    fetch(tmp_path, server, way)


@pytest.mark.parametrize("way", ["error", "wrong", "nonsense", "short"])
def test_the_next_mirror_is_tried(tmp_path: Path, server: Server, way: str) -> None:
    fetch(tmp_path, server, way, "good")
    assert server.requests[-1] == ("good", "a.gz", "bytes=1000-" if way == "short" else None)


def test_the_next_mirror_after_one_that_is_not_there(tmp_path: Path, server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        download_mnist(tmp_path, mirrors=[address, server.url("good")], files={"b.gz": MD5["b.gz"]})
    assert (tmp_path / "b.gz").read_bytes() == b"labels"


def test_the_next_mirror_after_one_that_sends_another_piece(tmp_path: Path, server: Server) -> None:
    (tmp_path / "a.gz.part").write_bytes(CONTENT[:1000])
    fetch(tmp_path, server, "elsewhere", "good")
    assert server.requests[-1] == ("good", "a.gz", "bytes=1000-")


@pytest.mark.parametrize(
    ("way", "answer"),
    [
        ("error", "answered 503 Service Unavailable"),
        ("wrong", "the md5 of what came is wrong"),
        ("short", "broke off after 1000 "),
        ("silent", "no answer in time"),
        ("nonsense", ""),
    ],
)
def test_no_mirror_delivers(tmp_path: Path, server: Server, way: str, answer: str) -> None:
    text = refusal(tmp_path, server, way, timeout=0.2 if way == "silent" else 10)
    assert text.startswith(f"no mirror delivered a.gz; {server.url(way)}a.gz: {answer}")
    assert (tmp_path / "a.gz.part").exists() == (way == "short")  # kept to go on with


def test_every_mirror_is_named(tmp_path: Path, server: Server) -> None:
    text = refusal(tmp_path, server, "error", "wrong")
    assert text.index("/error/a.gz: answered 503") < text.index("/wrong/a.gz: the md5 of what came is wrong")


def test_a_mirror_that_never_ends_is_stopped(tmp_path: Path, server: Server) -> None:
    assert "sent more than 100000 bytes" in refusal(tmp_path, server, "good", max_bytes=100_000)


class SlowSocket:
    """Stands in for a connection: what it sends comes in pieces, each after some seconds."""

    now = 0.0  # the time

    def __init__(self, sent: bytes, piece: int, seconds: float) -> None:
        self.left, self.piece, self.seconds = sent, piece, seconds
        self.timeouts: list[float] = []

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(SlowStream(self))

    def settimeout(self, seconds: float) -> None:
        assert 0 < seconds <= 30
        self.timeouts.append(seconds)

    def sendall(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SlowStream(io.RawIOBase):
    def __init__(self, socket: SlowSocket) -> None:
        self.socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.socket.left[: min(len(buffer), self.socket.piece)]
        self.socket.left = self.socket.left[len(piece) :]
        SlowSocket.now += self.socket.seconds
        buffer[: len(piece)] = piece
        return len(piece)


OK = b"HTTP/1.0 200 OK\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SLOW = {
    "head": (OK + b"X: y\r\n" * 99 + b"\r\n" + CONTENT, 1, 1.0),
    "body": (OK + b"\r\n" + CONTENT, 1, 0.5),
    "chunks": (CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in CONTENT[:1000]), 6, 1.0),
    "whole": (OK + b"\r\n" + CONTENT, 40_000, 25.0),
    "good": (OK + b"\r\n" + CONTENT, 40_000, 0.0),
}


@pytest.fixture
def slow_web(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web of hosts that are named after what is slow with them, and a clock that they move."""

    def connect(connection: Any) -> None:
        connection.sock = SlowSocket(*SLOW[connection.host])

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    monkeypatch.setattr(SlowSocket, "now", 0.0)
    monkeypatch.setattr(patient_http, "clock", lambda: SlowSocket.now)
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.usefixtures("slow_web")
@pytest.mark.parametrize("host", ["head", "body", "chunks"])
def test_a_mirror_that_sends_a_byte_now_and_then_is_given_up(tmp_path: Path, host: str) -> None:
    """The socket's own timeout begins anew with each byte, and such a server would hold the download for ever."""
    with pytest.raises(DownloadError, match="no answer in time"):
        download_mnist(tmp_path, mirrors=[f"http://{host}/"], files={"a.gz": MD5["a.gz"]})
    assert 30 <= SlowSocket.now <= 61  # connecting and the answer's head have a time of their own


@pytest.mark.usefixtures("slow_web")
def test_many_slow_mirrors_do_not_keep_the_file_from_coming(tmp_path: Path) -> None:
    mirrors = [f"http://{host}/" for host in ["head", "body", "chunks"] * 2 + ["good"]]
    download_mnist(tmp_path, mirrors=mirrors, files={"a.gz": MD5["a.gz"]})
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


@pytest.mark.usefixtures("slow_web")
def test_a_mirror_that_is_fast_enough_but_not_done_by_the_deadline_is_given_up(tmp_path: Path) -> None:
    files = {"a.gz": MD5["a.gz"]}
    with pytest.raises(DownloadError) as caught:
        download_mnist(tmp_path, mirrors=["http://whole/"], files=files, deadline=60)
    came = (tmp_path / "a.gz.part").stat().st_size
    assert 80_000 < came < 120_000
    assert str(caught.value).endswith(f"whole/a.gz: broke off after {came} bytes (no answer in time)")
    download_mnist(tmp_path, mirrors=["http://whole/"], files=files, deadline=600)


@pytest.mark.parametrize("bytes_a_second", [999, 1001])
def test_patience(bytes_a_second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(patient_http, "clock", lambda: now)
    patience = patient_http.Patience(timeout=10, deadline=100)
    with pytest.raises(TimeoutError, match="timed out"):
        while now < 1000:
            assert 0 < patience.left() <= 10
            now += 1
            patience.came(bytes_a_second)
    assert now == (100 if bytes_a_second > 1000 else 10)


@pytest.mark.parametrize(
    ("way", "answer"),
    [
        ("circle", "answered 302 The HTTP server returned a redirect error that would lead to an infinite loop."),
        ("away", "unknown url type: ftp"),
        ("negative", "broke off after "),
    ],
)
def test_whatever_a_mirror_does_the_next_is_tried(tmp_path: Path, server: Server, way: str, answer: str) -> None:
    text = refusal(tmp_path, server, way)
    assert text.startswith(f"no mirror delivered a.gz; {server.url(way)}a.gz: {answer}")
    assert len(text) < 500
    fetch(tmp_path, server, way, "good")


@pytest.mark.parametrize("failure", [ValueError("odd"), IndexError(3), AssertionError(), MemoryError()])
def test_whatever_reading_raises_the_next_is_tried(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """No list of what can go wrong within http.client and urllib is complete."""
    really = patient_http.open_url

    def failing(url: str, *rest: Any) -> Any:
        if "/error/" in url:
            raise failure
        return really(url, *rest)

    monkeypatch.setattr(patient_http, "open_url", failing)
    fetch(tmp_path, server, "error", "good")


def test_a_mirror_may_redirect(tmp_path: Path, server: Server) -> None:
    fetch(tmp_path, server, "moved")


def test_what_comes_with_a_redirect_is_not_read(tmp_path: Path, server: Server) -> None:
    fetch(tmp_path, server, "flood")
    assert server.flooded < 50 << 20  # what fits into the buffers of two sockets


def test_two_downloads_into_one_folder_do_not_disturb_each_other(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the first, which is not done before that, and finds its work done."""

    class Waiting:
        @staticmethod
        def sleep(seconds: float) -> None:
            server.released.set()

    monkeypatch.setattr(download, "time", Waiting)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            fetch(tmp_path, server, "gated")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert server.released.is_set()
    assert len(server.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


def test_a_download_that_never_ends_is_not_waited_for_for_ever(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    class Waiting:
        sleep = slept.append

    monkeypatch.setattr(download, "time", Waiting)
    monkeypatch.setattr(download, "DEADLINE", 10.0)
    with Lock(tmp_path / "a.gz"):
        assert f"a.gz: in use by process {os.getpid()}" in refusal(tmp_path, server, "good")
    assert 10 <= sum(slept) < 11
    assert server.requests == []


def test_a_file_system_without_locks(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(descriptor: int, wait: bool = False) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(atomic, "lock_file", without)
    fetch(tmp_path, server, "good")


@pytest.mark.skipif(os.name == "nt", reason="links as POSIX has them")
@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("name", ["a.gz.part", ".a.gz.lock"])
def test_what_a_link_with_a_helping_name_points_to_is_left_alone(
    tmp_path: Path, server: Server, name: str, link: Callable[[Path, Path], None]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "precious").write_bytes(b"123")
    link(tmp_path / "precious", folder / name)
    assert f"{name} is a" in refusal(folder, server, "good", "whole")
    assert (tmp_path / "precious").read_bytes() == b"123"


def test_ctrl_c_keeps_the_part(tmp_path: Path, server: Server) -> None:
    class Interrupted(Recorder):
        def update(self, done: int) -> None:
            if done >= 100_000:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, server, "good", progress=Interrupted())
    kept = (tmp_path / "a.gz.part").read_bytes()
    assert len(kept) >= 100_000
    assert CONTENT.startswith(kept)
    fetch(tmp_path, server, "good")
    assert server.requests[-1] == ("good", "a.gz", f"bytes={len(kept)}-")


def test_a_folder_that_cannot_be_made(tmp_path: Path, server: Server) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"cannot make the folder .*file"):
        fetch(tmp_path / "file", server, "good")


def test_a_part_that_cannot_be_written(tmp_path: Path, server: Server) -> None:
    (tmp_path / "a.gz.part").mkdir()
    with pytest.raises(DownloadError, match=r"cannot write .*a\.gz\.part: "):
        fetch(tmp_path, server, "good")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mirrors": ["ftp://somewhere/"]}, "a mirror must be an address that starts with http:// or https://"),
        ({"mirrors": []}, "at least one mirror is needed"),
        ({"timeout": 0}, "timeout must be a positive number of seconds, got 0"),
        ({"timeout": float("nan")}, "timeout must be a positive number of seconds, got nan"),
        ({"deadline": -1}, "deadline must be a positive number of seconds, got -1"),
    ],
)
def test_misuse(tmp_path: Path, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        download_mnist(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_mnist_is_what_is_fetched() -> None:
    assert sorted(download.MNIST_FILES) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in download.MNIST_FILES.values())
    assert len(download.MIRRORS) > 1
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in download.MIRRORS)


# --- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command fetches two small files in place of MNIST's four."""
    monkeypatch.setitem(download_mnist.__kwdefaults__, "files", MD5)


@pytest.mark.usefixtures("small_files")
def test_command(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["mnist", "--to", str(tmp_path), "--mirror", server.url("error"), "--mirror", server.url("good")]
    assert datasets.main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(tmp_path / "a.gz"), str(tmp_path / "b.gz")]
    assert "a.gz" in err
    assert "b.gz" in err
    assert datasets.main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(server.requests) == 4


@pytest.mark.usefixtures("small_files")
def test_command_that_fails(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert datasets.main(["mnist", "--to", str(tmp_path), "--mirror", server.url("error")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: no mirror delivered a.gz; {server.url('error')}a.gz: answered 503 Service Unavailable\n"
    assert datasets.main(["mnist", "--to", str(tmp_path), "--mirror", "somewhere"]) == 2
    assert capsys.readouterr().err == (
        "error: a mirror must be an address that starts with http:// or https://, got 'somewhere'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: DATASET"),
        (["mnist"], "the following arguments are required: --to"),
        (["cifar", "--to", "x"], "argument DATASET: invalid choice: 'cifar' "),
        (["mnist", "--to", "x", "--what"], "unrecognized arguments: --what"),
        (["mnist", "--to", "x", "--timeout", "y"], "argument --timeout: must be a number, got 'y'"),
        (["mnist", "--to", "x", "--timeout", "0"], "argument --timeout: must be above 0 and below 1e+06, got 0"),
    ],
)
def test_command_misused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert datasets.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {message}")
    assert err.endswith(" (see --help)\n")
    assert err.count("\n") == 1


def test_command_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert datasets.main(["mnist", "--help"]) == 0
    assert "--mirror" in capsys.readouterr().out


def test_command_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "download_mnist", interrupted)
    assert datasets.main(["mnist", "--to", str(tmp_path)]) == 130
    assert capsys.readouterr().err.startswith("interrupted; what is here already is kept")
