"""Response curves of a network that reads the environment."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from quadrat import workflow
from quadrat.errors import DataError, UsageError
from quadrat.explanations import Question
from quadrat.occurrence import family, training
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.responses.curves import PLACES, some_places
from quadrat.runs import Run


@pytest.fixture(scope="module")
def train(experiment, tmp_path_factory):
    """Trains a network for an epoch; the argument is what it reads."""

    def make(inputs):
        made = experiment(network={"environment_input": inputs}, optimiser={"epochs": 1})
        run = Run.create(tmp_path_factory.mktemp("runs"), made)
        training.train(made, run, history=run.history())
        return run

    return make


@pytest.fixture(scope="module")
def run(train):
    return train(["temperature_c", "landcover_class"])


@pytest.fixture(scope="module")
def predictor(run):
    return OccurrencePredictor.load(run.folder, device="cpu")


def explained(run, table=None, **options):
    return family.explain(run, Question(table, **options)).tables


def means(answers):
    """Mean over weeks ``(W, N, S)``, then mean and quantiles over places."""
    places = answers.astype(np.float64).mean(axis=0)
    return [places.mean(axis=0), *np.quantile(places, [0.1, 0.9], axis=0)]


def test_curves_are_those_of_the_runs_own_cells(run, predictor):
    code = predictor.vocabulary.codes[5]
    tables = explained(run, species=[code])
    assert list(tables) == ["importance", "response"]
    found = tables["response"]
    assert found["covariate"].unique(maintain_order=True).to_list() == [
        name for name in predictor.known.names if name in ("temperature_c", "landcover_class")
    ]
    known = predictor.known
    rows = some_places(len(known.lat), PLACES, run.experiment().seed)
    for row in found.gather_every(11).rows(named=True):
        value = row["value"] if row["category"] is None else float(row["category"])
        answers = [
            predictor.probabilities(known.lat[rows], known.lon[rows], w, {row["covariate"]: value})
            for w in (1, 13, 26, 39)
        ]
        told = [each[5] for each in means(np.stack(answers))]
        assert [row["mean"], row["low"], row["high"]] == pytest.approx(told, abs=1e-6)


def test_values_are_in_the_units_of_the_table(run, planet):
    found = explained(run, species=[])["response"]
    temperature = pl.read_parquet(planet.table)["temperature_c"].drop_nulls().drop_nans()
    own = found.filter(pl.col("covariate") == "temperature_c")["value"]
    assert own.min() == pytest.approx(temperature.quantile(0.01, "linear"))
    assert own.max() == pytest.approx(temperature.quantile(0.99, "linear"))
    assert found["species"].n_unique() == 12


def test_a_table_of_places_and_a_week(run, predictor, tmp_path):
    covers = {column.name: column.classes for column in predictor.known.encoder.columns}
    frame = pl.DataFrame(
        {
            "lat": [47.0, 10.0, -30.0],
            "lon": [8.0, 20.0, 25.0],
            "temperature_c": [1.0, 22.5, None],
            "landcover_class": [covers["landcover_class"][0]] * 3,
        }
    )
    frame.write_csv(tmp_path / "places.csv")
    code = predictor.vocabulary.codes[0]
    found = explained(run, tmp_path / "places.csv", species=[code], week=7)["response"]
    weather = found.filter(pl.col("covariate") == "temperature_c")
    given = {name: frame[name].to_numpy() for name in frame.columns[2:]}
    for row in weather.rows(named=True):
        environment = {**given, "temperature_c": row["value"]}
        answers = predictor.probabilities(frame["lat"], frame["lon"], 7, environment)
        assert row["mean"] == pytest.approx(answers[:, 0].mean(), abs=1e-6)
    other = explained(run, tmp_path / "places.csv", species=[code], week=30)["response"]
    assert not np.allclose(found["mean"], other["mean"])


def test_tables_and_figures_are_written(run, tmp_path):
    paths = workflow.explain(run.folder, out=tmp_path, week=20)
    names = ["importance.csv", "response.csv", "response.png", "response.svg"]
    assert [path.name for path in paths] == names
    assert "probability" in paths[-1].read_text(encoding="utf-8")
    assert pl.read_csv(paths[0]).columns == ["column", "drop", "sd"]


def test_networks_that_read_no_environment_have_nothing_to_tell(train, tmp_path):
    with pytest.raises(UsageError, match=r"network\.environment_input"):
        workflow.explain(train(False).folder, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_is_refused(run, tmp_path):
    with pytest.raises(UsageError, match=r"--week 49: weeks are 1-48"):
        explained(run, week=49)
    pl.DataFrame({"lat": [47.0], "temperature_c": [1.0]}).write_csv(tmp_path / "bad.csv")
    with pytest.raises(DataError, match="has no column 'lon'"):
        explained(run, tmp_path / "bad.csv")
