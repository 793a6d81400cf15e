"""Submission files: one number for every row that asks for one, in its order, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from quadrat.errors import DataError, closest
from quadrat.photos.predictions import Predictions
from quadrat.photos.predictor import TablePredictor
from quadrat.photos.samples._rows import read_rows
from quadrat.photos.schema import DataSection
from quadrat.tables import FIRST_ROW, read_table, require_columns

_BETWEEN = "__"
"""Between sample and target in the ids that wide tables do not give themselves."""
_HINTS = 5  # looking for the closest of many ids is slow


@dataclass(frozen=True)
class _Requests:
    """What a test table asks for, R numbers."""

    ids: list[str]
    samples: list[str]
    targets: list[str]


def make_submission(
    predictions: Predictions,
    test: Path | str,
    like: Path | str | None = None,
    data: DataSection | None = None,
) -> pl.DataFrame:
    """The balanced predictions as a submission.

    Args:
        predictions: Of the samples of the test table.
        test: The test table: long (a row a sample and target, with its id), or wide (a row a
            sample; the ids are then those of the samples with ``__`` and the target).
        like: A sample submission, whose columns, ids and order are taken; it may also be wide,
            with a column a target.
        data: Names the columns of the test table; by default they are found.

    Returns:
        Columns ``sample_id`` and ``target`` (as ``data`` or ``like`` name them).

    Raises:
        DataError: A row or a column of ``like`` asks for what was not predicted, ids differ from
            those of ``like``, are repeated, or a number is not finite.
    """
    table = read_table(test)
    data = data or _find_columns(predictions, table, Path(test))
    asked = _requests(table, Path(test), data, predictions.targets)
    values = _values(predictions, asked, Path(test))
    if like is None:
        frame = pl.DataFrame({data.id: asked.ids, data.target_value: values})
        check_submission(frame, asked.ids)
        return frame
    sample = read_table(like)
    _require_same(_ids(sample), _like_ids(sample, asked, predictions), Path(like), Path(test))
    frame = _in_the_form_of(sample, asked, values, predictions, data)
    _require_filled(sample, frame, Path(like))
    check_submission(frame, _ids(sample))
    return frame


def rehearse_submission(ids: Sequence[str], data: DataSection) -> None:
    """Makes the submission of ``data.test`` with zeros, so that a wrong file shows in time.

    Args:
        ids: The samples of ``data.test`` ``(B,)``.
        data: Names the tables; nothing is done where they make no submission.

    Raises:
        DataError: As `make_submission`.
    """
    if data.test is None or not names_rows(data, read_table(data.test)):
        return
    zeros = np.zeros((len(ids), len(data.targets)))
    predictions = Predictions(tuple(ids), data.targets, zeros, zeros, zeros, zeros, zeros)
    make_submission(predictions, data.test, data.sample_submission, data)


def check_submission(frame: pl.DataFrame, ids: Sequence[str]) -> None:
    """Checks a submission.

    Args:
        frame: The first column holds ids, all others numbers.
        ids: The ids that it must have, in this order.

    Raises:
        DataError: Lists ids that are missing, repeated or invented, numbers that are not finite,
            or says that the order differs.
    """
    found, wanted = _ids(frame), list(ids)
    problems = [f"'{name}' is missing" for name in sorted(set(wanted) - set(found))]
    problems += [f"'{name}' was not asked for" for name in sorted(set(found) - set(wanted))]
    problems += [f"'{name}' is there {count} times" for name, count in _repeated(found)]
    for column in frame.columns[1:]:
        numbers = frame[column].cast(pl.Float64, strict=False).fill_null(np.nan)
        bad = np.flatnonzero(~np.isfinite(numbers.to_numpy()))
        problems += [f"'{found[row]}': {column} is {frame[column][int(row)]}" for row in bad]
    if not problems and found != wanted:
        row = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
        problems.append(f"row {row + FIRST_ROW} is '{found[row]}', but '{wanted[row]}' was due")
    if problems:
        raise DataError(
            "the submission is not as it must be.",
            problems,
            fix="predict exactly the rows of the test table, and keep their order.",
        )


def submission_from_predictor(
    predictor: TablePredictor, test: Path, like: Path | None = None
) -> pl.DataFrame:
    """Predicts a test table and makes a submission; see `make_submission`."""
    predictions = predictor.predict(test)
    return make_submission(predictions, test, like, predictor.experiment.data)


def submission_from_table(source: Path, test: Path, like: Path | None = None) -> pl.DataFrame:
    """Makes a submission from a table of predictions, as ``quadrat predict`` writes it.

    Args:
        source: Columns sample, target and balanced.
        test: As in `make_submission`.
        like: As in `make_submission`.

    Raises:
        DataError: The table is not of that kind, or as `make_submission`.
    """
    table = read_table(source)
    require_columns(table, ["sample", "target", "balanced"], source)
    table = table.with_columns(pl.col("sample", "target").cast(pl.String))
    repeats = table.select("sample", "target").is_duplicated().to_numpy()
    if repeats.any():
        rows = np.flatnonzero(repeats) + FIRST_ROW
        raise DataError(
            f"{source} predicts a sample more than once.", [f"row {row}" for row in rows]
        )
    wide = table.pivot("target", index="sample", values="balanced")
    targets = tuple(name for name in wide.columns if name != "sample")
    values = wide.select(targets).cast(pl.Float64).fill_null(np.nan).to_numpy()
    nothing = np.full_like(values, np.nan)
    predictions = Predictions(
        tuple(wide["sample"]), targets, values, values, nothing, nothing, nothing
    )
    return make_submission(predictions, test, like)


def names_rows(data: DataSection, table: pl.DataFrame) -> bool:
    """Whether a submission can be made for a test table: its rows, or a sample file, bear ids."""
    return data.id in table.columns or data.sample_submission is not None


def _requests(
    table: pl.DataFrame, path: Path, data: DataSection, targets: Sequence[str]
) -> _Requests:
    rows = read_rows(table, path, data, required=[(data.image, "data.image")])
    names = [rows.ids[owner] for owner in rows.owner]
    if rows.long and data.id in table.columns:
        wanted = table[data.target_name].cast(pl.String).fill_null("").to_list()
        return _Requests(table[data.id].cast(pl.String).to_list(), names, wanted)
    samples = [name for name in rows.ids for _ in targets]
    wanted = [target for _ in rows.ids for target in targets]
    ids = [f"{s}{_BETWEEN}{t}" for s, t in zip(samples, wanted, strict=True)]
    return _Requests(ids, samples, wanted)


def _values(predictions: Predictions, asked: _Requests, test: Path) -> list[float]:
    known = {
        (sample, target): float(predictions.balanced[row, column])
        for row, sample in enumerate(predictions.ids)
        for column, target in enumerate(predictions.targets)
    }
    wanted = list(zip(asked.samples, asked.targets, strict=True))
    missing = dict.fromkeys(pair for pair in wanted if pair not in known)
    if missing:
        problems = [
            f"sample '{sample}': '{target}' was not predicted."
            + (closest(target, predictions.targets) if sample in predictions.ids else "")
            for sample, target in missing
        ]
        raise DataError(f"{test} asks for more than was predicted.", problems)
    return [known[pair] for pair in wanted]


def _ids(frame: pl.DataFrame) -> list[str]:
    return frame[frame.columns[0]].cast(pl.String).fill_null("").to_list()


def _is_wide(sample: pl.DataFrame, predictions: Predictions) -> bool:
    return set(predictions.targets) <= set(sample.columns)


def _like_ids(sample: pl.DataFrame, asked: _Requests, predictions: Predictions) -> list[str]:
    return asked.samples if _is_wide(sample, predictions) else asked.ids


def _require_same(found: list[str], wanted: list[str], like: Path, test: Path) -> None:
    """Checks that a sample submission and a test table are about the same ids."""
    here, there = set(found), set(wanted)
    problems = [
        f"'{name}' is not in {test.name}.{closest(name, wanted) if place < _HINTS else ''}"
        for place, name in enumerate(sorted(here - there))
    ]
    problems += [f"'{name}' is not in {like.name}" for name in sorted(there - here)]
    if problems:
        raise DataError(
            f"{like} and {test} ask for different rows.",
            problems,
            fix="give the sample submission that belongs to this test table.",
        )


def _require_filled(sample: pl.DataFrame, frame: pl.DataFrame, like: Path) -> None:
    """Checks that every column of a sample submission was predicted."""
    empty = [name for name in sample.columns if name not in frame.columns]
    if empty:
        raise DataError(
            f"{like} has columns that nothing was predicted for.",
            [f"column '{name}'" for name in empty],
            fix="give the sample submission of this task, or a run that predicts all its targets.",
        )


def _in_the_form_of(
    sample: pl.DataFrame,
    asked: _Requests,
    values: Sequence[float],
    predictions: Predictions,
    data: DataSection,
) -> pl.DataFrame:
    """Columns and order of a sample submission."""
    key = sample.columns[0]
    if _is_wide(sample, predictions):
        pairs = zip(asked.samples, asked.targets, strict=True)
        by_pair = dict(zip(pairs, values, strict=True))
        columns = {
            name: [by_pair[row, name] for row in _ids(sample)]
            for name in sample.columns[1:]
            if name in predictions.targets
        }
        return pl.DataFrame({key: _ids(sample), **columns})
    others = sample.columns[1:]
    name = data.target_value if data.target_value in others else (others or [data.target_value])[0]
    by_id = dict(zip(asked.ids, values, strict=True))
    return pl.DataFrame({key: _ids(sample), name: [by_id[row] for row in _ids(sample)]})


def _repeated(names: Sequence[str]) -> list[tuple[str, int]]:
    counts = pl.Series("name", names, dtype=pl.String).value_counts(sort=True)
    return [(name, count) for name, count in counts.rows() if count > 1]


def _find_columns(predictions: Predictions, table: pl.DataFrame, path: Path) -> DataSection:
    """The columns of a test table, by their usual names or by what they hold."""
    usual = DataSection(table=path, targets=predictions.targets)
    texts = {name: set(table[name].cast(pl.String).to_list()) for name in table.columns}

    def find(name: str, fits: list[str]) -> str:
        return name if name in texts or not fits else fits[0]

    samples, targets = set(predictions.ids), set(predictions.targets)
    photos = [name for name, values in texts.items() if values & samples]
    different = [name for name, values in texts.items() if len(values) == table.height]
    if not photos:
        raise DataError(
            f"no column of {path} holds the samples that were predicted.",
            [f"predicted: '{predictions.ids[0]}'", f"columns: {', '.join(table.columns)}"],
            fix="give the test table that was predicted.",
        )
    target_names = [name for name, values in texts.items() if values <= targets]
    return usual.model_copy(
        update={
            "image": usual.image if usual.image in photos else photos[0],
            "id": find(usual.id, [name for name in different if name not in photos] or different),
            "target_name": find(usual.target_name, target_names),
        }
    )
