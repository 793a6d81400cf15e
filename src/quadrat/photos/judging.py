"""Held-out predictions of all folds: kept as tables, balanced, scored beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import RunError
from quadrat.photos.preparation import Prepared
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.views.looks import looks_of
from quadrat.scoring import (
    Metrics,
    mean_baseline,
    metadata_baseline,
    regression_metrics,
    regression_scores,
    weight_vector,
)
from quadrat.splits import Fold
from quadrat.tables import read_table, write_table

Array = NDArray[np.float64]

PHOTO_ALONE = "photo_alone"
"""The baseline of the same model with all metadata hidden."""

_ASIDE = (PHOTO_ALONE, "one_look")

COLUMNS = ("truth", "raw", "balanced", "sigma", "lower", "upper")
"""What ``oof.parquet`` tells of a sample and target."""


@dataclass(frozen=True)
class HeldOut:
    """What one fold's model said about its held-out samples, each ``(N, T)``.

    Attributes:
        ids: Names of the samples ``(N,)``.
        truth: NaN where unknown.
        raw: Before balance.
        balanced: After balance.
        sigma: NaN where the head tells none.
        lower: Lower ends of the intervals.
        upper: Their upper ends.
        photo_alone: As balanced, with all metadata hidden; NaN where there are none.
        one_look: As balanced, without test-time augmentation; NaN where there is none.
    """

    ids: tuple[str, ...]
    truth: Array
    raw: Array
    balanced: Array
    sigma: Array
    lower: Array
    upper: Array
    photo_alone: Array
    one_look: Array

    def frame(self, fold: int, targets: Sequence[str]) -> pl.DataFrame:
        """A row a sample and target."""
        names = np.repeat(np.array(self.ids, dtype=object), len(targets))
        return pl.DataFrame(
            {
                "sample": names,
                "fold": np.full(len(names), fold, dtype=np.int64),
                "target": np.tile(np.array(targets, dtype=object), len(self.ids)),
                **{name: getattr(self, name).ravel() for name in (*COLUMNS, *_ASIDE)},
            },
            schema_overrides={"sample": pl.String, "target": pl.String},
        )

    def save(self, path: Path, fold: int, targets: Sequence[str]) -> None:
        """Writes the table that `read` reads."""
        write_table(self.frame(fold, targets), path)

    @classmethod
    def read(cls, path: Path, ids: Sequence[str], targets: Sequence[str]) -> HeldOut:
        """Reads the predictions of a finished fold.

        Raises:
            RunError: They are about other samples or targets than the table has now.
        """
        table = read_table(path)
        expected = [(sample, target) for sample in ids for target in targets]
        if table.select("sample", "target").rows() != expected:
            raise RunError(
                f"{path} is about other samples than the fold has now: the training table has "
                "changed. Start a new run instead of resuming."
            )
        if "one_look" not in table.columns:  # written before there were several looks
            table = table.with_columns(one_look=pl.lit(float("nan")))
        shape = (len(ids), len(targets))
        values = {n: table[n].to_numpy().reshape(shape) for n in (*COLUMNS, *_ASIDE)}
        return cls(ids=tuple(ids), **values)


def oof_table(
    folds: Sequence[Fold], held_out: Sequence[HeldOut], targets: Sequence[str]
) -> pl.DataFrame:
    """``oof.parquet``: a row a sample, target and fold; repeats are folds of their own."""
    frames = [h.frame(f.index, targets) for f, h in zip(folds, held_out, strict=True)]
    return pl.concat(frames).drop(_ASIDE)


def judge(experiment: PhotosExperiment, prepared: Prepared, held_out: Sequence[HeldOut]) -> Metrics:
    """Scores of the held-out predictions, with baselines and intervals.

    Args:
        experiment: The experiment.
        prepared: Its samples and folds.
        held_out: The predictions, fold by fold.
    """
    folds, samples = prepared.folds, prepared.samples
    stacked = {
        name: np.concatenate([getattr(one, name) for one in held_out])
        for name in (*COLUMNS, *_ASIDE)
    }
    rows = folds.rows()
    told: dict[str, Any] = {
        name: stacked[name] if np.isfinite(stacked[name]).any() else None
        for name in ("sigma", "lower", "upper")
    }
    baselines: dict[str, Array] = {}
    if experiment.score.baselines:
        baselines["mean"] = mean_baseline(samples.targets, folds.parts())
        if experiment.data.numeric or experiment.data.categorical:
            baselines["metadata"] = metadata_baseline(
                samples.targets,
                samples.numeric,
                samples.categorical,
                folds.parts(),
                transform=experiment.loss.transform,
            )
            baselines[PHOTO_ALONE] = stacked[PHOTO_ALONE]
    return regression_metrics(
        stacked["truth"],
        stacked["raw"],
        stacked["balanced"],
        targets=experiment.data.targets,
        folds=folds.fold_of_rows(),
        groups=prepared.groups[rows],
        weights=experiment.score.weights,
        baselines=baselines,
        primary=experiment.score.primary,
        bootstrap=experiment.score.bootstrap,
        seed=experiment.seed,
        protocol=folds.protocol(),
        tta=_gained(experiment, stacked),
        **told,
    )


def _gained(experiment: PhotosExperiment, stacked: Mapping[str, Array]) -> dict[str, Any]:
    """What looking several times at the same photos gained, score by score."""
    looks = len(looks_of(experiment.tta))
    if looks == 1:
        return {}
    weights = weight_vector(experiment.score.weights, experiment.data.targets)
    with_all, with_one = (
        regression_scores(stacked["truth"], stacked[name], weights)
        for name in ("balanced", "one_look")
    )
    gain = {name: with_all[name] - with_one[name] for name in with_all}
    return {"looks": looks, "gain": gain, "one_look": dict(with_one)}
