"""What the records of an experiment are like: facts, cautions, and how far apart its parts lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from quadrat.experiment import CheckReport
from quadrat.geo import chord_km, spacing_km, unit_vectors
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.records.reading import synonym_use
from quadrat.occurrence.records.synonyms import SynonymUse
from quadrat.occurrence.records.taxonomy import read_watchlist
from quadrat.occurrence.samples.dataset import OccurrenceData, sample_rows
from quadrat.occurrence.samples.partition import Partition
from quadrat.occurrence.schema import WATCHLIST, OccurrenceExperiment, SplitSection
from quadrat.occurrence.transfer.starting import Start
from quadrat.occurrence.unheard import some, unheard

_FEW_BLOCKS = 20
_NEIGHBOUR = 1.5
"""Cells are neighbours within so many times the usual distance to the nearest cell."""

_MANY_BESIDE = 0.9
"""A share of judged cells beside training cells that hardly differs from cells at random."""


def findings(
    experiment: OccurrenceExperiment, data: OccurrenceData, start: Start | None
) -> CheckReport:
    """What a user should know of the records, before or after training.

    Args:
        experiment: The experiment.
        data: What `prepare` made of it.
        start: The run that training starts from, if there is one.
    """
    leaks = _distances(data)
    synonyms = synonym_use(experiment.data, data.table)
    idle = unheard(experiment, data, synonyms, start)
    return CheckReport(
        warnings=_warnings(experiment, data, leaks) + idle,
        facts=_facts(experiment, data),
        tables={
            "parts": _parts(data),
            "distance to training cells": [one.row() for one in leaks],
            "left out and added": _changes(experiment, data, synonyms),
        },
    )


def missing_watched(
    table: CellTable, partition: Partition, watchlist: Sequence[str] | Path
) -> dict[str, list[str]]:
    """Watch-list species without a single record in a part, by part; regions held out may lack any.

    Of the default watch list, only species that the table has at all are looked at.
    """
    watched = read_watchlist(watchlist)
    column = {code: place for place, code in enumerate(table.codes)}
    if watched == WATCHLIST:
        watched = tuple(code for code in watched if code in column)
    labels = table.labels.restricted([column.get(code, -1) for code in watched])
    found = {}
    for part, cells in partition.parts().items():
        counts = labels.rows(sample_rows(cells)).counts()
        found[part] = [code for code, count in zip(watched, counts, strict=True) if not count]
    return {part: codes for part, codes in found.items() if codes and part != "holdout"}


def _facts(experiment: OccurrenceExperiment, data: OccurrenceData) -> dict[str, str]:
    table, parts = data.table, data.partition
    lengths = table.labels.lengths()
    some = lengths[lengths > 0]
    resolution = table.resolution()
    years = "" if table.years is None else f" and years ({len(np.unique(table.years))})"
    return {
        "cells": f"{len(table):,}" + (f" of H3 resolution {resolution}" if resolution else ""),
        "samples": f"{len(lengths):,} (cell and week{years}), "
        f"{len(some) / len(lengths):.0%} with species",
        "records": f"{table.labels.positives:,}, {some.mean():.1f} in a sample with species",
        "species": f"{len(data.vocabulary):,} are learnt; {data.tally.rare:,} have fewer than "
        f"{experiment.labels.min_observations} training samples",
        "environment": ", ".join(table.environment_names) or "none",
        "split": parts.protocol(experiment.split, intervals=experiment.score.bootstrap > 0)[
            "words"
        ],
    }


def _parts(data: OccurrenceData) -> list[dict[str, Any]]:
    lengths = data.table.labels.lengths().reshape(len(data.table), -1)
    return [
        {
            "part": name,
            "cells": len(cells),
            "cells with species": int((lengths[cells].sum(axis=1) > 0).sum()),
            "species a sample": round(float(lengths[cells].mean()), 2),
        }
        for name, cells in data.partition.parts().items()
    ]


@dataclass(frozen=True)
class _Distance:
    """How near the cells of a part lie to training cells.

    Args:
        part: Its name.
        cells: Its number of cells.
        beside: The share that lies beside a training cell.
        km: The median distance to the nearest training cell.
    """

    part: str
    cells: int
    beside: float
    km: float

    def row(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "cells": self.cells,
            "beside a training cell": f"{self.beside:.0%}",
            "median km to the nearest": round(self.km),
        }


def _distances(data: OccurrenceData) -> list[_Distance]:
    """How near the other parts lie to training cells."""
    table, train = data.table, data.partition.train
    places = unit_vectors(table.lat, table.lon)
    limit = _NEIGHBOUR * spacing_km(table.lat, table.lon)
    tree = cKDTree(places[train])
    rows = []
    for name, cells in data.partition.parts().items():
        if name == "train":
            continue
        km = chord_km(tree.query(places[cells])[0])
        beside = float((km <= limit).mean())
        rows.append(_Distance(name, len(cells), beside, float(np.median(km))))
    return rows


def _changes(
    experiment: OccurrenceExperiment, data: OccurrenceData, synonyms: SynonymUse | None
) -> list[dict[str, Any]]:
    """What each key left out or added."""
    tally, section = data.tally, experiment.labels
    used = sum(len(cells) for cells in data.partition.parts().values())
    absent = len(data.table.codes) - len(data.vocabulary) - tally.rare - tally.surplus
    weights = data.label_weights
    rows = 0 if synonyms is None else synonyms.rows
    lines = [
        (
            "data.synonyms",
            rows - (0 if synonyms is None else len(synonyms.idle)),
            f"of {rows:,} rows are about species of the table",
        ),
        ("data.sample_fraction, data.ocean_rate", len(data.table) - used, "cells left out"),
        ("split", absent, "species without a training sample"),
        (
            f"labels.min_observations = {section.min_observations}",
            tally.rare,
            "species left out",
        ),
        (f"labels.max_species = {section.max_species}", tally.surplus, "species left out"),
        (
            "labels.propagate",
            tally.propagated,
            f"labels added to {tally.enriched:,} training samples",
        ),
        (
            f"labels.max_observations = {section.max_observations}",
            tally.dropped,
            f"training labels of {tally.capped:,} species dropped",
        ),
        (
            "labels.frequency_weight",
            0 if weights is None else int((weights < 1).sum()),
            "species whose positives weigh less than 1",
        ),
    ]
    return [{"key": key, "number": number, "what": what} for key, number, what in lines if number]


def _warnings(
    experiment: OccurrenceExperiment, data: OccurrenceData, leaks: list[_Distance]
) -> list[str]:
    found = []
    if data.unnamed:
        found.append(
            f"{_species(data.unnamed, 'is', 'are')} not in the taxonomy; the code stands for the "
            f"names: {some(data.unnamed)}"
        )
    found += _watch_list_warnings(experiment, data)
    found += _leakage_warnings(experiment.split, leaks)
    blocks = data.partition.protocol(experiment.split)["groups"]
    if blocks < _FEW_BLOCKS and experiment.score.bootstrap:
        found.append(f"intervals rest on {blocks} spatial blocks only: they are rough")
    lost = len(data.table.codes) - len(data.vocabulary) - data.tally.surplus
    if lost > len(data.vocabulary):
        found.append(
            f"{lost} of {len(data.table.codes)} species are left out by labels.min_observations = "
            f"{experiment.labels.min_observations}"
        )
    return found


def _leakage_warnings(split: SplitSection, leaks: list[_Distance]) -> list[str]:
    """Neighbours in training; of years, the same cells are learnt and judged on purpose."""
    told = ", ".join(f"{one.beside:.0%} of {one.part}" for one in leaks)
    beside = f"({told} cells lie beside a training cell), which flatters"
    if split.kind in ("cell", "region"):
        return [
            f"split.kind = '{split.kind}' leaves neighbours of the judged cells in training "
            f"{beside}; split.kind = 'spatial-block' with a large split.block_km leaves fewer"
        ]
    many = any(one.beside >= _MANY_BESIDE for one in leaks if one.part != "holdout")
    if split.kind == "spatial-block" and many:
        return [
            f"split.block_km = {split.block_km:g} is small for cells so far apart: neighbours of "
            f"the judged cells are in training {beside}; give larger blocks"
        ]
    return []


def _watch_list_warnings(experiment: OccurrenceExperiment, data: OccurrenceData) -> list[str]:
    missing = missing_watched(data.table, data.partition, experiment.data.watchlist)
    found = [
        f"{_species(codes, 'has', 'have', 'watch-list ')} no record in {part}: {some(codes)}"
        for part, codes in missing.items()
    ]
    watched = read_watchlist(experiment.data.watchlist)
    known = data.vocabulary.columns(watched)
    there = set(data.table.codes)
    unlearnt = [
        code for code in watched if code not in known and (watched != WATCHLIST or code in there)
    ]
    if unlearnt:
        told = _species(unlearnt, "is", "are", "watch-list ")
        found.append(f"{told} not learnt: {some(unlearnt)}")
    return found


def _species(codes: Sequence[str], one: str, several: str, kind: str = "") -> str:
    return f"{len(codes)} {kind}species {one if len(codes) == 1 else several}"
