"""Images and weights: the pixels that a reader of PNG finds, what stands below them, and shapes that are none."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode
from random import Random
from typing import Any

import pytest

from scratchnn import ArgumentError, DataError, load_digits, plots
from scratchnn.plots import pixels
from scratchnn.plots.figure import Figure
from tests.plots.reading import elements, words_in
from tests.plots.test_colours import THEMES, contrast


def decoded(uri: str) -> tuple[int, int, int, bytes]:
    """(kind, width, height, pixels) of a PNG, by the rules of the format, checksums and all."""
    data = b64decode(uri.partition("base64,")[2])
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    parts, place = {}, 8
    while place < len(data):
        (length,), name = struct.unpack(">I", data[place : place + 4]), data[place + 4 : place + 8]
        content = data[place + 8 : place + 8 + length]
        assert data[place + 8 + length : place + 12 + length] == struct.pack(">I", zlib.crc32(name + content))
        parts[name] = content
        place += 12 + length
    assert [*parts][:1] == [b"IHDR"] and [*parts][-1:] == [b"IEND"]
    width, height, depth, kind, *_ = struct.unpack(">2I5B", parts[b"IHDR"])
    lines = zlib.decompress(parts[b"IDAT"])
    step = width * (3 if kind == pixels.COLOUR else 1) + 1
    assert depth == 8 and len(lines) == step * height and not any(lines[::step])
    return kind, width, height, b"".join(lines[k + 1 : k + step] for k in range(0, len(lines), step))


def uris(figure: Figure) -> list[str]:
    return [image.attrib["href"] for image in elements(figure, "image")]


def test_an_image_is_drawn_row_by_row_and_ink_is_dark() -> None:
    rows = [[0.0, 1.0, 0.4, 0.0, 0.0, 0.2]]
    (uri,) = uris(plots.images(rows, shape=(2, 3)))
    assert decoded(uri) == (pixels.GREY, 3, 2, bytes([255, 0, 153, 255, 255, 204]))
    (uri,) = uris(plots.images(rows, shape=(3, 2), ink=False))
    assert decoded(uri) == (pixels.GREY, 2, 3, bytes([0, 255, 102, 0, 0, 51]))


def test_bytes_go_to_255_and_other_numbers_to_their_largest() -> None:
    for rows, limits in (([bytes([0, 51, 102, 255])], None), ([[0, 3.2, 6.4, 16]], None), ([[1, 2, 3, 6]], (1, 6))):
        (uri,) = uris(plots.images(rows, ink=False, limits=limits))
        assert decoded(uri)[3] == bytes([0, 51, 102, 255])


@pytest.mark.parametrize(
    ("row", "limits", "seen"),
    [
        ([-1e17] * 4, None, [0, 0, 0, 0]),
        ([-1.7e308] * 4, None, [0, 0, 0, 0]),
        ([-1.7e308, 0.0, 0.0, 1.7e308], None, [0, 128, 128, 255]),
        ([-1.0, 0.0, 5e-324, 1.0], (0.0, 5e-324), [0, 0, 255, 255]),
    ],
)
def test_numbers_of_any_size_are_drawn(row: list[float], limits: Any, seen: list[int]) -> None:
    (uri,) = uris(plots.images([row], ink=False, limits=limits))
    assert [*decoded(uri)[3]] == seen


def test_colours_come_channel_by_channel() -> None:
    (uri,) = uris(plots.images([[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]]))
    assert decoded(uri) == (pixels.COLOUR, 2, 2, bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0]))


def test_a_large_image_is_several_blocks_of_data() -> None:
    rng = Random(0)
    values = [[rng.random() for _ in range(300)] for _ in range(300)]
    assert decoded(pixels.grey_image(values, ink=False))[3] == bytes(round(255 * v) for row in values for v in row)


def test_wrong_ones_are_marked_and_say_what_they_are() -> None:
    figure = plots.images([[0.0]] * 3, ["a", "b", "c"], ["a", "c", "c"])
    words = words_in(figure)
    assert words[1:4] == ["a", "c (true b)", "c"]
    assert "1 of 3 wrong." in words
    assert "2 of 3 predictions are right" in figure.description
    frames = [frame.attrib["class"] for frame in elements(figure, "rect")[1:]]
    assert frames == ["nn-s-faint", "nn-s-1", "nn-s-faint"]
    assert words_in(plots.images([[0.0]] * 2, y_pred=["a", "b"]))[1:] == ["a", "b"]
    assert words_in(plots.images([[0.0]] * 2, captions=["first", "second"]))[1:] == ["first", "second"]


def test_a_dataset_brings_its_labels() -> None:
    train, _ = load_digits()
    figure = plots.images(train)
    assert words_in(figure)[1:11] == [str(label) for label in train.y[:10]]
    assert "The first 100 of 1,437 are drawn." in words_in(figure)
    assert len(uris(figure)) == 100


def test_more_images_than_anybody_looks_at_are_not_even_read() -> None:
    class Rows:
        def __len__(self) -> int:
            return 10**9

        def __getitem__(self, place: int) -> list[float]:
            assert place <= 100
            return [0.0]

    assert "The first 100 of 1,000,000,000 are drawn." in words_in(plots.images(Rows()))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"X": [[0.0] * 7]},
            ArgumentError,
            r"^X has rows of 7 numbers, no square of pixels: say shape=\(height, width\)",
        ),
        ({"X": [[0.0] * 6], "shape": (2, 2)}, ArgumentError, r"^X has rows of 6 numbers, not 1 x 2 x 2 of them"),
        ({"X": [[0.0] * 8], "shape": (2, 2, 2)}, ArgumentError, r"^X has rows of 8 numbers, not 2 x 2 x 2 of them"),
        ({"X": [[0.0]], "shape": 3}, ArgumentError, r"^shape must be \(height, width\) or \(channels, height, width\)"),
        ({"X": [[0.0]], "shape": (0, 1)}, ArgumentError, r"^shape must be a whole number of at least 1"),
        ({"X": [[0.0]], "limits": (1, 1)}, ArgumentError, r"^limits must be two numbers, the lower first"),
        ({"X": [[0.0]], "columns": 0}, ArgumentError, r"^columns must be a whole number of at least 1"),
        ({"X": []}, DataError, r"^X is empty"),
        ({"X": [[float("nan")]]}, DataError, r"^X: .*nan"),
        ({"X": [[0.0]], "y_true": [1, 2]}, DataError, r"^y_true must be as many as there are rows, 1, got 2"),
        ({"X": {}}, DataError, r"^X must be a dict of name: rows, at most 100 in all"),
        ({"X": {"a": [[0.0]], "b": [[0.0] * 4]}}, DataError, r"^X must hold images of one size"),
        ({"X": [bytes(1 << 24)]}, DataError, r"^X has 1 images of 16777216 pixels, more than a figure has room for"),
    ],
)
def test_what_are_no_images_is_said(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        plots.images(**arguments)


def test_a_column_of_weights_is_an_image_in_one_scale_for_all() -> None:
    matrix = [[1.0, 0.5], [0.0, -2.0], [-1.0, 0.0], [2.0, 0.0]]
    figure = plots.weights(matrix)
    steps = pixels.STEPS
    shades = [[k - steps for k in decoded(uri)[3]] for uri in uris(figure)]
    half, quarter = round(steps / 2), round(steps / 4)
    assert shades == [[half, 0, -half, steps], [quarter, -steps, 0, 0]]
    assert {"1", "2", "−2", "0"} < set(words_in(figure))
    assert "Weights of 2 units, 4 each" in figure.description


def test_filters_over_channels_have_an_image_for_each() -> None:
    figure = plots.weights([[float(k)] * 3 for k in range(18)], shape=(2, 3, 3))
    assert len(uris(figure)) == 6
    assert {"unit 1", "unit 2", "unit 3"} < set(words_in(figure))
    figure = plots.weights([[0.5] * 80] * 18, shape=(2, 3, 3))
    assert len(uris(figure)) == 100 and "The first 50 of 80 units are drawn." in words_in(figure)


@pytest.mark.parametrize("theme", THEMES)
def test_weights_are_seen_on_both_papers(theme: str) -> None:
    for colour in (pixels.POSITIVE, pixels.NEGATIVE):
        assert contrast("#" + "".join(f"{c:02x}" for c in colour), THEMES[theme]["paper"]) >= 3.0


def test_what_are_no_weights_is_said() -> None:
    with pytest.raises(ArgumentError, match=r"^matrix has 5 inputs, no square of pixels: say shape="):
        plots.weights([[1.0]] * 5)
    with pytest.raises(ArgumentError, match=r"^matrix has 5 inputs, not 1 x 2 x 2: say another shape"):
        plots.weights([[1.0]] * 5, shape=(2, 2))
    with pytest.raises(ArgumentError, match=r"^a figure has room for 100 images, got 101 channels"):
        plots.weights([[1.0]] * 101, shape=(101, 1, 1))
    with pytest.raises(DataError, match=r"^matrix is empty"):
        plots.weights([])
