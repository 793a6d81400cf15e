"""Prepared records in the cache: under which key, and as which arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, astuple
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydantic import BaseModel

from quadrat.experiment import located
from quadrat.occurrence.labels.learning import Tally
from quadrat.occurrence.labels.matrix import LabelMatrix
from quadrat.occurrence.records.cells import CellTable
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.occurrence.samples.environment import EncodedColumn, EnvironmentEncoder
from quadrat.occurrence.samples.partition import Partition
from quadrat.occurrence.samples.prepared import OccurrenceData
from quadrat.occurrence.schema import OccurrenceExperiment

STORED_FORMAT = 1
"""To be raised when the same records are prepared otherwise than before by code elsewhere."""

IRRELEVANT = frozenset(
    {
        "name", "seed", "optimiser", "average", "run", "score", "network", "loss", "augment",
        "calibrate", "start", "data.cache",
    }
)  # fmt: skip
"""Keys and sections that do not change what is prepared. All others do, also those to come."""

_TABLE = ("lat", "lon", "environment", "water", "cells", "years")
_PARTS = ("train", "validation", "test", "holdout", "blocks")


def cache_key(experiment: OccurrenceExperiment) -> str:
    """A hash of everything that decides what is prepared: settings, and the files' contents."""
    content = {
        "format": [STORED_FORMAT, _program()],
        "settings": _relevant(experiment, ""),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def _program() -> str:
    """A hash of the code that prepares records: another version must not read what this one kept.

    `STORED_FORMAT` stands for what lies elsewhere (the splits, the land).
    """
    family = Path(__file__).parents[1]
    folders = (family / name for name in ("labels", "records", "samples"))
    files = sorted(file for folder in folders for file in folder.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _relevant(model: BaseModel, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value, mark = getattr(model, name), located(field)
        if prefix + name in IRRELEVANT:
            continue
        if isinstance(value, BaseModel):
            found[name] = _relevant(value, f"{prefix}{name}.")
        elif mark is not None and isinstance(value, Path):
            found[name] = _contents(value)
        else:
            found[name] = value
    return found


def _contents(path: Path) -> str:
    if not path.is_file():
        return f"no file {path}"  # whoever reads it says what is wrong
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def to_arrays(data: OccurrenceData) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Prepared records as arrays and plain data."""
    table, parts = data.table, data.partition
    arrays = {name: getattr(table, name) for name in _TABLE}
    arrays |= {name: getattr(parts, name) for name in _PARTS}
    arrays |= {"counts": data.counts, "label_weights": data.label_weights}
    for name, labels in (("records", table.labels), ("training", data.training)):
        arrays |= {f"{name}_indptr": labels.indptr, f"{name}_indices": labels.indices}
    plain = {
        "codes": table.codes,
        "renamed": table.renamed,
        "environment_names": table.environment_names,
        "species": [astuple(species) for species in data.vocabulary.species],
        "unnamed": data.unnamed,
        "tally": asdict(data.tally),
        "encoder": [asdict(column) for column in data.encoder.columns],
    }
    return {name: array for name, array in arrays.items() if array is not None}, plain


def from_arrays(
    arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any], table: Path
) -> OccurrenceData:
    """Prepared records from what `to_arrays` made of them; ``table`` is the file they came from."""

    def labels(name: str, columns: int) -> LabelMatrix:
        return LabelMatrix(arrays[f"{name}_indptr"], arrays[f"{name}_indices"], columns)

    columns = [
        EncodedColumn(**{**column, "classes": tuple(column["classes"])})
        for column in plain["encoder"]
    ]
    given: dict[str, Any] = {name: arrays.get(name) for name in _TABLE}
    return OccurrenceData(
        table=CellTable(
            path=table,
            environment_names=tuple(plain["environment_names"]),
            codes=tuple(plain["codes"]),
            renamed=tuple(plain["renamed"]),
            labels=labels("records", len(plain["codes"])),
            **given,
        ),
        partition=Partition(**{name: arrays[name] for name in _PARTS}, years=arrays.get("years")),
        vocabulary=Vocabulary(tuple(Species(*names) for names in plain["species"])),
        counts=arrays["counts"],
        encoder=EnvironmentEncoder(tuple(columns)),
        unnamed=tuple(plain["unnamed"]),
        training=labels("training", len(plain["species"])),
        label_weights=arrays.get("label_weights"),
        tally=Tally(**plain["tally"]),
    )
