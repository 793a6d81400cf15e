"""Covariates as a model takes them: standardised numbers, marks of what is missing, indicators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.occurrence.points.table import Covariates
from quadrat.occurrence.schema.points import PointsSection
from quadrat.runtime.metadata import MetadataEncoder

Inputs = NDArray[np.float32]


@dataclass(frozen=True)
class PointEncoder:
    """The encoding of covariates, fitted on training sites.

    Args:
        columns: Means, standard deviations and vocabularies.
        gaps: Which of the numbers were blank somewhere in training; these get a mark.
    """

    columns: MetadataEncoder
    gaps: tuple[bool, ...]

    @classmethod
    def fitted(cls, covariates: Covariates, section: PointsSection) -> PointEncoder:
        """Fits the encoding on the covariates of training sites."""
        columns = MetadataEncoder.fit(
            covariates.numbers,
            covariates.categories,
            numeric_names=section.covariates,
            categorical_names=section.categorical,
        )
        gaps = np.isnan(covariates.numbers).sum(axis=0) > 0
        return cls(columns, tuple(bool(gap) for gap in gaps))

    def encoded(self, covariates: Covariates) -> Inputs:
        """Inputs ``(N, D)``: numbers, a mark where one is missing, an indicator for each category.

        A missing number is the training mean; a category that training did not have is none of
        the known ones.
        """
        known = self.columns.encode(covariates.numbers, covariates.categories)
        indicators = [
            (known.categories[:, [column]] == np.arange(1, size)).astype(np.float32)
            for column, size in enumerate(self.columns.cardinalities)
        ]
        marks = known.missing[:, np.array(self.gaps, dtype=bool)]
        return np.concatenate([known.numeric, marks, *indicators], axis=1)

    @property
    def numbers(self) -> int:
        """How many of the inputs, the first ones, are standardised numbers."""
        return len(self.gaps)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**self.columns.to_json(), "gaps": list(self.gaps)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PointEncoder:
        """The inverse of `to_dict`."""
        return cls(MetadataEncoder.from_json(values), tuple(bool(gap) for gap in values["gaps"]))
