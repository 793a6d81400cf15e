"""What is learnt beside the targets: intervals and metadata, against plain computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from quadrat.photos.fusion import Metadata
from quadrat.photos.heads.auxiliary import (
    AuxiliaryLoss,
    Columns,
    MetadataHead,
    bin_edges,
    bins_loss,
    metadata_loss,
)

NAN = float("nan")
COLUMNS = Columns(numeric=(1,), categorical=(0, 2), cardinalities=(4, 3))


def metadata(rows: int = 8) -> Metadata:
    """Two numbers and three categories, some of them unknown."""
    generator = torch.Generator().manual_seed(0)
    missing = (torch.rand(rows, 2, generator=generator) < 0.4).float()
    numeric = torch.randn(rows, 2, generator=generator) * (1.0 - missing)
    counts = torch.tensor([4, 5, 3])
    categories = (torch.rand(rows, 3, generator=generator) * counts).long()
    return Metadata(numeric, missing, categories)


def test_edges_cut_the_known_values_into_equal_parts():
    rng = np.random.default_rng(0)
    targets = np.stack([rng.gamma(2.0, 5.0, 400), rng.normal(size=400)], axis=1)
    targets[::5, 1] = np.nan
    edges = bin_edges(targets, 4).numpy()
    for column in range(2):
        known = targets[:, column][~np.isnan(targets[:, column])]
        counts = np.bincount(np.searchsorted(edges[column], known, side="right"), minlength=4)
        assert np.ptp(counts) <= 2


def test_intervals_are_learnt_by_cross_entropy_over_known_targets():
    rng = np.random.default_rng(1)
    targets, logits = rng.normal(size=(30, 2)), rng.normal(size=(30, 2, 3))
    targets[::4, 0] = np.nan
    edges = bin_edges(targets, 3)
    weights = np.array([2.0, 0.5])
    found, known = bins_loss(
        *(torch.from_numpy(v) for v in (logits, targets)), edges, torch.from_numpy(weights)
    )
    total = 0.0
    for column, weight in enumerate(weights):
        rows = ~np.isnan(targets[:, column])
        label = np.searchsorted(edges[column].numpy(), targets[rows, column], side="right")
        chances = np.exp(log_softmax(logits[rows, column], axis=1))
        total += weight * rows.sum() * log_loss(label, chances, labels=[0, 1, 2])
    counts = (~np.isnan(targets) * weights).sum()
    assert float(found) == pytest.approx(total / counts)
    assert bool(known)


def test_a_sample_that_counts_twice_weighs_as_two_in_the_loss_of_intervals():
    rng = np.random.default_rng(4)
    targets, logits = torch.from_numpy(rng.normal(size=(3, 2))), torch.randn(3, 2, 4)
    loss = AuxiliaryLoss(bin_edges(targets.numpy(), 4), (1.0, 0.5), bins_weight=1.0)
    said = {"bins": logits}
    weighed = loss.parts(said, targets, metadata(3), torch.tensor([1.0, 2.0, 1.0]))
    twice = [0, 1, 1, 2]
    repeated = loss.parts({"bins": logits[twice]}, targets[twice], metadata(4))
    torch.testing.assert_close(weighed[0].value, repeated[0].value)


def test_a_target_with_many_zeros_has_empty_intervals_and_a_finite_loss():
    targets = np.array([[0.0]] * 8 + [[1.0]] * 2)
    edges = bin_edges(targets, 5)
    logits = torch.zeros(10, 1, 5, requires_grad=True)
    found, _ = bins_loss(logits, torch.from_numpy(targets), edges, torch.ones(1))
    found.backward()
    assert float(found.detach()) == pytest.approx(np.log(5))


def test_metadata_are_judged_where_they_are_known():
    given = metadata()
    said = torch.randn(8, 1 + 3 + 2)
    found, known = metadata_loss(said, given, COLUMNS)
    rows = given.missing[:, 1] == 0
    errors = [((said[:, 0] - given.numeric[:, 1])[rows] ** 2).mean().item()]
    for column, logits in ((0, said[:, 1:4]), (2, said[:, 4:])):
        category = given.categories[:, column].numpy()
        there = category > 0
        scores = log_softmax(logits.double().numpy()[there], axis=1)
        errors.append(-scores[np.arange(there.sum()), category[there] - 1].mean())
    assert float(found) == pytest.approx(np.mean(errors), rel=1e-5)
    assert bool(known)


def test_nothing_known_is_nothing_to_learn():
    given = metadata().hidden()
    head = MetadataHead(5, 4, COLUMNS)
    loss = AuxiliaryLoss(
        edges=torch.zeros(1, 1).double(), target_weights=(1.0,), bins_weight=1.0, columns=COLUMNS
    )
    said = {"metadata": head(torch.randn(8, 5)), "bins": torch.randn(8, 1, 2, requires_grad=True)}
    parts = loss.parts(said, torch.full((8, 1), NAN), given)
    assert [part.name for part in parts] == ["bins_loss", "auxiliary_loss"]
    assert all(float(part.value.detach()) == 0.0 and not bool(part.known) for part in parts)
    sum(part.value for part in parts).backward()
    assert all((p.grad == 0).all() for p in head.parameters())


def test_predictions_stand_in_for_unknown_metadata_only():
    given = metadata()
    said = torch.randn(8, 6, requires_grad=True)
    filled = MetadataHead(5, 4, COLUMNS).fill(given, said)
    assert not filled.numeric.requires_grad
    assert torch.equal(filled.missing, given.missing)
    unknown = given.missing[:, 1] > 0
    assert unknown.any() and not unknown.all()
    torch.testing.assert_close(filled.numeric[unknown, 1], said.detach()[unknown, 0])
    torch.testing.assert_close(filled.numeric[~unknown], given.numeric[~unknown])
    assert torch.equal(filled.numeric[:, 0], given.numeric[:, 0])
    assert torch.equal(filled.categories[:, 1], given.categories[:, 1])
    for column, logits in ((0, said[:, 1:4]), (2, said[:, 4:])):
        before, after = given.categories[:, column], filled.categories[:, column]
        expected = torch.where(before > 0, before, 1 + logits.argmax(dim=1))
        assert torch.equal(after, expected)


def test_a_column_that_training_never_knew_is_left_alone():
    columns = Columns(categorical=(0,), cardinalities=(1,))
    given = Metadata(torch.zeros(3, 0), torch.zeros(3, 0), torch.zeros(3, 1, dtype=torch.int64))
    said = MetadataHead(5, 4, columns)(torch.randn(3, 5))
    found, known = metadata_loss(said, given, columns)
    assert float(found.detach()) == 0.0 and not bool(known)
    filled = MetadataHead(5, 4, columns).fill(given, said)
    assert torch.equal(filled.categories, given.categories)
