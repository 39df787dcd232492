"""A drawing becomes what MNIST's images are: its box scaled, its rims grey, its centre of mass in the middle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn.errors import DataError
from scratchnn.play.images import bounding_box, centre_of_mass, network_image


def drawn(width: int, height: int, left: int, top: int, right: int, bottom: int) -> bytes:
    """A black rectangle on paper."""
    return bytes(255 * (left <= x < right and top <= y < bottom) for y in range(height) for x in range(width))


def rows_of(image: bytes, side: int) -> list[bytes]:
    return [image[k : k + side] for k in range(0, len(image), side)]


def test_the_longer_side_becomes_20_of_28_pixels() -> None:
    image = network_image(drawn(100, 100, 10, 5, 40, 85), 100, 28)
    left, top, right, bottom = bounding_box(image, 28) or (0, 0, 0, 0)
    assert (bottom - top, top) == (20, 4)
    assert right - left == 8  # 30 / 80 of 20 pixels are 7.5


def test_proportions_are_kept() -> None:
    image = network_image(drawn(90, 60, 20, 20, 80, 50), 90, 28)
    assert bounding_box(image, 28) == (4, 9, 24, 19)


def test_rims_are_grey() -> None:
    image = network_image(drawn(50, 50, 0, 0, 3, 40), 50, 28)  # 1.5 of 28 pixels wide
    assert rows_of(image, 28)[14][12:16] in (bytes([0, 191, 191, 0]), bytes([0, 255, 128, 0]))


def test_the_same_drawing_anywhere_and_of_any_size_is_the_same_image() -> None:
    small = network_image(drawn(60, 60, 3, 9, 13, 29), 60, 28)
    large = network_image(drawn(200, 200, 100, 50, 160, 170), 200, 28)
    assert small == large


def test_the_centre_of_mass_is_in_the_middle() -> None:
    heavy = [bytes([255] * 30 + [0] * 10)] * 20 + [bytes([255] * 6 + [0] * 34)] * 20
    image = network_image(b"".join(heavy), 40, 28)
    x, y = centre_of_mass(rows_of(image, 28))
    assert (x, y) == (pytest.approx(14.0, abs=0.05), pytest.approx(14.0, abs=0.05))


def test_nothing_drawn_is_an_empty_image() -> None:
    assert network_image(bytes(400), 20, 28) == bytes(784)
    assert network_image(bytes([5]) * 400, 20, 28) == bytes(784)  # as faint as paper


def test_a_single_dot_is_a_square() -> None:
    image = network_image(drawn(30, 30, 17, 4, 18, 5), 30, 28)
    assert bounding_box(image, 28) == (4, 4, 24, 24)


def test_images_of_8_x_8_are_filled_as_the_shipped_digits_are() -> None:
    image = network_image(drawn(100, 100, 40, 20, 60, 80), 100, 8)
    assert bounding_box(image, 8) == (2, 0, 6, 8)  # 20 / 60 of 8 pixels, around the middle


@pytest.mark.parametrize("side", [4, 8, 14, 16, 28, 32, 64])
def test_ink_is_neither_lost_nor_made(side: int) -> None:
    ink = drawn(120, 120, 31, 17, 77, 101)
    image = network_image(ink, 120, side)
    scale = side * (1.0 if side == 8 else 20 / 28) / (101 - 17)
    assert sum(image) == pytest.approx(sum(ink) * scale * scale, rel=0.01)


@pytest.mark.parametrize(("ink", "width"), [(b"", 5), (bytes(7), 5), (bytes(5), 0), (bytes(5), -1), (bytes(70000), 10)])
def test_what_is_no_drawing_is_refused(ink: bytes, width: int) -> None:
    with pytest.raises(DataError, match=r"drawing"):
        network_image(ink, width, 28)


@given(st.binary(min_size=1, max_size=400), st.sampled_from([4, 8, 28]), st.integers(1, 20))
def test_any_drawing_gives_an_image_whose_ink_stays_inside(ink: bytes, side: int, width: int) -> None:
    ink = ink[: len(ink) // width * width] or bytes(width)
    image = network_image(ink, width, side)
    assert len(image) == side * side
    if any(value > 16 for value in ink):
        assert any(image)
