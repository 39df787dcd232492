"""``python -m scratchnn.play`` as it is called: what it opens, what it refuses, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from scratchnn import Linear, Model
from scratchnn.play import main
from scratchnn.play.learning import Learning
from scratchnn.play.server import PlayServer
from tests.commands import Runner, refused

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_it_serves_until_ctrl_c() -> None:
    command = [sys.executable, "-u", "-m", "scratchnn.play", "--no-browser"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"open (http://127\.0\.0\.1:\d+/\?token=[\w-]{32})\n", line)
            assert found
            with urllib.request.urlopen(found[1], timeout=60) as page:
                assert b"<title>Draw" in page.read()
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(found[1][:-1], timeout=60)
            process.send_signal(signal.SIGINT)
            assert "Ctrl-C" in process.stdout.readline()
            err = process.communicate(timeout=60)[1]
            assert (process.returncode, err) == (0, "stopped\n")
        finally:
            process.kill()


def test_ctrl_c_ends_it_also_while_a_connection_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come when the connection's thread is at its end already, and is still waited for to begin."""
    start = threading.Thread.start

    def start_and_be_interrupted(thread: threading.Thread) -> None:
        start(thread)
        thread.join(60)
        raise KeyboardInterrupt

    with PlayServer(Learning(), 0) as server, socket.create_connection(server.server_address) as browser:
        browser.close()
        monkeypatch.setattr(threading.Thread, "start", start_and_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.handle_request()
        monkeypatch.undo()
        server.end()


def test_a_model_that_does_not_fit_is_refused(call: Runner, tmp_path: Path) -> None:
    model = Model.from_layers([Linear(3, 2)])
    model.fit([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0]], [0, 1], epochs=1)
    model.save(tmp_path / "model.pkl")
    assert "square grey images" in refused(call(main, tmp_path / "model.pkl", "--no-browser"))
    assert "missing.pkl" in refused(call(main, tmp_path / "missing.pkl", "--no-browser"))


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_ports_that_there_are_not_are_refused(call: Runner, port: str) -> None:
    assert "--port" in refused(call(main, "--port", port))


def test_a_port_that_is_taken_is_said(call: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(call(main, "--no-browser", "--port", port))
        assert f"port {port} cannot be listened at" in said and "choose another --port" in said


def test_the_browser_is_opened_and_not_waited_for(monkeypatch: pytest.MonkeyPatch, call: Runner) -> None:
    """One that runs in the terminal returns when it is ended: it must be answered meanwhile."""
    answered, go_on = threading.Event(), threading.Event()

    def browse(address: str) -> None:
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"<title>Draw" in page.read()
        answered.set()
        go_on.wait(60)

    def serve(server: PlayServer, poll_interval: float = 0.5) -> None:
        thread = threading.Thread(target=lambda: (answered.wait(60), server.shutdown()))
        thread.start()
        original(server, 0.02)
        thread.join()
        raise KeyboardInterrupt

    original = PlayServer.serve_forever
    monkeypatch.setattr(PlayServer, "serve_forever", serve)
    monkeypatch.setattr("webbrowser.open", browse)
    code, out, err = call(main)
    go_on.set()
    assert answered.is_set() and code == 0 and out.startswith("open http://127.0.0.1:") and err == "stopped\n"
