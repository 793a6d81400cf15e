"""Ranks and sums over rows of logits, without a loop over samples and without an argsort."""

from __future__ import annotations

import torch
from torch import Tensor


class SortedRows:
    """A batch of logits with every row sorted, ascending, in float32.

    Args:
        logits: ``(B, S)``.
    """

    def __init__(self, logits: Tensor) -> None:
        count, self.width = logits.shape
        # and a zero, where an empty last segment can begin
        self._buffer = torch.zeros(logits.numel() + 1, device=logits.device)
        self.table = self._buffer[:-1].view(count, self.width)
        self.table.copy_(logits.float().sort(dim=1).values)

    def count_below(self, rows: Tensor, values: Tensor) -> Tensor:
        """How many logits of its row are smaller than each value, both ``(P,)``."""
        flat, base = self._buffer, rows * self.width
        below = torch.zeros_like(rows)
        for step in (1 << bit for bit in reversed(range(self.width.bit_length()))):
            further = below + step
            index = base + further.clamp(max=self.width) - 1
            passed = (flat[index] < values) & (further <= self.width)
            below = torch.where(passed, further, below)
        return below

    def count_up_to(self, edges: Tensor) -> Tensor:
        """How many logits of each row are not above each edge ``(E,)``: ``(B, E)``."""
        queries = edges.expand(len(self.table), -1).contiguous()
        return torch.searchsorted(self.table, queries, right=True)

    def to_probabilities(self) -> None:
        """Replaces the logits by their sigmoids."""
        self.table.sigmoid_()

    def squares(self) -> Tensor:
        """Sum of squares of every row, ``(B,)``."""
        return self.table.square().sum(dim=1)  # products such as vecdot lose digits to autocast

    def segment_sums(self, ends: Tensor) -> Tensor:
        """Sums between neighbouring ends in every row: ends ``(B, E)`` to sums ``(B, E + 1)``."""
        count = len(ends)
        full = ends.new_full((count, 1), self.width)
        starts = torch.cat([torch.zeros_like(full), ends], dim=1)
        lengths = torch.cat([ends, full], dim=1) - starts
        flat, sizes = self._buffer[:-1], lengths.flatten()
        return torch.segment_reduce(flat, "sum", lengths=sizes, initial=0.0).view(lengths.shape)


def average_precision(below: Tensor, rows: Tensor, count: int, width: int) -> tuple[Tensor, Tensor]:
    """Average precision of every sample, and the rank of every positive.

    ``AP = (1/P) Σ TP_k / k`` over the positives, k being the number of logits not below it and
    TP_k the number of positives among them. Tied logits enter together, as in scikit-learn.

    Args:
        below: Number of logits of the row below each positive's, ``(P,)``.
        rows: Row of each positive, ``(P,)``.
        count: B.
        width: S.

    Returns:
        AP ``(B,)`` float64, NaN without a positive; ranks ``(P,)``, sorted by row and rank.
    """
    keys = (rows * (width + 1) + below).sort().values
    row, rank = keys // (width + 1), width - keys % (width + 1)
    positives = torch.bincount(row, minlength=count)
    last = positives.cumsum(0)[row]
    true_positives = last - torch.searchsorted(keys, keys)
    total = torch.zeros(count, dtype=torch.float64, device=keys.device)
    total.index_add_(0, row, true_positives.double() / rank)
    return total / positives, rank


def column_average_precision(scores: Tensor, truth: Tensor) -> Tensor:
    """Average precision of every column over rows, tied scores together.

    Args:
        scores: ``(N, W)``.
        truth: The same shape, bool.

    Returns:
        ``(W,)`` float64, NaN for a column without a positive.
    """
    columns, rows = truth.t().nonzero(as_tuple=True)
    table = SortedRows(scores.t())
    below = table.count_below(columns, scores[rows, columns].float())
    return average_precision(below, columns, truth.shape[1], len(truth))[0]
