"""The page of ``examples/browser`` in headless Chromium: it loads Python, learns without freezing, and reads drawings.

Needs the npm package pyodide (see ``in_pyodide.py``), Playwright and Chromium (see ``tests/browsers.py``). The page
is put together as its own script does it, and served as ``python -m http.server`` serves it. How long it took is
printed, and asked for nowhere.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Model, load_digits
from scratchnn.info import weights_digest
from tests.browsers import Watched, require_playwright, violations
from tests.conftest import MOST_WEIGHTS
from tests.interop.in_pyodide import HOW, PYODIDE, building
from tests.play.strokes import Stroke, strokes

require_playwright()
if not (Path(PYODIDE) / "pyodide.mjs").is_file():
    pytest.skip(f"no Pyodide; {HOW}", allow_module_level=True)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 120_000  # milliseconds: a busy machine is no mistake of the page
STRICT = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'"
)


class Files(SimpleHTTPRequestHandler):
    """What ``python -m http.server`` answers with, in silence; under /strict/ with a policy for every file, the
    worker's too."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is logged."""

    def end_headers(self) -> None:
        if self.path.startswith("/strict/"):
            self.send_header("Content-Security-Policy", STRICT)
        super().end_headers()

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.replace("/strict/", "/", 1))


class Server(ThreadingHTTPServer):
    """One that does not mind pages that are closed while they load."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with all that belongs to it."""
    build, to = building(), tmp_path_factory.mktemp("page")
    build.collect(Path(PYODIDE), build.built_wheel(tmp_path_factory.mktemp("wheel")), to)
    return Path(to)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with Server(("127.0.0.1", 0), partial(Files, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def opened(chromium: Any, address: str) -> Watched:
    """The page, when its network has begun to learn."""
    watched = Watched(chromium)
    watched.context.set_default_timeout(PATIENCE)
    watched.page.goto(address)
    watched.page.wait_for_selector("body[data-training]")
    return watched


@pytest.fixture(scope="module")
def shown(chromium: Any, address: str) -> Iterator[Watched]:
    """One page for most tests; each leaves it with a network that has learned, and nothing drawn."""
    watched = opened(chromium, address)
    yield watched
    watched.close((address, f"blob:{address}"))


@pytest.fixture
def page(shown: Watched) -> Any:
    """It, with a network that has learned."""
    shown.page.wait_for_selector("body[data-state=trained]")
    shown.page.keyboard.press("Delete")
    shown.page.wait_for_selector("body[data-answered=yes] #result:has-text('Nothing drawn')")
    return shown.page


def draw(page: Any, drawn: list[Stroke]) -> None:
    """With the mouse."""
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    for stroke in drawn:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def answer(page: Any) -> str:
    """The digit that the page names."""
    page.wait_for_selector("body[data-answered=yes] #result:has-text('It looks like')")
    return str(page.inner_text("#result").split()[3].rstrip(":"))


def until(page: Any, condition: Any) -> None:
    """Look ten times a second. (A predicate inside the page needs what its policy forbids.)"""
    for _ in range(PATIENCE // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(page.inner_text("main"))


COUNT_FRAMES = """() => {
  window.framesShown = 0;
  const count = () => { window.framesShown++; requestAnimationFrame(count); };
  requestAnimationFrame(count);
}"""


def test_it_learns_without_freezing_and_answers_meanwhile(chromium: Any, address: str) -> None:
    """With a policy as strict as can be for every file of it, Python's among them."""
    watched = opened(chromium, f"{address}strict/")
    page = watched.page
    page.fill("#epochs", "30")
    page.click("#again")
    page.evaluate(COUNT_FRAMES)
    draw(page, strokes(3, "school"))
    page.wait_for_selector("body[data-answered=yes][data-state=training] #bars li.winner")
    before = page.inner_text("#epoch")
    until(page, lambda: page.inner_text("#epoch") != before)
    assert page.evaluate("window.framesShown") > 10
    assert page.get_attribute("body", "data-state") == "training"
    until(page, lambda: page.get_attribute("#losses", "aria-label") != "Loss: nothing yet")
    assert "of 30" in page.inner_text("#epoch") and page.inner_text("#test").endswith("%")
    page.click("#stop")
    page.wait_for_selector("body[data-state=stopped]")
    stood = page.inner_text("#epoch")
    assert answer(page) == "3"  # one that has stopped answers too
    assert page.inner_text("#epoch") == stood
    for _ in range(3):  # it says "Go on", "Stop", "Go on"
        page.click("#stop")
    until(page, lambda: page.inner_text("#epoch") != stood)
    assert page.get_attribute("body", "data-state") == "training"
    asked = [url.removeprefix(address) for url in watched.requests]
    assert "strict/pyodide/pyodide.asm.wasm" in asked and "strict/scratchnn.whl" in asked
    watched.close((address,))


def test_it_learns_the_bytes_that_any_python_learns(shown: Watched, page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scratchnn.engines.short_rows.MOST_WEIGHTS", MOST_WEIGHTS)
    seconds = {name: float(page.get_attribute("body", f"data-{name}")) for name in ("python", "training", "trained")}
    print("seconds since the page was opened:", seconds)  # noqa: T201
    assert seconds["python"] < seconds["training"] < seconds["trained"]
    train, test = load_digits()
    model = Model(64, 100, 10)
    model.fit(train.X, train.y, epochs=10)
    assert weights_digest(model) in page.inner_text("#digest")
    assert page.inner_text("#test") == f"{100 * model.score(test.X, test.y):.1f} %"
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "digits.pkl"
    loaded = Model.load(download.value.path())
    assert loaded.weights == model.weights
    assert loaded.predict(test.X) == model.predict(test.X)


def rows_of(image: bytes) -> list[Stroke]:
    """A picture of 8 x 8 pixels as lines of a pen: one over each run of inked pixels."""
    found = []
    for y in range(8):
        inked = [x for x in range(8) if image[8 * y + x] > 110]
        for x in inked:
            if x - 1 not in inked:
                end = next(k for k in range(x, 9) if k not in inked) - 1
                found.append([((k + 0.5) / 8 * 0.8 + 0.1, (y + 0.5) / 8 * 0.8 + 0.1) for k in (x, end + 0.01)])
    return found


def test_shipped_digits_that_are_drawn_are_read(page: Any) -> None:
    """Digits that the network has not seen, copied with the mouse from their 8 x 8 pixels, without their greys."""
    _, test = load_digits()
    said = {}
    for digit in range(10):
        draw(page, rows_of(bytes(test.X[test.y.index(digit)])))
        said[digit] = answer(page)
        page.click("#clear")
        page.wait_for_selector("#result:has-text('Nothing drawn')")
    assert sum(str(digit) == label for digit, label in said.items()) >= 8, said


def test_digits_that_people_draw_are_read(page: Any) -> None:
    said = {}
    for digit in range(10):
        draw(page, strokes(digit, "school"))
        said[digit] = answer(page)
        page.click("#clear")
        page.wait_for_selector("#result:has-text('Nothing drawn')")
    assert sum(str(digit) == label for digit, label in said.items()) >= 9, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    draw(page, strokes(3, "school"))
    answer(page)
    try:
        assert violations(page) == []
    finally:
        page.emulate_media(color_scheme="light")


def test_the_keyboard_alone_is_enough(page: Any) -> None:
    def focus(name: str) -> None:
        for _ in range(40):
            if page.evaluate("document.activeElement.id") == name:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {name}")

    focus("example")
    page.keyboard.press("Enter")
    assert answer(page) == "0"
    assert page.inner_text("#said") == page.inner_text("#result")
    page.keyboard.press("Delete")
    page.wait_for_selector("#result:has-text('Nothing drawn')")
    focus("kind")
    page.keyboard.press("ArrowDown")
    focus("epochs")
    page.keyboard.press("Control+a")
    page.keyboard.type("1")
    focus("again")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=training]")
    page.wait_for_selector("body[data-state=trained] #digest:has-text('1,370 weights')")
    page.select_option("#kind", "layer")
    page.fill("#epochs", "10")
    page.click("#again")


def test_a_phone_is_wide_enough(page: Any) -> None:
    page.set_viewport_size({"width": 375, "height": 720})
    try:
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, input')]"
            ".filter(e => e.getBoundingClientRect().height < 32).map(e => e.id)"
        )
        assert small == []
        draw(page, strokes(7, "school"))
        assert answer(page) == "7"
    finally:
        page.set_viewport_size({"width": 1200, "height": 800})


# --- where it cannot work ------------------------------------------------------------------------------------


def problem(chromium: Any, address: str) -> str:
    """What the page says is wrong."""
    watched = Watched(chromium)
    watched.context.set_default_timeout(PATIENCE)
    watched.page.goto(address)
    watched.page.wait_for_selector("#problem:not(:empty)")
    said = str(watched.page.inner_text("#problem"))
    watched.context.close()
    return said


@pytest.mark.parametrize("missing", ["pyodide/pyodide.asm.wasm", "scratchnn.whl", "worker.js"])
def test_a_file_that_is_missing_is_named(chromium: Any, address: str, folder: Path, missing: str) -> None:
    path = folder / missing
    path.rename(folder / "hidden")
    try:
        said = problem(chromium, address)
    finally:
        (folder / "hidden").rename(path)
    assert missing in said


def test_a_page_that_was_opened_as_a_file_says_how_to_serve_it(chromium: Any, folder: Path) -> None:
    assert "python -m http.server" in problem(chromium, (folder / "index.html").as_uri())


def test_what_cannot_be_put_together_is_said(tmp_path: Path) -> None:
    build = building()
    with pytest.raises(build.Missing, match=r"is not the npm package pyodide .*: it has no pyodide\.mjs"):
        build.collect(tmp_path, tmp_path / "no.whl", tmp_path / "page")
    with pytest.raises(build.Missing, match="no such wheel"):
        build.collect(Path(PYODIDE), tmp_path / "no.whl", tmp_path / "page")
