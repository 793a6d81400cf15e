"""The ways of parting rows into folds, and the inner split of a training part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError
from quadrat.splits._assignment import codes, share_out, strata
from quadrat.splits.folds import Rows

Labels = NDArray[np.str_]
Seed = int | Sequence[int]


def combine(*columns: ArrayLike) -> Labels:
    """The label of every row's combination of values, such as ``"Tas | 2015-09-04"``.

    Args:
        columns: Columns of the same length ``(N,)``, at least one.

    Raises:
        DataError: A value is missing, so that the row's group is not known.
    """
    texts = [_texts(column, f"column {i + 1} of the group") for i, column in enumerate(columns)]
    if len(texts) == 1:
        return texts[0]
    quoted = [np.char.replace(np.char.replace(t, "\\", "\\\\"), "|", "\\|") for t in texts]
    label = quoted[0]
    for other in quoted[1:]:
        label = np.char.add(np.char.add(label, " | "), other)
    return np.asarray(label, dtype=np.str_)


def random_folds(
    count: int, folds: int, *, seed: Seed, stratify: ArrayLike | None = None
) -> list[Rows]:
    """Single rows dealt to folds at random; with ``stratify``, stratum by stratum.

    Args:
        count: N, the number of rows.
        folds: K, the number of folds.
        seed: Seed of the drawing.
        stratify: Categories or numbers that shall be spread alike, ``(N,)``.

    Returns:
        The held-out rows of every fold; sizes differ by one at most.
    """
    if count < folds:
        raise DataError(
            f"{folds} folds need at least {folds} samples, there are {count}",
            fix=f"set split.folds to {count} or fewer.",
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(count)
    if stratify is not None:
        order = order[np.argsort(strata(stratify)[order], kind="stable")]
    fold = np.empty(count, dtype=np.int64)
    fold[order] = rng.permutation(folds)[np.arange(count) % folds]
    return _rows_of(fold, folds)


def group_folds(
    groups: ArrayLike, folds: int, *, seed: Seed, stratify: ArrayLike | None = None
) -> list[Rows]:
    """Whole groups dealt to folds so that sizes and strata come out even.

    scikit-learn's ``StratifiedGroupKFold(shuffle=True)`` did not stratify; here the balance is
    what the assignment minimises (see ``share_out``).

    Args:
        groups: Label of every row's group, ``(N,)``.
        folds: K, the number of folds.
        seed: Seed of the drawing.
        stratify: Categories or numbers that shall be spread alike, ``(N,)``.

    Returns:
        The held-out rows of every fold.

    Raises:
        DataError: There are fewer groups than folds.
    """
    labels = _texts(groups, "the group")
    names = np.unique(labels)
    if len(names) < folds:
        smaller = "make the groups smaller (more columns in split.by, or a smaller split.block_km)"
        fewer = f"set split.folds to {len(names)} or fewer, or " if len(names) > 1 else ""
        raise DataError(
            f"{folds} folds need at least {folds} groups, found: {len(names)}.",
            problems=[f"group '{name}': {(labels == name).sum()} samples" for name in names],
            fix=f"{fewer}{smaller}.",
        )
    group = codes(labels)
    stratum = None if stratify is None else strata(stratify)
    part = share_out(group, stratum, np.full(folds, 1 / folds), np.random.default_rng(seed))
    return _rows_of(part[group], folds)


def leave_group_out(groups: ArrayLike) -> dict[str, Rows]:
    """Every group held out once.

    Args:
        groups: Label of every row's group, ``(N,)``.

    Returns:
        Group → held-out rows, in the order of the labels.

    Raises:
        DataError: There is only one group.
    """
    labels = _texts(groups, "the group")
    names = np.unique(labels)
    if len(names) < 2:
        raise DataError(
            f"leaving one group out needs two groups, there is only '{names[0]}'",
            fix="name other columns in split.by, or use another split.kind.",
        )
    return {str(name): np.flatnonzero(labels == name) for name in names}


def column_folds(values: ArrayLike, test_values: Sequence[str] = ()) -> dict[str, Rows]:
    """Folds that a column of the table tells.

    Args:
        values: The column, ``(N,)``; compared as text.
        test_values: The values that are held out, as one fold. Without them every value of the
            column is a fold.

    Returns:
        Name of the fold → held-out rows.

    Raises:
        DataError: A row has no value, a test value does not occur, or nothing is left to train on.
    """
    labels = _texts(values, "the split column")
    if not test_values:
        if len(np.unique(labels)) < 2:
            raise DataError(
                f"the split column holds only the value '{labels[0]}'",
                fix="name a column with at least two values in split.column.",
            )
        return {str(name): np.flatnonzero(labels == name) for name in np.unique(labels)}
    wanted = [str(value) for value in test_values]
    absent = [value for value in wanted if value not in labels]
    held_out = np.isin(labels, wanted)
    if absent or held_out.all():
        known = ", ".join(f"'{name}'" for name in np.unique(labels)[:20])
        raise DataError(
            f"split.test names values that the split column does not hold: {', '.join(absent)}"
            if absent
            else "split.test names every value of the split column: nothing is left to train on",
            fix=f"choose from the values of the column: {known}.",
        )
    return {", ".join(wanted): np.flatnonzero(held_out)}


def inner_split(
    train: Rows,
    groups: ArrayLike | None,
    share: float,
    *,
    seed: Seed,
    stratify: ArrayLike | None = None,
) -> tuple[Rows, Rows]:
    """Sets a part of the training rows aside for early stopping and calibration.

    Args:
        train: Rows of the training part.
        groups: Label of every row's group over the whole table, ``(N,)``: groups stay whole. None
            where rows stand for themselves.
        share: Share of the rows to set aside, in (0, 1); at least one group is, and one stays.
        seed: Seed of the drawing.
        stratify: Categories or numbers over the whole table that shall be spread alike.

    Returns:
        The rows to train on and the inner rows, both sorted.

    Raises:
        DataError: The training part is one group, which cannot be parted.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"share must lie between 0 and 1, not {share}")
    rng = np.random.default_rng(seed)
    stratum = None if stratify is None else strata(np.asarray(stratify)[train])
    if groups is None:
        aside = _rows_aside(len(train), stratum, share, rng)
    else:
        group = codes(_several(_texts(groups, "the group")[train]))
        aside = share_out(group, stratum, [1.0 - share, share], rng)[group].astype(bool)
    return np.sort(train[~aside]), np.sort(train[aside])


