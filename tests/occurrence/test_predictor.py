import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import expit, logit

from quadrat.errors import DataError, RunError, UsageError
from quadrat.occurrence import answering
from quadrat.occurrence.network.model import NetworkSpec
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.runtime.calibration import Calibration

SPECIES = Vocabulary(
    (
        Species("barswa", "Hirundo rustica", "Barn Swallow"),
        Species("lat", "Latius latus", "Lat"),  # a code that is a column's name too
        Species("comcuc", "Cuculus canorus", "Common Cuckoo"),
    )
)
LAT, LON, WEEK = np.array([48.2, -33.9, 90.0]), np.array([16.4, 151.2, 12.0]), np.array([1, 30, 48])


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    spec = NetworkSpec("spherical", 8, 8, 0.125, species=3, environment=2)
    network = spec.build(seed=5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return OccurrencePredictor(network, spec, SPECIES, device="cpu")


def test_answers_survive_saving(predictor, tmp_path):
    predictor.save(tmp_path)
    again = OccurrencePredictor.load(tmp_path, device="cpu")
    expected = predictor.probabilities(LAT, LON, WEEK)
    assert (again.probabilities(LAT, LON, WEEK) == expected).all()
    assert again.vocabulary.codes == SPECIES.codes
    assert expected.dtype == np.float32 and expected.shape == (3, 3)
    assert ((expected > 0) & (expected < 1)).all() and np.ptp(expected) > 0.01


def test_the_harmonic_encoding_is_saved_too(tmp_path):
    spec = NetworkSpec("harmonic", 4, 6, 0.125, species=3, environment=0)
    predictor = OccurrencePredictor(spec.build(), spec, SPECIES, device="cpu")
    predictor.save(tmp_path)
    again = OccurrencePredictor.load(tmp_path, device="cpu")
    assert again.spec == spec
    expected = predictor.probabilities(LAT, LON, WEEK)
    assert (again.probabilities(LAT, LON, WEEK) == expected).all()


def test_the_year_is_the_maximum_over_the_weeks(predictor):
    weeks = [predictor.probabilities(LAT, LON, week) for week in range(1, 49)]
    year = predictor.probabilities(LAT, LON, 0)
    np.testing.assert_allclose(year, np.max(weeks, axis=0), rtol=1e-5)
    mixed = predictor.probabilities(LAT, LON, [0, 30, 0])
    np.testing.assert_allclose(mixed, [year[0], weeks[29][1], year[2]], rtol=1e-5)


def test_many_places_are_answered_like_one(predictor):
    rng = np.random.default_rng(0)
    lat, lon, week = rng.uniform(-90, 90, 5000), rng.uniform(-180, 180, 5000), np.full(5000, 7)
    together = predictor.probabilities(lat, lon, week)
    for row in (0, 4095, 4096, 4999):
        alone = predictor.probabilities(lat[row], lon[row], week[row])
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-4)


def test_a_table_gets_a_column_for_each_species(predictor):
    table = pl.DataFrame({"site": ["a", "b"], "lat": [1.0, 2.0], "lon": [3.0, 4.0], "week": [5, 0]})
    frame = predictor.predict(table).frame()
    assert frame.columns == ["site", "lon", "week", "barswa", "lat", "comcuc"]
    assert frame.schema["barswa"] == pl.Float32
    expected = predictor.probabilities([1.0, 2.0], [3.0, 4.0], [5, 0])
    np.testing.assert_array_equal(frame.select(SPECIES.codes).to_numpy(), expected)


def test_species_list(predictor):
    found = predictor.species_list(48.2, 16.4, 19)
    assert found["probability"].is_sorted(descending=True) and found.height == 3
    same = predictor.species_list(48.2, 16.4, date="2026-05-17", top=2)
    assert same.equals(found.head(2))
    limit = float(found["probability"][1])
    assert predictor.species_list(48.2, 16.4, 19, threshold=limit).height == 2
    assert predictor.species_list(48.2, 16.4, 19, threshold=1.1).height == 0
    row = found.row(0, named=True)
    assert row["scientific_name"] == SPECIES.species[SPECIES.find(row["code"])].scientific
    with pytest.raises(UsageError, match="either a week"):
        predictor.species_list(48.2, 16.4)
    with pytest.raises(UsageError, match="either a week"):
        predictor.species_list(48.2, 16.4, 19, date="2026-05-17")


