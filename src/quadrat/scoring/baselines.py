"""What a score must be compared with: knowing nothing but the mean, and knowing no photo.

A baseline learns from all rows that are not held out (early-stopping rows too, which it does not
need for anything else), so it is given its best chance.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError
from quadrat.targets import TRANSFORMS

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

ALPHAS = np.logspace(-3, 4, 22)
"""The penalties that the ridge chooses from by leave-one-out error."""
MISSING = "\x00missing"


def mean_baseline(targets: ArrayLike, parts: Iterable[tuple[Rows, Rows]]) -> Array:
    """The training mean of every target: no skill.

    Args:
        targets: ``(N, T)``, NaN where unknown.
        parts: For every fold the rows to learn from and the rows to predict (``Folds.parts()``).

    Returns:
        Predictions of the predicted rows, fold after fold (``Folds.rows()``), ``(M, T)``.

    Raises:
        DataError: A target is nowhere known in a training part.
    """
    y = np.asarray(targets, dtype=np.float64)
    predicted = []
    for fitted, held_out in parts:
        _check_known(y[fitted])
        predicted.append(np.tile(np.nanmean(y[fitted], axis=0), (len(held_out), 1)))
    return np.concatenate(predicted)


def metadata_baseline(
    targets: ArrayLike,
    numeric: ArrayLike | None,
    categorical: ArrayLike | None,
    parts: Iterable[tuple[Rows, Rows]],
    *,
    transform: str = "none",
) -> Array:
    """A ridge regression on the metadata alone.

    Within every fold: numbers, and beside them the logarithms log(1 + x) of those that are never
    negative, are standardised by the training rows, missing ones become the training mean with a
    flag beside it; categories become one column each, a missing one has its own, and one that
    training never shows is all zeros. The penalty is chosen by leave-one-out error (scikit-learn's
    RidgeCV), for each target apart. Predictions are cut to the range of the training values.

    Args:
        targets: ``(N, T)``, NaN where unknown.
        numeric: Metadata numbers ``(N, K)``, NaN where missing, or None.
        categorical: Metadata categories ``(N, C)``, None, NaN or empty where missing, or None.
        parts: For every fold the rows to learn from and the rows to predict.
        transform: Scale on which targets are learnt.

    Returns:
        Predictions of the predicted rows, fold after fold, ``(M, T)``.

    Raises:
        DataError: A target is nowhere known in a training part.
    """
    y = np.asarray(targets, dtype=np.float64)
    numbers = _columns(numeric, len(y)).astype(np.float64)
    labels = _categories(_columns(categorical, len(y)))
    scale = TRANSFORMS[transform]
    predicted = []
    for fitted, held_out in parts:
        _check_known(y[fitted])
        features = np.hstack([_numbers(numbers, fitted), _one_hot(labels, fitted)])
        values = [
            scale.inverse(_ridge(features, scale.forward(column), fitted, held_out))
            for column in y.T
        ]
        low, high = np.nanmin(y[fitted], axis=0), np.nanmax(y[fitted], axis=0)
        predicted.append(np.clip(np.stack(values, axis=1), low, high))
    return np.concatenate(predicted)


def _ridge(features: Array, column: Array, fitted: Rows, held_out: Rows) -> Array:
    from sklearn.linear_model import RidgeCV  # a second to import, so only where it is used

    known = fitted[~np.isnan(column[fitted])]
    if len(known) < 2 or not features.shape[1]:
        return np.full(len(held_out), column[known].mean())
    model = RidgeCV(alphas=ALPHAS).fit(features[known], column[known])
    return np.asarray(model.predict(features[held_out]), dtype=np.float64)


def _check_known(y: Array) -> None:
    absent = np.flatnonzero(np.isnan(y).all(axis=0))
    if absent.size:
        raise DataError(
            "a baseline cannot be computed: a training part has no value of a target",
            problems=[f"target {column}" for column in absent.tolist()],
            fix="use fewer folds, other groups, or leave the target out.",
        )


def _columns(values: ArrayLike | None, count: int) -> NDArray[np.generic]:
    if values is None:
        return np.zeros((count, 0))
    table = np.asarray(values)
    if table.shape[:1] != (count,) or table.ndim != 2:
        raise ValueError(f"metadata must be ({count}, K), not {table.shape}")
    return table


def _numbers(numbers: Array, fitted: Rows) -> Array:
    logarithms = np.log1p(np.maximum(numbers, 0.0))
    numbers = np.hstack([numbers, logarithms[:, ~(numbers[fitted] < 0.0).any(axis=0)]])
    missing = np.isnan(numbers)
    training = np.where(missing, 0.0, numbers)[fitted]
    count = np.maximum((~missing[fitted]).sum(axis=0), 1)
    mean = training.sum(axis=0) / count
    sd = np.sqrt((np.where(missing, 0.0, numbers - mean)[fitted] ** 2).sum(axis=0) / count)
    scaled = np.where(missing, 0.0, (numbers - mean) / np.where(sd > 0.0, sd, 1.0))
    return np.hstack([scaled, missing[:, missing[fitted].any(axis=0)]])


def _categories(table: NDArray[np.generic]) -> NDArray[np.str_]:
    texts = np.array(
        [
            [MISSING if v is None or v != v or v == "" else str(v) for v in row]
            for row in table.tolist()
        ],
        dtype=np.str_,
    )
    return texts.reshape(table.shape)


def _one_hot(labels: NDArray[np.str_], fitted: Rows) -> Array:
    columns = [
        labels[:, [column]] == np.unique(labels[fitted, column])
        for column in range(labels.shape[1])
    ]
    return np.hstack([np.zeros((len(labels), 0)), *columns])
