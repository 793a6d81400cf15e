"""Samples: one or more photos with metadata and targets, read from a long or a wide table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError, closest
from quadrat.photos.samples._rows import Rows, listed_rows, read_rows, unusable
from quadrat.photos.samples.beside import photos_beside
from quadrat.photos.samples.exif import filled_from_photos
from quadrat.photos.schema import DataSection, PhotosExperiment
from quadrat.tables import FIRST_ROW, read_table


@dataclass(frozen=True)
class Samples:
    """B samples in the order of their table.

    Args:
        ids: Names of the samples ``(B,)``: ``data.id`` of a wide table, otherwise the photo's path
            as it stands in the table, or the values of the columns that name a set.
        images: The photos of each sample as they stand in the table, one or more each.
        paths: The same, below ``data.image_root``.
        targets: ``(B, T)``, NaN where unknown.
        numeric: ``(B, F)``, NaN where unknown.
        categorical: ``(B, C)``, text or None.
        frame: One row a sample: every column of the table that is no target and says one thing
            about each sample.
        rows: The row of the file in which each sample begins; none where there is no file.
        beside: For each photo of each sample the files of ``views.extra`` beside it; none where
            there are no such.
        slots: Which part of its photos each sample is ``(B,)``, where parts are samples of their
            own; None where samples are whole.
    """

    ids: tuple[str, ...]
    images: tuple[tuple[str, ...], ...]
    paths: tuple[tuple[Path, ...], ...]
    targets: NDArray[np.float64]
    numeric: NDArray[np.float64]
    categorical: NDArray[np.object_]
    frame: pl.DataFrame
    rows: tuple[int, ...] = ()
    beside: tuple[tuple[tuple[Path, ...], ...], ...] = ()
    slots: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def renamed(
        self, ids: tuple[str, ...], targets: NDArray[np.float64], numeric: NDArray[np.float64]
    ) -> Samples:
        """The same samples with other names, targets ``(B, T)`` and numbers ``(B, F)``."""
        return replace(self, ids=ids, targets=targets, numeric=numeric)

    def take(self, index: ArrayLike) -> Samples:
        """Some of the samples.

        Args:
            index: Positions, in the wished order, or a mask ``(B,)``.
        """
        places = np.asarray(index)
        chosen = np.arange(len(self))[places] if places.size else np.zeros(0, dtype=np.int64)
        return Samples(
            ids=tuple(self.ids[i] for i in chosen),
            images=tuple(self.images[i] for i in chosen),
            paths=tuple(self.paths[i] for i in chosen),
            targets=self.targets[chosen],
            numeric=self.numeric[chosen],
            categorical=self.categorical[chosen],
            frame=self.frame[chosen],
            rows=tuple(self.rows[i] for i in chosen) if self.rows else (),
            beside=tuple(self.beside[i] for i in chosen) if self.beside else (),
            slots=None if self.slots is None else self.slots[chosen],
        )

    def parted(self, parts: int) -> Samples:
        """Each sample once for every part of its photo, with its share of the targets.

        Args:
            parts: How many there are; samples stay whole where there is one.
        """
        if parts == 1:
            return self
        apart = self.take(np.repeat(np.arange(len(self)), parts))
        slots = np.tile(np.arange(parts, dtype=np.int64), len(self))
        return replace(apart, targets=apart.targets / parts, slots=slots)

    def whole(self) -> Samples:
        """Samples whose parts are samples, each once, for their photos; others as they are."""
        return self if self.slots is None else replace(self.take(self.slots == 0), slots=None)

    def shots(self) -> tuple[tuple[tuple[Path, ...], ...], ...]:
        """The photos of each sample, each with the files of ``views.extra`` behind it."""
        if not self.beside:
            return tuple(tuple((path,) for path in paths) for paths in self.paths)
        return tuple(
            tuple((path, *more) for path, more in zip(paths, beside, strict=True))
            for paths, beside in zip(self.paths, self.beside, strict=True)
        )

    def owner(self) -> NDArray[np.int64]:
        """Position of each photo's sample ``(V,)``, where the photos of all samples are in line."""
        counts = [len(views) for views in self.paths]
        return np.repeat(np.arange(len(self), dtype=np.int64), counts)

    def column(self, name: str) -> NDArray[np.generic]:
        """The values of a column ``(B,)``: numbers as they are, anything else as text or None.

        Raises:
            DataError: There is no such column, or it varies within samples.
        """
        if name not in self.frame.columns:
            raise DataError(
                f"the samples have no column '{name}'.{closest(name, self.frame.columns)}",
                fix=f"use one of: {', '.join(self.frame.columns)}. A column that varies within a "
                "sample is not among them.",
            )
        series = self.frame[name]
        return series.to_numpy() if series.dtype.is_numeric() else _texts(series)


