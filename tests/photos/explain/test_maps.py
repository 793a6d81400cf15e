"""Maps light up where a prediction is known to come from, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quadrat.errors import UsageError
from quadrat.photos.encoders.timm_encoder import TimmEncoder
from quadrat.photos.explain.covering import occlusion
from quadrat.photos.explain.explaining import explain
from quadrat.photos.explain.looking import density, gradcam, roll, rollout
from quadrat.photos.explain.subject import Subject
from quadrat.photos.predictor import PhotosPredictor
from quadrat.photos.training import train
from quadrat.runs import Run
from tests.photos.small import small
from tests.photos.tables import experiment, paint, save, wide


class OneQuadrant:
    """Steps of a network that forgets all places but those at the upper left."""

    def __init__(self, steps: Any) -> None:
        self.steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.steps, name)

    def end(self, network: Any, state: Any) -> Any:
        kept = torch.zeros_like(state.values)
        rows, columns = (side // 2 for side in kept.shape[2:])
        kept[:, :, :rows, :columns] = 1.0
        return self.steps.end(network, state._replace(values=state.values * kept))


def made(folder: Path, name: str, size: int, **sections: Any) -> PhotosPredictor:
    """A small run on painted photos; each photo is a sample."""
    paint(folder, 12)
    given = experiment(
        save(wide(12), folder),
        encoder={"name": f"timm:{name}", "weights": "none", **sections.pop("encoder", {})},
        views={"size": size},
        optimiser={"epochs": 1, "batch_size": 4, "precision": "fp32"},
        run={"device": "cpu"},
        score={"bootstrap": 0},
        **sections,
    )
    run = Run.create(folder / "runs", given)
    train(given, run, history=run.history())
    return PhotosPredictor.load(run.folder, device="cpu")


def subject(predictor: PhotosPredictor, folder: Path) -> Subject:
    return Subject(predictor, predictor.samples(folder / "train.csv").take([3]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maps")


@pytest.fixture(scope="module")
def convolving(folder: Path) -> PhotosPredictor:
    """A convolutional network that sees the upper left quadrant of a photo only."""
    predictor = made(folder, "test_efficientnet", 256)
    encoder = predictor.source.encoder
    assert isinstance(encoder, TimmEncoder) and encoder.stem is not None
    encoder.stem.steps = OneQuadrant(encoder.stem.steps)  # type: ignore[assignment]
    return predictor


def share_of_quadrant(maps: np.ndarray) -> float:
    """Share of the weight of maps ``(V, h, w, T)`` that lies at the upper left."""
    height, width = maps.shape[1:3]
    weight = np.abs(maps)
    return float(weight[:, : height // 2, : width // 2].sum() / weight.sum())


def test_a_subject_is_seen_as_it_is_predicted(convolving: PhotosPredictor, folder: Path):
    plain = PhotosPredictor.load(next((folder / "runs").iterdir()), device="cpu")
    one = subject(plain, folder)
    expected = plain.predict_samples(one.sample).raw
    np.testing.assert_allclose(one.say(one.pixels), expected, rtol=1e-4)
    assert one.pictures().shape == (1, 256, 256, 3)


def test_gradients_are_zero_where_the_network_does_not_look(
    convolving: PhotosPredictor, folder: Path
):
    maps = gradcam(subject(convolving, folder))
    assert maps.shape == (1, 8, 8, 3)
    assert np.abs(maps[:, :4, :4]).max() > 0
    assert share_of_quadrant(maps) == pytest.approx(1.0, abs=1e-12)


def test_covering_matters_where_the_network_looks(convolving: PhotosPredictor, folder: Path):
    one = subject(convolving, folder)
    maps = occlusion(one, 4)
    assert maps.shape == (1, 4, 4, 3)
    assert share_of_quadrant(maps) > 0.7, "a place is seen from a little farther than it lies"
    covered = one.pixels.clone()
    covered[0, :, :64, 64:128] = one.pixels[0].mean(dim=(1, 2))[:, None, None]
    expected = one.say(one.pixels) - one.say(covered)
    np.testing.assert_allclose(maps[0, 0, 1], expected[0], atol=1e-4)


@pytest.fixture(scope="module")
def attending(tmp_path_factory: pytest.TempPathFactory) -> tuple[PhotosPredictor, Path]:
    """A transformer whose last block learns, so that it lies in two parts."""
    there = tmp_path_factory.mktemp("attending")
    encoder = {"train_last_blocks": 1}
    return made(there, "test_vit", 160, encoder=encoder), there


def test_rolled_attention_sums_to_one(attending: tuple[PhotosPredictor, Path]):
    maps = rollout(subject(*attending))
    assert maps.shape == (1, 10, 10, 3)
    assert 0.0 < maps[..., 0].sum() < 1.0, "the class token attends to itself, too"
    np.testing.assert_array_equal(maps[..., 0], maps[..., 2])
    layers = [torch.rand(2, 3, 7, 7).softmax(dim=-1) for _ in range(4)]
    rolled = roll(layers)
    np.testing.assert_allclose(rolled.sum(dim=-1).numpy(), 1.0)
    by_hand = np.eye(7)
    for layer in layers:
        by_hand = (layer[1].numpy().mean(axis=0) + np.eye(7)) / 2 @ by_hand
    np.testing.assert_allclose(rolled[1].numpy(), by_hand, rtol=1e-5)


def test_transformers_have_gradients_at_places_too(attending: tuple[PhotosPredictor, Path]):
    maps = gradcam(subject(*attending))
    assert maps.shape == (1, 10, 10, 3)
    assert np.abs(maps).max() > 0
    blocks = attending[0].members[0].network.encoder.model.blocks  # type: ignore[union-attr]
    assert all(block.attn.fused_attn for block in list(blocks)[-1:]), "kernels are put back"


def test_convolutions_have_no_attention(convolving: PhotosPredictor, folder: Path):
    with pytest.raises(UsageError, match="needs a transformer"):
        rollout(subject(convolving, folder))
    with pytest.raises(UsageError, match=r"head\.kind = 'density'"):
        density(subject(convolving, folder))


def test_densities_add_up_to_the_amounts(tmp_path: Path):
    predictor = made(
        tmp_path, "test_efficientnet", 64, encoder={"tokens": True}, head={"kind": "density"}
    )
    one = subject(predictor, tmp_path)
    maps = density(one)
    np.testing.assert_allclose(maps.sum(axis=(0, 1, 2)), one.say(one.pixels)[0], rtol=1e-4)


def test_features_from_elsewhere_cannot_be_looked_at(tmp_path: Path):
    given = small(tmp_path)
    run = Run.create(tmp_path / "runs", given)
    train(given, run, history=run.history())
    predictor = PhotosPredictor.load(run.folder, device="cpu")
    with pytest.raises(UsageError, match="computed elsewhere"):
        explain(predictor, predictor.samples(tmp_path / "train.parquet"))
    with pytest.raises(UsageError, match="--method magic"):
        explain(predictor, predictor.samples(tmp_path / "train.parquet"), method="magic")
