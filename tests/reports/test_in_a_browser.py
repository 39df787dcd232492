"""A report in a real browser, opened from disk: on a wide screen and on a phone, light, dark and on paper.

Skipped where there is no Chromium or no Playwright; the reason says how to get them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import Model, load_digits
from tests.browsers import Watched, require_playwright, violations

require_playwright()

pytestmark = pytest.mark.browser

# What is wider than the screen and does not scroll by itself.
TOO_WIDE = """[...document.querySelectorAll('main *')].filter(each => !each.closest('.scroll, figure')
    && each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 100))"""
# Text of the page that lies on other text.
OVERLAPS = """(() => {
    const boxes = [...document.querySelectorAll('h1, h2, h3, p, dt, dd, td, th, pre, svg')]
        .map(each => [each, each.getBoundingClientRect()]).filter(([each, box]) => box.width && box.height)
    const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1
    return boxes.flatMap(([one, a], place) => boxes.slice(place + 1).filter(([two, b]) =>
        !one.contains(two) && meet(a, b)).map(([two]) => [one.outerHTML.slice(0, 80), two.outerHTML.slice(0, 80)]))
})()"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of each kind, with names that would run if they were not escaped."""
    folder = tmp_path_factory.mktemp("reports")
    train, test = load_digits()
    rng = Random(1)
    rows = [[rng.gauss(0.0, 1.0) for _ in range(9)] for _ in range(60)]
    of: dict[str, tuple[Any, Any, Any]] = {
        "images": (Model(64, 8, 10), test.X, test.y),
        "rows": (Model(9, 3), rows, ["<script>alert(1)</script>" if row[0] > row[1] else "b" * 60 for row in rows]),
        "numbers": (Model(9, 3, 3, task="regression"), rows, [row[:3] for row in rows]),
        "labels": (Model(9, 3, 2, task="multilabel"), rows, [[int(v > 0.0) for v in row[:2]] for row in rows]),
    }
    for name, (model, X, y) in of.items():
        model.fit(*((train.X[:300], train.y[:300]) if name == "images" else (X, y)), epochs=2)
        model.report(X, y, folder / f"{name}.html", command="python -m scratchnn.train " + "--very-long " * 30)
    return {name: folder / f"{name}.html" for name in of}


@pytest.fixture(params=["images", "rows", "numbers", "labels"])
def path(request: pytest.FixtureRequest, reports: dict[str, Path]) -> Path:
    return reports[request.param]


@pytest.fixture
def opened(chromium: Any) -> Iterator[Any]:
    """Opens a file, watched: nothing may be said on its console, and nothing else be asked for."""
    pages: list[Watched] = []

    def open_page(path: Path, **settings: Any) -> Any:
        watched = Watched(chromium, **settings)
        pages.append(watched)
        watched.page.goto(path.as_uri())
        return watched.page

    yield open_page
    for watched in pages:
        watched.close(("file:", "data:"))
        assert len([url for url in watched.requests if url.startswith("file:")]) == 1


@pytest.mark.parametrize("width", [360, 760, 1200])
def test_it_fits_every_width(opened: Any, path: Path, width: int) -> None:
    page = opened(path, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(OVERLAPS) == []


def test_it_is_dark_on_a_dark_screen_and_light_on_paper(opened: Any, path: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    page = opened(path, color_scheme="dark")
    assert page.evaluate(colour) == "rgb(22, 27, 34)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")
    assert opened(path, color_scheme="light").evaluate(colour) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_violation_that_axe_finds(opened: Any, path: Path, scheme: str) -> None:
    page = opened(path, color_scheme=scheme, bypass_csp=True)  # the page itself lets no script in, so neither axe
    assert violations(page) == []
