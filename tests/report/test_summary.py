from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quadrat.report.cautions import cautions
from quadrat.report.contents import read_run
from quadrat.report.protocol import how_split
from quadrat.report.summary import summarise

Change = Callable[..., None]


def test_headline_where_higher_is_better(photos_run: Path) -> None:
    told = summarise(read_run(photos_run))
    assert told.headline == (
        "On photos from unseen State × Sampling_Date groups the model explains 67 % of the "
        "weighted variance [61–72 %], against 24 % for always predicting the mean and 55 % for "
        "the metadata alone, without a photo."
    )
    assert told.verdict == (
        "It beats the strongest baseline, the metadata alone, without a photo, and their "
        "intervals do not overlap."
    )
    assert cautions(read_run(photos_run), told) == []


def test_headline_where_lower_is_better(photos_run: Path, change_metrics: Change) -> None:
    change_metrics(
        photos_run,
        primary="rmse",
        higher_is_better=False,
        baseline_intervals={"mean": {"rmse": [13, 17]}, "metadata": {"rmse": [9.5, 12.0]}},
    )
    told = summarise(read_run(photos_run))
    assert "is off by 9.31 g [8.10–10.6 g] on average (root mean square error)" in told.headline
    assert "15.0 g for always predicting the mean and 11.0 g for the metadata" in told.headline
    assert told.headline.endswith("(less is better).")
    assert told.best_rival is not None
    assert told.best_rival.name == "metadata"
    assert "their intervals overlap" in told.verdict


@pytest.mark.parametrize(
    ("scores", "intervals", "rival_intervals", "verdict"),
    [
        ({"rmse": 12.0}, {}, {}, "does not beat"),
        ({"rmse": 11.0}, {}, {}, "does not beat"),
        ({"rmse": 9.0}, {}, {}, "without intervals nobody can say"),
        ({"rmse": 9.0}, {"rmse": [8, 9.4]}, {"metadata": {"rmse": [9.5, 12]}}, "do not overlap"),
    ],
)
def test_verdict_follows_the_direction(
    photos_run: Path,
    change_metrics: Change,
    scores: dict[str, float],
    intervals: dict[str, Any],
    rival_intervals: dict[str, Any],
    verdict: str,
) -> None:
    change_metrics(
        photos_run,
        primary="rmse",
        higher_is_better=False,
        scores=scores,
        intervals=intervals,
        baseline_intervals=rival_intervals,
    )
    assert verdict in summarise(read_run(photos_run)).verdict


def test_worse_than_the_mean_explains_nothing(photos_run: Path, change_metrics: Change) -> None:
    change_metrics(
        photos_run, scores={"weighted_r2": -0.31}, intervals={"weighted_r2": [-0.5, 0.02]}
    )
    told = summarise(read_run(photos_run)).headline
    assert "the model explains nothing (weighted R² −0.310 [−0.500 to 0.020]), against" in told


def test_no_baseline_is_said(photos_run: Path, change_metrics: Change) -> None:
    change_metrics(photos_run, baselines={}, intervals=None)
    contents = read_run(photos_run)
    told = summarise(contents)
    assert "against" not in told.headline
    assert "No baseline" in told.verdict
    assert [line for line in cautions(contents, told) if "score.bootstrap" in line]


def test_few_groups_are_told_with_or_without_intervals(
    photos_run: Path, change_metrics: Change
) -> None:
    change_metrics(photos_run, protocol={"groups": 4})
    contents = read_run(photos_run)
    assert "carry the scores: intervals over so few" in " ".join(
        cautions(contents, summarise(contents))
    )
    change_metrics(photos_run, intervals=None)
    contents = read_run(photos_run)
    told = " ".join(cautions(contents, summarise(contents)))
    assert "Only 4 groups carry the scores." in told and "too narrow" not in told


def test_the_photo_alone_is_no_baseline(photos_run: Path, change_metrics: Change) -> None:
    metrics = read_run(photos_run).metrics
    baselines = {**metrics["baselines"], "photo_alone": {"weighted_r2": 0.9}}
    spread = {**metrics["baseline_intervals"], "photo_alone": {"weighted_r2": [0.8, 0.95]}}
    change_metrics(photos_run, baselines=baselines, baseline_intervals=spread)
    told = summarise(read_run(photos_run))
    assert "90 %" not in told.headline
    assert [rival.name for rival in told.rivals] == ["mean", "metadata"]
    assert told.verdict.endswith(
        "From the photo alone, with all metadata hidden, it comes to 90 % [80–95 %]."
    )


def test_occurrence_headline(occurrence_run: Path) -> None:
    told = summarise(read_run(occurrence_run)).headline
    assert told == (
        "In cells that it did not learn from, the model puts the species that are there first "
        "with a mean average precision of 0.472 [0.450–0.490], against 0.210 for listing "
        "species by how common they are."
    )


def test_a_score_without_intervals_is_supported_by_one_that_has_them(
    occurrence_run: Path, change_metrics: Change
) -> None:
    change_metrics(occurrence_run, primary="geoscore")
    told = summarise(read_run(occurrence_run))
    assert "reaches a GeoScore of 0.610, where 1 is perfect, against 0.300" in told.headline
    assert told.verdict == (
        "It beats listing species by how common they are; in mean average precision, 0.472 "
        "[0.450–0.490] against 0.210, the intervals do not overlap."
    )
    lines = cautions(read_run(occurrence_run), told)
    assert lines == ["GeoScore has no interval of its own: look at those of the other scores."]
    change_metrics(
        occurrence_run,
        scores={"geoscore": 0.61, "map": 0.1},
        intervals={"map": [0.05, 0.15]},
    )
    assert "but not listing" in summarise(read_run(occurrence_run)).verdict


def test_a_missing_score_is_not_invented(photos_run: Path, change_metrics: Change) -> None:
    change_metrics(photos_run, scores={"weighted_r2": None, "r2": 0.1})
    told = summarise(read_run(photos_run))
    assert "nothing that can be counted" in told.headline
    assert "does not beat" in told.verdict


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ({"kind": "random", "folds": 5}, "5 folds. Single samples were drawn at random"),
        ({"kind": "leave-group-out", "by": ["State"]}, "Every State was left out once"),
        ({"kind": "group", "by": "site", "groups": 12}, "12 groups and 3 folds. No site group"),
        ({"kind": "new-kind"}, "listed below"),
    ],
)
def test_protocol(
    photos_run: Path, change_metrics: Change, protocol: dict[str, Any], told: str
) -> None:
    change_metrics(photos_run, protocol=protocol)
    assert told in how_split(read_run(photos_run))


def test_cautions(photos_run: Path, change_metrics: Change) -> None:
    folds = [{"weighted_r2": v} for v in (0.7, 0.68, 0.69, 0.71, 0.1)]
    change_metrics(
        photos_run,
        folds=folds,
        per_target={"a_g": {"r2": -0.2}, "b_g": {"r2": 0.4}},
        scores={"weighted_r2": 0.2, "coverage_90": 0.61},
        protocol={"kind": "random", "groups": 4},
    )
    contents = read_run(photos_run)
    told = "\n".join(cautions(contents, summarise(contents)))
    for line in (
        "does not beat the metadata alone",
        "Only 4 groups",
        "random split flatters",
        "R² below 0): a_g.",
        "fold 5 (0.100)",
        "90 % intervals hold the truth in only 61 %",
    ):
        assert line in told
