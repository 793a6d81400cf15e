"""What scores need to know of a batch of logits: on a CPU without sorting, on a GPU by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from quadrat.scoring._ranking import SortedRows

LARGEST = 80.0
"""Logits are cut here in the log loss, so that infinite ones have a finite loss."""


@dataclass(frozen=True)
class Summary:
    """Counts and sums of logits ``(B, S)``.

    Attributes:
        below: How many logits of its row are smaller than each positive's, ``(P,)``.
        predicted: How many logits of each row are above each cut, ``(B, T)``.
        expected: Sum of the probabilities of every row, float64 ``(B,)``; NaN where a logit is.
        squares: Sum of their squares, ``(B,)``.
        softplus: Sum of ``log(1 + exp z)``, ``(B,)``.
        count: Number of logits in each bin of the reliability curve, ``(K,)``.
        probability: Sum of their probabilities, ``(K,)``.
    """

    below: Tensor
    predicted: Tensor
    expected: Tensor
    squares: Tensor
    softplus: Tensor
    count: Tensor
    probability: Tensor


def summarise(
    logits: Tensor, rows: Tensor, values: Tensor, *, cuts: Tensor, edges: Tensor
) -> Summary:
    """Summarises a batch.

    Args:
        logits: ``(B, S)``.
        rows: Row of every positive, ``(P,)``.
        values: Logit of every positive, float32 ``(P,)``.
        cuts: Logits above which a species is predicted, ``(T,)``.
        edges: Logits between the bins of the reliability curve, ascending ``(K - 1,)``.
    """
    if logits.device.type == "cpu":
        return _by_row(logits, rows, values, cuts, edges)
    return _by_sorting(logits, rows, values, cuts, edges)


def _by_row(logits: Tensor, rows: Tensor, values: Tensor, cuts: Tensor, edges: Tensor) -> Summary:
    from quadrat.kernels.logit_summary import summarise_rows

    if logits.dtype != torch.bfloat16:
        logits = logits.float()
    row, order = rows.sort(stable=True)
    starts = torch.searchsorted(row, torch.arange(len(logits) + 1))
    found = summarise_rows(
        logits.detach().contiguous(), starts.numpy(), values[order].numpy(), cuts.numpy(),
        edges.numpy(), LARGEST,
    )  # fmt: skip
    below = torch.empty_like(rows)
    below[order] = torch.from_numpy(found.below)
    expected, squares, softplus = torch.from_numpy(np.ascontiguousarray(found.sums.T))
    return Summary(
        below=below,
        predicted=torch.from_numpy(found.above),
        expected=expected,
        squares=squares,
        softplus=softplus,
        count=torch.from_numpy(found.in_bins),
        probability=torch.from_numpy(found.probability),
    )


def _by_sorting(
    logits: Tensor, rows: Tensor, values: Tensor, cuts: Tensor, edges: Tensor
) -> Summary:
    table = SortedRows(logits)
    below, ends = table.count_below(rows, values), table.count_up_to(edges)
    predicted = table.width - table.count_up_to(cuts)
    softplus = torch.nn.functional.softplus(table.table.clamp(max=LARGEST)).sum(dim=1).double()
    table.to_probabilities()
    sums = table.segment_sums(ends).double()
    steps = torch.nn.functional.pad(ends.sum(dim=0), (1, 1))
    steps[-1] = table.table.numel()
    return Summary(
        below=below,
        predicted=predicted,
        expected=sums.sum(dim=1),
        squares=table.squares().double(),
        softplus=softplus,
        count=steps.diff(),
        probability=sums.sum(dim=0),
    )
