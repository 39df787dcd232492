"""Colours, dashes and shapes: the style of each series, in light and in dark.

The ten colours were found by search: each stands out from its paper by a contrast of 3 at least (WCAG 2.1, 1.4.11), and
any two of them differ by 0.08 at least in OKLab (Ottosson, 2020), as seen by all eyes and as seen by those without red,
green or blue cones (Machado, Oliveira and Fernandes, IEEE Transactions on Visualization 15, 2009). Colour is never the
only cue: each series has a shape too, and whatever is dashed in one theme is dashed in the other.

A colour is a CSS variable, so that one file is light or dark as its reader's system is; a program that knows no
variables finds the light colour as it is.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff", "ink": "#1f2328", "muted": "#57606a", "faint": "#e1e5ea", "strong": "#000000",
    "on": "#ffffff",
    "0": "#1035d6", "1": "#c14510", "2": "#118165", "3": "#843785", "4": "#bc8a2b",
    "5": "#8189ac", "6": "#ab52fb", "7": "#03384a", "8": "#8d1e02", "9": "#481607",
}  # fmt: skip
DARK = {
    "paper": "#161b22", "ink": "#e6edf3", "muted": "#9aa4af", "faint": "#30363d", "strong": "#ffffff",
    "on": "#000000",
    "0": "#36a1fc", "1": "#f37759", "2": "#a2feda", "3": "#d02a90", "4": "#fbed49",
    "5": "#9fa2b0", "6": "#7f52f9", "7": "#52d6f6", "8": "#a8641e", "9": "#eeba8d",
}  # fmt: skip
COLOURS = 10
RIGHT, WRONG = 0, 1  # the colours of what is as it should be, and of what is not
THEMES = ("auto", "light", "dark")

# What the elements of a class look like: a property that takes a colour, or declarations as they are.
_COLOURED = {"f": "fill", "s": "stroke"}
_PLAIN = {
    "nn-halo": "paint-order:stroke;stroke-width:4px;stroke-linejoin:round",
    "nn-rim": "paint-order:stroke",  # under the symbols, so that many on one spot do not hide each other
    "nn-pixels": "image-rendering:crisp-edges;image-rendering:pixelated",
    "nn-edges": "shape-rendering:crispEdges",
}


def fill(colour: object) -> str:
    """The class of what is filled with a colour: a number of a series, or "ink", "muted", "faint", "paper" ..."""
    return f"nn-f-{colour}"


def stroke(colour: object) -> str:
    """The class of what is outlined with a colour."""
    return f"nn-s-{colour}"


def style(body: str, theme: str) -> str:
    """The style sheet for the classes that stand in a figure's elements."""
    first, root = DARK if theme == "dark" else LIGHT, root_class(theme)
    rules = [f".{root}{{{_variables(first)}}}"]
    if theme == "auto":
        rules.append(f"@media screen and (prefers-color-scheme:dark){{.{root}{{{_variables(DARK)}}}")
        rules.append(f".{root} .nn-ink-image{{filter:invert(1)}}" * ("nn-ink-image" in body) + "}")
    elif theme == "dark" and "nn-ink-image" in body:
        rules.append(f".{root} .nn-ink-image{{filter:invert(1)}}")
    used = [(letter, colour) for letter in _COLOURED for colour in first if f"nn-{letter}-{colour}" in body]
    rules += [f".nn-{letter}-{colour}{{{_COLOURED[letter]}:{first[colour]}}}" for letter, colour in used]
    varied = [f".nn-{letter}-{colour}{{{_COLOURED[letter]}:var(--nn-{colour})}}" for letter, colour in used]
    rules.append(f"@supports (fill:var(--nn-ink)){{{''.join(varied)}}}")
    rules += [f".{name}{{{declarations}}}" for name, declarations in _PLAIN.items() if name in body]
    return "\n".join(rules)


def _variables(theme: dict[str, str]) -> str:
    return ";".join(f"--nn-{name}:{value}" for name, value in theme.items())


def root_class(theme: str) -> str:
    """The class of a figure's outermost element: another one for each theme, as a page may hold several figures."""
    return f"scratchnn-figure-{theme}"
