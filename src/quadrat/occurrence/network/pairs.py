"""Some entries of a matrix product, at the cost of these entries alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_AT_ONCE = {"cpu": 1 << 17}
_AT_ONCE_ELSEWHERE = 1 << 26
"""Numbers at once: few enough for a processor's cache, many enough to fill a GPU."""


def pair_products(x: Tensor, weight: Tensor, bias: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``(x weightᵀ + bias)[rows, columns]``, without the rest of the product.

    Args:
        x: ``(B, F)``.
        weight: ``(S, F)``.
        bias: ``(S,)``.
        rows: ``(P,)``.
        columns: ``(P,)``.

    Returns:
        ``(P,)``, in the finer precision of ``x`` and ``weight``.
    """
    products: Tensor = _PairProducts.apply(x, weight, bias, rows, columns)
    return products


class _PairProducts(torch.autograd.Function):
    """The gradients are weighted sums of rows, for which the operations of bags are made."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, rows: Tensor, columns: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, weight, rows, columns)
        wide = x.to(torch.promote_types(x.dtype, weight.dtype))
        at_once = _AT_ONCE.get(x.device.type, _AT_ONCE_ELSEWHERE)
        parts = max(1, -(-len(rows) * x.shape[1] // at_once))
        products = [
            wide.index_select(0, some).mul_(weight.index_select(0, species)).sum(dim=1)
            for some, species in zip(rows.chunk(parts), columns.chunk(parts), strict=True)
        ]
        return torch.cat(products).add_(bias.index_select(0, columns))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, rows, columns = ctx.saved_tensors
        of_x = _sums(weight.to(gradient.dtype), columns, rows, gradient, len(x)).to(x.dtype)
        # The bias is the weight of a feature that is always 1.
        features = nn.functional.pad(x.to(gradient.dtype), (0, 1), value=1.0)
        both = _sums(features, rows, columns, gradient, len(weight)).to(weight.dtype)
        return of_x, both[:, :-1], both[:, -1], None, None


def _sums(values: Tensor, source: Tensor, target: Tensor, factors: Tensor, size: int) -> Tensor:
    """Row t is the sum of ``factors · values[source]`` over the pairs with the target t."""
    order = target.argsort(stable=True)
    edges = torch.arange(size, device=target.device)
    starts = torch.searchsorted(target[order], edges)
    return nn.functional.embedding_bag(
        source[order], values, starts, mode="sum", per_sample_weights=factors[order]
    )
