"""What a training needs to know of its records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.occurrence.labels.learning import Tally
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.records.taxonomy import Vocabulary
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.occurrence.samples.partition import Partition
from quadrat.occurrence.samples.sample_set import SampleSet, make_samples


@dataclass(frozen=True)
class OccurrenceData:
    """What a training needs to know.

    Args:
        table: All cells, as they were read.
        partition: Which cells are training, validation and test.
        vocabulary: The species that are learnt.
        counts: In how many training samples (cell and week) each was recorded ``(S,)``.
        encoder: The environment's encoding.
        unnamed: Codes of the vocabulary that the taxonomy lacks.
        training: The labels that are learnt, 48 rows a training cell: without what a cap drops,
            with what is propagated.
        label_weights: Weight of each species' positives, float32 ``(S,)``; None: all alike.
        tally: How the training labels differ from the records.
    """

    table: CellTable
    partition: Partition
    vocabulary: Vocabulary
    counts: NDArray[np.int64]
    encoder: EnvironmentEncoder
    unnamed: tuple[str, ...]
    training: LabelMatrix
    label_weights: NDArray[np.float32] | None
    tally: Tally

    def samples(self, cells: NDArray[np.int64]) -> SampleSet:
        """The samples of some cells of the table, as they were recorded."""
        return make_samples(self.table, cells, self.vocabulary, self.encoder)

    def training_samples(self) -> SampleSet:
        """The samples that are learnt: all weeks of the training cells."""
        cells = self.partition.train
        return make_samples(self.table, cells, self.vocabulary, self.encoder, self.training)
