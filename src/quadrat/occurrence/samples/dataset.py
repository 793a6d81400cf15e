"""From a combined parquet to training, validation and test samples over one vocabulary.

Everything that is fitted here (vocabulary, scaling of the environment, weights, propagation) is
fitted on training cells.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from quadrat.caches import ArrayCache, cache_folder
from quadrat.occurrence.labels.frequency import frequency_weights
from quadrat.occurrence.labels.learning import learn_labels
from quadrat.occurrence.records.reading import known_species, read_records
from quadrat.occurrence.records.taxonomy import make_vocabulary, read_watchlist
from quadrat.occurrence.samples.environment import EnvironmentEncoder
from quadrat.occurrence.samples.partition import make_partition
from quadrat.occurrence.samples.prepared import OccurrenceData
from quadrat.occurrence.samples.sample_set import SampleSet, left_out, make_samples, sample_rows
from quadrat.occurrence.samples.stored import cache_key, from_arrays, to_arrays
from quadrat.occurrence.schema import OccurrenceExperiment
from quadrat.occurrence.schema.labels import FrequencyWeightSection

__all__ = [
    "OccurrenceData",
    "SampleSet",
    "left_out",
    "make_samples",
    "prepare",
    "sample_rows",
    "weighed",
]


_WORTH_KEEPING_SECONDS = 2.0


def prepare(experiment: OccurrenceExperiment) -> OccurrenceData:
    """Reads and divides the records of an experiment, and fits what is fitted on training cells.

    What takes long is kept for the next experiment with the same records, if `data.cache` is on.

    Raises:
        DataError: The records cannot be used as they are.
    """
    if not experiment.data.cache:
        return _prepared(experiment)
    cache = ArrayCache(cache_folder() / "records", off="data.cache = false")
    key = cache_key(experiment)
    if (found := cache.read(key)) is not None:
        return from_arrays(*found, experiment.data.cells)
    began = time.perf_counter()
    data = _prepared(experiment)
    if time.perf_counter() - began >= _WORTH_KEEPING_SECONDS:
        cache.write(key, *to_arrays(data))
    return data


def _prepared(experiment: OccurrenceExperiment) -> OccurrenceData:
    data, split = experiment.data, experiment.split
    table = read_records(data, environment=data.environment)
    partition = make_partition(table, split, data)
    train = partition.train
    watched = np.isin(np.array(table.codes), read_watchlist(data.watchlist))
    learnt = learn_labels(
        table.labels.rows(sample_rows(train)),
        (table.lat[train], table.lon[train]),
        (table.environment_names, table.environment[train]),
        experiment.labels,
        first=np.flatnonzero(watched),
        seed=split.seed,
    )
    codes = [table.codes[column] for column in learnt.species]
    vocabulary, unnamed = make_vocabulary(codes, known_species(data))
    return OccurrenceData(
        table=table,
        partition=partition,
        vocabulary=vocabulary,
        counts=learnt.counts,
        encoder=EnvironmentEncoder.fitted(table.environment_names, table.environment[train]),
        unnamed=unnamed,
        training=learnt.labels,
        label_weights=learnt.weights,
        tally=learnt.tally,
    )


def weighed(data: OccurrenceData, section: FrequencyWeightSection) -> OccurrenceData:
    """The same data with other label weights, which are quick to find, unlike the rest.

    Args:
        data: What `prepare` made.
        section: How to weigh.
    """
    if not section.on:
        return replace(data, label_weights=None)
    table, cells = data.table, data.partition.train
    columns = dict(zip(table.codes, range(len(table.codes)), strict=True))
    learnt = [columns[code] for code in data.vocabulary.codes]
    records = table.labels.rows(sample_rows(cells)).restricted(learnt)
    weights = frequency_weights(records, table.lat[cells], table.lon[cells], section)
    return replace(data, label_weights=weights)
