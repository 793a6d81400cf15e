"""A block by kernels against the same block by PyTorch's layers."""

from __future__ import annotations

import pytest
import torch

from quadrat.occurrence.network.blocks import ResidualBlock


def block(width: int, dropout: float = 0.0) -> ResidualBlock:
    torch.manual_seed(0)
    made = ResidualBlock(width, dropout)
    for parameter in made.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=0.5, std=0.3)
    return made


def halved(made: ResidualBlock, *arguments: torch.Tensor | None) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return made(*arguments)


def film(count: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(5, 2 * width) * 0.5 + 1, torch.randint(5, (count,))


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize(("count", "width"), [(1, 8), (200, 64)])
def test_values_and_gradients_are_those_of_the_layers(count, width, modulated):
    made = block(width)
    x = torch.randn(count, width).bfloat16()
    table, rows = film(count, width) if modulated else (None, None)
    weights = torch.randn(count, width)
    found = []
    for run in (made, lambda *arguments: halved(made, *arguments)):
        leaf = x.float().requires_grad_()
        own = None if table is None else table.clone().requires_grad_()
        result = run(leaf, own, rows)
        (result.float() * weights).sum().backward()
        gradients = [leaf.grad, *(p.grad for p in made.parameters())]
        found.append([result.detach().float(), *gradients, *([] if own is None else [own.grad])])
        made.zero_grad()
    for exact, rounded in zip(*found, strict=True):
        error = (rounded - exact).norm() / exact.norm()
        assert rounded.dtype == torch.float32
        assert error < 0.015


def test_it_returns_half_precision_and_saves_what_a_second_backward_needs_not():
    made = block(16)
    x = torch.randn(4, 16, requires_grad=True)
    result = halved(made, x)
    assert result.dtype == torch.bfloat16
    result.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        result.sum().backward()


def test_dropout_is_drawn_by_the_seed_and_only_in_training():
    made, x = block(64, dropout=0.5), torch.randn(300, 64)
    still = made.eval()
    assert torch.equal(halved(still, x), halved(still, x))
    moving = made.train()
    torch.manual_seed(3)
    first = halved(moving, x)
    assert not torch.equal(halved(moving, x), first)
    torch.manual_seed(3)
    assert torch.equal(halved(moving, x), first)
    mean = torch.stack([halved(moving, x).float() for _ in range(300)]).mean(dim=0)
    expected = halved(made.eval(), x).float()
    assert (mean - expected).norm() / (expected - x).norm() < 0.1


def test_an_empty_batch_and_one_without_gradients():
    made = block(16)
    assert halved(made, torch.randn(0, 16)).shape == (0, 16)
    with torch.inference_mode():
        assert halved(made, torch.randn(3, 16)).shape == (3, 16)
