"""Views in several sizes: the vectors of each, joined, frozen or learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import interpolate

from quadrat.errors import UsageError
from quadrat.photos.encoders import PhotoEncoder, create_encoder
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.schema import EncoderSection, TtaSection, ViewsSection
from quadrat.photos.training import train
from quadrat.runs import Run
from tests.photos.tables import experiment, paint, save, wide

SIZES = (32, 64)


def make(views: dict[str, Any], **keys: Any) -> PhotoEncoder:
    given = {"name": "timm:test_vit", "weights": "none", **keys}
    section = EncoderSection.model_validate(given)
    return create_encoder(section, ViewsSection.model_validate(views), seed=3).eval()


def photos() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("keys", [{}, {"tokens": True}, {"train": "all"}, {"train_last_blocks": 1}])
@torch.no_grad()
def test_vectors_of_all_sizes_are_joined_with_the_largest_first(keys: dict[str, Any]):
    both, one = make({"sizes": list(SIZES)}, **keys), make({"size": 64}, **keys)
    large = one(photos())
    small = one(interpolate(photos(), (32, 32), mode="bicubic", antialias=True))
    found = both(photos())
    torch.testing.assert_close(found.vectors, torch.cat([large.vectors, small.vectors], dim=1))
    assert both.width == 2 * one.width and both.preprocessing == one.preprocessing
    if keys.get("tokens"):
        torch.testing.assert_close(found.tokens, large.tokens)
    assert both.fingerprint() != one.fingerprint()


def test_all_sizes_teach_the_same_weights():
    both = make({"sizes": list(SIZES)}, train_last_blocks=1)
    tail = both.rest().train()
    held = tuple(part.detach() for part in both.hold(photos()))
    tail(held).vectors[:, both.width // 2 :].sum().backward()  # the small size alone
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in tail.parameters())
    groups = tail.parameter_groups(1e-5, 0.0)
    assert sum(len(group.parameters) for group in groups) == len(list(tail.parameters()))


def test_sizes_that_cannot_be_are_refused():
    for views, why in [
        ({"sizes": [32]}, "several different"),
        ({"sizes": [32, 32]}, "several different"),
        ({"sizes": [32, [32, 64]]}, "same proportions"),
        ({"sizes": [32, 64], "size": 64}, "leave it out"),
        ({"sizes": [32, 8]}, "between 16 and 8192"),
    ]:
        with pytest.raises(ValidationError, match=why):
            ViewsSection.model_validate(views)
    with pytest.raises(UsageError, match=r"views\.sizes: the encoder cannot take 40 × 40"):
        make({"sizes": [64, 40]})


def test_sizes_of_looks_that_cannot_be_are_refused_before_training():
    section, views = EncoderSection(name="timm:test_vit", weights="none"), ViewsSection(size=64)
    create_encoder(section, views, tta=TtaSection(sizes=(80, (32, 64))))
    with pytest.raises(UsageError, match=r"tta\.sizes: the encoder cannot take 40 × 40"):
        create_encoder(section, views, tta=TtaSection(sizes=(80, 40)))
    with pytest.raises(ValidationError, match="between 16 and 8192"):
        TtaSection(sizes=(8,))


@pytest.mark.parametrize("keys", [{}, {"train_last_blocks": 1}])
def test_a_run_answers_as_it_did_once_it_is_loaded(tmp_path: Path, keys: dict[str, Any]):
    paint(tmp_path)
    given = experiment(
        save(wide(), tmp_path),
        encoder={"name": "timm:test_vit", "weights": "none", **keys},
        views={"sizes": list(SIZES)},
        optimiser={"epochs": 1, "batch_size": 4, "precision": "fp32"},
        run={"device": "cpu"},
        split={"inner": 0.0, "kind": "column", "column": "site", "test": ["site 0"], "by": []},
        score={"bootstrap": 0},
    )
    run = Run.create(tmp_path / "runs", given)
    train(given, run, history=run.history())
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    again = predictor.predict(wide().head(2), image_root=tmp_path)
    said = pl.read_parquet(run.path("oof.parquet"))["raw"].to_numpy().reshape(2, 3)
    np.testing.assert_allclose(again.raw, said, rtol=1e-4)
