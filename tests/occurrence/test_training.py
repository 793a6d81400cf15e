import shutil

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import torch

from quadrat.errors import DataError, Stopped, UsageError
from quadrat.occurrence import family, fitting, training
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.samples.dataset import prepare, sample_rows
from quadrat.runs import Run, read_json
from quadrat.scoring import geoscore

from .tables import columns, random_lists, write

FILES = {
    "check.json",
    "experiment.toml",
    "history.jsonl",
    "metrics.json",
    "model.json",
    "calibration.npz",
    "observed.npz",
    "preprocessing.json",
    "labels.txt",
    "species.parquet",
    "cells.parquet",
    "reliability.json",
    "expected_environment.parquet",
    "folds",
}


@pytest.fixture(scope="module")
def trained(experiment, tmp_path_factory):
    made = experiment()
    run = Run.create(tmp_path_factory.mktemp("runs"), made)
    training.train(made, run, history=run.history())
    return run


def test_a_run_folder_holds_what_it_promises(trained):
    assert {path.name for path in trained.folder.iterdir()} == FILES
    assert (trained.folder / "folds" / "0" / "model.safetensors").is_file()
    assert len(trained.history().records()) == 2
    assert read_json(trained.path("model.json"))["kind"] == "occurrence-network"


def test_it_learns_more_than_how_common_species_are(trained):
    metrics = trained.metrics()
    assert metrics["primary"] == "map" and metrics["higher_is_better"] is True
    for baseline in ("prevalence", "seasonal"):
        assert metrics["scores"]["map"] > metrics["baselines"][baseline]["map"] + 0.15
        assert metrics["scores"]["brier"] < metrics["baselines"][baseline]["brier"]
    for name in ("map", "macro_auc", "map_density_ratio", "pred_density_r", "geoscore_map"):
        low, high = metrics["intervals"][name]
        assert low < metrics["scores"][name] < high, name
    assert metrics["protocol"]["judged"] == "validation"
    without = metrics["scores"].keys() - metrics["intervals"].keys()
    by_species = {f"macro_{name}_threshold" for name in ("f1", "precision", "recall")}
    assert without == {"ece"} | by_species & metrics["scores"].keys()


def test_scores_are_those_of_the_saved_model(experiment, tmp_path):
    """Average precision by hand, from what the predictor answers for the held-out cells."""
    made = experiment(calibrate={"probabilities": "none"}, score={"bootstrap": 0})
    trained = Run.create(tmp_path, made)
    training.train(made, trained, history=trained.history())
    data = prepare(made)
    cells = data.partition.validation
    truth = data.table.labels.rows(sample_rows(cells))
    columns = [data.table.codes.index(code) for code in data.vocabulary.codes]
    predictor = OccurrencePredictor.load(trained.folder, device="cpu")
    found = []
    for place, cell in enumerate(cells):
        weeks = np.arange(1, 49)
        answers = predictor.probabilities(data.table.lat[cell], data.table.lon[cell], weeks)
        for week, answer in enumerate(answers):
            row = place * 48 + week
            seen = np.isin(columns, truth.indices[truth.indptr[row] : truth.indptr[row + 1]])
            if seen.any():
                order = np.argsort(-answer)
                hits = seen[order]
                found.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    assert trained.metrics()["scores"]["map"] == pytest.approx(np.mean(found), abs=1e-4)


def test_species_and_cells_have_their_own_scores(trained, experiment):
    data = prepare(experiment())
    species = pl.read_parquet(trained.path("species.parquet"))
    cells = pl.read_parquet(trained.path("cells.parquet"))
    scores = trained.metrics()["scores"]
    assert species["code"].to_list() == list(data.vocabulary.codes)
    assert species["n_train"].to_list() == data.counts.tolist()
    assert species["n_train_by_week"].list.sum().to_list() == data.counts.tolist()
    assert species["ap"].drop_nans().mean() == pytest.approx(scores["macro_ap"])
    assert cells["cell"].to_list() == data.table.names(data.partition.validation)
    assert cells["n"].sum() == species["n"].sum()
    assert (cells["richness"] > 0).all() and (cells["richness"] < species.height).all()
    weighted = cells.filter(pl.col("weeks_with_species") > 0)
    mean = (weighted["map"] * weighted["weeks_with_species"]).sum()
    assert mean / weighted["weeks_with_species"].sum() == pytest.approx(scores["map"])


