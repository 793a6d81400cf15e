"""The parts that the reports of all families share, from scores to provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from quadrat.report import html
from quadrat.report.cautions import cautions
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section, element
from quadrat.report.points_keys import points_keys
from quadrat.report.protocol import how_split
from quadrat.report.score_figures import Curve, curves, learning_curves
from quadrat.report.style import to_png, to_svg
from quadrat.report.summary import Summary
from quadrat.report.words import counted, number, words

SHOWN_FINDINGS = 4
"""Findings of the data check that are not folded away."""


@dataclass
class Drawings:
    """The figures of a report: as files of the run folder and inside the page.

    Args:
        files: File name → bytes, filled as figures are added.
    """

    files: dict[str, bytes] = field(default_factory=dict)

    def svg(self, name: str, figure: Figure, caption: str, *, kind: str = "panel") -> Html:
        """Keeps a figure as ``<name>.svg`` and gives it back for the page."""
        drawn = to_svg(figure)
        self.files[f"{name}.svg"] = drawn.encode()
        return html.figure(drawn, caption, name=name, kind=kind)

    def png(self, name: str, figure: Figure) -> None:
        """Keeps a figure as ``<name>.png``."""
        self.files[f"{name}.png"] = to_png(figure)


def panels(figures: Sequence[Html]) -> Html:
    """Figures side by side, or one below the other on a narrow screen."""
    return element("div", *figures, class_="panels")


def hero(summary: Summary, tiles: Sequence[tuple[str, str]]) -> Html:
    """Headline, verdict and key numbers.

    Args:
        summary: What the numbers of the run say.
        tiles: Further numbers with what they are.
    """
    first = (number(summary.value), words(summary.primary).label)
    boxes = [
        element("li", element("b", value), element("span", label), class_="main" if not n else None)
        for n, (value, label) in enumerate([first, *tiles])
    ]
    return html.joined(
        [
            element("h1", summary.headline),
            element("p", summary.verdict, class_="verdict"),
            element("ul", *boxes, class_="tiles"),
        ]
    )


def warnings(contents: Contents, summary: Summary) -> Section | None:
    """What to be careful about: from the scores and from the data check."""
    own, checked = cautions(contents, summary), list(contents.check.get("warnings") or [])
    if not own and not checked:
        return None
    shown = [*own, *checked[:SHOWN_FINDINGS]]
    rest = checked[SHOWN_FINDINGS:]
    parts = [_listed(shown)]
    if rest:
        told = f"{counted(len(rest), 'further finding')} of the data check"
        parts.append(html.details(told, _listed(rest)))
    return Section("care", "What to be careful about", html.joined(parts))


def _listed(lines: Sequence[object]) -> Html:
    return element("ul", *[element("li", str(line)) for line in lines], class_="warnings")


def protocol(contents: Contents) -> Section:
    """How the split was made."""
    stated = {key: value for key, value in contents.protocol.items() if key != "words"}
    shown = [(key, value) for key, value in flat(stated) if value not in ("", "–")]
    body = html.joined([element("p", how_split(contents)), html.facts(shown)])
    return Section("protocol", "How the split was made", body)


def training(contents: Contents, summary: Summary, drawings: Drawings) -> Section:
    """Loss and inner score over the epochs."""
    title = "How training went"
    if not contents.history:
        missing = "history.jsonl is missing or empty, so there are no learning curves."
        return Section("training", title, html.notice(missing))
    drawn = []
    axis = "epoch" if any("epoch" in record for record in contents.history) else "step"
    loss = _named_curves(contents, "loss")
    if loss:
        figure = learning_curves(
            loss, title="Training loss", label="loss (its own unit)", horizontal=axis
        )
        caption = f"Mean loss of each {axis}. It should fall and level off."
        drawn.append(drawings.svg("learning-loss", figure, caption))
    inner = _named_curves(contents, summary.primary)
    if inner:
        label = words(summary.primary).label
        figure = learning_curves(
            inner,
            title="Score while training",
            label=label,
            horizontal=axis,
            best="max" if summary.higher_is_better else "min",
        )
        caption = f"{label[:1].upper()}{label[1:]} {_judged_while_training(contents)}"
        drawn.append(drawings.svg("learning-score", figure, caption))
    if not drawn:
        missing = "The records of history.jsonl hold neither loss nor primary score."
        return Section("training", title, html.notice(missing))
    return Section("training", title, panels(drawn))


def _named_curves(contents: Contents, key: str) -> dict[str, Curve]:
    return {contents.fold_name(fold): c for fold, c in curves(contents.history, key).items()}


def _judged_while_training(contents: Contents) -> str:
    """On what the score of a learning curve was made: were the held-out data looked at?"""
    if contents.family == "photos":
        return (
            "on the inner split, a part of the training data that chooses the best epoch. The "
            "held-out data were not looked at."
        )
    if contents.has_points:
        return (
            "on the blocks that a fold holds out. They choose the epoch and also judge the fold's "
            "models, which flatters a little."
        )
    if contents.protocol.get("judged") == "validation":
        return (
            "on the validation cells. They choose the best epoch, and the scores of this page are "
            "on the same cells: with split.test there would be cells that chose nothing."
        )
    return (
        "on the validation cells, which choose the best epoch. The test cells were not looked at."
    )


def data(contents: Contents) -> Section:
    """What the data were, and what the data check said."""
    section = points_keys(contents.experiment) if contents.has_points else _data_keys(contents)
    parts: list[str | None] = [
        html.facts([(key, value) for key, value in flat(section) if value != "–"]),
    ]
    if contents.check:
        checked = contents.check.get("facts") or {}
        if checked:
            parts += [element("h3", "The data check"), html.facts(flat(checked))]
        for title, rows in (contents.check.get("tables") or {}).items():
            if rows:
                parts.append(html.details(title, _plain_table(rows)))
    else:
        parts.append(
            html.notice(
                "The run folder has no check.json, so the findings of the data check are not "
                "shown here. To see them, run “quadrat check” on the experiment file below."
            )
        )
    return Section("data", "The data", html.joined(parts))


def _data_keys(contents: Contents) -> Mapping[str, Any]:
    return contents.experiment.get("data") or {}


def _plain_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    head = list(rows[0])
    cells = [[_cell(row.get(name)) for name in head] for row in rows]
    return html.table(head, cells)


def _cell(value: object) -> str:
    return number(value) if isinstance(value, int | float) else "–" if value is None else str(value)


def experiment(contents: Contents) -> Section:
    """The experiment file, ready to be run again."""
    title = "The experiment file"
    if not contents.experiment_text:
        return Section("experiment", title, html.notice("experiment.toml is missing."))
    lines = contents.experiment_text.count("\n")
    told = "Every default is written out: “quadrat train experiment.toml” repeats the run."
    body = html.joined(
        [
            element("p", told),
            html.details(
                f"Show its {counted(lines, 'line')}",
                element("pre", element("code", html.verbatim(contents.experiment_text))),
            ),
        ]
    )
    return Section("experiment", title, body)


def provenance(contents: Contents) -> Section:
    """Versions, seeds, machine and hashes."""
    title = "Where it comes from"
    if not contents.provenance:
        missing = "provenance.json is missing, so versions, seeds and hashes are not known."
        return Section("provenance", title, html.notice(missing))
    return Section("provenance", title, html.facts(flat(contents.provenance)))


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys and values of nested mappings, with dotted keys and values as text."""
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, list | tuple) and all(isinstance(v, Mapping) for v in value):
            for place, inner in enumerate(value):
                yield from flat(inner, f"{name}.{place}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(_cell(inner) for inner in value)
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif isinstance(value, float):
            yield name, f"{value:g}"
        else:
            yield name, "–" if value in (None, "") else str(value)
