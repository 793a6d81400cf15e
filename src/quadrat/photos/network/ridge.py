"""Ridge regression in closed form: where the head of a photos network begins.

A linear map on the vectors of a good encoder is hard to beat with a few hundred samples, and is
also where fine-tuning should start from (Kumar et al. 2022, "Fine-tuning can distort pretrained
features and underperform out-of-distribution", ICLR). Its penalty is chosen by cross-validation
over whole groups of the training rows, because samples of a group are no independent evidence.

Metadata may be absent later. Dropping them at random in training, with share p, has a closed form
too: the expected squared error is that of every row seen twice, once as it is with weight 1 - p
and once with its metadata hidden with weight p.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.splits import group_folds, random_folds

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

PENALTIES = np.logspace(-6.0, 2.0, 33)
"""Choices of the penalty a row, for blocks of columns whose variances add up to 1 each."""

_LEAST = 1e-6

PARTS = 5
"""Parts of the cross-validation over groups."""


@dataclass(frozen=True)
class Design:
    """The columns of a linear model for N rows.

    Attributes:
        photos: ``(N, D)``, columns with variance 1 or less.
        metadata: ``(N, K)``, as they are.
        hidden: The same where all metadata are hidden, ``(N, K)``.
        columns: Number of metadata columns that the K come from; they weigh as much together as
            the D of the photos.
    """

    photos: Array
    metadata: Array
    hidden: Array
    columns: int


@dataclass(frozen=True)
class Ridge:
    """A fitted linear model, ``y = photos @ photo_weights + metadata @ metadata_weights + bias``.

    Attributes:
        photo_weights: ``(D, T)``.
        metadata_weights: ``(K, T)``.
        bias: ``(T,)``.
        penalty: The chosen penalty a row.
        error: Mean squared error on left-out groups ``(T,)``.
    """

    photo_weights: Array
    metadata_weights: Array
    bias: Array
    penalty: float
    error: Array


def fit_ridge(
    design: Design,
    targets: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    hidden_share: float = 0.0,
    weights: Sequence[float] | None = None,
    counts: ArrayLike | None = None,
    seed: int = 0,
) -> Ridge:
    """Fits all targets with one penalty, chosen by their weighted error on left-out groups.

    Args:
        design: The rows to learn from.
        targets: Standardised targets ``(N, T)``, NaN where unknown; each has a known value.
        groups: Group of every row ``(N,)``; None where rows stand for themselves.
        hidden_share: p, how much the rows with hidden metadata count.
        weights: Of the targets in the choice of the penalty ``(T,)``; equal if None.
        counts: How much each row counts ``(N,)``, in the solution and in the choice; a count of 2
            is the row twice. Alike if None.
        seed: Of the parts of the cross-validation.
    """
    y = np.asarray(targets, dtype=np.float64)
    seen, hidden, basis = _blocks(design)
    parts = _parts(len(y), groups, seed)
    share = np.ones(y.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    count = np.ones(len(y)) if counts is None else np.asarray(counts, dtype=np.float64)
    patterns = _patterns(y)
    shares = (1.0 - hidden_share, hidden_share)
    sums = [
        [
            _sums(seen[r], hidden[r], y[np.ix_(r, columns)], count[r], shares)
            for r in _known(parts, y, columns)
        ]
        for columns in patterns
    ]
    errors = np.zeros((len(PENALTIES), y.shape[1]))
    for columns, pieces in zip(patterns, sums, strict=True):
        errors[:, columns] = _errors(pieces)
    chosen = int((errors @ share).argmin())
    solution = np.zeros((seen.shape[1] + 1, y.shape[1]))
    for columns, pieces in zip(patterns, sums, strict=True):
        solution[:, columns] = _Solver(_added(pieces)).solve(PENALTIES[chosen])
    width = basis.shape[1]
    return Ridge(
        photo_weights=basis @ solution[:width],
        metadata_weights=solution[width:-1] * _metadata_scale(design),
        bias=solution[-1],
        penalty=float(PENALTIES[chosen]),
        error=errors[chosen],
    )


def _metadata_scale(design: Design) -> float:
    return 1.0 / math.sqrt(max(design.columns, 1))


def _blocks(design: Design) -> tuple[Array, Array, Array]:
    """The scaled columns, seen and hidden, and the basis that leads back to the photos' columns.

    With fewer rows than columns the photos are turned into their row space: a ridge does not
    change under rotations, and the matrices become small.
    """
    rows, width = design.photos.shape
    photos = design.photos / np.sqrt(max(width, 1))
    basis = np.eye(width)
    if rows < width:
        u, s, vt = np.linalg.svd(photos, full_matrices=False)
        photos, basis = u * s, vt.T
    scale = _metadata_scale(design)
    seen = np.hstack([photos, design.metadata * scale])
    hidden = np.hstack([photos, design.hidden * scale])
    return seen, hidden, basis / np.sqrt(max(width, 1))


def _parts(count: int, groups: ArrayLike | None, seed: int) -> list[Rows]:
    """Rows of every part of the cross-validation."""
    labels = np.arange(count) if groups is None else np.asarray(groups)
    names, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    parts = min(PARTS, len(names))
    if len(names) == 1:
        return random_folds(count, min(PARTS, count), seed=seed)
    if np.ptp(sizes):
        return group_folds(labels, parts, seed=seed)
    # Groups of one size are dealt at once; there may be as many as rows.
    dealt = random_folds(len(names), parts, seed=seed)
    return [np.flatnonzero(np.isin(group, part)) for part in dealt]


def _patterns(y: Array) -> list[NDArray[np.int64]]:
    """Columns that are known in the same rows, together."""
    known = ~np.isnan(y)
    _, pattern = np.unique(known, axis=1, return_inverse=True)
    return [np.flatnonzero(pattern == number) for number in range(int(pattern.max()) + 1)]


def _known(parts: Iterable[Rows], y: Array, columns: NDArray[np.int64]) -> list[Rows]:
    known = ~np.isnan(y[:, columns[0]])
    return [rows[known[rows]] for rows in parts]


class _Sums(NamedTuple):
    """What a ridge needs of some rows, with a last column of ones for the bias.

    Attributes:
        xx: ``Xᵀ X``; the last entry is the number of rows, by how much they count.
        xy: ``Xᵀ Y``.
        yy: ``Σ y²`` of every target.
    """

    xx: Array
    xy: Array
    yy: Array

    @property
    def rows(self) -> float:
        """How many there are."""
        return float(self.xx[-1, -1])

    def minus(self, other: _Sums) -> _Sums:
        return _Sums(self.xx - other.xx, self.xy - other.xy, self.yy - other.yy)


def _sums(seen: Array, hidden: Array, y: Array, count: Array, shares: tuple[float, float]) -> _Sums:
    """The sums of rows that count once with their metadata and once without, by shares."""
    width = seen.shape[1] + 1
    xx, xy = np.zeros((width, width)), np.zeros((width, y.shape[1]))
    for columns, share in zip((seen, hidden), shares, strict=True):
        if share > 0.0:
            x = np.hstack([columns, np.ones((len(columns), 1))])
            weighted = x.T * count
            xx += share * (weighted @ x)
            xy += share * (weighted @ y)
    return _Sums(xx, xy, count @ y**2)


def _added(pieces: Sequence[_Sums]) -> _Sums:
    xx, xy, yy = (np.sum(parts, axis=0) for parts in zip(*pieces, strict=True))
    return _Sums(xx, xy, yy)


class _Solver:
    """All penalties from one eigendecomposition.

    Args:
        sums: Of the rows to learn from, at least one.
    """

    def __init__(self, sums: _Sums) -> None:
        self.count = sums.rows
        self.x_mean = sums.xx[:-1, -1] / self.count
        self.y_mean = sums.xy[-1] / self.count
        centred = sums.xx[:-1, :-1] - self.count * np.outer(self.x_mean, self.x_mean)
        values, self.vectors = np.linalg.eigh(centred)
        self.values = np.maximum(values, 0.0)
        crossed = sums.xy[:-1] - self.count * np.outer(self.x_mean, self.y_mean)
        self.rotated = self.vectors.T @ crossed

    def solve(self, penalty: float) -> Array:
        """Weights and, in the last row, bias at a penalty a row."""
        shrunk = self.rotated / (self.values + penalty * self.count)[:, None]
        weights = self.vectors @ shrunk
        return np.vstack([weights, self.y_mean - self.x_mean @ weights])


def _any(sums: _Sums) -> bool:
    """Whether there are rows; their number may have a rounding error."""
    return sums.rows > _LEAST


def _errors(pieces: Sequence[_Sums]) -> Array:
    """Mean squared error on left-out parts, by penalty and target."""
    everything = _added(pieces)
    errors = np.zeros((len(PENALTIES), len(everything.yy)))
    for piece in pieces:
        rest = everything.minus(piece)
        if not (_any(rest) and _any(piece)):
            continue
        solver = _Solver(rest)
        for row, penalty in enumerate(PENALTIES):
            b = solver.solve(penalty)
            explained = (b * (piece.xx @ b)).sum(axis=0)
            errors[row] += piece.yy - 2.0 * (b * piece.xy).sum(axis=0) + explained
    return np.maximum(errors, 0.0) / everything.rows
