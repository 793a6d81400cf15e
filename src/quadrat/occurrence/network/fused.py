"""A residual block on a CPU in bfloat16: products by PyTorch, all between them by kernels.

Numbers are those of the block's layers to the rounding of bfloat16; fewer of them are rounded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from quadrat.kernels.norm_gelu import NormGelu
from quadrat.kernels.residual import added, modulated, modulated_back


class BlockWeights(NamedTuple):
    """The parameters of a block, by layer."""

    first_weight: Tensor
    first_shift: Tensor
    matrix: Tensor
    bias: Tensor
    second_weight: Tensor
    second_shift: Tensor
    last_matrix: Tensor
    last_bias: Tensor


def fused_block(
    x: Tensor,
    weights: BlockWeights,
    *,
    epsilon: float,
    dropped: int,
    table: Tensor | None = None,
    rows: Tensor | None = None,
) -> Tensor:
    """``x + layers(x)``, and that modulated by rows of a table where there is one.

    Args:
        x: ``(B, W)``.
        weights: Of the layers.
        epsilon: Added to the variances of the norms.
        dropped: How many of 256 values become zero before the last layer.
        table: γ and β side by side ``(T, 2 W)``.
        rows: The row of the table of each sample ``(B,)``.
    """
    seed = int(torch.randint(1 << 32, ())) if dropped else 0
    found: Tensor = _Block.apply(
        x.bfloat16().contiguous(), table, rows, epsilon, dropped, seed, *weights
    )
    return found


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        table: Tensor | None,
        rows: Tensor | None,
        epsilon: float,
        dropped: int,
        seed: int,
        *parameters: Tensor,
    ) -> Tensor:
        weights = BlockWeights(*parameters)
        first, second = _norms(weights, epsilon, dropped, seed)
        matrix, last_matrix = weights.matrix.bfloat16(), weights.last_matrix.bfloat16()
        bent, moments = first.forward(x)
        inner = bent.mm(matrix.t())
        bent_inner, inner_moments = second.forward(inner)
        y = bent_inner.mm(last_matrix.t())
        ctx.settings = epsilon, dropped, seed
        ctx.save_for_backward(
            x, bent, moments, inner, bent_inner, inner_moments, y, matrix, last_matrix,
            table, rows, *parameters,
        )  # fmt: skip
        if table is None or rows is None:
            return added(x, y, weights.last_bias)
        return modulated(x, y, weights.last_bias, table, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (
            x, bent, moments, inner, bent_inner, inner_moments, y, matrix, last_matrix,
            table, rows, *parameters,
        ) = ctx.saved_tensors  # fmt: skip
        weights = BlockWeights(*parameters)
        first, second = _norms(weights, *ctx.settings)
        gradient = gradient.bfloat16().contiguous()
        of_table = None
        if table is None:
            of_sum, of_last_bias = gradient, gradient.sum(dim=0)
        else:
            of_sum, of_last_bias, of_table = modulated_back(
                gradient, x, y, weights.last_bias, table, rows
            )
        of_last_matrix = of_sum.t().mm(bent_inner)
        of_inner, by_second = second.backward(of_sum.mm(last_matrix), inner, inner_moments)
        of_matrix = of_inner.t().mm(bent)
        of_x, by_first = first.backward(of_inner.mm(matrix), x, moments, of_sum)
        of_weights = BlockWeights(
            by_first[0], by_first[1], of_matrix, by_second[2],
            by_second[0], by_second[1], of_last_matrix, of_last_bias,
        )  # fmt: skip
        return of_x, of_table, None, None, None, None, *of_weights


def _norms(
    weights: BlockWeights, epsilon: float, dropped: int, seed: int
) -> tuple[NormGelu, NormGelu]:
    nothing = torch.zeros_like(weights.bias)
    return (
        NormGelu(nothing, weights.first_weight, weights.first_shift, epsilon),
        NormGelu(weights.bias, weights.second_weight, weights.second_shift, epsilon, dropped, seed),
    )
