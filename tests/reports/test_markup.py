"""Whatever is not markup is escaped, wherever it stands."""

from __future__ import annotations

import pytest

from scratchnn.reports.markup import Markup, element, markup, page, preformatted, table
from tests.reports.reading import Page, check_self_contained

ODD = '<script>alert("1")</script>&\x1b[2J\u202e'
SHOWN = '<script>alert("1")</script>&\\x1b[2J\\u202e'


@pytest.mark.parametrize("whole", [element("p", ODD), markup(ODD), preformatted(ODD), table([ODD], [[ODD]])])
def test_text_is_shown_as_it_is_written(whole: Markup) -> None:
    found = Page(page("title", "", whole))
    check_self_contained(found)
    assert SHOWN in found.text


def test_attributes_and_titles_are_escaped() -> None:
    found = Page(page(ODD, "", element("p", "text", title=ODD, class_="a b", id=None)))
    check_self_contained(found)
    assert ("p", {"title": SHOWN, "class": "a b"}) in found.tags


def test_markup_is_left_as_it_is() -> None:
    assert element("p", "a < b ", element("b", "c")) == "<p>a &lt; b <b>c</b></p>"
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_preformatted_lines_stay_lines() -> None:
    assert preformatted("a\nb\r") == "<pre>a\nb\\r</pre>"


def test_a_table_has_headings_for_rows_and_columns_and_numbers_at_the_right() -> None:
    found = table(["class", "rows"], [["a", "1"]], foot=[["all", "2"]])
    assert '<th scope="col" class="short">class</th><th scope="col" class="number">rows</th>' in found
    assert '<tr><th scope="row" class="short">a</th><td class="number">1</td></tr>' in found
    assert "<tfoot>" in found and "<tfoot>" not in table(["a"], [["b"]])
