"""Drawings of a search: how it went, which keys matter, and what each value scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quadrat.report import style
from quadrat.search.results import StudyResult, TrialRecord
from quadrat.search.schema import Range

_COLUMNS = 3
_MOST_SLICES = 12
_LINE_INCHES = 0.28


@style.styled()
def draw_history(result: StudyResult) -> Figure:
    """The score of every trial, and the best one so far."""
    figure = style.new_figure(style.WIDE, 3.0)
    axes = figure.subplots()
    finished = sorted(result.finished, key=lambda trial: trial.number)
    given_up = [t for t in result.trials if t.state == "given up" and t.value is not None]
    _dots(axes, given_up, facecolors="none", edgecolors=style.NEUTRAL, label="given up")
    _dots(axes, finished, color=style.ACCENT, label="finished")
    if result.given is not None:
        _dots(axes, [result.given], color=style.PALETTE[1], label="the experiment's own values")
    best_of = np.maximum if result.higher_is_better else np.minimum
    if finished:
        best = best_of.accumulate([_score(trial) for trial in finished])
        numbers = [trial.number for trial in finished]
        axes.step(numbers, best, where="post", color=style.ACCENT, linewidth=1.2)
    axes.set_xlabel("trial")
    axes.set_ylabel(result.primary)
    axes.legend(loc="best")
    return figure


@style.styled()
def draw_importances(result: StudyResult) -> Figure:
    """How much each key decides whether a trial is among the best."""
    pairs = sorted(result.importances.items(), key=lambda pair: pair[1])
    figure = style.new_figure(style.WIDE, 0.8 + _LINE_INCHES * len(pairs))
    axes = figure.subplots()
    axes.barh([key for key, _ in pairs], [share for _, share in pairs], color=style.ACCENT)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of what decides")
    return figure


@style.styled()
def draw_slices(result: StudyResult, ranges: dict[str, Range]) -> Figure:
    """The score over the values of every key, the most important ones first."""
    order = sorted(ranges, key=lambda key: -result.importances.get(key, 0.0))[:_MOST_SLICES]
    lines = -(-len(order) // _COLUMNS)
    figure = style.new_figure(style.WIDE, 2.1 * lines)
    grid = figure.subplots(lines, _COLUMNS, squeeze=False, sharey=True).ravel()
    for axes, key in zip(grid, order, strict=False):
        tried = [trial for trial in result.finished if key in trial.values]
        _slice(axes, ranges[key], [trial.values[key] for trial in tried], tried)
        axes.set_title(key, fontsize=8)
    for axes in grid[len(order) :]:
        axes.axis("off")
    for axes in grid[::_COLUMNS]:
        axes.set_ylabel(result.primary)
    return figure


def _slice(axes: Axes, kind: Range, values: Sequence[Any], tried: Sequence[TrialRecord]) -> None:
    scores = [_score(trial) for trial in tried]
    if kind.choices:
        names = [_name(choice) for choice in kind.choices]
        places = [names.index(_name(value)) for value in values]
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
        axes.set_xlim(-0.5, len(names) - 0.5)
    else:
        places = list(values)
        if kind.log:
            axes.set_xscale("log")
    axes.scatter(places, scores, s=14, color=style.ACCENT, alpha=0.75, linewidths=0)


def _dots(axes: Axes, trials: Sequence[TrialRecord], **look: Any) -> None:
    if trials:
        numbers = [trial.number for trial in trials]
        axes.scatter(numbers, [_score(trial) for trial in trials], s=22, zorder=3, **look)


def _score(trial: TrialRecord) -> float:
    return float("nan") if trial.value is None else trial.value


def _name(choice: Any) -> str:
    return str(list(choice)) if isinstance(choice, (list, tuple)) else str(choice)
