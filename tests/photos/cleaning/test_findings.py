"""Runs and checks tell what cleaning does to each photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from quadrat.experiment import CheckReport
from quadrat.photos import family
from quadrat.photos.cleaning.findings import (
    CleanedPhoto,
    CleaningLog,
    Marks,
    cleaning_table,
    marks_of,
)
from quadrat.photos.preparation import prepare
from quadrat.photos.schema import PhotosExperiment
from quadrat.runs import Run
from quadrat.runtime.cleaning.photos import Cleaning
from quadrat.runtime.cleaning.stamps import find_stamps
from tests.photos.tables import experiment, save, wide
from tests.runtime.cleaning.textures import GRASS, blades, stamped

ORANGE = (240, 110, 20)


def given(folder: Path, **clean: float) -> PhotosExperiment:
    """Six photos of which the third bears a date, and one more to predict, which bears one too."""
    (folder / "photos").mkdir()
    for row in range(7):
        pixels = blades(GRASS, seed=row, count=800)
        if row in (2, 6):
            pixels, _ = stamped(pixels, "15.01.2015 11:58", ORANGE)
        Image.fromarray(pixels).save(folder / "photos" / f"{row}.png")
    table = save(wide(6), folder)
    test = save(wide(7)[6:].select("image_path", "site", "height_cm"), folder, "test.csv")
    return experiment(
        table,
        data={"test": str(test)},
        clean=clean,
        encoder={"name": "timm:test_vit", "weights": "none"},
        views={"size": 32},
        split={"folds": 2, "inner": 0},
        optimiser={"epochs": 1, "precision": "fp32"},
        score={"bootstrap": 0},
        run={"device": "cpu", "workers": 2},
    )


def test_marks_are_shares_of_the_photo():
    drawn, _ = stamped(blades(GRASS, seed=0), "15.01.2015 11:58", ORANGE)
    image = Image.fromarray(drawn)
    marks = marks_of(image, Cleaning(stamps=True, bottom_crop=0.1))
    (stamp,), mask = find_stamps(drawn)
    np.testing.assert_allclose(np.array(marks.boxes) * [640, 360, 640, 360], [stamp.box])
    assert marks.inpainted == pytest.approx(mask.mean())
    assert marks.cropped == pytest.approx(0.1)
    assert marks_of(image, Cleaning(bottom_crop=0.25)) == Marks((), 0.0, 0.25)


def test_a_training_writes_what_was_cleaned_and_a_check_counts_it(tmp_path: Path):
    asked = given(tmp_path, stamps=True, bottom_crop=0.1)
    run = Run.create(tmp_path / "runs", asked)
    family.train(asked, run, history=run.history())
    table = pl.read_parquet(run.path("cleaning.parquet"))
    assert table["photo"].to_list() == [f"photos/{row}.png" for row in range(7)]
    assert table["table"].to_list() == ["training"] * 6 + ["test"]
    assert table["boxes"].list.len().to_list() == [0, 0, 1, 0, 0, 0, 1]
    assert ((table["inpainted"] > 0.0) == (table["boxes"].list.len() > 0)).all()
    assert table["cropped"].to_list() == pytest.approx([0.1] * 7)
    facts = family.check(asked).facts
    assert facts["cleaning"].startswith("dates filled in 1 of 6 photos, at most ")
    assert facts["cleaning"].endswith(" % of a photo; 10 % of the height cut off at the bottom")
    assert facts["cleaning of test"].startswith("dates filled in 1 of 1 photos, at most ")


def test_nothing_is_told_where_nothing_is_cleaned_or_nobody_asks(tmp_path: Path):
    asked = given(tmp_path, stamps=True)
    assert prepare(asked).cleaned == ()
    plain = asked.model_copy(update={"clean": type(asked.clean)()})
    told = prepare(plain, tell_cleaning=True)
    assert told.cleaned == ()
    assert "cleaning" not in told.report.facts


def test_photos_of_which_much_is_filled_in_are_named():
    log = CleaningLog(Cleaning(stamps=True))
    box = (0.5, 0.5, 1.0, 1.0)
    for row in range(12):
        log.photos.append(CleanedPhoto("training", f"s{row}", f"{row}.jpg", Marks((box,), 0.2, 0)))
    log.photos.append(CleanedPhoto("training", "s12", "12.jpg", Marks((box,), 0.01, 0)))
    report = CheckReport()
    log.tell(report)
    assert report.facts == {
        "cleaning": "dates filled in 13 of 13 photos, at most 20.0 % of a photo"
    }
    (line,) = report.warnings
    assert "more than 3 % of a photo, in 12 that" in line
    assert line.endswith("9.jpg and 2 more")


def test_a_table_without_dates_keeps_its_types():
    table = cleaning_table([CleanedPhoto("training", "a", "a.jpg", Marks((), 0.0, 0.1))])
    assert table.schema["boxes"] == pl.List(pl.List(pl.Float64))
