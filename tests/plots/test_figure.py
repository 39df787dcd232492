"""Every kind of figure, drawn of data that are hard to draw: whole XML, nothing cut off, no text on another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import ArgumentError, plots
from scratchnn.plots.figure import Figure
from tests.plots.reading import SVG, boxes, root_of, words_in
from tests.plots.samples import NASTY, SAMPLES

ROOT = Path(__file__).resolve().parent.parent.parent

every_sample = pytest.mark.parametrize("name", SAMPLES)


@every_sample
def test_a_figure_is_whole_xml_with_a_title_for_those_who_listen(name: str) -> None:
    figure = SAMPLES[name]()
    root = root_of(figure)
    title, description = (root.find(f"{SVG}{tag}") for tag in ("title", "desc"))
    assert root.tag == f"{SVG}svg" and root.attrib["role"] == "img"
    assert title is not None and root.attrib["aria-labelledby"] == title.attrib["id"]
    assert title.text == (figure.title or "Figure")
    assert description is not None and root.attrib["aria-describedby"] == description.attrib["id"]
    assert description.text == figure.description != ""


@every_sample
def test_no_text_lies_on_another_and_none_is_cut_off(name: str) -> None:
    figure = SAMPLES[name]()
    found = boxes(figure)
    assert found
    for box in found:
        assert box.left >= 0 and box.top >= 0 and box.right <= figure.width and box.bottom <= figure.height, box
    for one, other in combinations(found, 2):
        assert not one.overlaps(other), (one, other)


@every_sample
def test_every_number_in_a_figure_is_one_and_within_reach(name: str) -> None:
    svg = SAMPLES[name]().svg()
    drawn = re.sub(r"<(title|desc|text)[ >].*?</\1>", "", svg, flags=re.DOTALL).partition("</style>")[2]
    attributes = re.findall(r'(?:[xy]|[xy][12]|width|height|d|viewBox|transform)="([^"]*)"', drawn)
    numbers = [float(number) for value in attributes for number in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", value)]
    assert numbers and max(map(abs, numbers)) < 1e5
    assert not [value for value in attributes if "nan" in value or "inf" in value]


@every_sample
def test_no_character_of_a_stranger_comes_through(name: str) -> None:
    svg = SAMPLES[name]().svg()
    assert svg.isprintable() or set(svg) - {"\n"} == {c for c in svg if c.isprintable()}
    assert "<b>" not in svg


@every_sample
def test_a_figure_is_of_a_size_that_can_be_looked_at(name: str) -> None:
    figure = SAMPLES[name]()
    assert figure.width <= 2600 and figure.height <= 2600
    assert len(figure.svg()) <= 1_500_000


def test_the_same_figure_is_the_same_bytes_in_every_process() -> None:
    code = "import sys; from tests.plots.samples import SAMPLES; from hashlib import sha256\n"
    code += "print(sha256(''.join(figure().svg() for figure in SAMPLES.values()).encode()).hexdigest())"
    digests = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_a_figure_saves_itself_and_shows_itself_in_a_notebook(tmp_path: Path) -> None:
    figure = plots.learning_curves({"loss": [2.0, 1.0]})
    figure.save(tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_bytes() == figure.svg().encode("utf-8")
    assert figure._repr_svg_() == figure.svg()
    assert repr(figure) == f"Figure('Learning curves', {figure.width:.0f} x {figure.height:.0f})"
    assert os.listdir(tmp_path) == ["curves.svg"]


def test_a_figure_that_cannot_be_saved_leaves_what_was_there(tmp_path: Path) -> None:
    figure = plots.learning_curves({"loss": [2.0, 1.0]})
    with pytest.raises(OSError, match=r"there is no folder"):
        figure.save(tmp_path / "nowhere" / "curves.svg")
    for name in ("curves.png", "curves.PDF"):
        with pytest.raises(ArgumentError, match=r"curves\.\w+: a figure is saved as SVG, expected .* \.svg"):
            figure.save(tmp_path / name)
    assert not os.listdir(tmp_path)


def test_a_theme_is_the_reader_s_or_the_one_that_is_said() -> None:
    figure = plots.learning_curves({"loss": [2.0, 1.0]})
    assert "prefers-color-scheme:dark" in figure.svg() and "--nn-paper:#ffffff" in figure.svg()
    light, dark = figure.svg("light"), figure.svg("dark")
    assert "prefers-color-scheme" not in light + dark
    assert "--nn-paper:#ffffff" in light and "--nn-paper:#161b22" in dark
    with pytest.raises(
        ArgumentError, match=r"^unknown theme 'drak': known are auto, light, dark; did you mean 'dark'\?"
    ):
        figure.svg("drak")


def test_nothing_in_a_figure_comes_from_elsewhere_or_runs() -> None:
    for name, figure in SAMPLES.items():
        svg = figure().svg().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"<script|<foreignObject|@import|\son\w+=|https?:", svg), name
        assert set(re.findall(r'href="([^,"]*)', svg)) <= {"data:image/png;base64"}, name


def test_figures_side_by_side_keep_their_names() -> None:
    figures = [plots.learning_curves({"loss": [2.0, 1.0]}, title=f"run {k}") for k in range(6)]
    together = plots.side_by_side(figures, title="All of them")
    assert together.title == "All of them"
    assert {f"run {k}: loss" for k in range(6)} < set(words_in(together))
    assert together.columns == 3
    assert [panel.caption for panel in figures[0].panels] == ["loss"]  # they stay what they were
    assert plots.side_by_side(figures, columns=2).height > together.height
    for wrong in ([], [figures[0], "no figure"]):
        with pytest.raises(ArgumentError, match=r"^side_by_side needs a list of one or more figures"):
            plots.side_by_side(wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"^one figure has room for 100 panels, got 102"):
        plots.side_by_side(figures * 17)
    with pytest.raises(ArgumentError, match=r"^columns must be a whole number of at least 1"):
        plots.side_by_side(figures, columns=0)


def test_a_title_may_be_anything_and_is_never_endless() -> None:
    figure = Figure(NASTY * 1000, [])
    assert len(figure.title) <= 400
    assert figure.heading[-1].endswith("…") and len(figure.heading) <= 3


def test_plots_are_loaded_when_they_are_asked_for() -> None:
    code = "import sys, scratchnn; before = [n for n in sys.modules if 'plots' in n]; scratchnn.plots.learning_curves"
    code += "; print(before, 'scratchnn.plots.curves' in sys.modules, 'scratchnn.model' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[] True False\n"


@pytest.mark.parametrize("name", plots.__all__)
def test_every_kind_of_figure_is_documented(name: str) -> None:
    assert getattr(plots, name).__doc__


@given(st.lists(st.text(max_size=40), min_size=1, max_size=12, unique=True))
def test_whatever_things_are_called_no_text_lies_on_another(names: list[str]) -> None:
    count = len(names)
    for figure in (
        plots.confusion_matrix([[1] * count] * count, labels=names),
        plots.scatter([[k, k * k % 5] for k in range(count)], names, title=names[0], x_label=names[-1]),
        plots.lines({name: [k, k % 3] for k, name in enumerate(names)}, title=names[0], y_label=names[-1]),
        plots.probabilities([1 / count] * count, names),
    ):
        root_of(figure)
        found = boxes(figure)
        for box in found:
            assert box.left >= 0 and box.top >= 0 and box.right <= figure.width and box.bottom <= figure.height, box
        for one, other in combinations(found, 2):
            assert not one.overlaps(other), (one, other)


@given(st.lists(st.floats(), max_size=8), st.lists(st.floats(), max_size=8), st.booleans())
def test_whatever_losses_are_there_is_a_figure(loss: list[float], held_out: list[float], log: bool) -> None:
    figure = plots.learning_curves({"loss": loss, "val_loss": held_out}, log=log)
    drawn = figure.svg().partition("</style>")[2]
    assert not re.search(r'(?:d|x|y|[xy][12])="[^"]*(?:nan|inf)', drawn)
    found = boxes(figure)
    for one, other in combinations(found, 2):
        assert not one.overlaps(other), (one, other)
