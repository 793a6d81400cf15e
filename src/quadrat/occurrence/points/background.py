"""What presences are compared with where absence is not known.

Observers go where roads are. Sites where other species of the same group were recorded share that
habit, so that it cancels out (target-group background: Phillips et al. 2009, "Sample selection
bias and presence-only distribution models", Ecological Applications 19, 181-197).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from quadrat.errors import DataError
from quadrat.occurrence.points.sites import Records, Sites
from quadrat.occurrence.points.table import (
    Covariates,
    Floats,
    read_coordinates,
    read_covariates,
)
from quadrat.occurrence.schema.points import PointsSection
from quadrat.tables import read_table


def with_background(records: Records, section: PointsSection, *, seed: int) -> Sites:
    """Says what absence means.

    Args:
        records: Where species were seen.
        section: Which background.
        seed: Of the points that are drawn.

    Raises:
        DataError: A species has nothing to be compared with, or the background table cannot be
            used.
    """
    if section.background == "target-group":
        return _target_group(records)
    seen = records.sites
    place, covariates = _background_points(seen, section, seed=seed)
    labels = np.where(seen.labels > 0, seen.labels, np.float32(np.nan))
    absent = np.zeros((len(place), len(seen.codes)), dtype=np.float32)
    return Sites(
        np.concatenate([seen.place, place]),
        seen.covariates.followed_by(covariates),
        np.concatenate([labels, absent]),
        seen.codes,
    )


def _target_group(records: Records) -> Sites:
    """A species is absent where its group was recorded and it was not."""
    labels = np.where(records.visited, records.sites.labels, np.float32(np.nan))
    lonely = np.flatnonzero(~(labels == 0).any(axis=0))
    if len(lonely):
        raise DataError(
            "species have no target-group background: every site with a record of their group has "
            "one of them.",
            [
                f"'{records.sites.codes[column]}'"
                + (f" of the group '{group}'" if (group := records.groups[column]) else "")
                for column in lonely.tolist()
            ],
            fix="add records of other species of the group, or set points.background = 'random'.",
        )
    return replace(records.sites, labels=labels)


def _background_points(
    seen: Sites, section: PointsSection, *, seed: int
) -> tuple[Floats, Covariates]:
    rng = np.random.default_rng((seed, 3))
    path = section.background_table
    if path is None:
        return _from_bounding_box(seen.place, section, rng)
    frame = read_table(path)
    place = read_coordinates(frame, section, path)
    covariates = read_covariates(frame, section, path)
    if section.background == "table" or len(place) <= section.background_points:
        return place, covariates
    drawn = np.sort(rng.permutation(len(place))[: section.background_points])
    return place[drawn], covariates.rows(drawn)


def _from_bounding_box(
    place: Floats, section: PointsSection, rng: np.random.Generator
) -> tuple[Floats, Covariates]:
    """Even draws, on the sphere by area; coordinates are the only covariates."""
    low, high = place.min(axis=0), place.max(axis=0)
    count = section.background_points
    if section.geographic:
        south, top = np.sin(np.radians([low[1], high[1]])).tolist()
        north = np.degrees(np.arcsin(rng.uniform(south, top, count)))
    else:
        north = rng.uniform(low[1], high[1], count)
    drawn = np.stack([rng.uniform(low[0], high[0], count), north], axis=1)
    columns = [section.coordinates.index(name) for name in section.covariates]
    return drawn, Covariates(drawn[:, columns], np.empty((count, 0), dtype=object))
