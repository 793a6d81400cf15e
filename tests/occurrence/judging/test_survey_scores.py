import numpy as np
import polars as pl
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    roc_auc_score,
)

from quadrat.errors import DataError
from quadrat.experiment import ScoreSection
from quadrat.geo import cell_centres, cells_at
from quadrat.occurrence.judging.baselines import TrainingCounts
from quadrat.occurrence.judging.survey_scores import judge_survey
from quadrat.occurrence.network.model import NetworkSpec
from quadrat.occurrence.predictor import OccurrencePredictor
from quadrat.occurrence.records.surveys import read_survey
from quadrat.occurrence.records.taxonomy import Species, Vocabulary
from quadrat.occurrence.samples.observed import ObservedCells
from quadrat.runtime.calibration import Calibration
from quadrat.scoring._resampled import weighted_ap_auc

CODES = ("barswa", "comcuc", "eurrob1")
VOCABULARY = Vocabulary(tuple(Species(code, f"Genus {code}", code.upper()) for code in CODES))
SCORE = ScoreSection(bootstrap=60)


@pytest.fixture(scope="module")
def wide():
    """40 visits of 20 places; one species unknown, some not looked for, and a site's name."""
    rng = np.random.default_rng(0)
    place = np.repeat(np.arange(20), 2)
    table = {
        "site": [f"s{p}" for p in place],
        "lat": rng.uniform(-50, 50, 20)[place],
        "lon": rng.uniform(-170, 170, 20)[place],
        "date": ["2026-05-17", "2026-10-02"] * 20,
    }
    for code, share in zip((*CODES, "dodo"), (0.5, 0.2, 0.8, 0.5), strict=True):
        values = (rng.random(40) < share).astype(float)
        table[code] = np.where(rng.random(40) < 0.1, None, values).tolist()
    return pl.DataFrame(table)


@pytest.fixture(scope="module")
def predictor():
    curves = Calibration(
        np.full(3, 3, np.float32), np.zeros(3, np.float32), np.array([0.3, 0.6, 0.5], np.float32)
    )
    spec = NetworkSpec("spherical", 8, 8, 0.125, species=3, environment=0)
    return OccurrencePredictor(spec.build(1), spec, VOCABULARY, calibration=curves, device="cpu")


def written(frame, tmp_path, name="survey.csv"):
    path = tmp_path / name
    frame.write_csv(path)
    return path


