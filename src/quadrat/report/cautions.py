"""What a reader should know before relying on a run, found in its own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quadrat.report.contents import Contents
from quadrat.report.summary import Summary
from quadrat.report.words import baseline, counted, listed, number, words


def cautions(contents: Contents, summary: Summary) -> list[str]:
    """What a reader should know before relying on the run, from its own numbers."""
    found: list[str] = []
    rival = summary.best_rival
    if rival is None:
        found.append("No baseline was judged: set score.baselines = true to compare.")
    elif not summary.is_better(rival):
        found.append(f"The model does not beat {baseline(rival.name)}.")
    if summary.interval is None and not contents.metrics.get("intervals"):
        found.append("There are no intervals: set score.bootstrap = 1000 to see what is noise.")
    elif summary.interval is None:
        label = words(summary.primary).label
        found.append(f"{label} has no interval of its own: look at those of the other scores.")
    # Intervals of points are over species; of few blocks the data check warns.
    groups = None if contents.has_points else contents.protocol.get("groups")
    if isinstance(groups, int) and not isinstance(groups, bool) and groups < 10:
        rough = (
            ": intervals over so few are too narrow" if contents.metrics.get("intervals") else ""
        )
        found.append(f"Only {counted(groups, 'group')} carry the scores{rough}.")
    if contents.protocol.get("kind") == "random":
        found.append("A random split flatters wherever samples of one place or visit are alike.")
    if seen := seen_in_training(contents.protocol):
        found.append(seen)
    found += _broken_targets(contents.metrics.get("per_target") or {})
    found += _poor_folds(contents, summary)
    found += _coverage(contents.metrics["scores"])
    return found


_JUDGE_HELD_OUT = "quadrat evaluate RUN without --data judges what was held out."


def seen_in_training(protocol: Mapping[str, Any]) -> str | None:
    """How much of another table was learnt, so that its scores flatter; None if nothing was."""
    if seen := protocol.get("seen_in_training"):
        return (
            f"{seen} of {protocol['samples']} samples bear names of the training table: if they "
            f"are the same, these scores flatter. {_JUDGE_HELD_OUT}"
        )
    if learnt := protocol.get("learnt_cells"):
        return (
            f"{learnt} of the {protocol['table_cells']} judged cells, of which "
            f"{protocol['cells_with_records']} have records, are cells whose records the model "
            f"learnt: if the records are the same, these scores flatter. {_JUDGE_HELD_OUT}"
        )
    if learnt := protocol.get("learnt_places"):
        return (
            f"{learnt} of the {protocol['groups']} places lie in cells whose records the model "
            "learnt: if these hold the survey's own, the scores flatter; and of places without "
            "records they say little."
        )
    return None


def _broken_targets(per_target: Mapping[str, Mapping[str, Any]]) -> list[str]:
    bad = [
        target
        for target, scores in per_target.items()
        if isinstance(scores.get("r2"), int | float) and scores["r2"] < 0
    ]
    if not bad:
        return []
    return [f"Worse than its own mean (R² below 0): {listed(bad)}."]


def _poor_folds(contents: Contents, summary: Summary) -> list[str]:
    """Folds that fall out of the row: more than three robust deviations on the bad side."""
    folds = contents.metrics.get("folds") or []
    values = [fold.get(summary.primary) for fold in folds]
    known = sorted(v for v in values if isinstance(v, int | float))
    if len(known) < 4:
        return []
    middle = known[len(known) // 2]
    spread = 1.4826 * sorted(abs(v - middle) for v in known)[len(known) // 2]
    sign = 1 if summary.higher_is_better else -1
    poor = [
        f"{contents.fold_name(place)} ({number(float(value))})"
        for place, value in enumerate(values)
        if isinstance(value, int | float) and sign * (middle - value) > 3 * max(spread, 0.02)
    ]
    return [f"Far below the other folds: {listed(poor)}."] if poor else []


def _coverage(scores: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in scores.items():
        level = name.removeprefix("coverage_")
        if level == name or not level.isdigit() or not isinstance(value, int | float):
            continue
        if value < int(level) / 100 - 0.05:
            found.append(
                f"The {level} % intervals hold the truth in only {100 * value:.0f} % of the cases."
            )
    return found
