from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from quadrat.engine import Progress, report_progress
from quadrat.errors import DataError, ExperimentError, UsageError
from quadrat.photos.field.tables import (
    FILE,
    hectare_frame,
    paddock_frame,
    per_hectare,
    read_shared,
)
from quadrat.photos.predictions import Predictions
from quadrat.photos.samples.loading import load_samples
from quadrat.photos.training import train
from quadrat.runs import Run
from quadrat.workflow import predict
from tests.photos.small import small, table
from tests.photos.tables import TARGETS

FIELD = {"quadrat_m": [0.3, 0.7], "paddock": "paddock"}
FACTOR = 10 / 0.21


class Told(Progress):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def with_paddocks() -> pl.DataFrame:
    return table().with_columns(
        paddock=pl.Series([None if k == 0 else f"paddock {k // 6 % 4}" for k in range(48)])
    )


def answers(count: int) -> Predictions:
    values = np.random.default_rng(0).uniform(10, 90, (count, 3))
    ids = tuple(f"photos/{row}.png" for row in range(count))
    return Predictions(ids, TARGETS, values, values, values * 0, values - 5, values + 5)


def test_a_gram_on_a_square_metre_is_ten_kilograms_on_a_hectare():
    np.testing.assert_allclose(per_hectare(np.array([1.0, 21.0]), 1.0), [10.0, 210.0])
    np.testing.assert_allclose(per_hectare(np.array([21.0]), 0.21), [1000.0])


def test_predictions_get_columns_per_hectare(tmp_path: Path):
    asked = small(tmp_path, field={"quadrat_m": [0.3, 0.7], "targets": ["green_g"]})
    frame = hectare_frame(answers(4).frame(), asked)
    green = frame.filter(pl.col("target") == "green_g")
    for new, old in (("kg_ha", "balanced"), ("kg_ha_lower", "lower"), ("kg_ha_upper", "upper")):
        np.testing.assert_allclose(green[new], green[old] * FACTOR)
    assert frame.filter(pl.col("target") != "green_g")["kg_ha"].is_null().all()


def test_a_paddock_is_the_mean_of_its_photos(tmp_path: Path):
    asked = small(tmp_path, with_paddocks(), field=FIELD)
    samples = load_samples(asked, asked.data.table, require_targets=True)
    told, given = Told(), answers(48)
    with report_progress(told):
        found = paddock_frame(asked, samples, given, {})
    assert told.warnings == ["1 samples have no 'paddock': in no paddock"]
    assert found.height == 4 * 3
    row = found.row(
        by_predicate=(pl.col("paddock") == "paddock 1") & (pl.col("target") == "dead_g"), named=True
    )
    mine = given.balanced[[k for k in range(48) if k // 6 % 4 == 1], 1] * FACTOR
    assert row["photos"] == len(mine) == 12
    assert row["kg_ha"] == pytest.approx(mine.mean())
    reach = stats.t.ppf(0.95, 11) * stats.sem(mine)
    assert (row["kg_ha_lower"], row["kg_ha_upper"]) == pytest.approx(
        (mine.mean() - reach, mine.mean() + reach)
    )
    assert row["shared_sd"] is None
    assert row["more_photos_to_halve"] > 20


def test_a_trained_run_answers_per_hectare(tmp_path: Path):
    frame = with_paddocks()
    asked = small(tmp_path, frame, field=FIELD)
    run = Run.create(tmp_path / "runs", asked)
    train(asked, run, history=run.history())
    shared = read_shared(run.folder)
    oof = pl.read_parquet(run.path("oof.parquet"))
    groups = {image: (site, paddock or "") for image, site, paddock in
              frame.select("image_path", "site", "paddock").iter_rows()}  # fmt: skip
    green = oof.filter(pl.col("target") == "green_g")
    errors = (green["balanced"] - green["truth"]).to_numpy()
    names = [str(groups[sample]) for sample in green["sample"]]
    within = sum(
        errors[[n == name for n in names]].var() * names.count(name) for name in set(names)
    ) / (48 - len(set(names)))
    assert shared["green_g"] is not None
    assert shared["green_g"].groups == len(set(names))
    assert shared["green_g"].within == pytest.approx(within)
    new = save_new(tmp_path, frame)
    found = predict(run.folder, data=new, out=tmp_path / "answers.csv", per_hectare=True)
    np.testing.assert_allclose(found["kg_ha"], found["balanced"] * FACTOR)
    means = pl.read_csv(tmp_path / "paddocks.csv")
    assert set(means["paddock"]) == {f"paddock {k}" for k in range(4)}
    assert (means["shared_sd"] >= 0).all()
    assert (means["kg_ha_upper"] > means["kg_ha_lower"]).all()
    with pytest.raises(UsageError, match="for places"):
        predict(run.folder, data=new, per_hectare=True, distance=True)
    with pytest.raises(DataError, match="no column 'paddock'"):
        predict(
            run.folder,
            data=save_new(tmp_path, frame.drop("paddock")),
            out=tmp_path / "answers.csv",
            per_hectare=True,
        )


def save_new(folder: Path, frame: pl.DataFrame) -> Path:
    path = folder / "new.parquet"
    frame.drop("green_g", "dead_g", "total_g").write_parquet(path)
    return path


def test_what_is_not_known_is_told(tmp_path: Path):
    told = Told()
    with report_progress(told):
        assert read_shared(tmp_path) == {}
    assert "too narrow" in told.warnings[0]
    (tmp_path / FILE).write_text('{"green_g": null}')
    with report_progress(told):
        assert read_shared(tmp_path) == {"green_g": None}
    assert len(told.warnings) == 2


def test_a_run_without_an_area_says_what_to_set(tmp_path: Path):
    with pytest.raises(UsageError, match=r"field\.quadrat_m"):
        hectare_frame(answers(2).frame(), small(tmp_path))
    with pytest.raises(UsageError, match=r"field\.paddock"):
        asked = small(tmp_path, field={"quadrat_m": [1, 1]})
        samples = load_samples(asked, asked.data.table, require_targets=True)
        paddock_frame(asked, samples, answers(48), {})


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"paddock": "paddock"}, "field.paddock: needs field.quadrat_m"),
        ({"quadrat_m": [0.3, 0.7], "targets": ["gren_g"]}, "Did you mean 'green_g'"),
        ({"quadrat_m": [0.0, 0.7]}, "sides must lie above 0"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, field: dict[str, object], message: str):
    with pytest.raises(ExperimentError, match=message):
        small(tmp_path, field=field)
