"""A learner starts at the linear answer, keeps what helps on inner rows, and learns encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from quadrat.engine import Backend
from quadrat.photos.learner import Fitted, NetworkLearner
from quadrat.photos.samples.loading import Samples, load_samples
from quadrat.photos.samples.parts import Part
from quadrat.photos.schema import PhotosExperiment
from quadrat.scoring import regression_scores
from tests.photos.small import COUNT, small, table, vectors_of
from tests.photos.tables import experiment, paint, save, wide

TRAIN, INNER, HELD_OUT = np.arange(30), np.arange(30, 39), np.arange(39, COUNT)


def learn(
    given: PhotosExperiment,
    *,
    inner: Any = INNER,
    state: Path | None = None,
    train: Any = TRAIN,
) -> tuple[NetworkLearner, Fitted, Samples]:
    samples = load_samples(given, given.data.table, require_targets=True)
    groups = samples.column("site").astype(str)
    learner = NetworkLearner(given, Backend.create("cpu", "fp32"))
    parts = [Part(samples.take(rows), groups[rows]) for rows in (train, inner)]
    return learner, learner.fit(*parts, state=state), samples


def r2(learner: NetworkLearner, fitted: Fitted, held_out: Samples, **options: bool) -> float:
    answer = fitted.member.answer(held_out, learner.source, **options)
    return regression_scores(held_out.targets, answer.prediction().mean)["r2"]


@pytest.mark.parametrize("transform", ["none", "sqrt", "log1p"])
def test_a_linear_problem_is_solved_from_few_rows(tmp_path: Path, transform: str):
    learner, fitted, samples = learn(small(tmp_path, loss={"transform": transform}))
    held_out = samples.take(HELD_OUT)
    assert r2(learner, fitted, held_out) > 0.85
    alone = r2(learner, fitted, held_out, hide_metadata=True)
    assert 0.5 < alone < r2(learner, fitted, held_out)


def test_training_that_does_not_help_leaves_the_linear_start(tmp_path: Path):
    _, fitted, _ = learn(small(tmp_path, optimiser={"learning_rate": 30.0, "clip": 0.0}))
    assert fitted.result.best_epoch == 0
    assert (fitted.member.network.head.parts[0][-1].weight == 0).all()


def test_what_is_not_linear_is_learnt_on_top(tmp_path: Path):
    frame, vectors = table(180), vectors_of(180)
    bent = 40 + 8 * np.abs(vectors[:, 0]) - 6 * np.abs(vectors[:, 1])
    frame = frame.with_columns(green_g=bent, dead_g=bent / 2, total_g=1.5 * bent)
    rows = {"train": np.arange(120), "inner": np.arange(120, 150)}

    def score(rate: float) -> float:
        optimiser = {"epochs": 40, "learning_rate": rate, "batch_size": 16}
        given = small(tmp_path, frame, optimiser=optimiser, fusion={"dropout": 0.0})
        learner, fitted, samples = learn(given, **rows)
        return r2(learner, fitted, samples.take(np.arange(150, 180)))

    assert score(1e-12) < 0.1
    assert score(0.01) > 0.4


def test_inner_rows_are_learnt_from_once_they_have_judged(tmp_path: Path):
    given = small(tmp_path, optimiser={"epochs": 1, "learning_rate": 1e-9})
    _, with_inner, _ = learn(given)
    _, all_rows, _ = learn(given, train=np.arange(39), inner=np.zeros(0, dtype=int))
    _, without, _ = learn(given, inner=np.zeros(0, dtype=int))
    weights = [f.member.network.start.alone.weight for f in (with_inner, all_rows, without)]
    assert not torch.allclose(weights[0], weights[2], atol=1e-3)
    # Only the scaling still comes from the training rows alone.
    torch.testing.assert_close(weights[0], weights[1], atol=0.1, rtol=0.2)


def test_without_inner_rows_the_last_state_is_kept(tmp_path: Path):
    _, fitted, _ = learn(small(tmp_path), inner=np.zeros(0, dtype=int))
    assert fitted.result.best_epoch == fitted.result.epochs == 4
    assert fitted.result.score is None


def test_nothing_that_is_fitted_has_seen_the_inner_rows(tmp_path: Path):
    frame = table()
    inner = frame["row"].is_in(INNER.tolist())
    changed = frame.with_columns(
        green_g=pl.when(inner).then(900.0).otherwise(pl.col("green_g")),
        height_cm=pl.when(inner).then(900.0).otherwise(pl.col("height_cm")),
        soil=pl.when(inner).then(pl.lit("rock")).otherwise(pl.col("soil")),
    )
    _, first, _ = learn(small(tmp_path, frame))
    _, second, _ = learn(small(tmp_path, changed))
    assert first.member.scaler == second.member.scaler
    assert first.member.metadata == second.member.metadata
    assert first.member.target_means == second.member.target_means
    assert torch.equal(first.member.network.centre, second.member.network.centre)


def test_training_goes_on_from_its_state_to_the_same_bits(tmp_path: Path):
    def weights(epochs: int, state: Path | None = None) -> list[torch.Tensor]:
        given = small(tmp_path, optimiser={"epochs": epochs, "schedule": "none"})
        _, fitted, _ = learn(given, state=state)
        return list(fitted.member.network.state_dict().values())

    whole = weights(6)
    weights(2, tmp_path / "state")
    resumed = weights(6, tmp_path / "state")
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_targets_with_gaps_are_learnt(tmp_path: Path):
    frame = table()
    gaps = frame.with_columns(
        dead_g=np.where(frame["row"] % 4 == 0, np.nan, frame["dead_g"]),
        total_g=np.where(frame["row"] % 4 == 0, np.nan, frame["total_g"]),
    )
    learner, fitted, samples = learn(small(tmp_path, gaps))
    assert r2(learner, fitted, samples.take(HELD_OUT)) > 0.85


def test_the_floor_is_zero_where_training_shows_nothing_below(tmp_path: Path):
    below = pl.col("dead_g") - 100.0
    frame = table().with_columns(dead_g=below, total_g=below)
    _, fitted, _ = learn(small(tmp_path, frame))
    assert fitted.member.floor == (0.0, -np.inf, -np.inf)


def test_a_gaussian_head_knows_how_far_off_it_is(tmp_path: Path):
    given = small(tmp_path, head={"distribution": "gaussian"}, optimiser={"epochs": 3})
    learner, fitted, samples = learn(given)
    held_out = samples.take(HELD_OUT)
    predicted = fitted.member.answer(held_out, learner.source).prediction()
    assert predicted.sigma is not None and predicted.lower is not None
    assert predicted.upper is not None
    errors = np.sqrt(((predicted.mean - held_out.targets) ** 2).mean(axis=0))
    assert (predicted.sigma.mean(axis=0) > 0.5 * errors).all()
    assert (predicted.sigma.mean(axis=0) < 5.0 * errors).all()
    inside = (predicted.lower <= held_out.targets) & (held_out.targets <= predicted.upper)
    assert inside.mean() > 0.7


def test_the_covariance_of_inner_errors_is_kept_where_the_balance_asks(tmp_path: Path):
    _, plain, _ = learn(small(tmp_path))
    _, kept, _ = learn(small(tmp_path, balance_method={"kind": "project-covariance"}))
    assert plain.member.covariance is None
    covariance = kept.member.covariance
    assert covariance is not None and covariance.shape == (3, 3)
    assert np.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.parametrize("flips", ["none", "both"])
def test_an_encoder_learns_with_its_head(tmp_path: Path, flips: str):
    paint(tmp_path, 18)
    given = experiment(
        save(wide(18), tmp_path),
        encoder={
            "name": "timm:test_efficientnet",
            "weights": "none",
            "train": "all",
            "learning_rate": 1e-2,
        },
        views={"size": 32, "predict_size": 48},
        optimiser={"epochs": 2, "batch_size": 6, "learning_rate": 1e-3},
        augment={"flips": flips},
        run={"device": "cpu"},
    )
    rows = np.arange(12), np.arange(12, 16)
    learner, fitted, samples = learn(given, train=rows[0], inner=rows[1])
    network = fitted.member.network
    assert network.encoder.learns
    before, after = learner.encoder.tail.state_dict(), network.encoder.state_dict()
    if fitted.result.best_epoch:
        assert any(not torch.equal(before[name], after[name]) for name in before)
    answer = fitted.member.answer(samples.take([16, 17]), learner.source)
    assert answer.parameters.shape == (2, 3, 1)
    assert np.isfinite(answer.parameters).all()


def test_mirrored_features_take_part_in_training(tmp_path: Path):
    paint(tmp_path, 18)

    def weights(flips: str) -> torch.Tensor:
        given = experiment(
            save(wide(18), tmp_path),
            encoder={"name": "timm:test_efficientnet", "weights": "none"},
            views={"size": 32},
            optimiser={"epochs": 2, "batch_size": 6, "learning_rate": 1e-2},
            augment={"flips": flips},
            run={"device": "cpu"},
        )
        none = np.zeros(0, dtype=int)
        _, fitted, _ = learn(given, train=np.arange(16), inner=none)
        network = fitted.member.network
        weight: torch.Tensor = network.fusion.layer.weight  # type: ignore[assignment, union-attr]
        return weight.detach()

    assert not torch.equal(weights("none"), weights("horizontal"))


@pytest.mark.parametrize(
    ("augment", "encoder", "views"),
    [
        ({"mixup": 0.4}, {}, {"kind": "halves"}),
        ({"mixup": 0.4, "mixup_of": "vectors"}, {}, {}),
        ({"view_dropout": 0.4, "flips": "horizontal"}, {}, {"kind": "tiles"}),
        ({"policy": "strong"}, {"cache": False}, {}),
        ({"crop": 0.6, "crop_targets": "scale"}, {"train": "all"}, {"kind": "crops", "crops": 2}),
    ],
)
def test_training_is_varied_and_answers_are_not(
    tmp_path: Path, augment: dict[str, Any], encoder: dict[str, Any], views: dict[str, Any]
):
    paint(tmp_path, 18)

    def weights(**changes: Any) -> tuple[torch.Tensor, np.ndarray]:
        given = experiment(
            save(wide(18), tmp_path),
            encoder={"name": "timm:test_efficientnet", "weights": "none", **encoder},
            views={"size": 32, **views},
            optimiser={"epochs": 2, "batch_size": 6, "learning_rate": 1e-2},
            augment=changes,
            run={"device": "cpu"},
        )
        none = np.zeros(0, dtype=int)
        learner, fitted, samples = learn(given, train=np.arange(12), inner=none)
        answers = [
            fitted.member.answer(samples.take([16, 17]), learner.source).parameters
            for _ in range(2)
        ]
        np.testing.assert_array_equal(*answers)
        return fitted.member.network.fusion.layer.weight.detach(), answers[0]

    first, answer = weights(**augment)
    assert np.isfinite(answer).all()
    torch.testing.assert_close(weights(**augment)[0], first, rtol=0.0, atol=0.0)
    assert not torch.allclose(weights(policy="none")[0], first)
