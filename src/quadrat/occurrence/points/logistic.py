"""Logistic regression with quadratic terms, one a species: the simple model to beat.

Numbers enter with their squares, so that a species can have an optimum along each; categories
enter as indicators. A ridge penalty keeps species with few records finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from quadrat.occurrence.points.encoding import Inputs
from quadrat.occurrence.points.sites import Labels

_STEPS = 1000
_FARTHEST = 5.0
"""Standard deviations beyond which a number is taken as this far: squares run away otherwise."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Logistic:
    """The regressions of all species.

    Args:
        weights: Weights of the terms ``(S, D + numbers)``.
        bias: ``(S,)``.
        numbers: The first so many inputs have squares.
    """

    weights: Array
    bias: Array
    numbers: NDArray[np.int64]

    def answers(self, inputs: Inputs) -> NDArray[np.float32]:
        """Probabilities ``(N, S)``; one half for a species without a regression."""
        logits = _terms(inputs, int(self.numbers[0])) @ self.weights.T + self.bias
        return (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Logistic:
        """The inverse of `arrays`."""
        return cls(**arrays)  # type: ignore[arg-type]


def regress(inputs: Inputs, labels: Labels, *, numbers: int, balanced: bool) -> Logistic:
    """Fits a regression for every species, on the sites where its label is known.

    Args:
        inputs: Encoded covariates ``(N, D)``.
        labels: 1, 0, or NaN where unknown ``(N, S)``.
        numbers: The first so many inputs are standardised numbers.
        balanced: Presences together weigh as much as absences.
    """
    terms = _terms(inputs, numbers)
    weights = np.zeros((labels.shape[1], terms.shape[1]))
    bias = np.zeros(labels.shape[1])
    for column in range(labels.shape[1]):
        known = ~np.isnan(labels[:, column])
        truth = labels[known, column] > 0
        if truth.all() or not truth.any():
            continue
        model = LogisticRegression(
            class_weight="balanced" if balanced else None, max_iter=_STEPS
        ).fit(terms[known], truth)
        weights[column], bias[column] = model.coef_[0], model.intercept_[0]
    return Logistic(weights, bias, np.array([numbers], dtype=np.int64))


def _terms(inputs: Inputs, numbers: int) -> Array:
    terms = np.clip(inputs.astype(np.float64), -_FARTHEST, _FARTHEST)
    return np.hstack([terms, np.square(terms[:, :numbers])])
