"""Trainings that end before they have begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from quadrat.errors import DataError, Stopped
from quadrat.occurrence import family
from quadrat.runs import Run
from quadrat.workflow import train


@pytest.mark.parametrize("recipe", ["species", "pasture-frozen"])
def test_a_table_that_cannot_be_used_leaves_no_run_folder(tmp_path: Path, recipe: str):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"table\.csv"):
        train(recipe, out=tmp_path / "runs", overrides=[f"data.table={table}"])
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("error", "learnt", "kept"),
    [
        (DataError("no"), True, True),
        (DataError("no"), False, False),
        (Stopped("asked"), False, True),
        (ZeroDivisionError(), False, True),
    ],
)
def test_what_was_learnt_or_can_be_told_is_kept(tmp_path, monkeypatch, error, learnt, kept):
    def fail(experiment: object, run: Run, **_: object) -> None:
        if learnt:
            run.fold(0)
        raise error

    monkeypatch.setattr(family, "train", fail)
    with pytest.raises(type(error)):
        train("species", out=tmp_path, overrides=["data.table=records.parquet"])
    assert bool(list(tmp_path.iterdir())) == kept
