"""A real browser for tests: headless Chromium driven by Playwright, or a skip that says how to get both.

``chromium`` is a fixture, one browser for all tests of a run. ``Watched`` is one of its pages that remembers what must
not happen: a message on the console, an error, a request to anybody else. ``violations`` asks axe-core what is hard to
use for people who do not see, hear or move as others do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HOW = "to run it: python -m pip install playwright, and Debian's package chromium (or: playwright install chromium)"
HOW_AXE = "to run it: npm install axe-core, and AXE=node_modules/axe-core/axe.min.js in the environment"

# A browser that talks to nobody but the pages it is shown.
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions"),
]


def require_playwright() -> None:
    """Skip the module that calls this, in one line, where nothing could drive a browser."""
    if find_spec("playwright") is None:
        pytest.skip(f"no Playwright; {HOW}", allow_module_level=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; CHROMIUM in the environment says where it is, if it is not to be found on the PATH."""
    from playwright import sync_api as api

    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with api.sync_playwright() as playwright:
        if not found and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(f"no Chromium; {HOW}")
        browser = playwright.chromium.launch(executable_path=found or None, args=QUIET)
        yield browser
        browser.close()


class Watched:
    """A page of the browser in a context of its own; ``settings`` are the context's, such as its viewport."""

    def __init__(self, browser: Any, **settings: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **settings})
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.context.on("request", lambda request: self.requests.append(request.url))

    def close(self, allowed: tuple[str, ...]) -> None:
        """End it; an error if it has said anything, or asked for an address that begins with none of these."""
        self.context.close()
        assert self.said == []
        assert [url for url in self.requests if not url.startswith(allowed)] == []


def violations(page: Any) -> list[str]:
    """What axe-core finds on the page as it stands, a line each; skips without it."""
    path = os.environ.get("AXE", "")
    if not Path(path).is_file():
        pytest.skip(f"no axe-core; {HOW_AXE}")
    page.evaluate(Path(path).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes']]}" for each in found]
