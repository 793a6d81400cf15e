"""The report of a search: one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quadrat.report import html, style
from quadrat.runs import write_text
from quadrat.search.figures import draw_history, draw_importances, draw_slices
from quadrat.search.results import LEAST_FOR_IMPORTANCE, StudyResult
from quadrat.search.schema import Range

_LISTED = 10


def write_page(result: StudyResult) -> Path:
    """Writes ``report.html`` into the study's folder.

    Args:
        result: The study.

    Returns:
        The page.
    """
    sections = [_best(result), _history(result), _keys(result), _trials(result)]
    name = result.settings["experiment"]["name"]
    page = html.page(
        title=f"Search: {name}",
        kicker="Quadrat · search for settings",
        hero=html.joined(
            [html.element("h1", name), html.element("p", _verdict(result)), _numbers(result)]
        ),
        sections=sections,
        footer="Scores are on the validation part, whose best trial flatters itself: judge the "
        "chosen experiment by a training of its own.",
    )
    path = result.folder / "report.html"
    write_text(path, page)
    return path


def _verdict(result: StudyResult) -> str:
    best, given = result.best, result.given
    if best is None or best.value is None:
        return "No trial has finished."
    found = f"The best {result.primary} is {best.value:.4g}, of trial {best.number}"
    if given is None or given.value is None:
        return f"{found}."
    if best.number == given.number:
        return f"{found}: the experiment's own values. None of the others was better."
    return f"{found}; the experiment's own values have {given.value:.4g}."


def _numbers(result: StudyResult) -> html.Html:
    pairs = [("score", result.primary), ("epochs of a trial", str(result.settings["epochs"]))]
    pairs += [(f"trials {state}", str(count)) for state, count in result.counts().items()]
    return html.facts(pairs)


def _best(result: StudyResult) -> html.Section:
    best = result.best
    if best is None:
        return html.Section("best", "The best values", html.notice("No trial has finished."))
    rows = [[key, _text(value), _text(result.own.get(key))] for key, value in best.values.items()]
    body = html.joined(
        [
            html.table(["key", "best", "the experiment's own"], rows),
            html.element("p", "To train it: ", html.element("code", result.command)),
        ]
    )
    return html.Section("best", "The best values", body)


def _history(result: StudyResult) -> html.Section:
    if not any(trial.value is not None for trial in result.trials):
        return html.Section("history", "How the search went", html.notice("No trial has a score."))
    drawn = html.figure(
        style.to_svg(draw_history(result)),
        "A dot is a trial; the line is the best score so far. Trials that were given up show the "
        "score that they had then.",
        name="history",
        kind="wide",
    )
    return html.Section("history", "How the search went", drawn)


def _keys(result: StudyResult) -> html.Section:
    parts: list[html.Html] = []
    if result.importances:
        caption = (
            "How much each key decides whether a trial is among the best, by PED-ANOVA; shares of "
            "few trials are rough."
        )
        svg = style.to_svg(draw_importances(result))
        parts.append(html.figure(svg, caption, name="importances", kind="wide"))
    else:
        parts.append(
            html.notice(
                f"Fewer than {LEAST_FOR_IMPORTANCE} finished trials that differ: too few to say "
                "which keys matter."
            )
        )
    if result.finished:
        ranges = {k: Range.model_validate(v) for k, v in result.settings["space"].items()}
        svg = style.to_svg(draw_slices(result, ranges))
        caption = "The score of finished trials over the values of each key."
        parts.append(html.figure(svg, caption, name="slices", kind="wide"))
    return html.Section("keys", "Which keys matter", html.joined(parts))


def _trials(result: StudyResult) -> html.Section:
    rows = [
        [str(t.number), _text(t.value), ", ".join(f"{k} = {_text(v)}" for k, v in t.values.items())]
        for t in result.finished[:_LISTED]
    ]
    ended = [t for t in result.trials if t.state in ("invalid", "failed")]
    failed = [[str(t.number), t.state, t.reason] for t in ended]
    parts = [html.table(["trial", result.primary, "values"], rows, strong=0)] if rows else []
    if failed:
        listed = html.table(["trial", "end", "reason"], failed)
        parts.append(html.details(f"{len(failed)} trials without a score", listed))
    return html.Section("trials", "The best trials", html.joined(parts))


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return str(list(value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
