"""Predictions per hectare, photo by photo, and the table of paddocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.engine import current_progress
from quadrat.errors import UsageError
from quadrat.photos.field.paddocks import SharedError, paddock_mean
from quadrat.photos.judging import HeldOut
from quadrat.photos.predictions import LEVEL, Predictions
from quadrat.photos.preparation import Prepared
from quadrat.photos.samples.loading import Samples
from quadrat.photos.schema import PhotosExperiment
from quadrat.runs import read_json, write_json
from quadrat.splits import combine

FILE = "shared_error.json"
"""What a run folder holds for the paddocks of later predictions."""

_SQUARE_METRES = 10_000.0
_GRAMS = 1000.0
_ENDS = {"balanced": "kg_ha", "lower": "kg_ha_lower", "upper": "kg_ha_upper"}

SharedErrors = Mapping[str, SharedError | None]
"""Target → the error that photos of one paddock share, in grams."""


def per_hectare(grams: NDArray[np.float64], area_m2: float) -> NDArray[np.float64]:
    """Kilograms per hectare from grams on a quadrat: ``g / m² · 10``."""
    return grams / area_m2 * (_SQUARE_METRES / _GRAMS)


def hectare_frame(frame: pl.DataFrame, experiment: PhotosExperiment) -> pl.DataFrame:
    """Adds kg per hectare to a table of predictions, one row a sample and target.

    Args:
        frame: As `Predictions.frame` gives it.
        experiment: Names the area and the targets in grams; others get nulls.

    Raises:
        UsageError: The experiment does not say how large a quadrat is.
    """
    area, weighed = _area(experiment), pl.col("target").is_in(_in_grams(experiment))
    factor = float(per_hectare(np.ones(1), area)[0])
    return frame.with_columns(
        pl.when(weighed).then(pl.col(old) * factor).alias(new) for old, new in _ENDS.items()
    )


def paddock_frame(
    experiment: PhotosExperiment, samples: Samples, predictions: Predictions, shared: SharedErrors
) -> pl.DataFrame:
    """The means of paddocks in kg per hectare: one row a paddock and target.

    Args:
        experiment: Names the area, the targets in grams and the column of the paddock.
        samples: What was predicted.
        predictions: The answers.
        shared: What photos of a paddock err together; empty where it is not known.

    Raises:
        UsageError: The experiment names no area or no paddock.
        DataError: The samples have no such column.
    """
    area, column = _area(experiment), experiment.field.paddock
    if column is None:
        raise UsageError("field.paddock names no column; set it to take means over paddocks.")
    paddocks = samples.column(column)
    named = np.array([value is not None and value == value for value in paddocks.tolist()])
    if not named.all():
        current_progress().warn(f"{int((~named).sum())} samples have no '{column}': in no paddock")
    factor = float(per_hectare(np.ones(1), area)[0])
    rows = []
    for paddock in dict.fromkeys(paddocks[named].tolist()):
        mine = named & (paddocks == paddock)
        for target in _in_grams(experiment):
            place = predictions.targets.index(target)
            error = _scaled(shared.get(target), factor)
            found = paddock_mean(predictions.balanced[mine, place] * factor, error, level=LEVEL)
            rows.append({column: paddock, "target": target, **_columns(asdict(found))})
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.selectors.float().fill_nan(None)
    )


def shared_errors(
    experiment: PhotosExperiment, prepared: Prepared, held_out: Sequence[HeldOut]
) -> dict[str, SharedError | None]:
    """What photos of a group err together, for every target in grams.

    A group is one of the folds', or a part of it where the training table names paddocks.

    Args:
        experiment: Names the targets and the paddock.
        prepared: The samples and their groups.
        held_out: What was said about them, fold by fold; the mean counts where that was twice.
    """
    samples, targets, column = prepared.samples, experiment.data.targets, experiment.field.paddock
    rows = prepared.folds.rows()
    errors = np.zeros((len(samples), len(targets)))
    np.add.at(errors, rows, np.concatenate([one.balanced - one.truth for one in held_out]))
    errors /= np.bincount(rows, minlength=len(samples))[:, None].clip(min=1)
    errors[np.setdiff1d(np.arange(len(samples)), rows)] = np.nan
    groups = prepared.groups
    if column in samples.frame.columns and prepared.folds.groups is not None:
        paddocks = samples.column(column).tolist()
        groups = combine(groups, ["?" if v is None or v != v else f"= {v}" for v in paddocks])
    return {
        target: SharedError.of(errors[:, targets.index(target)], groups)
        for target in _in_grams(experiment)
    }


def write_shared(shared: SharedErrors, folder: Path) -> None:
    """Writes `FILE` into a run folder."""
    content = {name: None if error is None else error.to_json() for name, error in shared.items()}
    write_json(folder / FILE, content)


def read_shared(folder: Path) -> dict[str, SharedError | None]:
    """Reads `FILE`; what is not known is told in a warning."""
    content = read_json(folder / FILE) if (folder / FILE).is_file() else {}
    found = {name: None if v is None else SharedError(**v) for name, v in content.items()}
    if not found or None in found.values():
        current_progress().warn(
            "the error that photos of one paddock share is not known of all targets (their folds "
            "had no groups of several photos): intervals of those hold the differences between "
            "photos only, and are too narrow"
        )
    return found


def _area(experiment: PhotosExperiment) -> float:
    area = experiment.field.area_m2
    if area is None:
        raise UsageError(
            "the run does not say how large a quadrat is, so nothing can be said per hectare; set "
            "field.quadrat_m = [WIDTH, HEIGHT] in its experiment.toml."
        )
    return area


def _in_grams(experiment: PhotosExperiment) -> tuple[str, ...]:
    return experiment.field.targets or experiment.data.targets


def _scaled(error: SharedError | None, factor: float) -> SharedError | None:
    if error is None:
        return None
    squared = factor**2
    return SharedError(error.between * squared, error.within * squared, error.groups, error.photos)


def _columns(mean: dict[str, float | int | None]) -> dict[str, float | int | None]:
    names = {
        "mean": "kg_ha",
        "lower": "kg_ha_lower",
        "upper": "kg_ha_upper",
        "standard_error": "standard_error",
        "photo_sd": "photo_sd",
        "shared_sd": "shared_sd",
        "freedom": "degrees_of_freedom",
        "photos": "photos",
        "more_photos": "more_photos_to_halve",
    }
    return {new: mean[old] for old, new in names.items()}
