"""Response curves and importance of a trained run, against asking it place by place."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from quadrat.errors import DataError, UnknownNameError, UsageError
from quadrat.explanations import Question
from quadrat.occurrence import family
from quadrat.occurrence.points.predictor import PointsPredictor
from quadrat.occurrence.points.table import Covariates, read_covariates
from quadrat.occurrence.responses.importance import covariate_importance
from quadrat.occurrence.responses.points import explain_points
from quadrat.predictors import load_run

COVARIATES = ("temperature_c", "rain_mm", "soil")


def explained(run, table, **options):
    return family.explain(run, Question(table, **options)).tables


@pytest.fixture(scope="module")
def few(region, tmp_path_factory):
    """Twenty surveys, fewer than are drawn, and blanks among them."""
    path = tmp_path_factory.mktemp("few") / "few.csv"
    table = pl.read_csv(region.surveys).head(60).with_row_index("row")
    blank = pl.when(pl.col("row") == 3).then(None).otherwise(pl.col("rain_mm"))
    table.with_columns(rain_mm=blank).drop("row").write_csv(path)
    return path


def test_curves_are_what_predict_says_when_a_column_is_replaced(trained, few):
    found = explained(trained, few, species=["sp07", "sp02"])["response"]
    assert found["species"].unique(maintain_order=True).to_list() == ["sp07", "sp02"]
    assert found["covariate"].unique(maintain_order=True).to_list() == list(COVARIATES)
    model, table = load_run(trained.folder), pl.read_csv(few)
    for row in found.gather_every(9).rows(named=True):
        value = row["value"] if row["category"] is None else row["category"]
        answers = model.predict(table.with_columns(pl.lit(value).alias(row["covariate"])))
        own = answers[row["species"]].to_numpy().astype(np.float64)
        assert row["mean"] == pytest.approx(own.mean(), abs=1e-6)
        assert [row["low"], row["high"]] == pytest.approx(np.quantile(own, [0.1, 0.9]), abs=1e-6)
    soils = found.filter(pl.col("covariate") == "soil")["category"]
    assert soils.unique().sort().to_list() == ["clay", "peat", "sand"]


def test_the_first_species_are_told_of_where_none_are_asked_for(trained, few, region):
    found = explained(trained, few)["response"]
    assert tuple(found["species"].unique(maintain_order=True)) == region.codes


def test_some_species_are_answered_for_as_among_all(trained, region):
    predictor = load_run(trained.folder).predictor
    frame = pl.read_csv(region.surveys)
    covariates = read_covariates(frame, predictor.section, region.surveys)
    some = predictor.model.answers(covariates, [7, 0, 3])
    whole = predictor.model.answers(covariates)[:, [7, 0, 3]]
    np.testing.assert_allclose(some, whole, atol=1e-6)


def test_surveys_tell_the_drop_of_the_auc(trained, region):
    found = explained(trained, region.surveys)["importance"]
    assert found.columns == ["species", "covariate", "measure", "importance", "sd"]
    assert found.height == len(region.codes) * len(COVARIATES)
    assert set(found["measure"]) == {"auc_drop"}
    first = found.filter(pl.col("species") == region.codes[0])["importance"].to_list()
    assert first == sorted(first, reverse=True)
    means = dict(found.group_by("covariate").agg(pl.col("importance").mean()).rows())
    assert means["rain_mm"] > 0.01, "species have niches along the rain"


def test_the_drop_is_that_of_scikit_learn():
    rng = np.random.default_rng(8)
    numbers = rng.normal(size=(300, 2))
    labels = (rng.random((300, 2)) < 0.4).astype(np.float32)
    labels[:, 0] = (numbers[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(np.float32)
    labels[:30, 0] = np.nan
    labels[:, 1] = 0

    def answer(places: Covariates) -> np.ndarray:
        first, second = places.numbers.T
        return np.stack([first, second], axis=1).astype(np.float32)

    places = Covariates(numbers, np.empty((300, 0), dtype=object))
    found = covariate_importance(answer, places, ["x", "y"], ["a", "b"], labels=labels, seed=1)
    told = {row[:2]: row[2:] for row in found.rows()}
    whole = roc_auc_score(labels[30:, 0], numbers[30:, 0])
    assert told["a", "x"][0] == "auc_drop"
    assert told["a", "x"][1] == pytest.approx(whole - 0.5, abs=0.1)
    assert told["a", "y"][1:] == (0.0, 0.0)
    apart = np.abs(np.subtract.outer(numbers[:, 1], numbers[:, 1])).mean()
    assert told["b", "y"][0] == "mean_absolute_change", "a species that was never seen has no AUC"
    assert told["b", "y"][1] == pytest.approx(apart, rel=0.15)
    assert told["b", "x"][1] == 0.0


def test_long_surveys_tell_the_same_as_wide_ones(trained, region, tmp_path):
    wide = pl.read_csv(region.surveys)
    places = [name for name in wide.columns if name not in region.codes]
    long = wide.unpivot(
        list(region.codes), index=places, variable_name="species", value_name="seen"
    )
    long.write_csv(tmp_path / "long.csv")
    predictor = load_run(trained.folder).predictor
    update = {"kind": "presence-absence", "occurrence": "seen"}
    asked = PointsPredictor(
        predictor.model, predictor.vocabulary, predictor.section.model_copy(update=update)
    )
    found = explain_points(asked, tmp_path / "long.csv", species=["sp03"], seed=1)
    expected = explain_points(predictor, region.surveys, species=["sp03"], seed=1)
    assert found["importance"].equals(expected["importance"])
    assert found["response"].equals(expected["response"])


def test_records_tell_how_far_answers_move(trained, region):
    found = explained(trained, region.records, species=["sp01"])
    assert set(found["importance"]["measure"]) == {"mean_absolute_change"}
    assert (found["importance"]["importance"] > 0).all()


def test_the_same_seed_gives_the_same_tables(trained, region):
    first, again = (explained(trained, region.surveys, species=["sp01"]) for _ in range(2))
    assert all(first[name].equals(again[name]) for name in first)


def test_what_cannot_be_is_refused(trained, few, tmp_path):
    with pytest.raises(UsageError, match=r"give places .* with --data"):
        explained(trained, None)
    with pytest.raises(UsageError, match="points have no weeks"):
        explained(trained, few, week=3)
    for of_photos in ({"method": "gradcam"}, {"samples": 3}):
        with pytest.raises(UsageError, match="--method and --samples are for photos"):
            explained(trained, few, **of_photos)
    with pytest.raises(UnknownNameError, match="unknown species 'sp99'"):
        explained(trained, few, species=["sp99"])
    pl.read_csv(few).drop("rain_mm").write_csv(tmp_path / "dry.csv")
    with pytest.raises(DataError, match="rain_mm"):
        explained(trained, tmp_path / "dry.csv")
