import numpy as np
import pytest
import torch

from quadrat.occurrence.fitting import build_network
from quadrat.occurrence.judging.features import judged_batches
from quadrat.occurrence.judging.whole_years import WithYears
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.samples.dataset import prepare
from quadrat.occurrence.training import train
from quadrat.runs import Run
from quadrat.scoring import OccurrenceEvaluator, geoscore


@pytest.mark.parametrize("chunk", [1, 32])
def test_the_year_is_the_maximum_over_the_weeks(experiment, monkeypatch, chunk):
    monkeypatch.setattr("quadrat.occurrence.judging.whole_years._CELLS", chunk)
    made = experiment()
    data = prepare(made)
    network, spec = build_network(made, data)
    samples = data.samples(data.partition.validation[:45]).with_years()
    module = WithYears(network.eval(), len(samples.cells))
    with torch.inference_mode():
        batches = list(judged_batches(samples, torch.device("cpu")).epoch(0))
        answers = torch.cat([module(batch).logits for batch in batches]).sigmoid().numpy()
    assert len(batches) > 1, "weeks and years meet in a batch"
    predictor = OccurrencePredictor(network, spec, data.vocabulary, device="cpu")
    cell, week = samples.cell_and_week(torch.arange(len(samples)))
    expected = predictor.probabilities(samples.lat[cell], samples.lon[cell], week.numpy())
    np.testing.assert_allclose(answers, expected, atol=1e-6)


def test_scores_of_the_reference_stand_beside_our_own(experiment, tmp_path):
    made = experiment(score={"protocols": ["reference"]}, optimiser={"epochs": 1})
    run = Run.create(tmp_path, made)
    scores = train(made, run, history=run.history())["scores"]
    assert 0 < scores["reference_map"] != scores["map"]
    assert {"reference_geoscore", "reference_f1_10", "reference_list_ratio_10"} <= scores.keys()


def test_the_reference_counts_held_out_regions_too(experiment, tmp_path):
    made = experiment(
        score={"protocols": ["reference"], "bootstrap": 0, "baselines": False},
        split={"regions": [[100.0, -20.0, -120.0, 40.0]]},
        optimiser={"epochs": 1},
    )
    run = Run.create(tmp_path, made)
    scores = train(made, run, history=run.history())["scores"]
    ours = {n.removeprefix("reference_"): v for n, v in scores.items() if "reference_" in n}
    assert ours["geoscore"] == pytest.approx(geoscore(ours).value)
    data = prepare(made)
    samples = data.samples(data.partition.holdout).with_years()
    predictor = OccurrencePredictor.load(run.folder, device="cpu")
    cell, week = samples.cell_and_week(torch.arange(len(samples)))
    answers = predictor.probabilities(samples.lat[cell], samples.lon[cell], week.numpy())
    evaluator = OccurrenceEvaluator(len(data.vocabulary))
    labels = samples.labels
    evaluator.update(
        torch.from_numpy(answers).logit(),
        torch.from_numpy(labels.row_of_positives()),
        torch.from_numpy(labels.indices),
    )
    there = evaluator.compute()
    assert ours["holdout_map"] == pytest.approx(there["map"], abs=1e-5)
    assert ours["holdout_f1_10"] == pytest.approx(there["f1_10"], abs=1e-4)