def test_some_species_only(predictor):
    every = predictor.probabilities(LAT, LON, [0, 30, 48])
    some = predictor.probabilities(LAT, LON, [0, 30, 48], columns=[2, 0])
    np.testing.assert_allclose(some, every[:, [2, 0]], rtol=1e-5)


@pytest.fixture
def informed(predictor):
    """The same network with curves, thresholds and a place with records."""
    curves = Calibration(
        np.array([0.5, 1.0, 2.0], np.float32),
        np.array([-1.0, 0.0, 1.0], np.float32),
        np.array([0.0001, 0.9999, 0.01], np.float32),
    )
    observed = ObservedCells(np.array([48.0]), np.array([16.0]), np.array([7]), 500.0)
    return OccurrencePredictor(
        predictor.network, predictor.spec, SPECIES, calibration=curves, observed=observed,
        device="cpu",
    )  # fmt: skip


def test_every_answer_is_calibrated(predictor, informed, tmp_path):
    z = logit(predictor.probabilities(LAT, LON, WEEK).astype(np.float64))
    expected = expit(z * [0.5, 1.0, 2.0] + [-1.0, 0.0, 1.0])
    np.testing.assert_allclose(informed.probabilities(LAT, LON, WEEK), expected, rtol=1e-4)
    some = informed.probabilities(LAT, LON, WEEK, columns=[2, 0])
    np.testing.assert_allclose(some, expected[:, [2, 0]], rtol=1e-4)
    informed.save(tmp_path)
    again = OccurrencePredictor.load(tmp_path, device="cpu")
    assert (again.probabilities(LAT, LON, 0) == informed.probabilities(LAT, LON, 0)).all()
    assert (again.thresholds == informed.thresholds).all()


def test_lists_are_cut_at_the_species_own_thresholds(predictor, informed):
    found = informed.species_list(48.2, 16.4, 19, threshold="species")
    everything = informed.species_list(48.2, 16.4, 19)
    limits = dict(zip(SPECIES.codes, informed.thresholds, strict=True))
    kept = [bool(row["probability"] >= limits[row["code"]]) for row in everything.to_dicts()]
    assert 0 < sum(kept) < 3 and found.equals(everything.filter(kept))
    table = pl.DataFrame({"lat": LAT, "lon": LON, "week": WEEK})
    present = informed.predict(table).frame(informed.thresholds)
    expected = informed.probabilities(LAT, LON, WEEK) >= informed.thresholds
    assert (present.select("barswa", "lat", "comcuc").to_numpy() == expected).all()
    with pytest.raises(RunError, match="no thresholds of species"):
        predictor.species_list(48.2, 16.4, 19, threshold="species")


def test_places_far_from_all_records_are_told(predictor, informed):
    away = informed.distance_km(LAT, LON)
    assert away[0] < 50 and away[1] > 10_000
    assert informed.is_far(LAT, LON).tolist() == [False, True, True]
    table = pl.DataFrame({"lat": LAT, "lon": LON, "week": WEEK})
    frame = informed.predict(table, distance=True).frame()
    assert frame["distance_km"].to_list() == away.tolist()
    assert np.isnan(predictor.distance_km(LAT, LON)).all()
    assert not predictor.is_far(LAT, LON).any()


def test_a_calibration_of_another_model(informed, tmp_path):
    informed.save(tmp_path)
    Calibration.identity(2).write(tmp_path / "calibration.npz")
    with pytest.raises(RunError, match="calibrates 2 species"):
        OccurrencePredictor.load(tmp_path)
    (tmp_path / "calibration.npz").write_bytes(b"nothing")
    with pytest.raises(RunError, match="cannot be used"):
        OccurrencePredictor.load(tmp_path)


