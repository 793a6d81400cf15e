from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadrat.errors import RunError
from quadrat.report import write_evaluation_report
from tests.report.conftest import write_json
from tests.report.test_writing import headings, needs_nothing_outside, text_of


@pytest.fixture
def survey(occurrence_run: Path) -> Path:
    """An evaluation on 25 places, as `quadrat evaluate --data` leaves it."""
    folder = occurrence_run / "evaluations" / "ponds"
    rng = np.random.default_rng(0)
    species = pl.read_parquet(occurrence_run / "species.parquet")
    metrics = json.loads((occurrence_run / "metrics.json").read_text())
    codes = species["code"].to_list()
    metrics |= {
        "per_target": {code: {"n": 50.0, "present": 9.0, "auc": 0.8} for code in codes},
        "protocol": {
            "judged": "survey",
            "visits": 60,
            "groups": 25,
            "species": 30,
            "unknown_species": ["dodo", "moa"],
            "words": "scores on 1500 presences and absences",
        },
    }
    write_json(folder / "metrics.json", metrics)
    species.with_columns(visits=pl.lit(50)).write_parquet(folder / "species.parquet")
    places: dict[str, Any] = {
        "lat": rng.uniform(45, 48, 25),
        "lon": rng.uniform(6, 11, 25),
        "visits": rng.integers(1, 4, 25),
        "map": np.where(np.arange(25) % 5, rng.random(25), np.nan),
    }
    pl.DataFrame(places).write_parquet(folder / "places.parquet")
    curves = json.loads((occurrence_run / "reliability.json").read_text())
    write_json(folder / "reliability.json", curves | {"raw": curves})
    return folder


def test_a_survey_has_a_report_of_its_own(occurrence_run: Path, survey: Path) -> None:
    report = write_evaluation_report(occurrence_run, "ponds")
    assert report == survey / "report.html"
    needs_nothing_outside(report)
    told = text_of(report)
    assert "On another survey the model puts" in told and "dodo, moa" in told
    assert "before calibration" in told and "All 27" in told
    assert "neighbours of held-out cells" not in told, "how the run was split is another matter"
    assert headings(report)[-6:] == [
        "Scores beside the baselines",
        "How it was judged",
        "Place by place",
        "Species by species",
        "Can the probabilities be believed?",
        "Where it comes from",
    ]
    assert {path.name for path in (survey / "figures").iterdir()} == {
        "reliability.svg",
        "scores.svg",
        "species-precision.svg",
        "species-records.svg",
        "survey-precision.svg",
        "survey-visits.svg",
    }
    assert not (occurrence_run / "report.html").exists(), "the run's own report is left alone"


def test_cells_of_another_table_are_mapped(occurrence_run: Path, survey: Path) -> None:
    (survey / "places.parquet").unlink()
    shutil.copy(occurrence_run / "cells.parquet", survey / "cells.parquet")
    metrics = json.loads((survey / "metrics.json").read_text())
    metrics["protocol"] = {"judged": "table", "table_cells": 40}
    write_json(survey / "metrics.json", metrics)
    told = text_of(write_evaluation_report(occurrence_run, "ponds"))
    assert "On another table" in told and "Expected number of species" in told


@pytest.mark.parametrize(
    ("learnt", "told"),
    [
        (
            {"judged": "table", "table_cells": 40, "cells_with_records": 35, "learnt_cells": 31},
            "31 of the 40 judged cells, of which 35 have records",
        ),
        ({"judged": "survey", "groups": 25, "learnt_places": 7}, "7 of the 25 places lie in cells"),
    ],
)
def test_what_was_learnt_is_a_caution(
    occurrence_run: Path, survey: Path, learnt: dict[str, Any], told: str
) -> None:
    metrics = json.loads((survey / "metrics.json").read_text())
    for protocol, count in ((learnt, 1), ({**learnt, list(learnt)[-1]: 0}, 0)):
        metrics["protocol"] = protocol
        write_json(survey / "metrics.json", metrics)
        page = text_of(write_evaluation_report(occurrence_run, "ponds"))
        assert page.count(told) == count


def test_points_have_neither_places_nor_curve(occurrence_run: Path, survey: Path) -> None:
    write_json(occurrence_run / "model.json", {"kind": "occurrence-points"})
    (survey / "places.parquet").unlink()
    (survey / "reliability.json").unlink()
    report = write_evaluation_report(occurrence_run, "ponds")
    assert not {"Place by place", "Can the probabilities be believed?"} & set(headings(report))


def test_an_evaluation_without_scores(occurrence_run: Path) -> None:
    with pytest.raises(RunError, match="holds no scores"):
        write_evaluation_report(occurrence_run, "nothing")