def test_long_and_wide_tables_say_the_same(wide, tmp_path):
    found = read_survey(written(wide, tmp_path), VOCABULARY)
    assert found.unknown == ("dodo",) and len(found.lat) == 40
    assert len(found.present) == sum(wide[code].count() for code in CODES)
    long = wide.unpivot(index=["lat", "lon", "date"], variable_name="species", value_name="present")
    long = long.filter(pl.col("species") != "site").with_columns(pl.col("present").cast(pl.Float64))
    names = dict(zip(CODES, [s.scientific for s in VOCABULARY.species], strict=True))
    named = long.with_columns(pl.col("species").replace(names)).sample(fraction=1, shuffle=True)
    again = read_survey(written(named, tmp_path), VOCABULARY)
    for name in ("lat", "lon", "week", "visit", "column", "present"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def test_a_species_found_once_in_a_week_was_present(tmp_path):
    rows = [(1.0, 2.0, 5, "barswa", 0), (1.0, 2.0, 5, "barswa", 1), (1.0, 2.0, 6, "barswa", 0)]
    table = pl.DataFrame(rows, schema=["lat", "lon", "week", "species", "present"], orient="row")
    found = read_survey(written(table, tmp_path), VOCABULARY)
    assert found.week.tolist() == [5, 6] and found.present.tolist() == [True, False]


def test_scores_are_those_of_scikit_learn(wide, predictor, tmp_path):
    survey = read_survey(written(wide, tmp_path), VOCABULARY)
    metrics = judge_survey(predictor, survey, counts=None, score=SCORE, seed=0).metrics
    answers = predictor.probabilities(survey.lat, survey.lon, survey.week)
    p, y = answers[survey.visit, survey.column], survey.present
    aucs, f1s = [], []
    for column, code in enumerate(CODES):
        mine = survey.column == column
        told = metrics.per_target[code]
        assert told["n"] == mine.sum() and told["present"] == y[mine].sum()
        assert told["auc"] == pytest.approx(roc_auc_score(y[mine], p[mine]))
        assert told["ap"] == pytest.approx(average_precision_score(y[mine], p[mine]))
        f1s.append(f1_score(y[mine], p[mine] >= predictor.thresholds[column]))
        assert told["f1_threshold"] == pytest.approx(f1s[-1])
        aucs.append(told["auc"])
    scores = metrics.scores
    assert metrics.primary == "macro_auc" and scores["macro_auc"] == pytest.approx(np.mean(aucs))
    assert scores["macro_f1_threshold"] == pytest.approx(np.mean(f1s))
    assert scores["brier"] == pytest.approx(brier_score_loss(y, p))
    assert scores["log_loss"] == pytest.approx(log_loss(y, p.astype(np.float64)))
    listed = p >= predictor.thresholds[survey.column]
    assert scores["f1_threshold"] == pytest.approx(f1_score(y, listed))
    visits = [survey.visit == v for v in range(40) if y[survey.visit == v].any()]
    each = [average_precision_score(y[rows], p[rows]) for rows in visits]
    assert scores["map"] == pytest.approx(np.mean(each))
    for name in ("macro_auc", "macro_ap", "map", "brier", "f1_threshold"):
        low, high = metrics.intervals[name]
        assert low < scores[name] < high
    assert metrics.protocol["unknown_species"] == ["dodo"] and metrics.protocol["groups"] == 20


def test_rows_that_say_nothing_leave_scores_and_intervals_alone(wide, predictor, tmp_path):
    blank = wide.head(15).with_columns(
        lat=pl.col("lat") + 0.5, **{code: pl.lit(None, pl.Float64) for code in CODES}
    )
    plain, more = (
        judge_survey(
            predictor,
            read_survey(written(table, tmp_path), VOCABULARY),
            counts=None,
            score=SCORE,
            seed=0,
        )
        for table in (wide, pl.concat([wide, blank]))
    )
    assert more.metrics.scores == plain.metrics.scores
    assert more.metrics.intervals == plain.metrics.intervals
    assert more.places.equals(plain.places)
    protocol = more.metrics.protocol
    assert (protocol["visits"], protocol["groups"], protocol["visits_left_out"]) == (40, 20, 15)
    assert "40 visits" in protocol["words"] and "15 visits without" in protocol["words"]
    assert "left out" not in plain.metrics.protocol["words"]


def test_places_in_learnt_cells_are_told(wide, predictor, tmp_path):
    survey = read_survey(written(wide, tmp_path), VOCABULARY)
    places = np.unique(np.stack([survey.lat, survey.lon], axis=1), axis=0)
    centres = cell_centres(cells_at(*places[:6].T, 3))
    knows = OccurrencePredictor(
        predictor.network,
        predictor.spec,
        VOCABULARY,
        observed=ObservedCells(*centres, np.ones(6, np.int64), 100.0),
        device="cpu",
    )
    found = judge_survey(knows, survey, counts=None, score=SCORE, seed=0).metrics.protocol
    assert found["learnt_places"] == 6
    assert "6 of its 20 places lie in cells with records it learnt" in found["words"]
    unknown = judge_survey(predictor, survey, counts=None, score=SCORE, seed=0).metrics.protocol
    assert "learnt_places" not in unknown


def test_no_intervals_no_resamples_in_words(wide, predictor, tmp_path):
    survey = read_survey(written(wide, tmp_path), VOCABULARY)
    none = ScoreSection(bootstrap=0)
    for score, told in ((none, False), (SCORE, True)):
        found = judge_survey(predictor, survey, counts=None, score=score, seed=0).metrics
        assert ("resample" in found.protocol["words"]) == told == bool(found.intervals)


def test_baselines_stand_beside_it(wide, predictor, tmp_path):
    survey = read_survey(written(wide, tmp_path), VOCABULARY)
    counts = TrainingCounts(np.full((48, 3), [9, 5, 1]), 20)
    found = judge_survey(predictor, survey, counts=counts, score=SCORE, seed=0).metrics
    assert found.baselines["prevalence"]["macro_auc"] == pytest.approx(0.5)
    assert 0 < found.baselines["seasonal"]["map"] <= 1


def test_species_places_and_curves_add_up(wide, predictor, tmp_path):
    survey = read_survey(written(wide, tmp_path), VOCABULARY)
    counts = TrainingCounts(np.full((48, 3), [9, 5, 1]), 20)
    found = judge_survey(predictor, survey, counts=counts, score=SCORE, seed=0)
    assert found.species["code"].to_list() == list(CODES)
    assert found.species["n_train"].to_list() == [48 * 9, 48 * 5, 48]
    assert found.species["n"].sum() == found.places["found"].sum() == survey.present.sum()
    assert found.species["visits"].sum() == found.places["looked_for"].sum() == len(survey.visit)
    assert found.places["visits"].to_list() == [2] * 20
    where = survey.lat == found.places["lat"][3]
    here = where[survey.visit]
    p = predictor.probabilities(survey.lat, survey.lon, survey.week)[survey.visit, survey.column]
    assert found.places["expected"][3] == pytest.approx(p[here].sum(), rel=1e-5)
    each = [
        average_precision_score(survey.present[rows], p[rows])
        for rows in (survey.visit == visit for visit in np.flatnonzero(where))
        if survey.present[rows].any()
    ]
    assert found.places["map"][3] == pytest.approx(np.mean(each))
    for curve, probability in ((found.reliability, p), (found.reliability["raw"], None)):
        assert sum(curve["count"]) == len(survey.visit)
        seen = np.nansum(np.multiply(curve["count"], curve["frequency"]))
        assert seen == pytest.approx(survey.present.sum())
        said = np.nansum(np.multiply(curve["count"], curve["mean_probability"]))
        if probability is None:
            plain = OccurrencePredictor(
                predictor.network, predictor.spec, VOCABULARY, device="cpu"
            ).probabilities(survey.lat, survey.lon, survey.week)
            probability = plain[survey.visit, survey.column]
        assert said == pytest.approx(probability.sum(), rel=1e-4)


def test_weights_are_repeated_samples():
    rng = np.random.default_rng(0)
    p, y = rng.random(50).round(1), rng.random(50) < 0.3
    weights = rng.integers(0, 4, (5, 50)).astype(float)
    ap, auc = weighted_ap_auc(p, y, weights)
    for row, w in enumerate(weights.astype(int)):
        many, truth = np.repeat(p, w), np.repeat(y, w)
        assert ap[row] == pytest.approx(average_precision_score(truth, many))
        assert auc[row] == pytest.approx(roc_auc_score(truth, many))


def test_tables_that_cannot_be_judged(wide, predictor, tmp_path):
    odd = wide.with_columns(barswa=pl.lit(2))
    with pytest.raises(DataError, match="'barswa' must be 0"):
        read_survey(written(odd, tmp_path), VOCABULARY)
    with pytest.raises(DataError, match="knows none of the species"):
        read_survey(written(wide.drop(CODES), tmp_path), VOCABULARY)
    with pytest.raises(DataError, match="no presence of species"):
        read_survey(written(wide.select("site", "lat", "lon", "date"), tmp_path), VOCABULARY)
    always = wide.with_columns(**{code: pl.lit(1) for code in CODES})
    survey = read_survey(written(always, tmp_path), VOCABULARY)
    with pytest.raises(DataError, match="nothing can be ranked"):
        judge_survey(predictor, survey, counts=None, score=SCORE, seed=0)
