"""Every kind of fusion and head trains, answers, and is read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quadrat.engine import Backend
from quadrat.errors import DataError
from quadrat.photos.heads.amounts import DensityHead
from quadrat.photos.learner import Fitted, NetworkLearner
from quadrat.photos.member import Member
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.photos.samples.parts import Part
from tests.photos.tables import experiment, paint, save, wide

ROWS = 14
VIT = {"name": "timm:test_vit", "weights": "none"}
CNN = {"name": "timm:test_efficientnet", "weights": "none"}


def trained(
    folder: Path,
    *,
    epochs: int = 2,
    history: list[dict[str, Any]] | None = None,
    **sections: Mapping[str, Any],
) -> tuple[NetworkLearner, Fitted, Samples]:
    if not (folder / "photos").exists():
        paint(folder, ROWS)
    given = experiment(
        save(wide(ROWS), folder),
        **{
            "encoder": VIT,
            "views": {"size": 32},
            "optimiser": {"epochs": epochs, "batch_size": 5, "learning_rate": 1e-2},
            "run": {"device": "cpu"},
            **sections,
        },
    )
    samples = load_samples(given, given.data.table, require_targets=True)
    learner = NetworkLearner(given, Backend.create("cpu", "fp32"))
    # Without inner rows the last state is kept, not the start.
    parts = Part(samples.take(np.arange(12))), Part(samples.take(np.arange(0)))

    def keep(record: Mapping[str, Any]) -> bool:
        if history is not None:
            history.append(dict(record))
        return False

    return learner, learner.fit(*parts, on_epoch=keep), samples.take(np.arange(12, ROWS))


def answers_alike_when_read_back(
    folder: Path, learner: NetworkLearner, fitted: Fitted, held_out: Samples
) -> None:
    member = fitted.member
    said = member.answer(held_out, learner.source).parameters
    assert np.isfinite(said).all()
    member.save_weights(folder / "model.safetensors")
    again = Member.load(folder / "model.safetensors", member.to_json(), learner.encoder.rest())
    np.testing.assert_array_equal(again.answer(held_out, learner.source).parameters, said)


@pytest.mark.parametrize("distribution", ["point", "gaussian"])
@pytest.mark.parametrize("kind", ["mlp", "linear", "parts", "ratio", "density"])
def test_every_head_trains(tmp_path: Path, kind: str, distribution: str):
    head = {"kind": kind, "hidden": [8], "distribution": distribution}
    learner, fitted, held_out = trained(tmp_path, head=head)
    answers_alike_when_read_back(tmp_path, learner, fitted, held_out)
    if kind in ("parts", "ratio", "density"):
        predicted = fitted.member.answer(held_out, learner.source).prediction().mean
        assert (predicted >= 0).all()
        np.testing.assert_allclose(predicted[:, 0] + predicted[:, 1], predicted[:, 2], rtol=1e-5)


FUSIONS: tuple[dict[str, Any], ...] = (
    *({"kind": kind} for kind in ("mean", "film", "attention")),
    {"kind": "mlp", "gate": True},
    *({"kind": kind, "heads": 2, "layers": 1} for kind in ("perceiver", "cross-attention")),
    *({"kind": kind, "layers": 1} for kind in ("gated-conv", "state-space")),
)


@pytest.mark.parametrize("encoder", [VIT, CNN], ids=["vit", "cnn"])
@pytest.mark.parametrize("fusion", FUSIONS, ids=lambda keys: str(keys["kind"]))
def test_every_fusion_trains(tmp_path: Path, fusion: dict[str, Any], encoder: dict[str, Any]):
    halves = {"kind": "halves", "size": 32}
    learner, fitted, held_out = trained(
        tmp_path, fusion={"hidden": 8, **fusion}, encoder=encoder, views=halves
    )
    answers_alike_when_read_back(tmp_path, learner, fitted, held_out)


@pytest.mark.parametrize("fusion", FUSIONS, ids=lambda keys: str(keys["kind"]))
def test_before_training_every_fusion_leaves_the_linear_start(
    tmp_path: Path, fusion: dict[str, Any]
):
    keys = {"optimiser": {"epochs": 1, "learning_rate": 1e-12}, "views": {"size": 32}}
    _, plain, _ = trained(tmp_path, **keys)
    learner, other, held_out = trained(tmp_path, fusion={"hidden": 8, **fusion}, **keys)
    said = [f.member.answer(held_out, learner.source).parameters for f in (plain, other)]
    np.testing.assert_allclose(said[0], said[1], atol=1e-5)


def test_a_density_learns_with_its_encoder_and_adds_up_halves(tmp_path: Path):
    learner, fitted, held_out = trained(
        tmp_path,
        encoder={**CNN, "train": "all"},
        head={"kind": "density"},
        views={"kind": "halves", "size": 32},
    )
    answers_alike_when_read_back(tmp_path, learner, fitted, held_out)
    head = fitted.member.network.head
    assert isinstance(head, DensityHead)
    assert float(head.share) == 0.5  # one place each of two halves


LOSSES: tuple[dict[str, Any], ...] = (
    {"loss": {"kind": "huber", "beta": 0.5}},
    {"loss": {"kind": "focal", "gamma": 2.0}},
    {"loss": {"kind": "tweedie", "power": 1.3}, "head": {"kind": "parts"}},
    {"loss": {"kind": "crps"}, "head": {"distribution": "gaussian"}},
    {"head": {"distribution": "lognormal"}},
    {"loss": {"quantiles": [0.05, 0.3, 0.5, 0.95]}, "head": {"distribution": "quantile"}},
    {"loss": {"weighting": "uncertainty"}},
)


@pytest.mark.parametrize("sections", LOSSES, ids=str)
def test_every_loss_trains(tmp_path: Path, sections: dict[str, Any]):
    learner, fitted, held_out = trained(tmp_path, **sections)
    answers_alike_when_read_back(tmp_path, learner, fitted, held_out)
    predicted = fitted.member.answer(held_out, learner.source).prediction()
    assert np.isfinite(predicted.mean).all()
    if "distribution" in sections.get("head", {}):
        assert predicted.lower is not None and predicted.upper is not None
        assert (predicted.lower <= predicted.mean).all()
        assert (predicted.mean <= predicted.upper).all()
    if fitted.member.network.weighting is not None:
        assert (fitted.member.network.weighting() != 0).all()


BESIDE = {"bins": 3, "auxiliary": ["height_cm", "site"]}


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
@pytest.mark.parametrize("feed_back", [True, False])
def test_what_is_learnt_beside_shows_in_the_history(
    tmp_path: Path, feed_back: bool, weighting: str
):
    history: list[dict[str, Any]] = []
    head = {**BESIDE, "feed_back": feed_back, "bins_weight": 0.2}
    learner, fitted, held_out = trained(
        tmp_path, epochs=8, head=head, loss={"weighting": weighting}, history=history
    )
    answers_alike_when_read_back(tmp_path, learner, fitted, held_out)
    for name in ("target_loss", "bins_loss", "auxiliary_loss"):
        assert all(np.isfinite(record[name]) for record in history)
    assert history[-1]["bins_loss"] < history[0]["bins_loss"]
    if weighting == "fixed":
        last = history[-1]
        total = last["target_loss"] + 0.2 * last["bins_loss"] + 0.1 * last["auxiliary_loss"]
        assert last["loss"] == pytest.approx(total, rel=1e-5)


def test_what_is_fed_back_changes_answers_without_metadata_only(tmp_path: Path):
    learner, fitted, held_out = trained(tmp_path, head={**BESIDE, "feed_back": True})
    network = fitted.member.network
    assert network.told is not None

    def said(*, hide: bool) -> Any:
        return fitted.member.answer(held_out, learner.source, hide_metadata=hide).parameters

    before = said(hide=False), said(hide=True)
    with torch.no_grad():
        network.told.layers[-1].bias.add_(3.0)  # type: ignore[operator, union-attr]
    np.testing.assert_array_equal(said(hide=False), before[0])
    assert not np.allclose(said(hide=True), before[1])


def test_amounts_are_never_negative_in_training_either(tmp_path: Path):
    frame = wide(ROWS)
    frame = frame.with_columns(dead_g=-frame["dead_g"], total_g=frame["green_g"] - frame["dead_g"])
    paint(tmp_path, ROWS)
    given = experiment(
        save(frame, tmp_path), encoder=VIT, views={"size": 32}, head={"kind": "parts"}
    )
    samples = load_samples(given, given.data.table, require_targets=True)
    learner = NetworkLearner(given, Backend.create("cpu", "fp32"))
    with pytest.raises(DataError, match="dead_g"):
        learner.fit(Part(samples), Part(samples.take(np.arange(0))))
