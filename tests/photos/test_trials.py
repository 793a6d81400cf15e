from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quadrat.engine import Backend
from quadrat.errors import UsageError
from quadrat.photos import training
from quadrat.photos.trials import data_key, prepare, validation_score
from quadrat.runs import Run
from tests.photos.small import small


def test_experiments_that_learn_otherwise_share_their_data(tmp_path: Path):
    key = data_key(small(tmp_path))
    assert data_key(small(tmp_path, head={"hidden": [4]}, loss={"kind": "mae"})) == key
    assert data_key(small(tmp_path, split={"folds": 2})) != key
    assert data_key(small(tmp_path, data={"numeric": []})) != key


def test_the_score_is_the_mean_over_folds_of_the_best_inner_scores(tmp_path: Path):
    experiment = small(tmp_path, split={"inner": 0.3})
    reports: list[tuple[int, float]] = []
    data = prepare(experiment)
    score = validation_score(
        experiment, data, report=lambda step, value: reports.append((step, value))
    )
    run = Run.create(tmp_path / "runs", experiment)
    history = run.history()
    training.train(experiment, run, history=history)
    best = [
        max(r["weighted_r2"] for r in history.records() if r["fold"] == fold)
        for fold in range(experiment.split.folds)
    ]
    assert score == pytest.approx(np.mean(best), abs=1e-12)
    assert [step for step, _ in reports] == list(range(1, 13)), "four epochs of three folds"
    assert reports[3][1] == pytest.approx(best[0])
    assert reports[-1][1] == pytest.approx(score)


def test_held_out_rows_do_not_count(tmp_path: Path):
    experiment = small(tmp_path, split={"inner": 0.3, "kind": "column", "column": "site",
                                        "test": ["site 0", "site 1"], "by": []})  # fmt: skip
    data = prepare(experiment)
    score = validation_score(experiment, data)
    held_out = data.prepared.folds[0].held_out
    data.prepared.samples.targets[held_out] = 1e6
    assert validation_score(experiment, data) == score


def test_vectors_of_photos_are_shared_where_the_encoder_is_the_same(tmp_path: Path):
    experiment = small(tmp_path)
    data = prepare(experiment)
    backend = Backend.create("cpu", "fp32")
    first = data.learner(experiment, backend)
    other = small(tmp_path, head={"hidden": [4]})
    assert data.learner(other, backend).source is first.source
    changed = experiment.model_copy(update={"seed": 7})
    assert data.learner(changed, backend).source is not first.source


def test_without_inner_rows_there_is_nothing_to_judge_by(tmp_path: Path):
    with pytest.raises(UsageError, match=r"raise split\.inner"):
        prepare(small(tmp_path, split={"inner": 0.0}))
