"""Sums over a matrix of logits in which a few pairs stand apart, in one pass.

The loss and its gradient are computed together, a few rows at a time, so that what lies between
logits and gradient never leaves the processor's cache; only the gradient is kept, in the logits'
own precision. PyTorch's own operations would keep and revisit several float32 matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from quadrat.occurrence.losses.parts import RowSums, by_parts, finer

WeighedCurve = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""From logits and the label weights of their species to the loss and its derivative."""


def matrix_loss(
    logits: Tensor,
    rows: Tensor,
    columns: Tensor,
    *,
    weights: Tensor | None,
    most: WeighedCurve,
    pairs: WeighedCurve | None,
    scale: float,
    sums: RowSums | None = None,
) -> tuple[Tensor, Tensor]:
    """Of each row ``scale · Σ most(z)``, with ``pairs(z)`` in its place at the pairs.

    Args:
        logits: z ``(B, W)``.
        rows: Rows of the pairs ``(P,)``; no pair stands there twice.
        columns: Their columns ``(P,)``.
        weights: Label weights of the columns ``(W,)``, if there are any.
        most: The curve of the matrix.
        pairs: The curve of the pairs; None leaves them out of the sum.
        scale: Multiplies the sum of each row.
        sums: Takes the sums of ``most`` where it needs no weights and there is a quicker way.

    Returns:
        The mean over the rows, a scalar, and the rows' own ``(B,)``, which have no gradient.
    """
    found: tuple[Tensor, Tensor] = _MatrixLoss.apply(
        logits, rows, columns, weights, most, pairs, scale, sums
    )
    return found


def pair_loss(logits: Tensor, weights: Tensor | None, curve: WeighedCurve, scale: float) -> Tensor:
    """``scale · curve(z)`` of logits of any shape, in float32 or finer."""
    found: Tensor = _PairLoss.apply(logits, weights, curve, scale)
    return found


class _MatrixLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        rows: Tensor,
        columns: Tensor,
        weights: Tensor | None,
        most: WeighedCurve,
        pairs: WeighedCurve | None,
        scale: float,
        sums: RowSums | None,
    ) -> tuple[Tensor, Tensor]:
        each, slopes = sums(logits) if sums else by_parts(logits, lambda z: _sums(most(z, weights)))
        z = logits[rows, columns].to(finer(logits))
        own = None if weights is None else weights[columns]
        here, slope = pairs(z, own) if pairs else (torch.zeros_like(z), torch.zeros_like(z))
        each.index_add_(0, rows, here - most(z, own)[0])
        slopes[rows, columns] = slope.to(slopes.dtype)
        ctx.save_for_backward(slopes)
        ctx.scale = scale / max(1, len(logits))
        each *= scale
        ctx.mark_non_differentiable(each)
        return each.mean(), each

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, total: Tensor, each: Tensor) -> tuple[Tensor | None, ...]:
        # In place: PyTorch's version counter refuses a second pass over the same graph.
        gradient = ctx.saved_tensors[0].mul_(total * ctx.scale)
        return gradient, None, None, None, None, None, None, None


class _PairLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, weights: Tensor | None, curve: WeighedCurve, scale: float
    ) -> Tensor:
        loss, slope = curve(logits.to(finer(logits)), weights)
        ctx.save_for_backward(slope * scale)
        ctx.dtype = logits.dtype
        return loss * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (ctx.saved_tensors[0] * gradient).to(ctx.dtype), None, None, None


def _sums(values: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    loss, slope = values
    return loss.sum(dim=1), slope