def without_values(samples: Samples, data: DataSection) -> list[str]:
    """The metadata columns of an experiment of which a table knows no value at all."""
    known = [
        *zip(data.numeric, ~np.isnan(samples.numeric).T, strict=True),
        *zip(data.categorical, samples.categorical.T, strict=True),
    ]
    # a category is a text, which counts as true, or None
    return [name for name, there in known if not there.any()]


def load_samples(experiment: PhotosExperiment, table: Path, *, require_targets: bool) -> Samples:
    """Reads the samples of a table.

    A table with the column ``data.target_name`` and no column of a target is long, one row a
    target of a photo; any other is wide, one row a photo.

    Args:
        experiment: Names the columns.
        table: A CSV or parquet file.
        require_targets: True for tables to learn from: targets, metadata and the columns of the
            split must be there. Otherwise any of them may be absent (unknown then), and those that
            are there are read.

    Raises:
        DataError: Lists all problems of the table, with row numbers.
    """
    return samples_of(experiment, read_table(table), table, require_targets=require_targets)


def samples_of(
    experiment: PhotosExperiment, frame: pl.DataFrame, table: Path, *, require_targets: bool
) -> Samples:
    """The samples of a table that is read already; see `load_samples`.

    Args:
        experiment: Names the columns.
        frame: The table.
        table: Its file: photo paths are relative to its folder.
        require_targets: As in `load_samples`.

    Raises:
        DataError: Lists all problems of the table, with row numbers.
    """
    data = experiment.data
    extra = experiment.views.extra
    if data.exif:
        frame = filled_from_photos(frame, table, data)
    required = [*_always(experiment), *(_for_learning(experiment) if require_targets else [])]
    rows = read_rows(frame, table, data, required=required)
    rows.blank([data.image], "data.image")
    rows.blank(data.sample_columns, "data.sample" if data.sample else "data.set_by")
    if data.id in frame.columns:
        rows.repeated([data.id], "repeated id")
        rows.blank([data.id], "data.id")
    targets = (_long_targets if rows.long else _wide_targets)(rows, data)
    if require_targets:
        _demand_targets(rows, targets, data)
        _demand_groups(rows, experiment)
    merged = _merge(rows, data, experiment if require_targets else None)
    beside = photos_beside(rows, data.image, extra) if extra else ()
    numeric = [rows.per_sample(rows.numbers(n)) for n in data.numeric if n in frame.columns]
    if rows.problems:
        raise unusable(table, rows.problems, frame.columns)
    images = _images(rows, data)
    root = data.image_root or table.parent
    return Samples(
        ids=rows.ids,
        images=images,
        paths=tuple(tuple(root / image for image in views) for views in images),
        targets=targets,
        numeric=_spread(numeric, data.numeric, frame.columns, len(rows.ids)),
        categorical=_categories(merged, data.categorical),
        frame=merged,
        beside=tuple(tuple(tuple(root / p for p in more) for more in one) for one in beside),
        rows=tuple((np.unique(rows.owner, return_index=True)[1] + FIRST_ROW).tolist()),
    )


