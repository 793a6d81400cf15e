"""Tables of other data sets, brought to the columns and units of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from quadrat.errors import DataError
from quadrat.photos.samples.audit import PhotoAudit
from quadrat.photos.samples.loading import Samples, samples_of
from quadrat.photos.samples.parts import Part
from quadrat.photos.schema import ExternalSection, PhotosExperiment
from quadrat.tables import numeric_column, read_table, require_columns

_LISTED = 5


def load_external(experiment: PhotosExperiment, section: ExternalSection) -> Part:
    """The samples of a table of another data set, in our columns and units.

    Samples without any known target are left out. Ids begin with the table's name. Groups are
    those of ``split.by`` where the table has all its columns; otherwise samples stand for
    themselves.

    Args:
        experiment: Names our columns.
        section: The table, and how its columns and units become ours.

    Raises:
        DataError: The table cannot be used; lists why.
    """
    table = section.table
    frame = _translated(read_table(table), section, experiment)
    data = experiment.data.model_copy(update={"image_root": section.image_root})
    ours = experiment.model_copy(update={"data": data})
    samples = samples_of(ours, frame, table, require_targets=False)
    samples = samples.take(~np.isnan(samples.targets).all(axis=1))
    if not len(samples):
        raise DataError(
            f"the external table {table} knows none of our targets.",
            fix="name its columns in external.columns, as theirs = 'ours'.",
        )
    by = experiment.split.by
    groups = samples.ids
    if by and set(by) <= set(samples.frame.columns):
        values = zip(*(samples.column(name).tolist() for name in by), strict=True)
        groups = tuple(" | ".join(map(str, (table.stem, *row))) for row in values)
    factors = [section.scale.get(name, 1.0) for name in data.targets]
    numbers = [section.scale.get(name, 1.0) for name in data.numeric]
    converted = samples.renamed(
        tuple(f"{table.stem}: {name}" for name in samples.ids),
        samples.targets * factors,
        samples.numeric * numbers,
    )
    weights = np.full(len(samples), section.weight)
    return Part(converted, np.array(groups, dtype=np.str_), weights)


def compared(
    targets: Sequence[str], samples: Samples, external: Samples, name: str
) -> list[dict[str, Any]]:
    """The known values of every target there and here: factors that are wrong show at once.

    Args:
        targets: Their names.
        samples: Ours.
        external: Theirs, in our units.
        name: Of their table.
    """
    rows = []
    values = zip(targets, samples.targets.T, external.targets.T, strict=True)
    for target, ours, theirs in values:
        known = theirs[~np.isnan(theirs)]
        rows.append(
            {
                "table": name,
                "target": target,
                "known": len(known),
                "mean": float(known.mean()) if len(known) else None,
                "mean_of_ours": float(np.nanmean(ours)),
            }
        )
    return rows


def shared_photos(
    samples: Samples,
    external: Samples,
    audits: tuple[PhotoAudit, PhotoAudit] | None,
    table: str,
) -> list[str]:
    """External samples with a photo of ours, one line each: it would be learnt while held out.

    Photos are the same where their contents are, or, where no photos are read, their files.

    Args:
        samples: Ours.
        external: Theirs.
        audits: Of both, where photos are read.
        table: Name of their table.
    """
    ours: dict[object, str] = {}
    nothing: Mapping[Path, str] = {}
    mine, their = (nothing, nothing) if audits is None else (a.hashes for a in audits)
    for name, paths in zip(samples.ids, samples.paths, strict=True):
        for path in paths:
            ours.setdefault(_identity(path, mine), name)
    lines = []
    for name, paths in zip(external.ids, external.paths, strict=True):
        found = next((ours[key] for p in paths if (key := _identity(p, their)) in ours), None)
        if found is not None:
            lines.append(
                f"'{name}' has the same photo as '{found}' of data.table, and would be learnt "
                f"while that is held out; leave it out of {table}"
            )
    more = len(lines) - _LISTED
    return lines if more <= 0 else [*lines[:_LISTED], f"and {more} more"]


def _identity(path: Path, hashes: Mapping[Path, str]) -> object:
    return hashes.get(path, path.resolve())


def _translated(
    frame: pl.DataFrame, section: ExternalSection, experiment: PhotosExperiment
) -> pl.DataFrame:
    """The table with our names; several columns of one target are added up."""
    table, targets = section.table, experiment.data.targets
    require_columns(frame, section.columns, table, key="external.columns")
    theirs: dict[str, list[str]] = {}
    for column, ours in section.columns.items():
        theirs.setdefault(ours, []).append(column)
    columns = {}
    for ours, names in theirs.items():
        if len(names) > 1 and ours in targets:
            values = np.sum([numeric_column(frame, name, table) for name in names], axis=0)
            columns[ours] = pl.Series(ours, values)
        else:
            columns[ours] = frame[names[0]].alias(ours)
    kept = frame.drop(set(section.columns) | (columns.keys() & set(frame.columns)))
    return kept.with_columns(**columns)
