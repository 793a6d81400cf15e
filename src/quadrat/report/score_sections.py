"""The parts of a report that hold scores: beside the baselines, and fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quadrat.report import html
from quadrat.report.contents import Contents
from quadrat.report.html import Html, Section, element
from quadrat.report.score_figures import scores_beside_baselines
from quadrat.report.sections import Drawings, flat
from quadrat.report.summary import Summary
from quadrat.report.words import (
    baseline_label,
    counted,
    direction,
    everyday,
    meaning,
    number,
    usable,
    words,
)

_MEMBER_SCORES = ("r2", "map", "macro_auc", "brier")
"""Scores of members beside the primary one."""


def scores(contents: Contents, summary: Summary, drawings: Drawings) -> Section:
    """Every score beside the baselines, with intervals."""
    over = ("species", "species") if contents.has_points else ("whole groups", "groups")
    drawn = [_score_figure(summary, drawings, "scores", over)]
    if summary.support is not None:
        drawn.append(_score_figure(summary.support, drawings, "scores-support", over))
    parts: list[str | None] = [*drawn, _score_tables(contents, summary), _raw_table(contents)]
    gained = contents.metrics.get("tta")
    if isinstance(gained, Mapping) and gained:
        parts += [element("h3", "Test-time augmentation"), html.facts(flat(gained))]
    return Section("scores", "Scores beside the baselines", html.joined(parts))


def _score_figure(
    summary: Summary, drawings: Drawings, name: str, resampled: tuple[str, str]
) -> Html:
    label = words(summary.primary).label
    others = [*summary.variants, *reversed(summary.rivals)]
    bars = (
        f"Bars: 95 % bootstrap intervals over {resampled[0]}, which say how much the score would "
        f"change with other {resampled[1]}. A model is worth its work where its dot lies clear of "
        "every grey bar."
        if summary.interval is not None
        else "This score has no intervals."
    )
    figure = scores_beside_baselines(
        ["This model", *[baseline_label(other.name) for other in others]],
        [summary.value, *[other.value for other in others]],
        [summary.interval, *[other.interval for other in others]],
        own=1 + len(summary.variants),
        score=label,
        higher_is_better=summary.higher_is_better,
    )
    return drawings.svg(name, figure, f"Dots: {label}. {bars}", kind="wide")


def _score_tables(contents: Contents, summary: Summary) -> Html:
    """The scores that people ask for, and folded away the rest and what they all mean."""
    scored = contents.metrics["scores"]
    names = everyday(scored, summary.primary)
    others = [name for name in scored if name not in names]
    told = [(words(name).label, meaning(name)) for name in [*names, *others] if meaning(name)]
    caption = "The primary score first; ↑ higher is better, ↓ lower is better."
    return html.joined(
        [
            _score_table(contents, summary, names, caption, strong=0),
            html.details(
                counted(len(others), "further score"), _score_table(contents, summary, others, "")
            )
            if others
            else None,
            html.details("What these scores mean", html.facts(told)) if told else None,
        ]
    )


def _score_table(
    contents: Contents,
    summary: Summary,
    names: Sequence[str],
    caption: str,
    strong: int | None = None,
) -> Html:
    metrics = contents.metrics
    beside = metrics.get("baselines") or {}
    order = [other.name for other in (*summary.variants, *reversed(summary.rivals))]
    order += [name for name in beside if name not in order]
    intervals = metrics.get("intervals") or {}
    rows: list[list[str]] = []
    for name in names:
        label = f"{words(name).label} {direction(name)}".rstrip()
        cells = [label, _with_interval(metrics["scores"][name], intervals.get(name))]
        cells += [number(beside[rival].get(name)) for rival in order]
        rows.append(cells)
    head = ["Score", "This model", *[baseline_label(name) for name in order]]
    return html.table(head, rows, strong=strong, caption=caption)


def _with_interval(value: object, interval: object) -> Html:
    pair = usable(interval)
    shown = number(value)
    if pair is None:
        return html.text(shown)
    between = " to " if pair[0] < 0 else "–"
    return html.joined([shown, element("small", f"[{number(pair[0])}{between}{number(pair[1])}]")])


def _raw_table(contents: Contents) -> Html | None:
    """What balance or calibration changed, where the scores before it are known."""
    raw, after = contents.metrics.get("raw") or {}, contents.metrics["scores"]
    changed = [name for name in after if name in raw and raw[name] is not None]
    if not changed or all(raw[name] == after[name] for name in changed):
        return None
    rows = [[words(n).label, number(raw[n]), number(after[n])] for n in changed]
    step = "calibration" if contents.family == "occurrence" else "balance"
    table = html.table(["Score", "As predicted", f"After {step}"], rows)
    title = "What calibration changed" if step == "calibration" else "What mass balance changed"
    return html.details(title, table)


def members(contents: Contents) -> Section | None:
    """The members of an ensemble, with their own scores and their shares in the answer."""
    rows = (contents.check.get("tables") or {}).get("Members") or []
    if not contents.is_ensemble or not rows:
        return None
    keys = list(rows[0])
    known = (*_MEMBER_SCORES, contents.metrics["primary"])
    head = [words(key).column if key in known else key for key in keys]
    cells = [[row[k] if k == "member" else number(row[k]) for k in keys] for row in rows]
    caption = (
        "The scores of each member alone, on what it had not seen, and its share in the answer. "
        "The median gives all members that answer the same share."
    )
    return Section("members", "The members", html.table(head, cells, caption=caption))


def folds(contents: Contents, summary: Summary, extra: Sequence[Html] = ()) -> Section | None:
    """The scores of each fold."""
    each = contents.metrics.get("folds") or []
    if len(each) < 2:
        return None
    names = everyday(each[0], summary.primary)[:8]
    rows = [
        [contents.fold_name(place), *[number(fold.get(key)) for key in names]]
        for place, fold in enumerate(each)
    ]
    for key, label in (("fold_mean", "mean"), ("fold_sd", "SD")):
        of_folds = contents.metrics.get(key) or {}
        rows.append([label, *[number(of_folds.get(name)) for name in names]])
    head = ["", *[words(name).column for name in names]]
    spread = "A spread much wider than the interval above means that the folds are not alike."
    table = html.table(head, rows, caption=f"Scores of each held-out fold. {spread}")
    return Section("folds", "Fold by fold", html.joined([table, *extra]))
