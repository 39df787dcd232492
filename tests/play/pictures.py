"""Takes the README's pictures of both pages: ``python -m tests.play.pictures FOLDER``, in a clone.

Needs what the tests in a browser need (see ``tests/browsers.py``). With further words it takes others, to be looked at:
``dark``, ``phone``.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import zlib
from collections import Counter
from typing import Any

from scratchnn.play.learning import Learning
from scratchnn.play.server import PlayServer
from tests.browsers import QUIET
from tests.play.strokes import curve, strokes

LOOKS: dict[str, dict[str, Any]] = {
    "": {"viewport": {"width": 1080, "height": 640}},
    "dark": {"viewport": {"width": 1080, "height": 640}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 375, "height": 720},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
}
EPOCHS = 24


def main() -> None:
    """Write ``draw_page.png`` and ``play_page.png``, and the same of each further look."""
    from playwright.sync_api import sync_playwright

    folder, *looks = sys.argv[1:]
    server = PlayServer(Learning())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.learning.start()
    try:
        with sync_playwright() as playwright:
            path = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=path, args=QUIET)
            for look in ["", *looks]:
                page = browser.new_context(**LOOKS[look]).new_page()
                page.goto(server.address)
                name = f"_{look}" if look else ""
                _draw(page, os.path.join(folder, f"draw_page{name}.png"), bool(look))
                _play(page, os.path.join(folder, f"play_page{name}.png"), bool(look))
            browser.close()
    finally:
        server.shutdown()
        thread.join()
        server.end()


def _draw(page: Any, path: str, whole: bool) -> None:
    page.wait_for_selector("body[data-ready]", timeout=300_000)
    box = page.locator("#pad").bounding_box()
    for stroke in strokes(3, "school"):
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in curve(stroke)]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()
    page.wait_for_selector("body[data-answered=yes]")
    page.wait_for_timeout(500)
    _take(page, path, whole)


def _play(page: Any, path: str, whole: bool) -> None:
    page.click("nav a[href='/play']")
    page.wait_for_selector("body[data-status=ready]")
    for epoch in range(1, EPOCHS + 1):
        page.click("#epoch")
        page.wait_for_selector(f"body[data-status=paused] #at-epoch:text-is('{epoch}')")
    page.wait_for_timeout(500)
    page.set_viewport_size({**page.viewport_size, "height": 850 if page.viewport_size["width"] > 800 else 720})
    page.wait_for_timeout(500)
    _take(page, path, whole)


def _take(page: Any, path: str, whole: bool) -> None:
    picture = page.screenshot(full_page=whole)
    with open(path, "wb") as file:
        file.write(picture if whole else with_palette(picture))


def with_palette(png: bytes) -> bytes:
    """The same picture with its 256 most frequent colours, a third as large. (PNG: ISO/IEC 15948, sections 7 and 9.)"""
    width, height, channels = (
        int.from_bytes(png[16:20], "big"),
        int.from_bytes(png[20:24], "big"),
        {2: 3, 6: 4}[png[25]],
    )
    data, place = b"", 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        data += png[place + 8 : place + 8 + length] * (png[place + 4 : place + 8] == b"IDAT")
        place += 12 + length
    raw, stride = zlib.decompress(data), width * channels
    before, pixels = bytearray(stride), []
    for start in range(0, height * (stride + 1), stride + 1):
        before = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, channels)
        pixels += list(zip(before[::channels], before[1::channels], before[2::channels]))
    palette = [colour for colour, _ in Counter(pixels).most_common(256)]
    number = {colour: k for k, colour in enumerate(palette)}
    for colour in {*pixels} - number.keys():
        number[colour] = min(range(len(palette)), key=lambda k: sum((a - b) ** 2 for a, b in zip(colour, palette[k])))
    rows = [b"\0" + bytes(map(number.__getitem__, pixels[k : k + width])) for k in range(0, len(pixels), width)]
    head = png[16:24] + bytes([8, 3, 0, 0, 0])
    parts = [(b"IHDR", head), (b"PLTE", bytes(v for colour in palette for v in colour))]
    parts += [(b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b"")]
    return png[:8] + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big") for kind, body in parts
    )


def _unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    for k in range(len(line) if kind else 0):
        a, b = line[k - step] if k >= step else 0, above[k]
        c = above[k - step] if k >= step else 0
        # Paeth's predictor is the one of the three that is nearest to a + b - c.
        paeth = min((a, b, c), key=lambda value, wanted=a + b - c: abs(wanted - value))  # type: ignore[misc]
        guess = (0, a, b, (a + b) // 2, paeth)[kind]
        line[k] = (line[k] + guess) & 255
    return line


if __name__ == "__main__":
    main()
