from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from quadrat.report import html
from quadrat.report.html import Html, Section, element
from quadrat.report.style import ACCENT, new_figure, styled, to_svg


@styled()
def drawn() -> str:
    figure = new_figure(2, 2)
    figure.add_subplot().plot([0, 1], [0, 1], color=ACCENT)
    return to_svg(figure)


def test_children_and_attributes_are_escaped_once() -> None:
    made = element("p", "<b>", element("i", "a & b"), title='"x"', class_="c", data_n=None)
    assert made == '<p title="&quot;x&quot;" class="c">&lt;b&gt;<i>a &amp; b</i></p>'
    assert element("img", src="x", hidden=False) == '<img src="x" />'
    assert html.joined(["<", Html("<br />"), None], between=" ") == "&lt; <br />"


def test_table_escapes_and_names_rows_and_columns() -> None:
    root = ET.fromstring(html.table(["Score", "a<b"], [["x & y", "1"], ["z", "2"]], strong=1))
    assert [th.text for th in root.iter("th")] == ["Score", "a<b", "x & y", "z"]
    assert [th.get("scope") for th in root.iter("th")] == ["col", "col", "row", "row"]
    assert [tr.get("class") for tr in root.iter("tr")] == [None, None, "strong"]


def test_two_drawings_share_no_id() -> None:
    both = element(
        "div", html.inline_svg(drawn(), "one", "a"), html.inline_svg(drawn(), "two", "b")
    )
    root = ET.fromstring(both)
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert ids
    assert len(ids) == len(set(ids))
    for name, reference in {
        (attribute, value)
        for node in root.iter()
        for attribute, value in node.items()
        if value.startswith(("url(#", "#"))
    }:
        if name != "fill":
            assert reference.strip("url()#") in ids


def test_drawings_follow_light_and_dark() -> None:
    inline = html.inline_svg(drawn(), "one", 'say "a" & b')
    assert "var(--colour-0, #17785c)" in inline
    assert "var(--paper, #ffffff)" in inline
    assert 'aria-label="say &quot;a&quot; &amp; b"' in inline
    assert "<?xml" not in inline
    assert "<!DOCTYPE" not in inline
    with pytest.raises(ValueError, match="viewBox"):
        html.inline_svg("<svg></svg>", "x", "x")


def test_page_is_whole() -> None:
    made = html.page(
        title="a <b>",
        kicker="k",
        hero=element("h1", "h"),
        sections=[Section("one", "First", element("p", "x"))],
        footer="f",
    )
    assert made.startswith("<!DOCTYPE html>\n")
    root = ET.fromstring(made)
    assert root.findtext("head/title") == "a <b>"
    assert root.find("body/nav/ul/li/a").get("href") == "#one"
    assert root.find("body/main/section").get("id") == "one"
    assert "prefers-color-scheme: dark" in root.findtext("head/style")
    assert "@media print" in root.findtext("head/style")
