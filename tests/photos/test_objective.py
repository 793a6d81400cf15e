"""The loss over known targets, and inner scores in the targets' units after balance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from quadrat.photos.heads.auxiliary import AuxiliaryLoss
from quadrat.photos.network.photos_network import Output
from quadrat.photos.objective import PhotosObjective, target_weights
from quadrat.photos.predictions import Answer
from quadrat.runtime.balance import Balance, Identity
from quadrat.scoring import regression_scores
from quadrat.targets import DISTRIBUTIONS, TargetScaler
from tests.photos.small import small

SCALER = TargetScaler("none", (1.0, 2.0, 3.0), (2.0, 2.0, 4.0))
TRUTH = np.array([[4.0, 1.0, 5.0], [2.0, np.nan, np.nan], [1.0, 7.0, 8.0]])


def objective(folder: Path, **sections: Any) -> PhotosObjective:
    experiment = small(folder, **sections)
    floor, distribution = np.zeros(3), DISTRIBUTIONS[experiment.head.distribution]
    balance = Balance(
        ("green_g", "dead_g", "total_g"), (Identity("total_g", ("green_g", "dead_g")),)
    )
    return PhotosObjective.of(
        experiment,
        TRUTH,
        lambda parameters: Answer(parameters, SCALER, floor, distribution).prediction(),
        balance.project,
        SCALER,
    )


class Given(nn.Module):
    """Says the same whatever it is shown."""

    def __init__(self, parameters: torch.Tensor) -> None:
        super().__init__()
        self.parameters_given = nn.Parameter(parameters)

    def forward(self, batch: Any) -> Output:
        return Output(self.parameters_given)


def test_unknown_targets_leave_the_loss(tmp_path: Path):
    targets = torch.tensor([[1.0, 0.0, float("nan")], [float("nan")] * 3])
    module = Given(torch.zeros(2, 3, 1))
    losses = objective(tmp_path).loss(
        module, SimpleNamespace(targets=targets, metadata=None, weights=None)
    )
    assert losses.total.item() == pytest.approx(0.5)
    torch.testing.assert_close(losses.per_sample, torch.tensor([0.5, 0.0]))
    losses.total.backward()
    assert (module.parameters_given.grad[1] == 0).all()  # type: ignore[index]


def test_samples_count_in_the_loss_as_their_weights_say(tmp_path: Path):
    targets = torch.tensor([[1.0] * 3, [3.0] * 3])
    weights = torch.tensor([1.0, 0.25])
    given = SimpleNamespace(targets=targets, metadata=None, weights=weights)
    found = objective(tmp_path).loss(Given(torch.zeros(2, 3, 1)), given)
    assert found.total.item() == pytest.approx((1.0 + 0.25 * 9.0) / 1.25)


@pytest.mark.parametrize(
    ("loss", "score", "expected"),
    [
        ("equal", {"green_g": 1.0}, (1.0, 1.0, 1.0)),
        ("score", {"total_g": 0.5, "dead_g": 0.2}, (0.0, 0.2, 0.5)),
        ("score", {}, (1.0, 1.0, 1.0)),
        ({"green_g": 3.0}, {}, (3.0, 0.0, 0.0)),
    ],
)
def test_targets_weigh_as_the_experiment_says(tmp_path: Path, loss: Any, score: Any, expected: Any):
    experiment = small(tmp_path, loss={"weights": loss}, score={"weights": score})
    assert target_weights(experiment) == expected


def test_huber_takes_its_beta(tmp_path: Path):
    targets = torch.full((1, 3), 2.0)
    given = SimpleNamespace(targets=targets, metadata=None, weights=None)
    found = objective(tmp_path, loss={"kind": "huber", "beta": 0.5}).loss(
        Given(torch.zeros(1, 3, 1)), given
    )
    assert found.total.item() == pytest.approx(2.0 - 0.25)


def test_inner_scores_are_those_of_balanced_predictions(tmp_path: Path):
    aim = objective(tmp_path)
    parameters = torch.tensor([[0.5, 0.0, 1.0], [0.0, -3.0, 0.5], [-0.2, 2.0, 0.5]])[..., None]
    evaluator = aim.evaluator()
    evaluator.update(SimpleNamespace(), Output(parameters[:2]))
    evaluator.update(SimpleNamespace(), Output(parameters[2:]))
    scores = evaluator.compute()
    raw = np.maximum(SCALER.inverse(parameters[..., 0].numpy()), 0.0)
    expected = regression_scores(TRUTH, aim.balanced(raw), np.ones(3))
    assert scores == pytest.approx(expected)
    assert "crps" not in scores
    assert aim.primary == "weighted_r2" and aim.higher_is_better


def test_a_gaussian_head_is_scored_by_crps_too(tmp_path: Path):
    aim = objective(tmp_path, head={"distribution": "gaussian"}, score={"primary": "crps"})
    evaluator = aim.evaluator()
    evaluator.update(SimpleNamespace(), Output(torch.zeros(3, 3, 2)))
    assert evaluator.compute()["crps"] > 0
    assert not aim.higher_is_better


def test_what_is_learnt_beside_is_weighed_too(tmp_path: Path):
    aim = objective(tmp_path, loss={"weighting": "uncertainty", "weights": "equal"})
    edges = torch.tensor([[0.0], [0.0], [0.0]])
    beside = AuxiliaryLoss(edges=edges, target_weights=(1.0, 1.0, 1.0), bins_weight=0.3)
    aim = replace(aim, auxiliary=beside)
    parameters, logits, s = torch.randn(4, 3, 1), torch.randn(4, 3, 2), torch.randn(4)
    targets = torch.randn(4, 3)
    said = Output(parameters, {"bins": logits}, s)
    batch: Any = SimpleNamespace(targets=targets, metadata=None, weights=None)
    found = aim.loss(_Says(said), batch)
    errors = (parameters[..., 0] - targets).square().mean(dim=0)
    labels = (targets >= 0).long().flatten()
    entropy = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels)
    expected = ((-s[:3]).exp() * errors + s[:3]).mean()
    expected = expected + 0.3 * ((-s[3]).exp() * entropy + s[3])
    torch.testing.assert_close(found.total, expected)
    assert set(found.parts) == {"target_loss", "bins_loss"}
    torch.testing.assert_close(found.parts["bins_loss"], entropy)


class _Says(nn.Module):
    """Says one thing whatever it is shown."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output

    def forward(self, batch: Any) -> Output:
        return self.output
