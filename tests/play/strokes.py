"""Digits as people draw them: three hands, each stroke a list of points from 0 to 1 that a curve goes through.

The first writes as in a schoolbook, the second slanted and in haste, the third small, round and away from the middle. A
corner is a point that stands twice.
"""

from __future__ import annotations

from math import cos, sin

Point = tuple[float, float]
Stroke = list[Point]

_SCHOOL = {
    0: [".5 .14 .34 .24 .28 .5 .34 .76 .5 .86 .66 .76 .72 .5 .66 .24 .5 .14"],
    1: [".5 .14 .5 .4 .5 .86"],
    2: [".3 .3 .37 .18 .5 .14 .63 .19 .68 .32 .6 .5 .3 .85 .3 .85 .72 .85"],
    3: [".32 .2 .5 .14 .66 .23 .65 .38 .48 .48 .48 .48 .67 .57 .68 .75 .52 .86 .31 .79"],
    4: [".36 .14 .3 .5 .3 .5 .7 .5", ".66 .14 .64 .5 .63 .86"],
    5: [".36 .16 .33 .46 .33 .46 .52 .41 .68 .52 .68 .71 .54 .85 .32 .8", ".36 .16 .68 .16"],
    6: [".62 .14 .42 .35 .32 .6 .38 .8 .52 .86 .66 .78 .67 .63 .54 .54 .36 .64"],
    7: [".3 .17 .7 .17 .7 .17 .55 .46 .44 .86"],
    8: [".52 .49 .36 .37 .38 .21 .52 .14 .66 .22 .64 .37 .38 .6 .34 .77 .51 .86 .67 .77 .66 .62 .52 .49"],
    9: [".67 .32 .55 .45 .38 .41 .34 .25 .48 .14 .63 .18 .67 .32 .63 .6 .55 .86"],
}
_HASTE = {
    0: [".56 .13 .36 .2 .25 .48 .3 .8 .46 .88 .68 .74 .76 .42 .68 .17 .52 .14"],
    1: [".58 .12 .52 .45 .44 .88"],
    2: [".34 .26 .5 .13 .68 .2 .66 .38 .46 .62 .26 .84 .26 .84 .48 .8 .74 .84"],
    3: [".36 .18 .56 .12 .7 .24 .6 .4 .46 .46 .46 .46 .62 .52 .66 .7 .5 .86 .26 .82"],
    4: [".44 .12 .3 .42 .26 .56 .26 .56 .5 .57 .74 .53", ".68 .3 .6 .6 .54 .9"],
    5: [".42 .18 .36 .44 .36 .44 .54 .42 .64 .56 .6 .76 .44 .87 .26 .82", ".42 .18 .56 .17 .74 .13"],
    6: [".66 .12 .46 .28 .32 .54 .3 .76 .42 .88 .58 .8 .62 .64 .5 .56 .34 .68"],
    7: [".32 .2 .5 .17 .76 .16 .76 .16 .6 .42 .46 .64 .4 .88"],
    8: [".7 .2 .54 .13 .4 .22 .46 .4 .6 .56 .62 .76 .46 .87 .32 .78 .38 .6 .58 .42 .7 .26 .7 .2"],
    9: [".7 .24 .54 .14 .38 .26 .38 .42 .52 .46 .66 .34 .7 .22 .64 .5 .54 .88"],
}
_ROUND = {
    0: [".4 .3 .28 .36 .25 .5 .3 .64 .42 .69 .54 .62 .57 .46 .52 .33 .4 .3"],
    1: [".4 .28 .4 .5 .4 .7"],
    2: [".28 .38 .34 .29 .45 .29 .51 .37 .46 .5 .34 .6 .27 .69 .27 .69 .4 .68 .55 .69"],
    3: [".29 .34 .38 .28 .5 .31 .52 .41 .4 .48 .4 .48 .53 .54 .53 .65 .42 .71 .28 .67"],
    4: [".34 .28 .29 .42 .3 .5 .3 .5 .42 .51 .56 .49", ".53 .28 .53 .5 .52 .72"],
    5: [".33 .3 .31 .46 .31 .46 .42 .43 .53 .51 .52 .64 .42 .7 .29 .67", ".33 .3 .54 .29"],
    6: [".46 .27 .34 .4 .29 .56 .34 .69 .45 .71 .54 .63 .52 .54 .42 .51 .31 .58"],
    7: [".27 .31 .42 .3 .56 .3 .56 .3 .48 .48 .4 .7"],
    8: [".42 .48 .31 .41 .33 .31 .42 .27 .52 .31 .52 .41 .42 .48 .3 .57 .31 .68 .42 .72 .53 .67 .53 .56 .42 .48"],
    9: [".53 .38 .45 .47 .34 .45 .31 .35 .39 .28 .5 .3 .53 .38 .52 .55 .47 .71"],
}
HANDS = {"school": (_SCHOOL, 0.0), "haste": (_HASTE, 0.05), "round": (_ROUND, -0.04)}


def strokes(digit: int, hand: str) -> list[Stroke]:
    """The strokes of a digit in one of the ``HANDS``, each of many points."""
    written, turn = HANDS[hand]
    return [[_turned(point, turn) for point in curve(_points(text))] for text in written[digit]]


def curve(points: Stroke) -> Stroke:
    """Points on a curve through these (Catmull and Rom, 1974)."""
    found = []
    for k in range(len(points) - 1):
        around = [points[min(max(k + step, 0), len(points) - 1)] for step in (-1, 0, 1, 2)]
        for step in range(2):
            t = step / 2
            found.append(tuple(_between(t, *numbers) for numbers in zip(*around)))
    return [*found, points[-1]]  # type: ignore[list-item]


def _points(text: str) -> Stroke:
    numbers = [float(word) for word in text.split()]
    return list(zip(numbers[::2], numbers[1::2]))


def _between(t: float, a: float, b: float, c: float, d: float) -> float:
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _turned(point: Point, angle: float) -> Point:
    x, y = point[0] - 0.5, point[1] - 0.5
    return 0.5 + x * cos(angle) - y * sin(angle), 0.5 + x * sin(angle) + y * cos(angle)
