"""What the report of a photos run shows: out-of-fold predictions, groups and photo paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import QuadratError
from quadrat.report.contents import Contents

if TYPE_CHECKING:
    import polars as pl


OOF_COLUMNS = ("sample", "fold", "target", "truth", "raw")
"""What ``oof.parquet`` must hold; ``balanced``, ``sigma``, ``lower`` and ``upper`` are optional."""


@dataclass(frozen=True)
class Known:
    """What the data table says about samples; empty where the table is not there any more.

    Args:
        groups: Sample → group.
        paths: Sample → first photo.
        why: Why there is nothing, if there is nothing.
    """

    groups: Mapping[str, str]
    paths: Mapping[str, Path]
    why: str = ""


def known_samples(contents: Contents) -> Known:
    """Groups and photo paths, from the data table, if it still lies where it was."""
    from quadrat.experiment import load
    from quadrat.photos.samples.loading import load_samples
    from quadrat.photos.schema import PhotosExperiment

    try:
        experiment = load((contents.data_folder or contents.folder) / "experiment.toml")
        if not isinstance(experiment, PhotosExperiment):
            return Known({}, {}, "the run is not made from one table of photos")
        samples = load_samples(experiment, experiment.data.table, require_targets=False)
        columns = [samples.column(name) for name in experiment.split.by]
    except QuadratError as error:
        return Known({}, {}, str(error).splitlines()[0])
    paths = {name: views[0] for name, views in zip(samples.ids, samples.paths, strict=True)}
    values = zip(*columns, strict=True) if columns else ()
    groups = {
        name: " · ".join(str(part) for part in parts)
        for name, parts in zip(samples.ids, values, strict=False)
    }
    return Known(groups, paths)


@dataclass(frozen=True)
class Predicted:
    """The out-of-fold predictions of one target, where the truth is known.

    Args:
        samples: Ids ``(N,)``.
        folds: Fold of each sample.
        truth: ``(N,)``.
        predicted: ``(N,)``, after balance.
        lower: Lower ends of the predictive intervals, where the model gives them.
        upper: Upper ends.
    """

    samples: list[str]
    folds: list[str]
    truth: NDArray[np.float64]
    predicted: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None


def of_target(oof: pl.DataFrame, target: str) -> Predicted:
    """The predictions of one target, from ``oof.parquet``."""
    import polars as pl

    column = "balanced" if "balanced" in oof.columns else "raw"
    rows = oof.filter(
        (pl.col("target") == target)
        & pl.col("truth").is_finite()
        & pl.col(column).cast(pl.Float64).is_finite()
    )
    return Predicted(
        samples=rows["sample"].cast(pl.String).to_list(),
        folds=rows["fold"].cast(pl.String).to_list(),
        truth=rows["truth"].to_numpy().astype(np.float64),
        predicted=rows[column].to_numpy().astype(np.float64),
        lower=_interval_end(rows, "lower", -1, column),
        upper=_interval_end(rows, "upper", 1, column),
    )


def _interval_end(
    rows: pl.DataFrame, name: str, sign: int, column: str
) -> NDArray[np.float64] | None:
    """The interval's end, or 1.645 standard deviations (90 %) where only those are known."""
    for source in (name, "sigma"):
        if source in rows.columns and rows[source].is_not_null().any():
            values = rows[source].cast(float).fill_null(np.nan).to_numpy()
            if np.isfinite(values).all():
                return values if source == name else rows[column].to_numpy() + sign * 1.645 * values
    return None


def target_names(contents: Contents, oof: pl.DataFrame) -> list[str]:
    """The targets in the order of the metrics."""
    there = oof["target"].unique(maintain_order=True).to_list()
    named = [name for name in contents.metrics.get("per_target") or {} if name in there]
    return named or [str(name) for name in there]


def main_target(contents: Contents, oof: pl.DataFrame) -> str:
    """The target that weighs most in the score; among equals a total of others, then the first."""
    names = target_names(contents, oof)
    weights = (contents.experiment.get("score") or {}).get("weights") or {}
    balance = contents.experiment.get("balance") or []
    parts = {part for rule in balance for part in rule.get("parts", [])}
    totals = {rule.get("total") for rule in balance} - parts
    return max(names, key=lambda name: (float(weights.get(name, 0)), name in totals))
