"""An ensemble of species networks that answers for places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quadrat.ensemble.members import Member
from quadrat.ensemble.schema import EnsembleExperiment, Method
from quadrat.ensemble.species.pooling import JointSurroundings, PooledMember, SpeciesPool
from quadrat.occurrence.answering import SpeciesPredictor
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.runtime.calibration import Calibration


class Pooled(NamedTuple):
    """Members put together.

    Attributes:
        pool: What answers.
        vocabulary: Its species, in the order of the first member's.
        surroundings: What it knows of the environment of places.
        observed: Where the members have records, if that is known.
    """

    pool: SpeciesPool
    vocabulary: Vocabulary
    surroundings: JointSurroundings
    observed: ObservedCells | None


def put_together(
    method: Method,
    weights: NDArray[np.float64],
    predictors: Sequence[OccurrencePredictor],
    curves: Sequence[Sequence[Calibration]] = (),
) -> Pooled:
    """Makes one model of several.

    Args:
        method: How.
        weights: Of each of them ``(M,)``.
        predictors: The models, which know the same species.
        curves: Curves of the folds of each member, besides those for everybody.
    """
    first = predictors[0]
    codes, parts = first.vocabulary.codes, []
    for place, one in enumerate(predictors):
        own = one.vocabulary.columns(codes)
        plain = one.calibration or Calibration.identity(len(one.vocabulary))
        known = one.known.encoder if one.known is not None else None
        reads = 0 if known is None else sum(column.width for column in known.columns)
        folds = curves[place] if curves else ()
        order = np.array([own[code] for code in codes], dtype=np.int64)
        parts.append(PooledMember(one.network, [plain, *folds], order, reads))
    pool = SpeciesPool(parts, weights, method)
    surroundings = JointSurroundings(tuple(one.known for one in predictors))
    return Pooled(pool, first.vocabulary, surroundings, first.observed)


class SpeciesEnsemble(SpeciesPredictor):
    """Members that answer together: the mean of their probabilities, calibrated once more.

    Args:
        combined: The ensemble's experiment.
        members: The members.
        weights: The weight of each.
        pooled: What they are together.
        calibration: Curves and thresholds of what they say together.
        device: Where it computes.
    """

    def __init__(
        self,
        combined: EnsembleExperiment,
        members: Sequence[Member],
        weights: NDArray[np.float64],
        pooled: Pooled,
        calibration: Calibration | None,
        *,
        device: str = "auto",
    ) -> None:
        super().__init__(
            pooled.pool,
            pooled.vocabulary,
            pooled.surroundings,
            calibration=calibration,
            observed=pooled.observed,
            device=device,
        )
        self.combined, self.members, self.weights = combined, tuple(members), weights

    def save(self, folder: Path | str) -> None:
        """Writes everything that `load_run` needs into a folder, members and all."""
        from quadrat.ensemble.saving import copy_members
        from quadrat.ensemble.species.saving import describe_species
        from quadrat.runs import Run

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        Run(folder).write_experiment(self.combined)
        copies = copy_members(folder, self.combined, self.members)
        describe_species(folder, self.combined, copies, self.weights, self.calibration)