def _several(labels: Labels) -> Labels:
    if len(np.unique(labels)) < 2:
        raise DataError(
            f"the training part is the single group '{labels[0]}': none can be set aside for early "
            "stopping",
            fix="name more columns in split.by so that groups are smaller, or set split.inner = 0 "
            "to train a fixed number of epochs.",
        )
    return labels


def _rows_aside(
    count: int, stratum: NDArray[np.int64] | None, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Single rows at even steps through a random order, sorted by stratum if there is one."""
    if count < 2:
        raise DataError(
            f"{count} training samples cannot be parted for early stopping",
            fix="add samples, or set split.inner = 0.",
        )
    order = rng.permutation(count)
    if stratum is not None:
        order = order[np.argsort(stratum[order], kind="stable")]
    number = int(np.clip(round(share * count), 1, count - 1))
    aside = np.zeros(count, dtype=bool)
    aside[order[((np.arange(number) + 0.5) * count / number).astype(np.int64)]] = True
    return aside


def _rows_of(fold: NDArray[np.int64], folds: int) -> list[Rows]:
    return [np.flatnonzero(fold == k) for k in range(folds)]


def _texts(values: ArrayLike, what: str) -> Labels:
    column = np.asarray(values)
    if column.dtype.kind == "U":
        missing = column == ""
    elif column.dtype.kind == "f":
        missing = np.isnan(column)
    else:
        missing = np.array([v is None or v != v or v == "" for v in column.tolist()], dtype=bool)
    if missing.any():
        raise DataError(
            f"{missing.sum()} rows have no value of {what}",
            problems=[f"row {row}" for row in np.flatnonzero(missing).tolist()],
            fix="fill in the column, or leave these rows out.",
        )
    if not len(column):
        raise DataError("there are no rows to part")
    return column.astype(np.str_)
