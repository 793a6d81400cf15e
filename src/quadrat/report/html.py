"""HTML by small helpers that escape, and the page that every report is."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from quadrat.report import style

_VOID = frozenset({"br", "hr", "img", "meta"})

_PROLOGUE = re.compile(r"\A.*?(?=<svg)", re.DOTALL)
_IDS = re.compile(r'(\bid="|url\(#|href="#)')
_PERCENT = re.compile(r"(?<=\d) %")
_ROOT = re.compile(r'<svg\b[^>]*?viewBox="(?P<box>[^"]*)"[^>]*>', re.DOTALL)

_VARIABLES = {
    style.PAPER: "--paper",
    style.INK: "--ink",
    style.MUTED: "--muted",
    style.FAINT: "--line",
    style.NEUTRAL: "--neutral",
    **{colour: f"--colour-{place}" for place, colour in enumerate(style.PALETTE)},
}


class Html(str):
    """Text that is HTML already and must not be escaped again."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: object) -> Html:
    """An element; children that are not `Html` are escaped, None is left out.

    Args:
        name: The tag.
        children: Text or elements.
        attributes: A trailing underscore is dropped, other underscores become hyphens; None and
            False leave the attribute out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written} />")
    inner = "".join(text(child) for child in children if child is not None)
    return Html(f"<{name}{written}>{inner}</{name}>")


def text(value: str) -> Html:
    """Plain text escaped, with numbers and their percent signs on one line; `Html` as it is."""
    return value if isinstance(value, Html) else Html(_PERCENT.sub("\u00a0%", html.escape(value)))


def verbatim(value: str) -> Html:
    """Plain text escaped, and nothing else, such as a file that may be copied."""
    return Html(html.escape(value))


def joined(parts: Iterable[str | None], between: str = "") -> Html:
    """Parts one after the other."""
    return Html(text(between).join(text(part) for part in parts if part is not None))


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Args:
        anchor: Its id in the page.
        title: Its heading.
        body: What it holds.
    """

    anchor: str
    title: str
    body: Html


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    strong: int | None = None,
) -> Html:
    """A table; the first column names the row, the others are aligned to the right.

    Args:
        head: Names of the columns.
        rows: Cells, text or HTML.
        caption: What the table shows.
        strong: A row to set in bold.
    """
    header = element("tr", *[element("th", name, scope="col") for name in head])
    lines = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *[element("td", cell) for cell in row[1:]],
            class_="strong" if place == strong else None,
        )
        for place, row in enumerate(rows)
    ]
    inner = element(
        "table",
        element("caption", caption) if caption else None,
        element("thead", header),
        element("tbody", *lines),
    )
    # A wide table moves sideways by itself; with the keyboard too, hence the tab stop.
    return element("div", inner, class_="scroll", tabindex="0", role="region", aria_label="table")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and values, one line each."""
    lines = [element("div", element("dt", key), element("dd", value)) for key, value in pairs]
    return element("dl", *lines, class_="facts")


def notice(sentence: str) -> Html:
    """Says why something is not there."""
    return element("p", sentence, class_="notice")


def details(summary: str, *children: str) -> Html:
    """Something that opens when asked for."""
    return element("details", element("summary", summary), *children)


def figure(svg: str, caption: str, *, name: str, kind: str = "panel") -> Html:
    """A drawing inside the page, with a caption that says how to read it.

    Args:
        svg: The SVG document; its colours follow the page's light or dark mode.
        caption: How to read it.
        name: Unique in the page.
        kind: ``panel`` stands beside others, ``wide`` moves sideways on a phone, ``map`` shrinks.
    """
    drawing = element("div", inline_svg(svg, name, caption), class_=kind)
    return element("figure", drawing, element("figcaption", caption), id=f"figure-{name}")


def inline_svg(svg: str, name: str, label: str) -> Html:
    """An SVG document as an element: ids of its own, colours as variables, size by its frame."""
    body = _PROLOGUE.sub("", svg, count=1).strip()
    body = _IDS.sub(rf"\g<1>{name}-", body)
    found = _ROOT.search(body)
    if found is None:
        raise ValueError(f"the drawing {name} has no viewBox")
    width = found["box"].split()[2]
    root = (
        '<svg xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{found["box"]}" style="--natural: {float(width):.0f}px" role="img" '
        f'aria-label="{html.escape(label)}">'
    )
    body = root + body[found.end() :]
    for colour, variable in _VARIABLES.items():
        body = body.replace(f": {colour}", f": var({variable}, {colour})")
    return Html(body)


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that needs no file, such as for ``"image/jpeg"``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def page(*, title: str, kicker: str, hero: str, sections: Sequence[Section], footer: str) -> str:
    """The whole document, with everything it needs inside.

    Args:
        title: Of the window.
        kicker: A line above the headline.
        hero: Headline, verdict and key numbers.
        sections: In the order of reading.
        footer: A last line.
    """
    css = files("quadrat.report").joinpath("page.css").read_text(encoding="utf-8")
    links = [
        element("li", element("a", section.title, href=f"#{section.anchor}"))
        for section in sections
    ]
    parts = [
        element("section", element("h2", section.title), section.body, id=section.anchor)
        for section in sections
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(css)),
    )
    body = element(
        "body",
        element("header", element("p", mark(), kicker, class_="kicker"), hero, id="top"),
        element("nav", element("ul", *links), aria_label="Sections"),
        element("main", *parts),
        element("footer", footer),
    )
    return "<!DOCTYPE html>\n" + element("html", head, "\n", body, lang="en") + "\n"


def mark() -> Html:
    """The sign of the house: the frame that is laid on the ground."""
    return Html(
        '<svg class="mark" viewBox="0 0 24 24" aria-hidden="true">'
        '<rect x="2.5" y="2.5" width="19" height="19" rx="1.5" fill="none" '
        'stroke="currentColor" stroke-width="2.4"/>'
        '<path d="M12 4v16M4 12h16" stroke="currentColor" stroke-width="0.9" opacity="0.55"/>'
        '<path d="M6 19c1-4 1-6 .5-9 2 2 2.600 5 2 9" fill="currentColor" opacity="0.9"/>'
        "</svg>"
    )
