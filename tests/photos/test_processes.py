"""Two processes that train one photos run, through the real command."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from quadrat import workflow
from tests.photos.small import COUNT, small
from tests.processes import trained_by_two


def test_two_processes_train_folds_averages_and_refit(tmp_path: Path):
    given = small(tmp_path, optimiser={"epochs": 6}, average={"swa": 0.5}, run={"refit": True})
    run = trained_by_two(given, tmp_path)
    told = [(record["fold"], record["epoch"]) for record in run.history().records()]
    assert len(set(told)) == len(told), "one process writes the history"
    assert pl.read_parquet(run.path("oof.parquet")).height == 3 * COUNT
    together, score = run.metrics(), "weighted_r2"
    alone = workflow.train(given, out=tmp_path / "alone").metrics()
    assert together["scores"][score] > together["baselines"]["mean"][score]
    assert together["scores"][score] == pytest.approx(alone["scores"][score], abs=0.1)
    answers = workflow.predict(run.folder, data=tmp_path / "train.parquet")
    assert answers.height > 0 and answers.null_count().sum_horizontal().item() == 0
