import numpy as np
import polars as pl
import pytest
from scipy import special

from quadrat.errors import UsageError
from quadrat.geo import RasterGrid
from quadrat.occurrence import family, training
from quadrat.occurrence.maps import map_layers
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.samples.dataset import prepare
from quadrat.runs import Run

PLACE = {"lat": 47.0, "lon": 8.0, "week": 20}


@pytest.fixture(scope="module")
def made(experiment):
    return experiment(
        network={"environment_input": ["temperature_c", "landcover_class"], "habitat_head": True}
    )


@pytest.fixture(scope="module")
def run(made, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs"), made)
    training.train(made, run, history=run.history())
    return run


@pytest.fixture(scope="module")
def predictor(run):
    return OccurrencePredictor.load(run.folder, device="cpu")


def test_it_learns(run):
    metrics = run.metrics()
    assert metrics["scores"]["map"] > metrics["baselines"]["seasonal"]["map"] + 0.15
    last = run.history().records()[-1]
    assert last["habitat_loss"] > 0 and last["environment_loss"] > 0


def test_scores_can_be_repeated_from_the_run_folder(run):
    again, first = family.evaluate(run, None), run.metrics()
    assert again["scores"]["map"] == pytest.approx(first["scores"]["map"], abs=1e-6)


def test_another_table_may_lack_the_columns(run, planet, tmp_path):
    bare = pl.read_parquet(planet.table).drop("temperature_c", "landcover_class")
    bare.write_parquet(tmp_path / "bare.parquet")
    by_run = family.evaluate(run, tmp_path / "bare.parquet")["scores"]["map"]
    by_table = family.evaluate(run, planet.table)["scores"]["map"]
    assert by_run == pytest.approx(by_table, abs=1e-6)


def test_the_run_looks_the_environment_up(predictor, made):
    data = prepare(made)
    cells = np.arange(0, len(data.table), 90)
    lat, lon = data.table.lat[cells], data.table.lon[cells]
    given = dict(zip(data.table.environment_names, data.table.environment[cells].T, strict=True))
    np.testing.assert_array_equal(
        predictor.probabilities(lat, lon, 9), predictor.probabilities(lat, lon, 9, given)
    )


def test_the_environment_matters(predictor):
    lat, lon = np.linspace(-60, 60, 25), np.linspace(-180, 179, 25)
    here = special.logit(predictor.probabilities(lat, lon, 20))
    cold, warm = (
        special.logit(predictor.probabilities(lat, lon, 20, {"temperature_c": t}))
        for t in (-15.0, 25.0)
    )
    assert np.abs(cold - warm).mean() > 0.02
    assert not np.array_equal(here, cold)
    warm_here = predictor.probabilities(**PLACE, environment={"temperature_c": 25.0})
    listed = predictor.species_list(**PLACE, environment={"temperature_c": 25.0})
    assert listed["probability"].max() == pytest.approx(warm_here.max())


def test_columns_of_a_table_of_places_are_read(predictor):
    table = pl.DataFrame([{**PLACE, "temperature_c": 25.0}, {**PLACE, "temperature_c": None}])
    answers = predictor.predict(table)
    warm = predictor.probabilities(**PLACE, environment={"temperature_c": 25.0})
    np.testing.assert_allclose(answers.probabilities[:1], warm, atol=1e-6)
    np.testing.assert_allclose(
        answers.probabilities[1:], predictor.probabilities(**PLACE), atol=1e-6
    )
    assert "temperature_c" in answers.frame().columns


def test_the_year_is_the_maximum_over_weeks(predictor):
    known = {"temperature_c": 25.0}
    weeks = predictor.probabilities(47.0, 8.0, np.arange(1, 49), known)
    year = predictor.probabilities(47.0, 8.0, 0, known)
    np.testing.assert_allclose(year[0], weeks.max(axis=0), atol=1e-6)


def test_a_map_is_made_of_the_same_answers(predictor):
    grid = RasterGrid.of(step=30)
    code = predictor.vocabulary.codes[3]
    layers = map_layers(predictor, "range", grid, [9], species=code)
    answers = predictor.probabilities(*grid.places(), 9)[:, 3]
    np.testing.assert_allclose(layers.values[0], answers, atol=1e-6)


def test_a_saved_predictor_knows_the_environment_too(predictor, tmp_path):
    predictor.save(tmp_path)
    again = OccurrencePredictor.load(tmp_path, device="cpu")
    assert np.array_equal(again.probabilities(**PLACE), predictor.probabilities(**PLACE))


def test_a_model_that_reads_no_environment_says_so(predictor):
    blind = OccurrencePredictor(predictor.network, predictor.spec, predictor.vocabulary)
    assert blind.probabilities(**PLACE).shape == (1, len(predictor.vocabulary))
    with pytest.raises(UsageError, match="reads no environment"):
        blind.probabilities(**PLACE, environment={"temperature_c": 1.0})
    with pytest.raises(UsageError, match="knows no environment column"):
        predictor.probabilities(**PLACE, environment={"temperatur": 1.0})
