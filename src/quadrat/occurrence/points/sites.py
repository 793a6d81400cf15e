"""From records to sites: one row a place, one column a species, and what absence means there.

Where nobody looked for a species, its label is unknown and nothing is learnt from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.points.table import (
    Covariates,
    Floats,
    Rows,
    read_coordinates,
    read_covariates,
    read_names,
    read_presences,
)
from quadrat.occurrence.schema.points import PointsSection
from quadrat.tables import require_columns

Labels = NDArray[np.float32]


@dataclass(frozen=True)
class Sites:
    """N places with what is known of S species.

    Args:
        place: Coordinates, the one to the east first ``(N, 2)``.
        covariates: What is known of each place.
        labels: 1 seen, 0 absent or background, NaN unknown ``(N, S)``.
        codes: The species.
    """

    place: Floats
    covariates: Covariates
    labels: Labels
    codes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.place)

    def rows(self, rows: Rows) -> Sites:
        """Some of the sites."""
        return Sites(self.place[rows], self.covariates.rows(rows), self.labels[rows], self.codes)

    def of_species(self, codes: Sequence[str]) -> Sites:
        """The same sites with other columns; a species that is not here is unknown everywhere."""
        labels = np.full((len(self), len(codes)), np.nan, dtype=np.float32)
        own = {code: column for column, code in enumerate(self.codes)}
        for column, code in enumerate(codes):
            if code in own:
                labels[:, column] = self.labels[:, own[code]]
        return Sites(self.place, self.covariates, labels, tuple(codes))


@dataclass(frozen=True)
class Records:
    """Sites with records of presence, before it is said what absence means.

    Args:
        sites: Labels are 1 where a species was seen, else 0.
        groups: The group of every species ``(S,)``.
        visited: Which groups have a record at each site ``(N, S)``, told by species.
    """

    sites: Sites
    groups: tuple[str, ...]
    visited: NDArray[np.bool_]


def read_records(frame: pl.DataFrame, section: PointsSection, path: Path) -> Records:
    """Presence-only records, one row each, gathered by site.

    A site is a place with its covariates; records that agree in all of them share it.

    Raises:
        DataError: The table cannot be used, or a species is in two groups.
    """
    place = read_coordinates(frame, section, path)
    covariates = read_covariates(frame, section, path)
    species = np.array(read_names(frame, section.species, path, key="points.species"))
    codes, column = np.unique(species, return_inverse=True)
    groups = _groups(frame, section, path, species)
    site, first = _gathered(place, covariates)
    labels = np.zeros((len(first), len(codes)), dtype=np.float32)
    labels[site, column] = 1.0
    names, group = np.unique([groups[code] for code in codes.tolist()], return_inverse=True)
    visited = np.zeros((len(first), len(names)), dtype=bool)
    visited[site, group[column]] = True
    sites = Sites(place[first], covariates.rows(first), labels, tuple(codes.tolist()))
    return Records(sites, tuple(groups[code] for code in sites.codes), visited[:, group])


def read_surveys(frame: pl.DataFrame, section: PointsSection, path: Path) -> Sites:
    """Presence–absence, long (one row a site and species) or wide (one column a species).

    Raises:
        DataError: The table cannot be used.
    """
    place = read_coordinates(frame, section, path)
    covariates = read_covariates(frame, section, path)
    if section.occurrence is None:
        return Sites(place, covariates, *_wide(frame, section.species_columns, path))
    species = read_names(frame, section.species, path, key="points.species")
    codes, column = np.unique(np.array(species), return_inverse=True)
    require_columns(frame, [section.occurrence], path, key="points.occurrence")
    seen = read_presences(frame, section.occurrence, path)
    site, first = _gathered(place, covariates)
    labels = np.full((len(first), len(codes)), np.nan, dtype=np.float32)
    known = ~np.isnan(seen)
    # Seen once is seen, however often the same site was searched in vain.
    np.fmax.at(labels, (site[known], column[known]), seen[known].astype(np.float32))
    return Sites(place[first], covariates.rows(first), labels, tuple(codes.tolist()))


def read_test(
    frame: pl.DataFrame, section: PointsSection, codes: Sequence[str], path: Path
) -> Sites:
    """A table to judge on: a column for each species that it knows, or as the training table.

    Raises:
        DataError: The table cannot be used, or knows none of the species.
    """
    wide = [code for code in codes if code in frame.columns]
    if wide or section.occurrence is None:
        if not wide:
            raise DataError(
                f"the table {path} has no column for any of the {len(codes)} species.",
                [f"the model knows: {', '.join(codes[:5])}"],
                fix="give one column a species, named by its code, with 1, 0 or blank.",
            )
        labels, found = _wide(frame, wide, path)
        place = np.full((frame.height, 2), np.nan)
        return Sites(place, read_covariates(frame, section, path), labels, found)
    return read_surveys(frame, section, path)


def _wide(
    frame: pl.DataFrame, columns: Sequence[str], path: Path
) -> tuple[Labels, tuple[str, ...]]:
    require_columns(frame, columns, path, key="points.species_columns")
    seen = [read_presences(frame, column, path) for column in columns]
    return np.stack(seen, axis=1).astype(np.float32), tuple(columns)


def _gathered(place: Floats, covariates: Covariates) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The site of every row, and the first row of every site."""
    keys = {f"n{j}": column for j, column in enumerate(np.hstack([place, covariates.numbers]).T)}
    texts = {
        f"c{j}": pl.Series(column.tolist(), dtype=pl.String)
        for j, column in enumerate(covariates.categories.T)
    }
    frame = pl.DataFrame({**keys, **texts}).with_row_index("row")
    rows = frame.group_by(*keys, *texts, maintain_order=True).agg("row")["row"]
    site = np.empty(len(place), dtype=np.int64)
    site[rows.explode().to_numpy()] = np.repeat(np.arange(len(rows)), rows.list.len().to_numpy())
    return site, rows.list.first().cast(pl.Int64).to_numpy()


def _groups(
    frame: pl.DataFrame, section: PointsSection, path: Path, species: NDArray[np.str_]
) -> dict[str, str]:
    """Species → its group."""
    if section.group is None:
        return dict.fromkeys(species.tolist(), "")
    groups = read_names(frame, section.group, path, key="points.group")
    pairs = sorted(set(zip(species.tolist(), groups, strict=True)))
    found = dict(pairs)
    twice = [
        f"'{code}' is in '{group}' and '{found[code]}'"
        for code, group in pairs
        if found[code] != group
    ]
    if twice:
        raise DataError(
            f"{path}: column '{section.group}' (points.group) puts species in two groups.",
            twice,
            fix="give every species one group.",
        )
    return found
