"""From the keys of an experiment's ``[split]`` section to folds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError, UnknownNameError
from quadrat.splits import parting
from quadrat.splits.blocks import spatial_blocks
from quadrat.splits.folds import Fold, Folds, Rows

Kind = Literal["group", "random", "leave-group-out", "spatial-block", "column"]


@dataclass(frozen=True)
class _Drawing:
    """Held-out rows with their names, for every repeat."""

    repeats: Sequence[Sequence[tuple[str, Rows]]]
    groups: NDArray[np.str_] | None


def make_folds(
    kind: str,
    count: int,
    *,
    groups: ArrayLike | None = None,
    by: Sequence[str] = (),
    folds: int = 5,
    repeats: int = 1,
    stratify: ArrayLike | None = None,
    block_km: float | None = None,
    lat: ArrayLike | None = None,
    lon: ArrayLike | None = None,
    column: ArrayLike | None = None,
    test: Sequence[str] = (),
    inner: float = 0.15,
    seed: int = 42,
) -> Folds:
    """Parts rows into folds, and every training part once more for early stopping.

    Groups (or spatial blocks) are whole on every side: train, inner and held out. With every kind
    but ``column`` with ``test``, a row is held out exactly once per repeat.

    Args:
        kind: ``group``, ``random``, ``leave-group-out``, ``spatial-block`` or ``column``.
        count: N, the number of rows.
        groups: Group of every row ``(N,)``, for ``group`` and ``leave-group-out``; with ``column``
            they keep the inner split whole and must not cross the folds of the column.
        by: The names of the columns that made ``groups``, for the protocol's words.
        folds: Number of folds (group, random, spatial-block).
        repeats: How often these are drawn anew.
        stratify: Categories or numbers ``(N,)`` that shall be spread alike.
        block_km: Side of a spatial block in km.
        lat: Latitudes in degrees ``(N,)``, for spatial blocks.
        lon: Longitudes in degrees ``(N,)``.
        column: Values of the column that tells the fold, ``(N,)``.
        test: Values of the column that are held out.
        inner: Share of the training rows for early stopping; 0: none.
        seed: Seed of everything that is drawn.

    Raises:
        UnknownNameError: There is no such kind.
        DataError: The rows cannot be parted so; the message says what to do.
    """
    if kind not in get_args(Kind):
        raise UnknownNameError("split kind", kind, get_args(Kind))
    facts: dict[str, Any] = {"kind": kind, "by": list(by), "seed": seed, "inner": inner}
    seeds = [(seed, repeat) for repeat in range(repeats)]
    if kind == "random":
        drawn = [parting.random_folds(count, folds, seed=s, stratify=stratify) for s in seeds]
        drawing = _Drawing([_numbered(d, r, repeats) for r, d in enumerate(drawn)], None)
    elif kind in ("group", "spatial-block"):
        if kind == "spatial-block":
            if lat is None or lon is None or block_km is None:
                raise ValueError("spatial blocks need lat, lon and block_km")
            groups = spatial_blocks(lat, lon, block_km)
            facts["block_km"] = block_km
        labels = _labels(groups, count)
        drawn = [parting.group_folds(labels, folds, seed=s, stratify=stratify) for s in seeds]
        drawing = _Drawing([_numbered(d, r, repeats) for r, d in enumerate(drawn)], labels)
    elif kind == "leave-group-out":
        labels = _labels(groups, count)
        drawing = _Drawing([list(parting.leave_group_out(labels).items())], labels)
    else:
        facts["test"] = list(test)
        drawing = _by_column(column, test, None if groups is None else _labels(groups, count))
    facts |= {"repeats": len(drawing.repeats), "stratified": stratify is not None}
    made = tuple(_with_inner(drawing, count, inner, seed, stratify))
    return Folds(made, count, drawing.groups, facts, _words(facts, drawing, made, count))


def _numbered(drawn: Sequence[Rows], repeat: int, repeats: int) -> list[tuple[str, Rows]]:
    prefix = f"repeat {repeat + 1}, " if repeats > 1 else ""
    return [(f"{prefix}fold {k + 1}", rows) for k, rows in enumerate(drawn)]


def _with_inner(
    drawing: _Drawing, count: int, share: float, seed: int, stratify: ArrayLike | None
) -> Iterable[Fold]:
    index = 0
    for repeat, drawn in enumerate(drawing.repeats):
        for name, held_out in drawn:
            train = np.setdiff1d(np.arange(count), held_out)
            inner = np.zeros(0, dtype=np.int64)
            if share > 0.0:
                train, inner = parting.inner_split(
                    train, drawing.groups, share, seed=(seed, 1, index), stratify=stratify
                )
            yield Fold(index, name, train, inner, held_out, repeat)
            index += 1


def _labels(groups: ArrayLike | None, count: int) -> NDArray[np.str_]:
    if groups is None:
        raise ValueError("this kind of split needs groups")
    labels = parting.combine(groups)
    if labels.shape != (count,):
        raise ValueError(f"groups must be ({count},), not {labels.shape}")
    return labels


def _by_column(
    column: ArrayLike | None, test: Sequence[str], labels: NDArray[np.str_] | None
) -> _Drawing:
    if column is None:
        raise ValueError("this kind of split needs column")
    held_out = parting.column_folds(column, test)
    problems = [
        f"group '{group}' crosses the edge of '{name}'"
        for name, rows in held_out.items()
        if labels is not None
        for group in np.intersect1d(labels[rows], np.delete(labels, rows))
    ]
    if problems:
        raise DataError(
            "groups lie on both sides of the split column",
            problems=problems,
            fix="correct the column, or leave out split.by.",
        )
    return _Drawing([list(held_out.items())], labels)


def _words(facts: dict[str, Any], drawing: _Drawing, made: Sequence[Fold], count: int) -> str:
    """The protocol as one sentence."""
    number = 0 if drawing.groups is None else len(np.unique(drawing.groups))
    by = " x ".join(facts["by"]) or "the groups"
    alike = ", stratified" if facts["stratified"] else ""
    often = f", drawn {facts['repeats']} times" if facts["repeats"] > 1 else ""
    each = len(made) // facts["repeats"]
    aside = sum(len(fold.inner) for fold in made)
    parts = aside + sum(len(fold.train) for fold in made)
    inner = (
        f"{aside / parts:.0%} of the training parts is" if aside else "nothing is"
    ) + " set aside for early stopping"
    middle = {
        "random": f"{each} random folds of {count} samples{alike}{often}: samples of the same "
        "place and day may be on both sides, which flatters",
        "group": f"{each} folds over {number} groups of {by} ({count} samples){alike}{often}; no "
        "group is on both sides",
        "leave-group-out": f"each of {number} groups of {by} ({count} samples) is held out once",
        "spatial-block": f"{each} folds over {number} spatial blocks of about "
        f"{facts.get('block_km')} km ({count} samples){alike}{often}; no block is on both sides",
        "column": f"{len(made)} fold{'s' * (len(made) > 1)} as a column of the table says "
        f"({sum(len(fold.held_out) for fold in made)} of {count} samples are held out)",
    }[facts["kind"]]
    return f"{middle}; {inner}."
