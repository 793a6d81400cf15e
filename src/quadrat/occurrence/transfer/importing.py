"""A checkpoint of the geomodel becomes a run folder, which answers like any other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.errors import DataError
from quadrat.occurrence.network.model import save_model
from quadrat.occurrence.records.cells import read_cells
from quadrat.occurrence.records.taxonomy import Species, Vocabulary, read_taxonomy
from quadrat.occurrence.samples.environment import EncodedColumn, EnvironmentEncoder
from quadrat.occurrence.transfer.checkpoint import Checkpoint
from quadrat.occurrence.transfer.weights import network_of
from quadrat.runs import FORMAT_VERSION, Run, write_json
from quadrat.tables import write_table

WEIGHTS = "folds/0/model.safetensors"

_FRACTIONS = ("water_fraction", "urban_fraction")
"""The columns that the geomodel leaves as they are, in its order."""


def write_run(
    run: Run, checkpoint: Checkpoint, vocabulary: Vocabulary, encoder: EnvironmentEncoder | None
) -> None:
    """Fills a run folder with a checkpoint's model.

    Args:
        run: The folder; its experiment is there already.
        checkpoint: The checkpoint.
        vocabulary: Its species.
        encoder: What its environment outputs mean, if known.

    Raises:
        DataError: The parameters do not make a network.
    """
    network = network_of(checkpoint)
    preprocessing = {
        "format_version": FORMAT_VERSION,
        "species": len(vocabulary),
        "species_without_a_name": [s.code for s in vocabulary.species if s.scientific == s.code],
        "training_cells": None,
        "environment": encoder.to_dict() if encoder else None,
    }
    names = pl.DataFrame(
        {
            "code": vocabulary.codes,
            "scientific_name": [s.scientific for s in vocabulary.species],
            "common_name": [s.common for s in vocabulary.species],
            "class_name": [s.group for s in vocabulary.species],
        }
    )
    write_json(run.path("preprocessing.json"), preprocessing)
    write_table(names, run.path("species.parquet"))
    save_model(run.folder, network, checkpoint.spec, vocabulary, WEIGHTS)


def network_keys(checkpoint: Checkpoint) -> dict[str, Any]:
    """The keys of ``[network]`` that describe a checkpoint's network."""
    spec = checkpoint.spec
    return {
        "scale": spec.scale,
        "encoding": spec.encoding,
        "coord_harmonics": spec.coord_harmonics,
        "week_harmonics": spec.week_harmonics,
        "habitat_head": spec.habitat_head,
        **({} if spec.environment else {"environment_weight": 0.0}),
    }


def species_of(checkpoint: Checkpoint, labels: Path | None, taxonomy: Path | None) -> Vocabulary:
    """The species of a checkpoint's outputs, with the best names at hand.

    Args:
        checkpoint: The checkpoint.
        labels: Its ``labels.txt``; by default the one beside it, as the geomodel looks for it.
        taxonomy: Names and classes that go before those of the labels.

    Raises:
        DataError: There are no labels, or they are those of another model.
    """
    found = labels or _labels_beside(checkpoint.path)
    if found is not None:
        vocabulary = Vocabulary(tuple(_read_labels(found)))
        _check_labels(vocabulary.codes, checkpoint, found)
    elif checkpoint.codes is not None:
        vocabulary = Vocabulary(tuple(Species(code, code, code) for code in checkpoint.codes))
    else:
        raise DataError(
            f"neither {checkpoint.path} nor a labels.txt beside it names the species.",
            fix="give the labels.txt that was written with the checkpoint (--labels).",
        )
    if taxonomy is None:
        return vocabulary
    known = read_taxonomy(taxonomy)
    return Vocabulary(tuple(known.get(s.code, s) for s in vocabulary.species))


def environment_of(checkpoint: Checkpoint, table: Path) -> EnvironmentEncoder:
    """What a checkpoint's environment outputs mean, from the table that it learnt from.

    The geomodel writes neither names nor scales of its environment, but it computes them from all
    cells: classes first, then fractions, then numbers, the mean standing in for what is unknown.

    Raises:
        DataError: The table has another environment than the checkpoint.
    """
    cells = read_cells(table)
    columns = [
        _fitted(name, values)
        for name, values in zip(cells.environment_names, cells.environment.T, strict=True)
    ]
    encoder = EnvironmentEncoder(tuple(sorted(columns, key=_place)))
    width = sum(len(column.classes) if column.kind == "class" else 1 for column in columns)
    if width != checkpoint.spec.environment:
        raise DataError(
            f"{table} gives {width} values of environment, but {checkpoint.path} learnt "
            f"{checkpoint.spec.environment}.",
            [f"{column.name}: {column.kind}" for column in encoder.columns],
            fix="give the combined parquet that the checkpoint was trained on, or none.",
        )
    return encoder


def _fitted(name: str, values: NDArray[np.float64]) -> EncodedColumn:
    """A column as the geomodel encodes it.

    What is unknown counts as the mean, which shrinks the spread, and only two shares are known.
    """
    column = EncodedColumn.fitted(name, values)
    known = values[~np.isnan(values)]
    if column.kind == "class" or name in _FRACTIONS or len(known) == 0:
        return column
    sd = float(known.std()) * math.sqrt(len(known) / len(values))
    return EncodedColumn(name, "number", float(known.mean()), sd if sd > 0 else 1.0)


def _place(column: EncodedColumn) -> tuple[int, int]:
    order = _FRACTIONS.index(column.name) if column.name in _FRACTIONS else 0
    return ("class", "fraction", "number").index(column.kind), order


def _labels_beside(checkpoint: Path) -> Path | None:
    names = (f"{checkpoint.stem}_labels.txt", "labels.txt")
    return next((p for name in names if (p := checkpoint.with_name(name)).is_file()), None)


def _read_labels(path: Path) -> list[Species]:
    """Lines of code, scientific name, common name; names that are missing repeat the one before."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"the labels {path} cannot be read: {error.strerror}.") from error
    rows = [line.split("\t") for line in lines if line.strip()]
    bad = [f"line {n}: {len(row)} columns" for n, row in enumerate(rows, 1) if len(row) > 3]
    if bad or not rows:
        raise DataError(
            f"{path} must have one species a line: code, scientific name, common name, separated "
            "by tabs.",
            bad or ["it is empty"],
        )
    return [Species(row[0], row[min(1, len(row) - 1)], row[-1]) for row in rows]


def _check_labels(codes: Sequence[str], checkpoint: Checkpoint, labels: Path) -> None:
    expected = checkpoint.codes
    problems = [f"'{code}' twice" for code in sorted({c for c in codes if codes.count(c) > 1})]
    if len(codes) != checkpoint.spec.species:
        problems.append(f"{len(codes)} lines, but the model has {checkpoint.spec.species} species")
    elif expected is not None:
        problems += [
            f"line {n}: '{code}', but the checkpoint says '{other}'"
            for n, (code, other) in enumerate(zip(codes, expected, strict=True), start=1)
            if code != other
        ]
    if problems:
        raise DataError(
            f"{labels} does not belong to {checkpoint.path}.",
            problems,
            fix="give the labels.txt that was written with the checkpoint.",
        )
