from itertools import combinations

import pytest
import torch

from quadrat.occurrence.losses.species import SpeciesLoss
from quadrat.occurrence.schema import LossSection

from .dense import dense_loss, positives_of

ROWS, SPECIES, DRAWN = 4, 6, 2


def case(seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(ROWS, SPECIES, generator=generator, dtype=torch.float64) * 3
    labels = torch.rand(ROWS, SPECIES, generator=generator) < 0.4
    weights = torch.rand(SPECIES, generator=generator, dtype=torch.float64)
    return z, labels, weights


def sampled(loss, z, labels, columns):
    seen = positives_of(labels)
    return loss.sampled(z[:, columns], z[seen.rows, seen.columns], seen, columns)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_mean_over_all_draws_is_the_loss_over_all_species(weighed, smoothing):
    z, labels, weights = case()
    z.requires_grad_()
    section = LossSection(kind="assume-negative", label_smoothing=smoothing)
    loss = SpeciesLoss(section, SPECIES, weights if weighed else None)
    draws = [torch.tensor(chosen) for chosen in combinations(range(SPECIES), DRAWN)]
    found = [sampled(loss, z, labels, columns) for columns in draws]
    total = torch.stack([one.total for one in found]).mean()
    total.backward()
    exact = z.detach().clone().requires_grad_()
    expected = dense_loss(exact, labels, section, weights if weighed else None).mean(dim=1)
    expected.mean().backward()
    torch.testing.assert_close(torch.stack([one.each for one in found]).mean(0), expected)
    torch.testing.assert_close(total, expected.mean())
    torch.testing.assert_close(z.grad, exact.grad)


def test_drawing_all_species_is_the_full_loss():
    z, labels, weights = case(1)
    loss = SpeciesLoss(LossSection(kind="assume-negative"), SPECIES, weights)
    found = sampled(loss, z, labels, torch.randperm(SPECIES))
    torch.testing.assert_close(found, loss.full(z, positives_of(labels)))


def test_what_was_seen_is_never_drawn_as_an_absence():
    z, _, _ = case(2)
    z.requires_grad_()
    labels = torch.ones(ROWS, SPECIES, dtype=torch.bool)
    loss = SpeciesLoss(LossSection(kind="assume-negative"), SPECIES)
    sampled(loss, z, labels, torch.tensor([1, 4])).total.backward()
    assert (z.grad < 0).all()


@pytest.mark.parametrize("columns", [None, torch.tensor([5, 0, 3])])
def test_elsewhere_every_species_is_absent(columns):
    z, labels, weights = case(3)
    section = LossSection(kind="assume-negative", label_smoothing=0.1)
    here = z if columns is None else z[:, columns]
    found = SpeciesLoss(section, SPECIES, weights).absent(here, columns)
    expected = dense_loss(z, torch.zeros_like(labels), section, weights)
    expected = expected if columns is None else expected[:, columns]
    torch.testing.assert_close(found.each, expected.mean(dim=1))
    torch.testing.assert_close(found.total, expected.mean())