def joined_samples(parts: Sequence[Samples]) -> Samples:
    """Samples of several tables, one after the other; columns that a table lacks are unknown."""
    frames = [part.frame for part in parts]
    return Samples(
        ids=tuple(name for part in parts for name in part.ids),
        images=tuple(images for part in parts for images in part.images),
        paths=tuple(paths for part in parts for paths in part.paths),
        targets=np.concatenate([part.targets for part in parts]),
        numeric=np.concatenate([part.numeric for part in parts]),
        categorical=np.concatenate([part.categorical for part in parts]),
        frame=pl.concat(frames, how="diagonal_relaxed"),
        slots=None if parts[0].slots is None else np.concatenate([p.slots for p in parts]),
        beside=tuple(beside for part in parts for beside in part.beside),
    )


def _always(experiment: PhotosExperiment) -> list[tuple[str, str]]:
    data, extra = experiment.data, experiment.views.extra
    key = "data.sample" if data.sample else "data.set_by"
    return [
        (data.image, "data.image"),
        *((column, key) for column in data.sample_columns),
        *((column, f"views.extra.{name}") for name, column in extra.items()),
    ]


def _for_learning(experiment: PhotosExperiment) -> list[tuple[str, str]]:
    """Columns that a table to learn from must have, each with the key that names it."""
    data, split = experiment.data, experiment.split
    named = [(name, "data.numeric") for name in data.numeric]
    named += [(name, "data.categorical") for name in data.categorical]
    named += [(name, "split.by") for name in split.by]
    sampling = experiment.sampling.column
    single = [
        (sampling, "sampling.column"),
        (split.column, "split.column"),
        (split.stratify, "split.stratify"),
        (data.lat, "data.lat"),
        (data.lon, "data.lon"),
        (data.date, "data.date"),
    ]
    named += [(name, key) for name, key in single if name and name not in data.targets]
    if data.id != DataSection.model_fields["id"].default:
        named.append((data.id, "data.id"))
    return named


def _long_targets(rows: Rows, data: DataSection) -> NDArray[np.float64]:
    names = rows.frame[data.target_name].cast(pl.String)
    targets = np.full((len(rows.ids), len(data.targets)), np.nan)
    if data.target_value not in rows.frame.columns:
        return targets
    keys = [*(data.sample_columns or ()), data.image, data.target_name]
    rows.repeated(list(dict.fromkeys(keys)), "repeated target")
    values = rows.numbers(data.target_value)
    for place, target in enumerate(data.targets):
        mine = (names == target).fill_null(False).to_numpy()
        column = np.where(mine, values, np.nan)
        targets[:, place] = rows.per_sample(column)
        differs = mine & ~np.isnan(values) & (targets[rows.owner, place] != values)
        for row in np.flatnonzero(differs & bool(data.sample_columns)):
            rows.problems.append(
                f"row {row + FIRST_ROW}: sample '{rows.ids[rows.owner[row]]}' has '{target}' "
                f"{values[row]:g} here and {targets[rows.owner[row], place]:g} before"
            )
    _unknown_names(rows, names, data)
    return targets


def _unknown_names(rows: Rows, names: pl.Series, data: DataSection) -> None:
    """Notes names that no target bears, in samples that lack a target.

    A table may hold more targets than an experiment predicts; but where a sample lacks one that
    it should have, an unknown name is most likely that target, misspelt.
    """
    known = names.is_in(list(data.targets)).fill_null(False).to_numpy()
    pairs = pl.DataFrame({"owner": rows.owner, "name": names}).filter(pl.Series(known))
    counts = np.zeros(len(rows.ids), dtype=np.int64)
    unique = pairs.unique()
    np.add.at(counts, unique["owner"].to_numpy(), 1)
    incomplete = counts[rows.owner] < len(data.targets)
    where: dict[str, list[int]] = {}
    for row in np.flatnonzero(~known & incomplete):
        where.setdefault(names[int(row)] or "", []).append(int(row) + FIRST_ROW)
    for name, places in where.items():
        hint = closest(name, data.targets)
        rows.problems.append(f"{listed_rows(places)}: '{name}' is not in data.targets.{hint}")