def test_evaluating_again_gives_the_same_scores(trained):
    assert family.evaluate(trained, None) == trained.metrics()


def trained_species(run):
    return run.path("labels.txt").read_text().splitlines()


def test_evaluating_on_another_table(trained, planet, experiment):
    found = family.evaluate(trained, planet.table)
    assert found["protocol"]["judged"] == "table"
    assert found["protocol"]["table_cells"] == 842
    assert found["protocol"]["species_left_out"] == 40 - len(trained_species(trained))
    assert 0 < found["protocol"]["records_left_out"] < 0.05
    data = prepare(experiment())
    records = data.table.labels.lengths().reshape(-1, 48).sum(axis=1)
    learnt = int((records[data.partition.train] > 0).sum())
    assert 100 < found["protocol"]["learnt_cells"] == learnt < 842
    assert f"the model learnt from records in {learnt} of the cells" in found["protocol"]["words"]
    assert found["protocol"]["cells_with_records"] == (records > 0).sum() > learnt
    assert found["scores"]["map"] > 0.5


def test_cells_that_were_held_out_were_not_learnt(trained, planet, experiment, tmp_path):
    cells = prepare(experiment()).partition.validation
    alone = family.evaluate(trained, _only(planet.table, cells, tmp_path / "held.parquet"))
    assert alone["protocol"]["learnt_cells"] == 0
    assert "learnt" not in alone["protocol"]["words"]


def test_the_same_run_gives_the_same_bytes(trained, experiment, tmp_path):
    made = experiment()
    run = Run.create(tmp_path, made)
    training.train(made, run, history=run.history())
    for name in ("metrics.json", "labels.txt", "preprocessing.json", "folds/0/model.safetensors"):
        assert run.path(name).read_bytes() == trained.path(name).read_bytes(), name


def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(
    trained, experiment, tmp_path, monkeypatch
):
    from quadrat.engine import training as loop

    made = experiment()
    run = Run.create(tmp_path, made)
    steps = iter(range(1000))
    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_requested", lambda: next(steps) == 20)
        with pytest.raises(Stopped):
            training.train(made, run, history=run.history())
    assert not run.path("metrics.json").exists()
    training.train(made, run, history=run.history())
    for name in ("metrics.json", "folds/0/model.safetensors"):
        assert run.path(name).read_bytes() == trained.path(name).read_bytes(), name


def test_test_cells_are_judged(experiment, tmp_path):
    made = experiment(
        split={"kind": "spatial-block", "test": 0.2, "block_km": 2000.0},
        data={"yearly": True, "environment": []},
        optimiser={"epochs": 1},
        score={"baselines": False, "bootstrap": 0},
    )
    run = Run.create(tmp_path, made)
    metrics = training.train(made, run, history=run.history())
    assert metrics["protocol"]["judged"] == "test"
    assert metrics["protocol"]["test_cells"] == pl.read_parquet(run.path("cells.parquet")).height
    assert metrics["baselines"] == {} and metrics["intervals"] == {}
    weights = OccurrencePredictor.load(run.folder, device="cpu").network
    assert weights.environment is None


def test_the_reliability_curve_counts_every_pair(trained):
    curve = read_json(trained.path("reliability.json"))
    species = len(trained_species(trained))
    assert sum(curve["count"]) == trained.metrics()["protocol"]["validation_cells"] * 48 * species
    assert len(curve["edges"]) == len(curve["count"]) + 1 == len(curve["frequency"]) + 1


def test_a_table_of_strangers(trained, tmp_path):
    table = write(tmp_path / "cells.parquet", columns(random_lists(20, ["stranger"])))
    with pytest.raises(DataError, match="none of the 1 species codes"):
        family.evaluate(trained, table)


