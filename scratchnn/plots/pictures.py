"""Images with what was made of them, and weights as images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from math import isfinite, isqrt, prod
from typing import Any

from ..checks import in_order, require_size, shown
from ..errors import ArgumentError, DataError
from ..preprocessing.rows import as_rows
from .figure import Figure
from .given import finite_numbers, labels
from .lettering import number, plain, share
from .pixels import colour_image, grey_image, signed_image
from .tiles import Tile, Tiles

Row = Sequence[float]

MOST_IMAGES = 100
MOST_PIXELS = 1 << 22  # of all images of a figure together
SIDE, ACROSS = 56.0, 760.0  # pixels: about an image's longer side, and a row of images


def images(
    X: Any,
    y_true: Any = None,
    y_pred: Any = None,
    *,
    shape: Sequence[int] | None = None,
    captions: Any = None,
    columns: int | None = None,
    limits: Sequence[float] | None = None,
    ink: bool = True,
    title: str = "Images",
) -> Figure:
    """Rows of pixels as images, in a grid. What was predicted stands below each; a wrong one is framed, has a cross,
    and says what it is: "7 (true 9)".

    ``X`` are rows (samples x pixels), a dataset with its labels, or a dict of name: rows, which are drawn in a row each
    with its name beside it. ``y_true`` and ``y_pred`` are labels, ``captions`` other words to stand below; for a dict
    there are none. ``shape`` is (height, width) or (channels, height, width) with 1 or 3 channels, and need not be said
    of square images. ``limits`` are the numbers that stand for no light and all light, by default 0 and 255 for bytes,
    else those that the rows suggest. With ``ink`` a grey image is dark where its numbers are high, as MNIST's are meant
    (and turned round on dark paper). Of more than 100 images the first 100 are drawn, and a note says so.

    Raises ``DataError`` for rows that are no images, ``ArgumentError`` for a shape that they do not have.
    """
    if isinstance(X, Mapping):
        return _named_rows(X, shape, limits, ink, title)
    if hasattr(X, "X") and hasattr(X, "y"):
        y_true = X.y if y_true is None and len(X.y) else y_true
        X = X.X
    count = len(X)
    kept = list(islice(iter(X), MOST_IMAGES))
    rows, sizes = _checked(kept, shape, "X")
    truth = None if y_true is None else labels(y_true, "y_true", count)
    guesses = None if y_pred is None else labels(y_pred, "y_pred", count)
    words = None if captions is None else labels(captions, "captions", count)
    pictures = _drawn(rows, sizes, limits, ink)
    tiles = []
    for place, picture in enumerate(pictures):
        caption, wrong = _caption(place, truth, guesses)
        tiles.append(Tile(picture, plain(words[place]) if words else caption, wrong))
    notes = [f"The first {len(kept):,} of {count:,} are drawn." if count > len(kept) else ""]
    told = f"{len(kept)} images of {sizes[2]} x {sizes[1]} pixels."
    if truth and guesses:
        right = sum(a == b for a, b in zip(truth, guesses))
        told += f" {right:,} of {count:,} predictions are right ({share(right, count)})."
        notes.insert(0, f"{count - right:,} of {count:,} wrong." * (right > 0))
    side = _side(sizes)
    grid = Tiles([tiles], side)
    if columns is None:
        columns = max(min(int(ACROSS // grid.cell), len(tiles), 20), 1)
    require_size("columns", columns)
    lines = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    return Figure(title, [Tiles(lines, side, ink=ink and sizes[0] == 1)], notes=notes, description=told)


def _caption(place: int, truth: Sequence[Any] | None, guesses: Sequence[Any] | None) -> tuple[str, bool]:
    """What stands below an image, and whether it was taken for something else."""
    if guesses is None:
        return ("" if truth is None else plain(truth[place])), False
    guess = plain(guesses[place])
    if truth is None or truth[place] == guesses[place]:
        return guess, False
    return f"{guess} (true {plain(truth[place])})", True


def _named_rows(X: Mapping[Any, Any], shape: Any, limits: Any, ink: bool, title: str) -> Figure:
    """A line of images for each name."""
    if not X or sum(map(len, X.values())) > MOST_IMAGES:
        raise DataError(f"X must be a dict of name: rows, at most {MOST_IMAGES} in all, got {shown(X)}")
    lines = {plain(name): _checked(rows, shape, f"X[{shown(name)}]") for name, rows in X.items()}
    sizes = next(iter(lines.values()))[1]
    if any(other != sizes for _, other in lines.values()):
        raise DataError("X must hold images of one size")
    pictures = iter(_drawn([row for rows, _ in lines.values() for row in rows], sizes, limits, ink))
    tiles = [[Tile(picture) for picture in islice(pictures, len(rows))] for rows, _ in lines.values()]
    told = f"Images of {sizes[2]} x {sizes[1]} pixels, in rows: {', '.join(lines)}."
    panel = Tiles(tiles, _side(sizes), names=list(lines), ink=ink and sizes[0] == 1)
    return Figure(title, [panel], description=told)


def _checked(X: Any, shape: Sequence[int] | None, what: str) -> tuple[list[Row], tuple[int, int, int]]:
    """Rows of numbers, and the (channels, height, width) that they have."""
    given = None if shape is None else _shape(shape)
    rows: list[Row] = [*as_rows(X, what, None, () if given is None else given)]
    width = len(rows[0])
    sizes = given or _guessed(width)
    if sizes is None or prod(sizes) != width or sizes[0] not in (1, 3):
        had = "no square of pixels" if sizes is None else f"not {' x '.join(map(str, sizes))} of them"
        raise ArgumentError(
            f"{what} has rows of {width} numbers, {had}: say shape=(height, width), or (channels, height, width) with "
            "1 or 3 channels"
        )
    if width * len(rows) > MOST_PIXELS:
        raise DataError(f"{what} has {len(rows)} images of {width} pixels, more than a figure has room for")
    return rows, sizes


def _shape(shape: Sequence[int]) -> tuple[int, int, int]:
    sizes = in_order(shape) or []
    if len(sizes) not in (2, 3):
        raise ArgumentError(f"shape must be (height, width) or (channels, height, width), got {shown(shape)}")
    channels, height, width = (require_size("shape", size) for size in ([1, *sizes] if len(sizes) == 2 else sizes))
    return channels, height, width


def _guessed(width: int) -> tuple[int, int, int] | None:
    """The shape of a square image in grey or in colour, if it can be one."""
    for channels in (1, 3):
        side = isqrt(width // channels)
        if channels * side * side == width:
            return channels, side, side
    return None


def _drawn(rows: Sequence[Row], sizes: tuple[int, int, int], limits: Any, ink: bool) -> list[str]:
    """The images as data URIs."""
    low, high = _limits(rows, limits)
    unit = 1.0 if isfinite(high - low) else 0.5  # half of the largest differences can be told, all of the smallest
    pictures = []
    for row in rows:
        lights = [(value * unit - low * unit) / (high * unit - low * unit) for value in row]
        planes = _planes(lights, sizes)
        pictures.append(colour_image(planes) if sizes[0] == 3 else grey_image(planes[0], ink=ink))
    return pictures


def _planes(row: Row, sizes: tuple[int, int, int]) -> list[list[Row]]:
    """A flat row as rows of pixels for each channel."""
    channels, height, width = sizes
    lines = [row[start : start + width] for start in range(0, len(row), width)]
    return [lines[channel * height : (channel + 1) * height] for channel in range(channels)]


def _limits(rows: Sequence[Row], limits: Any) -> tuple[float, float]:
    if limits is not None:
        given = finite_numbers(limits, "limits")
        if len(given) != 2 or not given[0] < given[1]:
            raise ArgumentError(f"limits must be two numbers, the lower first, got {shown(limits)}")
        return given[0], given[1]
    if all(isinstance(row, bytes) for row in rows):
        return 0.0, 255.0
    low, high = float(min(map(min, rows))), float(max(map(max, rows)))
    if low >= 0.0:
        return 0.0, 1.0 if high <= 1.0 else high
    return (-1.0, 1.0) if low >= -1.0 and high <= 1.0 else (low, high if high > low else 0.0)


def _side(sizes: tuple[int, int, int]) -> tuple[float, float]:
    """How large an image is drawn: pixels are a whole number of a screen's where they can be."""
    longer = max(sizes[1:])
    pixel = max(round(SIDE / longer), 1) if longer <= SIDE * 2 else SIDE * 2 / longer
    return pixel * sizes[2], max(pixel * sizes[1], 1.0)


