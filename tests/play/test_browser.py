"""Both pages in a real browser: drawn on, played with, by keyboard alone, on a phone, in the dark.

Skipped where there is no Chromium or no Playwright; the reason says how to get them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Model, load_idx
from scratchnn.play.learning import Learning
from scratchnn.play.server import PlayServer
from tests.browsers import Watched, require_playwright, violations
from tests.play.strokes import HANDS, Stroke, strokes

require_playwright()

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 375, "height": 720}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


@contextmanager
def served(learning: Learning) -> Iterator[PlayServer]:
    server = PlayServer(learning)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    learning.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.end()


@pytest.fixture(scope="module")
def of_digits() -> Iterator[PlayServer]:
    """As it is without a model: one that learns the shipped digits."""
    with served(Learning()) as server:
        yield server


@pytest.fixture(scope="module")
def of_mnist(shared: Path) -> Iterator[PlayServer]:
    train = load_idx(shared / "mnist" / "train-images-idx3-ubyte.gz")
    model = Model(784, 100, 10)
    model.fit(train.X[:10_000], train.y[:10_000], epochs=4)
    with served(Learning(model)) as server:
        yield server


@pytest.fixture
def opened(chromium: Any) -> Iterator[Any]:
    """Opens a page of a server, watched: nothing may be said on its console, and nobody else be asked."""
    watched: list[tuple[Watched, PlayServer]] = []

    def open_page(server: PlayServer, page: str = "", **settings: Any) -> Any:
        watched.append((Watched(chromium, **settings), server))
        shown = watched[-1][0].page
        shown.goto(server.address.replace("/?", f"/{page}?"))
        if page != "play":
            shown.wait_for_selector("body[data-ready]")
        else:
            shown.wait_for_selector("body[data-status=ready]")
        return shown

    yield open_page
    for each, server in watched:
        each.close((f"http://127.0.0.1:{server.port}/",))


def draw(page: Any, drawn: list[Stroke]) -> None:
    """With the mouse."""
    box = page.locator("#pad").bounding_box()
    for stroke in drawn:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def answer(page: Any) -> str:
    """The class that the page names."""
    page.wait_for_selector("body[data-answered=yes] #result:has-text('It looks like')")
    return str(page.inner_text("#result").split()[3].rstrip(":"))


def recognised(page: Any) -> dict[str, str]:
    """For each digit of each hand what the page says it is."""
    said = {}
    for hand in HANDS:
        for digit in range(10):
            draw(page, strokes(digit, hand))
            said[f"{digit} {hand}"] = answer(page)
            page.click("#clear")
            page.wait_for_selector("#result:has-text('Nothing drawn')")
    return said


def right(said: dict[str, str]) -> list[str]:
    return [name for name, label in said.items() if name[0] == label]


def test_drawn_digits_are_recognised_by_the_shipped_ones(opened: Any, of_digits: PlayServer) -> None:
    said = recognised(opened(of_digits))
    assert len(right(said)) >= 24, said


@pytest.mark.shared
def test_drawn_digits_are_recognised_by_a_model_of_mnist(opened: Any, of_mnist: PlayServer) -> None:
    said = recognised(opened(of_mnist))
    assert len(right(said)) >= 27, said


# --- draw ----------------------------------------------------------------------------------------------------


def test_one_draws_undoes_and_clears(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits)
    assert page.inner_text("#result") == "Nothing drawn yet."
    assert page.get_attribute("#undo", "aria-disabled") == "true"
    draw(page, strokes(5, "school"))
    assert answer(page) == "5"
    bars = page.locator("#bars li")
    assert bars.count() == 10
    winner = page.locator("#bars li.winner")
    assert winner.locator(".label").inner_text() == "5"
    width = winner.locator(".bar").bounding_box()["width"] / winner.locator(".track").bounding_box()["width"]
    assert abs(100 * width - float(winner.locator(".value").inner_text().split()[0])) < 1.0
    assert "Which pixels spoke for 5" in page.get_attribute("#spoke", "aria-label")
    page.click("#undo")  # the second stroke
    page.wait_for_selector("body[data-answered=yes]")
    assert page.get_attribute("#undo", "aria-disabled") == "false"
    page.keyboard.press("Control+z")
    page.wait_for_selector("#result:has-text('Nothing drawn')")
    assert page.get_attribute("#clear", "aria-disabled") == "true"


def test_the_token_does_not_stay_in_the_address(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits)
    assert page.url == f"http://127.0.0.1:{of_digits.port}/draw"
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate("document.cookie") == ""  # no script reads it


def test_progress_is_shown_while_the_network_learns(chromium: Any) -> None:
    learning = Learning(epochs=4)
    with served(_Later(learning)) as server:  # type: ignore[arg-type]
        watched = Watched(chromium)
        watched.page.goto(server.address)
        watched.page.wait_for_selector("#learning:visible progress")
        draw(watched.page, strokes(0, "school"))
        assert watched.page.inner_text("#result") == "Nothing drawn yet."
        learning.start()
        watched.page.wait_for_selector("body[data-ready]")
        assert not watched.page.is_visible("#learning")
        answer(watched.page)  # of what was drawn meanwhile
        watched.close((f"http://127.0.0.1:{server.port}/",))


class _Later:
    """A ``Learning`` that does not start with its server."""

    def __init__(self, learning: Learning) -> None:
        self.learning = learning

    def __getattr__(self, name: str) -> Any:
        return (lambda: None) if name == "start" else getattr(self.learning, name)


# --- play ----------------------------------------------------------------------------------------------------


def accuracy(page: Any) -> float:
    text = page.inner_text("#at-accuracy")
    return 0.0 if text == "-" else float(text.split()[0])


def until(page: Any, condition: Any) -> None:
    """Look ten times a second, a minute at most. (A predicate inside the page needs what its policy forbids.)"""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(page.inner_text("main"))


def test_spirals_are_learned_to_95_percent(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits, "play")
    assert page.input_value("#data") == "spirals"
    page.click("#train")
    until(page, lambda: accuracy(page) >= 95.0)
    page.click("#train")
    page.wait_for_selector("body[data-status=paused]")
    epoch = page.inner_text("#at-epoch")
    assert f"epochs={epoch}, " in page.inner_text("#code")
    assert "Loss by epoch: 0." in page.get_attribute("#curve", "aria-label")


def test_a_network_is_built_stepped_and_started_again(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits, "play")
    page.select_option("#data", "blobs")
    page.select_option("#depth", "3")
    page.fill("#units-2", "99")
    page.press("#units-2", "Tab")
    page.wait_for_selector("#code:has-text('hidden_size=[8, 8, 16]')")
    page.select_option("#activation", "relu")
    page.wait_for_selector("#code:has-text(\"activation='relu'\")")
    page.wait_for_selector("#code:has-text('toys.blobs(300, centers=3, noise=1.0')")
    assert "3 outputs" in page.get_attribute("#network", "aria-label")
    page.click("#step")
    page.wait_for_selector("body[data-status=paused]")
    assert page.inner_text("#at-epoch") == "1"
    page.click("#epoch")
    until(page, lambda: "after epoch 1" in page.get_attribute("#curve", "aria-label"))
    page.click("#again")
    page.wait_for_selector("body[data-status=ready]")
    assert page.inner_text("#at-loss") == "-"
    page.click("#copy")
    page.wait_for_selector("#copied:not(:empty)")


def newest(server: PlayServer) -> str:
    """The name of the session that was opened last."""
    return list(server.sessions._sessions)[-1]


def test_one_goes_from_page_to_page_and_back(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits, "play")
    page.click("#train")
    until(page, lambda: int(page.inner_text("#at-epoch")) >= 2)
    page.click("nav a[href='/draw']")
    page.wait_for_selector("body[data-ready]")
    page.go_back()
    page.wait_for_selector("body[data-status=ready]")
    page.click("#epoch")
    page.wait_for_selector("body[data-status=paused]")


def test_a_session_that_was_dropped_can_be_started_again(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits, "play")
    of_digits.sessions.drop(newest(of_digits))
    page.wait_for_selector("#problem:has-text('Start again')")
    assert page.get_attribute("#train", "aria-disabled") == "true"
    page.click("#again")
    page.wait_for_selector("#train[aria-disabled=false]")
    page.click("#epoch")
    page.wait_for_selector("body[data-status=paused]")
    assert page.inner_text("#problem") == ""


# --- for everybody -------------------------------------------------------------------------------------------


def focus(page: Any, wanted: str) -> None:
    """Press Tab until the element is reached."""
    for _ in range(60):
        if page.evaluate("document.activeElement.matches(" + repr(wanted) + ")"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {wanted}")


def test_the_keyboard_alone_is_enough(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits)
    focus(page, "#example")
    page.keyboard.press("Enter")
    assert answer(page) == "0"
    page.keyboard.press("Enter")
    page.wait_for_selector("#result:has-text('like 1')")
    page.keyboard.press("Delete")
    page.wait_for_selector("#result:has-text('Nothing drawn')")
    focus(page, "nav a[href='/play']")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-status=ready]")
    focus(page, "#data")
    page.keyboard.press("c")  # circles
    page.wait_for_selector("#code:has-text('toys.circles')")
    focus(page, "#units-0")
    page.keyboard.press("ArrowUp")
    page.wait_for_selector("#code:has-text('[9, 8]')")
    focus(page, "#epoch")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-status=paused]")
    assert page.evaluate("document.activeElement.id") == "epoch"  # it is where it was
    focus(page, "#train")
    page.keyboard.press("Space")
    until(page, lambda: int(page.inner_text("#at-epoch")) >= 3)
    page.keyboard.press("Space")
    page.wait_for_selector("body[data-status=paused]")


def test_a_phone_is_wide_enough_and_a_finger_draws(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits, **PHONE)
    box = page.locator("#pad").bounding_box()
    touches = page.context.new_cdp_session(page)
    for stroke in strokes(7, "school"):
        for k, (x, y) in enumerate(stroke):
            point = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            kind = "touchMove" if k else "touchStart"
            touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert answer(page) == "7"
    assert page.evaluate("scrollY") == 0  # it drew, and did not scroll
    for path in ("draw", "play"):
        page.goto(f"http://127.0.0.1:{of_digits.port}/{path}")
        page.wait_for_selector("body[data-ready], body[data-status]")
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, input, nav a')]"
            ".filter(e => e.offsetParent && e.type !== 'range' && e.getBoundingClientRect().height < 32).map(e => e.id)"
        )
        assert small == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["draw", "play"])
def test_axe_finds_nothing(opened: Any, of_digits: PlayServer, path: str, scheme: str) -> None:
    page = opened(of_digits, path, color_scheme=scheme)
    if path == "draw":
        draw(page, strokes(3, "school"))
        answer(page)
    else:
        page.click("#epoch")
        page.wait_for_selector("body[data-status=paused]")
    assert violations(page) == []


def test_dark_pages_are_dark(opened: Any, of_digits: PlayServer) -> None:
    page = opened(of_digits, "play", color_scheme="dark")

    def brightness(selector: str) -> float:
        colour = page.evaluate(f"getComputedStyle(document.querySelector({selector!r})).backgroundColor")
        return sum(map(float, colour[4:-1].split(",")[:3])) / 3

    assert brightness("body") < 40 and brightness(".card") < 40 and brightness("select") < 40
    corner = "[...document.querySelector('#frontier').getContext('2d').getImageData(4, 4, 1, 1).data]"
    assert sum(page.evaluate(corner)[:3]) / 3 < 110
    page.emulate_media(color_scheme="light")
    until(page, lambda: brightness("body") > 200)
