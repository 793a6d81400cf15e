"""Parts of photos as samples: each learns its share, and their amounts are added up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from quadrat.engine import Backend
from quadrat.errors import ExperimentError
from quadrat.photos.learner import NetworkLearner
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.photos.samples.parts import Part
from quadrat.photos.schema import PhotosExperiment
from quadrat.photos.training import train
from quadrat.photos.views.plan import ViewPlan
from quadrat.runs import Run
from tests.photos.tables import experiment, paint, save, wide

COUNT = 8


def given(folder: Path, **sections: Any) -> PhotosExperiment:
    if not (folder / "photos").exists():
        paint(folder, COUNT)
    keys: dict[str, Any] = {
        "encoder": {"name": "timm:test_efficientnet", "weights": "none"},
        "views": {"size": 32, "kind": "tiles", "tiles": [2, 1], "as_samples": True},
        "optimiser": {"epochs": 2, "batch_size": 4, "precision": "fp32"},
        "loss": {"transform": "log1p"},
        "run": {"device": "cpu"},
        "score": {"bootstrap": 0},
    }
    for name, values in sections.items():
        keys[name] = {**keys.get(name, {}), **values}
    return experiment(save(wide(COUNT), folder), **keys)


def loaded(one: PhotosExperiment) -> Samples:
    return load_samples(one, one.data.table, require_targets=True)


def test_parts_have_a_share_of_the_targets_and_one_view(tmp_path: Path):
    one = given(tmp_path)
    samples, plan = loaded(one), ViewPlan.of(one.views)
    parted = samples.parted(plan.parts)
    assert len(parted) == 2 * COUNT
    np.testing.assert_allclose(parted.targets[::2] + parted.targets[1::2], samples.targets)
    assert parted.ids[:3] == ("q0", "q0", "q1")
    seen = plan.see(parted.take([1, 2]))
    assert seen.owner.tolist() == [0, 1] and seen.slot.tolist() == [1, 0]
    assert [view.path for view in seen.views] == [samples.paths[0][0], samples.paths[1][0]]
    assert parted.whole().ids == samples.ids and parted.whole().slots is None


def test_the_answer_is_the_sum_over_photos_of_the_parts(tmp_path: Path):
    """A model of halves as whole photos says of each what the parts' model adds up."""
    one = given(tmp_path)
    samples = loaded(one)
    learner = NetworkLearner(one, Backend.create("cpu", "fp32"))
    member = learner.fit(Part(samples), Part(samples.take([]))).member
    found = member.answer(samples, learner.source).prediction()
    assert found.mean.shape == (COUNT, 3) and found.sigma is None

    (tmp_path / "halves").mkdir()
    rows = []
    for row in range(COUNT):
        photo = Image.open(tmp_path / "photos" / f"{row}.png")
        width, height = photo.size
        for part in range(2):
            box = (0, part * height // 2, width, (part + 1) * height // 2)
            photo.crop(box).save(tmp_path / "halves" / f"{row}_{part}.png")
            rows.append(f"halves/{row}_{part}.png")
    frame = wide(COUNT)[np.repeat(np.arange(COUNT), 2)].with_columns(
        image_path=pl.Series(rows), sample_id=pl.Series(rows)
    )
    whole = given(tmp_path, views={"kind": "whole", "tiles": [2, 2], "as_samples": False})
    table = save(frame, tmp_path, "halves.csv")
    alone = load_samples(whole, table, require_targets=True)
    other = NetworkLearner(whole, Backend.create("cpu", "fp32"))
    each = member.answer(alone, other.source).prediction().mean
    np.testing.assert_allclose(found.mean, each[::2] + each[1::2], rtol=1e-4)


@pytest.mark.parametrize("keys", [{}, {"train": "all"}])
def test_scores_and_predictions_are_of_whole_photos(tmp_path: Path, keys: dict[str, Any]):
    one = given(tmp_path, encoder=keys, split={"inner": 0.3, "folds": 2},
                augment={"flips": "horizontal"})  # fmt: skip
    run = Run.create(tmp_path / "runs", one)
    train(one, run, history=run.history())
    oof = pl.read_parquet(run.path("oof.parquet"))
    assert oof.height == 3 * COUNT
    truth = wide(COUNT).unpivot(on=["green_g", "dead_g", "total_g"], index="sample_id")
    joined = oof.join(truth, left_on=["sample", "target"], right_on=["sample_id", "variable"])
    np.testing.assert_allclose(joined["truth"], joined["value"])
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    predicted = predictor.predict(wide(3), image_root=tmp_path)
    assert predicted.raw.shape == (3, 3)
    usual = wide(COUNT)["total_g"].mean()
    assert isinstance(usual, float)
    assert 0.5 * usual < predicted.raw[:, 2].mean() < 2.0 * usual, "of photos, not of their halves"


def test_what_has_no_share_is_refused(tmp_path: Path):
    for sections, why in [
        ({"views": {"kind": "whole", "tiles": [2, 2]}}, "no parts that add up"),
        ({"data": {"set_by": ["site"]}}, "set of photos"),
        ({"head": {"distribution": "gaussian"}}, "how the errors of parts add up"),
        ({"augment": {"view_dropout": 0.2}}, "a sample has one view"),
        ({"views": {"extra": {"card": "card_path"}}}, "no share of the targets"),
    ]:
        with pytest.raises(ExperimentError, match=why):
            given(tmp_path, **sections)
