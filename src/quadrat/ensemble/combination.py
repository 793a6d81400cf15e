"""How the answers of photos members become one, and what is written down of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.ensemble.members import Member
from quadrat.ensemble.pooling import Said, pool
from quadrat.ensemble.reading import photos_experiment
from quadrat.ensemble.schema import Method
from quadrat.errors import DataError
from quadrat.photos.learner import balance_of
from quadrat.photos.predictions import LEVEL, Predictions
from quadrat.photos.unlike import mean_distance
from quadrat.runs import read_json
from quadrat.runtime.balance import Balance

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Combination:
    """Pools what members say, and balances it once.

    Attributes:
        method: How the means become one.
        weights: Of every member for every target ``(M, T)``.
        balance: The identities of all members.
        metric: Covariance of the errors ``(T, T)``, where the balance asks for it.
    """

    method: Method
    weights: Array
    balance: Balance
    metric: Array | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets ``(T,)``."""
        return self.balance.targets

    def answer(
        self, ids: Sequence[str], said: Sequence[Said], distances: Sequence[Array | None] = ()
    ) -> Predictions:
        """The answer for samples.

        Args:
            ids: Names of the samples ``(N,)``.
            said: What the members say before balance, one a member ``(N, T)``.
            distances: How far the samples are from the members' training data, each ``(N,)``; their
                mean is told, since each is in units of its member's own limit.
        """
        pooled = pool(said, self.weights, self.method, level=LEVEL)
        return Predictions(
            ids=tuple(ids),
            targets=self.targets,
            raw=pooled.mean,
            balanced=self.balance.project(pooled.mean, self.metric),
            sigma=pooled.sigma,
            lower=pooled.lower,
            upper=pooled.upper,
            distance=mean_distance(distances),
        )

    def to_json(self) -> dict[str, Any]:
        """The combination as an object that JSON can hold."""
        columns = zip(self.targets, self.weights.T.tolist(), strict=True)
        return {
            "method": self.method,
            "weights": dict(columns),
            "balance": self.balance.to_json(),
            "covariance": None if self.metric is None else self.metric.tolist(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Combination:
        """The combination that `to_json` wrote."""
        balance = Balance.from_json(values["balance"])
        weights = np.array([values["weights"][name] for name in balance.targets]).T
        metric = values["covariance"]
        return cls(values["method"], weights, balance, None if metric is None else np.array(metric))


def common_balance(members: Sequence[Member]) -> Balance:
    """The identities that all members obey, which their pooled answer shall obey too.

    A member that lacks a target of an identity cannot have it.

    Raises:
        DataError: Members have other identities than the first, or another method.
    """
    first = photos_experiment(members[0])
    balance = balance_of(first)
    wanted = {(i.total, frozenset(i.parts)) for i in balance.identities}
    problems = []
    for member in members[1:]:
        own = photos_experiment(member)
        known = set(own.data.targets)
        due = {(total, parts) for total, parts in wanted if {total, *parts} <= known}
        found = {(i.total, frozenset(i.parts)) for i in balance_of(own).identities}
        kinds = own.balance_method.kind, first.balance_method.kind
        if found != due or (due and kinds[0] != kinds[1]):
            problems.append(f"{member.name}: {_told(found)} ({kinds[0]})")
    if problems:
        raise DataError(
            f"the members obey other identities than {members[0].name}, which has {_told(wanted)} "
            f"({first.balance_method.kind}); a pooled answer could not obey both.",
            problems,
            fix="train them with the same [[balance]] and [balance_method].",
        )
    return balance


def covariance(members: Sequence[Member], balance: Balance) -> Array | None:
    """The mean covariance of the errors of all members ``(T, T)``, for new samples.

    None where the balance does not ask for it. Members that lack a target have no say.
    """
    found = [
        _mean_covariance(read_json(member.run.path("preprocessing.json"))["members"])
        for member in _complete(members, balance)
    ]
    return _mean(found)


def fold_covariances(
    members: Sequence[Member], balance: Balance, folds: Sequence[int]
) -> list[Array | None]:
    """The same for held-out samples, by fold.

    Those of a fold's own networks alone: others have learnt from its held-out samples.
    """
    return [
        _mean(
            [
                _mean_covariance(read_json(member.run.path(f"folds/{fold}/fold.json"))["members"])
                for member in _complete(members, balance)
            ]
        )
        for fold in folds
    ]


def _complete(members: Sequence[Member], balance: Balance) -> list[Member]:
    targets = balance.targets
    return [one for one in members if tuple(photos_experiment(one).data.targets) == targets]


def _mean_covariance(networks: Sequence[Mapping[str, Any]]) -> Array | None:
    told = [one["covariance"] for one in networks]
    return _mean([None if one is None else np.array(one, dtype=np.float64) for one in told])


def _mean(covariances: Sequence[Array | None]) -> Array | None:
    known = [one for one in covariances if one is not None]
    return np.asarray(np.mean(known, axis=0)) if known else None


def _told(identities: set[tuple[str, frozenset[str]]]) -> str:
    lines = sorted(f"{total} = {' + '.join(sorted(parts))}" for total, parts in identities)
    return "; ".join(lines) or "none"
