from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import expit

from quadrat import workflow
from quadrat.errors import DataError, ExperimentError, RunError
from quadrat.occurrence.transfer.checkpoint import read_checkpoint
from quadrat.occurrence.transfer.importing import environment_of, species_of
from quadrat.occurrence.transfer.weights import network_of
from quadrat.runs import read_json

from ..tables import columns, random_lists, write
from .geomodel import forward, random_state, write_checkpoint

CODES = ["1032549", "apapan", "kea1", "tui1"]
NAMES = ["Apis mellifera", "Himatione sanguinea", "Nestor notabilis", "Prosthemadera"]


@pytest.fixture
def state():
    return random_state(0.25, species=4, environment=5)


@pytest.fixture
def checkpoint(tmp_path, state) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    lines = [f"{code}\t{name}\t{name.lower()}\n" for code, name in zip(CODES, NAMES, strict=True)]
    (folder / "labels.txt").write_text("".join(lines))
    return write_checkpoint(folder / "checkpoint_best.pt", state, CODES, 0.25)


@pytest.fixture
def places():
    rng = np.random.default_rng(1)
    lat = np.concatenate([rng.uniform(-90, 90, 60), [90.0, -90.0, 0.0, 0.0]])
    lon = np.concatenate([rng.uniform(-180, 180, 60), [0.0, 77.0, 180.0, -180.0]])
    return lat, lon, rng.integers(1, 49, len(lat))


@pytest.mark.parametrize("scale", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("habitat", [False, True])
def test_a_network_computes_what_the_geomodel_does(tmp_path, places, scale, habitat):
    state = random_state(scale, species=4, environment=5, habitat=habitat, seed=3)
    file = write_checkpoint(tmp_path / "checkpoint_best.pt", state, CODES, scale)
    network = network_of(read_checkpoint(file))
    lat, lon, week = places
    logits, environment = forward(state, lat, lon, week)
    position = torch.from_numpy(np.stack([lat, lon], axis=1)).float()
    with torch.inference_mode():
        features = network.features(position, torch.from_numpy(week))
        np.testing.assert_allclose(network.logits(features), logits, atol=2e-5)
        batch = SimpleNamespace(position=position, week=torch.from_numpy(week), environment=None)
        for module in network.modules():
            module.dropped = 0
        np.testing.assert_allclose(network.train()(batch).environment, environment, atol=2e-5)
    assert np.abs(logits).max() > 1


def test_an_imported_run_answers(checkpoint, state, places, tmp_path):
    run = workflow.import_model(checkpoint, out=tmp_path / "runs")
    lat, lon, week = places
    probabilities = expit(forward(state, lat, lon, week)[0])
    found = run.predictor.probabilities(lat, lon, week)
    np.testing.assert_allclose(found, probabilities, atol=1e-5)
    listed = workflow.species_list(run.folder, lat=lat[0], lon=lon[0], week=int(week[0]))
    best = int(probabilities[0].argmax())
    assert listed.row(0)[:2] == (CODES[best], NAMES[best])
    assert read_json(run.path("provenance.json"))["imported"]["epochs"] == 7


def test_the_year_is_the_maximum_over_the_weeks(checkpoint, state, tmp_path):
    run = workflow.import_model(checkpoint, out=tmp_path / "runs")
    every = np.arange(1, 49)
    weeks = expit(forward(state, np.full(48, 47.0), np.full(48, 8.0), every)[0])
    np.testing.assert_allclose(
        run.predictor.probabilities(47.0, 8.0, 0)[0], weeks.max(axis=0), atol=1e-5
    )


def test_an_imported_run_is_judged_on_a_table_only(checkpoint, tmp_path):
    run = workflow.import_model(checkpoint, out=tmp_path / "runs")
    table = write(tmp_path / "cells.parquet", columns(random_lists(30, CODES)))
    with pytest.raises(RunError, match=r"imported.*Give a table"):
        workflow.evaluate(run.folder)
    with pytest.raises(RunError, match=r"imported.*quadrat evaluate"):
        workflow.report(run.folder)
    for verb in (workflow.check, workflow.train):
        with pytest.raises(ExperimentError, match=r"train fine-tune --set start\.run="):
            verb(run.folder)
    with pytest.raises(RunError, match="imported"):
        run.metrics()
    metrics = workflow.evaluate(run.folder, data=table)
    assert 0 < metrics["scores"]["map"] <= 1
    assert metrics["baselines"] == {}
    assert run.experiment().network.scale == 0.25


def test_codes_that_are_numpy_text_and_scores_that_are_numpy_numbers(tmp_path, state):
    codes = [np.str_(code) for code in CODES]
    more = {"best_geoscore": np.float64(0.5)}
    file = write_checkpoint(tmp_path / "checkpoint_best.pt", state, codes, 0.25, **more)
    found = read_checkpoint(file)
    assert found.codes == tuple(CODES) and type(found.codes[0]) is str
    assert found.score == 0.5


def test_a_file_that_would_run_code_is_refused(tmp_path, state):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    file = write_checkpoint(tmp_path / "trap.pt", state, CODES, 0.25, history=Trap())
    with pytest.raises(DataError, match="could run code"):
        read_checkpoint(file)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_files_that_are_no_checkpoint(tmp_path, content):
    file = tmp_path / "checkpoint_best.pt"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"checkpoint_best\.pt"):
        read_checkpoint(file)


