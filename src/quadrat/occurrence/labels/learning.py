"""From the records of training cells to the labels that are learnt.

First the species are chosen, by their records. Then come weights (by records too), propagation,
and the cap, which counts propagated labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.labels.capping import cap_observations
from quadrat.occurrence.labels.frequency import frequency_weights
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.labels.propagation import TrainingCells, propagate
from quadrat.occurrence.labels.similarity import EnvironmentSpace
from quadrat.occurrence.schema import LabelsSection

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """What was left out, added and dropped.

    Args:
        rare: Species with too few records.
        surplus: Species beyond `max_species`.
        propagated: Labels that sparse samples took over.
        enriched: Samples that took over labels.
        capped: Species with more labels than the cap.
        dropped: Labels that the cap took away.
    """

    rare: int = 0
    surplus: int = 0
    propagated: int = 0
    enriched: int = 0
    capped: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class LearntLabels:
    """The labels of training samples.

    Args:
        species: Columns of the records' species that are learnt, ascending ``(S,)``.
        counts: In how many training samples each was recorded ``(S,)``.
        labels: The labels, 48 rows a training cell, over these species.
        weights: Weight of each species' positives, float32 ``(S,)``; None: all alike.
        tally: What was changed.
    """

    species: Counts
    counts: Counts
    labels: LabelMatrix
    weights: NDArray[np.float32] | None
    tally: Tally


def learn_labels(
    records: LabelMatrix,
    place: tuple[Floats, Floats],
    environment: tuple[Sequence[str], Floats],
    section: LabelsSection,
    *,
    first: Counts,
    seed: int,
) -> LearntLabels:
    """Chooses the species and makes the labels of training cells.

    Args:
        records: All weeks of the training cells, 48 rows a cell, over all species.
        place: Latitudes and longitudes of the cells ``(C,)``.
        environment: Names and values ``(C, columns)`` of the cells' environment.
        section: What to do.
        first: Columns of species that `max_species` keeps before others.
        seed: Of the cap's draw.

    Raises:
        DataError: No species is left, or there is nothing to propagate by.
    """
    counts = records.counts()
    species, tally = _choose(counts, section, first)
    lengths = records.lengths()
    labels = records.restricted(species)
    del records  # as large as the labels, and not needed any more
    weights = None
    if section.frequency_weight.on:
        weights = frequency_weights(labels, *place, section.frequency_weight)
    if section.propagate.on:
        space = _space(*environment)
        before = labels
        labels = propagate(before, TrainingCells(*place, space, lengths), section.propagate)
        gained = labels.lengths() - before.lengths()
        tally |= {"propagated": int(gained.sum()), "enriched": int((gained > 0).sum())}
    if section.max_observations:
        labels, lost = cap_observations(labels, section.max_observations, (seed, 4))
        tally |= {"capped": int((lost > 0).sum()), "dropped": int(lost.sum())}
    return LearntLabels(species, counts[species], labels, weights, Tally(**tally))


def _choose(counts: Counts, section: LabelsSection, first: Counts) -> tuple[Counts, dict[str, int]]:
    least = max(1, section.min_observations)
    frequent = np.flatnonzero(counts >= least)
    if len(frequent) == 0:
        raise DataError(
            f"no species has {least} training samples; the most frequent has "
            f"{max(counts, default=0)}.",
            fix="lower labels.min_observations, or give more cells.",
        )
    later = ~np.isin(frequent, first)
    order = np.lexsort((frequent, -counts[frequent], later))
    chosen = np.sort(frequent[order[: section.max_species or None]])
    rare = int(((counts > 0) & (counts < least)).sum())
    return chosen, {"rare": rare, "surplus": len(frequent) - len(chosen)}


def _space(names: Sequence[str], values: Floats) -> EnvironmentSpace:
    if not names:
        raise DataError(
            "labels.propagate compares the environment of cells, and there is none.",
            fix="let data.environment name columns, or set labels.propagate.on = false.",
        )
    return EnvironmentSpace.fitted(names, values)
