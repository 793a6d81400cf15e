"""What `quadrat explain` says of families that have no photos to look at."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from quadrat.ensemble import family as ensembles
from quadrat.errors import UsageError
from quadrat.occurrence import family as species
from quadrat.runs import Run
from quadrat.workflow import explain


def test_species_runs_tell_the_importance_that_they_measured(tmp_path: Path):
    told = pl.DataFrame({"column": ["altitude"], "drop": [0.1], "sd": [0.01]})
    told.write_parquet(tmp_path / "importance.parquet")
    found = species.explain(Run(tmp_path), None, method="auto", count=1)
    assert found.tables["importance"].equals(told)
    assert not found.sheets


def test_species_runs_without_environment_have_nothing_to_tell(tmp_path: Path):
    with pytest.raises(UsageError, match=r"network\.environment_input"):
        species.explain(Run(tmp_path), None, method="auto", count=1)
    with pytest.raises(UsageError, match="--data and --method explain photos"):
        species.explain(Run(tmp_path), Path("table.csv"), method="auto", count=1)


def test_ensembles_are_explained_member_by_member(tmp_path: Path):
    with pytest.raises(UsageError, match="on the runs that it is made of"):
        ensembles.explain(Run(tmp_path), None, method="auto", count=1)


def test_no_samples_cannot_be_explained(tmp_path: Path):
    with pytest.raises(UsageError, match="--samples 0"):
        explain(tmp_path, out=tmp_path / "why", samples=0)