def weights(
    matrix: Any, *, shape: Sequence[int] | None = None, columns: int | None = None, title: str = "Weights"
) -> Figure:
    """What each unit of a first layer, or each filter, looks for, as an image: blue where a weight is above 0, orange
    where it is below, the stronger the further from 0, in one scale for all.

    ``matrix`` (inputs x units) is a layer's weight, ``model.weights[0]``. ``shape`` is the (height, width) of
    a unit's inputs, or (channels, height, width); where there are several channels, each unit has a row with an image
    for each. Square images need none. Of more than 100 images the first 100 are drawn, and a note says so.

    Raises ``DataError`` for what is no matrix, ``ArgumentError`` for a shape that its columns do not have.
    """
    rows = as_rows(matrix, "matrix")
    units = len(rows[0])
    sizes = _shape(shape) if shape is not None else _guessed_square(len(rows))
    if prod(sizes) != len(rows):
        raise ArgumentError(f"matrix has {len(rows)} inputs, not {' x '.join(map(str, sizes))}: say another shape")
    if sizes[0] > MOST_IMAGES or len(rows) * units > MOST_PIXELS * 16:
        raise ArgumentError(
            f"a figure has room for {MOST_IMAGES} images, got {sizes[0]} channels of {len(rows)} weights"
        )
    drawn = min(units, MOST_IMAGES // sizes[0])
    if len(rows) * drawn > MOST_PIXELS:
        raise DataError(f"matrix has units of {len(rows)} inputs, more than a figure has room for")
    columns_of = [[float(row[unit]) for row in rows] for unit in range(drawn)]
    largest = max((abs(value) for column in columns_of for value in column), default=0.0)
    tiles = [
        [Tile(signed_image(plane)) for plane in _planes([value / (largest or 1.0) for value in column], sizes)]
        for column in columns_of
    ]
    side = _side(sizes)
    names = [f"unit {unit}" for unit in range(1, drawn + 1)] if sizes[0] > 1 else []
    if sizes[0] == 1:
        each = [Tile(row[0].image, str(unit)) for unit, row in enumerate(tiles, 1)]
        count = columns or max(min(int(ACROSS // Tiles([each], side).cell), len(each), 20), 1)
        require_size("columns", count)
        tiles = [each[start : start + count] for start in range(0, len(each), count)]
    notes = [f"The first {drawn:,} of {units:,} units are drawn." if units > drawn else ""]
    told = f"Weights of {drawn} units, {len(rows)} each, from −{number(largest)} to {number(largest)} at most."
    panel = Tiles(tiles, side, names=names, largest=largest or None, number=number(largest, 3))
    return Figure(title, [panel], notes=notes, description=told)


def _guessed_square(inputs: int) -> tuple[int, int, int]:
    side = isqrt(inputs)
    if side * side != inputs:
        raise ArgumentError(
            f"matrix has {inputs} inputs, no square of pixels: say shape=(height, width) or (channels, height, width)"
        )
    return 1, side, side
