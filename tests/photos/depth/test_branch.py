"""The branch begins as the identity, learns from relief and level, and knows each view apart."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from quadrat.photos.depth.branch import (
    WIDTH,
    CrossAttention,
    DepthBranch,
    DepthEncoder,
    DepthSpec,
    joins,
)

FUSIONS = ("add", "attention", "concat")
D = 24


def made(fusion: str, seed: int = 0) -> DepthBranch:
    torch.manual_seed(seed)
    return DepthBranch(D, DepthSpec(fusion)).eval()


def awake(fusion: str) -> DepthBranch:
    branch = made(fusion)
    nn.init.normal_(branch.join.out.weight, std=0.1)
    return branch


def given(views: int = 3, side: int = 32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(views, D, generator=generator)
    return vectors, torch.randn(views, 1, side, side, generator=generator)


def test_the_fusions_are_those_of_the_experiment_file():
    assert joins.names() == sorted(FUSIONS)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_begins_as_the_identity_and_can_leave_it(fusion: str):
    branch, (vectors, depth) = made(fusion), given()
    assert torch.equal(branch(vectors, depth), vectors)
    branch(vectors, depth).square().sum().backward()
    assert branch.join.out.weight.grad.abs().max() > 0.0


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_part_gets_a_gradient_once_it_is_awake(fusion: str):
    branch, (vectors, depth) = awake(fusion), given()
    branch(vectors, depth).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in branch.parameters())


@pytest.mark.parametrize("fusion", FUSIONS)
def test_views_do_not_look_at_each_other(fusion: str):
    branch, (vectors, depth) = awake(fusion), given(5)
    together = branch(vectors, depth)
    apart = torch.cat([branch(vectors[k : k + 1], depth[k : k + 1]) for k in range(5)])
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("shape", [(16, 16), (33, 70), (128, 64)])
def test_maps_of_any_size_will_do(fusion: str, shape: tuple[int, int]):
    vectors, _ = given()
    assert awake(fusion)(vectors, torch.randn(3, 1, *shape)).shape == (3, D)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_can_learn_how_high_a_map_lies(fusion: str):
    """What group normalisation alone cannot tell: flat maps, equal but for their level."""
    torch.manual_seed(0)
    branch = DepthBranch(D, DepthSpec(fusion))
    level = torch.linspace(-2, 2, 16)
    depth = level[:, None, None, None].expand(16, 1, 8, 8)
    optimiser = torch.optim.Adam(branch.parameters(), 1e-3)
    for _ in range(40):
        loss = (branch(torch.zeros(16, D), depth)[:, 0] - level).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.1 * level.var()


def test_tokens_are_the_vector_and_the_places():
    torch.manual_seed(0)
    encoder = DepthEncoder()
    vector, tokens = encoder(given(side=64)[1])
    assert vector.shape == (3, WIDTH)
    assert tokens.shape == (3, 1 + 4 * 4, WIDTH)
    assert torch.equal(tokens[:, 0], vector)


def test_attention_is_that_of_the_formula():
    torch.manual_seed(0)
    join = CrossAttention(D)
    nn.init.normal_(join.out.weight)
    photos, tokens = torch.randn(2, D), torch.randn(2, 5, WIDTH)
    q = join.query(join.photo(photos)).reshape(2, 4, WIDTH // 4)
    k, v = (join.pair(tokens)[..., part].reshape(2, 5, 4, -1) for part in _halves())
    weights = torch.softmax(torch.einsum("vhd,vkhd->vhk", q, k) / math.sqrt(WIDTH // 4), dim=-1)
    expected = join.out(torch.einsum("vhk,vkhd->vhd", weights, v).flatten(1))
    torch.testing.assert_close(join(photos, tokens[:, 0], tokens), expected, rtol=1e-4, atol=1e-4)


def _halves() -> tuple[slice, slice]:
    return slice(0, WIDTH), slice(WIDTH, 2 * WIDTH)
