"""Sums over a matrix of logits in which a few pairs stand apart, in one pass.

The loss and its gradient are computed together, a few rows at a time, so that what lies between
logits and gradient never leaves the processor's cache; only the gradient is kept, in the logits'
own precision. PyTorch's own operations would keep and revisit several float32 matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from quadrat.occurrence.losses.curves import RowSums

_AT_ONCE = {"cpu": 1 << 17}
_AT_ONCE_ELSEWHERE = 1 << 26
"""Logits at once: few enough for a processor's cache, many enough to fill a GPU."""

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
        fine = _fine(logits)
        if sums:
            each, slopes = sums(logits)
        else:
            each = torch.empty(len(logits), dtype=fine, device=logits.device)
            slopes = torch.empty_like(logits)
            for part in _parts(logits):
                z = logits[part].to(fine)
                each[part], slopes[part] = _row_sums(most(z, weights))
        z = logits[rows, columns].to(fine)
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
        loss, slope = curve(logits.to(_fine(logits)), weights)
        ctx.save_for_backward(slope * scale)
        ctx.dtype = logits.dtype
        return loss * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (ctx.saved_tensors[0] * gradient).to(ctx.dtype), None, None, None


def _row_sums(values: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    loss, slope = values
    return loss.sum(dim=1), slope


def _fine(logits: Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)


def _parts(logits: Tensor) -> Iterator[slice]:
    at_once = _AT_ONCE.get(logits.device.type, _AT_ONCE_ELSEWHERE)
    step = max(1, at_once // max(1, logits.shape[1]))
    for start in range(0, len(logits), step):
        yield slice(start, start + step)