@pytest.mark.parametrize(("lat", "lon", "week"), [(91, 0, 1), (0, 361, 1), (0, 0, 49), (0, 0, -1)])
def test_places_that_cannot_be(predictor, lat, lon, week):
    with pytest.raises(DataError, match="must lie between"):
        predictor.probabilities(lat, lon, week)


def test_no_places_at_all(predictor):
    assert predictor.probabilities([], [], []).shape == (0, 3)


def test_loading_runs_no_code_and_needs_no_data(predictor, tmp_path):
    predictor.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".txt", ".safetensors"}
    program = (
        "import pickle, sys; pickle.Unpickler = pickle.load = pickle.loads = None\n"
        "from quadrat.occurrence.predictor import OccurrencePredictor\n"
        f"found = OccurrencePredictor.load({str(tmp_path)!r}).species_list(1, 2, 3)\n"
        "assert found.height == 3 and 'pyarrow.parquet' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def damaged(predictor, tmp_path, change):
    predictor.save(tmp_path)
    path = tmp_path / "model.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))
    return tmp_path


def test_another_kind_of_model(predictor, tmp_path):
    folder = damaged(predictor, tmp_path, lambda d: d.update(kind="photos-network"))
    with pytest.raises(RunError, match="'photos-network'"):
        OccurrencePredictor.load(folder)


def test_a_model_that_points_outside_its_folder(predictor, tmp_path):
    folder = damaged(predictor, tmp_path, lambda d: d.update(weights="../other.safetensors"))
    with pytest.raises(RunError, match="points outside"):
        OccurrencePredictor.load(folder)


def test_weights_of_another_shape(predictor, tmp_path):
    folder = damaged(predictor, tmp_path, lambda d: d["network"].update(scale=0.5))
    with pytest.raises(RunError, match=r"model\.safetensors cannot be used"):
        OccurrencePredictor.load(folder)


def test_damaged_weights(predictor, tmp_path):
    predictor.save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(RunError, match=r"model\.safetensors cannot be used"):
        OccurrencePredictor.load(tmp_path)


def test_labels_of_another_model(predictor, tmp_path):
    predictor.save(tmp_path)
    Vocabulary(SPECIES.species[:2]).write(tmp_path / "labels.txt")
    with pytest.raises(RunError, match="names 2 species"):
        OccurrencePredictor.load(tmp_path)


@pytest.mark.parametrize("first", [0, 10_000])
def test_a_single_place_is_answered_like_a_batch(predictor, informed, monkeypatch, first):
    monkeypatch.setattr(answering, "_FIRST", first)
    for one in (predictor, informed):
        for lat, lon, week in zip(LAT, LON, WEEK, strict=True):
            alone = one.probabilities(lat, lon, week)
            assert alone.shape == (1, 3) and alone.dtype == np.float32
            np.testing.assert_allclose(alone, one.probabilities([lat], lon, week), atol=1e-6)
    for wrong in ((90.5, 0, 1), (0, 361, 1), (0, 0, 49), (0, 0, -1), (np.nan, 0, 1)):
        with pytest.raises(DataError):
            predictor.probabilities(*wrong)
    with pytest.raises(UsageError, match="reads no environment"):
        predictor.probabilities(1, 2, 3, {"elevation": 5.0})


def test_after_some_single_places_they_are_asked_in_the_quicker_way(predictor, monkeypatch):
    monkeypatch.setattr(answering, "_FIRST", 3)
    monkeypatch.setattr(predictor, "_asked_alone", 0)
    asked = []
    monkeypatch.setattr(predictor, "_answers", lambda *_: asked.append(1))
    for _ in range(6):
        predictor.probabilities(48.2, 16.4, 20)
    assert len(asked) == 3


def test_equal_species_keep_their_order(predictor, monkeypatch):
    flat = np.array([[0.5, 0.7, 0.5]], np.float32)
    monkeypatch.setattr(predictor, "probabilities", lambda *_: flat)
    codes = [["lat"], ["lat", "barswa"], ["lat", "barswa", "comcuc"]]
    for top, expected in enumerate(codes, start=1):
        assert predictor.species_list(0, 0, 1, top=top)["code"].to_list() == expected
    assert predictor.species_list(0, 0, 1, top=0).height == 0
