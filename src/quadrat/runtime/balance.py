"""Mass balance: targets of which some are sums of others, and the projection that makes them so.

Reconciliation of hierarchical forecasts by least squares is from Wickramasuriya, Athanasopoulos &
Hyndman (2019), "Optimal forecast reconciliation for hierarchical and grouped time series through
trace minimization", JASA 114, 804-819; with non-negativity from Wickramasuriya, Turlach & Hyndman
(2020), "Optimal non-negative forecast reconciliation", Statistics and Computing 30, 1167-1182.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadrat.errors import DataError, ExperimentError
from quadrat.runtime import _identities, _nnls
from quadrat.runtime._identities import Identity as Identity

Array = NDArray[np.float64]

_HOLDS = 1e-12
_MIN_EIGENVALUE = 1e-7


class Violations(NamedTuple):
    """Rows in which an identity does not hold.

    Attributes:
        rows: Row numbers, ``(V,)``.
        amounts: Total minus parts of every identity in these rows, ``(V, C)``; NaN where a member
            of the identity is NaN.
    """

    rows: NDArray[np.int64]
    amounts: Array


@dataclass(frozen=True)
class Balance:
    """The identities that hold between targets.

    Totals may be parts of other totals; each is expanded into the targets that are no total.

    Args:
        targets: Names of all targets, in column order.
        identities: The sums; none is a legal balance that changes nothing.

    Raises:
        ExperimentError: A name is no target, a total is defined twice or through itself, a part
            counts twice in a total, or two totals share a part though neither contains the other.
    """

    targets: tuple[str, ...]
    identities: tuple[Identity, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))
        object.__setattr__(self, "identities", tuple(self.identities))
        problems = _identities.problems(self.targets, self.identities)
        if problems:
            raise ExperimentError([f"balance: {problem}" for problem in problems])

    @cached_property
    def free(self) -> tuple[str, ...]:
        """The targets that are no total, in column order; all others follow from them."""
        totals = {identity.total for identity in self.identities}
        return tuple(target for target in self.targets if target not in totals)

    @cached_property
    def matrix(self) -> Array:
        """C, ``(C, T)``: an identity a row, 1 for the total and -1 for its parts; ``C x = 0``."""
        rows = np.zeros((len(self.identities), len(self.targets)))
        for row, identity in zip(rows, self.identities, strict=True):
            row[self.targets.index(identity.total)] = 1.0
            row[[self.targets.index(part) for part in identity.parts]] = -1.0
        return rows

    @cached_property
    def summing(self) -> Array:
        """S, ``(T, F)``: every target as a sum of the free ones, ``x = S b``."""
        contents = _identities.expand(self.identities)
        return np.array(
            [
                [float(name in contents.get(target, {target})) for name in self.free]
                for target in self.targets
            ]
        ).reshape(len(self.targets), len(self.free))

    @cached_property
    def taking_part(self) -> NDArray[np.bool_]:
        """Which targets are in an identity, ``(T,)``."""
        return np.asarray((self.matrix != 0.0).any(axis=0))

    def project(self, values: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """The closest values that obey every identity and are not negative.

        Minimises ``(y - x)ᵀ Σ⁻¹ (y - x)`` over all x for which the identities hold and the targets
        that take part in one are ≥ 0. Targets in no identity come back unchanged; of a covariance
        only the block of the targets that take part matters. A row that obeys already keeps its
        free targets to the bit.

        Args:
            values: y, ``(N, T)``. A row in which all targets that take part are NaN stays so.
            weights: Σ⁻¹ as a diagonal, ``(T,)``: the larger, the less a target moves; or the error
                covariance Σ, ``(T, T)``; or None for equal weights.

        Returns:
            x, ``(N, T)`` float64.

        Raises:
            DataError: A value is infinite, a row is NaN in part, or the weights are not positive
                (definite).
        """
        values = self._table(values)
        if not self.identities:
            return values
        rows = self._rows_to_project(values)
        member = self.taking_part
        leaves = np.array([member[self.targets.index(name)] for name in self.free])
        summing = self.summing[np.ix_(member, leaves)]
        given = values[np.ix_(rows, member)]
        parts = given[:, np.isin(np.flatnonzero(member), self._columns(self.free))]
        amounts = np.abs(values[rows] @ self.matrix.T).max(axis=1)
        scale = np.abs(given).max(axis=1, initial=0.0)
        moved = (amounts > _HOLDS * scale) | (given < 0.0).any(axis=1)
        parts[moved] = _closest_parts(given[moved], self._whitening(weights), summing)
        values[np.ix_(rows, member)] = parts @ summing.T + 0.0  # + 0.0 makes -0.0 plain zero
        return values

    def violations(self, values: ArrayLike, tolerance: float = 1e-6) -> Violations:
        """The rows in which an identity is off by more than a tolerance.

        Args:
            values: ``(N, T)``. An identity with a NaN among its members is not judged.
            tolerance: In the unit of the targets.
        """
        values = self._table(values)
        known = ~np.isnan(values)
        amounts = np.where(known, values, 0.0) @ self.matrix.T
        amounts[(~known).astype(float) @ np.abs(self.matrix).T > 0.0] = np.nan
        rows = np.flatnonzero((np.abs(amounts) > tolerance).any(axis=1))
        return Violations(rows, amounts[rows])

    def to_json(self) -> dict[str, Any]:
        """The balance as an object that JSON can hold."""
        return {
            "targets": list(self.targets),
            "identities": [{"total": i.total, "parts": list(i.parts)} for i in self.identities],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Balance:
        """The balance that ``to_json`` wrote."""
        identities = (Identity(i["total"], tuple(i["parts"])) for i in data["identities"])
        return cls(tuple(data["targets"]), tuple(identities))

    def _columns(self, names: Sequence[str]) -> list[int]:
        return [self.targets.index(name) for name in names]

    def _table(self, values: ArrayLike) -> Array:
        table = np.array(values, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.targets):
            raise ValueError(f"values must be (N, {len(self.targets)}), not {table.shape}")
        return table

    def _rows_to_project(self, values: Array) -> NDArray[np.int64]:
        given = values[:, self.taking_part]
        missing = np.isnan(given)
        partly = missing.any(axis=1) & ~missing.all(axis=1)
        bad = np.flatnonzero(partly | np.isinf(given).any(axis=1))
        if bad.size:
            raise DataError(
                "targets that must add up cannot be projected: values are missing or infinite",
                problems=[f"row {row}: {self._not_finite(values[row])}" for row in bad.tolist()],
                fix="leave out these rows, or give every target of a row a value.",
            )
        return np.flatnonzero(~missing.all(axis=1))

    def _not_finite(self, row: Array) -> str:
        bad = self.taking_part & ~np.isfinite(row)
        return ", ".join(f"{self.targets[i]} = {row[i]}" for i in np.flatnonzero(bad).tolist())

    def _whitening(self, weights: ArrayLike | None) -> Array:
        """W with ``Wᵀ W = Σ⁻¹`` (up to a factor) for the targets that take part, ``(M, M)``."""
        member, count = self.taking_part, len(self.targets)
        given = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
        if given.shape not in {(count,), (count, count)}:
            raise ValueError(f"weights must be ({count},) or ({count}, {count}), not {given.shape}")
        if given.ndim == 1:
            return np.diag(np.sqrt(_positive(given[member])))
        block = given[np.ix_(member, member)]
        sd = np.sqrt(_positive(np.diagonal(block)))
        correlation = block / np.outer(sd, sd) / np.diagonal(block).max()
        symmetric = np.allclose(correlation, correlation.T, rtol=0.0, atol=1e-8)
        if not symmetric or np.linalg.eigvalsh(correlation)[0] < _MIN_EIGENVALUE:
            raise DataError(
                "the error covariance of the balanced targets is not positive definite",
                fix="shrink it towards its diagonal, or give one weight a target.",
            )
        whitening: Array = np.linalg.inv(np.linalg.cholesky(correlation)) / sd
        return whitening


def _positive(values: Array) -> Array:
    """The values over their largest, all of which must be positive."""
    if not (np.isfinite(values).all() and (values > 0.0).all()):
        raise DataError(
            f"weights and variances of balanced targets must be positive numbers, not {values}"
        )
    scaled: Array = values / values.max()
    return scaled


def _closest_parts(given: Array, root: Array, summing: Array) -> Array:
    """The parts b ≥ 0 for which ``‖W (y - S b)‖`` is least, ``(N, L)``."""
    design = root @ summing
    norms: Array = np.linalg.norm(design, axis=0)
    design = design / norms
    parts: Array = _nnls.solve(design.T @ design, given @ root.T @ design) / norms
    return parts
