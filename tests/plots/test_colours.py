"""Colours: readable on their paper, and apart for every kind of eye; shapes as the second cue."""

from __future__ import annotations

from itertools import combinations

import pytest

from scratchnn.plots import colours, marks, matrices

Colour = tuple[float, float, float]  # linear red, green, blue, from 0 to 1

THEMES = {"light": colours.LIGHT, "dark": colours.DARK}
# What is seen of linear red, green and blue without one kind of cones (Machado and others, 2009, severity 1).
EYES = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def linear(colour: str) -> Colour:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def mixed(colour: str, paper: str, opacity: float) -> str:
    """A colour of that opacity on paper, as browsers mix it: in the encoded numbers."""
    pairs = [(int(colour[i : i + 2], 16), int(paper[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a * opacity + b * (1 - opacity)):02x}" for a, b in pairs)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.1."""
    bright = [sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(colour))) + 0.05 for colour in (one, other)]
    return max(bright) / min(bright)


def seen(colour: str, eye: str) -> list[float]:
    """A colour in OKLab, as an eye sees it."""
    rgb = [min(max(sum(w * c for w, c in zip(row, linear(colour))), 0.0), 1.0) for row in EYES[eye]]
    cones = [
        sum(w * c for w, c in zip(row, rgb)) ** (1 / 3)
        for row in (
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        )
    ]
    lab = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    return [sum(w * c for w, c in zip(row, cones)) for row in lab]


@pytest.mark.parametrize("theme", THEMES)
def test_series_stand_out_from_their_paper(theme: str) -> None:
    chosen = THEMES[theme]
    for number in range(colours.COLOURS):
        assert contrast(chosen[str(number)], chosen["paper"]) >= 3.0


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read(theme: str) -> None:
    chosen = THEMES[theme]
    for ink in ("ink", "muted", "strong"):
        assert contrast(chosen[ink], chosen["paper"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", EYES)
def test_any_two_series_are_apart_for_every_eye(eye: str, theme: str) -> None:
    found = [seen(THEMES[theme][str(number)], eye) for number in range(colours.COLOURS)]
    for one, other in combinations(found, 2):
        assert sum((a - b) ** 2 for a, b in zip(one, other)) ** 0.5 >= 0.08


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("right", [True, False])
def test_numbers_can_be_read_in_cells_of_every_strength(right: bool, theme: str) -> None:
    chosen = THEMES[theme]
    for percent in range(101):
        strength = round(matrices.strength_of(percent / 100, right), 2)
        cell = mixed(chosen[str(colours.RIGHT if right else colours.WRONG)], chosen["paper"], strength)
        ink = chosen["strong" if strength <= matrices.OWN_INK else "on"]
        assert contrast(ink, cell) >= 4.5, percent


def test_no_series_has_the_colour_and_the_shape_of_another() -> None:
    pairs = {(marks.colour_of(k), marks.shape_of(k)) for k in range(marks.SERIES)}
    assert len(pairs) == marks.SERIES == 100
    assert len({marks.shape_of(k) for k in range(10)}) == len({marks.colour_of(k) for k in range(10)}) == 10
