"""What strangers wrote never reaches a terminal raw, and every line that is shown is one line."""

from __future__ import annotations

import ast
import io
import socket
import sys
import threading
import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import cli, datasets, train
from scratchnn.escapes import printable, printable_lines
from scratchnn.progress import ByteProgress, LiveLine

CLEAR_SCREEN = "\x1b[2J\x1b[H"
NASTY = [CLEAR_SCREEN, "a\rb", "a\nb", "\x07", "\x9b2J", "\u202eabc", "\u2028", "\x7f", "\udc9b", "\u200f"]


@given(st.text() | st.sampled_from(NASTY))
def test_what_is_shown_has_visible_characters_and_spaces_only(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert printable(shown) == shown
    # Nothing is lost: Python reads the escapes back, where the text had no backslashes of its own.
    if "\\" not in text:
        assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_line_breaks_that_are_meant_stay() -> None:
    assert printable_lines("a\x1b\nb\r\nc") == "a\\x1b\nb\\r\nc"
    assert printable("größe 😀 日本") == "größe 😀 日本"


@pytest.mark.parametrize("text", NASTY)
def test_the_command_lines_say_and_complain_in_printable_characters(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.say(f"before {text} after")
    cli.complain(f"before {text} after")
    with pytest.raises(SystemExit):
        cli.Parser().parse_args([f"--{text}"])

    def failing(_: object) -> int:
        raise OSError(5, text, f"folder/{text}")

    assert cli.run(failing, None) == 2
    out, err = capsys.readouterr()
    lines = out.split("\n")[:-1] + err.split("\n")[:-1]
    assert len(lines) == 4 + (text == "a\nb")  # of what is said, line breaks may be meant
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("text", NASTY)
def test_the_progress_display_writes_printable_characters(text: str) -> None:
    stream = io.StringIO()
    line = LiveLine(stream, live=True, colour=False)
    line.draw(text, 0.5, [text])
    line.say(text)
    ByteProgress(text, 100, stream, live=False).finish()
    written = stream.getvalue()
    assert written.count("\n") == 2
    # The live line begins with a carriage return, and so does erasing it; lasting lines end in line ends.
    assert all(c.isprintable() or c in "\r\n" for c in written)
    assert text not in written
    assert written.count("\r") == 3


def test_class_names_and_paths_cannot_draw_on_the_terminal_of_who_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [f'"{CLEAR_SCREEN}"', '"b\nmodel saved in /etc/passwd"']
    rows = [f"{i},{names[i % 2]}" for i in range(20)]
    path = tmp_path / "rows\x1b[2J.csv"
    path.write_text("\n".join([f'a,"label{CLEAR_SCREEN}"', *rows]), encoding="utf-8")
    assert train.main([str(path), "--epochs", "1"]) == 0
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert all(line.isprintable() for line in text.split("\n"))
    assert not [line for line in captured.out.split("\n") if line.startswith("model saved in /etc")]
    assert r"\x1b[2J\x1b[H b\nmodel saved" in captured.out


def test_a_server_s_status_line_is_shown_in_printable_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = b"HTTP/1.0 503 \x1b[2J\x9b1m gone\x07\r\nContent-Length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        mirror = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert datasets.main(["mnist", "--to", str(tmp_path), "--mirror", mirror, "--quiet"]) == 2
        with suppress(OSError):  # some systems only shut down what is connected; closing it then wakes the thread
            server.shutdown(socket.SHUT_RDWR)
    thread.join()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert r"503 \x1b[2J\x9b1m gone\x07" in err


def test_the_doors_print_through_one_place() -> None:
    """``print`` and writes to the standard streams stand where text is made printable, and in filters for data."""
    package = Path(cli.__file__).parent
    found = {}
    for path in sorted(package.rglob("*.py")):
        calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        names = {ast.unparse(call.func) for call in calls}
        found[path.name] = names & {"print", "sys.stdout.write", "sys.stderr.write"}
    assert {name: calls for name, calls in found.items() if calls} == {
        "cli.py": {"print", "sys.stderr.write"},
    }


def test_escapes_do_not_fail_where_the_locale_is_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, standard output is ASCII with "surrogateescape", which raises for everything but surrogates."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="surrogateescape"))

    def showing(_: object) -> int:
        cli.say("größe \udcff")
        return 0

    assert cli.run(showing, None) == 0
    assert raw.getvalue().decode("ascii").rstrip() == r"gr\xf6\xdfe \udcff"
