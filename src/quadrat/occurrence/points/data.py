"""From an experiment's tables to sites, folds and names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.points.background import with_background
from quadrat.occurrence.points.partition import PointFolds, make_folds
from quadrat.occurrence.points.sites import Sites, read_records, read_surveys
from quadrat.occurrence.records.taxonomy import Vocabulary, make_vocabulary, read_taxonomy
from quadrat.occurrence.schema import OccurrenceExperiment, PointsSection
from quadrat.tables import read_table


@dataclass(frozen=True)
class PointData:
    """What an experiment with points learns from.

    Args:
        sites: Places, covariates and labels, background among them.
        folds: Which fold holds each site out.
        vocabulary: The species.
        groups: The group of each species, blank where there are none.
        too_rare: Species that are left out by ``points.min_records``.
        unnamed: Codes that the taxonomy lacks.
    """

    sites: Sites
    folds: PointFolds
    vocabulary: Vocabulary
    groups: tuple[str, ...]
    too_rare: tuple[str, ...]
    unnamed: tuple[str, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """At how many sites each species was seen ``(S,)``."""
        return np.asarray((self.sites.labels > 0).sum(axis=0), dtype=np.int64)


def section_of(experiment: OccurrenceExperiment) -> tuple[Path, PointsSection]:
    """The table of points and what its columns mean.

    Raises:
        ValueError: The experiment has cells instead; a caller's mistake.
    """
    if experiment.data.points is None or experiment.points is None:
        raise ValueError("this experiment has no points")
    return experiment.data.points, experiment.points


def prepare(experiment: OccurrenceExperiment) -> PointData:
    """Reads the points of an experiment, says what absence means, and makes the folds.

    Raises:
        DataError: The tables cannot be used as they are.
    """
    path, section = section_of(experiment)
    sites, groups = _labelled(read_table(path), section, path, seed=experiment.seed)
    kept, too_rare = _frequent(sites, section, path)
    sites = sites.of_species(kept)
    sites = sites.rows(np.flatnonzero((~np.isnan(sites.labels)).any(axis=1)))
    taxonomy = read_taxonomy(experiment.data.taxonomy) if experiment.data.taxonomy else None
    vocabulary, unnamed = make_vocabulary(list(kept), taxonomy)
    folds = make_folds(sites.place, section, seed=experiment.seed)
    return PointData(
        sites.of_species(vocabulary.codes),
        folds,
        vocabulary,
        tuple(groups[code] for code in vocabulary.codes),
        too_rare,
        unnamed,
    )


def _labelled(
    frame: pl.DataFrame, section: PointsSection, path: Path, *, seed: int
) -> tuple[Sites, dict[str, str]]:
    """The sites with what is known of each species, and the species' groups."""
    if section.kind == "presence-absence":
        sites = read_surveys(frame, section, path)
        return sites, dict.fromkeys(sites.codes, "")
    records = read_records(frame, section, path)
    groups = dict(zip(records.sites.codes, records.groups, strict=True))
    return with_background(records, section, seed=seed), groups


def _frequent(
    sites: Sites, section: PointsSection, path: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The species with enough records, and the others."""
    seen = (sites.labels > 0).sum(axis=0)
    enough = seen >= section.min_records
    if not enough.any():
        raise DataError(
            f"{path}: no species was seen at {section.min_records} sites; the most frequent was "
            f"seen at {seen.max()}.",
            fix="lower points.min_records, or give more records.",
        )
    parts: tuple[list[str], list[str]] = ([], [])
    for code, kept in zip(sites.codes, enough.tolist(), strict=True):
        parts[0 if kept else 1].append(code)
    return tuple(parts[0]), tuple(parts[1])