def test_weights_of_something_else(tmp_path):
    file = tmp_path / "resnet.pt"
    torch.save({"fc.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(DataError, match="not a checkpoint of the BirdNET geomodel"):
        read_checkpoint(file)
    with pytest.raises(DataError, match="cannot be read"):
        read_checkpoint(tmp_path / "none.pt")


def test_parameters_that_do_not_fit_the_scale(tmp_path, state):
    state["surplus.weight"] = np.zeros(3)
    del state["species_head.head.1.bias"]
    file = write_checkpoint(tmp_path / "checkpoint_best.pt", state, CODES, 0.5)
    with pytest.raises(DataError) as caught:
        network_of(read_checkpoint(file))
    message = str(caught.value)
    assert "no species_head.head.1.bias" in message and "unknown: surplus.weight" in message
    assert "encoder.input_proj.weight: (128, 12) where (256, 12) is expected" in message


def test_labels_of_another_model(checkpoint):
    read = read_checkpoint(checkpoint)
    labels = checkpoint.with_name("labels.txt")
    labels.write_text(labels.read_text().replace("kea1", "kokako3"))
    with pytest.raises(DataError, match="line 3: 'kokako3', but the checkpoint says 'kea1'"):
        species_of(read, None, None)
    labels.write_text("a\n")
    with pytest.raises(DataError, match="1 lines, but the model has 4 species"):
        species_of(read, labels, None)


def test_names_come_from_the_taxonomy_then_the_labels_then_the_codes(checkpoint, tmp_path):
    read = read_checkpoint(checkpoint)
    taxonomy = tmp_path / "taxonomy.csv"
    taxonomy.write_text("species_code,sci_name,com_name,class_name\nkea1,Nestor n.,Kea,aves\n")
    found = species_of(read, None, taxonomy).species
    assert [s.common for s in found][1:3] == [NAMES[1].lower(), "Kea"]
    assert found[2].group == "aves"
    own = checkpoint.with_name("checkpoint_best_labels.txt")
    own.write_text("1032549\napapan\tHimatione\nkea1\nkea1\n")
    with pytest.raises(DataError, match="'kea1' twice"):
        species_of(read, None, None)
    own.unlink()
    checkpoint.with_name("labels.txt").unlink()
    assert [s.scientific for s in species_of(read, None, None).species] == CODES


def test_the_meaning_of_the_environment_comes_from_the_table(checkpoint, tmp_path):
    table = columns(random_lists(30, CODES), ocean_depth=[None, 2.0, 4.0] * 10)
    file = write(tmp_path / "cells.parquet", table)
    read = read_checkpoint(checkpoint)
    with pytest.raises(DataError, match="gives 6 values of environment"):
        environment_of(read, file)
    del table["ocean_depth"]
    encoder = environment_of(read, write(file, table))
    assert [column.name for column in encoder.columns] == [
        "landcover_class",
        "water_fraction",
        "elevation_m",
    ]
    assert encoder.columns[2].mean == pytest.approx(np.mean(table["elevation_m"]))


def test_unknown_values_shrink_the_spread_as_the_geomodel_has_it(tmp_path):
    state = random_state(0.25, species=4, environment=6)
    read = read_checkpoint(write_checkpoint(tmp_path / "c.pt", state, CODES, 0.25))
    table = columns(random_lists(30, CODES), ocean_depth=[None, 2.0, 4.0] * 10)
    encoder = environment_of(read, write(tmp_path / "cells.parquet", table))
    filled = np.array([3.0, 2.0, 4.0] * 10)
    assert encoder.columns[-1].sd == pytest.approx(filled.std())
