"""Fusions over places: attention, convolutions and state spaces against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from quadrat.photos.fusion.attending import Attention, CrossAttentionFusion
from quadrat.photos.fusion.convolving import _GatedConvolution
from quadrat.photos.fusion.scan import CHUNK, by_package, selective_scan
from quadrat.photos.fusion.state_space import STATES, SelectiveStateSpace
from quadrat.photos.fusion.tokens import TokenSequences, masked_mean, place_waves
from tests.photos.fusion.views import HIDDEN, metadata, one_of, spec, views

Array = np.ndarray[Any, np.dtype[np.float64]]


def by_steps(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Array:
    """The recurrence, step by step in double precision."""
    us, ds, rates, bs, cs = (part.detach().double().numpy() for part in (u, delta, a, b, c))
    found = np.zeros(us.shape)
    for row in range(len(us)):
        state = np.zeros(rates.shape)
        for t in range(us.shape[1]):
            step = ds[row, t][:, None]
            state = np.exp(step * rates) * state + step * us[row, t][:, None] * bs[row, t]
            found[row, t] = state @ cs[row, t]
    return found


def scan_input(length: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(length)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return (
        drawn(2, length, 3),
        torch.nn.functional.softplus(3.0 * drawn(2, length, 3)),
        -torch.exp(2.0 * drawn(3, 4)),
        drawn(2, length, 4),
        drawn(2, length, 4),
    )


@pytest.mark.parametrize("length", [1, 2, 7, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_the_scan_is_its_recurrence(length: int):
    given = scan_input(length)
    np.testing.assert_allclose(selective_scan(*given), by_steps(*given), rtol=1e-4, atol=1e-4)


def test_the_scan_does_not_overflow_where_everything_is_forgotten():
    u, delta, a, b, c = scan_input(2 * CHUNK)
    found = selective_scan(u, 1000.0 * delta, 100.0 * a, b, c)
    assert torch.isfinite(found).all()


def test_gradients_of_the_scan_are_those_of_the_recurrence():
    given = [part.double().requires_grad_() for part in scan_input(6)]
    assert torch.autograd.gradcheck(selective_scan, given)


def test_a_package_is_given_what_it_takes():
    given = scan_input(9)

    def scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """As mamba_ssm documents it: (B, E, L), (B, E, L), (E, N), (B, N, L), (B, N, L)."""
        assert all(part.is_contiguous() for part in (u, delta, b, c))
        turned = [part.transpose(1, 2) for part in (u, delta)]
        found = by_steps(*turned, a, b.transpose(1, 2), c.transpose(1, 2))
        return torch.from_numpy(found).transpose(1, 2)

    np.testing.assert_allclose(by_package(scan, *given), by_steps(*given))


def test_a_state_space_reads_in_one_direction_and_passes_over_padding():
    torch.manual_seed(0)
    module = SelectiveStateSpace(5)
    content, mask = torch.randn(2, 8, 5), torch.ones(2, 8, dtype=torch.bool)
    before = module(content, mask)
    later = content.clone()
    later[:, 5:] += 1.0
    after = module(later, mask)
    torch.testing.assert_close(after[:, :5], before[:, :5])
    assert not torch.allclose(after[:, 5:], before[:, 5:])
    padded = torch.cat([torch.randn(2, 3, 5), content], dim=1)  # in front, as read backwards
    behind = torch.cat([torch.zeros(2, 3, dtype=torch.bool), mask], dim=1)
    torch.testing.assert_close(module(padded, behind)[:, 3:], before)


def test_a_state_space_begins_with_small_steps():
    torch.manual_seed(0)
    module = SelectiveStateSpace(64)
    steps = torch.nn.functional.softplus(module.step.bias)
    assert (steps > 0.9e-3).all() and (steps < 1.1e-1).all()
    assert module.log_rates.exp()[0].tolist() == pytest.approx(range(1, STATES + 1), rel=1e-5)


def test_attention_is_that_of_torch():
    torch.manual_seed(0)
    ours, theirs = Attention(12, 3, 0.0), nn.MultiheadAttention(12, 3, batch_first=True)
    parts = (ours.queries, ours.keys, ours.values)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj = ours.out  # type: ignore[assignment]
    queries, context = torch.randn(2, 4, 12), torch.randn(2, 6, 12)
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[1, 3:] = False
    expected, _ = theirs(queries, context, context, key_padding_mask=~mask)
    torch.testing.assert_close(ours(queries, context, mask[:, None]), expected)


def test_a_view_does_not_see_itself():
    torch.manual_seed(0)
    fusion = CrossAttentionFusion(spec(layers=1)).eval()
    seen: list[Tensor] = []
    fusion.layers[0].look.register_forward_hook(  # type: ignore[union-attr, operator]
        lambda module, given, found: seen.append(given[2])
    )
    fusion(views((2, 1)), metadata(2))
    mask = seen[0]  # (B, L, 1 + L): two views of six places, or one
    assert mask.shape == (2, 12, 13)
    assert mask[..., 0].all()
    own = torch.zeros(12, 12, dtype=torch.bool)
    own[:6, 6:] = own[6:, :6] = True
    assert torch.equal(mask[0, :, 1:], own)
    assert not mask[1, :6, 1:].any()


def test_a_gated_convolution_is_its_formula():
    torch.manual_seed(0)
    layer = _GatedConvolution(spec()).eval()
    values = torch.randn(1, 9, HIDDEN)
    mask = torch.arange(9)[None] < 7
    found = layer(values, mask)[0].detach().numpy()
    content, gate = layer.inner(layer.norm(values))[0].detach().double().numpy().T.reshape(2, -1, 9)
    content[:, 7:] = 0.0
    kernel = layer.convolution.weight.detach().double().numpy()[:, 0]
    bias = layer.convolution.bias.detach().double().numpy()  # type: ignore[union-attr]
    mixed = np.stack(
        [np.correlate(row, kernel[k], mode="same") + bias[k] for k, row in enumerate(content)]
    )
    gated = mixed * gate / (1.0 + np.exp(-gate))
    weight = layer.out.weight.detach().double().numpy()
    expected = values[0].numpy() + gated.T @ weight.T + layer.out.bias.detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_sequence_follows_views_and_rows():
    torch.manual_seed(0)
    module, given = TokenSequences(spec(), places=False), views((1, 3))
    values, mask, view = module(given)
    assert values.shape == (2, 18, HIDDEN)
    assert mask.sum(dim=1).tolist() == [6, 18]
    assert view.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert given.tokens is not None
    rows = module.layer(module.norm(given.tokens[1:].flatten(0, 2)))  # the second sample's
    torch.testing.assert_close(values[1], rows)
    torch.testing.assert_close(
        masked_mean(values, mask)[0], module(one_of(given, 0)).values[0].mean(dim=0)
    )


def test_slots_and_places_are_told_apart():
    torch.manual_seed(0)
    module, given = TokenSequences(spec(), places=True), views((2,))
    assert given.tokens is not None
    given.tokens[:] = given.tokens[:1, :1, :1]
    values = module(given).values[0]
    assert len({tuple(row.tolist()) for row in values[:6]}) == 6
    torch.testing.assert_close(values[:6], values[6:])  # before training slots are alike
    with torch.no_grad():
        module.slots.weight[1] = 1.0
    values = module(given).values[0]
    torch.testing.assert_close(values[:6] + 1.0, values[6:])


def test_waves_do_not_depend_on_the_number_of_places():
    small, large = place_waves(1, 2, torch.device("cpu")), place_waves(3, 6, torch.device("cpu"))
    torch.testing.assert_close(small[0, 0], large[1, 1])