def _wide_targets(rows: Rows, data: DataSection) -> NDArray[np.float64]:
    if not data.sample_columns:
        rows.repeated([data.image], "repeated photo")
    else:
        rows.repeated([*dict.fromkeys([*data.sample_columns, data.image])], "repeated photo")
    present = [name for name in data.targets if name in rows.frame.columns]
    rows.merged(present, constant=present)
    columns = [rows.per_sample(rows.numbers(name)) for name in present]
    return _spread(columns, data.targets, present, len(rows.ids))


def _demand_targets(rows: Rows, targets: NDArray[np.float64], data: DataSection) -> None:
    if not rows.long and not set(data.targets) & set(rows.frame.columns):
        rows.problems.append(
            f"no column '{data.target_name}' (data.target_name) and none of a target: the table is "
            f"neither long nor wide.{closest(data.targets[0], rows.frame.columns)}"
        )
        return
    if rows.long and data.target_value not in rows.frame.columns:
        hint = closest(data.target_value, rows.frame.columns)
        rows.problems.append(f"no column '{data.target_value}' (data.target_value).{hint}")
        return
    names = (
        rows.frame[data.target_name].cast(pl.String).unique().drop_nulls().to_list()
        if rows.long
        else rows.frame.columns
    )
    values = data.target_value if rows.long else ""
    for place, target in enumerate(data.targets):
        if target not in names:
            where = f"in column '{data.target_name}'" if rows.long else "among the columns"
            rows.problems.append(f"the target '{target}' is not {where}.{closest(target, names)}")
        elif np.isnan(targets[:, place]).all() and not rows.refused & {target, values}:
            rows.problems.append(f"the target '{target}' has no value in any row")


def _demand_groups(rows: Rows, experiment: PhotosExperiment) -> None:
    split, columns = experiment.split, rows.frame.columns
    rows.blank([name for name in split.by if name in columns], "split.by")
    if split.column in columns:
        rows.blank([str(split.column)], "split.column")


def _merge(rows: Rows, data: DataSection, learning: PhotosExperiment | None) -> pl.DataFrame:
    outside = {*data.targets, data.target_name, data.target_value} if rows.long else data.targets
    columns = [name for name in rows.frame.columns if name not in outside]
    used = {*data.numeric, *data.categorical}
    if learning is not None:
        used |= {name for name, _ in _for_learning(learning)} - {data.id}
    return rows.merged(columns, constant=used)


def _images(rows: Rows, data: DataSection) -> tuple[tuple[str, ...], ...]:
    views: list[dict[str, None]] = [{} for _ in rows.ids]
    for owner, image in zip(rows.owner, rows.frame[data.image].cast(pl.String), strict=True):
        views[owner][image] = None
    return tuple(tuple(images) for images in views)


def _spread(
    columns: Sequence[NDArray[np.float64]],
    names: Sequence[str],
    present: Sequence[str],
    count: int,
) -> NDArray[np.float64]:
    """Columns that the table has, in the order of all names, with NaN for the absent ones."""
    matrix = np.full((count, len(names)), np.nan)
    places = [place for place, name in enumerate(names) if name in present]
    for place, column in zip(places, columns, strict=True):
        matrix[:, place] = column
    return matrix


def _categories(frame: pl.DataFrame, names: Sequence[str]) -> NDArray[np.object_]:
    matrix = np.full((frame.height, len(names)), None, dtype=object)
    for place, name in enumerate(names):
        if name in frame.columns:
            matrix[:, place] = _texts(frame[name])
    return matrix


def _texts(series: pl.Series) -> NDArray[np.object_]:
    """Values as text; whole numbers without decimals, so that 1 and 1.0 are one category."""
    if series.dtype.is_float() and ((series % 1).fill_null(0.0) == 0.0).all():
        series = series.cast(pl.Int64)
    texts = series.cast(pl.String)
    return texts.set(texts.str.strip_chars() == "", None).to_numpy()
