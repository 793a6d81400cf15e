"""Small photos runs to combine, trained in about a second each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from quadrat.ensemble.schema import EnsembleExperiment
from quadrat.experiment import parse
from quadrat.photos import family
from quadrat.runs import Run
from tests.photos.small import small


def train_run(
    folder: Path,
    name: str,
    frame: pl.DataFrame | None = None,
    **sections: Mapping[str, Any],
) -> Run:
    """A finished run in ``folder/name``, on the table in ``folder``."""
    experiment = small(folder, frame, **sections)
    run = Run(folder / name)
    run.folder.mkdir()
    run.write_experiment(experiment)
    with run.running(experiment):
        family.train(experiment, run, history=run.history())
    return run


def ensemble_of(
    *members: Run | Mapping[str, Any],
    score: Mapping[str, Any] | None = None,
    **combine: object,
) -> EnsembleExperiment:
    """The experiment of an ensemble of runs, or of runs with keys."""
    sections = [
        {"run": str(one.folder)} if isinstance(one, Run) else {**one, "run": str(one["run"].folder)}
        for one in members
    ]
    parsed = parse(
        {
            "family": "ensemble",
            "member": sections,
            "combine": combine,
            "score": {"bootstrap": 20, **(score or {})},
        }
    )
    assert isinstance(parsed, EnsembleExperiment)
    return parsed
