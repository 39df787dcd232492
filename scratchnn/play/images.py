"""From a drawing to the image that a network was trained on: cut out, scaled, antialiased and centred.

MNIST's images were made so (LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998, section III.A): the digit's bounding box was scaled to fit a box of
20 x 20 pixels with its proportions kept, grey at its rims from antialiasing, and put into the 28 x 28 pixels with
its centre of mass in the middle. Pure functions of bytes, 0 for paper and 255 for ink.
"""

from __future__ import annotations

from operator import add

from ..errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are behind the last
    # For each pixel of a result: its first pixel of the source, and the share of each from there on.
    Shares = list[tuple[int, list[float]]]

SMALLEST_SIDE, LARGEST_SIDE = 4, 64  # of a network's image
MOST_PIXELS = 1 << 16  # of a drawing
PAPER = 16  # what is no darker than this is paper, where the bounding box is looked for

MNIST_BOX = 20 / 28  # the share of an image's side that the longer side of a digit has
FULL_BOX_SIDE = 8
"""Images of this side are as Alpaydin and Kaynak's (data/README.md), whose digits fill them from top to bottom."""


def network_image(ink: bytes, width: int, side: int) -> bytes:
    """A drawing, ``width`` pixels a row, as an image of ``side`` x ``side`` pixels; all paper if nothing is drawn.

    The longer side of the bounding box becomes 20/28 of the image's (all of it, at 8 x 8), every pixel is the mean of
    what it covers, and the centre of mass comes to the middle as far as the drawing then stays within the image.
    Raises ``DataError`` where ``ink`` is not whole rows, or too much.
    """
    require_drawing(ink, width)
    box = bounding_box(ink, width)
    if box is None:
        return bytes(side * side)
    left, top, right, bottom = box
    across, down = right - left, bottom - top
    rows = [ink[y * width + left : y * width + right] for y in range(top, bottom)]
    scale = side * (1.0 if side == FULL_BOX_SIDE else MNIST_BOX) / max(across, down)
    x, y = centre_of_mass(rows)
    columns = _shares(across, scale, _placed(side, across * scale, x * scale), side)
    lines = _shares(down, scale, _placed(side, down * scale, y * scale), side)
    image = bytearray()
    for line in _averaged(rows, lines, across):
        image += bytes(min(255, int(sum([a * b for a, b in zip(line[first:], part)]) + 0.5)) for first, part in columns)
    return bytes(image)


def require_drawing(ink: bytes, width: int) -> None:
    """``DataError`` unless these are whole rows of so many pixels, and no more than ``MOST_PIXELS``."""
    if not 1 <= width <= MOST_PIXELS or not ink or len(ink) % width:
        raise DataError(f"a drawing must be whole rows of {width} pixels, got {len(ink)} pixels")
    if len(ink) > MOST_PIXELS:
        raise DataError(f"a drawing may have {MOST_PIXELS} pixels at most, got {len(ink)}")


def bounding_box(ink: bytes, width: int) -> Box | None:
    """The smallest box around everything that is darker than ``PAPER``; None if nothing is."""
    rows = [ink[start : start + width].translate(_INK) for start in range(0, len(ink), width)]
    drawn = [number for number, row in enumerate(rows) if any(row)]
    if not drawn:
        return None
    lines = rows[drawn[0] : drawn[-1] + 1]
    left = min(row.index(1) for row in lines if any(row))
    right = max(row.rindex(1) for row in lines if any(row)) + 1
    return left, drawn[0], right, drawn[-1] + 1


_INK = bytes(int(value > PAPER) for value in range(256))


def centre_of_mass(rows: list[bytes]) -> tuple[float, float]:
    """(x, y) of the ink's centre, from the upper left corner; a pixel's own centre is half a pixel in."""
    sums = [sum(row) for row in rows]
    total = sum(sums)
    columns = [0] * len(rows[0])
    for row in rows:
        columns = list(map(add, columns, row))
    x = sum([(k + 0.5) * value for k, value in enumerate(columns)]) / total
    return x, sum([(k + 0.5) * value for k, value in enumerate(sums)]) / total


def _placed(side: int, length: float, centre: float) -> float:
    """Where something of this length begins, so that its ``centre`` is in the middle, but none of it outside."""
    return min(max(side / 2 - centre, 0.0), side - length)


def _shares(pixels: int, scale: float, start: float, side: int) -> Shares:
    """For each of ``side`` pixels of the result, which pixels of the source it covers and with what share of its own
    length; the source is ``scale`` times as long there and begins at ``start``."""
    found: Shares = []
    for number in range(side):
        low, high = (number - start) / scale, (number + 1 - start) / scale
        first, last = max(int(low), 0), min(int(high) + 1, pixels)
        covered = [max(0.0, min(high, k + 1) - max(low, k)) * scale for k in range(first, last)]
        found.append((first, covered))
    return found


def _averaged(rows: list[bytes], shares: Shares, width: int) -> list[list[float]]:
    """Rows of the source, mixed by their shares into the rows of the result."""
    mixed = []
    for first, parts in shares:
        line = [0.0] * width
        for row, part in zip(rows[first:], parts):
            if part:
                line = [a + part * b for a, b in zip(line, row)]
        mixed.append(line)
    return mixed
