"""What scores need to know of a batch of logits, in one pass and without sorting all of them.

Only the positives' ranks, the lists at thresholds and the upper bins of the reliability curve need
single logits, and these are few: on the CPU they are picked out, and all others only enter sums.
Whole rows are sorted on CUDA, where that is cheap, and where a network still thinks much possible.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quadrat.scoring import _ranking
from quadrat.scoring._ranking import SortedRows

_BLOCK_BYTES = 1 << 20
"""Logits that are looked at together: they stay in the cache."""
_FEW = 0.3
"""Up to this share of logits, picking them out is faster than sorting."""
_LOOKED_AT = 16
"""Rows that tell the share."""
_SERIES_BELOW = -4.0
"""Below this logit, log(1 + exp z) = p + p²/2 + p³/3 to the sixth digit."""
LARGEST = 80.0
"""Logits are cut here in the log loss, so that infinite ones have a finite loss."""

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Summary:
    """Counts and sums of logits ``(B, S)``.

    Attributes:
        below: How many logits of its row are smaller than each positive's, ``(P,)``.
        predicted: How many logits of each row are above each cut, ``(B, T)``.
        expected: Sum of the probabilities of every row, float64 ``(B,)``.
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
    if not _ranking.by_numpy(logits) or _is_diffuse(logits, edges):
        return _by_sorting(logits, rows, values, cuts, edges)
    table = logits.detach().float().contiguous().numpy()
    order = np.argsort(rows.numpy(), kind="stable")
    row, value = rows.numpy()[order], values.numpy()[order]
    size = max(1, _BLOCK_BYTES // (4 * max(1, table.shape[1])))
    starts = np.arange(0, len(table), size)
    bounds = np.searchsorted(row, np.append(starts, len(table)))
    blocks = [
        _Block(table[start : start + size], row[low:high] - start, value[low:high])
        for start, low, high in zip(starts, bounds[:-1], bounds[1:], strict=True)
    ]
    found = _each(blocks, cuts.numpy(), edges.numpy())
    merged = {
        field.name: np.concatenate([part[field.name] for part in found])
        for field in fields(Summary)
        if field.name not in ("count", "probability")
    }
    for name in ("count", "probability"):
        merged[name] = np.sum([part[name] for part in found], axis=0)
    below = np.empty_like(merged["below"])
    below[order] = merged["below"]
    merged["below"] = below
    return Summary(**{name: torch.from_numpy(array) for name, array in merged.items()})


def _is_diffuse(logits: Tensor, edges: Tensor) -> bool:
    """Whether many logits are above the lowest edge, judged by some rows."""
    some = logits[:: max(1, len(logits) // _LOOKED_AT)]
    return float((some > edges[0]).float().mean()) > _FEW


def _each(blocks: Iterable[_Block], cuts: Floats, edges: Floats) -> list[dict[str, Doubles | Ints]]:
    threads = torch.get_num_threads()
    if threads == 1:
        return [block.summary(cuts, edges) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda block: block.summary(cuts, edges), blocks))


@dataclass(frozen=True)
class _Block:
    """Some rows of logits ``(R, S)`` and their positives ``(P,)``, which are sorted by row."""

    logits: Floats
    row: Ints
    value: Floats

    def summary(self, cuts: Floats, edges: Floats) -> dict[str, Doubles | Ints]:
        """The numbers of `Summary`, by name."""
        z, (count, width) = self.logits, self.logits.shape
        p = torch.sigmoid(torch.from_numpy(z)).numpy()
        square = p * p
        terms = (p, None), (p, p), (square, p)
        expected, squares, cubes = (_row_sums(*pair) for pair in terms)
        lowest = np.full(count, np.inf, np.float32)
        np.minimum.at(lowest, self.row, self.value)
        needed = np.minimum(min(edges[0], cuts.min(), _SERIES_BELOW), lowest)
        kept = z >= needed[:, None]
        place = np.flatnonzero(kept)
        row = np.repeat(np.arange(count), np.count_nonzero(kept, axis=1))
        v, chance = z.reshape(-1)[place], p.reshape(-1)[place].astype(np.float64)
        bins = _bins(v, edges)
        in_bins = np.bincount(bins, minlength=len(edges) + 1)
        others = count * width - len(v)
        in_bins[0] += others
        sums = np.bincount(bins, chance, len(edges) + 1)
        sums[0] += expected.sum() - chance.sum() if others else 0.0
        return {
            "below": self._below(row, v, lowest, width),
            "predicted": _counts_above(row, v, cuts, count),
            "expected": expected,
            "squares": squares,
            "softplus": _softplus_sums(row, v, chance, expected + squares / 2 + cubes / 3),
            "count": in_bins,
            "probability": sums,
        }

    def _below(self, row: Ints, v: Floats, lowest: Floats, width: int) -> Ints:
        """Ranks among the logits that are not below the lowest positive of their row."""
        ranked = v >= lowest[row]
        keys = np.sort(_keys(row[ranked], v[ranked]))
        ends = np.searchsorted(keys, (self.row + 1) << 32)
        return width - (ends - np.searchsorted(keys, _keys(self.row, self.value)))


def _row_sums(one: Floats, other: Floats | None) -> Doubles:
    """Sums of rows, or of the product of two tables."""
    if other is None:
        return np.asarray(torch.from_numpy(one).sum(dim=1).double().numpy())
    return np.asarray(np.einsum("ij,ij->i", one, other), np.float64)


def _bins(values: Floats, edges: Floats) -> NDArray[np.int8]:
    """How many edges are below each value: for two dozen, comparing beats a binary search."""
    found = np.zeros(len(values), np.int8)
    for edge in edges:
        found += values > edge
    return found


def _keys(row: Ints, values: Floats) -> Ints:
    """Integers in the order of row and value; both zeros are equal."""
    bits = (values + np.float32(0)).view(np.int32)
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    return (row << 32) + ordered + (1 << 31)


def _counts_above(row: Ints, v: Floats, cuts: Floats, count: int) -> Ints:
    found = [np.bincount(row[v > cut], minlength=count) for cut in cuts]
    return np.stack(found, axis=1)


def _softplus_sums(row: Ints, v: Floats, chance: Doubles, series: Doubles) -> Doubles:
    """Sums by row: of a series in p, corrected where the probability is not small."""
    large = v > _SERIES_BELOW
    p = chance[large]
    exact = np.log(1 + np.exp(np.minimum(v[large], LARGEST)))
    return series + np.bincount(row[large], exact - p - p**2 / 2 - p**3 / 3, len(series))


def _by_sorting(
    logits: Tensor, rows: Tensor, values: Tensor, cuts: Tensor, edges: Tensor
) -> Summary:
    table = SortedRows(logits.device)
    table.load(logits)
    below, ends = table.count_below(rows, values), table.count_up_to(edges)
    predicted = table.width - table.count_up_to(cuts)
    softplus = torch.nn.functional.softplus(table.up_to(LARGEST)).sum(dim=1).double()
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
