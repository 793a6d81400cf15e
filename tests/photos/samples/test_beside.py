"""Photos beside photos are views of their own, named by every row, and audited like the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from quadrat.engine import Backend
from quadrat.errors import DataError, ExperimentError
from quadrat.photos.encoders import create_encoder
from quadrat.photos.learner import make_frozen_source
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.preparation import prepare
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import train
from quadrat.photos.views.plan import ViewPlan
from quadrat.runs import Run
from tests.photos.tables import experiment, long, paint, save, wide

COUNT = 6


def table(frame: pl.DataFrame) -> pl.DataFrame:
    """The photos with a card beside each: the photos' own, in reverse order."""
    names = frame["image_path"].unique(maintain_order=True).to_list()
    cards = {
        name: other.replace("photos", "cards")
        for name, other in zip(names, reversed(names), strict=True)
    }
    return frame.with_columns(card_path=pl.col("image_path").replace_strict(cards))


def given(folder: Path, frame: pl.DataFrame, **sections: Any) -> PhotosExperiment:
    if not (folder / "photos").exists():
        paint(folder, COUNT)
        (folder / "cards").mkdir()
        for row in range(COUNT):
            pixels = np.full((24, 24, 3), 40 * row, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "cards" / f"{row}.png")
    keys: dict[str, Any] = {
        "encoder": {"name": "timm:test_efficientnet", "weights": "none"},
        "views": {"size": 32, "extra": {"card": "card_path"}},
        "optimiser": {"epochs": 1, "batch_size": 4, "precision": "fp32"},
        "run": {"device": "cpu"},
        "score": {"bootstrap": 0},
    }
    for name, values in sections.items():
        keys[name] = {**keys.get(name, {}), **values}
    return experiment(save(frame, folder), **keys)


def loaded(one: PhotosExperiment) -> Samples:
    return load_samples(one, one.data.table, require_targets=True)


@pytest.mark.parametrize("make", [wide, long])
def test_each_photo_has_its_card_in_a_slot_behind_its_parts(tmp_path: Path, make: Any):
    one = given(tmp_path, table(make(COUNT)), views={"kind": "halves"})
    samples = loaded(one)
    plan = ViewPlan.of(one.views)
    seen = plan.see(samples.take([4, 1]))
    assert plan.slots == 3
    assert seen.slot.tolist() == [0, 1, 2, 0, 1, 2]
    assert seen.owner.tolist() == [0, 0, 0, 1, 1, 1]
    names = [f"{view.path.parent.name}/{view.path.name}" for view in seen.views]
    assert names == ["photos/4.png"] * 2 + ["cards/1.png"] + ["photos/1.png"] * 2 + ["cards/4.png"]
    assert plan.box(2, "horizontal") == (0.0, 0.0, 1.0, 1.0)


def test_what_is_held_is_that_of_the_photo_and_of_the_card(tmp_path: Path):
    one = given(tmp_path, table(wide(COUNT)))
    backend = Backend.create("cpu", "fp32")

    def held(experiment: PhotosExperiment, samples: Samples) -> Any:
        encoder = create_encoder(experiment.encoder, experiment.views, seed=experiment.seed)
        return make_frozen_source(experiment, encoder, backend).held(samples).arrays[0][:]

    both = held(one, loaded(one))
    plain = wide(COUNT)
    photos = given(tmp_path, plain, views={"extra": {}})
    np.testing.assert_array_equal(both[::2], held(photos, loaded(photos)))
    cards = plain.with_columns(image_path=table(plain)["card_path"])
    alone = given(tmp_path, cards, views={"extra": {}})
    np.testing.assert_array_equal(both[1::2], held(alone, loaded(alone)))


def test_a_run_needs_the_cards_of_new_photos_too(tmp_path: Path):
    one = given(tmp_path, table(wide(COUNT)), split={"inner": 0.0})
    run = Run.create(tmp_path / "runs", one)
    train(one, run, history=run.history())
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    new = table(wide(COUNT)).select("image_path", "card_path")
    known = predictor.predict(new, image_root=tmp_path)
    dark = new.with_columns(card_path=pl.lit("cards/0.png"))
    other = predictor.predict(dark, image_root=tmp_path)
    changed = (known.raw != other.raw).any(axis=1)
    assert changed.tolist() == [True] * 5 + [False]
    with pytest.raises(DataError, match=r"no column 'card_path' \(views\.extra\.card\)"):
        predictor.predict(new.select("image_path"), image_root=tmp_path)


def test_blank_unreadable_and_contradictory_cards_are_named(tmp_path: Path):
    frame = table(wide(COUNT))
    blank = pl.when(pl.col("image_path") == "photos/2.png").then(None).otherwise("card_path")
    with pytest.raises(DataError, match=r"'card_path' \(views\.extra\.card\) is blank in row 4"):
        loaded(given(tmp_path, frame.with_columns(card_path=blank)))
    rows = long(COUNT).with_row_index()
    rows = table(rows).with_columns(
        card_path=pl.when(pl.col("index") == 1).then(pl.lit("x.png")).otherwise("card_path")
    )
    with pytest.raises(DataError, match=r"row 3: 'photos/0.png' has 'x.png' in column 'card_path'"):
        loaded(given(tmp_path, rows))
    (tmp_path / "cards" / "3.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1 of 12 photos cannot be read"):
        prepare(given(tmp_path, frame))


def test_experiments_that_cannot_see_them_are_refused(tmp_path: Path):
    frame = table(wide(COUNT))
    with pytest.raises(ExperimentError, match="has another role already"):
        given(tmp_path, frame, views={"extra": {"card": "height_cm"}})
    with pytest.raises(ExperimentError, match="'density' adds up"):
        given(tmp_path, frame, head={"kind": "density"})
