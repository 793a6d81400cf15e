"""The out-of-fold answers of an ensemble, scored beside the baselines and beside its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.ensemble.answering import Answering
from quadrat.ensemble.baselines import BEST_MEMBER, METHODS, PLAIN_MEAN, not_beaten
from quadrat.ensemble.combination import Combination
from quadrat.ensemble.held_out import OutOfFold, read_out_of_fold
from quadrat.ensemble.members import Member
from quadrat.ensemble.pooling import Said
from quadrat.ensemble.reading import Reader, photos_experiment, require_sizes
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.errors import DataError
from quadrat.experiment import CheckReport, ScoreSection
from quadrat.photos.judging import judge, oof_table
from quadrat.photos.objective import require_primary
from quadrat.photos.preparation import Prepared
from quadrat.photos.schema import PhotosExperiment
from quadrat.scoring import Metrics, primary_direction, regression_metrics

Array = NDArray[np.float64]

_SAID = ("raw", "sigma", "lower", "upper")


@dataclass(frozen=True)
class Judged:
    """An ensemble and how good it is.

    Attributes:
        members: The members that are left.
        combination: How they answer from now on.
        metrics: The scores.
        oof: The out-of-fold predictions.
        report: What was found out about the members.
    """

    members: list[Member]
    combination: Combination
    metrics: Metrics
    oof: pl.DataFrame
    report: CheckReport


def judge_members(experiment: EnsembleExperiment, members: Sequence[Member]) -> Judged:
    """Combines the out-of-fold predictions of members and scores the result.

    Raises:
        DataError: The members cannot be combined or judged together.
        UsageError: The primary score is not one of photos.
    """
    require_sizes(members)
    report, reader = CheckReport(), Reader()
    kept = _without_broken(experiment, members, report, reader)
    scored = scored_as(experiment, photos_experiment(kept[0]))
    require_primary(scored)
    rows = read_out_of_fold(kept, reader)
    answering = Answering(experiment, kept, rows)
    held_out, own = answering.held_out(), _own_scores(rows, scored)
    prepared = _told_as(rows.prepared, kept, experiment)
    metrics = judge(scored, prepared, held_out)
    metrics = metrics.beside(_beside(answering, scored, own))
    report.facts["members"] = f"{len(kept)} runs, combined by {METHODS[experiment.combine.method]}"
    report.facts["split"] = prepared.folds.words
    if experiment.combine.sides is not None:
        report.facts["photos"] = _size_words(experiment.combine.sides, kept)
    skill = [reader.mean_r2(member) for member in kept]
    report.tables["Members"] = _member_table(kept, answering, own, skill, scored.score.primary)
    report.warnings.extend(_findings(kept, rows, metrics, experiment))
    oof = oof_table(list(prepared.folds), held_out, rows.targets)
    return Judged(kept, answering.combination, metrics, oof, report)


def scored_as(experiment: EnsembleExperiment, first: PhotosExperiment) -> PhotosExperiment:
    """The first member's experiment with the scores that the ensemble asks for.

    What several looks at a photo gain is told by each member, which alone knows single looks.
    """
    asked = experiment.score
    score = ScoreSection(
        primary=asked.primary or first.score.primary,
        weights=asked.weights or first.score.weights,
        bootstrap=asked.bootstrap,
        baselines=asked.baselines,
    )
    once = type(first.tta)()
    return first.model_copy(update={"score": score, "seed": experiment.seed, "tta": once})


def _without_broken(
    experiment: EnsembleExperiment,
    members: Sequence[Member],
    report: CheckReport,
    reader: Reader,
) -> list[Member]:
    drop, kept = experiment.combine.drop_broken, []
    for member in members:
        skill = reader.mean_r2(member)
        broken = skill < 0.0
        if broken:
            what = "left out" if drop else "set combine.drop_broken = true to leave it out"
            report.warnings.append(
                f"{member.name} is worse than the mean (out-of-fold R² {skill:.3f}): {what}"
            )
        if not (broken and drop):
            kept.append(member)
    if len(kept) < 2:
        raise DataError(
            "fewer than two members are left to combine.",
            report.warnings,
            fix="mend the members, or set combine.drop_broken = false.",
        )
    return kept


def _beside(
    answering: Answering, scored: PhotosExperiment, own: Sequence[float]
) -> dict[str, Metrics]:
    """What the ensemble must beat, by name, judged as it is."""
    rows, beside = answering.rows, {}
    if not np.isnan(own).all():
        sign = 1.0 if primary_direction(scored.score.primary) else -1.0
        best = int(np.nanargmax(sign * np.array(own)))
        beside[BEST_MEMBER] = _judged_alone(rows, scored, rows.balanced[best], rows.said[best])
    if answering.combination.method != "mean":
        plain = answering.plain_mean()
        told = (np.concatenate([getattr(one, name) for one in plain]) for name in _SAID)
        balanced = np.concatenate([one.balanced for one in plain])
        beside[PLAIN_MEAN] = _judged_alone(rows, scored, balanced, Said(*told))
    return beside


def _own_scores(rows: OutOfFold, scored: PhotosExperiment) -> list[float]:
    """The primary score of every member; NaN where it lacks a target or tells no spread."""
    quick = scored.model_copy(update={"score": scored.score.model_copy(update={"bootstrap": 0})})
    found = []
    for balanced, said in zip(rows.balanced, rows.said, strict=True):
        if np.isnan(balanced[~np.isnan(rows.truth)]).any():
            found.append(float("nan"))
            continue
        scores = _judged_alone(rows, quick, balanced, said).scores
        found.append(float(scores.get(scored.score.primary, float("nan"))))
    return found


def _judged_alone(
    rows: OutOfFold, scored: PhotosExperiment, balanced: Array, said: Said
) -> Metrics:
    """Scores of what one member, or another way to combine them, says of the same rows."""
    known = ~np.isnan(rows.truth)
    told: dict[str, Any] = {
        name: None if np.isnan(values[known]).any() else values
        for name, values in (
            ("sigma", said.sigma),
            ("lower", said.lower),
            ("upper", said.upper),
        )
    }
    return regression_metrics(
        rows.truth,
        said.mean,
        balanced,
        targets=rows.targets,
        folds=rows.folds,
        groups=rows.groups,
        weights=scored.score.weights,
        primary="rmse",  # the asked one may need a spread that is not told
        bootstrap=scored.score.bootstrap,
        seed=scored.seed,
        **told,
    )


def _told_as(
    prepared: Prepared, members: Sequence[Member], experiment: EnsembleExperiment
) -> Prepared:
    """The same samples and folds, with words that say what was combined."""
    method = experiment.combine.method
    words = f"{prepared.folds.words.rstrip('.')}; {len(members)} runs combined by {METHODS[method]}"
    if experiment.fitted:
        words += ", each fold with weights that were fitted on the others"
    facts = {**prepared.folds.facts, "members": len(members), "method": method}
    if experiment.combine.sides is not None:
        words += f"; photos {_size_words(experiment.combine.sides, members)}"
        facts["predict_size"] = list(experiment.combine.sides)
    return replace(prepared, folds=replace(prepared.folds, words=words, facts=facts))


def _size_words(size: tuple[int, int], members: Sequence[Member]) -> str:
    """At which size members saw photos, and for how many it was another one than in training."""
    asked = sum(member.predict_size is not None for member in members)
    words = f"seen at {size[0]} by {size[1]} pixels"
    if asked:
        words += f", at which {asked} of {len(members)} runs answered their held-out samples anew"
    return words


def _member_table(
    members: Sequence[Member],
    answering: Answering,
    own: Sequence[float],
    skill: Sequence[float],
    primary: str,
) -> list[dict[str, Any]]:
    weights = answering.combination.weights
    shares = weights / weights.sum(axis=0)
    table = []
    for member, score, r2, share in zip(members, own, skill, shares, strict=True):
        row: dict[str, Any] = {"member": member.name, primary: _or_none(score)}
        row["r2"] = _or_none(r2)
        for target, value in zip(answering.rows.targets, share.tolist(), strict=True):
            row[f"share of {target}"] = value
        table.append(row)
    return table


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _findings(
    members: Sequence[Member], rows: OutOfFold, metrics: Metrics, experiment: EnsembleExperiment
) -> list[str]:
    """What a user should know of the ensemble, from its own numbers."""
    found = []
    if not rows.same_folds:
        found.append(
            "the members were held out in different folds of the same groups: every prediction is "
            f"out of fold, and scores fold by fold go by the folds of {members[0].name}"
        )
    silent = [
        member.name
        for member, said in zip(members, rows.said, strict=True)
        if np.isnan(said.sigma).all()
    ]
    if 0 < len(silent) < len(members):
        found.append(f"no standard deviation is told, because {', '.join(silent)} tells none")
    return [*found, *not_beaten(metrics, fitted=experiment.fitted)]