def test_metrics_hold_no_path_and_no_time(trained):
    text = trained.path("metrics.json").read_text()
    assert str(trained.folder.parent) not in text
    assert "seconds" not in text


def test_predictions_need_neither_data_nor_taxonomy(trained, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("model.json", "labels.txt", "folds/0/model.safetensors"):
        (moved / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(trained.path(name), moved / name)
    found = family.load(moved).species_list(10.0, 20.0, 12)
    assert found.height == found["scientific_name"].n_unique()


def test_a_primary_score_that_is_not_computed(experiment, tmp_path):
    made = experiment(score={"primary": "macro_auc"})
    run = Run.create(tmp_path, made)
    with pytest.raises(UsageError, match=r"'macro_auc' is not computed while training.*map"):
        training.train(made, run, history=run.history())


def test_species_that_are_all_too_rare(experiment, tmp_path):
    made = experiment(labels={"min_observations": 10**6})
    with pytest.raises(DataError, match="no species has 1000000 training samples"):
        training.train(made, Run.create(tmp_path, made), history=Run(tmp_path).history())


def test_the_network_starts_from_prevalence(experiment):
    data = prepare(experiment())
    network, _ = fitting.build_network(experiment(), data)
    samples = len(data.partition.train) * 48
    shares = network.species.bias.sigmoid().detach().numpy()
    np.testing.assert_allclose(shares, (data.counts + 0.5) / (samples + 1), rtol=1e-4)
    again, _ = fitting.build_network(experiment(), data)
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_regions_are_judged_besides(experiment, tmp_path):
    made = experiment(
        split={"regions": [[100.0, -20.0, -120.0, 40.0]], "test": 0.1},
        optimiser={"epochs": 1},
        data={"watchlist": ["nobody"]},
    )
    run = Run.create(tmp_path, made)
    metrics = training.train(made, run, history=run.history())
    scores, rivals = metrics["scores"], metrics["baselines"]
    assert 0 < scores["holdout_map"] < 1 and scores["holdout_map"] != scores["map"]
    assert scores["holdout_map"] > rivals["prevalence"]["holdout_map"]
    low, high = metrics["intervals"]["holdout_map"]
    assert low < scores["holdout_map"] < high
    low, high = metrics["intervals"]["geoscore"]
    assert low < scores["geoscore"] < high
    assert scores["geoscore"] == pytest.approx(geoscore(scores).value)
    assert metrics["protocol"]["watchlist_missing"]["train"] == ["nobody"]
    assert metrics["protocol"]["holdout_cells"] > 50
    assert family.evaluate(run, None) == metrics
    data = prepare(made)
    cells = data.partition.holdout
    alone = family.evaluate(run, _only(made.data.table, cells, tmp_path / "holdout.parquet"))
    assert alone["scores"]["map"] == pytest.approx(scores["holdout_map"], abs=1e-6)


def _only(table, cells, path):
    pq.write_table(pq.read_table(table).take(cells), path)
    return path


def test_the_findings_lie_in_the_run(trained, experiment):
    report = read_json(trained.path("check.json"))
    assert report["errors"] == []
    assert report["tables"]["parts"][0]["part"] == "train"
    assert any("flatters" in line for line in report["warnings"])


def test_evaluating_on_a_survey(trained, planet, tmp_path):
    rng = np.random.default_rng(0)
    codes = [line.split("\t")[0] for line in trained_species(trained)]
    places = {"lat": rng.uniform(-60, 60, 30), "lon": rng.uniform(-180, 180, 30), "week": [20] * 30}
    seen = {code: rng.integers(0, 2, 30) for code in codes[:5]}
    path = tmp_path / "survey.csv"
    pl.DataFrame(places | seen | {"dodo": [0, 1] * 15}).write_csv(path)
    found = family.evaluate(trained, path, tmp_path / "told")
    for name in ("species.parquet", "places.parquet", "reliability.json"):
        assert (tmp_path / "told" / name).is_file()
    assert found["protocol"]["judged"] == "survey" and found["protocol"]["species"] == 5
    assert found["protocol"]["unknown_species"] == ["dodo"]
    assert {"prevalence", "seasonal"} == set(found["baselines"])
