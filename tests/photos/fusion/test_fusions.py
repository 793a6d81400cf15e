"""What all fusions have in common, and the formulas of the plain ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from quadrat.photos.fusion import FusionSpec, Metadata, SampleViews, fusions
from quadrat.photos.fusion.plain import FilmFusion, GatedFusion, MlpFusion
from quadrat.photos.fusion.pooling import AttentionFusion
from quadrat.photos.schema.network_rules import TOKEN_FUSIONS
from tests.photos.fusion.views import HIDDEN, TOKEN, WIDTH, metadata, one_of, spec, views

KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((kind, {}) for kind in fusions.names()),
    ("mlp", {"gate": True}),
    ("state-space", {"bidirectional": False}),
)
SIZES = (2, 1, 5, 3)

each_kind = pytest.mark.parametrize(("kind", "keys"), KINDS)


def made(kind: str, keys: dict[str, Any]) -> nn.Module:
    """A fusion with random weights everywhere, as after training."""
    torch.manual_seed(1)
    fusion = fusions[kind](spec(**keys)).eval()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return fusion


@each_kind
def test_a_sample_is_seen_alike_alone_and_among_others(kind: str, keys: dict[str, Any]):
    fusion, given, beside = made(kind, keys), views(SIZES), metadata(len(SIZES))
    together = fusion(given, beside)
    assert together.shape == (len(SIZES), HIDDEN)
    for sample in range(len(SIZES)):
        row = torch.tensor([sample])
        alone = fusion(one_of(given, sample), beside.take(row))
        torch.testing.assert_close(alone[0], together[sample], rtol=1e-4, atol=1e-5)


@each_kind
def test_photos_and_metadata_both_count(kind: str, keys: dict[str, Any]):
    fusion, given, beside = made(kind, keys), views(SIZES), metadata(len(SIZES))
    first = fusion(given, beside)
    assert not torch.allclose(fusion(views(SIZES, seed=5), beside), first, atol=1e-3)
    assert not torch.allclose(fusion(given, beside.hidden()), first, atol=1e-3)


@each_kind
def test_what_is_hidden_has_no_influence(kind: str, keys: dict[str, Any]):
    fusion, given = made(kind, keys), views(SIZES)
    one, other = (fusion(given, metadata(len(SIZES), seed).hidden()) for seed in (0, 9))
    torch.testing.assert_close(one, other)


@each_kind
def test_everything_learns(kind: str, keys: dict[str, Any]):
    fusion = made(kind, keys).train()
    fusion(views(SIZES), metadata(len(SIZES))).square().sum().backward()
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@each_kind
def test_half_precision_stays_close(kind: str, keys: dict[str, Any]):
    fusion, given, beside = made(kind, keys), views(SIZES), metadata(len(SIZES))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = fusion(given, beside)
    full = fusion(given, beside)
    assert (low.float() - full).abs().mean() < 0.05 * full.abs().mean() + 0.02


@pytest.mark.parametrize("kind", TOKEN_FUSIONS)
def test_fusions_of_places_take_views_of_any_size_and_say_what_they_lack(kind: str):
    fusion = made(kind, {})
    given, beside = views(SIZES, grid=(1, 4)), metadata(len(SIZES))
    assert torch.isfinite(fusion(given, beside)).all()
    bare = SampleViews(given.vectors, given.photos, given.owner, given.slot)
    with pytest.raises(ValueError, match="tokens"):
        fusion(bare, beside)
    with pytest.raises(ValueError, match="tokens"):
        fusions[kind](spec(token_width=0))


@pytest.mark.parametrize("kind", [k for k in fusions.names() if k != "film"])
def test_there_may_be_no_metadata(kind: str):
    none = FusionSpec(WIDTH, 0, (), (), HIDDEN, 0.0, token_width=TOKEN, slots=2, heads=3)
    nothing = Metadata(torch.zeros(4, 0), torch.zeros(4, 0), torch.zeros(4, 0, dtype=torch.int64))
    assert fusions[kind](none).eval()(views(SIZES), nothing).shape == (4, HIDDEN)


def test_a_gate_says_how_much_of_photos_and_metadata():
    fusion = GatedFusion(spec())
    given, beside = views(SIZES), metadata(len(SIZES))
    with torch.no_grad():
        fusion.gate.weight.zero_()
        fusion.gate.bias.fill_(50.0)
        photos = fusion(given, beside)
        fusion.gate.bias.fill_(-50.0)
        known = fusion(given, beside)
    torch.testing.assert_close(photos, torch.tanh(fusion.photos(given.photos)))
    torch.testing.assert_close(known, torch.tanh(fusion.beside(fusion.metadata(beside))))


def test_film_begins_with_what_the_photos_say():
    fusion, given = FilmFusion(spec()), views(SIZES)
    alone = torch.nn.functional.gelu(fusion.photos(given.photos))
    torch.testing.assert_close(fusion(given, metadata(4)), alone)
    with torch.no_grad():
        fusion.modulation.bias[:HIDDEN] = 2.0
        fusion.modulation.bias[HIDDEN:] = -1.0
    torch.testing.assert_close(fusion(given, metadata(4)), 3.0 * alone - 1.0)


def test_attention_weighs_views_as_in_the_formula():
    fusion, given = made("attention", {}), views(SIZES)
    assert isinstance(fusion, AttentionFusion)
    shown = torch.randn(sum(SIZES), HIDDEN)
    found = fusion.weights(shown, given).detach().double().numpy()
    h = shown.double().numpy()

    def linear(layer: nn.Linear, x: Any) -> Any:
        weight, bias = (p.detach().double().numpy() for p in (layer.weight, layer.bias))
        return x @ weight.T + bias

    gate = 1.0 / (1.0 + np.exp(-linear(fusion.gate, h)))
    scores = linear(fusion.score, np.tanh(linear(fusion.content, h)) * gate)[:, 0]
    for sample in range(len(SIZES)):
        e = np.exp(scores[given.owner.numpy() == sample])
        np.testing.assert_allclose(found[sample, : len(e)], e / e.sum(), rtol=1e-5)
        assert (found[sample, len(e) :] == 0.0).all()


def test_old_weights_of_the_plain_fusion_keep_their_names():
    assert set(MlpFusion(spec()).state_dict()) == {
        "embeddings.0.weight",
        "embeddings.1.weight",
        "layer.weight",
        "layer.bias",
    }
