"""Ranks and sums over rows of logits, without a loop over samples and without an argsort.

On the CPU the heavy parts run in numpy: its sort of plain numbers is vectorised and an order of
magnitude faster than sorting with indices, and 16-bit integers it sorts by their digits, several
times faster yet. On CUDA they run in torch.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class SortedRows:
    """A batch of logits with every row sorted, in a buffer that is used again.

    Args:
        device: Where the batches live.
    """

    def __init__(self, device: torch.device) -> None:
        self._buffer = torch.empty(0, device=device)
        self.width = 0
        self.table = self._buffer.view(0, 0)

    def load(self, logits: Tensor) -> None:
        """Copies logits ``(B, S)`` and sorts each row, ascending, NaN last."""
        count, self.width = logits.shape
        if self._buffer.numel() != logits.numel() + 1:
            # and a zero, where an empty last segment can begin
            self._buffer = torch.zeros(logits.numel() + 1, device=logits.device)
        self.table = self._buffer[:-1].view(count, self.width)
        if by_numpy(logits) and logits.dtype == torch.bfloat16:
            codes = _flipped(logits.contiguous().view(torch.int16))
            _sort_in_threads(codes.numpy(), "stable")
            self.table.copy_(_flipped(codes).view(torch.bfloat16))
        elif by_numpy(logits):
            self.table.copy_(logits)
            _sort_in_threads(self.table.numpy(), "quicksort")
        else:
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

    def up_to(self, largest: float) -> Tensor:
        """The logits, none above a limit; NaN stays."""
        if self.width and bool((self.table[:, -1] <= largest).all()):
            return self.table
        return self.table.clamp(max=largest)

    def to_probabilities(self) -> None:
        """Replaces the logits by their sigmoids."""
        self.table.sigmoid_()

    def squares(self) -> Tensor:
        """Sum of squares of every row, ``(B,)``."""
        if by_numpy(self.table):
            values = self.table.numpy()
            return torch.from_numpy(np.einsum("ij,ij->i", values, values))
        return self.table.square().sum(dim=1)  # products such as vecdot lose digits to autocast

    def segment_sums(self, ends: Tensor) -> Tensor:
        """Sums between neighbouring ends in every row: ends ``(B, E)`` to sums ``(B, E + 1)``."""
        count = len(ends)
        full = ends.new_full((count, 1), self.width)
        starts = torch.cat([torch.zeros_like(full), ends], dim=1)
        lengths = torch.cat([ends, full], dim=1) - starts
        if by_numpy(self.table):
            offsets = torch.arange(count)[:, None] * self.width + starts
            sums = np.add.reduceat(self._buffer.numpy(), offsets.flatten().numpy())
            found = torch.from_numpy(sums).view(lengths.shape)
            return torch.where(lengths > 0, found, 0.0)  # reduceat gives an empty one its first
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
    table = SortedRows(scores.device)
    table.load(scores.t())
    below = table.count_below(columns, scores[rows, columns].float())
    return average_precision(below, columns, truth.shape[1], len(truth))[0]


def by_numpy(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def _flipped(bits: Tensor) -> Tensor:
    """Bits of bfloat16 numbers as integers in the numbers' order, or these as the bits again."""
    return (bits >> 15).bitwise_and_(0x7FFF).bitwise_xor_(bits)


def _sort_in_threads(table: NDArray[Any], kind: Literal["quicksort", "stable"]) -> None:
    """Sorts the rows; "stable" is a radix sort of 16-bit integers."""
    workers = max(1, min(torch.get_num_threads(), len(table) // 16))
    if workers == 1:
        table.sort(axis=1, kind=kind)
        return
    with ThreadPoolExecutor(workers) as pool:
        parts = np.array_split(table, 4 * workers)
        for _ in pool.map(lambda part: part.sort(axis=1, kind=kind), parts):
            pass
