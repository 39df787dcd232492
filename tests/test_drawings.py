"""Images, curves and rows as text: what they look like, and that no line is ever wider than it may be."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import Model
from scratchnn.drawings import (
    Caption,
    Gallery,
    Picture,
    across,
    caption,
    grid,
    limits_of,
    loss_lines,
    picture,
    planes_of,
    row_line,
    shortened,
    sparkline,
)
from scratchnn.metrics.report import width_of
from scratchnn.terminal import Look, can_show, look_of

ASCII, BLOCKS, COLOUR = Look(80), Look(80, True), Look(80, True, True)
LOOKS = [ASCII, BLOCKS, COLOUR, Look(80, False, True)]
CODES = re.compile("\x1b\\[(?:38;5;\\d+;48;5;\\d+|31|0)m")
RING = [[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]]


def seen(line: str) -> str:
    """A line as a terminal shows it; colours end where it does."""
    plain = CODES.sub("", line)
    assert "\x1b" not in plain
    assert CODES.findall(line)[-1:] in ([], ["\x1b[0m"])
    return plain


# --- images ------------------------------------------------------------------------------------------------


def test_a_character_is_two_pixels_one_above_the_other() -> None:
    wide = [[value for value in row for _ in range(4)] for row in RING]  # 16 across: as it is
    assert picture([wide], BLOCKS) == Picture(["▄▄▄▄▀▀▀▀▀▀▀▀▄▄▄▄", "▀▀▀▀▄▄▄▄▄▄▄▄▀▀▀▀"], 16)
    assert picture([wide], ASCII).lines == ["=" * 16] * 2


def test_small_images_are_enlarged_and_keep_their_shades() -> None:
    drawn = picture([[[0.0, 0.5], [1.0, 0.25]]], BLOCKS)
    assert drawn == Picture([" " * 8 + "▒" * 8] * 4 + ["█" * 8 + "░" * 8] * 4, 16)
    assert picture([[[0.0, 0.5], [1.0, 0.25]]], ASCII).lines[0] == " " * 8 + "=" * 8


def test_images_that_are_too_wide_are_made_smaller() -> None:
    drawn = picture([[[0.0] * 50 + [1.0] * 50] * 60], Look(20, True))
    assert drawn.width == 20 and len(drawn.lines) == 6
    assert drawn.lines[0] == " " * 10 + "█" * 10


def test_colours_are_those_of_both_pixels() -> None:
    line = picture([[[0.0, 1.0] * 8, [1.0, 1.0] * 8]], COLOUR).lines[0]
    assert line.startswith("\x1b[38;5;232;48;5;255m▀\x1b[38;5;255;48;5;255m▀")
    red = picture([[[1.0] * 16] * 2, [[0.0] * 16] * 2, [[0.0] * 16] * 2], COLOUR).lines[0]
    assert red == "\x1b[38;5;196;48;5;196m" + "▀" * 16 + "\x1b[0m"


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100), st.sampled_from(LOOKS), st.sampled_from([1, 3]))
def test_no_image_is_wider_than_it_may_be(height: int, width: int, room: int, look: Look, channels: int) -> None:
    drawn = picture([[[0.3] * width] * height] * channels, look._replace(width=room))
    assert {len(seen(line)) for line in drawn.lines} == {drawn.width}
    assert drawn.width <= room and drawn.lines


def test_flat_rows_become_planes_of_light() -> None:
    assert planes_of(bytes([0, 255, 51, 102]), (1, 2, 2), (0.0, 255.0)) == [[[0.0, 1.0], [0.2, 0.4]]]
    assert planes_of([2.0, -4.0, 0.0], (3, 1, 1), (-2.0, 2.0)) == [[[1.0]], [[0.0]], [[0.5]]]
    assert planes_of([1.5e308, -1.5e308], (1, 1, 2), (-1.5e308, 1.5e308)) == [[[1.0, 0.0]]]


def test_limits_are_those_of_bytes_or_of_the_numbers() -> None:
    assert limits_of([bytes([7]), bytes([9])]) == (0.0, 255.0)
    assert limits_of([[0.5, 3.0]]) == (0.0, 3.0)
    assert limits_of([[-2.0, -1.0]]) == (-2.0, -1.0)
    assert limits_of([[0.0, 0.0]]) == (0.0, 1.0)


# --- side by side ------------------------------------------------------------------------------------------


def test_images_stand_side_by_side_with_captions_below() -> None:
    one = Picture(["##", "##"], 2)
    captions = [Caption("7"), Caption("9, true 4", True), Caption("1"), Caption("2"), Caption("3")]
    lines = list(grid([one] * 5, captions, Look(78)))
    assert lines[0] == (" " * 18).join(["##"] * 4)
    assert lines[2].split() == ["7", "x", "9,", "true", "4", "1", "2"]
    assert lines[3] == "" and lines[4] == "##" and lines[6] == "3"
    assert "✗ 9, true 4" in list(grid([one] * 2, captions, BLOCKS))[2]
    assert "\x1b[31m✗ 9, true 4\x1b[0m" in list(grid([one] * 2, captions, COLOUR))[2]
    assert list(grid([], [], BLOCKS)) == []


names = st.text(max_size=60)


@given(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=6), st.integers(1, 90), st.sampled_from(LOOKS))
def test_captions_keep_to_the_width_whatever_they_hold(words: Any, room: int, look: Look) -> None:
    look = look._replace(width=room)
    captions = [Caption(text, wrong) for text, wrong in words]
    pictures = [picture([[[0.0] * 9] * 9], look) for _ in words]
    for line in grid(pictures, captions, look):
        assert width_of(seen(line)) <= room
        assert seen(line).isprintable()
    for text, wrong in words:
        line = row_line(7, Caption(text, wrong), ["1", text], ["a", text], look)
        assert width_of(seen(line)) <= room and seen(line).isprintable()


@given(st.text(max_size=50), st.integers(1, 60))
def test_shortened_text_fits(text: str, room: int) -> None:
    short = shortened(text, room)
    assert width_of(short) <= room and short.isprintable()


def test_captions_say_what_is_true_where_that_differs() -> None:
    assert caption("a", "a") == Caption("a") == caption("a")
    assert caption(7, "7", " 99%") == Caption("7 99%")
    assert caption(7, 9) == Caption("7, true 9", True)


def test_a_row_that_is_no_image_is_a_line() -> None:
    line = row_line(0, Caption("rose, true daisy", True), ["5", "2"], ["length", "width"], Look(70))
    assert line == "row 1     x rose, true daisy                length=5  width=2"
    assert row_line(11, Caption("rose"), ["5", "2"], [], Look(70)).endswith("5  2")


# --- curves ------------------------------------------------------------------------------------------------


def test_a_sparkline_goes_from_the_least_to_the_largest() -> None:
    assert sparkline([0.0, 1.0, 2.0, 3.5, 7.0], BLOCKS, 80) == "▁▂▃▅█"
    assert sparkline([0.0, 1.0, 2.0, 3.5, 7.0], ASCII, 80) == "_.-+@"
    assert sparkline([1.0] * 5, BLOCKS, 80) == "▁▁▁▁▁"
    assert sparkline([1.0, math.nan, math.inf, 2.0], BLOCKS, 80) == "▁  █"
    assert sparkline([math.nan], BLOCKS, 80) == " "
    assert sparkline([-1.7e308, 1.7e308], BLOCKS, 80) == "▁█"
    assert sparkline([9.0, 9.0, 1.0, 1.0], BLOCKS, 2) == "█▁"


@given(
    st.lists(st.floats(), min_size=1, max_size=300),
    st.lists(st.floats(), max_size=300),
    st.integers(1, 120),
    st.sampled_from(LOOKS),
)
def test_lines_about_the_loss_keep_to_the_width(loss: Any, validation: Any, room: int, look: Look) -> None:
    class Told:
        pass

    Told.loss, Told.validation_loss = loss, validation  # type: ignore[attr-defined]
    lines = loss_lines(Told, look._replace(width=room))
    assert len(lines) == 1 + bool(validation)
    assert all(len(line) <= room for line in lines)


# --- what a stream can show --------------------------------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("os.name", "posix")
    return Terminal()


def test_a_terminal_has_colours_and_its_own_width(terminal: Terminal) -> None:
    assert look_of(terminal) == Look(59, True, True)


def test_colours_that_are_not_welcome_are_left_out(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert look_of(terminal) == Look(59, True, False)


def test_a_file_has_eighty_columns_and_no_colours(terminal: Terminal) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert look_of(stream) == Look(80, False, False) == look_of(None)
    assert look_of(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == Look(80, True, False)


def test_a_dumb_terminal_is_like_a_file(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert look_of(terminal) == Look(80, True, False)


def test_an_encoding_that_does_not_exist_has_ascii(terminal: Terminal) -> None:
    terminal.encoding = "no such"  # type: ignore[misc]
    assert not can_show(terminal, "█") and look_of(terminal).blocks is False


# --- rows of a model ---------------------------------------------------------------------------------------


def test_a_gallery_shows_as_many_as_a_screen_has_room_for() -> None:
    model = Model(16, 2, 2)
    model.fit([bytes(range(k, k + 16)) for k in range(8)], [0, 1] * 4, epochs=1)
    gallery = Gallery(model.schema, BLOCKS)
    assert gallery.side_by_side == across(16, BLOCKS) == 4
    assert gallery.room(bytes(16), 99) == 12  # three rows of images, each 8 lines high and 2 for the caption
    lines = list(gallery.lines([bytes(range(16))], [Caption("0")], [0]))
    assert len(lines) == 10
    plain = Model(2, 2, 2)
    plain.fit([[0.0, 1.0], [1.0, 0.0]] * 4, [0, 1] * 4, epochs=1)
    gallery = Gallery(plain.schema, ASCII)
    assert gallery.room([0.0, 1.0], 99) == 99 and gallery.side_by_side == 1
