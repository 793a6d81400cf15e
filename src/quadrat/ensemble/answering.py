"""What an ensemble would have said of samples that none of its members had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quadrat.ensemble.combination import (
    Combination,
    common_balance,
    covariance,
    fold_covariances,
)
from quadrat.ensemble.held_out import OutOfFold
from quadrat.ensemble.members import Member
from quadrat.ensemble.pooling import Said
from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.ensemble.weighting import fit_weights, nested_weights
from quadrat.errors import DataError
from quadrat.photos.judging import HeldOut
from quadrat.runtime.balance import Balance

Array = NDArray[np.float64]


class Answering:
    """Combines the out-of-fold predictions of members.

    Args:
        experiment: How.
        members: The members.
        rows: Their predictions.

    Raises:
        DataError: The members obey different identities, or weights cannot be fitted.
    """

    def __init__(
        self, experiment: EnsembleExperiment, members: Sequence[Member], rows: OutOfFold
    ) -> None:
        self.rows = rows
        balance = common_balance(members)
        self.metrics = _by_fold(members, balance, rows)
        metric = covariance(members, balance)
        equal = rows.allowed.astype(np.float64)
        method = experiment.combine.method
        self.plain = Combination("mean", equal, balance, metric)
        self.combination = replace(self.plain, method=method)
        self.nested: dict[int, Array] | None = None
        if experiment.fitted:
            self.nested = _nested(rows)
            fitted = fit_weights(_means(rows), rows.truth, rows.allowed)
            self.combination = replace(self.combination, weights=fitted)
        elif method == "weighted":
            weights = _given(members, rows.targets) * equal
            self.combination = replace(self.combination, weights=weights)

    def held_out(self) -> list[HeldOut]:
        """The ensemble's answers, fold by fold; fitted weights are those of the other folds."""
        return self._answers(self.combination, self.nested)

    def plain_mean(self) -> list[HeldOut]:
        """The answers of the unweighted mean."""
        return self._answers(self.plain, None)

    def _answers(
        self, combination: Combination, weights: Mapping[int, Array] | None
    ) -> list[HeldOut]:
        rows, found = self.rows, []
        for place, fold in enumerate(rows.prepared.folds):
            mine = rows.folds == fold.index
            one = replace(combination, metric=self.metrics[place])
            if weights is not None:
                one = replace(one, weights=weights[fold.index])
            ids = tuple(rows.prepared.samples.ids[row] for row in fold.held_out)
            told = one.answer(ids, [Said(*(part[mine] for part in said)) for said in rows.said])
            alone = one.answer(ids, [_point(values[mine]) for values in rows.photo_alone])
            found.append(
                HeldOut(
                    ids=ids,
                    truth=rows.truth[mine],
                    raw=told.raw,
                    balanced=told.balanced,
                    sigma=told.sigma,
                    lower=told.lower,
                    upper=told.upper,
                    photo_alone=alone.balanced,
                    one_look=np.full_like(told.raw, np.nan),
                )
            )
        return found


def _point(mean: Array) -> Said:
    nothing = np.full_like(mean, np.nan)
    return Said(mean, nothing, nothing, nothing)


def _means(rows: OutOfFold) -> Array:
    return np.stack([said.mean for said in rows.said])


def _nested(rows: OutOfFold) -> dict[int, Array]:
    if len(rows.prepared.folds) < 2:
        raise DataError(
            "weights cannot be fitted to a single held-out part and be judged on it.",
            fix="use combine.method = 'mean', give every member a weight, or train the members "
            "with more folds.",
        )
    return nested_weights(_means(rows), rows.truth, rows.allowed, rows.folds, rows.groups)


def _given(members: Sequence[Member], targets: Sequence[str]) -> Array:
    given = [[member.section.weight_of(name) or 0.0 for name in targets] for member in members]
    return np.array(given)


def _by_fold(members: Sequence[Member], balance: Balance, rows: OutOfFold) -> list[Array | None]:
    """The covariance of the errors by fold ``(T, T)``, where the balance asks for it."""
    found = fold_covariances(members, balance, [fold.index for fold in rows.prepared.folds])
    if not rows.same_folds and any(one is not None for one in found):
        raise DataError(
            "balance_method.kind = 'project-covariance' needs members with the same folds.",
            fix="train them with the same split.seed and split.folds, or with 'project'.",
        )
    return found
