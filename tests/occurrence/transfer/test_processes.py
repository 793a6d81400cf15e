"""Going on from a run in two processes, through the real command."""

from __future__ import annotations

import numpy as np

from quadrat.occurrence import training
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.runs import Run, read_json
from tests.processes import trained_by_two


def test_two_processes_fine_tune_one_run(experiment, tmp_path):
    small = {"data": {"sample_fraction": 0.3}, "score": {"bootstrap": 0, "baselines": False}}
    few = experiment(labels={"min_observations": 250}, optimiser={"epochs": 1}, **small)
    base = Run.create(tmp_path / "base", few)
    training.train(few, base, history=base.history())
    start = {"run": str(base.folder), "new_species_epochs": 1}
    small["optimiser"] = {"epochs": 1, "batch_size": 512}
    made = experiment(labels={"min_observations": 50}, start=start, **small)
    tuned = trained_by_two(made, tmp_path)
    known, learnt = _asked(base), _asked(tuned)
    told = read_json(tuned.path("start.json"))
    assert told["new"] == [code for code in learnt if code not in known] != []
    records = tuned.history().records()
    assert [record["epoch"] for record in records] == [0, 1], "one process writes the history"
    assert records[-1]["map"] > records[0]["map"] > 0.1
    assert tuned.metrics()["scores"]["map"] > 0.3
    assert all(np.ptp(learnt[code]) > 1e-5 for code in told["new"]), "new species know places"


def _asked(run: Run) -> dict[str, np.ndarray]:
    predictor = OccurrencePredictor.load(run.folder, device="cpu")
    lat, lon = np.meshgrid(np.linspace(-60, 60, 7), np.linspace(-170, 170, 9))
    answers = predictor.probabilities(lat.ravel(), lon.ravel(), 13)
    return dict(zip(predictor.vocabulary.codes, answers.T, strict=True))
